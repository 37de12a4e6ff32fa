"""Checks of the names and numbers that a net is built from."""

from __future__ import annotations

import operator
from collections import Counter
from typing import TYPE_CHECKING

from wfsim.errors import NetError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_COUNT = 2**53
"""Largest weight of an arc, and most tokens in a place initially: exact in JSON and in floats."""


def plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def check_names(net: str, places: Sequence[str], transitions: Sequence[str]) -> None:
    for sort, names in (("place", places), ("transition", transitions)):
        for given in names:
            if not isinstance(given, str) or not given:
                raise NetError(f"net {net!r}: the name of a {sort} must be a text of at least one sign, not {given!r}.")
        for repeated, n in Counter(names).items():
            if n > 1:
                raise NetError(f"net {net!r}: {n} {sort}s are called {repeated!r}. Names must differ.")
    known = set(places)
    for transition in transitions:
        if transition in known:
            raise NetError(f"net {net!r}: {transition!r} names a place and a transition. Rename one of them.")


def checked_count(value: int, what: str, quantity: str, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise NetError(f"{what}: {quantity} must be a whole number, not {value!r}.") from None
    if isinstance(value, bool) or not least <= number <= MAX_COUNT:
        raise NetError(f"{what}: {quantity} must be from {least} to 2**53, not {value!r}.")
    return number


def checked_tokens(value: int, place: str) -> int:
    # Firing may exceed the limit for files, so a marking is bounded below only.
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise NetError(f"place {place!r}: number of tokens must be a whole number, not {value!r}.")
    number = operator.index(value)
    if number < 0:
        raise NetError(f"place {place!r}: number of tokens must not be negative, but is {number}.")
    return number
