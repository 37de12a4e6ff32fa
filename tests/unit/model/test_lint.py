"""The linter: each code has a mutant that triggers it and a section in the docs; clean models give none."""

# ruff: noqa: E501

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from wfsim.model.builder import Builder
from wfsim.model.lint import SEVERITIES, Findings, Severity, lint
from wfsim.model.template import TEMPLATES
from wfsim.model.yaml_io import loads

CLEAN = """\
name: clean
initial_state: created
variables:
  order: {type: string, input: true}
  price: {type: number, optional: true}
  attempts: {type: integer, initial: 0}
  receipt: {type: string, optional: true, output: true}
events:
  quote: {payload: {price: number}}
  skip: {}
  pay: {}
  failed: {}
  retry: {}
activities:
  charge: {timeout: 5m, retry_policy: {max_attempts: 3, initial_interval: 1s, max_interval: 60s}}
  pack: {timeout: 1h}
states:
  - {name: created}
  - {name: priced, timeout: 2h}
  - {name: failing, timeout: 1d}
  - {name: packing, timeout: 1d, activity: {name: pack, parameters: {order: "${context.order}"}}}
  - {name: paid, is_terminal: true}
  - {name: lost, is_terminal: true, outcome: failure}
transitions:
  - from: created
    event: quote
    to: priced
    pre_actions: [{action_type: set_variable, parameters: {name: price, value: "${event.price}"}}]
  - {from: created, event: skip, to: packing}
  - from: priced
    event: pay
    to: packing
    condition: context.price > 0
    pre_actions: [{action_type: activity, name: charge, result_variable: receipt}]
  - {from: priced, event: failed, to: failing}
  - {from: priced, event: timeout, to: lost}
  - from: failing
    event: retry
    to: priced
    condition: context.attempts < 3
    pre_actions: [{action_type: set_variable, parameters: {name: attempts, value: "${context.attempts + 1}"}}]
  - {from: failing, event: timeout, to: lost}
  - {from: packing, event: done, to: paid}
  - {from: packing, event: error, to: lost}
timeouts: {workflow: 30d}
unhandled: reject
"""

