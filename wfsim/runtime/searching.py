"""Variables by which instances are found (`searchable`), as they are stored and asked for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .places import key_text

if TYPE_CHECKING:
    from wfsim.model.values import Value
    from wfsim.semantics.instance import Instance

LONGEST = 200
"""Longer values are stored as their hash: what an index takes has a bound."""


def value_text(value: Value) -> str | None:
    """A value as it is stored; `None` for null, and for lists and objects, by which nobody is found."""
    if isinstance(value, (list, dict)):
        return None
    text = key_text(value)
    if text is None or len(text) <= LONGEST:
        return text
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def searched(instance: Instance) -> dict[str, str]:
    """The values by which an instance is found now, by variable."""
    names = [name for name, variable in instance.program.variables.items() if variable.searchable]
    if not names:
        return {}
    values = instance.variables
    texts = {name: value_text(values[name]) for name in names}
    return {name: text for name, text in texts.items() if text is not None}
