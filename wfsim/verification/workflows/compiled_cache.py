"""The compiled search as a function: loaded from a file, or compiled once per machine."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.announcing import announce_compiling
from wfsim.semantics.roots import Root
from wfsim.verification.workflows import borrowed, byte_keys, flat_search

LOADING = 0.5
"""Seconds that must be left to load it, which cannot be stopped: twice what it takes on a slow machine."""

SEARCH = Root(
    flat_search.search,
    {"step": ("step", "step"), "pack": ("codec", "pack"), "unpack": ("codec", "unpack")}
    | {"possible": ("possible", "possible")},
    {borrowed: {}, byte_keys: {}},
)
decode, number_of, refill = (
    Root(function.py_func, {}) for function in (byte_keys.decode, byte_keys.number_of, byte_keys.refill)
)
"""Those of `byte_keys` that Python calls."""


def is_loaded() -> bool:
    """Whether this process has the compiled search already."""
    return SEARCH.is_loaded


def is_cached(arguments: tuple[Any, ...]) -> bool:
    """Whether it need not be compiled for arguments of these types."""
    return SEARCH.is_cached(arguments)


def compiled_search(arguments: tuple[Any, ...]) -> Any:
    """The function for arguments of these types: in a fifth of a second if it is cached, else in half a minute."""
    return SEARCH.ready(arguments, lambda: announce_compiling("the search of workflows", "half a minute"))
