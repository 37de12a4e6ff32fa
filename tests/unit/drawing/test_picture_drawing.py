"""Pictures: layout, SVG, data and text of small graphs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.random_cases import cases
from wfsim.drawing import Edge, Group, Node, Picture
from wfsim.drawing.layout import MAX_EDGES, MAX_NODES
from wfsim.drawing.roles import SHADE_TONES
from wfsim.drawing.still import still
from wfsim.errors import DrawingError
from wfsim.model.yaml_io import load

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "title", "desc", "style", "g", "rect", "circle", "path", "text", "tspan"}


def order() -> Picture:
    states = ["created", "paid", "shipped"]
    nodes = [Node("@", "", shape="dot", role="initial"), *(Node(s, s) for s in states)]
    nodes += [
        Node("delivered", "delivered", shape="double", role="terminal_success"),
        Node("cancelled", "cancelled", shape="double", role="terminal_failure"),
    ]
    edges = [
        Edge("start", "@", "created"),
        Edge("pay", "created", "paid", "payment_completed", ("[context.n < 3]", "/ charge_card")),
        Edge("ship", "paid", "shipped", "order_shipped"),
        Edge("deliver", "shipped", "delivered", "order_delivered"),
        Edge("late", "shipped", "cancelled", "timeout 14d", role="timer"),
        *(Edge(f"cancel {s}", s, "cancelled", "order_cancelled", role="error") for s in states),
    ]
    return Picture("order", nodes, edges)


def nested() -> Picture:
    return Picture(
        "nested",
        [
            Node("before", "before"),
            Node("a", "a", group="left"),
            Node("b", "b", shape="double", group="left"),
            Node("c", "c", group="right"),
            Node("after", "after"),
        ],
        [
            Edge("enter", "before", "outer", "start"),
            Edge("ab", "a", "b", "go"),
            Edge("leave", "outer", "after", "done", role="automatic"),
            Edge("again", "outer", "outer", "restart", ("[context.tries < 2]",)),
        ],
        [Group("outer", "outer"), Group("left", "left", "outer"), Group("right", "right", "outer")],
    )


def net(**kwargs: Any) -> Picture:
    return Picture(
        "net",
        [
            Node("p", "a place with a rather long name, in two lines", "circle", "place", tokens=3),
            Node("q", "q", "circle", "place", tokens=12345),
            Node("t", "t", "box", "transition"),
        ],
        [Edge("a", "p", "t"), Edge("b", "t", "q", "2"), Edge("c", "q", "t", head="circle")],
        **kwargs,
    )


def boxes(data: dict[str, Any]) -> list[dict[str, float]]:
    return [node["box"] for node in data["nodes"]]


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    return (
        a["x"] < b["x"] + b["width"]
        and b["x"] < a["x"] + a["width"]
        and a["y"] < b["y"] + b["height"]
        and b["y"] < a["y"] + a["height"]
    )


def inside(inner: dict[str, float], outer: dict[str, float], slack: float = 0.02) -> bool:
    return (
        inner["x"] >= outer["x"] - slack
        and inner["y"] >= outer["y"] - slack
        and inner["x"] + inner["width"] <= outer["x"] + outer["width"] + slack
        and inner["y"] + inner["height"] <= outer["y"] + outer["height"] + slack
    )


def elements(svg: str, kind: str, name: str) -> ElementTree.Element:
    found = [
        g
        for g in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if g.get("data-id") == name and str(g.get("class")).split()[0] == kind
    ]
    assert len(found) == 1
    return found[0]


def geometry(svg: str) -> list[tuple[str, ...]]:
    """Positions of outlines and texts, whatever their looks."""
    root = ElementTree.fromstring(svg)
    return [
        (element.tag, *(element.get(key, "") for key in ("x", "y", "cx", "cy", "width", "height")))
        for element in root.iter()
        if element.tag in {f"{SVG}rect", f"{SVG}tspan"}
    ]


def test_the_same_picture_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; from wfsim.drawing import *;"
        "sys.stdout.write(Picture('p', [Node('a', 'a'), Node('b', 'ü')],"
        " [Edge('e', 'a', 'b', 'go'), Edge('f', 'b', 'a')]).to_svg({'a': 'active', 'e': 'visited'}))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, *sys.path],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert b"<svg" in runs[0]


def test_layout_needs_no_program_on_the_path() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; from wfsim.drawing import *;"
        "print(len(Picture('p', [Node('a', 'a')], [Edge('e', 'a', 'a')]).layout().edges))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *sys.path],
        env={**os.environ, "PATH": ""},
        capture_output=True,
        check=True,
        text=True,
    )
    assert run.stdout == "1\n"


def test_importing_pictures_loads_no_heavy_library() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import wfsim.drawing;"
        "print([m for m in ('pygraphviz', 'numpy', 'networkx') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code, *sys.path], capture_output=True, check=True, text=True)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize("picture", [order(), nested(), net(), net(direction="LR")], ids=lambda p: p.title)
def test_svg_is_well_formed_and_of_allowed_elements_only(picture: Picture) -> None:
    root = ElementTree.fromstring(picture.to_svg())
    assert {element.tag for element in root.iter()} <= {SVG + name for name in ALLOWED}
    assert root.get("role") == "img"
    named = {element.get("id") for element in root.iter() if element.get("id")}
    assert set(str(root.get("aria-labelledby")).split()) <= named


def test_svg_follows_browser_and_jupyter_themes() -> None:
    svg = order().to_svg()
    assert "@media (prefers-color-scheme:dark)" in svg
    assert '[data-jp-theme-light="false"]' in svg.replace("&quot;", '"')
    assert "--wf-page:#ffffff" in svg
    assert "--wf-page:#111111" in svg
    assert "var(--jp-layout-color0," in svg
    assert "url(" not in svg
    assert "@import" not in svg


def test_two_pictures_share_no_identifier() -> None:
    def identifiers(svg: str) -> set[str]:
        return set(re.findall(r'(?<![-\w])id="([^"]+)"', svg))

    first, second = order(), net()
    assert identifiers(first.to_svg()).isdisjoint(identifiers(second.to_svg()))
    assert identifiers(first.to_svg()).isdisjoint(identifiers(first.to_svg({"paid": "active"})))


def test_highlight_restyles_and_moves_nothing() -> None:
    picture = order()
    plain, lit = picture.to_svg(), picture.to_svg({"paid": "active", "late": "problem"})
    assert geometry(plain) == geometry(lit)
    assert "active" in str(elements(lit, "node", "paid").get("class"))
    assert "active" not in str(elements(plain, "node", "paid").get("class"))
    line = elements(lit, "edge", "late").findall(f"{SVG}path")[1]
    assert line.get("stroke-width") == "3.5"
    assert line.get("stroke-dasharray") == "6 4", "a lit timer is still drawn as a timer"


def test_weights_set_widths_and_move_nothing() -> None:
    picture = order()
    svg = picture.to_svg(weights={"pay": 100, "ship": 50})
    widths = {
        name: float(str(elements(svg, "edge", name).findall(f"{SVG}path")[1].get("stroke-width")))
        for name in ("pay", "ship", "late")
    }
    assert widths == {"pay": 8.0, "ship": 4.5, "late": 1.0}
    assert geometry(svg) == geometry(picture.to_svg())


def test_an_edges_own_weight_is_its_width() -> None:
    picture = Picture("w", [Node("a", "a"), Node("b", "b")], [Edge("e", "a", "b", weight=5)])
    assert 'stroke-width="8"' in picture.to_svg()
    assert "weight 5" in picture.to_svg()


def test_shades_colour_lines_and_borders_in_place_of_roles_on_light_and_dark_pages() -> None:
    nodes = [Node("a", "a", shade=5), Node("b", "b", shape="circle", role="place", shade=-1)]
    svg = Picture("shades", nodes, [Edge("go", "a", "b", shade=2)]).to_svg()
    ElementTree.fromstring(svg)
    for name, shade in {"more-5": 5, "less-1": -1, "more-2": 2}.items():
        tone = SHADE_TONES[shade]
        assert f'line {name}"' in svg
        assert f'stroke="{tone.light}"' in svg
        assert f".{name}{{--wf-line:{tone.dark}}}" in svg
    assert "more-1" not in svg
    with pytest.raises(DrawingError, match="no shade 6"):
        Picture("too dark", [Node("a", "a", shade=6)])


def test_tokens_are_dots_up_to_five_and_a_number_beyond() -> None:
    svg = net().to_svg()
    assert len([c for c in elements(svg, "node", "p").iter(f"{SVG}circle") if c.get("class") == "token"]) == 3
    texts = ["".join(text.itertext()) for text in elements(svg, "node", "q").iter(f"{SVG}text")]
    assert "12k" in texts
    assert "12,345 tokens" in str(elements(svg, "node", "q").findtext(f"{SVG}title"))


def test_another_marking_moves_nothing() -> None:
    picture = net()
    later = picture.to_svg(tokens={"p": 0, "q": 5})
    assert not [c for c in elements(later, "node", "p").iter(f"{SVG}circle") if c.get("class") == "token"]
    assert picture.to_dict() == net().to_dict()
    assert f'width="{picture.layout().width:g}"' in later


@pytest.mark.parametrize("direction", ["TB", "LR", "BT", "RL"])
@pytest.mark.parametrize("make", [order, nested, net])
def test_labels_lie_inside_their_boxes_and_everything_on_the_page(make: Any, direction: Any) -> None:
    data = replace_direction(make(), direction).to_dict()
    page = {"x": 0.0, "y": 0.0, "width": data["width"], "height": data["height"]}
    for item in [*data["nodes"], *data["groups"]]:
        assert inside(item["box"], page)
        if item["text"]:
            assert inside(item["text"], item["box"])
    for node in data["nodes"]:
        assert inside(node["outline"], node["box"])
        if node["text"] and node["shape"] == "circle":
            assert not overlap(node["text"], node["outline"])
        elif node["text"]:
            assert inside(node["text"], node["outline"])
    for edge in data["edges"]:
        assert all(0 <= x <= data["width"] and 0 <= y <= data["height"] for x, y in edge["points"])
        assert len(edge["points"]) % 3 == 1
        if edge["text"]:
            assert inside(edge["text"], page)
    assert not any(overlap(a, b) for a, b in combinations(boxes(data), 2))


def replace_direction(picture: Picture, direction: Any) -> Picture:
    return Picture(picture.title, picture.nodes, picture.edges, picture.groups, direction)


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_edges_end_at_the_circle_of_a_place(direction: Any) -> None:
    data = net(direction=direction).to_dict()
    outlines = {node["id"]: node["outline"] for node in data["nodes"] if node["shape"] == "circle"}
    ends = [(e["source"], e["points"][0]) for e in data["edges"]]
    ends += [(e["target"], e["points"][-1]) for e in data["edges"]]
    seen = 0
    for name, (x, y) in ends:
        if name in outlines:
            box = outlines[name]
            dx, dy = x - box["x"] - box["width"] / 2, y - box["y"] - box["height"] / 2
            assert (dx * dx + dy * dy) ** 0.5 == pytest.approx(box["width"] / 2, abs=0.6)
            seen += 1
    assert seen == 3


def test_an_edge_of_a_group_ends_at_its_border() -> None:
    data = nested().to_dict()
    outer = next(group["box"] for group in data["groups"] if group["id"] == "outer")
    edges = {edge["id"]: edge["points"] for edge in data["edges"]}

    def distance(point: list[float]) -> float:
        x, y = point
        return min(
            abs(x - outer["x"]),
            abs(x - outer["x"] - outer["width"]),
            abs(y - outer["y"]),
            abs(y - outer["y"] - outer["height"]),
        )

    for point in (edges["enter"][-1], edges["leave"][0], edges["again"][0], edges["again"][-1]):
        assert distance(point) < 1


def test_groups_hold_their_members_and_nothing_else() -> None:
    data = nested().to_dict()
    groups = {group["id"]: group["box"] for group in data["groups"]}
    around = {"a": {"left", "outer"}, "b": {"left", "outer"}, "c": {"right", "outer"}}
    for node in data["nodes"]:
        for name, box in groups.items():
            if name in around.get(node["id"], set()):
                assert inside(node["box"], box)
            else:
                assert not overlap(node["box"], box)
    assert inside(groups["left"], groups["outer"])


def test_an_empty_group_is_drawn_and_can_be_an_end() -> None:
    picture = Picture(
        "empty",
        [Node("a", "a")],
        [Edge("in", "a", "inner"), Edge("out", "g", "a"), Edge("self", "g", "g", "again")],
        [Group("g", "g"), Group("inner", "inner", "g")],
    )
    data = picture.to_dict()
    assert inside(data["groups"][1]["box"], data["groups"][0]["box"])
    assert len(data["edges"]) == 3


@pytest.mark.parametrize("direction", ["TB", "LR", "BT", "RL"])
@pytest.mark.parametrize("shape", ["rounded", "circle", "box", "double", "dot"])
def test_loops_of_a_node_and_their_texts_keep_apart(shape: Any, direction: Any) -> None:
    loops = [Edge(f"l{i}", "a", "a", f"loop {i}", ("[context.n < 5]",) * i) for i in range(3)]
    picture = Picture(
        "loops",
        [Node("a", "here", shape), Node("b", "there")],
        [*loops, Edge("go", "a", "b", "go"), Edge("back", "b", "a", "back")],
        direction=direction,
    )
    data = picture.to_dict()
    texts = [edge["text"] for edge in data["edges"]]
    assert not any(overlap(a, b) for a, b in combinations(texts, 2))
    outlines = [node["outline"] for node in data["nodes"]]
    assert not any(overlap(text, outline) for text in texts for outline in outlines)
    apexes = {tuple(edge["points"][1]) for edge in data["edges"][:3]}
    assert len(apexes) == 3


def test_parallel_edges_have_routes_and_labels_of_their_own() -> None:
    picture = Picture("p", [Node("a", "a"), Node("b", "b")], [Edge(f"e{i}", "a", "b", f"event {i}") for i in range(4)])
    data = picture.to_dict()
    assert len({json.dumps(edge["points"]) for edge in data["edges"]}) == 4
    assert not any(overlap(a["text"], b["text"]) for a, b in combinations(data["edges"], 2))


graphs = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.lists(
            st.tuples(
                st.text(max_size=30),
                st.sampled_from(["rounded", "circle", "box", "dot", "double"]),
                st.sampled_from([None, "g", "h"]),
            ),
            min_size=n,
            max_size=n,
        ),
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.text(max_size=12)), max_size=14),
        st.sampled_from(["TB", "LR", "BT", "RL"]),
    )
)


@cases(150)
@given(graphs)
def test_no_two_nodes_of_a_random_graph_overlap(graph: Any) -> None:
    specs, links, direction = graph
    picture = Picture(
        "random",
        [Node(f"n{i}", label, shape, group=group) for i, (label, shape, group) in enumerate(specs)],
        [Edge(f"e{i}", f"n{a}", f"n{b}", label) for i, (a, b, label) in enumerate(links)],
        [Group("g", "g"), Group("h", "h", "g")],
        direction,
    )
    data = picture.to_dict()
    assert not any(overlap(a, b) for a, b in combinations(boxes(data), 2))
    for node in data["nodes"]:
        if node["text"]:
            assert inside(node["text"], node["box"])
    ElementTree.fromstring(picture.to_svg())
    assert len(data["edges"]) == len(links)


def test_to_dict_is_json_and_carries_a_version() -> None:
    data = nested().to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["version"] == 2


def test_positions_of_to_dict_are_those_of_the_svg() -> None:
    picture = order()
    paid = next(node for node in picture.to_dict()["nodes"] if node["id"] == "paid")
    rectangle = elements(picture.to_svg(), "node", "paid").find(f"{SVG}rect")
    assert rectangle is not None
    drawn = {key: float(str(rectangle.get(key))) for key in ("x", "y", "width", "height")}
    assert drawn == pytest.approx(paid["outline"])


class Image(HTMLParser):
    """The attributes of the only element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "img"
        self.found.append(dict(attrs))


