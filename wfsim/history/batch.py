"""A batch of rows on its way into DuckDB: raw integers in, Arrow tables with dimension codes out."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from wfsim.errors import HistoryError
from wfsim.semantics.codes import FAULT, KEY_VALUE, LIST, NUMBER, OBJECT, STRING
from wfsim.semantics.layout import ValueRow
from wfsim.semantics.texts import canonical

from .schema import KEY_SLOT, RECORD_COLUMNS, VALUE_COLUMNS
from .tracker import RAW

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from wfsim.semantics.texts import Texts

    from .codes import Codes, ProgramCodes
    from .paths import Paths

_AT = {name: k for k, name in enumerate(RAW)}
_VALUE_WIDTH = 6


class Batch:
    """Raw rows and values of one workflow of a run; text handles are read in the table they came from, at the end."""

    def __init__(self) -> None:
        self.rows: array[int] = array("q")
        self.values: array[int] = array("q")
        self.reals: array[float] = array("d")
        self._texts: list[tuple[int, int, Texts]] = []

    def __len__(self) -> int:
        return len(self.rows) // len(RAW)

    def read_with(self, texts: Texts) -> None:
        """Rows from here on have their texts in this table."""
        if not self._texts or self._texts[-1][2] is not texts:
            self._texts.append((len(self), len(self.reals), texts))

    def add_values(self, case: int, values: Iterable[ValueRow]) -> None:
        """Append the values of one step.

        Raises
        ------
        HistoryError
            For an integer beyond 64 bits.
        """
        seq = position = -1
        for value in values:
            position = position + 1 if value.seq == seq else 0
            seq = value.seq
            try:
                self.values.extend((case, seq, position, value.name, value.tag, value.whole))
            except OverflowError:
                del self.values[len(self.reals) * _VALUE_WIDTH :]
                raise HistoryError(
                    f"case {case}, record {seq}: the integer {str(value.whole)[:40]} does not fit 64 bits. "
                    "Give it as a number or a string."
                ) from None
            self.reals.append(value.real)

    def clear(self) -> None:
        """Start over; the table of texts stays."""
        texts = self._texts[-1:]
        self.rows, self.values, self.reals = array("q"), array("q"), array("d")
        self._texts = [(0, 0, table) for _, _, table in texts]

    def tables(
        self, run: int, workflow: int, codes: Codes, program: ProgramCodes, paths: Paths
    ) -> tuple[pa.Table, pa.Table]:
        """The batch as Arrow tables `records` (without `is_last`) and `record_values`; cost is linear."""
        return self._records(run, workflow, codes, program, paths), self._values(run, codes)

    def _records(self, run: int, workflow: int, codes: Codes, program: ProgramCodes, paths: Paths) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        raw = np.frombuffer(self.rows, dtype=np.int64).reshape(-1, len(RAW)).T.copy()

        def column(name: str) -> NDArray[np.int64]:
            found: NDArray[np.int64] = raw[_AT[name]]
            return found

        def whole(name: str, kind: Any = np.int32, least: int = 0) -> pa.Array:
            numbers = column(name)
            return pa.array(numbers.astype(kind), mask=numbers < least)

        def coded(name: str, table: NDArray[np.int32]) -> pa.Array:
            found = table[column(name)]
            return pa.array(found, mask=found < 0)

        timer, path = column("timer"), column("path")
        flight = column("flight").astype(np.int32)
        hashes = np.array(paths.hashes, dtype=np.uint64)
        starts = [(start, texts) for start, _, texts in self._texts]
        arrays = {
            "run": pa.array(np.full(len(self), run, np.int32)),
            "case": whole("case"),
            "workflow": pa.array(np.full(len(self), workflow, np.int32)),
            "seq": whole("seq"),
            "time": whole("time", np.int64),
            "kind": whole("kind", np.uint8),
            "cause_seq": whole("cause"),
            "region": coded("region", program.regions),
            "state": coded("state", program.states),
            "to_state": coded("to_state", program.states),
            "event": coded("event", program.events),
            "event_id": _texts_of(column("event_id"), starts),
            "activity": coded("activity", program.activities),
            "activity_id": whole("activity_id"),
            "attempt": whole("attempt", least=1),
            "error_type": _codes_of(column("error_type"), starts, codes, "error_type_names"),
            "status": whole("status", np.uint8),
            "outcome": whole("outcome", np.uint8, least=1),
            "reason": _texts_of(column("reason"), starts),
            "transition": coded("transition", program.transitions),
            "flight": pa.array(flight, mask=(column("transition") < 0) | (flight < 0)),
            "activation": whole("activation"),
            "timer": whole("timer"),
            "timer_id": pa.array(flight, mask=(timer < 0) | (flight < 0)),
            "due": whole("due", np.int64),
            "delay": whole("delay", np.int64),
            "source": _texts_of(column("source"), starts),
            "command": whole("command", np.uint8),
            "compensates": whole("undoes"),
            "index": whole("index"),
            "message_id": whole("message"),
            "entered_seq": whole("entered_seq"),
            "dwell": whole("dwell", np.int64),
            "wait": whole("wait", np.int64),
            "service": whole("service", np.int64),
            "path_hash": pa.array(hashes[path], mask=path == 0),
        }
        return pa.table(arrays)

    def _values(self, run: int, codes: Codes) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        raw = np.frombuffer(self.values, dtype=np.int64).reshape(-1, _VALUE_WIDTH).T.copy()
        case, seq, position, name, tag, whole = raw
        reals = np.frombuffer(self.reals, dtype=np.float64).copy()
        is_text = np.isin(tag, (STRING, LIST, OBJECT, FAULT))
        is_real = tag == NUMBER
        starts = [(start, texts) for _, start, texts in self._texts]
        return pa.table(
            {
                "run": pa.array(np.full(len(case), run, np.int32)),
                "case": pa.array(case.astype(np.int32)),
                "seq": pa.array(seq.astype(np.int32)),
                "position": pa.array(position.astype(np.int32)),
                "slot": _slots_of(name, starts, codes),
                "tag": pa.array(tag.astype(np.uint8)),
                "whole": pa.array(whole, mask=is_text | is_real),
                "real": pa.array(reals, mask=~is_real),
                "text": _texts_of(np.where(is_text, whole, -1), starts),
            }
        )


def insert(con: duckdb.DuckDBPyConnection, records: pa.Table, values: pa.Table) -> None:
    """Append both tables to `records` and `record_values` of the connection's own database."""
    for name, columns, table in (
        ("records", RECORD_COLUMNS, records),
        ("record_values", VALUE_COLUMNS, values),
    ):
        if len(table):
            # By position: the Arrow columns stand in the order of the schema.
            listed = ", ".join(column for column, _ in columns[: table.num_columns])
            con.register("arrow_batch", table)
            con.execute(f"INSERT INTO {name} ({listed}) SELECT * FROM arrow_batch")
            con.unregister("arrow_batch")


