r"""Patterns of texts: a small, decidable part of regular expressions, matched without going back.

A pattern is a sequence of signs, each a character that stands for itself, `\` and a character, `.` for any one, or a
class such as `[a-z0-9_]` or `[^/]`; each may be followed by `?`, `*`, `+`, `{n}` or `{n,m}`. The whole text must match.
There are no groups and no choices, so whether two patterns have a text in common is decided (`meet`).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

LONGEST_MATCHED = 1_000
"""Characters of a text that has a pattern."""
MOST_PLACES = 200
"""Signs of a pattern, each counted as often as `{n,m}` lets it occur."""
HIGHEST = 0x10FFFF

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points, as ranges that include their ends, in order and apart."""

_SIGN = re.compile(
    r"\\(?P<escaped>.)|\[(?P<not>\^?)(?P<class>(?:\\.|[^\]\\])+)\]|(?P<any>\.)|(?P<plain>[^\\\[\](){}*+?|^$])", re.S
)
_TIMES = re.compile(r"(?P<sign>[?*+])|\{(?P<low>[0-9]{1,4})(?P<more>,(?P<high>[0-9]{1,4}))?\}")
_IN_CLASS = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?", re.S)


@dataclass(frozen=True, slots=True)
class Place:
    """One sign of a pattern: which characters, and whether it may be left out or repeated without end."""

    ranges: Ranges
    optional: bool = False
    repeated: bool = False

    def takes(self, code: int) -> bool:
        """Whether a character is one of them."""
        return any(low <= code <= high for low, high in self.ranges)


@lru_cache(maxsize=1_024)
def places(pattern: str) -> tuple[Place, ...]:
    """The signs of a pattern.

    Raises
    ------
    ValueError
        With advice, if it is none.
    """
    found: list[Place] = []
    at = 0
    while at < len(pattern):
        sign = _SIGN.match(pattern, at)
        if sign is None:
            raise ValueError(
                f"{pattern[:60]!r} is not a pattern: {pattern[at]!r} at character {at + 1}. Write characters, . for "
                r"any, classes such as [a-z0-9], and ? * + {n} {n,m} behind one; \ before a sign that is meant itself."
            )
        times = _TIMES.match(pattern, sign.end())
        at = times.end() if times is not None else sign.end()
        found += _repeated(_ranges(pattern, sign), times, pattern)
        if len(found) > MOST_PLACES:
            raise ValueError(f"the pattern {pattern[:60]!r} has more than {MOST_PLACES} signs. Write + or * for many.")
    return tuple(found)


def _repeated(ranges: Ranges, times: re.Match[str] | None, pattern: str) -> list[Place]:
    if times is None:
        return [Place(ranges)]
    if times["sign"] is not None:
        return [Place(ranges, optional=times["sign"] in "?*", repeated=times["sign"] in "*+")]
    low = int(times["low"])
    high = int(times["high"]) if times["more"] is not None else low
    if high < low:
        raise ValueError(f"the pattern {pattern[:60]!r}: {times.group()} begins above its end.")
    return [Place(ranges)] * low + [Place(ranges, optional=True)] * (high - low)


def _ranges(pattern: str, sign: re.Match[str]) -> Ranges:
    if sign["any"] is not None:
        return ((0, HIGHEST),)
    if sign["class"] is None:
        code = ord(sign["escaped"] or sign["plain"])
        return ((code, code),)
    ends = []
    for first, last in _IN_CLASS.findall(sign["class"]):
        low, high = ord(first[-1]), ord((last or first)[-1])
        if high < low:
            raise ValueError(f"the pattern {pattern[:60]!r}: the range {first}-{last} begins above its end.")
        ends.append((low, high))
    return _others(_sorted(ends)) if sign["not"] else _sorted(ends)


def _sorted(ends: list[tuple[int, int]]) -> Ranges:
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ends):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


def _others(ranges: Ranges) -> Ranges:
    ends = [-1, *(end for each in ranges for end in each), HIGHEST + 1]
    gaps = [(low + 1, high - 1) for low, high in zip(ends[::2], ends[1::2], strict=True)]
    return tuple((low, high) for low, high in gaps if low <= high)


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches; a longer one than `LONGEST_MATCHED` does not."""
    signs = places(pattern)
    if len(text) > LONGEST_MATCHED:
        return False
    here = set(_reached(signs, 0))
    for character in text:
        code = ord(character)
        here = {k for at in here for k in _after(signs, at, code)}
    return len(signs) in here


def _reached(signs: tuple[Place, ...], at: int) -> Iterator[int]:
    """The places where one may stand without reading on."""
    yield at
    while at < len(signs) and signs[at].optional:
        at += 1
        yield at


def _after(signs: tuple[Place, ...], at: int, code: int) -> Iterator[int]:
    if at < len(signs) and signs[at].takes(code):
        yield from _reached(signs, at + 1)
        if signs[at].repeated:
            yield from _reached(signs, at)


def meet(first: str, second: str) -> str | None:
    """The shortest text that matches both patterns, which may be one; `None` if there is none."""
    one, two = places(first), places(second)
    waiting = deque((a, b, "") for a in _reached(one, 0) for b in _reached(two, 0))
    seen = {(a, b) for a, b, _ in waiting}
    while waiting:
        a, b, text = waiting.popleft()
        if a == len(one) and b == len(two):
            return text
        if a == len(one) or b == len(two):
            continue
        code = _common(one[a].ranges, two[b].ranges)
        if code is None:
            continue
        for pair in ((x, y) for x in _after(one, a, code) for y in _after(two, b, code)):
            if pair not in seen:
                seen.add(pair)
                waiting.append((*pair, text + chr(code)))
    return None


def _common(first: Ranges, second: Ranges) -> int | None:
    """A character that both have, a letter if there is one."""
    common = [(max(a, c), min(b, d)) for a, b in first for c, d in second if max(a, c) <= min(b, d)]
    if not common:
        return None
    wanted = (ord("a"), ord("A"), ord("0"))
    return next((code for code in wanted if any(low <= code <= high for low, high in common)), common[0][0])