def test_a_notebook_gets_one_line_and_an_image_with_a_description() -> None:
    bundle = order()._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == "Picture('order': 6 nodes, 8 edges)"
    [image] = Image(bundle["text/html"]).found
    assert image["alt"] == "order. 5 states: created, paid, shipped, delivered, cancelled; 8 arrows."
    assert "max-width:100%" in str(image["style"])
    kind, _, text = str(image["src"]).partition(",")
    assert kind == "data:image/svg+xml"
    drawn = "".join(ElementTree.fromstring(unquote(text)).itertext())
    assert "payment_completed" in drawn
    assert "payment_completed" in "".join(ElementTree.fromstring(order().to_svg()).itertext())


def test_the_image_of_a_notebook_is_small() -> None:
    states = [Node(f"n{k}", f"state {k}") for k in range(20)]
    chain = Picture("chain", states, [Edge(f"e{k}", f"n{k}", f"n{k + 1}", "go") for k in range(19)])
    assert len(chain.to_html()) < len(chain.to_svg())
    order = load("models/order_processing.yaml")
    assert len(order._repr_mimebundle_()["text/html"]) < 22_000


def test_an_image_says_a_colour_once_for_each_role_and_page() -> None:
    one, many = (
        Picture("many", [Node(f"n{k}", f"#wf{k} #wf") for k in range(count)], []).to_html() for count in (1, 30)
    )
    assert one.count("%23") - 2 == many.count("%23") - 60
    assert "#wf29 #wf" in unquote(many)


