"""When the next instance comes, and with what, as `wfsim.simulation.arriving` and `relations` say it.

Times by a law, and those of a closed population, are drawn here; those of traces and schedules Python supplies, some
hundred at once (`Run.coming`), a trace with its inputs (`Run.given`). Instances of a schedule start as its `overlap`
says: it knows who was started last, and who waits for that to close.
"""

from __future__ import annotations

import math
from typing import Any

from wfsim.semantics.addresses import rows_from
from wfsim.semantics.codes import ABSENT, NONE
from wfsim.semantics.draws import ARRIVAL, BATCH_SIZE, INPUT
from wfsim.semantics.later import njit
from wfsim.semantics.speed import keep_cell
from wfsim.simulation.calendar import Order
from wfsim.simulation.compiled.calendar import push
from wfsim.simulation.compiled.cases import begin_case, free_slot
from wfsim.simulation.compiled.draws import fill_value, sample, unique_of, whole
from wfsim.simulation.compiled.layout import ARRIVES, SKIPS, STARTS_ALL
from wfsim.simulation.compiled.returns import DONE, SLOTS, STANDS_STILL, SUPPLY, TABLES, UNIQUES

_njit = njit(nogil=True, error_model="numpy")
_apart = njit(nogil=True, error_model="numpy", apart=True)

draw: Any = None
mix_key: Any = None
"""Compiled functions of the kernel, which `roots` puts here where the calendar has to be compiled."""

SUPPLIED = 512
"""So many arrivals are supplied at once; as many more are kept, since the last of those is still to come."""
LOST = -2
"""In place of who was started last by a schedule, if that was given up: it is never known to close."""
TOO_OFTEN, BROKEN = 1, 2
"""Why arrivals end with an error: a member of a population has come as often as can be numbered, or Python knows."""

_EVENT = int(Order.EVENT)


# --- when --------------------------------------------------------------------------------------------------


@_njit
def time_of(k: Any, given: Any, expected: float) -> Any:
    """When so many are expected to have come, where rates change (`Pace.time_of`)."""
    n, begins, sums = given.n_pieces, given.first_piece, given.first_piece + given.n_pieces
    past = 0.0
    if given.period > 0.0:
        n_periods = math.floor(expected / given.total)
        past = n_periods * given.period
        expected = max(0.0, expected - n_periods * given.total)
    elif expected >= given.total:
        return math.inf
    which = n - 1
    while which > 0 and k.numbers[sums + which] > expected:
        which -= 1
    return past + (k.numbers[begins + which] + (expected - k.numbers[sums + which]) / k.numbers[sums + n + which])


@_njit
def next_by_law(k: Any, r: Any, which: int) -> Any:
    """When the next instance of a stream comes whose times follow a law; -1 if none does."""
    given, stream, now = k.streams[which], r.streams[which], r.state[0].now
    if stream.n_together > 0:
        stream.n_together -= 1
        return now
    stream.n_drawn += 1
    stream.moment += sample(k, given.interval, draw(given.key, ARRIVAL, stream.n_drawn, 0))
    moment = stream.moment
    if given.n_pieces > 0:
        moment = time_of(k, given, moment)
        if moment == math.inf:
            return NONE
    if given.batch >= 0:
        stream.n_together = int(sample(k, given.batch, draw(given.key, BATCH_SIZE, stream.n_drawn, 0))) - 1
    # At the end of a period a rounding may go back.
    return max(now, whole(moment))


@_njit
def next_arrival(k: Any, r: Any, which: int) -> None:
    """Put the next arrival of a stream into the calendar, unless there is none."""
    given, stream, s = k.streams[which], r.streams[which], r.state[0]
    n, schedule = stream.n_taken, NONE
    time = NONE
    if given.limit >= 0 and n >= given.limit:
        time = NONE
    elif given.supplied:
        if n < stream.n_supplied:
            row = r.coming[given.first_coming + n % (2 * SUPPLIED)]
            time, schedule = row.time, row.schedule
        elif stream.ends == BROKEN:
            s.failed, s.stream = BROKEN, which
            return
    elif given.interval >= 0:
        time = next_by_law(k, r, which)
    elif given.population > 0:
        time = thinks(k, which, n + 1) if n < given.population else NONE
    elif n < given.n_times:
        time = k.times[given.first_time + n]
    if time < 0:
        if which == 0 and not (given.population > 0 and stream.n_pending > 0):
            s.root_has_come = 1
        return
    expect(k, r, which, n + 1, time, schedule)


