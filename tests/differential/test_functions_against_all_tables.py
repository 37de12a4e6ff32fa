"""M14.6: what is proved of every function holds of each one, tried one after another.

A function of two arguments to three answers, or none, is one of sixteen tables. Whatever is said of all functions is
held against the search with each of them, which tries all values there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import event, example, given
from hypothesis import strategies as st

from tests.random_cases import cases
from wfsim.model.evaluate import evaluate
from wfsim.model.values import EvaluationFault
from wfsim.model.workflow import Workflow
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status
from wfsim.verification.workflows.conditions.report import conditions
from wfsim.verification.workflows.properties import verify

TABLES = list(itertools.product((0, 1, 2, None), repeat=2))
FUNCTIONS = {
    "f": {
        "input": {"n": {"type": "integer", "minimum": 0, "maximum": 1}},
        "result": {"type": "integer", "minimum": 0, "maximum": 2},
    }
}
CALLS = (
    "functions.f(context.x)",
    "functions.f(1 - context.x)",
    "functions.f(0)",
    "functions.f(functions.f(context.x))",
    "functions.f(context.y)",
)
terms = st.sampled_from([*CALLS, "context.x", "context.y", "1", "2"])


def function(table: tuple[int | None, ...]) -> Callable[[int], int]:
    def f(n: int) -> int:
        found = table[n]
        if found is None:
            raise ValueError(n)
        return found

    return f


@st.composite
def truths(draw: Any) -> str:
    simple = f"{draw(terms)} {draw(st.sampled_from(['==', '!=', '<', '<=']))} {draw(terms)}"
    if draw(st.booleans()):
        return simple
    other = f"{draw(terms)} {draw(st.sampled_from(['==', '<']))} {draw(terms)}"
    return f"{simple} {draw(st.sampled_from(['and', 'or']))} {other}"


@st.composite
def values(draw: Any) -> str:
    left, right = draw(terms), draw(terms)
    return f"${{{draw(st.sampled_from([left, f'{left} + {right}', f'{left} if {draw(truths())} else {right}']))}}}"


def assign(name: str, value: str) -> dict[str, Any]:
    return {"action_type": "set_variable", "parameters": {"name": name, "value": value}}


def small(*transitions: dict[str, Any]) -> Workflow:
    return Workflow(
        name="w",
        initial_state="a",
        functions=FUNCTIONS,
        variables={
            "x": {"type": "integer", "input": True, "minimum": 0, "maximum": 1},
            "y": {"type": "integer", "initial": 0, "minimum": 0, "maximum": 3},
        },
        events={"go": {}},
        states=[{"name": "a"}, {"name": "b"}, {"name": "c", "is_terminal": True}, {"name": "d", "is_terminal": True}],
        transitions=list(transitions),
    )


@st.composite
def workflows(draw: Any) -> Workflow:
    transitions: list[dict[str, Any]] = []
    for source in ("a", "b"):
        for _ in range(draw(st.integers(1, 2))):
            actions = [
                assign(draw(st.sampled_from(["x", "y"])), draw(values())) for _ in range(draw(st.integers(0, 2)))
            ]
            transitions.append(
                {
                    "from": source,
                    "event": "go",
                    "to": draw(st.sampled_from(["a", "b", "c"])),
                    "condition": draw(st.none() | truths()),
                    "pre_actions": actions,
                }
            )
        if draw(st.booleans()):
            transitions.append({"from": source, "event": "error", "to": "d"})
    return small(*transitions)


claims = st.sampled_from(
    [
        "context.y > 2",
        "context.y == 1 and state == 'c'",
        "context.x == context.y and state == 'b'",
        "state == 'd'",
        "context.x == 1 and context.y > 1",
        "in('c') and context.y < context.x",
    ]
)

SAME = small(
    {
        "from": "a",
        "event": "go",
        "to": "c",
        "condition": f"{CALLS[0]} == 1",
        "pre_actions": [assign("y", f"${{{CALLS[0]} + {CALLS[0]}}}")],
    }
)
MISFIT = small(
    {"from": "a", "event": "go", "to": "b", "pre_actions": [assign("y", 2)]},
    {"from": "b", "event": "go", "to": "c", "condition": "functions.f(context.y) == 0"},
    {"from": "b", "event": "error", "to": "d"},
)


@cases(5)
@given(workflows(), st.lists(claims, min_size=1, max_size=2, unique=True))
@example(SAME, ["state == 'c' and context.y != 2", "state == 'd'"])
@example(MISFIT, ["state == 'd'", "state == 'c'"])
def test_what_is_proved_of_every_function_holds_of_each(workflow: Workflow, told: list[str]) -> None:
    asked = [
        *(Property("never", claim) for claim in told),
        *map(Property, ("states_reachable", "transitions_live", "no_failure", "can_complete")),
    ]
    proved = verify(workflow, asked)
    kept = [
        (each, verdict) for each, verdict in zip(asked, proved, strict=True) if verdict.status is not Status.UNKNOWN
    ]
    event(f"{len(kept)} of {len(asked)} proved")
    for table in TABLES:
        report = verify(workflow.with_functions(f=function(table)), [each for each, _ in kept])
        for (each, verdict), found in zip(kept, report, strict=True):
            # All values of x are tried, and y follows from it: the search with one function leaves nothing open.
            assert found.status in (Status.HOLDS, Status.VIOLATED), (table, str(found))
            if verdict.status is Status.HOLDS:
                assert found.status is Status.HOLDS, (table, each, str(found))
            elif each.name in ("states_reachable", "transitions_live"):
                # What no function reaches, this one does not reach.
                key = "unreachable" if each.name == "states_reachable" else "dead"
                assert {*verdict.statistics[key]} <= {*found.statistics[key]}, (table, each, str(found))


@cases(5)
@given(workflows())
@example(SAME)
def test_conditions_that_no_function_makes_true_are_true_with_none(workflow: Workflow) -> None:
    idle = [
        each for each in conditions(workflow) if str(each.kind) == "unsatisfiable" and each.status is Status.VIOLATED
    ]
    labels = {each.place for each in idle}
    event(f"{len(labels)} unsatisfiable")
    for number, transition in enumerate(workflow.transitions, 1):
        if not any(label.startswith(f"transition {number} ") for label in labels):
            continue
        tree = transition.condition_tree
        assert tree is not None
        for table, x, y in itertools.product(TABLES, range(2), range(4)):
            given_ = workflow.with_functions(f=function(table)).given
            try:
                assert evaluate(tree, {"x": x, "y": y}, {}, "a", functions=given_) is not True, (table, x, y)
            except EvaluationFault:
                continue


def test_some_things_are_proved_of_every_function() -> None:
    told = [Property("never", "state == 'c' and context.y != 2"), Property("never", "state == 'c' and context.y == 2")]
    same, other = verify(SAME, told)
    assert (same.status, other.status) == (Status.HOLDS, Status.UNKNOWN)
    statuses = {
        table: [each.status for each in verify(SAME.with_functions(f=function(table)), told)] for table in TABLES
    }
    assert all(found[0] is Status.HOLDS for found in statuses.values())
    assert {found[1] for found in statuses.values()} == {Status.HOLDS, Status.VIOLATED}
