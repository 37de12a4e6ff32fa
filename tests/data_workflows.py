"""Random workflows that compute with what comes from outside: counters, sums, guards on both, some side by side.

Made from a number, so that a test can name the one that fails. Nothing in them is known to be right: states may be
dead, guards never true, sums overflow.
"""

from __future__ import annotations

import json
import random
from typing import Any

from wfsim.model.workflow import Workflow

EVENTS = ("add", "take", "go")
ENDED = {"is_terminal": True}
_ORDER = ("<", "<=", "==", ">=", ">", "!=")


class _Maker:
    def __init__(self, number: int, *, small: bool) -> None:
        self.random = random.Random(number)
        self.small = small
        self.regions = 0

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def one(self, *members: Any) -> Any:
        return self.random.choice(members)

    def variables(self) -> dict[str, dict[str, Any]]:
        """A counter and a sum, each with or without a range, and what an activity has returned."""
        limits: list[dict[str, Any]] = [
            {},
            {"minimum": 0},
            {"minimum": 0, "maximum": self.one(3, 10, 100_000)},
            {"minimum": 0, "maximum": self.one(5, 100_000), "overflow": "saturate"},
        ]
        if self.small:
            limits = [{"minimum": 0, "maximum": 3}] * 3 + [{"minimum": -1, "maximum": 2, "overflow": "saturate"}]
        counter = {"type": "integer", "initial": 0} | self.one(*limits)
        total = {"type": "integer", "initial": self.one(0, 1)} | self.one(*limits)
        if self.chance(30):
            total["input"] = True
        got = {"type": "integer", "optional": True} | self.one(*limits[:3])
        return {"n": counter, "total": total, "got": got}

    def operand(self, event: str) -> str:
        """Something to compute with; of the payload, where there is one."""
        fields = {"add": ["event.k", "event.k"], "take": ["event.k", "event.price"]}.get(event, [])
        return str(self.one(*fields, *fields, "context.n", "context.total", "1", "2"))

    def guard(self, event: str) -> str:
        """A condition on sums, counters and payloads."""
        left, right = self.operand(event), self.operand(event)
        limit = self.one(0, 1, 2, 3) if self.small else self.one(0, 1, 2, 5, 12)
        plain = [
            f"context.n {self.one(*_ORDER)} {limit}",
            f"context.total {self.one(*_ORDER)} {limit}",
            f"{left} {self.one('+', '-')} {right} {self.one(*_ORDER)} {limit}",
            f"context.got != null and context.got {self.one(*_ORDER)} {limit}",
        ]
        if event in ("add", "take"):
            plain += [f"event.k {self.one(*_ORDER)} context.total", f"event.k * 2 {self.one(*_ORDER)} {limit}"]
        text = str(self.one(*plain))
        return f"({text}) {self.one('and', 'or')} ({self.one(*plain)})" if self.chance(25) else text

    def actions(self, event: str) -> list[dict[str, Any]]:
        """Counting, adding, setting anew."""
        if self.chance(30):
            return []
        name, value = self.one(
            ("n", "${context.n + 1}"),
            ("n", "${context.n + 1}"),
            ("n", 0),
            ("total", f"${{context.total {self.one('+', '+', '-')} {self.operand(event)}}}"),
            ("total", f"${{context.total {self.one('+', '+', '-')} {self.operand(event)}}}"),
            ("total", f"${{{self.operand(event)}}}"),
            ("total", f"${{max({self.operand(event)}, {self.operand(event)})}}"),
        )
        return [{"action_type": "set_variable", "parameters": {"name": name, "value": value}}]

    def region(self, depth: int) -> dict[str, Any]:
        names = [f"s{k}" for k in range(self.one(2, 3, 4) if depth else self.one(1, 2))]
        states: list[dict[str, Any]] = []
        for name in names:
            state: dict[str, Any] = {"name": name}
            kind = self.one(
                "plain", "plain", "plain", "activity", "timeout", "parallel" if depth and not self.small else "plain"
            )
            if kind == "activity":
                state["activity"] = {"name": "f", "result_variable": "got"}
            elif kind == "timeout":
                state["timeout"] = "1m"
            elif kind == "parallel" and self.chance(60):
                inner = []
                for _ in range(2):
                    self.regions += 1
                    inner.append({"name": f"r{self.regions}"} | self.region(0))
                state["parallel"] = {"join": self.one("all", "any"), "regions": inner}
            states.append(state)
        transitions = [part for k, state in enumerate(states) for part in self.leaving(k, state, names)]
        end = {"name": "end", "is_terminal": True}
        return {"initial_state": names[0], "states": [*states, end], "transitions": transitions}

    def leaving(self, k: int, state: dict[str, Any], names: list[str]) -> list[dict[str, Any]]:
        """One to three transitions out of a state; the first mostly leads on."""
        triggers = [*EVENTS, *EVENTS]
        if "activity" in state or "parallel" in state:
            triggers = ["done", *EVENTS]
        if "timeout" in state:
            triggers = ["timeout", *EVENTS]
        found = []
        for j in range(self.one(1, 2, 3)):
            event = triggers[0] if j == 0 and triggers[0] not in EVENTS else self.one(*triggers)
            ahead = [*names, "end"][k + 1]
            transition: dict[str, Any] = {"from": state["name"], "event": event}
            transition["to"] = ahead if j == 0 else self.one(*names, "end", ahead)
            if self.chance(60):
                transition["condition"] = self.guard(event)
            if actions := self.actions(event):
                transition["pre_actions"] = actions
            found.append(transition)
        return found

    def definition(self) -> dict[str, Any]:
        root = self.region(1)
        used = '"activity": {' in str(root).replace("'", '"')
        return {
            "name": "data",
            "variables": self.variables(),
            "events": {
                "add": {"payload": {"k": "integer"}},
                "take": {"payload": {"k": "integer", "price": "integer"}},
                "go": {},
            },
            **({"activities": {"f": {}}} if used else {}),
            **root,
        }


