"""The linter: each code has a mutant that triggers it and a section in the docs; clean models give none."""

# ruff: noqa: E501

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.mistakes import MISTAKES
from wfsim.model.builder import Builder
from wfsim.model.catalogue import Catalogue
from wfsim.model.lint import SEVERITIES, Findings, Severity, lint
from wfsim.model.template import TEMPLATES
from wfsim.model.yaml_io import load, loads

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
  - {from: priced, event: error.charge, to: lost}
timeouts: {workflow: 30d}
unhandled: reject
"""

LANGUAGE = """\
name: journey
initial_state: booking
variables:
  traveller: {type: string, input: true}
  legs: {type: list, input: true}
  hotel: {type: string, optional: true, output: true}
  flight: {type: string, optional: true, output: true}
  tickets: {type: list, optional: true, output: true}
  rounds: {type: integer, initial: 0, output: true}
correlation: {key: context.traveller}
events: {booked: {payload: {id: string}}, chosen: {payload: {id: string}}, ask: {}, pay: {}}
activities:
  reserve: {timeout: 5m, compensate_with: release}
  release: {timeout: 5m}
  print: {timeout: 1m}
  tell: {schedule_to_close: 1h}
states:
  - name: booking
    timeout: 1d
    parallel:
      regions:
        - name: room
          initial_state: searching
          states: [{name: searching}, {name: found, is_terminal: true}, {name: full, is_terminal: true, outcome: failure}]
          transitions:
            - from: searching
              event: booked
              to: found
              pre_actions: [{action_type: set_variable, parameters: {name: hotel, value: "${event.id}"}}]
            - {from: searching, after: 1h, to: full}
        - name: seat
          initial_state: choosing
          states: [{name: choosing}, {name: chosen, is_terminal: true}]
          transitions:
            - from: choosing
              event: chosen
              to: chosen
              pre_actions:
                - {action_type: activity, name: reserve}
                - {action_type: set_variable, parameters: {name: flight, value: "${event.id}"}}
  - name: printing
    for_each: {items: "${context.legs}", as: leg, activity: print, max_parallel: 3, result_variable: tickets}
  - {name: insuring, invoke: {workflow: insurance}}
  - {name: paying}
  - {name: travelling, is_terminal: true}
  - {name: staying, is_terminal: true, outcome: failure}
transitions:
  - {from: booking, event: done, to: printing}
  - {from: booking, event: error, to: staying, pre_actions: [{action_type: compensate, on_failure: ignore}]}
  - {from: booking, event: timeout, to: staying, pre_actions: [{action_type: compensate, on_failure: ignore}]}
  - {from: booking, event: cancel_requested, to: staying, pre_actions: [{action_type: compensate, on_failure: ignore}]}
  - {from: printing, event: done, to: insuring, post_actions: [{action_type: send, event: ask, to: self}]}
  - {from: printing, event: error, to: staying, pre_actions: [{action_type: compensate, on_failure: ignore}]}
  - {from: insuring, event: ask}
  - {from: insuring, event: done, to: paying}
  - from: insuring
    event: error
    to: insuring
    condition: context.rounds < 3
    pre_actions: [{action_type: set_variable, parameters: {name: rounds, value: "${context.rounds + 1}"}}]
  - {from: insuring, event: error, to: staying, pre_actions: [{action_type: compensate, on_failure: ignore}]}
  - from: paying
    event: pay
    to: travelling
    post_actions: [{action_type: activity, name: tell, on_failure: ignore}]
