"""How each role looks: one table, for light and dark pages.

Hues are those of Okabe and Ito [1]_, told apart by colour-blind eyes; where one is too faint for a page, its
partner in the palette takes over. Colour is never the only sign: roles differ in dash, width or badge too.

References
----------
.. [1] Okabe and Ito (2008), Color Universal Design.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from wfsim.drawing.graph import LineStyle, Role

Badge = Literal["play", "alert", "check", "cross", "seen"]


@dataclass(frozen=True)
class Tone:
    """One colour on a light page and on a dark one."""

    light: str
    dark: str


@dataclass(frozen=True)
class Look:
    """Looks of a role: colour of lines and of the inside, line width in pixels, dash pattern, badge."""

    line: Tone
    fill: Tone
    width: float = 1.5
    dash: str = ""
    badge: Badge | None = None


PAGE = Tone("#ffffff", "#111111")
INK = Tone("#1a1a1a", "#f2f2f2")
FRAME = Tone("#767676", "#8c8c8c")

_GREY = Tone("#555555", "#b4b4b4")
_GREEN = Tone("#009e73", "#009e73")
_BLUE = Tone("#0072b2", "#56b4e9")
_VERMILLION = Tone("#d55e00", "#d55e00")
_PURPLE = Tone("#cc79a7", "#cc79a7")

_PLAIN = Tone("#f4f4f4", "#262626")
_ALARM = Tone("#fbe3d3", "#47220a")

LOOKS: dict[Role, Look] = {
    "state": Look(_GREY, _PLAIN),
    "initial": Look(INK, _PLAIN, width=2.5),
    "terminal_success": Look(_GREEN, Tone("#e1f4ed", "#0c3328"), width=2, badge="check"),
    "terminal_failure": Look(_VERMILLION, _ALARM, width=2, badge="cross"),
    "active": Look(_BLUE, Tone("#cfe6f7", "#0c3d5e"), width=3.5, badge="play"),
    "visited": Look(_BLUE, Tone("#edf5fb", "#15283a"), width=2.5, badge="seen"),
    "problem": Look(_VERMILLION, _ALARM, width=3.5, dash="9 3", badge="alert"),
    "place": Look(_GREY, PAGE),
    "transition": Look(INK, Tone("#e4e4e4", "#363636"), width=1.75),
    "timer": Look(_PURPLE, Tone("#faeef5", "#3a2230"), width=2, dash="6 4"),
    "error": Look(_VERMILLION, _ALARM, width=2, dash="8 3 2 3"),
    "automatic": Look(_GREY, _PLAIN, width=2, dash="2 4"),
    "event": Look(_GREY, _PLAIN),
}

SHADE_TONES: dict[int, Tone] = {
    1: Tone("#9ecae1", "#2b5d82"),
    2: Tone("#6baed6", "#3f7fae"),
    3: Tone("#3182bd", "#5aa3d6"),
    4: Tone("#08519c", "#8cc3ea"),
    5: Tone("#08306b", "#c6e3f7"),
    -1: Tone("#fdbe85", "#7a4a1f"),
    -2: Tone("#fd8d3c", "#a8642a"),
    -3: Tone("#e6550d", "#d58436"),
    -4: Tone("#a63603", "#eea763"),
    -5: Tone("#7f2704", "#f9cfa5"),
}
"""Colours of what there is more of, and, below zero, less."""
SHADED = 4.0
"""Width of a shaded border, in pixels."""


def shade_name(shade: int) -> str:
    """What style sheets call a shade."""
    return f"{'more' if shade > 0 else 'less'}-{abs(shade)}"


STYLE_DASHES: dict[LineStyle, str] = {"solid": "", "dashed": "7 4", "dotted": "2 3"}

# Badges are drawn, not written, in a circle of this radius around the origin: no font need have them.
BADGES: dict[Badge, str] = {
    "play": "M-2.5 -4L4 0L-2.5 4Z",
    "alert": "M-1 -5H1V1H-1ZM-1 2.6H1V4.6H-1Z",
    "check": "M-4.5 0L-3 -1.5L-1.2 0.3L3 -4L4.5 -2.5L-1.2 3.3Z",
    "cross": "M-3.6 -2.2L-2.2 -3.6L3.6 2.2L2.2 3.6ZM2.2 -3.6L3.6 -2.2L-2.2 3.6L-3.6 2.2Z",
    "seen": "M-3.2 0A3.2 3.2 0 1 0 3.2 0A3.2 3.2 0 1 0 -3.2 0Z",
}
