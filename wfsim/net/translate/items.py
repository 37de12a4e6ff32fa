"""M4.5 in the net: an activity, or a child that closes in every way, for each item of a list.

`s.left.k` says that k items have not ended; as many of them are open as may be, each with a token in `s.item.…`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

from wfsim.model.expression_tree import ListOf, TemplateList, is_constant
from wfsim.model.operations import ForEach

from .actions import inputs_raise
from .activities import Activities
from .changes import NOTHING, Change, Move, take
from .draft import NetDraft
from .log import Log
from .place_names import Tokens, attempt_place, total
from .tokens import Knowledge, Slot
from .views import StateView


@dataclass(frozen=True)
class Items:
    """The work of a state that goes through a list.

    Attributes
    ----------
    bound
        Most items of a list whose length the definition leaves open.
    """

    at: StateView
    draft: NetDraft
    activities: Activities
    log: Log
    known: Knowledge | None
    limit: int
    bound: int

    @property
    def work(self) -> ForEach:
        """What was written."""
        work = self.at.state.for_each
        assert work is not None
        return work

    @property
    def lengths(self) -> list[int]:
        """How many items there may be."""
        items = self.work.items_tree
        if self._is_fixed:
            assert isinstance(items, TemplateList)
            return [len(items.items)]
        written = [len(items.items)] if isinstance(items, (ListOf, TemplateList)) else []
        return sorted({*range(self.bound + 1), *written})

    @property
    def _is_fixed(self) -> bool:
        """Whether the list is written out."""
        items = self.work.items_tree
        return isinstance(items, TemplateList) and is_constant(items)

    @property
    def _may_fail(self) -> bool:
        """Whether one item that fails can end the list; how many have failed before, no place tells."""
        return self.work.on_failure == "fail_fast" or self.work.tolerated_failures is not None

    @property
    def widest(self) -> int:
        """Most items open at once."""
        longest = max(self.lengths, default=0)
        return min(self.work.max_parallel or longest, longest)

    @property
    def prefix(self) -> str:
        """What the places of its items begin with."""
        return f"{self.at.name}.item"

    def _left(self, k: int) -> str:
        return f"{self.at.name}.left.{k}"

    @property
    def _first(self) -> str:
        """Where an item begins."""
        return f"{self.prefix}.child" if self.work.activity is None else attempt_place(self.prefix, "scheduled", 1)

    def _open(self) -> list[Change]:
        """Ways to end an item that is open."""
        if self.work.activity is None:
            return [take(f"{self.prefix}.child")]
        ways = self.activities.open_ways(self.prefix, self.work.activity)
        return [way for way in ways if self.known is None or set(way.takes) <= self.known.places]

    def starts(self) -> list[Tokens]:
        """M4.5: how the list begins: some items are open, or there are none, or it fails at once."""
        found = []
        for n in self.lengths:
            for end, left, opened in self._opened(n, 0):
                found.append(self._tokens(end, left, opened))
        if not self._is_fixed:
            found.append({f"{self.at.name}.failed": 1})
        return [dict(each) for each in dict.fromkeys(tuple(tokens.items()) for tokens in found)]

    def _tokens(self, end: str, left: int, opened: int) -> Tokens:
        if end != "open":
            return {f"{self.at.name}.{end}": 1}
        return total({self._left(left): 1}, {self._first: opened} if opened else {})

    def _opened(self, left: int, opened: int, among: int = 0) -> list[tuple[str, int, int]]:
        """Open as many as may be, when `among` are open already; the inputs of each may raise.

        How it ends (`open`, `succeeded`, `failed`), how many have not ended, and how many are newly open.
        """
        if left == 0:
            return [("succeeded", 0, 0)]
        if among + opened == min(left, self.widest):
            return [("open", left, opened)]
        found = self._opened(left, opened + 1, among)
        if inputs_raise(self.work):
            if self._may_fail:
                found.append(("failed", left, opened))
            if self.work.on_failure == "collect":
                found += self._opened(left - 1, opened, among)
        return found

    def add(self) -> None:
        """The items run, and end one after another."""
        source, name = self.at.source, self.at.name
        for end in ("succeeded", "failed", "ended"):
            self.draft.place(f"{name}.{end}", source)
        well, badly = f"{self.prefix}.succeeded", f"{self.prefix}.failed"
        for k in range(1, max(self.lengths, default=0) + 1):
            self.draft.place(self._left(k), source)
        if self.work.activity is not None:
            entry = self.log.of(self.work.activity, self.at)
            self.activities.add(self.prefix, self.work.activity, source, entry)
        else:
            for place in (self._first, well, badly):
                self.draft.place(place, source)
            self.draft.fire(
                f"{self.work.workflow} completes for an item of {name}", source, {self._first: 1}, {well: 1}
            )
            self.draft.fire(f"{self.work.workflow} fails for an item of {name}", source, {self._first: 1}, {badly: 1})
        for k in range(1, max(self.lengths, default=0) + 1):
            self._add_end(k, well, "an item has ended")
            if self.work.on_failure == "collect":
                self._add_end(k, badly, "an item has failed")
            if self._may_fail:
                self._fails(k, take(badly), min(k, self.widest) - 1, "an item has failed")

    def _add_end(self, k: int, end: str, what: str) -> None:
        """An item has ended, with k - 1 others left: the next one starts."""
        others = min(k, self.widest) - 1
        for state, left, opened in self._opened(k - 1, 0, others):
            if state == "failed":
                self._fails(k, take(end), others, f"{what}, the next one cannot start")
                continue
            change = Change({self._left(k): 1, end: 1}, self._tokens(state, left, opened))
            self.draft.make(Move(change, f"{what} in {self.at.name}", self.at.source))

    def _fails(self, k: int, end: Change, others: int, what: str) -> None:
        """M4.5, one failure too many: the others are ended."""
        # Others may have ended by now without anybody having taken notice.
        ended = [take(f"{self.prefix}.succeeded"), take(f"{self.prefix}.failed")]
        for rest in self._distributions(others, ended):
            change = (take(self._left(k)) & end & rest).giving({f"{self.at.name}.failed": 1})
            self.draft.make(Move(change, f"{what} in {self.at.name}", self.at.source))

    def _distributions(self, n: int, more: Sequence[Change] = ()) -> list[Change]:
        """Ways in which so many items may lie, if they are open or lie in one of some more places."""
        found = []
        for chosen in combinations_with_replacement([*self._open(), *more], n):
            change = NOTHING
            for each in chosen:
                change = change & each
            found.append(change)
        return found

    def _all(self) -> list[Change]:
        ends = [take(f"{self.at.name}.{end}") for end in ("succeeded", "failed", "ended")]
        for k in range(1, max(self.lengths, default=0) + 1):
            ends += [take(self._left(k)) & each for each in self._distributions(min(k, self.widest))]
        return [each for each in ends if self.known is None or set(each.takes) <= self.known.places]

    def ways(self, ended: str | None) -> list[Change] | None:
        """Ways to end the list, wherever its items are."""
        if ended is not None:
            return [take(ended)]
        ways = self._all()
        return None if len(ways) > self.limit else ways

    def slots(self) -> list[Slot]:
        """Where the tokens of the list may lie."""
        changes = self._all()
        passing = [f"{self.prefix}.succeeded", f"{self.prefix}.failed"]
        return [Slot(changes, any(each.gives for each in changes), passing)]

    def lasting(self) -> list[str]:
        """Places one of which is marked while it runs, or once its end has been offered."""
        return [*(self._left(k) for k in range(1, max(self.lengths, default=0) + 1)), f"{self.at.name}.ended"]
