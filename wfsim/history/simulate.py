"""`simulate`: a workflow, a scenario and a seed in; a history out."""

from __future__ import annotations

import json
from dataclasses import replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Literal

from wfsim.errors import DefinitionError, NotCovered, ScenarioError
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.problems import shown
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.simulation.check import check_scenario, family_of
from wfsim.simulation.default import default_scenario
from wfsim.simulation.engine import Simulation
from wfsim.simulation.scenario import Scenario, load_scenario

from .runs import Origin
from .writer import HistoryWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.semantics.program import Program
    from wfsim.simulation.compiled.run import Chunk
    from wfsim.simulation.instances import RunSummary

    from .history import History

DEFAULT_CASES = 1_000
ENGINES = ("auto", "compiled", "python")
FEW_CASES, MANY_CASES = 300, 5_000
"""From how many cases on `auto` takes the compiled engine: if it is at hand, and if it has to be compiled."""


def simulate(
    workflow: Workflow | WorkflowWitness,
    scenario: Scenario | str | PathLike[str] | None = None,
    *,
    catalogue: Catalogue | str | PathLike[str] | Iterable[Workflow] | None = None,
    cases: int | None = None,
    horizon: str | float | None = None,
    seed: int | None = None,
    replications: int | None = None,
    engine: Literal["auto", "compiled", "python"] = "auto",
    into: str | PathLike[str] | None = None,
    log: Literal["full", "transitions", "aggregates"] = "full",
    progress: bool | None = None,
) -> History:
    """Run many instances of a workflow through a scenario.

    Parameters
    ----------
    workflow
        What is simulated. Or the witness of a verdict: then one case, to which just that happens, and nothing else can
        be given but `into` and `log`.
    scenario
        What the surroundings do, or the path of its file; without one, `default_scenario(workflow, catalogue)`, and
        `history.notes` says what that assumed.
    catalogue
        Where the workflows that it starts (`invoke`, `for_each`) are found: a folder, or workflows. Each child is a
        case of its own, numbered after the roots and called `<parent>/<activation>`.
    cases, horizon, seed, replications
        Override the scenario's. At least one of cases and horizon is finite: without both, 1,000 cases.
        Cases that arrive are numbered from 1 in that order; children are none of them. A horizon is a duration
        (`"7d"`, or seconds).
    engine
        `compiled` runs the compiled step and calendar, with its history some nine times as fast as `python`; both
        make the same history. It is compiled once per machine; `auto` takes it where that pays.
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
    DefinitionError
        If `workflow` is none.
    ScenarioError
        If the scenario cannot be read, does not fit the workflow, or a number given is out of range.
    CatalogueError
        If a workflow that it starts is not in the catalogue.
    HistoryError
        If `into` cannot be written, for example since the disk is full; it says where to find what was written.
    NotCovered
        For constructs or engines that cannot be simulated yet.

    Notes
    -----
    About 20,000 steps a second and core in the python engine. Ctrl-C ends the run early and keeps what there is;
    `history.notes` then says so, and the run is not `complete`. So it is with what was written before a disk was full.
    """
    if engine not in ENGINES:
        raise NotCovered(f"there is no engine {engine!r}. Engines: {', '.join(ENGINES)}.")
    if isinstance(workflow, WorkflowWitness):
        given = {"scenario": scenario, "catalogue": catalogue, "cases": cases, "horizon": horizon, "seed": seed}
        for name, value in {**given, "replications": replications}.items():
            if value is not None:
                raise ScenarioError(f"a witness says all that happens: leave {name} out, or simulate the workflow.")
        return _witnessed(workflow, into, log)
    if not isinstance(workflow, Workflow):
        advice = f" Load it first: wf.simulate(wf.load({workflow!r}))." if isinstance(workflow, str) else ""
        raise DefinitionError(f"simulate takes a workflow first, not {shown(workflow)}.{advice}")
    known = Catalogue(family_of(workflow, as_catalogue(catalogue)))
    notes: list[str] = []
    if scenario is None:
        plan = default_scenario(workflow, known)
        notes.append(f"No scenario was given. {plan.description}")
    else:
        plan = _scenario(scenario)
    changes = {
        name: value
        for name, value in (("cases", cases), ("horizon", horizon), ("seed", seed), ("replications", replications))
        if value is not None
    }
    if changes:
        plan = plan.changed(**changes)
    if plan.cases is None and plan.horizon is None:
        plan = plan.model_copy(update={"cases": DEFAULT_CASES})
    check_scenario(plan, workflow, known)
    program = compile_workflow(workflow, known)
    text = json.dumps(plan.model_dump(mode="json", exclude_unset=True), sort_keys=True)
    chosen = _chosen(engine, program, plan)
    origin = Origin(seed=plan.seed, scenario=text, engine=chosen)
    total = None if plan.cases is None else plan.cases * plan.replications
    with (
        HistoryWriter(into, program, origin=origin, log=log) as writer,
        _Progress(total, progress) as bar,
    ):
        for replication in range(plan.replications):
            if replication:
                writer.new_run(replace(origin, replication=replication))
            if chosen == "compiled":
                summary = _run_compiled(program, plan, replication, writer, bar)
            else:
                simulation = Simulation(
                    program,
                    plan,
                    replication=replication,
                    sink=writer.append,
                    birth=writer.announce,
                    progress=bar.advance,
                )
                summary = simulation.run()
            _tell(writer, plan, summary.end_time)
            notes += summary.notes
            if not summary.complete:
                break
        return writer.finish(notes=notes, complete=summary.complete)


