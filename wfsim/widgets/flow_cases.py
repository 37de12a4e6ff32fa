"""What lies behind an arrow, a state or a path of a process map: its cases, the SQL that finds them, their ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wfsim.drawing.text import clean
from wfsim.model.duration import Duration, short_time
from wfsim.model.picture import edge_ids

if TYPE_CHECKING:
    from wfsim.analytics.flows import Flows
    from wfsim.drawing import Role
    from wfsim.history.history import History

    from .wire import Scene

MOST_CASES = 50
"""So many cases behind an arrow or a state are listed, the longest first."""
MOST_PATHS = 30
LONGEST = 400
"""So much of the states of a path is written."""


class Behind(NamedTuple):
    """A selection: in words, SQL for `run`, `case`, a time and how long; and what of the drawing its cases passed."""

    title: str
    query: str
    along: dict[str, Role]


def behind(history: History, flows: Flows, selected: str) -> Behind | None:
    """What is behind a state, an arrow or a path that is shown; nothing if it is none.

    Parameters
    ----------
    selected
        `state:<path>`, an arrow of the picture, or `path:<place among the variants>`.
    """
    kind, _, rest = selected.partition(":")
    if kind == "state":
        if rest not in flows.states:
            return None
        return Behind(clean(f"in {rest}"), f'SELECT run, "case", entered, dwell FROM ({flows.state_query(rest)})', {})
    if kind == "path":
        return _path(history, flows, int(rest)) if rest.isdigit() and int(rest) < flows.shown else None
    edges = edge_ids(flows.workflow)
    numbers = [number for number, name in edges.items() if name == selected and number in flows.edges]
    if not numbers:
        return None
    transitions = [each for _, region in flows.workflow.regions() for each in region.transitions]
    inner = " UNION ALL ".join(f"({flows.edge_query(number)})" for number in numbers)
    query = f'SELECT run, "case", time, dwell FROM ({inner}) ORDER BY dwell DESC NULLS LAST, run, "case", time'
    return Behind(clean(", ".join(str(transitions[number - 1]) for number in numbers))[:LONGEST], query, {})


def _path(history: History, flows: Flows, number: int) -> Behind:
    variant = flows.variants[number]
    passed, entered = flows.passed(history, variant)
    edges = edge_ids(flows.workflow)
    along: dict[str, Role] = {f"state:{path}": "visited" for path in entered}
    along |= {edges[transition]: "visited" for transition in passed}
    return Behind(clean(f"path {number + 1}: {' → '.join(variant.states)}")[:LONGEST], flows.path_query(variant), along)


def detail(history: History, found: Behind) -> Scene:
    """The cases behind a selection, the longest first."""
    rows = history.sql(f"FROM ({found.query}) LIMIT {MOST_CASES}").fetchall()
    return {
        "title": found.title,
        "query": found.query,
        "rows": [
            {
                "run": run,
                "case": case,
                "time": Duration(time).about(),
                "dwell": "" if dwell is None else short_time(dwell),
            }
            for run, case, time, dwell in rows
        ],
        "more": len(rows) == MOST_CASES,
    }


def paths(flows: Flows) -> list[Scene]:
    """The paths to be listed, the most frequent first."""
    return [
        {
            "label": clean(" → ".join(variant.states))[:LONGEST],
            "cases": variant.cases,
            "mean": short_time(variant.mean),
            "shown": number < flows.shown,
        }
        for number, variant in enumerate(flows.variants[:MOST_PATHS])
    ]
