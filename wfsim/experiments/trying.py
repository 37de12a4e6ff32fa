"""Runs of a scenario by one seed after another, a property held against every case: here, or in other processes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wfsim.history.arrivals import ask_history
from wfsim.history.runs import definition_of, workflow_of
from wfsim.history.simulate import scenario_text
from wfsim.model.catalogue import Catalogue
from wfsim.model.supplying import Supplied, supplied_by
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.draws import mix_key
from wfsim.simulation.engine import Simulation
from wfsim.simulation.scenario import Scenario
from wfsim.verification.workflows.watching import Asked, Broken, Watch

from .backends import pool_of_processes
from .faults import disturbed
from .retelling import Happening, Teller, happening_of

if TYPE_CHECKING:
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.program import Program
    from wfsim.verification.property import Property
    from wfsim.verification.workflows.watching import Seen

AT_ONCE = 50
"""Seeds that a process tries before it tells what has come of them: a quarter of a second or so."""
_ON_THE_WAY = ("duplicates", "reordered", "late_timers")


@dataclass
class _Watched:
    """A case under watch."""

    memories: list[Seen]
    happenings: list[Happening] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """A case of a seed that has broken a property, by which stimuli."""

    seed: int
    case: int
    broken: Broken
    happenings: Sequence[Happening]


class _Over(Exception):
    """Ends a run in the middle: a property is broken."""


class Campaign:
    """Runs seeds one after another."""

    def __init__(self, program: Program, plan: Scenario, asked: list[Asked], faults: Mapping[str, float]) -> None:
        self.program = program
        self.asked = asked
        self.teller = Teller(program.workflow, asked)
        self.n_steps = 0
        self.interrupted = False
        self.plan = plan
        self.faults = faults
        self._disturbs = any(name in faults for name in _ON_THE_WAY)

    def run(self, seed: int) -> Found | None:
        """The first case of a seed that breaks a property."""
        plan = self.plan.model_copy(update={"seed": seed})
        found, cases = self._simulated(plan, keep=self._disturbs)
        if found is not None and not self._disturbs:
            # Once more, to know by which stimuli.
            found, cases = self._simulated(plan, keep=True)
        if found is not None:
            return Found(seed, found[0], found[1], cases[found[0]].happenings)
        for case, watched in cases.items() if self._disturbs else ():
            told = disturbed(watched.happenings, mix_key(seed, 0, case), self.faults)
            retold = self.teller.tell(told)
            self.n_steps += len(retold.happenings)
            if retold.broken is not None:
                return Found(seed, case, retold.broken, retold.happenings)
        return None

    def _simulated(self, plan: Scenario, keep: bool) -> tuple[tuple[int, Broken] | None, dict[int, _Watched]]:
        """A run up to what breaks, with its cases; their stimuli if they are to be kept."""
        cases: dict[int, _Watched] = {}
        watches: list[Watch] = []
        found: list[tuple[int, Broken]] = []

        def look(case: int, instance: Instance, output: Output) -> None:
            if instance.program.workflow is not self.program.workflow:
                return
            if not watches:
                watches.append(Watch(instance.program, instance.texts, self.asked))
            watch = watches[0]
            watched = cases.get(case)
            if watched is None:
                watched = cases[case] = _Watched(watch.first())
            if keep:
                watched.happenings.append(happening_of(instance, output))
            self.n_steps += 1
            broken = watch.see(watched.memories, instance, output)
            if broken:
                found.append((case, broken[0]))
                raise _Over

        try:
            self.interrupted = Simulation(self.program, plan, sink=look, ask_history=ask_history).run().interrupted
        except _Over:
            return found[0], cases
        return None, cases


# --- in other processes --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """A campaign in plain data that goes to another process: definitions and scenario as JSON, and what is asked."""

    workflows: tuple[str, ...]
    scenario: str
    asked: tuple[Property, ...]
    faults: Mapping[str, float]
    functions: tuple[Supplied, ...] = ()

    @classmethod
    def of(cls, campaign: Campaign) -> Job:
        """The same campaign."""
        workflows = tuple(definition_of(each) for each in campaign.program.family)
        asked = tuple(each.question for each in campaign.asked)
        functions = supplied_by(campaign.program.family)
        return cls(workflows, scenario_text(campaign.plan), asked, dict(campaign.faults), functions)

    def campaign(self) -> Campaign:
        """The campaign, in this process."""
        workflows = [workflow_of(each, self.functions) for each in self.workflows]
        program = compile_workflow(workflows[0], Catalogue(workflows))
        plan = Scenario.model_validate(json.loads(self.scenario))
        return Campaign(program, plan, [Asked.of(each) for each in self.asked], self.faults)


@dataclass(frozen=True)
class Tried:
    """What has come of some seeds: how many were tried before the one that breaks a property, if one does."""

    n_seeds: int
    n_steps: int
    broken: int | None


def tried(job: Job, seeds: Sequence[int]) -> Tried:
    """Try seeds, up to the first that breaks a property."""
    campaign = job.campaign()
    for n, seed in enumerate(seeds):
        n_steps = campaign.n_steps
        if campaign.run(seed) is not None:
            return Tried(n, n_steps, seed)
    return Tried(len(seeds), campaign.n_steps, None)


def tried_in_processes(job: Job, seeds: Sequence[int], workers: int) -> Iterator[Tried]:
    """What has come of all seeds, in their order, by so many processes."""
    parts = [seeds[first : first + AT_ONCE] for first in range(0, len(seeds), AT_ONCE)]
    with pool_of_processes(min(workers, len(parts))) as pool:
        for future in [pool.submit(tried, job, part) for part in parts]:
            yield future.result()
