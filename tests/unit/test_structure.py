"""One fact, one place: what may know the kinds of actions and works, and who may read the text of an expression."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import networkx as nx

from wfsim.model.elements import Work
from wfsim.model.operations import Action

CODE = Path(__file__).parents[2] / "wfsim"
KINDS = {kind.__name__ for kind in (*get_args(get_args(Action)[0]), *get_args(Work))}
# They turn each kind into something of its own: rows, what it comes to in a net, words on a picture, short YAML.
DISPATCHING = {
    "semantics/action_code.py",
    "net/translate/actions.py",
    "model/picture.py",
    "model/yaml_writer.py",
}
# What people type elsewhere than in a definition: the values of a scenario.
TYPED = {"simulation/check.py", "simulation/plans.py", "simulation/scenario.py"}
# The fields that admit it, and the elements that offer the trees.
READING = {"model/given.py", "model/fields.py", "model/elements.py", "model/operations.py", "widgets/breakpoints.py"}


def modules(words: set[str]) -> Iterator[tuple[str, list[ast.AST]]]:
    """Those in whose text one of the words stands, as only they can use its name: reading trees takes long."""
    for file in sorted(CODE.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if any(word in text for word in words):
            yield file.relative_to(CODE).as_posix(), list(ast.walk(ast.parse(text)))


def names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} | {
        each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)
    }


def asks_for_a_kind(node: ast.AST) -> bool:
    match node:
        case ast.Call(ast.Name("isinstance"), [_, kinds]):
            return not KINDS.isdisjoint(names(kinds))
        case ast.MatchClass(kind):
            return not KINDS.isdisjoint(names(kind))
        case ast.Compare(left, _, [*others]):
            return any("action_type" in names(side) for side in (left, *others))
    return False


def test_few_modules_know_the_kinds_of_actions_and_works_all_others_ask_what_they_do() -> None:
    found = {name for name, nodes in modules({*KINDS, "action_type"}) if any(map(asks_for_a_kind, nodes))}
    assert found == DISPATCHING


def test_the_text_of_an_expression_is_read_where_it_comes_in_and_nowhere_else() -> None:
    parsers = {"parse_condition", "parse_template"}

    def parses(node: ast.AST) -> bool:
        if isinstance(node, ast.ImportFrom) and node.module == "wfsim.model.expressions":
            return any(each.name in {"parse", *parsers} for each in node.names)
        return isinstance(node, ast.Call) and not parsers.isdisjoint(names(node.func))

    found = {name for name, nodes in modules({"wfsim.model.expressions", *parsers}) if any(map(parses, nodes))}
    assert found == TYPED | READING


def blocks(node: ast.AST) -> Iterator[ast.AST]:
    """The statements right within another one, or a module."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        # That of a lambda or of `a if b else c` is an expression.
        inside = getattr(node, field, ())
        yield from inside if isinstance(inside, list) else ()


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All of them, however deep: an import is no part of an expression, so that those need not be looked through."""
    for each in blocks(tree):
        yield each
        yield from statements(each)


def imported(module: str, tree: ast.AST, known: set[str]) -> set[str]:
    """The modules of the package that a module imports anywhere, for its types as well."""
    package = module if f"{module}.__init__" in known else module.rpartition(".")[0]
    found = set()
    for node in statements(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            home = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{home}.{alias.name}" if f"{home}.{alias.name}" in known else home for alias in node.names}
    return found & known


def test_no_two_modules_import_each_other_not_even_round_about() -> None:
    sources = {".".join(path.with_suffix("").parts): path for path in Path("wfsim").rglob("*.py")}
    graph = nx.DiGraph()
    for name, path in sources.items():
        module = name.removesuffix(".__init__")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        graph.add_edges_from((module, other) for other in imported(module, tree, {*sources}) if other != module)
    assert graph.number_of_edges() > 1_000
    assert [sorted(circle) for circle in nx.strongly_connected_components(graph) if len(circle) > 1] == []
