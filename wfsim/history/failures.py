"""What DuckDB reports, as `HistoryError`: which file, what is wrong, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import HistoryError

if TYPE_CHECKING:
    import os

VIEWS = "The views and their columns: docs/history.md, or .sql('DESCRIBE history')."


def told(error: Exception, path: str | os.PathLike[str]) -> HistoryError:
    """A question's error with advice."""
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return HistoryError(
            f"{path}: the question needs more memory than this history may use. {_first(error)}\n"
            "Ask for less (LIMIT, WHERE, fewer columns), or open the history or the store with more: "
            "max_memory=8 * 2**30, in bytes."
        )
    return HistoryError(f"{path}: {error}\n{VIEWS}")


def cannot_open(error: Exception, path: str | os.PathLike[str]) -> HistoryError:
    """Why a file could not be opened."""
    text = str(error)
    if "lock" in text:
        holder = text.split("Conflicting lock is held in")[-1].split(". ")[0].strip()
        return HistoryError(
            f"{path}: another process holds this file ({holder}). One process writes at a time: "
            "close the history or stop the run there, then try again."
        )
    if "handle conflict" in text:
        return HistoryError(
            f"{path}: this process has the file open already. Use that one, or close it first (`.close()`)."
        )
    return HistoryError(f"{path}: cannot be opened as a history: {_first(error)}")


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]
