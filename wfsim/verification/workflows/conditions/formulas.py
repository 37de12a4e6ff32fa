"""A choice as formulas, and the solver that is asked about them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import z3

from wfsim.exploration.shaped import examples
from wfsim.model.elements import Variable
from wfsim.model.expression_tree import Name, Whole
from wfsim.model.expressions import to_text
from wfsim.model.values import Value
from wfsim.verification.workflows.conditions.choices import Choice, called
from wfsim.verification.workflows.conditions.literals import NotTaken
from wfsim.verification.workflows.conditions.looking import looks
from wfsim.verification.workflows.conditions.operations import needed_boolean
from wfsim.verification.workflows.conditions.samples import can_be_null
from wfsim.verification.workflows.conditions.symbols import Symbols, value_of
from wfsim.verification.workflows.conditions.terms import Term, constant, is_counted
from wfsim.verification.workflows.conditions.translation import Translation
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite
from wfsim.verification.workflows.conditions.wishes import Comes, Differ, Wish


class Formulas:
    """Translates what is wished at a choice, and asks the solver for values.

    Values are known as far as the declarations tell: types, limits, listed values, and whether they may be null.
    """

    def __init__(self, choice: Choice, variables: Mapping[str, Variable]) -> None:
        self.choice = choice
        self.variables = variables
        self.symbols = Symbols(looks(option.whole for option in choice.options))
        shapes = {name: variable.shape for name, variable in variables.items()}
        self.translation = Translation(self.symbols, self._name, shapes)
        for name in choice.names:
            self.translation.of(name)

    def _name(self, name: Name | Whole) -> Term:
        if isinstance(name, Whole):
            if name.scope == "state":
                return constant(self.choice.state)
            raise NotTaken(f"`{name.scope}` as a whole is an object, and what is in it is not known to the solver")
        if name.scope == "context":
            variable = self.variables[name.field]
            return self.symbols.of_variable(called(name), variable, null=can_be_null(variable))
        return self.symbols.of_field(called(name), self.choice.declared(called(name)))

    def solve(
        self, wishes: Sequence[Wish], seconds: float, max_seconds: float | None = None
    ) -> tuple[dict[str, Value] | None, str]:
        """Values for which the wishes are met; else why there are none: the empty text, if it is impossible.

        The solver has so many seconds, of those (`max_seconds`) that the user gave.
        """
        fact = both(*(self.fact(wish) for wish in wishes), *self.symbols.known)
        if isinstance(fact, bool):
            return ({}, "") if fact else (None, "")
        given = f"{seconds if max_seconds is None else max_seconds:g}"
        if seconds <= 0:
            return None, f"max_seconds={given}, so the solver was not asked. Raise it."
        solver = z3.Solver()
        solver.set("timeout", max(1, int(seconds * 1000)))
        solver.add(fact)
        status = solver.check()
        if status == z3.sat:
            return self._filled(self.symbols.values(solver.model()), solver.model()), ""
        reason = "" if status == z3.unsat else solver.reason_unknown()
        if reason in ("timeout", "canceled"):
            reason = f"the solver found no answer within max_seconds={given}. Raise it."
        elif reason:
            reason = (
                f"the solver gave up ({reason}). Write the condition more plainly, say without products of variables."
            )
        return None, reason

    def _filled(self, values: dict[str, Value], model: z3.ModelRef) -> dict[str, Value]:
        """The values, where objects and lists of declared types hold what such hold, and the fields that were asked."""
        filled = dict(values)
        for name, value in values.items():
            scope, _, field = name.partition(".")
            declared = self.variables[field] if scope == "context" else self.choice.fields.get(field)
            if declared is None or not isinstance(value, list | dict) or is_counted(self.symbols.terms[name]):
                continue
            shape = declared.shape
            plain = examples(shape if isinstance(value, dict) or shape.items is None else shape.items)
            if shape.deep and plain:
                filled[name] = plain[0] if isinstance(value, dict) else [copy.deepcopy(plain[0]) for _ in value]
        for name, term in self.symbols.terms.items():
            if name.startswith("field context."):
                asked = name.removeprefix("field context.")
                # Data of states have a dot in their name.
                variable = max((each for each in self.variables if asked.startswith(f"{each}.")), key=len)
                *path, last = asked.removeprefix(f"{variable}.").split(".")
                inner = filled.get(f"context.{variable}")
                for step in path:
                    inner = inner.get(step) if isinstance(inner, dict) else None
                if isinstance(inner, dict):
                    inner[last] = value_of(term, model)
        return filled

    def fact(self, wish: Wish) -> Truth:
        """What is true when a wish is met."""
        if isinstance(wish, Comes):
            term = self.translation.of(wish.tree)
            outcomes = {"true": term.is_boolean(True), "false": term.is_boolean(False)}
            return either(*(outcomes[each] if each in outcomes else needed_boolean(term).fault for each in wish.to))
        if isinstance(wish, Differ):
            return _differ(
                needed_boolean(self.translation.of(wish.first)), needed_boolean(self.translation.of(wish.second))
            )
        return both(*(opposite(self.symbols.terms[name].null) for name in wish.names))

    def told_open(self) -> str:
        """Why nothing is known, where the solver does not take parts of the conditions."""
        parts = "; ".join(f"`{to_text(node)}` ({why})" for node, why in self.translation.left_open.items())
        return f"the solver does not take {parts}, and the values tried do not show it." if parts else ""


def _differ(first: Term, second: Term) -> Truth:
    """Whether two terms come to different results: true, false, or an error of one type."""
    kinds = dict.fromkeys([*first.faults, *second.faults])
    pairs = [(first.is_boolean(wanted), second.is_boolean(wanted)) for wanted in (True, False)]
    pairs += [(first.faults.get(kind, False), second.faults.get(kind, False)) for kind in kinds]
    return either(*(both(one, opposite(other)) for one, other in pairs))
