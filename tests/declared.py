"""Workflows of one activity that is declared as `http` or `command`."""

from __future__ import annotations

from typing import Any

from wfsim.model.workflow import Workflow
from wfsim.runtime.permissions import Permissions
from wfsim.runtime.trying import Tried, try_activity

LOCAL = ("127.0.0.0/8", "::1")


def one(input: dict[str, Any] | None = None, parameters: dict[str, Any] | None = None, **activity: Any) -> Workflow:
    """It runs activity `f`, and ends in `ok` or `bad`; its variables keep what came of it."""
    given = parameters if parameters is not None else dict.fromkeys(input or {}, "x")
    definition = {
        "name": "one",
        "initial_state": "s",
        "variables": {
            "result": {"optional": True, "output": True},
            "type": {"optional": True, "output": True},
            "message": {"optional": True, "output": True},
        },
        "activities": {"f": {"timeout": "1m", "input": input or {}, **activity}},
        "states": [
            {"name": "s", "activity": {"name": "f", "parameters": given, "result_variable": "result"}},
            {"name": "ok", "is_terminal": True},
            {"name": "bad", "is_terminal": True, "outcome": "failure"},
        ],
        "transitions": [
            {"from": "s", "to": "ok", "event": "done"},
            {
                "from": "s",
                "to": "bad",
                "event": "error",
                "pre_actions": [
                    {"action_type": "set_variable", "parameters": {"name": "type", "value": "${event.type}"}},
                    {"action_type": "set_variable", "parameters": {"name": "message", "value": "${event.message}"}},
                ],
            },
        ],
    }
    return Workflow(**definition)


def tried(
    activity: dict[str, Any], input: dict[str, Any] | None = None, permissions: Permissions | None = None
) -> Tried:
    """What comes of an activity with these inputs, texts all of them unless it declares others."""
    given = input or {}
    declared = {"input": dict.fromkeys(given, "any"), **activity}
    workflow = one(parameters=given, **declared)
    return try_activity(workflow, "f", input=given, permissions=permissions or Permissions(networks=LOCAL))
