"""Breakpoints that read what belongs to a state."""

from __future__ import annotations

import pytest

import wfsim as wf
from wfsim.errors import WfsimError

TEXT = """
name: paying
initial_state: asked
events: {failed: {payload: {reason: string}}, paid: {}}
states:
  - {name: asked}
  - {name: refused, data: {reason: string}}
  - name: packing
    parallel:
      regions:
        - name: box
          initial_state: open
          states:
            - {name: open}
            - {name: full, data: {weight: integer}}
            - {name: shut, is_terminal: true}
          transitions:
            - from: open
              event: failed
              to: full
              pre_actions: [{action_type: set_variable, parameters: {name: state.weight, value: 4}}]
            - {from: full, event: paid, to: shut}
  - {name: done, is_terminal: true}
transitions:
  - from: asked
    event: failed
    to: refused
    pre_actions: [{action_type: set_variable, parameters: {name: state.reason, value: "${event.reason}"}}]
  - {from: refused, event: paid, to: packing}
  - {from: packing, event: done, to: done}
"""


def test_a_breakpoint_reads_what_belongs_to_a_state() -> None:
    stepping = wf.Stepper(wf.loads(TEXT)).stepping
    stepping.breakpoints.toggle("state.refused.reason == 'no money'")
    stepping.breakpoints.toggle("state['packing/box/full'].weight > 3")
    for event, payload in (("failed", {"reason": "no money"}), ("paid", {}), ("failed", {"reason": "again"})):
        assert stepping.do(f"event:{event}", **payload)
    stepping.jump(1)
    stops = []
    for _ in range(3):
        stepping.play()
        stops.append(stepping.stopped)
    assert stops[0] == "stopped at the breakpoint state.refused.reason == 'no money'."
    assert stops[1] == ""
    assert stops[2] == "stopped at the breakpoint state['packing/box/full'].weight > 3."


def test_what_no_state_has_is_named_with_what_there_is() -> None:
    breakpoints = wf.Stepper(wf.loads(TEXT)).stepping.breakpoints
    for text in ("state.asked.reason == 'x'", "state.reason == 'x'", "state.refused.weight > 3"):
        with pytest.raises(WfsimError) as told:
            breakpoints.toggle(text)
        assert "(state.refused.reason, state['packing/box/full'].weight)" in str(told.value)
