"""Groups of workers: each pool of activities has a queue of its own, with limits that hold for all workers.

What a definition says of an activity as its `pool` (M5.1) is the group whose workers carry it out; those without one
belong to the group `default`. Limits lie in the database, beside the queue, and workers read them at each look: a
change needs no restart.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import DefinitionError, EngineError
from wfsim.model.duration import Duration
from wfsim.model.uses import declared_activities
from wfsim.model.values import brief

if TYPE_CHECKING:
    from dbos import Queue as DBOSQueue

    from wfsim.model.workflow import Workflow

DEFAULT = "default"
_QUEUE = "wfsim-activities"

MOST_AT_ONCE = 1_000
"""Attempts that a process can be at; threads for so many may be made."""

FIRST_WORKER_CONCURRENCY = 100

HIGHEST = 1_000
"""Priorities go from here down to its negative."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How fast the attempts of a group are handed out.

    Attributes
    ----------
    worker_concurrency
        At most so many run at once in each worker.
    concurrency
        At most so many run at once in all workers together; `None`: no limit. 0 holds the queue: what runs goes on, and
        nothing more is begun until there is another limit, or none.
    rate
        At most so many start within any so many seconds, `(10, 60.0)`; `None`: no limit.
    """

    worker_concurrency: int = FIRST_WORKER_CONCURRENCY
    concurrency: int | None = None
    rate: tuple[int, float] | None = None

    def __post_init__(self) -> None:
        for name, value in (("worker_concurrency", self.worker_concurrency), ("concurrency", self.concurrency)):
            if value is None and name == "concurrency":
                continue
            least = int(name != "concurrency")
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_AT_ONCE:
                raise EngineError(f"{name} is {brief(value)}. Give a whole number from {least} to {MOST_AT_ONCE:,}.")
        if self.concurrency and self.worker_concurrency > self.concurrency:
            # More than all together one worker cannot have.
            object.__setattr__(self, "worker_concurrency", self.concurrency)
        if self.rate is not None and not _is_rate(self.rate):
            raise EngineError(
                f"rate is {brief(self.rate)}. Give how many may start within how many seconds: (10, 60.0)."
            )

    def __str__(self) -> str:
        if self.concurrency == 0:
            return "held: nothing is begun"
        told = [f"{self.worker_concurrency:,} at once in each worker"]
        if self.concurrency is not None:
            told.append(f"{self.concurrency:,} at once in all")
        if self.rate is not None:
            told.append(f"{self.rate[0]:,} starts in {Duration.of(self.rate[1])}")
        return ", ".join(told)


def _is_rate(given: object) -> bool:
    if not (isinstance(given, tuple) and len(given) == 2):
        return False
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in given):
        return False
    return bool(given[0] >= 1 and given[0] == int(given[0]) and 0 < given[1] < math.inf)


def pools_of(workflows: Iterable[Workflow]) -> list[str]:
    """The groups whose workers carry out activities of these workflows."""
    pools = (activity.pool for each in workflows for activity in declared_activities(each).values())
    return list(dict.fromkeys(pool or DEFAULT for pool in pools))


def checked_groups(groups: Iterable[str]) -> list[str]:
    """Names of groups, each once; none for who leaves attempts to others.

    Raises
    ------
    EngineError
        If one is no name.
    """
    if not isinstance(groups, str | Iterable):
        raise EngineError(f"groups are pools of activities, ['packers'], not {brief(groups)}.")
    found = list(dict.fromkeys([groups] if isinstance(groups, str) else groups))
    for each in found:
        if not isinstance(each, str) or not each.strip():
            raise EngineError(f"{brief(each)} is no group of workers. Give the pool of activities, or {DEFAULT!r}.")
    return found


def queue_of(group: str | None) -> str:
    """The queue of a group or pool."""
    return _QUEUE if group in (None, DEFAULT) else f"{_QUEUE}.{group}"


def group_of(name: str) -> str:
    """The group of the queue of this name."""
    return DEFAULT if name == _QUEUE else name.removeprefix(f"{_QUEUE}.")


def limits_of(queue: DBOSQueue) -> QueueLimits:
    """What is stored of a queue; of one that is held not how many a worker had before."""
    rate = queue.limiter
    return QueueLimits(
        queue.worker_concurrency or (FIRST_WORKER_CONCURRENCY if queue.global_concurrency == 0 else MOST_AT_ONCE),
        queue.global_concurrency,
        None if rate is None else (rate["limit"], rate["period"]),
    )


def set_limits(queue: DBOSQueue, limits: QueueLimits) -> None:
    """Store limits; they hold from the next look of each worker on."""
    each = 0 if limits.concurrency == 0 else limits.worker_concurrency
    # DBOS lets neither contradict the other at any time, and at no time may there be more than before or after.
    if limits.concurrency is None or (queue.worker_concurrency or 0) <= limits.concurrency:
        queue.set_global_concurrency(limits.concurrency)
        queue.set_worker_concurrency(each)
    else:
        queue.set_worker_concurrency(each)
        queue.set_global_concurrency(limits.concurrency)
    rate = limits.rate
    queue.set_limiter(None if rate is None else {"limit": rate[0], "period": rate[1]})


def number_of(text: str) -> int:
    """A number of attempts, written.

    Raises
    ------
    EngineError
        If it is none.
    """
    if not text.isdecimal():
        raise EngineError(f"{text!r} is no number of attempts. Write a whole number, or none.")
    return int(text)


def rate_of(text: str) -> tuple[int, float]:
    """`10/1m` as number and seconds.

    Raises
    ------
    EngineError
        If it is written otherwise.
    """
    found = re.fullmatch(r"(\d+)/(.+)", text)
    with contextlib.suppress(DefinitionError):
        if found is not None and int(found[1]) >= 1 and (period := Duration.of(found[2])) > 0:
            return int(found[1]), period / 1e6
    raise EngineError(f"{text!r} is no rate. Write how many may start within what time, as 10/1m.")
