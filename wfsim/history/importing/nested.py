"""Attributes of XES that have attributes themselves, as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from . import scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Tags(Protocol):
    """What knows the texts behind rows of tags."""

    def text_at(self, at: int) -> str:
        """The value of a row."""

    def key_at(self, at: int) -> str:
        """The key of a row."""


def nested_values(tags: Tags, rows: NDArray[np.int64], direct: NDArray[np.int64]) -> dict[int, str]:
    """The JSON of those rows that have attributes within, or are lists, by row.

    Each is an object `{"type": …, "key": …, "value": …, "children": [the same, …]}`, without what it has not.
    """
    import numpy as np

    wide = (rows[direct, scan.NAME] == scan.LIST_TAG) | (rows[direct, scan.NAME] == scan.CONTAINER_TAG)
    following = np.minimum(direct + 1, len(rows) - 1)
    within = (rows[direct, scan.FLAGS] & scan.CLOSED == 0) & (rows[following, scan.FLAGS] & scan.END == 0)
    return {
        at: json.dumps(_object(tags, rows, at)[0], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        for at in direct[wide | within].tolist()
    }


def _object(tags: Tags, rows: NDArray[np.int64], at: int) -> tuple[dict[str, Any], int]:
    """What a row and those within say, and the row behind them."""
    name = int(rows[at, scan.NAME])
    said: dict[str, Any] = {"type": scan.KNOWN[name]} if name < len(scan.KNOWN) else {}
    if rows[at, scan.KEY] >= 0:
        said["key"] = tags.key_at(at)
    if rows[at, scan.START] >= 0:
        said["value"] = tags.text_at(at)
    place = at + 1
    if rows[at, scan.FLAGS] & scan.CLOSED:
        return said, place
    children = []
    while not rows[place, scan.FLAGS] & scan.END:
        child, place = _object(tags, rows, place)
        children.append(child)
    if children:
        said["children"] = children
    return said, place + 1