timeouts: {workflow: 30d}
retry_policy: {max_attempts: 2}
unhandled: reject
"""

# code → (what to replace, by what, place of the finding)
_UNDO = ", pre_actions: [{action_type: compensate, on_failure: ignore}]}\n"
MUTANTS: dict[str, list[tuple[str, str, str]]] = {
    "activity-unclocked": [
        ("release: {timeout: 5m}", "release: {}", "activity 'release'"),
        ("tell: {schedule_to_close: 1h}", "tell: {schedule_to_start: 1h}", "activity 'tell'"),
        ("tell: {schedule_to_close: 1h}", "tell: {heartbeat: 1h}", ""),
    ],
    "automatic-cycle": [
        ("    condition: context.rounds < 3\n", "", "state 'insuring'"),
        (
            "{from: insuring, event: done, to: paying}",
            "{from: insuring, event: done, to: printing}",
            "state 'printing'",
        ),
        (
            "  - {from: insuring, event: ask}\n",
            "  - {from: insuring, event: ask}\n  - {from: paying, condition: context.rounds < 9, to: paying}\n",
            "state 'paying'",
        ),
    ],
    "activity-input": [
        ("print: {timeout: 1m}", "print: {timeout: 1m, input: {leg: string, copies: integer}}", "state 'printing'"),
        ("print: {timeout: 1m}", "print: {timeout: 1m, input: {legs: string}}", "state 'printing'"),
        ("pack: {timeout: 1h}", "pack: {timeout: 1h, input: {order: integer}}", "state 'packing'"),
    ],
    "activity-result": [
        ("charge: {timeout", "charge: {result: {id: string}, timeout", "transition 3 (priced → packing on pay)"),
        ("charge: {timeout", "charge: {result: integer, timeout", "transition 3 (priced → packing on pay)"),
    ],
    "compensator-input": [
        ("release: {timeout: 5m}", "release: {timeout: 5m, input: {seat: string}}", "activity 'reserve'"),
    ],
    "type-mixed": [("", "", "")],
    "child-input": [
        ("{workflow: insurance}", "{workflow: insurance, input: {prize: 1}}", "state 'insuring'"),
        ("{workflow: insurance}", "{workflow: insurance, input: {premium: much}}", "state 'insuring'"),
        ("{workflow: insurance}", '{workflow: insurance, input: {premium: "${context.legs}"}}', "state 'insuring'"),
    ],
    "child-result": [
        (
            "{from: insuring, event: done, to: paying}",
            "{from: insuring, event: done, to: paying, condition: event.result.polcy != 'none'}",
            "transition 8 (insuring → paying on done)",
        ),
        (
            "{from: insuring, event: done, to: paying}",
            "{from: insuring, event: done, to: paying, condition: event.result.policy > 3}",
            "transition 8 (insuring → paying on done)",
        ),
        (
            "{from: insuring, event: done, to: paying}",
            "{from: insuring, event: done, to: paying, condition: event.result.policy != 'none'}",
            "",
        ),
        ("{workflow: insurance}", "{workflow: insurance, result_variable: hotel}", "state 'insuring'"),
    ],
    "child-unknown": [
        ("{workflow: insurance}", "{workflow: insurence}", "state 'insuring'"),
        ("{workflow: insurance}", '{workflow: insurance, version: ">=2.0.0"}', "state 'insuring'"),
    ],
    "child-outlasts": [
        ("timeouts: {workflow: 30d}\nretry", "timeouts: {workflow: 2d}\nretry", "state 'insuring'"),
        ("{name: insuring, invoke", "{name: insuring, timeout: 1d, invoke", "state 'insuring'"),
        ("{name: insuring, invoke", "{name: insuring, timeout: 3d, invoke", ""),
    ],
    "compensator-unretried": [("retry_policy: {max_attempts: 2}\n", "", "activity 'release'")],
    "retries-endless": [
        ("retry_policy: {max_attempts: 2}", "retry_policy: {max_attempts: 9999}", "activity 'reserve'"),
        ("max_attempts: 3", "max_attempts: 1000", "activity 'charge'"),
        ("max_attempts: 3, ", "max_attempts: 999, ", ""),
    ],
    "compensation-missing": [
        (
            "event: timeout, to: staying" + _UNDO,
            "event: timeout, to: staying}\n",
            "transition 3 (booking → staying on timeout)",
        ),
        (
            "event: cancel_requested, to: staying" + _UNDO,
            "event: cancel_requested, to: travelling}\n",
            "transition 4 (booking → travelling on cancel_requested)",
        ),
        (
            "printing, event: error, to: staying" + _UNDO,
            "printing, event: error, to: staying}\n",
            "transition 6 (printing → staying on error)",
        ),
    ],
    "done-unhandled": [("  - {from: insuring, event: done, to: paying}\n", "", "state 'insuring'")],
    "ending-can-fail": [
        ("name: tell, on_failure: ignore", "name: tell", "transition 11 (paying → travelling on pay)"),
    ],
    "error-unhandled": [
        ("  - {from: booking, event: error, to: staying" + _UNDO, "", "state 'choosing'"),
        ("  - {from: booking, event: error, to: staying" + _UNDO, "", "state 'booking'"),
        ("{from: printing, event: error, to: staying", "{from: paying, event: error, to: staying", "state 'printing'"),
        (
            "    post_actions: [{action_type: activity, name: tell",
            "    pre_actions: [{action_type: activity, name: print}]\n    post_actions: [{action_type: activity, name: tell",
            "state 'paying'",
        ),
    ],
    "for-each-unbounded": [(", max_parallel: 3", "", "state 'printing'")],
    "key-mismatch": [
        (
            "timeouts: {",
            "  - {from: ask, event: x, pre_actions: [{action_type: send, event: e, to: {workflow: insurance, key: '5'}}]}\ntimeouts: {",
            "",
        )
    ],
    "input-unread": [
        (
            "pack: {timeout: 1h}",
            "pack: {timeout: 1h, input: {order: string}, http: {url: 'https://h/'}}",
            "activity 'pack'",
        ),
        (
            "pack: {timeout: 1h}",
            "pack: {timeout: 1h, input: {order: string}, command: [pack-it, now]}",
            "activity 'pack'",
        ),
        (
            "pack: {timeout: 1h}",
            "pack: {timeout: 1h, input: {order: string}, http: {url: 'https://h/', method: POST, body: '${input}'}}",
            "",
        ),
    ],
    "key-may-be-null": [
        ("key: context.traveller", "key: context.hotel", "correlation.key"),
        (
            "traveller: {type: string, input: true}",
            "traveller: {type: string, input: true, optional: true}",
            "correlation.key",
        ),
        ("traveller: {type: string, input: true}", "traveller: {input: true}", "correlation.key"),
        ("key: context.traveller", "key: '1 if context.traveller == null else 2'", ""),
    ],
    "message-unreceived": [
        (
            "action_type: send, event: ask, to: self",
            "action_type: send, event: aks, to: self",
            "transition 5 (printing → insuring on done)",
        ),
        (
            "event: ask, to: self",
            "event: aks, to: {workflow: journey, key: a}",
            "transition 5 (printing → insuring on done)",
        ),
    ],
    "activity-unused": [("  pack: {timeout: 1h}\n", "  pack: {timeout: 1h}\n  old: {}\n", "activity 'old'")],
    "function-unused": [("activities:\n", "functions: {old: {result: integer}}\nactivities:\n", "function 'old'")],
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
    "region-never-ends": [
        (
            "event: chosen\n              to: chosen\n",
            "event: chosen\n              to: choosing\n",
            "region 'seat' of state 'booking'",
        ),
        (
            "{name: chosen, is_terminal: true}",
            "{name: chosen, is_terminal: true, outcome: failure}",
            "region 'seat' of state 'booking'",
        ),
    ],
    "state-unknown": [
        ("condition: context.price > 0", "condition: context.price > 0 and state == 'prized'", "'prized'"),
        ("condition: context.price > 0", "condition: context.price > 0 and state in ['priced', 'x']", "'x'"),
        ("condition: context.price > 0", "condition: context.price > 0 and state == 'priced'", ""),
    ],
    "state-unreachable": [
        ("  - {name: lost,", "  - {name: island, is_terminal: true}\n  - {name: lost,", "state 'island'")
    ],
    "state-waits-forever": [("timeouts: {workflow: 30d}\n", "", "state 'created'")],
    "terminal-left": [
        (
            "timeouts: {",
            "  - {from: lost, event: pay, to: paid}\ntimeouts: {",
            "transition 11 (lost → paid on pay)",
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
            "transition 11 (priced → lost after 2h)",
        ),
        (
            "timeouts: {",
            "  - {from: packing, after: 1d, to: lost}\ntimeouts: {",
            "transition 11 (packing → lost after 1d)",
        ),
    ],
    "timeout-restarts": [
        ("    condition: context.attempts < 3\n", "", "state 'priced'"),
        ('value: "${context.attempts + 1}"', "value: 0", ""),
        ("timeouts: {", "  - {from: packing, event: retry, to: packing}\ntimeouts: {", "state 'packing'"),
    ],
    "timeout-unhandled": [("  - {from: priced, event: timeout, to: lost}\n", "", "state 'priced'")],
    "transient-read-late": [
        (
            "attempts: {type: integer, initial: 0}",
            "attempts: {type: integer, initial: 0, transient: true}",
            "variable 'attempts'",
        ),
    ],
    "transition-shadowed": [
        (
            "timeouts: {",
            "  - {from: created, event: skip, to: lost}\ntimeouts: {",
            "transition 11 (created → lost on skip)",
        ),
        (
            "timeouts: {",
            "  - {from: priced, event: pay, to: lost, condition: '(context.price)>0'}\ntimeouts: {",
            "transition 11 (priced → lost on pay)",
        ),
        (
            "timeouts: {",
            "  - {from: packing, event: error.pack, to: lost}\ntimeouts: {",
            "transition 11 (packing → lost on error.pack)",
        ),
    ],
    "trigger-impossible": [
        (
            "timeouts: {",
            "  - {from: created, event: timeout, to: lost}\ntimeouts: {",
            "transition 11 (created → lost on timeout)",
        ),
        (
            "timeouts: {",
            "  - {from: created, event: done, to: lost}\ntimeouts: {",
            "transition 11 (created → lost on done)",
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
    "workflow-recursion": [("workflow: insurance", "workflow: journey", "workflow 'journey'")],
    "write-race": [
        ("{name: flight, value", "{name: hotel, value", "variable 'hotel'"),
        (
            "  - {from: insuring, event: ask}\n",
            "  - {from: insuring, event: ask}\n  - from: booking\n    event: ask\n    pre_actions: [{action_type: set_variable, parameters: {name: hotel, value: none}}]\n",
            "variable 'hotel'",
        ),
    ],
}


INSURANCE = """\
name: insurance
initial_state: a
timeouts: {workflow: 3d}
variables:
  premium: {type: integer, input: true, optional: true}
  policy: {type: string, optional: true, output: true}
