"""The search of `space`, compiled: what can happen in a state, the compiled step, and the states it leads to.

The twin of `WorkflowSpace.search`, to be read beside it: states and edges come in the same order. It returns to its
caller for everything that needs Python or more room, says in `LACKING` what it lacks, and goes on where it was.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wfsim.semantics import dtypes, speed
from wfsim.semantics.addresses import out, rows
from wfsim.semantics.codec import ROWS
from wfsim.semantics.codes import (
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CONTROL,
    EVENT,
    FAILED,
    INBOX,
    NONE,
    R_EVENT_DEFERRED,
    R_EVENT_DISCARDED,
    R_EVENT_REJECTED,
    R_STATE_ENTERED,
    R_STIMULUS_IGNORED,
    R_TRANSITION,
    R_TRANSITION_ABORTED,
    TIMED_OUT,
    TIMER,
)
from wfsim.semantics.later import njit
from wfsim.semantics.possible import ATTEMPT, KIND, NAMED, POSSIBILITY, ROW, UNTAKEN
from wfsim.verification.workflows.borrowed import borrowed
from wfsim.verification.workflows.byte_keys import Integers, Keys, add, decode, encode, find, hash_of, number_of

_njit = njit(nogil=True)
# Calls that pass tuples of arrays count references to each of them; inside one function most of that is pruned.
_inlined = njit(nogil=True, inline="always")

step: Any = None
pack: Any = None
unpack: Any = None
possible: Any = None
"""Compiled functions of the kernel, which `compiled_cache` puts here where the search has to be compiled."""

# --- the search's own numbers, in an array so that they outlive a return ---------------------------------------

AT, STIMULUS, STIMULI, PREPARED, SCRIPT, EDGES, BUDGET, MAX_STATES, LACKING, ANSWERED = range(10)
"""Places in `state`: the state that is expanded; which of its stimuli is next, and how many it has; whether they are
listed and the state's memory is rebuilt; how many answers the script has; edges found so far; how many steps may
still be made before returning; most states; what is lacking; how many questions have an answer."""
N_STATE = 10

DONE, PAUSED, FULL, LIST, ANSWER, MADE, ROOM, GROW = range(8)
"""Why the search returned: every state is expanded; the budget is used up; `MAX_STATES` was reached; the list of
stimuli `LACKING` is not made yet; question `LACKING` has no answer yet; the step asks for a value that is made of
others; an instance needs more rows or a step more output; a table is nearly full."""

TIMER_FIRES, ATTEMPT_STARTS, CANCEL = range(3)
"""The first templates of stimuli."""
UNNAMED, RESULTS = 0, 1
"""Lists of stimuli behind those numbered like the rows they belong to: results that nothing looks at, and results
that no variable takes up. Behind these come, in the same order, the lists of how a child closes."""
N_LISTS = 2
TOLD_EVENT, TOLD_ACTIVITY, TOLD_TARGET, TOLD_STATE = range(1, 5)
"""Which column of a record names what it is about; 0: it is not told."""
QUESTION = 5
"""Words of a question before its cells: its number, left, right, state, and whether it may read a payload."""


_CELL_FIELDS = dtypes.CELL.fields
assert _CELL_FIELDS is not None
TAG, WHOLE, REAL = (_CELL_FIELDS[name][1] // 8 for name in ("tag", "whole", "real"))
"""Where in the three words of a cell its fields lie."""


class Memory(NamedTuple):
    """An instance's rows and cells as the compiled step sees them, and the same memory as words."""

    m: Any
    words: Integers
    v: Any
    cells: Integers


@_njit
def copy_rows(source: Any, first: Any, target: Any, place: Any, n: Any) -> None:
    """Copy `n` rows; a loop, as an assignment of slices looks for overlaps first."""
    for k in range(n):
        for word in range(source.shape[1]):
            target[place + k, word] = source[first + k, word]


class Known(NamedTuple):
    """What is given: the workflow, and its candidate stimuli as they lie in the inbox."""

    p: Any
    fresh: Memory
    told: Integers
    inboxes: Integers
    """Templates: the inbox as words."""
    payloads: Integers
    """Templates: the cells of the payload, three words each."""
    first: Integers
    end: Integers
    """Which templates a list has; -1 if it is not made yet."""
    answers: Any
    """The answers to questions, by their numbers in `questions`."""
    choices: Any
    """For an erased program the answers that each host expression may have, one after another."""
    choice: Integers
    """Where those of each begin; empty if the program is not erased."""


