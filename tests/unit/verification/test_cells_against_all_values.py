"""The values tried against all values of a small range: they reach the same states, by the same transitions."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wfsim as wf
from tests.random_cases import FUZZ, cases
from wfsim.exploration.cells import fitting, numbers, texts
from wfsim.exploration.domains import Domains
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.model.elements import FieldType, Variable
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow
from wfsim.verification.workflows.properties import PROPERTIES, Property, verify
from wfsim.verification.workflows.space import WorkflowSpace, explore_workflow

SEEDS = 50 * max(FUZZ, 1)
PARTS = 2

relaxed = cases(60)

# All constants and limits lie well within: beyond the ends of a range nothing changes any more.
ALL: dict[str, list[Any]] = {
    "integer": list(range(-2, 9)),
    "number": [k / 2 for k in range(-2, 15)],
    "string": sorted({"".join(each) for n in range(3) for each in itertools.product("\0bd", repeat=n)} | {"text", "z"}),
    "boolean": [True, False],
}
CONSTANTS: dict[str, list[str]] = {
    "integer": ["0", "6", "2.5"],
    "number": ["0", "2", "6"],
    "string": ["''", "'b'", "'text'"],
    "boolean": ["true", "false"],
}


def declaration(random: Random, kind: str, optional: bool) -> dict[str, Any]:
    """A variable: perhaps bounded, perhaps by a list of values, perhaps with an initial value."""
    declared: dict[str, Any] = {"type": kind}
    form = random.choice(["free", "bounded", "bounded", "bounded", "bounded", "values"])
    if form == "bounded" and kind in ("integer", "number"):
        low, high = random.randint(1, 3), random.randint(3, 5)
        which = random.choice([["minimum"], ["maximum"], ["minimum", "maximum"]])
        limits: dict[str, Any] = {"minimum": low, "maximum": high}
        if kind == "number":
            limits = {key: float(limit) for key, limit in limits.items()}
        declared |= {key: limits[key] for key in which}
        declared["overflow"] = random.choice(["error", "error", "saturate"])
    elif form == "values" and kind != "boolean":
        declared["values"] = random.sample(ALL[kind], random.randint(1, 3))
    allowed = fitting(ALL[kind], Variable.model_validate({**declared, "overflow": "error"}))
    if not optional or random.random() < 0.3:
        declared["initial"] = random.choice(allowed)
    return declared | {"optional": optional}


def condition(random: Random, names: list[str], kind: str) -> str:
    """Comparisons of names with constants, and with nothing else."""
    found = []
    name = random.choice(names)
    for _ in range(random.choice([1, 2, 2])):
        constant = random.choice(CONSTANTS[kind])
        form = random.choice(["order", "order", "order", "equal", "in", "null"])
        if form == "null":
            found.append(f"{name} {random.choice(['==', '!='])} null")
        elif form == "in":
            found.append(f"{name} in [{constant}, {random.choice(CONSTANTS[kind])}]")
        elif form == "equal" or kind == "boolean":
            found.append(f"{name} {random.choice(['==', '!='])} {constant}")
        else:
            found.append(f"{name} {random.choice(['<', '<=', '>', '>='])} {constant}")
        name = random.choice([name, name, *names])
    return f" {random.choice(['and', 'and', 'or'])} ".join(found)


def compared(seed: int) -> Workflow:
    """An input, a payload field and a result, each compared with constants and perhaps copied on."""
    random = Random(seed)
    kind = random.choice(["integer", "integer", "number", "number", "string", "string", "boolean"])
    declared = {name: declaration(random, kind, random.random() < 0.3) for name in ("given", "kept", "result")}
    declared["given"]["input"] = True
    if random.random() < 0.5:
        declared["given"].pop("initial", None)
    states: list[dict[str, Any]] = [{"name": "a"}, {"name": "b"}, {"name": "c", "is_terminal": True}]
    works = random.random() < 0.4
    if works:
        states[random.randint(0, 1)]["activity"] = {"name": "f", "result_variable": "result"}
    triggers = ["go", "go", "stop", "automatic", "error", *(["done"] * 2 if works else ())]
    transitions = []
    for at in range(random.randint(2, 6)):
        trigger = random.choice(triggers) if at else "go"
        names = ["context.given", "context.given", "context.kept"]
        names += ["event.k", "event.k"] if trigger == "go" else []
        names += ["context.result", "context.result"] if works else []
        source = random.choice("ab") if at else "a"
        transition: dict[str, Any] = {"from": source, "to": random.choice("abbc")}
        if trigger != "automatic":
            transition["event"] = trigger
        if not at or trigger == "automatic" or random.random() < 0.5:
            transition["condition"] = condition(random, names, kind)
        if random.random() < 0.3:
            write = {"name": random.choice(["kept", "result"]), "value": f"${{{random.choice(names)}}}"}
            transition["pre_actions"] = [{"action_type": "set_variable", "parameters": write}]
        transitions.append(transition)
    field = {"type": kind, "optional": random.random() < 0.2}
    return Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "variables": declared,
            "events": {"go": {"payload": {"k": field}}, "stop": {}},
            "activities": {"f": {"retry_policy": {"max_attempts": 1}}} if works else {},
            "states": states,
            "transitions": transitions,
        }
    )


def all_of_variable(_: Domains, name: str, variable: Variable) -> list[Any]:
    return [*fitting(ALL[variable.type.value], variable), *([None] if variable.optional else ())]


def all_of_field(_: Domains, event: str, name: str, declared: FieldType | None) -> list[Any]:
    assert declared is not None
    return [*ALL[declared.type.value], *([None] if declared.optional else ())]


def seen(space: WorkflowSpace) -> dict[str, Any]:
    """All that a question can depend on, without the values themselves."""
    places = [(i.state, str(i.status)) for i in map(space.instance, range(space.n_states))]
    completed = [k for k, place in enumerate(places) if place[1] == "completed"]
    able = space.can_reach(completed)
    return {
        "places": set(places),
        "taken": set(space.taken),
        "reached": set(space.reached),
        "failures": {(places[k], reason) for k, reason in space.failures},
        "lost": {place for k, place in enumerate(places) if place[1] == "running" and k not in able},
    }


@pytest.mark.parametrize("part", range(PARTS))
def test_the_values_tried_reach_what_all_values_reach(part: int) -> None:
    compared_with_all = 0
    for seed in range(part, SEEDS, PARTS):
        workflow = compared(seed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Domains, "of_variable", all_of_variable)
            patch.setattr(Domains, "of_field", all_of_field)
            everything = explore_workflow(workflow, max_states=6_000)
        if everything.complete:
            tried = explore_workflow(workflow, max_states=6_000)
            assert tried.complete
            assert tried.exact
            assert seen(tried) == seen(everything), f"seed {seed}\n{wf.dumps(workflow)}"
            compared_with_all += 1
    assert compared_with_all > SEEDS // PARTS // 2


def test_a_violation_is_a_run_that_replays_to_what_it_says() -> None:
    other = ("sound", "no_deadlock", "conditions_useful", "conditions_complete", "conditions_disjoint")
    asked = [Property(name) for name in PROPERTIES if name not in other]
    closing = {"no_failure": "failed", "no_unhandled_timeout": "timed_out"}
    shown = 0
    for seed in range(SEEDS):
        for verdict in verify(compared(seed), asked, max_states=2_000):
            for each in (verdict, *verdict.further):
                if each.status == "violated" and each.witness is not None:
                    shown += 1
                    assert isinstance(each.witness, WorkflowWitness)
                    last = each.witness.replay()[-1]
                    if each.property in closing:
                        assert last.status == closing[each.property]
                        # The reason names the error that closes this very run.
                        error = each.reason.rpartition("The first: ")[2].split(": ")[1].rstrip(".")
                        assert f"reason={error}" in each.witness.steps[-1].detail["rows"][-1]
    assert shown > SEEDS // 4


@relaxed
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4), st.data())
def test_between_any_two_constants_a_number_is_tried(constants: list[float], data: st.DataObject) -> None:
    tried = numbers(constants, ValueType.NUMBER)
    value = data.draw(st.floats(allow_nan=False, allow_infinity=False))
    cell = [(value < c, value == c) for c in constants]
    assert any([(each < c, each == c) for c in constants] == cell for each in tried)


@relaxed
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.floats(-1e20, 1e20), min_size=1, max_size=4), st.data())
def test_whatever_a_number_or_integer_is_compared_with_its_cell_is_tried(
    constants: list[Any], data: st.DataObject
) -> None:
    near = st.sampled_from(constants).flatmap(lambda c: st.integers(-3, 3).map(lambda d: int(c) + d))
    for kind, values in ((ValueType.INTEGER, near), (ValueType.NUMBER, near.map(float))):
        value = data.draw(values)
        if kind is ValueType.INTEGER and not -(2**63) <= value < 2**63:
            continue
        cell = [(value < c, value == c) for c in constants]
        tried = numbers(constants, kind)
        assert any([(each < c, each == c) for c in constants] == cell for each in tried)


@relaxed
@given(st.lists(st.text("\0ab", max_size=3), min_size=1, max_size=4), st.text("\0ab", max_size=4), st.booleans())
def test_a_text_of_every_cell_is_tried(constants: list[str], value: str, ordered: bool) -> None:
    cell = [(ordered and value < c, value == c) for c in constants]
    tried = texts(constants, ordered)
    assert any([(ordered and each < c, each == c) for c in constants] == cell for each in tried)
