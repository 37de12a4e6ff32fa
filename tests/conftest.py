"""Which tests `make test` leaves to `make test-long`, besides those that say so of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

LONG = Path(__file__).with_name("long.txt")


def long_tests() -> list[str]:
    """The tests named in `long.txt`, which `python -m tests.durations` writes."""
    return [line for line in LONG.read_text().splitlines() if line]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them before those with the mark are left out."""
    named = set(long_tests())
    for item in items:
        if item.nodeid in named:
            item.add_marker(pytest.mark.long)
