"""Small workflows and what their nets do, for every test of the translation."""

from __future__ import annotations

from typing import Any

import wfsim as wf
from wfsim.net.marking import Marking
from wfsim.net.petri import PetriNet

C = {"name": "c", "is_terminal": True}
FIRST_TRY = {"max_attempts": 1}


def workflow(transitions: list[dict[str, Any]], states: list[Any] | None = None, **keys: Any) -> wf.Workflow:
    listed: list[Any] = states if states is not None else ["a", C]
    named = [{"name": state} if isinstance(state, str) else state for state in listed]
    events = {t["event"]: {} for t in transitions if t.get("event") in ("go", "stop", "back")}
    data = {"name": "w", "initial_state": named[0]["name"], "states": named, "events": events}
    return wf.Workflow.model_validate(data | {"transitions": transitions} | keys)


def run(name: str, **more: Any) -> dict[str, Any]:
    return {"action_type": "activity", "name": name, **more}


def flows(net: PetriNet, label: str) -> list[tuple[dict[str, int], dict[str, int]]]:
    """What each net transition with this label consumes and produces."""
    return [
        (
            {arc.source: arc.weight for arc in net.arcs if arc.target == name},
            {arc.target: arc.weight for arc in net.arcs if arc.source == name},
        )
        for name in net.transitions
        if net.label(name) == label
    ]


def region(name: str, transitions: list[dict[str, Any]], states: list[Any], **keys: Any) -> dict[str, Any]:
    """A region; a state whose name is upper-case is terminal, `BAD` with failure."""
    named: list[dict[str, Any]] = []
    for state in states:
        given = {"name": state} if isinstance(state, str) else dict(state)
        if given["name"].isupper():
            given |= {"is_terminal": True} | ({"outcome": "failure"} if given["name"] == "BAD" else {})
        named.append(given)
    return {"name": name, "initial_state": named[0]["name"], "states": named, "transitions": transitions} | keys


def parallel(name: str, *regions: dict[str, Any], join: str | int = "all", **keys: Any) -> dict[str, Any]:
    """A parallel state."""
    return {"name": name, "parallel": {"join": join, "regions": list(regions)}} | keys


def ways(net: PetriNet, *labels: str) -> set[Marking]:
    """Every marking that firing net transitions with these labels, in this order, can lead to."""
    found = {net.initial_marking}
    for label in labels:
        copies = [name for name in net.transitions if net.label(name) == label]
        assert copies, f"no net transition is called {label!r}"
        found = {net.fire(marking, name) for marking in found for name in copies if net.is_enabled(marking, name)}
    return found


def after(net: PetriNet, *labels: str) -> set[frozenset[str]]:
    """The places marked then, with what the log does not hold left out."""
    return {frozenset(p for p in marking.support() if not p.startswith("no ")) for marking in ways(net, *labels)}
