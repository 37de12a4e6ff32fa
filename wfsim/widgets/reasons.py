"""Whether something can happen to an instance now, and the reason in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wfsim.semantics.chances import (
    Choice,
    Worth,
    can_be_retried,
    choices,
    considered,
    elsewhere,
    held,
    held_event,
    leaving,
    stopped,
    untaken,
)

if TYPE_CHECKING:
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.pending import Timer


class Chance(NamedTuple):
    """Whether it can happen, and why, why not, or what it would do."""

    possible: bool
    reason: str


def not_running(instance: Instance) -> str | None:
    """Why nothing at all is dispatched now (M1.4, M8.1), or `None`."""
    why = stopped(instance)
    if why is None:
        return None
    hint = "; resume it first." if instance.status == "paused" else "."
    return f"the instance {why}{hint}" + (" Retry opens it again." if can_be_retried(instance) else "")


def event_chance(instance: Instance, event: str) -> Chance:
    """Whether an event would be taken now, for some payload (M2.3)."""
    stands = not_running(instance)
    if stands is not None:
        return Chance(False, stands)
    waits = held_event(instance, event)
    if waits is not None:
        return Chance(False, f"{waits}.")
    found = choices(instance, event, None)
    takes = [_told(instance, choice) for choice in found if choice.worth is not Worth.FALSE]
    if takes:
        return Chance(True, "; ".join(takes) + ".")
    why = "; ".join(choice.reason for choice in found) or elsewhere(instance, event)
    fate = untaken(instance, event)
    if fate == "deferred":
        return Chance(True, f"Would be deferred: {why}.")
    return Chance(False, f"{why}. It would be {fate}.")


def timer_chance(instance: Instance, timer: Timer) -> Chance:
    """Whether a running timer can fire now, and what that would do (M6.2)."""
    program = instance.program
    stands = not_running(instance)
    # While an instance is cancelling, its compensators go on.
    goes_on = timer.activity_id is not None and instance.status == "cancelling"
    if stands is not None and timer.name != "workflow" and not goes_on:
        return Chance(False, stands)
    if timer.activity_id is not None:
        if timer.name == "retry":
            return Chance(True, "Starts the next attempt.")
        return Chance(True, f"The attempt fails with Timeout.{timer.name}.")
    if timer.region is None:
        event, region, nothing = "workflow_timeout", program.head.root, "ends the instance as timed out (M8.3)"
    else:
        event, region = ("timeout" if timer.name == "timeout" else "after"), program.region_rows[timer.region]
        nothing = "raises Timeout.state (M6.2)" if event == "timeout" else "has no effect"
        waits = held(instance, region)
        if waits is not None:
            return Chance(False, f"{waits}.")
    which = timer.place - program.rows[region].first_timer
    on_it = [
        at
        for at in leaving(instance, region)
        if program.rows[at].event == program.event_rows[event] and (event != "after" or program.rows[at].timer == which)
    ]
    found = considered(instance, on_it, {})
    if found and found[-1].ends:
        return Chance(True, f"{_told(instance, found[-1])}.")
    return Chance(True, f"No transition takes it: it {', since '.join([nothing, *(each.reason for each in found)])}.")


def _told(instance: Instance, choice: Choice) -> str:
    takes = f"Takes '{instance.program.name(choice.transition)}'"
    if choice.worth is Worth.RAISES:
        return f"Raises an error (M2.5): {choice.reason}"
    return f"{takes} if {choice.reason}" if choice.worth is Worth.DEPENDS else takes
