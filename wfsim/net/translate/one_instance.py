"""The net of one instance, put together from its parts; children have nets of their own inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wfsim.errors import NetError, NotCovered
from wfsim.model.catalogue import Catalogue
from wfsim.model.elements import Outcome, Unhandled
from wfsim.model.operations import Invoke
from wfsim.model.uses import invoked
from wfsim.model.workflow import Workflow

from .activities import Activities
from .changes import BOTH, Change, Move, read, take
from .children import Child
from .compensating import Undoing
from .draft import NetDraft
from .endings import Endings
from .events import Events
from .flights import Flights
from .items import Items
from .joins import add_join
from .log import Flight, Log
from .messages import PostOffice
from .place_names import CANCELLED, CANCELLING, CLOSINGS, FAILED, FINAL, LOG, START, free_name, undo_prefix
from .states import States
from .tokens import Configurations, Knowledge
from .views import StateView, WorkflowView


@dataclass(frozen=True)
class Surroundings:
    """What all instances of a net share.

    Attributes
    ----------
    known
        What a first draft has shown; `None` while that is being made.
    limit
        Variants of a net transition up to which there are no reset arcs.
    bound
        Most items of a list whose length is left open.
    """

    draft: NetDraft
    pools: Mapping[str, int]
    catalogue: Catalogue
    known: Knowledge | None
    limit: int
    bound: int
    post: PostOffice


class InstanceNet:
    """One instance: a token in `start` sets it off.

    Parameters
    ----------
    prefix
        What the names of its places begin with.
    ends
        Where a child leads that has completed well, and one that has not; without, all ends lead to `final`.
    around
        The workflows that run it as their child, outermost first.
    """

    def __init__(
        self,
        workflow: Workflow,
        shared: Surroundings,
        prefix: str = "",
        ends: tuple[str, str] | None = None,
        around: tuple[Workflow, ...] = (),
    ) -> None:
        whose = f" of {prefix.rstrip('/')}" if prefix else ""
        self.view = WorkflowView(workflow, prefix, whose)
        self.shared = shared
        self.draft = shared.draft
        self.log = Log(self.view)
        states = [at.state.name for at in self.view.root.states.values()]
        self.start = prefix + free_name(START, "the start", states)
        self.final = prefix + free_name(FINAL, "the end", states)
        self.ends = ends or (self.final, self.final)
        self.is_child = ends is not None
        self.around = (*around, workflow)
        self.activities = Activities(self.view, self.draft, frozenset(shared.pools))
        self.tokens = Configurations(self.view, self.draft, self.activities, self.log, shared.known, shared.limit)
        self.undoing = Undoing(self.draft, self.activities, self.log)
        self.flights = Flights(
            self.view, self.draft, self.activities, self.log, self.tokens, self.undoing, shared.post.post
        )
        self._children: list[InstanceNet] = []
        self._works()

    def _works(self) -> None:
        """Children and lists."""
        for at in self.view.states:
            if at.state.invoke is not None:
                child = Child(at, self.draft, self.log.of_child(at))
                self.tokens.works[at] = child
                child.nested = self._nested(at, at.state.invoke, child.well)
            elif at.state.for_each is not None:
                self.tokens.works[at] = Items(
                    at, self.draft, self.activities, self.log, self.shared.known, self.shared.limit, self.shared.bound
                )

    def _nested(self, at: StateView, invoke: Invoke, well: str) -> InstanceNet | None:
        """The child of a state, if a catalogue says which workflow that is."""
        if not len(self.shared.catalogue):
            return None
        wanted = (at.state.name, invoke.workflow, invoke.version)
        uses = invoked(self.view.workflow)
        use = next(use for use in uses if (use.state, use.workflow, use.version) == wanted)
        child = self.shared.catalogue.child(self.view.workflow, use)
        if any(each.name == child.name for each in self.around):
            circle = " → ".join(each.name for each in (*self.around, child))
            raise NotCovered(
                f"workflows run each other without end: {circle}. A net holds each child inside its parent, so there "
                "is none for them. Leave the catalogue out: each open child is then one place."
            )
        ends = well, f"{at.name}.failed"
        net = InstanceNet(child, self.shared, f"{at.name}/{child.name}/", ends, self.around)
        self._children.append(net)
        return net

    @property
    def children(self) -> list[InstanceNet]:
        """The nets of children inside."""
        return self._children

    # --- ends ---------------------------------------------------------------------------------------------

    def _over(self, goal: str) -> str:
        """Where a token goes to reach its goal: what the log still holds is forgotten on the way."""
        for number, entry in reversed(list(enumerate(self.log.entries))):
            place = f"{self.view.prefix}forgets {number + 1} → {goal}"
            if place in self.draft.places:
                goal = place
                continue
            self.draft.place(place, self.draft.places[goal])
            for held in (entry.absent, entry.present, entry.tried):
                self.draft.place(held, LOG)
                self.draft.fire(f"the log forgets {entry.name}", LOG, {place: 1, held: 1}, {goal: 1})
            goal = place
        return goal

    def _closed(self, status: str) -> str:
        return f"{self.view.prefix}{status}"

    def cancelling(self) -> list[Change]:
        """Compensators at work while the instance is cancelling, each with its entry in the log."""
        return [
            way & left
            for entry in self.log.entries
            for way in self.activities.open_ways(undo_prefix(self._closed(CANCELLING), entry.name), entry.undo)
            for left in self.log.given_up(entry)
            if self.tokens.is_known(way)
        ]

    def passing(self) -> list[str]:
        """Places that the instance leaves by itself while it closes."""
        prefix = self._closed(CANCELLING)
        ends = [f"{undo_prefix(prefix, e.name)}.{end}" for e in self.log.entries for end in ("succeeded", "failed")]
        forgetting = [place for place in self.draft.places if place.startswith(f"{self.view.prefix}forgets ")]
        return [prefix, *ends, *forgetting, *map(self._closed, CLOSINGS)]

    # --- the whole ----------------------------------------------------------------------------------------

    def add_places(self) -> None:
        """The places that every instance has, in the order in which people read them."""
        self.draft.place(self.start, START)
        names = [at.name for at in self.view.states]
        for name in names:
            if names.count(name) > 1:
                raise NetError(f"two states of {self.view.workflow.name!r} have the path {name!r}. Rename one of them.")
        for at in self.view.states:
            self.draft.place(at.name, at.source)

    def add(self) -> None:
        """All places and net transitions of the instance."""
        view, draft, tokens = self.view, self.draft, self.tokens
        self.add_places()
        for entry in self.log.entries:
            for place in entry.places:
                draft.place(place, LOG)
        for closing in CLOSINGS:
            draft.place(self._closed(closing), closing)
        if not self.is_child:
            draft.place(self.final, FINAL)
        self._start()
        for at in view.states:
            if at.state.activity is not None:
                self.activities.add(at.name, at.state.activity.name, at.source, self.log.of(at.state.activity.name, at))
                draft.place(f"{at.name}.ended", at.source)
            elif at in tokens.works:
                work = tokens.works[at]
                assert isinstance(work, (Child, Items))
                work.add()
        for at in view.states:
            if at.inner:
                add_join(tokens, draft, at)
        closed = {closing: self._closed(closing) for closing in CLOSINGS}
        if self.log.entries:
            closed[CANCELLED] = self._closed(CANCELLING)
            self._cancel()
        endings = Endings(self.flights, closed)
        well, badly = self._over(self.ends[0]), self._over(self.ends[1])
        self._events()
        States(self.flights, endings, {Outcome.SUCCESS: well, Outcome.FAILURE: badly}, self.is_child).add()
        while True:
            n = len(tokens.erring), sum(map(len, tokens.pending.values()))
            endings.add_waiting_errors()
            endings.add_pending()
            if n == (len(tokens.erring), sum(map(len, tokens.pending.values()))):
                break
        self._passing_messages()
        self._show_dead()
        for closing in CLOSINGS:
            draft.fire(f"{view.prefix}over: {closing}", closing, {self._closed(closing): 1}, {badly: 1})

    def _passing_messages(self) -> None:
        """M3.9, M7.2: what a state sends on entry and on leaving, it may send at any time while it is active."""
        for at in self.view.states:
            sent = [(each.sends.event, each.sends.addressed) for each in at.state.actions if each.sends is not None]
            for event, to in dict.fromkeys(sent):
                if to is None:
                    continue
                for posted in self.shared.post.post(((event, to),)):
                    for control in self.tokens.controls(at):
                        stays = Change(control.change.takes, control.change.takes)
                        self.draft.make(Move(stays & posted, f"{at.name} sends {event} to {to}", at.source))

    def _start(self) -> None:
        """M1.2: the first configuration, and an empty log."""
        started = self.shared.post.starting(self.view)
        empty = {entry.absent: 1 for entry in self.log.entries}
        label, source = f"{self.view.prefix}start", START
        for control, inside in self.tokens.arrivals(self.view.root.initial):
            begun = take(self.start).giving({control: 1}, inside, empty)
            for change in [begun & read(message) for message in started] or [begun]:
                self.draft.make(Move(change, label, source))

    def _cancel(self) -> None:
        """M8.3: everything in the log is undone, then the instance is cancelled; or has failed."""
        prefix = self._closed(CANCELLING)
        well, badly = self.undoing.add(prefix, prefix, None, CANCELLED, Flight())
        for ends, closing in ((well, CANCELLED), (badly, FAILED)):
            for end in ends:
                label = f"{self.view.prefix}cancelling ends: {closing}"
                self.draft.make(Move(end.giving({self._closed(closing): 1}), label, CANCELLED))

    def _events(self) -> None:
        """M2.3, M7.1: events from outside; those that others in this net send come from them alone."""
        events = Events(self.flights, self.shared.limit)
        sent = self.shared.post.sent_to(self.view)
        for event in self._heard():
            if event in sent:
                continue
            for answer in events.answers(event):
                if answer.move is not None:
                    self.draft.make(answer.move.under(answer.change))
        starting = self.shared.post.starting(self.view)
        for event, (message, room) in sent.items():
            arrives = Change({message: 1}, {room: 1})
            # What becomes of messages that nobody takes stands for no element: it need not happen, so it is never dead.
            for answer in events.answers(event) if event in self.view.root.heard else []:
                if answer.move is not None:
                    self.draft.make(answer.move.under(answer.change & arrives))
                elif self._unhandled(event) is not Unhandled.DEFER:
                    label = f"{message} is turned away"
                    self.draft.make(Move(answer.change & arrives, label, START))
            for place in (self.final,) if message in starting else (self.start, self.final):
                self.draft.make(Move(read(place) & arrives, f"{message} comes back", START))
            if event not in self.view.root.heard:
                self.draft.make(Move(arrives, f"{message} is turned away", START))

    def _heard(self) -> list[str]:
        """Events from outside, in order of first use."""
        return list(dict.fromkeys(t.trigger for t in self.view.transitions if t.trigger in self.view.root.heard))

    def _unhandled(self, event: str) -> Unhandled:
        declared = self.view.workflow.events.get(event)
        own = declared.unhandled if declared is not None else None
        return own or self.view.workflow.unhandled

    def _show_dead(self) -> None:
        """Show workflow transitions that nothing can set off as dead net transitions, fed by a place without tokens.

        They leave a terminal state (M3.7), stand behind one that is always taken first (M2.3), or wait for
        something that never happens in their state.
        """
        shown = {part for source in self.draft.transitions.values() for part in source.split(BOTH)}
        for each in self.view.transitions:
            if each.source not in shown:
                name = each.origin.name
                never = self.draft.place(f"never in {name}", f"never in {name}")
                self.draft.fire(each.label, each.source, {name: 1, never: 1}, {each.target.name: 1})
