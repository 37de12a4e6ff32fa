"""How the places of a workflow's net are called.

Places of a state `s`: `s` itself; `s!source`, where an error of that source is about to be offered; `s^source`, where
one waits because the state's region is busy (`no s^source`: none does); and for its activity `s.scheduled.1`,
`s.running.1`, `s.backoff.2`, …, `s.succeeded`, `s.failed`, `s.ended`. A parallel state has `s.joining`, then
`s.succeeded` and `s.ended` once its regions have been joined, or `s.failed` and `s.unjoined` once they cannot be any
more. A child is in `s.child`, or in a net of its own. Of a list, `s.left.2` says how many items have not ended, and
each open one has a token in `s.item.scheduled.1` and so on.

A transition that waits has the like under `t3.pre1.` (third in the file, first pre-action; `t3.pre1.undoing` between
two compensators). `log f in s` says that activity `f`, run in state `s`, may have to be undone, `no log f in s` that it
has not; `tried` and `undoing` belong to compensation under way. `pool p` holds free workers. States of inner regions
and of nested children are called by their path: `fulfil/pick/packed`, `ship/shipping/on_the_way`. All endings lead into
`final`. Should a state be called `start` or `final`, that place is `the start` or `the end`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

MOST_ATTEMPTS = 8
"""Attempts told apart; later ones share the places of the last (the net then allows any number)."""

START, FINAL = "start", "final"
FAILED, TIMED_OUT, CANCELLED = "closed as failed", "closed as timed_out", "closed as cancelled"
CLOSINGS = (FAILED, TIMED_OUT, CANCELLED)
CANCELLING = "cancelling"
LOG = "log"
"""What the places of the log stand for."""

Tokens: TypeAlias = dict[str, int]
When: TypeAlias = Literal["pre", "post"]
"""Whether an action stands before or after the commit."""


def attempt_place(prefix: str, phase: str, attempt: int) -> str:
    """Where an attempt is `scheduled`, `running` or waits in `backoff`."""
    return f"{prefix}.{phase}.{min(attempt, MOST_ATTEMPTS)}"


def action_prefix(transition: int, when: When, action: int) -> str:
    """What the places of an activity that an action runs begin with; both are counted from 0."""
    return f"t{transition + 1}.{when}{action + 1}"


def undo_prefix(action: str, entry: str) -> str:
    """What the places of a compensator begin with, by the action that runs it and the entry that it undoes."""
    return f"{action}.undo {entry}"


def undoing_place(action: str) -> str:
    """Where a transition lies before a compensator of an action, and between two."""
    return f"{action}.undoing"


def further_place(action: str) -> str:
    """Where it lies between two, if it matters whether one has run in this compensation."""
    return f"{action}.further.undoing"


def pool_place(pool: str) -> str:
    """Where the free workers of a pool lie."""
    return f"pool {pool}"


def total(*tokens: Tokens) -> Tokens:
    """All these tokens together."""
    found: Tokens = {}
    for each in tokens:
        for place, weight in each.items():
            found[place] = found.get(place, 0) + weight
    return found


def free_name(wanted: str, otherwise: str, taken: Iterable[str]) -> str:
    """The name wanted, unless a state bears it."""
    return otherwise if wanted in taken else wanted
