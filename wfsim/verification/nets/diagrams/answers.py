"""What the set of all reachable markings tells about soundness and deadlocks, with traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.verification.nets.diagrams.search import TRACE_WORK
from wfsim.verification.nets.findings import (
    PROPER,
    Finding,
    all_dead,
    dead_finding,
    dead_list,
    left_over_finding,
    livelock_finding,
    stuck_finding,
)

if TYPE_CHECKING:
    from wfsim.net.marking import Marking
    from wfsim.verification.nets.diagrams.space import MarkingSet, SymbolicSpace
    from wfsim.verification.nets.limits import Limits
    from wfsim.verification.verdict import NetWitness


class Answers:
    """Questions asked of a complete space of decision diagrams.

    Attributes
    ----------
    space
        The space.
    witness
        The trace that was looked for, if one was.
    """

    def __init__(self, space: SymbolicSpace, limits: Limits) -> None:
        self.space = space
        self.witness: NetWitness | None = None
        self._limits = limits
        self._shortest = True

    @property
    def method(self) -> str:
        """How the markings were found, and whether the trace is a shortest one."""
        trace = ""
        if self.witness is not None:
            trace = "; trace replayed in the net, " + ("shortest" if self._shortest else "perhaps not shortest")
        return f"decision diagrams of all reachable markings ({self.space.n_nodes:,} nodes){trace}"

    @property
    def statistics(self) -> dict[str, Any]:
        """Sizes of the net, and what was counted."""
        return {
            "places": len(self.space.net.places),
            "transitions": len(self.space.net.transitions),
            "nodes": self.space.n_nodes,
            "deadlocks": self.space.n_deadlocks,
        }

    def trace_to(self, targets: MarkingSet) -> NetWitness:
        """A firing sequence to one of the markings: a shortest one, if it is found with little work and in time."""
        self.witness, self._shortest = self.space.witness(targets, max_work=TRACE_WORK, limits=self._limits)
        return self.witness

    def stuck(self, final: Marking | None) -> MarkingSet:
        """The deadlocks other than the final marking."""
        return self.space.deadlocks if final is None else self.space.deadlocks - self._only(final)

    def clauses(self, final: Marking, *, dead: bool) -> tuple[list[Finding], list[dict[str, Any]]]:
        """The clauses of soundness that fail, the first with its trace; and if asked for, the dead transitions.

        Raises
        ------
        SearchIncomplete
            If time or nodes do not suffice.
        """
        findings = [each for each in (self._completion(final), self._proper(final)) if each is not None]
        entries = []
        if dead:
            never = all_dead(self.space.net, self.space.never_fired)
            entries = dead_list(self.space.net, never, self.space.bounds)
            if entries:
                findings.append(dead_finding(entries))
        return findings, entries

    def useful(self, final: Marking) -> tuple[str, ...]:
        """Net transitions that fire on some way to the final marking; errors as of `clauses`."""
        return self.space.fired_into(self._able(final))

    def _completion(self, final: Marking) -> Finding | None:
        stuck = self.stuck(final)
        if stuck:
            return stuck_finding(self.trace_to(stuck), final)
        lost = self.space.markings - self._able(final)
        return livelock_finding(self.trace_to(lost), final) if lost else None

    def _proper(self, final: Marking) -> Finding | None:
        over = self.space.strictly_covering(final)
        if not over:
            return None
        # Only the first clause that fails is shown.
        return Finding(PROPER, "", None) if self.witness is not None else left_over_finding(self.trace_to(over), final)

    def _able(self, final: Marking) -> MarkingSet:
        return self.space.able_to_reach(self._only(final), self._limits)

    def _only(self, marking: Marking) -> MarkingSet:
        return self.space.having(dict(marking), exactly=True)
