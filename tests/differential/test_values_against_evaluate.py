"""Expressions compiled to the stack machine against the readable evaluator: equal values, equal faults."""

from __future__ import annotations

import math
from typing import Any

import pytest
import z3
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.differential.compiled_instance import CompiledInstance, PlainInstance
from tests.random_cases import cases
from wfsim.model.elements import Variable
from wfsim.model.evaluate import evaluate, fit
from wfsim.model.expression_tree import (
    Arithmetic,
    Bool,
    Call,
    Compare,
    Expression,
    Field,
    Gather,
    IfElse,
    Index,
    Item,
    ListOf,
    Literal,
    Name,
    Negate,
    Not,
    Whole,
)
from wfsim.model.expressions import parse, to_text
from wfsim.model.static import static_shape
from wfsim.model.values import EvaluationFault
from wfsim.model.workflow import Workflow
from wfsim.semantics import stack, values
from wfsim.semantics.codes import FAULT, NONE, OP_ASK, OP_END
from wfsim.semantics.compile import _Compiler, _Same, compile_workflow
from wfsim.semantics.expression_code import ExpressionCode, Place
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.texts import Texts
from wfsim.verification.workflows.conditions.literals import number_of, text_of
from wfsim.verification.workflows.conditions.symbols import Symbols
from wfsim.verification.workflows.conditions.terms import Term, constant
from wfsim.verification.workflows.conditions.translation import Translation

VARIABLES = ("a", "b", "c")
FIELDS = ("f", "g")

integers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63), 3037000500]),
)
numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 1e308, -1e308, 5e-324, 2.0**53, 2.0**63, -(2.0**63), 1e19]),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda real: real + 0.0),
)
texts = st.sampled_from(["", "a", "b", "aa", "ä", "z", "\U0001f600", "￿"])
scalars = st.one_of(st.none(), st.booleans(), integers, numbers, texts)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2)
    ),
    max_leaves=4,
)
contexts = st.fixed_dictionaries(dict.fromkeys(VARIABLES, json_values))
payloads = st.one_of(st.none(), st.fixed_dictionaries(dict.fromkeys(FIELDS, json_values)))

# One value in many places makes equal operands, and so true comparisons, likely.
leaves: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Literal, scalars),
    st.builds(Literal, integers),
    st.builds(Name, st.just("context"), st.sampled_from(VARIABLES)),
    st.builds(Name, st.just("event"), st.sampled_from(FIELDS)),
)


looked_at = st.sampled_from([Item(), Field(Item(), "x"), Name("context", "a"), Literal(1), Literal("a")])
bodies: st.SearchStrategy[Expression] = st.one_of(
    looked_at,
    st.builds(Compare, st.sampled_from(["==", "<", "in"]), looked_at, looked_at),
    st.builds(Gather, st.sampled_from(["sum", "any"]), looked_at, looked_at),
    st.builds(Arithmetic, st.just("+"), looked_at, looked_at),
)


def _wider(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    pair = st.lists(inner, min_size=2, max_size=2).map(tuple)
    some = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner, inner),
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*"]), inner, st.builds(Literal, integers)),
        st.builds(Compare, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), inner, inner),
        st.builds(Compare, st.sampled_from(["in", "not in"]), inner, st.one_of(inner, st.builds(ListOf, some))),
        st.builds(Bool, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Not, inner),
        st.builds(Negate, inner),
        st.builds(IfElse, inner, inner, inner),
        st.builds(Call, st.sampled_from(["min", "max"]), pair),
        st.builds(Call, st.sampled_from(["min", "max"]), st.lists(inner, min_size=3, max_size=4).map(tuple)),
        st.builds(Call, st.just("len"), inner.map(lambda argument: (argument,))),
        st.builds(ListOf, some),
        st.builds(Index, inner, st.one_of(inner, st.builds(Literal, st.integers(-2, 2)))),
        st.builds(Field, inner, st.sampled_from(["x", "y"])),
        st.builds(Gather, st.sampled_from(["sum", "count", "any", "all"]), inner, bodies),
        st.builds(Call, st.sampled_from(["min", "max", "lower", "upper", "text"]), inner.map(lambda one: (one,))),
        st.builds(Call, st.sampled_from(["startswith", "endswith", "contains", "coalesce"]), pair),
        st.sampled_from([Whole("event"), Whole("state"), Whole("context")]),
    )


