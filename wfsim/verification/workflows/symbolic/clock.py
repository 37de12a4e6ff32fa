"""The clock where values are not known: any time that is not before that of the step before (M6.1, M6.6)."""

from __future__ import annotations

from wfsim.exploration.domains import END
from wfsim.model.elements import Variable
from wfsim.model.values import ValueType
from wfsim.semantics.program import Program
from wfsim.verification.workflows.conditions.comparison import order
from wfsim.verification.workflows.conditions.symbols import Symbols
from wfsim.verification.workflows.conditions.truths import Truth
from wfsim.verification.workflows.symbolic.dues import Dues
from wfsim.verification.workflows.symbolic.places import Places

PLACE = "@clock"
"""Where an instance keeps the time of its last step."""
_TIME = Variable(type=ValueType.TIMESTAMP)


class Clock:
    """The time of a step, and that of the step before.

    Attributes
    ----------
    now, before
        Their terms; the first comes from outside, the second is that of `PLACE`.
    marker
        The text that stands for the time of the step.
    dues
        When timers are due.
    """

    def __init__(self, program: Program, symbols: Symbols, places: Places, *, through: bool) -> None:
        self.now = symbols.of_variable("?now", _TIME, null=False)
        self.before = symbols.of_variable(PLACE, _TIME, null=False)
        self.marker = places.markers.put("now", self.now)
        places.terms[PLACE] = self.before
        self.dues = Dues(program, self.now.cases[0], symbols, places.terms, through=through)

    @property
    def passes(self) -> Truth:
        """That no step comes before the one before it."""
        later = order(">=", self.now.cases[0], self.before.cases[0])
        assert later is not None
        return later

    @property
    def in_time(self) -> Truth:
        """That a step comes before `END`."""
        return self.now.cases[0].value < END
