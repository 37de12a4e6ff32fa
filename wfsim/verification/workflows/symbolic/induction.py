"""Safety properties about all values: runs of bounded length, and induction over their length.

Bounded model checking [1]_ looks for a run of so many steps that refutes the property; its values are made into
stimuli and put through `step`, and only what is refuted there is `violated`. k-induction [2]_ proves that no run
refutes it: none of k steps from the start does, and none does with its last step after k others from anywhere.
"Anywhere" is the finite graph of control states, with the `lemmas` at each.

References
----------
.. [1] Biere, Cimatti, Clarke, Zhu (1999), Symbolic model checking without BDDs, TACAS, LNCS 1579, 193-207.
.. [2] Sheeran, Singh, Stålmarck (2000), Checking safety properties using induction and a SAT-solver, FMCAD,
   LNCS 1954, 127-144.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import z3

from wfsim.errors import StartRefused
from wfsim.model.expression_tree import Expression, Literal, walk
from wfsim.model.functions import told_calls
from wfsim.model.shapes import Shape
from wfsim.model.values import EvaluationFault, Value
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.snapshot import take_snapshot
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.workflows.conditions.contents import Contents
from wfsim.verification.workflows.conditions.functions import Answered, answered
from wfsim.verification.workflows.conditions.symbols import value_of
from wfsim.verification.workflows.conditions.terms import Case, Term, is_counted
from wfsim.verification.workflows.conditions.truths import Truth, both
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.patterns import BAD, Automaton
from wfsim.verification.workflows.runs import Finding, Moments
from wfsim.verification.workflows.space import WorkflowSpace
from wfsim.verification.workflows.symbolic.admission import keeps
from wfsim.verification.workflows.symbolic.lemmas import Lemmas
from wfsim.verification.workflows.symbolic.replaying import plainest, stimuli
from wfsim.verification.workflows.symbolic.solving import solved
from wfsim.verification.workflows.symbolic.space import SymbolicSpace
from wfsim.verification.workflows.symbolic.system import REFUTED, Arrow, System

DEEPEST = 12
"""How many steps a run may have, unless time is up before."""

LOOKED_FOR = 4
"""Runs of so many steps are looked for first: where there is one, lemmas would be for nothing."""

WORK = 6_000_000
"""For one property, where no time is given; and as much once to find all control states and their formulas."""

ROUNDS = 12
"""How often the functions that were given are asked what they say of a run, before it is left open."""

PER_ARROW = 1_000
"""Units of work for each arrow that is made part of a question."""

MOST_LOCATIONS = 3_000
SMALL = 1_000
"""Integers from outside are kept within so much where that does, since they read better."""


Judge: TypeAlias = Callable[[WorkflowSpace, list[Edge]], Finding | None]
"""Where a run of `step` (a space of nothing else, and its edges) refutes what was asked; `None` if it does not."""


@dataclass(frozen=True)
class Decided:
    """What came of it: `holds`, `violated` with a run (`finding` in `line`), or `unknown` and why.

    `depth` is the number of steps up to which no run refutes the property (up to which one does, if it is violated),
    `locations` the size of the graph, `vacuous` whether what is to be answered happens nowhere in it.
    """

    status: str
    reason: str
    depth: int
    locations: int
    vacuous: bool = False
    line: WorkflowSpace | None = None
    finding: Finding | None = None


def symbolic_space(
    workflow: Workflow, limits: Limits = UNLIMITED, claims: tuple[Expression, ...] = ()
) -> SymbolicSpace:
    """The control states of a workflow, whatever the values; complete unless a limit was reached.

    Raises
    ------
    NotCovered
        Naming the construct whose values are not followed.
    """
    space = SymbolicSpace(workflow, claims)
    space.search(MOST_LOCATIONS, at_most(limits))
    return space


def decide(
    space: SymbolicSpace, automaton: Automaton, claims: tuple[Expression, ...], limits: Limits = UNLIMITED
) -> Decided:
    """Whether a safety property holds, for all values.

    Raises
    ------
    NotCovered
        If a claim looks at what the solver does not know.
    """
    if not space.complete:
        return Decided("unknown", space.stopped, 0, len(space.snapshots))
    limits = at_most(limits)
    system = System(space, automaton, MOST_LOCATIONS, limits)
    if not system.complete:
        return Decided("unknown", f"there are more than {MOST_LOCATIONS:,} locations.", 0, len(system.locations))
    refuting: dict[int, Truth] = {k: True for k, arrow in enumerate(system.arrows) if arrow.target == REFUTED}
    return Induction(system, claims, limits).run(refuting, partial(_refuted_by, automaton), limits)


def _refuted_by(automaton: Automaton, line: WorkflowSpace, path: list[Edge]) -> Finding | None:
    """Where a run of `step` refutes a property, if it does."""
    moments = Moments(line.program, line.texts, line.snapshots, automaton.claims, automaton.step)
    memory = moments.first
    for d, edge in enumerate(path):
        try:
            memory = moments.next(memory, edge)
        except EvaluationFault as fault:
            return Finding("fault", path[: d + 1], d, told=f"{fault.kind}: {fault}")
        if memory[0] == BAD:
            return Finding("moment", path[: d + 1], d)
    return None


def at_most(limits: Limits) -> Limits:
    """The limits of a question about all values, which is not asked without any."""
    return limits.at_most(WORK)


class Induction:
    """Asks whether a run comes to take one of certain arrows of a system; many questions share its formulas.

    Parameters
    ----------
    claims
        What is asked about, for the values that a run is put through `step` with.
    limits
        Of the making of the formulas; each question has its own.
    telling
        Integers that bounds of variables are guessed from, before those that the definition names.
    held
        Values that places may keep, whatever is done.
    endless
        Whether runs may go on after the `END` of the clock, as those may that are to come to an end at last.

    Raises
    ------
    OutOfTime
        If the time is over before all formulas are made.
    """

    def __init__(
        self,
        system: System,
        claims: tuple[Expression, ...],
        limits: Limits,
        telling: tuple[int, ...] = (),
        held: Mapping[str, Term] | None = None,
        *,
        endless: bool = False,
    ) -> None:
        self.system = system
        clock = system.space.clock
        self._in_time = True if clock is None or endless else clock.in_time
        self.workflow = system.space.workflow
        self.claims = claims
        self.limits = limits
        self.refuting: Mapping[int, Truth] = {}
        self._cone: set[int] = set()
        self.symbols = system.space.symbols
        self._named: dict[str, list[tuple[Any, Any]]] = {}
        self.leaving: dict[int, list[int]] = {}
        self.entering: dict[int, list[int]] = {}
        for k, arrow in enumerate(system.arrows):
            self.leaving.setdefault(arrow.source, []).append(k)
            self.entering.setdefault(arrow.target, []).append(k)
        primed = {name: _renamed(term, self._names("'")) for name, term in system.space.places.terms.items()}
        self.facts: list[Truth] = []
        """What an arrow says of the places before (as they are called), after (with a prime), and of its inputs."""
        for arrow in system.arrows:
            limits.spend(PER_ARROW)
            limits.check("steps were made into formulas")
            kept = (keeps(primed[name], term) for name, term in arrow.move.writes.items())
            self.facts.append(both(arrow.guard, *kept))
        self.lemmas: dict[int, Truth] = {}
        self.lasting: dict[int, Truth] = {}
        """Those of the lemmas that stay true while time passes."""
        self._guessed = Lemmas(system, [*self._constants(telling)], held or {})
        self.told: list[Any] = []
        """What was asked of the functions that were given (M14.6): from then on the question is about these."""

    def _names(self, behind: str) -> list[tuple[Any, Any]]:
        """All unknowns, each with one of that name and this behind it."""
        if behind not in self._named:
            atoms = self.symbols.atoms
            self._named[behind] = [(atom, z3.Const(f"{atom.decl().name()}{behind}", atom.sort())) for atom in atoms]
        return self._named[behind]

    def _at(self, fact: z3.BoolRef, depth: int) -> z3.BoolRef:
        """A fact about the step from this depth to the next."""
        primed, later = self._names("'"), self._names(f"!{depth + 1}")
        after = ((one, other) for (_, one), (_, other) in zip(primed, later))
        return z3.substitute(fact, *self._names(f"!{depth}"), *after)

    def run(self, refuting: Mapping[int, Truth], judge: Judge | None, limits: Limits) -> Decided:
        """Whether no run takes a refuting arrow while its condition on the places before, and on inputs, is true.

        A run that seems to is put through `step`, and `judge` says where it refutes the property; without a judge it
        stays `unknown`.
        """
        self.limits, self.refuting, self.told = limits, refuting, []
        self._cone = self._leading_there()
        if not refuting:
            return self._decided("holds", "No control state refutes it, whatever the values.", 0)
        base, step = z3.Solver(), z3.Solver()
        frontier = {-1}
        tried = 0
        for depth in range(DEEPEST):
            last = self._unroll(base, depth, frontier)
            found = self._refuted(base, depth, last, judge)
            if found is not None:
                return found
            if self.limits.late:
                return self._gave_up(depth)
            frontier = {self.system.arrows[k].target for k in last} - {REFUTED}
            if not frontier and not self.told:
                return self._decided(
                    "holds", f"No run has more than {depth + 1} steps, and none refutes it.", depth + 1
                )
            if depth + 1 < LOOKED_FOR:
                continue
            self.bound(limits)
            # What the given functions were asked for is known of no others.
            while tried <= depth and not self.told and not self.limits.late:
                if self._inductive(step, tried):
                    return self._decided("holds", _PROVED if not tried else _INDUCTIVE.format(tried), tried + 1)
                tried += 1
            if self.limits.late:
                return self._gave_up(depth + 1)
        return self._gave_up(DEEPEST)

    def bound(self, limits: Limits) -> None:
        """Find the lemmas, unless they are known; where time is up, the next question goes on from there."""
        if not self.lemmas:
            self.lemmas = self._guessed.found(limits)
            self.lasting = self._guessed.lasting if self.lemmas else {}

    def _leading_there(self) -> set[int]:
        """The arrows after which a refuting one may still come, and the refuting ones."""
        arrows = self.system.arrows
        found = set(self.refuting)
        seen = {arrows[k].source for k in found}
        todo = list(seen)
        while todo:
            for k in self.entering.get(todo.pop(), ()):
                found.add(k)
                if arrows[k].source not in seen:
                    seen.add(arrows[k].source)
                    todo.append(arrows[k].source)
        return found

    def _decided(self, status: str, reason: str, depth: int) -> Decided:
        trigger = self.system.automaton.trigger
        vacuous = trigger >= 0 and trigger not in self.system.true
        return Decided(status, reason, depth, len(self.system.locations), vacuous)

    def _gave_up(self, depth: int) -> Decided:
        steps = f"{depth} step{'' if depth == 1 else 's'}"
        why = self.limits.told if self.limits.late else "induction over longer runs was not tried"
        return self._decided(
            "unknown",
            f"No run of up to {steps} refutes it, but induction does not show that none does; {why}. Raise "
            "max_seconds, or give the variables a minimum and a maximum."
            if not self.told
            else f"With other functions a run would refute it; with those given none of up to {steps} does.",
            depth,
        )

    def _check(self, solver: z3.Solver, *assumed: Any) -> z3.CheckSatResult:
        return solved(solver, self.limits, *assumed)

    def _unroll(self, solver: z3.Solver, depth: int, sources: Iterable[int] | None) -> list[int]:
        """Add the step at a depth, from these locations or from anywhere; the arrows that it may be."""
        chosen = z3.Int(f"arrow!{depth}")
        sources = sorted(set(self.leaving) - {-1} if sources is None else sources)
        possible = [k for source in sources for k in self.leaving.get(source, ()) if k in self._cone]
        self.limits.spend(PER_ARROW * len(possible))
        said: list[Any] = [both(*self.symbols.known, self._in_time)]
        for k in possible:
            source = self.system.arrows[k].source
            said.append(z3.Implies(z3.Int("arrow") == k, both(self.facts[k], self.lemmas.get(source, True))))
        facts = z3.substitute(self._at(z3.And(*said), depth), (z3.Int("arrow"), chosen))
        solver.add(facts, z3.Or(*(chosen == k for k in possible)))
        if depth:
            last = z3.Int(f"arrow!{depth - 1}")
            for source in sources:
                here = z3.Or(*(chosen == k for k in self.leaving.get(source, ()) if k in self._cone))
                solver.add(z3.Implies(here, z3.Or(*(last == j for j in self.entering.get(source, ())))))
        return possible

    def _inductive(self, solver: z3.Solver, depth: int) -> bool:
        """Whether no run can refute it with the step at this depth, after others that do not, from anywhere."""
        possible = self._unroll(solver, depth, None)
        bad = self._bad(possible, depth)
        solver.push()
        solver.add(bad)
        status = self._check(solver)
        solver.pop()
        solver.add(z3.Not(bad))
        return bool(status == z3.unsat)

    def _bad(self, possible: list[int], depth: int) -> z3.BoolRef:
        chosen = z3.Int(f"arrow!{depth}")
        return z3.Or(*(z3.And(chosen == k, self._refutes(k, depth)) for k in possible if k in self.refuting))

    def _refutes(self, k: int, depth: int) -> Truth:
        when = self.refuting[k]
        return when if isinstance(when, bool) else self._at(when, depth)

    def _refuted(self, solver: z3.Solver, depth: int, possible: list[int], judge: Judge | None) -> Decided | None:
        """The run that refutes it with the step at this depth, if there is one; why that is not known, if it is not."""
        same: list[tuple[Any, ...]] = []
        for _ in range(ROUNDS):
            found, answers = self._tried(solver, depth, possible, judge, same)
            if not answers:
                break
            # With these functions it was another run: they are told, and it is looked for again, first near this one.
            self.told += [each.told for each in answers]
            solver.add(*(each.told for each in answers))
            same = [each.asked for each in answers]
        return found

    def _tried(
        self, solver: z3.Solver, depth: int, possible: list[int], judge: Judge | None, same: list[tuple[Any, ...]]
    ) -> tuple[Decided | None, list[Answered]]:
        """The same, once; if the run is none of `step`, what the functions that were given say of its arguments.

        `same` are arguments that were asked for: each list of them is kept, if with those before it there is a run.
        """
        bad = self._bad(possible, depth)
        solver.push()
        try:
            solver.add(bad)
            for asked in same:
                if self._check(solver, *asked) == z3.sat:
                    solver.add(*asked)
            status = self._check(solver)
            if status == z3.unknown:
                return self._gave_up(depth), []
            if status == z3.unsat:
                return None, []
            if judge is None:
                return self._decided("unknown", "a run seems to refute it.", depth), []
            if self.workflow.given.missing:
                missing = told_calls(self.workflow.given.missing)
                return self._decided("unknown", f"a run seems to refute it, but {missing} not given.", depth), []
            model = solver.model()
            solver.add(*(z3.And(atom >= -SMALL, atom <= SMALL) for atom in self._integers(depth)))
            if self._check(solver) == z3.sat:
                model = solver.model()
            found = self._replayed(model, depth, judge)
        finally:
            solver.pop()
        if found is None:
            answers = self._answers(model, depth)
            return self._decided("unknown", "a run that seems to refute it does not do so in `step`.", depth), answers
        return found, []

    def _answers(self, model: z3.ModelRef, depth: int) -> list[Answered]:
        """What the functions that were given answer where they are asked in a model, if that is news."""
        found: list[Answered] = []
        for d in range(depth + 1):
            names = self._names(f"!{d}")
            for each in self.symbols.applications.values():
                terms = [z3.substitute(part, *names) for part in each.given]
                answer = answered(each, self.workflow.given, terms, model)
                if answer is not None and not any(answer.told.eq(known) for known in self.told):
                    found.append(answer)
        return found

    def _integers(self, depth: int) -> Iterator[Any]:
        for atom in self.symbols.atoms:
            name = atom.decl().name()
            # Times are large.
            if name.startswith("?") and name.endswith("as integer") and name != "?now as integer":
                yield from (z3.Int(f"{name}!{d}") for d in range(depth + 1))

    def _replayed(self, model: z3.ModelRef, depth: int, judge: Judge) -> Decided | None:
        """Put the values of a model through `step`."""
        line = WorkflowSpace(compile_workflow(self.workflow), self.claims)
        path: list[Edge] = []
        for d in range(depth + 1):
            arrow = self.system.arrows[model.eval(z3.Int(f"arrow!{d}")).as_long()]
            number = self.system.locations[arrow.source][0] if d else -1
            given = self._real(arrow, model, d)
            for untimed in stimuli(self.system.space, number, arrow.move, given, line):
                stimulus = replace(untimed, time=given.time)
                at = len(path)
                try:
                    instance, output = line.apply(at - 1, stimulus, [])
                except StartRefused:
                    return None
                edge = Edge(stimulus, (), at, line.successors.happened(output))
                line.add_state(take_snapshot(instance), at - 1, edge)
                line.remember(at - 1, edge, instance, output)
                (line.starts if at == 0 else line.edges[at - 1]).append(edge)
                path.append(edge)
        finding = judge(line, path)
        if finding is None:
            return None
        return replace(self._decided("violated", "", finding.number), line=line, finding=finding)

    def _real(self, arrow: Arrow, model: z3.ModelRef, depth: int) -> Stimulus:
        """The stimulus of an arrow with the values of the model instead of markers."""
        markers = self.system.space.markers
        names = self._names(f"!{depth}")

        def value(given: Any) -> Any:
            term = markers.of_text(given) if isinstance(given, str) else None
            if term is None:
                return given
            found = value_of(_renamed(term, names), model)
            return found if is_counted(term) else _filled(found, markers.shape_of(given))

        stimulus, clock = arrow.move.stimulus, self.system.space.clock
        payload = {name: value(each) for name, each in stimulus.payload.items()}
        time = stimulus.time if clock is None else value(clock.marker)
        return replace(stimulus, payload=payload, result=value(stimulus.result), time=time)

    def _constants(self, telling: tuple[int, ...]) -> Iterator[int]:
        """Integers that tell, then those that the definition and the claims name, and their neighbours."""
        found = {0, 1}
        trees: list[Any] = list(self.claims)
        for _, region in self.workflow.regions():
            passing = (action.written for state in region.states for action in state.actions)
            trees += [written.tree for written in passing if written is not None and written.tree is not None]
            for transition in region.transitions:
                assigned = (action.written.tree for action in transition.actions if action.written is not None)
                trees += [tree for tree in (transition.condition_tree, *assigned) if tree is not None]
        named = [node.value for tree in trees for node in walk(tree) if isinstance(node, Literal)]
        for variable in self.system.space.declared.values():
            named += [variable.initial, variable.shape.minimum, variable.shape.maximum]
        if self.system.space.clock is not None:
            named += [length for each in self.system.space.clock.dues.lengths.values() for length in each]
        for value in named:
            if type(value) is int:
                found |= {value - 1, value, value + 1}
        yield from telling
        yield from sorted(found - set(telling), key=abs)


_PROVED = "Nothing that may happen in any control state refutes it, for all values that may be there."
_INDUCTIVE = "No run of {0} steps refutes it, nor does one more step after any {0} that do not, from anywhere."


def _filled(value: Value, shape: Shape | None) -> Value:
    """A list or object of so many parts, with parts that are of its type; the solver knows their number alone."""
    if shape is None or not isinstance(value, list | dict):
        return value
    return [plainest(shape.items)] * len(value) if isinstance(value, list) else plainest(shape)


def _renamed(term: Term, names: list[tuple[Any, Any]]) -> Term:
    def of(part: Any) -> Any:
        return part if isinstance(part, bool) else z3.substitute(part, *names)

    def inside(contents: Contents | None) -> Contents | None:
        return None if contents is None else contents.made_of([*map(of, contents.parts)])

    cases = tuple(Case(case.kind, of(case.guard), of(case.value), inside(case.contents)) for case in term.cases)
    return Term({kind: of(when) for kind, when in term.faults.items()}, of(term.null), cases)
