"""Which points a sweep has, and what is refused before anything runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wfsim as wf
from wfsim.errors import OptionError, ScenarioError
from wfsim.experiments.points import Point, point_named, points_of
from wfsim.model.catalogue import Catalogue


def points(desk: wf.Workflow, plan: wf.Scenario, over: Any) -> list[Point]:
    return points_of(over, plan, desk, Catalogue([desk]))


def test_a_grid_has_every_combination_the_last_key_changing_first(desk: wf.Workflow, plan: wf.Scenario) -> None:
    found = points(desk, plan, {"pools.clerks.capacity": [1, 2], "arrivals.poisson": ["60/h", "90/h", "120/h"]})
    assert [tuple(point.values.values()) for point in found][:4] == [
        (1, "60/h"),
        (1, "90/h"),
        (1, "120/h"),
        (2, "60/h"),
    ]
    assert [point.number for point in found] == list(range(6))
    assert found[4].scenario.pools["clerks"].capacity == 2
    assert found[4].scenario == plan.changed(arrivals={"poisson": "90/h"})


def test_durations_and_numbers_of_numpy_are_told_as_they_stand_in_a_file(desk: wf.Workflow, plan: wf.Scenario) -> None:
    found = points(desk, plan, {"horizon": [wf.Duration.of("90m")], "pools.clerks.capacity": np.arange(1, 3)})
    assert [str(point) for point in found] == [
        'point 0 (horizon = "1h30m", pools.clerks.capacity = 1)',
        'point 1 (horizon = "1h30m", pools.clerks.capacity = 2)',
    ]
    assert point_named(found, {"pools.clerks.capacity": np.int64(2)}).scenario.horizon == wf.Duration.of("90m")


def test_a_list_of_points_is_taken_as_it_is(desk: wf.Workflow, plan: wf.Scenario) -> None:
    found = points(desk, plan, [{}, {"cases": 3, "pools.clerks.capacity": 4}])
    assert found[0].scenario == plan
    assert (found[1].scenario.cases, found[1].scenario.pools["clerks"].capacity) == (3, 4)


def test_keys_are_those_of_a_file_where_python_has_another_word(desk: wf.Workflow, plan: wf.Scenario) -> None:
    outage = {"from": "1h", "until": "2h", "hangs": True}
    plan = plan.changed(activities={"serve": {"duration": "1m", "outages": [outage]}})
    (early, late) = points(desk, plan, {"activities.serve.outages.0.from": ["30m", "90m"]})
    assert [each.scenario.activities["serve"].outages[0].from_ for each in (early, late)] == [
        wf.Duration.of("30m"),
        wf.Duration.of("90m"),
    ]
    told, other = (wf.simulate(desk, each.scenario, cases=20, replications=1) for each in (early, late))
    changed = "activities.serve.outages: "
    assert f'{changed}[{{"from": "30m"' in str(wf.compare(told, other))


def test_a_number_in_a_key_counts_in_a_list(plan: wf.Scenario) -> None:
    changed = plan.changed(**{"activities.serve.failures.1.probability": 0.5})
    assert [each.probability for each in changed.activities["serve"].failures] == [0.1, 0.5, 0.1]
    assert [each.probability for each in plan.activities["serve"].failures] == [0.1, 0.1, 0.1]


def test_a_key_that_is_not_there_yet_is_made_and_one_with_dots_in_it_is_found() -> None:
    bare = wf.Scenario.model_validate({"workflows": {"mail 1.0.0": {"patience": 3}}})
    changed = bare.changed(**{"pools.clerks.capacity": 2, "workflows.mail 1.0.0.patience": 7})
    assert changed.pools["clerks"].capacity == 2
    assert changed.workflows["mail 1.0.0"].patience == 7


@pytest.mark.parametrize(
    ("over", "told"),
    [
        (
            {"pools.clercs.capacity": [1]},
            r"point 0 \(pools.clercs.capacity = 1\): .*no activity uses .* 'clercs'",
        ),
        ({"pools.clerks.capacity": [1, 0]}, r"point 1 \(pools.clerks.capacity = 0\): .*expected 1 or more, found .* 0"),
        ({"pools.clerks.capacities": [1]}, r"'capacities' is not a key of a pool.*Did you mean 'capacity'\?"),
        (
            {"activities.pay.duration": ["5m"]},
            r"point 0 \(activities.pay.duration = .5m.\).*activity 'pay' does not",
        ),
        ({"activities.serve.failures.3.probability": [0]}, r"no entry '3' in a list of 3\. Entries count from 0"),
        ({"cases.x": [0]}, r"'cases' has the value 15, so nothing lies below it"),
    ],
)
def test_a_point_that_does_not_fit_is_named(desk: wf.Workflow, plan: wf.Scenario, over: Any, told: str) -> None:
    with pytest.raises(ScenarioError, match="(?s)" + told):
        points(desk, plan, over)


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({}, "over has no points"),
        ([], "over has no points"),
        ({"cases": 3}, r"over\['cases'\]: give a list of the values to try, not 3"),
        ({"cases": "123"}, "give a list of the values to try, not '123'"),
        ({"cases": []}, "give a list of the values to try"),
        ("cases", "over is a mapping from keys to lists of values, or a list of points"),
        ([3], "each point is a mapping from keys to values, not 3"),
        ({"seed": [1, 2]}, "'seed' cannot be swept. All points draw the same random numbers"),
        ({"replications": [1]}, "'replications' cannot be swept"),
        ({"pools": [{}], "pools.clerks.capacity": [1]}, "'pools.clerks.capacity' lies inside 'pools'"),
        ({"pools..capacity": [1]}, "no dotted key"),
        ({"cases": range(1, 1001), "patience": range(1, 1001)}, "1,000,000 points, more than 100,000"),
    ],
)
def test_what_gives_no_points_is_refused(desk: wf.Workflow, plan: wf.Scenario, over: Any, told: str) -> None:
    with pytest.raises(OptionError, match=told):
        points(desk, plan, over)


def test_a_point_is_found_by_number_or_values(desk: wf.Workflow, plan: wf.Scenario) -> None:
    found = points(desk, plan, {"pools.clerks.capacity": [1, 2], "cases": [3, 4]})
    assert point_named(found, 3).number == 3
    assert point_named(found, {"pools.clerks.capacity": 2, "cases": 3}).number == 2
    with pytest.raises(OptionError, match=r"there is no point 4\. Points: 0 to 3"):
        point_named(found, 4)
    with pytest.raises(OptionError, match=r"2 points have {'cases': 3}: point 0 "):
        point_named(found, {"cases": 3})
    with pytest.raises(OptionError, match=r"no point has the key 'case'\. Did you mean 'cases'"):
        point_named(found, {"case": 3})
