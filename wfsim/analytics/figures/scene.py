"""What figures share: which cases they are about, and where their times lie on a clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from wfsim.errors import DefinitionError, HistoryError, NothingToDraw, did_you_mean, listed
from wfsim.history.history import History
from wfsim.model.duration import Duration

from ..look import step_of
from ..scope import Scope, scope_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wfsim.model.workflow import Workflow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK = "time (UTC)"
"""Title of an axis with moments."""
MOST_BUCKETS = 5_000


@dataclass(frozen=True)
class Scene:
    """A history and what of it is drawn.

    Attributes
    ----------
    told
        Behind a title: whose cases, and which run of several.
    begins
        Time 0 in microseconds since 1970, where one run is drawn.
    """

    history: History
    scope: Scope
    told: str
    begins: int = 0

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        return self.history.sql(query).fetchall()

    def moments(self, times: Iterable[int | None]) -> list[str | None]:
        """Times of the run as an axis of moments takes them."""
        return [
            None
            if time is None
            else (_EPOCH + timedelta(microseconds=self.begins + time)).isoformat()[:26].split("+")[0]
            for time in times
        ]

    def span(self) -> tuple[int, int]:
        """From when to when there are cases, in microseconds."""
        rows = self.rows(
            f"SELECT greatest(min(started), range_since()), max(last_time) FROM cases WHERE {self.scope.where}"
        )
        first, last = rows[0]
        if first is None:
            raise nothing(self, "no cases")
        return int(first), max(int(last), int(first) + 1)

    def bucket(self, width: str | float | None, most: int) -> int:
        """The width asked for, or the shortest of those that people count in with at most so many in the span.

        Raises
        ------
        HistoryError
            If it is none, or so short that there would be too many.
        """
        first, last = self.span()
        if width is None:
            return step_of(last - first, most)
        try:
            asked = int(Duration.of(width))
        except DefinitionError as error:
            raise HistoryError(f"bucket={width!r}: {error}") from None
        if not 0 < (last - first) / max(asked, 1) <= MOST_BUCKETS:
            raise HistoryError(
                f"bucket={width!r}: the time from the first start to the last record holds more than {MOST_BUCKETS:,} "
                f"of them. Give at least {Duration(step_of(last - first, MOST_BUCKETS))}."
            )
        return asked


def scene_of(
    history: object,
    name: str,
    *,
    run: int | None = None,
    workflow: Workflow | str | None = None,
    steps: bool = True,
    one_run: bool = False,
) -> Scene:
    """What a figure is about.

    Parameters
    ----------
    name
        Of the figure, for errors.
    steps
        Whether it needs a log level that keeps transitions.
    one_run
        Whether it shows moments: runs of which each begins at its own time 0 cannot share an axis. Then it is the
        first.

    Raises
    ------
    HistoryError
        If it is no history, or there is no such run or workflow in it.
    """
    if not isinstance(history, History):
        raise HistoryError(
            f"{name} takes a history, not {history!r}. "
            "wf.simulate(workflow) makes one, wf.open_history(path) opens one."
        )
    every = len(history.runs)
    if one_run and run is None and every > 1:
        run = history.runs[0].run
    scope = scope_of(history, run=run, workflow=workflow, steps=steps)
    told = f" of {scope.name}"
    if every > 1:
        told += f", run {run} of {every}" if run is not None else f", {every} runs together"
    found = Scene(history, scope, told)
    if not one_run:
        return found
    (begins,) = found.rows(f"SELECT begins FROM run_begins WHERE run = {scope.runs[0]}")[0]
    return replace(found, begins=int(begins))


def nothing(scene: Scene, what: str) -> NothingToDraw:
    """There is nothing to draw."""
    return NothingToDraw(
        f"{scene.history.path}: there is nothing to draw{scene.told}: {what}. "
        "Ask for another workflow, run or part of its time."
    )


def one_of(name: str, value: object, known: Sequence[str]) -> str:
    """An argument that is one of some words.

    Raises
    ------
    HistoryError
        If it is none of them.
    """
    if value not in known:
        raise HistoryError(f"{name}={value!r} is none of {listed(known)}.{did_you_mean(str(value), known)}")
    return str(value)
