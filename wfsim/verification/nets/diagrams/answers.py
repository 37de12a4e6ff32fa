"""What the set of all reachable markings tells about soundness and deadlocks, with traces."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from wfsim.verification.nets.diagrams.search import TRACE_WORK
from wfsim.verification.nets.findings import (
    COMPLETES,
    PROPER,
    Finding,
    after,
    all_dead,
    dead_finding,
    dead_list,
    shown,
    stuck_with,
)
from wfsim.verification.nets.workflow_net import listed

if TYPE_CHECKING:
    from wfsim.net.marking import Marking
    from wfsim.verification.nets.diagrams.space import MarkingSet, SymbolicSpace
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

    def __init__(self, space: SymbolicSpace, deadline: float | None) -> None:
        self.space = space
        self.witness: NetWitness | None = None
        self._deadline = deadline
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
        self.witness, self._shortest = self.space.witness(targets, max_work=TRACE_WORK, deadline=self._deadline)
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
        net, stuck = self.space.net, self.stuck(final)
        if stuck:
            witness = self.trace_to(stuck)
            return Finding(COMPLETES, f"{after(witness)} {stuck_with(net, witness.marking, final)}.", witness)
        lost = self.space.markings - self._able(final)
        if not lost:
            return None
        witness = self.trace_to(lost)
        return Finding(
            COMPLETES,
            f"{after(witness)}, with {shown(witness.marking)}, the net goes on for ever (livelock) and can never "
            f"reach {shown(final)}; it goes on with {listed(net.enabled(witness.marking))}.",
            witness,
        )

    def _proper(self, final: Marking) -> Finding | None:
        over = self.space.strictly_covering(final)
        if not over:
            return None
        if self.witness is not None:
            # Only the first clause that fails is shown.
            return Finding(PROPER, "", None)
        witness = self.trace_to(over)
        left = [place for place in self.space.net.places if witness.marking[place] > final[place]]
        reason = f"{after(witness)} the net has completed, but tokens are left over in {listed(left)}."
        return Finding(PROPER, reason, witness)

    def _able(self, final: Marking) -> MarkingSet:
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        return self.space.able_to_reach(self._only(final), max_seconds=left)

    def _only(self, marking: Marking) -> MarkingSet:
        return self.space.having(dict(marking), exactly=True)
