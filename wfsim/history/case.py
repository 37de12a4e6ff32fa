"""One case of a history: its records with names, its stimuli, its state at any version."""

from __future__ import annotations

import json
from dataclasses import fields
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from wfsim.errors import HistoryError, did_you_mean, listed
from wfsim.markup import escaped, html_table
from wfsim.model.duration import short_time, time_text
from wfsim.model.supplying import Supplied
from wfsim.semantics.codes import (
    BOOLEAN,
    FAULT,
    INTEGER,
    NULL,
    NUMBER,
    R_INSTANCE_CLOSED,
    R_STARTED,
    R_STATUS_CHANGED,
    RECORD_KINDS,
    STRING,
)
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import CALLED, LISTS, NUMBERS, VALUES_CALLED, Record
from wfsim.semantics.stimulus import Stimulus

from .codes import names_in
from .failures import reading
from .replay_case import CAUSES, programs_of, replay_records, stimuli_of
from .runs import Run, runs_in
from .schema import KEY_SLOT, NAMES
from .snapshots import latest_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from wfsim.model.values import Value
    from wfsim.semantics.program import Program

# What a record names itself, then what its payload says, in the order of `records_of`.
_NAMED = tuple(field.name for field in fields(Record) if field.name not in ("kind", "seq", "time", "payload"))
_REST = ("transition", "timer", *NUMBERS, "command", *CALLED)
_COLUMNS = [{"timer": "clock", "place": "timer"}.get(name, f'"{name}"') for name in (*_NAMED, *_REST)]
# Codes get their names here, and rows their order: ten joins would take DuckDB 8 ms to plan, sorting 2 ms.
_CODED = [(k, NAMES[column]) for k, column in enumerate(each.strip('"') for each in _COLUMNS) if column in NAMES]
_RECORDS = f"""
SELECT "case", seq, workflow, key, "values", time, kind, {", ".join(_COLUMNS)}
FROM history.main.records WHERE run = $run AND "case" BETWEEN $first AND $last AND seq > $after AND seq <= $upto
"""
_CASES = (
    'SELECT run, "case", workflow, external_id, key, parent_case, parent_activation, version FROM history.main.cases'
)
_LAST = 2**31 - 1
_SHOWN = 200
"""So many records of a case a notebook shows."""


class _Row(NamedTuple):
    """A row of `cases`."""

    run: int
    case: int
    workflow: int
    external_id: str | None
    key: int
    parent_case: int | None
    parent_activation: int | None
    version: int


