"""Workflows from and to YAML files: `load`, `loads`, `save`, `dumps`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wfsim.arguments import as_path, expect
from wfsim.errors import DefinitionError
from wfsim.files import read_file
from wfsim.model.check import check
from wfsim.model.functions import Python
from wfsim.model.placing import Pins, read_pins
from wfsim.model.problems import Path as DefinitionPath
from wfsim.model.problems import Problem, definition_error, from_validation, shown
from wfsim.model.published import from_published
from wfsim.model.shorthand import expand
from wfsim.model.supplying import for_all
from wfsim.model.transition_lists import Origins, folded
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_reader import LARGEST_FILE, Document, decode, read
from wfsim.model.yaml_writer import matched, rewrite, to_data, write, write_data


@dataclass(frozen=True)
class Source:
    """Where a workflow was read from: its text keeps the comments, its lines place findings.

    `pins` says where an editor that it comes from has its states; else that stands beside the file.
    """

    file: str
    text: str
    document: Document
    workflow: Workflow
    folder: Path | None = None
    shorthand: bool = False
    lists: Origins = field(default_factory=dict)
    included: bool = False
    pins: Pins | None = None

    @property
    def path(self) -> Path | None:
        """The file; none if it is a text."""
        return None if self.folder is None else self.folder / Path(self.file).name

    def placed(self) -> Pins:
        """Where a person has put states; see `Definition.placed`."""
        if self.pins is not None:
            return self.pins
        return {} if self.path is None else read_pins(self.path)

    def line_of(self, path: DefinitionPath) -> int | None:
        """Line (from 1) of the nearest thing around the path that the file has."""
        return self.document.line_of(path)


def source_of(workflow: Workflow) -> Source | None:
    """The source of a workflow that was loaded, or changed from one that was; `None` if built in Python."""
    source = workflow._source
    return source if isinstance(source, Source) else None


def load(path: str | os.PathLike[str], *, functions: Mapping[str, Python] | None = None) -> Workflow:
    """Read a workflow from a YAML file, in our form or in that of the published design.

    Parameters
    ----------
    path
        At most 10 MB, UTF-8.
    functions
        Functions in Python that it calls, by the names that it declares (M14).

    Raises
    ------
    DefinitionError
        Naming file and line of every problem found, the values, and what to write instead; for a function that does not
        fit its declaration, that.
    """
    file = as_path(path, "load")
    try:
        raw = read_file(file, LARGEST_FILE)
    except OSError as error:
        near = _similar_file(file)
        raise DefinitionError(f"{file}: cannot be read: {error.strerror or error}.{near}") from None
    return _with(_build(decode(raw, str(file)), str(file), file.parent), functions)


def loads(text: str, name: str = "<text>", *, functions: Mapping[str, Python] | None = None) -> Workflow:
    """Read a workflow from text; `name` stands for the file in messages, `functions` are as for `load`.

    Raises
    ------
    DefinitionError
        As `load`.
    """
    expect(text, str, "loads takes the text of a workflow", "A file is read by wf.load(path).")
    return _with(_build(text.removeprefix("\ufeff"), name), functions)


def _with(workflow: Workflow, functions: Mapping[str, Python] | None) -> Workflow:
    # Here each must be one that is declared.
    found = {each.name: each.python for each in for_all(functions)}
    return workflow.with_functions(**found) if found else workflow


def draft(text: str, name: str = "<text>") -> Workflow:
    """Read a workflow that is being written: as `loads`, but names in it need not exist."""
    return _build(text, name, checked=False)


def dumps(workflow: Workflow) -> str:
    """The YAML text of a workflow: `loads(dumps(w)) == w`.

    A workflow that was loaded, or copied from one that was, keeps the comments and the layout of all parts
    that did not change. Otherwise keys come in canonical order, defaults are left out, durations are text.
    What other files share is spelt out, and so are `policies` once a workflow that uses them has changed. Transitions
    stay in the lists that they were written in as long as they differ in nothing but their states and events.
    """
    expect(workflow, Workflow, "dumps takes a Workflow", "Load one: wf.load(path).")
    source = source_of(workflow)
    return write(workflow) if source is None else respelt(source, workflow)


def respelt(source: Source, workflow: Workflow) -> str:
    """The text of a source, changed to say this workflow, which may be a draft."""
    if source.included:
        return write(workflow)
    if (source.shorthand or source.lists) and workflow == source.workflow:
        return source.text
    before, after = to_data(source.workflow), to_data(workflow)
    before, after = folded(source.document.data, source.lists, before, after, matched)
    if source.shorthand:
        return write_data(after)
    text = rewrite(source.text, before, after)
    # The merge works on someone else's layout; never save what would not be read back as the same workflow.
    return text if _reads_as(text, workflow) else write(workflow)


def save(workflow: Workflow, path: str | os.PathLike[str]) -> None:
    """Write a workflow to a file, as `dumps`; the old file stays whole until the new one is complete.

    An unchanged workflow goes on including the files that it was loaded with, if it is saved beside them.

    Raises
    ------
    DefinitionError
        If the file cannot be written, or the workflow was changed into one that could not be loaded.
    """
    expect(workflow, Workflow, "save takes a Workflow", "Load one: wf.load(path).")
    target = as_path(path, "save")
    source = source_of(workflow)
    beside = source is not None and source.included and target.parent.resolve() == source.folder
    text = source.text if source is not None and beside and workflow == source.workflow else dumps(workflow)
    problems = check(workflow)
    if problems:
        raise definition_error(problems)
    try:
        _replace(target, text)
    except OSError as error:
        raise DefinitionError(f"{target}: cannot be written: {error.strerror or error}.") from None


def _replace(target: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes private files; keep the mode the file had, or the one new files get.
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _build(text: str, file: str, folder: Path | None = None, *, checked: bool = True) -> Workflow:
    document = read(text, file)
    if not isinstance(document.data, dict):
        what = "is empty" if document.data is None else f"is {shown(document.data)}"
        raise definition_error(
            [Problem((), f"a workflow is a mapping with name, initial_state, states; this {what}.")],
            file,
            document.line_of,
        )
    spelt_out = expand(document, folder)
    data, problems = from_published(spelt_out.data, document.lines)
    problems += spelt_out.problems
    workflow = _validated(data, problems)
    if workflow is not None and checked:
        problems += check(workflow)
    if problems or workflow is None:
        in_order = sorted(problems, key=lambda problem: document.line_of(problem.path) or 0)
        raise definition_error(in_order, file, document.line_of)
    kept = workflow.model_copy()
    where = None if folder is None else folder.resolve()
    workflow._source = Source(file, text, document, kept, where, spelt_out.used, spelt_out.origins, spelt_out.included)
    return workflow


def _validated(data: dict[str, Any], problems: list[Problem]) -> Workflow | None:
    try:
        return Workflow.model_validate(data, context={"unchecked": True})
    except ValidationError as error:
        problems += from_validation(error.errors(), data)
        return None


def _reads_as(text: str, workflow: Workflow) -> bool:
    try:
        return write(draft(text)) == write(workflow)
    except DefinitionError:
        return False


def _similar_file(file: Path) -> str:
    from wfsim.errors import did_you_mean

    if file.exists() or not file.parent.is_dir():
        return ""
    return did_you_mean(file.name, sorted(one.name for one in file.parent.iterdir() if one.suffix == file.suffix))
