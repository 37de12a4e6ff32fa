"""What flowed through a workflow: how often each transition was taken, how long each state took, drawn on its picture.

The process map of process mining, on the drawing of the workflow itself: what never happened is on it, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from wfsim.arguments import expect
from wfsim.drawing import Picture
from wfsim.errors import HistoryError, did_you_mean
from wfsim.model.duration import short_time
from wfsim.model.picture import edge_ids, picture
from wfsim.semantics.codes import R_ATTEMPT_TIMED_OUT, R_RETRY_SCHEDULED, R_TRANSITION

from .scope import scope_of
from .shading import differences, shades

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.drawing import Direction
    from wfsim.history.history import History
    from wfsim.history.questions import Result
    from wfsim.model.workflow import Workflow

Measure = Literal["cases", "time", "waiting", "retries", "timeouts"]
"""What a map shows: how often; how long on average; how long is waited for a worker; attempts made anew; attempts that
ran out of time, and transitions that a clock took."""


@dataclass(frozen=True, slots=True)
class EdgeFlow:
    """How a transition was taken: times in all, cases that took it, and the time in its state before (microseconds)."""

    n: int
    cases: int
    mean: float
    p95: float
    total: int


@dataclass(frozen=True, slots=True)
class StateFlow:
    """Stays in a state: how many, of how many cases, how long (microseconds); and what its attempts went through."""

    n: int
    cases: int
    mean: float
    p95: float
    total: int
    waiting: float = 0.0
    retries: int = 0
    timeouts: int = 0


@dataclass(frozen=True)
class Variant:
    """A sequence of states of the root, with the number of closed cases that went it and their mean duration."""

    states: tuple[str, ...]
    path_hash: int
    cases: int
    mean: float


@dataclass(frozen=True)
class Flows:
    """What flowed through a workflow, of the cases that were looked at.

    Attributes
    ----------
    workflow
        The definition that the history holds.
    cases
        Cases that were looked at.
    left_out
        Cases whose variants are too rare for the `share` that was asked for, or that are open still.
    edges
        By number of transition, those that were taken.
    states
        By path, those that were entered.
    variants
        All of them, the most frequent first.
    shown
        How many of the variants the numbers are about.
    where
        The SQL condition that picks these cases, for further questions.
    """

    workflow: Workflow
    cases: int
    left_out: int
    edges: Mapping[int, EdgeFlow]
    states: Mapping[str, StateFlow]
    variants: tuple[Variant, ...]
    shown: int
    where: str

    def edge_query(self, number: int) -> str:
        """SQL for the cases that took a transition, the longest before it first."""
        return (
            f'SELECT run, "case", seq, time, dwell FROM records WHERE kind = {R_TRANSITION} AND transition = {number} '
            f'AND {self.where} ORDER BY dwell DESC NULLS LAST, run, "case", seq'
        )

    def state_query(self, path: str) -> str:
        """SQL for the stays in a state, the longest first."""
        name = path.replace("'", "''")
        return (
            f"SELECT run, \"case\", entered, left_at, dwell FROM stays WHERE state = '{name}' "
            f'AND (run, "case") IN (SELECT (run, "case") FROM cases WHERE {self.where}) '
            'ORDER BY dwell DESC NULLS LAST, run, "case", entered'
        )

    def path_query(self, variant: Variant) -> str:
        """SQL for the cases of a variant that is shown: when they started, and how long they took."""
        return (
            'SELECT run, "case", started AS time, duration AS dwell FROM durations '
            f"WHERE status <> 'open' AND {self._of(variant)} ORDER BY dwell DESC NULLS LAST, run, \"case\""
        )

    def passed(self, history: History, variant: Variant) -> tuple[list[int], list[str]]:
        """Transitions, by number, and states, by path, that the cases of a variant that is shown passed."""
        where = self._of(variant)
        taken = _ask(
            history, f"SELECT DISTINCT transition FROM records WHERE kind = {R_TRANSITION} AND {where} ORDER BY ALL"
        ).fetchall()
        entered = _ask(history, f"SELECT DISTINCT state FROM stays WHERE {where} ORDER BY ALL").fetchall()
        return [number for (number,) in taken], [state for (state,) in entered]

    def _of(self, variant: Variant) -> str:
        kept = f'SELECT (run, "case") FROM cases WHERE {self.where} AND path_hash = {variant.path_hash}::UBIGINT'
        return f'(run, "case") IN ({kept})'

    def weights(self, measure: Measure = "cases") -> dict[str, float]:
        """The measure of each edge of the picture, by its identifier; edges that share an arrow are added up.

        Times are the mean time in the state before, in microseconds.
        """
        found: dict[str, float] = {}
        taken: dict[str, int] = {}
        clocks = self._clocks()
        for number, name in edge_ids(self.workflow).items():
            flow = self.edges.get(number)
            found.setdefault(name, 0.0)
            if flow is None:
                continue
            if measure == "cases":
                found[name] += flow.n
            elif measure == "timeouts":
                found[name] += flow.n if number in clocks else 0
            elif measure == "time":
                found[name] += flow.total
                taken[name] = taken.get(name, 0) + flow.n
        return {name: value / taken.get(name, 1) for name, value in found.items()}

    def node_values(self, measure: Measure = "cases") -> dict[str, float]:
        """The measure of each state that was entered, by path; times in microseconds."""
        attribute = {"cases": "n", "time": "mean", "waiting": "waiting", "retries": "retries", "timeouts": "timeouts"}
        return {path: float(getattr(flow, attribute[measure])) for path, flow in self.states.items()}

    def picture(
        self, measure: Measure = "cases", *, against: Flows | None = None, direction: Direction = "TB"
    ) -> Picture:
        """The workflow with what flowed through it: widths, colours and numbers of arrows and states.

        Parameters
        ----------
        against
            Colours say by how much the shares of cases differ from those of another one.

        Raises
        ------
        HistoryError
            For an unknown measure.
        """
        expect_measure(measure)
        drawn = picture(self.workflow, direction=direction)
        weights, values = self.weights(measure), self.node_values(measure)
        shares = self._shares()
        if against is None:
            colours = shades(weights) | shades({f"state:{path}": value for path, value in values.items()})
        else:
            colours = differences(self._per_case(), against._per_case())
        edges = [
            replace(
                edge,
                weight=weights[edge.id],
                lines=_told(weights[edge.id], measure, shares.get(edge.id)),
                shade=colours.get(edge.id, 0),
            )
            if edge.id in weights
            else edge
            for edge in drawn.edges
        ]
        nodes = [
            replace(
                node,
                lines=_told(values.get(path, 0.0), measure, shares.get(path)),
                shade=colours.get(node.id, 0),
            )
            if (path := node.id.removeprefix("state:")) != node.id
            else node
            for node in drawn.nodes
        ]
        meant = "; ".join(self.legend(measure, compared=against is not None))
        title = f"{drawn.title}: {TITLES[measure]}, {self.cases:,} cases ({meant})"
        return Picture(title, nodes, edges, drawn.groups, drawn.direction).pinned(dict(drawn.pins))

    def legend(self, measure: Measure = "cases", *, compared: bool = False) -> list[str]:
        """What widths and colours of `picture` mean."""
        written = short_time if measure in ("time", "waiting") else lambda value: f"{value:,.0f}"
        told = [f"widest arrow: {written(max(self.weights(measure).values(), default=0.0))}"]
        if compared:
            return [*told, "blue: a greater share of cases here than in the other, orange: a smaller one"]
        return [*told, f"strongest colour: {written(max(self.node_values(measure).values(), default=0.0))}"]

    def _per_case(self) -> dict[str, float]:
        """How often each arrow and state came by, for each case."""
        cases = self.cases or 1
        found = {f"state:{path}": flow.n / cases for path, flow in self.states.items()}
        for number, name in edge_ids(self.workflow).items():
            if number in self.edges:
                found[name] = found.get(name, 0.0) + self.edges[number].n / cases
        return found

    def _shares(self) -> dict[str, float]:
        """The share of cases that passed each edge of the picture and each state, where it is known exactly."""
        found = {path: flow.cases / self.cases for path, flow in self.states.items()}
        numbers: dict[str, list[int]] = {}
        for number, name in edge_ids(self.workflow).items():
            numbers.setdefault(name, []).append(number)
        for name, those in numbers.items():
            taken = [number for number in those if number in self.edges]
            # Of several transitions on one arrow nobody knows how many cases took more than one.
            if len(taken) == 1:
                found[name] = self.edges[taken[0]].cases / self.cases
        return found

    def _clocks(self) -> set[int]:
        """Numbers of the transitions that a clock takes."""
        transitions = [transition for _, region in self.workflow.regions() for transition in region.transitions]
        return {
            number
            for number, transition in enumerate(transitions, 1)
            if transition.after is not None or transition.event in ("timeout", "workflow_timeout")
        }


TITLES: dict[Measure, str] = {
    "cases": "how often",
    "time": "mean time",
    "waiting": "mean waiting for a worker",
    "retries": "retries",
    "timeouts": "timeouts",
}


def expect_measure(measure: object) -> Measure:
    """A measure of a map; `HistoryError` with those that there are if it is none."""
    known: tuple[Measure, ...] = get_args(Measure)
    for each in known:
        if each == measure:
            return each
    near = did_you_mean(str(measure), known)
    raise HistoryError(f"measure={measure!r} is none of {', '.join(known)}.{near}")


def flows(
    history: History, *, run: int | None = None, workflow: Workflow | str | None = None, share: float = 1.0
) -> Flows:
    """What flowed through a workflow.

    Parameters
    ----------
    history
        At log level `full` or `transitions`.
    run
        Only this run; all runs together if not given.
    workflow
        Of which workflow: the one that was run, if not given, or one that it started, by name; or the workflow itself,
        which is then drawn as a person has placed it.
    share
        Only the most frequent variants that together hold this share of the closed cases; 1 for all cases.

    Raises
    ------
    HistoryError
        If there is no such run or workflow, it has several versions or is not the one given, or the log level keeps no
        transitions.

    Notes
    -----
    Three groupings over the records; cost is linear in them.
    """
    expect(share, (int, float), "flows takes as share a number", "From 0 to 1; 1 is all cases.")
    if not 0 < share <= 1:
        raise HistoryError(f"share={share!r}: give a number above 0 and at most 1, as 0.8.")
    about = scope_of(history, run=run, workflow=workflow)
    whole = about.where
    variants = _variants(history, whole)
    shown = _enough(variants, share)
    where = whole
    if share < 1:
        hashes = ", ".join(f"{variant.path_hash}::UBIGINT" for variant in variants[:shown])
        kept = f'SELECT (run, "case") FROM cases WHERE {whole} AND path_hash IN ({hashes})'
        where = f'{whole} AND (run, "case") IN ({kept})'
    (cases,) = _ask(history, f"SELECT count(*) FROM cases WHERE {where}").fetchall()[0]
    (every,) = _ask(history, f"SELECT count(*) FROM cases WHERE {whole}").fetchall()[0]
    return Flows(
        workflow=about.workflow,
        cases=cases,
        left_out=every - cases,
        edges=_edges(history, where),
        states=_states(history, where),
        variants=tuple(variants),
        shown=shown,
        where=where,
    )


def _ask(history: History, query: str) -> Result:
    """All of the answer: what is asked here is short."""
    return history.sql(query, max_rows=None, max_seconds=None)


def _variants(history: History, where: str) -> list[Variant]:
    rows = _ask(
        history,
        f"""
        SELECT any_value(v.states), d.path_hash, count(*), avg(d.duration)
        FROM durations d JOIN (SELECT run, "case" FROM cases WHERE {where}) c ON c.run = d.run AND c."case" = d."case"
        JOIN variants_seen v ON v.path_hash = d.path_hash
        WHERE d.status <> 'open'
        GROUP BY d.path_hash ORDER BY count(*) DESC, d.path_hash
        """,
    ).fetchall()
    return [Variant(tuple(states), path, cases, mean) for states, path, cases, mean in rows]


def _enough(variants: list[Variant], share: float) -> int:
    """How many of the variants hold that share of their cases."""
    whole, passed = sum(variant.cases for variant in variants), 0
    for number, variant in enumerate(variants, 1):
        passed += variant.cases
        if passed >= share * whole:
            return number
    return len(variants)


def _edges(history: History, where: str) -> dict[int, EdgeFlow]:
    rows = _ask(
        history,
        f"""
        SELECT transition, count(*), count(DISTINCT (run, "case")), coalesce(avg(dwell), 0),
            coalesce(quantile_cont(dwell, 0.95), 0), coalesce(sum(dwell), 0)::BIGINT
        FROM records WHERE kind = {R_TRANSITION} AND {where} GROUP BY transition ORDER BY transition
        """,
    ).fetchall()
    return {number: EdgeFlow(*found) for number, *found in rows}


def _states(history: History, where: str) -> dict[str, StateFlow]:
    of_cases = f'(run, "case") IN (SELECT (run, "case") FROM cases WHERE {where})'
    stays = _ask(
        history,
        f"""
        SELECT state, count(*), count(DISTINCT (run, "case")), coalesce(avg(dwell), 0),
            coalesce(quantile_cont(dwell, 0.95), 0), coalesce(sum(dwell), 0)::BIGINT
        FROM stays WHERE {of_cases} GROUP BY state ORDER BY state
        """,
    ).fetchall()
    attempts = _ask(
        history,
        f"""
        SELECT s.name, coalesce(avg(r.wait), 0), count(*) FILTER (r.kind = {R_RETRY_SCHEDULED}),
            count(*) FILTER (r.kind = {R_ATTEMPT_TIMED_OUT})
        FROM (SELECT * FROM records WHERE {where} AND state IS NOT NULL AND activity IS NOT NULL) r
        JOIN state_names s ON s.code = r.state GROUP BY s.name
        """,
    ).fetchall()
    beside = {state: rest for state, *rest in attempts}
    return {state: StateFlow(*found, *beside.get(state, ())) for state, *found in stays}


def _told(value: float, measure: Measure, share: float | None) -> tuple[str, ...]:
    """A measure at an arrow or a state, with the share of cases that came by; nothing where there was nothing."""
    if not value:
        return ("never",) if measure == "cases" else ()
    if measure in ("time", "waiting"):
        return (short_time(value),)
    return (f"{value:,.0f} ({share:.1%} of cases)" if measure == "cases" and share is not None else f"{value:,.0f}",)
