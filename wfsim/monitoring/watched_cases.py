"""Cases told again to `step` as their records come, each property held against each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import DefinitionError
from wfsim.history.case import records_in
from wfsim.history.questions import asking
from wfsim.history.replay_case import instance_of, need_full, programs_of, replayed
from wfsim.semantics.texts import Texts
from wfsim.verification.property import Property
from wfsim.verification.workflows.properties import claims_of, patterns_of
from wfsim.verification.workflows.watching import Asked, Broken, Seen, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wfsim.history.following import Change
    from wfsim.history.history import History
    from wfsim.history.runs import Run
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.program import Program
    from wfsim.semantics.records import Record

_MOST_CASES = 5_000
"""Cases that share a table of texts, which only grows: it goes when they have closed."""
_CLOSINGS = {"no_failure": "failed", "no_unhandled_timeout": "timed_out"}


def asked_of(workflow: Workflow, properties: Sequence[Property]) -> list[Asked]:
    """What cases of a workflow are watched for; properties that are not about single runs are none of it."""
    found = []
    for each in properties:
        status = _CLOSINGS.get(each.name)
        claim = each if status is None else Property("never", f'status == "{status}"')
        found += [Asked.by(each, pattern) for pattern in patterns_of(workflow, claim)]
    return found


class Group:
    """Cases of one workflow of a run, which share the watch and its table of texts."""

    def __init__(self, run: Run, program: Program, asked: Sequence[Asked]) -> None:
        self.run, self.program = run, program
        self.texts: Texts = program.texts.copy()
        self.watch = Watch(program, self.texts, asked)
        self.n_cases = 0


@dataclass(slots=True)
class Watched:
    """An open case: where it stands, and what has been seen of it."""

    group: Group
    instance: Instance
    seen: list[Seen]
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a case broke, in the group that watches it, with where and when."""

    group: Group
    run: int
    case: int
    broken: Broken
    seq: int
    time: int


class WatchedCases:
    """All cases of a workflow in a history, by run and number.

    Attributes
    ----------
    open
        Those that have not closed.
    n_seen, n_closed
        Cases that were watched, and of those how many have closed.
    left_out
        Versions that are not watched, each with the reason.
    """

    def __init__(self, name: str, properties: Sequence[Property]) -> None:
        self.open: dict[tuple[int, int], Watched] = {}
        self.n_seen = self.n_closed = 0
        self.left_out: dict[str, str] = {}
        self._name, self._properties = name, list(properties)
        self._groups: dict[tuple[int, int], Group | None] = {}
        self._told: dict[tuple[int, int], set[int]] = {}
        self._runs: dict[int, Run] = {}

    def look(self, history: History, group: Sequence[Change]) -> Iterator[Event]:
        """Watch what is new in some cases of one run.

        Raises
        ------
        ReplayError
            If a run keeps too little, or a case does not replay.
        """
        number = group[0].run
        if number not in self._runs:
            self._runs = {one.run: one for one in history.runs}
        run = self._runs[number]
        wanted = {each.case: each for each in group if run.workflows[each.workflow].name == self._name}
        wanted = {case: each for case, each in wanted.items() if self._group(run, each.workflow) is not None}
        if not wanted:
            return
        need_full(run)
        # Who has closed and goes on, as an operator tried it again, is told from the start.
        behind = min(self.open[number, case].seq if (number, case) in self.open else 0 for case in wanted)
        with asking(history, None) as con:
            found = records_in(con, run, min(wanted), max(wanted), after=behind)
        for case, change in wanted.items():
            yield from self._tell(run, change, [each for each in found.get(case, []) if each.seq <= change.version])

    def _group(self, run: Run, workflow: int) -> Group | None:
        """The group that the next case of a workflow joins; `None` where its version is not watched."""
        place = (run.run, workflow)
        group = self._groups.get(place)
        if group is not None and group.n_cases < _MOST_CASES:
            return group
        if place in self._groups and group is None:
            return None
        program = programs_of(run)[workflow]
        try:
            claims_of(program.workflow, self._properties, None)
        except DefinitionError as error:
            one = run.workflows[workflow]
            self.left_out[f"{one.name} {one.version}"] = str(error)
            self._groups[place] = None
            return None
        self._groups[place] = Group(run, program, asked_of(program.workflow, self._properties))
        return self._groups[place]

    def _tell(self, run: Run, change: Change, records: list[Record]) -> Iterator[Event]:
        place = (change.run, change.case)
        watched = self.open.get(place)
        if watched is None:
            group = self._group(run, change.workflow)
            assert group is not None
            group.n_cases += 1
            instance = instance_of(run, group.program, records, group.texts)
            watched = self.open[place] = Watched(group, instance, group.watch.first())
            if change.after:
                # An operator has taken up again what was closed.
                self.n_closed -= 1
            else:
                self.n_seen += 1
        new = [each for each in records if each.seq > watched.seq]
        for cause, output in replayed(watched.instance, new):
            watched.seq = output.records[-1].seq
            for broken in watched.group.watch.see(watched.seen, watched.instance, output):
                if self._first(place, broken):
                    time = cause.time if broken.due is None else broken.due
                    yield Event(watched.group, *place, broken, watched.seq, time)
        if watched.instance.is_closed:
            self.n_closed += 1
            del self.open[place]

    def _first(self, place: tuple[int, int], broken: Broken) -> bool:
        """Whether it is told for the first time: who is taken up again is watched from the start."""
        told = self._told.setdefault(place, set())
        if broken.which in told:
            return False
        told.add(broken.which)
        return True

    def late(self, now: Mapping[int, int]) -> Iterator[Event]:
        """What open cases owe that was due by `now`, in microseconds by run."""
        for (run, case), watched in self.open.items():
            for broken in watched.group.watch.late(watched.seen, watched.instance, now[run]):
                if self._first((run, case), broken):
                    assert broken.due is not None
                    yield Event(watched.group, run, case, broken, watched.seq, broken.due)
