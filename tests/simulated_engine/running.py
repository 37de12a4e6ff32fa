"""One run of the simulated world: trouble for two minutes, then calm until everything has come to rest."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulated_engine.actors import Notes, Worker, clients
from tests.simulated_engine.invariants import examine, settled, watch
from tests.simulated_engine.store import Store
from tests.simulated_engine.world import SECOND, Process, Violated, World

TROUBLE = 120 * SECOND
PATIENCE = 3_600 * SECOND
"""After the trouble; timers of the workflows are shorter."""
WORKERS = 3


@dataclass(frozen=True)
class Outcome:
    """What a run was."""

    seed: int
    instances: int
    records: int
    effects: int
    deaths: int
    steps: int
    digest: int


def run(seed: int, *, aloud: bool = False) -> Outcome:
    """Everything of one seed.

    Raises
    ------
    Violated
        At the first thing that does not hold.
    """
    world = World(seed, calm=TROUBLE, aloud=aloud)
    notes = Notes()
    store = Store(world, alone=world.random.random() < 0.2, watch=watch)
    workers = [Worker(world, store, notes, number) for number in range(WORKERS)]
    clients(world, store, notes)
    _fate(world, store, notes, workers)

    def done() -> bool:
        return world.is_calm and notes.n_clients == 0 and settled(store)

    world.run(world.began + TROUBLE + PATIENCE, done)
    if not done():
        raise Violated(f"an hour after the trouble not all has come to rest: {_left(store)}")
    examine(store, notes)
    rows = store.tables
    return Outcome(
        seed,
        len(rows["instance"].rows),
        len(rows["record"].rows),
        notes.n_effects,
        notes.n_deaths,
        world.n_steps,
        hash(tuple((name, seq, record.kind, record.time) for (name, seq), (_, record) in rows["record"].rows.items())),
    )


def _fate(world: World, store: Store, notes: Notes, workers: list[Worker]) -> None:
    """Kills workers, lets others stand still, and starts new ones."""
    process = Process(world, "fate")

    def body() -> None:
        number = WORKERS
        while not world.is_calm:
            world.sleep(world.random.randrange(SECOND, 20 * SECOND))
            if world.is_calm:
                return
            worker = world.random.choice(workers)
            if world.random.random() < 0.5:
                world.tell(f"kills {worker.process.name}")
                worker.process.kill()
                notes.n_deaths += 1
                workers.remove(worker)
                workers.append(Worker(world, store, notes, number))
                number += 1
            else:
                # Longer than its lease, sometimes: others carry out what it had, and then it comes back.
                worker.process.stands_until = world.time + world.random.randrange(SECOND, 40 * SECOND)
                world.tell(f"{worker.process.name} stands still")

    process.begin("fate", body)


def _left(store: Store) -> str:
    due = [f"{row.kind} for {row.target}" for row in store.all("due") if row.kind != "timer"]
    attempts = [f"{row.activity} of {row.instance} is {row.phase} at {row.worker}" for row in store.all("attempt")]
    open_ones = [f"{row.id}: {row.status} {row.state}" for row in store.all("instance") if row.status == "running"]
    return "; ".join([*due, *attempts, *open_ones]) or "nothing"
