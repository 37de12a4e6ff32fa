"""Two histories whose cases are no partners of each other: what both summaries tell, and which events came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wfsim.history.measures import TITLES, Measure
from wfsim.history.samples import EVENT_CASES, among, asking_for_arrays, cases_of
from wfsim.history.summing import are_replications, summary_of
from wfsim.history.warm_up import warm_up_of
from wfsim.simulation.statistics import share_of, unpaired

from .comparison import Comparison, Shown
from .distances import distances, queries_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.history.history import History
    from wfsim.history.summary import Summary

EVENTS = "Share of cases with the event"


def compare_apart(first: History, second: History, level: float) -> Comparison:
    """Compare two histories of one workflow of which at least one is not simulated; see `compare.compare`."""
    summaries = [summary_of(history, None, level, idle=True) for history in (first, second)]
    sides = [{each.key: each for each in _measures(*pair, level)} for pair in zip((first, second), summaries)]
    for one, other in (sides, sides[::-1]):
        for key, measure in other.items():
            if measure.group in ("outcomes", "events") and key not in one:
                never = _never(one, measure, level)
                if never is not None:
                    one[key] = never
    both = [key for key in dict.fromkeys((*sides[0], *sides[1])) if key in sides[0] and key in sides[1]]
    measures = sorted((sides[0][key] for key in both), key=lambda each: _ORDER.index(each.group))
    shown = {each.key: Shown(TITLES.get(each.group, EVENTS), each.label, each.unit) for each in measures}
    found = {key: unpaired(sides[0][key].estimate, sides[1][key].estimate, level) for key in shown}
    for key, how, apart in distances(first, second, level):
        shown[key], found[key] = how, apart
    has_distances = "distances.edges" in found
    head = (
        ("workflow", f"{first.runs[0].workflow} {first.runs[0].version} (A), {second.runs[0].version} (B)"),
        *((name, _told(history, summary)) for name, history, summary in zip("AB", (first, second), summaries)),
        ("unpaired", "no case of one is a case of the other"),
    )
    query: dict[str, str] = {}
    for side, history, summary in zip("AB", (first, second), summaries):
        own = {**summary.query, "events": _event_cases(history)} | (queries_of(history) if has_distances else {})
        query |= {f"{side}.{name}": text for name, text in own.items()}
    remarks = tuple(_remarks(summaries, sides, has_distances=has_distances))
    return Comparison(head, level, None, shown, found, remarks, query)


_ORDER = [*TITLES, "events"]


def _told(history: History, summary: Summary) -> str:
    runs, counts = len(history.runs), summary.counts
    source = " and ".join(dict.fromkeys(run.source for run in history.runs))
    return f"{source}, {counts['started']:,} cases in {runs:,} run{'s' if runs > 1 else ''}, {counts['open']:,} open"


def _measures(history: History, summary: Summary, level: float) -> Iterator[Measure]:
    yield from summary.measures
    runs = history.runs
    if all(run.log == "full" for run in runs):
        together = len(runs) == 1 or not are_replications(runs)
        with asking_for_arrays(history) as ask:
            cases = cases_of(ask, runs, together)
            rows = ask(_event_cases(history))
        kept = [each.since(cut.time).closed() for each, cut in zip(cases, warm_up_of(runs, cases).cuts)]
        places = [each.run << 32 | each.case for each in kept]
        with_event = rows["run"].astype(np.int64) << 32 | rows["case"].astype(np.int64)
        for name in dict.fromkeys(rows["name"].tolist()):
            hits = [np.isin(each, with_event[rows["name"] == name]) for each in places]
            estimate = share_of(hits, level).within(0.0, 1.0)
            yield Measure(f"events.{name}", "events", name, "share", estimate)


def _event_cases(history: History) -> str:
    """The query for who has received which events."""
    return EVENT_CASES.format(runs=among(history.runs)).strip()


def _never(side: dict[str, Measure], measure: Measure, level: float) -> Measure | None:
    """The same of the other side, where it was never seen; `None` if nothing like it was looked at there."""
    alike = next((each.estimate.n for each in side.values() if each.group == "outcomes"), 0)
    if not alike or (measure.group == "events" and not any(each.group == "events" for each in side.values())):
        return None
    nobody = share_of([np.zeros(alike, np.bool_)], level)
    return Measure(measure.key, measure.group, measure.label, measure.unit, nobody)


def _remarks(summaries: list[Summary], sides: list[dict[str, Measure]], *, has_distances: bool) -> Iterator[str]:
    yield (
        "Nothing is paired, as the cases have no random numbers in common: Welch's intervals, from the standard errors "
        "of either side; without these, as for quantiles of one run, from the two intervals."
    )
    if has_distances:
        yield (
            "Distances: 0 where both are alike; never quite, so beside each stands what chance gives where they are. "
            "Of shares the total variation, of times Wasserstein's: by how much a case's time differs on average."
        )
    only = [[each.label for key, each in sides[k].items() if key not in sides[1 - k]] for k in (0, 1)]
    for name, labels in zip("AB", only):
        if labels:
            yield f"Only {name} has: {', '.join(labels)}."
    for name, summary in zip("AB", summaries):
        for remark in summary.remarks:
            yield f"{name}: {remark}"
