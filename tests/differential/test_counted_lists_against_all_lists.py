"""What the solver knows of what is in lists, against every short list."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

from tests.random_cases import cases
from wfsim.model.evaluate import evaluate, need_boolean
from wfsim.model.expression_tree import Name, Whole
from wfsim.model.expressions import parse_condition
from wfsim.model.shapes import Shape
from wfsim.model.values import EvaluationFault, ValueType
from wfsim.verification.workflows.conditions.contents import Counted
from wfsim.verification.workflows.conditions.looking import Looks, looks
from wfsim.verification.workflows.conditions.operations import needed_boolean
from wfsim.verification.workflows.conditions.symbols import Symbols, value_of
from wfsim.verification.workflows.conditions.terms import Term, constant
from wfsim.verification.workflows.conditions.translation import Translation
from wfsim.verification.workflows.conditions.truths import Truth

SMALL = Shape(ValueType.INTEGER, minimum=-1, maximum=2)
WIDE = Shape(ValueType.INTEGER, minimum=-3, maximum=40)
BIT = Shape(ValueType.BOOLEAN)
WORD = Shape(ValueType.STRING, values=("x", "y"))
TEXT = Shape(ValueType.STRING)
EVERY: dict[str, list[Any]] = {
    "small": [-1, 0, 1, 2],
    "wide": [-3, -1, 0, 1, 2, 3, 40],
    "bits": [False, True],
    "words": ["x", "y"],
    "texts": ["", "x", "other"],
}
SHAPES = {"small": SMALL, "wide": WIDE, "bits": BIT, "words": WORD, "texts": TEXT}
LONGEST = 4


def lists(name: str, longest: int = LONGEST) -> list[list[Any]]:
    """All short lists."""
    return [list(each) for n in range(longest + 1) for each in itertools.product(EVERY[name], repeat=n)]


def counted(shape: Shape, asked: Looks) -> tuple[Symbols, Term, Counted]:
    symbols = Symbols(asked)
    term = symbols.of_shape("xs", Shape(ValueType.LIST, items=shape), null=False)
    contents = term.cases[0].contents
    assert isinstance(contents, Counted)
    return symbols, term, contents


def fixed(contents: Counted, length: Any, values: list[Any]) -> list[Any]:
    """That the unknowns are the numbers of a list."""
    facts = [length == len(values)]
    for each, count in zip(contents.classes, contents.counts, strict=True):
        facts.append(count == sum(map(each.holds, values)))
    same = [*zip(contents.first, values), *zip(contents.last, values[::-1])]
    facts += [term == constant(value).cases[0].value for term, value in same]
    return facts if contents.total is None else [*facts, contents.total == sum(values)]


ASKED = [
    Looks(constants=(1,), first=1, last=1, any=True),
    Looks(constants=(1, 0), first=2, last=2, sums=True, any=True),
    Looks(constants=(2, "x"), each=True, first=0, last=3, sums=True, any=True),
    Looks(constants=("x",), first=3, any=True),
]


@pytest.mark.parametrize("asked", range(len(ASKED)))
@pytest.mark.parametrize("name", SHAPES)
def test_every_list_has_numbers_that_the_facts_admit(name: str, asked: int) -> None:
    symbols, term, contents = counted(SHAPES[name], ASKED[asked])
    solver = z3.Solver()
    solver.add(*symbols.known)
    for values in lists(name, 3):
        assert solver.check(*fixed(contents, term.cases[0].value, values)) == z3.sat, values


@pytest.mark.parametrize("asked", range(len(ASKED)))
@pytest.mark.parametrize("name", SHAPES)
def test_what_the_facts_admit_are_the_numbers_of_a_list(name: str, asked: int) -> None:
    symbols, term, contents = counted(SHAPES[name], ASKED[asked])
    length = term.cases[0].value
    solver = z3.Solver()
    solver.add(*symbols.known, length <= LONGEST)
    for _ in range(60):
        if solver.check() != z3.sat:
            break
        model = solver.model()
        values = value_of(term, model)
        assert isinstance(values, list)
        own = z3.Solver()
        own.add(*fixed(contents, length, values))
        there = [*contents.first[: len(values)], *contents.last[: len(values)], *contents.counts]
        for part in (*there, *(() if contents.total is None else (contents.total,))):
            own.add(part == model.eval(part, model_completion=True))
        assert own.check() == z3.sat, (values, model)
        solver.add(z3.Or(*(part != model.eval(part, model_completion=True) for part in (length, *contents.parts))))


ORDER = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
WHOLE = st.sampled_from(["-1", "0", "1", "2", "context.n", "len(context.small)"])
NUMBERS = st.one_of(
    st.builds(
        "{}[{}]".format,
        st.sampled_from(["context.small", "context.wide"]),
        st.sampled_from(["0", "1", "-1", "-2", "3", "context.n"]),
    ),
    st.sampled_from(["sum(context.small)", "sum(context.wide)", "len(context.wide)", "sum(context.bits)"]),
    st.builds("{}(context.small)".format, st.sampled_from(["min", "max"])),
    st.builds("count(context.small, item {} {})".format, ORDER, WHOLE),
    st.builds("count(context.wide, item {} {})".format, ORDER, st.sampled_from(["0", "2", "context.n"])),
    st.builds("count(context.wide, item * 2 {} 3)".format, ORDER),
    st.sampled_from(
        [
            "count(context.bits, item)",
            "count(context.words, item == 'x')",
            "count(context.texts, item == 'x')",
            "count(context.small, 1 // item > 0)",
            "count(context.small, item < 'x')",
        ]
    ),
)
ATOMS = st.one_of(
    st.builds("{} {} {}".format, NUMBERS, ORDER, WHOLE),
    st.builds("{} {} {}".format, NUMBERS, ORDER, NUMBERS),
    st.builds(
        "{} {} context.{}".format,
        st.sampled_from(["1", "7", "context.n", "'x'", "'z'", "true", "null", "context.small[0]"]),
        st.sampled_from(["in", "not in"]),
        st.sampled_from(["small", "wide", "bits", "words", "texts", "given"]),
    ),
    st.builds(
        "{}(context.{}, item {} {})".format,
        st.sampled_from(["any", "all"]),
        st.sampled_from(["small", "wide", "given"]),
        ORDER,
        st.sampled_from(["0", "1", "context.n"]),
    ),
    st.builds("{}(context.bits, {})".format, st.sampled_from(["any", "all"]), st.sampled_from(["item", "not item"])),
    st.builds("context.words[{}] == 'x'".format, st.sampled_from(["0", "-1", "2"])),
    st.builds("context.texts[{}] == {}".format, st.sampled_from(["0", "-1"]), st.sampled_from(["'x'", "'q'"])),
    st.sampled_from(["sum(context.given) == 3", "context.given[-1] == 1", "max(context.given) > context.n"]),
)
CONDITIONS = st.one_of(
    ATOMS,
    st.builds("({}) {} ({})".format, ATOMS, st.sampled_from(["and", "or"]), ATOMS),
    st.builds("({}) and not ({}) and len(context.small) < 3".format, ATOMS, ATOMS),
)
GIVEN = [2, 1]
"""A list that is written out."""


def outcome(tree: Any, values: dict[str, Any]) -> bool | str:
    try:
        return need_boolean(evaluate(tree, values, None, "p"), "a condition")
    except EvaluationFault as fault:
        return fault.kind


@cases(60)
@given(CONDITIONS)
def test_conditions_on_lists_come_to_what_they_come_to_for_some_list(text: str) -> None:
    tree = parse_condition(text)
    symbols = Symbols(looks([tree]))
    terms = {
        name: symbols.of_shape(name, Shape(ValueType.LIST, items=each), null=False) for name, each in SHAPES.items()
    }
    terms["n"] = symbols.of_shape("n", Shape(ValueType.INTEGER, minimum=-1, maximum=3), null=False)
    terms["given"] = constant(GIVEN)

    def name(node: Name | Whole) -> Term:
        assert isinstance(node, Name)
        return terms[node.field]

    translation = Translation(symbols, name)
    term = needed_boolean(translation.of(tree))
    ways: dict[bool | str, Truth] = {True: term.is_boolean(True), False: term.is_boolean(False)}
    ways |= term.faults.items()
    read = [each for each in terms if f"context.{each}" in text and each not in ("n", "given")]
    longest = 3 if len(read) < 2 else 2
    every = [lists(each, longest) for each in read]
    found = {
        outcome(tree, {**dict(zip(read, values, strict=True)), "n": n, "given": GIVEN})
        for values in itertools.product(*every)
        for n in range(-1, 4)
    }
    solver = z3.Solver()
    solver.set("timeout", 20_000)
    solver.add(*symbols.known)
    for what in {*ways, *found}:
        status = solver.check(ways.get(what, False))
        assert status != z3.unknown, (text, what)
        if status == z3.unsat:
            assert what not in found, (text, what)
        elif not translation.left_open:
            values = {each: value_of(known, solver.model()) for each, known in terms.items()}
            assert outcome(tree, values) == what, (text, values)
