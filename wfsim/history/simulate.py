"""`simulate`: a workflow, a scenario and a seed in; a history out."""

from __future__ import annotations

import json
from contextlib import contextmanager
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Literal

from wfsim.errors import DefinitionError, HistoryError, NotCovered, ScenarioError, WfsimError
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.duration import short_time
from wfsim.model.problems import shown
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.simulation.check import check_scenario, family_of
from wfsim.simulation.default import default_scenario
from wfsim.simulation.engine import Simulation
from wfsim.simulation.interrupting import interrupts
from wfsim.simulation.scenario import Scenario, load_scenario

from .arrivals import ask_history
from .progress import Progress
from .runs import Origin
from .writer import HistoryWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from wfsim.exploration.workflow_witness import WorkflowWitness
    from wfsim.semantics.program import Program
    from wfsim.simulation.compiled.run import Chunk, CompiledSimulation
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
        `compiled` runs the compiled step and calendar, with its history written some thirteen times as fast as
        `python`; both make the same history. It is compiled once per machine; `auto` takes it where that pays.
    into
        DuckDB file; an earlier simulated history there is replaced once the new one is complete. Without it the
        history lives in a temporary file.
    log
        `full` keeps every record, and only then can cases be replayed.
    progress
        `True`, `False`, or by default: a bar on a terminal and in a notebook, elsewhere a few lines if it takes long.
        What is shown is the part of the arrivals and closings, or of the horizon, that is behind it.

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
    if not isinstance(workflow, Workflow):
        # Here, as who simulates a workflow does without.
        from wfsim.exploration.workflow_witness import WorkflowWitness

        if isinstance(workflow, WorkflowWitness):
            given = {"scenario": scenario, "catalogue": catalogue, "cases": cases, "horizon": horizon, "seed": seed}
            for name, value in {**given, "replications": replications}.items():
                if value is not None:
                    raise ScenarioError(f"a witness says all that happens: leave {name} out, or simulate the workflow.")
            return _witnessed(workflow, into, log)
    changes = {"cases": cases, "horizon": horizon, "seed": seed, "replications": replications}
    program, plan, notes = prepared(workflow, scenario, as_catalogue(catalogue), changes)
    with Progress("simulate", plan.replications, "runs", wanted=progress) as bar:
        return run_plan(program, plan, notes, engine=engine, into=into, log=log, told=bar.to)


def run_plan(
    program: Program,
    plan: Scenario,
    notes: list[str],
    *,
    engine: Literal["auto", "compiled", "python"] = "auto",
    into: str | PathLike[str] | None = None,
    log: Literal["full", "transitions", "aggregates"] = "full",
    told: Callable[[float], None],
) -> History:
    """Run all replications of what `prepared` gave; arguments and errors are those of `simulate`.

    `told` learns how many replications are behind it, of the one at work a part. What it raises ends the run, of which
    nothing is left then.
    """
    chosen = chosen_engine(engine, program, plan, None if plan.cases is None else plan.cases * plan.replications)
    with HistoryWriter(into, program, origin=origin_of(plan, 0, chosen), log=log) as writer:
        for replication in range(plan.replications):
            if replication:
                writer.new_run(origin_of(plan, replication, chosen))
            try:
                summary = run_replication(chosen, program, plan, replication, writer, told)
            except WfsimError as error:
                kept = writer.keep([*notes, f"It ended early: {error}"])
                if kept is not None:
                    error.args = (f"{error} What had happened until then is in {kept}.",)
                raise
            told(replication + 1)
            notes += summary.notes
            if not summary.complete:
                break
        # Whatever has happened is written, even if somebody loses patience now; but not twice.
        with interrupts():
            return writer.finish(notes=notes, complete=summary.complete)


def prepared(
    workflow: Workflow,
    scenario: Scenario | str | PathLike[str] | None,
    catalogue: Catalogue | None,
    changes: Mapping[str, Any],
) -> tuple[Program, Scenario, list[str]]:
    """Program and plan of a simulation, looked at together, and what is to be told of them.

    `changes` of the scenario that are `None` are none. What it raises is said at `simulate`.
    """
    if not isinstance(workflow, Workflow):
        advice = f" Load it first: wf.simulate(wf.load({workflow!r}))." if isinstance(workflow, str) else ""
        raise DefinitionError(f"simulate takes a workflow first, not {shown(workflow)}.{advice}")
    known = Catalogue(family_of(workflow, catalogue))
    notes: list[str] = []
    if scenario is None:
        plan = default_scenario(workflow, known)
        notes.append(f"No scenario was given. {plan.description}")
    else:
        plan = _scenario(scenario)
    changes = {name: value for name, value in changes.items() if value is not None}
    if changes:
        plan = plan.changed(**changes)
    if plan.cases is None and plan.horizon is None:
        plan = plan.model_copy(update={"cases": DEFAULT_CASES})
    check_scenario(plan, workflow, known)
    return compile_workflow(workflow, known), plan, notes


