"""Arrays whose references compiled code need not count."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.later import Later


def _borrowed() -> Any:
    """The same arrays, in tuples of any depth, as if nobody owned them.

    Each call that passes an array counts its references up and down, which are locked operations: more than half the
    time of a search that passes a few dozen. The caller must hold the arrays until the compiled function returns, and
    none of them may be returned or kept.
    """
    from numba import extending

    # An intrinsic is called without the context that it is made with, which its type does not tell.
    intrinsic: Any = extending.intrinsic

    def borrowed(typing_context: Any, value: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _without_owner(context, builder, value, arguments[0])

        return value(value), make

    return intrinsic(borrowed)


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    from numba import types

    if isinstance(kind, types.BaseTuple):
        within: Any = kind
        items = [
            _without_owner(context, builder, each, builder.extract_value(value, k)) for k, each in enumerate(within)
        ]
        return context.make_tuple(builder, kind, items)
    array = context.make_array(kind)(context, builder, value=value)
    array.meminfo = array.meminfo.type(None)
    array.parent = array.parent.type(None)
    return array._getvalue()


borrowed: Any = Later(_borrowed)