states: [{name: a}]
transitions: []
"""


def codes(text: str) -> set[str]:
    return {finding.code for finding in lint(loads(text))}


def mutated(old: str, new: str) -> Findings:
    base = CLEAN if old in CLEAN else LANGUAGE
    assert old in base
    return lint(loads(base.replace(old, new), "clean.yaml"), catalogue=[loads(INSURANCE)])


CASES = [(code, *case) for code, cases in MUTANTS.items() for case in cases if case[2]]


@pytest.mark.parametrize("text", [CLEAN, LANGUAGE, *TEMPLATES.values()])
def test_a_clean_model_gives_no_finding(text: str) -> None:
    assert lint(loads(text)) == []


def test_every_code_has_a_mutant() -> None:
    # Hints have whole definitions with a mistake in them: tests/mistakes.py.
    assert set(MUTANTS) | {each.code for each in MISTAKES} == set(SEVERITIES)


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


TYPED = """\
name: typed
initial_state: a
types:
  phone: {type: string, pattern: "[+][0-9]+"}
  street: {type: string}
  line: {amount: {type: number, minimum: 0}, sku: string}
variables:
  phone: {type: phone, input: true}
  street: {type: street, input: true}
  lines: {type: list, items: line, input: true}
activities:
  call: {timeout: 1m, input: {to: phone}, compensate_with: uncall}
  uncall: {timeout: 1m, retry_policy: {max_attempts: 1}, input: {to: phone, result: {type: any, optional: true}}}
  pack: {timeout: 1m, input: {line: line}, compensate_with: unpack}
  unpack: {timeout: 1m, retry_policy: {max_attempts: 1}, input: {line: line}}
