"""Random workflows and random stimuli: what is written reads back as it was, and replays exactly."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.random_cases import cases
from tests.sides import check_edges, check_sides
from wfsim.history.history import History
from wfsim.history.replay import replay_all
from wfsim.history.runs import definition_of, workflow_of
from wfsim.history.store import Store
from wfsim.history.writer import HistoryWriter
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.program import Program
from wfsim.semantics.records import Record, records_of
from wfsim.semantics.texts import canonical

EVENTS = ("e", "f", "g")
STATES = ("s0", "s1", "s2", "s3")
COMMANDS = ("pause", "resume", "cancel", "terminate", "retry")

texts = st.text(max_size=6) | st.sampled_from(["\x00", "'", '"', "\\", "🎈"])


def values_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Values of JSON with such texts."""
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    )


# Executors and starts refuse half characters; of events they are a wrong payload, which is recorded.
results, values = values_of(texts), values_of(texts | st.just("\ud800"))
inputs_v = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.just([1, 1.0, {"é": None}])
payloads = st.dictionaries(st.sampled_from(["n", "x", "event", "payload"]), values, max_size=3)


@st.composite
def actions(draw: st.DrawFn, event: bool) -> list[dict[str, Any]]:
    """Up to two actions: an assignment, an activity."""
    found: list[dict[str, Any]] = []
    if draw(st.booleans()):
        target = draw(st.sampled_from(["n", "v"]))
        literals: list[Any] = [7] if target == "n" else [7, None, [1, {"a": 2.5}], *(["${event}"] if event else [])]
        value = draw(st.sampled_from(["${context.n + 1}", "${context.v}", *literals]))
        on_failure = draw(st.sampled_from(["abort", "ignore"]))
        found.append(
            {
                "action_type": "set_variable",
                "parameters": {"name": target, "value": value},
                "on_failure": on_failure,
            }
        )
    if draw(st.integers(0, 3)) == 0:
        found.append(
            {"action_type": "activity", "name": "act", "parameters": {"n": "${context.n}"}, "result_variable": "v"}
        )
    return found


@st.composite
def transitions(draw: st.DrawFn, states: tuple[str, ...], sources: list[str]) -> list[dict[str, Any]]:
    """A few transitions of all triggers."""
    found = []
    for _ in range(draw(st.integers(1, 6))):
        one: dict[str, Any] = {"from": draw(st.sampled_from(sources))}
        to = draw(st.none() | st.sampled_from(states))
        if to is not None:
            one["to"] = to
        trigger = draw(st.sampled_from([*EVENTS, *EVENTS, "done", "error", "timeout", "cancel_requested", "after"]))
        if trigger == "after":
            one["after"] = "3s"
        else:
            one["event"] = trigger
        if draw(st.integers(0, 3)) == 0:
            one["condition"] = draw(
                st.sampled_from(["context.n > 1", "context.v == null", "context.n > 9 // context.n"])
            )
        one["pre_actions"] = draw(actions(trigger in EVENTS))
        one["post_actions"] = draw(actions(trigger in EVENTS))
        found.append(one)
    return found


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """Short workflows: up to four root states, perhaps one of them with an inner region."""
    names = STATES[: draw(st.integers(2, 4))]
    states: list[dict[str, Any]] = []
    for k, name in enumerate(names):
        state: dict[str, Any] = {"name": name}
        kind = draw(st.sampled_from(["plain", "plain", "terminal", "work", "timeout", "parallel"])) if k else "plain"
        if kind == "terminal":
            state.update(is_terminal=True, outcome=draw(st.sampled_from(["success", "failure"])))
        elif kind == "work":
            state["activity"] = {"name": "act", "result_variable": "v"}
        elif kind == "timeout":
            state["timeout"] = "5s"
        elif kind == "parallel":
            inner = ("i0", "i1")
            state["parallel"] = {
                "regions": [
                    {
                        "name": "in",
                        "initial_state": "i0",
                        "states": [{"name": "i0"}, {"name": "i1", "is_terminal": True}],
                        "transitions": draw(transitions(inner, ["i0"])),
                    }
                ]
            }
        states.append(state)
    sources = [state["name"] for state in states if not state.get("is_terminal")]
    return Workflow.model_validate(
        {
            "name": draw(st.sampled_from(["w", "Prüfung", "a'b"])),
            "initial_state": "s0",
            "variables": {
                "n": {"type": "integer", "initial": 0, "input": True, "optional": True},
                "v": {"optional": True, "input": True, "output": True},
            },
            "events": {"e": {"payload": {"n": {"type": "integer"}}}, "f": {}, "g": {"unhandled": "defer"}},
            "activities": {
                "act": {
                    "timeout": "4s",
                    "retry_policy": {"max_attempts": 2, "initial_interval": "1s", "jitter": 0.5},
                }
            },
            "timeouts": {"workflow": "60s"} if draw(st.booleans()) else {},
            "unhandled": draw(st.sampled_from(["reject", "defer", "discard"])),
            "states": states,
            "transitions": draw(transitions(names, sources)),
        }
    )


