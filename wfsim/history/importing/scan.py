"""The tags of an XES file as rows of numbers: a compiled scanner of XML, without what makes XML dangerous.

It knows elements, attributes, comments, CDATA, processing instructions and the five entities of XML with numbered
characters; a document type is refused, so there is nothing to expand [1]_. Text between tags is passed over, as XES has
none. Every tag is checked: it is closed by its own name, its attributes are quoted, different and without `<`.

References
----------
.. [1] Bray et al. (2008), Extensible Markup Language (XML) 1.0 (Fifth Edition).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wfsim.semantics.later import njit
from wfsim.semantics.roots import Root

KNOWN = ("log", "trace", "event", "string", "date", "int", "float", "boolean", "id", "list", "container", "values")
(
    LOG,
    TRACE,
    EVENT,
    STRING_TAG,
    DATE_TAG,
    INT_TAG,
    FLOAT_TAG,
    BOOLEAN_TAG,
    ID_TAG,
    LIST_TAG,
    CONTAINER_TAG,
    VALUES_TAG,
) = range(len(KNOWN))
"""Names of elements that have the first numbers; others, and keys, get theirs as they come."""

NAME, DEPTH, KEY, START, LENGTH, FLAGS = range(6)
"""Columns of a row: the element, how many are around it, its key, where its value is (-1: none), what else holds."""
CLOSED, ESCAPED, END = 1, 2, 4
"""Flags: closed in itself, a value with entities or line ends, an end tag."""

AT, DEEP, FAULT, FAULT_AT, ROWS, STARTED = range(6)
"""Places in `state`: first byte that is not told of, elements open there, what is wrong and where, rows, root seen."""
(
    FINE,
    NOT_XML,
    CUT,
    DOCTYPE,
    TOO_DEEP,
    TOO_MANY_NAMES,
    BAD_TAG,
    BAD_ATTRIBUTE,
    TWICE,
    BAD_ENTITY,
    MISMATCH,
    BAD_CHARACTER,
    TRAILING,
    FULL,
) = range(14)
MAX_DEPTH = 64
MAX_NAMES = 1 << 16
SAFE_DEPTH = 2
"""Rows end where at most so many elements are open: after an event, or between attributes of a trace."""

_njit = njit(nogil=True)
_PRIME = np.uint64(1099511628211)
_BASIS = np.uint64(14695981039346656037)


@_njit
def is_space(c: Any) -> Any:
    """White space of XML."""
    return c == 32 or c == 10 or c == 13 or c == 9


@_njit
def is_name(c: Any) -> Any:
    """Whether a byte may stand in a name: letters, digits, `.-_:` and all beyond ASCII."""
    return (
        (97 <= c <= 122) or (65 <= c <= 90) or (48 <= c <= 57) or c == 95 or c == 58 or c == 45 or c == 46 or c >= 128
    )


@_njit
def begins_name(c: Any) -> Any:
    """Whether a name may begin with a byte."""
    return is_name(c) and not (48 <= c <= 57) and c != 45 and c != 46


@_njit
def number_of(data: Any, start: Any, length: Any, slots: Any, ends: Any, arena: Any) -> Any:
    """The number of a name, which is added if it is new; -1 if there is no room."""
    hashed = _BASIS
    for k in range(length):
        hashed = (hashed ^ np.uint64(data[start + k])) * _PRIME
    mask = slots.shape[0] - 1
    slot = np.int64((hashed ^ (hashed >> np.uint64(32))) & np.uint64(mask))
    while slots[slot] > 0:
        number = slots[slot] - 1
        first = ends[number]
        if ends[number + 1] - first == length:
            k = 0
            while k < length and arena[first + k] == data[start + k]:
                k += 1
            if k == length:
                return np.int64(number)
        slot = (slot + 1) & mask
    # The last place of `ends` counts the names.
    number = ends[ends.shape[0] - 1]
    first = ends[number]
    if number + 2 >= ends.shape[0] or first + length > arena.shape[0]:
        return np.int64(-1)
    for k in range(length):
        arena[first + k] = data[start + k]
    ends[number + 1] = first + length
    ends[ends.shape[0] - 1] = number + 1
    slots[slot] = number + 1
    return np.int64(number)


@_njit
def entity_end(data: Any, i: Any, n: Any) -> Any:
    """Behind the entity at `i`; -1 if it is none of XML's own, -2 if it is not all there."""
    k = i + 1
    while k < n and k < i + 12 and data[k] != 59:
        k += 1
    if k >= n:
        return np.int64(-2)
    if data[k] != 59:
        return np.int64(-1)
    length = k - i - 1
    first = data[i + 1]
    if first == 35:
        code = character_at(data, i, k)
        allowed = code == 9 or code == 10 or code == 13 or 32 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD
        return np.int64(k + 1) if allowed or 0x10000 <= code <= 0x10FFFF else np.int64(-1)
    a, b, c, d = data[i + 1], data[i + 2], data[i + 3], data[i + 4]
    known = (length == 2 and (a == 108 or a == 103) and b == 116) or (length == 3 and a == 97 and b == 109 and c == 112)
    if length == 4:
        known = (a == 113 and b == 117 and c == 111 and d == 116) or (a == 97 and b == 112 and c == 111 and d == 115)
    return np.int64(k + 1) if known else np.int64(-1)


