"""Payloads of records as JSON: an expression in SQL over the other columns, worked out only for rows that are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.semantics.codes import (
    BOOLEAN,
    FAULT,
    INTEGER,
    LIST,
    NUMBER,
    OBJECT,
    R_STARTED,
    RECORD_KINDS,
    STRING,
)
from wfsim.semantics.records import CALLED, LISTS, NUMBERS, VALUES_CALLED

from .handles import json_of
from .schema import KEY_SLOT, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Of lists nothing stands here, so that the members which are made for all others are null.
_OPENED = [
    None if kind in LISTS else f'"{VALUES_CALLED[kind]}":{{' if kind in VALUES_CALLED else ""
    for kind in range(len(RECORD_KINDS))
]
_CLOSED = ["}" if opened else "" for opened in _OPENED]
SAID = f"""
CASE WHEN v.tag IN ({STRING}, {FAULT}) THEN to_json(v."text")::VARCHAR
    WHEN v.tag = {NUMBER} THEN v."real"::VARCHAR
    WHEN v.tag = {INTEGER} THEN v.whole::VARCHAR
    WHEN v.tag = {BOOLEAN} THEN if(v.whole = 1, 'true', 'false')
    WHEN v.tag IN ({LIST}, {OBJECT}) THEN v."text"
    ELSE 'null' END
"""
"""In SQL, the JSON of a stored value `v`."""


def texts(names: Iterable[str | None]) -> str:
    """A list of texts in SQL."""
    listed = ("NULL" if name is None else f"'{quoted(name)}'" for name in names)
    return f"[{', '.join(listed)}]::VARCHAR[]"


def payload(names: Mapping[str, Sequence[str]], started: str) -> str:
    """What each row of `records` says beside its columns, as `records.record_of` does: an object in JSON.

    Parameters
    ----------
    names
        The names of each dimension.
    started
        In SQL, what the first record of a case tells of its workflow: members in JSON.
    """
    said_of = {name: texts(map(json_of, names[f"{name}_names"])) for name in ("timer", "command", "slot")}
    members = [_member(name, column) for name, column in _WHOLE.items()]
    members += [
        _member("timer", f"({said_of['timer']})[clock + 1]"),
        _member("command", f"({said_of['command']})[command + 1]"),
    ]
    for name, called in CALLED.items():
        words = texts(json_of(called.get(kind, name)) + ":" for kind in range(len(RECORD_KINDS)))
        members.append(f"({words})[kind + 1] || to_json({name})::VARCHAR")
    members.append(f"if(kind = {R_STARTED}, {started} || ',\"seed\":' || key, NULL)")
    members.append(_member("key", joined(f"CASE WHEN v.slot = {KEY_SLOT} THEN {SAID} END")))
    members += _values(said_of["slot"])
    return f"('{{' || concat_ws(',', {', '.join(members)}) || '}}')::JSON"


_WHOLE = {"transition": "transition"} | {name: {"place": "timer"}.get(name, f'"{name}"') for name in NUMBERS}
"""Whole numbers by their name in the payload, with their column."""


def _member(name: str, text: str) -> str:
    return f"""'"{name}":' || {text}"""


def _values(slots: str) -> tuple[str, str]:
    """The members that hold the values of a record, of most kinds and of those with lists; null for none.

    Not in one CASE: dividing rows with lists among its branches takes DuckDB three times as long as working them out.
    """
    # Without a name, an object's members stand among the others; a key stands by itself.
    said = f"""
CASE WHEN v.slot >= 0 THEN ({slots})[v.slot + 1] || ':' || {SAID}
    WHEN v.slot IS NULL THEN nullif(v."text"[2:-2], '') END
"""
    lists = f"({slots})[\"values\"[1].slot + 1] || ':[' || {joined(SAID)} || ']'"
    return (
        f"({texts(_OPENED)})[kind + 1] || {joined(said)} || ({texts(_CLOSED)})[kind + 1]",
        f"if(kind IN ({', '.join(map(str, LISTS))}), {lists}, NULL)",
    )


def joined(said: str, values: str = '"values"') -> str:
    """What is said of each value `v`, with commas between; null if nothing is.

    `array_to_string` and `nullif` are macros that repeat what they are given: a question of `history` would take 15 ms
    more, before it reads a row.
    """
    return f"list_aggregate(list_transform({values}, lambda v: {said}), 'string_agg', ',')"
