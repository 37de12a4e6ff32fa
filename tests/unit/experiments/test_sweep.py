"""A sweep: the same rows wherever it runs, the numbers of `summary`, and going on after an interruption."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

import wfsim as wf
from tests.unit.experiments.conftest import DESK, OVER, PLAN
from wfsim.errors import HistoryError, NotCovered, OptionError, ScenarioError, SimulationError
from wfsim.experiments import backends, parts, units
from wfsim.experiments.sweep_result import Sweep
from wfsim.experiments.units import Unit
from wfsim.history.store import Store
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance


def close(one: float | None, other: float | None) -> bool:
    """Equal but for rounding: a pool's average is that over parts of the time, whose lengths are whole microseconds."""
    return one == other or (one is not None and other is not None and math.isclose(one, other, rel_tol=1e-7))


def test_the_runs_at_the_point_as_it_is_are_those_of_simulate(desk: wf.Workflow, plan: wf.Scenario) -> None:
    simulated = wf.simulate(desk, plan, replications=3)
    swept = wf.sweep(desk, plan, over=[{}], replications=3)
    assert swept.history.digest == simulated.digest
    summary = simulated.summary()
    for key, expected in summary.items():
        found = swept.estimate(0, key)
        assert close(found.value, expected.value), key
        assert close(found.low, expected.low), key
        assert close(found.high, expected.high), key
        assert (found.n, found.method) == (expected.n, expected.method), key


@pytest.mark.parametrize("log", ["transitions", "aggregates"])
def test_every_log_level_is_joined_as_simulate_writes_it(desk: wf.Workflow, plan: wf.Scenario, log: Any) -> None:
    simulated = wf.simulate(desk, plan, log=log)
    swept = wf.sweep(desk, plan, over=[{}], log=log)
    assert swept.history.digest == simulated.digest
    for view in ("dfg", "activity_stats", "durations"):
        rows = [each.sql(f"FROM {view} ORDER BY ALL").fetchall() for each in (swept.history, simulated)]
        assert rows[0] == rows[1]
        assert rows[0] or view == "activity_stats"


def test_children_are_swept_with_their_parents() -> None:
    workflow = wf.load("models/order_fulfilment.yaml")
    scenario = wf.load_scenario("models/order_fulfilment.scenario.yaml").changed(cases=4, replications=2)
    swept = wf.sweep(workflow, scenario, over=[{}], catalogue="models")
    assert swept.history.digest == wf.simulate(workflow, scenario, catalogue="models").digest


def test_one_replication_has_the_intervals_of_its_own_run(desk: wf.Workflow, plan: wf.Scenario) -> None:
    swept = wf.sweep(desk, plan, over=[{}], replications=1, level=0.9)
    assert dict(wf.simulate(desk, plan, replications=1).summary(level=0.9)) == {
        key: one.estimate for key, one in swept.measures[0].items()
    }


def test_a_wait_that_is_none_in_some_replications_counts_there_as_none(desk: wf.Workflow, plan: wf.Scenario) -> None:
    few = plan.changed(cases=12, arrivals={"poisson": "40/h"}, activities={"serve": {"duration": "1m"}})
    simulated = wf.simulate(desk, few, replications=6)
    waits = [simulated.summary(run=run)["pools.clerks.wait"] for run in range(1, 7)]
    assert {wait.note for wait in waits if wait.value == 0} == {"nobody waited"}
    assert 0 < sum(wait.value == 0 for wait in waits) < 6
    swept = wf.sweep(desk, few, over=[{}], replications=6)
    for key in ("pools.clerks.wait", "activities.serve.wait"):
        found, expected = swept.estimate(0, key), simulated.summary()[key]
        assert (found.n, close(found.value, expected.value), close(found.high, expected.high)) == (
            expected.n,
            True,
            True,
        )


