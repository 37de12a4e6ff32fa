"""What happened to an instance, told to another version of its workflow: what that one makes of it (M15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from wfsim.errors import WfsimError
from wfsim.model.duration import Duration
from wfsim.semantics.instance import Instance
from wfsim.semantics.pending import Timer
from wfsim.semantics.records import Record, records_of
from wfsim.semantics.texts import canonical

from .replay_case import steps_of, stimulus_of

if TYPE_CHECKING:
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.program import Program
    from wfsim.semantics.stimulus import Stimulus

_NUMBERS = frozenset({"transition", "flight", "place", "version", "timer", "timer_id"})
"""Payload of records that counts places in one definition: it may differ where nothing else does."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What happened to an instance under one version; `renamed` leads from states of the one before to its own."""

    program: Program
    records: Sequence[Record]
    renamed: Mapping[str, str]


class Otherwise(Exception):
    """The version would have gone another way: the first record that differs, and how."""

    def __init__(self, seq: int | None, reason: str) -> None:
        super().__init__(reason)
        self.seq = seq
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Retold:
    """The instance that a version has made of what happened, and what each step put out."""

    instance: Instance
    outputs: list[Output]


def beginnings(segments: Sequence[Segment]) -> list[Instance]:
    """The instance as it was before each segment: newly made, then what its version had made of all before.

    Raises
    ------
    Otherwise
        If a version makes something else of it than it did.
    """
    found = [_new(segments[0].program, segments)]
    for k in range(1, len(segments)):
        found.append(retold(segments[:k], segments[k].program, segments[k].renamed, found).instance)
    return found


def retold(
    segments: Sequence[Segment],
    program: Program,
    renamed: Mapping[str, str],
    begun: Sequence[Instance] | None = None,
) -> Retold:
    """Tell another version all that happened.

    Parameters
    ----------
    segments
        The records of the instance, by the versions that it ran.
    renamed
        States of the last of these versions that are called otherwise.
    begun
        `beginnings(segments)`, if they are known.

    Raises
    ------
    Otherwise
        At the first record that differs.
    """
    moved, outputs = _new(program, segments), []
    begun = beginnings(segments) if begun is None else begun
    for k, segment in enumerate(segments):
        names = [each.renamed for each in segments[k + 1 :]] + [renamed]
        twin = begun[k].copy()
        for step in steps_of(segment.records):
            stimulus = stimulus_of(segment.program, step)
            outputs.append(_told_to(step, stimulus, twin, moved, names))
            twin.apply(stimulus)
    return Retold(moved, outputs)


def _new(program: Program, segments: Sequence[Segment]) -> Instance:
    return Instance(program, key=segments[0].records[0].payload["seed"])


def _told_to(
    step: Sequence[Record],
    stimulus: Stimulus,
    twin: Instance,
    moved: Instance,
    names: Sequence[Mapping[str, str]],
) -> Output:
    """Apply a stimulus of the old version to the new one, and compare what comes of it."""
    cause = step[0]
    early = _early_timer(stimulus, twin, moved, names)
    if early:
        raise Otherwise(cause.seq, early)
    try:
        if stimulus.kind == "timer":
            found = _same_timer(stimulus, twin, moved, names)
            if isinstance(found, str):
                raise Otherwise(cause.seq, found)
            stimulus = found
        output = moved.apply(stimulus)
    except WfsimError as error:
        raise Otherwise(cause.seq, str(error)) from None
    got = records_of(moved, output)
    for k in range(max(len(step), len(got))):
        was = called_now(step[k], names) if k < len(step) else None
        now = got[k] if k < len(got) else None
        if was is None or now is None or _by_name(was) != _by_name(now):
            seq = was.seq if was is not None else now.seq if now is not None else None
            raise Otherwise(seq, f"{told(cause)}: {_difference(was, now)}")
    return output


