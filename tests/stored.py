"""What a store holds after its runs: the history that an engine on it shows."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from wfsim.runtime.opening import assembled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wfsim.history.history import History
    from wfsim.model.functions import Python


@contextlib.contextmanager
def open_history(path: Path, functions: Mapping[str, Python] | None = None) -> Iterator[History]:
    """The history of a store that nobody has open; nothing happens there meanwhile."""
    with assembled(f"sqlite:///{path}") as engine:
        engine.core.families.give(functions)
        yield engine.history
