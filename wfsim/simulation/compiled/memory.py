"""The tables of the compiled calendar, and how they grow."""

from __future__ import annotations

from typing import Any

import numpy as np

from wfsim.semantics import dtypes, speed
from wfsim.semantics.addresses import given
from wfsim.semantics.arrays import to_array
from wfsim.semantics.bounds import LINE
from wfsim.semantics.codes import INBOX, NONE
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import Cell
from wfsim.semantics.snapshot import add_spare_rows
from wfsim.semantics.spread import Spread
from wfsim.simulation.compiled import buffers, calendar, layout
from wfsim.simulation.compiled.areas import CHAIN, LISTS, ROW, SIZES, UNIT, WORK
from wfsim.simulation.compiled.arrivals import SUPPLIED
from wfsim.simulation.compiled.draws import UNIQUES
from wfsim.simulation.compiled.tables import REASONS
from wfsim.simulation.compiled.turns import sharer_place
from wfsim.simulation.instances import Crowd, crowded_told
from wfsim.simulation.plans import Member
from wfsim.simulation.scenario import Scenario

MOST_MEMORY = 2**33
"""Bytes that instances in flight may take."""
SLOTS, ENTRIES = 256, 4_096
"""Room for instances, and rows in the tables beside, to begin with."""
YEAR = 364 * 86_400_000_000
"""Microseconds for which shifts are known at once: 52 weeks."""
NEVER = 2**62
PAGE, LARGE = 2**21, 2**19
"""Bytes of a large page, and from how many on it is worth while."""
SPARE_ROWS = 4
"""Rows for what waits in an instance, to begin with."""


