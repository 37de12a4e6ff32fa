"""Functions in Python: declared by annotations or in YAML, given to one workflow or to many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

import wfsim as wf
from wfsim.errors import DefinitionError, FunctionError
from wfsim.model.annotated import declaration, marked
from wfsim.model.expression_tree import called
from wfsim.model.expressions import parse, to_text
from wfsim.model.supplying import Supplied, for_all, supplied, supplied_by


class Line(BaseModel):
    sku: str
    n: Annotated[int, Field(ge=0, le=9)]


@wf.function
def price(lines: list[Line], country: Literal["DE", "FR"] | None, discount: float = 0.0, more: Any = None) -> float:
    """The price of an order.

    Nothing else.
    """
    return sum(line["n"] for line in lines) * (1.0 - discount)


class Rate:
    def __call__(self, n: int) -> int:
        return n


def built() -> wf.Workflow:
    builder = wf.Builder("order").function(price).function("rate", input={"n": "integer"}, result="integer")
    return builder.state("a", initial=True, terminal=True).build()


def test_annotations_declare_a_function() -> None:
    workflow = built()
    assert wf.dumps(workflow).partition("states")[0].partition("functions:\n")[2] == (
        "  price:\n"
        "    description: The price of an order.\n"
        "    input:\n"
        "      lines:\n"
        "        type: list\n"
        "        items: {sku: string, n: {type: integer, minimum: 0, maximum: 9}}\n"
        "      country: {type: string, optional: true, values: [DE, FR]}\n"
        "      discount: number\n"
        "      more: any\n"
        "    result: number\n"
        "  rate: {input: {n: integer}, result: integer}\n"
    )
    assert wf.loads(wf.dumps(workflow)) == workflow
    assert workflow.given.call("price", [[{"sku": "a", "n": 2}], None, 0.5, {"x": [1]}]) == 1.0
    assert workflow.given.missing == ("rate",)
    assert price([Line(sku="a", n=1).model_dump()], "DE") == 1.0


@pytest.mark.parametrize(
    ("python", "told"),
    [
        (lambda n: n, "its argument 'n' has no annotation"),
        (wf.Duration, "is a Python function, not"),
        (7, "is a Python function, not 7"),
    ],
)
def test_what_declares_nothing_is_refused(python: Any, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        wf.function(python)


def test_what_no_type_can_say_is_refused() -> None:
    def many(*n: int) -> int:
        return 0

    def strange(n: slice) -> Any:
        return n

    def two(n: int | str) -> int:
        return 0

    for each, told in ((many, r"takes \*n"), (strange, "has no type of the language"), (two, "one type")):
        with pytest.raises(DefinitionError, match=told):
            declaration(each)


def test_a_function_is_declared_once() -> None:
    with pytest.raises(DefinitionError, match="the function 'price' is there already"):
        wf.Builder("order").function(price).function("price", result="number")
    with pytest.raises(DefinitionError, match="has no result"):
        wf.Builder("order").function("rate")
    with pytest.raises(DefinitionError, match="annotations of 'price' declare it"):
        wf.Builder("order").function(price, result="number")


@pytest.mark.parametrize(
    "text",
    [
        "functions.f()",
        "functions.f(context.n, 'x', [1, functions.g(1)])",
        "-functions.f(1) + functions.g(functions.f(2))[0].x",
        "sum(context.l, functions.f(item.n))",
        "not functions.f(1 if functions.g(2) else 3)",
    ],
)
def test_a_call_is_printed_as_it_is_read(text: str) -> None:
    tree = parse(text)
    assert to_text(tree) == text
    assert len(called(tree)) == text.count("functions.")


def test_what_waits_is_no_function() -> None:
    async def rate(n: int) -> int:
        return n

    with pytest.raises(DefinitionError, match="gives its answer at once"):
        built().with_functions(rate=rate)
    assert built().with_functions(rate=Rate()).given.call("rate", [3]) == 3
    # What tells nothing of its arguments is taken at its word.
    assert built().with_functions(rate=max).given.missing == ()


def test_answers_are_forgotten_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wfsim.model.functions.MOST_KEPT", 3)
    asked: list[int] = []

    def rate(n: int) -> int:
        asked.append(n)
        return n

    given = built().with_functions(rate=rate).given
    assert [given.call("rate", [n]) for n in (1, 2, 3, 1, 4, 1)] == [1, 2, 3, 1, 4, 1]
    assert asked == [1, 1, 2, 2, 3, 3, 4, 4, 1, 1]


def test_functions_are_for_a_workflow_and_version_or_for_all_that_declare_them() -> None:
    old, new = built(), built().model_copy(update={"version": "2.0.0"})
    given = supplied_by([old.with_functions(rate=lambda n: 1), new.with_functions(rate=lambda n: 2)])
    bare = wf.loads(wf.dumps(new))
    assert supplied(bare, given).given.call("rate", [0]) == 2
    assert supplied(bare, (*given, Supplied("rate", lambda n: 3))).given.call("rate", [0]) == 2
    assert supplied(bare, (*for_all({"rate": lambda n: 3, "other": print}), *given)).given.call("rate", [0]) == 3
    assert supplied(wf.new("order"), given).functions == {}


def test_marked_functions_of_a_module_are_found_by_their_own_names() -> None:
    assert marked([("alias", price), ("Line", Line), ("other", len)]) == {"price": price}


def test_a_file_may_be_loaded_with_functions(tmp_path: Path) -> None:
    wf.save(built(), tmp_path / "order.yaml")
    loaded = wf.load(tmp_path / "order.yaml", functions={"rate": lambda n: n})
    assert loaded.given.missing == ("price",)
    with pytest.raises(DefinitionError, match=r"declares no function 'rte'.*Did you mean 'rate'"):
        wf.load(tmp_path / "order.yaml", functions={"rte": lambda n: n})
    with pytest.raises(FunctionError, match=r"functions\.price"):
        loaded.given.require()
    # Saved again it is the same text, without code.
    wf.save(loaded, tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_text() == (tmp_path / "order.yaml").read_text()


def test_an_argument_that_may_be_null_is_told_by_lint() -> None:
    text = """
