"""Where log and model agree and differ, on the drawing of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wfsim.drawing.graph import SHADES, Edge, Node
from wfsim.drawing.picture import Picture
from wfsim.model.picture import edge_ids
from wfsim.model.picture import picture as workflow_picture
from wfsim.model.workflow import Workflow
from wfsim.net.petri import PetriNet
from wfsim.net.picture import picture as net_picture

if TYPE_CHECKING:
    from wfsim.drawing.graph import Direction

    from .alignment import Variant

_LEGEND = "log and model (blue: both; orange, the stronger the more: one alone)"


@dataclass
class Counts:
    """Moves over all cases.

    Attributes
    ----------
    both, model
        By net transition: moves of both, and of the model alone.
    log
        By activity: moves of the log alone.
    """

    both: Counter[str] = field(default_factory=Counter)
    model: Counter[str] = field(default_factory=Counter)
    log: Counter[str] = field(default_factory=Counter)


def counts_of(variants: Iterable[Variant]) -> Counts:
    """Moves of the variants that are aligned, each counted for every case; silent ones left out."""
    found = Counts()
    for variant in variants:
        for move in variant.moves or ():
            if move.expected is None:
                if move.seen is not None:
                    found.log[move.seen] += variant.cases
            elif move.transition is not None:
                (found.model if move.seen is None else found.both)[move.transition] += variant.cases
    return found


def draw_net(net: PetriNet, shown: Sequence[str | None], counts: Counts, direction: Direction) -> Picture:
    """A net with the moves of each net transition; activities that it has not stand beside it."""
    drawn = net_picture(net, direction=direction)
    labels = {name: label for name, label in zip(net.transitions, shown) if label is not None}
    # A move of the log alone belongs to no net transition; with one label on several it is told at the first.
    first = {label: name for name, label in reversed(labels.items())}
    log = {first[activity]: n for activity, n in counts.log.items() if activity in first}
    nodes = _told(drawn.nodes, labels, counts.both, counts.model, log)
    nodes += _unknown(n for n in counts.log.items() if n[0] not in first)
    return Picture(f"{net.name}: {_LEGEND}", nodes, drawn.edges, drawn.groups, direction)


def draw_workflow(
    workflow: Workflow, counts: Counts, lacking: Iterable[tuple[str, str, int]], direction: Direction
) -> Picture:
    """A workflow with the moves of each root state and transition, and the moves that it has no transition for.

    Parameters
    ----------
    workflow, counts
        Net transitions are those of `behaviour.states_of`.
    lacking
        Two states that follow each other, and how often.
    """
    drawn = workflow_picture(workflow, direction=direction)
    entered = {"enter": workflow.initial_state}
    edges: dict[str, str] = {}
    ids = edge_ids(workflow)
    for number, transition in enumerate(workflow.transitions, start=1):
        if transition.to is not None:
            entered[f"t{number}"] = transition.to
            edges[f"t{number}"] = ids[number]
    both, model = (_summed(each, entered, "state:") for each in (counts.both, counts.model))
    states = {f"state:{state.name}" for state in workflow.states}
    log = {f"state:{name}": n for name, n in counts.log.items() if f"state:{name}" in states}
    nodes = _told(drawn.nodes, states, both, model, log)
    nodes += _unknown(n for n in counts.log.items() if f"state:{n[0]}" not in states)
    taken, skipped = (_summed(each, edges, "") for each in (counts.both, counts.model))
    lines = [
        replace(
            edge,
            weight=float(taken[edge.id] + skipped[edge.id]),
            lines=(*edge.lines, *_lines(taken[edge.id], skipped[edge.id], 0)),
            shade=_shade(taken[edge.id], skipped[edge.id]),
        )
        if edge.id in edges.values()
        else edge
        for edge in drawn.edges
    ]
    known = {node.id for node in drawn.nodes} | {group.id for group in drawn.groups}
    lines += [
        Edge(
            f"lacking:{k}",
            f"state:{before}",
            f"state:{after}",
            f"{n:,} times, no transition",
            style="dashed",
            role="problem",
        )
        for k, (before, after, n) in enumerate(lacking)
        if {f"state:{before}", f"state:{after}"} <= known
    ]
    found = Picture(f"{workflow.name} {workflow.version}: {_LEGEND}", nodes, lines, drawn.groups, direction)
    return found.pinned(dict(drawn.pins))


def _summed(counts: Counter[str], names: Mapping[str, str], prefix: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for transition, name in names.items():
        found[prefix + name] += counts[transition]
    return found


def _told(
    nodes: Iterable[Node],
    those: Collection[str],
    both: Mapping[str, int],
    model: Mapping[str, int],
    log: Mapping[str, int],
) -> list[Node]:
    """The nodes, those that show activities with their moves."""
    found = []
    for node in nodes:
        if node.id in those:
            numbers = both.get(node.id, 0), model.get(node.id, 0), log.get(node.id, 0)
            node = replace(node, lines=(*node.lines, *_lines(*numbers)), shade=_shade(numbers[0], sum(numbers[1:])))
        found.append(node)
    return found


def _unknown(log: Iterable[tuple[str, int]]) -> list[Node]:
    """Activities of the log that the model has not."""
    return [Node(f"unknown:{activity}", activity, role="problem", lines=_lines(0, 0, n)) for activity, n in sorted(log)]


def _lines(both: int, model: int, log: int) -> tuple[str, ...]:
    told = ((both, "both"), (model, "model alone"), (log, "log alone"))
    return tuple(f"{n:,} {what}" for n, what in told if n)


def _shade(agreeing: int, differing: int) -> int:
    """Of the moves the share that differs, as a shade of less; where none does, one of more."""
    if differing == 0:
        return SHADES if agreeing else 0
    return -min(SHADES, 1 + int(differing / (agreeing + differing) * SHADES * 0.999))
