"""Several instances that send each other messages, stepped by hand: each a `Stepping`, and one timeline of all.

A message reaches its receiver within the step that sends it, as the post office decides (M7.2, M7.3): it is delivered,
starts an instance, waits for one, or comes back.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from wfsim.errors import WfsimError, listed
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.post import Handling, Letter, PostOffice
from wfsim.semantics.stimulus import Stimulus

from .places import likeliest
from .stepping import Stepping
from .ways import Ways

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow

    from .ways import Step

_TURNED_AWAY = ("event_rejected", "stimulus_ignored")


class Place(NamedTuple):
    """How far an instance has come, on which of its ways."""

    stepping: Stepping
    way: int
    cursor: int

    @property
    def instance(self) -> Instance | None:
        """The instance there; none that has not started."""
        return self.stepping.ways.all[self.way][self.cursor - 1].instance if self.cursor else None


@dataclass(frozen=True, slots=True)
class Move:
    """One step of all: who did what, and after it how far each instance has come, and the post."""

    member: str
    title: str
    stimulus: tuple[str, Stimulus]
    time: int
    places: Mapping[str, Place]
    states: tuple[str, ...]
    post: tuple[Any, ...]


class Meeting:
    """Instances that talk.

    Parameters
    ----------
    workflows
        One instance of each, by its id: what messages to an instance are addressed to.
    input
        Inputs by id. Instances that need none, or have them, are started in the order given; others wait for
        `do(id, "start", …)`.
    catalogue
        Where the workflows are found that they run as children.

    Attributes
    ----------
    members
        The instances, by id; those that a message starts have the id that the meaning gives them (M7.2).
    moves, cursor
        What happened, in order, and how many of it have been taken.
    ways
        All ways that were gone; `moves` are those of the current one.
    problem, stopped
        As of `Stepping`.

    Raises
    ------
    WfsimError
        If inputs are for nobody.
    StartRefused
        If inputs do not fit.
    """

    def __init__(
        self,
        workflows: Mapping[str, Workflow],
        input: Mapping[str, Mapping[str, Value]] | None = None,
        *,
        catalogue: Catalogue | None = None,
    ) -> None:
        given = dict(input or {})
        unknown = [name for name in given if name not in workflows]
        if unknown or not workflows:
            raise WfsimError(
                f"there are inputs for {listed(map(repr, unknown))}, but the instances are {listed(workflows)}."
                if unknown
                else "give one workflow at least."
            )
        self._catalogue = catalogue
        self._programs = {flow.name: compile_workflow(flow, catalogue) for flow in workflows.values()}
        self.members = {name: self._new(flow) for name, flow in workflows.items()}
        self.ways: Ways[Move] = Ways([])
        self.cursor = 0
        self.problem = self.stopped = ""
        self._post = PostOffice(self._programs, self._is_closed)
        self._first = copy.deepcopy(self._post.state())
        for name, stepping in self.members.items():
            action = stepping.possible()[0]
            if name in given or not any(one.required for one in action.parameters):
                self._take(name, stepping.stimulus_of("start", given.get(name, {})))

    @property
    def moves(self) -> list[Move]:
        """What happened, in order; what lies beyond `cursor` is the future that going forward brings back."""
        return self.ways.current

    def do(self, member: str, action_id: str, values: Mapping[str, Value], pace: int | None = None) -> bool:
        """Let something happen to a member, and all that its messages cause; False, and `problem` says why, if not."""
        stepping = self._at(member)
        stepping.pace = pace
        stepping.earliest = self.time
        try:
            self._take(member, stepping.stimulus_of(action_id, values))
        except WfsimError as error:
            self.jump(self.cursor)
            self.problem = str(error)
            return False
        self.problem = self.stopped = ""
        return True

    def jump(self, to: int) -> bool:
        """Go to after the first `to` moves; False if there are not so many."""
        if not 0 <= to <= len(self.moves):
            self.problem = f"there is no step {to}: steps go from 0 to {len(self.moves)}."
            return False
        places: Mapping[str, Place] = self.moves[to - 1].places if to else {}
        for name, stepping in list(self.members.items()):
            place = places.get(name, Place(stepping, stepping.ways.number, 0))
            self.members[name] = place.stepping
            place.stepping.ways.number = place.way
            place.stepping.jump(place.cursor)
        self._post.restore(copy.deepcopy(self.moves[to - 1].post if to else self._first))
        self.cursor, self.problem, self.stopped = to, "", ""
        return True

    def take_way(self, number: int) -> bool:
        """Go to the end of another of the `ways`; False, and `problem` says why, if there are not so many."""
        if not 0 <= number < len(self.ways.all):
            self.problem = f"there is no way {number}: ways go from 0 to {len(self.ways.all) - 1}."
            return False
        self.ways.number = number
        return self.jump(len(self.moves))

    def play(self) -> bool:
        """One step of playing: forward, or what comes to mind first of what the members can do, each in turn.

        It stops where nobody can go on, and at the breakpoints of all members.
        """
        before = {name: self.members[name].instance for name in self.present}
        went = self._goes_on()
        if went:
            told = [
                (name, self.members[name].breakpoints.hit(was, self.members[name].instance))
                for name, was in before.items()
            ]
            self.stopped = next((f"stopped at the breakpoint {hit} of {name}." for name, hit in told if hit), "")
        return went

    def _goes_on(self) -> bool:
        if self.cursor < len(self.moves):
            return self.jump(self.cursor + 1)
        last = self.moves[-1].member if self.moves else ""
        names = self.present
        turn = names.index(last) + 1 if last in names else 0
        for name in names[turn:] + names[:turn]:
            likely = likeliest(self.members[name].possible(), self.members[name].lit())
            if likely is not None and self.do(name, likely.id, {}):
                return True
        self.problem, self.stopped = "", "the end: nobody can go on."
        return False

    @property
    def present(self) -> list[str]:
        """The ids of all instances that are there now."""
        return [name for name, stepping in self.members.items() if stepping.cursor or not _by_letter(name, stepping)]

    @property
    def time(self) -> int:
        """The latest time of any of them."""
        return max(stepping.instance.time for stepping in self.members.values())

    # --- inside ----------------------------------------------------------------------------------

    def _new(self, workflow: Workflow) -> Stepping:
        return Stepping(Instance(self._programs[workflow.name]), catalogue=self._catalogue)

    def _at(self, member: str) -> Stepping:
        if member not in self.present:
            raise WfsimError(f"there is no {member!r} here. There are: {listed(self.present)}.")
        return self.members[member]

    def _is_closed(self, name: str) -> bool:
        return name in self.members and self.members[name].instance.is_closed

    def _take(self, member: str, stimulus: Stimulus) -> None:
        """Apply a stimulus, then carry the letters round until none is under way."""
        step = self.members[member].take(stimulus)
        post = deque(self._letters(member, step))
        while post:
            found = self._handled(post.popleft())
            if found.what == "start":
                # What was kept for it comes first, and nothing that is sent later before what starts it.
                post.extendleft(reversed([*self._begin(found), replace(found, what="deliver")]))
            else:
                post.extend(self._carry(found))
        for letter in self._post.overdue(self.time):
            self._carry(Handling("send_back", letter, reason="expired"))
        places = {name: Place(each, each.ways.number, each.cursor) for name, each in self.members.items()}
        time = self.members[member].instance.time
        states = tuple(f"{name}: {each.instance.state}" for name, each in self.members.items() if each.cursor)
        post_now = copy.deepcopy(self._post.state())
        self.ways.go(self.cursor, Move(member, step.title, (member, stimulus), time, places, states, post_now))
        self.cursor += 1

    def _handled(self, one: Handling | Letter) -> Handling:
        """What is to be done with what a step had for others, now that the step is over."""
        return one if isinstance(one, Handling) else self._post.send(one, self.time, self.members[one.sender].workflow)

    def _begin(self, handling: Handling) -> list[Handling | Letter]:
        """A letter starts an instance."""
        member = handling.receiver
        self.members[member] = self._new(self._programs[handling.workflow].workflow)
        start = Stimulus("start", self.time, payload=dict(handling.inputs), sender=handling.letter.sender)
        return self._letters(member, self.members[member].take(start))

    def _letters(self, member: str, step: Step) -> list[Handling | Letter]:
        """What a step has for others: letters sent, letters turned away, letters that waited for this instance."""
        found: list[Handling | Letter] = []
        workflow = self.members[member].workflow
        for record in step.records:
            if record.kind == "started":
                kept = self._post.opened(member, workflow.name, step.instance.correlation_key)
                found += [Handling("deliver", letter, member) for letter in kept]
            elif record.kind == "message_sent" and record.payload["to"] != "self":
                told = record.payload
                what, payload = record.event or "", told.get("payload", {})
                found.append(Letter(member, told["message_id"], told["to"], told.get("key"), what, payload))
            elif record.kind in _TURNED_AWAY and step.stimulus.event_id is not None and step.stimulus.sender:
                number = int(step.stimulus.event_id.rpartition(":m")[2])
                letter = Letter(step.stimulus.sender, number, member, None, record.event or "")
                found.append(Handling("send_back", letter, reason=str(record.payload.get("reason", "closed"))))
            elif record.kind == "instance_closed":
                self._post.closed(member)
        return found

    def _carry(self, handling: Handling) -> list[Handling | Letter]:
        letter = handling.letter
        if handling.what == "send_back":
            if letter.sender not in self.members or self.members[letter.sender].instance.is_closed:
                return []
            back = Stimulus("message_returned", self.time, message_id=letter.number, reason=handling.reason)
            return self._letters(letter.sender, self.members[letter.sender].take(back))
        if handling.what == "keep":
            return []
        event = Stimulus(
            "event",
            self.time,
            event=letter.event,
            payload=dict(letter.payload),
            event_id=letter.id,
            sender=letter.sender,
        )
        return self._letters(handling.receiver, self.members[handling.receiver].take(event))


def _by_letter(name: str, stepping: Stepping) -> bool:
    """Whether a message has started this instance: it is not there before."""
    return name.rpartition(":m")[2].isdigit() and bool(stepping.steps)
