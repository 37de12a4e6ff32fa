"""What two histories differ in, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from wfsim.errors import did_you_mean
from wfsim.history.measures import as_html, as_text, interval, number
from wfsim.simulation.statistics import Paired

if TYPE_CHECKING:
    import pandas as pd


class Shown(NamedTuple):
    """How a difference is shown: in which group, as what, and in which unit (`s`, `share` or none)."""

    group: str
    label: str
    unit: str


@dataclass(frozen=True)
class Comparison(Mapping[str, Paired]):
    """What two histories differ in: a mapping from `sojourn.mean`, `outcomes.…` to differences, B minus A.

    Attributes
    ----------
    head
        What was compared, and how many pairs there are.
    level
        Of all intervals.
    pairs
        The number of pairs of cases; `None` if nothing is paired, as a real case has no partner in a simulation.
    shown
        By name in which group of the table, as what and in which unit a difference is shown.
    differences
        By name; times in seconds.
    remarks
        What was not paired, and what the numbers must be read with.
    query
        The SQL of what is compared, for whoever wants to ask further: `A.cases` is asked of the first history,
        `B.cases` of the second.
    """

    head: tuple[tuple[str, str], ...]
    level: float
    pairs: int | None
    shown: Mapping[str, Shown]
    differences: Mapping[str, Paired]
    remarks: tuple[str, ...]
    query: Mapping[str, str]

    def __getitem__(self, key: str) -> Paired:
        if key not in self.differences:
            raise KeyError(f"{key!r}.{did_you_mean(key, self)} There are: {', '.join(self)}.")
        return self.differences[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.differences)

    def __len__(self) -> int:
        return len(self.differences)

    def df(self) -> pd.DataFrame:
        """One row per difference.

        Returns
        -------
        pandas.DataFrame
            `key`, `first`, `second` (over the pairs, if there are any), `difference`, `low`, `high`, `n`, `method`,
            `correlation`, `shorter` (by which part than unpaired), `note`; times in seconds.
        """
        import pandas as pd

        names = "key first second difference low high n method correlation shorter note".split()
        rows = []
        for key, one in self.differences.items():
            d = one.difference
            found = (key, one.first, one.second, d.value, d.low, d.high, d.n, str(d.method))
            rows.append((*found, one.correlation, one.shorter, d.note))
        return pd.DataFrame(rows, columns=names).astype({"low": float, "high": float})

    def __repr__(self) -> str:
        return as_text(self.head, self._columns(), self._groups(), self.remarks)

    def _repr_html_(self) -> str:
        return as_html("Comparison", self.head, self._columns(), self._groups(), self.remarks)

    def _columns(self) -> tuple[str, ...]:
        pairs = () if self.pairs is None else ("correlation", "shorter by")
        return "", "A", "B", "B − A", f"{self.level * 100:.4g} % interval", *pairs, ""

    def _groups(self) -> list[tuple[str, list[tuple[str, ...]]]]:
        found: dict[str, list[tuple[str, ...]]] = {}
        for key, one in self.differences.items():
            title, label, unit = self.shown[key]
            values = (number(each, unit) for each in (one.first, one.second, one.difference.value))
            told = () if self.pairs is None else (number(one.correlation, ""), number(one.shorter, "share"))
            row = (label, *values, interval(one.difference, unit), *told, one.difference.note)
            found.setdefault(title, []).append(row)
        return list(found.items())
