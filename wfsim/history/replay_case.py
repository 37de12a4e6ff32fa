"""Replay of one case: feed its causes to `step` again and compare every consequence (M11.2)."""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from wfsim.errors import NotCovered, ReplayError
from wfsim.model.catalogue import Catalogue
from wfsim.model.supplying import Supplied
from wfsim.model.uses import invoked
from wfsim.semantics.codes import N_CAUSES, RECORD_KINDS
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.program import Program
from wfsim.semantics.records import Record, records_of
from wfsim.semantics.stimulus import Stimulus, Unreadable, event_problem
from wfsim.semantics.texts import canonical

from .handles import clean
from .runs import Run, RunWorkflow, workflow_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wfsim.semantics.kernel import Output
    from wfsim.semantics.texts import Texts


CAUSES = frozenset(RECORD_KINDS[:N_CAUSES])
_REFUSED = ("undeclared", "payload")
_FIELDS = tuple(field.name for field in fields(Record))


@lru_cache(maxsize=64)
def _programs(workflows: tuple[RunWorkflow, ...], functions: tuple[Supplied, ...]) -> tuple[Program, ...]:
    family = [workflow_of(one.definition, functions) for one in workflows]
    catalogue = Catalogue(family)
    # A program made without a catalogue has a run to itself, without what it invokes.
    known = all(use.workflow in catalogue for workflow in family for use in invoked(workflow))
    return tuple(compile_workflow(workflow, catalogue if known else None) for workflow in family)


def programs_of(run: Run) -> tuple[Program, ...]:
    """The programs of the workflows stored with a run, by number; each knows its children among them."""
    return _programs(run.workflows, run.functions)


def stimuli_of(run: Run, program: Program, records: Sequence[Record]) -> list[Stimulus]:
    """The stimuli that gave these records, in order."""
    need_full(run)
    return [stimulus_of(program, step) for step in steps_of(records)]


def replay_records(run: Run, program: Program, records: Sequence[Record], instance: Instance | None = None) -> Instance:
    """Replay whole steps of one case; returns the instance after the last one.

    Parameters
    ----------
    instance
        The case as it was before the first of the records, changed in place; without one they begin with `started`.

    Raises
    ------
    ReplayError
        At the first record that differs.
    """
    need_full(run)
    if instance is None:
        instance = instance_of(run, program, records)
    for _ in replayed(instance, records):
        pass
    return instance


def instance_of(run: Run, program: Program, records: Sequence[Record], texts: Texts | None = None) -> Instance:
    """The instance that these records are to be told to, as it was before the first of them.

    Raises
    ------
    ReplayError
        If they do not begin with `started`.
    """
    first = records[0] if records else None
    if first is None or first.kind != "started":
        raise ReplayError(
            f"run {run.run}: the records do not begin with 'started' but with "
            f"{first.kind if first else 'nothing'!r}, so there is nothing to replay from.",
            seq=first.seq if first else None,
        )
    return Instance(program, key=first.payload["seed"], texts=texts)


def replayed(instance: Instance, records: Sequence[Record]) -> Iterator[tuple[Record, Output]]:
    """Tell whole steps to an instance, and compare: of each its cause, and what it put out.

    Raises
    ------
    ReplayError
        At the first record that differs.
    """
    for step in steps_of(records):
        output = instance.apply(stimulus_of(instance.program, step))
        _compare(step, records_of(instance, output))
        yield step[0], output


def need_full(run: Run) -> None:
    """Raise `ReplayError` unless a run kept everything."""
    if run.log != "full":
        raise ReplayError(
            f"run {run.run} of {run.workflow} was logged at level {run.log!r}, which keeps too little for a "
            "replay. Run it again with log='full'."
        )


