"""Symbolic values: all that an expression may be worth, as guarded cases over terms of a solver (M10).

The twin of `wfsim.model.evaluate` for values that are not known: each operation here does case by case what its
namesake does there. Integers are mathematical integers with the bounds of 64 bits checked, numbers are IEEE doubles in
the solver's theory of floating point [1]_ (so a claim about rounding is exact), texts are sequences of code points.
Of lists and objects only the number of parts is known.

References
----------
.. [1] Brain, Tinelli, Rümmer, Wahl (2015), An automatable formal semantics for IEEE-754 floating-point arithmetic,
   ARITH 22.
"""

from __future__ import annotations

import ctypes
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import z3

from wfsim.model.values import (
    DIVISION,
    EXACT_INTEGER,
    LARGEST_INTEGER,
    LONGEST_STRING_VALUE,
    NULL,
    OVERFLOW,
    SMALLEST_INTEGER,
    TYPE,
    Value,
    kind_of,
)

Truth: TypeAlias = "bool | z3.BoolRef"
"""A truth that is known is a Python boolean, so that terms stay small."""

HIGHEST_SIGN = 0x2F000
"""Texts of the solver hold signs up to 0x2FFFF; the room above this stands for all signs above."""

LISTS = ("list", "object")
MOST_CASES = 1_000
"""Operands of `min` and `max` are of one kind each as a rule; where each may be of any, their combinations multiply."""

DOUBLE = z3.FPSort(11, 53)
_ROUND = z3.RNE()


class NotTaken(Exception):
    """What the solver has no terms for: the reason, told of a part of an expression."""


# Truths --------------------------------------------------------------------------------------------------


def both(*parts: Truth) -> Truth:
    """All of them."""
    unsure = [part for part in parts if not isinstance(part, bool)]
    if any(part is False for part in parts):
        return False
    return z3.And(*unsure) if len(unsure) > 1 else unsure[0] if unsure else True


def either(*parts: Truth) -> Truth:
    """One of them at least."""
    unsure = [part for part in parts if not isinstance(part, bool)]
    if any(part is True for part in parts):
        return True
    return z3.Or(*unsure) if len(unsure) > 1 else unsure[0] if unsure else False


def opposite(part: Truth) -> Truth:
    """Not this."""
    return not part if isinstance(part, bool) else z3.Not(part)


def _chosen(test: Truth, then: Any, otherwise: Any) -> Any:
    if isinstance(test, bool):
        return then if test else otherwise
    return z3.If(test, then, otherwise)


# Terms ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """One kind that a value may have, when it has it, and the value then (of lists and objects: how many parts)."""

    kind: str
    guard: Truth
    value: Any


@dataclass(frozen=True, slots=True)
class Term:
    """A value: it is raised as a fault, or null, or one of the cases; exactly one of these is true.

    `faults` says for each type of error when it is raised; they exclude each other and all else.
    """

    faults: Mapping[str, Truth] = field(default_factory=dict)
    null: Truth = False
    cases: tuple[Case, ...] = ()

    @property
    def fault(self) -> Truth:
        """Whether any fault is raised."""
        return either(*self.faults.values())

    def kind(self, name: str) -> Truth:
        """Whether it is a value of this kind."""
        return either(*(case.guard for case in self.cases if case.kind == name))

    def is_boolean(self, wanted: bool) -> Truth:
        """Whether it is true, or false."""
        return either(
            *(
                both(case.guard, case.value if wanted else opposite(case.value))
                for case in self.cases
                if case.kind == "boolean"
            )
        )


def constant(value: Value) -> Term:
    """The term of a known value; `NotTaken` for a text with signs that the solver does not have."""
    kind = kind_of(value)
    if kind == "null":
        return Term(null=True)
    if kind == "boolean":
        return Term(cases=(Case(kind, True, value),))
    if kind in LISTS:
        return Term(cases=(Case(kind, True, z3.IntVal(len(value))),))
    given = z3.IntVal(value) if kind == "integer" else double(value) if kind == "number" else text(value)
    return Term(cases=(Case(kind, True, given),))


