"""What process mining asks of a log of a million events: views of a history against pm4py on a pandas table of it.

DuckDB uses both cores and pm4py one, so two ratios are told: of what the processor does, and of what people wait.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wfsim as wf
from tests.benchmarks import Measured

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = Path(__file__).parents[2] / "models"
CASES = 143_000
RUNS = 5
# Events of the log are entries into root states, of closed cases: what the views count.
EVENTS = """
SELECT y."case"::VARCHAR AS "case:concept:name", s.name AS "concept:name", make_timestamp(y.entered) AS "time:timestamp"
FROM stay_rows y JOIN state_names s ON s.code = y.state JOIN region_names g ON g.code = y.region AND g.name = ''
SEMI JOIN (FROM cases WHERE closed IS NOT NULL) c ON c.run = y.run AND c."case" = y."case"
ORDER BY y."case", y.entered_seq
"""
EDGES = "SELECT from_state, to_state, sum(n)::BIGINT FROM dfg WHERE region = '' GROUP BY ALL"
FOLLOWS = "SELECT from_state, to_state, n FROM eventually_follows"


def measure() -> list[Measured]:
    """Time of pm4py over that of the view, both told the same log, by turns; what they count is compared."""
    with contextlib.redirect_stdout(io.StringIO()):
        import pm4py
    workflow = wf.load(MODELS / "order_processing.yaml")
    scenario = wf.load_scenario(MODELS / "order_processing.scenario.yaml")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.duckdb"
        options: dict[str, Any] = {"log": "transitions", "progress": False, "into": path}
        with wf.simulate(workflow, scenario, cases=CASES, **options) as history:
            log = history.sql(EVENTS, max_rows=None).df()
            assert _edges(history, EDGES) == dict(pm4py.discover_dfg(log)[0])
            assert _edges(history, FOLLOWS) == dict(pm4py.discover_eventually_follows_graph(log))
            variants = history.sql("SELECT states, cases FROM variants").fetchall()
            assert {tuple(states): n for states, n in variants} == dict(pm4py.get_variants(log))
            edges, timed = (lambda: pm4py.discover_dfg(log)), (lambda: pm4py.discover_performance_dfg(log))
            asked: dict[str, tuple[str, Callable[[], object]]] = {
                "edges": ("SELECT from_state, to_state, event, n FROM dfg", edges),
                "edges, with times": ("FROM dfg", timed),
                "variants": ("FROM variants", lambda: pm4py.get_variants(log)),
                "waiting": ("SELECT name, n, total_wait, mean_wait, max_wait FROM bottlenecks", timed),
                "waiting, with quantiles": ("FROM bottlenecks", timed),
                "what follows": ("FROM eventually_follows", lambda: pm4py.discover_eventually_follows_graph(log)),
            }
            found = [Measured("events", len(log), "")]
            for what, (query, other) in asked.items():
                turns = [(*_times(partial(_asked, history, query)), *_times(other)) for _ in range(RUNS)]
                cpu, wall, others, other_wall = map(statistics.median, zip(*turns))
                note = f"{cpu * 1e3:.0f} ms, pm4py {others * 1e3:.0f} ms of processor time"
                found.append(Measured(what, others / cpu, "times", note))
                note = f"{wall * 1e3:.0f} ms, pm4py {other_wall * 1e3:.0f} ms"
                found.append(Measured(f"{what}: by the clock", other_wall / wall, "times", note))
    return found


def _asked(history: wf.History, query: str) -> None:
    history.sql(query).fetchall()


def _times(question: Callable[[], object]) -> tuple[float, float]:
    """Of the processor, and by the clock, in seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    question()
    return time.process_time() - cpu, time.perf_counter() - wall


def _edges(history: wf.History, query: str) -> dict[tuple[str, str], int]:
    return {(source, target): n for source, target, n in history.sql(query).fetchall()}


if __name__ == "__main__":
    from tests.benchmarks import show

    show("mining", measure())
