"""A state, region, type, variable, event or activity gets another name, and so does all that refers to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from wfsim.model.expression_tree import (
    Compare,
    ListOf,
    Literal,
    Name,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    Whole,
    mapped,
)
from wfsim.model.expressions import is_template, joined_text, to_text
from wfsim.model.uses import Use, activity_uses, located, parts, region_around, scoped, settling, uses, writes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wfsim.model.definition import Definition
    from wfsim.model.expression_tree import Expression, Template
    from wfsim.model.problems import Path

Data = dict[str, Any]


def rename(workflow: Definition, data: Data, path: Path, new: str) -> None:
    """Change the plain data of a workflow so that the element at `path` is called `new` wherever it is meant.

    Parameters
    ----------
    data
        What `workflow` says, with all keys spelt out, as mappings and lists.
    path
        Of a state, of a region inside a state, or of an entry of `types`, `variables`, `events` or `activities`.
    """
    if path[0] == "states":
        (_rename_region if path[-2] == "regions" else _rename_state)(workflow, data, path, new)
    else:
        old = str(path[1])
        _RENAMED[str(path[0])](workflow, data, old, new)
        data[str(path[0])] = _with_key(data[str(path[0])], old, new)


def value_at(data: Any, path: Path) -> Any:
    """What stands at a path of plain data."""
    for step in path:
        data = data[step]
    return data


def _rename_state(workflow: Definition, data: Data, path: Path, new: str) -> None:
    around = path[:-2]
    region = value_at(data, around)
    old = value_at(data, path)["name"]
    _follow_scopes(workflow, data, path, new)
    for transition in region.get("transitions", ()):
        for end in ("from", "to"):
            if transition.get(end) == old:
                transition[end] = new
    if region["initial_state"] == old:
        region["initial_state"] = new
    if not around and "states" in data.get("timeouts", {}):
        data["timeouts"]["states"] = _with_key(data["timeouts"]["states"], old, new)
    _follow_errors(workflow, data, old, new, lambda inside: around[: len(inside)] == inside)

    def change(node: Expression) -> Expression:
        if not isinstance(node, Compare):
            return node
        if node.left == Whole("state"):
            return replace(node, right=_literal(node.right, old, new))
        return replace(node, left=_literal(node.left, old, new)) if node.right == Whole("state") else node

    _respell(data, (use for use in uses(workflow) if region_around(use.path) == around), change)
    value_at(data, path)["name"] = new


def _rename_region(workflow: Definition, data: Data, path: Path, new: str) -> None:
    _follow_scopes(workflow, data, path, new)
    value_at(data, path)["name"] = new


def _rename_variable(workflow: Definition, data: Data, old: str, new: str) -> None:
    def change(node: Expression) -> Expression:
        return Name("context", new) if node == Name("context", old) else node

    _respell(data, uses(workflow), change)
    for write in writes(workflow):
        if write.variable == old:
            value_at(data, write.path[:-1])[write.path[-1]] = new
    for schedule in data.get("schedules", {}).values():
        if "input" in schedule:
            schedule["input"] = _with_key(schedule["input"], old, new)


def _rename_event(workflow: Definition, data: Data, old: str, new: str) -> None:
    for part in parts(workflow):
        for index, transition in enumerate(part.region.transitions):
            if transition.event == old:
                value_at(data, part.transition_path(index))["event"] = new
    for path, _, operation in located(workflow):
        sent = operation.sends
        # What others are sent is an event of theirs.
        if sent is not None and sent.event == old and (sent.to == "self" or sent.addressed == workflow.name):
            value_at(data, path)["event"] = new


def _rename_activity(workflow: Definition, data: Data, old: str, new: str) -> None:
    for path, _, name in (*activity_uses(workflow), *settling(workflow)):
        if name == old:
            *above, last = (*path, "activity") if path[-1] == "compensate_with" else path
            value_at(data, tuple(above))[last] = new
    _follow_errors(workflow, data, old, new, lambda inside: True)


def _rename_type(workflow: Definition, data: Data, old: str, new: str) -> None:
    def follow(declared: Data) -> None:
        if declared.get("type") == old:
            declared["type"] = new
        for inner in [*([declared["items"]] if "items" in declared else []), *declared.get("fields", {}).values()]:
            follow(inner)

    def follow_states(region: Data) -> None:
        for state in region.get("states", []):
            for declared in state.get("data", {}).values():
                follow(declared)
            for inner in state.get("parallel", {}).get("regions", []):
                follow_states(inner)

    for section in ("types", "variables"):
        for declared in data.get(section, {}).values():
            follow(declared)
    follow_states(data)
    for event in data.get("events", {}).values():
        for declared in event.get("payload", {}).values():
            follow(declared)
    for activity in data.get("activities", {}).values():
        for declared in [*activity.get("input", {}).values(), *([activity["result"]] if "result" in activity else [])]:
            follow(declared)


_RENAMED: dict[str, Callable[[Definition, Data, str, str], None]] = {
    "types": _rename_type,
    "variables": _rename_variable,
    "events": _rename_event,
    "activities": _rename_activity,
}


def _follow_errors(workflow: Definition, data: Data, old: str, new: str, inside: Callable[[Path], bool]) -> None:
    """Errors are called by their source: `error.<state>`, `error.<activity>`."""
    for part in parts(workflow):
        for index, transition in enumerate(part.region.transitions):
            if transition.event == f"error.{old}" and inside(part.path):
                value_at(data, part.transition_path(index))["event"] = f"error.{new}"


def _follow_scopes(workflow: Definition, data: Data, path: Path, new: str) -> None:
    """A scope names a state or region by name or by path (M9.1), and may lead through what is renamed."""
    steps = _steps(workflow, path)
    for place, _, operation in located(workflow):
        scope = None if operation.undoes is None else operation.undoes.scope
        if scope is None:
            continue
        found = scoped(workflow, scope)
        target = found[0].split("/") if found else []
        if target[: len(steps)] != steps:
            continue
        by_path = scope.lstrip("/") == found[0]
        if by_path:
            target[len(steps) - 1] = new
            value_at(data, place)["scope"] = ("/" if scope.startswith("/") else "") + "/".join(target)
        elif len(target) == len(steps):
            value_at(data, place)["scope"] = new


def _steps(workflow: Definition, path: Path) -> list[str]:
    """Names of the states and regions that lead to a path."""
    steps: list[str] = []
    at: Any = workflow
    for step in path:
        at = at[step] if isinstance(step, int) else getattr(at, step)
        if isinstance(step, int):
            steps.append(at.name)
    return steps


def _respell(data: Data, places: Iterator[Use], change: Callable[[Expression], Expression]) -> None:
    for use in places:
        *above, last = use.path
        holder = value_at(data, tuple(above))
        if use.kind in ("condition", "key"):
            changed = cast("Expression", mapped(use.tree, change))
            holder[last] = holder[last] if changed == use.tree else to_text(changed)
        else:
            holder[last] = _respelt(holder[last], use.tree, change)


def _respelt(value: Any, tree: Template, change: Callable[[Expression], Expression]) -> Any:
    """A value, of which `tree` is the meaning, with something changed; other expressions stay as they are spelt."""
    match tree:
        case TemplateLiteral():
            return value
        case TemplateObject(entries):
            return {name: _respelt(value[name], inner, change) for name, inner in entries}
        case TemplateList(items):
            return [_respelt(each, inner, change) for each, inner in zip(value, items, strict=True)]
    changed = cast("Expression", mapped(tree, change))
    if changed == tree:
        return value
    return f"${{{to_text(changed)}}}" if is_template(value) else joined_text(changed)


def _literal(node: Expression, old: str, new: str) -> Expression:
    if isinstance(node, ListOf):
        return ListOf(tuple(_literal(item, old, new) for item in node.items))
    return Literal(new) if node == Literal(old) else node


def _with_key(mapping: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if key == old else key: value for key, value in mapping.items()}
