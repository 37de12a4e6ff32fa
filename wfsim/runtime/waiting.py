"""Waiting until a run has come somewhere, in threads and on event loops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.errors import WaitTimeout, WfsimError, did_you_mean, listed
from wfsim.model.duration import Duration
from wfsim.model.statuses import STATUSES

if TYPE_CHECKING:
    from concurrent.futures import Future
    from datetime import timedelta

    from .member import Member

Asked: TypeAlias = "str | Callable[[], bool] | None"
Timeout: TypeAlias = "Duration | timedelta | str | int | float | None"

# Waiting goes in slices, so that a keyboard interrupt is noticed everywhere.
SLICE = 1.0


def result_of(future: Future[Any]) -> Any:
    """The future's result, or its error; an interrupt leaves what was sent on its way."""
    while True:
        try:
            return future.result(SLICE)
        except TimeoutError:
            if future.done():
                return future.result()


def wait(member: Member, asked: Asked, timeout: Timeout) -> str:
    """Block until `asked` holds; see `Run.wait`."""
    holds = _condition(member, asked)
    end = _end(timeout)
    while True:
        changes = member.changes
        if _has_come(member, holds, asked):
            return member.view.state
        left = _left(member, asked, timeout, end)
        # The condition is asked outside the lock: it may send something.
        with member.news:
            if member.changes == changes:
                member.news.wait(SLICE if left is None else min(left, SLICE))


async def wait_async(member: Member, asked: Asked, timeout: Timeout) -> str:
    """The same on an event loop."""
    holds = _condition(member, asked)
    end = _end(timeout)
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    over = False

    def watcher() -> bool:
        if not over and not loop.is_closed():
            loop.call_soon_threadsafe(news.set)
        return over

    member.watch(watcher)
    try:
        while True:
            news.clear()
            if _has_come(member, holds, asked):
                return member.view.state
            left = _left(member, asked, timeout, end)
            try:
                await asyncio.wait_for(news.wait(), left)
            except TimeoutError:
                continue
    finally:
        over = True


def _condition(member: Member, asked: Asked) -> Callable[[], bool]:
    if asked is None:
        return lambda: member.view.is_closed
    if callable(asked):
        return asked
    states = member.program.state_rows
    if asked in states or asked in STATUSES[1:]:
        return lambda: asked in (*member.view.configuration.values(), member.view.status)
    if asked == "idle":
        return lambda: member.is_idle
    known = [*states, *STATUSES[1:], "idle"]
    raise WfsimError(
        f"{asked!r} is neither a state of {member.program.workflow.name} nor a status."
        f"{did_you_mean(str(asked), known)} States: {listed(states)}. Statuses: {', '.join(STATUSES[1:])}. Or: idle."
    )


def _has_come(member: Member, holds: Callable[[], bool], asked: Asked) -> bool:
    if holds():
        return True
    member.raise_if_stopped()
    # A function may ask for anything, also for what still comes after closing.
    if member.view.is_closed and not callable(asked):
        raise WaitTimeout(_stands(member, asked, "and cannot any more"))
    return False


def _end(timeout: Timeout) -> float | None:
    return None if timeout is None else time.monotonic() + int(Duration.of(timeout)) / 1e6


def _left(member: Member, asked: Asked, timeout: Timeout, end: float | None) -> float | None:
    left = None if end is None else end - time.monotonic()
    if left is not None and left <= 0:
        raise WaitTimeout(_stands(member, asked, f"within {Duration.of(timeout)}"))
    return left


def _stands(member: Member, asked: Asked, how: str) -> str:
    """Where the run is, for an error of waiting."""
    view = member.view
    wanted = f"come to {asked!r}" if isinstance(asked, str) else "close" if asked is None else "come to what was asked"
    parts = [f"{member.name!r} did not {wanted} {how}: it is {view.status} in {view.state!r}, version {view.version}."]
    if view.activities:
        shown = listed(f"{work.activity} (attempt {work.attempt}, {work.phase})" for work in view.activities)
        parts.append(f"Open activities: {shown}.")
    if view.children:
        parts.append(f"Open children: {listed(f'{member.child_id(one.activation)!r}' for one in view.children)}.")
    if view.due:
        left = max(view.due[0].due - member.clock.now(), 0)
        parts.append(f"Next timer: {view.due[0].name!r} in {Duration(left).about()}.")
    if view.waiting:
        parts.append(f"Events that wait: {listed(view.waiting)}.")
    if isinstance(asked, str) and asked in member.program.state_rows:
        parts.append(f"Ask run.why_not({asked!r}).")
    return " ".join(parts)