def definition(number: int, *, small: bool = False) -> dict[str, Any]:
    """The random definition of this number; a small one has narrow ranges and nothing side by side."""
    return _with_data(_Maker(number, small=small).definition(), number, small=small)


def _with_data(made: dict[str, Any], number: int, *, small: bool) -> dict[str, Any]:
    """Some states own an integer (M13): set by what enters them, read by what leaves them."""
    maker = _Maker(number + 2_000_000, small=small)
    limits = {"minimum": -1, "maximum": 3} if small else maker.one({}, {"minimum": 0, "maximum": 100_000})
    owners = [each for each in made["states"] if each["name"] != made["initial_state"] and maker.chance(30)]
    for owner in owners:
        owner["data"] = {"d": {"type": "integer", **limits}}
    names = {owner["name"] for owner in owners}
    for transition in made["transitions"]:
        event = transition.get("event", "go")
        if transition.get("to") in names:
            value = f"${{{maker.operand(event)}}}" if maker.chance(80) else maker.one(0, 1, 2)
            parameters = {"name": "state.d", "value": value}
            before = transition.get("pre_actions", [])
            transition["pre_actions"] = [*before, {"action_type": "set_variable", "parameters": parameters}]
        if transition["from"] in names and event != "error" and maker.chance(60):
            read = f"state.d {maker.one(*_ORDER)} {maker.one('context.n', '1', '2')}"
            asked = transition.get("condition")
            transition["condition"] = read if asked is None else f"({asked}) {maker.one('and', 'or')} {read}"
            if maker.chance(30):
                parameters = {"name": "total", "value": "${state.d}"}
                before = transition.get("pre_actions", [])
                transition["pre_actions"] = [{"action_type": "set_variable", "parameters": parameters}, *before]
    return made


