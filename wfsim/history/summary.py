"""`history.summary()`: what a history comes to, each number with its interval. docs/statistics.md says how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import did_you_mean
from wfsim.simulation.statistics import Estimate

from .measures import Measure, as_html, as_text, columns_of, estimate_in, groups_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Summary(Mapping[str, Estimate]):
    """What a history comes to: a mapping from names such as `sojourn.mean` to estimates, shown as tables.

    Attributes
    ----------
    head
        Of which workflow, from which source, how many runs and records.
    level
        Of all intervals: 0.95 means that about 19 of 20 hold the truth.
    counts
        Root cases: `started`, `closed`, `open`, by outcome (`completed/success`) and by final state (`in delivered`).
    measures
        All numbers with their intervals, in the order in which they are shown.
    remarks
        What was left out as warm-up, where intervals come from, and what the numbers must be read with.
    query
        The SQL of each group, for whoever wants to ask further.
    """

    head: tuple[tuple[str, str], ...]
    level: float
    counts: Mapping[str, int]
    measures: tuple[Measure, ...]
    remarks: tuple[str, ...]
    query: Mapping[str, str]

    def __getitem__(self, key: str) -> Estimate:
        found = estimate_in(self.measures, key, self.level)
        if found is not None:
            return found
        raise KeyError(f"{key!r}.{did_you_mean(key, self)} There are: {', '.join(self)}.")

    def __iter__(self) -> Iterator[str]:
        return (measure.key for measure in self.measures)

    def __len__(self) -> int:
        return len(self.measures)

    def df(self) -> pd.DataFrame:
        """One row per measure.

        Returns
        -------
        pandas.DataFrame
            `key`, `group`, `value`, `low`, `high` (null without an interval), `unit` (times in seconds), `n`, `method`
            of the interval, `note`.
        """
        import pandas as pd

        names = ["key", "group", "value", "low", "high", "unit", "n", "method", "note"]
        rows = [
            (one.key, one.group, e.value, e.low, e.high, one.unit, e.n, str(e.method), e.note)
            for one in self.measures
            for e in [one.estimate]
        ]
        return pd.DataFrame(rows, columns=names).astype({"low": float, "high": float})

    def __repr__(self) -> str:
        return as_text(self._head(), columns_of(self.level), groups_of(self.measures), self.remarks)

    def _repr_html_(self) -> str:
        return as_html("History", self._head(), columns_of(self.level), groups_of(self.measures), self.remarks)

    def _head(self) -> list[tuple[str, str]]:
        return [*self.head, ("cases", ", ".join(f"{n:,} {what}" for what, n in self.counts.items()))]
