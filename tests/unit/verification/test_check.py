"""`wf.check`: questions about nets that never were workflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.benchmarks.nets_bench import fms, kanban, philosophers
from tests.nets import net_of
from wfsim.errors import DefinitionError, NetError, NotCovered, UnknownNode
from wfsim.net.petri import PetriNet
from wfsim.net.units import NestedUnits, Unit
from wfsim.verification.nets import explore as explore_module
from wfsim.verification.nets import packed_space
from wfsim.verification.nets.check import CLAIMS, KINDS, check, check_all
from wfsim.verification.nets.contest import UpperBound
from wfsim.verification.nets.ctl import Labelling
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.formulas import CanFire, Linear, Temporal, plain
from wfsim.verification.nets.limits import Limits
from wfsim.verification.nets.looks import Most, Scan
from wfsim.verification.nets.net_claims import parse_net_claim
from wfsim.verification.nets.net_questions import QUESTIONS
from wfsim.verification.nets.net_search import NetSearch
from wfsim.verification.nets.simplify import Simplifier
from wfsim.verification.nets.state_space import StateSpace, Wake
from wfsim.verification.property import Property
from wfsim.verification.verdict import NetWitness, Status, Verdict

MUTEX = net_of(
    "mutex",
    "idle1>Ask1>wait1>Enter1>use1>Leave1>idle1 idle2>Ask2>wait2>Enter2>use2>Leave2>idle2 "
    "lock>Enter1 Leave1>lock lock>Enter2 Leave2>lock",
    {"idle1": 1, "idle2": 1, "lock": 1},
)
# Each takes one lock and then wants the other's.
EMBRACE = net_of(
    "embrace",
    "a0>TakeA>a1>ThenB>a2>EndA>a0 b0>TakeB>b1>ThenA>b2>EndB>b0 la>TakeA lb>ThenB EndA>la EndA>lb "
    "lb>TakeB la>ThenA EndB>la EndB>lb",
    {"a0": 1, "b0": 1, "la": 1, "lb": 1},
)
GROWING = net_of("growing", "p>Make>p Make>store store>Use>used", {"p": 1})


def trace(verdict: Verdict) -> tuple[str, ...]:
    assert isinstance(verdict.witness, NetWitness), str(verdict)
    verdict.witness.replay()
    return verdict.witness.firing_sequence


# --- names ----------------------------------------------------------------------------------------------------


def test_a_mutual_exclusion_has_every_good_property() -> None:
    for name in ("no_deadlock", "bounded", "one_safe", "quasi_live", "live", "reversible"):
        assert check(MUTEX, name).status is Status.HOLDS, name
    assert not check(MUTEX, "stable")


def test_a_deadly_embrace_is_found_by_the_shortest_way() -> None:
    for name in ("no_deadlock", "live", "reversible"):
        assert sorted(trace(check(EMBRACE, name))) == ["TakeA", "TakeB"], name
    assert check(EMBRACE, "quasi_live")


@pytest.mark.parametrize("by_file", [False, True])
def test_a_net_without_a_final_marking_has_none_whatever_its_shape(tmp_path: Path, by_file: bool) -> None:
    net = PetriNet("c", ["p", "q"], ["t"], [("p", "t"), ("t", "q")], {"p": 1})
    if by_file:
        wf.write_pnml(net, tmp_path / "c.pnml")
        net = wf.read_pnml(tmp_path / "c.pnml")
    verdict = wf.check(net, "no_deadlock")
    assert verdict.status is Status.VIOLATED
    assert trace(verdict) == ("t",)
    assert "{q: 1}" in verdict.reason
    assert "no final marking is known, so every deadlock counts" in verdict.assumptions
    assert wf.check(net.with_marking({"p": 1}, {"q": 1}), "no_deadlock")


def test_a_livelock_is_not_live_and_has_no_way_back() -> None:
    trap = net_of("trap", "s>A>p>B>s s>C>q>D>r>E>q", {"s": 1})
    live, back = check(trap, "live"), check(trap, "reversible")
    assert trace(live) == trace(back) == ("C",)
    assert live.reason.endswith("can never fire again.") or "siphon" in live.reason
    guarded = net_of("guarded", "s>A>p>B>s s>C>q>D>r>E>q k>A A>k", {"s": 1, "k": 1})
    assert not wf.check(guarded, "live")


def test_all_transitions_that_can_be_lost_are_listed() -> None:
    two_ways = net_of("two ways", "s>A>p>B>r>C>p s>D>q>E>t>F>q k>G>k", {"s": 1, "k": 1})
    verdict = check(two_ways, "live")
    assert verdict.statistics == {"not_live": ["A", "B", "C", "D", "E", "F"]}
    assert trace(verdict) in (("A",), ("D",))


def test_a_dead_transition_is_named() -> None:
    dead = net_of("dead", "p>A>q>B>p r>C>p", {"p": 1})
    verdict = check(dead, "quasi_live")
    assert verdict.status is Status.VIOLATED
    assert verdict.statistics["dead_transitions"][0]["transition"] == "C"
    assert trace(check(dead, "live")) == ()
    assert check(dead, "stable").statistics["stable_places"] == ["r"]


def test_growth_without_bound_is_shown_by_what_can_be_repeated() -> None:
    verdict = check(GROWING, "bounded")
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.repeatable == ("Make",)
    assert trace(check(GROWING, {"bounded": 2})) == ("Make", "Make", "Make")
    bound = check(GROWING, UpperBound(("p", "store")))
    assert bound.status is Status.VIOLATED
    assert "'store' grows without bound" in bound.reason
    trace(bound)
    assert check(GROWING, UpperBound(("p",))).statistics == {"upper_bound": 1}
    assert check(GROWING, "live")
    assert check(GROWING, "reversible", max_markings=500).status is Status.UNKNOWN


def test_large_nets_are_decided_by_structure() -> None:
    net = kanban(2_000)
    assert check(net, "bounded").method == "place invariants, with integers"
    assert "siphons" in check(net, "live").method
    bound = check(net, UpperBound(("m1", "back1", "out1", "kan1")))
    assert bound.statistics == {"upper_bound": 2_000}
    assert "marking equation" in bound.method
    never = check(net, {"never": 'tokens("m1") + tokens("out1") > 2000'})
    assert never.status is Status.HOLDS
    assert "certificate" in never.statistics


def test_what_lies_too_deep_for_a_search_is_met_on_a_walk() -> None:
    # Each of 18 voters says yes or no: the end lies behind 4 ** 18 markings.
    chains = " ".join(f"start>Open>v{k}>Yes{k}>y{k} v{k}>No{k}>n{k}" for k in range(18))
    vote = net_of("vote", chains, {"start": 1})
    verdict = check(vote, Temporal("E", "F", (parse_net_claim("deadlock"),)), max_markings=2_000)
    assert verdict.status is Status.HOLDS
    assert len(trace(verdict)) == 19
    stuck = check(philosophers(8), "reversible", max_markings=3_000)
    assert stuck.status is Status.VIOLATED
    assert "random walk" in stuck.method
    trace(stuck)


def test_one_marking_can_be_enough_to_know_and_none_is_not_enough() -> None:
    asked = {"reachable": 'tokens("out1") == 3 and tokens("out4") == 3 and tokens("m2") == 3'}
    assert len(trace(check(kanban(3), asked))) > 3
    open_still = check(fms(6), {"eventually": 'tokens("p12") > 9'}, max_markings=200)
    assert open_still.status in (Status.UNKNOWN, Status.VIOLATED)
    unknown = check(fms(6), "reversible", max_markings=500)
    assert unknown.status is Status.UNKNOWN
    assert "Raise max_markings" in unknown.reason
    assert unknown.bound["complete"] is False


def test_what_the_marking_equation_decides_falls_out_of_a_formula() -> None:
    simpler = Simplifier(NetSearch(kanban(1)))

    def written(quantifier: str, operator: str, *claims: str) -> str:
        operands = tuple(map(parse_net_claim, claims))
        return str(simpler(Temporal(quantifier, operator, operands)))  # type: ignore[arg-type]

    never, always, open_still = 'tokens("m1") > 1', 'tokens("m1") < 2', 'tokens("m1") == 1'
    for operator in ("F", "G"):
        for quantifier in ("A", "E"):
            assert written(quantifier, operator, never) == "false"
            assert written(quantifier, operator, always) == "true"
    assert (written("E", "X", always), written("E", "X", never)) == ("not deadlock", "false")
    assert (written("A", "X", always), written("A", "X", never)) == ("true", "deadlock")
    assert (written("E", "U", open_still, never), written("A", "U", never, always)) == ("false", "true")
    assert written("A", "U", always, open_still) == written("A", "F", open_still)
    assert written("E", "U", never, open_still) == str(simpler(parse_net_claim(open_still)))
    assert written("E", "F", f"{open_still} and not ({never})") == written("E", "F", open_still)
    assert str(simpler(CanFire(("in1", "ok1")))) == "can_fire('in1') or can_fire('ok1')"


def test_of_a_part_of_a_space_only_what_is_sure_is_told() -> None:
    line = net_of("line", "a>A>b>B>c>C>d>D>e side>Loop>side", {"a": 1, "side": 1})
    for operator, claims, sure in (
        ("F", ('tokens("b") == 1',), True),
        ("F", ('tokens("e") == 1',), None),
        ("U", ('tokens("e") == 0', 'tokens("e") == 1'), None),
        ("U", ('tokens("b") == 0', 'tokens("e") == 1'), False),
        ("G", ('tokens("e") == 0',), True),
        ("G", ('tokens("a") + tokens("b") + tokens("c") + tokens("d") == 1 and not can_fire("Loop")',), False),
    ):
        formula = Temporal("E", operator, tuple(map(parse_net_claim, claims)))  # type: ignore[arg-type]
        part = explore(line, max_markings=3)
        labels = Labelling(part)
        assert (bool(labels.sure(formula, True)[0]), bool(labels.sure(formula, False)[0])) == (
            sure is True,
            sure is False,
        )


# --- claims ---------------------------------------------------------------------------------------------------


def test_claims_about_markings() -> None:
    assert check(MUTEX, {"never": 'tokens("use1") + tokens("use2") > 1'})
    assert check(MUTEX, {"always": 'tokens("lock") == 1 or not can_fire("Enter1")'})
    assert trace(check(MUTEX, {"never": {"of": 'can_fire("Leave1")'}})) == ("Ask1", "Enter1")
    assert trace(check(MUTEX, Property("reachable", 'tokens("wait1") == 1 and tokens("wait2") == 1'))) in (
        ("Ask1", "Ask2"),
        ("Ask2", "Ask1"),
    )
    assert not check(MUTEX, {"reachable": "deadlock"})


def test_claims_about_what_comes() -> None:
    # Nobody has to be served: the other can go round for ever.
    verdict = check(MUTEX, {"leads_to": {"from": 'tokens("wait1") > 0', "to": 'tokens("use1") > 0'}})
    assert verdict.status is Status.VIOLATED
    assert isinstance(verdict.witness, NetWitness)
    assert "Ask1" in trace(verdict)
    assert "Enter1" not in trace(verdict)
    assert verdict.witness.repeatable
    assert "repeated for ever" in verdict.reason
    assert check(MUTEX, {"leads_to": {"from": 'tokens("use1") > 0', "to": 'can_fire("Leave1")'}})
    assert not check(MUTEX, {"responds": {"to": 'tokens("wait1") > 0', "with": 'tokens("use1") > 0'}})
    assert check(MUTEX, {"precedes": {"first": 'tokens("wait1") > 0', "then": 'tokens("use1") > 0'}})
    # Both at one marking is early enough.
    assert check(
        MUTEX, {"precedes": {"first": 'tokens("use1") > 0', "then": 'tokens("lock") == 0 and tokens("use2") == 0'}}
    )
    early = check(MUTEX, {"precedes": {"first": 'tokens("wait1") > 0', "then": 'tokens("use2") > 0'}})
    assert trace(early) == ("Ask2", "Enter2")
    assert check(net_of("line", "p>A>q>B>r", {"p": 1}), {"eventually": 'tokens("r") == 1'})


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ('tokens("p") >= 2', "tokens('p') >= 2"),
        ("2 * tokens('p') - tokens('q') < -3", "2 * tokens('p') - tokens('q') <= -4"),
        ('1 <= tokens("p") < 3', "(tokens('p') >= 1) and (tokens('p') <= 2)"),
        ('tokens("p") - tokens("p") > 0', "false"),
        ('not can_fire("t") and not deadlock', "not can_fire('t') and not deadlock"),
        ('tokens("p") in [1]', "((tokens('p') <= 1) and (tokens('p') >= 1))"),
        ('-tokens("p") == 0', "(tokens('p') >= 0) and (tokens('p') <= 0)"),
        ("true or deadlock", "true or deadlock"),
    ],
)
def test_claims_are_read(claim: str, text: str) -> None:
    assert str(parse_net_claim(claim)) == text


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ('tokens("p")', "tokens('p') is a number. Compare it"),
        ("p > 1", "column 1: 'p' is no word for nets; did you mean tokens('p')"),
        ("tokens(p) > 1", "tokens takes one place by its name: tokens('p')"),
        ('can_fire("t", "u")', "can_fire takes one transition by its name: can_fire('t')"),
        ("tokens > 1", "tokens takes a name"),
        ("context.x > 1", "asks for its tokens and transitions"),
        ('tokens("p") * tokens("q") > 1', "tokens are multiplied by numbers only"),
        ('tokens("p") > 1.5', "tokens and whole numbers"),
        ('tokens("p") / 2 > 1', "tokens and whole numbers"),
        ('tokens("p") in 3', "looks for a number in a list"),
        ('tokens("p") + 1', "must be true or false"),
        ('tokens("p") >', "this is not a complete claim"),
        ("deadlock > 0", "tokens and whole numbers"),
        ("__import__('os')", "only tokens('…') and can_fire('…') are asked"),
    ],
)
def test_what_is_no_claim_is_refused_with_its_place(claim: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        check(MUTEX, {"never": claim})
    assert message in str(caught.value)


# --- what is refused ------------------------------------------------------------------------------------------


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(DefinitionError, match=r"unknown property 'lve'\. Did you mean 'live'\?"):
        check(MUTEX, "lve")
    with pytest.raises(DefinitionError, match=r"unknown property 'safe42'\. There are: no_deadlock"):
        check(MUTEX, "safe42")
    with pytest.raises(UnknownNode, match=r"'use' is not a place of net 'mutex'\.\n.*Did you mean 'use2'\?"):
        check(MUTEX, {"never": 'tokens("use") > 0'})
    with pytest.raises(UnknownNode, match=r"'lock' is not a transition of net 'mutex', but a place"):
        check(MUTEX, {"reachable": 'can_fire("lock")'})
    with pytest.raises(UnknownNode, match="'Leave' is not a transition"):
        check(MUTEX, Temporal("E", "F", (CanFire(("Leave",)),)))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"live": {"k": 1}}, "live.k"),
        ({"bounded": {"k": -1}}, "expected 0 or more, found the number -1"),
        ({"bounded": True}, "bounded"),
        ({"never": {"of": "true", "until": "true"}}, "until"),
        ({"leads_to": "true"}, "leads_to"),
        ({"leads_to": {"from": "true"}}, "to"),
        ({"never": "true", "live": {}}, "a mapping with one key"),
        ({}, "a mapping with one key"),
    ],
)
def test_wrong_options_are_refused(asked: dict[str, object], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        check(MUTEX, asked)
    assert message in str(caught.value)


def test_what_only_workflows_can_be_asked_is_told() -> None:
    with pytest.raises(NotCovered, match=r"'at_most' can be asked of a workflow, but not of a net.*Of a net: no_dead"):
        check(MUTEX, {"at_most": {"activity": "pay", "times": 1}})
    with pytest.raises(TypeError, match=r"asks a PetriNet, not <Workflow .*Make one: wf.to_net"):
        check(wf.new("minimal"), "live")  # type: ignore[arg-type]


def test_every_question_is_in_the_table() -> None:
    import wfsim.verification.nets.check as door

    assert set(KINDS) == {*QUESTIONS, *CLAIMS}
    assert all(f"`{name}" in (door.__doc__ or "") for name in KINDS)


# --- nested units ---------------------------------------------------------------------------------------------


def with_units(net: PetriNet, *groups: tuple[str, ...], safe: bool = True) -> PetriNet:
    units = [Unit(f"u{k}", places) for k, places in enumerate(groups, start=1)]
    grouped = {place for places in groups for place in places}
    units += [Unit(f"only {place}", (place,)) for place in net.places if place not in grouped]
    nested = NestedUnits("root", (Unit("root", (), tuple(unit.name for unit in units)), *units), safe)
    return PetriNet(net.name, net.places, net.transitions, net.arcs, net.initial_marking, units=nested)


def test_units_that_are_seen_to_be_unsafe_are_not_trusted() -> None:
    wrong = with_units(fms(3), ("p1", "wait1"))
    assert trace(check(wrong, "unit_safe")) == ()
    with pytest.raises(NetError, match=r"not unit-safe, though its file says so: after 0 firings.*holds \{p1: 3\}"):
        check(wrong, "live", trust_units=True)


def test_whether_units_are_safe_is_asked_of_the_net() -> None:
    good = with_units(MUTEX, ("idle1", "wait1", "use1"), ("idle2", "wait2", "use2"))
    assert check(good, "unit_safe").status is Status.HOLDS
    bad = with_units(MUTEX, ("wait1", "wait2"), ("idle1", "use1"), ("idle2", "use2"))
    verdict = check(bad, "unit_safe")
    assert sorted(trace(verdict)) == ["Ask1", "Ask2"]
    assert "'wait1' and 'wait2' hold tokens in one unit" in verdict.reason
    assert check(MUTEX, "unit_safe").status is Status.ERROR


def test_a_claim_of_safety_that_decides_is_among_the_assumptions() -> None:
    # It is said to be safe, but the 600th step makes two tokens of one.
    steps = [(f"c{k}", f"T{k}", f"c{k + 1}") for k in range(599)]
    arcs = [arc for before, step, after in steps for arc in ((before, step), (step, after))]
    places = [f"c{k}" for k in range(601)]
    late = [("c599", "Late"), ("Late", "c600"), ("Late", "c0")]
    net = PetriNet("late", places, [*(step for _, step, _ in steps), "Late"], [*arcs, *late], {"c0": 1})
    claimed = with_units(net, tuple(places))
    asked = {"never": 'tokens("c600") > 0 and tokens("c0") > 0'}
    verdict = check(claimed, asked, trust_units=True)
    assert verdict.status is Status.HOLDS
    assert any("unit-safe" in assumption for assumption in verdict.assumptions)
    assert len(trace(check(claimed, asked))) == 600
    safe = check(claimed, "one_safe", trust_units=True)
    assert (safe.status, safe.method) == (Status.HOLDS, "nested units")
    assert any("unit-safe" in assumption for assumption in safe.assumptions)
    bound = check(claimed, UpperBound(("c0", "c600")), trust_units=True)
    assert bound.statistics == {"upper_bound": 1}
    assert any("unit-safe" in assumption for assumption in bound.assumptions)


# --- searches -------------------------------------------------------------------------------------------------


def test_the_compiled_search_stops_soon_after_it_has_found_something(monkeypatch: pytest.MonkeyPatch) -> None:
    net = kanban(4)
    monkeypatch.setattr(packed_space, "SLICE", 200_000)
    scan = Scan(net, plain(parse_net_claim('tokens("m4") == 4'), net))
    space = explore(net, stop=scan, wake=Wake(now_and_then=True), engine="kernel")
    assert not space.complete
    assert space.n_markings < 100_000
    assert scan.found is not None
    first = next(k for k in range(space.n_markings) if space.tokens[k][net.place_index("m4")] == 4)
    assert scan.found == first


def test_of_markings_with_equally_many_tokens_the_nearest_is_kept() -> None:
    net = net_of("ring", "p>A>q>B>r>C>p", {"p": 1})
    for engine in ("python", "kernel"):
        most = Most(net, ("q", "r"), None)
        space = explore(net, stop=most, engine=engine)  # type: ignore[arg-type]
        most.look(space)
        assert (most.most, most.number, most.found) == (1, 1, None)
    enough = Most(net, ("q", "r"), 1)
    assert explore(net, stop=enough).n_markings == 2
    assert enough.found == 1


def test_several_questions_share_one_search(monkeypatch: pytest.MonkeyPatch) -> None:
    spaces: list[StateSpace] = []

    def counted(net: PetriNet, limits: Limits, **more: Any) -> StateSpace:
        spaces.append(explore_module.searched(net, limits, **more))
        return spaces[-1]

    monkeypatch.setattr("wfsim.verification.nets.net_search.searched", counted)
    fed = {"eventually": 'tokens("eat0") == 1'}
    asked = [fed, {"precedes": {"first": 'tokens("eat1") == 1', "then": 'tokens("eat0") == 1'}}, fed]
    assert [verdict.status for verdict in check_all(philosophers(7), asked)] == [Status.VIOLATED] * 3
    assert len(spaces) == 1
    live = check_all(kanban(2), ["reversible", {"leads_to": {"from": "true", "to": 'tokens("m1") == 1'}}, "stable"])
    assert [verdict.status for verdict in live] == [Status.HOLDS, Status.VIOLATED, Status.VIOLATED]
    search = NetSearch(philosophers(6))
    assert search.whole() is search.whole()


def test_the_summary_of_a_space_is_what_the_contest_asks() -> None:
    for engine in ("python", "kernel"):
        space = explore(kanban(2), engine=engine)  # type: ignore[arg-type]
        assert space.summary() == {
            "markings": 4_600,
            "edges": 28_120,
            "max_tokens_in_place": 2,
            "max_tokens_in_marking": 8,
            "complete": True,
        }
        assert space.most_tokens == max(marking.total for marking in space.markings)


def test_large_numbers_are_compared_exactly() -> None:
    net = PetriNet("big", ["p", "q"], ["t"], [("p", "t"), ("t", "q", 2)], {"p": 2**40})
    claim = Temporal("E", "F", (Linear((("p", 2**40), ("q", -1)), 2**80 - 2**41),))
    verdict = check(net, claim, max_markings=100)
    assert verdict.status is Status.HOLDS
    assert len(trace(verdict)) == 2
