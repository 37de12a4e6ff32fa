"""Values from outside that are not known: one marker for each, which stands for all that its declaration admits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import z3

from wfsim.errors import NotCovered
from wfsim.exploration.domains import Domains
from wfsim.model.declared import FieldType
from wfsim.model.elements import Variable
from wfsim.model.shapes import Shape
from wfsim.semantics.program import Program
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.workflows.candidates import Candidates
from wfsim.verification.workflows.conditions.symbols import Symbols, admitted
from wfsim.verification.workflows.symbolic.markers import Markers
from wfsim.verification.workflows.symbolic.places import nullable

FITTING = 1_000_000
"""What the solver may count for the question whether results of a declared type fit a variable at all."""

MOST_STARTS = 16
"""Ways to leave out inputs that have an initial value."""


class MarkedValues:
    """What comes from outside: markers; and of the words of a worker, those that conditions tell apart.

    Attributes
    ----------
    returned
        For each variable what the results that it takes up are declared of.
    opened
        Why more is followed than can come; empty if it is exactly that.
    """

    def __init__(
        self,
        program: Program,
        declared: Mapping[str, Variable],
        domains: Domains,
        markers: Markers,
        symbols: Symbols,
        returned: Mapping[str, list[Shape | None]],
    ) -> None:
        self.program = program
        self.declared = declared
        self.markers = markers
        self.symbols = symbols
        self.candidates = Candidates(program, domains)
        self.returned = returned
        self.opened = ""
        self._restricted: set[str] = set()

    def moments(self) -> list[int]:
        """None is tried: the time is a term (`SymbolicSpace.clock`)."""
        return []

    def starts(self) -> Iterator[Stimulus]:
        """Every choice of inputs that may be left out."""
        inputs = {name: each for name, each in self.declared.items() if each.input}
        open_ones = [name for name, each in inputs.items() if each.initial is not None]
        if 2 ** len(open_ones) > MOST_STARTS:
            raise NotCovered(f"{len(open_ones)} inputs may be left out, in too many combinations.")
        for left_out in itertools.product([False, True], repeat=len(open_ones)):
            gone = {name for name, out in zip(open_ones, left_out) if out}
            yield Stimulus("start", payload={name: self._kept("start", name) for name in inputs if name not in gone})

    def payloads(self, event: str) -> Iterator[dict[str, Any]]:
        """One payload, of the fields that somebody reads."""
        declared = self.program.workflow.events
        fields = declared[event].payload if event in declared else {}
        read = self.program.event_fields[event]
        names = [name for name in dict.fromkeys([*fields, *read]) if name in read]
        yield {name: self._field(event, name, fields.get(name)) for name in names}

    def results(self, row: int) -> list[Any]:
        """One marker."""
        name = self.program.name(row) or ""
        if row < 0:
            if any(shape is not None for shapes in self.returned.values() for shape in shapes):
                self._open("a result", "of an activity whose results a variable takes up elsewhere")
            return [self._field("result", "value", None)]
        head = self.program.head
        if head.first_variable <= row < head.first_variable + head.n_variables:
            marker = self._kept("result", name)
            self._restrict(name, marker)
            return [marker]
        shape = self.program.shapes[row]
        term = self.symbols.of_shape(f"?result of.{name}", shape, null=shape.optional)
        return [self.markers.put(f"result of.{name}", term, shape)]

    def _restrict(self, name: str, marker: str) -> None:
        """Say of a result that a variable takes up what is declared of it."""
        shapes = self.returned.get(name, [])
        first = shapes[0] if shapes else None
        if all(shape is None for shape in shapes) or name in self._restricted:
            return
        self._restricted.add(name)
        term = self.markers.of_text(marker)
        assert term is not None
        facts, told = ([], False) if first is None else admitted(term, first)
        solver = z3.Solver()
        solver.set("rlimit", FITTING)
        solver.add(*self.symbols.known, *facts)
        # Were there no such value, nothing would be possible any more, not even what does not wait for it.
        fits = all(shape == first for shape in shapes) and solver.check() == z3.sat
        if fits:
            self.symbols.known += facts
        if not (fits and told):
            self._open(f"what variable {name!r} takes up", "declared of another type than the variable")

    def _open(self, what: str, why: str) -> None:
        self.opened = self.opened or f"{what} is {why}, which is not followed symbolically"

    def errors(self, activity: int) -> Iterator[tuple[str, str | None]]:
        """Error types and messages, as everywhere: they are not computed with."""
        return self.candidates.errors(activity)

    def _kept(self, what: str, name: str) -> str:
        """A marker for what is written to a variable."""
        declared = self.declared[name]
        term = self.symbols.of_variable(f"?{what}.{name}", declared, null=nullable(declared))
        return self.markers.put(f"{what}.{name}", term, declared.shape)

    def _field(self, what: str, name: str, declared: FieldType | None) -> str:
        term = self.symbols.of_field(f"?{what}.{name}", declared)
        return self.markers.put(f"{what}.{name}", term, None if declared is None else declared.shape)
