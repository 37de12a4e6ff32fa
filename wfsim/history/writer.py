"""`HistoryWriter`: a simulation's records into a sorted history file, in Arrow batches."""

from __future__ import annotations

import os
import tempfile
import uuid
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from wfsim.errors import HistoryError
from wfsim.semantics.codes import (
    N_CAUSES,
    R_INSTANCE_CLOSED,
    R_STARTED,
    R_STATE_ENTERED,
    R_STATE_LEFT,
    R_STATUS_CHANGED,
    R_TRANSITION,
    RECORD_KINDS,
)

from . import opening, schema
from .batch import Batch, Columns, insert
from .codes import Codes, ProgramCodes, program_codes
from .failures import cannot_write
from .history import History
from .logged import columns_of, follow, kept
from .numbering import PROVISIONAL, final_numbers
from .paths import EMPTY, Paths
from .runs import Origin, Run, workflows_of
from .sorting import RENUMBERED, Known, write_sorted
from .totals import Totals
from .tracker import RAW, CaseTrack, Raw, track_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.layout import RecordRow
    from wfsim.semantics.program import Program
    from wfsim.simulation.compiled.run import Chunk
    from wfsim.simulation.plans import Member as Simulated

BATCH = 100_000
Log = Literal["full", "transitions", "aggregates"]
Existing = Literal["replace", "append", "refuse"]

_KIND, _SEQ = RAW.index("kind"), RAW.index("seq")
_KEPT: dict[str, frozenset[int]] = {
    "full": frozenset(range(len(RECORD_KINDS))),
    "transitions": frozenset(
        (R_STARTED, R_STATE_ENTERED, R_STATE_LEFT, R_TRANSITION, R_STATUS_CHANGED, R_INSTANCE_CLOSED)
    ),
    "aggregates": frozenset((R_STATUS_CHANGED, R_INSTANCE_CLOSED)),
}


@dataclass(slots=True)
class _Member:
    """What the rows of one workflow of a run have in common."""

    number: int
    program: Program
    codes: ProgramCodes
    batch: Batch
    totals: Totals | None


