"""Workers who break down and are repaired, each by a clock of its own.

Spells of work and repairs are drawn at (pool, worker, number of the spell). Nothing of this stands in the calendar,
where it would go on for ever: a worker is looked at when somebody asks for one.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, model_validator

from wfsim.model.duration import Duration
from wfsim.semantics import draws

from . import sampling
from .distributions import Delay, Part

SHORTEST = 1_000
"""Microseconds that half of the spells must last: who breaks down more often could not be followed."""


class BreakdownPlan(Part):
    """Workers work for a time drawn from `every`, are broken for one drawn from `repair`, and so on.

    `while` says when the first one passes: always, or only while they are busy. What they work on `resumes` after the
    repair, or fails.
    """

    model_config = ConfigDict(populate_by_name=True)

    every: Delay
    repair: Delay
    while_: Literal["always", "busy"] = Field(default="always", alias="while")
    work: Literal["resumes", "fails"] = "resumes"

    @model_validator(mode="after")
    def _works_at_all(self) -> Self:
        if self.every.sampler()(0.5) < SHORTEST:
            raise ValueError(
                f"half of the times that every gives are shorter than {Duration(SHORTEST)}, so nothing would be done. "
                "Give longer ones."
            )
        return self


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


class Crew:
    """The workers of a pool, of whom some may be broken.

    Parameters
    ----------
    size
        How many there are.
    key
        Selects their random numbers.
    """

    def __init__(self, plan: BreakdownPlan, size: int, key: int) -> None:
        self.every = plan.every.sampler()
        self.repair = plan.repair.sampler()
        self.always = plan.while_ == "always"
        self.fails = plan.work == "fails"
        self.key = key
        self._workers = [_Worker(self._works_for(number, 1)) for number in range(size)]

    def _works_for(self, number: int, spell: int) -> int:
        return sampling.whole(self.every(draws.draw(self.key, draws.BREAKDOWN, spell, number)))

    def _repaired_in(self, number: int, spell: int) -> int:
        return sampling.whole(self.repair(draws.draw(self.key, draws.REPAIR, spell, number)))

    def _as_of(self, time: int, number: int) -> _Worker:
        """What a worker will be at a time, if it neither takes work nor ends it."""
        worker = copy(self._workers[number])
        while worker.turns <= time and (self.always or worker.busy or not worker.works):
            if worker.works:
                worker.turns += self._repaired_in(number, worker.spell)
            else:
                worker.spell += 1
                worker.since = worker.turns
                worker.turns += self._works_for(number, worker.spell)
            worker.works = not worker.works
        return worker

    def _look(self, now: int, number: int) -> _Worker:
        worker = self._workers[number] = self._as_of(now, number)
        return worker

    def free(self, now: int, n: int) -> int | None:
        """The first of so many workers who can take work now."""
        for number in range(n):
            if not self._workers[number].busy and self._look(now, number).works:
                return number
        return None

    def ready(self, time: int, n: int) -> int:
        """From when on, at that time or later, one of so many can take work; they are not all busy."""
        idle = (self._as_of(time, number) for number in range(n) if not self._workers[number].busy)
        return min(time if worker.works else worker.turns for worker in idle)

    def begin(self, now: int, number: int) -> None:
        """A worker who is `free` takes work."""
        worker = self._workers[number]
        worker.busy = True
        if not self.always:
            worker.turns += now - worker.since

    def end(self, now: int, number: int) -> None:
        """A worker's work is over."""
        worker = self._look(now, number)
        worker.busy, worker.since = False, now

    def done(self, now: int, number: int, work: int) -> Done:
        """When a worker who has just taken it has done so much work."""
        worker = self._workers[number]
        turns, spell = worker.turns, worker.spell
        while now + work > turns:
            if self.fails:
                return Done(turns, breaks=True)
            work -= turns - now
            now = turns + self._repaired_in(number, spell)
            spell += 1
            turns = now + self._works_for(number, spell)
        return Done(now + work)
