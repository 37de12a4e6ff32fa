"""What happened to an instance, told in a few words, and stimuli that lead where a search has been."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from wfsim.errors import WfsimError
from wfsim.exploration.witness import Witness, WitnessStep
from wfsim.model.functions import Python
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import dumps, loads
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.pending import timer_told
from wfsim.semantics.records import Record
from wfsim.semantics.snapshot import take_snapshot
from wfsim.semantics.stimulus import STIMULI, Stimulus

FORMAT = "wfsim witness 1"
"""Tells the files of `WorkflowWitness.dumps` from others."""


@dataclass(frozen=True, repr=False)
class WorkflowWitness(Witness):
    """Stimuli from the start on; they replay on `step` and open in the stepper.

    Attributes
    ----------
    loop
        How many of the last steps can be repeated for ever: after them the instance is as it was before them.
    shown
        Variables whose values are told after each step, as what is asked is about them.
    """

    kind: ClassVar[str] = "workflow"

    workflow: Workflow = field(repr=False)
    stimuli: tuple[Stimulus, ...] = ()
    loop: int = 0
    shown: tuple[str, ...] = ()

    def replay(self) -> list[Instance]:
        """Apply the stimuli to a new instance: the instance after each, and as the last the one in question.

        Raises
        ------
        WfsimError
            If what happens differs from what the witness tells, or what is to be repeated does not lead back.
        """
        program = compile_workflow(self.workflow)
        instance = Instance(program)
        passed = []
        for stimulus, told in zip(self.stimuli, self.steps):
            instance = instance.copy()
            instance.apply(stimulus)
            found = after(instance, self.shown)
            if found != told.after:
                raise WfsimError(f"the witness does not replay at {told.action!r}: {found}, not {told.after}.")
            passed.append(instance)
        if self.loop and take_snapshot(passed[-1]) != take_snapshot(passed[-1 - self.loop]):
            raise WfsimError(f"the last {self.loop} steps of the witness do not lead back to where they began.")
        return passed

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "workflow": self.workflow.name,
            "version": self.workflow.version,
            "loop": self.loop,
            "steps": [step.to_dict() for step in self.steps],
        }

    @classmethod
    def of(cls, workflow: Workflow, stimuli: Sequence[Stimulus], titles: Sequence[str]) -> WorkflowWitness:
        """A witness of what these stimuli do to a new instance, each called by its title."""
        instance = Instance(compile_workflow(workflow))
        steps = []
        for stimulus, title in zip(stimuli, titles, strict=True):
            instance.apply(stimulus)
            steps.append(WitnessStep(title, {"time": stimulus.time / 1e6}, after(instance)))
        return cls(tuple(steps), workflow, tuple(stimuli))

    def dumps(self) -> str:
        """The witness with its workflow as JSON, for `loads`."""
        stimuli = [asdict(stimulus) for stimulus in self.stimuli]
        plain = asdict(Stimulus(""))
        told = [{name: value for name, value in each.items() if value != plain[name]} for each in stimuli]
        content: dict[str, Any] = {"format": FORMAT, "reason": self.reason, "loop": self.loop}
        content |= {"titles": [step.action for step in self.steps], "stimuli": told}
        content["definition"] = dumps(self.workflow)
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def loads(cls, text: str, *, functions: Mapping[str, Python] | None = None) -> WorkflowWitness:
        """Read what `dumps` has written; it opens in the stepper.

        Parameters
        ----------
        functions
            Functions in Python that its workflow declares (M14.5): the file holds none.

        Raises
        ------
        WfsimError
            If the text is no such file, or its definition cannot be loaded.
        """
        try:
            found = _FILE.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the text"
            raise WfsimError(f"this is no file of a witness: {where}: {first['msg']}.") from None
        if found.format != FORMAT:
            raise WfsimError(f"this is no file of a witness: its format is {found.format!r}, not {FORMAT!r}.")
        if len(found.titles) != len(found.stimuli) or any(each.kind not in STIMULI for each in found.stimuli):
            raise WfsimError(
                "this is no file of a witness: each of its stimuli has a title, and is of a kind that there is "
                f"({', '.join(STIMULI)})."
            )
        whole = cls.of(loads(found.definition, functions=functions), found.stimuli, found.titles)
        return cls(whole.steps, whole.workflow, whole.stimuli, found.loop, reason=found.reason)


@dataclass(frozen=True)
class _File:
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    format: str
    reason: str
    definition: str
    stimuli: list[Stimulus]
    loop: int
    titles: list[str]


_FILE = TypeAdapter(_File)


def describe(instance: Instance, stimulus: Stimulus, cause: Record) -> str:
    """A stimulus in a few words."""
    if stimulus.kind == "event":
        payload = ", ".join(f"{name}={value!r}" for name, value in stimulus.payload.items() if value is not None)
        return f"event {stimulus.event}({payload})" if payload else f"event {stimulus.event}"
    if stimulus.kind == "timer":
        program = instance.program
        state = program.state_rows.get(cause.state or "", -1)
        name = timer_told(program, stimulus.timer, state)
        owner = f" of {cause.activity}" if cause.activity else f" in {cause.state}" if cause.state else ""
        return f"timer {name}{owner} fires"
    if stimulus.kind == "start":
        inputs = ", ".join(f"{name}={value!r}" for name, value in stimulus.payload.items())
        return f"start({inputs})"
    if stimulus.kind == "control":
        return f"operator: {stimulus.command}"
    if stimulus.kind == "child_closed":
        how = stimulus.status if stimulus.outcome is None else f"{stimulus.status} ({stimulus.outcome})"
        return f"the child of {cause.state} closes: {how}"
    word = stimulus.kind.removeprefix("activity_")
    if word == "failed":
        message = f" ({stimulus.message!r})" if stimulus.message is not None else ""
        return f"{cause.activity} fails: {stimulus.error_type}{message}"
    result = f" with {stimulus.result!r}" if word == "succeeded" and stimulus.result is not None else ""
    return f"{cause.activity} {'starts' if word == 'started' else 'succeeds'}{result}"


def after(instance: Instance, shown: Sequence[str] = ()) -> dict[str, Any]:
    """Where an instance is after a step, and the variables shown."""
    told: dict[str, Any] = {"state": instance.state}
    if instance.status != "running":
        told["status"] = instance.status
    if instance.in_flight:
        told["in flight"] = ", ".join(instance.in_flight.values())
    values = instance.variables if shown else {}
    return told | {f"context.{name}": values[name] for name in shown}