class Case:
    """One case of a history; `History.case` makes it.

    Attributes
    ----------
    run, workflow
        The run it belongs to, and which of the run's workflows it is an instance of.
    case, external_id
        Its number in the run, and the name outsiders know it by.
    parent_activation
        The activation of its parent that started it; `None` for a root.
    version
        `seq` of its last record.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, run: Run, row: _Row, names: Mapping[str, list[str]] | None
    ) -> None:
        self._con = con
        self._names = names
        self.owner: object = None
        self.run = run
        self.workflow = run.workflows[row.workflow]
        self.case = row.case
        self.external_id = row.external_id
        self.key = row.key
        self.parent_activation = row.parent_activation
        self.version = row.version
        self._parent_case = row.parent_case
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The program of its workflow, as stored with the run."""
        if self._program is None:
            self._program = programs_of(self.run)[self.workflow.number]
        return self._program

    @property
    def parent(self) -> Case | None:
        """The case that started it (M4.4); `None` for a root."""
        return None if self._parent_case is None else self._other(self._parent_case)

    @property
    def children(self) -> list[Case]:
        """The cases that it started, in order of their activations."""
        rows = self._con.execute(
            'SELECT "case" FROM cases WHERE run = ? AND parent_case = ? ORDER BY parent_activation',
            [self.run.run, self.case],
        ).fetchall()
        return [self._other(case) for (case,) in rows]

    def _other(self, case: int) -> Case:
        found = find_case(self._con, case, self.run.run, runs=[self.run], names=self._names)
        found.owner = self.owner
        return found

    def records(self, upto: int | None = None) -> list[Record]:
        """Its records in order, up to `seq` `upto` included; at reduced log levels those that were kept."""
        return self._records(_LAST if upto is None else upto)

    def _records(self, upto: int = _LAST, after: int = 0) -> list[Record]:
        found = records_in(self._con, self.run, self.case, self.case, upto, after=after, names=self._names)
        return found.get(self.case, [])

    def stimuli(self, upto: int | None = None) -> list[Stimulus]:
        """What reached it from outside, up to `seq` `upto` included, ready for `Instance.apply`.

        Raises
        ------
        ReplayError
            If the log level is not `full`.
        """
        return stimuli_of(self.run, self.program, self.records(upto))

    def replay(self, upto: int | None = None, *, from_start: bool = False) -> Instance:
        """The instance as it was, by feeding the causes to `step` and comparing every consequence (M11.2).

        A long case of a store begins at its last snapshot before that: what follows is compared, what lies before
        it is not read.

        Parameters
        ----------
        upto
            Up to the step that holds this `seq`; a step is taken whole, since there is nothing in between.
        from_start
            Replay everything, whatever snapshots there are.

        Raises
        ------
        ReplayError
            If a record differs (naming seq, expected, got), or the log level is not `full`.
        HistoryError
            If `upto` is not the `seq` of a record of this case.
        """
        if upto is not None:
            if isinstance(upto, bool) or not isinstance(upto, int):
                raise HistoryError(f"upto={upto!r}: give the number (seq) of a record, 1 to {self.version}.")
            if not 1 <= upto <= self.version:
                raise HistoryError(f"upto={upto}: the first record of a case is 1, its last here {self.version}.")
        snapshot = None if from_start else latest_snapshot(self._con, self.run.run, self.case, self.program, upto)
        after = 0 if snapshot is None else snapshot.seq
        records = self._records(after=after)
        if upto is not None:
            causes = [k for k, record in enumerate(records) if record.kind in CAUSES and record.seq > upto]
            if causes:
                records = records[: causes[0]]
        return replay_records(self.run, self.program, records, None if snapshot is None else snapshot.instance)

    @property
    def variables(self) -> dict[str, Value]:
        """Values of all variables at the end."""
        return self.replay().variables

    @property
    def status(self) -> str:
        """Status at the end of the records: `running`, `completed`, …"""
        rows = self._con.execute(
            "SELECT u.name FROM records r JOIN status_names u ON u.code = r.status "
            'WHERE run = ? AND "case" = ? AND kind IN (?, ?) ORDER BY seq DESC LIMIT 1',
            [self.run.run, self.case, R_STATUS_CHANGED, R_INSTANCE_CLOSED],
        ).fetchall()
        return str(rows[0][0]) if rows else "running"

    def __repr__(self) -> str:
        name = f" {self.external_id!r}" if self.external_id is not None else ""
        return f"<Case {self.case}{name} of {self.workflow.name}: {self.status}, version {self.version}>"

    def _repr_html_(self) -> str:
        records = self.records(_SHOWN)
        began = records[0].time if records else 0
        rows = [
            (record.seq, time_text(record.time), short_time(record.time - began), record.kind, record.told())
            for record in records
        ]
        table = html_table(("seq", "time", "after", "record", "what"), rows, numbers={0, 1, 2})
        more = f"<p>… up to {self.version:,}: case.records()</p>" if self.version > _SHOWN else ""
        return f"<p>{escaped(repr(self))}</p>{table}{more}"


