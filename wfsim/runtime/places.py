"""Where messages wait for who has an id, or a key: the places that senders and receivers hold against each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wfsim.model.values import Value


def key_text(key: Value) -> str | None:
    """A key as it is stored; 5 and 5.0 are one key, 1 and true are two (M10.1)."""
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    return None if key is None else json.dumps(key)


def key_of(text: str) -> Value:
    """The key that a text stands for."""
    found: Value = json.loads(text)
    return found


def place_of(workflow: str, key: str) -> str:
    """Where a message to a key waits; no id of an instance has a line break."""
    return f"{workflow}\n{key}"


def places_of(name: str, workflow: str, key: str | None) -> list[str]:
    """Where messages for an instance may wait."""
    return [name] if key is None else [name, place_of(workflow, key)]
