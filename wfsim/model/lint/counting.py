"""Hints about what is counted: consent that one person can give twice, counters that are not set back."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from wfsim.model.expression_tree import Arithmetic, Compare, Expression, Literal, Name, names, walk
from wfsim.model.lint.circles import shortest_circle, shortest_way
from wfsim.model.lint.regions import inner
from wfsim.model.lint.words import CONSENTING, PERSONAL, says
from wfsim.model.uses import is_reserved, payload_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.model.elements import Transition
    from wfsim.model.expression_tree import Template
    from wfsim.model.lint.graph import RegionGraph
    from wfsim.model.lint.report import Report


def counting(graphs: list[RegionGraph], report: Report) -> None:
    """`consent-counted-twice`, `counter-not-reset`."""
    for graph in graphs:
        _votes(graph, report)
        _in_turn(graph, report)
        _side_by_side(graphs, graph, report)
        _counters(graph, report)


# Consent ---------------------------------------------------------------------------------------------------


def _twice(graph: RegionGraph, index: int, told: str, report: Report, way: list[int] | None = None) -> None:
    report(
        "consent-counted-twice",
        graph.part.transition_path(index),
        graph.part.transition_label(index),
        told,
        "Keep who it was in a variable, and compare: condition: event.by != context.first_by.",
        way=way,
    )


def _open_consents(graph: RegionGraph) -> Iterator[tuple[int, Transition]]:
    """Transitions that can be taken on somebody's consent, whoever it is."""
    for index in graph.usable_indices:
        way = graph.region.transitions[index]
        if _consents(way) and _tells_apart(way) is False:
            yield index, way


def _votes(graph: RegionGraph, report: Report) -> None:
    """Votes that are counted in a variable, whoever gives them."""
    for index, way in _open_consents(graph):
        for variable in _counted_up(way):
            if _quorum(graph, variable):
                told = (
                    f"it counts {way.event!r} in {variable!r}, and nothing keeps one person from being counted twice: "
                    "its condition does not compare who it is with who it was."
                )
                _twice(graph, index, told, report)


def _in_turn(graph: RegionGraph, report: Report) -> None:
    """The same consent twice in a row, from people who are not compared."""
    for index, second in _open_consents(graph):
        if not any(says(field, PERSONAL) for field in payload_fields(graph.workflow, second.event or "") or ()):
            continue
        before = (
            way
            for way in graph.entering[second.from_]
            if way.event == second.event and second.from_ != way.from_ and second.to not in (None, way.from_)
        )
        first = next(before, None)
        if first is not None and _tells_apart(first) is False:
            told = (
                f"it needs {second.event!r} once more after {first.from_!r}, and nothing keeps the same person from "
                "giving both: its condition does not compare who it is with who it was."
            )
            came = graph.way_to(first.from_)
            both = [graph.region.transitions.index(first), index]
            _twice(graph, index, told, report, None if came is None else [*came, *both])


def _side_by_side(graphs: list[RegionGraph], graph: RegionGraph, report: Report) -> None:
    """One consent that moves two regions on at once (M2.3)."""
    for state in graph.region.states:
        if state.parallel is None:
            continue
        heard: dict[str, tuple[RegionGraph, Transition]] = {}
        for other in inner(graphs, graph, state):
            for index in other.usable_indices:
                way = other.region.transitions[index]
                if not _consents(way) or way.to is None:
                    continue
                assert way.event is not None
                before, first = heard.setdefault(way.event, (other, way))
                if before is other or _tells_apart(way) or _tells_apart(first):
                    continue
                told = (
                    f"one {way.event!r} is taken in {before.part.label} and here at once (M2.3), so that it counts "
                    "twice: no condition compares who it is with who it was."
                )
                _twice(other, index, told, report)


def _consents(way: Transition) -> bool:
    return way.event is not None and not is_reserved(way.event) and says(way.event, CONSENTING)


def _tells_apart(way: Transition) -> bool | None:
    """Whether a condition compares the event with what is known; `None` if it looks at the event otherwise."""
    condition = way.condition_tree
    if condition is None:
        return False
    for node in walk(condition):
        if isinstance(node, Compare) and {"event", "context"} <= {name.scope for name in names(node)}:
            return True
    return None if any(name.scope == "event" for name in names(condition)) else False


