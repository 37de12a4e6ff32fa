"""Stubborn sets: markings searched and seconds, with and without, and verdicts on freedom from deadlock.

The searches are of the nets as they are, without structural reduction, to the end or to a million markings. The
verdicts are those that a user gets: reduction first, then stubborn sets. All in processor seconds, the kernel loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.benchmarks import Measured, cpu_seconds
from tests.benchmarks.nets_bench import (
    fms,
    handed_philosophers,
    kanban,
    orders,
    parallel,
    philosophers,
    shared_memory,
)
from tests.nets import deadlock_free, reachable
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.dive import dive
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.state_space import StateSpace
from wfsim.verification.nets.stubborn import StubbornSets
from wfsim.verification.verdict import Verdict

SEARCHED = (
    philosophers(10),
    philosophers(12),
    handed_philosophers(10, 0),
    handed_philosophers(10, 1),
    handed_philosophers(20, 1),
    handed_philosophers(50, 1),
    handed_philosophers(100, 1),
    kanban(4),
    kanban(5),
    fms(4),
    orders(10, 2),
    orders(60, 5),
    shared_memory(8),
    shared_memory(10),
    parallel(16),
    parallel(60),
    parallel(200),
    parallel(5, 3, looped=True, nested=True),
)
ASKED = (
    *(philosophers(n) for n in (10, 50, 100, 200)),
    handed_philosophers(200, 1),
    kanban(5),
    kanban(50),
    orders(60, 5),
    shared_memory(10),
)
SOUGHT = (
    (philosophers(40), {"eat0": 1, "eat2": 1, "eat20": 1}),
    (philosophers(12), {"eat0": 1, "eat1": 1}),
    (kanban(5), {"out1": 5, "out4": 5}),
    (orders(60, 5), {"wait3": 60}),
    (shared_memory(8), {"access0_1": 1, "own1": 1}),
)


def _search(net: PetriNet, stubborn: bool) -> tuple[StateSpace, float]:
    found: list[StateSpace] = []

    def search() -> None:
        found.append(explore(net, stubborn=StubbornSets(net) if stubborn else None))

    seconds = cpu_seconds(search)
    return found[0], seconds


def _told(space: StateSpace) -> str:
    return f"{space.n_markings:,} markings{'' if space.finished else ', not finished'}"


def _asked(what: str, ask: Callable[[], Verdict]) -> Measured:
    verdicts: list[Verdict] = []
    seconds = cpu_seconds(lambda: verdicts.append(ask()))
    verdict = verdicts[0]
    trace = "" if verdict.witness is None else f", trace of {len(verdict.witness)}"
    searched = f"{verdict.bound['markings']:,} markings" if verdict.bound else "by the marking equation"
    return Measured(what, seconds, "s", f"{verdict.status}{trace}; {searched}")


def measure() -> list[Measured]:
    """The lines of the table."""
    # What is compiled is loaded once.
    for stubborn in (None, StubbornSets(kanban(1))):
        explore(kanban(1), engine="kernel", stubborn=stubborn)
    dive(StubbornSets(kanban(1)), engine="kernel")
    lines = []
    for net in SEARCHED:
        whole, long = _search(net, stubborn=False)
        reduced, short = _search(net, stubborn=True)
        if whole.finished:
            assert len(whole.deadlock_numbers()) == len(reduced.deadlock_numbers())
        lines.append(Measured(f"{net.name}, all", long, "s", _told(whole)))
        lines.append(Measured("  with stubborn sets", short, "s", _told(reduced)))
    for net in ASKED:
        lines.append(_asked(f"{net.name}: free of deadlocks?", partial(deadlock_free, net)))
    for net, tokens in SOUGHT:
        lines.append(_asked(f"{net.name}: {', '.join(tokens)}?", partial(reachable, net, tokens)))
    return lines
