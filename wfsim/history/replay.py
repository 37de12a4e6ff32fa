"""Replay of whole histories: every case of every run (M11.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import ReplayError

from .case import records_in
from .replay_case import need_full, programs_of, replay_records

if TYPE_CHECKING:
    from .history import History

_TOGETHER = 200


@dataclass(frozen=True)
class Difference:
    """Where a replay gave something else than the history holds."""

    run: int
    case: int
    seq: int | None
    message: str


@dataclass(frozen=True)
class ReplayReport:
    """What `replay_all` found: how many cases and records were compared, and every case that differs."""

    n_cases: int
    n_records: int
    differences: tuple[Difference, ...]

    def __bool__(self) -> bool:
        """Whether everything replayed exactly."""
        return not self.differences

    def __str__(self) -> str:
        found = f"{self.n_cases:,} cases with {self.n_records:,} records replayed"
        if not self.differences:
            return found + " exactly."
        return found + f"; {len(self.differences):,} differ, first: {self.differences[0].message}"


def replay_all(history: History) -> ReplayReport:
    """Replay every case of every run and compare all records.

    Cost: that of running `step` over the whole history once, and of reading it. Memory: 200 cases.

    Raises
    ------
    ReplayError
        If a run's log level is not `full`.
    """
    n_cases = n_records = 0
    differences = []
    for run in history.runs:
        need_full(run)
        programs = programs_of(run)
        cases = history.sql('SELECT "case", workflow FROM cases WHERE run = ? ORDER BY "case"', [run.run]).fetchall()
        for first in range(0, len(cases), _TOGETHER):
            together = cases[first : first + _TOGETHER]
            found = records_in(history.connection(), run, together[0][0], together[-1][0])
            for number, workflow in together:
                records = found.get(number, [])
                n_cases += 1
                n_records += len(records)
                try:
                    replay_records(run, programs[workflow], records)
                except ReplayError as error:
                    differences.append(Difference(run.run, number, error.seq, str(error)))
    return ReplayReport(n_cases, n_records, tuple(differences))
