"""Constants cut the values of a type into cells that no comparison tells apart: one value of each cell.

A cell is a constant itself, or what lies between two neighbouring ones, or beyond the outermost.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterable
from typing import Any

from wfsim.model.elements import Variable
from wfsim.model.evaluate import fit
from wfsim.model.values import LARGEST_INTEGER, SMALLEST_INTEGER, EvaluationFault, ValueType

PLAIN: dict[ValueType, Any] = {
    ValueType.STRING: "text",
    ValueType.INTEGER: 1,
    ValueType.TIMESTAMP: 86_400_000_000,
    ValueType.NUMBER: 1.0,
    ValueType.BOOLEAN: True,
    ValueType.LIST: [],
    ValueType.OBJECT: {},
    ValueType.ANY: "text",
}
"""A value of each type, where any will do."""

TELLING_INTEGERS = (0, 1, -1, LARGEST_INTEGER, SMALLEST_INTEGER)
TELLING_NUMBERS = (0.0, 1.0, -1.0, sys.float_info.max, -sys.float_info.max)
"""With these arithmetic fails if it ever does by division or overflow, or nearly so."""


def numbers(constants: Iterable[Any], kind: ValueType) -> list[Any]:
    """One number of each cell, in order: integers for an integer, doubles for a number; none if there is no cut."""
    found = sorted({c for c in constants if isinstance(c, (int, float)) and not isinstance(c, bool)})
    if not found:
        return []
    if kind is ValueType.INTEGER or (kind is ValueType.ANY and all(isinstance(c, int) for c in found)):
        near = {whole for c in found for whole in (math.floor(c) - 1, math.floor(c), math.floor(c) + 1)}
        return [whole for whole in sorted(near) if SMALLEST_INTEGER <= whole <= LARGEST_INTEGER]
    if kind not in (ValueType.NUMBER, ValueType.ANY):
        return []
    # A constant that is no double stands for the nearest one, which lies beside it.
    reals = sorted({float(c) for c in found})
    low, high = reals[0], reals[-1]
    ends = [min(low - 1.0, math.nextafter(low, -math.inf)), max(high + 1.0, math.nextafter(high, math.inf))]
    between = [left / 2 + right / 2 for left, right in itertools.pairwise(reals)]
    return [real for real in sorted({*reals, *ends, *between}) if math.isfinite(real)]


def texts(constants: Iterable[Any], ordered: bool, n_others: int = 1) -> list[str]:
    """Texts of each cell: where texts are only compared for equality, all but the constants are one cell.

    Of that one cell, `n_others` texts (at least one): as many as are compared with each other at a time.
    """
    found = sorted({c for c in constants if isinstance(c, str)})
    if ordered and found:
        # The least text of all, and the next one after each constant.
        return sorted({"", *found, *(text + "\0" for text in found)})
    for _ in range(max(n_others, 1)):
        found.append(fresh(PLAIN[ValueType.STRING], found))
    return found


def fresh(text: str, taken: Iterable[str]) -> str:
    """The text, with a number behind it if it is taken."""
    names = set(taken)
    numbered = (f"{text} {n}" for n in itertools.count(2))
    return next(each for each in itertools.chain([text], numbered) if each not in names)


def fitting(values: Iterable[Any], variable: Variable) -> list[Any]:
    """The values that the variable accepts, as it keeps them: within its range, of its type, and each once."""
    kept: list[Any] = []
    for value in values:
        try:
            kept.append(fit(variable, value))
        except EvaluationFault:
            continue
    return distinct(kept)


def distinct(values: Iterable[Any]) -> list[Any]:
    """Each value once; `1`, `1.0` and `True` are three."""
    return list({repr(value): value for value in values}.values())
