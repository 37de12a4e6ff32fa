"""Warm-up: what is left out at the beginning of each run, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wfsim.model.duration import Duration
from wfsim.simulation.statistics import mser5

if TYPE_CHECKING:
    from .runs import Run
    from .samples import RunCases


@dataclass(frozen=True)
class Cut:
    """What is left out of a run: cases that started before a time.

    Attributes
    ----------
    time
        Microseconds.
    n
        How many root cases that were.
    settled
        Whether what remains looks steady.
    """

    time: int
    n: int
    settled: bool = True


@dataclass(frozen=True)
class WarmUp:
    """The cut of each series, and what readers are told of them."""

    cuts: list[Cut]
    remarks: list[str]


def warm_up_of(runs: list[Run], series: list[RunCases]) -> WarmUp:
    """Where each series begins to count: by the scenario's `warm_up`, else by MSER-5 on the sojourn times.

    Nothing is left out of real runs.
    """
    if any(run.source != "simulation" for run in runs):
        text = "Nothing is left out as warm-up: real cases did not start in an empty system."
        return WarmUp([Cut(int(cases.started.min()) if len(cases.started) else 0, 0) for cases in series], [text])
    given = [time for time in map(_given, runs) if time is not None]
    if given:
        cuts = [_cut_at(cases, max(given)) for cases in series]
        left = sum(cut.n for cut in cuts)
        until = Duration(max(given)).spelled()
        text = f"Warm-up: the scenario's {until}; {left:,} cases that started earlier are left out."
        return WarmUp(cuts, [text if max(given) else "Warm-up: none, as the scenario says."])
    cuts = [_cut_by_mser(cases) for cases in series]
    left, latest = sum(cut.n for cut in cuts), Duration(max((cut.time for cut in cuts), default=0))
    told = f"{left:,} cases, the latest cut at {latest.about()}" if left else "nothing"
    remarks = [f"Warm-up: MSER-5 leaves out {told}. The scenario's warm_up decides instead, if given; 0s keeps all."]
    if not all(cut.settled for cut in cuts):
        remarks.append("The sojourn times have not settled: the run may be too short, or the load too high.")
    return WarmUp(cuts, remarks)


def _given(run: Run) -> int | None:
    """The warm-up that its scenario says, in microseconds; `None` if it says none."""
    said = None if run.scenario is None else json.loads(run.scenario).get("warm_up")
    return None if said is None else int(Duration.of(said))


def _cut_by_mser(cases: RunCases) -> Cut:
    closed = cases.closed()
    found = mser5(closed.duration.astype(np.float64))
    if found.n == 0:
        return Cut(0, 0, found.settled)
    return _cut_at(cases, int(closed.started[found.n]), found.settled)


def _cut_at(cases: RunCases, time: int, settled: bool = True) -> Cut:
    return Cut(time, int(np.sum(cases.started < time)), settled)
