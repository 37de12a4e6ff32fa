"""The stepper as its pages see it: what is shown of a `Stepping`, and what they may ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.drawing.text import clean
from wfsim.errors import DrawingError, WfsimError
from wfsim.model.duration import Duration, time_text
from wfsim.model.retrying import most_attempts, policies
from wfsim.model.values import ValueType

from .actions import timer_label
from .child_actions import child_name
from .exports import pytest_file, witness_file
from .stepping import Stepping
from .values import item_text, value_text
from .wire import File, Request, Scene, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from wfsim.semantics.instance import Instance

    from .action import Action
    from .net_view import NetView
    from .values import Parameter
    from .ways import H, Step, Ways

MOST_RECORDS = 200
_EXPORTS: dict[str, tuple[str, Callable[[Stepping], File]]] = {
    "pytest": ("Save as a test", pytest_file),
    "witness": ("Save as a witness", witness_file),
}


class StepperWire:
    """A `Stepping`, or a family of them, as scenes and requests; `wire.answer` is what a page talks to.

    Attributes
    ----------
    stepping
        What is shown: that of a child while a child is open.
    """

    def __init__(self, stepping: Stepping) -> None:
        self.stepping = stepping
        self._above: list[tuple[Stepping, str]] = []
        self._told: dict[int, tuple[Step, Scene]] = {}
        self._net: NetView | None = None
        self._drawn: tuple[Stepping, Scene | None, str] | None = None
        self.wire = Wire(
            self.scene,
            {
                "do": Request(self._do, {"action": str, "values": dict, "delay": str}, on_latest=True),
                "jump": Request(self._jump, {"to": int}),
                "next": Request(self._next, {}),
                "branch": Request(self._branch, {"to": int}),
                "breakpoint": Request(self.toggle_breakpoint, {"at": str}),
                "family": Request(self._family, {"to": str}, on_latest=True),
                "net": Request(self.show_net, {"shown": bool}),
                "export": Request(self.export, {"what": str}),
            },
        )

    def show(self, stepping: Stepping, above: list[tuple[Stepping, str]]) -> None:
        """Show this one, below these parents."""
        self.stepping, self._above, self._net, self._told = stepping, above, None, {}

    @property
    def above(self) -> list[tuple[Stepping, str]]:
        """The parents of what is shown, outermost first, each with the name of its child."""
        return list(self._above)

    # --- what is seen ----------------------------------------------------------------------------

    def scene(self) -> Scene:
        """Everything to be seen, as JSON values; see `stepper.tsx`."""
        stepping = self.stepping
        instance = stepping.instance
        picture, too_large = self._picture()
        actions = sorted(stepping.possible(), key=_urgency)
        net = self._net
        return {
            "title": clean(f"{stepping.workflow.name} {stepping.workflow.version}"),
            "picture": picture,
            "too_large": too_large,
            "why": stepping.why,
            "lit": dict(stepping.lit()) if picture else {},
            "tokens": {},
            "marks": {f"state:{at}": "breakpoint" for at in stepping.breakpoints.states},
            "head": self._head(instance),
            "actions": {action.id: _told(action, instance) for action in actions},
            "order": [action.id for action in actions],
            "values": "Variables",
            "variables": {
                each.name: {"value": value_text(each.value), "before": value_text(each.before), "changed": each.changed}
                for each in stepping.variables
            },
            "steps": {str(number): self._step(step) for number, step in enumerate(stepping.steps, 1)},
            "records": self._records(),
            "sections": _sections(instance),
            "family": self._relatives(),
            "branches": branches(stepping.ways, _led_to),
            "breakpoints": stepping.breakpoints.all,
            "exports": [{"id": name, "label": label} for name, (label, _) in _EXPORTS.items()],
            "can": {"act": True, "delay": True, "breakpoints": True, "net": True},
            "net": None if net is None else net.scene(instance),
            "twins": {} if net is None else net.twins,
        }

    def _picture(self) -> tuple[Scene | None, str]:
        if self._drawn is None or self._drawn[0] is not self.stepping:
            try:
                self._drawn = (self.stepping, self.stepping.picture.to_dict(), "")
            except DrawingError as error:
                self._drawn = (self.stepping, None, str(error))
        return self._drawn[1], self._drawn[2]

    def _head(self, instance: Instance) -> Scene:
        stepping = self.stepping
        cursor = stepping.cursor
        return {
            "status": _status(instance),
            "where": where(instance),
            "time": time_text(instance.time),
            "cursor": cursor,
            "length": len(stepping.steps),
            "said": stepping.steps[cursor - 1].title if cursor else "Nothing has happened yet.",
            "stopped": stepping.stopped,
        }

    def _step(self, step: Step) -> Scene:
        known = self._told.get(id(step))
        if known is None:
            after = f"{_status(step.instance)} in {where(step.instance) or 'nowhere'}"
            # Kept with the step, so that no other can have its identity.
            known = step, {"title": step.title, "time": time_text(step.instance.time), "after": after}
            self._told[id(step)] = known
        return known[1]

    def _records(self) -> list[str]:
        stepping = self.stepping
        if not stepping.cursor:
            return []
        found = [str(record).split(" ", 1)[1] for record in stepping.steps[stepping.cursor - 1].records]
        return found if len(found) <= MOST_RECORDS else [*found[:MOST_RECORDS], f"… {len(found) - MOST_RECORDS} more"]

    def _relatives(self) -> list[Scene]:
        found = []
        if self._above:
            parent, named = self._above[-1]
            found.append({"id": "up", "label": f"Back to {parent.workflow.name} (parent of {named})"})
        for child in self.stepping.children:
            if self.stepping.can_open(child):
                found.append({"id": str(child.activation), "label": f"Step into {child_name(child)}"})
        return found

    # --- what is asked ---------------------------------------------------------------------------

    def _do(self, action: str, values: dict[str, str], delay: str) -> str:
        self.stepping.pace = Duration.of(delay.strip()) if delay.strip() else None
        self.stepping.stopped = ""
        self.stepping.do(action, **values)
        return self.stepping.problem

    def _jump(self, to: int) -> str:
        self.stepping.jump(to)
        return self.stepping.problem

    def _next(self) -> str:
        self.stepping.play()
        return self.stepping.problem

    def _branch(self, to: int) -> str:
        self.stepping.take_way(to)
        return self.stepping.problem

    def toggle_breakpoint(self, at: str) -> str:
        """Let playing stop at a state or a condition, or no longer; `WfsimError` if it is neither."""
        self.stepping.breakpoints.toggle(at)
        return ""

    def _family(self, to: str) -> str:
        if to == "up" and self._above:
            self.close_child()
        elif to.isdigit():
            self.open_child(int(to))
        else:
            raise WfsimError(f"there is no {to[:40]!r} here.")
        return ""

    def open_child(self, activation: int) -> None:
        """Show a child; `WfsimError` if that cannot be."""
        child = self.stepping.open_child(activation)
        named = next(child_name(one) for one in self.stepping.children if one.activation == activation)
        self.show(child, [*self._above, (self.stepping, named)])

    def close_child(self) -> None:
        """Show the parent again."""
        *above, (parent, _) = self._above
        self.show(parent, above)

    def show_net(self, shown: bool) -> str:
        """Show the net of the workflow beside its drawing, or not."""
        from .net_view import NetView

        self._net = NetView(self.stepping.workflow, self.stepping.catalogue) if shown else None
        return ""

    def export(self, what: str) -> File:
        """The steps up to now as a file, `pytest` or `witness`; `WfsimError` if that cannot be."""
        if what not in _EXPORTS:
            raise WfsimError(f"there is no export {what[:40]!r}.")
        return _EXPORTS[what][1](self.stepping)


def _status(instance: Instance) -> str:
    return instance.status.replace("_", " ") + (f" ({instance.outcome})" if instance.outcome else "")


def where(instance: Instance) -> str:
    """The active states, each with its region."""
    states = instance.configuration.items()
    return ", ".join(f"{region}: {state.rsplit('/', 1)[-1]}" if region else state for region, state in states)


def _urgency(action: Action) -> tuple[bool, bool, bool, int]:
    """What leads somewhere in the drawing first; failures after successes; timers by when they are due."""
    return not action.enabled, not action.at, action.id.endswith(":fail"), action.due or 0


def _told(action: Action, instance: Instance) -> Scene:
    due = ""
    if action.due is not None:
        left = action.due - instance.time
        due = f"in {Duration(left).about()}" if left > 0 else "due now"
    reason = action.reason[:1].upper() + action.reason[1:]
    return {
        "id": action.id,
        "label": clean(action.label),
        "kind": action.kind,
        "enabled": action.enabled,
        "reason": clean(reason),
        "at": list(action.at),
        "due": due,
        "rank": action.rank,
        "fields": [_field(one) for one in action.parameters] if action.enabled else [],
    }


def _field(one: Parameter) -> Scene:
    choices = [_typed(value) for value in one.choices]
    is_boolean = one.type is ValueType.BOOLEAN
    return {
        "name": one.name,
        "type": one.type.value,
        "required": one.required,
        "value": "" if one.default is None else _typed(one.default),
        "choices": ["true", "false"] if is_boolean else choices,
        "only": one.only_choices or is_boolean,
    }


def _typed(value: Any) -> str:
    """A value as a person would type it."""
    return value if isinstance(value, str) else value_text(value, 100_000)


def _most(instance: Instance, activity: str) -> int:
    return most_attempts(policies(instance.program.workflow, activity))


def _sections(instance: Instance) -> list[Scene]:
    timers = []
    for timer in instance.timers():
        left = timer.due - instance.time
        rest = f"in {Duration(left).about()}" if left > 0 else "due now"
        timers.append({"name": timer_label(instance, timer), "value": f"{rest} (at {time_text(timer.due)})"})
    attempts = [
        {
            "name": f"{one.activity} #{one.activity_id}",
            "value": f"attempt {one.attempt} of {_most(instance, one.activity)}, {one.phase}."
            f"{item_text(one.index, one.item)}",
        }
        for one in instance.activities()
    ]
    children = [
        {
            "name": f"{child_name(one)} #{one.activation}",
            "value": f"open, in {one.state}.{item_text(one.index, one.item)}",
        }
        for one in instance.children()
    ]
    mail = [{"name": f"{number}.", "value": event} for number, event in enumerate(instance.waiting(), 1)]
    found = {"Timers": timers, "Activities and items": attempts, "Children": children, "Mailbox": mail}
    return [{"title": title, "rows": rows} for title, rows in found.items() if rows]


def branches(ways: Ways[H], told: Callable[[H], Scene]) -> list[Scene]:
    """The ways that were gone, side by side, if there is more than one.

    Parameters
    ----------
    told
        Says where a step has led to: `where`, `time`, and `values` by name.
    """
    if len(ways.all) < 2:
        return []
    shared = ways.shared()
    return [
        {
            "id": number,
            "name": f"way {number + 1}",
            "current": number == ways.number,
            "first": shared + 1,
            "steps": [step.title for step in way[shared:]],
        }
        | told(way[-1])
        for number, way in enumerate(ways.all)
    ]


def _led_to(step: Step) -> Scene:
    last = step.instance
    return {
        "where": f"{_status(last)} in {where(last)}",
        "time": time_text(last.time),
        "values": {name: value_text(value) for name, value in last.variables.items()},
    }
