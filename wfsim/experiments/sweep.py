"""`sweep`: one workflow at many points of its scenario, each with the same random numbers."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack, closing
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from wfsim.arguments import expect_whole
from wfsim.errors import NotCovered, OptionError, SimulationError
from wfsim.history.joining import join_histories
from wfsim.history.measures import expect_level
from wfsim.history.progress import Progress
from wfsim.history.runs import definition_of
from wfsim.history.simulate import ENGINES, chosen_engine, compile_ahead, prepared, scenario_text
from wfsim.history.writer import HistoryWriter, Log
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.supplying import supplied_by
from wfsim.simulation.scenario import Scenario

from .backends import backend_of
from .parts import Parts, folder_of, form_of
from .points import Over, Point, points_of
from .sweep_result import Sweep, measures_of
from .units import Unit, told_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from distributed import Client

    from wfsim.model.workflow import Workflow
    from wfsim.semantics.program import Program

    from .backends import Backend
    from .units import Form


def sweep(
    workflow: Workflow,
    scenario: Scenario | str | PathLike[str] | None = None,
    *,
    over: Over,
    catalogue: Catalogue | str | PathLike[str] | Iterable[Workflow] | None = None,
    replications: int | None = None,
    engine: Literal["auto", "compiled", "python"] = "auto",
    backend: Literal["threads", "loky", "dask"] | None = None,
    workers: int | None = None,
    client: Client | None = None,
    into: str | PathLike[str] | None = None,
    resume: str | PathLike[str] | None = None,
    log: Literal["full", "transitions", "aggregates"] = "full",
    level: float = 0.95,
    progress: bool | None = None,
) -> Sweep:
    """Simulate a workflow at many points of its scenario.

    All points draw the same random numbers: replication 3 has the same arrivals and fates at each, as far as the
    scenarios let it, so that differences between points are not chance.

    Parameters
    ----------
    workflow, scenario, catalogue, engine, log
        As for `simulate`.
    over
        Values for dotted keys of the scenario, `{"pools.packers.capacity": [2, 3, 4], "arrivals.poisson": ["60/h",
        "90/h"]}`: every combination is a point. Numbers in a key count in lists, from 0. Or a list of points, each with
        its values: `[{"pools.packers.capacity": 2}, {}]`; `{}` is the scenario as it is.
    replications
        At each point; otherwise the scenario's.
    backend
        Where the units of work, one replication at one point each, run: `threads` of this process (the compiled engine
        lets several run at once, the python engine one), `loky` (processes of this machine), or `dask` (the workers of
        `client`). The result is the same, and the same as with one thread.
    workers
        How many threads or processes; without it one for each processor.
    client
        A `distributed.Client`: the units run on the workers of its cluster. They need the same version of wfsim, and no
        folder in common with this machine.
    into
        A name that ends in `.duckdb`: one history with all runs, in the order of points and replications. A folder: a
        Parquet data set, `records/point=0/replication=0/0.parquet` and `cases/…`. Without it the history is temporary.
    resume
        A folder for what is finished, in place of `<into>.parts`. An interrupted sweep goes on there when it is called
        again.
    level
        Of the intervals.
    progress
        As for `simulate`.

    Returns
    -------
    Sweep
        Shown as a table with a row per point; `.df()`, `.plot(x, y)`, `.compare(a, b)`, `.history`.

    Raises
    ------
    ScenarioError
        If a key is unknown or a value does not fit, with the point; before anything runs.
    OptionError
        If arguments do not go together, or a backend is not installed.
    HistoryError
        If the history cannot be written, `into` holds what must not be replaced, or the folder parts of another sweep.
    SimulationError
        If a unit fails, for example since the disk is full; it says which, and where the finished ones are.

    Notes
    -----
    Intervals are Student's t over the replications, as those of `history.summary()`. A unit costs some 0.3 seconds
    beside its simulation: a file, and its measures. Ctrl-C keeps what is finished, and says where.
    """
    expect_level(level)
    run_with = backend_of(backend, workers, client)
    form = form_of(into)
    kept = folder_of(into, resume, form)
    if replications is not None:
        expect_whole("replications", replications)
    program, plan, notes = prepared(workflow, scenario, as_catalogue(catalogue), {"replications": replications})
    points = points_of(over, plan, workflow, Catalogue(program.family))
    study = Study(program, points, engine, log, form, level)
    if into is not None and form == "history":
        # It refuses to replace what is no simulated history, before anything runs.
        HistoryWriter(into, program).close()
    units = study.units(range(plan.replications))
    with ExitStack() as stack:
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wfsim-sweep-")))
        parts = Parts(folder, units)
        todo = parts.unfinished()
        try:
            with Progress("sweep", len(units), "runs", done=len(units) - len(todo), wanted=progress) as bar:
                study.run(todo, folder, run_with, bar)
        except SimulationError as error:
            raise SimulationError(f"{error}\n{_left(parts, kept)}") from None
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"the sweep was interrupted. {_left(parts, kept)}") from None
        history = None
        if form == "history":
            history = join_histories(parts.histories(), None if into is None else Path(into))
        told = {(unit.point, unit.replication): told_of(unit, folder) for unit in units}
        if history is not None and kept is not None and resume is None:
            shutil.rmtree(kept)
    rows = [[told[point.number, replication] for replication in range(plan.replications)] for point in points]
    return Sweep(
        workflow=f"{workflow.name} {workflow.version}",
        points=tuple(points),
        measures=tuple(measures_of(each, level) for each in rows),
        level=level,
        notes=tuple(dict.fromkeys([*notes, *(note for row in rows for each in row for note in each["notes"])])),
        kept=history if history is not None else folder,
    )


class Study:
    """Points of one workflow that are simulated in the same way.

    Parameters
    ----------
    engine
        As asked for.

    Raises
    ------
    NotCovered, OptionError
        If there is no such engine, or log level.
    """

    def __init__(
        self,
        program: Program,
        points: Sequence[Point],
        engine: str,
        log: Log,
        form: Form,
        level: float,
    ) -> None:
        if engine not in ENGINES:
            raise NotCovered(f"there is no engine {engine!r}. Engines: {', '.join(ENGINES)}.")
        if log not in get_args(Log):
            raise OptionError(f"{log!r} is not a log level. Levels: {', '.join(get_args(Log))}.")
        self.program = program
        self.points = points
        self.engine = engine
        self.log = log
        self.form = form
        self.level = level
        self._workflows = tuple(definition_of(each) for each in program.family)
        self._functions = supplied_by(program.family)

    def units(self, replications: range) -> list[Unit]:
        """Units in order of points and replications."""
        plan = self.points[0].scenario
        cases = [point.scenario.cases for point in self.points]
        n_cases = None if None in cases else sum(each or 0 for each in cases) * len(replications)
        chosen = chosen_engine(self.engine, self.program, plan, n_cases)
        return [
            Unit(
                point=point.number,
                replication=replication,
                values=json.dumps(dict(point.values), default=str),
                workflows=self._workflows,
                scenario=scenario_text(point.scenario),
                engine=chosen,
                log=self.log,
                form=self.form,
                level=self.level,
                functions=self._functions,
            )
            for point in self.points
            for replication in replications
        ]

    def run(self, units: Sequence[Unit], folder: Path, run_with: Backend, bar: Progress) -> None:
        """Run units; their files are in the folder then.

        Raises
        ------
        SimulationError
            If one fails.
        """
        if not units:
            return
        if units[0].engine == "compiled":
            compile_ahead(self.program, self.points[0].scenario)
        with closing(run_with(units, folder)) as finished:
            for _ in finished:
                bar.step()


def _left(parts: Parts, kept: Path | None) -> str:
    if kept is None:
        return "Nothing of it is kept: give into=… or resume=…, and an interrupted sweep can go on."
    total = len(parts.units)
    done = total - len(parts.unfinished())
    return f"{done:,} of {total:,} runs are finished and kept in {kept}; the same call goes on there."
