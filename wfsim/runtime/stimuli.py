"""What reaches an instance from outside: a start, an event, a command, news of an attempt; each is one transaction."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wfsim.errors import ConflictError, EventRejected, InstanceExists, StartRefused, WfsimError, did_you_mean
from wfsim.model.values import ValueType, brief, check_value
from wfsim.semantics.codes import COMMANDS
from wfsim.semantics.draws import mix_key

from .executor import failed_outside, succeeded
from .groups import HIGHEST
from .happening import work_off
from .sending import Answer, answer_to, checked_id, named
from .texts import written
from .turn import Origin, was_ignored

if TYPE_CHECKING:
    from wfsim.model.values import Value

    from .core import Core
    from .executor import Report
    from .held import Held
    from .programs import Family
    from .rows import InstanceRow, Key, Rows


def begin(
    core: Core,
    family: Family,
    input: Mapping[str, Value] | None,
    *,
    id: str | None,
    seed: int | None,
    metadata: Mapping[str, Value] | None = None,
    priority: int = 0,
) -> InstanceRow:
    """Store a new instance of a family's first workflow, published or not; see `AnyEngine.start`."""
    given = {} if input is None else input
    if not isinstance(given, Mapping):
        raise StartRefused(f"input is a mapping from variables to values, not {type(given).__name__}.")
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > HIGHEST:
        raise StartRefused(f"priority is a whole number from -{HIGHEST:,} to {HIGHEST:,}, not {brief(priority)}.")
    name = None if id is None else checked_id(id)
    key = secrets.randbits(62) if seed is None else mix_key(_checked_seed(seed), 0, 0)
    told = _checked_metadata(metadata)
    workflow = family.programs[0].workflow.name
    while True:
        with contextlib.suppress(_NumberTaken), core.turn() as turn:
            chosen = name or free_name(turn.rows, workflow, core.numbers.get(workflow, 0))
            held = turn.start(chosen, family, 0, given, Origin(key, priority=priority), told)
            if held is None:
                raise _taken(name)
            if name is None:
                core.numbers[workflow] = int(chosen.rpartition("-")[2])
            return held.row


class _NumberTaken(Exception):
    """Somebody else was given the same number, a moment before."""


def _taken(name: str | None) -> Exception:
    if name is None:
        return _NumberTaken()
    return InstanceExists(
        f"there is an instance {name!r} already. Look at it with engine.get({name!r}), go on with it by "
        f"wf.reopen(store, {name!r}), or choose another id."
    )


def send(
    core: Core,
    id: str,
    event: str,
    payload: Mapping[str, Value],
    *,
    event_id: str | None = None,
    metadata: Mapping[str, Value] | None = None,
    expected_version: int | None = None,
) -> Answer:
    """Send an event to an instance; see `AnyEngine.send`."""
    named(id)
    if not isinstance(event, str):
        raise WfsimError(f"an event is sent by its name, a text, not {brief(event)}.")
    checked = None if event_id is None else checked_id(event_id, "an event id")
    told = _checked_metadata(metadata)
    answer: Answer | EventRejected
    with core.turn() as turn:
        # What fell due before comes before.
        work_off(turn, id, turn.now - 1)
        held = turn.hold(id)
        if held is None:
            raise core.no_instance(turn.rows, id)
        # What came before is told as it was then, whatever version was expected.
        if expected_version is not None and (checked is None or turn.rows.fate(id, "event", checked) is None):
            _check_version(held, expected_version)
        # An id of its own tells this event's fate from those of others set free in the same step.
        sent_as = checked or f"{id}:event:{held.instance.version + 1}"
        output = turn.event(held, event, payload, sent_as, metadata=told, is_new=checked is None)
        try:
            answer = answer_to(id, held.instance, output, event, payload, sent_as)
        except EventRejected as rejected:
            # It is stored that it came and was rejected.
            answer = rejected
    if isinstance(answer, EventRejected):
        raise answer
    return answer


