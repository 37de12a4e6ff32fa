"""How well service level agreements were kept, as SQL: views of those of a scenario, macros for any other."""

from __future__ import annotations

from .side_tables import FOREVER

_COUNTS = """count(c."case") AS cases, count(*) FILTER (c.met) AS met,
    count(*) FILTER (NOT c.met) AS missed, count(c."case") - count(c.met) AS undecided,
    avg(c.met::INTEGER) AS share"""


def _cases(asked: str) -> str:
    """Query for the cases that some SLAs are about: `run`, `sla`, `within`, `from_state`, `until_state` of each.

    In a run in which cases are open, who was due after its end is not decided, closed or not: otherwise the quick ones
    of the last cases would count and the slow ones not. In a part of the time a case counts where it was decided, so
    when it began is asked of the whole.
    """
    return f"""
WITH roots AS (
    SELECT run, "case", started, closed FROM cases WHERE workflow = 0 AND parent_case IS NULL
),
asked AS (
    SELECT row_number() OVER () AS number, s.run, s.sla, s.within, s.from_state, s.until_state, b.code AS begins,
        e.code AS ends
    FROM ({asked}) s JOIN runs r ON r.run = s.run
    LEFT JOIN state_names b ON b.name = s.from_state
    LEFT JOIN state_names e ON e.name = s.until_state
    WHERE r.log <> 'aggregates' OR (s.from_state IS NULL AND s.until_state IS NULL)
),
spans AS (
    SELECT r.run, any_value(h.horizon) AS horizon, bool_or(r.closed IS NULL) AS has_open
    FROM roots r LEFT JOIN horizons h ON h.run = r.run GROUP BY r.run
),
entries AS (
    SELECT m.number, m.is_end, y."case", y.entered FROM history.main.stay_rows y
    JOIN (SELECT number, run, unnest([begins, ends]) AS state, unnest([false, true]) AS is_end FROM asked) m
    ON m.run = y.run AND m.state = y.state
    WHERE y.workflow = 0 AND y.entered < range_until()
),
firsts AS (
    SELECT number, "case", min(entered) FILTER (NOT is_end) AS begun, min(entered) FILTER (is_end) AS ended
    FROM entries GROUP BY number, "case"
),
begun AS (
    SELECT a.run, a.number, a.sla, a.within, a.until_state, r."case", r.closed, f.ended AS first_ended,
        if(a.from_state IS NULL, r.started, f.begun) AS begun
    FROM asked a JOIN roots r ON r.run = a.run LEFT JOIN firsts f ON f.number = a.number AND f."case" = r."case"
),
again AS (
    SELECT b.number, b."case", min(e.entered) AS ended
    FROM (FROM begun WHERE first_ended < begun) b
    JOIN entries e ON e.number = b.number AND e."case" = b."case" AND e.is_end AND e.entered >= b.begun
    GROUP BY b.number, b."case"
),
ended AS (
    SELECT b.run, b.sla, b."case", b.begun, b.within, b.closed,
        CASE WHEN b.until_state IS NULL THEN b.closed WHEN b.first_ended >= b.begun THEN b.first_ended ELSE g.ended END
            AS ended
    FROM begun b LEFT JOIN again g ON g.number = b.number AND g."case" = b."case" WHERE b.begun IS NOT NULL
)
SELECT e.run, e.sla, e."case", e.begun, business_due(e.begun, e.within) AS due, e.ended,
    if(s.has_open AND business_time(e.begun, s.horizon) < e.within, NULL,
        coalesce(business_time(e.begun, e.ended) <= e.within, false)) AS met
FROM ended e JOIN spans s ON s.run = e.run
WHERE coalesce(e.ended, e.closed, {FOREVER}) >= range_since()
ORDER BY e.run, e.sla, e."case"
"""


SLA_CASES = f"CREATE VIEW sla_cases AS {_cases('FROM slas')}"

SLA = f"""
CREATE VIEW sla AS
SELECT s.run, s.sla, s.within, s.share AS target, {_COUNTS}
FROM slas s LEFT JOIN sla_cases c ON c.run = s.run AND c.sla = s.sla
GROUP BY s.run, s.sla, s.within, s.share ORDER BY s.run, s.sla
"""


def _state(given: str) -> str:
    """In SQL, a state that is asked for: one that there is, or none."""
    told = f"'sla: there is no state ''' || {given} || ''' in this history'"
    return f"if({given} IS NULL OR {given} IN (SELECT name FROM state_names), {given}::VARCHAR, error({told}))"


def _asked(from_state: str, until_state: str) -> str:
    """The same SLA for every run."""
    return (
        f"SELECT run, NULL::VARCHAR AS sla, within_us::BIGINT AS within, {from_state} AS from_state, "
        f"{until_state} AS until_state FROM runs"
    )


_CASES_OF = "SELECT * EXCLUDE (sla) FROM ({})"
_WHOLE_CASES = _CASES_OF.format(_cases(_asked("NULL::VARCHAR", "NULL::VARCHAR")))
_PARTS_OF_CASES = _CASES_OF.format(_cases(_asked(_state("begins_in"), _state("ends_in"))))
SLA_CASES_OF = (
    f"CREATE MACRO sla_cases(within_us) AS TABLE ({_WHOLE_CASES}), "
    f"(within_us, begins_in, ends_in) AS TABLE ({_PARTS_OF_CASES})"
)


def _counted(cases: str) -> str:
    return f"SELECT u.run, {_COUNTS} FROM runs u LEFT JOIN {cases} c ON c.run = u.run GROUP BY u.run ORDER BY u.run"


SLA_OF = (
    f"CREATE MACRO sla(within_us) AS TABLE ({_counted('sla_cases(within_us)')}), "
    f"(within_us, begins_in, ends_in) AS TABLE ({_counted('sla_cases(within_us, begins_in, ends_in)')})"
)

SLA_VIEWS = (SLA_CASES, SLA, SLA_CASES_OF, SLA_OF)
