"""Every rule of `docs/meaning.md` has a test named after it, and every rule that is cited is written there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

MEANING = Path(__file__).parents[3] / "docs" / "meaning.md"


def written() -> set[str]:
    """Numbers of the rules of `docs/meaning.md`; a section without numbered rules is one rule."""
    rules: set[str] = set()
    for section in re.split(r"^## (?=\d)", MEANING.read_text(encoding="utf-8"), flags=re.M)[1:]:
        number = section.split()[0]
        text = section.split("\n## ")[0]
        found = re.findall(r"^(\d+)\. ", text, flags=re.M)
        assert found == [str(index) for index in range(1, len(found) + 1)], f"section {number} counts {found}"
        rules |= {f"{number}.{rule}" for rule in found} or {number}
    return rules


def cited() -> dict[str, set[str]]:
    """Per file of the package, its tests and its pages: the rules that it cites as M4.2 or M8."""
    root = MEANING.parents[1]
    files = [*root.glob("wfsim/**/*.py"), *root.glob("tests/**/*.py"), *root.glob("docs/**/*.md")]
    return {
        str(file.relative_to(root)): set(re.findall(r"\bM(\d{1,2}(?:\.\d)?)\b", file.read_text(encoding="utf-8")))
        for file in files
    }


def covered() -> set[str]:
    """Numbers of the rules that some test in this folder is named after."""
    found = set()
    for file in Path(__file__).parent.glob("test_rules_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (named := re.match(r"test_m(\d+)(?:_(\d+))?_", node.name)):
                found.add(".".join(part for part in named.groups() if part))
    return found


def test_every_rule_has_a_test_named_after_it() -> None:
    rules = written()
    assert len(rules) > 40
    assert rules - covered() == set()
    assert covered() <= rules, "tests are named after rules that the meaning does not have"


def test_every_rule_that_is_cited_is_written() -> None:
    known = written() | {rule.split(".")[0] for rule in written()}
    assert {file: rules - known for file, rules in cited().items() if rules - known} == {}
