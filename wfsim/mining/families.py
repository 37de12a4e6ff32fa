"""Families of times: the one that fits observed times best, and how well it does."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wfsim.model.duration import UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

FEWEST = 20
"""With fewer times no family is told from another: they are taken as they are."""
MOST_VALUES = 200
"""An empirical distribution has so many values at most; of more times, as many quantiles."""
OFF_BY = 0.05
"""A family is not taken if it is surely wrong (`SURELY`), and its distribution function is off by more than this."""
SURELY = 0.01
NO_DIFFERENCE = 2.0
"""By so much may AIC be above the least: then the family that comes first in the table is taken."""
_REPEATS = 99
_ROUNDS = 500
_MOST_TESTED = 5_000
_ALIKE = 1e-9


@dataclass(frozen=True)
class Fitted:
    """A distribution of times, and how well it fits.

    Attributes
    ----------
    written
        As a scenario says it: a duration, or a mapping with the family as key.
    family
        Its name.
    n, n_cut
        How many times were seen whole, and how many only up to some moment, after which they would have gone on.
    aic
        Akaike's criterion by family, of those that were tried.
    distance
        The largest difference between the distribution functions: Kolmogorov's and Smirnov's D.
    anderson
        Anderson's and Darling's A², which looks at the tails; NaN where times were cut.
    p
        How often times of this family are at least as far off; NaN where that was not tried.
    note
        What the fit must be read with.
    survival
        Which share is longer than some microseconds.
    likelihood
        The logarithm of the density of the whole times; NaN where it has none.
    """

    written: Any
    family: str
    n: int
    survival: Callable[[Numbers], Numbers] = field(repr=False, compare=False)
    n_cut: int = 0
    aic: tuple[tuple[str, float], ...] = ()
    distance: float = math.nan
    anderson: float = math.nan
    p: float = math.nan
    note: str = ""
    likelihood: float = math.nan


class Cut(NamedTuple):
    """Times that something else ended: how long they had lasted, and how many each stands for."""

    times: Numbers
    counts: Numbers

    @classmethod
    def of(cls, times: Sequence[float] | Numbers, counts: Numbers | None = None) -> Cut:
        """Equal times as one."""
        asked = np.asarray(times, np.float64)
        found, place = np.unique(asked, return_inverse=True)
        return cls(found, np.bincount(place, counts, len(found)).astype(np.float64))

    @property
    def total(self) -> float:
        """How many there are."""
        return float(np.sum(self.counts))


NO_CUT = Cut(np.empty(0), np.empty(0))


@dataclass(frozen=True)
class _Law:
    """A family with its parameters, in microseconds."""

    family: str
    parameters: tuple[float, ...]

    def log_density(self, x: Numbers) -> Numbers:
        return _FAMILIES[self.family].log_density(x, *self.parameters)

    def log_survival(self, x: Numbers) -> Numbers:
        return _FAMILIES[self.family].log_survival(x, *self.parameters)

    def survival(self, x: Numbers) -> Numbers:
        return np.asarray(np.exp(self.log_survival(x)), np.float64)

    def below(self, x: Numbers) -> Numbers:
        """The distribution function."""
        return np.asarray(-np.expm1(self.log_survival(x)), np.float64)


@dataclass(frozen=True)
class _Family:
    estimate: Callable[[Numbers, Numbers], tuple[float, ...] | None]
    """Maximum likelihood from whole times with their weights; `None` where it has none."""
    log_density: Callable[..., Numbers]
    log_survival: Callable[..., Numbers]
    sample: Callable[..., Numbers]
    written: Callable[..., dict[str, Any]]


# --- each family: estimate, logarithms of density and survival, sampling, how it is written ----------------------


def _mean(x: Numbers, w: Numbers) -> float:
    return float(np.average(x, weights=w))


def _exponential(x: Numbers, w: Numbers) -> tuple[float, ...]:
    return (_mean(x, w),)


def _gamma(x: Numbers, w: Numbers) -> tuple[float, ...] | None:
    """Shape by Newton's method on log k − ψ(k) = log mean − mean log (Minka 2002), and mean."""
    from scipy import special

    mean = _mean(x, w)
    gap = math.log(mean) - _mean(np.log(x), w)
    if gap <= _ALIKE:
        return None
    shape = (3 - gap + math.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
    for _ in range(30):
        slope = 1 / shape - float(special.polygamma(1, shape))
        step = (math.log(shape) - float(special.digamma(shape)) - gap) / slope
        shape = max(shape - step, shape / 10)
        if abs(step) < 1e-10 * shape:
            break
    return (shape, mean) if 0.01 <= shape <= 10_000 else None


def _erlang(x: Numbers, w: Numbers) -> tuple[float, ...] | None:
    """The better of the whole shapes beside that of the gamma distribution: its likelihood has one maximum."""
    found = _gamma(x, w)
    if found is None:
        return None
    shape, mean = found
    shapes = {min(max(round_to(shape), 2), 10_000) for round_to in (math.floor, math.ceil)}
    return max(
        ((float(each), mean) for each in sorted(shapes)), key=lambda pair: float(np.sum(w * _gamma_density(x, *pair)))
    )


def _gamma_density(x: Numbers, shape: float, mean: float) -> Numbers:
    from scipy import special

    rate = shape / mean
    return np.asarray(shape * math.log(rate) + (shape - 1) * np.log(x) - rate * x - special.gammaln(shape), np.float64)


def _gamma_survival(x: Numbers, shape: float, mean: float) -> Numbers:
    from scipy import special

    return np.asarray(np.log(np.maximum(special.gammaincc(shape, shape / mean * x), 1e-300)), np.float64)


def _lognormal(x: Numbers, w: Numbers) -> tuple[float, ...] | None:
    logs = np.log(x)
    middle = _mean(logs, w)
    sigma = math.sqrt(_mean((logs - middle) ** 2, w))
    return (math.exp(middle), sigma) if _ALIKE < sigma <= 10.0 else None


def _lognormal_density(x: Numbers, median: float, sigma: float) -> Numbers:
    logs = np.log(x)
    z = (logs - math.log(median)) / sigma
    return np.asarray(-logs - math.log(sigma * math.sqrt(2 * math.pi)) - z * z / 2, np.float64)


def _lognormal_survival(x: Numbers, median: float, sigma: float) -> Numbers:
    from scipy import special

    with np.errstate(divide="ignore"):
        return np.asarray(special.log_ndtr(-(np.log(x) - math.log(median)) / sigma), np.float64)


def _weibull(x: Numbers, w: Numbers) -> tuple[float, ...] | None:
    """Shape by Newton's method on the profile likelihood, in logarithms of x / max x, which cannot overflow."""
    top = float(np.max(x))
    logs = np.log(x / top)
    spread = math.sqrt(_mean((logs - _mean(logs, w)) ** 2, w))
    if spread <= _ALIKE:
        return None
    shape, middle = 1.28 / spread, _mean(logs, w)
    for _ in range(50):
        powers = w * np.exp(shape * logs)
        total, first, second = (float(np.sum(powers * each)) for each in (1.0, logs, logs * logs))
        value = first / total - 1 / shape - middle
        slope = second / total - (first / total) ** 2 + 1 / shape**2
        step = value / slope
        shape = max(shape - step, shape / 10)
        if abs(step) < 1e-10 * shape:
            break
    if not 0.05 <= shape <= 50.0:
        return None
    return shape, top * math.exp(math.log(_mean(np.exp(shape * logs), w)) / shape)


def _weibull_density(x: Numbers, shape: float, scale: float) -> Numbers:
    logs = np.log(x / scale)
    return np.asarray(math.log(shape / scale) + (shape - 1) * logs - np.exp(shape * logs), np.float64)


def _normal(x: Numbers, w: Numbers) -> tuple[float, ...] | None:
    """Only where next to nothing would be cut off at 0."""
    mean = _mean(x, w)
    deviation = math.sqrt(_mean((x - mean) ** 2, w))
    return (mean, deviation) if deviation > _ALIKE * mean and mean > 4 * deviation else None


def _normal_density(x: Numbers, mean: float, deviation: float) -> Numbers:
    return np.asarray(-(((x - mean) / deviation) ** 2) / 2 - math.log(deviation * math.sqrt(2 * math.pi)), np.float64)


def _normal_survival(x: Numbers, mean: float, deviation: float) -> Numbers:
    from scipy import special

    return np.asarray(special.log_ndtr(-(x - mean) / deviation), np.float64)


def _uniform(x: Numbers, w: Numbers) -> tuple[float, ...] | None:
    low, high = float(np.min(x)), float(np.max(x))
    # The ends of many times lie inside those of their distribution by a part of 1/n each, on average.
    margin = (high - low) / max(len(x) - 1, 1)
    return (max(low - margin, 0.0), high + margin) if high > low else None


def _uniform_density(x: Numbers, low: float, high: float) -> Numbers:
    return np.where((x >= low) & (x <= high), -math.log(high - low), -np.inf)


def _uniform_survival(x: Numbers, low: float, high: float) -> Numbers:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.clip((high - x) / (high - low), 0.0, 1.0)), np.float64)