states:
  - {name: a, activity: {name: call, parameters: {to: "${context.phone}"}}}
  - {name: b, for_each: {items: "${context.lines}", as: line, activity: pack, max_parallel: 1}}
  - {name: t, is_terminal: true}
  - {name: bad, is_terminal: true, outcome: failure}
transitions:
  - {from: a, event: done, to: b}
  - {from: a, event: error, to: bad, pre_actions: [{action_type: compensate, on_failure: ignore}]}
  - {from: b, event: done, to: t}
  - {from: b, event: error, to: bad, pre_actions: [{action_type: compensate, on_failure: ignore}]}
timeouts: {workflow: 1d}
unhandled: reject
"""


def typed(old: str, new: str) -> set[tuple[str, str]]:
    """Codes and places of what is found."""
    assert old in TYPED
    return {(finding.code, finding.place) for finding in lint(loads(TYPED.replace(old, new)))}


def test_what_is_declared_and_handed_over_alike_is_no_finding() -> None:
    assert typed("name: typed", "name: typed") == {("variable-never-read", "variable 'street'")}


def test_a_value_of_a_type_of_another_name_is_told() -> None:
    assert ("type-mixed", "state 'a'") in typed("${context.phone}", "${context.street}")


def test_two_compensators_swapped_do_not_get_what_they_need() -> None:
    swapped = TYPED.replace("compensate_with: uncall", "compensate_with: x").replace("with: unpack", "with: uncall")
    found = lint(loads(swapped.replace("with: x", "with: unpack")))
    assert [each.place for each in found if each.code == "compensator-input"] == ["activity 'call'", "activity 'pack'"]


def test_an_item_of_a_typed_list_is_held_against_what_takes_it() -> None:
    assert ("activity-input", "state 'b'") in typed(
        "pack: {timeout: 1m, input: {line: line}", "pack: {timeout: 1m, input: {line: {x: string}}"
    )


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


# The language ---------------------------------------------------------------------------------------------------


def places(text: str, code: str) -> list[str]:
    return [finding.place for finding in lint(loads(text)) if finding.code == code]


def test_regions_that_write_the_same_constant_or_end_a_join_of_one_do_not_race() -> None:
    second = LANGUAGE.replace("{name: flight, value", "{name: hotel, value")
    assert places(second, "write-race") == ["variable 'hotel'"]
    assert places(second.replace('value: "${event.id}"', "value: booked"), "write-race") == []
    assert places(second.replace("    parallel:\n", "    parallel:\n      join: any\n"), "write-race") == []


ANYONE = """\
name: anyone
initial_state: asking
variables: {answer: {type: string, optional: true, output: true}}
activities: {ask: {timeout: 1h}}
states:
  - name: asking
    timeout: 2h
    parallel:
      join: any
      regions:
        - {name: left, initial_state: a, states: [{name: a, activity: {name: ask, result_variable: answer}}, {name: b, is_terminal: true}], transitions: [{from: a, event: done, to: b}, {from: a, event: error, to: b}]}
        - {name: right, initial_state: c, states: [{name: c, activity: {name: ask, result_variable: answer}}, {name: d, is_terminal: true}], transitions: [{from: c, event: done, to: d}, {from: c, event: error, to: d}]}
  - {name: over, is_terminal: true}
