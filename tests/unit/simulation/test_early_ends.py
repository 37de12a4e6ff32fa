"""Runs that end before they should, or in which nothing happens: what is told, and what is kept."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import FunctionError, ScenarioError, WfsimError
from wfsim.history.replay import replay_all
from wfsim.history.writer import HistoryWriter
from wfsim.simulation import engine as engine_in_python
from wfsim.simulation import relations

DESK = wf.loads("""
name: desk
initial_state: received
variables: {n: {type: integer, input: true, initial: 0, maximum: 40}}
activities: {assess: {pool: clerks}}
states: [{name: received, activity: assess}, {name: assessed, is_terminal: true}]
transitions: [{from: received, event: done, to: assessed}]
""")
CALLING = wf.loads("""
name: calling
initial_state: waiting
variables: {n: {type: integer, input: true, initial: 0}, risk: {type: integer, initial: 0}}
functions: {risk: {input: {n: integer}, result: integer}}
states: [{name: waiting, timeout: 10s}, {name: rated, is_terminal: true}]
transitions:
  - from: waiting
    event: timeout
    to: rated
    pre_actions: [{action_type: set_variable, parameters: {name: risk, value: "${functions.risk(context.n)}"}}]
""")
ENGINES = pytest.mark.parametrize("engine", ["python", "compiled"])


def desk(**more: Any) -> wf.Scenario:
    return wf.Scenario.model_validate(
        {"arrivals": {"every": "1m"}, "activities": {"assess": {"duration": "7m"}}} | more
    )


@ENGINES
@pytest.mark.parametrize(
    "pool",
    [
        {"shifts": [{"from": "Mon 08:00", "until": "Mon 09:00", "capacity": 2}]},
        {"capacity": 1, "rate": "2/h"},
        {"capacity": 1, "breakdowns": {"every": "10m", "repair": "20h"}},
    ],
)
def test_who_waits_for_a_pool_that_opens_after_the_end_is_left_waiting(pool: dict[str, Any], engine: Any) -> None:
    plan = desk(horizon="5h", pools={"clerks": pool})
    with wf.simulate(DESK, plan, engine=engine, progress=False) as history:
        assert history.counts["open"] > 250
        never = "Pool 'clerks' was never open in the 5 h from Thursday, 01 January 2026, 00:00 UTC. "
        assert [note.startswith(never) for note in history.notes] == ([True] if "shifts" in pool else [])


@ENGINES
@pytest.mark.parametrize("older", [False, True])
def test_what_had_happened_before_an_error_is_kept(tmp_path: Path, engine: Any, older: bool) -> None:
    into = tmp_path / "h.duckdb"
    if older:
        wf.simulate(DESK, desk(cases=3), into=into, progress=False).close()
    plan = desk(cases=100, inputs={"n": {"unique": 0}}, seed=3)
    with pytest.raises(ScenarioError, match="input 'n' of desk: 41 is above 40") as raised:
        wf.simulate(DESK, plan, engine=engine, into=into, progress=False)
    kept = into.with_name("h.duckdb.partial") if older else into
    told = f" The simulation ended there, 41 min after it began. What had happened until then is in {kept}."
    assert str(raised.value).endswith(told)
    with wf.open_history(kept) as history:
        assert not history.complete
        assert history.counts["completed/success"] == 34
        assert history.notes[0].startswith("It ended early: input 'n' of desk: 41 is above 40.")
        assert replay_all(history)
    if older:
        with wf.open_history(into) as history:
            assert history.complete


@ENGINES
def test_in_a_replication_too_what_a_function_ends_is_kept(tmp_path: Path, engine: Any) -> None:
    asked: list[int] = []

    def risk(n: int) -> int:
        asked.append(n)
        return n if len(asked) < 40 else len(asked)

    plan = wf.Scenario.model_validate({"arrivals": {"every": "1s"}, "inputs": {"n": {"unique": 0}}, "replications": 2})
    told = r"is not a function of its arguments.* Replication 0 ended there, [0-9]+ s after"
    with pytest.raises(FunctionError, match=told):
        wf.simulate(CALLING.with_functions(risk=risk), plan, engine=engine, into=tmp_path / "h.duckdb", progress=False)
    with wf.open_history(tmp_path / "h.duckdb") as history:
        assert [run.complete for run in history.runs] == [False]
        assert history.counts["completed/success"] > 10


@ENGINES
def test_a_closed_population_for_which_no_time_passes_is_stopped(monkeypatch: pytest.MonkeyPatch, engine: Any) -> None:
    monkeypatch.setattr(relations, "MOST_AT_ONCE", 1_000)
    at_once = wf.loads("""
name: at_once
initial_state: a
states: [{name: a}, {name: b, is_terminal: true}]
transitions: [{from: a, to: b, condition: "true"}]
""")
    plan = wf.Scenario.model_validate({"arrivals": {"closed": {"population": 2}}, "horizon": "1h"})
    with pytest.raises(
        ScenarioError, match="of 2 has come 1,003 times at one moment: its members neither think nor work"
    ):
        wf.simulate(at_once, plan, engine=engine, progress=False)


def test_a_queue_that_grows_for_ever_is_stopped_in_python_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_in_python, "MOST_OPEN", 100)
    plan = desk(arrivals={"every": "1s"}, cases=1_000, pools={"clerks": {"capacity": 2}})
    with wf.simulate(DESK, plan, engine="python", progress=False) as history:
        assert not history.complete
        assert history.notes == [
            "The run was stopped at 1m41s: more than 100 instances take some 0.0 GB in this engine, 101 cases open. "
            "Pool 'clerks' has 2 of 2 workers busy and 99 attempts waiting. "
            "Give more workers, let less arrive, or set a horizon."
        ]
        assert replay_all(history)


@pytest.mark.parametrize("horizon", [0, "0s"])
def test_a_run_without_any_time_is_refused(horizon: Any) -> None:
    with pytest.raises(WfsimError, match=r"the horizon is 0, so that the run would end as it begins\. Give it time"):
        wf.simulate(DESK, desk(pools={"clerks": {"capacity": 1}}), horizon=horizon, progress=False)


def test_ctrl_c_while_all_is_written_waits_for_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan, into = desk(cases=300, pools={"clerks": {"capacity": 8}}), tmp_path / "h.duckdb"
    real = HistoryWriter._end_run

    def ends(self: HistoryWriter, *, complete: bool) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        real(self, complete=complete)

    monkeypatch.setattr(HistoryWriter, "_end_run", ends)
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.default_int_handler)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with wf.simulate(DESK, plan, into=into, progress=False) as history:
            assert history.complete
            assert history.counts == {"completed/success": 300}
    finally:
        signal.signal(signal.SIGINT, before)
