"""The compiled calendar from Python: a run, what it asks for, and what it has logged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from os import PathLike
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from wfsim.errors import SimulationError, WfsimError
from wfsim.semantics import draws, dtypes, speed
from wfsim.semantics.announcing import announce_compiling
from wfsim.semantics.arrays import answer_of, from_array, n_asked, question_in, to_array
from wfsim.semantics.codes import NONE
from wfsim.semantics.evaluator import Evaluator
from wfsim.semantics.layout import Cell
from wfsim.semantics.program import Program
from wfsim.semantics.roots import Root
from wfsim.simulation import engine, relations
from wfsim.simulation.arriving import streams_of
from wfsim.simulation.compiled import (
    areas,
    arrivals,
    awaited,
    buffers,
    calendar,
    cases,
    checkpoint,
    columns,
    crews,
    events,
    families,
    kept,
    kernel,
    keys,
    layout,
    letters,
    log,
    returns,
    room,
    spots,
    stimuli,
    turns,
    workers,
)
from wfsim.simulation.compiled import draws as compiled_draws
from wfsim.simulation.compiled.draws import UNIQUES
from wfsim.simulation.compiled.host import Host, Seen, state_in
from wfsim.simulation.compiled.memory import Memory
from wfsim.simulation.compiled.tables import REASONS, Tables
from wfsim.simulation.instances import RunSummary, kept_told, open_told, rejections_told
from wfsim.simulation.interrupting import interrupts
from wfsim.simulation.plans import Member, members_of
from wfsim.simulation.relations import Birth
from wfsim.simulation.scenario import Scenario
from wfsim.simulation.traces import AskHistory, ask_nobody

CHUNK = 262_144
"""Records that are handed on at once."""
STEPS = 200_000
"""Between two looks at the keyboard, and words on the progress."""

_KERNEL = {"step": ("step", "step")}
_DRAW = {"draw": ("draws", "draw")}
_QUANTILES = "log", "exp", "power", "normal_quantile", "gamma_quantile"
_DRAWS = {name: ("quantiles", name) for name in _QUANTILES} | _DRAW
SIMULATE = Root(
    kernel.simulate,
    _KERNEL,
    {
        areas: {},
        arrivals: _DRAW | {"mix_key": ("draws", "mix_key")},
        awaited: {"work_with_clock": ("work", "work_with_clock")},
        calendar: {},
        cases: {},
        compiled_draws: _DRAWS,
        crews: _DRAW,
        events: _DRAW,
        families: {"admit": ("values", "admit"), "mix_key": ("draws", "mix_key")},
        kept: {},
        keys: {"evaluate": ("stack", "evaluate")},
        layout: {},
        letters: {"admit": ("values", "admit"), "mix_key": ("draws", "mix_key")},
        log: {},
        returns: {},
        room: {},
        spots: {},
        stimuli: {"admit": ("values", "admit")},
        turns: {},
        workers: _DRAW,
    },
)


class Chunk(NamedTuple):
    """Records in the order of their steps, the values that belong to them, and the cases that are finished with.

    Attributes
    ----------
    log, values, cases
        Rows of `layout.LOG`, `LOGGED_VALUE` and `CLOSED_CASE`; good until the sink returns, unless it returns true:
        then they are the sink's. A case comes once it is closed, or all is over.
    paths
        Rows of `layout.PATH`, all so far; the first is no path.
    """

    log: Any
    values: Any
    cases: Any
    paths: Any


Sink: TypeAlias = Callable[[Chunk], bool | None]
"""Takes a chunk; true if it keeps its arrays, so that the simulation goes on in others."""


class CompiledSimulation:
    """One replication of a scenario, as `engine.Simulation` would run it.

    Parameters
    ----------
    sink
        Takes what is logged, some `chunk` records at once.
    birth
        Called for each instance that others start, before its first step.
    ask_history
        Asks a history for arrivals, where a trace is a question to one.

    Attributes
    ----------
    progress
        As of `engine.Simulation`.
    """

    def __init__(
        self,
        program: Program,
        scenario: Scenario,
        *,
        replication: int = 0,
        sink: Sink,
        birth: Birth | None = None,
        ask_history: AskHistory = ask_nobody,
        chunk: int = CHUNK,
    ) -> None:
        self.sink = sink
        self.progress: engine.Progress | None = None
        self.summary = RunSummary()
        self._left: int | None = None
        self._is_left = False
        self.members: list[Member] = members_of(program, scenario, {})
        self._evaluators = [Evaluator(member.program, member.texts) for member in self.members]
        host = Host(self.members, self.summary, birth)
        tables = Tables(self.members, scenario, replication)
        self._writes = tables.writes
        run_key = draws.mix_key(scenario.seed, replication, 0)
        streams = streams_of(scenario, self.members, run_key, ask_history)
        most = relations.MOST_DEPTH, relations.MOST_RELATIVES, relations.MOST_AT_ONCE
        known = tables.known(streams, engine.MOST_STEPS, most)
        self._uniques = tables.uniques
        self.memory = Memory(known, self.members, scenario, len(tables.uniques), chunk)
        self._n_texts = len(self.members[0].texts)
        host.begin(self.memory, streams)
        self.host = host

    # --- what it asks for ------------------------------------------------------------------------

    def _answer(self) -> None:
        """Put a question to the host, and keep its answer for the step that is made again."""
        memory = self.memory
        state, outputs = memory.state, memory.outputs
        tally, number = outputs.tally[0], int(state["answers"])
        which = int(tally["owner"])
        program = self.members[which].program
        question = question_in(tally)
        cells = [Cell() for _ in range(n_asked(program, question))]
        from_array(outputs.cells, cells)
        answer = answer_of(program, self._evaluators[which], question, cells)
        if question.number >= speed.MADE_QUESTION:
            memory.keep_made(cells, answer)
            return
        if number >= len(outputs.answers):
            memory.more_answers()
        memory.outputs.answers[number : number + 1] = to_array([answer], dtypes.CELL)
        state["answers"] = number + 1

    def _make_uniques(self) -> None:
        """Texts and lists of their own for the next arrivals."""
        run, texts = self.memory.run, self.members[0].texts
        which = int(self.memory.state["stream"])
        row, known = run.streams[which], self.memory.known.streams[which]
        first = int(row["uniques_end"])
        end = (first - 1) // UNIQUES * UNIQUES + UNIQUES + 1
        for column in range(int(known["first_unique"]), int(known["first_unique"] + known["n_uniques"])):
            handles = texts.handles(self._uniques[column](range(first, end)))
            run.uniques[column * UNIQUES + (first - 1) % UNIQUES :][: end - first] = handles
        row["uniques_end"] = end

    def _flush(self) -> None:
        """Hand on what is logged."""
        self.host.tell_births()
        if self._writes:
            self.host.spell_messages()
        run, state = self.memory.run, self.memory.state
        n, values, cases = int(state["n_log"]), int(state["n_values"]), int(state["n_cases"])
        state["n_log"] = state["n_values"] = state["n_cases"] = 0
        if n or cases:
            paths = run.paths[: int(state["n_paths"]) + 1]
            if self.sink(Chunk(run.log[:n], run.values[:values], run.done[:cases], paths)):
                kept = {name: getattr(run, name) for name in ("log", "values", "done")}
                self.memory.replace(**{name: buffers.empty(len(each), each.dtype) for name, each in kept.items()})

    def _more_rows(self) -> None:
        memory = self.memory
        memory.more_rows(int(memory.run.cases[int(memory.state["slot"])]["member"]))

    def _more_output(self) -> None:
        self._flush()
        self.memory.more_output()

    # --- the run ---------------------------------------------------------------------------------

    @property
    def _arguments(self) -> tuple[Any, ...]:
        return self.memory.arguments

    @property
    def is_ready(self) -> bool:
        """Whether nothing need be compiled for it."""
        return (SIMULATE.is_loaded or SIMULATE.is_cached(self._arguments)) and columns.is_ready()

    def _given(self) -> str:
        """Tells this run from others."""
        digest = hashlib.sha256(speed.sources_digest().encode())
        for array in self.memory.known[:-1]:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def save(self, path: str | PathLike[str]) -> None:
        """Put a run that `run` has left on disk, to go on with it in another process.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        texts = self.members[0].texts.since(self._n_texts)
        state = {"of": self._given(), "texts": texts, "host": self.host.state()}
        arrays = {name: getattr(self.memory.run, name) for name in layout.Run._fields[:-1]}
        checkpoint.save(path, arrays, state)

    def restore(self, path: str | PathLike[str]) -> None:
        """Go on where a run of the same program, scenario and replication was when it was saved.

        Raises
        ------
        SimulationError
            If the file cannot be read, or is of another run.
        """
        dtypes = {name: getattr(self.memory.run, name).dtype for name in layout.Run._fields[:-1]}
        arrays, state = checkpoint.load(path, dtypes)
        if not isinstance(state, dict) or state.get("of") != self._given():
            raise SimulationError(f"{path}: a run of another workflow, scenario, replication or version of wfsim.")
        self.members[0].texts.handles(state["texts"])
        self.memory.restore(arrays)
        self.host.restore(state["host"])

    def run(self) -> RunSummary:
        """Run to the end; an interruption (Ctrl-C) ends it early, and the summary says so.

        Of what ends it with an error the sink has got all that had happened until then.
        """
        try:
            self.advance()
        except WfsimError:
            self._flush()
            self._sum_up()
            raise
        return self._sum_up()

    @property
    def now(self) -> int:
        """How far it has come, in microseconds."""
        return int(self.memory.state["now"])

    def advance(self, most_steps: int | None = None) -> bool:
        """Go on to the end, or for so many steps; returns whether it is over. `run` goes on after it."""
        summary, host, memory = self.summary, self.host, self.memory
        simulate = SIMULATE.ready(self._arguments, _compiling)
        # What makes columns of the log is compiled with what writes it.
        columns.make_ready()
        does: dict[int, Callable[[], None]] = {
            returns.FLUSH: self._flush,
            returns.ROWS: self._more_rows,
            returns.ANSWER: self._answer,
            returns.OUTPUT: self._more_output,
            returns.SLOTS: memory.more_slots,
            returns.TABLES: memory.more_tables,
            returns.UNIQUES: self._make_uniques,
            returns.SHIFTS: memory.more_shifts,
            returns.GIVEN_UP: self._give_up,
            returns.PAUSED: self._pause,
            returns.SUPPLY: host.supply,
            returns.FAILS: host.fails,
            returns.STANDS_STILL: host.stands_still,
            returns.FILL: host.fill,
            returns.REFUSES: host.refuse,
            returns.NAME: host.name,
            returns.ENDLESS: host.endless,
            returns.REASON: host.reason,
        }
        self._left, self._is_left = most_steps, False
        memory.state["budget"] = 0
        why = NONE
        with interrupts() as asked:
            while not (asked() or memory.full or self._is_left) and (
                (why := simulate(*self._arguments)) != returns.DONE
            ):
                does[why]()
                memory.catch_up()
        self._flush()
        if why != returns.DONE and not self._is_left:
            summary.complete, summary.interrupted = False, not memory.full
            summary.notes.append(memory.full or engine.INTERRUPTED)
        return not self._is_left

    def _pause(self) -> None:
        state = self.memory.state
        state["budget"] = STEPS
        if self._left is not None:
            state["budget"] = min(STEPS, self._left)
            self._is_left = self._left == 0
            self._left -= int(state["budget"])
        if self.progress is not None:
            arrived = self.summary.n_started + int(state["n_started"])
            self.progress(arrived + int(state["n_closed"]), int(state["end_time"]))

    def _give_up(self) -> None:
        row = self.memory.run.cases[int(self.memory.state["slot"])]
        self.summary.complete = False
        name = self.host.name_of(row)
        which = int(row["member"])
        left = Seen(self.members[which], self.memory.run, self.memory.run.areas[which])
        self.summary.notes.append(engine.given_up(name, left.state))

    def _sum_up(self) -> RunSummary:
        run, state, summary = self.memory.run, self.memory.state, self.summary
        summary.n_started += int(state["n_started"])
        summary.n_closed = int(state["n_closed"])
        summary.n_children = int(state["n_others"])
        summary.end_time = int(state["end_time"])
        rejected: dict[tuple[Member, int, int], int] = {}
        firsts = self.memory.known.members["first_row"].tolist()
        for place in np.flatnonzero(run.rejected).tolist():
            event, reason = divmod(place, REASONS)
            which = max(k for k, first in enumerate(firsts) if first + k <= event)
            rejected[self.members[which], event - firsts[which] - which - 1, reason] = int(run.rejected[place])
        summary.notes += rejections_told(rejected, int(state["n_sent"]), self.members[0])
        summary.notes += self.host.told()
        slots = np.flatnonzero(run.cases["open"]).tolist()
        stuck = self.memory.n_due == 0
        if stuck:
            cases = [run.cases[slot] for slot in slots]
            told = ((self._state_in(case), self.members[int(case["member"])]) for case in cases)
            summary.notes += open_told(told, self.members[0])
        for name, given, queue in zip(self.memory.scenario.pools, self.memory.known.pools, run.queues):
            if given["kept"]:
                end, most = summary.end_time, int(given["capacity"])
                held, waiting, since, time = (int(queue[key]) for key in ("held", "waiting", "held_since", "held_time"))
                summary.notes += kept_told(name, most, held, waiting, time + held * (end - since), end, stuck)
        if len(slots) > len(run.done):
            self.memory.replace(done=np.zeros(len(slots), layout.CLOSED_CASE))
        done = self.memory.run.done[: len(slots)]
        for name, of in (("case", "number"), *((same, same) for same in ("key", "started", "seq", "path", "member"))):
            done[name] = run.cases[of][slots]
        self.memory.state["n_cases"] = len(slots)
        self._flush()
        return summary

    def _state_in(self, row: Any) -> str:
        return state_in(self.members[int(row["member"])], self.memory, row)


def _compiling() -> None:
    announce_compiling("the simulator", "about half a minute")