# code → (what to replace, by what, place of the finding)
MUTANTS: dict[str, list[tuple[str, str, str]]] = {
    "activity-unused": [("  pack: {timeout: 1h}\n", "  pack: {timeout: 1h}\n  old: {}\n", "activity 'old'")],
    "event-undeclared": [("  failed: {}\n", "", "transition 4 (priced → failing on failed)")],
    "event-unused": [("  retry: {}\n", "  retry: {}\n  forgotten: {}\n", "event 'forgotten'")],
    "event-without-policy": [("unhandled: reject\n", "", "workflow 'clean'")],
    "no-way-to-terminal": [
        (
            "  - {from: packing, event: done, to: paid}\n  - {from: packing, event: error, to: lost}\n",
            "  - {from: packing, event: quote, to: packing}\n",
            "state 'packing'",
        ),
        (
            "  - {name: paid, is_terminal: true}\n  - {name: lost, is_terminal: true, outcome: failure}\n",
            "  - {name: paid}\n  - {name: lost}\n",
            "workflow 'clean'",
        ),
    ],
    "policy-unused": [
        ("timeouts: {workflow: 30d}", "timeouts: {workflow: 30d, activity: 1h}", "timeouts.activity"),
        (
            "timeouts: {workflow: 30d}",
            "timeouts: {workflow: 30d, states: {paid: 1h}}",
            "timeouts.states.paid",
        ),
    ],
    "state-unreachable": [
        ("  - {name: lost,", "  - {name: island, is_terminal: true}\n  - {name: lost,", "state 'island'")
    ],
    "state-waits-forever": [("timeouts: {workflow: 30d}\n", "", "state 'created'")],
    "terminal-left": [
        (
            "timeouts: {",
            "  - {from: lost, event: pay, to: paid}\ntimeouts: {",
            "transition 10 (lost → paid on pay)",
        )
    ],
    "timeout-contradiction": [
        ("{name: priced, timeout: 2h}", "{name: priced, timeout: 31d}", "state 'priced'"),
        ("{name: priced, timeout: 2h}", "{name: priced, timeout: 30d}", "state 'priced'"),
        ("{name: packing, timeout: 1d", "{name: packing, timeout: 30m", "state 'packing'"),
        (
            "  pack: {timeout: 1h}",
            "  pack: {timeout: 12h, retry_policy: {max_attempts: 2}}",
            "state 'packing'",
        ),
        (
            "  pack: {timeout: 1h}",
            "  pack: {timeout: 1h, schedule_to_close: 2d, retry_policy: {max_attempts: 99}}",
            "state 'packing'",
        ),
        (
            "timeouts: {",
            "  - {from: priced, after: 2h, to: lost}\ntimeouts: {",
            "transition 10 (priced → lost after 2h)",
        ),
        (
            "timeouts: {",
            "  - {from: packing, after: 1d, to: lost}\ntimeouts: {",
            "transition 10 (packing → lost after 1d)",
        ),
    ],
    "timeout-restarts": [
        ("    condition: context.attempts < 3\n", "", "state 'priced'"),
        ('value: "${context.attempts + 1}"', "value: 0", ""),
        ("timeouts: {", "  - {from: packing, event: retry, to: packing}\ntimeouts: {", "state 'packing'"),
    ],
    "timeout-unhandled": [("  - {from: priced, event: timeout, to: lost}\n", "", "state 'priced'")],
    "transition-shadowed": [
        (
            "timeouts: {",
            "  - {from: created, event: skip, to: lost}\ntimeouts: {",
            "transition 10 (created → lost on skip)",
        ),
        (
            "timeouts: {",
            "  - {from: priced, event: pay, to: lost, condition: '(context.price)>0'}\ntimeouts: {",
            "transition 10 (priced → lost on pay)",
        ),
        (
            "timeouts: {",
            "  - {from: packing, event: error.pack, to: lost}\ntimeouts: {",
            "transition 10 (packing → lost on error.pack)",
        ),
    ],
    "trigger-impossible": [
        (
            "timeouts: {",
            "  - {from: created, event: timeout, to: lost}\ntimeouts: {",
            "transition 10 (created → lost on timeout)",
        ),
        (
            "timeouts: {",
            "  - {from: created, event: done, to: lost}\ntimeouts: {",
            "transition 10 (created → lost on done)",
        ),
    ],
    "variable-may-be-unset": [
        ("event: skip, to: packing}", "event: skip, to: priced}", "variable 'price'"),
        ("order: {type: string, input: true}", "order: {type: string, input: true, optional: true}", ""),
    ],
    "variable-never-read": [("output: true}", "output: false}", "variable 'receipt'")],
    "variable-unprovided": [
        ("order: {type: string, input: true}", "order: {type: string}", "variable 'order'"),
        ("  receipt: {", "  result: {output: true, optional: true}\n  receipt: {", "variable 'result'"),
    ],
    "variable-unset": [
        (
            "  - {from: created, event: skip, to: packing}",
            "  - {from: created, event: skip, to: packing, condition: context.price > 0}",
            "variable 'price'",
        ),
        ("price: {type: number, optional: true}", "price: {type: number}", ""),
    ],
    "variable-unused": [("  receipt: {", "  old: {type: string}\n  receipt: {", "variable 'old'")],
}


def codes(text: str) -> set[str]:
    return {finding.code for finding in lint(loads(text))}


def mutated(old: str, new: str) -> Findings:
    assert old in CLEAN
    return lint(loads(CLEAN.replace(old, new), "clean.yaml"))


CASES = [(code, *case) for code, cases in MUTANTS.items() for case in cases if case[2]]


