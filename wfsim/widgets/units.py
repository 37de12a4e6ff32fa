"""What a knob counts in: how its values are said, read from what a person types, and written in a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Protocol

from wfsim.errors import DefinitionError, WfsimError, listed
from wfsim.model.duration import UNITS, Duration

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 40
_RATE = re.compile(r"([^/]+)/\s*(us|ms|s|m|h|d|w)")


class Unit(Protocol):
    """How values of a knob are said, read and written."""

    def told(self, value: float) -> str:
        """For people."""
        ...

    def read(self, text: str) -> float:
        """From what a person types; `WfsimError` if that is no value."""
        ...

    def of(self, number: float) -> float:
        """From a number as a file may have it; `WfsimError` if that is no value."""
        ...

    def written(self, value: float) -> Any:
        """As a file has it."""
        ...


@dataclass(frozen=True)
class Times:
    """Durations, in microseconds."""

    def told(self, value: float) -> str:
        return Duration(round(value)).spelled()

    def read(self, text: str) -> float:
        return self._of(text.strip())

    def of(self, number: float) -> float:
        return self._of(number)

    def _of(self, value: str | float) -> float:
        try:
            return int(Duration.of(value))
        except DefinitionError as error:
            raise WfsimError(str(error)) from None

    def written(self, value: float) -> Any:
        return str(Duration(round(value)))


@dataclass(frozen=True)
class Rate:
    """So many in a unit of time: `240/h`."""

    per: str

    def told(self, value: float) -> str:
        return f"{_plain(value)}/{self.per}"

    def read(self, text: str) -> float:
        match = _RATE.fullmatch(text.strip())
        if match is None:
            return _number(text, f"a rate as 120, or 120/{self.per}")
        found = Decimal(str(_number(match[1], f"a rate as 120, or 120/{self.per}")))
        return float(found * UNITS[self.per] / UNITS[match[2]])

    def of(self, number: float) -> float:
        return number

    def written(self, value: float) -> Any:
        return self.told(value)


@dataclass(frozen=True)
class Count:
    """Whole numbers of something."""

    one: str
    many: str

    def told(self, value: float) -> str:
        return f"{round(value):,} {self.one if round(value) == 1 else self.many}"

    def read(self, text: str) -> float:
        return self.of(_number(text.removesuffix(self.many).removesuffix(self.one), f"a whole number of {self.many}"))

    def of(self, number: float) -> float:
        if number != round(number):
            raise WfsimError(f"{number:g} is no whole number of {self.many}.")
        return number

    def written(self, value: float) -> Any:
        return round(value)


@dataclass(frozen=True)
class Share:
    """Shares, from 0 to 1; said and read in percent."""

    def told(self, value: float) -> str:
        return f"{_plain(100 * value)} %"

    def read(self, text: str) -> float:
        return float(Decimal(str(_number(text.strip().removesuffix("%"), "a share in percent, as 2.5 %"))) / 100)

    def of(self, number: float) -> float:
        return number

    def written(self, value: float) -> Any:
        return value


@dataclass(frozen=True)
class Factor:
    """So many times what it was."""

    def told(self, value: float) -> str:
        return f"× {_plain(value)}"

    def read(self, text: str) -> float:
        return _number(text.strip().removeprefix("×").removeprefix("x"), "a factor, as 1.5")

    def of(self, number: float) -> float:
        return number

    def written(self, value: float) -> Any:
        return value


@dataclass(frozen=True)
class Choice:
    """One of several texts, by its place."""

    options: Sequence[str]

    def told(self, value: float) -> str:
        return self.options[int(value)]

    def read(self, text: str) -> float:
        if text not in self.options:
            raise WfsimError(f"{text[:_LONGEST]!r} is none of {listed(self.options, 8)}.")
        return list(self.options).index(text)

    def of(self, number: float) -> float:
        if number != round(number):
            raise WfsimError(f"{number:g} is no place among {len(self.options)}.")
        return number

    def written(self, value: float) -> Any:
        return self.told(value)


def rounded(value: float) -> float:
    """Six digits of a number, which is what `told` shows of it."""
    return float(f"{value:.6g}")


def _plain(value: float) -> str:
    """Six digits, never with an exponent."""
    text = format(Decimal(f"{value:.6g}"), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number(text: str, wanted: str) -> float:
    told = text.strip().replace(",", "").replace("\N{NO-BREAK SPACE}", "")
    try:
        found = Decimal(told) if len(told) <= _LONGEST and told.isascii() else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite() or abs(found) > Decimal("1e15"):
        raise WfsimError(f"{text[:_LONGEST]!r} cannot be read. Write {wanted}.")
    return float(found)