@_njit
def expect(k: Any, r: Any, which: int, number: int, time: int, schedule: int) -> None:
    """An arrival of a stream will come at a time, unless that is after the horizon."""
    stream, horizon = r.streams[which], k.settings[0].horizon
    stream.n_taken += 1
    stream.n_pending += 1
    if horizon < 0 or time <= horizon:
        push(r, time, _EVENT, ARRIVES, NONE, 0, (number, which, schedule, 0))


@_njit
def thinks(k: Any, which: int, number: int) -> Any:
    """How long a member of a closed population thinks before an arrival."""
    given = k.streams[which]
    return whole(sample(k, given.think, draw(given.key, ARRIVAL, number, 0)))


@_apart
def come_again(k: Any, r: Any, which: int, number: int) -> None:
    """A member of a closed population begins to think, after an arrival of his."""
    given, stream, s = k.streams[which], r.streams[which], r.state[0]
    if given.limit >= 0 and stream.n_taken >= given.limit:
        if which == 0 and stream.n_pending == 0:
            s.root_has_come = 1
        return
    following = number + given.population
    if following >= k.settings[0].first_child:
        s.failed, s.stream, s.holder = TOO_OFTEN, which, following
        return
    expect(k, r, which, following, s.now + thinks(k, which, following), NONE)


@_apart
def begin_arrivals(k: Any, r: Any) -> None:
    """Put the first arrivals of each stream into the calendar."""
    for which in range(k.settings[0].n_streams):
        for _ in range(max(1, k.streams[which].population)):
            next_arrival(k, r, which)
            if r.state[0].failed:
                return


@_njit
def lacks_supply(k: Any, r: Any, which: int) -> Any:
    """Whether Python has to supply what comes next."""
    given, stream = k.streams[which], r.streams[which]
    return given.supplied and not stream.ends and stream.n_taken >= stream.n_supplied


# --- who is due --------------------------------------------------------------------------------------------


@_njit
def lacks_for(k: Any, r: Any, coming: Any) -> Any:
    """What is lacking before an arrival may come, or `DONE`."""
    s, which = r.state[0], coming.b
    given, stream = k.streams[which], r.streams[which]
    s.stream = which
    if given.n_uniques > 0 and coming.a >= stream.uniques_end:
        return UNIQUES
    if lacks_supply(k, r, which):
        return SUPPLY
    if given.end_schedule > given.first_schedule and s.n_late >= s.late_room:
        return TABLES
    slot = free_slot(k, r, given.member)
    if slot < 0:
        return SLOTS
    # Who comes takes it again.
    r.cases[slot].next = r.free[given.member]
    r.free[given.member] = slot
    return DONE


@_apart
def stands_still(k: Any, r: Any, which: int) -> Any:
    """Whether a closed population comes ever again at one moment (`Relations`)."""
    s, given = r.state[0], k.streams[which]
    s.n_came = s.n_came + 1 if s.now == s.last_came else 1
    s.last_came = s.now
    return s.n_came > given.population + k.settings[0].most_at_once


@_njit
def may_start(k: Any, r: Any, entry: Any) -> Any:
    """Whether the schedule of an arrival lets it start now; if not, it is counted, and waits if it is to."""
    if entry.c < 0:
        return True
    overlap, schedule = k.schedules[entry.c].overlap, r.schedules[entry.c]
    last = schedule.last
    is_open = last == LOST or (last >= 0 and r.cases[last].epoch == schedule.epoch and r.cases[last].open)
    if not is_open or overlap == STARTS_ALL:
        return True
    if overlap == SKIPS:
        schedule.n_skipped += 1
        return False
    schedule.n_queued += 1
    s = r.state[0]
    at = s.free_late
    row = r.late[at]
    s.free_late = row.next
    s.n_late += 1
    row.number, row.next = entry.a, NONE
    if schedule.last_late < 0:
        schedule.first_late = at
    else:
        r.late[schedule.last_late].next = at
    schedule.last_late = at
    return False


