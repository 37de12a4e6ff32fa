"""The row of a run: everything that replay and a reader need beside the records."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.model.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

COLUMNS = "run, workflow, version, definition, model_hash, source, scenario, seed, replication, engine, params, log"


@dataclass(frozen=True)
class Run:
    """One run in a history.

    Attributes
    ----------
    run
        Its number in the file, from 1.
    workflow, version
        Of the definition.
    definition
        The definition in canonical JSON; replay compiles it.
    model_hash
        SHA-256 of the definition: equal hashes mean equal workflows.
    source
        `simulation` or `runtime`.
    scenario, seed, replication, engine
        What made it, where known.
    params
        Further arguments of the run.
    log
        `full`, `transitions` or `aggregates`.
    """

    run: int
    workflow: str
    version: str
    definition: str
    model_hash: str
    source: str
    scenario: str | None = None
    seed: int | None = None
    replication: int | None = None
    engine: str | None = None
    params: Mapping[str, Any] | None = None
    log: str = "full"

    def store(self, con: duckdb.DuckDBPyConnection) -> None:
        """Insert it."""
        con.execute(
            f"INSERT INTO runs ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                self.run,
                self.workflow,
                self.version,
                self.definition,
                self.model_hash,
                self.source,
                self.scenario,
                self.seed,
                self.replication,
                self.engine,
                None if self.params is None else json.dumps(dict(self.params), sort_keys=True),
                self.log,
            ],
        )


def runs_in(con: duckdb.DuckDBPyConnection) -> list[Run]:
    """All runs of a history, in order."""
    rows = con.execute(f"SELECT {COLUMNS} FROM runs ORDER BY run").fetchall()
    names = [name.strip() for name in COLUMNS.split(",")]
    found = []
    for row in rows:
        fields = dict(zip(names, row))
        fields["params"] = None if fields["params"] is None else json.loads(fields["params"])
        found.append(Run(**fields))
    return found


def definition_of(workflow: Workflow) -> str:
    """The definition as canonical JSON: no defaults, keys in order of the definition.

    Not YAML: this text is read by programs, and equal workflows must give equal texts whatever their
    comments. JSON is YAML 1.2, so `wf.loads` reads it too.
    """
    return workflow.model_dump_json(by_alias=True, exclude_defaults=True)


def workflow_of(definition: str) -> Workflow:
    """The workflow of a stored definition."""
    return Workflow.model_validate(json.loads(definition))


def hash_of_definition(definition: str) -> str:
    """SHA-256 of the canonical text."""
    return hashlib.sha256(definition.encode("utf-8", "replace")).hexdigest()
