"""Whether there is room for all that may follow a step."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.later import njit
from wfsim.simulation.compiled.areas import has_block
from wfsim.simulation.compiled.calendar import n_due
from wfsim.simulation.compiled.kept import n_kept
from wfsim.simulation.compiled.returns import DONE, FLUSH, SLOTS, TABLES

_njit = njit(nogil=True, error_model="numpy")
_apart = njit(nogil=True, error_model="numpy", apart=True)

STEP_ROOM = 40
"""So many rows of each table most steps need at most, with what follows."""


@_njit
def has_room(k: Any, r: Any, o: Any, slot: int) -> Any:
    """What is too small for all that may follow this step, or `DONE`."""
    s, tally = r.state[0], o.tally[0]
    s.follows = 2 * n_kept(r, slot) if k.settings[0].n_keeping > 0 else 0
    more = tally.records + 2 * tally.effects + s.follows + 8
    if s.sure > 0 and more <= STEP_ROOM and tally.values <= STEP_ROOM:
        s.sure -= 1
        return DONE
    return look_for_room(k, r, o, more)


@_apart
def look_for_room(k: Any, r: Any, o: Any, more: int) -> Any:
    """The same, by looking; and for how many further steps of the usual size nothing is too small (`sure`)."""
    s, tally = r.state[0], o.tally[0]
    s.sure = 0
    log = min(s.log_room - s.n_log - tally.records, s.value_room - s.n_values - tally.values)
    log = min(log, s.case_room - s.n_cases - 1)
    if log < 0:
        return FLUSH
    tables = min(s.heap_room - n_due(s), s.attempt_room - s.n_attempts, s.track_room - s.n_tracks) - more
    tables = min(tables, s.path_room - s.n_paths - more, s.after_room - s.end_after - tally.effects)
    tables = min(tables, s.family_room - s.n_families - 1)
    if k.settings[0].writes:
        tables = min(tables, s.letter_room - s.n_letters - tally.effects)
        tables = min(tables, s.parcel_room - s.n_parcels - tally.values)
    if k.settings[0].n_shared > 0:
        tables = min(tables, (s.sharer_room >> 1) - s.n_sharers - more)
    for line in range(k.settings[0].n_lines):
        tables = min(tables, s.queue_room - r.lines[line].n - more)
    if tables < 0:
        return TABLES
    if not has_block(r, r.cases[s.slot].member):
        return SLOTS
    s.sure = min(log // STEP_ROOM, tables // STEP_ROOM, (s.word_room - s.w_end) // s.most_words - 1)
    return DONE