@pytest.mark.parametrize(
    ("backend", "workers", "engine"),
    [("threads", 3, "python"), ("threads", 2, "compiled"), ("loky", 2, "compiled")],
)
def test_backends_engines_and_workers_give_the_same_history(
    desk: wf.Workflow,
    plan: wf.Scenario,
    swept_at_the_desk: Sweep,
    backend: Any,
    workers: int,
    engine: Any,
) -> None:
    swept = wf.sweep(desk, plan, over=OVER, backend=backend, workers=workers, engine=engine)
    columns = '"case", seq, time, kind, state, to_state, error_type, activity, attempt, payload'
    query = f'SELECT run, {columns} FROM history ORDER BY run, "case", seq'
    assert swept.history.sql(query).fetchall() == swept_at_the_desk.history.sql(query).fetchall()
    assert swept.history.digest == swept_at_the_desk.history.digest


def test_each_point_has_the_runs_that_simulate_makes(
    desk: wf.Workflow, plan: wf.Scenario, swept_at_the_desk: Sweep
) -> None:
    swept = swept_at_the_desk
    told = [(run.run, run.replication, run.params["point"]) for run in swept.history.runs if run.params]
    assert told == [(1, 0, 0), (2, 1, 0), (3, 0, 1), (4, 1, 1)]
    columns = '"case", seq, time, kind, state, to_state, error_type, activity, attempt, payload'
    for point, capacity in enumerate((1, 3)):
        history = wf.simulate(desk, plan.changed(pools={"clerks": {"capacity": capacity}}))
        query = f'SELECT {columns} FROM history WHERE run {{}} ORDER BY run, "case", seq'
        rows = swept.history.sql(query.format(f"IN ({2 * point + 1}, {2 * point + 2})")).fetchall()
        assert rows == history.sql(query.format("> 0")).fetchall()


def test_points_draw_the_same_numbers(swept_at_the_desk: Sweep) -> None:
    swept = swept_at_the_desk
    arrivals = 'SELECT list(started ORDER BY "case") FROM durations GROUP BY run ORDER BY run'
    first, second, third, fourth = swept.history.sql(arrivals).fetchall()
    assert (first, second) == (third, fourth)
    assert first != second
    comparison = swept.compare(0, {"pools.clerks.capacity": 3})
    assert comparison.pairs == 30
    assert "pools.clerks.capacity: 1 → 3" in repr(comparison)
    assert comparison["sojourn.mean"].difference.value < 0


def test_sql_can_group_by_the_values_of_points(desk: wf.Workflow, plan: wf.Scenario) -> None:
    swept = wf.sweep(desk, plan, over={"pools.clerks.capacity": [1, 3], "arrivals.poisson": ["90/h"]})
    rows = swept.history.sql(
        "SELECT number, count(*) FROM durations JOIN sweep_points USING (run) WHERE key = 'pools.clerks.capacity' "
        "GROUP BY number ORDER BY number"
    ).fetchall()
    assert rows == [(1.0, 30), (3.0, 30)]
    assert swept.history.sql("FROM sweep_points WHERE run = 4").fetchall() == [
        (4, 1, 1, "arrivals.poisson", "90/h", None),
        (4, 1, 1, "pools.clerks.capacity", "3", 3.0),
    ]


def test_the_table_has_a_row_per_point_with_intervals(desk: wf.Workflow, plan: wf.Scenario) -> None:
    swept = wf.sweep(desk, plan, over=OVER, replications=3, level=0.9)
    table = swept.df()
    assert table["pools.clerks.capacity"].tolist() == [1, 3]
    assert table["replications"].tolist() == [3, 3]
    for key in ("sojourn.mean", "sojourn.p95", "outcomes.completed/success", "pools.clerks.utilisation"):
        assert (table[f"{key}.low"] <= table[key]).all()
        assert (table[key] <= table[f"{key}.high"]).all()
    summary = wf.simulate(desk, plan, replications=3).summary(level=0.9)
    same = wf.sweep(desk, plan, over=[{}], replications=3, level=0.9).df()
    assert close(same["sojourn.p95.high"][0], summary["sojourn.p95"].high)
    for shown in (repr(swept), swept._repr_html_()):
        assert "pools.clerks.utilisation" in shown
        assert "desk 1.0.0" in shown


