"""The lab as its pages see it, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.pages import Page
from tests.tuned import claims, claims_scenario
from wfsim.errors import HistoryError
from wfsim.widgets import tuning as tunings
from wfsim.widgets.charts import axis_of
from wfsim.widgets.figures import OTHER
from wfsim.widgets.trial import QUICK_CASES, REPLICATIONS

CAPACITY = "scenario:pools.clerks.capacity"


@pytest.fixture
def lab() -> wf.Lab:
    found = wf.Lab(claims(), claims_scenario())
    found.tuning.wait()
    return found


@pytest.fixture(scope="module")
def still() -> wf.Lab:
    """A lab that nothing changes."""
    return wf.Lab(claims(), claims_scenario(5))


class LabPage(Page):
    """The page of a lab."""

    def settled(self) -> dict[str, Any]:
        self.shown.tuning.wait()
        assert self.ask("look") == ""
        return self.scene

    def chart(self, id: str) -> dict[str, Any]:
        return next(dict(each) for each in self.scene["charts"] if each["id"] == id)


def test_the_first_scene_has_knobs_by_group_charts_with_intervals_and_verdicts(lab: wf.Lab) -> None:
    scene = LabPage(lab).scene
    assert scene["head"] == {
        "said": "300 cases in 5 replications",
        "stale": False,
        "trying": False,
        "judging": False,
        "unjudged": False,
        "problem": "",
    }
    assert [each["id"] for each in scene["groups"]] == ["arrivals", "pools", "times", "failures", "outage"]
    assert {each["group"] for each in scene["knobs"].values()} == {each["id"] for each in scene["groups"]}
    knob, stand = scene["knobs"][CAPACITY], scene["stands"][CAPACITY]
    assert (knob["label"], knob["where"], knob["original"]) == ("clerks", CAPACITY.replace(":", ": "), "2 workers")
    assert knob["texts"][stand["position"]] == stand["text"] == "2 workers"
    assert not stand["turned"]
    assert [each["id"] for each in scene["charts"]] == ["occupancy", "sojourn", "waiting", "utilisation", "outcomes"]
    marks = [mark for chart in scene["charts"][1:] for row in chart["rows"] for mark in row["marks"]]
    assert marks
    assert all(mark["span"] or mark["note"] for mark in marks)
    assert all(0.0 <= place <= 1.0 for mark in marks for place in (mark["at"], *(mark["span"] or ())))
    assert {each["name"]: each["status"] for each in scene["verdicts"]}["states reachable"] == "holds"


def test_a_slider_that_was_moved_is_shown_at_once_and_its_figures_when_they_have_come(lab: wf.Lab) -> None:
    page = LabPage(lab)
    before = page.chart("utilisation")
    assert page.ask("move", knob=CAPACITY, position=3) == ""
    assert page.scene["stands"][CAPACITY] == {"position": 3, "text": "4 workers", "turned": True}
    assert page.scene["differs"] == ["clerks: 2 workers → 4 workers"]
    page.settled()
    assert not page.scene["head"]["stale"]
    assert page.chart("utilisation") != before
    assert lab.scenario.pools["clerks"].capacity == 4
    assert page.ask("enter", knob=CAPACITY, text="17 workers") == ""
    assert page.scene["stands"][CAPACITY] == {"position": 9, "text": "17 workers", "turned": True}
    assert page.ask("reset", knob="") == ""
    assert page.settled()["differs"] == []
    assert page.chart("utilisation") == before
    assert lab.scenario is lab.tuning.bench.scenario


def test_while_figures_are_on_their_way_those_of_earlier_settings_are_shown_as_such(
    lab: wf.Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = LabPage(lab)
    before = page.scene["charts"]
    knob = "scenario:activities.check.failures.0.probability"
    both = {"knob": knob, "text": "95 %"}, {"knob": knob.replace(".0.", ".1."), "text": "90 %"}
    for each in both:
        page.ask("enter", **each)
    scene = page.settled()
    assert scene["head"]["stale"]
    assert "the probabilities of failure add up to 1.85" in scene["head"]["problem"]
    assert scene["charts"] == before
    assert "add up to 1.85" in page.ask("save")


def test_what_is_pinned_stands_beside_now_in_a_place_of_its_own_and_is_compared(lab: wf.Lab) -> None:
    page = LabPage(lab)
    assert page.ask("pin", name="two clerks") == ""
    page.ask("enter", knob=CAPACITY, text="5")
    scene = page.settled()
    assert [(run["place"], run["name"]) for run in scene["runs"]] == [(0, "now"), (1, "two clerks")]
    assert [mark["run"] for mark in page.chart("sojourn")["rows"][0]["marks"]] == [0, 1]
    page.settled()
    row = scene["comparison"]["rows"][0]
    assert row["label"] == "From start to end: mean"
    assert row["clear"] == "less"
    assert row["difference"].startswith("−")
    assert " to " in row["interval"]
    assert page.ask("focus", state="checking") == ""
    lines = page.chart("occupancy")
    assert [line["name"] for line in lines["lines"]] == ["now", "two clerks"]
    assert [line["colour"] for line in lines["lines"]] == [0, 1]
    assert page.ask("focus", state="nowhere") == ""
    assert page.chart("occupancy")["focus"] == ""
    assert page.ask("take", name="two clerks") == ""
    assert page.settled()["differs"] == []
    assert page.ask("compare", name="") == ""
    assert page.scene["comparison"] is None
    assert page.ask("unpin", name="two clerks") == ""
    assert len(page.scene["runs"]) == 1
    assert "nothing is pinned as" in page.ask("unpin", name="two clerks")


def test_the_workflow_is_drawn_when_it_is_asked_for_the_fuller_a_state_the_darker(lab: wf.Lab) -> None:
    page = LabPage(lab)
    assert (page.scene["picture"], page.scene["shades"]) == (None, {})
    assert page.ask("draw", shown=True) == ""
    assert {each["id"] for each in page.scene["picture"]["nodes"]} >= {"state:received", "state:checking"}
    assert page.scene["shades"]["state:received"] == 5
    assert 1 <= page.scene["shades"]["state:checking"] < 5
    assert page.ask("draw", shown=False) == ""
    assert (page.scene["picture"], page.scene["shades"]) == (None, {})


def test_the_scenario_is_given_as_a_file(lab: wf.Lab, tmp_path: Path) -> None:
    page = LabPage(lab)
    page.ask("enter", knob=CAPACITY, text="3")
    answer = page.raw({"type": "save"})
    assert (answer["type"], answer["name"]) == ("file", "claims.scenario.yaml")
    (tmp_path / "claims.scenario.yaml").write_text(answer["text"])
    assert wf.load_scenario(tmp_path / "claims.scenario.yaml") == lab.scenario
    lab.save(tmp_path / "other.yaml")
    assert (tmp_path / "other.yaml").read_text() == answer["text"]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "move", "knob": CAPACITY},
        {"type": "move", "knob": CAPACITY, "position": 99},
        {"type": "move", "knob": CAPACITY, "position": -1},
        {"type": "move", "knob": CAPACITY, "position": True},
        {"type": "move", "knob": CAPACITY, "position": 1.5},
        {"type": "move", "knob": "scenario:seed", "position": 1},
        {"type": "enter", "knob": CAPACITY, "text": "1e9"},
        {"type": "enter", "knob": CAPACITY, "text": "x" * 100_001},
        {"type": "enter", "knob": "scenario:outage.of", "text": "<script>"},
        {"type": "enter", "knob": "__class__", "text": "1"},
        {"type": "reset", "knob": "scenario:nothing"},
        {"type": "pin", "name": 3},
        {"type": "unpin", "name": "nobody"},
        {"type": "take", "name": "nobody"},
        {"type": "compare", "name": "nobody"},
        {"type": "focus"},
        {"type": "draw", "shown": "yes"},
        {"type": "drop"},
        {"type": ["move"]},
    ],
)
def test_hostile_messages_are_refused_and_change_nothing(still: wf.Lab, message: dict[str, Any]) -> None:
    page = LabPage(still)
    before = still.tuning.settings
    assert page.raw(message)["type"] == "problem"
    assert still.tuning.settings is before
    assert still.pinned == {}


def test_it_leaves_a_picture_with_words_and_a_page_without_python(lab: wf.Lab) -> None:
    lab.tuning.pin('<b>"before"</b>')
    svg, said = lab.seen()
    assert svg.startswith("<svg")
    lab.tuning.turn("pools.clerks.capacity", 4)
    lab.tuning.wait()
    assert said.startswith(
        "Lab of claims: as in the file; 300 cases in 5 replications. Time from start to end of a case: "
    )
    svg, _ = lab.seen()
    assert "&lt;b&gt;&quot;before&quot;&lt;/b&gt;" in svg
    assert "<b>" not in svg
    page = lab.to_html()
    assert '"turn": false' in page
    assert "<b>" not in page
    assert repr(lab) == "<Lab of claims: pools.clerks.capacity: 2 workers → 4 workers; 300 cases in 5 replications>"
    assert list(lab.pinned) == ['<b>"before"</b>']
    assert lab.history.sql("SELECT count(*) FROM cases").fetchall() == [(300,)]
    assert lab.workflow == claims()


def test_before_the_first_figures_there_are_no_charts_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunings, "tried", lambda settings, outdated: iter(()))
    lab = wf.Lab(claims(), claims_scenario())
    scene = LabPage(lab).scene
    assert (scene["charts"], scene["head"]["said"], scene["head"]["stale"]) == ([], "", False)
    assert lab.seen() == ("", "Lab of claims: as in the file; no figures yet")
    with pytest.raises(HistoryError, match="nothing has been simulated yet"):
        lab.history  # noqa: B018


def test_limits_are_turned_in_the_workflow_which_keeps_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "claims.yaml"
    wf.save(claims(), file)
    file.write_text("# Ours.\n" + file.read_text())
    lab = wf.Lab(wf.load(file), claims_scenario(5))
    assert LabPage(lab).ask("enter", knob="workflow:states.received.timeout", text="3h") == ""
    assert lab.workflow.state("received").timeout == wf.Duration.of("3h")
    wf.save(lab.workflow, file)
    assert file.read_text().startswith("# Ours.\n")
    assert wf.load(file) == lab.workflow


@pytest.mark.parametrize(
    ("most", "unit", "ticks"),
    [
        (4.6 * 86_400, "s", ["0", "1 d", "2 d", "3 d", "4 d", "5 d"]),
        (80.0, "s", ["0", "20 s", "40 s", "60 s", "80 s"]),
        (0.83, "share", ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (1.0, "share", ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (2_430.0, "", ["0", "500", "1,000", "1,500", "2,000", "2,500"]),
        (0.0, "", ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (3e-9, "s", ["0", "1 µs", "2 µs", "3 µs", "4 µs", "5 µs"]),
        (3e9, "s", ["0", "10,000 d", "20,000 d", "30,000 d", "40,000 d"]),
    ],
)
def test_axes_end_at_round_numbers_that_hold_all_values(most: float, unit: str, ticks: list[str]) -> None:
    axis = axis_of(most, unit)
    assert [text for _, text in axis.ticks] == ticks
    assert axis.top >= most
    assert [place for place, _ in axis.ticks] == sorted({place for place, _ in axis.ticks})
    assert (axis.at(-1.0), axis.at(0.0), axis.at(2 * axis.top)) == (0.0, 0.0, 1.0)


def test_many_states_share_one_line_and_each_other_one_has_the_colour_of_its_place() -> None:
    names = [f"state_{k}" for k in range(12)]
    chain = [{"name": name, "activity": "work"} for name in names]
    ways = [{"from": one, "to": other, "event": "done"} for one, other in zip(names, [*names[1:], "end"])]
    workflow = wf.Workflow(
        name="chain",
        initial_state=names[0],
        activities={"work": {}},
        states=[*chain, {"name": "end", "is_terminal": True}],
        transitions=ways,
    )
    plan = {"arrivals": {"every": "1m"}, "cases": 20, "activities": {"work": {"duration": "5m"}}}
    lab = wf.Lab(workflow, wf.Scenario.model_validate(plan))
    lab.tuning.wait()
    lines = LabPage(lab).chart("occupancy")["lines"]
    assert len(lines) == 9
    assert lines[-1]["name"] == OTHER
    assert lines[-1]["colour"] == 0
    assert all(line["colour"] == names.index(line["name"]) + 1 for line in lines[:-1])


def test_its_page_names_every_group_of_knobs_and_every_chart(still: wf.Lab) -> None:
    page = Path("docs/lab.md").read_text(encoding="utf-8")
    still.tuning.wait()
    scene = LabPage(still).scene
    for group in scene["groups"]:
        told = group["title"].split(" and ")[0]
        assert f"| {told}" in page
    for chart in scene["charts"]:
        assert f"| {chart['title']} |" in page
    assert f"a first look at {QUICK_CASES}" in page
    assert f"replications={REPLICATIONS})" in page
