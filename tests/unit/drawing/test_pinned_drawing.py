"""Drawings whose nodes stand where a person has put them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.random_cases import cases
from wfsim.drawing import Edge, Group, Node, Picture
from wfsim.drawing.boxes import Box, around
from wfsim.drawing.cuts import BUNDLE
from wfsim.drawing.layout import compute

if TYPE_CHECKING:
    from wfsim.drawing.graph import Graph
    from wfsim.drawing.placed import Layout

FRAMED = Picture(
    "framed",
    [
        Node("dot", "", shape="dot", role="initial", group="inner"),
        Node("a", "a", group="inner"),
        Node("b", "b", group="inner"),
        Node("c", "c"),
    ],
    [
        Edge("begins", "dot", "a"),
        Edge("go", "a", "b", "go"),
        Edge("back", "b", "a", "back"),
        Edge("again", "b", "b", "again"),
        Edge("leaves", "outer", "c", "done"),
    ],
    [Group("outer", "outer"), Group("inner", "inner", parent="outer")],
)


def boxes(picture: Picture) -> dict[str, Box]:
    data = picture.to_dict()
    return {each["id"]: Box(**each["box"]) for each in (*data["nodes"], *data["groups"])}


def points(picture: Picture, edge: str) -> list[list[float]]:
    found: list[list[float]] = next(each["points"] for each in picture.to_dict()["edges"] if each["id"] == edge)
    return found


def holds(outer: Box, inner: Box) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and outer.x + outer.width >= inner.x + inner.width
        and outer.y + outer.height >= inner.y + inner.height
    )


def on_border(box: Box, point: list[float]) -> bool:
    x, y = point
    across = min(abs(x - box.x), abs(x - box.x - box.width))
    along = min(abs(y - box.y), abs(y - box.y - box.height))
    grown = Box(box.x - 0.1, box.y - 0.1, box.width + 0.2, box.height + 0.2)
    return min(across, along) < 0.1 and holds(grown, Box(x, y, 0, 0))


def test_a_node_stands_where_it_was_put_and_its_edges_end_at_it() -> None:
    free = boxes(FRAMED)
    at = (free["b"].x + 300, free["b"].y + 40)
    moved = FRAMED.pinned({"b": at})
    now = boxes(moved)
    assert (now["b"].x, now["b"].y) == at
    assert now["a"] == free["a"]
    for edge, ends in {"go": ("a", "b"), "back": ("b", "a")}.items():
        assert on_border(now[ends[0]], points(moved, edge)[0])
        assert on_border(now[ends[1]], points(moved, edge)[-1])
    # A loop goes along as it is.
    assert points(moved, "again")[0][0] - points(FRAMED, "again")[0][0] == 300


def test_frames_grow_round_what_is_put_outside_and_shrink_with_what_comes_back() -> None:
    free = boxes(FRAMED)
    moved = FRAMED.pinned({"b": (free["b"].x - 400, free["b"].y + 500)})
    now = boxes(moved)
    assert holds(now["inner"], now["b"])
    assert holds(now["outer"], now["inner"])
    assert now["b"].x - now["inner"].x == free["b"].x - free["inner"].x
    assert on_border(now["outer"], points(moved, "leaves")[0])
    assert boxes(moved.pinned({})) == free
    closer = boxes(FRAMED.pinned({"b": (free["a"].x + 60, free["a"].y)}))
    assert closer["inner"].height < free["inner"].height


def test_a_frame_is_put_somewhere_with_all_that_is_in_it_but_what_has_a_place_itself() -> None:
    free = boxes(FRAMED)
    at = (free["outer"].x + 200, free["outer"].y - 90)
    now = boxes(FRAMED.pinned({"outer": at}))
    assert (now["outer"].x, now["outer"].y) == pytest.approx(at)
    for inside in ("inner", "a", "b", "dot"):
        assert (now[inside].x - free[inside].x, now[inside].y - free[inside].y) == pytest.approx((200, -90))
    assert now["c"] == free["c"]
    apart = boxes(FRAMED.pinned({"outer": at, "b": (free["b"].x, free["b"].y)}))
    assert apart["b"] == free["b"]
    assert apart["a"] == now["a"]
    assert holds(apart["outer"], apart["b"])


def test_edges_between_the_same_two_nodes_keep_apart_with_their_texts() -> None:
    many = [Edge(f"e{k}", "a", "b", f"event number {k}") for k in range(3)]
    picture = Picture("many", [Node("a", "a"), Node("b", "b")], [*many, Edge("back", "b", "a", "back again")])
    moved = picture.pinned({"b": (500, 300)}).to_dict()
    texts = [Box(*(each["text"][key] for key in ("x", "y", "width", "height"))) for each in moved["edges"]]
    for number, one in enumerate(texts):
        for other in texts[number + 1 :]:
            assert (
                one.x + one.width <= other.x
                or other.x + other.width <= one.x
                or one.y + one.height <= other.y
                or other.y + other.height <= one.y
            )


def test_the_dot_before_a_state_and_the_tag_of_an_edge_that_is_cut_go_along() -> None:
    free, moved = boxes(FRAMED), boxes(FRAMED.pinned({"a": (0.0, 0.0)}))
    assert moved["dot"].x - free["dot"].x == -free["a"].x
    states = [Node(f"s{k}", f"s{k}") for k in range(BUNDLE)]
    stops = [Edge(f"stop{k}", f"s{k}", "end", "stop") for k in range(BUNDLE)]
    cut = Picture("cut", [*states, Node("end", "end")], stops)
    now = cut.pinned({"s0": (-90.0, -70.0), "end": (10.0, 900.0)}).to_dict()
    before = cut.to_dict()
    shift = {
        tag["id"]: pytest.approx((new["box"]["x"] - tag["box"]["x"], new["box"]["y"] - tag["box"]["y"]))
        for tag, new in zip(before["tags"], now["tags"])
    }
    at = {node["id"]: node["box"] for node in before["nodes"]}
    assert shift["to stop0"] == (-90 - at["s0"]["x"], -70 - at["s0"]["y"])
    assert shift["to stop1"] == (0, 0)
    assert shift["from stop0"] == (10 - at["end"]["x"], 900 - at["end"]["y"])


def test_what_is_left_of_the_page_makes_the_page_larger() -> None:
    moved = FRAMED.pinned({"c": (-500.0, -300.0)})
    data = moved.to_dict()
    page = Box(data["x"], data["y"], data["width"], data["height"])
    assert all(holds(page, box) for box in boxes(moved).values())
    svg = moved.to_svg()
    drawn = [float(each) for each in ET.fromstring(svg).attrib["viewBox"].split()]
    assert drawn == pytest.approx([page.x, page.y, page.width, page.height], abs=0.05)


def test_a_picture_is_laid_out_once_however_often_nodes_are_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[str] = []

    def counted(graph: Graph) -> Layout:
        laid_out.append(graph.title)
        return compute(graph)

    monkeypatch.setattr("wfsim.drawing.picture.compute", counted)
    picture = Picture("once", [Node("a", "a"), Node("b", "b")], [Edge("go", "a", "b")])
    for x in range(4):
        picture = picture.pinned({"a": (float(x), 0.0)})
        picture.to_svg()
    assert laid_out == ["once"]
    assert picture != picture.pinned({})
    assert picture.pinned({}) == Picture("once", picture.nodes, picture.edges)


@cases(100)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "dot", "outer", "gone"]),
        st.tuples(st.integers(-2000, 2000).map(float), st.integers(-2000, 2000).map(float)),
    )
)
def test_wherever_nodes_are_put_all_is_on_the_page_and_in_its_frame(
    pins: dict[str, tuple[float, float]],
) -> None:
    moved = FRAMED.pinned(pins)
    layout = moved.layout()
    now = boxes(moved)
    page = Box(layout.x, layout.y, layout.width, layout.height)
    texts = [edge.text.box for edge in layout.edges if edge.text]
    curves = [point for edge in layout.edges for point in edge.curve]
    assert holds(page, around([*now.values(), *texts, layout.title.box], curves))
    assert holds(now["outer"], now["inner"])
    assert all(holds(now["inner"], now[name]) for name in ("a", "b", "dot"))
