"""Lets work be done in processes that are killed with SIGKILL at random moments, until enough of them were killed."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import random
import secrets
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

KILLS = int(os.environ.get("WFSIM_KILLS", "5"))
"""How many processes are killed in each test; `make test-kills` kills a hundred."""

LOADED = [f"tests.runtime_kill.{name}" for name in ("kill_child", "kill_family", "campaign_work")]
"""What the server of forks loads before it forks: loading takes longer than what is tested."""

Drive = Callable[[str, str, "Connection", "int | None"], None]


def chosen_seed() -> int:
    """Selects the moments: `WFSIM_KILL_SEED`, or one drawn now. It is printed, and pytest shows that of a failure."""
    seed = int(os.environ.get("WFSIM_KILL_SEED") or secrets.randbits(32))
    print(f"The moments of the kills follow from WFSIM_KILL_SEED={seed}, as far as the machine is as fast.")
    return seed


class Killer:
    """Starts one piece of work after the other, killing each a few times before it may end.

    Parameters
    ----------
    folder
        Where each piece of work gets a folder of its own.
    module, function
        What a process runs: it says through its connection when everything is loaded, and when work has begun.
    kills, kills_each
        How many in all, and for one piece of work.
    longest, most_appends
        Seconds that a process lives at most before it is killed, and the most appends that one makes which kills
        itself right after the last of them.
    """

    def __init__(
        self,
        folder: Path,
        module: str,
        function: str,
        *,
        kills: int = KILLS,
        kills_each: int = 5,
        longest: float = 0.3,
        most_appends: int = 15,
    ) -> None:
        self.folder = folder
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(LOADED)
        self.drive: Drive = getattr(importlib.import_module(module), function)
        self.wanted = kills
        self.kills_each = kills_each
        self.longest = longest
        self.most_appends = most_appends
        self.kills = 0
        self.kills_at_work = 0
        self.failures: list[str] = []
        self.works: list[Path] = []
        self.turn = threading.Lock()

    def run_all(self, seed: int) -> None:
        """Two at a time, until enough were killed; `AssertionError` if a process ended by itself badly."""
        workers = [threading.Thread(target=self.work, args=(f"{seed}:{worker}",)) for worker in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not self.failures, "\n".join(self.failures)
        assert self.kills >= self.wanted
        # Most were killed at work, not while opening the file.
        assert self.kills_at_work >= self.wanted // 2

    def work(self, seed: str) -> None:
        """One piece of work after the other."""
        choice = random.Random(seed)
        while True:
            with self.turn:
                if self.kills >= self.wanted or self.failures:
                    return
                work = self.folder / f"work-{len(self.works)}"
                self.works.append(work)
            work.mkdir()
            for _ in range(self.kills_each):
                # A third dies right after an append, before what follows from it. Of the others a quarter may be hit
                # at the opening of the file.
                if choice.random() < 1 / 3:
                    killed = self.run(work, 60, appends=choice.randint(1, self.most_appends))
                else:
                    killed = self.run(work, choice.uniform(0.0, self.longest), at_work=choice.random() < 0.75)
                if not killed:
                    break
            else:
                self.run(work, None)

    def run(self, work: Path, seconds: float | None, at_work: bool = False, appends: int | None = None) -> bool:
        """One process, killed so many seconds after it has loaded, or after it has begun to work, or by itself.

        Returns whether it was killed.
        """
        listens, tells = self.context.Pipe(duplex=False)
        process = self.context.Process(target=self.drive, args=(str(work), "o", tells, appends))
        # Under the lock: start looks after all children of this process, and one exit code is read once only.
        with self.turn:
            process.start()
        tells.close()
        said = [told_by(listens)]
        if at_work:
            said.append(told_by(listens))
        wait([process.sentinel], 60 if seconds is None else seconds)
        while listens.poll() and (more := told_by(listens)):
            said.append(more)
        with self.turn:
            if process.is_alive():
                process.kill()
            process.join()
            listens.close()
            if process.exitcode == -9 and seconds is not None:
                self.kills += 1
                self.kills_at_work += "open" in said
                return True
            if process.exitcode != 0:
                self.failures.append(f"{work}: ended with {process.exitcode}")
        return False


def told_by(connection: Connection) -> str | None:
    """What it says, or `None` if its process ended without saying anything."""
    try:
        return str(connection.recv())
    except EOFError:
        return None
