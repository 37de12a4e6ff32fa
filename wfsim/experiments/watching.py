"""Properties held against single runs, moment by moment, by the automata that the verifier searches with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.model.values import EvaluationFault
from wfsim.semantics.snapshot import Snapshot, take_snapshot
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
        pattern = PATTERNS[asked.name].model_validate(asked.options)
        return cls(asked, pattern, pattern.automaton())

    @property
    def shown(self) -> tuple[str, ...]:
        """The variables that it is about."""
        return tuple(dict.fromkeys(name for claim in self.automaton.claims for name in claim.variables))


@dataclass(frozen=True)
class Broken:
    """A property that a run has refuted, or on which a claim has no value (`fault`).

    Attributes
    ----------
    which
        Its place among those asked.
    told
        In words, where and how.
    """

    which: int
    told: str
    fault: bool = False


class Watch:
    """Watches instances of one program; what they share is kept once.

    Parameters
    ----------
    texts
        The table of texts of those instances.
    """

    def __init__(self, program: Program, texts: Texts, asked: Sequence[Asked]) -> None:
        self._asked = asked
        self._snapshots: list[Snapshot] = []
        self._moments = [
            Moments(program, texts, self._snapshots, each.automaton.claims, each.automaton.step) for each in asked
        ]

    def first(self) -> list[Memory]:
        """What is remembered of an instance that has not started."""
        return [moments.first for moments in self._moments]

    def see(self, memories: list[Memory], instance: Instance, output: Output) -> Broken | None:
        """Look at an instance after a step; `memories` are brought up to date."""
        number, happened = len(self._snapshots), happened_in(output)
        self._snapshots.append(take_snapshot(instance))
        for which, (asked, moments) in enumerate(zip(self._asked, self._moments)):
            try:
                memories[which] = memory = moments.after(memories[which], number, happened)
            except EvaluationFault as fault:
                told = f"A claim has no value in state '{instance.state}': {fault.kind}: {fault}"
                return Broken(which, told, fault=True)
            told = asked.pattern.told()
            told = told[0].upper() + told[1:]
            if memory[0] == BAD:
                return Broken(which, f"{told}, in state '{instance.state}'.")
            if instance.is_closed and memory[0] in asked.automaton.open:
                return Broken(which, f"{told}: the run ends in state '{instance.state}' ({instance.status}).")
        return None
