"""Which tests `make test` leaves to `make test-ci` and `make test-long`, besides those that say so of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

LISTS = {mark: Path(__file__).with_name(f"{mark}.txt") for mark in ("long", "ci")}


def listed(mark: str) -> list[str]:
    """The tests that have a mark as its file names them, which `python -m tests.durations` writes."""
    return [line for line in LISTS[mark].read_text().splitlines() if line]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them before those with a mark are left out."""
    marks = {name: mark for mark in LISTS for name in listed(mark)}
    for item in items:
        if item.nodeid in marks:
            item.add_marker(marks[item.nodeid])
