"""Durations in business hours: a clock that stands while nobody works, as an SQL macro that every view measures with.

Time is cut into equal buckets, so short that each holds a few openings at most. The clock at a moment is then what it
was at the begin of its bucket, and what of these openings has passed since: lists, in which the bucket is found by its
number. They are variables of a connection, like the bounds of a part of the time (`ranged`); the macros that read them
are its own, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from wfsim.errors import HistoryError, listed
from wfsim.model.problems import definition_error, from_validation
from wfsim.simulation.business_hours import BusinessHours
from wfsim.simulation.scenario import Scenario

from .moments import Variables, set_variables

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from wfsim.simulation.shifts import WorkTime

MINUTE = 60_000_000
DAY = 1_440 * MINUTE
_WIDTHS = tuple(minutes * MINUTE for minutes in (1440, 720, 480, 360, 240, 180, 120, 60, 30, 20, 15, 10, 5, 1))
_MOST = 200_000
"""Buckets: five hundred years by days."""
_DEPTH = 4
"""Openings in a bucket at most."""
_MARGIN = 366 * DAY
"""So long before the first case and behind the last record times can be asked, too."""
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_BEGINS = (Scenario().begins - _START) // _MICROSECOND
RUN_BEGINS = f"""
CREATE VIEW run_begins AS
SELECT run, if(source = 'simulation',
    coalesce(epoch_us((scenario::JSON->>'$.begins')::TIMESTAMPTZ), {_BEGINS}), 0)::BIGINT AS begins
FROM runs ORDER BY run
"""

LOCAL_TIME = (
    # What a clock of the zone shows at a moment in microseconds since 1970.
    "CREATE MACRO clock_at(moment, zone) AS timezone(zone, timezone('UTC', make_timestamp(moment::BIGINT)))",
    # Its columns get names that no query has: whatever is given for the run must mean what it means outside.
    "CREATE MACRO local_time(of_run, t, zone) AS clock_at(t + ("
    "SELECT begins_of_it FROM run_begins its(number_of_it, begins_of_it) WHERE number_of_it = of_run), zone)",
)

CLOCK = (
    "CREATE MACRO views.clock.business_time(since, until) AS until - since",
    "CREATE MACRO views.clock.business_part(duration, until) AS duration",
    "CREATE MACRO views.clock.business_due(since, within) AS since + within",
)
"""What views measure with: the time between two moments, what counts of a time that ended then, when one will be over.

They have a schema of their own, behind that of the views: on a connection with business hours others stand before
them.
"""


def _looked_up(name: str) -> str:
    return f"getvariable('business_{name}')::BIGINT[]"


def _clock(t: str, depth: int) -> str:
    """In SQL, the time worked until a moment."""
    bucket = f"[({t} - getvariable('business_first')) // getvariable('business_width') + 1]"
    passed = (
        f"greatest(0, least({t}, ({_looked_up(f'closes{k}')}){bucket}) - ({_looked_up(f'opens{k}')}){bucket})"
        for k in range(depth)
    )
    return f"""
CASE WHEN {t} < getvariable('business_first') OR {t} >= getvariable('business_end') THEN
    error('business_time is known from a year before the first case to a year after the last record, not at ' || {t})
ELSE {" + ".join((f"({_looked_up('before')}){bucket}", *passed))} END
"""


def _macros(depth: int) -> tuple[str, ...]:
    """The same as `CLOCK`, with openings of which a bucket holds so many at most."""
    reached = f"len(list_filter({_looked_up('sums')}, lambda x: x < business_clock(since) + within))"
    return (
        f"CREATE TEMP MACRO business_clock(t) AS {_clock('t', depth)}",
        "CREATE TEMP MACRO business_time(since, until) AS business_clock(until) - business_clock(since)",
        "CREATE TEMP MACRO business_part(duration, until) AS business_time(until - duration, until)",
        # In the opening before which less had been worked; behind the last one nothing is known.
        f"""
CREATE TEMP MACRO business_due(since, within) AS if({reached} = len({_looked_up("sums")}), NULL,
    ({_looked_up("spans")})[{reached}] + business_clock(since) + within - ({_looked_up("sums")})[{reached}])
