"""The inductive miner on logs whose trees are known."""

from __future__ import annotations

import pytest

from wfsim.mining.cuts import Cut, find_cut, graph_of, split
from wfsim.mining.logs import Log, gathered
from wfsim.mining.miner import mine
from wfsim.mining.tree import TAU, Operator, Tree, choice, leaf, loop, parallel, sequence

a, b, c, d, e, f = map(leaf, "abcdef")


def log_of(*words: str, **counts: int) -> Log:
    return gathered([*((tuple(word), 1) for word in words), *((tuple(word), n) for word, n in counts.items())])


@pytest.mark.parametrize(
    ("words", "tree"),
    [
        ("abc", "→(a, b, c)"),
        ("ab ac", "→(a, ×(b, c))"),
        ("abc acb", "→(a, ∧(b, c))"),
        ("a aba ababa", "↺(a, b)"),
        ("a aa aaa", "↺(a, τ)"),
        ("ab a", "→(a, ×(τ, b))"),
        # Both or none: the group that is passed by takes its neighbour along.
        ("abcd ad", "→(a, ×(τ, →(b, c)), d)"),
        # Two ways back, one of them of two activities.
        ("a aba acda", "↺(a, ×(b, →(c, d)))"),
        # The example L1 of van der Aalst (2016), Process Mining, 2nd edition, 6.2.
        ("abcd acbd aed", "→(a, ×(∧(b, c), e), d)"),
        # L2 of it.
        ("abcd acbd abcefbcd abcefcbd acbefbcd acbefbcefcbd", "→(a, ↺(∧(b, c), →(e, f)), d)"),
        ("bac abc acb baac", "∧(→(↺(a, τ), c), b)"),
        # No cut, but each trace has `a` once, anywhere.
        ("abc cab", "∧(a, b, c)"),
    ],
)
def test_the_tree_of_a_small_log(words: str, tree: str) -> None:
    assert str(mine(log_of(*words.split()))) == tree


def test_what_is_rare_is_left_out_with_noise_only() -> None:
    log = log_of(abc=95, cab=5)
    assert mine(log) == parallel([a, b, c])
    assert mine(log, 0.2) == sequence([a, b, c])


def test_an_activity_that_seldom_happens_is_not_optional_with_noise() -> None:
    assert mine(log_of(ab=97, b=3)) == sequence([choice([TAU, a]), b])
    assert mine(log_of(ab=97, b=3), 0.2) == sequence([a, b])


def test_a_repetition_that_is_rare_is_none_with_noise() -> None:
    assert mine(log_of(a=97, aa=3)) == loop(a, TAU)
    assert mine(log_of(a=97, aa=3), 0.2) == a


def test_nothing_common_is_lost_to_noise() -> None:
    log = log_of(abd=50, acd=50)
    assert mine(log, 0.2) == mine(log) == sequence([a, choice([b, c]), d])


def test_a_piece_of_a_noisy_sequence_keeps_as_many_activities_as_can_be() -> None:
    groups = frozenset("a"), frozenset("b"), frozenset("c")
    found = split(log_of("abc", "acb", "bca"), Cut(Operator.SEQUENCE, groups))
    assert [dict(each.traces) for each in found] == [{("a",): 2, (): 1}, {("b",): 3}, {("c",): 2, (): 1}]


def test_a_loop_that_begins_with_its_way_back_has_an_empty_body_there() -> None:
    body, again = split(log_of("aba", "ba", "ab"), Cut(Operator.LOOP, (frozenset("a"), frozenset("b"))))
    assert body.traces == {("a",): 4, (): 2}
    assert again.traces == {("b",): 3}


def test_a_graph_without_noise_has_every_edge() -> None:
    log = log_of(abc=99, acb=1)
    assert graph_of(log).edges == {("a", "b"), ("b", "c"), ("a", "c"), ("c", "b")}
    assert graph_of(log, 0.2).edges == {("a", "b"), ("b", "c")}
    assert find_cut(log, 0.2) == find_cut(log) == Cut(Operator.SEQUENCE, (frozenset("a"), frozenset("bc")))


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (sequence([a, sequence([b, TAU, c])]), "→(a, b, c)"),
        (choice([a, choice([TAU, a]), TAU]), "×(τ, a)"),
        (choice([TAU, choice([TAU, b]), loop(choice([TAU, a]), TAU)]), "×(τ, b, ↺(a, τ))"),
        (parallel([TAU, a]), "a"),
        (loop(loop(a, TAU), TAU), "↺(a, τ)"),
        (loop(TAU, a), "×(τ, ↺(a, τ))"),
        (loop(TAU, TAU), "τ"),
    ],
)
def test_trees_are_as_short_as_they_can_be_said(tree: Tree, text: str) -> None:
    assert str(tree) == text


def test_a_log_of_empty_cases_has_nothing_in_it() -> None:
    assert mine(log_of("")) == TAU


def test_the_order_of_traces_does_not_matter() -> None:
    words = "abcd acbd aed abed".split()
    assert mine(log_of(*words)) == mine(log_of(*reversed(words)))
