"""Requirements such as `p95(sojourn) < 4h`: a measure, how it compares, and a limit. Read, never evaluated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from wfsim.errors import DefinitionError, OptionError, did_you_mean, listed
from wfsim.history.measures import ENDS, number
from wfsim.history.summing import QUANTILES
from wfsim.model.duration import Duration

if TYPE_CHECKING:
    from wfsim.history.writer import Log
    from wfsim.semantics.program import Program
    from wfsim.simulation.scenario import Scenario
    from wfsim.simulation.statistics import Estimate

_SHAPE = re.compile(r"\s*(\w+)\s*\(\s*([^()]*?)\s*\)\s*(<=|>=|<|>)\s*(.+?)\s*")
_OF_POOLS = {"utilisation": ("utilisation", "share"), "mean_wait": ("wait", "s"), "mean_queue": ("queue", "")}
_HOW = (
    "Write <measure>(<of what>) <, <=, > or >= <limit>, as `p95(sojourn) < 4h`, `share(failure) < 2%`, "
    "`utilisation(packers) < 0.9`, `mean_wait(packers) < 10m` or, of an SLA, `kept(shipped) >= 95%`."
)


class Judgement(StrEnum):
    """What an interval says of a requirement."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"


@dataclass(frozen=True)
class Requirement:
    """A measure on one side of a limit.

    Attributes
    ----------
    text
        As written.
    key, unit
        Of the measure, as in `history.summary()`.
    sign
        `<`, `<=`, `>` or `>=`.
    limit
        Times in seconds.
    """

    text: str
    key: str
    unit: str
    sign: str
    limit: float

    @property
    def log(self) -> Log:
        """The log level that is enough for the measure; less to write is a third less to do."""
        return "full" if self.key.startswith("pools.") else "transitions"

    def judge(self, estimate: Estimate) -> Judgement:
        """It holds if the whole interval lies on its side of the limit, fails if the whole lies on the other."""
        if estimate.low is None or estimate.high is None:
            return Judgement.OPEN
        if self._holds(estimate.low) and self._holds(estimate.high):
            return Judgement.HOLDS
        return Judgement.OPEN if self._holds(estimate.low) or self._holds(estimate.high) else Judgement.FAILS

    def _holds(self, value: float) -> bool:
        if self.sign in ("<", "<="):
            return value < self.limit or (self.sign == "<=" and value == self.limit)
        return value > self.limit or (self.sign == ">=" and value == self.limit)

    def __str__(self) -> str:
        return f"{self.key} {self.sign} {number(self.limit, self.unit)}"


def parse_requirement(text: str, program: Program, scenario: Scenario) -> Requirement:
    """Read a requirement about a workflow in a scenario.

    Raises
    ------
    OptionError
        With what is wrong, and what there is.
    """
    shape = _SHAPE.fullmatch(text) if isinstance(text, str) else None
    if shape is None:
        raise OptionError(f"such_that={text!r} is no requirement. {_HOW}")
    measure, what, sign, limit = shape.groups()
    key, unit = _measured(text, measure, what, program, scenario)
    return Requirement(text.strip(), key, unit, sign, _limit(text, limit, unit))


def _measured(text: str, measure: str, what: str, program: Program, scenario: Scenario) -> tuple[str, str]:
    """Key and unit of a measure."""
    measures = ["mean", *QUANTILES, "share", "mean_time", *_OF_POOLS, "kept"]
    if measure in QUANTILES or measure == "mean":
        _expect(text, measure, what, ["sojourn"])
        return f"sojourn.{measure}", "s"
    if measure == "share":
        _expect(text, measure, what, ENDS)
        return f"outcomes.{ENDS[what]}", "share"
    if measure == "mean_time":
        _expect(text, measure, what, program.state_rows)
        return f"states.{what}.time", "s"
    if measure in _OF_POOLS:
        _expect(text, measure, what, scenario.pools)
        column, unit = _OF_POOLS[measure]
        return f"pools.{what}.{column}", unit
    if measure == "kept":
        _expect(text, measure, what, [sla.name for sla in scenario.slas])
        return f"slas.{what}.share", "share"
    raise OptionError(
        f"such_that={text!r}: there is no measure {measure!r}.{did_you_mean(measure, measures)} "
        f"Measures: {', '.join(measures)}."
    )


def _expect(text: str, measure: str, what: str, known: Mapping[str, object] | Sequence[str]) -> None:
    if what not in known:
        raise OptionError(
            f"such_that={text!r}: {measure} is of one of: {listed(known) or 'nothing here'}; not of {what!r}."
            f"{did_you_mean(what, known)}"
        )


def _limit(text: str, limit: str, unit: str) -> float:
    """The limit as a number, times in seconds."""
    if unit == "s":
        try:
            return int(Duration.of(limit)) / 1e6
        except DefinitionError as error:
            raise OptionError(f"such_that={text!r}: {error}") from None
    plain, percent = (limit[:-1].rstrip(), 100.0) if limit.endswith("%") else (limit, 1.0)
    if not re.fullmatch(r"\d+(\.\d+)?", plain) or (percent > 1.0 and unit != "share"):
        wanted = "a share, as 0.05 or 5%" if unit == "share" else "a number"
        raise OptionError(f"such_that={text!r}: the limit {limit!r} is not {wanted}.")
    return float(plain) / percent
