"""Letters in the compiled calendar against those of the one in Python: each way that they can go, and many at once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.differential.test_compiled_calendar import PLAIN, compare, compiled, in_python
from tests.guests import crowd
from tests.returning import counted_returns
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import R_EVENT_RECEIVED, R_MESSAGE_RETURNED, R_MESSAGE_SENT
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation import engine, relations
from wfsim.simulation.compiled import memory, returns, run
from wfsim.simulation.compiled.run import CompiledSimulation
from wfsim.simulation.scenario import Scenario

ASKS = """\
name: asks
version: 1.0.0
initial_state: idle
correlation: {key: context.id}
variables: {id: {type: integer, input: true}, half: {type: number, initial: 7.0}, list: {type: list, initial: [7]}}
events: {typed: {payload: {n: integer}, time_to_live: 2m}, reply: {payload: {n: integer}}}
states: [{name: idle}, {name: waiting, timeout: 1h}, {name: end, is_terminal: true}]
transitions:
  - from: idle
    after: 10s
    to: waiting
    post_actions: [SENDS]
  - from: waiting
    event: reply
    pre_actions: [{action_type: send, event: plain, to: {workflow: NAME, key: 7}}]
  - {from: waiting, event: timeout, to: end}
"""
DESK = """\
name: NAME
version: 1.0.0
initial_state: open
correlation: {key: context.n}
types: {box: {fields: {x: {type: integer, minimum: 0}, marks: {type: list, optional: true}}}}
variables:
  n: {type: integer, input: true, minimum: 0}
  word: {type: string, input: true, optional: true}
  got: {type: any, optional: true}
events:
  plain: {}
  typed: {payload: {n: {type: integer, minimum: 0}, word: {type: string, optional: true}}, time_to_live: 1m}
  boxed: {payload: {box: box}}
  opens: {payload: {n: any, word: {type: string, optional: true}, more: {type: any, optional: true}}, starts: true}
states: [{name: open, timeout: 3h}, {name: shut, is_terminal: true}]
transitions:
  - from: open
    event: plain
    pre_actions: [{action_type: set_variable, parameters: {name: got, value: "${event.x}"}, on_failure: ignore}]
  - {from: open, event: typed, condition: "event.n < 100"}
  - from: open
    event: boxed
    pre_actions: [{action_type: set_variable, parameters: {name: got, value: "${event.box}"}}]
  - {from: open, event: opens}
  - {from: open, event: timeout, to: shut}
