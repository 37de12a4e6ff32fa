"""Knobs of scenarios and definitions: each changes what it says and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import ScenarioError, WfsimError
from wfsim.widgets.knobs import GROUPS, Knob
from wfsim.widgets.scenario_knobs import scaled
from wfsim.widgets.settings import Bench, Settings

MODELS = ("loan_application", "order_fulfilment", "order_processing", "travel_booking")


def bench_of(name: str) -> Bench:
    return Bench(wf.load(f"models/{name}.yaml"), wf.load_scenario(f"models/{name}.scenario.yaml"), "models")


def flat(model: wf.Workflow | wf.Scenario) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, each in value.items():
                walk(f"{path}.{key}" if path else key, each)
        elif isinstance(value, list) and value:
            for number, each in enumerate(value):
                walk(
                    f"{path}.{number}"
                    if not isinstance(each, dict) or "name" not in each
                    else f"{path}.{each['name']}",
                    each,
                )
        else:
            found[path] = value

    walk("", json.loads(model.model_dump_json(by_alias=True, exclude_unset=True)))
    return found


def changed(bench: Bench, settings: Settings) -> dict[str, Any]:
    """What differs in scenario and workflow, by dotted key."""
    differ: dict[str, Any] = {}
    for before, after in ((bench.scenario, settings.scenario), (bench.workflow, settings.workflow)):
        one, other = flat(before), flat(after)
        differ |= {key: other.get(key) for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    return differ


@pytest.mark.parametrize("name", MODELS)
def test_every_knob_changes_what_stands_at_its_place_and_nothing_else(name: str) -> None:
    bench = bench_of(name)
    base = bench.settings({})
    assert (base.scenario, base.workflow, base.differences) == (bench.scenario, bench.workflow, [])
    for knob in bench.knobs.values():
        if knob.group == "outage":
            continue
        value = next(each for each in (knob.values[-2], knob.values[0]) if each != knob.original)
        settings = base.with_value(knob.id, value)
        places = changed(bench, settings)
        assert places, knob.where
        assert all(place == knob.where or place.startswith(f"{knob.where}.") for place in places), (knob.where, places)
        assert [each.after for each in settings.differences] == [knob.unit.told(value)]
        assert (settings.scenario is bench.scenario) == (knob.whose == "workflow")
        assert (settings.workflow is bench.workflow) == (knob.whose == "scenario")
        assert settings.without(knob.id) == base


@pytest.mark.parametrize("name", MODELS)
def test_a_slider_holds_the_original_and_what_it_says_is_read_as_the_same_value(name: str) -> None:
    bench = bench_of(name)
    assert {knob.group for knob in bench.knobs.values()} <= set(GROUPS)
    for knob in bench.knobs.values():
        assert list(knob.values) == sorted(set(knob.values))
        assert knob.values[knob.position(knob.original)] == knob.original
        for position, value in enumerate(knob.values):
            assert knob.read(knob.unit.told(value)) == pytest.approx(value, rel=1e-9)
            assert (knob.at(position), knob.position(value)) == (value, position)


def test_the_order_workflow_has_the_knobs_that_people_ask_for() -> None:
    labels = {knob.label: knob.unit.told(knob.original) for knob in bench_of("order_processing").knobs.values()}
    wanted = {
        "cases come, by chance": "240/h",
        "packers": "8 workers",
        "payment_pending may last": "2h",
        "charge_card may take": "1m",
        "the whole workflow may take": "60d",
        "charge_card fails with Network": "4 %",
        "pack_order fails": "0 %",
        "charge_card never reports": "0.2 %",
        "pack_order takes": "× 1",
        "refund_payment: tried at most": "5 attempts",
        "out of service": "nothing",
        "from": "0s",
        "for": "0s",
    }
    assert wanted.items() <= labels.items()


def test_an_outage_of_a_pool_is_a_window_before_others_of_each_activity_that_asks_for_it() -> None:
    bench = bench_of("order_processing")
    base = bench.settings({})
    knob = bench.knob("outage.of")
    settings = base.with_value(knob.id, knob.read("pool packers"))
    # Without a length nothing is out of service.
    assert settings.scenario.activities == bench.scenario.activities
    settings = settings.with_value(bench.knob("outage.from").id, bench.knob("outage.from").read("2h"))
    settings = settings.with_value(bench.knob("outage.for").id, bench.knob("outage.for").read("30m"))
    window = {"from": "2h", "until": "150m", "error_type": "Outage"}
    found = {
        name: plan.model_dump(mode="json", by_alias=True, exclude_unset=True).get("outages")
        for name, plan in settings.scenario.activities.items()
    }
    assert {name for name, outages in found.items() if outages} == {
        "allocate_inventory",
        "release_inventory",
        "pack_order",
    }
    assert all(outages == [window] for outages in found.values() if outages)


@pytest.mark.parametrize(
    ("given", "twice"),
    [
        ("90s", "3m"),
        ({"exponential": {"mean": "1h"}}, {"exponential": {"mean": "2h"}}),
        ({"lognormal": {"mean": "1h", "cv": 0.5}}, {"lognormal": {"mean": "2h", "cv": 0.5}}),
        ({"erlang": {"shape": 3, "mean": "1m"}}, {"erlang": {"shape": 3, "mean": "2m"}}),
        (
            {"empirical": {"values": ["1s", "2s"], "weights": [3, 4]}},
            {"empirical": {"values": ["2s", "4s"], "weights": [3, 4]}},
        ),
        (
            {
                "mixture": {
                    "of": [{"weight": 9, "uniform": {"low": "0s", "high": "1s"}}, {"weight": 1, "constant": "1h"}]
                }
            },
            {
                "mixture": {
                    "of": [{"weight": 9, "uniform": {"low": "0s", "high": "2s"}}, {"weight": 1, "constant": "2h"}]
                }
            },
        ),
    ],
)
def test_a_factor_scales_the_times_of_a_distribution_and_not_its_shape(given: Any, twice: Any) -> None:
    assert scaled(given, 2.0) == twice


@pytest.mark.parametrize(
    ("arrivals", "value", "there"),
    [
        ({"every": "30s"}, "1m", {"every": "1m"}),
        ({"renewal": {"exponential": {"mean": "1h"}}}, "× 0.5", {"renewal": {"exponential": {"mean": "30m"}}}),
        (
            {"rates": [{"until": "8h", "rate": "0/h"}, {"rate": "90/h"}], "repeat": "1d"},
            "× 2",
            {"rates": [{"until": "8h", "rate": "0/h"}, {"rate": "180/h"}], "repeat": "1d"},
        ),
        ({"closed": {"population": 20}}, "30", {"closed": {"population": 30}}),
        ({"poisson": "0.5/s"}, "1/m", {"poisson": "0.0166667/s"}),
    ],
)
def test_arrivals_are_turned_in_each_way_in_which_they_come(arrivals: Any, value: str, there: Any) -> None:
    workflow = wf.new("approval")
    bench = Bench(workflow, wf.default_scenario(workflow).changed(arrivals=arrivals))
    (knob,) = (each for each in bench.knobs.values() if each.group == "arrivals")
    settings = bench.settings({knob.id: knob.read(value)})
    assert settings.scenario.arrivals.model_dump(mode="json", exclude_unset=True) == there


def refused(knob: Knob, text: str) -> str:
    with pytest.raises(WfsimError) as error:
        knob.read(text)
    return str(error.value)


def test_what_cannot_be_entered_is_refused_with_knob_value_and_range() -> None:
    bench = bench_of("order_processing")
    packers, limit = bench.knob("pools.packers.capacity"), bench.knob("states.payment_pending.timeout")
    assert refused(packers, "0") == "packers: 0 workers is out of range. Enter 1 worker to 1,000,000 workers."
    assert "2.5 is no whole number of workers" in refused(packers, "2.5")
    assert "'many' cannot be read. Write a whole number of workers" in refused(packers, "many")
    for hostile in ("1e999", "NaN", "9" * 500, "٣", "", "1/0"):
        assert "packers" in refused(packers, hostile)
    assert "payment_pending may last: 'soon' is not a duration" in refused(limit, "soon")
    failing = bench.knob("activities.allocate_inventory.failures.0.probability")
    assert "120 % is out of range. Enter 0 % to 99 %" in refused(failing, "120 %")
    with pytest.raises(WfsimError, match=r"Did you mean 'pools.packers.capacity'"):
        bench.knob("pools.packer.capacity")
    with pytest.raises(WfsimError, match="no place -1 on a slider of"):
        packers.at(-1)


def test_values_that_do_not_go_together_are_told_when_they_are_used() -> None:
    bench = bench_of("order_processing")
    both = {f"scenario:activities.allocate_inventory.failures.{number}.probability": 0.7 for number in (0, 1)}
    with pytest.raises(ScenarioError, match=r"allocate_inventory: the probabilities of failure add up to 1.4"):
        bench.settings(both).scenario  # noqa: B018


def test_a_scenario_for_another_workflow_has_no_bench() -> None:
    with pytest.raises(ScenarioError, match="is for workflow 'order_processing'"):
        Bench(wf.new("approval"), wf.load_scenario("models/order_processing.scenario.yaml"))


def test_names_with_dots_are_turned_where_they_stand_and_offered_nowhere_else() -> None:
    states = "states: [{name: a, activity: x.y}, {name: b, activity: u.v}, {name: c, is_terminal: true}]"
    transitions = "transitions: [{from: a, to: b, event: done}, {from: b, to: c, event: done}]"
    workflow = wf.loads(f"name: n\ninitial_state: a\nactivities: {{x.y: {{}}, u.v: {{}}}}\n{states}\n{transitions}\n")
    scenario = wf.Scenario.model_validate({"activities": {"x.y": {"duration": "1h"}}, "cases": 5})
    bench = Bench(workflow, scenario)
    assert not [knob for knob in bench.knobs.values() if "u.v" in knob.where]
    settings = bench.settings({"scenario:activities.x.y.duration": 2.0})
    assert settings.scenario.model_dump(mode="json", exclude_unset=True)["activities"] == {"x.y": {"duration": "2h"}}