def double(value: float) -> Any:
    """The term of a number."""
    return z3.FPVal(value, DOUBLE)


def text(value: str) -> Any:
    """The term of a text, sign by sign: the solver would read `\\u{41}` in it as an escape."""
    for sign in value:
        if ord(sign) >= HIGHEST_SIGN:
            raise NotTaken(f"the solver has no sign {sign!r}")
    signs = (ctypes.c_uint * len(value))(*map(ord, value))
    context = z3.main_ctx()
    return z3.SeqRef(z3.Z3_mk_u32string(context.ref(), len(value), signs), context)


def raised(kind: str, when: Truth = True) -> dict[str, Truth]:
    """A fault, unless it is known not to be raised."""
    return {} if when is False else {kind: when}


def _joined(*all_faults: Mapping[str, Truth]) -> dict[str, Truth]:
    found: dict[str, Truth] = {}
    for faults in all_faults:
        for kind, when in faults.items():
            merged = either(found.get(kind, False), when)
            if merged is not False:
                found[kind] = merged
    return found


def _only(faults: Mapping[str, Truth], when: Truth) -> dict[str, Truth]:
    return {kind: both(given, when) for kind, given in faults.items()}


def in_order(operands: Sequence[Term]) -> tuple[dict[str, Truth], Truth]:
    """Faults of operands evaluated one after another, and when none of them raises one."""
    faults: dict[str, Truth] = {}
    fine: Truth = True
    for operand in operands:
        faults = _joined(faults, _only(operand.faults, fine))
        fine = both(fine, opposite(operand.fault))
    return faults, fine


def limited(term: Term, when: Truth) -> Term:
    """The term where `when` is true: elsewhere nothing of it is."""
    cases = tuple(Case(case.kind, both(case.guard, when), case.value) for case in term.cases)
    return Term(_only(term.faults, when), both(term.null, when), tuple(c for c in cases if c.guard is not False))


def alternatives(*terms: Term) -> Term:
    """One term of several, whose conditions exclude each other; cases of one kind become one."""
    faults = _joined(*(term.faults for term in terms))
    by_kind: dict[str, Case] = {}
    for case in itertools.chain.from_iterable(term.cases for term in terms):
        before = by_kind.get(case.kind)
        if before is None:
            by_kind[case.kind] = case
        else:
            value = _chosen(before.guard, before.value, case.value)
            if case.kind == "boolean":
                value = either(both(before.guard, before.value), both(opposite(before.guard), case.value))
            by_kind[case.kind] = Case(case.kind, either(before.guard, case.guard), value)
    return Term(faults, either(*(term.null for term in terms)), tuple(by_kind.values()))


# Operations ----------------------------------------------------------------------------------------------


def needed_boolean(term: Term) -> Term:
    """The term where it is a boolean; else a fault, as `need_boolean` raises it."""
    other = both(opposite(term.fault), opposite(term.null), opposite(term.kind("boolean")))
    faults = _joined(term.faults, raised(NULL, term.null), raised(TYPE, other))
    return Term(faults, False, tuple(case for case in term.cases if case.kind == "boolean"))


def logic(word: str, operands: Sequence[Term]) -> Term:
    """`and` or `or`: each operand is evaluated only while none has decided."""
    decides = word == "or"
    faults: dict[str, Truth] = {}
    going: Truth = True
    decided: Truth = False
    for operand in map(needed_boolean, operands):
        faults = _joined(faults, _only(operand.faults, going))
        decided = either(decided, both(going, operand.is_boolean(decides)))
        going = both(going, operand.is_boolean(not decides))
    guard = opposite(either(*faults.values()))
    return Term(faults, False, (Case("boolean", guard, decided if decides else opposite(decided)),))


def negation(term: Term) -> Term:
    """`not`."""
    fitted = needed_boolean(term)
    cases = tuple(Case("boolean", case.guard, opposite(case.value)) for case in fitted.cases)
    return Term(fitted.faults, False, cases)


