"""Witnesses in workflow terms: stimuli that lead an instance where the search found it, and what they did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from typing import Any, NoReturn

from wfsim.errors import NotCovered, WfsimError
from wfsim.exploration.witness import WitnessStep
from wfsim.exploration.workflow_witness import WorkflowWitness, after, describe
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.program import Program
from wfsim.semantics.records import Record, records_of
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.workflows.edges import Edge, done_in
from wfsim.verification.workflows.space import WorkflowSpace

SECOND = 1_000_000


class NotReplayed(NotCovered):
    """A way that the search has found, as it has no clocks, cannot be gone in time."""


def witness_to(space: WorkflowSpace, number: int, *further: Stimulus) -> WorkflowWitness:
    """A shortest way to a state of the space, told with real serial numbers and times, and perhaps a bit further.

    State -1 lies before the start.
    """
    return witness_along(space, space.path_to(number), further=further)


def witness_along(
    space: WorkflowSpace,
    path: Sequence[Edge],
    *,
    loop: Sequence[Edge] = (),
    further: Sequence[Stimulus] = (),
    shown: Sequence[str] = (),
) -> WorkflowWitness:
    """A way through the space from the start, told with real serial numbers and times.

    Parameters
    ----------
    loop
        What leads from there back to there.
    further
        What happens after it.
    shown
        Variables whose values are told after each step.
    """
    stimuli: list[Stimulus] = []
    steps: list[WitnessStep] = []
    for instance, stimulus, output in in_time(space, [*path, *loop], further):
        stimuli.append(stimulus)
        steps.append(told_step(instance, stimulus, records_of(instance, output), shown))
    return WorkflowWitness(tuple(steps), space.program.workflow, tuple(stimuli), len(loop), tuple(shown))


def in_time(
    space: WorkflowSpace, path: Sequence[Edge], further: Sequence[Stimulus] = ()
) -> Iterator[tuple[Instance, Stimulus, Output]]:
    """A way through a space in one instance, with real serial numbers and times, step by step.

    Raises
    ------
    NotReplayed
        Where the instance comes elsewhere.
    """
    program = space.program
    instance = Instance(program)
    for edge in path:
        stimulus = _real(program, instance, edge.stimulus)
        output = instance.apply(stimulus)
        if _comparable(instance) != _comparable(space.instance(edge.target)):
            _refuse(program)
        yield instance, stimulus, output
    for each in further:
        stimulus = _real(program, instance, each)
        yield instance, stimulus, instance.apply(stimulus)


def done_in_time(space: WorkflowSpace, number: int, edge: Edge) -> Set[int]:
    """Rows of the transitions and states that an edge of a state takes and enters, if the way there replays."""
    path = [*space.path_to(number), edge]
    try:
        *_, (_, _, output) = in_time(space, path)
    except NotReplayed:
        return frozenset()
    return frozenset.union(*done_in(output))


def replays(space: WorkflowSpace, path: Sequence[Edge]) -> bool:
    """Whether a way can be gone in time; taken for granted where nothing reads the clock."""
    if not space.program.head.reads_clock:
        return True
    try:
        return len([*in_time(space, path)]) == len(path)
    except NotReplayed:
        return False


def _refuse(program: Program) -> NoReturn:
    """Say why a way does not replay."""
    if program.head.reads_clock:
        raise NotReplayed(
            "A violation was found, but the search lets every timer run out at any time or never, and found a way that "
            "does not replay in time: when a timer is due, a condition on `now` comes out otherwise."
        )
    if any(activity.schedule_to_close is not None for activity in program.activities.values()):
        raise NotReplayed(
            "A violation was found, but the search lets every clock run out at any moment or never, and found a way "
            "that does not replay in time: this happens where an activity would be tried again after its "
            "schedule_to_close. Take that clock out to have the question answered without it."
        )
    raise WfsimError("a witness does not lead where the search found it; this is a defect of wfsim.")


def _comparable(instance: Instance) -> Any:
    """What two instances share whose tables of texts, and so whose snapshots, differ."""
    return (
        instance.status,
        instance.configuration,
        instance.variables,
        instance.in_flight,
    )


def _real(program: Program, instance: Instance, stimulus: Stimulus) -> Stimulus:
    """The search numbers works and timers by place: give the numbers of this run, and times.

    Where nothing reads the clock the search has none; else it knows the times, but not when timers are due.
    """
    now = max(instance.time, stimulus.time) if program.head.reads_clock else instance.time
    # A second passes with each step, unless an activity's deadline runs: no retry must come too late for it.
    still = program.head.reads_clock or any(work.deadline >= 0 for work in instance.works())
    soon = now if still else now + SECOND
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
    return replace(stimulus, time=now if stimulus.kind == "start" else soon)


def told_step(
    instance: Instance, stimulus: Stimulus, records: Sequence[Record], shown: Sequence[str] = ()
) -> WitnessStep:
    """A step of a witness: a stimulus that an instance has taken, and the records that this gave."""
    detail: dict[str, Any] = {
        "time": stimulus.time / SECOND,
        "rows": [str(record).split(" ", 1)[1] for record in records[1:]],
    }
    if stimulus.payload:
        detail["payload"] = dict(stimulus.payload)
    return WitnessStep(describe(instance, stimulus, records[0]), detail, after(instance, shown))
