"""Stepping through one instance: what happened, what can happen now, back and forth. No widget is needed for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wfsim.errors import WfsimError, did_you_mean, listed
from wfsim.exploration.workflow_witness import WorkflowWitness, after, describe
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.duration import time_text
from wfsim.model.picture import edge_ids, shared_picture
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import records_of
from wfsim.semantics.stimulus import Stimulus

from .action import Action
from .actions import Actions
from .breakpoints import Breakpoints
from .children import Children
from .opening import opened
from .places import likeliest, places
from .telling import VariableValue, items, lit, sent, values, where_told
from .ways import Step, Ways

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from wfsim.drawing import Picture, Role
    from wfsim.history.case import Case
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.pending import OpenChild


class Stepping:
    """One instance, stepped by hand; what the stepper shows, without showing it.

    Parameters
    ----------
    source
        A workflow: a new instance. A witness of a verification, or a case of a history: what it tells, ready to be
        walked through. An instance: goes on from there, on a copy.
    input
        Inputs to start a workflow with. Without them an instance that needs none is started, and any other waits
        for `do("start", …)`.
    catalogue
        Where the workflows that it runs are found: a folder, or workflows. With it a child that is let succeed asks for
        its own outputs, and children can be opened and stepped themselves. A case of a history brings its own, and is
        drawn as the same workflow is placed here.

    Attributes
    ----------
    ways
        All ways that were gone; `steps` are those of the current one.
    cursor
        How many of the steps have been taken.
    problem
        Why the last request could not be met; empty if it could.
    why
        What a witness shows; empty for anything else.
    pace
        How long it takes until what is done happens, in microseconds. Without one it is a second, or until a timer is
        due if that comes first.
    earliest
        What is done happens no earlier, in microseconds: other instances have come so far.
    breakpoints
        Where `play` stops.
    stopped
        Why it has stopped.

    Raises
    ------
    WfsimError
        If there is no stepping through `source`.
    StartRefused
        If the inputs do not fit.
    ReplayError
        If a case does not replay.

    Examples
    --------
    >>> import wfsim as wf
    >>> stepping = Stepping(wf.new("minimal"))
    >>> [action.id for action in stepping.possible() if action.enabled][:2]
    ['event:finish', 'timer:workflow']
    >>> stepping.do("event:finish")
    True
    >>> stepping.state, stepping.status
    ({'': 'finished'}, 'completed')
    >>> stepping.back(), stepping.state
    (True, {'': 'waiting'})
    """

    def __init__(
        self,
        source: Workflow | WorkflowWitness | Case | Instance,
        input: Mapping[str, Value] | None = None,
        *,
        catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    ) -> None:
        self._given = None if catalogue is None else as_catalogue(catalogue)
        self._catalogue: Catalogue | None = None
        self.problem = ""
        self.pace: int | None = None
        self.earliest = 0
        self._load(source, input)

    # --- going on, back and forth ----------------------------------------------------------------

    @property
    def steps(self) -> list[Step]:
        """What happened, in order; those beyond `cursor` are the future that `forward` brings back."""
        return self.ways.current

    def possible(self) -> list[Action]:
        """Everything that could happen, with values it asks for and the reason where it cannot happen now."""
        found = self._actions.of(self.instance, self._stepped(), sent(self.steps[: self.cursor]))
        return [replace(each, at=tuple(places(self.instance, each, self._edge_ids))) for each in found]

    def do(self, action_id: str, /, **values: Value) -> bool:
        """Let something happen; a future that was gone back from is kept as another of the `ways`.

        Parameters
        ----------
        action_id
            One of `possible()`.
        values
            For its parameters, as values or as text; one that is left out takes its default.

        Returns
        -------
        bool
            Whether it happened. If not, nothing has changed and `problem` says why.
        """
        try:
            self.take(self.stimulus_of(action_id, values))
        except WfsimError as error:
            self.problem = str(error)
            return False
        self.problem = ""
        return True

    def stimulus_of(self, action_id: str, values: Mapping[str, Value]) -> Stimulus:
        """What `do` lets happen; `WfsimError` if it cannot, or values do not fit."""
        action = self._action(action_id)
        if not action.enabled:
            raise WfsimError(f"{action.label} cannot happen now: {action.reason}")
        found = self._actions.stimulus(self.instance, action, values, self._stepped())
        time = max(found.time, self.earliest)
        if self.pace is not None and action.kind not in ("start", "timer"):
            time = max(self.instance.time, self.earliest) + self.pace
        return replace(found, time=time)

    def take(self, stimulus: Stimulus) -> Step:
        """Let a stimulus happen, whatever it is; a start that does not fit raises `StartRefused`."""
        step = self._happens(self.instance, stimulus)
        self._append(step)
        return step

    def back(self) -> bool:
        """Go one step back; False at the beginning."""
        return self.jump(self.cursor - 1)

    def forward(self) -> bool:
        """Take the step that `back` left; False at the end."""
        return self.jump(self.cursor + 1)

    def jump(self, cursor: int) -> bool:
        """Go to after the first `cursor` steps; False, and `problem` says why, if there are not so many."""
        if not 0 <= cursor <= len(self.steps):
            self.problem = f"there is no step {cursor}: steps go from 0 to {len(self.steps)}."
            return False
        self.cursor = cursor
        self.problem = self.stopped = ""
        return True

    def take_way(self, number: int) -> bool:
        """Go to the end of another of the `ways`; False, and `problem` says why, if there are not so many."""
        if not 0 <= number < len(self.ways.all):
            self.problem = f"there is no way {number}: ways go from 0 to {len(self.ways.all) - 1}."
            return False
        self.ways.number = number
        return self.jump(len(self.steps))

    def play(self) -> bool:
        """One step of playing: forward, or at the end what comes to mind first; `stopped` says why to go no further.

        Playing stops at the end of what happened, where nothing but an operator could go on, and at a breakpoint.

        Returns
        -------
        bool
            Whether a step was taken.
        """
        before = self.instance
        is_known = self.forward()
        if not is_known:
            likely = likeliest(self.possible(), self.lit())
            if likely is None or not self.do(likely.id):
                self.stopped = self.problem or f"the end: the instance is {self.status}."
                self.problem = ""
                return False
        hit = self.breakpoints.hit(before, self.instance)
        self.stopped = "" if hit is None else f"stopped at the breakpoint {hit}."
        if not self.stopped and self.cursor == len(self.steps):
            if self.instance.is_closed:
                self.stopped = f"the end: the instance is {self.status}."
            elif is_known:
                self.stopped = "the end of what happened; from here on, playing is a guess."
        return True

    def load(
        self,
        source: Workflow | WorkflowWitness | Case | Instance,
        input: Mapping[str, Value] | None = None,
    ) -> bool:
        """Show something else, given as to the constructor; a witness from its beginning, a case at its end.

        Returns
        -------
        bool
            False, and `problem` says why, if that cannot be; then all stays as it was.
        """
        try:
            self._load(source, input)
        except WfsimError as error:
            self.problem = str(error)
            return False
        self.problem = ""
        return True

    # --- children --------------------------------------------------------------------------------

    @property
    def children(self) -> list[OpenChild]:
        """The children that are open now, with the activation that names each."""
        return self.instance.children()

    def can_open(self, child: OpenChild) -> bool:
        """Whether the definition of a child is known, so that it can be stepped itself."""
        return self._children.can_open(self.instance, child)

    def open_child(self, activation: int) -> Stepping:
        """The child that this activation started, to be stepped by hand; asking again gives the same one.

        It starts with the inputs that its parent gave; the child of a case of a history is the case that it was, at its
        end. Once it has ended, `do("child:<activation>:tell")` lets the
        parent know. Messages between them are shown in their records; they are sent by hand, as events.

        Raises
        ------
        WfsimError
            If no such child is open, or its workflow is not known.
        StartRefused
            If its inputs do not fit; in a real run its parent would be told that it has failed.
        """
        return self._children.open(self.instance, self.steps[: self.cursor], activation)

    def _begin(self, source: Case | Instance) -> Stepping:
        return Stepping(source, catalogue=self._catalogue if isinstance(source, Instance) else self._given)

    def _stepped(self) -> dict[int, Instance]:
        return self._children.stepped(self.instance, self.steps[: self.cursor])

    # --- what is shown ---------------------------------------------------------------------------

    @property
    def workflow(self) -> Workflow:
        """The definition."""
        return self._program.workflow

    @property
    def instance(self) -> Instance:
        """The instance at the cursor; not to be changed."""
        return self.steps[self.cursor - 1].instance if self.cursor else self._first

    @property
    def state(self) -> dict[str, str]:
        """The active (or ended) state of each region, by region path; the root's path is empty."""
        return self.instance.configuration

    @property
    def status(self) -> str:
        """`created`, `running`, `paused`, `completed`, …"""
        return self.instance.status

    @property
    def variables(self) -> list[VariableValue]:
        """All variables, in file order, with what the last step changed."""
        before = self.steps[self.cursor - 2].instance if self.cursor > 1 else self._first
        return values(before, self.instance)

    @property
    def catalogue(self) -> Catalogue | None:
        """Where the workflows that it runs are found."""
        return self._catalogue

    def witness(self) -> WorkflowWitness:
        """The steps up to the cursor, as a witness that replays and opens again.

        Raises
        ------
        WfsimError
            If it does not begin with a new instance, or runs workflows that a witness does not hold.
        """
        if self._first.status != "created":
            raise WfsimError("this does not begin with a new instance, so there is no way to begin it again.")
        steps = self.steps[: self.cursor]
        found = WorkflowWitness.of(self.workflow, [step.stimulus for step in steps], [step.title for step in steps])
        if steps and found.steps[-1].after != after(steps[-1].instance):
            raise WfsimError("it depends on the workflows that it runs, which are not kept with it.")
        return found

    @property
    def picture(self) -> Picture:
        """The picture of the workflow; computed once."""
        return self._picture

    def lit(self) -> dict[str, Role]:
        """What to light in the picture: where the instance is and was, and the last transitions.

        Returns
        -------
        dict
            For `Picture.to_svg(highlight=…)`: `active` for active states and for transitions taken in the last
            step or in flight, `problem` for the states of a failed or timed-out instance and, all the way through a
            witness, for the transitions at which it shows what is wrong, `visited` for what was passed before.
        """
        return lit(self.steps[: self.cursor], self.instance, self._edge_ids) | self._failing

    def to_svg(self) -> str:
        """The picture, lit. `DrawingError` if the workflow is too large to be drawn."""
        return self._picture.to_svg(self.lit())

    def __repr__(self) -> str:
        where = ", ".join(filter(None, self.state.values())) or "nowhere yet"
        return (
            f"<Stepping through {self.workflow.name!r}: {self.status} in {where}, "
            f"step {self.cursor} of {len(self.steps)}, time {time_text(self.instance.time)}>"
        )

    # --- inside ----------------------------------------------------------------------------------

    def _load(self, source: object, input: Mapping[str, Value] | None) -> None:
        found = opened(source, input, self._given)
        steps: list[Step] = []
        instance = found.first
        for stimulus in found.stimuli:
            steps.append(self._happens(instance, stimulus))
            instance = steps[-1].instance
        self._catalogue = found.catalogue
        self._children = Children(self._begin, found.recorded, found.catalogue)
        self._first, self.why = found.first, found.why
        self._program = found.first.program
        self._actions = Actions(found.first.program)
        self._picture = shared_picture(found.drawn)
        self._edge_ids = edge_ids(found.first.program.workflow)
        self._failing = where_told(steps[len(steps) - found.n_failing :], self._edge_ids) if found.n_failing else {}
        self.ways = Ways(steps)
        self.breakpoints = Breakpoints(found.first.program)
        self.cursor = 0 if found.from_start else len(steps)
        self.stopped = ""

    def _happens(self, instance: Instance, stimulus: Stimulus) -> Step:
        twin = instance.copy()
        records = records_of(twin, twin.apply(stimulus))
        title = describe(twin, stimulus, records[0])
        for whole, name in items(instance):
            if stimulus.activity_id == whole and stimulus.kind.startswith(("activity", "child")):
                title = f"{name}: {title}"
        return Step(title, stimulus, tuple(records), twin)

    def _append(self, step: Step) -> None:
        self.ways.go(self.cursor, step)
        self.cursor += 1

    def _action(self, action_id: str) -> Action:
        actions = {action.id: action for action in self.possible()}
        if action_id not in actions:
            raise WfsimError(
                f"{action_id!r} is nothing that could happen now.{did_you_mean(action_id, actions)} "
                f"Possible: {listed([one.id for one in actions.values() if one.enabled]) or 'nothing'}."
            )
        return actions[action_id]
