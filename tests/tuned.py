"""A small workflow with a pool, a limit and a way to fail, and its scenario: quickly simulated and quickly proved."""

from __future__ import annotations

import wfsim as wf

CLAIMS = """
name: claims
version: 1.0.0
initial_state: received
activities:
  check: {timeout: 1h, pool: clerks, retry_policy: {max_attempts: 2}}
states:
  - {name: received, timeout: 2d}
  - {name: checking, activity: check}
  - {name: paid, is_terminal: true}
  - {name: refused, is_terminal: true, outcome: failure}
transitions:
  - {from: received, event: documents_came, to: checking}
  - {from: received, event: timeout, to: refused}
  - {from: checking, event: done, to: paid}
  - {from: checking, event: error, to: refused}
"""


def claims() -> wf.Workflow:
    """The workflow."""
    return wf.loads(CLAIMS)


def claims_scenario(cases: int = 60) -> wf.Scenario:
    """Some thirty claims an hour for two clerks."""
    return wf.Scenario.model_validate(
        {
            "workflow": "claims",
            "arrivals": {"poisson": "30/h"},
            "cases": cases,
            "seed": 3,
            "events": {"received": [{"event": "documents_came", "delay": {"exponential": {"mean": "20m"}}}]},
            "activities": {
                "check": {
                    "duration": {"lognormal": {"median": "3m", "sigma": 0.4}},
                    "failures": [
                        {"error_type": "Network", "probability": 0.1},
                        {"error_type": "Unreadable", "probability": 0.05},
                    ],
                }
            },
            "pools": {"clerks": {"capacity": 2}},
        }
    )
