"""`align`: the cheapest explanation of each trace of a log by a model, and what follows from all of them."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from wfsim.arguments import expect, expect_whole
from wfsim.errors import HistoryError
from wfsim.history.history import History
from wfsim.model.workflow import Workflow
from wfsim.net.petri import PetriNet
from wfsim.semantics.announcing import announce_compiling

from . import kernel
from .behaviour import Behaviour, states_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

DEVIATION = 10_000
"""What a move of one side alone costs; a silent one costs 1, so that ways without them come first.

So an alignment has the fewest deviations, and of those with as many the fewest silent moves, up to 9,999 of these.
"""
MAX_MARKINGS = 200_000
_MOVES = 1 << 20
_CELLS = 1 << 28


@dataclass(frozen=True)
class Move:
    """One move of an alignment.

    Attributes
    ----------
    seen
        The activity of the log, `None` if the model moves alone.
    expected
        The activity of the model, `None` if the log moves alone or the move is silent.
    transition
        The net transition, `None` if the log moves alone.
    position
        How many events of the trace come before it.
    """

    seen: str | None
    expected: str | None
    transition: str | None
    position: int

    @property
    def deviates(self) -> bool:
        """Whether log and model differ here."""
        return self.seen != self.expected


@dataclass(frozen=True)
class Variant:
    """A trace with its alignment.

    Attributes
    ----------
    activities
        Of the trace.
    cases
        How many cases have it.
    cost
        `DEVIATION` for each move of one side alone, 1 for each silent one.
    moves
        First first.
    """

    activities: tuple[str, ...]
    cases: int
    cost: int
    moves: tuple[Move, ...]

    @property
    def deviations(self) -> int:
        """How many moves are of one side alone."""
        return sum(move.deviates for move in self.moves)


class Alignments:
    """Optimal alignments of a log's variants with a model.

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
        self, behaviour: Behaviour, variants: tuple[Variant, ...], shortest: int, history: History | None
    ) -> None:
        self._behaviour = behaviour
        self._history = history
        self.variants = variants
        self.net = behaviour.net
        self.shortest = shortest

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return sum(each.cases for each in self.variants)

    @property
    def cost(self) -> int:
        """Deviations over all cases."""
        return sum(each.cases * each.deviations for each in self.variants)

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
        most = sum(each.cases * (len(each.activities) + self.shortest) for each in self.variants)
        return 1.0 if most == 0 else 1.0 - self.cost / most

    @property
    def fitting(self) -> float:
        """The share of cases without a deviation."""
        return sum(each.cases for each in self.variants if not each.deviations) / max(self.cases, 1)

    @cached_property
    def precision(self) -> float:
        """How much of what the model allows on the way of the cases some case does.

        For each beginning of an aligned run that goes on: activities that some case goes on with, by those
        that the model
        could go on with, weighted by how many cases are there; of one optimal alignment for each variant [1]_.

        References
        ----------
        .. [1] Adriansyah, Munoz-Gama, Carmona, van Dongen & van der Aalst (2015), Measuring precision of modeled
           behavior, Information Systems and e-Business Management 13, 37-67.
        """
        return _precision(self._behaviour, self.variants)

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
            for move in variant.moves
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

    def __repr__(self) -> str:
        return (
            f"<Alignments with {self.net.name!r}: {self.cases:,} cases in {len(self.variants):,} variants; fitness "
            f"{self.fitness:.4f}, {self.fitting:.1%} of the cases fit, {self.cost:,} deviations>"
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
SELECT v.states, count(*) FROM cases c JOIN variants_seen v ON v.path_hash = c.path_hash
WHERE c.closed IS NOT NULL AND c.workflow = 0 AND c.parent_case IS NULL
GROUP BY v.states ORDER BY count(*) DESC, v.states
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
        The net may not have more.

    Returns
    -------
    Alignments
        `.fitness`, `.precision`, `.cost`, `.deviations`, and `.variants` with the moves of each.

    Raises
    ------
    NetError
        If the net has no final marking, does not reach it, or has more than `max_markings` markings.
    TypeError
        If log or model are something else.

    Notes
    -----
    Exact. Traces that begin alike share the work for that beginning. Time: for each different beginning one pass of
    Dijkstra's algorithm over the markings, in compiled code; memory: 8 bytes for each marking and event of the longest
    trace. Of several optimal alignments one is told: from the end on, events of both come before those of the
    log alone, and these before moves of the model.
    """
    expect(
        model, (PetriNet, Workflow), "align takes a PetriNet or a Workflow", "Make one with wf.to_net or wf.read_pnml."
    )
    expect_whole("max_markings", max_markings)
    if labels is not None:
        expect(labels, Mapping, "align(labels=…) takes a mapping", "Give the activity of each net transition, or None.")
    net = states_of(model) if isinstance(model, Workflow) else model
    behaviour = Behaviour(net, labels or {}, max_markings)
    traces = _traces_of(log)
    variants, shortest = _aligned(behaviour, traces)
    return Alignments(behaviour, variants, shortest, log if isinstance(log, History) else None)


def _traces_of(log: Any) -> dict[tuple[str, ...], int]:
    """The different traces, with how many cases have each."""
    if isinstance(log, History):
        return {tuple(states): n for states, n in log.sql(_VARIANTS, max_rows=None).fetchall()}
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


def _aligned(behaviour: Behaviour, traces: Mapping[tuple[str, ...], int]) -> tuple[tuple[Variant, ...], int]:

    graph = _Graph(behaviour)
    number = {label: place for place, label in enumerate(behaviour.activities)}
    coded = {trace: [number.get(activity, -1) for activity in trace] for trace in traces}
    # Longer ones first among those that begin alike, so that what is shared was followed far enough.
    order = sorted(traces, key=lambda trace: (*coded[trace], len(number)))
    moves, costs = graph.align([coded[trace] for trace in order])
    named: dict[tuple[str, ...], Variant] = {}
    for trace, found, cost in zip(order, moves, costs):
        told = tuple(_move(behaviour, trace, each) for each in found)
        named[trace] = Variant(trace, traces[trace], cost, told)
    return tuple(named[trace] for trace in traces), graph.base // DEVIATION


def _move(behaviour: Behaviour, trace: Sequence[str], move: Sequence[int]) -> Move:
    kind, position, edge = move
    if kind == kernel.LOG_MOVE:
        return Move(trace[position], None, None, position)
    transition = int(behaviour.edges[edge, 3])
    expected = behaviour.shown[transition]
    seen = trace[position] if kind == kernel.SYNCHRONOUS else None
    return Move(seen, expected, behaviour.net.transitions[transition], position)


class _Graph:
    """A behaviour as the kernel reads it."""

    def __init__(self, behaviour: Behaviour) -> None:
        import numpy as np

        edges = behaviour.edges.copy()
        silent = edges[:, kernel.ACTIVITY] < 0
        edges[:, kernel.COST] = np.where(silent, 1, DEVIATION)
        self._edges: Numbers = np.ascontiguousarray(edges)
        n = behaviour.n_markings
        self._n = n
        self._final = behaviour.final
        self._out_start, self._out = _grouped(edges[:, kernel.FROM], n)
        self._into_start, self._into = _grouped(edges[:, kernel.TO], n)
        seen = np.flatnonzero(~silent)
        self._by_start, by = _grouped(edges[seen, kernel.ACTIVITY], len(behaviour.activities))
        self._by: Numbers = seen[by]
        self.base = 0
        # The empty trace: nothing but moves of the model.
        _, (self.base,) = self.align([[]], base=DEVIATION * (n + 1))

    def align(
        self, traces: Sequence[Sequence[int]], base: int | None = None
    ) -> tuple[list[list[list[int]]], list[int]]:
        """The moves of each trace, first first, and their costs."""
        import numpy as np

        base = self.base if base is None else base
        lengths = np.array([len(each) for each in traces], np.int64)
        bounds: Numbers = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        flat: Numbers = np.array([activity for each in traces for activity in each] or [0], np.int64)
        longest = int(lengths.max(initial=0))
        if (longest + 1) * self._n > _CELLS:
            raise HistoryError(
                f"a trace of {longest:,} events and a net of {self._n:,} markings need more than {8 * _CELLS:,} "
                f"bytes to "
                "align. Leave out the longest traces, or take a smaller net."
            )
        costs = np.zeros((longest + 1, self._n), np.int64)
        heap, place = np.zeros(self._n, np.int64), np.zeros(self._n, np.int64)
        results, ends = np.zeros(len(traces), np.int64), np.zeros(len(traces), np.int64)
        moves = np.zeros((_MOVES, 3), np.int64)
        told: list[list[list[int]]] = []
        first = 0
        while first < len(traces):
            given = (
                *(flat, bounds, self._edges, self._out_start, self._out, self._into_start, self._into),
                *(
                    self._by_start,
                    self._by,
                    self._final,
                    DEVIATION,
                    base,
                    costs,
                    heap,
                    place,
                    moves,
                    ends,
                    results,
                    first,
                ),
            )
            done = int(kernel.ALIGN.ready(given, _announce)(*given))
            begin = 0
            for trace in range(first, done):
                told.append(moves[begin : ends[trace]][::-1].tolist())
                begin = int(ends[trace])
            if done == first:
                moves = np.zeros((2 * len(moves), 3), np.int64)
            first = done
        return told, results.tolist()


def _grouped(keys: Numbers, n: int) -> tuple[Numbers, Numbers]:
    """Rows by key: where those of each key begin, and the rows."""
    import numpy as np

    order = np.argsort(keys, kind="stable").astype(np.int64)
    start = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=n))]).astype(np.int64)
    return start, order


def _announce() -> None:
    announce_compiling("the search for alignments", "some seconds")


def _precision(behaviour: Behaviour, variants: Sequence[Variant]) -> float:
    """Of the aligned runs as a tree of what is seen: what they go on with, by what they could go on with."""
    leaving: dict[int, list[tuple[int, int]]] = {}
    for source, target, activity, _ in behaviour.edges.tolist():
        leaving.setdefault(source, []).append((target, activity))
    number = {name: place for place, name in enumerate(behaviour.net.transitions)}
    taken: dict[tuple[int, int], int] = {}
    for source, target, _, transition in behaviour.edges.tolist():
        taken[source, transition] = target
    could: dict[int, frozenset[int]] = {}

    def next_of(marking: int) -> frozenset[int]:
        """The activities that may come next, after silent moves."""
        if marking not in could:
            seen, open_markings, found = {marking}, [marking], set()
            while open_markings:
                for target, activity in leaving.get(open_markings.pop(), ()):
                    if activity >= 0:
                        found.add(activity)
                    elif target not in seen:
                        seen.add(target)
                        open_markings.append(target)
            could[marking] = frozenset(found)
        return could[marking]

    allowed: dict[tuple[str, ...], set[int]] = {}
    done: dict[tuple[str, ...], set[str]] = {}
    weights: dict[tuple[str, ...], int] = {}
    for variant in variants:
        marking = 0
        run: tuple[str, ...] = ()
        allowed.setdefault(run, set()).update(next_of(marking))
        for move in variant.moves:
            if move.transition is None:
                continue
            marking = taken[marking, number[move.transition]]
            if move.expected is not None:
                done.setdefault(run, set()).add(move.expected)
                weights[run] = weights.get(run, 0) + variant.cases
                run = (*run, move.expected)
                allowed.setdefault(run, set()).update(next_of(marking))
    most = sum(weight * len(allowed[run]) for run, weight in weights.items())
    return sum(n * len(done[run]) for run, n in weights.items()) / most if most else 1.0
