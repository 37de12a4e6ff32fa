"""The surroundings' answers about expressions on texts, lists and objects (M10)."""

from __future__ import annotations

from wfsim.model.evaluate import beside_a_number, evaluate_template
from wfsim.model.parts import called, field_of
from wfsim.model.shapes import fitted
from wfsim.model.values import EvaluationFault, Value, ValueType

from .codes import (
    ABSENT,
    FAULT,
    ITEM_DONE,
    MAKE_CALLED,
    MAKE_FIELDS,
    MAKE_FITTED,
    MAKE_JOINED,
    MAKE_LIST,
    MAKE_LOWER,
    MAKE_OBJECT,
    MAKE_TEXT,
    MAKE_UPPER,
    OP_ENDS,
    OP_HOLDS,
    OP_STARTS,
)
from .layout import Cell, Cells, Rows
from .program import Program
from .rows import EXTRAS
from .texts import Texts

_ON_TEXTS = {OP_STARTS: "startswith", OP_ENDS: "endswith", OP_HOLDS: "contains"}
_MADE = {MAKE_TEXT: "text", MAKE_LOWER: "lower", MAKE_UPPER: "upper"}


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
        for name, k in asked.variables.items():
            hidden = private >= 0 and v[private + k].tag != ABSENT
            context[name] = value(private + k if hidden else base + k)
        event: dict[str, Value] | None = None
        item: dict[str, Value] | None = None
        if asked.role == "item":
            item = {name: value(payload + k) for name, k in asked.fields.items()}
        elif payload >= 0:
            event = {name: value(payload + k) for name, k in asked.fields.items()}
            if asked.whole_event:
                event = {name: known for name, known in event.items() if known is not None}
                event.update(value(payload + EXTRAS) or {})
        head = self.program.head
        state = self.program.name(m[i + self.program.rows[head.root].slot].state) or ""
        try:
            value = evaluate_template(asked.template, context, event, state, item, m[i].time, self.program.functions)
            if asked.target is not None and self.program.variables[asked.target].kind is ValueType.NUMBER:
                value = beside_a_number(asked.template, value)
            self.texts.encode(value, answer)
        except EvaluationFault as fault:
            answer.tag = FAULT
            answer.whole = self.texts.handle(fault.kind)
            answer.real = 0.0

    def length(self, handle: int) -> int:
        """The characters of a text, items of a list, fields of an object."""
        return len(self.texts.value(handle))

    def element(self, items: int, index: int, answer: Cell) -> None:
        """One item of a list."""
        _, answer.tag, answer.whole, answer.real = self.texts.members(items)[index]

    def part(self, owner: int, name: int, answer: Cell) -> bool:
        """One field of an object; whether it has one of this name."""
        for key, tag, whole, real in self.texts.members(owner):
            if key == name:
                answer.tag, answer.whole, answer.real = tag, whole, real
                return True
        return False

    def order(self, left: int, right: int) -> int:
        """Order of two texts by code point."""
        first, second = self.texts.value(left), self.texts.value(right)
        return -1 if first < second else 1 if first > second else 0

    def holds(self, op: int, text: int, part: int) -> bool:
        """Whether a text begins with another one, ends with it, or has it anywhere (M10.8)."""
        return bool(called(_ON_TEXTS[op], [self.texts.value(text), self.texts.value(part)]))

    def make(self, what: int, of: int, cells: Cells, answer: Cell) -> None:
        """A value made of the values in `cells` and of nothing else; what `of` is follows from `what`."""
        values = [self.texts.decode(cell.tag, cell.whole, cell.real) for cell in cells]
        try:
            self.texts.encode(self._made(what, of, values), answer)
        except EvaluationFault as fault:
            answer.tag = FAULT
            answer.whole = self.texts.handle(fault.kind)
            answer.real = 0.0

    def _made(self, what: int, of: int, values: list[Value]) -> Value:
        if what == MAKE_FITTED:
            return fitted(self.program.shapes[of], values[0])
        if what == MAKE_JOINED:
            return "".join(values)
        if what == MAKE_CALLED:
            functions = self.program.functions
            return functions.call(tuple(functions.signatures)[of], values)
        if what == MAKE_FIELDS:
            return field_of(values[0], self.texts.value(of))
        if what == MAKE_LIST:
            return values
        if what == MAKE_OBJECT:
            return dict(zip(self.texts.value(of), values))
        return called(_MADE[what], values)

    def results(self, ended: list[tuple[int, int, Cells]], collect: int, answer: Cell) -> None:
        """M4.5: results in item order; with `collect` as `{ok, value, error}`."""

        def value(cell: Cell) -> Value:
            return self.texts.decode(cell.tag, cell.whole, cell.real)

        results: list[Value] = []
        for _, phase, (result, error_type, message) in sorted(ended, key=lambda each: each[0]):
            if not collect:
                results.append(value(result))
            elif phase == ITEM_DONE:
                results.append({"ok": True, "value": value(result), "error": None})
            else:
                error: Value = {"type": value(error_type), "message": value(message)}
                results.append({"ok": False, "value": None, "error": error})
        self.texts.encode(results, answer)
