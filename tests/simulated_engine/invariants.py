"""What must hold whenever something is stored, and what must have happened in the end."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.simulated_engine.actors import Notes
from tests.simulated_engine.store import Store, Transaction
from tests.simulated_engine.world import Violated
from wfsim.errors import ReplayError
from wfsim.history.replay_case import replayed
from wfsim.model.statuses import OPEN
from wfsim.runtime.places import place_of
from wfsim.runtime.programs import Families, Family
from wfsim.runtime.rows import InstanceRow
from wfsim.runtime.searching import searched
from wfsim.semantics.image import from_image
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import Record

_families = Families()
_WAITING: dict[str, tuple[str, ...]] = {
    "site": ("building",),
    "part": ("waiting",),
    "look": (),
    "kitchen": ("waiting", "served"),
    "guest": (),
}
"""Where an open instance may be when nothing goes on by itself any more; guests have timeouts."""
ENDS = ("activity_succeeded", "activity_failed", "activity_cancelled", "attempt_timed_out")


def family_of(transaction: Transaction, row: InstanceRow) -> Family:
    """The programs of an instance."""
    texts = [transaction.get("definition", each)[2] for each in transaction.get("family", row.family)]
    return _families.get(row.family, lambda code: texts)


def watch(store: Store, transaction: Transaction) -> None:
    """Look at all instances that are about to be stored: records, image, timers and attempts agree."""
    for name, row in transaction.changed["instance"].items():
        records = sorted(
            (each for each in transaction.changed["record"].values() if each[0] == name), key=lambda each: each[1].seq
        )
        stored = store.tables["instance"].rows.get(name)
        before = 0 if stored is None else stored.version
        if [each.seq for _, each in records] != list(range(before + 1, row.version + 1)):
            got = [each.seq for _, each in records]
            raise Violated(f"{name} has {before} records, is {row.version}, and gets {got}")
        times = [each.time for _, each in records]
        if times != sorted(times) or (stored is not None and times and times[0] < stored.time):
            raise Violated(f"time goes back in {name}")
        program = family_of(transaction, row).programs[row.member]
        instance = from_image(program, json.loads(row.image), {}, ())
        if (instance.version, instance.status, instance.state) != (row.version, row.status, row.state):
            raise Violated(f"the image of {name} is that of another version")
        found = dict(transaction.get("found", key)[1:] for key in transaction.of("found", name))
        if found != searched(instance):
            raise Violated(f"{name} is found by {found}, and has {searched(instance)}")
        for _, record in records:
            if record.kind == "activity_failed" and record.error_type == "Timeout.heartbeat":
                _was_missed(store, name, record)
        if row.open_key is not None and transaction.of("due", place_of(row.workflow, row.open_key)):
            _nothing_is_kept(transaction, row)
        _compare_timers(transaction, name, instance)
        _compare_attempts(transaction, name, instance)
    for key in transaction.changed["due"]:
        entry = transaction.get("due", key)
        if entry is None:
            continue
        if entry.kind == "timer" and transaction.get("instance", entry.target) is None:
            raise Violated(f"a timer of {entry.target}, which is not there")
        if entry.kind == "kept" and "\n" in entry.target:
            for name in transaction.of("instance", tuple(entry.target.split("\n"))):
                _nothing_is_kept(transaction, transaction.get("instance", name))


def _nothing_is_kept(transaction: Transaction, row: InstanceRow) -> None:
    """What was sent to a key belongs to whoever has it (M7.3)."""
    place = place_of(row.workflow, row.open_key or "")
    kept = [each for each in transaction.of("due", place) if transaction.get("due", each).kind == "kept"]
    if kept:
        raise Violated(f"{row.id} has the key {row.open_key}, for which a message is kept all the same")


def _was_missed(store: Store, name: str, record: Record) -> None:
    """A heartbeat is missing once it is late, and not before."""
    row = store.tables["attempt"].rows[name, record.activity_id]
    if row.beat_by is None or row.beat_by > record.time:
        raise Violated(f"{name}: the next heartbeat of activity {record.activity_id} was due later, at {row.beat_by}")


def _compare_timers(transaction: Transaction, name: str, instance: Instance) -> None:
    expected = set() if instance.is_closed else {(each.place, each.id, each.due) for each in instance.timers()}
    rows = [transaction.get("due", key) for key in transaction.of("due", name)]
    found = [(row.place, row.serial, row.due) for row in rows if row.kind == "timer"]
    if len(found) != len(set(found)) or set(found) != expected:
        raise Violated(f"{name} has the timers {sorted(found)}, and runs {sorted(expected)}")


def _compare_attempts(transaction: Transaction, name: str, instance: Instance) -> None:
    works = {} if instance.is_closed else {each.activity_id: each for each in instance.activities()}
    rows = {key[1]: transaction.get("attempt", key) for key in transaction.of("attempt", name)}
    if set(rows) != set(works):
        raise Violated(f"{name} has rows of the activities {sorted(rows)}, and runs {sorted(works)}")
    for serial, row in rows.items():
        if row.attempt != works[serial].attempt:
            raise Violated(f"{name}: activity {serial} is at attempt {works[serial].attempt}, its row at {row.attempt}")


def settled(store: Store) -> bool:
    """Whether nothing happens by itself any more: nothing is due ever, and no attempt is open."""
    return not store.tables["due"].rows and not store.tables["attempt"].rows


def examine(store: Store, notes: Notes) -> None:
    """All of it, when everything has come to rest."""
    transaction = Transaction(store)
    records: dict[str, list[Record]] = {}
    for name, record in store.all("record"):
        records.setdefault(name, []).append(record)
    for name, row in store.tables["instance"].rows.items():
        own = sorted(records[name], key=lambda each: each.seq)
        _replays(transaction, row, own)
        _once(name, own)
        if row.status in OPEN:
            _is_waiting(row)
    for name in notes.started:
        if name not in records:
            raise Violated(f"{name} was started, and is not there")
    for (name, identity), answer in notes.acknowledged.items():
        seen = store.tables["seen"].rows.get((name, "event", identity))
        came = [each for each in records[name] if each.event_id == identity]
        if seen is None and not came:
            raise Violated(f"{identity} was acknowledged as {answer} by {name}, and never came")
    _messages(store, records)
    _children(store, records)


def _replays(transaction: Transaction, row: InstanceRow, records: list[Record]) -> None:
    program = family_of(transaction, row).programs[row.member]
    instance = Instance(program, key=records[0].payload["seed"])
    try:
        for _ in replayed(instance, records):
            pass
    except ReplayError as error:
        raise Violated(f"{row.id} does not replay: {error}") from None
    if (instance.version, instance.status, instance.state) != (row.version, row.status, row.state):
        raise Violated(f"{row.id} is {row.state}, and its records lead to {instance.state}")


def _once(name: str, records: list[Record]) -> None:
    """No event, command, start of an attempt or end of one is there twice; what came too late says so itself."""
    ignored = {each.seq - 1 for each in records if each.kind == "stimulus_ignored"}
    records = [each for each in records if each.seq not in ignored]
    for what, keys in {
        "event": [each.event_id for each in records if each.kind == "event_received" and each.event_id],
        "command": [each.event_id for each in records if each.kind == "control_received" and each.event_id],
        "start of an attempt": [
            (each.activity_id, each.attempt) for each in records if each.kind == "activity_started"
        ],
        "end of an attempt": [(each.activity_id, each.attempt) for each in records if each.kind in ENDS],
        "end of a child": [each.payload["activation"] for each in records if each.kind == "child_closed"],
    }.items():
        for key, n in Counter[Any](keys).items():
            if n > 1:
                raise Violated(f"{name}: the {what} {key} is there {n} times")


def _is_waiting(row: InstanceRow) -> None:
    """Nothing but an event from outside, or the end of a child that waits for one, can be missing."""
    if row.state not in _WAITING[row.workflow]:
        raise Violated(f"{row.id} has come to rest in {row.state}")


def _messages(store: Store, records: dict[str, list[Record]]) -> None:
    """Each message that was sent came or waits once, or came back; what was turned away came, and came back."""
    came = Counter(
        each.event_id
        for own in records.values()
        for each in own
        if each.kind == "event_received" and each.event_id and ":m" in each.event_id
    )
    waiting = Counter(
        f"{row.body['sender']}:m{row.body['number']}"
        for row in store.all("due")
        if row.kind in ("letter", "route", "kept")
    )
    for name, own in records.items():
        back = Counter(each.payload["message_id"] for each in own if each.kind == "message_returned")
        for each in own:
            if each.kind != "message_sent":
                continue
            number = each.payload["message_id"]
            identity = f"{name}:m{number}"
            if each.payload.get("to") == "self":
                continue
            n = came[identity] + waiting[identity]
            is_closed = store.tables["instance"].rows[name].status not in OPEN
            if n > 1 or back[number] > 1 or (n == 0 and back[number] == 0 and not is_closed):
                raise Violated(
                    f"the message {identity} came {came[identity]} times, waits {waiting[identity]} times, "
                    f"and came back {back[number]} times"
                )


def _children(store: Store, records: dict[str, list[Record]]) -> None:
    """Each child that was started is there; a parent that is open knows of each that has closed."""
    rows = store.tables["instance"].rows
    for name, own in records.items():
        begun = {each.payload["activation"] for each in own if each.kind == "child_started"}
        told = {each.payload["activation"] for each in own if each.kind == "child_closed"}
        for activation in begun:
            child = rows.get(f"{name}/{activation}")
            if child is None and rows[name].status in OPEN and activation not in told:
                raise Violated(f"{name} started the child {activation}, which is not there")
            if child is not None and child.status not in OPEN and rows[name].status in OPEN and activation not in told:
                raise Violated(f"{name} does not know that its child {activation} has closed")
