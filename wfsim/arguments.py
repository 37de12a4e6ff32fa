"""What public functions are given, looked at where it comes in: a wrong sort of thing is told in one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from reprlib import repr as short
from typing import Any

from wfsim.errors import OptionError


def expect(value: object, kind: type | tuple[type, ...], what: str, advice: str) -> None:
    """Refuse what is no `kind`.

    Parameters
    ----------
    what
        What takes it and what it takes, as `"lint takes a Workflow"`.
    advice
        How to come by one.

    Raises
    ------
    TypeError
        Saying both, and what was given.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{what}, not {short(value)}. {advice}")


def as_path(value: Any, what: str) -> Path:
    """The path of a file; `what` takes it, as `"load"`.

    Raises
    ------
    TypeError
        If it is no path.
    OptionError
        If it holds a NUL, which no path can.
    """
    expect(value, (str, os.PathLike), f"{what} takes the path of a file", "Give it as text or as a pathlib.Path.")
    if "\0" in os.fspath(value):
        raise OptionError(f"{what}: {value!r} is no path, as it holds a NUL.")
    return Path(value)


def listed_in(value: Any, what: str, advice: str) -> list[Any]:
    """What is in an iterable that is no text; `TypeError` as of `expect` for anything else."""
    if isinstance(value, str | bytes):
        raise TypeError(f"{what}, not {short(value)}. {advice}")
    expect(value, Iterable, what, advice)
    return list(value)


def expect_whole(name: str, value: object, least: int = 1, unit: str = "") -> None:
    """Refuse what is no whole number (`TypeError`), or too small a one (`OptionError`)."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a whole number, not {short(value)}.")
    if value < least:
        raise OptionError(f"{name} must be at least {least}{unit}, not {value}.")


def expect_seconds(name: str, value: object) -> None:
    """Refuse what is neither a number of seconds nor None (`TypeError`), or negative (`OptionError`)."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number of seconds or None, not {short(value)}.")
    if not value >= 0:
        raise OptionError(f"{name} must be at least 0, not {value}.")
