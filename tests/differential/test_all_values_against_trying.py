"""Built-in questions, answered for all values, against an interpreter of a few lines that tries all small ones."""

from __future__ import annotations

import itertools
import re
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import wfsim as wf
from tests.data_workflows import data_workflow, definition
from wfsim.verification.verdict import Verdict
from wfsim.verification.workflows.properties import verify


class _Fails(Exception):
    pass


class Whole(int):
    """An integer of 64 bits."""

    def _within(self, value: int) -> Whole:
        if not -(2**63) <= value < 2**63:
            raise _Fails
        return Whole(value)

    def __add__(self, other: int) -> Whole:
        return self._within(int(self) + int(other))

    def __sub__(self, other: int) -> Whole:
        return self._within(int(self) - int(other))

    def __rsub__(self, other: int) -> Whole:
        return self._within(int(other) - int(self))

    def __mul__(self, other: int) -> Whole:
        return self._within(int(self) * int(other))

    __radd__ = __add__


SMALL = [Whole(k) for k in (*range(-7, 8), -(2**63), 2**63 - 1)]
"""Payload fields, and those with which sums overflow; ranges lie within -1..3, constants within 0..3."""

PAYLOADS: dict[str, list[dict[str, int]]] = {
    "add": [{"k": k} for k in SMALL],
    "take": [{"k": k, "price": price} for k, price in itertools.product(SMALL, SMALL)],
}
QUESTIONS = ("states_reachable", "transitions_live", "can_complete", "no_failure", "no_unhandled_timeout")


class At(NamedTuple):
    """Where an instance is; `state` is its status once it is closed otherwise than by `end`."""

    state: str
    works: bool
    n: int
    total: int
    got: int | None
    d: int | None = None


class Interpreter:
    """All that a small workflow of `tests.data_workflows` does with small values."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.variables = data["variables"]
        self.states = {state["name"]: state for state in data["states"]}
        self.transitions = data["transitions"]
        self.compiled = {
            text: compile(re.sub(r"\bnull\b", "None", text), text, "eval")
            for transition in self.transitions
            for text in _texts(transition)
        }
        self.initial = data["initial_state"]
        self.taken: set[int] = set()
        self.after: dict[At, set[At]] = {}
        todo = list(self.starts())
        while todo:
            at = todo.pop()
            if at not in self.after:
                self.after[at] = set(self.next(at))
                todo += self.after[at]

    def starts(self) -> list[At]:
        given = self.variables["total"]
        totals = [given["initial"]]
        if given.get("input"):
            totals += range(given["minimum"], given["maximum"] + 1)
        return [self.entered(self.initial, 0, total, None) for total in totals]

    def entered(self, state: str, n: int, total: int, got: int | None, d: int | None = None) -> At:
        return At(state, "activity" in self.states[state], n, total, got, d if "data" in self.states[state] else None)

    def next(self, at: At) -> list[At]:
        if at.state in ("failed", "timed_out", "end"):
            return []
        found = [self.react(at, event, payload) for event in ("add", "take") for payload in PAYLOADS[event]]
        found.append(self.react(at, "go", {}))
        state = self.states[at.state]
        if at.works:
            limits = self.variables["got"]
            for got in [None, *range(limits["minimum"], limits["maximum"] + 1)]:
                found.append(self.react(at._replace(works=False, got=got), "done", {}))
            found.append(at._replace(state="failed", works=False))
        if "timeout" in state:
            late = self.react(at, "timeout", {})
            # What no transition takes ends the instance.
            found.append(late if late is not at else at._replace(state="timed_out", works=False))
        return found

    def react(self, at: At, event: str, payload: dict[str, int]) -> At:
        names = {"context": at, "state": at, "event": SimpleNamespace(**payload), "max": max}
        for number, transition in enumerate(self.transitions):
            if transition["from"] != at.state or transition["event"] != event:
                continue
            values = {"n": at.n, "total": at.total, "got": at.got}
            try:
                if "condition" in transition and not eval(self.compiled[transition["condition"]], names):
                    continue
                for action in transition.get("pre_actions", []):
                    name, value = action["parameters"]["name"], action["parameters"]["value"]
                    if isinstance(value, str):
                        value = eval(self.compiled[value[2:-1]], names)
                    if name == "state.d":
                        values["d"] = self.within(value, self.states[transition["to"]]["data"]["d"])
                    else:
                        values[name] = self.within(value, self.variables[name])
            except _Fails:
                return at._replace(state="failed", works=False)
            self.taken.add(number)
            return self.entered(transition["to"], **values)
        return at

    def within(self, value: int, declared: dict[str, Any]) -> int:
        low, high = declared["minimum"], declared["maximum"]
        if declared.get("overflow") == "saturate":
            return int(min(max(value, low), high))
        if not low <= value <= high:
            raise _Fails
        return int(value)

    @property
    def completing(self) -> set[At]:
        """From where `end` can be reached."""
        before: dict[At, list[At]] = {}
        for at, after in self.after.items():
            for each in after:
                before.setdefault(each, []).append(at)
        found = {at for at in self.after if at.state == "end"}
        todo = list(found)
        while todo:
            new = [at for at in before.get(todo.pop(), ()) if at not in found]
            found.update(new)
            todo += new
        return found

    def answers(self) -> dict[str, Any]:
        """Of each question whether it holds."""
        states = {at.state for at in self.after}
        lost = [at for at in self.after if at.state in self.states and at not in self.completing]
        return {
            "states_reachable": set(self.states) <= states,
            "transitions_live": len(self.taken) == len(self.transitions),
            "can_complete": not lost,
            "no_failure": "failed" not in states,
            "no_unhandled_timeout": "timed_out" not in states,
        }


def _texts(transition: dict[str, Any]) -> list[str]:
    values = [action["parameters"]["value"] for action in transition.get("pre_actions", [])]
    texts = [value[2:-1] for value in values if isinstance(value, str)]
    return [*texts, *([transition["condition"]] if "condition" in transition else [])]


def check_witnesses(verdict: Verdict) -> None:
    for each in (verdict, *verdict.further):
        if each.witness is not None:
            each.witness.replay()


@pytest.mark.parametrize("number", range(24))
def test_answers_for_all_values_are_those_of_trying_all_small_ones(number: int) -> None:
    oracle = Interpreter(definition(number, small=True)).answers()
    for verdict in verify(data_workflow(number, small=True), [wf.Property(each) for each in QUESTIONS]):
        expected = "holds" if oracle[verdict.property] else "violated"
        assert verdict.status in (expected, "unknown"), (verdict, oracle)
        check_witnesses(verdict)
