"""Stepping through one instance: what happened, what can happen now, back and forth. No widget is needed for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.errors import WfsimError, did_you_mean, listed
from wfsim.exploration.workflow_witness import WorkflowWitness, describe
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.duration import time_text
from wfsim.model.picture import edge_ids, picture
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import Record, records_of
from wfsim.semantics.stimulus import Stimulus

from .action import Action
from .actions import Actions, activity_name
from .child_actions import child_name, child_workflow

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from wfsim.drawing import Picture, Role
    from wfsim.history.case import Case
    from wfsim.model.values import Value
    from wfsim.semantics.pending import OpenChild

FORMAT_VERSION = 1
"""Version of the form of `Stepping.to_dict`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: the stimulus, its records (the cause first), and the instance after it."""

    title: str
    stimulus: Stimulus
    records: tuple[Record, ...]
    instance: Instance


@dataclass(frozen=True, slots=True)
class VariableValue:
    """A variable now and before the last step."""

    name: str
    type: str
    value: Value
    before: Value
    changed: bool


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
        its own outputs, and children can be opened and stepped themselves. A case of a history brings its own.

    Attributes
    ----------
    steps
        What happened, in order; those beyond `cursor` are the future that `forward` brings back.
    cursor
        How many of the steps have been taken.
    problem
        Why the last request could not be met; empty if it could.

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
        self._opened: dict[tuple[int, str], Stepping] = {}
        self._recorded: dict[str, Case] = {}
        self.steps: list[Step] = []
        self.cursor = 0
        self.problem = ""
        self._load(source, input)

    # --- going on, back and forth ----------------------------------------------------------------

    def possible(self) -> list[Action]:
        """Everything that could happen, with values it asks for and the reason where it cannot happen now."""
        return self._actions.of(self.instance, self._stepped(), self._sent())

    def do(self, action_id: str, /, **values: Value) -> bool:
        """Let something happen; a future that was gone back from is dropped.

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
            action = self._action(action_id)
            if not action.enabled:
                raise WfsimError(f"{action.label} cannot happen now: {action.reason}")
            stimulus = self._actions.stimulus(self.instance, action, values, self._stepped())
            step = self._happens(self.instance, stimulus)
        except WfsimError as error:
            self.problem = str(error)
            return False
        self.problem = ""
        self._append(step)
        return True

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
        self.problem = ""
        return True

    def load(
        self,
        source: Workflow | WorkflowWitness | Case | Instance,
        input: Mapping[str, Value] | None = None,
    ) -> bool:
        """Show something else, given as to the constructor; a witness or case is shown at its end.

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
        return child_workflow(self.instance, child) is not None or (
            self._catalogue is not None and child.workflow in self._catalogue
        )

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
        child = next((one for one in self.children if one.activation == activation), None)
        if child is None:
            shown = listed(f"{one.activation} ({child_name(one)})" for one in self.children)
            raise WfsimError(f"no child {activation} is open now. Open: {shown or 'none'}.")
        key = (activation, self._started_as(activation))
        if key not in self._opened and key[1] in self._recorded:
            self._opened[key] = Stepping(self._recorded[key[1]], catalogue=self._given)
        if key not in self._opened:
            workflow = child_workflow(self.instance, child)
            if workflow is None:
                if self._catalogue is None:
                    raise WfsimError(
                        f"the definition of {child.workflow!r} is not known here. Give the folder of the workflows: "
                        "catalogue='models'."
                    )
                workflow = self._catalogue.get(child.workflow, child.version)
            self._opened[key] = self._child(workflow, activation)
        return self._opened[key]

    def _child(self, workflow: Workflow, activation: int) -> Stepping:
        found = Stepping(Instance(compile_workflow(workflow, self._catalogue)), catalogue=self._catalogue)
        record = self._started_by(activation)
        if record is not None:
            inputs = record.payload.get("input", {})
            start = Stimulus("start", record.time, payload=inputs, sender=self.workflow.name)
            found._append(found._happens(found._first, start))
        return found

    def _started_by(self, activation: int) -> Record | None:
        """The record that says how a child was started; none if that lies before the first step."""
        found = (
            record
            for step in self.steps[: self.cursor]
            for record in step.records
            if record.kind == "child_started" and record.payload["activation"] == activation
        )
        return next(found, None)

    def _started_as(self, activation: int) -> str:
        """Tells children apart that have one number on different ways, after going back."""
        return str(self._started_by(activation))

    def _sent(self) -> dict[int, Record]:
        """Messages to others, by number, that have not come back."""
        found: dict[int, Record] = {}
        for step in self.steps[: self.cursor]:
            for record in step.records:
                if record.kind == "message_sent" and record.payload["to"] != "self":
                    found[record.payload["message_id"]] = record
                elif record.kind == "message_returned":
                    found.pop(record.payload["message_id"], None)
        return found

    def _stepped(self) -> dict[int, Instance]:
        found = {}
        for child in self.children:
            opened = self._opened.get((child.activation, self._started_as(child.activation)))
            if opened is not None:
                found[child.activation] = opened.instance
        return found

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
        now = self.instance.variables
        before = self._before.variables
        return [
            VariableValue(name, declared.type.value, now[name], before[name], not _same(now[name], before[name]))
            for name, declared in self._program.variables.items()
        ]

    @property
    def history(self) -> list[dict[str, Any]]:
        """For each step its `number`, `title`, `time` (microseconds) and `records` as text, all plain values."""
        return [
            {
                "number": number,
                "title": step.title,
                "time": step.instance.time,
                "records": [str(record).split(" ", 1)[1] for record in step.records[1:]],
            }
            for number, step in enumerate(self.steps, start=1)
        ]

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
            step or in flight, `problem` for the states of a failed or timed-out instance, `visited` for what was
            passed before.
        """
        edges = self._edge_ids
        roles: dict[str, Role] = {}
        for step in self.steps[: self.cursor]:
            for record in step.records:
                if record.kind == "state_entered" and record.state is not None:
                    roles[f"state:{record.state}"] = "visited"
                elif record.kind == "transition":
                    roles[edges[record.payload["transition"]]] = "visited"
                    roles[f"state:{record.state}"] = "visited"
        instance = self.instance
        if self.cursor:
            for record in self.steps[self.cursor - 1].records:
                if record.kind in ("transition", "transition_started"):
                    roles[edges[record.payload["transition"]]] = "active"
        for number in self._in_flight(instance):
            roles[edges[number]] = "active"
        here: Role = "problem" if instance.status in ("failed", "timed_out") else "active"
        for state in instance.configuration.values():
            roles[f"state:{state}"] = here
        return roles

    def to_svg(self) -> str:
        """The picture, lit. `DrawingError` if the workflow is too large to be drawn."""
        return self._picture.to_svg(self.lit())

    def to_dict(self, *, with_picture: bool = True) -> dict[str, Any]:
        """Everything shown, as plain values for JSON: what another front end needs.

        Parameters
        ----------
        with_picture
            Whether `picture` holds `Picture.to_dict()`, which never changes, or `None`.

        Raises
        ------
        DrawingError
            With the picture, if the workflow is too large to be drawn.
        """
        instance = self.instance
        return {
            "version": FORMAT_VERSION,
            "workflow": {"name": self.workflow.name, "version": self.workflow.version},
            "cursor": self.cursor,
            "n_steps": len(self.steps),
            "time": instance.time,
            "status": instance.status,
            "outcome": instance.outcome,
            "state": self.state,
            "in_flight": instance.in_flight,
            "waiting": instance.waiting(),
            "children": [
                {"activation": child.activation, "name": child_name(child), "state": child.state}
                | {"can_be_opened": self.can_open(child)}
                for child in self.children
            ],
            "variables": [
                {"name": each.name, "type": each.type, "value": each.value, "before": each.before}
                | {"changed": each.changed}
                for each in self.variables
            ],
            "actions": [_plain(action) for action in self.possible()],
            "history": self.history,
            "lit": dict(self.lit()),
            "problem": self.problem,
            "picture": self._picture.to_dict() if with_picture else None,
        }

    def __repr__(self) -> str:
        where = ", ".join(filter(None, self.state.values())) or "nowhere yet"
        return (
            f"<Stepping through {self.workflow.name!r}: {self.status} in {where}, "
            f"step {self.cursor} of {len(self.steps)}, time {time_text(self.instance.time)}>"
        )

    # --- inside ----------------------------------------------------------------------------------

    def _load(self, source: object, input: Mapping[str, Value] | None) -> None:
        from wfsim.history.case import Case
        from wfsim.history.runs import catalogue_of

        if input is not None and not isinstance(source, Workflow):
            raise WfsimError("input starts a new instance; give it together with a workflow.")
        stimuli: Iterable[Stimulus] = ()
        catalogue = self._given
        recorded: dict[str, Case] = {}
        if isinstance(source, Instance):
            first = source.copy()
        elif isinstance(source, Workflow):
            first = Instance(compile_workflow(source, catalogue))
        elif isinstance(source, WorkflowWitness):
            source.replay()
            first, stimuli = Instance(compile_workflow(source.workflow)), source.stimuli
        elif isinstance(source, Case):
            source.replay()
            first, stimuli = Instance(source.program, key=source.key), source.stimuli()
            catalogue = catalogue_of(source.run)
            children = {child.parent_activation: child for child in source.children}
            recorded = {
                str(record): children[record.payload["activation"]]
                for record in source.records()
                if record.kind == "child_started" and record.payload["activation"] in children
            }
        else:
            raise WfsimError(f"there is no stepping through a {type(source).__name__}. {_advice(source)}")
        actions = Actions(first.program)
        if isinstance(source, Workflow) and (input is not None or not any(one.required for one in actions.inputs())):
            stimuli = [Stimulus("start", payload=dict(input or {}))]
        steps: list[Step] = []
        instance = first
        for stimulus in stimuli:
            steps.append(self._happens(instance, stimulus))
            instance = steps[-1].instance
        self._opened, self._recorded, self._catalogue = {}, recorded, catalogue
        self._first, self.steps, self.cursor = first, steps, len(steps)
        self._program = first.program
        self._actions = actions
        self._picture = picture(first.program.workflow)
        self._edge_ids = edge_ids(first.program.workflow)

    def _happens(self, instance: Instance, stimulus: Stimulus) -> Step:
        twin = instance.copy()
        records = records_of(twin, twin.apply(stimulus))
        title = describe(twin, stimulus, records[0])
        for whole, name in _items(instance):
            if stimulus.activity_id == whole and stimulus.kind.startswith(("activity", "child")):
                title = f"{name}: {title}"
        return Step(title, stimulus, tuple(records), twin)

    def _append(self, step: Step) -> None:
        self.steps[self.cursor :] = [step]
        self.cursor += 1

    def _action(self, action_id: str) -> Action:
        actions = {action.id: action for action in self.possible()}
        if action_id not in actions:
            raise WfsimError(
                f"{action_id!r} is nothing that could happen now.{did_you_mean(action_id, actions)} "
                f"Possible: {listed([one.id for one in actions.values() if one.enabled]) or 'nothing'}."
            )
        return actions[action_id]

    @property
    def _before(self) -> Instance:
        return self.steps[self.cursor - 2].instance if self.cursor > 1 else self._first

    def _in_flight(self, instance: Instance) -> list[int]:
        program = instance.program
        cells = [instance.m[program.rows[program.region_rows[region]].slot] for region in instance.in_flight]
        return [program.transition_numbers[cell.flight] for cell in cells]


