"""What happened to an instance, told in a few words, and stimuli that lead where a search has been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from wfsim.errors import WfsimError
from wfsim.exploration.witness import Witness
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import Record
from wfsim.semantics.snapshot import take_snapshot
from wfsim.semantics.stimulus import Stimulus


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


def describe(instance: Instance, stimulus: Stimulus, cause: Record) -> str:
    """A stimulus in a few words."""
    if stimulus.kind == "event":
        payload = ", ".join(f"{name}={value!r}" for name, value in stimulus.payload.items() if value is not None)
        return f"event {stimulus.event}({payload})" if payload else f"event {stimulus.event}"
    if stimulus.kind == "timer":
        name = str(cause.payload.get("timer", "timer"))
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
