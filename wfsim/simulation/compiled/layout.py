"""Rows that the compiled calendar reads and writes, and the arrays that hold them.

Times are microseconds. A reference to nothing is -1. Rows of the program, of instances and of what a step puts out are
those of `semantics.layout`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

import numpy as np

from wfsim.semantics import dtypes
from wfsim.semantics.bounds import LINE as LINE_BYTES
from wfsim.simulation.compiled import buffers


def _record(wide: str, narrow: str, real: str = "", small: str = "", tiny: str = "", *, unit: int = 8) -> np.dtype[Any]:
    """Fields of eight bytes, of four, and doubles, of two bytes and of one; the whole a multiple of some bytes."""
    names, formats, offsets, at = [], [], [], 0
    for fields, form, size in (
        (wide, "i8", 8),
        (real, "f8", 8),
        (narrow, "i4", 4),
        (small, "i2", 2),
        (tiny, "i1", 1),
    ):
        for name in fields.split():
            names.append(name)
            formats.append(form)
            offsets.append(at)
            at += size
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": -(-at // unit) * unit})


ARRIVES, STARTS, ENDS, COMES, DUE, TOLD, VOID, OPENS, AGAIN, CHILD_ENDS, STOPS, RECEIVED, RETURNS, EXPIRES = range(14)
"""Sorts of happenings. Of `ARRIVES` a to d are the number, the stream, its schedule or -1, and whether it has waited;
of `STARTS` and `ENDS` a and b are activity and attempt, c the failure or -1, and d whether it ends only if it still
waits; of `COMES` a to d are region, activation, number of the event, plan; of `DUE` a and b are timer and id, and of a
clock c is the next one of its case; of `OPENS` a is the pool; of `AGAIN` a and b are activity and attempt, c and d
where is drawn for it; of `CHILD_ENDS` a to d are the activation that started the child, its status and outcome, and the
handle of its result or -1; of `STOPS` a is the command; of `RECEIVED` a is the letter; of `RETURNS` a and b are the
number of a message and why it comes back; of `EXPIRES` a and b are a letter that is kept, and how many-th it was. Of
what is `VOID` nothing comes; `TOLD` is what follows another."""

# --- what is given -----------------------------------------------------------------------------------------

LAW = _record("", "family first n", "a b c")
"""A distribution; `first` and `n` say where its values and edges lie in `numbers`, the values first."""

VALUE = _record("name_key low high", "kind place law first n tag checked")
"""A value that the surroundings give: `place` is the cell it goes to, `first` and `n` its choices in `cells`, whose
edges lie at `law` in `numbers`. Of inputs and payloads `checked` says whether it may be one that does not fit."""

EVENT_PLAN = _record("name_key", "event law first_value end_value asks checked", "edge")
"""An event that may come to a stay in a state; `edge` is the running sum of weights. Python fills in the payload where
`asks` says so, or where a value does not fit that is to be `checked`."""

STATE_PLAN = _record("", "first_plan n_plans race name")
"""By program row of a state; `race` says whether delays decide, not weights; its `name` is one of `names`."""

NAME = _record("key", "runs")
"""Under what is drawn for what cases do (`simulation.spots`): what tells its draws apart, and the row of what is run,
among all programs, or -1. The first name of each workflow stands for none."""

WORK_PLAN = _record(
    "limit step",
    "line by law first_failure n_failures pool priority result asks first_window n_outages n_slow calls",
    "ends_ever twice",
)
"""By program row of an activity. Python fills in the result where `asks` says so. `ends_ever` is the last edge: beyond
the failures' lies never to report at all. Behind the failures of the plan come those of the pool and of outages.
`limit` is how long an attempt may take to start, or -1; `line` is where it waits for a worker. Its outages are windows
from `first_window` on, slow times follow. `step` is that of `pools.Wanted`; `by` is the cell of the variable whose
values take turns, or -1. Under which names transitions run it is in `calls`, from `calls` on two for each region: for
what runs there, and for what undoes it."""

WINDOW = _record("begin end period", "law failure", "factor")
"""A window of time: an outage in which attempts fail after a time by `law`, or never report where that is -1; or a
time in which they take `factor` times as long. Without a period it is 0."""

FAILURE = _record("retry_after", "error_type policy", "edge")
"""How an attempt fails: which of its activity's policies decides, and the wait that the error asks for, or -1."""

