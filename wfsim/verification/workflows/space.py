"""The open environment around `step`: every state an instance can be in, whatever the surroundings send.

The environment may send any external event that would be taken now, with any candidate payload, let any
timer fire at any moment or never, and let any activity start, succeed or fail at any moment or never.
Mailboxes are empty between steps. Breadth first, so every path is a shortest one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING, Literal, TypeAlias

from wfsim.arguments import expect, expect_whole
from wfsim.errors import WfsimError
from wfsim.exploration.domains import Domains
from wfsim.model.expression_tree import Expression
from wfsim.model.functions import told_calls
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import (
    FAILED,
    R_STATE_ENTERED,
    R_TRANSITION,
    R_TRANSITION_ABORTED,
    TIMED_OUT,
)
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.program import Program
from wfsim.semantics.records import Record, records_of
from wfsim.semantics.snapshot import Snapshot, take_snapshot
from wfsim.semantics.stimulus import Stimulus
from wfsim.semantics.texts import Texts
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.workflows.candidates import Candidates
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.erased import ErasedHost
from wfsim.verification.workflows.successors import Successors

if TYPE_CHECKING:
    from wfsim.verification.workflows.compiled_space import CompiledSearch

Engine: TypeAlias = Literal["auto", "python", "compiled"]
ENGINES: tuple[str, ...] = ("auto", "python", "compiled")
FEW_EDGES, MANY_EDGES = 500, 2_000
"""From how many edges on `auto` goes on with the compiled search: if it is loaded, and if it has to be."""
TOO_LONG = "max_seconds reached"


class WorkflowSpace:
    """States of one instance reachable in an open environment.

    Attributes
    ----------
    n_states, n_edges
        Sizes.
    snapshots, edges, before
        Of each state its snapshot, what can happen in it, and the state and edge by which it was found.
    taken, aborted
        For each transition row that was ever committed, or aborted: a first state and edge that do it.
    reached
        For each state row that was ever active, if only within one step: a first state and edge that enter it.
    failures
        For each state closed as failed or timed out and each error that closes it: a first state and edge that do
        it. Different errors may lead into one state, as a closed instance does not remember its error.
    complete, reason
        Whether everything was visited; if not, which limit stopped the search, that no start was accepted, or which
        functions in Python are missing (M14.5).
    starts
        What may happen before state 0: the starts.
    n_expanded
        How many states, from the first on, have all their edges.
    exact
        Whether the candidate values stand for all values; always true of an erased space.
    """

    def __init__(self, program: Program, claims: tuple[Expression, ...] = (), engine: Engine = "python") -> None:
        self.program = program
        self.domains = Domains(program, claims)
        self.candidates = Candidates(program, self.domains)
        texts = program.texts.copy()
        host = ErasedHost(program, texts) if program.erased else None
        self.successors = Successors(program, texts, self.candidates, host)
        self._snapshots: list[Snapshot] = []
        self._edges: list[list[Edge]] = []
        self._before: list[tuple[int, Edge]] = []
        # What the compiled search has found takes the place of these lists.
        self.snapshots: Sequence[Snapshot] = self._snapshots
        self.edges: Sequence[list[Edge]] = self._edges
        self.before: Sequence[tuple[int, Edge]] = self._before
        self._search: CompiledSearch | None = None
        self.starts: list[Edge] = []
        self.n_expanded = 0
        self.complete = True
        self.reason = ""
        self.taken: dict[int, tuple[int, Edge]] = {}
        self.reached: dict[int, tuple[int, Edge]] = {}
        self.aborted: dict[int, tuple[int, Edge]] = {}
        self.failures: dict[tuple[int, str], tuple[int, Edge]] = {}
        self._numbers: dict[Snapshot, int] = {}
        self._engine = engine
        self._n_more_edges = 0

    @property
    def texts(self) -> Texts:
        """The texts, lists and objects that snapshots refer to."""
        return self.successors.texts

    @property
    def n_states(self) -> int:
        """How many states were found."""
        return len(self.snapshots)

    @property
    def n_edges(self) -> int:
        """How many (state, stimulus) pairs lead somewhere."""
        return sum(map(len, self._edges)) + self._n_more_edges

    @property
    def exact(self) -> bool:
        """Whether candidate values stand for all values."""
        return self.program.erased or (self.domains.exact and not self.candidates.cut)

    def status(self, number: int) -> int:
        """`snapshots[number][0]`, without decoding the rest."""
        status: int = self.snapshots[number][0] if self._search is None else self._search.status(number)
        return status

    def targets(self, number: int) -> Iterable[int]:
        """Where the edges of a state lead, without making them."""
        if self._search is None:
            return [edge.target for edge in self._edges[number]]
        return self._search.targets(number)

    def late_targets(self, number: int) -> Iterable[int]:
        """Where the edges of a state lead however much time has passed there.

        Where the clock is read these are the edges at the last of the times that conditions tell apart: it stands for
        all later ones. What can be done then can be done from any time before, by waiting, and every timer is due.
        """
        if not self.program.head.reads_clock:
            return self.targets(number)
        last = self.candidates.moments()[-1]
        return [edge.target for edge in self.edges[number] if edge.stimulus.time == last]

    def instance(self, number: int) -> Instance:
        """An instance in that state; -1 is before the start."""
        return self.successors.instance(None if number < 0 else self.snapshots[number])

    def path_to(self, number: int) -> list[Edge]:
        """The stimuli of a shortest way to a state, the start first; none to -1, before the start."""
        path: list[Edge] = []
        at = number
        while at >= 0:
            at, edge = self.before[at]
            path.append(edge)
        return path[::-1]

    def can_reach(self, targets: Iterable[int], within: Set[int] | None = None, *, late: bool = False) -> set[int]:
        """The states from which one of the targets can be reached, by states `within` only; linear in the edges.

        With `late` also however much time has passed (`late_targets`).
        """
        following = self.late_targets if late else self.targets
        sources: list[list[int]] = [[] for _ in range(self.n_states)]
        for number in range(self.n_states) if within is None else within:
            for target in following(number):
                sources[target].append(number)
        found = set(targets)
        todo = list(found)
        while todo:
            for source in sources[todo.pop()]:
                if source not in found:
                    found.add(source)
                    todo.append(source)
        return found

    def records_of(self, number: int, edge: Edge) -> list[Record]:
        """What `step` records when the edge is taken in a state (-1: at the start)."""
        instance, output = self.apply(number, edge.stimulus, list(edge.answers))
        return records_of(instance, output)

    def __repr__(self) -> str:
        end = "" if self.complete else f", stopped: {self.reason}"
        return f"WorkflowSpace({self.program.workflow.name!r}, {self.n_states:,} states, {self.n_edges:,} edges{end})"

    # --- the search ------------------------------------------------------------------------------

    def apply(self, number: int, stimulus: Stimulus, script: list[int]) -> tuple[Instance, Output]:
        """What a stimulus does in a state (-1: before the start); an erased program is answered by the script."""
        instance = self.instance(number)
        return instance, self.successors.apply(instance, stimulus, script)

    def search(self, max_states: int, limits: Limits = UNLIMITED) -> None:
        """Visit states breadth first until none is new or a limit is reached."""
        if self.program.functions.missing and not self.program.erased:
            self._stop(f"{told_calls(self.program.functions.missing)} not given, so nothing can be stepped")
            return
        at, n_edges = -1, 0
        try:
            while at < self.n_states and self.complete:
                if at >= 0 and (search := self._compiled(n_edges, limits)) is not None:
                    self._go_on(search, max_states, limits)
                    break
                n_edges += self._expand(at, max_states, limits)
                at += 1
        except KeyboardInterrupt:
            self._stop("interrupted")
        if self.reason == TOO_LONG:
            self.reason = f"max_seconds={limits.max_seconds:g} reached"

    def _expand(self, at: int, max_states: int, limits: Limits) -> int:
        """Find all edges of a state, or before the start, unless a limit is reached; returns how many."""
        found: list[Edge] = self.starts if at < 0 else []
        for stimulus, answers, instance, output in self.successors.of(None if at < 0 else self.snapshots[at]):
            snapshot = take_snapshot(instance)
            target = self._numbers.get(snapshot, self.n_states)
            edge = Edge(stimulus, answers, target, self.successors.happened(output))
            if target == self.n_states:
                if target >= max_states:
                    self._stop(f"max_states={max_states:,} reached")
                    return 0
                self.add_state(snapshot, at, edge)
            found.append(edge)
            self.remember(at, edge, instance, output)
            if limits.late:
                self._stop(TOO_LONG)
                return 0
        if at >= 0:
            self._edges[at] = found
            self.n_expanded = at + 1
        elif not found:
            self._stop(f"no start was accepted: {self.candidates.refused}")
        return len(found)

    def add_state(self, snapshot: Snapshot, at: int, edge: Edge) -> None:
        """Number a state that was found by an edge of state `at`."""
        self._numbers[snapshot] = self.n_states
        self._snapshots.append(snapshot)
        self._before.append((at, edge))
        self._edges.append([])

    def remember(self, at: int, edge: Edge, instance: Instance, output: Output) -> None:
        """Keep what an edge of state `at` is the first to do."""
        if instance.me.status in (FAILED, TIMED_OUT):
            reason = str(records_of(instance, output)[-1].payload.get("reason", ""))
            self.failures.setdefault((edge.target, reason), (at, edge))
        for record in output.records:
            if record.kind == R_TRANSITION:
                self.taken.setdefault(record.transition, (at, edge))
                if record.to_state >= 0:
                    self.reached.setdefault(record.to_state, (at, edge))
            elif record.kind == R_TRANSITION_ABORTED:
                self.aborted.setdefault(record.transition, (at, edge))
            elif record.kind == R_STATE_ENTERED:
                self.reached.setdefault(record.state, (at, edge))

    def _compiled(self, n_edges: int, limits: Limits) -> CompiledSearch | None:
        """The compiled search, if it goes on from here; for `auto` if that pays and nothing has to be compiled."""
        auto = self._engine == "auto"
        # Times are tried by the search in Python only.
        if self._engine == "python" or self.program.head.reads_clock or (auto and n_edges < FEW_EDGES):
            return None
        from wfsim.verification.workflows import compiled_cache

        worth_it = n_edges >= MANY_EDGES and limits.allow(seconds=compiled_cache.LOADING)
        if auto and not (worth_it or compiled_cache.is_loaded()):
            return None
        from wfsim.verification.workflows.compiled_space import CompiledSearch

        first = (self._snapshots, self._edges, self._before, self.n_expanded)
        search = CompiledSearch(self.program, self.texts, self.candidates, *first)
        if auto and not compiled_cache.is_cached(search.arguments):
            self._engine = "python"
            return None
        return search

    def _go_on(self, search: CompiledSearch, max_states: int, limits: Limits) -> None:
        """Let the compiled search go on, and take over what it finds."""
        try:
            limit = search.run(max_states, limits)
            if limit:
                self._stop(f"max_states={max_states:,} reached" if limit == "states" else TOO_LONG)
        finally:
            self.snapshots, self.edges, self.before = search.snapshots(), search.edges(), search.before()
            self._search = search
            self._n_more_edges = search.n_edges
            self.n_expanded = search.n_expanded
            for name in ("taken", "reached", "aborted"):
                known = getattr(self, name)
                for row, place in search.firsts(name):
                    known.setdefault(row, place)
            for closed, place in search.failures():
                self.failures.setdefault(closed, place)

    def _stop(self, reason: str) -> None:
        self.complete = False
        self.reason = reason


def explore_workflow(
    workflow: Workflow,
    *,
    erase_conditions: bool = False,
    max_states: int = 100_000,
    max_seconds: float | None = None,
    claims: tuple[Expression, ...] = (),
    engine: Engine = "auto",
) -> WorkflowSpace:
    """Find every state that one instance can reach in an open environment, by running `step` itself.

    Parameters
    ----------
    erase_conditions
        Let every condition come out either way and every expression raise that can; values are not kept.
        Without it, conditions are evaluated on candidate values (see `Domains`).
    max_states, max_seconds
        Limits; running into one leaves `complete` false and the reason in `reason`.
    claims
        Conditions on variables that will be asked of the states found; candidate values on both sides of their
        constants are tried.
    engine
        `python` runs the interpreted step, `compiled` the compiled one; they find the same states and edges under the
        same numbers. `auto` begins with the first and goes on with the second where that pays, if it need not be
        compiled: so it is on this machine once `engine="compiled"` or `make bench` has been run, which takes half a
        minute, says so, and cannot be stopped by a limit of time. Loading takes a second in each process.

    Raises
    ------
    WfsimError
        If there is no such engine.
    FunctionError
        If a function in Python is none of its arguments (M14.3).

    Notes
    -----
    About 8,000 edges a second in Python, 500,000 compiled. An operator's `terminate` and `pause` are left
    out, and so are an operator's `cancel` and the workflow timer in states that do not handle them: they close any
    instance and would hide every dead end.
    """
    expect(workflow, Workflow, "explore_workflow searches a Workflow", "Load one: wf.load(path).")
    expect(claims, tuple, "explore_workflow takes a tuple of claims", "Parse each: parse_condition(text).")
    expect_whole("max_states", max_states)
    limits = Limits(max_seconds=max_seconds)
    if engine not in ENGINES:
        raise WfsimError(f"{engine!r} is not an engine of the search. Engines: {', '.join(ENGINES)}.")
    space = WorkflowSpace(compile_workflow(workflow, erased=erase_conditions), claims, engine)
    space.search(max_states, limits)
    return space
