"""The questions that a choice is asked: first of plain values by the evaluator, then of all values by the solver."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from wfsim.model.elements import Variable
from wfsim.model.evaluate import fit
from wfsim.model.expression_tree import Literal, Whole, walk
from wfsim.model.expression_tree import called as called_in
from wfsim.model.functions import told_calls
from wfsim.model.shapes import ANYTHING, misfit
from wfsim.model.uses import declared_variables
from wfsim.model.values import EvaluationFault, Value, ValueType
from wfsim.model.workflow import Workflow
from wfsim.verification.nets.limits import Limits
from wfsim.verification.workflows.conditions.choices import Choice, called, outcome
from wfsim.verification.workflows.conditions.findings import told_values
from wfsim.verification.workflows.conditions.samples import combinations, of_field, of_variable
from wfsim.verification.workflows.conditions.wishes import Wish, Written

if TYPE_CHECKING:
    from wfsim.verification.workflows.conditions.formulas import Formulas

SECONDS = 2.0
"""For each question, unless told otherwise."""

MOST_TRIED = 500
"""So many combinations of plain values are tried before the solver is asked."""


@dataclass(frozen=True)
class Answer:
    """Whether wishes can be met together: by these values; not at all (`refuted`); or why that is not known."""

    values: Mapping[str, Value] | None = None
    unknown: str = ""

    @property
    def refuted(self) -> bool:
        """Whether it is impossible."""
        return self.values is None and not self.unknown


class Questions:
    """Asks one choice.

    Parameters
    ----------
    limits
        For all questions to all choices; without a limit of time, each has `SECONDS`.
    """

    def __init__(self, workflow: Workflow, choice: Choice, limits: Limits) -> None:
        self.choice = choice
        self.limits = limits
        self.n_asked = 0
        self.variables = declared_variables(workflow)
        self.functions = workflow.given
        self.calls = dict.fromkeys(call.function for option in choice.options for call in called_in(option.whole))
        self.missing = [name for name in self.functions.missing if name in self.calls]
        constants = [
            node.value for option in choice.options for node in walk(option.whole) if isinstance(node, Literal)
        ]
        constants = list({repr(each): each for each in constants if each is not None}.values())
        self.names = tuple(called(name) for name in choice.names if not isinstance(name, Whole))
        self.written = Written(tuple(name for name in self.names if self._is_written(name)))
        given = [self._samples(name, constants) for name in self.names]
        self.plain = dict(zip(self.names, (values for values, _ in given)))
        n = math.prod(len(values) for values, _ in given)
        self.exhaustive = n <= MOST_TRIED and all(every for _, every in given)
        """Whether all values that the declarations admit are tried."""
        self.tried = [dict(zip(self.names, each)) for each in combinations([each for each, _ in given], MOST_TRIED)]
        self.exhaustive &= not any(isinstance(name, Whole) and name.scope != "state" for name in choice.names)
        # What is impossible is so for every function (M14.6), which the solver is asked about.
        self.exhaustive &= not self.calls

    def _variable(self, name: str) -> Variable | None:
        scope, _, field = name.partition(".")
        return self.variables[field] if scope == "context" else None

    def _is_written(self, name: str) -> bool:
        variable = self._variable(name)
        return variable is not None and not variable.optional and variable.kind is not ValueType.ANY

    def _samples(self, name: str, constants: list[Value]) -> tuple[list[Value], bool]:
        variable = self._variable(name)
        if variable is not None:
            return of_variable(variable, constants)
        return of_field(self.choice.declared(name), constants)

    @cached_property
    def formulas(self) -> Formulas:
        """The choice as the solver sees it; made only if the solver is needed, as loading it takes its time."""
        from wfsim.verification.workflows.conditions.formulas import Formulas

        return Formulas(self.choice, self.variables)

    def ask(self, *wishes: Wish) -> Answer:
        """Whether all wishes can be met together."""
        self.n_asked += 1
        # With no time at all, plain values are what was asked for.
        if self.limits.late and self.limits.max_seconds:
            return Answer(unknown=f"max_seconds={self.limits.max_seconds:g} was over before. Raise it.")
        for values in () if self.missing else self.tried:
            if self._met(wishes, values):
                return Answer(values)
        if self.exhaustive:
            return Answer()
        found, why = self.formulas.solve(wishes, self._share(), self.limits.max_seconds)
        if found is None:
            return Answer(unknown=why)
        if self.missing:
            told = told_calls(self.missing)
            return Answer(unknown=f"{told} not given, and it depends on that (workflow.with_functions).")
        for values in self._with_lists(found):
            if self._admitted(values) and self._met(wishes, values):
                return Answer(self._plainer(wishes, values))
        return Answer(unknown=self.formulas.told_open() or self._disagreed(found))

    def _share(self) -> float:
        """Seconds for one question: half of those that are left, or what each has by default if there is so much."""
        left = self.limits.seconds_left
        return SECONDS if left is None else min(left, max(left / 2, SECONDS))

    def outcomes(self, values: Mapping[str, Value]) -> list[str]:
        """What the evaluator makes of each condition."""
        return [outcome(option.whole, values, self.choice.state, self.functions) for option in self.choice.options]

    def _met(self, wishes: tuple[Wish, ...], values: Mapping[str, Value]) -> bool:
        return all(wish.seen(values, self.choice.state, self.functions) for wish in wishes)

    def _with_lists(self, values: dict[str, Value]) -> Iterator[dict[str, Value]]:
        """The values, then with other lists for those of which the solver knows only how long they are."""
        yield values
        lists = [name for name, value in values.items() if isinstance(value, list)]
        for tried in self.tried if lists else ():
            yield {**values, **{name: tried[name] for name in lists if isinstance(tried[name], list)}}

    def _plainer(self, wishes: tuple[Wish, ...], values: dict[str, Value]) -> dict[str, Value]:
        """Values that read better and do as well, looked for one name after another."""
        for name in self.names:
            for plain in self.plain[name]:
                if self._met(wishes, {**values, name: plain}):
                    values = {**values, name: plain}
                    break
        return values

    def _admitted(self, values: Mapping[str, Value]) -> bool:
        """Whether the declarations admit the values, by the rules of the door and not by the solver's."""
        for name, value in values.items():
            variable = self._variable(name)
            declared = self.choice.declared(name)
            if value is None:
                continue
            if variable is None:
                if misfit(ANYTHING if declared is None else declared.shape, value) is not None:
                    return False
                continue
            try:
                fit(variable, value)
            except EvaluationFault:
                return False
        return True

    def _disagreed(self, values: Mapping[str, Value]) -> str:
        if self.calls:
            calls = " and ".join(f"functions.{name}" for name in self.calls)
            return (
                f"it would be so with another {calls}, for {told_values(values)}; with the one given it was not found."
            )
        return f"the solver found {told_values(values)}, which the evaluator does not bear out."
