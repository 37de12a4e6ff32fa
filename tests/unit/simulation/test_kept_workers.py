"""Workers who stay with a case over several of its activities: exact runs at both speeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.simulation.test_scenario_formulas import MINUTE, assert_agrees, of_runs
from wfsim.errors import ScenarioError
from wfsim.history.history import History
from wfsim.history.replay import replay_all


@pytest.fixture(params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def steps(*names: str, pool: str = "desk", **of: str) -> wf.Workflow:
    """One activity after the other, each in a state of its name; `of` says which pool if it is another one."""
    w = wf.Builder("steps")
    for name, following in zip(names, (*names[1:], "end")):
        w.activity(name, pool=of.get(name, pool), retry={"max_attempts": 2, "initial_interval": "30s", "jitter": 0})
        w.state(name, initial=name == names[0], activity=name).transition(name, following, on="done")
        w.transition(name, "left", on="error")
    return w.state("end", terminal=True).state("left", terminal=True).build()


def simulated(engine: Any, workflow: wf.Workflow, at: list[str], pools: Any, activities: Any = None) -> History:
    """Everybody who comes at these times is served for ten minutes in each step."""
    plan = {name: {"duration": "10m"} | (activities or {}).get(name, {}) for name in workflow.activities}
    scenario = {"arrivals": {"at": at}, "activities": plan, "pools": pools}
    history = wf.simulate(workflow, wf.Scenario.model_validate(scenario), engine=engine)
    assert replay_all(history)
    return history


def begun(history: History) -> list[tuple[int, str, float]]:
    """Case, activity and minute of each attempt that has begun."""
    query = 'SELECT "case", activity, time FROM history WHERE kind = \'activity_started\' ORDER BY "case", time'
    return [(case, activity, time / MINUTE) for case, activity, time in history.sql(query).fetchall()]


def test_who_did_the_first_activity_of_a_case_does_them_all_without_waiting(engine: Any) -> None:
    workflow = steps("a", "b")
    plain = simulated(engine, workflow, ["0s", "1m"], {"desk": {"capacity": 1}})
    assert begun(plain) == [(1, "a", 0), (1, "b", 20), (2, "a", 10), (2, "b", 30)]
    kept = simulated(engine, workflow, ["0s", "1m"], {"desk": {"capacity": 1, "kept": "case"}})
    assert begun(kept) == [(1, "a", 0), (1, "b", 10), (2, "a", 20), (2, "b", 30)]


def test_a_worker_is_kept_while_the_case_is_in_one_of_the_states(engine: Any) -> None:
    workflow = steps("a", "b", "c")
    pool = {"capacity": 1, "kept": {"while": ["a", "b"]}}
    history = simulated(engine, workflow, ["0s", "1m"], {"desk": pool})
    assert begun(history) == [
        (1, "a", 0), (1, "b", 10), (1, "c", 40), (2, "a", 20), (2, "b", 30), (2, "c", 50),
    ]  # fmt: skip


def test_a_worker_is_kept_while_others_do_something_else_for_the_case(engine: Any) -> None:
    workflow = steps("a", "test", "b", test="lab")
    pools = {"desk": {"capacity": 1, "kept": "case"}, "lab": {"capacity": 1}}
    history = simulated(engine, workflow, ["0s", "1m"], pools, {"test": {"duration": "30m"}})
    assert begun(history) == [(1, "a", 0), (1, "test", 10), (1, "b", 40), (2, "a", 50), (2, "test", 60), (2, "b", 90)]
    rows = history.sql("SELECT pool, busy_time, utilisation FROM pool_utilisation ORDER BY pool").fetchall()
    assert rows[0] == ("desk", 40 * MINUTE, 0.4)
    assert any("Of 1 workers of pool 'desk', 0.6 on average were kept" in note for note in history.notes)


def test_a_worker_is_kept_for_the_next_attempt_and_after_a_failure(engine: Any) -> None:
    # Each attempt fails after ten minutes, and the next comes half a minute later.
    fails = {"a": {"failures": [{"error_type": "Error", "probability": 1}]}}
    for kept, second in ((None, 10), ("case", 20.5)):
        pool = {"capacity": 1} if kept is None else {"capacity": 1, "kept": kept}
        history = simulated(engine, steps("a"), ["0s", "1m"], {"desk": pool}, fails)
        assert begun(history)[2] == (2, "a", second)


def test_whose_case_leaves_a_state_by_an_event_is_free_again(engine: Any) -> None:
    w = wf.Builder("called")
    w.activity("a", pool="desk").activity("b", pool="desk")
    w.state("first", initial=True, activity="a").state("second", activity="b").state("end", terminal=True)
    w.transition("first", "second", on="call").transition("second", "end", on="done").transition(
        "first", "end", on="done"
    )
    for states, begins in ((["first"], [0, 5, 3]), (["first", "second"], [0, 3, 13])):
        scenario = {
            "arrivals": {"at": ["0s", "1m"]},
            "events": {"first": [{"event": "call", "delay": "3m"}]},
            "activities": {name: {"duration": "10m"} for name in "ab"},
            "pools": {"desk": {"capacity": 1, "kept": {"while": states}}},
        }
        history = wf.simulate(w.build(), wf.Scenario.model_validate(scenario), engine=engine)
        assert replay_all(history)
        found = begun(history)
        # The activity of the first state is cancelled as the event comes; its worker goes to who waits, or stays.
        assert found[0] == (1, "a", 0)
        assert (1, "b", begins[1]) in found or states == ["first"]
        assert next(time for case, _, time in found if case == 2) == begins[2]


def test_activities_at_the_same_time_keep_a_worker_each_and_one_that_waits_takes_the_first_who_is_done(
    engine: Any,
) -> None:
    workflow = wf.loads("""\
