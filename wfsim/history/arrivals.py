"""Arrivals that a scenario asks a history for: its real ones, say, which a simulation is to see again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfsim.errors import HistoryError, ScenarioError, listed
from wfsim.model.values import brief

from .questions import MAX_SECONDS, asking, question

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from .questions import Question

MOST_ARRIVALS = 10_000_000
"""Rows of an answer that are taken; a calendar keeps all of them in memory."""
_BATCH = 100_000
_SINCE_THE_FIRST = "(epoch_us(time) - min(epoch_us(time)) OVER ()) / 1e6 AS time"
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")


def ask_history(path: str, query: str) -> Iterator[dict[str, Any]]:
    """Rows of the answer to a question, in order of their column `time` in seconds, equal ones of the columns after it.

    Where `time` is a moment, it counts from the earliest one. What is asked has no more rights than in `History.sql`.

    Raises
    ------
    ScenarioError
        If there is no history, the question is none, or its answer has no column `time` or too many rows.
    """
    # Here, as who simulates by other arrivals does without.
    from .history import open_history

    file = Path(path)
    if file.exists() and not (file.is_file() or file.is_dir()):
        # To open a pipe waits for who writes to it.
        raise ScenarioError(f"{path}: the history cannot be read: it is a device or a pipe, not a regular file.")
    try:
        with open_history(path) as history:
            # What makes its view `history` comes before the transaction that is to see it.
            named = history.con
            with asking(history, MAX_SECONDS) as con:
                asked = question(named, query, None, None, MAX_SECONDS)
                table, kinds = _answer(con, path, asked)
    except HistoryError as error:
        told = str(error)
        raise ScenarioError(told if told.startswith(str(file)) else f"{path}: the trace's query: {told}") from None
    if len(table) > MOST_ARRIVALS:
        raise ScenarioError(
            f"{path}: the trace's query gives more than {MOST_ARRIVALS:,} arrivals. Add LIMIT or WHERE to it."
        )
    return _rows(path, table, kinds)


def _answer(con: duckdb.DuckDBPyConnection, path: str, asked: Question) -> tuple[pa.Table, dict[str, str]]:
    """The answer in order, and the types of its columns."""
    given = con.sql(asked.text(None))
    kinds = dict(zip(given.columns, map(str, given.types)))
    if "time" not in kinds:
        raise ScenarioError(
            f"{path}: the trace's query gives no column 'time' (seconds, or a moment). Found: {listed(kinds)}. "
            "Write SELECT … AS time."
        )
    is_moment = kinds["time"].startswith("TIMESTAMP") or kinds["time"] == "DATE"
    columns = [_SINCE_THE_FIRST if is_moment else "time", *(_identifier(name) for name in kinds if name != "time")]
    # On lines of its own: the text may end in a comment.
    ordered = f"SELECT {', '.join(columns)} FROM (\n{asked.select}\n) ORDER BY ALL LIMIT {MOST_ARRIVALS + 1}"
    return con.sql(ordered).to_arrow_table(), kinds


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _rows(path: str, table: pa.Table, kinds: dict[str, str]) -> Iterator[dict[str, Any]]:
    plain = {name: read for name, kind in kinds.items() if (read := _reader(kind)) is not None}
    for batch in table.to_batches(_BATCH):
        rows: list[dict[str, Any]] = batch.to_pylist()
        for row in rows:
            for name, read in plain.items():
                try:
                    row[name] = None if row[name] is None else read(row[name])
                except (ValueError, RecursionError):
                    raise ScenarioError(
                        f"{path}: the trace's query gives {brief(row[name])} in column {name!r}, which cannot be read "
                        "as JSON."
                    ) from None
            yield row


def _reader(kind: str) -> Callable[[Any], Any] | None:
    """What makes a value of JSON of one of a type that has others: numbers, and texts that are JSON themselves."""
    if kind == "JSON":
        return json.loads
    if decimal := _DECIMAL.fullmatch(kind):
        return int if decimal[1] == "0" else float
    return int if kind in ("HUGEINT", "UHUGEINT") else None
