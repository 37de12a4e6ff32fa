"""Mistakes of people: each is told by the finding that means it, and what is right raises none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mistakes import CORPUS, MISTAKES, Mistake, correct
from wfsim.errors import OptionError
from wfsim.model.catalogue import Catalogue
from wfsim.model.lint import lint
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
