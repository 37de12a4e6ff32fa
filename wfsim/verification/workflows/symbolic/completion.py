"""Whether a terminal state can be reached from every open state, for all values.

For each location a formula says from which values some run completes: backward from the terminal ones, with what
comes from outside taken away by quantifier elimination. What a formula leaves out may be lost: a run is looked for
that comes there, put through `step`, and the search begins anew from the values that it has. Where induction shows
that no terminal state is reached from there, the state is lost; where no run comes to such values, none is.

Inputs of a formula exist, and so do parts of it that the solver names by itself: all that is known of them is part of
what is eliminated. A formula is at most what is true, so it may leave a state out but never lets one in.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import z3

from wfsim.exploration.domains import END
from wfsim.semantics.program import Program
from wfsim.semantics.snapshot import Snapshot, region_states
from wfsim.verification.nets.limits import Limits
from wfsim.verification.workflows.conditions.contents import as_counted
from wfsim.verification.workflows.conditions.literals import NotTaken
from wfsim.verification.workflows.conditions.terms import Term, constant
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.runs import Finding
from wfsim.verification.workflows.space import WorkflowSpace
from wfsim.verification.workflows.symbolic.admission import keeps
from wfsim.verification.workflows.symbolic.clock import PLACE
from wfsim.verification.workflows.symbolic.dues import running
from wfsim.verification.workflows.symbolic.elimination import atoms_of, without_inputs
from wfsim.verification.workflows.symbolic.induction import Decided, Induction
from wfsim.verification.workflows.symbolic.solving import solved
from wfsim.verification.workflows.symbolic.system import Arrow
from wfsim.verification.workflows.told import NotReplayed, in_time

ROUNDS = 6
"""How often formulas are taken one step further back before what they leave out is looked at."""

TRIES = 4
"""How many states that may be lost are looked at."""

LATE = constant(END)
"""When a state is asked whether it can complete: what can be done then can be done at any time before, by waiting."""

ASKED = 1_000_000
"""Units of work for the question whether a formula is always true."""


class Completion:
    """The question, asked of the system of an induction; `completed` is the status of terminal states."""

    def __init__(self, induction: Induction, completed: int, limits: Limits) -> None:
        self.induction = induction
        self.system = induction.system
        self.limits = limits
        space = self.system.space
        statuses = [space.snapshots[number][0] for number, _ in self.system.locations]
        self.ends = {k for k, status in enumerate(statuses) if status == completed}
        self.open = [k for k, status in enumerate(statuses) if status < completed]
        self.able: dict[int, Truth] = dict.fromkeys(self.ends, True)
        """For each location, for which values of its places a run is known that completes."""

    def decided(self, lost: list[tuple[WorkflowSpace, int]]) -> Decided:
        """`violated` with a run to a lost state, `holds`, or `unknown`."""
        self.induction.bound(self.limits)
        for space, number in lost[:TRIES]:
            if self._is_lost(space, number):
                return self._told("violated", "", 0, space, Finding("moment", space.path_to(number), number))
        if self.system.space.more:
            # What seems to complete might not be able to.
            return self._told("unknown", f"{self.system.space.more}.", 0)
        depth = 0
        for _ in range(TRIES):
            self._go_back()
            refuting = self._leaving_it_open()
            found = self.induction.run(refuting, _last, self.limits)
            depth = max(depth, found.depth)
            if found.status != "violated":
                return found
            assert found.line is not None
            assert found.finding is not None
            if self._is_lost(found.line, found.finding.number):
                return found
            if self.limits.late:
                break
        return self._told("unknown", "states were found of which it is not known whether they are lost.", depth)

    def _told(
        self, status: str, reason: str, depth: int, line: WorkflowSpace | None = None, finding: Finding | None = None
    ) -> Decided:
        return Decided(status, reason, depth, len(self.system.locations), line=line, finding=finding)

    def _go_back(self) -> None:
        """Take the formulas further back, until they do not change or often enough."""
        for _ in range(ROUNDS):
            before = dict(self.able)
            for location in reversed(self.open):
                if self.able.get(location) is not True and not self.limits.late:
                    self._widen(location)
            if all(before.get(k) is self.able.get(k) for k in self.open):
                return

    def _widen(self, location: int) -> None:
        ways = []
        always = self.induction.lasting.get(location, True)
        for k in self.induction.leaving.get(location, ()):
            arrow = self.system.arrows[k]
            after = self.able.get(arrow.target, False)
            if after is not False:
                way = both(arrow.guard, self._before(after, arrow))
                ways.append(without_inputs(way, self.system.space.symbols.known, always, self.limits))
        found = either(*ways)
        if found is False:
            return
        if self._always(location, found):
            found = True
        elif self._always(location, either(opposite(found), self.able.get(location, False))):
            return
        self.able[location] = found

    def _before(self, after: Truth, arrow: Arrow) -> Truth:
        """What a formula about the places after an arrow says of those before; false where that is not expressed."""
        if isinstance(after, bool):
            return after
        pairs: list[tuple[Any, Any]] = []
        said = {str(atom) for atom in atoms_of(after)}
        for name, place in self.system.space.places.terms.items():
            own = [atom for part in _parts(place) for atom in atoms_of(part)]
            if said.isdisjoint(map(str, own)):
                continue
            written = arrow.move.writes.get(name)
            if written is None or len(place.cases) != 1:
                return False
            if z3.is_expr(place.null):
                pairs.append((place.null, _expression(written.null)))
            (case,) = place.cases
            given = next((each for each in written.cases if each.kind == case.kind), None)
            if given is not None:
                value = _expression(given.value) if case.kind == "boolean" else given.value
                pairs.append((case.value, value))
                if case.contents is not None:
                    counted = as_counted(given.contents, case.contents)
                    if counted is None:
                        return False
                    pairs += zip(case.contents.parts, counted.parts)
        return z3.substitute(after, *pairs) if pairs else after

    def _always(self, location: int, fact: Truth) -> bool:
        """Whether it is true whenever a run is at a location."""
        if fact is True:
            return True
        solver = z3.Solver()
        lemma = self.induction.lasting.get(location, True)
        solver.add(*self.system.space.symbols.known, both(lemma, opposite(fact)))
        return bool(solved(solver, self.limits, most=ASKED) == z3.unsat)

    def _leaving_it_open(self) -> dict[int, Truth]:
        """The arrows after which no run is known that completes, each with the condition for that."""
        found: dict[int, Truth] = {}
        undecided = set(self.open)
        for k, arrow in enumerate(self.system.arrows):
            able = self.able.get(arrow.target, False)
            if arrow.target not in undecided or able is True:
                continue
            if self.system.space.clock is not None:
                arrow = replace(arrow, move=replace(arrow.move, writes={**arrow.move.writes, PLACE: LATE}))
            # A list without items is done within the step (M4.5): nobody is ever there with one.
            passed = either(*(self._before(empty, arrow) for empty in self._empty(arrow.target)))
            before = opposite(either(self._before(able, arrow), passed))
            if before is not False:
                found[k] = before
        return found

    def _empty(self, location: int) -> list[Truth]:
        """When a list that is gone through at a location has no items, of each such list."""
        space = self.system.space
        number, _ = self.system.locations[location]
        return [each.empty for each in space.watched.begin(space.instance(number))]

    def _is_lost(self, line: WorkflowSpace, number: int) -> bool:
        """Whether induction shows that no terminal state is reached from a state of a space, whatever comes."""
        space = self.system.space
        snapshot = line.snapshots[number]
        control = (snapshot[0], *_named(line.program, snapshot))
        at = line.instance(number)
        if space.clock is not None:
            try:
                *_, (at, _, _) = in_time(line, line.path_to(number))
            except NotReplayed:
                return False
        values = at.variables
        try:
            held = {
                space.places.of_variable(k): constant(values[name])
                for k, name in enumerate(space.declared)
                if name in values
            }
        except NotTaken:
            return False
        if space.clock is not None:
            held[PLACE] = LATE
            held |= {place: constant(due) for place, _, due, _ in running(at)}
        starts = [arrow for location in self.open for arrow in self._beginning(location, control, held)]
        system = copy.copy(self.system)
        reached = {arrow.target for arrow in starts}
        todo = list(reached)
        further = []
        while todo:
            for k in self.induction.leaving.get(todo.pop(), ()):
                arrow = self.system.arrows[k]
                further.append(arrow)
                if arrow.target not in reached:
                    reached.add(arrow.target)
                    todo.append(arrow.target)
        system.arrows = [*starts, *further]
        whole = [value for value in values.values() if type(value) is int]
        telling = tuple(dict.fromkeys(each for value in whole for each in (value, value + 1)))
        anew = Induction(system, (), self.limits, telling, held, endless=True)
        ends: dict[int, Truth] = {k: True for k, arrow in enumerate(system.arrows) if arrow.target in self.ends}
        return bool(starts) and anew.run(ends, None, self.limits).status == "holds"

    def _beginning(self, location: int, control: tuple[Any, ...], held: Mapping[str, Term]) -> Iterator[Arrow]:
        """The arrow to a location, if it is of this control state, with values for its places."""
        space = self.system.space
        own = space.snapshots[self.system.locations[location][0]]
        if (own[0], *_named(space.program, own)) != control:
            return
        arrow = next(self.system.arrows[k] for k in self.induction.entering[location])
        fits: Truth = True
        for k, _ in enumerate(space.declared):
            place = space.places.of_variable(k)
            if place in held and place not in arrow.move.writes:
                fits = both(fits, keeps(space.value_after(arrow.move, k), held[place]))
        # The list of a `for_each` is whichever it may be there.
        writes = {place: held.get(place, space.places.terms[place]) for place in arrow.move.writes}
        start = Arrow(-1, location, replace(arrow.move, guard=True, writes=writes), fits)
        told = self._before(self.induction.lasting.get(location, True), start)
        # What is not expressed is left out.
        fits = fits if told is False else both(fits, told)
        if fits is not False:
            yield replace(start, guard=fits)


def _last(line: WorkflowSpace, path: list[Edge]) -> Finding | None:
    return Finding("moment", path, line.n_states - 1)


def _named(program: Program, snapshot: Snapshot) -> list[str | None]:
    """The states that the regions are in."""
    return [program.name(row) for row in region_states(program, snapshot)]


def _parts(term: Term) -> list[Any]:
    inside = (case.contents.parts for case in term.cases if case.contents is not None)
    return [term.null, *(part for case in term.cases for part in (case.guard, case.value)), *chain(*inside)]


def _expression(truth: Any) -> Any:
    return z3.BoolVal(truth) if isinstance(truth, bool) else truth
