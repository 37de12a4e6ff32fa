"""M2.6 in the net: where a chain of automatic transitions may get too long."""

from __future__ import annotations

from .actions import outcomes, tells_itself
from .log import Log
from .views import NumberedTransition, StateView, WorkflowView


def states_on_circles(view: WorkflowView, log: Log) -> set[StateView]:
    """States on a circle of automatic transitions, of answers to `done`, `error` and what the instance tells itself.

    Such a transition may also end in an `error` of its own state, before its commit: that too leads back. Between the
    levels: entering a state enters the regions inside, and their errors and ends lead to the state around.
    """
    told = {
        each.sends.event for each in view.workflow.operations() if each.sends is not None and tells_itself(each.sends)
    }
    follows: dict[StateView, set[StateView]] = {at: set() for at in view.states}
    for each in view.transitions:
        if not _goes_by_itself(each, told):
            continue
        at = each.origin
        if each.transition.to is not None:
            follows[at] |= {each.target, *_entered(each.target)}
        elif each.trigger in ("automatic", *told):
            follows[at].add(at)
        if each.condition_raises or any(outcome.kind == "error" for outcome in outcomes(view, log, each, "pre")):
            follows[at].add(at)
        above = at.above
        if above is not None:
            follows[at].add(above)
            if any(_keeps(view, log, other) for other in above.leaving if other.trigger.split(".")[0] == "error"):
                # The state around goes on after the error, and so does this one.
                follows[above].add(at)
    reach = {at: set(targets) for at, targets in follows.items()}
    changed = True
    while changed:
        changed = False
        for at in reach:
            more = {far for near in reach[at] for far in reach[near]} - reach[at]
            if more:
                reach[at] |= more
                changed = True
    return {at for at in reach if at in reach[at]}


def _goes_by_itself(each: NumberedTransition, told: set[str]) -> bool:
    return each.trigger in ("automatic", "done", *told) or each.trigger.split(".")[0] == "error"


def _keeps(view: WorkflowView, log: Log, each: NumberedTransition) -> bool:
    """Whether it can leave its state active within the same step."""
    fails = any(outcome.kind == "error" for outcome in outcomes(view, log, each, "pre"))
    return each.transition.to is None or each.condition_raises or fails


def _entered(at: StateView) -> set[StateView]:
    """States entered with a state: the first ones of the regions inside."""
    found: set[StateView] = set()
    for region in at.inner:
        found |= {region.initial, *_entered(region.initial)}
    return found
