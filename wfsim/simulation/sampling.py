"""Sampling from distributions, with the same bits on every machine.

`log`, `exp` and the normal quantile are made of IEEE + - x / and square root only, since a platform's own
`log` may differ in the last bit and a day in microseconds shows it. All functions map one uniform number in
[0, 1) to one sample: the inverse of the distribution function, so a draw has one index and streams stay aligned.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeAlias

Sampler: TypeAlias = Callable[[float], float]

_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
_SQRT_HALF = 0.7071067811865476


def name_key(name: str) -> int:
    """62 bits for a name, to tell draws of one place apart; the first of BLAKE2b's (RFC 7693)."""
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 2


def log(x: float) -> float:
    """Natural logarithm of a positive number, within one unit in the last place.

    Method: x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh((m-1)/(m+1)) by its series.
    """
    m, k = math.frexp(x)
    if m < _SQRT_HALF:
        m *= 2.0
        k -= 1
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = 0.0
    for n in (23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3):
        series = (series + 1.0 / n) * z
    return k * _LN2_HIGH + (2.0 * s + (2.0 * s * series + k * _LN2_LOW))


def exp(x: float) -> float:
    """Exponential function, for |x| <= 700.

    Method: x = k ln 2 + r with |r| <= ln(2)/2; exp r by its series.
    """
    k = math.floor(x / 0.6931471805599453 + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    total = 1.0
    for n in range(16, 0, -1):
        total = 1.0 + total * r / n
    return math.ldexp(total, k)


def power(x: float, y: float) -> float:
    """x^y for positive x."""
    return exp(y * log(x))


# Wichura (1988), Algorithm AS 241 (PPND16), Applied Statistics 37(3), 477-484: relative error about 1e-16.
_A = (
    3.3871328727963666080,
    1.3314166789178437745e2,
    1.9715909503065514427e3,
    1.3731693765509461125e4,
    4.5921953931549871457e4,
    6.7265770927008700853e4,
    3.3430575583588128105e4,
    2.5090809287301226727e3,
)
_B = (
    1.0,
    4.2313330701600911252e1,
    6.8718700749205790830e2,
    5.3941960214247511077e3,
    2.1213794301586595867e4,
    3.9307895800092710610e4,
    2.8729085735721942674e4,
    5.2264952788528545610e3,
)
_C = (
    1.42343711074968357734,
    4.63033784615654529590,
    5.76949722146069140550,
    3.64784832476320460504,
    1.27045825245236838258,
    2.41780725177450611770e-1,
    2.27238449892691845833e-2,
    7.74545014278341407640e-4,
)
_D = (
    1.0,
    2.05319162663775882187,
    1.67638483018380384940,
    6.89767334985100004550e-1,
    1.48103976427480074590e-1,
    1.51986665636164571966e-2,
    5.47593808499534494600e-4,
    1.05075007164441684324e-9,
)
_E = (
    6.65790464350110377720,
    5.46378491116411436990,
    1.78482653991729133580,
    2.96560571828504891230e-1,
    2.65321895265761230930e-2,
    1.24266094738807843860e-3,
    2.71155556874348757815e-5,
    2.01033439929228813265e-7,
)
_F = (
    1.0,
    5.99832206555887937690e-1,
    1.36929880922735805310e-1,
    1.48753612908506148525e-2,
    7.86869131145613259100e-4,
    1.84631831751005468180e-5,
    1.42151175831644588870e-7,
    2.04426310338993978564e-15,
)


def _ratio(above: Sequence[float], below: Sequence[float], r: float) -> float:
    top = bottom = 0.0
    for a, b in zip(reversed(above), reversed(below)):
        top = top * r + a
        bottom = bottom * r + b
    return top / bottom


def normal_quantile(u: float) -> float:
    """The standard normal value below which a share `u` lies; u is kept away from 0 and 1 by 2^-54."""
    u = max(u, 2.0**-54)
    q = u - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(_A, _B, 0.180625 - q * q)
    r = math.sqrt(-log(u if q < 0.0 else max(1.0 - u, 2.0**-54)))
    value = _ratio(_C, _D, r - 1.6) if r <= 5.0 else _ratio(_E, _F, r - 5.0)
    return -value if q < 0.0 else value


def constant(value: float) -> Sampler:
    """Always the same."""
    return lambda u: value


def exponential(mean: float) -> Sampler:
    """Memoryless, with this mean."""
    return lambda u: -mean * log(1.0 - u)


def uniform(low: float, high: float) -> Sampler:
    """Any value in [low, high) alike."""
    return lambda u: low + (high - low) * u


def triangular(low: float, mode: float, high: float) -> Sampler:
    """Triangle over [low, high] with its peak at `mode`."""
    width = high - low
    peak = (mode - low) / width if width > 0.0 else 0.0

    def sample(u: float) -> float:
        if u < peak:
            return low + math.sqrt(u * width * (mode - low))
        return high - math.sqrt((1.0 - u) * width * (high - mode))

    return sample


def normal(mean: float, deviation: float) -> Sampler:
    """Normal, cut off at 0: durations are never negative."""
    return lambda u: max(0.0, mean + deviation * normal_quantile(u))


def lognormal(median: float, sigma: float) -> Sampler:
    """Lognormal with this median; `sigma` is the deviation of the logarithm."""
    return lambda u: median * exp(sigma * normal_quantile(u))


def weibull(scale: float, shape: float) -> Sampler:
    """Weibull: wearing out for shape > 1, early failures for shape < 1."""
    return lambda u: 0.0 if u == 0.0 else scale * power(-log(1.0 - u), 1.0 / shape)


def empirical(values: Sequence[float], weights: Sequence[float] | None = None) -> Sampler:
    """One of the values seen, by weight."""
    edges = cumulative(weights if weights is not None else [1.0] * len(values))
    return lambda u: values[pick(edges, u)]


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
