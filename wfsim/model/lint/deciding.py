"""Whether the condition-only transitions of a state always lead on, or leave cases over.

While a state is active and nothing from outside arrives, the variables that only other moments write are fixed.
If some values of them make every condition false, an instance with these values stays. Values are tried, not
reasoned about: the constants of the conditions with their neighbours, and what the variables may hold.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from wfsim.model.evaluate import evaluate, fit
from wfsim.model.expression_tree import NOW, Expression, Literal, Name, TemplateLiteral, Whole, called, names, walk
from wfsim.model.uses import declared_variables, writes
from wfsim.model.values import EvaluationFault, ValueType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.model.elements import State, Variable
    from wfsim.model.lint.graph import RegionGraph
    from wfsim.model.uses import Write

MOST_TRIED = 5_000
_OTHER_TEXT = "something else"


def values_left_over(graph: RegionGraph, state: State) -> dict[str, Any] | None:
    """Values of variables with which no condition-only transition of a state is ever taken.

    Returns
    -------
    dict or None
        `None` if there are none, or if that cannot be told: a condition reads what may change meanwhile, or
        there are too many cases. Empty if there is no condition-only transition.
    """
    conditions = [
        way.condition_tree
        for _, way in graph.usable_from(state.name)
        if way.event is None and not way.timed and way.condition_tree is not None
    ]
    if not conditions:
        return {}
    if any(called(condition) for condition in conditions):
        # What a function in Python gives is not known here (M14.6).
        return None
    read = dict.fromkeys(name for condition in conditions for name in names(condition))
    if any(isinstance(name, Whole) or name == NOW for name in read):
        return None
    fields = list(dict.fromkeys(name.field for name in read if isinstance(name, Name)))
    written = list(writes(graph.workflow))
    if any(write.variable in fields and _may_come(graph, state, write) for write in written):
        return None
    declared = declared_variables(graph.workflow)
    constants = [part.value for tree in conditions for part in walk(tree) if isinstance(part, Literal)]
    choices = [
        list(_choices(declared[field], [write for write in written if write.variable == field], constants))
        for field in fields
    ]
    for number, values in enumerate(itertools.product(*choices)):
        if number == MOST_TRIED:
            return None
        case = dict(zip(fields, values, strict=True))
        if not any(_leads_on(condition, case, state.name) for condition in conditions):
            return case
    return None


def _leads_on(condition: Expression, case: dict[str, Any], state: str) -> bool:
    try:
        return evaluate(condition, case, None, state) is True
    except EvaluationFault:
        # An error leads on too, or ends the instance (M2.5).
        return True


def _may_come(graph: RegionGraph, state: State, write: Write) -> bool:
    """Whether a write can happen while the state is active: by its own work, inside it, or in a region beside it."""
    mine = graph.part.state_path(graph.state_index[state.name])
    if write.path[: len(mine)] == mine:
        return True
    for depth in range(len(graph.part.path)):
        # A region beside one of those around the state: equal up to the number of the region.
        if graph.part.path[depth : depth + 1] == ("regions",):
            here = graph.part.path[: depth + 2]
            if write.path[: depth + 1] == here[:-1] and write.path[: depth + 2] != here:
                return True
    return False


def _choices(variable: Variable, written: list[Write], constants: list[Any]) -> Iterator[Any]:
    """Values the variable may hold; of those not listed anywhere, some on each side of every constant."""
    seen: list[Any] = []
    for value in _candidates(variable, written, constants):
        try:
            kept = fit(variable, value)
        except EvaluationFault:
            continue
        if not any(kept == other and type(kept) is type(other) for other in seen):
            seen.append(kept)
            yield kept


def _candidates(variable: Variable, written: list[Write], constants: list[Any]) -> Iterator[Any]:
    if variable.shape.values is not None:
        yield from variable.shape.values
        return
    if not variable.input and all(isinstance(write.value, TemplateLiteral) for write in written):
        yield variable.initial
        yield from (write.value.value for write in written if isinstance(write.value, TemplateLiteral))
        return
    if variable.kind is ValueType.BOOLEAN:
        yield from (True, False)
        return
    numbers = [0, 1, 2, variable.shape.minimum, variable.shape.maximum]
    numbers += [value for value in constants if isinstance(value, int | float) and not isinstance(value, bool)]
    for number in numbers:
        if number is not None:
            yield from (number, number - 1, number + 1)
    yield from (value for value in constants if isinstance(value, str))
    yield from (_OTHER_TEXT, "", [], [0], None)
