"""Workers, which die and stand still, and clients, which repeat what they are not sure of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.simulated_engine.store import Entry, SimulatedDatabase, SimulatedRows, Store
from tests.simulated_engine.workflows import CATALOGUE, KNOWN
from tests.simulated_engine.world import SECOND, Process, Violated, World
from wfsim.errors import EngineError, EventRejected, StartRefused
from wfsim.runtime.core import Core
from wfsim.runtime.database import DatabaseError
from wfsim.runtime.delivery import Delivery
from wfsim.runtime.executor import Attempt, Report
from wfsim.runtime.presence import Presence
from wfsim.runtime.pump import attempt_of
from wfsim.runtime.rows import AttemptRow
from wfsim.runtime.stimuli import begin, control, send
from wfsim.runtime.taking import Order

LEASE = 10.0
OUTAGE = 500_000


class ProcessClock:
    """Of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def now(self) -> int:
        return self._process.now()


class InQueue:
    """Attempts go into the queue of the store with the rest of a transaction."""

    def enqueue(self, rows: SimulatedRows, attempts: Iterable[AttemptRow]) -> None:
        for row in attempts:
            rows.enqueue(row, 0)

    def launched(self, attempts: Iterable[AttemptRow]) -> None:
        """They are in the queue."""

    def taken_back(self, keys: Iterable[tuple[str, int, int]]) -> None:
        """A worker finds out."""


class NoWebhooks:
    """Nobody outside wants to hear."""

    def put(self, rows: SimulatedRows, recorded: Any, now: int) -> None:
        """Nothing to tell."""


def core_of(process: Process, store: Store) -> Core:
    """A process's own core: its families and its cache go with it."""
    database: Any = SimulatedDatabase(store)
    clock: Any = ProcessClock(process)
    core = Core(database, clock)
    carrier: Any = InQueue()
    webhooks: Any = NoWebhooks()
    core.carrier, core.outbox = carrier, webhooks
    core.know(CATALOGUE)
    return core


@dataclass
class Notes:
    """What the world outside knows: what was acknowledged, and what activities did.

    Attributes
    ----------
    acknowledged
        What a sender was told, by instance and event id.
    effects
        What was done under each idempotency key: activity and input.
    """

    acknowledged: dict[tuple[str, str], str] = field(default_factory=dict)
    commands: dict[tuple[str, str], str] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    effects: dict[str, tuple[str, Any]] = field(default_factory=dict)
    n_effects: int = 0
    n_deaths: int = 0
    n_clients: int = 0


