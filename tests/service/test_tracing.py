"""Traces: an instance, its steps and attempts, across processes and over HTTP; and nothing where nobody takes them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import wfsim as wf
from tests.answering import response
from tests.answering import serving as receiving
from tests.declared import LOCAL, one
from tests.service.served import caller, order, serving
from tests.unit.semantics.test_rules_15_moving import CHILD, PARENT
from wfsim.model.yaml_io import loads
from wfsim.runtime import tracing
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.logs import LOGGER, JsonLines
from wfsim.runtime.opening import open_engine
from wfsim.runtime.permissions import Permissions


@contextlib.contextmanager
def provided(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Somebody takes spans; a provider of the process cannot be taken back, so it is put in place of its getter."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with monkeypatch.context() as patch:
        patch.setattr(trace, "get_tracer_provider", lambda: provider)
        yield exporter
    provider.shutdown()


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    with provided(monkeypatch) as found:
        yield found


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [each for each in spans.get_finished_spans() if each.name == name]


def above(spans: InMemorySpanExporter, span: ReadableSpan) -> str | None:
    """The name of what a span is below."""
    parent = span.parent
    if parent is None:
        return None
    return next(each.name for each in spans.get_finished_spans() if each.context.span_id == parent.span_id)


def about(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(f"wfsim.{name}")


def test_attempts_are_below_steps_and_steps_below_their_instance(spans: InMemorySpanExporter) -> None:
    def charge(context: Any, total: int) -> str:
        with trace.get_tracer_provider().get_tracer("mine").start_as_current_span("mine"):
            if context.attempt == 1:
                raise TimeoutError("the card of 4711")
        return "paid"

    clock = ManualClock()
    workflow = wf.Workflow.model_validate(
        {**order().model_dump(mode="json", exclude_defaults=True), "retry_policy": {"max_attempts": 2}}
    )
    with open_engine("sqlite://", [workflow], {"charge": charge}, clock=clock) as engine:
        engine.start("order", {"total": 3}, id="o").send("pay", amount=3)
        clock.advance("1m")
        assert engine.get("o").state == "shipped"
    (instance,) = named(spans, "order")
    assert {each.context.trace_id for each in spans.get_finished_spans()} == {instance.context.trace_id}
    steps = [each for each in spans.get_finished_spans() if about(each, "cause") is not None]
    assert all(above(spans, each) == "order" for each in steps)
    assert [about(each, "cause") for each in steps][:2] == ["started", "event_received"]
    assert (about(steps[1], "event"), about(steps[-1], "status"), about(steps[-1], "outcome")) == (
        "pay",
        "completed",
        "success",
    )
    first, second = named(spans, "order.charge")
    assert (about(first, "attempt"), above(spans, first)) == (1, "order event_received")
    assert (about(second, "attempt"), above(spans, second)) == (2, "order activity_failed")
    assert (first.status.status_code.name, first.status.description) == ("ERROR", "TimeoutError")
    assert second.status.status_code.name == "UNSET"
    assert [above(spans, each) for each in named(spans, "mine")] == ["order.charge", "order.charge"]
    # What an exception says stands in the history, and is not sent elsewhere.
    own = [each for each in spans.get_finished_spans() if each.instrumentation_scope.name == "wfsim"]
    assert all("4711" not in each.to_json() for each in own)


def test_what_is_undone_leaves_no_span(spans: InMemorySpanExporter) -> None:
    with open_engine("sqlite://", [order()], {"charge": lambda total: "r"}, clock=ManualClock()) as engine:
        engine.start("order", {"total": 3}, id="o")
        before = len(spans.get_finished_spans())

        def undone() -> None:
            with engine.core.turn() as turn:
                held = turn.hold("o")
                assert held is not None
                turn.control(held, "cancel", None, None, metadata=None)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            undone()
        assert len(spans.get_finished_spans()) == before


def test_a_child_is_below_its_parent_and_another_process_goes_on_with_the_trace(
    spans: InMemorySpanExporter, tmp_path: Any
) -> None:
    clock, address = ManualClock(), f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [loads(PARENT), loads(CHILD)], activities={}, clock=clock) as engine:
        engine.start("sale", id="s")
        clock.advance("1h")
    with open_engine(address, activities={}, clock=clock) as engine:
        assert [each.id for each in engine.children("s")] == ["s/1"]
        engine.control("s", "cancel")
    (parent,), (child,) = named(spans, "sale"), named(spans, "ship")
    assert above(spans, child) == "sale"
    (cancelled,) = named(spans, "sale control_received")
    assert (above(spans, cancelled), cancelled.context.trace_id) == ("sale", parent.context.trace_id)


def test_a_request_of_an_activity_carries_its_span(spans: InMemorySpanExporter) -> None:
    with receiving(response(200, b"{}")) as server:
        workflow = one(http={"url": f"{server.url}/", "method": "POST"})
        with wf.start(workflow, permissions=Permissions(networks=LOCAL)) as run:
            run.wait(timeout="60s")
        sent = server.asked[0].headers["traceparent"]
        own = one(http={"url": f"{server.url}/", "headers": {"Traceparent": "of my own"}})
        with wf.start(own, permissions=Permissions(networks=LOCAL)) as run:
            run.wait(timeout="60s")
        assert server.asked[1].headers["traceparent"] == "of my own"
    (attempt, _) = named(spans, "one.f")
    assert sent == tracing.parent_of(attempt)  # type: ignore[arg-type]


def test_what_is_asked_over_http_is_below_the_span_of_whoever_asks(
    spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    there = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    elsewhere = "00-11111111111111111111111111111111-2222222222222222-01"
    with serving() as server, caller(server) as client, caplog.at_level(logging.INFO, "wfsim.service"):
        body = {"workflow": "order", "id": "o", "input": {"total": 3}}
        assert client.post("/v1/instances", json=body, headers={"traceparent": there}).status_code == 201
        sent = client.post("/v1/instances/o/events", json={"event": "ring"}, headers={"traceparent": elsewhere})
        assert sent.status_code == 200
    (instance,) = named(spans, "order")
    assert f"{instance.context.trace_id:032x}" == there[3:35]
    # An event belongs to its instance, and knows where it came from.
    (step,) = named(spans, "order event_received")
    assert step.context.trace_id == instance.context.trace_id
    assert [f"{link.context.trace_id:032x}" for link in step.links] == ["1" * 32]
    told = [record.fields for record in caplog.records if record.message == "answered"]  # type: ignore[attr-defined]
    assert [each["trace_id"] for each in told] == [there[3:35], "1" * 32]


def test_a_worker_s_log_has_the_ids_of_the_trace(spans: InMemorySpanExporter, tmp_path: Any) -> None:
    page = io.StringIO()
    handler = logging.StreamHandler(page)
    handler.setFormatter(JsonLines())
    level = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        with open_engine(f"sqlite:///{tmp_path}/runs.db", [order()], {"charge": lambda total: "r"}) as engine:
            run = engine.start("order", {"total": 3}, id="o")
            run.send("pay", amount=3)
            run.wait(timeout="60s")
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
    lines = [json.loads(line) for line in page.getvalue().splitlines()]
    (begun,) = [each for each in lines if each["event"] == "attempt_started"]
    (instance,) = named(spans, "order")
    assert begun["trace_id"] == f"{instance.context.trace_id:032x}"


def test_where_nobody_takes_spans_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def charge(total: int) -> str:
        assert tracing.current() is None
        return "paid"

    # As if OpenTelemetry were not there at all, and with no provider.
    for missing in (True, False):
        with monkeypatch.context() as patch:
            if missing:
                patch.delitem(sys.modules, "opentelemetry.trace")
            assert not tracing.is_on()
            with open_engine("sqlite://", [order()], {"charge": charge}, clock=(clock := ManualClock())) as engine:
                engine.start("order", {"total": 3}, id="o").send("pay", amount=3)
                clock.advance("1m")
                assert engine.get("o").state == "shipped"
                with engine.core.database.reading() as rows:
                    row = rows.read("o")
                    assert row is not None
                    assert row.trace is None


@pytest.mark.parametrize("wrong", [None, "", "00-zz-1-1", "01-" + "1" * 32 + "-" + "2" * 16 + "-01", "x" * 1000])
def test_a_traceparent_that_is_none_begins_a_trace(spans: InMemorySpanExporter, wrong: str | None) -> None:
    with tracing.attempt(wrong, "a", {}):
        pass
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert tracing.ids(wrong) == {}
