"""The programs of families of workflows: compiled once in a process, found by hash."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.history.runs import RunWorkflow, hash_of_definition, workflow_of, workflows_of
from wfsim.model.catalogue import Catalogue
from wfsim.model.supplying import for_all, supplied_by
from wfsim.model.uses import invoked
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.image import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wfsim.model.functions import Python
    from wfsim.model.supplying import Supplied
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.program import Program


MOST = 200
"""Roots whose families are kept compiled."""


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


def _family(members: tuple[RunWorkflow, ...], functions: tuple[Supplied, ...]) -> Family:
    workflows = [workflow_of(one.definition, functions) for one in members]
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
    functions
        Those in Python that were given.
    """

    def __init__(self) -> None:
        self.stored: set[str] = set()
        self._turn = threading.Lock()
        self._known: dict[str, Family] = {}
        self.functions: tuple[Supplied, ...] = ()
        # By identity, and holding what is identified: compiling takes longer than a start.
        self._made: OrderedDict[tuple[int, int], tuple[Workflow, Catalogue, Family]] = OrderedDict()

    def give(self, functions: Mapping[str, Python] | None) -> None:
        """Functions in Python for the workflows in the database, which holds definitions, no code (M14.5).

        Raises
        ------
        DefinitionError
            If one does not fit its declaration.
        """
        if functions:
            with self._turn:
                self.functions = (*for_all(functions), *self.functions)
                self._known.clear()

    def of(self, workflow: Workflow, catalogue: Catalogue) -> Family:
        """The family of a root that starts now."""
        place = (id(workflow), id(catalogue))
        with self._turn:
            made = self._made.get(place)
            if made is not None:
                return made[2]
        program = compile_workflow(workflow, catalogue.family(workflow))
        # Those of a workflow that is started come first.
        functions = (*supplied_by(program.family), *self.functions)
        found = _family(workflows_of(program), functions)
        with self._turn:
            self._known[found.code] = found
            self._made[place] = (workflow, catalogue, found)
            while len(self._made) > MOST:
                self._made.popitem(last=False)
        return found

    def get(self, code: str, definitions: Callable[[str], list[str]]) -> Family:
        """The family of a hash; `definitions` reads those that this process has not met."""
        with self._turn:
            found = self._known.get(code)
        if found is None:
            members = []
            for number, text in enumerate(definitions(code)):
                workflow = workflow_of(text)
                members.append(RunWorkflow(number, workflow.name, workflow.version, text, hash_of_definition(text)))
            found = _family(tuple(members), self.functions)
            with self._turn:
                found = self._known.setdefault(code, found)
        return found
