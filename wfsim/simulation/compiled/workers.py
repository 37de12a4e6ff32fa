"""Attempts and the workers who make them: who is served, and who waits in which order."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.codes import NONE
from wfsim.semantics.draws import ATTEMPT_FAILURE, DURATION, FAULT_TIME, PATIENCE, SECOND_DURATION, TWICE
from wfsim.semantics.later import njit
from wfsim.simulation.calendar import Order
from wfsim.simulation.compiled.calendar import push
from wfsim.simulation.compiled.crews import NEVER, begin_work, done, end_work, first_free, ready
from wfsim.simulation.compiled.draws import sample, whole
from wfsim.simulation.compiled.layout import AGAIN, ENDS, KEEPS_NOBODY, OPENS, STARTS
from wfsim.simulation.compiled.spots import key_of
from wfsim.simulation.compiled.turns import take_turn
from wfsim.simulation.plans import NEVER_ENDS, SUCCEEDS
from wfsim.simulation.pools import NEVER_DUE, SPARE_REQUESTS, Discipline

_njit = njit(nogil=True, error_model="numpy")

draw: Any = None
"""A compiled function of the kernel, which `roots` puts here where the calendar has to be compiled."""

_CONTROL, _RESULT = int(Order.CONTROL), int(Order.RESULT)
_LIFO, _PRIORITY, _DEADLINE = int(Discipline.LIFO), int(Discipline.PRIORITY), int(Discipline.DEADLINE)
_FAIR = int(Discipline.FAIR)


@_njit
def attempt_of(r: Any, slot: int, serial: int, attempt: int) -> Any:
    """The row of an attempt that is under way, or -1."""
    at = r.cases[slot].first_attempt
    while at >= 0:
        row = r.attempts[at]
        if row.serial == serial and row.attempt == attempt:
            return at
        at = row.next
    return NONE


@_njit
def is_under_way(r: Any, entry: Any) -> Any:
    """Whether the attempt of an entry of the calendar has not ended, or even waits, where that matters."""
    at = attempt_of(r, entry.slot, entry.a, entry.b)
    return at >= 0 and (entry.d == 0 or r.attempts[at].waits == 1)


@_njit
def is_before(one: Any, other: Any) -> Any:
    """Whether a waiting attempt is served before another: by rank, then by arrival."""
    if one.rank != other.rank:
        return one.rank < other.rank
    return one.ticket < other.ticket


@_njit
def queue_up(r: Any, number: int, rank: int, ticket: int, at: int) -> None:
    """Put an attempt into a line."""
    line, first = r.lines[number], number * r.state[0].queue_room
    i = line.n
    line.n += 1
    last = r.queued[first + i]
    last.rank, last.ticket, last.attempt = rank, ticket, at
    while i > 0:
        above = (i - 1) >> 1
        if not is_before(r.queued[first + i], r.queued[first + above]):
            break
        swap(r, first + i, first + above)
        i = above


@_njit
def still_waits(r: Any, queued: Any) -> Any:
    """Whether the attempt of an entry waits; who has left the queue has left his entry behind."""
    return r.attempts[queued.attempt].waits == 1 and r.attempts[queued.attempt].ticket == queued.ticket


@_njit
def wait_in(k: Any, r: Any, at: int) -> None:
    """Let an attempt wait for a worker of its pool."""
    s, row = r.state[0], r.attempts[at]
    work = k.works[row.activity]
    queue, line, first = r.queues[row.pool], r.lines[work.line], work.line * s.queue_room
    if line.n > 2 * queue.waiting + SPARE_REQUESTS:
        n, line.n = line.n, 0
        for i in range(n):
            queued = r.queued[first + i]
            if still_waits(r, queued):
                queue_up(r, work.line, queued.rank, queued.ticket, queued.attempt)
    s.tickets += 1
    discipline, rank = k.pools[row.pool].discipline, 0
    if discipline == _LIFO:
        rank = -s.tickets
    elif discipline == _PRIORITY:
        rank = -work.priority
    elif discipline == _DEADLINE:
        rank = s.now + work.limit if work.limit >= 0 else NEVER_DUE
    elif discipline == _FAIR:
        rank = take_turn(k, r, row)
    row.waits = 1
    row.ticket = s.tickets
    queue.waiting += 1
    queue_up(r, work.line, rank, s.tickets, at)


@_njit
def swap(r: Any, i: int, j: int) -> None:
    """Exchange two waiting attempts."""
    one, other = r.queued[i], r.queued[j]
    rank, ticket, attempt = one.rank, one.ticket, one.attempt
    one.rank, one.ticket, one.attempt = other.rank, other.ticket, other.attempt
    other.rank, other.ticket, other.attempt = rank, ticket, attempt


@_njit
def drop_first(r: Any, number: int) -> None:
    """Take the first entry out of a line; it lies behind its end then."""
    line, first = r.lines[number], number * r.state[0].queue_room
    line.n -= 1
    n = line.n
    swap(r, first, first + n)
    i = 0
    while True:
        best = 2 * i + 1
        if best >= n:
            break
        if best + 1 < n and is_before(r.queued[first + best + 1], r.queued[first + best]):
            best += 1
        if not is_before(r.queued[first + best], r.queued[first + i]):
            break
        swap(r, first + i, first + best)
        i = best


@_njit
def has_head(r: Any, number: int) -> Any:
    """Whether somebody waits in a line; its first entry waits then."""
    line, first = r.lines[number], number * r.state[0].queue_room
    while line.n > 0 and not still_waits(r, r.queued[first]):
        drop_first(r, number)
    return line.n > 0


@_njit
def next_line(k: Any, r: Any, pool: int) -> Any:
    """The line whose first is served next, and the worker who is free for it; -1 if there is none."""
    best, worker, room, given = NONE, NONE, r.state[0].queue_room, k.pools[pool]
    if r.queues[pool].waiting == 0:
        return best, worker
    for line in range(given.first_line, given.end_line):
        if has_head(r, line) and (best < 0 or is_before(r.queued[line * room], r.queued[best * room])):
            found = free_worker(k, r, pool, k.lines[line].needs)
            if found >= 0:
                best, worker = line, found
    return best, worker


@_njit
def request(k: Any, r: Any, slot: int, effect: Any, spot: Any) -> None:
    """An attempt is to be made: a worker takes it, or it waits. `spot` is where is drawn for it."""
    s, case = r.state[0], r.cases[slot]
    serial, attempt, activity = effect.activity_id, effect.attempt, case.first_row + effect.activity
    work = k.works[activity]
    at = s.free_attempt
    row = r.attempts[at]
    s.free_attempt = row.next
    s.n_attempts += 1
    row.slot, row.serial, row.attempt = slot, serial, attempt
    row.activity, row.pool, row.waits, row.next = activity, work.pool, 0, NONE
    row.name, row.nth = spot.name, spot.nth
    if case.first_attempt < 0:
        case.first_attempt = at
    else:
        last = case.first_attempt
        while r.attempts[last].next >= 0:
            last = r.attempts[last].next
        r.attempts[last].next = at
    if work.pool >= 0:
        queue, pool = r.queues[work.pool], k.pools[work.pool]
        look(r, queue)
        if queue.held > 0:
            own = own_worker(k, r, slot, work.pool, k.lines[work.line].needs)
            if own >= 0:
                take_own(r, slot, row, own)
                return
        worker = free_worker(k, r, work.pool, k.lines[work.line].needs)
        if worker < 0 or next_line(k, r, work.pool)[0] >= 0:
            if pool.queue_limit >= 0 and queue.waiting >= pool.queue_limit:
                # It neither has a worker nor waits for one.
                row.pool = NONE
                push(r, s.now, _RESULT, ENDS, slot, case.epoch, (serial, attempt, work.n_failures, 0))
                return
            wait_in(k, r, at)
            if pool.patience >= 0:
                u = draw(key_of(k, case, spot.name), PATIENCE, spot.nth, attempt)
                gives_up = s.now + whole(sample(k, pool.patience, u))
                push(r, gives_up, _RESULT, ENDS, slot, case.epoch, (serial, attempt, work.n_failures + 1, 1))
            expect_opening(k, r, work.pool)
            return
        if pool.discipline == _FAIR:
            queue.virtual = take_turn(k, r, row)
        take_worker(k, r, row, worker)
    push(r, s.now, _RESULT, STARTS, slot, case.epoch, (serial, attempt, 0, 0))


@_njit
def token_from(queue: Any, given: Any) -> Any:
    """From when on there is a token (`pools.Bucket.ready`)."""
    return queue.full + (1 if queue.part > 0 else 0) - given.ahead


@_njit
def free_worker(k: Any, r: Any, pool: int, needs: int) -> Any:
    """A worker who can take work now that needs these skills, or -1; where all are alike nobody asks which."""
    queue, given = r.queues[pool], k.pools[pool]
    if queue.busy >= queue.capacity or (given.number > 0 and token_from(queue, given) > r.state[0].now):
        return NONE
    return 0 if given.first_worker < 0 else first_free(k, r, given, queue.capacity, needs)


@_njit
def take_worker(k: Any, r: Any, row: Any, worker: int) -> None:
    """A free worker takes an attempt."""
    row.worker = worker
    queue, given = r.queues[row.pool], k.pools[row.pool]
    queue.busy += 1
    if given.number > 0:
        if token_from(queue, given) + given.ahead < r.state[0].now:
            queue.full, queue.part = r.state[0].now, 0
        queue.full += (queue.part + given.unit) // given.number
        queue.part = (queue.part + given.unit) % given.number
    if given.first_worker >= 0:
        begin_work(r, given, worker)


@_njit
def look(r: Any, queue: Any) -> None:
    """Know how many workers there are now."""
    while queue.next_change < queue.end_change and r.shifts[queue.next_change].time <= r.state[0].now:
        queue.capacity = r.shifts[queue.next_change].capacity
        queue.next_change += 1


@_njit
def expect_opening(k: Any, r: Any, pool: int) -> None:
    """Put into the calendar when more workers come for those who wait, if that is not known already."""
    s, queue, given = r.state[0], r.queues[pool], k.pools[pool]
    plain = given.first_worker < 0 and given.number == 0
    never = queue.end_change == 0 and plain
    if never or queue.waiting == 0 or queue.busy >= given.capacity:
        return
    time, capacity, at = s.now, queue.capacity, queue.next_change
    while capacity <= queue.busy:
        if at == queue.end_change:
            return
        time, capacity = r.shifts[at].time, r.shifts[at].capacity
        at += 1
    if given.number > 0:
        time = max(time, token_from(queue, given))
    if given.first_worker >= 0:
        begins = NEVER
        for line in range(given.first_line, given.end_line):
            if has_head(r, line):
                begins = min(begins, ready(k, r, given, time, capacity, k.lines[line].needs))
        if begins == NEVER:
            return
        time = begins
    if not plain and at < queue.end_change:
        time = min(time, r.shifts[at].time)
    if queue.opens < 0 or queue.opens > time:
        queue.opens = time
        push(r, time, _CONTROL, OPENS, NONE, 0, (pool, 0, 0, 0))


@_njit
def serve(k: Any, r: Any, pool: int) -> None:
    """Let a worker who is free take the next attempt."""
    s, queue = r.state[0], r.queues[pool]
    look(r, queue)
    line, worker = next_line(k, r, pool)
    if line >= 0:
        head = r.queued[line * s.queue_room]
        taken = r.attempts[head.attempt]
        if k.pools[pool].discipline == _FAIR:
            queue.virtual = head.rank
        drop_first(r, line)
        taken.waits, epoch = 0, r.cases[taken.slot].epoch
        queue.waiting -= 1
        take_worker(k, r, taken, worker)
        push(r, s.now, _RESULT, STARTS, taken.slot, epoch, (taken.serial, taken.attempt, 0, 0))
    expect_opening(k, r, pool)


@_njit
def open_pool(k: Any, r: Any, pool: int) -> None:
    """More workers may have come."""
    queue = r.queues[pool]
    if queue.opens >= 0 and queue.opens <= r.state[0].now:
        queue.opens = NONE
    serve(k, r, pool)


@_njit
def unlink(r: Any, slot: int, at: int) -> None:
    """An attempt is none of its case's any more."""
    s, case, row = r.state[0], r.cases[slot], r.attempts[at]
    if case.first_attempt == at:
        case.first_attempt = row.next
    else:
        before = case.first_attempt
        while r.attempts[before].next != at:
            before = r.attempts[before].next
        r.attempts[before].next = row.next
    row.waits = 0
    row.ticket = NONE
    row.next = s.free_attempt
    s.free_attempt = at
    s.n_attempts -= 1


