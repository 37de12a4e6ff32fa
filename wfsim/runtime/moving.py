"""Open instances move to another version of their workflow (M15), each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from wfsim.errors import EngineError, WfsimError, did_you_mean, listed
from wfsim.history.migration import CaseMigration, Migration
from wfsim.history.retelling import Otherwise, retold
from wfsim.model.changes import changes
from wfsim.model.statuses import OPEN
from wfsim.model.uses import declared_activities
from wfsim.model.values import brief
from wfsim.semantics.image import image_of

from .happening import work_off
from .held import Held
from .rows import TIMERS, WORKFLOW_TIMER, DueRow, MoveRow
from .searching import searched
from .segments import segments_of
from .tables import INSTANCES
from .texts import written
from .turn import Turn
from .view import view_of

if TYPE_CHECKING:
    import pandas as pd

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.program import Program

    from .core import Core
    from .rows import InstanceRow
    from .sql_rows import SqlRows

TOGETHER = 200
"""Ids that are read at a time."""


@dataclass(frozen=True, slots=True)
class InstanceMove:
    """What became, or would become, of one instance.

    Attributes
    ----------
    version, to
        What it ran, and what it was to run.
    moves
        Whether it moved, or would.
    seq, reason
        Why not: the first record that the other version would not have, and how it differs; or what else forbids it.
    state
        Where it stands afterwards.
    """

    id: str
    version: str | None
    to: str
    moves: bool
    seq: int | None = None
    reason: str = ""
    state: str = ""


@dataclass(frozen=True)
class Moves:
    """What became of instances that were to move, in order; `dry_run`: nothing was changed."""

    rows: tuple[InstanceMove, ...]
    dry_run: bool

    @property
    def refused(self) -> list[InstanceMove]:
        """Those that do not move."""
        return [row for row in self.rows if not row.moves]

    def __iter__(self) -> Iterator[InstanceMove]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def df(self) -> pd.DataFrame:
        """One row per instance, columns as the attributes of `InstanceMove`."""
        import pandas as pd

        columns = list(InstanceMove.__slots__)
        return pd.DataFrame([[getattr(row, column) for column in columns] for row in self.rows], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {"dry_run": self.dry_run, "rows": [asdict(row) for row in self.rows]}

    def __str__(self) -> str:
        n = len(self.rows) - len(self.refused)
        lines = [f"{n:,} of {len(self.rows):,} instances {'would move' if self.dry_run else 'have moved'}"]
        kinds: dict[str, list[str]] = {}
        for row in self.refused:
            kinds.setdefault(row.reason, []).append(row.id)
        for reason, ids in sorted(kinds.items(), key=lambda pair: -len(pair[1])):
            lines.append(f"  {len(ids):,} ({listed(ids, 3)}): {reason}")
        return "\n".join(lines)


def migrate(
    core: Core, which: str | Iterable[str], to: str, mapping: Mapping[str, str] | None, *, dry_run: bool
) -> Moves:
    """See `Engine.migrate`."""
    if not isinstance(to, str):
        raise WfsimError(f"to is the version that instances shall run, a text such as '2.0.0', not {brief(to)}.")
    renamed = _checked(mapping)
    ids = _all_open(core, which) if isinstance(which, str) else iter(which)
    return Moves(tuple(_one(core, each, to, renamed, dry_run) for each in ids), dry_run)


def _checked(mapping: Mapping[str, str] | None) -> dict[str, str]:
    given = {} if mapping is None else mapping
    if not isinstance(given, Mapping) or not all(isinstance(one, str) for pair in given.items() for one in pair):
        raise WfsimError(
            f"mapping leads from names of states to their names in the other version, not {brief(mapping)}. "
            "Write {'paid': 'settled'}."
        )
    return dict(given)


def _all_open(core: Core, workflow: str) -> Iterator[str]:
    """The open roots of a workflow, those that started first first, by pages."""
    columns = INSTANCES.c
    with core.database.reading() as rows:
        core.workflow(rows, workflow, None)
    last: tuple[int, str] | None = None
    while True:
        asked = (
            sa.select(columns.started, columns.id)
            .where(columns.workflow == workflow, columns.status.in_(OPEN), columns.parent.is_(None))
            .order_by(columns.started, columns.id)
            .limit(TOGETHER)
        )
        if last is not None:
            asked = asked.where(sa.tuple_(columns.started, columns.id) > sa.tuple_(*last))
        with core.database.reading() as rows:
            found = rows.connection.execute(asked).all()
        yield from (name for _, name in found)
        if len(found) < TOGETHER:
            return
        last = (found[-1].started, found[-1].id)


def against(
    core: Core, new: Workflow, catalogue: Catalogue, mapping: Mapping[str, str] | None = None
) -> list[Migration]:
    """What stands in the way of a version that is not published yet: a report for each version that is stored.

    All stored instances of the workflow, open and closed, are told to it (M15.1); nothing is changed. About 100 µs
    for each of their records.

    Raises
    ------
    EngineError
        If nothing is stored of the workflow, or the mapping names a state that is none.
    """
    renamed = _checked(mapping)
    program = core.families.of(new, catalogue).programs[0]
    cases: dict[str, list[CaseMigration]] = {}
    olds: dict[str, Workflow] = {}
    columns = INSTANCES.c
    with core.database.reading() as rows:
        asked = sa.select(columns.id).where(columns.workflow == new.name).order_by(columns.started, columns.id)
        for number, name in enumerate(list(rows.connection.execute(asked).scalars()), 1):
            row = rows.read(name)
            if row is None:
                continue
            member = core.families.get(row.family, rows.family)
            code, old = member.members[row.member].model_hash, member.programs[row.member]
            if code not in olds:
                olds[code] = old.workflow
                _refuse_unknown(old, program, renamed)
            cases.setdefault(code, []).append(_case(core, rows, row, number, program, renamed))
    if not olds:
        with core.database.reading() as rows:
            known = sorted({each.name for each in core.catalogue(rows).all_versions()})
        raise EngineError(
            f"{core.database.shown} has no instance of {new.name!r}.{did_you_mean(new.name, known)} "
            f"Published there: {listed(known) or 'nothing'}."
        )
    return [Migration(old, new, tuple(changes(old, new)), tuple(cases[code])) for code, old in olds.items()]


def _case(
    core: Core, rows: SqlRows, row: InstanceRow, number: int, program: Program, renamed: Mapping[str, str]
) -> CaseMigration:
    is_open = row.status in OPEN
    try:
        retold(segments_of(rows, row, core.families), program, renamed)
    except Otherwise as difference:
        seq, reason = difference.seq, difference.reason
    else:
        seq, reason = None, ""
    return CaseMigration(0, number, row.id, is_open, not reason, seq, reason, row.state if is_open else "")


def _one(core: Core, name: str, to: str, renamed: Mapping[str, str], dry_run: bool) -> InstanceMove:
    with core.turn() as turn:
        if not dry_run:
            # What fell due before happens in the version that it has run until now.
            work_off(turn, name, turn.now - 1)
        held = turn.hold(name)
        if held is None:
            return InstanceMove(name, None, to, False, reason="there is no such instance")
        version = held.row.definition_version
        workflow, catalogue = core.workflow(turn.rows, held.row.workflow, to)
        to = workflow.version
        try:
            if to == version:
                raise Otherwise(None, f"it runs {version} already")
            _refuse_others(held)
            family = core.families.of(workflow, catalogue)
            _refuse_unknown(held.instance.program, family.programs[0], renamed)
            instance = retold(segments_of(turn.rows, held.row, core.families), family.programs[0], renamed).instance
        except Otherwise as difference:
            # What the turn holds of it goes on to the next.
            core.cache.put(name, held.instance)
            return InstanceMove(name, version, to, False, difference.seq, difference.reason, held.instance.state)
        instance.events_seen, instance.commands_seen = {}, set()
        if dry_run:
            core.cache.put(name, held.instance)
        else:
            _move(turn, Held(held.row, instance, family), renamed)
        return InstanceMove(name, version, to, True, state=instance.state)


def _refuse_others(held: Held) -> None:
    if held.instance.is_closed:
        raise Otherwise(None, f"it is closed ({held.row.status})")
    if held.row.parent is not None:
        raise Otherwise(None, "it is a child, and keeps to the version that was chosen when its root started (M4.4)")


def _refuse_unknown(old: Program, new: Program, renamed: Mapping[str, str]) -> None:
    """M15.2: what is renamed are states of both versions."""
    for program, names in ((old, renamed.keys()), (new, renamed.values())):
        known = {part for path in program.state_rows for part in path.split("/")[::2]}
        for name in names:
            if name not in known:
                version = program.workflow.version
                raise EngineError(
                    f"{program.workflow.name} {version} has no state {name!r}.{did_you_mean(name, known)} A mapping "
                    "leads from states of the version that instances run to states of the one that they shall run."
                )


def _move(turn: Turn, moved: Held, renamed: Mapping[str, str]) -> None:
    rows, row, instance, family = turn.rows, moved.row, moved.instance, moved.family
    rows.put_family(family.code, family.members)
    to = instance.program.workflow.version
    move = MoveRow(row.id, row.version, turn.now, row.family, row.member, row.definition_version, to, renamed)
    row.family, row.member, row.definition_version = family.code, 0, move.to_version
    row.state, row.fingerprint, row.image = instance.state, family.fingerprints[0], written(image_of(instance))
    rows.move(row, move)
    was = dict.fromkeys(rows.found(row.id))
    rows.put_found(row.id, was | searched(instance))
    rows.drop_timers(row.id)
    rows.add_due(_timers(moved))
    declared = declared_activities(instance.program.workflow)
    for attempt in rows.attempts(row.id):
        if attempt.phase != "running":
            activity = declared[attempt.activity]
            attempt.activity_version, attempt.pool = activity.version, activity.pool
            rows.put_attempt(attempt)
    turn.changed[row.id] = moved
    turn.owes = True


def _timers(moved: Held) -> list[DueRow]:
    """M15.3: those that the version has set, without those that have fired and wait."""
    return [
        DueRow(
            moved.name,
            timer.due,
            WORKFLOW_TIMER if timer.name == "workflow" else TIMERS,
            "timer",
            timer.place,
            timer.id,
        )
        for timer in view_of(moved.instance).due
    ]