@_njit
def character_at(data: Any, i: Any, k: Any) -> Any:
    """The number of the character that `&#…;` from `i` to `k` says; -1 if it says none."""
    at = i + 2
    base = 10
    if data[at] == 120:
        base = 16
        at += 1
    if at >= k:
        return np.int64(-1)
    code = np.int64(0)
    while at < k:
        c = np.int64(data[at])
        digit = np.int64(-1)
        if 48 <= c <= 57:
            digit = c - 48
        elif base == 16 and 97 <= c <= 102:
            digit = c - 87
        elif base == 16 and 65 <= c <= 70:
            digit = c - 55
        if digit < 0:
            return np.int64(-1)
        code = code * base + digit
        at += 1
    return np.int64(code)


@_njit
def fault(state: Any, what: Any, where: Any) -> Any:
    """Note what is wrong."""
    state[FAULT] = what
    state[FAULT_AT] = where
    return np.int64(-1)


@_njit
def passed(data: Any, i: Any, n: Any, state: Any) -> Any:
    """Behind the comment, CDATA or instruction at `i`; -2 if it is not all there, -1 if something is wrong."""
    if data[i + 1] == 63:
        if (
            i + 6 <= n
            and data[i + 2] == 120
            and data[i + 3] == 109
            and data[i + 4] == 108
            and is_space(data[i + 5])
            and i > 0
        ):
            return fault(state, BAD_TAG, i)
        k = i + 2
        while k + 1 < n:
            if data[k] == 63 and data[k + 1] == 62:
                return np.int64(k + 2)
            k += 1
        return np.int64(-2)
    if n - i < 9:
        return np.int64(-2)
    if data[i + 2] == 45 and data[i + 3] == 45:
        k = i + 4
        while k + 2 < n:
            if data[k] == 45 and data[k + 1] == 45:
                return np.int64(k + 3) if data[k + 2] == 62 else fault(state, BAD_TAG, i)
            k += 1
        return np.int64(-2)
    cdata = (91, 67, 68, 65, 84, 65, 91)
    for k in range(7):
        if data[i + 2 + k] != cdata[k]:
            doctype = data[i + 2] == 68 or data[i + 2] == 69
            return fault(state, DOCTYPE if doctype else BAD_TAG, i)
    if state[DEEP] == 0:
        return fault(state, BAD_TAG, i)
    k = i + 9
    while k + 2 < n:
        if data[k] == 93 and data[k + 1] == 93 and data[k + 2] == 62:
            return np.int64(k + 3)
        k += 1
    return np.int64(-2)


@_njit
def between(data: Any, i: Any, n: Any, state: Any) -> Any:
    """The next `<` from `i` on, or `n`; -2 if an entity is not all there, -1 if something is wrong."""
    outside = state[DEEP] == 0
    while i < n and data[i] != 60:
        c = data[i]
        if outside and not is_space(c):
            return fault(state, TRAILING if state[STARTED] else NOT_XML, i)
        if c < 32 and not is_space(c):
            return fault(state, BAD_CHARACTER, i)
        if c == 38:
            end = entity_end(data, i, n)
            if end == -2:
                return end
            if end < 0:
                return fault(state, BAD_ENTITY, i)
            i = end
        else:
            i += 1
    return np.int64(i)


@_njit
def is_value(data: Any, i: Any) -> Any:
    """Whether five bytes are `value`."""
    said = (118, 97, 108, 117, 101)
    k = 0
    while k < 5 and data[i + k] == said[k]:
        k += 1
    return k == 5


