"""A net, and what belongs to it, as arrays for the compiled search; entries of i are `*_start[i]` to `*_start[i + 1]`.

Where a field is added, moved or taken away, `kernel.py` has to be touched as well: numba's cache of compiled functions
looks at that file only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]


class Tables(NamedTuple):
    """A net, its markings packed."""

    guard: Words
    """The guard bits of each word."""
    need_start: Integers
    need_word: Integers
    need: Words
    """What is subtracted from the word; a weight that its field cannot hold clears the guard of any marking."""
    forbid_start: Integers
    forbid_word: Integers
    forbid: Words
    forbid_guard: Words
    """What is subtracted, and the guards of which none may stay set."""
    change_start: Integers
    change_word: Integers
    keep: Words
    change: Words
    """The bits that stay (all, or without the places that are emptied), and what is added modulo 2**64."""
    gain: Integers
    """Change of the number of tokens in all places together; meaningless for transitions with reset arcs."""
    field_word: Integers
    field_shift: Words
    field_mask: Words
    lies_start: Integers
    lies_place: Integers
    """The places of each word."""
    key_start: Integers
    key_transition: Integers
    """Of each place the net transitions to try where it is marked; empty if all are to be tried always."""
    free_transition: Integers
    """Net transitions that need no tokens at all, to be tried everywhere; only with keys."""
    above: Words
    above_guard: Words
    """What is subtracted to see whether a watched place holds more than its limit, and their guards."""


class Sets(NamedTuple):
    """Stubborn sets of a net (`wfsim.verification.nets.stubborn`)."""

    wants_start: Integers
    wants_place: Integers
    wants_weight: Integers
    wants_fewer: Integers
    """What each net transition wants of a place: at least so many tokens, or fewer (1)."""
    wants_list: Integers
    """The list of those that help where it is not so."""
    list_start: Integers
    list_transition: Integers
    """Lists of net transitions; those that may conflict with t are number t."""
    sum_most: Integers
    term_start: Integers
    term_place: Integers
    term_weight: Integers
    """The sums of a goal (`nets.goal`): weights of places, and what they are to be at most together."""
    wish_start: Integers
    wish: Integers
    """Of each sum the net transitions that can make it smaller."""
    clause_start: Integers
    clause: Integers
    """The sums of each clause. `clause_start` is empty if deadlocks are sought."""


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """numba's `njit`; without its cache where no folder for it can be written."""
    import numba

    def compile_one(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:
            return numba.njit(nogil=True, **options)(function)

    return compile_one
