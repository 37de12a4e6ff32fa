"""All reachable markings of a 1-safe net at once, by chained images of decision diagrams."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from wfsim.errors import NetError, listed
from wfsim.verification.nets.diagrams.coded import GROWTH, NODE_BYTES, CodedNet, OutOfNodes
from wfsim.verification.nets.diagrams.order import variable_order
from wfsim.verification.nets.diagrams.space import SymbolicSpace
from wfsim.verification.nets.diagrams.traces import Sweeps, chained_trace, shortest_trace
from wfsim.verification.nets.limits import Ended, Limits

if TYPE_CHECKING:
    from tqdm import tqdm

    from wfsim.net.petri import PetriNet

FIRST_NODES = 2**16
"""Nodes allowed at first: small tables are made at once and stay in the cache."""

FULL = 4
"""A table that can grow does so when a fourth of it is what was reached, as most of it is needed for the work."""

MEASURED_EVERY = 16
"""Images between two looks at the size of what was reached, which costs about a tenth of them."""

MOST_PLACES = 2_000
"""Places at most: operations call themselves level by level, and so many fit into a small stack (512 KiB, measured)."""

TRACE_WORK = 20_000_000
"""What a shortest trace may cost unasked, in nodes looked at: some seconds."""


class NotOneSafe(NetError):
    """A reachable marking holds two tokens in one place, so the net is not 1-safe.

    `firing_sequence` leads from the initial marking to such a marking; `shortest` tells whether it is known to be
    as short as any.
    """

    def __init__(self, message: str, firing_sequence: tuple[str, ...], shortest: bool) -> None:
        super().__init__(message)
        self.firing_sequence = firing_sequence
        self.shortest = shortest

    @property
    def length(self) -> str:
        """What is known of the length of the firing sequence."""
        return "shortest" if self.shortest else "perhaps not shortest"


def search_symbolically(net: PetriNet, limits: Limits, max_work: int | None = None) -> SymbolicSpace:
    """Find the reachable markings of a 1-safe net as one decision diagram.

    Parameters
    ----------
    limits
        The time is looked at between two operations; the memory is that for the nodes of diagrams, by estimate.
    max_work
        Stop when so many nodes have been looked at, by estimate: a limit that means the same on every machine.

    Returns
    -------
    SymbolicSpace
        Incomplete, with a `reason`, if a limit was reached or the user interrupted. What it holds then can be
        reached all the same.

    Raises
    ------
    NotOneSafe
        If a reachable marking holds two tokens in one place, with a firing sequence that leads there.
    NetError
        If the net has more than 2,000 places.
    OutOfNodes
        If not even the net itself fits into `max_memory`; at least 3 MiB are taken.

    Notes
    -----
    The set reached grows by the image of one net transition after the other, each of the set as it is by then
    (chaining [1]_): from the bottom of the diagram to its top, then back, until a sweep adds nothing. Firings that
    would put a second token into a place are left out and looked for after each sweep: up to the first such firing
    all markings of a run are among those found, so if none is found in the end the net is 1-safe and the set is
    exact. Time and memory depend on the size of the diagrams, not on the number of markings; it can be
    exponential in the places. Arcs of every kind are treated.

    References
    ----------
    .. [1] Roig, Cortadella, Pastor (1995), Verification of asynchronous circuits by BDD-based model checking of Petri
       nets, LNCS 935, 374-391.
    """
    if len(net.places) > MOST_PLACES:
        raise NetError(
            f"net {net.name!r} has {len(net.places):,} places, where decision diagrams treat at most {MOST_PLACES:,}. "
            "Use engine='auto', or ask a verdict, which reduces the net first."
        )
    if max(net.initial_marking.tokens, default=0) > 1:
        raise _not_one_safe(net, (), shortest=True)
    most = max(FIRST_NODES, limits.max_memory // NODE_BYTES)
    bar = _progress_bar(net.name) if limits.progress else None
    order, nodes = variable_order(net), FIRST_NODES
    try:
        while True:
            last = nodes >= most
            search = None
            try:
                search = _Search(CodedNet(net, order, nodes), limits, max_work, bar, nodes if last else nodes // FULL)
                ended, reason = search.run()
            except OutOfNodes as problem:
                if not last:
                    nodes = min(GROWTH * nodes, most)
                    continue
                if search is None:
                    raise
                ended, reason = Ended.MEMORY, f"Stopped after {search.found()}: {problem}"
            return SymbolicSpace(search.sweeps, ended, reason, most)
    finally:
        if bar is not None:
            bar.close()


class _Search:
    """One search under way, in a manager of its own."""

    def __init__(
        self, coded: CodedNet, limits: Limits, max_work: int | None, bar: tqdm[NoReturn] | None, largest: int
    ) -> None:
        self.coded = coded
        self.limits = limits
        self.max_work = max_work
        self.bar = bar
        self.largest = largest
        self.work = 0
        self.sweeps = Sweeps(coded)
        self.reached = coded.initial

    def run(self) -> tuple[Ended, str]:
        """Search to the end or to a limit other than that of nodes; why it ended, and how that is told."""
        try:
            while not self._over():
                before = self.reached
                if not self._sweep():
                    break
                self.sweeps.levels.append(self.reached)
                self._check_one_safe()
                if self.reached == before:
                    return Ended.FINISHED, ""
        except KeyboardInterrupt:
            return Ended.INTERRUPTED, f"Interrupted after {self.found()}."
        if self.limits.late:
            return Ended.SECONDS, f"Stopped after {self.limits.max_seconds} s with {self.found()}."
        return Ended.MARKINGS, f"Stopped after {self.found()}, which had cost as much as allowed."

    def found(self) -> str:
        """How much, for a text; what was reached belongs to the space from now on."""
        self.sweeps.levels.append(self.reached)
        count, nodes = self.coded.count(self.reached), self.reached.node_count()
        return f"{count:,} marking{'' if count == 1 else 's'} in {nodes:,} nodes of decision diagrams"

    def _sweep(self) -> bool:
        """Fire each net transition once from all that is reached by then; False if a limit ended it."""
        for number, coded in enumerate(self.sweeps.transitions(len(self.sweeps.levels))):
            reached, image = self.reached, self.coded.image(self.reached, coded)
            self.reached = self.coded.do(lambda: reached | image)  # noqa: B023
            if number % MEASURED_EVERY == 0:
                nodes = self.reached.node_count()
                self.work += MEASURED_EVERY * nodes
                if nodes > self.largest:
                    raise self.coded.out_of_nodes()
                if self.bar is not None:
                    self.bar.update(min(MEASURED_EVERY, len(self.coded.rules)))
                    self.bar.set_postfix(sweep=len(self.sweeps.levels), nodes=nodes, refresh=False)
            if self._over():
                return False
        return True

    def _over(self) -> bool:
        return self.limits.late or (self.max_work is not None and self.work > self.max_work)

    def _check_one_safe(self) -> None:
        overflowing = self.coded.overflowing(self.reached)
        if not overflowing.satisfiable():
            return
        sequence = shortest_trace(self.coded, self.coded.overflowing, TRACE_WORK, self.limits)
        shortest = sequence is not None
        if sequence is None:
            sequence = chained_trace(self.sweeps, overflowing)
        net = self.coded.net
        here = net.fire_sequence(sequence)[-1]
        for transition in net.enabled(here):
            if max(net.fire(here, transition).tokens) > 1:
                raise _not_one_safe(net, (*sequence, transition), shortest)
        raise AssertionError("no firing overflows where one should")


def _not_one_safe(net: PetriNet, sequence: tuple[str, ...], shortest: bool) -> NotOneSafe:
    marking = net.fire_sequence(sequence)[-1]
    place, count = next((place, count) for place, count in marking.items() if count > 1)
    way = "at the start" if not sequence else f"after {listed(map(repr, sequence))}"
    return NotOneSafe(
        f"net {net.name!r} is not 1-safe: place {place!r} holds {count} tokens {way}. Decision diagrams are for 1-safe "
        "nets; use engine='auto'.",
        sequence,
        shortest,
    )


def _progress_bar(name: str) -> tqdm[NoReturn]:
    from tqdm.auto import tqdm

    return tqdm(desc=f"exploring {name} by decision diagrams", unit=" images", unit_scale=True)
