"""What `step` does with values that are not known: a finite graph of control states, whose edges carry formulas.

The program is compiled so that every expression is a question to the surroundings. They answer in each way that is
possible and remember as a formula for which values it is the answer; a value that is written becomes a marker, a text
that stands for a term and that `step` carries like any other value. After the step each marker in the instance is
replaced by one that names its place. So two instances that differ in values only are one state of this graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wfsim.errors import NotCovered
from wfsim.exploration.domains import Domains
from wfsim.model.elements import Event, Variable
from wfsim.model.expression_tree import NOW, Expression, names
from wfsim.model.operations import Operation
from wfsim.model.uses import declared_variables, uses, writes
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.snapshot import Snapshot, take_snapshot, variable_cells
from wfsim.verification.nets.limits import UNLIMITED, Limits, OutOfTime
from wfsim.verification.workflows.conditions.looking import looks
from wfsim.verification.workflows.conditions.symbols import Symbols
from wfsim.verification.workflows.conditions.terms import Term
from wfsim.verification.workflows.conditions.truths import Truth, both
from wfsim.verification.workflows.edges import Edge, done_in
from wfsim.verification.workflows.successors import Successors
from wfsim.verification.workflows.symbolic.clock import PLACE, Clock
from wfsim.verification.workflows.symbolic.host import SymbolicHost
from wfsim.verification.workflows.symbolic.markers import Markers
from wfsim.verification.workflows.symbolic.narrower import read_of_a_pattern, returned
from wfsim.verification.workflows.symbolic.outside import MarkedValues
from wfsim.verification.workflows.symbolic.places import Places
from wfsim.verification.workflows.symbolic.through import Watched, may_not_succeed, one_work_each

MOVING = 1_000
"""Units of work for an edge."""


@dataclass(frozen=True)
class Move(Edge):
    """An edge with its formulas.

    Attributes
    ----------
    guard
        For which values of the places before, and from outside, this happens.
    writes
        What each place of the state after holds then.
    taken, reached
        Rows, in the program that is not symbolic, of the transitions that it commits, and of the states that it
        enters, if only to pass them.
    through
        What it means for a `for_each` (`Watched.guard`); empty if it is about none.
    """

    guard: Truth = True
    writes: Mapping[str, Term] = field(default_factory=dict)
    taken: frozenset[int] = frozenset()
    reached: frozenset[int] = frozenset()
    through: str = ""


class SymbolicSpace:
    """Control states of one instance, whatever the values; see the head of this module.

    Attributes
    ----------
    snapshots, starts, edges
        Of each state its snapshot and what can happen in it; what can happen before state 0.
    places
        Where an instance may hold values.
    symbols
        All unknown values, and what is true of them: a place has what its declaration admits.
    markers, host
        What stands for values, and who answers when `step` asks for one.
    clock
        The time of each step, if the workflow reads it.
    through, watched
        What it goes through with `for_each`, by the path of the state, and who watches how that ends.
    complete, reason
        Whether everything was visited; if not, which limit stopped the search.

    Parameters
    ----------
    claims
        What is asked about beside what the workflow asks itself: so much is known of what is in lists.

    Raises
    ------
    NotCovered
        Naming the construct, where a workflow has one whose values are not followed.
    """

    def __init__(self, workflow: Workflow, claims: tuple[Expression, ...] = ()) -> None:
        _refuse(workflow)
        self.workflow = workflow
        counted, self.through = one_work_each(workflow)
        program = compile_workflow(counted, symbolic=True)
        self.declared = dict(program.variables)
        # Where conditions are questions, and results are not looked at, rows are others.
        other = compile_workflow(workflow)
        self._rows = dict(zip(program.transitions, other.transitions, strict=True))
        self._rows |= zip(program.state_rows.values(), other.state_rows.values(), strict=True)
        domains = Domains(program)
        for key in (("error", "type"), ("error", "message")):
            if domains.computes(key):
                raise NotCovered(f"the {key[1]} of an error is computed with, and only some of them would be tried.")
        untyped = {
            name: Variable(type=ValueType.ANY, input=each.input, optional=True, initial=each.initial)
            for name, each in program.variables.items()
        }
        # Whether a key can be computed is left out: more starts are followed than are accepted.
        unkeyed = counted.model_copy(update={"correlation": None})
        self.program = replace(
            program, workflow=unkeyed, variables=untyped, events={name: Event() for name in program.events}
        )
        self.texts = program.texts.copy()
        results = (each.result.shape for each in workflow.activities.values() if each.result is not None)
        self.symbols = Symbols(looks((*(use.tree for use in uses(workflow)), *claims), results))
        self.markers = Markers(self.texts)
        self.places = Places(self.declared, self.markers, self.symbols)
        self.clock: Clock | None = None
        if any(NOW in names(use.tree) for use in uses(workflow)):
            self.clock = Clock(self.program, self.symbols, self.places, through=bool(self.through))
        self.host = SymbolicHost(self.program, self.declared, self.markers, self.symbols, self.clock)
        types = returned(counted, self.through)
        self._outside = MarkedValues(self.program, self.declared, domains, self.markers, self.symbols, types)
        self._successors = Successors(self.program, self.texts, self._outside, self.host)
        self.watched = Watched(self.program, self.through, self.markers)
        self.snapshots: list[Snapshot] = []
        self.starts: list[Move] = []
        self.edges: list[list[Move]] = []
        self.complete = True
        self.reason = ""

    def search(self, max_states: int, limits: Limits = UNLIMITED) -> None:
        """Visit control states breadth first until none is new or a limit is reached."""
        self.host.limits = limits
        try:
            self._visit(max_states, limits)
        except OutOfTime:
            self._stop(limits.told)
        finally:
            self.host.limits = UNLIMITED

    def _visit(self, max_states: int, limits: Limits) -> None:
        numbers: dict[Snapshot, int] = {}
        at = -1
        while at < len(self.snapshots):
            found = self.starts if at < 0 else self.edges[at]
            before = None if at < 0 else self.instance(at)
            under_way = [] if before is None else self.watched.begin(before)
            for stimulus, answers, instance, output in self._successors.of(None if at < 0 else self.snapshots[at]):
                said, through = self.watched.guard(under_way, stimulus, instance)
                in_time: Truth = True
                if self.clock is not None and before is not None:
                    in_time = both(self.clock.passes, self.clock.dues.due(stimulus))
                guard = both(*self.host.path, said, in_time)
                if guard is False:
                    continue
                writes = self.places.settle(instance)
                if self.clock is not None:
                    known = 0 if before is None else before.me.timer_ids
                    writes |= {PLACE: self.clock.now, **self.clock.dues.settle(instance, known)}
                snapshot = take_snapshot(instance)
                target = numbers.setdefault(snapshot, len(self.snapshots))
                if target == len(self.snapshots):
                    if target >= max_states:
                        self._stop(f"{max_states:,} control states found")
                        return
                    self.snapshots.append(snapshot)
                    self.edges.append([])
                happened = self._successors.happened(output)
                found.append(Move(stimulus, answers, target, happened, guard, writes, *self._done(output), through))
                limits.spend(MOVING)
                limits.check("control states were found")
            at += 1

    def _done(self, output: Output) -> tuple[frozenset[int], frozenset[int]]:
        """The transitions that a step commits, and the states that it enters."""
        taken, entered = done_in(output)
        return frozenset(map(self._rows.__getitem__, taken)), frozenset(map(self._rows.__getitem__, entered))

    def _stop(self, reason: str) -> None:
        self.complete = False
        self.reason = reason

    def instance(self, number: int) -> Instance:
        """An instance in that control state."""
        return self._successors.instance(self.snapshots[number])

    @property
    def more(self) -> str:
        """Why more may be followed than can happen; empty where it is exactly that."""
        return (
            may_not_succeed(self.through)
            or self.host.opened
            or self._outside.opened
            or read_of_a_pattern(self.workflow)
            or ("" if self.clock is None else self.clock.dues.untold)
        )

    @property
    def stopped(self) -> str:
        """Why not everything was visited, and what may have made it too much."""
        return f"the symbolic search stopped: {self.reason}{'; ' if self.more else ''}{self.more}."

    def value_after(self, move: Move, variable: int) -> Term:
        """What a variable holds after a move."""
        place = self.places.of_variable(variable)
        if place in move.writes:
            return move.writes[place]
        return self.markers.term_of(*variable_cells(self.program, self.snapshots[move.target])[variable])


def _refuse(workflow: Workflow) -> None:
    """Name the first construct whose values are not followed."""
    variables = declared_variables(workflow)
    for write in writes(workflow):
        if variables[write.variable].shape.deep and write.value is not None and names(write.value):
            raise NotCovered(
                f"{write.what} writes {write.variable!r}, and whether a value fits what is declared of its parts is "
                "not followed symbolically."
            )
    for _, region in workflow.regions():
        for state in region.states:
            if state.invoke is not None:
                raise NotCovered(
                    f"state {state.name!r} runs another workflow, and what comes of that is not followed symbolically."
                )
        doing: list[tuple[object, Operation]] = [(t, action) for t in region.transitions for action in t.actions]
        doing += [(f"state {state.name!r}", action) for state in region.states for action in state.actions]
        for who, action in doing:
            if action.sends is not None and any(names(read.tree) for read in action.reads):
                raise NotCovered(f"{who} sends values, and these are not followed symbolically.")
