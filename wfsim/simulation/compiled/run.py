"""The compiled calendar from Python: its tables, what it asks for, and what it has logged."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from wfsim.model.duration import Duration
from wfsim.semantics import draws, speed
from wfsim.semantics.announcing import announce_compiling
from wfsim.semantics.arrays import Question, answer_of, from_array, n_asked, to_array
from wfsim.semantics.codes import FREE, NONE
from wfsim.semantics.evaluator import Evaluator
from wfsim.semantics.layout import Cell, Queued
from wfsim.semantics.program import Program
from wfsim.semantics.roots import Root
from wfsim.simulation import engine
from wfsim.simulation.compiled import calendar, events, kernel, layout, log, workers
from wfsim.simulation.compiled import draws as compiled_draws
from wfsim.simulation.compiled.draws import UNIQUES
from wfsim.simulation.compiled.tables import REASONS, Tables, covered
from wfsim.simulation.instances import RunSummary, open_told, rejections_told
from wfsim.simulation.plans import Member, members_of
from wfsim.simulation.scenario import Scenario

CHUNK = 262_144
"""Records that are handed on at once."""
SPARE_ROWS = 4
"""Rows of each instance for what waits in it, to begin with."""
MOST_MEMORY = 2**33
"""Bytes that instances in flight may take."""
SLOTS, ENTRIES = 64, 4_096
"""Room for instances, and rows in the tables beside, to begin with."""
STEPS = 200_000
"""Between two looks at the keyboard, and words on the progress."""

_KERNEL = {
    "step": ("step", "step"),
    "work_with_clock": ("work", "work_with_clock"),
    "draw": ("draws", "draw"),
    "mix_key": ("draws", "mix_key"),
}
_DRAW = {"draw": ("draws", "draw")}
_DRAWS = {name: ("quantiles", name) for name in ("log", "exp", "power", "normal_quantile")} | _DRAW
SIMULATE = Root(
    kernel.simulate,
    _KERNEL,
    {calendar: {}, compiled_draws: _DRAWS, events: _DRAW, layout: {}, log: {}, workers: _DRAW},
)


class Chunk(NamedTuple):
    """Records in the order of their steps, the values that belong to them, and the cases that are finished with.

    Attributes
    ----------
    log, values, cases
        Rows of `layout.LOG`, `LOGGED_VALUE` and `CLOSED_CASE`; good until the next chunk is asked for. A case comes
        once it is closed, or all is over.
    paths
        Rows of `layout.PATH`, all so far; the first is no path.
    """

    log: Any
    values: Any
    cases: Any
    paths: Any


Sink: TypeAlias = Callable[[Chunk], None]


class CompiledSimulation:
    """One replication of a scenario, as `engine.Simulation` would run it.

    Raises
    ------
    NotCovered
        Naming what it leaves to that one.
    """

    def __init__(
        self,
        program: Program,
        scenario: Scenario,
        *,
        replication: int = 0,
        sink: Sink,
        progress: Callable[[int], None] | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self.scenario = scenario
        self.sink = sink
        self.progress = progress
        self.summary = RunSummary()
        members = members_of(program, scenario, {})
        covered(members[0], members)
        self.member: Member = members[0]
        self.host = Evaluator(program, self.member.texts)
        self._stopped = ""
        run_key = draws.mix_key(scenario.seed, replication, 0)
        tables = Tables(self.member, scenario, run_key, replication)
        self._uniques = tables.uniques
        self.known = tables.known(SPARE_ROWS)
        self.known.settings["most_steps"] = engine.MOST_STEPS
        self._outputs = speed.new_outputs(1_024, cells=1_024)
        self.run_tables = self._new_run(chunk)
        self._set_rooms()

    # --- tables ----------------------------------------------------------------------------------

    def _new_run(self, chunk: int) -> layout.Run:
        given = self.known.settings[0]
        slots, rows, cells = SLOTS, int(given["rows"]), int(given["cells"])
        zeros = np.zeros
        run = layout.with_table(
            layout.Run,
            {
                "state": zeros(1, layout.STATE),
                "now": zeros(1, layout.HAPPENING),
                "heap": _aligned(ENTRIES + calendar.ROOT),
                "entries": _free(zeros(ENTRIES, layout.HAPPENING)),
                "cases": _free(zeros(slots, layout.CASE)),
                "m": zeros(slots * rows, speed.MEMORY),
                "v": zeros(slots * cells, speed.CELL),
                "kept_m": zeros(rows, speed.MEMORY),
                "kept_v": zeros(cells, speed.CELL),
                "stays": zeros(slots * int(given["n_regions"]), layout.STAY),
                "attempts": _free(zeros(ENTRIES, layout.ATTEMPT)),
                "tracks": _free(zeros(ENTRIES, layout.TRACK)),
                "queues": zeros(max(1, int(given["n_pools"])), layout.QUEUE),
                "queued": zeros(max(1, int(given["n_pools"])) * ENTRIES, layout.QUEUED),
                "log": zeros(chunk + 4_096, layout.LOG),
                "values": zeros(chunk + 4_096, layout.LOGGED_VALUE),
                "done": zeros(chunk + 1, layout.CLOSED_CASE),
                "paths": zeros(2 * ENTRIES, layout.PATH),
                "places": zeros(1 << (4 * ENTRIES - 1).bit_length(), np.int32),
                "rejected": zeros((len(self.known.p) + 1) * REASONS, np.int64),
                "uniques": zeros(max(1, len(self._uniques)) * UNIQUES, np.int64),
            },
        )
        state = run.state[0]
        state["uniques_end"] = 1
        return run

    def _set_rooms(self) -> None:
        """Tell how much fits where."""
        run, state = self.run_tables, self.run_tables.state[0]
        state["log_room"] = len(run.log)
        state["value_room"] = len(run.values)
        state["case_room"] = len(run.done)
        state["heap_room"] = len(run.entries)
        state["attempt_room"] = len(run.attempts)
        state["track_room"] = len(run.tracks)
        state["queue_room"] = len(run.queued) // len(run.queues)
        state["path_room"] = len(run.paths) - 1
        state["path_places"] = len(run.places)
        outputs = self._outputs
        state["output_room"] = min(len(outputs.records), len(outputs.values), len(outputs.effects))

    def _replace(self, **arrays: Any) -> None:
        kept = self.run_tables._asdict()
        kept.pop("table")
        self.run_tables = layout.with_table(layout.Run, kept | arrays)
        self._set_rooms()

    def _stop_crowded(self, what: str) -> None:
        """Stop, since more instances are open than there can be, and say which pool they wait for."""
        run, state = self.run_tables, self.run_tables.state[0]
        n_open, now = int(run.cases["open"].sum()), Duration(int(state["now"]))
        told = f"The run was stopped at {now}: {what}, {n_open:,} cases open."
        names = list(self.scenario.pools)
        if names:
            most = int(run.queues["waiting"][: len(names)].argmax())
            busy, waiting = int(run.queues[most]["busy"]), int(run.queues[most]["waiting"])
            told += (
                f" Pool {names[most]!r} has {busy:,} of {self.scenario.pools[names[most]].capacity:,} workers busy and "
                f"{waiting:,} attempts waiting."
            )
        self._stopped = f"{told} Give more workers, let less arrive, or set a horizon."

    def _more_slots(self) -> None:
        run = self.run_tables
        n = len(run.cases)
        if 2 * (run.m.nbytes + run.v.nbytes) > MOST_MEMORY:
            self._stop_crowded(f"instances take more than {MOST_MEMORY / 2**31:,.1f} GiB")
            return
        cases = _joined(run.cases, _free(np.zeros(n, layout.CASE), n))
        run.state["free_slot"] = n
        self._replace(
            cases=cases,
            m=_longer(run.m),
            v=_longer(run.v),
            stays=_longer(run.stays),
        )

    def _more_tables(self) -> None:
        """Twice the room in each table that may be too small for what follows this step (`kernel.has_room`)."""
        run, state, tally = self.run_tables, self.run_tables.state[0], self._outputs.tally[0]
        n_more = int(tally["records"] + tally["effects"]) + 8
        more: dict[str, Any] = {}
        if state["n_heap"] + n_more > state["heap_room"]:
            n = len(run.entries)
            if 2 * n > calendar.MOST_ENTRIES:
                self._stop_crowded(f"more than {n:,} events, timers and reports are due")
                return
            more["heap"] = _aligned(2 * n + calendar.ROOT)
            more["heap"][: len(run.heap)] = run.heap
            more["entries"] = _joined(run.entries, _free(np.zeros(n, layout.HAPPENING), n))
            more["entries"]["next"][-1] = state["free_entry"]
            state["free_entry"] = n
        for name, free, used in (("attempts", "free_attempt", "n_attempts"), ("tracks", "free_track", "n_tracks")):
            table = getattr(run, name)
            if state[used] + n_more > len(table):
                n = len(table)
                rows = _joined(table, _free(np.zeros(n, table.dtype), n))
                rows["next"][-1] = state[free]
                state[free] = n
                more[name] = rows
        if run.queues["n"].max() + n_more > state["queue_room"]:
            room, n = int(state["queue_room"]), len(run.queues)
            queued = np.zeros((n, 2 * room), layout.QUEUED)
            queued[:, :room] = run.queued.reshape(n, room)
            more["queued"] = queued.reshape(-1)
        if state["n_paths"] + n_more > state["path_room"]:
            more["paths"], more["places"] = _longer(run.paths), np.zeros(2 * len(run.places), np.int32)
            _place_paths(more["paths"], int(state["n_paths"]), more["places"])
        self._replace(**more)

    def _more_rows(self) -> None:
        """Twice the spare rows for every instance."""
        run, known = self.run_tables, self.known
        given = known.settings[0]
        rows, cells, slots = int(given["rows"]), int(given["cells"]), len(run.cases)
        head = self.member.program.head
        spare = rows - head.first_queued - 1
        fields = head.n_fields
        blank = to_array([Queued()], speed.MEMORY)[0]

        def longer(m: Any, v: Any, i: int) -> tuple[Any, Any]:
            new = _joined(m[i * rows : (i + 1) * rows], np.zeros(spare, speed.MEMORY))
            for k in range(rows, rows + spare):
                new[k] = blank
                new[k]["next"] = k + 1
            new[rows + spare - 1]["next"] = new[FREE]["first"]
            new[FREE]["first"] = rows
            new[FREE]["length"] += spare
            return new, _joined(v[i * cells : (i + 1) * cells], np.zeros(spare * fields, speed.CELL))

        m, v = zip(*(longer(run.m, run.v, i) for i in range(slots)))
        for i in range(slots):
            m[i][0]["cells"] = i * (cells + spare * fields)
        fresh_m, fresh_v = longer(known.m, known.v, 0)
        kept_m, kept_v = longer(run.kept_m, run.kept_v, 0)
        kept_m[0]["cells"] = int(run.state["slot"][0]) * (cells + spare * fields)
        given["rows"], given["cells"] = rows + spare, cells + spare * fields
        held = known._asdict()
        held.pop("table")
        self.known = layout.with_table(layout.Known, held | {"m": fresh_m, "v": fresh_v})
        self._replace(m=_joined(*m), v=_joined(*v), kept_m=kept_m, kept_v=kept_v)

    def _more_output(self) -> None:
        old = self._outputs
        wanted = max(2 * len(old.cells), int(old.tally[0]["wanted"]))
        new = speed.new_outputs(2 * len(old.records), answers=len(old.answers), cells=wanted)
        new.answers[:] = old.answers
        self._outputs = new
        if len(new.records) > len(self.run_tables.log) // 2:
            self._flush()
            self._replace(log=_longer(self.run_tables.log), values=_longer(self.run_tables.values))
        self._set_rooms()

    # --- what it asks for ------------------------------------------------------------------------

    def _answer(self) -> None:
        """Put a question to the host, and keep its answer for the step that is made again."""
        state, outputs = self.run_tables.state[0], self._outputs
        tally, number = outputs.tally[0], int(state["answers"])
        question = Question(*(int(tally[name]) for name in ("question", "left", "right", "state", "payload")))
        cells = [Cell() for _ in range(n_asked(self.member.program, question))]
        from_array(outputs.cells, cells)
        answer = answer_of(self.member.program, self.host, question, cells)
        if number >= len(outputs.answers):
            self._outputs = outputs = speed.outputs_of(*outputs[:4], _longer(outputs.answers), outputs.cells)
        outputs.answers[number : number + 1] = to_array([answer], speed.CELL)
        state["answers"] = number + 1

    def _make_uniques(self) -> None:
        """Texts of their own for the next arrivals."""
        run, texts = self.run_tables, self.member.texts
        first = int(run.state["uniques_end"][0])
        end = (first - 1) // UNIQUES * UNIQUES + UNIQUES + 1
        for column, base in enumerate(self._uniques):
            handles = [texts.handle(f"{base}-{number}") for number in range(first, end)]
            run.uniques[column * UNIQUES + (first - 1) % UNIQUES :][: end - first] = handles
        run.state["uniques_end"] = end

    def _flush(self) -> None:
        """Hand on what is logged."""
        run, state = self.run_tables, self.run_tables.state[0]
        n, values, cases = int(state["n_log"]), int(state["n_values"]), int(state["n_cases"])
        state["n_log"] = state["n_values"] = state["n_cases"] = 0
        if n or cases:
            paths = run.paths[: int(state["n_paths"]) + 1]
            self.sink(Chunk(run.log[:n], run.values[:values], run.done[:cases], paths))

    # --- the run ---------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether nothing need be compiled for it."""
        return SIMULATE.is_loaded or SIMULATE.is_cached((self.known, self.run_tables, self._outputs))

    def run(self) -> RunSummary:
        """Run to the end; an interruption (Ctrl-C) ends it early, and the summary says so."""
        summary = self.summary
        simulate = SIMULATE.ready((self.known, self.run_tables, self._outputs), _compiling)
        does: dict[int, Callable[[], None]] = {
            kernel.FLUSH: self._flush,
            kernel.ROWS: self._more_rows,
            kernel.ANSWER: self._answer,
            kernel.OUTPUT: self._more_output,
            kernel.SLOTS: self._more_slots,
            kernel.TABLES: self._more_tables,
            kernel.UNIQUES: self._make_uniques,
            kernel.GIVEN_UP: self._give_up,
            kernel.PAUSED: self._pause,
        }
        why = NONE
        with interrupts() as asked:
            while (
                not (asked() or self._stopped)
                and (why := simulate(self.known, self.run_tables, self._outputs)) != kernel.DONE
            ):
                does[why]()
        if why != kernel.DONE:
            summary.complete = False
            summary.notes.append(self._stopped or engine.INTERRUPTED)
        self._sum_up()
        self._flush()
        return summary

    def _pause(self) -> None:
        state = self.run_tables.state[0]
        state["budget"] = STEPS
        if self.progress is not None:
            self.progress(int(state["n_closed"]))

    def _give_up(self) -> None:
        slot = int(self.run_tables.state["slot"][0])
        self.summary.complete = False
        number = str(self.run_tables.cases[slot]["number"])
        self.summary.notes.append(engine.given_up(number, self._state_in(slot)))

    def _sum_up(self) -> None:
        run, state, summary = self.run_tables, self.run_tables.state[0], self.summary
        summary.n_started, summary.n_closed = int(state["n_started"]), int(state["n_closed"])
        summary.n_steps, summary.n_records = int(state["n_steps"]), int(state["n_records"])
        summary.end_time = int(state["end_time"])
        rejected = {
            (self.member, int(place) // REASONS - 1, int(place) % REASONS): int(run.rejected[place])
            for place in np.flatnonzero(run.rejected)
        }
        summary.notes += rejections_told(rejected, int(state["n_sent"]), self.member)
        slots = np.flatnonzero(run.cases["open"]).tolist()
        if not state["n_heap"]:
            summary.notes += open_told(((self._state_in(slot), self.member) for slot in slots), self.member)
        self._flush()
        if len(slots) > len(run.done):
            self._replace(done=np.zeros(len(slots), layout.CLOSED_CASE))
        done = self.run_tables.done[: len(slots)]
        for name, of in (("case", "number"), ("key", "key"), ("started", "started"), ("seq", "seq"), ("path", "path")):
            done[name] = run.cases[of][slots]
        self.run_tables.state["n_cases"] = len(slots)

    def _state_in(self, slot: int) -> str:
        """The root's state of the instance in a slot."""
        given, program = self.known.settings[0], self.member.program
        cell = self.run_tables.m[slot * int(given["rows"]) + program.rows[int(given["root"])].slot]
        return program.name(int(cell["state"])) or ""


def _compiling() -> None:
    announce_compiling("the simulator", "a quarter of a minute")


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """While this lasts Ctrl-C only asks for an end, so that nothing is left half done; asked twice it comes at once."""
    asked = False

    def note(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    ours = threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _free(rows: Any, first: int = 0) -> Any:
    """Rows in one list of free ones; `first` is the number of the first."""
    rows["next"] = np.arange(first + 1, first + len(rows) + 1)
    rows["next"][-1] = NONE
    return rows


def _aligned(n: int) -> Any:
    """Rows of the heap that begin at a multiple of 64 bytes."""
    size = layout.HEAP.itemsize
    memory = np.zeros(n * size + 64, np.uint8)
    skip = -memory.ctypes.data % 64
    return memory[skip : skip + n * size].view(layout.HEAP)


def _longer(array: Any) -> Any:
    return _joined(array, np.zeros(len(array), array.dtype))


def _joined(*arrays: Any) -> Any:
    """Arrays of one type, one behind another; numpy would move the fields of records."""
    kind = arrays[0].dtype
    return np.concatenate([np.ascontiguousarray(each).view(np.uint8) for each in arrays]).view(kind)


def _place_paths(paths: Any, n: int, places: Any) -> None:
    """Put all paths where `kernel.path_after` looks for them."""
    mask = len(places) - 1
    for number in range(1, n + 1):
        place = (int(paths[number]["before"]) * 1_000_003 + int(paths[number]["state"]) * 7_919) & mask
        while places[place]:
            place = (place + 1) & mask
        places[place] = number
