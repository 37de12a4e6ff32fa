"""Whether the compiled search is at hand: loaded by this process, kept in numba's cache, or still to be compiled.

A small net, or a small budget, is better served in Python than by a search that has to be loaded or compiled first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from wfsim.semantics.announcing import announce_compiling
from wfsim.verification.nets.limits import Limits

SMALL = 500_000
"""Tries of a net transition after which the compiled search is loaded or compiled: some tenths of a second."""

TINY = 2_000
"""The same where it is loaded already: about what it takes to begin it, some thousandths of a second."""

LOADING, COMPILING = 4.0, 40.0
"""Seconds that must be left to load the compiled search, and to compile it; neither can be stopped, so it is twice as
long as it takes on a slow machine."""


class Compiled(StrEnum):
    """What is compiled for itself."""

    PLAIN = "search"
    STUBBORN = "search with stubborn sets"
    DIVE = "dive"


loaded: set[Compiled] = set()
"""What this process has run."""


def worth_it(which: Compiled, tries: int, limits: Limits) -> bool:
    """Whether a search that has tried so many net transitions in Python shall go on compiled."""
    if which in loaded:
        return tries > TINY
    if tries <= SMALL or not limits.allow(seconds=LOADING):
        return False
    return limits.allow(seconds=COMPILING) or is_cached(which)


def announce(which: Compiled) -> None:
    """Say that something will be compiled, if so it is: no limit of time can stop that."""
    if which not in loaded and not is_cached(which):
        announce_compiling(f"the {which} of nets", "up to a minute")


def is_cached(which: Compiled) -> bool:
    """Whether nothing of it need be compiled on this machine; reads some indices of a few hundred bytes."""
    from numba.core import types
    from numba.core.caching import FunctionCache

    from wfsim.verification.nets import kernel, passes

    main = kernel.dive if which is Compiled.DIVE else kernel.search
    for function in (main, kernel.refill, passes.maxima):
        cache, target = function._cache, function.targetctx.codegen().magic_tuple()
        if not isinstance(cache, FunctionCache):
            return False
        # Not typed, as it is numba's own affair.
        index: dict[Any, Any] = cache._cache_file._load_index()  # type: ignore[no-untyped-call]
        kept = [arguments for arguments, machine, *_ in index if machine == target]
        if function is main and which is not Compiled.DIVE:
            kept = [each for each in kept if (types.none not in each) is (which is Compiled.STUBBORN)]
        if not kept:
            return False
    return True
