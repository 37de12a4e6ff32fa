"""What a simulated history stores beside its records, of every model that ships, at both speeds and every log level."""

from __future__ import annotations

from typing import Literal

import pytest

import wfsim as wf
from tests.sides import check_sides

CASES = 40
NAMES = sorted(name for name, files in wf.examples().items() if files.scenario is not None)


@pytest.mark.parametrize("name", NAMES)
def test_the_compiled_log_tells_what_the_queries_say(name: str) -> None:
    scenario = wf.load_scenario(wf.examples()[name].scenario)
    with wf.simulate(
        wf.example(name), scenario, catalogue="models", cases=CASES, engine="compiled", progress=False
    ) as history:
        assert len(history)
        check_sides(history)


@pytest.mark.parametrize("engine", ["python", "compiled"])
@pytest.mark.parametrize("log", ["full", "transitions", "aggregates"])
def test_at_every_log_level(
    log: Literal["full", "transitions", "aggregates"], engine: Literal["python", "compiled"]
) -> None:
    scenario = wf.load_scenario(wf.examples()["travel_booking"].scenario).changed(horizon="3d")
    with wf.simulate(
        wf.example("travel_booking"), scenario, catalogue="models", cases=CASES, engine=engine, log=log, progress=False
    ) as history:
        kinds = {kind for (kind,) in history.sql("SELECT DISTINCT kind FROM records").fetchall()}
        assert len(kinds) > {"full": 10, "transitions": 3, "aggregates": 0}[log]
        check_sides(history)
