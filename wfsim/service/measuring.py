"""What Prometheus is told: of a namespace by its service, and of what a worker did by that worker."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from wfsim.errors import WfsimError

if TYPE_CHECKING:
    from wfsim.runtime.engine import Engine
    from wfsim.runtime.rows import InstanceRow
    from wfsim.semantics.records import Record

# Twice as many lines, and nobody asks when a counter was made.
disable_created_metrics()  # type: ignore[no-untyped-call]

SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


LONG = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_600.0)

MOST_BEGUN = 10_000
"""Attempts that have begun in this process, and are known until they end."""

ENDS = {
    "activity_succeeded": "succeeded",
    "activity_failed": "failed",
    "attempt_timed_out": "timed_out",
    "activity_cancelled": "cancelled",
}


class Happened:
    """Counts what a process has recorded, by workflow, and attempts, by activity; from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._records = Counter(
            "wfsim_records", "Records written by this process", ["workflow", "kind"], registry=registry
        )
        self._attempts = Counter(
            "wfsim_attempts_ended",
            "Attempts of which this process has recorded the end",
            ["workflow", "activity", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "wfsim_attempt_seconds",
            "From the start of an attempt to its end, where this process has recorded both",
            ["workflow", "activity"],
            buckets=LONG,
            registry=registry,
        )
        self._door = threading.Lock()
        self._begun: OrderedDict[tuple[str, int | None, int | None], int] = OrderedDict()

    def told(self, recorded: Sequence[tuple[InstanceRow, Sequence[Record]]]) -> None:
        """This has been stored."""
        for row, records in recorded:
            # What comes too late is no end of anything (M5.4).
            late = {each.cause_seq for each in records if each.kind == "stimulus_ignored"}
            for each in records:
                self._records.labels(row.workflow, each.kind).inc()
                if each.seq in late or each.activity is None:
                    continue
                if each.kind == "activity_started":
                    self._begin((row.id, each.activity_id, each.attempt), each.time)
                elif each.kind in ENDS:
                    self._end(row, each)

    def _begin(self, key: tuple[str, int | None, int | None], time: int) -> None:
        with self._door:
            self._begun[key] = time
            if len(self._begun) > MOST_BEGUN:
                self._begun.popitem(last=False)

    def _end(self, row: InstanceRow, record: Record) -> None:
        self._attempts.labels(row.workflow, record.activity, ENDS[record.kind]).inc()
        with self._door:
            since = self._begun.pop((row.id, record.activity_id, record.attempt), None)
        if since is not None:
            self._seconds.labels(row.workflow, record.activity).observe((record.time - since) / 1e6)


class WorkerMeasures:
    """What a worker did, for whoever asks at its address, `http://host:port/metrics`.

    Attributes
    ----------
    happened
        Counts it.
    """

    def __init__(self, host: str, port: int) -> None:
        registry = CollectorRegistry()
        self.happened = Happened(registry)
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            raise WfsimError(f"nobody can listen on {host}:{port}: {error.strerror}. Choose another port.") from None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Measures:
    """Counts requests, steps and records as they come, and the instances when it is asked."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "wfsim_http_requests", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._durations = Histogram(
            "wfsim_http_request_seconds",
            "From the request to its answer",
            ["method", "route"],
            buckets=SHORT,
            registry=self._registry,
        )
        steps = Histogram(
            "wfsim_step_seconds",
            "A transaction that lets something happen to an instance, in this process",
            buckets=SHORT,
            registry=self._registry,
        )
        engine.core.took = steps.observe
        engine.core.told = Happened(self._registry).told
        self._registry.register(_Instances(engine))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request has been answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(seconds)

    def page(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self._registry)


class _Instances(Collector):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Nothing is asked of the database before somebody wants to know."""
        return []

    def collect(self) -> Iterator[Metric]:
        """What there is now."""
        found = self._engine.figures()
        instances = GaugeMetricFamily("wfsim_instances", "Instances stored", labels=["workflow", "status"])
        for (workflow, status), n in found.instances.items():
            instances.add_metric([workflow, status], n)
        yield instances
        attempts = GaugeMetricFamily(
            "wfsim_attempts", "Activities that have not ended", labels=["workflow", "activity", "phase"]
        )
        for key, n in found.attempts.items():
            attempts.add_metric(list(key), n)
        yield attempts
        depth = sum(n for (_, _, phase), n in found.attempts.items() if phase == "queued")
        yield GaugeMetricFamily("wfsim_queue_depth", "Attempts that wait for a worker", value=depth)
        yield GaugeMetricFamily("wfsim_due", "Timers, messages and starts that wait for their time", value=found.due)
        yield GaugeMetricFamily("wfsim_overdue", "Those of them that should have happened", value=found.overdue)
        yield GaugeMetricFamily("wfsim_due_lag_seconds", "How late the oldest of those is", value=found.lag / 1e6)
        yield GaugeMetricFamily("wfsim_workers", "Workers that give signs of life", value=found.workers)
        yield GaugeMetricFamily(
            "wfsim_stuck", "Instances that something cannot happen to", value=len(self._engine.stuck)
        )