@pytest.mark.parametrize("text", [CLEAN, *TEMPLATES.values()])
def test_a_clean_model_gives_no_finding(text: str) -> None:
    assert lint(loads(text)) == []


def test_every_code_has_a_mutant() -> None:
    assert set(MUTANTS) == set(SEVERITIES)


@pytest.mark.parametrize(("code", "old", "new", "place"), CASES)
def test_the_mutant_is_found_at_its_place(code: str, old: str, new: str, place: str) -> None:
    found = [finding for finding in mutated(old, new) if finding.code == code]
    assert place in [finding.place for finding in found]
    assert all(finding.file == "clean.yaml" and finding.line for finding in found)
    assert all(finding.severity is SEVERITIES[code] for finding in found)


def test_every_code_is_explained_in_the_docs_and_nothing_else_is() -> None:
    page = (Path(__file__).parents[3] / "docs" / "lint.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\S+)\n\n\*(\w+)\.\*", page, re.MULTILINE))
    assert sections == {code: severity.value for code, severity in SEVERITIES.items()}
    for body in page.split("\n## ")[1:]:
        assert "```yaml" in body
        assert "Repair:" in body


def test_a_line_points_at_the_defect() -> None:
    (finding,) = mutated("  retry: {}\n", "  retry: {}\n  forgotten: {}\n")
    assert CLEAN.splitlines()[finding.line - 2] == "  retry: {}" if finding.line else False
    assert str(finding).startswith(f"clean.yaml:{finding.line}: warning event-unused: event 'forgotten': ")


# Waiting ------------------------------------------------------------------------------------------------------

DECIDING = """\
name: deciding
initial_state: a
unhandled: reject
variables:
  x: {type: integer, input: true}
  y: {type: integer, initial: 0, output: true}
  kind: {type: string, input: true, values: [new, old]}
  grade: {type: string, initial: fair}
states: [{name: a}, {name: z, is_terminal: true}]
transitions:
"""


def waiting(*transitions: str) -> list[str]:
    text = DECIDING + "".join(f"  - {line}\n" for line in transitions)
    return [finding.message for finding in lint(loads(text)) if finding.code == "state-waits-forever"]


def test_a_condition_that_nothing_can_make_true_any_more_waits_for_ever() -> None:
    (told,) = waiting("{from: a, to: z, condition: context.x > 1}")
    assert told.startswith("no condition-only transition leads on with x = 0, nor can that change here")
    (told,) = waiting("{from: a, to: z, condition: context.x > 1}", "{from: a, event: go, to: z}")
    assert told.endswith("it waits for go, and nothing bounds the time until then.")
    (told,) = waiting(
        "{from: a, to: z, condition: context.x > 1 and context.y >= 0}",
        "{from: a, to: z, condition: context.x <= 1 and context.kind == 'new'}",
    )
    assert 'kind = "old"' in told


@pytest.mark.parametrize(
    "transitions",
    [
        ("{from: a, to: z, condition: context.x > 1}", "{from: a, to: z, condition: context.x <= 1}"),
        ("{from: a, to: z, condition: context.kind == 'new'}", "{from: a, to: z, condition: context.kind == 'old'}"),
        ("{from: a, to: z, condition: context.grade == 'fair'}",),
        ("{from: a, to: z, condition: context.x > 1}", "{from: a, after: 1h, to: z}"),
    ],
)
def test_conditions_that_leave_no_case_over_do_not_wait(transitions: tuple[str, ...]) -> None:
    assert waiting(*transitions) == []


def test_a_condition_on_what_a_region_beside_it_writes_may_still_come_true() -> None:
    text = NESTED.replace(", condition: context.a + context.b > 0", "").replace("    timeout: 1d\n", "")
    auto = "{from: r1, condition: context.a == 1, to: r2}"
    assert "state 'r1'" in [f.place for f in lint(loads(text)) if f.code == "state-waits-forever"]
    text = text.replace("{from: r1, event: z, to: r2, condition: context.a > 0}", auto)
    assert [f.place for f in lint(loads(text)) if f.code == "state-waits-forever"] == ["state 'l1'"]


