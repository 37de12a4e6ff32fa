"""Compiled functions that Python calls: loaded from numba's cache, or compiled once per machine.

Each is one module of machine code with all of the kernel that it needs. It is kept in a folder named by all sources
that it is made of, as numba looks only at one of them; what is loaded needs no kernel function to be compiled.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from . import entries, speed
from .linking import collecting


class Root:
    """A function to be compiled, and what it is made of.

    Parameters
    ----------
    function
        In a module of its own, whose globals named in `kernel` stand for kernel functions.
    kernel
        Those globals, each with the kernel module and the name in it.
    others
        Further modules that it is made of, beside the kernel, each with its own such globals.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        kernel: Mapping[str, tuple[str, str]],
        others: Mapping[ModuleType, Mapping[str, tuple[str, str]]] | None = None,
    ) -> None:
        self.function = function
        self.modules = {sys.modules[function.__module__]: kernel, **(others or {})}
        self._is_kept = True
        self.is_loaded = False
        """Whether this process has it."""

    @cached_property
    def dispatcher(self) -> Any:
        """numba's, with its cache where it belongs."""
        from numba import config, njit

        digest = hashlib.sha256()
        for module in self.modules:
            digest.update(Path(module.__file__ or "").read_bytes())
        # numba's own type stubs do not know that this can be set.
        settings: Any = config
        before = settings.CACHE_DIR
        folder = str(speed.cache_folder() / digest.hexdigest()[:16])
        settings.CACHE_DIR = folder
        try:
            kept: Any = njit(cache=True, nogil=True, error_model="numpy")(self.function)
            if kept._cache.cache_path.startswith(folder):
                return kept
        except (OSError, RuntimeError):
            pass
        finally:
            settings.CACHE_DIR = before
        # It cannot be kept there, and elsewhere code of other sources might be found: each process compiles it.
        self._is_kept = False
        return njit(nogil=True, error_model="numpy")(self.function)

    def is_cached(self, arguments: tuple[Any, ...]) -> bool:
        """Whether it need not be compiled for arguments of these types; reads an index of a few hundred bytes."""
        from numba import typeof

        known: Any = self.dispatcher._cache
        if not self._is_kept:
            return False
        key = known._index_key(tuple(map(typeof, arguments)), self.dispatcher.targetctx.codegen())
        return key in known._cache_file._load_index()

    def ready(self, arguments: tuple[Any, ...], compiling: Callable[[], None] = lambda: None) -> Any:
        """The compiled function for arguments of these types; `compiling` is told if it has to be compiled first."""
        if not self.is_loaded:
            from numba import njit, typeof

            types = tuple(map(typeof, arguments))
            if not self.is_cached(arguments):
                compiling()
                for module, names in self.modules.items():
                    for name, (room, kernel_name) in names.items():
                        setattr(module, name, getattr(import_module(f"wfsim.semantics.compiled.{room}"), kernel_name))
                with collecting():
                    # So all that it calls is compiled, as parts, before it is.
                    njit(nogil=True, error_model="numpy")(self.function).compile(types)
            self.dispatcher.compile(types)
            self.is_loaded = True
        return self.dispatcher

    def __call__(self, *arguments: Any) -> Any:
        return self.ready(arguments)(*arguments)


def _entry(function: Callable[..., Any], room: str) -> Root:
    name = function.__name__
    return Root(function, {f"kernel_{name}": (room, name)})


step = _entry(entries.step, "step")
pack = _entry(entries.pack, "codec")
unpack = _entry(entries.unpack, "codec")
possible = _entry(entries.possible, "possible")
draw = _entry(entries.draw, "draws")
draw_bits = _entry(entries.draw_bits, "draws")
mix_key = _entry(entries.mix_key, "draws")
arithmetic = _entry(entries.arithmetic, "values")