class HistoryWriter:
    """Takes the records of many cases, in any order of cases, and makes a history sorted by (run, case, seq).

    Nothing is seen at `into` before `finish`: rows are staged in a database of the writer's own and then
    sorted into a new file, which takes the old one's place as a whole.

    Parameters
    ----------
    into
        The file to make; `None` keeps the history in a temporary file that goes with the `History` object.
    program
        What runs; the definition is stored with the run, and those of the workflows that the program's family names.
    origin
        Stored with the run, for readers.
    log
        `full` keeps every row and promises replay; `transitions` keeps starts, moves between states and
        closings; `aggregates` keeps closings and sums per edge and activity.
    existing
        What to do if `into` exists: `replace` a simulated history (never one that holds real runs, nor a file
        that is no history), `append` further runs to it, or `refuse`.

    Raises
    ------
    HistoryError
        If `into` cannot be written, or must not be replaced.

    Notes
    -----
    Memory: one batch of 100,000 rows (about 25 MB), a few hundred bytes per case, and up to 2 GB of what
    DuckDB stages; more spills to disk. Speed: see docs/history.md.
    """

    def __init__(
        self,
        into: str | os.PathLike[str] | None,
        program: Program,
        *,
        origin: Origin | None = None,
        log: Log = "full",
        existing: Existing = "replace",
        batch_rows: int = BATCH,
    ) -> None:
        if log not in _KEPT:
            raise HistoryError(f"{log!r} is not a log level. Levels: {', '.join(_KEPT)}.")
        self._into = None if into is None else Path(into)
        self._codes, self._last_run = self._prepare(existing)
        appending = existing == "append" and self._into is not None and self._into.exists()
        self._known = Known(self._codes.sizes(), self._last_run) if appending else None
        self._con = opening.connect()
        self._con.execute(f"ATTACH ':memory:' AS staged; USE staged; {schema.TABLES} {RENUMBERED}")
        self._log: Log = log
        self._kept = _KEPT[log]
        self._batch_rows = batch_rows
        self._paths = Paths()
        self._final_paths: set[int] = set()
        self._finished = False
        self.n_rows = 0
        self._begin(program, origin or Origin())

    # --- runs ------------------------------------------------------------------------------------

    def new_run(self, origin: Origin, program: Program | None = None) -> int:
        """Start another run in the same history, for example the next replication; returns its number.

        Without a program it is one of the same.
        """
        self._end_run(complete=True)
        self._begin(program or self._program, origin)
        return self._run.run

    def _begin(self, program: Program, origin: Origin) -> None:
        self._program = program
        self._last_run += 1
        self._run = Run(
            run=self._last_run,
            workflows=workflows_of(program),
            source="simulation",
            log=self._log,
            **vars(origin),
        )
        self._run.store(self._con)
        self._members: dict[int, _Member] = {}
        # By identity; the program itself is kept, so that its number is not given out again.
        self._by_program: dict[int, tuple[Program, _Member]] = {}
        self._announced: dict[int, tuple[str | None, tuple[int, int] | None]] = {}
        self._cases: dict[int, CaseTrack] = {}
        self._nodes: list[int] = [EMPTY]
        self._n_waiting = 0
        self._member(program)

    def _member(self, program: Program) -> _Member:
        """What the run's rows of one workflow have in common."""
        if id(program) in self._by_program:
            return self._by_program[id(program)][1]
        number = self._run.number_of(program)
        if number not in self._members:
            codes = program_codes(program, self._codes)
            totals = Totals() if self._log == "aggregates" else None
            self._members[number] = _Member(number, program, codes, Batch(), totals)
            codes.store_timers(self._con, self._last_run, number)
        self._by_program[id(program)] = (program, self._members[number])
        return self._members[number]

    # --- rows ------------------------------------------------------------------------------------

    def announce(
        self, case: int, external_id: str | None = None, parent: int | None = None, activation: int | None = None
    ) -> None:
        """Say of a case, before its first step, what it is called and who started it.

        Of a child (M4.4) `parent` is the case that started it, and `activation` its activation that did; it is called
        `<parent>/<activation>` unless an external id is given.

        Numbers from `PROVISIONAL` on are given anew when the run ends: after the last one below, first to cases
        without a parent in the order of their ids, then to children in the order of their parents and activations. So
        they do not depend on the order in which they happened to start.
        """
        if parent is not None and activation is None:
            raise HistoryError(f"case {case}: a child is named by the activation that started it. Give it too.")
        born = None if parent is None or activation is None else (parent, activation)
        self._announced[case] = (external_id, born)

    def append(self, case: int, instance: Instance, output: Output, *, external_id: str | None = None) -> None:
        """Take the records of one step of a case: one cause, then its consequences.

        `external_id` counts at the step that starts the case. What another instance starts is announced before.

        Raises
        ------
        HistoryError
            If the case has not started, or its rows do not follow those it has.
        """
        records = output.records
        first = records[0]
        member = self._member(instance.program)
        track = self._cases.get(case)
        if track is None:
            if first.kind != R_STARTED:
                raise HistoryError(
                    f"case {case}: its first row is {RECORD_KINDS[first.kind]}, not started. "
                    "Append every step of a case, from its start on."
                )
            track = self._cases[case] = self._new_track(case, first, external_id, member)
        if first.seq != track.version + 1 or first.kind >= N_CAUSES:
            raise HistoryError(
                f"case {case}: expected a cause with seq {track.version + 1}, got "
                f"{RECORD_KINDS[first.kind]} with seq {first.seq}. Append each step of a case once, in order."
            )
        batch, program = member.batch, member.program
        batch.read_with(instance.texts)
        if self._log == "full":
            track_rows(case, records, track, program.head.root, program.names, self._paths, batch.rows.extend)
            if output.values:
                batch.add_values(case, output.values)
            self._n_waiting += len(records)
        else:
            self._append_some(case, output, track, member)
        if self._n_waiting >= self._batch_rows:
            self._flush()

    def _new_track(self, case: int, first: RecordRow, external_id: str | None, member: _Member) -> CaseTrack:
        told, parent = self._announced.pop(case, (None, None))
        external_id = external_id or told
        if parent is None and external_id is None and case >= PROVISIONAL:
            raise HistoryError(
                f"case {case}: numbers from {PROVISIONAL} on are for what other instances start. "
                "Call `announce` with its id or its parent before."
            )
        if parent is not None:
            known = self._cases.get(parent[0])
            if known is None:
                raise HistoryError(
                    f"case {case}: its parent, case {parent[0]}, has no rows. Append the parent's first."
                )
            external_id = external_id or f"{known.external_id or parent[0]}/{parent[1]}"
        return CaseTrack(
            key=first.key, started=first.time, external_id=external_id, parent=parent, workflow=member.number
        )

    def _append_some(self, case: int, output: Output, track: CaseTrack, member: _Member) -> None:
        raws: list[Raw] = []
        program, batch = member.program, member.batch
        track_rows(case, output.records, track, program.head.root, program.names, self._paths, raws.append)
        if member.totals is not None:
            for raw in raws:
                member.totals.add(raw)
        kept = [raw for raw in raws if raw[_KIND] in self._kept]
        for raw in kept:
            batch.rows.extend(raw)
        numbers = {raw[_SEQ] for raw in kept}
        batch.add_values(case, [value for value in output.values if value.seq in numbers])
        self._n_waiting += len(kept)

    def append_logged(self, chunk: Chunk, workflows: Sequence[Simulated]) -> None:
        """Take what the compiled calendar has logged, and the cases that it is done with; rows of one come in order.

        `workflows` are those of the run, by the numbers that the chunk has for them.
        """
        follow(chunk, workflows, self._nodes, self._paths)
        for simulated, columns in columns_of(chunk, workflows, self._nodes):
            member = self._member(simulated.program)
            if member.totals is not None:
                for raw in zip(*(columns.records[name].tolist() for name in RAW)):
                    member.totals.add(raw)
            if self._log != "full":
                columns = kept(columns, self._kept)
            self.n_rows += len(columns.records["kind"])
            self._insert(columns, member)
        told = chunk.cases[["case", "key", "started", "seq", "path", "member"]].tolist()
        for case, key, started, seq, path, which in told:
            name, parent = self._announced.pop(case, (None, None))
            number = self._member(workflows[which].program).number
            track = CaseTrack(key=key, started=started, external_id=name, parent=parent, workflow=number)
            track.path, track.version = self._nodes[path], seq
            self._cases[case] = track

    def _flush(self) -> None:
        for member in self._members.values():
            batch = member.batch
            if len(batch):
                self.n_rows += len(batch)
                self._insert(batch.columns(), member)
                batch.clear()
        self._n_waiting = 0

    def _insert(self, columns: Columns, member: _Member) -> None:
        import duckdb

        tables = columns.tables(self._last_run, member.number, self._codes, member.codes, self._paths)
        try:
            insert(self._con, *tables)
        except duckdb.Error as error:
            raise cannot_write(error, tempfile.gettempdir(), None) from None

    def tell(self, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        """Keep what views need to know of this run beside its records, in columns behind its number."""
        import pyarrow as pa

        found = [dict(zip(("run", *columns), (self._last_run, *row))) for row in rows]
        if found:
            self._take(table, pa.Table.from_pylist(found))

    def _end_run(self, *, complete: bool) -> None:
        self._flush()
        self._con.execute("UPDATE runs SET complete = ? WHERE run = ?", [complete, self._last_run])
        for member in self._members.values():
            if member.totals is not None:
                member.totals.store(self._con, self._last_run, member.number, member.codes)
        self._store_cases()

    def _store_cases(self) -> None:
        import numpy as np
        import pyarrow as pa

        tracks = self._cases.values()
        numbers = final_numbers(self._cases)
        paths = np.array([track.path for track in tracks], dtype=np.int64)
        self._final_paths.update(path for path in paths.tolist() if path != EMPTY)
        table = pa.table(
            {
                "run": pa.array(np.full(len(paths), self._last_run, np.int32)),
                "case": pa.array([numbers.get(case, case) for case in self._cases], type=pa.int32()),
                "workflow": pa.array([track.workflow for track in tracks], type=pa.int32()),
                "external_id": pa.array([track.external_id for track in tracks], type=pa.string()),
                "key": pa.array(array("q", [track.key for track in tracks])),
                "parent_case": pa.array(
                    [track.parent and numbers.get(track.parent[0], track.parent[0]) for track in tracks],
                    type=pa.int32(),
                ),
                "parent_activation": pa.array([track.parent and track.parent[1] for track in tracks], type=pa.int32()),
                "started": pa.array(array("q", [track.started for track in tracks])),
                "version": pa.array([track.version for track in tracks], type=pa.int32()),
                "path_hash": pa.array(np.array(self._paths.hashes, np.uint64)[paths], mask=paths == EMPTY),
            }
        )
        renumbered = pa.table(
            {
                "run": pa.array([self._last_run] * len(numbers), type=pa.int32()),
                "case": pa.array(list(numbers), type=pa.int32()),
                "number": pa.array(list(numbers.values()), type=pa.int32()),
            }
        )
        self._take("cases", table)
        self._take("memory.renumbered", renumbered)

    def _take(self, name: str, table: Any) -> None:
        self._con.register("arrow_table", table)
        self._con.execute(f"INSERT INTO {name} SELECT * FROM arrow_table")
        self._con.unregister("arrow_table")

    # --- the file --------------------------------------------------------------------------------

    def finish(self, *, notes: Iterable[str] = (), complete: bool = True) -> History:
        """Sort everything into the file and open it for reading. The writer is then used up.

        Parameters
        ----------
        notes
            What readers should know; see `History.notes`.
        complete
            Whether the last run came to its end; see `Run.complete`.

        Raises
        ------
        HistoryError
            If the file cannot be written: what was written until then is kept, says that it is incomplete, and the
            error where it is. Also if `existing="append"` and somebody else wrote to it meanwhile.
        """
        import duckdb

        if self._finished:
            raise HistoryError("this writer has finished. Make a new one for further rows.")
        try:
            self._end_run(complete=complete)
            for note in notes:
                self._con.execute("INSERT INTO notes VALUES (?, ?)", [self._last_run, note])
            self._store_variants()
            target = self._target()
            try:
                write_sorted(self._con, target, self._codes, self._known)
            except duckdb.Error as error:
                raise cannot_write(error, self._into or target, self._keep(target)) from None
            except BaseException:
                self._keep(target)
                raise
            if self._into is not None and self._known is None:
                os.replace(target, self._into)
            self._con.execute("USE memory; DETACH staged; DROP TABLE renumbered")
        except BaseException:
            self.close()
            raise
        self._finished = True
        written = self._into or target
        return History(written, temporary=self._into is None, con=opening.open_within(self._con, written))

    def _target(self) -> Path:
        """What is written to before it takes its place."""
        if self._into is None:
            return Path(tempfile.gettempdir()) / f"wfsim-{uuid.uuid4().hex}.duckdb"
        if self._known is not None:
            return self._into
        target = self._into.with_name(self._into.name + ".partial")
        _remove(target)
        return target

    def _keep(self, target: Path) -> Path | None:
        """Where what was written until a failure can be read; `None` if there is nothing."""
        if self._known is not None:
            return target
        try:
            opening.open_for_reading(target).close()
        except HistoryError:
            _remove(target)
            return None
        if self._into is None or self._into.exists():
            return target
        for end in ("", ".wal"):
            written = target.with_name(target.name + end)
            if written.exists():
                os.replace(written, self._into.with_name(self._into.name + end))
        return self._into

    def _store_variants(self) -> None:
        import pyarrow as pa

        paths = sorted(self._final_paths)
        table = pa.table(
            {
                "path_hash": pa.array([self._paths.hashes[path] for path in paths], type=pa.uint64()),
                "states": pa.array([self._paths.states(path) for path in paths], type=pa.list_(pa.string())),
            }
        )
        self._take("variants_seen", table)

    def _prepare(self, existing: Existing) -> tuple[Codes, int]:
        """Look at what stands at `into`; returns the codes to go on from and the last run's number."""
        into = self._into
        if existing not in ("replace", "append", "refuse"):
            raise HistoryError(f"existing={existing!r} is not known. Give 'replace', 'append' or 'refuse'.")
        if into is None:
            return Codes(), 0
        if not into.parent.is_dir():
            raise HistoryError(f"{into}: the folder {into.parent} does not exist. Make it first.")
        if not into.exists():
            return Codes(), 0
        if existing == "refuse":
            raise HistoryError(f"{into}: exists already. Give another path, or existing='replace' or 'append'.")
        con = opening.open_for_reading(into)
        try:
            real = con.execute("SELECT count(*) FROM runs WHERE source = 'runtime'").fetchall()[0][0]
            if real:
                raise HistoryError(
                    f"{into}: holds {real} runs that really happened, so a simulation does not write there. "
                    "Give another path."
                )
            if existing == "replace":
                return Codes(), 0
            last: int = con.execute("SELECT coalesce(max(run), 0) FROM runs").fetchall()[0][0]
            return Codes.stored_in(con), last
        finally:
            con.close()

    def close(self) -> None:
        """Drop what is staged; without `finish` before, nothing is left of it."""
        if not self._finished:
            self._finished = True
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


def _remove(path: Path) -> None:
    for end in ("", ".wal"):
        path.with_name(path.name + end).unlink(missing_ok=True)
