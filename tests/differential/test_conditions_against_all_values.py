"""The solver's answers about conditions against every value of small ranges, tried by the evaluator."""

from __future__ import annotations

import itertools
import re
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

import wfsim as wf
from tests.random_cases import cases
from wfsim.model.evaluate import evaluate, need_boolean
from wfsim.model.expressions import parse_condition, to_text
from wfsim.model.values import EvaluationFault
from wfsim.verification.workflows.conditions import questions
from wfsim.verification.workflows.conditions.asking import left_out

VARIABLES: dict[str, dict[str, Any]] = {
    "a": {"type": "integer", "initial": 0, "minimum": -1, "maximum": 2},
    "b": {"type": "integer", "optional": True, "minimum": 0, "maximum": 2},
    "x": {"type": "number", "initial": 0.5, "values": [-1.5, 0.5, 2.0]},
    "f": {"type": "boolean", "initial": False},
    "s": {"type": "string", "optional": True, "values": ["x", "xy", "z"]},
    "o": {
        "fields": {
            "n": {"type": "integer", "minimum": 0, "maximum": 1},
            "t": {"type": "string", "values": ["x", "y"], "optional": True},
        },
        "optional": True,
    },
}
VALUES: dict[str, list[Any]] = {
    "a": [-1, 0, 1, 2],
    "b": [0, 1, 2, None],
    "x": [-1.5, 0.5, 2.0],
    "f": [True, False],
    "s": ["x", "xy", "z", None],
    "o": [None, *({"n": n, "t": t} for n in (0, 1) for t in ("x", "y", None))],
}
WHOLE = st.one_of(
    st.sampled_from(["context.a", "context.b", "0", "1", "2", "len(context.s)"]),
    st.builds(
        "({} {} {})".format,
        st.sampled_from(["context.a", "context.b", "3", "-2"]),
        st.sampled_from(["+", "-", "*", "//", "%"]),
        st.sampled_from(["context.a", "context.b", "2", "-1"]),
    ),
    st.builds("{}(context.a, {})".format, st.sampled_from(["min", "max"]), st.sampled_from(["context.b", "1"])),
    st.just("-context.a"),
    st.just("(context.a if context.f else context.b)"),
)
REAL = st.one_of(
    st.sampled_from(["context.x", "0.5", "2", "context.a"]),
    st.builds("(context.x {} {})".format, st.sampled_from("+-*/"), st.sampled_from(["2", "0.5", "context.x", "0"])),
)
ORDER = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
TEXTS = st.sampled_from(
    ["'x'", "'y'", "context.s", "context.o.t", "context.s + 'z'", "text(context.a)", "coalesce(context.o.t, 'x')"]
)
ATOMS = st.one_of(
    st.builds("{} {} {}".format, WHOLE, ORDER, WHOLE),
    st.builds("{} {} {}".format, REAL, ORDER, st.sampled_from(["0.5", "1", "context.a", "-1.5"])),
    st.builds("context.s {} '{}'".format, ORDER, st.sampled_from(["x", "xy", "y"])),
    st.builds("context.{} {} null".format, st.sampled_from("bsa"), st.sampled_from(["==", "!="])),
    st.sampled_from(["context.f", "not context.f", "true", "false", "state == 'p'", "state == 'q'"]),
    st.builds("context.a {} [0, context.b]".format, st.sampled_from(["in", "not in"])),
    st.builds("{}(context.s, {})".format, st.sampled_from(["startswith", "endswith", "contains"]), TEXTS),
    st.builds("{} == {}".format, TEXTS, TEXTS),
    st.builds("coalesce(context.b, {}) {} 1".format, st.sampled_from(["context.o.n", "context.a", "null"]), ORDER),
    st.builds("context.o.n {} {}".format, ORDER, WHOLE),
    st.builds("context.o {} null".format, st.sampled_from(["==", "!="])),
    st.builds("context.s in ['x', null, {}]".format, st.sampled_from(["'z'", "1", "context.s"])),
)
PARTS = st.one_of(
    ATOMS,
    st.builds("({} {} {})".format, ATOMS, st.sampled_from(["and", "or"]), ATOMS),
    st.builds("not ({} and {})".format, ATOMS, ATOMS),
)
CONDITIONS = st.one_of(PARTS, st.builds("{} {} {}".format, PARTS, st.sampled_from(["and", "or"]), PARTS))
# Where doubles are computed with, or written out as texts are integers, the solver takes seconds.
WITHOUT_ROUNDING = CONDITIONS.filter(lambda text: not re.search(r"context\.x [-+*/]|text\(", text))