@_njit
def count_held(r: Any, queue: Any, more: int) -> None:
    """So many more workers are kept without work."""
    queue.held_time += queue.held * (r.state[0].now - queue.held_since)
    queue.held_since = r.state[0].now
    queue.held += more


@_njit
def own_worker(k: Any, r: Any, slot: int, pool: int, needs: int) -> Any:
    """The row of the first worker of a pool whom a case keeps, and who has these skills; -1 if there is none."""
    found, at, first = NONE, r.cases[slot].first_attempt, k.pools[pool].first_worker
    while at >= 0:
        row = r.attempts[at]
        able = row.serial < 0 and row.pool == pool and (first < 0 or needs & ~k.skills[first + row.worker] == 0)
        if able and (found < 0 or row.worker < r.attempts[found].worker):
            found = at
        at = row.next
    return found


@_njit
def take_own(r: Any, slot: int, row: Any, own: int) -> None:
    """A worker whom a case keeps takes an attempt of it."""
    s = r.state[0]
    row.worker = r.attempts[own].worker
    unlink(r, slot, own)
    count_held(r, r.queues[row.pool], -1)
    push(r, s.now, _RESULT, STARTS, slot, r.cases[slot].epoch, (row.serial, row.attempt, 0, 0))


@_njit
def let_go(k: Any, r: Any, slot: int, at: int, keep: bool) -> None:
    """An attempt is over, or a worker not kept any more: the worker, if any, takes the next.

    `keep`: he stays with the case, if he is of a pool whose workers do.
    """
    row = r.attempts[at]
    waits, pool, worker = row.waits, row.pool, row.worker
    if keep and pool >= 0 and not waits and k.pools[pool].kept != KEEPS_NOBODY:
        row.serial, row.ticket = NONE, NONE
        count_held(r, r.queues[pool], 1)
        return
    if row.serial < 0:
        count_held(r, r.queues[pool], -1)
    unlink(r, slot, at)
    if pool < 0:
        return
    queue = r.queues[pool]
    if waits:
        queue.waiting -= 1
        return
    queue.busy -= 1
    if k.pools[pool].first_worker >= 0:
        end_work(k, r, k.pools[pool], worker)
    serve(k, r, pool)


