"""Traces: when instances came, and with which inputs, as a file says it or a history that is asked."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.errors import DefinitionError, ScenarioError, listed
from wfsim.files import read_file
from wfsim.model.duration import Duration
from wfsim.model.values import ValueType, brief, check_value

if TYPE_CHECKING:
    from .arrivals import TraceQuery

LARGEST_TRACE = 1_000_000_000
"""Bytes of a trace that are read."""

AskHistory: TypeAlias = Callable[[str, str], Iterable[Mapping[str, Any]]]
"""Asks the history at a path a question in SQL: rows in order of their column `time`, in seconds.

Raises `ScenarioError` if it gives no such answer.
"""
Row: TypeAlias = tuple[int, Mapping[str, Any]]
"""Its number, as people count it, and its cells by the names of their columns."""


def ask_nobody(path: str, query: str) -> Iterable[Mapping[str, Any]]:
    """Stands for who asks histories, where a calendar runs without one.

    Raises
    ------
    ScenarioError
        In any case.
    """
    raise ScenarioError(f"{path}: no history can be asked here. Simulate with wf.simulate, or give a file as trace.")


def read_trace(trace: str | TraceQuery, ask_history: AskHistory) -> list[tuple[int, dict[str, Any]]]:
    """Arrival times (microseconds, ascending) and inputs of a trace; those of a CSV file are texts.

    Raises
    ------
    ScenarioError
        With the row, if it cannot be read, has no column `time`, no row, a row without time, or times that go back.
    """
    if not isinstance(trace, str):
        answer = enumerate(ask_history(trace.history, trace.query), 1)
        return _checked(f"{trace.history}: the answer to the trace's query", answer, _rounded)
    try:
        raw = read_file(trace, LARGEST_TRACE)
    except OSError as error:
        raise ScenarioError(f"{trace}: the trace cannot be read: {error.strerror}.") from None
    if trace.lower().endswith(".parquet"):
        return _checked(trace, _parquet(trace, raw), Duration.of)
    return _checked(trace, _csv(trace, raw), _written)


def _checked(where: str, rows: Iterable[Row], seconds: Callable[[Any], Duration]) -> list[tuple[int, dict[str, Any]]]:
    """Times and inputs of rows; what a row gives no value for is not among its inputs."""
    found: list[tuple[int, dict[str, Any]]] = []
    numbers: list[int] = []
    for number, row in rows:
        numbers.append(number)
        try:
            if row.get("time") in (None, ""):
                raise ValueError("it has no time. Give each arrival its time, in seconds.")
            inputs = {name: value for name, value in row.items() if name != "time" and value not in ("", None)}
            for name, value in inputs.items():
                reason = check_value(ValueType.ANY, value)
                if reason is not None:
                    raise ValueError(f"column {name!r}: {reason}.")
            found.append((int(seconds(row["time"])), inputs))
        except (ValueError, DefinitionError) as error:
            raise ScenarioError(f"{where}: row {number}: {error}") from None
    if not found:
        raise ScenarioError(f"{where}: the trace is empty, so nothing would come. Give it a row for each arrival.")
    for number, (earlier, later) in zip(numbers[1:], pairwise(found)):
        if later[0] < earlier[0]:
            raise ScenarioError(f"{where}: row {number}: arrival times must not go back. Sort the file by time.")
    return found


def _written(text: str) -> Duration:
    """The time of a CSV file."""
    try:
        return Duration.of(float(text))
    except ValueError:
        raise ValueError(f"the time {brief(text)} is not a number of seconds.") from None


def _rounded(time: Any) -> Duration:
    """The time of an answer: what is computed need not come out at whole microseconds."""
    return Duration.of(round(time, 6) if isinstance(time, float) else time)


def _need_columns(path: str, names: Iterable[str]) -> None:
    """Refuse columns without a time, and two of one name."""
    counted = Counter(names)
    if "time" not in counted:
        raise ScenarioError(f"{path}: a trace needs a column 'time' (seconds). Found: {listed(counted)}.")
    for name, n in counted.items():
        if n > 1 and name:
            raise ScenarioError(f"{path}: {n} columns are called {name!r}. Give each a name of its own.")


def _csv(path: str, raw: bytes) -> Iterator[Row]:
    """Rows of a CSV file, without empty ones; they count, as does the first, which has the names."""
    try:
        lines = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        raise ScenarioError(f"{path}: row {row}: it is not written in UTF-8 (byte {raw[error.start]:#x}).") from None
    names: list[str] = []
    number = 0
    try:
        for number, cells in enumerate(lines, 1):
            if not names and cells:
                names = cells
                _need_columns(path, names)
            elif cells:
                yield number, _row(path, number, names, cells)
    except csv.Error as error:
        raise ScenarioError(f"{path}: row {number + 1}: {error}.") from None


def _row(path: str, number: int, names: list[str], cells: list[str]) -> dict[str, str]:
    """The cells of a row by their names; a short one ends in columns that are not given."""
    if len(cells) > len(names):
        raise ScenarioError(
            f"{path}: row {number}: it has {len(cells)} cells, more than the first line has names: {listed(names)}. "
            "A text with a comma in it needs quotes."
        )
    for name, cell in zip(names, cells):
        if cell and not name:
            raise ScenarioError(f"{path}: row {number}: {brief(cell)} is in a column without a name.")
    return dict(zip(names, cells))


def _parquet(path: str, raw: bytes) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(raw)).read()
    except pa.ArrowException as error:
        raise ScenarioError(f"{path}: not a Parquet file: {error}.") from None
    _need_columns(path, table.column_names)
    rows: list[dict[str, Any]] = table.to_pylist()
    yield from enumerate(rows, 1)
