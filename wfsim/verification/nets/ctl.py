"""CTL on a state space: which markings satisfy a formula, and firing sequences that show why.

The labelling algorithm of Clarke, Emerson and Sistla [1]_: from the inside out, each subformula is asked of all
markings at once, in time linear in the edges. Paths are maximal; `formulas` says what that means.

References
----------
.. [1] Clarke, Emerson, Sistla (1986), ACM Transactions on Programming Languages and Systems 8(2), 244-263.
.. [2] Clarke, Grumberg, McMillan, Zhao (1995), Efficient generation of counterexamples and witnesses in symbolic model
   checking, Design Automation Conference, 427-432.
.. [3] Bruns, Godefroid (1999), Model checking partial state spaces with 3-valued temporal logics, LNCS 1633, 274-287.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from wfsim.verification.nets.formulas import And, Deadlock, Formula, Not, Or, Temporal, about_one_marking, plain
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.nets.many_markings import where

if TYPE_CHECKING:
    from wfsim.verification.nets.state_space import StateSpace

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]
Steps = list[int]
"""Net transitions of a firing sequence, by index."""


class Labelling:
    """Which markings of a space satisfy formulas; what is found is kept for formulas to come.

    Of an incomplete space the edges of some markings are not known. What is *sure* then is what holds whatever these
    edges are [3]_; in a complete space each formula is surely true or surely false of each marking. `OutOfTime` if the
    time of the limits is over.
    """

    def __init__(self, space: StateSpace, limits: Limits = UNLIMITED) -> None:
        from scipy.sparse import csr_matrix

        limits.check("the graph of all markings was made")
        self.space = space
        self.limits = limits
        n = space.n_markings
        edges = space.edge_arrays()
        beyond = n - space.n_expanded
        self._start = np.concatenate((edges.start, np.full(beyond, edges.start[-1])))
        self._target = edges.target.astype(np.int64)
        self._open = np.arange(n) >= space.n_expanded
        """Markings of which the edges are not known."""
        self._ends: Flags = (self._start[1:] == self._start[:-1]) & ~self._open
        """Markings that enable nothing."""
        data = np.ones(len(self._target), np.int8)
        turned = csr_matrix((data, self._target, self._start), shape=(n, n)).tocsc()
        # Sources of the edges into marking i are numbers start[i] to start[i + 1].
        self._back_start = turned.indptr.astype(np.int64)
        self._back_source = turned.indices
        self._known: dict[tuple[Formula, bool], Flags] = {}

    def sure(self, formula: Formula, value: bool) -> Flags:
        """For each marking whether the formula surely has this value there."""
        found = self._known.get((formula, value))
        if found is None:
            self.limits.check("markings were labelled")
            found = self._known[formula, value] = self._computed(formula, value)
        return found

    def _computed(self, formula: Formula, value: bool) -> Flags:
        match formula:
            case Temporal("A", operator, operands):
                return self.sure(_by_exists(operator, operands), not value)
            case Temporal("E", "X", (f,)):
                if value:
                    return self._before(self.sure(f, True))
                return ~self._before(~self.sure(f, False)) & ~self._open
            case Temporal("E", "F", (f,)):
                return self.leads_to(self.sure(f, True)) if value else ~self.leads_to(~self.sure(f, False) | self._open)
            case Temporal("E", "U", (f, g)):
                if value:
                    return self.leads_to(self.sure(g, True), self.sure(f, True))
                may = ~self.sure(f, False)
                return ~self.leads_to(~self.sure(g, False) | (self._open & may), may)
            case Temporal("E", "G", (f,)):
                return self._can_stay(self.sure(f, True)) if value else ~self._can_stay(~self.sure(f, False), True)
            case Not(f) if not about_one_marking(f):
                return self.sure(f, not value)
            case And(operands) | Or(operands) if not about_one_marking(formula):
                every = isinstance(formula, And) is value
                found = np.full(self.space.n_markings, every)
                for each in operands:
                    sure = self.sure(each, value)
                    found = found & sure if every else found | sure
                return found
            case Deadlock() if self.space.complete:
                # Quicker than to ask of each net transition that it is not enabled.
                return self._ends if value else ~self._ends
            case _:
                return where(plain(formula, self.space.net, negated=not value), self.space)

    def _before(self, goal: Flags) -> Flags:
        """Markings with an edge to one of `goal`."""
        counts = np.concatenate(([0], np.cumsum(goal[self._target])))
        found: Flags = counts[self._start[1:]] > counts[self._start[:-1]]
        return found

    def _sources(self, of: Numbers) -> Numbers:
        """Sources of all edges into these markings, one for each edge."""
        begin = self._back_start[of]
        lengths = self._back_start[of + 1] - begin
        shift = np.repeat(begin - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths)
        sources: Numbers = self._back_source[shift + np.arange(len(shift))].astype(np.int64)
        return sources

    def leads_to(self, goal: Flags, through: Flags | None = None) -> Flags:
        """Markings from which a firing sequence leads to one of `goal`, before that by way of `through` only."""
        found = goal.copy()
        front = np.flatnonzero(goal)
        while len(front):
            before = self._sources(front)
            keep = ~found[before]
            if through is not None:
                keep &= through[before]
            front = np.unique(before[keep])
            found[front] = True
        return found

    def _can_stay(self, inside: Flags, perhaps: bool = False) -> Flags:
        """Markings from which some maximal firing sequence stays in `inside` for ever, or until a deadlock there.

        With `perhaps`, those count too from which one may stay that goes beyond what was searched.
        """
        found = inside.copy() if perhaps else inside & ~self._open
        ends = self._ends | self._open
        counts = np.concatenate(([0], np.cumsum(found[self._target])))
        left = counts[self._start[1:]] - counts[self._start[:-1]]
        front = np.flatnonzero(found & (left == 0) & ~ends)
        while len(front):
            found[front] = False
            before, lost = np.unique(self._sources(front), return_counts=True)
            left[before] -= lost
            front = before[found[before] & (left[before] == 0)]
        return found

    # --- why ------------------------------------------------------------------------------------------------

    def shown(self, formula: Formula, value: bool, at: int = 0) -> tuple[Steps, int] | None:
        """A firing sequence from a marking that shows why a formula has this value there; None if no one path does.

        Returns
        -------
        list of int, int
            The net transitions, and how many of the last of them can be repeated for ever.

        Notes
        -----
        After Clarke et al. [2]_: a true `E` and a false `A` are shown by a path, along which the subformula that it
        leads to is shown in turn. Each leg is shortest, but for those that go on for ever.
        """
        match formula:
            case Not(f):
                return self.shown(f, not value, at)
            case And(operands) | Or(operands):
                parts = [f for f in operands if not about_one_marking(f) and self.sure(f, value)[at]]
                return next((shown for f in parts if (shown := self.shown(f, value, at)) is not None), None)
            case Temporal("E", operator, operands) if value:
                return self._path(operator, operands, at, True)
            case Temporal("A", operator, operands) if not value:
                return self._path(operator, operands, at, False)
        return None

    def _path(self, operator: str, operands: tuple[Formula, ...], at: int, value: bool) -> tuple[Steps, int]:
        """A path on which what the operator says of the operands is true (`value`), or false."""
        *before, last = operands
        goal = self.sure(last, value)
        if operator == "X":
            step, there = next((t, k) for t, k in self.space.edges_from(at) if goal[k])
            return self._continued([step], there, last, value)
        if operator == ("G" if value else "F"):
            return self._endless(at, self._can_stay(goal))
        if operator == "U" and not value:
            # `last` is false for ever, or until both are.
            neither = goal & self.sure(before[0], False)
            if not self.leads_to(neither, goal)[at]:
                return self._endless(at, self._can_stay(goal))
            steps, there = self._shortest(at, neither, goal)
            return self._continued(steps, there, before[0], False)
        through = self.sure(before[0], True) if before else None
        steps, there = self._shortest(at, goal, through)
        return self._continued(steps, there, last, value)

    def _continued(self, steps: Steps, at: int, formula: Formula, value: bool) -> tuple[Steps, int]:
        more, loop = self.shown(formula, value, at) or ([], 0)
        return steps + more, loop

    def _shortest(self, at: int, goal: Flags, through: Flags | None) -> tuple[Steps, int]:
        if at == 0 and through is None:
            # Markings are numbered by their distance.
            there = int(goal.argmax())
            return [self.space.net.transition_index(name) for name in self.space.path_to(there)], there
        came: dict[int, tuple[int, int]] = {at: (-1, -1)}
        todo = deque([at])
        while todo:
            here = there = todo.popleft()
            if goal[here]:
                steps = []
                while there != at:
                    there, step = came[there]
                    steps.append(step)
                return steps[::-1], here
            if through is None or through[here]:
                for step, after in self.space.edges_from(here):
                    if after not in came:
                        came[after] = here, step
                        todo.append(after)
        raise AssertionError("no path leads there")

    def _endless(self, at: int, inside: Flags) -> tuple[Steps, int]:
        """A path within these markings that ends in a deadlock, or comes back to where it was."""
        seen: dict[int, int] = {}
        steps: Steps = []
        while at not in seen and not self._ends[at]:
            seen[at] = len(steps)
            step, at = next((t, k) for t, k in self.space.edges_from(at) if inside[k])
            steps.append(step)
        return steps, len(steps) - seen[at] if at in seen else 0


def _by_exists(operator: str, operands: tuple[Formula, ...]) -> Formula:
    """What is true exactly where the operator is not true on all paths."""
    match operator:
        case "X" | "G" | "F" as one:
            dual: dict[str, Literal["X", "F", "G"]] = {"X": "X", "G": "F", "F": "G"}
            return Temporal("E", dual[one], (Not(operands[0]),))
        case _:
            f, g = operands
            return Or((Temporal("E", "U", (Not(g), And((Not(f), Not(g))))), Temporal("E", "G", (Not(g),))))
