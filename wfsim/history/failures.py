"""What DuckDB reports, as `HistoryError`: which file, what is wrong, what to do next."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

_MAKE_ROOM = "If the disk is full, free some of it, or take another one."
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
    if "Conflicting lock" in text:
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


def other_format(path: str | os.PathLike[str], found: int, reads: int) -> HistoryError:
    """A history is of another format than this version reads."""
    advice = (
        f"Convert it: wf.convert_history({str(path)!r}, into=…), or `wfsim convert`."
        if found < reads
        else "Read it with the version of wfsim that wrote it."
    )
    return HistoryError(f"{path}: written in format {found}, this version reads {reads}. {advice}")


def refuse_engine(path: str | os.PathLike[str]) -> None:
    """Raise `HistoryError` for the database of an engine, which DuckDB would look for an extension to read."""
    with suppress(OSError), open(path, "rb") as file:
        if file.read(15) == b"SQLite format 3":
            raise HistoryError(
                f"{path}: this is the database of an engine, not a history. Its history is "
                f"wf.open_engine('sqlite:///{path}').history."
            )


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever DuckDB reports inside is told as `HistoryError`."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise HistoryError(
            f"{path}: cannot be read: {_first(error)}\n"
            "Close it and open it again; if that fails too, the file is damaged."
        ) from None


def cannot_write(error: Exception, path: str | os.PathLike[str], kept: Path | None) -> HistoryError:
    """Why a simulated history was not written to its end, and where that is which was."""
    left = (
        f"What was written is in {kept}, which says that it is incomplete"
        if kept is not None
        else "Nothing of it is kept"
    )
    return HistoryError(f"{path}: cannot be written to its end: {_first(error)}\n{left}. {_MAKE_ROOM} Then run again.")


def not_appended(error: Exception, path: str | os.PathLike[str]) -> HistoryError:
    """Why a store did not take something."""
    return HistoryError(f"{path}: the append failed, nothing was written: {_first(error)}\n{_MAKE_ROOM}")


def roll_back(con: duckdb.DuckDBPyConnection) -> None:
    """End a transaction that has failed; where the failure itself has ended it, that is all that was wanted."""
    import duckdb

    with suppress(duckdb.Error):
        con.execute("ROLLBACK")


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]