def test_the_share_of_promises_kept_is_that_of_the_summary(desk: wf.Workflow, plan: wf.Scenario) -> None:
    slas = [{"name": "quick", "within": "2m"}, {"name": "ever", "within": "1d"}, {"name": "at once", "within": "1us"}]
    swept = wf.sweep(desk, plan.changed(slas=slas), over={"cases": [15, 20]}, replications=3)
    for point, cases in enumerate((15, 20)):
        whole = wf.simulate(desk, plan.changed(slas=slas), cases=cases, replications=3).summary()
        for name in ("quick", "ever", "at once"):
            found, wanted = swept.estimate(point, f"slas.{name}.share"), whole[f"slas.{name}.share"]
            assert (found.n, found.method) == (wanted.n, wanted.method)
            assert [found.value, found.low, found.high] == pytest.approx([wanted.value, wanted.low, wanted.high])
    assert "slas.quick.share.low" in swept.df()
    assert "slas.quick.share" in str(swept)


def test_a_long_table_is_cut_and_says_so(desk: wf.Workflow, plan: wf.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wfsim.experiments.sweep_result.MOST_SHOWN", 1)
    swept = wf.sweep(desk, plan, over={"cases": [1, 2, 3]}, replications=1)
    assert "2 more points are in .df()." in repr(swept)
    assert [line.split()[0] for line in repr(swept).splitlines() if line.startswith("  ")] == ["point", "0"]
    assert len(swept.df()) == 3


def test_of_many_notes_the_table_shows_some(desk: wf.Workflow, plan: wf.Scenario) -> None:
    swept = wf.sweep(desk, plan, over=[{}], replications=1)
    noted = replace(swept, notes=tuple(f"Note {n}." for n in range(8)))
    assert "Note 4.\n3 more notes are in .notes." in repr(noted)


def test_a_plot_has_a_line_for_each_combination_of_the_other_keys(desk: wf.Workflow, plan: wf.Scenario) -> None:
    swept = wf.sweep(desk, plan, over={"pools.clerks.capacity": [1, 3], "arrivals.poisson": ["60/h", "120/h"]})
    figure = swept.plot("pools.clerks.capacity", "sojourn.p95")
    assert [line.name for line in figure.data] == ["arrivals.poisson = 60/h", "arrivals.poisson = 120/h"]
    estimate = swept.estimate({"pools.clerks.capacity": 3, "arrivals.poisson": "60/h"}, "sojourn.p95")
    assert (figure.data[0].x[1], figure.data[0].y[1]) == (3, estimate.value)
    assert close(figure.data[0].error_y.array[1], (estimate.high or 0) - estimate.value)
    assert figure.layout.yaxis.title.text == "sojourn p95 (seconds)"
    with pytest.raises(OptionError, match=r"no measure 'sojourn\.p96'\. Did you mean"):
        swept.plot("pools.clerks.capacity", "sojourn.p96")
    with pytest.raises(OptionError, match="x='capacity' is no key"):
        swept.plot("capacity", "sojourn.p95")


def test_nothing_runs_if_a_point_does_not_fit(
    desk: wf.Workflow, plan: wf.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "run_unit", lambda *given, **named: pytest.fail("it ran"))
    with pytest.raises(ScenarioError, match=r"point 2 \(pools.clerks.capacity = 0\)"):
        wf.sweep(desk, plan, over={"pools.clerks.capacity": [1, 2, 0]}, into=tmp_path / "s.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_arguments_that_do_not_go_together_are_refused(desk: wf.Workflow, plan: wf.Scenario, tmp_path: Path) -> None:
    def refused(told: str, **arguments: Any) -> None:
        with pytest.raises((OptionError, NotCovered, HistoryError, TypeError), match=told):
            wf.sweep(desk, plan, over=OVER, **arguments)

    refused("backend='ray' is not known. Backends: threads, loky, dask", backend="ray")
    refused("backend='dask' goes with client=", backend="dask")
    refused("client='tcp", backend="threads", client="tcp://here")
    refused(r"client is a distributed\.Client, not 'tcp", client="tcp://here")
    refused("'all' is not a log level. Levels: full, transitions, aggregates", log="all")
    refused("workers=0: give how many there are", workers=0)
    refused("replications must be at least 1, not 0", replications=0)
    refused("there is no engine 'fast'", engine="fast")
    refused("level=95", level=95)
    refused(r"give a name that ends in \.duckdb for one history, or a folder", into=tmp_path / "s.csv")
    refused("resumed where it is: leave resume out", into=tmp_path / "set", resume=tmp_path / "parts")


# --- interruptions ---------------------------------------------------------------------------------------------------


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> list[Unit]:
    """Let somebody press Ctrl-C when so many units have run; returns those that have."""
    ran: list[Unit] = []

    def run(unit: Unit, folder: Path, **named: Any) -> None:
        if len(ran) == after:
            raise KeyboardInterrupt
        ran.append(unit)
        units.run_unit(unit, folder, **named)

    monkeypatch.setattr(backends, "run_unit", run)
    return ran


@pytest.mark.parametrize("into", ["s.duckdb", "set"])
def test_an_interrupted_sweep_goes_on_where_it_was(
    desk: wf.Workflow,
    plan: wf.Scenario,
    swept_at_the_desk: Sweep,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    into: str,
) -> None:
    kept = tmp_path / into if into == "set" else tmp_path / "s.duckdb.parts"
    before = interrupt(monkeypatch, after=3)
    told = f"interrupted. 3 of 4 runs are finished and kept in {kept}; the same call goes on there."
    with pytest.raises(KeyboardInterrupt, match=re.escape(told)):
        wf.sweep(desk, plan, over=OVER, workers=1, into=tmp_path / into)
    after = interrupt(monkeypatch, after=9)
    swept = wf.sweep(desk, plan, over=OVER, into=tmp_path / into)
    assert [unit.name for unit in (*before, *after)] == ["0-0", "0-1", "1-0", "1-1"]
    assert swept.df().equals(swept_at_the_desk.df())
    if into == "set":
        assert not list(kept.rglob("*.partial"))
    else:
        assert swept.history.digest == swept_at_the_desk.history.digest
        assert [file.name for file in tmp_path.iterdir()] == ["s.duckdb"]


@pytest.mark.parametrize("backend", ["threads", pytest.param("loky", marks=pytest.mark.long)])
def test_ctrl_c_stops_the_workers_and_says_what_is_kept(tmp_path: Path, backend: str) -> None:
    # The signal comes when the first unit is finished; the others are then running or waiting.
    code = f"""
import os, signal, sys
import wfsim as wf
from wfsim.history.progress import Progress
desk, plan = wf.Workflow.model_validate({DESK!r}), wf.Scenario.model_validate({PLAN!r})
# Who starts the tests in the background has it ignored, and what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
step = Progress.step
def first(self):
    step(self)
    Progress.step = step
    os.kill(os.getpid(), signal.SIGINT)
Progress.step = first
if __name__ == "__main__":
    try:
        wf.sweep(desk, plan, over={{"cases": [5, 60, 70, 80]}}, backend={backend!r}, workers=2, into=sys.argv[1])
    except KeyboardInterrupt as error:
        print(error)
    print(len(wf.sweep(desk, plan, over={{"cases": [5, 60, 70, 80]}}, into=sys.argv[1]).history.runs))
"""
    (tmp_path / "script.py").write_text(code)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "s.duckdb")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, n = done.stdout.splitlines()
    assert re.fullmatch(
        r"the sweep was interrupted\. [1-7] of 8 runs are finished and kept in .*s\.duckdb\.parts; .*", told
    )
    assert n == "8"


def test_without_a_place_an_interruption_keeps_nothing_and_says_so(
    desk: wf.Workflow, plan: wf.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch, after=2)
    with pytest.raises(KeyboardInterrupt, match="Nothing of it is kept: give into=… or resume=…"):
        wf.sweep(desk, plan, over=OVER, workers=1)
    interrupt(monkeypatch, after=2)
    with pytest.raises(KeyboardInterrupt, match="2 of 4 runs are finished"):
        wf.sweep(desk, plan, over=OVER, workers=1, resume=tmp_path / "parts")
    ran = interrupt(monkeypatch, after=9)
    wf.sweep(desk, plan, over=OVER, workers=1, resume=tmp_path / "parts")
    assert len(ran) == 2


def test_a_unit_in_a_thread_is_told_to_stop(desk: wf.Workflow, plan: wf.Scenario, tmp_path: Path) -> None:
    unit = Unit(0, 0, "{}", (desk.model_dump_json(by_alias=True),), plan.model_dump_json(), "python", "full", "history")
    with pytest.raises(units.Stopped):
        units.run_unit(unit, tmp_path, lambda: True)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("the scenario", {"plan": {"seed": 6}}),
        ("the workflow, or one that it starts", {"version": "2.0.0"}),
        ("the number of replications, the scenario", {"plan": {"replications": 3}}),
        ("the points, the scenario", {"over": {"pools.clerks.capacity": [1, 2]}}),
        ("the log level", {"log": "transitions"}),
        ("the level of intervals", {"level": 0.9}),
        ("what is kept", {"into": None}),
    ],
)
def test_parts_of_another_sweep_are_refused(
    desk: wf.Workflow, plan: wf.Scenario, set_at_the_desk: Path, tmp_path: Path, what: str, change: dict[str, Any]
) -> None:
    shutil.copytree(set_at_the_desk, tmp_path / "set")
    workflow = desk.model_copy(update={"version": change["version"]}) if "version" in change else desk
    place = {"resume": tmp_path / "set"} if "into" in change else {"into": tmp_path / "set"}
    with pytest.raises(HistoryError, match=f"parts of another sweep; what differs: {what}. Give another place"):
        wf.sweep(
            workflow,
            plan.changed(**change.get("plan", {})),
            over=change.get("over", OVER),
            log=change.get("log", "full"),
            level=change.get("level", 0.95),
            **place,
        )


