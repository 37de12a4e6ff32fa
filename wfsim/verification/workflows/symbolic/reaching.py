"""What runs can come to do, for all values at once: take a transition, enter a state, close in some way."""

from __future__ import annotations

from collections.abc import Callable

from wfsim.errors import NotCovered
from wfsim.semantics.codes import COMPLETED
from wfsim.verification.nets.limits import Limits
from wfsim.verification.workflows.conditions.truths import Truth
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.patterns import Automaton
from wfsim.verification.workflows.ruled import Ruled
from wfsim.verification.workflows.runs import Finding
from wfsim.verification.workflows.space import WorkflowSpace
from wfsim.verification.workflows.symbolic.completion import Completion
from wfsim.verification.workflows.symbolic.induction import MOST_LOCATIONS, Decided, Induction, at_most
from wfsim.verification.workflows.symbolic.space import Move, SymbolicSpace
from wfsim.verification.workflows.symbolic.system import System
from wfsim.verification.workflows.told import replays

_UNWATCHED = Automaton((), lambda state, _: state)


class Reaching:
    """The control states of a workflow and their formulas, made once for all questions.

    Raises
    ------
    NotCovered
        If there are more control states than `max_states`, or than are searched at all.
    OutOfTime
        If the time is over before all are known.
    """

    def __init__(self, space: SymbolicSpace, max_states: int, limits: Limits) -> None:
        if not space.complete:
            raise NotCovered(space.stopped)
        if len(space.snapshots) > max_states:
            raise NotCovered(f"there are more control states than max_states={max_states:,}.")
        limits = at_most(limits)
        self.system = System(space, _UNWATCHED, MOST_LOCATIONS, limits)
        if not self.system.complete:
            raise NotCovered(f"there are more than {MOST_LOCATIONS:,} locations.")
        self._induction = Induction(self.system, (), limits)

    @property
    def n_locations(self) -> int:
        """How many control states there are."""
        return len(self.system.locations)

    def taken(self, rows: list[int], limits: Limits) -> Ruled:
        """Which of these transitions no run takes up to its commit."""
        return self._ruled(rows, lambda move, row: row in move.taken, lambda line, row: row in line.taken, limits)

    def entered(self, rows: list[int], limits: Limits) -> Ruled:
        """Which of these states no run enters."""
        return self._ruled(rows, lambda move, row: row in move.reached, lambda line, row: row in line.reached, limits)

    def closed(self, status: int, limits: Limits) -> Decided:
        """Whether no run closes with that status."""
        snapshots = self.system.space.snapshots
        return self._decided(
            status,
            lambda move, closed: snapshots[move.target][0] == closed,
            lambda line, closed: line.status(line.n_states - 1) == closed,
            at_most(limits),
        )

    def completes(self, lost: list[tuple[WorkflowSpace, int]], limits: Limits) -> Decided:
        """Whether from every open state a terminal one can be reached; `lost` are some from which that may not be."""
        return Completion(self._induction, COMPLETED, at_most(limits)).decided(lost)

    def _ruled(
        self,
        rows: list[int],
        does: Callable[[Move, int], bool],
        did: Callable[[WorkflowSpace, int], bool],
        limits: Limits,
    ) -> Ruled:
        limits = at_most(limits)
        found = Ruled()
        for row in rows:
            decided = self._decided(row, does, did, limits)
            found.depth = max(found.depth, decided.depth)
            if decided.status == "holds":
                found.never.append(row)
            elif decided.status == "unknown":
                found.open[row] = decided.reason
        return found

    def _decided(
        self,
        what: int,
        does: Callable[[Move, int], bool],
        did: Callable[[WorkflowSpace, int], bool],
        limits: Limits,
    ) -> Decided:
        arrows = self.system.arrows
        refuting: dict[int, Truth] = {k: True for k, arrow in enumerate(arrows) if does(arrow.move, what)}

        def judge(line: WorkflowSpace, path: list[Edge]) -> Finding | None:
            # It is not followed when every timer is due.
            found = did(line, what) and replays(line, path)
            return Finding("moment", path, line.n_states - 1) if found else None

        return self._induction.run(refuting, judge, limits)
