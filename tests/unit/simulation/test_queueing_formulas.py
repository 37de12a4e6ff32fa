"""The simulator against queueing theory: each formula lies within the interval that the summary gives.

All intervals are 99.9 %, of one long run each by batch means, with seed 1 (named where it is another): at this level
some ninety checks fail by chance in one of eleven sets of seeds, so that no seed had to be picked. Each interval
must also be short, so that a wrong formula would lie outside. Times are in seconds.

References
----------
.. [1] Gross, Shortle, Thompson, Harris (2008), Fundamentals of Queueing Theory, 4th edition.
.. [2] Cobham (1954), Priority assignment in waiting line problems, Operations Research 2(1), 70–76.
.. [3] Nelson and Tantawi (1988), Approximate analysis of fork/join synchronization in parallel queues, IEEE
   Transactions on Computers 37(6), 739–743: exact for two servers (after Flatto and Hahn 1984).
.. [4] Jackson (1957), Networks of waiting lines, Operations Research 5(4), 518–521.
.. [5] Gordon and Newell (1967), Closed queuing systems with exponential servers, Operations Research 15(2), 254–265.
.. [6] Reiser and Lavenberg (1980), Mean-value analysis of closed multichain queuing networks, Journal of the ACM
   27(2), 313–322.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

import wfsim as wf
from tests import flow
from wfsim.history.history import History
from wfsim.history.samples import asking_for_arrays, cases_of
from wfsim.simulation.statistics import Estimate, mean_of, share_of

LEVEL = 0.999


def workflow(*, states: list[dict[str, Any]], transitions: list[dict[str, Any]], **more: Any) -> wf.Workflow:
    """The first of the states is where cases begin; `gone` is where they end."""
    return wf.Workflow.model_validate(
        {
            "name": "queue",
            "initial_state": states[0]["name"],
            "states": [*states, {"name": "gone", "is_terminal": True}],
            "transitions": transitions,
            **more,
        }
    )


def in_line(*pools: str) -> wf.Workflow:
    """One activity after another, each with a pool of its own."""
    names = [f"at_{pool}" for pool in pools]
    return workflow(
        states=[{"name": name, "activity": pool} for name, pool in zip(names, pools)],
        transitions=[{"from": one, "to": to, "event": "done"} for one, to in zip(names, [*names[1:], "gone"])],
        activities={pool: {"pool": pool} for pool in pools},
    )


def routed(ways: dict[str, dict[str, float]]) -> wf.Workflow:
    """Stations, each a pool of its own, where what is done says which one is next; cases begin in the first."""
    return workflow(
        states=[{"name": pool, "activity": pool} for pool in ways],
        transitions=[
            {"from": pool, "to": to, "event": "done", "condition": f"event.result == '{to}'"}
            for pool, shares in ways.items()
            for to in shares
        ],
        activities={pool: {"pool": pool, "result": "string"} for pool in ways},
    )


def served(ways: dict[str, dict[str, float]], means: dict[str, float]) -> dict[str, Any]:
    """The activities of such a scenario: exponential times of these means, and ways by their shares."""
    return {pool: {"duration": exponential(means[pool]), "result": {"choice": ways[pool]}} for pool in ways}


def exponential(mean: float) -> dict[str, Any]:
    return {"exponential": {"mean": mean}}


def simulated(what: wf.Workflow, rate: float, cases: int, *, log: Any = "full", **more: Any) -> History:
    """`rate` Poisson arrivals a second; the first two hundred services' time is warm-up."""
    plan = {"arrivals": {"poisson": f"{rate * 3600:.0f}/h"}, "cases": cases, "warm_up": "200s", "seed": 1, **more}
    return wf.simulate(what, wf.Scenario.model_validate(plan), engine="compiled", log=log)


def station(rate: float, service: Any, capacity: int = 1, cases: int = 20_000, **more: Any) -> History:
    """Customers of one pool."""
    return simulated(
        in_line("serve"),
        rate,
        cases,
        activities={"serve": {"duration": service}},
        pools={"serve": {"capacity": capacity}},
        **more,
    )


def holds(estimate: Estimate, truth: float, precision: float = 0.2) -> None:
    """The truth lies in the interval, whose half is at most that part of it."""
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= truth <= estimate.high, (truth, estimate)
    assert estimate.half_width <= precision * truth, (truth, estimate)


