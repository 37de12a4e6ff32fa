"""What is in a list that is not known: how many of its items are of each class, the outermost ones, and their sum.

Conditions ask of a list how many items are such and such, whether a value is among them, what they add up to, what the
first and the last is. So the values of an item are cut into classes that no condition tells apart, and a list is as
good as the number of its items in each: a counting abstraction [1]_. It is exact: `facts` is true of numbers, outermost
items and a sum exactly if there is a list that has them.

References
----------
.. [1] German, Sistla (1992), Reasoning about systems with many processes, JACM 39(3), 675-735.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import z3

from wfsim.model.values import LARGEST_INTEGER, LARGEST_VALUE, Value, kind_of
from wfsim.verification.workflows.conditions.literals import text

_SORTS = {"integer": z3.IntSort, "boolean": z3.BoolSort, "string": z3.StringSort}
COUNTED = tuple(_SORTS)
"""Kinds of items that are counted."""


@dataclass(frozen=True, slots=True)
class Class:
    """Values of an item that nothing tells apart: one value; all integers of a range; or all texts but some.

    Attributes
    ----------
    low, high
        The range; of a single value both are that.
    others
        Not these texts, but any other.
    """

    low: Value
    high: Value
    others: tuple[str, ...] = ()

    @property
    def single(self) -> bool:
        """Whether it has one value only."""
        return self.low == self.high and not self.others

    def has(self, item: Any) -> Any:
        """That an item, a term of its sort, is in it."""
        if self.others:
            return z3.And(*(item != text(other) for other in self.others))
        if not self.single:
            return z3.And(item >= self.low, item <= self.high)
        if isinstance(self.low, bool):
            return item if self.low else z3.Not(item)
        return item == (text(self.low) if isinstance(self.low, str) else self.low)

    def holds(self, value: Any) -> bool:
        """Whether a value of its kind is in it."""
        if self.others:
            return value not in self.others
        low: Any = self.low
        high: Any = self.high
        return bool(low <= value <= high)

    def example(self) -> Value:
        """A value in it."""
        return next(each for each in _texts() if each not in self.others) if self.others else self.low


def _texts() -> Iterator[str]:
    return ("x" * n for n in itertools.count(1))


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The items of a list that is written out."""

    values: tuple[Value, ...]

    @property
    def parts(self) -> tuple[Any, ...]:
        """No terms."""
        return ()

    def made_of(self, parts: Sequence[Any]) -> Known:
        """The same."""
        assert not parts
        return self

    def listed(self, _: Callable[[str, Any], Value]) -> list[Value]:
        """The items."""
        return [*self.values]


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """A list of items of one kind.

    Attributes
    ----------
    counts
        How many items are of each class.
    first, last
        The outermost items, from either end; where a list has fewer these mean nothing.
    total
        The sum of the items, if it is asked for and does not follow from the counts.
    """

    kind: str
    classes: tuple[Class, ...]
    counts: tuple[Any, ...]
    first: tuple[Any, ...]
    last: tuple[Any, ...]
    total: Any = None

    @property
    def parts(self) -> tuple[Any, ...]:
        """All terms that it is made of."""
        return (*self.counts, *self.first, *self.last, *(() if self.total is None else (self.total,)))

    def made_of(self, parts: Sequence[Any]) -> Counted:
        """A list of the same classes with other terms, in the order of `parts`."""
        left = iter(parts)
        counts, first, last = (
            tuple(itertools.islice(left, len(each))) for each in (self.counts, self.first, self.last)
        )
        return Counted(self.kind, self.classes, counts, first, last, next(left, None))

    @property
    def sum(self) -> Any:
        """What the items add up to; None if they are no integers, or if nobody asked."""
        if self.kind != "integer" or not can_be_added(self.classes):
            return None
        if self.total is None and all(each.single for each in self.classes):
            return z3.Sum(*(count * each.low for count, each in zip(self.counts, self.classes)))
        return self.total

    def facts(self, length: Any) -> list[Any]:
        """What is true of its terms, and what there is a list for: the number of its items is given."""
        outermost = [*self._outermost(length)]
        pinned = [_how_many(((there, each.has(item)) for there, item in outermost)) for each in self.classes]
        facts = [length == z3.Sum(*self.counts)]
        facts += [z3.And(count >= 0, least <= count) for count, least in zip(self.counts, pinned)]
        facts += [z3.Or(*(each.has(item) for each in self.classes)) for item in (*self.first, *self.last)]
        for (i, front), (j, back) in itertools.product(enumerate(self.first), enumerate(self.last)):
            facts.append(z3.Implies(length == i + j + 1, front == back))
        if self.total is not None:
            rest = self.total - z3.Sum(z3.IntVal(0), *(z3.If(there, item, 0) for there, item in outermost))
            free = [count - least for count, least in zip(self.counts, pinned)]
            facts.append(rest >= z3.Sum(*(n * each.low for n, each in zip(free, self.classes))))
            facts.append(rest <= z3.Sum(*(n * each.high for n, each in zip(free, self.classes))))
        return facts

    def _outermost(self, length: Any) -> Iterator[tuple[Any, Any]]:
        """The outermost items, each once, and when there are so many."""
        for k, item in enumerate(self.first):
            yield length > k, item
        for k, item in enumerate(self.last):
            yield length > len(self.first) + k, item

    def listed(self, value: Callable[[str, Any], Value]) -> list[Value]:
        """A list that has these numbers, given what a term of a kind comes to."""
        counts: list[Any] = [value("integer", count) for count in self.counts]
        n = sum(counts)
        found: list[Any] = [None] * n
        for k, item in enumerate(self.first[:n]):
            found[k] = value(self.kind, item)
        for k, item in enumerate(self.last[: max(0, n - len(self.first))]):
            found[n - 1 - k] = value(self.kind, item)
        free = [k for k, item in enumerate(found) if item is None]
        for item in found:
            if item is not None:
                counts[next(k for k, each in enumerate(self.classes) if each.holds(item))] -= 1
        rest = [each for each, count in zip(self.classes, counts, strict=True) for _ in range(count)]
        for k, each in zip(free, rest, strict=True):
            found[k] = each.example()
        if self.total is not None:
            total: Any = value("integer", self.total)
            short = total - sum(found)
            for k, each in zip(free, rest, strict=True):
                width: Any = each.high
                more = min(short, width - found[k])
                found[k] += more
                short -= more
            assert not short, "no list has these numbers"
        return found


