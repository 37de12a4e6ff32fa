"""What is said of the progress of something, and when."""

from __future__ import annotations

from itertools import count

import pytest

import wfsim as wf
from wfsim.history import simulate as simulating
from wfsim.history.progress import Progress


def test_what_is_soon_over_needs_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("sweep", 10, "runs", clock=lambda: 0.0) as progress:
        for done in range(11):
            progress.to(done)
    assert capsys.readouterr().err == ""


def test_where_no_bar_can_be_drawn_each_tenth_is_a_line_with_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = count(0, 6)
    with Progress("sweep", 20, "runs", clock=lambda: next(seconds)) as progress:
        for done in range(1, 21):
            progress.to(done)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 9
    assert lines[0] == "sweep: 2 of 20 runs, about 1.8 min left."
    assert lines[-1] == "sweep: 18 of 20 runs, about 12 s left."


def test_what_was_done_before_does_not_make_the_rest_look_short(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter([0, 60])
    with Progress("sweep", 20, "runs", done=9, clock=lambda: next(seconds)) as progress:
        progress.step()
    assert capsys.readouterr().err == "sweep: 10 of 20 runs, about 10 min left.\n"


def test_nothing_is_said_that_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = count(0, 60)
    with Progress("sweep", 2, "runs", wanted=False, clock=lambda: next(seconds)) as progress:
        progress.to(1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("engine", ["python", "compiled"])
def test_a_simulation_goes_forward_over_its_replications_while_cases_are_only_arriving(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    monkeypatch.setattr(Progress, "to", lambda self, done: told.append(done))
    monkeypatch.setattr("wfsim.simulation.compiled.run.STEPS", 10)
    # Nobody leaves before all have come.
    slow = {
        "arrivals": {"poisson": "60/h"},
        "events": {"pending": [{"event": "completed", "delay": {"constant": "30d"}}]},
        "cases": 20,
        "replications": 2,
    }
    workflow = wf.loads(
        "{name: slow, initial_state: pending, states: [{name: pending}, {name: done, is_terminal: true}], "
        "transitions: [{from: pending, event: completed, to: done}]}"
    )
    simulating.simulate(workflow, wf.Scenario.model_validate(slow), engine=engine, progress=True)
    assert told == sorted(told)
    assert len([done for done in told if done <= 0.5]) >= (20 if engine == "python" else 2)
    assert len([done for done in told if 1.0 < done <= 1.5]) >= (20 if engine == "python" else 2)
    assert max(told) <= 2.0


def test_a_simulation_with_a_horizon_goes_forward_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr(Progress, "to", lambda self, done: told.append(done))
    wf.simulate(wf.new("order"), horizon="2h", progress=True, engine="python")
    assert told == sorted(told)
    assert told[0] < 0.1
    assert 0.9 < told[-1] <= 1.0
