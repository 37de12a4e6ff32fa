"""Tables for notebooks: plain HTML that is shown without trust, everything in it escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from wfsim.errors import visible

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

_LEFT, _RIGHT = ' style="text-align:left"', ' style="text-align:right"'


def escaped(text: object) -> str:
    """A text as it may stand in HTML: lines broken where it breaks them, nothing hidden in it."""
    return "<br>".join(escape(visible(line), quote=True) for line in str(text).split("\n"))


def html_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Container[int] = (),
    caption: str = "",
) -> str:
    """A table: text to the left, `numbers` (columns, counted from 0) to the right, whatever the page says."""
    side = [_RIGHT if k in numbers else _LEFT for k in range(len(heads))]
    title = f'<caption style="text-align:left;font-weight:bold">{escaped(caption)}</caption>' if caption else ""
    head = "".join(f'<th scope="col"{style}>{escaped(name)}</th>' for name, style in zip(heads, side))
    body = "".join(
        f"<tr>{''.join(f'<td{style}>{escaped(cell)}</td>' for cell, style in zip(row, side))}</tr>" for row in rows
    )
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