@_njit
def window_at(k: Any, first: int, n: int, now: int) -> Any:
    """The first of so many windows that holds a time; -1 if none does."""
    for which in range(first, first + n):
        window = k.windows[which]
        if window.begin <= (now % window.period if window.period > 0 else now) < window.end:
            return which
    return NONE


@_njit
def fate(k: Any, work: Any, now: int, place: Any) -> Any:
    """How an attempt ends that begins its work now, and after how long (`plans.Work.fate`)."""
    key, nth, attempt = place
    which = window_at(k, work.first_window, work.n_outages, now)
    if which >= 0:
        outage = k.windows[which]
        if outage.law < 0:
            return NEVER_ENDS, 0.0
        return outage.failure, sample(k, outage.law, draw(key, FAULT_TIME, nth, attempt))
    after, which = 1.0, window_at(k, work.first_window + work.n_outages, work.n_slow, now)
    if which >= 0:
        after = k.windows[which].factor
    after *= sample(k, work.law, draw(key, DURATION, nth, attempt))
    if work.ends_ever > 0.0:
        u = draw(key, ATTEMPT_FAILURE, nth, attempt)
        for way in range(work.n_failures):
            if u < k.failures[work.first_failure + way].edge:
                return way, after
        if u < work.ends_ever:
            return NEVER_ENDS, after
    return SUCCEEDS, after


