"""The programs of families of workflows: compiled once in a process, found by hash."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.history.runs import RunWorkflow, definition_of, hash_of_definition, workflow_of, workflows_of
from wfsim.model.catalogue import Catalogue
from wfsim.model.uses import invoked
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.image import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wfsim.model.workflow import Workflow
    from wfsim.semantics.program import Program


@dataclass(frozen=True)
class Family:
    """A root workflow and all that it may run or write to, in the versions chosen when it started (M4.4).

    Attributes
    ----------
    code
        Hash of the definitions.
    members
        The root first, then the others by name and version.
    """

    code: str
    members: tuple[RunWorkflow, ...]
    programs: tuple[Program, ...]
    fingerprints: tuple[str, ...]

    @property
    def catalogue(self) -> Catalogue:
        """The workflows, for whoever starts a child."""
        return Catalogue(program.workflow for program in self.programs)

    def number_of(self, workflow: Workflow) -> int:
        """Which member a workflow is."""
        return next(
            number
            for number, one in enumerate(self.members)
            if (one.name, one.version) == (workflow.name, workflow.version)
        )


def code_of(hashes: Sequence[str]) -> str:
    """The hash of a family with these definitions."""
    return hashlib.sha256(json.dumps(list(hashes)).encode()).hexdigest()


def family_of(workflow: Workflow, catalogue: Catalogue) -> Family:
    """A workflow with what it needs of a catalogue."""
    known = catalogue.family(workflow)
    return _family(workflows_of(compile_workflow(workflow, known)))


def _family(members: tuple[RunWorkflow, ...]) -> Family:
    workflows = [workflow_of(one.definition) for one in members]
    catalogue = Catalogue(workflows)
    complete = all(use.workflow in catalogue for each in workflows for use in invoked(each))
    programs = tuple(compile_workflow(each, catalogue if complete else None) for each in workflows)
    code = code_of([one.model_hash for one in members])
    return Family(code, members, programs, tuple(map(fingerprint, programs)))


class Families:
    """The families that this process has met; from any thread.

    Attributes
    ----------
    stored
        Hashes of those that are known to be in the database.
    """

    def __init__(self) -> None:
        self.stored: set[str] = set()
        self._turn = threading.Lock()
        self._known: dict[str, Family] = {}

    def of(self, workflow: Workflow, catalogue: Catalogue) -> Family:
        """The family of a root that starts now."""
        found = family_of(workflow, catalogue)
        with self._turn:
            return self._known.setdefault(found.code, found)

    def get(self, code: str, definitions: Callable[[str], list[str]]) -> Family:
        """The family of a hash; `definitions` reads those that this process has not met."""
        with self._turn:
            found = self._known.get(code)
        if found is None:
            members = []
            for number, text in enumerate(definitions(code)):
                workflow = workflow_of(text)
                assert definition_of(workflow) == text
                members.append(RunWorkflow(number, workflow.name, workflow.version, text, hash_of_definition(text)))
            found = _family(tuple(members))
            with self._turn:
                found = self._known.setdefault(code, found)
        return found
