"""The calendar in Python gives back what is put into it as one heap would, and lets go what nobody waits for."""

from __future__ import annotations

import heapq
from random import Random

import pytest

from wfsim.simulation import calendar
from wfsim.simulation.calendar import NEVER, Calendar, Does, Order

DELAYS = {
    "soon": lambda draw: draw.randrange(50),
    "equal": lambda draw: 1_000 * draw.randrange(4),
    "far": lambda draw: draw.randrange(1, 10**13),
    "mixed": lambda draw: int(draw.expovariate(1e-5 if draw.random() < 0.7 else 1e-11)),
}


def nothing(simulation: object, number: int) -> None:
    """What is done is not done here."""


class Both:
    """A calendar and a heap with the same in them."""

    def __init__(self) -> None:
        self.tested = Calendar()
        self.due = self.tested.due(NEVER, self.is_awaited)
        self.heap: list[tuple[int, Order, int]] = []
        self.dropped: set[int] = set()

    def is_awaited(self, does: Does, what: int) -> bool:
        return what not in self.dropped

    def put(self, time: int, order: Order, number: int) -> None:
        self.tested.put(time, order, nothing, number)
        heapq.heappush(self.heap, (time, order, number))

    def take(self, now: int) -> int:
        """Take what is next of both, but for what was dropped; returns its time."""
        while self.heap and self.heap[0][2] in self.dropped:
            heapq.heappop(self.heap)
        if not self.heap:
            return now
        time, order, _, _, number = next(entry for entry in self.due if entry[4] not in self.dropped)
        assert (time, order, number) == heapq.heappop(self.heap)
        return time


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
    assert not list(tested.due(9, both.is_awaited))
    assert [entry[4] for entry in tested.left()] == [1]
    assert [entry[3:] for entry in tested.due(10, both.is_awaited)] == [(nothing, 1)]
    assert not tested.left()


def test_it_holds_no_more_than_twice_what_is_awaited_and_some_to_spare() -> None:
    tested, most, number = Calendar(), 0, 0
    tested.put(0, Order.EVENT, nothing, number)
    for *_, what in tested.due(10**12, lambda does, what: what >= 0):
        if what >= 0:
            number += 1
            tested.put(1_000_000 * number, Order.EVENT, nothing, number)
            for times in range(1, 4):
                tested.put(10**12 + 10**6 * number * times, Order.TIMER, nothing, -1)
            most = max(most, len(tested.left()) if number % 1_000 == 0 else 0)
        if number == 30_000:
            break
    assert 0 < most < calendar.SPARE_ENTRIES + 500
