"""Texts, lists and objects spread out in arrays, as compiled steps read them, and values that were made of others.

What a table of texts has gets there when it comes: with the initial values, payloads, results and inputs that Python
lets in. A new text or list that a step needs is a question to the surroundings; since it follows from its parts, its
handle is kept under them, and is asked for again only where it has been forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import dtypes, speed
from .arrays import to_array
from .layout import Cell
from .texts import Member, Texts

ENTRIES, PARTS, NAMES, SIGNS, MADE, MADE_OF = range(6)
MOST_MADE = 1 << 16
"""Rows for values that were made; when half of them are used, all are forgotten."""


class Spread:
    """What a table of texts holds, in arrays.

    Parameters
    ----------
    texts
        It grows by itself; `catch_up` takes in what is new.

    Attributes
    ----------
    arrays
        The last six of `speed.Outputs`; others once `catch_up` or `keep` says so.

    Notes
    -----
    A value that was there before has its handle already, so the arrays are as large as the different values of a run.
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._known = 0
        self._n_parts = self._n_signs = self._n_made = self._n_made_of = 0
        self._forgot_in: object = None
        self.arrays: tuple[Any, ...] = (
            np.zeros(64, dtypes.VALUE_ENTRY),
            np.zeros(64, dtypes.CELL),
            np.zeros(64, np.int64),
            np.zeros(4_096, np.uint8),
            np.zeros(256, dtypes.MADE),
            np.zeros(256, dtypes.CELL),
        )
        self.catch_up()

    def catch_up(self) -> bool:
        """Take in what the table has got; whether the arrays are others now."""
        before = self.arrays
        # What is in a list gets its handle as that is taken in.
        while (known := self._known) < (n := len(self._texts)):
            self._take_in(known, self._texts.since(known))
            self._known = n
        return self.arrays is not before

    def _take_in(self, first: int, values: list[Any]) -> None:
        if len(values) == 1:
            self._take_in_one(first, values[0])
            return
        # Every case that arrives may have texts of its own: a loop over them would take a tenth of a short simulation.
        entries = np.empty(len(values), dtypes.VALUE_ENTRY)
        entries["n"] = sizes = _lengths(values)
        others = list[int]()
        try:
            signs = "".join(values).encode()
        except TypeError:
            others = [place for place, value in enumerate(values) if not isinstance(value, str)]
            for place in others:
                values[place], sizes[place] = "", 0
            signs = "".join(values).encode()
        if len(signs) > sizes.sum():
            sizes = _lengths([text.encode() for text in values])
        entries["size"], entries["first"] = sizes, self._n_signs + np.cumsum(sizes) - sizes
        members, n_signs = list[Member](), self._n_signs + len(signs)
        for place in others:
            entries["first"][place] = self._n_parts + len(members)
            members += self._texts.members(first + place)
        n_parts = self._n_parts + len(members)
        self._make_room(ENTRIES, first + len(values))
        self._make_room(PARTS, n_parts)
        self._make_room(NAMES, n_parts)
        self._make_room(SIGNS, n_signs)
        into = self.arrays
        into[ENTRIES][first : first + len(values)] = entries
        self._put_parts(members)
        into[SIGNS][self._n_signs : n_signs] = np.frombuffer(signs, np.uint8)
        self._n_signs = n_signs

    def _take_in_one(self, place: int, value: Any) -> None:
        """The same of one value, as after a question: to make arrays of one row takes three times as long."""
        if isinstance(value, str):
            signs = value.encode()
            end = self._n_signs + len(signs)
            self._make_room(ENTRIES, place + 1)
            self._make_room(SIGNS, end)
            into = self.arrays
            into[SIGNS][self._n_signs : end] = np.frombuffer(signs, np.uint8)
            into[ENTRIES][place] = (len(value), self._n_signs, len(signs))
            self._n_signs = end
            return
        members = self._texts.members(place)
        end = self._n_parts + len(members)
        self._make_room(ENTRIES, place + 1)
        self._make_room(PARTS, end)
        self._make_room(NAMES, end)
        into = self.arrays
        into[ENTRIES][place] = (len(value), self._n_parts, 0)
        self._put_parts(members)

    def _put_parts(self, members: Sequence[Member]) -> None:
        """Add what is in lists and objects, for which there is room."""
        into, end = self.arrays, self._n_parts + len(members)
        if members:
            columns = zip((into[NAMES], *(into[PARTS][name] for name in ("tag", "whole", "real"))), zip(*members))
            for column, numbers in columns:
                column[self._n_parts : end] = numbers
        self._n_parts = end

    def _make_room(self, which: int, n: int) -> None:
        old = self.arrays[which]
        if n > len(old):
            longer = np.zeros(2 * n, old.dtype)
            longer[: len(old)] = old
            self._replace(which, longer)

    def _replace(self, which: int, array: Any) -> None:
        self.arrays = (*self.arrays[:which], array, *self.arrays[which + 1 :])

    def keep(self, tally: Any, cells: Sequence[Cell], answer: Cell, step: object) -> bool:
        """Keep what was made for the question in the tally; whether the arrays are others now.

        `step` tells the step that asks from those before: what is forgotten in it, it asks for once more, not for ever.
        """
        before = self.arrays
        place = int(tally["place"])
        made = self.arrays[MADE]
        if 2 * (self._n_made + 1) > len(made):
            if len(made) >= MOST_MADE and step != self._forgot_in:
                self._forgot_in = step
                made["used"] = 0
                self._n_made = self._n_made_of = 0
            else:
                made = self._more_made()
            place = self._place_of(made, int(tally["hash"]))
        first, end = self._n_made_of, self._n_made_of + len(cells) + 1
        self._make_room(MADE_OF, end)
        self.arrays[MADE_OF][first:end] = to_array([*cells, answer], dtypes.CELL)
        what = int(tally["question"]) - speed.MADE_QUESTION
        made[place] = (1, int(tally["hash"]), int(tally["owner"]), what, int(tally["left"]), len(cells), first)
        self._n_made += 1
        self._n_made_of = end
        return self.arrays is not before

    def _more_made(self) -> Any:
        old = self.arrays[MADE]
        more = np.zeros(2 * len(old), dtypes.MADE)
        for row in old[old["used"] == 1]:
            more[self._place_of(more, int(row["hash"]))] = row
        self._replace(MADE, more)
        return more

    def _place_of(self, made: Any, hashed: int) -> int:
        place = hashed & (len(made) - 1)
        while made[place]["used"]:
            place = (place + 1) & (len(made) - 1)
        return place


def _lengths(values: Sequence[Any]) -> Any:
    return np.fromiter(map(len, values), np.int64, len(values))