def varied(number: int) -> Workflow:
    """A small one whose outside has few values, each of them told, with what `definition` leaves out.

    Automatic, internal and timed transitions, handlers of errors, what is done on entry, on leaving and afterwards.
    """
    made = _Maker(number, small=True).definition()
    maker = _Maker(number + 1_000_000, small=True)
    told = {"type": "integer", "values": [0, 1, 2]}
    made["events"] = {
        "add": {"payload": {"k": told}},
        "take": {"payload": {"k": told, "price": {"type": "boolean"}}},
        "go": {},
    }
    made["variables"]["got"] = {**told, "initial": 0}
    if made["variables"]["total"].get("input"):
        made["variables"]["total"]["values"] = [0, 1, 2]
    states = made["states"]
    for transition in made["transitions"]:
        if maker.chance(20):
            transition["post_actions"] = maker.actions("go")
        if maker.chance(15) and transition["from"] != transition.get("to"):
            del transition["to"]
    for state in states:
        ended = state.get("is_terminal", False)
        if maker.chance(25):
            state["entry_actions"] = maker.actions("go")
        if maker.chance(20) and not ended:
            state["exit_actions"] = maker.actions("go")
        if ended:
            continue
        goes_to = maker.one(*(each["name"] for each in states))
        if maker.chance(40):
            source = maker.one("error", "error.f" if "activity" in state else "error")
            made["transitions"].append({"from": state["name"], "event": source, "to": goes_to})
        if maker.chance(20):
            automatic = {"from": state["name"], "condition": maker.guard("go"), "to": goes_to}
            made["transitions"].append(automatic | {"pre_actions": maker.actions("go")})
        if maker.chance(20):
            timed = {"from": state["name"], "after": "1m", "to": goes_to}
            made["transitions"].append(timed | ({"condition": maker.guard("go")} if maker.chance(50) else {}))
    text = json.dumps(_with_data(made, number, small=True))
    return Workflow.model_validate_json(text.replace("event.price", "event.k"))


def listed(number: int, xs: list[int] | None = None) -> Workflow:
    """A random workflow that goes through a list, and asks how long lists are and what is in them.

    The list is an input; or it is the one given.
    """
    maker = _Maker(number, small=True)
    guards = [
        "len(context.rs) > 0", "len(context.rs) == len(context.xs)", "len(context.rs) > 2", "len(context.xs) < 2",
        "len(context.xs) > 0 and context.xs[0] == 1", "1 in context.xs", "count(context.xs, item == 1) > 1",
        "context.n > 1", "context.n == len(context.xs)", "context.xs[-1] == 0", "sum(context.xs) < 0",
    ]  # fmt: skip
    values = ["${context.n + 1}", "${len(context.xs)}", "${len(context.rs)}", 0, "${context.xs[0]}"]
    names = ["a", "b", "c", "end"]
    each: dict[str, Any] = {"items": maker.one("${context.xs}", "${context.xs}", "${context.rs}", [1, 2]), "as": "x"}
    each |= {"activity": "f", "result_variable": "rs"} | maker.one({}, {"max_parallel": 1})
    policies = [{}, {"on_failure": "collect"}, {"on_failure": "collect", "tolerated_failures": maker.one(0, 1, "50%")}]
    each |= maker.one(*policies)
    transitions = []
    for name in names[:-1]:
        triggers = ["go", "add"] if name != "b" else ["done", "done", "error", "go"]
        for trigger in triggers:
            way: dict[str, Any] = {"from": name, "event": trigger, "to": maker.one(*names)}
            if maker.chance(60):
                way["condition"] = maker.one(*guards)
            if maker.chance(40):
                parameters = {"name": "n", "value": maker.one(*values)}
                way["pre_actions"] = [{"action_type": "set_variable", "parameters": parameters}]
            transitions.append(way)
    if maker.chance(30):
        transitions.append({"from": "b", "condition": maker.one(*guards[:4]), "to": maker.one(*names)})
    items = {"type": "integer", "minimum": 0, "maximum": 1}
    given: dict[str, Any] = {"input": True} if xs is None else {"initial": xs}
    return Workflow.model_validate(
        {
            "name": "listed",
            "initial_state": maker.one("a", "b"),
            "variables": {
                "n": {"type": "integer", "initial": 0, "minimum": 0, "maximum": 3, "overflow": "saturate"},
                "xs": {"type": "list", "items": items, **given},
                "rs": {"type": "list", "initial": []},
            },
            "events": {"go": {}, "add": {}},
            "activities": {"f": {}},
            "states": [
                {"name": "a"},
                {"name": "b", "for_each": each},
                {"name": "c"},
                {"name": "end", "is_terminal": True},
            ],
            "transitions": transitions,
        }
    )


