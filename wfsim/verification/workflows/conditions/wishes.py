"""What values are looked for: each wish can be seen by the evaluator, and made a formula for the solver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from wfsim.model.expression_tree import Expression
from wfsim.model.functions import Given
from wfsim.model.values import Value
from wfsim.verification.workflows.conditions.choices import outcome

TRUE, FALSE, ERROR = "true", "false", "error"


@dataclass(frozen=True)
class Comes:
    """That an expression comes to one of these: `true`, `false`, or `error` for an error of any type."""

    tree: Expression
    to: tuple[str, ...]

    def seen(self, values: Mapping[str, Value], state: str, functions: Given) -> bool:
        """Whether the evaluator sees it."""
        found = outcome(self.tree, values, state, functions)
        return (found if found in (TRUE, FALSE) else ERROR) in self.to


@dataclass(frozen=True)
class Differ:
    """That two expressions come to different results, errors of different types among them."""

    first: Expression
    second: Expression

    def seen(self, values: Mapping[str, Value], state: str, functions: Given) -> bool:
        """Whether the evaluator sees it."""
        first, second = (outcome(tree, values, state, functions) for tree in (self.first, self.second))
        return first != second


@dataclass(frozen=True)
class Written:
    """That these variables have been written; until then they may be null, and lint finds what reads them too early."""

    names: tuple[str, ...]

    def seen(self, values: Mapping[str, Value], state: str, functions: Given) -> bool:
        """Whether none of them is null."""
        return all(values[name] is not None for name in self.names)


Wish: TypeAlias = "Comes | Differ | Written"
