"""Formulas about the markings of a net: claims about one marking, and CTL [1]_ over the firing sequences from it.

A path is a *maximal* firing sequence: it goes on for ever, or ends in a marking that enables nothing, as the Model
Checking Contest has it. So in a deadlock `AX f` is true and `EX f` false whatever `f` is, and `EG f`, `AF f` are both
what `f` is there.

References
----------
.. [1] Clarke, Emerson, Sistla (1986), Automatic verification of finite-state concurrent systems using temporal logic
   specifications, ACM Transactions on Programming Languages and Systems 8(2), 244-263.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from wfsim.errors import UnknownNode
from wfsim.net.marking import nearest

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet


Quantifier: TypeAlias = Literal["A", "E"]
Operator: TypeAlias = Literal["X", "F", "G", "U"]


@dataclass(frozen=True, slots=True)
class Constant:
    """True or false, whatever the marking."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True, slots=True)
class Linear:
    """A weighted sum of tokens is at most a number; no weight is 0, and no place is named twice."""

    weights: tuple[tuple[str, int], ...]
    bound: int

    def __str__(self) -> str:
        if all(weight < 0 for _, weight in self.weights):
            return f"{_sum((place, -weight) for place, weight in self.weights)} >= {-self.bound}"
        return f"{_sum(self.weights)} <= {self.bound}"


def _sum(weights: Iterable[tuple[str, int]]) -> str:
    text = ""
    for place, weight in weights:
        sign = (" + " if weight > 0 else " - ") if text else ("" if weight > 0 else "-")
        text += f"{sign}{'' if abs(weight) == 1 else f'{abs(weight)} * '}tokens({place!r})"
    return text


@dataclass(frozen=True, slots=True)
class CanFire:
    """At least one of these net transitions is enabled."""

    transitions: tuple[str, ...]

    def __str__(self) -> str:
        return " or ".join(f"can_fire({name!r})" for name in self.transitions)


@dataclass(frozen=True, slots=True)
class Deadlock:
    """No net transition is enabled."""

    def __str__(self) -> str:
        return "deadlock"


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    operand: Formula

    def __str__(self) -> str:
        return f"not {_inside(self.operand)}"


