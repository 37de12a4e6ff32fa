"""A batch of rows on its way into DuckDB: raw integers in, Arrow tables with dimension codes out."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from wfsim.errors import HistoryError
from wfsim.semantics.codes import ABSENT, FAULT, KEY_VALUE, LIST, NONE, NUMBER, OBJECT, STRING
from wfsim.semantics.layout import ValueRow
from wfsim.semantics.texts import canonical

from .arrow import Rows, lists, numbers
from .handles import clean, codes_of, texts_of
from .packing import field_of, pack
from .paths import EMPTY
from .schema import KEY_SLOT, STORED_COLUMNS
from .tracker import RAW

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import duckdb
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from wfsim.semantics.texts import Texts

    from .codes import Codes, ProgramCodes
    from .handles import Starts
    from .paths import Paths

_VALUE_WIDTH = 5
_STORED = {name.strip('"'): kind for name, kind in STORED_COLUMNS if name != "is_last"}
_TEXTS = ("event_id", "reason", "source")
COLUMNS = (*(name for name in _STORED if name not in ("run", "workflow", "values", "path_hash")), "path")
"""Of records on their way, like `record_rows`, `NONE` for null; of texts and error types handles, of paths nodes."""


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
        for value in values:
            try:
                self.values.extend((case, value.seq, value.name, value.tag, value.whole))
            except OverflowError:
                del self.values[len(self.reals) * _VALUE_WIDTH :]
                raise HistoryError(
                    f"case {case}, record {value.seq}: the integer {str(value.whole)[:40]} does not fit 64 bits. "
                    "Give it as a number or a string."
                ) from None
            self.reals.append(value.real)

    def clear(self) -> None:
        """Start over; the table of texts stays."""
        texts = self._texts[-1:]
        self.rows, self.values, self.reals = array("q"), array("q"), array("d")
        self._texts = [(0, 0, table) for _, _, table in texts]

    def columns(self, program: ProgramCodes) -> Columns:
        """The batch as columns, with the codes of its program."""
        import numpy as np

        raw = dict(zip(RAW, np.frombuffer(self.rows, dtype=np.int64).reshape(-1, len(RAW)).T))
        fields: dict[str, NDArray[Any]] = raw | {
            "cause_seq": raw["cause"],
            "region": program.regions[raw["region"]],
            "state": program.states[raw["state"]],
            "to_state": program.states[raw["to_state"]],
            "event": program.events[raw["event"]],
            "activity": program.activities[raw["activity"]],
            "transition": program.transitions[raw["transition"]],
            "attempt": np.where(raw["attempt"] > 0, raw["attempt"], NONE),
            "outcome": np.where(raw["outcome"] > 0, raw["outcome"], NONE),
            "message_id": raw["message"],
            "compensates": raw["undoes"],
            "clock": program.timers[raw["timer"]],
        }
        fields |= pack(fields["kind"], fields.__getitem__)
        records = {name: np.ascontiguousarray(fields[name]) for name in COLUMNS}
        starts = [(start, texts) for start, _, texts in self._texts]
        return Columns(records, starts, self._value_columns(records))

    def _value_columns(self, records: Mapping[str, NDArray[Any]]) -> ValueColumns:
        import numpy as np

        raw = np.frombuffer(self.values, dtype=np.int64).reshape(-1, _VALUE_WIDTH).T.copy()
        real = np.frombuffer(self.reals, dtype=np.float64).copy()
        case, seq, name, tag, whole = raw
        here = places(records["case"], records["seq"])
        # Stable, since this takes no time where they lie sorted already.
        order = np.argsort(here, kind="stable")
        record = order[np.searchsorted(here, places(case, seq), sorter=order)]
        return ValueColumns(record, name, tag, whole, real, [(start, texts) for _, start, texts in self._texts])


class ValueColumns(NamedTuple):
    """Values of many records; those of one record stand together.

    Attributes
    ----------
    record
        Which record, among those that they come with.
    name
        Handle of what it gives a value to, or a code below 0.
    tag, whole, real
        As in `semantics.layout.Cell`.
    starts
        From which value on which table of texts counts.
    """

    record: NDArray[Any]
    name: NDArray[Any]
    tag: NDArray[Any]
    whole: NDArray[np.int64]
    real: NDArray[np.float64]
    starts: Starts

    def structs(self, codes: Codes) -> pa.StructArray:
        """Each as it is stored."""
        import numpy as np
        import pyarrow as pa

        is_text = np.isin(np.arange(ABSENT + 1), (STRING, LIST, OBJECT, FAULT)).take(self.tag)
        is_real = self.tag == NUMBER
        is_key = self.name == KEY_VALUE
        slots = codes_of(np.where(is_key, -1, self.name), self.starts, codes, "slot_names")
        slots[is_key] = KEY_SLOT
        return pa.StructArray.from_arrays(
            [
                numbers(slots, (slots >= 0) | is_key),
                numbers(self.tag.astype(np.uint8)),
                numbers(self.whole, ~(is_text | is_real)),
                numbers(self.real, is_real),
                texts_of(np.where(is_text, self.whole, -1), self.starts, _plain),
            ],
            ["slot", "tag", "whole", "real", "text"],
        )


class Columns(NamedTuple):
    """Records by `COLUMNS`, the tables of texts that their handles lie in, and their values."""

    records: dict[str, NDArray[Any]]
    starts: Starts
    values: ValueColumns

    def of_kinds(self, kinds: Collection[int]) -> Columns:
        """Those records that are of these kinds, with their values."""
        import numpy as np

        values = self.values
        rows = np.flatnonzero(np.isin(self.records["kind"], list(kinds)))
        records = {name: column[rows] for name, column in self.records.items()}
        starts = _starts_among(rows, self.starts)
        own = np.flatnonzero(np.isin(values.record, rows))
        chosen = ValueColumns(
            record=np.searchsorted(rows, values.record[own]),
            name=values.name[own],
            tag=values.tag[own],
            whole=values.whole[own],
            real=values.real[own],
            starts=_starts_among(own, values.starts),
        )
        return Columns(records, starts, chosen)

    def rows(self, run: int, workflow: int, codes: Codes, paths: Paths) -> Rows:
        """The columns of `record_rows`, without `is_last`; cost is linear."""
        import numpy as np
        import pyarrow as pa

        n, path, errors = len(self.records["case"]), self.records["path"], "clock_or_error_type"
        handles = field_of("error_type", self.records["kind"], self.records.__getitem__)
        error_codes = codes_of(handles, self.starts, codes, "error_type_names")
        records = self.records | {
            "run": np.full(n, run, np.int32),
            "workflow": np.full(n, workflow, np.int32),
            errors: np.where(error_codes >= 0, error_codes, self.records[errors]),
        }
        arrays = {
            **{name: texts_of(records[name], self.starts, _plain) for name in _TEXTS},
            "values": self._values(codes),
            "path_hash": numbers(np.array(paths.hashes, dtype=np.uint64)[path], path != EMPTY),
        }
        table = pa.table(
            {name: arrays[name] if name in arrays else _whole(records[name], kind) for name, kind in _STORED.items()}
        )
        return Rows(table, records)

    def _values(self, codes: Codes) -> pa.Array:
        """The values of each record, as a list; null for none."""
        import numpy as np

        record = self.values.record
        counts = np.bincount(record, minlength=len(self.records["case"]))
        ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        structs = self.values.structs(codes)
        if (record[1:] < record[:-1]).any():
            # Those of one record stand together and in order, and stay so.
            structs = structs.take(numbers(np.argsort(record, kind="stable")))
        return lists(ends, structs, counts > 0)


def _whole(values: NDArray[Any], kind: str) -> pa.Array:
    """Numbers from 0 on as a column of a type of DuckDB, `NONE` as null."""
    import numpy as np

    known = values >= 0
    if kind == "UTINYINT":
        return numbers(values.view(np.uint8) if values.dtype == np.int8 else values.astype(np.uint8), known)
    return numbers(values.astype({"INTEGER": np.int32, "BIGINT": np.int64}[kind], copy=False), known)


def _starts_among(rows: NDArray[np.int64], starts: Starts) -> Starts:
    """From which of some rows on which table of texts counts."""
    import numpy as np

    return [(int(np.searchsorted(rows, start)), texts) for start, texts in starts]


def places(case: NDArray[Any], seq: NDArray[Any]) -> NDArray[np.int64]:
    """Cases and `seq` as one number, in their order."""
    import numpy as np

    found: NDArray[np.int64] = case.astype(np.int64) << 32 | seq
    return found


def insert(con: duckdb.DuckDBPyConnection, records: pa.Table) -> None:
    """Append rows to the records of the connection's own database."""
    # By position: the Arrow columns stand in the order of the schema.
    listed = ", ".join(column for column, _ in STORED_COLUMNS[: records.num_columns])
    con.register("arrow_batch", records)
    con.execute(f"INSERT INTO record_rows ({listed}) SELECT * FROM arrow_batch")
    con.unregister("arrow_batch")


def _plain(value: Any) -> str:
    return clean(value if isinstance(value, str) else canonical(value))
