"""Campaigns: a seed that breaks a property is found, shown again by one line, and shortened to what matters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import DefinitionError, OptionError
from wfsim.experiments import trying
from wfsim.experiments.faults import with_failures
from wfsim.experiments.retelling import Happening, Retold, Teller, shortest
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.semantics.stimulus import Stimulus
from wfsim.simulation.instances import RunSummary
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status
from wfsim.verification.workflows.watching import Asked, Broken

PAY = {"action_type": "set_variable", "parameters": {"name": "paid", "value": "${context.paid + 1}"}}
TILL: dict[str, Any] = {
    "name": "till",
    "initial_state": "open",
    "variables": {"paid": {"type": "integer", "initial": 0}, "note": {"type": "string", "optional": True}},
    "events": {"pay": {}, "leave": {}, "look": {}},
    "activities": {"count": {}},
    "states": [
        {"name": "open", "timeout": "1h"},
        {"name": "counted", "activity": "count"},
        {"name": "gone", "is_terminal": True},
        {"name": "shut", "is_terminal": True, "outcome": "failure"},
    ],
    "transitions": [
        {"from": "open", "event": "look"},
        {"from": "open", "event": "pay", "pre_actions": [PAY]},
        {"from": "open", "event": "leave", "to": "counted"},
        {"from": "open", "event": "timeout", "to": "shut"},
        {"from": "counted", "event": "done", "to": "gone"},
        {"from": "counted", "event": "error", "to": "shut"},
    ],
}
CALM: dict[str, Any] = {
    "events": {
        "open": [
            {"event": "pay", "delay": {"constant": "1m"}, "weight": 1},
            {"event": "look", "delay": {"constant": "1m"}, "weight": 1},
            {"event": "leave", "delay": {"constant": "2m"}, "weight": 1},
        ]
    },
    "activities": {"count": {"duration": "5m"}},
}


@pytest.fixture(scope="module")
def till() -> wf.Workflow:
    return wf.Workflow.model_validate(TILL)


@pytest.fixture(scope="module")
def calm() -> wf.Scenario:
    return wf.Scenario.model_validate(CALM)


def stimuli(verdict: Any) -> list[str]:
    assert isinstance(verdict.witness, WorkflowWitness)
    return [each.event or each.kind for each in verdict.witness.stimuli]


def test_a_seed_that_breaks_a_claim_is_shown_again_by_the_line_that_is_told(
    till: wf.Workflow, calm: wf.Scenario
) -> None:
    found = wf.explore_seeds(till, calm, never="context.paid > 2", seeds=200)
    assert found.status is Status.VIOLATED
    seed = found.statistics["seed"]
    line = f"wf.explore_seeds(workflow, scenario, never='context.paid > 2', seeds=[{seed}])"
    assert line in found.reason
    again = eval(line, {"wf": wf, "workflow": till, "scenario": calm})
    assert again.witness == found.witness
    assert (found.bound["seeds"], again.bound["seeds"]) == (seed, 1)
    before = wf.explore_seeds(till, calm, never="context.paid > 2", seeds=range(1, seed)) if seed > 1 else None
    assert before is None or before.status is Status.UNKNOWN


def test_the_history_is_shortened_to_what_matters(till: wf.Workflow, calm: wf.Scenario) -> None:
    found = wf.explore_seeds(till, calm, never="context.paid > 2", seeds=200)
    assert stimuli(found) == ["start", "pay", "pay", "pay"]
    assert found.statistics["steps"] >= 4
    assert [step.after["context.paid"] for step in found.witness.steps] == [0, 1, 2, 3]


def test_the_witness_replays_simulates_and_opens_in_the_stepper(till: wf.Workflow, calm: wf.Scenario) -> None:
    witness = wf.explore_seeds(till, calm, never='state == "gone"', seeds=50).witness
    assert witness.replay()[-1].state == "gone"
    assert wf.simulate(witness).counts == {"completed/success": 1}
    stepper = wf.Stepper(witness)
    assert stepper.jump(len(witness))
    assert stepper.stepping.instance.state == "gone"
    assert stimuli(wf.explore_seeds(till, calm, never='state == "gone"', seeds=50)) == [
        "start",
        "leave",
        "activity_succeeded",
    ]


def test_no_step_of_a_witness_can_be_left_out(till: wf.Workflow, calm: wf.Scenario) -> None:
    never = 'state == "gone" and context.paid > 0'
    witness = wf.explore_seeds(till, calm, never=never, seeds=200).witness
    teller = Teller(till, [Asked.of(Property("never", never))])
    about = ["count" if each.kind.startswith("activity") else None for each in witness.stimuli]
    whole = [Happening(stimulus, name) for stimulus, name in zip(witness.stimuli, about)]
    assert teller.tell(whole).broken is not None
    for left_out in range(len(whole)):
        assert teller.tell([*whole[:left_out], *whole[left_out + 1 :]]).broken is None


@pytest.mark.parametrize("needed", [{0}, {0, 7}, {0, 3, 4, 15}, set(range(16))])
def test_delta_debugging_finds_what_is_needed_among_the_rest(needed: set[int]) -> None:
    happenings = [Happening(Stimulus("event", time=number)) for number in range(16)]

    def tell(told: Any) -> Retold:
        there = {each.stimulus.time for each in told}
        return Retold(tuple(told), Broken(0, "broken") if needed <= there else None)

    assert {each.stimulus.time for each in shortest(happenings, tell, 0).happenings} == needed


def test_what_breaks_another_property_is_no_shorter_history_of_this_one() -> None:
    happenings = [Happening(Stimulus("event", time=number)) for number in range(4)]

    def tell(told: Any) -> Retold:
        return Retold(tuple(told), Broken(0 if len(told) > 2 else 1, "broken"))

    assert len(shortest(happenings, tell, 0).happenings) == 3


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "never", "fault", "expected"),
    [
        ({"open": [("leave", "2m")]}, "activity.count.failed", "failures", ["start", "leave", "activity_failed"]),
        ({"open": [("pay", "1m")]}, "context.paid > 1", "duplicates", ["start", "pay", "pay"]),
        # Who comes after the hour finds the till shut, unless that goes unnoticed.
        ({"shut": [("pay", "1m")]}, "context.paid > 0", "late_timers", ["start", "pay"]),
        ({"open": [("show", "1m")], "shown": [("leave", "1m")]}, "entered('counted')", "reordered", ["start", "leave"]),
    ],
)
def test_a_fault_breaks_what_holds_without_it(
    events: dict[str, Any], never: str, fault: str, expected: list[str]
) -> None:
    states = [each for each in TILL["states"] if each["name"] != "shut"]
    till = wf.Workflow.model_validate(
        {
            **TILL,
            "events": {**TILL["events"], "show": {}},
            "states": [*states, {"name": "shut"}, {"name": "shown"}],
            "transitions": [
                *TILL["transitions"],
                {"from": "shut", "event": "pay", "to": "gone"},
                {"from": "open", "event": "show", "to": "shown"},
                {"from": "shown", "event": "leave", "to": "gone"},
            ],
        }
    )
    plans = {
        state: [{"event": event, "delay": {"constant": delay}} for event, delay in every]
        for state, every in events.items()
    }
    plan = wf.Scenario.model_validate({"events": plans, "patience": 1})
    calmly = wf.explore_seeds(till, plan, never=never, seeds=30)
    assert calmly.status is Status.UNKNOWN
    assert "None of 30 seeds breaks it. All were tried; that is no proof" in calmly.reason
    found = wf.explore_seeds(till, plan, never=never, seeds=30, faults={fault: 0.5})
    assert found.status is Status.VIOLATED
    assert stimuli(found) == expected
    assert f"faults={{'{fault}': 0.5}}" in found.reason
    assert any("0.5 of them" in each for each in found.assumptions)


def test_shares_of_failures_are_of_the_attempts_to_which_nothing_else_happens(
    till: wf.Workflow, calm: wf.Scenario
) -> None:
    plan = calm.changed(
        activities={"count": {"never_ends": 0.2, "failures": [{"error_type": "Lost", "probability": 0.3}]}}
    )
    changed = with_failures(plan, till, {"failures": 0.5, "never_ends": 0.5}).activities["count"]
    assert [(each.error_type, round(each.probability, 9)) for each in changed.failures] == [
        ("Lost", 0.3),
        ("Fault", 0.25),
    ]
    assert changed.never_ends == pytest.approx(0.2 + 0.125)
    assert with_failures(plan, till, {"duplicates": 0.5}) is plan
    stuck = wf.explore_seeds(
        till, calm, properties=[Property("eventually", "closed")], seeds=20, faults={"never_ends": 1.0}
    )
    # A case that stays open owes nothing yet.
    assert stuck.status is Status.UNKNOWN


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_a_property_file_is_asked_and_what_is_not_about_runs_is_named(
    till: wf.Workflow, calm: wf.Scenario, tmp_path: Path
) -> None:
    wf.save(till, tmp_path / "till.yaml")
    file = tmp_path / "properties.yaml"
    file.write_text(
        "workflow: till.yaml\nproperties:\n  - can_complete: {}\n"
        '  - eventually: state == "gone"\n  - precedes: {first: event.look, then: activity.count.succeeded}\n'
    )
    found = wf.explore_seeds(wf.load(tmp_path / "till.yaml"), calm, properties=file, seeds=100)
    assert found.status is Status.VIOLATED
    assert found.property.startswith(("eventually", "precedes"))
    assert "not asked, as they are not about runs or not expected to hold: can_complete" in found.assumptions
    assert f"properties='{file}'" in found.reason


def test_what_is_owed_when_a_case_closes_is_broken(till: wf.Workflow, calm: wf.Scenario) -> None:
    owed = [Property("leads_to", {"from": "event.pay", "to": "event.look"})]
    found = wf.explore_seeds(till, calm, properties=owed, seeds=100)
    assert found.status is Status.VIOLATED
    assert "the run ends in state" in found.reason
    assert stimuli(found)[:2] == ["start", "pay"]
    assert len(stimuli(found)) == 3 if stimuli(found)[-1] == "timer" else 4


def test_a_claim_without_a_value_is_an_error_with_its_history(till: wf.Workflow, calm: wf.Scenario) -> None:
    found = wf.explore_seeds(till, calm, never='context.note == "x" or context.note < "y"', seeds=3)
    assert found.status is Status.ERROR
    assert "A claim has no value in state 'open'" in found.reason
    assert stimuli(found) == ["start"]


def test_cases_wait_for_each_other(desk: wf.Workflow, plan: wf.Scenario) -> None:
    patient = plan.changed(
        arrivals={"poisson": "3600/h"},
        activities={"serve": {"duration": "4m"}},
        pools={"clerks": {"capacity": 1}},
    )
    alone = wf.explore_seeds(desk, patient, never='state == "lost"', seeds=5)
    assert alone.status is Status.UNKNOWN
    crowd = wf.explore_seeds(desk, patient, never='state == "lost"', seeds=5, cases=4)
    assert crowd.status is Status.VIOLATED
    assert "cases=4" in crowd.reason
    assert stimuli(crowd) == ["start", "timer"]


def test_a_workflow_that_starts_others_is_watched_and_its_witness_replays() -> None:
    order = wf.load("models/order_fulfilment.yaml")
    scenario = wf.load_scenario("models/order_fulfilment.scenario.yaml")
    found = wf.explore_seeds(order, scenario, never="closed", seeds=20, catalogue="models")
    assert found.status is Status.VIOLATED
    assert found.witness is not None
    assert found.witness.replay()[-1].is_closed


def test_an_interruption_ends_the_campaign_and_says_after_how_many(
    till: wf.Workflow, calm: wf.Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []

    class Interrupted(trying.Simulation):
        def run(self) -> RunSummary:
            summary = super().run()
            ran.append(1)
            summary.interrupted = len(ran) == 4
            return summary

    monkeypatch.setattr(trying, "Simulation", Interrupted)
    found = wf.explore_seeds(till, calm, never="context.paid > 90", seeds=10)
    assert (found.status, found.bound["seeds"]) == (Status.UNKNOWN, 3)
    assert "None of 3 seeds breaks it. It was interrupted" in found.reason


def test_arguments_that_say_nothing_are_refused(till: wf.Workflow, calm: wf.Scenario) -> None:
    def refused(told: str, **arguments: Any) -> None:
        with pytest.raises((OptionError, DefinitionError, TypeError), match=told):
            wf.explore_seeds(till, calm, **arguments)

    refused("give never, a claim that must not become true, or properties")
    refused("give never", never="closed", properties=[Property("always", "closed")])
    refused("'payed' is not in the workflow. Did you mean 'paid'", never="context.payed > 1")
    refused("none of the properties is about runs", properties=[Property("can_complete")])
    refused("properties holds 'closed', not a wf.Property", properties=["closed"])
    refused("seeds='7': give how many", never="closed", seeds="7")
    refused(r"seeds=\[\]: give at least one", never="closed", seeds=[])
    refused("seeds must be at least 1, not 0", never="closed", seeds=0)
    refused("each of seeds must be at least 0, not -1", never="closed", seeds=[-1])
    refused("cases must be at least 1, not 0", never="closed", cases=0)
    refused("there is no fault 'duplicate'. Did you mean 'duplicates'", never="closed", faults={"duplicate": 0.1})
    refused(r"faults\['failures'\]=1.5: give the share", never="closed", faults={"failures": 1.5})
    refused("faults is a mapping from names to shares", never="closed", faults=0.5)


def test_several_processes_answer_as_one_does(till: wf.Workflow, calm: wf.Scenario) -> None:
    asked: dict[str, Any] = {"seeds": 60, "faults": {"duplicates": 0.2}}
    for never in ("context.paid > 3", "context.paid > 100"):
        alone = wf.explore_seeds(till, calm, never=never, **asked)
        together = wf.explore_seeds(till, calm, never=never, workers=2, **asked)
        assert together.to_dict() == alone.to_dict()
        assert together.witness == alone.witness
    with pytest.raises(OptionError, match="workers must be at least 1, not 0"):
        wf.explore_seeds(till, calm, never="context.paid > 3", workers=0)
