"""Verdicts by decision diagrams against those of the explicit search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.differential.test_diagrams_against_search import nearly_safe_nets, safe_nets
from tests.nets import bounded, deadlock_free, net_of, reachable
from tests.property.test_reductions import damaged_workflows
from tests.random_cases import cases
from wfsim.net.marking import Marking
from wfsim.net.petri import PetriNet
from wfsim.verification.nets import net_questions, net_search, reachability
from wfsim.verification.nets import soundness as soundness_module
from wfsim.verification.nets.answer import Answer
from wfsim.verification.nets.check import check
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.formulas import Plain
from wfsim.verification.nets.limits import Limits
from wfsim.verification.nets.net_search import NetSearch
from wfsim.verification.nets.reduced import Searched
from wfsim.verification.nets.soundness import Kind, soundness
from wfsim.verification.nets.structure.reduction import unreduced
from wfsim.verification.verdict import NetWitness, Status, Verdict

SETTINGS = cases(80)


@contextmanager
def diagrams_first() -> Iterator[None]:
    """No reductions, and searches that end with their first marking: diagrams have to answer."""
    with ExitStack() as patches:
        for module in (soundness_module, net_search):
            patches.enter_context(mock.patch.object(module, "direct_markings", return_value=1))
        patches.enter_context(mock.patch.object(soundness_module, "reduced_soundness", return_value=None))
        patches.enter_context(mock.patch.object(reachability, "reduced_deadlock", _cut_short))
        patches.enter_context(mock.patch.object(reachability, "_impossible", return_value=None))
        patches.enter_context(mock.patch.object(reachability, "_sought", _not_sought))
        patches.enter_context(mock.patch.object(net_search, "WORK_PER_MARKING", 10**6))
        patches.enter_context(mock.patch.object(net_search, "EARLY_MARKINGS", 1))
        yield


def _cut_short(net: PetriNet, final: Marking | None, limits: Limits) -> Searched:
    return Searched(unreduced(net, final), explore(net, max_markings=1))


def _not_sought(search: NetSearch, wanted: Plain, limits: Limits) -> Answer:
    return reachability._seen(explore(search.net, max_markings=1), None)


def same(by_diagrams: Verdict, explicit: Verdict) -> None:
    """Equal answers, whatever was asked; and witnesses that replay, of one length."""
    assert by_diagrams.status is explicit.status
    if not by_diagrams.method.startswith("decision diagrams"):
        # One marking, or more tokens than one in a place.
        return
    assert by_diagrams.bound == explicit.bound
    assert (by_diagrams.witness is None) is (explicit.witness is None)
    if by_diagrams.witness is not None and explicit.witness is not None:
        assert by_diagrams.method.endswith("; trace replayed in the net, shortest")
        by_diagrams.witness.replay()
        assert len(by_diagrams.witness) == len(explicit.witness)


def small_and_safe(net: PetriNet) -> bool:
    verdict = bounded(net, 1, max_markings=500)
    return verdict.status is Status.HOLDS


@SETTINGS
@given(damaged_workflows(), st.sampled_from(["classical", "weak", "relaxed"]))
def test_soundness_of_each_kind(net: PetriNet, kind: Kind) -> None:
    assume(small_and_safe(net))
    explicit = soundness(net, kind=kind, max_markings=500)
    with diagrams_first():
        verdict = soundness(net, kind=kind)
    same(verdict, explicit)
    assert verdict.statistics.get("clauses") == explicit.statistics.get("clauses")
    assert verdict.statistics.get("dead_transitions") == explicit.statistics.get("dead_transitions")
    assert verdict.statistics.get("never_on_a_way_to_the_end") == explicit.statistics.get("never_on_a_way_to_the_end")


@SETTINGS
@given(st.one_of(nearly_safe_nets(), safe_nets()), st.data())
def test_deadlocks(net: PetriNet, data: st.DataObject) -> None:
    assume(small_and_safe(net))
    if data.draw(st.booleans()):
        final = {place: data.draw(st.integers(0, 1)) for place in net.places}
        net = net.with_marking(net.initial_marking, final)
    explicit = deadlock_free(net)
    with diagrams_first():
        verdict = deadlock_free(net)
    assert verdict.status is explicit.status
    if verdict.witness is not None and explicit.witness is not None:
        assert isinstance(verdict.witness, NetWitness)
        assert net.enabled(verdict.witness.replay()[-1]) == ()
        assert len(verdict.witness) == len(explicit.witness)
    elif verdict.method.startswith("decision diagrams"):
        assert verdict.bound == explicit.bound


@SETTINGS
@given(st.one_of(nearly_safe_nets(), safe_nets()), st.data())
def test_reachability(net: PetriNet, data: st.DataObject) -> None:
    assume(small_and_safe(net))
    tokens = data.draw(st.dictionaries(st.sampled_from(net.places), st.integers(0, 2), min_size=1, max_size=3))
    exactly = data.draw(st.booleans())
    explicit = reachable(net, tokens, exactly=exactly)
    with diagrams_first():
        verdict = reachable(net, tokens, exactly=exactly, max_markings=2)
    assert verdict.status is explicit.status
    if explore(net).n_markings > 2 and explicit.method != "the formula itself":
        assert verdict.method.startswith("decision diagrams") or verdict.bound["markings"] <= 2
    if isinstance(verdict.witness, NetWitness) and explicit.witness is not None:
        end = verdict.witness.replay()[-1]
        assert all(end[p] == n if exactly else end[p] >= n for p, n in tokens.items())
        assert len(verdict.witness) == len(explicit.witness)


@SETTINGS
@given(nearly_safe_nets())
def test_one_safety_asked_by_name(net: PetriNet) -> None:
    explicit = check(net, "one_safe", max_markings=500)
    assume(explicit.status is not Status.UNKNOWN)
    with (
        diagrams_first(),
        mock.patch.object(net_questions, "proved_bounds", return_value={}),
        mock.patch.object(net_questions, "_all_refuted", return_value=False),
    ):
        verdict = check(net, "one_safe", max_markings=2)
    assert verdict.status is explicit.status
    if verdict.witness is not None and explicit.witness is not None and "perhaps" not in verdict.method:
        assert len(verdict.witness.replay()) == len(explicit.witness.replay())


@SETTINGS
@given(nearly_safe_nets(), st.sampled_from([1, 2, None]))
def test_bounds(net: PetriNet, k: int | None) -> None:
    explicit = bounded(net, k, max_markings=500)
    assume(explicit.status is not Status.UNKNOWN)
    with diagrams_first():
        verdict = bounded(net, k)
    assert verdict.status is explicit.status
    if verdict.method.startswith("decision diagrams"):
        assert verdict.status is Status.VIOLATED or verdict.bound == explicit.bound
        assert verdict.status is Status.VIOLATED or verdict.statistics["bounds"] == explicit.statistics["bounds"]
    if verdict.witness is not None and explicit.witness is not None and "perhaps" not in verdict.method:
        assert len(verdict.witness.replay()) == len(explicit.witness.replay())


@pytest.mark.parametrize("kind", ["classical", "weak", "relaxed"])
def test_every_way_to_be_unsound_is_told_as_by_the_search(kind: Kind) -> None:
    shapes = {
        "livelock": "i>A>a>B>b>C>a i>D>o",
        "stuck": "i>A>a>J>o n>J",
        "left over": "i>A>o A>b>B>c>C>b",
        "dead": "i>A>o i>X>n m>X>m",
        "sound": "i>A>a>B>o",
    }
    for flow in shapes.values():
        net = net_of("net", flow, {"i": 1}, final_marking={"o": 1})
        explicit = soundness(net, kind=kind)
        with diagrams_first():
            verdict = soundness(net, kind=kind)
        assert verdict.method.startswith("decision diagrams")
        same(verdict, explicit)
        assert verdict.statistics.get("clauses") == explicit.statistics.get("clauses")
        if kind != "relaxed" and "livelock" not in explicit.reason:
            assert verdict.reason == explicit.reason
