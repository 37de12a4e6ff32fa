"""The front end is built from its sources when these have changed, and only then."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import shutil
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FRONTEND, STATIC = ROOT / "wfsim/widgets/frontend", ROOT / "wfsim/widgets/static"


@pytest.fixture(scope="module")
def hatch_build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository with the sources of the front end, and what was built of them."""
    shutil.copytree(FRONTEND, tmp_path / "wfsim/widgets/frontend", ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(STATIC, tmp_path / "wfsim/widgets/static")
    return tmp_path


def test_the_bundle_is_small_and_each_widget_carries_only_a_loader() -> None:
    assert len(gzip.compress((STATIC / "bundle.js").read_bytes())) < 60_000
    assert (STATIC / "loader.js").stat().st_size < 5_000
    assert "MIT License" in (STATIC / "THIRD_PARTY_LICENSES.txt").read_text()


def test_nothing_is_built_again_while_the_sources_are_the_same(copy: Path, hatch_build: Any, monkeypatch: Any) -> None:
    def node(*_: object) -> None:
        raise AssertionError("node was asked to build")

    monkeypatch.setattr(hatch_build, "node", node)
    os.utime(copy / "wfsim/widgets/frontend/src/index.tsx", (1, 1))
    assert not hatch_build.build(copy)
    (copy / "wfsim/widgets/frontend/src/index.tsx").write_text("export const changed = true;")
    with pytest.raises(AssertionError, match="asked to build"):
        hatch_build.build(copy)


def test_without_a_registry_the_error_is_short_and_names_the_way_out(
    copy: Path, hatch_build: Any, monkeypatch: Any
) -> None:
    shutil.rmtree(copy / "wfsim/widgets/static")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(copy / "cache"))
    with pytest.raises(hatch_build.FrontEndError) as failed:
        hatch_build.build(copy)
    lines = str(failed.value).splitlines()
    assert len(lines) <= 5
    assert "npm got no packages" in lines[0]
    assert "ECONNREFUSED" in lines[1]
    assert "WFSIM_SKIP_FRONTEND=1" in lines[-1]
    assert not (copy / "wfsim/widgets/static").exists()


def test_the_switch_builds_without_the_bundle(copy: Path, hatch_build: Any, monkeypatch: Any) -> None:
    said: list[str] = []
    app = SimpleNamespace(display_warning=said.append)
    hook = hatch_build.FrontEnd(str(copy), {}, None, None, "", "wheel", app)
    monkeypatch.setenv("WFSIM_SKIP_FRONTEND", "1")
    built: dict[str, Any] = {"artifacts": []}
    hook.initialize("standard", built)
    assert built["artifacts"] == []
    assert "still pictures" in said[0]
    monkeypatch.delenv("WFSIM_SKIP_FRONTEND")
    hook.initialize("standard", built)
    assert "/wfsim/widgets/static/bundle.js" in built["artifacts"]


def test_the_lock_file_names_hashes_and_no_registry() -> None:
    lock = json.loads((FRONTEND / "package-lock.json").read_text())
    packages = [each for name, each in lock["packages"].items() if name]
    assert all("integrity" in each and "resolved" not in each for each in packages)
