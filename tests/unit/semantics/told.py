"""Definitions in one line, and instances whose steps are told in the notation of docs/meaning.md's examples."""

from __future__ import annotations

from typing import Any

from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.records import Effect, Record, effects_of, records_of

SECOND = 1_000_000


def workflow(states: list[Any], transitions: list[dict[str, Any]], **rest: Any) -> Workflow:
    """A definition whose first state is the initial one; a plain name is a plain state."""
    full = [{"name": state} if isinstance(state, str) else state for state in states]
    keys = {"initial_state": full[0]["name"], "states": full, "transitions": transitions, **rest}
    return Workflow(name="example", **keys)


def terminal(name: str, outcome: str = "success") -> dict[str, Any]:
    return {"name": name, "is_terminal": True, "outcome": outcome}


def activity(name: str, **rest: Any) -> dict[str, Any]:
    """The action that runs an activity."""
    return {"action_type": "activity", "name": name, **rest}


def set_variable(name: str, value: Any, **rest: Any) -> dict[str, Any]:
    """The action that gives a variable a value."""
    return {"action_type": "set_variable", "parameters": {"name": name, "value": value}, **rest}


def compensate(scope: str | None = None, **rest: Any) -> dict[str, Any]:
    """The action that undoes what the log holds."""
    return {"action_type": "compensate", "scope": scope, **rest}


def regions(*listed: dict[str, Any], join: Any = "all", name: str = "p") -> dict[str, Any]:
    """A state with parallel regions."""
    return {"name": name, "parallel": {"join": join, "regions": list(listed)}}


def region(name: str, states: list[Any], transitions: list[dict[str, Any]]) -> dict[str, Any]:
    full = [{"name": state} if isinstance(state, str) else state for state in states]
    return {"name": name, "initial_state": full[0]["name"], "states": full, "transitions": transitions}


class Told:
    """An instance whose steps are told in the notation of the examples.

    `records` and `effects` are those of the last step, the cause first; times are in seconds.
    """

    def __init__(self, definition: Workflow, start: float = 0, key: int = 0, **inputs: Any) -> None:
        self.instance = Instance(compile_workflow(definition), key=key)
        self.started = self.rows(self.instance.start(int(start * SECOND), inputs))

    def rows(self, output: Output) -> list[str]:
        """Consequences only; the cause is what the test does."""
        self.records: list[Record] = records_of(self.instance, output)
        self.effects: list[Effect] = effects_of(self.instance, output)
        return [told(record) for record in self.records[1:]]

    def event(self, name: str, at: float = 0, event_id: str | None = None, **payload: Any) -> list[str]:
        return self.rows(self.instance.event(int(at * SECOND), name, payload, event_id))

    def control(self, command: str, at: float = 0, command_id: str | None = None) -> list[str]:
        return self.rows(self.instance.control(int(at * SECOND), command, command_id))

    def starts(self, serial: int, at: float = 0, attempt: int = 1) -> list[str]:
        return self.rows(self.instance.activity_started(int(at * SECOND), serial, attempt, "w1"))

    def succeeds(self, serial: int, at: float = 0, attempt: int = 1, result: Any = None) -> list[str]:
        return self.rows(self.instance.activity_succeeded(int(at * SECOND), serial, attempt, result))

    def fails(self, serial: int, error: str, at: float = 0, attempt: int = 1) -> list[str]:
        return self.rows(self.instance.activity_failed(int(at * SECOND), serial, attempt, error))

    def timer(self, name: str, which: str | None = None) -> tuple[int, int, int]:
        """Place, id and due time of the one running timer with this name (in the region `which`, if given)."""
        (timer,) = [t for t in self.instance.timers() if t.name == name and which in (None, t.region)]
        return timer.place, timer.id, timer.due

    def fires(self, name: str, at: float, which: str | None = None) -> list[str]:
        place, number, due = self.timer(name, which)
        assert due == int(at * SECOND)
        return self.rows(self.instance.timer_fired(int(at * SECOND), place, number))

    def fires_late(self, timer: tuple[int, int, int], at: float) -> list[str]:
        """A timer noted earlier fires, whatever has become of it."""
        return self.rows(self.instance.timer_fired(int(at * SECOND), timer[0], timer[1]))

    def due(self, name: str) -> float | None:
        found = [timer.due for timer in self.instance.timers() if timer.name == name]
        return found[0] / SECOND if found else None

    @property
    def state(self) -> str:
        return self.instance.state

    @property
    def variables(self) -> dict[str, Any]:
        return self.instance.variables

    @property
    def inner(self) -> dict[str, str]:
        """State of each inner region, by the regions' own names."""
        return {
            path.rsplit("/", 1)[-1]: state.rsplit("/", 1)[-1]
            for path, state in self.instance.configuration.items()
            if path
        }

    def one(self, kind: str) -> Record:
        """The one record of this kind in the last step."""
        (record,) = [record for record in self.records if record.kind == kind]
        return record

    def replies(self) -> list[tuple[str | None, str | None]]:
        """What the last step told senders: event id and reason, `None` for what was taken."""
        return [(effect.event_id, effect.reason) for effect in self.effects if effect.kind == "reply"]

    def fates(self) -> list[tuple[str | None, str | None]]:
        """The same with the event's fate in the place of the reason."""
        return [(effect.event_id, effect.fate) for effect in self.effects if effect.kind == "reply"]

    def effect_kinds(self) -> list[str]:
        return [effect.kind for effect in self.effects]


def told(record: Record) -> str:
    """A record as the examples write it."""
    reason = record.payload.get("reason")

    def short(path: str | None) -> str:
        return path.rsplit("/", 1)[-1] if path else "–"

    match record.kind:
        case "transition":
            return f"transition({short(record.state)}, {short(record.to_state)})"
        case "activity_scheduled":
            return f"activity_scheduled({record.activity}, {record.attempt})"
        case "compensation_started":
            return f"compensation_started({', '.join(map(str, record.payload['entries']))})"
        case "compensation_finished":
            return f"compensation_finished({', '.join(map(str, record.payload.get('failed', ())))})"
        case "activity_cancelled":
            return f"activity_cancelled({record.activity})"
        case "state_left":
            return f"state_left({short(record.state)}, {reason})"
        case "state_entered":
            return f"state_entered({short(record.state)})"
        case "error_raised":
            return f"error_raised({record.payload['source']}, {record.error_type})"
        case "retry_scheduled":
            return f"retry_scheduled({record.attempt}, {record.payload['delay'] / SECOND:g} s)"
        case "status_changed":
            return f"status_changed({record.status})"
        case "instance_closed":
            parts = [record.status, record.outcome]
            return f"instance_closed({', '.join(part for part in parts if part)})"
        case "stimulus_ignored" | "transition_aborted":
            logged = ", logged" if record.payload.get("logged") else ""
            fate = f", {record.payload['fate']}" if "fate" in record.payload else ""
            return f"{record.kind}({reason}{fate}{logged})"
        case "event_rejected" | "event_discarded":
            return f"{record.kind}({record.event}, {reason})" if record.event else f"{record.kind}({reason})"
        case "event_recalled":
            return f"event_recalled({record.event})"
        case "attempt_timed_out":
            return f"attempt_timed_out({record.attempt}, {record.error_type})"
        case "variables_set":
            values = ", ".join(f"{name} = {value}" for name, value in record.payload["set"].items())
            return f"variables_set({values})"
        case _:
            return record.kind
