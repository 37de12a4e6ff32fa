"""Random durations and values as a scenario writes them, each checked before anything is drawn from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from wfsim.errors import PluginError, WfsimError
from wfsim.model.duration import Duration
from wfsim.model.problems import refuse_unknown_keys, shown
from wfsim.model.values import LARGEST_INTEGER, SMALLEST_INTEGER
from wfsim.plugins import SAMPLERS, installed
from wfsim.semantics.quantiles import log

from . import sampling


class Part(BaseModel):
    """A part of a scenario: frozen, with its own keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: object) -> object:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).split()
        refuse_unknown_keys(cls, data, f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)}")
        return data


def _whole(value: object) -> object:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(f"expected a whole number, found {shown(value)}.")
    return value


Whole = Annotated[int, BeforeValidator(_whole)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
P = TypeVar("P", bound=Part)
Weight = Annotated[float, Field(ge=0.0)]
Sigma = Annotated[float, Field(ge=0.0, le=10.0)]


def _rising(part: P, *keys: str) -> P:
    """Refuse bounds in the wrong order."""
    for lower, upper in pairwise(keys):
        if getattr(part, lower) > getattr(part, upper):
            raise ValueError(
                f"{lower} {getattr(part, lower)} is above {upper} {getattr(part, upper)}. Write {' <= '.join(keys)}."
            )
    return part


def need_weight(weights: Iterable[float], what: str) -> None:
    """Refuse weights of which nothing can be drawn.

    Raises
    ------
    ValueError
        If all are 0.
    """
    if sum(weights) <= 0.0:
        raise ValueError(f"{what} all have weight 0, so none can be drawn. Give at least one a positive weight.")


def need_weights(given: Sequence[Any], weights: Sequence[float], what: str) -> None:
    """Refuse weights of another number, or all 0.

    Raises
    ------
    ValueError
        With both numbers.
    """
    if len(weights) != len(given):
        raise ValueError(f"{len(given)} {what} have {len(weights)} weights. Give each of the {what} one.")
    need_weight(weights, f"the {what}")


class Exponential(Part):
    """Memoryless."""

    mean: Duration


class Uniform(Part):
    """Between two durations."""

    low: Duration
    high: Duration

    @model_validator(mode="after")
    def _rises(self) -> Self:
        return _rising(self, "low", "high")


class Triangular(Part):
    """Between two durations, most often at `mode`."""

    low: Duration
    mode: Duration
    high: Duration

    @model_validator(mode="after")
    def _rises(self) -> Self:
        return _rising(self, "low", "mode", "high")


class Normal(Part):
    """Around a mean, cut off at 0."""

    mean: Duration
    deviation: Duration


class Lognormal(Part):
    """Half are shorter than `median`, `sigma` is the deviation of the logarithm; or by `mean` and `cv`.

    `cv`, the coefficient of variation, is the deviation in parts of the mean.
    """

    median: Duration | None = None
    sigma: Sigma = 0.5
    mean: Duration | None = None
    cv: Annotated[float, Field(ge=0.0, le=1_000.0)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = self.model_fields_set
        if given not in ({"median"}, {"median", "sigma"}, {"mean", "cv"}):
            raise ValueError(f"lognormal takes median and sigma, or mean and cv, not {', '.join(sorted(given))}.")
        return self

    def sampler(self) -> sampling.Law:
        """Its law."""
        if self.mean is None or self.cv is None:
            return sampling.lognormal(float(self.median or 0), self.sigma)
        spread = 1.0 + self.cv * self.cv
        return sampling.lognormal(float(self.mean) / math.sqrt(spread), math.sqrt(log(spread)))


class Weibull(Part):
    """Wearing out for shape above 1, early for shape below 1."""

    scale: Duration
    shape: Annotated[float, Field(ge=0.05, le=50.0)]


class Gamma(Part):
    """Deviation of mean / sqrt(shape): the higher the shape, the more alike."""

    shape: Annotated[float, Field(ge=0.01, le=10_000.0)]
    mean: Duration


class Erlang(Part):
    """The sum of `shape` exponential times, `mean` long together."""

    shape: Annotated[Whole, Field(ge=1, le=10_000)]
    mean: Duration


class Hyperexponential(Part):
    """Exponential with one of these means, by weight: more spread out than exponential."""

    means: tuple[Duration, ...] = Field(min_length=1)
    weights: tuple[Weight, ...]

    @model_validator(mode="after")
    def _a_weight_each(self) -> Self:
        need_weights(self.means, self.weights, "means")
        return self


class Empirical(Part):
    """Durations seen, with weights if they are not alike."""

    values: tuple[Duration, ...] = Field(min_length=1)
    weights: tuple[Weight, ...] | None = None

    @model_validator(mode="after")
    def _a_weight_each(self) -> Self:
        if self.weights is not None:
            need_weights(self.values, self.weights, "values")
        return self


class Distribution(Part):
    """One of the distributions of a duration; a plain duration is constant."""

    constant: Duration | None = None
    exponential: Exponential | None = None
    uniform: Uniform | None = None
    triangular: Triangular | None = None
    normal: Normal | None = None
    lognormal: Lognormal | None = None
    weibull: Weibull | None = None
    empirical: Empirical | None = None
    erlang: Erlang | None = None
    gamma: Gamma | None = None
    hyperexponential: Hyperexponential | None = None
    mixture: Mixture | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_plugin(cls, data: object) -> object:
        """What another package adds is put into terms of those that there are, which is all that a history keeps."""
        if not isinstance(data, Mapping):
            return data
        added = [key for key in data if key not in cls.model_fields and key in installed(SAMPLERS)]
        if len(added) != 1:
            return data
        (name,) = added
        return {**{key: value for key, value in data.items() if key != name}, **_sampled(name, data[name])}

    @model_validator(mode="after")
    def _one(self) -> Self:
        families = Distribution.model_fields
        given = [name for name in families if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a distribution is one of {', '.join(families)}; found {', '.join(given) or 'none'}.")
        return self

    def sampler(self) -> sampling.Law:
        """The inverse distribution function, from a uniform number to microseconds."""
        if self.exponential is not None:
            return sampling.exponential(float(self.exponential.mean))
        if self.uniform is not None:
            return sampling.uniform(float(self.uniform.low), float(self.uniform.high))
        if self.triangular is not None:
            t = self.triangular
            return sampling.triangular(float(t.low), float(t.mode), float(t.high))
        if self.normal is not None:
            return sampling.normal(float(self.normal.mean), float(self.normal.deviation))
        if self.lognormal is not None:
            return self.lognormal.sampler()
        if self.weibull is not None:
            return sampling.weibull(float(self.weibull.scale), self.weibull.shape)
        if self.empirical is not None:
            return sampling.empirical([float(v) for v in self.empirical.values], self.empirical.weights)
        by_shape = self.erlang or self.gamma
        if by_shape is not None:
            return sampling.gamma(float(by_shape.shape), float(by_shape.mean))
        if self.hyperexponential is not None:
            means = self.hyperexponential.means
            return sampling.mixture([sampling.exponential(float(m)) for m in means], self.hyperexponential.weights)
        if self.mixture is not None:
            return sampling.mixture([part.sampler() for part in self.mixture.of], [p.weight for p in self.mixture.of])
        return sampling.constant(float(self.constant or 0))


def _sampled(name: str, parameters: object) -> Mapping[str, Any]:
    """The distribution that a sampler of another package gives for its parameters."""
    if not isinstance(parameters, Mapping) or not all(isinstance(key, str) for key in parameters):
        raise ValueError(f"{name} takes its parameters as a mapping, not {shown(parameters)}.")
    plugin = installed(SAMPLERS)[name]
    try:
        found = plugin.load()(**parameters)
    except PluginError as error:
        raise ValueError(str(error)) from None
    except (TypeError, ValueError, ArithmeticError, WfsimError) as error:
        told = str(error).rstrip(".")
        raise ValueError(f"{name} does not take {dict(parameters)}: {told}.") from None
    if not isinstance(found, Mapping) or not set(found) <= set(Distribution.model_fields):
        raise ValueError(f"{plugin} gave {shown(found)}, which is no distribution of a scenario.")
    return found


class MixturePart(Distribution):
    """One of the distributions of a mixture, and how often it is taken."""

    weight: Weight


class Mixture(Part):
    """Durations of several kinds: each is drawn from one of the distributions, by weight."""

    of: tuple[MixturePart, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _have_weight(self) -> Self:
        need_weight((part.weight for part in self.of), "the parts of the mixture")
        return self


Distribution.model_rebuild()


def _distribution(value: object) -> object:
    if isinstance(value, (Distribution, Mapping)):
        return value
    return {"constant": value}


def _plain(distribution: Distribution) -> Any:
    dumped = distribution.model_dump(exclude_unset=True)
    return dumped.get("constant", dumped)


Delay = Annotated[Distribution, BeforeValidator(_distribution), PlainSerializer(_plain, return_type=Any)]


class Draw(Part):
    """A random value: `choice` among values, or a number in a range.

    A choice is a list of values, with `weights` beside it or all alike, or texts with their weights.

    `unique`, for inputs only, is not random: each arrival gets a value of its own, see `made_unique`.
    """

    choice: tuple[Any, ...] | Mapping[str, Weight] | None = None
    weights: tuple[Weight, ...] | None = None
    integer: tuple[Annotated[int, Field(ge=SMALLEST_INTEGER, le=LARGEST_INTEGER)], ...] | None = None
    number: tuple[float, ...] | None = None
    lognormal: tuple[float, ...] | None = None
    unique: str | int | tuple[Any, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        kinds = [name for name in type(self).model_fields if name != "weights"]
        if len(self.model_fields_set & set(kinds)) != 1:
            raise ValueError(f"a random value is one of {', '.join(kinds)}.")
        if self.weights is not None:
            if not isinstance(self.choice, tuple):
                raise ValueError("weights belong to a list: {choice: [1, 2], weights: [0.9, 0.1]}.")
            if len(self.weights) != len(self.choice):
                raise ValueError(f"{len(self.choice)} values have {len(self.weights)} weights. Give one for each.")
            need_weight(self.weights, "the values of choice")
        for key, names in (("integer", "low, high"), ("number", "low, high"), ("lognormal", "median, sigma")):
            pair = getattr(self, key)
            if pair is not None and len(pair) != 2:
                raise ValueError(f"{key} takes two numbers, [{names}], not {len(pair)}.")
        for span in (self.integer, self.number):
            if span is not None and span[0] > span[1]:
                raise ValueError(f"the range {list(span)} is empty. Write the smaller bound first.")
        if self.lognormal is not None and not (self.lognormal[0] > 0.0 and 0.0 <= self.lognormal[1] <= 10.0):
            raise ValueError(f"lognormal {list(self.lognormal)}: the median is above 0, sigma between 0 and 10.")
        if self.choice is not None:
            if not self.choice:
                raise ValueError("choice needs at least one value.")
            if isinstance(self.choice, Mapping):
                need_weight(self.choice.values(), "the values of choice")
            for value in self.choice:
                if "${" in str(value):
                    raise ValueError(f"choice takes plain values; nothing is computed in {value!r}.")
        return self

    @property
    def extremes(self) -> list[Any]:
        """Values that stand for all it may give: each choice, both ends of a range, the median of a lognormal."""
        if self.unique is not None:
            return [made_unique(self.unique, 1)]
        if self.choice is not None:
            return list(self.choice)
        return list(self.integer or self.number or (self.lognormal or ())[:1])


def as_draw(value: Any) -> Draw | None:
    """The random value that a mapping with a key of `Draw` stands for; `None` for any other JSON.

    Raises
    ------
    ValidationError
        If its parameters are wrong.
    """
    kinds = {name for name in Draw.model_fields if name != "weights"}
    if isinstance(value, Mapping) and (
        set(value) == {"choice", "weights"} or (len(value) == 1 and set(value) <= kinds)
    ):
        return Draw.model_validate(value)
    return None


def made_unique(value: Any, number: int) -> Any:
    """The value of one arrival: `-<number>` is added to each text, the number to each whole number, item by item."""
    (made,) = all_unique(value, (number,))
    return made


def all_unique(value: Any, numbers: Sequence[int]) -> list[Any]:
    """The same of many arrivals."""
    if isinstance(value, str):
        return [f"{value}-{number}" for number in numbers]
    if isinstance(value, int) and not isinstance(value, bool):
        return [value + number for number in numbers]
    if isinstance(value, (list, tuple)):
        columns = [all_unique(each, numbers) for each in value]
        return [[column[place] for column in columns] for place in range(len(numbers))]
    return [value for _ in numbers]
