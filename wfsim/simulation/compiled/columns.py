"""Rows of the log as columns, in one pass over them: what shares a place there (`log`) has its own here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from wfsim.semantics.addresses import given, reader
from wfsim.semantics.codes import (
    NONE,
    NUMBER,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_RETRY_SCHEDULED,
    R_STARTED,
    R_STIMULUS_IGNORED,
    R_TIMER_FIRED,
)
from wfsim.semantics.roots import Root
from wfsim.simulation.compiled import layout, log
from wfsim.simulation.compiled.log import ERRORS, MESSAGES, MOVES, OF_ATTEMPTS


class Logged(NamedTuple):
    """Rows of the log, the values that belong to them, where each goes, and what stands for each path."""

    log: Annotated[Any, layout.LOG]
    values: Annotated[Any, layout.LOGGED_VALUE]
    place: Annotated[Any, layout.NUMBER]
    value_place: Annotated[Any, layout.NUMBER]
    nodes: Annotated[Any, layout.NUMBER]
    table: Any


class Spelled(NamedTuple):
    """The fields of `semantics.layout.RecordRow`, with `case` and what follows from its course.

    They are as wide as the log has them; what a record does not have is -1, or 0 as in a fresh `RecordRow`.
    """

    case: Annotated[Any, layout.NUMBER]
    seq: Annotated[Any, layout.NUMBER]
    time: Annotated[Any, layout.WHOLE]
    kind: Annotated[Any, layout.MARK]
    cause: Annotated[Any, layout.NUMBER]
    region: Annotated[Any, layout.NUMBER]
    state: Annotated[Any, layout.NUMBER]
    to_state: Annotated[Any, layout.NUMBER]
    event: Annotated[Any, layout.NUMBER]
    event_id: Annotated[Any, layout.NUMBER]
    activity: Annotated[Any, layout.NUMBER]
    activity_id: Annotated[Any, layout.NUMBER]
    attempt: Annotated[Any, layout.NUMBER]
    error_type: Annotated[Any, layout.NUMBER]
    status: Annotated[Any, layout.MARK]
    outcome: Annotated[Any, layout.MARK]
    reason: Annotated[Any, layout.NUMBER]
    transition: Annotated[Any, layout.NUMBER]
    flight: Annotated[Any, layout.NUMBER]
    activation: Annotated[Any, layout.NUMBER]
    timer: Annotated[Any, layout.NUMBER]
    timer_id: Annotated[Any, layout.NUMBER]
    due: Annotated[Any, layout.WHOLE]
    delay: Annotated[Any, layout.WHOLE]
    source: Annotated[Any, layout.NUMBER]
    command: Annotated[Any, layout.MARK]
    undoes: Annotated[Any, layout.NUMBER]
    index: Annotated[Any, layout.NUMBER]
    message: Annotated[Any, layout.NUMBER]
    key: Annotated[Any, layout.WHOLE]
    entered_seq: Annotated[Any, layout.NUMBER]
    dwell: Annotated[Any, layout.WHOLE]
    wait: Annotated[Any, layout.WHOLE]
    service: Annotated[Any, layout.WHOLE]
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
        t.case[at], t.seq[at], t.time[at], t.kind[at], t.cause[at] = row.case, row.seq, row.time, kind, row.cause
        t.region[at], t.state[at], t.reason[at], t.source[at] = row.region, row.state, row.reason, row.source
        t.status[at], t.outcome[at], t.command[at] = row.status, row.outcome, row.command
        t.activation[at], t.entered_seq[at], t.path[at] = row.activation, row.entered_seq, g.nodes[row.path]
        moves, fires, schedules = kind in MOVES, kind == R_TIMER_FIRED, kind == R_ACTIVITY_SCHEDULED
        clock = kind == R_STIMULUS_IGNORED and row.node >= 0
        others = not moves and not clock
        t.to_state[at], t.activity[at] = row.node if moves else NONE, row.node if others else NONE
        t.transition[at], t.activity_id[at] = row.part if moves else NONE, row.part if others else NONE
        t.flight[at], t.attempt[at] = row.round if moves else NONE, 0 if moves else row.round
        errors, messages = kind in ERRORS, kind in MESSAGES
        t.event_id[at], t.error_type[at] = NONE if errors else row.text, row.text if errors else NONE
        t.event[at] = NONE if fires or schedules else row.about
        t.undoes[at] = row.about if schedules else NONE
        t.timer[at] = row.node if clock else row.about if fires else NONE
        t.timer_id[at] = row.part if clock else row.which if fires else NONE
        t.message[at] = row.which if messages else NONE
        t.index[at] = NONE if messages or fires else row.which
        starts, waits, attempts = kind == R_STARTED, kind == R_ACTIVITY_STARTED, kind in OF_ATTEMPTS
        delayed = kind == R_RETRY_SCHEDULED or (kind == R_ACTIVITY_FAILED and row.moment >= 0)
        t.key[at], t.due[at] = row.moment if starts else 0, NONE if starts else row.moment
        t.delay[at] = row.moment - row.time if delayed else NONE
        t.dwell[at] = NONE if attempts else row.span
        t.wait[at] = row.span if waits else NONE
        t.service[at] = row.span if attempts and not waits else NONE
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
    parts: Sequence[tuple[Any, Any]], places: Any, value_places: Any, nodes: Any
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
        }
        # What is called gets the address of its table: it must last until then.
        logged = layout.with_table(Logged, arrays)
        SPELL(*_arguments(logged, spelled, values))
        first, first_value = end, end_value
    return spelled, values
