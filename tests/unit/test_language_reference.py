"""docs/language.md: what it shows is so, and each of its definitions goes through every room."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

import wfsim as wf
from tests.language import PAGE, Example, catalogue, examples, rewritten
from tests.stored import open_history
from wfsim.exploration.domains import Domains
from wfsim.history.replay import replay_all
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.verification.verdict import Status
from wfsim.verification.workflows.properties import Property, verify

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
    if Domains(compile_workflow(example.workflow)).exact:
        assert report.ok, str(report)
    # Of what is in lists only some values are tried: nothing is known for all, but all is reached with those tried.
    assert all(verdict.status is not Status.VIOLATED and "Not taken" not in str(verdict) for verdict in report)


@each
def test_it_is_simulated_and_every_case_replays(example: Example) -> None:
    history = wf.simulate(example.workflow, catalogue=catalogue(TEXT), cases=20)  # type: ignore[operator]
    replay_all(history)
    assert history.counts.get("open", 0) == 0
    assert not [note for note in history.notes if "could move" in note]


@each
def test_it_is_a_net_that_is_sound(example: Example) -> None:
    verdict = wf.soundness(wf.to_net(example.workflow, catalogue=catalogue(TEXT)))
    assert verdict.status == "holds", str(verdict)


@each
def test_a_case_of_it_is_walked_through_in_the_stepper(example: Example) -> None:
    history = wf.simulate(example.workflow, catalogue=catalogue(TEXT), cases=1)  # type: ignore[operator]
    stepper = wf.Stepper(history.case(1), catalogue=catalogue(TEXT))
    assert f"<Stepper of {example.workflow.name!r}: completed" in repr(stepper)


@each
def test_it_is_run_for_real_and_its_history_replays(example: Example, tmp_path: Path) -> None:
    workflow, store = example.workflow, tmp_path / "runs.db"
    functions = {name: lambda **inputs: None for name in workflow.activities}
    # A trace begins with the inputs.
    first = example.traces[0].splitlines()[0] if example.traces else ""
    inputs = YAML(typ="safe").load(first.partition("start")[2] or "{}") or {}
    clock = wf.ManualClock(patience=10)
    with wf.start(
        workflow, input=inputs, activities=functions, store=store, id="it", clock=clock, catalogue=catalogue(TEXT)
    ) as run:
        clock.advance("1us")
        status = run.status
    with open_history(store, workflow.given.functions) as history:
        replay_all(history)
        assert history.case("it").status == status
