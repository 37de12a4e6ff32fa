"""The delivery code of the engine where workers die, stand still and come back: nothing is lost, nothing comes twice.

More seeds: `python -m tests.simulated_engine --seeds 10000`. What one of them did, step by step:
`python -m tests.simulated_engine SEED`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.simulated_engine.actors import Worker
from tests.simulated_engine.running import run
from tests.simulated_engine.store import SimulatedRows
from tests.simulated_engine.world import Violated
from wfsim.runtime import core
from wfsim.runtime.cache import Cache
from wfsim.runtime.rows import Key
from wfsim.runtime.turn import Turn


@pytest.mark.parametrize("first", [0, *range(2, 200, 22)])
def test_nothing_is_lost_and_nothing_happens_twice(first: int) -> None:
    outcomes = [run(seed) for seed in range(first, first + (2 if first == 0 else 22))]
    assert all(each.instances >= 10 and each.effects > 0 for each in outcomes)


def test_one_seed_is_one_history() -> None:
    assert run(1000) == run(1000)


def run_all(seeds: range) -> None:
    for seed in seeds:
        run(seed)


def nothing(*_: Any, **__: Any) -> None:
    """In place of what a defect leaves out."""


def unlocked(rows: SimulatedRows, name: str, *, wait: bool = True) -> Any:
    return rows.read(name)


def any_version(cache: Cache, name: str, version: int) -> Any:
    return cache._kept.pop(name, None)


def unasked(turn: Turn, key: Key) -> None:
    """A heartbeat is declared missing without another look."""
    name, serial, attempt = key
    held = turn.hold(name)
    assert held is not None
    turn.step(held, lambda one, time: one.activity_failed(time, serial, attempt, "Timeout.heartbeat", "late"))


DEFECTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "what starts an instance does not wait for messages to its key": (Turn, "_hold_places", nothing),
    "nobody waits for anybody at a key": (SimulatedRows, "hold", nothing),
    "kept messages are not handed to who comes": (SimulatedRows, "release_kept", nothing),
    "ids that were seen are forgotten": (SimulatedRows, "fate", nothing),
    "a timer stays when its state is left": (SimulatedRows, "drop_timer", nothing),
    "what has happened stays due": (SimulatedRows, "drop_due", nothing),
    "an instance is not locked": (SimulatedRows, "lock", unlocked),
    "an instance is taken from the cache in any version": (
        Cache,
        "take",
        lambda self, name, _: self._kept.pop(name, None),
    ),
    "what dead workers had begun stays with them": (SimulatedRows, "orphans", lambda self: []),
    "what dead workers had not begun stays with them": (Worker, "_free", nothing),
    "nobody misses a heartbeat": (SimulatedRows, "late_beats", lambda self, upto, most, without=(): []),
    "a heartbeat is missed that has come": (core, "miss", unasked),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_what_would_be_a_defect_is_found(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, name, changed = DEFECTS[defect]
    monkeypatch.setattr(place, name, changed)
    with pytest.raises(Violated):
        run_all(range(200))
