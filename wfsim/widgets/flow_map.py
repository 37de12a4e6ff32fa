"""The process map: what flowed through a workflow, on its drawing, down to single cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.arguments import expect
from wfsim.errors import DrawingError

from .flow_wire import FlowWire, Side
from .shown import Shown

if TYPE_CHECKING:
    from wfsim.analytics.flows import Flows, Measure
    from wfsim.history.history import History
    from wfsim.model.workflow import Workflow


class FlowMap(Shown):
    """A process map in a notebook.

    Widths and shades say how often, how long, how long is waited for workers, what is tried anew and what runs out of
    time; a slider leaves rare paths out. A click on an arrow or a state shows the SQL behind it and its cases, the
    longest first, and each opens in a stepper.

    Parameters
    ----------
    history
        A history at log level `full` or `transitions`; cases open in the stepper at `full`.
    against
        Another history of the same workflow, or the number of another run of this one: shades say by how much the
        shares of cases differ.
    run
        Only this run; all runs together if not given.
    workflow
        Of which workflow: the one that was run, if not given, or one that it started, by name; or the workflow itself,
        which is then drawn as a person has placed it.

    Attributes
    ----------
    wire
        What its pages talk to: `wire.answer({"type": "hello", "seq": 1})`.
    widget
        The widget, for use inside boxes of ipywidgets.

    Raises
    ------
    HistoryError
        If there is no such run or workflow, if the log level keeps no transitions, or the two histories are of
        different workflows.

    Examples
    --------
    >>> import wfsim as wf
    >>> history = wf.simulate(wf.new("approval"), cases=20, progress=False)
    >>> wf.FlowMap(history)
    <FlowMap of approval: how often; 20 cases>
    """

    def __init__(
        self,
        history: History,
        against: History | int | None = None,
        *,
        run: int | None = None,
        workflow: Workflow | str | None = None,
    ) -> None:
        from wfsim.history.history import History

        expect(history, History, "FlowMap takes a history", "wf.simulate makes one, wf.open_history opens one.")
        other = None
        if isinstance(against, int):
            other = Side(history, against, workflow)
        elif against is not None:
            expect(against, History, "FlowMap takes a history to compare with", "Or the number of another run.")
            other = Side(against, None, workflow)
        self.flow = FlowWire(Side(history, run, workflow), other)
        super().__init__("flow_map", self.flow)

    @property
    def flows(self) -> Flows:
        """The numbers that are shown."""
        return self.flow.flows

    def show(self, measure: Measure | None = None, *, share: float | None = None) -> None:
        """Show another measure, or more or fewer of the paths; as its buttons do.

        Raises
        ------
        HistoryError
            For an unknown measure.
        WfsimError
            For a share that is none.
        """
        self.flow.show(measure, None if share is None else round(100 * share))
        self.refresh()

    def seen(self) -> tuple[str, str]:
        """The map as SVG, empty if it cannot be drawn, and what it shows in words."""
        picture = self.flow.picture()
        said = f"{repr(self)[1:-1]}. {picture.describe({})}"
        try:
            return picture.to_svg(), said
        except DrawingError as error:
            return "", f"{repr(self)[1:-1]}. {error}"

    def __repr__(self) -> str:
        return f"<FlowMap of {self.flow.flows.workflow.name}: {self.flow.said()}>"
