"""What `step` does with values that are not known: a finite graph of control states, whose edges carry formulas.

The program is compiled so that every expression is a question to the surroundings. They answer in each way that is
possible and remember as a formula for which values it is the answer; a value that is written becomes a marker, a text
that stands for a term and that `step` carries like any other value. After the step each marker in the instance is
replaced by one that names its place. So two instances that differ in values only are one state of this graph.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import z3

from wfsim.errors import NotCovered
from wfsim.model.elements import Event, SendAction, Variable
from wfsim.model.expression_tree import (
    Name,
    Template,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    Whole,
    names,
)
from wfsim.model.expressions import parse_template, to_text
from wfsim.model.uses import receiver
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow
from wfsim.semantics.activations import LONGEST_SECONDS
from wfsim.semantics.codes import ABSENT, BOOLEAN, FAULT, INTEGER, STRING
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import Cell, Cells, Rows
from wfsim.semantics.program import Program
from wfsim.semantics.rows import payload_of
from wfsim.semantics.snapshot import kept_rows, take_snapshot, variable_cells
from wfsim.semantics.stimulus import Stimulus
from wfsim.semantics.texts import Texts
from wfsim.semantics.values import set_null, set_whole
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.workflows.candidates import Candidates
from wfsim.verification.workflows.conditions.symbols import Symbols
from wfsim.verification.workflows.conditions.terms import (
    NotTaken,
    Term,
    Truth,
    alternatives,
    both,
    constant,
    either,
    in_order,
    known_value,
    limited,
    needed_boolean,
    opposite,
    order,
)
from wfsim.verification.workflows.conditions.translation import Translation
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.space import WorkflowSpace
from wfsim.verification.workflows.symbolic.admission import fitted

MOST_STARTS = 16
"""Ways to leave out inputs that have an initial value."""

MARK = "\ue000"
"""What markers begin with: a sign for private use, more of them where a definition uses it too."""

MILLISECONDS = 200
"""For the question whether an edge is possible at all; one that is not known to be impossible is kept."""


@dataclass(frozen=True)
class Move(Edge):
    """An edge with its formulas.

    Attributes
    ----------
    guard
        For which values of the places before, and from outside, this happens.
    writes
        What each place of the state after holds then.
    """

    guard: Truth = True
    writes: Mapping[str, Term] = field(default_factory=dict)


class SymbolicHost:
    """Answers an expression in each way that it may come out, and remembers for which values that is."""

    def __init__(
        self, program: Program, texts: Texts, symbols: Symbols, mark: str, declared: Mapping[str, Variable]
    ) -> None:
        self.program = program
        self.declared = declared
        self.texts = texts
        self.symbols = symbols
        self.mark = mark
        self.terms: dict[int, Term] = {}
        """What each marker stands for, by its handle."""
        self.script: list[int] = []
        self.asked: list[int] = []
        self.path: list[Truth] = []
        self._fresh = itertools.count()
        self._asked_before: dict[z3.BoolRef, bool] = {}

    def begin(self, script: list[int]) -> None:
        """Answer the next questions by this script, and the first choice beyond it."""
        self.script = script
        self.asked = []
        self.path = []

    def marker(self, name: str, term: Term) -> str:
        """A text that stands for a term."""
        text = f"{self.mark}{name}"
        self.terms[self.texts.handle(text)] = term
        return text

    def term_of(self, tag: int, whole: int, real: float) -> Term:
        """What a cell holds."""
        if tag == STRING and whole in self.terms:
            return self.terms[whole]
        return constant(self.texts.decode(tag, whole, real))

    def evaluate(self, number: int, m: Rows, v: Cells, i: int, private: int, payload: int, answer: Cell) -> None:
        """One of the answers that the expression could have."""
        asked = self.program.host[number]
        base = m[i].cells
        order_of = list(self.program.variables)

        def name(node: Name | Whole) -> Term:
            if isinstance(node, Whole):
                if node.scope != "state":
                    raise NotTaken(f"`{node.scope}` as a whole is an object")
                root = self.program.rows[self.program.head.root].slot
                return constant(self.program.name(m[i + root].state) or "")
            if node.scope == "context":
                k = order_of.index(node.field)
                hidden = private >= 0 and v[private + k].tag != ABSENT
                cell = v[private + k if hidden else base + k]
            elif payload < 0:
                return constant(None)
            else:
                cell = v[payload + asked.fields[node.field]]
            return self.term_of(cell.tag, cell.whole, cell.real)

        term = self._translated(asked.template, name)
        if asked.role == "condition":
            self._answer_condition(term, answer)
        elif asked.role == "duration":
            self._answer_duration(term, answer)
        elif asked.role == "value":
            self._answer_value(term if asked.target is None else fitted(self.declared[asked.target], term), answer)
        else:
            raise NotCovered(f"what is {asked.role} of a for_each or a message is not followed symbolically.")

    def _translated(self, template: Template, name: Any) -> Term:
        if isinstance(template, TemplateLiteral):
            return constant(template.value)
        if isinstance(template, TemplateList | TemplateObject):
            given = template.items if isinstance(template, TemplateList) else [part for _, part in template.fields]
            faults, fine = in_order([self._translated(part, name) for part in given])
            empty = (
                [None] * len(given)
                if isinstance(template, TemplateList)
                else dict.fromkeys(map(str, range(len(given))))
            )
            return alternatives(Term(faults), limited(constant(empty), fine))
        translation = Translation(self.symbols, name)
        term = translation.of(template)
        for node, why in translation.left_open.items():
            raise NotCovered(f"`{to_text(node)}` is not followed symbolically: {why}.")
        return term

    def _choose(self, choices: list[Truth]) -> int:
        """The choice of the script among those that are possible after what was chosen before."""
        possible = [k for k, guard in enumerate(choices) if guard is not False]
        if len(possible) > 1:
            possible = [k for k in possible if self.possible(both(*self.path, choices[k]))]
        at = len(self.asked)
        self.asked.append(len(possible))
        chosen = possible[self.script[at] if at < len(self.script) else 0]
        self.path.append(choices[chosen])
        return chosen

    def possible(self, guard: Truth) -> bool:
        """Whether some values make it true; also if that is not known."""
        if isinstance(guard, bool):
            return guard
        if guard not in self._asked_before:
            solver = z3.Solver()
            solver.set("timeout", MILLISECONDS)
            solver.add(guard, *self.symbols.known)
            self._asked_before[guard] = bool(solver.check() != z3.unsat)
        return self._asked_before[guard]

    def _fault(self, kind: str, answer: Cell) -> None:
        set_whole(answer, FAULT, self.texts.handle(kind))

    def _answer_condition(self, term: Term, answer: Cell) -> None:
        term = needed_boolean(term)
        kinds = list(term.faults)
        chosen = self._choose([term.is_boolean(True), term.is_boolean(False), *term.faults.values()])
        if chosen < 2:
            set_whole(answer, BOOLEAN, 1 - chosen)
        else:
            self._fault(kinds[chosen - 2], answer)

    def _answer_duration(self, term: Term, answer: Cell) -> None:
        inside: list[Truth] = []
        outside: list[Truth] = []
        for case in term.cases:
            if case.kind in ("integer", "number"):
                low, high = (
                    order(op, case, constant(end).cases[0]) for op, end in ((">=", 0), ("<=", LONGEST_SECONDS))
                )
                assert low is not None
                assert high is not None
                inside.append(both(case.guard, low, high))
                outside.append(both(case.guard, opposite(both(low, high))))
        kinds = list(term.faults)
        other = opposite(either(*inside, *outside, term.fault))
        chosen = self._choose([either(*inside), either(*outside), other, *term.faults.values()])
        if chosen < 2:
            set_whole(answer, INTEGER, 1 - 2 * chosen)
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
            self.texts.encode(known[0], answer)
        else:
            self.texts.encode(self.marker(f"term {next(self._fresh)}", term), answer)

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


class SymbolicSpace(WorkflowSpace):
    """Control states of one instance, whatever the values; see the head of this module.

    Attributes
    ----------
    places
        For each place of an instance that may hold a value (as `@cells 3`): the term of its value before a step.
    inputs
        For each value from outside, by stimulus and name: its term.
    symbols
        All unknown values, and what is true of them: a place has what its declaration admits.

    Raises
    ------
    NotCovered
        Naming the construct, where a workflow has one whose values are not followed.
    """

    def __init__(self, workflow: Workflow) -> None:
        program = compile_workflow(workflow, symbolic=True)
        super().__init__(program)
        _refuse(workflow)
        self.declared = dict(program.variables)
        for key in (("error", "type"), ("error", "message")):
            if self.domains.computes(key):
                raise NotCovered(f"the {key[1]} of an error is computed with, and only some of them would be tried.")
        untyped = {
            name: Variable(type=ValueType.ANY, input=each.input, optional=True, initial=each.initial)
            for name, each in program.variables.items()
        }
        self.workflow = workflow
        # Whether a key can be computed is left out: more starts are followed than are accepted.
        unkeyed = workflow.model_copy(update={"correlation": None})
        self.program = replace(
            program, workflow=unkeyed, variables=untyped, events={name: Event() for name in program.events}
        )
        mark = MARK
        while any(
            isinstance(text, str) and text.startswith(mark) for text in map(self.texts.value, range(len(self.texts)))
        ):
            mark += MARK
        self.symbols = Symbols()
        self.places: dict[str, Term] = {}
        self.inputs: dict[str, Term] = {}
        self.host: SymbolicHost = SymbolicHost(self.program, self.texts, self.symbols, mark, self.declared)  # type: ignore[assignment]
        self.candidates = MarkedCandidates(self)

    @property
    def exact(self) -> bool:
        """Always: no value is left out."""
        return True

    # --- the search ------------------------------------------------------------------------------------

    def search(self, max_states: int, limits: Limits = UNLIMITED) -> None:
        """Visit control states breadth first until none is new or a limit is reached."""
        at = -1
        while at < len(self.snapshots):
            found = self.starts if at < 0 else self._edges[at]
            for stimulus, answers, instance, output in self._successors(at):
                guard = both(*self.host.path)
                if guard is False:
                    continue
                writes = self._place_markers(instance)
                snapshot = take_snapshot(instance)
                target = self._numbers.get(snapshot, len(self.snapshots))
                move = Move(stimulus, answers, target, self._happened(output), guard, writes)
                if target == len(self.snapshots):
                    if target >= max_states:
                        self._stop(f"{max_states:,} control states found")
                        return
                    self.add_state(snapshot, at, move)
                found.append(move)
                if limits.late:
                    self._stop(f"max_seconds={limits.max_seconds:g} reached")
                    return
            self.n_expanded = max(at + 1, 0)
            at += 1

    def _place_markers(self, instance: Instance) -> dict[str, Term]:
        """Put markers in an instance that name their places instead; returns the term that each place holds."""
        program, m, v = self.program, instance.m, instance.v
        head = program.head
        writes: dict[str, Term] = {}
        declared = [*self.declared.values()]
        n = len(declared)
        for k in range(head.inbox_cells):
            of = declared[k % n] if n and k < n * (head.n_regions + 1) else _ANY
            self._place(v[k], f"@cell {k}", of, writes)
        held, waiting = kept_rows(instance)
        for number, row in enumerate(waiting):
            base = payload_of(program.rows, m, 0, row)
            for k in range(head.n_fields):
                self._place(v[base + k], f"@entry {number} {m[row].event} {k}", _ANY, writes)
        for row in held:
            base = payload_of(program.rows, m, 0, row)
            for cell in v[base : base + head.n_fields]:
                if cell.tag == STRING and cell.whole in self.host.terms:
                    # What an activity was given is never looked at again.
                    set_null(cell)
        return writes

    def _place(self, cell: Cell, name: str, declared: Variable, writes: dict[str, Term]) -> None:
        if cell.tag == ABSENT:
            # What a flight wrote before means nothing.
            cell.whole, cell.real = 0, 0.0
        elif cell.tag == STRING and cell.whole in self.host.terms:
            if name not in self.places:
                self.places[name] = self.symbols.of_variable(name, declared, null=_nullable(declared))
            writes[name] = self.host.terms[cell.whole]
            self.host.marker(name, self.places[name])
            cell.whole = self.texts.handle(f"{self.host.mark}{name}")

    def value_after(self, move: Move, variable: int) -> Term:
        """What a variable holds after a move."""
        name = f"@cell {variable}"
        if name in move.writes:
            return move.writes[name]
        return self.host.term_of(*variable_cells(self.program, self.snapshots[move.target])[variable])


class MarkedCandidates(Candidates):
    """Stimuli with markers for values from outside, each of which stands for all that its declaration admits."""

    def __init__(self, space: SymbolicSpace) -> None:
        super().__init__(space.program, space.domains)
        self.space = space

    def _input(self, what: str, name: str, term: Term) -> str:
        self.space.inputs[f"{what}.{name}"] = term
        return self.space.host.marker(f"{what}.{name}", term)

    def starts(self) -> Iterator[Stimulus]:
        """Every choice of inputs that may be left out."""
        symbols = self.space.symbols
        inputs = {name: each for name, each in self.space.declared.items() if each.input}
        open_ones = [name for name, each in inputs.items() if each.initial is not None]
        if 2 ** len(open_ones) > MOST_STARTS:
            raise NotCovered(f"{len(open_ones)} inputs may be left out, in too many combinations.")
        for left_out in itertools.product([False, True], repeat=len(open_ones)):
            gone = {name for name, out in zip(open_ones, left_out) if out}
            given = {
                name: self._input("start", name, symbols.of_variable(f"?start.{name}", each, null=_nullable(each)))
                for name, each in inputs.items()
                if name not in gone
            }
            yield Stimulus("start", payload=given)

    def _payloads_of(self, event: str) -> Iterator[dict[str, Any]]:
        declared = self.space.host.program.workflow.events.get(event, Event()).payload
        fields = list(dict.fromkeys([*declared, *self.program.event_fields[event]]))
        yield {
            name: self._input(event, name, self.space.symbols.of_field(f"?{event}.{name}", declared.get(name)))
            for name in fields
            if name in self.program.event_fields[event]
        }

    def results(self, row: int) -> list[Any]:
        """One marker."""
        symbols = self.space.symbols
        if row < 0:
            return [self._input("result", "value", symbols.of_field("?result.value", None))]
        name = self.program.name(row) or ""
        each = self.space.declared[name]
        return [self._input("result", name, symbols.of_variable(f"?result.{name}", each, null=_nullable(each)))]


_ANY = Variable(type=ValueType.ANY, optional=True)


def _nullable(variable: Variable) -> bool:
    return variable.optional or variable.type is ValueType.ANY


def _refuse(workflow: Workflow) -> None:
    """Name the first construct whose values are not followed."""
    for _, region in workflow.regions():
        for state in region.states:
            if state.for_each is not None or state.invoke is not None:
                what = "goes through a list" if state.for_each is not None else "runs another workflow"
                raise NotCovered(f"state {state.name!r} {what}, and what comes of that is not followed symbolically.")
        for transition in region.transitions:
            for action in (*transition.pre_actions, *transition.post_actions):
                if isinstance(action, SendAction):
                    parts = [*receiver(action), *map(parse_template, action.payload.values())]
                    if any(names(part) for part in parts if part is not None):
                        raise NotCovered(f"{transition} sends values, and these are not followed symbolically.")
