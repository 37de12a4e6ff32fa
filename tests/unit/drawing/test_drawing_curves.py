"""Cubic curves: cutting, clipping, rounding."""

from __future__ import annotations

import math

import pytest

from wfsim.drawing.boxes import Box
from wfsim.drawing.content import short_number
from wfsim.drawing.curve import Curve, clip_to_circle, crosses, end_cut, middle, segments, smooth

LINE: Curve = ((0.0, 0.0), (30.0, 0.0), (60.0, 0.0), (90.0, 0.0))
BEND: Curve = (*LINE, (90.0, 30.0), (90.0, 60.0), (90.0, 90.0))


def test_an_arrowhead_takes_its_length_off_the_end() -> None:
    rest, along = end_cut(LINE, 10)
    assert rest[0] == (0, 0)
    assert rest[-1] == pytest.approx((80, 0), abs=0.01)
    assert along == pytest.approx((1, 0))


def test_a_cut_longer_than_the_last_segment_reaches_into_the_one_before() -> None:
    curve: Curve = (*LINE, (91.0, 0.0), (92.0, 0.0), (93.0, 0.0))
    rest, _ = end_cut(curve, 10)
    assert len(segments(rest)) == 1
    assert rest[-1] == pytest.approx((83, 0), abs=0.01)


def test_a_curve_shorter_than_its_arrowhead_keeps_a_beginning() -> None:
    rest, along = end_cut(LINE, 500)
    assert 0 < rest[-1][0] < 90
    assert along == pytest.approx((1, 0))


def test_an_end_inside_a_circle_is_cut_back_to_it() -> None:
    for at_start, centre in ((False, (90.0, 0.0)), (True, (0.0, 0.0))):
        clipped = clip_to_circle(LINE, centre, 20, at_start=at_start)
        end = clipped[0 if at_start else -1]
        assert math.dist(end, centre) == pytest.approx(20, abs=0.01)


def test_an_end_short_of_a_circle_is_drawn_on_to_it() -> None:
    clipped = clip_to_circle(LINE, (150, 0), 20, at_start=False)
    assert clipped[-1] == pytest.approx((130, 0))
    assert clipped[:4] == LINE


def test_rounding_removes_the_corner_and_keeps_its_place() -> None:
    round_ = smooth(BEND)
    assert round_[3] == BEND[3]
    before, after = round_[2], round_[4]
    into = (90 - before[0], -before[1])
    out = (after[0] - 90, after[1])
    assert into[0] * out[1] - into[1] * out[0] == pytest.approx(0, abs=1e-9)
    assert into[0] * out[0] + into[1] * out[1] > 0


def test_rounding_leaves_a_curve_without_corners_alone() -> None:
    straight: Curve = (*LINE, (120.0, 0.0), (150.0, 0.0), (180.0, 0.0))
    assert smooth(straight) == straight


def test_a_curve_crosses_the_boxes_it_enters_only() -> None:
    assert crosses(BEND, Box(40, -10, 20, 20))
    assert not crosses(BEND, Box(40, 10, 20, 20))
    assert not crosses(LINE, Box(90, -10, 20, 20)), "touching is not crossing"


def test_the_middle_of_a_line_is_halfway() -> None:
    assert middle(LINE) == pytest.approx((45, 0))
    assert middle(BEND) == pytest.approx((90, 0))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (9999, "9999"),
        (10_000, "10k"),
        (12_999, "12k"),
        (999_999, "999k"),
        (10**6, "1M"),
        (2**63, "9E"),
    ],
)
def test_counts_are_written_in_four_characters(count: int, text: str) -> None:
    assert short_number(count) == text
    assert len(text) <= 4