AFTERS = """\
name: afters
initial_state: a
unhandled: reject
variables: {x: {type: integer, input: true}}
states: [{name: a}, {name: y, is_terminal: true}, {name: z, is_terminal: true}]
transitions:
"""


@pytest.mark.parametrize(
    ("first", "second", "shadowed"),
    [
        ("{from: a, after: 1s, to: z}", "{from: a, after: 2s, to: y}", 2),
        ("{from: a, after: 2s, to: z}", "{from: a, after: 1s, to: y}", 1),
        ("{from: a, after: 1s, to: z}", "{from: a, after: 1s, to: y}", 2),
        ("{from: a, after: 1s, to: z, condition: 'true'}", "{from: a, after: 2s, to: y}", 2),
        ("{from: a, after: 1s, to: z, condition: context.x > 1}", "{from: a, after: 2s, to: y}", None),
        ("{from: a, after: 1s}", "{from: a, after: 2s, to: y}", None),
        (
            "{from: a, after: 1s, to: z, pre_actions: [{action_type: activity, name: f}]}",
            "{from: a, after: 2s, to: y}",
            None,
        ),
        ("{from: a, after: '${context.x}', to: z}", "{from: a, after: 2s, to: y}", None),
    ],
)
def test_of_two_times_the_longer_never_comes(first: str, second: str, shadowed: int | None) -> None:
    found = [f for f in lint(loads(f"{AFTERS}  - {first}\n  - {second}\n")) if f.code == "transition-shadowed"]
    assert [f.place.split(" (")[0] for f in found] == ([] if shadowed is None else [f"transition {shadowed}"])


def test_a_circle_through_a_condition_on_what_nothing_provides_is_none() -> None:
    text = CLEAN.replace("context.attempts < 3", "context.never < 3").replace(
        "  attempts: {type: integer, initial: 0}\n",
        "  attempts: {type: integer, initial: 0}\n  never: {type: integer}\n",
    )
    assert "variable-unprovided" in codes(text)
    assert "timeout-restarts" not in codes(text)
    assert "timeout-restarts" in codes(text.replace("never: {type: integer}", "never: {type: integer, input: true}"))


# Data flow ----------------------------------------------------------------------------------------------------


def flow(*transitions: str, x: str = "type: integer, optional: true", states: str = "") -> set[tuple[str, str]]:
    text = (
        "name: flow\ninitial_state: a\nunhandled: reject\ntimeouts: {workflow: 1d}\n"
        f"variables:\n  x: {{{x}}}\n  sink: {{output: true, optional: true}}\n"
        f"states: [{{name: a}}, {{name: b}}, {states}{{name: end, is_terminal: true}}]\ntransitions:\n"
        "  - {from: a, event: out, to: end}\n  - {from: a, event: go, to: b}\n  - {from: b, event: out, to: end}\n"
        "  - {from: a, event: sink, pre_actions: [{action_type: set_variable, parameters: {name: sink, value: 1}}]}\n"
        + "".join(f"  - {line}\n" for line in transitions)
    )
    return {(finding.code, finding.place) for finding in lint(loads(text)) if finding.code.startswith("variable")}


SET = "pre_actions: [{action_type: set_variable, parameters: {name: x, value: 1}}]"
SOMETIMES = ("{from: a, event: maybe, to: b, " + SET + "}",)
MAY = {("variable-may-be-unset", "variable 'x'")}
MUST = {("variable-unset", "variable 'x'")}


