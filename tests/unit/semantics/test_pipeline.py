"""What is spared where numba compiles: its passes that have nothing to do, and its own slow way to list variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from numba.core import bytecode, compiler, interpreter, ir

from wfsim.semantics import entries
from wfsim.semantics.linking import variables_in
from wfsim.semantics.pipeline import IDLE
from wfsim.simulation.compiled import kernel, stimuli

_ir: Any = ir
_compiler: Any = compiler


def listed(value: Any) -> list[Any]:
    """As numba does it itself."""
    if isinstance(value, _ir.Var):
        return [value]
    if isinstance(value, _ir.Inst):
        return list(value.list_vars())
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return []
    return [each for part in value for each in listed(part)]


def statements(function: Any) -> Iterator[Any]:
    identity = bytecode.FunctionIdentity.from_function(function)
    blocks = interpreter.Interpreter(identity).interpret(bytecode.ByteCode(identity)).blocks
    for block in blocks.values():
        yield from block.body


@pytest.mark.parametrize("function", [entries.step, kernel.simulate, stimuli.begin.py_func, kernel.carry_out.py_func])
def test_variables_are_listed_as_numba_lists_them_in_that_order(function: Any) -> None:
    found = list(statements(function))
    assert len(found) > 10
    for statement in found:
        assert variables_in(statement, vars(statement)) == listed(vars(statement))


def test_idle_passes_are_passes_of_numba() -> None:
    """One that has another name now would be idle no more, which only takes longer."""
    flags = _compiler.Flags()
    state = type("State", (), {"flags": flags, "func_ir": None})()
    builder = _compiler.DefaultPassBuilder
    parts = (builder.define_untyped_pipeline, builder.define_typed_pipeline, builder.define_nopython_lowering_pipeline)
    assert {each[0].__name__ for part in parts for each in part(state).passes} >= IDLE
