"""Draws look random in every order in which a simulation uses them, and what does not look random is found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests import randomness
from tests.randomness import TESTS, Numbers, fails

N = 2**17


def test_draws_look_random_in_every_order_in_which_they_are_used() -> None:
    found = list(randomness.battery(N))
    assert len(found) == 80
    assert [each for each in found if fails(each[-1])] == []


def evenly() -> Numbers:
    """Multiples of the golden ratio: far too even."""
    return np.modf(np.arange(1, N + 1) * 0.6180339887498949)[0]


def few_states() -> Numbers:
    """A shift register of 16 bits."""
    state, found = 1, []
    for _ in range(N):
        bits = 0
        for _ in range(24):
            state = (state >> 1) ^ (0xB400 if state & 1 else 0)
            bits = bits << 1 | (state & 1)
        found.append(bits / 2.0**24)
    return np.array(found)


def twice() -> Numbers:
    """Each number comes twice."""
    return np.repeat(np.random.default_rng(1).random(N // 2), 2)


BAD: dict[str, Callable[[], Numbers]] = {"ranks": few_states, "hamming": twice}


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.__name__)
def test_what_is_not_random_is_found(test: Callable[[Numbers], float]) -> None:
    assert fails(test(BAD.get(test.__name__, evenly)()))
    assert not fails(test(np.random.default_rng(2).random(N)))
