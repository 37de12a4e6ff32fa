"""The compiled search as a function: loaded from numba's cache, or compiled once per machine.

It is kept in a folder of its own, named by all sources that it is made of, as numba looks only at one of them. What is
loaded from there has the compiled kernel inside; `flat_search` is given its functions only where it has to be compiled.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from wfsim.verification.nets.readiness import announce_compiling

_FILES = ("borrowed.py", "byte_keys.py", "flat_search.py")
"""What the search is made of, but for the kernel modules, whose digest names the folder around."""
_KERNEL = (("step", "step"), ("codec", "pack"), ("codec", "unpack"), ("possible", "possible"))
_ready: list[Any] = []

LOADING = 4.0
"""Seconds that must be left to load it, which cannot be stopped: twice what it takes on a slow machine."""


def is_loaded() -> bool:
    """Whether this process has the compiled search already."""
    return bool(_ready)


def is_cached(arguments: tuple[Any, ...]) -> bool:
    """Whether it need not be compiled for arguments of these types; reads an index of a few hundred bytes."""
    from numba import typeof

    dispatcher = _dispatcher()
    known = dispatcher._cache
    key = known._index_key(tuple(map(typeof, arguments)), dispatcher.targetctx.codegen())
    return key in known._cache_file._load_index()


def compiled_search(arguments: tuple[Any, ...]) -> Any:
    """The function for arguments of these types: in two seconds if it is cached, else in a minute or two."""
    if not _ready:
        if not is_cached(arguments):
            announce_compiling("the search of workflows", "a minute or two")
            from wfsim.verification.workflows import flat_search

            for module, name in _KERNEL:
                setattr(flat_search, name, getattr(import_module(f"wfsim.semantics.compiled.{module}"), name))
        from numba import typeof

        dispatcher = _dispatcher()
        dispatcher.compile(tuple(map(typeof, arguments)))
        _ready.append(dispatcher)
    return _ready[0]


@cache
def _dispatcher() -> Any:
    from numba import config, njit

    from wfsim.semantics import speed
    from wfsim.verification.workflows.flat_search import search

    digest = hashlib.sha256()
    for name in _FILES:
        digest.update((Path(__file__).parent / name).read_bytes())
    # numba's own type stubs do not know that this can be set.
    settings: Any = config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(speed.cache_folder() / digest.hexdigest()[:16])
    try:
        return njit(cache=True, nogil=True)(search)
    finally:
        settings.CACHE_DIR = before