def test_parts_of_another_version_are_refused_and_so_is_a_folder_of_other_things(
    desk: wf.Workflow, plan: wf.Scenario, set_at_the_desk: Path, tmp_path: Path
) -> None:
    shutil.copytree(set_at_the_desk, tmp_path / "set")
    about = (tmp_path / "set" / "sweep.json").read_text()
    (tmp_path / "set" / "sweep.json").write_text(about.replace(wf.__version__, "0.0.1"))
    with pytest.raises(HistoryError, match="what differs: the version of wfsim"):
        wf.sweep(desk, plan, over=OVER, into=tmp_path / "set")
    (tmp_path / "set" / "sweep.json").unlink()
    with pytest.raises(HistoryError, match="this folder holds other things than a sweep"):
        wf.sweep(desk, plan, over=OVER, into=tmp_path / "set")
    unit = Unit(0, 0, "{}", (), "{}", "python", "full", "history", version="0.0.1")
    with pytest.raises(SimulationError, match=r"made with wfsim 0\.0\.1, this worker has"):
        units.run_unit(unit, tmp_path)


# --- what is written -------------------------------------------------------------------------------------------------


def test_a_data_set_holds_the_rows_of_the_history(
    desk: wf.Workflow, plan: wf.Scenario, swept_at_the_desk: Sweep, set_at_the_desk: Path
) -> None:
    # What is finished is not run again.
    swept = wf.sweep(desk, plan, over=OVER, into=set_at_the_desk)
    history = swept_at_the_desk.history
    with pytest.raises(HistoryError, match=r"are a Parquet data set. Ask DuckDB: FROM read_parquet\('.*cases"):
        _ = swept.history
    columns = '"case", seq, time, kind, state, to_state, error_type, payload'
    with duckdb.connect() as con:
        found = con.execute(
            f"SELECT point, replication, {columns} FROM read_parquet('{set_at_the_desk}/records/**/*.parquet', "
            'hive_partitioning=true) ORDER BY point, replication, "case", seq'
        ).fetchall()
        cases = con.execute(f"SELECT count(*) FROM read_parquet('{set_at_the_desk}/cases/**/*.parquet')").fetchall()
    expected = history.sql(
        f'SELECT (run - 1) // 2, (run - 1) % 2, {columns} FROM history ORDER BY run, "case", seq'
    ).fetchall()
    assert found == expected
    assert cases == [(60,)]


