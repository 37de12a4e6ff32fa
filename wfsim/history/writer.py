"""`HistoryWriter`: a simulation's records into a sorted history file, in Arrow batches."""

from __future__ import annotations

import os
import tempfile
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from wfsim.errors import HistoryError
from wfsim.model.supplying import supplied_by
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

from . import arrow, opening, sorting
from .background import Background
from .batch import Batch, Columns
from .case_rows import Cases, Named, case_rows, variant_rows
from .codes import ProgramCodes, program_codes
from .edges import Edges
from .failures import cannot_write
from .held import Held, Table
from .history import History
from .logged import Logged, columns_of, follow
from .numbering import PROVISIONAL, final_numbers
from .paths import EMPTY, Paths
from .runs import Origin, Run, workflows_of
from .sorting import Existing, Known, SortedFile, look_at
from .taking import Taking
from .totals import Totals
from .tracker import CaseTrack, track_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from numpy.typing import NDArray

    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.layout import RecordRow
    from wfsim.semantics.program import Program
    from wfsim.simulation.compiled.run import Chunk
    from wfsim.simulation.plans import Member as Simulated

    from .background import Task

BATCH = 100_000
Log = Literal["full", "transitions", "aggregates"]

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


@dataclass(frozen=True)
class _Family:
    """The workflows of a run by the numbers that the log has for them, and its paths by theirs, which become more."""

    run: int
    workflows: Sequence[Simulated]
    members: Sequence[_Member]
    nodes: Sequence[int]

    def columns(self, parts: Sequence[Logged]) -> Iterator[tuple[_Member, Columns]]:
        workflows = [(simulated, member.codes) for simulated, member in zip(self.workflows, self.members)]
        for which, columns in columns_of(parts, workflows, self.nodes):
            yield self.members[which], columns


