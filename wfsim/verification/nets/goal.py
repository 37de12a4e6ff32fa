"""What a marking is sought for, with the net transitions that can bring it nearer.

Where a formula is not true of a marking, a set of transitions is an *up-set* of it if no sequence without any of them
leads to a marking of which it is true [1]_ [2]_. A formula put together from linear inequalities is brought into
clauses: it implies each of them, and a clause says that at least one of some sums is at most a number. Of a clause that
is not true, the transitions that can make one of its sums smaller are an up-set.

References
----------
.. [1] Schmidt (1999), Stubborn sets for standard properties, LNCS 1639, 46-65.
.. [2] Kristensen, Schmidt, Valmari (2006), Question-guided stubborn set methods for state properties, Formal Methods
   in System Design 29, 215-251.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product
from typing import TYPE_CHECKING, NamedTuple

from wfsim.verification.nets.formulas import And, Constant, Linear, Or, Plain
from wfsim.verification.nets.marking_tests import marking_test

if TYPE_CHECKING:
    from wfsim.net.firing import FiringRule, Tokens
    from wfsim.net.petri import PetriNet

MOST_CLAUSES = 64
"""Clauses up to which a formula is taken apart; where there would be more, some are left out."""

MOST_TRIED = 8
"""Clauses of which the up-sets are tried for the smallest stubborn set."""


class Sum(NamedTuple):
    """A weighted sum of tokens that is to be at most a number."""

    weights: tuple[tuple[int, int], ...]
    """Place and weight."""
    most: int
    wishes: tuple[int, ...]
    """Transitions that can make it smaller."""

    def met(self, tokens: Tokens) -> bool:
        """Whether it is, in a marking."""
        return sum(weight * tokens[place] for place, weight in self.weights) <= self.most


class Goal:
    """A formula about one marking, ready to be asked for up-sets.

    Attributes
    ----------
    sums
        What the clauses are made of.
    clauses
        For each the numbers of its sums.
    """

    def __init__(self, formula: Plain, net: PetriNet) -> None:
        self._test = marking_test(formula, net)
        found = _clauses(formula)
        numbers = {each: i for i, each in enumerate(dict.fromkeys(each for clause in found for each in clause))}
        self.clauses = [tuple(numbers[each] for each in clause) for clause in found]
        self.sums: list[Sum] = []
        for each in numbers:
            weights = tuple((net.place_index(place), weight) for place, weight in each.weights)
            wishes = (t for t, rule in enumerate(net.rules) if _may_lower(rule, dict(weights)))
            self.sums.append(Sum(weights, each.bound, tuple(wishes)))

    def reached(self, tokens: Tokens) -> bool:
        """Whether the formula is true of a marking."""
        return self._test(tokens)

    def up_sets(self, tokens: Tokens) -> list[list[int]]:
        """Up-sets of which one is enough, a transition perhaps twice in it; none if all clauses are true."""
        met = [each.met(tokens) for each in self.sums]
        false = [clause for clause in self.clauses if not any(met[i] for i in clause)]
        return [[t for i in clause for t in self.sums[i].wishes] for clause in false[:MOST_TRIED]]

    def largest(self, widths: Sequence[int]) -> int:
        """The largest number that the sums can come to, whatever their signs, with so many bits for each place."""
        sums = (sum(abs(weight) << widths[place] for place, weight in each.weights) for each in self.sums)
        return max((max(total, abs(each.most)) for total, each in zip(sums, self.sums)), default=0)


def _clauses(formula: Plain) -> list[tuple[Linear, ...]]:
    """Clauses that the formula implies; together they imply it, unless some had to be left out."""
    match formula:
        case Constant(value):
            return [] if value else [()]
        case Linear():
            return [(formula,)]
        case And(operands):
            return [clause for each in operands for clause in _clauses(each)][:MOST_CLAUSES]  # type: ignore[arg-type]
        case Or(operands):
            joined: list[tuple[Linear, ...]] = [()]
            for each in operands:
                pairs = product(joined, _clauses(each))  # type: ignore[arg-type]
                joined = [tuple(dict.fromkeys((*one, *other))) for one, other in islice(pairs, MOST_CLAUSES)]
            return joined


def _may_lower(rule: FiringRule, weights: dict[int, int]) -> bool:
    """Whether firing may make the weighted sum smaller; of an emptied place nothing limits what it held."""
    if any(weights.get(place, 0) > 0 for place in rule.empties):
        return True
    needs = dict(rule.needs)
    change = sum(weights.get(place, 0) * difference for place, difference in rule.changes)
    # What is emptied had a negative weight: the sum grows by what was there, which is what was needed at least.
    return change - sum(weights.get(place, 0) * needs.get(place, 0) for place in rule.empties) < 0
