"""`migration`: what stands in the way of running instances when a workflow gets a new version."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from wfsim.arguments import expect
from wfsim.errors import DefinitionError, WfsimError, listed
from wfsim.model.catalogue import as_catalogue
from wfsim.model.changes import Change, changes
from wfsim.model.lint.findings import Severity
from wfsim.model.problems import shown
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow

from .replay_case import need_full
from .retelling import Otherwise, Segment, retold
from .runs import definition_of, hash_of_definition

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import pandas as pd

    from wfsim.model.catalogue import Catalogue
    from wfsim.semantics.program import Program

    from .case import Case
    from .history import History


@dataclass(frozen=True, slots=True)
class CaseMigration:
    """What became of one stored case when its stimuli were fed to the new version.

    Attributes
    ----------
    run, case, external_id, is_open
        Which case, and whether it goes on.
    replays
        Whether every record came out the same, by the names in it.
    seq, reason
        The first record that did not, and how it differs.
    stands
        Where an open case is now.
    """

    run: int
    case: int
    external_id: str | None
    is_open: bool
    replays: bool
    seq: int | None = None
    reason: str = ""
    stands: str = ""


@dataclass(frozen=True)
class Migration:
    """What has no counterpart in a new version; empty `changes` and no case in `broken` mean that nothing has.

    Attributes
    ----------
    old, new
        The two versions.
    changes
        What instances may hold that the new version does not know as it was, whatever any history says.
    cases
        Stored cases of the old version, in order; empty without a history.
    """

    old: Workflow
    new: Workflow
    changes: tuple[Change, ...]
    cases: tuple[CaseMigration, ...] = ()

    @property
    def broken(self) -> list[CaseMigration]:
        """Stored cases that would not replay."""
        return [case for case in self.cases if not case.replays]

    @property
    def ok(self) -> bool:
        """Whether no change is an error and every stored case replays."""
        return not self.broken and all(change.severity is not Severity.ERROR for change in self.changes)

    def df(self) -> pd.DataFrame:
        """One row per stored case, columns as the attributes of `CaseMigration`."""
        import pandas as pd

        columns = list(CaseMigration.__slots__)
        return pd.DataFrame([[getattr(case, column) for column in columns] for case in self.cases], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "workflow": self.old.name,
            "old": self.old.version,
            "new": self.new.version,
            "ok": self.ok,
            "changes": [
                {"code": each.code, "severity": each.severity.value, "place": each.place, "message": each.message}
                for each in self.changes
            ],
            "cases": [asdict(case) for case in self.cases],
        }

    def _lines(self) -> Iterator[str]:
        yield f"{self.old.name} {self.old.version} → {self.new.version}: {len(self.changes)} changes that matter"
        yield from (f"  {change}" for change in self.changes)
        if not self.cases:
            return
        n_open = sum(case.is_open for case in self.cases)
        yield f"{len(self.cases):,} stored cases, {n_open:,} open: {len(self.broken):,} would not replay"
        kinds: dict[str, list[CaseMigration]] = {}
        for case in self.broken:
            kinds.setdefault(case.reason, []).append(case)
        for reason, cases in sorted(kinds.items(), key=lambda pair: -len(pair[1])):
            named = listed((str(case.external_id or case.case) for case in cases), 3)
            yield f"  {len(cases):,} ({named}): {reason}"

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def migration(
    old: Workflow,
    new: Workflow,
    history: History | None = None,
    *,
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
) -> Migration:
    """What stands in the way of taking running instances of `old` over to `new`.

    An instance stays with the version it started with; this tells what would be lost if it did not: states,
    regions, variables, events, activities in flight and timers without a counterpart, and the stored cases that
    would have gone another way.

    Parameters
    ----------
    history
        Cases of `old` in it are fed to `new` and compared, record for record, by the names in them.
    catalogue
        Workflows that `new` invokes.

    Raises
    ------
    DefinitionError
        If the two are not versions of one workflow.
    ReplayError
        If the history keeps too little (log level), or cannot be replayed under `old` itself.

    Notes
    -----
    Replaying costs about 50 µs a record. The idea is that of Temporal's replay tests, with names instead of code.
    """
    for workflow in (old, new):
        if not isinstance(workflow, Workflow):
            raise DefinitionError(
                f"migration takes two workflows, not {shown(workflow)}. Load it first: wf.load(path)."
            )
    if old.name != new.name:
        raise DefinitionError(
            f"{old.name!r} and {new.name!r} are two workflows, not versions of one. Give them the same name."
        )
    found: list[CaseMigration] = []
    if history is not None:
        from .history import History

        expect(history, History, "migration takes a History", "Open one: wf.open_history(path).")
        program = compile_workflow(new, as_catalogue(catalogue) if catalogue is not None else None)
        found = [_replayed(case, program) for case in _cases_of(old, history)]
    return Migration(old, new, tuple(changes(old, new)), tuple(found))


def _cases_of(old: Workflow, history: History) -> list[Case]:
    wanted = hash_of_definition(definition_of(old))
    known = [(run, workflow) for run in history.runs for workflow in run.workflows]
    places = [(run, workflow) for run, workflow in known if workflow.model_hash == wanted]
    if not places:
        there = listed(dict.fromkeys(f"{workflow.name} {workflow.version}" for _, workflow in known))
        raise WfsimError(
            f"the history has no case of {old.name} {old.version} with this definition. It holds: {there or 'nothing'}."
        )
    query = 'SELECT "case" FROM cases WHERE run = ? AND workflow = ? ORDER BY "case"'
    return [
        history.case(number, run=run.run)
        for run, workflow in places
        for (number,) in history.connection().execute(query, [run.run, workflow.number]).fetchall()
    ]


def _replayed(case: Case, program: Program) -> CaseMigration:
    need_full(case.run)
    segment = Segment(case.program, case.records(), {})
    seq, reason = None, ""
    try:
        retold([segment], program, {})
    except Otherwise as difference:
        seq, reason = difference.seq, difference.reason
    twin = case.replay()
    is_open = not twin.is_closed
    stands = ", ".join(f"{region}: {state}" if region else state for region, state in twin.configuration.items())
    return CaseMigration(
        case.run.run, case.case, case.external_id, is_open, not reason, seq, reason, stands if is_open else ""
    )
