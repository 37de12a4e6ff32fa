"""Samples of the surroundings, as `wfsim.simulation.sampling` and `ValuePlan` make them."""

from __future__ import annotations

import math
from typing import Any

from wfsim.semantics.codes import INTEGER, NUMBER
from wfsim.semantics.later import njit
from wfsim.simulation.sampling import LONGEST, Family

_njit = njit(nogil=True, error_model="numpy")

draw: Any = None
log: Any = None
exp: Any = None
power: Any = None
normal_quantile: Any = None
gamma_quantile: Any = None
"""Compiled functions of the kernel, which `roots` puts here where the calendar has to be compiled."""

CONSTANT, CHOICE, WHOLE, REAL, UNIQUE_WHOLE, UNIQUE = range(6)
"""Sorts of values: a cell; one of several; a whole number in a range; a number of a law; the number of the arrival
added to a whole one; and a text or list made for the arrival."""

UNIQUES = 1_024
"""For so many arrivals texts and lists of their own are made at once."""

_CONSTANT, _EXPONENTIAL, _UNIFORM = int(Family.CONSTANT), int(Family.EXPONENTIAL), int(Family.UNIFORM)
_TRIANGULAR, _NORMAL, _LOGNORMAL = int(Family.TRIANGULAR), int(Family.NORMAL), int(Family.LOGNORMAL)
_WEIBULL, _GAMMA, _MIXTURE = int(Family.WEIBULL), int(Family.GAMMA), int(Family.MIXTURE)
_BELOW_1 = 1.0 - 2.0**-53
_LONGEST = float(LONGEST)


@_njit
def whole(duration: float) -> Any:
    """A duration that was drawn in whole microseconds."""
    return int(min(duration, _LONGEST))


@_njit
def pick(numbers: Any, first: int, n: int, u: float) -> Any:
    """Which of the running sums a uniform number selects."""
    wanted = u * numbers[first + n - 1]
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        if wanted < numbers[first + middle]:
            high = middle
        else:
            low = middle + 1
    return min(low, n - 1)


@_njit
def part_of(k: Any, which: int, u: float) -> Any:
    """Which law of a mixture a uniform number selects, and what is left of the number for it."""
    while k.laws[which].family == _MIXTURE:
        law = k.laws[which]
        parts, edges = law.first, law.first + law.n
        wanted = u * k.numbers[edges + law.n]
        part = pick(k.numbers, edges + 1, law.n, u)
        low, high = k.numbers[edges + part], k.numbers[edges + part + 1]
        u = min((wanted - low) / (high - low), _BELOW_1)
        which = int(k.numbers[parts + part])
    return which, u


@_njit
def sample(k: Any, which: int, u: float) -> Any:
    """A sample of a law."""
    if k.laws[which].family == _MIXTURE:
        which, u = part_of(k, which, u)
    law = k.laws[which]
    family, a, b, c = law.family, law.a, law.b, law.c
    if family == _CONSTANT:
        return a
    if family == _EXPONENTIAL:
        return -a * log(1.0 - u)
    if family == _UNIFORM:
        return a + (b - a) * u
    if family == _TRIANGULAR:
        width = c - a
        peak = (b - a) / width if width > 0.0 else 0.0
        if u < peak:
            return a + math.sqrt(u * width * (b - a))
        return c - math.sqrt((1.0 - u) * width * (c - b))
    if family == _NORMAL:
        return max(0.0, a + b * normal_quantile(u))
    if family == _LOGNORMAL:
        return a * exp(b * normal_quantile(u))
    if family == _WEIBULL:
        return 0.0 if u == 0.0 else a * power(-log(1.0 - u), 1.0 / b)
    if family == _GAMMA:
        return a * gamma_quantile(b, c, u)
    n = law.n
    return k.numbers[law.first + pick(k.numbers, law.first + n, n, u)]


@_njit
def unique_of(r: Any, column: int, number: int) -> Any:
    """The handle of what was made for an arrival."""
    return r.uniques[column * UNIQUES + (number - 1) % UNIQUES]


@_njit
def fill_value(k: Any, r: Any, which: int, cells: int, place: Any, number: int) -> None:
    """Put a value into its cell behind `cells`; `number` is that of the arrival.

    `place` is where a draw is made: key, stream, index, attempt.
    """
    value = k.values[which]
    cell = r.v[cells + value.place]
    kind = value.kind
    if kind == CONSTANT:
        source = k.cells[value.first]
        cell.tag, cell.whole, cell.real = source.tag, source.whole, source.real
    elif kind == UNIQUE_WHOLE:
        cell.tag, cell.whole, cell.real = value.tag, value.low + number, 0.0
    elif kind == UNIQUE:
        cell.tag, cell.whole, cell.real = value.tag, unique_of(r, value.first, number), 0.0
    else:
        key, stream, index, attempt = place
        u = draw(key ^ value.name_key, stream, index, attempt)
        if kind == CHOICE:
            source = k.cells[value.first + pick(k.numbers, value.law, value.n, u)]
            cell.tag, cell.whole, cell.real = source.tag, source.whole, source.real
        elif kind == WHOLE:
            whole = value.low + int(u * float(value.high - value.low + 1))
            if value.tag == NUMBER:
                cell.tag, cell.whole, cell.real = NUMBER, 0, float(whole)
            else:
                cell.tag, cell.whole, cell.real = INTEGER, whole, 0.0
        else:
            cell.tag, cell.whole, cell.real = NUMBER, 0, sample(k, value.law, u)
