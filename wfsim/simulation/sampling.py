"""Sampling from distributions, with the same bits on every machine.

All functions map one uniform number in [0, 1) to one sample: the inverse of the distribution function, so a draw has
one index and streams stay aligned. Logarithms and the like are wfsim's own (`semantics.quantiles`).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from enum import IntEnum
from hashlib import blake2b
from itertools import pairwise
from typing import TypeAlias

from wfsim.semantics.quantiles import log_gamma, power

from . import quick

Sampler: TypeAlias = Callable[[float], float]


def name_key(name: str) -> int:
    """62 bits for a name, to tell draws of one place apart; the first of BLAKE2b's (RFC 7693)."""
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 2


_BELOW_1 = 1.0 - 2.0**-53
LONGEST = 10**17
"""Microseconds, some three thousand years: no duration is longer, so that times stay within 64 bits."""


def whole(duration: float) -> int:
    """A duration that was drawn in whole microseconds."""
    return int(duration) if duration < LONGEST else LONGEST


class Family(IntEnum):
    """Families of distributions; the numbers are those that compiled code reads."""

    CONSTANT = 0
    EXPONENTIAL = 1
    UNIFORM = 2
    TRIANGULAR = 3
    NORMAL = 4
    LOGNORMAL = 5
    WEIBULL = 6
    EMPIRICAL = 7
    GAMMA = 8
    MIXTURE = 9


class Law:
    """A distribution: its family, its parameters, and how it is sampled.

    Attributes
    ----------
    sample
        Makes a sample of a uniform number in [0, 1).
    a, b, c
        Parameters of the family, in the order of the functions below.
    values, edges
        Of an empirical one: values, and the running sums of their weights.
    parts
        Of a mixture: its laws, whose running sums of weights are the edges.
    """

    __slots__ = ("a", "b", "c", "edges", "family", "parts", "sample", "values")

    def __init__(
        self,
        family: Family,
        sample: Sampler,
        parameters: Sequence[float],
        values: Sequence[float] = (),
        edges: Sequence[float] = (),
        parts: Sequence[Law] = (),
    ) -> None:
        self.family = family
        self.a, self.b, self.c = [*parameters, 0.0, 0.0, 0.0][:3]
        self.values = values
        self.edges = edges
        self.parts = parts
        self.sample = sample

    @property
    def largest(self) -> float:
        """The largest sample there may be."""
        if self.family is Family.MIXTURE:
            return max(part.largest for part in self.parts)
        if self.family is Family.EMPIRICAL:
            rises = (edge > before for before, edge in pairwise([0.0, *self.edges]))
            return max(value for value, may_be in zip(self.values, rises) if may_be)
        return self.sample(_BELOW_1)


def constant(value: float) -> Law:
    """Always the same."""
    return Law(Family.CONSTANT, lambda u: value, [value])


def exponential(mean: float) -> Law:
    """Memoryless, with this mean."""
    return Law(Family.EXPONENTIAL, lambda u: -mean * quick.log(1.0 - u), [mean])


def uniform(low: float, high: float) -> Law:
    """Any value in [low, high) alike."""
    return Law(Family.UNIFORM, lambda u: low + (high - low) * u, [low, high])


def triangular(low: float, mode: float, high: float) -> Law:
    """Triangle over [low, high] with its peak at `mode`."""
    width = high - low
    peak = (mode - low) / width if width > 0.0 else 0.0

    def sample(u: float) -> float:
        if u < peak:
            return low + math.sqrt(u * width * (mode - low))
        return high - math.sqrt((1.0 - u) * width * (high - mode))

    return Law(Family.TRIANGULAR, sample, [low, mode, high])


def normal(mean: float, deviation: float) -> Law:
    """Normal, cut off at 0: durations are never negative."""
    return Law(Family.NORMAL, lambda u: max(0.0, mean + deviation * quick.normal_quantile(u)), [mean, deviation])


def lognormal(median: float, sigma: float) -> Law:
    """Lognormal with this median; `sigma` is the deviation of the logarithm."""
    return Law(Family.LOGNORMAL, lambda u: median * quick.exp(sigma * quick.normal_quantile(u)), [median, sigma])


def weibull(scale: float, shape: float) -> Law:
    """Weibull: wearing out for shape > 1, early failures for shape < 1."""
    flatness = 1.0 / shape
    return Law(
        Family.WEIBULL, lambda u: 0.0 if u == 0.0 else scale * power(-quick.log(1.0 - u), flatness), [scale, shape]
    )


def empirical(values: Sequence[float], weights: Sequence[float] | None = None) -> Law:
    """One of the values seen, by weight."""
    edges = cumulative(weights if weights is not None else [1.0] * len(values))
    return Law(Family.EMPIRICAL, lambda u: values[pick(edges, u)], [], values, edges)


def gamma(shape: float, mean: float) -> Law:
    """Gamma with this mean; of a whole shape the sum of so many exponential times, which is Erlang's."""
    scale, log_factorial = mean / shape, log_gamma(shape + 1.0)
    parameters = [scale, shape, log_factorial]
    return Law(Family.GAMMA, lambda u: scale * quick.gamma_quantile(shape, log_factorial, u), parameters)


def mixture(parts: Sequence[Law], weights: Sequence[float]) -> Law:
    """One of several laws, by weight; what is left of the number that selects it, spread over [0, 1), is its own."""
    edges, kept = [0.0], list[Law]()
    for part, weight in zip(parts, weights):
        # What can never be selected would leave nothing to divide by.
        if edges[-1] + weight > edges[-1]:
            edges.append(edges[-1] + weight)
            kept.append(part)

    def sample(u: float) -> float:
        wanted = u * edges[-1]
        which = min(bisect_right(edges, wanted), len(kept)) - 1
        return kept[which].sample(min((wanted - edges[which]) / (edges[which + 1] - edges[which]), _BELOW_1))

    return Law(Family.MIXTURE, sample, [], edges=edges, parts=kept)


def cumulative(weights: Sequence[float]) -> list[float]:
    """Running sums of weights, for `pick`."""
    edges = []
    total = 0.0
    for weight in weights:
        total += weight
        edges.append(total)
    return edges


def pick(edges: Sequence[float], u: float) -> int:
    """The index that a uniform number selects among weights with these running sums."""
    return min(bisect_right(edges, u * edges[-1]), len(edges) - 1)
