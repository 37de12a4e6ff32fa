"""Random workflows in which much happens: regions, errors that climb, compensation, children and lists.

Made from a number, so that a test can name the one that fails; small enough for the explorer to finish.
"""

from __future__ import annotations

import random
from typing import Any

from wfsim.model.workflow import Workflow

EVENTS = ("go", "stop")
_WHEN = ("completed", "attempted")


class _Maker:
    def __init__(self, number: int, *, undo: bool, children: bool, waits: bool, recalls: bool, passes: bool) -> None:
        self.random = random.Random(number)
        self.recalls = recalls
        self.passes = passes
        self.undo = undo
        self.children = children
        self.waits = waits
        self.regions = 0

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def actions(self, *, outer: bool) -> list[dict[str, Any]]:
        """At most one: what waits in a parallel state makes its region busy, which `waits` allows."""
        kinds = ["none"] * 4 + ["set"]
        if self.waits or not outer:
            kinds += ["f", "f"] + (["compensate"] * 2 if self.undo else [])
        kind = self.random.choice(kinds)
        ignore = {"on_failure": "ignore"} if self.chance(30) else {}
        if kind == "f":
            return [{"action_type": "activity", "name": self.random.choice("fg"), **ignore}]
        if kind == "set":
            value = self.random.choice([1, "${context.n + 1}"])
            return [{"action_type": "set_variable", "parameters": {"name": "n", "value": value}, **ignore}]
        if kind == "compensate":
            scope = {"scope": self.random.choice(["/s0", "/s1"])} if self.chance(30) else {}
            return [{"action_type": "compensate", **scope, **ignore}]
        return []

    def work(self, depth: int) -> dict[str, Any]:
        kinds = ["plain", "activity", "activity"]
        if depth:
            kinds += ["parallel"] * (4 if depth == 2 else self.chance(30))
        if self.children:
            kinds += ["child", "each", "each"]
        kind = self.random.choice(kinds)
        if kind == "activity":
            return {"activity": {"name": self.random.choice("fg")}}
        if kind == "child":
            undo = {"compensate_with": {"activity": "u", "when": self.random.choice(_WHEN)}} if self.recalls else {}
            return {"invoke": {"workflow": "other", **undo}}
        if kind == "each":
            items = self.random.choice([["a"], ["a", "b", "c"], "${context.list}", "${[1 // context.n]}"])
            runs = self.random.choice([{"activity": "f"}, {"workflow": "other"}])
            each = {"items": items, "as": "one", **runs, "on_failure": self.random.choice(["fail_fast", "collect"])}
            if self.chance(50):
                each["max_parallel"] = self.random.choice([1, 2])
            if self.chance(30):
                each["parameters"] = {"x": "${item.one + 1}"}
            return {"for_each": each}
        if kind == "parallel":
            inner = []
            for _ in range(self.random.choice([1, 2, 2])):
                self.regions += 1
                inner.append({"name": f"r{self.regions}"} | self.region(depth - 1))
            join = self.random.choice(["all", "all", "any", 1])
            return {"parallel": {"join": join, "regions": inner}}
        return {"timeout": "1m"} if self.chance(30) else {}

    def passing(self, *keys: str) -> dict[str, Any]:
        """What entering and leaving a state does."""
        found: dict[str, Any] = {}
        for key in keys if self.passes else ():
            if self.chance(40):
                value = self.random.choice([1, "${context.n + 1}"])
                ignore = {"on_failure": "ignore"} if self.chance(30) else {}
                assign = {"action_type": "set_variable", "parameters": {"name": "n", "value": value}, **ignore}
                tell = {"action_type": "send", "event": self.random.choice(EVENTS), "to": "self"}
                found[key] = [self.random.choice([assign, assign, tell])]
        return found

    def region(self, depth: int) -> dict[str, Any]:
        root = depth == 2
        names = [f"s{k}" for k in range(self.random.choice([2, 3] if root else [1, 2]))]
        states: list[dict[str, Any]] = [
            {"name": name} | self.work(depth) | self.passing("entry_actions", "exit_actions") for name in names
        ]
        ends: list[dict[str, Any]] = [{"name": "well", "is_terminal": True} | self.passing("entry_actions")]
        if self.chance(50):
            ends.append({"name": "badly", "is_terminal": True, "outcome": "failure"})
        targets = [*names, *(end["name"] for end in ends)]
        transitions = []
        for state in states:
            triggers = [*EVENTS, "automatic"]
            if len(state) > 1:
                triggers += ["done", "done", "error"]
            if "timeout" in state:
                triggers.append("timeout")
            if root:
                triggers += ["error", "cancel_requested"]
            for trigger in self.random.sample(triggers, min(len(triggers), self.random.choice([1, 2, 3]))):
                transition: dict[str, Any] = {"from": state["name"]}
                if self.chance(80):
                    transition["to"] = self.random.choice([*targets, ends[0]["name"]])
                if trigger == "automatic" or self.chance(25):
                    transition["condition"] = "context.m == null"
                if trigger != "automatic":
                    transition["event"] = trigger
                if self.chance(50):
                    transition["pre_actions"] = self.actions(outer="parallel" in state)
                target = next((s for s in states if s["name"] == transition.get("to", state["name"])), {})
                if self.chance(20):
                    transition["post_actions"] = self.actions(outer="parallel" in target)
                transitions.append(transition)
        return {"initial_state": names[0], "states": states + ends, "transitions": transitions}

    def workflow(self) -> Workflow:
        root = self.region(2)
        activities: dict[str, dict[str, Any]] = {name: {} for name in _used(root)}
        if self.undo and "f" in activities:
            activities["f"]["compensate_with"] = {"activity": "u", "when": self.random.choice(_WHEN)}
            activities["u"] = {}
        if "g" in activities and self.chance(30):
            activities["g"]["retry_policy"] = {"max_attempts": 2}
        data = {
            "name": "rich",
            "variables": {
                "n": {"type": "integer", "initial": 0, "maximum": 3},
                "m": {"type": "integer", "optional": True},
                "list": {"type": "list", "optional": True},
            },
            "events": {name: {} for name in EVENTS},
            "activities": activities,
            **root,
        }
        return Workflow.model_validate(data)


def _used(region: dict[str, Any]) -> list[str]:
    found = []
    for state in region["states"]:
        found += [state["activity"]["name"]] if "activity" in state else []
        found += ["u"] if "compensate_with" in state.get("invoke", {}) else []
        found += [state["for_each"]["activity"]] if "activity" in state.get("for_each", {}) else []
        for inner in state.get("parallel", {}).get("regions", []):
            found += _used(inner)
    for transition in region["transitions"]:
        for action in transition.get("pre_actions", []) + transition.get("post_actions", []):
            found += [action["name"]] if action["action_type"] == "activity" else []
    return sorted(set(found))


def rich_workflow(
    number: int,
    *,
    undo: bool = False,
    children: bool = False,
    waits: bool = False,
    recalls: bool = False,
    passes: bool = False,
) -> Workflow:
    """The random workflow of this number.

    `waits` lets a state be left by something else while its region waits, `recalls` gives children compensators,
    `passes` lets entering and leaving states do something.
    """
    return _Maker(number, undo=undo, children=children, waits=waits, recalls=recalls, passes=passes).workflow()
