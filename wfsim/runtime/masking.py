"""Secrets are kept out of whatever is stored: what echoes one has *** in its place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from wfsim.model.values import Value

MASK = "***"


def _inside_json(text: str, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


class Mask:
    """Puts *** in the place of secrets, as they are and as JSON and addresses spell them.

    Parameters
    ----------
    secrets
        Their values.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        spelt = {
            form
            for each in secrets
            for form in (each, *map(_inside_json, (each, each), (True, False)), quote(each, safe=""), quote_plus(each))
        }
        # The longest first: one may be part of another.
        self._spelt = sorted(spelt, key=lambda form: (-len(form), form))

    def text(self, text: str) -> str:
        """A text without secrets."""
        for form in self._spelt:
            text = text.replace(form, MASK)
        return text

    def value(self, value: Value) -> Value:
        """A JSON value, of bounded depth, without secrets in its texts, keys and numbers."""
        if not self._spelt:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, Mapping):
            return {self.text(key): self.value(each) for key, each in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool) and self.text(repr(value)) != repr(value):
            return MASK
        return value
