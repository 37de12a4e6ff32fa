"""Workflows to YAML: the canonical form, and changes put into an existing text so that its comments stay."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from typing import Any

from wfsim.model.connectors import Command
from wfsim.model.declared import FieldType
from wfsim.model.duration import Duration
from wfsim.model.elements import Datum, Variable
from wfsim.model.fields import Element, written_fields
from wfsim.model.operations import ActivityWork, Compensation
from wfsim.model.published import SECONDS_KEYS
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_reader import plain_scalar

LINE_WIDTH = 110
_ENDLESS = 1_000_000
_SECTIONS = ("types", "variables", "events", "activities", "states", "transitions")
_DURATION_KEYS = frozenset(
    {
        "timeout",
        "after",
        "schedule_to_start",
        "schedule_to_close",
        "heartbeat",
        "initial_interval",
        "max_interval",
        "time_to_live",
        "every",
        "offset",
    }
)
_OPAQUE = frozenset(
    {
        "parameters",
        "metadata",
        "payload",
        "input",
        "initial",
        "variables",
        "types",
        "data",
        "query",
        "headers",
        "body",
        "errors",
        "stdin",
        "environment",
    }
)


def to_data(model: Element) -> dict[str, Any]:
    """Plain data of a definition in canonical form: keys in order, defaults left out, durations as text.

    An `unhandled` that was written stays even where it says the default: writing it is a decision (M7.1).
    """
    data: dict[str, Any] = {}
    for name, info in written_fields(type(model)).items():
        value = getattr(model, name)
        stated = name in model.model_fields_set and name == "unhandled" and value is not None
        default = info.get_default(call_default_factory=True, validated_data=model.__dict__)
        is_default = not info.is_required() and type(value) is type(default) and value == default
        if is_default and not stated and not (isinstance(model, Workflow) and name == "version"):
            continue
        data[info.alias or name] = _plain(value)
    return data


def _plain(value: Any) -> Any:
    match value:
        case Variable() if not isinstance(value, Datum):
            return to_data(value)
        case FieldType():
            return _type(value)
        case Compensation() if value.when == "completed":
            return value.activity
        case Command() if value.model_fields_set <= {"run"}:
            return _plain(value.run)
        case ActivityWork() if not value.parameters and value.result_variable is None:
            return value.name
        case Element():
            return to_data(value)
        case Duration():
            return str(value)
        case Enum():
            return value.value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _type(declared: FieldType) -> Any:
    """The shortest spelling: the name of a type alone, or an object by its fields alone."""
    data = to_data(declared)
    if not set(data) - {"type"}:
        return data.get("type", "any")
    fields = data.get("fields", {})
    if set(data) == {"type", "fields"} and fields and not {"type", "fields"} & set(fields):
        return fields
    return data


def write(workflow: Workflow) -> str:
    """The canonical text."""
    return write_data(to_data(workflow))


def write_data(data: Mapping[str, Any], comments: Mapping[tuple[str | int, ...], str] | None = None) -> str:
    """The text of plain data as `to_data` gives it; comments stand in a line before what they are about, by path."""
    document = _built(dict(data), ())
    for path, text in (comments or {}).items():
        _comment(document, path, " ".join(text.split()))
    return _text(document, _ENDLESS)


def _comment(document: Any, path: tuple[str | int, ...], text: str) -> None:
    """Put a comment before a node, and all around it on lines of their own."""
    node, depth = document, 0
    for key in path[:-1]:
        node.fa.set_block_style()
        node = node[key]
        depth += 2 if isinstance(key, str) else 0
    node.fa.set_block_style()
    node.yaml_set_comment_before_after_key(path[-1], before=text, indent=depth)


def rewrite(text: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    """A text that says `before`, changed to say `after`: parts that are equal keep their comments and layout."""
    width = max([LINE_WIDTH, *map(len, text.splitlines())])
    document = _round_trip(width).load(text)
    respelt = _canonise(document)
    if not respelt and _same(before, after):
        return text
    _merge_mapping(document, before, after, ())
    return _text(document, width)


def _round_trip(width: int) -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.Representer = _representer()
    yaml.preserve_quotes = True
    yaml.width = width
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


@lru_cache(maxsize=1)
def _representer() -> Any:
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        """Writes null as `null`; the emitter's own choice, nothing at all, reads like a mistake."""

    def null(representer: Any, value: None) -> Any:
        return representer.represent_scalar("tag:yaml.org,2002:null", "null")

    Representer.add_representer(type(None), null)
    return Representer


def _text(document: Any, width: int) -> str:
    stream = io.StringIO()
    _round_trip(width).dump(document, stream)
    return str(stream.getvalue())


# Building ------------------------------------------------------------------------------------------------