class Worker:
    """A process that lets happen what is due, and carries attempts out."""

    def __init__(self, world: World, store: Store, notes: Notes, number: int) -> None:
        skew = world.random.randrange(-2 * SECOND, 2 * SECOND) if world.random.random() < 0.5 else 0
        self.process = Process(world, f"worker{number}", skew)
        self.world = world
        self.store = store
        self.notes = notes
        self.core = core_of(self.process, store)
        self.presence = Presence(self.core, self.process.name, lease=LEASE)
        self.presence.id = f"{self.process.name}#{number}"
        self.presence.free = self._free
        self.delivery = Delivery(self.core, self.presence.id, self, least=0.1)
        self._running: dict[tuple[str, int, int], Attempt] = {}
        self.process.begin("presence", self._be_here)
        self.process.begin("pump", self._pump)
        for k in range(2):
            self.process.begin(f"slot{k}", self._work)

    def _polling(self) -> int:
        """As soon as calm has come nothing depends on how often is looked."""
        return 5 * SECOND if self.world.is_calm else 250_000

    def _be_here(self) -> None:
        while True:
            try:
                with self.core.database.transaction() as rows:
                    self.presence._beat(rows)
                self.presence.look_after()
            except DatabaseError:
                pass
            self.world.sleep(int(LEASE / 3 * SECOND))

    def _free(self, workers: Iterable[str]) -> None:
        """What `QueueWorker.free` does."""
        for name, entry in list(self.store.queue.items()):
            if entry.status == "pending" and entry.worker not in workers:
                instance, serial, attempt, tries = entry.arguments
                self.core.put_back((instance, serial, attempt), tries, self._enqueue)
                self.world.pause()
                entry.status = "over"
                self.world.tell(f"frees {name}")

    @staticmethod
    def _enqueue(rows: Any, attempts: Iterable[AttemptRow]) -> None:
        for row in attempts:
            rows.enqueue(row, 0)

    def _pump(self) -> None:
        """What `Pump._round` does with a database that others use too."""
        while True:
            try:
                now = self.core.clock.now()
                n = self.core.work_off(now)
                self.core.beat([each for each in self._running.values() if self._due_beat(each, now)])
                n += self.core.miss_beats(now)
            except DatabaseError:
                self.world.sleep(OUTAGE)
                continue
            for name, (_, error) in self.core.stuck.items():
                raise Violated(f"{name} is stuck: {error!r}") from error
            self.world.sleep(1 if n else self._polling())

    @staticmethod
    def _due_beat(attempt: Attempt, now: int) -> bool:
        if attempt.heartbeat is None or attempt.beat_by is None or now < attempt.beat_by - attempt.heartbeat // 2:
            return False
        attempt.beat_by = now + attempt.heartbeat
        return True

    def _work(self) -> None:
        while True:
            entry = self._claim()
            if entry is None:
                self.world.sleep(self._polling())
                continue
            # What the queue takes, until it calls.
            self.world.sleep(self.world.random.randrange(1, 3 * SECOND if self.world.chance(0.2) else 200_000))
            name, serial, attempt, tries = entry.arguments
            self.delivery.deliver((name, serial, attempt), tries)
            entry.status = "over"

    def _claim(self) -> Entry | None:
        """An entry that waits, in any order; now and then one that another worker has: the queue is at least once."""
        now = self.world.time
        waiting = [each for each in self.store.queue.values() if each.status == "enqueued" and each.after <= now]
        if self.world.chance(0.002):
            waiting += [each for each in self.store.queue.values() if each.status == "pending"]
        if not waiting:
            return None
        entry = self.world.random.choice(waiting)
        entry.status, entry.worker = "pending", self.presence.id
        return entry

    # --- as hands of a delivery ---------------------------------------------------------------------

    def admit(self, use: Any, declared: Any, instance: str) -> None:
        """Every function is known here."""

    def carry_out(self, order: Order) -> Report:
        """Takes its time, and leaves an effect in the world."""
        return self._perform(order)

    def learn(self) -> None:
        """Everything is known here."""

    def enqueue(self, rows: Any, attempts: Iterable[AttemptRow], delay: float) -> None:
        """Offered again later."""
        for row in attempts:
            rows.enqueue(row, self.world.time + int(delay * SECOND))

    def wait(self, seconds: float) -> bool:
        """Nobody ends but by dying."""
        self.world.sleep(int(seconds * SECOND))
        return False

    def _perform(self, order: Order) -> Report:
        key = order.key
        given = (order.activity, dict(order.input))
        known = self.notes.effects.setdefault(order.idempotency_key, given)
        if known != given:
            raise Violated(f"under the key {order.idempotency_key} came {known}, and now {given}")
        self.notes.n_effects += 1
        self.world.tell(f"does {order.activity} of {order.instance}, attempt {order.attempt}")
        beat_by = None if order.heartbeat is None else self.core.clock.now() + order.heartbeat
        attempt = attempt_of(order)
        attempt.beat_by = beat_by
        self._running[key] = attempt
        if order.activity == "cook" and self.world.chance(0.1):
            # It hangs, and gives no sign of life: only that tells.
            self.world.tell(f"{order.instance} hangs")
            self._running.pop(key)
            self.world.sleep(10_000 * SECOND)
        self.world.sleep(self.world.random.randrange(10_000, 8 * SECOND))
        self._running.pop(key, None)
        if self.world.random.random() < 0.2 and order.activity != "give_back":
            return Report(key, error_type="Net", message="try again")
        return Report(key, result=f"{order.activity} {order.idempotency_key}" if order.activity != "look" else None)


