"""Workflows to YAML: the canonical form, and changes put into an existing text so that its comments stay."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from wfsim.model.duration import Duration
from wfsim.model.elements import FieldType
from wfsim.model.operations import ActivityWork, Compensation
from wfsim.model.published import SECONDS_KEYS
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_reader import plain_scalar

LINE_WIDTH = 110
_ENDLESS = 1_000_000
_SECTIONS = ("variables", "events", "activities", "states", "transitions")
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
_OPAQUE = frozenset({"parameters", "metadata", "payload", "input", "initial", "variables"})


def to_data(model: BaseModel) -> dict[str, Any]:
    """Plain data of a definition in canonical form: keys in order, defaults left out, durations as text.

    An `unhandled` that was written stays even where it says the default: writing it is a decision (M7.1).
    """
    data: dict[str, Any] = {}
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        stated = name in model.model_fields_set and name == "unhandled" and value is not None
        default = info.get_default(call_default_factory=True, validated_data={})
        is_default = not info.is_required() and type(value) is type(default) and value == default
        if is_default and not stated and not (isinstance(model, Workflow) and name == "version"):
            continue
        data[info.alias or name] = _plain(value)
    return data


def _plain(value: Any) -> Any:
    match value:
        case FieldType() if not value.optional:
            return value.type.value
        case Compensation() if value.when == "completed":
            return value.activity
        case ActivityWork() if not value.parameters and value.result_variable is None:
            return value.name
        case BaseModel():
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


def write(workflow: Workflow) -> str:
    """The canonical text."""
    return _text(_built(to_data(workflow), ()), _ENDLESS)


def rewrite(text: str, old: Workflow, new: Workflow) -> str:
    """The text of `old`, changed to say `new`: parts that are equal keep their comments and layout."""
    width = max([LINE_WIDTH, *map(len, text.splitlines())])
    document = _round_trip(width).load(text)
    respelt = _canonise(document)
    before, after = to_data(old), to_data(new)
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
    if list(old) != [key for key in new if key in old] + [key for key in old if key not in new]:
        _reorder(node, new)
    tail = _cut_tail(node)
    for key in [key for key in node if key in old and key not in new]:
        node.ca.items.pop(key, None)
        del node[key]
    before: str | None = None
    for key, value in new.items():
        if key in node:
            if key not in old or not _same(old[key], value):
                node[key] = _merge(node[key], old.get(key), value, (*path, key))
        else:
            position = list(node).index(before) + 1 if before is not None else 0
            node.insert(position, _scalar(key), _built(value, (*path, key)))
        before = key
    _hang_tail(node, tail)


def _reorder(node: Any, new: dict[str, Any]) -> None:
    """Bring the keys of a section such as `variables` into the new order, comments with them."""
    kept = [key for key in new if key in node]
    for key in kept:
        node.move_to_end(key)


def _merge_list(node: Any, old: list[Any], new: list[Any], path: tuple[str | int, ...]) -> None:
    origin = _matched(old, new)
    tail = _cut_tail(node)
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
    _hang_tail(node, tail)


def _matched(old: list[Any], new: list[Any]) -> list[int | None]:
    """For each new item the old one it comes from: the same, else of the same name, else of the same ends."""
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
    return origin


def _ends(item: Any, *keys: str) -> tuple[Any, ...] | None:
    return tuple(item.get(key) for key in keys) if _is_map(item) and "from" in item else None


def _last_comment(node: Any) -> tuple[Any, list[Any], int] | None:
    """Owner, slots and index of the comment that stands behind the last leaf below a node."""
    if not node or not hasattr(node, "ca"):
        return None
    key = list(node)[-1] if _is_map(node) else len(node) - 1
    inner = node[key]
    if _is_container(inner) and inner and hasattr(inner, "ca") and not inner.fa.flow_style():
        return _last_comment(inner)
    slots = node.ca.items.get(key)
    slot = 2 if _is_map(node) else 0
    if slots is None or len(slots) <= slot or slots[slot] is None:
        return None
    return node, slots, slot


def _cut_tail(node: Any) -> str:
    """Take away the comment lines below the last leaf: they introduce what follows, not this leaf."""
    found = _last_comment(node)
    if found is None:
        return ""
    _, slots, slot = found
    first, newline, rest = slots[slot].value.partition("\n")
    if not rest:
        return ""
    slots[slot].value = first + newline
    return str(rest)


def _hang_tail(node: Any, tail: str) -> None:
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    if not tail:
        return
    found = _last_comment(node)
    if found is not None:
        _, slots, slot = found
        slots[slot].value = slots[slot].value.rstrip("\n") + "\n" + tail
        return
    while True:
        key = list(node)[-1] if _is_map(node) else len(node) - 1
        inner = node[key]
        if _is_container(inner) and inner and not inner.fa.flow_style():
            node = inner
            continue
        token = CommentToken("\n" + tail, CommentMark(0), None)
        node.ca.items[key] = [None, None, token, None] if _is_map(node) else [token, None, None, None]
        return
