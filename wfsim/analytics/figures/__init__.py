"""Figures of a history, as plotly figures that whoever asks for them shows: `wf.figures.dotted_chart(history)`.

Each takes a history, or a part of it (`between`, `business_hours`), of which DuckDB counts: a figure holds some
thousand points, however many records there are. What is left out for that is told in its title. `layout.meta` has the
`query` whose rows are shown, and what the figure `says`. docs/pictures.md shows each.
"""

from __future__ import annotations

from wfsim.analytics.figures.cases import dotted_chart, performance_spectrum
from wfsim.analytics.figures.load import arrivals_and_completions, occupancy, pool_utilisation
from wfsim.analytics.figures.one_case import case_gantt
from wfsim.analytics.figures.times import throughput_times, waiting_and_service
from wfsim.analytics.figures.variants import variants

__all__ = [
    "arrivals_and_completions",
    "case_gantt",
    "dotted_chart",
    "occupancy",
    "performance_spectrum",
    "pool_utilisation",
    "throughput_times",
    "variants",
    "waiting_and_service",
]