@_njit
def arrive(k: Any, r: Any) -> Any:
    """An arrival is due: `DONE` if it comes, or `STANDS_STILL`; -1 if nothing comes of it."""
    s, entry, settings = r.state[0], r.now[0], k.settings[0]
    which = entry.b
    given, stream = k.streams[which], r.streams[which]
    if given.population > 0 and stands_still(k, r, which):
        return STANDS_STILL
    if which > 0 and s.root_has_come and given.limit < 0 and settings.horizon < 0:
        # Otherwise the run would never end.
        return NONE
    stream.n_pending -= 1
    if not may_start(k, r, entry):
        follow_arrival(k, r)
        return NONE
    return DONE


@_njit
def follow_arrival(k: Any, r: Any) -> None:
    """What comes next, once an arrival has taken its first step or cannot."""
    entry = r.now[0]
    given, stream = k.streams[entry.b], r.streams[entry.b]
    if entry.d == 0 and (given.population == 0 or (given.limit >= 0 and stream.n_taken >= given.limit)):
        next_arrival(k, r, entry.b)


@_njit
def let_come(k: Any, r: Any) -> Any:
    """A fresh instance for an arrival, with its inputs; returns its slot."""
    entry, settings, s = r.now[0], k.settings[0], r.state[0]
    which, number = entry.b, entry.a
    given = k.streams[which]
    slot = free_slot(k, r, given.member)
    key = mix_key(settings.seed, settings.replication, number) if which == 0 else mix_key(given.key, 0, number)
    begin_case(k, r, slot, number if which == 0 else settings.first_child + s.n_others, key, key)
    case, cells = r.cases[slot], r.areas[given.member].v
    case.stream, case.came = which, number
    for value in range(given.first_input, given.end_input):
        fill_value(k, r, value, cells, (key, INPUT, 0, 0), number)
    if given.supplied:
        if entry.c >= 0:
            told = rows_from(k.cells, k.schedules[entry.c].first_cell)
        else:
            told = rows_from(r.given, given.first_given + (number - 1) % (2 * SUPPLIED) * given.n_places)
        for place in range(given.n_places):
            if told[place].tag != ABSENT:
                keep_cell(told[place], r.v[cells + k.places[given.first_place + place]])
    if given.names >= 0:
        case.name = unique_of(r, given.names, number)
    return slot


@_njit
def is_bad(k: Any, r: Any) -> Any:
    """Whether what a trace or a schedule gives an arrival can be no input."""
    entry = r.now[0]
    given = k.streams[entry.b]
    if not given.supplied:
        return False
    if entry.c >= 0:
        return k.schedules[entry.c].bad != 0
    return r.coming[given.first_coming + (entry.a - 1) % (2 * SUPPLIED)].bad != 0


@_njit
def has_started(r: Any, slot: int) -> None:
    """A schedule knows whom it has started last."""
    schedule = r.now[0].c
    if schedule >= 0:
        r.schedules[schedule].last, r.schedules[schedule].epoch = slot, r.cases[slot].epoch


@_apart
def release(k: Any, r: Any, slot: int) -> None:
    """An instance that came from outside closes: who waits for that comes now, or it comes again."""
    s, case = r.state[0], r.cases[slot]
    given = k.streams[case.stream]
    for which in range(given.first_schedule, given.end_schedule):
        schedule = r.schedules[which]
        at = schedule.first_late
        if schedule.last == slot and schedule.epoch == case.epoch and at >= 0:
            row = r.late[at]
            schedule.first_late = row.next
            if row.next < 0:
                schedule.last_late = NONE
            push(r, s.now, _EVENT, ARRIVES, NONE, 0, (row.number, case.stream, which, 1))
            row.next = s.free_late
            s.free_late = at
            s.n_late -= 1
            r.streams[case.stream].n_pending += 1
            break
    if given.population > 0:
        come_again(k, r, case.stream, case.came)


@_apart
def lose(k: Any, r: Any, slot: int) -> None:
    """An instance that came from outside is given up, and is never known to close."""
    case = r.cases[slot]
    given = k.streams[case.stream]
    for which in range(given.first_schedule, given.end_schedule):
        schedule = r.schedules[which]
        if schedule.last == slot and schedule.epoch == case.epoch:
            schedule.last = LOST
