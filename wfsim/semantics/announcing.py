"""A word on what takes its time once and never again. It loads nothing: those who may have to say it stay light."""

from __future__ import annotations

import sys


def announce_compiling(what: str, time: str) -> None:
    """Say on the error stream what takes its time now and never again."""
    print(f"wfsim compiles {what}; this takes {time}, once on this machine.", file=sys.stderr, flush=True)