""",
    )


@dataclass(frozen=True)
class WorkingClock:
    """What a connection has to be told to count business hours only."""

    lists: Variables
    depth: int

    def set(self, con: duckdb.DuckDBPyConnection) -> None:
        """Let a connection measure with it from now on."""
        set_variables(con, self.lists)
        con.execute(";".join(_macros(self.depth)))


class _Opening(NamedTuple):
    opens: int
    closes: int


def business_hours_of(
    shifts: Iterable[WorkTime | Mapping[str, str]], time_zone: str, holidays: Iterable[date | str]
) -> BusinessHours:
    """Business hours as people give them.

    Raises
    ------
    HistoryError
        With what is wrong, and what may stand there.
    """
    data = {"shifts": _listed(shifts), "time_zone": time_zone, "holidays": _listed(holidays)}
    try:
        return BusinessHours.model_validate(data)
    except ValidationError as error:
        problems = from_validation([dict(each) for each in error.errors()], data, named=False)
        raise HistoryError(f"business hours: {definition_error(problems)}") from None


def _listed(given: object) -> object:
    """What is no list is for the validator to tell."""
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else given


def clock_of(con: duckdb.DuckDBPyConnection, hours: BusinessHours) -> WorkingClock:
    """The clock of a history that stands outside of business hours.

    Raises
    ------
    HistoryError
        If time 0 of the runs is not the same moment, or the hours are cut too finely for so long a time.
    """
    begins = con.execute("SELECT begins, min(run) FROM run_begins GROUP BY begins ORDER BY min(run)").fetchall()
    if len(begins) > 1:
        told = listed(f"run {run}: {_START + moment * _MICROSECOND}" for moment, run in begins)
        raise HistoryError(
            f"business hours need to know which moment time 0 is, and it differs between the runs here ({told}). "
            "Ask each in a file of its own."
        )
    zero = _START + (begins[0][0] if begins else 0) * _MICROSECOND
    low, high = con.execute("SELECT coalesce(min(started), 0), coalesce(max(last_time), 0) FROM cases").fetchall()[0]
    low, high = low - _MARGIN, high + _MARGIN
    openings = [
        _Opening((opens - zero) // _MICROSECOND, (closes - zero) // _MICROSECOND)
        for opens, closes in hours.openings(zero + low * _MICROSECOND, zero + high * _MICROSECOND)
    ]
    for width in _WIDTHS:
        n = -(-(high - low) // width)
        if n > _MOST:
            break
        buckets: list[list[_Opening]] = [[] for _ in range(n)]
        for opening in openings:
            first, last = (opening.opens - low) // width, (opening.closes - 1 - low) // width
            for k in range(max(first, 0), min(last + 1, n)):
                buckets[k].append(opening)
        if max(map(len, buckets)) <= _DEPTH:
            return WorkingClock(_lists(openings, buckets, low, width), max(map(len, buckets)))
    raise HistoryError(
        f"these business hours begin too often for {(high - low) / DAY:,.0f} days, which are cut into {_MOST:,} parts "
        f"at most with {_DEPTH} openings each. Leave out short breaks."
    )


def _lists(openings: list[_Opening], buckets: list[list[_Opening]], low: int, width: int) -> Variables:
    ends = [low + k * width for k in range(1, len(buckets) + 1)]
    worked = dict(zip(openings, accumulate((closes - opens for opens, closes in openings), initial=0)))
    total = sum(closes - opens for opens, closes in openings)
    found: Variables = {
        "business_width": width,
        "business_first": low,
        "business_end": ends[-1],
        # Behind the last one nothing is known.
        "business_spans": [*(opens for opens, _ in openings), ends[-1]],
        "business_sums": [*worked.values(), total],
    }
    before, clock = [], 0
    for inside, end in zip(buckets, ends):
        if inside:
            opens = inside[0].opens
            clock = worked[inside[0]] + max(0, end - width - opens)
        before.append(clock)
        if inside:
            clock = worked[inside[-1]] + min(end, inside[-1].closes) - inside[-1].opens
    found["business_before"] = before
    for k in range(max(map(len, buckets))):
        # An opening that is not there is one that has no length.
        at = [
            (max(each[k].opens, end - width), each[k].closes) if k < len(each) else (end, end)
            for each, end in zip(buckets, ends)
        ]
        found[f"business_opens{k}"] = [opens for opens, _ in at]
        found[f"business_closes{k}"] = [closes for _, closes in at]
    return found