"""
PLAN: dict[str, Any] = {
    "arrivals": {"at": ["1s"]},
    "inputs": {"id": {"unique": 1}},
    "workflows": {"desk": {"arrivals": {"at": ["0s"]}, "inputs": {"n": 7}}},
}


def to_desk(event: str, key: Any, payload: str = "{}") -> str:
    return f"{{action_type: send, event: {event}, to: {{workflow: desk, key: {key}}}, payload: {payload}}}"


def to(name: str, event: str) -> str:
    return f"{{action_type: send, event: {event}, to: {name!r}, payload: {{n: 1}}}}"


def written(*sends: str, name: str = "desk") -> tuple[Workflow, Catalogue]:
    asks = wf.loads(ASKS.replace("SENDS", ", ".join(sends)).replace("NAME", name))
    return asks, Catalogue([asks, wf.loads(DESK.replace("NAME", name))])


def of_kind(records: list[tuple[Any, ...]], kind: int, column: str) -> list[Any]:
    place = 1 + PLAIN.index(column) if column in PLAIN else {"event_id": -4, "reason": -2, "source": -1}[column]
    return [record[place] for record in records if record[1 + PLAIN.index("kind")] == kind]


@pytest.mark.parametrize(
    ("send", "delivered", "why"),
    [
        (to_desk("typed", 7, "{n: 3, word: hi}"), ["1:m1"], []),
        (to_desk("typed", '"${context.half}"', "{n: 3}"), ["1:m1"], []),
        (to_desk("plain", 7, '{x: [1, {a: "b"}], y: 2}'), ["1:m1"], []),
        (to_desk("plain", 7), ["1:m1"], []),
        (to_desk("boxed", 7, "{box: {x: 3, marks: [1]}}"), ["1:m1"], []),
        (to_desk("boxed", 7, "{box: {x: -3}}"), ["1:m1"], ["payload"]),
        (to_desk("typed", 7, "{n: -3}"), ["1:m1"], ["payload"]),
        (to_desk("typed", 7), ["1:m1"], ["payload"]),
        (to_desk("typed", 7, "{n: 3, other: 1}"), ["1:m1"], ["payload"]),
        (to_desk("typed", 7, "{n: 300}"), ["1:m1"], ["condition"]),
        (to_desk("nix", 7, "{n: 3}"), ["1:m1"], ["undeclared"]),
        (to_desk("nix", 9, "{n: 3}"), [], ["undeclared"]),
        (to_desk("plain", 9), [], ["no_instance"]),
        (to_desk("typed", 9, "{n: 3}"), [], ["expired"]),
        (to_desk("typed", '"${context.list}"', "{n: 3}"), [], ["expired"]),
        (to_desk("typed", '"seven"', "{n: 3}"), [], ["expired"]),
        (to_desk("typed", "true", "{n: 3}"), [], ["expired"]),
        (to_desk("opens", 9, "{n: 9, word: hi, more: 1}"), ["1:m1"], []),
        (to_desk("opens", 7, "{n: 9}"), ["1:m1"], []),
        (to_desk("opens", 9, "{n: 8}"), [], ["it would start an instance with the key 8, not 9"]),
        (
            to_desk("opens", '"${context.half + 0.5}"', "{n: 8}"),
            [],
            ["it would start an instance with the key 8, not 7.5"],
        ),
        (
            to_desk("opens", '"${context.half + 2.0}"', "{n: 8}"),
            [],
            ["it would start an instance with the key 8, not 9.0"],
        ),
        (
            to_desk("opens", '"${context.list}"', "{n: 8}"),
            [],
            ["it would start an instance with the key 8, not [7]"],
        ),
        (to_desk("opens", 9, "{n: 'x'}"), [], ["input 'n' of desk: a string ('x') is not an integer."]),
        (to_desk("opens", 9, "{word: hi}"), [], ["desk needs the input 'n'"]),
        (
            "{action_type: send, event: typed, to: {workflow: \"${'no' + 'body'}\", key: 7}, payload: {n: 3}}",
            [],
            ["no workflow 'nobody' is known here"],
        ),
        (to("parent", "typed"), [], ["it has no parent"]),
        (to("desk-1", "typed"), ["1:m1"], []),
        (to("desk-9", "typed"), [], ["expired"]),
        (to("desk-9", "plain"), [], ["no_instance"]),
        (to("1", "typed"), ["1:m1"], ["no_transition"]),
    ],
)
def test_each_way_that_a_letter_goes_is_the_same(send: str, delivered: list[str], why: list[str]) -> None:
    asks, known = written(send)
    scenario = Scenario.model_validate(PLAN)
    compare(asks, scenario, known)
    (records, _, _), _ = in_python(asks, scenario, known)
    assert of_kind(records, R_EVENT_RECEIVED, "event_id") == delivered
    told = of_kind(records, R_MESSAGE_RETURNED, "reason")
    assert len(told) == len(why)
    assert all(one.startswith(other) for one, other in zip(told, why)), told


def test_to_whom_has_closed_nothing_comes() -> None:
    asks, known = written(to("desk-1", "typed"), to_desk("typed", 7, "{n: 1}"))
    scenario = Scenario.model_validate(PLAN | {"arrivals": {"at": ["3h"]}})
    compare(asks, scenario, known)
    (records, _, _), _ = in_python(asks, scenario, known)
    assert of_kind(records, R_MESSAGE_RETURNED, "reason") == ["closed", "expired"]


def test_a_workflow_that_is_called_parent_is_written_to_by_its_key() -> None:
    asks, known = written(
        "{action_type: send, event: typed, to: {workflow: parent, key: 7}, payload: {n: 3}}", name="parent"
    )
    plan = PLAN | {"workflows": {"parent": PLAN["workflows"]["desk"]}}
    compare(asks, Scenario.model_validate(plan), known)
    (records, _, _), _ = in_python(asks, Scenario.model_validate(plan), known)
    assert of_kind(records, R_EVENT_RECEIVED, "event_id") == ["1:m1"]


# --- many --------------------------------------------------------------------------------------------


def test_many_letters_are_the_same_from_small_tables_and_when_put_on_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workflow, scenario, known = crowd()
    expected = in_python(workflow, scenario, known)
    (records, _, births), _ = expected
    back = Counter(of_kind(records, R_MESSAGE_RETURNED, "reason"))
    assert min(back[why] for why in ("no_instance", "expired")) > 10
    assert len(births) > 50
    assert len(of_kind(records, R_MESSAGE_SENT, "seq")) > 1_000
    monkeypatch.setattr(memory, "ENTRIES", 8)
    monkeypatch.setattr(memory, "SLOTS", 1)
    assert compiled(workflow, scenario, known) == expected
    assert compiled(workflow, scenario, known, chunk=1_000, saved_at=tmp_path / "run") == expected


def test_letters_take_no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only for room, texts of arrivals, and the log that is full."""
    workflow, scenario, known = crowd(1_000)
    asked = counted_returns(monkeypatch)
    n_records = 0

    def sink(chunk: run.Chunk) -> None:
        nonlocal n_records
        n_records += len(chunk.log)

    CompiledSimulation(compile_workflow(workflow, known), scenario, sink=sink).run()
    assert n_records > 10_000
    assert set(asked) <= {
        returns.DONE, returns.PAUSED, returns.FLUSH, returns.TABLES, returns.SLOTS, returns.ROWS, returns.UNIQUES
    }  # fmt: skip
    assert asked.total() < 60