@pytest.mark.parametrize(
    "condition",
    [
        "context.x != null and context.x > 0",
        "not (context.x == null or context.x <= 0)",
        "context.x == null or context.x > 0",
        "context.x > 0 if context.x != null else false",
        "context.x == null",
        "context.x == 5",
        "null != context.x and 1 // context.x > 0",
    ],
)
def test_a_guarded_read_is_no_finding(condition: str) -> None:
    assert flow(*SOMETIMES, f"{{from: b, event: use, to: end, condition: '{condition}'}}") == set()


@pytest.mark.parametrize(
    "condition",
    [
        "context.x > 0",
        "context.x > 0 and context.x != null",
        "context.x != null or context.x > 0",
        "context.x + 1 == 2",
        "context.x > 0 if context.x == null else false",
    ],
)
def test_a_read_that_null_would_break_is_found(condition: str) -> None:
    assert flow(*SOMETIMES, f"{{from: b, event: use, to: end, condition: '{condition}'}}") == MAY


def test_a_variable_set_on_every_path_is_no_finding() -> None:
    assert (
        flow(
            "{from: a, event: set, " + SET + "}",
            "{from: a, condition: context.x != null, to: b}",
            "{from: b, event: never, to: end}",
        )
        == set()
    )


def test_a_condition_that_was_false_before_is_known_to_the_next_transition() -> None:
    assert (
        flow(
            *SOMETIMES,
            "{from: b, event: use, to: end, condition: context.x == null}",
            "{from: b, event: use, to: end, condition: context.x > 0}",
        )
        == set()
    )


def test_reading_before_anything_can_have_set_it_is_an_error() -> None:
    assert flow(*SOMETIMES, "{from: a, event: use, to: end, condition: context.x > 0}") == MUST


def test_a_variable_that_is_not_optional_is_found_wherever_it_is_read() -> None:
    read = "{from: b, event: use, to: end, pre_actions: [{action_type: set_variable, parameters: {name: sink, value: '${context.x}'}}]}"
    assert flow(*SOMETIMES, read, x="type: integer") == MAY
    assert flow(*SOMETIMES, read) == set()


def test_an_ignored_failure_sets_nothing_for_certain() -> None:
    ignored = SET.replace("value: 1}}", "value: 1}, on_failure: ignore}")
    use = "{from: c, event: use, to: end, condition: context.x > 0}"
    only = "{from: a, event: maybe, to: c, " + SET + "}"
    assert flow(only, use, states="{name: c}, ") == set()
    assert flow(only.replace(SET, ignored), use, states="{name: c}, ") == MAY


def test_the_result_of_work_is_set_by_done_only() -> None:
    states = "{name: c, activity: {name: f, result_variable: x}}, "
    into = "{from: a, event: maybe, to: c}"
    done = "{from: c, event: done, to: end, condition: context.x > 0}"
    skipped = "{from: c, event: use, to: end, condition: context.x > 0}"
    assert flow(into, done, states=states) == set()
    assert flow(into, done, skipped, states=states) == MAY


def test_work_starts_before_the_actions_after_a_commit_are_done() -> None:
    states = "{name: c, activity: {name: f, parameters: {p: '${context.x + 1}'}}}, "
    late = "{from: a, event: maybe, to: c, " + SET.replace("pre_", "post_") + "}"
    leave = "{from: c, event: done, to: end}"
    assert flow(late, leave, states=states) == MUST
    assert flow(late.replace("post_", "pre_"), leave, states=states) == set()


# Nested regions -------------------------------------------------------------------------------------------------

NESTED = """\
name: nested
initial_state: work
unhandled: reject
variables:
  a: {type: integer, optional: true}
  b: {type: integer, optional: true}
states:
  - name: work
    timeout: 1d
    parallel:
      regions:
        - name: left
          initial_state: l1
          states: [{name: l1}, {name: l2, is_terminal: true}]
          transitions:
            - {from: l1, event: x, to: l2, pre_actions: [{action_type: set_variable, parameters: {name: a, value: 1}}]}
        - name: right
          initial_state: r1
          states: [{name: r1}, {name: r2, is_terminal: true}]
          transitions:
            - {from: r1, event: y, to: r2, pre_actions: [{action_type: set_variable, parameters: {name: b, value: 1}}]}
            - {from: r1, event: z, to: r2, condition: context.a > 0}
  - {name: ok, is_terminal: true}
  - {name: bad, is_terminal: true, outcome: failure}
transitions:
  - {from: work, event: done, to: ok, condition: context.a + context.b > 0}
  - {from: work, event: error, to: bad}
"""


