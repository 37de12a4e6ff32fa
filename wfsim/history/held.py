"""Rows that wait until their cases are written: in memory, and in files once they are many."""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from . import arrow
from .arrow import Rows
from .batch import places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MOST = 4 * 2**27
"""Bytes that rows may take in memory."""


class Part(Protocol):
    """Rows of a run that came together, by (case, seq); those of one run are all of one kind."""

    def __len__(self) -> int: ...

    @property
    def n_bytes(self) -> int:
        """How much memory they take; none in a file."""

    @property
    def cases(self) -> NDArray[np.int32]:
        """The case of each row."""

    def between(self, begin: int, end: int) -> Self:
        """Some of them."""

    def renumbered(self, cases: NDArray[np.int32]) -> Self:
        """The same rows under other numbers of cases."""

    def in_file(self, path: str) -> Self:
        """The same rows, read from a file as they are needed."""

    def records(self, others: Sequence[Self]) -> Rows:
        """These and others as rows of the table `records`, by (case, seq), without `is_last`."""


@dataclass(frozen=True)
class Table:
    """Rows that are columns of `records` already."""

    rows: pa.Table
    n_bytes: int

    @classmethod
    def of(cls, records: pa.Table) -> Table:
        """Rows in any order."""
        return cls(_sorted(records), records.nbytes)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def cases(self) -> NDArray[np.int32]:
        return arrow.column_in_numpy(self.rows["case"])

    def between(self, begin: int, end: int) -> Table:
        return Table(self.rows.slice(begin, end - begin), self.n_bytes)

    def renumbered(self, cases: NDArray[np.int32]) -> Table:
        place = self.rows.column_names.index("case")
        return Table(_sorted(self.rows.set_column(place, "case", arrow.numbers(cases))), self.n_bytes)

    def in_file(self, path: str) -> Table:
        import pyarrow as pa

        with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, self.rows.schema) as writer:
            writer.write_table(self.rows)
        return Table(pa.ipc.open_stream(pa.memory_map(path)).read_all(), 0)

    def records(self, others: Sequence[Table]) -> Rows:
        return joined([Rows(each.rows, {}) for each in (self, *others)])


class Held:
    """Records by run, in the order in which they came; those of whole cases are given out, sorted.

    One thread may add while another one takes what lies before.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._parts: dict[int, list[Part]] = {}
        self._folder: str | None = None
        self._n_files = 0

    def __len__(self) -> int:
        return sum(len(part) for parts in self._parts.values() for part in parts)

    def add(self, run: int, part: Part) -> None:
        """Hold further records of a run.

        Raises
        ------
        OSError
            If they are too many for memory, and the folder for temporary files is full.
        """
        with self._turn:
            self._parts.setdefault(run, []).append(part)
            if sum(part.n_bytes for parts in self._parts.values() for part in parts) > MOST:
                for parts in self._parts.values():
                    parts[:] = [part.in_file(self._new_file()) if part.n_bytes else part for part in parts]

    def renumber(self, run: int, numbers: Mapping[int, int]) -> None:
        """Give cases of a run other numbers; from then on they are taken under these."""
        import numpy as np

        old = np.array(sorted(numbers), np.int32)
        new = np.array([numbers[case] for case in old.tolist()], np.int32)
        with self._turn:
            parts = self._parts.get(run, [])
            for k, part in enumerate(parts):
                cases = part.cases.copy()
                of = np.flatnonzero(np.isin(cases, old))
                cases[of] = new[np.searchsorted(old, cases[of])]
                parts[k] = part.renumbered(cases)

    def records(self, run: int, first: int, last: int) -> Rows | None:
        """The records of the cases `first` to `last`, by (case, seq), with `is_last`; `None` if there are none.

        The last record of a case is the last that is here: at log levels below `full` the case may have others.
        """
        import numpy as np

        found: list[Part] = []
        with self._turn:
            for part in self._parts.get(run, []):
                begin, end = np.searchsorted(part.cases, [first, last + 1]).tolist()
                if begin < end:
                    found.append(part.between(begin, end))
        if not found:
            return None
        whole = found[0].records(found[1:])
        is_last = np.append(np.diff(arrow.column_in_numpy(whole.table["case"])) != 0, True)
        return Rows(whole.table.append_column("is_last", arrow.numbers(is_last)), whole.columns)

    def drop(self, run: int, last: int) -> None:
        """Nobody asks for the cases up to this one any more."""
        with self._turn:
            parts = self._parts.get(run, [])
            parts[:] = [part for part in parts if part.cases[-1] > last]

    def clear(self) -> None:
        """Drop everything, files too."""
        self._parts.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _new_file(self) -> str:
        self._folder = self._folder or tempfile.mkdtemp(prefix="wfsim-")
        self._n_files += 1
        return str(Path(self._folder) / f"{self._n_files}.rows")


def joined(parts: Sequence[Rows]) -> Rows:
    """Records that came together, by (case, seq), each column in one piece."""
    import pyarrow as pa

    if len(parts) == 1 and _order(parts[0].table) is None:
        return parts[0]
    return Rows(_sorted(pa.concat_tables([part.table for part in parts]).unify_dictionaries().combine_chunks()), {})


def _sorted(records: pa.Table) -> pa.Table:
    """The same records, by (case, seq)."""
    order = _order(records)
    return records if order is None else records.take(arrow.numbers(order))


def _order(records: pa.Table) -> NDArray[np.int64] | None:
    """What puts records in the order (case, seq); `None` if they are."""
    import numpy as np

    here = places(arrow.column_in_numpy(records["case"]), arrow.column_in_numpy(records["seq"]))
    # Stable, which takes next to no time where parts lie sorted one after another.
    return None if (here[1:] > here[:-1]).all() else np.argsort(here, kind="stable")