name: order
initial_state: a
functions: {rate: {input: {n: integer, m: {type: integer, optional: true}}, result: integer}}
variables: {n: {type: integer, input: true, optional: true}, m: {type: integer, input: true, optional: true}}
events: {go: {}}
states: [{name: a, timeout: 1h}, {name: b, is_terminal: true}]
transitions:
  - {from: a, event: go, to: b, condition: "functions.rate(context.n, context.m) > 1"}
  - {from: a, event: timeout, to: b}
"""
    told = [finding for finding in wf.lint(wf.loads(text)) if finding.code.startswith("variable-")]
    assert [("'n'" in str(each), "'m'" in str(each)) for each in told] == [(True, False)], told


def test_conditions_that_call_are_asked_of_every_function() -> None:
    text = """
name: order
initial_state: a
functions: {rate: {input: {n: integer}, result: {type: integer, minimum: 0, maximum: 5}}}
variables: {n: {type: integer, input: true}}
events: {go: {}}
states: [{name: a}, {name: b, is_terminal: true}, {name: c, is_terminal: true}]
transitions:
  - {from: a, event: go, to: b, condition: "functions.rate(context.n) > 5"}
  - {from: a, event: go, to: c, condition: "functions.rate(context.n) > 3"}
"""
    bare = wf.loads(text)
    for each in (bare, bare.with_functions(rate=lambda n: 5)):
        told = [finding for finding in wf.conditions(each) if str(finding.kind) == "unsatisfiable"]
        assert (str(told[0].status), "rate(context.n) > 5" in told[0].told) == ("violated", True)
        # Of the other one the given function shows that it can be true.
        assert [str(finding.status) for finding in told[1:]] == (["unknown"] if each is bare else [])
    # Whether 3 is ever exceeded is for the function to say.
    gaps = [finding for finding in wf.conditions(bare) if str(finding.kind) == "gap"]
    assert [str(each.status) for each in gaps] == ["unknown"]
    assert "functions.rate was not given" in gaps[0].told
    (gap,) = [each for each in wf.conditions(bare.with_functions(rate=lambda n: 0)) if str(each.kind) == "gap"]
    assert gap.witness is not None
    assert gap.witness.replay() == ["false", "false"]
    assert not [each for each in wf.conditions(bare.with_functions(rate=lambda n: 5)) if str(each.kind) == "overlap"]
