"""A simulation of which is noted what its calendar lets happen, and which steps follow of that, of all instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias
from unittest.mock import patch

from wfsim.history.history import History
from wfsim.history.runs import Origin
from wfsim.history.writer import HistoryWriter
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_family
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.program import Program
from wfsim.semantics.records import Record, records_of
from wfsim.simulation import engine, relations
from wfsim.simulation.calendar import Awaited, Calendar, Entry, Happening
from wfsim.simulation.engine import Simulation
from wfsim.simulation.mail import Mail
from wfsim.simulation.relations import FIRST_CHILD
from wfsim.simulation.scenario import Scenario


@dataclass(frozen=True)
class Refused:
    """An instance that did not start, as its key was taken (M7.2)."""

    workflow: Workflow
    inputs: Mapping[str, Any]
    why: str


class TimerDue(NamedTuple):
    """A timer; `id` tells it from those that were set at the same place before."""

    case: int
    timer: int
    id: int


class Reaches(NamedTuple):
    """An event from outside, or news of an attempt, reaches an instance."""

    case: int


class PoolOpens(NamedTuple):
    """More workers of a pool may have come."""


What: TypeAlias = Happening | TimerDue | Reaches | PoolOpens


def what_happens(entry: Entry) -> What:
    """What the calendar takes, in words for others."""
    _, _, _, does, what = entry
    name = does.__name__
    if name == "_happen":
        happening: Happening = what
        return happening
    if name == "_fire":
        return TimerDue(*what)
    if name == "_open_pool":
        return PoolOpens()
    return Reaches(what[0][0] if name in ("_end_attempt", "_succeed_again") else what[0])


@dataclass
class Happened:
    """What the calendar took, and what followed at once: steps by the names of their instances, in order."""

    time: int
    what: What
    steps: list[tuple[str, list[Record]]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass
class Noted:
    """What happened in a simulation.

    Attributes
    ----------
    workflows
        The root, then all that it may start or write to.
    happened
        In order, without what followed once an instance was given up or `most` steps were taken.
    names
        Of the instances that others started, by the simulation's passing numbers.
    is_whole
        Whether nothing was left out.
    """

    workflows: list[Workflow]
    most: int
    happened: list[Happened] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    is_whole: bool = True
    n_steps: int = 0

    def name(self, number: int) -> str:
        """What an instance is called."""
        return self.names.get(number, str(number))

    def has_come(self, number: int) -> bool:
        """Whether there is, or was, an instance of this passing number."""
        return number < FIRST_CHILD or number in self.names

    def records(self) -> dict[str, list[Record]]:
        """The records of each instance."""
        found: dict[str, list[Record]] = {}
        for each in self.happened:
            for name, records in each.steps:
                found.setdefault(name, []).extend(records)
        return found


def noted(program: Program, scenario: Scenario, *, most: int = 2_000, most_steps: int = 500) -> tuple[Noted, History]:
    """A replication as the calendar in Python makes it, and its history; instances have `most_steps` steps at most."""
    found = Noted([each.workflow for each in compile_family(program)[1]], most)

    class NotedCalendar(Calendar):
        def due(self, until: int, is_awaited: Awaited) -> Iterator[Entry]:
            for entry in super().due(until, is_awaited):
                if found.is_whole and (found.n_steps >= most or not simulation.summary.complete):
                    # An engine would have gone on where a simulation gives up.
                    found.is_whole = False
                    found.happened.pop()
                if found.is_whole:
                    found.happened.append(Happened(entry[0], what_happens(entry)))
                yield entry

    class NotedMail(Mail):
        def taken(self, program: Program, inputs: Mapping[str, Any]) -> str | None:
            why = super().taken(program, inputs)
            if why is not None and found.is_whole:
                found.happened[-1].refused.append(Refused(program.workflow, inputs, why))
            return why

    def sink(number: int, instance: Instance, output: Output) -> None:
        writer.append(number, instance, output)
        if found.is_whole:
            found.n_steps += 1
            found.happened[-1].steps.append((found.name(number), records_of(instance, output)))

    def birth(number: int, name: str, parent: int | None, activation: int | None) -> None:
        writer.announce(number, name, parent, activation)
        found.names[number] = name

    with (
        HistoryWriter(None, program, origin=Origin(seed=scenario.seed)) as writer,
        patch.object(engine, "Calendar", NotedCalendar),
        patch.object(engine, "Mail", NotedMail),
        patch.object(engine, "MOST_STEPS", most_steps),
        patch.object(relations, "MOST_RELATIVES", most_steps),
    ):
        simulation = Simulation(program, scenario, sink=sink, birth=birth)
        complete = simulation.run().complete
        if not complete and found.is_whole:
            found.is_whole = False
            found.happened.pop()
        return found, writer.finish()
