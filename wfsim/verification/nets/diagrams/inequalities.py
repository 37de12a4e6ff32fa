"""Formulas about one marking as decision diagrams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import SearchIncomplete
from wfsim.verification.nets.formulas import And, Constant, Linear, Or, Plain

if TYPE_CHECKING:
    from oxidd.bdd import BDDFunction

    from wfsim.verification.nets.diagrams.coded import CodedNet

MOST_SUMS = 200_000
"""Different values of a weighted sum, counted after each place, up to which an inequality is put into a diagram."""


def formula_diagram(coded: CodedNet, formula: Plain) -> BDDFunction:
    """The markings of at most one token in each place of which the formula is true.

    Raises
    ------
    SearchIncomplete
        If a weighted sum has too many values.
    OutOfNodes
        If there are too few nodes.
    """
    match formula:
        case Constant(value):
            return coded.manager.true() if value else coded.nothing
        case Linear():
            return _inequality(coded, formula)
        case And(operands) | Or(operands):
            parts = [formula_diagram(coded, each) for each in operands]  # type: ignore[arg-type]
            if isinstance(formula, Or):
                return coded.union(parts)
            whole = coded.manager.true()
            for part in parts:
                whole = coded.do(lambda whole=whole, part=part: whole & part)  # type: ignore[misc]
            return whole


def _inequality(coded: CodedNet, formula: Linear) -> BDDFunction:
    """A node for each place and each rest of the bound that earlier places can leave, unless it decides [1]_.

    References
    ----------
    .. [1] Een, Sorensson (2006), Translating pseudo-Boolean constraints into SAT, Journal on Satisfiability, Boolean
       Modeling and Computation 2, 1-26.
    """
    terms = sorted((coded.level[coded.net.place_index(place)], weight) for place, weight in formula.weights)
    most = [0] * (len(terms) + 1)
    least = [0] * (len(terms) + 1)
    for i in range(len(terms) - 1, -1, -1):
        weight = terms[i][1]
        most[i] = most[i + 1] + max(weight, 0)
        least[i] = least[i + 1] + min(weight, 0)
    rests = [{formula.bound}]
    count = 0
    for i, (_, weight) in enumerate(terms):
        open_ones = {rest for rest in rests[i] if least[i] <= rest < most[i]}
        rests.append({after for rest in open_ones for after in (rest, rest - weight)})
        count += len(open_ones)
        if count > MOST_SUMS:
            raise SearchIncomplete(f"the sum of {len(terms):,} places has too many values for a decision diagram.")
    below: dict[int, BDDFunction] = {}
    for i in range(len(terms), -1, -1):
        here: dict[int, BDDFunction] = {}
        for rest in rests[i]:
            if rest >= most[i]:
                here[rest] = coded.manager.true()
            elif rest < least[i]:
                here[rest] = coded.nothing
            else:
                level, weight = terms[i]
                held, free = below[rest - weight], below[rest]
                here[rest] = coded.do(lambda: coded.manager.var(level).ite(held, free))  # noqa: B023
        below = here
    return below[formula.bound]
