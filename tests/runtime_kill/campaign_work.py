"""The processes of a campaign: workers, senders, clients of a service, and the service, each on one database.

An order counts what is added to it, is paused and resumed, settles after a while, pays, sends a parcel (a child, which
tells of itself by a message and rests for a while), and is shipped. All but the service say through their connection
when they have loaded and when they have begun.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

# Imported before the fork, since loading them takes longer than what is tested.
import wfsim.cli as command_line
import wfsim.service.serving
import wfsim.service.tenants  # noqa: F401
from tests.runtime_kill.kill_child import die_after, written
from wfsim.errors import ActivityError, InstanceExists
from wfsim.model.yaml_io import loads
from wfsim.runtime import courier
from wfsim.runtime.database import DatabaseError
from wfsim.runtime.opening import open_engine
from wfsim.service import connection
from wfsim.service.client import RemoteEngine

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")

ORDER = loads(
    """
name: order
version: 1.0.0
initial_state: created
variables:
  items: {type: integer, initial: 0, output: true}
  news: {type: integer, initial: 0, output: true}
  charge: {type: string, optional: true, output: true}
events: {add: {payload: {item: integer}}, submit: {}, ship: {unhandled: defer}, made: {payload: {what: string}}}
activities:
  validate: {retry_policy: {max_attempts: 3, initial_interval: 3ms, backoff_coefficient: 1}}
  charge: {retry_policy: {max_attempts: 3, initial_interval: 3ms, backoff_coefficient: 1}}
  pack: {}
states:
  - {name: created, timeout: 1d}
  - {name: settling}
  - {name: paying, activity: {name: charge, result_variable: charge}}
  - {name: sending, invoke: {workflow: parcel, input: {what: "parcel"}}}
  - {name: paid, timeout: 1d}
  - {name: shipped}
  - {name: delivered, is_terminal: true}
transitions:
  - from: created
    event: add
    pre_actions: [{action_type: set_variable, parameters: {name: items, value: "${context.items + event.item}"}}]
  - {from: created, to: settling, event: submit, pre_actions: [{action_type: activity, name: validate}]}
  - {from: settling, to: paying, after: 20ms}
  - {from: paying, to: sending, event: done}
  - from: sending
    event: made
    pre_actions: [{action_type: set_variable, parameters: {name: news, value: "${context.news + 1}"}}]
  - {from: sending, to: paid, event: done}
  - {from: paid, to: shipped, event: ship, post_actions: [{action_type: activity, name: pack}]}
  - {from: shipped, to: delivered, after: 20ms}
"""
)
PARCEL = loads(
    """
name: parcel
version: 1.0.0
initial_state: making
variables: {what: {type: string, input: true}}
activities: {make: {retry_policy: {max_attempts: 3, initial_interval: 3ms, backoff_coefficient: 1}}}
states:
  - {name: making, activity: make}
  - {name: resting}
  - {name: ready, is_terminal: true}
transitions:
  - from: making
    to: resting
    event: done
    post_actions: [{action_type: send, to: parent, event: made, payload: {what: "${context.what}"}}]
  - {from: resting, to: ready, after: 20ms}
"""
)

PLAN = ("start", "add 1", "add 2", "pause", "add 4", "resume", "submit", "ship")
"""What is done to each order, in turn; what is added are powers of two, so that their sum tells which came."""

ANSWERS = {"running", "accepted", "duplicate", "waiting", "deferred"}
"""What whoever does it may be told."""


def worker(address: str, folder: str, ready: Connection, commits: int | None) -> None:
    """Carries activities out, and lets happen what is due, until it is killed."""
    _begin(folder, ready, commits)

    def did(context: Any, **_: Any) -> str:
        written(Path(folder) / "effects", f"{context.idempotency_key} {context.attempt}")
        if context.activity != "pack" and context.attempt == 1:
            raise ActivityError("Net", "try again")
        return str(context.idempotency_key)

    async def make(context: Any) -> str:
        return did(context)

    functions = {"validate": did, "charge": did, "pack": did, "make": make}
    with open_engine(address, [ORDER, PARCEL], functions, polling=0.05) as engine:
        ready.send("open")
        while True:
            engine.raise_if_stopped()
            time.sleep(0.1)


def sender(address: str, folder: str, ready: Connection, commits: int | None, number: int, names: list[str]) -> None:
    """Starts orders and sends to them, each thing until it is acknowledged, from where an earlier one has stopped."""
    _begin(folder, ready, commits)
    with open_engine(address, [ORDER, PARCEL]) as engine:
        ready.send("open")

        def do(name: str, what: str) -> str:
            first, _, item = what.partition(" ")
            identity = f"{name} {what}"
            if first == "start":
                try:
                    return str(engine.start("order", id=name).status)
                except InstanceExists:
                    return "duplicate"
            if first in ("pause", "resume"):
                return str(engine.control(name, first, command_id=identity))
            return str(engine.send(name, first, {"item": int(item)} if item else {}, event_id=identity))

        _drive(Path(folder), number, names, lambda name, what: _insist(lambda: do(name, what)))


def client(url: str, folder: str, ready: Connection, commits: int | None, number: int, names: list[str]) -> None:
    """As a sender, by HTTP: what is not answered is asked again under the same idempotency key."""
    # However long the service takes to come back.
    connection.AGAIN = (0.05,) * 10_000
    _begin(folder, ready, None)
    engine = RemoteEngine(connection.Connection(url, None))
    ready.send("open")

    def do(name: str, what: str) -> str:
        first, _, item = what.partition(" ")
        if first == "start":
            engine.start("order", id=name)
            return "running"
        if first in ("pause", "resume"):
            return str(engine.control(name, first))
        return str(engine.send(name, first, {"item": int(item)} if item else {}))

    _drive(Path(folder), number, names, do)


def service(address: str, folder: str, ready: Connection, commits: int | None, port: int) -> None:
    """`wfsim serve`; what it was about to tell when it was killed is told again after two seconds."""
    _begin(folder, ready, commits)
    courier.TIMEOUT, courier.LEASE, courier.LOOK = 1.0, 2.0, 0.05
    os.environ["WFSIM_NETWORKS"] = "127.0.0.0/8"
    sys.argv = ["wfsim", "serve", "--database", address, "--port", str(port), "--rate", "1000000"]
    command_line.main()


def acknowledged(folder: Path) -> dict[str, str]:
    """What was answered to each thing that was done, by `<order> <what>`."""
    lines = [line for file in folder.glob("acknowledged-*") for line in file.read_text().splitlines()]
    return dict(line.rsplit(" ", 1) for line in lines)


def _drive(folder: Path, number: int, names: list[str], do: Callable[[str, str], str]) -> None:
    """All orders a step further, then the next step, as far as it is allowed by now."""
    done = acknowledged(folder)
    for k, (what, name) in enumerate((what, name) for what in PLAN for name in names):
        if f"{name} {what}" in done:
            continue
        while int((folder / "allowed").read_text()) <= k:
            time.sleep(0.01)
        written(folder / f"acknowledged-{number}", f"{name} {what} {do(name, what)}")


def _insist(do: Callable[[], T]) -> T:
    """As who is not sure of having been heard: until there is an answer."""
    while True:
        try:
            return do()
        except DatabaseError:
            time.sleep(0.05)


def _begin(folder: str, ready: Connection, commits: int | None) -> None:
    """What it complains of goes into a file; it dies after so many commits."""
    said = os.open(Path(folder) / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, sys.stderr.fileno())
    die_after(commits)
    ready.send("loaded")
