"""How far a search may go: what a question about a net hands on to each search that it needs."""

from __future__ import annotations

from typing import TypedDict

DEFAULT_MEMORY = 2**31
"""Bytes that a search may take unless told otherwise."""

MAX_MARKINGS = 1_000_000
"""Markings that a search may find unless told otherwise."""


class SearchLimits(TypedDict):
    """Parameters of `explore` that a question about a net hands on to each search."""

    max_markings: int
    max_seconds: float | None
    max_memory: int
    progress: bool


def check_limits(max_markings: int, max_memory: int) -> None:
    """Refuse limits that not even the initial marking keeps."""
    if max_markings < 1:
        raise ValueError(f"max_markings must be at least 1, not {max_markings}.")
    if max_memory < 1:
        raise ValueError(f"max_memory must be at least 1 byte, not {max_memory}.")
