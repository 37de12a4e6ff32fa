"""A battery of statistical tests of the generator behind every draw: `python -m tests.randomness`.

The ten tests are those of SmallCrush (L'Ecuyer and Simard 2007, "TestU01: a C library for empirical testing of random
number generators", ACM TOMS 33(4)), with parameters of our own: Marsaglia's birthday spacings (Marsaglia and Tsang
2002), and collisions, gaps, poker, coupon collector and maximum-of-t of Knuth (The Art of Computer Programming 2,
3.3.2), weights, ranks of binary matrices, independence of Hamming weights, and a random walk. They look at the draws in
the orders in which a simulation uses them: one case after the other at one place, one place after the other of one
case, attempts of one activity, and streams; once by their high bits and once by their low ones.

The draws are a function of their places, so each p-value is always the same. One below 1e-6, or above 1 - 1e-6, fails:
of the 80 of a whole run a perfect generator has such a one in 16 of 100,000 runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from wfsim.semantics import roots
from wfsim.semantics.draws import DURATION, EVENT_DELAY, PAYLOAD

Numbers = NDArray[np.float64]
LEAST = 1e-6
SEED = 20_261_129


def orders(n: int) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """The 53 bits of n draws, in each of the orders."""
    bits, mix = roots.draw_bits.ready((1, 1, 1, 1)), roots.mix_key.ready((1, 1, 1))
    keys = [mix(SEED, 0, case) for case in range(1, n + 1)]
    one = mix(SEED, 1, 1)
    yield "case after case", np.array([bits(key, DURATION, 1, 1) for key in keys])
    yield "place after place", np.array([bits(one, EVENT_DELAY, place, 0) for place in range(n)])
    yield "attempt after attempt", np.array([bits(one, DURATION, 7, attempt) for attempt in range(n)])
    yield "streams and fields", np.array([bits(one ^ (k & 1023), PAYLOAD + (k & 3), k >> 10, 0) for k in range(n)])


def uniforms(bits: NDArray[np.int64], low: bool) -> Numbers:
    """Numbers in [0, 1) from the high bits, or from the 26 low ones."""
    return (bits & (2**26 - 1)) / 2.0**26 if low else bits / 2.0**53


# --- the tests: each takes uniform numbers and gives a p-value -----------------------------------------------


def birthday_spacings(u: Numbers) -> float:
    """Equal spacings between sorted birthdays are Poisson."""
    days, birthdays = 2**24, 2**9
    years = len(u) // birthdays
    dates = np.sort((u[: years * birthdays].reshape(years, birthdays) * days).astype(np.int64), axis=1)
    spacings = np.sort(np.diff(dates, axis=1), axis=1)
    equal = int((np.diff(spacings, axis=1) == 0).sum())
    return float(stats.poisson.sf(equal - 1, years * birthdays**3 / (4.0 * days)))


def collisions(u: Numbers) -> float:
    """Balls that fall into an urn that has one already; nearly Poisson where urns are many."""
    urns, balls = 2**26, 2**16
    rounds = len(u) // balls
    falls = (u[: rounds * balls].reshape(rounds, balls) * urns).astype(np.int64)
    found = sum(balls - len(np.unique(row)) for row in falls)
    return float(stats.poisson.sf(found - 1, rounds * (balls - urns * -np.expm1(balls * np.log1p(-1.0 / urns)))))


def gaps(u: Numbers) -> float:
    """How long until the next number below 1/16 is geometric."""
    hits = np.flatnonzero(u < 1.0 / 16.0)
    lengths = np.minimum(np.diff(hits) - 1, 80)
    shares = [(15.0 / 16.0) ** k / 16.0 for k in range(80)]
    return _fit(np.bincount(lengths, minlength=81), [*shares, 1.0 - sum(shares)])


def poker(u: Numbers) -> float:
    """How many different of eight digits to the base 16."""
    hands = (u[: len(u) // 8 * 8].reshape(-1, 8) * 16).astype(np.int64)
    different = 1 + (np.diff(np.sort(hands, axis=1), axis=1) != 0).sum(axis=1)
    shares = [_stirling(8, k) * float(np.prod([16.0 - j for j in range(k)])) / 16.0**8 for k in range(1, 9)]
    return _fit(np.bincount(different, minlength=9)[1:], shares)


def coupons(u: Numbers) -> float:
    """How many draws until each of five coupons has come."""
    n, lengths, seen, begun = 5, [], set(), 0
    for at, coupon in enumerate((u * n).astype(np.int64).tolist()):
        seen.add(coupon)
        if len(seen) == n:
            lengths.append(at - begun + 1)
            seen, begun = set(), at + 1
    longest = 30
    shares = [_stirling(k - 1, n - 1) * 120.0 / float(n) ** k for k in range(n, longest)]
    counts = np.bincount(np.minimum(lengths, longest), minlength=longest + 1)[n:]
    return _fit(counts, [*shares, 1.0 - sum(shares)])


def largest(u: Numbers) -> float:
    """The t-th power of the largest of t is uniform."""
    t = 6
    return float(stats.kstest(u[: len(u) // t * t].reshape(-1, t).max(axis=1) ** t, "uniform").pvalue)


def weights(u: Numbers) -> float:
    """How many of 64 numbers are below 1/4 is binomial."""
    n = 64
    below = (u[: len(u) // n * n].reshape(-1, n) < 0.25).sum(axis=1)
    return _fit(np.bincount(below, minlength=n + 1), stats.binom.pmf(np.arange(n + 1), n, 0.25).tolist())


def ranks(u: Numbers) -> float:
    """Ranks of 24 x 24 matrices of bits."""
    n = 24
    rows = (u[: len(u) // n * n].reshape(-1, n) * 2.0**n).astype(np.int64)
    found = np.array([_rank(row.tolist()) for row in rows[:4_000]])
    full = float(np.prod([1.0 - 2.0**-k for k in range(1, n + 1)]))
    one_less = 2.0 * full * (1.0 - 2.0**-n)
    counts = np.array([(found == n).sum(), (found == n - 1).sum(), (found < n - 1).sum()])
    return _fit(counts, [full, one_less, 1.0 - full - one_less])


def hamming(u: Numbers) -> float:
    """How many bits of two numbers that follow each other are set is independent."""
    bits = (u[: len(u) // 2 * 2] * 2.0**20).astype(np.int64)
    counts = np.array([bin(k).count("1") for k in range(2**10)])
    set_bits = counts[bits >> 10] + counts[bits & 1023]
    few = np.digitize(set_bits, [8, 10, 11, 13])
    table = np.zeros((5, 5))
    np.add.at(table, (few[0::2], few[1::2]), 1)
    return float(stats.chi2_contingency(table).pvalue)


def walks(u: Numbers) -> float:
    """Where walks of 90 steps end is binomial."""
    n = 90
    ups = (u[: len(u) // n * n].reshape(-1, n) >= 0.5).sum(axis=1)
    return _fit(np.bincount(ups, minlength=n + 1), stats.binom.pmf(np.arange(n + 1), n, 0.5).tolist())


TESTS: tuple[Callable[[Numbers], float], ...] = (
    birthday_spacings,
    collisions,
    gaps,
    poker,
    coupons,
    largest,
    weights,
    ranks,
    hamming,
    walks,
)


def _fit(counts: NDArray[Any], shares: list[float]) -> float:
    """Chi-squared, neighbouring cells taken together until each expects at least ten."""
    total = counts.sum()
    found, expected = [0.0], [0.0]
    for count, share in zip(counts.tolist(), shares):
        if expected[-1] >= 10.0:
            found.append(0.0)
            expected.append(0.0)
        found[-1] += count
        expected[-1] += share * total
    if expected[-1] < 10.0 and len(expected) > 1:
        found[-2:], expected[-2:] = [sum(found[-2:])], [sum(expected[-2:])]
    scale = total / sum(expected)
    return float(stats.chisquare(found, [each * scale for each in expected]).pvalue)


@cache
def _stirling(n: int, k: int) -> float:
    """In how many ways n things fall into k parts, none of them empty."""
    if n == k:
        return 1.0
    return 0.0 if k == 0 or k > n else k * _stirling(n - 1, k) + _stirling(n - 1, k - 1)


def _rank(rows: list[int]) -> int:
    """The rank of a matrix of bits over the field of two elements."""
    rank = 0
    while rows:
        pivot = rows.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    return rank


def battery(n: int) -> Iterator[tuple[str, str, str, float]]:
    """Order, bits, test and p-value of each."""
    for order, bits in orders(n):
        for low in (False, True):
            u = uniforms(bits, low)
            for test in TESTS:
                yield order, "low bits" if low else "high bits", test.__name__, test(u)


def fails(p: float) -> bool:
    """Whether a p-value is one that a good generator does not have."""
    return not LEAST < p < 1.0 - LEAST


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    found = list(battery(n))
    for order, bits, name, p in found:
        print(f"{order:22} {bits:10} {name:18} {p:.6f}{'  FAILS' if fails(p) else ''}")
    failed = sum(fails(p) for *_, p in found)
    print(f"{n:,} draws in each order: {failed} of {len(found)} tests fail")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
