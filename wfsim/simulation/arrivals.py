"""Arrivals as a scenario writes them: when instances come, each way checked before anything is drawn from it."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from fractions import Fraction
from itertools import accumulate
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, Tag, model_validator

from wfsim.model.duration import UNITS, Duration

from . import sampling
from .distributions import Delay, Distribution, Part, Weight, Whole, need_weights

_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(us|ms|s|m|h|d|w)\s*")
_BY_CHANCE = {"poisson", "every", "renewal", "rates"}
"""Ways in which instances come one after another without end, or with what may come in batches."""


def _rate(value: object) -> object:
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a rate. Write a number per unit of time: 120/h, 0.5/s.")
    return f"{match[1]}/{match[2]}"


def _positive_rate(value: object) -> object:
    rate = _rate(value)
    if _per_microsecond(str(rate)) == 0.0:
        raise ValueError(f"{value!r} is not a rate at which anything comes. Write a positive number: 120/h, 0.5/s.")
    return rate


PositiveRate = Annotated[str, BeforeValidator(_positive_rate)]
"""A number of times per unit of time at which something comes: `120/h`."""


def tokens(rate: str) -> tuple[int, int]:
    """A rate as whole numbers: so many in so many microseconds."""
    number, unit = rate.split("/")
    exact = Fraction(number) / UNITS[unit]
    return exact.numerator, exact.denominator


def _per_microsecond(rate: str) -> float:
    number, unit = rate.split("/")
    return float(number) / UNITS[unit]


class RatePiece(Part):
    """A rate that holds until a time; without `until` to the end of the period, or for ever."""

    rate: Annotated[str, BeforeValidator(_rate)]
    until: Duration | None = None


class Sizes(Part):
    """How many come together: one of several numbers, by weight."""

    choice: tuple[Annotated[Whole, Field(ge=1, le=10_000)], ...] = Field(min_length=1)
    weights: tuple[Weight, ...] | None = None

    @model_validator(mode="after")
    def _a_weight_each(self) -> Self:
        if self.weights is not None:
            need_weights(self.choice, self.weights, "sizes")
        return self


def _sizes(value: object) -> object:
    return value if isinstance(value, (Sizes, Mapping)) else {"choice": [value]}


def _plain_sizes(sizes: Sizes) -> Any:
    return sizes.model_dump(exclude_unset=True)


class Batch(Part):
    """Instances that come together: a number, or one of several."""

    size: Annotated[Sizes, BeforeValidator(_sizes), PlainSerializer(_plain_sizes)]


class Closed(Part):
    """A population of so many, each of whom starts an instance, thinks once it has closed, and starts the next."""

    population: Annotated[Whole, Field(ge=1, le=100_000)]
    think: Delay = Distribution(constant=Duration(0))


class TraceQuery(Part):
    """A question in SQL to a history, whose answer has a column `time` and, if wanted, one column per input."""

    history: Annotated[str, Field(min_length=1)]
    query: Annotated[str, Field(min_length=1)]


def _asks(value: object) -> str:
    return "asked" if isinstance(value, (TraceQuery, Mapping)) else "read"


Trace = Annotated[
    Annotated[str, Tag("read")] | Annotated[TraceQuery, Tag("asked")],
    Discriminator(_asks),
]
"""Arrivals as a file says them, by its path, or the answer to a question."""


class Pace(NamedTuple):
    """When so many are expected to have come, at rates that change.

    Attributes
    ----------
    begins, sums, rates
        Of each piece of time in which any come: when it begins, how many are expected to have come by then, and its
        rate, in microseconds.
    total, period
        How many are expected until the end, or in each period; 0 where nothing is repeated.
    """

    begins: list[float]
    sums: list[float]
    rates: list[float]
    total: float
    period: float

    def time_of(self, expected: float) -> float:
        """When so many are expected to have come, in microseconds; infinite if that is never so."""
        past = 0.0
        if self.period > 0.0:
            n_periods = math.floor(expected / self.total)
            past = n_periods * self.period
            expected = max(0.0, expected - n_periods * self.total)
        elif expected >= self.total:
            return math.inf
        which = bisect_right(self.sums, expected) - 1
        return past + (self.begins[which] + (expected - self.sums[which]) / self.rates[which])


class Arrivals(Part):
    """When instances start.

    `poisson` at a rate, `every` so often, `renewal` with times between them of any family, `rates` that change (and
    `repeat` after a time), each of them in a `batch` if wanted; `at` given times, from a `trace`, by `schedules`, or
    from a `closed` population.

    A trace is a file with a column `time` (seconds) and, if wanted, one column per input, or a `query` to a `history`
    that gives the same. Schedules are those of the workflow, by name; the scenario's `begins` says which moment is
    time 0.
    """

    poisson: PositiveRate | None = None
    every: Duration | None = None
    renewal: Delay | None = None
    rates: Annotated[tuple[RatePiece, ...], Field(min_length=1)] | None = None
    at: tuple[Duration, ...] | None = None
    trace: Trace | None = None
    schedules: tuple[str, ...] | None = None
    closed: Closed | None = None
    repeat: Duration | None = None
    batch: Batch | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        ways = [name for name in type(self).model_fields if name not in ("repeat", "batch")]
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"arrivals are one of {', '.join(ways)}; found {', '.join(given) or 'none'}.")
        if self.every is not None and self.every == 0:
            raise ValueError("every: 0s would start everything at once. Give a positive duration, or use at.")
        if self.renewal is not None and self.renewal.sampler().largest <= 0.0:
            raise ValueError("renewal: times between arrivals that are all 0 would start everything at once.")
        if self.batch is not None and given[0] not in _BY_CHANCE:
            raise ValueError(f"batch goes with {', '.join(sorted(_BY_CHANCE))}, not with {given[0]}.")
        if self.repeat is not None and self.rates is None:
            raise ValueError(f"repeat goes with rates, not with {given[0]}.")
        return self

    @model_validator(mode="after")
    def _rates_rise(self) -> Self:
        pieces, before = self.rates or (), 0
        for number, piece in enumerate(pieces, 1):
            if piece.until is None and number < len(pieces):
                raise ValueError(f"rate {number} of {len(pieces)} ({piece.rate}) has no end. Say until when it holds.")
            if piece.until is not None and piece.until <= before:
                raise ValueError(
                    f"the rate {piece.rate} holds until {piece.until.spelled()}, "
                    f"which is not after {Duration(before).spelled()}."
                )
            before = int(piece.until) if piece.until is not None else before
        if self.repeat is not None and self.repeat < before + (bool(pieces) and pieces[-1].until is None):
            raise ValueError(
                f"rates until {Duration(before).spelled()} and later cannot repeat after {self.repeat.spelled()}. "
                "Repeat later."
            )
        if pieces and not self._positive_pieces():
            raise ValueError("all rates are 0, so nothing would ever come. Give one that is positive.")
        return self

    def _positive_pieces(self) -> list[tuple[float, float, float]]:
        """Begin, end and rate of the pieces in which any come."""
        last = float(self.repeat) if self.repeat is not None else math.inf
        found, begin = [], 0.0
        for piece in self.rates or ():
            end, rate = last if piece.until is None else float(piece.until), _per_microsecond(piece.rate)
            if rate > 0.0:
                found.append((begin, end, rate))
            begin = end
        return found

    def interval(self) -> sampling.Law | None:
        """Law of the time between arrivals in microseconds, where they follow a process.

        Where rates change it is the number of arrivals that are expected between two, and `pace` says when that is.
        """
        if self.poisson is not None:
            number, unit = self.poisson.split("/")
            return sampling.exponential(UNITS[unit] / float(number))
        if self.rates is not None:
            return sampling.exponential(1.0)
        if self.renewal is not None:
            return self.renewal.sampler()
        return None if self.every is None else sampling.constant(float(self.every))

    def pace(self) -> Pace | None:
        """When so many are expected to have come, where rates change."""
        if self.rates is None:
            return None
        pieces = self._positive_pieces()
        sums = list(accumulate(((end - begin) * rate for begin, end, rate in pieces), initial=0.0))
        begins, rates = [begin for begin, _, _ in pieces], [rate for _, _, rate in pieces]
        return Pace(begins, sums[:-1], rates, sums[-1], float(self.repeat or 0))

    def sizes(self) -> sampling.Law | None:
        """Law of how many come together, where more than one may."""
        if self.batch is None:
            return None
        return sampling.empirical([float(size) for size in self.batch.size.choice], self.batch.size.weights)
