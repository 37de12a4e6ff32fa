"""Who answers the questions of a symbolic program, in every way that values may make them come out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TypeAlias

import z3

from wfsim.errors import NotCovered
from wfsim.model.elements import Variable
from wfsim.model.expression_tree import (
    NOW,
    Expression,
    Gather,
    Name,
    Template,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    Whole,
    names,
    walk,
)
from wfsim.model.expressions import to_text
from wfsim.model.shapes import Shape
from wfsim.model.static import static_shape
from wfsim.model.values import ValueType
from wfsim.semantics.activations import LATEST, LONGEST_SECONDS
from wfsim.semantics.codes import ABSENT, BOOLEAN, FAULT, INTEGER, STRING
from wfsim.semantics.layout import Cell, Cells, Rows
from wfsim.semantics.program import Program
from wfsim.semantics.values import set_null, set_whole
from wfsim.verification.nets.limits import UNLIMITED
from wfsim.verification.workflows.conditions.comparison import order
from wfsim.verification.workflows.conditions.literals import NotTaken
from wfsim.verification.workflows.conditions.operations import needed_boolean
from wfsim.verification.workflows.conditions.symbols import Symbols
from wfsim.verification.workflows.conditions.terms import (
    Term,
    alternatives,
    constant,
    in_order,
    known_value,
    limited,
    of_length,
)
from wfsim.verification.workflows.conditions.translation import Translation
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite
from wfsim.verification.workflows.symbolic.admission import fitted
from wfsim.verification.workflows.symbolic.clock import Clock
from wfsim.verification.workflows.symbolic.markers import Markers
from wfsim.verification.workflows.symbolic.solving import solved
from wfsim.verification.workflows.symbolic.through import LIST, LISTED

Held: TypeAlias = "tuple[int, int, float] | str | None"

ASKED = 100_000
"""Units of work for the question whether an edge is possible at all; one that is not known to be impossible is kept."""

ANSWERING = 2_000
"""Units of work for an expression."""


class SymbolicHost:
    """Answers an expression in each way that it may come out, and remembers for which values that is.

    Attributes
    ----------
    limits
        Of the search that asks.
    opened
        A part of an expression that the solver has no terms for, so that it may come to anything here; empty if there
        was none.
    """

    def __init__(
        self,
        program: Program,
        declared: Mapping[str, Variable],
        markers: Markers,
        symbols: Symbols,
        clock: Clock | None,
    ) -> None:
        self.program = program
        self.declared = declared
        self.markers = markers
        self.symbols = symbols
        self.clock = clock
        self.limits = UNLIMITED
        self.script: list[int] = []
        self.asked: list[int] = []
        self.path: list[z3.BoolRef] = []
        self.opened = ""
        self._shapes = {name: variable.shape for name, variable in declared.items()}
        self._terms: dict[tuple[Expression, bool, tuple[Held, ...]], Term] = {}
        self._fresh = itertools.count()
        self._asked_before: dict[int, tuple[z3.BoolRef, bool]] = {}

    def begin(self, script: list[int]) -> None:
        """Answer the next questions by this script, and the first choice beyond it."""
        self.script = script
        self.asked = []
        self.path = []

    def evaluate(self, number: int, m: Rows, v: Cells, i: int, private: int, payload: int, answer: Cell) -> None:
        """One of the answers that the expression could have."""
        self.limits.spend(ANSWERING)
        self.limits.check("an expression was evaluated")
        asked = self.program.host[number]
        base = m[i].cells
        order_of = list(self.program.variables)

        def held(node: Name | Whole) -> Held:
            """Tag, whole and real of the cell that a name reads; a text for the state; nothing where there is none."""
            if isinstance(node, Whole):
                root = self.program.rows[self.program.head.root].slot
                return (self.program.name(m[i + root].state) or "") if node.scope == "state" else None
            if node == NOW:
                assert self.clock is not None
                return STRING, self.markers.texts.handle(self.clock.marker), 0.0
            if node.scope == "context":
                k = order_of.index(node.field)
                hidden = private >= 0 and v[private + k].tag != ABSENT
                cell = v[private + k if hidden else base + k]
            elif payload < 0:
                return None
            else:
                cell = v[payload + asked.fields[node.field]]
            return cell.tag, cell.whole, cell.real

        target = None if asked.target is None else self.declared[asked.target]
        term = self._translated(asked.template, held, number=target is not None and target.kind is ValueType.NUMBER)
        if asked.role == "condition":
            self._answer_condition(term, answer)
        elif asked.role == "duration":
            self._answer_time(term, ("integer", "number"), LONGEST_SECONDS, answer, seconds=True)
        elif asked.role == "moment":
            self._answer_time(term, ("integer",), LATEST, answer, seconds=False)
        elif asked.role == "value":
            if target is not None:
                # A list that is gone through is no null, but for forgetting the one before.
                goes_through = target is LISTED and asked.template != TemplateLiteral(None)
                term = fitted(LIST if goes_through else target, term)
            self._answer_value(term, answer)
        else:
            raise NotCovered(f"what is {asked.role} of a for_each or a message is not followed symbolically.")

    def _translated(self, template: Template, held: Callable[[Name | Whole], Held], *, number: bool = False) -> Term:
        """The value of a template; where a number is asked for, the sum of nothing is one (M10.7)."""
        if isinstance(template, TemplateLiteral):
            return constant(template.value)
        if isinstance(template, TemplateList | TemplateObject):
            given = template.items if isinstance(template, TemplateList) else [part for _, part in template.fields]
            written = [part.value for part in given if isinstance(part, TemplateLiteral)]
            if isinstance(template, TemplateList) and len(written) == len(given):
                return constant(written)
            faults, fine = in_order([self._translated(part, held) for part in given])
            kind = "list" if isinstance(template, TemplateList) else "object"
            return alternatives(Term(faults), limited(of_length(kind, len(given)), fine))
        # Where all that it reads is the same its value is, and so are the unknown parts.
        sums = number and any(isinstance(node, Gather) and node.function == "sum" for node in walk(template))
        key = (template, sums, tuple(map(held, names(template))))
        if key not in self._terms:
            self._terms[key] = self._translated_anew(template, held, sums=sums)
        return self._terms[key]

    def _translated_anew(self, template: Expression, held: Callable[[Name | Whole], Held], *, sums: bool) -> Term:
        def name(node: Name | Whole) -> Term:
            found = held(node)
            if isinstance(node, Whole) and found is None:
                raise NotTaken(f"`{node.scope}` as a whole is an object")
            return self.markers.term_of(*found) if isinstance(found, tuple) else constant(found)

        mark = f"?{len(self._terms)} `{to_text(template)}` "
        translation = Translation(self.symbols, name, part_shape=self._part_shape, mark=mark)
        term = translation.opened(template, "it may be the sum of nothing") if sums else translation.of(template)
        for node, why in translation.left_open.items():
            self.opened = self.opened or f"`{to_text(node)}` is not followed symbolically: {why}"
        for node in translation.applied:
            self.opened = self.opened or f"`{to_text(node)}` may give any value of its type (M14.6)"
        return term

    def _part_shape(self, node: Expression) -> Shape | None:
        return static_shape(node, self._shapes)

    def _choose(self, choices: list[Truth]) -> int:
        """The choice of the script among those that are possible after what was chosen before."""
        possible = self._open(choices)
        at = len(self.asked)
        self.asked.append(len(possible))
        chosen = possible[self.script[at] if at < len(self.script) else 0]
        guard = choices[chosen]
        # Nothing new is said where a chain of answers asks the same again.
        if not isinstance(guard, bool) and guard.get_id() not in {before.get_id() for before in self.path}:
            self.path.append(guard)
        return chosen

    def _open(self, choices: list[Truth]) -> list[int]:
        """The choices that are possible after what was chosen before; one of them holds, and one only."""
        left = [k for k, guard in enumerate(choices) if guard is not False]
        path = {guard.get_id() for guard in self.path}
        for k in left:
            guard = choices[k]
            if not isinstance(guard, bool) and guard.get_id() in path:
                return [k]
        found: list[int] = []
        for k in left:
            # What is left when nothing else is possible need not be asked.
            if (k == left[-1] and not found) or self.possible(both(*self.path, choices[k])):
                found.append(k)
        return found

    def possible(self, guard: Truth) -> bool:
        """Whether some values make it true; also if that is not known."""
        if isinstance(guard, bool):
            return guard
        # A term that is kept keeps its number.
        if guard.get_id() not in self._asked_before:
            solver = z3.Solver()
            solver.add(guard, *self.symbols.known)
            self._asked_before[guard.get_id()] = guard, bool(solved(solver, self.limits, most=ASKED) != z3.unsat)
        return self._asked_before[guard.get_id()][1]

    def _fault(self, kind: str, answer: Cell) -> None:
        set_whole(answer, FAULT, self.markers.texts.handle(kind))

    def _answer_condition(self, term: Term, answer: Cell) -> None:
        term = needed_boolean(term)
        kinds = list(term.faults)
        chosen = self._choose([term.is_boolean(True), term.is_boolean(False), *term.faults.values()])
        if chosen < 2:
            set_whole(answer, BOOLEAN, 1 - chosen)
        else:
            self._fault(kinds[chosen - 2], answer)

    def _answer_time(
        self, term: Term, kinds_of_time: tuple[str, ...], latest: int, answer: Cell, *, seconds: bool
    ) -> None:
        """A duration or a point in time: whether it is one (M6.2, M6.5), and where the clock is read which."""
        inside: list[Truth] = []
        outside: list[Truth] = []
        for case in term.cases:
            if case.kind in kinds_of_time:
                low, high = (order(op, case, constant(end).cases[0]) for op, end in ((">=", 0), ("<=", latest)))
                assert low is not None
                assert high is not None
                inside.append(both(case.guard, low, high))
                outside.append(both(case.guard, opposite(both(low, high))))
        kinds = list(term.faults)
        other = opposite(either(*inside, *outside, term.fault))
        chosen = self._choose([either(*inside), either(*outside), other, *term.faults.values()])
        if chosen == 0:
            whole = 1 if self.clock is None else self.clock.dues.put(term, seconds=seconds)
            set_whole(answer, INTEGER, whole)
        elif chosen == 1:
            set_whole(answer, INTEGER, -1)
        elif chosen == 2:
            set_null(answer)
        else:
            self._fault(kinds[chosen - 3], answer)

    def _answer_value(self, term: Term, answer: Cell) -> None:
        kinds = list(term.faults)
        chosen = self._choose([opposite(term.fault), *term.faults.values()])
        if chosen:
            self._fault(kinds[chosen - 1], answer)
            return
        known = known_value(term)
        if known is not None:
            self.markers.texts.encode(known[0], answer)
        else:
            self.markers.texts.encode(self.markers.put(f"term {next(self._fresh)}", term), answer)

    def make(self, what: int, of: int, cells: Cells, answer: Cell) -> None:
        """Never asked: nothing is declared of its values, and all that would make one is a question."""
        raise NotCovered("no value is made in a symbolic program.")

    def part(self, owner: int, name: int, answer: Cell) -> bool:
        """Never asked either."""
        raise NotCovered("no field is read in a symbolic program.")

    def holds(self, op: int, text: int, part: int) -> bool:
        """Never asked either."""
        raise NotCovered("no text is looked into in a symbolic program.")

    def length(self, items: int) -> int:
        """Never asked: a list that is gone through is not covered."""
        raise NotCovered("a list that for_each goes through is not followed symbolically.")

    def element(self, items: int, index: int, answer: Cell) -> None:
        """Never asked either."""
        raise NotCovered("a list that for_each goes through is not followed symbolically.")

    def results(self, ended: list[tuple[int, int, Cells]], collect: int, answer: Cell) -> None:
        """Never asked either."""
        raise NotCovered("a list that for_each goes through is not followed symbolically.")

    def order(self, left: int, right: int) -> int:
        """Never asked: the program compares nothing itself that could be a marker."""
        raise NotCovered("the order of texts is not asked of a symbolic program.")
