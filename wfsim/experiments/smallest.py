"""`smallest`: the smallest number that meets a requirement, by bisection over intervals."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wfsim.arguments import expect_whole
from wfsim.errors import OptionError
from wfsim.history.measures import as_html, as_text, estimate_in, expect_level, interval, number
from wfsim.history.progress import Progress
from wfsim.history.simulate import prepared
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.simulation.statistics import Estimate, nothing

from .backends import backend_of
from .points import points_of
from .requirement import Judgement, Requirement, parse_requirement
from .sweep import Study
from .sweep_result import measures_of
from .units import told_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd
    from distributed import Client

    from wfsim.model.workflow import Workflow
    from wfsim.simulation.scenario import Scenario

MORE = 4
"""Where the interval does not tell, up to so many times the replications are taken."""


@dataclass(frozen=True)
class Trial:
    """What came out with one value."""

    value: int
    estimate: Estimate
    replications: int
    judgement: Judgement


@dataclass(frozen=True, repr=False)
class Smallest:
    """The smallest value that meets a requirement, or between which two it lies; shown as a table.

    Attributes
    ----------
    key, requirement
        What was changed, and what had to hold.
    value
        The smallest value for which it holds; `None` if that is not known.
    low, high
        The smallest value lies between these two, both included, if the requirement holds for all values above one for
        which it does. `high` is `None` if no value was found for which it holds, `low` is `None` if for all it fails.
    reason
        The answer in words.
    trials
        What was simulated, by value.
    level
        Of the intervals.
    notes
        What the answer must be read with.
    """

    key: str
    requirement: Requirement
    value: int | None
    low: int | None
    high: int | None
    reason: str
    trials: tuple[Trial, ...]
    level: float
    notes: tuple[str, ...]

    def df(self) -> pd.DataFrame:
        """One row per value tried.

        Returns
        -------
        pandas.DataFrame
            `value`, `estimate`, `low`, `high` (times in seconds), `replications`, `judgement`.
        """
        import pandas as pd

        rows = []
        for each in self.trials:
            one = each.estimate
            rows.append((each.value, one.value, one.low, one.high, each.replications, str(each.judgement)))
        names = ["value", "estimate", "low", "high", "replications", "judgement"]
        return pd.DataFrame(rows, columns=names).astype({"low": float, "high": float})

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        unit = self.requirement.unit
        rows: list[tuple[str, ...]] = [
            (
                str(each.value),
                number(each.estimate.value, unit),
                interval(each.estimate, unit),
                str(each.replications),
                str(each.judgement),
                each.estimate.note,
            )
            for each in self.trials
        ]
        bounds = f"{self.level * 100:.4g} % interval"
        return (self.key, self.requirement.key, bounds, "replications", self.requirement.text, ""), rows

    def __repr__(self) -> str:
        columns, rows = self._table()
        return as_text([("answer", self.reason)], columns, [("", rows)], self.notes)

    def _repr_html_(self) -> str:
        columns, rows = self._table()
        return as_html("Smallest", [("answer", self.reason)], columns, [("", rows)], self.notes)


def smallest(
    workflow: Workflow,
    scenario: Scenario | str | PathLike[str] | None = None,
    *,
    such_that: str,
    pool: str | None = None,
    key: str | None = None,
    between: tuple[int, int] = (1, 64),
    catalogue: Catalogue | str | PathLike[str] | Iterable[Workflow] | None = None,
    replications: int = 20,
    confidence: float = 0.95,
    engine: Literal["auto", "compiled", "python"] = "auto",
    backend: Literal["threads", "loky", "dask"] | None = None,
    workers: int | None = None,
    client: Client | None = None,
    progress: bool | None = None,
) -> Smallest:
    """The smallest number of workers, or value of another key, that meets a requirement.

    Parameters
    ----------
    workflow, scenario, catalogue, engine, backend, workers, client, progress
        As for `sweep`.
    such_that
        The requirement: `p50`, `p90`, `p95`, `p99` or `mean` of `(sojourn)`; `share(success)`, `share(failure)`,
        `share(timed_out)` and so on; `mean_time(<state>)`; `utilisation(<pool>)`, `mean_wait(<pool>)` or
        `mean_queue(<pool>)`; `kept(<SLA>)`, the share in time; then `<`, `<=`, `>` or `>=`, and a duration, number or
        percentage: `p95(sojourn) < 4h`.
    pool
        The pool whose capacity is sought.
    key
        Or another dotted key of the scenario, with whole numbers.
    between
        The least and the most to try.
    replications
        Of each value tried; four times as many where the interval does not tell.
    confidence
        The level of the intervals.

    Returns
    -------
    Smallest
        `.value`, or what is known of it (`.low`, `.high`); shown as a table of what was tried.

    Raises
    ------
    OptionError
        If the requirement cannot be read, or arguments do not go together.
    ScenarioError
        If the key is unknown, or an end of the range does not fit.

    Notes
    -----
    It takes for granted that a requirement which holds for a value holds for larger ones. What was tried is held
    against that, the answer and the value before it among them. A value counts as one for which the requirement holds,
    or fails, only if the whole interval lies on one side of the limit. Each value costs its replications; there are
    about log₂ of the range of them.
    """
    expect_level(confidence)
    expect_whole("replications", replications, 2)
    if (pool is None) == (key is None):
        raise OptionError(f"give pool, or the key of something else; given are pool={pool!r} and key={key!r}.")
    key = key or f"pools.{pool}.capacity"
    first, last = _range(between)
    run_with = backend_of(backend, workers, client)
    program, plan, notes = prepared(workflow, scenario, as_catalogue(catalogue), {"replications": replications})
    known = Catalogue(program.family)
    points_of([{key: first}, {key: last}], plan, workflow, known)
    requirement = parse_requirement(such_that, program, plan)

    with tempfile.TemporaryDirectory(prefix="wfsim-smallest-") as folder:

        def tried(value: int) -> Trial:
            (point,) = points_of([{key: value}], plan, workflow, known)
            study = Study(program, [replace(point, number=value)], engine, requirement.log, "measures", confidence)
            told: list[dict[str, Any]] = []
            while True:
                units = study.units(range(len(told), max(replications, 2 * len(told))))
                with Progress(f"{key} = {value}", len(units), "runs", wanted=progress) as bar:
                    study.run(units, Path(folder), run_with, bar)
                told += [told_of(unit, Path(folder)) for unit in units]
                estimate = _estimate(told, requirement, confidence)
                judgement = requirement.judge(estimate)
                if judgement is not Judgement.OPEN or 2 * len(told) > MORE * replications:
                    return Trial(value, estimate, len(told), judgement)

        bisection = Bisection(tried, first, last)
        bisection.search()
    return answer(key, requirement, bisection, confidence, notes)


def _range(between: object) -> tuple[int, int]:
    if not isinstance(between, tuple | list) or len(between) != 2:
        raise OptionError(f"between={between!r}: give the least and the most to try, as (1, 64).")
    first, last = between
    expect_whole("the least of between", first, 0)
    expect_whole("the most of between", last, first)
    return first, last


def _estimate(told: list[dict[str, Any]], requirement: Requirement, level: float) -> Estimate:
    """The measure in question over the replications; the share of an outcome that no case had is 0 of all."""
    return estimate_in(measures_of(told, level).values(), requirement.key, level) or nothing()


class Bisection:
    """The search for the smallest value that holds, where some values do not tell.

    Parameters
    ----------
    tried
        Tries a value.
    first, last
        The range.

    Attributes
    ----------
    trials
        By value.
    low
        The largest value that fails, and 1: below, none can hold.
    high
        The smallest value that holds; `None` if not even `last` does.
    """

    def __init__(self, tried: Callable[[int], Trial], first: int, last: int) -> None:
        self._tried = tried
        self.first, self.last = first, last
        self.trials: dict[int, Trial] = {}
        self.low = first
        self.high: int | None = None

    def search(self) -> None:
        """Find both."""
        most = self._try(self.last)
        if most is Judgement.FAILS:
            self.low = self.last + 1
            return
        if most is Judgement.HOLDS:
            self.high = self._border(self.first, self.last, Judgement.HOLDS)
        end = self.last + 1 if self.high is None else self.high
        # Below what holds, or all: how far up does it fail for certain?
        self.low = self._border(self.first, end, Judgement.FAILS)

    def _try(self, value: int) -> Judgement:
        if value not in self.trials:
            self.trials[value] = self._tried(value)
        return self.trials[value].judgement

    def _border(self, low: int, high: int, wanted: Judgement) -> int:
        """The first value from `low` on, below `high`, that holds, or that does not fail; else `high`."""
        while low < high:
            middle = (low + high) // 2
            judgement = self._try(middle)
            above = judgement is Judgement.HOLDS if wanted is Judgement.HOLDS else judgement is not Judgement.FAILS
            low, high = (low, middle) if above else (middle + 1, high)
        return low

    def contradictions(self) -> Iterator[tuple[int, int]]:
        """Pairs of values where the smaller one holds and the larger one fails."""
        holds, fails = (
            sorted(value for value, trial in self.trials.items() if trial.judgement is wanted)
            for wanted in (Judgement.HOLDS, Judgement.FAILS)
        )
        yield from ((one, other) for one in holds for other in fails if one < other)


def answer(key: str, requirement: Requirement, found: Bisection, level: float, notes: list[str]) -> Smallest:
    """What a search has found, in words."""
    low: int | None = found.low
    high, value = found.high, None
    what = f"`{requirement.text}`"
    if high is not None and found.low == high:
        value = high
        before = "the least that was to be tried" if value == found.first else f"with {value - 1} it fails"
        reason = f"{key} = {value}: {what} holds; {before}."
    elif high is not None:
        reason = f"cannot tell between {found.low} and {high}: with {high} {what} holds, below {found.low} it fails."
        if found.low == found.first:
            reason = f"cannot tell between {found.low} and {high}: with {high} {what} holds."
    elif found.low > found.last:
        low = None
        reason = f"none from {found.first} to {found.last}: even with {found.last} {what} fails."
    else:
        reason = f"cannot tell whether {what} holds with {found.last}, the most that was to be tried."
    remarks = ["Taken for granted: what holds for a value holds for larger ones."]
    for one, other in found.contradictions():
        value = None
        reason = f"no answer: {what} holds with {one}, and fails with {other}."
        remarks.append("That is not so here. Sweep the range, and look.")
    trials = tuple(found.trials[each] for each in sorted(found.trials))
    return Smallest(key, requirement, value, low, high, reason, trials, level, (*remarks, *notes))
