"""Values that are known, as terms of the solver and back."""

from __future__ import annotations

import ctypes
from typing import Any

import z3

# Terms end in any thread, also while another one is at the solver: Python's collector runs in whichever happens to
# allocate. Without this word Z3 takes the process with it.
z3.Z3_enable_concurrent_dec_ref(z3.main_ctx().ref())

HIGHEST_SIGN = 0x2F000
"""Texts of the solver hold signs up to 0x2FFFF; the room above this stands for all signs above."""

DOUBLE = z3.FPSort(11, 53)


class NotTaken(Exception):
    """What the solver has no terms for: the reason, told of a part of an expression."""


def double(value: float) -> Any:
    """The term of a number."""
    return z3.FPVal(value, DOUBLE)


def text(value: str) -> Any:
    """The term of a text, sign by sign: the solver would read `\\u{41}` in it as an escape."""
    for sign in value:
        if ord(sign) >= HIGHEST_SIGN:
            raise NotTaken(f"the solver has no sign {sign!r}")
    signs = (ctypes.c_uint * len(value))(*map(ord, value))
    context = z3.main_ctx()
    return z3.SeqRef(z3.Z3_mk_u32string(context.ref(), len(value), signs), context)


def number_of(real: Any) -> float:
    """The Python number of a known term."""
    bits = z3.simplify(z3.fpToIEEEBV(real)).as_long()
    return ctypes.c_double.from_buffer(ctypes.c_uint64(bits)).value


def text_of(known: Any) -> str:
    """The Python text of a known term."""
    context = known.ctx.ref()
    size = z3.Z3_get_string_length(context, known.as_ast())
    signs = (ctypes.c_uint * size)()
    z3.Z3_get_string_contents(context, known.as_ast(), size, signs)
    return "".join(map(chr, signs))
