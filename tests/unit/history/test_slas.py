"""Service level agreements: who was in time, and what is said of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import HistoryError, ScenarioError
from wfsim.history.history import History

ORDER = """\
name: order
version: 1.0.0
initial_state: placed
states:
  - {name: placed}
  - name: packing
    parallel: {regions: [{name: box, initial_state: empty, states: [{name: empty}, {name: full, is_terminal: true}],
      transitions: [{from: empty, event: fill, to: full}]}]}
  - {name: sent, is_terminal: true}
  - {name: cancelled, is_terminal: true, outcome: failure}
transitions:
  - {from: placed, event: pay, to: packing}
  - {from: placed, event: cancel, to: cancelled}
  - {from: packing, event: done, to: sent}
"""
HOUR = 3_600_000_000


def ordered(slas: list[dict[str, Any]], **more: Any) -> History:
    """Five cases, paid after an hour and packed in another."""
    scenario = {
        "arrivals": {"at": ["1h", "1h", "1h", "1h", "1h"]},
        "events": {
            "placed": [{"event": "pay", "delay": "1h"}],
            "packing/box/empty": [{"event": "fill", "delay": "1h"}],
        },
        "slas": slas,
        **more,
    }
    return wf.simulate(wf.loads(ORDER), wf.Scenario.model_validate(scenario), progress=False)


def kept(history: History) -> list[tuple[Any, ...]]:
    query = "SELECT sla, within, target, cases, met, missed, undecided, share FROM sla ORDER BY sla"
    return list(history.sql(query).fetchall())


def exponential(mean: str) -> dict[str, Any]:
    return {"exponential": {"mean": mean}}


def test_time_counts_from_and_until_what_it_says_and_the_last_moment_is_in_time() -> None:
    slas = [
        {"name": "all", "within": "2h"},
        {"name": "most", "within": "7199s", "share": 0.5},
        {"name": "packed", "from": "packing", "within": "1h"},
        {"name": "paid", "until": "packing", "within": "59m"},
        {"name": "filled", "from": "packing/box/empty", "until": "packing/box/full", "within": "1h"},
    ]
    assert kept(ordered(slas)) == [
        ("all", 2 * HOUR, None, 5, 5, 0, 0, 1.0),
        ("filled", HOUR, None, 5, 5, 0, 0, 1.0),
        ("most", 7_199_000_000, 0.5, 5, 0, 5, 0, 0.0),
        ("packed", HOUR, None, 5, 5, 0, 0, 1.0),
        ("paid", 59 * HOUR // 60, None, 5, 0, 5, 0, 0.0),
    ]


def test_who_closes_without_getting_there_was_not_in_time_and_who_never_begins_is_not_asked() -> None:
    slas = [
        {"name": "sent", "until": "sent", "within": "9h"},
        {"name": "packed", "from": "packing", "until": "sent", "within": "9h"},
    ]
    history = ordered(slas, events={"placed": [{"event": "cancel"}]})
    assert kept(history) == [
        ("packed", 9 * HOUR, None, 0, 0, 0, 0, None),
        ("sent", 9 * HOUR, None, 5, 0, 5, 0, 0.0),
    ]


def test_while_cases_are_open_who_is_due_later_is_undecided() -> None:
    # At 3 the first has been sent, the second begun at 2, is due at 4, closed or not.
    history = ordered([{"name": "all", "within": "2h"}], arrivals={"at": ["1h", "2h"]}, horizon="3h")
    rows = history.sql('SELECT "case", begun, due, ended, met FROM sla_cases').fetchall()
    assert rows == [(1, HOUR, 3 * HOUR, 3 * HOUR, True), (2, 2 * HOUR, 4 * HOUR, None, None)]
    assert kept(history) == [("all", 2 * HOUR, None, 2, 1, 0, 1, 1.0)]


def test_in_a_part_of_the_time_a_case_counts_where_it_was_decided() -> None:
    slas = [
        {"name": "paid", "from": "placed", "until": "packing", "within": "1h"},
        {"name": "sent", "from": "placed", "until": "sent", "within": "2h"},
        {"name": "never", "from": "placed", "until": "cancelled", "within": "2h"},
    ]
    history = ordered(slas)
    # Placed at 1, paid at 2, sent at 3.
    before, after = history.between(None, "2h30m"), history.between("2h30m", None)
    query = "SELECT sla, cases, met, missed, undecided FROM sla"
    assert before.sql(query).fetchall() == [("never", 5, 0, 0, 5), ("paid", 5, 5, 0, 0), ("sent", 5, 0, 0, 5)]
    assert after.sql(query).fetchall() == [("never", 5, 0, 5, 0), ("paid", 0, 0, 0, 0), ("sent", 5, 5, 0, 0)]
    asked = "SELECT * EXCLUDE (run, share) FROM sla(?, ?, ?)"
    assert after.sql(asked, [2 * HOUR, "placed", "sent"]).fetchall() == [(5, 5, 0, 0)]
    assert after.sql(asked, [HOUR, "placed", "packing"]).fetchall() == [(0, 0, 0, 0)]


def test_a_real_history_is_asked_any_sla_without_a_scenario(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rows = ["case,activity,time"]
    for case, minutes in (("x", (0, 30, 60)), ("y", (0, 90, 95)), ("z", (0, 10, 300))):
        at = [f"2026-01-01T{each // 60:02}:{each % 60:02}Z" for each in minutes]
        rows += [f"{case},{activity},{time}" for activity, time in zip(("ask", "check", "answer"), at)]
    log.write_text("\n".join(rows), encoding="utf-8")
    history = wf.read_log(log)
    assert history.sql("SELECT * EXCLUDE (run) FROM sla(?)", [2 * HOUR]).fetchall() == [(3, 2, 1, 0, 2 / 3)]
    late = history.sql("SELECT \"case\" FROM sla_cases(?, 'ask', 'check') WHERE NOT met", [HOUR])
    assert late.fetchall() == [(2,)]
    # From a state on until the case closes.
    assert history.sql("SELECT met FROM sla(?, 'check', NULL)", [HOUR]).fetchall() == [(2,)]
    with pytest.raises(HistoryError, match="sla: there is no state 'chek' in this history"):
        history.sql("FROM sla(1, 'chek', NULL)").fetchall()
    with pytest.raises(HistoryError, match="sla: there is no state 'answr' in this history"):
        history.sql("FROM sla_cases(1, NULL, 'answr')").fetchall()


@pytest.mark.parametrize("replications", [1, 5])
def test_the_summary_gives_the_share_with_its_interval(replications: int) -> None:
    """Two exponential stays of an hour each: within t with 1 − (1 + t) exp(−t)."""
    events = {
        "placed": [{"event": "pay", "delay": exponential("1h")}],
        "packing/box/empty": [{"event": "fill", "delay": exponential("1h")}],
    }
    slas = [{"name": "fast", "within": "2h", "share": 0.9}, {"name": "slow", "within": "6h", "share": 0.5}]
    plan = {"arrivals": {"poisson": "60/h"}, "cases": 2_000, "replications": replications, "warm_up": "1h"}
    history = ordered(slas, events=events, **plan)
    summary = history.summary(level=0.999)
    for name, t in (("fast", 2), ("slow", 6)):
        found, exact = summary[f"slas.{name}.share"], 1 - (1 + t) * math.exp(-t)
        assert found.low is not None
        assert found.high is not None
        assert found.low <= exact <= found.high
        assert found.half_width < 0.1
    assert "fast within 2 h" in str(summary)
    assert "SLA fast: 90.0% are to be in time, which is not kept." in str(summary)
    assert "SLA slow: 50.0% are to be in time, which is kept." in str(summary)


def test_an_sla_changes_nothing_else() -> None:
    assert ordered([{"name": "all", "within": "2h"}]).digest == ordered([]).digest
    assert "slas" not in str(list(ordered([]).summary()))


def test_where_the_log_keeps_no_states_only_whole_cases_are_told() -> None:
    slas = [{"name": "all", "within": "2h"}, {"name": "paid", "until": "packing", "within": "2h"}]
    history = wf.simulate(
        wf.loads(ORDER),
        wf.Scenario.model_validate(
            {"arrivals": {"at": ["1h"]}, "events": {"placed": [{"event": "pay"}]}, "slas": slas}
        ),
        log="aggregates",
    )
    assert [(row[0], row[3]) for row in kept(history)] == [("all", 1), ("paid", 0)]


@pytest.mark.parametrize(
    ("slas", "told"),
    [
        ("[{name: a}]", "within"),
        ("[{name: a, within: 0s}]", "within: expected more than 0"),
        ("[{name: a, within: 1h, share: 95}]", "share: expected 1.0 or less"),
        ("[{name: a, within: 1h}, {name: a, within: 2h}]", "two slas are called 'a'"),
        ("[{name: a, within: 1h, til: sent}]", "'til' is not a key of a sla"),
    ],
)
def test_slas_that_make_no_sense_are_refused_where_they_stand(tmp_path: Path, slas: str, told: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\nslas: {slas}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"{told}"):
        wf.load_scenario(file)


def test_states_that_do_not_exist_are_refused_with_those_that_do(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("slas:\n  - {name: a, within: 1h}\n  - {name: b, within: 1h, until: sended}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"s\.yaml:3: state 'sended' does not exist.*Did you mean 'sent'"):
        wf.simulate(wf.loads(ORDER), file)