_FAMILIES: dict[str, _Family] = {
    "exponential": _Family(
        _exponential,
        lambda x, mean: -math.log(mean) - x / mean,
        lambda x, mean: -x / mean,
        lambda draw, n, mean: draw.exponential(mean, n),
        lambda mean: {"mean": time_text(mean)},
    ),
    "erlang": _Family(
        _erlang,
        _gamma_density,
        _gamma_survival,
        lambda draw, n, shape, mean: draw.gamma(shape, mean / shape, n),
        lambda shape, mean: {"shape": int(shape), "mean": time_text(mean)},
    ),
    "gamma": _Family(
        _gamma,
        _gamma_density,
        _gamma_survival,
        lambda draw, n, shape, mean: draw.gamma(shape, mean / shape, n),
        lambda shape, mean: {"shape": digits(shape), "mean": time_text(mean)},
    ),
    "lognormal": _Family(
        _lognormal,
        _lognormal_density,
        _lognormal_survival,
        lambda draw, n, median, sigma: median * np.exp(sigma * draw.standard_normal(n)),
        lambda median, sigma: {"median": time_text(median), "sigma": digits(sigma)},
    ),
    "weibull": _Family(
        _weibull,
        _weibull_density,
        lambda x, shape, scale: -np.exp(shape * np.log(x / scale)),
        lambda draw, n, shape, scale: scale * draw.weibull(shape, n),
        lambda shape, scale: {"scale": time_text(scale), "shape": digits(shape)},
    ),
    "normal": _Family(
        _normal,
        _normal_density,
        _normal_survival,
        lambda draw, n, mean, deviation: draw.normal(mean, deviation, n),
        lambda mean, deviation: {"mean": time_text(mean), "deviation": time_text(deviation)},
    ),
    "uniform": _Family(
        _uniform,
        _uniform_density,
        _uniform_survival,
        lambda draw, n, low, high: draw.uniform(low, high, n),
        lambda low, high: {"low": time_text(low), "high": time_text(high)},
    ),
}