def clean(text: str) -> str:
    """The text as DuckDB can store it: what is not Unicode (lone surrogates) becomes `?`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _texts_of(handles: NDArray[np.int64], starts: list[tuple[int, Texts]]) -> pa.Array:
    """Handles as a dictionary-encoded column of texts; lists and objects as canonical JSON."""
    import numpy as np
    import pyarrow as pa

    numbers: dict[str, int] = {}
    indices = np.full(len(handles), -1, np.int32)
    for (start, texts), end in zip(starts, [start for start, _ in starts[1:]] + [len(handles)]):
        part = handles[start:end]
        used, inverse = np.unique(part, return_inverse=True)
        found = np.empty(len(used), np.int32)
        for k, handle in enumerate(used.tolist()):
            if handle < 0:
                found[k] = -1
            else:
                value = texts.value(handle)
                text = clean(value if isinstance(value, str) else canonical(value))
                found[k] = numbers.setdefault(text, len(numbers))
        indices[start:end] = found[inverse]
    return pa.DictionaryArray.from_arrays(
        pa.array(indices, mask=indices < 0), pa.array(list(numbers), type=pa.string())
    )


def _slots_of(names: NDArray[np.int64], starts: list[tuple[int, Texts]], codes: Codes) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    found = _found_codes(names, starts, codes, "slot_names")
    return pa.array(np.where(names == KEY_VALUE, KEY_SLOT, found), mask=(found < 0) & (names != KEY_VALUE))


def _codes_of(handles: NDArray[np.int64], starts: list[tuple[int, Texts]], codes: Codes, dimension: str) -> pa.Array:
    """Handles as codes of a dimension."""
    import pyarrow as pa

    found = _found_codes(handles, starts, codes, dimension)
    return pa.array(found, mask=found < 0)


def _found_codes(
    handles: NDArray[np.int64], starts: list[tuple[int, Texts]], codes: Codes, dimension: str
) -> NDArray[np.int32]:
    import numpy as np

    found = np.full(len(handles), -1, np.int32)
    for (start, texts), end in zip(starts, [start for start, _ in starts[1:]] + [len(handles)]):
        part = handles[start:end]
        used, inverse = np.unique(part, return_inverse=True)
        translated = [
            -1 if handle < 0 else codes.code(dimension, clean(texts.value(handle))) for handle in used.tolist()
        ]
        found[start:end] = np.array(translated, np.int32)[inverse] if translated else -1
    return found
