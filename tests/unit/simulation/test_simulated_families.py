"""Families of workflows in simulated time: children, items, messages, and what the scenario says of each."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.families import CHECK, ORDER, PARCEL, family
from wfsim.errors import CatalogueError, ScenarioError
from wfsim.history.history import History
from wfsim.history.replay import replay_all
from wfsim.history.simulate import simulate
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.check import check_scenario
from wfsim.simulation.default import default_scenario
from wfsim.simulation.engine import Simulation

SECOND = 1_000_000
SCENARIO: dict[str, Any] = {
    "arrivals": {"every": "1m"},
    "cases": 3,
    "inputs": {"id": {"unique": 100}, "parcels": ["a", "b"]},
    "activities": {"mail": {"duration": "2s"}},
    "workflows": {
        "parcel": {"activities": {"mail": {"duration": {"uniform": {"low": "10s", "high": "20s"}}, "result": "r"}}},
        "check": {"events": {"look": [{"event": "seen", "delay": "5s"}]}},
    },
}


def run(scenario: dict[str, Any] | None = None, *, root: Any = None, others: Any = None, **options: Any) -> History:
    """The family of orders, or another one, under a scenario; every case replays."""
    catalogue = family() if others is None else [Workflow.model_validate(each) for each in others]
    workflow = family().get("order") if root is None else Workflow.model_validate(root)
    plan = wf.Scenario.model_validate(SCENARIO if scenario is None else scenario)
    history = simulate(workflow, plan, catalogue=catalogue, **options)
    report = replay_all(history)
    assert report, str(report)
    return history


def pair(child: dict[str, Any], **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A parent that runs a child in `ship` until that ends, or `stop` comes; and the child."""
    parent = {
        "name": "parent",
        "initial_state": "ship",
        "variables": {"n": {"type": "integer", "initial": 1}},
        "states": [
            {"name": "ship", "invoke": {"workflow": "child", **more.pop("invoke", {})}, **more.pop("state", {})},
            {"name": "shipped", "is_terminal": True},
            {"name": "lost", "is_terminal": True, "outcome": "failure"},
        ],
        "events": {"stop": {}},
        "transitions": [
            {"from": "ship", "to": "shipped", "event": "done"},
            {"from": "ship", "to": "lost", "event": "error"},
            {"from": "ship", "to": "lost", "event": "stop"},
            *more.pop("transitions", []),
        ],
        **more,
    }
    return parent, {"name": "child", "initial_state": "a", **child}


WAITS: dict[str, Any] = {
    "states": [{"name": "a", "activity": "wait"}, {"name": "z", "is_terminal": True}],
    "transitions": [{"from": "a", "to": "z", "event": "done"}],
    "activities": {"wait": {}},
}


def scenario(**more: Any) -> dict[str, Any]:
    return {"arrivals": {"at": ["0s"]}, **more}


def took(seconds: str) -> dict[str, Any]:
    return {"child": {"activities": {"wait": {"duration": seconds}}}}


def kinds(history: History, case: Any) -> list[str]:
    return [record.kind for record in history.case(case).records()]


def test_a_family_runs_and_counts_its_roots_only() -> None:
    history = run()
    assert history.counts == {"completed/success": 3}
    assert history.sql("SELECT workflow, count(*) FROM durations GROUP BY 1 ORDER BY 1").fetchall() == [
        ("check", 6),
        ("order", 3),
        ("parcel", 6),
    ]
    assert history.sql("SELECT \"case\" FROM durations WHERE workflow = 'order'").fetchall() == [(1,), (2,), (3,)]
    assert history.notes == []


def test_progress_and_summary_count_arrivals() -> None:
    workflow, told = family().get("order"), list[tuple[int, int]]()
    born: list[tuple[str, int | None, int | None]] = []
    simulation = Simulation(
        compile_workflow(workflow, family()),
        wf.Scenario.model_validate(SCENARIO).changed(seed=1, cases=3),
        sink=lambda case, instance, output: None,
        birth=lambda number, name, parent, activation: born.append((name, parent, activation)),
    )
    simulation.progress = lambda done, time: told.append((done, time))
    summary = simulation.run()
    assert [done for done, _ in told] == [1, 2, 3, 4, 5, 6]
    assert sorted(time for _, time in told) == [time for _, time in told]
    assert (summary.n_started, summary.n_closed, summary.n_children) == (3, 3, 12)
    assert born[:2] == [("1/3", 1, 3), ("1/4", 1, 4)]


