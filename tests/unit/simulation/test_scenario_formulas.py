"""What scenarios say against what queueing theory says of it: 99.9 % intervals, fixed seeds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy import stats

import wfsim as wf
from wfsim.history.history import History

MINUTE = 60_000_000
HOUR = 60 * MINUTE


def desk(
    arrivals: Any, serve: Any, pool: Any = None, *, replications: int = 8, log: Any = "aggregates", **more: Any
) -> History:
    """Runs in which everybody who arrives is served once, by the pool `desk` if there is one."""
    w = wf.Builder("desk").activity("serve", pool="desk" if pool else None)
    w.state("at_desk", initial=True, activity="serve").state("served", terminal=True).state("left", terminal=True)
    w.transition("at_desk", "served", on="done").transition("at_desk", "left", on="error")
    scenario = {"arrivals": arrivals, "activities": {"serve": serve}, "seed": 7, **more}
    if pool:
        scenario["pools"] = {"desk": pool}
    return wf.simulate(
        w.build(),
        wf.Scenario.model_validate(scenario),
        replications=replications,
        engine="compiled",
        log=log,
        progress=False,
    )


def of_runs(history: History, what: str, condition: str = "true", view: str = "durations") -> list[float]:
    """An aggregate over the cases of each run, but for the first 300."""
    query = f'SELECT {what}::DOUBLE FROM {view} WHERE "case" > 300 AND ({condition}) GROUP BY run ORDER BY run'
    return [number for (number,) in history.sql(query).fetchall()]


def assert_agrees(values: list[float], exact: float) -> None:
    """The exact value lies in the 99.9 % interval of these independent ones, and that is narrow."""
    assert len(values) > 5
    mean = math.fsum(values) / len(values)
    half = float(stats.t.ppf(0.9995, len(values) - 1) * stats.sem(values))
    assert abs(mean - exact) <= half, f"{mean:.6g} +- {half:.3g} does not hold {exact:.6g}"
    assert half < 0.2 * abs(exact), f"+- {half:.3g} of {mean:.6g} tells little"


# --- times and arrivals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "square"),
    [
        ({"erlang": {"shape": 3, "mean": "36s"}}, 4 / 3),
        ({"gamma": {"shape": 0.5, "mean": "36s"}}, 3.0),
        ({"lognormal": {"mean": "36s", "cv": 0.8}}, 1.64),
        ({"hyperexponential": {"means": ["30s", "90s"], "weights": [9, 1]}}, 2 * (0.9 * 900 + 0.1 * 8100) / 36**2),
        ({"mixture": {"of": [{"weight": 1, "constant": "12s"}, {"weight": 1, "constant": "60s"}]}}, 1872 / 1296),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_mg1_waits_as_pollaczek_and_khinchine_say(family: Any, square: float) -> None:
    # One a minute, served in 0.6 minutes; `square` is the second moment of a service in parts of its mean squared.
    history = desk({"poisson": "1/m"}, {"duration": family}, {"capacity": 1}, cases=6_000)
    assert_agrees(of_runs(history, "avg(duration)"), MINUTE * (0.6 + 0.6**2 * square / (2 * 0.4)))


def test_gm1_waits_as_the_root_of_its_transform_says() -> None:
    # Times between arrivals are Erlang's of two; sigma is the share of arrivals that find the desk busy.
    sigma = 0.5
    for _ in range(200):
        sigma = (2 / (2 + (1 - sigma) / 0.7)) ** 2
    history = desk(
        {"renewal": {"erlang": {"shape": 2, "mean": "1m"}}},
        {"duration": {"exponential": {"mean": "42s"}}},
        {"capacity": 1},
        cases=4_000,
    )
    assert_agrees(of_runs(history, "avg(duration)"), MINUTE * 0.7 / (1 - sigma))


def test_batches_wait_for_those_they_came_with() -> None:
    # M^X/M/1: L = rho (1 + E[X^2] / E[X]) / 2 (1 - rho).
    batch = {"size": {"choice": [1, 4], "weights": [2, 1]}}
    history = desk(
        {"poisson": "1/m", "batch": batch},
        {"duration": {"exponential": {"mean": "15s"}}},
        {"capacity": 1},
        cases=4_000,
    )
    assert_agrees(of_runs(history, "avg(duration)"), MINUTE * 0.5 * (1 + 6 / 2) / (2 * 0.5) / 2)


def test_at_rates_that_change_as_many_are_there_as_the_integral_says() -> None:
    # M_t/M/inf: from 20 an hour to 5 at 8 and back at 24, served in two hours. Days are independent of each other.
    history = desk(
        {"rates": [{"until": "8h", "rate": "20/h"}, {"until": "24h", "rate": "5/h"}], "repeat": "24h"},
        {"duration": {"exponential": {"mean": "2h"}}},
        replications=1,
        horizon="120d",
    )
    # Over a day, in which what is there at its beginning returns: m' = rate - m / 2.
    fall, rise = math.exp(-16 / 2), math.exp(-8 / 2)
    at_8 = (40 * (1 - rise) + 10 * (1 - fall) * rise) / (1 - fall * rise)
    at_24 = 10 + (at_8 - 10) * fall
    for hour, exact in ((8, at_8), (9, 10 + (at_8 - 10) * math.exp(-1 / 2)), (4, 40 + (at_24 - 40) * math.exp(-2))):
        present = (
            f"c.started <= (24 * day + {hour}) * {HOUR} AND coalesce(c.closed > (24 * day + {hour}) * {HOUR}, true)"
        )
        days = f"SELECT count(c.started) FROM range(5, 119) d(day) LEFT JOIN durations c ON {present} GROUP BY day"
        assert_agrees([float(n) for (n,) in history.sql(days).fetchall()], exact)


def test_a_closed_population_is_served_as_the_machine_repair_model_says() -> None:
    # Eight machines run ten hours each, two people repair one in two hours.
    n, up, repair, c = 8, 10.0, 2.0, 2
    weights = [1.0]
    for k in range(1, n + 1):
        weights.append(weights[-1] * (n - k + 1) / up * repair / min(k, c))
    broken = sum(k * weight for k, weight in enumerate(weights)) / sum(weights)
    history = desk(
        {"closed": {"population": n, "think": {"exponential": {"mean": "10h"}}}},
        {"duration": {"exponential": {"mean": "2h"}}},
        {"capacity": c},
        replications=8,
        cases=1_300,
    )
    # By Little's law; a machine breaks down (n - broken) / up times an hour.
    assert_agrees(of_runs(history, "avg(duration)"), HOUR * broken / ((n - broken) / up))


# --- pools --------------------------------------------------------------------------------------------


def shares(c: int, offered: float, room: int, leave: float = 0.0) -> list[float]:
    """Shares of time with so many present: c workers, `room` places to wait, and who waits leaves at a rate.

    The time unit is the mean service time, `offered` the arrivals in it.
    """
    weights = [1.0]
    for k in range(1, c + room + 1):
        weights.append(weights[-1] * offered / (min(k, c) + max(0, k - c) * leave))
    return [weight / sum(weights) for weight in weights]


EXPONENTIAL = {"duration": {"exponential": {"mean": "1m"}}}


@pytest.mark.parametrize(("c", "room", "discipline"), [(3, 0, "fifo"), (1, 4, "fifo"), (2, 3, "lifo")])
def test_the_share_turned_away_is_that_of_mmck_and_erlang_b(c: int, room: int, discipline: str) -> None:
    pool = {"capacity": c, "queue_limit": room, "discipline": discipline}
    history = desk({"poisson": "2/m"}, EXPONENTIAL, pool, cases=2_000)
    turned_away = of_runs(history, "avg((final_state = 'left')::INTEGER)")
    present = shares(c, 2.0, room)
    assert_agrees(turned_away, present[-1])
    # Those who are served wait as Little's law says.
    n_present = sum(k * share for k, share in enumerate(present))
    served = of_runs(history, "avg(duration)", "final_state = 'served'")
    assert_agrees(served, MINUTE * n_present / (2.0 * (1 - present[-1])))


def test_who_waits_and_who_gives_up_is_as_erlang_a_says() -> None:
    pool = {"capacity": 3, "renege": {"exponential": {"mean": "2m"}}}
    history = desk({"poisson": "4/m"}, EXPONENTIAL, pool, cases=2_000, log="full")
    present = shares(3, 4.0, 80, leave=0.5)
    waiting = sum(max(0, k - 3) * share for k, share in enumerate(present))
    assert_agrees(of_runs(history, "avg((final_state = 'left')::INTEGER)"), 0.5 * waiting / 4.0)
    # Arrivals see what time averages see; who gives up has waited, too.
    waited = "coalesce(started, ended) - scheduled"
    assert_agrees(of_runs(history, f"avg(({waited} > 0)::INTEGER)", view="executions"), sum(present[3:]))
    assert_agrees(of_runs(history, f"avg({waited})", view="executions"), MINUTE * waiting / 4.0)


def test_of_two_priorities_without_preemption_each_waits_as_cobham_says() -> None:
    w = (
        wf.Builder("two")
        .activity("soon", pool="desk")
        .activity("late", pool="desk")
        .variable("kind", "string", input=True)
    )
    w.state("begin", initial=True).state("first", activity="soon").state("second", activity="late")
    w.state("end", terminal=True)
    for state in ("first", "second"):
        w.transition("begin", state, condition=f"context.kind == '{state}'")
    w.transition("first", "end", on="done").transition("second", "end", on="done")
    scenario = {
        "arrivals": {"poisson": "1/m"},
        "cases": 2_000,
        "inputs": {"kind": {"choice": {"first": 1, "second": 1}}},
        "activities": {"soon": {"duration": "30s", "priority": 1}, "late": {"duration": "30s"}},
        "pools": {"desk": {"capacity": 1, "discipline": "priority"}},
    }
    history = wf.simulate(w.build(), wf.Scenario.model_validate(scenario), replications=16, engine="compiled")
    # Half of the time somebody is served, and half of half a minute is left; a quarter goes to those who go first.
    left = 0.5 * 0.5 / 2
    for activity, exact in (("soon", left / 0.75), ("late", left / (0.75 * 0.5))):
        waits = history.sql(
            f"""SELECT avg(wait) FROM history WHERE activity = '{activity}' AND wait IS NOT NULL AND "case" > 300
            GROUP BY run ORDER BY run"""
        ).fetchall()
        assert_agrees([wait for (wait,) in waits], exact * MINUTE)
