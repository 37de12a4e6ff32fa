"""The open environment around `step`: every state an instance can be in, whatever the surroundings send.

The environment may send any external event that would be taken now, with any candidate payload, let any
timer fire at any moment or never, and let any activity start, succeed or fail at any moment or never.
Mailboxes are empty between steps. Breadth first, so every path is a shortest one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from wfsim.arguments import expect, expect_whole
from wfsim.errors import WfsimError
from wfsim.model.expression_tree import Expression
from wfsim.model.workflow import Workflow
from wfsim.semantics.codec import N_SCRATCH
from wfsim.semantics.codes import (
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CHILD_CLOSED,
    COMMANDS,
    EVENT,
    FAILED,
    R_EVENT_DEFERRED,
    R_EVENT_DISCARDED,
    R_EVENT_REJECTED,
    R_STATE_ENTERED,
    R_STIMULUS_IGNORED,
    R_TRANSITION,
    R_TRANSITION_ABORTED,
    TIMED_OUT,
    TIMER,
)
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.possible import POSSIBILITY, UNSEEN, handles, possible
from wfsim.semantics.program import Program
from wfsim.semantics.records import Record, records_of
from wfsim.semantics.snapshot import Mark, Snapshot, from_snapshot, take_snapshot
from wfsim.semantics.stimulus import Stimulus
from wfsim.semantics.texts import Texts
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.workflows.candidates import Candidates
from wfsim.verification.workflows.domains import Domains
from wfsim.verification.workflows.edges import TOLD, Edge, Happened
from wfsim.verification.workflows.erased import ErasedHost, next_script

if TYPE_CHECKING:
    from wfsim.verification.workflows.compiled_space import CompiledSearch

Engine: TypeAlias = Literal["auto", "python", "compiled"]
ENGINES: tuple[str, ...] = ("auto", "python", "compiled")
FEW_EDGES, MANY_EDGES = 500, 10_000
"""From how many edges on `auto` goes on with the compiled search: if it is loaded, and if it has to be."""
TOO_LONG = "max_seconds reached"
_VAIN = (R_EVENT_REJECTED, R_EVENT_DEFERRED, R_EVENT_DISCARDED, R_STIMULUS_IGNORED)


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
        Whether everything was visited; if not, which limit stopped the search, or that no start was accepted.
    starts
        What may happen before state 0: the starts.
    n_expanded
        How many states, from the first on, have all their edges.
    exact
        Whether the candidate values stand for all values; always true of an erased space.
    """

    def __init__(self, program: Program, claims: tuple[Expression, ...] = (), engine: Engine = "python") -> None:
        self.program = program
        self.texts: Texts = program.texts.copy()
        self.domains = Domains(program, claims)
        self.candidates = Candidates(program, self.domains)
        self.host = ErasedHost(program, self.texts) if program.erased else None
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
        self._told: dict[Happened, Happened] = {}
        self._engine = engine
        self._n_more_edges = 0

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

    def instance(self, number: int) -> Instance:
        """An instance in that state; -1 is before the start."""
        if number < 0:
            instance = Instance(self.program, texts=self.texts)
        else:
            instance = from_snapshot(self.program, self.texts, self.snapshots[number])
        if self.host is not None:
            instance.host = self.host  # type: ignore[assignment]
        return instance

    def path_to(self, number: int) -> list[Edge]:
        """The stimuli of a shortest way to a state, the start first; none to -1, before the start."""
        path: list[Edge] = []
        at = number
        while at >= 0:
            at, edge = self.before[at]
            path.append(edge)
        return path[::-1]

    def can_reach(self, targets: Iterable[int], within: Set[int] | None = None) -> set[int]:
        """The states from which one of the targets can be reached, by states `within` only; linear in the edges."""
        sources: list[list[int]] = [[] for _ in range(self.n_states)]
        for number in range(self.n_states) if within is None else within:
            for target in self.targets(number):
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
        return instance, self._answered(instance, stimulus, script)

    def _answered(self, instance: Instance, stimulus: Stimulus, script: list[int]) -> Output:
        if self.host is not None:
            self.host.begin(script)
        return instance.apply(stimulus)

    def _successors(self, number: int) -> Iterator[tuple[Stimulus, tuple[int, ...], Instance, Output]]:
        """All that can happen in a state, in one instance that is put back after each."""
        instance = self.instance(number)
        mark = Mark(instance)
        for stimulus in list(self.candidates.starts() if number < 0 else self._stimuli(instance)):
            script: list[int] | None = []
            while script is not None:
                output = self._answered(mark.restore(), stimulus, script)
                if not (stimulus.kind == "event" and len(output.records) > 1 and output.records[1].kind in _VAIN):
                    yield stimulus, tuple(script), instance, output
                script = None if self.host is None else next_script(script, self.host.asked)

    def _stimuli(self, instance: Instance) -> Iterator[Stimulus]:
        """Everything that can happen to an instance in this state, with every value that is tried."""
        head, size = self.program.head, len(instance.m)
        found = [0] * (POSSIBILITY * (head.n_events + 3 * size))
        n = possible(self.program.rows, instance.m, 0, [0] * (N_SCRATCH * size), found)
        for at in range(0, POSSIBILITY * n, POSSIBILITY):
            kind, row, named, attempt = found[at : at + POSSIBILITY]
            if kind == EVENT:
                event = self.program.name(row) or ""
                for payload in self.candidates.payloads(event):
                    yield Stimulus("event", event=event, payload=payload)
            elif kind == TIMER:
                yield Stimulus("timer", timer=row, timer_id=named)
            elif kind == CHILD_CLOSED:
                yield from self.candidates.child_ends(self._results(row), named)
            elif kind == ACTIVITY_STARTED:
                yield Stimulus("activity_started", activity_id=named, attempt=attempt)
            elif kind == ACTIVITY_SUCCEEDED:
                for result in self._results(row):
                    yield Stimulus("activity_succeeded", activity_id=named, attempt=attempt, result=result)
            elif kind == ACTIVITY_FAILED:
                common: dict[str, Any] = {"activity_id": named, "attempt": attempt}
                for error_type, message in self.candidates.errors(row):
                    yield Stimulus("activity_failed", error_type=error_type, message=message, **common)
            else:
                yield Stimulus("control", command=COMMANDS[row])

    def handles(self, instance: Instance, event: str) -> bool:
        """Whether a transition of the root region's state waits for the event."""
        return bool(handles(self.program.rows, instance.m, 0, self.program.event_rows[event]))

    def _results(self, variable: int) -> list[Any]:
        """Candidates for what an activity or child returns: all that its result variable can hold."""
        return [None] if variable == UNSEEN else self.candidates.results(variable)

    def search(self, max_states: int, limits: Limits = UNLIMITED) -> None:
        """Visit states breadth first until none is new or a limit is reached."""
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
        for stimulus, answers, instance, output in self._successors(at):
            snapshot = take_snapshot(instance)
            target = self._numbers.get(snapshot, self.n_states)
            edge = Edge(stimulus, answers, target, self._happened(output))
            if target == self.n_states:
                if target >= max_states:
                    self._stop(f"max_states={max_states:,} reached")
                    return 0
                self.add_state(snapshot, at, edge)
            found.append(edge)
            if instance.me.status in (FAILED, TIMED_OUT):
                reason = str(records_of(instance, output)[-1].payload.get("reason", ""))
                self.failures.setdefault((target, reason), (at, edge))
            for record in output.records:
                if record.kind == R_TRANSITION:
                    self.taken.setdefault(record.transition, (at, edge))
                    if record.to_state >= 0:
                        self.reached.setdefault(record.to_state, (at, edge))
                elif record.kind == R_TRANSITION_ABORTED:
                    self.aborted.setdefault(record.transition, (at, edge))
                elif record.kind == R_STATE_ENTERED:
                    self.reached.setdefault(record.state, (at, edge))
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

    def _compiled(self, n_edges: int, limits: Limits) -> CompiledSearch | None:
        """The compiled search, if it goes on from here; for `auto` if that pays and nothing has to be compiled."""
        auto = self._engine == "auto"
        if self._engine == "python" or (auto and n_edges < FEW_EDGES):
            return None
        from wfsim.verification.workflows import compiled_cache

        worth_it = n_edges >= MANY_EDGES and limits.allow(seconds=compiled_cache.LOADING)
        if auto and not (worth_it or compiled_cache.is_loaded()):
            return None
        from wfsim.verification.workflows.compiled_space import CompiledSearch

        first = (self._snapshots, self._edges, self._before, self.n_expanded)
        search = CompiledSearch(self.program, self.texts, self.host, self.candidates, *first)
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

    def _happened(self, output: Output) -> Happened:
        """What a step records of what can be asked about, each list kept once."""
        found = tuple(
            (record.kind, row)
            for record in output.records
            if record.kind in TOLD and (row := getattr(record, TOLD[record.kind])) >= 0
        )
        return self._told.setdefault(found, found)

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
        compiled: so it is on this machine once `engine="compiled"` or `make bench` has been run, which takes a minute
        or two to compile, which it says and no limit of time can stop. Loading takes two seconds in each process.

    Raises
    ------
    WfsimError
        If there is no such engine.

    Notes
    -----
    About 8,000 edges a second in Python, 200,000 compiled. An operator's `terminate` and `pause` are left
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
