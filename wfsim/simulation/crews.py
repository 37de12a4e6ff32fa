"""Workers of a pool who are told apart: who is at work, what each can do, who is broken and until when.

Spells of work and repairs are drawn at (pool, worker, number of the spell). Nothing of this stands in the calendar,
where it would go on for ever: a worker is looked at when somebody asks for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple

from wfsim.semantics import draws

from . import quick, sampling
from .breakdowns import BreakdownPlan

NEVER = 2**62
"""When workers break down who never do."""


class Done(NamedTuple):
    """When work is done, or `breaks` off with its worker."""

    time: int
    breaks: bool = False


@dataclass
class _Worker:
    """One worker, as of when it was last looked at.

    `turns` is when it breaks down, or is repaired; `spell` the number of this spell of work; `since` from when on it
    has been ready for work: where only work wears it out, its clock stands still from then on until it has some.
    """

    turns: int
    works: bool = True
    spell: int = 1
    busy: bool = False
    since: int = 0


class Breakdowns:
    """How the workers of a pool break down; `key` selects their random numbers."""

    def __init__(self, plan: BreakdownPlan, key: int) -> None:
        self.every = plan.every.sampler()
        self.repair = plan.repair.sampler()
        self.always = plan.while_ == "always"
        self.fails = plan.work == "fails"
        self.key = key

    def works_for(self, number: int, spell: int) -> int:
        """How long a spell of work of a worker takes."""
        return sampling.whole(self.every.sample(quick.draw(self.key, draws.BREAKDOWN, spell, number)))

    def repaired_in(self, number: int, spell: int) -> int:
        """How long the repair takes that follows a spell of work."""
        return sampling.whole(self.repair.sample(quick.draw(self.key, draws.REPAIR, spell, number)))


class Crew:
    """The workers of a pool, of whom some may be broken, and not all can do the same.

    Parameters
    ----------
    skills
        Of each worker, as a set of bits.
    breakdowns
        How they break down, if they do.
    """

    def __init__(self, skills: Sequence[int], breakdowns: Breakdowns | None = None) -> None:
        self.skills = skills
        self.breakdowns = breakdowns
        numbers = range(len(skills))
        self._workers = [_Worker(NEVER if breakdowns is None else breakdowns.works_for(each, 1)) for each in numbers]

    def _as_of(self, time: int, number: int) -> _Worker:
        """What a worker will be at a time, if it neither takes work nor ends it."""
        worker, breaks = copy(self._workers[number]), self.breakdowns
        if breaks is None:
            return worker
        while worker.turns <= time and (breaks.always or worker.busy or not worker.works):
            if worker.works:
                worker.turns += breaks.repaired_in(number, worker.spell)
            else:
                worker.spell += 1
                worker.since = worker.turns
                worker.turns += breaks.works_for(number, worker.spell)
            worker.works = not worker.works
        return worker

    def _look(self, now: int, number: int) -> _Worker:
        worker = self._workers[number] = self._as_of(now, number)
        return worker

    def free(self, now: int, n: int, needs: int) -> int | None:
        """The first of so many workers who can take work now that needs these skills."""
        for number in range(n):
            able = not self._workers[number].busy and not needs & ~self.skills[number]
            if able and self._look(now, number).works:
                return number
        return None

    def ready(self, time: int, n: int, needed: Sequence[int]) -> int | None:
        """From when on, at that time or later, one of so many can take work of one of these needs.

        `None` if all who could are at work.
        """
        idle = (
            self._as_of(time, number)
            for number in range(n)
            if not self._workers[number].busy and any(not needs & ~self.skills[number] for needs in needed)
        )
        return min((time if worker.works else worker.turns for worker in idle), default=None)

    def begin(self, now: int, number: int) -> None:
        """A worker who is `free` takes work."""
        worker = self._workers[number]
        worker.busy = True
        if self.breakdowns is not None and not self.breakdowns.always:
            worker.turns += now - worker.since

    def end(self, now: int, number: int) -> None:
        """A worker's work is over."""
        worker = self._look(now, number)
        worker.busy, worker.since = False, now

    def done(self, now: int, number: int, work: int) -> Done:
        """When a worker who has just taken it has done so much work."""
        worker, breaks = self._workers[number], self.breakdowns
        turns, spell = worker.turns, worker.spell
        while breaks is not None and now + work > turns:
            if breaks.fails:
                return Done(turns, breaks=True)
            work -= turns - now
            now = turns + breaks.repaired_in(number, spell)
            spell += 1
            turns = now + breaks.works_for(number, spell)
        return Done(now + work)
