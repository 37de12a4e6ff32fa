"""Functions in Python in live widgets: an edited workflow keeps them, a breakpoint may call them."""

from __future__ import annotations

import pytest

import wfsim as wf
from wfsim.errors import WfsimError
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.widgets.breakpoints import Breakpoints

TEXT = """
name: calling
initial_state: a
functions: {risk: {input: {n: integer}, result: integer}}
variables: {n: {type: integer, initial: 0}}
events: {go: {}}
states: [{name: a}, {name: b, is_terminal: true}]
transitions:
  - {from: a, event: go, to: b, condition: functions.risk(context.n) > 3}
  - {from: a, event: go, pre_actions: [{action_type: set_variable, parameters: {name: n, value: "${context.n + 1}"}}]}
"""


def calling() -> wf.Workflow:
    return wf.loads(TEXT, functions={"risk": lambda n: 2 * n})


def test_a_workflow_that_is_edited_keeps_its_functions() -> None:
    editor = wf.Editor(calling())
    editor.editing.rename("state:b", "c")
    assert editor.workflow.given.call("risk", [2]) == 4
    assert editor.editing.set_text(TEXT.replace("name: b", "name: d").replace("to: b", "to: d"))
    assert editor.workflow.given.call("risk", [2]) == 4
    assert not editor.editing.set_text(TEXT.replace("functions.risk(", "functions.rsk("))


def test_a_breakpoint_may_call_them() -> None:
    program = compile_workflow(calling())
    points = Breakpoints(program)
    points.toggle("functions.risk(context.n) == 2")
    with pytest.raises(WfsimError, match=r"calls functions\.rsk, which is not declared"):
        points.toggle("functions.rsk(context.n) == 2")
    before = Instance(program)
    before.start(0)
    now = before.copy()
    now.event(1, "go")
    assert points.hit(before, now) == "functions.risk(context.n) == 2"


def test_the_stepper_goes_through_a_workflow_that_calls() -> None:
    stepping = wf.Stepper(calling()).stepping
    (go,) = [each for each in stepping.possible() if each.id.startswith("event:")]
    for _ in range(3):
        stepping.do(go.id)
    assert (stepping.status, stepping.instance.variables["n"]) == ("completed", 2)