def steps_of(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Each cause with the records of its step (M11.1)."""
    step: list[Record] = []
    for record in records:
        if record.kind in CAUSES and step:
            yield step
            step = []
        step.append(record)
    if step:
        yield step


def stimulus_of(program: Program, step: Sequence[Record]) -> Stimulus:
    """The stimulus that gave the records of a step."""
    cause = step[0]
    rest = cause.payload
    common: dict[str, Any] = {"time": cause.time}
    match cause.kind:
        case "started":
            return Stimulus(
                "start", payload=_inputs(program, rest.get("input", {})), sender=rest.get("parent"), **common
            )
        case "event_received":
            event, payload = _event(program, step)
            return Stimulus(
                "event",
                event=event,
                payload=payload,
                event_id=cause.event_id,
                sender=rest.get("sender"),
                **common,
            )
        case "timer_fired":
            return Stimulus("timer", timer=rest["place"], timer_id=rest.get("timer_id", -1), **common)
        case "activity_started" | "activity_succeeded" | "activity_failed":
            return Stimulus(
                cause.kind,
                activity_id=-1 if cause.activity_id is None else cause.activity_id,
                attempt=cause.attempt or 0,
                result=rest.get("result"),
                error_type=cause.error_type,
                message=rest.get("message"),
                retry_after=rest.get("delay"),
                worker=rest.get("worker"),
                **common,
            )
        case "child_closed":
            return Stimulus(
                "child_closed",
                activity_id=rest["activation"],
                status=cause.status,
                outcome=cause.outcome,
                payload=rest.get("result", {}),
                **common,
            )
        case "control_received":
            return Stimulus(
                "control",
                command=rest["command"],
                command_id=cause.event_id,
                reason=rest.get("reason"),
                **common,
            )
        case "message_returned":
            return Stimulus("message_returned", message_id=rest["message_id"], reason=rest.get("reason"), **common)
    raise NotCovered(f"record {cause.seq}: a cause of kind {cause.kind} cannot be replayed yet.")


def _inputs(program: Program, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """`started` leaves nulls out: an input without a record was null, even where it has a default."""
    inputs = dict(recorded)
    for name, variable in program.variables.items():
        if variable.input and variable.initial is not None and name not in inputs:
            inputs[name] = None
    return inputs


def _event(program: Program, step: Sequence[Record]) -> tuple[str, Mapping[Any, Any]]:
    """Name and payload of an event; one refused at the door was stored whole, as {event, payload} (M7.1)."""
    cause = step[0]
    recorded = cause.payload.get("payload", {})
    # At the door nothing comes between; a message to itself that is refused stands behind what sent it.
    refused = len(step) > 1 and step[1].kind == "event_rejected" and step[1].payload.get("reason") in _REFUSED
    if cause.event is not None and not refused and event_problem(program, cause.event, recorded) is None:
        return cause.event, recorded
    event, payload = recorded.get("event", cause.event or ""), recorded.get("payload", {})
    if event_problem(program, event, payload) is None:
        # What was wrong with it is told in words: with a value, or with a field's name.
        payload = {Unreadable(name): Unreadable(v) if isinstance(v, str) else v for name, v in payload.items()}
    return event, payload


def _compare(expected: Sequence[Record], got: Sequence[Record]) -> None:
    for k in range(max(len(expected), len(got))):
        was = expected[k] if k < len(expected) else None
        now = got[k] if k < len(got) else None
        if was is None or now is None or _text(was) != _text(now):
            seq = was.seq if was is not None else now.seq if now is not None else None
            raise ReplayError(
                f"record {seq} differs. Expected: {was or 'no record'}. Got: {now or 'no record'}. "
                "The definition, the program or the rows have changed since they were written.",
                seq=seq,
                expected=was,
                got=now,
            )


def _text(record: Record) -> str:
    """One text for each record: `1`, `1.0` and `true` stay different, the order of keys does not count."""
    # Not `asdict`, which copies payloads deeply: that took half of the time of a replay.
    return clean(canonical({name: getattr(record, name) for name in _FIELDS}))
