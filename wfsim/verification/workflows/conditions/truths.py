"""Truths: known ones as Python booleans, unknown ones as terms of a solver."""

from __future__ import annotations

from typing import Any, TypeAlias

import z3

Truth: TypeAlias = "bool | z3.BoolRef"
"""A truth that is known is a Python boolean, so that terms stay small."""


def both(*parts: Truth) -> Truth:
    """All of them."""
    unsure = [part for part in parts if not isinstance(part, bool)]
    if any(part is False for part in parts):
        return False
    return z3.And(*unsure) if len(unsure) > 1 else unsure[0] if unsure else True


def either(*parts: Truth) -> Truth:
    """One of them at least."""
    unsure = [part for part in parts if not isinstance(part, bool)]
    if any(part is True for part in parts):
        return True
    return z3.Or(*unsure) if len(unsure) > 1 else unsure[0] if unsure else False


def opposite(part: Truth) -> Truth:
    """Not this."""
    return not part if isinstance(part, bool) else z3.Not(part)


def chosen(test: Truth, then: Any, otherwise: Any) -> Any:
    """The one if that is true, else the other."""
    if isinstance(test, bool):
        return then if test else otherwise
    return z3.If(test, then, otherwise)