def conditional(test: Term, then: Term, otherwise: Term) -> Term:
    """`then if test else otherwise`."""
    decided = needed_boolean(test)
    return alternatives(
        Term(decided.faults), limited(then, decided.is_boolean(True)), limited(otherwise, decided.is_boolean(False))
    )


def minus(term: Term) -> Term:
    """Unary minus."""
    results = [Term(term.faults), Term(raised(NULL, term.null))]
    for case in term.cases:
        if case.kind == "integer":
            results.append(_whole(case.guard, -case.value))
        elif case.kind == "number":
            results.append(Term(cases=(Case("number", case.guard, z3.fpNeg(case.value)),)))
        else:
            results.append(Term(raised(TYPE, case.guard)))
    return alternatives(*results)


def _whole(when: Truth, value: Any) -> Term:
    """An integer, if it has 64 bits."""
    fits = z3.And(value >= SMALLEST_INTEGER, value <= LARGEST_INTEGER)
    return Term(raised(OVERFLOW, both(when, opposite(fits))), False, (Case("integer", both(when, fits), value),))


def _finite(when: Truth, value: Any) -> Term:
    """A number, if it is finite. Operations on finite numbers give infinity, never what is no number."""
    fits = z3.Not(z3.fpIsInf(value))
    return Term(raised(OVERFLOW, both(when, opposite(fits))), False, (Case("number", both(when, fits), value),))


def arithmetic(operator: str, left: Term, right: Term, literals: tuple[Value, Value] = (None, None)) -> Term:
    """`+ - * / // %`; `literals` are the values of operands that are written out, else None."""
    faults, fine = in_order([left, right])
    null = both(fine, either(left.null, right.null))
    results = [Term(_joined(faults, raised(NULL, null)))]
    for first, second in itertools.product(left.cases, right.cases):
        when = both(fine, first.guard, second.guard)
        if when is False:
            continue
        a, b = _beside(first, second, literals)
        if a.kind == b.kind == "integer" and operator != "/":
            results.append(_integers(operator, when, a.value, b.value))
        elif a.kind == b.kind == "number" and operator not in ("//", "%"):
            results.append(_numbers(operator, when, a.value, b.value))
        elif a.kind == b.kind == "string" and operator == "+":
            results.append(_joined_texts(when, a.value, b.value))
        else:
            results.append(Term(raised(TYPE, when)))
    return alternatives(*results)


def _beside(first: Case, second: Case, literals: tuple[Value, Value]) -> tuple[Case, Case]:
    """An integer literal beside a number is read as a number literal."""
    return _as_number(first, literals[0], second.kind), _as_number(second, literals[1], first.kind)


def _as_number(case: Case, literal: Value, other: str) -> Case:
    if other != "number" or case.kind != "integer" or literal is None or abs(literal) > EXACT_INTEGER:
        return case
    return Case("number", case.guard, double(float(literal)))


def _integers(operator: str, when: Truth, a: Any, b: Any) -> Term:
    if operator in ("//", "%"):
        zero = b == 0
        # The solver's division leaves no negative remainder; with a positive divisor that is rounding down.
        down = z3.If(b > 0, a / b, (-a) / (-b))
        result = down if operator == "//" else a - b * down
        return alternatives(Term(raised(DIVISION, both(when, zero))), _whole(both(when, opposite(zero)), result))
    return _whole(when, a + b if operator == "+" else a - b if operator == "-" else a * b)


def _numbers(operator: str, when: Truth, a: Any, b: Any) -> Term:
    if operator == "/":
        zero = z3.fpIsZero(b)
        result = _finite(both(when, opposite(zero)), z3.fpDiv(_ROUND, a, b))
        return alternatives(Term(raised(DIVISION, both(when, zero))), result)
    operation = z3.fpAdd if operator == "+" else z3.fpSub if operator == "-" else z3.fpMul
    return _finite(when, operation(_ROUND, a, b))


def _joined_texts(when: Truth, a: Any, b: Any) -> Term:
    """Two texts as one, if that is not too long."""
    fits = z3.Length(a) + z3.Length(b) <= LONGEST_STRING_VALUE
    value = z3.simplify(z3.Concat(a, b))
    return Term(raised(OVERFLOW, both(when, opposite(fits))), False, (Case("string", both(when, fits), value),))


