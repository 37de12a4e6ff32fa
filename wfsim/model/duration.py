"""Durations: integer microseconds inside, `90s`, `2h`, `14d` in files (M6.1)."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal, localcontext
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler  # noqa: TC002  (pydantic reads the annotations)
from pydantic.json_schema import JsonSchemaValue  # noqa: TC002
from pydantic_core import core_schema

from wfsim.errors import DefinitionError
from wfsim.model.values import brief

UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
LONGEST = 100 * 366 * UNITS["d"]
_LONGEST_TEXT = 60
_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d|w)")


class Duration(int):
    """A length of time in whole microseconds, at most a hundred years.

    `Duration.of` reads what people write: `"90s"`, `"1h30m"`, `"1.5h"`, seconds as a number, a `timedelta`.
    As an `int` it is microseconds; as text it is the shortest exact spelling.

    >>> Duration.of("1h30m")
    Duration('90m')
    >>> int(Duration.of(2.5))
    2500000
    """

    @classmethod
    def of(cls, value: object) -> Duration:
        """Read a duration; a bare number means seconds.

        Raises
        ------
        DefinitionError
            For negative, non-finite, over-long or finer than a microsecond values, and unknown units.
        """
        if isinstance(value, Duration):
            return value
        if isinstance(value, timedelta):
            exact = Decimal(value // timedelta(microseconds=1))
        elif isinstance(value, bool):
            raise DefinitionError(f"{brief(value)} is not a duration. Write 90s, 2h, 14d, or a number of seconds.")
        elif isinstance(value, (int, float, Decimal)):
            if isinstance(value, float | Decimal) and not Decimal(value).is_finite():
                raise DefinitionError(f"the duration {value} is not finite.")
            # Compared before anything is computed: a product beyond the range of decimals has no value.
            if not 0 <= value <= LONGEST:
                raise _outside(value)
            exact = Decimal(str(value)) * 1_000_000
        elif isinstance(value, str):
            exact = _parse(value)
        else:
            raise DefinitionError(f"{brief(value)} is not a duration. Write 90s, 2h, 14d, or a number of seconds.")
        if exact < 0 or exact > LONGEST:
            raise _outside(value)
        if exact != exact.to_integral_value():
            raise DefinitionError(f"the duration {_told(value)} is finer than a microsecond.")
        return cls(int(exact))

    def __str__(self) -> str:
        for unit in ("d", "h", "m", "s", "ms"):
            if self and self % UNITS[unit] == 0:
                return f"{int(self) // UNITS[unit]}{unit}"
        return f"{int(self)}us" if self else "0s"

    def spelled(self) -> str:
        """Exactly, as people write it: each unit from the largest on, where `str` has one number.

        >>> Duration.of("1170m").spelled()
        '19h30m'
        """
        rest, parts = int(self), list[str]()
        for unit in ("d", "h", "m", "s", "ms", "us"):
            count, rest = divmod(rest, UNITS[unit])
            parts += [f"{count}{unit}"] if count else []
        return "".join(parts) or str(self)

    def about(self) -> str:
        """For people who want to know roughly: the two largest units, cut off.

        >>> Duration(86_390_004_555).about()
        '23h 59m'
        >>> Duration.of("1500ms").about()
        '1s 500ms'
        """
        rest = int(self)
        parts: list[str] = []
        for unit in ("d", "h", "m", "s", "ms"):
            count, rest = divmod(rest, UNITS[unit])
            if count or parts:
                parts.append(f"{count}{unit}" if count else "")
            if len(parts) == 2:
                break
        return " ".join(part for part in parts if part) or str(self)

    def __repr__(self) -> str:
        return f"Duration({str(self)!r})"

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        text = {"type": "string", "pattern": rf"^( *{_PART.pattern} *)+$", "examples": ["90s", "2h", "14d"]}
        return {"anyOf": [text, {"type": "number", "minimum": 0}]}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _for_pydantic, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


def time_text(microseconds: int) -> str:
    """A point or length of time: `0:00:01`, `2:00:00`, `14d 0:00:00`, with decimals where they count."""
    seconds, rest = divmod(microseconds, UNITS["s"])
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    fraction = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{f'{days}d ' if days else ''}{hours}:{minutes:02d}:{seconds:02d}{fraction}"


def short_time(microseconds: float) -> str:
    """A duration as people say it: `340 ms`, `2.5 s`, `3.1 h`, `12 d`."""
    for unit, size in (("d", 86_400e6), ("h", 3_600e6), ("min", 60e6), ("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            count = microseconds / size
            return f"{count:,.0f} {unit}" if count >= 999.5 else f"{count:.3g} {unit}"
    return f"{microseconds:.0f} µs" if microseconds else "0 s"


def _for_pydantic(value: object) -> Duration:
    try:
        return Duration.of(value)
    except DefinitionError as error:
        raise ValueError(str(error)) from None


def _outside(value: object) -> DefinitionError:
    return DefinitionError(f"the duration {_told(value)} is outside 0 .. 100 years.")


def _told(value: object) -> str:
    return str(value) if isinstance(value, str | float | timedelta) else brief(value)


def _parse(text: str) -> Decimal:
    if len(text) > _LONGEST_TEXT:
        raise DefinitionError(f"{brief(text)} is not a duration: it has more than {_LONGEST_TEXT} characters.")
    parts = _PART.findall(text.replace(" ", ""))
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        raise DefinitionError(
            f"{text!r} is not a duration. Write a number and a unit (us, ms, s, m, h, d, w): 90s, 2h, 1h30m, 14d."
        )
    with localcontext(prec=3 * _LONGEST_TEXT):
        return sum((Decimal(number) * UNITS[unit] for number, unit in parts), Decimal(0))
