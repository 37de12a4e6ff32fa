"""Letters: where they go, what they start, and how they come back, as `semantics.post` and `relations` say it (M7.3).

A letter has a row from the step on that sends it (`Run.letters`), and its values are a list from row to row
(`Run.parcels`). It is looked at once all effects of that step are carried out, in the order of the children that start
(`Run.after`). What is delivered keeps a number for ever (`Run.messages`): in the log it stands for the text of its id,
which is made once that is handed on (`FIRST_MESSAGE`), and it is the name of an instance that the letter starts. Python
is asked for the words of a refusal, and for what comes to the door of an instance that does not take it as it is.
"""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import copy_rows, rows_from
from wfsim.semantics.codes import (
    EVENT,
    INBOX,
    KEY_VALUE,
    MESSAGE_RETURNED,
    NONE,
    NULL,
    NUMBER,
    R_EVENT_REJECTED,
    R_STIMULUS_IGNORED,
    START,
    T_CLOSED,
    T_UNDECLARED,
)
from wfsim.semantics.later import njit
from wfsim.semantics.speed import keep_cell
from wfsim.simulation.calendar import Order
from wfsim.simulation.compiled.areas import empty_inbox, load
from wfsim.simulation.compiled.calendar import push
from wfsim.simulation.compiled.cases import begin_case, begin_output, free_slot, leave_family, vacate
from wfsim.simulation.compiled.families import found_family, has_inputs, set_input
from wfsim.simulation.compiled.keys import ask_for_key, holder_of, key_place, numbers_of
from wfsim.simulation.compiled.layout import EXPIRES, FIRST_MESSAGE, RECEIVED, RETURNS, TOLD
from wfsim.simulation.compiled.returns import ANSWER, DONE, ENDLESS, FILL, NAME, REASON, SLOTS, TABLES
from wfsim.simulation.compiled.spots import count, key_of, times

_njit = njit(nogil=True, error_model="numpy")
_apart = njit(nogil=True, error_model="numpy", apart=True)

admit: Any = None
mix_key: Any = None
"""Compiled functions of the kernel, which `roots` puts here where the calendar has to be compiled."""

OPEN_TO, CLOSED_TO = 1, -1
"""What `Run.who` says by the handle of a name: a slot and this, or that nobody of this name is reached any more."""
HAS_NONE, HAS_ONE = 1, 2
"""Of a letter to a parent: whether its sender has one."""
SERIALS = 2**31 - 1
BEGUN = -1
"""A letter starts an instance, which is let in next."""

_EVENT, _TIMER = int(Order.EVENT), int(Order.TIMER)


# --- what is known of events -------------------------------------------------------------------------------


@_njit
def event_in(k: Any, member: int, name: int) -> Any:
    """The row of the event of this name that others may send to instances of a workflow; -1 if it declares none."""
    p = rows_from(k.p, k.members[member].first_row)
    for event in range(p[0].first_event, p[0].first_event + p[0].n_events):
        if p[event].name == name and p[event].outside:
            return event
    return NONE


@_njit
def declared(k: Any, member: int, event: int) -> Any:
    """What else a workflow declares of an event."""
    given = k.members[member]
    return k.events[given.first_event + event - k.p[given.first_row].first_event]


@_njit
def member_called(k: Any, name: int) -> Any:
    """The workflow of this name, of several versions the last; -1 if there is none."""
    for member in range(k.settings[0].n_members - 1, -1, -1):
        if k.members[member].name == name:
            return member
    return NONE


@_njit
def is_there(r: Any, slot: int, epoch: int) -> Any:
    """Whether the instance that was in a slot is open still."""
    return slot >= 0 and r.cases[slot].epoch == epoch and r.cases[slot].open


# --- rows --------------------------------------------------------------------------------------------------