def test_a_child_starts_when_its_parent_says_and_its_end_is_told_at_the_same_time() -> None:
    history = run()
    for root in range(1, 4):
        order = history.case(root)
        started = [record for record in order.records() if record.kind == "child_started"]
        closed = [record for record in order.records() if record.kind == "child_closed"]
        assert [record.payload["index"] for record in started] == [0, 1]
        for child in order.children:
            records = child.records()
            first, last = records[0], records[-1]
            (told,) = [record for record in closed if record.payload["activation"] == child.parent_activation]
            assert (first.kind, first.time) == ("started", started[0].time)
            assert (last.kind, last.time) == ("instance_closed", told.time)
            assert told.payload["result"] == {"receipt": "r"}
            assert first.payload["parent"] == str(root)
        assert order.replay().variables["receipts"] == [{"receipt": "r"}, {"receipt": "r"}]


def test_each_child_draws_for_itself() -> None:
    history = run()
    services = history.sql("SELECT service FROM history WHERE workflow = 'parcel' AND service IS NOT NULL").fetchall()
    assert len(set(services)) == 6
    assert all(10 * SECOND <= service < 20 * SECOND for (service,) in services)


def test_more_cases_change_neither_what_earlier_families_draw_nor_what_they_are_called() -> None:
    query = (
        'SELECT external_id, d.started, d.closed, i.key FROM durations d JOIN cases i USING (run, "case", external_id) '
        "WHERE starts_with(external_id, '1/') OR starts_with(external_id, '2/') ORDER BY 1"
    )
    few, many = run(cases=2), run(cases=9)
    assert few.sql(query).fetchall() == many.sql(query).fetchall()
    assert len(few.sql(query).fetchall()) == 8


def test_equal_seeds_give_equal_digests_with_children_too() -> None:
    assert run(seed=4).digest == run(seed=4).digest != run(seed=5).digest


@pytest.mark.parametrize(("policy", "status"), [("cancel", "cancelled"), ("terminate", "terminated")])
def test_a_child_ends_with_its_parents_activation(policy: str, status: str) -> None:
    parent, child = pair(WAITS, invoke={"parent_close": policy})
    history = run(
        scenario(events={"ship": [{"event": "stop", "delay": "3s"}]}, workflows=took("10s")),
        root=parent,
        others=[child],
    )
    (stopped,) = history.case(1).children
    assert stopped.status == status
    (control,) = [record for record in stopped.records() if record.kind == "control_received"]
    assert (control.time, control.payload["reason"]) == (3 * SECOND, "parent")
    assert history.case(1).replay().state == "lost"


def test_an_abandoned_child_goes_on_after_its_parent() -> None:
    parent, child = pair(WAITS, invoke={"parent_close": "abandon"})
    history = run(
        scenario(events={"ship": [{"event": "stop", "delay": "3s"}]}, workflows=took("10s")),
        root=parent,
        others=[child],
    )
    closed = history.sql("SELECT workflow, status, closed FROM durations ORDER BY 1 DESC").fetchall()
    assert closed == [("parent", "completed", 3 * SECOND), ("child", "completed", 10 * SECOND)]


def test_a_child_that_ends_at_its_parents_deadline_counts() -> None:
    parent, child = pair(
        WAITS, state={"timeout": "10s"}, transitions=[{"from": "ship", "to": "lost", "event": "timeout"}]
    )
    history = run(scenario(workflows=took("10s")), root=parent, others=[child])
    assert history.case(1).replay().state == "shipped"


def test_a_stop_comes_before_a_result_of_the_same_time() -> None:
    parent, child = pair(WAITS)
    history = run(
        scenario(events={"ship": [{"event": "stop", "delay": "10s"}]}, workflows=took("10s")),
        root=parent,
        others=[child],
    )
    # The child's result and the event are due at 10 s; results come first, and so does what follows from them.
    assert history.case(1).replay().state == "shipped"
    assert "stimulus_ignored" not in kinds(history, "1/1")


