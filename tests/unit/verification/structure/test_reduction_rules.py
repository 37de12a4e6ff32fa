"""Each condition of the rules matters: nets on which a rule without it would give a wrong answer."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.nets import net_of, parallel
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.clauses import reduced_soundness
from wfsim.verification.nets.findings import COMPLETES, PROPER
from wfsim.verification.nets.limits import Limits
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.nets.structure.reduction import Keep, reduce
from wfsim.verification.verdict import Status

LIMITS = Limits(10_000)

# Sound for one token in p. Two can be mixed up: A and B, then J3 takes a and d, and b and e stay behind.
MIXED_UP = "p>A>a>J1>c A>b>J1 p>B>e>J2>c B>d>J2 p>C>a>J3>c C>d>J3"


def failed_clauses(net: PetriNet) -> set[str]:
    assert net.final_marking is not None
    outcome = reduced_soundness(net, net.final_marking, LIMITS)
    assert outcome is not None
    return {finding.clause for finding in outcome.findings}


def test_a_token_that_vanishes_is_still_left_over_before() -> None:
    net = net_of("vanish", "i>Do>o Do>p>Drop", {"i": 1}, final_marking={"o": 1})
    assert reduce(net, net.final_marking, Keep.SOUNDNESS).rules == {}
    assert "series" in reduce(net, net.final_marking, Keep.DEADLOCK).rules
    assert PROPER in soundness(net).reason.lower()


def test_the_shorter_of_two_parallel_ways_is_kept() -> None:
    net = net_of("ways", "i>A>a1>B>a2>C>p i>Short>p p>Both>o p>One>stuck x>Both", {"i": 1}, final_marking={"o": 1})
    outcome = reduced_soundness(net, net.marking({"o": 1}), LIMITS)
    assert outcome is not None
    assert "parallel transitions" in outcome.reduction.rules
    assert outcome.witness is not None
    assert outcome.witness.firing_sequence in {("Short",), ("Short", "One")}


@pytest.mark.parametrize("times", [1, 2])
def test_a_part_that_is_sound_for_one_token_is_not_trusted_with_two(times: int) -> None:
    flow = f"h>Split>p Split>q>Side>r>Join>o c>Join {MIXED_UP}"
    net = net_of("mixed", flow, {"h": times}, final_marking={"o": times})
    whole = soundness(net)
    assert whole.method == "explicit breadth-first search"
    assert whole.status is (Status.HOLDS if times == 1 else Status.VIOLATED)
    assert failed_clauses(net) == (set() if times == 1 else {COMPLETES})
    used = reduce(net, net.final_marking, Keep.SOUNDNESS).rules
    assert used["sound parts"] == 1


def test_a_part_that_is_not_sound_stays_as_it_is() -> None:
    net = parallel(3, "contest", broken=1)
    reduction = reduce(net, net.final_marking)
    assert reduction.rules["sound parts"] == 2
    assert {"y1", "z1"} & set(reduction.net.places)


def test_soundness_cannot_be_kept_without_an_end() -> None:
    with pytest.raises(ValueError, match="without a final marking"):
        reduce(net_of("ring", "p>T>q>U>p", {"p": 1}))


def test_traces_of_the_reduced_net_fire_in_the_original() -> None:
    net = parallel(4, "nested", "contest")
    reduction = reduce(net, net.final_marking)
    end = reduction.net.initial_marking
    sequence = []
    while enabled := reduction.net.enabled(end):
        sequence.append(enabled[0])
        end = reduction.net.fire(end, enabled[0])
    assert net.fire_sequence(reduction.lift(sequence))[-1] == {"o": 1}
    assert sum(reduction.lengths[t] for t in sequence) == len(reduction.lift(sequence))
    assert reduction.alive(reduction.net.transitions) == set(net.transitions)


def test_soundness_needs_no_heavy_library() -> None:
    code = (
        "import sys; from tests.nets import parallel; from wfsim.verification.nets.soundness import soundness; "
        "assert soundness(parallel(60, 'nested', 'contest')); "
        "print([m for m in ('numpy', 'scipy', 'numba', 'networkx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_shorter_way_is_kept_even_if_it_is_found_later() -> None:
    flow = "i>A>a1>B>a2>C>p i>D>b1>E>p p>Stop>stuck"
    net = net_of("ways", flow, {"i": 1}, final_marking={"p": 1})
    outcome = reduced_soundness(net, net.marking({"p": 1}), LIMITS)
    assert outcome is not None
    assert outcome.witness is not None
    assert outcome.witness.firing_sequence == ("D", "E", "Stop")
    assert outcome.shortest


def test_a_watched_place_stays_even_if_nothing_changes_it() -> None:
    net = net_of("lamp", "i>T>o lamp>T>lamp", {"i": 1, "lamp": 1})
    assert "lamp" not in reduce(net, keep=Keep.REACHABILITY, places=["o"]).net.places
    assert "lamp" in reduce(net, keep=Keep.REACHABILITY, places=["lamp"]).net.places
