"""The compiled search, and the space that it leaves: markings in words, a link for each, a table to find them.

The kernel works in slices, between which the clock, the memory and Ctrl-C have their turn. When a field overflows,
it is widened, what was found so far is packed anew, and the search goes on where it stood: no count ever wraps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, overload

import numpy as np
from numpy.typing import NDArray

from wfsim.net.firing import Tokens, successor
from wfsim.verification.nets import kernel, passes
from wfsim.verification.nets.arrays import Integers, Words
from wfsim.verification.nets.limits import Ended, Limits
from wfsim.verification.nets.packing import CannotPack, Layout, first_widths
from wfsim.verification.nets.place_bounds import proved_bounds
from wfsim.verification.nets.readiness import Compiled, announce, loaded
from wfsim.verification.nets.state_space import EdgeArrays, StateSpace, Stop, Wake, show

if TYPE_CHECKING:
    from tqdm import tqdm

    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.listed_space import ListedSpace
    from wfsim.verification.nets.stubborn import StubbornSets

__all__ = ["CannotPack", "PackedSpace", "dive_packed", "search_packed"]

SLICE = 4_000_000
"""Tries of a net transition between two looks at the clock: some hundredths of a second."""

RESERVED = 2**27
"""Bytes that the first store may take. They are asked for, but not touched before they are used."""

PATIENCE = 8
"""Times that all markings may be packed anew for one field each; then each gets room for twice what it has held."""

CHUNK = 1 << 16
"""Markings treated at once."""

UNPACKED = 1 << 20
"""Numbers of tokens unpacked at once."""


class _Store(NamedTuple):
    """What belongs together; replaced as one, so that an interrupt leaves the old or the new."""

    layout: Layout
    words: Words
    links: Words
    table: NDArray[np.uint32]

    @property
    def room(self) -> int:
        return len(self.words)


def _new_store(layout: Layout, room: int, table: int) -> _Store:
    words = np.empty((room, layout.n_words), np.uint64)
    return _Store(layout, words, np.empty(room, np.uint64), np.zeros(table, np.uint32))


class PackedSpace(StateSpace):
    """A space of packed markings. Edges are counted; they are fired again when they are asked for."""

    engine = "kernel"

    def __init__(self, net: PetriNet, layout: Layout, room: int, stubborn: StubbornSets | None = None) -> None:
        super().__init__(net, stubborn)
        self._check_sums(layout)
        self._sets = None if stubborn is None else stubborn.arrays()
        self._state = np.zeros(9, np.int64)
        self._state[kernel.FOUND] = 1
        self._first = np.full(len(net.transitions), -1, np.int64)
        self._store = _new_store(layout, room, 1 << 10)
        self._store.words[0] = layout.pack(net.initial_marking.tokens)
        self._store.links[0] = 0
        kernel.refill(self._store.words, 1, self._store.table)
        # Made when first needed, 8 bytes an edge.
        self._edges: EdgeArrays | None = None

    # --- what was found -----------------------------------------------------------------------------------

    @property
    def tokens(self) -> Sequence[Tokens]:
        return _Tokens(self)

    @property
    def n_markings(self) -> int:
        return int(self._state[kernel.FOUND])

    @property
    def n_expanded(self) -> int:
        return int(self._state[kernel.SOURCE])

    @property
    def n_edges(self) -> int:
        return int(self._state[kernel.EDGES])

    @property
    def n_words(self) -> int:
        """Words of 64 bits for each marking."""
        return self._store.layout.n_words

    @property
    def memory(self) -> int:
        edges = 0 if self._edges is None else sum(part.nbytes for part in self._edges)
        return self.n_markings * 8 * (self.n_words + 1) + self._store.table.nbytes + edges

    @property
    def _rows(self) -> Words:
        return self._store.words[: self.n_markings]

    @property
    def bounds(self) -> dict[str, int]:
        most = np.zeros(len(self.net.places), np.uint64)
        passes.maxima(self._store.words, self.n_markings, self._store.layout.tables(None), most)
        return dict(zip(self.net.places, most.tolist()))

    def _find(self, tokens: Tokens) -> int | None:
        store = self._store
        if not store.layout.holds(tokens):
            return None
        number = int(kernel.find(store.words, store.table, store.layout.pack(tokens).reshape(1, -1)))
        return None if number < 0 else number

    def _link(self, number: int) -> tuple[int, int]:
        link = int(self._store.links[number])
        return link & 0xFFFFFFFF, link >> 32 & 0x7FFFFFFF

    def is_deadlock(self, number: int) -> bool:
        return number < self.n_expanded and bool(int(self._store.links[number]) >> 63)

    def deadlock_numbers(self) -> list[int]:
        flags = self._store.links[: self.n_expanded] >> kernel.DEADLOCK_BIT
        return [int(number) for number in np.flatnonzero(flags)]

    @property
    def never_fired(self) -> tuple[str, ...]:
        fired = self._first >= 0
        if self._state[kernel.TRANSITION]:
            # Of an expansion that did not finish only what led to a new marking counts.
            source = self.n_expanded
            fired &= self._first != source
            number = self.n_markings - 1
            while number > 0 and self._link(number)[0] == source:
                fired[self._link(number)[1]] = True
                number -= 1
        return tuple(name for name, has in zip(self.net.transitions, fired) if not has)

    def edges_from(self, number: int) -> Iterator[tuple[int, int]]:
        start, transitions, targets = self.edge_arrays()
        begin, end = start[number], start[number + 1]
        yield from zip(transitions[begin:end].tolist(), targets[begin:end].tolist())

    def able_to_reach(self, targets: Iterable[int]) -> bytearray:
        start, _, target_of = self.edge_arrays()
        reached = np.zeros(self.n_markings, np.uint8)
        todo = np.empty(self.n_markings, np.uint32)
        wanted = sorted(set(targets))
        todo[: len(wanted)] = wanted
        reached[wanted] = 1
        passes.backwards(start, target_of, self.n_expanded, todo, len(wanted), reached)
        return bytearray(reached)

    def edge_arrays(self) -> EdgeArrays:
        if self._edges is None or len(self._edges[0]) != self.n_expanded + 1:
            store = self._store
            start = np.zeros(self.n_expanded + 1, np.int64)
            transitions, targets = np.empty(self.n_edges, np.uint32), np.empty(self.n_edges, np.uint32)
            tables = store.layout.tables(None)
            for begin in range(0, self.n_expanded, CHUNK):
                end = min(begin + CHUNK, self.n_expanded)
                kernel.edges_of(store.words, store.table, tables, self._sets, begin, end, start, transitions, targets)
            self._edges = EdgeArrays(start, transitions, targets)
        return self._edges

    def column(self, place: int, begin: int = 0, end: int | None = None) -> NDArray[Any]:
        return self._store.layout.column(self._rows[begin:end], place).astype(np.int64)

    @property
    def most_tokens(self) -> int:
        return int(self._totals(0).max())

    def first_covering(self, tokens: Tokens) -> int | None:
        layout, rows = self._store.layout, self._rows
        if not layout.holds(tokens):
            return None
        covering = np.ones(len(rows), np.bool_)
        for place, count in enumerate(tokens):
            if count:
                covering &= layout.column(rows, place) >= np.uint64(count)
        same = self._find(tokens)
        if same is not None:
            covering[same] = False
        return _first(covering)

    def first_above(self, k: int, since: int = 0) -> int | None:
        layout, rows = self._store.layout, self._rows[since:]
        above = np.zeros(len(rows), np.bool_)
        for place, width in enumerate(layout.widths):
            if k >> width == 0:
                above |= layout.column(rows, place) > np.uint64(k)
        number = _first(above)
        return None if number is None else since + number

    def records(self, since: int, record: int) -> list[int]:
        totals = self._totals(since)
        highest = np.maximum.accumulate(np.concatenate(([min(record, 2**63 - 1)], totals)))
        return [since + int(i) for i in np.flatnonzero(highest[1:] > highest[:-1])]

    def _totals(self, since: int) -> Integers:
        layout, rows = self._store.layout, self._rows[since:]
        totals = np.zeros(len(rows), np.int64)
        for place in range(len(layout.widths)):
            totals += layout.column(rows, place).astype(np.int64)
        return totals

    # --- growing; called by the search only ---------------------------------------------------------------

    def _take_over(self, space: ListedSpace) -> None:
        """Go on from what a search in Python has found."""
        n = space.n_markings
        self._grow(room=n, table=_table_for(n))
        store = self._store
        store.layout.pack_all(space.tokens, store.words)
        store.links[1:n] = [parent | transition << 32 for parent, transition in map(space._link, range(1, n))]
        store.links[space.deadlock_numbers()] |= np.uint64(1 << 63)
        store.table[:] = 0
        kernel.refill(store.words, n, store.table)
        # Any finished expansion will do.
        never = set(space.never_fired)
        self._first[:] = [-1 if name in never else 0 for name in self.net.transitions]
        self._state[kernel.FOUND] = n
        self._state[kernel.SOURCE] = space.n_expanded
        self._state[kernel.EDGES] = space.n_edges
        self._state[kernel.RECORD] = int(self._totals(0).max())

    def _grow(self, *, room: int = 0, table: int = 0) -> None:
        old, n = self._store, self.n_markings
        words, links, entries = old.words, old.links, old.table
        if room > old.room:
            words, links = np.empty((room, words.shape[1]), np.uint64), np.empty(room, np.uint64)
            words[:n], links[:n] = old.words[:n], old.links[:n]
        if table > len(old.table):
            entries = np.zeros(table, np.uint32)
            kernel.refill(words, n, entries)
        self._store = _Store(old.layout, words, links, entries)

    def _check_sums(self, layout: Layout) -> None:
        """Refuse fields so wide that a sum of a goal could need more than 63 bits."""
        goal = None if self.stubborn is None else self.stubborn.goal
        if goal is not None and goal.largest(layout.widths) >= 2**63:
            raise CannotPack("the weighted sums that are asked for may need more than 63 bits")

    def _change_layout(self, layout: Layout) -> None:
        self._check_sums(layout)
        old, n = self._store, self.n_markings
        new = _Store(layout, np.empty((old.room, layout.n_words), np.uint64), old.links, np.zeros_like(old.table))
        layout.repack(old.layout, old.words[:n], new.words)
        kernel.refill(new.words, n, new.table)
        self._store = new


def _first(flags: NDArray[np.bool_]) -> int | None:
    at = int(flags.argmax()) if len(flags) else 0
    return at if len(flags) and flags[at] else None


def _table_for(n: int) -> int:
    """A power of two of which n is at most three eighths."""
    return 1 << max(10, (n * 8 // 3).bit_length())


class _Tokens(Sequence[Tokens]):
    def __init__(self, space: PackedSpace) -> None:
        self._space = space

    def __len__(self) -> int:
        return self._space.n_markings

    @overload
    def __getitem__(self, index: int) -> Tokens: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Tokens]: ...
    def __getitem__(self, index: int | slice) -> Tokens | Sequence[Tokens]:
        layout, rows = self._space._store.layout, self._space._rows
        if isinstance(index, slice):
            return layout.unpack(rows[index])
        number = range(len(rows))[index]
        return layout.unpack(rows[number : number + 1])[0]

    def __iter__(self) -> Iterator[Tokens]:
        rows = max(1, UNPACKED // max(1, len(self._space.net.places)))
        for begin in range(0, len(self), rows):
            yield from self[begin : begin + rows]


class _Search:
    """One compiled search under way."""

    def __init__(self, space: PackedSpace, limits: Limits, wake: Wake | None, proved: frozenset[int]) -> None:
        self.space, self.limits = space, limits
        self.proved = proved
        self.repacked = 0
        self.above = None if wake is None else wake.above
        self.now_and_then = wake is not None and wake.now_and_then
        self.tables = space._store.layout.tables(self.above)
        self.max_markings = min(limits.max_markings, kernel.MAX_NUMBER)
        if wake is None:
            self.wake = kernel.EACH_EVENT
        else:
            self.wake = (
                (kernel.DEADLOCK_EVENT if wake.deadlock else 0)
                | (kernel.RECORD_EVENT if wake.record else 0)
                | (kernel.ABOVE_EVENT if wake.above is not None else 0)
                | (kernel.FIRST_EVENT if wake.first_firing else 0)
                | (kernel.SOUGHT_EVENT if wake.sought else 0)
            )

    def slice(self, events: int, work: int) -> int:
        """Run the kernel once; why it returned."""
        space, store = self.space, self.space._store
        space._state[kernel.WORK] = work
        watch = self.wake & (kernel.RECORD_EVENT | kernel.ABOVE_EVENT)
        return int(
            kernel.search(
                space._state,
                store.words,
                store.links,
                store.table,
                space._first,
                self.tables,
                space._sets,
                events,
                watch,
                self.max_markings,
            )
        )

    def has_made_room(self, outcome: int) -> bool:
        """Give the search what it lacks; False if that would be more memory than allowed, or than there is."""
        try:
            return outcome != kernel.PENDING_SMALL and self._make_room(outcome)
        except MemoryError:
            return False

    def _make_room(self, outcome: int) -> bool:
        space, store = self.space, self.space._store
        row = 8 * (store.layout.n_words + 1)
        # While it is copied the old one is there as well.
        used = space.n_markings * row + store.table.nbytes
        if outcome == kernel.TABLE_SMALL:
            table = 2 * len(store.table)
            if used + 4 * table > self.limits.max_memory:
                return False
            space._grow(table=table)
        elif outcome == kernel.STORE_SMALL:
            spare = (self.limits.max_memory - used) // row
            room = min(2 * store.room, self.max_markings, spare)
            if room <= store.room:
                return False
            space._grow(room=room)
        else:
            wider = self._wider()
            if 2 * used + store.room * 8 * max(0, wider.n_words - store.layout.n_words) > self.limits.max_memory:
                return False
            space._change_layout(wider)
            self.tables = wider.tables(self.above)
        return True

    def _wider(self) -> Layout:
        """The layout with wider fields where the firing under way does not fit."""
        space, layout = self.space, self.space._store.layout
        rule = space.net.rules[int(space._state[kernel.TRANSITION])]
        after = successor(space.tokens[space.n_expanded], rule)
        assert after is not None
        self.repacked += space.n_markings
        most = after
        if self.repacked > PATIENCE * (space.n_markings + CHUNK):
            seen = space.bounds.values()
            most = tuple(
                count if place in self.proved else max(count, 2 * held)
                for place, (count, held) in enumerate(zip(after, seen))
            )
        return Layout(space.net, [max(width, count.bit_length()) for width, count in zip(layout.widths, most)])


def search_packed(
    listed: ListedSpace, limits: Limits, stop: Stop | None, wake: Wake | None, bar: tqdm[NoReturn] | None
) -> PackedSpace:
    """Go on with a search begun in Python.

    Raises
    ------
    CannotPack
        If there are too many tokens for it.
    """
    work = _begun(listed, limits, wake)
    space = work.space
    which = Compiled.PLAIN if space.stubborn is None else Compiled.STUBBORN
    announce(which)
    try:
        ended = _run(work, stop, bar)
    except KeyboardInterrupt:
        ended = Ended.INTERRUPTED
    if bar is not None:
        show(bar, space)
    if ended is not Ended.STOPPED:
        space.end(ended, limits)
    loaded.add(which)
    return space


def _begun(listed: ListedSpace, limits: Limits, wake: Wake | None) -> _Search:
    """A compiled search that stands where one in Python does."""
    net = listed.net
    proved = proved_bounds(net, limits=limits)
    seen = dict(zip(range(len(net.places)), map(max, zip(*listed.tokens))))
    layout = Layout(net, first_widths(net, {**seen, **proved}))
    row = 8 * (layout.n_words + 1)
    room = max(1, listed.n_markings, min(limits.max_markings, min(RESERVED, limits.max_memory // 2) // row))
    space = PackedSpace(net, layout, room, listed.stubborn)
    space._take_over(listed)
    return _Search(space, limits, wake, frozenset(proved))


def dive_packed(
    listed: ListedSpace,
    turn: Sequence[int],
    sought: Callable[[Tokens], bool],
    limits: Limits,
    bar: tqdm[NoReturn] | None,
) -> tuple[PackedSpace, int | None]:
    """`nets.dive.dive`, compiled, from the initial marking of a space in which nothing was expanded yet.

    Raises
    ------
    CannotPack
        If there are too many tokens for it.
    """
    assert listed.n_markings == 1
    work = _begun(listed, limits, None)
    space, found = work.space, None
    pending = np.empty(len(space.net.transitions) + 1, np.int32)
    turns = np.array(turn, np.int64)
    ended: Ended | None = None
    announce(Compiled.DIVE)
    try:
        while ended is None and found is None:
            if limits.late:
                ended = Ended.SECONDS
                break
            if bar is not None:
                bar.update(space.n_markings - bar.n)
            space._state[kernel.WORK] = SLICE
            store = space._store
            outcome = int(
                kernel.dive(
                    space._state,
                    store.words,
                    store.links,
                    store.table,
                    work.tables,
                    space._sets,
                    turns,
                    pending,
                    work.max_markings,
                )
            )
            here = int(space._state[kernel.SOURCE])
            if outcome == kernel.WOKEN:
                found = here if sought(space.tokens[here]) else None
            elif outcome == kernel.PENDING_SMALL and space.memory + 3 * pending.nbytes <= limits.max_memory:
                pending = np.concatenate([pending, np.empty_like(pending)])
            elif outcome != kernel.PAUSED:
                ended = ENDS.get(outcome) or (None if work.has_made_room(outcome) else Ended.MEMORY)
    except KeyboardInterrupt:
        ended = Ended.INTERRUPTED
    # Nothing was expanded with all that it enables.
    space._state[[kernel.SOURCE, kernel.TRANSITION]] = 0
    if ended is not None:
        space.end(ended, limits)
    loaded.add(Compiled.DIVE)
    return space, found


ENDS = {kernel.DONE: Ended.FINISHED, kernel.FULL: Ended.MARKINGS}
"""What the kernel returns when it has come to an end."""


def _run(work: _Search, stop: Stop | None, bar: tqdm[NoReturn] | None) -> Ended:
    """Search until nothing is left, or why it ended before."""
    space = work.space
    while True:
        if work.limits.late:
            return Ended.SECONDS
        if bar is not None:
            show(bar, space)
        # The first expansion is always told.
        events = 0 if stop is None else work.wake if space.n_expanded else kernel.EACH_EVENT
        outcome = work.slice(events, SLICE)
        if outcome in ENDS:
            return ENDS[outcome]
        if outcome == kernel.WOKEN or (outcome == kernel.PAUSED and work.now_and_then):
            reason = stop(space, space.n_expanded - 1) if stop is not None else None
            if reason:
                space.stop(reason)
                return Ended.STOPPED
        elif outcome != kernel.PAUSED and not work.has_made_room(outcome):
            return Ended.MEMORY
