"""Exact counts by decision diagrams, of nets with more markings than can be listed; and by listing, where it can be."""

from __future__ import annotations

from tests.benchmarks import Measured, cpu_seconds, median
from tests.benchmarks.nets_bench import parallel, philosophers, shared_memory
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.diagrams.space import SymbolicSpace
from wfsim.verification.nets.explore import explore

RUNS = 3
LISTED = 10**7
"""Markings that are listed for comparison."""

NETS: list[tuple[str, PetriNet, int]] = [
    ("parallel 16x1", parallel(16), 2**16 + 2),
    ("parallel 60x1", parallel(60), 2**60 + 2),
    ("parallel 60x3", parallel(60, 3), 4**60 + 2),
    ("parallel 200x1", parallel(200), 2**200 + 2),
    ("philosophers 10", philosophers(10), 3**10),
    ("philosophers 100", philosophers(100), 3**100),
    ("philosophers 200", philosophers(200), 3**200),
    ("shared memory 8", shared_memory(8), 3**8 + 8 * 7 * 3**7),
    ("shared memory 10", shared_memory(10), 3**10 + 10 * 9 * 3**9),
    ("shared memory 20", shared_memory(20), 3**20 + 20 * 19 * 3**19),
]
"""Name, net and markings, counted by hand; those of philosophers and of shared memory up to 10 are also those of the
Model Checking Contest."""


def _counted(net: PetriNet) -> SymbolicSpace:
    space = explore(net, engine="diagrams")
    assert space.complete
    return space


def measure() -> list[Measured]:
    """Processor seconds for all markings, edges and deadlocks; then those of the compiled search."""
    # So that loading the libraries is not counted.
    explore(parallel(2), engine="diagrams")
    explore(parallel(2), engine="kernel")
    lines = []
    for name, net, markings in NETS:
        found: list[SymbolicSpace] = []

        def by_diagrams(net: PetriNet = net, found: list[SymbolicSpace] = found) -> None:
            space = _counted(net)
            space.count_all()
            found.append(space)

        seconds = median(RUNS, lambda work=by_diagrams: cpu_seconds(work))  # type: ignore[misc]
        space = found[-1]
        assert space.n_markings == markings
        count = f"{markings:,}" if markings < 10**13 else f"{markings:.3g}"
        lines.append(Measured(name, seconds, "s", f"{count} markings in {space.n_nodes:,} nodes"))
        if markings <= LISTED:
            listed = explore(net, max_markings=LISTED)
            assert (listed.n_markings, listed.n_edges) == (space.n_markings, space.n_edges)

            def by_listing(net: PetriNet = net) -> None:
                explore(net, max_markings=LISTED)

            work = median(RUNS, lambda work=by_listing: cpu_seconds(work))  # type: ignore[misc]
            lines.append(Measured("  listed", work, "s"))
    return lines
