"""What is imported is declared: an environment has what `pyproject.toml` says, and not what was installed by hand."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# A result as a table of Polars is for those who have Polars.
OPTIONAL = {"polars"}
# What the command of each installs by itself.
APART = ("tests/benchmarks/", "tests/hosts/", "tests/mutation/")
# A module that a test writes.
WRITTEN = {"door_names"}


def named(requirement: str) -> str:
    """The distribution of a requirement, as names are compared."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[;<>=!~(]", requirement, maxsplit=1)[0]).lower()


@cache
def declared(*extras: str) -> set[str]:
    """Distributions that an installation with these extras names, and what these always bring along."""
    groups = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"]]
    todo = list(extras)
    while todo:
        for requirement in groups[todo.pop()]:
            inner = re.fullmatch(r"wfsim\[(.*)\]", requirement)
            if inner:
                todo.extend(inner[1].split(","))
            else:
                wanted.append(requirement)
    direct = {named(requirement) for requirement in wanted}
    brought = {
        named(requirement)
        for name in direct
        for requirement in metadata.requires(name) or ()
        if "extra ==" not in requirement
    }
    return direct | brought


def imported(folder: str, *, loading: bool = False) -> Iterator[tuple[str, str]]:
    """Modules of others that the files below a folder import, each with the file; or only as they are loaded."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        where = file.relative_to(ROOT).as_posix()
        if "node_modules" in where or where.startswith(APART):
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in tree.body if loading else ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names and top not in {"wfsim", "tests", "hatch_build"} | WRITTEN:
                    yield top, where


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("wfsim", ("serve", "temporal", "telemetry", "loky", "dask", "test-core")), ("tests", ("test",))],
)
def test_what_is_imported_is_declared(folder: str, extras: tuple[str, ...]) -> None:
    have, homes = declared(*extras), metadata.packages_distributions()
    missing = {
        (module, where)
        for module, where in imported(folder)
        if module not in OPTIONAL and not {named(home) for home in homes.get(module, ())} & have
    }
    assert missing == set()


# By room, what an installation has to name that loads it.
EXTRAS = {"wfsim/service/": ("serve",), "wfsim/temporal/": ("temporal",), "wfsim/pytest_plugin": ("test-core",)}


def test_what_is_loaded_with_a_module_comes_with_wfsim_or_with_the_extra_of_its_room() -> None:
    homes = metadata.packages_distributions()
    missing = set()
    for module, where in imported("wfsim", loading=True):
        extras = next((extras for room, extras in EXTRAS.items() if where.startswith(room)), ())
        if not {named(home) for home in homes.get(module, ())} & declared(*extras):
            missing.add((module, where))
    assert missing == set()


@pytest.mark.parametrize(("module", "there"), [("sqlalchemy", True), ("greenlet", False)])
def test_what_is_there_by_chance_does_not_count(module: str, there: bool) -> None:
    assert bool({named(home) for home in metadata.packages_distributions()[module]} & declared()) is there