class HistoryWriter:
    """Takes the records of many cases, in any order of cases, and makes a history sorted by (run, case, seq).

    Nothing is seen at `into` before `finish`: threads of the writer's own write to a new file beside it, which then
    takes the old one's place as a whole. Cases that are closed are written while others go on, if they lie together.

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
    Memory: one batch of 100,000 rows (about 25 MB), 40 bytes per case that the compiled calendar is done with, a few
    hundred per case of the one in Python, and up to 512 MB of rows that are not written yet; more lie in temporary
    files. Speed: see docs/history.md.
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
        self._codes, self._last_run = look_at(self._into, existing)
        appending = existing == "append" and self._into is not None and self._into.exists()
        self._known = Known(self._codes.sizes(), self._last_run) if appending else None
        self._file = SortedFile(opening.connect, self._target(), self._known)
        self._held = Held()
        # The first puts rows in order as they come; the second makes columns of whole cases, and writes them.
        self._rows = Background("wfsim rows", 1)
        self._writing = Background("wfsim history", 0, sorting.AT_A_TIME)
        # What is to be done to the file once it is begun; an older one is left alone until the end.
        self._later: list[Task] | None = []
        self._complete: list[int] = []
        self._log: Log = log
        self._kept = _KEPT[log]
        self._batch_rows = batch_rows
        self._paths = Paths()
        self._written_paths = {EMPTY}
        self._finished = False
        if self._into is None:
            # Nothing is there to be left alone, and making the tables takes as long as simulating some hundred cases.
            self._begin_file()
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
        self._to_file(partial(self._writing.do, partial(self._file.begin_run, self._run)))
        self._members: dict[int, _Member] = {}
        # By identity; the program itself is kept, so that its number is not given out again.
        self._by_program: dict[int, tuple[Program, _Member]] = {}
        self._announced: dict[int, tuple[str | None, tuple[int, int] | None]] = {}
        self._cases: dict[int, CaseTrack] = {}
        self._named = Named({}, {})
        # Cases that the compiled calendar is done with; those below the first are on their way into the file.
        self._done = Cases.of({})
        self._first = 1
        self._nodes: list[int] = [EMPTY]
        self._edges = Edges()
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
        track_rows(case, records, track, program.head.root, program.names, self._paths, batch.rows.extend)
        if output.values:
            batch.add_values(case, output.values)
        self._n_waiting += len(records)
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

    def append_logged(self, chunk: Chunk, workflows: Sequence[Simulated]) -> bool:
        """Take what the compiled calendar has logged, and the cases that it is done with; rows of one come in order.

        `workflows` are those of the run, by the numbers that the chunk has for them. The chunk's arrays are the
        writer's from then on; it says so to the simulation (true).
        """
        if self._known is None and len(chunk.log) >= sorting.ROW_GROUP:
            self._begin_file()
        follow(chunk, workflows, self._nodes, self._paths)
        members = [self._member(simulated.program) for simulated in workflows]
        self._do(partial(self._take_logged, chunk, _Family(self._last_run, workflows, members, self._nodes)))
        self._take_done(chunk.cases, [member.number for member in members])
        return True

    def _take_done(self, rows: NDArray[Any], numbers: Sequence[int]) -> None:
        """Take cases that the calendar is done with, and write those from the first one on once they are many."""
        import numpy as np

        if self._announced:
            for case in rows["case"].tolist():
                self._name(case, *self._announced.pop(case, (None, None)))
        fresh = Cases(
            case=rows["case"],
            workflow=np.array(numbers, np.int32)[rows["member"]],
            key=rows["key"],
            started=rows["started"],
            version=rows["seq"],
            path=np.array(self._nodes)[rows["path"]],
        )
        self._done = self._done.with_others(fresh)
        if self._known is None:
            follow_first = self._done.case == np.arange(self._first, self._first + len(self._done))
            n = int(np.argmin(np.append(follow_first, False)))
            portions = list(self._done.at(slice(n)).portions(sorting.PORTION))
            # To the last one further cases may belong.
            for portion in portions[:-1]:
                self._begin_file()
                self._write(self._done.at(portion), {})
            if portions[:-1]:
                self._first += portions[-1].start
                self._done = self._done.at(slice(portions[-1].start, None))

    def _name(self, case: int, external_id: str | None, parent: tuple[int, int] | None) -> None:
        if external_id is not None:
            self._named.ids[case] = external_id
        if parent is not None:
            self._named.parents[case] = parent

    def _flush(self) -> None:
        for member in self._members.values():
            batch = member.batch
            if len(batch):
                self._do(partial(self._insert, batch.columns(member.codes), member, self._last_run))
                batch.clear()
        self._n_waiting = 0

    def _take_logged(self, chunk: Chunk, family: _Family) -> None:
        logged = Logged.of(chunk.log, chunk.values, partial(self._spelled, family))
        if self._log == "aggregates":
            for member, columns in family.columns([logged]):
                assert member.totals is not None
                member.totals.add(columns.records)
        if self._log != "full":
            logged = logged.of_kinds(self._kept)
        if len(logged):
            self._held.add(family.run, logged)

    def _spelled(self, family: _Family, parts: Sequence[Logged]) -> Iterator[arrow.Rows]:
        for member, columns in family.columns(parts):
            yield self._rows_of(columns, member, family.run)

    def _rows_of(self, columns: Columns, member: _Member, run: int) -> arrow.Rows:
        return columns.rows(run, member.number, self._codes, self._paths)

    def _insert(self, columns: Columns, member: _Member, run: int) -> None:
        if member.totals is not None:
            member.totals.add(columns.records)
        if self._log != "full":
            columns = columns.of_kinds(self._kept)
        if len(columns.records["kind"]):
            self._held.add(run, Table.of(self._rows_of(columns, member, run).table))

    def tell(self, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        """Keep what views need to know of this run beside its records, in columns behind its number."""
        import pyarrow as pa

        found = [(self._last_run, *row) for row in rows]
        if found:
            arrays = {name: arrow.column(values) for name, values in zip(("run", *columns), zip(*found))}
            store = partial(self._file.store, table, pa.table(arrays))
            self._to_file(partial(self._writing.do, store))

    def _end_run(self, *, complete: bool) -> None:
        import numpy as np

        self._flush()
        for case, track in self._cases.items():
            self._name(case, track.external_id, track.parent)
        rest = self._done.with_others(Cases.of(self._cases))
        passing = rest.case >= PROVISIONAL
        last = max([self._first - 1, *rest.case[~passing][-1:].tolist()])
        numbers = final_numbers(last, rest.case[passing].tolist(), self._named)
        if numbers:
            self._to_file(partial(self._held.renumber, self._last_run, numbers))
            lasting = [numbers.get(case, case) for case in rest.case.tolist()]
            rest = rest.at(np.argsort(lasting))
        for portion in rest.portions(sorting.even(int(rest.version.sum()))):
            self._write(rest.at(portion), numbers)
        for member in self._members.values():
            if member.totals is not None:
                store = partial(member.totals.store, run=self._last_run, workflow=member.number)
                self._to_file(partial(self._writing.do, partial(self._file.end_run, store)))
        if complete:
            self._complete.append(self._last_run)

    def _write(self, cases: Cases, numbers: Mapping[int, int]) -> None:
        """Write cases, in the order of their lasting numbers, with their records."""
        fresh = sorted(set(cases.path.tolist()) - self._written_paths)
        self._written_paths.update(fresh)
        rows = case_rows(self._last_run, cases, self._named, numbers, self._paths)
        taking = Taking(self._held, self._last_run, rows, self._edges)
        variants = variant_rows(fresh, self._paths)
        portion = self._file.portion(taking.pieces(), variants, self._codes.hand_over)
        self._to_file(partial(self._writing.begin, partial(self._file.insert, portion)))

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
        target = self._file.path
        try:
            self._write_all(notes, complete)
            if self._into is not None and self._known is None:
                os.replace(target, self._into)
        except BaseException:
            self._give_up()
            raise
        self._finished = True
        self._let_go()
        written = self._into or target
        return History(
            written,
            temporary=self._into is None,
            con=opening.open_within(self._file.con, written),
            functions=supplied_by(self._program.family),
        )

    def keep(self, notes: Iterable[str]) -> Path | None:
        """Write what has come as a run that is not complete, since something else has ended it.

        Returns
        -------
        Path or None
            Where it can be read, beside an older history; nowhere if there is only a temporary file, or none any more.
        """
        if self._into is None or self._finished:
            return None
        try:
            self._write_all(notes, complete=False)
        except BaseException:
            self._give_up()
            raise
        self._finished = True
        self._let_go()
        self._file.close()
        return self._keep()

    def _write_all(self, notes: Iterable[str], complete: bool) -> None:
        if self._finished:
            raise HistoryError("this writer has finished. Make a new one for further rows.")
        self._end_run(complete=complete)
        self._begin_file()
        told = [(self._last_run, note) for note in notes]
        self._do(partial(self._finish, told))
        self._carry_out(self._rows.wait)
        self._carry_out(self._writing.wait)
        assert not self._held, "every record belongs to a case of its run"

    def _finish(self, notes: Sequence[tuple[int, str]]) -> None:
        self._writing.do(partial(self._file.finish, self._complete, notes, self._codes.hand_over()))

    def _begin_file(self) -> None:
        """Carry out what has waited for the file, and from now on all at once."""
        if self._later is not None:
            if self._known is None:
                opening.remove(self._file.path)
            later, self._later = self._later, None
            self._do(partial(self._writing.do, self._file.open))
            for task in later:
                self._do(task)

    def _to_file(self, task: Task) -> None:
        if self._later is None:
            self._do(task)
        else:
            self._later.append(task)

    def _do(self, task: Task) -> None:
        self._carry_out(partial(self._rows.do, task))

    def _carry_out(self, what: Task) -> None:
        """Whatever fails ends the writer; what was written until then is kept."""
        import duckdb

        try:
            what()
        except BaseException as error:
            kept = self._give_up()
            if isinstance(error, (duckdb.Error, OSError)):
                raise cannot_write(error, self._into or self._file.path, kept) from None
            raise

    def _give_up(self) -> Path | None:
        """Come to an early end; returns where what was written can be read."""
        if self._finished:
            return None
        self._finished = True
        self._let_go()
        self._file.close()
        return self._keep()

    def _let_go(self) -> None:
        self._rows.stop()
        self._writing.stop()
        self._file.let_go()
        self._held.clear()

    def _target(self) -> Path:
        """What is written to before it takes its place."""
        if self._into is None:
            return Path(tempfile.gettempdir()) / f"wfsim-{uuid.uuid4().hex}.duckdb"
        return self._into if self._known is not None else self._into.with_name(self._into.name + ".partial")

    def _keep(self) -> Path | None:
        """Where what was written until a failure can be read; `None` if there is nothing."""
        target = self._file.path
        if self._known is not None or self._later is not None:
            return None if self._known is None else target
        try:
            opening.open_for_reading(target).close()
        except HistoryError:
            opening.remove(target)
            return None
        if self._into is None or self._into.exists():
            return target
        for end in ("", ".wal"):
            written = target.with_name(target.name + end)
            if written.exists():
                os.replace(written, self._into.with_name(self._into.name + end))
        return self._into

    def close(self) -> None:
        """Drop what was taken; without `finish` before, nothing is left of it."""
        if not self._finished:
            self._finished = True
            self._let_go()
            self._file.close()
            if self._known is None and self._later is None:
                opening.remove(self._file.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
