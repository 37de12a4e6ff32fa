"""Compiled functions that Python calls: loaded from a file, or compiled once per machine.

Each is one module of machine code with all of the kernel that it needs. It is kept under a name that depends on all its
sources; what is loaded needs no kernel function to be compiled, and no numba.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from . import entries, machine_code, quantile_entries, speed
from .collecting import rarely_collected
from .machine_code import MachineCode


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
    numbers
        Whether it is a short function of numbers that raises nothing.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        kernel: Mapping[str, tuple[str, str]],
        others: Mapping[ModuleType, Mapping[str, tuple[str, str]]] | None = None,
        *,
        numbers: bool = False,
    ) -> None:
        self.function = function
        self.numbers = numbers
        self.modules = {sys.modules[function.__module__]: kernel, **(others or {})}
        self._lock = threading.Lock()
        self._loaded: Callable[..., Any] | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether this process has it."""
        return self._loaded is not None

    def _file(self, arguments: tuple[Any, ...]) -> Path:
        """Where it is kept for arguments of these forms."""
        digest = hashlib.sha256(f"{machine_code.processor()} {machine_code.forms(arguments)}".encode())
        for module in self.modules:
            digest.update(Path(module.__file__ or "").read_bytes())
        return speed.cache_folder() / f"{self.function.__name__}-{digest.hexdigest()[:16]}"

    def is_cached(self, arguments: tuple[Any, ...]) -> bool:
        """Whether it need not be compiled for arguments of these forms; reads its sources."""
        return self._file(arguments).exists()

    def ready(self, arguments: tuple[Any, ...], compiling: Callable[[], None] = lambda: None) -> Callable[..., Any]:
        """The function for arguments of these forms; `compiling` is told if it has to be compiled first."""
        with self._lock:
            if self._loaded is None:
                file = self._file(arguments)
                kept = machine_code.read(file)
                if kept is None:
                    compiling()
                    kept = self._compiled(arguments)
                    # Where it cannot be kept, each process compiles it.
                    with suppress(OSError):
                        machine_code.write(file, kept)
                self._loaded = machine_code.load_numbers(kept, arguments) if self.numbers else machine_code.load(kept)
            return self._loaded

    def _compiled(self, arguments: tuple[Any, ...]) -> MachineCode:
        import numba

        from .linking import compile_root

        with rarely_collected():
            for module, names in self.modules.items():
                for name, (room, kernel_name) in names.items():
                    setattr(module, name, getattr(import_module(f"wfsim.semantics.compiled.{room}"), kernel_name))
            return compile_root(self.function, tuple(map(numba.typeof, arguments)))

    def __call__(self, *arguments: Any) -> Any:
        return self.ready(arguments)(*arguments)


def _entry(function: Callable[..., Any], room: str, *, numbers: bool = False) -> Root:
    name = function.__name__
    return Root(function, {f"kernel_{name}": (room, name)}, numbers=numbers)


step = _entry(entries.step, "step")
pack = _entry(entries.pack, "codec")
unpack = _entry(entries.unpack, "codec")
possible = _entry(entries.possible, "possible")
arithmetic = _entry(entries.arithmetic, "values")
draw = _entry(entries.draw, "draws", numbers=True)
draw_bits = _entry(entries.draw_bits, "draws", numbers=True)
mix_key = _entry(entries.mix_key, "draws", numbers=True)
log = _entry(quantile_entries.log, "quantiles", numbers=True)
exp = _entry(quantile_entries.exp, "quantiles", numbers=True)
normal_quantile = _entry(quantile_entries.normal_quantile, "quantiles", numbers=True)
gamma_quantile = _entry(quantile_entries.gamma_quantile, "quantiles", numbers=True)
