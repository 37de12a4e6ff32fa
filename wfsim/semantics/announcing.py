"""A word on what takes its time once and never again; it loads nothing, so that who only may have to say it stays light."""

from __future__ import annotations

import sys


def announce_compiling(what: str, time: str) -> None:
    """Say on the error stream what takes its time now and never again."""
    print(f"wfsim compiles {what}; this takes {time}, once on this machine.", file=sys.stderr, flush=True)
