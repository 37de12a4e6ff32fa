"""The rows of a program while they are written."""

from __future__ import annotations

from typing import TypeVar

from wfsim.model.workflow import Workflow

from .layout import Head, Rows
from .program import HostExpression
from .texts import Texts

R = TypeVar("R")


class Sheet:
    """Rows, in order, with all that they refer to by number.

    Parameters
    ----------
    erased, symbolic
        Which expressions become questions to the surroundings; see `Program`.
    texts
        The table that gives handles.

    Attributes
    ----------
    rows, names
        A row, and what it is called; the first one is the head.
    host
        Expressions that the surroundings answer.
    deepest
        How many values an expression holds at once, at most.
    """

    def __init__(self, workflow: Workflow, erased: bool, symbolic: bool, texts: Texts) -> None:
        self.erased = erased
        self.symbolic = symbolic
        self.head = Head()
        self.rows: Rows = [self.head]
        self.names: list[str | None] = [workflow.name]
        self.texts = texts
        self.host: list[HostExpression] = []
        self.deepest = 1

    def add(self, row: R, name: str | None = None) -> tuple[int, R]:
        """Append a row; returns its number and itself."""
        self.rows.append(row)
        self.names.append(name)
        return len(self.rows) - 1, row

    def text(self, text: str) -> int:
        """The handle of a text."""
        return self.texts.handle(text)
