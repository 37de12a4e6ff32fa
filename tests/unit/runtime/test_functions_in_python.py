"""M14: real runs with functions in Python that definitions declare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.stored import open_history
from wfsim.errors import EngineError, FunctionError, RunStopped
from wfsim.history.replay import replay_all
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import loads
from wfsim.runtime.opening import assembled
from wfsim.runtime.run import reopen, start

TEXT = """
name: order
initial_state: new
functions: {risk: {input: {amount: integer}, result: integer}}
variables: {amount: {type: integer, input: true}, score: {type: integer, optional: true, output: true}}
events: {go: {}, end: {}}
states: [{name: new}, {name: kept}, {name: closed, is_terminal: true}]
transitions:
  - from: new
    event: go
    to: kept
    pre_actions:
      - {action_type: set_variable, parameters: {name: score, value: "${functions.risk(context.amount)}"}}
  - {from: kept, event: end, to: closed, condition: functions.risk(context.score) > 3}
"""
PARENT = """
name: parent
initial_state: a
functions: {twice: {input: {n: integer}, result: integer}}
states:
  - {name: a, invoke: {workflow: order, input: {amount: "${functions.twice(2)}"}}}
  - {name: b, is_terminal: true}
transitions: [{from: a, event: done, to: b}]
"""


def order(risk: Any = None) -> Workflow:
    return loads(TEXT, functions=None if risk is None else {"risk": risk})


def more(n: int) -> int:
    return n + 1


def test_a_run_without_its_function_is_not_started(tmp_path: Path) -> None:
    with pytest.raises(FunctionError, match=r"without functions\.risk"):
        start(order(), input={"amount": 2}, store=tmp_path / "s.db", id="it")
    with pytest.raises(EngineError):
        reopen(tmp_path / "s.db", "it")


def test_a_run_goes_on_in_another_process_with_what_it_is_given(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    with start(order(more), input={"amount": 2}, store=store, id="it") as run:
        assert run.send("go") == "accepted"
        assert run.variables["score"] == 3
    with pytest.raises(FunctionError, match=r"without functions\.risk"):
        reopen(store, "it")
    with reopen(store, "it", functions={"risk": more}) as run:
        assert run.send("end") == "accepted"
        assert run.status == "completed"
    with open_history(store, functions={"risk": more}) as history:
        assert not replay_all(history).differences
    with assembled(f"sqlite:///{store}") as engine:
        engine.core.families.give({"risk": lambda n: n + 7})
        assert "1 of 1 instances did not go as their definitions say; first 'it'" in str(engine.check())
        with pytest.warns(UserWarning, match="'it' did not go as its definition says, and is left out"):
            assert len(engine.history) == 0


def test_children_have_functions_of_their_own(tmp_path: Path) -> None:
    catalogue = Catalogue([order(more)])
    parent = loads(PARENT, functions={"twice": lambda n: 2 * n})
    with start(parent, catalogue=catalogue, store=tmp_path / "s.db", id="it") as run:
        (child,) = run.children.values()
        child.send("go")
        assert child.variables["score"] == 5
        child.send("end")
        assert run.wait() == "b"
    with pytest.raises(FunctionError, match=r"'order' cannot be stepped without functions\.risk"):
        start(parent, catalogue=Catalogue([order()]), store=tmp_path / "t.db")


def test_a_function_that_is_none_of_its_arguments_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    numbers = iter(range(100))
    store = tmp_path / "s.db"
    run = start(order(lambda n: next(numbers)), input={"amount": 2}, store=store, id="it")
    with pytest.raises((FunctionError, RunStopped), match="is not a function of its arguments"):
        run.send("go")
    run.close()
    with reopen(store, "it", functions={"risk": more}) as again:
        assert (again.state, again.send("go"), again.variables["score"]) == ("new", "accepted", 3)
