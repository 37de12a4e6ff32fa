"""Optimal alignments one by one: A* over markings and positions, led by the marking equation."""

from __future__ import annotations

import heapq
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .equation import LOG_ALONE, Equation, Solution
from .kernel import LOG_MOVE, MODEL_MOVE, SYNCHRONOUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfsim.net.firing import Tokens

    from .behaviour import Behaviour

    Place = tuple[Tokens, int]
    Step = tuple[int, int, int]
    """Kind of move, events before it, net transition (-1: none)."""

# Costs are whole numbers, and a linear program errs by far less.
_ERROR = 0.1
_LOOK = 64
_NONE = -1


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes
    ----------
    cost
        Of an optimal alignment; where the search stopped before it had one, no alignment costs less.
    steps
        First first; `None` if the search stopped.
    states
        Markings with positions that were followed, over all attempts.
    """

    cost: int
    steps: list[Step] | None
    states: int


def search(
    behaviour: Behaviour,
    trace: Sequence[int],
    *,
    costs: Sequence[int],
    log_cost: int,
    max_states: int,
    until: float,
) -> Found:
    """The cheapest alignment of one trace, exactly.

    Parameters
    ----------
    behaviour
        The model.
    trace
        Activities; -1 for those that the model has not.
    costs
        What a move of the model alone costs, by net transition; more than 0.
    log_cost
        What a move of the log alone costs.
    max_states
        Where to stop: markings with positions that were followed.
    until
        When to stop, on the clock of `time.monotonic`.

    Raises
    ------
    NetError
        If the net never reaches its final marking.

    Notes
    -----
    Where the nearest place was not reached by moves of a solution, the trace is split at the first event that no such
    place explains, and the search begins anew with that equation; if it is split there, the equation is solved for
    that place [1]_. Memory: about 500 bytes for each place met.

    References
    ----------
    .. [1] van Dongen (2018), Efficiently computing alignments: using the extended marking equation, BPM, LNCS
       11080, 197-214.
    """
    equation = Equation(behaviour.net, behaviour.codes, costs, log_cost, trace)
    return _Search(behaviour, equation, max_states, until).found()


class _Used:
    """A solution without the moves that were made since it was solved, as a chain of columns."""

    __slots__ = ("before", "column", "solution")

    def __init__(self, solution: Solution, column: int, before: _Used | None) -> None:
        self.solution, self.column, self.before = solution, column, before

    def counts(self) -> dict[int, int]:
        """How often each column was taken."""
        found: dict[int, int] = {}
        link: _Used | None = self
        while link is not None:
            found[link.column] = found.get(link.column, 0) + 1
            link = link.before
        return found


@dataclass(slots=True)
class _Way:
    """The cheapest way to a place so far, and a bound of what is left; `used` where the bound is exact."""

    cost: int
    left: float
    used: _Used | None
    before: Place | None
    step: Step | None
    closed: bool = False


class _Search:
    """The search for one trace."""

    def __init__(self, behaviour: Behaviour, equation: Equation, max_states: int, until: float) -> None:
        self._behaviour, self._equation, self._max_states, self._until = behaviour, equation, max_states, until
        self._trace = equation.trace
        self._states = 0
        self._least = 0

    def found(self) -> Found:
        """Attempts until one needs no further split."""
        while True:
            found = self._attempt()
            if found is not None:
                return found

    def _attempt(self) -> Found | None:
        """Search with these splits; `None` after a new one was made."""
        equation = self._equation
        goal: Place = (self._behaviour.end, len(self._trace))
        root: Place = (self._behaviour.net.initial_marking.tokens, 0)
        solution = equation.solve(*root)
        if solution is None:
            raise self._behaviour.stuck()
        self._serial = 0
        self._ways = {root: _Way(0, solution.cost, _Used(solution, _NONE, None), None, None)}
        self._queue: list[tuple[int, bool, int, int, Place]] = []
        self._put(root, self._ways[root])
        reached = 0
        while self._queue:
            bound, _, _, _, place = heapq.heappop(self._queue)
            way = self._ways[place]
            if way.closed or bound < way.cost + _whole(way.left):
                continue
            self._least = max(self._least, bound)
            if place == goal:
                return Found(bound, self._steps(place), self._states)
            if self._states >= self._max_states or (self._states % _LOOK == 0 and time.monotonic() >= self._until):
                return Found(self._least, None, self._states)
            self._states += 1
            if way.used is None:
                if reached < len(self._trace) and reached not in equation.splits:
                    equation.split(reached)
                    return None
                solution = equation.solve(*place)
                if solution is None:
                    way.closed = True
                    continue
                way.left, way.used = max(way.left, solution.cost), _Used(solution, _NONE, None)
                self._put(place, way)
                continue
            way.closed = True
            reached = max(reached, place[1])
            self._follow(place, way)
        raise self._behaviour.stuck()

    def _follow(self, place: Place, way: _Way) -> None:
        """Make every move from a place."""
        tokens, position = place
        assert way.used is not None
        taken = way.used.counts()
        activity = self._trace[position] if position < len(self._trace) else None
        if activity is not None:
            step = (LOG_MOVE, position, LOG_ALONE)
            self._move(way, place, (tokens, position + 1), self._equation.log_cost, step, taken)
        for transition, after in self._behaviour.followers(tokens):
            step = (MODEL_MOVE, position, transition)
            self._move(way, place, (after, position), self._equation.costs[transition], step, taken)
            code = self._behaviour.codes[transition]
            if code == activity and code >= 0:
                self._move(way, place, (after, position + 1), 0, (SYNCHRONOUS, position, transition), taken)

    def _move(self, way: _Way, place: Place, to: Place, cost: int, step: Step, taken: dict[int, int]) -> None:
        """Come to a place by a move, if that is cheaper than before, or better known."""
        known = self._ways.get(to)
        total = way.cost + cost
        if known is not None and (known.cost < total or (known.cost == total and known.used is not None)):
            return
        assert way.used is not None
        used = None
        solution = way.used.solution
        column = solution.column(step[1], step[2], step[0] != MODEL_MOVE)
        if solution.has(column, taken.get(column, 0)):
            used = _Used(solution, column, way.used)
        elif known is not None and known.cost == total:
            return
        left = max(0.0, way.left - cost)
        if known is None:
            known = self._ways[to] = _Way(total, left, used, place, step)
        else:
            # What is left from there does not depend on the way.
            known.left = max(known.left, left)
            known.used = known.used or used
            known.cost, known.before, known.step, known.closed = total, place, step, False
        self._put(to, known)

    def _put(self, place: Place, way: _Way) -> None:
        self._serial -= 1
        heapq.heappush(self._queue, (way.cost + _whole(way.left), way.used is None, -place[1], self._serial, place))

    def _steps(self, place: Place) -> list[Step]:
        """The moves to a place, first first."""
        found: list[Step] = []
        way = self._ways[place]
        while way.before is not None:
            assert way.step is not None
            found.append(way.step)
            way = self._ways[way.before]
        return found[::-1]


def _whole(cost: float) -> int:
    """The least whole cost that a bound allows."""
    return math.ceil(cost - _ERROR)
