"""Property files as tests: `pytest --wfsim verification`, or in the ini file `wfsim_properties = true`.

Every YAML file below a folder `verification` that has the key `properties` becomes a group of tests, one for each
property. A test fails where the verdict is not the expected one; `unknown` fails unless the property says why it may
stay open (`allow_unknown`), and is then skipped with that reason. Without the option nothing is collected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from wfsim.verification.property import Property
    from wfsim.verification.verdict import Verdict

FOLDER = "verification"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, the ini setting, and a limit."""
    group = parser.getgroup("wfsim")
    group.addoption("--wfsim", action="store_true", help=f"collect wfsim's property files below folders '{FOLDER}'")
    parser.addini("wfsim_properties", f"collect wfsim's property files below folders '{FOLDER}'", "bool", False)
    parser.addini("wfsim_functions", "modules whose functions marked by wf.function workflows may call", "args", [])
    parser.addini("wfsim_max_states", "limit of each search; beyond it the verdict is unknown", "string", "100000")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take up a property file, if that is asked for."""
    config = parent.config
    if not (config.getoption("--wfsim") or config.getini("wfsim_properties")):
        return None
    from wfsim.verification.workflows.property_files import is_property_file

    if FOLDER not in _inside(file_path, config.rootpath).parts[:-1] or not is_property_file(file_path):
        return None
    collected: pytest.Collector = PropertyFile.from_parent(parent, path=file_path)
    return collected


def _inside(path: Path, root: Path) -> Path:
    """The path from the root on: a folder above it has its name for other reasons."""
    return path.relative_to(root) if path.is_relative_to(root) else path


class NotAsExpected(Exception):
    """A verdict that is not the expected one; the text is all that it says."""


class PropertyFile(pytest.File):
    """A property file: one search serves all its tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test for each property.

        Raises
        ------
        CollectError
            With file and line, if the file or its workflow cannot be read or do not fit each other.
        """
        from wfsim.errors import WfsimError
        from wfsim.model.catalogue import Catalogue
        from wfsim.model.supplying import of_modules, supplied
        from wfsim.model.yaml_io import load
        from wfsim.verification.workflows.properties import answers
        from wfsim.verification.workflows.property_files import load_properties, workflow_of

        try:
            named, asked = load_properties(self.path)
            target = workflow_of(self.path, named)
            most = int(self.config.getini("wfsim_max_states"))
            given = of_modules(self.config.getini("wfsim_functions"), self.config.rootpath, "wfsim_functions")
            workflow = supplied(load(target), given)
            others = Catalogue(supplied(each, given) for each in Catalogue(target.parent).all_versions())
            answer = answers(workflow, asked, file=self.path, max_states=most, catalogue=others)
        except WfsimError as error:
            raise self.CollectError(str(error)) from None
        for number, each in enumerate(asked, start=1):
            item: PropertyItem = PropertyItem.from_parent(self, name=f"{number} {each}", asked=each, answer=answer)
            yield item


class PropertyItem(pytest.Item):
    """One property."""

    def __init__(self, *, asked: Property, answer: Callable[[Property], Verdict], **given: Any) -> None:
        super().__init__(**given)
        self.asked = asked
        self.answer = answer

    def runtest(self) -> None:
        """Ask, and compare with what is expected."""
        from wfsim.verification.workflows.report import as_expected

        verdict = self.answer(self.asked)
        if not as_expected(self.asked, verdict):
            raise NotAsExpected(f"expected {self.asked.expect}, found {verdict}")
        if verdict.status.value == "unknown" and self.asked.expect != "unknown":
            pytest.skip(f"unknown, allowed: {self.asked.allow_unknown}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The verdict with its trace, without Python's."""
        if isinstance(excinfo.value, NotAsExpected):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """File, line (from 0) and name."""
        return self.path, None if self.asked.line is None else self.asked.line - 1, self.name
