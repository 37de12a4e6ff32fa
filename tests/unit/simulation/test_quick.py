"""What is quick is the kernel's, compiled or not: no number depends on it."""

from __future__ import annotations

import types
from typing import Any, NoReturn

import pytest

import wfsim as wf
from wfsim.semantics import draws, quantiles, roots
from wfsim.simulation import engine, quick


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it in Python again, before and after."""
    for name in quick._ARGUMENTS:
        room = draws if name in ("draw", "mix_key") else quantiles
        monkeypatch.setattr(quick, name, getattr(room, name))


def digest(cases: int = 20) -> str:
    files = wf.examples()["order_processing"]
    return wf.simulate(wf.example("order_processing"), files.scenario, cases=cases, engine="python").digest


def test_compiled_functions_leave_a_history_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest()
    assert quick.draw is draws.draw
    monkeypatch.setattr(engine, "MANY_CASES", 20)
    assert digest() == before
    assert all(isinstance(getattr(quick, name), types.BuiltinFunctionType) for name in quick._ARGUMENTS)


def test_where_nothing_can_be_compiled_python_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise ImportError("no compiler here")

    before = digest()
    monkeypatch.setattr(engine, "MANY_CASES", 20)
    monkeypatch.setattr(roots.draw, "ready", refuse)
    assert digest() == before
    assert quick.draw is draws.draw
