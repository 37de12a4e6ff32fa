"""A search that goes deep first, for what lies so far away that a breadth-first search does not get there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from wfsim.net.firing import Tokens, successor
from wfsim.verification.nets.explore import CLOCK_EVERY, Engine, progress_bar
from wfsim.verification.nets.limits import UNLIMITED, Ended, Limits
from wfsim.verification.nets.listed_space import ListedSpace
from wfsim.verification.nets.readiness import Compiled, worth_it
from wfsim.verification.nets.state_space import StateSpace

if TYPE_CHECKING:
    from tqdm import tqdm

    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.stubborn import StubbornSets

MOST_TRIES = 200_000
"""Tries of a net transition while a way is shortened: some tenths of a second."""


class Dive(NamedTuple):
    """What a dive has found.

    Attributes
    ----------
    space
        The markings passed. None counts as expanded; `finished` tells that there is nothing left to be looked at,
        `reason` why the dive ended before.
    found
        Number of the marking sought.
    """

    space: StateSpace
    found: int | None


def dive(
    stubborn: StubbornSets,
    sought: Callable[[Tokens], bool] = lambda tokens: True,
    limits: Limits = UNLIMITED,
    engine: Engine = "auto",
) -> Dive:
    """Look depth first for a marking that stubborn sets are made to find.

    Parameters
    ----------
    sought
        Which of those markings will do; all, unless told otherwise.
    limits, engine
        As in `wfsim.verification.nets.explore.explore`. The engines pass the same markings in the same order.

    Returns
    -------
    Dive
        If it is finished without having found one, there is none.

    Notes
    -----
    In each marking the transitions of one stubborn set are fired in order of their turns. The way to what is found is
    real, but may be a long detour. Time and memory as in `explore`, with 4 bytes for each firing that waits.
    """
    net = stubborn.net
    bar = progress_bar(net.name) if limits.progress else None
    turn = stubborn.turns()
    space = ListedSpace(net, stubborn)
    try:
        if engine != "kernel":
            found = _dive(space, turn, sought, limits, bar, small_only=engine == "auto")
            if found is not None or space.ended is not None:
                return Dive(space, found)
        from wfsim.verification.nets.packed_space import CannotPack, dive_packed

        try:
            return Dive(*dive_packed(ListedSpace(net, stubborn), turn, sought, limits, bar))
        except CannotPack:
            space = ListedSpace(net, stubborn)
            return Dive(space, _dive(space, turn, sought, limits, bar, small_only=False))
    finally:
        if bar is not None:
            bar.close()


def _dive(
    space: ListedSpace,
    turn: list[int],
    sought: Callable[[Tokens], bool],
    limits: Limits,
    bar: tqdm[NoReturn] | None,
    *,
    small_only: bool,
) -> int | None:
    """Dive in Python: the number found. With neither that nor an end, the compiled one is to begin anew."""
    rules, stubborn = space.net.rules, space.stubborn
    assert stubborn is not None
    # Firings still to be tried, the next one last; a -1 below those of one marking leads back to the one before it.
    pending: list[int] = []
    here, arrived = 0, True
    ended = Ended.FINISHED
    try:
        while arrived or pending:
            if arrived:
                if space.n_markings % CLOCK_EVERY == 0:
                    if limits.late:
                        ended = Ended.SECONDS
                        break
                    if space.memory > limits.max_memory:
                        ended = Ended.MEMORY
                        break
                    if bar is not None:
                        bar.update(space.n_markings - bar.n)
                    if small_only and worth_it(Compiled.DIVE, space.n_markings * len(rules), limits):
                        return None
                tokens = space.tokens[here]
                if stubborn.sought(tokens) and sought(tokens):
                    return here
                pending.append(-1)
                pending += sorted(stubborn.chosen(tokens), key=turn.__getitem__, reverse=True)
                arrived = False
            transition = pending[-1]
            if transition < 0:
                here, _ = space._link(here)
                pending.pop()
                continue
            after = successor(space.tokens[here], rules[transition])
            assert after is not None
            if space._find(after) is None:
                if space.n_markings >= limits.max_markings:
                    ended = Ended.MARKINGS
                    break
                space._enter(here, transition, after)
                here, arrived = space.n_markings - 1, True
            pending.pop()
    except KeyboardInterrupt:
        space._repair()
        ended = Ended.INTERRUPTED
    space.end(ended, limits)
    return None


def shortened(net: PetriNet, sequence: Sequence[str]) -> tuple[str, ...]:
    """A way to the same marking without detours: the shortest that passes only markings which this one passes.

    The way as it is where that would take more than `MOST_TRIES` tries of a net transition.
    """
    if (len(sequence) + 1) * len(net.transitions) > MOST_TRIES:
        return tuple(sequence)
    passed = [marking.tokens for marking in net.fire_sequence(sequence)]
    allowed, target = set(passed), passed[-1]
    came: dict[Tokens, tuple[Tokens, str] | None] = {passed[0]: None}
    todo = [passed[0]]
    for here in todo:
        if here == target:
            break
        for name, rule in zip(net.transitions, net.rules):
            after = successor(here, rule)
            if after in allowed and after not in came:
                came[after] = here, name
                todo.append(after)
    way: list[str] = []
    step = came[target]
    while step is not None:
        way.append(step[1])
        step = came[step[0]]
    return tuple(reversed(way))
