"""Why an event cannot be taken now, or a state not be reached: in sentences, with the values that decide."""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from wfsim.errors import WfsimError, did_you_mean, listed
from wfsim.model.evaluate import evaluate
from wfsim.model.expression_tree import Bool, Expression, Whole, names
from wfsim.model.expressions import parse_condition, to_text
from wfsim.model.values import EvaluationFault, Value
from wfsim.semantics.codes import ACTIVE, GROUNDED, R_ERROR_RAISED, R_TRANSITION, R_TRANSITION_STARTED
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import EventRow, RegionCell, RegionRow, StateRow, TransitionRow
from wfsim.semantics.stimulus import event_problem

if TYPE_CHECKING:
    from wfsim.semantics.program import Program

# What a condition is worth now.
HOLDS, FALSE, RAISES, DEPENDS = "holds", "false", "raises", "depends"


@dataclass(frozen=True)
class Explanation:
    """Why something can or cannot happen now.

    Attributes
    ----------
    name
        The event or state asked for.
    possible
        For an event: whether it would be taken now (for some payload, where that decides and none was given).
        For a state: whether it is active, or one stimulus that may come now leads there.
    reasons
        Sentences.
    """

    name: str
    possible: bool
    reasons: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        head = f"{self.name!r} {'can' if self.possible else 'cannot'} happen now:"
        return "\n".join([head, *(f"- {reason}" for reason in self.reasons)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *_ = str(self).splitlines()
        items = "".join(f"<li>{html.escape(reason)}</li>" for reason in self.reasons)
        return f"<p>{html.escape(head)}</p><ul>{items}</ul>"


def explain(instance: Instance, name: str, payload: Mapping[str, Value] | None, now: int) -> Explanation:
    """Explain an event or a state; a name that is both is explained as both, and possible as the event is.

    Payload `None` means: not known yet.

    Raises
    ------
    WfsimError
        If it is neither, with the nearest names.
    """
    program = instance.program
    is_event, is_state = name in program.events, name in program.state_rows
    if not is_event and not is_state:
        known = [*program.events, *program.state_rows]
        raise WfsimError(
            f"{name!r} is neither an event nor a state of {program.workflow.name}.{did_you_mean(name, known)} "
            f"Events: {listed(program.events) or 'none'}. States: {listed(program.state_rows)}."
        )
    if is_event and is_state:
        event, state = explain_event(instance, name, payload), _explain_state(instance, name, now)
        reasons = [f"As an event: {reason}" for reason in event.reasons]
        reasons.extend(f"As a state: {reason}" for reason in state.reasons)
        return Explanation(name, event.possible, reasons)
    return explain_event(instance, name, payload) if is_event else _explain_state(instance, name, now)


# --- events --------------------------------------------------------------------------------------


def explain_event(instance: Instance, event: str, payload: Mapping[str, Value] | None) -> Explanation:
    """Why a declared event can or cannot be taken; `step` itself decides where the payload is known."""
    program = instance.program
    if instance.is_closed:
        return Explanation(event, False, [_closed(instance)])
    reasons = []
    if instance.status == "paused":
        reasons.append("The run is paused: the event would wait until resume().")
    row: EventRow = program.rows[program.event_rows[event]]
    regions = [program.rows[at].region for at in range(row.first_listener, row.end_listener)]
    active = [region for region in regions if _cell(instance, region).phase == ACTIVE]
    may_be = depends = False
    for region in active:
        if _cell(instance, region).flight_phase != GROUNDED:
            reasons.append(_busy(instance, region) + " The event would wait for that.")
            continue
        verdict, sentences = _choices(instance, region, event, payload)
        may_be = may_be or verdict in (HOLDS, DEPENDS)
        depends = depends or verdict == DEPENDS
        reasons.extend(sentences)
    if not any(_transitions(instance, region, event) for region in active):
        reasons.append(_elsewhere(instance, event))
    problem = event_problem(program, event, payload or {})
    if problem is not None and payload is not None:
        return Explanation(event, False, [f"As it is given, it is turned away: {problem}", *reasons])
    if problem is not None or depends:
        if problem is not None:
            reasons.append(f"With its payload it has to bring {_fields(program, event)}.")
        return Explanation(event, may_be and instance.status == "running", reasons)
    possible, error = _would_be_taken(instance, event, payload or {})
    if error is not None:
        reasons.append(error)
    elif not possible and not reasons:
        reasons.append("An earlier event waits for a busy region, and this one would wait behind it.")
    return Explanation(event, possible, reasons)


def _would_be_taken(instance: Instance, event: str, payload: Mapping[str, Value]) -> tuple[bool, str | None]:
    """Let `step` happen to a copy; the error it raises at once, if any."""
    twin = instance.copy()
    output = twin.event(instance.time, event, payload)
    cause = output.records[0].seq
    row = instance.program.event_rows[event]
    taken = any(
        record.kind in (R_TRANSITION, R_TRANSITION_STARTED) and record.event == row and record.cause == cause
        for record in output.records
    )
    raised = [record for record in output.records if record.kind == R_ERROR_RAISED and record.cause == cause]
    if taken or not raised:
        return taken, None
    return False, f"The event would raise the error {twin.texts.text(raised[0].error_type)}."


def _choices(instance: Instance, region: int, event: str, payload: Mapping[str, Value] | None) -> tuple[str, list[str]]:
    """M2.3 in one idle region: what the first condition that is not false is worth, and sentences."""
    sentences = []
    for transition in _transitions(instance, region, event):
        name = instance.program.name(transition)
        verdict, why = _condition(instance, transition, payload)
        sentences.append(
            {
                HOLDS: f"Transition '{name}' would be taken{why}.",
                DEPENDS: f"Transition '{name}' is taken if its condition holds for the payload: {why}.",
                RAISES: f"Transition '{name}' is not taken: its condition {why}. That raises `error` (M2.5).",
                FALSE: f"Transition '{name}' is not taken: its condition {why}.",
            }[verdict]
        )
        if verdict != FALSE:
            return verdict, sentences
    return FALSE, sentences


def _condition(instance: Instance, transition: int, payload: Mapping[str, Value] | None) -> tuple[str, str]:
    """What the condition of a transition is worth now, with the values it reads."""
    text = instance.program.transitions[transition].condition
    if text is None:
        return HOLDS, ""
    condition = parse_condition(text)
    if payload is None and any(name.scope == "event" for name in names(condition)):
        return DEPENDS, f"`{text}`"
    try:
        holds = _value(instance, condition, payload)
    except EvaluationFault as fault:
        return RAISES, f"`{text}` raises {fault}{_values(instance, condition, payload)}"
    if holds:
        return HOLDS, f", since `{text}` holds{_values(instance, condition, payload)}"
    decisive = condition
    if isinstance(condition, Bool) and condition.operator == "and":
        decisive = next(part for part in condition.operands if not _value(instance, part, payload))
    because = "" if decisive is condition else f", since `{to_text(decisive)}` does not hold"
    return FALSE, f"`{text}` is false{because}{_values(instance, decisive, payload)}"


def _value(instance: Instance, expression: Expression, payload: Mapping[str, Value] | None) -> Any:
    return evaluate(expression, instance.variables, payload, instance.state)


def _values(instance: Instance, expression: Expression, payload: Mapping[str, Value] | None) -> str:
    """` (context.attempts = 3, event.n = null)`."""
    shown = []
    for name in names(expression):
        if isinstance(name, Whole):
            continue
        owner = instance.variables if name.scope == "context" else payload or {}
        value = owner.get(name.field)
        shown.append(f"{name.scope}.{name.field} = {'null' if value is None else repr(value)[:80]}")
    return f" ({', '.join(shown)})" if shown else ""


def _transitions(instance: Instance, region: int, event: str) -> list[int]:
    """Transitions on the event that leave the region's active state, in file order."""
    return [
        at for at in _leaving(instance, region) if instance.program.rows[at].event == instance.program.event_rows[event]
    ]


def _leaving(instance: Instance, region: int) -> range:
    state: StateRow = instance.program.rows[_cell(instance, region).state]
    return range(state.first_transition, state.end_transition)


def _elsewhere(instance: Instance, event: str) -> str:
    """No transition leaves the active state on this event: where would it be taken?"""
    program = instance.program
    taken_in = dict.fromkeys(
        program.name(program.rows[at].source) or ""
        for at, transition in program.transitions.items()
        if transition.event == event
    )
    here = " and ".join(repr(state) for state in instance.configuration.values())
    policy = (program.events[event].unhandled or program.workflow.unhandled).value
    taken = f"It is taken in: {listed(map(repr, taken_in))}." if taken_in else "No transition is on it."
    return f"No transition leaves {here} on {event!r}, and such an event is to be: {policy}. {taken}"


def _fields(program: Program, event: str) -> str:
    needed = [f"{name} ({kind.type})" for name, kind in program.events[event].payload.items() if not kind.optional]
    return listed(needed)


# --- states --------------------------------------------------------------------------------------


def _explain_state(instance: Instance, name: str, now: int) -> Explanation:
    program = instance.program
    target = program.state_rows[name]
    region: int = program.rows[target].region
    cell = _cell(instance, region)
    if cell.phase == ACTIVE and cell.state == target and not instance.is_closed:
        return Explanation(name, True, ["It is the active state."])
    if instance.is_closed:
        return Explanation(name, False, [_closed(instance)])
    if cell.phase != ACTIVE:
        row: RegionRow = program.rows[region]
        outer = program.name(row.parent_state) or ""
        over = "has ended" if cell.phase else "is not active"
        above = _explain_state(instance, outer, now)
        reasons = [f"It lies in a region of {outer!r} that {over}."]
        reasons.extend(f"{outer!r}: {reason}" for reason in above.reasons)
        return Explanation(name, False, reasons)
    reasons = []
    possible = False
    if instance.status == "paused":
        reasons.append("The run is paused: nothing moves until resume().")
    if cell.flight_phase != GROUNDED:
        reasons.append(_busy(instance, region))
        possible = program.rows[cell.flight].target == target
        return Explanation(name, possible and instance.status == "running", reasons)
    direct = [at for at in _leaving(instance, region) if program.rows[at].target == target]
    for at in direct:
        ready, sentence = _trigger(instance, region, at, now)
        possible = possible or ready
        reasons.append(sentence)
    if not direct:
        reasons.append(_way(instance, cell.state, target))
    return Explanation(name, possible and instance.status == "running", reasons)


def _trigger(instance: Instance, region: int, at: int, now: int) -> tuple[bool, str]:
    """Whether the transition's trigger may come now, and a sentence about it."""
    program = instance.program
    row: TransitionRow = program.rows[at]
    transition = program.transitions[at]
    name = program.name(at)
    # Only timers and automatic transitions bring no payload.
    payload: Mapping[str, Value] | None = None if transition.event not in (None, "timeout") else {}
    verdict, why = _condition(instance, at, payload)
    if verdict in (FALSE, RAISES):
        return False, f"Transition '{name}' leads there, but its condition {why}."
    rest = f", if `{transition.condition}` holds for the payload" if verdict == DEPENDS else ""
    event = transition.event
    if event in program.events:
        before = [other for other in _transitions(instance, region, event) if other < at]
        for other in before:
            if _condition(instance, other, payload)[0] in (HOLDS, RAISES):
                return False, f"Transition '{name}' leads there, but '{program.name(other)}' comes before it."
        return True, f"Transition '{name}' leads there: send {event!r}{rest}."
    if transition.after is not None or event == "timeout":
        place = program.rows[region].first_timer + (row.timer if transition.after is not None else 0)
        due = [timer.due for timer in instance.timers() if timer.place == place]
        when = f"due in {_span(due[0] - now)}" if due else "not running"
        return bool(due), f"Transition '{name}' leads there: its timer is {when}."
    if event is not None and (event == "done" or event.startswith("error")):
        working = [work for work in instance.activities() if work.region == (program.name(region) or "")]
        if not working:
            return False, f"Transition '{name}' leads there, but nothing runs in this state that could raise {event!r}."
        outcome = "succeeds" if event == "done" else "fails"
        stands = _attempt(instance, working[0].activity_id)
        return True, f"Transition '{name}' leads there, once {working[0].activity!r} {outcome} ({stands})."
    if event is None:
        return False, f"Transition '{name}' leads there by itself{why}."
    return True, f"Transition '{name}' leads there: {_ASK[event]}."


_ASK = {"cancel_requested": "ask by cancel()", "workflow_timeout": "it waits for the timeout of the workflow"}


def _way(instance: Instance, source: int, target: int) -> str:
    """The shortest way from the active state, conditions aside."""
    program = instance.program
    came: dict[int, int] = {}
    waiting = deque([source])
    while waiting:
        state = waiting.popleft()
        row: StateRow = program.rows[state]
        for at in range(row.first_transition, row.end_transition):
            following: int = program.rows[at].target
            if following >= 0 and following != source and following not in came:
                came[following] = at
                waiting.append(following)
    here, there = program.name(source), program.name(target)
    if target not in came:
        return f"No sequence of transitions leads from {here!r} to {there!r}, whatever the conditions."
    steps = []
    at_state = target
    while at_state != source:
        steps.append(came[at_state])
        at_state = program.rows[came[at_state]].source
    shown = "; ".join(f"{program.name(at)}" for at in reversed(steps))
    return f"No transition leads from {here!r} straight to {there!r}. The shortest way has {len(steps)}: {shown}."


# --- parts ---------------------------------------------------------------------------------------


def _cell(instance: Instance, region: int) -> RegionCell:
    cell: RegionCell = instance.m[instance.program.rows[region].slot]
    return cell


def _busy(instance: Instance, region: int) -> str:
    """M2.2: which transition is on its way, and what it waits for."""
    program = instance.program
    name = program.name(_cell(instance, region).flight)
    work = instance.m[program.rows[region].flight_work]
    what = program.name(work.activity)
    where = f"Region {program.name(region)!r}" if program.name(region) else "The workflow"
    return f"{where} is busy: transition '{name}' waits for activity {what!r} ({_attempt(instance, work.serial)})."


def _attempt(instance: Instance, serial: int) -> str:
    for work in instance.activities():
        if work.activity_id == serial:
            phase = {"backoff": "waiting to be tried again", "scheduled": "not started yet"}.get(work.phase, work.phase)
            return f"attempt {work.attempt}, {phase}"
    return "ending"


def _closed(instance: Instance) -> str:
    outcome = f" with {instance.outcome}" if instance.outcome else ""
    again = " retry() opens it again." if instance.status in ("failed", "timed_out") else ""
    status = instance.status.replace("_", " ")
    return f"The run is {status}{outcome} in {instance.state!r}: nothing is taken any more.{again}"


def _span(length: int) -> str:
    return str(timedelta(seconds=max(round(length / 1e6), 0)))
