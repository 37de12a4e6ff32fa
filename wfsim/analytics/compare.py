"""`compare`: two histories of one workflow; simulated ones case by case, by their common random numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wfsim.errors import DefinitionError, HistoryError, listed
from wfsim.history.measures import TITLES, expect_level
from wfsim.history.samples import asking_for_arrays, cases_of, cases_text
from wfsim.history.warm_up import warm_up_of
from wfsim.model.duration import Duration
from wfsim.simulation.statistics import paired

from .comparison import Comparison, Shown
from .unpaired import compare_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wfsim.history.history import History
    from wfsim.history.runs import Run
    from wfsim.history.samples import RunCases

_MOST_CHANGES = 8


def compare(first: History, second: History, *, level: float = 0.95) -> Comparison:
    """How cases of a workflow fare in two simulations, or in reality and in a simulation of it.

    In two simulations a case draws the same numbers, wherever the scenarios let it (the same seed, replication and
    number), so they are compared case by case: what chance does to both falls out. Where one history is a real one
    nothing is paired: all that both summaries tell is compared, in how many cases which events came, and how far apart
    both are in edges, times and hours of arrival, with what chance alone gives.

    Parameters
    ----------
    first, second
        Histories of one workflow, two simulated ones with the same seed; A and B in what is shown.
    level
        Of the intervals.

    Returns
    -------
    Comparison
        Shown as a table; `.df()` gives it, `comparison["sojourn.mean"]` one difference, B minus A.

    Raises
    ------
    HistoryError
        If they are of other workflows, or two simulations with no seed and replication in common; or for a level
        that is none.

    Notes
    -----
    Over the replications that both have, Student's t of the mean differences; of one, over batches of its cases
    (docs/statistics.md). Left out are cases that started in the warm-up of either, and those not closed in both.
    Without pairs: Welch's interval from either side's standard error.
    """
    from wfsim.history.history import History

    for history in (first, second):
        if not isinstance(history, History):
            raise HistoryError(f"compare takes two histories, not {history!r}. wf.simulate(workflow) makes one.")
    expect_level(level)
    names = [dict.fromkeys(run.workflow for run in history.runs) for history in (first, second)]
    if names[0].keys() != names[1].keys():
        raise HistoryError(
            f"these are histories of different workflows: {', '.join(names[0])} and {', '.join(names[1])}. "
            "Compare two of one."
        )
    if any(run.source != "simulation" or run.seed is None for run in (*first.runs, *second.runs)):
        return compare_apart(first, second, level)
    return compare_runs((first, first.runs), (second, second.runs), level=level)


def compare_runs(first: tuple[History, list[Run]], second: tuple[History, list[Run]], *, level: float) -> Comparison:
    """The same of some simulated runs of a history and some of another one, or of the same."""
    runs = _paired_runs(first[1], second[1])
    pairs = _pairs(first[0], second[0], runs)
    n = sum(each.n for each in pairs)
    one, other = ([each.durations[k] for each in pairs] for k in (0, 1))
    differences = {"sojourn.mean": paired(one, other, level)}
    shown = {"sojourn.mean": Shown(TITLES["sojourn"], "mean", "s")}
    for outcome in sorted({text for each in pairs for side in each.outcomes for text in side.tolist()}):
        hits, others = ([(each.outcomes[k] == outcome).astype(np.float64) for each in pairs] for k in (0, 1))
        differences[f"outcomes.{outcome}"] = paired(hits, others, level)
        shown[f"outcomes.{outcome}"] = Shown(TITLES["outcomes"], outcome, "share")
    head = (
        ("workflow", f"{runs[0][0].workflow} {runs[0][0].version} (A), {runs[0][1].version} (B)"),
        ("what differs", listed(_changes(runs[0][0], runs[0][1]), _MOST_CHANGES) or "nothing"),
        ("pairs", f"{n:,} cases in {len(runs):,} replication{'s' if len(runs) > 1 else ''}"),
    )
    remarks = tuple(_remarks(pairs, len(first[1]), len(second[1])))
    query = {f"{side}.cases": cases_text([pair[k] for pair in runs]) for k, side in enumerate("AB")}
    return Comparison(head, level, n, shown, differences, remarks, query)


def _paired_runs(first: list[Run], second: list[Run]) -> list[tuple[Run, Run]]:
    """The runs of both that draw the same random numbers."""
    known = {(run.workflow, run.seed, run.replication): run for run in first}
    others = {(run.workflow, run.seed, run.replication): run for run in second}
    if len(known) < len(first) or len(others) < len(second) or len({run.workflow for run in first}) > 1:
        raise HistoryError(
            "a history holds several runs of one seed and replication. Compare histories of one scenario."
        )
    found = [(run, others[key]) for key, run in known.items() if key in others]
    if not found:
        seeds = (listed(dict.fromkeys(str(run.seed) for run in runs), 3) for runs in (first, second))
        raise HistoryError(
            f"the histories have no random numbers in common: seed {' and '.join(seeds)}. "
            "Simulate both with the same seed."
        )
    return found


@dataclass(frozen=True)
class _Pairs:
    """The cases that two runs have in common, in order of their start; and how many could not be paired.

    Attributes
    ----------
    durations
        In seconds, of either side.
    outcomes
        As texts, of either side.
    only
        How many cases only one of them has.
    n_early, n_open
        How many started in the warm-up, or were not closed in both.
    """

    durations: list[NDArray[np.float64]]
    outcomes: list[NDArray[Any]]
    only: tuple[int, int]
    n_early: int
    n_open: int

    @property
    def n(self) -> int:
        return len(self.durations[0])


def _pairs(first: History, second: History, runs: list[tuple[Run, Run]]) -> list[_Pairs]:
    sides, cuts = [], []
    for k, history in enumerate((first, second)):
        own = [pair[k] for pair in runs]
        with asking_for_arrays(history) as ask:
            sides.append(cases_of(ask, own, together=False))
        cuts.append([cut.time for cut in warm_up_of(own, sides[k]).cuts])
    return [_matched(a, b, max(times)) for a, b, *times in zip(*sides, *cuts)]


def _matched(a: RunCases, b: RunCases, cut: int) -> _Pairs:
    """The cases of both with the same number and random key, without those that started before the cut."""
    _, in_a, in_b = np.intersect1d(a.case, b.case, assume_unique=True, return_indices=True)
    same = a.key[in_a] == b.key[in_b]
    order = np.lexsort((in_a[same], a.started[in_a[same]]))
    one, other = a.at(in_a[same][order]), b.at(in_b[same][order])
    late = (one.started >= cut) & (other.started >= cut)
    closed = late & (one.duration >= 0) & (other.duration >= 0)
    kept = one.at(closed), other.at(closed)
    return _Pairs(
        durations=[np.asarray(each.duration / 1e6, np.float64) for each in kept],
        outcomes=[each.outcome for each in kept],
        only=(len(a.case) - len(one.case), len(b.case) - len(one.case)),
        n_early=int(np.sum(~late)),
        n_open=int(np.sum(late & ~closed)),
    )


def _remarks(pairs: list[_Pairs], n_first: int, n_second: int) -> Iterator[str]:
    only_a, only_b = (sum(each.only[k] for each in pairs) for k in (0, 1))
    early, n_open = sum(each.n_early for each in pairs), sum(each.n_open for each in pairs)
    yield (
        f"Not paired: {only_a:,} cases only in A, {only_b:,} only in B, {early:,} that started in the warm-up, "
        f"{n_open:,} not closed in both."
    )
    counts = n_first - len(pairs), n_second - len(pairs)
    if any(counts):
        yield f"Replications that only one has: {counts[0]:,} of A, {counts[1]:,} of B."
    yield "“shorter by” compares with the interval of as many cases with random numbers of their own."


def _changes(one: Run, other: Run) -> list[str]:
    """What the scenarios, or the definitions, differ in."""
    before, after = (dict(_flat("", json.loads(run.scenario or "{}"))) for run in (one, other))
    changes = [
        f"{key}: {before.get(key, '–')} → {after.get(key, '–')}"
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    ]
    return ["the definition", *changes] if one.model_hash != other.model_hash else changes


def _written(value: Any) -> Any:
    """A value as people write it: durations with all their units."""
    if isinstance(value, Mapping):
        return {name: _written(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_written(each) for each in value]
    if not (isinstance(value, str) and value[:1].isdigit()):
        return value
    try:
        return Duration.of(value).spelled()
    except DefinitionError:
        return value


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every plain value with its path."""
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _flat(f"{path}.{key}" if path else key, each)
    else:
        yield path, json.dumps(_written(value))
