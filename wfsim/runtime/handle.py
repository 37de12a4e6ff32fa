"""`Run`: the handle that people hold of a running instance."""

from __future__ import annotations

import html
import threading
import weakref
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

from wfsim.errors import RunStopped, WaitTimeout, WfsimError, did_you_mean, listed
from wfsim.model.duration import Duration
from wfsim.model.values import brief
from wfsim.semantics.codes import COMMANDS, R_STIMULUS_IGNORED, T_DUPLICATE

from . import waiting
from .entries import CONTROLS, EVENTS
from .explain import Explanation, explain
from .family import members_of_children
from .sending import Answer, answer_to, checked_id, payload_copy

if TYPE_CHECKING:
    from types import TracebackType

    from wfsim.history.history import History
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.pending import Timer
    from wfsim.semantics.records import Record

    from .member import Driver, Member
    from .stores import Lease
    from .view import View
    from .waiting import Asked, Timeout

Until: TypeAlias = "str | Callable[[Run], bool] | None"


@dataclass(frozen=True, slots=True)
class RunActivity:
    """An open activity of a run; `detail` is what its last heartbeat said, `index` the item of a `for_each`."""

    activity: str
    activity_id: int
    attempt: int
    phase: str
    region: str
    detail: Value = None
    index: int | None = None


