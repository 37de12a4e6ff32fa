"""Large pictures stay small, quick and readable: edges are cut, strips are folded, by what is counted."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest

from wfsim.drawing import Edge, Group, Node, Picture
from wfsim.drawing import layout as layouts
from wfsim.drawing.columns import TALL, columns, count_columns
from wfsim.drawing.cuts import BUNDLE

SVG = "{http://www.w3.org/2000/svg}"


def hub(n: int, label: str = "cancel", direction: Any = "TB") -> Picture:
    """A chain of states that all lead to one."""
    nodes = [*(Node(f"s{k}", f"state {k}") for k in range(n)), Node("end", "cancelled", "double", "terminal_failure")]
    edges = [Edge(f"go {k}", f"s{k}", f"s{k + 1}", "go") for k in range(n - 1)]
    edges += [Edge(f"out {k}", f"s{k}", "end", label.format(k)) for k in range(n)]
    return Picture("hub", nodes, edges, direction=direction)


def boxes(data: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {item["id"]: item["box"] for item in (*data["nodes"], *data["tags"])}


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    return (
        a["x"] < b["x"] + b["width"]
        and b["x"] < a["x"] + a["width"]
        and a["y"] < b["y"] + b["height"]
        and b["y"] < a["y"] + a["height"]
    )


def test_many_edges_on_one_event_to_one_target_end_at_tags_and_arrive_as_one() -> None:
    data = hub(BUNDLE).to_dict()
    to = [tag for tag in data["tags"] if tag["way"] == "to"]
    assert [tag["edges"] for tag in to] == [[f"out {k}"] for k in range(BUNDLE)]
    assert {(tag["of"], tag["role"], tag["text"]["lines"][0]["text"]) for tag in to} == {
        ("end", "terminal_failure", "cancelled")
    }
    (back,) = [tag for tag in data["tags"] if tag["way"] == "from"]
    assert back["text"]["lines"][0]["text"] == f"{BUNDLE} × cancel"
    (arrival,) = data["arrivals"]
    assert (arrival["tag"], arrival["target"]) == (back["id"], "end")
    assert arrival["edges"] == [f"out {k}" for k in range(BUNDLE)]
    # The edges are still those of the picture.
    assert [(edge["id"], edge["target"]) for edge in data["edges"]] == [
        (edge.id, edge.target) for edge in hub(BUNDLE).edges
    ]
    assert [edge["tag"] for edge in data["edges"]][-BUNDLE:] == [tag["id"] for tag in to]


@pytest.mark.parametrize("picture", [hub(BUNDLE - 1), hub(20, ""), hub(20, "cancel {}")])
def test_fewer_edges_those_of_other_events_and_those_that_say_nothing_are_drawn_whole(picture: Picture) -> None:
    data = picture.to_dict()
    assert data["tags"] == data["arrivals"] == []
    assert all(edge["tag"] is None for edge in data["edges"])


def test_an_arrival_is_lit_with_an_edge_and_as_heavy_as_all_of_them() -> None:
    picture = hub(BUNDLE)
    (arrival,) = (each["id"] for each in picture.to_dict()["arrivals"])

    def drawn(**how: Any) -> ElementTree.Element:
        root = ElementTree.fromstring(picture.to_svg(**how))
        return next(g for g in root.iter(f"{SVG}g") if g.get("data-id") == arrival)

    assert "problem" not in str(drawn().get("class"))
    assert "problem" in str(drawn(highlight={"out 3": "problem"}).get("class"))

    def width(weights: dict[str, float]) -> float:
        line = next(path for path in drawn(weights=weights).iter(f"{SVG}path") if path.get("class") == "line")
        return float(str(line.get("stroke-width")))

    one = {"go 1": 10.0, "out 1": 1.0}
    assert (width(one), width(one | {"out 2": 4.0})) == (pytest.approx(1.7), pytest.approx(4.5))


def test_a_workflow_of_five_hundred_states_is_drawn_whatever_all_of_them_can_do() -> None:
    picture = hub(500)
    assert len(picture.edges) > layouts.MAX_EDGES
    drawn = boxes(picture.to_dict())
    assert drawn.keys() >= {node.id for node in picture.nodes}


def test_identifiers_of_tags_are_no_others() -> None:
    taken = [Node(f"{way} out 0", "x") for way in ("to", "from", "arrival")]
    made = hub(BUNDLE)
    data = Picture("taken", [*made.nodes, *taken], made.edges).to_dict()
    names = [item["id"] for kind in ("nodes", "edges", "tags", "arrivals") for item in data[kind]]
    assert len(set(names)) == len(names)


def test_the_longest_edges_of_a_large_picture_are_cut_until_few_ranks_are_passed() -> None:
    chance = random.Random(3)
    nodes = [Node(f"s{k}", f"state {k}") for k in range(150)]
    edges = [Edge(f"e{k}", f"s{chance.randrange(k)}", f"s{k}", f"go {k}") for k in range(1, 150)]
    edges += [Edge(f"x{k}", f"s{chance.randrange(150)}", f"s{chance.randrange(150)}", f"x {k}") for k in range(100)]
    picture = Picture("random", nodes, edges)
    data = picture.to_dict()
    at = {name: box["y"] + box["height"] / 2 for name, box in boxes(data).items()}
    ranks = {y: number for number, y in enumerate(sorted({round(y) for y in at.values()}))}
    spans = {
        edge["id"]: abs(ranks[round(at[edge["source"]])] - ranks[round(at[edge["target"]])]) for edge in data["edges"]
    }
    whole = [spans[edge["id"]] for edge in data["edges"] if edge["tag"] is None]
    cut = [spans[edge["id"]] for edge in data["edges"] if edge["tag"]]
    assert cut
    # What Graphviz is asked for may come out longer than it was estimated.
    assert sum(whole) < 2 * (layouts.MOST_RANKS + len(edges))
    assert not any(overlap(a, b) for a, b in combinations(boxes(data).values(), 2))


@pytest.mark.parametrize("direction", ["TB", "LR", "BT", "RL"])
def test_a_strip_is_folded(direction: Any) -> None:
    picture = hub(100, direction=direction)
    data = picture.to_dict()
    assert max(data["width"], data["height"]) < 4 * min(data["width"], data["height"])
    at = boxes(data)
    assert not any(overlap(a, b) for a, b in combinations(at.values(), 2))
    for box in at.values():
        assert 0 <= box["x"] <= data["width"] - box["width"]
        assert 0 <= box["y"] <= data["height"] - box["height"]
    # Where a column ends the chain goes on from a tag in the next one.
    ends = [tag for tag in data["tags"] if tag["edges"][0].startswith("go")]
    assert [tag["way"] for tag in ends].count("to") == [tag["way"] for tag in ends].count("from") > 0


def test_a_group_is_in_one_column_with_all_that_is_in_it() -> None:
    groups = [Group(f"g{k}", f"region {k}") for k in range(30)]
    nodes = [Node(f"n{k}-{i}", f"state {i}", group=f"g{k}") for k in range(30) for i in range(3)]
    edges = [Edge(f"e{k}-{i}", f"n{k}-{i}", f"n{k}-{i + 1}", "go") for k in range(30) for i in range(2)]
    edges += [Edge(f"x{k}", f"g{k}", f"g{k + 1}", "next") for k in range(29)]
    data = Picture("groups", nodes, edges, groups).to_dict()
    frames = {group["id"]: group["box"] for group in data["groups"]}
    assert len({round(box["x"]) // 400 for box in frames.values()}) > 1
    for node in data["nodes"]:
        frame, box = frames[node["group"]], node["box"]
        assert frame["x"] < box["x"]
        assert box["x"] + box["width"] < frame["x"] + frame["width"]
        assert frame["y"] < box["y"]
        assert box["y"] + box["height"] < frame["y"] + frame["height"]
    assert not any(overlap(a, b) for a, b in combinations(frames.values(), 2))


def test_columns_are_parted_where_few_edges_cross() -> None:
    extents = {str(k): (10.0 * k, 10.0 * k + 8) for k in range(10)}
    # Everything from 0 to 5 is bound to 0, the rest to 6.
    edges = [("0", str(k)) for k in range(1, 6)] + [("6", str(k)) for k in range(7, 10)] + [("0", "5"), ("5", "6")]
    column = columns(extents, edges, 2)
    assert [column[str(k)] for k in range(10)] == [0] * 6 + [1] * 4
    # Nothing is divided, so that where all hangs together there is one column.
    assert set(columns({"long": (0.0, 100.0), "a": (0.0, 10.0), "b": (20.0, 30.0)}, [], 3).values()) == {0}


def test_what_is_no_strip_is_not_folded() -> None:
    assert count_columns(TALL - 1, 10.0) == 1
    assert count_columns(10_000.0, 9_000.0) == 1
    assert count_columns(10_000.0, 200.0) > 3


def test_a_loop_for_each_of_twenty_events_shows_them_all() -> None:
    lines = tuple(f"or event_{k}" for k in range(1, 20))
    data = Picture("loops", [Node("a", "a")], [Edge("e", "a", "a", "event_0", lines)]).to_dict()
    shown = [line["text"] for line in data["edges"][0]["text"]["lines"]]
    assert shown == ["event_0", *lines]
