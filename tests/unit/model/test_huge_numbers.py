"""Numbers too large, too small or too long, in every field that takes one: accepted or refused in our own words."""

# ruff: noqa: E501

from __future__ import annotations

from typing import Any

import pytest

from wfsim.errors import DefinitionError
from wfsim.model.duration import Duration
from wfsim.model.elements import RetryPolicy
from wfsim.model.values import brief
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import loads
from wfsim.model.yaml_writer import write

FORM = """\
name: n
initial_state: a
version: {version}
max_automatic: {max_automatic}
max_deferred: {max_deferred}
variables:
  v: {{type: number, minimum: {minimum}, maximum: {maximum}, initial: {initial}}}
  i: {{type: integer, minimum: {least}, initial: {first}, values: [{values}]}}
events: {{e: {{time_to_live: {time_to_live}}}}}
retry_policy: {{max_attempts: {attempts}, initial_interval: {interval}, backoff_coefficient: {factor}, jitter: {jitter}}}
timeouts: {{workflow: {workflow}, activity: {activity}, states: {{b: {state}}}}}
activities:
  f: {{timeout: {timeout}, schedule_to_close: {total}, heartbeat: {heartbeat}}}
  g: {{retry_policy: {{max_attempts: 1, initial_interval_seconds: {seconds}}}}}
states:
  - {{name: a, timeout: {stay}, metadata: {{k: {metadata}}}}}
  - {{name: b, parallel: {{join: {join}, regions: [{{name: r, initial_state: q, states: [{{name: q, is_terminal: true}}]}}]}}}}
  - {{name: c, for_each: {{items: [1], as: x, activity: f, max_parallel: {max_parallel}, parameters: {{p: {parameter}}}}}}}
  - {{name: z, is_terminal: true}}
transitions:
  - {{from: a, to: b, after: {after}, condition: {condition}}}
  - {{from: b, to: c, event: done}}
  - from: c
    to: z
    event: done
    pre_actions: [{{action_type: set_variable, parameters: {{name: v, value: {value}}}}}]
"""
GOOD: dict[str, str] = {
    "version": "1.0.0",
    **dict.fromkeys(("max_automatic", "max_deferred", "maximum", "initial", "first", "values", "attempts"), "1"),
    **dict.fromkeys(("minimum", "least", "jitter", "metadata", "parameter", "value"), "0"),
    **dict.fromkeys(("factor", "seconds", "join", "max_parallel"), "1"),
    **dict.fromkeys(("time_to_live", "interval", "workflow", "activity", "state", "timeout", "heartbeat"), "1s"),
    **dict.fromkeys(("total", "stay", "after"), "1s"),
    "condition": "'true'",
}
LONG = "9" * 5000
NASTY = [
    "1e30",
    "1e308",
    "1e400",
    "1e999999",
    "-1e999999",
    "1e-999999",
    "0e99999999999999999999",
    "1e99999999999999999999",
    "sNaN",
    LONG,
    "0" * 5000,
    f"{LONG}d",
    f"0.{'0' * 5000}1s",
]


def test_the_form_itself_is_fine() -> None:
    assert loads(FORM.format(**GOOD)).name == "n"


@pytest.mark.parametrize("nasty", NASTY, ids=lambda text: text[:12])
def test_every_number_is_accepted_or_refused_in_our_own_words(nasty: str) -> None:
    for field in GOOD:
        for text in (nasty, f"'{nasty}'"):
            try:
                workflow = loads(FORM.format(**{**GOOD, field: text}), "f.yaml")
            except DefinitionError as error:
                told = str(error)
                assert told.startswith("f.yaml:")
                assert len(told) < 520, (field, told)
                assert not any(
                    foreign in told for foreign in ("set_int_max_str_digits", "decimal.", "Exceeds the limit")
                )
            else:
                assert loads(write(workflow)) == workflow, field


@pytest.mark.parametrize("number", [10**5000, -(10**5000)], ids=["large", "small"])
def test_an_integer_too_long_to_be_written_is_refused_from_python_too(number: int) -> None:
    state = {"name": "a", "is_terminal": True}
    whole: dict[str, Any] = {"name": "n", "initial_state": "a", "states": [state]}
    variable = {"type": "integer"}
    for changed in (
        {"version": number},
        {"name": number},
        {"max_automatic": number},
        {"retry_policy": {"max_attempts": number}},
        {"retry_policy": {"max_attempts": 1, "jitter": number}},
        {"retry_policy": {"max_attempts": 1, "initial_interval": number}},
        {"timeouts": {"workflow": number}},
        {"timeouts": {"workflow": [number]}},
        {"variables": {"x": {**variable, "minimum": number}}},
        {"variables": {"x": {**variable, "initial": number}}},
        {"variables": {"x": {**variable, "values": [number]}}},
        {"variables": {"x": {"type": number}}},
        {"states": [{**state, "metadata": {"k": number}}]},
        {"unhandled": number},
    ):
        with pytest.raises(DefinitionError) as caught:
            Workflow(**{**whole, **changed})
        assert "Exceeds the limit" not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_a_coefficient_beyond_decimals_is_refused_and_a_fine_one_kept() -> None:
    with pytest.raises(DefinitionError, match="up to 1000"):
        RetryPolicy(max_attempts=2, backoff_coefficient="1e999999")
    assert RetryPolicy(max_attempts=2, backoff_coefficient="1.000001").backoff_coefficient > 1


def test_a_duration_is_never_rounded_in_silence() -> None:
    with pytest.raises(DefinitionError, match="finer than a microsecond"):
        Duration.of("1.00000000000000000000000000000000001s")
    with pytest.raises(DefinitionError, match="not finite"):
        Duration.of(float("nan"))
    with pytest.raises(DefinitionError, match="outside"):
        Duration.of(1e300)


def test_a_brief_value_is_cut_where_it_is_long() -> None:
    assert brief("x" * 100) == "'" + "x" * 59 + "…'"
    assert brief("x" * 60) == repr("x" * 60)
    assert brief(-(2**63)) == str(-(2**63))
    assert brief(2**65) == "an integer beyond 64 bits"
    assert brief([10**5000]) == "a list of 1"
