"""An `Instance` whose steps run the compiled kernel: rows go to arrays and back at every step."""

from __future__ import annotations

from typing import Any

import numpy as np

from wfsim.semantics import codes, dtypes, layout, roots, speed
from wfsim.semantics.arrays import answer_of, from_array, n_asked, question_in, to_array
from wfsim.semantics.evaluator import Evaluator
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.program import Program
from wfsim.semantics.spread import Spread
from wfsim.semantics.texts import Texts


class _Spreading(Evaluator):
    """Gives handles to what is in a value as soon as there is a new one, as one does who spreads values out."""

    def __init__(self, program: Program, texts: Texts) -> None:
        super().__init__(program, texts)
        self.values = Spread(texts)

    def evaluate(self, *arguments: Any) -> None:
        super().evaluate(*arguments)
        self.values.catch_up()

    def make(self, *arguments: Any) -> None:
        super().make(*arguments)
        self.values.catch_up()

    def results(self, *arguments: Any) -> None:
        super().results(*arguments)
        self.values.catch_up()


class PlainInstance(Instance):
    """The interpreted step, with the handles that values have where they are spread out for a compiled one."""

    __slots__ = ("spreading",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.spreading = _Spreading(self.program, self.texts)
        self.host = self.spreading

    def _run(self) -> Output:
        self.spreading.values.catch_up()
        return super()._run()


def lasting(program: Program, m: list[Any], v: list[layout.Cell]) -> tuple[list[Any], list[layout.Cell]]:
    """Rows and cells that last from one step to the next: all but those of the inbox."""
    first, end = program.head.inbox_cells, program.head.inbox_cells + program.head.n_fields
    return m[: codes.INBOX] + m[codes.INBOX + 1 :], v[:first] + v[end:]


class CompiledInstance(Instance):
    """Steps like `Instance`, at the other speed.

    `room` is the number of records, values and effects a step may put out before it has to be repeated with more;
    `questions` counts how often a step was repeated with an answer.
    """

    __slots__ = ("cells", "memory", "questions", "room", "rows", "spread")

    def __init__(self, *arguments: Any, room: int = 4, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.room = room
        self.questions = 0
        self.cells = 1
        self.spread = Spread(self.texts)
        self.rows = to_array(self.program.rows, dtypes.PROGRAM)
        # Rows behind the fixed ones are of the class that was last made of them, which an array does not tell.
        self.memory = to_array(self.m, dtypes.MEMORY)

    def lasts_like(self, other: Instance) -> tuple[list[Any], list[layout.Cell]]:
        """What `lasting` is of another instance, which has rows of the same classes."""
        return lasting(self.program, self.rows_like(other), self.v)

    def rows_like(self, other: Instance) -> list[Any]:
        """The memory, read as rows of the same classes as another's."""
        rows = [type(row)() for row in other.m]
        from_array(self.memory, rows)
        return rows

    def works(self) -> list[layout.WorkCell]:
        """As `Instance.works`; the rows of items are read as what they are."""
        head = self.program.head
        works: list[layout.WorkCell] = self.m[head.first_work : head.first_work + head.n_works]
        items, k = [], self.m[codes.ITEMS].first
        while k >= 0:
            items.append(layout.WorkCell())
            from_array(self.memory[k : k + 1], items[-1:])
            k = items[-1].next
        return works + items[::-1]

    def _run(self) -> Output:
        answers: list[layout.Cell] = []
        while True:
            m, v = self._memory(), to_array(self.v, dtypes.CELL)
            head = self.program.head
            self.spread.catch_up()
            out = speed.new_outputs(self.room, cells=max(self.cells, head.n_variables + head.n_fields))
            given = to_array([*answers, layout.Cell()], dtypes.CELL)
            out = speed.outputs_of(*out[:4], given, out.cells, *self.spread.arrays)
            out.tally["n_answers"] = len(answers)
            roots.step(self.rows, m, v, out, 0)
            tally = out.tally[0]
            if tally["question"] >= 0:
                self.questions += 1
                question = question_in(tally)
                cells = [layout.Cell() for _ in range(n_asked(self.program, question))]
                from_array(out.cells, cells)
                answer = answer_of(self.program, self.host, question, cells)
                if question.number >= speed.MADE_QUESTION:
                    self.spread.keep(tally, cells, answer, (self.me.seq, self.questions))
                else:
                    answers.append(answer)
            elif tally["full"] and tally["wanted"]:
                self.cells = int(tally["wanted"])
            elif tally["full"]:
                self._more_room(max(tally["records"], tally["values"], tally["effects"]) >= self.room)
            else:
                break
        self.memory = m
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

    def _memory(self) -> np.ndarray[Any, Any]:
        """The fixed rows as they are now, the others as the last step left them, new ones free."""
        fixed = self.program.head.first_queued + 1
        known = max(fixed, len(self.memory))
        memory = np.zeros(len(self.m), dtypes.MEMORY)
        words, width = memory.view(np.int64).reshape(len(memory), -1), dtypes.MEMORY.itemsize // 8
        words[:fixed] = to_array(self.m[:fixed], dtypes.MEMORY).view(np.int64).reshape(-1, width)
        words[fixed:known] = self.memory[fixed:].copy().view(np.int64).reshape(-1, width)
        words[known:] = to_array(self.m[known:], dtypes.MEMORY).view(np.int64).reshape(-1, width)
        return memory

    def _more_room(self, of_output: bool) -> None:
        if of_output:
            self.room *= 2
            return
        # The queue: one row more, free behind the others, so that it is taken when `grow` gives it at the other speed.
        self.m.append(layout.Queued())
        self.v.extend(layout.Cell() for _ in range(self.program.head.n_fields))
        free = self.m[codes.FREE]
        free.length += 1
        if free.first < 0:
            free.first = len(self.m) - 1
            return
        last = free.first
        while self._memory()[last]["next"] >= 0:
            last = int(self._memory()[last]["next"])
        if last < len(self.memory):
            self.memory[last]["next"] = len(self.m) - 1
        else:
            self.m[last].next = len(self.m) - 1