def _tell(writer: HistoryWriter, plan: Scenario, end: int) -> None:
    """What views need to know of a scenario beside its text: numbers that it only implies."""
    writer.tell("shift_changes", ("pool", "time", "capacity"), plan.shift_changes(end))
    promises = ((sla.name, int(sla.within), sla.from_, sla.until, sla.share) for sla in plan.slas)
    writer.tell("slas", ("sla", "within", "from_state", "until_state", "share"), promises)


def _chosen(engine: str, program: Program, plan: Scenario) -> str:
    """Which engine runs it: the compiled one, if that pays or is wished."""
    cases = MANY_CASES if plan.cases is None else plan.cases * plan.replications
    if engine == "python" or (engine == "auto" and cases < FEW_CASES):
        return "python"
    from wfsim.simulation.compiled.run import CompiledSimulation

    if engine == "compiled" or cases >= MANY_CASES:
        return "compiled"
    return "compiled" if CompiledSimulation(program, plan, sink=lambda chunk: None).is_ready else "python"


def _run_compiled(
    program: Program, plan: Scenario, replication: int, writer: HistoryWriter, bar: _Progress
) -> RunSummary:
    from wfsim.simulation.compiled.run import CompiledSimulation

    def take(chunk: Chunk) -> None:
        writer.append_logged(chunk, simulation.members)

    simulation = CompiledSimulation(
        program, plan, replication=replication, sink=take, birth=writer.announce, progress=bar.advance
    )
    return simulation.run()


def _witnessed(
    witness: WorkflowWitness, into: str | PathLike[str] | None, log: Literal["full", "transitions", "aggregates"]
) -> History:
    """A history of one case, to which happens what the witness tells."""
    program = compile_workflow(witness.workflow)
    with HistoryWriter(into, program, log=log) as writer:
        instance = Instance(program)
        for stimulus in witness.stimuli:
            writer.append(1, instance, instance.apply(stimulus))
        return writer.finish(notes=["Its one case is the witness of a verdict."])


def _scenario(given: object) -> Scenario:
    """A scenario as it is, or read from its file."""
    if isinstance(given, Scenario):
        return given
    if isinstance(given, (str, PathLike)):
        return load_scenario(fspath(given))
    raise ScenarioError(
        f"simulate takes a scenario, or the path of one, second; found {shown(given)}. "
        "Use wf.load_scenario(path) or wf.Scenario.model_validate({...})."
    )


class _Progress:
    """A bar over closed cases, or nothing."""

    def __init__(self, total: int | None, wanted: bool | None) -> None:
        from tqdm.auto import tqdm

        # tqdm's own rule for None: shown on a terminal only.
        disable = None if wanted is None else not wanted
        self._bar = tqdm(total=total, disable=disable, unit=" cases", desc="simulate", mininterval=0.2)

    def advance(self, n_closed: int) -> None:
        """So many cases have closed."""
        self._bar.update(n_closed - self._bar.n)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.close()
