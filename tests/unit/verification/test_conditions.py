"""Conditions: each kind of finding with an example, each type of value, what the solver does not take, and verdicts."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import WfsimError
from wfsim.verification.workflows.conditions.choices import choices
from wfsim.verification.workflows.conditions.witness import ValuesWitness
from wfsim.verification.workflows.properties import BUILT_IN, Property, verify

N = {"type": "integer", "input": True}
X = {"type": "number", "input": True}
TEXT = {"type": "string", "optional": True}


def flow(*conditions: str | None, payload: Any = None, keys: Any = None, **variables: Any) -> wf.Workflow:
    """State `p` with a transition on `go` for each condition (None: without one)."""
    transitions = [
        {"from": "p", "to": "q", "event": "go"} | ({} if each is None else {"condition": each}) for each in conditions
    ]
    data = {
        "name": "w",
        "initial_state": "p",
        "variables": variables,
        "states": [{"name": "p"}, {"name": "q", "is_terminal": True}],
        "events": {"go": {"payload": payload or {}}},
        "transitions": transitions,
    }
    return wf.Workflow.model_validate(data | (keys or {}))


def kinds(*conditions: str | None, **more: Any) -> list[str]:
    """What is found, in order; everything must be decided and each example must be right."""
    report = wf.conditions(flow(*conditions, **more))
    for finding in report:
        assert finding.status == "violated", finding
        if finding.witness is not None:
            assert finding.witness.replay() == list(finding.witness.outcomes)
    return [str(each.kind) for each in report]


# --- each kind ---------------------------------------------------------------------------------------


def test_a_contradiction_is_unsatisfiable() -> None:
    (finding,) = wf.conditions(flow("context.n > 3 and context.n < 2", None, n=N))
    assert (finding.kind, finding.place) == ("unsatisfiable", "transition 1 (p → q on go)")
    assert finding.values == {}
    assert "never taken" in finding.told


def test_limits_of_a_variable_count() -> None:
    limited = N | {"minimum": 0, "maximum": 5}
    assert kinds("context.n > 5", None, n=limited) == ["unsatisfiable"]
    assert kinds("context.n >= 0", n=limited) == ["implied"]
    assert kinds("context.n > 4", None, n=limited) == []


def test_what_is_always_true_adds_nothing() -> None:
    assert kinds("context.n > 3 or context.n <= 3", n=N) == ["implied"]
    assert kinds("true") == ["implied"]


def test_a_part_that_changes_nothing_is_named() -> None:
    (finding,) = wf.conditions(flow("context.n > 5 and context.n > 3", None, n=N))
    assert finding.kind == "implied"
    assert "the part `context.n > 3` changes nothing" in finding.told


def test_asking_for_null_first_is_no_idle_part() -> None:
    assert kinds("context.m != null and context.m > 3", None, m={"type": "integer", "optional": True}) == []
    assert kinds("context.n != null and context.n > 3", None, n=N) == ["implied"]


def test_a_narrower_condition_behind_a_wider_one_is_shadowed() -> None:
    (finding,) = wf.conditions(flow("context.n > 3", "context.n > 5", None, n=N))
    assert finding.kind == "shadowed"
    assert "`context.n > 3` of transition 1" in finding.told
    assert finding.values == {"context.n": 6}
    assert finding.witness is not None
    assert finding.witness.replay() == ["true", "true", "true"]


def test_several_may_shadow_together() -> None:
    report = wf.conditions(flow("context.n > 3", "context.n < 3", "context.n != 3", None, n=N))
    (finding,) = report.of("shadowed")
    assert "one of those before it" in finding.told
    assert kinds("context.n > 3", "context.n <= 3", None, n=N) == ["shadowed"]


def test_what_follows_a_transition_without_a_condition_is_shadowed() -> None:
    report = wf.conditions(flow(None, "context.n > 3", n=N))
    assert [each.kind for each in report] == ["shadowed"]
    assert "has no condition" in report.findings[0].told


def test_two_conditions_that_are_true_at_once_overlap() -> None:
    finding, rest = wf.conditions(flow("context.n > 3", "context.n < 10", None, n=N))
    assert (finding.kind, rest.kind) == ("overlap", "shadowed")
    assert finding.place == "transition 2 (p → q on go)"
    assert 3 < finding.values["context.n"] < 10
    assert kinds("context.n < 3", "context.n >= 3", n=N) == []


def test_a_default_does_not_overlap() -> None:
    assert kinds("context.n < 3", None, n=N) == []


def test_values_that_no_condition_takes_are_a_gap() -> None:
    (finding,) = wf.conditions(flow("context.n < 3", "context.n > 3", n=N))
    assert (finding.kind, finding.values, finding.place) == ("gap", {"context.n": 3}, "in 'p' on go")
    assert "the event is rejected (M7.1)" in finding.told


@pytest.mark.parametrize(("policy", "word"), [("defer", "deferred"), ("discard", "discarded")])
def test_a_gap_says_what_becomes_of_the_event(policy: str, word: str) -> None:
    (finding,) = wf.conditions(flow("context.n < 3", n=N, keys={"unhandled": policy}))
    assert f"the event is {word}" in finding.told


def test_values_for_which_a_condition_raises_are_shown() -> None:
    report = wf.conditions(flow("context.m > 3", None, m={"type": "integer", "optional": True}))
    (finding,) = report
    assert (finding.kind, finding.values) == ("fault", {"context.m": None})
    assert "Expression.null" in finding.told
    (division,) = wf.conditions(flow("6 // context.n > 1", None, n=N))
    assert (division.kind, division.values) == ("fault", {"context.n": 0})


def test_that_a_variable_is_read_before_it_is_written_is_left_to_lint() -> None:
    workflow = flow("context.n > 3", None, n={"type": "integer"})
    assert wf.conditions(workflow).findings == ()
    assert "variable-unprovided" in [each.code for each in wf.lint(workflow)]
    assert kinds("context.n == null", None, n={"type": "integer"}) == []


def test_overflow_is_found_by_the_solver() -> None:
    (finding,) = wf.conditions(flow("context.n + 5 > 1", None, n=N))
    assert (finding.kind, finding.values["context.n"] > 2**63 - 6) == ("fault", True)


# --- each type of value --------------------------------------------------------------------------------


def test_texts() -> None:
    assert kinds("context.s == 'a' and context.s == 'b'", None, s=TEXT) == ["unsatisfiable"]
    assert kinds("context.s != null and context.s < 'a' and context.s > 'Z'", None, s=TEXT) == []
    assert kinds("context.s != null and len(context.s) > 3 and context.s == 'abc'", None, s=TEXT) == ["unsatisfiable"]
    assert kinds("context.s == 'ä€'", "context.s == 'ä' or context.s == '€'", None, s=TEXT) == []
    assert kinds("context.s == '\\\\u{41}' and context.s == 'A'", None, s=TEXT) == ["unsatisfiable"]


def test_listed_values() -> None:
    listed = {"type": "string", "initial": "a", "values": ["a", "b", "c"]}
    assert kinds("context.s == 'd'", None, s=listed) == ["unsatisfiable"]
    assert kinds("context.s in ['a', 'b']", "context.s == 'c'", s=listed) == []
    assert kinds("context.s in ['a', 'b']", "context.s == 'b'", "context.s == 'c'", s=listed) == ["shadowed"]


def test_booleans() -> None:
    flag = {"type": "boolean", "initial": False}
    assert kinds("context.f", "not context.f", f=flag) == []
    assert kinds("context.f and not context.f", None, f=flag) == ["unsatisfiable"]


def test_numbers_are_doubles() -> None:
    # Between 1.0 and the next double lies nothing, though there are reals.
    assert kinds("context.x > 1.0 and context.x < 1.0000000000000002", None, x=X) == ["unsatisfiable"]
    assert kinds("context.x > 1.0 and context.x < 1.0000000000000004", None, x=X) == []
    # 0.1 + 0.2 is not 0.3.
    assert kinds("context.x == 0.1 and context.x + 0.2 == 0.3", None, x=X) == ["unsatisfiable"]


def test_integers_and_numbers_compare_exactly() -> None:
    assert kinds("context.n > 9007199254740992.0 and context.n < 9007199254740993", None, n=N) == ["unsatisfiable"]
    assert kinds("context.n > 1.5 and context.n < 2", None, n=N) == ["unsatisfiable"]
    assert kinds("context.x > 1 and context.x < 2", None, x=X) == []


def test_arithmetic_rounds_down() -> None:
    assert kinds("context.n // -2 == 3 and context.n > -6", None, n=N) == ["unsatisfiable"]
    assert kinds("context.n % -3 > 0", None, n=N) == ["unsatisfiable"]
    assert kinds("context.n * context.n == 49 and context.n < 0", None, n=N | {"minimum": -9, "maximum": 9}) == []


def test_lists_written_out_and_conditional_expressions() -> None:
    assert kinds("context.n in [1, 2]", "context.n == 2", None, n=N) == ["shadowed"]
    assert kinds("(context.n if context.n > 0 else -1) == 0", None, n=N) == ["unsatisfiable"]
    assert kinds("min(context.n, 3) > 3", None, n=N) == ["unsatisfiable"]


def test_values_of_any_kind() -> None:
    anything = {"type": "any"}
    assert kinds("context.v == 1 and context.v == 'a'", None, v=anything)[0] == "unsatisfiable"
    assert "unsatisfiable" not in kinds("context.v == 1 or context.v == 'a'", None, v=anything)


def test_payload_fields() -> None:
    assert kinds("event.k > 3", "event.k <= 3", payload={"k": "integer"}) == []
    found = kinds("event.k > 3", payload={"k": {"type": "integer", "optional": True}})
    assert found == ["fault", "gap"]
    assert kinds("event.k == 3", None) == ["fault"], "without a declared payload a field may be anything"


def test_the_state_is_that_of_the_root() -> None:
    assert kinds("state == 'p'") == ["implied"]
    assert kinds("state == 'q'", None) == ["unsatisfiable"]
    inner = {
        "name": "r",
        "initial_state": "a",
        "states": [{"name": "a"}, {"name": "b", "is_terminal": True}],
        "transitions": [{"from": "a", "to": "b", "event": "go", "condition": "state == 'a'"}],
    }
    states = [{"name": "p", "parallel": {"regions": [inner]}}, {"name": "q", "is_terminal": True}]
    keys = {"states": states, "transitions": [{"from": "p", "to": "q", "event": "done"}]}
    (finding,) = wf.conditions(flow(keys=keys)).of("unsatisfiable")
    assert (finding.kind, finding.place) == (
        "unsatisfiable",
        "transition 1 of region 'r' of state 'p' (a → b on go)",
    )


# --- where is chosen -----------------------------------------------------------------------------------


def with_states(p: dict[str, Any], transitions: list[dict[str, Any]], **keys: Any) -> wf.Workflow:
    states = [{"name": "p"} | p, {"name": "q", "is_terminal": True}]
    return flow(keys={"states": states, "transitions": transitions, "events": {}} | keys, n=N)


def test_errors_are_told_apart_by_source() -> None:
    transitions = [
        {"from": "p", "to": "q", "event": "error.f", "condition": "context.n > 3"},
        {"from": "p", "to": "q", "event": "error", "condition": "context.n > 5"},
    ]
    more = {"activities": {"f": {}, "g": {}}, "variables": {"n": N}}
    work = {"activity": {"name": "f"}}
    report = wf.conditions(with_states(work, transitions, **more))
    assert [each.kind for each in report] == ["overlap", "gap"], "an error of another source gets to the second"
    assert report.findings[0].values["event.source"] == "f"
    (gap,) = wf.conditions(with_states(work, transitions[:1], **more))
    assert gap.values["event.source"] == "f", "errors of other sources are not meant"


def test_timers_of_one_length_are_one_choice_and_others_are_not() -> None:
    late = {"from": "p", "to": "q", "after": "2h", "condition": "context.n >= 3"}
    early = late | {"condition": "context.n < 3"}
    assert wf.conditions(with_states({}, [early, late])).findings == ()
    both = wf.conditions(with_states({}, [early | {"after": "1h"}, late]))
    assert [each.kind for each in both] == ["gap", "gap"]


def test_automatic_transitions_may_wait_where_something_else_may_come() -> None:
    automatic = {"from": "p", "to": "q", "condition": "context.n > 3"}
    (finding,) = wf.conditions(with_states({}, [automatic]))
    assert (finding.kind, finding.place) == ("gap", "in 'p' without an event")
    go = {"from": "p", "to": "q", "event": "go"}
    assert wf.conditions(with_states({}, [automatic, go])).findings == ()


def test_what_can_never_be_set_off_is_left_to_lint() -> None:
    never = {"from": "p", "to": "q", "event": "done", "condition": "context.n > 3 and context.n < 2"}
    workflow = with_states({}, [never, {"from": "q", "to": "p", "event": "go", "condition": "false"}])
    assert list(choices(workflow)) == []
    assert {"trigger-impossible", "terminal-left"} <= {each.code for each in wf.lint(workflow)}


# --- what the solver does not take ---------------------------------------------------------------------


def test_what_is_in_a_list_is_tried() -> None:
    tags = {"type": "list", "input": True}
    assert kinds("'x' in context.tags", "not ('x' in context.tags)", tags=tags) == []
    assert kinds("len(context.tags) > 3", "len(context.tags) < 0", None, tags=tags) == ["unsatisfiable"]


def test_a_part_that_is_not_taken_is_named() -> None:
    tags = {"type": "list", "input": True}
    report = wf.conditions(flow("context.tags == [1, 2, 3]", None, tags=tags))
    (finding,) = report.of("unsatisfiable")
    assert finding.status == "unknown"
    assert "`context.tags == [1, 2, 3]` (what is in lists and objects" in finding.told
    (verdict,) = verify(report.workflow, [Property("conditions_useful")])
    assert verdict.status == "unknown"
    assert verdict.bound["complete"] is False


def test_what_is_impossible_whatever_the_part_is_stays_impossible() -> None:
    tags = {"type": "list", "input": True}
    assert kinds("context.n > 3 and context.n < 2 and 'x' in context.tags", None, n=N, tags=tags) == ["unsatisfiable"]


def test_beyond_the_limit_of_time_it_is_unknown() -> None:
    workflow = flow("context.x * context.y == 3.3 and context.x / context.y == 1.7", None, x=X, y=X)
    report = wf.conditions(workflow, kinds=["unsatisfiable"], max_seconds=0.05)
    assert report.findings
    assert {each.status for each in report} == {"unknown"}
    assert "within max_seconds=0.05. Raise it." in report.findings[0].told


@pytest.mark.parametrize("wrong", [{"max_seconds": -1}, {"kinds": ["useless"]}])
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"max_seconds must be at least 0, not -1|there is no kind 'useless' of finding"
    ):
        wf.conditions(flow(None), **wrong)


# --- the report and the properties ---------------------------------------------------------------------


def test_the_report_reads_as_text_table_and_html() -> None:
    report = wf.conditions(flow("context.s == '<b>'", s=TEXT))
    assert repr(report).splitlines()[0] == "'w': 1 condition in 1 choice; 1 gap"
    table = report.to_frame()
    assert list(table["kind"]) == ["gap"]
    assert table["values"][0] == report.findings[0].values
    assert "&lt;b&gt;" in report._repr_html_()
    assert report.to_dict()["findings"][0]["kind"] == "gap"
    assert "nothing found" in wf.conditions(flow(None))._repr_html_()


def test_findings_know_their_line() -> None:
    text = wf.dumps(flow("context.n > 3 and context.n < 2", None, n=N))
    (finding,) = wf.conditions(wf.loads(text))
    assert text.splitlines()[(finding.line or 0) - 1].lstrip().startswith(("- from: p", "- {from: p"))


def verdict(name: str, *conditions: str | None, **more: Any) -> Any:
    (found,) = verify(flow(*conditions, **more), [Property(name)])
    return found


def test_each_property_is_violated_by_its_kinds() -> None:
    useful = verdict("conditions_useful", "context.n > 3 and context.n < 2", "true", "context.n > 3", n=N)
    assert useful.status == "violated"
    assert [each.status for each in useful.further] == ["violated", "violated"]
    assert useful.statistics["found"] == {"unsatisfiable": 1, "shadowed": 1, "implied": 1}
    complete = verdict("conditions_complete", "context.n < 3", n=N)
    assert complete.status == "violated"
    assert isinstance(complete.witness, ValuesWitness)
    assert complete.witness.values == {"context.n": 3}
    assert complete.witness.replay() == ["false"]
    disjoint = verdict("conditions_disjoint", "context.n < 3", "context.n < 5", n=N)
    assert disjoint.status == "violated"
    assert disjoint.witness.replay() == ["true", "true"]
    assert "`context.n < 5`: true" in str(disjoint)
    assert disjoint.to_dict()["witness"]["values"] == disjoint.witness.values


def test_what_conditions_written_out_in_full_hold() -> None:
    for name in ("conditions_useful", "conditions_complete", "conditions_disjoint"):
        assert verdict(name, "context.n < 3", "context.n >= 3", n=N).status == "holds"
        assert verdict(name, None).reason == "There is no condition."


def test_useful_is_asked_by_default_and_the_others_are_not() -> None:
    assert "conditions_useful" in BUILT_IN
    assert {"conditions_complete", "conditions_disjoint"}.isdisjoint(BUILT_IN)


def test_a_witness_that_does_not_replay_says_so() -> None:
    witness = verdict("conditions_complete", "context.n < 3", n=N).witness
    wrong = ValuesWitness(witness.steps, witness.workflow, witness.place, {"context.n": 1}, witness.outcomes)
    with pytest.raises(WfsimError, match="does not replay in 'p' on go"):
        wrong.replay()
    with pytest.raises(WfsimError, match="values that conditions read"):
        wf.Stepper(witness)


def test_the_solver_is_loaded_only_where_plain_values_do_not_decide() -> None:
    code = (
        "import sys, wfsim as wf; order = wf.load('models/order_processing.yaml'); wf.conditions(order); "
        "print('z3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
