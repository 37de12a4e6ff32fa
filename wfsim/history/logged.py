"""What the compiled calendar has logged, as columns of a history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .batch import Columns
from .payloads import ValueColumns
from .tracker import RAW

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wfsim.semantics.program import Program
    from wfsim.semantics.texts import Texts
    from wfsim.simulation.compiled.run import Chunk

    from .paths import Paths


def columns_of(chunk: Chunk, texts: Texts, nodes: Sequence[int]) -> Columns:
    """The records and values of a chunk; `nodes` are the numbers in `Paths` of its paths."""
    import numpy as np

    records = {name: chunk.log[name].astype(np.int64) for name in RAW if name != "path"}
    records["path"] = np.array(nodes, np.int64)[chunk.log["path"]]
    case, seq, position, name, tag, whole = (
        chunk.values[each].astype(np.int64) for each in ("case", "seq", "position", "name", "tag", "whole")
    )
    starts = [(0, texts)]
    values = ValueColumns(case, seq, position, name, tag, whole, chunk.values["real"].copy(), starts)
    return Columns(records, starts, values)


def kept(columns: Columns, kinds: Collection[int]) -> Columns:
    """Records of these kinds, with their values."""
    import numpy as np

    records, values = columns.records, columns.values
    wanted = np.isin(records["kind"], list(kinds))
    chosen = {name: column[wanted] for name, column in records.items()}
    of = np.isin(values.case << 32 | values.seq, chosen["case"] << 32 | chosen["seq"])
    whole = {name: getattr(values, name)[of] for name in ("case", "seq", "position", "name", "tag", "whole")}
    return Columns(chosen, columns.starts, ValueColumns(**whole, real=values.real[of], starts=values.starts))


def follow(chunk: Chunk, program: Program, nodes: list[int], paths: Paths) -> None:
    """Give the paths of a chunk that are new their numbers in `Paths`."""
    for number in range(len(nodes), len(chunk.paths)):
        before, state = chunk.paths[number]["before"], chunk.paths[number]["state"]
        nodes.append(paths.extend(nodes[before], program.names[state] or ""))
