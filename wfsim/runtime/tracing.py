"""Traces by OpenTelemetry: an instance, its steps, and the attempts of its activities, in whatever process they are.

What has to outlive a process, which span an instance and an attempt belong to, stands in their rows as a W3C
`traceparent`. OpenTelemetry is not loaded here: as long as nobody in this process has given it a tracer provider,
nothing is done.
"""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from wfsim.semantics.records import Record

    from .rows import InstanceRow

NAME = "wfsim"

_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def _api() -> Any:
    """`opentelemetry.trace`, if somebody in this process takes spans."""
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    provider = api.get_tracer_provider()
    return None if isinstance(provider, api.ProxyTracerProvider | api.NoOpTracerProvider) else api


def is_on() -> bool:
    """Whether somebody takes spans."""
    return _api() is not None


def begin_instance(row: InstanceRow, parent: str | None) -> Span | None:
    """The span that stands for an instance: of who starts it, or of its parent; its steps are below it.

    It ends with the start, as an instance may go on for years and in many processes.
    """
    api = _api()
    if api is None:
        return None
    context = None if api.get_current_span().get_span_context().is_valid else _context(api, parent)
    span: Span = api.get_tracer(NAME).start_span(row.workflow, context, attributes=_about(row))
    row.trace = parent_of(span)
    return span


def begin_step(row: InstanceRow, records: Sequence[Record]) -> Span | None:
    """The span of a step that has left these records; end it once they are stored."""
    api = _api()
    if api is None:
        return None
    cause = records[0]
    told: dict[str, Any] = {
        **_about(row),
        "wfsim.cause": cause.kind,
        "wfsim.seq": cause.seq,
        "wfsim.records": len(records),
        "wfsim.state": row.state,
        "wfsim.status": row.status,
    }
    for name, value in (("event", cause.event), ("activity", cause.activity), ("outcome", row.outcome)):
        if value is not None:
            told[f"wfsim.{name}"] = value
    here = api.get_current_span().get_span_context()
    context = _context(api, row.trace)
    # Whoever sends it is in a trace of its own, as a rule.
    known = None if row.trace is None else _PARENT.fullmatch(row.trace)
    is_elsewhere = here.is_valid and (known is None or int(known[1], 16) != here.trace_id)
    links = [api.Link(here)] if is_elsewhere else []
    span: Span = api.get_tracer(NAME).start_span(f"{row.workflow} {cause.kind}", context, attributes=told, links=links)
    if row.status in ("failed", "timed_out"):
        span.set_status(api.StatusCode.ERROR, row.status)
    return span


def parent_of(span: Span | None) -> str | None:
    """A span as a `traceparent`, for those below it."""
    if span is None:
        return None
    found = span.get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"


@contextlib.contextmanager
def attempt(trace: str | None, name: str, told: Mapping[str, str | int]) -> Iterator[None]:
    """Around the function of an attempt: the spans that it makes are below its own."""
    api = _api()
    if api is None:
        yield
        return
    about = {f"wfsim.{key}": value for key, value in told.items()}
    tracer = api.get_tracer(NAME)
    with tracer.start_as_current_span(
        name, _context(api, trace), attributes=about, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        except BaseException as error:
            # Its text may be long, or not for everybody: it stands in the history.
            span.set_status(api.StatusCode.ERROR, getattr(error, "error_type", None) or type(error).__name__)
            raise


@contextlib.contextmanager
def continuing(headers: Mapping[str, str]) -> Iterator[None]:
    """What a request does is below the span of whoever has sent it, unless a span for the request is there already."""
    api = _api()
    if api is None or api.get_current_span().get_span_context().is_valid:
        yield
        return
    with api.use_span(api.get_current_span(_context(api, headers.get("traceparent"))), end_on_exit=False):
        yield


def current() -> str | None:
    """The span that this is part of, as a `traceparent`, which a request carries to whoever goes on with the trace."""
    api = _api()
    found = None if api is None else api.get_current_span()
    return parent_of(found) if found is not None and found.get_span_context().is_valid else None


def ids(trace: str | None) -> dict[str, str]:
    """The ids of a span as logs have them; empty if there is none."""
    known = None if trace is None else _PARENT.fullmatch(trace)
    return {} if known is None else {"trace_id": known[1], "span_id": known[2]}


def _context(api: Any, trace: str | None) -> Context:
    """A context below a span in a row; one of its own if there is none. What is current here counts for nothing."""
    known = None if trace is None else _PARENT.fullmatch(trace)
    context = api.INVALID_SPAN_CONTEXT
    if known is not None:
        flags = api.TraceFlags(int(known[3], 16))
        context = api.SpanContext(int(known[1], 16), int(known[2], 16), is_remote=True, trace_flags=flags)
    found: Context = api.set_span_in_context(api.NonRecordingSpan(context))
    return found


def _about(row: InstanceRow) -> dict[str, Any]:
    return {
        "wfsim.instance": row.id,
        "wfsim.workflow": row.workflow,
        "wfsim.definition_version": row.definition_version,
    }