def first_set(operands: Sequence[Term]) -> Term:
    """`coalesce`: the first that is not null, evaluated only so far."""
    found: list[Term] = []
    going: Truth = True
    for operand in operands:
        found.append(limited(Term(operand.faults, False, operand.cases), going))
        going = both(going, operand.null)
    return alternatives(*found, Term(null=going))


def on_texts(function: str, operands: Sequence[Term]) -> Term:
    """`startswith`, `endswith` and `contains`."""
    faults, fine = in_order(operands)
    null = both(fine, either(*(operand.null for operand in operands)))
    results = [Term(_joined(faults, raised(NULL, null)))]
    for first, second in itertools.product(*(operand.cases for operand in operands)):
        when = both(fine, first.guard, second.guard)
        if when is False:
            continue
        if first.kind == second.kind == "string":
            tells = _ON_TEXTS[function](first.value, second.value)
            results.append(Term(cases=(Case("boolean", when, tells),)))
        else:
            results.append(Term(raised(TYPE, when)))
    return alternatives(*results)


_ON_TEXTS: dict[str, Callable[[Any, Any], Any]] = {
    "startswith": lambda text, part: z3.PrefixOf(part, text),
    "endswith": lambda text, part: z3.SuffixOf(part, text),
    "contains": lambda text, part: z3.Contains(text, part),
}


def as_text(term: Term) -> Term:
    """`text` of texts, integers and booleans; of numbers the solver has no decimal form."""
    results = [Term(_joined(term.faults, raised(NULL, term.null)))]
    for case in term.cases:
        if case.kind == "number":
            raise NotTaken("the solver has no text of a number")
        if case.kind in LISTS:
            results.append(Term(raised(TYPE, case.guard)))
            continue
        value = case.value
        if case.kind == "integer":
            value = z3.If(value < 0, z3.Concat(text("-"), z3.IntToStr(-value)), z3.IntToStr(value))
        elif case.kind == "boolean":
            value = _chosen(value, text("true"), text("false"))
        results.append(Term(cases=(Case("string", case.guard, value),)))
    return alternatives(*results)


def same(first: Case, second: Case, contents: Truth) -> Truth | None:
    """Whether two values are equal; None where they are of kinds that are not compared.

    Of two lists, or objects, it is known only that they are not if one has more parts, and that they are if neither has
    any; else `contents` tells.
    """
    if first.kind == second.kind and first.kind in LISTS:
        return both(_plain("==", first.value, second.value), either(_plain("==", first.value, z3.IntVal(0)), contents))
    if first.kind == second.kind == "boolean":
        return either(
            both(first.value, second.value),
            both(opposite(first.value), opposite(second.value)),
        )
    return order("==", first, second)


def matches(first: Case, second: Case, contents: Truth) -> Truth:
    """Whether they are equal, where values of kinds that are not compared do not match."""
    found = same(first, second, contents)
    return False if found is None else found


def order(operator: str, first: Case, second: Case) -> Truth | None:
    """`== < <= > >=` of integers and numbers, exactly, or of texts; None for anything else."""
    kinds = (first.kind, second.kind)
    if kinds == ("number", "number"):
        return _ORDER_OF_NUMBERS[operator](first.value, second.value)
    if kinds in (("integer", "integer"), ("string", "string")):
        return _plain(operator, first.value, second.value)
    if kinds == ("integer", "number"):
        return _mixed(operator, first.value, second.value)
    if kinds == ("number", "integer"):
        return _mixed(_TURNED[operator], second.value, first.value)
    return None


_ORDER_OF_NUMBERS = {"==": z3.fpEQ, "<": z3.fpLT, "<=": z3.fpLEQ, ">": z3.fpGT, ">=": z3.fpGEQ}
_TURNED = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _plain(operator: str, a: Any, b: Any) -> Truth:
    if operator == "==":
        found = a == b
    elif operator in ("<", "<="):
        found = a < b if operator == "<" else a <= b
    else:
        found = b < a if operator == ">" else b <= a
    found = z3.simplify(found)
    return True if z3.is_true(found) else False if z3.is_false(found) else found


