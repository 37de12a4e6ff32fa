"""Why an event cannot be taken now, or a state not be reached: in sentences, with the values that decide."""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wfsim.errors import WfsimError, did_you_mean, listed
from wfsim.model.duration import UNITS, time_text
from wfsim.model.values import Value
from wfsim.semantics import chances
from wfsim.semantics.chances import Choice, Worth
from wfsim.semantics.codes import ACTIVE, R_ERROR_RAISED, R_TRANSITION, R_TRANSITION_STARTED
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import RegionRow, StateRow, TransitionRow
from wfsim.semantics.stimulus import event_problem

if TYPE_CHECKING:
    from wfsim.semantics.program import Program


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
    over = _over(instance)
    if over is not None:
        return Explanation(event, False, [over])
    reasons = []
    if instance.status == "paused":
        reasons.append(f"The run {chances.stopped(instance)}: the event would wait until resume().")
    choices: list[Choice] = []
    held = chances.held_event(instance, event)
    if held is not None:
        reasons.append(f"{_sentence(held)} The event would wait for that.")
    else:
        choices = chances.choices(instance, event, payload)
        reasons.extend(_told(instance, choice) for choice in choices)
        if not choices:
            reasons.append(
                f"{_sentence(chances.elsewhere(instance, event))} Untaken, it is {chances.untaken(instance, event)}."
            )
    problem = event_problem(program, event, payload or {})
    if problem is not None and payload is not None:
        return Explanation(event, False, [f"As it is given, it is turned away: {problem}", *reasons])
    depends = any(choice.worth is Worth.DEPENDS for choice in choices)
    if problem is not None or depends:
        if problem is not None:
            reasons.append(f"With its payload it has to bring {_fields(program, event)}.")
        may_be = depends or any(choice.worth is Worth.HOLDS for choice in choices)
        return Explanation(event, may_be and instance.status == "running", reasons)
    possible, error = _would_be_taken(instance, event, payload or {})
    if error is not None:
        reasons.append(error)
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


def _told(instance: Instance, choice: Choice) -> str:
    transition = f"Transition '{instance.program.name(choice.transition)}'"
    match choice.worth:
        case Worth.HOLDS:
            return f"{transition} would be taken{f', since its {choice.reason}' if choice.reason else ''}."
        case Worth.DEPENDS:
            return f"{transition} is taken if {choice.reason}."
        case Worth.RAISES:
            return f"{transition} is not taken: its {choice.reason}. That raises `error` (M2.5)."
        case Worth.FALSE:
            return f"{transition} is not taken: its {choice.reason}."


def _fields(program: Program, event: str) -> str:
    needed = [f"{name} ({kind.type})" for name, kind in program.events[event].payload.items() if not kind.optional]
    return listed(needed)


# --- states --------------------------------------------------------------------------------------


def _explain_state(instance: Instance, name: str, now: int) -> Explanation:
    program = instance.program
    target = program.state_rows[name]
    region: int = program.rows[target].region
    cell = chances.region_cell(instance, region)
    over = _over(instance)
    if over is not None:
        return Explanation(name, False, [over])
    if cell.phase == ACTIVE and cell.state == target:
        return Explanation(name, True, ["It is the active state."])
    if cell.phase != ACTIVE:
        row: RegionRow = program.rows[region]
        outer = program.name(row.parent_state) or ""
        stands = "has ended" if cell.phase else "is not active"
        above = _explain_state(instance, outer, now)
        reasons = [f"It lies in a region of {outer!r} that {stands}."]
        reasons.extend(f"{outer!r}: {reason}" for reason in above.reasons)
        return Explanation(name, False, reasons)
    reasons = []
    possible = False
    if instance.status == "paused":
        reasons.append(f"The run {chances.stopped(instance)}: nothing moves until resume().")
    busy = chances.busy(instance, region)
    if busy is not None:
        reasons.append(_sentence(busy))
        possible = program.rows[cell.flight].target == target
        return Explanation(name, possible and instance.status == "running", reasons)
    direct = [at for at in chances.leaving(instance, region) if program.rows[at].target == target]
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
    event = transition.event
    leads = f"Transition '{program.name(at)}' leads there"
    # Only timers and automatic transitions bring no payload.
    payload: Mapping[str, Value] | None = None if event not in (None, "timeout") else {}
    judged = chances.judge(instance, at, payload)
    if judged.worth in (Worth.FALSE, Worth.RAISES):
        return False, f"{leads}, but its {judged.reason}."
    if event in program.events:
        first = chances.considered(instance, chances.leaving_on(instance, region, event), payload)[-1].transition
        if first < at:
            return False, f"{leads}, but '{program.name(first)}' comes before it."
        return True, f"{leads}: send {event!r}{f', if {judged.reason}' if judged.worth is Worth.DEPENDS else ''}."
    if transition.timed or event == "timeout":
        place = program.rows[region].first_timer + (row.timer if transition.timed else 0)
        still = chances.not_due(instance, place)
        if still is not None:
            return False, f"{leads}: its timer is not running: {still}."
        return True, f"{leads}: its timer is due in {_left(instance.m[place].due - now)}."
    if event is not None and (event == "done" or event.startswith("error")):
        ends = chances.ends_of_work(instance, region, "done" if event == "done" else "error")
        if ends is None:
            return False, f"{leads}, but nothing runs in this state that could raise {event!r}."
        return True, f"{leads}, {ends}."
    if event is None:
        return False, f"{leads} by itself{f', since its {judged.reason}' if judged.reason else ''}."
    return True, f"{leads}: {_ASK[event]}."


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


def _over(instance: Instance) -> str | None:
    """Why the run takes nothing any more, if so."""
    if not instance.is_closed and instance.status != "cancelling":
        return None
    again = " retry() opens it again." if chances.can_be_retried(instance) else ""
    return f"The run {chances.stopped(instance)}. Nothing is taken any more.{again}"


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."


def _left(time: int) -> str:
    """To the second: nobody waits for less."""
    return time_text(max(round(time / UNITS["s"]), 0) * UNITS["s"])