@_njit
def plan_end(k: Any, r: Any, slot: int, serial: int, attempt: int) -> None:
    """An attempt has started: when will it end, and how?"""
    at = attempt_of(r, slot, serial, attempt)
    if at < 0:
        return
    s, case = r.state[0], r.cases[slot]
    row = r.attempts[at]
    work = k.works[row.activity]
    way, after = fate(k, work, s.now, (key_of(k, case, row.name), row.nth, attempt))
    if way == NEVER_ENDS:
        return
    time, breaks = s.now + whole(after), False
    if row.pool >= 0 and k.pools[row.pool].every >= 0:
        time, breaks = done(k, r, k.pools[row.pool], row.worker, whole(after))
    push(r, time, _RESULT, ENDS, slot, case.epoch, (serial, attempt, work.n_failures + 2 if breaks else way, 0))


@_njit
def plan_again(k: Any, r: Any, slot: int, serial: int, attempt: int) -> None:
    """An attempt has succeeded: it does so again if it is carried out twice (`plans.Work.again_after`)."""
    s, case = r.state[0], r.cases[slot]
    work, key = k.works[s.activity], key_of(k, case, s.drawn)
    if work.twice > 0.0 and draw(key, TWICE, s.nth, attempt) < work.twice:
        after = whole(sample(k, work.law, draw(key, SECOND_DURATION, s.nth, attempt)))
        push(r, s.now + after, _RESULT, AGAIN, slot, case.epoch, (serial, attempt, s.drawn, s.nth))
