"""Which values an open environment may send: one for each way a condition can tell values apart.

Names that a definition compares or assigns to each other form a class; each class gets the constants it is
compared with, the limits of the variables it is written to, and a value from each gap between those. For
values that are only compared and copied this is exact: every value behaves like one of the candidates. Where
values are computed with (`context.n + 1`), or have no fixed type, it samples.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wfsim.model.elements import ActivityAction, FieldType, SetVariableAction, State, Transition, Variable
from wfsim.model.expression_tree import (
    Arithmetic,
    Call,
    Compare,
    Expression,
    ListOf,
    Literal,
    Name,
    Negate,
    Template,
    walk,
)
from wfsim.model.expressions import is_template, parse_condition, parse_template
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow
from wfsim.semantics.activations import LONGEST_SECONDS
from wfsim.semantics.expression_code import can_raise
from wfsim.semantics.program import Program

Key = tuple[str, str]
"""What is classified: ('variable', name), or (event, field)."""

_SHAPELESS = (ValueType.LIST, ValueType.OBJECT, ValueType.ANY)
_ORDER = ("<", "<=", ">", ">=")
_FROM_WORKERS: tuple[Key, ...] = (("done", "result"), ("error", "message"))

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
    program
        The definition whose names are classified.
    """

    program: Program
    _above: dict[Key, Key] = field(default_factory=dict)
    _constants: dict[Key, list[Any]] = field(default_factory=dict)
    _read: set[Key] = field(default_factory=set)
    _computed: set[Key] = field(default_factory=set)
    _given: set[Key] = field(default_factory=set)
    _valued: set[Key] = field(default_factory=set)

    def __post_init__(self) -> None:
        for transition, event in _transitions(self.program.workflow):
            self._learn(transition, event)
        for state in _states(self.program.workflow):
            for value in (state.timeout, self.program.workflow.timeouts.states.get(state.name)):
                self._time(value)
            if state.activity is not None:
                for value in state.activity.parameters.values():
                    self._use(parse_template(value), "")
                if state.activity.result_variable is not None:
                    self._given.add(("variable", state.activity.result_variable))
        merged: dict[Key, list[Any]] = {}
        for key, constants in self._constants.items():
            merged.setdefault(self._root(key), []).extend(constants)
        self._constants = merged
        self._given |= {("variable", name) for name, v in self.program.variables.items() if v.input}
        self._given |= {(event, name) for event, each in self.program.events.items() for name in each.payload}
        self._read = {self._root(key) for key in self._read}

    @property
    def exact(self) -> bool:
        """Whether the candidates stand for all values.

        They do if none that comes from outside is computed with, and none whose values have no order and no
        fixed list (lists, objects, `any`) is compared with anything but `null`.
        """
        given = {self._root(key) for key in self._given}
        shapeless = {key for key in self._valued if self._kind(key) in _SHAPELESS}
        return given.isdisjoint(self._root(key) for key in self._computed | shapeless)

    def _kind(self, key: Key) -> ValueType:
        where, name = key
        if where == "variable":
            return self.program.variables[name].type
        if where in self.program.events:
            declared = self.program.events[where].payload.get(name)
            return ValueType.ANY if declared is None else declared.type
        # What step itself puts into `error`, `done` and timers, but for the two that come from outside whole.
        return ValueType.ANY if key in _FROM_WORKERS else ValueType.STRING

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
            self._see(condition, event)
        self._time(transition.after)
        for action in (*transition.pre_actions, *transition.post_actions):
            if isinstance(action, SetVariableAction):
                self._assign(parse_template(action.parameters.value), action.parameters.name, event)
            elif isinstance(action, ActivityAction):
                for value in action.parameters.values():
                    self._use(parse_template(value), event)
                if action.result_variable is not None:
                    self._given.add(("variable", action.result_variable))

    def _assign(self, template: Template, variable: str, event: str) -> None:
        target: Key = ("variable", variable)
        declared = self.program.variables[variable]
        if not isinstance(template, Name):
            self._use(template, event)
        self._given.update(_key(name, event) for name in _named(template) if name.scope == "event")
        if isinstance(template, Name):
            key = _key(template, event)
            limits = [*(declared.values or ()), declared.minimum, declared.maximum]
            self._constants.setdefault(target, []).extend(limit for limit in limits if limit is not None)
            if not declared.optional:
                self._read.add(key)
            if self._kind(key) is not declared.type and self._kind(key) is ValueType.ANY:
                self._computed.add(key)
            self._join(key, target)
        else:
            for name in _named(template):
                self._computed.add(_key(name, event))
                self._join(_key(name, event), target)

    def _use(self, template: Template, event: str) -> None:
        """A value is only passed on by a plain name; anything that may raise looks at it."""
        if can_raise(template):
            self._see(template, event)

    def _time(self, value: object) -> None:
        """A duration must not be null, negative or too long (M10.3); its length does not matter here."""
        if isinstance(value, str) and is_template(value):
            template = parse_template(value)
            self._see(template, "")
            for name in _named(template):
                self._constants.setdefault(_key(name, ""), []).extend([0, LONGEST_SECONDS])

    def _see(self, template: Template, event: str) -> None:
        names = Counter(_key(name, event) for name in _named(template))
        self._read.update(names)
        for node in walk(template):
            if isinstance(node, Compare) and any(_is_null(side) for side in (node.left, node.right)):
                names.subtract(_key(side, event) for side in (node.left, node.right) if isinstance(side, Name))
        self._valued.update(key for key, n in names.items() if n > 0)
        self._compare(template, event)
        self._compute(template, event)

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
                        constants = self._constants.setdefault(found[0], [])
                        constants.append(literal)
                        if isinstance(literal, str) and node.operator in _ORDER:
                            # The least text of all, and the next one after the literal.
                            constants += ["", literal + "\0"]

    def of_field(self, event: str, name: str, declared: FieldType | None) -> list[Any]:
        """Candidates for a payload field."""
        kind = declared.type if declared is not None else ValueType.ANY
        optional = declared is None or declared.optional
        return self._candidates((event, name), kind, optional, None)

    def of_variable(self, name: str, variable: Variable) -> list[Any]:
        """Candidates for an input or for a result written to a variable; they fit its type and range."""
        return self._candidates(("variable", name), variable.type, variable.optional, variable)

    def of_result(self) -> list[Any]:
        """Candidates for a result that no variable takes up."""
        return self.of_field("done", "result", None) if self._root(("done", "result")) in self._read else [None]

    def _candidates(self, key: Key, kind: ValueType, optional: bool, variable: Variable | None) -> list[Any]:
        root = self._root(key)
        constants = self._constants.get(root, [])
        values: list[Any] = []
        if variable is not None and variable.values is not None:
            values = list(variable.values)
        else:
            values = _numbers(constants, kind)
            for constant in constants:
                values.extend(_same(constant, kind))
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


