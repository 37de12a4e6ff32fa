"""What is sent to an instance: checked and copied before, its fate told after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wfsim.errors import EventRejected, WfsimError, did_you_mean
from wfsim.model.values import ValueType, brief, check_value, coerce
from wfsim.semantics.codes import REPLY, T_DUPLICATE, T_REJECTED, T_TAKEN
from wfsim.semantics.stimulus import event_problem

from .explain import explain

if TYPE_CHECKING:
    from wfsim.model.values import Value
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output

LONGEST_ID = 200


class Answer(str):
    """What an event's sender is told, as a text; `fate` is what has become of the first event with its id (M7.1).

    The texts are `accepted`, `waiting`, `deferred`, `discarded` and `duplicate`; the fates `taken`, `waiting`,
    `deferred` and `discarded`. One that was rejected has no answer: `EventRejected` is raised, for a duplicate too.

    `state` and `version` are where the instance stood then: the active state of the workflow, and how many records it
    had, for `expected_version`; `None` where there is no instance.
    """

    fate: str
    state: str | None
    version: int | None

    def __new__(cls, text: str, fate: str, state: str | None = None, version: int | None = None) -> Answer:
        answer = super().__new__(cls, text)
        answer.fate, answer.state, answer.version = fate, state, version
        return answer


def answer_to(
    name: str, instance: Instance, output: Output, event: str, payload: Mapping[str, Value], event_id: str
) -> Answer:
    """What became of an event in the step that it caused; EventRejected if it, or the first with its id, was."""
    stands = instance.state, instance.version
    handle = instance.texts.handle(event_id)
    answers = [each for each in output.effects if each.kind == REPLY and each.event_id == handle]
    if not answers:
        return Answer("waiting", "waiting", *stands)
    last = answers[-1]
    fate = instance.texts.text(last.fate) or ""
    if last.fate == T_REJECTED:
        reason = instance.texts.text(last.reason) or ""
        raise EventRejected(_rejection(name, instance, event, payload, event_id, reason), event=event, reason=reason)
    if last.reason == T_DUPLICATE:
        return Answer("duplicate", fate, *stands)
    return Answer("accepted" if last.fate == T_TAKEN else fate, fate, *stands)


def _rejection(
    name: str, instance: Instance, event: str, payload: Mapping[str, Value], event_id: str, reason: str
) -> str:
    program = instance.program
    head = f"{name!r} rejected {brief(event)}"
    if reason == "duplicate":
        return (
            f"{head}: an event with the id {event_id!r} came before and was rejected. Send it under an id of its own."
        )
    problem = event_problem(program, event, payload)
    if problem is not None and reason in ("undeclared", "payload"):
        hint = did_you_mean(event, program.events) if reason == "undeclared" else ""
        return f"{head}: {problem}{hint}"
    if reason == "max_deferred":
        return f"{head}: {program.head.max_deferred} events are deferred already (max_deferred)."
    return f"{head}: {' '.join(explain(instance, event, payload, instance.time).reasons)}"


def payload_copy(payload: Mapping[str, Value] | None, fields: Mapping[str, Value]) -> dict[str, Value]:
    """A copy that nobody changes afterwards; what is not JSON is left for the door to turn away (M7.1)."""
    if payload is not None and not isinstance(payload, Mapping):
        raise WfsimError(
            f"a payload is a mapping from fields to values, not {brief(payload)}. Give fields as keywords, "
            "and an id as event_id=."
        )
    both = {**(payload or {}), **fields}
    for name in both:
        if not isinstance(name, str):
            raise WfsimError(f"the fields of a payload have texts as names, not {brief(name)}.")
    return {name: copied(value) for name, value in both.items()}


def copied(value: Any) -> Any:
    """A copy that nobody changes afterwards; what is not JSON is left as it is."""
    return coerce(ValueType.ANY, value) if check_value(ValueType.ANY, value) is None else value


def named(id: object) -> str:
    """The id of an instance that may be there."""
    if isinstance(id, str):
        return id
    raise WfsimError(f"an instance is named by its id, a text, not {brief(id)}.")


def checked_id(value: object, what: str = "an id") -> str:
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable():
        return value
    raise WfsimError(f"{what} is a text of 1 to {LONGEST_ID} printable characters, not {brief(value)}.")