transitions:
  - {from: asking, event: done, to: over}
  - {from: asking, event: timeout, to: over}
"""


def test_results_that_each_end_a_join_of_one_do_not_race() -> None:
    assert lint(loads(ANYONE)) == []
    assert places(ANYONE.replace("join: any", "join: all"), "write-race") == ["variable 'answer'"]
    held = ANYONE.replace(
        "{from: c, event: done, to: d}", "{from: c, event: done, to: d, condition: context.answer == 'no'}"
    )
    assert places(held, "write-race") == ["variable 'answer'"]
    after = ANYONE.replace(
        "event: done, to: d}", "event: done, to: d, post_actions: [{action_type: activity, name: ask}]}"
    )
    assert places(after, "write-race") == ["variable 'answer'"]


def test_the_timeout_of_a_parallel_state_is_held_against_the_work_inside() -> None:
    short = ANYONE.replace("timeout: 2h", "timeout: 30m")
    (found,) = lint(loads(short))
    assert (found.code, found.place) == ("timeout-contradiction", "state 'asking'")
    assert "activity 'ask' in region 'left' of state 'asking'" in found.message
    assert "1 attempt take up to 1h" in found.message
    # One quick region is enough for a join of one, not for all.
    quick = short.replace("{name: c, activity: {name: ask, result_variable: answer}}", "{name: c, activity: glance}")
    quick = quick.replace("ask: {timeout: 1h}", "ask: {timeout: 1h}, glance: {timeout: 1m}")
    assert places(quick, "timeout-contradiction") == []
    assert places(quick.replace("join: any", "join: all"), "timeout-contradiction") == ["state 'asking'"]


def test_the_timeout_of_a_state_is_held_against_its_items_and_against_longer_pre_actions() -> None:
    items = CLEAN.replace(
        'activity: {name: pack, parameters: {order: "${context.order}"}}',
        "for_each: {items: [1, 2], as: it, activity: pack}",
    )
    assert items != CLEAN
    assert places(items, "timeout-contradiction") == []
    assert places(
        items.replace("{name: packing, timeout: 1d", "{name: packing, timeout: 30m"), "timeout-contradiction"
    ) == ["state 'packing'"]
    (found,) = (
        one for one in lint(loads(CLEAN.replace("timeout: 2h", "timeout: 3m"))) if one.code == "timeout-contradiction"
    )
    assert found.place == "state 'priced'"
    assert "shorter than pre-action 'charge' of transition 3" in found.message
    assert "held" in found.message


def test_a_misspelt_event_of_the_engine_is_told_with_and_without_a_section_of_events() -> None:
    for text in (CLEAN, CLEAN.replace(CLEAN[CLEAN.index("events:") : CLEAN.index("activities:")], "")):
        (found,) = (
            one
            for one in lint(loads(text.replace("event: timeout", "event: timout")))
            if one.code == "event-undeclared"
        )
        assert "Did you mean 'timeout'?" in found.message
    without = ANYONE.replace(
        "{from: c, event: done, to: d}", "{from: c, event: Done, to: d}, {from: c, event: gone, to: d}"
    )
    assert [one.message for one in lint(loads(without)) if one.code == "event-undeclared"] == [
        "the event 'Done' is not declared under `events`, so its payload is unchecked. Did you mean 'done'?"
    ]


KEYED = """\
name: shipping
initial_state: a
variables: {number: {type: integer, input: true}}
correlation: {key: context.number}
states: [{name: a}, {name: b, is_terminal: true}]
transitions: [{from: a, event: pay, to: b}]
"""
SENDER = """\
name: order
initial_state: a
variables: {key: {type: string, input: true}}
events: {go: {payload: {n: integer, x: number, s: string}}}
states: [{name: a}, {name: b, is_terminal: true}]
transitions: [{from: a, event: go, to: b, pre_actions: [{action_type: send, event: pay, to: {workflow: shipping, key: KEY}}]}]
"""


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ('"${context.key}"', "of type string, not integer"),
        ('"${event.s}"', "of type string, not integer"),
        ('"5"', "of type string, not integer"),
        ("true", "of type boolean, not integer"),
        ("5", ""),
        ('"${event.n + 1}"', ""),
        # 5 and 5.0 are one key.
        ('"${event.x}"', ""),
    ],
)
def test_a_key_of_another_type_than_the_receivers_is_told(key: str, told: str) -> None:
    found = [
        one for one in lint(loads(SENDER.replace("KEY", key)), catalogue=[loads(KEYED)]) if one.code == "key-mismatch"
    ]
    assert [told in one.message for one in found] == ([True] if told else [])
    assert (
        lint(loads(SENDER.replace("KEY", key))) == []
        or not told
        or "key-mismatch" not in codes(SENDER.replace("KEY", key))
    )


def test_a_flight_beside_its_regions_races_with_them_and_an_instant_way_out_does_not() -> None:
    out = (
        "  - {from: booking, event: pay, to: paying, pre_actions: [WORK{action_type: set_variable, "
        "parameters: {name: hotel, value: none}}]}\ntimeouts: {"
    )
    text = LANGUAGE.replace("timeouts: {", out)
    assert places(text.replace("WORK", ""), "write-race") == []
    assert places(text.replace("WORK", "{action_type: activity, name: print}, "), "write-race") == ["variable 'hotel'"]


def test_a_join_that_can_do_without_a_region_needs_it_not_to_end() -> None:
    endless = LANGUAGE.replace(
        "{name: chosen, is_terminal: true}", "{name: chosen, is_terminal: true, outcome: failure}"
    )
    assert places(endless, "region-never-ends") == ["region 'seat' of state 'booking'"]
    assert places(endless.replace("    parallel:\n", "    parallel:\n      join: any\n"), "region-never-ends") == []
    unawaited = endless.replace(
        "{from: booking, event: done, to: printing}", "{from: booking, event: pay, to: printing}"
    )
    assert places(unawaited, "region-never-ends") == []


def test_work_whose_end_nobody_awaits_is_fine_where_something_else_leads_on() -> None:
    text = LANGUAGE.replace("{from: insuring, event: done, to: paying}", "{from: insuring, after: 1h, to: paying}")
    assert places(text, "done-unhandled") == []


def test_a_circle_that_waits_or_depends_on_the_result_is_no_automatic_one() -> None:
    back = LANGUAGE.replace("{from: insuring, event: done, to: paying}", "{from: insuring, event: done, to: printing}")
    assert places(back, "automatic-cycle") == ["state 'printing'"]
    asks = back.replace("event: done, to: printing}", "event: done, to: printing, condition: event.result == 'again'}")
    assert places(asks, "automatic-cycle") == []


def test_an_attempted_effect_is_missed_even_when_its_work_was_left() -> None:
    text = LANGUAGE.replace(
        '    for_each: {items: "${context.legs}", as: leg, activity: print, max_parallel: 3, result_variable: tickets}',
        "    activity: print",
    )
    text = text.replace("reserve: {timeout: 5m, compensate_with: release}", "reserve: {timeout: 5m}")
    text = re.sub(r", pre_actions: \[\{action_type: compensate, on_failure: ignore\}\]", "", text)
    logged = text.replace("print: {timeout: 1m}", "print: {timeout: 1m, compensate_with: WITH}")
    failed = "transition 6 (printing → staying on error)"
    assert failed not in places(logged.replace("WITH", "release"), "compensation-missing")
    attempted = logged.replace("WITH", "{activity: release, when: attempted}")
    assert failed in places(attempted, "compensation-missing")
    later = "transition 10 (insuring → staying on error)"
    assert places(logged.replace("WITH", "release"), "compensation-missing") == [later]


@pytest.mark.parametrize(
    ("when", "missed"),
    [
        ("completed", ["transition 11 (paying → staying on pay)"]),
        ("attempted", ["transition 10 (insuring → staying on error)", "transition 11 (paying → staying on pay)"]),
    ],
)
def test_an_invoked_workflow_with_a_compensator_is_missed_like_an_activity(when: str, missed: list[str]) -> None:
    text = LANGUAGE.replace("reserve: {timeout: 5m, compensate_with: release}", "reserve: {timeout: 5m}")
    text = re.sub(r", pre_actions: \[\{action_type: compensate, on_failure: ignore\}\]", "", text)
    text = text.replace("    event: pay\n    to: travelling\n", "    event: pay\n    to: staying\n")
    assert places(text, "compensation-missing") == []
    undo = f"{{activity: release, when: {when}}}"
    text = text.replace("{workflow: insurance}", f"{{workflow: insurance, compensate_with: {undo}}}")
    assert places(text, "compensation-missing") == missed


def test_a_list_is_bounded_by_what_lets_it_in_or_by_being_written_out() -> None:
    free = LANGUAGE.replace(", max_parallel: 3", "")
    assert places(free, "for-each-unbounded") == ["state 'printing'"]
    for condition in ("len(context.legs) <= 5", "5 > len(context.legs) and true"):
        guarded = free.replace("event: done, to: printing}", f"event: done, to: printing, condition: {condition}}}")
        assert places(guarded, "for-each-unbounded") == []
    assert places(free.replace('items: "${context.legs}"', "items: [1, 2]"), "for-each-unbounded") == []


def test_other_workflows_are_looked_at_when_they_are_given() -> None:
    parent = loads(LANGUAGE)
    child_text = """\