class Work(NamedTuple):
    """What is written on: one instance, the state it is put back to, output, and lines of words."""

    memory: Memory
    base: Memory
    o: Any
    o_cells: Integers
    scratch: Integers
    words: Integers
    key: NDArray[np.uint8]
    stimuli: Integers
    """The stimuli of the state that is expanded: template, and two numbers that say of what."""
    script: Integers
    asked: Integers


class Found(NamedTuple):
    """What was found."""

    states: Keys
    happened: Keys
    stimuli: Keys
    scripts: Keys
    questions: Keys
    failures: Keys
    """Closed state and reason."""
    failure_edge: Integers
    before: Integers
    """The edge by which each state was found."""
    ends: Integers
    """How many edges there are when the edges of a state are all found."""
    target: Integers
    stimulus: Integers
    script: Integers
    what: Integers
    """Of each edge where it leads, and the numbers of what happens in the tables above."""
    taken: Integers
    reached: Integers
    aborted: Integers
    """Of each row of the program the first edge that did it, -1 if none did, -2 if it is known from elsewhere."""


# --- what can happen -----------------------------------------------------------------------------------------


@_njit
def _put(stimuli: Any, n: Any, template: Any, what: Any, which: Any) -> Any:
    """Add a stimulus; where there is no room, it is only counted."""
    if n < stimuli.shape[0]:
        stimuli[n, 0], stimuli[n, 1], stimuli[n, 2] = template, what, which
    return n + 1


@_njit
def _list_of(p: Any, kind: Any, row: Any) -> Any:
    """Which list has the stimuli of a possibility."""
    if kind in (EVENT, ACTIVITY_FAILED):
        return row
    taken = row if row >= 0 else p.shape[0] + (RESULTS if row == UNTAKEN else UNNAMED)
    return taken if kind == ACTIVITY_SUCCEEDED else p.shape[0] + N_LISTS + taken


@_njit
def _stimuli(known: Any, work: Any, state: Any) -> Any:
    """List what can happen to the instance in `base`; returns how much. A list that is not made yet is lacking."""
    p, w, stimuli = known.p, work.words, work.stimuli
    n = 0
    state[LACKING] = NONE
    for at in range(0, POSSIBILITY * possible(rows(p), rows(work.base.m), 0, work.scratch, w), POSSIBILITY):
        kind, row, named, attempt = w[at + KIND], w[at + ROW], w[at + NAMED], w[at + ATTEMPT]
        if kind == TIMER:
            n = _put(stimuli, n, TIMER_FIRES, row, named)
        elif kind == ACTIVITY_STARTED:
            n = _put(stimuli, n, ATTEMPT_STARTS, named, attempt)
        elif kind == CONTROL:
            n = _put(stimuli, n, CANCEL, 0, 0)
        else:
            which = _list_of(p, kind, row)
            if known.first[which] < 0 and state[LACKING] < 0:
                state[LACKING] = which
            for template in range(known.first[which], known.end[which]):
                n = _put(stimuli, n, template, named, attempt)
    return n


@_njit
def _set_up(known: Any, work: Any) -> Any:
    """Make `base` the instance with the line in `words`; False if it has too few rows."""
    base, fresh = work.base, known.fresh
    if known.p[0].first_queued + 1 + work.words[ROWS] > base.m.shape[0]:
        return False
    copy_rows(fresh.words, 0, base.words, 0, base.words.shape[0])
    copy_rows(fresh.cells, 0, base.cells, 0, base.cells.shape[0])
    unpack(rows(known.p), rows(base.m), rows(base.v), 0, work.scratch, work.words)
    return True


# --- the step ------------------------------------------------------------------------------------------------