def test_an_image_of_what_has_no_style_sheet_keeps_its_colours() -> None:
    [image] = Image(still('<svg id="c" class="chart"><path fill="#abcdef" stroke="#123456"/></svg>', "a chart")).found
    assert "<path fill='#abcdef' stroke='#123456'/>" in unquote(str(image["src"]))


def test_text_of_a_picture_is_never_markup_of_the_page_around_its_image() -> None:
    bad = "\"><img src=x onerror=alert(1)>'&</style>"
    [image] = Image(Picture(bad, [Node(bad, bad)]).to_html()).found
    assert set(image) == {"alt", "style", "src"}
    assert bad in str(image["alt"])


def test_the_badge_of_a_lit_edge_covers_no_text() -> None:
    states = [Node(name, name) for name in "abcd"]
    edges = [
        Edge(f"{one}{two}{k}", one, two, f"a longer label {k}")
        for one, two in ("ab", "ac", "ad", "bd", "cb")
        for k in range(3)
    ]
    picture = Picture("crowded", states, edges)
    layout = picture.layout()
    boxes = [placed.text.box for placed in layout.edges if placed.text]
    covered = 0
    for edge in edges:
        svg = picture.to_svg({edge.id: "problem"})
        (spot,) = re.findall(r'<g transform="translate\(([\d.]+) ([\d.]+)\)">', svg)
        x, y = float(spot[0]), float(spot[1])
        covered += any(
            box.x - 8 < x < box.x + box.width + 8 and box.y - 8 < y < box.y + box.height + 8 for box in boxes
        )
    assert covered == 0


