"""What a store holds after its runs: the history that an engine on it shows."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from wfsim.runtime.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wfsim.history.history import History


@contextlib.contextmanager
def open_history(path: Path) -> Iterator[History]:
    """The history of a store that nobody has open; nothing happens there meanwhile."""
    with Engine(f"sqlite:///{path}", None, None, clock=None, worker=None) as engine:
        yield engine.history
