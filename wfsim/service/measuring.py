"""What Prometheus is told of a namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from wfsim.runtime.engine import Engine

# Twice as many lines, and nobody asks when a counter was made.
disable_created_metrics()  # type: ignore[no-untyped-call]

SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Measures:
    """Counts requests and steps as they come, and the instances when it is asked."""

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
