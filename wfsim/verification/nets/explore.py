"""The reachable markings of a net by breadth-first search.

`ListedSpace` is the readable twin: tuples, a dict, the firing rule of `wfsim.net.firing`. The compiled search
(`wfsim.verification.nets.packed_space`) finds the same markings and edges under the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NoReturn, get_args, overload

from wfsim.arguments import expect
from wfsim.errors import NetError, OptionError
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.limits import DEFAULT_MEMORY, MAX_MARKINGS, UNLIMITED, Ended, Limits
from wfsim.verification.nets.listed_space import ListedSpace
from wfsim.verification.nets.readiness import Compiled, worth_it
from wfsim.verification.nets.state_space import StateSpace, Stop, Wake, show

if TYPE_CHECKING:
    from tqdm import tqdm

    from wfsim.verification.nets.diagrams.space import SymbolicSpace
    from wfsim.verification.nets.stubborn import StubbornSets

CLOCK_EVERY = 64
"""Markings expanded between two looks at the clock; fewer where that would be more than `TRIES_AT_ONCE`."""

TRIES_AT_ONCE = 5_000
"""Tries of a net transition between two looks at the clock."""

Engine = Literal["auto", "python", "kernel"]
"""What lists the markings."""

Diagrams = Literal["diagrams"]


@overload
def explore(
    net: PetriNet,
    *,
    max_markings: int = MAX_MARKINGS,
    max_seconds: float | None = None,
    max_memory: int = DEFAULT_MEMORY,
    progress: bool = False,
    stop: Stop | None = None,
    wake: Wake | None = None,
    engine: Engine = "auto",
    stubborn: StubbornSets | None = None,
) -> StateSpace: ...
@overload
def explore(
    net: PetriNet,
    *,
    max_seconds: float | None = None,
    max_memory: int = DEFAULT_MEMORY,
    progress: bool = False,
    engine: Diagrams,
) -> SymbolicSpace: ...
def explore(
    net: PetriNet,
    *,
    max_markings: int = MAX_MARKINGS,
    max_seconds: float | None = None,
    max_memory: int = DEFAULT_MEMORY,
    progress: bool = False,
    stop: Stop | None = None,
    wake: Wake | None = None,
    engine: Engine | Diagrams = "auto",
    stubborn: StubbornSets | None = None,
) -> StateSpace | SymbolicSpace:
    """Find the reachable markings of a net, nearest first.

    Parameters
    ----------
    max_markings
        Stop when there are more.
    max_seconds
        Stop after about so long. Where the search stands then differs between machines.
    max_memory
        Stop before the search takes more bytes than this (default 2 GiB); of Python's objects by estimate.
    progress
        Show a progress bar.
    stop
        Called after each expanded marking with the space and the number of that marking; a text that it
        returns ends the search and becomes `reason`.
    wake
        What `stop` waits for. The compiled search then calls it only after expansions in which that happens;
        without, after every one, which takes some microseconds each.
    engine
        `python` for plain tuples, `kernel` for the compiled search. `auto` begins in Python and goes on compiled: where
        that is loaded already, after some thousandths of a second; else after some tenths, if the time allows to load
        it, or to compile it. They find the same. `diagrams`, for
        1-safe nets, finds all markings as one decision diagram, be they 2**60 or more: exact counts, bounds,
        deadlocks and traces, but no numbers of markings and no edges one by one. It has no `max_markings`, `stop`,
        `wake` and `stubborn`.
    stubborn
        Stubborn sets of this net: in each marking only those net transitions are fired that are needed to find
        what the sets are made for, as near as it is. Of what else the net can do the space then tells nothing; it is
        never `complete`, but `finished`.

    Returns
    -------
    StateSpace or SymbolicSpace
        The latter of `diagrams`. Incomplete, with a `reason`, if a limit was reached, `stop` said so, or the user
        interrupted.

    Raises
    ------
    NotOneSafe
        With `engine="diagrams"`, if a place can hold two tokens, with a firing sequence that shows it.
    NetError
        With `engine="kernel"`, if the tokens of all places together may need more than 63 bits; `auto` goes on
        in Python.

    Notes
    -----
    Breadth first, so paths are shortest. O(markings x transitions) tries of a net transition, each O(places
    concerned). In memory about 250 bytes, 8 per place and 16 per edge for each marking in Python; in the kernel
    8 for each word of markings and 13 to 19 besides. Arcs of every kind are treated. The kernel is compiled at
    its first use on a machine, which takes some seconds, and then kept; `auto` does so only if `max_seconds` allows
    for it, `engine="kernel"` in any case, beyond that limit.
    """
    expect(net, PetriNet, "explore searches a PetriNet", "Make one: wf.to_net(workflow).")
    if stop is not None and not callable(stop):
        raise TypeError(f"explore takes as stop a function of a space and a number, not {stop!r}.")
    if wake is not None:
        expect(wake, Wake, "explore takes a Wake", "wfsim.verification.nets.state_space has it.")
    limits = Limits(max_markings, max_seconds, max_memory, progress)
    if engine != "diagrams":
        return searched(net, limits, stop=stop, wake=wake, engine=engine, stubborn=stubborn)
    if stop is not None or wake is not None or stubborn is not None or max_markings != MAX_MARKINGS:
        raise OptionError(
            "engine='diagrams' finds markings by sets, not one by one: it has no max_markings, stop, wake and "
            "stubborn. Limit it by max_seconds and max_memory."
        )
    from wfsim.verification.nets.diagrams.search import search_symbolically

    return search_symbolically(net, limits)


def searched(
    net: PetriNet,
    limits: Limits = UNLIMITED,
    *,
    stop: Stop | None = None,
    wake: Wake | None = None,
    engine: Engine = "auto",
    stubborn: StubbornSets | None = None,
) -> StateSpace:
    """What `explore` finds, for questions that have limits of their own."""
    if engine not in get_args(Engine):
        names = ", ".join((*get_args(Engine), *get_args(Diagrams)))
        raise OptionError(f"engine must be one of {names}, not {engine!r}.")
    if stubborn is not None:
        from wfsim.verification.nets.stubborn import StubbornSets

        expect(stubborn, StubbornSets, "explore takes StubbornSets", "Make them: StubbornSets(net).")
    if stubborn is not None and stubborn.net is not net and stubborn.net != net:
        raise OptionError(f"these are stubborn sets of {stubborn.net.name!r}, not of {net.name!r}.")
    bar = progress_bar(net.name) if limits.progress else None
    listed = ListedSpace(net, stubborn)
    try:
        if engine != "kernel" and _run(listed, limits, stop, bar, small_only=engine == "auto"):
            return listed
        from wfsim.verification.nets.packed_space import CannotPack, search_packed

        try:
            return search_packed(listed, limits, stop, wake, bar)
        except KeyboardInterrupt:
            # While it was made ready, so this is all that is known.
            listed.end(Ended.INTERRUPTED, limits)
            return listed
        except CannotPack as problem:
            if engine == "kernel":
                raise NetError(
                    f"net {net.name!r} does not fit the compiled search: {problem}. Use engine='python'."
                ) from None
        # A stop may so be asked once more about markings that it has seen.
        _run(listed, limits, stop, bar, small_only=False)
        return listed
    finally:
        if bar is not None:
            bar.close()


def _run(
    space: ListedSpace, limits: Limits, stop: Stop | None, bar: tqdm[NoReturn] | None, *, small_only: bool
) -> bool:
    """Search in Python until there is an end; False if it is still open, but the net is not small."""
    try:
        ended = _search(space, limits, stop, bar, small_only)
    except KeyboardInterrupt:
        ended = Ended.INTERRUPTED
    space._repair()
    if bar is not None:
        show(bar, space)
    if ended is not None and ended is not Ended.STOPPED:
        space.end(ended, limits)
    return ended is not None


def _search(
    space: ListedSpace, limits: Limits, stop: Stop | None, bar: tqdm[NoReturn] | None, small_only: bool
) -> Ended | None:
    """Expand until nothing is left, or why it ended before; None if the compiled search is to go on."""
    tries = max(1, len(space.net.transitions))
    every = max(1, min(CLOCK_EVERY, TRIES_AT_ONCE // tries))
    which = Compiled.PLAIN if space.stubborn is None else Compiled.STUBBORN
    source = space.n_expanded
    while source < space.n_markings:
        if source % every == 0:
            if limits.late:
                return Ended.SECONDS
            if space.memory > limits.max_memory:
                return Ended.MEMORY
            if bar is not None:
                show(bar, space)
            if small_only and worth_it(which, source * tries, limits):
                return None
        if not space._expand(source, limits.max_markings):
            return Ended.MARKINGS
        reason = stop(space, source) if stop is not None else None
        if reason:
            space.stop(reason)
            return Ended.STOPPED
        source += 1
    return Ended.FINISHED


def progress_bar(name: str) -> tqdm[NoReturn]:
    from tqdm.auto import tqdm

    return tqdm(desc=f"exploring {name}", unit=" markings", unit_scale=True)
