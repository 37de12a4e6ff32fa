"""Actors that take turns, by a seed: time, sleep, and processes that die and stand still."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from greenlet import greenlet

SECOND = 1_000_000


class Killed(BaseException):
    """The process of an actor is gone."""


class Violated(BaseException):
    """Something does not hold that must hold. No `except Exception` of the engine swallows it."""


class Process:
    """Actors that die and stand still together; its clock may differ from that of the world."""

    def __init__(self, world: World, name: str, skew: int = 0) -> None:
        self.world = world
        self.name = name
        self.skew = skew
        self.is_alive = True
        self.stands_until = 0
        self.actors: list[Actor] = []

    def now(self) -> int:
        """What its clock shows."""
        return self.world.time + self.skew

    def begin(self, name: str, body: Callable[[], None]) -> None:
        """One more actor."""
        actor = Actor(self, f"{self.name}.{name}", body)
        self.actors.append(actor)
        self.world.actors.append(actor)

    def kill(self) -> None:
        """Each of its actors ends where it stands, before anybody else goes on; what it had not stored is lost."""
        self.is_alive = False
        self.world.pause()


class Actor:
    """Something that goes on by itself, step by step."""

    def __init__(self, process: Process, name: str, body: Callable[[], None]) -> None:
        self.process = process
        self.name = name
        self.wakes = process.world.time
        self.waits_for: Any = None
        self.is_over = False
        self._greenlet = greenlet(self._run, parent=process.world.main)
        self._body = body

    def _run(self) -> None:
        try:
            self._body()
        except Killed:
            pass
        finally:
            self.is_over = True

    def can_go_on(self, time: int) -> bool:
        """Whether it is its turn, if it likes."""
        if self.is_over or self.wakes > time or self.process.stands_until > time:
            return False
        return self.waits_for is None or self.waits_for.is_free_for(self)

    def next_time(self) -> int | None:
        """When it may go on, if time alone lets it."""
        if self.is_over or (self.waits_for is not None and not self.waits_for.is_free_for(self)):
            return None
        return max(self.wakes, self.process.stands_until)

    def step(self) -> None:
        """Until it lets others come."""
        self._greenlet.switch()

    def kill(self) -> None:
        """It ends where it stands."""
        if not self.is_over and self._greenlet:
            self._greenlet.throw(Killed)
        self.is_over, self.waits_for = True, None


class World:
    """Everything that happens, in one order that the seed decides.

    Attributes
    ----------
    time
        Microseconds.
    calm
        From when on nothing goes wrong any more.
    main
        Where actors come back to.
    """

    def __init__(self, seed: int, *, calm: int, aloud: bool = False) -> None:
        self.random = random.Random(seed)
        self.time = 1_700_000_000 * SECOND
        self.began = self.time
        self.calm = self.time + calm
        self.actors: list[Actor] = []
        self.current: Actor | None = None
        self.n_steps = 0
        self._aloud = aloud
        self.main = greenlet.getcurrent()

    @property
    def is_calm(self) -> bool:
        """Whether nothing goes wrong any more."""
        return self.time >= self.calm

    def chance(self, share: float) -> bool:
        """Whether something goes wrong now that goes wrong so often."""
        return not self.is_calm and self.random.random() < share

    def tell(self, what: str) -> None:
        """For whoever reads along."""
        if self._aloud:
            who = self.current.name if self.current is not None else "world"
            print(f"{(self.time - self.began) / SECOND:10.6f} {who:>16}  {what}")

    def pause(self) -> None:
        """Others may come first."""
        self.main.switch()

    def sleep(self, microseconds: int) -> None:
        """Go on so much later."""
        assert self.current is not None
        self.current.wakes = self.time + max(1, microseconds)
        self.main.switch()

    def wait(self, lock: Any) -> None:
        """Go on once a lock is free."""
        assert self.current is not None
        actor = self.current
        actor.waits_for = lock
        self.main.switch()
        actor.waits_for = None

    def run(self, until: int, done: Callable[[], bool]) -> None:
        """Let things happen until they are done, or to a time."""
        while self.time < until:
            for each in self.actors:
                if not each.process.is_alive:
                    each.kill()
            self.actors = [each for each in self.actors if not each.is_over]
            ready = [each for each in self.actors if each.can_go_on(self.time)]
            if not ready:
                times = [time for each in self.actors if (time := each.next_time()) is not None]
                if not times:
                    raise Violated("nobody can go on: " + ", ".join(each.name for each in self.actors))
                self.time = max(self.time + 1, min(times))
                if done():
                    return
                continue
            self.current = self.random.choice(ready)
            self.n_steps += 1
            # What a question to a database takes.
            self.time += self.random.randrange(50, 2_000)
            self.current.step()
            self.current = None
