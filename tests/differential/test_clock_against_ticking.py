"""Answers about workflows that read the clock, against an interpreter of a few lines in which time passes in ticks.

All constants are whole seconds, one time is remembered, and timers run since a state was entered: quarters of a second
tell apart all that conditions do, and when timers are due.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import pytest

import wfsim as wf
from wfsim.verification.workflows.properties import verify

TICKS = 4
LATEST = 4 * TICKS
"""Beyond all constants: later times are alike."""
QUESTIONS = ("states_reachable", "transitions_live", "can_complete")
ORDER = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
}


class Asked(NamedTuple):
    """A comparison of the time, or of what has passed since it was remembered, with whole seconds."""

    since: bool
    operator: str
    seconds: int

    def text(self) -> str:
        if self.since:
            return f'now - context.since {self.operator} duration("{self.seconds}s")'
        return f'now {self.operator} timestamp("1970-01-01T00:00:0{self.seconds}Z")'

    def holds(self, at: At) -> bool:
        return bool(ORDER[self.operator](at.passed if self.since else at.now, self.seconds * TICKS))


class Way(NamedTuple):
    """A transition: on an event, or after so many seconds."""

    source: str
    event: str | int
    target: str
    all_of: tuple[Asked, ...]
    remembers: bool

    def written(self) -> dict[str, Any]:
        found: dict[str, Any] = {"from": self.source, "to": self.target}
        found |= {"event": self.event} if isinstance(self.event, str) else {"after": f"{self.event}s"}
        if self.all_of:
            found["condition"] = " and ".join(each.text() for each in self.all_of)
        if self.remembers:
            found["pre_actions"] = [{"action_type": "set_variable", "parameters": {"name": "since", "value": "${now}"}}]
        return found


class At(NamedTuple):
    state: str
    now: int
    passed: int
    stayed: int
    fired: frozenset[int] = frozenset()

    def later(self) -> At:
        now, passed, stayed = (min(each + 1, LATEST) for each in (self.now, self.passed, self.stayed))
        return self._replace(now=now, passed=passed, stayed=stayed)

    def by(self, way: Way) -> At:
        return At(way.target, self.now, 0 if way.remembers else self.passed, 0)


def ways(number: int, *, timers: bool) -> list[Way]:
    """Random transitions between a, b, c and the end, on two events, and after a while."""
    chance = random.Random(number)
    found = []
    for source in "abc":
        for _ in range(chance.choice([1, 2, 2])):
            asked = [
                Asked(chance.random() < 0.6, chance.choice([*ORDER]), chance.choice([0, 1, 2, 3]))
                for _ in range(chance.choice([0, 1, 1, 2]))
            ]
            target = chance.choice(["a", "b", "c", "end"])
            event: str | int = chance.choice(["go", "stop"])
            if timers and chance.random() < 0.6:
                event = chance.choice([0, 1, 2, 3])
            found.append(Way(source, event, target, tuple(asked), chance.random() < 0.4))
    return found


def answers(found: list[Way]) -> dict[str, bool]:
    """What ticking tells: an instance is somewhere at a time, events come or do not, and time passes."""
    after: dict[At, set[At]] = {}
    taken: set[int] = set()
    todo = [At("a", k, k, 0) for k in range(LATEST + 1)]
    while todo:
        at = todo.pop()
        if at in after:
            continue
        after[at] = set() if at.state == "end" else {at.later()}
        for event in ("go", "stop"):
            for number, way in enumerate(found):
                if (way.source, way.event) == (at.state, event) and all(each.holds(at) for each in way.all_of):
                    taken.add(number)
                    after[at].add(at.by(way))
                    break
        for number, way in enumerate(found):
            if way.source != at.state or isinstance(way.event, str) or number in at.fired:
                continue
            # One that is due may be noticed late.
            if at.stayed >= way.event * TICKS:
                if all(each.holds(at) for each in way.all_of):
                    taken.add(number)
                    after[at].add(at.by(way))
                else:
                    after[at].add(at._replace(fired=at.fired | {number}))
        todo += after[at]
    before: dict[At, list[At]] = {at: [] for at in after}
    for at, following in after.items():
        for each in following:
            before[each].append(at)
    able = {at for at in after if at.state == "end"}
    todo = [*able]
    while todo:
        more = {each for each in before[todo.pop()] if each not in able}
        able |= more
        todo += more
    return {
        "states_reachable": {at.state for at in after} == {"a", "b", "c", "end"},
        "transitions_live": len(taken) == len(found),
        "can_complete": able == set(after),
    }


def asked_of(number: int, *, timers: bool) -> tuple[wf.Workflow, dict[str, bool]]:
    found = ways(number, timers=timers)
    workflow = wf.Workflow.model_validate(
        {
            "name": "ticking",
            "initial_state": "a",
            "variables": {"since": {"type": "timestamp", "initial": 0}},
            "events": {"go": {}, "stop": {}},
            "states": [*({"name": name} for name in "abc"), {"name": "end", "is_terminal": True}],
            "transitions": [way.written() for way in found],
        }
    )
    return workflow, answers(found)


@pytest.mark.parametrize("timers", [False, True])
@pytest.mark.parametrize("block", range(5))
def test_answers_about_the_clock_are_those_of_ticking(block: int, timers: bool) -> None:
    left_open = 0
    for number in range(8 * block, 8 * block + 8):
        workflow, expected = asked_of(number, timers=timers)
        for verdict in verify(workflow, [wf.Property(each) for each in QUESTIONS]):
            wanted = "holds" if expected[verdict.property] else "violated"
            assert verdict.status in (wanted, "unknown"), (number, verdict)
            left_open += verdict.status == "unknown"
            for each in (verdict, *verdict.further):
                if each.witness is not None:
                    each.witness.replay()
    assert left_open <= (9 if timers else 3)
