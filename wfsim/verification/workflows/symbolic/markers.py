"""Markers: texts that stand for terms, and that `step` carries like any other value."""

from __future__ import annotations

from wfsim.model.shapes import Shape
from wfsim.semantics.codes import STRING
from wfsim.semantics.layout import Cell
from wfsim.semantics.texts import Texts
from wfsim.verification.workflows.conditions.terms import Term, constant

MARK = "\ue000"
"""What markers begin with: a sign for private use, more of them where a definition uses it too."""


class Markers:
    """The markers in a table of texts, and what each stands for."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self._terms: dict[int, Term] = {}
        self._shapes: dict[str, Shape] = {}
        known = [text for text in map(texts.value, range(len(texts))) if isinstance(text, str)]
        self._mark = MARK
        while any(text.startswith(self._mark) for text in known):
            self._mark += MARK

    def put(self, name: str, term: Term, shape: Shape | None = None) -> str:
        """The marker of that name, which from now on stands for a term, of values from outside with their type."""
        text = f"{self._mark}{name}"
        self._terms[self.texts.handle(text)] = term
        if shape is not None:
            self._shapes[text] = shape
        return text

    def shape_of(self, text: str) -> Shape | None:
        """The type of the values that a marker stands for, if it is one of values from outside."""
        return self._shapes.get(text)

    def of_text(self, text: str) -> Term | None:
        """The term that a text stands for, if it is a marker."""
        return self._terms.get(self.texts.handle(text))

    def of_cell(self, cell: Cell) -> Term | None:
        """The term that a cell's value stands for, if it is a marker."""
        return self._terms.get(cell.whole) if cell.tag == STRING else None

    def term_of(self, tag: int, whole: int, real: float) -> Term:
        """What a cell with these fields holds."""
        if tag == STRING and whole in self._terms:
            return self._terms[whole]
        return constant(self.texts.decode(tag, whole, real))