def test_text_lists_every_node_and_edge() -> None:
    text = nested().to_text()
    assert "before (state)" in text
    assert "a --go--> b" in text
    assert "outer --restart [context.tries < 2]--> outer" in text
    assert "b (state) in left" in text


def test_a_picture_too_large_to_read_is_refused_with_advice() -> None:
    large = Picture("large", [Node(f"n{i}", "x") for i in range(MAX_NODES + 1)])
    with pytest.raises(DrawingError, match=r"601 nodes.*Draw a part"):
        large.to_svg()
    assert "601 nodes" in large.to_text()
    assert "Draw a part" in large._repr_mimebundle_()["text/plain"]
    busy = Picture("busy", [Node("a", "a")], [Edge(f"e{i}", "a", "a") for i in range(MAX_EDGES + 1)])
    with pytest.raises(DrawingError, match="801 edges"):
        busy.layout()


def test_a_dense_picture_is_laid_out_with_all_its_edges() -> None:
    pairs = [(a, b) for a in range(16) for b in range(16) if a < b]
    picture = Picture(
        "dense",
        [Node(f"n{i}", f"n{i}") for i in range(16)],
        [Edge(f"e{a}-{b}", f"n{a}", f"n{b}") for a, b in pairs] + [Edge(f"s{a}", f"n{a}", f"n{a}") for a in (1, 2)],
    )
    data = picture.to_dict()
    assert len(data["edges"]) == len(pairs) + 2
    assert not any(overlap(a, b) for a, b in combinations(boxes(data), 2))


