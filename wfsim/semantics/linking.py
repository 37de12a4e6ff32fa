"""Many compiled functions in one module: each is linked, optimised and made into machine code once, for its root.

numba gives each function a library of its own and links into it all that the function calls, so what lies deep is
optimised and emitted as often as there are functions above it: three quarters of the time that the kernel took to be
compiled. Here functions below a root keep nothing but their intermediate code. The methods that this replaces are
numba's own affair: `pyproject.toml` bounds its version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import FunctionType
from typing import Any, TypeVar
from weakref import WeakSet

from llvmlite import binding
from numba import njit
from numba.core import codegen, compiler_lock, ir
from numba.core.types import functions

from .machine_code import MachineCode
from .pipeline import OPTIONS

# numba's own type stubs do not know these options.
_njit: Any = njit
F = TypeVar("F", bound=Callable[..., Any])
global_compiler_lock: Any = compiler_lock.global_compiler_lock
_llvm: Any = binding
_Library: Any = codegen.CPUCodeLibrary
_finalize = _Library.finalize
_optimize_final_module = _Library._optimize_final_module
_Codegen: Any = codegen.JITCPUCodegen
_ir: Any = ir
_LEAVES = frozenset({str, int, float, bool, type(None), _ir.Loc})
"""What has no variables in it, and most of what is looked at."""
_set_env = _Codegen.set_env
_BaseFunction: Any = functions.BaseFunction
_call_type = _BaseFunction.get_call_type
_ENVIRONMENT = "_ZN08NumbaEnv"
_parts: WeakSet[Any] = WeakSet()
"""Libraries that hold only their own intermediate code."""
_apart: set[str] = set()
"""How the names of functions begin that are never made a part of others."""
_signatures: dict[tuple[Any, tuple[Any, ...]], Any] = {}
"""Of operators and the like, by the types of their arguments, until a root is compiled."""
_collecting = 0
_root = ""
"""The name of the library that is a root, while parts are collected."""


@contextmanager
def collecting() -> Iterator[None]:
    """While this lasts, functions that are compiled become parts, but for the root that `compile_root` compiles.

    Other threads do not compile meanwhile.
    """
    global _collecting
    with global_compiler_lock:
        _collecting += 1
        try:
            yield
        finally:
            _collecting -= 1


def keep_apart(function: F) -> F:
    """Let a function be called where it is needed, and lie behind all that is needed often.

    Else LLVM makes it a part of its callers, in particular where there is but one: they need more registers then, and
    keep them in memory, for what few steps come to. With an older llvmlite, which cannot mark functions, it does.
    """
    names = f"{function.__module__}.{function.__qualname__}".split(".")
    _apart.add("_ZN" + "".join(f"{len(name)}{name}" for name in names))
    return function


@lru_cache(maxsize=1)
def _can_mark() -> bool:
    """Whether marks of functions come to be theirs: llvmlite 0.46 marks what they return, which is refused."""
    module = binding.parse_assembly("define i32 @f() { ret i32 0 }")
    module.get_function("f").add_function_attribute("cold")
    try:
        module.verify()
    except RuntimeError:
        return False
    return True


def compile_root(function: Callable[..., Any], types: tuple[Any, ...]) -> MachineCode:
    """Compile a function for arguments of these types, with all that it calls."""
    global _root
    # Its library is known by a name that no part has.
    root = FunctionType(function.__code__, function.__globals__)
    root.__qualname__ = f"root {function.__qualname__}"
    dispatcher = _njit(nogil=True, error_model="numpy", **OPTIONS)(root)
    with collecting():
        _root = root.__qualname__
        try:
            dispatcher.compile(types)
        finally:
            _root = ""
            _signatures.clear()
    (made,) = dispatcher.overloads.values()
    code = made.library._get_compiled_object()
    return MachineCode(made.fndesc.llvm_func_name, str(made.signature.return_type), code)


def _finalize_or_collect(library: Any) -> None:
    if _collecting and library.name != _root:
        library._raise_if_finalized()
        library._finalized = True
        _parts.add(library)
        return
    below = _below(library)
    if any(each in _parts for each in below):
        own = {variable.name for variable in library._final_module.global_variables}
        for each in below:
            library._reload_init.update(each._reload_init)
            library._final_module.link_in(each._get_module_for_linking(), preserve=True)
        library._linking_libraries = []
        for function in library._final_module.functions:
            # Nobody else will call them, so what is inlined everywhere need not be kept, nor an argument that is not
            # used. Private, not internal: the loader finds internal functions by name too, and would give one to the
            # next module that has a function of this name and passes it all arguments.
            if not function.is_declaration and function.linkage.name == "linkonce_odr":
                function.linkage = "private"
                # What follows the first B are numba's marks of a version and of options.
                if function.name.split("B")[0] in _apart and _can_mark():
                    function.add_function_attribute("noinline")
                    function.add_function_attribute("cold")
        for variable in library._final_module.global_variables:
            # Environments of parts are used by none of them, and would have their modules imported, and compiled, when
            # the root is loaded from the cache. As nobody refers to them, they are dropped.
            if variable.name.startswith(_ENVIRONMENT) and variable.name not in own:
                variable.linkage = "private"
    _finalize(library)


def _below(library: Any) -> list[Any]:
    """All libraries that a library needs: its own, and through parts those that these need."""
    found: dict[Any, None] = {}
    todo = list(library._linking_libraries)
    for each in todo:
        if each not in found:
            found[each] = None
            if each in _parts:
                todo += each._linking_libraries
    return list(found)


def _set_env_unless_collecting(self: Any, name: str, environment: Any) -> None:
    # A part has no address to write it to, and no kernel function needs one.
    if not _collecting:
        _set_env(self, name, environment)


def _optimize_root_once(library: Any) -> None:
    """numba optimises twice, since that lets it count fewer references; here few are counted, and all code was."""
    if library.name != _root:
        _optimize_final_module(library)
        return
    options = _llvm.create_pipeline_tuning_options(speed_level=3)
    # Loops go over a few regions, works or fields: to do four at a time is more code, and mostly for nothing.
    options.loop_unrolling = options.loop_vectorization = False
    builder = _llvm.create_pass_builder(library._codegen._tm, options)
    builder.getModulePassManager().run(library._final_module, builder)


def variables_in(instruction: Any, value: Any) -> list[Any]:
    """The same as numba's own, which takes three times as long, a tenth of the time to compile."""
    kind = type(value)
    if kind in _LEAVES:
        return []
    if kind is _ir.Var:
        return [value]
    if isinstance(value, _ir.Inst):
        found: list[Any] = value.list_vars()
        return found
    if kind is dict:
        value = value.values()
    elif kind not in (list, tuple):
        return []
    found = []
    for each in value:
        kind = type(each)
        if kind is _ir.Var:
            found.append(each)
        elif kind not in _LEAVES:
            found += variables_in(instruction, each)
    return found


def _call_type_once(self: Any, context: Any, args: tuple[Any, ...], kws: Any) -> Any:
    """What a call of an operator comes to follows from types; numba finds it anew each time, a sixth of its work."""
    if not _collecting or kws:
        return _call_type(self, context, args, kws)
    place = self, args
    found = _signatures.get(place)
    if found is None:
        found = _signatures[place] = _call_type(self, context, args, kws)
    return found


_BaseFunction.get_call_type = _call_type_once
_Library.finalize = _finalize_or_collect
_Library._optimize_final_module = _optimize_root_once
_Codegen.set_env = _set_env_unless_collecting
_ir.Inst._rec_list_vars = variables_in