expressions = st.recursive(leaves, _wider, max_leaves=12)


def conditions(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    """Trees that mostly come to a boolean, so that logic gets past its first operand."""
    order = st.builds(Compare, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), inner, inner)
    return st.recursive(
        st.one_of(order, st.builds(Literal, st.booleans())),
        lambda logic: st.one_of(
            st.builds(Bool, st.sampled_from(["and", "or"]), st.lists(logic, min_size=2, max_size=4).map(tuple)),
            st.builds(Not, logic),
            st.builds(IfElse, logic, st.one_of(logic, inner), st.one_of(logic, inner)),
        ),
        max_leaves=8,
    )


small = st.one_of(
    st.builds(Literal, st.integers(-2, 2)), st.builds(Name, st.just("context"), st.sampled_from(VARIABLES))
)
small_contexts = st.fixed_dictionaries(
    {"a": st.integers(-2, 2), "b": st.one_of(st.integers(-2, 2), st.none()), "c": st.sampled_from([0.0, 1.0, -1.5])}
)

# What a definition needs so that its program has these variables and fields.
FRAME = Workflow(
    name="frame",
    initial_state="s",
    states=[{"name": "s"}],
    variables={name: {"type": "any"} for name in VARIABLES},
    events={"e": {"payload": {name: {"type": "any", "optional": True} for name in FIELDS}}},
    transitions=[{"from": "s", "event": "e"}],
)


def compiled(expression: Expression) -> tuple[Instance, int, int]:
    """An instance whose program holds the expression; the row of its code, and how many questions it asks."""
    compiler = _Compiler((_Same(FRAME),), (), erased=False, symbolic=False, texts=Texts())
    sheet, declared, actions = compiler.sheet, compiler.declared, compiler.actions
    fields = declared.fields["e"]
    code = ExpressionCode(sheet.texts, sheet.host, declared.variable_index, Place(fields), kind_of=actions.kind_of)
    code.compile(expression)
    asked = sum(op.op == OP_ASK for op in code.ops)
    # `code` places the operations; the program then has room for the deepest stack.
    first = actions.code(expression, fields)
    program = compiler.program()
    assert program.rows[first + len(code.ops)].op == OP_END
    return Instance(program), first, asked


def by_machine(expression: Expression, context: dict[str, Any], event: dict[str, Any] | None) -> Any:
    """The value that the stack machine computes, or `("fault", kind)`."""
    instance, code, _ = compiled(expression)
    head = instance.program.head
    for k, name in enumerate(VARIABLES):
        instance.texts.encode(context[name], instance.v[k])
    payload = NONE
    if event is not None:
        payload = head.inbox_cells
        for name, place in instance.program.event_fields["e"].items():
            instance.texts.encode(event[name], instance.v[payload + place])
    instance.me.status = 1
    instance.m[instance.program.rows[head.root].slot].state = instance.program.state_rows["s"]
    instance.me.cells = 0
    before = [(cell.tag, cell.whole, cell.real) for cell in instance.v[: head.stack_cells]]
    at = stack.evaluate(instance.program.rows, instance.m, instance.v, Output(instance.host), 0, code, NONE, payload)
    assert head.stack_cells <= at < head.queue_cells, "the value lies outside the stack"
    assert [(cell.tag, cell.whole, cell.real) for cell in instance.v[: head.stack_cells]] == before
    cell = instance.v[at]
    value = instance.texts.decode(cell.tag, cell.whole, cell.real)
    return ("fault", value) if cell.tag == FAULT else value