def test_an_empty_picture_can_be_drawn() -> None:
    picture = Picture("", [])
    assert ElementTree.fromstring(picture.to_svg()).findtext(f"{SVG}title") == "Graph"
    assert picture.to_dict()["nodes"] == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Picture("p", [Node("a", "a")], [Edge("e", "a", "bb")]),
            "'bb' is neither a node nor a group",
        ),
        (lambda: Picture("p", [Node("paid", "")], [Edge("e", "paid", "paaid")]), "Did you mean 'paid'"),
        (lambda: Picture("p", [Node("a", "a"), Node("a", "b")]), "'a' is used twice"),
        (lambda: Picture("p", [Node("a", "a")], [Edge("a", "a", "a")]), "'a' is used twice"),
        (lambda: Picture("p", [Node("a", "a", group="g")]), "'g', which is not a group"),
        (lambda: Picture("p", [], [], [Group("g", "g", "h"), Group("h", "h", "g")]), "cannot lie in itself"),
        (lambda: Picture("p", [Node("a", "a", shape="blob")]), "shape 'blob' is not one of"),  # type: ignore[arg-type]
        (lambda: Picture("p", [Node("a", "a", role="activ")]), "Did you mean 'active'"),  # type: ignore[arg-type]
        (lambda: Picture("p", [], direction="XY"), "direction 'XY'"),  # type: ignore[arg-type]
        (lambda: Picture("p", [Node("a", "a", tokens=-1)]), "-1 tokens"),
        (lambda: Picture("p", [Node("a", "a")], [Edge("e", "a", "a", weight=-2.0)]), "weight -2.0"),
        (lambda: Picture("p", [Node("a", "a")], [Edge("e", "a", "a", weight=float("nan"))]), "weight nan"),
        (
            lambda: Picture("p", [Node("a", "a", group="g")], [Edge("e", "g", "a")], [Group("g", "g")]),
            "one of which lies inside the other",
        ),
        (lambda: order().to_svg({"shiped": "active"}), "'shiped' is not a node.*Did you mean 'shipped'"),
        (lambda: order().to_svg({"paid": "blue"}), "role 'blue'"),  # type: ignore[dict-item]
        (lambda: order().to_svg(weights={"paid": 1.0}), "'paid' is not an edge"),
        (lambda: order().to_svg(weights={"pay": float("inf")}), "weight inf"),
        (lambda: order().to_svg(tokens={"paid": 1}), "'paid' is not a node of shape 'circle'"),
    ],
)
def test_contradictions_are_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(DrawingError, match=message):
        make()


def test_pictures_are_values() -> None:
    assert order() == order()
    assert hash(order()) == hash(order())
    assert replace(order().nodes[0], id="x") != order().nodes[0]