def find_case(
    con: duckdb.DuckDBPyConnection,
    case: int | str,
    run: int | None = None,
    *,
    runs: list[Run] | None = None,
    names: Mapping[str, list[str]] | None = None,
    functions: tuple[Supplied, ...] = (),
) -> Case:
    """The case of that number or external id; who knows the history's `runs` and `names` saves asking for them.

    Raises
    ------
    HistoryError
        If there is none, or several runs have it.
    """
    column = "external_id" if isinstance(case, str) else '"case"'
    found = map(_Row._make, con.execute(f"{_CASES} WHERE {column} = ? ORDER BY run", [case]).fetchall())
    rows = [row for row in found if run is None or row.run == run]
    if not rows:
        raise HistoryError(f"there is no case {case!r}{_nearest(con, case, run)}")
    if len(rows) > 1:
        several = listed(str(row.run) for row in rows)
        raise HistoryError(f"case {case!r} occurs in the runs {several}. Say which: case({case!r}, run={rows[0].run}).")
    known = next(one for one in runs or runs_in(con, functions) if one.run == rows[0].run)
    return Case(con, known, rows[0], names)


def _nearest(con: duckdb.DuckDBPyConnection, case: int | str, run: int | None) -> str:
    where = "" if run is None else f" in run {run}"
    if isinstance(case, str):
        known = [
            name
            for (name,) in con.execute(
                'SELECT external_id FROM cases WHERE external_id IS NOT NULL ORDER BY run, "case" LIMIT 1000'
            ).fetchall()
        ]
        return f"{where}. Cases: {listed(known, 5) or 'none has an external id'}.{did_you_mean(case, known)}"
    (least, most, n) = con.execute('SELECT min("case"), max("case"), count(*) FROM cases').fetchall()[0]
    return f"{where}. There are {n:,} cases" + (f", numbered {least} to {most}." if n else ".")


@reading("the history")
def records_in(
    con: duckdb.DuckDBPyConnection,
    run: Run,
    first: int,
    last: int,
    upto: int = _LAST,
    *,
    after: int = 0,
    names: Mapping[str, list[str]] | None = None,
) -> dict[int, list[Record]]:
    """The records of the cases numbered `first` to `last`, behind `seq` `after` up to `upto`, with names.

    They equal those `records_of` gave when they were written. One query for all: ten times as fast as one a case. Who
    knows the history's `names` saves asking for them.
    """
    where = {"run": run.run, "first": first, "last": last, "upto": upto, "after": after}
    names = names or names_in(con)
    slots = names["slot_names"]
    coded = [(k, names[dimension]) for k, dimension in _CODED]
    found: dict[int, list[Record]] = {}
    rows = con.execute(_RECORDS, where).fetchall()
    rows.sort(key=itemgetter(0, 1))
    for case, seq, number, key, inner, time, kind, *rest in rows:
        for k, known in coded:
            if rest[k] is not None:
                rest[k] = known[rest[k]]
        payload = {name: value for name, value in zip(_REST, rest[len(_NAMED) :]) if value is not None}
        for column, called in CALLED.items():
            if kind in called and column in payload:
                payload[called[kind]] = payload.pop(column)
        if kind == R_STARTED:
            workflow = run.workflows[number]
            payload.update(workflow=workflow.name, version=workflow.version, seed=key)
        values: dict[str, Any] = {}
        for one in inner or ():
            slot, value = one["slot"], value_of(one)
            if slot == KEY_SLOT:
                payload["key"] = value
            elif slot is None:
                values.update(value)
            elif kind in LISTS:
                values.setdefault(slots[slot], []).append(value)
            else:
                values[slots[slot]] = value
        if kind in VALUES_CALLED:
            if values:
                payload[VALUES_CALLED[kind]] = values
        else:
            payload.update(values)
        named = dict(zip(_NAMED, rest))
        found.setdefault(case, []).append(Record(kind=RECORD_KINDS[kind], seq=seq, time=time, payload=payload, **named))
    return found


def value_of(stored: Mapping[str, Any]) -> Any:
    """A value as it stands among the `values` of a record."""
    tag = stored["tag"]
    if tag in (STRING, FAULT):
        return stored["text"]
    if tag == NUMBER:
        return stored["real"]
    if tag == INTEGER:
        return stored["whole"]
    if tag == BOOLEAN:
        return bool(stored["whole"])
    return None if tag == NULL else json.loads(stored["text"] or "null")