def stimulus(draw: st.DrawFn, instance: Instance) -> Output:
    """Whatever may reach the instance now, sensible or not."""
    now = instance.time + draw(st.integers(0, 3_000_000))
    kind = draw(st.integers(0, 9))
    works = instance.activities()
    if works and kind < 3:
        work = works[0]
        attempt = draw(st.sampled_from([work.attempt, work.attempt, 2]))
        if kind == 0:
            return instance.activity_started(now, work.activity_id, attempt, draw(st.none() | texts))
        if kind == 1:
            return instance.activity_succeeded(now, work.activity_id, attempt, draw(results))
        return instance.activity_failed(
            now, work.activity_id, attempt, draw(st.sampled_from(["Net", "Timeout.x"])), draw(st.none() | texts)
        )
    timers = instance.timers()
    if timers and kind < 6:
        timer = draw(st.sampled_from(timers))
        return instance.timer_fired(max(now, timer.due), timer.place, timer.id + draw(st.sampled_from([0, 0, 0, 1])))
    if kind == 9:
        command = draw(st.sampled_from(COMMANDS))
        return instance.control(now, command, draw(st.none() | st.just("c1")), draw(st.none() | texts))
    event = draw(st.sampled_from([*EVENTS, *EVENTS, "unknown"]))
    payload = draw(st.just({"n": 2}) | payloads)
    return instance.event(now, event, payload, draw(st.none() | st.sampled_from(["1", "2"])), draw(st.none() | texts))


@st.composite
def runs(draw: st.DrawFn) -> tuple[Workflow, Program, list[tuple[int, Instance, Output]], dict[int, list[Record]]]:
    """A workflow, and the interleaved steps of up to three instances of it with their records."""
    workflow = draw(workflows())
    program = compile_workflow(workflow)
    steps: list[tuple[int, Instance, Output]] = []
    records: dict[int, list[Record]] = {}
    instances = {}
    for case in range(1, draw(st.integers(1, 3)) + 1):
        instances[case] = instance = Instance(program, key=draw(st.integers(0, 2**62 - 1)))
        inputs = draw(st.fixed_dictionaries({}, optional={"n": st.none() | st.integers(-3, 3), "v": inputs_v}))
        output = instance.start(case, inputs)
        steps.append((case, instance, output))
        records[case] = records_of(instance, output)
    for _ in range(draw(st.integers(0, 15))):
        case = draw(st.sampled_from(sorted(instances)))
        output = stimulus(draw, instances[case])
        steps.append((case, instances[case], output))
        records[case] += records_of(instances[case], output)
    return workflow, program, steps, records


def text(record: Record) -> str:
    # What is no Unicode is stored as question marks.
    return canonical(asdict(record)).encode("utf-8", "replace").decode()


def written(workflow: Workflow, program: Program, steps: list[tuple[int, Instance, Output]]) -> History:
    writer = HistoryWriter(None, program, batch_rows=7)
    for case, instance, output in steps:
        writer.append(case, instance, output)
    return writer.finish()


@cases(5, unchecked=list(HealthCheck))
@given(runs())
def test_what_is_written_reads_back_and_replays(
    run: tuple[Workflow, Program, list[tuple[int, Instance, Output]], dict[int, list[Record]]],
) -> None:
    workflow, program, steps, records = run
    with written(workflow, program, steps) as history:
        for case, expected in records.items():
            got = history.case(case).records()
            assert [text(record) for record in got] == [text(record) for record in expected]
        check_sides(history)
        report = replay_all(history)
        assert report, str(report)
        assert report.n_records == sum(map(len, records.values()))
        for case, instance, _ in steps:
            again = history.case(case).replay()
            assert again.version == instance.version
            assert again.status == instance.status
            assert again.configuration == instance.configuration


@cases(4, unchecked=list(HealthCheck))
@given(runs())
def test_a_store_that_is_reopened_before_each_append_holds_the_same(
    run: tuple[Workflow, Program, list[tuple[int, Instance, Output]], dict[int, list[Record]]],
) -> None:
    workflow, program, steps, _ = run
    with tempfile.TemporaryDirectory() as folder, written(workflow, program, steps) as simulated:
        path = Path(folder) / "runs.duckdb"
        places: dict[int, Any] = {}
        store = Store(path)
        for k, (case, instance, output) in enumerate(steps):
            if k % 4 == 3:
                store.close()
                store = Store(path)
            if case not in places:
                places[case] = store.new_case(program)
            store.append(places[case], instance, output, expected_version=output.records[0].seq - 1)
        live = store.history()
        assert live.digest == simulated.digest
        check_edges(live)
        for query in ("SELECT * FROM history", "SELECT * FROM stays ORDER BY ALL", "FROM outcomes", "FROM hot_paths"):
            assert live.sql(query).fetchall() == simulated.sql(query).fetchall(), query
        store.close()


@cases(40)
@given(workflows())
def test_the_stored_definition_gives_the_workflow_again(workflow: Workflow) -> None:
    definition = definition_of(workflow)
    assert workflow_of(definition) == workflow
    assert definition_of(workflow_of(definition)) == definition
