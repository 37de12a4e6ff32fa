"""Tables in a terminal: no word is broken, whatever the width."""

from __future__ import annotations

import pytest
from rich.console import Console

from wfsim.commands.printing import show_table

HEADS = [("activity", False), ("attempts", True), ("p95_wait", True), ("p50_service", True), ("total_delay", True)]
ROWS = [
    ["allocate_inventory", "184", "0 s", "21.7 s", "2.46 min"],
    ["notify_customer", "1,361", "12.5 min", "138 ms", "12 s"],
]


@pytest.mark.parametrize("width", [40, 50, 60, 80, 120])
def test_no_word_is_broken_and_no_line_too_long(width: int) -> None:
    out = Console(width=width, record=True)
    with out.capture() as shown:
        show_table(out, "activities", ROWS, HEADS)
    lines = [line.rstrip() for line in shown.get().splitlines()]
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    for row in ROWS:
        for cell in row:
            assert any(cell in line for line in lines), cell
    for head in ("activity", "attempts", "p95", "wait", "service", "total", "delay"):
        assert head in words
    assert ("activities, continued" in lines) == (width < 80)
    # What is continued has the first column again.
    assert words.count("allocate_inventory") == words.count("activity")


def test_numbers_stand_to_the_right_below_their_heads() -> None:
    out = Console(width=80)
    with out.capture() as shown:
        show_table(out, "t", [["a", "7"], ["b", "1,000"]], [("name", False), ("cases", True)])
    ends = [len(line.rstrip()) for line in shown.get().splitlines() if line.strip() and "─" not in line][1:]
    assert len(set(ends)) == 1