def test_a_child_refused_for_its_input_has_failed_for_its_parent() -> None:
    parent, child = pair(
        WAITS | {"variables": {"text": {"type": "string", "input": True}}}, invoke={"input": {"text": "${context.n}"}}
    )
    history = run(scenario(), root=parent, others=[child])
    assert history.counts == {"completed/failure": 1}
    (error,) = [record for record in history.case(1).records() if record.kind == "error_raised"]
    assert error.error_type == "Child.failed"
    assert history.case(1).children == []


def test_a_workflow_that_is_not_in_the_catalogue_is_named_before_anything_runs() -> None:
    order = Workflow.model_validate(ORDER)
    with pytest.raises(CatalogueError, match=r"state 'shipping' of 'order' runs 'parcel'.*catalogue='models'"):
        simulate(order, cases=1)
    with pytest.raises(CatalogueError, match="state 'checking' of 'parcel' runs 'check'"):
        simulate(order, cases=1, catalogue=[Workflow.model_validate(PARCEL)])


def test_all_workflows_share_the_pools() -> None:
    parent, child = pair(
        WAITS | {"activities": {"wait": {"pool": "clerks"}}},
        states=[
            {
                "name": "ship",
                "parallel": {
                    "regions": [
                        {
                            "name": name,
                            "initial_state": "s",
                            "states": [{"name": "s", **work}, {"name": "e", "is_terminal": True}],
                            "transitions": [{"from": "s", "to": "e", "event": "done"}],
                        }
                        for name, work in (("own", {"activity": "wait"}), ("child", {"invoke": {"workflow": "child"}}))
                    ]
                },
            },
            {"name": "shipped", "is_terminal": True},
            {"name": "lost", "is_terminal": True, "outcome": "failure"},
        ],
        activities={"wait": {"pool": "clerks"}},
    )
    plan = scenario(activities={"wait": {"duration": "4s"}}, workflows=took("10s"), pools={"clerks": {"capacity": 1}})
    history = run(plan, root=parent, others=[child])
    starts = "SELECT workflow, time FROM history WHERE kind = 'activity_started' ORDER BY time"
    assert history.sql(starts).fetchall() == [("parent", 0), ("child", 4 * SECOND)]
    (clerks,) = history.sql("SELECT pool, busy_time, max_queue, utilisation FROM pool_utilisation").fetchall()
    assert clerks == ("clerks", 14 * SECOND, 1, 1.0)


def recursive(condition: str) -> dict[str, Any]:
    return {
        "name": "again",
        "initial_state": "a",
        "variables": {"n": {"type": "integer", "input": True}},
        "states": [
            {"name": "a"},
            {"name": "b", "invoke": {"workflow": "again", "input": {"n": "${context.n + 1}"}}},
            {"name": "c", "is_terminal": True},
        ],
        "transitions": [
            {"from": "a", "to": "b", "condition": condition},
            {"from": "a", "to": "c", "condition": f"not ({condition})"},
            {"from": "b", "to": "c", "event": "done"},
        ],
    }


def test_a_workflow_may_run_itself() -> None:
    history = run(scenario(inputs={"n": 0}), root=recursive("context.n < 4"), others=[])
    ids = history.sql('SELECT external_id, status FROM durations ORDER BY "case"').fetchall()
    assert [name for name, _ in ids] == [None, "1/2", "1/2/2", "1/2/2/2", "1/2/2/2/2"]
    assert {status for _, status in ids} == {"completed"}
    assert history.counts == {"completed/success": 1}


def test_recursion_without_end_is_told_and_ends() -> None:
    history = run(scenario(inputs={"n": 0}), root=recursive("true"), others=[])
    assert history.counts == {"failed": 1}
    (note,) = history.notes
    assert "What case 1 starts goes on without end: 101 instances, 101 deep" in note


