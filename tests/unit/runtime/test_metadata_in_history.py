"""What senders gave beside stimuli, in the history of an engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.runtime.test_what_a_service_asks import order
from wfsim.errors import EventRejected
from wfsim.history.history import History
from wfsim.runtime.opening import open_engine

ASKED = "SELECT external_id, seq, kind, event, event_id, command, metadata FROM metadata ORDER BY external_id, seq"


def told(history: History) -> list[tuple[Any, ...]]:
    return [(*row, json.loads(text)) for *row, text in history.sql(ASKED).fetchall()]


def test_it_is_asked_beside_the_records_as_they_come_and_travels_with_them(tmp_path: Path) -> None:
    hostile = {"note": "it's \u2028 ${x}", "deep": [{"a": None}]}
    with open_engine("sqlite://", [order()], groups=(), activities={"charge": lambda: "paid"}) as engine:
        engine.start("order", id="a", metadata={"ticket": 7})
        engine.start("order", id="b")
        history = engine.history
        assert told(history) == [("a", 1, "started", None, None, None, {"ticket": 7})]
        engine.send("a", "pay", event_id="e1", metadata={"by": "Ada"})
        engine.control("b", "pause", "stock-taking", metadata=hostile)
        told_ignored = engine.control("b", "pause", metadata={"again": True})
        assert told_ignored == "ignored"
        found = told(history)
        assert [row[:6] for row in found] == [
            ("a", 1, "started", None, None, None),
            ("a", 3, "event_received", "pay", "e1", None),
            ("b", 3, "control_received", None, None, "pause"),
            ("b", 5, "control_received", None, None, "pause"),
        ]
        assert found[1][6] == {"by": "Ada"}
        assert found[2][6]["deep"] == hostile["deep"]
        assert found[3][6] == {"again": True}
        # What is refused is recorded, with what was given beside it.
        with pytest.raises(EventRejected):
            engine.send("a", "drop", event_id="e2", metadata={"late": 1})
        assert told(history)[2][2:] == ("event_received", "drop", "e2", None, {"late": 1})
        history.to_parquet(tmp_path / "kept")
        expected = told(history)
    with wf.open_history(tmp_path / "kept") as kept:
        assert told(kept) == expected
        assert kept.between("1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z").sql("FROM metadata").fetchall() == []
    with wf.convert_history(tmp_path / "kept", tmp_path / "again.duckdb") as again:
        assert told(again) == expected


def test_a_simulation_has_none() -> None:
    with wf.simulate(order(), cases=3, seed=1, progress=False) as history:
        assert told(history) == []
