"""The state graph of a process tree, as a workflow: states are what was done last, and what is parallel has regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.errors import listed
from wfsim.model.state_names import LONGEST_NAME, fresh, state_names
from wfsim.model.uses import RESERVED_EVENTS, is_reserved
from wfsim.model.workflow import Workflow

from .tree import TAU, Operator, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

Block: TypeAlias = Tree
"""What a state stands for: a leaf, or a node of what is parallel."""


@dataclass(frozen=True)
class Order:
    """Which blocks of a tree can come first, last, and after each other, from left to right.

    Attributes
    ----------
    first, last
        Dictionaries for their order; values mean nothing.
    follow
        By block.
    passed
        Whether nothing need be done.
    """

    first: dict[Block, None]
    last: dict[Block, None]
    follow: dict[Block, dict[Block, None]]
    passed: bool


def order_of(tree: Tree) -> Order:
    """The position automaton of a tree [1]_: one state for each block, as each activity stands in it only once.

    References
    ----------
    .. [1] Glushkov (1961), The abstract theory of automata, Russian Mathematical Surveys 16(5), 1–53.
    """
    match tree.operator:
        case None if tree == TAU:
            return Order({}, {}, {}, passed=True)
        case None | Operator.PARALLEL:
            return Order({tree: None}, {tree: None}, {tree: {}}, passed=False)
        case Operator.CHOICE:
            parts = [order_of(child) for child in tree.children]
            found = _together(parts)
            return Order(found.first, found.last, found.follow, any(each.passed for each in parts))
        case Operator.SEQUENCE:
            found = order_of(tree.children[0])
            for child in tree.children[1:]:
                found = _after(found, order_of(child))
            return found
        case Operator.LOOP:
            body, again = (order_of(child) for child in tree.children)
            follow = _together([body, again]).follow
            for block in body.last:
                follow[block] = follow[block] | again.first | (body.first if again.passed else {})
            for block in again.last:
                follow[block] = follow[block] | body.first | (again.first if body.passed else {})
            first = body.first | (again.first if body.passed else {})
            last = body.last | (again.last if body.passed else {})
            return Order(first, last, follow, body.passed)


def _together(parts: Iterable[Order]) -> Order:
    first: dict[Block, None] = {}
    last: dict[Block, None] = {}
    follow: dict[Block, dict[Block, None]] = {}
    for part in parts:
        first |= part.first
        last |= part.last
        for block, others in part.follow.items():
            follow[block] = follow.get(block, {}) | others
    return Order(first, last, follow, passed=False)


def _after(one: Order, other: Order) -> Order:
    follow = _together([one, other]).follow
    for block in one.last:
        follow[block] = follow[block] | other.first
    return Order(
        one.first | (other.first if one.passed else {}),
        other.last | (one.last if other.passed else {}),
        follow,
        one.passed and other.passed,
    )


def workflow_of(
    tree: Tree,
    name: str,
    *,
    timed: Collection[str] = (),
    description: str | None = None,
) -> Workflow:
    """A workflow whose cases do what a tree says.

    A state is entered when its activity is done, on an event of that name; what is chosen is which event comes. Where
    a case may end but need not, an event leads to a terminal state. What is parallel is one state with a region for
    each side, each of which waits until its first activity. So a case is in the states of a region one after the
    other, and its activities, region by region or in one order, are a word of the tree.

    Parameters
    ----------
    timed
        Activities that take time: they are the work of their states, and a state of its own follows, in which what
        comes next is chosen and takes its time to come.
    """
    made = _Made(state_names(sorted(tree.activities)), timed)
    region = made.region(tree)
    activities: dict[str, dict[str, Any]] = {made.names[each]: {} for each in tree.activities if each in timed}
    told = {"description": description} if description else {}
    return Workflow.model_validate(
        {
            "name": name,
            **told,
            **region,
            "events": {each: {} for each in made.events},
            "activities": activities,
            "unhandled": "reject",
        }
    )


class _Made:
    def __init__(self, names: dict[str, str], timed: Collection[str]) -> None:
        self.names = names
        self.events: dict[str, None] = {}
        self._timed = timed
        self._taken = set(names.values())
        self._event_names: dict[str, str] = {}

    def event(self, state: str, region: str | None) -> str:
        """The event that leads to a state: called like it, unless that means something else.

        All regions hear every event, so that each has its own to end.
        """
        key = state if region is None else f"{region}: {state}"
        if key not in self._event_names:
            taken = {*self._event_names.values(), *RESERVED_EVENTS}
            self._event_names[key] = fresh(f"{key} comes" if is_reserved(key) else key, taken)
        self.events[self._event_names[key]] = None
        return self._event_names[key]

    def region(self, tree: Tree, name: str | None = None) -> dict[str, Any]:
        """The states and transitions of a region, or without a name of the whole."""
        is_root = name is None
        order = order_of(tree)
        taken = self._taken if is_root else set(self._taken)
        called = {block: self._called(block, taken) for block in order.follow}
        states: list[dict[str, Any]] = []
        ways: list[dict[str, Any]] = []
        end: list[str] = []

        def ended() -> str:
            """The terminal state to which an event leads."""
            if not end:
                end.append(fresh("end", taken))
            return end[0]

        only = next(iter(order.first)) if len(order.first) == 1 and not order.passed else None
        if only is not None and is_root:
            initial = called[only]
        else:
            initial = fresh("start" if is_root else "waiting", taken)
            states.append({"name": initial})
            ways += self._ways(initial, order.first, called, ended if order.passed else None, None, name)
        for block, others in order.follow.items():
            own = called[block]
            made, on = self._state(block, own)
            may_end = block in order.last
            if not others and on is None:
                made["is_terminal"] = True
            states.append(made)
            source = own
            # What is parallel waits inside.
            waits = any(each.operator is None for each in others)
            if on is not None and (len(others) + may_end > 1 or waits):
                source = fresh(f"after {own}"[:LONGEST_NAME], taken)
                states.append({"name": source})
                ways.append({"from": own, "event": on, "to": source})
                on = None
            if not made.get("is_terminal"):
                ways += self._ways(source, others, called, ended if may_end else None, on, name)
        if end:
            states.append({"name": end[0], "is_terminal": True})
        return {"initial_state": initial, "states": states, "transitions": ways}

    def _ways(
        self,
        source: str,
        targets: Iterable[Block],
        called: dict[Block, str],
        ended: Callable[[], str] | None,
        on: str | None,
        region: str | None,
    ) -> list[dict[str, Any]]:
        """Transitions to some blocks and, if wanted, to the end; on one event, or on one for each target."""
        ways = [{"from": source, "event": on or self.event(called[each], None), "to": called[each]} for each in targets]
        if ended is not None:
            ways.append({"from": source, "event": on or self.event(ended(), region), "to": ended()})
        return ways

    def _called(self, block: Block, taken: set[str]) -> str:
        if block.operator is None:
            return self.names[str(block.activity)]
        sides = [self.names[child.activities[0]] for child in block.children]
        return fresh(listed(sides, 3).replace(", ", " and ")[:LONGEST_NAME], taken)

    def _takes_time(self, block: Block) -> bool:
        return block.operator is None and block.activity in self._timed

    def _state(self, block: Block, own: str) -> tuple[dict[str, Any], str | None]:
        """A state, and the event that says that it is done, if there is one."""
        if block.operator is Operator.PARALLEL:
            taken: set[str] = set()
            sides = [(fresh(self.names[child.activities[0]], taken), child) for child in block.children]
            regions = [{"name": name, **self.region(child, name)} for name, child in sides]
            return {"name": own, "parallel": {"join": "all", "regions": regions}}, "done"
        if self._takes_time(block):
            return {"name": own, "activity": own}, "done"
        return {"name": own}, None
