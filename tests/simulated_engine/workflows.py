"""What runs in the simulated world: children, retries, timeouts, heartbeats, compensation, messages, all at once."""

from __future__ import annotations

from tests.runtime_kill.kill_family import LOOK, PART, SITE
from wfsim.model.catalogue import Catalogue
from wfsim.model.yaml_io import loads

KITCHEN = loads(
    """
name: kitchen
version: 1.0.0
initial_state: waiting
correlation: {key: context.table}
variables:
  table: {type: integer, input: true}
  dishes: {type: integer, initial: 0, output: true, searchable: true}
events:
  order: {payload: {table: integer, dish: string}, starts: true}
  bill: {payload: {who: string}, time_to_live: 20s}
  dirty: {time_to_live: 5s}
activities:
  cook: {retry_policy: {max_attempts: 5, initial_interval: 500ms}, heartbeat: 3s}
states:
  - {name: waiting}
  - {name: cooking, activity: cook}
  - {name: served}
  - {name: closed, is_terminal: true}
  - {name: burnt, is_terminal: true, outcome: failure}
transitions:
  - from: [waiting, served]
    event: order
    to: cooking
    pre_actions: [{action_type: set_variable, parameters: {name: dishes, value: "${context.dishes + 1}"}}]
  - {from: cooking, event: done, to: served}
  - {from: cooking, event: error, to: burnt}
  - {from: waiting, event: dirty}
  - from: [waiting, served]
    event: bill
    to: closed
    pre_actions: [{action_type: send, event: paid, to: "${event.who}"}]
unhandled: defer
"""
)
GUEST = loads(
    """
name: guest
version: 1.0.0
initial_state: hungry
variables:
  me: {type: string, input: true}
  table: {type: integer, input: true}
  other: {type: integer, input: true}
  dishes: {type: integer, initial: 0, output: true, searchable: true}
events: {choose: {payload: {dish: string}}, leave: {}, paid: {}, nudge: {}}
activities: {look_around: {timeout: 4s, retry_policy: {max_attempts: 2, initial_interval: 1s}}}
states:
  - {name: hungry, timeout: 2m}
  - {name: eating, timeout: 5m, activity: look_around}
  - {name: paying, timeout: 40s}
  - {name: gone, is_terminal: true}
  - {name: angry, is_terminal: true, outcome: failure}
transitions:
  - from: [hungry, eating]
    event: choose
    to: eating
    pre_actions:
      - {action_type: set_variable, parameters: {name: dishes, value: "${context.dishes + 1}"}}
      - action_type: send
        event: order
        to: {workflow: kitchen, key: "${context.table}"}
        payload: {table: "${context.table}", dish: "${event.dish}"}
      - {action_type: send, event: dirty, to: {workflow: kitchen, key: "${context.other}"}}
  - {from: eating, event: done}
  - {from: eating, event: error}
  - from: eating
    event: leave
    to: paying
    pre_actions:
      - action_type: send
        event: bill
        to: {workflow: kitchen, key: "${context.table}"}
        payload: {who: "${context.me}"}
      - {action_type: send, event: nudge, to: self}
  - {from: paying, event: nudge}
  - {from: paying, event: paid, to: gone}
  - {from: paying, event: timeout, to: gone}
  - {from: [hungry, eating], event: timeout, to: angry}
timeouts: {workflow: 15m}
"""
)
CATALOGUE = Catalogue([SITE, PART, LOOK, KITCHEN, GUEST])
KNOWN = {each.name: each for each in (SITE, PART, LOOK, KITCHEN, GUEST)}