def waits(history: History) -> np.ndarray[Any, Any]:
    """Waits of all activities in order of starting, in seconds."""
    query = 'SELECT wait FROM history WHERE wait IS NOT NULL AND time > 200_000_000 ORDER BY time, "case", seq'
    return history.sql(query, max_rows=None).df()["wait"].to_numpy() / 1e6


def present(history: History, every: float, *states: str) -> list[np.ndarray[Any, Any]]:
    """How many cases are in each state, looked at so often from the end of the warm-up until the last one comes."""
    stays = history.sql("SELECT state, entered / 1e6 AS came, left_at / 1e6 AS went FROM stays", max_rows=None).df()
    looks = np.arange(200.0, stays["came"].max(), every)
    numbers = []
    for state in states:
        inside = stays[stays["state"] == state]
        came, went = (np.searchsorted(np.sort(inside[column]), looks, "right") for column in ("came", "went"))
        numbers.append(np.asarray(came - went, np.float64))
    return numbers


def erlang_c(servers: int, load: float) -> float:
    """The share of customers who wait in M/M/c with `load` = λ/μ [1]_."""
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)


def test_one_server() -> None:
    """M/M/1 [1]_: W = 1/(μ−λ), Wq = ρ/(μ−λ), Lq = ρ²/(1−ρ), and the time from start to end is exponential."""
    history = station(0.6, exponential(1.0), cases=40_000)
    found = history.summary(level=LEVEL)
    holds(found["sojourn.mean"], 1 / 0.4)
    holds(found["activities.serve.wait"], 0.6 / 0.4)
    holds(found["activities.serve.service"], 1.0)
    holds(found["pools.serve.utilisation"], 0.6)
    holds(found["pools.serve.queue"], 0.36 / 0.4)
    holds(found["sojourn.p50"], math.log(2) / 0.4)
    holds(found["sojourn.p95"], -math.log(0.05) / 0.4)


@pytest.mark.parametrize(("servers", "load", "cases"), [(2, 1.4, 20_000), (4, 3.2, 40_000), (10, 8.0, 80_000)])
def test_several_servers(servers: int, load: float, cases: int) -> None:
    """M/M/c [1]_: Wq = C/(cμ−λ); P(wait > t) = C·exp(−(cμ−λ)t), at t = 0 and at the mean of those who wait."""
    history = station(load, exponential(1.0), servers, cases)
    found, waiting = history.summary(level=LEVEL), erlang_c(servers, load)
    holds(found["activities.serve.wait"], waiting / (servers - load), 0.4)
    holds(found["pools.serve.busy"], load)
    series = waits(history)
    holds(share_of([series > 0.0], LEVEL), waiting)
    holds(share_of([series > 1 / (servers - load)], LEVEL), waiting / math.e, 0.4)


@pytest.mark.parametrize(
    ("service", "variation", "cases"),
    [
        ("1s", 0.0, 10_000),
        ({"uniform": {"low": "500ms", "high": "1500ms"}}, 1 / 12, 10_000),
        ({"triangular": {"low": "0s", "mode": "1s", "high": "2s"}}, 1 / 6, 10_000),
        ({"lognormal": {"median": math.exp(-0.32), "sigma": 0.8}}, math.exp(0.64) - 1, 20_000),
        ({"weibull": {"scale": 1 / math.gamma(1.5), "shape": 2.0}}, math.gamma(2.0) / math.gamma(1.5) ** 2 - 1, 20_000),
        ({"empirical": {"values": ["500ms", "3s"], "weights": [0.8, 0.2]}}, 1.0, 20_000),
    ],
    ids=["constant", "uniform", "triangular", "lognormal", "weibull", "empirical"],
)
def test_services_of_any_distribution(service: Any, variation: float, cases: int) -> None:
    """M/G/1 (Pollaczek and Khinchine [1]_): Wq = λ·E[S²]/(2(1−ρ)), here with E[S] = 1 and ρ = 0.6."""
    if isinstance(service, dict):
        # Durations have no more than six decimals.
        service = {
            family: {key: round(value, 6) if key in ("median", "scale") else value for key, value in given.items()}
            for family, given in service.items()
        }
    found = station(0.6, service, cases=cases).summary(level=LEVEL)
    holds(found["activities.serve.service"], 1.0)
    holds(found["activities.serve.wait"], 0.6 * (1 + variation) / (2 * 0.4), 0.25)


