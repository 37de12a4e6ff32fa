"""A family of workflows: an order ships its parcels, each as a child, and a parcel has a child of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.program import Program
from wfsim.semantics.records import effects_of

ORDER: dict[str, Any] = {
    "name": "order",
    "version": "1.0.0",
    "initial_state": "paying",
    "variables": {
        "id": {"type": "integer", "input": True},
        "parcels": {"type": "list", "input": True},
        "receipts": {"type": "list", "optional": True},
    },
    "correlation": {"key": "context.id"},
    "events": {"late": {"payload": {"days": "integer"}}},
    "activities": {"mail": {}},
    "states": [
        {"name": "paying", "for_each": {"items": "${context.parcels}", "as": "parcel", "activity": "mail"}},
        {
            "name": "shipping",
            "timeout": "5d",
            "for_each": {
                "items": "${context.parcels}",
                "as": "parcel",
                "workflow": "parcel",
                "result_variable": "receipts",
            },
        },
        {"name": "shipped", "is_terminal": True},
        {"name": "lost", "is_terminal": True, "outcome": "failure"},
    ],
    "transitions": [
        {"from": "paying", "to": "shipping", "event": "done"},
        {"from": "shipping", "event": "late"},
        {"from": "shipping", "to": "shipped", "event": "done"},
        {"from": "shipping", "to": "lost", "event": "error"},
        {"from": "shipping", "to": "lost", "event": "timeout"},
    ],
}
PARCEL: dict[str, Any] = {
    "name": "parcel",
    "version": "1.0.0",
    "initial_state": "shipping",
    "variables": {
        "parcel": {"type": "string", "input": True},
        "receipt": {"type": "string", "optional": True, "output": True},
    },
    "activities": {"mail": {}},
    "states": [
        {"name": "shipping", "activity": {"name": "mail", "result_variable": "receipt"}, "timeout": "2d"},
        {"name": "checking", "invoke": {"workflow": "check", "input": {"what": "${context.parcel}"}}},
        {"name": "shipped", "is_terminal": True},
    ],
    "transitions": [
        {
            "from": "shipping",
            "to": "checking",
            "event": "done",
            "post_actions": [
                {"action_type": "send", "to": "parent", "event": "late", "payload": {"days": 1}},
            ],
        },
        {"from": "checking", "to": "shipped", "event": "done"},
    ],
}
CHECK: dict[str, Any] = {
    "name": "check",
    "version": "1.0.0",
    "initial_state": "look",
    "variables": {"what": {"type": "string", "input": True}},
    "events": {"seen": {}},
    "states": [{"name": "look"}, {"name": "seen", "is_terminal": True}],
    "transitions": [{"from": "look", "to": "seen", "event": "seen"}],
}

Append = Callable[[str, str | None, int, Instance, Output], None]
"""Name, name of the parent, activation, instance and output of a step."""


def family() -> Catalogue:
    return Catalogue(Workflow.model_validate(spec) for spec in (ORDER, PARCEL, CHECK))


@dataclass
class Play:
    """Instances of the family driven by hand; every step goes to `append`."""

    append: Append
    catalogue: Catalogue = field(default_factory=family)
    instances: dict[str, Instance] = field(default_factory=dict)
    parents: dict[str, tuple[str, int]] = field(default_factory=dict)

    def program(self, name: str) -> Program:
        return compile_workflow(self.catalogue.get(name), self.catalogue)

    def start(self, name: str, inputs: dict[str, Any], workflow: str = "order", parent: str | None = None) -> None:
        instance = self.instances[name] = Instance(self.program(workflow), key=int.from_bytes(name.encode()))
        time = 0 if parent is None else self.instances[parent].time
        self._took(name, instance.start(time, inputs, parent))

    def step(self, name: str, kind: str, *arguments: Any) -> None:
        self._took(name, getattr(self.instances[name], kind)(*arguments))

    def _took(self, name: str, output: Output) -> None:
        instance = self.instances[name]
        parent, activation = self.parents.get(name, (None, 0))
        self.append(name, parent, activation, instance, output)
        for effect in effects_of(instance, output):
            if effect.kind == "start_child":
                child = f"{name}/{effect.activity_id}"
                self.parents[child] = (name, effect.activity_id)
                self.start(child, effect.input, effect.activity or "", name)
            elif effect.kind == "closed" and parent is not None and not self.instances[parent].is_closed:
                time = instance.time + 1
                self.step(parent, "child_closed", time, activation, effect.status, effect.outcome, effect.output)

    def whole(self, name: str) -> None:
        """An order with two parcels, from start to end; `name` is a number."""
        self.start(name, {"id": int(name), "parcels": ["a", "b"]})
        for serial in (1, 2):
            self.step(name, "activity_started", 10, serial, 1)
            self.step(name, "activity_succeeded", 20, serial, 1, None)
        first, second = f"{name}/3", f"{name}/4"
        for child in (second, first):
            self.step(child, "activity_started", 30, 1, 1)
            self.step(child, "activity_succeeded", 40, 1, 1, f"r-{child}")
            self.step(name, "event", 45, "late", {"days": 1}, f"m-{child}", child)
        self.step(second, "message_returned", 46, 1, "no_instance")
        for child in (first, second):
            grandchild = f"{child}/{self.instances[child].me.activations}"
            self.step(grandchild, "event", 50, "seen")
