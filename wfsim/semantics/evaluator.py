"""The surroundings' answers about expressions on texts, lists and objects (M10)."""

from __future__ import annotations

from wfsim.model.evaluate import evaluate_template
from wfsim.model.values import EvaluationFault, Value

from .codes import ABSENT, FAULT
from .layout import Cell, Cells, Rows
from .program import Program
from .rows import EXTRAS
from .texts import Texts


class Evaluator:
    """Answers the step function's questions about expressions on texts, lists and objects (M10)."""

    __slots__ = ("program", "texts")

    def __init__(self, program: Program, texts: Texts) -> None:
        self.program = program
        self.texts = texts

    def evaluate(self, number: int, m: Rows, v: Cells, i: int, private: int, payload: int, answer: Cell) -> None:
        """Evaluate host expression `number` on the instance's values."""
        asked = self.program.host[number]
        base = m[i].cells

        def value(at: int) -> Value:
            cell = v[at]
            return self.texts.decode(cell.tag, cell.whole, cell.real)

        context = {}
        for k, name in enumerate(self.program.variables):
            hidden = private >= 0 and v[private + k].tag != ABSENT
            context[name] = value(private + k if hidden else base + k)
        event: dict[str, Value] | None = None
        if payload >= 0:
            event = {name: value(payload + k) for name, k in asked.fields.items()}
            if asked.whole_event:
                event = {name: known for name, known in event.items() if known is not None}
                event.update(value(payload + EXTRAS) or {})
        head = self.program.head
        state = self.program.name(m[i + self.program.rows[head.root].slot].state) or ""
        try:
            self.texts.encode(evaluate_template(asked.template, context, event, state), answer)
        except EvaluationFault as fault:
            answer.tag = FAULT
            answer.whole = self.texts.handle(fault.kind)
            answer.real = 0.0

    def order(self, left: int, right: int) -> int:
        """Order of two texts by code point."""
        first, second = self.texts.value(left), self.texts.value(right)
        return -1 if first < second else 1 if first > second else 0
