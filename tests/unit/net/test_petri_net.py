"""Construction, firing and forms of Petri nets."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from wfsim.errors import NetError, UnknownNode, WfsimError
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.petri import PetriNet


def printer() -> PetriNet:
    """A printer takes two sheets for a job while it is on, unless it is jammed; off throws jobs away."""
    return PetriNet(
        "printer",
        ["job", "paper", "power", "jam", "printed"],
        ["print", "switch_off"],
        [
            ("job", "print"),
            ("paper", "print", 2),
            ("power", "print", 1, "read"),
            ("jam", "print", 1, ArcKind.INHIBITOR),
            Arc("print", "printed"),
            ("power", "switch_off"),
            ("job", "switch_off", 1, "reset"),
        ],
        {"job": 2, "paper": 3, "power": 1},
        labels={"print": "Print a job", "jam": "jam"},
        sources={"print": "transition 3"},
    )


def test_firing_consumes_and_produces_by_weight() -> None:
    net = printer()
    after = net.fire(net.initial_marking, "print")
    assert after == {"job": 1, "paper": 1, "power": 1, "printed": 1}


def test_firing_leaves_the_marking_it_starts_from_alone() -> None:
    net = printer()
    net.fire(net.initial_marking, "print")
    assert net.initial_marking == {"job": 2, "paper": 3, "power": 1}


def test_a_read_arc_wants_a_token_and_keeps_it() -> None:
    net = printer()
    assert not net.is_enabled({"job": 1, "paper": 2}, "print")
    assert net.fire({"job": 1, "paper": 2, "power": 1}, "print")["power"] == 1


def test_an_inhibitor_arc_forbids_as_many_tokens_as_its_weight() -> None:
    net = PetriNet("n", ["p", "q"], ["t"], [("p", "t", 2, "inhibitor"), ("t", "q")], {})
    assert net.is_enabled({"p": 1}, "t")
    assert not net.is_enabled({"p": 2}, "t")
    assert net.fire({"p": 1}, "t") == {"p": 1, "q": 1}


def test_a_reset_arc_empties_its_place_and_never_disables() -> None:
    net = printer()
    assert net.fire(net.initial_marking, "switch_off") == {"paper": 3}
    assert net.is_enabled({"power": 1}, "switch_off")


def test_what_is_produced_into_a_reset_place_survives() -> None:
    arcs = [("p", "t", 2), ("p", "t", 1, "reset"), ("t", "p", 3)]
    net = PetriNet("n", ["p"], ["t"], arcs, {"p": 9})
    assert net.fire(net.initial_marking, "t") == {"p": 3}
    assert not net.is_enabled({"p": 1}, "t")


def test_reading_and_consuming_one_place_do_not_add_up() -> None:
    net = PetriNet("n", ["p"], ["t"], [("p", "t", 1), ("p", "t", 2, "read")], {"p": 2})
    assert net.fire(net.initial_marking, "t") == {"p": 1}
    assert not net.is_enabled({"p": 1}, "t")


def test_a_self_loop_wants_its_token_before_it_gives_one() -> None:
    net = PetriNet("n", ["p"], ["t"], [("p", "t", 2), ("t", "p", 2)], {"p": 2})
    assert net.fire(net.initial_marking, "t") == {"p": 2}
    assert net.enabled({"p": 1}) == ()


def test_firing_a_disabled_transition_names_what_is_missing() -> None:
    net = printer()
    with pytest.raises(NetError) as caught:
        net.fire({"paper": 1, "jam": 1, "power": 1}, "print")
    text = str(caught.value)
    assert "place 'job' holds 0 of 1 token needed" in text
    assert "place 'paper' holds 1 of 2 tokens needed" in text
    assert "place 'jam' holds 1 token, where fewer than 1 are wanted" in text
    assert "Enabled: 'switch_off'" in text


def test_why_not_is_empty_for_an_enabled_transition() -> None:
    net = printer()
    assert net.why_not(net.initial_marking, "print") == ()


def test_a_firing_sequence_returns_every_marking_it_passes() -> None:
    net = printer()
    passed = net.fire_sequence(["print", "switch_off"])
    assert [m.to_dict() for m in passed] == [
        {"job": 2, "paper": 3, "power": 1},
        {"job": 1, "paper": 1, "power": 1, "printed": 1},
        {"paper": 1, "printed": 1},
    ]


def test_enabled_transitions_come_in_the_order_of_the_net() -> None:
    assert printer().enabled(printer().initial_marking) == ("print", "switch_off")


def test_presets_follow_normal_arcs_unless_other_kinds_are_named() -> None:
    net = printer()
    assert net.preset("print") == ("job", "paper")
    assert net.preset("print", ArcKind.READ, ArcKind.INHIBITOR) == ("power", "jam")
    assert net.postset("job") == ("print",)
    assert net.postset("job", ArcKind.RESET) == ("switch_off",)


def test_labels_and_sources_fall_back_to_name_and_none() -> None:
    net = printer()
    assert net.label("print") == "Print a job"
    assert net.label("jam") == "jam"
    assert net.source("print") == "transition 3"
    assert net.source("jam") is None
    assert dict(net.labels) == {"print": "Print a job"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"places": ["p", "p"]}, "2 places are called 'p'"),
        ({"transitions": ["t", "t"]}, "2 transitions are called 't'"),
        ({"transitions": ["p"]}, "'p' names a place and a transition"),
        ({"places": ["p", ""]}, "at least one sign"),
        ({"places": ["p", 3]}, "not 3"),
        ({"name": "  "}, "a net needs a name"),
        ({"arcs": [("p", "tt")]}, "ends at 'tt', which is neither"),
        ({"arcs": [("p", "tt")]}, "Did you mean 't'?"),
        ({"arcs": [("q", "t")]}, "starts at 'q'"),
        ({"arcs": [("p", "t", 0)]}, "from 1 to 2**53, not 0"),
        ({"arcs": [("p", "t", -2)]}, "from 1 to 2**53, not -2"),
        ({"arcs": [("p", "t", 2**53 + 1)]}, "from 1 to 2**53"),
        ({"arcs": [("p", "t", 1.5)]}, "whole number, not 1.5"),
        ({"arcs": [("p", "t", True)]}, "not True"),
        ({"arcs": [("p", "p")]}, "joins two places"),
        ({"arcs": [("t", "t")]}, "joins two transitions"),
        ({"arcs": [("t", "p", 1, "read")]}, "read arc from a transition"),
        ({"arcs": [("p", "t", 2, "reset")]}, "a reset arc has weight 1, not 2"),
        ({"arcs": [("p", "t", 1, "inhibiter")]}, "Did you mean 'inhibitor'?"),
        ({"arcs": [("p", "t"), ("p", "t", 2)]}, "2 normal arcs 'p' -> 't'"),
        ({"arcs": ["pt"]}, "'pt' is not an arc"),
        ({"initial_marking": {"x": 1}}, "'x' is not a place"),
        ({"initial_marking": {"p": -1}}, "must not be negative"),
        ({"initial_marking": {"p": 0.5}}, "whole number, not 0.5"),
        ({"initial_marking": {"p": 2**53 + 1}}, "from 0 to 2**53"),
        ({"initial_marking": [1, 2]}, "has 1 place;"),
        ({"final_marking": {"x": 1}}, "'x' is not a place"),
        ({"labels": {"x": "X"}}, "labels mention 'x'"),
        ({"sources": {"p": 4}}, "must be a text, not 4"),
    ],
)
def test_a_wrong_net_is_refused_with_the_values_concerned(change: dict[str, object], words: str) -> None:
    arguments: dict[str, Any] = {
        "name": "n",
        "places": ["p"],
        "transitions": ["t"],
        "arcs": [("p", "t")],
        "initial_marking": {"p": 1},
    }
    with pytest.raises(NetError) as caught:
        PetriNet(**{**arguments, **change})
    assert words in str(caught.value)


def test_the_largest_weight_and_count_are_accepted() -> None:
    net = PetriNet("n", ["p"], ["t"], [("p", "t", 2**53)], {"p": 2**53})
    assert net.fire(net.initial_marking, "t") == {}


def test_a_net_cannot_be_changed() -> None:
    net = printer()
    with pytest.raises(AttributeError, match="immutable"):
        net.name = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        del net.name
    with pytest.raises(TypeError):
        net.labels["jam"] = "Jam"  # type: ignore[index]


def test_unknown_nodes_are_errors_of_both_families() -> None:
    net = printer()
    for ask in (
        lambda: net.fire(net.initial_marking, "prnt"),
        lambda: net.initial_marking["jobs"],
        lambda: net.preset("x"),
        lambda: net.label("x"),
    ):
        with pytest.raises(UnknownNode):
            ask()
    with pytest.raises(KeyError):
        net.initial_marking["jobs"]
    with pytest.raises(WfsimError, match="Did you mean 'print'"):
        net.transition_index("prnt")


def test_a_marking_reads_like_a_dict_of_all_places() -> None:
    marking = printer().initial_marking
    assert dict(marking) == {"job": 2, "paper": 3, "power": 1, "jam": 0, "printed": 0}
    assert marking.support() == ("job", "paper", "power")
    assert marking.total == 6
    assert "jam" in marking
    assert "jams" not in marking
    assert repr(marking) == "Marking(job: 2, paper: 3, power: 1)"
    assert repr(printer().marking({})) == "Marking(empty)"


def test_markings_are_equal_by_what_they_mark() -> None:
    net, same = printer(), printer()
    assert net.initial_marking == same.initial_marking
    assert hash(net.initial_marking) == hash(same.initial_marking)
    assert net.initial_marking != net.marking({"job": 2})
    assert net.marking({"job": 1}) == {"job": 1, "jam": 0}
    assert net.marking({"job": 1}) != {"job": 1, "elsewhere": 0}
    assert net.marking({"job": 1}) != {"jam": 0}
    other = PetriNet("o", ["a", "b", "c", "d", "e"], [], [], [2, 3, 1, 0, 0])
    assert other.initial_marking.tokens == net.initial_marking.tokens
    assert other.initial_marking != net.initial_marking


def test_covering_compares_place_by_place() -> None:
    net = printer()
    small, large, other = net.marking({"job": 1}), net.marking({"job": 1, "jam": 1}), net.marking({"jam": 2})
    assert large.covers(small)
    assert large.strictly_covers(small)
    assert small.covers(small)
    assert not small.strictly_covers(small)
    assert not other.covers(small)


def test_dict_and_pickle_give_an_equal_net() -> None:
    net = printer().with_marking({"job": 1}, {"printed": 1})
    data = json.loads(json.dumps(net.to_dict()))
    assert PetriNet.from_dict(data) == net
    assert hash(PetriNet.from_dict(data)) == hash(net)
    assert pickle.loads(pickle.dumps(net)) == net
    assert pickle.loads(pickle.dumps(net.initial_marking)) == net.initial_marking


def test_nets_differ_by_marking_and_by_label() -> None:
    net = printer()
    assert net != net.with_marking({"job": 1})
    relabelled = PetriNet.from_dict({**net.to_dict(), "labels": {}})
    assert relabelled != net


def test_from_dict_refuses_unknown_and_missing_keys() -> None:
    data = printer().to_dict()
    with pytest.raises(NetError, match="Did you mean 'labels'"):
        PetriNet.from_dict({**data, "label": {}})
    del data["arcs"]
    with pytest.raises(NetError, match="lacks 'arcs'"):
        PetriNet.from_dict(data)


def test_networkx_holds_every_node_and_arc_with_its_attributes() -> None:
    net = printer()
    graph = net.to_networkx()
    assert set(graph) == {*net.places, *net.transitions}
    assert graph.nodes["paper"] == {
        "bipartite": 0,
        "label": "paper",
        "source": None,
        "tokens": 3,
        "final_tokens": None,
    }
    assert graph.nodes["print"]["bipartite"] == 1
    edges = {(s, t, d["weight"], d["kind"]) for s, t, d in graph.edges(data=True)}
    assert edges == {(a.source, a.target, a.weight, str(a.kind)) for a in net.arcs}


def test_the_representation_counts_what_there_is() -> None:
    assert repr(printer()) == (
        "PetriNet('printer', 5 places, 2 transitions, 7 arcs (1 inhibitor, 1 read, 1 reset), 6 tokens)"
    )
