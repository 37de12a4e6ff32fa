"""One body of tests, run on an engine that is here and on one behind a service: names, answers, errors are the same."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import wfsim as wf
from tests.service.served import charge_later, order, serving
from wfsim.errors import (
    ConflictError,
    CorrelationTaken,
    DefinitionTaken,
    EventRejected,
    InstanceExists,
    StartRefused,
    UnknownExecution,
    UnknownInstance,
    UnknownWorkflow,
    WaitTimeout,
    WfsimError,
)
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.figures import Backlog
from wfsim.runtime.opening import open_engine


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["here", "served"])
def engine(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Any]:
    if request.param == "here":
        with open_engine("sqlite://", [order()], {"charge": charge_later}, clock=clock) as found:
            yield found
    else:
        with serving(clock=clock) as server, wf.connect(server.url) as remote:
            yield remote


def test_an_order_from_start_to_end(engine: Any, clock: ManualClock) -> None:
    run = engine.start("order", {"total": 3}, id="o/1", metadata={"ticket": 7})
    assert (run.id, run.state, run.status, run.is_closed, run.outcome, run.output) == (
        "o/1",
        "created",
        "running",
        False,
        None,
        None,
    )
    assert run.variables == {"total": 3, "receipt": None}
    assert run.configuration == {"": "created"}
    assert [each.name for each in run.timers] == ["timeout"]
    answer = run.send("pay", amount=3)
    assert (answer, answer.fate, answer.state) == ("accepted", "taken", "charging")
    assert answer.version == next(each.seq for each in run.records if each.kind == "activity_scheduled")
    clock.advance("1s")
    activity = run.activities[0]
    assert (activity.activity, activity.phase, activity.attempt) == ("charge", "running", 1)
    assert engine.heartbeat("o/1:1:1", {"done": 0.5})
    assert run.activities[0].detail == {"done": 0.5}
    assert engine.complete("o/1:1:1", "r-7") == "accepted"
    assert engine.complete("o/1:1:1", "r-8") == "ignored"
    assert run.wait(timeout="20s") == "shipped"
    assert (run.status, run.outcome, run.output) == ("completed", "success", {"receipt": "r-7"})
    records = run.records
    assert [each.seq for each in records] == list(range(1, run.version + 1))
    assert list(run.watch()) == records
    assert list(run.watch(after=3)) == records[3:]
    told = engine.records("o/1", limit=1)[0][1]
    assert told["ticket"] == 7


def test_what_is_refused_is_refused_by_the_same_class_with_the_same_words(engine: Any) -> None:
    run = engine.start("order", {"total": 3}, id="o")
    with pytest.raises(EventRejected) as rejected:
        run.send("pay", amount=2)
    assert (rejected.value.event, rejected.value.reason) == ("pay", "condition")
    assert "event.amount >= context.total" in str(rejected.value)
    with pytest.raises(EventRejected, match="Did you mean 'pay'") as undeclared:
        run.send("pai")
    assert undeclared.value.reason == "undeclared"
    with pytest.raises(ConflictError) as conflict:
        run.send("ring", expected_version=1)
    assert (conflict.value.expected, conflict.value.stored) == (1, run.version)
    with pytest.raises(InstanceExists):
        engine.start("order", {"total": 3}, id="o")
    with pytest.raises(StartRefused, match="total"):
        engine.start("order", {"total": "three"})
    with pytest.raises(UnknownWorkflow, match="Did you mean 'order'"):
        engine.start("ordr")
    with pytest.raises(UnknownInstance, match="Did you mean 'o'"):
        engine.get("oo")
    with pytest.raises(UnknownInstance):
        engine.send("nobody", "pay")
    with pytest.raises(WfsimError, match="Did you mean 'created'"):
        run.why_not("creatd")
    with pytest.raises(WfsimError, match="is not a status"):
        engine.list(status="opn")
    with pytest.raises(WfsimError, match="names no attempt"):
        engine.complete("nonsense")
    with pytest.raises(WfsimError, match="neither a state of order nor a status"):
        run.wait("creatd")
    with pytest.raises(UnknownWorkflow, match="is not a range of versions"):
        engine.start("order", version="<2.0")
    with pytest.raises(WfsimError):
        engine.list(limit=0)


def test_a_changed_definition_needs_a_higher_version(engine: Any) -> None:
    changed = order().model_copy(update={"description": "another"})
    with pytest.raises(DefinitionTaken):
        engine.publish(changed)
    higher = order().model_copy(update={"description": "another", "version": "2.0.0"})
    engine.publish(higher)
    engine.publish(higher)
    assert engine.workflows.versions("order") == ("1.0.0", "2.0.0")
    assert engine.start(higher, {"total": 1}).workflow == higher
    assert engine.start("order", {"total": 1}, version="<2.0.0").workflow.version == "1.0.0"


def test_events_and_commands_under_one_id_are_applied_once(engine: Any) -> None:
    run = engine.start("order", {"total": 3}, id="o")
    assert run.send("ring", event_id="e") == "accepted"
    again = run.send("ring", event_id="e")
    assert (again, again.fate) == ("duplicate", "taken")
    paused = engine.control("o", "pause", "lunch", command_id="c")
    assert (paused, paused.state, paused.version) == ("accepted", "created", run.version)
    assert run.pause("lunch", command_id="c") == "duplicate"
    assert run.status == "paused"
    assert run.pause() == "ignored"
    assert run.send("ring") == "waiting"
    assert run.waiting == ["ring"]
    assert run.resume() == "accepted"
    assert engine.control_all(["o", "nobody"], "cancel", command_id="all") == {"o": "accepted", "nobody": "missing"}
    again = engine.control_all(["o"], "cancel", command_id="all")["o"]
    assert (again, again.fate) == ("duplicate", "accepted")
    assert (run.status, run.is_idle) == ("cancelled", True)
    with pytest.raises(EventRejected) as closed:
        run.send("ring")
    assert closed.value.reason == "closed"


def test_an_event_loop_goes_on_while_an_event_is_sent(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = engine.start("order", {"total": 3}, id="o")
    other = engine.start("order", {"total": 3}, id="p")
    sends, go = type(engine).send, threading.Event()

    def held(self: Any, id: str, *given: Any, **more: Any) -> Any:
        # Until the loop has gone on.
        assert id != "o" or go.wait(60)
        return sends(self, id, *given, **more)

    async def both() -> list[Any]:
        first = asyncio.create_task(run.send_async("pay", {"amount": 3}, event_id="e"))
        second = await engine.send_async("p", "ring", metadata={"by": "Ada"})
        go.set()
        return [await first, second, await run.send_async("pay", amount=3, event_id="e")]

    with monkeypatch.context() as patched:
        patched.setattr(type(engine), "send", held)
        answers = asyncio.run(both())
    assert answers == ["accepted", "accepted", "duplicate"]
    assert answers[2].fate == "taken"
    assert {"by": "Ada"}.items() <= (engine.records("p")[2][1] or {}).items()
    with pytest.raises(EventRejected, match=r"event\.amount >= context\.total"):
        asyncio.run(other.send_async("pay", amount=1))


def test_pages_go_on_where_they_were_whatever_starts_and_closes_meanwhile(engine: Any) -> None:
    for n in range(6):
        engine.start("order", {"total": n}, id=f"a{n}")
    seen, after = [], None
    while True:
        page = engine.list(limit=2, after=after)
        seen += [each.id for each in page]
        engine.start("order", {"total": 9}, id=f"b{len(seen)}")
        engine.send(seen[-1], "drop")
        after = page.after
        if after is None:
            break
    assert sorted(seen) == [f"a{n}" for n in range(6)]


def test_an_attempt_is_found_by_its_correlation_id(engine: Any, clock: ManualClock) -> None:
    run = engine.start("order", {"total": 3}, id="o/1")
    begun = run.version
    run.send("pay", amount=3)
    clock.advance("1s")
    found = engine.execution("o/1:1:1")
    assert (found.activity, found.attempt, found.input, found.outcome) == ("charge", 1, {"total": 3}, None)
    assert (found.state, found.idempotency_key, found.output) == ("charging", "o/1:1", None)
    times = {each.kind: each.time for each in run.records[begun:]}
    assert (found.scheduled, found.started, found.ended) == (
        times["activity_scheduled"],
        times["activity_started"],
        None,
    )
    engine.complete("o/1:1:1", "r-7")
    # It comes too late, and changes nothing.
    engine.fail("o/1:1:1", "Late")
    ended = engine.execution("o/1:1:1")
    assert (ended.outcome, ended.output, ended.error_type) == ("succeeded", "r-7", None)
    assert ended.ended == next(each.time for each in run.records if each.kind == "activity_succeeded")
    other = engine.start("order", {"total": 3}, id="p")
    other.send("pay", amount=3)
    clock.advance("1s")
    engine.fail("p:1:1", "Card.Declined", "no money")
    failed = engine.execution("p:1:1")
    assert (failed.outcome, failed.error_type, failed.message) == ("failed", "Card.Declined", "no money")
    with pytest.raises(UnknownExecution, match="'p' has not scheduled attempt 2 of activity 1"):
        engine.execution("p:1:2")
    with pytest.raises(UnknownInstance):
        engine.execution("nobody:1:1")
    with pytest.raises(WfsimError, match="names no attempt"):
        engine.execution("nonsense")


KEYED = """\
name: keyed
initial_state: open
variables: {key: {input: true}}
events: {end: {}}
states: [{name: open}, {name: over, is_terminal: true}]
transitions: [{from: open, event: end, to: over}]
correlation: {key: context.key}
"""


def test_a_key_that_an_open_instance_has_is_taken(engine: Any) -> None:
    engine.publish(wf.loads(KEYED))
    engine.start("keyed", {"key": "K-1"}, id="first")
    with pytest.raises(CorrelationTaken, match="'first'"):
        engine.start("keyed", {"key": "K-1"})
    engine.send("first", "end")
    assert engine.start("keyed", {"key": "K-1"}).state == "open"


def test_lists_come_by_pages_and_are_searched(engine: Any) -> None:
    for n in range(5):
        engine.start("order", {"total": n}, id=f"a{n}")
    engine.start("order", {"total": 9}, id="b").send("drop")
    first = engine.list(limit=4)
    second = engine.list(limit=4, after=first.after)
    assert len(first) == 4
    assert second.after is None
    assert sorted(each.id for each in (*first, *second)) == ["a0", "a1", "a2", "a3", "a4", "b"]
    assert [each.id for each in engine.list(status="completed")] == ["b"]
    assert {each.id for each in engine.list(status=["running", "completed"], prefix="b", roots=True)} == {"b"}
    assert engine.list(workflow="nothing").instances == ()
    assert len(engine.list(state="created", status="open")) == 5
    listed = engine.list(prefix="b").instances[0]
    assert (listed.version, listed.is_open, listed.outcome) == ("1.0.0", False, "failure")
    assert listed.records == engine.get("b").version


def test_open_instances_are_found_by_their_correlation_key(engine: Any) -> None:
    engine.publish(wf.loads(KEYED))
    for name, key in (("one", 5), ("two", 5.5), ("three", True), ("four", "5"), ("five", "A 7")):
        engine.start("keyed", {"key": key}, id=name)
    for key, wanted in ((5, "one"), (5.0, "one"), (5.5, "two"), (True, "three"), ("5", "four"), ("A 7", "five")):
        assert [each.id for each in engine.list(key=key)] == [wanted], key
    assert engine.list(key="nobody's").instances == engine.list(key="5", workflow="order").instances == ()
    engine.send("four", "end")
    assert engine.list(key="5").instances == ()


def test_instances_are_found_by_the_values_of_searchable_variables(engine: Any) -> None:
    engine.publish(
        wf.loads(
            """
            name: sought
            initial_state: open
            variables: {customer: {type: string, input: true, searchable: true}}
            events: {end: {}}
            states: [{name: open}, {name: over, is_terminal: true}]
            transitions: [{from: open, event: end, to: over}]
            """
        )
    )
    for name, customer in (("a", "C-1"), ("b", "C 2"), ("c", "C-1")):
        engine.start("sought", {"customer": customer}, id=name).send("end")
    assert {each.id for each in engine.list(where={"customer": "C-1"})} == {"a", "c"}
    assert {each.id for each in engine.list(where={"customer": "C 2"}, workflow="sought")} == {"b"}
    with pytest.raises(WfsimError, match="Did you mean 'customer'"):
        engine.list(where={"custmer": "C-1"})


def test_why_not_says_which_values_decide(engine: Any) -> None:
    run = engine.start("order", {"total": 3}, id="o")
    assert not run.why_not("pay", amount=2).possible
    assert run.why_not("pay", amount=3).possible
    assert "No transition leads from 'created' straight to 'shipped'" in str(run.why_not("shipped"))


def test_waiting_says_where_it_stands(engine: Any) -> None:
    run = engine.start("order", {"total": 3}, id="o")
    assert run.wait("created", timeout="1s") == "created"
    assert run.wait("idle", timeout="1s") == "created"
    with pytest.raises(WaitTimeout, match=r"did not come to 'shipped' within .*it is running in 'created'"):
        run.wait("shipped", timeout="50ms")
    run.send("drop")
    with pytest.raises(WaitTimeout, match="cannot any more"):
        run.wait("shipped", timeout="20s")
    assert run.wait() == "dropped"


def test_idle_is_a_state_where_one_is_called_so(engine: Any) -> None:
    definition = {
        "name": "machine",
        "initial_state": "busy",
        "events": {"rest": {}},
        "states": [{"name": "busy"}, {"name": "idle"}, {"name": "off", "is_terminal": True}],
        "transitions": [{"from": "busy", "event": "rest", "to": "idle"}],
    }
    engine.publish(wf.Workflow.model_validate(definition))
    run = engine.start("machine")
    with pytest.raises(WaitTimeout):
        run.wait("idle", timeout=0.01)
    run.send("rest")
    assert run.wait("idle", timeout=30) == "idle"
    other = engine.start("order", {"total": 3})
    assert other.wait("idle", timeout=30) == "created"


def test_what_cannot_be_sent_is_told(engine: Any) -> None:
    run = engine.start("order", {"total": 3}, id="o")
    with pytest.raises(WfsimError):
        run.send("pay", amount=float("nan"))
    with pytest.raises(WfsimError):
        run.send("pay", {"amount": object()})
    with pytest.raises(WfsimError):
        engine.start("order", {"total": 3}, metadata={"a": float("inf")})
    with pytest.raises(WfsimError):
        engine.start("order", {"total": 3}, id="")
    assert run.state == "created"


def test_several_statuses_may_be_asked_for_together(engine: Any) -> None:
    for name, event in (("a", "ring"), ("b", "drop")):
        engine.start("order", {"total": 3}, id=name).send(event)
    engine.start("order", {"total": 3}, id="c").cancel()
    assert {each.id for each in engine.list(status=["open", "completed"])} == {"a", "b"}
    with pytest.raises(WfsimError, match="Statuses: open, created, running"):
        engine.list(status=["open", "none"])
    assert engine.children("a") == []
    with pytest.raises(UnknownInstance):
        engine.children("nobody")


def test_who_works_what_waits_and_what_comes_next(engine: Any, clock: ManualClock) -> None:
    assert engine.workers == []
    run = engine.start("order", {"total": 3}, id="o")
    (due,) = engine.due()
    assert (due.target, due.kind, due.due, due.overdue) == ("o", "timer", run.timers[0].due, False)
    run.send("pay", amount=3)
    clock.advance("1s")
    assert engine.backlog == [Backlog("default", queued=0, running=1, later=0)]
    assert [each.due for each in engine.due(limit=1)] == [min(each.due for each in run.timers)]
