"""Numbers of a definition as the integers of a program."""

from __future__ import annotations

from decimal import Decimal

from wfsim.model.duration import Duration

from .codes import NONE

_LARGEST = 2**63 - 1


def or_none(duration: Duration | None) -> int:
    """Microseconds, -1 for none."""
    return NONE if duration is None else int(duration)


def millionths(number: Decimal) -> int:
    """A number of a definition, which has at most six decimals, in millionths."""
    return int(number * 1_000_000)


def whole_and_real(value: float, *, up: bool) -> tuple[int, float]:
    """A bound as integer (rounded inwards) and as double."""
    exact = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    whole = int(exact.to_integral_value(rounding="ROUND_CEILING" if up else "ROUND_FLOOR"))
    return max(-_LARGEST - 1, min(_LARGEST, whole)), float(value)
