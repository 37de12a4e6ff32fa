"""`simulate`: a workflow, a scenario and a seed in; a history out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from wfsim.errors import NotCovered, ScenarioError
from wfsim.semantics.compile import compile_workflow
from wfsim.simulate.engine import Simulation
from wfsim.simulate.scenario import LARGEST_SEED, Scenario, check_scenario, default_scenario

from .writer import HistoryWriter

if TYPE_CHECKING:
    import os

    from wfsim.model.workflow import Workflow

    from .history import History

DEFAULT_CASES = 1_000


def simulate(
    workflow: Workflow,
    scenario: Scenario | None = None,
    *,
    cases: int | None = None,
    horizon: str | float | None = None,
    seed: int | None = None,
    replications: int | None = None,
    engine: Literal["auto", "python"] = "auto",
    into: str | os.PathLike[str] | None = None,
    log: Literal["full", "transitions", "aggregates"] = "full",
    progress: bool | None = None,
) -> History:
    """Run many instances of a workflow through a scenario.

    Parameters
    ----------
    scenario
        What the surroundings do; without one, `default_scenario(workflow)`.
    cases, horizon, seed, replications
        Override the scenario's. At least one of cases and horizon is finite: without both, 1,000 cases.
        Cases are numbered from 1 in order of arrival. A horizon is a duration (`"7d"`, or seconds).
    engine
        `python`; `auto` chooses the fastest there is for the workflow, which is `python` today.
    into
        DuckDB file; an earlier simulated history there is replaced once the new one is complete. Without it the
        history lives in a temporary file.
    log
        `full` keeps every record, and only then can cases be replayed.
    progress
        Show a progress bar; by default on a terminal only.

    Returns
    -------
    History
        Each replication is one run. The same arguments give the same `digest`, on every machine.

    Raises
    ------
    ScenarioError
        If the scenario does not fit the workflow.
    NotCovered
        For constructs or engines that cannot be simulated yet.

    Notes
    -----
    About 20,000 steps a second and core in the python engine. Ctrl-C ends the run early and keeps what there is;
    `history.notes` then says so.
    """
    if engine not in ("auto", "python"):
        raise NotCovered(f"there is no engine {engine!r} yet. Engines: auto, python.")
    plan = scenario if scenario is not None else default_scenario(workflow)
    changes = {
        name: value
        for name, value in (("cases", cases), ("horizon", horizon), ("seed", seed), ("replications", replications))
        if value is not None
    }
    if changes:
        from pydantic import ValidationError

        try:
            plan = Scenario.model_validate(plan.model_dump(exclude_unset=True) | changes)
        except ValidationError as error:
            raise ScenarioError(
                f"{', '.join(changes)}: {error.errors()[0]['msg']}. Seeds go to {LARGEST_SEED}."
            ) from None
    if plan.cases is None and plan.horizon is None:
        plan = plan.model_copy(update={"cases": DEFAULT_CASES})
    check_scenario(plan, workflow)
    program = compile_workflow(workflow)
    if program.children:
        raise NotCovered(f"{workflow.name!r} invokes other workflows, which cannot be simulated yet.")
    text = json.dumps(plan.model_dump(mode="json", exclude_unset=True), sort_keys=True)
    total = None if plan.cases is None else plan.cases * plan.replications
    with (
        HistoryWriter(into, workflow, program, seed=plan.seed, scenario=text, engine="python", log=log) as writer,
        _Progress(total, progress) as bar,
    ):
        notes: list[str] = []
        for replication in range(plan.replications):
            if replication:
                writer.new_run(replication=replication)
            simulation = Simulation(
                program,
                plan,
                seed=plan.seed,
                replication=replication,
                cases=plan.cases,
                horizon=plan.horizon,
                sink=writer.append,
                progress=bar.advance,
            )
            summary = simulation.run()
            notes += summary.notes
            if not summary.complete:
                break
        return writer.finish(notes=notes)


class _Progress:
    """A bar over closed cases, or nothing."""

    def __init__(self, total: int | None, wanted: bool | None) -> None:
        from tqdm.auto import tqdm

        # tqdm's own rule for None: shown on a terminal only.
        disable = None if wanted is None else not wanted
        self._bar = tqdm(total=total, disable=disable, unit=" cases", desc="simulate", mininterval=0.2)

    def advance(self, n_closed: int) -> None:
        """One more case has closed."""
        self._bar.update(1)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.close()
