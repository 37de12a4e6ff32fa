"""The JSON Schema of the language: what loads fits, what has a wrong key or type does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import wfsim as wf
from tests.language import PAGE, Example, examples
from tests.mistakes import CORPUS, ROOT, correct
from wfsim.errors import DefinitionError
from wfsim.model.key_notes import ELEMENTS, note, noted
from wfsim.model.template import TEMPLATES
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import dumps, loads
from wfsim.model.yaml_reader import read

SCHEMA = wf.json_schema()
EXAMPLES = examples((ROOT / PAGE).read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def data(text: str) -> Any:
    return read(text, "<text>").data


def told(text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(data(text))]


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "path", [*correct(), ROOT / "models" / "published" / "order_processing.yaml"], ids=lambda path: path.stem
)
def test_every_shipped_model_and_the_corpus_fit(path: Path) -> None:
    assert told(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.workflow.name)
def test_every_example_of_the_language_fits_as_written_and_as_saved(example: Example) -> None:
    workflow = example.workflow
    assert workflow._source is not None
    assert told(workflow._source.text) == []
    assert told(dumps(workflow.model_copy())) == []


@pytest.mark.parametrize("text", TEMPLATES.values(), ids=TEMPLATES)
def test_every_template_fits(text: str) -> None:
    assert told(text) == []


WRONG = {
    "a key that does not exist": ("timeout: 7d", "timout: 7d"),
    "a missing name": ("- {name: waiting, timeout: 7d}", "- {timeout: 7d}"),
    "no duration": ("timeout: 7d", "timeout: a week"),
    "a negative duration": ("timeout: 7d", "timeout: -7"),
    "a text instead of a flag": ("is_terminal: true", "is_terminal: 'true'"),
    "an outcome that does not exist": ("outcome: failure", "outcome: lost"),
    "a name that is no identifier": ("  days: {", "  the days: {"),
    "no semantic version": ("version: 1.0.0", "version: '1.0'"),
    "an action that does not exist": ("action_type: set_variable", "action_type: set"),
    "parameters of another action": ("name: decided_by, value:", "name: decided_by, val:"),
    "too few attempts": ("max_attempts: 3", "max_attempts: 0"),
    "a policy for events that does not exist": ("unhandled: reject", "unhandled: ignore"),
    "an empty list of sources": ("from: [checking, waiting]", "from: []"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_does_not_load_for_a_wrong_key_or_value_does_not_fit(wrong: tuple[str, str]) -> None:
    text = (CORPUS / "holiday_request.yaml").read_text(encoding="utf-8")
    assert wrong[0] in text
    spoilt = text.replace(wrong[0], wrong[1], 1)
    with pytest.raises(DefinitionError):
        loads(spoilt)
    assert told(spoilt) != []


def test_shorthand_and_the_published_spelling_fit() -> None:
    text = (CORPUS / "holiday_request.yaml").read_text(encoding="utf-8")
    text = text.replace("retry_policy: {max_attempts: 3, initial_interval: 5s}", "retry_policy: patient")
    text += "policies: {patient: {max_attempts: 3, initial_interval_seconds: 5}}\n"
    assert loads(text).activities["count_days"].retry_policy is not None
    assert told(text) == []
    assert told(text + "include: [common.shared.yaml]\n") == []
    assert told(text + "include: common.yaml\n") != []


def test_every_key_that_an_element_has_stands_in_it_with_its_meaning() -> None:
    elements = {"Workflow": SCHEMA, **SCHEMA["$defs"]}
    for name, keys in elements_of_the_language().items():
        written = elements[name]["properties"]
        assert keys <= set(written)
        assert all("description" in written[key] for key in keys if note(name, key).text)


def elements_of_the_language() -> dict[str, set[str]]:
    raw = Workflow.model_json_schema(by_alias=True)
    named = {"Workflow": raw, **raw["$defs"]}
    return {name: set(one["properties"]) for name, one in named.items() if "properties" in one}


def test_no_note_is_about_a_key_that_is_gone() -> None:
    there = {(name, key) for name, keys in elements_of_the_language().items() for key in keys}
    assert noted() <= there
    assert set(ELEMENTS) <= set(elements_of_the_language())


def test_every_rule_that_a_note_names_is_one_of_the_meaning() -> None:
    page = (ROOT / "docs" / "meaning.md").read_text(encoding="utf-8")
    sections = {part.split(" ", 1)[0]: part for part in page.split("\n## ")}
    for name, keys in elements_of_the_language().items():
        for key in keys:
            section, _, number = note(name, key).rule.removeprefix("M").partition(".")
            assert not section or (section in sections and (not number or f"\n{number}. " in sections[section]))
