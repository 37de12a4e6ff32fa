"""A net in decision diagrams: sets of markings, what firing makes of them, and marked places picked out of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wfsim.errors import SearchIncomplete
from wfsim.net.firing import Tokens
from wfsim.verification.nets.diagrams.rules import SafeRule, safe_rules
from wfsim.verification.nets.limits import Limits

if TYPE_CHECKING:
    from oxidd.bdd import BDDFunction

    from wfsim.net.petri import PetriNet

NODE_BYTES = 48
"""Bytes for each node: measured with its share of the tables that find nodes (34) and results (8), and some room."""


GROWTH = 8
"""By how much more nodes are allowed than before, where they were too few and memory is left."""


class OutOfNodes(SearchIncomplete):
    """An operation needs more nodes of decision diagrams than the memory allowed holds."""


class CodedRule(NamedTuple):
    """A net transition as diagrams."""

    rule: SafeRule
    guard: BDDFunction
    """Markings that enable it."""
    room: BDDFunction
    """Markings in which its firing puts no second token anywhere."""
    fires: BDDFunction
    """Markings of both."""
    changed: BDDFunction
    """The places whose values it sets."""
    after: BDDFunction
    """The values it sets."""


class CodedNet:
    """Diagrams of one net in a manager of their own; a variable for each place, the first in the order on top.

    Attributes
    ----------
    net
        The net.
    order
        Indices of the places from top to bottom.
    initial
        The set of the initial marking alone.
    rules
        The net transitions that some marking of at most one token in each place enables, in the order of the net.
    bottom_first
        The same, those that touch only low levels first.
    """

    def __init__(self, net: PetriNet, order: tuple[int, ...], max_nodes: int) -> None:
        from oxidd.bdd import BDDManager
        from oxidd.util import BooleanOperator, DDMemoryError

        self.net = net
        self.max_nodes = max_nodes
        self.order = order
        self.level = [0] * len(self.order)
        for level, place in enumerate(self.order):
            self.level[place] = level
        self._full = DDMemoryError
        self._and = BooleanOperator.AND
        # One thread: the diagrams and what they cost are the same in every run.
        self.manager = BDDManager(max_nodes, max(1024, max_nodes // 4), 1)
        self.manager.add_vars(len(net.places))
        self.nothing = self.manager.false()
        self.initial = self.marking(net.initial_marking.tokens)
        self.rules = tuple(self._coded(rule) for rule in safe_rules(net))
        self.bottom_first = tuple(sorted(self.rules, key=self._span))

    def _span(self, coded: CodedRule) -> tuple[int, int, int]:
        touched = {self.level[place] for place in (*coded.rule.guard, *coded.rule.room, *coded.rule.after)}
        return -min(touched, default=0), -max(touched, default=0), coded.rule.transition

    def _coded(self, rule: SafeRule) -> CodedRule:
        room = self.nothing if rule.overflows else self.cube(dict.fromkeys(rule.room, False))
        guard = self.cube(rule.guard)
        changed = self.cube(dict.fromkeys(rule.after, True))
        return CodedRule(rule, guard, room, self.do(lambda: guard & room), changed, self.cube(rule.after))

    # --- operations -----------------------------------------------------------------------------------------

    def do(self, operation: Callable[[], BDDFunction]) -> BDDFunction:
        """Run an operation; if it lacks nodes once more, after those that nothing needs any longer are freed.

        Raises
        ------
        OutOfNodes
            If they are too few even then.
        """
        try:
            return operation()
        except self._full:
            self._collect()
        try:
            return operation()
        except self._full:
            raise self.out_of_nodes() from None

    def _collect(self) -> None:
        """Free the nodes that nothing needs.

        The manager also does so by itself, in a thread of its own; while that is at work a call does nothing and is
        not counted. It is called until it was at work: whether nodes are enough shall not depend on that thread.
        """
        before = self.manager.gc_count()
        while self.manager.gc() == 0 and self.manager.gc_count() == before:
            time.sleep(0.001)

    def out_of_nodes(self) -> OutOfNodes:
        """The error that tells that there are too few nodes."""
        return OutOfNodes(
            f"decision diagrams of net {self.net.name!r} need more than {self.max_nodes:,} nodes "
            f"({self.max_nodes * NODE_BYTES / 2**20:,.0f} MiB). Raise max_memory if the machine has more."
        )

    def image(self, markings: BDDFunction, coded: CodedRule) -> BDDFunction:
        """The markings after one net transition fires, where it puts no second token anywhere."""
        return self.do(lambda: markings.apply_exists(self._and, coded.fires, coded.changed) & coded.after)

    def preimage(self, markings: BDDFunction, coded: CodedRule) -> BDDFunction:
        """The markings, reachable or not, from which one net transition leads into the set."""
        return self.do(lambda: markings.apply_exists(self._and, coded.after, coded.changed) & coded.fires)

    def union(self, sets: Sequence[BDDFunction]) -> BDDFunction:
        """Markings in one of the sets."""
        whole = self.nothing
        for each in sets:
            whole = self.do(lambda whole=whole, each=each: whole | each)  # type: ignore[misc]
        return whole

    def overflowing(self, markings: BDDFunction) -> BDDFunction:
        """Those markings that enable a net transition which puts a second token into a place."""
        return self.union(
            [
                self.do(lambda coded=coded: markings & coded.guard & ~coded.room)  # type: ignore[misc]
                for coded in self.rules
                if coded.rule.overflows or coded.rule.room
            ]
        )

    def stuck(self, markings: BDDFunction) -> BDDFunction:
        """Those markings that enable nothing."""
        for coded in self.bottom_first:
            markings = self.do(lambda left=markings, coded=coded: left & ~coded.guard)  # type: ignore[misc]
        return markings

    def leading_to(self, targets: BDDFunction, within: BDDFunction, limits: Limits) -> BDDFunction:
        """The markings of `within` from which firings that stay there lead to one of `targets`, by chained preimages.

        Raises
        ------
        SearchIncomplete
            If the time is over before.
        """
        able = self.do(lambda: targets & within)
        turn = list(self.bottom_first)
        while True:
            before = able
            for coded in turn:
                if limits.late:
                    raise SearchIncomplete(
                        f"there was not enough time to find all markings of net {self.net.name!r} that lead there. "
                        "Raise max_seconds."
                    )
                known, more = able, self.preimage(able, coded)
                able = self.do(lambda: known | more & within)  # noqa: B023
            if able == before:
                return able
            turn.reverse()

    def copied(self, sets: Sequence[BDDFunction]) -> list[BDDFunction]:
        """Sets of markings of the same net from another manager, in this one; O(nodes)."""
        copies: dict[BDDFunction, BDDFunction] = {}
        todo = list(sets)
        while todo:
            each = todo[-1]
            parts = each.cofactors()
            if each in copies:
                todo.pop()
            elif parts is None:
                copies[each] = self.manager.true() if each.satisfiable() else self.nothing
            elif all(part in copies for part in parts):
                level, yes, no = each.node_level(), copies[parts[0]], copies[parts[1]]
                assert level is not None
                copies[each] = self.do(lambda: self.manager.var(level).ite(yes, no))  # noqa: B023
            else:
                todo += parts
        return [copies[each] for each in sets]

    # --- markings -------------------------------------------------------------------------------------------

    def cube(self, values: Mapping[int, bool]) -> BDDFunction:
        """The markings in which these places are marked (True) or not (False)."""
        result = self.manager.true()
        for level, value in sorted(((self.level[place], value) for place, value in values.items()), reverse=True):
            literal = self.manager.var if value else self.manager.not_var
            result = self.do(lambda rest=result, literal=literal, level=level: literal(level) & rest)  # type: ignore[misc]
        return result

    def marking(self, tokens: Tokens) -> BDDFunction:
        """The set of one marking; empty if a place holds more than one token."""
        if max(tokens, default=0) > 1:
            return self.nothing
        return self.cube({place: count == 1 for place, count in enumerate(tokens)})

    def having(self, tokens: Mapping[int, int], exactly: bool) -> BDDFunction:
        """Markings of at most one token in each place that hold so many in these, or if not `exactly` more."""
        values = {}
        for place, count in tokens.items():
            if count > 1:
                return self.nothing
            if exactly or count == 1:
                values[place] = count == 1
        return self.cube(values)

    def count(self, markings: BDDFunction) -> int:
        """How many markings, exactly."""
        return markings.sat_count(len(self.order))

    def holds(self, markings: BDDFunction, tokens: Tokens) -> bool:
        """Whether a marking is in the set; O(places)."""
        return max(tokens, default=0) <= 1 and markings.eval(
            [(level, tokens[place] == 1) for level, place in enumerate(self.order)]
        )

    def pick(self, markings: BDDFunction) -> Tokens:
        """One of the markings; of places that do not matter none is marked."""
        chosen = markings.pick_cube()
        assert chosen is not None, "the set is empty"
        return tuple(int(chosen[self.level[place]] or False) for place in range(len(self.order)))

    def listed(self, markings: BDDFunction) -> Iterator[Tokens]:
        """All the markings, one after the other, without a place for them all."""
        n = len(self.order)
        held = [0] * n
        todo: list[tuple[int, int, BDDFunction]] = [(-1, 0, markings)]
        while todo:
            level, value, rest = todo.pop()
            if not rest.satisfiable():
                continue
            if level >= 0:
                held[self.order[level]] = value
            level += 1
            if level == n:
                yield tuple(held)
            elif rest.node_level() == level:
                parts = rest.cofactors()
                assert parts is not None
                todo += [(level, 1, parts[0]), (level, 0, parts[1])]
            else:
                todo += [(level, 1, rest), (level, 0, rest)]
