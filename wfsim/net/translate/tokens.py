"""Where the tokens of an instance lie: how they get into a state, and in which ways they can be taken out again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal, Protocol

from wfsim.errors import NotCovered
from wfsim.model.elements import Outcome
from wfsim.semantics.expression_code import can_raise

from .actions import entering_fails, inputs_raise
from .activities import Activities
from .changes import Change, combinations, take
from .draft import NetDraft
from .log import Log
from .place_names import Tokens, When, attempt_place, further_place, total, undo_prefix, undoing_place
from .views import NumberedTransition, RegionView, StateView, WorkflowView

MOST_OWING = 4_096
"""Variants of a net transition that workers and log entries may need where reset arcs do the rest."""


@dataclass(frozen=True)
class ErrorClass:
    """Errors that are not told apart: by their source where a transition names it, and whether a timeout is behind."""

    source: str
    timeout: bool = False

    def key(self, at: StateView) -> str:
        """What its places at a state are called by."""
        if self.timeout and self.source == at.state.name:
            return "timeout"
        if self.timeout:
            return f"timeout {self.source if at.names_error(self.source) else 'inside'}"
        return self.source if at.names_error(self.source) else "error"


@dataclass(frozen=True)
class Control:
    """A place where the token of a region lies while a state of it is active; `change` takes it from there."""

    at: StateView
    kind: Literal["idle", "error", "flight"]
    change: Change


@dataclass(frozen=True)
class Admit:
    """Configurations inside a state from which a transition can end it.

    Attributes
    ----------
    settled
        It comes from outside, so nothing may be left to do within the step (M2.1): no error is still to be offered,
        and no `done` or error of a state's work, unless its region is busy.
    declines
        An event that no region inside takes (M2.3).
    """

    settled: bool = False
    declines: str | None = None

    def allows(self, control: Control) -> bool:
        """Whether a region's token may lie there."""
        if self.settled and control.kind == "error":
            return False
        if self.declines is None or self.declines not in control.at.region.listened:
            return True
        # M2.2: a busy region holds the event.
        return control.kind == "idle" and not control.at.always_taken({self.declines})

    def ends(self, busy: bool) -> bool:
        """Whether the work of the state may have ended without anybody having taken notice."""
        return busy or not self.settled


ANYWHERE = Admit()
SETTLED = Admit(settled=True)


@dataclass(frozen=True)
class Pin:
    """Where the tokens of an inner region are known to lie; `ended` is where that of its state's work does."""

    at: StateView
    change: Change
    ended: str | None = None


Pins = Mapping[RegionView, Pin]


@dataclass(frozen=True)
class Slot:
    """Places among which one token moves; with `whole`, several, and `changes` are all their distributions.

    `passing` are places that are left by themselves within the step, so what ends the rest can wait for that.
    """

    changes: list[Change]
    whole: bool = False
    passing: list[str] = field(default_factory=list)


class Work(Protocol):
    """The work of a state that is no activity and no region: a child or a list."""

    def starts(self) -> list[Tokens]:
        """Tokens with which it begins, one for each way that may go."""

    def ways(self, ended: str | None) -> list[Change] | None:
        """Ways to end it wherever it is; with `ended`, from there only; `None` if there are too many."""

    def slots(self) -> list[Slot]:
        """Where its tokens may lie."""

    def lasting(self) -> list[str]:
        """Places one of which is marked while it runs, or once its end has been offered; none if there are many."""


@dataclass
class Knowledge:
    """What a first draft has shown: places that can be marked, and errors that wait at busy regions, by state."""

    places: frozenset[str] = frozenset()
    pending: dict[str, list[ErrorClass]] = field(default_factory=dict)


