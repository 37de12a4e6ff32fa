"""Rows of the log as the columns that a history keeps, in one pass over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from wfsim.semantics.addresses import given, reader
from wfsim.semantics.codes import (
    NONE,
    NUMBER,
    R_ACTIVITY_SCHEDULED,
    R_CONTROL_RECEIVED,
    R_STIMULUS_IGNORED,
    R_TIMER_FIRED,
)
from wfsim.semantics.roots import Root
from wfsim.simulation.compiled import layout, log
from wfsim.simulation.compiled.log import ERRORS, MOVES


class Logged(NamedTuple):
    """Rows of the log, the values that belong to them, where each goes, and what stands for each path and name."""

    log: Annotated[Any, layout.LOG]
    values: Annotated[Any, layout.LOGGED_VALUE]
    place: Annotated[Any, layout.NUMBER]
    value_place: Annotated[Any, layout.NUMBER]
    nodes: Annotated[Any, layout.NUMBER]
    regions: Annotated[Any, layout.NUMBER]
    states: Annotated[Any, layout.NUMBER]
    events: Annotated[Any, layout.NUMBER]
    activities: Annotated[Any, layout.NUMBER]
    transitions: Annotated[Any, layout.NUMBER]
    timers: Annotated[Any, layout.NUMBER]
    table: Any


class Spelled(NamedTuple):
    """The columns of `history.batch.Columns`: -1 is what a record does not have."""

    case: Annotated[Any, layout.NUMBER]
    seq: Annotated[Any, layout.NUMBER]
    time: Annotated[Any, layout.WHOLE]
    kind: Annotated[Any, layout.MARK]
    cause_seq: Annotated[Any, layout.NUMBER]
    region: Annotated[Any, layout.NUMBER]
    state: Annotated[Any, layout.NUMBER]
    to_state: Annotated[Any, layout.NUMBER]
    event: Annotated[Any, layout.NUMBER]
    event_id: Annotated[Any, layout.NUMBER]
    activity: Annotated[Any, layout.NUMBER]
    transition_or_activity_id: Annotated[Any, layout.NUMBER]
    flight_or_attempt: Annotated[Any, layout.NUMBER]
    clock_or_error_type: Annotated[Any, layout.NUMBER]
    status: Annotated[Any, layout.MARK]
    outcome_or_command: Annotated[Any, layout.MARK]
    reason: Annotated[Any, layout.NUMBER]
    compensates_or_activation: Annotated[Any, layout.NUMBER]
    timer_or_entered_seq: Annotated[Any, layout.NUMBER]
    timer_id_message_id_or_index: Annotated[Any, layout.NUMBER]
    due_or_key: Annotated[Any, layout.WHOLE]
    source: Annotated[Any, layout.NUMBER]
    dwell_wait_or_service: Annotated[Any, layout.WHOLE]
    path: Annotated[Any, layout.NUMBER]
    table: Any


class SpelledValues(NamedTuple):
    """Values: the place of the record that each belongs to, and what is in a cell, of `real` its bits."""

    record: Annotated[Any, layout.NUMBER]
    name: Annotated[Any, layout.NUMBER]
    tag: Annotated[Any, layout.SMALL]
    whole: Annotated[Any, layout.WHOLE]
    real: Annotated[Any, layout.WHOLE]
    table: Any


_logged, _spelled, _values = map(reader, (Logged, Spelled, SpelledValues))


def spell(logged: Any, spelled: Any, values: Any, n_rows: int, n_values: int) -> None:
    """Put each of some rows, and of the values that belong to them, into the columns at its place.

    Both lie by case, the rows of a case in order.
    """
    g, t, v = _logged(logged), _spelled(spelled), _values(values)
    for n in range(n_rows):
        row, at = g.log[n], g.place[n]
        kind = row.kind
        t.case[at], t.seq[at], t.time[at], t.kind[at], t.cause_seq[at] = row.case, row.seq, row.time, kind, row.cause
        t.region[at] = g.regions[row.region] if row.region >= 0 else NONE
        t.state[at] = g.states[row.state] if row.state >= 0 else NONE
        t.reason[at], t.source[at], t.path[at] = row.reason, row.source, g.nodes[row.path]
        moves, fires, schedules = kind in MOVES, kind == R_TIMER_FIRED, kind == R_ACTIVITY_SCHEDULED
        ignored = kind == R_STIMULUS_IGNORED and row.node >= 0
        others = not moves and not ignored
        t.to_state[at] = g.states[row.node] if moves and row.node >= 0 else NONE
        t.activity[at] = g.activities[row.node] if others and row.node >= 0 else NONE
        t.event[at] = NONE if fires or schedules or row.about < 0 else g.events[row.about]
        part = g.transitions[row.part] if moves and row.part >= 0 else row.part
        t.transition_or_activity_id[at] = NONE if ignored else part
        t.flight_or_attempt[at] = row.round if moves or row.round > 0 else NONE
        errors = kind in ERRORS
        t.event_id[at] = NONE if errors else row.text
        outcome = row.outcome if row.outcome > 0 else NONE
        t.status[at], t.outcome_or_command[at] = row.status, row.command if kind == R_CONTROL_RECEIVED else outcome
        timer = row.node if ignored else row.about if fires else NONE
        t.clock_or_error_type[at] = g.timers[timer] if timer >= 0 else row.text if errors else NONE
        t.timer_or_entered_seq[at] = timer if timer >= 0 else row.entered_seq
        t.timer_id_message_id_or_index[at] = row.part if ignored else row.which
        t.compensates_or_activation[at] = row.about if schedules else row.activation
        t.due_or_key[at], t.dwell_wait_or_service[at] = row.moment, row.span
    r = 0
    for n in range(n_values):
        value, at = g.values[n], g.value_place[n]
        # Nearly always the same record or one of the next; it is among them.
        while g.log[r].case < value.case or (g.log[r].case == value.case and g.log[r].seq < value.seq):
            r += 1
        while g.log[r].case == value.case and g.log[r].seq > value.seq:
            r -= 1
        v.record[at], v.name[at], v.tag[at] = g.place[r], value.name, value.tag
        real = value.tag == NUMBER
        v.whole[at], v.real[at] = 0 if real else value.bits, value.bits if real else 0


SPELL = Root(spell, {}, {layout: {}, log: {}})


def _arguments(logged: Logged, spelled: Spelled, values: SpelledValues) -> tuple[Any, ...]:
    return given(logged), given(spelled), given(values), len(logged.log), len(logged.values)


_NOTHING = _arguments(layout.empty(Logged, 0), layout.empty(Spelled, 0), layout.empty(SpelledValues, 0))


def is_ready() -> bool:
    """Whether nothing need be compiled for it."""
    return SPELL.is_loaded or SPELL.is_cached(_NOTHING)


def make_ready() -> None:
    """Have it compiled, which takes two seconds, if it is not."""
    SPELL.ready(_NOTHING)


def columns(
    parts: Sequence[tuple[Any, Any]], places: Any, value_places: Any, nodes: Any, names: Mapping[str, Any]
) -> tuple[Spelled, SpelledValues]:
    """Rows of the log, and the values that belong to them, as columns.

    Parameters
    ----------
    parts
        Rows of `layout.LOG` by case, those of a case in order, and of `LOGGED_VALUE`.
    places, value_places
        Where the rows of the first part go, then those of the second, and so on.
    nodes
        What stands for each path.
    names
        What stands for each row of the program, by the field of `Logged`.
    """
    spelled, values = layout.empty(Spelled, len(places)), layout.empty(SpelledValues, len(value_places))
    first = first_value = 0
    for rows, kept in parts:
        end, end_value = first + len(rows), first_value + len(kept)
        arrays = {
            "log": rows,
            "values": kept,
            "place": places[first:end],
            "value_place": value_places[first_value:end_value],
            "nodes": nodes,
            **names,
        }
        # What is called gets the address of its table: it must last until then.
        logged = layout.with_table(Logged, arrays)
        SPELL(*_arguments(logged, spelled, values))
        first, first_value = end, end_value
    return spelled, values
