"""The library that ships: every example is whole, and found inside an installed package as beside a checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import wfsim as wf
from wfsim.errors import CatalogueError
from wfsim.model import examples


def test_every_model_of_the_checkout_is_an_example_with_what_must_hold() -> None:
    found = wf.examples()
    assert sorted(found) == sorted(
        file.relative_to("models").with_suffix("").as_posix()
        for file in Path("models").rglob("*.yaml")
        if not file.name.endswith(".scenario.yaml")
    )
    assert [name for name, files in found.items() if files.properties is None] == []
    assert [name for name, files in found.items() if files.scenario is None] == ["published/order_processing"]
    assert [name for name, files in found.items() if files.log is not None] == ["loan_application"]


@pytest.mark.parametrize("name", list(wf.examples()))
def test_an_example_is_the_workflow_of_its_file(name: str) -> None:
    assert wf.example(name) == wf.load(f"models/{name}.yaml")


def test_an_unknown_example_is_told_with_the_known_ones() -> None:
    with pytest.raises(CatalogueError, match=r"'order' is not an example.*order_processing.*travel_booking"):
        wf.example("order")
    with pytest.raises(CatalogueError, match="Did you mean 'shipping'"):
        wf.example("shiping")


def test_the_library_inside_an_installed_package_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "library" / "models").mkdir(parents=True)
    shutil.copy("models/shipping.yaml", tmp_path / "library" / "models" / "mine.yaml")
    monkeypatch.setattr(examples, "_PACKAGE", tmp_path)
    assert list(wf.examples()) == ["mine"]
