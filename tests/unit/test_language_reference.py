"""docs/language.md: what it shows is so, and each of its definitions goes through every room."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

import wfsim as wf
from tests.language import PAGE, Example, catalogue, examples, rewritten
from tests.stored import open_history
from wfsim.errors import NotCovered
from wfsim.exploration.domains import Domains
from wfsim.history.replay import replay_all
from wfsim.model.naming import element_paths
from wfsim.model.stubs import stubs
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.verification.verdict import Status
from wfsim.verification.workflows.properties import Property, verify
from wfsim.verification.workflows.space import explore_workflow

TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = examples(TEXT)
COLOURED = ("lamp", "triage", "credit", "upload", "shared")
"""Of those, what a coloured net with values is made of."""
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


@each
def test_it_is_opened_edited_and_undone_in_the_editor(example: Example) -> None:
    editing = wf.Editor(example.workflow).editing
    assert editing.missing == []
    for element in element_paths(editing.definition):
        said = editing.properties(element)
        editing.set_properties(element, said)
    first = f"state:{example.workflow.initial_state}"
    editing.rename(first, "renamed_here")
    assert editing.workflow.initial_state == "renamed_here"
    editing.undo()
    assert editing.workflow == example.workflow
    editing.end()


@each
def test_its_conditions_are_put_to_the_solver(example: Example) -> None:
    assert [
        each for each in wf.conditions(example.workflow) if each.kind == "unsatisfiable" and each.status == "violated"
    ] == []


@each
def test_names_in_it_are_types_of_python(example: Example) -> None:
    compile(stubs(example.workflow), "names.py", "exec")


@each
def test_a_coloured_net_of_it_has_every_state_or_says_what_it_does_not_take(example: Example) -> None:
    if example.workflow.name not in COLOURED:
        with pytest.raises(NotCovered, match="to_snakes with data: "):
            wf.to_snakes(example.workflow, data=True)
        return
    net = wf.to_snakes(example.workflow, data=True)
    assert all(net.has_place(f"settling {state.name}") for state in example.workflow.states)


@each
def test_both_speeds_of_the_search_find_the_same(example: Example) -> None:
    one, other = (
        explore_workflow(example.workflow, engine=engine, max_states=300)  # type: ignore[arg-type]
        for engine in ("python", "compiled")
    )
    assert (one.n_states, one.n_edges, one.complete) == (other.n_states, other.n_edges, other.complete)
    for k in range(one.n_states):
        mine, its = one.instance(k), other.instance(k)
        assert (mine.status, mine.configuration, mine.variables) == (its.status, its.configuration, its.variables)
