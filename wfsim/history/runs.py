"""The row of a run and of its workflows: everything that replay and a reader need beside the records."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfsim.errors import HistoryError
from wfsim.model.catalogue import Catalogue
from wfsim.model.supplying import Supplied, supplied
from wfsim.model.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

    from wfsim.semantics.program import Program

COLUMNS = "run, source, scenario, seed, replication, engine, params, log, complete"
WORKFLOW_COLUMNS = "number, name, version, definition, model_hash"


@dataclass(frozen=True)
class RunWorkflow:
    """A workflow of a run.

    Attributes
    ----------
    number
        0 for the run's root workflow; those that it starts, directly or not, follow by name and version.
    name, version
        Of the definition.
    definition
        In canonical JSON; replay compiles it.
    model_hash
        SHA-256 of the definition: equal hashes mean equal workflows.
    """

    number: int
    name: str
    version: str
    definition: str
    model_hash: str


@dataclass(frozen=True)
class Origin:
    """What made a simulated run, for readers; `params` are further arguments."""

    seed: int | None = None
    replication: int | None = 0
    scenario: str | None = None
    engine: str | None = "python"
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Run:
    """One run in a history: instances of one workflow, with their children.

    Attributes
    ----------
    run
        Its number in the file, from 1.
    workflows
        Its root workflow, then all that it starts, directly or not.
    source
        `simulation`, `runtime`, or `log` of an import.
    scenario, seed, replication, engine
        What made it, where known.
    params
        Further arguments of the run.
    log
        `full`, `transitions` or `aggregates`.
    complete
        Whether all that happened is here; not so if a simulation was interrupted, or its disk was full.
    functions
        Functions in Python that were given beside the file (M14.5): no part of it.
    """

    run: int
    workflows: tuple[RunWorkflow, ...]
    source: str
    scenario: str | None = None
    seed: int | None = None
    replication: int | None = None
    engine: str | None = None
    params: Mapping[str, Any] | None = None
    log: str = "full"
    complete: bool = True
    functions: tuple[Supplied, ...] = field(default=(), compare=False, repr=False)

    @property
    def workflow(self) -> str:
        """Name of the root workflow."""
        return self.workflows[0].name

    @property
    def version(self) -> str:
        """Version of the root workflow."""
        return self.workflows[0].version

    @property
    def definition(self) -> str:
        """Definition of the root workflow."""
        return self.workflows[0].definition

    @property
    def model_hash(self) -> str:
        """SHA-256 of the root workflow's definition."""
        return self.workflows[0].model_hash

    def number_of(self, program: Program) -> int:
        """The number of a program's workflow in this run.

        Raises
        ------
        HistoryError
            If it is none of the run's, or another definition of one.
        """
        workflow = program.workflow
        for one in self.workflows:
            if (one.name, one.version) == (workflow.name, workflow.version):
                if one.model_hash != hash_of_definition(definition_of(workflow)):
                    raise HistoryError(
                        f"run {self.run} has another definition of {one.name} {one.version}. "
                        "Give a changed definition a version of its own."
                    )
                return one.number
        known = ", ".join(f"{one.name} {one.version}" for one in self.workflows)
        raise HistoryError(
            f"{workflow.name} {workflow.version} is no workflow of run {self.run}, which has: {known}. "
            "Compile the root workflow with the catalogue that holds its children: compile_workflow(root, catalogue)."
        )

    def store(self, con: duckdb.DuckDBPyConnection) -> None:
        """Insert it, and its workflows."""
        con.execute(
            f"INSERT INTO runs ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                self.run,
                self.source,
                self.scenario,
                self.seed,
                self.replication,
                self.engine,
                None if self.params is None else json.dumps(dict(self.params), sort_keys=True),
                self.log,
                self.complete,
            ],
        )
        con.executemany(
            f"INSERT INTO workflows (run, {WORKFLOW_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
            [[self.run, one.number, one.name, one.version, one.definition, one.model_hash] for one in self.workflows],
        )


def workflows_of(program: Program) -> tuple[RunWorkflow, ...]:
    """The workflows of a run whose root is this program's.

    Raises
    ------
    HistoryError
        If the program was made without a catalogue and starts itself: replay could not tell.
    """
    root = program.workflow
    if any(row is None and program.name(number) == root.name for number, row in program.children.items()):
        raise HistoryError(
            f"{root.name!r} starts itself, and its program was made without a catalogue, so nobody could replay it. "
            "Use compile_workflow(workflow, Catalogue([workflow]))."
        )
    found = []
    for number, workflow in enumerate(program.family):
        definition = definition_of(workflow)
        code = hash_of_definition(definition)
        found.append(RunWorkflow(number, workflow.name, workflow.version, definition, code))
    return tuple(found)


def runs_in(con: duckdb.DuckDBPyConnection, functions: tuple[Supplied, ...] = ()) -> list[Run]:
    """All runs of a history, in order; `functions` are for their workflows."""
    workflows: dict[int, list[RunWorkflow]] = {}
    for run, *rest in con.execute(f"SELECT run, {WORKFLOW_COLUMNS} FROM workflows ORDER BY run, number").fetchall():
        workflows.setdefault(run, []).append(RunWorkflow(*rest))
    names = [name.strip() for name in COLUMNS.split(",")]
    found = []
    for row in con.execute(f"SELECT {COLUMNS} FROM runs ORDER BY run").fetchall():
        fields = dict(zip(names, row))
        fields["params"] = None if fields["params"] is None else json.loads(fields["params"])
        found.append(Run(workflows=tuple(workflows[fields["run"]]), functions=functions, **fields))
    return found


def catalogue_of(run: Run) -> Catalogue:
    """The workflows of a run; their children resolve among them as they did when it ran."""
    return Catalogue(workflow_of(one.definition, run.functions) for one in run.workflows)


def definition_of(workflow: Workflow) -> str:
    """The definition as canonical JSON: no defaults, keys in order of the definition.

    Not YAML: this text is read by programs, and equal workflows must give equal texts whatever their
    comments. JSON is YAML 1.2, so `wf.loads` reads it too.
    """
    return workflow.model_dump_json(by_alias=True, exclude_defaults=True)


NO_DEFINITION = "{}"
"""In the place of a definition, of a run that was imported from a log."""


def imported_run(name: str, imported: Mapping[str, Any]) -> Run:
    """The run of an imported log: real cases, of which no definition is known."""
    workflow = RunWorkflow(0, name, "log", NO_DEFINITION, hash_of_definition(NO_DEFINITION))
    return Run(1, (workflow,), "log", params={"imported": imported})


def workflow_of(definition: str, functions: Iterable[Supplied] = ()) -> Workflow:
    """The workflow of a stored definition, with the functions in Python that are for it.

    Raises
    ------
    HistoryError
        If there is none: the run was imported from a log.
    """
    if definition == NO_DEFINITION:
        raise HistoryError(
            "this history was imported from a log, so there is no definition to draw or to replay. Its views work "
            "without one: .sql('FROM dfg'), .sql('FROM variants'), .log()."
        )
    return supplied(Workflow.model_validate(json.loads(definition)), functions)


def hash_of_definition(definition: str) -> str:
    """SHA-256 of the canonical text."""
    return hashlib.sha256(definition.encode("utf-8", "replace")).hexdigest()