@_njit
def attributes(data: Any, i: Any, n: Any, state: Any, row: Any, seen: Any) -> Any:
    """Read the attributes of a start tag into `row`, up to `>` or `/>`; where these begin, or -1 or -2."""
    count = 0
    while True:
        spaced = False
        while i < n and is_space(data[i]):
            spaced = True
            i += 1
        if i >= n:
            return np.int64(-2)
        if data[i] == 62 or data[i] == 47:
            return np.int64(i)
        if not spaced or not begins_name(data[i]):
            return fault(state, BAD_ATTRIBUTE, i)
        name = i
        while i < n and is_name(data[i]):
            i += 1
        length = i - name
        while i < n and is_space(data[i]):
            i += 1
        if i < n and data[i] != 61:
            return fault(state, BAD_ATTRIBUTE, name)
        i += 1
        while i < n and is_space(data[i]):
            i += 1
        if i >= n:
            return np.int64(-2)
        quote = data[i]
        if quote != 34 and quote != 39:
            return fault(state, BAD_ATTRIBUTE, name)
        i += 1
        value = i
        escaped = False
        while i < n and data[i] != quote:
            c = data[i]
            if c < 32:
                if not is_space(c):
                    return fault(state, BAD_CHARACTER, i)
                escaped = True
                i += 1
            elif c == 60:
                return fault(state, BAD_ATTRIBUTE, name)
            elif c == 38:
                end = entity_end(data, i, n)
                if end == -2:
                    return end
                if end < 0:
                    return fault(state, BAD_ENTITY, i)
                escaped = True
                i = end
            else:
                i += 1
        if i >= n:
            return np.int64(-2)
        for other in range(count):
            if seen[other, 1] == length:
                k = 0
                while k < length and data[seen[other, 0] + k] == data[name + k]:
                    k += 1
                if k == length:
                    return fault(state, TWICE, name)
        if count == seen.shape[0]:
            return fault(state, BAD_ATTRIBUTE, name)
        seen[count, 0] = name
        seen[count, 1] = length
        count += 1
        if length == 3 and data[name] == 107 and data[name + 1] == 101 and data[name + 2] == 121:
            row[KEY] = value
            row[DEPTH] = i - value
        elif length == 5 and is_value(data, name):
            row[START] = value
            row[LENGTH] = i - value
            row[FLAGS] |= ESCAPED if escaped else 0
        i += 1


@_njit
def named(data: Any, i: Any, n: Any) -> Any:
    """Behind the name at `i`."""
    while i < n and is_name(data[i]):
        i += 1
    return np.int64(i)


@_njit
def local(data: Any, i: Any, end: Any) -> Any:
    """Where the name begins behind its prefix."""
    for k in range(i, end):
        if data[k] == 58:
            return np.int64(k + 1)
    return np.int64(i)


def scan(data: Any, n: Any, state: Any, stack: Any, rows: Any, slots: Any, ends: Any, arena: Any, seen: Any) -> Any:
    """Tell of the tags in the first `n` bytes, from `state[AT]` on, in `rows`.

    Rows are complete up to `state[AT]`, where the next call goes on with what lies behind; `state[FAULT]` says what is
    wrong, or that `rows` is full.
    """
    i = state[AT]
    count = 0
    safe_at, safe_count, safe_deep = i, 0, state[DEEP]
    while True:
        i = between(data, i, n, state)
        if i < 0 or i >= n - 1:
            break
        if data[i + 1] == 33 or data[i + 1] == 63:
            i = passed(data, i, n, state)
            if i < 0:
                break
            if state[DEEP] <= SAFE_DEPTH:
                safe_at, safe_count, safe_deep = i, count, state[DEEP]
            continue
        if count >= rows.shape[0]:
            fault(state, FULL, i)
            break
        row = rows[count]
        row[KEY] = row[START] = np.int64(-1)
        row[LENGTH] = row[FLAGS] = 0
        if data[i + 1] == 47:
            end = named(data, i + 2, n)
            while end < n and is_space(data[end]):
                end += 1
            if end >= n:
                break
            last = named(data, i + 2, n)
            if data[end] != 62 or last == i + 2:
                fault(state, BAD_TAG, i)
                break
            deep = state[DEEP] - 1
            told = deep < SAFE_DEPTH or stack[1, 1] == TRACE
            number = number_of(data, i + 2, last - i - 2, slots, ends, arena)
            if deep < 0 or stack[deep, 0] != number:
                fault(state, MISMATCH, i)
                break
            state[DEEP] = deep
            row[NAME] = stack[deep, 1]
            row[DEPTH] = deep
            row[FLAGS] = END
            i = end + 1
        else:
            if not begins_name(data[i + 1]):
                fault(state, BAD_TAG, i)
                break
            last = named(data, i + 1, n)
            end = attributes(data, last, n, state, row, seen)
            if end == -2 or (end >= 0 and data[end] == 47 and end + 1 >= n):
                break
            if end < 0:
                i = end
                break
            closed = data[end] == 47
            if closed and data[end + 1] != 62:
                fault(state, BAD_TAG, i)
                break
            deep = state[DEEP]
            if deep == 0 and state[STARTED]:
                fault(state, TRAILING, i)
                break
            if deep >= MAX_DEPTH:
                fault(state, TOO_DEEP, i)
                break
            # What lies deeper in the log than its traces says nothing of them, and may have any number of keys.
            told = deep < SAFE_DEPTH or stack[1, 1] == TRACE
            whole = number_of(data, i + 1, last - i - 1, slots, ends, arena)
            begin = local(data, i + 1, last)
            number = whole if begin == i + 1 else number_of(data, begin, last - begin, slots, ends, arena)
            key = np.int64(-1)
            if told and row[KEY] >= 0:
                key = number_of(data, row[KEY], row[DEPTH], slots, ends, arena)
            if whole < 0 or number < 0 or (told and row[KEY] >= 0 and key < 0):
                fault(state, TOO_MANY_NAMES, i)
                break
            row[NAME] = number
            row[DEPTH] = deep
            row[KEY] = key
            state[STARTED] = 1
            if closed:
                row[FLAGS] |= CLOSED
                i = end + 2
            else:
                stack[deep, 0] = whole
                stack[deep, 1] = number
                state[DEEP] = deep + 1
                i = end + 1
        count += told
        if state[DEEP] <= SAFE_DEPTH:
            safe_at, safe_count, safe_deep = i, count, state[DEEP]
    state[AT] = safe_at
    state[ROWS] = safe_count
    state[DEEP] = safe_deep
    return np.int64(state[FAULT])