def by_evaluator(expression: Expression, context: dict[str, Any], event: dict[str, Any] | None) -> Any:
    """The value that the readable evaluator computes, or `("fault", kind)`."""
    known = None if event is None else {name: value for name, value in event.items() if value is not None}
    try:
        return evaluate(expression, context, known, "s")
    except EvaluationFault as fault:
        return ("fault", fault.kind)


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: of one type all the way down, and zero with one sign."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return left == right and math.copysign(1.0, left) == math.copysign(1.0, right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def check(expression: Expression, context: dict[str, Any], event: dict[str, Any] | None) -> None:
    expected = by_evaluator(expression, context, event)
    found = by_machine(expression, context, event)
    assert same(found, expected), f"{expression}: {found!r}, expected {expected!r}"


@cases(150)
@given(expressions, contexts, payloads)
def test_the_stack_machine_computes_what_the_evaluator_computes(
    expression: Expression, context: dict[str, Any], event: dict[str, Any] | None
) -> None:
    check(expression, context, event)


def by_solver(expression: Expression, context: dict[str, Any], event: dict[str, Any] | None) -> Any:
    """What the solver simplifies the expression to, once its names are replaced by their values."""

    def name(node: Name | Whole) -> Term:
        if isinstance(node, Whole):
            known = {name: value for name, value in (event or {}).items() if value is not None}
            return constant(
                {"state": "s", "context": context, "event": known if event is not None else None}[node.scope]
            )
        return constant((context if node.scope == "context" else event or {}).get(node.field))

    translation = Translation(Symbols(), name)
    term = translation.of(expression)
    assume(not translation.left_open)
    holds = [kind for kind, when in term.faults.items() if known_truth(when)]
    if holds:
        assert len(holds) == 1
        return ("fault", holds[0])
    values = [case for case in term.cases if known_truth(case.guard)]
    assert len(values) + known_truth(term.null) == 1
    if not values:
        return None
    (case,) = values
    if case.kind == "boolean":
        return known_truth(case.value)
    value = z3.simplify(case.value)
    if case.kind == "number":
        return number_of(value) + 0.0
    return text_of(value) if case.kind == "string" else value.as_long()


def known_truth(truth: Any) -> bool:
    simple = truth if isinstance(truth, bool) else z3.simplify(truth)
    assert isinstance(simple, bool) or z3.is_true(simple) or z3.is_false(simple), simple
    return simple if isinstance(simple, bool) else z3.is_true(simple)


def check_solver(expression: Expression, context: dict[str, Any], event: dict[str, Any] | None) -> None:
    expected = by_evaluator(expression, context, event)
    if isinstance(expected, (list, dict)):
        # Of lists and objects the solver knows how long they are.
        expected = len(expected)
    found = by_solver(expression, context, event)
    assert same(found, expected), f"{expression}: {found!r}, expected {expected!r}"


@cases(150)
@given(expressions, contexts, payloads)
def test_the_solver_computes_what_the_evaluator_computes(
    expression: Expression, context: dict[str, Any], event: dict[str, Any] | None
) -> None:
    check_solver(expression, context, event)


@cases(150)
@given(conditions(small), small_contexts)
def test_the_solver_agrees_on_logic_and_comparisons(expression: Expression, context: dict[str, Any]) -> None:
    check_solver(expression, context, None)


@cases(150)
@given(conditions(small), small_contexts)
def test_logic_and_comparisons_agree(expression: Expression, context: dict[str, Any]) -> None:
    check(expression, context, None)


arithmetic = st.recursive(
    st.one_of(
        st.builds(Literal, st.one_of(integers, numbers)),
        st.builds(Name, st.just("context"), st.sampled_from(VARIABLES)),
    ),
    lambda inner: st.one_of(
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner, inner),
        st.builds(Negate, inner),
        st.builds(Call, st.sampled_from(["min", "max"]), st.lists(inner, min_size=2, max_size=2).map(tuple)),
    ),
    max_leaves=6,
)


