"""`fit`: what a known scenario makes gives that scenario back, and a log one that does the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import wfsim as wf
from wfsim.errors import HistoryError, OptionError
from wfsim.mining.fitted import Fit
from wfsim.mining.staffing import crews_of
from wfsim.model.duration import Duration

CLAIMS = wf.loads("""
name: claims
version: 1.0.0
initial_state: received
variables: {customer: {type: string, input: true}, amount: {type: number, input: true}}
events: {accept: {payload: {by: string}}, refuse: {}}
activities: {assess: {pool: clerks, timeout: 1h, retry_policy: {max_attempts: 2, initial_interval: 1s}}}
states:
  - {name: received, activity: assess}
  - {name: assessed, timeout: 2h}
  - {name: paid, is_terminal: true}
  - {name: refused, is_terminal: true, outcome: failure}
transitions:
  - {from: received, event: done, to: assessed}
  - {from: received, event: error, to: refused}
  - {from: assessed, event: accept, to: paid}
  - {from: assessed, event: refuse, to: refused}
  - {from: assessed, event: timeout, to: refused}
unhandled: reject
""")
PLAN = wf.Scenario.model_validate(
    {
        "arrivals": {"poisson": "18/h"},
        "inputs": {"customer": {"choice": {"new": 0.3, "old": 0.7}}, "amount": {"lognormal": [100.0, 0.5]}},
        "events": {
            "assessed": [
                {"event": "accept", "weight": 3, "delay": {"exponential": {"mean": "30m"}}, "payload": {"by": "eve"}},
                {"event": "refuse", "weight": 1, "delay": {"lognormal": {"median": "2h", "sigma": 0.5}}},
            ]
        },
        "activities": {
            "assess": {
                "duration": {"erlang": {"shape": 3, "mean": "8m"}},
                "failures": [{"error_type": "Lost", "probability": 0.1}],
            }
        },
        "pools": {"clerks": {"capacity": 3}},
        "cases": 3_000,
        "seed": 11,
    }
)


@pytest.fixture(scope="module")
def claims() -> wf.History:
    return wf.simulate(CLAIMS, PLAN, engine="python", progress=False)


@pytest.fixture(scope="module")
def found(claims: wf.History) -> Fit:
    return wf.fit(claims, CLAIMS)


def test_every_part_of_a_known_scenario_is_found_again(found: Fit) -> None:
    """Within four standard errors of 3,000 cases."""
    plan = found.scenario
    assert float(str(plan.arrivals.poisson).split("/")[0]) == pytest.approx(18, rel=0.075)
    assert plan.cases == 3_000
    assess = plan.activities["assess"]
    assert assess.duration.erlang is not None
    assert assess.duration.erlang.shape == 3
    assert assess.duration.erlang.mean == pytest.approx(Duration.of("8m"), rel=0.05)
    assert [(each.error_type, each.probability) for each in assess.failures] == [("Lost", pytest.approx(0.1, abs=0.02))]
    accept, refuse = plan.events["assessed"]
    # Of those refused half have timed out by then: their weight and median are worked out from the rest.
    assert (accept.event, accept.weight) == ("accept", pytest.approx(0.75, abs=0.04))
    assert accept.delay.exponential.mean == pytest.approx(Duration.of("30m"), rel=0.1)
    assert (refuse.event, refuse.weight) == ("refuse", pytest.approx(0.25, abs=0.04))
    assert plan.pools["clerks"].capacity == 3
    assert plan.inputs["amount"]["lognormal"] == pytest.approx([100, 0.5], rel=0.05)
    drawn = plan.inputs["customer"]["choice"]
    assert drawn["new"] / (drawn["new"] + drawn["old"]) == pytest.approx(0.3, abs=0.035)
    assert accept.payload == {"by": "eve"}


def test_of_each_part_is_told_how_well_it_fits(found: Fit) -> None:
    table = found.df().set_index("key")
    assert table.loc["arrivals", "family"] == "poisson"
    assert table.loc["activities.assess", "family"] == "erlang"
    assert table.loc["activities.assess", "distance"] < 0.03
    assert "failed (" in table.loc["activities.assess", "note"]
    assert table.loc["events.assessed.0", "n_cut"] > 0
    assert table.loc["pools.clerks", "note"] == "all were at work whenever somebody waited"
    assert list(table.index) == [each.key for each in found.goodness]


def test_a_saved_scenario_reads_the_same_and_says_how_good_it_is(found: Fit, tmp_path: Path) -> None:
    file = found.save(tmp_path / "claims.scenario.yaml")
    assert wf.load_scenario(file) == found.scenario
    text = file.read_text(encoding="utf-8")
    for each in found.goodness:
        assert f"# {each}\n" in text


def test_what_is_simulated_with_it_is_as_what_it_is_from(claims: wf.History, found: Fit) -> None:
    """Each mean within both intervals: with other seeds, so that nothing is paired."""
    again = wf.simulate(CLAIMS, found.scenario.changed(seed=12), engine="python", progress=False)
    one, other = claims.summary(), again.summary()
    for key in ("sojourn.mean", "outcomes.completed/success", "activities.assess.wait", "pools.clerks.utilisation"):
        apart = abs(one[key].value - other[key].value)
        assert apart <= 1.5 * (one[key].half_width + other[key].half_width), key
    # A tenth of the attempts fails, and nearly as many are made again: four standard errors of 3,000.
    query = "SELECT executions, retried, recovered FROM retries"
    (before, *tried), (after, *again_tried) = (each.sql(query).fetchall()[0] for each in (claims, again))
    assert min(tried) > 200
    assert all(n / after == pytest.approx(m / before, abs=0.022) for n, m in zip(again_tried, tried))


def test_a_log_gives_a_model_and_a_scenario_that_do_the_same() -> None:
    """Simulated cases as a log: nothing but names and times is known then."""
    order = wf.new("order")
    real = wf.simulate(order, cases=1_500, seed=4, engine="python", progress=False)
    log = wf.read_log(real.log("states").df())
    model = wf.discover(log, noise=0).workflow
    fitted = wf.fit(log, model)
    assert fitted.notes == ()
    again = wf.simulate(model, fitted.scenario, engine="python", progress=False)
    assert again.counts == {"completed/success": 1_500}

    def shares(history: wf.History) -> dict[str, float]:
        rows = history.sql(
            "SELECT state, count(*) FROM stays WHERE state NOT IN ('start', 'end') GROUP BY ALL"
        ).fetchall()
        return {state: n / 1_500 for state, n in rows}

    before, after = shares(log), shares(again)
    assert before.keys() == after.keys()
    assert all(after[state] == pytest.approx(share, abs=0.06) for state, share in before.items())
    mean = [each.sql("SELECT avg(duration) FROM durations").fetchall()[0][0] for each in (log, again)]
    assert mean[1] == pytest.approx(mean[0], rel=0.1)


def staffed_log(weeks: int = 3) -> pd.DataFrame:
    """Requests, reviewed by two in the morning and one in the afternoon of five days, then filed at once by a third."""
    draw, rows = np.random.default_rng(3), []
    monday = pd.Timestamp("2026-03-02T00:00", tz="Europe/Berlin")
    case = 0
    for day in (7 * week + day for week in range(weeks) for day in range(5)):
        for who, begin, end in (("ann", 8, 16), ("bob", 8, 12)):
            now = begin * 60.0
            while now < end * 60 - 30:
                case, took = case + 1, draw.uniform(10, 30)
                start = monday + pd.Timedelta(days=day) + pd.Timedelta(minutes=now)
                done = start + pd.Timedelta(minutes=took)
                rows.append((str(case), "review", start, done, who))
                rows.append((str(case), "file", done, done + pd.Timedelta(minutes=2), "cleo"))
                now += took
    return pd.DataFrame(rows, columns=["case", "activity", "start", "time", "who"])


def test_people_of_a_log_are_pools_with_working_hours() -> None:
    log = wf.read_log(staffed_log(), start="start", resource="who")
    model = wf.discover(log).workflow
    plan = wf.fit(log, model, time_zone="Europe/Berlin").scenario
    assert {name: each.pool for name, each in plan.activities.items()} == {"review": "review", "file": "file"}
    reviewers = plan.pools["review"]
    assert reviewers.time_zone == "Europe/Berlin"
    monday = [(each.from_, each.until, each.capacity) for each in reviewers.shifts if each.from_.startswith("Mon")]
    assert monday == [("Mon 08:00", "Mon 12:00", 2), ("Mon 12:00", "Mon 16:00", 1)]
    assert not any(each.from_[:3] in ("Sat", "Sun") for each in reviewers.shifts)
    assert plan.begins.isoformat() == "2026-03-02T00:00:00+01:00"
    again = wf.simulate(model, plan, engine="python", progress=False)
    assert again.counts == {"completed/success": plan.cases}


@pytest.mark.parametrize(
    ("every", "held"), [(10_800, 7_200), (0, 0)], ids=["who is free begins later", "who is at work"]
)
def test_only_what_comes_after_somebody_was_free_is_waiting_for_a_worker(every: int, held: int) -> None:
    """`b` takes eve an hour. She has time, and begins it two hours after `a`; or all come at once, and wait for her."""
    rows = []
    for case in range(12):
        done = every * case + 600
        begun = done + (7_200 if every else 3_600 * case)
        rows += [(str(case), "a", done - 600, done, "bob"), (str(case), "b", begun, begun + 3_600, "eve")]
    frame = pd.DataFrame(rows, columns=["case", "activity", "start", "time", "who"])
    log = wf.read_log(frame, start="start", resource="who", time_format="s")
    crews = {crew.activities: crew for crew in crews_of(log, "log", {"a": "a", "b": "b"}, "UTC")}
    assert crews["b",].written == {"capacity": 1}
    asked, begun = np.array(rows[1::2], object)[1:, 2], np.array(rows[::2], object)[1:, 3]
    found = [crews["b",].held_up(one * 1e6, other * 1e6) / 1e6 - one for one, other in zip(begun, asked, strict=True)]
    assert found == [held] * 11


def test_an_activity_that_ends_a_case_is_no_end_of_cases_without_it() -> None:
    """After `c` half of the cases end, half go on to `d`, with which every case ends that has it."""
    rows = [
        (f"{n} {word}", letter, 10 * n + k) for n in range(9) for word in ("c", "acd") for k, letter in enumerate(word)
    ]
    log = wf.read_log(pd.DataFrame(rows, columns=["case", "activity", "time"]), time_format="s")
    model = wf.discover(log, noise=0).workflow
    plans = wf.fit(log, model).scenario.events["c"]
    assert [(plan.event, plan.weight) for plan in plans] == [("d", 0.5), ("end", 0.5)]


def test_a_workflow_that_can_follow_no_case_of_a_log_is_refused() -> None:
    log = wf.read_log(
        pd.DataFrame([("1", "a", 0), ("1", "b", 5)], columns=["case", "activity", "time"]), time_format="s"
    )
    with pytest.raises(HistoryError, match="can follow none of 1 closed cases"):
        wf.fit(log, wf.new("order"))


def test_cases_that_the_workflow_cannot_follow_are_told() -> None:
    rows = [(str(case), letter, 10 * case + k) for case in range(20) for k, letter in enumerate("abc")]
    rows += [("20", letter, 200 + k) for k, letter in enumerate("cab")]
    log = wf.read_log(pd.DataFrame(rows, columns=["case", "activity", "time"]), time_format="s")
    fitted = wf.fit(log, wf.discover(log, noise=0.3).workflow)
    assert fitted.notes[0].startswith("Events are from 20 of 21 closed cases")
    assert fitted.to_yaml().startswith("# Events are from 20 of 21 closed cases")


def test_a_history_of_another_workflow_is_refused(claims: wf.History) -> None:
    with pytest.raises(HistoryError, match=r"has no cases of 'order'\. Workflows: claims"):
        wf.fit(claims, wf.new("order"))


def test_a_history_without_events_is_refused() -> None:
    short = wf.simulate(CLAIMS, PLAN, cases=5, log="transitions", engine="python")
    with pytest.raises(HistoryError, match="of log level 'full' only"):
        wf.fit(short, CLAIMS)


def test_a_time_zone_that_there_is_not_is_refused(claims: wf.History) -> None:
    with pytest.raises(OptionError, match="there is no such time zone"):
        wf.fit(claims, CLAIMS, time_zone="Mars")


def test_what_each_part_is_fitted_to_is_an_answer_in_sql(claims: wf.History, found: Fit) -> None:
    rows = {part: claims.sql(query).df() for part, query in found.query.items()}
    for each in found.goodness:
        assert any(each.key == part or each.key.startswith(f"{part}.") for part in rows), each.key
    n = {each.key: each.n for each in found.goodness}
    assert len(rows["arrivals"]) == n["arrivals"]
    ended = rows["activities"].query("activity == 'assess' and outcome in ('succeeded', 'failed')")
    assert len(ended) == n["activities.assess"]
    assert len(rows["pools"]) == n["pools.clerks"]


def test_of_a_log_too_each_part_is_an_answer_in_sql() -> None:
    bank = wf.read_log(wf.examples()["loan_application"].log, final=["approved", "declined", "cancelled"])
    fitted = wf.fit(bank, wf.discover(bank, noise=0.1).workflow, time_zone="Europe/Amsterdam")
    rows = {part: bank.sql(query).df() for part, query in fitted.query.items()}
    assert {each.key.split(".")[0] for each in fitted.goodness} == rows.keys()
    assert all(len(each) for each in rows.values())
