"""The engine is told what happened in a simulation, at the times at which it happened: it writes the same records.

The stepper, which walks through the simulated case, has them too.

The engine is the real one on SQLite in memory: timers fire because their rows are due, attempts are taken and reported
as a worker does, and every stimulus is a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import wfsim as wf
from tests.property.test_simulated_histories import CASES, simulated
from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.history.case import Case
from wfsim.history.replay_case import CAUSES
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.core import Core
from wfsim.runtime.executor import Report
from wfsim.runtime.happening import happen
from wfsim.runtime.held import Held
from wfsim.runtime.opening import assembled
from wfsim.runtime.rows import AttemptRow
from wfsim.runtime.taking import report, take
from wfsim.runtime.turn import Origin, Turn
from wfsim.semantics.records import Record
from wfsim.simulation.scenario import Scenario
from wfsim.widgets.stepping import Stepping

WORKER = "simulated"


class Nobody:
    """Attempts wait until the test takes them."""

    def enqueue(self, rows: Any, attempts: Iterable[AttemptRow]) -> None:
        """They stand in their table."""

    def launched(self, attempts: Iterable[AttemptRow]) -> None:
        """The test takes them when they were taken in the simulation."""

    def taken_back(self, keys: Iterable[tuple[str, int, int]]) -> None:
        """Nobody is at them."""


def told(workflow: Workflow, all_of_them: list[list[Record]]) -> list[list[Record]]:
    """What an engine writes that is told the causes of cases."""
    engine = assembled("sqlite://", [workflow], clock=ManualClock())
    engine.core.carrier = Nobody()
    try:
        return [_case(engine.core, workflow, f"case-{k}", records) for k, records in enumerate(all_of_them)]
    finally:
        engine.close(0.0)


def _case(core: Core, workflow: Workflow, name: str, records: list[Record]) -> list[Record]:
    """What is due by then comes first in an engine; here everything comes when it came."""
    for record in records:
        if record.kind not in CAUSES:
            continue
        core.clock = ManualClock(record.time)
        given = record.payload
        match record.kind:
            case "started":
                family = core.families.of(workflow, Catalogue([workflow]))
                with core.turn() as turn:
                    assert turn.start(name, family, 0, given.get("input", {}), Origin(given["seed"])) is not None
            case "event_received":
                with core.turn() as turn:
                    # As a sender does that gives no id of its own.
                    identity = record.event_id or f"{name}:event:{record.seq}"
                    event, payload = record.event or "", given.get("payload") or {}
                    turn.event(held_by(turn, name), event, payload, identity, is_new=record.event_id is None)
            case "timer_fired":
                with core.turn() as turn:
                    _fire(turn, name, given["place"], given["timer_id"])
            case "activity_started":
                with core.turn() as turn:
                    key = (name, record.activity_id or 0, record.attempt or 0)
                    assert take(turn, key, WORKER) is not None
            case "activity_succeeded" | "activity_failed":
                key = (name, record.activity_id or 0, record.attempt or 0)
                came = Report(key, given.get("result"), record.error_type, given.get("message"), given.get("delay"))
                with core.turn() as turn:
                    report(turn, came)
            case other:
                raise AssertionError(f"{other} is no cause of a workflow alone")
    with core.database.reading() as rows:
        return rows.records(name)


def held_by(turn: Turn, name: str) -> Held:
    held = turn.hold(name)
    assert held is not None
    return held


def _fire(turn: Turn, name: str, place: int, number: int) -> None:
    """The row of this timer is due, and nothing else is let happen before it."""
    (entry,) = [
        row for row in turn.rows.due_of(name, turn.now) if (row.kind, row.place, row.serial) == ("timer", place, number)
    ]
    happen(turn, held_by(turn, name), entry)
    turn.rows.drop_due([entry.number])


def compare(workflow: Workflow, all_of_them: list[Case]) -> None:
    expected = [case.records() for case in all_of_them]
    for case, theirs in zip(all_of_them, expected, strict=True):
        assert [record for step in Stepping(case).steps for record in step.records] == theirs
    for ours, theirs in zip(told(workflow, expected), expected, strict=True):
        for mine, yours in zip(ours, theirs, strict=False):
            assert without_name(mine) == without_name(yours)
        assert len(ours) == len(theirs)


def without_name(record: Record) -> Record:
    """Who carried an attempt out is another one, and an event without an id has one in an engine."""
    payload = {key: value for key, value in record.payload.items() if key != "worker"}
    given = record.event_id if record.event_id and not record.event_id.startswith("case-") else None
    return replace(record, payload=payload, event_id=given)


@cases(8, unchecked=[HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(workflows(undo=True, children=False), st.integers(0, 2**32))
def test_an_engine_that_is_told_what_was_simulated_writes_the_same_records(workflow: Workflow, seed: int) -> None:
    with simulated([(workflow, seed)]) as history:
        compare(workflow, [history.case(k + 1) for k in range(CASES)])


@pytest.mark.parametrize("name", ["order_processing", "travel_booking", "document_request", "insurance_claim"])
def test_the_models_that_ship_do_so_too(name: str) -> None:
    workflow = wf.example(name)
    scenario: Scenario = wf.load_scenario(f"models/{name}.scenario.yaml")
    with wf.simulate(workflow, scenario, cases=20, seed=5, progress=False) as history:
        compare(workflow, [history.case(k + 1) for k in range(20)])
