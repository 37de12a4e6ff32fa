"""Text in pictures: what may be shown, how wide it is, where it breaks.

Pictures are laid out without a font engine, so that they come out the same on every machine. Widths are
those of DejaVu Sans, the widest of the usual screen fonts; a narrower one leaves some air, none runs over a
border.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

LINE_HEIGHT = 1.3
"""Distance between two baselines, in font sizes."""

ELLIPSIS = "…"

# Advance widths of DejaVu Sans in 1/2048 em, from the space (U+0020) to the tilde (U+007E).
_ADVANCES = (
    651, 821, 942, 1716, 1303, 1946, 1597, 563, 799, 799, 1024, 1716, 651, 739, 651, 690,
    1303, 1303, 1303, 1303, 1303, 1303, 1303, 1303, 1303, 1303, 690, 690, 1716, 1716, 1716, 1087,
    2048, 1401, 1405, 1430, 1577, 1294, 1178, 1587, 1540, 604, 604, 1343, 1141, 1767, 1532, 1612,
    1235, 1612, 1423, 1300, 1251, 1499, 1401, 2025, 1403, 1251, 1403, 799, 690, 799, 1716, 1024,
    1024, 1255, 1300, 1126, 1300, 1260, 721, 1300, 1298, 569, 569, 1186, 569, 1995, 1298, 1253,
    1300, 1300, 842, 1067, 803, 1298, 1212, 1675, 1212, 1212, 1075, 1303, 690, 1303, 1716,
)  # fmt: skip

# Formatting characters that letters and emoji need; the others in category Cf reorder or hide text.
_JOINERS = "\u200c\u200d"
_MAX_MARKS = 3
_BREAK_AFTER = frozenset(" _-./:,;|&=)]}>")


def clean(text: str) -> str:
    """Text that is safe to show: one line, no control, bidirectional-override or invalid characters.

    White space of any kind becomes one space, every other character that is invisible, unassigned by XML or
    able to reorder its surroundings becomes U+FFFD, and of a pile of combining marks the first three stay.
    """
    shown: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if category.startswith("M"):
            marks += 1
            if marks > _MAX_MARKS:
                continue
        else:
            marks = 0
        if char.isspace() or category in {"Zl", "Zp"}:
            shown.append(" ")
        elif char in _JOINERS:
            shown.append(char)
        elif category in {"Cc", "Cf", "Cs"} or ord(char) & 0xFFFE == 0xFFFE:
            shown.append("\ufffd")
        else:
            shown.append(char)
    return " ".join("".join(shown).split())


@lru_cache(maxsize=4096)
def _em(char: str) -> float:
    """Width of one character in font sizes."""
    code = ord(char)
    if 0x20 <= code <= 0x7E:
        return _ADVANCES[code - 0x20] / 2048
    category = unicodedata.category(char)
    if category.startswith("M") or char in _JOINERS:
        return 0.0
    if code >= 0x1F000:
        return 1.4
    if unicodedata.east_asian_width(char) in "WF":
        return 1.05
    # An accented letter is as wide as its base; a ligature at most as wide as its parts.
    parts = unicodedata.normalize("NFKD", char)
    if parts != char:
        return sum(_em(part) for part in parts)
    if category in {"Ll", "Lm", "Nd"}:
        return 0.75
    return 1.0


def text_width(text: str, size: float) -> float:
    """Upper estimate of the width of `text` in pixels, at font size `size` in pixels."""
    return size * sum(_em(char) for char in text)


def wrap(text: str, size: float, limit: float, max_lines: int) -> tuple[str, ...]:
    """Break `text` into at most `max_lines` lines no wider than `limit` pixels.

    Lines break after spaces and punctuation such as `_` and `.`, and anywhere in a word wider than `limit`.
    Of what does not fit the end is shown, after an ellipsis in the last line: long names often differ there. The
    text is cleaned first; an empty text gives no lines. Cost is bounded by what can be shown, not by the length of
    the text.
    """
    # No visible character is narrower than 0.27 em; combining marks multiply that at most by four.
    most = 4 * (int(max_lines * limit / (0.27 * size)) + 8)
    # A few ligatures are as wide as a sentence.
    shown = _narrow(text[:most], size, limit)
    cut = len(text) > most
    lines: list[str] = []
    rest = shown
    while rest and len(lines) < max_lines:
        end = _fitting(rest, size, limit)
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    if rest or cut:
        before = lines[-1] if lines and max_lines == 1 else ""
        after = _narrow(text[-most:], size, limit)
        # Half of an only line is for how the text begins.
        before = before[: _filling(before, size, (limit - text_width(ELLIPSIS, size)) / 2)].rstrip()
        room = limit - text_width(before + ELLIPSIS, size)
        kept = _filling(after[::-1], size, room)
        lines[-1:] = [before + ELLIPSIS + after[len(after) - kept :].lstrip()]
    return tuple(lines)


def _narrow(text: str, size: float, limit: float) -> str:
    """A text that is safe to show, without the few ligatures that are as wide as a sentence."""
    return "".join(char if size * _em(char) <= limit else "\ufffd" for char in clean(text))


def _filling(text: str, size: float, room: float) -> int:
    """How many leading characters of a text have room beside each other."""
    used = 0.0
    for index, char in enumerate(text):
        used += size * _em(char)
        if used > room:
            return index
    return len(text)


def _fitting(text: str, size: float, limit: float) -> int:
    """How many leading characters of `text` make up the next line; at least one."""
    used = 0.0
    breakable = 0
    for index, char in enumerate(text):
        step = size * _em(char)
        if used + step > limit and index > 0 and char != " ":
            return breakable or index
        used += step
        if char in _BREAK_AFTER:
            breakable = index + 1
    return len(text)