def scenario_text(plan: Scenario) -> str:
    """A scenario as it is kept with its runs: canonical JSON of what was given."""
    return json.dumps(plan.model_dump(mode="json", by_alias=True, exclude_unset=True), sort_keys=True)


def origin_of(plan: Scenario, replication: int, engine: str, params: Mapping[str, Any] | None = None) -> Origin:
    """What is kept with the run of a replication."""
    return Origin(plan.seed, replication, scenario_text(plan), engine, params)


def _tell(writer: HistoryWriter, plan: Scenario, summary: RunSummary) -> None:
    """What views need to know of a scenario beside its text: numbers that it only implies; and what people overlook."""
    changes = list(plan.shift_changes(summary.end_time))
    open_once = {name for name, _, capacity in changes if capacity}
    for name in dict.fromkeys(name for name, _, _ in changes):
        if name not in open_once:
            begins = plan.begins.strftime("%A, %d %B %Y, %H:%M UTC")
            summary.notes.append(
                f"Pool {name!r} was never open in the {short_time(summary.end_time)} from {begins}. "
                "Look at its shifts, at 'begins' and at the horizon."
            )
    writer.tell("shift_changes", ("pool", "time", "capacity"), changes)
    promises = ((sla.name, int(sla.within), sla.from_, sla.until, sla.share) for sla in plan.slas)
    writer.tell("slas", ("sla", "within", "from_state", "until_state", "share"), promises)


def chosen_engine(engine: str, program: Program, plan: Scenario, cases: int | None) -> str:
    """Which engine runs so many cases in all: the compiled one, if that pays or is wished."""
    cases = MANY_CASES if cases is None else cases
    if engine == "python" or (engine == "auto" and cases < FEW_CASES):
        return "python"
    if engine == "compiled" or cases >= MANY_CASES:
        return "compiled"
    return "compiled" if _compiled(program, plan).is_ready else "python"


def _compiled(program: Program, plan: Scenario) -> CompiledSimulation:
    """A compiled run that nobody listens to."""
    from wfsim.simulation.compiled.run import CompiledSimulation

    return CompiledSimulation(program, plan, sink=lambda chunk: None, ask_history=ask_history)


def compile_ahead(program: Program, plan: Scenario) -> None:
    """Have the compiled engine ready, so that not each of several processes compiles it."""
    _compiled(program, plan).advance(0)


def run_replication(
    engine: str,
    program: Program,
    plan: Scenario,
    replication: int,
    writer: HistoryWriter,
    told: Callable[[float], None],
) -> RunSummary:
    """Run one replication with an engine; its records go to the writer.

    `told` learns now and then how many replications are behind it: of this one the part of its arrivals and closings,
    or of its horizon.
    """

    def progress(done: int, time: int) -> None:
        parts = [done / (2 * plan.cases)] if plan.cases else []
        parts += [time / int(plan.horizon)] if plan.horizon else []
        told(replication + min(max(parts, default=0.0), 1.0))

    if engine == "python":
        interpreted = Simulation(
            program,
            plan,
            replication=replication,
            sink=writer.append,
            birth=writer.announce,
            ask_history=ask_history,
        )
        interpreted.progress = progress
        with _told_where(plan, replication, interpreted):
            summary = interpreted.run()
        _tell(writer, plan, summary)
        return summary
    from wfsim.simulation.compiled.run import CompiledSimulation

    def take(chunk: Chunk) -> bool:
        return writer.append_logged(chunk, members)

    simulation = CompiledSimulation(
        program,
        plan,
        replication=replication,
        sink=take,
        birth=writer.announce,
        ask_history=ask_history,
    )
    simulation.progress = progress
    members = simulation.members
    with _told_where(plan, replication, simulation):
        summary = simulation.run()
    _tell(writer, plan, summary)
    return summary


@contextmanager
def _told_where(plan: Scenario, replication: int, simulation: Simulation | CompiledSimulation) -> Iterator[None]:
    """What ends a run says how far it had come."""
    try:
        yield
    except HistoryError:
        raise
    except WfsimError as error:
        if simulation.now > 0:
            which = f"Replication {replication}" if plan.replications > 1 else "The simulation"
            error.args = (f"{error} {which} ended there, {short_time(simulation.now)} after it began.",)
        raise


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