# --- fitting --------------------------------------------------------------------------------------------------------


def fit_times(times: Sequence[float] | Numbers, cut: Cut = NO_CUT, *, family: str | None = None) -> Fitted:
    """The distribution of times in microseconds, of the family that describes them best.

    Parameters
    ----------
    times
        Seen whole; at least one.
    cut
        Of others, how long they had lasted when something else ended them.
    family
        The only one that is tried, where times were cut.

    Returns
    -------
    Fitted
        A constant where all are alike; where every family is surely wrong and off by more than 5 %, two lognormal
        distributions, and if these are off as well, the times themselves or 200 of their quantiles, and so with fewer
        than 20 whole times; where some are 0, a mixture. Where times were cut off, always a family, with fewer than 20
        whole ones the exponential.

    Notes
    -----
    Maximum likelihood; what was cut counts with the probability to last longer. Of the families the first in
    `_FAMILIES` whose AIC [1]_ is the least, or no more than 2 above it, which is no difference to speak of [2]_. How
    far off it is, is compared with 99 samples of it, fitted anew each [3]_: tables of Kolmogorov and Smirnov hold for
    parameters that were known before. At most 5,000 of the times are used for that. O(n log n), and some tenths of a
    second for the samples.

    References
    ----------
    .. [1] Akaike (1974), A new look at the statistical model identification, IEEE Transactions on Automatic Control
       19(6), 716–723.
    .. [2] Burnham, Anderson (2004), Multimodel inference, Sociological Methods & Research 33(2), 261–304.
    .. [3] Stute, González Manteiga, Presedo Quindimil (1993), Bootstrap based goodness-of-fit-tests, Metrika 40,
       243–256.
    """
    whole = np.sort(np.asarray(times, np.float64))
    n, n_cut, positive = len(whole), round(cut.total), whole[whole > 0]
    if float(whole[-1] - whole[0]) <= _ALIKE * float(whole[-1]) and (n > 1 or not n_cut):
        value = float(whole[0])
        return Fitted(
            time_text(value), "constant", n, lambda x: (x < value).astype(np.float64), n_cut, note="all alike"
        )
    if 0 < len(positive) < n:
        return _with_zeros(fit_times(positive, cut), n - len(positive))
    if n < FEWEST and not n_cut:
        return _empirical(whole, (), f"only {n} times")
    tried = ("exponential",) if n < FEWEST else (family,) if family in _FAMILIES and n_cut else tuple(_FAMILIES)
    fits = _by_criterion(whole, cut, tried)
    aic = tuple((law.family, value) for value, law in fits)
    least = min(value for value, _ in fits)
    law = next(law for value, law in fits if value <= least + NO_DIFFERENCE)
    written = {law.family: _FAMILIES[law.family].written(*law.parameters)}
    likelihood = float(np.sum(law.log_density(whole)))
    distance = _distance(law, whole, cut)
    found = Fitted(written, law.family, n, law.survival, n_cut, aic, distance, likelihood=likelihood)
    if n_cut:
        few = f"only {n} times; " if n < FEWEST else ""
        return replace(found, note=f"{few}{n_cut:,} more were cut off")
    p = _p_value(law, whole)
    if p <= SURELY and found.distance > OFF_BY:
        why = f"no family fits: {law.family} is off by {found.distance:.1%}"
        return _two_kinds(whole, aic, why) or _empirical(whole, aic, why)
    return replace(found, anderson=_anderson(law, whole), p=p)


