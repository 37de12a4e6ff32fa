"""The stepper: a workflow drawn and played by clicks on the drawing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wfsim.arguments import expect
from wfsim.errors import DrawingError, WfsimError
from wfsim.model.catalogue import as_catalogue
from wfsim.model.workflow import Workflow

from .meeting import Meeting
from .meeting_wire import MeetingWire
from .shown import Shown, played
from .stepper_wire import StepperWire
from .stepping import Stepping

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from wfsim.exploration.workflow_witness import WorkflowWitness
    from wfsim.history.case import Case
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.values import Value
    from wfsim.semantics.instance import Instance

    from .wire import Scene


class Stepper(Shown):
    """Step through a workflow in a notebook.

    Parameters
    ----------
    source
        A workflow, to play it by hand; a witness of `wf.verify`, from its beginning, or a case of a history, to walk
        through what happened; or an instance, to go on from there (on a copy). A Petri net, or a witness of a verdict
        on one, opens in a `TokenGame` instead. Workflows by id, or a list of them: an instance of each, which get the
        messages that they send each other.
    input
        Inputs to start a workflow with, of several by id; without them the stepper asks.
    catalogue
        Where the workflows that it runs are found, `"models"` say: then children can be opened and stepped as well.

    Attributes
    ----------
    stepping
        What it shows, as a plain object: `stepping.do("event:pay", amount=3)`. After using it directly, `refresh`.
        It is that of a child while a child is open here, and of several that of the one that is drawn.
    wire
        What its pages talk to: `wire.answer({"type": "hello", "seq": 1})`.
    widget
        The widget, for use inside boxes of ipywidgets.

    Raises
    ------
    WfsimError
        If there is no stepping through `source`.
    StartRefused
        If the inputs do not fit.
    ReplayError
        If a case does not replay.

    Notes
    -----
    State is held in Python; a page draws it and sends clicks. Where nothing can show widgets, a picture is shown that
    says in words where the instance is.

    Examples
    --------
    >>> import wfsim as wf
    >>> Stepper(wf.new("minimal"))
    <Stepper of 'minimal': running in waiting, step 1 of 1, time 0:00:00>
    """

    def __new__(cls, source: Any, *rest: Any, **options: Any) -> Any:
        """A net, and a witness of a verdict on one, open in a `TokenGame`."""
        from wfsim.net.petri import PetriNet
        from wfsim.verification.verdict import NetWitness

        if isinstance(source, (PetriNet, NetWitness)):
            from .token_game import TokenGame

            return TokenGame(source)
        return super().__new__(cls)

    def __init__(
        self,
        source: Workflow | WorkflowWitness | Case | Instance | Mapping[str, Workflow] | list[Workflow],
        input: Mapping[str, Any] | None = None,
        *,
        catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    ) -> None:
        self._wire: StepperWire | MeetingWire
        if isinstance(source, (Mapping, list)):
            for each in source.values() if isinstance(source, Mapping) else source:
                expect(each, Workflow, "several instances are of workflows", "Load them: wf.load(path).")
            members = source if isinstance(source, Mapping) else _called(source)
            known = None if catalogue is None else as_catalogue(catalogue)
            self._wire = MeetingWire(Meeting(members, input, catalogue=known))
        else:
            self._wire = StepperWire(Stepping(source, input, catalogue=catalogue))
        super().__init__("stepper", self._wire.wire)

    @property
    def stepping(self) -> Stepping:
        """What is shown."""
        return self._wire.stepping

    def load(
        self,
        source: Workflow | WorkflowWitness | Case | Instance,
        input: Mapping[str, Value] | None = None,
    ) -> bool:
        """Show something else; False, and the reason is shown, if that cannot be."""
        wire = self._of_one("nothing else is shown instead")
        if wire is None:
            return False
        root = wire.above[0][0] if wire.above else self.stepping
        loaded = root.load(source, input)
        if loaded:
            wire.show(root, [])
        self.refresh(root.problem)
        return loaded

    def open_child(self, activation: int) -> bool:
        """Show a child, to step it by hand; False, and the reason is shown, if that cannot be."""
        wire = self._of_one("children are not opened")
        if wire is None:
            return False
        try:
            wire.open_child(activation)
        except WfsimError as error:
            self.refresh(str(error))
            return False
        self.refresh()
        return True

    def close_child(self) -> bool:
        """Show the parent again; False if no child is shown."""
        if isinstance(self._wire, MeetingWire) or not self._wire.above:
            return False
        self._wire.close_child()
        self.refresh()
        return True

    def _of_one(self, not_done: str) -> StepperWire | None:
        if isinstance(self._wire, StepperWire):
            return self._wire
        self.refresh(f"this shows several instances that talk: {not_done}.")
        return None

    def seen(self) -> tuple[str, str]:
        """The drawing with the state of now lit, as SVG, and what it shows in words."""
        lit = self.stepping.lit()
        said = f"{repr(self)[1:-1]}. {self.stepping.picture.describe(lit)}"
        try:
            return self.stepping.to_svg(), said
        except DrawingError as error:
            return "", f"{repr(self)[1:-1]}. {error}"

    def frames(self) -> tuple[list[Scene], int]:
        """The scenes of all steps, and which is that of now."""
        return played(self.wire, self.jump)

    def jump(self, to: int) -> bool:
        """Go to after the first `to` steps; False if there are not so many."""
        player = self._wire.meeting if isinstance(self._wire, MeetingWire) else self.stepping
        done = player.jump(to)
        self.refresh(player.problem)
        return done

    def __repr__(self) -> str:
        told = repr(self.stepping).replace("<Stepping through", "<Stepper of", 1)
        if isinstance(self._wire, MeetingWire):
            told = told.replace(">", f"; with {', '.join(self._wire.meeting.present)}>")
        return told


def _called(workflows: Sequence[Workflow]) -> dict[str, Workflow]:
    """Workflows by name; a second instance of one is called `name 2`."""
    found: dict[str, Workflow] = {}
    for workflow in workflows:
        same = sum(each.name == workflow.name for each in found.values())
        found[f"{workflow.name} {same + 1}" if same else workflow.name] = workflow
    return found
