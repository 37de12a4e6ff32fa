"""What the compiled calendar has logged, on its way into a history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .batch import Columns, ValueColumns, places
from .codes import CODED
from .held import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from wfsim.simulation.compiled.run import Chunk
    from wfsim.simulation.plans import Member

    from .arrow import Rows
    from .codes import ProgramCodes
    from .paths import Paths

    Spell: TypeAlias = Callable[[Sequence["Logged"]], Iterable[Rows]]


@dataclass(frozen=True)
class Logged:
    """Rows of the log and their values, by case: a third as wide as what a history makes of them.

    The rows of each case come in their order, in one part and from part to part.

    Attributes
    ----------
    rows, values
        Of `layout.LOG` and `LOGGED_VALUE`.
    spell
        Makes records of such parts, one for each workflow.
    """

    rows: NDArray[Any]
    values: NDArray[Any]
    spell: Spell
    n_bytes: int

    @classmethod
    def of(cls, chunk: Chunk, spell: Spell) -> Logged:
        """Rows as they came."""
        rows, values = _sorted(chunk.log), _sorted(chunk.values)
        return cls(rows, values, spell, rows.nbytes + values.nbytes)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def cases(self) -> NDArray[np.int32]:
        found: NDArray[np.int32] = self.rows["case"]
        return found

    def of_kinds(self, kinds: Collection[int]) -> Logged:
        """Those that are of these kinds, with their values."""
        import numpy as np

        rows = self.rows[np.isin(self.rows["kind"], list(kinds))]
        own = np.isin(places(self.values["case"], self.values["seq"]), places(rows["case"], rows["seq"]))
        values = self.values[own]
        return replace(self, rows=rows, values=values, n_bytes=rows.nbytes + values.nbytes)

    def between(self, begin: int, end: int) -> Logged:
        import numpy as np

        rows = self.rows[begin:end]
        first, last = np.searchsorted(self.values["case"], [rows["case"][0], rows["case"][-1] + 1])
        return replace(self, rows=rows, values=self.values[first:last])

    def renumbered(self, cases: NDArray[np.int32]) -> Logged:
        import numpy as np

        rows, values = self.rows.copy(), self.values.copy()
        of = np.searchsorted(places(rows["case"], rows["seq"]), places(values["case"], values["seq"]))
        rows["case"], values["case"] = cases, cases[of]
        return replace(self, rows=_sorted(rows), values=_sorted(values))

    def in_file(self, path: str) -> Logged:
        import numpy as np

        kept = []
        for name, array in (("rows", self.rows), ("values", self.values)):
            file = f"{path}.{name}"
            array.tofile(file)
            kept.append(np.memmap(file, array.dtype, "r") if len(array) else array)
        return Logged(kept[0], kept[1], self.spell, 0)

    def records(self, others: Sequence[Logged]) -> Rows:
        return joined([*self.spell([self, *others])])


def columns_of(
    parts: Sequence[Logged], members: Sequence[tuple[Member, ProgramCodes]], nodes: Sequence[int]
) -> Iterator[tuple[int, Columns]]:
    """Rows of some parts as columns, by workflow and case; `nodes` are the numbers in `Paths` of the log's paths."""
    import numpy as np

    from wfsim.simulation.compiled.columns import columns

    for number, (member, codes) in enumerate(members):
        own = [(part.rows, part.values) for part in parts]
        if len(members) > 1:
            own = [(_of_member(rows, number), _of_member(values, number)) for rows, values in own]
        order, value_order = (_places([each["case"] for each in arrays]) for arrays in zip(*own))
        if len(order):
            names = {field: getattr(codes, field) for field in CODED}
            records, values = columns(own, order, value_order, np.array(nodes, np.int32), names)
            starts = [(0, member.texts)]
            cells = values.record, values.name, values.tag, values.whole, values.real.view(np.float64)
            found = {name: getattr(records, name) for name in records._fields[:-1]}
            yield number, Columns(found, starts, ValueColumns(*cells, starts))


def _of_member(rows: NDArray[Any], number: int) -> NDArray[Any]:
    import numpy as np

    return rows.take(np.flatnonzero(rows["member"] == number))


def _order(cases: NDArray[np.int32]) -> NDArray[np.int64] | None:
    """What puts rows in the order of their cases, those of one as they come; `None` if they are."""
    import numpy as np

    if (cases[1:] >= cases[:-1]).all():
        return None
    cases = cases - cases.min()
    # Of 16 bits it goes by counting, six times as fast; rows that come together are of cases that lie together.
    return np.argsort(cases.astype(np.uint16) if cases.max() < 2**16 else cases, kind="stable")


def _sorted(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows of the log by case: here a row is moved as a whole."""
    import numpy as np

    order = _order(np.ascontiguousarray(rows["case"]))
    if order is None:
        return rows
    from wfsim.simulation.compiled import buffers

    # `take` copies rows, an index would copy field by field. All places are some of its own: `clip` spares a copy.
    return rows.take(order, out=buffers.empty(len(rows), rows.dtype), mode="clip")


def _places(cases: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    """Where rows that come in several arrays go, so that they lie by case."""
    import numpy as np

    together = np.concatenate(cases)
    order, found = _order(together), np.arange(len(together), dtype=np.int32)
    if order is not None:
        found[order] = found.copy()
    return found


def follow(chunk: Chunk, members: Iterable[Member], nodes: list[int], paths: Paths) -> None:
    """Give the paths of a chunk that are new their numbers in `Paths`."""
    if len(nodes) < len(chunk.paths):
        names = [name for member in members for name in member.program.names]
        for before, state in chunk.paths[len(nodes) :].tolist():
            nodes.append(paths.extend(nodes[before], names[state] or ""))
