"""Python functions as activities: how they are called, what they return and raise."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import Any

import pytest

import wfsim.runtime.executor as executor_module
from wfsim.engine.handle import Run
from wfsim.engine.run import start
from wfsim.errors import ActivityError, StartRefused
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.executor import ActivityContext


def one_activity(parameters: dict[str, Any] | None = None, **activity: Any) -> Workflow:
    return Workflow.model_validate(
        {
            "name": "one",
            "initial_state": "s",
            "variables": {
                "result": {"optional": True, "output": True},
                "type": {"optional": True},
                "message": {"optional": True},
            },
            "activities": {"f": activity},
            "states": [
                {"name": "s", "activity": {"name": "f", "parameters": parameters or {}, "result_variable": "result"}},
                {"name": "ok", "is_terminal": True},
                {"name": "bad", "is_terminal": True, "outcome": "failure"},
            ],
            "transitions": [
                {"from": "s", "to": "ok", "event": "done"},
                {
                    "from": "s",
                    "to": "bad",
                    "event": "error",
                    "pre_actions": [
                        {"action_type": "set_variable", "parameters": {"name": "type", "value": "${event.type}"}},
                        {"action_type": "set_variable", "parameters": {"name": "message", "value": "${event.message}"}},
                    ],
                },
            ],
        }
    )


def ended(function: Any, parameters: dict[str, Any] | None = None, **activity: Any) -> Run:
    run = start(one_activity(parameters, **activity), activities={"f": function}, id="i", clock=ManualClock())
    with run:
        run.wait(timeout=10)
    return run


def test_a_function_gets_the_recorded_input_as_keywords() -> None:
    def f(a: int, b: Any, *, c: int = 3) -> list[Any]:
        return [a, b, c]

    run = ended(f, {"a": 1, "b": "${context.type}"})
    assert run.variables["result"] == [1, None, 3]
    (scheduled,) = [record for record in run.records if record.kind == "activity_scheduled"]
    assert scheduled.payload["input"] == {"a": 1, "b": None}


def test_synchronous_and_asynchronous_functions_run_outside_the_callers_thread() -> None:
    threads = []

    def sync() -> str:
        threads.append(threading.current_thread())
        return "sync"

    async def asynchronous() -> str:
        await asyncio.sleep(0)
        threads.append(threading.current_thread())
        return "async"

    class Callable:
        async def __call__(self) -> str:
            return "object"

    assert ended(sync).variables["result"] == "sync"
    assert ended(asynchronous).variables["result"] == "async"
    assert ended(Callable()).variables["result"] == "object"
    assert ended(functools.partial(asynchronous)).variables["result"] == "async"
    assert ended(lambda **rest: rest, {"x": 1}).variables["result"] == {"x": 1}
    assert threading.current_thread() not in threads


def test_the_context_tells_key_attempt_and_deadline() -> None:
    seen: list[tuple[str, str, int, int | None]] = []

    def f(context: Any, a: int) -> None:
        seen.append((context.activity, context.idempotency_key, context.attempt, context.deadline))

    async def g(c: ActivityContext, a: int) -> None:
        seen.append((c.activity, c.idempotency_key, c.attempt, c.deadline))

    def h(c: executor_module.ActivityContext) -> None:
        seen.append((c.activity, c.idempotency_key, c.attempt, c.deadline))

    ended(f, {"a": 1}, timeout="5m", schedule_to_close="1h")
    ended(g, {"a": 1}, schedule_to_close="1h")
    ended(h)
    assert seen == [("f", "i:1", 1, 300_000_000), ("f", "i:1", 1, 3_600_000_000), ("f", "i:1", 1, None)]


def test_a_parameter_named_context_cannot_be_given_twice() -> None:
    def f(context: Any) -> None: ...

    with pytest.raises(StartRefused, match="gives 'context', which the function does not take"):
        start(one_activity({"context": 1}), activities={"f": f})


@pytest.mark.parametrize("result", [None, True, 3, 2.5, "text", [1, [2]], {"a": {"b": None}}])
def test_results_are_json(result: Any) -> None:
    assert ended(lambda: result).variables["result"] == result


def test_a_tuple_becomes_a_list_and_later_changes_do_not_count() -> None:
    kept: list[int] = [1]
    run = ended(lambda: (kept, 2))
    kept.append(5)
    assert run.variables["result"] == [[1], 2]


def test_what_a_function_or_a_reader_changes_stays_with_it() -> None:
    given = []

    def f(context: Any, items: list[int]) -> list[int]:
        given.append(list(items))
        items.append(9)
        if context.attempt == 1:
            raise OSError
        return items

    policy = {"max_attempts": 2, "initial_interval": "1s"}
    clock = ManualClock()
    workflow = one_activity({"items": [1]}, retry_policy=policy)
    with start(workflow, activities={"f": f}, clock=clock) as run:
        clock.advance("1s")
        run.variables["result"].append(7)
        assert run.variables["result"] == [1, 9]
        assert run.history.case("one-1").replay().variables["result"] == [1, 9]
    assert given == [[1], [1]]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (object(), "of type object is not JSON"),
        ({1: 2}, "key 1"),
        (float("nan"), "nan"),
        (2**63, "64 bits"),
        ({1, 2}, "type set"),
    ],
)
def test_a_result_that_is_not_json_fails_the_attempt(result: Any, says: str) -> None:
    run = ended(lambda: result)
    assert (run.state, run.variables["type"]) == ("bad", "Result.type")
    assert says in run.variables["message"]


def test_a_function_that_gives_a_coroutine_is_told_to_be_async() -> None:
    async def inner() -> int:
        return 1

    run = ended(lambda: inner())
    assert run.variables["type"] == "Result.type"
    assert "async def" in run.variables["message"]


def test_an_exception_is_a_failure_named_like_its_class() -> None:
    def f() -> None:
        raise KeyError("amount")

    run = ended(f)
    assert (run.variables["type"], run.variables["message"]) == ("KeyError", "'amount'")


def test_an_activity_error_names_its_own_type() -> None:
    async def f() -> None:
        raise ActivityError("Card.Declined", "no money")

    run = ended(f)
    assert (run.variables["type"], run.variables["message"]) == ("Card.Declined", "no money")
    assert str(ActivityError("Card.Declined")) == "Card.Declined"


def test_even_an_exit_or_a_broken_exception_ends_only_the_attempt() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError

    def leave() -> None:
        raise SystemExit(3)

    async def leave_async() -> None:
        raise KeyboardInterrupt

    def broken() -> None:
        raise Broken

    assert ended(leave).variables["type"] == "SystemExit"
    assert ended(leave_async).variables["type"] == "KeyboardInterrupt"
    assert ended(broken).variables["message"] == "(its text cannot be had: ValueError)"


def test_a_message_is_bounded_and_always_text() -> None:
    def f() -> None:
        raise RuntimeError("x" * 10_000 + "\ud800")

    def g() -> None:
        raise ActivityError("Half.\ud800")

    assert len(ended(f).variables["message"]) == 2_000
    assert ended(g).variables["type"] == "Half.?"


def test_an_async_function_that_cancels_itself_has_failed() -> None:
    async def f() -> None:
        raise asyncio.CancelledError

    assert ended(f).variables["type"] == "CancelledError"


def test_a_functions_own_threads_through_asyncio_end_with_the_run() -> None:
    async def f() -> int:
        return await asyncio.to_thread(lambda: 5)

    assert ended(f).variables["result"] == 5


@pytest.mark.parametrize(("version", "taken"), [(None, "plain"), (1, "plain"), (2, "second"), (3, "third of one")])
def test_the_function_for_the_version_of_an_activity_is_taken(version: int | None, taken: str) -> None:
    flow = one_activity() if version is None else one_activity(version=version)
    names = {"f": "plain", "f@2": "second", "f@3": "third", "one.f@3": "third of one"}
    with start(flow, activities={key: (lambda name=name: name) for key, name in names.items()}) as run:
        run.wait(timeout=10)
    assert run.variables["result"] == taken
