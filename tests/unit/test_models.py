"""The workflows that ship: they load, round trip, and are as good and as bad as their files say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wfsim as wf
from tests import models_page
from wfsim.history.replay import replay_all
from wfsim.model.workflow import Workflow
from wfsim.semantics.snapshot import from_snapshot
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status
from wfsim.verification.workflows.properties import PROPERTIES, verify
from wfsim.verification.workflows.property_files import load_properties
from wfsim.verification.workflows.space import explore_workflow

MODELS = Path("models")
WORKFLOWS = sorted(path for path in MODELS.rglob("*.yaml") if not path.name.endswith(".scenario.yaml"))
SCENARIOS = sorted(MODELS.rglob("*.scenario.yaml"))
CLAIMS = sorted(Path("verification").rglob("*.yaml"))
LARGE = ("employee_onboarding", "incident_response", "iot_device", "loan_application", "travel_booking")
"""Those whose property files take most of a minute together."""


def ids(path: Path) -> str:
    return "-".join(path.with_suffix("").parts)


def test_the_library_is_where_it_belongs() -> None:
    assert MODELS / "order_processing.yaml" in WORKFLOWS
    assert MODELS / "published" / "order_processing.yaml" in WORKFLOWS
    assert MODELS / "order_processing.scenario.yaml" in SCENARIOS


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids)
def test_every_workflow_loads_and_a_round_trip_is_the_identity(path: Path) -> None:
    workflow = wf.load(path)
    again = wf.loads(wf.dumps(workflow))
    assert again == workflow
    assert wf.dumps(again) == wf.dumps(workflow)
    # Without the text it was read from, it is written canonically, and still means the same.
    plain = Workflow.model_validate(workflow.model_dump(by_alias=True, exclude_none=True))
    assert wf.loads(wf.dumps(plain)) == workflow


@pytest.mark.parametrize("path", SCENARIOS, ids=ids)
def test_every_scenario_fits_its_workflow(path: Path) -> None:
    workflow = wf.load(path.with_suffix("").with_suffix(".yaml"))
    scenario = wf.load_scenario(path)
    assert scenario.workflow == workflow.name
    catalogue = None if path.parent != MODELS else MODELS
    history = wf.simulate(workflow, scenario, catalogue=catalogue, cases=20)  # type: ignore[operator]
    replay_all(history)
    assert sum(history.counts.values()) >= 20
    assert not [note for note in history.notes if "could move" in note]


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.long if path.stem in LARGE else ()) for path in CLAIMS],
    ids=ids,
)
def test_every_property_file_says_what_is_so(path: Path) -> None:
    """If the page does not, and it is meant: `python -m tests.models_page` writes it anew."""
    report = models_page.report(path)
    assert report.ok, str(report)
    assert all(asked.because for asked in report.properties if asked.expect != "holds")
    if path.parent == Path("verification"):
        assert models_page.told()[path.stem] == models_page.proved(path.stem)


@pytest.mark.parametrize("path", [path for path in WORKFLOWS if path.parent == MODELS], ids=ids)
def test_every_model_that_is_no_example_of_defects_has_no_finding(path: Path) -> None:
    assert list(wf.lint(wf.load(path), catalogue=wf.Catalogue(MODELS))) == []


def test_every_model_has_its_property_file() -> None:
    inner = [path.relative_to(MODELS) for path in WORKFLOWS]
    assert [path.relative_to("verification") for path in CLAIMS] == inner


def test_the_repaired_order_holds_in_every_respect() -> None:
    order = wf.load(MODELS / "order_processing.yaml")
    report = models_page.report(Path("verification/order_processing.yaml"))
    assert [verdict.status for verdict in report] == [Status.HOLDS] * 13
    shared = wf.to_net(order, instances=2, pools={"packers": 1})
    assert wf.explore(shared).deadlocks == [shared.final_marking]


# What the comments of the published model say: nothing in the source ever fills the states' fields but the initial
# one's; a new context is empty and the input is never copied into it; these variables are written and never read;
# the first event has no transition; two timeouts have none either; the refund starts in a terminal state.
# No error of an activity is taken, nor could one be that runs after a terminal state has been entered.
PUBLISHED_FINDINGS = {
    ("variable-unprovided", "variable 'validated_order_id'"),
    ("variable-unprovided", "variable 'payment_failed_attempt_count'"),
    ("variable-unprovided", "variable 'payment_completed_order_id'"),
    ("variable-unprovided", "variable 'payment_completed_payment_id'"),
    ("variable-unprovided", "variable 'inventory_allocated_order_id'"),
    ("variable-unprovided", "variable 'inventory_allocated_allocation_id'"),
    ("variable-unprovided", "variable 'shipped_order_id'"),
    ("variable-unprovided", "variable 'cancelled_order_id'"),
    ("variable-unprovided", "variable 'total_amount'"),
    ("variable-unprovided", "variable 'currency'"),
    ("variable-unprovided", "variable 'items'"),
    ("variable-unprovided", "variable 'payment_id'"),
    ("variable-never-read", "variable 'payment_failure_reason'"),
    ("variable-never-read", "variable 'payment_attempts'"),
    ("variable-never-read", "variable 'notification_sent'"),
    ("variable-never-read", "variable 'delivery_notification_sent'"),
    ("variable-never-read", "variable 'cancellation_reason'"),
    ("variable-never-read", "variable 'refund_notification_sent'"),
    *(
        ("error-unhandled", f"state {name!r}")
        for name in ("created", "validated", "payment_completed", "inventory_allocated", "shipped")
    ),
    ("ending-can-fail", "transition 9 (shipped → delivered on order_delivered)"),
    ("ending-can-fail", "transition 13 (payment_completed → cancelled on order_cancelled)"),
    ("ending-can-fail", "transition 14 (inventory_allocated → cancelled on order_cancelled)"),
    ("ending-can-fail", "transition 16 (payment_completed → refunded on refund_processed)"),
    ("ending-can-fail", "transition 17 (inventory_allocated → refunded on refund_processed)"),
    ("ending-can-fail", "transition 18 (shipped → refunded on refund_processed)"),
    ("event-unused", "event 'order_created'"),
    ("timeout-unhandled", "state 'payment_pending'"),
    ("timeout-unhandled", "state 'shipped'"),
    ("terminal-left", "transition 19 (cancelled → refunded on refund_processed)"),
}


def test_the_defects_of_the_published_order_are_named_and_no_others() -> None:
    findings = wf.lint(wf.load(MODELS / "published" / "order_processing.yaml"))
    serious = [(f.code, f.place) for f in findings if str(f.severity) != "info"]
    assert set(serious) == PUBLISHED_FINDINGS
    assert len(serious) == len(PUBLISHED_FINDINGS)
    assert all(f.line is not None and f.advice for f in findings)


def test_the_published_order_is_violated_where_it_is_known_to_be() -> None:
    order = wf.load(MODELS / "published" / "order_processing.yaml")
    report = verify(order, "verification/published/order_processing.yaml")
    built_in = [(asked, verdict) for asked, verdict in zip(report.properties, report) if asked.name in PROPERTIES]
    assert {asked.name: str(verdict.status) for asked, verdict in built_in} == {
        "states_reachable": "holds",
        "transitions_live": "violated",
        "can_complete": "violated",
        "no_failure": "violated",
        "no_unhandled_timeout": "violated",
        "sound": "violated",
    }
    by_name = {asked.name: verdict for asked, verdict in zip(report.properties, report)}
    dead = by_name["transitions_live"]
    assert [text.split(" (")[0] for text in dead.statistics["dead"]] == [
        "transition 4",
        "transition 5",
        "transition 19",
    ]
    assert by_name["can_complete"].statistics["states"] == ["payment_failed"]
    assert by_name["no_unhandled_timeout"].statistics["endings"] == [
        "payment_pending: Timeout.state",
        "shipped: Timeout.state",
    ]
    assert "of transition 19 " in by_name["sound"].reason


def test_each_temporal_defect_of_the_published_order_has_a_trace_that_replays() -> None:
    report = models_page.report(Path("verification/published/order_processing.yaml"))
    found = {
        asked.because.split(";")[0].split(",")[0]: verdict
        for asked, verdict in zip(report.properties, report)
        if asked.because is not None and asked.name not in PROPERTIES
    }
    assert len(found) == 6
    for verdict in found.values():
        assert verdict.status is Status.VIOLATED
        assert verdict.witness is not None
        assert len(verdict.witness.replay()) == len(verdict.witness)
    last = {text: verdict.witness.steps[-1] for text, verdict in found.items() if verdict.witness is not None}
    assert last["charged"].after == {"state": "cancelled", "status": "completed"}
    assert last["charged"].action == "release_inventory succeeds"
    assert last["what has been shipped can be cancelled"].action.startswith("event order_cancelled")
    unknown = last["no payment is ever kept"]
    assert unknown.action == "process_refund starts"
    assert unknown.after["context.payment_id"] is None
    assert last["the refund is started by the event that says it has been processed"].action.startswith("event refund_")
    assert last["both ways out of payment_failed read a count that nothing sets"].action == "timer workflow fires"


def test_the_published_order_has_no_bound_on_payment_attempts_once_its_retry_works() -> None:
    # As it stands, no retry is ever taken. With the count that transition 3 sets, an event says how often it was tried.
    text = (MODELS / "published" / "order_processing.yaml").read_text(encoding="utf-8")
    mended = wf.loads(text.replace("context.payment_failed_attempt_count", "context.payment_attempts"))
    asked = Property("at_most", {"state": "payment_pending", "times": 5})
    (verdict,) = verify(mended, [asked])
    assert verdict.status is Status.VIOLATED
    assert verdict.witness is not None
    assert verdict.witness.replay()
    actions = [step.action for step in verdict.witness.steps]
    assert sum(action == "event retry_payment" for action in actions) == 5
    (verdict,) = verify(wf.load(MODELS / "order_processing.yaml"), [asked])
    assert verdict.status is Status.HOLDS


MUTANTS = [
    (
        "order_processing",
        "{from: refund_review, to: refund_overdue, event: timeout}",
        "{from: refund_review, event: timeout}",
        "leads_to(from: event.payment_completed, ",
    ),
    ("order_fulfilment", "    compensate_with: refund_card\n", "", "never(in("),
    (
        "loan_application",
        "context.first_by != null and event.by != context.first_by",
        "context.first_by != null",
        "never(context.first_by != null and context.second_by != null",
    ),
    (
        "food_delivery",
        "event: [driver_gone, timeout], to: giving_back}",
        "event: [driver_gone, timeout], to: cancelled}",
        "settled",
    ),
    (
        "insurance_claim",
        "event: withdrawn, to: closing}",
        "event: withdrawn, to: refused}",
        "settled",
    ),
    (
        "iot_device",
        "to: online, condition: context.battery < 30}",
        "to: updating, condition: context.battery < 30}",
        "never(",
    ),
    (
        "shipping",
        "{from: recalling, event: error, to: lost}",
        "{from: recalling, event: error, to: on_the_way}",
        "leads_to(",
    ),
    # Reading has to show the version too: else an older one writes what the newer one does not read again.
    (
        "fenced_shard",
        '                - {action_type: set_variable, parameters: {name: seen, value: "${context.a_version}"}}\n',
        "",
        "never(context.lost)",
    ),
]


@pytest.mark.parametrize(("model", "old", "new", "broken"), MUTANTS, ids=[f"{m[0]}-{m[3][:12]}" for m in MUTANTS])
def test_a_model_that_is_broken_on_purpose_is_found_out(model: str, old: str, new: str, broken: str) -> None:
    text = (MODELS / f"{model}.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    _, asked = load_properties(Path("verification") / f"{model}.yaml")
    (about,) = [each for each in asked if str(each).startswith(broken)]
    (verdict,) = verify(wf.loads(text.replace(old, new)), [about])
    assert verdict.status is Status.VIOLATED, verdict
    assert verdict.witness is not None
    assert verdict.witness.replay()


def test_the_pause_that_makes_two_processors_of_a_shard_plays_in_the_stepper() -> None:
    report = models_page.report(Path("verification/shard.yaml"))
    two, lost = (verdict.witness for verdict in report if verdict.status is Status.VIOLATED)
    assert two is not None
    assert lost is not None
    said = [step.action for step in two.steps]
    pause = said.index("event a_stands_still"), said.index("event a_goes_on")
    assert pause[0] < said.index("timer after 30s in open/lock/of_a fires") < pause[1]
    assert two.replay()
    stepping = wf.Stepper(two).stepping
    assert stepping.jump(len(two.steps))
    assert stepping.state["open/a"] == "open/a/processing"
    assert stepping.state["open/b"] == "open/b/processing"
    assert wf.Stepper(lost).stepping.jump(len(lost.steps))
    assert [step.action for step in lost.steps][-2:] == ["event a_writes", "event b_writes"]


def _compared(text: str) -> set[tuple[object, ...]]:
    """What the fenced shard can be, with versions told by how they compare; and whether it is locked at all."""
    space = explore_workflow(wf.loads(text))
    assert space.complete
    found = set()
    for snapshot in space.snapshots:
        now = from_snapshot(space.program, space.texts, snapshot)
        values = dict(now.variables)
        a, b, seen = (values.pop(name) for name in ("a_version", "b_version", "seen"))
        newest = values.pop("version")
        assert newest == max(a, b)
        found.add((now.status, tuple(values.items()), a < b, a < seen, a > seen, b < seen, b > seen, newest == 0))
    return found


def test_more_locks_of_the_fenced_shard_than_the_model_counts_show_nothing_new() -> None:
    # All that guards read of versions is how they compare, and a new one is above all others. So what is reached with
    # five locks goes on as what is reached with six; if both are alike, so is all that any number of locks reaches.
    text = (MODELS / "fenced_shard.yaml").read_text(encoding="utf-8")
    assert _compared(text) == _compared(text.replace("maximum: 5", "maximum: 6").replace("version < 5", "version < 6"))


OURS = """\
name: small
version: 1.0.0
initial_state: created
states:
  - {name: created, timeout: 2h}
  - {name: paid, is_terminal: true}
