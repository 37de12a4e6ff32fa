"""The calendar in Python gives back what is put into it as one heap would, and lets go what nobody waits for."""

from __future__ import annotations

import heapq
from random import Random
from typing import Any

import pytest

from wfsim.simulation import calendar
from wfsim.simulation.calendar import NEVER, Calendar, Does, Order

DELAYS = {
    "soon": lambda draw: draw.randrange(50),
    "equal": lambda draw: 1_000 * draw.randrange(4),
    "far": lambda draw: draw.randrange(1, 10**13),
    "mixed": lambda draw: int(draw.expovariate(1e-5 if draw.random() < 0.7 else 1e-11)),
}


def nothing(number: int) -> None:
    """What is done is not done here."""


class Both:
    """A calendar and a heap with the same in them."""

    def __init__(self) -> None:
        self.tested = Calendar()
        self.heap: list[tuple[int, Order, int]] = []
        self.dropped: set[int] = set()

    def is_awaited(self, does: Does, what: tuple[Any, ...]) -> bool:
        return what[0] not in self.dropped

    def put(self, time: int, order: Order, number: int) -> None:
        self.tested.put(time, order, nothing, number)
        heapq.heappush(self.heap, (time, order, number))

    def take(self, now: int) -> int:
        """Take what is next of both, but for what was dropped; returns its time."""
        while self.heap and self.heap[0][2] in self.dropped:
            heapq.heappop(self.heap)
        while (entry := self.tested.take(NEVER, self.is_awaited)) is not None and entry[4][0] in self.dropped:
            pass
        if entry is None:
            assert not self.heap
            return now
        assert (entry[0], entry[1], entry[4][0]) == heapq.heappop(self.heap)
        return entry[0]


@pytest.mark.parametrize("spare", [0, 4_096])
@pytest.mark.parametrize("delays", DELAYS)
def test_what_comes_out_comes_in_the_order_of_a_heap(delays: str, spare: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar, "SPARE_ENTRIES", spare)
    for seed in range(8):
        draw, both, now = Random(seed), Both(), 0
        for number in range(1, 3_000):
            both.put(now + DELAYS[delays](draw), draw.choice(list(Order)), number)
            if draw.random() < 0.3:
                both.dropped.add(draw.randrange(1, number + 1))
            if draw.random() < (0.8 if number > 1_500 else 0.3):
                now = both.take(now)
        while both.heap:
            now = both.take(now)
        assert not [entry for entry in both.tested.left() if both.is_awaited(*entry[3:])]


def test_nothing_is_taken_that_is_due_after_a_time() -> None:
    tested, both = Calendar(), Both()
    tested.put(10, Order.TIMER, nothing, 1)
    assert tested.take(9, both.is_awaited) is None
    assert [entry[4] for entry in tested.left()] == [(1,)]
    entry = tested.take(10, both.is_awaited)
    assert entry is not None
    assert entry[3:] == (nothing, (1,))
    assert tested.take(NEVER, both.is_awaited) is None


def test_it_holds_no_more_than_twice_what_is_awaited_and_some_to_spare() -> None:
    tested, most = Calendar(), 0
    for number in range(30_000):
        tested.put(1_000_000 * number, Order.EVENT, nothing, number)
        for times in range(1, 4):
            tested.put(10**12 + 10**6 * number * times, Order.TIMER, nothing, -1)
        while (entry := tested.take(NEVER, lambda does, what: what[0] >= 0)) is not None and entry[4][0] < 0:
            pass
        assert entry is not None
        most = max(most, len(tested.left()) if number % 1_000 == 0 else 0)
    assert 0 < most < calendar.SPARE_ENTRIES + 500
