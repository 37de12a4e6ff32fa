"""Where units run: in threads, in processes of this machine, or on the workers of a Dask cluster.

Each gives the units back as they are finished, in any order; what they leave does not depend on that.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.arguments import expect
from wfsim.errors import OptionError, SimulationError, WfsimError

from .units import Unit, keep, run_away, run_unit

if TYPE_CHECKING:
    from distributed import Client

BACKENDS = ("threads", "loky", "dask")
Finished: TypeAlias = Generator[Unit, None, None]
Backend: TypeAlias = Callable[[Sequence[Unit], Path], Finished]
"""Runs units, leaves their files in a folder, and tells each that is finished."""


def backend_of(name: str | None, workers: int | None, client: Client | None) -> Backend:
    """The backend of that name.

    Raises
    ------
    OptionError
        If there is none, what it needs is not installed, or the arguments do not go together.
    """
    if name is None:
        name = "threads" if client is None else "dask"
    if name not in BACKENDS:
        raise OptionError(f"backend={name!r} is not known. Backends: {', '.join(BACKENDS)}.")
    if name == "dask" and client is not None:
        if workers is not None:
            raise OptionError("a Dask cluster has the workers that it has: leave workers out.")
        _need("dask", "distributed")
        from distributed import Client

        expect(client, Client, "client is a distributed.Client", "Make one: distributed.Client('tcp://…').")
        return partial(_on_dask, client)
    if name == "dask" or client is not None:
        raise OptionError(
            "backend='dask' goes with client=distributed.Client(…), which says where its workers are; the others take "
            f"none. Given: backend={name!r}, client={client!r}."
        )
    count = workers if workers is not None else os.cpu_count() or 1
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise OptionError(f"workers={workers!r}: give how many there are, at least 1.")
    if name == "threads":
        return partial(_in_threads, count)
    _need("loky", "loky")
    return partial(_in_processes, count)


def _need(backend: str, package: str) -> None:
    if find_spec(package) is None:
        raise OptionError(f"backend={backend!r} needs the package {package}: pip install 'wfsim[{backend}]'.")


def _in_threads(workers: int, units: Sequence[Unit], folder: Path) -> Finished:
    stopped = threading.Event()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="wfsim")
    try:
        yield from _finished(pool, partial(run_unit, is_stopped=stopped.is_set), units, folder)
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _in_processes(workers: int, units: Sequence[Unit], folder: Path) -> Finished:
    with pool_of_processes(min(workers, len(units))) as pool:
        yield from _finished(pool, run_unit, units, folder)


@contextmanager
def pool_of_processes(workers: int) -> Iterator[Executor]:
    """So many processes of this machine, which end with it; what is still under way then is given up.

    Raises
    ------
    OptionError
        If the package loky is missing.
    SimulationError
        If a process dies.
    """
    _need("loky", "loky")
    from loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(workers, initializer=_leave_interrupts)
    try:
        yield pool
    except BrokenExecutor as error:
        raise SimulationError(
            f"a worker process died: {str(error).splitlines()[0]} Perhaps it ran out of memory: give fewer workers."
        ) from None
    finally:
        pool.shutdown(kill_workers=True)


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the one that was asked for the sweep ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _finished(pool: Executor, run: Callable[[Unit, Path], None], units: Sequence[Unit], folder: Path) -> Finished:
    futures: dict[Future[None], Unit] = {pool.submit(run, unit, folder): unit for unit in units}
    for future in as_completed(futures):
        with telling_which(futures[future]):
            future.result()
        yield futures[future]


def _on_dask(client: Client, units: Sequence[Unit], folder: Path) -> Finished:
    """The files of a unit come back over the network: workers need not reach the folder.

    Of a worker that dies, the scheduler gives its units to others.
    """
    from distributed import KilledWorker, as_completed
    from distributed.client import FutureCancelledError

    # `pure`: equal calls would be one.
    futures: dict[Any, Unit] = {client.submit(run_away, unit, pure=False): unit for unit in units}
    try:
        done = as_completed(futures)
        for future in done:
            unit = futures.pop(future)
            with telling_which(unit):
                try:
                    files = future.result()
                except KilledWorker as error:
                    raise SimulationError(f"its workers died one after another: {error}") from None
                except FutureCancelledError as error:
                    raise SimulationError(f"the cluster has given it up: {error}") from None
                keep(unit, files, folder)
            future.release()
            yield unit
    finally:
        client.cancel(list(futures))


@contextmanager
def telling_which(unit: Unit) -> Iterator[None]:
    """Say with an error in a unit which one it was."""
    try:
        yield
    except WfsimError as error:
        raise SimulationError(f"point {unit.point}, replication {unit.replication}: {error}") from None
