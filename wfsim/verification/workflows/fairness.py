"""Runs on which something stays owed for ever.

A run may come to an end, wait for ever, or go round on a circle. Under `progress` a run may wait where no clock and no
work runs, and a circle counts only if no operator is on it and each clock and each work that runs all along it comes
to its end, or is set anew, somewhere on it. As this is one condition for each clock and work, a strongly connected
component [1] holds such a circle exactly if its states and edges together meet all conditions [2]. Under `strong` a
run ends up in a component that nothing leaves.

References
----------
.. [1] Tarjan (1972), Depth-first search and linear graph algorithms, SIAM Journal on Computing 1(2), 146-160.
.. [2] Emerson, Lei (1987), Modalities for model checking: branching time logic strikes back, Science of Computer
   Programming 8(3), 275-306.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from wfsim.semantics.codes import BACKOFF, CHILD, COMPLETED, RUNNING, SCHEDULED
from wfsim.semantics.instance import Instance
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.runs import Finding, Product

Duty: TypeAlias = tuple[str, int]
"""A clock, by place, or a work, by number: what comes to an end by itself."""
_DOING = "runs without end were looked for"
_WORKING = (SCHEDULED, RUNNING, BACKOFF, CHILD)


class Unfair:
    """Searches a product for a fair run on which something stays owed; see `find`."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.space = product.space
        self.limits = product.limits
        self.open = product.automaton.open
        self._duties: dict[int, frozenset[Duty]] = {}
        self._renewed: dict[tuple[int, int], frozenset[Duty]] = {}

    def find(self) -> Finding | None:
        """A fair run on which something stays owed: an end if there is one, else the shortest circle."""
        states = self.product.states
        owing = [k for k, (_, memory) in enumerate(states) if memory[0] in self.open]
        fairness = self.product.automaton.fairness
        if fairness == "none":
            return next((self._end("closed" if self._closed(k) else "stops", k) for k in owing), None)
        if fairness == "strong":
            return _shortest([self._bottom(component) for component in self._components(owing)])
        for k in owing:
            self.limits.check(_DOING)
            if self._closed(k):
                return self._end("closed", k)
            if not self._duties_of(k) and (found := self._for_ever(self._end("waits", k), k)) is not None:
                return found
        return _shortest([self._circle(component) for component in self._components(owing)])

    def _end(self, kind: str, k: int) -> Finding:
        return Finding(kind, self.product.path(k), self.product.states[k][0])

    def _closed(self, k: int) -> bool:
        return self.space.status(self.product.states[k][0]) >= COMPLETED

    def _for_ever(self, found: Finding, k: int) -> Finding | None:
        """The finding; but where the workflow timer ends what goes on for ever, that end, if still owing then."""
        number, memory = self.product.states[k]
        instance = self.space.instance(number)
        timer = next((timer for timer in instance.timers() if timer.name == "workflow"), None)
        if timer is None or self.space.successors.handles(instance, "workflow_timeout"):
            return found
        if self.product.moments.timed_out(memory, number)[0] not in self.open:
            return None
        last = Stimulus("timer", timer=timer.place, timer_id=timer.id)
        return Finding("timed_out", self.product.path(k), number, further=(last,))

    # --- clocks and works -----------------------------------------------------------------------------

    def _duties_of(self, k: int) -> frozenset[Duty]:
        number = self.product.states[k][0]
        if number not in self._duties:
            self._duties[number] = frozenset(self._running(self.space.instance(number)))
        return self._duties[number]

    def _running(self, instance: Instance) -> list[Duty]:
        if instance.is_closed:
            return []
        first_clock = self.space.program.head.first_clock
        found: list[Duty] = [
            ("clock", timer.place)
            for timer in instance.timers()
            # The workflow timer that nothing handles is not searched.
            if timer.place < first_clock
            and (timer.name != "workflow" or self.space.successors.handles(instance, "workflow_timeout"))
        ]
        return found + [("work", n) for n, work in enumerate(instance.works()) if work.phase in _WORKING]

    def _renewed_by(self, k: int, edge: Edge) -> frozenset[Duty]:
        """Which clocks and works of a state end, or begin anew, by an edge."""
        number = self.product.states[k][0]
        key = (number, id(edge))
        if key not in self._renewed:
            before = self.space.instance(number)
            after, _ = self.space.apply(number, edge.stimulus, list(edge.answers))
            clocks = {timer.place: timer.id for timer in before.timers()}
            still = {timer.place: timer.id for timer in after.timers()}
            works = [(work.serial, work.attempt, work.phase) for work in before.works()]
            later = [(work.serial, work.attempt, work.phase) for work in after.works()]
            self._renewed[key] = frozenset(
                (what, n)
                for what, n in self._duties_of(k)
                if (clocks[n] != still.get(n) if what == "clock" else n >= len(later) or works[n] != later[n])
            )
        return self._renewed[key]

    def _edges(self, k: int) -> list[tuple[int, Edge]]:
        """What leads from a state and may be taken again and again: an operator does not intervene for ever."""
        edges = self.product.edges[k]
        if self.product.automaton.fairness == "strong":
            return edges
        return [(target, edge) for target, edge in edges if edge.stimulus.kind != "control"]

    # --- circles --------------------------------------------------------------------------------------

    def _circle(self, component: list[int]) -> Finding | None:
        """A fair circle in a component: round it until each clock and work has rested or been renewed."""
        inside = set(component)
        lasting = frozenset.intersection(*map(self._duties_of, component))
        for k in component if lasting else ():
            self.limits.check(_DOING)
            for target, edge in self._edges(k):
                if target in inside and lasting:
                    lasting -= self._renewed_by(k, edge)
        if lasting:
            return None
        start = at = min(component)
        left = set(self._duties_of(start))
        loop: list[Edge] = []

        def meets(k: int, edge: Edge, target: int) -> bool:
            return bool(left - self._duties_of(target) or left & self._renewed_by(k, edge))

        while left:
            self.limits.check(_DOING)
            for k, edge, target in self._way(at, inside, meets):
                loop.append(edge)
                left = (left - self._renewed_by(k, edge)) & self._duties_of(target)
                at = target
        if at != start or not loop:
            loop += [edge for _, edge, _ in self._way(at, inside, lambda k, edge, target: target == start)]
        found = Finding("loop", self.product.path(start), self.product.states[start][0], loop=tuple(loop))
        return self._for_ever(found, start)

    def _bottom(self, component: list[int]) -> Finding | None:
        """The run that ends up in a component, if nothing leaves it."""
        inside = set(component)
        edges = self.product.edges
        for k in component:
            expanded = self.product.states[k][0] < self.space.n_expanded
            if not (expanded or self._closed(k)) or any(target not in inside for target, _ in edges[k]):
                return None
        start = min(component)
        if self._closed(start):
            return self._end("closed", start)
        if not edges[start]:
            return self._for_ever(self._end("waits", start), start)
        loop = [edge for _, edge, _ in self._way(start, inside, lambda k, edge, target: target == start)]
        found = Finding("loop", self.product.path(start), self.product.states[start][0], loop=tuple(loop))
        return self._for_ever(found, start)

    def _way(self, start: int, inside: set[int], goal: Callable[[int, Edge, int], bool]) -> list[tuple[int, Edge, int]]:
        """A shortest way inside a component whose last edge meets the goal; there is one."""
        before: dict[int, tuple[int, Edge, int] | None] = {start: None}
        line = [start]
        for k in line:
            for target, edge in self._edges(k):
                if target not in inside:
                    continue
                if goal(k, edge, target):
                    way = [(k, edge, target)]
                    while (step := before[way[0][0]]) is not None:
                        way.insert(0, step)
                    return way
                if target not in before:
                    before[target] = (k, edge, target)
                    line.append(target)
        raise AssertionError("a strongly connected component has a way to each of its edges")

    def _components(self, owing: list[int]) -> list[list[int]]:
        """Strongly connected components of what is owing; those of one state only with an edge to itself.

        For `strong`, single states without any edge count as well: runs end there.
        """
        import networkx

        self.limits.check(_DOING)
        inside = set(owing)
        graph = networkx.DiGraph()
        graph.add_nodes_from(owing)
        graph.add_edges_from((k, target) for k in owing for target, _ in self._edges(k) if target in inside)
        strong = self.product.automaton.fairness == "strong"
        found = [
            sorted(component)
            for component in networkx.strongly_connected_components(graph)
            if len(component) > 1 or any(graph.has_edge(k, k) or (strong and not self._edges(k)) for k in component)
        ]
        return sorted(found)


def _shortest(found: list[Finding | None]) -> Finding | None:
    some = [each for each in found if each is not None]
    return min(some, key=lambda each: len(each.path) + len(each.loop) + len(each.further), default=None)
