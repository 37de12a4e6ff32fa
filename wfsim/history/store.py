"""`Store`: a history that grows append by append while real instances run (M11.1)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from wfsim.errors import ConflictError, HistoryError
from wfsim.model.supplying import for_all, supplied_by
from wfsim.semantics.codes import R_INSTANCE_CLOSED, R_STATUS_CHANGED
from wfsim.semantics.layout import RecordRow

from . import arrow, opening
from .batch import Batch, insert
from .case import Case, find_case
from .codes import Codes, ProgramCodes, names_in, program_codes
from .failures import not_appended, reading, roll_back
from .handles import clean
from .history import History
from .mail import OpenCase, fates, open_cases
from .paths import EMPTY, Paths
from .replay_case import programs_of
from .runs import Run, catalogue_of, runs_in, workflows_of
from .snapshots import store_snapshot
from .tracker import ROLE, CaseTrack, track_rows
from .views import name_records

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    import pyarrow as pa

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.functions import Python
    from wfsim.model.supplying import Supplied
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.program import Program

SNAPSHOT_EVERY = 1_000
"""Records of a case between two snapshots: replaying so many takes about 50 ms."""

_TRACKED = """
SELECT kind, seq, time, region, state, to_state, activity_id, attempt
FROM records WHERE run = ? AND "case" = ? ORDER BY seq
"""


_TOLD = 'run, "case", workflow, external_id, key, parent_case, parent_activation, started'
"""Columns of `cases` that never change."""

_PLACES = """
SELECT run, "case", external_id, version, workflow, parent_case, parent_activation FROM cases
"""
_SAME_FAMILY = """
SELECT run FROM workflows JOIN runs USING (run) WHERE source = 'runtime'
GROUP BY run HAVING list(model_hash ORDER BY number) = ? ORDER BY run
"""


@dataclass(frozen=True)
class StoredCase:
    """A case as the store knows it; `version` 0 means that nothing of it is stored yet.

    `workflow` is the number of its workflow in the run; a child has its parent's number and the activation that
    started it.
    """

    run: int
    case: int
    external_id: str | None
    version: int
    workflow: int = 0
    parent_case: int | None = None
    parent_activation: int | None = None


class Store:
    """Histories of real instances in one DuckDB file, written by one process at a time.

    Every append is one transaction and on disk when `append` returns. A process that dies at any moment
    leaves whole appends only. Use it from several threads if you like; appends take turns.

    Parameters
    ----------
    path
        The file; made if missing.
    snapshot_every
        How many records of a case lie between two snapshots of it.
    max_memory
        Bytes that DuckDB may use for appends and for the questions asked meanwhile.

    Raises
    ------
    HistoryError
        If another process holds the file (naming it), or the file is no history.

    Notes
    -----
    An append of a few rows costs about 5 ms, most of it two dozen Arrow columns and the write to disk.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        snapshot_every: int = SNAPSHOT_EVERY,
        max_memory: int = opening.MAX_MEMORY,
    ) -> None:
        self.path = Path(path)
        self._snapshot_every = snapshot_every
        if not self.path.absolute().parent.is_dir():
            raise HistoryError(f"{path}: the folder {self.path.parent} does not exist. Make it first.")
        self._con = opening.open_for_writing(path, max_memory)
        self._con.execute(opening.TABLES_FIRST)
        self._codes = Codes.stored_in(self._con)
        self._paths = Paths()
        self._programs: dict[tuple[int, int], tuple[Program, ProgramCodes]] = {}
        self._runs: dict[int, Run] = {}
        self._functions: tuple[Supplied, ...] = ()
        self._tracks: dict[tuple[int, int], CaseTrack] = {}
        self._reserved: dict[int, int] = {}
        self._is_asked = False
        self._turn = threading.RLock()

    # --- cases -----------------------------------------------------------------------------------

    def new_case(
        self,
        program: Program,
        external_id: str | None = None,
        *,
        parent: StoredCase | None = None,
        activation: int | None = None,
    ) -> StoredCase:
        """Reserve a place for a new instance of a workflow; its first append stores it.

        Parameters
        ----------
        program
            What it runs. Roots whose programs have equal families of workflows share a run.
        external_id
            The name outsiders know it by; of a child `<parent>/<activation>`, unless given.
        parent, activation
            Of a child: whose it is, and which activation started it (M4.4). It belongs to its parent's run.

        Raises
        ------
        HistoryError
            If the external id is taken, or a child's workflow is none of the run's.
        """
        with self._asked():
            if parent is None:
                run = self._run_of(program)
                workflow = 0
            else:
                if activation is None:
                    raise HistoryError("a child is named by the activation that started it. Give it with the parent.")
                run = parent.run
                workflow = self._run(run).number_of(program)
                external_id = external_id or f"{parent.external_id or parent.case}/{activation}"
            if external_id is not None and self.find(external_id) is not None:
                raise HistoryError(
                    f"{self.path}: there is a case {external_id!r} already. Reopen it, or choose another id."
                )
            if run not in self._reserved:
                rows = self._con.execute('SELECT coalesce(max("case"), 0) FROM cases WHERE run = ?', [run])
                self._reserved[run] = rows.fetchall()[0][0]
            self._reserved[run] += 1
            number = self._reserved[run]
            return StoredCase(
                run, number, external_id, 0, workflow, None if parent is None else parent.case, activation
            )

    def find(self, external_id: str) -> StoredCase | None:
        """The case of that external id, if there is one."""
        with self._asked():
            rows = self._con.execute(_PLACES + "WHERE external_id = ?", [external_id]).fetchall()
        return StoredCase(*rows[0]) if rows else None

    def children(self, place: StoredCase) -> list[StoredCase]:
        """The cases that a case has started, in order of their activations."""
        with self._asked():
            rows = self._con.execute(
                _PLACES + "WHERE run = ? AND parent_case = ? ORDER BY parent_activation", [place.run, place.case]
            ).fetchall()
        return [StoredCase(*row) for row in rows]

    def parent(self, place: StoredCase) -> StoredCase | None:
        """The case that started a case; `None` for a root."""
        if place.parent_case is None:
            return None
        with self._asked():
            rows = self._con.execute(
                _PLACES + 'WHERE run = ? AND "case" = ?', [place.run, place.parent_case]
            ).fetchall()
        return StoredCase(*rows[0]) if rows else None

    def catalogue(self, run: int) -> Catalogue:
        """The workflows of a run: its children resolve among them, whatever versions have come since."""
        with self._asked():
            return catalogue_of(self._run(run))

    def program(self, place: StoredCase) -> Program:
        """The program of a case, as stored with its run."""
        with self._asked():
            return self._programs_of(place.run, place.workflow)[0]

    def case(self, case: int | str, *, run: int | None = None) -> Case:
        """One case, by number or external id. Its `.replay()` goes on where it stood, ids seen included."""
        with self._asked():
            found = find_case(opening.cursor(self._con), case, run)
            found.run = self._run(found.run.run)
            return found

    def open_cases(self) -> list[OpenCase]:
        """All open cases of real runs that have a name, with their keys (M7.2)."""
        with self._asked():
            return open_cases(self._con)

    def fates(self, event_ids: Iterable[str]) -> dict[str, str | None]:
        """Of those events that have arrived in some case: why each was turned away for good, or `None` if not."""
        with self._asked():
            return fates(self._con, event_ids)

    def history(self) -> History:
        """The history so far, for questions while the store is open; it sees every append at once."""
        with self._asked():
            if not self._is_asked:
                self._is_asked = True
                name_records(self._con)
            return History(self.path, con=opening.cursor(self._con), live=True)

    # --- appends ---------------------------------------------------------------------------------

    def append(
        self,
        place: StoredCase,
        instance: Instance,
        output: Output,
        *,
        expected_version: int,
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
        with self._asked():
            stored = self._version(place)
            if stored != expected_version:
                raise _conflict(place, expected_version, stored)
            try:
                self._append(place, instance, output, expected_version)
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
    ) -> None:
        import duckdb

        program, codes = self._programs_of(place.run, place.workflow)
        track = self._track_of(place, expected_version)
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
        records = batch.columns().table(place.run, place.workflow, self._codes, codes, self._paths)
        path = None if track.path == EMPTY else self._paths.hashes[track.path]
        con = self._con
        con.execute("BEGIN")
        try:
            known = {"version": last.seq, "path_hash": path, "last_time": last.time} | _ending(output.records, codes)
            if expected_version == 0:
                name = None if place.external_id is None else clean(place.external_id)
                parent = (place.parent_case, place.parent_activation)
                row = [place.run, place.case, place.workflow, name, track.key, *parent, track.started]
                values = [*row, *known.values()]
                places = ", ".join("?" * len(values))
                con.execute(f"INSERT INTO cases ({_TOLD}, {', '.join(known)}) VALUES ({places})", values)
            else:
                con.execute(
                    f'UPDATE cases SET {", ".join(f"{each} = ?" for each in known)} WHERE run = ? AND "case" = ?',
                    [*known.values(), place.run, place.case],
                )
                con.execute(
                    'UPDATE records SET is_last = false WHERE run = ? AND "case" = ? AND seq = ?',
                    [place.run, place.case, expected_version],
                )
            if path is not None and any(row.kind == R_INSTANCE_CLOSED for row in output.records):
                self._store_variant(path, self._paths.states(track.path))
            self._codes.store(con)
            insert(con, _with_last(records))
            if last.seq // self._snapshot_every > expected_version // self._snapshot_every:
                store_snapshot(con, place.run, place.case, instance)
            con.execute("COMMIT")
        except duckdb.Error as error:
            roll_back(con)
            stored = self._version(place)
            if stored != expected_version or isinstance(error, duckdb.ConstraintException):
                raise _conflict(place, expected_version, stored) from None
            raise not_appended(error, self.path) from None
        except BaseException:
            roll_back(con)
            raise
        if self._codes.written() and self._is_asked:
            name_records(self._con)

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

    def _track_of(self, place: StoredCase, version: int) -> CaseTrack:
        """What the rows stored so far say of open stays and attempts."""
        key = (place.run, place.case)
        if key not in self._tracks:
            self._tracks[key] = self._followed(place) if version else CaseTrack()
        return self._tracks[key]

    def _followed(self, place: StoredCase) -> CaseTrack:
        program, _ = self._programs_of(place.run, place.workflow)
        names = names_in(self._con)
        regions, states = names["region_names"], names["state_names"]
        track = CaseTrack()
        for kind, seq, time, region, state, to_state, activity_id, attempt in self._con.execute(
            _TRACKED, [place.run, place.case]
        ).fetchall():
            if ROLE[kind]:
                row = RecordRow(
                    kind=kind,
                    seq=seq,
                    time=time,
                    region=_row_of(program.region_rows, regions, region),
                    state=_row_of(program.state_rows, states, state),
                    to_state=_row_of(program.state_rows, states, to_state),
                    activity_id=-1 if activity_id is None else activity_id,
                    attempt=attempt or 0,
                )
                track_rows(place.case, [row], track, program.head.root, program.names, self._paths, _nowhere)
        return track

    # --- runs ------------------------------------------------------------------------------------

    def _run_of(self, program: Program) -> int:
        """The run of a root: all instances in a store whose families of workflows are equal are one run."""
        import duckdb

        workflows = workflows_of(program)
        rows = self._con.execute(_SAME_FAMILY, [[one.model_hash for one in workflows]]).fetchall()
        if rows:
            self._give(int(rows[0][0]), supplied_by(program.family))
            return int(rows[0][0])
        number = self._con.execute("SELECT coalesce(max(run), 0) + 1 FROM runs").fetchall()[0][0]
        run = Run(
            run=number,
            workflows=workflows,
            source="runtime",
            engine="local",
            functions=(*supplied_by(program.family), *self._functions),
        )
        self._con.execute("BEGIN")
        try:
            run.store(self._con)
            for one, each in zip(workflows, programs_of(run)):
                self._programs[number, one.number] = (each, program_codes(each, self._codes))
            self._codes.store(self._con)
            self._con.execute("COMMIT")
        except BaseException as error:
            roll_back(self._con)
            self._programs = {place: known for place, known in self._programs.items() if place[0] != number}
            if isinstance(error, duckdb.Error):
                raise not_appended(error, self.path) from None
            raise
        self._runs[number] = run
        self._codes.written()
        if self._is_asked:
            name_records(self._con)
        return run.run

    def give(self, functions: Mapping[str, Python] | None) -> None:
        """Functions in Python for the workflows that it holds: the file has definitions, no code (M14.5).

        Raises
        ------
        DefinitionError
            If one does not fit its declaration.
        """
        with self._turn:
            self._functions = (*for_all(functions), *self._functions)
            self._runs.clear()
            self._programs.clear()

    def _give(self, number: int, functions: tuple[Supplied, ...]) -> None:
        """Those of a workflow that has been started come first, also where the run is known already."""
        run = self._run(number)
        if functions and run.functions[: len(functions)] != functions:
            self._runs[number] = replace(run, functions=(*functions, *run.functions))
            self._programs = {place: known for place, known in self._programs.items() if place[0] != number}

    def _run(self, run: int) -> Run:
        if run not in self._runs:
            self._runs.update({one.run: one for one in runs_in(self._con, self._functions)})
            if run not in self._runs:
                raise HistoryError(f"{self.path}: there is no run {run}.")
        return self._runs[run]

    def _programs_of(self, run: int, workflow: int) -> tuple[Program, ProgramCodes]:
        place = (run, workflow)
        if place not in self._programs:
            program = programs_of(self._run(run))[workflow]
            self._programs[place] = (program, program_codes(program, self._codes))
        return self._programs[place]

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """One thread at a time, and no error of DuckDB's own."""
        with self._turn, reading(self.path):
            yield

    # --- life ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the file."""
        with self._asked():
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

    flags = np.zeros(len(records), dtype=np.bool_)
    flags[-1] = True
    return records.append_column("is_last", arrow.numbers(flags))


def _ending(records: Iterable[RecordRow], codes: ProgramCodes) -> dict[str, int | None]:
    """The columns of `cases` that the last change of status among some records gives a value."""
    told = [row for row in records if row.kind in (R_INSTANCE_CLOSED, R_STATUS_CHANGED)]
    if not told:
        return {}
    if told[-1].kind == R_STATUS_CHANGED:
        return dict.fromkeys(("closed", "status", "outcome", "final_state"))
    row = told[-1]
    state = int(codes.states[row.state])
    return {
        "closed": row.time,
        "status": row.status,
        "outcome": row.outcome or None,
        "final_state": None if state < 0 else state,
    }


def _row_of(rows: Mapping[str, int], names: Sequence[str], code: int | None) -> int:
    return -1 if code is None else rows.get(names[code], -1)


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
