"""What a search from the initial marking of a net has found, however the search keeps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, overload

from wfsim.errors import NetError, SearchIncomplete
from wfsim.net.firing import Tokens
from wfsim.net.marking import Marking
from wfsim.verification.nets.limits import Ended, amount

if TYPE_CHECKING:
    import networkx as nx
    import numpy as np
    from numpy.typing import NDArray
    from tqdm import tqdm

    from wfsim.net.marked_net import MarkingLike
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.limits import Limits
    from wfsim.verification.nets.stubborn import StubbornSets


class EdgeArrays(NamedTuple):
    """Edges in order of their source: those of expanded marking i are numbers `start[i]` to `start[i + 1]`."""

    start: NDArray[np.int64]
    transition: NDArray[np.integer[Any]]
    target: NDArray[np.integer[Any]]


MANY = 100
"""Tokens in one place beyond which it is told how to ask whether there is an end."""


class StateSpace(ABC):
    """What a search from the initial marking of a net has found; markings are numbered in order of discovery.

    The first `n_expanded` markings have been *expanded*: their edges are all known. In a complete space those
    are all. `tokens[i]` is marking number i as plain numbers, `edges_from(i)` its edges; searches through the
    space go by these numbers, which are the same whichever engine has searched.

    Attributes
    ----------
    net
        The net searched.
    stubborn
        The stubborn sets to which the search kept, if any. What is found then is only a part, though with all
        deadlocks that can be reached, as near as they are.
    ended
        Why the search ended; None while it is under way.
    reason
        The same for people, if it ended early; empty if it is finished.
    """

    def __init__(self, net: PetriNet, stubborn: StubbornSets | None = None) -> None:
        self.net = net
        self.stubborn = stubborn
        self.ended: Ended | None = None
        self.reason = ""

    def end(self, ended: Ended, limits: Limits) -> None:
        """Note why the search has ended, and tell it."""
        self.ended = ended
        if ended is Ended.FINISHED:
            return
        place, most = self.fullest
        held = "."
        if place:
            held = f"; place {place!r} held {most:,} token{'' if most == 1 else 's'}."
        if most > MANY:
            held += ' wf.check(net, "bounded") tells whether that has an end.'
        match ended:
            case Ended.SECONDS:
                self.reason = f"Stopped after {limits.max_seconds} s with {found(self)}{held}"
            case Ended.INTERRUPTED:
                self.reason = f"Interrupted after {found(self)}{held}"
            case Ended.MEMORY:
                limit = f"as more would take more memory than the limit of {amount(limits.max_memory)}"
                advice = "Raise max_memory if the machine has more."
                self.reason = f"Stopped after {found(self)}, {limit}{held} {advice}"
            case _:
                self.reason = f"Stopped after {found(self)}{held}"

    def stop(self, reason: str) -> None:
        """Note that whoever asked has seen enough."""
        self.ended, self.reason = Ended.STOPPED, reason

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be expanded."""
        return self.ended is Ended.FINISHED

    @property
    def complete(self) -> bool:
        """Whether every reachable marking was found and expanded, with all that it enables."""
        return self.finished and self.stubborn is None

    @property
    def _missing(self) -> str:
        """What a space that is not complete lacks."""
        only = "deadlocks" if self.stubborn is None or self.stubborn.goal is None else "a goal"
        return self.reason or f"Searched was only what has to be to find {only} (stubborn sets)."

    # --- what an engine provides --------------------------------------------------------------------------

    @property
    @abstractmethod
    def engine(self) -> str:
        """`python` or `kernel`: what has searched."""

    @property
    @abstractmethod
    def tokens(self) -> Sequence[Tokens]:
        """The markings found, as tuples in the order of `net.places`; number 0 is the initial one."""

    @property
    @abstractmethod
    def n_expanded(self) -> int:
        """Markings whose edges are all known."""

    @property
    @abstractmethod
    def n_edges(self) -> int:
        """Pairs (expanded marking, net transition enabled in it)."""

    @property
    @abstractmethod
    def memory(self) -> int:
        """Bytes that the markings, what leads to them and the way to look them up take (for `python` about so many)."""

    @property
    @abstractmethod
    def bounds(self) -> dict[str, int]:
        """Most tokens seen in each place; the true bounds if the space is complete, else lower ones."""

    @property
    def fullest(self) -> tuple[str, int]:
        """A place that has held as many tokens as any, and how many; no name if there are no places."""
        bounds = self.bounds
        place = max(bounds, key=bounds.__getitem__, default="")
        return place, bounds.get(place, 0)

    @property
    @abstractmethod
    def most_tokens(self) -> int:
        """Most tokens seen in all places together in one marking."""

    @property
    @abstractmethod
    def never_fired(self) -> tuple[str, ...]:
        """Net transitions that the search has not fired so far."""

    @abstractmethod
    def _find(self, tokens: Tokens) -> int | None:
        """Number of a marking."""

    @abstractmethod
    def _link(self, number: int) -> tuple[int, int]:
        """The marking from which another than the initial one was found, and the net transition between."""

    @abstractmethod
    def edges_from(self, number: int) -> Iterator[tuple[int, int]]:
        """Edges of an expanded marking: (index of the net transition, number of the marking after)."""

    @abstractmethod
    def edge_arrays(self) -> EdgeArrays:
        """All edges of expanded markings as arrays: kept by `kernel`, made anew by `python`."""

    @abstractmethod
    def column(self, place: int, begin: int = 0, end: int | None = None) -> NDArray[Any]:
        """Tokens of the place of that index in the markings from `begin` to before `end`: int64, objects if larger."""

    @abstractmethod
    def is_deadlock(self, number: int) -> bool:
        """Whether a marking is expanded and enables nothing."""

    @abstractmethod
    def deadlock_numbers(self) -> list[int]:
        """Numbers of the markings that are expanded and enable nothing; O(markings)."""

    @abstractmethod
    def able_to_reach(self, targets: Iterable[int]) -> bytearray:
        """For each marking, 1 if some firing sequence of known edges leads to one of `targets`; O(edges)."""

    @abstractmethod
    def first_covering(self, tokens: Tokens) -> int | None:
        """The nearest marking that holds these tokens and more."""

    @abstractmethod
    def first_above(self, k: int, since: int = 0) -> int | None:
        """The nearest marking, from number `since` on, in which a place holds more than `k` tokens."""

    @abstractmethod
    def records(self, since: int, record: int) -> list[int]:
        """Of the markings from `since` on, those with more tokens in total than `record` and than all between."""

    @property
    def interrupted(self) -> bool:
        """Whether the user has ended the search."""
        return self.ended is Ended.INTERRUPTED

    # --- markings -----------------------------------------------------------------------------------------

    @property
    def n_markings(self) -> int:
        """Markings found."""
        return len(self.tokens)

    @property
    def markings(self) -> Sequence[Marking]:
        """The markings found, in order of discovery, so of their distance from the initial one."""
        return _Markings(self)

    def marking(self, number: int) -> Marking:
        """Marking of that number."""
        return self.net.marking(self.tokens[number])

    def number_of(self, marking: MarkingLike) -> int | None:
        """Number of a marking, None if it was not found."""
        return self._find(self.net.marking(marking).tokens)

    def summary(self) -> dict[str, int | bool]:
        """What the Model Checking Contest asks of a state space, and whether it is all there.

        Returns
        -------
        dict
            `markings`; `edges`, pairs of a marking and a net transition enabled in it; `max_tokens_in_place`;
            `max_tokens_in_marking`, of all places together; `complete`. If incomplete, the numbers are lower limits.
        """
        return {
            "markings": self.n_markings,
            "edges": self.n_edges,
            "max_tokens_in_place": max(self.bounds.values(), default=0),
            "max_tokens_in_marking": self.most_tokens,
            "complete": self.complete,
        }

    @property
    def deadlocks(self) -> list[Marking]:
        """Expanded markings that enable no net transition, the nearest first; all such if complete."""
        return [self.marking(number) for number in self.deadlock_numbers()]

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
                f"dead transitions of {self.net.name!r} are not known: {self._missing}\n"
                f"Not fired so far: {', '.join(map(repr, self.never_fired)) or 'none'} (see never_fired)."
            )
        return self.never_fired

    # --- edges and paths ----------------------------------------------------------------------------------

    def edges(self) -> Iterator[tuple[Marking, str, Marking]]:
        """Every edge found: (marking, net transition, marking after)."""
        for source in range(self.n_expanded):
            before = self.marking(source)
            for transition, target in self.edges_from(source):
                yield before, self.net.transitions[transition], self.marking(target)

    def path_to(self, number: int) -> tuple[str, ...]:
        """A shortest firing sequence from the initial marking to that of this number; O(its length).

        With stubborn sets it is one of those that they leave: to a deadlock, or to what they are made to find, a
        shortest one of all.
        """
        path = []
        while number:
            number, transition = self._link(number)
            path.append(self.net.transitions[transition])
        return tuple(reversed(path))

    def ancestors(self, number: int) -> Iterator[int]:
        """The markings before this one on its path, from the nearest to the initial one."""
        while number:
            number, _ = self._link(number)
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
        number = self._find(wanted.tokens)
        if number is not None:
            return self.path_to(number)
        if self.complete:
            raise NetError(f"{wanted} is not reachable in net {self.net.name!r}.")
        raise SearchIncomplete(f"{wanted} was not found in net {self.net.name!r}: {self._missing}")

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
        state = "complete" if self.complete else f"incomplete: {self._missing}"
        return f"StateSpace({self.net.name!r}, {found(self)}, {self.n_edges:,} edges, {state})"


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


class Wake(NamedTuple):
    """What a `stop` waits for: it may be called after every expansion, and must be after one in which this happens.

    It is called after the first expansion in any case.
    """

    deadlock: bool = False
    """The expanded marking enables nothing."""
    record: bool = False
    """A marking was found with more tokens in total than any before; never asked of nets with reset arcs."""
    above: int | None = None
    """A marking was found in which some place holds more tokens than this."""
    first_firing: bool = False
    """A net transition fired that had not fired before."""
    sought: bool = False
    """The expanded marking is one that the stubborn sets are made to find."""
    now_and_then: bool = False
    """Some hundredths of a second have passed; for questions that are put to many markings at once."""


Stop = Callable[[StateSpace, int], "str | None"]
"""Given the space and the number of the marking just expanded, why the search shall end; else None or ''."""


def found(space: StateSpace) -> str:
    """How many markings, for a text."""
    return f"{space.n_markings:,} marking{'' if space.n_markings == 1 else 's'}"


def show(bar: tqdm[NoReturn], space: StateSpace) -> None:
    """Bring a progress bar up to date."""
    bar.update(space.n_expanded - bar.n)
    bar.set_postfix(found=space.n_markings, refresh=False)