def test_regions_are_judged_each_for_itself_without_nonsense() -> None:
    assert lint(loads(NESTED)) == []


def test_a_defect_inside_a_region_is_found_with_its_place() -> None:
    text = NESTED.replace(
        "{name: r2, is_terminal: true}]", "{name: r2, is_terminal: true}, {name: r3, is_terminal: true}]"
    )
    found = lint(loads(text))
    assert [(finding.code, finding.place) for finding in found] == [("state-unreachable", "state 'r3'")]
    late = NESTED.replace("event: z, to: r2", "event: timeout, to: r2")
    assert [finding.place for finding in lint(loads(late))] == [
        "transition 2 of region 'right' of state 'work' (r1 → r2 on timeout)"
    ]


def test_the_error_of_an_inner_timeout_is_handled_further_out() -> None:
    inner = NESTED.replace("[{name: l1}, ", "[{name: l1, timeout: 1h}, ")
    assert codes(inner) == set()
    assert codes(
        inner.replace("  - {from: work, event: error, to: bad}\n", "  - {from: work, event: timeout, to: bad}\n")
    ) == {"timeout-unhandled"}


# The published order workflow -----------------------------------------------------------------------------------

ORDER = """\
name: order_processing
version: 1.0.0
initial_state: created
variables:
  order_id: {type: string, input: true}
  total_amount: {type: number, input: true}
  items: {type: list, input: true}
  payment_id: {type: string, optional: true}
  payment_failed_attempt_count: {type: integer, optional: true}
  cancellation_reason: {type: string, optional: true, output: true}
events:
  order_created: {}
  order_validated: {}
  payment_initiated: {}
  payment_failed: {payload: {reason: string, attempt_count: integer}}
  payment_completed: {}
  inventory_allocated: {}
  order_shipped: {}
  order_delivered: {}
  order_cancelled: {payload: {reason: string}}
  refund_processed: {}
  retry_payment: {}
states:
  - {name: created, is_terminal: false}
  - {name: validated, is_terminal: false}
  - {name: payment_pending, is_terminal: false}
  - {name: payment_failed, is_terminal: false}
  - {name: payment_completed, is_terminal: false}
  - {name: inventory_allocated, is_terminal: false}
  - {name: shipped, is_terminal: false}
  - {name: delivered, is_terminal: true}
  - {name: cancelled, is_terminal: true}
  - {name: refunded, is_terminal: true}
transitions:
  - {from: created, to: validated, event: order_validated, pre_actions: [{name: validate_order, action_type: activity, parameters: {order_id: "${context.order_id}"}}]}
  - {from: validated, to: payment_pending, event: payment_initiated, pre_actions: [{name: initiate_payment, action_type: activity, parameters: {amount: "${context.total_amount}"}}]}
  - {from: payment_pending, to: payment_failed, event: payment_failed}
  - {from: payment_failed, to: payment_pending, event: retry_payment, condition: context.payment_failed_attempt_count < 3}
  - {from: payment_failed, to: cancelled, event: order_cancelled, condition: context.payment_failed_attempt_count >= 3}
  - {from: payment_pending, to: payment_completed, event: payment_completed}
  - {from: payment_completed, to: inventory_allocated, event: inventory_allocated, pre_actions: [{name: allocate, action_type: activity, parameters: {items: "${context.items}"}}]}
  - {from: inventory_allocated, to: shipped, event: order_shipped}
  - {from: shipped, to: delivered, event: order_delivered}
CANCEL
  - {from: payment_completed, to: refunded, event: refund_processed, pre_actions: [{name: refund, action_type: activity, parameters: {payment_id: "${context.payment_id}"}}]}
  - {from: inventory_allocated, to: refunded, event: refund_processed}
  - {from: shipped, to: refunded, event: refund_processed}
  - {from: cancelled, to: refunded, event: refund_processed}
timeouts: {workflow: 2592000, states: {payment_pending: 7200, shipped: 1209600}, activity: 300}
retry_policy: {max_attempts: 3, initial_interval_seconds: 1, max_interval_seconds: 60, backoff_coefficient: 2.0, non_retryable_errors: [ValidationError]}
"""
CANCEL = "\n".join(
    f"  - {{from: {state}, to: cancelled, event: order_cancelled, post_actions: [{{name: reason, action_type: "
    "set_variable, parameters: {name: cancellation_reason, value: '${event.reason}'}}]}"
    for state in (
        "created",
        "validated",
        "payment_pending",
        "payment_completed",
        "inventory_allocated",
        "shipped",
    )
)


