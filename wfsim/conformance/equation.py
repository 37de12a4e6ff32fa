"""The marking equation of a net and a trace: what is left of an alignment costs at least so much."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wfsim.net.firing import Tokens
    from wfsim.net.petri import PetriNet

    Floats = NDArray[np.float64]

LOG_ALONE = -1
"""In place of a net transition: the event is a move of the log alone."""
_ONE = 1 - 1e-6


class Equation:
    """Lower bounds of what is left of an alignment, by linear programs.

    From a marking to the final one a vector of moves makes up for the difference of the two. At *splits*, positions in
    the trace, the order counts too: moves before must leave what the event there needs [1]_.

    Parameters
    ----------
    net
        With a final marking.
    codes
        The activity of each net transition, -1 for a silent one.
    costs
        What a move of the model alone costs, by net transition.
    log_cost
        What a move of the log alone costs.
    trace
        Activities; -1 for those that no net transition has.

    References
    ----------
    .. [1] van Dongen (2018), Efficiently computing alignments: using the extended marking equation, BPM, LNCS 11080,
       197-214.
    """

    def __init__(
        self, net: PetriNet, codes: Sequence[int], costs: Sequence[int], log_cost: int, trace: Sequence[int]
    ) -> None:
        import numpy as np

        self.codes, self.costs, self.log_cost, self.trace = codes, costs, log_cost, trace
        self.splits: list[int] = []
        self.activities = {activity: place for place, activity in enumerate(sorted(set(trace)))}
        self.shown = [t for t, code in enumerate(codes) if code >= 0 and code in self.activities]
        places = len(net.places)
        change, need = np.zeros((places, len(codes))), np.zeros((places, len(codes)))
        emptied: set[int] = set()
        for transition, rule in enumerate(net.rules):
            emptied.update(rule.empties)
            for place, difference in rule.changes:
                change[place, transition] = difference
            for place, weight in rule.needs:
                need[place, transition] = weight
        # What a reset takes away stands in no equation.
        self._kept = [place for place in range(places) if place not in emptied]
        self.change: Floats = change[self._kept]
        self.need: Floats = need[self._kept]
        assert net.final_marking is not None
        self._end: Floats = np.array(net.final_marking.tokens, float)[self._kept]
        self._programs: dict[int, _Program] = {}

    def split(self, position: int) -> None:
        """Let the order count at an event; solutions from before are void."""
        self.splits = sorted({*self.splits, position})
        self._programs = {}

    def solve(self, tokens: Tokens, position: int) -> Solution | None:
        """The cheapest vector from a marking after so many events; `None` if no way leads to the end."""
        import numpy as np
        from scipy.optimize import LinearConstraint, milp

        first = bisect_left(self.splits, position)
        at = self.splits[first:]
        if first not in self._programs:
            self._programs[first] = _Program(self, [self.trace[each] for each in at])
        program = self._programs[first]
        begins, ends = [position, *(each + 1 for each in at)], [*at, len(self.trace)]
        most: list[int] = []
        for begin, end in zip(begins, ends):
            seen = Counter(self.trace[begin:end])
            most += [seen[activity] for activity in self.activities]
        most += [1] * len(at)
        kept = len(self._kept)
        change: Floats = np.zeros((len(at) + 1) * kept)
        change[:kept] -= [tokens[place] for place in self._kept]
        change[len(change) - kept :] += self._end
        low = np.concatenate([change, np.full(len(most), -np.inf), np.zeros(program.needs)])
        high = np.concatenate([change, most, np.full(program.needs, np.inf)])
        found = milp(program.costs, constraints=LinearConstraint(program.matrix, low, high))
        if found.status == 2:
            return None
        assert found.status == 0, found.message
        cost = float(found.fun) + self.log_cost * (len(self.trace) - position)
        left = np.array(most) - program.matrix[len(change) : len(change) + len(most)] @ found.x
        return Solution(self, program, first, cost, [*found.x.tolist(), *left.tolist()])


class _Program:
    """The linear program with given events at the splits: a matrix, costs, and which column is which move.

    Columns: of each part between splits, moves of the model alone and of both; for each split, moves of both there; and
    the marking before it. Rows: for each part, places; then how many events of each activity it has; one event at
    each split; what an event at a split needs.
    """

    def __init__(self, equation: Equation, at: Sequence[int]) -> None:
        import numpy as np

        n, parts = len(equation.codes), len(at) + 1
        shown, activities, places = equation.shown, equation.activities, len(equation.change)
        there = [[t for t in shown if equation.codes[t] == activity] for activity in at]
        self.width = n + len(shown)
        self.begins = [parts * self.width]
        for each in there:
            self.begins.append(self.begins[-1] + len(each))
        self.log_moves = self.begins[-1] + len(at) * places
        self.place_of = {t: k for k, t in enumerate(shown)}
        self.there = [{t: k for k, t in enumerate(each)} for each in there]
        part = np.hstack([equation.change, equation.change[:, shown]])
        told = np.zeros((len(activities), self.width))
        for k, transition in enumerate(shown):
            told[activities[equation.codes[transition]], n + k] = 1
        one = np.eye(places)
        blocks: list[tuple[int, int, Floats]] = []
        for k in range(parts):
            blocks.append((k * places, k * self.width, part))
            if k > 0:
                blocks.append((k * places, self.begins[k - 1], equation.change[:, there[k - 1]]))
                blocks.append((k * places, self.begins[-1] + (k - 1) * places, one))
            if k < len(at):
                blocks.append((k * places, self.begins[-1] + k * places, -one))
        row = parts * places
        for k in range(parts):
            blocks.append((row + k * len(activities), k * self.width, told))
        row += parts * len(activities)
        for k, each in enumerate(there):
            blocks.append((row + k, self.begins[k], np.ones((1, len(each)))))
        row += len(at)
        self.needs = 0
        for k, each in enumerate(there):
            need = equation.need[:, each]
            needed = need.any(axis=1)
            blocks.append((row + self.needs, self.begins[k], -need[needed]))
            blocks.append((row + self.needs, self.begins[-1] + k * places, one[needed]))
            self.needs += int(needed.sum())
        self.matrix = _sparse(blocks, (row + self.needs, self.log_moves))
        costs = [*equation.costs, *[-equation.log_cost] * len(shown)] * parts
        self.costs: Floats = np.zeros(self.log_moves)
        self.costs[: len(costs)] = costs
        self.costs[len(costs) : self.begins[-1]] = -equation.log_cost


def _sparse(blocks: Sequence[tuple[int, int, Floats]], shape: tuple[int, int]) -> Any:
    """A sparse matrix of blocks, each with the row and column where it begins."""
    import numpy as np
    from scipy.sparse import csc_array

    where = [np.nonzero(block) for _, _, block in blocks]
    values = np.concatenate([block[at] for (_, _, block), at in zip(blocks, where)])
    rows = np.concatenate([at[0] + top for (top, _, _), at in zip(blocks, where)])
    columns = np.concatenate([at[1] + left for (_, left, _), at in zip(blocks, where)])
    return csc_array((values, (rows, columns)), shape=shape)


class Solution:
    """A vector of moves from a marking to the end, and what it costs: no alignment from there is cheaper.

    Attributes
    ----------
    cost
        Of moves of one side alone and silent ones.
    """

    def __init__(self, equation: Equation, program: _Program, first: int, cost: float, times: list[float]) -> None:
        self.cost = cost
        self._equation, self._program, self._first, self._times = equation, program, first, times

    def column(self, position: int, transition: int, seen: bool) -> int:
        """Which number of the vector a move is, after so many events; `seen`: the event at `position` is in it."""
        program, equation = self._program, self._equation
        split = bisect_left(equation.splits, position)
        part = split - self._first
        if not seen:
            return part * program.width + transition
        if split < len(equation.splits) and equation.splits[split] == position:
            if transition == LOG_ALONE:
                parts = len(program.there) + 1
                return program.log_moves + parts * len(equation.activities) + part
            return program.begins[part] + program.there[part][transition]
        if transition == LOG_ALONE:
            return program.log_moves + part * len(equation.activities) + equation.activities[equation.trace[position]]
        return part * program.width + len(equation.codes) + program.place_of[transition]

    def has(self, column: int, used: int) -> bool:
        """Whether the move is in the vector once more, after so many of it."""
        return self._times[column] - used >= _ONE