def _quorum(graph: RegionGraph, variable: str) -> bool:
    """Whether something leads on once a variable has come to two or more."""
    counter = Name("context", variable)
    for condition in _conditions(graph):
        for node in walk(condition):
            match node:
                case Compare(">=" | "==", left, Literal(int(limit))) | Compare("<=" | "==", Literal(int(limit)), left):
                    enough = limit
                case Compare(">", left, Literal(int(limit))) | Compare("<", Literal(int(limit)), left):
                    enough = limit + 1
                case _:
                    continue
            if left == counter and enough >= 2:
                return True
    return False


def _conditions(graph: RegionGraph) -> Iterator[Expression]:
    for way in graph.region.transitions:
        if way.condition_tree is not None:
            yield way.condition_tree


# Counters --------------------------------------------------------------------------------------------------


def _counters(graph: RegionGraph, report: Report) -> None:
    """Counters of tries that are not set back where the work they count has succeeded and begins again."""
    ways = [graph.region.transitions[index] for index in graph.usable_indices]
    bounding = {name.field for condition in _conditions(graph) for name in names(condition) if isinstance(name, Name)}
    counted = dict.fromkeys(variable for way in ways for variable in _counted_up(way))
    for variable in counted:
        if variable not in bounding:
            continue
        counting_ways = [way for way in ways if variable in _counted_up(way)]
        kept = [way for way in ways if variable not in _written(way)]
        done: dict[str, list[str]] = {}
        free: dict[str, list[str]] = {}
        for way in kept:
            if way.to is not None:
                free.setdefault(way.from_, []).append(way.to)
                if way.event == "done":
                    done.setdefault(way.from_, []).append(way.to)
        for name in dict.fromkeys(name for way in counting_ways for name in _begins(graph, way)):
            circle = shortest_circle(free, name, done.get(name, []))
            if circle is None:
                continue
            index = graph.region.transitions.index(counting_ways[0])
            report(
                "counter-not-reset",
                graph.part.transition_path(index),
                graph.part.transition_label(index),
                f"it counts up {variable!r}, and nothing sets that back when the work of {name!r} is done and "
                f"begins again ({' → '.join(circle)}): later rounds have fewer tries, or none.",
                f"Set {variable!r} to 0 on the way back, if each round should have all of its tries.",
                way=_round(graph, index, kept, circle),
            )
            break


def _round(graph: RegionGraph, index: int, kept: list[Transition], circle: list[str]) -> list[int] | None:
    """The transitions that count up for the first time, go on to the work, see it done, and begin it again."""
    counting, number = graph.region.transitions[index], graph.region.transitions.index
    came = graph.way_to(counting.from_)
    steps = {(way.from_, way.to or ""): number(way) for way in reversed(kept)}
    steps |= {(way.from_, way.to or ""): number(way) for way in reversed(kept) if way.event == "done"}
    free: dict[str, list[str]] = {}
    for source, target in steps:
        free.setdefault(source, []).append(target)
    there = shortest_way(free, [counting.to or counting.from_], circle[0])
    if came is None or there is None:
        return None
    through = [*there, *circle[1:]]
    return [*came, index, *(steps[step] for step in itertools.pairwise(through))]


def _begins(graph: RegionGraph, way: Transition) -> list[str]:
    """States in which a counting transition is taken when their work fails, at once or in the state after that."""
    failing = [before.from_ for before in graph.entering[way.from_] if (before.event or "").startswith("error")]
    return [way.from_, *failing]


def _counted_up(way: Transition) -> list[str]:
    """The variables that a transition increases by one constant."""
    found = []
    for action in way.actions:
        written = action.written
        if written is not None and _increases(written.tree, written.variable):
            found.append(written.variable)
    return found


def _increases(tree: Template | None, variable: str) -> bool:
    match tree:
        case Arithmetic("+", Name("context", field), Literal()) | Arithmetic("+", Literal(), Name("context", field)):
            return field == variable
    return False


def _written(way: Transition) -> set[str]:
    return {action.written.variable for action in way.actions if action.written is not None}
