"""Witnesses in workflow terms: stimuli that lead an instance where the search found it, and what they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from wfsim.errors import NotCovered, WfsimError
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.program import Program
from wfsim.semantics.records import Record, records_of
from wfsim.semantics.snapshot import take_snapshot
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.verdict import Witness, WitnessStep
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.space import WorkflowSpace

SECOND = 1_000_000


class NotReplayed(NotCovered):
    """A way that the search has found, as it has no clocks, cannot be gone in time."""


@dataclass(frozen=True)
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
            after = _after(instance, self.shown)
            if after != told.after:
                raise WfsimError(f"the witness does not replay at {told.action!r}: {after}, not {told.after}.")
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


def witness_to(space: WorkflowSpace, number: int, *further: Stimulus) -> WorkflowWitness:
    """A shortest way to a state of the space, told with real serial numbers and times, and perhaps a bit further.

    State -1 lies before the start.
    """
    return witness_along(space, space.path_to(number), number, further=further)


def witness_along(
    space: WorkflowSpace,
    path: Sequence[Edge],
    number: int,
    *,
    loop: Sequence[Edge] = (),
    further: Sequence[Stimulus] = (),
    shown: Sequence[str] = (),
) -> WorkflowWitness:
    """A way to a state of the space, told with real serial numbers and times.

    Parameters
    ----------
    loop
        What leads from there back to there.
    further
        What happens after it.
    shown
        Variables whose values are told after each step.
    """
    program = space.program
    instance = Instance(program)
    stimuli: list[Stimulus] = []
    steps: list[WitnessStep] = []
    for stimulus in [*(edge.stimulus for edge in path), *(edge.stimulus for edge in loop), *further]:
        real = _real(program, instance, stimulus)
        output = instance.apply(real)
        stimuli.append(real)
        steps.append(_step(instance, real, records_of(instance, output), shown))
        if len(stimuli) not in (len(path), len(path) + len(loop)):
            continue
        if _comparable(instance) != _comparable(space.instance(number)):
            if any(activity.schedule_to_close is not None for activity in program.activities.values()):
                raise NotReplayed(
                    "the search lets every clock run out at any moment or never, and found a way that does not replay "
                    "in time: this happens where an activity would be tried again after its schedule_to_close. Take "
                    "that clock out to have the question answered without it."
                )
            raise WfsimError("a witness does not lead where the search found it; this is a defect of wfsim.")
    return WorkflowWitness(tuple(steps), program.workflow, tuple(stimuli), len(loop), tuple(shown))


def _comparable(instance: Instance) -> Any:
    """What two instances share whose tables of texts, and so whose snapshots, differ."""
    return (
        instance.status,
        instance.configuration,
        instance.variables,
        instance.in_flight,
    )


def _real(program: Program, instance: Instance, stimulus: Stimulus) -> Stimulus:
    """The search numbers works and timers by place and has no time: give the numbers and times of this run."""
    now = instance.time
    # A second passes with each step, unless an activity's deadline runs: no retry must come too late for it.
    soon = now if any(work.deadline >= 0 for work in instance.works()) else now + SECOND
    if stimulus.kind == "timer":
        if stimulus.timer >= program.head.first_clock:
            number, over_all = divmod(stimulus.timer_id - program.head.n_timers - 1, 2)
            work = instance.works()[number]
            timer_id, due = (work.deadline_id, work.deadline) if over_all else (work.due_id, work.due)
        else:
            cell = instance.m[stimulus.timer]
            timer_id, due = cell.id, cell.due
        return replace(stimulus, timer_id=timer_id, time=max(now, due))
    if stimulus.kind == "child_closed":
        # A rebuilt instance numbers activations by region, and those of items by their works.
        behind = stimulus.activity_id - program.head.n_regions
        if behind > 0:
            return replace(stimulus, activity_id=instance.works()[behind - 1].serial, time=soon)
        region = program.rows[program.head.first_region + stimulus.activity_id - 1]
        return replace(stimulus, activity_id=instance.m[region.slot].activation, time=soon)
    if stimulus.kind.startswith("activity_"):
        work = instance.works()[stimulus.activity_id - 1]
        later = now if stimulus.kind == "activity_started" else soon
        return replace(stimulus, activity_id=work.serial, attempt=work.attempt, time=later)
    return replace(stimulus, time=0 if stimulus.kind == "start" else soon)


def _step(instance: Instance, stimulus: Stimulus, records: Sequence[Record], shown: Sequence[str] = ()) -> WitnessStep:
    detail: dict[str, Any] = {
        "time": stimulus.time / SECOND,
        "rows": [str(record).split(" ", 1)[1] for record in records[1:]],
    }
    if stimulus.payload:
        detail["payload"] = dict(stimulus.payload)
    return WitnessStep(describe(instance, stimulus, records[0]), detail, _after(instance, shown))


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


def _after(instance: Instance, shown: Sequence[str] = ()) -> dict[str, Any]:
    after: dict[str, Any] = {"state": instance.state}
    if instance.status != "running":
        after["status"] = instance.status
    if instance.in_flight:
        after["in flight"] = ", ".join(instance.in_flight.values())
    values = instance.variables if shown else {}
    return after | {f"context.{name}": values[name] for name in shown}
