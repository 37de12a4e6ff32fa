"""What of a history a picture is about: one workflow, in some of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError, NothingToDraw, did_you_mean, listed
from wfsim.history.runs import NO_DEFINITION, definition_of, workflow_of
from wfsim.model.workflow import Workflow

if TYPE_CHECKING:
    from wfsim.history.history import History


@dataclass(frozen=True)
class Scope:
    """One workflow, and the runs of it that are looked at.

    Attributes
    ----------
    name, version
        What the history calls it.
    states
        Paths of its states, in the order of the definition; of an imported log its activities.
    runs
        Their numbers.
    where
        The SQL condition on rows of tables with codes, such as `cases` and `records`.
    views
        The same on rows of views, which name the workflow.
    """

    name: str
    version: str
    states: tuple[str, ...]
    runs: tuple[int, ...]
    where: str
    views: str
    _workflow: Workflow | None

    @property
    def is_log(self) -> bool:
        """Whether it was imported from a log: nothing says how its cases should go, and how well they ended."""
        return self._workflow is None

    @property
    def workflow(self) -> Workflow:
        """The definition that the history holds, or the one given.

        Raises
        ------
        NothingToDraw
            If the history was imported from a log.
        """
        if self._workflow is None:
            raise NothingToDraw(
                "this history was imported from a log, so there is no definition to draw. "
                "wf.discover(history) finds one; .sql('FROM dfg') has the edges."
            )
        return self._workflow


def states_of(history: History, definition: str) -> tuple[str, ...]:
    """The paths of the states of a definition of a history; of an imported log, which has none, its activities."""
    if definition == NO_DEFINITION:
        return tuple(name for (name,) in history.sql("SELECT name FROM state_names ORDER BY code").fetchall())
    return _paths(workflow_of(definition))


def _paths(workflow: Workflow) -> tuple[str, ...]:
    return tuple("/".join((*path, state.name)) for path, region in workflow.regions() for state in region.states)


def literal(text: str) -> str:
    """A text as it stands in SQL."""
    return "'" + text.replace("'", "''") + "'"


def scope_of(
    history: History, *, run: int | None = None, workflow: Workflow | str | None = None, steps: bool = True
) -> Scope:
    """The workflow that was run, or another by name, in all runs or one.

    Parameters
    ----------
    steps
        Whether transitions are needed, which the log level `aggregates` has not.

    Raises
    ------
    HistoryError
        If there is no such run or workflow, it has several versions or is not the one given, or the log level keeps no
        transitions.
    """
    runs = [one for one in history.runs if run is None or one.run == run]
    if not runs:
        raise HistoryError(f"there is no run {run}. Runs: {listed(str(one.run) for one in history.runs)}.")
    if steps and any(one.log == "aggregates" for one in runs):
        raise NothingToDraw(
            "the log level 'aggregates' keeps no transitions; simulate with log='transitions' or 'full'."
        )
    name = workflow.name if isinstance(workflow, Workflow) else workflow
    places = [
        (one.run, number, each)
        for one in runs
        for number, each in enumerate(one.workflows)
        if (number == 0 if name is None else each.name == name)
    ]
    if not places:
        names = sorted({each.name for one in runs for each in one.workflows})
        raise HistoryError(
            f"there is no workflow {name!r} in this history. Workflows: {', '.join(names)}."
            f"{did_you_mean(str(name), names)}"
        )
    definition = places[0][2].definition
    if any(each.definition != definition for _, _, each in places):
        told = sorted({f"{each.name} {each.version}" for _, _, each in places})
        raise HistoryError(f"the runs are of different workflows: {', '.join(told)}. Name one run: run={runs[0].run}.")
    if isinstance(workflow, Workflow) and definition_of(workflow) != definition:
        raise HistoryError(
            f"{name} {workflow.version} is not what was run: the history has another definition of {name} "
            f"{places[0][2].version}. Give its name instead: workflow={name!r}."
        )
    pairs = ", ".join(f"({number_of_run}, {number})" for number_of_run, number, _ in places)
    named = {
        (of, number): label
        for of, number, label in history.sql(
            f"SELECT run, number, workflow FROM workflow_names WHERE (run, number) IN ({pairs})"
        ).fetchall()
    }
    labels = ", ".join(f"({of}, {literal(named[of, number])})" for of, number, _ in places)
    known = workflow if isinstance(workflow, Workflow) else None
    if known is None and definition != NO_DEFINITION:
        known = workflow_of(definition)
    return Scope(
        places[0][2].name,
        places[0][2].version,
        states_of(history, definition) if known is None else _paths(known),
        tuple(of for of, _, _ in places),
        f"(run, workflow) IN ({pairs})",
        f"(run, workflow) IN ({labels})",
        known,
    )
