"""Workers, senders, the service and PostgreSQL killed with SIGKILL: nothing is lost, applied twice, or left over."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

import wfsim as wf
from tests.answering import Asked, response
from tests.answering import serving as receiving
from tests.declared import LOCAL
from tests.postgres import Server
from tests.runtime_kill.campaign import campaign
from tests.runtime_kill.campaign_work import ANSWERS, ORDER, PARCEL, PLAN, acknowledged
from tests.runtime_kill.invariants import applied, check_attempts, check_children, check_records
from tests.runtime_kill.killer import KILLS, chosen_seed
from wfsim.history.case import Case
from wfsim.runtime.database import DatabaseError
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine
from wfsim.runtime.permissions import Permissions
from wfsim.runtime.tables import ATTEMPTS, DELIVERIES, DUE, INSTANCES, RECORDS
from wfsim.semantics.records import Record

TIMES = max(2, KILLS // 4)
"""How many are killed in a campaign; with `make test-kills`, 25 over fifty orders."""

NAMES = [f"o-{number}" for number in range(50 if KILLS >= 100 else 6)]
TOLD = ["event_received", "timer_fired", "transition", "instance_closed"]
"""What a webhook is told of."""


def left(engine: Engine) -> dict[str, int]:
    """What is still to be done, by table."""
    queue = "dbos.workflow_status" if not engine.core.database.is_sqlite else "workflow_status"
    asked = {
        "open": sa.select(sa.func.count()).select_from(INSTANCES).where(INSTANCES.c.outcome.is_(None)),
        "due": sa.select(sa.func.count()).select_from(DUE),
        "attempts": sa.select(sa.func.count()).select_from(ATTEMPTS),
        "deliveries": sa.select(sa.func.count()).select_from(DELIVERIES).where(DELIVERIES.c.status != "delivered"),
        "queue": sa.text(f"SELECT count(*) FROM {queue} WHERE status IN ('PENDING', 'ENQUEUED', 'DELAYED')"),
    }
    with engine.core.database.reading() as rows:
        return {name: rows.connection.execute(each).scalar_one() for name, each in asked.items()}


def is_done(engine: Engine) -> bool:
    """Whether nothing is left to be done; not while the database cannot tell."""
    try:
        return not any(left(engine).values())
    except DatabaseError:
        return False


def check(engine: Engine, folder: Path) -> None:
    """Whatever happened, it has happened as if nobody had been killed."""
    report = engine.check()
    assert report, str(report)
    told = acknowledged(folder)
    assert set(told) == {f"{name} {what}" for name in NAMES for what in PLAN}
    assert set(told.values()) <= ANSWERS
    effects = Counter(tuple(line.split()) for line in (folder / "effects").read_text().splitlines())
    expected: set[tuple[str, ...]] = set()
    names = []
    for (number,) in engine.history.sql('SELECT "case" FROM cases ORDER BY "case"').fetchall():
        case = engine.history.case(number)
        records = case.records()
        check_records(records)
        check_attempts(case, records, effects)
        check_children(case, records)
        expected |= {
            (f"{case.external_id}:{each.activity_id}", str(each.attempt))
            for each in records
            if each.kind == "activity_started"
        }
        if "/" not in case.external_id:
            check_order(case, records)
            # So that no child is there of which its order does not know.
            names += [case.external_id, *(child.external_id for child in case.children)]
    # What was done more than once was done under the same key.
    assert set(effects) == expected
    with engine.core.database.reading() as rows:
        assert sorted(rows.connection.execute(sa.select(INSTANCES.c.id)).scalars()) == sorted(names)
        assert set(rows.connection.execute(sa.select(RECORDS.c.instance).distinct()).scalars()) == set(names)


def check_order(case: Case, records: list[Record]) -> None:
    """Each thing that was sent was applied once, and so was all that followed of it."""
    instance = case.replay()
    assert (instance.status, instance.state) == ("completed", "delivered")
    assert (instance.variables["items"], instance.variables["news"]) == (7, 1)
    assert instance.variables["charge"] == f"{case.external_id}:2"
    came = Counter(
        (each.event, each.payload.get("payload", {}).get("item")) for each in applied(records, "event_received")
    )
    once = [("add", 1), ("add", 2), ("add", 4), ("submit", None), ("ship", None), ("made", None)]
    assert came == dict.fromkeys(once, 1)
    assert [each.payload["command"] for each in applied(records, "control_received")] == ["pause", "resume"]
    # To try again, twice, and after having settled and been shipped.
    assert len(applied(records, "timer_fired")) == 4
    assert len(case.children) == 1


def check_told(engine: Engine, asked: list[Asked], secret: str) -> None:
    """Of every record somebody was told, perhaps more than once, but under one id; first times are in order."""
    identities: dict[tuple[str, int], str] = {}
    for each in asked:
        message = wf.verify_webhook(each.body, each.headers, secret)
        place = (message.data["instance"], message.data["seq"])
        assert identities.setdefault(place, message.id) == message.id
    assert len(set(identities.values())) == len(identities)
    with engine.core.database.reading() as rows:
        kept = sa.select(RECORDS.c.instance, RECORDS.c.seq).where(RECORDS.c.kind.in_(TOLD))
        assert set(identities) == {(name, seq) for name, seq in rows.connection.execute(kept)}
    for name in {name for name, _ in identities}:
        seqs = [seq for other, seq in identities if other == name]
        assert seqs == sorted(seqs)


@pytest.mark.parametrize("victims", ["workers", "senders"])
def test_workers_and_senders_lose_nothing_and_repeat_nothing(victims: str, address: str, tmp_path: Path) -> None:
    chosen = random.Random(chosen_seed())
    with open_engine(address, [ORDER, PARCEL]) as engine:
        with campaign(address, tmp_path, NAMES, chosen) as found:
            found.send()
            found.kill(TIMES, found.workers if victims == "workers" else found.senders)
            found.finish(lambda: is_done(engine))
        check(engine, tmp_path)


def test_a_service_loses_nothing_and_repeats_nothing(address: str, tmp_path: Path) -> None:
    chosen = random.Random(chosen_seed())
    permissions = Permissions(networks=LOCAL)
    with receiving(response(204)) as receiver, open_engine(address, [ORDER, PARCEL], permissions=permissions) as engine:
        _, secret = engine.webhooks.add(receiver.url, kinds=TOLD)
        with campaign(address, tmp_path, NAMES, chosen) as found:
            found.serve()
            found.kill(TIMES, found.service)
            found.finish(lambda: is_done(engine))
        check(engine, tmp_path)
        check_told(engine, receiver.asked, secret)


def test_killed_again_and_again_postgresql_loses_nothing(server: Server, tmp_path: Path) -> None:
    chosen = random.Random(chosen_seed())
    address = server.address()
    with open_engine(address, [ORDER, PARCEL]) as engine:
        with campaign(address, tmp_path, NAMES, chosen) as found:
            found.send()
            print(found.kill_database(TIMES, server))
            found.finish(lambda: is_done(engine))
        check(engine, tmp_path)