Contents: TypeAlias = "Known | Counted"


def counted(
    name: str, kind: str, classes: tuple[Class, ...], first: int, last: int, *, total: bool, atom: Callable[[Any], Any]
) -> Counted:
    """A list whose terms are unknowns, each of them told to `atom`."""
    sort = _SORTS[kind]()
    counts = tuple(atom(z3.Int(f"{name} of class {k}")) for k in range(len(classes)))
    fronts, backs = (
        tuple(atom(z3.Const(f"{name} {which} {k}", sort)) for k in range(n))
        for which, n in (("first", first), ("last", last))
    )
    asked = total and kind == "integer" and not all(each.single for each in classes)
    return Counted(kind, classes, counts, fronts, backs, atom(z3.Int(f"{name} total")) if asked else None)


def joined(test: bool | z3.BoolRef, one: Contents | None, other: Contents | None) -> Contents | None:
    """What is in one list where a test is true, else in the other; None if they are not counted alike."""
    if isinstance(test, bool) or one is other:
        return one if test is not False else other
    first, second = as_counted(one, other), as_counted(other, one)
    if first is None or second is None:
        return None
    return first.made_of([z3.If(test, a, b) for a, b in zip(first.parts, second.parts, strict=True)])


def as_counted(given: Contents | None, like: Contents | None) -> Counted | None:
    """A list in the terms of another one; None if it is not known so far."""
    if isinstance(given, Counted):
        return given if isinstance(like, Known) or (isinstance(like, Counted) and alike(given, like)) else None
    if given is None or not isinstance(like, Counted) or any(kind_of(value) != like.kind for value in given.values):
        return None
    found = [sum(map(each.holds, given.values)) for each in like.classes]
    if sum(found) != len(given.values):
        return None
    counts = tuple(map(z3.IntVal, found))
    first = [_term(value) for value in given.values[: len(like.first)]]
    last = [_term(value) for value in given.values[::-1][: len(like.last)]]
    # What is behind the end means nothing: it stays whatever it is there.
    parts = [*counts, *first, *like.first[len(first) :], *last, *like.last[len(last) :]]
    if like.total is not None:
        parts.append(z3.IntVal(sum(value for value in given.values if isinstance(value, int))))
    return like.made_of(parts)


def _term(value: Value) -> Any:
    """A known item."""
    if isinstance(value, bool):
        return z3.BoolVal(value)
    return text(value) if isinstance(value, str) else z3.IntVal(value)


def alike(one: Counted, other: Counted) -> bool:
    """Whether the same is asked of both."""
    sizes = [(len(each.first), len(each.last), each.total is None) for each in (one, other)]
    return one.classes == other.classes and sizes[0] == sizes[1]


def equal(one: Contents | None, other: Contents | None) -> list[Any] | None:
    """That two lists have the same numbers, one of them being counted; None where that is not known."""
    first, second = as_counted(one, other), as_counted(other, one)
    if first is None or second is None:
        return None
    return [a == b for a, b in zip(first.parts, second.parts, strict=True)]


def _how_many(items: Iterable[tuple[Any, Any]]) -> Any:
    return z3.Sum(z3.IntVal(0), *(z3.If(z3.And(there, within), 1, 0) for there, within in items))


def can_be_added(classes: Iterable[Class]) -> bool:
    """Whether the sum of a list of such items is an integer of 64 bits, however long it is."""
    ends = [end for one in classes for end in (one.low, one.high) if end is not None]
    return all(isinstance(end, int) and abs(end) * LARGEST_VALUE <= LARGEST_INTEGER for end in ends)