def test_items_take_the_time_of_their_activity_and_the_list_of_their_parent() -> None:
    workflow = {
        "name": "mailing",
        "initial_state": "sending",
        "variables": {"to": {"type": "list", "input": True}, "answers": {"type": "list", "optional": True}},
        "activities": {"mail": {}},
        "states": [
            {
                "name": "sending",
                "for_each": {
                    "items": "${context.to}",
                    "as": "one",
                    "activity": "mail",
                    "max_parallel": 2,
                    "on_failure": "collect",
                    "result_variable": "answers",
                },
            },
            {"name": "sent", "is_terminal": True},
        ],
        "transitions": [{"from": "sending", "to": "sent", "event": "done"}],
    }
    plan = scenario(
        inputs={"to": ["x", "y", "z", "w"]},
        activities={
            "mail": {"duration": "10s", "failures": [{"error_type": "Bounced", "probability": 0.5}], "result": "ok"}
        },
    )
    history = run(plan, root=workflow, others=[], seed=2)
    case = history.case(1)
    assert case.records()[-1].time == 20 * SECOND
    answers = case.replay().variables["answers"]
    assert isinstance(answers, list)
    assert {each["ok"] for each in answers} == {True, False}  # type: ignore[index, call-overload]
    stats = "SELECT attempts, failures, mean_service FROM activity_stats WHERE activity = 'mail'"
    ((attempts, failures, mean),) = history.sql(stats).fetchall()
    assert (attempts, mean) == (4, 10 * SECOND)
    assert failures == sum(not each["ok"] for each in answers)  # type: ignore[index, call-overload]


def test_compensators_take_their_time_too() -> None:
    workflow = {
        "name": "undone",
        "initial_state": "a",
        "activities": {"book": {"compensate_with": "unbook"}, "unbook": {}},
        "states": [{"name": "a", "activity": "book"}, {"name": "b"}, {"name": "z", "is_terminal": True}],
        "transitions": [
            {"from": "a", "to": "b", "event": "done"},
            {"from": "b", "to": "z", "after": "1m", "pre_actions": [{"action_type": "compensate"}]},
        ],
    }
    plan = scenario(activities={"book": {"duration": "5s", "result": "b7"}, "unbook": {"duration": "30s"}})
    case = run(plan, root=workflow, others=[]).case(1)
    (undo,) = [
        record for record in case.records() if record.kind == "activity_scheduled" and record.activity == "unbook"
    ]
    assert undo.payload["input"] == {"result": "b7"}
    assert case.records()[-1].time == 95 * SECOND


# --- messages ---------------------------------------------------------------------------------------


def test_a_message_to_the_parent_arrives_at_the_same_time() -> None:
    history = run()
    sent = history.sql(
        "SELECT i.external_id, h.time FROM history h JOIN cases i USING (run, \"case\") WHERE kind = 'message_sent'"
    ).fetchall()
    arrived = history.sql(
        "SELECT payload->>'sender', time FROM history WHERE kind = 'event_received' AND workflow = 'order'"
    ).fetchall()
    assert sorted(sent) == sorted(arrived)
    assert len(sent) == 6
    (first,) = history.sql("SELECT min(event_id) FROM history WHERE event_id IS NOT NULL").fetchall()
    assert first == ("1/3:m1",)