CHAIN = """\
name: chain
version: 1.0.0
initial_state: a
correlation: {key: context.n}
variables: {n: {type: integer, input: true}}
events: {next: {payload: {n: integer}, starts: true}}
states: [{name: a, timeout: LIFE, entry_actions: [SENDS]}, {name: z, is_terminal: true}]
transitions: [{from: a, event: next}, {from: a, event: timeout, to: z}]
"""


@pytest.mark.parametrize("life", ["1s", "10s"])
def test_instances_that_start_each_other_without_end_are_told_alike(life: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that goes too deep, and instances that are too many."""
    monkeypatch.setattr(relations, "MOST_RELATIVES", 60)
    monkeypatch.setattr(relations, "MOST_DEPTH", 20)
    one, two = (
        f'{{action_type: send, event: next, to: {{workflow: chain, key: "${{{of}}}"}}, payload: {{n: "${{{of}}}"}}}}'
        for of in ("context.n + 1", "2 * context.n")
    )
    for sends in (one, f"{one}, {two}"):
        workflow = wf.loads(CHAIN.replace("LIFE", life).replace("SENDS", sends))
        scenario = Scenario.model_validate({"arrivals": {"every": "7s"}, "cases": 3, "inputs": {"n": {"unique": 100}}})
        known = Catalogue([workflow])
        _, told = in_python(workflow, scenario, known)
        assert any("goes on without end" in note for note in told.notes)
        assert compare(workflow, scenario, known) > 100


def test_who_is_given_up_gets_no_letters_and_keeps_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_STEPS", 20)
    asks, _ = written(to_desk("typed", 7, "{n: 3}"), to("desk-1", "typed"))
    text = DESK.replace("NAME", "desk").replace("timeout: 3h", "timeout: 1s").replace("to: shut", "to: open")
    desk = wf.loads(text)
    plan = PLAN | {"arrivals": {"every": "5s"}, "cases": 9}
    known, scenario = Catalogue([asks, desk]), Scenario.model_validate(plan)
    (records, _, _), told = in_python(asks, scenario, known)
    assert sum("was given up" in note for note in told.notes) == 1
    assert of_kind(records, R_MESSAGE_RETURNED, "reason").count("closed") > 4
    compare(asks, scenario, known)
