"""A workflow tuned without a page: figures of each setting, verdicts, pins and comparisons."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import wfsim as wf
from tests.tuned import claims, claims_scenario
from wfsim.errors import HistoryError, ScenarioError, WfsimError
from wfsim.history.simulate import run_plan
from wfsim.widgets import trial as trials
from wfsim.widgets import tuning as tunings
from wfsim.widgets.trial import QUICK_CASES, REPLICATIONS, Trial, stages, tried
from wfsim.widgets.tuning import MOST_PINS, Tuning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wfsim.widgets.settings import Settings

CASES = 60


@pytest.fixture(scope="module")
def workflow() -> wf.Workflow:
    return claims()


@pytest.fixture(scope="module")
def scenario() -> wf.Scenario:
    return claims_scenario(CASES)


@pytest.fixture
def tuning(workflow: wf.Workflow, scenario: wf.Scenario) -> Tuning:
    return Tuning(workflow, scenario)


def numbers(trial: Trial) -> dict[str, object]:
    """All figures of a trial."""
    assert trial.figures is not None
    found: dict[str, object] = dict(trial.figures.summary)
    return found | {"waits": trial.figures.waits_p95, "occupancy": trial.figures.occupancy}


def test_the_last_answer_is_what_simulate_gives_for_that_scenario(tuning: Tuning, workflow: wf.Workflow) -> None:
    tuning.turn("pools.clerks.capacity", 1)
    tuning.turn("states.received.timeout", "30m")
    last = tuning.wait()
    assert (tuning.stale, tuning.trying, tuning.problem) == (False, False, "")
    assert last.said == f"{CASES * REPLICATIONS} cases in {REPLICATIONS} replications"
    there = wf.simulate(tuning.settings.workflow, tuning.settings.scenario, replications=REPLICATIONS, progress=False)
    assert tuning.history.digest == there.digest
    assert tuning.settings.scenario.pools["clerks"].capacity == 1
    assert workflow.state("received").timeout == wf.Duration.of("2d")


def test_equal_settings_have_equal_figures_whatever_was_turned_between(
    workflow: wf.Workflow, scenario: wf.Scenario
) -> None:
    one, other = Tuning(workflow, scenario), Tuning(workflow, scenario)
    one.turn("arrivals.poisson", "15/h")
    for knob, value in (("activities.check.duration", 3), ("arrivals.poisson", "60/h")):
        other.turn(knob, value)
    other.wait()
    other.reset("activities.check.duration")
    other.turn("arrivals.poisson", "15/h")
    assert numbers(one.wait()) == numbers(other.wait())
    assert one.settings.turned == other.settings.turned


def test_a_scenario_of_many_cases_is_looked_at_quickly_first_and_each_answer_says_on_how_much_it_stands(
    workflow: wf.Workflow, scenario: wf.Scenario
) -> None:
    many = scenario.changed(cases=3 * QUICK_CASES)
    assert stages(many) == [
        {"cases": QUICK_CASES, "replications": 1},
        {"replications": 1},
        {"replications": REPLICATIONS},
    ]
    assert stages(many.changed(replications=30))[-1] == {"replications": 30}
    assert stages(many.changed(cases=20))[0] == {"replications": 1}
    bench = Tuning(workflow, scenario).bench
    quick, last = (
        Trial(bench.settings({}), next(tried(bench.settings({}), lambda: False)).figures, "", step, 3)
        for step in (1, 3)
    )
    assert quick.said == "a first look: 60 cases in 1 replication"
    assert last.said == "60 cases in 1 replication"


def test_a_setting_that_was_turned_away_from_is_stopped_and_never_shown(
    tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    stopped: list[str] = []

    def slowly(*arguments: object, told: Callable[[float], None], **options: object) -> wf.History:
        begun.set()
        assert go.wait(60)
        try:
            return run_plan(*arguments, told=told, **options)  # type: ignore[arg-type]
        except BaseException as error:
            stopped.append(type(error).__name__)
            raise

    tuning.wait()
    before = tuning.trial
    monkeypatch.setattr(trials, "run_plan", slowly)
    tuning.turn("pools.clerks.capacity", 1)
    assert begun.wait(60)
    tuning.turn("pools.clerks.capacity", 4)
    assert tuning.trial is before
    assert tuning.stale
    go.set()
    assert tuning.wait().settings.turned == (("scenario:pools.clerks.capacity", 4.0),)
    assert stopped == ["_Stopped"]


def test_values_that_do_not_go_together_are_told_and_the_figures_before_stay(tuning: Tuning) -> None:
    before = tuning.wait()
    for number in (0, 1):
        tuning.turn(f"activities.check.failures.{number}.probability", 0.7)
    assert tuning.wait() is before
    assert "check: the probabilities of failure add up to 1.4, more than 1." in tuning.problem
    assert (tuning.stale, tuning.trying) == (True, False)
    with pytest.raises(ScenarioError, match="add up to"):
        tuning.text()
    tuning.reset("activities.check.failures.1.probability")
    after = tuning.wait()
    assert (tuning.problem, tuning.stale, after is before) == ("", False, False)


def test_a_queue_that_grows_as_long_as_cases_come_is_told_with_what_to_do(
    workflow: wf.Workflow, scenario: wf.Scenario
) -> None:
    tuning = Tuning(workflow, scenario.changed(cases=200))
    calm = tuning.wait().figures
    assert calm is not None
    assert not [each for each in calm.warnings if "queue" in each]
    tuning.turn("pools.clerks.capacity", 1)
    tuning.turn("activities.check.duration", 2)
    figures = tuning.wait().figures
    assert figures is not None
    told = next(each for each in figures.warnings if "queue" in each)
    assert told.startswith("The queue of pool clerks grew as long as cases came, to ")
    assert told.endswith("Add workers, or let less come.")


def test_every_figure_has_an_interval_or_says_why_it_has_none(tuning: Tuning) -> None:
    figures = tuning.wait().figures
    assert figures is not None
    for estimate in (*figures.summary.values(), *figures.waits_p95.values()):
        assert estimate.low is not None or estimate.note
    assert figures.pools == ["clerks"]
    assert list(figures.waits_p95) == ["clerks"]
    for line in figures.occupancy.lines:
        assert line.low is not None
        assert line.high is not None
        assert len(line.values) <= 60
        assert all(low <= value <= high for low, value, high in zip(line.low, line.values, line.high))


def test_occupancy_sums_to_the_time_that_cases_spent(tuning: Tuning) -> None:
    figures = tuning.wait().figures
    assert figures is not None
    found = sum(sum(line.values) for line in figures.occupancy.lines) * figures.occupancy.part
    (spent,) = figures.history.sql("SELECT sum(dwell) FROM stays").fetchall()[0]
    assert found == pytest.approx(spent / REPLICATIONS, rel=1e-6)


def test_verdicts_are_asked_anew_where_a_limit_was_turned_and_nowhere_else(tuning: Tuning) -> None:
    tuning.wait()
    first = tuning.judged
    assert {each.name: each.status for each in first.answers}["states_reachable"] == "holds"
    tuning.turn("pools.clerks.capacity", 4)
    assert not tuning.unjudged
    tuning.turn("activities.check.timeout", "10s")
    assert tuning.unjudged
    assert tuning.judging
    assert tuning.judged is first
    tuning.wait()
    assert not tuning.unjudged
    assert not tuning.judging
    assert tuning.judged is not first
    tuning.reset()
    tuning.wait()
    assert tuning.judged is first


def test_what_is_pinned_is_compared_pair_by_pair_and_let_go(tuning: Tuning) -> None:
    tuning.wait()
    base = tuning.pin("before")
    assert (base.place, tuning.against) == (1, "before")
    tuning.turn("activities.check.duration", 10)
    tuning.wait()
    found = tuning.comparison
    assert not isinstance(found, str)
    assert found is not None
    assert found.pairs
    assert found["sojourn.mean"].difference.value > 0
    assert dict(found.head)["what differs"].startswith("activities.check.duration")
    there = wf.compare(base.history, tuning.history)
    assert {key: each.difference for key, each in there.items()} == {k: each.difference for k, each in found.items()}
    slow = tuning.pin()
    assert slow.name == "check takes × 10"
    assert repr(slow).startswith("<Pin 'check takes × 10': activities.check.duration: × 1 → × 10; 300 cases")
    assert slow.scenario == tuning.settings.scenario
    tuning.take("before")
    assert tuning.wait() is not slow.trial
    assert not tuning.settings.turned
    tuning.unpin("before")
    assert [each.name for each in tuning.pins] == [tuning.against] == [slow.name]
    tuning.compare("")
    assert tuning.comparison is None
    with pytest.raises(WfsimError, match="nothing is pinned as 'before'"):
        tuning.compare("before")


def test_only_so_many_are_pinned_each_with_a_place_and_a_name_of_its_own(tuning: Tuning) -> None:
    tuning.wait()
    for number in range(MOST_PINS):
        assert tuning.pin(f"run {number}").place == number + 1
    with pytest.raises(WfsimError, match=f"{MOST_PINS} runs are pinned"):
        tuning.pin("one more")
    tuning.unpin("run 1")
    assert tuning.pin("again").place == 2
    tuning.unpin("run 0")
    with pytest.raises(WfsimError, match="'again' is pinned already"):
        tuning.pin("  again ")
    assert len(tuning.pin("x" * 999).name) == 60


def test_a_pin_takes_over_better_figures_of_its_own_setting_and_no_others(
    workflow: wf.Workflow, scenario: wf.Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    go.set()
    first = threading.Event()

    def slowly(settings: Settings, outdated: Callable[[], bool]) -> Iterator[Trial]:
        for each in tried(settings, outdated):
            yield each
            first.set()
            assert go.wait(60)

    monkeypatch.setattr(tunings, "tried", slowly)
    go.clear()
    tuning = Tuning(workflow, scenario)
    assert first.wait(60)
    pin = tuning.pin("early")
    assert pin.trial.step == 1
    go.set()
    tuning.wait()
    assert pin.trial is tuning.trial
    assert pin.trial.step == pin.trial.steps
    tuning.turn("pools.clerks.capacity", 4)
    tuning.wait()
    assert pin.trial is not tuning.trial


def test_before_the_first_figures_there_is_nothing_to_pin_or_to_ask(
    workflow: wf.Workflow, scenario: wf.Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunings, "tried", lambda settings, outdated: iter(()))
    tuning = Tuning(workflow, scenario)
    with pytest.raises(WfsimError, match="nothing to pin yet"):
        tuning.pin()
    with pytest.raises(HistoryError, match="nothing has been simulated yet"):
        tuning.history  # noqa: B018


def test_the_scenario_is_saved_as_it_was_turned_and_says_what_differs(tuning: Tuning, tmp_path: Path) -> None:
    tuning.turn("pools.clerks.capacity", 3)
    tuning.turn("outage.of", "pool clerks")
    tuning.turn("outage.for", "1h")
    file = tmp_path / "turned.scenario.yaml"
    tuning.save(file)
    assert wf.load_scenario(file) == tuning.settings.scenario
    text = file.read_text()
    assert text.startswith(
        "# Turned in a lab, from what stands in the files:\n# pools.clerks.capacity: 2 workers → 3 workers\n"
    )
    assert "# outage.of: nothing → pool clerks\n" in text
    with pytest.raises(ScenarioError, match="cannot be written"):
        tuning.save(tmp_path / "nowhere" / "x.yaml")
    tuning.reset()
    assert tuning.text().startswith("workflow: claims")


def test_what_is_at_work_ends_with_the_last_who_wants_it(
    workflow: wf.Workflow, scenario: wf.Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    outdated_then: list[bool] = []

    def slowly(settings: Settings, outdated: Callable[[], bool]) -> Iterator[Trial]:
        begun.set()
        assert go.wait(60)
        outdated_then.append(outdated())
        yield Trial(settings, None)

    monkeypatch.setattr(tunings, "tried", slowly)
    tuning = Tuning(workflow, scenario)
    assert begun.wait(60)
    beside = tuning._trying
    del tuning
    go.set()
    beside.wait()
    assert outdated_then == [True]


# DuckDB shows its progress to whoever seems to be typing.
ENDING = """
__file__ = "ending.py"
import threading
from tests.tuned import claims, claims_scenario
from wfsim.widgets import trial
from wfsim.widgets.tuning import Tuning

reading = threading.Event()

def read(history):
    con = history.connection()
    reading.set()
    con.execute("SELECT sum(hash(n)) FROM range(100_000_000) t(n)").fetchall()
    return figures_of(history)

figures_of, trial.figures_of = trial.figures_of, read
tuning = Tuning(claims(), claims_scenario(5))
assert reading.wait(60)
print("over")
"""


def test_a_process_that_ends_while_figures_are_computed_ends_well() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("over\n", "", 0)


def test_a_workflow_without_a_scenario_has_the_default_one() -> None:
    tuning = Tuning(wf.new("approval"))
    assert tuning.bench.scenario == wf.default_scenario(wf.new("approval"))
    with pytest.raises(TypeError, match="Lab takes a workflow first"):
        Tuning("order")  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match="cannot be read"):
        Tuning(wf.new("approval"), "no such file")
