"""What the compiled calendar has logged, as columns of a history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .batch import Columns, ValueColumns, places
from .tracker import RAW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from wfsim.simulation.compiled.run import Chunk
    from wfsim.simulation.plans import Member

    from .paths import Paths


_VALUES = ("case", "seq", "position", "name", "tag", "whole", "real")


def columns_of(chunk: Chunk, members: Sequence[Member], nodes: Sequence[int]) -> Iterator[tuple[int, Columns]]:
    """The records and values of a chunk, by workflow; `nodes` are the numbers in `Paths` of its paths."""
    import numpy as np

    from wfsim.simulation.compiled import log

    for number, member in enumerate(members):
        rows, kept = chunk.log, chunk.values
        if len(members) > 1:
            rows, kept = (each.take(np.flatnonzero(each["member"] == number)) for each in (rows, kept))
        if not len(rows):
            continue
        rows, kept = _sorted(rows), _sorted(kept)
        found = log.columns(rows)
        records = {name: found[name] for name in RAW} | {"path": np.array(nodes, np.int64)[rows["path"]]}
        starts, of = [(0, member.texts)], log.values(kept)
        values = ValueColumns(**{name: of[name] for name in _VALUES}, starts=starts)
        yield number, Columns(records, starts, values)


def _sorted(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows of the log by (case, seq): here a row is moved as a whole, later column by column."""
    import numpy as np

    # `take` copies rows, an index would copy field by field.
    return rows.take(np.argsort(places(rows["case"], rows["seq"]), kind="stable"))


def follow(chunk: Chunk, members: Iterable[Member], nodes: list[int], paths: Paths) -> None:
    """Give the paths of a chunk that are new their numbers in `Paths`."""
    if len(nodes) < len(chunk.paths):
        names = [name for member in members for name in member.program.names]
        for before, state in chunk.paths[len(nodes) :].tolist():
            nodes.append(paths.extend(nodes[before], names[state] or ""))
