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
class ByCase:
    """Rows of the log by case, those of each in their order.

    Attributes
    ----------
    cases
        Those that have some.
    begins
        Where those of each begin, and where the last ones end.
    """

    rows: NDArray[Any]
    cases: NDArray[np.int32]
    begins: NDArray[np.int64]

    @classmethod
    def of(cls, rows: NDArray[Any]) -> ByCase:
        """Rows in any order of cases."""
        import numpy as np

        cases = np.ascontiguousarray(rows["case"])
        if (order := _order(cases)) is not None:
            from wfsim.simulation.compiled import buffers

            # `take` copies rows, an index would copy field by field. All places are its own: `clip` spares a copy.
            rows = rows.take(order, out=buffers.empty(len(rows), rows.dtype), mode="clip")
            cases = cases[order]
        begins = np.flatnonzero(np.append(True, cases[1:] != cases[:-1])[: len(cases)])
        return cls(rows, cases[begins], np.append(begins, len(rows)))

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, which: NDArray[Any]) -> ByCase:
        """Those that a mask tells."""
        import numpy as np

        return ByCase.of(self.rows.take(np.flatnonzero(which)))

    def between(self, first: int, last: int) -> ByCase:
        """Those of the cases from the first to the last."""
        import numpy as np

        place, end = np.searchsorted(self.cases, [first, last + 1]).tolist()
        begins = self.begins[place : end + 1]
        return ByCase(self.rows[begins[0] : begins[-1]], self.cases[place:end], begins - begins[0])

    def in_file(self, path: str) -> ByCase:
        """The same rows, read from a file as they are needed."""
        import numpy as np

        self.rows.tofile(path)
        return replace(self, rows=np.memmap(path, self.rows.dtype, "r")) if len(self) else self


@dataclass(frozen=True)
class Logged:
    """Rows of the log and their values: a third as wide as what a history makes of them.

    The rows of each case come in their order, in one part and from part to part.

    Attributes
    ----------
    rows, values
        Of `layout.LOG` and `LOGGED_VALUE`.
    spell
        Makes records of such parts, one for each workflow.
    """

    rows: ByCase
    values: ByCase
    spell: Spell
    n_bytes: int

    @classmethod
    def of(cls, log: NDArray[Any], values: NDArray[Any], spell: Spell) -> Logged:
        """Rows as they came."""
        return cls.in_memory(ByCase.of(log), ByCase.of(values), spell)

    @classmethod
    def in_memory(cls, rows: ByCase, values: ByCase, spell: Spell) -> Logged:
        """Rows that lie in no file."""
        return cls(rows, values, spell, rows.rows.nbytes + values.rows.nbytes)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def cases(self) -> NDArray[np.int32]:
        found: NDArray[np.int32] = self.rows.rows["case"]
        return found

    def of_kinds(self, kinds: Collection[int]) -> Logged:
        """Those that are of these kinds, with their values."""
        import numpy as np

        rows, values = self.rows.where(np.isin(self.rows.rows["kind"], list(kinds))), self.values.rows
        own = np.isin(places(values["case"], values["seq"]), places(rows.rows["case"], rows.rows["seq"]))
        return Logged.in_memory(rows, self.values.where(own), self.spell)

    def between(self, begin: int, end: int) -> Logged:
        """Some of them, all those of their cases."""
        first, last = self.cases[[begin, end - 1]].tolist()
        return replace(self, rows=self.rows.between(first, last), values=self.values.between(first, last))

    def renumbered(self, cases: NDArray[np.int32]) -> Logged:
        import numpy as np

        rows, values = self.rows.rows.copy(), self.values.rows.copy()
        of = np.searchsorted(places(rows["case"], rows["seq"]), places(values["case"], values["seq"]))
        rows["case"], values["case"] = cases, cases[of]
        return replace(self, rows=ByCase.of(rows), values=ByCase.of(values))

    def in_file(self, path: str) -> Logged:
        return Logged(self.rows.in_file(f"{path}.rows"), self.values.in_file(f"{path}.values"), self.spell, 0)

    def records(self, others: Sequence[Logged]) -> Rows:
        return joined([*self.spell([self, *others])])


def columns_of(
    parts: Sequence[Logged], members: Sequence[tuple[Member, ProgramCodes]], nodes: Sequence[int]
) -> Iterator[tuple[int, Columns]]:
    """Rows of some parts as columns, by workflow and case; `nodes` are the numbers in `Paths` of the log's paths."""
    import numpy as np

    from wfsim.simulation.compiled.columns import columns

    for number, (member, codes) in enumerate(members):
        logs, values = [part.rows for part in parts], [part.values for part in parts]
        if len(members) > 1:
            logs, values = ([each.where(each.rows["member"] == number) for each in kept] for kept in (logs, values))
        order, value_order = _places(logs), _places(values)
        if len(order):
            names = {field: getattr(codes, field) for field in CODED}
            own = [(rows.rows, kept.rows) for rows, kept in zip(logs, values)]
            records, found_values = columns(own, order, value_order, np.array(nodes, np.int32), names)
            starts = [(0, member.texts)]
            cells = found_values.record, found_values.name, found_values.tag, found_values.whole
            found = {name: getattr(records, name) for name in records._fields[:-1]}
            real = found_values.real.view(np.float64)
            yield number, Columns(found, starts, ValueColumns(*cells, real, starts))


def _order(cases: NDArray[np.int32]) -> NDArray[np.int64] | None:
    """What puts rows in the order of their cases, those of one as they come; `None` if they are."""
    import numpy as np

    if (cases[1:] >= cases[:-1]).all():
        return None
    cases = cases - cases.min()
    # Of 16 bits it goes by counting, six times as fast; rows that come together are of cases that lie together.
    return np.argsort(cases.astype(np.uint16) if cases.max() < 2**16 else cases, kind="stable")


def _places(parts: Sequence[ByCase]) -> NDArray[np.int32]:
    """Where the rows of some parts go, one part after another, so that they lie by case."""
    import numpy as np

    some = [part for part in parts if len(part)]
    found = np.arange(sum(map(len, some)), dtype=np.int32)
    if not some:
        return found
    first = min(int(part.cases[0]) for part in some)
    # By the numbers of cases, nearly all of which are there.
    n_rows = np.zeros(max(int(part.cases[-1]) for part in some) + 1 - first, np.int64)
    for part in some:
        n_rows[part.cases - first] += np.diff(part.begins)
    # Of each case, where its rows in the next part go.
    free = np.cumsum(n_rows) - n_rows
    end = 0
    for part in some:
        begin, end = end, end + len(part)
        count, of = np.diff(part.begins), part.cases - first
        found[begin:end] += np.repeat((free[of] - part.begins[:-1] - begin).astype(np.int32), count)
        free[of] += count
    return found


def follow(chunk: Chunk, members: Iterable[Member], nodes: list[int], paths: Paths) -> None:
    """Give the paths of a chunk that are new their numbers in `Paths`."""
    if len(nodes) < len(chunk.paths):
        names = [name for member in members for name in member.program.names]
        for before, state in chunk.paths[len(nodes) :].tolist():
            nodes.append(paths.extend(nodes[before], names[state] or ""))