name: insurance
initial_state: a
states: [{name: a}, {name: z, is_terminal: true}]
timeouts: {workflow: 1d}
unhandled: reject
transitions:
  - {from: a, event: go, to: z, pre_actions: [{action_type: send, event: asked, to: parent}]}
"""
    child = loads(child_text)
    assert lint(child) == []
    assert [finding.code for finding in lint(child, catalogue=[parent])] == ["message-unreceived"]
    assert lint(loads(child_text.replace("asked", "ask")), catalogue=[parent]) == []
    back = loads(child_text.replace("{name: a}", "{name: a, invoke: {workflow: journey}}"))
    (finding,) = [one for one in lint(parent, catalogue=[back]) if one.code == "workflow-recursion"]
    assert "journey → insurance → journey" in finding.message


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
        *(("error-unhandled", f"state {name!r}") for name in ("created", "payment_completed", "validated")),
        ("event-unused", "event 'order_created'"),
        ("event-without-policy", "workflow 'order_processing'"),
        ("outcome-forgotten", "state 'cancelled'"),
        ("outcome-forgotten", "state 'refunded'"),
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


def test_a_child_is_read_in_the_version_that_its_parent_asks_for() -> None:
    parent = loads(
        LANGUAGE.replace("{workflow: insurance}", "{workflow: insurance, version: 1.x, input: {premium: 1}}")
    )
    older = loads(INSURANCE.replace("premium", "price"))
    newer = loads(INSURANCE.replace("name: insurance", "name: insurance\nversion: 1.5.0"))
    other = loads(INSURANCE.replace("premium", "sum").replace("name: insurance", "name: insurance\nversion: 2.0.0"))
    assert lint(parent, catalogue=Catalogue([older, newer, other])) == []
    (finding,) = lint(parent, catalogue=[older])
    assert (finding.code, finding.message) == (
        "child-input",
        "insurance 1.0.0 refuses to start, each time (M7.2): 'premium' is no input there. Its inputs: price.",
    )


def test_an_input_that_a_child_needs_must_be_given_item_by_item_too() -> None:
    text = LANGUAGE.replace("as: leg, activity: print, ", "as: leg, workflow: insurance, ")
    needing = loads(INSURANCE.replace(", optional: true}\n  policy", "}\n  policy"))
    found = [each for each in lint(loads(text), catalogue=[needing]) if each.code == "child-input"]
    assert [each.place for each in found] == ["state 'printing'", "state 'insuring'"]
    assert "'leg' is no input there" in found[0].message
    assert all("'premium' (integer) is missing" in each.message for each in found)


def test_a_folder_may_be_given_as_catalogue() -> None:
    assert lint(load("models/order_fulfilment.yaml"), catalogue="models") == []


ROUND = """
name: round
initial_state: a
variables: {n: {type: integer, initial: 0}}
events: {ask: {}, go: {}}
states: [{name: a}, {name: b}, {name: y, is_terminal: true}, {name: z, is_terminal: true, outcome: failure}]
transitions:
  - {from: a, event: ask, to: b}
  - {from: b, event: go, to: a}
  - {from: a, event: go, to: y}
