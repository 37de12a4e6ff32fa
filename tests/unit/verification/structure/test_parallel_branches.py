"""Soundness and deadlocks of sixty parallel branches, far beyond what a search could visit."""

from __future__ import annotations

import pytest

from tests.nets import deadlock_free, parallel, reachable
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.verdict import NetWitness, Status

FORMS = [("plain",), ("loop",), ("nested",), ("contest",), ("plain", "loop", "nested", "contest")]


@pytest.mark.parametrize("forms", FORMS, ids="-".join)
def test_sixty_sound_branches_are_sound(forms: tuple[str, ...]) -> None:
    verdict = soundness(parallel(60, *forms))
    assert verdict, str(verdict)
    assert verdict.bound["markings"] <= 5
    assert verdict.method.startswith("structural reduction (reduced from ")
    assert "series" in verdict.method
    assert set(verdict.statistics["clauses"].values()) == {"holds"}


@pytest.mark.parametrize("forms", FORMS, ids="-".join)
def test_one_broken_branch_of_sixty_is_found_with_its_shortest_trace(forms: tuple[str, ...]) -> None:
    net = parallel(60, *forms, broken=17)
    verdict = soundness(net)
    assert verdict.status is Status.VIOLATED
    assert verdict.reason.startswith("Option to complete fails: after ")
    assert isinstance(verdict.witness, NetWitness)
    end = verdict.witness.replay()[-1]
    assert net.enabled(end) == ()
    assert (end["y17"], end["z17"]) in {(1, 0), (0, 1)}
    # Each other branch on its shortest way: 1 firing, or 2 where there is no way around.
    steps = {"plain": 1, "loop": 2, "nested": 1, "contest": 2}
    others = sum(steps[forms[k % len(forms)]] for k in range(60) if k != 17)
    assert len(verdict.witness) == 2 + others
    assert verdict.method.endswith("replayed there, shortest")


def test_the_smallest_broken_nets_agree_with_a_search_of_the_whole() -> None:
    for forms in FORMS:
        whole = soundness(parallel(3, *forms, broken=1), max_markings=100_000)
        many = soundness(parallel(9, *forms, broken=1))
        assert whole.method == "explicit breadth-first search"
        assert many.method.startswith("structural reduction")
        assert whole.statistics["clauses"] == many.statistics["clauses"]


@pytest.mark.parametrize("broken", [None, 17])
def test_deadlocks_of_sixty_branches(broken: int | None) -> None:
    verdict = deadlock_free(parallel(60, "plain", "nested", broken=broken))
    assert verdict.status is (Status.HOLDS if broken is None else Status.VIOLATED)
    assert verdict.method.startswith("structural reduction")
    if broken is not None:
        assert verdict.witness is not None
        assert len(verdict.witness) == 61


def test_whether_places_of_sixty_branches_are_marked_together() -> None:
    net = parallel(60, "plain", "nested", "contest")
    last = reachable(net, {"o": 1})
    assert last.status is Status.HOLDS
    assert last.method.startswith("structural reduction")
    assert last.witness is not None
    assert last.witness.replay()[-1] == {"o": 1}
    both = reachable(net, {"i": 1, "o": 1})
    assert both.status is Status.VIOLATED
    assert "no firing" in both.reason
    side_by_side = reachable(net, {"c3": 1, "c59": 1, "a7": 1})
    assert side_by_side.status is Status.HOLDS