transitions:
  - from: created
    to: paid
    event: pay
    condition: context.attempts < 3
    pre_actions:
      - {action_type: activity, name: charge, parameters: {amount: "${context.amount}"}, result_variable: receipt}
timeouts: {workflow: 30d, activity: 5m}
retry_policy: {max_attempts: 3, initial_interval: 1s, max_interval: 60s, backoff_coefficient: 2.0}
"""
THEIRS = """\
name: small
version: "1.0.0"
description: null
initial_state: created
states:
  - {name: created, description: null, is_terminal: false, metadata: null}
  - {name: paid, description: null, is_terminal: true, metadata: null}
transitions:
  - from: created
    to: paid
    event: pay
    description: null
    condition: context.attempts < 3
    pre_actions:
      - name: charge
        action_type: activity
        description: null
        parameters: {amount: "${context.amount}"}
        result_variable: receipt
    post_actions: null
timeouts: {workflow: 2592000, states: {created: 7200}, activity: 300}
retry_policy: {max_attempts: 3, initial_interval_seconds: 1, max_interval_seconds: 60, backoff_coefficient: 2.0}
"""


def test_the_published_form_of_an_example_means_the_same_as_ours() -> None:
    theirs, ours = wf.loads(THEIRS), wf.loads(OURS)
    assert wf.loads(wf.dumps(theirs)) == theirs
    assert {f.code for f in wf.lint(theirs)} == {f.code for f in wf.lint(ours)}
    net, other = wf.to_net(theirs), wf.to_net(ours)
    assert (net.places, net.transitions, net.arcs) == (other.places, other.transitions, other.arcs)


def test_the_page_of_the_library_shows_every_model_and_tells_what_is_proved_of_it() -> None:
    text = models_page.PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", text, flags=re.MULTILINE) == list(models_page.told())
    assert sorted(re.findall(r"^## (\w+)$", text, flags=re.MULTILINE)) == models_page.models()
    for name in models_page.models():
        drawing = (models_page.IMAGES / f"{name}.svg").read_text(encoding="utf-8")
        regions = wf.load(MODELS / f"{name}.yaml").regions()
        assert all(state.name in drawing for _, region in regions for state in region.states)