def _states(workflow: Workflow) -> Iterator[State]:
    for _, region in workflow.regions():
        yield from region.states


def _key(name: Name, event: str) -> Key:
    return ("variable", name.field) if name.scope == "context" else (event, name.field)


def _named(template: Template) -> list[Name]:
    return [node for node in walk(template) if isinstance(node, Name)]


def _literals(expression: Expression) -> list[Any]:
    if isinstance(expression, ListOf):
        return [item.value for item in expression.items if isinstance(item, Literal)]
    return [node.value for node in walk(expression) if isinstance(node, Literal)]


def _same(constant: Any, kind: ValueType) -> list[Any]:
    """A text or truth value as a candidate, if it has the wanted type."""
    if isinstance(constant, bool):
        return [True, False] if kind in (ValueType.BOOLEAN, ValueType.ANY) else []
    return [constant] if isinstance(constant, str) and kind in (ValueType.STRING, ValueType.ANY) else []


def _numbers(constants: list[Any], kind: ValueType) -> list[Any]:
    """Numbers among the constants, one from each gap between them, and one beyond either end."""
    found = sorted({c for c in constants if isinstance(c, (int, float)) and not isinstance(c, bool)})
    if not found:
        return []
    if kind is ValueType.INTEGER or (kind is ValueType.ANY and all(isinstance(c, int) for c in found)):
        near = {whole for c in found for whole in (math.floor(c) - 1, math.floor(c), math.floor(c) + 1)}
        return [whole for whole in sorted(near) if -(2**63) <= whole < 2**63]
    if kind not in (ValueType.NUMBER, ValueType.ANY):
        return []
    reals = [float(c) for c in found]
    low, high = reals[0], reals[-1]
    ends = [min(low - 1.0, math.nextafter(low, -math.inf)), max(high + 1.0, math.nextafter(high, math.inf))]
    gaps = [left / 2 + right / 2 for left, right in itertools.pairwise(reals)]
    return [real for real in sorted({*reals, *ends, *gaps}) if math.isfinite(real)]


def _is_null(expression: Template) -> bool:
    return isinstance(expression, Literal) and expression.value is None


def _in_range(value: Any, variable: Variable) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return True
    low, high = variable.minimum, variable.maximum
    return (low is None or value >= low) and (high is None or value <= high)
