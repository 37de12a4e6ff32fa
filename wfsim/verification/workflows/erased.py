"""The surroundings of an erased program, in which every condition is a question with several answers."""

from __future__ import annotations

from wfsim.errors import NotCovered
from wfsim.exploration.domains import MOST_ITEMS
from wfsim.model.expression_tree import TemplateList, is_constant
from wfsim.semantics.codes import BOOLEAN, FAULT, INTEGER, LIST, NULL, STRING, T_TYPE
from wfsim.semantics.layout import Cell, Cells, Rows
from wfsim.semantics.program import Program
from wfsim.semantics.texts import Texts
from wfsim.semantics.values import set_null


class ErasedHost:
    """Answers for an erased program: each question has several answers, and the search tries them all."""

    def __init__(self, program: Program, texts: Texts) -> None:
        self.program = program
        self.texts = texts
        self.lists = [(LIST, texts.handle([None] * n)) for n in range(MOST_ITEMS + 1)]
        self.unknown = texts.handle("")
        self.script: list[int] = []
        self.asked: list[int] = []

    def begin(self, script: list[int]) -> None:
        """Answer the next questions by this script, and the first choice beyond it."""
        self.script = script
        self.asked = []

    def evaluate(self, number: int, m: Rows, v: Cells, i: int, private: int, payload: int, answer: Cell) -> None:
        """One of the answers that the expression could have."""
        choices = self.choices(number)
        at = len(self.asked)
        self.asked.append(len(choices))
        answer.tag, answer.whole = choices[self.script[at] if at < len(self.script) else 0]
        answer.real = 0.0

    def choices(self, number: int) -> list[tuple[int, int]]:
        """Tag and `whole` of each answer that host expression `number` could have."""
        asked = self.program.host[number]
        choices: list[tuple[int, int]] = {
            "condition": [(BOOLEAN, 1), (BOOLEAN, 0)],
            "duration": [(INTEGER, 1)],
            "moment": [(INTEGER, 1)],
            "value": [(NULL, 0)],
            "item": [(NULL, 0)],
            "items": self.lists,
            "receiver": [(STRING, self.unknown)],
            "key": [(STRING, self.unknown)],
        }[asked.role]
        if asked.raises or asked.role in ("items", "receiver", "key"):
            choices = [*choices, (FAULT, T_TYPE)]
        if isinstance(asked.template, TemplateList) and is_constant(asked.template):
            # A list written out is what it is.
            choices = [(LIST, self.texts.handle([None] * len(asked.template.items)))]
        return choices

    def make(self, what: int, of: int, cells: Cells, answer: Cell) -> None:
        """Never asked: nothing is declared of its values, and all that would make one is a question."""
        raise NotCovered("no value is made in an erased program.")

    def part(self, owner: int, name: int, answer: Cell) -> bool:
        """Never asked either."""
        raise NotCovered("no field is read in an erased program.")

    def holds(self, op: int, text: int, part: int) -> bool:
        """Never asked either."""
        raise NotCovered("no text is looked into in an erased program.")

    def length(self, items: int) -> int:
        """The number of items of a list, one of those chosen from or one that the definition gives."""
        return len(self.texts.value(items))

    def element(self, items: int, index: int, answer: Cell) -> None:
        """Items have no value in an erased program."""
        set_null(answer)

    def results(self, ended: list[tuple[int, int, Cells]], collect: int, answer: Cell) -> None:
        """Nor have results."""
        set_null(answer)

    def order(self, left: int, right: int) -> int:
        """Never asked: an erased program compares nothing."""
        raise NotCovered("an erased program compares no texts.")
