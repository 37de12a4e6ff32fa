"""A log told in the words of a workflow: which of its events came in which state, and after what time.

A log has activities, a workflow states of the same names and others, of which the log says nothing: where it waits,
chooses or ends. What is parallel is told region by region.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from wfsim.model.state_names import state_names
from wfsim.model.uses import is_reserved

from .observed import Waits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from wfsim.history.history import History
    from wfsim.model.elements import Region, State, Transition
    from wfsim.model.workflow import Workflow

    from .staffing import Staffed

CASES = """
SELECT s.run, s."case", s.state, coalesce(x.scheduled, s.entered) AS asked, s.entered,
    coalesce(x.ended, s.entered) AS done, d.closed IS NULL AS is_open
FROM stays s JOIN durations d ON d.run = s.run AND d."case" = s."case"
ASOF LEFT JOIN (SELECT run, "case", activity, scheduled, started, ended FROM executions WHERE started IS NOT NULL) x
    ON x.run = s.run AND x."case" = s."case" AND x.activity = s.state AND x.started <= s.entered
WHERE s.workflow = ? AND s.region = '' ORDER BY s.run, s."case", s.entered_seq
"""
"""What each case did, in order: the activity, from when on it could be begun, when it was, and when it was done."""


@dataclass(frozen=True)
class Done:
    """An activity of a case: the state, when it was entered and when its work was done, in microseconds.

    Where the activity has a pool, it is entered when nothing but a worker is waited for.
    """

    state: str
    entered: float
    done: float


Case: TypeAlias = "list[Done]"
_Path: TypeAlias = "tuple[str, ...]"


@dataclass
class Walked:
    """What a log comes to on a workflow.

    Attributes
    ----------
    waits
        By the path of a state.
    n_cases, n_followed
        How many cases have ended, and how many of them the workflow can follow from beginning to end; of others nothing
        is counted.
    """

    waits: dict[str, Waits]
    n_cases: int
    n_followed: int


def walk(
    history: History, workflow: Workflow, name: str, pools: Mapping[str, Staffed] = MappingProxyType({})
) -> Walked:
    """Follow each case of a log through a workflow.

    Parameters
    ----------
    workflow
        With states called like the activities, as `discover` makes it.
    name
        Of the log.
    pools
        By state the pool that its activity asks.
    """
    rows = history.sql(CASES, [name], max_rows=None).fetchall()
    names = state_names(sorted({row[2] for row in rows}))
    by_case: dict[tuple[int, int], Case] = {}
    left_out = set()
    for run, case, activity, asked, begun, done, is_open in rows:
        state = names[activity]
        entered = pools[state].held_up(asked, begun) if state in pools else float(begun)
        by_case.setdefault((run, case), []).append(Done(state, entered, float(max(done, begun))))
        if is_open:
            left_out.add((run, case))
    walker = _Walker(set(names.values()))
    waits: dict[str, Waits] = {}
    n_followed = 0
    closed = [case for key, case in by_case.items() if key not in left_out]
    for case in closed:
        steps = walker.region(workflow, (), case, case[0].entered)
        if steps is None:
            continue
        n_followed += 1
        for path, event, delay in steps:
            waits.setdefault("/".join(path), Waits()).events[event].append(delay)
    return Walked(waits, len(closed), n_followed)


_Steps: TypeAlias = "list[tuple[_Path, str, float]]"


class _Walker:
    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        self._owners: dict[int, dict[str, str]] = {}
        self._ways: dict[tuple[int, str, str | None], list[Transition] | None] = {}

    def region(self, region: Region | Workflow, path: _Path, case: Case, since: float) -> _Steps | None:
        """The events of a region from its initial to a terminal state, with the time that each took."""
        owners = self._owners_of(region)
        if any(each.state not in owners for each in case):
            return None
        states = {state.name: state for state in region.states}
        steps: _Steps = []
        at, now = region.initial_state, since
        visits = list(_visits(case, owners))
        if at in owners.values() and (not visits or visits[0][0] != at):
            return None
        for number, (name, done) in enumerate(visits):
            if number or name != at:
                way = self._way(region, at, name)
                if way is None:
                    return None
                # What is parallel is entered at once: each of its regions waits for its first activity.
                until = now if states[name].parallel else done[0].entered
                now = self._take(states, way, path, now, until, steps)
            inside = self._inside(states[name], path, done, now)
            if inside is None:
                return None
            steps += inside
            at, now = name, max(each.done for each in done)
        way = self._way(region, at, None)
        if way is None:
            return None
        self._take(states, way, path, now, now, steps)
        return steps

    def _take(
        self,
        states: Mapping[str, State],
        way: Sequence[Transition],
        path: _Path,
        since: float,
        until: float,
        steps: _Steps,
    ) -> float:
        """Note the events of a way: the first took all the time there was, others come at once. When it is over."""
        for number, each in enumerate(way, 1):
            if each.event is not None and not is_reserved(each.event):
                steps.append(((*path, each.from_), each.event, max(until - since, 0.0)))
                since = max(until, since)
            passed = states[str(each.to)]
            if number < len(way) and passed.parallel:
                steps += self._inside(passed, path, [], since) or []
        return since

    def _inside(self, state: State, path: _Path, done: Case, since: float) -> _Steps | None:
        """What happens in the regions of a state."""
        steps: _Steps = []
        for region in state.parallel.regions if state.parallel else ():
            owners = self._owners_of(region)
            own = [each for each in done if each.state in owners]
            found = self.region(region, (*path, state.name, region.name), own, since)
            if found is None:
                return None
            steps += found
        return steps if state.parallel or len(done) == 1 else None

    def _owners_of(self, region: Region | Workflow) -> dict[str, str]:
        """By activity the state of the region in which it is done: its own, or one in whose regions it is."""
        if id(region) not in self._owners:
            found: dict[str, str] = {}
            for state in region.states:
                inner = [self._owners_of(each) for each in (state.parallel.regions if state.parallel else ())]
                found |= {activity: state.name for owners in inner for activity in owners}
                if state.name in self._known and not inner:
                    found[state.name] = state.name
            self._owners[id(region)] = found
        return self._owners[id(region)]

    def _way(self, region: Region | Workflow, source: str, target: str | None) -> list[Transition] | None:
        """The shortest way to a state, or an end, through states of which the log says nothing; `None` without one.

        What is parallel is passed where nothing need be done in it.
        """
        key = id(region), source, target
        if key not in self._ways:
            self._ways[key] = self._shortest(region, source, target)
        return self._ways[key]

    def _shortest(self, region: Region | Workflow, source: str, target: str | None) -> list[Transition] | None:
        told, states = set(self._owners_of(region).values()), {state.name: state for state in region.states}
        if target is None and states[source].is_terminal:
            return []
        # An end of which the log has a word is none where that was not done.
        silent = {name for name, state in states.items() if state.is_terminal and name not in told}
        ends = silent if target is None else {target}
        queue: deque[tuple[str, list[Transition]]] = deque([(source, [])])
        seen = set()
        while queue:
            at, way = queue.popleft()
            for each in region.transitions:
                if each.from_ != at or each.to is None or each.to in seen:
                    continue
                if each.to in ends:
                    return [*way, each]
                if each.to not in told or self._inside(states[each.to], (), [], 0.0) is not None:
                    seen.add(each.to)
                    queue.append((each.to, [*way, each]))
        return None


def _visits(case: Case, owners: dict[str, str]) -> Iterator[tuple[str, Case]]:
    """Neighbouring activities of one state with regions together, all others one by one."""
    visit: Case = []
    for each in case:
        own = owners[each.state]
        if visit and (own == each.state or own != owners[visit[-1].state]):
            yield owners[visit[-1].state], visit
            visit = []
        visit.append(each)
    if visit:
        yield owners[visit[-1].state], visit
