"""Data of states: which variable `state.<field>` is at each place of a definition (M13.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from wfsim.model.expression_tree import Expression, Field, Index, Literal, Name, Template, Whole, mapped
from wfsim.model.fields import seeing, sees

if TYPE_CHECKING:
    from wfsim.model.elements import Datum, State, Transition
    from wfsim.model.shapes import Signature

Steps: TypeAlias = tuple[str, ...]
Seen: TypeAlias = Mapping[str, str]
"""Variables by the field that they are."""
Functions: TypeAlias = "Mapping[str, Signature]"
_NOTHING: Seen = {}
AnyTree = TypeVar("AnyTree", bound=Template)


class HasStates(Protocol):
    """A region, or the workflow, which is the root region."""

    @property
    def states(self) -> tuple[State, ...]: ...

    @property
    def transitions(self) -> tuple[Transition, ...]: ...


def variable_of(steps: Steps, field: str) -> str:
    """The variable that a field of a state is; `steps` are states and regions in turn, down to that state."""
    return f"{'/'.join(steps)}.{field}"


def placed(tree: AnyTree) -> AnyTree:
    """What is written outside a definition: `state.<state>.<field>` and `state['<path>'].<field>` are variables."""

    def change(node: Expression) -> Expression:
        match node:
            case Field(Name("state", owner), field) | Field(Index(Whole("state"), Literal(str(owner))), field):
                return Name("context", variable_of((owner,), field))
            case _:
                return node

    return cast(AnyTree, mapped(tree, change))


def located(
    region: HasStates,
    typed: Callable[[Datum], Datum],
    functions: Functions,
    steps: Steps = (),
    around: Seen = _NOTHING,
) -> dict[str, Any]:
    """States and transitions of a region, knowing the data of the states that they lie in, and functions to call.

    Parameters
    ----------
    typed
        Gives a field that knows what the names of types in it mean.
    functions
        What expressions may call, with what it takes and gives (M14.1).
    steps, around
        States and regions around the region, and their data.
    """
    states, seen = [], {}
    for state in region.states:
        inside = (*steps, state.name)
        own = {field: variable_of(inside, field) for field in state.data}
        seen[state.name] = {**around, **own} if own else around
        states.append(_state(state, typed, functions, inside, seen[state.name]))
    transitions = [_transition(each, functions, seen.get(each.from_, around), seen) for each in region.transitions]
    return {"states": tuple(states), "transitions": tuple(transitions)}


def _state(state: State, typed: Callable[[Datum], Datum], functions: Functions, steps: Steps, seen: Seen) -> State:
    changed: dict[str, Any] = {}
    for key in ("entry_actions", "exit_actions"):
        changed[key] = tuple(seeing(action, seen, seen, functions) for action in getattr(state, key))
    if state.parallel is not None:
        regions = [
            region.model_copy(update=located(region, typed, functions, (*steps, region.name), seen))
            for region in state.parallel.regions
        ]
        changed["parallel"] = state.parallel.model_copy(update={"regions": tuple(regions)})
    elif state.work is not None:
        changed[state.work.field] = seeing(state.work, seen, seen, functions)
    if state.data:
        changed["data"] = {field: typed(datum) for field, datum in state.data.items()}
    return seeing(state, seen, seen, functions, **_news(state, changed))


def _transition(transition: Transition, functions: Functions, left: Seen, seen: Mapping[str, Seen]) -> Transition:
    """Before the commit the state that is left is there to be read, and the one entered to be written."""
    entered = left if transition.to is None else seen.get(transition.to, left)
    before = tuple(seeing(action, left, entered, functions) for action in transition.pre_actions)
    after = tuple(seeing(action, entered, entered, functions) for action in transition.post_actions)
    changed = _news(transition, {"pre_actions": before, "post_actions": after})
    return seeing(transition, left, entered, functions, **changed)


def _news(element: State | Transition, fields: dict[str, Any]) -> dict[str, Any]:
    """Those fields whose values are other objects than before; equal actions may see other data."""

    def same(name: str, value: object) -> bool:
        was = getattr(element, name)
        if isinstance(value, tuple):
            return all(one is other for one, other in zip(value, was, strict=True))
        return value is was

    return {name: value for name, value in fields.items() if not same(name, value)}


def unset(state: State, transition: Transition | None) -> Iterator[str]:
    """Fields that nothing sets when their state is entered: by a transition, or as the first of its region (M13.2)."""
    actions = (*(transition.pre_actions if transition is not None else ()), *state.entry_actions)
    given = {action.written.variable for action in actions if action.written is not None}
    own, _ = sees(state)
    return (field for field, datum in state.data.items() if datum.needed and own[field] not in given)
