"""What decision diagrams have found of a 1-safe net: sets of markings with exact counts, and traces to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from wfsim.errors import NetError, SearchIncomplete
from wfsim.net.marking import Marking
from wfsim.verification.nets.diagrams.coded import GROWTH, CodedNet, OutOfNodes
from wfsim.verification.nets.diagrams.inequalities import formula_diagram
from wfsim.verification.nets.diagrams.traces import chained_trace, shortest_trace
from wfsim.verification.nets.limits import UNLIMITED, Ended, Limits
from wfsim.verification.nets.state_space import StateSpace
from wfsim.verification.verdict import NetWitness

if TYPE_CHECKING:
    from oxidd.bdd import BDDFunction

    from wfsim.net.marked_net import MarkingLike
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.diagrams.traces import Sweeps
    from wfsim.verification.nets.formulas import Plain

Result = TypeVar("Result")

MOST_LISTED = 1_000_000
"""Markings that may be put into a list."""


class MarkingSet(Collection[Marking]):
    """Markings as one decision diagram: counted exactly, however many, and listed only as far as asked.

    Iteration makes one marking after the other, in no order of distance. `len`, and with it `list`, is refused
    beyond a million; `n_markings` is always exact. `a & b`, `a | b` and `a - b` are sets of the same space.
    """

    def __init__(self, space: SymbolicSpace, markings: BDDFunction) -> None:
        self._space = space
        self._markings = markings

    @property
    def n_markings(self) -> int:
        """How many there are."""
        return self._space._coded.count(self._markings)

    def __len__(self) -> int:
        count = self.n_markings
        if count > MOST_LISTED:
            raise NetError(
                f"{count:,} markings of net {self._space.net.name!r} are too many to be listed. Take n_markings, ask "
                "for some with having(tokens), or take the first ones with itertools.islice."
            )
        return count

    def __bool__(self) -> bool:
        return self._markings.satisfiable()

    def __iter__(self) -> Iterator[Marking]:
        net = self._space.net
        return (net.marking(tokens) for tokens in self._space._coded.listed(self._markings))

    def __contains__(self, marking: object) -> bool:
        if not isinstance(marking, Mapping):
            return False
        return self._space._coded.holds(self._markings, self._space.net.marking(marking).tokens)

    def __and__(self, other: MarkingSet) -> MarkingSet:
        more = self._space._diagram(other)
        return self._of(lambda: self._markings & more)

    def __or__(self, other: MarkingSet) -> MarkingSet:
        more = self._space._diagram(other)
        return self._of(lambda: self._markings | more)

    def __sub__(self, other: MarkingSet) -> MarkingSet:
        less = self._space._diagram(other)
        return self._of(lambda: self._markings & ~less)

    def _of(self, operation: Callable[[], BDDFunction]) -> MarkingSet:
        return MarkingSet(self._space, self._space._coded.do(operation))

    def __repr__(self) -> str:
        count = self.n_markings
        return f"MarkingSet({count:,} marking{'' if count == 1 else 's'} of {self._space.net.name!r})"


class SymbolicSpace:
    """The reachable markings of a 1-safe net as one decision diagram.

    Markings have no numbers here, and edges are counted, not kept. What a space that lists them offers besides is
    refused with a text that says so.

    Attributes
    ----------
    net
        The net searched.
    ended
        Why the search ended: if it is finished, every reachable marking was found, and the net is 1-safe.
    reason
        The same for people, if it ended early; empty if it is finished. What was found can be reached all the same, and
        numbers are then lower bounds.
    """

    engine = "diagrams"

    def __init__(self, sweeps: Sweeps, ended: Ended, reason: str, max_nodes: int) -> None:
        self._sweeps = sweeps
        self._max_nodes = max_nodes
        self._coded = sweeps.coded
        self._reached = sweeps.reached
        self._counts: list[int] = []
        self.ended = ended
        self.reason = reason

    @property
    def complete(self) -> bool:
        """Whether every reachable marking was found."""
        return self.ended is Ended.FINISHED

    @property
    def finished(self) -> bool:
        """The same as `complete`; spaces searched with stubborn sets tell the two apart."""
        return self.complete

    @property
    def interrupted(self) -> bool:
        """Whether the user has ended the search."""
        return self.ended is Ended.INTERRUPTED

    @property
    def net(self) -> PetriNet:
        """The net searched."""
        return self._coded.net

    @property
    def order(self) -> tuple[str, ...]:
        """The places in the order of the diagram, from top to bottom."""
        return tuple(self.net.places[place] for place in self._coded.order)

    @property
    def n_nodes(self) -> int:
        """Nodes of the diagram of the markings found."""
        return self._reached.node_count()

    @cached_property
    def n_markings(self) -> int:
        """Markings found."""
        return self._coded.count(self._reached)

    @property
    def n_edges(self) -> int:
        """Pairs (marking found, net transition enabled in it); O(nodes) for each net transition, at the first time."""
        return sum(self._enabled(UNLIMITED))

    def count_all(self, limits: Limits = UNLIMITED) -> None:
        """Find now what is kept once it was asked for: edges, deadlocks, bounds, and what never fires.

        Raises
        ------
        SearchIncomplete
            If there are too few nodes for that, or the time is over before. Later on none of
            these raises it.
        """
        self._enabled(limits)
        _ = self.deadlocks, self.bounds

    @property
    def n_deadlocks(self) -> int:
        """Markings found that enable no net transition."""
        return self.deadlocks.n_markings

    @property
    def markings(self) -> MarkingSet:
        """The markings found."""
        return MarkingSet(self, self._reached)

    @cached_property
    def deadlocks(self) -> MarkingSet:
        """The markings found that enable no net transition."""
        return MarkingSet(self, self._coded.stuck(self._reached))

    @cached_property
    def bounds(self) -> dict[str, int]:
        """Most tokens found in each place: 0 or 1."""
        return {
            place: int(self._among(self._coded.cube({index: True})).satisfiable())
            for index, place in enumerate(self.net.places)
        }

    @property
    def never_fired(self) -> tuple[str, ...]:
        """Net transitions that no marking found enables."""
        counted = zip(self._coded.rules, self._enabled(UNLIMITED))
        fired = {coded.rule.transition for coded, count in counted if count}
        return tuple(name for number, name in enumerate(self.net.transitions) if number not in fired)

    def _enabled(self, limits: Limits) -> list[int]:
        """For each coded net transition how many markings found enable it."""
        while len(self._counts) < len(self._coded.rules):
            if limits.late:
                raise SearchIncomplete(f"there was not enough time to count the edges of net {self.net.name!r}.")
            self._counts.append(self._coded.count(self._among(self._coded.rules[len(self._counts)].guard)))
        return self._counts

    @property
    def dead_transitions(self) -> tuple[str, ...]:
        """Net transitions that no reachable marking enables.

        Raises
        ------
        SearchIncomplete
            If the space is incomplete: a marking not yet found might enable them.
        """
        if not self.complete:
            raise SearchIncomplete(f"dead transitions of {self.net.name!r} are not known: {self.reason}")
        return self.never_fired

    def __contains__(self, marking: MarkingLike) -> bool:
        """Whether a marking was found; O(places)."""
        return self._coded.holds(self._reached, self.net.marking(marking).tokens)

    def having(self, tokens: Mapping[str, int], *, exactly: bool = False) -> MarkingSet:
        """The markings found that hold at least so many tokens in each of these places, or `exactly` so many.

        Nothing is asked of places left out.
        """
        self.net.marking(tokens)
        wanted = {self.net.place_index(place): count for place, count in tokens.items()}
        return MarkingSet(self, self._among(self._coded.having(wanted, exactly)))

    def where(self, formula: Plain) -> MarkingSet:
        """The markings found of which a formula of linear inequalities is true.

        Raises
        ------
        SearchIncomplete
            If a weighted sum has too many values, or there are too few nodes.
        """
        return MarkingSet(self, self._among(formula_diagram(self._coded, formula)))

    def strictly_covering(self, marking: MarkingLike) -> MarkingSet:
        """The markings found that hold the tokens of this one and more."""
        least = self.net.marking(marking)
        return self.having(least.to_dict()) - self.having(dict(least), exactly=True)

    def able_to_reach(self, targets: MarkingSet, limits: Limits = UNLIMITED) -> MarkingSet:
        """The markings found from which some firing sequence leads to one of `targets`.

        Raises
        ------
        SearchIncomplete
            If there is not enough time, or nodes, to find them all.
        """

        def leading(sweeps: Sweeps, wanted: BDDFunction) -> BDDFunction:
            return sweeps.coded.leading_to(wanted, sweeps.reached, limits)

        able = self._with_room(leading, self._diagram(targets))
        return MarkingSet(self, self._coded.copied([able])[0])

    def fired_into(self, targets: MarkingSet) -> tuple[str, ...]:
        """Net transitions whose firing in some marking found leads into one of `targets`, in the order of the net."""
        wanted = self._diagram(targets)
        leads = (each for each in self._coded.rules if self._among(self._coded.preimage(wanted, each)).satisfiable())
        return tuple(self.net.transitions[each.rule.transition] for each in leads)

    def trace_to(
        self, target: MarkingLike | MarkingSet, *, shortest: bool = True, max_seconds: float | None = None
    ) -> tuple[str, ...]:
        """A firing sequence from the initial marking to a marking, or to one of a set.

        Parameters
        ----------
        target
            A marking, or markings such as `deadlocks` or `having(...)`.
        shortest
            Look for a shortest one, by sets of markings of one distance, which can be far larger than the set of all.
            Without, one is read off the search itself, in little time; it can be longer than need be.
        max_seconds
            Give up looking for a shortest one after about so long.

        Raises
        ------
        NetError
            If nothing of it is reachable (the space is complete).
        SearchIncomplete
            If nothing of it was found, but the space is incomplete; or no shortest one within the limits.
        """
        if isinstance(target, MarkingSet):
            what, targets = repr(target), target
        else:
            marking = self.net.marking(target)
            what, targets = str(marking), self.having(dict(marking), exactly=True)
        wanted = self._diagram(targets)
        if not wanted.satisfiable():
            if self.complete:
                raise NetError(f"{what} is not reachable in net {self.net.name!r}.")
            raise SearchIncomplete(f"{what} was not found in net {self.net.name!r}: {self.reason}")
        limits = Limits(max_seconds=max_seconds)
        sequence = self._shortest(wanted, None, limits) if shortest else self._with_room(chained_trace, wanted)
        if sequence is None:
            raise SearchIncomplete(
                f"no shortest trace to {what} was found within the limits of time and memory. shortest=False gives "
                "one that may be longer."
            )
        assert self.net.fire_sequence(sequence)[-1] in targets
        return sequence

    def witness(self, targets: MarkingSet, *, max_work: int, limits: Limits) -> tuple[NetWitness, bool]:
        """A firing sequence to one of the markings, and whether it is known to be shortest.

        A shortest one is looked for until so many nodes have been looked at, or until the time is over.
        """
        wanted = self._diagram(targets)
        sequence = self._shortest(wanted, max_work, limits)
        shortest = sequence is not None
        if sequence is None:
            sequence = self._with_room(chained_trace, wanted)
        witness = NetWitness.of(self.net, sequence)
        assert witness.marking in targets
        return witness, shortest

    def _shortest(self, wanted: BDDFunction, max_work: int | None, limits: Limits) -> tuple[str, ...] | None:
        def nearest(sweeps: Sweeps, wanted: BDDFunction) -> tuple[str, ...] | None:
            coded = sweeps.coded
            return shortest_trace(coded, lambda some: coded.do(lambda: some & wanted), max_work, limits)

        try:
            return self._with_room(nearest, wanted)
        except OutOfNodes:
            return None

    def _with_room(self, operation: Callable[[Sweeps, BDDFunction], Result], markings: BDDFunction) -> Result:
        """Run an operation that may need more nodes than the search did: then in a manager that allows for more."""
        sweeps, nodes = self._sweeps, self._coded.max_nodes
        while True:
            try:
                return operation(sweeps, markings)
            except OutOfNodes:
                if nodes >= self._max_nodes:
                    raise
            nodes = min(GROWTH * nodes, self._max_nodes)
            sweeps, markings = sweeps.moved(CodedNet(self.net, self._coded.order, nodes), markings)

    def _diagram(self, markings: MarkingSet) -> BDDFunction:
        if markings._space is not self:
            raise ValueError(f"{markings!r} is of another space.")
        return markings._markings

    def _among(self, some: BDDFunction) -> BDDFunction:
        return self._coded.do(lambda: self._reached & some)

    def __getattr__(self, name: str) -> Any:
        if hasattr(StateSpace, name):
            raise AttributeError(
                f"a space of decision diagrams has no {name!r}, as it neither numbers markings nor keeps edges. Ask "
                "n_markings, n_edges, markings, deadlocks, having(tokens) or trace_to(marking); or use another engine."
            )
        raise AttributeError(f"SymbolicSpace has no attribute {name!r}.")

    def __repr__(self) -> str:
        state = "complete" if self.complete else f"incomplete: {self.reason}"
        count = self.n_markings
        return (
            f"SymbolicSpace({self.net.name!r}, {count:,} marking{'' if count == 1 else 's'}, {self.n_edges:,} edges, "
            f"{self.n_nodes:,} nodes, {state})"
        )
