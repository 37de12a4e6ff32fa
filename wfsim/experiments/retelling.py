"""Stimuli of a run told again, without some of them or in another order, to an instance that takes what it can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.history.replay_case import stimulus_of
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import records_of
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.workflows.told import told_step
from wfsim.verification.workflows.watching import Asked, Broken, Watch

if TYPE_CHECKING:
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.kernel import Output

T = TypeVar("T")
MOST_TELLINGS = 10_000


@dataclass(frozen=True)
class Happening:
    """A stimulus, and what it is about by name: serial numbers are others once something before it is left out.

    Attributes
    ----------
    about
        The activity, or for the child of a state that state.
    """

    stimulus: Stimulus
    about: str | None = None


def happening_of(instance: Instance, output: Output) -> Happening:
    """What has just happened to an instance."""
    records = records_of(instance, output)
    stimulus, cause = stimulus_of(instance.program, records), records[0]
    return Happening(stimulus, cause.state if stimulus.kind == "child_closed" else cause.activity)


def fitted(instance: Instance, what: Happening) -> Stimulus | None:
    """The stimulus with the numbers and the time that it has for this instance; `None` if it cannot happen to it."""
    stimulus = replace(what.stimulus, time=max(what.stimulus.time, instance.time))
    kind = stimulus.kind
    if kind == "start":
        return None if instance.version else stimulus
    if not instance.version or instance.is_closed:
        return None
    if kind == "timer":
        names = {each.activity_id: each.activity for each in instance.activities()}
        timers = [each for each in instance.timers() if each.place == stimulus.timer]
        timers = [each for each in timers if each.activity_id is None or names.get(each.activity_id) == what.about]
        timer = _nearest(timers, lambda each: each.id == stimulus.timer_id)
        return None if timer is None else replace(stimulus, timer_id=timer.id, time=max(stimulus.time, timer.due))
    if kind == "child_closed":
        children = [each for each in instance.children() if each.state == what.about]
        child = _nearest(children, lambda each: each.activation == stimulus.activity_id)
        return None if child is None else replace(stimulus, activity_id=child.activation)
    if kind.startswith("activity_"):
        phases = ("scheduled",) if kind == "activity_started" else ("scheduled", "running")
        works = [each for each in instance.activities() if each.activity == what.about and each.phase in phases]
        work = _nearest(works, lambda each: each.activity_id == stimulus.activity_id)
        return None if work is None else replace(stimulus, activity_id=work.activity_id, attempt=work.attempt)
    return stimulus


def _nearest(found: Sequence[T], is_same: Callable[[T], bool]) -> T | None:
    """The same one if it is there, else the first."""
    return next(filter(is_same, found), next(iter(found), None))


@dataclass(frozen=True)
class Retold:
    """What came of stimuli told again: those that could happen, and what they broke."""

    happenings: tuple[Happening, ...]
    broken: Broken | None
    witness: WorkflowWitness | None = None


class Teller:
    """Tells stimuli to new instances of a workflow, and watches.

    Parameters
    ----------
    asked
        What is watched for.
    """

    def __init__(self, workflow: Workflow, asked: Sequence[Asked]) -> None:
        self._workflow = workflow
        # As a witness replays: alone, whatever it starts.
        self._program = compile_workflow(workflow)
        self._asked = asked

    def tell(self, happenings: Sequence[Happening], *, shown: Sequence[str] | None = None) -> Retold:
        """Tell them, up to what breaks; with the variables `shown`, as a witness too."""
        instance = Instance(self._program)
        watch = Watch(self._program, instance.texts, self._asked)
        memories = watch.first()
        taken, steps = [], []
        broken = None
        for each in happenings:
            stimulus = fitted(instance, each)
            if stimulus is None:
                continue
            output = instance.apply(stimulus)
            taken.append(replace(each, stimulus=stimulus))
            if shown is not None:
                steps.append(told_step(instance, stimulus, records_of(instance, output), shown))
            broken = next(iter(watch.see(memories, instance, output)), None)
            if broken is not None:
                break
        witness = None
        if shown is not None and broken is not None:
            stimuli = tuple(each.stimulus for each in taken)
            witness = WorkflowWitness(tuple(steps), self._workflow, stimuli, 0, tuple(shown))
        return Retold(tuple(taken), broken, witness)


def shortest(happenings: Sequence[Happening], tell: Callable[[Sequence[Happening]], Retold], which: int) -> Retold:
    """The shortest history that delta debugging finds which still breaks the property with the number `which`.

    No single stimulus can be left out of it, unless `MOST_TELLINGS` histories were told before that was known: of n
    stimuli O(n²) at worst, O(log n) at best.

    References
    ----------
    Zeller and Hildebrandt (2002), Simplifying and isolating failure-inducing input, IEEE Transactions on Software
    Engineering 28(2), 183-200: ddmin, with complements only, as few subsets of a history begin with its start.
    """
    best = tell(happenings)
    parts, n_told = 2, 0
    while n_told < MOST_TELLINGS:
        current = best.happenings
        size = -(-len(current) // parts)
        for begin in range(0, len(current), size):
            found = tell((*current[:begin], *current[begin + size :]))
            n_told += 1
            if found.broken is not None and found.broken.which == which and len(found.happenings) < len(current):
                best = found
                parts = max(parts - 1, 2)
                break
        else:
            if size <= 1:
                return best
            parts = min(2 * parts, len(current))
    return best
