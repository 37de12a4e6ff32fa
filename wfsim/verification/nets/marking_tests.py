"""Formulas about one marking, put to one marking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wfsim.verification.nets.formulas import And, Constant, Linear, Or, Plain

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet


def marking_test(formula: Plain, net: PetriNet) -> Callable[[Sequence[int]], bool]:
    """What tells whether the formula is true of a marking, given as tokens in the order of the net."""
    match formula:
        case Constant(value):
            return lambda tokens: value
        case Linear(((place, weight),), bound):
            only = net.place_index(place)
            return lambda tokens: weight * tokens[only] <= bound
        case Linear(weights, bound):
            terms = [(net.place_index(place), weight) for place, weight in weights]
            return lambda tokens: sum(weight * tokens[place] for place, weight in terms) <= bound
        case And(operands) | Or(operands):
            tests = [marking_test(each, net) for each in operands]  # type: ignore[arg-type]
            if isinstance(formula, And):
                return lambda tokens: all(test(tokens) for test in tests)
            return lambda tokens: any(test(tokens) for test in tests)
