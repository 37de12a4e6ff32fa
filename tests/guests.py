"""Workflows that write to each other by their keys: guests, and inns that their letters start."""

from __future__ import annotations

import wfsim as wf
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.simulation.scenario import Scenario

GUEST = """\
name: guest
version: 1.0.0
initial_state: away
correlation: {key: context.id}
variables: {id: {type: integer, input: true}, room: {type: integer, input: true}}
activities: {travel: {timeout: 1d}}
events: {welcome: {payload: {n: integer}, time_to_live: 1m}, full: {}}
states:
  - {name: away, activity: travel}
  - {name: asking, timeout: 20m}
  - {name: there, timeout: 30m}
  - {name: home, timeout: 10m}
  - {name: end, is_terminal: true}
  - {name: lost, is_terminal: true, outcome: failure}
transitions:
  - from: away
    event: done
    to: asking
    pre_actions:
      - {action_type: send, event: tip, to: {workflow: inn, key: "${context.room}"}, payload: {n: "${context.id}"}}
    post_actions:
      - action_type: send
        event: ask
        to: {workflow: inn, key: "${context.room}"}
        payload: {room: "${context.room}", who: "${context.id}"}
  - {from: asking, event: welcome, to: there}
  - {from: asking, event: full, to: lost}
  - {from: asking, event: timeout, to: lost}
  - from: there
    event: timeout
    to: home
    pre_actions:
      - {action_type: send, event: leave, to: {workflow: inn, key: "${context.room}"}}
      - {action_type: send, event: tip, to: {workflow: inn, key: "${context.room}"}, payload: {n: 0}}
  - {from: home, event: timeout, to: end}
"""
INN = """\
name: inn
version: 1.0.0
initial_state: quiet
correlation: {key: context.room}
variables: {room: {type: integer, input: true}, who: {type: integer, input: true}, n: {type: integer, initial: 0}}
events:
  ask: {payload: {room: integer, who: integer}, starts: true}
  tip: {payload: {n: integer}, time_to_live: 5m, unhandled: discard}
  leave: {unhandled: reject}
activities: {clean: {timeout: 1d}}
states: [{name: quiet}, {name: busy, activity: clean}, {name: empty, is_terminal: true}]
transitions:
  - from: quiet
    event: ask
    to: busy
    post_actions: [{action_type: send, event: welcome, to: {workflow: guest, key: "${event.who}"}, payload: {n: 1}}]
  - from: busy
    event: ask
    condition: "context.n < 3"
    pre_actions:
      - {action_type: set_variable, parameters: {name: n, value: "${context.n + 1}"}}
      - {action_type: send, event: welcome, to: {workflow: guest, key: "${event.who}"}, payload: {n: 1}}
  - from: busy
    event: ask
    condition: "context.n >= 3"
    pre_actions: [{action_type: send, event: full, to: {workflow: guest, key: "${event.who}"}}]
  - {from: busy, event: leave}
  - {from: busy, event: done, to: empty}
"""


def crowd(cases: int = 300) -> tuple[Workflow, Scenario, Catalogue]:
    """Guests in sixty inns: some letters are kept for a while, some come back."""
    guest, inn = wf.loads(GUEST), wf.loads(INN)
    plan = {
        "arrivals": {"poisson": "6/m"},
        "cases": cases,
        "inputs": {"id": {"unique": 1}, "room": {"integer": [1, 60]}},
        "activities": {"travel": {"duration": {"exponential": {"mean": "5m"}}}},
        "workflows": {"inn": {"activities": {"clean": {"duration": {"exponential": {"mean": "10m"}}}}}},
    }
    return guest, Scenario.model_validate(plan), Catalogue([guest, inn])
