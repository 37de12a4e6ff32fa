"""An `Instance` whose steps run the compiled kernel: rows go to arrays and back at every step."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from wfsim.semantics import layout, speed
from wfsim.semantics.compiled import step as compiled_step
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output

ORDER_QUESTION = 1 << 40


def to_array(rows: list[Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Rows as records of one array."""
    array = np.zeros(len(rows), dtype)
    for k, row in enumerate(rows):
        for field in fields(row):
            array[k][field.name] = getattr(row, field.name)
    return array


def from_array(array: np.ndarray[Any, Any], rows: list[Any]) -> None:
    """Write records back into the rows they came from."""
    for k, row in enumerate(rows):
        for field in fields(row):
            setattr(row, field.name, array[k][field.name].item())


class CompiledInstance(Instance):
    """Steps like `Instance`, at the other speed."""

    __slots__ = ("questions", "room")

    def __init__(self, *arguments: Any, room: int = 4, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.room = room
        self.questions = 0

    def _step(self) -> Output:
        answers: list[layout.Cell] = []
        rows = to_array(self.program.rows, speed.PROGRAM)
        while True:
            m, v = to_array(self.m, speed.MEMORY), to_array(self.v, speed.CELL)
            out = speed.new_outputs(self.room)
            out.tally["question"] = -1
            out.tally["n_answers"] = len(answers)
            for k, answer in enumerate(answers):
                for field in fields(answer):
                    out.answers[k][field.name] = getattr(answer, field.name)
            compiled_step.step(rows, m, v, out, 0)
            tally = out.tally[0]
            if tally["question"] >= 0:
                self.questions += 1
                answers.append(self._answer(tally, m, v))
            elif tally["full"]:
                self.room *= 2
                self.m.append(layout.Queued())
                self.v.extend(layout.Cell() for _ in range(self.program.head.n_fields))
                self.m[layout.FREE].first, self.m[-1].next = len(self.m) - 1, self.m[layout.FREE].first
                self.m[layout.FREE].length += 1
            else:
                break
        from_array(m, self.m)
        from_array(v, self.v)
        output = Output(self.host)
        for array, cls, target, n in (
            (out.records, layout.RecordRow, output.records, tally["records"]),
            (out.values, layout.ValueRow, output.values, tally["values"]),
            (out.effects, layout.EffectRow, output.effects, tally["effects"]),
        ):
            target.extend(cls() for _ in range(n))
            from_array(array, target)
        return output

    def _answer(self, tally: Any, m: Any, v: Any) -> layout.Cell:
        if tally["question"] == ORDER_QUESTION:
            return layout.Cell(layout.INTEGER, self.host.order(int(tally["left"]), int(tally["right"])))
        rows, cells = [type(row)() for row in self.m], [layout.Cell() for _ in self.v]
        from_array(m, rows)
        from_array(v, cells)
        answer = layout.Cell()
        self.host.evaluate(
            int(tally["question"]), rows, cells, 0, int(tally["private"]), int(tally["payload"]), answer
        )
        return answer