@_apart
def send(k: Any, r: Any, o: Any, slot: int, effect: Any) -> Any:
    """A letter of a step has its row; what is lacking first, or `DONE`."""
    s, case, given = r.state[0], r.cases[slot], k.settings[0]
    if case.name < 0:
        return NAME
    at = s.free_letter
    letter = r.letters[at]
    s.free_letter = letter.next
    s.n_letters += 1
    letter.sender, letter.epoch, letter.sender_name, letter.number = slot, case.epoch, case.name, effect.id
    letter.member, letter.event, letter.to = case.member, k.p[case.first_row + effect.event].name, effect.to
    letter.key_tag, letter.key_whole, letter.first_value, letter.reason = NONE, 0, NONE, NONE
    letter.receiver, letter.family, letter.kept, letter.message = NONE, NONE, 0, NONE
    last = NONE
    for n in range(o.tally[0].values):
        value = o.values[n]
        if value.seq != effect.seq:
            continue
        if value.name == KEY_VALUE:
            letter.key_tag, letter.key_whole = numbers_of(value)
            letter.key_real = value.tag == NUMBER
            continue
        number = s.free_parcel
        parcel = r.parcels[number]
        s.free_parcel = parcel.next
        s.n_parcels += 1
        keep_cell(value, parcel)
        parcel.name, parcel.next = value.name, NONE
        if last < 0:
            letter.first_value = number
        else:
            r.parcels[last].next = number
        last = number
    if letter.key_tag < 0:
        letter.to_parent = HAS_NONE if letter.to == given.parent else 0
        if letter.to_parent and case.parent_name >= 0:
            letter.to_parent = HAS_ONE
            letter.receiver = case.parent
            letter.receiver_epoch = r.cases[case.parent].epoch if case.parent >= 0 else 0
    else:
        name = k.sends[case.first_row + effect.event]
        count(k, r, case, name)
        letter.luck = mix_key(key_of(k, case, name), 1, times(k, r, case, name))
        letter.key, letter.depth = mix_key(case.key, 1, effect.id), case.depth
        found_family(k, r, slot).n_open += 1
        letter.family = case.family
    row = r.after[s.end_after]
    row.slot, row.bad, row.letter = NONE, 0, at
    s.end_after += 1
    return DONE


@_njit
def number_message(r: Any, at: int) -> None:
    """A letter has a number for ever, for which there is room."""
    s, letter = r.state[0], r.letters[at]
    if letter.message < 0:
        letter.message = s.n_messages
        message = r.messages[s.n_messages]
        s.n_messages += 1
        message.sender, message.epoch, message.number = letter.sender, letter.epoch, letter.number
        message.sender_name, message.text = letter.sender_name, NONE


@_njit
def free_letter(r: Any, at: int) -> None:
    """A letter is done with."""
    s, letter = r.state[0], r.letters[at]
    if letter.family >= 0:
        leave_family(r, letter.family)
    value = letter.first_value
    while value >= 0:
        parcel = r.parcels[value]
        following = parcel.next
        parcel.next = s.free_parcel
        s.free_parcel = value
        s.n_parcels -= 1
        value = following
    letter.serial = 0
    letter.next = s.free_letter
    s.free_letter = at
    s.n_letters -= 1


@_njit
def hand_over(r: Any, at: int, slot: int) -> None:
    """A letter reaches an instance in a later step, at the same time."""
    push(r, r.state[0].now, _EVENT, RECEIVED, slot, r.cases[slot].epoch, (at, 0, 0, 0))


@_njit
def go_back(r: Any, sender: int, epoch: int, number: int, reason: int) -> None:
    """What cannot be delivered is recorded at its sender in a later step, as long as that is open."""
    if is_there(r, sender, epoch):
        push(r, r.state[0].now, _EVENT, RETURNS, sender, epoch, (number, reason, 0, 0))


@_njit
def send_back(r: Any, at: int, reason: int) -> None:
    """A letter cannot be delivered."""
    letter = r.letters[at]
    go_back(r, letter.sender, letter.epoch, letter.number, reason)
    free_letter(r, at)


# --- letters that are kept ---------------------------------------------------------------------------------


@_njit
def place_for(r: Any, to: int, tag: int, whole: int) -> Any:
    """Where letters to a key of a workflow are kept, or with the tag -1 those to an instance."""
    return key_place(to, tag, whole) & (r.state[0].kept_places - 1)


@_njit
def keep(k: Any, r: Any, at: int, time_to_live: int) -> None:
    """A letter waits for who will get it, or comes back."""
    s, letter = r.state[0], r.letters[at]
    if time_to_live == 0:
        send_back(r, at, k.settings[0].no_instance)
        return
    s.n_ever_kept += 1
    letter.serial, letter.kept = s.n_ever_kept, 1
    s.n_kept += 1
    link_letter(r, at)
    push(r, s.now + time_to_live, _TIMER, EXPIRES, NONE, 0, (at, letter.serial & SERIALS, 0, 0))


@_njit
def link_letter(r: Any, at: int) -> None:
    """Let a letter that is kept be found."""
    letter = r.letters[at]
    place = place_for(r, letter.to, letter.key_tag, letter.key_whole)
    letter.next = r.kept[place]
    r.kept[place] = at


@_njit
def take_out(r: Any, at: int) -> None:
    """A letter is kept no more."""
    s, letter = r.state[0], r.letters[at]
    place = place_for(r, letter.to, letter.key_tag, letter.key_whole)
    before, other = NONE, r.kept[place]
    while other != at:
        before, other = other, r.letters[other].next
    if before < 0:
        r.kept[place] = letter.next
    else:
        r.letters[before].next = letter.next
    letter.kept = 0
    s.n_kept -= 1


