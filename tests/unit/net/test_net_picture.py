"""Nets as pictures."""

from __future__ import annotations

import pickle
from xml.etree import ElementTree

from wfsim.net.petri import MAX_DRAWN, PetriNet
from wfsim.net.picture import arc_ids, picture


def net() -> PetriNet:
    arcs = [
        ("p", "t", 2),
        ("q", "t", 1, "read"),
        ("r", "t", 3, "inhibitor"),
        ("s", "t", 1, "reset"),
        ("t", "p"),
    ]
    labels = {"t": "Tick <1>", "p": "Purse"}
    return PetriNet("till", ["p", "q", "r", "s"], ["t"], arcs, {"p": 2, "q": 1}, {"p": 1}, labels=labels)


def test_places_are_circles_with_tokens_and_transitions_boxes() -> None:
    nodes = {node.id: node for node in picture(net()).nodes}
    assert (nodes["p"].shape, nodes["p"].tokens, nodes["p"].label) == ("circle", 2, "Purse")
    assert nodes["p"].lines == ("final: 1",)
    assert nodes["q"].lines == ()
    assert (nodes["t"].shape, nodes["t"].tokens, nodes["t"].label) == ("box", None, "Tick <1>")


def test_every_kind_of_arc_has_its_own_look() -> None:
    edges = {edge.id: edge for edge in picture(net()).edges}
    assert {i: (e.style, e.head, e.label) for i, e in edges.items()} == {
        "p -> t": ("solid", "arrow", "2"),
        "q -> t (read)": ("dashed", "none", ""),
        "r -> t (inhibitor)": ("solid", "circle", "3"),
        "s -> t (reset)": ("solid", "double", ""),
        "t -> p": ("solid", "arrow", ""),
    }


def test_another_marking_can_be_shown() -> None:
    nodes = {node.id: node for node in picture(net(), {"r": 7}).nodes}
    assert [nodes[p].tokens for p in "pqrs"] == [0, 0, 7, 0]


def test_arcs_with_confusable_names_have_different_identifiers() -> None:
    arcs = [("a", "b -> c"), ("a -> b", "c"), ("x", "c")]
    confusing = PetriNet("n", ["a", "a -> b", "x", "x -> c"], ["b -> c", "c"], arcs, {})
    assert list(arc_ids(confusing).values()) == ["a -> b -> c", "a -> b -> c'", "x -> c'"]
    assert len(picture(confusing).edges) == 3


def test_a_notebook_gets_svg_and_one_line_of_text() -> None:
    bundle = net()._repr_mimebundle_()
    assert bundle["text/plain"] == repr(net())
    root = ElementTree.fromstring(bundle["image/svg+xml"])
    assert root.tag.endswith("svg")
    assert "Tick <1>" in "".join(root.itertext())
    assert bundle == pickle.loads(pickle.dumps(net()))._repr_mimebundle_()


def test_a_large_net_is_shown_as_text_only() -> None:
    large = PetriNet("large", [f"p{i}" for i in range(MAX_DRAWN + 1)], [], [], {})
    bundle = large._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert repr(large) in bundle["text/plain"]
    assert "more than 300 nodes" in bundle["text/plain"]
