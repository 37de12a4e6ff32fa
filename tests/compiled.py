"""Compiles what the tests need compiled, once, while a test run is at something else: `python -m tests.compiled`.

Two workers that both find the cache empty would both compile, for some minutes each.
"""

from __future__ import annotations

from pathlib import Path

import wfsim as wf
from tests.differential.test_codec import checked
from tests.differential.test_two_speeds import at_both_speeds, in_step
from wfsim.semantics import codes, layout, roots
from wfsim.simulation import quick
from wfsim.verification.nets.dive import dive
from wfsim.verification.nets.stubborn import StubbornSets


def main() -> None:
    """What tests call: `step`, the search over it, the simulator, the searches of nets, alignments and the reader."""
    checked(wf.new("minimal"), [])
    in_step(wf.new("minimal"), [], room=1)
    at_both_speeds(codes.OP_ADD, layout.Cell(codes.INTEGER, 1), layout.Cell(codes.INTEGER, 1))
    for draw in (roots.draw, roots.draw_bits, roots.mix_key):
        draw(1, 1, 1, *(() if draw is roots.mix_key else (1,)))
    quick.make_ready()
    wf.explore_workflow(wf.new("minimal"), engine="compiled")
    wf.simulate(wf.new("order"), cases=2, engine="compiled")
    net = wf.to_net(wf.new("order"))
    _ = wf.explore(net, engine="kernel").bounds
    wf.explore(net, engine="kernel", stubborn=StubbornSets(net))
    dive(StubbornSets(net), engine="kernel")
    wf.align(wf.read_log(Path(__file__).parents[1] / "models" / "loan_application.log.xes.gz"), net)


if __name__ == "__main__":
    main()
