"""Random workflows and families under their default scenario: every case replays exactly, a second run is the same,
and nothing is lost between instances.
"""

from __future__ import annotations

import json
from collections import Counter
from unittest.mock import patch

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.random_cases import cases
from tests.sides import check_edges, check_sides
from tests.strategies import families, workflows
from wfsim.history.case import Case
from wfsim.history.history import History
from wfsim.history.replay import replay_all
from wfsim.history.replay_case import CAUSES
from wfsim.history.runs import Origin
from wfsim.history.writer import HistoryWriter
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import CHILD
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.records import Record
from wfsim.semantics.texts import canonical
from wfsim.simulation import engine, relations
from wfsim.simulation.default import default_scenario
from wfsim.simulation.engine import Simulation

CASES = 3
# An hour: a random workflow may go in circles every two seconds, and after 100,000 steps a case is given up.
HOUR = 60 * 60 * 1_000_000
MOST_STEPS = 2_000

Simulated = list[tuple[Workflow, int]]


def simulated(all_of_them: Simulated) -> History:
    """One history with a run for each workflow and seed: opening a history costs more than such a run."""
    first, seed = all_of_them[0]
    with HistoryWriter(None, compile_workflow(first), origin=Origin(seed=seed)) as writer:
        for number, (workflow, seed) in enumerate(all_of_them):
            program, scenario = compile_workflow(workflow), default_scenario(workflow)
            if number:
                writer.new_run(Origin(seed=seed), program)
            scenario = scenario.changed(seed=seed, cases=CASES, horizon="1h")
            # Who goes round is given up, as below.
            with patch.object(engine, "MOST_STEPS", MOST_STEPS // 4):
                Simulation(program, scenario, sink=writer.append).run()
        return writer.finish()


@cases(6, unchecked=[HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(st.lists(st.tuples(workflows(undo=True), st.integers(0, 2**32)), min_size=4, max_size=4))
def test_the_histories_of_random_scenarios_replay_exactly_and_repeat(all_of_them: Simulated) -> None:
    with simulated(all_of_them) as history:
        report = replay_all(history)
        assert report, str(report)
        assert (report.n_cases, report.n_records) == (CASES * len(all_of_them), len(history))
        assert len(history) >= report.n_cases
        check_sides(history)
        check_edges(history.between("10m", "30m"))
        digest = history.digest
    with simulated(all_of_them) as again:
        assert again.digest == digest


def simulated_family(catalogue: Catalogue, seed: int) -> History:
    root = catalogue.get("random")
    program, scenario = compile_workflow(root, catalogue), default_scenario(root, catalogue)
    with HistoryWriter(None, program, origin=Origin(seed=seed)) as writer:
        scenario = scenario.changed(seed=seed, cases=CASES, horizon="1h")
        simulation = Simulation(program, scenario, sink=writer.append, birth=writer.announce)
        # A random family may go round without end; who is given up is open, and all else must hold.
        with patch.object(engine, "MOST_STEPS", MOST_STEPS), patch.object(relations, "MOST_RELATIVES", 200):
            simulation.run()
        return writer.finish()


@cases(5, unchecked=[HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(families(), st.integers(0, 2**32))
def test_families_replay_repeat_and_lose_nothing(catalogue: Catalogue, seed: int) -> None:
    with simulated_family(catalogue, seed) as history:
        report = replay_all(history)
        assert report, str(report)
        numbers = [case for (case,) in history.sql('SELECT "case" FROM cases ORDER BY "case"').fetchall()]
        assert numbers == list(range(1, len(numbers) + 1))
        check_sides(history)
        assert report.n_records == len(history)
        cases = {case.external_id or str(number): case for number in numbers for case in [history.case(number)]}
        records = {name: case.records() for name, case in cases.items()}
        for name, case in cases.items():
            nothing_stays_open(case)
            children_are_told(case, records[name], {child.parent_activation: child for child in case.children})
            undone_at_most_once(records[name])
        no_letter_is_lost(records)
        views_tell_workflows_apart(history, cases, records)
        digest = history.digest
    with simulated_family(catalogue, seed) as again:
        assert again.digest == digest


def views_tell_workflows_apart(history: History, cases: dict[str, Case], records: dict[str, list[Record]]) -> None:
    """The views count what the records of each workflow say, and show the same payloads."""
    edges: Counter[tuple[str, ...]] = Counter()
    attempts: Counter[tuple[str, ...]] = Counter()
    expected = {}
    for name, case in cases.items():
        for record in records[name]:
            expected[case.case, record.seq] = (case.workflow.name, json.loads(canonical(record.payload)))
            if record.kind == "transition" and record.to_state is not None:
                edges[case.workflow.name, record.state or "", record.to_state, record.event or ""] += 1
            if record.kind == "activity_scheduled":
                attempts[case.workflow.name, record.activity or ""] += 1
    rows = history.sql(
        "SELECT workflow, from_state, to_state, coalesce(event, ''), sum(n)::BIGINT FROM dfg GROUP BY ALL"
    )
    assert {tuple(edge): n for *edge, n in rows.fetchall()} == edges
    rows = history.sql("SELECT workflow, activity, attempts FROM activity_stats WHERE attempts > 0")
    assert {tuple(activity): n for *activity, n in rows.fetchall()} == attempts
    rows = history.sql('SELECT "case", seq, workflow, payload FROM history')
    assert {(case, seq): (name, json.loads(payload)) for case, seq, name, payload in rows.fetchall()} == expected


def nothing_stays_open(case: Case) -> None:
    instance = case.replay()
    if instance.is_closed:
        assert instance.activities() == []
        assert instance.timers() == []
        assert all(work.phase != CHILD for work in instance.works())


def children_are_told(case: Case, records: list[Record], children: dict[int | None, Case]) -> None:
    """Each child was started by its parent, is asked to end with its activation, and its end is told."""
    started = [record.payload["activation"] for record in records if record.kind == "child_started"]
    told = {record.payload["activation"]: record for record in records if record.kind == "child_closed"}
    stopped = {
        record.payload["activation"]: record.payload["policy"]
        for record in records
        if record.kind == "child_stop_requested"
    }
    assert len(set(started)) == len(started)
    assert set(children) <= set(started)
    end = next((record.time for record in records if record.kind == "instance_closed"), HOUR + 1)
    for activation in started:
        child = children.get(activation)
        if child is None:
            # Refused: its parent has been told that it failed, unless it has closed by then.
            assert activation in told or end <= HOUR
            continue
        last = child.records()[-1]
        if last.kind == "instance_closed" and activation not in told:
            assert end <= last.time
        if activation in told:
            assert (told[activation].time, told[activation].status) == (last.time, last.status)
        if activation in stopped:
            controls = [record for record in child.records() if record.kind == "control_received"]
            closed_first = last.kind == "instance_closed" and not controls
            assert closed_first or [record.payload["reason"] for record in controls] == ["parent"]
            assert closed_first or controls[0].payload["command"] == stopped[activation]


def undone_at_most_once(records: list[Record]) -> None:
    """M9.2: an entry leaves the log when its compensator succeeds."""
    entries = {
        record.activity_id: record.payload["compensates"] for record in records if "compensates" in record.payload
    }
    ignored = {record.cause_seq for record in records if record.kind == "stimulus_ignored"}
    undone = [
        entries[record.activity_id]
        for record in records
        if record.kind == "activity_succeeded" and record.activity_id in entries and record.seq not in ignored
    ]
    assert len(set(undone)) == len(undone)


def no_letter_is_lost(records: dict[str, list[Record]]) -> None:
    """Each message to others has arrived, or has come back, unless its sender had closed or was given up."""
    arrived = [
        record.event_id
        for each in records.values()
        for record in each
        if record.kind == "event_received" and record.payload.get("sender") is not None
    ]
    assert len(set(arrived)) == len(arrived)
    for name, each in records.items():
        if sum(record.kind in CAUSES for record in each) > MOST_STEPS:
            continue
        back = {record.payload["message_id"] for record in each if record.kind == "message_returned"}
        for record in each:
            if record.kind == "message_sent" and record.payload["to"] != "self":
                number = record.payload["message_id"]
                closed = each[-1].kind == "instance_closed" and each[-1].time <= record.time
                assert number in back or f"{name}:m{number}" in arrived or closed
