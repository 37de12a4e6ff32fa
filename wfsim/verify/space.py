"""The open environment around `step`: every state an instance can be in, whatever the surroundings send.

The environment may send any external event that would be taken now, with any candidate payload, let any
timer fire at any moment or never, and let any activity start, succeed or fail at any moment or never.
Mailboxes are empty between steps. Breadth first, so every path is a shortest one.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Any, TypeAlias

from wfsim.errors import NotCovered, StartRefused
from wfsim.model.expression_tree import Expression, TemplateList, names
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import (
    ACTIVE,
    BACKOFF,
    BOOLEAN,
    CHILD,
    COMPLETED,
    FAILED,
    FAULT,
    GROUNDED,
    IDLE,
    INTEGER,
    LIST,
    NULL,
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_EVENT_DEFERRED,
    R_EVENT_DISCARDED,
    R_EVENT_RECEIVED,
    R_EVENT_REJECTED,
    R_STATE_ENTERED,
    R_STIMULUS_IGNORED,
    R_TRANSITION,
    R_TRANSITION_ABORTED,
    RUNNING,
    SCHEDULED,
    STATUSES,
    STRING,
    T_TYPE,
    TIMED_OUT,
    WAITING,
)
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.layout import Cell, Cells, Rows, WorkCell
from wfsim.semantics.program import Program
from wfsim.semantics.records import Record, records_of
from wfsim.semantics.snapshot import Mark, Snapshot, from_snapshot, take_snapshot
from wfsim.semantics.stimulus import Stimulus, checked_inputs
from wfsim.semantics.texts import Texts
from wfsim.semantics.values import set_null

from .cells import fresh
from .domains import MOST_ITEMS, Domains

MOST_PAYLOADS = 2_000
_VAIN = (R_EVENT_REJECTED, R_EVENT_DEFERRED, R_EVENT_DISCARDED, R_STIMULUS_IGNORED)


Happened: TypeAlias = tuple[tuple[int, int], ...]
TOLD = {
    R_EVENT_RECEIVED: "event",
    R_ACTIVITY_SCHEDULED: "activity",
    R_ACTIVITY_STARTED: "activity",
    R_ACTIVITY_SUCCEEDED: "activity",
    R_ACTIVITY_FAILED: "activity",
    R_ATTEMPT_TIMED_OUT: "activity",
    R_ACTIVITY_CANCELLED: "activity",
    R_TRANSITION: "to_state",
    R_STATE_ENTERED: "state",
}
"""Records that edges remember, and which column names what they are about."""


class ErasedHost:
    """Answers for an erased program: each question has several answers, and the search tries them all."""

    def __init__(self, program: Program, texts: Texts) -> None:
        self.program = program
        self.texts = texts
        self.lists = [(LIST, texts.handle([None] * n)) for n in range(MOST_ITEMS + 1)]
        self.unknown = texts.handle("")
        self.script: list[int] = []
        self.asked: list[int] = []

    def begin(self, script: list[int]) -> None:
        """Answer the next questions by this script, and the first choice beyond it."""
        self.script = script
        self.asked = []

    def evaluate(self, number: int, m: Rows, v: Cells, i: int, private: int, payload: int, answer: Cell) -> None:
        """One of the answers that the expression could have."""
        asked = self.program.host[number]
        choices: list[tuple[int, int]] = {
            "condition": [(BOOLEAN, 1), (BOOLEAN, 0)],
            "duration": [(INTEGER, 1)],
            "value": [(NULL, 0)],
            "item": [(NULL, 0)],
            "items": self.lists,
            "receiver": [(STRING, self.unknown)],
            "key": [(STRING, self.unknown)],
        }[asked.role]
        if asked.raises or asked.role in ("items", "receiver", "key"):
            choices = [*choices, (FAULT, T_TYPE)]
        if isinstance(asked.template, TemplateList) and not any(True for _ in names(asked.template)):
            # A list written out is what it is.
            choices = [(LIST, self.texts.handle([None] * len(asked.template.items)))]
        at = len(self.asked)
        self.asked.append(len(choices))
        answer.tag, answer.whole = choices[self.script[at] if at < len(self.script) else 0]
        answer.real = 0.0

    def length(self, items: int) -> int:
        """The number of items of a list, one of those chosen from or one that the definition gives."""
        return len(self.texts.value(items))

    def element(self, items: int, index: int, answer: Cell) -> None:
        """Items have no value in an erased program."""
        set_null(answer)

    def results(self, ended: list[tuple[int, int, Cells]], collect: int, answer: Cell) -> None:
        """Nor have results."""
        set_null(answer)

    def order(self, left: int, right: int) -> int:
        """Never asked: an erased program compares nothing."""
        raise NotCovered("an erased program compares no texts.")


@dataclass(frozen=True)
class Edge:
    """One thing that can happen in a state, where it leads, and which records of `TOLD` it makes, with their rows."""

    stimulus: Stimulus
    answers: tuple[int, ...]
    target: int
    happened: Happened = ()


class WorkflowSpace:
    """States of one instance reachable in an open environment.

    Attributes
    ----------
    n_states, n_edges
        Sizes.
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

    def __init__(self, program: Program, claims: tuple[Expression, ...] = ()) -> None:
        self.program = program
        self.texts: Texts = program.texts.copy()
        self.domains = Domains(program, claims)
        self.host = ErasedHost(program, self.texts) if program.erased else None
        self.snapshots: list[Snapshot] = []
        self.edges: list[list[Edge]] = []
        self.starts: list[Edge] = []
        self.n_expanded = 0
        self.before: list[tuple[int, Edge]] = []
        self.complete = True
        self.reason = ""
        self.taken: dict[int, tuple[int, Edge]] = {}
        self.reached: dict[int, tuple[int, Edge]] = {}
        self.aborted: dict[int, tuple[int, Edge]] = {}
        self.failures: dict[tuple[int, str], tuple[int, Edge]] = {}
        self._numbers: dict[Snapshot, int] = {}
        self._cut = False
        self._refused = ""
        self._payloads: dict[str, list[dict[str, Any]]] = {}
        self._told: dict[Happened, Happened] = {}

    @property
    def n_states(self) -> int:
        """How many states were found."""
        return len(self.snapshots)

    @property
    def n_edges(self) -> int:
        """How many (state, stimulus) pairs lead somewhere."""
        return sum(len(edges) for edges in self.edges)

    @property
    def exact(self) -> bool:
        """Whether candidate values stand for all values."""
        return self.program.erased or (self.domains.exact and not self._cut)

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
        sources: list[list[int]] = [[] for _ in self.snapshots]
        for number in range(self.n_states) if within is None else within:
            for edge in self.edges[number]:
                sources[edge.target].append(number)
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
        for stimulus in list(self._starts() if number < 0 else self._stimuli(instance)):
            script: list[int] | None = []
            while script is not None:
                output = self._answered(mark.restore(), stimulus, script)
                if not (stimulus.kind == "event" and len(output.records) > 1 and output.records[1].kind in _VAIN):
                    yield stimulus, tuple(script), instance, output
                script = None if self.host is None else _next_script(script, self.host.asked)

    def _starts(self) -> Iterator[Stimulus]:
        inputs = {name: v for name, v in self.program.variables.items() if v.input}
        candidates = [
            [None] if self.program.erased else self.domains.of_variable(name, variable)
            for name, variable in inputs.items()
        ]
        for values in self._combined(candidates):
            # Null given and nothing given differ where the variable has an initial value.
            given = {
                name: value
                for name, value in zip(inputs, values)
                if value is not None or inputs[name].initial is not None
            }
            if self.program.erased:
                given = _plain_inputs(self.program)
            try:
                checked_inputs(self.program, given)
            except StartRefused as refused:
                self._refused = self._refused or str(refused)
                continue
            yield Stimulus("start", payload=given)

    def _stimuli(self, instance: Instance) -> Iterator[Stimulus]:
        """Everything that can happen to an instance in this state."""
        if instance.is_closed:
            return
        program, m, head = self.program, instance.m, self.program.head
        # Where an automatic transition came first, its region may hold what set the step off: then nobody sends more.
        held = m[WAITING].first >= 0
        busy = {}
        for r in range(head.first_region, head.first_region + head.n_regions):
            cell = m[program.rows[r].slot]
            if cell.phase == ACTIVE:
                busy[r] = cell.flight_phase != GROUNDED
        for name in program.events:
            row = program.rows[program.event_rows[name]]
            listening = [program.rows[k].region for k in range(row.first_listener, row.end_listener)]
            concerned = [r for r in listening if r in busy]
            if concerned and not held and not any(busy[r] for r in concerned):
                for payload in self.payloads(name):
                    yield Stimulus("event", event=name, payload=payload)
        for timer in instance.timers():
            if timer.name == "workflow":
                event = "workflow_timeout"
                if not self.handles(instance, event):
                    continue
            elif (
                timer.activity_id is None
                and timer.region is not None
                and (held or busy.get(program.region_rows[timer.region], True))
            ):
                continue
            yield Stimulus("timer", timer=timer.place, timer_id=timer.id)
        for k, work in enumerate(instance.works()):
            if work.phase in (IDLE, BACKOFF):
                continue
            if work.phase == CHILD:
                yield from self._child_ends(instance, work, k)
                continue
            common: dict[str, Any] = {"activity_id": work.serial, "attempt": work.attempt}
            if work.phase == SCHEDULED:
                yield Stimulus("activity_started", **common)
            if work.phase == RUNNING:
                for result in self._results(instance, k):
                    yield Stimulus("activity_succeeded", result=result, **common)
                for error_type, message in self._failures(work.activity):
                    yield Stimulus("activity_failed", error_type=error_type, message=message, **common)
        if self.handles(instance, "cancel_requested"):
            yield Stimulus("control", command="cancel")

    def _child_ends(self, instance: Instance, work: WorkCell, k: int) -> Iterator[Stimulus]:
        """A child may close in every way (M4.4); its outputs are one object, as large as its workflow makes it."""
        for result in self._results(instance, k):
            if result is None or isinstance(result, dict):
                yield Stimulus(
                    "child_closed", activity_id=work.serial, status="completed", outcome="success", payload=result or {}
                )
        for status in STATUSES[COMPLETED:]:
            outcome = "failure" if status == "completed" else None
            yield Stimulus("child_closed", activity_id=work.serial, status=status, outcome=outcome)

    def handles(self, instance: Instance, event: str) -> bool:
        """Whether a transition of the root region's state waits for the event."""
        root = instance.m[self.program.rows[self.program.head.root].slot]
        if root.phase != ACTIVE:
            # While cancelling, nothing is active.
            return False
        state = self.program.rows[root.state]
        wanted = self.program.event_rows[event]
        return not state.terminal and any(
            self.program.rows[t].event == wanted for t in range(state.first_transition, state.end_transition)
        )

    def payloads(self, event: str) -> Iterator[dict[str, Any]]:
        """Candidate payloads of an event."""
        if event not in self._payloads:
            self._payloads[event] = list(self._payloads_of(event))
        yield from self._payloads[event]

    def _payloads_of(self, event: str) -> Iterator[dict[str, Any]]:
        declared = self.program.events[event].payload
        if self.program.erased:
            yield {name: self.domains.of_field(event, name, kind)[0] for name, kind in declared.items()}
            return
        names = list(dict.fromkeys([*declared, *self.program.event_fields[event]]))
        candidates = [self.domains.of_field(event, name, declared.get(name)) for name in names]
        for values in self._combined(candidates):
            yield {name: value for name, value in zip(names, values) if value is not None or name in declared}

    def _combined(self, candidates: list[list[Any]]) -> Iterator[tuple[Any, ...]]:
        """One value of each list; beyond `MOST_PAYLOADS` combinations the rest is left out, and told so."""
        self._cut |= math.prod(map(len, candidates)) > MOST_PAYLOADS
        return itertools.islice(itertools.product(*candidates), MOST_PAYLOADS)

    def _results(self, instance: Instance, k: int) -> list[Any]:
        """Candidates for what an activity returns: all that its result variable can hold."""
        work = instance.works()[k]
        if self.program.erased or work.undoes >= 0 or work.each >= 0:
            # What items give goes into one list, which no condition can look into.
            return [None]
        head = self.program.head
        cell = instance.m[self.program.rows[head.first_region + k // 2].slot]
        row = self.program.rows[cell.action].variable if k % 2 else self.program.rows[cell.state].result_variable
        if row < 0:
            return self.domains.of_result()
        name = self.program.name(row) or ""
        return self.domains.of_variable(name, self.program.variables[name])

    def _failures(self, activity: int) -> Iterator[tuple[str, str | None]]:
        """Error types and messages: one type that is tried again, each that is not, each that a condition names."""
        name = self.program.name(activity) or ""
        policy = self.program.activities[name].retry_policy or self.program.workflow.retry_policy
        told = list(policy.non_retryable_errors) if policy is not None else []
        if not self.program.erased:
            told += self.domains.named_error_types()
        types = dict.fromkeys([fresh("Error", told), *told])
        known = [each for each in types if each and each.partition(".")[0] not in ("Timeout", "Expression")]
        yield from itertools.product(known, [None] if self.program.erased else self.domains.of_message())

    def search(self, max_states: int, max_seconds: float | None) -> None:
        """Visit states breadth first until none is new or a limit is reached."""
        deadline = None if max_seconds is None else time.monotonic() + max_seconds
        at = -1
        try:
            while at < len(self.snapshots):
                found: list[Edge] = self.starts if at < 0 else []
                for stimulus, answers, instance, output in self._successors(at):
                    snapshot = take_snapshot(instance)
                    target = self._numbers.get(snapshot)
                    edge = Edge(
                        stimulus,
                        answers,
                        target if target is not None else len(self.snapshots),
                        self._happened(output),
                    )
                    if target is None:
                        if len(self.snapshots) >= max_states:
                            self._stop(f"max_states={max_states:,} reached")
                            return
                        self._numbers[snapshot] = len(self.snapshots)
                        self.snapshots.append(snapshot)
                        self.before.append((at, edge))
                        self.edges.append([])
                    found.append(edge)
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
                    if deadline is not None and time.monotonic() > deadline:
                        self._stop(f"max_seconds={max_seconds:g} reached")
                        return
                if at >= 0:
                    self.edges[at] = found
                    self.n_expanded = at + 1
                elif not found:
                    self._stop(f"no start was accepted: {self._refused}")
                at += 1
        except KeyboardInterrupt:
            self._stop("interrupted")

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

    Notes
    -----
    About 5,000 edges a second. An operator's `terminate` and `pause` are left out, and so are an operator's
    `cancel` and the workflow timer in states that do not handle them: they close any instance and would hide
    every dead end.
    """
    space = WorkflowSpace(compile_workflow(workflow, erased=erase_conditions), claims)
    space.search(max_states, max_seconds)
    return space


def _next_script(script: list[int], asked: list[int]) -> list[int] | None:
    """The next answers to try: the last question that has a further answer gets it, and later ones start over."""
    full = script + [0] * (len(asked) - len(script))
    for at in range(len(asked) - 1, -1, -1):
        if full[at] + 1 < asked[at]:
            return [*full[:at], full[at] + 1]
    return None


def _plain_inputs(program: Program) -> dict[str, Any]:
    domains = Domains(program)
    inputs = {name: variable for name, variable in program.variables.items() if variable.input}
    first = {name: domains.of_variable(name, variable)[0] for name, variable in inputs.items()}
    return {name: value for name, value in first.items() if value is not None}
