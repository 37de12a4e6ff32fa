"""How the places of a workflow's net are called.

Places of a state `s`: `s` itself; `s!source`, where an error of that source is about to be offered; and for its
activity `s.scheduled.1`, `s.running.1`, `s.backoff.2`, …, `s.succeeded`, `s.failed`, `s.ended`. A transition that
waits has the like under `t3.pre1.` (third in the file, first pre-action). `pool p` holds free workers. All
endings lead into `final`. Should a state be called `start` or `final`, that place is `the start` or `the end`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

MOST_ATTEMPTS = 8
"""Attempts told apart; later ones share the places of the last (the net then allows any number)."""

START, FINAL = "start", "final"
FAILED, TIMED_OUT, CANCELLED = "closed as failed", "closed as timed_out", "closed as cancelled"
CLOSINGS = (FAILED, TIMED_OUT, CANCELLED)

Tokens: TypeAlias = dict[str, int]
When: TypeAlias = Literal["pre", "post"]
"""Whether an action stands before or after the commit."""


def attempt_place(prefix: str, phase: str, attempt: int) -> str:
    """Where an attempt is `scheduled`, `running` or waits in `backoff`."""
    return f"{prefix}.{phase}.{min(attempt, MOST_ATTEMPTS)}"


def action_prefix(transition: int, when: When, action: int) -> str:
    """What the places of an activity that an action runs begin with; both are counted from 0."""
    return f"t{transition + 1}.{when}{action + 1}"


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
