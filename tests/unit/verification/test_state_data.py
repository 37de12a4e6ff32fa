"""Claims about data of states, and proofs with it (M13)."""

from __future__ import annotations

import pytest

import wfsim as wf
from wfsim.errors import DefinitionError, ExpressionError
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status, Verdict
from wfsim.verification.workflows.claims import parse_claim
from wfsim.verification.workflows.properties import verify

TEXT = """\
name: payment
version: 1.0.0
initial_state: pending
variables:
  attempts: {type: integer, initial: 0, minimum: 0, maximum: 3, overflow: saturate}
  hurry: {type: boolean, initial: false, transient: true}
events: {failed: {payload: {reason: string}}, retry: {}, paid: {}}
states:
  - {name: pending}
  - {name: failed, data: {reason: string, attempt: {type: integer, minimum: 1, maximum: 3}}}
  - name: packing
    parallel:
      regions:
        - name: box
          initial_state: open
          states:
            - {name: open}
            - {name: full, data: {weight: {type: integer, minimum: 0, maximum: 9}}}
            - {name: shut, is_terminal: true}
          transitions:
            - from: open
              event: retry
              to: full
              pre_actions: [{action_type: set_variable, parameters: {name: state.weight, value: 4}}]
            - {from: full, event: retry, to: shut, condition: state.weight == 4}
            - {from: full, event: paid, to: shut, condition: state.weight == 5}
  - {name: done, is_terminal: true}
  - {name: given_up, is_terminal: true, outcome: failure}
transitions:
  - from: pending
    event: failed
    to: failed
    pre_actions:
      - {action_type: set_variable, parameters: {name: attempts, value: "${context.attempts + 1}"}}
      - {action_type: set_variable, parameters: {name: state.reason, value: "${event.reason}"}}
      - {action_type: set_variable, parameters: {name: state.attempt, value: "${context.attempts}"}}
  - {from: failed, event: retry, to: pending, condition: state.attempt < 3}
  - {from: failed, event: retry, to: given_up}
  - {from: pending, event: paid, to: packing}
  - {from: packing, event: done, to: done}
"""


def verdict(name: str, claim: str | None = None, text: str = TEXT) -> Verdict:
    (found,) = verify(wf.loads(text), [Property(name, claim or {})])
    return found


def test_a_claim_reads_the_data_of_a_state_by_its_name_or_path() -> None:
    claim = parse_claim("state.failed.attempt > 2 and state['packing/box/full'].weight == 4 and state == 'x'")
    assert claim.variables == ("failed.attempt", "packing/box/full.weight")


def test_a_claim_says_of_which_state() -> None:
    with pytest.raises(ExpressionError, match=r"say whose 'reason': state\.<state>\.reason"):
        parse_claim("state.reason == 'x'")


def test_what_holds_of_the_data_of_a_state_is_proved_and_what_does_not_has_a_witness() -> None:
    assert verdict("never", "state == 'failed' and state.failed.attempt < 1").status is Status.HOLDS
    assert verdict("never", "state == 'pending' and state.failed.attempt != null").status is Status.HOLDS
    broken = verdict("never", "state == 'failed' and state.failed.attempt > 2")
    assert broken.status is Status.VIOLATED
    assert broken.witness.replay()[-1].variables["failed.attempt"] == 3


def test_a_guard_on_the_data_of_a_state_that_never_holds_is_found() -> None:
    found = verdict("transitions_live")
    assert found.status is Status.VIOLATED
    assert "state.weight == 5" in str(found) or "full → shut on paid" in str(found)
    assert verdict("transitions_live", text=TEXT.replace("weight == 5", "weight < 5")).status is Status.HOLDS


def test_a_transient_variable_is_never_anything_else_between_two_steps() -> None:
    hurry = "{action_type: set_variable, parameters: {name: hurry, value: true}}"
    set_it = f"  - {{from: pending, event: retry, pre_actions: [{hurry}]}}\n"
    assert verdict("never", "context.hurry", TEXT + set_it).status is Status.HOLDS


def test_a_claim_about_data_that_no_state_has_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"variable 'failed\.attemt' is not in the workflow.*failed\.attempt"):
        verdict("never", "state.failed.attemt > 2")


def test_the_net_with_data_erased_reaches_a_superset() -> None:
    workflow = wf.loads(TEXT)
    assert wf.explore(wf.to_net(workflow)).complete
    assert wf.soundness(wf.to_net(workflow)).status is not None
