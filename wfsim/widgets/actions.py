"""Everything that could happen to an instance, possible now or not, and the stimulus that each stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.errors import WfsimError, did_you_mean, listed
from wfsim.exploration.domains import Domains
from wfsim.model.declared import FieldType
from wfsim.model.duration import UNITS, time_text
from wfsim.model.expression_tree import Name, names
from wfsim.model.retrying import most_attempts, policies, telling_errors
from wfsim.model.values import ValueType
from wfsim.semantics.chances import active_regions, can_be_retried, leaving, not_due, region_cell
from wfsim.semantics.codes import COMMANDS, NONE
from wfsim.semantics.pending import Timer, timer_told
from wfsim.semantics.stimulus import Stimulus, event_problem

from .action import Action
from .child_actions import child_actions, child_stimulus
from .reasons import Chance, event_chance, not_running, timer_chance
from .values import Parameter, item_text, read_value, sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wfsim.model.elements import Transition
    from wfsim.model.values import Value
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.layout import StateRow
    from wfsim.semantics.pending import OpenActivity
    from wfsim.semantics.program import Program
    from wfsim.semantics.records import Record

_RESULT, _ERROR_TYPE, _MESSAGE, _WHY = "result", "error_type", "message", "reason"
_RETRY_AFTER = "retry_after"
"""The wait that an error asks for, in seconds."""
_RETURNS = ("no_instance", "expired", "closed", "no_transition", "condition")
_DOES = {
    "pause": "Nothing is dispatched until it is resumed (M8.1).",
    "resume": "Dispatching goes on.",
    "cancel": "Offered as cancel_requested; untaken, the instance is cancelled (M8.3).",
    "terminate": "Ends the instance at once (M8.2).",
    "retry": "Enters the kept states anew (M8.2).",
}


class Actions:
    """Finds the actions of the instances of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._domains = Domains(program)
        self._fields = {name: self._event_parameters(name) for name in program.events}

    def of(self, instance: Instance, stepped: Mapping[int, Instance], sent: Mapping[int, Record]) -> list[Action]:
        """All actions in a stable order: start, events, activities, children, messages, timers, controls.

        `stepped` are the children stepped by hand, by activation; `sent` the messages to others that may come back, by
        number.
        """
        if instance.status == "created":
            return [Action("start", "start", "start", True, "Starts the instance.", self.inputs())]
        return [
            *self._events(instance),
            *self._activities(instance),
            *child_actions(instance, stepped),
            *_messages(instance, sent),
            *self._timers(instance),
            *_controls(instance),
        ]

    def inputs(self) -> tuple[Parameter, ...]:
        """What a start asks for."""
        found = []
        for name, variable in self.program.variables.items():
            if variable.input:
                required = variable.initial is None and not variable.optional and variable.kind is not ValueType.ANY
                default = variable.initial
                if required:
                    default = sample(name, self._domains.of_variable(name, variable))
                values = variable.shape.values or ()
                found.append(Parameter(name, variable.kind, required, default, values, bool(values)))
        return tuple(found)

    def stimulus(
        self, instance: Instance, action: Action, values: Mapping[str, Value], stepped: Mapping[int, Instance]
    ) -> Stimulus:
        """The stimulus of an action with these values; it comes a second later, or when the timer is due.

        Raises
        ------
        WfsimError
            If a value is unknown, missing, or does not fit.
        """
        known = [parameter.name for parameter in action.parameters]
        for name in values:
            if name not in known:
                raise WfsimError(
                    f"{action.label} takes no {name!r}. It takes: {listed(known) or 'nothing'}."
                    f"{did_you_mean(name, known)}"
                )
        read: dict[str, Value] = {}
        for parameter in action.parameters:
            value = read_value(parameter, values.get(parameter.name, parameter.default))
            if value is not None or parameter.required:
                read[parameter.name] = value
        time = _soon(instance)
        match action.id.split(":"):
            case ["start"]:
                return Stimulus("start", payload=read)
            case ["event", *rest]:
                event = ":".join(rest)
                problem = event_problem(self.program, event, read)
                if problem is not None:
                    raise WfsimError(problem)
                return Stimulus("event", time, event=event, payload=read)
            case ["timer", *_]:
                timer = next(timer for timer in instance.timers() if _timer_id(timer) == action.id)
                return Stimulus("timer", max(instance.time, timer.due), timer=timer.place, timer_id=timer.id)
            case ["activity", serial, verb]:
                activity = next(one for one in instance.activities() if one.activity_id == int(serial))
                at: dict[str, Any] = {"activity_id": activity.activity_id, "attempt": activity.attempt}
                if verb == "start":
                    return Stimulus("activity_started", instance.time, **at)
                if verb == "succeed":
                    return Stimulus("activity_succeeded", time, result=read.get(_RESULT), **at)
                if not read[_ERROR_TYPE].strip():
                    raise WfsimError("error_type is needed: retries and transitions on `error` tell errors by it.")
                seconds = read.get(_RETRY_AFTER)
                asked = None if seconds is None else round(float(seconds) * 1_000_000)
                told = {"error_type": read[_ERROR_TYPE], "message": read.get(_MESSAGE), "retry_after": asked}
                return Stimulus("activity_failed", time, **told, **at)
            case ["child", activation, verb]:
                return child_stimulus(instance, int(activation), verb, read, time, stepped)
            case ["message", number, "back"]:
                return Stimulus("message_returned", time, message_id=int(number), reason=str(read[_WHY]))
            case ["control", command]:
                return Stimulus("control", time, command=command)
        raise AssertionError(f"no such action: {action.id}")

    # --- events ----------------------------------------------------------------------------------

    def _events(self, instance: Instance) -> Iterator[Action]:
        for name in self.program.events:
            possible, reason = event_chance(instance, name)
            yield Action(f"event:{name}", name, "event", possible, reason, self._fields[name])

    def _event_parameters(self, event: str) -> tuple[Parameter, ...]:
        """Declared fields, then those that expressions read though none is declared."""
        declared = self.program.events[event].payload
        found = []
        for name in dict.fromkeys([*declared, *self.program.event_fields[event]]):
            field = declared.get(name, FieldType(optional=True))
            candidates = self._domains.of_field(event, name, field)
            # Where a condition reads an optional field, null is one of its candidates.
            wanted = not field.optional or name not in declared or None in candidates
            default = sample(name, candidates) if wanted else None
            found.append(Parameter(name, field.kind, not field.optional, default))
        return tuple(found)

    # --- activities ------------------------------------------------------------------------------

    def _activities(self, instance: Instance) -> Iterator[Action]:
        for activity in instance.activities():
            name, serial, label = activity.activity, activity.activity_id, activity_name(activity)
            most = most_attempts(policies(self.program.workflow, name))
            attempt = f"Attempt {activity.attempt} of {most}.{item_text(activity.index, activity.item)}"
            start, end = _attempt_chances(instance, activity, attempt)
            yield Action(f"activity:{serial}:start", f"{label} starts", "activity", *start)
            result = self._result(instance, activity)
            yield Action(f"activity:{serial}:succeed", f"{label} succeeds", "activity", *end, result)
            yield Action(f"activity:{serial}:fail", f"{label} fails", "activity", *end, self._failure(name))

    def _result(self, instance: Instance, activity: OpenActivity) -> tuple[Parameter, ...]:
        """A result is asked for where something reads it; what a compensator returns, nothing does."""
        if activity.compensates is not None:
            return ()
        program = self.program
        region = program.region_rows[activity.region]
        cell = region_cell(instance, region)
        if activity.index is not None:
            # M4.5: the variable takes the list of all results.
            kept = program.rows[cell.state].result_variable >= 0
            return (
                Parameter(_RESULT, ValueType.ANY, False, f"{activity.activity}-{activity.index}" if kept else None),
            )
        declared_result = program.activities[activity.activity].result
        if declared_result is not None:
            shape = declared_result.shape
            candidates = self._domains.of_typed_result(activity.activity, shape)
            default = sample(_RESULT, candidates)
            return (Parameter(_RESULT, shape.kind, not shape.optional, default, shape.values or ()),)
        in_flight = instance.m[program.rows[region].flight_work].serial == activity.activity_id
        variable = program.rows[cell.action].variable if in_flight else program.rows[cell.state].result_variable
        if variable >= 0:
            name = program.name(variable) or ""
            declared = program.variables[name]
            default = sample(name, self._domains.of_variable(name, declared))
            values = declared.shape.values or ()
            needed = not declared.optional and declared.kind is not ValueType.ANY
            return (Parameter(_RESULT, declared.kind, needed, default, values),)
        done = [program.transitions[at] for at in leaving(instance, region) if program.transitions[at].event == "done"]
        if not in_flight and any(map(_reads_result, done)):
            candidates = self._domains.of_field("done", _RESULT, None)
            return (Parameter(_RESULT, ValueType.ANY, False, sample(_RESULT, candidates)),)
        return ()

    def _failure(self, activity: str) -> tuple[Parameter, ...]:
        told = telling_errors(policies(self.program.workflow, activity))
        choices = tuple(dict.fromkeys(["Error", *told, *self._domains.named_error_types()]))
        return (
            Parameter(_ERROR_TYPE, ValueType.STRING, True, "Error", choices),
            Parameter(_MESSAGE, ValueType.STRING, False),
            Parameter(_RETRY_AFTER, ValueType.NUMBER, False),
        )

    # --- timers ----------------------------------------------------------------------------------

    def _timers(self, instance: Instance) -> Iterator[Action]:
        running = instance.timers()
        for timer in running:
            possible, reason = timer_chance(instance, timer)
            when = f"Due at {time_text(timer.due)}. {reason}" if possible else reason
            label = timer_label(instance, timer)
            yield Action(_timer_id(timer), label, "timer", possible, when, due=timer.due)
        if not instance.is_closed:
            yield from self._stopped_timers(instance, {timer.place for timer in running})

    def _stopped_timers(self, instance: Instance, running: set[int]) -> Iterator[Action]:
        """Timers of the active states that do not run: fired already, or frozen."""
        program = self.program
        for region in active_regions(instance):
            state: StateRow = program.rows[region_cell(instance, region).state]
            where = program.name(region_cell(instance, region).state)
            own = [(0, "timeout")] if state.timeout >= 0 or state.timeout_code >= 0 else []
            for at in leaving(instance, region):
                if program.rows[at].timer > 0:
                    own.append((program.rows[at].timer, program.transitions[at].trigger))
            for which, name in own:
                place = program.rows[region].first_timer + which
                if place not in running:
                    why = f"the timer is not running: {not_due(instance, place)}."
                    stopped = Timer(place, NONE, NONE, instance.timer_name(place), program.name(region))
                    yield Action(_timer_id(stopped), f"{name} in {where}", "timer", False, why)


