"""The cache of compiled searches, found by calls private to numba, whose version `pyproject.toml` therefore bounds."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import numba
import pytest
from packaging.requirements import Requirement

from tests.benchmarks.nets_bench import kanban
from wfsim.verification.nets import kernel, readiness
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.readiness import Compiled


def test_the_version_of_numba_is_bounded_on_both_sides() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    (needed,) = (r for r in map(Requirement, project["dependencies"]) if r.name == "numba")
    assert sorted(each.operator for each in needed.specifier) == ["<", ">="]
    assert version("numba") in needed.specifier


def test_what_was_compiled_is_found_in_the_cache() -> None:
    _ = explore(kanban(1), engine="kernel").bounds
    assert readiness.is_cached(Compiled.PLAIN)


def test_what_is_not_kept_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "dive", numba.njit(kernel.dive.py_func))
    assert not readiness.is_cached(Compiled.DIVE)


def test_what_was_never_compiled_is_not_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernel, "dive", numba.njit(cache=True)(kernel.dive.py_func))
    assert not readiness.is_cached(Compiled.DIVE)


def test_what_was_compiled_for_other_arguments_is_not_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _ = explore(kanban(1), engine="kernel").bounds
    # Both searches are one function, whose arguments tell them apart.
    index = kernel.search._cache._cache_file._load_index()
    plain = {key: kept for key, kept in index.items() if numba.types.none in key[0]}
    monkeypatch.setattr(kernel.search._cache._cache_file, "_load_index", lambda: plain)
    assert readiness.is_cached(Compiled.PLAIN)
    assert not readiness.is_cached(Compiled.STUBBORN)
