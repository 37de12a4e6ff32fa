"""Nets as pictures."""

from __future__ import annotations

import pickle

import wfsim as wf
from wfsim.net.petri import MAX_DRAWN, PetriNet
from wfsim.net.picture import arc_ids, overview, picture


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


def test_a_notebook_gets_an_image_and_one_line_of_text() -> None:
    bundle = net()._repr_mimebundle_()
    assert bundle["text/plain"] == repr(net())
    assert "Tick &lt;1&gt;" in bundle["text/html"]
    assert "net transition" in bundle["text/html"]
    assert bundle == pickle.loads(pickle.dumps(net()))._repr_mimebundle_()


def test_a_large_net_is_shown_as_text_only() -> None:
    large = PetriNet("large", [f"p{i}" for i in range(MAX_DRAWN + 1)], [], [], {})
    bundle = large._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert repr(large) in bundle["text/plain"]
    assert "more than 300 nodes" in bundle["text/plain"]


def test_an_overview_has_one_circle_for_each_state_and_one_box_for_each_label() -> None:
    net = wf.to_net(wf.load("models/order_fulfilment.yaml"))
    short = overview(net).picture
    circles = [node for node in short.nodes if node.shape == "circle"]
    assert len({node.label for node in circles}) == len(circles)
    assert {"placed", "fulfilling", "fulfilling/goods/packing", "shipping", "review"} <= {
        node.label for node in circles
    }
    boxes = [node.label for node in short.nodes if node.shape == "box"]
    assert len(set(boxes)) == len(boxes)
    # The attempts of an activity stay inside its state.
    assert not any(label.endswith(("starts", "is tried again")) for label in boxes)
    assert len(short.nodes) < 100
    assert [node.tokens for node in circles if node.label == "start"] == [1]


def test_what_a_net_transition_only_needs_is_dashed() -> None:
    arcs = [("a", "t"), ("t", "b"), ("r", "t"), ("t", "r")]
    edges = {
        (e.source, e.target): e.style for e in overview(PetriNet("n", ["a", "b", "r"], ["t"], arcs, {})).picture.edges
    }
    assert edges == {
        ("a", "net transition t"): "solid",
        ("r", "net transition t"): "dashed",
        ("net transition t", "b"): "solid",
    }


def test_a_large_net_is_drawn_as_an_overview() -> None:
    net = wf.to_net(wf.load("models/order_fulfilment.yaml"))
    assert len(net.places) + len(net.transitions) > MAX_DRAWN
    assert len(wf.picture(net).nodes) == len(overview(net).picture.nodes)
    assert "<svg" in wf.picture(net).to_svg()