class Client:
    """Whoever starts and sends: what has no answer is sent again, under the same id."""

    def __init__(self, process: Process, store: Store, notes: Notes) -> None:
        self.process = process
        self.world = process.world
        self.core = core_of(process, store)
        self.notes = notes

    def start(self, workflow: str, name: str, **inputs: Any) -> None:
        """Until it is known to be there, or that another one has its key."""
        sure = True
        while True:
            try:
                begin(self.core, self.core.families.of(KNOWN[workflow], CATALOGUE), inputs, id=name, seed=7)
                break
            except DatabaseError:
                sure = False
                self.world.sleep(OUTAGE)
            except StartRefused as refused:
                if "has an open instance with the key" in str(refused):
                    return
                if sure or "there is an instance" not in str(refused):
                    raise Violated(f"{name} cannot be started: {refused}") from None
                break
        self.notes.started.add(name)

    def sees_workflow(self, name: str) -> str | None:
        """Which workflow an instance runs, if there is one."""
        while True:
            try:
                with self.core.database.reading() as rows:
                    row = rows.read(name)
                    return None if row is None else row.workflow
            except DatabaseError:
                self.world.sleep(OUTAGE)

    def tell(self, name: str, event: str, identity: str, **payload: Any) -> None:
        """Until there is an answer."""
        while True:
            try:
                answer = str(send(self.core, name, event, payload, event_id=identity))
                break
            except DatabaseError:
                self.world.sleep(OUTAGE)
            except EventRejected:
                answer = "rejected"
                break
            except EngineError as error:
                raise Violated(f"{event} cannot be sent to {name}: {error}") from None
        self.world.tell(f"{event} to {name}: {answer}")
        self.notes.acknowledged[name, identity] = answer

    def command(self, name: str, command: str, identity: str) -> None:
        """Likewise."""
        while True:
            try:
                answer = control(self.core, name, command, command_id=identity)
                break
            except DatabaseError:
                self.world.sleep(OUTAGE)
        self.notes.commands[name, identity] = answer


def clients(world: World, store: Store, notes: Notes) -> list[Process]:
    """All that comes from outside, each on its own; they die too, and begin again."""
    chance = world.random

    def site(client: Client, k: int) -> None:
        name = f"site-{k}"
        parts = ["wing", "bad"] if k % 2 else ["wing", "door"]
        client.start("site", name, machines=["drill", "saw", "lathe"], parts=parts)
        for j in range(2):
            client.tell(name, "note", f"{name}-note-{j}")
            if chance.random() < 0.3:
                client.tell(name, "note", f"{name}-note-{j}")
        if chance.random() < 0.4:
            client.command(name, "pause", f"{name}-pause")
            client.tell(name, "go", f"{name}-go")
            client.world.sleep(chance.randrange(1, 6 * SECOND))
            client.command(name, "resume", f"{name}-resume")
        else:
            client.tell(name, "go", f"{name}-go")
        for child in range(1, 40):
            # Parts are approved when they are there; who comes too early or late is told so.
            if client.sees_workflow(f"{name}/{child}") == "part":
                client.tell(f"{name}/{child}", "approve", f"{name}-{child}-approve-{child}")
            client.world.sleep(chance.randrange(1, 4 * SECOND))
        if chance.random() < 0.3:
            client.command(name, "cancel", f"{name}-cancel")

    def rush(client: Client, k: int) -> None:
        client.world.sleep(chance.randrange(1, 400_000))
        client.start("kitchen", f"other-{k}", table=100 + k)

    def guest(client: Client, k: int) -> None:
        name = f"guest-{k}"
        client.world.sleep(chance.randrange(1, 20 * SECOND))
        client.start("guest", name, me=name, table=k % 2, other=100 + k)
        # What the guest sends to that key and who will have it come at the same time.
        _outside(world, store, notes, f"rush{k}", lambda other: rush(other, k))
        for j in range(chance.randrange(1, 4)):
            client.tell(name, "choose", f"{name}-{j}", dish=f"dish {j}")
            client.world.sleep(chance.randrange(1, 10 * SECOND))
        client.tell(name, "leave", f"{name}-leave")

    def kitchen(client: Client, k: int) -> None:
        for j in range(4):
            client.world.sleep(chance.randrange(1, 30 * SECOND))
            client.start("kitchen", f"kitchen-{k}-{j}", table=k)

    made = []
    scripts = [(site, 0), (site, 1), (guest, 0), (guest, 1), (guest, 2), (guest, 3), (kitchen, 0), (kitchen, 1)]
    for k, (script, number) in enumerate(scripts):
        made.append(_outside(world, store, notes, f"client{k}", lambda client, s=script, n=number: s(client, n)))
    return made


def _outside(world: World, store: Store, notes: Notes, name: str, script: Callable[[Client], None]) -> Process:
    process = Process(world, name, world.random.randrange(-SECOND, SECOND))
    notes.n_clients += 1

    def body() -> None:
        script(Client(process, store, notes))
        notes.n_clients -= 1

    process.begin("script", body)
    return process