class Memory:
    """What changes while it runs.

    Attributes
    ----------
    known, run, outputs
        What is given, what changes, and what a step puts out.
    arguments
        These three as compiled code is given them.
    full
        Why there can be no more of something, once it is so.
    """

    def __init__(
        self, known: layout.Known, members: list[Member], scenario: Scenario, n_uniques: int, chunk: int
    ) -> None:
        self.known = known
        self._members = members
        self.scenario = scenario
        self.full = ""
        self.spread = Spread(members[0].texts)
        # Questions of keys and results of children have the room that they need.
        heads = [member.program.head for member in members]
        cells = max(1_024, *(head.n_variables + head.n_fields for head in heads))
        self.outputs = speed.new_outputs(1_024, cells=cells, spread=self.spread.arrays)
        given, zeros = known.settings[0], _rows
        supplied = known.streams[known.streams["supplied"] == 1]
        n_supplied, n_given = len(supplied), int(supplied["n_places"].sum())
        # Most workflows send no letters.
        letters = ENTRIES if given["writes"] else 1
        pools, lines = max(1, int(given["n_pools"])), max(1, int(given["n_lines"]))
        self._spare = [SPARE_ROWS] * len(members)
        areas, m, v = self._areas()
        words = int(known.members["n_words"].max()) + 4 * UNIT
        kinds = "n_regions", "n_timers", "n_names"
        regions, timers, names = (max(1, int(known.members[name].max())) for name in kinds)
        self.run = layout.with_table(
            layout.Run,
            {
                "state": zeros(1, layout.STATE),
                "now": zeros(1, layout.HAPPENING),
                "heap": zeros(ENTRIES + calendar.ROOT, layout.HEAP),
                "near": zeros(ENTRIES + calendar.FRONT + calendar.AHEAD, layout.HEAP),
                "far": zeros(ENTRIES, layout.HEAP),
                "gathered": zeros(ENTRIES, layout.HEAP),
                "counts": zeros(calendar.DIGIT, np.int64),
                "soon": zeros(ENTRIES, np.int64),
                "entries": _free(zeros(ENTRIES, layout.HAPPENING)),
                "cases": zeros(SLOTS, layout.CASE),
                "free": np.full(len(known.members), NONE, np.int64),
                "streams": zeros(len(known.streams), layout.STREAM_STATE),
                "coming": zeros(max(1, 2 * SUPPLIED * n_supplied), layout.COMING),
                "given": zeros(max(1, 2 * SUPPLIED * n_given), dtypes.CELL),
                "schedules": zeros(len(known.schedules), layout.SCHEDULED),
                "late": _free(zeros(ENTRIES if known.streams["end_schedule"].any() else 1, layout.LATE)),
                "areas": areas,
                "m": m,
                "v": v,
                "marks": zeros(len(m) + 1, np.int8),
                "free_blocks": np.full(SIZES, NONE, np.int64),
                "words": zeros(max(SLOTS * words, int(areas["most"].max())), np.int64),
                "open_works": zeros(1 + max(head.n_works for head in heads), np.int32),
                "door_m": zeros(1, dtypes.MEMORY),
                "door_v": zeros(max(1, int(known.members["n_front"].max())), dtypes.CELL),
                "stays": zeros(SLOTS * regions, layout.STAY),
                "timers": np.full(SLOTS * timers, NONE, np.int64),
                "visits": zeros(SLOTS * names, np.int32),
                "spots": zeros(len(self.outputs.records), layout.SPOT),
                "attempts": _free(zeros(ENTRIES, layout.ATTEMPT)),
                "tracks": _free(zeros(ENTRIES, layout.TRACK)),
                "queues": zeros(pools, layout.QUEUE),
                "lines": zeros(lines, layout.QUEUED_LINE),
                "queued": zeros(lines * ENTRIES, layout.QUEUED),
                "shifts": zeros(1, layout.SHIFT),
                "workers": zeros(len(known.skills), layout.WORKER),
                "turns": zeros(len(known.works), np.int64),
                "sharers": zeros(SLOTS, layout.SHARER),
                "log": buffers.empty(chunk + 4_096, layout.LOG),
                "values": buffers.empty(chunk + 4_096, layout.LOGGED_VALUE),
                "done": buffers.empty(chunk + 1, layout.CLOSED_CASE),
                "paths": zeros(2 * ENTRIES, layout.PATH),
                "places": zeros(1 << (4 * ENTRIES - 1).bit_length(), np.int32),
                "rejected": zeros((len(known.p) + len(known.members) + 1) * REASONS, np.int64),
                "uniques": zeros(max(1, n_uniques) * UNIQUES, np.int64),
                "keys": np.full(SLOTS, NONE, np.int64),
                "after": zeros(ENTRIES, layout.AFTER),
                "families": _free(zeros(ENTRIES, layout.FAMILY)),
                # Whoever is born writes some records.
                "births": np.empty(max(1, chunk // 8), layout.BIRTH),
                "letters": _free(zeros(letters, layout.LETTER)),
                "parcels": _free(zeros(letters, layout.PARCEL)),
                "messages": zeros(letters, layout.MESSAGE),
                "kept": np.full(1 << (letters - 1).bit_length(), NONE, np.int64),
                "waiting": zeros(letters, np.int32),
                "who": zeros(2 * len(members[0].texts) if given["by_id"] else 1, np.int32),
            },
        )
        self.run.streams["uniques_end"] = 1
        for name in ("last", "first_late", "last_late"):
            self.run.schedules[name] = NONE
        self.run.state["letter"] = NONE
        self.run.state["far_length"] = 1
        plans = scenario.pools.values()
        self.run.state["shifts_until"] = NONE if any(pool.shifts for pool in plans) else NEVER
        self.run.queues["opens"] = NONE
        self.run.queues["capacity"][: len(known.pools)] = known.pools["capacity"]
        self._set_rooms()

    def _areas(self) -> tuple[Any, Any, Any]:
        """An area for each workflow, with nothing in it but free rows."""
        areas, rows, cells = np.zeros(len(self._members), layout.AREA), list[Any](), list[Cell]()
        for area, member, spare, known in zip(areas, self._members, self._spare, self.known.members):
            fresh, head = Instance(member.program, texts=member.texts), member.program.head
            add_spare_rows(fresh, spare)
            words = spare * (1 + ROW + 2 * head.n_fields) + head.n_works * (1 + WORK) + LISTS * CHAIN
            # The size of a block is less than twice what it has to hold, beyond small ones.
            most = int(known["n_words"]) + 2 * (words + 2 * head.n_regions * head.n_variables) + UNIT
            begin = {"m": len(rows), "v": len(cells), "spare": spare, "slot": NONE, "plain": 1, "most": most}
            for name, number in begin.items():
                area[name] = number
            rows += fresh.m
            cells += fresh.v
        return areas, to_array(rows, dtypes.MEMORY), to_array(cells or [Cell()], dtypes.CELL)

    @property
    def state(self) -> Any:
        """The one row of numbers that change."""
        return self.run.state[0]

    @property
    def n_due(self) -> int:
        """How many entries the calendar has."""
        return sum(int(self.state[f"n_{part}"]) for part in ("soon", "heap", "near", "far"))

    def _set_rooms(self) -> None:
        """Tell how much fits where."""
        run, state = self.run, self.state
        for name, table in (
            ("log", run.log),
            ("value", run.values),
            ("case", run.done),
            ("heap", run.entries),
            ("attempt", run.attempts),
            ("track", run.tracks),
            ("slot", run.cases),
            ("word", run.words),
            ("stays", run.stays),
            ("timers", run.timers),
            ("visits", run.visits),
            ("sharer", run.sharers),
            ("after", run.after),
            ("family", run.families),
            ("birth", run.births),
            ("letter", run.letters),
            ("parcel", run.parcels),
            ("message", run.messages),
            ("late", run.late),
        ):
            state[f"{name}_room"] = len(table)
        state["most_words"] = int(run.areas["most"].max())
        state["queue_room"] = len(run.queued) // len(run.lines)
        state["path_room"] = len(run.paths) - 1
        state["path_places"] = len(run.places)
        state["key_places"] = len(run.keys)
        state["kept_places"] = len(run.kept)
        outputs = self.outputs
        state["output_room"] = min(len(outputs.records), len(outputs.values), len(outputs.effects))
        self.arguments = given(self.known), given(run), given(outputs)

    def replace(self, **arrays: Any) -> None:
        """Put other arrays in the place of some."""
        kept = self.run._asdict()
        kept.pop("table")
        self.run = layout.with_table(layout.Run, kept | arrays)
        self._set_rooms()

    def restore(self, arrays: dict[str, Any]) -> None:
        """Take the arrays of another memory of the same run."""
        for name in ("heap", "near", "entries"):
            rows = _rows(len(arrays[name]), arrays[name].dtype)
            rows[:] = arrays[name]
            arrays[name] = rows
        self._spare = arrays["areas"]["spare"].tolist()
        self.replace(**arrays)
        self.spread.catch_up()
        self._respread()

    # --- more room -------------------------------------------------------------------------------

    def _stop_crowded(self, what: str) -> None:
        """Stop, since more instances are open than there can be, and say which pool they wait for."""
        run, pools = self.run, self.scenario.pools
        crowds = [
            Crowd(
                name,
                int(self.known.pools["capacity"][which]) if name in pools else None,
                *(int(run.queues[which][key]) for key in ("busy", "waiting", "held")),
            )
            for which, name in enumerate(self.scenario.workers(0))
        ]
        self.full = crowded_told(int(self.state["now"]), what, int(run.cases["open"].sum()), crowds)

    def more_rows(self, member: int) -> None:
        """Twice the free rows for what waits in an instance of a workflow; what is in its inbox stays there."""
        self._spare[member] *= 2
        areas, m, v = self._areas()
        old, new, head = self.run.areas[member], areas[member], self._members[member].program.head
        m[new["m"] + INBOX] = self.run.m[old["m"] + INBOX]
        areas["filled"][member] = 1
        for cell in range(head.inbox_cells, head.inbox_cells + head.n_fields):
            v[new["v"] + cell] = self.run.v[old["v"] + cell]
        self.replace(areas=areas, m=m, v=v, marks=np.zeros(len(m) + 1, np.int8))

    def more_slots(self) -> None:
        """Room for twice as many instances, or as large ones, where there may be too little."""
        run, state = self.run, self.state
        if 2 * run.words.nbytes > MOST_MEMORY:
            self._stop_crowded(f"instances take more than {MOST_MEMORY / 2**31:,.1f} GiB")
            return
        more: dict[str, Any] = {}
        if state["n_slots"] == state["slot_room"]:
            more["cases"] = _longer(run.cases)
            more["keys"] = np.full(2 * len(run.keys), NONE, np.int64)
        if state["stays_end"] + int(self.known.members["n_regions"].max()) > state["stays_room"]:
            more["stays"] = _longer(run.stays)
        if state["timers_end"] + int(self.known.members["n_timers"].max()) > state["timers_room"]:
            more["timers"] = _longer(run.timers)
        if state["visits_end"] + int(self.known.members["n_names"].max()) > state["visits_room"]:
            more["visits"] = _longer(run.visits)
        if not more:
            more["words"] = _longer(run.words)
        self.replace(**more)

    def more_shifts(self) -> None:
        """Know how many workers there are from when something is due until a year later."""
        begin, rows = int(self.state["wanted"]), list[tuple[int, int, int]]()
        for queue, pool in zip(self.run.queues, self.scenario.pools.values()):
            changes = pool.capacities(self.scenario.begins, begin)
            if changes is not None:
                queue["next_change"] = len(rows)
                # Of who works once a week each holiday may take a week away.
                end = begin + YEAR + len(pool.holidays) * YEAR // 52
                for time, capacity in changes:
                    if time >= end:
                        break
                    rows.append((time, capacity, 0))
                queue["end_change"] = len(rows)
        # Who waits finds in two weeks all the times of a week.
        self.state["shifts_until"] = begin + YEAR - 2 * YEAR // 52
        self.replace(shifts=np.array(rows, layout.SHIFT))

    def more_tables(self) -> None:
        """Twice the room in each table that may be too small for what follows this step (`room.has_room`)."""
        run, state, tally = self.run, self.state, self.outputs.tally[0]
        n_more = int(tally["records"] + 2 * tally["effects"] + state["follows"])
        n_more += int(state["n_kept"]) + 8
        more: dict[str, Any] = {}
        n_due = self.n_due
        while n_due + n_more > len(more.get("entries", run.entries)):
            heap, entries = more.get("heap", run.heap), more.get("entries", run.entries)
            n = len(entries)
            if 2 * n > calendar.MOST_ENTRIES:
                self._stop_crowded(f"more than {n:,} events, timers and reports are due")
                return
            more["heap"] = _rows(2 * n + calendar.ROOT, layout.HEAP)
            more["heap"][: len(heap)] = heap
            near = more.get("near", run.near)
            more["near"] = _rows(2 * n + calendar.FRONT + calendar.AHEAD, layout.HEAP)
            more["near"][: len(near)] = near
            more["far"] = _longer(more.get("far", run.far))
            more["gathered"] = _rows(2 * n, layout.HEAP)
            soon = np.roll(more.get("soon", run.soon), -int(state["first_soon"]))
            more["soon"], state["first_soon"] = _longer(soon), 0
            more["entries"] = _longer(entries)
            _free(more["entries"][n:], n)
            more["entries"]["next"][-1] = state["free_entry"]
            state["free_entry"] = n
        for name, free, used, needed in (
            ("attempts", "free_attempt", "n_attempts", n_more),
            ("tracks", "free_track", "n_tracks", n_more),
            ("families", "free_family", "n_families", 1),
            ("late", "free_late", "n_late", 1),
            *self._for_letters(int(tally["effects"]), int(tally["values"])),
        ):
            table = getattr(run, name)
            while state[used] + needed > len(table):
                n = len(table)
                table = more[name] = _longer(table)
                _free(table[n:], n)
                table["next"][-1] = state[free]
                state[free] = n
        if "letters" in more:
            n = len(more["letters"])
            more["waiting"] = _rows(n, np.int32)
            more["kept"] = np.full(1 << (n - 1).bit_length(), NONE, np.int64)
        if self.known.settings[0]["writes"] and state["n_messages"] >= state["message_room"]:
            more["messages"] = _longer(run.messages)
        if state["end_after"] + int(tally["effects"]) > len(run.after):
            more["after"] = _longer(run.after)
        if run.lines["n"].max() + n_more > state["queue_room"]:
            room, n = int(state["queue_room"]), len(run.lines)
            more["queued"] = _rows(2 * room * n, layout.QUEUED)
            more["queued"].reshape(n, 2 * room)[:, :room] = run.queued.reshape(n, room)
        if state["n_paths"] + n_more > state["path_room"]:
            more["paths"], more["places"] = _longer(run.paths), _rows(2 * len(run.places), np.int32)
            _place_paths(more["paths"], int(state["n_paths"]), more["places"])
        if 2 * (state["n_sharers"] + n_more) > state["sharer_room"]:
            # Who did not ask for long has saved nothing, so nothing need be known of him.
            kept = run.sharers[
                (run.sharers["used"] == 1) & (run.sharers["turn"] > run.queues["virtual"][run.sharers["pool"]])
            ]
            state["n_sharers"] = len(kept)
            more["sharers"] = _rows(1 << (4 * (len(kept) + n_more)).bit_length(), layout.SHARER)
            _place_sharers(kept, more["sharers"])
        self.replace(**more)

    def _for_letters(self, n_letters: int, n_values: int) -> list[tuple[str, str, str, int]]:
        """What a step with so many effects and values may need, if there are letters."""
        if not self.known.settings[0]["writes"]:
            return []
        return [("letters", "free_letter", "n_letters", n_letters), ("parcels", "free_parcel", "n_parcels", n_values)]

    def more_output(self) -> None:
        """Room for a step that puts out more."""
        old = self.outputs
        wanted = max(2 * len(old.cells), int(old.tally[0]["wanted"]))
        new = speed.new_outputs(2 * len(old.records), answers=len(old.answers), cells=wanted, spread=self.spread.arrays)
        new.answers[:] = old.answers
        self.outputs = new
        self.replace(spots=_longer(self.run.spots))
        if len(new.records) > len(self.run.log) // 2:
            self.replace(log=_longer(self.run.log), values=_longer(self.run.values))
        self._set_rooms()

    def more_answers(self) -> None:
        """Room for twice as many answers to one step."""
        outputs = self.outputs
        self.outputs = speed.outputs_of(*outputs[:4], _longer(outputs.answers), *outputs[5:-1])
        self._set_rooms()

    def catch_up(self) -> None:
        """Let the kernel know of values that Python has let in."""
        n_texts = len(self._members[0].texts)
        if self.known.settings[0]["by_id"] and n_texts > len(self.run.who):
            who = _rows(2 * n_texts, np.int32)
            who[: len(self.run.who)] = self.run.who
            self.replace(who=who)
        if self.spread.catch_up():
            self._respread()

    def keep_made(self, cells: list[Cell], answer: Cell) -> None:
        """Keep what was made for the step that asked for it."""
        if self.spread.keep(self.outputs.tally[0], cells, answer, int(self.state["n_steps"])):
            self._respread()

    def _respread(self) -> None:
        self.outputs = speed.outputs_of(*self.outputs[:6], *self.spread.arrays)
        self._set_rooms()


def _free(rows: Any, first: int = 0) -> Any:
    """Rows in one list of free ones; `first` is the number of the first."""
    rows["next"] = np.arange(first + 1, first + len(rows) + 1)
    rows["next"][-1] = NONE
    return rows


def _rows(n: int, kind: Any) -> Any:
    """Rows of zeros that begin at a line of the cache.

    Many of them lie in large pages of memory, where the system has such: what is needed next lies anywhere, and a
    processor knows the places of few pages at a time. numpy asks for large pages where it takes 4 MiB or more.
    """
    size = n * np.dtype(kind).itemsize
    is_large = size >= LARGE
    memory = buffers.empty(max(size + PAGE, 2 * PAGE) if is_large else size + LINE, np.dtype(np.uint8))
    skip = -memory.ctypes.data % (PAGE if is_large else LINE)
    rows = memory[skip : skip + size]
    rows.fill(0)
    return rows.view(kind)


def _longer(array: Any) -> Any:
    """Twice as many rows, of which the first are the same; numpy would move the fields of records one by one."""
    rows = _rows(2 * len(array), array.dtype)
    rows.view(np.uint8)[: array.nbytes] = array.view(np.uint8)
    return rows


def _place_paths(paths: Any, n: int, places: Any) -> None:
    """Put all paths where `kernel.path_after` looks for them."""
    mask = len(places) - 1
    for number in range(1, n + 1):
        place = (int(paths[number]["before"]) * 1_000_003 + int(paths[number]["state"]) * 7_919) & mask
        while places[place]:
            place = (place + 1) & mask
        places[place] = number


def _place_sharers(rows: Any, places: Any) -> None:
    """Put rows where `workers.sharer_at` looks for them."""
    mask = len(places) - 1
    for row in rows:
        place = sharer_place.py_func(int(row["whole"]), int(row["pool"]), int(row["member"])) & mask
        while places[place]["used"]:
            place = (place + 1) & mask
        places[place] = row
