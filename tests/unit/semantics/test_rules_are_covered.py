"""Every rule of MEANING has a test named after it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

# Rules per section, as MEANING numbers them. Section 12 is one rule without a number.
RULES = {1: 5, 2: 6, 3: 8, 4: 5, 5: 5, 6: 4, 7: 3, 8: 4, 9: 2, 10: 3, 11: 3}


def covered() -> set[str]:
    """Numbers of the rules that some test in this folder is named after."""
    found = set()
    for file in Path(__file__).parent.glob("test_rules_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (named := re.match(r"test_m(\d+)(?:_(\d+))?_", node.name)):
                found.add(".".join(part for part in named.groups() if part))
    return found


def test_every_rule_has_a_test_named_after_it() -> None:
    rules = {f"{section}.{number}" for section, n in RULES.items() for number in range(1, n + 1)} | {"12"}
    assert rules - covered() == set()
    assert covered() <= rules, "tests are named after rules that MEANING does not have"
