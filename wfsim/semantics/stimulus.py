"""What reaches an instance from outside, and what is checked at the door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wfsim.errors import StartRefused, WfsimError
from wfsim.model.evaluate import evaluate, fit
from wfsim.model.shapes import ANYTHING, misfit
from wfsim.model.values import EvaluationFault, Value, ValueType, brief, check_value

from .codes import NONE
from .program import Program

STIMULI = (
    "start",
    "event",
    "timer",
    "activity_started",
    "activity_succeeded",
    "activity_failed",
    "child_closed",
    "control",
    "message_returned",
)


LONGEST_WAIT = 3_200_000_000_000_000
"""The longest wait, in microseconds: a hundred years."""


@dataclass(frozen=True, slots=True)
class Stimulus:
    """Something that reaches an instance from outside (the table "Stimuli and effects").

    Parameters
    ----------
    kind
        `start`, `event`, `timer`, `activity_started`, `activity_succeeded`, `activity_failed`, `child_closed`,
        `control` or `message_returned`.
    time
        Microseconds; an earlier one than the instance's last is read as the last.
    event, payload, event_id, sender
        Of an event, or of a start: its inputs, and its parent. Events with an id seen before are recorded and ignored.
    timer, timer_id
        Which timer is due: its place in the instance, and the id under which it was set.
    activity_id, attempt, result, error_type, message, retry_after
        Of an executor's report; `retry_after` is the wait before the next attempt that the error asks for (M5.1).
    activity_id, status, outcome, payload
        Of `child_closed`: the activation that started the child, how it ended, and its output variables.
    command, command_id, reason
        Of a control: `pause`, `resume`, `cancel`, `terminate`, `retry`.
    message_id, reason
        Of `message_returned`: the number under which it was sent.
    """

    kind: str
    time: int = 0
    event: str | None = None
    payload: Mapping[str, Value] = field(default_factory=dict)
    event_id: str | None = None
    sender: str | None = None
    timer: int = NONE
    timer_id: int = NONE
    activity_id: int = NONE
    attempt: int = 1
    result: Value = None
    error_type: str | None = None
    message: str | None = None
    retry_after: int | None = None
    worker: str | None = None
    command: str | None = None
    command_id: str | None = None
    reason: str | None = None
    status: str | None = None
    outcome: str | None = None
    message_id: int = NONE


def event_problem(program: Program, event: str, payload: Mapping[str, Value]) -> str | None:
    """Why an event is rejected at the door (M7.1), or `None` if it may come in."""
    declared = program.events.get(event)
    if declared is None:
        return f"event {brief(event)} is not declared. Events: {', '.join(program.events) or 'none'}."
    for name, value in payload.items():
        kind = declared.payload.get(name)
        if kind is None and check_value(ValueType.STRING, name) is not None:
            return f"event {event!r} has a field that is not called by a text: {brief(name)}."
        if kind is None and declared.payload:
            return f"event {event!r} has no field {name!r}. Fields: {', '.join(declared.payload)}."
        reason = misfit(kind.shape if kind else ANYTHING, value) if value is not None or kind is None else None
        if reason is not None:
            return f"field {name!r} of event {event!r}: {reason}"
    for name, kind in declared.payload.items():
        if not kind.optional and payload.get(name) is None:
            return f"event {event!r} lacks the field {name!r} ({kind.shape})."
    return None


def checked_inputs(program: Program, inputs: Mapping[str, Value]) -> dict[str, Value]:
    """Inputs fitted to their variables; M7.2: with bad input, start is refused."""
    accepted = program.inputs
    fitted: dict[str, Value] = {}
    for name, value in inputs.items():
        if name not in accepted:
            raise StartRefused(
                f"{program.workflow.name} has no input {name!r}. Inputs: {', '.join(accepted) or 'none'}."
            )
        try:
            fitted[name] = fit(accepted[name], value)
        except EvaluationFault as fault:
            raise StartRefused(f"input {name!r} of {program.workflow.name}: {fault.message}") from None
    for name, variable in accepted.items():
        if fitted.get(name) is None and variable.initial is None and not variable.optional:
            raise StartRefused(
                f"{program.workflow.name} needs the input {name!r} ({variable.shape}). Give it, or declare it optional."
            )
    return fitted


def correlation_key(program: Program, inputs: Mapping[str, Value]) -> Value:
    """M7.2: the key of an instance with these inputs; null where the workflow declares none.

    Raises
    ------
    StartRefused
        If it is null, a list or an object, or its expression raises.
    """
    correlation = program.workflow.correlation
    if correlation is None:
        return None
    context = {name: inputs.get(name, variable.initial) for name, variable in program.variables.items()}
    what = f"the key of {program.workflow.name}, {correlation.key}"
    try:
        key = evaluate(correlation.key_tree, context, None, "", functions=program.functions)
    except EvaluationFault as fault:
        raise StartRefused(f"{what}, cannot be computed: {fault.message}") from None
    if key is None or isinstance(key, (list, dict)):
        raise StartRefused(f"{what}, is {key!r:.80}: nobody could find the instance by it. Give it text or a number.")
    return key


def child_error(status: str) -> str:
    """M4.4: the error of a child that closed with this status, unless it was a success."""
    return f"Child.{'failure' if status == 'completed' else status}"


def refused_payload(event: str, payload: Mapping[str, Any]) -> Value:
    """What is recorded of an event that was refused at the door: its name and payload as far as they are JSON."""
    return {"event": _kept(event), "payload": {_name(name): _kept(value) for name, value in payload.items()}}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What a refused payload held that was not JSON, by the words that were recorded of it: to be refused again."""

    words: str


def _kept(value: Any) -> Value:
    """The value, or a few words on one that is not JSON: writing it out could take for ever, or fail."""
    if isinstance(value, Unreadable):
        return value.words
    if check_value(ValueType.ANY, value) is None:
        return value
    if isinstance(value, (str, int, float, list, tuple, Mapping)):
        return brief(value, 200)
    return f"a value of type {type(value).__name__}"


def _name(name: Any) -> str:
    kept = _kept(name)
    return kept if isinstance(kept, str) else str(kept)


def checked_text(text: str, what: str) -> str:
    """A text from outside, as it is; WfsimError if it could not be recorded."""
    if isinstance(text, str) and len(text) < 1_000 and text.isascii():
        # Nearly all are, and this is asked for every report of a simulation.
        return text
    problem = check_value(ValueType.STRING, text)
    if problem is not None:
        raise WfsimError(f"{what} cannot be recorded: {problem}. Give a text.")
    return text


def checked_wait(retry_after: int) -> int:
    """The wait that an error asks for, in microseconds; WfsimError if it is none."""
    if type(retry_after) is not int or not 0 <= retry_after <= LONGEST_WAIT:
        raise WfsimError(
            f"retry_after is {brief(retry_after)}. Give microseconds from 0 to {LONGEST_WAIT:,}, a hundred years."
        )
    return retry_after


def checked_result(value: Value, what: str) -> Value:
    """A value from outside, as it is; WfsimError if it is not JSON within the limits."""
    problem = check_value(ValueType.ANY, value)
    if problem is not None:
        raise WfsimError(f"{what} cannot be kept: {problem}.")
    return value
