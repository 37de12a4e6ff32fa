"""Orders go through a database while those who work on it are killed, again and again, until enough were killed."""

from __future__ import annotations

import math
import multiprocessing
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.runtime_kill import campaign_work
from tests.runtime_kill.killer import LOADED, told_by

if TYPE_CHECKING:
    from tests.postgres import Server

LONGEST = 0.5
"""Seconds that a process lives at most once it has begun, before it is killed."""

MOST_COMMITS = 12
"""The most transactions of a process that kills itself right after the last of them."""

PATIENCE = 6_000
"""Hundredths of a second in which all must be done once nobody is killed any more."""

SENDERS = WORKERS = 2


class Process:
    """One that is started again each time it was killed."""

    def __init__(self, work: Callable[..., None], *arguments: Any, port: int | None = None) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(LOADED)
        self._work, self._arguments, self._port = work, arguments, port
        self._start(None)

    def _start(self, commits: int | None) -> None:
        self._listens, tells = self._context.Pipe(duplex=False)
        first, second, *more = self._arguments
        self.process = self._context.Process(target=self._work, args=(first, second, tells, commits, *more))
        self.process.start()
        self._kills_itself = commits is not None
        tells.close()

    def await_work(self) -> None:
        """Until it has begun, or has died before."""
        told_by(self._listens)
        if self._port is None:
            told_by(self._listens)
            return
        while self.process.is_alive():
            with socket.socket() as asks:
                if asks.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.005)

    def kill(self, chosen: random.Random) -> int | None:
        """Once it is at work and some moments later, unless it kills itself before, and start it again.

        Returns how it ended, if not so.
        """
        if chosen.random() < 3 / 4:
            self.await_work()
        self.process.join(LONGEST if self._kills_itself else chosen.random() * LONGEST)
        self.end()
        code = self.process.exitcode
        self._start(chosen.randint(1, MOST_COMMITS) if chosen.random() < 1 / 3 else None)
        return None if code == -signal.SIGKILL else code

    def spare(self) -> None:
        """Let it live from now on."""
        if self._kills_itself:
            self.end()
            self._start(None)

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.join()
        self._listens.close()


class Campaign:
    """Orders, who works on them, and who is killed meanwhile.

    Parameters
    ----------
    folder
        Where it is written what was acknowledged (`campaign_work.acknowledged`), what activities did (`effects`) and
        what processes complained of (`said`).
    names
        What orders are called.
    """

    def __init__(self, address: str, folder: Path, names: list[str], chosen: random.Random) -> None:
        self.folder, self.names, self.chosen = folder, names, chosen
        self._place = (address, str(folder))
        self._allow(0.0)
        self.workers = [Process(campaign_work.worker, *self._place) for _ in range(WORKERS)]
        self.service: list[Process] = []
        self.senders: list[Process] = []

    def send(self) -> None:
        """Let processes send."""
        self.senders = [
            Process(campaign_work.sender, *self._place, number, self._share(number)) for number in range(SENDERS)
        ]

    def serve(self) -> None:
        """Let a service be asked by processes."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.service = [Process(campaign_work.service, *self._place, port, port=port)]
        url = f"http://127.0.0.1:{port}"
        self.senders = [
            Process(campaign_work.client, url, self._place[1], number, self._share(number)) for number in range(SENDERS)
        ]

    def _share(self, number: int) -> list[str]:
        return self.names[number::SENDERS]

    def _allow(self, share: float) -> None:
        """So much may have been sent by now, that all who are killed are killed at work."""
        steps = math.ceil(share * len(campaign_work.PLAN) * math.ceil(len(self.names) / SENDERS))
        beside = self.folder / "allowed.new"
        beside.write_text(str(steps))
        beside.rename(self.folder / "allowed")

    def kill(self, times: int, victims: list[Process]) -> None:
        """Kill some of them, one at a time."""
        for k in range(times):
            self._allow((k + 1) / times)
            code = self.chosen.choice(victims).kill(self.chosen)
            assert not code, f"ended with {code}. {self._said()}"
            self._look_after(victims)
        for each in victims:
            each.spare()

    def kill_database(self, times: int, server: Server) -> Counter[str]:
        """Kill its server, in several ways; how often in which."""
        killed: Counter[str] = Counter()
        for each in (*self.workers, *self.senders):
            each.await_work()
        for k in range(times):
            self._allow((k + 1) / times)
            time.sleep(self.chosen.random() * 2 * LONGEST)
            way = self.chosen.choice(["killed", "one process killed", "immediate", "fast"])
            killed[way] += 1
            if way == "one process killed":
                server.kill_one(self.chosen)
            else:
                if way == "killed":
                    server.kill()
                else:
                    server.stop(way)
                time.sleep(self.chosen.random() * LONGEST)
                server.start()
            self._look_after([])
        return killed

    def finish(self, is_done: Callable[[], bool]) -> None:
        """Nobody is killed any more: wait until all is done."""
        self._allow(1.0)
        for _ in range(PATIENCE):
            self._look_after([])
            if all(each.process.exitcode == 0 for each in self.senders) and is_done():
                return
            time.sleep(0.01)
        raise AssertionError(f"It has not come to its end. {self._said()}")

    def _look_after(self, victims: list[Process]) -> None:
        """Nobody has ended who was not killed."""
        for each in (*self.workers, *self.service, *self.senders):
            code = each.process.exitcode
            assert code in (None, 0) or each in victims, f"ended with {code}. {self._said()}"

    def _said(self) -> str:
        said = self.folder / "said"
        return said.read_text()[-4_000:] if said.exists() else ""

    def end(self) -> None:
        """Kill all."""
        for each in (*self.workers, *self.service, *self.senders):
            each.end()


@contextmanager
def campaign(address: str, folder: Path, names: list[str], chosen: random.Random) -> Iterator[Campaign]:
    """A campaign whose processes are gone at the end."""
    found = Campaign(address, folder, names, chosen)
    try:
        yield found
    finally:
        found.end()