STREAM = _record(
    "key limit n_times first_time",
    "member interval batch first_piece n_pieces first_input end_input asks population think names n_uniques "
    "first_unique supplied first_coming first_given first_place n_places first_schedule end_schedule",
    "total period",
)
"""Arrivals of a workflow from outside, so many (`limit`) at most, or -1. Times are drawn with the key by the law
`interval`, or else are `n_times` of `times`; `batch` is the law of how many come together, or -1. Where rates change,
`n_pieces` beginnings lie from `first_piece` on in `numbers`, then as many sums and rates (`simulation.arrivals.Pace`).
Of a closed `population` each member thinks by a law. Or they are `supplied` by Python: rows of `coming`, and for each
of `n_places` variables, which are among `places`, a cell of `given`, or of a schedule one of `cells`, if they have a
value. Python makes the inputs if it `asks`. `names` is which column of texts made for arrivals has their names, or -1;
`n_uniques` columns from `first_unique` on are its own."""

SCHEDULE = _record("", "overlap first_cell bad")
"""What a schedule gives, unless it can be no input, and what it does while the one before is open."""
STARTS_ALL, SKIPS, QUEUES = range(3)

EVENT = _record("time_to_live", "starts closed")
"""What a workflow declares of an event that others send (M7.3); a `closed` one has the declared fields alone."""
POOL = _record(
    "key number unit ahead",
    "capacity discipline queue_limit patience first_line end_line first_worker every repair always fails kept",
)
"""`capacity` is how many workers there are at most. Without a limit of the queue it is -1, and so is the law of the
patience where nobody gives up. Who waits is in `lines` from `first_line` until `end_line`. Workers who are told apart
are `workers` from `first_worker` on, else that is -1; they break down by the law `every`, or else -1, and draw with
the key; `always` and `fails` are those of `crews.Breakdowns`. The others are those of `pools.Bucket`; without a rate
they are 0. `kept` says whether workers stay with a case: `KEEPS_NOBODY`, `KEEPS_ALWAYS` or `KEEPS_IN_STATES`."""
KEEPS_NOBODY, KEEPS_ALWAYS, KEEPS_IN_STATES = range(3)
KEEP = _record("", "pool first_row region state")
"""That workers of a pool stay with a case that is in a state, of the workflow whose program begins at this row."""
LINE = _record("needs", "")
"""Where attempts wait that need the same skills."""

MEMBER = _record(
    "",
    "first_row n_base n_kept n_words n_fields n_front n_regions n_timers root patience m v name outputs key_code "
    "first_name n_names first_event",
)
"""A workflow of the run, called by the handle `name`; `outputs` is that of the list of its outputs, or -1. Its program
begins at `first_row` among all of them (and what is known by program row), and in it the expression for its key at
`key_code`, or -1; a fresh instance lies at `m` and `v`. No instance is without `n_base` rows and `n_kept` cells;
`n_front` cells are those that a start or a stimulus may fill in. Between
its steps an instance takes `n_words` words, and what is open in it a block (`compiled.areas`). It has `n_names` of
`names` from `first_name` on, and the first of its events is `first_event` of `events`."""

SETTINGS = _record(
    "seed replication horizon most_steps timer_poll",
    "n_streams n_pools n_lines n_keeping n_keeps n_shared n_reasons first_child writes most_depth most_relatives "
    "most_at_once parent n_members by_id no_parent no_instance expired no_more",
)
"""Of the whole run. Timers are noticed at multiples of `timer_poll`, unless that is 0. Workers of `n_keeping` pools
stay with cases; in `n_shared` pools values take turns. Instances write to others (`writes`), of some by their names
(`by_id`). `parent` is the handle of that word: to whom some write, and who stops children. So `no_parent`,
`no_instance`, `expired` and `no_more` say why letters come back: it has none, nobody is there, nobody came in time, and
instances start each other without end."""

# --- what changes ------------------------------------------------------------------------------------------

