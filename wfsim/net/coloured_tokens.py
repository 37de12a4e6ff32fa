"""Tokens of a coloured net, and the Python functions that its guards and arcs call.

A function evaluates one condition or assignment of the workflow. What is enabled, and what a firing does, is up to the
net: guards put these functions together, arcs hand tokens on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from wfsim.model.elements import Variable
from wfsim.model.evaluate import beside_a_number, evaluate_template, fit
from wfsim.model.expression_tree import Expression, Template
from wfsim.model.functions import Given
from wfsim.model.values import EvaluationFault, Value, ValueType


class Values(Mapping[str, Value]):
    """Values by name, as a token: equal if all are, where `1`, `1.0` and `true` are three."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @cached_property
    def _text(self) -> str:
        return repr(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Values) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Values({self._text})"

    def wrote(self, name: str, value: Value) -> Values:
        """The same after a write."""
        return Values({**self._values, name: value})

    def joined(self, writes: Mapping[str, Value]) -> Values:
        """The same after the writes of a commit."""
        return Values({**self._values, **writes})


NOTHING = Values({})


@dataclass(frozen=True)
class Raised:
    """An error that waits to be offered (M4.2).

    `late` says that it is that of a state's timeout, `chained` that answering another one has raised it (M2.6).
    """

    source: str
    late: bool = False
    chained: bool = False


@dataclass(frozen=True)
class Turn:
    """What an instance knows within a step, and forgets at its end but for `waits`.

    Attributes
    ----------
    waits
        What may still happen by itself in the active state: `activity`, `timeout`, the number of an `after` or `at`.
    event
        The payload that expressions read; `None` where there is none.
    writes
        What a transition has written and not committed (M3.3).
    errors
        Those that wait, the first raised first; `offered` is the one that is being offered.
    automatic
        How many transitions have been taken by themselves in this step (M2.6).
    answering
        Whether it is `done` or `error` that is being answered.
    stuck
        Whether an automatic condition has raised and its error is still to be offered.
    """

    waits: frozenset[str] = frozenset()
    event: Values | None = None
    writes: Values = NOTHING
    errors: tuple[Raised, ...] = ()
    offered: Raised | None = None
    automatic: int = 0
    answering: bool = False
    stuck: bool = False

    def raised(self, source: str, *, late: bool = False) -> Turn:
        """An error more."""
        error = Raised(source, late, self.answering)
        return replace(self, errors=(*self.errors, error))

    def stuck_at(self, source: str) -> Turn:
        """An automatic condition has raised (M2.5)."""
        return replace(self.raised(source), stuck=True, automatic=self.automatic + 1)

    def chosen(self) -> Turn:
        """A transition goes by itself."""
        return replace(self, automatic=self.automatic + 1)

    def offering(self) -> Turn:
        """The first error is offered."""
        first, *rest = self.errors
        counted = self.automatic + first.chained
        event = Values({"source": first.source})
        return replace(
            self, event=event, errors=tuple(rest), offered=first, automatic=counted, answering=True, stuck=False
        )

    def wrote(self, name: str, value: Value) -> Turn:
        """A write before the commit."""
        return replace(self, writes=self.writes.wrote(name, value))

    def entering(self) -> Turn:
        """The activation before has ended, with all that waited for it (M1.2)."""
        return replace(self, waits=frozenset(), writes=NOTHING, errors=(), stuck=False)

    def committed(self) -> Turn:
        """Nothing was left, and what was written is known to all."""
        return replace(self, writes=NOTHING)

    def waiting(self, *waits: str) -> Turn:
        """What starts on entry has started."""
        return replace(self, waits=frozenset(waits))

    def settling(self) -> Turn:
        """The transition is over, or was aborted."""
        return replace(self, event=None, writes=NOTHING, offered=None, answering=False)


Asked = Callable[[Turn, Values], bool]


def truths(tree: Expression, state: str, functions: Given) -> tuple[Asked, Asked, Asked]:
    """Functions that say whether a condition is true, is false, and raises (M2.5)."""

    def value(turn: Turn, values: Values) -> bool | None:
        try:
            found = evaluate_template(tree, values.joined(turn.writes), turn.event, state, functions=functions)
        except EvaluationFault:
            return None
        return found if isinstance(found, bool) else None

    return (
        lambda turn, values: value(turn, values) is True,
        lambda turn, values: value(turn, values) is False,
        lambda turn, values: value(turn, values) is None,
    )


def assigned(
    tree: Template, variable: Variable, state: str, functions: Given
) -> tuple[Asked, Callable[[Turn, Values], Value]]:
    """Functions that say whether a value can be computed and fits its variable, and what the variable then keeps."""

    def value(turn: Turn, values: Values) -> Value:
        found = evaluate_template(tree, values.joined(turn.writes), turn.event, state, functions=functions)
        return fit(variable, beside_a_number(tree, found) if variable.kind is ValueType.NUMBER else found)

    def fits(turn: Turn, values: Values) -> bool:
        try:
            value(turn, values)
        except EvaluationFault:
            return False
        return True

    return fits, value


def kept(variable: Variable) -> tuple[Callable[[Values], bool], Callable[[Values], Value]]:
    """Functions that say whether a result fits its variable, and what that then keeps (M4.1)."""

    def fits(payload: Values) -> bool:
        try:
            fit(variable, payload["result"])
        except EvaluationFault:
            return False
        return True

    return fits, lambda payload: fit(variable, payload["result"])