def talkers(to: Any, **event: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A parent with a child that writes once, at once, to somebody, and ends a minute later."""
    child = {
        "states": [{"name": "a"}, {"name": "z", "is_terminal": True}],
        "events": {"news": {"payload": {"id": "string"}, **event}},
        "variables": {"id": {"type": "string", "input": True}},
        "transitions": [
            {
                "from": "a",
                "condition": "not context.sent",
                "pre_actions": [
                    {"action_type": "set_variable", "parameters": {"name": "sent", "value": True}},
                    {"action_type": "send", "to": to, "event": "news", "payload": {"id": "${context.id}"}},
                ],
            },
            {"from": "a", "to": "z", "after": "1m"},
            {"from": "a", "event": "news"},
        ],
        "correlation": {"key": "context.id"},
    }
    child["variables"]["sent"] = {"type": "boolean", "initial": False}  # type: ignore[index]
    return pair(child, invoke={"input": {"id": "one"}})


def test_a_message_that_reaches_nobody_comes_back_in_time() -> None:
    for to, after, reason in (
        ("nobody", 0, "no_instance"),
        ({"workflow": "elsewhere", "key": "k"}, 0, "no workflow 'elsewhere' is known here"),
        ({"workflow": "child", "key": "other"}, 20, "expired"),
    ):
        parent, child = talkers(to, time_to_live="20s")
        if to == "nobody":
            child["events"]["news"]["time_to_live"] = "0s"
        history = run(scenario(), root=parent, others=[child])
        (back,) = [record for record in history.case("1/1").records() if record.kind == "message_returned"]
        assert (back.time, back.payload["reason"]) == (after * SECOND, reason)


def test_a_message_finds_an_instance_by_its_key_and_comes_back_if_it_is_turned_away() -> None:
    parent, child = talkers({"workflow": "child", "key": "one"})
    history = run(scenario(), root=parent, others=[child])
    rows = kinds(history, "1/1")
    assert rows.index("event_received") < rows.index("transition", rows.index("event_received"))
    child["transitions"].pop()
    history = run(scenario(), root=parent, others=[child])
    (back,) = [record for record in history.case("1/1").records() if record.kind == "message_returned"]
    assert back.payload["reason"] == "no_transition"


def test_a_message_may_start_an_instance_which_counts_as_no_arrival() -> None:
    parent, child = talkers({"workflow": "child", "key": "${'two' if context.id == 'one' else 'one'}"}, starts=True)
    send = child["transitions"][0]["pre_actions"][1]
    send["payload"] = {"id": "${'two' if context.id == 'one' else 'one'}"}
    history = run(scenario(), root=parent, others=[child])
    rows = history.sql('SELECT "case", external_id, workflow, parent_case, started FROM durations').fetchall()
    assert rows == [
        (1, None, "parent", None, 0),
        (2, "1/1:m1", "child", None, 0),
        (3, "1/1", "child", 1, 0),
    ]
    assert history.counts == {"completed/success": 1}
    # What was started writes to the first, whose key is still taken by it.
    assert kinds(history, "1/1").count("event_received") == 1


INN = """\
name: inn
version: 1.0.0
initial_state: quiet
correlation: {key: context.room}
variables: {room: {type: integer, input: true}}
events:
  book: {payload: {room: integer}, starts: true}
  note: {payload: {n: integer}, time_to_live: 1m}
states: [{name: quiet, timeout: 1h}, {name: empty, is_terminal: true}]
transitions:
  - {from: quiet, event: book}
  - {from: quiet, event: note}
  - {from: quiet, event: timeout, to: empty}
"""
GUEST = """\
name: guest
version: 1.0.0
initial_state: at_home
states: [{name: at_home}, {name: there, timeout: 2h}, {name: end, is_terminal: true}]
transitions:
  - from: at_home
    after: 10s
    to: there
    post_actions: [SENDS]
  - {from: there, event: timeout, to: end}
"""
BOOK = "{action_type: send, event: book, to: {workflow: inn, key: 7}, payload: {room: 7}}"


def note(n: int) -> str:
    return f"{{action_type: send, event: note, to: {{workflow: inn, key: 7}}, payload: {{n: {n}}}}}"


def guests(*sends: str, engine: Any) -> History:
    """One who writes to an inn that is not there yet."""
    parts = wf.loads(GUEST.replace("SENDS", ", ".join(sends))), wf.loads(INN)
    history = simulate(parts[0], wf.Scenario.model_validate(scenario()), catalogue=parts, engine=engine)
    assert replay_all(history)
    return history


def came(history: History, case: Any) -> list[tuple[str | None, str | None]]:
    return [(each.event, each.event_id) for each in history.case(case).records() if each.kind == "event_received"]


ENGINES = pytest.mark.parametrize("engine", ["python", "compiled"])


@ENGINES
def test_what_was_kept_comes_before_the_message_that_starts_its_receiver(engine: Any) -> None:
    """M7.3: it was sent before, by the same sender."""
    history = guests(note(1), BOOK, note(2), BOOK, engine=engine)
    assert came(history, "1:m2") == [("note", "1:m1"), ("book", "1:m2"), ("note", "1:m3"), ("book", "1:m4")]
    assert history.sql("SELECT count(*) FROM cases WHERE workflow = 1").fetchall() == [(1,)]


SHIFT = """\
name: shift
version: 1.0.0
initial_state: here
correlation: {key: context.desk}
variables: {desk: {type: integer, input: true}}
events: {hand_over: {payload: {desk: integer}, starts: true}}
states: [{name: here, timeout: 8h}, {name: gone, is_terminal: true}]
transitions:
  - {from: here, event: hand_over}
  - from: here
    event: timeout
    to: gone
    pre_actions:
      - {action_type: send, event: hand_over, to: {workflow: shift, key: "${context.desk}"}, payload: {desk: 1}}
"""


@ENGINES
def test_who_closes_has_no_key_any_more_when_its_last_message_is_delivered(engine: Any) -> None:
    plan = wf.Scenario.model_validate(scenario(inputs={"desk": 1}, horizon="17h"))
    with simulate(wf.loads(SHIFT), plan, engine=engine) as history:
        assert replay_all(history)
        names = history.sql("SELECT external_id FROM cases ORDER BY 1 NULLS FIRST").fetchall()
        assert names == [(None,), ("1:m1",), ("1:m1:m1",)]
        assert came(history, "1:m1") == [("hand_over", "1:m1")]


@ENGINES
def test_a_child_is_there_before_what_its_parent_writes_to_it_in_the_step_that_starts_it(engine: Any) -> None:
    parent, child = pair(WAITS | {"events": {"stop": {}}}, initial_state="first", events={"stop": {}})
    parent["states"].insert(0, {"name": "first"})
    write = {"action_type": "send", "event": "stop", "to": "1/2"}
    parent["transitions"].insert(0, {"from": "first", "to": "ship", "after": "1s", "post_actions": [write]})
    child["transitions"] = [*child["transitions"], {"from": "a", "event": "stop"}]
    history = run(scenario(workflows=took("5s")), root=parent, others=[child], engine=engine)
    assert came(history, "1/2") == [("stop", "1:m1")]
    assert "message_returned" not in kinds(history, 1)


def test_arrivals_whose_key_is_taken_are_refused_and_told() -> None:
    plan = SCENARIO | {"inputs": SCENARIO["inputs"] | {"id": {"choice": [1, 2]}}, "cases": 20}
    plan["arrivals"] = {"every": "5s"}
    history = run(plan)
    (note,) = history.notes
    n = history.sql("SELECT count(*) FROM durations WHERE workflow = 'order'").fetchall()[0][0]
    assert note.startswith(f"{20 - n:,} arrivals were refused; the first: order has an open instance with the key")
    assert 0 < n < 20


def test_a_child_whose_key_is_taken_has_failed() -> None:
    child = CHECK | {"correlation": {"key": "context.what"}}
    plan = SCENARIO | {"inputs": SCENARIO["inputs"] | {"parcels": ["a", "a"]}, "cases": 1}
    plan["workflows"] = {"parcel": {"activities": {"mail": {"duration": "1s", "result": "r"}}}}
    history = run(plan, others=[PARCEL, child], root=ORDER)
    errors = "SELECT error_type FROM history WHERE kind = 'error_raised' AND workflow = 'parcel'"
    assert history.sql(errors).fetchall() == [("Child.failed",)] * 1


# --- scenarios --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"workflows": {"parsel": {}}},
            "'order' neither starts nor writes to a workflow 'parsel'. Those that it does: check, parcel.*'parcel'",
        ),
        ({"workflows": {"order": {}}}, "'order' is the workflow that is simulated"),
        ({"workflows": {"check": {"events": {"see": []}}}}, "workflows.check.events.see: state 'see' does not exist"),
        ({"workflows": {"check": {"activities": {"f": {}}}}}, "workflows.check.activities.f: activity 'f' does not"),
        (
            {"workflows": {"check": {"events": {"look": [{"event": "sean"}]}}}},
            r"workflows.check.events.look\[0\].event: event 'sean' does not exist",
        ),
        (
            {"workflows": {"parcel": {"activities": {"mail": {"result": 5}}}}},
            "workflows.parcel.activities.mail.result: the result of activity 'mail', written to variable 'receipt'",
        ),
        ({"pools": {"clerks": {"capacity": 1}}}, "no activity uses the pool 'clerks'"),
        ({"workflows": {"parcel": {"activities": {"mail": {"pool": "nobody"}}}}}, "pool 'nobody' does not exist"),
        ({"activities": {"mail": {"result": {"unique": "x"}}}}, "'unique' numbers arrivals, so it is for inputs only"),
    ],
)
def test_a_scenario_is_checked_against_each_workflow(changes: dict[str, Any], told: str) -> None:
    plan = wf.Scenario.model_validate(SCENARIO | changes)
    with pytest.raises(ScenarioError, match=told):
        check_scenario(plan, family().get("order"), family())


def test_two_versions_of_a_child_can_have_plans_of_their_own() -> None:
    newer = PARCEL | {"version": "1.1.0"}
    root = ORDER | {
        "states": [
            {"name": "paying", "invoke": {"workflow": "parcel", "version": "<1.1.0", "input": {"parcel": "a"}}},
            *ORDER["states"][1:],
        ]
    }
    workflows = SCENARIO["workflows"]
    one = {"activities": {"mail": {"duration": "1s", "result": "r", "pool": "desk"}}}
    plan = {key: value for key, value in SCENARIO.items() if key != "activities"} | {
        "workflows": {"check": workflows["check"], "parcel 1.0.0": one, "parcel": workflows["parcel"]},
        "pools": {"desk": {"capacity": 1}},
    }
    history = run(plan, root=root, others=[PARCEL, newer, CHECK])
    query = "SELECT workflow, min(service), max(service) FROM history WHERE service > 0 GROUP BY 1 ORDER BY 1"
    (old, recent) = history.sql(query).fetchall()
    assert old == ("parcel 1.0.0", SECOND, SECOND)
    assert recent[1] >= 10 * SECOND
    asking = "SELECT w.workflow, p.activity, p.pool FROM activity_pools p JOIN workflow_names w USING (run, number)"
    assert history.sql(asking).fetchall() == [("parcel 1.0.0", "mail", "desk")]


def test_the_default_scenario_covers_children_lists_and_keys() -> None:
    plan = default_scenario(family().get("order"), family())
    assert set(plan.workflows) == {"parcel", "check"}
    assert plan.inputs == {"id": {"unique": 1}, "parcels": {"unique": ["text 1", "text 2", "text 3"]}}
    check_scenario(plan, family().get("order"), family())
    history = run(plan.changed(cases=20).model_dump(exclude_unset=True))
    assert history.counts["completed/success"] > 10
    assert history.sql("SELECT count(*) FROM durations WHERE workflow = 'parcel'").fetchall()[0][0] >= 40


def test_without_a_catalogue_the_default_scenario_is_about_the_root() -> None:
    assert default_scenario(family().get("order")).workflows == {}


def test_rejections_in_children_say_of_which_workflow_they_are() -> None:
    plan = SCENARIO | {"cases": 12}
    plan["workflows"] = SCENARIO["workflows"] | {
        "check": {"events": {"look": [{"event": "seen", "delay": "5s"}]}, "patience": 1}
    }
    child = CHECK | {"transitions": [CHECK["transitions"][0] | {"condition": "context.what == 'b'"}]}
    history = run(plan, root=ORDER, others=[PARCEL, child])
    assert any("'seen' of 'check' (condition) 12 times" in note for note in history.notes)


def test_children_that_nothing_can_move_are_told_with_their_workflow() -> None:
    parent, child = pair({"states": [{"name": "a"}, {"name": "z", "is_terminal": True}], "transitions": []})
    history = run(scenario(), root=parent, others=[child])
    (note,) = history.notes
    assert "2 cases are open and nothing is due that could move them: 'a' of 'child' (1), 'ship' (1)" in note
    assert history.counts == {"open": 1}