STATE = _record(
    "now serial first_from first_time first_key first_soon n_soon n_heap first_near n_near n_far far_from far_first "
    "far_length far_serial n_live n_started n_closed n_steps n_records n_sent end_time n_slots w_end stays_end "
    "timers_end visits_end free_attempt n_attempts free_track n_tracks n_log n_values n_paths n_cases tickets "
    "free_entry log_room value_room case_room heap_room attempt_room track_room queue_room path_room path_places "
    "output_room slot_room word_room most_words sure stays_room timers_room visits_room phase slot activity drawn nth "
    "again answers budget effect shifts_until wanted follows n_sharers sharer_room n_others first_after end_after "
    "after_room n_families free_family family_room n_births birth_room endless endless_name endless_depth holder "
    "key_places linked letter n_letters free_letter letter_room n_parcels free_parcel parcel_room n_messages "
    "message_room n_spelled n_kept n_ever_kept kept_places kept_linked stream failed root_has_come last_came n_came "
    "n_late free_late late_room",
    "",
)
"""Numbers of the run that change, and how much fits where. `phase` is where it goes on after it has returned. Of an
attempt that reports, `drawn` and `nth` are where is drawn for it. Others have started `n_others` instances; those who
follow lie in `after` from `first_after` to `end_after`, with the letters. `endless` is how many relatives were too
many, with the name of who started the last and how deep that is, `holder` who has the key of an instance that is
refused, or -1 if it is no key. Keys are found in `key_places` places, where those of so many slots are as `linked`
says. Something is lacking for arrivals of a `stream`; they have `failed` if something is wrong with them
(`compiled.arrivals`). Of the first all have come if `root_has_come`, and of closed ones `n_came` at `last_came`. So
many wait for others of their schedule to close: `n_late`. What is due first is found by `first_time` and `first_key`;
`first_from` says where it lies (`compiled.calendar`). What is due later than `far_from` lies far, the first of it is
due at `far_first`; the next limit lies `far_length` later. `letter` has started the instance that is let in, or is -1.
Of the messages that were delivered the texts of the first `n_spelled` ids are known. So many letters are `n_kept`,
found in `kept_places` places as `kept_linked` says; `n_ever_kept` have been. What is due after `shifts_until` needs
later shifts, from when it is due (`wanted`) on. So many happenings may come of a step beside those of its records and
effects, as its case lets workers go, or of the beginning of the run: `follows`. No block has more than `most_words`,
and for as many steps as one is `sure` of no table is too small."""

HEAP = _record("time key", "")
"""An entry of the calendar's heap; see `compiled.calendar`."""

HAPPENING = _record("", "what slot epoch a b c d next")
"""What is due. What a to d mean depends on `what`."""

CASE = _record(
    "key luck started seq steps key_whole",
    "number epoch first_attempt first_track first_clock path stream came member first_row w block size used n_works "
    "n_spare listed stays timers visits name parent parent_name next open activation born_by depth family first_child "
    "before after key_tag key_next",
    unit=LINE_BYTES,
)
"""An instance in its slot, whose first two lines of the cache have what each step asks; `epoch` tells it from those
that were there before. Its stays and the numbers of the entries of its timers begin at `stays` and `timers`, how often
it has done what has a name at `visits`; its surroundings draw with `luck`. What all have lies from `w` on in `words`,
the rest in a block of a `size` (`compiled.areas`), from `block` on, or else that is -1: of its words so many are
`used`, `n_works` works are open and `n_spare` rows in use, and `listed` says whether these are in lists. Of one that
comes from outside `stream` and `came` say as which of which arrivals, else that is -1. `name` is a handle, or of what a
message has started a number from `FIRST_MESSAGE` on, or -1 until somebody asks for it. Of a child `parent` is the slot
of its parent while that is open, `born_by` its number, `parent_name` its name; the children of an instance are a list
from `first_child` on, from one to the next by `before` and `after`. `key_whole` and `key_tag` are its correlation key,
or -1; `key_next` is who is looked at next."""

AFTER = _record("", "slot bad letter")
"""A child that is to start, or to be refused for bad input, once the effects of a step are carried out; or a letter
that is looked at then."""

LETTER = _record(
    "key luck key_whole serial",
    "sender epoch sender_name number member event to key_tag key_real receiver receiver_epoch to_parent first_value "
    "message reason depth family kept next",
)
"""A letter under way (`compiled.letters`): its sender in a slot, of a workflow, and its number there. It is to the key
of a workflow, which was a double if `key_real` says so, or without a key (`key_tag` -1) to the instance that `to`
names, or `to_parent`: `HAS_NONE`, or `HAS_ONE`, who was in the slot `receiver`. What it starts has `key` and `luck`,
and belongs to a family. `message` is its number once it is delivered, `reason` why it comes back, where Python has
found that out; one that is `kept` is how many-th (`serial`) of those."""

PARCEL = _record("whole", "tag name next", "real")
"""A value of a letter."""

FIRST_MESSAGE = 2**30
"""From here on an id of an event, and a name of an instance, is the number of a message, not the handle of a text."""
MESSAGE = _record("", "sender epoch number sender_name text")
"""A letter that was delivered: to whom it goes back if it is turned away, and the handle of its id, or -1."""

FAMILY = _record("", "n n_open next")
"""How many instances the first one has set going, and how many of the family are there."""

