"""Lines of words as short keys, numbered in a hash table; compiled.

Most words of a snapshot are small, so a line is kept as bytes: each word by zigzag as an unsigned number, and that in
groups of seven bits [1]_. Keys are looked up by open addressing with linear probing [2]_.

References
----------
.. [1] LEB128; DWARF Debugging Information Format, version 5, section 7.6.
.. [2] Knuth (1998), The Art of Computer Programming, volume 3, section 6.4.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wfsim.semantics.later import njit

_njit = njit(nogil=True)

Integers = NDArray[np.int64]

NONE = -1
ONE_BYTE = np.uint64(128)
LOW_7 = np.uint64(127)
SEVEN = np.uint64(7)
# Odd numbers without structure: the golden ratio, and a constant of Steele & Vigna (2021).
_MIX = np.uint64(0xD1342543DE82EF95)
_SEED = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


class Keys(NamedTuple):
    """Different byte strings, numbered in the order in which they were added."""

    data: NDArray[np.uint8]
    start: Integers
    """Where each begins in `data`; one more than there are keys."""
    hashes: NDArray[np.uint64]
    slots: NDArray[np.int32]
    """Numbers plus one, 0 where empty; a power of two, at most half full."""
    size: Integers
    """How many there are."""


def new_keys(n: int) -> Keys:
    """Room for `n` keys, a power of two."""
    return Keys(
        np.zeros(64 * n, np.uint8),
        np.zeros(n + 1, np.int64),
        np.zeros(n, np.uint64),
        np.zeros(4 * n, np.int32),
        np.zeros(1, np.int64),
    )


@_njit
def encode(w: Any, n: Any, key: Any) -> Any:
    """Write `n` words as bytes into `key`; returns how many."""
    at = 0
    for k in range(n):
        rest = np.uint64((w[k] << 1) ^ (w[k] >> 63))
        while rest >= ONE_BYTE:
            key[at] = np.uint8((rest & LOW_7) | ONE_BYTE)
            rest >>= SEVEN
            at += 1
        key[at] = np.uint8(rest)
        at += 1
    return at


@_njit
def decode(keys: Any, number: Any, w: Any) -> Any:
    """Write the words of a key into `w`; returns how many."""
    n = 0
    at = keys.start[number]
    end = keys.start[number + 1]
    while at < end:
        word = np.uint64(0)
        shift = np.uint64(0)
        while keys.data[at] >= 128:
            word |= (np.uint64(keys.data[at]) & LOW_7) << shift
            shift += SEVEN
            at += 1
        word |= np.uint64(keys.data[at]) << shift
        at += 1
        w[n] = np.int64(word >> np.uint64(1)) ^ -np.int64(word & np.uint64(1))
        n += 1
    return n


@_njit
def hash_of(key: Any, n: Any) -> Any:
    """A hash of the first `n` bytes."""
    mixed = _SEED
    for k in range(n):
        mixed = (mixed ^ np.uint64(key[k])) * _MIX
        mixed ^= mixed >> _SHIFT
    return mixed


@_njit
def find(keys: Any, key: Any, n: Any, hashed: Any) -> Any:
    """The number of a key of `n` bytes, or -1."""
    mask = keys.slots.shape[0] - 1
    slot = np.int64(hashed & np.uint64(mask))
    while keys.slots[slot] > 0:
        number = keys.slots[slot] - 1
        if keys.hashes[number] == hashed:
            start = keys.start[number]
            if keys.start[number + 1] - start == n:
                k = 0
                while k < n and keys.data[start + k] == key[k]:
                    k += 1
                if k == n:
                    return np.int64(number)
        slot = (slot + 1) & mask
    return np.int64(NONE)


@_njit
def add(keys: Any, key: Any, n: Any, hashed: Any) -> Any:
    """Add a key that is not there; its number, or -1 if there is no room."""
    number = keys.size[0]
    start = keys.start[number]
    mask = keys.slots.shape[0] - 1
    if number >= keys.hashes.shape[0] or start + n > keys.data.shape[0] or 2 * number > mask:
        return np.int64(NONE)
    for k in range(n):
        keys.data[start + k] = key[k]
    keys.start[number + 1] = start + n
    keys.hashes[number] = hashed
    slot = np.int64(hashed & np.uint64(mask))
    while keys.slots[slot] > 0:
        slot = (slot + 1) & mask
    keys.slots[slot] = number + 1
    keys.size[0] = number + 1
    return number


@_njit
def number_of(keys: Any, w: Any, n: Any, key: Any) -> Any:
    """The number of a line of `n` words, added if it is new; -1 if there is no room for it."""
    length = encode(w, n, key)
    hashed = hash_of(key, length)
    found = find(keys, key, length, hashed)
    return found if found >= 0 else add(keys, key, length, hashed)


@_njit
def refill(keys: Any) -> None:
    """Fill an empty table of slots with all keys."""
    mask = keys.slots.shape[0] - 1
    for number in range(keys.size[0]):
        slot = np.int64(keys.hashes[number] & np.uint64(mask))
        while keys.slots[slot] > 0:
            slot = (slot + 1) & mask
        keys.slots[slot] = number + 1
