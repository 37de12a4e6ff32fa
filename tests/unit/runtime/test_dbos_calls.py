"""What is asked of DBOS is what it offers: nothing private, pinned to the minor version that was tested."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import dbos

import wfsim

ROOT = Path(wfsim.__file__).parent
OBJECTS = {"DBOS": dbos.DBOS, "_client": dbos.DBOSClient, "_prepared": dbos.DBOSClient, "queue": dbos.Queue}
"""What is called which way in the modules that ask it."""


def asking() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(ROOT.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if re.search(r"^\s*(from|import) dbos", text, re.MULTILINE):
            yield file.relative_to(ROOT).as_posix(), ast.parse(text)


def test_only_what_dbos_exports_is_imported() -> None:
    asked = dict(asking())
    assert set(asked) == {"runtime/queue.py", "runtime/groups.py"}
    for file, tree in asked.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "dbos":
                assert node.module == "dbos", file
                assert {each.name for each in node.names} <= set(dbos.__all__), file
            if isinstance(node, ast.Import):
                assert all(each.name.partition(".")[0] != "dbos" for each in node.names), file


def test_only_what_is_public_is_asked_of_it_and_is_there() -> None:
    n = 0
    for file, tree in asking():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute):
                continue
            holder = node.value
            name = holder.id if isinstance(holder, ast.Name) else getattr(holder, "attr", None)
            if name in OBJECTS:
                n += 1
                assert not node.attr.startswith("_"), (file, node.attr)
                assert hasattr(OBJECTS[name], node.attr) or node.attr in _made(OBJECTS[name]), (file, node.attr)
    assert n > 20


def _made(kind: type) -> set[str]:
    """The attributes that objects of a class get when they are made."""
    tree = ast.parse(Path(importlib.import_module(kind.__module__).__file__ or "").read_text(encoding="utf-8"))
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    return {node.attr for node in stored if isinstance(node.value, ast.Name) and node.value.id == "self"}


def test_the_version_is_the_pinned_one() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (pinned,) = [each for each in project["dependencies"] if each.startswith("dbos")]
    low, high = re.fullmatch(r"dbos>=3\.(\d+),<3\.(\d+)", pinned).groups()  # type: ignore[union-attr]
    assert int(high) == int(low) + 1
    assert version("dbos").split(".")[:2] == ["3", low]
