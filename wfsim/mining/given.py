"""Values that were seen, as a scenario draws them: choices with their numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .families import OFF_BY, digits, fit_law

if TYPE_CHECKING:
    from collections import Counter

MOST = 50
"""So many different values at most are told apart: of more, numbers have a law, others their most frequent ones."""
QUANTILES = 50


@dataclass(frozen=True)
class Given:
    """How a value is drawn.

    Attributes
    ----------
    written
        As a scenario says it.
    n, different
        How many values there were, and how many different ones.
    note
        What is not as it was.
    """

    written: Any
    n: int
    different: int
    note: str = ""


def fit_values(seen: Counter[str], *, unique: bool = False) -> Given | None:
    """How values are drawn, from how often each was seen, as JSON; `None` if all are null or none can be written.

    Parameters
    ----------
    unique
        Whether each may get a number of its own: where all texts differ, new ones do.
    """
    values = [(json.loads(text), n) for text, n in sorted(seen.items())]
    values = [(value, n) for value, n in values if value is not None and "${" not in json.dumps(value)]
    if not values:
        return None
    n, different = sum(n for _, n in values), len(values)
    if different == 1:
        return Given(_plain(values[0][0]), n, 1)
    texts = all(isinstance(value, str) for value, _ in values)
    if unique and different == n and different > MOST and texts:
        return Given({"unique": "case"}, n, different, "all differ: new ones do, too")
    if different > MOST and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value, _ in values):
        return _numbers(values, n, different)
    kept = sorted(values, key=lambda pair: -pair[1])[:MOST]
    note = f"the {MOST} most frequent of {different:,} values" if different > MOST else ""
    if texts:
        return Given({"choice": dict(kept)}, n, different, note)
    return Given({"choice": [value for value, _ in kept], "weights": [n for _, n in kept]}, n, different, note)


def _plain(value: Any) -> Any:
    """A value that cannot be taken for one that is drawn."""
    return {"choice": [value]} if isinstance(value, dict) else value


def _numbers(values: list[tuple[Any, int]], n: int, different: int) -> Given:
    """Lognormal where that fits, else quantiles."""
    whole = all(isinstance(value, int) for value, _ in values)
    every = np.repeat(np.array([value for value, _ in values], np.float64), [n for _, n in values])
    if not whole and float(np.min(every)) > 0:
        found = fit_law("lognormal", every)
        if found is not None and found.distance <= OFF_BY:
            told = f"lognormal, D = {found.distance:.3f}"
            return Given({"lognormal": [digits(each) for each in found.parameters]}, n, different, told)
    places = (np.arange(QUANTILES) + 0.5) / QUANTILES
    drawn = np.quantile(every, places, method="nearest" if whole else "linear").tolist()
    written = [int(each) for each in drawn] if whole else [digits(each) for each in drawn]
    return Given({"choice": written}, n, different, f"{QUANTILES} quantiles of {different:,} numbers")
