"""Machine code of a root: kept in a file, and run in another process without numba, which takes longer to begin.

It is called as numba's functions are [1]_: with the places of the answer and of an error, then the arguments, of which
an array is eight words or so and a tuple what is in it. The answer is 0 if all went well.

References
----------
.. [1] numba.core.callconv.CPUCallConv; that changes with numba's version, which stands in the name of what is kept.
"""

from __future__ import annotations

import ctypes
import pickle
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from llvmlite import binding

from .built_in import built_in

# llvmlite has no types.
_llvm: Any = binding
_ANSWERS: dict[str, Any] = {"int64": ctypes.c_int64, "float64": ctypes.c_double, "none": ctypes.c_void_p}
_KNOWN_AS = {"numba_frexp": "frexp", "numba_ldexp": "ldexp", "NRT_MemInfo_call_dtor": "abort"}
"""What numba's helpers are in the C library. The last frees an array that nobody owns; arrays that are given have no
owner here, so it is never called."""
_CHECK = 16


class MachineCode(NamedTuple):
    """A compiled function: its name in the object file, numba's name of the type that it returns, and the file."""

    symbol: str
    returns: str
    code: bytes


class _Failure(ctypes.Structure):
    """The beginning of what numba writes of an error."""

    _fields_ = (("pickled", ctypes.c_void_p), ("size", ctypes.c_int32))


def processor() -> str:
    """For which system and processor code is made here."""
    return f"{_llvm.get_process_triple()} {_llvm.get_host_cpu_name()} {_llvm.get_host_cpu_features().flatten()}"


def read(path: Path) -> MachineCode | None:
    """What `write` has written; none if it is not there, or not whole."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    check, body = raw[:_CHECK], raw[_CHECK:]
    return MachineCode(*pickle.loads(body)) if check == _check(body) else None


def write(path: Path, machine: MachineCode) -> None:
    """Keep it, all of it or nothing.

    Raises
    ------
    OSError
        If it cannot be kept there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    body = pickle.dumps(tuple(machine))
    # Others who share the folder may read it, as they may any file that is written here.
    unfinished = path.with_name(f"{path.name}-{uuid4().hex[:8]}")
    try:
        unfinished.write_bytes(_check(body) + body)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECK).digest()


def forms(arguments: Any) -> str:
    """What tells arguments apart for which different code is made."""
    return f"{type(arguments).__name__}({', '.join(_form(each) for each in arguments)})"


def _form(value: Any) -> str:
    if isinstance(value, tuple):
        return forms(value)
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.ndim} {value.flags.c_contiguous} {value.flags.writeable}"
    return type(value).__name__


def _words(value: Any) -> Iterator[Any]:
    """A value as the words that a compiled function takes."""
    if isinstance(value, tuple):
        for each in value:
            yield from _words(each)
    elif isinstance(value, np.ndarray):
        for word in (0, 0, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides):
            yield ctypes.c_int64(word)
    elif isinstance(value, float):
        yield ctypes.c_double(value)
    else:
        yield ctypes.c_int64(value)


def load_numbers(machine: MachineCode, arguments: tuple[Any, ...]) -> Callable[..., Any]:
    """A short function of numbers such as these, which raises nothing: Python calls it in a tenth of the time."""
    engine = _engine(machine)
    address = engine.get_function_address(machine.symbol)
    return built_in(address, [type(each) for each in arguments], machine.returns, engine)


def load(machine: MachineCode) -> Callable[..., Any]:
    """The function, which lets other threads run meanwhile. Arguments have the forms for which it was compiled."""
    engine = _engine(machine)
    function = ctypes.CFUNCTYPE(ctypes.c_int32)(engine.get_function_address(machine.symbol))
    answers = _ANSWERS[machine.returns]

    def call(*arguments: Any) -> Any:
        answer, failure = answers(), ctypes.POINTER(_Failure)()
        if function(ctypes.byref(answer), ctypes.byref(failure), *_words(arguments)):
            told = failure.contents
            kind, values, _ = pickle.loads(ctypes.string_at(told.pickled, told.size))
            raise kind(*values)
        return answer.value

    # The code lasts as long as the engine.
    call.engine = engine  # type: ignore[attr-defined]
    return call


def _engine(machine: MachineCode) -> Any:
    """What has the code, and lets it go when nobody has the engine."""
    _llvm.initialize_native_target()
    _llvm.initialize_native_asmprinter()
    target = _llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = _llvm.create_mcjit_compiler(_llvm.parse_assembly(""), target)
    # Only now the functions of the process are found.
    for name, known in _KNOWN_AS.items():
        if _llvm.address_of_symbol(name) is None:
            _llvm.add_symbol(name, _llvm.address_of_symbol(known))
    engine.add_object_file(_llvm.ObjectFileRef.from_data(machine.code))
    engine.finalize_object()
    return engine