@cases(150)
@given(arithmetic, st.fixed_dictionaries({name: st.one_of(integers, numbers) for name in VARIABLES}))
def test_arithmetic_agrees_to_the_last_bit(expression: Expression, context: dict[str, Any]) -> None:
    check(expression, context, None)


@cases(150)
@given(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), json_values, json_values)
def test_comparisons_of_any_two_values_agree(operator: Any, left: Any, right: Any) -> None:
    expression = Compare(operator, Name("context", "a"), Name("context", "b"))
    check(expression, {"a": left, "b": right, "c": None}, None)
    check(expression, {"a": left, "b": left, "c": None}, None)


@pytest.mark.parametrize("operator", ["+", "-", "*", "/"])
def test_an_integer_literal_beside_a_number_literal_is_a_number(operator: Any) -> None:
    nothing = dict.fromkeys(VARIABLES)
    for left, right in ((1, 0.5), (0.5, 1), (2**53 + 1, 1.0), (True, 1.0)):
        check(Arithmetic(operator, Literal(left), Literal(right)), nothing, None)
    assert by_machine(Arithmetic("+", Literal(1), Literal(0.5)), nothing, None) == 1.5


def test_what_the_machine_computes_itself_asks_no_question() -> None:
    a, b = Name("context", "a"), Name("event", "f")
    alone = IfElse(
        Bool("and", (Compare("<", a, b), Not(Compare("==", a, Literal(None))))),
        Call("min", (Arithmetic("*", a, Literal(2)), b)),
        Negate(b),
    )
    assert compiled(alone)[2] == 0


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("context.a[context.b].x", 0),
        ("context.a in [1, 2] or context.b not in context.c", 0),
        ("sum(context.a, len(item.x) + count(context.b, item.y in context.c))", 0),
        ("any(context.a, startswith(item.x, 'A') and not contains(lower(item.y), state))", 0),
        ("max(context.a.x) + min(context.b)", 0),
        ("coalesce(context.a, event.f, [context.b], 1)", 0),
        ("'a' + text(context.a) + lower(context.b)", 0),
        ("min(context.a, context.b, 3)", 1),
        ("sum(context.a, min(item, context.b, 3)) + sum(context.b)", 1),
        ("[event, context]", 2),
    ],
)
def test_expressions_on_texts_and_lists_are_compiled_but_for_whole_payloads_and_contexts(text: str, asked: int) -> None:
    assert compiled(parse(text))[2] == asked


def stepped(kind: type[Instance], text: str, context: dict[str, Any], event: dict[str, Any]) -> tuple[Any, ...]:
    """What a step puts out that assigns the value of an expression, and what it leaves."""
    actions = [{"action_type": "set_variable", "parameters": {"name": "found", "value": f"${{{text}}}"}}]
    workflow = Workflow.model_validate(
        {
            "name": "frame",
            "initial_state": "s",
            "states": [{"name": "s"}],
            "variables": {
                "found": {"type": "any"},
                **{name: {"type": "any", "input": True, "optional": True} for name in VARIABLES},
            },
            "events": {"e": {"payload": {name: {"type": "any", "optional": True} for name in FIELDS}}},
            "transitions": [
                {"from": "s", "event": "e", "pre_actions": actions},
                {"from": "s", "event": "error"},
            ],
        }
    )
    instance = kind(compile_workflow(workflow))
    outputs = [instance.start(0, context), *(instance.event(time, "e", event) for time in (1, 2))]
    told = [(output.records, output.values, output.effects) for output in outputs]
    head = instance.program.head
    # What is left in the inbox counts for nothing (`image_of`).
    kept = instance.v[: head.inbox_cells] + instance.v[head.inbox_cells + head.n_fields :]
    return told, [(cell.tag, cell.whole, cell.real.hex()) for cell in kept], len(instance.texts)


# What is written out is looked at when a definition is read, and refused where it can never work.
readers = st.recursive(leaves.filter(lambda leaf: isinstance(leaf, Name)), _wider, max_leaves=12)