def called_now(record: Record, names: Sequence[Mapping[str, str]]) -> Record:
    """A record with the names that its states have been given since."""
    if not any(names):
        return record
    payload = dict(record.payload)
    if isinstance(source := payload.get("source"), str):
        payload["source"] = _state(source, names)
    if isinstance(written := payload.get("set"), Mapping):
        payload["set"] = {_variable(name, names): value for name, value in written.items()}
    return replace(
        record,
        state=_path(record.state, names),
        to_state=_path(record.to_state, names),
        region=_path(record.region, names),
        payload=payload,
    )


def _state(name: str, names: Sequence[Mapping[str, str]]) -> str:
    for renamed in names:
        name = renamed.get(name, name)
    return name


def _path(path: str | None, names: Sequence[Mapping[str, str]]) -> str | None:
    """States and regions in turn, the outermost state first."""
    if path is None:
        return None
    return "/".join(part if k % 2 else _state(part, names) for k, part in enumerate(path.split("/")))


def _variable(name: str, names: Sequence[Mapping[str, str]]) -> str:
    """Data of a state are called by its path (M13.1)."""
    state, point, field = name.rpartition(".")
    return f"{_path(state, names)}.{field}" if point else name


def _early_timer(stimulus: Stimulus, twin: Instance, moved: Instance, names: Sequence[Mapping[str, str]]) -> str:
    """A timer that would have fired in the new version before this happened, and did not in the old one."""
    dues = {_called(timer, names): timer.due for timer in twin.timers()}
    for timer in moved.timers():
        if timer.due < stimulus.time and dues.get(_called(timer, ())) != timer.due:
            return f"{_timer(timer, moved)} would have fired before"
    return ""


def _timer(timer: Timer, instance: Instance) -> str:
    where = None if timer.region is None else instance.configuration.get(timer.region)
    return f"timer {timer.name}" + (f" in {where}" if where is not None else "")


def _called(timer: Timer, names: Sequence[Mapping[str, str]]) -> tuple[str, str | None, int | None]:
    """What makes a timer the same in two versions."""
    return (timer.name, _path(timer.region, names), timer.activity_id)


def _same_timer(
    stimulus: Stimulus, twin: Instance, moved: Instance, names: Sequence[Mapping[str, str]]
) -> Stimulus | str:
    """The running timer of the same name in the new version: places and serials may be others there."""
    known = {(timer.place, timer.id): timer for timer in twin.timers()}
    timer = known.get((stimulus.timer, stimulus.timer_id))
    if timer is None:
        # It had been dropped: ignored there and here.
        return replace(stimulus, timer=moved.program.head.first_timer, timer_id=-1)
    for other in moved.timers():
        if _called(other, ()) == _called(timer, names):
            if other.due != timer.due:
                later = Duration(other.due - timer.due)
                return f"{_timer(timer, twin)} would be due {later} later"
            return replace(stimulus, timer=other.place, timer_id=other.id)
    return f"{_timer(timer, twin)} fired, which does not run in the new version"


def _by_name(record: Record) -> str:
    fields = asdict(record)
    fields["payload"] = {name: value for name, value in record.payload.items() if name not in _NUMBERS}
    return canonical(fields)


def _difference(was: Record | None, now: Record | None) -> str:
    if was is not None and now is not None and told(was) == told(now):
        before: dict[str, Any] = asdict(was) | dict(was.payload)
        after: dict[str, Any] = asdict(now) | dict(now.payload)
        names = [
            name for name in sorted({*before, *after} - {"payload"} - _NUMBERS) if before.get(name) != after.get(name)
        ]
        return f"{told(was)} differs in {', '.join(names)}"
    return f"was {told(was)}, would be {told(now)}"


def told(record: Record | None) -> str:
    """A record without numbers and values: many cases differ in the same way."""
    if record is None:
        return "nothing"
    names = (record.state, record.to_state, record.event, record.activity, record.error_type, record.status)
    return f"{record.kind}({', '.join(name for name in names if name is not None)})"
