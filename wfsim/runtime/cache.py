"""Instances as they were left, so that the next stimulus need not build them from their images."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wfsim.semantics.instance import Instance

MOST = 2_000


class Cache:
    """The instances used last, by id and version; from any thread. What is taken must be put back."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._turn = threading.Lock()
        self._kept: OrderedDict[str, Instance] = OrderedDict()

    def take(self, name: str, version: int) -> Instance | None:
        """An instance, if it is here in this version; it is the caller's then."""
        with self._turn:
            found = self._kept.pop(name, None)
        return found if found is not None and found.version == version else None

    def put(self, name: str, instance: Instance) -> None:
        """Keep an instance as a transaction has left it."""
        with self._turn:
            self._kept[name] = instance
            self._kept.move_to_end(name)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