@_inlined
def _set_off(known: Any, work: Any, template: Any, what: Any, which: Any) -> None:
    """Put the instance back, with the stimulus in its inbox and no output yet."""
    memory = work.memory
    copy_rows(work.base.words, 0, memory.words, 0, memory.words.shape[0])
    copy_rows(work.base.cells, 0, memory.cells, 0, memory.cells.shape[0])
    copy_rows(known.inboxes, template, memory.words, INBOX, 1)
    inbox = memory.m[INBOX]
    if inbox.kind == TIMER:
        inbox.timer = what
        inbox.serial = which
    elif inbox.kind != EVENT and inbox.kind != CONTROL:
        inbox.serial = what
        inbox.attempt = which
    n = known.p[0].n_fields
    first = known.p[0].inbox_cells
    copy_rows(known.payloads, template * n, memory.cells, first, n)
    tally = work.o.tally[0]
    tally.records, tally.values, tally.effects, tally.full, tally.asked = 0, 0, 0, 0, 0
    tally.question, tally.left, tally.right, tally.wanted, tally.state, tally.payload = NONE, 0, 0, 0, 0, 0


@_inlined
def _put_question(p: Any, work: Any) -> Any:
    """Write the question that the step puts, with all that it may read; returns how many words."""
    tally = work.o.tally[0]
    w = work.words
    w[0], w[1], w[2], w[3], w[4] = tally.question, tally.left, tally.right, tally.state, tally.payload
    at = QUESTION
    for k in range(p[0].n_variables + (p[0].n_fields if tally.payload else 0)):
        w[at], w[at + 1], w[at + 2] = work.o_cells[k, TAG], work.o_cells[k, WHOLE], work.o_cells[k, REAL]
        at += 3
    return at


@_inlined
def _answer(known: Any, work: Any, found: Any, state: Any, n: Any, n_asked: Any) -> Any:
    """Put the answer to the step's question at place `n`; returns what is lacking, or DONE.

    What the host answers follows from what it may read, so each different question is put to it once.
    """
    question = work.o.tally[0].question
    if question >= speed.MADE_QUESTION:
        return MADE
    answer = work.o.answers[n]
    if known.choice.shape[0] > 0:
        chosen = work.script[n_asked] if n_asked < state[SCRIPT] else 0
        given = known.choices[known.choice[question] + chosen]
    else:
        number = number_of(found.questions, work.words, _put_question(known.p, work), work.key)
        if number < 0:
            return GROW
        if number >= state[ANSWERED]:
            state[LACKING] = number
            return ANSWER
        given = known.answers[number]
    answer.tag, answer.whole, answer.real = given.tag, given.whole, given.real
    return DONE


@_inlined
def _is_vain(work: Any) -> Any:
    """Whether an event came in vain, so that nobody needs to send it."""
    o = work.o
    if work.memory.m[INBOX].kind != EVENT or o.tally[0].records < 2:
        return False
    kind = o.records[1].kind
    return kind in (R_EVENT_REJECTED, R_EVENT_DEFERRED, R_EVENT_DISCARDED, R_STIMULUS_IGNORED)


@_inlined
def _put_happened(known: Any, o: Any, w: Any) -> Any:
    """Write which records of `TOLD` a step makes, and what they are about; returns how many words."""
    n = 0
    for k in range(o.tally[0].records):
        record = o.records[k]
        column = known.told[record.kind]
        if column == 0:
            continue
        row = record.event
        if column == TOLD_ACTIVITY:
            row = record.activity
        elif column == TOLD_TARGET:
            row = record.to_state
        elif column == TOLD_STATE:
            row = record.state
        if row >= 0:
            w[n], w[n + 1] = record.kind, row
            n += 2
    return n


@_inlined
def _note_first(found: Any, o: Any, edge: Any) -> None:
    for k in range(o.tally[0].records):
        record = o.records[k]
        if record.kind == R_TRANSITION:
            if found.taken[record.transition] == NONE:
                found.taken[record.transition] = edge
            if record.to_state >= 0 and found.reached[record.to_state] == NONE:
                found.reached[record.to_state] = edge
        elif record.kind == R_TRANSITION_ABORTED:
            if found.aborted[record.transition] == NONE:
                found.aborted[record.transition] = edge
        elif record.kind == R_STATE_ENTERED and found.reached[record.state] == NONE:
            found.reached[record.state] = edge