def counted_lists(number: int, xs: list[int] | None = None) -> Workflow:
    """A random workflow that asks what is in lists: in an input, or the one given, and in what a `for_each` leaves."""
    maker = _Maker(number + 3_000_000, small=True)
    most = maker.one(1, 2)
    guards = [
        "any(context.xs, item > context.n)", "all(context.xs, item == 0)", "context.n in context.xs",
        "count(context.rs, item > 0) == len(context.xs)", "sum(context.rs) > sum(context.xs)", "0 not in context.rs",
        "len(context.rs) > 0 and context.rs[0] == context.n", "len(context.xs) > 1 and context.xs[-2] != 1",
        "coalesce(max(context.rs), 0) > 0", "min(context.xs) == 1", "len(context.ys) == len(context.xs)",
        "sum(context.rs) == 1", "context.rs[-1] == 1", "context.n > 1", "count(context.xs, item == context.n) > 1",
    ]  # fmt: skip
    values: list[tuple[str, Any]] = [
        ("n", "${context.n + 1}"), ("n", "${sum(context.rs)}"), ("n", "${count(context.xs, item == context.n)}"),
        ("n", "${coalesce(max(context.rs), 0)}"), ("n", "${context.xs[0]}"), ("n", 0), ("xs", [0]), ("xs", [1, 0]),
        ("xs", []), ("ys", "${context.xs}"), ("ys", "${context.rs}"), ("rs", []), ("rs", [1]),
    ]  # fmt: skip
    names = ["a", "b", "c", "end"]
    transitions = []
    for name in names[:-1]:
        triggers = ["go", "go", "add"] if name != "b" else ["done", "done", "error", "go"]
        for k, trigger in enumerate(triggers):
            way: dict[str, Any] = {"from": name, "event": trigger, "to": maker.one(*names)}
            if maker.chance(70 if k else 90):
                way["condition"] = maker.one(*guards)
            if maker.chance(50):
                variable, value = maker.one(*values)
                parameters = {"name": variable, "value": value}
                way["pre_actions"] = [{"action_type": "set_variable", "parameters": parameters}]
            transitions.append(way)
    each = {"items": maker.one("${context.xs}", "${context.ys}", [1, 2]), "as": "x", "activity": "f"}
    given: dict[str, Any] = {"input": True} if xs is None else {"initial": xs}
    whole = {"type": "integer", "minimum": 0}
    return Workflow.model_validate(
        {
            "name": "counted",
            "initial_state": maker.one("a", "b"),
            "variables": {
                "n": {**whole, "initial": 0, "maximum": 3, "overflow": "saturate"},
                "xs": {"type": "list", "items": {**whole, "maximum": 1}, **given},
                "ys": {"type": "list", "initial": []},
                "rs": {"type": "list", "items": {**whole, "maximum": 2}, "initial": []},
            },
            "events": {"go": {}, "add": {}},
            "activities": {"f": {"result": {**whole, "maximum": most}}},
            "states": [
                {"name": "a"},
                {"name": "b", "for_each": each | {"result_variable": "rs"}},
                {"name": "c"},
                {"name": "end", "is_terminal": True},
            ],
            "transitions": transitions,
        }
    )


def data_workflow(number: int, *, small: bool = False) -> Workflow:
    """The random workflow of this number."""
    return Workflow.model_validate(definition(number, small=small))