def _built(value: Any, path: tuple[str | int, ...]) -> Any:
    """A node for the emitter: short mappings and lists on one line, sections and long ones in blocks."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, str):
        return _scalar(value)
    if not isinstance(value, dict | list):
        return value
    section = len(path) == 0 or path[-1] in _SECTIONS or (path and path[-1] == "regions")
    short = len(json.dumps(value, ensure_ascii=False)) + 2 * len(path) <= LINE_WIDTH - 10
    node: Any
    if isinstance(value, dict):
        node = CommentedMap()
        for key, item in value.items():
            node[_scalar(key)] = _built(item, (*path, key))
    else:
        node = CommentedSeq([_built(item, (*path, index)) for index, item in enumerate(value)])
    if value and (section or not short):
        node.fa.set_block_style()
    else:
        node.fa.set_flow_style()
    return node


def _scalar(text: str) -> str:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

    if not text.isprintable():
        escaped: str = DoubleQuotedScalarString(text)
        return escaped
    try:
        # A leading sign is left to quotes: the emitter writes `?x` plain where it then reads as a key.
        same = plain_scalar(text) == text and (text[0].isalnum() or text[0] == "_")
    except ValueError:
        same = False
    quoted: str = SingleQuotedScalarString(text)
    return text if same else quoted


# Merging -------------------------------------------------------------------------------------------------


def _canonise(node: Any) -> bool:
    """Spell durations our way: no `_seconds` keys, no bare numbers of seconds. True if something changed."""
    if _is_list(node):
        return sum(_canonise(item) for item in node) > 0
    if not _is_map(node):
        return False
    changed = False
    for index, key in enumerate(list(node)):
        value = node[key]
        if key in SECONDS_KEYS:
            ours = SECONDS_KEYS[key]
            comment = node.ca.items.pop(key, None)
            del node[key]
            node.insert(index, ours, str(Duration.of(value)))
            if comment is not None:
                node.ca.items[ours] = comment
            changed = True
        elif key in _DURATION_KEYS and _is_seconds(value):
            node[key] = str(Duration.of(value))
            changed = True
        elif key == "timeouts" and _is_map(value):
            changed |= _canonise_timeouts(value)
        elif key not in _OPAQUE:
            changed |= _canonise(value)
    return changed


def _canonise_timeouts(timeouts: Any) -> bool:
    changed = False
    for owner in (timeouts, timeouts.get("states")):
        for key, value in list(owner.items()) if _is_map(owner) else ():
            if _is_seconds(value):
                owner[key] = str(Duration.of(value))
                changed = True
    return changed


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_map(node: Any) -> bool:
    return isinstance(node, dict)


def _is_list(node: Any) -> bool:
    return isinstance(node, list)


def _is_container(node: Any) -> bool:
    return isinstance(node, dict | list)


def _same(left: Any, right: Any) -> bool:
    return json.dumps(left) == json.dumps(right)


def _merge(node: Any, old: Any, new: Any, path: tuple[str | int, ...]) -> Any:
    if _is_map(node) and _is_map(old) and _is_map(new) and new:
        _merge_mapping(node, old, new, path)
        return node
    if _is_list(node) and _is_list(old) and _is_list(new) and len(node) == len(old) and new:
        _merge_list(node, old, new, path)
        return node
    return _built(new, path)


def _merge_mapping(node: Any, old: dict[str, Any], new: dict[str, Any], path: tuple[str | int, ...]) -> None:
    origin = _renamed(old, new) if path and path[-1] in _SECTIONS else {}
    intros, end = _cut_intros(node)
    values, comments = dict(node.items()), dict(node.ca.items)
    order = _ordered(list(node), old, new, origin)
    for key in values:
        del node[key]
    node.ca.items.clear()
    for key in order:
        source = origin.get(key, key)
        if source not in values:
            node[_scalar(key)] = _built(new[key], (*path, key))
        elif key not in new or (source in old and _same(old[source], new[key])):
            node[key if source == key else _scalar(key)] = values[source]
        else:
            node[_scalar(key)] = _merge(values[source], old.get(source), new[key], (*path, key))
        if source in comments:
            node.ca.items[key] = comments[source]
    _hang_intros(node, {key: intros[origin.get(key, key)] for key in order if origin.get(key, key) in intros}, end)


def _renamed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    """For each new name of a section the one in its place, where as many are new as are gone."""
    gone = [key for key in old if key not in new]
    fresh = [key for key in new if key not in old]
    return dict(zip(fresh, gone, strict=True)) if len(gone) == len(fresh) else {}


def _ordered(written: list[str], old: dict[str, Any], new: dict[str, Any], origin: dict[str, str]) -> list[str]:
    """The keys to be written: as they were, where that says what is new; defaults that were written stay."""
    came = [origin.get(key, key) for key in new if key in old or key in origin]
    if list(old) != came + [key for key in old if key not in came]:
        kept = [key for key in came if key in written]
        written = [*(key for key in written if key not in kept), *kept]
    names = {source: key for key, source in origin.items()}
    order = [names.get(key, key) for key in written]
    order = [key for key in order if key in new or key not in old]
    before: str | None = None
    for key in new:
        if key not in order:
            order.insert(order.index(before) + 1 if before is not None else 0, key)
        before = key
    return order


def _merge_list(node: Any, old: list[Any], new: list[Any], path: tuple[str | int, ...]) -> None:
    origin = matched(old, new)
    intros, end = _cut_intros(node)
    items, comments = list(node), dict(node.ca.items)
    list.clear(node)
    node.ca.items.clear()
    for index, value in enumerate(new):
        source = origin[index]
        if source is None:
            list.append(node, _built(value, (*path, index)))
            continue
        same = _same(old[source], value)
        list.append(node, items[source] if same else _merge(items[source], old[source], value, (*path, index)))
        if source in comments:
            node.ca.items[index] = comments[source]
    kept = {index: intros[source] for index, source in enumerate(origin) if source in intros}
    _hang_intros(node, kept, end)


def matched(old: list[Any], new: list[Any]) -> list[int | None]:
    """For each new item the old one it comes from: the same, else of the same name, of the same ends, in its place."""
    free = dict.fromkeys(range(len(old)))
    origin: list[int | None] = [None] * len(new)
    kinships: list[Callable[[Any], Any]] = [
        lambda item: json.dumps(item),
        lambda item: item.get("name") if _is_map(item) else None,
        lambda item: _ends(item, "from", "event", "to"),
        lambda item: _ends(item, "from", "event"),
        lambda item: _ends(item, "from", "to"),
    ]
    for kinship in kinships:
        for index, value in enumerate(new):
            identity = kinship(value)
            if origin[index] is not None or identity is None:
                continue
            for candidate in free:
                if kinship(old[candidate]) == identity:
                    origin[index] = candidate
                    del free[candidate]
                    break
    unknown = [index for index, source in enumerate(origin) if source is None]
    if len(unknown) == len(free):
        for index, candidate in zip(unknown, list(free), strict=True):
            origin[index] = candidate
    return origin


def _ends(item: Any, *keys: str) -> tuple[Any, ...] | None:
    return tuple(item.get(key) for key in keys) if _is_map(item) and "from" in item else None


def _keys(node: Any) -> list[Any]:
    return list(node) if _is_map(node) else list(range(len(node)))


def _cut_intros(node: Any) -> tuple[dict[Any, str], str]:
    """Take away the comment lines above each entry but the first, and those below the last one.

    The reader hangs them on the last leaf of what stands before; they belong to what follows.
    """
    keys = _keys(node)
    tails = [_cut_tail(node, key) for key in keys]
    intros = {key: tail for key, tail in zip(keys[1:], tails, strict=False) if tail}
    return intros, tails[-1] if tails else ""


def _hang_intros(node: Any, intros: dict[Any, str], end: str) -> None:
    """Put comment lines above the entries that they introduce, and below the last one."""
    keys = _keys(node)
    if keys[0] in intros:
        # Nothing of this node stands before its first entry: the lines go into a place of their own.
        lines = [line.strip().removeprefix("#").removeprefix(" ") for line in intros[keys[0]].rstrip("\n").split("\n")]
        node.yaml_set_comment_before_after_key(keys[0], before="\n".join(lines), indent=node.lc.col or 0)
    for key, following in pairwise(keys):
        _hang_tail(node, key, intros.get(following, ""))
    _hang_tail(node, keys[-1], end)


def _last_comment(node: Any, key: Any) -> tuple[list[Any], int] | None:
    """Slots and index of the comment that stands behind the last leaf of an entry."""
    inner = node[key]
    if _is_container(inner) and inner and hasattr(inner, "ca") and not inner.fa.flow_style():
        return _last_comment(inner, _keys(inner)[-1])
    slots = node.ca.items.get(key)
    slot = 2 if _is_map(node) else 0
    if slots is None or len(slots) <= slot or slots[slot] is None:
        return None
    return slots, slot


def _cut_tail(node: Any, key: Any) -> str:
    """Take away the comment lines below the last leaf of an entry."""
    ending = _cut_end(node[key])
    found = _last_comment(node, key)
    if found is None:
        return ending
    slots, slot = found
    first, newline, rest = slots[slot].value.partition("\n")
    if rest:
        slots[slot].value = first + newline
    return f"{rest}{ending}"


def _cut_end(node: Any) -> str:
    """Take away the comment lines that the reader hangs on the end of a list, not on its last leaf."""
    if not _is_container(node) or not node or not hasattr(node, "ca"):
        return ""
    inner = _cut_end(node[_keys(node)[-1]])
    tokens, node.ca.end = node.ca.end or [], []
    return inner + "".join(" " * token.start_mark.column + token.value for token in tokens)


def _hang_tail(node: Any, key: Any, tail: str) -> None:
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    if not tail:
        return
    found = _last_comment(node, key)
    if found is not None:
        slots, slot = found
        slots[slot].value = slots[slot].value.rstrip("\n") + "\n" + tail
        return
    while _is_container(node[key]) and node[key] and not node[key].fa.flow_style():
        node = node[key]
        key = _keys(node)[-1]
    token = CommentToken("\n" + tail, CommentMark(0), None)
    node.ca.items.setdefault(key, [None, None, None, None])[2 if _is_map(node) else 0] = token
