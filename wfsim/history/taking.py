"""Whole cases out of what is held, for a file: their records row group by row group, with the rest that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import arrow, sorting
from .sides import Told, ended, sides_of
from .sorting import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from .arrow import Rows
    from .edges import Edges
    from .held import Held


@dataclass
class Taking:
    """Takes cases of a run out of what is held.

    Attributes
    ----------
    cases
        Rows of the table `cases`, by their numbers, without what follows from their records.
    edges
        Those of the run, of which there may be more then.
    """

    held: Held
    run: int
    cases: pa.Table
    edges: Edges

    def pieces(self) -> Iterator[Piece]:
        """The records of the cases, as many at a time as a row group of DuckDB has, and fewer in the last.

        DuckDB compresses a full row group where it lies, and puts others together first. So the last case of a piece
        may go on in the next one; what follows from its records comes with the piece in which it begins.
        """
        import numpy as np

        numbers: NDArray[np.int32] = arrow.column_in_numpy(self.cases["case"])
        ends = np.cumsum(arrow.column_in_numpy(self.cases["version"]), dtype=np.int64)
        first = n_told = n_before = n_sent = 0
        while first < len(numbers):
            # At log levels below `full` a case has fewer records than it counts.
            enough = int(np.searchsorted(ends, n_before + n_sent + sorting.ROW_GROUP))
            last = min(enough, len(numbers) - 1)
            records = self.held.records(self.run, numbers[first], numbers[last])
            told = self.cases.slice(n_told, last + 1 - n_told)
            n_told, begin = last + 1, n_sent
            if records is None:
                first, n_sent = n_told, 0
                yield Piece(None, {"cases": ended(told, None)})
            else:
                rest = self._rest(told, records)
                first, n_sent = _behind(records, n_sent + sorting.ROW_GROUP, numbers, n_told)
                yield Piece(records.table.slice(begin, sorting.ROW_GROUP), rest)
            n_before = int(ends[first - 1]) if first else 0
            self.held.drop(self.run, numbers[first - 1] if first else -1)

    def _rest(self, told: pa.Table, records: Rows) -> dict[str, pa.Table]:
        """What follows from the records of some cases, which lie at the end of those."""
        if not len(told):
            return {}
        import numpy as np

        own = int(np.searchsorted(arrow.column_in_numpy(records.table["case"]), told["case"][0].as_py()))
        if own == len(records):
            return {"cases": ended(told, None)}
        rows = Told(records.slice(own))
        return {"cases": ended(told, rows), **sides_of(rows, self.edges)}


def _behind(records: Rows, n: int, numbers: NDArray[Any], n_told: int) -> tuple[int, int]:
    """Where records go on behind the first `n`: the place of the case, and how many of its own lie before."""
    import numpy as np

    if n >= len(records):
        return n_told, 0
    cases = arrow.column_in_numpy(records.table["case"])
    return int(np.searchsorted(numbers, cases[n])), n - int(np.searchsorted(cases, cases[n]))
