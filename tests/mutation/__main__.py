"""Changes the code in one place at a time and asks whether a test notices: `python -m tests.mutation GROUP`.

What survives is a line that no test holds to its meaning, or a change that changes nothing. Cosmic Ray makes the
changes, in a copy of the checkout; a group is a few modules with the tests that are to notice. `--sample` takes some
of the changes, drawn with `--seed`; without it all are tried, which takes hours.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
UNINTERESTING = (
    # Interpreted, the decorator of kernel functions is the function itself.
    "core/RemoveDecorator",
    # Of small numbers there is one object each.
    "core/ReplaceComparisonOperator_Eq_Is",
    "core/ReplaceComparisonOperator_NotEq_IsNot",
)


@dataclass(frozen=True)
class Group:
    """Modules, the tests that are to notice a change in them, and how many seconds these may take."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    seconds: float
    may_survive: float
    """The share of changes that may go unnoticed: those that change nothing, by the last whole run."""


def groups() -> dict[str, Group]:
    """The groups of `groups.toml`, by name."""
    text = (Path(__file__).parent / "groups.toml").read_text(encoding="utf-8")
    return {
        name: Group(tuple(given["modules"]), tuple(given["tests"]), given["seconds"], given["may_survive"])
        for name, given in tomllib.loads(text).items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("group", choices=sorted(groups()))
    parser.add_argument("--sample", type=int, help="so many changes only")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    group = groups()[asked.group]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "wfsim"
        _copy(copy)
        session = Path(folder) / "session.sqlite"
        config = Path(folder) / "mutation.toml"
        config.write_text(_config(group), encoding="utf-8")
        _run(["cosmic-ray", "init", str(config), str(session)], copy)
        tried, of = _choose(session, copy, asked.sample, asked.seed)
        print(f"{asked.group}: {tried} of {of} changes in {len(group.modules)} modules", flush=True)
        _run(["cosmic-ray", "exec", str(config), str(session)], copy)
        survivors = _survivors(session)
    for survivor in survivors:
        print(survivor)
    share = len(survivors) / max(tried, 1)
    # A sample of 12 may by chance hold more of those that change nothing: three times the share, and one, are let pass.
    allowed = group.may_survive if asked.sample is None else 3 * group.may_survive + 1 / max(tried, 1)
    print(f"{asked.group}: {len(survivors)} of {tried} survived, {share:.0%}; at most {allowed:.0%} may")
    sys.exit(share > allowed)


def _copy(to: Path) -> None:
    """The files that git knows, as they are in the working tree."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


def _config(group: Group) -> str:
    paths = ", ".join(f'"{module}"' for module in group.modules)
    # Without the options that leave out what takes long.
    options = "-o addopts=--import-mode=importlib -x -q -n 0 -p no:cacheprovider"
    command = f"{sys.executable} -m pytest {options} {' '.join(group.tests)}"
    return (
        f"[cosmic-ray]\nmodule-path = [{paths}]\ntimeout = {group.seconds}\nexcluded-modules = []\n"
        f'test-command = "{command}"\n\n[cosmic-ray.distributor]\nname = "local"\n'
    )


def _run(command: list[str], folder: Path) -> None:
    """Run a command of this environment in the copy, with caches of its own."""
    script = Path(sys.executable).with_name(command[0])
    own = {"PYTHONPATH": str(folder), "WFSIM_CACHE": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([str(script), *command[1:]], cwd=folder, env=os.environ | own, check=True)


def _choose(session: Path, folder: Path, number: int | None, seed: int) -> tuple[int, int]:
    """Keep what can matter, and of that a sample; how many are left, and of how many."""
    from cosmic_ray.work_db import WorkDB, use_db

    with use_db(str(session), WorkDB.Mode.open) as db:
        items = [item for item in db.work_items if not any(_is_idle(folder, change) for change in item.mutations)]
        # Their ids are drawn anew each time; a sample must not be.
        items.sort(key=lambda item: [(str(c.module_path), c.operator_name, c.occurrence) for c in item.mutations])
        chosen = items if number is None else random.Random(seed).sample(items, min(number, len(items)))
        db.clear()
        db.add_work_items(chosen)
    return len(chosen), len(items)


def _is_idle(folder: Path, change: Any) -> bool:
    """Whether a change can change nothing: in an annotation, in a decorator of the kernel, `is` for `==`."""
    if change.operator_name in UNINTERESTING:
        return True
    return any(begin <= tuple(change.start_pos) < end for begin, end in _annotations(folder / change.module_path))


@cache
def _annotations(file: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where the annotations of a module begin and end; thousands of changes ask for those of a dozen modules."""
    notes: list[ast.expr] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns is not None:
            notes.append(node.returns)
        elif isinstance(node, (ast.arg, ast.AnnAssign)) and node.annotation is not None:
            notes.append(node.annotation)
    return [((note.lineno, note.col_offset), (note.end_lineno or 0, note.end_col_offset or 0)) for note in notes]


def _survivors(session: Path) -> list[str]:
    """Each change that no test noticed, with its difference."""
    from cosmic_ray.work_db import WorkDB, use_db
    from cosmic_ray.work_item import TestOutcome, WorkerOutcome

    found = []
    with use_db(str(session), WorkDB.Mode.open) as db:
        for _, result in db.results:
            if result.worker_outcome == WorkerOutcome.NORMAL and result.test_outcome == TestOutcome.SURVIVED:
                found.append(result.diff or result.output or "")
    return found


if __name__ == "__main__":
    main()