def acceptable(text: str) -> bool:
    """Whether the checks of types at loading let it pass."""
    try:
        flow([text])
    except wf.DefinitionError:
        return False
    return True


def flow(conditions: list[str]) -> wf.Workflow:
    transitions = [{"from": "p", "to": "q", "event": "go", "condition": each} for each in conditions]
    read = {name: each for name, each in VARIABLES.items() if any(f"context.{name}" in c for c in conditions)}
    return wf.Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "p",
            "variables": read or {"a": VARIABLES["a"]},
            "states": [{"name": "p"}, {"name": "q", "is_terminal": True}],
            "events": {"go": {}},
            "transitions": transitions,
        }
    )


def outcome(tree: Any, values: dict[str, Any]) -> bool | str:
    try:
        return need_boolean(evaluate(tree, values, None, "p"), "a condition")
    except EvaluationFault as fault:
        return fault.kind


def by_trying(conditions: list[str]) -> set[tuple[str, int]]:
    """What is found by evaluating everything, as (kind, number of the transition); gaps have -1."""
    trees = [parse_condition(each) for each in conditions]
    names = [name for name in VALUES if any(f"context.{name}" in each for each in conditions)]
    every = [dict(zip(names, each)) for each in itertools.product(*(VALUES[name] for name in names))]
    rows = [[outcome(tree, values) for tree in trees] for values in every]
    found: set[tuple[str, int]] = set()
    for k, tree in enumerate(trees):
        if not any(row[k] is True for row in rows):
            found.add(("unsatisfiable", k))
            continue
        reached = [row for row in rows if all(each is False for each in row[:k])]
        if not any(row[k] is True for row in reached):
            found.add(("shadowed", k))
            continue
        idle = any(
            all(outcome(rest, values) == row[k] for values, row in zip(every, rows)) for _, rest in left_out(tree)
        )
        if idle or all(row[k] is True for row in rows):
            found.add(("implied", k))
        if any(isinstance(row[k], str) for row in reached):
            found.add(("fault", k))
        for j in range(k):
            if any(row[j] is True and row[k] is True and all(each is False for each in row[:j]) for row in rows):
                found.add(("overlap", k))
    if any(all(each is False for each in row) for row in rows):
        found.add(("gap", -1))
    return found


def check(conditions: list[str]) -> None:
    report = wf.conditions(flow(conditions))
    for finding in report:
        assert finding.status == "violated", finding
        if finding.witness is not None:
            assert finding.witness.replay() == list(finding.witness.outcomes)
    labels = [f"transition {k + 1} (p → q on go)" for k in range(len(conditions))]
    found = {(str(each.kind), labels.index(each.place) if each.place in labels else -1) for each in report}
    assert found == by_trying(conditions), [to_text(parse_condition(each)) for each in conditions]


@cases(120)
@given(st.lists(CONDITIONS.filter(acceptable), min_size=1, max_size=3))
def test_plain_values_find_what_all_values_find(conditions: list[str]) -> None:
    check(conditions)


@cases(60)
@given(st.lists(WITHOUT_ROUNDING.filter(acceptable), min_size=1, max_size=3))
def test_the_solver_finds_what_all_values_find(conditions: list[str]) -> None:
    with mock.patch.object(questions, "MOST_TRIED", 0):
        check(conditions)