def control(
    core: Core,
    id: str,
    command: str,
    reason: str | None = None,
    *,
    command_id: str | None = None,
    metadata: Mapping[str, Value] | None = None,
    expected_version: int | None = None,
) -> Answer:
    """Give a command to an instance; see `AnyEngine.control`."""
    named(id)
    if command not in COMMANDS:
        raise WfsimError(
            f"{command!r} is not a command.{did_you_mean(str(command), COMMANDS)} Commands: {', '.join(COMMANDS)}."
        )
    if reason is not None and not isinstance(reason, str):
        raise WfsimError(f"the reason of a command is a text, not {brief(reason)}.")
    checked = None if command_id is None else checked_id(command_id, "a command id")
    told = _checked_metadata(metadata)
    with core.turn() as turn:
        work_off(turn, id, turn.now - 1)
        held = turn.hold(id)
        if held is None:
            raise core.no_instance(turn.rows, id)
        first = None if checked is None else turn.rows.fate(id, "command", checked)
        if first is None:
            _check_version(held, expected_version)
        output = turn.control(held, command, checked, reason, metadata=told)
    stands = held.instance.state, held.instance.version
    if first is not None:
        return Answer("duplicate", "ignored" if first else "accepted", *stands)
    found = "ignored" if was_ignored(output) else "accepted"
    return Answer(found, found, *stands)


# --- activities that are completed from outside -----------------------------------------------------


def complete(core: Core, correlation_id: str, result: Value) -> str:
    """An attempt has succeeded; see `AnyEngine.complete`."""
    problem = check_value(ValueType.ANY, result)
    if problem is not None:
        raise WfsimError(f"the result of an activity is JSON: {problem}.")
    return _reported(core, succeeded(attempt_key(correlation_id), result))


def fail(core: Core, correlation_id: str, error_type: str, message: str | None, retry_after: float | None) -> str:
    """An attempt has failed; see `AnyEngine.fail`."""
    return _reported(core, failed_outside(attempt_key(correlation_id), error_type, message, retry_after))


def heartbeat(core: Core, correlation_id: str, detail: Value) -> bool:
    """The work on an attempt goes on; see `AnyEngine.heartbeat`."""
    problem = check_value(ValueType.ANY, detail)
    if problem is not None:
        raise WfsimError(f"what a heartbeat says is JSON: {problem}.")
    return core.beat_outside(attempt_key(correlation_id), detail)


def _reported(core: Core, report: Report) -> str:
    told = core.report(report)
    if told is None:
        with core.database.reading() as rows:
            raise core.no_instance(rows, report.key[0])
    return told


def attempt_key(correlation_id: object) -> Key:
    """Instance, serial and attempt; the id of an instance may have colons of its own."""
    parts = correlation_id.rsplit(":", 2) if isinstance(correlation_id, str) else []
    if len(parts) != 3 or not all(each.isascii() and each.isdigit() and len(each) < 10 for each in parts[1:]):
        raise WfsimError(
            f"{brief(correlation_id)} names no attempt. Give what context.correlation_id was in the activity: "
            "<instance>:<activity>:<attempt>."
        )
    return parts[0], int(parts[1]), int(parts[2])


# --- what is given along with them ------------------------------------------------------------------


def free_name(rows: Rows, workflow: str, last: int) -> str:
    """`<workflow>-<number>`, one that is free after the last one given here.

    By doubling and halving, so that it costs a few looks where others have given a million.
    """
    step = 1
    while rows.read(f"{workflow}-{last + step}") is not None:
        last, step = last + step, 2 * step
    free = last + step
    while free - last > 1:
        middle = (last + free) // 2
        last, free = (last, middle) if rows.read(f"{workflow}-{middle}") is None else (middle, free)
    return f"{workflow}-{free}"


def _checked_metadata(metadata: Mapping[str, Value] | None) -> str | None:
    if metadata is None:
        return None
    problem = check_value(ValueType.ANY, dict(metadata)) if isinstance(metadata, Mapping) else "it is no mapping"
    if problem is not None:
        raise WfsimError(f"metadata is a mapping from names to JSON values: {problem}.")
    return written(dict(metadata))


def _checked_seed(seed: object) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise WfsimError(f"a seed is a whole number from 0 to 2^63 - 1, not {brief(seed)}.")
    return seed


def _check_version(held: Held, expected: int | None) -> None:
    if expected is not None and (isinstance(expected, bool) or not isinstance(expected, int)):
        raise WfsimError(f"expected_version is how many records the instance has, not {brief(expected)}.")
    if expected is not None and held.row.version != expected:
        raise ConflictError(
            f"{held.name!r} has version {held.row.version}, and {expected} was expected. Look at it again.",
            expected=expected,
            stored=held.row.version,
        )