def _mixed(operator: str, whole: Any, real: Any) -> Truth:
    """An integer and a number; where one of them is known, in the terms of the other alone."""
    if z3.is_fp_value(real):
        return _plain(operator, whole, _exactly(real))
    if z3.is_int_value(whole):
        return _beside_integer(operator, whole.as_long(), real)
    return _plain(operator, z3.ToReal(whole), z3.fpToReal(real))


def _exactly(real: Any) -> Any:
    """A known number as a rational number."""
    exact = Fraction(number_of(real))
    return z3.Q(exact.numerator, exact.denominator) if exact.denominator != 1 else z3.IntVal(exact.numerator)


def _beside_integer(operator: str, whole: int, real: Any) -> Truth:
    """`whole op real` for an integer that is known: the doubles next to it decide."""
    near = float(whole)
    if near == whole:
        return _ORDER_OF_NUMBERS[operator](double(near), real)
    if operator == "==":
        return False
    above = near if near > whole else math.nextafter(near, math.inf)
    return z3.fpGEQ(real, double(above)) if operator in ("<", "<=") else z3.fpLT(real, double(above))


def compare(operator: str, left: Term, right: Term, contents: Truth) -> Term:
    """`== != < <= > >=`; `contents` stands for what two lists, or two objects, have in them being the same."""
    faults, fine = in_order([left, right])
    if operator in ("==", "!="):
        return _equality(operator == "==", faults, fine, left, right, contents)
    null = both(fine, either(left.null, right.null))
    wrong: list[Truth] = []
    holds: list[Truth] = []
    for first, second in itertools.product(left.cases, right.cases):
        when = both(fine, first.guard, second.guard)
        found = order(operator, first, second)
        (wrong if found is None else holds).append(when if found is None else both(when, found))
    all_faults = _joined(faults, raised(NULL, null), raised(TYPE, either(*wrong)))
    guard = opposite(either(*all_faults.values()))
    return Term(all_faults, False, (Case("boolean", guard, either(*holds)),))


def _equality(wanted: bool, faults: dict[str, Truth], fine: Truth, left: Term, right: Term, contents: Truth) -> Term:
    holds = [both(fine, left.null, right.null)]
    wrong: list[Truth] = []
    for first, second in itertools.product(left.cases, right.cases):
        when = both(fine, first.guard, second.guard)
        found = same(first, second, contents)
        (wrong if found is None else holds).append(when if found is None else both(when, found))
    all_faults = _joined(faults, raised(TYPE, either(*wrong)))
    guard = opposite(either(*all_faults.values()))
    equal = either(*holds)
    return Term(all_faults, False, (Case("boolean", guard, equal if wanted else opposite(equal)),))


def contained(wanted: bool, value: Term, items: Sequence[Term], contents: Truth) -> Term:
    """`in` and `not in` for a list written out: some element equals the value; other kinds do not match."""
    faults, fine = in_order([value, *items])
    holds: list[Truth] = []
    for item in items:
        holds.append(both(value.null, item.null))
        for first, second in itertools.product(value.cases, item.cases):
            holds.append(both(first.guard, second.guard, matches(first, second, contents)))
    found = either(*holds)
    return Term(faults, False, (Case("boolean", fine, found if wanted else opposite(found)),))


def contained_somewhere(wanted: bool, value: Term, container: Term, contents: Truth) -> Term:
    """`in` and `not in` for any other list: `contents` stands for the value being in it, if there is anything in it."""
    faults, fine = in_order([value, container])
    wrong = both(fine, opposite(container.null), opposite(container.kind("list")))
    all_faults = _joined(faults, raised(NULL, both(fine, container.null)), raised(TYPE, wrong))
    guard = opposite(either(*all_faults.values()))
    found = either(
        *(both(case.guard, case.value > 0, contents) for case in container.cases if case.kind == "list"),
    )
    return Term(all_faults, False, (Case("boolean", guard, found if wanted else opposite(found)),))


