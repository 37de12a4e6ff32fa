"""Workers who differ in what they can do: exact runs at both speeds, and what Markov chains say of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wfsim as wf
from tests.unit.simulation.test_scenario_formulas import MINUTE, assert_agrees, of_runs
from wfsim.errors import ScenarioError
from wfsim.history.history import History
from wfsim.history.replay import replay_all

TEAM = {"workers": [{"skills": ["english", "german"]}, {"skills": ["english"]}]}
"""One of each; the one who can do less takes what both can do."""
NEEDS = {"german": ["german"], "english": ["english"], "file": []}


@pytest.fixture(params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def desk(needs: dict[str, list[str]] = NEEDS) -> wf.Workflow:
    """Each of these activities is done for whoever comes for it."""
    w = wf.Builder("desk").variable("kind", "string", input=True)
    w.state("begin", initial=True).state("end", terminal=True).state("left", terminal=True)
    for kind in needs:
        w.activity(kind, pool="desk").state(f"at_{kind}", activity=kind)
        w.transition("begin", f"at_{kind}", condition=f"context.kind == '{kind}'")
        w.transition(f"at_{kind}", "end", on="done").transition(f"at_{kind}", "left", on="error")
    return w.build()


def begun(folder: Path, engine: Any, coming: list[tuple[int, str]], pool: Any, **plan: Any) -> list[tuple[float, str]]:
    """In which minute which activity begins, for those who come in these minutes and are served in ten each."""
    trace = folder / "trace.csv"
    trace.write_text("\n".join(["time,kind", *(f"{60 * time},{kind}" for time, kind in coming)]), encoding="utf-8")
    scenario = {
        "arrivals": {"trace": str(trace)},
        "activities": {kind: {"duration": "10m", "skills": skills, **plan} for kind, skills in NEEDS.items()},
        "pools": {"desk": pool},
    }
    history = wf.simulate(desk(), wf.Scenario.model_validate(scenario), engine=engine)
    assert replay_all(history)
    query = "SELECT time, activity FROM history WHERE kind = 'activity_started' ORDER BY time, \"case\""
    return [(time / MINUTE, activity) for time, activity in history.sql(query).fetchall()]


def test_who_can_do_less_takes_what_both_can_do(tmp_path: Path, engine: Any) -> None:
    coming = [(0, "english"), (1, "german"), (2, "file")]
    assert begun(tmp_path, engine, coming, TEAM) == [(0, "english"), (1, "german"), (10, "file")]


def test_nobody_waits_behind_one_whose_worker_is_missing(tmp_path: Path, engine: Any) -> None:
    coming = [(0, "german"), (1, "german"), (2, "english"), (3, "german"), (4, "file")]
    # The other worker serves who came later at 2 and at 12, as neither can do anything for the Germans.
    assert begun(tmp_path, engine, coming, TEAM) == [
        (0, "german"), (2, "english"), (10, "german"), (12, "file"), (20, "german"),
    ]  # fmt: skip


def test_the_discipline_decides_among_those_who_have_a_worker(tmp_path: Path, engine: Any) -> None:
    coming = [(0, "german"), (0, "english"), (1, "german"), (2, "english"), (3, "file")]
    lifo = TEAM | {"discipline": "lifo"}
    # At 10 both are free, the one who can do more first: the last to come is served, then the one before.
    assert begun(tmp_path, engine, coming, lifo) == [
        (0, "german"), (0, "english"), (10, "english"), (10, "file"), (20, "german"),
    ]  # fmt: skip


def test_a_place_in_the_queue_is_one_of_the_whole_pool(tmp_path: Path, engine: Any) -> None:
    coming = [(0, "german"), (1, "german"), (2, "german"), (3, "english"), (4, "file")]
    pool = TEAM | {"queue_limit": 1}
    assert begun(tmp_path, engine, coming, pool) == [(0, "german"), (3, "english"), (10, "german")]


def test_who_gives_up_leaves_his_line(tmp_path: Path, engine: Any) -> None:
    coming = [(0, "german"), (1, "german"), (6, "german")]
    assert begun(tmp_path, engine, coming, TEAM | {"renege": "5m"}) == [(0, "german"), (10, "german")]


def test_a_broken_worker_is_missing_to_those_who_need_his_skills(tmp_path: Path, engine: Any) -> None:
    pool = TEAM | {"breakdowns": {"every": "15m", "repair": "30m"}}
    # Both are broken from 15 until 45, and work again for a quarter of an hour.
    coming = [(0, "english"), (4, "german"), (15, "german"), (16, "english"), (17, "file")]
    assert begun(tmp_path, engine, coming, pool) == [
        (0, "english"), (4, "german"), (45, "german"), (45, "english"), (55, "file"),
    ]  # fmt: skip


def test_a_rate_holds_for_all_skills_together(tmp_path: Path, engine: Any) -> None:
    coming = [(0, "german"), (0, "english"), (20, "file")]
    assert begun(tmp_path, engine, coming, TEAM | {"rate": "0.2/m"}) == [(0, "german"), (5, "english"), (20, "file")]


def test_in_a_fair_pool_turns_are_taken_by_those_who_have_a_worker(tmp_path: Path, engine: Any) -> None:
    coming = [(0, "german"), (0, "english"), *((1, "english") for _ in range(3)), (2, "file"), (2, "german")]
    assert begun(tmp_path, engine, coming, TEAM | {"discipline": "fair"}) == [
        (0, "german"), (0, "english"), (10, "english"), (10, "file"), (20, "english"), (20, "german"), (30, "english"),
    ]  # fmt: skip


def test_the_capacity_of_workers_is_how_many_they_are(engine: Any) -> None:
    scenario = {
        "arrivals": {"at": ["0s", "0s"]},
        "inputs": {"kind": "file"},
        "activities": {"file": {"duration": "1h"}},
        "pools": {"desk": {"workers": [{"count": 3, "skills": ["a"]}, {"skills": ["a", "b"]}]}},
    }
    history = wf.simulate(desk(), wf.Scenario.model_validate(scenario), engine=engine)
    assert history.sql("SELECT capacity, utilisation FROM pool_utilisation").fetchall() == [(4, 0.5)]


# --- theory -------------------------------------------------------------------------------------------


def runs(needs: dict[str, Any], arrivals: str, pool: Any, **more: Any) -> History:
    """Runs in which everybody needs one of these activities, by weight."""
    kinds = {kind: weight for kind, (weight, _, _) in needs.items()}
    scenario = {
        "arrivals": {"poisson": arrivals},
        "inputs": {"kind": {"choice": kinds}},
        "activities": {
            kind: {"duration": {"exponential": {"mean": mean}}, "skills": skills}
            for kind, (_, mean, skills) in needs.items()
        },
        "pools": {"desk": pool},
        "seed": 11,
    }
    return wf.simulate(
        desk({kind: [] for kind in needs}),
        wf.Scenario.model_validate(scenario | more),
        engine="compiled",
        replications=8,
        progress=False,
    )


def erlang_c(c: int, offered: float) -> float:
    """The share of those who wait in M/M/c."""
    last = offered**c / math.factorial(c) * c / (c - offered)
    return last / (sum(offered**k / math.factorial(k) for k in range(c)) + last)


def test_skills_that_nobody_shares_make_two_queues_of_their_own() -> None:
    needs = {"german": (1, "1m", ["german"]), "english": (2, "1m", ["english"])}
    pool = {"workers": [{"count": 1, "skills": ["german"]}, {"count": 2, "skills": ["english"]}]}
    # 0.6 and 1.2 come in a minute: M/M/1 and M/M/2, both with 0.6 of each worker.
    history = runs(needs, "1.8/m", pool, cases=9_000)
    for kind, c in (("german", 1), ("english", 2)):
        wait = erlang_c(c, 0.6 * c) / (c - 0.6 * c)
        assert_agrees(of_runs_of(history, kind), MINUTE * (1 + wait))


def of_runs_of(history: History, kind: str) -> list[float]:
    query = f"""SELECT avg(d.duration)::DOUBLE FROM durations d JOIN stays s ON s.run = d.run AND s."case" = d."case"
        WHERE s.state = 'at_{kind}' AND d."case" > 300 GROUP BY d.run ORDER BY d.run"""
    return [number for (number,) in history.sql(query).fetchall()]


def test_the_n_model_turns_as_many_away_as_its_markov_chain_says() -> None:
    """One worker knows a, the other a and b; up to three wait, b before a where there is a choice.

    States: who is at work (the first with a or nothing, the second with a, b or nothing), how many a and b wait.
    """
    rate_a, rate_b, serve, places = 1.2, 0.9, 1.0, 3
    chain: dict[tuple[int, str, int, int], dict[tuple[int, str, int, int], float]] = {}

    def settled(first: int, second: str, a: int, b: int) -> tuple[int, str, int, int]:
        if second == "-" and b:
            second, b = "b", b - 1
        if not first and a:
            first, a = 1, a - 1
        if second == "-" and a:
            second, a = "a", a - 1
        return first, second, a, b

    known = [settled(0, "-", 0, 0)]
    for state in known:
        first, second, a, b = state
        following = []
        if not first or second == "-" or a + b < places:
            following.append((rate_a, settled(first, second, a + 1, b)))
        if second == "-" or a + b < places:
            following.append((rate_b, settled(first, second, a, b + 1)))
        if first:
            following.append((serve, settled(0, second, a, b)))
        if second != "-":
            following.append((serve, settled(first, "-", a, b)))
        chain[state] = {}
        for rate, other in following:
            chain[state][other] = chain[state].get(other, 0.0) + rate
            if other not in known:
                known.append(other)
    matrix = np.zeros((len(known), len(known)))
    for state, others in chain.items():
        for other, rate in others.items():
            matrix[known.index(state), known.index(other)] += rate
            matrix[known.index(state), known.index(state)] -= rate
    matrix[:, 0] = 1.0
    shares = np.linalg.solve(matrix.T, np.eye(len(known))[0])
    full = [second != "-" and a + b == places for _, second, a, b in known]
    lost_b = float(shares @ np.array(full))
    lost_a = float(shares @ np.array([lost and first == 1 for lost, (first, *_) in zip(full, known)]))
    needs = {"a": (rate_a, "1m", ["a"]), "b": (rate_b, "1m", ["b"])}
    pool = {"workers": [{"skills": ["a"]}, {"skills": ["a", "b"]}], "queue_limit": places, "discipline": "priority"}
    plan = {
        kind: {"duration": {"exponential": {"mean": mean}}, "skills": skills, "priority": int(kind == "b")}
        for kind, (_, mean, skills) in needs.items()
    }
    history = runs(needs, f"{rate_a + rate_b}/m", pool, cases=6_000, activities=plan)
    for kind, lost in (("a", lost_a), ("b", lost_b)):
        query = f"""SELECT avg((d.final_state = 'left')::INT)::DOUBLE FROM durations d
            JOIN stays s ON s.run = d.run AND s."case" = d."case"
            WHERE s.state = 'at_{kind}' AND d."case" > 300 GROUP BY d.run ORDER BY d.run"""
        assert_agrees([share for (share,) in history.sql(query).fetchall()], lost)


# --- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        ("{capacity: 1, workers: [{}]}", "a pool has either capacity, .* or workers, .* or shifts"),
        ("{workers: []}", "expected at least 1 entry"),
        ("{workers: [{count: 0}]}", "count: expected 1 or more"),
        ("{workers: [{skils: [a]}]}", "'skils' is not a key of a worker group.*Did you mean 'skills'"),
        ("{workers: [{count: 10001}]}", "10,001 workers cannot have skills; 10,000 can at most"),
    ],
)
def test_workers_that_make_no_sense_are_refused_where_they_stand(tmp_path: Path, pool: str, told: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\npools:\n  desk: {pool}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"s\.yaml:3: .*{told}"):
        wf.load_scenario(file)


def test_a_skill_that_nobody_has_is_refused_when_the_scenario_is_read(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    pools = "pools: {desk: {workers: [{skills: [english]}]}}\n"
    file.write_text(pools + "activities: {answer: {skills: [englich]}}\n", encoding="utf-8")
    told = r"activity 'answer' needs the skill 'englich', which no worker.*Skills: english\. Did you mean 'english'"
    with pytest.raises(ScenarioError, match=told):
        wf.load_scenario(file)


@pytest.mark.parametrize(
    ("pools", "told"),
    [
        ({"desk": {"workers": [{"skills": ["a"]}, {"skills": ["b"]}]}}, "no worker of pool 'desk' has all of these"),
        ({"desk": {"capacity": 1}, "other": TEAM | {"workers": [{"skills": ["a", "b"]}]}}, "Its workers have: none"),
    ],
)
def test_skills_that_no_worker_of_the_pool_has_together_are_refused(pools: dict[str, Any], told: str) -> None:
    scenario = {"pools": pools, "activities": {"file": {"skills": ["a", "b"]}}, "inputs": {"kind": "file"}}
    with pytest.raises(ScenarioError, match=told):
        wf.simulate(desk(), wf.Scenario.model_validate(scenario))


def test_the_mean_time_of_those_who_are_alike_is_that_of_a_plain_pool() -> None:
    needs = {"a": (1, "1m", [])}
    plain = runs(needs, "1.4/m", {"capacity": 2}, cases=500)
    told = runs(needs, "1.4/m", {"workers": [{"skills": ["x"]}, {"skills": ["y", "z"]}]}, cases=500)
    assert of_runs(plain, "avg(duration)") == of_runs(told, "avg(duration)")