class Run:
    """A running instance, as `start` and `reopen` give it.

    What is read here was stored before: state, variables and the rest are those after the last append. All
    methods may be called from any thread. Use it as context manager, or `close` it: that ends its threads and
    lets go of the file, while the instance stays open in the store. An instance runs with its family, its children
    and theirs; `children` gives handles of them, which need not be closed.

    Attributes
    ----------
    id
        What the instance is called in the store.
    """

    def __init__(self, member: Member, held: Lease, owner: Run | None = None) -> None:
        self.id = member.name
        self._member = member
        self._lease = held
        self._program = member.program
        self._history: History | None = None
        self._kept: list[Record] | None = None
        # The one whose closing ends the family; handles of children keep it, and it knows them.
        self._owner = self if owner is None else owner
        self._handles: weakref.WeakValueDictionary[str, Run] = weakref.WeakValueDictionary()
        if owner is None:
            self._finalizer = weakref.finalize(self, _let_go, member.dispatcher, held)

    # --- what is seen ----------------------------------------------------------------------------

    @property
    def _view(self) -> View:
        return self._member.view

    @property
    def workflow(self) -> Workflow:
        """The definition it runs."""
        return self._program.workflow

    @property
    def state(self) -> str:
        """The active state of the workflow."""
        return self._view.state

    @property
    def configuration(self) -> dict[str, str]:
        """The active state of each region; the workflow's own region is named ''."""
        return dict(self._view.configuration)

    @property
    def status(self) -> str:
        """`running`, `paused`, `cancelling`, `completed`, `failed`, `cancelled`, `terminated`, `timed_out`.

        `stopped` if it goes on no more here though it is not closed, for example since the disk is full; what is asked
        of it then says why (`RunStopped`).
        """
        return "stopped" if self._has_stopped else self._view.status

    @property
    def _has_stopped(self) -> bool:
        return self._member.dispatcher.stopped is not None and not self._view.is_closed

    @property
    def is_closed(self) -> bool:
        """Whether it has come to its end."""
        return self._view.is_closed

    def watch(self, watcher: Callable[[], bool]) -> None:
        """Call it now and after every append to the family, until it returns true; it must not wait for the run."""
        self._member.watch(watcher)

    @property
    def outcome(self) -> str | None:
        """`success` or `failure` once completed."""
        return self._view.outcome

    @property
    def variables(self) -> dict[str, Value]:
        """Values of all variables; `None` where unset. Changing them changes nothing here."""
        return deepcopy(dict(self._view.variables))

    @property
    def output(self) -> dict[str, Value] | None:
        """The output variables once the instance is closed, else `None`."""
        if not self._view.is_closed:
            return None
        values = self.variables
        return {
            name: values[name]
            for name, variable in self._program.variables.items()
            if variable.output and values[name] is not None
        }

    @property
    def activities(self) -> list[RunActivity]:
        """Activities that have not ended."""
        details = self._member.dispatcher.details(self._member)
        return [
            RunActivity(
                work.activity,
                work.activity_id,
                work.attempt,
                work.phase,
                work.region,
                details.get((self.id, work.activity_id, work.attempt)),
                work.index,
            )
            for work in self._view.activities
        ]

    @property
    def children(self) -> dict[str, Run]:
        """The instances that it has started, by id, in order of their starts; closed ones too (M4.4).

        Each is a handle like this one. Those that had closed before `reopen` are read from the store now.
        """
        if self._owner._kept is not None:
            inner = [one for one in self._member.dispatcher.members.values() if one.parent is self._member]
        else:
            inner = self._member.ask(lambda _: members_of_children(self._member))
        return {one.name: self._handle_of(one) for one in inner if one.view.version}

    @property
    def parent(self) -> Run | None:
        """The instance that started it; `None` for a root."""
        above = self._member.parent
        return None if above is None else self._handle_of(above)

    def _handle_of(self, member: Member) -> Run:
        if member is self._owner._member:
            return self._owner
        handle = self._owner._handles.get(member.name)
        if handle is None:
            handle = self._owner._handles[member.name] = Run(member, self._lease, self._owner)
        return handle

    @property
    def timers(self) -> list[Timer]:
        """Timers that have yet to fire, soonest first; `due` is in microseconds of the run's clock."""
        return list(self._view.due)

    @property
    def waiting(self) -> list[str]:
        """Events that wait for a busy region or a pause, or are deferred."""
        return list(self._view.waiting)

    @property
    def version(self) -> int:
        """`seq` of its last record (M1.3)."""
        return self._view.version

    @property
    def records(self) -> list[Record]:
        """Its records, with names, in order. Reads the store; still there after `close`."""
        if self._kept is not None:
            return list(self._kept)
        if self._owner._kept is not None:
            raise RunStopped(f"{self._owner.id!r} has been closed here, and the records of {self.id!r} with it.")
        return self._lease.store.case(self.id).records()

    @property
    def history(self) -> History:
        """The history of its store, growing while it runs: `.sql`, `.case(id)`, `.df()`.

        Raises
        ------
        RunStopped
            After `close`; then open the file with `wf.open_history`.
        """
        if self._owner is not self:
            return self._owner.history
        if self._kept is not None:
            where = "it was in memory" if self._lease.in_memory else f"wf.open_history({str(self._lease.store.path)!r})"
            raise RunStopped(f"{self.id!r} has been closed here: {where}. Its own records are in `.records`.")
        if self._history is None:
            self._history = self._lease.store.history()
        return self._history

    # --- what is sent ----------------------------------------------------------------------------

    def send(
        self,
        event: str,
        payload: Mapping[str, Value] | None = None,
        /,
        *,
        event_id: str | None = None,
        **fields: Value,
    ) -> Answer:
        """Send an event; returns once it is stored.

        Parameters
        ----------
        event
            A declared event.
        payload, fields
            Its payload: fields as keywords, or a mapping for names that are no keywords.
        event_id
            The same id twice is applied once, also after `reopen`. By default a number of the instance's own.

        Returns
        -------
        Answer
            A text: `accepted`; `deferred` or `discarded`, as the definition says of events nobody takes;
            `waiting`: a busy region or a pause holds it, and its fate will be in the history (`why_not` says
            what it waits for); `duplicate`: an event with this id came before, and its `fate` tells what has become
            of that: `taken`, `waiting`, `deferred` or `discarded`.

        Raises
        ------
        EventRejected
            If nobody takes it, or it is not as declared; the text says why, with the values that decide. With the
            reason `duplicate` if the first event with this id was rejected. What is not as declared leaves its id
            free, so that it can be sent again, mended.
        RunStopped
            If this run is closed here.
        """
        given = payload_copy(payload, fields)
        if not isinstance(event, str):
            raise WfsimError(f"an event is sent by its name, a text, not {brief(event)}.")
        checked = None if event_id is None else checked_id(event_id, "an event id")
        self._member.raise_if_stopped()
        sent_as: list[str] = []

        def apply(instance: Instance, time: int) -> Output:
            # An id of its own tells this event's fate from those of others set free in the same step.
            sent_as[:] = [checked or f"{self.id}:event:{instance.version + 1}"]
            return instance.event(time, event, given, sent_as[0])

        def answer(instance: Instance, output: Output) -> Answer:
            return answer_to(self.id, instance, output, event, given, sent_as[0])

        told: Answer = waiting.result_of(self._member.put(EVENTS, apply, answer))
        return told

    def pause(self, reason: str | None = None, *, command_id: str | None = None) -> str:
        """Dispatch nothing and start no attempt until `resume`; running attempts finish (M8.1)."""
        return self.control("pause", reason, command_id=command_id)

    def resume(self, *, command_id: str | None = None) -> str:
        """Go on after a pause."""
        return self.control("resume", command_id=command_id)

    def cancel(self, reason: str | None = None, *, command_id: str | None = None) -> str:
        """Ask the workflow to stop: by its transition on `cancel_requested`, else it is `cancelled` (M8.3)."""
        return self.control("cancel", reason, command_id=command_id)

    def terminate(self, reason: str | None = None, *, command_id: str | None = None) -> str:
        """End the instance at once (M8.2)."""
        return self.control("terminate", reason, command_id=command_id)

    def retry(self, *, command_id: str | None = None) -> str:
        """Open a `failed` or `timed_out` instance again where it stood (M8.2)."""
        return self.control("retry", command_id=command_id)

    def control(self, command: str, reason: str | None = None, *, command_id: str | None = None) -> str:
        """Give a command by its name; returns once it is stored.

        Returns
        -------
        str
            `accepted`; `ignored`, if it does not fit the status; `duplicate`, if the id was seen before.

        Raises
        ------
        WfsimError
            If there is no such command.
        """
        if command not in COMMANDS:
            raise WfsimError(
                f"{command!r} is not a command.{did_you_mean(str(command), COMMANDS)} Commands: {', '.join(COMMANDS)}."
            )
        if reason is not None and not isinstance(reason, str):
            raise WfsimError(f"the reason of a command is a text, not {brief(reason)}.")
        checked = None if command_id is None else checked_id(command_id, "a command id")
        self._member.raise_if_stopped()

        def apply(instance: Instance, time: int) -> Output:
            return instance.control(time, command, checked, reason)

        def answer(instance: Instance, output: Output) -> str:
            second = output.records[1] if len(output.records) > 1 else None
            if second is None or second.kind != R_STIMULUS_IGNORED:
                return "accepted"
            return "duplicate" if second.reason == T_DUPLICATE else "ignored"

        return str(waiting.result_of(self._member.put(CONTROLS, apply, answer)))

    def why_not(self, name: str, payload: Mapping[str, Value] | None = None, /, **fields: Value) -> Explanation:
        """Why an event cannot be taken now, or a state not be reached: `print(run.why_not("ship"))`.

        Parameters
        ----------
        name
            An event or a state.
        payload, fields
            The payload that the event would bring, where conditions look at it.

        Raises
        ------
        WfsimError
            If the workflow knows no such name.
        """
        given = payload_copy(payload, fields) if payload is not None or fields else None
        found = self._member.ask(lambda instance: explain(instance, name, given, self._member.clock.now()))
        assert isinstance(found, Explanation)
        return found

    # --- waiting ---------------------------------------------------------------------------------

    def wait(self, until: Until = None, timeout: Timeout = None) -> str:
        """Block until something holds; returns the state then.

        Parameters
        ----------
        until
            A state or a status; `"idle"`: no activity is open and no event waits; a function of the run;
            `None`: the instance is closed.
        timeout
            Real seconds, or `"30s"`; `None`: for ever.

        Raises
        ------
        WaitTimeout
            Saying where the run stands, if time is up, or the instance closed without coming there.
        WfsimError
            If `until` is neither a state nor a status.
        """
        return waiting.wait(self._member, self._asked(until), timeout)

    async def wait_async(self, until: Until = None, timeout: Timeout = None) -> str:
        """`wait` for event loops."""
        return await waiting.wait_async(self._member, self._asked(until), timeout)

    def _asked(self, until: Until) -> Asked:
        return (lambda: bool(until(self))) if callable(until) else until

    # --- life ------------------------------------------------------------------------------------

    def close(self, timeout: float = 10.0) -> None:
        """End the threads of this run and let go of the file; its family stays as it is in the store.

        Asynchronous activities are cancelled and repeated after `reopen`. Synchronous ones see
        `context.cancelled` and are waited for; what they report is stored. The handle of a child closes nothing:
        its family is closed by the handle that `start` or `reopen` gave.

        Parameters
        ----------
        timeout
            Real seconds to wait for activities.

        Raises
        ------
        WaitTimeout
            If activities still run after that; the run is closed all the same, and their results are lost to
            it: `reopen` carries these attempts out again.
        """
        if self._owner is not self or self._kept is not None:
            return
        left = self._member.dispatcher.close(timeout)
        for handle in self._handles.values():
            handle._kept = self._lease.store.case(handle.id).records()
        self._kept = self._lease.store.case(self.id).records()
        if self._history is not None:
            self._history.close()
        self._finalizer.detach()
        self._lease.release()
        if left:
            raise WaitTimeout(
                f"{self.id!r} is closed, but after {timeout} s these activities still run in their threads: "
                f"{listed(left)}. Let them look at context.cancelled."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        view = self._view
        outcome = f" ({view.outcome})" if view.outcome else ""
        stands = f"{self.status}{outcome} in {view.state!r}, version {view.version}"
        return f"<Run {self.id!r} of {self.workflow.name}: {stands}>"

    def _repr_html_(self) -> str:
        view = self._view
        rows = [
            ("workflow", f"{self.workflow.name} {self.workflow.version}"),
            ("status", self.status + (f", {view.outcome}" if view.outcome else "")),
            ("state", ", ".join(view.configuration.values())),
            *((name, "" if value is None else repr(value)[:200]) for name, value in view.variables.items()),
            *((f"activity {work.activity}", f"attempt {work.attempt}, {work.phase}") for work in view.activities),
            *((f"child {child.workflow}", self._member.child_id(child.activation)) for child in view.children),
            *(
                (f"timer {timer.name}", f"in {Duration(max(timer.due - self._member.clock.now(), 0))}")
                for timer in view.due
            ),
            *(("event", f"{event} waits") for event in view.waiting),
            ("version", str(view.version)),
        ]
        body = "".join(
            f'<tr><th style="text-align:left">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>'
            for name, value in rows
        )
        return f"<table><caption>{html.escape(self.id)}</caption>{body}</table>"


def _let_go(dispatcher: Driver, held: Lease) -> None:
    """The run is garbage, or the process ends: stop without waiting for activities."""
    dispatcher.abandon()
    if threading.current_thread() is not dispatcher.thread:
        dispatcher.thread.join(2.0)
    held.release()
