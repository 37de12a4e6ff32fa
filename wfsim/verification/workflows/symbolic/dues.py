"""When timers are due, where values are not known: of each one that runs a place keeps it (M6.2, M6.5).

A symbolic step happens at time 0, so a timer that it sets is due after so many microseconds as it waits. What an
expression comes to stands there as a number that no constant of the definition is, and that names its term.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from wfsim.model.elements import Variable
from wfsim.model.values import ValueType
from wfsim.semantics.codes import BACKOFF
from wfsim.semantics.instance import Instance
from wfsim.semantics.program import Program
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.workflows.conditions.symbols import Symbols
from wfsim.verification.workflows.conditions.terms import Case, Term
from wfsim.verification.workflows.conditions.truths import Truth

DUE = "@due "
"""What places of timers begin with; the number behind it is the id that a rebuilt instance gives the timer."""
SECOND = 1_000_000
_TIME = Variable(type=ValueType.INTEGER)


class Dues:
    """The places of timers.

    Attributes
    ----------
    lengths
        How long timers of a place wait, as far as the definition says so, in microseconds.
    untold
        Of which timers it is not followed when they are due; empty if there are none.

    Parameters
    ----------
    now
        The time of a step.
    through
        Whether there are works that stand for a `for_each`: items have clocks of their own.
    """

    def __init__(self, program: Program, now: Case, symbols: Symbols, terms: dict[str, Term], *, through: bool) -> None:
        self.now = now
        self.lengths: dict[str, set[int]] = {}
        self.untold = ""
        self._symbols = symbols
        self._terms = terms
        self._through = through
        constants = {getattr(row, each.name) for row in program.rows for each in fields(row)}
        self._seconds = (k for k in itertools.count(1) if k * SECOND not in constants)
        self._asked: dict[int, tuple[bool, Any]] = {}

    def put(self, term: Term, *, seconds: bool) -> int:
        """What stands for a duration in seconds, or for a point in time."""
        number = next(self._seconds)
        whole = [case.value for case in term.cases if case.kind == "integer"]
        others = any(case.kind == "number" for case in term.cases)
        self._asked[number * SECOND] = seconds, None if others else whole[0]
        return number if seconds else number * SECOND

    def due(self, stimulus: Stimulus) -> Truth:
        """That what happens is no timer, or one that is due."""
        place = f"{DUE}{stimulus.timer_id}"
        if stimulus.kind != "timer" or place not in self._terms:
            return True
        fires: Truth = self.now.value >= self._terms[place].cases[0].value
        return fires

    def settle(self, instance: Instance, known: int) -> dict[str, Term]:
        """What the places of timers hold after a step; `known` is the last id of a timer from before it."""
        written: dict[str, Term] = {}
        for place, number, due, untold in running(instance):
            if number <= known:
                written[place] = self._place(place)
            elif untold or (self._through and _is_clock(instance, place)):
                self.untold = self.untold or untold or "items of a list have clocks of their own"
            else:
                waited = self._waited(place, due)
                if waited is not None:
                    self._place(place)
                    written[place] = Term(cases=(Case("integer", True, waited),))
        return written

    def _waited(self, place: str, due: int) -> Any:
        """The term for when a timer is due that was set in a symbolic step; None if it is not followed."""
        if due not in self._asked:
            self.lengths.setdefault(place, set()).add(due)
            return self.now.value + due
        seconds, value = self._asked[due]
        if value is None:
            self.untold = self.untold or "the length of a timer is not always an integer"
            return None
        return self.now.value + value * SECOND if seconds else value

    def _place(self, place: str) -> Term:
        if place not in self._terms:
            self._terms[place] = self._symbols.of_variable(place, _TIME, null=False)
        return self._terms[place]


def running(instance: Instance) -> Iterator[tuple[str, int, int, str]]:
    """Each timer that runs: its place, its id, when it is due, and why that is not known for sure; empty if it is."""
    head, m = instance.program.head, instance.m
    for number in range(head.n_timers):
        cell = m[head.first_timer + number]
        if cell.due >= 0:
            yield f"{DUE}{number + 1}", cell.id, cell.due, ""
    for number, work in enumerate(instance.works()[: head.n_works]):
        if work.due >= 0:
            # M5.1: an error may ask for another wait, and there may be jitter.
            untold = "how long is waited before another attempt is not known" if work.phase == BACKOFF else ""
            yield f"{DUE}{head.n_timers + 2 * number + 1}", work.due_id, work.due, untold
        if work.deadline >= 0:
            yield f"{DUE}{head.n_timers + 2 * number + 2}", work.deadline_id, work.deadline, ""


def _is_clock(instance: Instance, place: str) -> bool:
    return int(place.removeprefix(DUE)) > instance.program.head.n_timers
