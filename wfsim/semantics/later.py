"""Functions that numba compiles once compiled code calls them. Until then numba is not loaded, which takes its time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any


class Later:
    """In the place of what numba knows: a dispatcher, or an intrinsic. It is made once numba asks for its type."""

    def __init__(self, make: Callable[[], Any], function: Callable[..., Any] | None = None) -> None:
        self._make = make
        self._function = function

    @cached_property
    def made(self) -> Any:
        """What it stands for."""
        return self._make()

    @property
    def _numba_type_(self) -> Any:
        from numba.core.registry import cpu_target

        made, context = self.made, cpu_target.typing_context
        # Of an intrinsic that is made meanwhile it knows only then.
        context.refresh()
        return context.resolve_value_type(made)

    @property
    def targetoptions(self) -> Any:
        """What numba looks at to see whether it is inlined."""
        return self.made.targetoptions

    @property
    def py_func(self) -> Callable[..., Any]:
        """The function itself."""
        return self._function or self.made.py_func


def njit(*, apart: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """numba's decorator of that name, later, for what only compiled code calls; `apart` as in `linking.keep_apart`."""

    def decorate(function: Callable[..., Any]) -> Later:
        def make() -> Any:
            # numba's own type stubs do not know these options.
            import numba as untyped

            from .linking import keep_apart
            from .pipeline import OPTIONS

            numba: Any = untyped
            made = numba.njit(**OPTIONS, **options)(keep_apart(function) if apart else function)
            template = made.get_call_template
            # Else it would be compiled for each combination of sizes of integers with which it is called.
            made.get_call_template = lambda arguments, names: template(
                tuple(map(_widened, arguments)), {name: _widened(kind) for name, kind in names.items()}
            )
            return made

        return Later(make, function)

    return decorate


def _widened(kind: Any) -> Any:
    """The type with integers of 64 bits in the place of those of less."""
    from numba import types as untyped

    types: Any = untyped
    if isinstance(kind, types.Integer) and kind.signed:
        return types.int64
    if isinstance(kind, (types.Tuple, types.UniTuple)):
        return types.Tuple([_widened(each) for each in kind.types])
    return kind
