"""Which values an open environment may send: one for each way a condition can tell values apart.

Names that a definition compares or assigns to each other form a class; each class gets the constants it is
compared with and their neighbours. For values that are only compared with constants this is exact: every
value behaves like one of the candidates. Where values are computed (`context.n + 1`) it samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wfsim.model.expressions import (
    Arithmetic,
    Call,
    Compare,
    Expression,
    ListOf,
    Literal,
    Name,
    Negate,
    Template,
    parse_condition,
    parse_template,
    walk,
)
from wfsim.model.workflow import (
    ActivityAction,
    FieldType,
    SetVariableAction,
    Transition,
    ValueType,
    Variable,
    Workflow,
)
from wfsim.semantics.program import Program

Key = tuple[str, str]
"""What is classified: ('variable', name), or (event, field)."""

_PLAIN: dict[ValueType, Any] = {
    ValueType.STRING: "text",
    ValueType.INTEGER: 1,
    ValueType.NUMBER: 1.0,
    ValueType.BOOLEAN: True,
    ValueType.LIST: [],
    ValueType.OBJECT: {},
    ValueType.ANY: None,
}


@dataclass
class Domains:
    """Candidate values by class of names.

    Attributes
    ----------
    """

    program: Program
    _above: dict[Key, Key] = field(default_factory=dict)
    _constants: dict[Key, list[Any]] = field(default_factory=dict)
    _read: set[Key] = field(default_factory=set)
    _computed: set[Key] = field(default_factory=set)
    _given: set[Key] = field(default_factory=set)

    def __post_init__(self) -> None:
        for transition, event in _transitions(self.program.workflow):
            self._learn(transition, event)
        merged: dict[Key, list[Any]] = {}
        for key, constants in self._constants.items():
            merged.setdefault(self._root(key), []).extend(constants)
        self._constants = merged
        self._given |= {("variable", name) for name, v in self.program.variables.items() if v.input}
        self._read = {self._root(key) for key in self._read}

    @property
    def exact(self) -> bool:
        """Whether the candidates stand for all values: none that comes from outside is computed with."""
        given = {self._root(key) for key in self._given}
        return given.isdisjoint(self._root(key) for key in self._computed)

    def _root(self, key: Key) -> Key:
        while self._above.get(key, key) != key:
            key = self._above[key]
        return key

    def _join(self, left: Key, right: Key) -> None:
        self._above[self._root(left)] = self._root(right)

    def _learn(self, transition: Transition, event: str) -> None:
        if transition.condition is not None:
            condition = parse_condition(transition.condition)
            for name in _named(condition):
                if name.scope == "event":
                    self._given.add(_key(name, event))
                self._read.add(_key(name, event))
            self._compare(condition, event)
            self._compute(condition, event)
        for action in (*transition.pre_actions, *transition.post_actions):
            if isinstance(action, SetVariableAction):
                self._assign(parse_template(action.parameters.value), action.parameters.name, event)
            elif isinstance(action, ActivityAction):
                for value in action.parameters.values():
                    self._compare(parse_template(value), event)
                if action.result_variable is not None:
                    self._given.add(("variable", action.result_variable))

    def _assign(self, template: Template, variable: str, event: str) -> None:
        target: Key = ("variable", variable)
        self._compare(template, event)
        self._given.update(_key(name, event) for name in _named(template) if name.scope == "event")
        if isinstance(template, Name):
            self._join(_key(template, event), target)
        else:
            for name in _named(template):
                self._computed.add(_key(name, event))
                self._join(_key(name, event), target)

    def _compute(self, template: Template, event: str) -> None:
        """Names that are computed with, or compared with each other: neighbours of constants do not suffice."""
        for node in walk(template):
            if isinstance(node, (Arithmetic, Negate, Call)):
                self._computed.update(_key(name, event) for name in _named(node))
            elif isinstance(node, Compare):
                found = [_key(name, event) for side in (node.left, node.right) for name in _named(side)]
                if len(found) > 1:
                    self._computed.update(found)

    def _compare(self, template: Template, event: str) -> None:
        for node in walk(template):
            if not isinstance(node, Compare):
                continue
            sides = (node.left, node.right)
            found = [_key(name, event) for side in sides for name in _named(side)]
            for other in found[1:]:
                self._join(found[0], other)
            for side in sides:
                for literal in _literals(side):
                    if found:
                        self._constants.setdefault(found[0], []).append(literal)

    def of_field(self, event: str, name: str, declared: FieldType | None) -> list[Any]:
        """Candidates for a payload field."""
        kind = declared.type if declared is not None else ValueType.ANY
        optional = declared is None or declared.optional
        return self._candidates((event, name), kind, optional, None)

    def of_variable(self, name: str, variable: Variable) -> list[Any]:
        """Candidates for an input or for a result written to a variable; they fit its type and range."""
        return self._candidates(("variable", name), variable.type, variable.optional, variable)

    def _candidates(self, key: Key, kind: ValueType, optional: bool, variable: Variable | None) -> list[Any]:
        root = self._root(key)
        constants = self._constants.get(root, [])
        values: list[Any] = []
        if variable is not None and variable.values is not None:
            values = list(variable.values)
        else:
            for constant in constants:
                values.extend(_around(constant, kind))
            if (kind is ValueType.BOOLEAN and (root in self._read or constants)) or (
                kind is ValueType.ANY and root in self._read and not constants
            ):
                values = [True, False]
            if not values or (kind is ValueType.STRING and constants):
                values.append(_PLAIN[kind] if kind is not ValueType.ANY else "text")
        if variable is not None:
            values = [value for value in values if _in_range(value, variable)] or [variable.initial]
        if optional and (root in self._read or constants):
            values.append(None)
        distinct: dict[str, Any] = {repr(value): value for value in values}
        return list(distinct.values())


def _transitions(workflow: Workflow) -> Iterator[tuple[Transition, str]]:
    for _, region in workflow.regions():
        for transition in region.transitions:
            event = transition.event or ""
            yield transition, "error" if event.startswith("error.") else event


def _key(name: Name, event: str) -> Key:
    return ("variable", name.field) if name.scope == "context" else (event, name.field)


def _named(template: Template) -> list[Name]:
    return [node for node in walk(template) if isinstance(node, Name)]


def _literals(expression: Expression) -> list[Any]:
    if isinstance(expression, ListOf):
        return [item.value for item in expression.items if isinstance(item, Literal)]
    return [node.value for node in walk(expression) if isinstance(node, Literal)]


def _around(constant: Any, kind: ValueType) -> list[Any]:
    """The constant and what lies next to it on both sides, in the wanted type."""
    if constant is None:
        return []
    if isinstance(constant, bool):
        return [True, False] if kind in (ValueType.BOOLEAN, ValueType.ANY) else []
    if isinstance(constant, str):
        return [constant] if kind in (ValueType.STRING, ValueType.ANY) else []
    if kind is ValueType.INTEGER or (kind is ValueType.ANY and isinstance(constant, int)):
        whole = int(constant)
        return [whole - 1, whole, whole + 1]
    if kind in (ValueType.NUMBER, ValueType.ANY):
        return [float(constant) - 1.0, float(constant), float(constant) + 1.0]
    return []


def _in_range(value: Any, variable: Variable) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return True
    low, high = variable.minimum, variable.maximum
    return (low is None or value >= low) and (high is None or value <= high)