@dataclass
class Configurations:
    """Knows the places of one instance.

    Attributes
    ----------
    known
        What a first draft has shown; `None` while that is being made.
    limit
        Variants of a net transition up to which leaving a state needs no reset arcs.
    erring
        Places where errors wait to be offered, with the state that is to be offered them.
    pending
        Errors that may come to wait at a busy region, by state.
    works
        Children and lists, by state.
    """

    view: WorkflowView
    draft: NetDraft
    activities: Activities
    log: Log
    known: Knowledge | None
    limit: int
    erring: dict[str, tuple[StateView, ErrorClass]] = field(default_factory=dict)
    pending: dict[str, list[ErrorClass]] = field(default_factory=dict)
    works: dict[StateView, Work] = field(default_factory=dict)

    # --- errors -------------------------------------------------------------------------------------------

    def error_place(self, at: StateView, error: ErrorClass) -> str:
        """Where the token of a region lies when an error is about to be offered to its state."""
        place = self.draft.place(f"{at.name}!{error.key(at)}", at.source)
        self.erring.setdefault(place, (at, error))
        return place

    def own_error(self, at: StateView, source: str) -> str:
        """The same for an error that arises in the state."""
        return self.error_place(at, ErrorClass(source))

    def pending_place(self, at: StateView, error: ErrorClass) -> str:
        """Where an error waits until the state's region is no longer busy."""
        listed = self.pending.setdefault(at.name, [])
        place = f"{at.name}^{error.key(at)}"
        if all(f"{at.name}^{each.key(at)}" != place for each in listed):
            listed.append(error)
        self.draft.place(self.no_pending(place), at.source)
        return self.draft.place(place, at.source)

    @staticmethod
    def no_pending(place: str) -> str:
        """Where the token lies while no error waits there."""
        return f"no {place}"

    def pending_at(self, at: StateView) -> list[str]:
        """Places of errors that wait while the state's region is busy."""
        listed = self.known.pending.get(at.name, []) if self.known is not None else []
        return [self.pending_place(at, error) for error in listed]

    # --- where tokens lie ---------------------------------------------------------------------------------

    def is_known(self, change: Change) -> bool:
        """Whether all the places that it takes from can ever be marked."""
        return self.known is None or all(place in self.known.places for place in change.takes)

    def controls(self, at: StateView) -> Iterator[Control]:
        """Places of the region's token while the state is active, between two steps or while errors are offered."""
        found = [Control(at, "idle", take(at.name))]
        found += [Control(at, "error", take(place)) for place, (of, _) in self.erring.items() if of is at]
        if self.known is not None:
            # Error places of the first draft that this one has not come to yet.
            for place in sorted(self.known.places):
                if place.startswith(f"{at.name}!") and place not in self.erring:
                    found.append(Control(at, "error", take(place)))
        found += [Control(at, "flight", change) for change in self.flights(at)]
        return (each for each in found if self.is_known(each.change))

    def flights(self, at: StateView) -> Iterator[Change]:
        """M3.2: waits of transitions in flight while the state is active: in its source, or after the commit."""
        for each in at.leaving:
            yield from self._waits(each, "pre", at)
        for each in at.arriving:
            yield from self._waits(each, "post", at)

    def _waits(self, transition: NumberedTransition, when: When, at: StateView) -> Iterator[Change]:
        ends = transition.transition
        for k, action in enumerate(ends.pre_actions if when == "pre" else ends.post_actions):
            prefix = transition.prefix(when, k)
            if action.runs is not None:
                yield from self.activities.open_ways(prefix, action.runs)
            elif action.undoes is not None:
                for entry in self.log.within(action.undoes.scope):
                    for way in self.activities.open_ways(undo_prefix(prefix, entry.name), entry.undo):
                        yield from (way & left for left in self.log.given_up(entry))

    def _passing(self, at: StateView) -> Iterator[str]:
        """Places where an action of a transition from the state, or to it, has ended or goes on within the step."""
        found: list[tuple[NumberedTransition, When]] = [(each, "pre") for each in at.leaving]
        found += [(each, "post") for each in at.arriving]
        for transition, when in found:
            ends = transition.transition
            for k, action in enumerate(ends.pre_actions if when == "pre" else ends.post_actions):
                prefix = transition.prefix(when, k)
                owners = [prefix]
                if action.undoes is not None:
                    yield undoing_place(prefix)
                    if self.log.flight(transition, when, k).tried:
                        yield further_place(prefix)
                    owners = [undo_prefix(prefix, entry.name) for entry in self.log.within(action.undoes.scope)]
                elif action.runs is None:
                    continue
                for owner in owners:
                    yield f"{owner}.succeeded"
                    yield f"{owner}.failed"

    def noticed(self, at: StateView) -> list[Change]:
        """Where the token of a state's work lies while nothing that it has done waits to be offered (M2.1).

        Only asked where it makes a difference: the work may have ended on entry, or have left an entry in the log.
        Elsewhere what comes from outside might as well have come before the end of the work.
        """
        ends = {f"{at.name}.succeeded", f"{at.name}.failed"}
        activity = at.state.activity
        logs = self.log.of_child(at) if activity is None else self.log.of(activity.name, at)
        if (
            self.known is None
            or at.inner
            or not (logs is not None or any(not ends.isdisjoint(each) for each in self._starts(at)))
        ):
            return [Change()]
        places = self.works[at].lasting() if at in self.works else self.work_places(at)
        lasting = [take(place) for place in places if place not in ends]
        return [Change(each.takes, each.takes) for each in lasting if self.is_known(each)] or [Change()]

    def work_places(self, at: StateView) -> list[str]:
        """Places of the token that follows the state's activity or the join of its regions; empty if it has none."""
        ends = [f"{at.name}.{end}" for end in ("succeeded", "failed", "ended")]
        if at.state.activity is not None:
            return [*self.activities.open_places(at.name, at.state.activity.name), *ends]
        return []

    # --- taking them out ----------------------------------------------------------------------------------

    def leave(
        self,
        at: StateView,
        ended: str | None = None,
        pins: Pins | None = None,
        admit: Admit = ANYWHERE,
        busy: bool = False,
    ) -> list[Change]:
        """Ways to end what is inside a state: its work, the regions inside, errors that wait.

        One for each configuration that `admit` lets through, up to the limit; beyond, reset arcs. `busy` is whether
        the state's region is.
        """
        ways = self.inside(at, ended, pins or {}, admit, busy)
        if ways is None:
            return self._resetting(list(self.slots(at, pins or {})), ended, pins or {})
        return ways

    def leave_all(self, region: RegionView, pins: Pins, admit: Admit = ANYWHERE) -> list[Change]:
        """Ways to end a whole region."""
        ways = self.region_ways(region, pins, admit)
        if ways is None:
            return self._resetting(list(self.region_slots(region, pins)), None, pins)
        return ways

    def inside(self, at: StateView, ended: str | None, pins: Pins, admit: Admit, busy: bool) -> list[Change] | None:
        """As `leave`; `None` if there are more ways than the limit."""
        if self.known is None:
            return [_pinned(ended, pins)]
        works = self._work_ways(at, ended, pins, admit)
        pending = [[take(self.no_pending(place)), take(place)] for place in self.pending_at(at)]
        if not admit.ends(busy):
            passing = {f"{at.name}.succeeded", f"{at.name}.failed"}
            works = works and [way for way in works if passing.isdisjoint(way.takes)]
            pending = [each[:1] for each in pending]
        return combinations([works, *pending], self.limit)

    def _work_ways(self, at: StateView, ended: str | None, pins: Pins, admit: Admit) -> list[Change] | None:
        if at.inner:
            return self._joint_ways(at, ended, pins, admit)
        if at in self.works:
            return self.works[at].ways(ended)
        ways = self._activity_ways(at)
        if ended is not None:
            return [take(ended)]
        return [way for way in ways if self.is_known(way)] or [Change()]

    def _activity_ways(self, at: StateView) -> list[Change]:
        if at.state.activity is None:
            return []
        name = at.state.activity.name
        return [take(place).giving(self.activities.worker(place, name)) for place in self.work_places(at)]

    def _joint_ways(self, at: StateView, ended: str | None, pins: Pins, admit: Admit) -> list[Change] | None:
        """M4.3: until they are joined, every combination of the regions inside."""
        found: list[Change] = []
        for end in ("succeeded", "ended", "joining", "failed", "unjoined"):
            token = take(f"{at.name}.{end}")
            if not self.is_known(token) or ended not in (None, f"{at.name}.{end}"):
                continue
            pinned_inside = any(_lies_in(region, at) for region in pins)
            if end in ("succeeded", "ended"):
                found += [] if pinned_inside else [token]
                continue
            undecided = admit.settled and end == "joining"
            inner = self._undecided(at, pins, admit) if undecided else self._regions(at, pins, admit)
            if inner is None or len(found) + len(inner) > self.limit:
                return None
            found += [token & each for each in inner]
        return found

    def _regions(self, at: StateView, pins: Pins, admit: Admit) -> list[Change] | None:
        return combinations([self.region_ways(region, pins, admit) for region in at.inner], self.limit)

    def _undecided(self, at: StateView, pins: Pins, admit: Admit) -> list[Change] | None:
        """The regions inside as they may be between two steps while they are not joined yet."""
        found: list[Change] = []
        ends = (None, Outcome.SUCCESS, Outcome.FAILURE)
        for chosen in product(ends, repeat=len(at.inner)):
            if chosen.count(Outcome.SUCCESS) >= at.wanted:
                continue
            if chosen.count(Outcome.FAILURE) > len(at.inner) - at.wanted:
                continue
            parts = [self._ways_by_end(region, end, pins, admit) for region, end in zip(at.inner, chosen)]
            ways = combinations(parts, self.limit)
            if ways is None or len(found) + len(ways) > self.limit:
                return None
            found += ways
        return found

    def _ways_by_end(self, region: RegionView, end: Outcome | None, pins: Pins, admit: Admit) -> list[Change] | None:
        """Ways to end a region that has ended so, or not at all."""
        if end is None:
            return self.region_ways(region, pins, admit, ended=False)
        if any(pinned is region or any(_lies_in(pinned, at) for at in region.states.values()) for pinned in pins):
            return []
        ends = [take(at.name) for at in region.ends(end)]
        return [each for each in ends if self.is_known(each)]

    def region_ways(self, region: RegionView, pins: Pins, admit: Admit, ended: bool = True) -> list[Change] | None:
        """Ways to end a region, those that have ended already included or not; `None` if more than the limit."""
        if self.known is None:
            return [_pinned(None, pins)]
        pin = pins.get(region)
        if pin is not None:
            return combinations([[pin.change], self.inside(pin.at, pin.ended, pins, admit, False)], self.limit)
        found: list[Change] = []
        for at in _possible(region, pins):
            if at.state.is_terminal and not ended:
                found += [each.change for each in self.controls(at) if each.kind == "flight" and admit.allows(each)]
                continue
            for busy in (False, True):
                controls = [
                    each.change for each in self.controls(at) if (each.kind == "flight") is busy and admit.allows(each)
                ]
                if not controls:
                    continue
                inside = self.inside(at, None, pins, admit, busy)
                if inside is None or len(found) + len(inside) * len(controls) > self.limit:
                    return None
                found += [control & each for control in controls for each in inside]
        return found

    # --- reset arcs ---------------------------------------------------------------------------------------

    def slots(self, at: StateView, pins: Pins) -> Iterator[Slot]:
        """Where the tokens inside a state may lie."""
        if at.state.activity is not None:
            yield Slot(self._activity_ways(at))
        if at in self.works:
            yield from self.works[at].slots()
        if at.inner:
            yield Slot([take(f"{at.name}.{end}") for end in ("joining", "succeeded", "ended", "failed", "unjoined")])
        for place in self.pending_at(at):
            yield Slot([take(place), take(self.no_pending(place))])
        for region in at.inner:
            yield from self.region_slots(region, pins)

    def region_slots(self, region: RegionView, pins: Pins) -> Iterator[Slot]:
        """Where the tokens of a region may lie."""
        possible = _possible(region, pins)
        passing = [place for at in possible for place in self._passing(at)]
        yield Slot([each.change for at in possible for each in self.controls(at)], passing=passing)
        for at in possible:
            yield from self.slots(at, pins)

    def empty(self, region: RegionView) -> list[Change]:
        """Reset arcs that end a whole region."""
        return self._resetting(list(self.region_slots(region, {})), None, {})

    def _resetting(self, slots: list[Slot], ended: str | None, pins: Pins) -> list[Change]:
        """Empty all these places, however the tokens lie; but workers go back, and what was being undone is to be."""
        pinned = _pinned(ended, pins)
        emptied: set[str] = set()
        passing = frozenset(place for slot in slots for place in slot.passing if self.is_known(take(place)))
        parts = [[pinned & Change(without=passing)]]
        for slot in slots:
            known = [each for each in slot.changes if self.is_known(each)]
            if any(place in pinned.takes for each in known for place in each.takes):
                emptied |= {place for each in known if not each.gives for place in each.takes}
                continue
            owing = [each for each in known if each.gives]
            if owing and slot.whole:
                owing = known
            firsts = frozenset(next(iter(each.takes)) for each in owing)
            if owing:
                parts.append([Change(without=firsts), *owing])
            if not (owing and slot.whole):
                emptied |= {place for each in known if not each.gives for place in each.takes}
        found = combinations(parts, MOST_OWING)
        if found is None:
            raise NotCovered(
                f"leaving a state of {self.view.workflow.name!r} would need more than {MOST_OWING:,} net transitions, "
                "one for each combination of workers at work inside. Leave pools out."
            )
        reset = frozenset(emptied - set(pinned.takes))
        return [each & Change(empties=reset) for each in found]

    # --- getting in ---------------------------------------------------------------------------------------

    def arrivals(self, at: StateView) -> Iterator[tuple[str, Tokens]]:
        """Ways to enter a state: what it does on entry may raise (M3.9), its durations, the input of its work (M10.3).

        Each is where the token of the region comes to lie, and the tokens inside the state.
        """
        own = at.state.name
        deadlines = [at.state.timeout_tree, *(tree for each in at.leaving for tree in each.transition.time_trees)]
        late = any(tree is not None and can_raise(tree) for tree in deadlines)
        early = entering_fails(self.view, at.state)
        raised = [[], *([[own]] if late and own not in early else []), *([each] for each in early)]
        # What is done on entry comes first, so its error does; that of a duration waits behind it.
        raised += [[each, own] for each in early if late and each != own]
        for sources in raised:
            control = self.own_error(at, sources[0]) if sources else at.name
            waiting = [self.pending_place(at, ErrorClass(source)) for source in sources[1:]]
            free = [self.no_pending(place) for place in self.pending_at(at) if place not in waiting]
            for work in self._starts(at):
                yield control, total(work, dict.fromkeys([*free, *waiting], 1))

    def _starts(self, at: StateView) -> list[Tokens]:
        """Tokens with which the work of a state begins."""
        activity = at.state.activity
        if activity is not None:
            found = [{attempt_place(at.name, "scheduled", 1): 1}]
            return [*found, {f"{at.name}.failed": 1}] if inputs_raise(activity) else found
        if at in self.works:
            return self.works[at].starts()
        if at.inner:
            # M4.3: all regions are entered at once.
            inner = [[total({control: 1}, more) for control, more in self.arrivals(r.initial)] for r in at.inner]
            return [total({f"{at.name}.joining": 1}, *each) for each in product(*inner)]
        return [{}]


def _pinned(ended: str | None, pins: Pins) -> Change:
    """What is known to be taken."""
    change = take(ended) if ended is not None else Change()
    for pin in pins.values():
        change = change & pin.change & (take(pin.ended) if pin.ended is not None else Change())
    return change


def _possible(region: RegionView, pins: Pins) -> list[StateView]:
    """States in which a region can be where these tokens are known."""
    if region in pins:
        return [pins[region].at]
    within = [at for at in region.states.values() if any(_lies_in(pinned, at) for pinned in pins)]
    return within or list(region.states.values())


def _lies_in(region: RegionView, at: StateView) -> bool:
    """Whether a region lies inside a state, to any depth."""
    above = region.parent
    while above is not None:
        if above is at:
            return True
        above = above.above
    return False