@dataclass(frozen=True, slots=True)
class And:
    """All of them; of none it is true."""

    operands: tuple[Formula, ...]

    def __str__(self) -> str:
        return " and ".join(map(_inside, self.operands)) or "true"


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them; of none it is false."""

    operands: tuple[Formula, ...]

    def __str__(self) -> str:
        return " or ".join(map(_inside, self.operands)) or "false"


@dataclass(frozen=True, slots=True)
class Temporal:
    """`A`: on every path, or `E`: on some path, what the operator says of its operands.

    `X`: after one firing; `F`: at some marking of it, the first included; `G`: at every one; `U`: the second operand is
    true at some marking of it, and the first one at every marking before.
    """

    quantifier: Quantifier
    operator: Operator
    operands: tuple[Formula, ...]

    def __post_init__(self) -> None:
        assert len(self.operands) == (2 if self.operator == "U" else 1)

    def __str__(self) -> str:
        if self.operator == "U":
            return f"{self.quantifier}[{_inside(self.operands[0])} U {_inside(self.operands[1])}]"
        return f"{self.quantifier}{self.operator} {_inside(self.operands[0])}"


Formula: TypeAlias = "Constant | Linear | CanFire | Deadlock | Not | And | Or | Temporal"
Plain: TypeAlias = "Constant | Linear | And | Or"
"""A formula about one marking that is put together from linear inequalities alone, without negation."""


def _inside(formula: Formula) -> str:
    several = isinstance(formula, And | Or) or (isinstance(formula, CanFire) and len(formula.transitions) > 1)
    return f"({formula})" if several or isinstance(formula, Linear) else str(formula)


def linear(weights: Iterable[tuple[str, int]], bound: int) -> Linear | Constant:
    """The inequality, with the weights of a place that is named more than once added up."""
    total: dict[str, int] = {}
    for place, weight in weights:
        total[place] = total.get(place, 0) + weight
    kept = tuple((place, weight) for place, weight in total.items() if weight)
    return Linear(kept, bound) if kept else Constant(bound >= 0)


def walk(formula: Formula) -> Iterator[Formula]:
    """The formula and all inside it."""
    yield formula
    match formula:
        case Not(operand):
            yield from walk(operand)
        case And(operands) | Or(operands) | Temporal(_, _, operands):
            for each in operands:
                yield from walk(each)


def about_one_marking(formula: Formula) -> bool:
    """Whether it says nothing of what can come."""
    return not any(isinstance(each, Temporal) for each in walk(formula))


def check_names(formula: Formula, net: PetriNet) -> None:
    """Refuse a formula that names places or net transitions which the net does not have.

    Raises
    ------
    UnknownNode
        With the nearest names.
    """
    for each in walk(formula):
        if isinstance(each, Linear):
            for place, _ in each.weights:
                if not net.is_place(place):
                    raise _unknown(net, "place", place, net.places)
        elif isinstance(each, CanFire):
            for transition in each.transitions:
                if transition not in net or net.is_place(transition):
                    raise _unknown(net, "transition", transition, net.transitions)


def _unknown(net: PetriNet, what: str, name: str, known: tuple[str, ...]) -> UnknownNode:
    other = ""
    if name in net:
        other = f", but a {'transition' if what == 'place' else 'place'}"
    text = f"{name!r} is not a {what} of net {net.name!r}{other}.\n{nearest(name, known, what.title() + 's')}"
    return UnknownNode(text)


# --- what a marking is asked ----------------------------------------------------------------------------------


def plain(formula: Formula, net: PetriNet, *, negated: bool = False) -> Plain:
    """A formula about one marking, or its negation, as linear inequalities; equal to it in every marking.

    Notes
    -----
    Cost and size grow with the arcs of the transitions named; `Deadlock` names them all.
    """
    match formula:
        case Constant(value):
            return Constant(value is not negated)
        case Linear(weights, bound):
            return Linear(tuple((p, -w) for p, w in weights), -bound - 1) if negated else formula
        case Not(operand):
            return plain(operand, net, negated=not negated)
        case And(operands) | Or(operands):
            parts = [plain(each, net, negated=negated) for each in operands]
            return _joined(parts, isinstance(formula, And) is not negated)
        case CanFire(transitions):
            return _joined([_enabled(net, name, negated=negated) for name in transitions], negated)
        case Deadlock():
            return _joined([_enabled(net, name, negated=not negated) for name in net.transitions], not negated)
        case Temporal():
            raise AssertionError(f"{formula} is about more than one marking")


def _enabled(net: PetriNet, transition: str, *, negated: bool) -> Plain:
    rule = net.rules[net.transition_index(transition)]
    wants = [Linear(((net.places[p], -1),), -weight) for p, weight in rule.needs]
    wants += [Linear(((net.places[p], 1),), weight - 1) for p, weight in rule.forbids]
    return _joined([plain(each, net, negated=negated) for each in wants], not negated)


def _joined(parts: Iterable[Plain], all_of_them: bool) -> Plain:
    """`And` or `Or` of some, without constants inside, one in another, or one twice."""
    kept: dict[Plain, None] = {}
    for part in parts:
        if isinstance(part, Constant):
            if part.value is not all_of_them:
                return part
        elif isinstance(part, And if all_of_them else Or):
            kept.update(dict.fromkeys(part.operands))  # type: ignore[arg-type]
        else:
            kept[part] = None
    if not kept:
        return Constant(all_of_them)
    if len(kept) == 1:
        return next(iter(kept))
    return And(tuple(kept)) if all_of_them else Or(tuple(kept))


def places_of(formula: Plain) -> tuple[str, ...]:
    """The places that it looks at, each once."""
    return tuple(
        dict.fromkeys(place for each in walk(formula) if isinstance(each, Linear) for place, _ in each.weights)
    )


def alternatives(formula: Plain, most: int) -> list[tuple[Linear, ...]] | None:
    """The formula as a choice between sets of inequalities; None if there are more than `most`."""
    match formula:
        case Constant(value):
            return [()] if value else []
        case Linear():
            return [(formula,)]
        case Or(operands):
            choices: list[tuple[Linear, ...]] = []
            for each in operands:
                more = alternatives(each, most)  # type: ignore[arg-type]
                if more is None or len(choices) + len(more) > most:
                    return None
                choices += more
            return choices
        case And(operands):
            choices = [()]
            for each in operands:
                more = alternatives(each, most)  # type: ignore[arg-type]
                if more is None or len(choices) * len(more) > most:
                    return None
                choices = [(*one, *other) for one in choices for other in more]
            return choices
