"""M4.4 in the net: a child as one place that it leaves in every way it may close, or as a net of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .actions import inputs_raise
from .changes import Change, Move, combinations, take
from .draft import NetDraft
from .place_names import Tokens
from .tokens import ANYWHERE, Slot
from .views import StateView

if TYPE_CHECKING:
    from .log import Entry, Log
    from .tokens import Configurations
    from .views import WorkflowView


class NestedNet(Protocol):
    """The net of a child, as its parent needs it."""

    start: str
    tokens: Configurations
    log: Log
    view: WorkflowView

    def add(self) -> None:
        """Make its places and net transitions."""
        ...

    def cancelling(self) -> list[Change]:
        """Ways to end it while it is being cancelled."""
        ...

    def passing(self) -> list[str]:
        """What is on its way through."""
        ...


@dataclass
class Child:
    """The work of a state that runs another workflow, whose net stands inside if it is known.

    `entry` is what it leaves in the log (M9.1).
    """

    at: StateView
    draft: NetDraft
    entry: Entry | None
    nested: NestedNet | None = None

    @property
    def _called(self) -> str:
        """M9.1: it is about to start, and to enter the log."""
        return f"{self.at.name}.called"

    @property
    def well(self) -> str:
        """Where it leads when it has completed well: it may have to enter the log yet."""
        logs = self.entry is not None and not self.entry.attempted
        return f"{self.at.name}.{'completed' if logs else 'succeeded'}"

    @property
    def _place(self) -> str:
        return f"{self.at.name}.child" if self.nested is None else self.nested.start

    def _ends(self) -> list[str]:
        return [f"{self.at.name}.{end}" for end in ("succeeded", "failed", "ended")]

    def add(self) -> None:
        """The child runs, and closes well or badly."""
        invoke, name, source = self.at.state.invoke, self.at.name, self.at.source
        assert invoke is not None
        for place in self._ends():
            self.draft.place(place, source)
        if self.nested is None:
            self.draft.place(self._place, source)
            self.draft.fire(f"{invoke.workflow} completes for {name}", source, {self._place: 1}, {self.well: 1})
            self.draft.fire(f"{invoke.workflow} fails for {name}", source, {self._place: 1}, {f"{name}.failed": 1})
        else:
            self.nested.add()
        if self.entry is not None:
            self._add_log(self.entry)

    def _add_log(self, entry: Entry) -> None:
        """M9.1: it enters the log as it starts, or as it completes."""
        over, after = (self._called, self._place) if entry.attempted else (self.well, f"{self.at.name}.succeeded")
        self.draft.place(over, self.at.source)
        for entered in entry.enters():
            change = Change({over: 1}, {after: 1}) & entered
            self.draft.make(Move(change, f"{entry.name} enters the log", self.at.source))

    def starts(self) -> list[Tokens]:
        """It starts, unless its input raises."""
        invoke = self.at.state.invoke
        found = [{self._called if self.entry is not None and self.entry.attempted else self._place: 1}]
        if invoke is not None and inputs_raise(invoke):
            found.append({f"{self.at.name}.failed": 1})
        return found

    def ways(self, ended: str | None) -> list[Change] | None:
        """Ways to end it: nobody waits for it, so its tokens are gone at once."""
        if ended is not None:
            return [take(ended)]
        plain = [take(place) for place in (self._place, *self._ends())]
        if self.nested is None:
            return plain
        tokens = self.nested.tokens
        plain = [each for each in plain if tokens.is_known(each)]
        logs = [
            [take(place) for place in entry.places if tokens.is_known(take(place))] for entry in self.nested.log.entries
        ]
        running = combinations(
            [self._bare(tokens.region_ways(self.nested.view.root, {}, ANYWHERE)), *logs], tokens.limit
        )
        cancelling = combinations([self._bare(self.nested.cancelling()), *logs], tokens.limit)
        if running is None or cancelling is None or len(running) + len(cancelling) + len(plain) > tokens.limit:
            return None
        return [*running, *cancelling, *plain]

    def slots(self) -> list[Slot]:
        """Where its tokens may lie."""
        own = Slot([take(place) for place in (self._place, *self._ends())], passing=self._entering())
        if self.nested is None:
            return [own]
        logs = [Slot([take(place) for place in entry.places]) for entry in self.nested.log.entries]
        inside = [
            Slot(self.nested.cancelling(), passing=self.nested.passing()),
            *self.nested.tokens.region_slots(self.nested.view.root, {}),
        ]
        return [own, *(Slot(self._bare(slot.changes) or [], slot.whole, slot.passing) for slot in inside), *logs]

    def _entering(self) -> list[str]:
        """Where it is about to enter the log, which is part of the step that starts or ends it."""
        if self.entry is None:
            return []
        return [self._called if self.entry.attempted else self.well]

    def lasting(self) -> list[str]:
        """Places one of which is marked while it runs, or once its end has been offered; a net has many."""
        return [self._place, f"{self.at.name}.ended"] if self.nested is None else []

    def _bare(self, changes: list[Change] | None) -> list[Change] | None:
        """The same without the log, which goes as well."""
        if changes is None or self.nested is None:
            return changes
        log = {place for entry in self.nested.log.entries for place in entry.places}
        return [
            Change(
                {place: n for place, n in each.takes.items() if place not in log},
                {place: n for place, n in each.gives.items() if place not in log},
            )
            for each in changes
        ]