def test_a_history_file_takes_the_place_of_an_earlier_one(desk: wf.Workflow, plan: wf.Scenario, tmp_path: Path) -> None:
    file = tmp_path / "s.duckdb"
    wf.sweep(desk, plan, over=[{}], into=file).history.close()
    wf.sweep(desk, plan, over=OVER, into=file).history.close()
    with wf.open_history(file) as history:
        assert len(history.runs) == 4
        assert history.case(3, run=4).replay().status in ("completed", "running", "failed")


def test_what_really_happened_is_not_replaced_nor_is_a_folder_made_by_mistake(
    desk: wf.Workflow, plan: wf.Scenario, tmp_path: Path
) -> None:
    file = tmp_path / "real.duckdb"
    program = compile_workflow(desk)
    with Store(file) as store:
        instance = Instance(program)
        output = instance.start(0)
        store.append(store.new_case(program, "a"), instance, output, expected_version=0)
    before = file.read_bytes()
    with pytest.raises(HistoryError, match="holds 1 runs that really happened, so a simulation does not write there"):
        wf.sweep(desk, plan, over=OVER, into=file)
    assert file.read_bytes() == before
    with pytest.raises(HistoryError, match="missing does not exist"):
        wf.sweep(desk, plan, over=OVER, into=tmp_path / "missing" / "s.duckdb")
    assert [each.name for each in tmp_path.iterdir()] == ["real.duckdb"]


