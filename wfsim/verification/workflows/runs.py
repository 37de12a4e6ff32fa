"""Runs against automata: the states of a workflow and of an automaton searched together, breadth first.

So a violation of a safety property comes after as few steps as can be. What is owed for ever is found by `fairness`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from wfsim.model.evaluate import evaluate, need_boolean
from wfsim.model.expression_tree import Whole, walk
from wfsim.model.statuses import STATUSES
from wfsim.model.values import EvaluationFault
from wfsim.semantics.codec import OUTCOME, STATUS
from wfsim.semantics.codes import COMPLETED, NONE, OUTCOMES, TIMED_OUT
from wfsim.semantics.program import Program
from wfsim.semantics.snapshot import Snapshot, region_states, variable_cells
from wfsim.semantics.stimulus import Stimulus
from wfsim.semantics.texts import Texts
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.workflows.claims import Active, Atom, Claim, Happened, Once, Standing
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.edges import Happened as Happenings
from wfsim.verification.workflows.patterns import BAD, Automaton
from wfsim.verification.workflows.space import WorkflowSpace

Memory: TypeAlias = tuple[int, tuple[bool, ...]]
"""The state of the automaton, and what has been once."""
MOST_KNOWN = 100_000
"""Moments that are remembered of runs that are watched."""
View: TypeAlias = tuple[int, int, int, frozenset[int], tuple[Any, ...]]
"""Status, outcome, root state, active states and values, as far as claims look at them."""


@dataclass(frozen=True)
class Finding:
    """A run that refutes a property, or on which a claim has no value.

    `kind` is `moment` (refuted by its last moment), `closed`, `waits`, `stops`, `loop`, `timed_out` (it waits or goes
    on until the workflow timer ends it), or `fault`.
    """

    kind: str
    path: list[Edge]
    number: int
    loop: tuple[Edge, ...] = ()
    further: tuple[Stimulus, ...] = ()
    told: str = ""


class Product:
    """The states of a space, each with what an automaton remembers there.

    Attributes
    ----------
    states
        Number in the space, and memory; in the order found.
    edges
        For properties of whole runs: what leads from each state, and where to.
    finding
        The violation that ended the search, if one did.

    Raises
    ------
    OutOfTime
        If the time is over before all states are held against the automaton.
    """

    def __init__(self, space: WorkflowSpace, automaton: Automaton, limits: Limits = UNLIMITED) -> None:
        self.space = space
        self.limits = limits
        self.automaton = automaton
        self.moments = Moments(space.program, space.texts, space.snapshots, automaton.claims, automaton.step)
        self.states: list[tuple[int, Memory]] = []
        self.before: list[tuple[int, Edge]] = []
        self.edges: list[list[tuple[int, Edge]]] = []
        self.finding: Finding | None = None
        self._search()

    def _search(self) -> None:
        numbers: dict[tuple[int, Memory], int] = {}
        at = -1
        while at < len(self.states):
            self.limits.check("the runs found were held against the property")
            number, memory = self.states[at] if at >= 0 else (-1, self.moments.first)
            kept: dict[Any, tuple[int, Edge]] = {}
            for edge in self.space.edges[number] if number >= 0 else self.space.starts:
                try:
                    after = self.moments.next(memory, edge)
                except EvaluationFault as fault:
                    told = f"{fault.kind}: {fault}"
                    self.finding = Finding("fault", [*self.path(at), edge], edge.target, told=told)
                    return
                if after[0] == BAD:
                    self.finding = Finding("moment", [*self.path(at), edge], edge.target)
                    return
                place = numbers.get((edge.target, after))
                if place is None:
                    place = numbers[edge.target, after] = len(self.states)
                    self.states.append((edge.target, after))
                    self.before.append((at, edge))
                did = edge.stimulus
                kept.setdefault((place, did.kind, did.event, did.timer, did.activity_id, edge.happened), (place, edge))
            if at >= 0 and self.automaton.open:
                self.edges.append(list(kept.values()))
            at += 1

    def path(self, at: int) -> list[Edge]:
        """A shortest way from before the start to a state."""
        path: list[Edge] = []
        while at >= 0:
            at, edge = self.before[at]
            path.append(edge)
        return path[::-1]


class Moments:
    """What claims say at each moment, and what an automaton makes of it; each different moment is evaluated once."""

    def __init__(
        self,
        program: Program,
        texts: Texts,
        snapshots: Sequence[Snapshot],
        claims: tuple[Claim, ...],
        step: Callable[[int, tuple[bool, ...]], int],
    ) -> None:
        self.program = program
        self.texts = texts
        self.snapshots = snapshots
        self.claims = claims
        self.step = step
        self.once = list(dict.fromkeys(_once(claims)))
        self.true: set[int] = set()
        """Which claims were true at some moment."""
        self.first: Memory = (0, (False,) * len(self.once))
        every = [*claims, *self.once]
        atoms = [atom for claim in every for atom in claim.atoms]
        rows = {"event": program.event_rows, "activity": program.activity_rows, "state": program.state_rows}
        self._records = {
            atom: {(kind, rows[atom.what][atom.name]) for kind in atom.records}
            for atom in atoms
            if isinstance(atom, Happened)
        }
        self._watched = frozenset().union(*self._records.values())
        self._active = {program.state_rows[atom.state] for atom in atoms if isinstance(atom, Active)}
        self._root = program.head.root - program.head.first_region
        names = list(program.variables)
        self._variables = {name: names.index(name) for claim in claims for name in claim.variables}
        self._named = any(isinstance(node, Whole) for claim in every for node in walk(claim.tree))
        self._views: dict[int, View] = {}
        self._happened: dict[Happenings, Happenings] = {}
        self._known: dict[tuple[Memory, View, Happenings], Memory] = {}

    def next(self, memory: Memory, edge: Edge) -> Memory:
        """The memory after the moment that an edge leads to.

        Raises
        ------
        EvaluationFault
            If a claim has no value there, or one that is not true or false.
        """
        return self.after(memory, edge.target, edge.happened)

    def after(self, memory: Memory, number: int, happened: Happenings) -> Memory:
        """The memory after a moment: the state there, and what has happened in its step; errors as of `next`."""
        return self._after(memory, self.view(number), self._seen(happened))

    def seen(self, edge: Edge) -> Happenings:
        """What claims ask about of what has happened on an edge."""
        return self._seen(edge.happened)

    def _seen(self, happened: Happenings) -> Happenings:
        found = self._happened.get(happened)
        if found is None:
            found = tuple(dict.fromkeys(each for each in happened if each in self._watched))
            self._happened[happened] = found
        return found

    def timed_out(self, memory: Memory, number: int) -> Memory:
        """The memory after the workflow timer has ended a run in a state."""
        _, _, root, active, cells = self.view(number)
        return self._after(memory, (TIMED_OUT, 0, root, active, cells), ())

    def view(self, number: int) -> View:
        """A state as far as claims look at it."""
        found = self._views.get(number)
        if found is None:
            found = self._views[number] = self._view_of(self.snapshots[number])
        return found

    def _view_of(self, snapshot: Snapshot) -> View:
        states = region_states(self.program, snapshot)
        root = states[self._root] if self._named else NONE
        values = variable_cells(self.program, snapshot) if self._variables else []
        cells = tuple(values[k] for k in self._variables.values())
        active = frozenset(self._active.intersection(states))
        return snapshot[STATUS], snapshot[OUTCOME], root, active, cells

    def see(self, memory: Memory, snapshot: Snapshot, happened: Happenings) -> Memory:
        """The memory after a moment of a run that is not searched but watched; errors as of `next`."""
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
            self._happened.clear()
        return self._after(memory, self._view_of(snapshot), self._seen(happened))

    def _after(self, memory: Memory, view: View, happened: Happenings) -> Memory:
        key = (memory, view, happened)
        if key not in self._known:
            state, been = memory
            now: dict[Claim, bool] = {}
            for k, claim in enumerate(self.once):
                now[claim] = been[k] or self._truth(claim, view, happened, now)
            truths = tuple(self._truth(claim, view, happened, now) for claim in self.claims)
            self.true.update(k for k, truth in enumerate(truths) if truth)
            self._known[key] = (self.step(state, truths), tuple(now.values()))
        return self._known[key]

    def items(
        self, claim: Claim, view: View, happened: Happenings, been: Mapping[Claim, bool]
    ) -> dict[str, bool | str | None]:
        """What the atoms of a claim are worth at a moment, under the names that stand for them in its tree."""
        status, outcome, _, active, _ = view
        program = self.program

        def value(atom: Atom) -> bool | str | None:
            match atom:
                case Happened():
                    return not self._records[atom].isdisjoint(happened)
                case Active(name):
                    return program.state_rows[name] in active
                case Once(inner):
                    return been[inner]
                case Standing("closed"):
                    return bool(status >= COMPLETED)
                case Standing("status"):
                    return STATUSES[status]
                case Standing():
                    return OUTCOMES[outcome] or None

        return {str(k): value(atom) for k, atom in enumerate(claim.atoms)}

    def _truth(self, claim: Claim, view: View, happened: Happenings, been: Mapping[Claim, bool]) -> bool:
        _, _, root, _, cells = view
        program, texts = self.program, self.texts
        item = self.items(claim, view, happened, been)
        context = {name: texts.decode(*cell) for name, cell in zip(self._variables, cells)}
        found = evaluate(claim.tree, context, None, program.name(root) or "", item)
        return need_boolean(found, "a claim")


def _once(claims: Iterable[Claim]) -> Iterator[Claim]:
    """Claims inside `once`, the innermost first."""
    for claim in claims:
        for atom in claim.atoms:
            if isinstance(atom, Once):
                yield from _once([atom.claim])
                yield atom.claim