def activity_name(activity: OpenActivity) -> str:
    """Its name, with the index of the item that it is for."""
    return activity.activity if activity.index is None else f"{activity.activity}[{activity.index}]"


def _attempt_chances(instance: Instance, activity: OpenActivity, attempt: str) -> tuple[Chance, Chance]:
    """Whether the attempt can start, and whether it can end."""
    if instance.is_closed:
        ended = Chance(False, not_running(instance) or "")
        return ended, ended
    if activity.phase == "backoff":
        waits = Chance(False, "it waits for its next attempt: let its timer fire.")
        return waits, waits
    if activity.phase == "running":
        waits_on = " Its result waits until the instance is resumed." if instance.status == "paused" else ""
        return Chance(False, "this attempt has started."), Chance(True, attempt + waits_on)
    if instance.status == "paused":
        return Chance(False, "no attempt starts while the instance is paused (M8.1)."), Chance(
            False, "not started yet."
        )
    return Chance(True, attempt), Chance(False, "this attempt has not started yet.")


def _messages(instance: Instance, sent: Mapping[int, Record]) -> Iterator[Action]:
    """A message that was sent to another instance may come back (M7.3)."""
    ended = not_running(instance) if instance.is_closed else None
    why = Parameter(_WHY, ValueType.STRING, True, _RETURNS[0], _RETURNS)
    for number, record in sent.items():
        rest = record.payload
        to = f"{rest['to']}, key {rest['key']}" if "key" in rest else rest["to"]
        reason = ended or f"Message {number} to {to} cannot be delivered; nothing follows but its record."
        yield Action(f"message:{number}:back", f"{record.event} comes back", "message", ended is None, reason, (why,))


