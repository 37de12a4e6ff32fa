"""The search of a workflow's states in Python and compiled: the same states and edges under the same numbers."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import wfsim as wf
from tests.differential.rich_workflows import rich_workflow
from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.model.expressions import parse_condition
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.verification.workflows import compiled_cache, compiled_space
from wfsim.verification.workflows import space as space_module
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.erased import ErasedHost
from wfsim.verification.workflows.space import WorkflowSpace, explore_workflow

MODELS = Path(__file__).parents[2] / "models"
NAMES = sorted(path.stem for path in MODELS.glob("*.yaml") if "scenario" not in path.name)
# Erased, many of the others put so many questions in one step that Python takes seconds, or comes to no end.
ERASED = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
    14,
    15,
    18,
    20,
    21,
    22,
    24,
    29,
    30,
    36,
    37,
    39,
    42,
    43,
    48,
    51,
    52,
    54,
    60,
    66,
    72,
    86,
)


def searched_twice(workflow: Workflow, max_states: int, *, erased: bool = False, **more: Any) -> WorkflowSpace:
    """Search at both speeds and compare all that was found."""
    quick = explore_workflow(workflow, erase_conditions=erased, max_states=max_states, engine="compiled", **more)
    compare(quick, twin(quick, max_states))
    return quick


def twin(quick: WorkflowSpace, max_states: int) -> WorkflowSpace:
    """The same search in Python."""
    plain = WorkflowSpace(compile_workflow(quick.program.workflow, erased=quick.program.erased), quick.domains.claims)
    # With one table of texts handles are the same, whichever search comes first upon a text.
    plain.successors.texts = quick.texts
    if plain.program.erased:
        plain.successors.host = ErasedHost(plain.program, quick.texts)
    plain.search(max_states)
    return plain


def compare(quick: WorkflowSpace, plain: WorkflowSpace) -> None:
    for name in ("n_states", "n_edges", "n_expanded", "complete", "reason", "exact", "starts"):
        assert getattr(quick, name) == getattr(plain, name), name
    for number in range(plain.n_states):
        assert quick.snapshots[number] == plain.snapshots[number]
        assert quick.status(number) == plain.status(number)
        assert same(quick.edges[number], plain.edges[number])
        assert same_place(quick.before[number], plain.before[number])
        assert list(quick.targets(number)) == list(plain.targets(number))
    for name in ("taken", "reached", "aborted", "failures"):
        found, expected = getattr(quick, name), getattr(plain, name)
        assert found.keys() == expected.keys(), name
        assert all(same_place(found[key], expected[key]) for key in expected), name
    # Verdicts tell of failures in the order in which they were found.
    assert list(quick.failures) == list(plain.failures)


def same_place(found: tuple[int, Edge], expected: tuple[int, Edge]) -> bool:
    return found[0] == expected[0] and same([found[1]], [expected[1]])


def same(found: list[Edge], expected: list[Edge]) -> bool:
    """Whether edges are equal, with values of equal types: 1 is not 1.0 here."""
    return found == expected and all(
        repr(getattr(one.stimulus, field.name)) == repr(getattr(other.stimulus, field.name))
        for one, other in zip(found, expected)
        for field in fields(one.stimulus)
    )


@pytest.mark.parametrize("name", NAMES)
def test_models(name: str) -> None:
    assert searched_twice(wf.load(MODELS / f"{name}.yaml"), 150).n_edges > 50


@pytest.mark.parametrize("name", ["loan_application", "order_fulfilment", "release", "shipping", "travel_booking"])
def test_erased_models(name: str) -> None:
    assert searched_twice(wf.load(MODELS / f"{name}.yaml"), 60, erased=True).n_edges > 50


@pytest.mark.parametrize("kind", range(4))
def test_random_workflows_with_children_lists_and_compensation(kind: int) -> None:
    n_edges = 0
    for number in range(kind, 120, 4):
        flow = rich_workflow(number, undo=number % 2 == 0, children=number % 3 == 0, waits=number % 5 < 2)
        n_edges += searched_twice(flow, 40).n_edges
        if number in ERASED:
            n_edges += searched_twice(flow, 20, erased=True).n_edges
    assert n_edges > 500


def test_random_workflows_whose_children_are_undone() -> None:
    n_edges = 0
    for number in (21, 76, 124):
        flow = rich_workflow(number, undo=True, children=True, recalls=True)
        n_edges += searched_twice(flow, 40).n_edges
    assert n_edges > 200


@cases(25)
@given(workflows(regions=True))
def test_random_workflows_with_values(flow: Workflow) -> None:
    searched_twice(flow, 40)


# --- what the compiled search asks its caller for --------------------------------------------------------------


def orders() -> Workflow:
    """Texts compared by order, an expression on a list, and one that is asked with the payload beside it."""
    return Workflow.model_validate(
        {
            "name": "orders",
            "initial_state": "a",
            "states": [{"name": "a"}, {"name": "b"}, {"name": "c", "is_terminal": True}],
            "variables": {"word": {"type": "string", "initial": "k"}, "words": {"type": "list", "initial": []}},
            "events": {"e": {"payload": {"word": "string"}}, "f": {"payload": {"x": "number", "y": "number"}}},
            "transitions": [
                {
                    "from": "a",
                    "to": "b",
                    "event": "e",
                    "condition": "event.word < context.word and len(context.words) < 2",
                    "pre_actions": [
                        {
                            "action_type": "set_variable",
                            "parameters": {"name": "words", "value": "${[event.word, context.word]}"},
                        },
                        {"action_type": "set_variable", "parameters": {"name": "word", "value": "${event.word}"}},
                    ],
                },
                {"from": "a", "event": "e", "condition": "event.word >= 'm'"},
                {"from": "b", "to": "c", "event": "e", "condition": "event.word in context.words"},
                {
                    "from": "b",
                    "to": "a",
                    "event": "f",
                    "condition": "event.x > 1.5 and min(event.x, event.y, 2.5) < 2.5",
                },
            ],
        }
    )


def test_each_different_question_is_put_to_the_host_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = compiled_space.answer_of

    def counted(*arguments: Any) -> Any:
        asked.append(repr(arguments[2:]))
        return real(*arguments)

    monkeypatch.setattr(compiled_space, "answer_of", counted)
    space = searched_twice(orders(), 1_000, claims=(parse_condition("context.word > 'x'"),))
    assert space.complete
    assert len(asked) == len(set(asked)) > 10


def test_more_rows_and_output_are_made_where_a_step_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = []
    real = compiled_space.CompiledSearch._make_room

    def counted(search: compiled_space.CompiledSearch) -> None:
        rooms.append(search)
        real(search)

    monkeypatch.setattr(compiled_space.CompiledSearch, "_make_room", counted)
    items = {"items": [str(k) for k in range(9)], "as": "one", "activity": "f", "parameters": {"x": "${item.one}"}}
    flow = Workflow.model_validate(
        {
            "name": "many",
            "initial_state": "a",
            "states": [{"name": "a", "for_each": items}, {"name": "b", "is_terminal": True}],
            "activities": {"f": {}},
            "transitions": [{"from": "a", "to": "b", "event": "done"}],
        }
    )
    searched_twice(flow, 300)
    assert rooms


def test_a_payload_with_many_combinations_makes_many_stimuli_of_one_state() -> None:
    names = [f"b{k}" for k in range(9)]
    flow = Workflow.model_validate(
        {
            "name": "wide",
            "initial_state": "a",
            "states": [{"name": "a"}, {"name": "b", "is_terminal": True}],
            "events": {"e": {"payload": dict.fromkeys(names, "boolean")}},
            "transitions": [
                {"from": "a", "to": "b", "event": "e", "condition": " and ".join(f"event.{name}" for name in names)},
                {"from": "a", "event": "e"},
            ],
        }
    )
    space = searched_twice(flow, 10)
    assert (space.n_states, space.n_edges) == (2, 512)


# --- limits, and going over from Python ------------------------------------------------------------------------


@pytest.mark.parametrize("max_states", [1, 2, 3, 7, 40])
def test_a_search_that_stops_in_the_middle_of_a_state_tells_as_much(max_states: int) -> None:
    space = searched_twice(wf.load(MODELS / "order_fulfilment.yaml"), max_states)
    assert space.n_states == max_states
    assert space.reason == f"max_states={max_states:,} reached"


def test_a_search_that_takes_too_long_stops() -> None:
    space = explore_workflow(wf.load(MODELS / "travel_booking.yaml"), max_seconds=0.0, engine="compiled")
    assert not space.complete
    assert space.reason == "max_seconds=0 reached"


@pytest.mark.parametrize("after", [1, 60, 400])
def test_auto_goes_over_from_python_without_a_seam(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    explore_workflow(orders(), engine="compiled")
    assert compiled_cache.is_loaded()
    monkeypatch.setattr(space_module, "FEW_EDGES", after)
    quick = explore_workflow(wf.load(MODELS / "document_request.yaml"), engine="auto")
    first = len(quick._edges)
    assert 0 < first < quick.n_states
    compare(quick, twin(quick, 100_000))
    # An edge is made once: fairness tells edges apart by identity.
    number = next(k for k in range(quick.n_states - 1, -1, -1) if quick.edges[k])
    assert quick.edges[number][0] is quick.edges[number][0]


def test_auto_stays_with_python_where_the_compiled_search_is_not_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_cache.SEARCH, "_loaded", None)
    monkeypatch.setattr(compiled_cache, "is_cached", lambda arguments: False)
    monkeypatch.setattr(space_module, "FEW_EDGES", 10)
    monkeypatch.setattr(space_module, "MANY_EDGES", 20)
    space = explore_workflow(wf.load(MODELS / "shipping.yaml"))
    assert space.complete
    assert len(space._snapshots) == space.n_states
    assert not compiled_cache.is_loaded()


def test_the_cache_is_found_once_something_was_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    explore_workflow(orders(), engine="compiled")
    program = compile_workflow(orders())
    space = WorkflowSpace(program)
    search = compiled_space.CompiledSearch(program, space.texts, space.candidates, [], [], [], 0)
    assert compiled_cache.is_cached(search.arguments)
    assert not compiled_cache.is_cached((*search.arguments[:-1], np.zeros(1)))


def test_an_interrupt_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = compiled_space._grown

    def interrupted(*arguments: Any) -> Any:
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(compiled_space, "_grown", interrupted)
    flow = wf.load(MODELS / "travel_booking.yaml")
    space = explore_workflow(flow, engine="compiled")
    assert space.reason == "interrupted"
    assert 0 < space.n_expanded < space.n_states
    whole = explore_workflow(flow, max_states=space.n_states, engine="python")
    assert space.snapshots[:] == list(whole.snapshots[: space.n_states])
    assert [len(space.edges[k]) for k in range(space.n_expanded)] == [
        len(whole.edges[k]) for k in range(space.n_expanded)
    ]


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(wf.WfsimError, match=r"'c' is not an engine of the search\. Engines: auto,"):
        explore_workflow(orders(), engine="c")  # type: ignore[arg-type]


def test_a_number_that_no_state_has_is_refused() -> None:
    space = explore_workflow(orders(), engine="compiled")
    assert space.snapshots[-1] == space.snapshots[space.n_states - 1]
    with pytest.raises(IndexError, match="there are"):
        space.snapshots[space.n_states]
