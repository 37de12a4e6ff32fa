"""Places of an instance that may hold a value: in a state of the space each holds a term of its own."""

from __future__ import annotations

from collections.abc import Mapping

from wfsim.model.elements import Variable
from wfsim.model.values import ValueType
from wfsim.semantics.codes import ABSENT
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import Cell
from wfsim.semantics.rows import payload_of
from wfsim.semantics.snapshot import kept_rows
from wfsim.semantics.values import set_null
from wfsim.verification.workflows.conditions.contents import as_counted
from wfsim.verification.workflows.conditions.symbols import Symbols
from wfsim.verification.workflows.conditions.terms import Term
from wfsim.verification.workflows.symbolic.markers import Markers

ANY = Variable(type=ValueType.ANY, optional=True)


def nullable(variable: Variable) -> bool:
    """Whether a variable may hold null."""
    return variable.optional or variable.kind is ValueType.ANY


class Places:
    """The places found so far.

    Attributes
    ----------
    terms
        For each place (as `@cell 3`): the term of its value before a step. It is what its declaration admits.
    opened
        Why a place may hold more than was written there; empty if none does.
    """

    def __init__(self, declared: Mapping[str, Variable], markers: Markers, symbols: Symbols) -> None:
        self.declared = declared
        self.markers = markers
        self.symbols = symbols
        self.terms: dict[str, Term] = {}
        self.opened = ""

    @staticmethod
    def of_variable(number: int) -> str:
        """The place of a variable."""
        return f"@cell {number}"

    def settle(self, instance: Instance) -> dict[str, Term]:
        """Put markers in an instance that name their places instead; returns the term that each place holds."""
        program, m, v = instance.program, instance.m, instance.v
        head = program.head
        writes: dict[str, Term] = {}
        declared = [*self.declared.values()]
        n = len(declared)
        for k in range(head.inbox_cells):
            of = declared[k % n] if n and k < n * (head.n_regions + 1) else ANY
            self._place(v[k], self.of_variable(k), of, writes)
        held, waiting = kept_rows(instance)
        for number, row in enumerate(waiting):
            base = payload_of(program.rows, m, 0, row)
            for k in range(head.n_fields):
                self._place(v[base + k], f"@entry {number} {m[row].event} {k}", ANY, writes)
        for row in held:
            base = payload_of(program.rows, m, 0, row)
            for cell in v[base : base + head.n_fields]:
                if self.markers.of_cell(cell) is not None:
                    # What an activity was given is never looked at again.
                    set_null(cell)
        return writes

    def _place(self, cell: Cell, name: str, declared: Variable, writes: dict[str, Term]) -> None:
        if cell.tag == ABSENT:
            # What a flight wrote before means nothing.
            cell.whole, cell.real = 0, 0.0
        elif (term := self.markers.of_cell(cell)) is not None:
            if name not in self.terms:
                self.terms[name] = self.symbols.of_variable(name, declared, null=nullable(declared))
            writes[name] = term
            if _uncounted(self.terms[name], term):
                self.opened = "what is in a list that is written is not known to the solver"
            cell.whole = self.markers.texts.handle(self.markers.put(name, self.terms[name]))


def _uncounted(place: Term, value: Term) -> bool:
    """Whether a place knows what is in its list, and a value does not."""
    kept = [case.contents for case in place.cases if case.contents is not None]
    given = [case.contents for case in value.cases if case.kind == "list"]
    return any(as_counted(each, like) is None for like in kept for each in given)
