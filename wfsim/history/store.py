"""`Store`: a history that grows append by append while real instances run (M11.1)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from wfsim.errors import ConflictError, HistoryError
from wfsim.semantics.codes import R_INSTANCE_CLOSED
from wfsim.semantics.layout import RecordRow

from . import schema
from .batch import Batch, clean, insert
from .case import Case, find_case
from .codes import Codes, ProgramCodes, program_codes
from .history import History
from .paths import EMPTY, Paths
from .runs import Run, definition_of, hash_of_definition, runs_in
from .tracker import ROLE, CaseTrack, track_rows
from .views import create_views

if TYPE_CHECKING:
    import os
    from types import TracebackType

    import pyarrow as pa

    from wfsim.model.workflow import Workflow
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.program import Program

INDEXES = """
CREATE UNIQUE INDEX records_place ON records (run, "case", seq);
CREATE UNIQUE INDEX cases_place ON cases (run, "case");
CREATE UNIQUE INDEX cases_external ON cases (external_id);
"""
_TRACKED = """
SELECT r.kind, r.seq, r.time, g.name, s.name, t.name, r.activity_id, r.attempt
FROM records r
LEFT JOIN region_names g ON g.code = r.region
LEFT JOIN state_names s ON s.code = r.state
LEFT JOIN state_names t ON t.code = r.to_state
WHERE r.run = ? AND r."case" = ? ORDER BY r.seq
"""


@dataclass(frozen=True)
class StoredCase:
    """A case as the store knows it; `version` 0 means that nothing of it is stored yet."""

    run: int
    case: int
    external_id: str | None
    version: int


class Store:
    """Histories of real instances in one DuckDB file, written by one process at a time.

    Every append is one transaction and on disk when `append` returns. A process that dies at any moment
    leaves whole appends only. Use it from several threads if you like; appends take turns.

    Parameters
    ----------
    path
        The file; made if missing.

    Raises
    ------
    HistoryError
        If another process holds the file (naming it), or the file is no history.

    Notes
    -----
    An append of a few rows costs about 5 ms, most of it two dozen Arrow columns and the write to disk.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import duckdb

        self.path = Path(path)
        if not self.path.absolute().parent.is_dir():
            raise HistoryError(f"{path}: the folder {self.path.parent} does not exist. Make it first.")
        self._con = schema.open_for_writing(path)
        try:
            if schema.tables_of(self._con):
                schema.check_format(self._con, path)
            else:
                self._create()
            try:
                schema.lock(self._con)
            except duckdb.InvalidInputException:
                # DuckDB shares one instance between connections of a process; another store has locked it.
                raise HistoryError(
                    f"{path}: this process has the file open already. Use that store, or close it first."
                ) from None
            self._codes = Codes.stored_in(self._con)
        except BaseException:
            self._con.close()
            raise
        self._paths = Paths()
        self._programs: dict[int, tuple[Program, ProgramCodes]] = {}
        self._tracks: dict[tuple[int, int], CaseTrack] = {}
        self._reserved: dict[int, int] = {}
        self._turn = threading.RLock()

    def _create(self) -> None:
        # One transaction: a process killed here leaves an empty file, not half a schema.
        self._con.execute("BEGIN")
        schema.create(self._con)
        schema.create_facts(self._con)
        self._con.execute(INDEXES)
        create_views(self._con)
        self._con.execute("COMMIT")

    # --- cases -----------------------------------------------------------------------------------

    def new_case(self, program: Program, external_id: str | None = None) -> StoredCase:
        """Reserve a place for a new instance of a workflow; its first append stores it.

        Raises
        ------
        HistoryError
            If the external id is taken.
        """
        with self._turn:
            run = self._run_of(program.workflow, program)
            if external_id is not None and self.find(external_id) is not None:
                raise HistoryError(
                    f"{self.path}: there is a case {external_id!r} already. Reopen it, or choose another id."
                )
            if run not in self._reserved:
                rows = self._con.execute('SELECT coalesce(max("case"), 0) FROM cases WHERE run = ?', [run])
                self._reserved[run] = rows.fetchall()[0][0]
            self._reserved[run] += 1
            return StoredCase(run, self._reserved[run], external_id, 0)

    def find(self, external_id: str) -> StoredCase | None:
        """The case of that external id, if there is one."""
        with self._turn:
            rows = self._con.execute(
                'SELECT run, "case", external_id, version FROM cases WHERE external_id = ?', [external_id]
            ).fetchall()
        return StoredCase(*rows[0]) if rows else None

    def case(self, case: int | str, *, run: int | None = None) -> Case:
        """One case, by number or external id. Its `.replay()` goes on where it stood, ids seen included."""
        with self._turn:
            return find_case(self._con.cursor(), case, run)

    def event_ids(self, run: int, case: int) -> set[str]:
        """Ids of the events and commands that a case has received."""
        with self._turn:
            rows = self._con.execute(
                'SELECT DISTINCT event_id FROM records WHERE run = ? AND "case" = ? AND event_id IS NOT NULL',
                [run, case],
            ).fetchall()
        return {event_id for (event_id,) in rows}

    def history(self) -> History:
        """The history so far, for questions while the store is open; it sees every append at once."""
        with self._turn:
            return History(self.path, con=self._con.cursor())

    # --- appends ---------------------------------------------------------------------------------

    def append(
        self,
        place: StoredCase,
        instance: Instance,
        output: Output,
        *,
        expected_version: int,
        parent_case: int | None = None,
    ) -> int:
        """Store the records of one step, all or nothing (M11.1).

        Parameters
        ----------
        place
            Which case; from `new_case` or `find`.
        instance, output
            What `step` was applied to, and what it put out.
        expected_version
            Version of the instance before the step: `seq` of the last record known; 0 at the start.

        Returns
        -------
        int
            The new version.

        Raises
        ------
        ConflictError
            If the store holds another version; nothing is written. Reload the case and step again.
        HistoryError
            If the rows do not follow `expected_version`, or the file cannot be written.
        """
        records = output.records
        if records[0].seq != expected_version + 1:
            raise HistoryError(
                f"case {place.case}: the first record has seq {records[0].seq}, but the expected version is "
                f"{expected_version}. Append each step once, with the version before it."
            )
        with self._turn:
            stored = self._version(place)
            if stored != expected_version:
                raise _conflict(place, expected_version, stored)
            try:
                self._append(place, instance, output, expected_version, parent_case)
            except BaseException:
                # What was followed in memory did not happen; it is read again from the rows.
                self._tracks.pop((place.run, place.case), None)
                raise
        return records[-1].seq

    def _append(
        self,
        place: StoredCase,
        instance: Instance,
        output: Output,
        expected_version: int,
        parent_case: int | None,
    ) -> None:
        import duckdb

        program, codes = self._programs_of(place.run)
        track = self._track_of(place)
        first, last = output.records[0], output.records[-1]
        if expected_version == 0:
            track.key, track.started = first.key, first.time
        batch = Batch()
        batch.read_with(instance.texts)
        track_rows(
            place.case,
            output.records,
            track,
            program.head.root,
            program.names,
            self._paths,
            batch.rows.extend,
        )
        batch.add_values(place.case, output.values)
        records, values = batch.tables(place.run, self._codes, codes, self._paths)
        path = None if track.path == EMPTY else self._paths.hashes[track.path]
        con = self._con
        con.execute("BEGIN")
        try:
            if expected_version == 0:
                con.execute(
                    "INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        place.run,
                        place.case,
                        None if place.external_id is None else clean(place.external_id),
                        track.key,
                        parent_case,
                        track.started,
                        last.seq,
                        path,
                    ],
                )
            else:
                con.execute(
                    'UPDATE cases SET version = ?, path_hash = ? WHERE run = ? AND "case" = ?',
                    [last.seq, path, place.run, place.case],
                )
                con.execute(
                    'UPDATE records SET is_last = false WHERE run = ? AND "case" = ? AND seq = ?',
                    [place.run, place.case, expected_version],
                )
            if path is not None and any(row.kind == R_INSTANCE_CLOSED for row in output.records):
                self._store_variant(path, self._paths.states(track.path))
            self._codes.store(con)
            insert(con, _with_last(records), values)
            con.execute("COMMIT")
        except BaseException as error:
            con.execute("ROLLBACK")
            if isinstance(error, duckdb.TransactionException | duckdb.ConstraintException):
                raise _conflict(place, expected_version, self._version(place)) from None
            if isinstance(error, duckdb.Error):
                raise HistoryError(f"{self.path}: the append failed, nothing was written: {error}") from None
            raise
        self._codes.written()

    def _store_variant(self, path: int, states: list[str]) -> None:
        known = self._con.execute("SELECT states FROM variants_seen WHERE path_hash = ?", [path]).fetchall()
        if not known:
            self._con.execute("INSERT INTO variants_seen VALUES (?, ?)", [path, states])
        elif known[0][0] != states:
            raise HistoryError(
                f"two paths share the hash {path}: {' → '.join(states)} and {' → '.join(known[0][0])}. "
                "Rename one of these states."
            )

    def _version(self, place: StoredCase) -> int:
        rows = self._con.execute(
            'SELECT version FROM cases WHERE run = ? AND "case" = ?', [place.run, place.case]
        ).fetchall()
        return int(rows[0][0]) if rows else 0

    def _track_of(self, place: StoredCase) -> CaseTrack:
        """What the rows stored so far say of open stays and attempts."""
        key = (place.run, place.case)
        if key not in self._tracks:
            program, _ = self._programs_of(place.run)
            track = CaseTrack()
            for kind, seq, time, region, state, to_state, activity_id, attempt in self._con.execute(
                _TRACKED, [place.run, place.case]
            ).fetchall():
                if ROLE[kind]:
                    row = RecordRow(
                        kind=kind,
                        seq=seq,
                        time=time,
                        region=program.region_rows.get(region, -1),
                        state=program.state_rows.get(state, -1),
                        to_state=program.state_rows.get(to_state, -1),
                        activity_id=-1 if activity_id is None else activity_id,
                        attempt=attempt or 0,
                    )
                    track_rows(place.case, [row], track, program.head.root, program.names, self._paths, _nowhere)
            self._tracks[key] = track
        return self._tracks[key]

    # --- runs ------------------------------------------------------------------------------------

    def _run_of(self, workflow: Workflow, program: Program) -> int:
        """The run of a definition: all instances of equal definitions in a store are one run."""
        definition = definition_of(workflow)
        model_hash = hash_of_definition(definition)
        rows = self._con.execute(
            "SELECT run FROM runs WHERE model_hash = ? AND source = 'runtime'", [model_hash]
        ).fetchall()
        if rows:
            run: int = rows[0][0]
            if run not in self._programs:
                self._remember(run, program)
            return run
        run = self._con.execute("SELECT coalesce(max(run), 0) + 1 FROM runs").fetchall()[0][0]
        self._con.execute("BEGIN")
        try:
            Run(
                run=run,
                workflow=workflow.name,
                version=workflow.version,
                definition=definition,
                model_hash=model_hash,
                source="runtime",
                engine="local",
            ).store(self._con)
            for place, name in self._remember(run, program).timers:
                self._con.execute("INSERT INTO timers VALUES (?, ?, ?)", [run, place, name])
            self._codes.store(self._con)
            self._con.execute("COMMIT")
        except BaseException:
            self._con.execute("ROLLBACK")
            self._programs.pop(run, None)
            raise
        self._codes.written()
        return run

    def _remember(self, run: int, program: Program) -> ProgramCodes:
        codes = program_codes(program, self._codes)
        self._programs[run] = (program, codes)
        return codes

    def _programs_of(self, run: int) -> tuple[Program, ProgramCodes]:
        if run not in self._programs:
            from .replay_case import program_of

            known = [one for one in runs_in(self._con) if one.run == run]
            if not known:
                raise HistoryError(f"{self.path}: there is no run {run}.")
            self._remember(run, program_of(known[0]))
        return self._programs[run]

    # --- life ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _with_last(records: pa.Table) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    flags = np.zeros(len(records), dtype=np.bool_)
    flags[-1] = True
    return records.append_column("is_last", pa.array(flags))


def _nowhere(raw: Any) -> None:
    """Rows that are stored already go nowhere."""


def _conflict(place: StoredCase, expected: int, stored: int) -> ConflictError:
    name = repr(place.external_id) if place.external_id is not None else str(place.case)
    return ConflictError(
        f"case {name}: the append expected version {expected}, the store holds version {stored}. "
        "Nothing was written. Reload the case (`store.case(...).replay()`) and step again.",
        expected=expected,
        stored=stored,
    )