@_apart
def link_kept(r: Any) -> None:
    """Let all letters that are kept be found, in a table of another size."""
    s = r.state[0]
    s.kept_linked = s.kept_places
    for at in range(s.letter_room):
        if r.letters[at].kept:
            link_letter(r, at)


@_njit
def gather(r: Any, to: int, tag: int, whole: int, n: int) -> Any:
    """Put letters that are kept in a place behind `n` others, in the order in which they came; returns how many."""
    at = r.kept[place_for(r, to, tag, whole)]
    while at >= 0:
        letter = r.letters[at]
        if letter.to == to and letter.key_tag == tag and letter.key_whole == whole:
            place = n
            while place > 0 and r.letters[r.waiting[place - 1]].serial > letter.serial:
                r.waiting[place] = r.waiting[place - 1]
                place -= 1
            r.waiting[place] = at
            n += 1
        at = letter.next
    return n


@_apart
def welcome(k: Any, r: Any, slot: int) -> None:
    """An instance is let in: what was kept for it comes, then what has started it."""
    s, case, given, n = r.state[0], r.cases[slot], k.settings[0], 0
    if given.by_id:
        r.who[case.name] = slot + OPEN_TO
        n = gather(r, case.name, NONE, 0, n)
    if case.key_tag >= 0:
        n = gather(r, k.members[case.member].name, case.key_tag, case.key_whole, n)
    for which in range(n):
        take_out(r, r.waiting[which])
        hand_over(r, r.waiting[which], slot)
    if s.letter >= 0:
        hand_over(r, s.letter, slot)
        s.letter = NONE
    # There is less room than was counted on.
    s.sure = 0


@_njit
def part_with(k: Any, r: Any, slot: int) -> None:
    """Nothing reaches an instance any more by its name."""
    if k.settings[0].by_id and r.cases[slot].name >= 0:
        r.who[r.cases[slot].name] = CLOSED_TO


# --- the post office ---------------------------------------------------------------------------------------


@_apart
def post(k: Any, r: Any, o: Any, at: int) -> Any:
    """What is to be done with a letter that was sent: that is done, and `DONE`, or `BEGUN`; or what is lacking."""
    letter = r.letters[at]
    if letter.reason >= 0:
        send_back(r, at, letter.reason)
        return DONE
    if letter.key_tag < 0:
        post_to_instance(k, r, at)
        return DONE
    holder = holder_of(k, r, letter.to, letter.key_tag, letter.key_whole)
    if holder >= 0:
        hand_over(r, at, holder)
        return DONE
    member = member_called(k, letter.to)
    if member < 0:
        return REASON
    event = event_in(k, member, letter.event)
    if event < 0:
        send_back(r, at, T_UNDECLARED)
        return DONE
    if declared(k, member, event).starts:
        return begin_by(k, r, o, at, member)
    keep(k, r, at, declared(k, member, event).time_to_live)
    return DONE


@_njit
def post_to_instance(k: Any, r: Any, at: int) -> None:
    """The same of a letter to the parent, or to an instance by its id."""
    letter = r.letters[at]
    if letter.to_parent:
        if letter.to_parent == HAS_NONE:
            send_back(r, at, k.settings[0].no_parent)
        elif is_there(r, letter.receiver, letter.receiver_epoch):
            hand_over(r, at, letter.receiver)
        else:
            send_back(r, at, T_CLOSED)
        return
    found = r.who[letter.to]
    if found > 0:
        hand_over(r, at, found - OPEN_TO)
    elif found == CLOSED_TO:
        send_back(r, at, T_CLOSED)
    else:
        event = event_in(k, letter.member, letter.event)
        keep(k, r, at, 0 if event < 0 else declared(k, letter.member, event).time_to_live)


