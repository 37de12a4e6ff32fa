"""`Store`: a history that grows append by append while real instances run (M11.1)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from wfsim.errors import ConflictError, HistoryError
from wfsim.model.supplying import supplied_by
from wfsim.semantics.codes import R_INSTANCE_CLOSED, R_STATUS_CHANGED
from wfsim.semantics.layout import RecordRow

from . import arrow, opening
from .batch import Batch, insert
from .case import Case, find_case
from .codes import Codes, ProgramCodes, names_in, program_codes
from .failures import not_appended, reading, roll_back
from .handles import clean
from .history import History, Source
from .paths import EMPTY, Paths
from .replay_case import programs_of
from .runs import Run, runs_in, workflows_of
from .snapshots import store_snapshot
from .tracker import ROLE, CaseTrack, track_rows
from .views import name_records

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    import pyarrow as pa

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


@dataclass(frozen=True, slots=True)
class Steps:
    """What a case has done since the version `before`: what its steps put out, and the instance after the last.

    `metadata` is what senders gave beside stimuli, as JSON, by the `seq` of the record that the stimulus became.
    """

    place: StoredCase
    instance: Instance
    outputs: Sequence[Output]
    before: int
    metadata: Mapping[int, str] = field(default_factory=dict)


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

    def hashes_of(self, place: StoredCase) -> list[str]:
        """The hashes of the definitions of a case's run, its root's first."""
        with self._asked():
            return [one.model_hash for one in self._run(place.run).workflows]

    def drop(self, places: Iterable[StoredCase]) -> None:
        """Forget cases, all or none."""
        gone = [[place.run, place.case] for place in places]
        if not gone:
            return
        with self._asked():
            self._con.execute("BEGIN")
            try:
                for table in ("record_rows", "snapshots", "metadata_rows", "cases"):
                    self._con.executemany(f'DELETE FROM {table} WHERE run = ? AND "case" = ?', gone)
                self._con.execute("COMMIT")
            except BaseException:
                roll_back(self._con)
                raise
            for run, case in gone:
                self._tracks.pop((run, case), None)

    def case(self, case: int | str, *, run: int | None = None) -> Case:
        """One case, by number or external id. Its `.replay()` goes on where it stood, ids seen included."""
        with self._asked():
            found = find_case(opening.cursor(self._con), case, run)
            found.run = self._run(found.run.run)
            return found

    def history(self, source: Source | None = None) -> History:
        """The history so far, for questions while the store is open; it sees every append at once.

        `source` is asked before each question to append what has happened elsewhere.
        """
        with self._asked():
            if not self._is_asked:
                self._is_asked = True
                name_records(self._con)
            return History(
                self.path, con=opening.cursor(self._con), live=True, source=source, functions=self._functions
            )

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
        self.append_all([Steps(place, instance, [output], expected_version)])
        return output.records[-1].seq

    def append_all(self, steps: Sequence[Steps]) -> None:
        """Store what several cases have done, all or nothing; a case comes once.

        Raises
        ------
        ConflictError
            If the store holds another version of a case than expected; nothing is written.
        HistoryError
            If rows do not follow the version before them, or the file cannot be written.
        """
        for each in steps:
            first = each.outputs[0].records[0].seq
            if first != each.before + 1:
                raise HistoryError(
                    f"case {each.place.case}: the first record has seq {first}, but the expected version is "
                    f"{each.before}. Append each step once, with the version before it."
                )
        with self._asked():
            self._raise_if_stale(steps)
            try:
                self._append(steps)
            except BaseException:
                # What was followed in memory did not happen; it is read again from the rows.
                for each in steps:
                    self._tracks.pop((each.place.run, each.place.case), None)
                raise

    def _raise_if_stale(self, steps: Sequence[Steps]) -> None:
        for each in steps:
            stored = self._version(each.place)
            if stored != each.before:
                raise _conflict(each.place, each.before, stored)

    def _append(self, steps: Sequence[Steps]) -> None:
        import duckdb

        by_workflow: dict[tuple[int, int], list[Steps]] = {}
        for each in steps:
            by_workflow.setdefault((each.place.run, each.place.workflow), []).append(each)
        con = self._con
        con.execute("BEGIN")
        try:
            tables = [self._records_of(*place, group) for place, group in by_workflow.items()]
            # What stands in the tables may need new codes.
            self._codes.store(con)
            for table in tables:
                insert(con, table)
            told = [
                [each.place.run, each.place.case, seq, clean(text)]
                for each in steps
                for seq, text in each.metadata.items()
            ]
            if told:
                con.executemany("INSERT INTO metadata_rows VALUES (?, ?, ?, ?)", told)
            con.execute("COMMIT")
        except duckdb.Error as error:
            roll_back(con)
            self._raise_if_stale(steps)
            if isinstance(error, duckdb.ConstraintException):
                raise _conflict(steps[0].place, steps[0].before, self._version(steps[0].place)) from None
            raise not_appended(error, self.path) from None
        except BaseException:
            roll_back(con)
            raise
        if self._codes.written() and self._is_asked:
            name_records(self._con)

    def _records_of(self, run: int, workflow: int, steps: Sequence[Steps]) -> pa.Table:
        """The records of cases of one workflow of a run; what else is stored of them is stored."""
        program, codes = self._programs_of(run, workflow)
        con, batch, ends = self._con, Batch(), []
        for each in steps:
            case = each.place.case
            track = self._track_of(each.place, each.before)
            first, last = each.outputs[0].records[0], each.outputs[-1].records[-1]
            if each.before == 0:
                track.key, track.started = first.key, first.time
            batch.read_with(each.instance.texts)
            for output in each.outputs:
                track_rows(
                    case, output.records, track, program.head.root, program.names, self._paths, batch.rows.extend
                )
                batch.add_values(case, output.values)
            ends.append(len(batch) - 1)
            path = None if track.path == EMPTY else self._paths.hashes[track.path]
            happened = [row for output in each.outputs for row in output.records]
            known = {"version": last.seq, "path_hash": path, "last_time": last.time} | _ending(happened, codes)
            self._store_case(each, track, known)
            if path is not None and any(row.kind == R_INSTANCE_CLOSED for row in happened):
                self._store_variant(path, self._paths.states(track.path))
            if last.seq // self._snapshot_every > each.before // self._snapshot_every:
                store_snapshot(con, run, case, each.instance)
        return _with_last(batch.columns(codes).rows(run, workflow, self._codes, self._paths).table, ends)

    def _store_case(self, each: Steps, track: CaseTrack, known: Mapping[str, Any]) -> None:
        place, con = each.place, self._con
        if each.before == 0:
            name = None if place.external_id is None else clean(place.external_id)
            parent = (place.parent_case, place.parent_activation)
            row = [place.run, place.case, place.workflow, name, track.key, *parent, track.started]
            values = [*row, *known.values()]
            places = ", ".join("?" * len(values))
            con.execute(f"INSERT INTO cases ({_TOLD}, {', '.join(known)}) VALUES ({places})", values)
            return
        con.execute(
            f'UPDATE cases SET {", ".join(f"{one} = ?" for one in known)} WHERE run = ? AND "case" = ?',
            [*known.values(), place.run, place.case],
        )
        con.execute(
            'UPDATE record_rows SET is_last = false WHERE run = ? AND "case" = ? AND seq = ?',
            [place.run, place.case, each.before],
        )

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

    def supply(self, functions: tuple[Supplied, ...]) -> None:
        """Functions in Python for the workflows that it holds: the file has definitions, no code (M14.5)."""
        with self._turn:
            self._functions = (*functions, *self._functions)
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


def _with_last(records: pa.Table, ends: Sequence[int]) -> pa.Table:
    """With `is_last`, true at the last record of each case."""
    import numpy as np

    flags = np.zeros(len(records), dtype=np.bool_)
    flags[ends] = True
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
