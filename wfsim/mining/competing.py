"""Several things of which one comes, each after a time of its own, unless something else ends the waiting first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .families import NO_CUT, NO_DIFFERENCE, Cut, fit_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .families import Fitted, Numbers

_ROUNDS = 200
_TRIED = 3
"""Rounds in which every family is tried; after them each keeps its own until the end, where all are tried again."""
_STEADY = 1e-4


@dataclass(frozen=True)
class Competing:
    """What comes, by name: its weight, and its times.

    Attributes
    ----------
    weights
        Sum to 1 together with `never`.
    times
        As `fit_times` finds them.
    never
        The share in which nothing would ever come.
    """

    weights: Mapping[str, float]
    times: Mapping[str, Fitted]
    never: float


def fit_competing(times: Mapping[str, Numbers], cut: Numbers, *, never: bool = False) -> Competing:
    """Weights and distributions of things of which one comes.

    Parameters
    ----------
    times
        By name, after which microseconds it came.
    cut
        How long was waited where something else came first.
    never
        Whether it may also be that nothing would ever have come.

    Notes
    -----
    Without what was cut, weights are shares. What was cut waited for one of the names; for which is not known, so each
    counts in part, by its weight and the probability that it takes longer: expectation and maximisation in turns [1]_.

    References
    ----------
    .. [1] Dempster, Laird, Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm, Journal of the
       Royal Statistical Society B 39(1), 1–38.
    """
    names = list(times)
    counts = np.array([len(times[name]) for name in names], np.float64)
    if not len(cut):
        shares = counts / counts.sum()
        return Competing(dict(zip(names, shares.tolist())), {name: fit_times(times[name]) for name in names}, 0.0)
    ends = Cut.of(cut)
    found = _likeliest(times, ends, never=False)
    if not never:
        return found
    # That something never ends is said only where the data clearly do.
    other = _likeliest(times, ends, never=True)
    return other if _likelihood(other, ends) - _likelihood(found, ends) > NO_DIFFERENCE else found


def _likeliest(times: Mapping[str, Numbers], ends: Cut, *, never: bool) -> Competing:
    """The best of several starts, as each may climb a hill of its own: all cut times belong to one name, or to any."""
    rows = range(len(times) + never)
    starts = [np.ones(len(times) + 1), *(np.where(np.arange(len(times) + 1) == row, 1.0, 0.0) for row in rows)]
    tried = [_maximised(times, ends, start, never=never) for start in starts[: len(starts) if len(rows) > 1 else 1]]
    return max(tried, key=lambda each: _likelihood(each, ends))


def _likelihood(found: Competing, ends: Cut) -> float:
    """The logarithm of the likelihood of all, whole and cut; minus infinity where it has none."""
    longer = found.never + sum(found.weights[name] * one.survival(ends.times) for name, one in found.times.items())
    whole = sum(one.n * math.log(found.weights[name]) + one.likelihood for name, one in found.times.items())
    total = whole + float(np.dot(ends.counts, np.log(np.maximum(longer, 1e-300))))
    return total if math.isfinite(total) else -math.inf


def _maximised(times: Mapping[str, Numbers], ends: Cut, start: Numbers, *, never: bool) -> Competing:
    names = list(times)
    counts = np.array([len(times[name]) for name in names], np.float64)
    # The last row is nothing at all, which outlasts everything.
    weights = np.append(counts, counts.sum() / 10 if never else 0.0)
    weights /= weights.sum()
    longer = np.repeat(start[:, None], len(ends.times), axis=1)
    family: dict[str, str | None] = dict.fromkeys(names)
    for number in range(_ROUNDS):
        parts = weights[:, None] * np.maximum(longer, 1e-12)
        parts *= ends.counts / parts.sum(axis=0)
        before = weights
        weights = (np.append(counts, 0.0) + parts.sum(axis=1)) / (counts.sum() + ends.total)
        shares = {name: _some(ends.times, part) for name, part in zip(names, parts)}
        fits = {name: fit_times(times[name], shares[name], family=family[name]) for name in names}
        longer[:-1] = [fits[name].survival(ends.times) for name in names]
        if number >= _TRIED:
            family = {name: fits[name].family if fits[name].aic else None for name in names}
            if float(np.max(np.abs(weights - before))) < _STEADY:
                break
    return Competing(
        dict(zip(names, weights.tolist())),
        {name: fit_times(times[name], shares[name]) for name in names},
        float(weights[-1]),
    )


def _some(times: Numbers, counts: Numbers) -> Cut:
    """Those that count for anything."""
    kept = counts > 1e-6
    return Cut(times[kept], counts[kept]) if kept.any() else NO_CUT
