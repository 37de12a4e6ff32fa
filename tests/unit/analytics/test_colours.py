"""Colours of figures, as eyes see them that lack one of the three kinds of cones."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from wfsim.analytics.look import ENDINGS, LIMIT, STATE_COLOURS, WAIT, WORK

Numbers = NDArray[np.float64]

# Machado, Oliveira, Fernandes (2009), A physiologically-based model for simulation of color vision deficiency, IEEE
# Transactions on Visualization and Computer Graphics 15(6), 1291-1298: severity 1, on linear sRGB.
EYES = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
TOLD_APART = 10.0
"""A difference in CIE L*a*b* that nobody overlooks; what can just be seen is 2.3."""


def linear(colour: str) -> Numbers:
    signal = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def lab(light: Numbers) -> Numbers:
    x, y, z = TO_XYZ @ np.clip(light, 0, 1) / WHITE
    a, b, c = (np.cbrt(each) if each > 0.008856 else 7.787 * each + 16 / 116 for each in (x, y, z))
    return np.array([116 * b - 16, 500 * (a - b), 200 * (b - c)])


def least(colours: tuple[str, ...], eyes: str) -> float:
    seen = [lab(EYES[eyes] @ linear(colour)) for colour in colours]
    return min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2))


@pytest.mark.parametrize("eyes", EYES)
def test_colours_that_stand_side_by_side_are_told_apart(eyes: str) -> None:
    endings = tuple(dict.fromkeys(colour for _, colour in ENDINGS.values()))
    for colours in (STATE_COLOURS, endings, (WAIT, WORK, LIMIT)):
        assert least(colours, eyes) > TOLD_APART
    # Who ends alike in colour differs by a sign.
    assert len({name[0] for name, _ in ENDINGS.values()}) == len(ENDINGS)


def test_red_and_green_would_not_be() -> None:
    colours = "#FF0000", "#00AA00"
    assert least(colours, "all cones") > 100
    assert least(colours, "deuteranopia") < TOLD_APART
