"""Formulas about one marking, put to many markings at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.verification.nets.formulas import And, Constant, Linear, Or, Plain
from wfsim.verification.nets.marking_tests import marking_test

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wfsim.verification.nets.state_space import StateSpace

SAFE = 2**62
"""Weighted sums below this are added up in 64 bits."""


def where(formula: Plain, space: StateSpace, begin: int = 0, end: int | None = None) -> NDArray[np.bool_]:
    """Of which markings, from number `begin` to before `end`, the formula is true.

    Notes
    -----
    O(markings x inequalities); packed markings are treated all together, an inequality at a time.
    """
    import numpy as np

    if space.engine == "python":
        test = marking_test(formula, space.net)
        return np.fromiter((test(tokens) for tokens in space.tokens[begin:end]), np.bool_)
    return _Many(space, begin, space.n_markings if end is None else end).where(formula)


class _Many:
    """Markings of which each place is unpacked once, and each inequality asked once."""

    def __init__(self, space: StateSpace, begin: int, end: int) -> None:
        self.space, self.begin, self.end = space, begin, end
        self._columns: dict[str, NDArray[Any]] = {}
        self._known: dict[Linear, NDArray[np.bool_]] = {}

    def where(self, formula: Plain) -> NDArray[np.bool_]:
        import numpy as np

        match formula:
            case Constant(value):
                return np.full(self.end - self.begin, value)
            case Linear():
                if formula not in self._known:
                    self._known[formula] = self._at_most(formula)
                return self._known[formula]
            case And(operands) | Or(operands):
                both = isinstance(formula, And)
                found = np.full(self.end - self.begin, both)
                for each in operands:
                    if both:
                        found &= self.where(each)  # type: ignore[arg-type]
                    else:
                        found |= self.where(each)  # type: ignore[arg-type]
                    if not found.any() if both else found.all():
                        break
                return found

    def _at_most(self, formula: Linear) -> NDArray[np.bool_]:
        import numpy as np

        columns = [(self._column(place), weight) for place, weight in formula.weights]
        largest = sum(abs(weight) * int(column.max(initial=0)) for column, weight in columns)
        exact = max(largest, abs(formula.bound)) < SAFE
        total = sum(weight * (column if exact else column.astype(object)) for column, weight in columns)
        return np.asarray(total <= formula.bound, np.bool_)

    def _column(self, place: str) -> NDArray[Any]:
        if place not in self._columns:
            self._columns[place] = self.space.column(self.space.net.place_index(place), self.begin, self.end)
        return self._columns[place]
