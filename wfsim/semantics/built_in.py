"""Compiled functions of numbers as built-in functions of Python, whose calls take a tenth of those by `ctypes`.

What Python calls is made here, a few instructions around the function: it takes numbers out of objects, as a function
that is written in C for Python does [1]_.

References
----------
.. [1] Python/C API reference, "Common object structures": `METH_FASTCALL`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import binding, ir

# llvmlite has no types.
_llvm: Any = binding
_python: Any = ctypes.pythonapi
_FASTCALL = 0x80
_WORD, _REAL, _STATUS, _OBJECT = ir.IntType(64), ir.DoubleType(), ir.IntType(32), ir.IntType(8).as_pointer()
_TAKEN: dict[type, tuple[Any, str]] = {
    int: (_WORD, "PyLong_AsUnsignedLongLongMask"),
    float: (_REAL, "PyFloat_AsDouble"),
}
_MADE = {"int64": (_WORD, "PyLong_FromLongLong"), "float64": (_REAL, "PyFloat_FromDouble")}
"""What takes a number out of an object, by its class, and what makes an object of one, by numba's name of its type."""


class _Method(ctypes.Structure):
    """`PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("told", ctypes.c_char_p),
    )


_new_function = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.POINTER(_Method), ctypes.py_object, ctypes.py_object)(
    ("PyCFunction_NewEx", _python)
)


def built_in(address: int, kinds: Sequence[type], returns: str, owner: Any) -> Callable[..., Any]:
    """The compiled function at an address, of arguments of these classes, as one that Python calls.

    It must raise nothing. Of larger integers the low 64 bits count. `owner` has the code, and is kept.
    """
    engine = _compiled(_around(address, kinds, returns))
    method = _Method(b"built_in", engine.get_function_address("built_in"), _FASTCALL, None)
    made: Callable[..., Any] = _new_function(ctypes.byref(method), (owner, engine, method), None)
    return made


def _around(address: int, kinds: Sequence[type], returns: str) -> Any:
    """`PyObject *built_in(PyObject *self, PyObject **given, Py_ssize_t count)`."""
    module = ir.Module("built_in")
    function = ir.Function(module, ir.FunctionType(_OBJECT, [_OBJECT, _OBJECT.as_pointer(), _WORD]), "built_in")
    _, given, count = function.args
    code = ir.IRBuilder(function.append_basic_block())
    with code.if_then(code.icmp_signed("!=", count, _WORD(len(kinds))), likely=False):
        code.call(_known(code, "PyErr_BadArgument", _STATUS), [])
        code.ret(_OBJECT(None))
    numbers = []
    for place, (kind, take) in enumerate(map(_TAKEN.__getitem__, kinds)):
        value = code.load(code.gep(given, [_WORD(place)]))
        numbers.append(code.call(_known(code, take, kind, _OBJECT), [value]))
    error = code.call(_known(code, "PyErr_Occurred", _OBJECT), [])
    with code.if_then(code.icmp_unsigned("!=", error, _OBJECT(None)), likely=False):
        code.ret(_OBJECT(None))
    kind, make = _MADE[returns]
    answer = code.alloca(kind)
    # See `machine_code`: what raises nothing needs no place for an error.
    called = _at(code, address, _STATUS, kind.as_pointer(), _OBJECT, *(number.type for number in numbers))
    code.call(called, [answer, _OBJECT(None), *numbers])
    code.ret(code.call(_known(code, make, _OBJECT, kind), [code.load(answer)]))
    return module


def _known(code: Any, name: str, returns: Any, *taken: Any) -> Any:
    """A function of Python's own."""
    return _at(code, ctypes.cast(getattr(_python, name), ctypes.c_void_p).value or 0, returns, *taken)


def _at(code: Any, address: int, returns: Any, *taken: Any) -> Any:
    return code.inttoptr(_WORD(address), ir.FunctionType(returns, taken).as_pointer())


def _compiled(module: Any) -> Any:
    """The engine that has the machine code of a module."""
    # So short a function gains nothing from being optimised, which takes longer than all else.
    target = _llvm.Target.from_default_triple().create_target_machine(jit=True, opt=0)
    engine = _llvm.create_mcjit_compiler(_llvm.parse_assembly(str(module)), target)
    engine.finalize_object()
    return engine