"""


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ("{from: a, after: 2d, to: z}", ["transition 4 (a → z after 2d)"]),
        ("{from: a, after: '${context.n}', to: z}", ["transition 4 (a → z after ${context.n})"]),
        # It leads on, perhaps round again: that may well be meant of each visit.
        ("{from: a, after: 2d, to: y}", []),
        ("{from: a, after: 2d}", []),
        ("{from: a, after: 2d, to: b}", []),
        ("{from: a, at: '2030-01-01T00:00:00Z', to: z}", []),
    ],
)
def test_a_delay_that_each_round_starts_afresh_is_no_limit_to_the_circle(more: str, warned: list[str]) -> None:
    found = [each.place for each in lint(loads(f"{ROUND}  - {more}\n")) if each.code == "timeout-restarts"]
    assert found == warned


# Variables of one step ----------------------------------------------------------------------------------------

MARK = "pre_actions: [{action_type: set_variable, parameters: {name: mark, value: true}}]"
MARKED = "{from: a, event: set, to: b, " + MARK + "}"


def late(*transitions: str, initial: str = "initial: false") -> list[str]:
    """Places that read the transient `mark` after a wait, as transitions `from → to`."""
    text = (
        "name: late\ninitial_state: a\n"
        f"variables:\n  mark: {{type: boolean, transient: true, {initial}}}\n  x: {{type: boolean, optional: true}}\n"
        "activities: {f: {timeout: 1m}}\n"
        "states: [{name: a}, {name: b}, {name: c}, {name: end, is_terminal: true}]\ntransitions:\n"
        + "".join(f"  - {line}\n" for line in transitions)
    )
    found = [finding for finding in lint(loads(text)) if finding.code == "transient-read-late"]
    return [re.findall(r"\((\w+ → \S+) ", finding.message)[0] for finding in found]


def test_a_transient_variable_read_in_a_later_step_is_found() -> None:
    assert late(MARKED, "{from: b, event: use, to: end, condition: context.mark}") == ["b → end"]


def test_a_transient_variable_read_in_the_step_that_sets_it_is_no_finding() -> None:
    yes, no = "{from: b, condition: context.mark, to: c}", "{from: b, condition: not context.mark, to: end}"
    assert late(MARKED, "{from: a, event: plain, to: b}", yes, no, "{from: c, event: use, to: end}") == []


def test_a_condition_is_evaluated_again_where_its_state_waits() -> None:
    waits = "{from: b, event: more}"
    assert late(MARKED, "{from: b, condition: context.mark, to: end}", waits) == ["b → end"]


def test_an_activity_before_the_read_is_a_wait() -> None:
    use = "{action_type: set_variable, parameters: {name: x, value: '${context.mark}'}}"
    mark = "{action_type: set_variable, parameters: {name: mark, value: true}}"
    run = "{action_type: activity, name: f}"
    assert late("{from: a, event: go, to: end, pre_actions: [" + f"{mark}, {run}, {use}" + "]}") == ["a → end"]
    assert late("{from: a, event: go, to: end, pre_actions: [" + f"{run}, {mark}, {use}" + "]}") == []


def test_a_transient_variable_set_anew_is_not_late() -> None:
    assert (
        late(MARKED, "{from: b, event: set, to: c, " + MARK + "}", "{from: c, condition: context.mark, to: end}") == []
    )


def test_a_transient_variable_that_nothing_set_before_the_wait_is_only_unset() -> None:
    assert late("{from: a, event: use, to: end, condition: context.mark}") == []


# Data of states -----------------------------------------------------------------------------------------------


def test_what_a_state_holds_need_not_be_read_and_unused_fields_are_found() -> None:
    text = (
        "name: data\ninitial_state: a\nevents: {go: {}, end: {}}\n"
        "states:\n  - {name: a}\n"
        "  - name: b\n    data:\n      why: string\n      who: {type: string, optional: true}\n"
        "      old: {type: string, optional: true}\n"
        "  - {name: z, is_terminal: true}\n"
        "transitions:\n"
        "  - {from: a, event: go, to: b, pre_actions: "
        "[{action_type: set_variable, parameters: {name: state.why, value: late}}]}\n"
        "  - {from: b, event: end, to: z, condition: state.who == 'me'}\n"
        "timeouts: {workflow: 30d}\nunhandled: reject\n"
    )
    found = [(each.code, each.place, each.line) for each in lint(loads(text, "data.yaml"))]
    assert found == [
        ("variable-unprovided", "variable 'b.who'", 9),
        ("variable-unused", "variable 'b.old'", 10),
    ]


def test_the_advice_on_a_field_that_may_be_unset_names_it_as_it_is_read() -> None:
    text = (
        "name: data\ninitial_state: a\nevents: {go: {}, set: {}, end: {}}\n"
        "states:\n  - {name: a}\n  - {name: b, data: {n: {type: integer, optional: true}}}\n"
        "  - {name: z, is_terminal: true}\n"
        "transitions:\n  - {from: a, event: go, to: b}\n"
        "  - {from: b, event: set, pre_actions: [{action_type: set_variable, parameters: {name: state.n, value: 1}}]}\n"
        "  - {from: b, event: end, to: z, condition: state.n > 0}\n"
        "timeouts: {workflow: 30d}\nunhandled: reject\n"
    )
    (finding,) = lint(loads(text))
    assert (finding.code, finding.place) == ("variable-may-be-unset", "variable 'b.n'")
    assert "ask `state.n != null` first" in finding.advice