class Law(NamedTuple):
    """A family with parameters that were found, and how far off it is."""

    parameters: tuple[float, ...]
    distance: float


def fit_law(family: str, values: Numbers) -> Law | None:
    """One family alone, by maximum likelihood; `None` where it has no such law."""
    ordered = np.sort(values)
    parameters = _FAMILIES[family].estimate(ordered, np.ones(len(ordered)))
    return None if parameters is None else Law(parameters, _distance(_Law(family, parameters), ordered, NO_CUT))


def _with_zeros(rest: Fitted, n_zero: int) -> Fitted:
    n = rest.n + n_zero
    part = rest.written if isinstance(rest.written, dict) else {"constant": rest.written}
    zeros, others = digits(n_zero / n), digits(rest.n / n)
    written = {"mixture": {"of": [{"weight": zeros, "constant": "0s"}, {"weight": others, **part}]}}
    note = f"{n_zero:,} are 0" + (f"; {rest.note}" if rest.note else "")
    share = rest.n / n
    return replace(
        rest, written=written, family=f"0 or {rest.family}", n=n, survival=lambda x: share * rest.survival(x), note=note
    )


def _empirical(whole: Numbers, aic: tuple[tuple[str, float], ...], note: str) -> Fitted:
    values = whole
    if len(whole) > MOST_VALUES:
        values = np.quantile(whole, (np.arange(MOST_VALUES) + 0.5) / MOST_VALUES)
    written = list(map(time_text, values.tolist()))
    counts = Counter(written)
    data: dict[str, Any] = {"values": list(counts)}
    if max(counts.values()) > 1:
        data["weights"] = list(counts.values())
    return Fitted(
        {"empirical": data},
        "empirical",
        len(whole),
        lambda x: 1 - np.searchsorted(whole, x, "right") / len(whole),
        aic=aic,
        note=note,
    )


