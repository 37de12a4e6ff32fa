"""The digest of a history: one SHA-256 over what its rows say, whatever file or batches they came in."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from . import arrow
from .codes import names_in
from .schema import NAMES, RECORD_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

RUNS = """
SELECT dense_rank() OVER (ORDER BY run) AS run, number, name, version, log
FROM workflows JOIN runs USING (run) ORDER BY run, number
"""
CASES = """
SELECT dense_rank() OVER (ORDER BY run) AS run, "case", workflow, key, external_id, parent_case, parent_activation,
    started
FROM cases ORDER BY run, "case"
"""
_COLUMNS = [name for name, _ in RECORD_COLUMNS]
# Values come after them, the others follow from these; cases tell their workflow.
_TOLD = [name for name in _COLUMNS[: _COLUMNS.index('"values"')] if name not in ("run", "workflow")]
# Codes get their names here: ten joins would take DuckDB longer to plan than a small history to be read.
RECORDS = f"""
SELECT n.place AS run, {", ".join("r." + name for name in _TOLD)}
FROM records r
JOIN (SELECT run, dense_rank() OVER (ORDER BY run) AS place FROM runs) n ON n.run = r.run
ORDER BY r.run, r."case", r.seq
"""
VALUES = """
SELECT n.place AS run, v."case", v.seq, if(v.slot = -1, '-1', s.name) AS slot, v.tag, v.whole, v.real, v.text
FROM record_values v
JOIN (SELECT run, dense_rank() OVER (ORDER BY run) AS place FROM runs) n ON n.run = v.run
LEFT JOIN slot_names s ON s.code = v.slot
ORDER BY n.place, v."case", v.seq, slot NULLS LAST, v.position
"""


def digest_of(con: duckdb.DuckDBPyConnection) -> str:
    """SHA-256 (hex) over workflows, cases, records and values in the order (run, case, seq), with names.

    Each column is hashed for itself as it streams by, in three hashes: which entries are null, the lengths of
    texts, and the bytes (numbers little-endian, in 64 bits); the digest is the hash of these. So it
    does not depend on the numbering of runs, dimension codes, or on how rows were batched.

    Memory: one batch per table, besides DuckDB's sort. Speed: about a million records a second.
    """
    names = {dimension: arrow.texts(known) for dimension, known in names_in(con).items()}
    coded = {column: names[dimension] for column, dimension in NAMES.items()}
    whole = hashlib.sha256()
    for query, known in ((RUNS, {}), (CASES, {}), (RECORDS, coded), (VALUES, {})):
        for name, part in _columns_of(con, query, known):
            whole.update(f"{name}:{part}\n".encode())
    return whole.hexdigest()


def _columns_of(con: duckdb.DuckDBPyConnection, query: str, coded: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The columns that a query gives, those that are `coded` by their names, with the hash of each."""
    reader = con.sql(query).to_arrow_reader(100_000)
    names: list[str] = reader.schema.names
    columns = [_ColumnHash() for _ in names]
    for batch in reader:
        for name, column, array in zip(names, columns, batch.columns):
            column.update(coded[name].take(array) if name in coded else array)
    return [(name, column.hexdigest()) for name, column in zip(names, columns)]


class _ColumnHash:
    """The hash of one column, fed with pieces of any size."""

    def __init__(self) -> None:
        self._nulls, self._lengths, self._bytes = (hashlib.sha256() for _ in range(3))

    def update(self, array: Any) -> None:
        """Add the next entries of the column, an Arrow array of integers, doubles or texts."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        self._nulls.update(arrow.in_numpy(array.is_null()).astype(np.uint8).tobytes())
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            texts = pc.fill_null(array, arrow.texts([""])[0].cast(array.type))
            self._lengths.update(arrow.in_numpy(pc.binary_length(texts)).astype("<i8").tobytes())
            self._bytes.update(_text_bytes(texts))
        else:
            wide = "<f8" if pa.types.is_floating(array.type) else "<i8"
            filled = pc.fill_null(array, arrow.numbers(np.zeros(1, array.type.to_pandas_dtype()))[0])
            self._bytes.update(arrow.in_numpy(filled).astype(wide).tobytes())

    def hexdigest(self) -> str:
        """The three hashes in one text."""
        return "-".join(part.hexdigest() for part in (self._nulls, self._lengths, self._bytes))


def _text_bytes(texts: Any) -> bytes | memoryview:
    """The bytes of all texts one after another, straight from Arrow's buffer."""
    import numpy as np
    import pyarrow as pa

    wide = pa.types.is_large_string(texts.type)
    _, offsets, data = texts.buffers()
    if data is None:
        return b""
    bounds = np.frombuffer(offsets, dtype=np.int64 if wide else np.int32)
    first, last = bounds[texts.offset], bounds[texts.offset + len(texts)]
    return memoryview(data)[first:last]