BIRTH = _record("", "number parent name activation")
"""A child that has started, with its parent and the name of that; or without a parent what a message has started, with
its name; or in place of that -2 less the stream, and the number there, of who has come from outside."""

AREA = _record("", "m v spare slot plain most filled private")
"""Where an instance of a workflow lies for its step: who does, and whether all of `spare` rows are free; `most` is how
many words its block can have. `filled` says whether there is something in the cells of the inbox,
`private` whether there may be in those of flights."""

STAY = _record("entered", "entered_seq current activation n_events planned nth_call")
"""Of each region: when and by which record its state was entered, in which activation it is, and the stay whose planned
event has come; and how many-th call of its name the last was that its transition in flight has made."""

ATTEMPT = _record("ticket", "slot serial attempt activity pool waits worker next name nth")
"""An attempt that is under way, or where `serial` is -1 a worker whom the case keeps without work. `name` and `nth` are
where is drawn for it."""
SPOT = _record("", "name nth")
"""Where is drawn for what a record of the last step tells of."""
TRACK = _record("scheduled started", "serial attempt next")
QUEUED = _record("rank ticket", "attempt")
QUEUED_LINE = _record("n", "")
"""How many entries of `queued` a line has; those of who has left it are among them."""
QUEUE = _record(
    "opens full part virtual last held_since held_time", "busy held waiting capacity next_change end_change"
)
"""The queue of a pool, and how many workers there are now. It opens next at `opens`, if somebody waits for that, or -1;
`full` and `part` are those of `pools.Bucket`, `virtual` is the time of fair turns, `last` when all who asked have had
theirs. When there are how many workers lies in `shifts`, for a pool where that changes. Of those who are `busy` so many
are `held` by cases without work for them, from `held_since` on; `held_time` is how long workers were until then."""

SHARER = _record("whole turn", "used pool member tag")
"""A value that takes turns in a pool, and when it does next, at its place in a table (`workers.sharer_at`)."""

WORKER = _record("turns since", "works spell busy pad")
"""As `crews._Worker`."""

SHIFT = _record("time", "capacity pad")
STREAM_STATE = _record("n_taken n_drawn n_together n_supplied n_pending uniques_end", "ends", "moment")
"""So many arrivals were taken into the calendar, of which `n_pending` have not come; so many times are drawn, and
`n_together` are still to come at the last, at its `moment` (of the law). Texts for arrivals are made until
`uniques_end`. Python has supplied so many, and no more come if that `ends`."""
COMING = _record("time", "schedule bad")
"""An arrival that Python supplies: when, by which schedule, and whether what it gives can be no input."""
SCHEDULED = _record("", "last epoch first_late last_late n_skipped n_queued")
"""Whom a schedule has started last, and who waits for that to close; so many were skipped, and have waited."""
LATE = _record("", "number next")
"""An arrival that waits."""

LOG = _record(
    "time moment span",
    "case seq cause region state reason activation source entered_seq path node part round text about which",
    small="member",
    tiny="kind status outcome command",
)
"""A record as it is logged: what the step put out, and what follows from the case's course. What no kind of record has
together shares a place; `compiled.log` says what is what."""

LOGGED_VALUE = _record("bits", "case seq name", small="tag member")
"""A value that belongs to a record; `bits` are those of a double, where it is one."""

CLOSED_CASE = _record("key started", "case seq path member")

PATH = _record("", "before state")
"""A path through the root region's states: the path before, and the state that follows, a row among all programs."""


T = TypeVar("T")

WHOLE, NUMBER, SMALL, MARK, REAL = (np.dtype(form) for form in ("i8", "i4", "i2", "i1", "f8"))


class Known(NamedTuple):
    """What is given."""

    p: Annotated[Any, dtypes.PROGRAM]
    m: Annotated[Any, dtypes.MEMORY]
    v: Annotated[Any, dtypes.CELL]
    box: Annotated[Any, dtypes.MEMORY]
    settings: Annotated[Any, SETTINGS]
    members: Annotated[Any, MEMBER]
    streams: Annotated[Any, STREAM]
    schedules: Annotated[Any, SCHEDULE]
    places: Annotated[Any, NUMBER]
    states: Annotated[Any, STATE_PLAN]
    names: Annotated[Any, NAME]
    calls: Annotated[Any, NUMBER]
    plans: Annotated[Any, EVENT_PLAN]
    works: Annotated[Any, WORK_PLAN]
    windows: Annotated[Any, WINDOW]
    failures: Annotated[Any, FAILURE]
    events: Annotated[Any, EVENT]
    sends: Annotated[Any, NUMBER]
    pools: Annotated[Any, POOL]
    lines: Annotated[Any, LINE]
    keeps: Annotated[Any, KEEP]
    skills: Annotated[Any, WHOLE]
    laws: Annotated[Any, LAW]
    values: Annotated[Any, VALUE]
    cells: Annotated[Any, dtypes.CELL]
    numbers: Annotated[Any, REAL]
    times: Annotated[Any, WHOLE]
    children: Annotated[Any, WHOLE]
    endings: Annotated[Any, WHOLE]
    table: Any


