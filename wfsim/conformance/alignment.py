"""`align`: the cheapest explanation of each trace of a log by a model, and what follows from all of them."""

from __future__ import annotations

import html
import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

from wfsim.arguments import expect, expect_seconds, expect_whole
from wfsim.errors import HistoryError, NetError
from wfsim.history.failures import reading
from wfsim.history.history import History
from wfsim.model.workflow import Workflow
from wfsim.net.petri import PetriNet

from . import kernel
from .behaviour import DEVIATION, Behaviour, edges_of, states_of
from .drawing import counts_of, draw_net, draw_workflow
from .graph import Graph
from .precision import precision_of
from .search import search
from .variants import Move, Variant

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from wfsim.drawing.graph import Direction
    from wfsim.drawing.picture import Picture

    _Aligned = tuple[NDArray[np.int64] | None, int]

MAX_MARKINGS = 20_000
MAX_STATES = 1_000_000


class Alignments:
    """Optimal alignments of a log's variants with a model.

    Where a search was stopped (`max_seconds`, `max_states`) an alignment is unknown: `unknown` has these, and
    all numbers are of the others; `nan` if there are no others.

    Attributes
    ----------
    variants
        Each with its alignment, most frequent first.
    net
        The net they are aligned with.
    shortest
        How many activities the model shows at least on its way to the end.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        variants: tuple[Variant, ...],
        shortest: int,
        history: History | None,
        workflow: Workflow | None,
    ) -> None:
        self._behaviour = behaviour
        self._workflow = workflow
        self._history = history
        self._known = [each for each in variants if each.moves is not None]
        self.variants = variants
        self.net = behaviour.net
        self.shortest = shortest

    @property
    def query(self) -> str | None:
        """The question in SQL whose rows are the traces of a history; `None` if these were given."""
        return None if self._history is None else _VARIANTS.strip()

    @property
    def unknown(self) -> tuple[Variant, ...]:
        """Variants whose search was stopped."""
        return tuple(each for each in self.variants if each.moves is None)

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return sum(each.cases for each in self.variants)

    @property
    def cost(self) -> int:
        """Deviations over all cases."""
        return sum(each.cases * each.deviations for each in self._known)

    @property
    def fitness(self) -> float:
        """One minus the deviations over all cases by the most there can be; 1 if every case fits.

        The most are those of a log and a model that go all their ways alone: the events of the log, and of
        each case the model's shortest way [1]_.

        References
        ----------
        .. [1] Adriansyah, van Dongen & van der Aalst (2011), Conformance checking using cost-based fitness analysis,
           EDOC, 55-64.
        """
        if self.variants and not self._known:
            return math.nan
        most = sum(each.cases * (len(each.activities) + self.shortest) for each in self._known)
        return 1.0 if most == 0 else 1.0 - self.cost / most

    @property
    def fitting(self) -> float:
        """The share of cases without a deviation."""
        if self.variants and not self._known:
            return math.nan
        fitting = sum(each.cases for each in self._known if not each.deviations)
        return fitting / max(sum(each.cases for each in self._known), 1)

    @cached_property
    def precision(self) -> float:
        """How much of what the model allows on the way of the cases some case does: align-ETC precision [2]_.

        A case does what the model does in its alignment, activities only. For each beginning of these that goes on:
        activities that some case goes on with, by those that the model can go on with after the same activities
        (whichever silent transitions, and which of several with one label, it took), weighted by how many
        cases go on from there. One optimal alignment of each variant counts.

        For a log that fits this is ETC precision [1]_, which leaves out beginnings that the model does not allow; so
        does pm4py's `precision_alignments`, and of the markings that a beginning leads to it takes those with the
        fewest silent moves.

        Raises
        ------
        NetError
            If silent transitions lead from one marking to more than a million others.

        References
        ----------
        .. [1] Munoz-Gama & Carmona (2010), A fresh look at precision in process conformance, BPM, LNCS 6336, 211-226.
        .. [2] Adriansyah, Munoz-Gama, Carmona, van Dongen & van der Aalst (2015), Measuring precision of modeled
           behavior, Information Systems and e-Business Management 13, 37-67.
        """
        if self.variants and not self._known:
            return math.nan
        number = {name: place for place, name in enumerate(self._behaviour.activities)}
        runs = (
            ([number[move.expected] for move in each.moves or () if move.expected is not None], each.cases)
            for each in self._known
        )
        return precision_of(self._behaviour, runs)

    @cached_property
    def deviations(self) -> pd.DataFrame:
        """One row for each deviation of each variant, most frequent first.

        Columns: `variant` (place in `variants`), `cases`, `position` (events before it, from 0), `kind`
        (`log`: seen where
        the model does not expect it; `model`: expected and not seen), `seen`, `expected`, `transition`.
        """
        import pandas as pd

        rows = [
            (
                number,
                variant.cases,
                move.position,
                "log" if move.expected is None else "model",
                move.seen,
                move.expected,
                move.transition,
            )
            for number, variant in enumerate(self.variants)
            for move in variant.moves or ()
            if move.deviates
        ]
        columns = ["variant", "cases", "position", "kind", "seen", "expected", "transition"]
        return pd.DataFrame(rows, columns=columns, dtype=object).astype({"variant": int, "cases": int, "position": int})

    def deviating_cases(self) -> pd.DataFrame:
        """`deviations` with one row for each case of the history, with its `run`, `case` and `external_id`.

        Raises
        ------
        HistoryError
            If this is of traces that were given, not of a history.
        """
        import pandas as pd

        if self._history is None:
            raise HistoryError(
                "these alignments are of given traces. Align a history to see which of its cases deviate."
            )
        number = {each.activities: place for place, each in enumerate(self.variants)}
        cases = self._history.sql(_CASES, max_rows=None).fetchall()
        placed = pd.DataFrame(
            [(run, case, name, number[tuple(states)]) for run, case, name, states in cases],
            columns=["run", "case", "external_id", "variant"],
        )
        joined = placed.merge(self.deviations.drop(columns="cases"), on="variant")
        return joined.sort_values(["run", "case", "position"], kind="stable", ignore_index=True)

    @cached_property
    def lacking(self) -> pd.DataFrame:
        """Two states that follow each other in some case, where the workflow has no transition, most frequent first.

        Columns: `from_state` (`None`: the case begins with the other), `to_state`, `n` (over all cases), `cases`.
        Nothing is aligned for it: these are steps of the log, which an alignment explains by moves of one side.

        Raises
        ------
        HistoryError
            If this is of a net, where what follows depends on the marking.
        """
        import pandas as pd

        if self._workflow is None:
            raise HistoryError(
                f"{self.net.name!r} is a net: what may follow depends on its marking. `deviations` says what it lacks, "
                "or align with a workflow."
            )
        rows = self._lacking(self._workflow)
        columns = ["from_state", "to_state", "n", "cases"]
        return pd.DataFrame(rows, columns=columns, dtype=object).astype({"n": int, "cases": int})

    def _lacking(self, workflow: Workflow) -> list[tuple[str | None, str, int, int]]:
        allowed: set[tuple[str | None, str]] = {(None, workflow.initial_state)}
        allowed |= {(each.from_, each.to) for each in workflow.transitions if each.to is not None}
        n: Counter[tuple[str | None, str]] = Counter()
        cases: Counter[tuple[str | None, str]] = Counter()
        for variant in self.variants:
            steps = Counter(
                step for step in zip((None, *variant.activities), variant.activities) if step not in allowed
            )
            n.update({step: times * variant.cases for step, times in steps.items()})
            cases.update(dict.fromkeys(steps, variant.cases))
        order = sorted(n, key=lambda each: (-n[each], each[0] or "", each[1]))
        return [(*step, n[step], cases[step]) for step in order]

    def picture(self, *, direction: Direction = "TB") -> Picture:
        """The model with what log and model did of it.

        Net transitions, or states and transitions of a workflow, say how many moves were of both and how many of one
        side alone. Those in which both agree are blue; the more moves differ, the stronger the other colour. Steps
        that a workflow lacks (`lacking`) are dashed, activities that the model has not stand beside it. Moves of
        the log alone stand at the state that they name; of a net at the first net transition with that label.

        Parameters
        ----------
        direction
            Main direction, as in `wf.picture`.
        """
        counts = counts_of(self.variants)
        if self._workflow is None:
            return draw_net(self.net, self._behaviour.shown, counts, direction)
        lacking = ((before, after, n) for before, after, n, _ in self._lacking(self._workflow) if before is not None)
        return draw_workflow(self._workflow, counts, lacking, direction)

    def __repr__(self) -> str:
        stopped = sum(each.cases for each in self.unknown)
        unknown = f"; {stopped:,} cases unknown, as the search was stopped, and not counted" if stopped else ""
        return (
            f"<Alignments with {self.net.name!r}: {self.cases:,} cases in {len(self.variants):,} variants; fitness "
            f"{self.fitness:.4f}, {self.fitting:.1%} of the cases fit, {self.cost:,} deviations{unknown}>"
        )

    def _repr_html_(self) -> str:
        counts: dict[tuple[str, str, str], int] = {}
        for row in self.deviations.itertuples():
            key = str(row.kind), str(row.seen or ""), str(row.expected or "")
            counts[key] = counts.get(key, 0) + int(row.cases)  # type: ignore[arg-type]
        top = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:10]
        told = "".join(
            f"<tr><td>{kind}</td><td>{html.escape(seen)}</td><td>{html.escape(expected)}</td><td>{n:,}</td></tr>"
            for (kind, seen, expected), n in top
        )
        head = "<tr><th>kind</th><th>seen</th><th>expected</th><th>cases</th></tr>"
        return f"<p>{html.escape(repr(self))}</p><table>{head}{told}</table>"


_VARIANTS = """
SELECT v.states, c.cases FROM (
    SELECT path_hash, count(*) AS cases FROM cases
    WHERE closed IS NOT NULL AND workflow = 0 AND parent_case IS NULL GROUP BY path_hash
) c JOIN variants_seen v ON v.path_hash = c.path_hash ORDER BY c.cases DESC, v.states
"""
_CASES = """
SELECT c.run, c."case", c.external_id, v.states FROM cases c JOIN variants_seen v ON v.path_hash = c.path_hash
WHERE c.closed IS NOT NULL AND c.workflow = 0 AND c.parent_case IS NULL ORDER BY c.run, c."case"
"""


def align(
    log: History | Iterable[Sequence[str]] | Mapping[tuple[str, ...], int],
    model: PetriNet | Workflow,
    *,
    labels: Mapping[str, str | None] | None = None,
    max_markings: int = MAX_MARKINGS,
    max_states: int = MAX_STATES,
    max_seconds: float | None = None,
) -> Alignments:
    """Explain each closed case of a log by a model with the fewest deviations.

    Parameters
    ----------
    log
        A history (of its closed root cases the root states, which are activities where it was imported); traces; or
        traces with how many cases have each.
    model
        A net with a final marking, or a workflow: then the ways through its root states, to a terminal one.
    labels
        The activity of each net transition, `None` for one that no log shows. Those left out have their label, or their
        name; those labelled `"τ"` or `"tau"` are silent.
    max_markings
        Up to so many markings of the net are followed all at once; of a net with more each variant is searched for.
    max_states
        Where the search for one variant stops: markings with positions in the trace.
    max_seconds
        Where all of it stops.

    Returns
    -------
    Alignments
        `.fitness`, `.precision`, `.cost`, `.deviations`, and `.variants` with the moves of each; `.unknown` has those
        whose search was stopped.

    Raises
    ------
    NetError
        If the net has no final marking, or does not reach it.
    OptionError
        If a limit is not positive.
    TypeError
        If log or model are something else.

    Notes
    -----
    Exact either way. Traces that begin alike share the work for that beginning. Time: for each different beginning one
    pass of Dijkstra's algorithm over the markings, in compiled code; memory: 8 bytes for each marking and event of the
    longest trace. Of several optimal alignments one is told: from the end on, events of both come before those of the
    log alone, and these before moves of the model.

    A net with more markings is searched by A*, led by the marking equation (`conformance.search`), most frequent
    variants first; which of several optimal alignments is told depends on the solutions of linear programs.
    """
    expect(
        model, (PetriNet, Workflow), "align takes a PetriNet or a Workflow", "Make one with wf.to_net or wf.read_pnml."
    )
    expect_whole("max_markings", max_markings)
    expect_whole("max_states", max_states)
    expect_seconds("max_seconds", max_seconds)
    if labels is not None:
        expect(labels, Mapping, "align(labels=…) takes a mapping", "Give the activity of each net transition, or None.")
    until = math.inf if max_seconds is None else time.monotonic() + max_seconds
    behaviour = Behaviour(states_of(model) if isinstance(model, Workflow) else model, labels or {})
    traces = _traces_of(log)
    number = {label: place for place, label in enumerate(behaviour.activities)}
    coded = {trace: [number.get(activity, -1) for activity in trace] for trace in traces}
    found = edges_of(behaviour, max_markings)
    if found is None:
        aligned, shortest = _searched(behaviour, coded, max_states, until)
    else:
        graph = Graph(*found, len(number))
        # Longer ones first among those that begin alike, so that what is shared was followed far enough.
        order = sorted(traces, key=lambda trace: (*coded[trace], len(number)))
        aligned = dict(zip(order, graph.align([coded[trace] for trace in order], until)))
        shortest = graph.shortest
    workflow = model if isinstance(model, Workflow) else None
    moves = _Moves(behaviour)
    variants = (_variant(moves, trace, cases, aligned.get(trace, (None, 0))) for trace, cases in traces.items())
    return Alignments(
        behaviour, tuple(variants), shortest // DEVIATION, log if isinstance(log, History) else None, workflow
    )


def _traces_of(log: Any) -> dict[tuple[str, ...], int]:
    """The different traces, with how many cases have each."""
    if isinstance(log, History):
        with reading(log.path), closing(log.cursor()) as con:
            return {tuple(states): n for states, n in con.execute(_VARIANTS).fetchall()}
    found: dict[tuple[str, ...], int] = {}
    what = "align takes a History, traces as lists of activities, or a mapping from traces to numbers"
    if isinstance(log, str) or not isinstance(log, Iterable):
        raise TypeError(f"{what}, not {log!r:.60}. Read a log with wf.read_log.")
    for trace in log:
        if isinstance(trace, str) or not isinstance(trace, Collection):
            raise TypeError(f"{what}, not of {trace!r:.60}. Read a log with wf.read_log.")
        if not all(isinstance(activity, str) for activity in trace):
            raise TypeError(f"activities are texts, not {trace!r:.60}. Read a log with wf.read_log.")
        n = log[trace] if isinstance(log, Mapping) else 1
        expect_whole("cases of a trace", n)
        found[tuple(trace)] = found.get(tuple(trace), 0) + n
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def _searched(
    behaviour: Behaviour, traces: Mapping[tuple[str, ...], Sequence[int]], max_states: int, until: float
) -> tuple[dict[tuple[str, ...], _Aligned], int]:
    """Steps and cost of each trace, in the time there is, and what the cheapest way through the model costs."""
    import numpy as np

    costs = [1 if code < 0 else DEVIATION for code in behaviour.codes]
    limits: dict[str, Any] = {"costs": costs, "log_cost": DEVIATION, "max_states": max_states}
    shortest = search(behaviour, [], until=math.inf, **limits)
    if shortest.steps is None:
        raise NetError(
            f"net {behaviour.net.name!r}: no way to its final marking was found in {max_states:,} states. "
            "Raise max_states, if there is one."
        )
    found: dict[tuple[str, ...], _Aligned] = {}
    for trace, coded in traces.items():
        if time.monotonic() >= until:
            break
        each = search(behaviour, coded, until=until, **limits)
        found[trace] = None if each.steps is None else np.array(each.steps, np.int64).reshape(-1, 3), each.cost
    return found, shortest.cost


class _Moves(dict[tuple[Any, ...], Move]):
    """The moves of steps; traces share them, as the same step is made by many."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    def of(self, trace: Sequence[str], steps: NDArray[np.int64]) -> tuple[Move, ...]:
        """The moves of one trace, by rows of kind, events before it and net transition."""
        return tuple(
            [
                self[trace[step[1]], step[1]] if step[0] == kernel.LOG_MOVE else self[step]
                for step in zip(*steps.T.tolist())
            ]
        )

    def __missing__(self, key: tuple[Any, ...]) -> Move:
        if len(key) == 2:
            move = Move(key[0], None, None, key[1])
        else:
            kind, position, transition = key
            expected = self._behaviour.shown[transition]
            seen = expected if kind == kernel.SYNCHRONOUS else None
            move = Move(seen, expected, self._behaviour.net.transitions[transition], position)
        self[key] = move
        return move


def _variant(moves: _Moves, trace: tuple[str, ...], cases: int, aligned: _Aligned) -> Variant:
    steps, cost = aligned
    return Variant(trace, cases, cost, None if steps is None else moves.of(trace, steps))
