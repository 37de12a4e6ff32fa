"""Columns of the log in one pass over its rows, against the same column by column."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wfsim as wf
from wfsim.history.batch import COLUMNS
from wfsim.history.codes import CODED, Codes, ProgramCodes, program_codes
from wfsim.history.packing import pack
from wfsim.semantics.codes import (
    NONE,
    NUMBER,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_STARTED,
    R_STIMULUS_IGNORED,
    R_TIMER_FIRED,
    RECORD_KINDS,
)
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.compiled.columns import Logged, Spelled, columns
from wfsim.simulation.compiled.log import ERRORS, MESSAGES, MOVES, OF_ATTEMPTS
from wfsim.simulation.compiled.run import Chunk, CompiledSimulation

MODELS = Path(__file__).parents[3] / "models"


def fields_of(log: Any) -> dict[str, Any]:
    """Each field of the records, one after another."""

    def chosen(of: Any, name: str, none: int = NONE) -> Any:
        return np.where(of, log[name], log.dtype[name].type(none))

    def among(kinds: tuple[int, ...]) -> Any:
        return np.isin(np.arange(len(RECORD_KINDS)), kinds)[kind]

    kind = log["kind"]
    moves, errors, messages = among(MOVES), among(ERRORS), among(MESSAGES)
    fires, schedules, starts = kind == R_TIMER_FIRED, kind == R_ACTIVITY_SCHEDULED, kind == R_STARTED
    attempts, waits = among(OF_ATTEMPTS), kind == R_ACTIVITY_STARTED
    clocks = (kind == R_STIMULUS_IGNORED) & (log["node"] >= 0)
    found = {
        name: np.ascontiguousarray(log[name])
        for name in (
            *("time", "case", "seq", "cause", "region", "state", "reason", "activation", "source", "entered_seq"),
            *("path", "kind", "status", "outcome", "command"),
        )
    }
    for left, right, name, none, others in (
        ("to_state", "activity", "node", NONE, ~moves & ~clocks),
        ("transition", "activity_id", "part", NONE, ~moves & ~clocks),
        ("flight", "attempt", "round", 0, ~moves),
    ):
        found[left], found[right] = chosen(moves, name), chosen(others, name, none)
    return found | {
        "event_id": chosen(~errors, "text"),
        "error_type": chosen(errors, "text"),
        "event": chosen(~fires & ~schedules, "about"),
        "timer": np.where(clocks, log["node"], chosen(fires, "about")),
        "undoes": chosen(schedules, "about"),
        "message": chosen(messages, "which"),
        "timer_id": np.where(clocks, log["part"], chosen(fires, "which")),
        "index": chosen(~messages & ~fires, "which"),
        "key": chosen(starts, "moment", 0),
        "due": chosen(~starts, "moment"),
        "dwell": chosen(~attempts, "span"),
        "wait": chosen(waits, "span"),
        "service": chosen(attempts & ~waits, "span"),
    }


def in_numpy(log: Any, codes: ProgramCodes) -> dict[str, Any]:
    """The columns that `columns.Spelled` names, one after another."""
    found = fields_of(log)
    coded = {
        "region": codes.regions[found["region"]],
        "state": codes.states[found["state"]],
        "to_state": codes.states[found["to_state"]],
        "event": codes.events[found["event"]],
        "activity": codes.activities[found["activity"]],
        "transition": codes.transitions[found["transition"]],
        "clock": codes.timers[found["timer"]],
        "attempt": np.where(found["attempt"] > 0, found["attempt"], NONE),
        "outcome": np.where(found["outcome"] > 0, found["outcome"], NONE),
        "message_id": found["message"],
        "compensates": found["undoes"],
        "cause_seq": found["cause"],
    }
    found |= coded
    found |= pack(found["kind"], found.__getitem__)
    return {name: found[name] for name in COLUMNS}


def chunks_of(name: str) -> tuple[ProgramCodes, list[Chunk]]:
    """What a run logs, a few hundred rows at once, each chunk by case, and the codes of its first workflow."""
    found: list[Chunk] = []

    def keep(chunk: Chunk) -> None:
        rows, values = (each[np.argsort(each["case"], kind="stable")] for each in (chunk.log, chunk.values))
        found.append(Chunk(rows, values, chunk.cases.copy(), chunk.paths.copy()))

    workflow, scenario = wf.load(MODELS / f"{name}.yaml"), wf.load_scenario(MODELS / f"{name}.scenario.yaml")
    program = compile_workflow(workflow, wf.Catalogue(MODELS).family(workflow))
    CompiledSimulation(program, scenario.changed(cases=400), sink=keep, chunk=300).run()
    return program_codes(program, Codes()), found


@pytest.mark.parametrize(
    ("name", "has_reals"), [("order_processing", True), ("incident_response", False), ("iot_device", True)]
)
def test_rows_of_several_chunks_come_by_case_with_every_column_and_value(name: str, has_reals: bool) -> None:
    codes, taken = chunks_of(name)
    assert len(taken) > 1
    rows, values = (np.concatenate(each) for each in list(zip(*taken))[:2])
    order, value_order = (np.argsort(each["case"], kind="stable") for each in (rows, values))
    place, value_place = (np.argsort(each).astype(np.int32) for each in (order, value_order))
    nodes = np.arange(len(taken[-1].paths), dtype=np.int32)[::-1].copy()

    names = {field: getattr(codes, field) for field in CODED}
    spelled, told = columns([chunk[:2] for chunk in taken], place, value_place, nodes, names)

    rows, values = rows[order], values[value_order]
    expected = in_numpy(rows, codes) | {"path": nodes[rows["path"]]}
    assert set(expected) == set(Spelled._fields[:-1])
    for column, array in expected.items():
        assert getattr(spelled, column).tolist() == array.tolist(), column
    assert [rows[["case", "seq"]][place].item() for place in told.record] == values[["case", "seq"]].tolist()
    real = values["tag"] == NUMBER
    assert told.name.tolist() == values["name"].tolist()
    assert told.tag.tolist() == values["tag"].tolist()
    assert told.whole.tolist() == np.where(real, 0, values["bits"]).tolist()
    assert told.real.tolist() == np.where(real, values["bits"], 0).tolist()
    assert real.any() == has_reals
    assert len(values) > len(rows) / 3


def test_the_addresses_that_are_called_with_are_of_what_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, (chunk, *_) = chunks_of("incident_response")
    n, called = len(chunk.log), []

    def call(logged: int, *others: int) -> None:
        # Whatever was let go is taken for something else by now.
        others_now = [np.full(2 * (len(Logged._fields) - 1), -1, np.int64) for _ in range(1_000)]
        called.append((ctypes.c_int64.from_address(logged).value, len(others_now)))

    monkeypatch.setattr("wfsim.simulation.compiled.columns.SPELL", call)
    places, value_places = np.arange(n, dtype=np.int32), np.arange(len(chunk.values), dtype=np.int32)
    names = {field: getattr(codes, field) for field in CODED}
    columns([chunk[:2]], places, value_places, np.zeros(len(chunk.paths), np.int32), names)
    assert called == [(chunk.log.ctypes.data, 1_000)]
