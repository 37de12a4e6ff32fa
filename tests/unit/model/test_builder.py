"""The Python builder and the templates give the same objects as YAML."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from decimal import Decimal
from types import ModuleType

import pytest

import wfsim.model.builder
import wfsim.model.duration
import wfsim.model.expressions
import wfsim.model.lint
from wfsim.errors import DefinitionError
from wfsim.model.builder import Builder
from wfsim.model.duration import Duration
from wfsim.model.template import TEMPLATES, new
from wfsim.model.yaml_io import dumps, loads

YAML = """\
name: orders
version: 2.0.0
initial_state: created
variables:
  attempts: {type: integer, initial: 0}
  receipt: {optional: true, output: true}
events:
  pay: {payload: {amount: number}}
activities:
  charge: {timeout: 5m, retry_policy: {max_attempts: 3, backoff_coefficient: 1.5}, compensate_with: refund}
  refund: {}
states:
  - {name: created, timeout: 1d}
  - {name: paid, is_terminal: true}
transitions:
  - from: created
    to: paid
    event: pay
    condition: event.amount > 0.0
    pre_actions:
      - name: charge
        action_type: activity
        parameters: {amount: "${event.amount}"}
        result_variable: receipt
    post_actions:
      - {action_type: set_variable, parameters: {name: attempts, value: "${context.attempts + 1}"}}
      - {action_type: send, event: paid, to: parent, payload: {amount: 1}, on_failure: ignore}
  - {from: created, after: 1h}
  - {from: created, event: timeout, to: paid, pre_actions: [{action_type: compensate}]}
timeouts: {workflow: 30d, activity: 10m}
retry_policy: {max_attempts: 2}
unhandled: defer
"""


def build() -> Builder:
    w = Builder("orders", version="2.0.0", unhandled="defer")
    w.variable("attempts", "integer", initial=0)
    w.variable("receipt", optional=True, output=True)
    w.event("pay", amount="number")
    w.activity(
        "charge",
        timeout="5m",
        retry={"max_attempts": 3, "backoff_coefficient": 1.5},
        compensate_with="refund",
    )
    w.activity("refund")
    w.state("created", initial=True, timeout="1d")
    w.state("paid", terminal=True)
    w.transition(
        "created",
        "paid",
        on="pay",
        condition="event.amount > 0.0",
        before=[w.run("charge", amount="${event.amount}", result="receipt")],
        after_commit=[
            w.set("attempts", "${context.attempts + 1}"),
            w.send("paid", "parent", amount=1, on_failure="ignore"),
        ],
    )
    w.transition("created", after="1h")
    w.transition("created", "paid", on="timeout", before=[w.compensate()])
    return w.timeouts(workflow="30d", activity=600).retry(2)


def test_the_builder_gives_what_yaml_gives() -> None:
    assert build().build() == loads(YAML)
    assert dumps(build().build()) == dumps(loads(dumps(build().build())))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda w: w.state("created"), "is there already"),
        (lambda w: w.state("other", initial=True), "'created' is"),
        (lambda w: w.variable("attempts"), "is there already"),
        (lambda w: w.event("pay"), "is there already"),
        (lambda w: w.activity("charge"), "is there already"),
        (lambda w: w.variable("x", "strng").build(), "Did you mean 'string'?"),
        (lambda w: w.activity("x", timout="1s"), "Did you mean 'timeout'?"),
        (lambda w: w.activity("x", timeout="soon"), "is not a duration"),
        (lambda w: w.transition("created", "piad", on="pay").build(), "Did you mean 'paid'?"),
        (lambda w: w.transition("created", "paid"), "needs an event"),
        (lambda w: w.transition("created", "paid", on="pay", condition="amount > 1"), "context.amount"),
        (
            lambda w: Builder("x", unhandeld="reject").state("a", initial=True).build(),
            "Did you mean 'unhandled'?",
        ),
        (lambda w: Builder("x").state("a").build(), "no initial state"),
    ],
)
def test_a_mistake_in_python_is_told_like_one_in_a_file(spoil: Callable[[Builder], object], told: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        spoil(build())
    assert told in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_every_template_is_new_each_time_and_keeps_its_comments() -> None:
    for name, text in TEMPLATES.items():
        assert new(name) == new(name)
        assert dumps(new(name)) == text
        assert text.startswith("# ")
    assert new().name == "minimal"


def test_an_unknown_template_lists_those_there_are() -> None:
    with pytest.raises(DefinitionError, match=r"minimal, approval, order, retry\. Did you mean 'approval'"):
        new("aproval")


def test_durations_and_coefficients_are_exact() -> None:
    workflow = build().build()
    policy = workflow.activities["charge"].retry_policy
    assert policy is not None
    assert policy.backoff_coefficient == Decimal("1.5")
    assert workflow.timeouts.activity == Duration.of("10m")
    assert str(Duration.of("90m")) == "90m"


@pytest.mark.parametrize(
    "module", [wfsim.model.builder, wfsim.model.duration, wfsim.model.expressions, wfsim.model.lint]
)
def test_the_examples_in_the_docstrings_are_true(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
