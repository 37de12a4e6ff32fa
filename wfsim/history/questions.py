"""Questions in SQL: one SELECT each, in a transaction that cannot write, with limits of time and rows."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from wfsim.errors import HistoryError
from wfsim.markup import html_table

from .failures import told
from .views import definitions

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pandas as pd
    import pyarrow as pa


Parameters: TypeAlias = "Sequence[Any] | Mapping[str, Any] | None"

MAX_ROWS = 1_000_000
MAX_SECONDS = 300.0

_SHOWN = 10_000
_AGAIN = 0.05
_NAMED = re.compile(r"(?:\bFROM\b|\bJOIN\b|,)\s+(\w+)", re.IGNORECASE)
_CALLED = re.compile(r"(\w+)\s*\(")
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+|\([^()]*\)\s*)?(?=\S)", re.IGNORECASE)


@dataclass(frozen=True)
class Question:
    """One SELECT, looked at and not yet asked.

    Attributes
    ----------
    select
        Its text, without what may stand behind a semicolon.
    explain
        What stands before it if only its plan is asked for, else empty.
    """

    select: str
    explain: str
    params: Parameters
    max_rows: int | None
    max_seconds: float | None

    def text(self, limit: int | None) -> str:
        """The statement that gives at most so many rows."""
        if self.explain or limit is None:
            return self.explain + self.select
        # On lines of its own: the text may end in a comment.
        return f"FROM (\n{self.select}\n) LIMIT {limit}"


def question(
    con: duckdb.DuckDBPyConnection, query: str, params: Parameters, max_rows: int | None, max_seconds: float | None
) -> Question:
    """Read a query, without asking it.

    Raises
    ------
    HistoryError
        If it is not one question.
    duckdb.Error
        If it is no SQL.
    """
    for name, limit in (("max_rows", max_rows), ("max_seconds", max_seconds)):
        if limit is not None and not limit > 0:
            raise HistoryError(f"{name}={limit!r}: give a number above 0, or None for no limit.")
    text = _one(con, query, ("SELECT", "EXPLAIN"))
    before = _EXPLAIN.match(text)
    if before is None:
        return Question(_one(con, text, ("SELECT",)), "", params, max_rows, max_seconds)
    # EXPLAIN ANALYZE carries out what follows: that has to be a question, too.
    inner = _one(con, text[before.end() :], ("SELECT",))
    return Question(inner, before.group(), params, max_rows, max_seconds)


def _one(con: duckdb.DuckDBPyConnection, query: str, kinds: Sequence[str]) -> str:
    """The text of the one statement in a query."""
    import duckdb

    asked = [str(statement.type).split(".")[-1] for statement in con.extract_statements(query)]
    if len(asked) != 1 or asked[0] not in kinds:
        raise HistoryError(
            f"a query to a history is one SELECT, this is {', '.join(asked) or 'empty'}. "
            "A history is never changed; use `.df()` or `.arrow()` and go on from there."
        )
    raw = query.encode()
    ends = [place for place, _ in duckdb.tokenize(query) if raw[place : place + 1] == b";"]
    return raw[: min(ends, default=len(raw))].decode()


class Readable(Protocol):
    """What can be asked: a file and the connection to it."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A further connection to read it with, which whoever asks for it closes."""
        ...


class Result:
    """The answer to a query: `.df()`, `.arrow()`, `.pl()`, `.fetchall()`; shown, it is a table.

    Each call asks anew and gives the whole answer, or raises `HistoryError` if it has more rows or takes longer than
    `sql` was told.
    """

    def __init__(self, history: Readable, asked: Question) -> None:
        self._history = history
        self._question = asked
        with self._answer(0) as answer:
            self._columns: list[str] = list(answer.columns)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._columns)

    @property
    def query(self) -> str:
        """The question in SQL, and before it how the views and macros that it names are made, from the tables."""
        text = self._question.explain + self._question.select.strip()
        return ";\n\n".join([*definitions(_NAMED.findall(text) + _CALLED.findall(text)), text])

    def df(self) -> pd.DataFrame:
        """As pandas table."""
        frame: pd.DataFrame = self._whole("df")
        return frame

    def fetchall(self) -> list[tuple[Any, ...]]:
        """As list of tuples."""
        rows: list[tuple[Any, ...]] = self._whole("fetchall")
        return rows

    def arrow(self) -> pa.Table:
        """As Arrow table."""
        return self._whole("to_arrow_table")

    def pl(self) -> Any:
        """As polars table, which has to be installed (`pip install polars`)."""
        try:
            import polars
        except ImportError:
            raise HistoryError(
                "polars is not installed. Install it (pip install polars), or take .df() or .arrow()."
            ) from None
        return polars.from_arrow(self.arrow())

    def _whole(self, how: str) -> Any:
        asked, most = self._question, self._question.max_rows
        with asking(self._history, asked.max_seconds) as con:
            text = asked.text(None if most is None else most + 1)
            # Not by a relation, which DuckDB would bind once to make it, and again to answer it.
            # But to make an Arrow table of what is executed takes one copy more, of which it warns.
            made = con.sql(text, params=asked.params) if how == "to_arrow_table" else con.execute(text, asked.params)
            found = getattr(made, how)()
        if most is not None and len(found) > most:
            raise too_many(self._history.path, most)
        return found

    @contextmanager
    def _answer(self, limit: int | None) -> Iterator[duckdb.DuckDBPyRelation]:
        asked, history = self._question, self._history
        with asking(history, asked.max_seconds) as con:
            yield con.sql(asked.text(limit), params=asked.params)

    def __repr__(self) -> str:
        with self._answer(_SHOWN) as answer:
            return str(answer)

    def _repr_html_(self) -> str:
        # Never through pandas' own switch: values come from the outside and are escaped here.
        with self._answer(50) as answer:
            shown = answer.fetchall()
        numbers = {k for k in range(len(self.columns)) if any(isinstance(row[k], int | float) for row in shown)}
        return html_table(self.columns, shown, numbers=numbers)


def too_many(path: Path, most: int) -> HistoryError:
    """An answer is longer than it may be."""
    return HistoryError(
        f"{path}: the answer has more than {most:,} rows, which may be more than fits into memory. "
        "Count or group in SQL, add LIMIT or WHERE, or allow it with max_rows=None."
    )


@contextmanager
def asking(history: Readable, max_seconds: float | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor of one question's own, in a transaction that cannot write and is rolled back in any case.

    Raises
    ------
    HistoryError
        For every error of DuckDB inside, and after `max_seconds`.
    """
    import duckdb

    cursor, path = history.cursor(), history.path
    done, late = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(max_seconds):
            return
        late.set()
        # Again and again: an interruption between two calls is forgotten.
        while not done.wait(_AGAIN):
            cursor.interrupt()

    watcher = threading.Thread(target=watch, name="wfsim question", daemon=True)
    try:
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        if max_seconds is not None:
            watcher.start()
        try:
            yield cursor
        finally:
            done.set()
            if max_seconds is not None:
                watcher.join()
            cursor.execute("ROLLBACK")
    except duckdb.InterruptException as error:
        if not late.is_set():
            raise
        raise HistoryError(
            f"{path}: the question took longer than {max_seconds} s and was stopped. "
            "Ask for less, or allow more: sql(query, max_seconds=...)."
        ) from error
    except duckdb.Error as error:
        raise told(error, path) from None
    finally:
        cursor.close()
