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


@pytest.mark.parametrize("spare", [0, 4_096])
@pytest.mark.parametrize("delays", DELAYS)
def test_what_comes_out_comes_in_the_order_of_a_heap(delays: str, spare: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar, "SPARE_ENTRIES", spare)
    for seed in range(8):
        draw, dropped, heap, now = Random(seed), set[int](), list[tuple[int, Order, int]](), 0

        def is_awaited(does: Does, what: tuple[Any, ...], dropped: set[int] = dropped) -> bool:
            return what[0] not in dropped

        tested = Calendar(is_awaited)
        for number in range(1, 3_000):
            time, order = now + DELAYS[delays](draw), draw.choice(list(Order))
            tested.put(time, order, nothing, number)
            heapq.heappush(heap, (time, order, number))
            if draw.random() < 0.3:
                dropped.add(draw.randrange(1, number + 1))
            if draw.random() < (0.8 if number > 1_500 else 0.3):
                now = taken(tested, heap, dropped, now)
        while heap:
            now = taken(tested, heap, dropped, now)
        assert not [entry for entry in tested.left() if is_awaited(*entry[3:])]


def taken(tested: Calendar, heap: list[tuple[int, Order, int]], dropped: set[int], now: int) -> int:
    """Take what is next of both, but for what was dropped; returns its time."""
    while heap and heap[0][2] in dropped:
        heapq.heappop(heap)
    while (entry := tested.take(NEVER)) is not None and entry[4][0] in dropped:
        pass
    if entry is None:
        assert not heap
        return now
    assert (entry[0], entry[1], entry[4][0]) == heapq.heappop(heap)
    return entry[0]


def test_nothing_is_taken_that_is_due_after_a_time() -> None:
    tested = Calendar(lambda does, what: True)
    tested.put(10, Order.TIMER, nothing, 1)
    assert tested.take(9) is None
    assert [entry[4] for entry in tested.left()] == [(1,)]
    entry = tested.take(10)
    assert entry is not None
    assert entry[3:] == (nothing, (1,))
    assert tested.take(NEVER) is None


def test_it_holds_no_more_than_twice_what_is_awaited_and_some_to_spare() -> None:
    tested = Calendar(lambda does, what: what[0] % 100 == 0)
    for number in range(100_000):
        tested.put(10**9 + number, Order.TIMER, nothing, number)
    assert 1_000 <= len(tested.left()) <= 2 * 1_000 + calendar.SPARE_ENTRIES
