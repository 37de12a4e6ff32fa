"""docs/language.md: what it shows is so, and each of its definitions goes through every room."""

from __future__ import annotations

import pytest

import wfsim as wf
from tests.language import PAGE, Example, catalogue, examples, rewritten
from wfsim.model.workflow import Workflow
from wfsim.verify.properties import Property, verify

TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = examples(TEXT)
each = pytest.mark.parametrize("example", EXAMPLES, ids=[example.workflow.name for example in EXAMPLES])


def test_the_page_tells_what_step_does() -> None:
    """If not, and it is meant: `python -m tests.language` writes the page anew."""
    assert rewritten(TEXT) == TEXT
    assert all(trace.count("\n    ") for example in EXAMPLES for trace in example.traces)


@each
def test_it_is_written_and_read_again(example: Example) -> None:
    workflow = example.workflow
    assert wf.loads(wf.dumps(workflow)) == workflow
    plain = Workflow.model_validate(workflow.model_dump(by_alias=True, exclude_none=True))
    assert wf.loads(wf.dumps(plain)) == workflow


@each
def test_it_lints_clean(example: Example) -> None:
    assert [str(finding) for finding in wf.lint(example.workflow, catalogue=catalogue(TEXT))] == []


@each
def test_it_is_drawn_with_every_state(example: Example) -> None:
    drawing = wf.picture(example.workflow).to_svg()
    names = [state.name for _, region in example.workflow.regions() for state in region.states]
    assert all(name in drawing for name in names)


@each
def test_every_state_and_transition_is_reached_and_nothing_fails(example: Example) -> None:
    asked = [Property(name) for name in ("states_reachable", "transitions_live", "can_complete")]
    report = verify(example.workflow, asked)
    assert report.ok, str(report)
