"""The log: what steps put out, and what follows from the course of a case (`wfsim.history.tracker`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from wfsim.semantics.codes import (
    NONE,
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_EVENT_REJECTED,
    R_INSTANCE_CLOSED,
    R_MESSAGE_SENT,
    R_STATE_ENTERED,
    R_STATE_LEFT,
    R_TRANSITION,
    T_SELF,
)

_njit: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True, error_model="numpy")

_OF_ATTEMPTS = (
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ACTIVITY_FAILED,
    R_ATTEMPT_TIMED_OUT,
    R_ACTIVITY_CANCELLED,
)


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
            row.wait = record.time - track.scheduled
        return
    if track.started >= 0:
        row.service = record.time - track.started
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
        row.dwell = record.time - stay.entered
        row.entered_seq = stay.entered_seq
        stay.entered = NONE
    if enters:
        stay.entered, stay.entered_seq, stay.current = record.time, record.seq, record.activation
        if record.region == k.members[case.member].root:
            state = record.state if kind == R_STATE_ENTERED else record.to_state
            case.path = path_after(r, case.path, case.first_row + state)


@_njit
def log_records(k: Any, r: Any, o: Any, slot: int) -> None:
    """Log what a step has put out."""
    s, case, tally = r.state[0], r.cases[slot], o.tally[0]
    for n in range(tally.records):
        record, row = o.records[n], r.log[s.n_log]
        s.n_log += 1
        kind = record.kind
        row.case, row.kind, row.seq, row.time, row.cause = case.number, kind, record.seq, record.time, record.cause
        row.region, row.state, row.to_state = record.region, record.state, record.to_state
        row.event, row.event_id, row.activity = record.event, record.event_id, record.activity
        row.activity_id, row.attempt, row.error_type = record.activity_id, record.attempt, record.error_type
        row.status, row.outcome, row.reason = record.status, record.outcome, record.reason
        row.transition, row.flight, row.activation = record.transition, record.flight, record.activation
        row.timer, row.timer_id, row.due, row.delay = record.timer, record.timer_id, record.due, record.delay
        row.source, row.command, row.undoes = record.source, record.command, record.undoes
        row.index, row.message, row.key = record.index, record.message, record.key
        row.entered_seq, row.dwell, row.wait, row.service = NONE, NONE, NONE, NONE
        if kind in _OF_ATTEMPTS:
            follow_attempt(r, case, record, row)
        else:
            follow_state(k, r, slot, record, row)
            if kind == R_EVENT_REJECTED:
                n_reasons = k.settings[0].n_reasons
                event = case.first_row + case.member + record.event + 1
                r.rejected[event * n_reasons + min(record.reason, n_reasons - 1)] += 1
                s.n_rejected += 1
            elif kind == R_MESSAGE_SENT and record.source == T_SELF:
                s.n_sent += 1
        row.path, row.member = case.path, case.member
        case.seq = record.seq
    seq = position = NONE
    for n in range(tally.values):
        value, kept = o.values[n], r.values[s.n_values]
        s.n_values += 1
        position = position + 1 if value.seq == seq else 0
        seq = value.seq
        kept.case, kept.seq, kept.position, kept.member = case.number, value.seq, position, case.member
        kept.name, kept.tag, kept.whole, kept.real = value.name, value.tag, value.whole, value.real