@cases(100)
@given(readers, contexts, st.fixed_dictionaries(dict.fromkeys(FIELDS, json_values)))
def test_both_speeds_compute_the_same(expression: Expression, context: dict[str, Any], event: dict[str, Any]) -> None:
    text = to_text(expression)
    assume(len(text) < 1_000)
    problems: list[str] = []
    static_shape(expression, {}, report=problems.append)
    assume(not problems)
    assert stepped(CompiledInstance, text, context, event) == stepped(PlainInstance, text, context, event)


LONG = "ä" * 600_000
ROWS: list[dict[str, Any]] = [
    {"x": name, "y": [k, k + 0.5, None], "n": k} for k, name in enumerate(["Ann", "bob", "Ä", "a𝄞b"])
]


@pytest.mark.parametrize(
    "text",
    [
        "context.a[-1].y[1] + context.a[0].y[1]",
        "context.a[4]",
        "context.a[0].z",
        "context.a.x",
        "'Ä' in context.a.x and 0 in context.a[0].y and null in context.a[1].y",
        "min(context.a.x) + max(context.a.x) + min(context.a.n)",
        "[min(context.a.x), max(context.a.x), max(context.a.n), min([])]",
        "count(context.a, item.x > 'B' and contains(item.x, '𝄞'))",
        "[startswith(context.a[3].x, 'a𝄞'), endswith(context.a[3].x, '𝄞b'), len(context.a[3].x)]",
        "[sum(context.a.n), count(context.a.x, item in context.b.x)]",
        "[any(context.a.y, 2.5 in item), null in context.a.y]",
        "[sum(context.b.n) + 1.5, all(context.a[1].y, item in context.a[1].y), min(context.a[2].y)]",
        "max(context.a.y)",
        "sum(context.a.z)",
        "1 in context.c.x",
        "any(context.a[0].x.n)",
        "[contains(context.a[3].x, ''), endswith('b', context.a[3].x), startswith('', 'a'), contains('aab', 'ab')]",
        "any(context.a, any(item.y, item == 1.5)) and all(context.a, any(item.y, item == 1.5))",
        "sum(context.a, sum(item.y, coalesce(item, 0) * 2))",
        "sum(context.a, item.n) + sum([])",
        "text(context.a[0].n) + ' of ' + text(1e21) + lower(context.a[2].x) + upper('äz') + text(true)",
        "context.a == context.b and context.a[0] in context.b and context.a[0] != context.b[1]",
        "[context.a[0].n, 1 in [context.b], state]",
        "text(context.b) + (context.c + context.c)",
        "lower(context.c) + upper(context.c) + context.a[9]",
        "lower(context.c) + text(context.a[9])",
        "any(context.c)",
        "sum(context.a, sum(context.a, sum(context.a, sum(context.a, count(context.a, contains(context.c, item.x))))))",
    ],
)
def test_texts_and_lists_are_read_alike_at_both_speeds(text: str) -> None:
    context = {"a": ROWS, "b": [dict(reversed(row.items())) for row in ROWS], "c": LONG}
    told = stepped(CompiledInstance, text, context, {})
    assert told == stepped(PlainInstance, text, context, {})
    check(parse(text), context, None)


def test_what_was_made_is_not_asked_for_again() -> None:
    workflow = Workflow.model_validate(
        {
            "name": "frame",
            "initial_state": "s",
            "states": [{"name": "s"}],
            "variables": {"told": {"type": "string", "initial": ""}},
            "events": {"e": {"payload": {"who": "string", "n": "integer"}}},
            "transitions": [
                {
                    "from": "s",
                    "event": "e",
                    "pre_actions": [
                        {
                            "action_type": "set_variable",
                            "parameters": {"name": "told", "value": "${event.n} for ${lower(event.who)}"},
                        }
                    ],
                }
            ],
        }
    )
    instance = CompiledInstance(compile_workflow(workflow))
    instance.start(0)
    asked = []
    for payload in [{"who": "Ann", "n": 1}] * 3 + [
        {"who": "Bob", "n": 1},
        {"who": "Ann", "n": 2},
        {"who": "Bob", "n": 2},
    ]:
        instance.event(0, "e", payload)
        asked.append(instance.questions)
    # A number as text, the name in small letters, and all together; then only what is new of these.
    assert asked == [3, 3, 3, 5, 7, 8]
    assert instance.variables["told"] == "2 for bob"


