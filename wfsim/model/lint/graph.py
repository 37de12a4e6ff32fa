"""The graph of a region as the linter sees it: which transitions can ever be taken, who reaches whom."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from wfsim.model.duration import Duration
from wfsim.model.expression_tree import Literal
from wfsim.model.uses import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wfsim.model.definition import Definition
    from wfsim.model.elements import Region, State, Transition
    from wfsim.model.operations import Action
    from wfsim.model.uses import Part
    from wfsim.model.workflow import Workflow


LONGEST = 30
"""Transitions of a way that are told: its last ones."""


@dataclass(frozen=True)
class RegionGraph:
    """A region, the states around it from the innermost outwards, and its graph."""

    workflow: Workflow
    part: Part
    around: tuple[tuple[RegionGraph, State], ...]

    @property
    def region(self) -> Definition | Region:
        return self.part.region

    @cached_property
    def states(self) -> dict[str, State]:
        return {state.name: state for state in self.region.states}

    @cached_property
    def state_index(self) -> dict[str, int]:
        return {state.name: index for index, state in enumerate(self.region.states)}

    @cached_property
    def leaving(self) -> dict[str, list[int]]:
        """Indices of all transitions from each state, in file order, possible or not."""
        table: dict[str, list[int]] = {name: [] for name in self.states}
        for index, transition in enumerate(self.region.transitions):
            table[transition.from_].append(index)
        return table

    @cached_property
    def shadowed(self) -> dict[int, int]:
        """Transitions that an earlier one always takes the event from, each with that earlier one (M2.3)."""
        found: dict[int, int] = {}
        for indices in self.leaving.values():
            for position, index in enumerate(indices):
                for earlier in indices[:position]:
                    if earlier not in found and self._hides(earlier, index):
                        found[index] = earlier
                        break
                for other in indices:
                    if index not in found and self._forestalls(other, index):
                        found[index] = other
        return found

    def _forestalls(self, sooner: int, later: int) -> bool:
        """Whether one `after` always leaves the state before the other is due."""
        first, second = self.region.transitions[sooner], self.region.transitions[later]
        if sooner == later or not isinstance(first.after, Duration) or not isinstance(second.after, Duration):
            return False
        always = first.condition_tree in (None, Literal(True))
        # A failing action leaves the source where it is, and its other timers run on (M3.4).
        certain = all(action.on_failure == "ignore" or not action.fails_of for action in first.pre_actions)
        return always and certain and first.to is not None and (first.after, sooner) < (second.after, later)

    def _hides(self, earlier: int, later: int) -> bool:
        first, second = self.region.transitions[earlier], self.region.transitions[later]
        if first.timed or second.timed:
            # Every `after` has a timer of its own that selects only its transition (M6.2).
            return False
        same_trigger = first.event == second.event or (
            first.event == "error" and second.event is not None and second.event.startswith("error.")
        )
        if not same_trigger:
            return False
        return first.condition_tree in (None, Literal(True), second.condition_tree)

    def timeout_of(self, state: State) -> Duration | str | None:
        """The timeout of a state, wherever it is written; an expression stays text."""
        return state.timeout if state.timeout is not None else self.workflow.timeouts.states.get(state.name)

    def impossible(self, index: int) -> str | None:
        """Why the trigger of a transition can never occur; `None` if it can."""
        transition = self.region.transitions[index]
        state = self.states[transition.from_]
        if transition.event == "timeout" and self.timeout_of(state) is None:
            return f"state {state.name!r} has no timeout"
        if transition.event == "done" and state.work is None:
            return f"state {state.name!r} does no work that could be done"
        if transition.event == "workflow_timeout" and self.workflow.timeouts.workflow is None:
            return "the workflow has no timeout"
        if transition.event in ("workflow_timeout", "cancel_requested") and self.part.path:
            return f"{transition.event} is offered to the outermost active state only (M8.3)"
        return None

    def usable(self, index: int) -> bool:
        """Whether a transition can be taken at all, as far as the graph tells."""
        transition = self.region.transitions[index]
        return (
            not self.states[transition.from_].is_terminal
            and index not in self.shadowed
            and self.impossible(index) is None
            and transition.condition_tree != Literal(False)
        )

    @cached_property
    def usable_indices(self) -> tuple[int, ...]:
        return tuple(index for index in range(len(self.region.transitions)) if self.usable(index))

    def usable_from(self, state: str) -> Iterator[tuple[int, Transition]]:
        """Usable transitions of a state, in file order."""
        for index in self._usable_by_state[state]:
            yield index, self.region.transitions[index]

    @cached_property
    def _usable_by_state(self) -> dict[str, list[int]]:
        table: dict[str, list[int]] = {name: [] for name in self.states}
        for index in self.usable_indices:
            table[self.region.transitions[index].from_].append(index)
        return table

    @cached_property
    def entering(self) -> dict[str, list[Transition]]:
        """Usable transitions by the state that they enter, in file order."""
        table: dict[str, list[Transition]] = {name: [] for name in self.states}
        for index in self.usable_indices:
            way = self.region.transitions[index]
            if way.to is not None:
                table[way.to].append(way)
        return table

    @cached_property
    def actions_in(self) -> dict[str, list[tuple[str, Action]]]:
        """Actions of usable transitions by the state that is active while they run, with where they stand."""
        table: dict[str, list[tuple[str, Action]]] = {name: [] for name in self.states}
        for index in self.usable_indices:
            way, label = self.region.transitions[index], self.part.transition_label(index)
            table[way.from_] += [(label, action) for action in way.pre_actions]
            table[way.to or way.from_] += [(label, action) for action in way.post_actions]
        return table

    @cached_property
    def components(self) -> list[frozenset[str]]:
        """The strongly connected components: states that lie on common circles."""
        import networkx as nx

        graph = nx.DiGraph()
        graph.add_nodes_from(self.states)
        graph.add_edges_from((source, to) for source, targets in self.successors.items() for to in targets)
        return [frozenset(component) for component in nx.strongly_connected_components(graph)]

    @cached_property
    def successors(self) -> dict[str, list[str]]:
        table: dict[str, list[str]] = {name: [] for name in self.states}
        for index in self.usable_indices:
            transition = self.region.transitions[index]
            if transition.to is not None:
                table[transition.from_].append(transition.to)
        return table

    @cached_property
    def reachable(self) -> frozenset[str]:
        """States that some path of usable transitions reaches from the initial state."""
        return frozenset(reach([self.region.initial_state], lambda name: self.successors[name]))

    @cached_property
    def _came_by(self) -> dict[str, int | None]:
        """Each state that can be reached, with the transition that leads there on a shortest way."""
        found: dict[str, int | None] = {self.region.initial_state: None}
        waiting = deque(found)
        while waiting:
            for index, way in self.usable_from(waiting.popleft()):
                if way.to is not None and way.to not in found:
                    found[way.to] = index
                    waiting.append(way.to)
        return found

    def way_to(self, name: str) -> list[int] | None:
        """The last transitions of a shortest way from the initial state to another; `None` if none leads there."""
        if name not in self._came_by:
            return None
        indices: list[int] = []
        while (index := self._came_by[name]) is not None and len(indices) < LONGEST:
            indices.append(index)
            name = self.region.transitions[index].from_
        return indices[::-1]

    @cached_property
    def reaching_terminal(self) -> frozenset[str]:
        """States from which some path leads to a terminal state."""
        return self.leading_to(state.name for state in self.region.states if state.is_terminal)

    def leading_to(self, targets: Iterable[str]) -> frozenset[str]:
        """States from which some path leads to one of some others, these included."""
        return frozenset(reach(targets, lambda name: [way.from_ for way in self.entering[name]]))


def reach(start: Iterable[str], successors: Callable[[str], Iterable[str]]) -> dict[str, str | None]:
    """Breadth-first search: each node found with the one it was found from, in order of discovery."""
    found: dict[str, str | None] = dict.fromkeys(start)
    waiting = deque(found)
    while waiting:
        node = waiting.popleft()
        for target in successors(node):
            if target not in found:
                found[target] = node
                waiting.append(target)
    return found


def region_graphs(workflow: Workflow) -> list[RegionGraph]:
    """The graph of every region, outermost and first first."""
    graphs: list[RegionGraph] = []
    by_path: dict[tuple[str | int, ...], RegionGraph] = {}
    for part in parts(workflow):
        around: tuple[tuple[RegionGraph, State], ...] = ()
        if part.path:
            # A nested path ends in: states, index, parallel, regions, number.
            outer = by_path[part.path[:-5]]
            index = part.path[-4]
            assert isinstance(index, int)
            around = ((outer, outer.region.states[index]), *outer.around)
        graph = RegionGraph(workflow, part, around)
        by_path[part.path] = graph
        graphs.append(graph)
    return graphs
