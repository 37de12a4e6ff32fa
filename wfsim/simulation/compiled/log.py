"""The log: what steps put out, and what follows from the course of a case (`wfsim.history.tracker`).

Memory that is written for the first time is most of what keeping a log costs, so its rows are narrow: what no kind of
record has together shares a place. Of transitions `node`, `part` and `round` are target, transition and flight, of all
others activity, its serial and attempt; of a timer that is ignored `node` and `part` are the timer and its id. `text`
is an error type or an event's id; `about` an event, the timer that fired or the activity that is undone; `which` a
message, the timer's id or an item's index. `moment` is when something is due, of a start its random key; `span` the
time in a state, or how long an attempt waited or took.
"""

from __future__ import annotations

from typing import Any

from wfsim.semantics.codes import (
    NONE,
    NUMBER,
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_CHILD_STARTED,
    R_ERROR_RAISED,
    R_EVENT_REJECTED,
    R_INSTANCE_CLOSED,
    R_MESSAGE_RETURNED,
    R_MESSAGE_SENT,
    R_STARTED,
    R_STATE_ENTERED,
    R_STATE_LEFT,
    R_STIMULUS_IGNORED,
    R_TIMER_FIRED,
    R_TRANSITION,
    R_TRANSITION_ABORTED,
    R_TRANSITION_STARTED,
    R_VARIABLES_SET,
    T_SELF,
)
from wfsim.semantics.later import njit
from wfsim.semantics.speed import bits_of
from wfsim.simulation.compiled.spots import enter, note_spot

_njit = njit(nogil=True, error_model="numpy")

OF_ATTEMPTS = (
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ACTIVITY_FAILED,
    R_ATTEMPT_TIMED_OUT,
    R_ACTIVITY_CANCELLED,
)
MOVES = (R_TRANSITION, R_TRANSITION_STARTED, R_TRANSITION_ABORTED)
ERRORS = (R_ACTIVITY_FAILED, R_ATTEMPT_TIMED_OUT, R_ERROR_RAISED)
MESSAGES = (R_MESSAGE_SENT, R_MESSAGE_RETURNED)


@_njit
def follow_attempt(r: Any, case: Any, record: Any, row: Any) -> None:
    """Times from scheduled to started, and from started to ended, of the attempt that a record tells of."""
    s = r.state[0]
    before, at = NONE, case.first_track
    while at >= 0 and r.tracks[at].serial != record.activity_id:
        before, at = at, r.tracks[at].next
    if record.kind == R_ACTIVITY_SCHEDULED:
        if at < 0:
            at = s.free_track
            s.free_track = r.tracks[at].next
            s.n_tracks += 1
            r.tracks[at].next = case.first_track
            case.first_track = at
        track = r.tracks[at]
        track.serial, track.attempt = record.activity_id, record.attempt
        track.scheduled, track.started = record.time, NONE
        return
    if at < 0 or r.tracks[at].attempt != record.attempt:
        return
    track = r.tracks[at]
    if record.kind == R_ACTIVITY_STARTED:
        if track.started < 0:
            track.started = record.time
            row.span = record.time - track.scheduled
        return
    if track.started >= 0:
        row.span = record.time - track.started
    if before < 0:
        case.first_track = track.next
    else:
        r.tracks[before].next = track.next
    track.next = s.free_track
    s.free_track = at
    s.n_tracks -= 1


@_njit
def path_after(r: Any, path: int, state: int) -> Any:
    """The path that follows another by a state."""
    s = r.state[0]
    mask = s.path_places - 1
    place = (path * 1_000_003 + state * 7_919) & mask
    while True:
        number = r.places[place]
        if number == 0:
            break
        known = r.paths[number]
        if known.before == path and known.state == state:
            return number
        place = (place + 1) & mask
    s.n_paths += 1
    number = s.n_paths
    r.places[place] = number
    r.paths[number].before, r.paths[number].state = path, state
    return number


@_njit
def follow_state(k: Any, r: Any, slot: int, record: Any, row: Any) -> None:
    """The time in the state that a record ends, and the path so far."""
    case, kind = r.cases[slot], record.kind
    enters = kind == R_STATE_ENTERED or (kind == R_TRANSITION and record.to_state >= 0)
    if record.region < 0 or not (enters or kind in (R_STATE_LEFT, R_INSTANCE_CLOSED)):
        return
    stay = r.stays[case.stays + record.region - k.p[case.first_row].first_region]
    if kind != R_STATE_ENTERED and stay.entered >= 0:
        row.span = record.time - stay.entered
        row.entered_seq = stay.entered_seq
        stay.entered = NONE
    if enters:
        stay.entered, stay.entered_seq, stay.current = record.time, record.seq, record.activation
        state = record.state if kind == R_STATE_ENTERED else record.to_state
        enter(k, r, case, state)
        if record.region == k.members[case.member].root:
            case.path = path_after(r, case.path, case.first_row + state)


@_njit
def log_records(k: Any, r: Any, o: Any, slot: int) -> Any:
    """Log what a step has put out; returns whether a variable may have another value, which its record tells."""
    s, case, tally = r.state[0], r.cases[slot], o.tally[0]
    for n in range(tally.records):
        record, row = o.records[n], r.log[s.n_log]
        s.n_log += 1
        kind = record.kind
        row.case, row.kind, row.seq, row.time, row.cause = case.number, kind, record.seq, record.time, record.cause
        row.region, row.state, row.reason, row.source = record.region, record.state, record.reason, record.source
        row.status, row.outcome, row.command = record.status, record.outcome, record.command
        row.activation, row.member = record.activation, case.member
        moves, fires = kind in MOVES, kind == R_TIMER_FIRED
        # No activity is told of what is ignored, but its serial.
        clock = kind == R_STIMULUS_IGNORED and record.timer >= 0
        row.node = record.to_state if moves else record.timer if clock else record.activity
        row.part = record.transition if moves else record.timer_id if clock else record.activity_id
        row.round = record.flight if moves else record.attempt
        row.text = record.error_type if kind in ERRORS else record.event_id
        row.about = record.timer if fires else record.undoes if kind == R_ACTIVITY_SCHEDULED else record.event
        row.which = record.timer_id if fires else record.message if kind in MESSAGES else record.index
        row.moment = record.key if kind == R_STARTED else record.due
        row.entered_seq, row.span = NONE, NONE
        if kind in OF_ATTEMPTS:
            follow_attempt(r, case, record, row)
        else:
            follow_state(k, r, slot, record, row)
            if kind == R_EVENT_REJECTED:
                n_reasons = k.settings[0].n_reasons
                event = case.first_row + case.member + record.event + 1
                r.rejected[event * n_reasons + min(record.reason, n_reasons - 1)] += 1
            elif kind == R_MESSAGE_SENT and record.source == T_SELF:
                s.n_sent += 1
        if kind in (R_ACTIVITY_SCHEDULED, R_CHILD_STARTED):
            note_spot(k, r, slot, record, r.spots[n])
        row.path = case.path
        case.seq = record.seq
    changed = False
    for n in range(tally.values):
        value, kept = o.values[n], r.values[s.n_values]
        s.n_values += 1
        kind = o.records[value.seq - o.records[0].seq].kind
        changed = changed or kind in (R_TRANSITION, R_VARIABLES_SET, R_STATE_LEFT)
        kept.case, kept.seq, kept.member = case.number, value.seq, case.member
        kept.name, kept.tag = value.name, value.tag
        kept.bits = bits_of(value.real) if value.tag == NUMBER else value.whole
    return changed
