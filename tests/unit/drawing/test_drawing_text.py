"""Text in pictures: untrusted labels, widths, line breaks, contrast."""

from __future__ import annotations

import unicodedata
from typing import get_args
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.random_cases import cases
from wfsim.drawing import Edge, Group, Node, Picture, Role
from wfsim.drawing.roles import FRAME, INK, LOOKS, PAGE
from wfsim.drawing.text import clean, text_width, wrap

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "title", "desc", "style", "g", "rect", "circle", "path", "text", "tspan"}
ATTRIBUTES = {
    "id",
    "class",
    "role",
    "aria-labelledby",
    "width",
    "height",
    "viewBox",
    "font-family",
    "data-id",
    "x",
    "y",
    "rx",
    "cx",
    "cy",
    "r",
    "d",
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "stroke-linejoin",
    "paint-order",
    "pointer-events",
    "text-anchor",
    "font-size",
    "font-weight",
    "transform",
}

PAYLOADS = [
    "<img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    '" onload="alert(1)',
    "' onload='alert(1)",
    "]]><script>",
    "<![CDATA[ x ]]>",
    "--><foreignObject>",
    "&lt;script&gt; &#60;b&#62; &amp;",
    "javascript:alert(1)",
    'label"]; graph [URL="javascript:1"]; n0 [label=<<b>x</b>>',
    "\\N \\G \\l back\\slash",
    "a\u202egnp.exe\u202c \u2066x\u2069 \u200f\u061c",
    "nul\x00 bell\x07 escape\x1b[31m",
    "lone \ud800 surrogate",
    "\ufffe\uffff",
    "x" * 10_000,
    "word " * 2_000,
    "a" + "\u0301" * 10_000,
    "\ufdfd\ufdfa" * 20,
    "__proto__",
    "constructor",
    "n0",
    "cluster_g0",
    "\n\t \r",
    "",
    "订单已取消 注文 주문",
    "مرحبا بالعالم",
    "👩‍👩‍👧‍👦 family",
]


def contrast(first: str, second: str) -> float:
    """Contrast ratio of WCAG 2.1."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_no_text_becomes_markup(payload: str) -> None:
    picture = Picture(
        payload,
        [
            Node(payload, payload, lines=(payload,) * 12, tokens=1, group="@group"),
            Node("@circle", payload, "circle", "place", tokens=7),
            Node("@dot", payload, "dot", "initial"),
        ],
        [
            Edge("@go", payload, "@circle", payload, (payload,)),
            Edge("@loop", payload, payload, payload),
            Edge("@out", "@group", "@dot", payload),
        ],
        [Group("@group", payload)],
    )
    svg = picture.to_svg({payload: "active", "@go": "problem"}, weights={"@go": 1})
    svg.encode("utf-8")
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        assert element.tag in {SVG + name for name in ALLOWED}
        assert set(element.attrib) <= ATTRIBUTES | ({"style"} if element is root else set())
    assert root.get("style") == "max-width:100%;height:auto"
    style = [element for element in root.iter() if element.tag == f"{SVG}style"]
    assert len(style) == 1
    assert "alert" not in str(style[0].text)
    shown = "".join(root.itertext()) + picture.to_text()
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs"} and c != "\n"]
    assert not [c for c in shown if unicodedata.category(c) == "Cf" and c not in "\u200c\u200d"]


def test_a_long_label_is_shortened_and_its_tooltip_is_whole() -> None:
    label = "begin " + "x" * 10_000 + " end"
    svg = Picture("p", [Node("a", label)]).to_svg()
    root = ElementTree.fromstring(svg)
    spans = ["".join(span.itertext()) for span in root.iter(f"{SVG}tspan")]
    assert any(span.startswith("…") and span.endswith("x end") for span in spans)
    assert max(map(len, spans)) < 100
    assert label in next(g for g in root.iter(f"{SVG}g") if g.get("data-id") == "a").findtext(f"{SVG}title", "")


def test_names_that_differ_at_their_end_are_told_apart() -> None:
    long = "wait_for_the_answer_of_the_provider_of_payments_that_was_chosen_by_the_customer_at_first_in_"
    shown = [wrap(long + end, 14, 190, 3) for end in ("january", "february")]
    assert [lines[-1].endswith(end) for lines, end in zip(shown, ("january", "february"))] == [True, True]
    assert shown[0][:2] == shown[1][:2]
    (only,) = wrap(long + "january", 14, 190, 1)
    assert only.startswith("wait_for")
    assert only.endswith("january")


def test_labels_of_untrusted_length_stay_inside_their_boxes() -> None:
    data = Picture("p", [Node(str(i), text) for i, text in enumerate(PAYLOADS)]).to_dict()
    for node in data["nodes"]:
        if node["text"]:
            for line in node["text"]["lines"]:
                assert text_width(line["text"], line["size"]) <= node["box"]["width"] - 20


@cases(200)
@given(st.text(max_size=200), st.floats(20, 300), st.integers(1, 4))
def test_wrapped_lines_fit(text: str, limit: float, rows: int) -> None:
    lines = wrap(text, 13, limit, rows)
    assert len(lines) <= rows
    assert all(text_width(line, 13) <= limit + 1e-9 for line in lines)
    assert bool(lines) == bool(clean(text))


@cases(200)
@given(st.text(max_size=40))
def test_wrapping_loses_nothing_when_there_is_room(text: str) -> None:
    joined = "".join(wrap(text, 13, 120, 100))
    assert joined.replace(" ", "") == clean(text).replace(" ", "")


@cases(100)
@given(st.text(max_size=60))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_names_break_after_punctuation() -> None:
    assert wrap("payment_failed_attempt_count", 14, 120, 3) == ("payment_failed_", "attempt_count")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_colour_can_be_told_from_the_page(mode: str) -> None:
    page, ink = getattr(PAGE, mode), getattr(INK, mode)
    assert set(LOOKS) == set(get_args(Role))
    assert contrast(ink, page) >= 4.5
    assert contrast(getattr(FRAME, mode), page) >= 3
    for role, look in LOOKS.items():
        assert contrast(getattr(look.line, mode), page) >= 3, role
        assert contrast(ink, getattr(look.fill, mode)) >= 4.5, role


def test_colour_is_never_the_only_difference_between_roles() -> None:
    """Roles of different colour also differ in width, dash or badge."""
    looks = list(LOOKS.items())
    for index, (first, a) in enumerate(looks):
        for second, b in looks[index + 1 :]:
            if a.line != b.line:
                assert (a.width, a.dash, a.badge) != (b.width, b.dash, b.badge), (first, second)