def test_the_defects_of_the_published_order_are_named_and_nothing_else() -> None:
    found = lint(loads(ORDER.replace("CANCEL", CANCEL), "order.yaml"))
    assert sorted((finding.code, finding.place) for finding in found) == [
        ("event-unused", "event 'order_created'"),
        ("event-without-policy", "workflow 'order_processing'"),
        ("terminal-left", "transition 19 (cancelled → refunded on refund_processed)"),
        ("timeout-unhandled", "state 'payment_pending'"),
        ("timeout-unhandled", "state 'shipped'"),
        ("variable-unprovided", "variable 'payment_failed_attempt_count'"),
        ("variable-unprovided", "variable 'payment_id'"),
    ]


# Findings as objects --------------------------------------------------------------------------------------------


def test_findings_come_in_the_order_of_the_file_and_are_the_same_every_time() -> None:
    text = ORDER.replace("CANCEL", CANCEL)
    lines = [finding.line for finding in lint(loads(text, "f"))]
    assert lines == sorted(lines, key=lambda line: line or 0)
    assert lint(loads(text, "f")) == lint(loads(text, "f"))


def test_findings_are_plain_data_a_table_and_safe_html() -> None:
    builder = Builder("<script>alert(1)</script>")
    builder.state("a", initial=True).state("b", terminal=True).transition("a", "b", on="go")
    found = lint(builder.event("<img src=x>").build())
    assert json.loads(json.dumps([finding.to_dict() for finding in found]))[0]["severity"] == "warning"
    assert list(found.df()["code"]) == [finding.code for finding in found]
    page = found._repr_html_()
    assert "<script>" not in page
    assert "<img" not in page
    assert lint(Builder("x", unhandled="reject").state("a", initial=True, terminal=True).build()) == []


def test_the_table_of_missing_policies_names_every_pair() -> None:
    (finding,) = mutated("unhandled: reject\n", "")
    assert finding.severity is Severity.INFO
    table = dict(finding.table)
    assert table["created"] == "pay, failed, retry"
    assert "paid" not in table
    decided = CLEAN.replace("unhandled: reject\n", "").replace("  pay: {}", "  pay: {unhandled: defer}")
    assert dict(lint(loads(decided))[0].table)["created"] == "failed, retry"


def test_a_builder_model_has_places_without_lines() -> None:
    builder = Builder("x", unhandled="reject").timeouts(workflow="1d")
    builder.state("a", initial=True).state("b", terminal=True).state("c", terminal=True)
    (finding,) = lint(builder.transition("a", "b", on="go").build())
    assert (finding.code, finding.place, finding.file, finding.line) == (
        "state-unreachable",
        "state 'c'",
        None,
        None,
    )
