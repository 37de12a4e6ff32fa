"""The process that is killed: it drives a family until all of it is closed, from wherever the store says it is.

A site reserves machines (an activity for each) and builds parts (a child for each, which tells of itself by a message
and has a child of its own). One part is bad, so the others are called back while they work, and the machines are given
back.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.runtime_kill.kill_child import die_after, written
from wfsim.errors import ActivityError, EngineError, EventRejected, WaitTimeout
from wfsim.model.yaml_io import loads
from wfsim.runtime.run import reopen, start

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from wfsim.runtime.handle import Run

NOTES = ["note-0", "note-1", "note-2"]
MACHINES = ["drill", "saw", "lathe", "press"]
PARTS = ["wing", "bad", "door"]

SITE = loads(
    """
name: site
version: 1.0.0
initial_state: open
variables:
  machines: {type: list, input: true}
  parts: {type: list, input: true}
  notes: {type: integer, initial: 0, output: true}
  news: {type: integer, initial: 0, output: true}
  keys: {type: list, optional: true, output: true}
events: {note: {}, go: {}, made: {payload: {what: string}}}
activities:
  reserve: {compensate_with: give_back, retry_policy: {max_attempts: 3, initial_interval: 2ms, backoff_coefficient: 1}}
  give_back: {retry_policy: {max_attempts: 3, initial_interval: 2ms, backoff_coefficient: 1}}
states:
  - name: open
  - name: reserving
    for_each: {items: "${context.machines}", as: machine, activity: reserve, max_parallel: 2, result_variable: keys}
  - {name: building, for_each: {items: "${context.parts}", as: what, workflow: part}}
  - {name: finished, is_terminal: true}
  - {name: undoing}
  - {name: undone, is_terminal: true, outcome: failure}
transitions:
  - from: open
    event: note
    pre_actions: [{action_type: set_variable, parameters: {name: notes, value: "${context.notes + 1}"}}]
  - {from: open, to: reserving, event: go}
  - {from: reserving, to: building, event: done}
  - from: building
    event: made
    pre_actions: [{action_type: set_variable, parameters: {name: news, value: "${context.news + 1}"}}]
  - {from: building, to: finished, event: done}
  - {from: building, to: undoing, event: error}
  - {from: undoing, to: undone, after: 0s, pre_actions: [{action_type: compensate}]}
"""
)
PART = loads(
    """
name: part
version: 1.0.0
initial_state: making
variables:
  what: {type: string, input: true}
  made: {type: string, optional: true, output: true}
events: {approve: {}}
activities:
  make: {retry_policy: {max_attempts: 3, initial_interval: 2ms, backoff_coefficient: 1}}
  tidy: {}
states:
  - {name: making, activity: {name: make, parameters: {what: "${context.what}"}, result_variable: made}}
  - {name: waiting}
  - {name: looking, invoke: {workflow: look, input: {what: "${context.what}"}, parent_close: terminate}}
  - {name: ready, is_terminal: true}
  - {name: tidying, activity: tidy}
  - {name: gone, is_terminal: true, outcome: failure}
transitions:
  - from: making
    to: waiting
    event: done
    post_actions: [{action_type: send, to: parent, event: made, payload: {what: "${context.what}"}}]
  - {from: waiting, to: gone, after: 150ms, condition: context.what == 'bad'}
  - {from: waiting, to: looking, event: approve, condition: context.what != 'bad'}
  - {from: looking, to: ready, event: done}
  - {from: making, to: tidying, event: cancel_requested}
  - {from: waiting, to: tidying, event: cancel_requested}
  - {from: looking, to: tidying, event: cancel_requested}
  - {from: tidying, to: gone, event: done}
"""
)
LOOK = loads(
    """
name: look
version: 1.0.0
initial_state: looking
variables: {what: {type: string, input: true}}
activities: {look: {}}
states:
  - {name: looking, activity: look}
  - {name: resting}
  - {name: seen, is_terminal: true}
transitions:
  - {from: looking, to: resting, event: done}
  - {from: resting, to: seen, after: 40ms}
"""
)


def family(run: Run) -> list[Run]:
    """The run and all that it has started, and so on."""
    return [run, *(member for child in run.children.values() for member in family(child))]


def is_over(run: Run) -> bool:
    """Whether every member is closed, and every child that was to start has been there."""
    return all(
        member.output is not None
        and len(member.children) == sum(record.kind == "child_started" for record in member.records)
        for member in family(run)
    )


def drive(folder: str, name: str, ready: Connection, appends: int | None = None) -> None:
    """Start or reopen the site, send what has not been acknowledged, approve parts, wait for the end of all."""
    die_after(appends)
    path = Path(folder)
    ready.send("loaded")

    def did(context: Any, **_: Any) -> str:
        written(path / "effects", f"{context.idempotency_key} {context.attempt} {context.activity} {context.index}")
        if context.activity in ("reserve", "make", "give_back") and context.attempt == 1:
            raise ActivityError("Net", "try again")
        return str(context.idempotency_key)

    async def make(context: Any, what: str) -> str:
        await context.sleep_async("5ms")
        return did(context)

    functions = {"reserve": did, "give_back": did, "part.make": make, "tidy": did, "look.look": did}
    store = path / "runs.db"
    try:
        run = reopen(store, name, functions)
    except EngineError:
        given = {"machines": MACHINES, "parts": PARTS}
        run = start(SITE, input=given, activities=functions, store=store, id=name, catalogue=[PART, LOOK])
    ready.send("open")
    with run:
        for event_id in [*NOTES, "go"]:
            tell(path, run, event_id.split("-")[0], event_id)
        while not is_over(run):
            for part in run.children.values():
                if part.state == "waiting" and part.status == "running" and part.variables["what"] != "bad":
                    tell(path, part, "approve", f"approve {part.id}")
            try:
                run.wait(is_over, timeout=0.02)
            except WaitTimeout:
                continue


def tell(path: Path, run: Run, event: str, event_id: str) -> None:
    """Send an event unless it is known to have been taken, and write down that it was."""
    told = path / "acknowledged"
    if told.exists() and event_id in told.read_text().splitlines():
        return
    try:
        assert run.send(event, event_id=event_id) in ("accepted", "duplicate")
    except EventRejected:
        # Called back meanwhile.
        assert event == "approve"
        return
    written(told, event_id)
