"""Requirements are read strictly, and the smallest value is told only as far as intervals tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

import pytest

import wfsim as wf
from wfsim.errors import OptionError, ScenarioError
from wfsim.experiments.requirement import Judgement, parse_requirement
from wfsim.experiments.smallest import Bisection, Trial, answer
from wfsim.history.writer import Log
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.statistics import Estimate, Method

SIGNS = {"-": Judgement.FAILS, "?": Judgement.OPEN, "+": Judgement.HOLDS}


def estimate(low: float | None, high: float | None) -> Estimate:
    return Estimate(1.0, low, high, 20, Method.REPLICATIONS)


QUICK = [{"name": "quick", "within": "2m"}]


@pytest.fixture(scope="module")
def measured(desk: wf.Workflow, plan: wf.Scenario) -> dict[str, Mapping[str, Estimate]]:
    """The measures of one run, by what of it was logged."""
    logs: tuple[Log, ...] = get_args(Log)
    return {log: wf.simulate(desk, plan.changed(slas=QUICK), cases=40, log=log).summary() for log in logs}


@pytest.mark.parametrize(
    ("text", "key", "limit"),
    [
        ("p95(sojourn) < 4h", "sojourn.p95", 14_400.0),
        (" mean( sojourn )<=90s ", "sojourn.mean", 90.0),
        ("share(failure) < 2.5%", "outcomes.completed/failure", 0.025),
        ("share(success) >= 0.9", "outcomes.completed/success", 0.9),
        ("share(timed_out) < 1 %", "outcomes.timed_out", 0.01),
        ("utilisation(clerks) < 0.9", "pools.clerks.utilisation", 0.9),
        ("mean_wait(clerks) < 2m30s", "pools.clerks.wait", 150.0),
        ("mean_queue(clerks) > 3", "pools.clerks.queue", 3.0),
        ("mean_time(served) < 10m", "states.served.time", 600.0),
        ("kept(quick) >= 95%", "slas.quick.share", 0.95),
    ],
)
def test_a_requirement_names_a_measure_and_a_limit(
    desk: wf.Workflow,
    plan: wf.Scenario,
    measured: dict[str, Mapping[str, Estimate]],
    text: str,
    key: str,
    limit: float,
) -> None:
    plan = plan.changed(slas=QUICK)
    found = parse_requirement(text, compile_workflow(desk), plan)
    assert (found.key, found.limit) == (key, pytest.approx(limit))
    # Each measure is one of a summary, or the share of an ending that no case had; and its log level is enough for it.
    measures, logged = measured["full"], measured[found.log]
    assert key in measures or key.startswith("outcomes.")
    assert logged.get(key) == measures.get(key)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p95(sojourn)", "is no requirement. Write <measure>"),
        ("p95 sojourn < 4h", "is no requirement"),
        ("__import__('os').system('x') < 3", "is no requirement"),
        ("p96(sojourn) < 4h", "there is no measure 'p96'. Did you mean 'p9"),
        ("p95(time) < 4h", "p95 is of one of: sojourn; not of 'time'"),
        ("share(lost) < 4%", "share is of one of: success, failure, failed, cancelled, terminated, timed_out; not of"),
        ("utilisation(clerk) < 0.9", "utilisation is of one of: clerks; not of 'clerk'. Did you mean 'clerks'"),
        ("mean_time(server) < 1h", "Did you mean 'served'"),
        ("kept(quick) > 95%", "kept is of one of: nothing here; not of 'quick'"),
        ("p95(sojourn) < soon", "such_that='p95(sojourn) < soon': "),
        ("share(failure) < 4h", "the limit '4h' is not a share, as 0.05 or 5%"),
        ("mean_queue(clerks) < 5%", "the limit '5%' is not a number"),
        (None, "such_that=None is no requirement"),
    ],
)
def test_what_is_no_requirement_is_refused_with_what_there_is(
    desk: wf.Workflow, plan: wf.Scenario, text: Any, told: str
) -> None:
    with pytest.raises(OptionError) as error:
        parse_requirement(text, compile_workflow(desk), plan)
    assert told in str(error.value)


def test_only_a_whole_interval_on_one_side_decides(desk: wf.Workflow, plan: wf.Scenario) -> None:
    program = compile_workflow(desk)
    below, least = (parse_requirement(f"mean(sojourn) {sign} 10s", program, plan) for sign in ("<", ">="))
    for low, high, first, second in (
        (1.0, 9.9, "holds", "fails"),
        (1.0, 10.0, "open", "open"),
        (9.0, 11.0, "open", "open"),
        (10.0, 11.0, "fails", "holds"),
        (None, None, "open", "open"),
    ):
        found = estimate(low, high)
        assert (str(below.judge(found)), str(least.judge(found))) == (first, second)


def searched(signs: str) -> tuple[Bisection, list[int]]:
    asked: list[int] = []

    def tried(value: int) -> Trial:
        asked.append(value)
        return Trial(value, estimate(None, None), 20, SIGNS[signs[value - 1]])

    found = Bisection(tried, 1, len(signs))
    found.search()
    return found, asked


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 33])
def test_bisection_brackets_the_border_wherever_it_lies_and_however_wide_the_doubt(size: int) -> None:
    for fails in range(size + 1):
        for doubt in range(size + 1 - fails):
            holds = size - fails - doubt
            found, asked = searched("-" * fails + "?" * doubt + "+" * holds)
            assert found.low == fails + 1
            assert found.high == (fails + doubt + 1 if holds else None)
            assert len(asked) == len(set(asked)) <= 2 * math.ceil(math.log2(size + 1)) + 1
            assert list(found.contradictions()) == []
            if holds and not doubt and fails:
                # Both sides of the border were looked at.
                assert {fails, fails + 1} <= set(asked)


def test_what_is_not_monotone_is_told_and_gives_no_answer(desk: wf.Workflow, plan: wf.Scenario) -> None:
    found, _ = searched("?+???-+")
    assert list(found.contradictions()) == [(2, 6)]
    requirement = parse_requirement("mean(sojourn) < 1h", compile_workflow(desk), plan)
    told = answer("cases", requirement, found, 0.95, [])
    assert (told.value, told.reason) == (None, "no answer: `mean(sojourn) < 1h` holds with 2, and fails with 6.")


def test_the_smallest_pool_is_found_with_both_sides_of_the_border(desk: wf.Workflow, plan: wf.Scenario) -> None:
    found = wf.smallest(
        desk,
        plan.changed(cases=40, activities={"serve": {"duration": "1m"}}),
        pool="clerks",
        such_that="mean_wait(clerks) < 10s",
        between=(1, 8),
        replications=3,
    )
    assert found.value == found.low == found.high
    judged = {trial.value: str(trial.judgement) for trial in found.trials}
    assert judged[found.value] == "holds"
    assert judged[found.value - 1] == "fails"
    assert f"pools.clerks.capacity = {found.value}: `mean_wait(clerks) < 10s` holds; with" in found.reason
    swept = wf.sweep(
        desk,
        plan.changed(cases=40, activities={"serve": {"duration": "1m"}}),
        over={"pools.clerks.capacity": [found.value]},
        replications=3,
    )
    (own,) = [trial for trial in found.trials if trial.value == found.value]
    if own.replications == 3:
        assert own.estimate == swept.estimate(0, "pools.clerks.wait")
    assert found.df()["value"].tolist() == sorted(judged)
    for shown in (repr(found), found._repr_html_()):
        assert "Taken for granted: what holds for a value holds for larger ones." in shown
        assert "pools.clerks.capacity" in shown


def test_the_smallest_pool_that_keeps_a_promise_is_found(desk: wf.Workflow, plan: wf.Scenario) -> None:
    plan = plan.changed(slas=[{"name": "quick", "until": "gone", "within": "4m"}])
    found = wf.smallest(desk, plan, pool="clerks", such_that="kept(quick) > 50%", between=(1, 2), replications=4)
    assert found.value is not None
    shares = {trial.value: trial.estimate for trial in found.trials}
    before, here = shares[found.value - 1], shares[found.value]
    assert before.high is not None
    assert here.low is not None
    assert before.high < 0.5 < here.low


def test_where_intervals_do_not_tell_more_replications_are_taken_and_then_it_says_so(
    desk: wf.Workflow, plan: wf.Scenario
) -> None:
    mean = wf.simulate(desk, plan, replications=8).summary()["sojourn.mean"].value
    found = wf.smallest(
        desk, plan, pool="clerks", such_that=f"mean(sojourn) < {mean:.6f}s", between=(2, 2), replications=2
    )
    assert (found.value, found.high, found.low) == (None, None, 2)
    assert [trial.replications for trial in found.trials] == [8]
    assert "cannot tell whether `mean(sojourn)" in found.reason


def test_a_share_that_no_case_has_is_none_of_them(desk: wf.Workflow, plan: wf.Scenario) -> None:
    found = wf.smallest(desk, plan, pool="clerks", such_that="share(terminated) < 50%", between=(1, 1), replications=2)
    assert found.value == 1
    assert found.trials[0].estimate.value == 0.0
    assert "the least that was to be tried" in found.reason


def test_none_is_told_where_even_the_most_fails(desk: wf.Workflow, plan: wf.Scenario) -> None:
    found = wf.smallest(
        desk, plan, key="pools.clerks.capacity", such_that="mean(sojourn) < 1s", between=(1, 4), replications=2
    )
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.reason == "none from 1 to 4: even with 4 `mean(sojourn) < 1s` fails."


def test_arguments_that_do_not_go_together_are_refused(desk: wf.Workflow, plan: wf.Scenario) -> None:
    def refused(told: str, **arguments: Any) -> None:
        with pytest.raises((OptionError, ScenarioError, TypeError), match=told):
            wf.smallest(desk, plan, **({"such_that": "mean(sojourn) < 1h"} | arguments))

    refused("give pool, or the key of something else; given are pool=None and key=None")
    refused("given are pool='clerks' and key='cases'", pool="clerks", key="cases")
    refused("no activity uses the pool 'clercs'", pool="clercs")
    refused(r"between=3: give the least and the most", pool="clerks", between=3)
    refused(r"the most of between must be at least 5, not 2", pool="clerks", between=(5, 2))
    refused(r"point 0 \(pools.clerks.capacity = 0\)", pool="clerks", between=(0, 2))
    refused("replications must be at least 2, not 1", pool="clerks", replications=1)