def test_priorities_that_do_not_interrupt() -> None:
    """Cobham [2]_: Wq of class k is R/((1−σ of the classes above)(1−σ down to it)), R = Σ λ·E[S²]/2."""
    what = workflow(
        states=[{"name": "arrived"}, {"name": "first", "activity": "urgent"}, {"name": "then", "activity": "normal"}],
        transitions=[
            {"from": "arrived", "to": "first", "condition": "context.urgent"},
            {"from": "arrived", "to": "then", "condition": "not context.urgent"},
            {"from": "first", "to": "gone", "event": "done"},
            {"from": "then", "to": "gone", "event": "done"},
        ],
        variables={"urgent": {"type": "boolean", "input": True}},
        activities={"urgent": {"pool": "desk"}, "normal": {"pool": "desk"}},
    )
    history = simulated(
        what,
        0.8,
        50_000,
        inputs={"urgent": {"choice": [True, False], "weights": [0.25, 0.75]}},
        activities={
            "urgent": {"duration": exponential(1.0), "priority": 1},
            "normal": {"duration": "1s"},
        },
        pools={"desk": {"capacity": 1, "discipline": "priority"}},
    )
    found = history.summary(level=LEVEL)
    rest = (0.2 * 2.0 + 0.6 * 1.0) / 2
    holds(found["activities.urgent.wait"], rest / 0.8)
    holds(found["activities.normal.wait"], rest / (0.8 * 0.2), 0.25)


def test_stations_in_line() -> None:
    """Jackson [4]_: each of two stations in sequence is as if it stood alone, in numbers and in time."""
    history = simulated(
        in_line("desk", "till"),
        0.6,
        20_000,
        activities={"desk": {"duration": exponential(1.0)}, "till": {"duration": exponential(0.8)}},
        pools={"desk": {"capacity": 1}, "till": {"capacity": 1}},
    )
    found = history.summary(level=LEVEL)
    holds(found["states.at_desk.time"], 1 / (1.0 - 0.6))
    holds(found["states.at_till.time"], 1 / (1.25 - 0.6))
    holds(found["sojourn.mean"], 1 / 0.4 + 1 / 0.65)
    flow.pools(history)


def test_stations_with_branches_and_rework() -> None:
    """Jackson [4]_: the flows solve λ = γ + λP; each station is M/M/c at its own flow, and tells nothing of another.

    After inspection 30 % go back, to two stations. With a = λ/μ and Erlang's C, L = a + C·a/(c−a) are there on average,
    W = L/λ is the time of a visit, ΣL/γ that of a case, and all are empty as often as the product of the shares says.
    """
    ways = {
        "intake": {"prepare": 0.75, "expert": 0.25},
        "prepare": {"inspect": 1.0},
        "expert": {"inspect": 0.8, "prepare": 0.2},
        "inspect": {"gone": 0.7, "prepare": 0.2, "intake": 0.1},
    }
    means = {"intake": 0.7, "prepare": 1.8, "expert": 2.0, "inspect": 0.6}
    servers = {"intake": 1, "prepare": 3, "expert": 1, "inspect": 1}
    history = simulated(
        routed(ways),
        0.7,
        30_000,
        activities=served(ways, means),
        pools={pool: {"capacity": servers[pool]} for pool in ways},
    )
    leads = np.array([[shares.get(pool, 0.0) for pool in ways] for shares in ways.values()])
    flows = np.linalg.solve(np.eye(4) - leads.T, [0.7, 0.0, 0.0, 0.0])
    found, seen = history.summary(level=LEVEL), present(history, 2.0, *ways)
    there, empty = 0.0, 1.0
    for pool, rate, numbers in zip(ways, flows, seen):
        c, load = servers[pool], float(rate) * means[pool]
        queue = erlang_c(c, load) * load / (c - load)
        holds(found[f"pools.{pool}.busy"], load, 0.1)
        holds(found[f"pools.{pool}.queue"], queue, 0.4)
        holds(found[f"states.{pool}.time"], (load + queue) / float(rate))
        holds(mean_of([numbers], LEVEL), load + queue)
        there += load + queue
        # Who need not wait finds 0 to c - 1 there, in these proportions.
        empty *= (1 - erlang_c(c, load)) / sum(load**k / math.factorial(k) for k in range(c))
    holds(found["sojourn.mean"], there / 0.7, 0.1)
    holds(share_of([np.sum(seen, axis=0) == 0], LEVEL), empty, 0.3)
    flow.flows(history)