name: both
version: 1.0.0
initial_state: work
activities: {a: {pool: desk}, b: {pool: desk}, c: {pool: desk}}
states:
  - name: work
    parallel:
      join: all
      regions:
        - {name: one, initial_state: a, states: [{name: a, activity: a}, {name: end, is_terminal: true}],
           transitions: [{from: a, event: done, to: end}]}
        - {name: two, initial_state: b, states: [{name: b, activity: b}, {name: end, is_terminal: true}],
           transitions: [{from: b, event: done, to: end}]}
  - {name: last, activity: c}
  - {name: end, is_terminal: true}
transitions: [{from: work, event: done, to: last}, {from: last, event: done, to: end}]
""")
    both = {"a": {"duration": "10m"}, "b": {"duration": "20m"}}
    two = simulated(engine, workflow, ["0s", "1m"], {"desk": {"capacity": 2, "kept": "case"}}, both)
    assert begun(two) == [(1, "a", 0), (1, "b", 0), (1, "c", 20), (2, "a", 30), (2, "b", 30), (2, "c", 50)]
    one = simulated(engine, workflow, ["0s", "1m"], {"desk": {"capacity": 1, "kept": "case"}}, both)
    assert begun(one) == [(1, "a", 0), (1, "b", 10), (1, "c", 30), (2, "a", 40), (2, "b", 50), (2, "c", 70)]


def test_a_kept_worker_without_the_skill_gets_company(engine: Any) -> None:
    workflow = steps("a", "b", "c")
    pool = {"workers": [{"skills": ["x"]}, {"skills": ["y"]}], "kept": "case"}
    needs = {"a": {"skills": ["x"]}, "b": {"skills": ["y"]}}
    history = simulated(engine, workflow, ["0s", "1m"], {"desk": pool}, needs)
    # The first case keeps both until it closes.
    assert begun(history)[:4] == [(1, "a", 0), (1, "b", 10), (1, "c", 20), (2, "a", 30)]


def test_cases_that_wait_for_each_others_workers_are_told_with_the_pools(engine: Any) -> None:
    w = wf.Builder("crossed").variable("kind", "string", input=True)
    for name, pool in (("a1", "red"), ("a2", "blue"), ("b1", "blue"), ("b2", "red")):
        w.activity(name, pool=pool).state(name, activity=name)
    w.state("begin", initial=True).state("end", terminal=True)
    for kind in "ab":
        w.transition("begin", f"{kind}1", condition=f"context.kind == '{kind}'")
        w.transition(f"{kind}1", f"{kind}2", on="done").transition(f"{kind}2", "end", on="done")
    scenario = {
        "arrivals": {"at": ["0s", "0s"]},
        "inputs": {"kind": {"choice": ["a", "b"]}},
        "activities": {name: {"duration": "10m"} for name in ("a1", "a2", "b1", "b2")},
        "pools": {name: {"capacity": 1, "kept": "case"} for name in ("red", "blue")},
    }
    crossed = (wf.Scenario.model_validate(scenario | {"seed": seed}) for seed in range(1, 50))
    for plan in crossed:
        history = wf.simulate(w.build(), plan, engine=engine)
        if len({activity for _, activity, _ in begun(history)}) == 2:
            break
    told = "\n".join(history.notes)
    assert "2 cases are open and nothing is due that could move them" in told
    for pool in ("red", "blue"):
        assert f"Pool '{pool}': 1 attempts wait for a worker, and 1 of 1 workers are kept by cases" in told


def test_two_phases_with_one_worker_are_an_erlang_service() -> None:
    """Kept over two exponential phases, a pool of one is M/E2/1: Pollaczek and Khinchine."""
    scenario = {
        "arrivals": {"poisson": "1/m"},
        "activities": {name: {"duration": {"exponential": {"mean": "18s"}}} for name in "ab"},
        "pools": {"desk": {"capacity": 1, "kept": "case"}},
        "cases": 3_000,
        "seed": 5,
    }
    plan = wf.Scenario.model_validate(scenario)
    history = wf.simulate(steps("a", "b"), plan, replications=8, engine="compiled", log="aggregates", progress=False)
    assert_agrees(of_runs(history, "avg(duration)"), MINUTE * (0.6 + 0.6**2 * 1.5 / (2 * 0.4)))


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        ("{capacity: 1, kept: never}", "kept: expected case, found the text 'never'"),
        ("{capacity: 1, kept: {whle: [a]}}", "'whle' is not a key of a keeping.*Did you mean 'while'"),
        ("{capacity: 1, kept: {while: []}}", "expected at least 1 entry"),
        ("{capacity: 1, kept: case, rate: 1/s}", "kept and rate do not go together"),
        ("{capacity: 1, kept: case, breakdowns: {every: 1h, repair: 1h}}", "kept and breakdowns do not go together"),
    ],
)
def test_keeping_that_makes_no_sense_is_refused_where_it_stands(tmp_path: Path, pool: str, told: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\npools:\n  desk: {pool}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"s\.yaml:3: .*{told}"):
        wf.load_scenario(file)


def test_a_state_that_is_not_there_keeps_nobody_and_is_refused() -> None:
    pools = {"desk": {"capacity": 1, "kept": {"while": ["a", "bb"]}}}
    with pytest.raises(ScenarioError, match=r"state 'bb' does not exist\. There are: a, b, end, left"):
        simulated("python", steps("a", "b"), ["0s"], pools)
