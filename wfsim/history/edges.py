"""Numbers of edges: what tells stays apart that ended by different ones is one small integer, for who counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .batch import places

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NONE = -1
_FIRST = 1_000
"""How many keys are looked at for new ones first: nearly all that come again are among them."""


class Edges:
    """Numbers of the edges of one run, from 0 in the order in which they are met.

    An edge is a region with a state, the next one, and an event or none. Cost: 40 ns a stay.
    """

    def __init__(self) -> None:
        self._steps = (_Numbers(), _Numbers(), _Numbers())

    def of(
        self, region: NDArray[Any], state: NDArray[Any], to_state: NDArray[Any], event: NDArray[Any]
    ) -> NDArray[np.int32]:
        """For each stay, by the codes that its row has, the number of its edge; `NONE` where no state follows."""
        import numpy as np

        found = np.full(len(state), NONE, np.int32)
        moved = np.flatnonzero(to_state != NONE)
        number = region[moved]
        # Two at a time, so that whatever the codes are, 64 bits hold what is looked up.
        for step, column in zip(self._steps, (state, to_state, event)):
            number = step.of(places(number, column[moved] + 1))
        found[moved] = number
        return found


class _Numbers:
    """Keys from 0 on, numbered in the order in which they are met."""

    def __init__(self) -> None:
        import numpy as np

        # Sorted, and one behind all of them that is none.
        self._keys = np.array([np.iinfo(np.int64).max])
        self._numbers = np.array([NONE], np.int32)

    def of(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """The number of each."""
        import numpy as np

        at, n = np.searchsorted(self._keys, keys), _FIRST
        while len(unknown := np.flatnonzero(self._keys[at] != keys)):
            self._add(keys[unknown[:n]])
            at, n = np.searchsorted(self._keys, keys), 10 * n
        return self._numbers[at]

    def _add(self, keys: NDArray[np.int64]) -> None:
        import numpy as np

        fresh, first = np.unique(keys, return_index=True)
        numbers = np.empty(len(fresh), np.int32)
        numbers[np.argsort(first)] = len(self._keys) - 1 + np.arange(len(fresh))
        all_keys, all_numbers = np.concatenate([self._keys, fresh]), np.concatenate([self._numbers, numbers])
        order = np.argsort(all_keys)
        self._keys, self._numbers = all_keys[order], all_numbers[order]
