"""The process map as its pages see it, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.pages import Page
from wfsim.errors import HistoryError
from wfsim.model.picture import edge_ids


@pytest.fixture(scope="module")
def history() -> wf.History:
    workflow = wf.load("models/order_processing.yaml")
    return wf.simulate(workflow, "models/order_processing.scenario.yaml", cases=80, progress=False)


@pytest.fixture(scope="module")
def busy() -> wf.History:
    workflow = wf.load("models/order_processing.yaml")
    plan = wf.load_scenario("models/order_processing.scenario.yaml")
    more = {name: plan.activities[name].model_copy(update={"failures": ()}) for name in plan.activities}
    return wf.simulate(workflow, plan.changed(activities=more, seed=3), cases=50, progress=False)


def shades(scene: dict[str, Any]) -> dict[str, int]:
    drawn = (*scene["picture"]["nodes"], *scene["picture"]["edges"])
    return {each["id"]: each["shade"] for each in drawn if each["shade"]}


def test_the_first_scene_has_widths_shades_and_paths(history: wf.History) -> None:
    page = Page(wf.FlowMap(history))
    scene = page.scene
    assert scene["head"]["said"] == "how often; 80 cases"
    drawn = {edge["id"] for edge in scene["picture"]["edges"]}
    assert set(scene["widths"]) <= drawn
    assert max(scene["widths"].values()) == 9.0
    assert set(shades(scene).values()) <= {1, 2, 3, 4, 5}
    assert shades(scene)["state:created"] == 5
    assert sum(variant["cases"] for variant in scene["variants"]) == 80
    assert scene["detail"] is None


def test_another_measure_is_drawn_and_an_unknown_one_is_refused(history: wf.History) -> None:
    page = Page(wf.FlowMap(history))
    for measure in ("time", "waiting", "retries", "timeouts"):
        assert page.ask("measure", measure=measure) == ""
        assert page.scene["measure"] == measure
    assert "measure='costs' is none of" in page.ask("measure", measure="costs")
    assert page.scene["measure"] == "timeouts"


def test_the_slider_leaves_rare_paths_out(history: wf.History) -> None:
    page = Page(wf.FlowMap(history))
    assert page.ask("share", percent=60) == ""
    shown = [variant["cases"] for variant in page.scene["variants"] if variant["shown"]]
    assert 48 <= sum(shown) < 80
    assert f"{sum(shown)} cases of 80, {len(shown)} of" in page.scene["head"]["said"]
    assert "0 % of the cases cannot be shown" in page.ask("share", percent=0)


def test_an_arrow_leads_to_its_sql_and_cases_and_a_case_into_the_stepper(history: wf.History) -> None:
    shown = wf.FlowMap(history)
    page = Page(shown)
    page.ask("select", id="transition:5")
    detail = page.scene["detail"]
    found = history.sql(detail["query"]).fetchall()
    assert [(row["run"], row["case"]) for row in detail["rows"]] == [row[:2] for row in found[:50]]
    assert detail["title"] == "validated → payment_pending on payment_initiated"
    assert all(len(row["time"]) < 10 for row in detail["rows"])
    first = detail["rows"][0]
    assert page.ask("open", run=first["run"], case=first["case"]) == ""
    assert page.scene["stepper"]
    stepper = page.raw({"type": "hello", "for": "stepper"})
    assert (stepper["for"], stepper["scene"]["picture"]["title"]) == ("stepper", "order_processing 2.0.0")
    moved = page.raw({"type": "jump", "to": 3, "for": "stepper"})
    assert (moved["for"], moved["changes"]["head"]["cursor"]) == ("stepper", 3)
    assert page.raw({"type": "jump", "to": 3})["type"] == "problem"
    page.ask("close")
    assert page.scene["stepper"] == ""
    assert "there is no case 999" in page.ask("open", run=1, case=999)


def test_a_path_leads_to_its_cases_and_is_lit_where_they_went(history: wf.History) -> None:
    page = Page(wf.FlowMap(history))
    page.ask("select", id="path:1")
    variant, detail = page.scene["variants"][1], page.scene["detail"]
    assert detail["title"] == f"path 2: {variant['label']}"
    found = history.sql(detail["query"]).fetchall()
    assert len(found) == variant["cases"]
    entered = {f"state:{state}" for state in variant["label"].split(" → ")}
    along = page.scene["along"]
    assert {name for name in along if name.startswith("state:")} == entered
    taken = set()
    for run, case, *_ in found:
        numbers = [
            each.payload["transition"] for each in history.case(case, run=run).records() if each.kind == "transition"
        ]
        taken |= {edge_ids(page.shown.flows.workflow)[number] for number in numbers}
    assert {name for name in along if name.startswith("transition:")} == taken
    assert page.ask("open", run=found[0][0], case=found[0][1]) == ""
    page.ask("select", id="")
    assert (page.scene["along"], page.scene["detail"]) == ({}, None)
    page.ask("share", percent=1)
    for unknown in ("path:1", "path:99", "path:-1", "path:x"):
        page.ask("select", id=unknown)
        assert page.scene["detail"] is None


def test_two_runs_of_one_history_are_compared() -> None:
    workflow = wf.load("models/order_processing.yaml")
    both = wf.simulate(workflow, "models/order_processing.scenario.yaml", cases=40, replications=2, progress=False)
    shown = wf.FlowMap(both, 2, run=1)
    assert Page(shown).scene["head"]["said"] == "how often; 40 cases; compared with 40 cases"
    here, there = (each for each in shown.flow._at(1.0) if each is not None)
    assert here.states != there.states
    with pytest.raises(HistoryError, match="no run 3"):
        wf.FlowMap(both, 3, run=1)


def test_a_state_leads_to_its_stays(history: wf.History) -> None:
    page = Page(wf.FlowMap(history))
    page.ask("select", id="state:shipped")
    assert page.scene["detail"]["title"] == "in shipped"
    assert len(page.scene["detail"]["rows"]) == 50
    page.ask("select", id="state:nowhere")
    assert page.scene["detail"] is None


def test_two_histories_are_compared_by_the_shares_of_their_cases(history: wf.History, busy: wf.History) -> None:
    shown = wf.FlowMap(history, busy)
    scene = Page(shown).scene
    assert scene["compared"]
    assert scene["head"]["said"].endswith("compared with 50 cases")
    here, there = (each.states for each in shown.flow._at(1.0) if each is not None)
    for path in here.keys() & there.keys():
        gap = here[path].n / 80 - there[path].n / 50
        shade = shades(scene).get(f"state:{path}", 0)
        assert shade == 0 if gap == 0 else (shade > 0) == (gap > 0)
    same = Page(wf.FlowMap(history, history)).scene
    assert shades(same) == {}


def test_what_cannot_be_shown_is_refused_in_a_sentence(history: wf.History) -> None:
    with pytest.raises(TypeError, match="FlowMap takes a history"):
        wf.FlowMap(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="FlowMap takes a history"):
        wf.FlowMap(history, "orders.duckdb")  # type: ignore[arg-type]
    other = wf.simulate(wf.new("approval"), cases=3, progress=False)
    with pytest.raises(HistoryError, match="of different workflows"):
        wf.FlowMap(history, other)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "measure"},
        {"type": "share", "percent": "60"},
        {"type": "share", "percent": True},
        {"type": "select", "id": 3},
        {"type": "open", "run": 1},
        {"type": "drop"},
        {"type": "jump", "for": "stepper"},
        {"type": ["measure"]},
    ],
)
def test_hostile_messages_are_refused(history: wf.History, message: dict[str, Any]) -> None:
    page = Page(wf.FlowMap(history))
    assert page.raw(message)["type"] == "problem"


def test_names_that_break_out_of_sql_find_nothing(history: wf.History) -> None:
    page = Page(wf.FlowMap(history))
    page.ask("select", id="state:x' OR 1=1 --")
    assert page.scene["detail"] is None
    assert history.sql("SELECT count(*) FROM records").fetchall()[0][0] > 0


def test_it_leaves_a_picture_with_words(history: wf.History) -> None:
    shown = wf.FlowMap(history)
    shown.show("time", share=0.9)
    svg, said = shown.seen()
    assert svg.startswith("<svg")
    assert said.startswith("FlowMap of order_processing: mean time; ")
    assert repr(shown).startswith("<FlowMap of order_processing: mean time; ")
