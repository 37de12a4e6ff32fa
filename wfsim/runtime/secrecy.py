"""Secrets are kept out of whatever is stored: what echoes one has *** in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from wfsim.model.values import Value

MASK = "***"
ESCAPES = 8
"""So many backslashes stand before an escaped character at most: JSON in JSON in JSON has seven.

Without a bound, a text of nothing but backslashes would be looked through to its end for each of them."""
SPELT = 2 * (ESCAPES + 5)
"""A character of a secret is spelt in so many at most."""


class Secrets:
    """The secrets of one attempt, and *** in the place of them.

    A secret is known as it is, percent-encoded, and escaped as JSON, HTML and shells do, also several times over. Who
    turns it round or sends it letter by letter is not seen through.

    Parameters
    ----------
    values
        By name.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)
        # The longest first: one may be part of another.
        known = sorted(set(self.values.values()), key=lambda each: (-len(each), each))
        self.longest = SPELT * max(map(len, known), default=0)
        """So many characters one may take in a text."""
        self._pattern = re.compile("|".join(map(_spellings, known))) if known else None

    def __repr__(self) -> str:
        return f"<Secrets {', '.join(self.values) or 'none'}>"

    def masked(self, text: str, *, cut_before: bool = False, cut_after: bool = False) -> str:
        """A text without secrets; where it was cut at an end, without what might be part of one."""
        if self._pattern is None:
            return text
        first = self.longest if cut_before else 0
        last = len(text) - self.longest if cut_after else len(text)
        parts, at = [], 0
        for found in self._pattern.finditer(text):
            parts += [text[max(at, first) : min(found.start(), last)], MASK]
            at = found.end()
        return "".join([*parts, text[max(at, first) : max(last, 0)]])

    def masked_value(self, value: Value) -> Value:
        """A JSON value, of bounded depth, without secrets in its texts, keys and numbers."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.masked(value)
        if isinstance(value, list):
            return [self.masked_value(each) for each in value]
        if isinstance(value, Mapping):
            return {self.masked(key): self.masked_value(each) for key, each in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool) and self._pattern.search(repr(value)):
            return MASK
        return value


def _spellings(secret: str) -> str:
    """A pattern of all spellings of a text."""
    return "".join(map(_spelling, secret))


def _spelling(sign: str) -> str:
    if sign.isascii() and sign.isalnum():
        return sign
    units = sign.encode("utf-16-be")
    escape = rf"\\{{1,{ESCAPES}}}"
    escaped = "".join(rf"{escape}u(?i:{units[k : k + 2].hex()})" for k in range(0, len(units), 2))
    percent = f"(?i:{re.escape(quote(sign, safe='') if quote(sign, safe='') != sign else f'%{ord(sign):02X}')})"
    short = {"\n": f"|{escape}n", "\t": f"|{escape}t", "\r": f"|{escape}r", " ": r"|\+"}.get(sign, "")
    return rf"(?:\\{{0,{ESCAPES}}}{re.escape(sign)}|{percent}|{escaped}|&#?\w{{1,8}};{short})"
