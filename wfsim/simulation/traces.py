"""Traces: files that say when instances came, and with which inputs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from wfsim.errors import DefinitionError, ScenarioError
from wfsim.files import read_file
from wfsim.model.duration import Duration
from wfsim.model.values import ValueType, check_value

LARGEST_TRACE = 1_000_000_000
"""Bytes of a trace that are read."""


def read_trace(path: str) -> list[tuple[int, dict[str, Any]]]:
    """Arrival times (microseconds, ascending) and inputs of a trace file; those of a CSV file are texts.

    Raises
    ------
    ScenarioError
        With the row, if the file cannot be read, has no column `time`, no row, or times that go back.
    """
    try:
        raw = read_file(path, LARGEST_TRACE)
    except OSError as error:
        raise ScenarioError(f"{path}: the trace cannot be read: {error.strerror}.") from None
    is_parquet = path.lower().endswith(".parquet")
    # The first line of a CSV file has the names.
    first = 1 if is_parquet else 2
    rows: list[tuple[int, dict[str, Any]]] = []
    try:
        for row in _parquet(path, raw) if is_parquet else _csv(raw):
            if "time" not in row:
                raise ScenarioError(f"{path}: a trace needs a column 'time' (seconds). Found: {', '.join(row)}.")
            rest = {name: value for name, value in row.items() if name != "time" and value not in ("", None)}
            for name, value in rest.items():
                reason = check_value(ValueType.ANY, value)
                if reason is not None:
                    raise ValueError(f"column {name!r}: {reason}.")
            rows.append((int(Duration.of(row["time"] if is_parquet else float(row["time"] or 0))), rest))
    except (ValueError, DefinitionError) as error:
        raise ScenarioError(f"{path}: row {len(rows) + first}: {error}") from None
    if not rows:
        raise ScenarioError(f"{path}: the trace is empty, so nothing would come. Give it a row for each arrival.")
    for number, (earlier, later) in enumerate(pairwise(rows), first + 1):
        if later[0] < earlier[0]:
            raise ScenarioError(f"{path}: row {number}: arrival times must not go back. Sort the file by time.")
    return rows


def _csv(raw: bytes) -> Iterable[Mapping[str, Any]]:
    return csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))


def _parquet(path: str, raw: bytes) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.read_table(pa.BufferReader(raw)).to_pylist()
    except pa.ArrowException as error:
        raise ScenarioError(f"{path}: not a Parquet file: {error}.") from None
    return rows
