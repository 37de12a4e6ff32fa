"""The lab: a workflow under other settings, with sliders, live charts and verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chart_picture import picture
from .lab_wire import LabWire
from .shown import Shown
from .tuning import Tuning

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from wfsim.history.history import History
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.workflow import Workflow
    from wfsim.simulation.scenario import Scenario

    from .tuning import Pin


class Lab(Shown):
    """Turn a workflow and its scenario in a notebook, and see at once what that does.

    Sliders are built from the scenario and the definition: who comes, how many workers there are, how long things take
    and may take, how they fail, an outage. Each setting is simulated beside, the newest only: first a quick look, then
    the whole scenario, then at least five replications. All draw the same random numbers, so that what changes is not
    chance. What is proved is asked anew where a limit was turned.

    Parameters
    ----------
    workflow
        What is tuned; it stays as it is.
    scenario
        What its surroundings do, or the path of its file; without one `wf.default_scenario(workflow)`.
    catalogue
        Where the workflows that it starts are found, as for `wf.simulate`.

    Attributes
    ----------
    tuning
        What it shows, as a plain object: `tuning.turn("pools.packers.capacity", 6)`, `tuning.wait()`. After using it
        directly, `refresh`.
    wire
        What its pages talk to: `wire.answer({"type": "hello", "seq": 1})`.
    widget
        The widget, for use inside boxes of ipywidgets.

    Raises
    ------
    TypeError, ScenarioError, CatalogueError
        If these are no workflow and scenario, or do not go together.

    Notes
    -----
    The last answer is `wf.simulate(lab.workflow, lab.scenario, replications=5)`, with more if the scenario says so.
    Each answer that is shown or pinned is a history on disk.

    Examples
    --------
    >>> import wfsim as wf
    >>> lab = Lab(wf.new("approval"), wf.default_scenario(wf.new("approval")).changed(cases=20))
    >>> lab.tuning.turn("arrivals.poisson", "90/h")
    >>> lab.tuning.wait().said
    '100 cases in 5 replications'
    >>> lab
    <Lab of approval: arrivals.poisson: 1/m → 1.5/m; 100 cases in 5 replications>
    """

    def __init__(
        self,
        workflow: Workflow,
        scenario: Scenario | str | os.PathLike[str] | None = None,
        *,
        catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    ) -> None:
        self.tuning = Tuning(workflow, scenario, catalogue)
        self.lab = LabWire(self.tuning)
        super().__init__("lab", self.lab)

    @property
    def scenario(self) -> Scenario:
        """The scenario as it is turned now; `ScenarioError` if the values do not go together."""
        return self.tuning.settings.scenario

    @property
    def workflow(self) -> Workflow:
        """The workflow as it is turned now, with the comments of its file."""
        return self.tuning.settings.version.sourced()

    @property
    def history(self) -> History:
        """What happened in the run that is shown; `HistoryError` if there is none yet."""
        return self.tuning.history

    @property
    def pinned(self) -> Mapping[str, Pin]:
        """What is pinned, by name: each with its `scenario`, `workflow` and `history`."""
        return {pin.name: pin for pin in self.tuning.pins}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the scenario as YAML, with what differs from the original as a comment.

        Raises
        ------
        ScenarioError
            If the values do not go together, or it cannot be written.
        """
        self.tuning.save(path)

    def seen(self) -> tuple[str, str]:
        """The charts as SVG, empty before the first figures, and what they show in words."""
        drawn = self.lab.charts()
        words = [repr(self)[1:-1]]
        for chart in drawn:
            if chart["kind"] == "bars":
                told = [f"{row['label']} {mark['value']}" for row in chart["rows"] for mark in row["marks"][:1]]
                words.append(f"{chart['title']}: {', '.join(told) or 'nothing'}")
        names = {run["place"]: run["name"] for run in self.lab.to_show()["runs"]}
        return picture(drawn, names) if drawn else "", ". ".join(words)

    def __repr__(self) -> str:
        tuning = self.tuning
        trial = tuning.trial
        told = trial.said if trial.figures is not None else "no figures yet"
        stale = ", of earlier settings" if tuning.stale and trial.figures is not None else ""
        return f"<Lab of {tuning.bench.workflow.name}: {tuning.settings}; {told}{stale}>"