@_njit
def utf_8(code: Any, into: Any, at: Any) -> Any:
    """Write a character; where the next one begins."""
    if code < 0x80:
        into[at] = code
        return np.int64(at + 1)
    if code < 0x800:
        into[at] = 0xC0 | (code >> 6)
        into[at + 1] = 0x80 | (code & 0x3F)
        return np.int64(at + 2)
    if code < 0x10000:
        into[at] = 0xE0 | (code >> 12)
        into[at + 1] = 0x80 | ((code >> 6) & 0x3F)
        into[at + 2] = 0x80 | (code & 0x3F)
        return np.int64(at + 3)
    into[at] = 0xF0 | (code >> 18)
    into[at + 1] = 0x80 | ((code >> 12) & 0x3F)
    into[at + 2] = 0x80 | ((code >> 6) & 0x3F)
    into[at + 3] = 0x80 | (code & 0x3F)
    return np.int64(at + 4)


def gather(data: Any, rows: Any, which: Any, offsets: Any, into: Any) -> Any:
    """Put the values of some rows behind one another, entities resolved; `offsets` has one place more than `which`.

    No value grows by that, so `into` needs the sum of their lengths.
    """
    at = np.int64(0)
    for k in range(which.shape[0]):
        offsets[k] = at
        row = rows[which[k]]
        i = row[START]
        end = i + row[LENGTH]
        if row[FLAGS] & ESCAPED == 0:
            while i < end:
                into[at] = data[i]
                at += 1
                i += 1
            continue
        while i < end:
            c = data[i]
            if c == 38:
                stop = entity_end(data, i, end)
                if data[i + 1] == 35:
                    at = utf_8(character_at(data, i, stop - 1), into, at)
                else:
                    second = data[i + 2]
                    said = 38
                    if data[i + 1] == 108:
                        said = 60
                    elif data[i + 1] == 103:
                        said = 62
                    elif data[i + 1] == 113:
                        said = 34
                    elif second == 112:
                        said = 39
                    into[at] = said
                    at += 1
                i = stop
            else:
                # A line end is a space in an attribute, and CR with LF is one.
                if not (c == 13 and i + 1 < end and data[i + 1] == 10):
                    into[at] = 32 if is_space(c) else c
                    at += 1
                i += 1
    offsets[which.shape[0]] = at
    return at


def enter(name: Any, length: Any, slots: Any, ends: Any, arena: Any) -> Any:
    """`number_of` a name that is all there is."""
    return number_of(name, np.int64(0), length, slots, ends, arena)


SCAN = Root(scan, {})
ENTER = Root(enter, {})
GATHER = Root(gather, {})
