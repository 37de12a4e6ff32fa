"""Mistakes of people: each is told by the finding that means it, and what is right raises none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mistakes import CORPUS, MISTAKES, Mistake, correct
from wfsim.errors import OptionError
from wfsim.model.catalogue import Catalogue
from wfsim.model.lint import Finding, lint
from wfsim.model.lint.graph import LONGEST, region_graphs
from wfsim.model.lint.ways import Ways
from wfsim.model.yaml_io import load, loads


@pytest.mark.parametrize("path", correct(), ids=lambda path: path.stem)
def test_a_correct_definition_raises_no_finding(path: Path) -> None:
    assert lint(load(path), catalogue=path.parent) == []


def test_the_corpus_has_twenty_definitions_of_its_own() -> None:
    assert len(Catalogue(CORPUS)) == 20


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: f"{each.kind}: {Path(each.file).stem}".replace(" ", "_"))
def test_a_mistake_is_told_at_its_place(mistake: Mistake) -> None:
    found = [(each.code, each.place) for each in lint(loads(mistake.text()))]
    assert (mistake.code, mistake.place) in found


def test_the_twelve_kinds_of_the_study_and_late_events_are_told() -> None:
    assert len({each.kind for each in MISTAKES}) == 13


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: f"{each.kind}: {Path(each.file).stem}".replace(" ", "_"))
def test_what_is_meant_as_it_is_can_be_left_out_by_its_code(mistake: Mistake) -> None:
    assert mistake.code not in {each.code for each in lint(loads(mistake.text()), ignore=[mistake.code])}


def test_a_code_that_no_finding_has_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(OptionError, match="Did you mean 'outcome-forgotten'"):
        lint(load(CORPUS / "exam.yaml"), ignore=["outcome-forgoten"])


def told(finding: Finding) -> list[list[str]]:
    """The states and triggers of a way: source, target, what sets it off."""
    return [re.split(" → | ", step, maxsplit=2) for step in finding.way]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: f"{each.kind}: {Path(each.file).stem}".replace(" ", "_"))
def test_a_mistake_is_told_with_advice_and_the_way_there(mistake: Mistake) -> None:
    workflow = loads(mistake.text())
    (finding,) = (each for each in lint(workflow) if (each.code, each.place) == (mistake.code, mistake.place))
    assert finding.advice.endswith(".")
    if mistake.code == "compensators-crossed":
        # About two names.
        return
    starts = {region.initial_state for _, region in workflow.regions()}
    at = workflow.initial_state
    for source, target, _ in told(finding):
        assert source == at or source in starts
        at = source if target == "(none)" else target
    if finding.place == f"state {at!r}" or finding.place.endswith(f"region {at!r}"):
        return
    assert finding.place.startswith(("transition", "activity", "state")), finding
    if finding.place.startswith("transition"):
        assert finding.way[-1] in finding.place or finding.code == "counter-not-reset"


def test_the_way_without_undoing_passes_what_should_be_undone() -> None:
    # A shorter one leads there, on which nothing has been taken.
    text = """
name: w
initial_state: a
events: {take: {}, drop: {}, go: {}}
activities: {reserve_seat: {timeout: 1m}, release_seat: {timeout: 1m}}
states: [{name: a}, {name: b}, {name: c}, {name: lost, is_terminal: true, outcome: failure}]
transitions:
  - {from: a, event: go, to: b}
  - {from: a, event: take, to: c}
  - {from: c, event: go, to: b, pre_actions: [{action_type: activity, name: reserve_seat}]}
  - {from: b, event: drop, to: lost}
  - {from: c, event: drop, to: lost, pre_actions: [{action_type: activity, name: release_seat}]}
"""
    (finding,) = (each for each in lint(loads(text)) if each.code == "undo-forgotten")
    assert finding.way == ("a → c on take", "c → b on go", "b → lost on drop")
    undone = text.replace("reserve_seat: {timeout: 1m}", "reserve_seat: {timeout: 1m, compensate_with: release_seat}")
    (finding,) = (each for each in lint(loads(undone)) if each.code == "compensation-missing" and "lost" in each.place)
    assert finding.way[:2] == ("a → c on take", "c → b on go")
    assert finding.to_dict()["way"] == [*finding.way]


def test_the_way_of_a_counter_goes_round_once_more() -> None:
    found = next(each for each in MISTAKES if each.code == "counter-not-reset" and "gym" in each.file)
    (finding,) = (each for each in lint(loads(found.text())) if each.code == found.code)
    counts = [n for n, step in enumerate(finding.way) if step in finding.place]
    assert counts
    assert any(" on done" in step for step in finding.way[counts[0] :])


def test_a_way_that_consents_twice_has_both_of_them() -> None:
    found = next(each for each in MISTAKES if each.code == "consent-counted-twice" and "invoice" in each.file)
    (finding,) = (each for each in lint(loads(found.text())) if each.code == found.code)
    assert [step.endswith(" on approve") for step in finding.way[-2:]] == [True, True]


def test_a_long_way_is_told_from_its_end() -> None:
    n = 3 * LONGEST
    states = "".join(f"  - {{name: s{k}}}\n" for k in range(n))
    steps = "".join(f"  - {{from: s{k}, event: go, to: s{k + 1}}}\n" for k in range(n - 1))
    text = f"name: w\ninitial_state: s0\nevents: {{go: {{}}}}\nstates:\n{states}transitions:\n{steps}"
    last = next(each for each in lint(loads(text)) if each.place == f"state 's{n - 1}'")
    assert len(last.way) == LONGEST
    assert last.way[-1] == f"s{n - 2} → s{n - 1} on go"


@pytest.mark.parametrize(
    "path", [("states", 99), ("transitions", -1), ("timeouts", "states", "nowhere"), ("states",), ()]
)
def test_no_way_leads_to_a_place_that_is_not_there(path: tuple[str | int, ...]) -> None:
    workflow = load(CORPUS / "exam.yaml")
    assert Ways(workflow, region_graphs(workflow)).to(path) == ()
