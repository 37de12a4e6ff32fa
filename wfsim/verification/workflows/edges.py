"""What can happen in a state of a workflow, and where it leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from wfsim.semantics.codes import (
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_EVENT_RECEIVED,
    R_STATE_ENTERED,
    R_TRANSITION,
)
from wfsim.semantics.kernel import Output
from wfsim.semantics.stimulus import Stimulus

Happened: TypeAlias = tuple[tuple[int, int], ...]
TOLD = {
    R_EVENT_RECEIVED: "event",
    R_ACTIVITY_SCHEDULED: "activity",
    R_ACTIVITY_STARTED: "activity",
    R_ACTIVITY_SUCCEEDED: "activity",
    R_ACTIVITY_FAILED: "activity",
    R_ATTEMPT_TIMED_OUT: "activity",
    R_ACTIVITY_CANCELLED: "activity",
    R_TRANSITION: "to_state",
    R_STATE_ENTERED: "state",
}
"""Records that edges remember, and which column names what they are about."""


def happened_in(output: Output) -> Happened:
    """What a step records of what can be asked about."""
    return tuple(
        (record.kind, row)
        for record in output.records
        if record.kind in TOLD and (row := getattr(record, TOLD[record.kind])) >= 0
    )


def done_in(output: Output) -> tuple[frozenset[int], frozenset[int]]:
    """Rows of the transitions that a step commits, and of the states that it enters, if only to pass them."""
    committed = [record for record in output.records if record.kind == R_TRANSITION]
    entered = [record.state for record in output.records if record.kind == R_STATE_ENTERED]
    entered += [record.to_state for record in committed if record.to_state >= 0]
    return frozenset(record.transition for record in committed), frozenset(entered)


@dataclass(frozen=True)
class Edge:
    """One thing that can happen in a state, where it leads, and which records of `TOLD` it makes, with their rows."""

    stimulus: Stimulus
    answers: tuple[int, ...]
    target: int
    happened: Happened = ()
