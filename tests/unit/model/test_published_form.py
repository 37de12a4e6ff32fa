"""The YAML of the published design loads as it stands, and is written back in our spelling."""

from __future__ import annotations

import pytest

from wfsim.errors import DefinitionError
from wfsim.model.check import declared_activities, declared_events, declared_variables
from wfsim.model.duration import Duration
from wfsim.model.values import ValueType
from wfsim.model.yaml_io import dumps, loads

PUBLISHED = """\
name: order_processing
version: "1.0.0"
description: ~null
initial_state: created
states:
  - {name: created, description: null, is_terminal: false, metadata: {colour: blue}}
  - {name: payment_pending, is_terminal: false, metadata: null}
  - {name: cancelled, is_terminal: true}
transitions:
  - from: created
    to: payment_pending
    event: payment_initiated
    description: null
    condition: null
    pre_actions:
      - name: initiate_payment
        action_type: activity
        description: null
        parameters: {amount: "${context.total}", event: "${event}", state: "${state}", fixed: 1}
        result_variable: payment_id
    post_actions: null
  - from: payment_pending
    to: cancelled
    event: payment_failed
    condition: context.attempts >= 3
    post_actions:
      - {name: why, action_type: set_variable, parameters: {name: reason, value: "${event.reason}"}}
timeouts: {workflow: 2592000, states: {payment_pending: 7200}, activity: 300}
retry_policy:
  max_attempts: 3
  initial_interval_seconds: 1    # one second
  max_interval_seconds: 60
  backoff_coefficient: 2.0
  non_retryable_errors: [ValidationError]
""".replace("~null", "null")


def test_it_loads_with_every_name_declared_by_its_use() -> None:
    workflow = loads(PUBLISHED)
    assert list(declared_variables(workflow)) == ["total", "attempts", "payment_id", "reason"]
    assert all(
        variable.type is ValueType.ANY and variable.optional for variable in declared_variables(workflow).values()
    )
    assert list(declared_events(workflow)) == ["payment_initiated", "payment_failed"]
    assert list(declared_activities(workflow)) == ["initiate_payment"]
    assert workflow.timeouts.states == {"payment_pending": Duration.of("2h")}
    assert workflow.retry_policy is not None
    assert workflow.retry_policy.max_interval == Duration.of("1m")


def test_it_is_written_back_in_our_spelling_with_its_comments() -> None:
    workflow = loads(PUBLISHED)
    text = dumps(workflow)
    assert loads(text) == workflow
    assert "_seconds" not in text
    assert "initial_interval: 1s" in text
    assert "# one second" in text
    assert "timeouts: {workflow: 30d, states: {payment_pending: 2h}, activity: 5m}" in text


def test_both_spellings_of_one_interval_are_refused_with_the_line() -> None:
    text = PUBLISHED.replace("max_interval_seconds: 60", "max_interval_seconds: 60\n  max_interval: 60s")
    with pytest.raises(DefinitionError, match=r"f:\d+: max_interval_seconds and max_interval are both given"):
        loads(text, "f")


def test_a_bad_interval_finds_its_line_under_the_published_key() -> None:
    with pytest.raises(DefinitionError, match=r"f:32: max_interval_seconds is a number"):
        loads(PUBLISHED.replace("max_interval_seconds: 60", "max_interval_seconds: many"), "f")
    with pytest.raises(DefinitionError, match=r"f:31: .*outside"):
        loads(PUBLISHED.replace("initial_interval_seconds: 1 ", "initial_interval_seconds: -1 "), "f")