def _two_kinds(whole: Numbers, aic: tuple[tuple[str, float], ...], why: str) -> Fitted | None:
    """Two lognormal distributions, as where some go on at once and others the next day; `None` if these are off, too.

    Expectation and maximisation on logarithms, from the lower and the upper half on.
    """
    logs = np.log(whole)
    likely = np.array([np.arange(len(logs)) < len(logs) / 2, np.arange(len(logs)) >= len(logs) / 2], np.float64)
    for _ in range(_ROUNDS):
        weights = likely.mean(axis=1)
        middles = likely @ logs / likely.sum(axis=1)
        sigmas = np.sqrt(np.sum(likely * (logs - middles[:, None]) ** 2, axis=1) / likely.sum(axis=1))
        if float(np.min(weights)) < 0.01 or float(np.min(sigmas)) < 1e-3:
            return None
        z = (logs - middles[:, None]) / sigmas[:, None]
        before = likely
        densities = weights[:, None] * np.exp(-z * z / 2) / sigmas[:, None] + 1e-300
        likely = densities / densities.sum(axis=0)
        if float(np.max(np.abs(likely - before))) < 1e-4:
            break
    laws = [_Law("lognormal", (math.exp(middle), float(sigma))) for middle, sigma in zip(middles, sigmas)]

    def survival(x: Numbers) -> Numbers:
        return np.asarray(sum(w * law.survival(x) for w, law in zip(weights.tolist(), laws)), np.float64)

    steps = np.arange(len(whole) + 1) / len(whole)
    below = 1 - survival(whole)
    distance = float(max(np.max(steps[1:] - below), np.max(below - steps[:-1])))
    if distance > OFF_BY:
        return None
    parts = [
        {"weight": digits(share), "lognormal": _FAMILIES["lognormal"].written(*law.parameters)}
        for share, law in zip(weights.tolist(), laws)
    ]
    written = {"mixture": {"of": parts}}
    return Fitted(written, "two lognormals", len(whole), survival, aic=aic, distance=distance, note=why)


def _by_criterion(whole: Numbers, cut: Cut, names: Iterable[str]) -> list[tuple[float, _Law]]:
    """AIC with the law, of every family that has one."""
    found = []
    weights = np.ones(len(whole))
    for name in names:
        family = _FAMILIES[name]
        start = family.estimate(whole, weights)
        if start is None:
            continue
        law = _Law(name, start)
        if len(cut.times):
            if name == "uniform" and float(cut.times[-1]) >= start[1]:
                continue
            law = _with_cut(law, whole, cut)
        found.append((2 * len(law.parameters) - 2 * _likelihood(law, whole, cut), law))
    return found


def _likelihood(law: _Law, whole: Numbers, cut: Cut) -> float:
    found = float(np.sum(law.log_density(whole)))
    return found + float(np.dot(cut.counts, law.log_survival(cut.times))) if len(cut.times) else found


