"""Random workflows survive YAML: the canonical text, and changes merged into a commented file."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.random_cases import cases
from tests.strategies import workflows as rich
from wfsim.errors import DefinitionError
from wfsim.model.language_schema import json_schema
from wfsim.model.lint import lint
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import dumps, loads
from wfsim.model.yaml_reader import read
from wfsim.model.yaml_writer import to_data, write

# Words that YAML versions read differently, signs it gives a meaning, and ordinary text.
AWKWARD = [
    "yes",
    "on",
    "null",
    "~",
    "1",
    "1.5",
    "1_0",
    "0x1F",
    "1:30",
    ".inf",
    "true",
    "a: b",
    "#x",
    "- x",
    "{a}",
]
AWKWARD += [
    "'q'",
    '"q"',
    "&a",
    "*a",
    "!t",
    "%d",
    "@x",
    "a #b",
    "订单",
    "é",
    "🙂",
    "=",
    "<<",
    "2024-01-01",
    "|",
    "?x",
    "?",
    "-",
    "x:",
    "a,b",
    "x ]",
    ">",
]
TEXTS = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["two\nlines", " space ", "tab\there", "\x07", "\x85", "\u2028", "\ufeff", "a\n", "\n", ""]),
)
NAMES = st.one_of(st.sampled_from(AWKWARD), st.text("abc _-", min_size=1, max_size=5).filter(lambda s: s == s.strip()))
IDENTIFIERS = st.sampled_from(["a", "b", "on", "yes", "null", "true", "_x", "no", "very_long_name_of_a_variable"])
NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
DURATIONS = st.one_of(st.integers(1, 10**6).map(lambda n: f"{n}us"), st.sampled_from(["2h", "90s", "1d", "1w", 5, 2.5]))


def has_braces(value: Any) -> bool:
    return "${" in repr(value)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


TEMPLATES = st.one_of(
    JSON.filter(lambda value: not has_braces(value)),
    st.sampled_from(["${context.a}", ["${1 + 1}", "x"], {"k": "${state}"}]),
)
RETRY = st.fixed_dictionaries(
    {"max_attempts": st.integers(1, 9)},
    optional={
        "initial_interval": st.sampled_from(["1ms", "1s"]),
        "max_interval": st.sampled_from(["2s", "1m"]),
        "backoff_coefficient": st.sampled_from([1, 1.5, "2.25", 3.0]),
        "jitter": st.sampled_from([0, 0.25]),
        "non_retryable_errors": st.lists(NAMES, max_size=2),
    },
)
VARIABLES = st.one_of(
    optional(input=st.booleans(), output=st.booleans(), optional=st.booleans(), description=TEXTS, initial=JSON).filter(
        lambda variable: not has_braces(variable)
    ),
    st.just({"type": "integer", "minimum": 0, "maximum": 9, "initial": 3, "overflow": "saturate"}),
    st.just({"type": "string", "values": ["on", "off", "1"], "initial": "on"}),
)
EVENTS = optional(
    description=TEXTS,
    payload=st.dictionaries(IDENTIFIERS, st.sampled_from(["string", {"type": "number", "optional": True}]), max_size=2),
    unhandled=st.sampled_from(["reject", "defer", "discard"]),
    starts=st.booleans(),
    time_to_live=DURATIONS,
)


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    states = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    variables = draw(st.dictionaries(IDENTIFIERS, VARIABLES, max_size=3))
    assume(not variables or "a" in variables)
    events = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    activities = draw(st.dictionaries(NAMES, optional(timeout=DURATIONS, retry_policy=RETRY, pool=NAMES), max_size=2))
    actions = st.one_of(
        st.fixed_dictionaries(
            {
                "action_type": st.just("activity"),
                "name": st.sampled_from(sorted(activities)) if activities else NAMES,
                "parameters": st.dictionaries(IDENTIFIERS, TEMPLATES, max_size=2),
            },
            optional={"on_failure": st.sampled_from(["abort", "ignore"]), "description": TEXTS},
        ),
        st.fixed_dictionaries({"action_type": st.just("compensate")}),
        st.fixed_dictionaries(
            {"action_type": st.just("send"), "event": st.sampled_from(events), "to": st.just("self")}
        ),
    )
    transitions = draw(
        st.lists(
            st.fixed_dictionaries(
                {"from": st.sampled_from(states), "event": st.sampled_from(events)},
                optional={
                    "to": st.sampled_from(states),
                    "condition": st.sampled_from(["context.a == 1", "state == 'x: #'", "true"]),
                    "description": TEXTS,
                    "pre_actions": st.lists(actions, max_size=2),
                    "post_actions": st.lists(actions, max_size=2),
                },
            ),
            max_size=5,
        )
    )
    data: dict[str, Any] = {
        "name": draw(NAMES),
        "initial_state": states[0],
        "states": [
            {
                "name": name,
                **draw(
                    optional(
                        timeout=DURATIONS,
                        description=TEXTS,
                        metadata=st.dictionaries(TEXTS, JSON, max_size=2),
                    )
                ),
            }
            for name in states
        ],
        "transitions": transitions,
        "variables": variables,
        "events": {name: draw(EVENTS) for name in events},
        "activities": activities,
        **draw(
            optional(
                version=st.sampled_from(["1.0.0", "2.1.3-rc.1"]),
                description=TEXTS,
                retry_policy=RETRY,
                timeouts=optional(workflow=DURATIONS, activity=DURATIONS),
                unhandled=st.sampled_from(["reject", "defer"]),
                pause_timers=st.sampled_from(["run", "freeze"]),
                max_automatic=st.integers(1, 5),
            )
        ),
    }
    try:
        return Workflow(**data)
    except DefinitionError:
        # Values the generator cannot know to be consistent, such as a null that a type does not take.
        assume(False)
        raise


VALIDATOR = Draft202012Validator(json_schema())
SETTINGS = cases(40, unchecked=[HealthCheck.filter_too_much])


def same(left: Workflow, right: Workflow) -> bool:
    """Equal also where Python finds 1 == true == 1.0."""
    return left == right and repr(to_data(left)) == repr(to_data(right))


@SETTINGS
@given(workflows())
def test_the_canonical_text_is_read_back_as_the_same_workflow(workflow: Workflow) -> None:
    text = write(workflow)
    assert same(loads(text), workflow)
    assert write(loads(text)) == text


@SETTINGS
@given(workflows(), workflows())
def test_any_workflow_can_be_merged_into_the_text_of_another(one: Workflow, other: Workflow) -> None:
    loaded = loads("# a comment\n" + write(one))
    changed = loaded.model_copy(update={name: getattr(other, name) for name in Workflow.model_fields})
    changed.__pydantic_fields_set__.clear()
    changed.__pydantic_fields_set__.update(other.model_fields_set)
    text = dumps(changed)
    assert same(loads(text), other)


@SETTINGS
@given(workflows())
def test_the_linter_answers_for_every_workflow_and_says_the_same_twice(workflow: Workflow) -> None:
    found = lint(workflow)
    assert found == lint(workflow)
    read_back = lint(loads(write(workflow)))
    assert sorted((one.code, one.place) for one in found) == sorted((one.code, one.place) for one in read_back)


@cases(10)
@given(rich(regions=True), rich(regions=True))
def test_every_construct_survives_yaml_and_fits_the_schema(one: Workflow, other: Workflow) -> None:
    text = write(one)
    assert same(loads(text), one)
    assert write(loads(text)) == text
    assert [*VALIDATOR.iter_errors(read(text, "<text>").data)] == []
    merged = loads("# a comment\n" + text).model_copy(
        update={name: getattr(other, name) for name in Workflow.model_fields}
    )
    merged.__pydantic_fields_set__.clear()
    merged.__pydantic_fields_set__.update(other.model_fields_set)
    assert same(loads(dumps(merged)), other)


@cases(10)
@given(rich(regions=True), st.lists(st.sampled_from(["go", "stop", "pay"]), min_size=1, unique=True))
def test_lists_of_states_and_events_stay_lists_beside_every_construct(one: Workflow, events: list[str]) -> None:
    data = read(write(one), "<text>").data
    data["transitions"] = [*data["transitions"], {"from": "*", "event": events}]
    loaded = loads(json.dumps(data))
    changed = loaded.model_copy(update={"description": "other"})
    text = dumps(changed)
    assert same(loads(text), changed)
    assert sum(one.to is None for one in changed.transitions) >= len(events)
    assert "'*'" in text or '"*"' in text


@cases(100)
@given(st.text(st.sampled_from("abn:-[]{}#&*!|>'\"%@`,? \n\t0123.~_=<"), max_size=80))
def test_any_text_is_a_workflow_or_a_definition_error(text: str) -> None:
    try:
        loads(text, "f.yaml")
    except DefinitionError as error:
        told = str(error)
    else:
        told = "f.yaml:"
    assert told.startswith("f.yaml:")
