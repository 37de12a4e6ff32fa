"""What an open environment may send: the stimuli of each kind, with every candidate value."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any

from wfsim.errors import StartRefused
from wfsim.exploration.cells import fresh
from wfsim.exploration.domains import Domains
from wfsim.model.retrying import policies, telling_errors
from wfsim.model.statuses import STATUSES
from wfsim.semantics.codes import COMPLETED, NONE
from wfsim.semantics.program import Program
from wfsim.semantics.stimulus import Stimulus, checked_inputs

MOST_PAYLOADS = 2_000


class Candidates:
    """Stimuli with candidate values, of an erased program with one value of each.

    Attributes
    ----------
    cut
        Whether combinations of values were left out, of which there are more than `MOST_PAYLOADS`.
    refused
        Why the first start was refused that was; empty if none was.
    """

    def __init__(self, program: Program, domains: Domains) -> None:
        self.program = program
        self.domains = domains
        self.cut = False
        self.refused = ""
        self._payloads: dict[str, list[dict[str, Any]]] = {}

    def moments(self) -> list[int]:
        """Times at which something may happen, one for each that conditions tell apart."""
        return self.domains.of_clock()

    def starts(self) -> Iterator[Stimulus]:
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
                self.refused = self.refused or str(refused)
                continue
            yield Stimulus("start", payload=given)

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
        self.cut |= math.prod(map(len, candidates)) > MOST_PAYLOADS
        return itertools.islice(itertools.product(*candidates), MOST_PAYLOADS)

    def results(self, row: int) -> list[Any]:
        """Candidates for what an activity returns: all that its variable or declaration, a row, admits; -1: none."""
        if self.program.erased:
            return [None]
        if row < 0:
            return self.domains.of_result()
        name = self.program.name(row) or ""
        if not self._is_variable(row):
            return self.domains.of_typed_result(name, self.program.shapes[row])
        return self.domains.of_variable(name, self.program.variables[name])

    def _is_variable(self, row: int) -> bool:
        first = self.program.head.first_variable
        return first <= row < first + self.program.head.n_variables

    def errors(self, activity: int) -> Iterator[tuple[str, str | None]]:
        """Error types and messages: one that no policy names, each that one does, each that a condition names."""
        name = self.program.name(activity) or ""
        told = telling_errors(policies(self.program.workflow, name))
        if not self.program.erased:
            told += self.domains.named_error_types()
        types = dict.fromkeys([fresh("Error", told), *told])
        known = [each for each in types if each and each.partition(".")[0] not in ("Timeout", "Expression")]
        yield from itertools.product(known, [None] if self.program.erased else self.domains.of_message())


def child_ends(results: Iterable[Any], serial: int = NONE) -> Iterator[Stimulus]:
    """A child may close in every way (M4.4); its outputs are one object, as large as its workflow makes it."""
    for result in results:
        if result is None or isinstance(result, dict):
            yield Stimulus(
                "child_closed", activity_id=serial, status="completed", outcome="success", payload=result or {}
            )
    for status in STATUSES[COMPLETED:]:
        outcome = "failure" if status == "completed" else None
        yield Stimulus("child_closed", activity_id=serial, status=status, outcome=outcome)


def _plain_inputs(program: Program) -> dict[str, Any]:
    domains = Domains(program)
    inputs = {name: variable for name, variable in program.variables.items() if variable.input}
    first = {name: domains.of_variable(name, variable)[0] for name, variable in inputs.items()}
    return {name: value for name, value in first.items() if value is not None}
