"""The compiled search from Python: its tables, what it asks for, and what it found as states and edges.

`flat_search.search` runs until it lacks something: the stimuli of a list that it meets for the first time, the answer
to a question that the step puts to its host, or room. What it found stays in arrays; snapshots and edges are made of
it when they are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar, overload

import numpy as np

from wfsim.semantics import dtypes, speed
from wfsim.semantics.arrays import Question, answer_of, from_array, question_in, to_array
from wfsim.semantics.codec import N_SCRATCH
from wfsim.semantics.codes import INBOX, NONE, RECORD_KINDS, RUNNING, RUNNING_STATUS
from wfsim.semantics.evaluator import Evaluator
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Host, Output
from wfsim.semantics.layout import ActivityRow, Cell, EventRow
from wfsim.semantics.possible import POSSIBILITY
from wfsim.semantics.program import Program
from wfsim.semantics.snapshot import Snapshot, add_spare_rows, longest_line
from wfsim.semantics.spread import Spread
from wfsim.semantics.stimulus import Stimulus
from wfsim.semantics.texts import Texts
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.workflows import flat_search as f
from wfsim.verification.workflows.byte_keys import Integers, Keys, new_keys
from wfsim.verification.workflows.candidates import Candidates, child_ends
from wfsim.verification.workflows.compiled_cache import compiled_search, decode, number_of, refill
from wfsim.verification.workflows.edges import TOLD, Edge
from wfsim.verification.workflows.erased import ErasedHost
from wfsim.verification.workflows.flat_search import REAL, TAG, WHOLE, Memory

STEPS = 20_000
"""Between two looks at the clock, and chances to interrupt: some hundredths of a second."""
_COLUMNS = {"event": f.TOLD_EVENT, "activity": f.TOLD_ACTIVITY, "to_state": f.TOLD_TARGET, "state": f.TOLD_STATE}
_PER_EDGE = ("target", "stimulus", "script", "what")
_PER_STATE = ("before", "ends")
_CANCEL = Stimulus("control", command="cancel")
T = TypeVar("T")


class _Door(Instance):
    """Takes a stimulus in and makes no step."""

    __slots__ = ()

    def _run(self) -> Output:
        return Output(self.host)


class Lazy(Sequence[T]):
    """A sequence whose elements are made when they are looked at."""

    def __init__(self, n: int, make: Callable[[int], T]) -> None:
        self._n = n
        self._make = make

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._make(k) for k in range(*index.indices(self._n))]
        if not -self._n <= index < self._n:
            raise IndexError(f"there are {self._n:,}, numbered from 0; {index} was asked for.")
        return self._make(index % self._n)


class CompiledSearch:
    """Goes on from states that are known, of which the first are expanded.

    Parameters
    ----------
    snapshots, edges, before
        What was found so far: all states, the edges of those that are expanded, and by which edge each was found.
    """

    def __init__(
        self,
        program: Program,
        texts: Texts,
        candidates: Candidates,
        snapshots: Sequence[Snapshot],
        edges: Sequence[list[Edge]],
        before: Sequence[tuple[int, Edge]],
        n_expanded: int,
    ) -> None:
        self.program = program
        self.texts = texts
        self.erased = ErasedHost(program, texts) if program.erased else None
        self.host: Host = Evaluator(program, texts) if self.erased is None else self.erased
        self.candidates = candidates
        self._first_snapshots = snapshots
        self._first_edges = edges
        self._first_before = before
        self._n_first = n_expanded
        self._spread = Spread(texts)
        self._templates: list[Stimulus] = []
        self._payloads: list[Cell] = []
        self._spare, self._outputs = 16, 64
        self._state = np.zeros(f.N_STATE, np.int64)
        self._state[f.AT] = n_expanded
        self._known = self._new_known()
        first = program.head.first_timer
        self._add_templates([Stimulus("timer", timer=first), Stimulus("activity_started"), _CANCEL])
        self._work = self._new_work()
        self._found = self._new_found()
        self._edges: dict[int, Edge] = {}
        self._stimuli: dict[int, Stimulus] = {}
        self._happened: dict[int, tuple[tuple[int, int], ...]] = {}

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the compiled function is called with."""
        return self._known, self._work, self._found, self._state

    # --- tables ----------------------------------------------------------------------------------

    def _new_known(self) -> f.Known:
        program = self.program
        told = np.zeros(len(RECORD_KINDS), np.int64)
        for kind, column in TOLD.items():
            told[kind] = _COLUMNS[column]
        choices, choice = [Cell()], [0]
        if self.erased is not None:
            for number in range(len(program.host)):
                choices[choice[-1] :] = [Cell(tag, whole) for tag, whole in self.erased.choices(number)]
                choice.append(len(choices))
        n_lists = 2 * (len(program.rows) + f.N_LISTS)
        return f.Known(
            p=to_array(program.rows, dtypes.PROGRAM),
            fresh=self._fresh(),
            told=told,
            inboxes=np.zeros((0, dtypes.MEMORY.itemsize // 8), np.int64),
            payloads=np.zeros((0, 3), np.int64),
            first=np.full(n_lists, NONE, np.int64),
            end=np.zeros(n_lists, np.int64),
            answers=to_array([Cell()], dtypes.CELL),
            choices=to_array(choices, dtypes.CELL),
            choice=np.array(choice if self.erased is not None else [], np.int64),
        )

    def _fresh(self) -> Memory:
        """An instance before its start, with free rows for what will wait in it."""
        instance = Instance(self.program, texts=self.texts)
        add_spare_rows(instance, self._spare)
        return _memory(to_array(instance.m, dtypes.MEMORY), to_array(instance.v, dtypes.CELL))

    def _new_work(self) -> f.Work:
        head = self.program.head
        fresh = self._known.fresh
        rows, cells = len(fresh.m), len(fresh.v)
        o = speed.new_outputs(
            self._outputs,
            answers=self._outputs,
            cells=head.n_variables + head.n_fields + speed.PER_ITEM * self._spare,
            spread=self._spread.arrays,
        )
        # More than any line, list of possibilities, question, or list of what happened has.
        n_words = longest_line(rows, cells) + POSSIBILITY * (3 * rows + head.n_events) + 3 * len(o.cells)
        n_words += 2 * self._outputs + 64
        return f.Work(
            memory=_memory(fresh.m.copy(), fresh.v.copy()),
            base=_memory(fresh.m.copy(), fresh.v.copy()),
            o=o,
            o_cells=o.cells.view(np.int64).reshape(-1, 3),
            scratch=np.zeros(N_SCRATCH * rows, np.int64),
            words=np.zeros(n_words, np.int64),
            key=np.zeros(10 * n_words, np.uint8),
            stimuli=np.zeros((256, 3), np.int64),
            script=np.zeros(self._outputs, np.int64),
            asked=np.zeros(self._outputs, np.int64),
        )

    def _new_found(self) -> f.Found:
        states = new_keys(1 << max(10, len(self._first_snapshots).bit_length()))
        rows = len(self.program.rows)
        return f.Found(
            states=states,
            happened=new_keys(256),
            stimuli=new_keys(256),
            scripts=new_keys(256),
            questions=new_keys(256),
            failures=new_keys(256),
            failure_edge=np.zeros(256, np.int64),
            before=np.zeros(len(states.hashes), np.int64),
            ends=np.zeros(len(states.hashes), np.int64),
            target=np.zeros(4_096, np.int32),
            stimulus=np.zeros(4_096, np.int32),
            script=np.zeros(4_096, np.int32),
            what=np.zeros(4_096, np.int32),
            taken=np.full(rows, NONE, np.int64),
            reached=np.full(rows, NONE, np.int64),
            aborted=np.full(rows, NONE, np.int64),
        )

    def _add_first_states(self) -> None:
        for snapshot in self._first_snapshots:
            words = np.array(snapshot, np.int64)
            key = np.zeros(10 * len(words), np.uint8)
            while number_of(self._found.states, words, len(words), key) < 0:
                self._found = _grown(self._found, 0)

    # --- what the search asks for ----------------------------------------------------------------

    def _add_list(self, which: int) -> None:
        """Make the templates of a list."""
        rows = self.program.rows
        of_children = len(rows) + f.N_LISTS
        stimuli: Iterable[Stimulus]
        if which >= of_children:
            stimuli = child_ends(self._results(which - of_children))
        elif which < len(rows) and isinstance(rows[which], EventRow):
            name = self.program.name(which) or ""
            stimuli = (Stimulus("event", event=name, payload=payload) for payload in self.candidates.payloads(name))
        elif which < len(rows) and isinstance(rows[which], ActivityRow):
            stimuli = (
                Stimulus("activity_failed", error_type=error_type, message=message)
                for error_type, message in self.candidates.errors(which)
            )
        else:
            stimuli = (Stimulus("activity_succeeded", result=result) for result in self._results(which))
        self._known.first[which] = len(self._templates)
        self._add_templates(stimuli, which)
        self._known.end[which] = len(self._templates)

    def _results(self, which: int) -> list[Any]:
        n = len(self.program.rows)
        if which == n + f.UNNAMED:
            return [None]
        return self.candidates.results(NONE if which == n + f.RESULTS else which)

    def _add_templates(self, stimuli: Iterable[Stimulus], activity: int = NONE) -> None:
        """Let stimuli in at the door, and keep what then lies in the inbox."""
        head = self.program.head
        door = _Door(self.program, texts=self.texts)
        door.m[0].status = RUNNING_STATUS
        # Whose failure it is that may be final.
        work = door.m[head.first_work]
        work.phase, work.activity, work.serial = RUNNING, activity, 0
        inboxes, payloads = [], []
        for stimulus in stimuli:
            door.apply(replace(stimulus, activity_id=0, timer_id=0))
            if door.m[INBOX].refused >= 0:
                # Turned away, which no state notices.
                continue
            self._templates.append(stimulus)
            inboxes.append(door.m[INBOX])
            payloads += [replace(cell) for cell in door.v[head.inbox_cells :][: head.n_fields]]
        if inboxes:
            more, cells = to_array(inboxes, dtypes.MEMORY), to_array(payloads, dtypes.CELL) if payloads else None
            self._known = self._known._replace(
                inboxes=np.concatenate([self._known.inboxes, _words(more)]),
                payloads=self._known.payloads
                if cells is None
                else np.concatenate([self._known.payloads, _words(cells)]),
            )

    def _add_answer(self, number: int) -> None:
        """Put a question to the host, and keep its answer."""
        words = self._line(self._found.questions, number)
        rest = np.array(words[f.QUESTION :], np.int64).reshape(-1, 3)
        lines = np.zeros((len(rest), 3), np.int64)
        lines[:, [TAG, WHOLE, REAL]] = rest
        cells = [Cell() for _ in rest]
        from_array(lines.view(dtypes.CELL).reshape(-1), cells)
        answer = answer_of(self.program, self.host, Question(*words[: f.QUESTION]), cells)
        answers = self._known.answers
        if number >= len(answers):
            answers = np.concatenate([answers, np.zeros(len(answers), dtypes.CELL)])
            self._known = self._known._replace(answers=answers)
        answers[number : number + 1] = to_array([answer], dtypes.CELL)
        self._state[f.ANSWERED] = number + 1

    def _add_made(self) -> None:
        """Let the value be made that the step asks for, and keep it."""
        tally = self._work.o.tally[0]
        question = question_in(tally)
        cells = [Cell() for _ in range(question.right)]
        from_array(self._work.o.cells, cells)
        answer = answer_of(self.program, self.host, question, cells)
        step = tuple(int(self._state[which]) for which in (f.AT, f.STIMULUS, f.SCRIPT))
        if self._spread.keep(tally, cells, answer, step):
            self._respread()

    def _respread(self) -> None:
        o = speed.outputs_of(*self._work.o[:6], *self._spread.arrays)
        self._work = self._work._replace(o=o)

    def _make_room(self) -> None:
        """More rows for an instance, more output for a step, or more stimuli in a state."""
        self._state[f.PREPARED] = 0
        n = int(self._state[f.STIMULI])
        if n > len(self._work.stimuli):
            self._work = self._work._replace(stimuli=np.zeros((2 * n, 3), np.int64))
            return
        stimuli, script = self._work.stimuli, self._work.script
        self._spare *= 2
        self._outputs *= 2
        self._known = self._known._replace(fresh=self._fresh())
        self._work = self._new_work()._replace(stimuli=stimuli)
        self._work.script[: len(script)] = script

    # --- the search ------------------------------------------------------------------------------

    def run(self, max_states: int, limits: Limits = UNLIMITED) -> str:
        """Go on until no state is new, or a limit is reached: which one, `states` or `seconds`; else nothing."""
        state = self._state
        state[f.MAX_STATES] = max_states
        self._add_first_states()
        search = compiled_search(self.arguments)
        while True:
            state[f.BUDGET] = STEPS
            why = search(*self.arguments)
            if why == f.DONE:
                return ""
            if why == f.FULL:
                return "states"
            if limits.late:
                return "seconds"
            if why == f.LIST:
                self._add_list(int(state[f.LACKING]))
            elif why == f.ANSWER:
                self._add_answer(int(state[f.LACKING]))
            elif why == f.MADE:
                self._add_made()
            elif why == f.ROOM:
                self._make_room()
            elif why == f.GROW:
                self._found = _grown(self._found, int(state[f.EDGES]))
            if self._spread.catch_up():
                self._respread()

    # --- what was found --------------------------------------------------------------------------

    @property
    def n_expanded(self) -> int:
        """How many states have all their edges."""
        return int(self._state[f.AT])

    @property
    def n_edges(self) -> int:
        """Edges of expanded states, without those that were known before."""
        return self._span(self.n_expanded - 1)[1]

    @property
    def _n_states(self) -> int:
        return max(len(self._first_snapshots), int(self._found.states.size[0]))

    def snapshots(self) -> Sequence[Snapshot]:
        """All states; each is decoded when it is looked at, in some hundredths of a millisecond."""
        return Lazy(self._n_states, self._snapshot)

    def edges(self) -> Sequence[list[Edge]]:
        """The edges of each state; an edge is made once."""
        return Lazy(self._n_states, self._edges_of)

    def before(self) -> Sequence[tuple[int, Edge]]:
        """The state and edge by which each state was found."""
        return Lazy(self._n_states, self._before)

    def status(self, number: int) -> int:
        """The first word of a state's line."""
        if number < len(self._first_snapshots):
            return int(self._first_snapshots[number][0])
        # Statuses are small, so that one byte holds twice the word.
        return int(self._found.states.data[self._found.states.start[number]]) // 2

    def targets(self, number: int) -> Iterable[int]:
        """Where the edges of a state lead."""
        if number < self._n_first:
            return [edge.target for edge in self._first_edges[number]]
        if number >= self.n_expanded:
            return []
        ends, target = self._plain
        return target[ends[number - 1] if number > 0 else 0 : ends[number]]

    @cached_property
    def _plain(self) -> tuple[list[int], list[int]]:
        """Ends and targets of edges as lists, which are quicker to read one by one; asked for after the search."""
        return self._found.ends[: self.n_expanded].tolist(), self._found.target[: self._state[f.EDGES]].tolist()

    def firsts(self, which: str) -> Iterator[tuple[int, tuple[int, Edge]]]:
        """For each row that was `taken`, `reached` or `aborted` a first state and edge that did it."""
        edges = getattr(self._found, which)
        for row in np.flatnonzero(edges >= 0).tolist():
            yield row, self._place(int(edges[row]))

    def failures(self) -> Iterator[tuple[tuple[int, str], tuple[int, Edge]]]:
        """Closed state and reason, and a first state and edge that lead there."""
        for number in range(int(self._found.failures.size[0])):
            target, reason = self._line(self._found.failures, number)
            yield (target, self.texts.text(reason) or ""), self._place(int(self._found.failure_edge[number]))

    def _line(self, keys: Keys, number: int) -> list[int]:
        n = decode(keys, number, self._work.words)
        found: list[int] = self._work.words[:n].tolist()
        return found

    def _snapshot(self, number: int) -> Snapshot:
        if number < len(self._first_snapshots):
            return self._first_snapshots[number]
        return tuple(self._line(self._found.states, number))

    def _span(self, number: int) -> tuple[int, int]:
        """The edges of a state: from, to."""
        if not self._n_first <= number < self.n_expanded:
            return 0, 0
        first = self._found.ends[number - 1] if number > 0 else 0
        return int(first), int(self._found.ends[number])

    def _edges_of(self, number: int) -> list[Edge]:
        if number < self._n_first:
            return self._first_edges[number]
        return [self._edge(k) for k in range(*self._span(number))]

    def _before(self, number: int) -> tuple[int, Edge]:
        if number < len(self._first_before):
            return self._first_before[number]
        return self._place(int(self._found.before[number]))

    def _place(self, k: int) -> tuple[int, Edge]:
        """The state that an edge leaves, and the edge."""
        return int(np.searchsorted(self._found.ends[: self.n_expanded], k, "right")), self._edge(k)

    def _edge(self, k: int) -> Edge:
        if k not in self._edges:
            found = self._found
            script = tuple(self._line(found.scripts, int(found.script[k])))
            target, what = int(found.target[k]), int(found.what[k])
            self._edges[k] = Edge(self._stimulus(int(found.stimulus[k])), script, target, self._records(what))
        return self._edges[k]

    def _records(self, number: int) -> tuple[tuple[int, int], ...]:
        if number not in self._happened:
            words = self._line(self._found.happened, number)
            self._happened[number] = tuple(zip(words[::2], words[1::2]))
        return self._happened[number]

    def _stimulus(self, number: int) -> Stimulus:
        if number not in self._stimuli:
            template, what, which = self._line(self._found.stimuli, number)
            stimulus = self._templates[template]
            if stimulus.kind == "timer":
                stimulus = replace(stimulus, timer=what, timer_id=which)
            elif stimulus.kind == "child_closed":
                stimulus = replace(stimulus, activity_id=what)
            elif stimulus.kind.startswith("activity_"):
                stimulus = replace(stimulus, activity_id=what, attempt=which)
            self._stimuli[number] = stimulus
        return self._stimuli[number]


def _words(records: Any) -> Integers:
    words: Integers = records.view(np.int64).reshape(len(records), -1)
    return words


def _memory(m: Any, v: Any) -> Memory:
    return Memory(m, _words(m), v, _words(v))


def _grown(found: f.Found, edges: int) -> f.Found:
    """The same with twice the room in each table that is more than half full; what was full is among them."""
    more: dict[str, Any] = {}
    for name in ("states", "happened", "stimuli", "scripts", "questions", "failures"):
        keys = getattr(found, name)
        n = int(keys.size[0])
        if 2 * n > len(keys.hashes):
            keys = keys._replace(
                start=_longer(keys.start), hashes=_longer(keys.hashes), slots=np.zeros(2 * len(keys.slots), np.int32)
            )
            refill(keys)
        if 2 * int(keys.start[n]) > len(keys.data):
            keys = keys._replace(data=_longer(keys.data))
        more[name] = keys
    for name, n in (
        *((name, len(more["states"].hashes)) for name in _PER_STATE),
        ("failure_edge", len(more["failures"].hashes)),
    ):
        if len(getattr(found, name)) < n:
            more[name] = _longer(getattr(found, name))
    if 2 * edges > len(found.target):
        more |= {name: _longer(getattr(found, name)) for name in _PER_EDGE}
    return found._replace(**more)


def _longer(array: Any) -> Any:
    return np.concatenate([array, np.zeros_like(array)])
