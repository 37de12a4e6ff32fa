"""M9 in the net: for each activity or child that can be undone, and each state it runs in, whether that may have to be.

The log is kept as sets: several entries of one activity in one state are one. Where there may be several, undoing one
may leave others, so the net allows both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from wfsim.model.operations import Compensation
from wfsim.model.uses import scoped

from .changes import Change, read
from .place_names import When
from .views import NumberedTransition, RegionView, StateView, WorkflowView


@dataclass(frozen=True)
class Entry:
    """What may have to be undone: an activity that ran in a state, or the workflow that the state invoked.

    Attributes
    ----------
    what
        The activity, or the workflow.
    child
        Whether it is a workflow.
    attempted
        Whether it is in the log from its first start on, instead of its success (M9.1).
    repeats
        Whether the log can hold it several times.
    """

    what: str
    at: StateView
    child: bool
    undo: str
    attempted: bool
    repeats: bool

    @property
    def name(self) -> str:
        """`<activity> in <state>` or `child <workflow> in <state>`, by the path of the state."""
        return f"{'child ' if self.child else ''}{self.what} in {self.at.name}"

    @property
    def present(self) -> str:
        """It has to be undone."""
        return f"log {self.name}"

    @property
    def absent(self) -> str:
        """It has not."""
        return f"no log {self.name}"

    @property
    def tried(self) -> str:
        """Its compensator has failed in the compensation under way."""
        return f"tried {self.name}"

    @property
    def undoing(self) -> str:
        """Its compensator runs."""
        return f"undoing {self.name}"

    @property
    def places(self) -> tuple[str, ...]:
        """Exactly one of them holds a token while the instance is open."""
        return self.absent, self.present, self.tried, self.undoing

    def enters(self) -> list[Change]:
        """M9.1: it enters the log."""
        ways = [Change({self.absent: 1}, {self.present: 1})]
        if self.repeats:
            ways.append(read(self.present))
            ways.append(Change({self.tried: 1}, {self.present: 1}))
            ways += [read(self.tried), read(self.undoing)]
        return ways


@dataclass(frozen=True)
class Flight:
    """What else the transition undoes that a compensation belongs to: a flight tries no entry twice (M9.2).

    Attributes
    ----------
    tried
        Entries that compensations before it may have tried in vain, which was ignored.
    goes_on
        Whether another one comes after it.
    n
        How many entries they are about in all.
    """

    tried: tuple[Entry, ...] = ()
    goes_on: bool = False
    n: int = 0


class Log:
    """The entries that the log of an instance of this workflow can hold."""

    def __init__(self, view: WorkflowView) -> None:
        self.view = view
        sites: dict[tuple[str, StateView], int] = {}
        for activity, at in _runs(view):
            sites[activity, at] = sites.get((activity, at), 0) + 1
        self.entries = [
            self._entry(name, at, undo, n > 1)
            for (name, at), n in sites.items()
            if (undo := view.activities[name].compensate_with) is not None
        ]
        self.entries += [
            self._entry(invoke.workflow, at, invoke.compensate_with, False, child=True)
            for at in view.states
            if (invoke := at.state.invoke) is not None and invoke.compensate_with is not None
        ]
        sites_of = [at for each in view.transitions for at in _compensates(each)]
        # Two regions may compensate at the same time; which of their tries an entry remembers is then left open.
        self.shared = any(
            one.region is not other.region and _side_by_side(one, other) for one in sites_of for other in sites_of
        )

    @staticmethod
    def _entry(what: str, at: StateView, undo: Compensation, several: bool, child: bool = False) -> Entry:
        repeats = several or at.state.for_each is not None or _may_come_again(at)
        return Entry(what, at, child, undo.activity, undo.when == "attempted", repeats)

    def given_up(self, entry: Entry) -> list[Change]:
        """What becomes of an entry when its compensator is cancelled: it is still to be undone."""
        if self.may_share(entry):
            return [read(entry.present), Change({entry.absent: 1}, {entry.present: 1})]
        return [Change({entry.undoing: 1}, {entry.present: 1})]

    def may_share(self, entry: Entry) -> bool:
        """Whether two compensations may undo entries of this name at the same time."""
        return self.shared and entry.repeats

    def of(self, activity: str, at: StateView) -> Entry | None:
        """The entry of an activity that runs in a state, if it can be undone."""
        found = (each for each in self.entries if each.what == activity and each.at is at and not each.child)
        return next(found, None)

    def of_child(self, at: StateView) -> Entry | None:
        """The entry of the workflow that a state invokes, if it can be undone."""
        return next((each for each in self.entries if each.at is at and each.child), None)

    def within(self, scope: str | None) -> list[Entry]:
        """The entries in the state or region `scope`; all without one."""
        if scope is None:
            return self.entries
        (path,) = scoped(self.view.workflow, scope)
        wanted = self.view.prefix + path
        return [each for each in self.entries if any(_path(around) == wanted for around in _around(each.at))]

    def flight(self, transition: NumberedTransition, when: When, k: int) -> Flight:
        """What the other actions of a transition undo beside the one at `k` before or after the commit."""
        actions = transition.transition.actions
        at = k if when == "pre" else len(transition.transition.pre_actions) + k
        undone = [[] if each.undoes is None else self.within(each.undoes.scope) for each in actions]
        ignored = (entries for each, entries in zip(actions[:at], undone) if each.on_failure == "ignore")
        tried = tuple(dict.fromkeys(chain.from_iterable(ignored)))
        return Flight(tried, any(undone[at + 1 :]), len(set(chain.from_iterable(undone))))


def _path(element: StateView | RegionView) -> str:
    return element.name if isinstance(element, StateView) else element.path.removesuffix("/")


def _around(at: StateView) -> Iterator[StateView | RegionView]:
    here: StateView | None = at
    while here is not None:
        yield here
        yield here.region
        here = here.above


def _runs(view: WorkflowView) -> Iterator[tuple[str, StateView]]:
    """Every activity with the state that it runs in."""
    for at in view.states:
        if at.state.work is not None and at.state.work.runs is not None:
            yield at.state.work.runs, at
    for each in view.transitions:
        for action in each.transition.pre_actions:
            if action.runs is not None:
                yield action.runs, each.origin
        for action in each.transition.post_actions:
            if action.runs is not None:
                yield action.runs, each.target


def _compensates(transition: NumberedTransition) -> Iterator[StateView]:
    """The states in which it compensates."""
    ends = transition.transition
    for actions, at in ((ends.pre_actions, transition.origin), (ends.post_actions, transition.target)):
        if any(action.undoes is not None for action in actions):
            yield at


def _side_by_side(one: StateView, other: StateView) -> bool:
    """Whether both can be active: no region would be in two states."""
    states = {around.region: around for around in _around(one) if isinstance(around, StateView)}
    return all(
        states.get(around.region, around) is around for around in _around(other) if isinstance(around, StateView)
    )


def _may_come_again(at: StateView) -> bool:
    """Whether the state, or one around it, can be left and entered again, or a transition in it taken again."""
    here: StateView | None = at
    while here is not None:
        reached: set[StateView] = set()
        todo = [here]
        while todo:
            for each in todo.pop().leaving:
                if each.target not in reached:
                    reached.add(each.target)
                    todo.append(each.target)
        # A flight that is aborted, or internal, comes back as well.
        if here in reached or any(each.transition.pre_actions for each in here.leaving):
            return True
        here = here.above
    return False