def test_a_unit_that_fails_is_named_and_the_finished_ones_are_kept(
    desk: wf.Workflow, plan: wf.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(unit: Unit, folder: Path, **named: Any) -> None:
        if unit.name == "1-1":
            raise HistoryError("the disk is full.")
        units.run_unit(unit, folder, **named)

    monkeypatch.setattr(backends, "run_unit", fail)
    with pytest.raises(SimulationError, match=r"point 1, replication 1: the disk is full\.\n3 of 4 runs are finished"):
        wf.sweep(desk, plan, over=OVER, workers=1, into=tmp_path / "s.duckdb")


def test_a_process_that_dies_is_told_and_the_same_call_goes_on(
    desk: wf.Workflow, plan: wf.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(unit: Any, folder: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(backends, "run_unit", die)
    with pytest.raises(
        SimulationError, match=r"a worker process died: .*give fewer workers\.\n0 of 4 runs are finished"
    ):
        wf.sweep(desk, plan, over=OVER, backend="loky", workers=1, into=tmp_path / "s.duckdb")
    monkeypatch.undo()
    assert len(wf.sweep(desk, plan, over=OVER, into=tmp_path / "s.duckdb").history.runs) == 4


def test_a_full_disk_is_told_and_the_same_call_goes_on_when_there_is_room(tmp_path: Path) -> None:
    code = f"""
import resource, signal, sys
import wfsim as wf
from wfsim.errors import WfsimError
desk, plan = wf.Workflow.model_validate({DESK!r}), wf.Scenario.model_validate({PLAN | {"cases": 400}!r})
def go():
    return wf.sweep(desk, plan, over={OVER!r}, workers=1, engine="python", into=sys.argv[1], progress=False)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    go()
except WfsimError as error:
    print(str(error).replace(chr(10), " "))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(len(go().history.runs))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s.duckdb")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told, n = done.stdout.splitlines()
    assert "point 0, replication 0: " in told
    assert "If the disk is full, free some" in told
    assert "runs are finished and kept in" in told
    assert n == "4"


def test_a_folder_that_cannot_be_made_is_told(desk: wf.Workflow, plan: wf.Scenario, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match=r"cannot be written: .* Give another folder"):
        wf.sweep(desk, plan, over=OVER, into=tmp_path / "file" / "set")


def test_the_form_follows_from_the_name(tmp_path: Path) -> None:
    (tmp_path / "v1.2").mkdir()
    assert [parts.form_of(each) for each in (None, "a.duckdb", "a", "a/", tmp_path / "v1.2")] == [
        "history",
        "history",
        "parquet",
        "parquet",
        "parquet",
    ]


@pytest.mark.parametrize(("backend", "package"), [("loky", "loky"), ("dask", "distributed")])
def test_a_backend_that_is_not_installed_is_told_with_how_to_get_it(
    desk: wf.Workflow, plan: wf.Scenario, backend: Any, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    client: Any = object() if backend == "dask" else None
    told = f"backend='{backend}' needs the package {package}: pip install 'wfsim[{backend}]'."
    with pytest.raises(OptionError, match=re.escape(told)):
        wf.sweep(desk, plan, over=OVER, backend=backend, client=client)
