"""A history, as those need it who are asked for by a method of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from .importing.report import Imported
    from .questions import Result
    from .runs import Run


class Asked(Protocol):
    """A `History`; see there."""

    path: Path

    @property
    def runs(self) -> Sequence[Run]:
        """The runs."""

    @property
    def imported(self) -> Imported | None:
        """What was found when it was imported."""

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed."""

    @property
    def is_live(self) -> bool:
        """Whether a run still writes here."""

    def __len__(self) -> int:
        """How many records it has."""

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own."""

    def sql(self, query: str, params: Any = None, *, max_rows: int | None = ...) -> Result:
        """Ask."""

    def to_parquet(self, folder: str | os.PathLike[str]) -> Path:
        """Write it as Parquet."""

    def of_snapshot(self, folder: Path) -> Self:
        """The same history as it lies in a folder."""

    def close(self) -> None:
        """Let go of it."""
