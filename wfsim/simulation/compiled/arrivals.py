"""When the next instance comes, as `wfsim.simulation.arriving` says it."""

from __future__ import annotations

import math
from typing import Any

from wfsim.semantics.codes import NONE
from wfsim.semantics.draws import ARRIVAL, BATCH_SIZE
from wfsim.semantics.later import njit
from wfsim.simulation.calendar import Order
from wfsim.simulation.compiled.calendar import push
from wfsim.simulation.compiled.draws import sample, whole
from wfsim.simulation.compiled.layout import ARRIVES

_njit = njit(nogil=True, error_model="numpy")

draw: Any = None
"""A compiled function of the kernel, which `roots` puts here where the calendar has to be compiled."""

IN_PYTHON = -2
"""In place of the law of the time between arrivals: Python lets instances in."""

_EVENT = int(Order.EVENT)


@_njit
def time_of(k: Any, expected: float) -> Any:
    """When so many are expected to have come, where rates change (`Pace.time_of`)."""
    given = k.settings[0]
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
def next_arrival(k: Any, r: Any) -> None:
    """Put the next arrival into the calendar, unless there is none."""
    given, s = k.settings[0], r.state[0]
    if given.interval == IN_PYTHON or (given.cases >= 0 and s.n_arrived >= given.cases):
        return
    if given.interval < 0:
        if s.n_arrived >= given.n_times:
            return
        time = k.times[s.n_arrived]
    elif s.n_together > 0:
        s.n_together -= 1
        time = s.now
    else:
        s.n_drawn += 1
        s.moment += sample(k, given.interval, draw(given.run_key, ARRIVAL, s.n_drawn, 0))
        moment = s.moment
        if given.n_pieces > 0:
            moment = time_of(k, moment)
            if moment == math.inf:
                return
        # At the end of a period a rounding may go back.
        time = max(s.now, whole(moment))
        if given.batch >= 0:
            s.n_together = int(sample(k, given.batch, draw(given.run_key, BATCH_SIZE, s.n_drawn, 0))) - 1
    s.n_arrived += 1
    if given.horizon < 0 or time <= given.horizon:
        push(r, time, _EVENT, ARRIVES, NONE, 0, (s.n_arrived, 0, 0, 0))