class Run(NamedTuple):
    """What changes."""

    state: Annotated[Any, STATE]
    now: Annotated[Any, HAPPENING]
    heap: Annotated[Any, HEAP]
    near: Annotated[Any, HEAP]
    far: Annotated[Any, HEAP]
    gathered: Annotated[Any, HEAP]
    counts: Annotated[Any, WHOLE]
    soon: Annotated[Any, WHOLE]
    entries: Annotated[Any, HAPPENING]
    cases: Annotated[Any, CASE]
    free: Annotated[Any, WHOLE]
    streams: Annotated[Any, STREAM_STATE]
    coming: Annotated[Any, COMING]
    given: Annotated[Any, dtypes.CELL]
    schedules: Annotated[Any, SCHEDULED]
    late: Annotated[Any, LATE]
    areas: Annotated[Any, AREA]
    m: Annotated[Any, dtypes.MEMORY]
    v: Annotated[Any, dtypes.CELL]
    marks: Annotated[Any, MARK]
    free_blocks: Annotated[Any, WHOLE]
    words: Annotated[Any, WHOLE]
    open_works: Annotated[Any, NUMBER]
    door_m: Annotated[Any, dtypes.MEMORY]
    door_v: Annotated[Any, dtypes.CELL]
    stays: Annotated[Any, STAY]
    timers: Annotated[Any, WHOLE]
    visits: Annotated[Any, NUMBER]
    spots: Annotated[Any, SPOT]
    attempts: Annotated[Any, ATTEMPT]
    tracks: Annotated[Any, TRACK]
    queues: Annotated[Any, QUEUE]
    lines: Annotated[Any, QUEUED_LINE]
    queued: Annotated[Any, QUEUED]
    shifts: Annotated[Any, SHIFT]
    workers: Annotated[Any, WORKER]
    turns: Annotated[Any, WHOLE]
    sharers: Annotated[Any, SHARER]
    log: Annotated[Any, LOG]
    values: Annotated[Any, LOGGED_VALUE]
    done: Annotated[Any, CLOSED_CASE]
    paths: Annotated[Any, PATH]
    places: Annotated[Any, NUMBER]
    rejected: Annotated[Any, WHOLE]
    uniques: Annotated[Any, WHOLE]
    keys: Annotated[Any, WHOLE]
    after: Annotated[Any, AFTER]
    families: Annotated[Any, FAMILY]
    births: Annotated[Any, BIRTH]
    letters: Annotated[Any, LETTER]
    parcels: Annotated[Any, PARCEL]
    messages: Annotated[Any, MESSAGE]
    kept: Annotated[Any, WHOLE]
    waiting: Annotated[Any, NUMBER]
    who: Annotated[Any, NUMBER]
    table: Any


@cache
def _types(kind: Any) -> dict[str, Any]:
    """What is in each array of a class like `Known`."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items() if name != "table"}


def with_table(kind: Callable[..., T], arrays: Mapping[str, Any]) -> T:
    """A `Known`, a `Run` or the like of these arrays."""
    types = _types(kind)
    held = [np.ascontiguousarray(arrays[name]) for name in types]
    for (name, each), array in zip(types.items(), held):
        # Compiled code goes by the address alone.
        assert array.dtype == each, name
    table = np.array([each.ctypes.data for each in held] + [len(each) for each in held], np.int64)
    return kind(*held, table)


def empty(kind: Callable[..., T], n: int) -> T:
    """One with room for so many rows in each array, with anything in them."""
    types = _types(kind)
    # Arrow reads from where a cache line begins.
    ends = np.cumsum([-(-n * of.itemsize // 64) * 64 for of in types.values()]).tolist()
    memory = buffers.empty(ends[-1], np.dtype(np.uint8))
    begins = [0, *ends[:-1]]
    arrays = {name: memory[at : at + n * of.itemsize].view(of) for at, (name, of) in zip(begins, types.items())}
    return with_table(kind, arrays)
