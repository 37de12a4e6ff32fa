"""Which values an open environment may send: one for each way a condition can tell values apart.

Names that a definition compares or assigns to each other form a class; each class gets the constants it is
compared with, the limits of the variables it is written to, and a value from each gap between those. The limits
of a variable cut its values before those outside are dropped, so that every cell within is met. For
values that are only compared and copied this is exact: every value behaves like one of the candidates. Where
values are computed with (`context.n + 1`), or have no fixed type, it samples: beside the above those with which
arithmetic goes wrong (division by 0, overflow).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from wfsim.errors import NotCovered
from wfsim.exploration.cells import (
    PLAIN,
    TELLING_INTEGERS,
    TELLING_NUMBERS,
    distinct,
    fitting,
    numbers,
    texts,
)
from wfsim.exploration.shaped import examples
from wfsim.model.declared import FieldType
from wfsim.model.elements import State, Transition, Variable
from wfsim.model.expression_tree import (
    NOW,
    Apply,
    Arithmetic,
    Call,
    Compare,
    Expression,
    Field,
    Gather,
    Index,
    ListOf,
    Literal,
    Name,
    Negate,
    Template,
    TemplateLiteral,
    Whole,
    time_of,
    walk,
)
from wfsim.model.moments import moment
from wfsim.model.operations import Action, ForEach, SendAction
from wfsim.model.shapes import Shape
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow
from wfsim.semantics.activations import LATEST, LONGEST_SECONDS
from wfsim.semantics.expression_code import can_raise
from wfsim.semantics.program import Program

Key = tuple[str, str]
"""What is classified: ('variable', name), or (event, field)."""

MOST_ITEMS = 2
"""Lists that `for_each` goes through are tried with up to so many items."""

MOST_WHOLE = 32
"""Integers that are computed with are all tried if their range holds no more than so many."""

MOST_OTHERS = 4
"""Texts compared with each other get up to so many values that differ from all constants."""

_SHAPELESS = (ValueType.LIST, ValueType.OBJECT, ValueType.ANY)
_ORDER = ("<", "<=", ">", ">=")
_RESULT: Key = ("done", "result")
_ERROR_TYPE: Key = ("error", "type")
_MESSAGE: Key = ("error", "message")
_CLOCK: Key = ("clock", "now")
END = moment("3000-01-01T00:00:00Z")
"""Runs that are looked for end before: what goes wrong in the last days of the year 9999 alone is no news."""


@dataclass
class Domains:
    """Candidate values by class of names.

    Attributes
    ----------
    program
        The definition whose names are classified.
    claims
        Conditions that are asked about the states found: their constants cut the values as well.
    """

    program: Program
    claims: tuple[Expression, ...] = ()
    _above: dict[Key, Key] = field(default_factory=dict)
    _constants: dict[Key, list[Any]] = field(default_factory=dict)
    _read: set[Key] = field(default_factory=set)
    _computed: set[Key] = field(default_factory=set)
    _reckoned: set[Key] = field(default_factory=set)
    _given: set[Key] = field(default_factory=set)
    _valued: set[Key] = field(default_factory=set)
    _ordered: set[Key] = field(default_factory=set)
    _lists: set[Key] = field(default_factory=set)
    _equalled: set[Key] = field(default_factory=set)

    def __post_init__(self) -> None:
        for transition, event in _transitions(self.program.workflow):
            self._learn(transition, event)
        by_definition = set(self._reckoned)
        for claim in self.claims:
            self._see(claim, "")
        # A claim that overflows for a huge value would be an error, and hide where it is violated.
        self._reckoned = by_definition
        for state in _states(self.program.workflow):
            self._time(state.timeout_tree)
            self._do(state.actions, "")
            if state.activity is not None:
                for template in state.activity.inputs.values():
                    self._use(template, "")
                if state.activity.written is not None:
                    self._given.add(("variable", state.activity.written.variable))
            if state.for_each is not None:
                self._items(state.for_each)
        if _RESULT in self._valued:
            # The same value goes into the variable and into the payload of `done`.
            for state in _states(self.program.workflow):
                if state.activity is not None and state.activity.written is not None:
                    self._join(_RESULT, ("variable", state.activity.written.variable))
        merged: dict[Key, list[Any]] = {}
        for key, constants in self._constants.items():
            merged.setdefault(self._root(key), []).extend(constants)
        self._constants = merged
        self._given |= {("variable", name) for name, v in self.program.variables.items() if v.input}
        self._given |= {_CLOCK}
        self._given |= {(event, name) for event, each in self.program.events.items() for name in each.payload}
        self._read = {self._root(key) for key in self._read}
        self._reckoned = {self._root(key) for key in self._reckoned}
        self._ordered = {self._root(key) for key in self._ordered}
        self._lists = {self._root(key) for key in self._lists}
        self._equalled = {self._root(key) for key in self._equalled}
        self._computed.update(key for key in self._equalled if not 0 < self._n_others(key) <= MOST_OTHERS)

    @property
    def bounded_lists(self) -> bool:
        """Whether `for_each` goes through a list from outside, so that only short ones are tried."""
        return not self._lists.isdisjoint(self._root(key) for key in self._given)

    @property
    def exact(self) -> bool:
        """Whether the candidates stand for all values.

        They do if none that comes from outside is computed with, unless all its values are tried, and none
        whose values have no order and no fixed list (lists, objects, `any`) is compared with anything but `null`.
        """
        given = {self._root(key) for key in self._given if not self._is_listed(key)}
        shapeless = {key for key in self._valued if self._kind(key) in _SHAPELESS or self._has_pattern(key)}
        return given.isdisjoint(self._root(key) for key in self._computed | shapeless)

    def computes(self, key: Key) -> bool:
        """Whether values of a name are computed with, or compared otherwise than with constants."""
        return self._root(key) in {self._root(each) for each in self._computed | self._ordered}

    def _is_listed(self, key: Key) -> bool:
        """Whether every value that this can have is tried."""
        if self._kind(key) is ValueType.BOOLEAN:
            return True
        variable = self.program.variables[key[1]] if key[0] == "variable" else None
        return variable is not None and (variable.shape.values is not None or _span(variable) is not None)

    def _has_pattern(self, key: Key) -> bool:
        """Whether a text is of a pattern: those tried need not stand for all others that are."""
        where, name = key
        if where == "variable":
            return self.program.variables[name].shape.pattern is not None
        field = self.program.events[where].payload.get(name) if where in self.program.events else None
        return field is not None and field.shape.pattern is not None

    def _kind(self, key: Key) -> ValueType:
        where, name = key
        if key == _CLOCK:
            return ValueType.TIMESTAMP
        if where == "variable":
            return self.program.variables[name].kind
        if where in self.program.events:
            declared = self.program.events[where].payload.get(name)
            return ValueType.ANY if declared is None else declared.kind
        # The rest are texts: what step itself puts into `error`, `done` and timers, and the words of a worker.
        return ValueType.ANY if key == _RESULT else ValueType.STRING

    def _root(self, key: Key) -> Key:
        while self._above.get(key, key) != key:
            key = self._above[key]
        return key

    def _join(self, left: Key, right: Key) -> None:
        self._above[self._root(left)] = self._root(right)

    def _learn(self, transition: Transition, event: str) -> None:
        condition = transition.condition_tree
        if condition is not None:
            for name in _named(condition):
                if name.scope == "event":
                    self._given.add(_key(name, event))
            self._see(condition, event)
        self._time(transition.after_tree)
        self._moment(transition.at_tree)
        self._do(transition.actions, event)

    def _do(self, actions: Iterable[Action], event: str) -> None:
        for action in actions:
            written = action.written
            if action.sends is not None:
                self._send(action.sends, event)
            elif written is not None and written.tree is not None:
                self._assign(written.tree, written.variable, event)
            else:
                for read in action.reads:
                    self._use(read.tree, event)
                if written is not None:
                    self._given.add(("variable", written.variable))

    def _items(self, work: ForEach) -> None:
        """How many items there are matters, and what they are where the inputs of one may raise."""
        items = work.items_tree
        for name in _named(items):
            self._read.add(_key(name, ""))
            if items == name:
                self._lists.add(_key(name, ""))
            else:
                self._computed.add(_key(name, ""))
        for template in work.inputs.values():
            self._use(template, "item")
            if can_raise(template):
                self._computed.update(key for key in self._lists)
        if work.written is not None:
            self._given.add(("variable", work.written.variable))

    def _send(self, action: SendAction, event: str) -> None:
        """A receiver must not be null; what an instance tells itself are values of its own event."""
        for template in (action.receiver, action.key):
            if template is not None:
                self._see(template, event)
        for name, template in action.inputs.items():
            self._use(template, event)
            if action.event not in self.program.events:
                continue
            target: Key = (action.event, name)
            for source in _named(template):
                self._join(_key(source, event), target)
                if not isinstance(template, Name):
                    self._computed.add(_key(source, event))
            if isinstance(template, TemplateLiteral | Literal):
                self._constants.setdefault(target, []).append(template.value)

    def _assign(self, template: Template, variable: str, event: str) -> None:
        target: Key = ("variable", variable)
        declared = self.program.variables[variable]
        sources = [_key(name, event) for name in _named(template)]
        self._given.update(_key(name, event) for name in _named(template) if name.scope == "event")
        if any(isinstance(node, Whole) and node.scope != "state" for node in walk(template)):
            self._given.add(target)
        if sources:
            self._constants.setdefault(target, []).extend(_limits(declared))
        for key in sources:
            self._join(key, target)
        if not isinstance(template, Name):
            self._computed.update(sources)
            self._use(template, event)
            return
        (key,) = sources
        if not declared.optional:
            self._read.add(key)
        if self._kind(key) is not declared.kind and self._kind(key) is ValueType.ANY:
            self._computed.add(key)

    def _use(self, template: Template, event: str) -> None:
        """A value is only passed on by a plain name; anything that may raise looks at it."""
        if can_raise(template):
            self._see(template, event)

    def _time(self, template: Template | None) -> None:
        """A duration must not be null, negative or too long (M10.3); its length does not matter here."""
        if template is not None:
            self._see(template, "")
            for name in _named(template):
                self._constants.setdefault(_key(name, ""), []).extend([0, LONGEST_SECONDS])

    def _moment(self, template: Template | None) -> None:
        """A point in time must not be null, nor out of the years that there are (M6.5); when it is does not matter."""
        match template:
            case None:
                return
            case Name():
                name, shift = template, 0
            case Arithmetic("+" | "-" as sign, Name() as name, Call() as by) if _is_time(by):
                shift = time_of(by) if sign == "-" else -time_of(by)
            case _:
                self._see(template, "")
                return
        self._read.add(_key(name, ""))
        self._valued.add(_key(name, ""))
        self._constants.setdefault(_key(name, ""), []).extend([shift, LATEST + shift])

    def _see(self, template: Template, event: str) -> None:
        names = Counter(_key(name, event) for name in _named(template))
        self._read.update(names)
        for node in walk(template):
            if isinstance(node, Compare) and any(_is_null(side) for side in (node.left, node.right)):
                names.subtract(_key(side, event) for side in (node.left, node.right) if isinstance(side, Name))
        self._valued.update(key for key, n in names.items() if n > 0)
        for node in walk(template):
            if isinstance(node, Gather):
                self._gather(node, event)
            if isinstance(node, (Arithmetic, Negate, Call, Apply, Index, Field, Gather)) and not _is_time(node):
                # Neighbours of constants do not suffice for what is computed with.
                inside = self._inside(node, event)
                self._read.update(inside)
                self._computed.update(inside)
                if isinstance(node, Arithmetic | Negate):
                    self._reckoned.update(inside)
                if isinstance(node, Arithmetic) and node.operator in ("/", "//", "%"):
                    self._divide(node.right, event)
            elif isinstance(node, Compare):
                self._compare(node, event)

    def _gather(self, node: Gather, event: str) -> None:
        """What the items of a list are compared with cuts the values inside it."""
        for key in self._inside(node.over, event):
            self._constants.setdefault(key, []).extend(_literals(node.body))

    def _divide(self, divisor: Expression, event: str) -> None:
        """A divisor such as `event.k - 7` is 0 where a name in it is a number beside it, or its opposite."""
        beside = [value for value in _literals(divisor) if isinstance(value, (int, float))]
        for key in self._inside(divisor, event):
            self._constants.setdefault(key, []).extend([*beside, *(-value for value in beside)])

    def _inside(self, template: Template, event: str) -> list[Key]:
        """The names in an expression, those in the whole payload and in all variables included."""
        found = [_key(name, event) for name in _named(template)]
        for node in walk(template):
            if isinstance(node, Whole) and node.scope == "context":
                found += [("variable", name) for name in self.program.variables]
            elif isinstance(node, Whole) and node.scope == "event" and event in self.program.events:
                declared = self.program.events[event].payload
                found += [(event, name) for name in [*declared, *self.program.event_fields[event]]]
        return found

    def _compare(self, node: Compare, event: str) -> None:
        """A name and literals: the constants that cut its values. Names with each other: these are computed with."""
        sides = (node.left, node.right)
        found = [_key(name, event) for side in sides for name in _named(side)]
        wholes = any(isinstance(part, Whole) for side in sides for part in walk(side))
        if wholes and not any(_is_null(side) for side in sides):
            inside = [key for side in sides for key in self._inside(side, event)]
            self._read.update(inside)
            self._computed.update(inside)
        if not found:
            return
        if len(found) > 1:
            # Whether two texts are the same needs only enough different ones; all else may cut values anywhere.
            plain = node.operator in ("==", "!=") and all(isinstance(side, Name) for side in sides)
            (self._equalled if plain else self._computed).update(found)
        for other in found[1:]:
            self._join(found[0], other)
        if node.operator in _ORDER:
            self._ordered.add(found[0])
        literals = [literal for side in sides for literal in _literals(side)]
        self._constants.setdefault(found[0], []).extend(literals)

    def of_clock(self) -> list[int]:
        """Times before `END` that conditions tell apart, earliest first."""
        return sorted({0, *(time for time in self._values(_CLOCK, ValueType.TIMESTAMP) if time < END)})

    def of_field(self, event: str, name: str, declared: FieldType | None) -> list[Any]:
        """Candidates for a payload field, never none."""
        if declared is None or not _says_more(declared.shape):
            kind = declared.kind if declared is not None else ValueType.ANY
            return self._candidates((event, name), kind, declared is None or declared.optional)
        return self.of_shape((event, name), declared.shape, declared.optional)

    def of_shape(self, key: Key, shape: Shape, optional: bool) -> list[Any]:
        """Candidates for a value of a declared type, of which more than its kind is said.

        Raises
        ------
        NotCovered
            If no value is found that fits.
        """
        looked_at = self._is_looked_at(key)
        found = examples(shape, self._constants.get(self._root(key), ()) if looked_at else ())
        if not found and not optional:
            raise NotCovered(f"no value was found that fits {key[1]!r} ({shape}). Widen its type, or make it optional.")
        kept = found if looked_at else found[:1]
        return [*kept, None] if optional and (looked_at or not kept) else kept

    def of_variable(self, name: str, variable: Variable) -> list[Any]:
        """Candidates for an input or for a result written to a variable; they fit its type and range.

        Raises
        ------
        NotCovered
            If no value is found that fits.
        """
        key = self._root(("variable", name))
        optional = variable.optional or variable.kind is ValueType.ANY
        if variable.shape.deep:
            return self.of_shape(("variable", name), variable.shape, optional)
        if variable.shape.values is not None:
            found = fitting(variable.shape.values, variable)
        elif not self._is_looked_at(key):
            found = fitting([PLAIN[variable.kind], *numbers(_limits(variable), variable.kind)], variable)[:1]
        elif (span := _span(variable)) is not None and key in {self._root(each) for each in self._computed}:
            found = fitting(span, variable)
        else:
            found = self._values(key, variable.kind, _limits(variable))
            if key in {self._root(each) for each in self._computed} and variable.initial is not None:
                found.append(variable.initial)
            found = fitting(found, variable)
        if optional and (self._is_looked_at(key) or not found):
            found.append(None)
        if not found:
            shape = variable.shape
            limits = f"minimum {shape.minimum}, maximum {shape.maximum}, values {shape.values}"
            raise NotCovered(
                f"no value was found that fits variable {name!r} ({variable.kind}, {limits}). "
                "Widen its range, or declare it optional."
            )
        return distinct(found)

    def of_typed_result(self, activity: str, shape: Shape) -> list[Any]:
        """Candidates for a result of a declared type: whoever takes it up says what they are told apart by."""
        takers = [
            operation.written.variable
            for operation in self.program.workflow.operations()
            if operation.runs == activity and operation.written is not None
        ]
        keys = [_RESULT, *(("variable", name) for name in takers)]
        constants = [each for key in keys for each in self._constants.get(self._root(key), ())]
        found = examples(shape, constants)
        if not any(self._is_looked_at(key) for key in keys):
            found = found[:1]
        return [*found, None] if shape.optional or not found else found

    def of_result(self) -> list[Any]:
        """Candidates for a result that no variable takes up."""
        return self._candidates(_RESULT, ValueType.ANY, True) if self._root(_RESULT) in self._read else [None]

    def named_error_types(self) -> list[str]:
        """Error types that conditions tell apart from all others."""
        root = self._root(_ERROR_TYPE)
        named = [constant for constant in self._constants.get(root, ()) if isinstance(constant, str)]
        return texts(named, True) if root in self._ordered else distinct(named)

    def of_message(self) -> list[str | None]:
        """Messages that conditions tell apart; `None` stands for a failure without one."""
        return [None, *self._values(_MESSAGE, ValueType.STRING)] if self._is_looked_at(_MESSAGE) else [None]

    def _is_looked_at(self, key: Key) -> bool:
        """Whether anything depends on the value."""
        return self._root(key) in self._read or bool(self._constants.get(self._root(key)))

    def _candidates(self, key: Key, kind: ValueType, optional: bool) -> list[Any]:
        values = self._values(key, kind)
        return distinct([*values, None] if optional and self._is_looked_at(key) else values)

    def _values(self, key: Key, kind: ValueType, limits: list[Any] | None = None) -> list[Any]:
        """A value of each cell into which the class of a name is cut, by limits of its own too; never null."""
        if kind is ValueType.TIMESTAMP:
            # Others are refused at the door.
            found = [value for value in self._values(key, ValueType.INTEGER, limits) if 0 <= value <= LATEST]
            return found or [PLAIN[kind]]
        root = self._root(key)
        constants = [*self._constants.get(root, ()), *(limits or ())]
        if kind is ValueType.BOOLEAN:
            return [True, False] if self._is_looked_at(root) else [True]
        values: list[Any] = []
        if root in self._lists and kind in (ValueType.LIST, ValueType.ANY):
            values += [["text"] * n for n in range(MOST_ITEMS + 1)]
        if kind in (ValueType.INTEGER, ValueType.NUMBER, ValueType.ANY):
            values += numbers(constants, kind)
            if root in self._reckoned:
                values += TELLING_INTEGERS if kind is ValueType.INTEGER else TELLING_NUMBERS
        if kind is ValueType.ANY and (any(isinstance(c, bool) for c in constants) or not constants):
            values += [True, False] if self._is_looked_at(root) else []
        if kind is ValueType.STRING or (kind is ValueType.ANY and any(isinstance(c, str) for c in constants)):
            values += texts(constants, root in self._ordered, self._n_others(root) if root in self._equalled else 1)
        return values or [PLAIN[kind]]

    def _n_others(self, key: Key) -> int:
        """How many different texts can meet: one in each variable of the class and in each field of one event.

        0 where the class has something else than texts, or its texts have an order.
        """
        root = self._root(key)
        variables = [("variable", name) for name in self.program.variables]
        events = [[(event, name) for name in each.payload] for event, each in self.program.events.items()]
        members = [[each for each in group if self._root(each) == root] for group in (variables, *events)]
        kinds = {self._kind(each) for group in members for each in group}
        if kinds != {ValueType.STRING} or root in self._ordered:
            return 0
        return len(members[0]) + max((len(group) for group in members[1:]), default=0)


def _says_more(shape: Shape) -> bool:
    """Whether more is declared than a kind."""
    limits = (shape.values, shape.minimum, shape.maximum)
    return shape.deep or any(limit is not None for limit in limits)


def _transitions(workflow: Workflow) -> Iterator[tuple[Transition, str]]:
    for _, region in workflow.regions():
        for transition in region.transitions:
            event = transition.event or ""
            yield transition, "error" if event.startswith("error.") else event


def _states(workflow: Workflow) -> Iterator[State]:
    for _, region in workflow.regions():
        yield from region.states


def _key(name: Name, event: str) -> Key:
    if name == NOW:
        return _CLOCK
    return ("variable", name.field) if name.scope == "context" else (event, name.field)


def _named(template: Template) -> list[Name]:
    return [node for node in walk(template) if isinstance(node, Name)]


def _literals(expression: Expression) -> list[Any]:
    if isinstance(expression, ListOf):
        return [item.value for item in expression.items if isinstance(item, Literal)]
    found = [node.value for node in walk(expression) if isinstance(node, Literal)]
    return [*found, *(time_of(node) for node in walk(expression) if isinstance(node, Call) and _is_time(node))]


def _is_time(node: Template) -> bool:
    """Whether it is a time that is written out."""
    return isinstance(node, Call) and node.function in ("duration", "timestamp")


def _is_null(expression: Template) -> bool:
    return isinstance(expression, Literal) and expression.value is None


def _span(variable: Variable) -> range | None:
    """All values of an integer with so narrow a range that each can be tried."""
    if variable.kind is not ValueType.INTEGER or variable.shape.minimum is None or variable.shape.maximum is None:
        return None
    low, high = math.ceil(variable.shape.minimum), math.floor(variable.shape.maximum)
    return range(low, high + 1) if high - low < MOST_WHOLE else None


def _limits(variable: Variable) -> list[Any]:
    """The constants that a variable's declaration compares every value with that is written to it."""
    limits = [*(variable.shape.values or ()), variable.shape.minimum, variable.shape.maximum]
    return [limit for limit in limits if limit is not None]
