"""Defects of regions that run side by side: variables they write in turn, and joins that never come about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.elements import Outcome
from wfsim.model.expression_tree import TemplateLiteral
from wfsim.model.uses import writes

if TYPE_CHECKING:
    from wfsim.model.elements import State, Transition
    from wfsim.model.lint.graph import RegionGraph
    from wfsim.model.lint.report import Report
    from wfsim.model.operations import Action
    from wfsim.model.problems import Path
    from wfsim.model.uses import Write
    from wfsim.model.workflow import Workflow


def needed(state: State) -> int:
    """How many regions of a parallel state must end with success for its `done` (M4.3)."""
    assert state.parallel is not None
    join = state.parallel.join
    return len(state.parallel.regions) if join == "all" else 1 if join == "any" else join


def ends(graph: RegionGraph, outcome: Outcome) -> bool:
    """Whether some path of a region leads to a terminal state with an outcome."""
    terminal = (state for state in graph.region.states if state.is_terminal and state.name in graph.reachable)
    return any((state.outcome or Outcome.SUCCESS) is outcome for state in terminal)


def inner(graphs: list[RegionGraph], graph: RegionGraph, state: State) -> list[RegionGraph]:
    """The regions directly in a state."""
    return [other for other in graphs if other.around and other.around[0][0] is graph and other.around[0][1] is state]


def joins(graphs: list[RegionGraph], report: Report) -> None:
    """`region-never-ends`: the `done` of a parallel state is waited for, and too few regions can end with success."""
    for graph in graphs:
        for state in graph.region.states:
            waits = any(way.event == "done" for _, way in graph.usable_from(state.name))
            if state.parallel is None or not waits or state.name not in graph.reachable:
                continue
            own = inner(graphs, graph, state)
            dead = [other for other in own if not ends(other, Outcome.SUCCESS)]
            if len(own) - len(dead) >= needed(state):
                continue
            for other in dead:
                report(
                    "region-never-ends",
                    (*other.part.path, "name"),
                    other.part.label,
                    "no terminal state with success can be reached in it, and the join of the state "
                    f"({state.parallel.join}) needs it: `done` never comes (M4.3).",
                    "Add a transition to a terminal state, or join fewer regions.",
                )


def races(workflow: Workflow, graphs: list[RegionGraph], report: Report) -> None:
    """`write-race`: what can be active at once writes one variable."""
    by_path = {graph.part.path: graph for graph in graphs}
    by_variable: dict[str, list[Write]] = {}
    for write in writes(workflow):
        by_variable.setdefault(write.variable, []).append(write)
    for name, own in by_variable.items():
        for number, second in enumerate(own):
            first = next((write for write in own[:number] if _race(by_path, write, second)), None)
            if first is not None:
                report(
                    "write-race",
                    second.path,
                    f"variable {name!r}",
                    f"{first.what} and {second.what} write it, and both can be active at once: whichever comes last "
                    "wins (M3.3).",
                    "Let each write a variable of its own, and put them together after the join.",
                )


def _race(graphs: dict[Path, RegionGraph], first: Write, second: Write) -> bool:
    if isinstance(first.value, TemplateLiteral) and first.value == second.value:
        return False
    common = 0
    while first.path[common] == second.path[common]:
        common += 1
        if common == min(len(first.path), len(second.path)):
            return False
    shared = first.path[:common]
    if shared[-2:] == ("parallel", "regions"):
        ways = [_ending(graphs[(*shared, path[common])], path) for path in (first.path, second.path)]
        state = graphs[(*shared, first.path[common])].around[0][1]
        # Of two that each end a join of one, only the first is ever committed.
        return needed(state) > 1 or not all(ways)
    if shared not in graphs:
        return False
    return _beside(graphs[shared], first.path, second.path) or _beside(graphs[shared], second.path, first.path)


def _ending(graph: RegionGraph, path: Path) -> bool:
    """Whether a region has ended with success in the step in which a write is made.

    So it is with what a transition to the end writes, and with the result of a state whose `done` leads there.
    """
    section, index = path[len(graph.part.path) :][:2]
    assert isinstance(index, int)
    if section == "transitions":
        way = graph.region.transitions[index]
        return _ends_at_once(graph, way)
    if len(path) != len(graph.part.path) + 4:
        # A write further inside, in a region of the state.
        return False
    done = [way for _, way in graph.usable_from(graph.region.states[index].name) if way.event == "done"]
    return bool(done) and done[0].condition is None and not _wait(done[0].pre_actions) and _ends_at_once(graph, done[0])


def _ends_at_once(graph: RegionGraph, way: Transition) -> bool:
    """Whether nothing can come between a transition's commit and the end of its region with success."""
    if way.to is None or not graph.states[way.to].is_terminal or graph.states[way.to].outcome is Outcome.FAILURE:
        return False
    return not _wait(way.post_actions)


def _beside(graph: RegionGraph, inside: Path, outside: Path) -> bool:
    """Whether a write inside a state can come while a transition of that state is under way, or stays there."""
    within, place = inside[len(graph.part.path) :], outside[len(graph.part.path) :]
    if within[0] != "states" or within[2] != "parallel" or place[0] != "transitions":
        return False
    assert isinstance(within[1], int)
    assert isinstance(place[1], int)
    transition = graph.region.transitions[place[1]]
    if transition.from_ != graph.region.states[within[1]].name or transition.event == "done":
        return False
    return transition.to is None or _wait(transition.pre_actions)


def _wait(actions: tuple[Action, ...]) -> bool:
    return any(action.waits for action in actions)
