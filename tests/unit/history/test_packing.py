"""Fields of records that share a column in the file."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import wfsim as wf
from wfsim.history import batch, schema, writer
from wfsim.history.importing import records
from wfsim.history.packing import DELAY, DELAYED, SHARED, among, field_of, pack
from wfsim.history.tracker import track_rows
from wfsim.semantics.codes import NONE, RECORD_KINDS
from wfsim.semantics.layout import RecordRow

MODELS = sorted(Path("models").glob("*.scenario.yaml"))


def test_a_field_shares_one_column_at_most() -> None:
    fields = [field for shared in SHARED for field in shared.fields]
    assert len(fields) == len(set(fields))
    named = {name.strip('"') for name, _ in schema.RECORD_COLUMNS}
    assert set(fields) <= named
    stored = {name.strip('"') for name, _ in schema.STORED_COLUMNS}
    assert stored == named - {*fields, DELAY} | {shared.name for shared in SHARED}


def test_a_field_of_some_kinds_is_that_of_any() -> None:
    """What is known of the kinds of some records spares work, and nothing else."""
    kind = np.arange(len(RECORD_KINDS), dtype=np.uint8).repeat(2)
    columns = {name.strip('"'): np.arange(len(kind)) % 5 - 1 for name, _ in schema.STORED_COLUMNS}
    columns |= {"kind": kind, "time": np.arange(len(kind))}
    for field in [field for shared in SHARED for field in shared.fields] + [DELAY, "state"]:
        whole = field_of(field, kind, columns.__getitem__)
        for first in range(len(RECORD_KINDS)):
            for last in range(first, len(RECORD_KINDS), 5):
                some = np.flatnonzero((first <= kind) & (kind <= last))
                kinds = frozenset(range(first, last + 1))
                found = field_of(field, kind[some], lambda name, some=some: columns[name][some], kinds)
                np.testing.assert_array_equal(found, whole[some], err_msg=f"{field} of {first} to {last}")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """What is packed meanwhile must lose nothing; kinds that came."""
    came: list[int] = []

    def packs(kind: Any, column: Callable[[str], Any]) -> dict[str, Any]:
        came.extend(np.unique(kind).tolist())
        for shared in SHARED:
            for field in shared.fields:
                own = among(kind, shared.kinds_of(field))
                others = own if field == shared.other else ~own
                values = column(field)
                unknown = values == (False if values.dtype == np.bool_ else NONE)
                assert unknown[others].all() or (values.dtype == np.int64 and not values[others].any()), field
        return pack(kind, column)

    monkeypatch.setattr(batch, "pack", packs)
    monkeypatch.setattr(records, "pack", packs)
    yield came
    assert came


def test_no_record_has_two_fields_that_share_a_column(told: list[int]) -> None:
    for file in MODELS:
        workflow = file.with_name(file.name.replace(".scenario", ""))
        wf.simulate(wf.load(workflow), file, catalogue="models", cases=15, engine="python", progress=False).close()
    assert len(set(told)) > 20


def test_imported_records_lose_nothing(told: list[int]) -> None:
    with wf.simulate(wf.load("models/order_processing.yaml"), cases=20, progress=False) as history:
        log = history.sql(
            'SELECT "case", coalesce(activity, kind) AS activity, make_timestamp(time) AS time, kind AS step '
            'FROM history ORDER BY "case", seq'
        ).df()
    log["lifecycle"] = (
        log["step"].map({"activity_started": "start", "activity_succeeded": "complete"}).fillna("complete")
    )
    wf.read_log(log, case="case", activity="activity", time="time", lifecycle="lifecycle").close()
    assert len(set(told)) > 5


def test_delays_are_what_is_left_until_due(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[RecordRow] = []

    def tracks(case: int, records: Iterable[RecordRow], *rest: Any) -> None:
        rows = [*records]
        told.extend(copy.copy(row) for row in rows)
        track_rows(case, rows, *rest)

    monkeypatch.setattr(writer, "track_rows", tracks)
    for file in MODELS:
        workflow = file.with_name(file.name.replace(".scenario", ""))
        wf.simulate(wf.load(workflow), file, catalogue="models", cases=15, engine="python", progress=False).close()
    for row in told:
        is_delayed = row.kind in DELAYED and row.due != NONE
        assert row.delay == (row.due - row.time if is_delayed else NONE)
    assert {row.kind for row in told if row.delay != NONE} == set(DELAYED)


def test_the_view_and_what_is_packed_in_sql_say_what_arrays_do() -> None:
    rng = np.random.default_rng(11)
    n = 5_000
    kind = rng.integers(0, len(RECORD_KINDS), n).astype(np.uint8)
    given: dict[str, Any] = {}
    for shared in SHARED:
        for field in shared.fields:
            own = among(kind, shared.kinds_of(field))
            known = (~own if field == shared.other else own) & (rng.random(n) < 0.6)
            given[field] = np.where(known, rng.integers(0, 200, n), NONE)
    con = duckdb.connect()
    con.execute(schema.TABLES)
    columns = ", ".join(f'nullif("{name}", -1) AS "{name}"' for name in given)
    time = rng.integers(0, 100, n)
    con.register("arrays", {"kind": kind, "number": np.arange(n), "time": time, **given})
    told = {*given, "kind", "seq", "time"}
    missing = [f"NULL::{of} AS {name}" for name, of in schema.RECORD_COLUMNS if name.strip('"') not in told]
    con.execute(schema.insert_records(f"SELECT kind, time, number AS seq, {columns}, {', '.join(missing)} FROM arrays"))

    def whole(found: Any) -> Any:
        return np.ma.filled(np.ma.asarray(found).astype(np.int64), NONE)

    stored = con.execute("FROM record_rows ORDER BY seq").fetchnumpy()
    packed = pack(kind, given.__getitem__)
    for name, expected in packed.items():
        assert (whole(stored[name]) == expected).all(), name
    seen = con.execute("FROM records ORDER BY seq").fetchnumpy()
    for name, expected in given.items():
        assert (whole(seen[name]) == expected).all(), name
        assert (field_of(name, kind, packed.__getitem__) == expected).all(), name
    due = given["due"]
    delays = np.where(among(kind, DELAYED) & (due != NONE), due - time, NONE)
    assert (whole(seen[DELAY]) == delays).all()
    assert (field_of(DELAY, kind, (packed | {"time": time}).__getitem__) == delays).all()


def test_who_asks_the_view_for_a_column_of_the_table_pays_for_nothing_else() -> None:
    con = duckdb.connect()
    con.execute(schema.TABLES)
    for asked in ("kind, count(*)", "kind, sum(dwell)"):
        plans = con.execute(f"EXPLAIN SELECT {asked} FROM records GROUP BY kind").fetchall()
        assert "JOIN" not in "".join(plan for _, plan in plans).upper()