@_apart
def begin_by(k: Any, r: Any, o: Any, at: int, member: int) -> Any:
    """A letter starts an instance, which lies in its area then with its inputs; or something is lacking."""
    s, given, letter, tally = r.state[0], k.settings[0], r.letters[at], o.tally[0]
    if s.n_messages >= s.message_room:
        return TABLES
    slot = free_slot(k, r, member)
    if slot < 0:
        return SLOTS
    begin_case(k, r, slot, given.first_child + s.n_others, letter.key, letter.luck)
    case = r.cases[slot]
    begin_output(r, o, member)
    fits = k.members[member].key_code >= 0
    value = letter.first_value
    while value >= 0 and fits:
        parcel = r.parcels[value]
        fits = parcel.tag == NULL or set_input(k, r, o, slot, parcel, False)
        value = parcel.next
    fits = fits and has_inputs(k, r, slot)
    if fits and tally.question < 0:
        fits = ask_for_key(k, r, o, slot) and case.key_tag == letter.key_tag and case.key_whole == letter.key_whole
        # It gets its key once it is let in.
        case.key_tag = NONE
    if tally.question >= 0 or not fits:
        vacate(r, slot)
        return ANSWER if tally.question >= 0 else REASON
    family = r.families[letter.family]
    if letter.depth >= given.most_depth or family.n >= given.most_relatives:
        vacate(r, slot)
        if not s.endless:
            s.endless, s.endless_name, s.endless_depth = family.n + 1, letter.sender_name, letter.depth + 1
            return ENDLESS
        s.n_others += 1
        family.n += 1
        send_back(r, at, given.no_more)
        return DONE
    s.n_others += 1
    family.n += 1
    case.family, case.depth = letter.family, letter.depth + 1
    letter.family = NONE
    number_message(r, at)
    case.name = FIRST_MESSAGE + letter.message
    i = r.areas[member].m + INBOX
    copy_rows(r.m, i, k.box, 0, 1)
    r.m[i].kind, r.m[i].time = START, s.now
    r.now[0].what = TOLD
    s.slot, s.letter = slot, at
    return BEGUN


# --- what is due -------------------------------------------------------------------------------------------


@_apart
def take_letter(k: Any, r: Any) -> Any:
    """What is due of a letter: returns the slot of who gets it, or gets it back; -1 if that is nobody."""
    entry = r.now[0]
    if entry.what == EXPIRES:
        if is_kept(r, entry):
            take_out(r, entry.a)
            send_back(r, entry.a, k.settings[0].expired)
        return NONE
    if not is_there(r, entry.slot, entry.epoch):
        if entry.what == RECEIVED:
            send_back(r, entry.a, T_CLOSED)
        return NONE
    if entry.what == RETURNS:
        load(k, r, entry.slot)
        inbox = empty_inbox(k, r, entry.slot)
        inbox.kind, inbox.serial, inbox.reason = MESSAGE_RETURNED, entry.a, entry.b
    return entry.slot


@_njit
def is_kept(r: Any, entry: Any) -> Any:
    """Whether a letter whose time to live is over is kept still."""
    letter = r.letters[entry.a]
    return letter.kept and (letter.serial & SERIALS) == entry.b


@_apart
def fill_letter(k: Any, r: Any, o: Any, slot: int) -> Any:
    """Put a letter into the inbox of who gets it; what is lacking, or `DONE`.

    What the door does not take as it is, and what no field is declared for, takes Python to tell of (M7.1).
    """
    case, letter, tally = r.cases[slot], r.letters[r.now[0].a], o.tally[0]
    number_message(r, r.now[0].a)
    load(k, r, slot)
    inbox = empty_inbox(k, r, slot)
    event, p = event_in(k, case.member, letter.event), rows_from(k.p, case.first_row)
    if event < 0:
        return FILL
    area = r.areas[case.member]
    area.filled = 1
    first, n = area.v + p[0].inbox_cells + 1, p[event].n_fields
    value = letter.first_value
    while value >= 0:
        parcel, field = r.parcels[value], 0
        while field < n and p[p[event].first_field + field].name != parcel.name:
            field += 1
        if field == n:
            return FILL
        keep_cell(parcel, r.v[first + field])
        value = parcel.next
    begin_output(r, o, case.member)
    if declared(k, case.member, event).closed:
        for field in range(n):
            row = p[event].first_field + field
            is_null = r.v[first + field].tag == NULL
            if (is_null and not p[row].optional) or (not is_null and admit(p, r.v, o, row, first + field, 1) >= 0):
                return FILL
        if tally.question >= 0:
            return ANSWER
    inbox.kind, inbox.event = EVENT, event
    inbox.event_id, inbox.sender = FIRST_MESSAGE + letter.message, letter.sender_name
    return DONE


@_apart
def turn_back(r: Any, o: Any) -> None:
    """Letters that a step has turned away for good go back (`post.turned_away`)."""
    for n in range(o.tally[0].records):
        record = o.records[n]
        if record.event_id < FIRST_MESSAGE:
            continue
        if record.kind == R_EVENT_REJECTED or (record.kind == R_STIMULUS_IGNORED and record.reason == T_CLOSED):
            message = r.messages[record.event_id - FIRST_MESSAGE]
            if message.sender >= 0:
                go_back(r, message.sender, message.epoch, message.number, record.reason)
                message.sender = NONE
