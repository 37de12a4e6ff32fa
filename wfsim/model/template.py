"""Small valid workflows to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.arguments import expect
from wfsim.errors import DefinitionError, did_you_mean
from wfsim.model.yaml_io import loads

if TYPE_CHECKING:
    from wfsim.model.workflow import Workflow

MINIMAL = """\
# The smallest useful workflow: it waits for one event and ends.
name: minimal
version: 1.0.0
initial_state: waiting
events:
  finish: {}
states:
  - name: waiting
  - {name: finished, is_terminal: true}
transitions:
  - {from: waiting, event: finish, to: finished}
# Nobody waits for ever: after this time an instance ends as timed_out.
timeouts: {workflow: 30d}
# An event that no transition takes is refused, and its sender is told.
unhandled: reject
"""

APPROVAL = """\
# A request is approved or rejected; a reminder goes out, and silence counts as rejection.
name: approval
version: 1.0.0
initial_state: requested
variables:
  requester: {type: string, input: true}
  amount: {type: number, input: true, minimum: 0}
  reason: {type: string, optional: true, output: true}
events:
  approve: {}
  reject: {payload: {reason: string}}
activities:
  remind: {timeout: 1m}
  notify: {timeout: 1m}
states:
  - {name: requested, timeout: 7d}
  - {name: approved, is_terminal: true}
  - {name: rejected, is_terminal: true, outcome: failure}
transitions:
  # Small amounts need nobody.
  - {from: requested, to: approved, condition: context.amount <= 100}
  # Without `to` nothing is left: the timeout of 7 days runs on.
  - from: requested
    after: 2d
    pre_actions:
      - action_type: activity
        name: remind
        parameters: {requester: "${context.requester}"}
        on_failure: ignore
  - {from: requested, event: approve, to: approved}
  - from: requested
    event: reject
    to: rejected
    pre_actions:
      - {action_type: set_variable, parameters: {name: reason, value: "${event.reason}"}}
    post_actions:
      - action_type: activity
        name: notify
        parameters: {requester: "${context.requester}"}
        on_failure: ignore
  - from: requested
    event: timeout
    to: rejected
    pre_actions:
      - {action_type: set_variable, parameters: {name: reason, value: nobody answered}}
unhandled: reject
"""

ORDER = """\
# An order is paid, packed and delivered; until it is packed it can be cancelled.
name: order
version: 1.0.0
initial_state: created
variables:
  order_id: {type: string, input: true}
  total: {type: number, input: true, minimum: 0}
  payment_id: {type: string, optional: true, output: true}
events:
  pay: {payload: {amount: number}}
  cancel: {}
  delivered: {}
activities:
  charge_card:
    timeout: 5m
    retry_policy: {max_attempts: 3, initial_interval: 1s, non_retryable_errors: [CardDeclined]}
  refund_card: {timeout: 5m}
  pack: {timeout: 8h, pool: packers}
states:
  - {name: created, timeout: 2d}
  - name: paid                 # runs its activity while it is active
    activity: {name: pack, parameters: {order: "${context.order_id}"}}
  - {name: shipped, timeout: 14d}
  - {name: refunding, activity: {name: refund_card, parameters: {payment: "${context.payment_id}"}}}
  - {name: completed, is_terminal: true}
  - {name: cancelled, is_terminal: true, outcome: failure}
  - {name: refund_failed, is_terminal: true, outcome: failure}
transitions:
  - from: created
    event: pay
    condition: event.amount >= context.total
    to: paid
    pre_actions:
      - action_type: activity
        name: charge_card
        parameters: {order: "${context.order_id}", amount: "${event.amount}"}
        result_variable: payment_id
  # The charge failed for good.
  - {from: created, event: error, to: cancelled}
  - {from: created, event: cancel, to: cancelled}
  - {from: created, event: timeout, to: cancelled}
  - {from: paid, event: done, to: shipped}
  # Whatever goes wrong once the money is there: it goes back.
  - {from: paid, event: error, to: refunding}
  - {from: paid, event: cancel, to: refunding}
  - {from: shipped, event: delivered, to: completed}
  - {from: shipped, event: timeout, to: refunding}
  - {from: refunding, event: done, to: cancelled}
  - {from: refunding, event: error, to: refund_failed}
timeouts: {workflow: 30d}
unhandled: reject
"""

RETRY = """\
# Work that may fail: first the engine retries, then a person decides, at most three times.
name: retry
version: 1.0.0
initial_state: working
variables:
  job: {type: string, input: true}
  rounds: {type: integer, initial: 1, maximum: 3}
  result: {optional: true, output: true}
events:
  try_again: {}
  give_up: {}
activities:
  work:
    timeout: 10m
    retry_policy:
      max_attempts: 4          # the first one counts
      initial_interval: 5s     # then 10s, 20s: times backoff_coefficient, up to max_interval
      max_interval: 1m
      backoff_coefficient: 2
      non_retryable_errors: [BadJob]
states:
  - name: working
    activity: {name: work, parameters: {job: "${context.job}"}, result_variable: result}
  - {name: failed, timeout: 3d}
  - {name: finished, is_terminal: true}
  - {name: abandoned, is_terminal: true, outcome: failure}
transitions:
  - {from: working, event: done, to: finished}
  - {from: working, event: error, to: failed}
  # The condition bounds the circle working → failed → working.
  - from: failed
    event: try_again
    condition: context.rounds < 3
    to: working
    pre_actions:
      - {action_type: set_variable, parameters: {name: rounds, value: "${context.rounds + 1}"}}
  - {from: failed, event: give_up, to: abandoned}
  - {from: failed, event: timeout, to: abandoned}
timeouts: {workflow: 30d}
unhandled: reject
"""

TEMPLATES = {"minimal": MINIMAL, "approval": APPROVAL, "order": ORDER, "retry": RETRY}


def new(template: str = "minimal") -> Workflow:
    """A small valid workflow without findings, to start from; saved, it explains itself in comments.

    Parameters
    ----------
    template
        `minimal`, `approval`, `order` or `retry`.

    Raises
    ------
    DefinitionError
        For an unknown template; the text lists those there are.
    """
    expect(template, str, "new takes the name of a template", f"Templates: {', '.join(TEMPLATES)}.")
    text = TEMPLATES.get(template)
    if text is None:
        raise DefinitionError(
            f"there is no template {template!r}. Templates: {', '.join(TEMPLATES)}.{did_you_mean(template, TEMPLATES)}"
        )
    return loads(text, name=f"template {template}")
