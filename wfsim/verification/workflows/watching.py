"""Properties held against single runs, moment by moment, by the automata that the verifier searches with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.model.duration import Duration
from wfsim.model.values import EvaluationFault
from wfsim.semantics.snapshot import take_snapshot
from wfsim.verification.workflows.edges import happened_in
from wfsim.verification.workflows.patterns import BAD, PATTERNS, Automaton, Pattern
from wfsim.verification.workflows.runs import Memory, Moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.program import Program
    from wfsim.semantics.texts import Texts
    from wfsim.verification.property import Property


@dataclass(frozen=True)
class Asked:
    """A property of runs, and the automaton that watches for it."""

    question: Property
    pattern: Pattern
    automaton: Automaton

    @classmethod
    def of(cls, asked: Property) -> Asked:
        """A property by its pattern."""
        return cls.by(asked, PATTERNS[asked.name].model_validate(asked.options))

    @classmethod
    def by(cls, asked: Property, pattern: Pattern) -> Asked:
        """A property by one of the patterns that it comes to."""
        return cls(asked, pattern, pattern.automaton())

    @property
    def shown(self) -> tuple[str, ...]:
        """The variables that it is about."""
        return tuple(dict.fromkeys(name for claim in self.automaton.claims for name in claim.variables))

    @property
    def told(self) -> str:
        """What refutes it, as the begin of a sentence."""
        told = self.pattern.told()
        return told[0].upper() + told[1:]


@dataclass(slots=True)
class Seen:
    """What is remembered of one instance for one property.

    Attributes
    ----------
    memory
        Of its automaton.
    since
        When something came to be owed that still is, in microseconds.
    over
        Whether it is refuted, or has no value: nothing more is to be seen.
    """

    memory: Memory
    since: int | None = None
    over: bool = False


@dataclass(frozen=True)
class Broken:
    """A property that a run has refuted, or on which a claim has no value (`fault`).

    Attributes
    ----------
    which
        Its place among those asked.
    told
        In words, where and how.
    due
        When what did not come in time was due, in microseconds.
    """

    which: int
    told: str
    fault: bool = False
    due: int | None = None


class Watch:
    """Watches instances of one program; what they share is kept once, and does not grow with their steps.

    Parameters
    ----------
    texts
        The table of texts of those instances.
    """

    def __init__(self, program: Program, texts: Texts, asked: Sequence[Asked]) -> None:
        self.asked = tuple(asked)
        self._moments = [Moments(program, texts, (), each.automaton.claims, each.automaton.step) for each in self.asked]

    def first(self) -> list[Seen]:
        """What is remembered of an instance that has not started."""
        return [Seen(moments.first) for moments in self._moments]

    def see(self, seen: list[Seen], instance: Instance, output: Output) -> list[Broken]:
        """Look at an instance after a step; what was `seen` of it is brought up to date.

        Each property is refuted once.
        """
        # What was due before this step did not come in time, whatever the step brings.
        broken = self.late(seen, instance, instance.time)
        happened, snapshot = happened_in(output), take_snapshot(instance)
        for which, (asked, moments, own) in enumerate(zip(self.asked, self._moments, seen)):
            if own.over:
                continue
            try:
                own.memory = moments.see(own.memory, snapshot, happened)
            except EvaluationFault as fault:
                told = f"A claim has no value in state '{instance.state}': {fault.kind}: {fault}"
                broken.append(Broken(which, told, fault=True))
                own.over = True
                continue
            owes = own.memory[0] in asked.automaton.open
            own.since = (instance.time if own.since is None else own.since) if owes else None
            if own.memory[0] == BAD:
                broken.append(Broken(which, f"{asked.told}, in state '{instance.state}'."))
            elif instance.is_closed and owes:
                told = f"{asked.told}: the run ends in state '{instance.state}' ({instance.status})."
                broken.append(Broken(which, told))
            else:
                continue
            own.over = True
        return sorted(broken, key=lambda each: each.which)

    def late(self, seen: list[Seen], instance: Instance, now: int) -> list[Broken]:
        """What an instance owed, and what had not come by when it was due; `now` in microseconds."""
        broken = []
        for which, (asked, own) in enumerate(zip(self.asked, seen)):
            due = self.due(which, own)
            if due is not None and now > due:
                within = Duration(asked.automaton.within or 0).spelled()
                told = f"{asked.told} within {within}, in state '{instance.state}'."
                broken.append(Broken(which, told, due=due))
                own.over = True
        return broken

    def due(self, which: int, own: Seen) -> int | None:
        """Until when a property must have come, in microseconds; `None`: nothing is owed, or it has time."""
        within = self.asked[which].automaton.within
        return None if within is None or own.since is None or own.over else own.since + within
