"""M9 for real: compensators run as activities, in order, keyed by what they undo, also in a reopened run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.run import reopen, start

TRIP = Workflow.model_validate(
    {
        "name": "trip",
        "initial_state": "idle",
        "variables": {"hotel": {"type": "string", "optional": True}},
        "events": {"book": {}},
        "activities": {
            "book_flight": {"compensate_with": "cancel_flight"},
            "book_hotel": {"compensate_with": "cancel_hotel"},
            "cancel_flight": {"retry_policy": {"max_attempts": 2, "initial_interval": "1s"}},
            "cancel_hotel": {},
        },
        "states": [{"name": "idle"}, {"name": "booked"}],
        "transitions": [
            {
                "from": "idle",
                "to": "booked",
                "event": "book",
                "pre_actions": [
                    {"action_type": "activity", "name": "book_flight", "parameters": {"seat": "12A"}},
                    {"action_type": "activity", "name": "book_hotel", "result_variable": "hotel"},
                ],
            }
        ],
    }
)


class Agency:
    """What was asked of it, in order; cancelling the flight fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.calls: list[tuple[str, dict[str, Any], str]] = []
        self.failures = failures

    def functions(self) -> dict[str, Any]:
        def note(name: str, result: Any = None) -> Any:
            def call(context: Any, **inputs: Any) -> Any:
                self.calls.append((name, inputs, context.idempotency_key))
                if name == "cancel_flight" and self.failures:
                    self.failures -= 1
                    raise ConnectionError("no line")
                return result

            return call

        results = {"book_flight": {"ticket": 7}, "book_hotel": "room 3"}
        return {name: note(name, results.get(name)) for name in TRIP.activities}


def test_cancel_undoes_what_was_done_newest_first(clock: ManualClock) -> None:
    agency = Agency()
    with start(TRIP, activities=agency.functions(), clock=clock, id="t1") as run:
        run.send("book")
        run.wait("booked")
        del agency.calls[:]
        assert run.cancel() == "accepted"
        run.wait()
        assert (run.status, run.variables["hotel"]) == ("cancelled", "room 3")
    assert agency.calls == [
        ("cancel_hotel", {"result": "room 3"}, "t1:undo:2"),
        ("cancel_flight", {"seat": "12A", "result": {"ticket": 7}}, "t1:undo:1"),
    ]


def test_a_compensator_is_retried_with_the_same_key_and_input(clock: ManualClock) -> None:
    agency = Agency(failures=1)
    with start(TRIP, activities=agency.functions(), clock=clock, id="t1") as run:
        run.send("book")
        run.wait("booked")
        run.cancel()
        clock.advance("1s")
        run.wait()
        assert run.status == "cancelled"
    assert agency.calls[-2:] == [("cancel_flight", {"seat": "12A", "result": {"ticket": 7}}, "t1:undo:1")] * 2


def test_a_failed_compensation_is_taken_up_by_retry_after_a_reopening(clock: ManualClock, tmp_path: Path) -> None:
    agency = Agency(failures=2)
    store = tmp_path / "runs.db"
    with start(TRIP, activities=agency.functions(), clock=clock, id="t1", store=store) as run:
        run.send("book")
        run.wait("booked")
        run.cancel()
        clock.advance("1s")
        run.wait()
        assert run.status == "failed"
        (closed,) = [record for record in run.records if record.kind == "instance_closed"]
        assert closed.payload["reason"] == "Compensation.failed"
    with reopen(store, "t1", activities=agency.functions(), clock=clock) as run:
        version = run.version
        assert run.retry() == "accepted"
        run.wait()
        assert run.status == "cancelled"
        kinds = [record.kind for record in run.records if record.seq > version]
        assert kinds.count("compensation_started") == 1
    assert [name for name, _, _ in agency.calls].count("cancel_hotel") == 1
