"""Stubborn sets: which enabled net transitions a search may leave out and still find what it is asked for.

In each marking a search fires only the enabled transitions of a *stubborn set* S [1]_ [2]_. What makes S stubborn in a
marking m is, if deadlocks are sought, D1 and D2, and if a marking is sought of which a formula is true (a goal), D1
and U:

`D1`
    If m enables a sequence of transitions outside of S followed by one transition t of S, then it also enables t
    first and then that sequence, and both lead to the same marking.
`D2`
    If m enables anything, S holds an enabled transition that stays enabled whatever sequence outside of S is fired.
`U`
    If the formula is not true of m, then it is not true after any sequence outside of S: S holds an up-set of it
    (`wfsim.verification.nets.goal`) [3]_ [4]_.

Then every deadlock that can be reached is found, and a marking with the goal if there is one. For let n firings lead
from m to such a marking, n > 0 as small as can be. A member of S is among them: else the transition of D2 would still
be enabled in the deadlock, and by U the formula would not be true. By D1 the first member of S can be moved to the
front. It leads to a marking from which n - 1 firings lead to the same marking as before; and so on. What is found is
the same sequence in another order, so it is *as long*: a breadth-first search of the reduced space finds each
deadlock, and the nearest marking with the goal, at its true distance. So it is where transitions have lengths that are
added up. Where S holds nothing that is enabled, the goal is out of reach from m.

How S is made
-------------
D1 follows from two closures over arcs, which a set of transitions has to respect:

* With an *enabled* t of S, S holds every transition that may conflict with it: one of the two could disable the
  other, or their order would matter, in some marking that enables both. Place by place this is decided from what both
  need, forbid, empty and change there. Weights count: a transition that takes 1 of the 3 tokens that it needs does
  not disable another that needs 2. Two transitions of which one needs at least as many tokens of a place as the other
  allows are never enabled together and do not conflict.
* With a *disabled* t of S, one condition that keeps it from firing is chosen as its scapegoat, and S holds whatever
  could help to fulfil it: for a place with too few tokens those of which one firing may bring it from fewer to
  enough; for an inhibitor arc those of which one firing may bring the place below its weight.

Read arcs need without changing. A reset arc empties: it conflicts with all that change the place, but for those that
leave the same tokens, and may help inhibited transitions. Proof of D1: let t be the first member of S in a sequence. It
is enabled in m, as nothing outside of S fulfils its scapegoat; it stays so, and can be exchanged with each transition
before it, as it conflicts with none of them. D2 then holds if S has an enabled transition: nothing outside of S
conflicts with it, so nothing there disables it.

Which S is taken
----------------
S is wanted with few enabled transitions. For fixed scapegoats (here the condition with the fewest helpers) the closures
are a graph. For deadlocks, the strongly connected components that hold an enabled transition and from which no other
such component can be reached, each with all that it reaches, are the smallest stubborn sets [2]_. They are found by
Tarjan's algorithm [5]_ from one enabled transition after the other; a search that runs into a component with enabled
transitions is given up, as all on its way reach that one. Each transition is so visited at most once, in
O(transitions + conflicts) for a marking; the first set with one enabled transition ends it, else the one with fewest is
taken. For a goal, the closure of each of a few up-sets is made, given up when it has as many enabled transitions as
another, and the one with fewest is taken.

References
----------
.. [1] Valmari (1991), Stubborn sets for reduced state space generation, LNCS 483, 491-515.
.. [2] Valmari (1998), The state explosion problem, LNCS 1491, 429-528.
.. [3] Schmidt (1999), Stubborn sets for standard properties, LNCS 1639, 46-65.
.. [4] Kristensen, Schmidt, Valmari (2006), Question-guided stubborn set methods for state properties, Formal Methods
   in System Design 29, 215-251.
.. [5] Tarjan (1972), Depth-first search and linear graph algorithms, SIAM Journal on Computing 1(2), 146-160.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from wfsim.net.firing import FiringRule, Tokens
from wfsim.verification.nets.goal import Goal
from wfsim.verification.nets.limits import UNLIMITED, Limits

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.arrays import Integers, Sets
    from wfsim.verification.nets.formulas import Plain

MOST_CONFLICTS = 1_000_000
"""Pairs of transitions up to which conflicts are listed; beyond, sets would be large and cost more than they save."""

MAKING = "stubborn sets were made"

_CLEAN, _DIRTY = -1, -2
"""Components that are done: without an enabled transition in reach, and with one."""


class _Effect(NamedTuple):
    """What one transition wants and does at one place."""

    needs: int
    forbids: int | None
    empties: bool
    change: int

    def never_with(self, other: _Effect) -> bool:
        """Whether no number of tokens there allows both."""
        most = [each.forbids for each in (self, other) if each.forbids is not None]
        return bool(most) and max(self.needs, other.needs) >= min(most)

    def disables(self, other: _Effect) -> bool:
        """Whether firing may disable the other, in a marking that enables both."""
        least = max(self.needs, other.needs)
        if self.empties:
            return self.change < other.needs or (other.forbids is not None and self.change >= other.forbids)
        if least + self.change < other.needs:
            return True
        if other.forbids is None:
            return False
        most = other.forbids if self.forbids is None else min(self.forbids, other.forbids)
        return most - 1 + self.change >= other.forbids

    def commutes(self, other: _Effect) -> bool:
        """Whether the order does not matter to the number of tokens after both."""
        if self.empties and other.empties:
            return self.change == other.change
        return not (self.empties and other.change) and not (other.empties and self.change)

    def conflicts(self, other: _Effect) -> bool:
        """Whether there may be a marking that enables both in which they are not independent."""
        return self.disables(other) or other.disables(self) or not self.commutes(other)

    def raises_to(self, tokens: int) -> bool:
        """Whether firing may bring the place from fewer to at least so many tokens."""
        most = (tokens if self.forbids is None else min(tokens, self.forbids)) - 1
        return self.needs <= most and (self.change if self.empties else most + self.change) >= tokens

    def lowers_below(self, tokens: int) -> bool:
        """Whether firing may bring the place from at least so many tokens to fewer."""
        least = max(self.needs, tokens)
        if self.forbids is not None and self.forbids <= least:
            return False
        return (self.change if self.empties else least + self.change) < tokens


class Condition(NamedTuple):
    """What a transition wants of one place, and the number of the list of those that may help."""

    place: int
    weight: int
    forbids: bool
    helpers: int

    def met(self, tokens: Tokens) -> bool:
        """Whether a marking fulfils it."""
        return (tokens[self.place] < self.weight) is self.forbids


class TooManyConflicts(Exception):
    """The net has so many conflicts that stubborn sets are not worth their cost."""


class StubbornSets:
    """The stubborn sets of a net, for finding deadlocks or a marking of which a formula is true.

    Parameters
    ----------
    wanted
        The formula; None for deadlocks.
    limits
        The time.

    Attributes
    ----------
    goal
        The formula, ready to be asked for up-sets.
    conditions
        For each transition what it wants, the condition with the fewest helpers first.
    lists
        Lists of transitions: number t for conflicts of transition t, others for helpers.

    Raises
    ------
    TooManyConflicts
        If there are more than `MOST_CONFLICTS` conflicting pairs at places.
    OutOfTime
        If the time is over before the sets are made.

    Notes
    -----
    Made in O(arcs + conflicting pairs + helpers).
    """

    def __init__(self, net: PetriNet, wanted: Plain | None = None, limits: Limits = UNLIMITED) -> None:
        self.net = net
        self.goal = None if wanted is None else Goal(wanted, net)
        at_place = _effects(net)
        conflicts = _conflicts(at_place, len(net.transitions), limits)
        self.lists: list[Sequence[int]] = [sorted(each) for each in conflicts]
        numbers: dict[tuple[int, int, bool], int] = {}
        self.conditions: list[tuple[Condition, ...]] = []
        for rule in net.rules:
            limits.check(MAKING)
            keys = [(p, w, False) for p, w in rule.needs] + [(p, w, True) for p, w in rule.forbids]
            found = []
            for key in keys:
                place, weight, forbids = key
                if key not in numbers:
                    numbers[key] = len(self.lists)
                    self.lists.append(_helpers(at_place[place], weight, forbids))
                found.append(Condition(*key, numbers[key]))
            self.conditions.append(tuple(sorted(found, key=lambda each: (len(self.lists[each.helpers]), each))))

    def chosen(self, tokens: Tokens) -> list[int]:
        """The enabled transitions of a stubborn set, in order; none if nothing that is sought lies beyond."""
        follow = self._follow(tokens)
        enabled = [t for t, number in enumerate(follow) if number == t]
        if self.goal is not None:
            up_sets = self.goal.up_sets(tokens)
            return sorted(self._towards(follow, up_sets)) if up_sets else enabled
        return enabled if len(enabled) < 2 else sorted(self._smallest(follow, enabled))

    def sought(self, tokens: Tokens) -> bool:
        """Whether the goal is true of a marking; without a goal, whether it enables nothing."""
        return self.stuck(tokens) if self.goal is None else self.goal.reached(tokens)

    def stuck(self, tokens: Tokens) -> bool:
        """Whether the marking enables nothing."""
        return all(number != t for t, number in enumerate(self._follow(tokens)))

    def turns(self) -> list[int]:
        """The turn of each transition in a search that goes deep first.

        For deadlocks those first that need the fewest firings before them, by arcs alone: so everything begins
        before anything goes on, and holds what it has taken. For a goal those first that make one of its sums smaller,
        then what helps these, and so on.
        """
        level = self._levels_from_start() if self.goal is None else self._levels_to(self.goal)
        order = sorted(range(len(level)), key=lambda t: (level[t], t))
        turn = [0] * len(order)
        for i, t in enumerate(order):
            turn[t] = i
        return turn

    def _levels_from_start(self) -> list[int]:
        n = len(self.net.transitions)
        missing = [len(rule.needs) for rule in self.net.rules]
        wanting: dict[int, list[int]] = {}
        for t, rule in enumerate(self.net.rules):
            for place, _ in rule.needs:
                wanting.setdefault(place, []).append(t)
        level = [n] * n
        there: set[int] = set()
        places = [place for place, count in enumerate(self.net.initial_marking.tokens) if count]
        ready = [t for t in range(n) if not missing[t]]
        now = 0
        while places or ready:
            for place in places:
                there.add(place)
                for t in wanting.get(place, ()):
                    missing[t] -= 1
                    if not missing[t]:
                        ready.append(t)
            for t in ready:
                level[t] = now
            made = (place for t in ready for place, change in self.net.rules[t].changes if change > 0)
            places, ready, now = [place for place in dict.fromkeys(made) if place not in there], [], now + 1
        return level

    def _levels_to(self, goal: Goal) -> list[int]:
        n = len(self.net.transitions)
        level = [n] * n
        now, todo = 0, sorted({t for each in goal.sums for t in each.wishes})
        while todo:
            for t in todo:
                level[t] = now
            helping = {u for t in todo for each in self.conditions[t] for u in self.lists[each.helpers]}
            now, todo = now + 1, sorted(u for u in helping if level[u] == n)
        return level

    def arrays(self) -> Sets:
        """The same for the compiled search."""
        import numpy as np

        from wfsim.verification.nets.arrays import Sets

        wants = [each for conditions in self.conditions for each in conditions]
        sums = () if self.goal is None else self.goal.sums
        clauses = () if self.goal is None else self.goal.clauses
        terms = [term for each in sums for term in each.weights]
        return Sets(
            _starts(self.conditions),
            np.array([each.place for each in wants], np.int64),
            np.array([each.weight for each in wants], np.int64),
            np.array([each.forbids for each in wants], np.int64),
            np.array([each.helpers for each in wants], np.int64),
            _starts(self.lists),
            _flat(self.lists),
            np.array([each.most for each in sums], np.int64),
            _starts([each.weights for each in sums]),
            np.array([place for place, _ in terms], np.int64),
            np.array([weight for _, weight in terms], np.int64),
            _starts([each.wishes for each in sums]),
            _flat([each.wishes for each in sums]),
            _starts(clauses) if self.goal is not None else np.zeros(0, np.int64),
            _flat(clauses),
        )

    def _follow(self, tokens: Tokens) -> list[int]:
        """For each transition the list that has to be in S with it: its own if it is enabled."""
        return [
            next((each.helpers for each in conditions if not each.met(tokens)), t)
            for t, conditions in enumerate(self.conditions)
        ]

    def _towards(self, follow: Sequence[int], up_sets: Iterable[Sequence[int]]) -> list[int]:
        """The enabled transitions of the first smallest set that has one of the up-sets in it."""
        best: list[int] | None = None
        for wishes in up_sets:
            todo = list(dict.fromkeys(wishes))
            seen = set(todo)
            fired: list[int] = []
            for t in todo:
                if best is not None and len(fired) >= len(best):
                    break
                if follow[t] == t:
                    fired.append(t)
                more = [other for other in self.lists[follow[t]] if other not in seen]
                seen.update(more)
                todo += more
            if best is None or len(fired) < len(best):
                best = fired
            if not best:
                break
        return best or []

    def _smallest(self, follow: Sequence[int], enabled: Iterable[int]) -> list[int]:
        """The enabled transitions of the first smallest set."""
        best: list[int] = []
        # 0 if not yet seen, the order in which they were met while they are under way, then how they are done.
        order, low, met = [0] * len(follow), [0] * len(follow), 0
        for root in enabled:
            if order[root]:
                continue
            order[root] = low[root] = met = met + 1
            under_way, path = [root], [(root, iter(self.lists[follow[root]]))]
            while path:
                t, others = path[-1]
                other = next(others, None)
                if other is None:
                    path.pop()
                    if path:
                        low[path[-1][0]] = min(low[path[-1][0]], low[t])
                    if low[t] < order[t]:
                        continue
                    begin = len(under_way) - 1
                    while under_way[begin] != t:
                        begin -= 1
                    component = under_way[begin:]
                    fired = [u for u in component if follow[u] == u]
                    if fired:
                        if not best or len(fired) < len(best):
                            best = fired
                        break
                    for u in component:
                        order[u] = _CLEAN
                    del under_way[begin:]
                elif order[other] == 0:
                    order[other] = low[other] = met = met + 1
                    under_way.append(other)
                    path.append((other, iter(self.lists[follow[other]])))
                elif order[other] == _DIRTY:
                    break
                elif order[other] > 0:
                    low[t] = min(low[t], order[other])
            # All still under way reach an enabled transition that is not in a set of theirs, or are in the set found.
            for u in under_way:
                order[u] = _DIRTY
            if len(best) == 1:
                break
        return best


def _effects(net: PetriNet) -> list[dict[_Effect, list[int]]]:
    """For each place the transitions at it, gathered by what they want and do there."""
    at_place: list[dict[_Effect, list[int]]] = [{} for _ in net.places]
    for transition, rule in enumerate(net.rules):
        for place, effect in _of_rule(rule).items():
            at_place[place].setdefault(effect, []).append(transition)
    return at_place


def _of_rule(rule: FiringRule) -> dict[int, _Effect]:
    needs, forbids, changes = dict(rule.needs), dict(rule.forbids), dict(rule.changes)
    places = sorted({*needs, *forbids, *changes, *rule.empties})
    return {p: _Effect(needs.get(p, 0), forbids.get(p), p in rule.empties, changes.get(p, 0)) for p in places}


def _conflicts(at_place: Iterable[dict[_Effect, list[int]]], n: int, limits: Limits) -> list[set[int]]:
    conflicts: list[set[int]] = [set() for _ in range(n)]
    apart: list[set[int]] = [set() for _ in range(n)]
    pairs = 0
    for groups in at_place:
        limits.check(MAKING)
        for one, ones in groups.items():
            for other, others in groups.items():
                never = one.never_with(other)
                if never or one.conflicts(other):
                    pairs += len(ones) * len(others)
                    if pairs > MOST_CONFLICTS:
                        raise TooManyConflicts
                    for t in ones:
                        (apart if never else conflicts)[t].update(others)
    for t in range(n):
        conflicts[t] -= apart[t]
        conflicts[t].discard(t)
    return conflicts


def _helpers(groups: dict[_Effect, list[int]], weight: int, forbids: bool) -> list[int]:
    helping = (
        transitions
        for effect, transitions in groups.items()
        if (effect.lowers_below(weight) if forbids else effect.raises_to(weight))
    )
    return sorted(chain.from_iterable(helping))


def _starts(lists: Sequence[Sequence[object]]) -> Integers:
    """Where the entries of each begin if they are written one list after the other, and where the last one ends."""
    import numpy as np

    return np.cumsum([0, *map(len, lists)], dtype=np.int64)


def _flat(lists: Sequence[Sequence[int]]) -> Integers:
    import numpy as np

    return np.fromiter(chain.from_iterable(lists), np.int64)