@pytest.mark.parametrize("think", [0.0, 2.0], ids=["at_once", "after_a_while"])
def test_a_population_that_goes_round(think: float) -> None:
    """Gordon and Newell [5]_, by mean value analysis [6]_: whoever comes finds what is there with one member less.

    Each of six computes five times on average, in between on one of two disks, and begins anew, at once or after a mean
    time Z. With V visits of S each, W = S·(1 + L of one less), the throughput X = n/(Z + ΣV·W), and L = X·V·W.
    """
    ways = {"compute": {"disk": 0.5, "drum": 0.3, "gone": 0.2}, "disk": {"compute": 1.0}, "drum": {"compute": 1.0}}
    means, visits = {"compute": 0.3, "disk": 0.5, "drum": 0.6}, np.array([5.0, 2.5, 1.5])
    plan = {
        "arrivals": {"closed": {"population": 6, "think": exponential(think) if think else "0s"}},
        "horizon": "12200s",
        "warm_up": "200s",
        "seed": 1,
        "activities": served(ways, means),
        "pools": {pool: {"capacity": 1} for pool in ways},
    }
    history = wf.simulate(routed(ways), wf.Scenario.model_validate(plan), engine="compiled")
    rate, times, lengths = 0.0, np.zeros(3), np.zeros(3)
    for n in range(1, 7):
        times = np.array(list(means.values())) * (1 + lengths)
        rate = n / (think + float(visits @ times))
        lengths = rate * visits * times
    found, seen = history.summary(level=LEVEL), present(history, 2.0, *ways)
    closed = history.sql("SELECT closed / 1e6 AS time FROM durations WHERE closed IS NOT NULL", max_rows=None).df()
    each_minute = np.histogram(closed["time"], np.arange(200.0, 12_201.0, 60.0))[0] / 60
    holds(mean_of([each_minute], LEVEL), rate, 0.1)
    holds(found["sojourn.mean"], 6 / rate - think, 0.1)
    for pool, count, time, length, numbers in zip(ways, visits, times, lengths, seen):
        holds(mean_of([numbers], LEVEL), float(length))
        holds(found[f"states.{pool}.time"], float(time))
        holds(found[f"pools.{pool}.utilisation"], rate * float(count) * means[pool], 0.1)


def test_fork_and_join() -> None:
    """Two M/M/1 queues that every case enters at once [3]_: W = (12−ρ)/8 · 1/(μ−λ) until both are done."""
    regions = [
        {
            "name": side,
            "initial_state": "in",
            "states": [{"name": "in", "activity": side}, {"name": "out", "is_terminal": True}],
            "transitions": [{"from": "in", "to": "out", "event": "done"}],
        }
        for side in ("left", "right")
    ]
    history = simulated(
        workflow(
            states=[{"name": "both", "parallel": {"regions": regions}}],
            transitions=[{"from": "both", "to": "gone", "event": "done"}],
            activities={"left": {"pool": "left"}, "right": {"pool": "right"}},
        ),
        0.5,
        20_000,
        activities={side: {"duration": exponential(1.0)} for side in ("left", "right")},
        pools={side: {"capacity": 1} for side in ("left", "right")},
    )
    found = history.summary(level=LEVEL)
    holds(found["sojourn.mean"], (12 - 0.5) / 8 / 0.5)
    holds(found["activities.left.wait"], 1.0)
    flow.flows(history)


def test_services_without_waiting() -> None:
    """M/G/∞ [1]_: no pool, so W = E[S], and L = λ·E[S] whatever the distribution."""
    service = {"lognormal": {"median": "10s", "sigma": 1.0}}
    history = simulated(in_line("serve"), 0.5, 10_000, log="aggregates", activities={"serve": {"duration": service}})
    mean = 10 * math.exp(0.5)
    holds(history.summary(level=LEVEL)["sojourn.mean"], mean)
    times = history.sql("SELECT started, closed FROM durations").df() / 1e6
    seen_at = np.arange(1_000.0, times["started"].max(), 20.0)
    came, went = (np.searchsorted(np.sort(times[column]), seen_at, "right") for column in ("started", "closed"))
    holds(mean_of([np.asarray(came - went, np.float64)], LEVEL), 0.5 * mean)