@_inlined
def _keep(known: Any, work: Any, found: Any, state: Any) -> Any:
    """Add the edge that the step has made, and the state it leads to; returns what is lacking, or DONE.

    Where something is lacking the whole may be repeated: nothing is added twice.
    """
    edge = state[EDGES]
    if edge >= found.target.shape[0]:
        return GROW
    w, key = work.words, work.key
    what = number_of(found.happened, w, _put_happened(known, work.o, w), key)
    script = number_of(found.scripts, work.script, state[SCRIPT], key)
    stimulus = number_of(found.stimuli, work.stimuli[state[STIMULUS]], 3, key)
    if what < 0 or script < 0 or stimulus < 0:
        return GROW
    m = work.memory.m
    length = encode(w, pack(rows(known.p), rows(m), rows(work.memory.v), 0, work.scratch, w), key)
    hashed = hash_of(key, length)
    target = find(found.states, key, length, hashed)
    if target < 0:
        if found.states.size[0] >= state[MAX_STATES]:
            return FULL
        target = add(found.states, key, length, hashed)
        if target < 0:
            return GROW
        found.before[target] = edge
    if m[0].status == FAILED or m[0].status == TIMED_OUT:
        w[0], w[1] = target, work.o.records[work.o.tally[0].records - 1].reason
        n = found.failures.size[0]
        failure = number_of(found.failures, w, 2, key)
        if failure < 0:
            return GROW
        if failure == n:
            found.failure_edge[failure] = edge
    found.target[edge] = target
    found.stimulus[edge] = stimulus
    found.script[edge] = script
    found.what[edge] = what
    _note_first(found, work.o, edge)
    state[EDGES] = edge + 1
    return DONE


@_inlined
def _next_script(work: Any, state: Any, n_asked: Any) -> Any:
    """The next answers to try: the last question that has a further answer gets it, and later ones start over."""
    for at in range(state[SCRIPT], n_asked):
        work.script[at] = 0
    for at in range(n_asked - 1, -1, -1):
        if work.script[at] + 1 < work.asked[at]:
            work.script[at] += 1
            state[SCRIPT] = at + 1
            return True
    state[SCRIPT] = 0
    return False


@_inlined
def _happen(known: Any, work: Any, found: Any, state: Any) -> Any:
    """Let one stimulus happen, with one script of answers; returns what is lacking, or DONE."""
    n_answers = n_asked = 0
    memory, tally = work.memory, work.o.tally[0]
    at = state[STIMULUS]
    template, what, which = work.stimuli[at, 0], work.stimuli[at, 1], work.stimuli[at, 2]
    while True:
        _set_off(known, work, template, what, which)
        tally.n_answers = n_answers
        state[BUDGET] -= 1
        step(rows(known.p), rows(memory.m), rows(memory.v), out(work.o), 0)
        if tally.full:
            return ROOM
        if tally.question < 0:
            break
        if n_answers >= work.o.answers.shape[0]:
            return ROOM
        why = _answer(known, work, found, state, n_answers, n_asked)
        if why != DONE:
            return why
        if known.choice.shape[0] > 0:
            work.asked[n_asked] = known.choice[tally.question + 1] - known.choice[tally.question]
            n_asked += 1
        n_answers += 1
    if not _is_vain(work):
        why = _keep(known, work, found, state)
        if why != DONE:
            return why
    if not _next_script(work, state, n_asked):
        state[STIMULUS] += 1
    return DONE


@_njit
def _search(known: Any, work: Any, found: Any, state: Any) -> Any:
    while state[AT] < found.states.size[0]:
        if not state[PREPARED]:
            decode(found.states, state[AT], work.words)
            if not _set_up(known, work):
                return ROOM
            state[STIMULI] = _stimuli(known, work, state)
            if state[LACKING] >= 0:
                return LIST
            if state[STIMULI] > work.stimuli.shape[0]:
                return ROOM
            state[PREPARED] = 1
        while state[STIMULUS] < state[STIMULI]:
            if state[BUDGET] <= 0:
                return PAUSED
            why = _happen(known, work, found, state)
            if why != DONE:
                return why
        found.ends[state[AT]] = state[EDGES]
        state[AT] += 1
        state[STIMULUS] = 0
        state[PREPARED] = 0
    return DONE


def search(known: Known, work: Work, found: Found, state: Any) -> Any:
    """Visit states breadth first, from where the last call left off; returns why it came back."""
    return _search(borrowed(known), borrowed(work), borrowed(found), borrowed(state))
