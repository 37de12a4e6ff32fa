"""Rows that wait until their cases are written: in memory, and in files once they are many."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import arrow
from .batch import places

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MOST = 2**30
"""Bytes that rows may take in memory."""


@dataclass(frozen=True)
class _Part:
    """Rows that came together, by (case, seq), and how much memory they take."""

    records: pa.Table
    n_bytes: int

    @property
    def cases(self) -> NDArray[np.int32]:
        return arrow.column_in_numpy(self.records["case"])


class Held:
    """Records by run, in the order in which they came; whole cases are taken out, sorted."""

    def __init__(self) -> None:
        self._parts: dict[int, list[_Part]] = {}
        self._folder: str | None = None
        self._n_files = 0

    def __len__(self) -> int:
        return sum(len(part.records) for parts in self._parts.values() for part in parts)

    def add(self, run: int, records: pa.Table) -> None:
        """Hold further records of a run.

        Raises
        ------
        OSError
            If they are too many for memory, and the folder for temporary files is full.
        """
        self._parts.setdefault(run, []).append(_Part(_sorted(records), records.nbytes))
        if sum(part.n_bytes for parts in self._parts.values() for part in parts) > MOST:
            for parts in self._parts.values():
                parts[:] = [self._on_disk(part) if part.n_bytes else part for part in parts]

    def renumber(self, run: int, numbers: Mapping[int, int]) -> None:
        """Give cases of a run other numbers; from then on they are taken under these."""
        import numpy as np

        old = np.array(sorted(numbers), np.int32)
        new = np.array([numbers[case] for case in old.tolist()], np.int32)
        parts = self._parts.get(run, [])
        for k, part in enumerate(parts):
            cases = part.cases.copy()
            of = np.flatnonzero(np.isin(cases, old))
            cases[of] = new[np.searchsorted(old, cases[of])]
            place = part.records.column_names.index("case")
            parts[k] = replace(part, records=_sorted(part.records.set_column(place, "case", arrow.numbers(cases))))

    def take(self, run: int, first: int, last: int) -> pa.Table | None:
        """The records of the cases `first` to `last`, by (case, seq), with `is_last`; `None` if there are none.

        Cases are taken in the order of their numbers, so that none up to `last` is held any more. The last record of a
        case is the last that is here: at log levels below `full` the case may have others.
        """
        import numpy as np
        import pyarrow as pa

        taken: list[pa.Table] = []
        parts = self._parts.get(run, [])
        for part in parts:
            begin, end = np.searchsorted(part.cases, [first, last + 1]).tolist()
            if begin < end:
                taken.append(part.records.slice(begin, end - begin))
        parts[:] = [part for part in parts if part.cases[-1] > last]
        if not taken:
            return None
        whole = _sorted(pa.concat_tables(taken).unify_dictionaries().combine_chunks())
        is_last = np.append(np.diff(arrow.column_in_numpy(whole["case"])) != 0, True)
        return whole.append_column("is_last", arrow.numbers(is_last))

    def clear(self) -> None:
        """Drop everything, files too."""
        self._parts.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _on_disk(self, part: _Part) -> _Part:
        """The same records, read from a file as they are needed."""
        import pyarrow as pa

        self._folder = self._folder or tempfile.mkdtemp(prefix="wfsim-")
        self._n_files += 1
        file = str(Path(self._folder) / f"{self._n_files}.arrow")
        with pa.OSFile(file, "wb") as sink, pa.ipc.new_stream(sink, part.records.schema) as writer:
            writer.write_table(part.records)
        return _Part(pa.ipc.open_stream(pa.memory_map(file)).read_all(), 0)


def _sorted(records: pa.Table) -> pa.Table:
    """The same records, by (case, seq)."""
    import numpy as np

    here = places(arrow.column_in_numpy(records["case"]), arrow.column_in_numpy(records["seq"]))
    if (here[1:] > here[:-1]).all():
        return records
    # Stable, which takes next to no time where parts lie sorted one after another.
    return records.take(arrow.numbers(np.argsort(here, kind="stable")))
