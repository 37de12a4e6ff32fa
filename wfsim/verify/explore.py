"""The reachable markings of a net by plain breadth-first search.

This is the readable twin: tuples, a dict, the firing rule of `wfsim.net.firing`. Faster searches must find
the same markings and edges.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn, overload

from wfsim.errors import NetError, SearchIncomplete
from wfsim.net.firing import Tokens, successor
from wfsim.net.marking import Marking

if TYPE_CHECKING:
    import networkx as nx
    from tqdm import tqdm

    from wfsim.net.marked_net import MarkingLike
    from wfsim.net.petri import PetriNet

CLOCK_EVERY = 64
"""Markings expanded between two looks at the clock."""


class StateSpace:
    """What a search from the initial marking of a net has found; markings are numbered in order of discovery.

    The first `n_expanded` markings have been *expanded*: their edges are all known. In a complete space those
    are all. `tokens[i]` is marking number i as plain numbers, `edges_from(i)` its edges; searches through the
    space go by these numbers.

    Attributes
    ----------
    net
        The net searched.
    tokens
        The markings found, as tuples in the order of `net.places`; number 0 is the initial one.
    complete
        Whether every reachable marking was found and expanded.
    reason
        Why the search ended early; empty if it is complete.
    """

    def __init__(self, net: PetriNet) -> None:
        self.net = net
        self.tokens: list[Tokens] = [net.initial_marking.tokens]
        self.complete = False
        self.reason = ""
        self._number: dict[Tokens, int] = {self.tokens[0]: 0}
        self._parent = array("q", [-1])
        self._parent_transition = array("q", [-1])
        # Edges lie in order of their source: those of marking i are numbers start[i] to start[i + 1].
        self._start = array("q", [0])
        self._edge_transition = array("q")
        self._edge_target = array("q")

    # --- growing; called by the search only ---------------------------------------------------------------

    def _expand(self, source: int, max_markings: int) -> bool:
        """Add the edges of marking `source`; False if a marking would be one too many."""
        tokens, number, here = self.tokens, self._number, self.tokens[source]
        for transition, rule in enumerate(self.net.rules):
            after = successor(here, rule)
            if after is None:
                continue
            target = number.get(after)
            if target is None:
                target = len(tokens)
                if target >= max_markings:
                    return False
                self._parent.append(source)
                self._parent_transition.append(transition)
                tokens.append(after)
                # Last: an interrupt before this leaves only entries that _repair removes.
                number[after] = target
            self._edge_transition.append(transition)
            self._edge_target.append(target)
        self._start.append(len(self._edge_target))
        return True

    def _repair(self) -> None:
        """Drop what an expansion that did not finish has left: edges, and markings half entered."""
        n = len(self._number)
        del self.tokens[n:], self._parent[n:], self._parent_transition[n:]
        del self._edge_transition[self._start[-1] :], self._edge_target[self._start[-1] :]

    # --- numbers ------------------------------------------------------------------------------------------

    @property
    def n_markings(self) -> int:
        """Markings found."""
        return len(self.tokens)

    @property
    def n_expanded(self) -> int:
        """Markings whose edges are all known."""
        return len(self._start) - 1

    @property
    def n_edges(self) -> int:
        """Pairs (expanded marking, net transition enabled in it)."""
        return self._start[-1]

    @property
    def bounds(self) -> dict[str, int]:
        """Most tokens seen in each place; the true bounds if the space is complete, else lower ones."""
        highest = [max(column) for column in zip(*self.tokens)]
        return dict(zip(self.net.places, highest))

    # --- markings -----------------------------------------------------------------------------------------

    @property
    def markings(self) -> Sequence[Marking]:
        """The markings found, in order of discovery, so of their distance from the initial one."""
        return _Markings(self)

    def marking(self, number: int) -> Marking:
        """Marking of that number."""
        return self.net.marking(self.tokens[number])

    def number_of(self, marking: MarkingLike) -> int | None:
        """Number of a marking, None if it was not found."""
        return self._number.get(self.net.marking(marking).tokens)

    def is_deadlock(self, number: int) -> bool:
        """Whether a marking is expanded and enables nothing."""
        return number < self.n_expanded and self._start[number] == self._start[number + 1]

    @property
    def deadlocks(self) -> list[Marking]:
        """Expanded markings that enable no net transition, the nearest first; all such if complete."""
        return [self.marking(i) for i in range(self.n_expanded) if self.is_deadlock(i)]

    @property
    def never_fired(self) -> tuple[str, ...]:
        """Net transitions that the search has not fired so far."""
        fired = {*self._edge_transition, *self._parent_transition}
        return tuple(name for i, name in enumerate(self.net.transitions) if i not in fired)

    @property
    def dead_transitions(self) -> tuple[str, ...]:
        """Net transitions that no reachable marking enables.

        Raises
        ------
        SearchIncomplete
            If the space is incomplete: a marking not yet found might enable them.
        """
        if not self.complete:
            raise SearchIncomplete(
                f"dead transitions of {self.net.name!r} are not known: {self.reason}\n"
                f"Not fired so far: {', '.join(map(repr, self.never_fired)) or 'none'} (see never_fired)."
            )
        return self.never_fired

    # --- edges and paths ----------------------------------------------------------------------------------

    def edges_from(self, number: int) -> Iterator[tuple[int, int]]:
        """Edges of an expanded marking: (index of the net transition, number of the marking after)."""
        for edge in range(self._start[number], self._start[number + 1]):
            yield self._edge_transition[edge], self._edge_target[edge]

    def edges(self) -> Iterator[tuple[Marking, str, Marking]]:
        """Every edge found: (marking, net transition, marking after)."""
        for source in range(self.n_expanded):
            before = self.marking(source)
            for transition, target in self.edges_from(source):
                yield before, self.net.transitions[transition], self.marking(target)

    def path_to(self, number: int) -> tuple[str, ...]:
        """A shortest firing sequence from the initial marking to that of this number; O(its length)."""
        path = []
        while number:
            path.append(self.net.transitions[self._parent_transition[number]])
            number = self._parent[number]
        return tuple(reversed(path))

    def ancestors(self, number: int) -> Iterator[int]:
        """The markings before this one on its path, from the nearest to the initial one."""
        while number:
            number = self._parent[number]
            yield number

    def trace_to(self, marking: MarkingLike) -> tuple[str, ...]:
        """A shortest firing sequence from the initial marking to `marking`.

        Raises
        ------
        NetError
            If the marking is not reachable (the space is complete).
        SearchIncomplete
            If it was not found, but the space is incomplete.
        """
        wanted = self.net.marking(marking)
        number = self._number.get(wanted.tokens)
        if number is not None:
            return self.path_to(number)
        if self.complete:
            raise NetError(f"{wanted} is not reachable in net {self.net.name!r}.")
        raise SearchIncomplete(f"{wanted} was not found in net {self.net.name!r}: {self.reason}")

    def able_to_reach(self, targets: Iterable[int]) -> bytearray:
        """For each marking, 1 if some firing sequence of known edges leads to one of `targets`; O(edges)."""
        counts = array("q", [0]) * (self.n_markings + 1)
        for target in self._edge_target:
            counts[target + 1] += 1
        for i in range(self.n_markings):
            counts[i + 1] += counts[i]
        sources, free = array("q", [0]) * self.n_edges, array("q", counts)
        for source in range(self.n_expanded):
            for edge in range(self._start[source], self._start[source + 1]):
                target = self._edge_target[edge]
                sources[free[target]] = source
                free[target] += 1
        reached = bytearray(self.n_markings)
        todo = list(targets)
        for number in todo:
            reached[number] = 1
        while todo:
            number = todo.pop()
            for source in sources[counts[number] : counts[number + 1]]:
                if not reached[source]:
                    reached[source] = 1
                    todo.append(source)
        return reached

    def to_networkx(self) -> nx.MultiDiGraph:
        """The reachability graph: nodes are numbers with `marking` (a dict), edges carry `transition`."""
        import networkx as nx

        graph = nx.MultiDiGraph(name=self.net.name, complete=self.complete)
        for number in range(self.n_markings):
            graph.add_node(number, marking=self.marking(number).to_dict())
        for source in range(self.n_expanded):
            for transition, target in self.edges_from(source):
                graph.add_edge(source, target, transition=self.net.transitions[transition])
        return graph

    def __repr__(self) -> str:
        state = "complete" if self.complete else f"incomplete: {self.reason}"
        return f"StateSpace({self.net.name!r}, {_found(self)}, {self.n_edges:,} edges, {state})"


class _Markings(Sequence[Marking]):
    def __init__(self, space: StateSpace) -> None:
        self._space = space

    def __len__(self) -> int:
        return self._space.n_markings

    @overload
    def __getitem__(self, index: int) -> Marking: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Marking]: ...
    def __getitem__(self, index: int | slice) -> Marking | Sequence[Marking]:
        if isinstance(index, slice):
            return [self._space.marking(i) for i in range(*index.indices(len(self)))]
        return self._space.marking(index)

    def __contains__(self, marking: object) -> bool:
        return isinstance(marking, Marking) and self._space.number_of(marking) is not None


def explore(
    net: PetriNet,
    *,
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    progress: bool = False,
    stop: Callable[[StateSpace, int], str | None] | None = None,
) -> StateSpace:
    """Find the reachable markings of a net, nearest first.

    Parameters
    ----------
    max_markings
        Stop when there are more.
    max_seconds
        Stop after about so long. Where the search stands then differs between machines.
    progress
        Show a progress bar.
    stop
        Called after each expanded marking with the space and the number of that marking; a text that it
        returns ends the search and becomes `reason`.

    Returns
    -------
    StateSpace
        Incomplete, with a `reason`, if a limit was reached, `stop` said so, or the user interrupted.

    Notes
    -----
    Breadth first, so paths are shortest. O(markings x transitions x places) time; about 250 bytes and 8 per
    place for each marking. Arcs of every kind are treated.
    """
    if max_markings < 1:
        raise ValueError(f"max_markings must be at least 1, not {max_markings}.")
    space = StateSpace(net)
    bar = _progress_bar(net.name) if progress else None
    try:
        space.reason = _search(space, max_markings, max_seconds, stop, bar)
    except KeyboardInterrupt:
        space.reason = f"Interrupted after {_found(space)}{_fullest(space)}"
    finally:
        space._repair()
        if bar is not None:
            bar.update(space.n_expanded - bar.n)
            bar.set_postfix(found=space.n_markings)
            bar.close()
    space.complete = not space.reason
    return space


def _search(
    space: StateSpace,
    max_markings: int,
    max_seconds: float | None,
    stop: Callable[[StateSpace, int], str | None] | None,
    bar: tqdm[NoReturn] | None,
) -> str:
    """Expand until nothing is left; why it ended before, or the empty text."""
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    source = 0
    while source < len(space.tokens):
        if source % CLOCK_EVERY == 0:
            if deadline is not None and time.monotonic() >= deadline:
                return f"Stopped after {max_seconds:g} s with {_found(space)}{_fullest(space)}"
            if bar is not None:
                bar.update(source - bar.n)
                bar.set_postfix(found=space.n_markings, refresh=False)
        if not space._expand(source, max_markings):
            return f"Stopped after {_found(space)}{_fullest(space)}"
        reason = stop(space, source) if stop is not None else None
        if reason:
            return reason
        source += 1
    return ""


def _found(space: StateSpace) -> str:
    return f"{space.n_markings:,} marking{'' if space.n_markings == 1 else 's'}"


def _fullest(space: StateSpace) -> str:
    bounds = space.bounds
    if not bounds:
        return "."
    place = max(bounds, key=bounds.__getitem__)
    held = f"; place {place!r} held {bounds[place]:,} token{'' if bounds[place] == 1 else 's'}."
    return held + (" The net may be unbounded: ask bounded(net)." if bounds[place] > 100 else "")


def _progress_bar(name: str) -> tqdm[NoReturn]:
    from tqdm.auto import tqdm

    return tqdm(desc=f"exploring {name}", unit=" markings", unit_scale=True)
