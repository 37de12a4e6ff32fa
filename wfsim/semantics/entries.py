"""Kernel functions for callers who have arrays and an `Outputs`; they hold them until the function returns.

`roots` compiles them, and puts the compiled kernel functions here where it has to.
"""

from __future__ import annotations

from typing import Any

from .addresses import out, rows

kernel_step: Any = None
kernel_pack: Any = None
kernel_unpack: Any = None
kernel_possible: Any = None
kernel_draw: Any = None
kernel_draw_bits: Any = None
kernel_mix_key: Any = None
kernel_arithmetic: Any = None


def step(p: Any, m: Any, v: Any, o: Any, i: int) -> None:
    """One step of the instance whose rows begin at `i`."""
    kernel_step(rows(p), rows(m), rows(v), out(o), i)


def pack(p: Any, m: Any, v: Any, i: int, s: Any, w: Any) -> int:
    """Write an instance as a line of words; see `codec`."""
    return kernel_pack(rows(p), rows(m), rows(v), i, s, w)  # type: ignore[no-any-return]


def unpack(p: Any, m: Any, v: Any, i: int, s: Any, w: Any) -> None:
    """Read it back."""
    kernel_unpack(rows(p), rows(m), rows(v), i, s, w)


def possible(p: Any, m: Any, i: int, s: Any, w: Any) -> int:
    """List what can happen to an instance; see `possible`."""
    return kernel_possible(rows(p), rows(m), i, s, w)  # type: ignore[no-any-return]


def draw(key: int, stream: int, index: int, attempt: int) -> float:
    """A random draw as a number in [0, 1)."""
    return kernel_draw(key, stream, index, attempt)  # type: ignore[no-any-return]


def draw_bits(key: int, stream: int, index: int, attempt: int) -> int:
    """A random draw; see `draws`."""
    return kernel_draw_bits(key, stream, index, attempt)  # type: ignore[no-any-return]


def mix_key(seed: int, replication: int, case: int) -> int:
    """The random key of a case."""
    return kernel_mix_key(seed, replication, case)  # type: ignore[no-any-return]


def arithmetic(op: int, cells: Any) -> None:
    """The first of two cells becomes that `op` the second."""
    kernel_arithmetic(op, cells[0], cells[1])
