"""Circuit breakers: attempts of an activity that keeps failing are held, and one of them tries again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.declared import one
from wfsim.errors import ActivityError, OptionError
from wfsim.runtime.breaker import Breakers, OnHold
from wfsim.runtime.implementations import Use

SECOND = 1_000_000
USE = Use("one", "f", None)


class Service:
    """Something that is down for a while."""

    def __init__(self) -> None:
        self.error: str | None = "Http.503"
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.error is not None:
            raise ActivityError(self.error)
        return "ok"


def admitted(breakers: Breakers, now: int, use: Use = USE) -> bool:
    try:
        breakers.admit(use, "i", now * SECOND)
    except OnHold:
        return False
    return True


def test_after_so_many_failures_in_a_row_one_attempt_a_pause_is_let_through() -> None:
    breakers = Breakers({"f": wf.Breaker(failures=2, pause="10s")})
    breakers.ended(USE, "Http.503", 0)
    assert admitted(breakers, 0)
    breakers.ended(USE, None, 0)
    breakers.ended(USE, "Http.503", 0)
    assert admitted(breakers, 0)
    breakers.ended(USE, "Http.503", 0)
    assert [admitted(breakers, now) for now in (0, 9, 10, 11, 19, 20)] == [False, False, True, False, False, True]
    assert breakers.held(19 * SECOND) == {}
    assert not admitted(breakers, 21)
    (told,) = breakers.held(22 * SECOND).values()
    assert told == (
        "activity 'f' is held here for 0:00:08: 2 attempts in a row have failed, the last with Http.503 "
        "(circuit breaker)"
    )
    breakers.ended(USE, None, 23 * SECOND)
    assert admitted(breakers, 23)
    assert breakers.held(23 * SECOND) == {}


def test_only_the_errors_that_are_named_count_and_each_activity_for_itself() -> None:
    breakers = Breakers({"*": wf.Breaker(failures=1, errors=["Http", "Bank.Down"]), "one.g": wf.Breaker(failures=2)})
    other, own = USE._replace(activity="h"), USE._replace(activity="g")
    breakers.ended(USE, "Card.Declined", 0)
    breakers.ended(USE, "Https", 0)
    breakers.ended(USE, "Bank.Downtown", 0)
    assert admitted(breakers, 0)
    breakers.ended(USE, "Http.timeout", 0)
    breakers.ended(own, "Any", 0)
    assert (admitted(breakers, 1), admitted(breakers, 1, other), admitted(breakers, 1, own)) == (False, True, True)
    assert admitted(Breakers(None), 0)


@pytest.mark.parametrize(
    "wrong",
    [{"failures": 0}, {"failures": True}, {"pause": 0}, {"errors": "Http"}, {"errors": [7]}],
)
def test_what_is_no_breaker_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        wf.Breaker(**wrong)
    with pytest.raises(OptionError, match=r"wf\.Breaker"):
        Breakers({"f": 3})  # type: ignore[dict-item]


def test_attempts_are_held_while_it_is_open_and_go_on_once_one_has_succeeded() -> None:
    service, clock = Service(), wf.ManualClock()
    workflow = one(retry_policy={"max_attempts": 50, "initial_interval": "1s", "backoff_coefficient": 1})
    breaker = wf.Breaker(failures=3, pause="1m", errors=["Http"])
    with wf.open_engine(activities={"f": service}, breakers={"f": breaker}, clock=clock) as engine:
        runs = [engine.start(workflow, id=name) for name in ("a", "b", "c", "d")]
        clock.advance("10s")
        assert service.asked == 3
        # The last one has not begun; those that failed wait for their next attempt behind it.
        assert set(engine.stuck) == {"a", "b", "c", "d"}
        assert "circuit breaker" in engine.stuck["d"]
        assert any("circuit breaker" in reason for reason in runs[3].why_not("ok").reasons)
        clock.advance("45s")
        assert service.asked == 3
        clock.advance("10s")
        assert service.asked == 4
        service.error = None
        clock.advance("1m")
        assert {run.status for run in runs} == {"completed"}
        assert not engine.stuck
        assert engine.check()


def test_an_attempt_that_is_cancelled_while_it_is_held_is_not_carried_out() -> None:
    service, clock = Service(), wf.ManualClock()
    with wf.open_engine(activities={"f": service}, breakers={"*": wf.Breaker(1, "1m")}, clock=clock) as engine:
        engine.start(one(), id="a").wait(timeout=10)
        run = engine.start(one(), id="b")
        clock.advance("1s")
        assert "b" in engine.stuck
        run.terminate()
        clock.advance("2m")
        assert service.asked == 1


def test_an_attempt_that_times_out_has_failed() -> None:
    asked, clock = threading.Semaphore(0), wf.ManualClock()

    def hangs(context: wf.ActivityContext) -> None:
        asked.release()
        context.sleep("10h")

    with wf.open_engine(activities={"f": hangs}, breakers={"f": wf.Breaker(1, "5m")}, clock=clock) as engine:
        engine.start(one(), id="a")
        clock.advance("1m")
        assert engine.get("a").status == "completed"
        engine.start(one(), id="b")
        clock.advance("1s")
        assert "Timeout.start_to_close" in engine.stuck["b"]
        assert asked.acquire(timeout=10)
        assert not asked.acquire(blocking=False)


def test_attempts_in_the_queue_are_put_back_until_the_pause_is_over(tmp_path: Path) -> None:
    service = Service()
    workflow = one(retry_policy={"max_attempts": 50, "initial_interval": "1ms", "backoff_coefficient": 1})
    with wf.open_engine(
        f"sqlite:///{tmp_path}/runs.db",
        [workflow],
        {"f": service},
        breakers={"f": wf.Breaker(2, "400ms")},
        polling=0.02,
    ) as engine:
        run = engine.start("one")
        run.wait(lambda each: bool(engine.stuck), timeout=20)
        assert service.asked == 2
        service.error = None
        run.wait(timeout=20)
        assert (run.output["result"], service.asked) == ("ok", 3)
