"""Dimension codes: names as small integers, and the lookup tables that turn program rows into them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from wfsim.semantics.codes import N_CLOCKS, SEND
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import ActionRow

from .schema import DIMENSIONS, FIXED

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb
    import numpy as np
    from numpy.typing import NDArray

    from wfsim.semantics.program import Program

_STORED = " UNION ALL ".join(f"SELECT '{each}' AS dimension, code, name FROM {each}" for each in DIMENSIONS)
_STORED += " ORDER BY dimension, code"


def names_in(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The names of each dimension of a history, in the order of their codes; those that the language fixes too."""
    names: dict[str, list[str]] = {dimension: [] for dimension in DIMENSIONS}
    for dimension, _, name in con.execute(_STORED).fetchall():
        names[dimension].append(name)
    for dimension, members in FIXED.items():
        names[dimension] = list(members)
    return names


Names: TypeAlias = dict[str, list[tuple[str, int]]]
"""Names and their codes, by dimension."""


def store_names(con: duckdb.DuckDBPyConnection, names: Names) -> None:
    """Write names that are not in a history yet."""
    for dimension, pairs in names.items():
        con.execute(
            f"INSERT INTO {dimension} SELECT unnest(?), unnest(?)",
            [[code for _, code in pairs], [name for name, _ in pairs]],
        )


class Codes:
    """The codes of a history's dimensions; new names, of any thread, get the next number and wait to be stored."""

    def __init__(self) -> None:
        self._codes: dict[str, dict[str, int]] = {dimension: {} for dimension in DIMENSIONS}
        self._stored: dict[str, int] = dict.fromkeys(DIMENSIONS, 0)
        self._turn = threading.Lock()

    @classmethod
    def stored_in(cls, con: duckdb.DuckDBPyConnection) -> Codes:
        """The codes that a history has already."""
        codes = cls()
        names = names_in(con)
        codes._codes = {each: {name: code for code, name in enumerate(names[each])} for each in DIMENSIONS}
        codes.written()
        return codes

    def code(self, dimension: str, name: str) -> int:
        """The code of a name."""
        codes = self._codes[dimension]
        with self._turn:
            return codes.setdefault(name, len(codes))

    def sizes(self) -> dict[str, int]:
        """How many names each dimension has."""
        return {dimension: len(codes) for dimension, codes in self._codes.items()}

    def fresh(self) -> Names:
        """The names that are new since the last call of `written`, with their codes."""
        found = {each: list(codes.items())[self._stored[each] :] for each, codes in self._codes.items()}
        return {each: names for each, names in found.items() if names}

    def hand_over(self) -> Names:
        """The names that are new since the last call: whoever gets them writes them."""
        with self._turn:
            found = self.fresh()
            self.written()
        return found

    def store(self, con: duckdb.DuckDBPyConnection) -> None:
        """Write the names that are new since the last call; call `written` once that is committed."""
        store_names(con, self.fresh())

    def written(self) -> bool:
        """All names so far are stored; whether there are more than at the last call."""
        before, self._stored = self._stored, self.sizes()
        return self._stored != before


CODED = ("regions", "states", "events", "activities", "transitions", "timers")
"""Fields of `ProgramCodes`: tables by program row."""


@dataclass(frozen=True)
class ProgramCodes:
    """For each program row the code of its name; -1 in the last place, so that index -1 stays -1."""

    program: Program
    regions: NDArray[np.int32]
    states: NDArray[np.int32]
    events: NDArray[np.int32]
    activities: NDArray[np.int32]
    transitions: NDArray[np.int32]
    timers: NDArray[np.int32]


def program_codes(program: Program, codes: Codes) -> ProgramCodes:
    """Register a program's names, in the order of its definition, and return the lookup tables."""
    import numpy as np

    head = program.head
    size = max(len(program.rows), head.first_clock + N_CLOCKS) + 1

    def table(dimension: str, named: Iterable[tuple[str, int]]) -> NDArray[np.int32]:
        found = np.full(size, -1, np.int32)
        for name, place in named:
            found[place] = codes.code(dimension, name)
        return found

    events = table("event_names", program.event_rows.items())
    for row in program.rows:
        # What is sent to others bears a name that need not be an event here (M7.2).
        if isinstance(row, ActionRow) and row.action == SEND:
            events[row.event] = codes.code("event_names", program.names[row.event] or "")
    transitions = np.full(size, -1, np.int32)
    for place, number in program.transition_numbers.items():
        transitions[place] = number
    example = Instance(program)
    timers = [(example.timer_name(place), place) for place in range(head.first_timer, head.first_clock + N_CLOCKS)]
    return ProgramCodes(
        program=program,
        regions=table("region_names", program.region_rows.items()),
        states=table("state_names", program.state_rows.items()),
        events=events,
        activities=table("activity_names", program.activity_rows.items()),
        transitions=transitions,
        timers=table("timer_names", timers),
    )
