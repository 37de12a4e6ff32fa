"""Where instances come from: schedules of the workflow, and other workflows beside the root."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import wfsim as wf
from tests.language import PAGE, catalogue
from wfsim.errors import ScenarioError
from wfsim.history.replay import replay_all

HOUR = 3_600_000_000
NIGHTLY = """\
name: nightly
version: 1.0.0
initial_state: running
variables: {kind: {type: string, input: true, output: true}, size: {type: integer, input: true, initial: 0}}
activities: {copy: {}}
states: [{name: running, activity: copy}, {name: end, is_terminal: true}]
transitions: [{from: running, event: done, to: end}]
schedules:
  night: {cron: 30 2 * * *, time_zone: Europe/Berlin, overlap: OVERLAP, input: {kind: full}}
  hourly: {every: 1h, offset: 15m, input: {kind: quick}}
"""


def simulated(overlap: str = "skip", duration: str = "10m", **more: Any) -> Any:
    scenario: dict[str, Any] = {
        "begins": "2026-03-28T00:00:00Z",
        "arrivals": {"schedules": ["night"]},
        "horizon": "4d",
        "inputs": {"kind": "by hand", "size": {"integer": [1, 9]}},
        "activities": {"copy": {"duration": duration}},
        **more,
    }
    return wf.simulate(wf.loads(NIGHTLY.replace("OVERLAP", overlap)), wf.Scenario.model_validate(scenario))  # type: ignore[operator]


def starts(history: Any) -> list[float]:
    rows = history.sql('SELECT started FROM cases ORDER BY "case"').fetchall()
    return [started / HOUR for (started,) in rows]


def test_a_schedule_starts_instances_by_the_clock_of_its_time_zone() -> None:
    history = simulated()
    # Summer begins in the night of the 29th, and 2:30 does not exist then.
    assert starts(history) == [1.5, 25.0, 48.5, 72.5]
    assert [history.case(number).variables["kind"] for number in range(1, 5)] == ["full"] * 4
    assert {history.case(number).variables["size"] for number in range(1, 5)} <= set(range(1, 10))
    replay_all(history)


def test_several_schedules_run_side_by_side_each_with_its_inputs() -> None:
    history = simulated(arrivals={"schedules": ["night", "hourly"]}, horizon="4h")
    assert starts(history) == [0.25, 1.25, 1.5, 2.25, 3.25]
    assert [history.case(k).variables["kind"] for k in range(1, 6)] == ["quick", "quick", "full", "quick", "quick"]


def test_a_start_is_skipped_while_the_one_before_is_open() -> None:
    history = simulated("skip", "30h")
    assert starts(history) == [1.5, 48.5]
    assert "Starts of schedule 'night' while the one before was open: 2 skipped." in history.notes


def test_a_start_is_queued_until_the_one_before_has_closed() -> None:
    history = simulated("queue", "30h")
    assert starts(history) == [1.5, 31.5, 61.5, 91.5]
    assert "Starts of schedule 'night' while the one before was open: 3 queued." in history.notes


def test_starts_may_overlap() -> None:
    history = simulated("allow", "30h")
    assert starts(history) == [1.5, 25.0, 48.5, 72.5]
    assert not any("schedule" in note for note in history.notes)


def test_a_run_by_schedules_is_repeated_exactly() -> None:
    assert simulated("queue", "30h").digest == simulated("queue", "30h").digest


def test_a_schedule_that_is_not_there_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"schedule 'nigth' does not exist\. There are: night, hourly\..*'night'"):
        simulated(arrivals={"schedules": ["nigth"]})
    with pytest.raises(ScenarioError, match=r"'2026-03-28' is not a moment"):
        wf.Scenario.model_validate({}).changed(begins="2026-03-28")


# --- processes, batches, populations and traces -------------------------------------------------------


def arrived(arrivals: Any, duration: Any = "0s", **more: Any) -> list[float]:
    """When cases started, in hours."""
    more = {"cases": 8, "inputs": {"kind": "x"}} | more
    return starts(simulated(duration=duration, arrivals=arrivals, **{"horizon": "100d"} | more))


def test_times_between_arrivals_may_be_of_any_family() -> None:
    assert arrived({"renewal": "90m"}, cases=3) == [1.5, 3.0, 4.5]
    assert arrived({"renewal": {"uniform": {"low": "1h", "high": "1h"}}}, cases=2) == [1.0, 2.0]


def test_arrivals_come_in_batches_of_one_size_or_of_several() -> None:
    assert arrived({"every": "1h", "batch": {"size": 3}}, cases=7) == [1, 1, 1, 2, 2, 2, 3]
    times = arrived({"every": "1h", "batch": {"size": {"choice": [1, 4]}}}, cases=200)
    sizes = [times.count(hour) for hour in range(1, int(times[-1]))]
    assert set(sizes) == {1, 4}
    assert 25 < sizes.count(1) < 75


def test_the_size_of_a_batch_does_not_move_the_times_of_batches() -> None:
    plain, batches = arrived({"poisson": "1/h"}), arrived({"poisson": "1/h", "batch": {"size": 2}}, cases=16)
    assert batches == [time for time in plain for _ in range(2)]


def test_at_rates_that_change_arrivals_come_when_they_may() -> None:
    pieces = [{"until": "8h", "rate": "0/h"}, {"until": "10h", "rate": "20/h"}, {"until": "11h", "rate": "60/h"}]
    times = arrived({"rates": pieces, "repeat": "24h"}, cases=10_000, horizon="10d")
    assert 850 < len(times) < 1_150
    assert {int(time % 24) for time in times} == {8, 9, 10}
    assert 500 < sum(time % 24 >= 10 for time in times) < 700
    once = arrived({"rates": pieces}, cases=10_000)
    assert once == [time for time in times if time < 24]


def test_the_last_rate_holds_for_ever() -> None:
    times = arrived({"rates": [{"until": "9h", "rate": "0/h"}, {"rate": "1/s"}]}, cases=500)
    assert len(times) == 500
    assert 9 < times[0] < times[-1] < 9.2


def test_the_members_of_a_closed_population_come_again_when_they_have_thought() -> None:
    closed = {"population": 2, "think": "30m"}
    assert arrived({"closed": closed}, duration="1h", cases=5) == [0.5, 0.5, 2.0, 2.0, 3.5]
    numbers = simulated(arrivals={"closed": closed}, duration="1h", cases=5).sql(
        'SELECT "case" FROM cases ORDER BY ALL'
    )
    assert numbers.fetchall() == [(1,), (2,), (3,), (4,), (5,)]


def test_what_a_member_of_a_closed_population_draws_is_its_own() -> None:
    def of_member(population: int, which: int) -> list[Any]:
        think = {"exponential": {"mean": "1h"}}
        history = simulated(
            arrivals={"closed": {"population": population, "think": think}}, horizon="20h", duration="0s"
        )
        rows = history.sql('SELECT "case", started FROM cases ORDER BY "case"').fetchall()
        return [started for number, started in rows if (number - 1) % population == which]

    # The first come of a larger population are those of a smaller one; the later ones have other numbers.
    assert of_member(5, 2)[0] == of_member(3, 2)[0]
    assert of_member(5, 2) == of_member(5, 2) != of_member(5, 3)


def test_a_member_of_a_closed_population_whose_key_is_taken_thinks_again() -> None:
    w = wf.Builder("order", correlation={"key": "context.order_id"}).variable("order_id", "string", input=True)
    w.activity("f").state("a", initial=True, activity="f").state("z", terminal=True).transition("a", "z", on="done")
    plan = {
        "arrivals": {"closed": {"population": 2, "think": "1h"}},
        "horizon": "10h",
        "inputs": {"order_id": "one"},
        "activities": {"f": {"duration": "90m"}},
    }
    for engine in ("python", "compiled"):
        history = wf.simulate(w.build(), wf.Scenario.model_validate(plan), engine=engine)  # type: ignore[operator]
        assert len(history.cases()) > 3
        assert any("arrivals were refused" in note for note in history.notes)


def test_a_trace_may_be_a_parquet_file(tmp_path: Path) -> None:
    table = pa.table(
        {"time": [0.0, 1800.0, 3600.5], "kind": ["a", None, "c"], "size": pa.array([3, 4, None], pa.int32())}
    )
    pq.write_table(table, tmp_path / "trace.parquet")
    file = tmp_path / "s.yaml"
    file.write_text("arrivals: {trace: trace.parquet}\ninputs: {kind: plain}\n", encoding="utf-8")
    history = wf.simulate(wf.loads(NIGHTLY.replace("OVERLAP", "skip")), wf.load_scenario(file))  # type: ignore[operator]
    assert starts(history) == [0.0, 0.5, 3600.5 / 3600]
    assert [history.case(k).variables["kind"] for k in (1, 2, 3)] == ["a", "plain", "c"]
    assert [history.case(k).variables["size"] for k in (1, 2, 3)] == [3, 4, 0]


def test_traces_that_cannot_be_followed_are_refused(tmp_path: Path) -> None:
    def refused(name: str, content: bytes | pa.Table) -> str:
        file = tmp_path / name
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            pq.write_table(content, file)
        with pytest.raises(ScenarioError) as told:
            arrived({"trace": str(file)})
        return str(told.value).removeprefix(str(file))

    assert (
        refused("a.csv", b"time,kind\n")
        == ": the trace is empty, so nothing would come. Give it a row for each arrival."
    )
    assert refused("a.parquet", pa.table({"time": pa.array([], pa.float64())})).startswith(": the trace is empty")
    assert refused("b.parquet", b"time\n1\n").startswith(": not a Parquet file")
    assert "needs a column 'time' (seconds). Found: when" in refused("c.parquet", pa.table({"when": [1.0]}))
    assert "needs a column 'time' (seconds). Found: time;kind" in refused("c.csv", b"time;kind\n1;a\n")
    assert refused("d.parquet", pa.table({"time": [1.0, -2.0]})).startswith(": row 2: ")
    assert refused("e.parquet", pa.table({"time": [1.0, 0.5]})).startswith(": row 2: arrival times must not go back")
    assert refused("e.csv", b"time\n5\n1\n").startswith(": row 3: arrival times must not go back")
    dates = pa.table({"time": [1.0], "day": pa.array([0], pa.date32())})
    assert refused("f.parquet", dates).startswith(": row 1: column 'day': ")
    assert refused("g.csv", b"time,kind\n1,a\n2,a,b\n").startswith(
        ": row 3: it has 3 cells, more than the first line has names: time, kind. A text with a comma in it"
    )
    assert refused("g.csv", b"time,kind,\n1,a,\n2,a,b\n").startswith(": row 3: 'b' is in a column without a name.")
    without_time = ": row 3: it has no time. Give each arrival its time, in seconds."
    assert refused("h.csv", b"time,kind\n1,a\n,a\n").startswith(without_time)
    assert refused("h.csv", b"kind,time\na,1\na\n").startswith(without_time)
    null = pa.table({"time": pa.array([1.0, 2.0, None])})
    assert refused("h.parquet", null).startswith(without_time)
    assert refused("i.csv", b"time,kind,kind\n1,a,b\n").startswith(": 2 columns are called 'kind'.")
    assert refused("i.csv", b"time,time\n1,2\n").startswith(": 2 columns are called 'time'.")
    twice = pa.Table.from_arrays([pa.array([1.0]), pa.array(["a"]), pa.array(["b"])], ["time", "kind", "kind"])
    assert refused("i.parquet", twice).startswith(": 2 columns are called 'kind'.")
    # Rows are counted as in a spreadsheet, empty ones too.
    assert refused("j.csv", b"time\n1\n\nsoon\n").startswith(": row 4: the time 'soon' is not a number of seconds.")
    assert refused("k.csv", b"time,kind\n1,a\n2,\xe9\n").startswith(": row 3: it is not written in UTF-8 (byte 0xe9).")
    long = b"time,kind\n1," + b"x" * 200_000 + b"\n"
    assert refused("l.csv", long).startswith(": row 2: field larger than field limit")


def test_a_row_of_a_trace_may_end_early_and_columns_may_have_no_names(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_bytes(b"\xef\xbb\xbftime,kind,size,,\r\n0,a\r\n\r\n1800,,7,,\r\n3600\r\n")
    history = simulated("allow", arrivals={"trace": str(file)})
    assert starts(history) == [0.0, 0.5, 1.0]
    assert [history.case(k).variables["kind"] for k in (1, 2, 3)] == ["a", "by hand", "by hand"]
    assert history.case(2).variables["size"] == 7


def test_the_trace_of_another_workflow_lies_below_the_file_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "s.yaml"
    file.write_text("workflows:\n  kitchen:\n    arrivals: {trace: ../t.csv}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"s\.yaml:3: the trace '\.\./t\.csv' lies outside the folder"):
        wf.load_scenario(file)
    file.write_text("workflows:\n  kitchen:\n    arrivals: {trace: t.csv}\n", encoding="utf-8")
    assert wf.load_scenario(file).workflows["kitchen"].arrivals.trace == str(tmp_path / "in" / "t.csv")


@pytest.mark.parametrize(
    ("arrivals", "told"),
    [
        ("{}", "arrivals are one of .*; found none"),
        ("{trace: a.csv, every: 1s}", r"arrivals are one of .*; found every, trace"),
        ("{renewal: 0s}", "renewal: times between arrivals that are all 0"),
        ("{renewal: {mixture: {of: [{weight: 1, constant: 0s}]}}}", "renewal: times between arrivals that are all 0"),
        ("{renewal: {exponential: {mean: -1s}}}", "'-1s' is not a duration"),
        ("{rates: []}", "expected at least 1 entry"),
        ("{rates: [{rate: -1/h}]}", "'-1/h' is not a rate"),
        ("{rates: [{rate: 0/h}]}", "all rates are 0"),
        ("{rates: [{rate: 1/h}, {rate: 2/h}]}", r"rate 1 of 2 \(1/h\) has no end"),
        ("{rates: [{until: 2h, rate: 1/h}, {until: 2h, rate: 2/h}]}", "2/h holds until 2h, which is not after 2h"),
        ("{rates: [{until: 2h, rate: 1/h}], repeat: 1h}", "rates until 2h and later cannot repeat after 1h"),
        ("{rates: [{until: 2h, rate: 1/h}, {rate: 1/m}], repeat: 2h}", "cannot repeat after 2h"),
        ("{every: 1h, repeat: 2h}", "repeat goes with rates, not with every"),
        ("{poisson: 0/h}", "'0/h' is not a rate at which anything comes"),
        ("{at: [1h], batch: {size: 2}}", "batch goes with every, poisson, rates, renewal, not with at"),
        ("{every: 1h, batch: {size: 0}}", "size: expected 1 or more, found the number 0"),
        ("{every: 1h, batch: {size: 1.5}}", "expected a whole number, found the number 1.5"),
        ("{every: 1h, batch: {size: {choice: [1, 2], weights: [0, 0]}}}", "the sizes all have weight 0"),
        ("{every: 1h, batch: {size: {choice: [1, 2], weights: [1]}}}", "2 sizes have 1 weights"),
        ("{closed: {population: 0}}", "population: expected 1 or more, found the number 0"),
    ],
)
def test_arrivals_that_make_no_sense_are_refused_where_they_stand(tmp_path: Path, arrivals: str, told: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"arrivals: {arrivals}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"s\.yaml:1: .*{told}"):
        wf.load_scenario(file)


# --- other workflows ----------------------------------------------------------------------------------


def guests(**kitchen: Any) -> Any:
    known = catalogue(PAGE.read_text(encoding="utf-8"))
    scenario = {
        "arrivals": {"every": "10m"},
        "cases": 6,
        "inputs": {"me": {"unique": "g"}, "table": {"unique": 0}},
        "events": {
            "hungry": [{"event": "choose", "delay": "1m", "payload": {"dish": "soup"}}],
            "eating": [{"event": "leave", "delay": "30m"}],
        },
        "workflows": {"kitchen": kitchen} if kitchen else {},
    }
    plan = wf.Scenario.model_validate(scenario)
    return wf.simulate(known.get("guest"), plan, catalogue=known)  # type: ignore[operator]


def test_a_workflow_that_the_root_writes_to_is_started_by_its_first_message() -> None:
    history = guests()
    assert history.sql("SELECT workflow, status, cases FROM outcomes ORDER BY workflow").fetchall() == [
        ("guest", "completed", 6),
        ("kitchen", "completed", 6),
    ]
    replay_all(history)


def test_a_workflow_beside_the_root_has_arrivals_of_its_own() -> None:
    history = guests(arrivals={"every": "10m"}, cases=4, inputs={"table": {"unique": 0}})
    kinds = history.sql("SELECT external_id FROM cases WHERE workflow = 1 ORDER BY started, external_id").fetchall()
    # Four kitchens stand ready for the first tables; the others are started by the first message.
    assert sorted(name for (name,) in kinds if name.startswith("kitchen-")) == [f"kitchen-{k}" for k in range(1, 5)]
    assert sum(":m" in name for (name,) in kinds) == 2
    replay_all(history)
    assert guests(arrivals={"every": "10m"}, cases=4, inputs={"table": {"unique": 0}}).digest == history.digest


def test_arrivals_beside_a_root_that_has_come_do_not_go_on_for_ever() -> None:
    history = guests(arrivals={"poisson": "20/h"}, inputs={"table": {"unique": 1000}})
    query = "SELECT count(*), max(started) FROM cases WHERE external_id LIKE 'kitchen-%'"
    ((n_kitchens, last),) = history.sql(query).fetchall()
    assert n_kitchens > 5
    # The last guest comes after an hour.
    assert last <= HOUR


def test_inputs_without_arrivals_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"'kitchen' has inputs here, but no arrivals"):
        guests(inputs={"table": 3})


def test_without_a_scenario_a_workflow_with_schedules_starts_by_them() -> None:
    history = wf.simulate(wf.loads(NIGHTLY.replace("OVERLAP", "skip")), cases=30)  # type: ignore[operator]
    assert starts(history)[:4] == [0.25, 1.25, 1.5, 2.25]
    assert "cases start by schedule" in history.notes[0]
