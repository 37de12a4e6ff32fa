"""A sweep on workers of a Dask cluster: the same rows, and a worker that dies in the middle costs nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, Future, LocalCluster

import wfsim as wf
from tests.unit.experiments.conftest import OVER
from wfsim.errors import SimulationError
from wfsim.experiments import backends, units
from wfsim.experiments.sweep_result import Sweep


@contextmanager
def cluster(**how: Any) -> Iterator[Client]:
    """A cluster of this machine, which nobody watches."""
    with (
        LocalCluster(threads_per_worker=1, dashboard_address=None, silence_logs=100, **how) as made,
        Client(made) as client,
    ):
        yield client


@pytest.mark.parametrize("into", ["set", pytest.param(None, marks=pytest.mark.long)])
def test_units_on_a_cluster_leave_what_threads_leave(
    desk: wf.Workflow,
    plan: wf.Scenario,
    swept_at_the_desk: Sweep,
    set_at_the_desk: Path,
    tmp_path: Path,
    into: str | None,
) -> None:
    place = None if into is None else tmp_path / into
    with cluster(n_workers=1, processes=False) as client:
        swept = wf.sweep(desk, plan, over=OVER, client=client, into=place)
    assert swept.df().equals(swept_at_the_desk.df())
    if place is None:
        assert swept.history.digest == swept_at_the_desk.history.digest
    else:
        files = [sorted(path.relative_to(each) for path in each.rglob("*")) for each in (place, set_at_the_desk)]
        assert files[0] == files[1]


def test_units_that_the_cluster_gives_up_are_told_and_the_same_call_goes_on(
    desk: wf.Workflow,
    plan: wf.Scenario,
    swept_at_the_desk: Sweep,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    into = tmp_path / "set"
    with cluster(n_workers=1, processes=False) as client:

        def keep_and_give_up(*given: Any) -> None:
            units.keep(*given)
            client.cancel([Future(key, client=client) for key in client.futures])

        monkeypatch.setattr(backends, "keep", keep_and_give_up)
        with pytest.raises(SimulationError, match=r"the cluster has given it up: .*\n1 of 4 runs are finished"):
            wf.sweep(desk, plan, over=OVER, client=client, into=into)
        monkeypatch.undo()
        swept = wf.sweep(desk, plan, over=OVER, client=client, into=into)
    assert swept.df().equals(swept_at_the_desk.df())


@pytest.mark.long
def test_a_worker_killed_in_the_middle_of_a_unit_changes_nothing(
    desk: wf.Workflow, plan: wf.Scenario, tmp_path: Path
) -> None:
    expected = wf.sweep(desk, plan, over=OVER, replications=4, workers=1, engine="python").history.digest
    pipe, taken = str(tmp_path / "pipe"), str(tmp_path / "taken")
    os.mkfifo(pipe)

    def wait_in_the_first_unit() -> None:
        from wfsim.experiments import units

        run = units.run_unit

        def waiting(unit: Any, folder: Any, **named: Any) -> None:
            try:
                os.close(os.open(taken, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                run(unit, folder, **named)
                return
            with open(pipe, "w") as told:
                told.write(str(os.getpid()))
            threading.Event().wait()

        units.run_unit = waiting

    killed: list[int] = []

    def kill_who_waits() -> None:
        # Opening waits for the other end, and reading until that is closed.
        with open(pipe) as told:
            killed.append(int(told.read()))
        os.kill(killed[0], signal.SIGKILL)

    with cluster(n_workers=2, processes=True) as client:
        client.run(wait_in_the_first_unit)
        killer = threading.Thread(target=kill_who_waits)
        killer.start()
        swept = wf.sweep(desk, plan, over=OVER, replications=4, client=client, engine="python")
        killer.join()
    assert killed
    assert killed[0] != os.getpid()
    assert swept.history.digest == expected