def _with_cut(law: _Law, whole: Numbers, cut: Cut) -> _Law:
    """The likeliest law of a family where some times were cut; from that of the others on, in logarithms."""
    from scipy import optimize

    if law.family == "exponential":
        return _Law(law.family, (float(np.sum(whole) + np.dot(cut.times, cut.counts)) / len(whole),))
    if law.family == "uniform":
        return law
    if law.family == "erlang":
        shapes = {max(2, round(law.parameters[0] * part)) for part in (0.4, 0.6, 0.8, 1.0, 1.2)}
        laws = [_searched(law, whole, cut, optimize, shape) for shape in sorted(shapes)]
        return max(laws, key=lambda each: _likelihood(each, whole, cut))
    return _searched(law, whole, cut, optimize, None)


def _searched(law: _Law, whole: Numbers, cut: Cut, optimize: Any, shape: int | None) -> _Law:
    def made(logs: Numbers) -> _Law:
        parameters = tuple(float(each) for each in np.exp(np.clip(logs, -700, 700)))
        return _Law(law.family, parameters if shape is None else (float(shape), *parameters))

    def cost(logs: Numbers) -> float:
        value = -_likelihood(made(logs), whole, cut)
        return value if math.isfinite(value) else 1e300

    start = np.log(np.array(law.parameters if shape is None else law.parameters[1:]))
    return made(optimize.minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8}).x)


def _distance(law: _Law, whole: Numbers, cut: Cut) -> float:
    """To the empirical distribution function; where times were cut, to Kaplan's and Meier's."""
    n = len(whole)
    if not len(cut.times):
        below = law.below(whole)
        upper = np.arange(1, n + 1) / n
        return float(max(np.max(upper - below), np.max(below - upper + 1 / n)))
    gone = np.concatenate([[0.0], np.cumsum(cut.counts)])[np.searchsorted(cut.times, whole)]
    at_risk = n - np.searchsorted(whole, whole) + cut.total - gone
    moments, first = np.unique(whole, return_index=True)
    deaths = np.diff(np.append(first, n))
    survival = np.cumprod(1 - deaths / at_risk[first])
    below, before = law.below(moments), np.concatenate([[1.0], survival[:-1]])
    return float(max(np.max(np.abs(1 - survival - below)), np.max(np.abs(1 - before - below))))


def _anderson(law: _Law, whole: Numbers) -> float:
    n = len(whole)
    survival = law.log_survival(whole)
    with np.errstate(divide="ignore"):
        below = np.log(np.maximum(-np.expm1(survival), 1e-300))
    odd = 2 * np.arange(1, n + 1) - 1
    return float(-n - np.sum(odd * (below + np.maximum(survival, -690.0)[::-1])) / n)


def _p_value(law: _Law, whole: Numbers) -> float:
    """How often samples of the law, fitted anew, are as far off as these times: parametric bootstrap."""
    draw = np.random.default_rng(0)
    family = _FAMILIES[law.family]
    n = min(len(whole), _MOST_TESTED)
    tested = whole if n == len(whole) else np.sort(draw.choice(whole, n, replace=False))
    weights = np.ones(n)

    def off(x: Numbers) -> float:
        parameters = family.estimate(x, weights)
        return math.inf if parameters is None else _distance(_Law(law.family, parameters), x, NO_CUT)

    seen = off(tested)
    samples = (np.sort(np.maximum(family.sample(draw, n, *law.parameters), 1e-9)) for _ in range(_REPEATS))
    return (1 + sum(off(each) >= seen for each in samples)) / (_REPEATS + 1)


# --- how numbers are written ------------------------------------------------------------------------------------------


def digits(value: float) -> float:
    """With four of its digits: more than any fit is worth."""
    return float(f"{value:.4g}")


def time_text(microseconds: float) -> str:
    """A time as a scenario says it, with four of its digits."""
    for unit in ("d", "h", "m", "s", "ms"):
        if microseconds >= UNITS[unit]:
            return f"{digits(microseconds / UNITS[unit]):.10g}{unit}"
    return f"{round(microseconds)}us" if round(microseconds) else "0s"
