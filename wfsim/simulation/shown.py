"""A scenario as people see it: one line, and in a notebook tables of what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.errors import visible
from wfsim.markup import escaped, html_table

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = ("arrivals", "cases", "horizon", "warm_up", "seed", "replications", "timer_poll", "begins", "patience")
_LONGEST = 400


def scenario_line(written: Mapping[str, Any]) -> str:
    """What it is for, who comes, how long it goes, and what it is about beside; `written` as a file would say it."""
    of = f" for {written['workflow']}" if "workflow" in written else ""
    parts = [_flow(written.get("arrivals", {"poisson": "60/h"}))]
    if "cases" in written:
        parts.append(f"{written['cases']:,} cases")
    if "horizon" in written:
        parts.append(f"until {written['horizon']}")
    parts.append(f"seed {written.get('seed', 1)}")
    said = [
        f"{len(written[key])} {noun if len(written[key]) != 1 else one}"
        for key, noun, one in (
            ("events", "states with events", "state with events"),
            ("activities", "activities", "activity"),
            ("pools", "pools", "pool"),
            ("slas", "SLAs", "SLA"),
            ("workflows", "further workflows", "further workflow"),
        )
        if written.get(key)
    ]
    return visible(f"<Scenario{of}: {', '.join(parts)}{'; ' if said else ''}{', '.join(said)}>")


def scenario_html(written: Mapping[str, Any]) -> str:
    """A table for each part of a scenario that it says something in, in the words of its file."""
    title = f"Scenario for {written['workflow']}" if "workflow" in written else "Scenario"
    parts = [f"<p><b>{escaped(title)}</b>. {escaped(written.get('description', ''))}</p>"]
    parts.append(html_table(("key", "value"), [(key, _flow(written[key])) for key in _HEAD if key in written]))
    parts += _surroundings(written)
    for name, pool in written.get("pools", {}).items():
        parts.append(html_table(("pool " + name, ""), [(key, _flow(value)) for key, value in pool.items()]))
    if written.get("slas"):
        rows = [(sla["name"], _flow({key: sla[key] for key in sla if key != "name"})) for sla in written["slas"]]
        parts.append(html_table(("SLA", ""), rows))
    for name, plan in written.get("workflows", {}).items():
        parts.append(f"<p><b>workflow {escaped(name)}</b></p>")
        parts += _surroundings(plan)
    return "".join(parts)


def _surroundings(written: Mapping[str, Any]) -> list[str]:
    """The inputs, events and activities of one workflow."""
    found = []
    if written.get("inputs"):
        inputs = [(name, _flow(value)) for name, value in written["inputs"].items()]
        found.append(html_table(("input", "value"), inputs))
    events = []
    for state, plans in written.get("events", {}).items():
        race = isinstance(plans, dict)
        for k, plan in enumerate(plans["race"] if race else plans):
            weight = "race" if race else f"{plan.get('weight', 1):.4g}"
            delay, payload = (_flow(plan[key]) if key in plan else "" for key in ("delay", "payload"))
            events.append((state if k == 0 else "", plan["event"], weight, delay, payload))
    if events:
        found.append(html_table(("in state", "event", "weight", "after", "payload"), events, numbers={2}))
    activities = [
        (name, _flow(plan.get("duration", "0s")), _flow({key: plan[key] for key in plan if key != "duration"}))
        for name, plan in written.get("activities", {}).items()
    ]
    if activities:
        found.append(html_table(("activity", "takes", "further"), activities))
    return found


def _flow(value: Any) -> str:
    """A value in the words of a file, in one line, cut if it is very long."""
    text = " ".join(_words(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _words(value: Any, *, inside: bool = False) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{key}: {_words(each, inside=True)}" for key, each in value.items())
        return f"{{{text}}}" if inside else text
    if isinstance(value, list):
        return "[" + ", ".join(_words(each, inside=True) for each in value) + "]"
    return "null" if value is None else str(value)
