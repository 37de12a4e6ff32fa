"""What can happen in a state: every stimulus that the surroundings may send there, put through `step`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

from wfsim.semantics.codec import N_SCRATCH
from wfsim.semantics.codes import (
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CHILD_CLOSED,
    COMMANDS,
    EVENT,
    R_EVENT_DEFERRED,
    R_EVENT_DISCARDED,
    R_EVENT_REJECTED,
    R_STIMULUS_IGNORED,
    TIMER,
)
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Host, Output
from wfsim.semantics.possible import POSSIBILITY, UNSEEN, handles, possible
from wfsim.semantics.program import Program
from wfsim.semantics.snapshot import Mark, Snapshot, from_snapshot
from wfsim.semantics.stimulus import Stimulus
from wfsim.semantics.texts import Texts
from wfsim.verification.workflows.candidates import child_ends
from wfsim.verification.workflows.edges import Happened, happened_in

Successor: TypeAlias = tuple[Stimulus, tuple[int, ...], Instance, Output]
"""What happens, which answers the surroundings give to the questions of the step, and what comes of it."""

_VAIN = (R_EVENT_REJECTED, R_EVENT_DEFERRED, R_EVENT_DISCARDED, R_STIMULUS_IGNORED)


class Outside(Protocol):
    """The values that come from outside: those tried, or markers that stand for all."""

    def starts(self) -> Iterator[Stimulus]:
        """Ways to start."""
        ...

    def moments(self) -> list[int]:
        """Times at which something may happen, earliest first."""
        ...

    def payloads(self, event: str) -> Iterator[dict[str, Any]]:
        """Payloads of an event."""
        ...

    def results(self, row: int) -> list[Any]:
        """What an activity returns into the variable of that row; -1: it has none."""
        ...

    def errors(self, activity: int) -> Iterator[tuple[str, str | None]]:
        """Error types and messages of an activity."""
        ...


class ScriptedHost(Host, Protocol):
    """Surroundings that answer a question in one of several ways, as a script says."""

    asked: list[int]
    """How many answers each question had that was asked since `begin`."""

    def begin(self, script: list[int]) -> None:
        """Answer the next questions by this script, and the first choice beyond it."""
        ...


class Successors:
    """All that can happen to one instance.

    Parameters
    ----------
    texts
        What the handles in snapshots refer to; grows.
    outside
        The values that come from outside.
    host
        Who answers for a program whose expressions are not evaluated; `None` for one whose are.
    """

    def __init__(self, program: Program, texts: Texts, outside: Outside, host: ScriptedHost | None) -> None:
        self.program = program
        self.texts = texts
        self.outside = outside
        self.host = host
        self._told: dict[Happened, Happened] = {}

    def instance(self, snapshot: Snapshot | None) -> Instance:
        """An instance in that state; `None` is before the start."""
        if snapshot is None:
            instance = Instance(self.program, texts=self.texts)
        else:
            instance = from_snapshot(self.program, self.texts, snapshot)
        if self.host is not None:
            instance.host = self.host
        return instance

    def apply(self, instance: Instance, stimulus: Stimulus, script: list[int]) -> Output:
        """Put a stimulus through `step`; questions are answered by the script, if there is a host for them."""
        if self.host is not None:
            self.host.begin(script)
        return instance.apply(stimulus)

    def of(self, snapshot: Snapshot | None) -> Iterator[Successor]:
        """All that can happen in a state, in one instance that is put back after each."""
        instance = self.instance(snapshot)
        mark = Mark(instance)
        stimuli = list(self.outside.starts() if snapshot is None else self._stimuli(instance))
        if self.program.head.reads_clock:
            # M6.1: time never decreases.
            times = [moment for moment in self.outside.moments() if moment >= instance.time]
            stimuli = [replace(stimulus, time=moment) for stimulus in stimuli for moment in times or [instance.time]]
        for stimulus in stimuli:
            script: list[int] | None = []
            while script is not None:
                output = self.apply(mark.restore(), stimulus, script)
                if not (stimulus.kind == "event" and len(output.records) > 1 and output.records[1].kind in _VAIN):
                    yield stimulus, tuple(script), instance, output
                script = None if self.host is None else _next_script(script, self.host.asked)

    def _stimuli(self, instance: Instance) -> Iterator[Stimulus]:
        """Everything that can happen to an instance in this state, with every value that is tried."""
        head, size = self.program.head, len(instance.m)
        found = [0] * (POSSIBILITY * (head.n_events + 3 * size))
        n = possible(self.program.rows, instance.m, 0, [0] * (N_SCRATCH * size), found)
        for at in range(0, POSSIBILITY * n, POSSIBILITY):
            kind, row, named, attempt = found[at : at + POSSIBILITY]
            if kind == EVENT:
                event = self.program.name(row) or ""
                for payload in self.outside.payloads(event):
                    yield Stimulus("event", event=event, payload=payload)
            elif kind == TIMER:
                yield Stimulus("timer", timer=row, timer_id=named)
            elif kind == CHILD_CLOSED:
                yield from child_ends(self._results(row), named)
            elif kind == ACTIVITY_STARTED:
                yield Stimulus("activity_started", activity_id=named, attempt=attempt)
            elif kind == ACTIVITY_SUCCEEDED:
                for result in self._results(row):
                    yield Stimulus("activity_succeeded", activity_id=named, attempt=attempt, result=result)
            elif kind == ACTIVITY_FAILED:
                common: dict[str, Any] = {"activity_id": named, "attempt": attempt}
                for error_type, message in self.outside.errors(row):
                    yield Stimulus("activity_failed", error_type=error_type, message=message, **common)
            else:
                yield Stimulus("control", command=COMMANDS[row])

    def _results(self, variable: int) -> list[Any]:
        """What an activity or child may return, for its result variable."""
        return [None] if variable == UNSEEN else self.outside.results(variable)

    def handles(self, instance: Instance, event: str) -> bool:
        """Whether a transition of the root region's state waits for the event."""
        return bool(handles(self.program.rows, instance.m, 0, self.program.event_rows[event]))

    def happened(self, output: Output) -> Happened:
        """What a step records of what can be asked about, each list kept once."""
        found = happened_in(output)
        return self._told.setdefault(found, found)


def _next_script(script: list[int], asked: list[int]) -> list[int] | None:
    """The next answers to try: the last question that has a further answer gets it, and later ones start over."""
    full = script + [0] * (len(asked) - len(script))
    for at in range(len(asked) - 1, -1, -1):
        if full[at] + 1 < asked[at]:
            return [*full[:at], full[at] + 1]
    return None
