"""A small history made by driving instances by hand, with the records it must hold beside it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wfsim.history.history import History
from wfsim.history.runs import Origin
from wfsim.history.writer import HistoryWriter
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.records import Record, records_of

SECOND = 1_000_000

CLAIMS: dict[str, Any] = {
    "name": "claims",
    "version": "1.2.0",
    "initial_state": "received",
    "variables": {
        "amount": {"type": "number", "input": True},
        "note": {"type": "string", "input": True, "optional": True, "initial": "none"},
        "rounds": {"type": "integer", "initial": 0, "output": True},
        "answer": {"optional": True, "output": True},
    },
    "events": {
        "assess": {"payload": {"by": "string", "score": {"type": "number", "optional": True}}},
        "again": {},
        "ping": {"payload": {"n": "integer"}},
    },
    "activities": {
        "check": {
            "timeout": "30s",
            "schedule_to_start": "1h",
            "retry_policy": {
                "max_attempts": 3,
                "initial_interval": "2s",
                "jitter": 0.5,
                "non_retryable_errors": ["Bad"],
            },
        },
    },
    "timeouts": {"workflow": "2h"},
    "states": [
        {"name": "received", "timeout": "10m"},
        {"name": "checked", "activity": {"name": "check", "result_variable": "answer"}},
        {
            "name": "split",
            "parallel": {
                "join": "all",
                "regions": [
                    {
                        "name": "left",
                        "initial_state": "a",
                        "states": [{"name": "a"}, {"name": "z", "is_terminal": True}],
                        "transitions": [{"from": "a", "to": "z", "event": "ping", "condition": "event.n > 1"}],
                    },
                    {
                        "name": "right",
                        "initial_state": "b",
                        "states": [{"name": "b"}, {"name": "z", "is_terminal": True}],
                        "transitions": [{"from": "b", "to": "z", "event": "again"}],
                    },
                ],
            },
        },
        {"name": "approved", "is_terminal": True},
        {"name": "rejected", "is_terminal": True, "outcome": "failure"},
    ],
    "transitions": [
        {
            "from": "received",
            "to": "checked",
            "event": "assess",
            "pre_actions": [
                {
                    "action_type": "set_variable",
                    "parameters": {"name": "rounds", "value": "${context.rounds + 1}"},
                }
            ],
        },
        {"from": "received", "event": "ping"},
        {"from": "received", "to": "rejected", "event": "timeout"},
        {"from": "checked", "to": "split", "event": "done"},
        {"from": "checked", "to": "received", "event": "again"},
        {"from": "split", "to": "approved", "event": "done"},
        {"from": "split", "to": "received", "event": "assess"},
    ],
}


@dataclass
class Made:
    """A history with what went into it."""

    history: History
    workflow: Workflow
    records: dict[int, list[Record]]


Make = Callable[..., Made]


def drive(
    workflow: Workflow, take: Callable[[int, Instance, Output], None], *, cases: int, steps: int, seed: int
) -> None:
    """Cases take turns with random stimuli: events good and bad, reports, timers, commands."""
    choice = random.Random(seed)
    program = compile_workflow(workflow)
    instances = {case: Instance(program, key=1_000 + case) for case in range(1, cases + 1)}
    texts = instances[1].texts
    for case, instance in instances.items():
        instance.texts = instance.host.texts = texts
        take(case, instance, instance.start(case * SECOND, {"amount": case / 2, "note": None}))
    for _ in range(cases * steps):
        case = choice.choice(list(instances))
        instance = instances[case]
        now = instance.time + choice.randrange(0, 20 * SECOND)
        take(case, instance, _one(choice, instance, now))


def _one(choice: random.Random, instance: Instance, now: int) -> Output:
    open_activities = instance.activities()
    kind = choice.randrange(14)
    if open_activities and kind < 7:
        work = open_activities[0]
        attempt = work.attempt if choice.random() < 0.9 else work.attempt + 1
        if work.phase == "scheduled" and choice.random() < 0.8:
            return instance.activity_started(now, work.activity_id, attempt, f"w{choice.randrange(3)}")
        if kind < 3:
            return instance.activity_succeeded(now, work.activity_id, attempt, {"ok": True, "n": [1, 2.5, None]})
        if kind < 5:
            return instance.activity_failed(now, work.activity_id, attempt, choice.choice(["Net", "Bad.Card"]), "no")
    timers = instance.timers()
    if timers and kind < 9 and choice.random() < 0.35:
        timer = timers[0]
        return instance.timer_fired(max(now, timer.due), timer.place, timer.id)
    if kind == 9 and choice.random() < 0.4:
        command = choice.choice(["pause", "resume", "cancel", "terminate", "retry", "resume", "retry"])
        return instance.control(now, command, None, "because")
    if kind == 10:
        return instance.event(now, choice.choice(["assess", "nobody"]), {"by": choice.choice([3, "x" * 3])})
    if kind == 11:
        return instance.event(now, "ping", {"n": choice.randrange(4)}, f"id-{choice.randrange(30)}", "desk")
    if kind == 12:
        return instance.event(now, "again")
    return instance.event(now, "assess", {"by": "é<b>", "score": 0.1})


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Make a history of the claims workflow."""

    def build(
        *,
        cases: int = 60,
        steps: int = 16,
        seed: int = 1,
        into: Path | None = None,
        spec: dict[str, Any] = CLAIMS,
        scenario: str | None = None,
        until: int | None = None,
        **options: Any,
    ) -> Made:
        workflow = Workflow.model_validate(spec)
        writer = HistoryWriter(into, compile_workflow(workflow), origin=Origin(seed=seed, scenario=scenario), **options)
        records: dict[int, list[Record]] = {}

        def take(case: int, instance: Instance, output: Output) -> None:
            rows = records_of(instance, output)
            # As if nobody had looked at the case from then on.
            if until is None or rows[0].time < until:
                writer.append(case, instance, output, external_id=f"claim-{case}")
                records.setdefault(case, []).extend(rows)

        drive(workflow, take, cases=cases, steps=steps, seed=seed)
        return Made(writer.finish(), workflow, records)

    return build


@pytest.fixture(scope="session")
def made(make: Make) -> Made:
    """A history of 60 claims."""
    return make()
