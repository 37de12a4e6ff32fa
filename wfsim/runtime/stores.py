"""Stores shared by the runs of this process: one open file, as long as some run needs it."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from wfsim.errors import HistoryError, StartRefused
from wfsim.history.store import Store

from .exchange import Exchange

Where: TypeAlias = "str | os.PathLike[str] | Store | None"

MEMORY = ":memory:"


@dataclass
class _Shared:
    store: Store
    key: tuple[int, str] | None
    ours: bool
    exchange: Exchange
    ids: set[str] = field(default_factory=set)
    leases: int = 0


_turn = threading.RLock()
_shared: dict[tuple[int, str], _Shared] = {}
_lent: dict[int, _Shared] = {}


class Lease:
    """The right of one run to write to a store; the last one to be released closes the file."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._id: str | None = None
        self._released = False

    @property
    def store(self) -> Store:
        """The store."""
        return self._shared.store

    @property
    def exchange(self) -> Exchange:
        """What carries messages between the runs of the store."""
        return self._shared.exchange

    @property
    def in_memory(self) -> bool:
        """Whether it ends with its last run."""
        return str(self._shared.store.path) == MEMORY

    def claim(self, name: str) -> None:
        """Let no other run of this process drive the instance.

        Raises
        ------
        StartRefused
            If one does.
        """
        with _turn:
            if name in self._shared.ids:
                raise StartRefused(f"{name!r} is being run by this process already. Use that run, or close it first.")
            self._shared.ids.add(name)
            self._id = name

    def release(self) -> None:
        """The run needs the store no more; asking twice is harmless."""
        with _turn:
            if self._released:
                return
            self._released = True
            if self._id is not None:
                self._shared.ids.discard(self._id)
            self._shared.leases -= 1
            if self._shared.leases == 0:
                if self._shared.key is not None:
                    del _shared[self._shared.key]
                _lent.pop(id(self._shared.store), None)
                if self._shared.ours:
                    self._shared.store.close()


def _shared_of(store: Store, key: tuple[int, str] | None) -> _Shared:
    return _Shared(store, key, ours=True, exchange=Exchange(store))


def lease(where: Where, *, must_exist: bool = False) -> Lease:
    """Open a store, or share the one that this process has open.

    Parameters
    ----------
    where
        A path, a `Store` of the caller's (who then closes it), or `None` for one in memory.
    must_exist
        Refuse to make a new file.

    Raises
    ------
    HistoryError
        If the file is missing or cannot be opened.
    """
    with _turn:
        if isinstance(where, Store):
            # Known by identity; the entry keeps the store alive, so the number is not given out again.
            shared = _lent.setdefault(id(where), _Shared(where, None, ours=False, exchange=Exchange(where)))
        elif where is None:
            shared = _shared_of(Store(MEMORY), None)
        else:
            path = Path(where)
            if must_exist and not path.is_file():
                raise HistoryError(f"{path}: there is no such store. Give the path that the run was started with.")
            # A forked process must not write through its parent's connection, hence the process id.
            key = (os.getpid(), os.path.realpath(path))
            if key not in _shared:
                _shared[key] = _shared_of(Store(path), key)
            shared = _shared[key]
        shared.leases += 1
        return Lease(shared)