def _controls(instance: Instance) -> Iterator[Action]:
    status = instance.status
    fits = {
        "pause": status == "running",
        "resume": status == "paused",
        "cancel": not instance.is_closed,
        "terminate": not instance.is_closed,
        "retry": can_be_retried(instance),
    }
    wanted = {"pause": "running", "resume": "paused", "retry": "failed or timed out"}
    for command in COMMANDS:
        reason = f"the instance is {status.replace('_', ' ')}, not {wanted.get(command, 'open')}."
        yield Action(
            f"control:{command}", command, "control", fits[command], _DOES[command] if fits[command] else reason
        )


def _timer_id(timer: Timer) -> str:
    """`timer:<name>`, followed by the serial of its activity or the path of its region unless that is the root."""
    owner = timer.activity_id if timer.activity_id is not None else timer.region or ""
    return f"timer:{timer.name}:{owner}".rstrip(":")


def timer_label(instance: Instance, timer: Timer) -> str:
    """What a running timer is for, in words."""
    program = instance.program
    if timer.activity_id is not None:
        open_one = next(one for one in instance.activities() if one.activity_id == timer.activity_id)
        activity = activity_name(open_one)
        return f"next attempt of {activity}" if timer.name == "retry" else f"{timer.name} of {activity}"
    if timer.region is None:
        return "workflow timeout"
    state = region_cell(instance, program.region_rows[timer.region]).state
    return f"{timer_told(program, timer.place, state)} in {program.name(state)}"


def _soon(instance: Instance) -> int:
    """A second later; a timer that is due before comes first, so then the same time as its (M6.3)."""
    due = [timer.due for timer in instance.timers() if timer.due >= instance.time]
    return min([instance.time + UNITS["s"], *due])


def _reads_result(transition: Transition) -> bool:
    condition = transition.condition_tree
    trees = [read.tree for action in transition.actions for read in action.reads]
    trees += [] if condition is None else [condition]
    return any(
        name.scope == "event" and (not isinstance(name, Name) or name.field == _RESULT)
        for tree in trees
        for name in names(tree)
    )
