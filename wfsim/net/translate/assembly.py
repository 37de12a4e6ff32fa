"""The net of a workflow, put together from its parts."""

from __future__ import annotations

from collections.abc import Mapping

from wfsim.errors import NetError, did_you_mean
from wfsim.model.uses import declared_activities
from wfsim.model.workflow import Workflow

from ..petri import PetriNet
from .activities import Activities
from .draft import NetDraft
from .endings import add_waiting_errors
from .flat import FlatWorkflow
from .flights import Flights
from .place_names import CLOSINGS, FINAL, START, free_name, pool_place
from .state_tokens import StateTokens
from .states import add_states


def to_net(workflow: Workflow, *, instances: int = 1, pools: Mapping[str, int] | None = None) -> PetriNet:
    """The workflow net of a workflow.

    Parameters
    ----------
    instances
        How many instances start: tokens in `start`. They are alike, so they are not told apart.
    pools
        Workers of each pool that activities name; an activity whose pool is left out never waits for a worker.

    Returns
    -------
    PetriNet
        Initial marking: `instances` tokens in `start`, and the workers in their pools. Final marking: all
        instances in `final`, all workers back. Node sources name states and transitions of the workflow.

    Raises
    ------
    NotCovered
        For constructs that have no translation yet.
    NetError
        For an unknown pool, or a number of instances below 1.

    Notes
    -----
    The operator's `pause`, `terminate` and `retry` are left out. So are `cancel` and the workflow timer in
    states without a transition on them: they close any instance, and would hide every dead end.
    """
    if instances < 1:
        raise NetError(f"instances={instances} is not a number of instances. Give 1 or more.")
    known = [activity.pool for activity in declared_activities(workflow).values() if activity.pool]
    for name, capacity in (pools or {}).items():
        if name not in known:
            listed = ", ".join(dict.fromkeys(known)) or "none; give activities the key 'pool'"
            raise NetError(
                f"no activity of {workflow.name!r} names the pool {name!r}. Pools: {listed}.{did_you_mean(name, known)}"
            )
        if capacity < 1:
            raise NetError(f"pool {name!r} has {capacity} workers. Give 1 or more.")
    return _assembled(FlatWorkflow(workflow), dict(pools or {}), instances)


def _assembled(flat: FlatWorkflow, pools: dict[str, int], instances: int) -> PetriNet:
    draft = NetDraft(free_name(START, "the start", flat.states), free_name(FINAL, "the end", flat.states))
    activities = Activities(flat, draft, frozenset(pools))
    tokens = StateTokens(flat, draft, activities)
    workers = {pool_place(pool): capacity for pool, capacity in pools.items()}
    draft.place(draft.start, START)
    for name in flat.states:
        draft.place(name, f"state {name}")
    for place in (*workers, *CLOSINGS):
        draft.place(place, place)
    draft.place(draft.final, FINAL)
    for control, work in tokens.arrivals(flat.states[flat.workflow.initial_state]):
        draft.fire("start", START, {draft.start: 1}, {control: 1} | work)
    for state in flat.states.values():
        tokens.add_work(state)
    flights = Flights(flat, draft, activities, tokens)
    add_states(flights)
    add_waiting_errors(flights)
    _show_dead(flat, draft)
    for closing in CLOSINGS:
        draft.fire(f"over: {closing}", closing, {closing: 1}, {draft.final: 1})
    draft.prune([draft.start, *workers])
    return draft.finished(flat.workflow.name, instances, workers)


def _show_dead(flat: FlatWorkflow, draft: NetDraft) -> None:
    """Show workflow transitions that nothing can set off as dead net transitions, fed by a place without tokens.

    They leave a terminal state (M3.7), stand behind one that is always taken first (M2.3), or wait for
    something that never happens in their state.
    """
    shown = set(draft.transitions.values())
    for each in flat.transitions:
        if each.source not in shown:
            state = each.transition.from_
            never = draft.place(f"never in {state}", each.source)
            draft.fire(each.label, each.source, {state: 1, never: 1}, {each.target: 1})