# --- the door of a variable -----------------------------------------------------------------------

bounds = st.one_of(st.none(), st.integers(-5, 5), st.sampled_from([-2.5, 0.5, 2**53 + 1, -(2**63), 2**63 - 1]))


inside = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "number", "any"]), "optional": st.booleans()}),
    lambda deeper: st.one_of(
        st.fixed_dictionaries({"type": st.just("list"), "items": deeper}),
        st.fixed_dictionaries({"fields": st.dictionaries(st.sampled_from(["x", "y"]), deeper, min_size=1, max_size=2)}),
    ),
    max_leaves=3,
)


@st.composite
def variables(draw: st.DrawFn) -> Variable:
    kind = draw(st.sampled_from(["string", "integer", "number", "boolean", "list", "object", "any"]))
    keys: dict[str, Any] = {"type": kind, "optional": draw(st.booleans())}
    if kind in ("integer", "number"):
        low, high = draw(bounds), draw(bounds)
        if kind == "integer":
            low, high = (None if each is None else math.ceil(each) for each in (low, high))
        if low is not None and high is not None and low > high:
            low, high = high, low
        keys |= {key: value for key, value in (("minimum", low), ("maximum", high)) if value is not None}
        if "minimum" in keys or "maximum" in keys:
            keys["overflow"] = draw(st.sampled_from(["error", "saturate"]))
        elif draw(st.booleans()):
            keys["values"] = draw(st.lists(st.integers(-3, 3), min_size=1, max_size=3, unique=True))
    elif kind == "string" and draw(st.booleans()):
        keys["values"] = draw(st.lists(texts, min_size=1, max_size=3, unique=True))
    elif kind == "string" and draw(st.booleans()):
        keys["pattern"] = draw(st.sampled_from(["a*", "[ab]?", "[^a]{1,2}", "."]))
    elif kind == "list" and draw(st.booleans()):
        keys["items"] = draw(inside)
    elif kind == "object" and draw(st.booleans()):
        keys["fields"] = draw(st.dictionaries(st.sampled_from(["x", "y"]), inside, max_size=2))
    return Variable(**keys)


def admitted(variable: Variable, value: Any, lenient: int) -> Any:
    definition = Workflow(name="one", initial_state="s", states=[{"name": "s"}], variables={"n": variable})
    program = compile_workflow(definition)
    instance = Instance(program)
    cell = instance.v[0]
    instance.texts.encode(value, cell)
    fault = values.admit(program.rows, instance.v, Output(instance.host), program.head.first_variable, 0, lenient)
    if fault >= 0:
        return ("fault", instance.texts.text(fault))
    return instance.texts.decode(cell.tag, cell.whole, cell.real)


@cases(150)
@given(variables(), json_values)
def test_a_variable_admits_what_the_door_admits(variable: Variable, value: Any) -> None:
    try:
        expected = fit(variable, value)
    except EvaluationFault as fault:
        expected = ("fault", fault.kind)
    found = admitted(variable, value, lenient=1)
    assert same(found, expected), f"{variable!r} given {value!r}: {found!r}, expected {expected!r}"


@cases(100)
@given(variables(), json_values)
def test_inside_nothing_is_converted_for_a_variable(variable: Variable, value: Any) -> None:
    found = admitted(variable, value, lenient=0)
    if isinstance(value, int) and not isinstance(value, bool) and variable.type == "number":
        assert found == ("fault", "Expression.type")
    else:
        assert same(found, admitted(variable, value, lenient=1))