def _items(instance: Instance) -> Iterator[tuple[int, str]]:
    """The open activities and children that are for an item, by what their stimuli name, with their indices."""
    for activity in instance.activities():
        if activity.index is not None:
            yield activity.activity_id, activity_name(activity)
    for child in instance.children():
        if child.index is not None:
            yield child.activation, child_name(child)


def _plain(action: Action) -> dict[str, Any]:
    return {
        "id": action.id,
        "label": action.label,
        "kind": action.kind,
        "enabled": action.enabled,
        "reason": action.reason,
        "due": action.due,
        "parameters": [
            {
                "name": one.name,
                "type": one.type.value,
                "required": one.required,
                "default": one.default,
                "choices": list(one.choices),
                "only_choices": one.only_choices,
            }
            for one in action.parameters
        ],
    }


def _same(left: Value, right: Value) -> bool:
    return type(left) is type(right) and bool(left == right)


def _advice(source: object) -> str:
    from wfsim.net.petri import PetriNet
    from wfsim.verification.verdict import NetWitness, Verdict
    from wfsim.verification.workflows.conditions.witness import ValuesWitness

    if isinstance(source, Verdict):
        return "Give it the verdict's witness: wf.Stepper(verdict.witness)."
    if isinstance(source, (NetWitness, PetriNet)):
        return "It is about the tokens of a net: wf.TokenGame walks through it."
    if isinstance(source, ValuesWitness):
        return "It shows values that conditions read, not a run that leads to them: see its `values` and `outcomes`."
    return "Give it a workflow, a witness of wf.verify, a case of a history, or an instance."