def test_retries() -> None:
    """Attempts until one succeeds, at most four, each failing with p = 0.4: a geometric number, cut off at four.

    Attempts (1−p⁴)/(1−p); failed in the end p⁴; time: those attempts of mean 1, and waits of 2, 4 and 8 before the
    second, third and fourth.
    """
    what = workflow(
        states=[{"name": "tried", "activity": "try"}, {"name": "failed", "is_terminal": True, "outcome": "failure"}],
        transitions=[
            {"from": "tried", "to": "gone", "event": "done"},
            {"from": "tried", "to": "failed", "event": "error"},
        ],
        activities={"try": {"retry_policy": {"max_attempts": 4, "initial_interval": "2s", "backoff_coefficient": 2.0}}},
    )
    p = 0.4
    history = simulated(
        what,
        1.0,
        20_000,
        activities={"try": {"duration": exponential(1.0), "failures": [{"error_type": "Net", "probability": p}]}},
    )
    found = history.summary(level=LEVEL)
    attempts = (1 - p**4) / (1 - p)
    holds(found["outcomes.completed/failure"], p**4)
    holds(found["sojourn.mean"], attempts + 2 * p + 4 * p**2 + 8 * p**3)
    ((n, executions),) = history.sql(
        "SELECT attempts, executions FROM activity_stats JOIN retries USING (activity)"
    ).fetchall()
    variance = sum(k**2 * p ** (k - 1) * (1 - p) for k in range(1, 4)) + 16 * p**3 - attempts**2
    assert abs(n / executions - attempts) <= stats.norm.ppf(0.9995) * math.sqrt(variance / executions)


def test_timeouts() -> None:
    """A service of mean 1 is given up after t = 1.5: with probability exp(−t), after a mean time of 1−exp(−t)."""
    what = workflow(
        states=[
            {"name": "served", "activity": "serve", "timeout": "1500ms"},
            {"name": "left", "is_terminal": True, "outcome": "failure"},
        ],
        transitions=[
            {"from": "served", "to": "gone", "event": "done"},
            {"from": "served", "to": "left", "event": "timeout"},
        ],
        activities={"serve": {}},
    )
    served = {"serve": {"duration": exponential(1.0)}}
    history = simulated(what, 1.0, 10_000, log="aggregates", activities=served)
    found = history.summary(level=LEVEL)
    holds(found["outcomes.completed/failure"], math.exp(-1.5))
    holds(found["sojourn.mean"], 1 - math.exp(-1.5))


def test_events_that_race() -> None:
    """Of two events with weights 3 to 1 and means 1 and 4: shares 0.75 and 0.25, mean time 0.75·1 + 0.25·4."""
    what = workflow(
        states=[{"name": "open"}, {"name": "lost", "is_terminal": True, "outcome": "failure"}],
        transitions=[
            {"from": "open", "to": "gone", "event": "pay"},
            {"from": "open", "to": "lost", "event": "leave"},
        ],
        events={"pay": {}, "leave": {}},
    )
    plans = [
        {"event": "pay", "weight": 3, "delay": exponential(1.0)},
        {"event": "leave", "weight": 1, "delay": exponential(4.0)},
    ]
    found = simulated(what, 1.0, 10_000, log="aggregates", events={"open": plans}).summary(level=LEVEL)
    holds(found["outcomes.completed/failure"], 0.25)
    holds(found["sojourn.mean"], 1.75)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Sixty runs of M/M/1 at ρ = 0.5, seed 1, 1,000 cases each and a warm-up of 100 s: W = 2.

    Of sixty intervals of 95 % by batch means, and of twenty by Student's t over three replications each, as many hold
    it as 99.9 % of the binomial distribution allow.
    """
    history = wf.simulate(
        in_line("serve"),
        wf.Scenario.model_validate(
            {
                "arrivals": {"poisson": "1800/h"},
                "cases": 1_000,
                "replications": 60,
                "activities": {"serve": {"duration": exponential(1.0)}},
                "pools": {"serve": {"capacity": 1}},
            }
        ),
        engine="compiled",
        log="transitions",
    )
    with asking_for_arrays(history) as ask:
        runs = cases_of(ask, history.runs, together=False)
    series = [np.asarray(each.since(100_000_000).duration / 1e6, np.float64) for each in runs]
    by_batches = [mean_of([each], 0.95) for each in series]
    by_runs = [mean_of(series[k : k + 3], 0.95) for k in range(0, 60, 3)]
    for found in (by_batches, by_runs):
        covered = sum(abs(each.value - 2.0) <= each.half_width for each in found)
        low, high = stats.binom.ppf([0.0005, 0.9995], len(found), 0.95)
        assert low <= covered <= high