def length(term: Term) -> Term:
    """`len`: signs of a text, parts of a list or an object."""
    results = [Term(_joined(term.faults, raised(NULL, term.null)))]
    for case in term.cases:
        if case.kind in LISTS:
            results.append(Term(cases=(Case("integer", case.guard, case.value),)))
        elif case.kind == "string":
            results.append(Term(cases=(Case("integer", case.guard, z3.Length(case.value)),)))
        else:
            results.append(Term(raised(TYPE, case.guard)))
    return alternatives(*results)


def extreme(function: str, operands: Sequence[Term], literals: Sequence[Value]) -> Term:
    """`min` or `max` of values that are all integers, all numbers, or all texts."""
    if math.prod(len(operand.cases) for operand in operands) > MOST_CASES:
        raise NotTaken(f"the operands of `{function}` may be of too many kinds")
    faults, fine = in_order(operands)
    null = both(fine, either(*(operand.null for operand in operands)))
    results = [Term(_joined(faults, raised(NULL, null)))]
    for chosen in itertools.product(*(operand.cases for operand in operands)):
        when = both(fine, *(case.guard for case in chosen))
        if when is False:
            continue
        other = "number" if any(case.kind == "number" for case in chosen) else ""
        cases = [_as_number(case, literal, other) for case, literal in zip(chosen, literals)]
        kinds = {case.kind for case in cases}
        if len(kinds) != 1 or not kinds <= {"integer", "number", "string"}:
            results.append(Term(raised(TYPE, when)))
            continue
        best = cases[0]
        for case in cases[1:]:
            better = order("<" if function == "min" else ">", case, best)
            assert better is not None
            best = Case(best.kind, True, _chosen(better, case.value, best.value))
        results.append(Term(cases=(Case(best.kind, when, best.value),)))
    return alternatives(*results)


def known_value(term: Term) -> tuple[Value] | None:
    """The value of a term that can have no other, as a tuple of one; None if it is not known, or a list or object."""
    if term.faults:
        return None
    if term.null is True and not term.cases:
        return (None,)
    if term.null is not False or len(term.cases) != 1 or term.cases[0].guard is not True:
        return None
    case = term.cases[0]
    if case.kind == "boolean":
        return (case.value,) if isinstance(case.value, bool) else None
    if case.kind == "integer" and z3.is_int_value(case.value):
        return (case.value.as_long(),)
    if case.kind == "number" and z3.is_fp_value(case.value):
        return (number_of(case.value),)
    return (text_of(case.value),) if case.kind == "string" and z3.is_string_value(case.value) else None


def number_of(real: Any) -> float:
    """The Python number of a known term."""
    bits = z3.simplify(z3.fpToIEEEBV(real)).as_long()
    return ctypes.c_double.from_buffer(ctypes.c_uint64(bits)).value


def text_of(known: Any) -> str:
    """The Python text of a known term."""
    context = known.ctx.ref()
    size = z3.Z3_get_string_length(context, known.as_ast())
    signs = (ctypes.c_uint * size)()
    z3.Z3_get_string_contents(context, known.as_ast(), size, signs)
    return "".join(map(chr, signs))


def fresh_double(name: str) -> Any:
    """An unknown number, of which `finite_double` is true."""
    return z3.FP(name, DOUBLE)


def finite_double(value: Any) -> tuple[Truth, ...]:
    """That it is finite, and not minus zero."""
    return (
        z3.Not(z3.fpIsNaN(value)),
        z3.Not(z3.fpIsInf(value)),
        z3.Not(z3.And(z3.fpIsZero(value), z3.fpIsNegative(value))),
    )


@dataclass(frozen=True)
class Application:
    """A call with arguments of certain kinds: what it comes to, and when it is made.

    Attributes
    ----------
    arguments
        One case for each, `null` among the kinds.
    given
        Their values, but for those that are null.
    raises
        Whether the function fails (`Expression.function`).
    value
        What it gives otherwise.
    """

    function: str
    arguments: tuple[Case, ...]
    given: tuple[Any, ...]
    raises: Any
    value: Term
