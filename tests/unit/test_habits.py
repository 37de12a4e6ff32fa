"""Habits: of the tests, that no clock decides and random cases are drawn in one way; of the code, short signatures."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.mutation.__main__ import groups
from tests.unit.test_structure import blocks
from wfsim.semantics.speed import KERNEL_FILES

TESTS = Path(__file__).parents[1]
# They wait for another thread or process, and give up one day; what they assert is no time.
WAITING = {
    "browser/lab.py",
    "unit/runtime/conftest.py",
    "unit/runtime/test_waiting_for_runs.py",
}


def texts() -> dict[str, str]:
    """Every test module but the benchmarks, by its path below `tests/`."""
    files = {file.relative_to(TESTS).as_posix(): file for file in TESTS.rglob("*.py")}
    return {
        name: file.read_text(encoding="utf-8") for name, file in files.items() if not name.startswith("benchmarks/")
    }


def test_no_test_measures_time() -> None:
    clock = re.compile(r"\b(?:monotonic|perf_counter|process_time|thread_time|time\.time)(?:_ns)?\(\)")
    assert {name for name, text in texts().items() if clock.search(text)} - WAITING == set()


def test_random_cases_are_drawn_in_one_way() -> None:
    own = re.compile(r"from hypothesis import .*\bsettings\b|max_examples")
    allowed = {"random_cases.py", "unit/test_habits.py"}
    assert {name for name, text in texts().items() if own.search(text)} - allowed == set()
    without = [
        name
        for name, text in texts().items()
        if re.search(r"^@given", text, re.M) and "random_cases import" not in text
    ]
    assert without == []


def test_every_kernel_function_of_the_meaning_is_in_one_group_of_mutations() -> None:
    folder = TESTS.parent / "wfsim" / "semantics"
    with_kernel = {
        f"wfsim/semantics/{name}" for name in KERNEL_FILES if "\n@kernel" in (folder / name).read_text(encoding="utf-8")
    }
    grouped = Counter(module for group in groups().values() for module in group.modules)
    assert {module: grouped[module] for module in with_kernel} == dict.fromkeys(with_kernel, 1)


def test_what_the_groups_of_mutations_name_is_there() -> None:
    named = [file for group in groups().values() for file in (*group.modules, *group.tests)]
    assert [
        file for file in named if not (TESTS.parent / file.removeprefix("--ignore=").partition("::")[0]).exists()
    ] == []


MOST_PARAMETERS = 7
# Every kernel function is passed what it works on: program, memory, cells, output, where the instance begins.
PASSED = ("p", "m", "v", "o", "i")
MOST_OF_ITS_OWN = 4
LONGER = {
    # What people type: all but the first one or two are given by name.
    "analytics.look.styled",
    "commands.engines.worker",
    "commands.logs.import_log",
    "commands.services.serve",
    "commands.simulation.seeds",
    "commands.simulation.simulate",
    "commands.simulation.sweep",
    "commands.verification.check",
    "commands.verification.verify",
    "commands.versions.migrate",
    "experiments.campaign.explore_seeds",
    "experiments.smallest.smallest",
    "experiments.sweep.sweep",
    "history.history.History.__init__",
    "history.importing.reading.read_log",
    "history.simulate.simulate",
    "model.builder.Builder.transition",
    "net.marked_net.MarkedNet.__init__",
    "net.translate.assembly.to_net",
    "runtime.engine.Engine.list",
    "runtime.names.AnyEngine.list",
    "runtime.opening.assembled",
    "runtime.opening.open_engine",
    "runtime.run.start",
    "service.client.RemoteEngine.list",
    "verification.nets.explore.explore",
    # Compiled loops over arrays; a tuple of them would be unpacked at each call.
    "conformance.kernel._trace_back",
    "conformance.kernel.align",
    "history.importing.scan.scan",
    "verification.nets.kernel.search",
    "verification.nets.kernel.dive",
    "verification.nets.kernel.edges_of",
}


def functions() -> Iterator[tuple[str, list[str]]]:
    """Every function of the package with its parameters, `self` left out."""

    def inside(node: ast.AST, name: str) -> Iterator[tuple[str, list[str]]]:
        for child in blocks(node):
            within = f"{name}.{child.name}" if isinstance(child, (ast.ClassDef, ast.FunctionDef)) else name
            if isinstance(child, ast.FunctionDef):
                given = child.args
                every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
                every += [one for one in (given.vararg, given.kwarg) if one is not None]
                yield within, [one.arg for one in every if one.arg not in ("self", "cls")]
            yield from inside(child, within)

    root = TESTS.parent / "wfsim"
    for file in sorted(root.rglob("*.py")):
        module = ".".join(file.relative_to(root).with_suffix("").parts)
        yield from inside(ast.parse(file.read_text(encoding="utf-8")), module)


def test_no_function_has_many_parameters() -> None:
    found = set()
    for name, parameters in functions():
        own = [one for one in parameters if one not in PASSED]
        in_kernel = name.startswith("semantics.") and parameters[:1] in (["p"], ["m"])
        if len(own) > MOST_OF_ITS_OWN if in_kernel else len(parameters) > MOST_PARAMETERS:
            found.add(name)
    assert found == LONGER
