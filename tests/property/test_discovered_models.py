"""What is found in logs of random process trees: the tree, its net and its workflow have one language, all in one."""

from __future__ import annotations

from collections import Counter

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.random_cases import cases
from tests.trees import net_words, trees, words, workflow_words
from wfsim.mining.logs import Log, gathered
from wfsim.mining.miner import mine
from wfsim.mining.nets import net_of
from wfsim.mining.states import workflow_of
from wfsim.mining.tree import TAU, Tree
from wfsim.verification.nets.soundness import soundness

LONGEST = 6


@cases(60)
@given(trees(5))
def test_a_tree_accepts_the_words_of_its_language_and_no_others(tree: Tree) -> None:
    known = words(tree, LONGEST)
    assert all(map(tree.accepts, known))
    for word in known:
        for k in range(len(word)):
            fewer = word[:k] + word[k + 1 :]
            assert tree.accepts(fewer) == (fewer in known)


@cases(60)
@given(trees(5))
def test_the_net_of_a_tree_is_sound_and_has_its_language(tree: Tree) -> None:
    net = net_of(tree, "tree")
    assert soundness(net)
    assert net_words(net, LONGEST) == words(tree, LONGEST)


@cases(60)
@given(trees(5), st.sets(st.sampled_from("abcde")))
def test_the_workflow_of_a_tree_is_sound_and_has_its_language(tree: Tree, timed: set[str]) -> None:
    assume(tree != TAU)
    workflow = workflow_of(tree, "tree", timed=timed)
    assert workflow_words(workflow, tree.activities, LONGEST) == words(tree, LONGEST)
    assert soundness(workflow)


@cases(60)
@given(trees(6))
def test_without_noise_every_trace_is_in_the_language_that_is_found(tree: Tree) -> None:
    seen = words(tree, 7)
    assume(len(seen) < 2_000)
    found = mine(Log(dict.fromkeys(seen, 1)))
    assert all(map(found.accepts, seen))
    assert sorted(found.activities) == sorted({activity for word in seen for activity in word})


@cases(60)
@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=6).map(tuple), min_size=1, max_size=12), st.floats(0, 1))
def test_any_log_has_a_sound_model_and_all_fits_without_noise(traces: list[tuple[str, ...]], noise: float) -> None:
    log = gathered((trace, 1) for trace in traces)
    assert all(map(mine(log).accepts, log.traces))
    found = mine(log, noise)
    assert Counter(found.activities) <= Counter({*log.activities})
    assert soundness(net_of(found, "noisy"))
