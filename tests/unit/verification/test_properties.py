"""Built-in questions: one workflow that holds and one that violates each; property files; reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import DefinitionError, StartRefused, VerdictUnknown
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.verification.workflows import candidates
from wfsim.verification.workflows.properties import BUILT_IN, PROPERTIES, Property, Report, load_properties, verify

C = {"name": "c", "is_terminal": True}
GO = {"from": "a", "event": "go", "to": "c"}
STOP = {"from": "a", "event": "stop", "to": "c"}


def workflow(transitions: list[dict[str, Any]], states: list[Any] | None = None, **keys: Any) -> wf.Workflow:
    named = [{"name": s} if isinstance(s, str) else s for s in (states or ["a", C])]
    events = {t["event"]: {} for t in transitions if t.get("event") in ("go", "stop", "back")}
    data = {"name": "w", "initial_state": "a", "states": named, "events": events, "transitions": transitions}
    return wf.Workflow.model_validate(data | keys)


GOOD = workflow([GO])
# The others search a net or nothing.
NOT_SEARCHED = ("sound", "no_deadlock", "settled")  # In these workflows nothing says what undoes it.
SEARCHED = [name for name in PROPERTIES if name not in NOT_SEARCHED and not name.startswith("conditions")]
COUNTED = {"variables": {"n": {"type": "integer", "input": True, "minimum": 0, "maximum": 9}}}


def actions(verdict: Any) -> list[str]:
    assert isinstance(verdict.witness, WorkflowWitness)
    assert verdict.witness.replay()
    return [step.action for step in verdict.witness.steps]


def ask(flow: wf.Workflow, name: str, **limits: Any) -> Any:
    (verdict,) = verify(flow, [Property(name)], **limits)
    return verdict


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_question_holds_of_a_good_workflow(name: str) -> None:
    verdict = ask(GOOD, name)
    assert verdict.status == "holds"
    assert bool(verdict) is True
    assert verdict.method
    assert verdict.assumptions
    assert verdict.bound["complete"] is True


def test_by_default_every_question_without_options_is_asked() -> None:
    report = verify(GOOD)
    assert [p.name for p in report.properties] == list(BUILT_IN)
    assert set(PROPERTIES) - set(BUILT_IN) == {"no_deadlock", "conditions_complete", "conditions_disjoint", "settled"}
    assert report.ok


# --- each violated -----------------------------------------------------------------------------------


def test_an_unreachable_state_is_named() -> None:
    verdict = ask(workflow([GO, {"from": "b", "event": "go", "to": "c"}], ["a", "b", C]), "states_reachable")
    assert not verdict
    assert "No run reaches b." in verdict.reason
    assert verdict.witness is None
    assert verdict.statistics["unreachable"] == ["b"]


def test_a_state_behind_an_impossible_condition_is_unreachable() -> None:
    flow = workflow([STOP, GO | {"to": "b", "condition": "context.n > 9"}], ["a", "b", C], **COUNTED)
    assert ask(flow, "states_reachable").statistics == {"unreachable": ["b"]}
    possible = workflow([STOP, GO | {"to": "b", "condition": "context.n > 8"}], ["a", "b", C], **COUNTED)
    assert ask(possible, "states_reachable").status == "holds"


def test_a_transition_whose_actions_always_fail_sets_out_and_is_aborted() -> None:
    fails = {"action_type": "set_variable", "parameters": {"name": "n", "value": "${context.m}"}}
    variables = {"n": {"type": "boolean", "initial": False}, "m": {"type": "boolean", "optional": True}}
    leaving = [STOP, GO | {"to": "b", "pre_actions": [fails]}, {"from": "a", "event": "error"}]
    flow = workflow(leaving, ["a", "b", C], variables=variables)
    verdict = ask(flow, "transitions_live")
    assert verdict.status == "violated"
    assert "sets out there, but each time it is aborted before it commits" in verdict.reason
    assert actions(verdict)[-1] == "event go"


CHAIN = [
    GO | {"to": "b"},
    {"from": "b", "condition": "true", "to": "d"},
    {"from": "d", "event": "go", "to": "c"},
]


def test_a_state_that_is_passed_within_a_step_is_reached() -> None:
    verdict = ask(workflow(CHAIN, ["a", "b", "d", C]), "states_reachable")
    assert verdict.status == "holds"
    assert verdict.reason == "Each of 4 states is reached."


def test_an_initial_state_that_is_left_at_once_is_reached() -> None:
    first = {"from": "a", "condition": "true", "to": "b"}
    flow = workflow([first, {"from": "b", "event": "go", "to": "c"}], ["a", "b", C])
    assert ask(flow, "states_reachable").status == "holds"


def test_the_initial_states_of_regions_that_are_entered_are_reached() -> None:
    region = {
        "name": "r",
        "initial_state": "first",
        "states": [{"name": "first"}, {"name": "never"}, {"name": "last", "is_terminal": True}],
        "transitions": [{"from": "first", "condition": "true", "to": "last"}],
    }
    outer = {"name": "b", "parallel": {"regions": [region]}}
    flow = workflow([GO | {"to": "b"}, {"from": "b", "event": "done", "to": "c"}], ["a", outer, C])
    verdict = ask(flow, "states_reachable")
    assert verdict.statistics == {"unreachable": ["b/r/never"]}


def test_a_dead_transition_out_of_a_state_that_is_only_passed_is_shown_there() -> None:
    flow = workflow([*CHAIN, {"from": "b", "event": "stop", "to": "c"}], ["a", "b", "d", C])
    verdict = ask(flow, "transitions_live")
    assert not verdict
    assert "'b' is only passed within a step" in verdict.reason
    assert actions(verdict) == ["start()", "event go"]


def test_a_dead_transition_out_of_a_state_that_the_start_passes_is_shown_by_the_start() -> None:
    first = {"from": "a", "condition": "true", "to": "b"}
    verdict = ask(workflow([first, GO, {"from": "b", "event": "go", "to": "c"}], ["a", "b", C]), "transitions_live")
    assert "'a' is only passed within a step" in verdict.reason
    assert actions(verdict) == ["start()"]


def test_a_shadowed_transition_is_dead_and_its_event_is_shown() -> None:
    verdict = ask(workflow([GO, GO | {"to": "b"}, STOP], ["a", "b", C]), "transitions_live")
    assert not verdict
    assert "an earlier transition on the same event is always taken first (M2.3)" in verdict.reason
    assert actions(verdict) == ["start()", "event go"]
    assert verdict.witness.steps[-1].after["state"] == "c"


def test_a_transition_out_of_a_terminal_state_is_dead_and_its_event_is_shown() -> None:
    verdict = ask(workflow([GO, {"from": "c", "event": "stop", "to": "a"}]), "transitions_live")
    assert not verdict
    assert "'c' is terminal" in verdict.reason
    assert actions(verdict) == ["start()", "event go", "event stop"]
    assert verdict.witness.steps[-1].after == {"state": "c", "status": "completed"}


def test_each_dead_transition_has_a_verdict_of_its_own() -> None:
    flow = workflow(
        [GO, GO, STOP | {"condition": "context.n > 9"}, {"from": "b", "event": "go", "to": "c"}],
        ["a", "b", C],
        **COUNTED,
    )
    verdict = ask(flow, "transitions_live")
    reasons = [each.reason for each in (verdict, *verdict.further)]
    assert len(reasons) == len(verdict.statistics["dead"]) == 3
    assert "transition 2" in reasons[0]
    assert "its condition `context.n > 9` never holds" in reasons[1]
    assert "'b' is never reached" in reasons[2]


def test_a_dead_end_cannot_complete() -> None:
    verdict = ask(workflow([GO, STOP | {"to": "b"}], ["a", "b", C]), "can_complete")
    assert not verdict
    assert "In state 'b' no terminal state can be reached any more: from there nothing ends it." in verdict.reason
    assert actions(verdict) == ["start()", "event stop"]
    assert verdict.statistics == {"states": ["b"]}


def test_a_livelock_cannot_complete() -> None:
    flow = workflow(
        [
            GO,
            STOP | {"to": "x"},
            {"from": "x", "event": "stop", "to": "y"},
            {"from": "y", "event": "back", "to": "x"},
        ],
        ["a", "x", "y", C],
    )
    verdict = ask(flow, "can_complete")
    assert actions(verdict) == ["start()", "event stop"]
    assert verdict.statistics == {"states": ["x", "y"]}


def test_closing_as_failed_is_no_completion() -> None:
    fail = {"from": "b", "event": "stop", "to": "c", "condition": "context.m > 1"}
    flow = workflow(
        [GO, STOP | {"to": "b"}, fail], ["a", "b", C], variables={"m": {"type": "integer", "optional": True}}
    )
    verdict = ask(flow, "can_complete")
    assert "from there it can only close as failed" in verdict.reason


FAILING = workflow(
    [GO | {"pre_actions": [{"action_type": "activity", "name": "f"}]}],
    activities={"f": {"retry_policy": {"max_attempts": 1}}},
)


def test_a_failure_is_shown_up_to_the_closing() -> None:
    verdict = ask(FAILING, "no_failure")
    assert not verdict
    assert actions(verdict) == ["start()", "event go", "f starts", "f fails: Error"]
    assert verdict.witness.steps[-1].after == {"state": "a", "status": "failed"}
    assert verdict.statistics == {"endings": ["a: Error"]}


def test_each_place_and_error_of_a_failure_is_told_once() -> None:
    flow = workflow([GO, STOP | {"condition": "context.m > 1"}], variables={"m": {"type": "integer", "optional": True}})
    both = wf.Workflow.model_validate(
        flow.model_dump(by_alias=True, exclude_none=True)
        | {"activities": {"f": {"retry_policy": {"max_attempts": 1}}}}
        | {"states": [{"name": "a", "activity": {"name": "f"}}, C]}
    )
    verdict = ask(both, "no_failure")
    assert sorted(verdict.statistics["endings"]) == ["a: Error", "a: Expression.null"]
    assert len(verdict.further) == 1


def test_an_unhandled_timeout_is_shown() -> None:
    verdict = ask(workflow([GO], [{"name": "a", "timeout": "2h"}, C]), "no_unhandled_timeout")
    assert actions(verdict) == ["start()", "timer timeout in a fires"]
    assert verdict.witness.steps[-1].detail["time"] == 7200
    assert verdict.witness.steps[-1].after == {"state": "a", "status": "timed_out"}


def test_an_unsound_workflow_comes_with_a_firing_sequence() -> None:
    (verdict,) = verify(workflow([GO, STOP | {"to": "b"}], ["a", "b", C]), [Property("sound", {"instances": 2})])
    assert not verdict
    assert verdict.witness is not None
    assert verdict.witness.replay()


def test_a_deadlock_comes_with_the_way_to_it() -> None:
    verdict = ask(workflow([GO, STOP | {"to": "b"}], ["a", "b", C]), "no_deadlock")
    assert not verdict
    assert actions(verdict) == ["start()", "event stop"]


# --- limits ------------------------------------------------------------------------------------------

LONG = workflow(
    [GO | {"to": "b"}, *({"from": x, "event": "go", "to": y} for x, y in ("bd", "de", "ec"))], ["a", "b", "d", "e", C]
)


@pytest.mark.parametrize("limit", [{"max_states": 3}, {"max_seconds": 0}])
@pytest.mark.parametrize("name", SEARCHED)
def test_a_limit_gives_unknown_and_never_holds(name: str, limit: dict[str, Any]) -> None:
    verdict = ask(LONG, name, **limit)
    assert verdict.status == "unknown"
    assert verdict.bound["complete"] is False
    assert "reached" in verdict.bound["stopped"]
    with pytest.raises(VerdictUnknown, match="neither true nor false"):
        bool(verdict)


@pytest.mark.parametrize("name", ["sound", "no_deadlock"])
def test_a_limit_on_the_net_gives_unknown(name: str) -> None:
    (verdict,) = verify(LONG, [Property(name, {"instances": 9})], max_states=3)
    assert verdict.status == "unknown"
    with pytest.raises(VerdictUnknown):
        bool(verdict)


def test_a_violation_found_before_the_limit_counts() -> None:
    rest = [{"from": x, "event": "go", "to": y} for x, y in ("bd", "de", "ec")]
    flow = workflow([GO | {"to": "b"}, *rest], [{"name": "a", "timeout": "1m"}, "b", "d", "e", C])
    verdict = ask(flow, "no_unhandled_timeout", max_states=3)
    assert not verdict.bound["complete"]
    assert bool(verdict) is False
    assert actions(verdict) == ["start()", "timer timeout in a fires"]


SAMPLED = {"events": {"go": {"payload": {"k": "integer"}}, "stop": {}}}
# Messages with values are not followed for all values.
TELLING = GO | {"pre_actions": [{"action_type": "send", "event": "x", "to": "parent", "payload": {"k": "${event.k}"}}]}


@pytest.mark.parametrize("name", ["can_complete", "no_unhandled_timeout"])
def test_sampled_values_give_unknown_and_never_holds(name: str) -> None:
    flow = workflow([TELLING | {"condition": "event.k % 7 == 3"}, STOP], **SAMPLED)
    verdict = ask(flow, name)
    assert verdict.status == "unknown"
    assert "others might behave differently: values from outside are computed with" in verdict.reason


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("states_reachable", "c not reached"),
        ("transitions_live", "transition 1"),
        ("can_complete", "With the values tried no terminal state can be reached any more from a"),
    ],
)
def test_what_sampled_values_do_not_reach_is_unknown_and_never_violated(name: str, told: str) -> None:
    flow = workflow([TELLING | {"condition": "event.k * event.k == 1681"}], **SAMPLED)
    verdict = ask(flow, name)
    assert verdict.bound["complete"]
    assert verdict.status == "unknown"
    assert told in verdict.reason
    assert "others might behave differently" in verdict.reason


def test_a_failure_with_a_sampled_value_counts() -> None:
    verdict = ask(workflow([GO | {"condition": "5 // event.k == 0"}, STOP], **SAMPLED), "no_failure")
    assert not verdict
    assert actions(verdict) == ["start()", "event go(k=0)"]
    assert verdict.statistics == {"endings": ["a: Expression.division"]}


@pytest.mark.parametrize("name", SEARCHED)
def test_without_an_accepted_start_nothing_holds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(program: Any, inputs: Any) -> Any:
        raise StartRefused("nobody may start today.")

    monkeypatch.setattr(candidates, "checked_inputs", refuse)
    verdict = ask(GOOD, name)
    assert verdict.status == "unknown"
    assert verdict.bound == {
        "states": 0,
        "edges": 0,
        "complete": False,
        "stopped": "no start was accepted: nobody may start today.",
    }
    assert "nobody may start today. Without a start nothing can be asked." in verdict.reason


# --- reports -----------------------------------------------------------------------------------------


def test_an_expected_violation_makes_a_report_fine() -> None:
    report = verify(FAILING, [Property("no_failure", expect="violated", because="nothing handles it")])
    assert report.ok
    assert (report.violated, report.unanswered) == ([], [])
    assert "as expected, nothing handles it:" in str(report)


def test_a_violation_that_does_not_come_is_reported() -> None:
    report = verify(GOOD, [Property("no_failure", expect="violated", because="it used to")])
    assert not report.ok
    assert len(report.violated) == 1
    assert "NOT as expected (violated):" in str(report)


def test_an_unexpected_unknown_is_unanswered() -> None:
    report = verify(LONG, [Property("can_complete"), Property("can_complete", expect="unknown")], max_states=2)
    assert not report.ok
    assert len(report.unanswered) == 1
    assert report.violated == []


def test_a_report_is_json_and_html() -> None:
    report = verify(FAILING)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["workflow"] == "w"
    assert data["ok"] is False
    assert [v["status"] for v in data["verdicts"]] == [str(v.status) for v in report]
    assert isinstance(report, Report)
    assert "An instance fails" in report._repr_html_()


# --- property files ----------------------------------------------------------------------------------


def written(folder: Path, text: str) -> Path:
    path = folder / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_property_file_is_read(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "workflow: w.yaml\nproperties:\n  - sound: {instances: 2, pools: {p: 1}}\n"
        "  - no_failure:\n    expect: violated\n    because: nobody cares\n",
    )
    workflow_path, properties = load_properties(path)
    assert workflow_path == "w.yaml"
    assert [(p.name, p.expect, p.because, p.line) for p in properties] == [
        ("sound", "holds", None, 3),
        ("no_failure", "violated", "nobody cares", 4),
    ]
    assert str(properties[0]) == "sound(instances: 2, pools: {'p': 1})"
    assert load_properties(str(path))[1] == properties


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("properties:\n  - sund: {}\n", 2, "Did you mean 'sound'?"),
        ("properties:\n  - sound: {}\n    no_failure: {}\n", 2, "found sound, no_failure"),
        ("properties:\n  - expect: holds\n", 2, "found none"),
        ("properties:\n  - sound: {}\n    expect: broken\n", 3, "expect is holds, violated or unknown, not 'broken'"),
        ("properties:\n  - sound: {instances: 0}\n", 2, "instances"),
        ("properties:\n  - sound: {instance: 2}\n", 2, "instance"),
        ("properties:\n  - no_failure: {instances: 2}\n", 2, "instances"),
        ("properties:\n  - no_failure: maybe\n", 2, "expected a mapping (key: value), found the text 'maybe'"),
        ("properties:\n  - just a text\n", 2, "a property is a mapping"),
        ("workflw: x\nproperties: []\n", 1, "unknown key 'workflw'"),
        ("workflow: w.yaml\nproperties: []\n", 2, "the list of properties is empty"),
        ("workflow: [a]\nproperties:\n  - sound: {}\n", 1, "workflow is the path or name of a workflow, not ['a']"),
        ("properties: sound\n", 1, "has the keys 'workflow' and 'properties' (a list)"),
        ("- sound\n", 1, "has the keys 'workflow' and 'properties' (a list)"),
    ],
)
def test_a_bad_property_file_is_refused_with_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DefinitionError) as caught:
        load_properties(path)
    assert f"{path}:{line}:" in str(caught.value)
    assert told in str(caught.value)


def test_every_problem_of_a_property_file_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "properties:\n  - sund: {}\n  - no_falure: {}\n")
    with pytest.raises(DefinitionError) as caught:
        load_properties(path)
    assert [line for _, line, _ in caught.value.problems] == [2, 3]


def test_a_missing_property_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="cannot be read: No such file"):
        verify(GOOD, tmp_path / "none.yaml")


def test_verify_reads_the_file_itself(tmp_path: Path) -> None:
    path = written(tmp_path, "properties:\n  - no_failure: {}\n    expect: violated\n    because: f fails\n")
    assert verify(FAILING, path).ok
    assert not verify(GOOD, str(path)).ok


def named(path: Path, workflow: str) -> Path:
    path.write_text(f"properties:\n  - states_reachable: {{}}\nworkflow: {workflow}\n", encoding="utf-8")
    return path


def test_a_property_file_about_the_workflow_is_taken_by_file_by_name_and_for_a_copy(tmp_path: Path) -> None:
    wf.save(GOOD, tmp_path / "good.yaml")
    assert verify(GOOD, named(tmp_path / "p.yaml", "good.yaml")).ok
    assert verify(GOOD, named(tmp_path / "p.yaml", GOOD.name)).ok
    # The file that is named may have changed since it was loaded; it is still the one meant.
    loaded = wf.load(tmp_path / "good.yaml")
    wf.save(GOOD.model_copy(update={"version": "9.0.0"}), tmp_path / "good.yaml")
    assert verify(loaded, named(tmp_path / "p.yaml", "good.yaml")).ok


def test_a_property_file_about_another_workflow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"p.yaml:3: the properties are about workflow 'other', not about"):
        verify(GOOD, named(tmp_path / "p.yaml", "other"))
    repaired = Path("models/order_processing.yaml").resolve()
    with pytest.raises(DefinitionError, match=r"about workflow 'order_processing' 2.0.0 .*not about"):
        verify(GOOD, named(tmp_path / "p.yaml", str(repaired)))
    # The published order has the same name, but not the same version.
    with pytest.raises(DefinitionError, match=r"'order_processing' 2.0.0 .*not about 'order_processing' 1.0.0"):
        verify(wf.load("models/published/order_processing.yaml"), "verification/order_processing.yaml")
    with pytest.raises(DefinitionError, match=r"none.yaml: cannot be read"):
        verify(GOOD, named(tmp_path / "p.yaml", "none.yaml"))
