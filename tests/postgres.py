"""A PostgreSQL server of the tests' own: a cluster in a temporary folder, on a free loopback port."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator


class Server:
    """A running server; `address(name)` makes an empty database and gives its address."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs, self._folder, self._user = programs, folder, user
        self._n = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as its user."""
        command = [str(self._programs / program), *arguments]
        if self._user is not None:
            command = ["runuser", "-u", self._user, "--", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self._folder)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")

    def start(self) -> None:
        """Start it, or start it again."""
        settings = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        self.run(
            "pg_ctl", "-D", str(self._folder / "data"), "-l", str(self._folder / "log"), "-o", settings, "-w", "start"
        )

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: `immediate` is as if it had been killed."""
        self.run("pg_ctl", "-D", str(self._folder / "data"), "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """Kill its first process with SIGKILL, and wait until the others have noticed: before, it cannot start."""
        first, others = self._processes()
        os.kill(first, signal.SIGKILL)
        for _ in range(600):
            if not any(Path(f"/proc/{each}").exists() for each in others):
                return
            time.sleep(0.05)
        raise RuntimeError(f"of {others} some have not ended though their server was killed")

    def kill_one(self, chosen: random.Random) -> None:
        """Kill one of its other processes with SIGKILL: it ends all connections then, and recovers; wait for that."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(chosen.choice(self._processes()[1]), signal.SIGKILL)
        for left in range(600, -1, -1):
            try:
                self.run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port))
            except RuntimeError:
                if not left:
                    raise
                time.sleep(0.05)
            else:
                return

    def _processes(self) -> tuple[int, list[int]]:
        first = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        others = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return first, [int(each) for each in others]

    def address(self) -> str:
        """The address of a new, empty database."""
        self._n += 1
        name = f"test_{self._n}"
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tests", name)
        return f"postgresql://tests@127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Start a server, and remove it with all its data."""
    programs = _programs()
    # It does not run as root.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="wfsim-pg-"))
    server = Server(programs, folder, user)
    try:
        if user is not None:
            known = pwd.getpwnam(user)
            os.chown(folder, known.pw_uid, known.pw_gid)
        server.run("initdb", "-D", str(folder / "data"), "-U", "tests", "--auth=trust", "-E", "UTF8")
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    plain = shutil.which("initdb")
    if plain is None:
        pytest.fail("nothing can be tested on PostgreSQL: it is missing. Install it: apt install postgresql.")
    return Path(plain).resolve().parent


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """PostgreSQL, begun by the first test of a module that needs it."""
    with serving() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of its own, once in a file and once on the server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs.db"
    found: str = request.getfixturevalue("server").address()
    return found
