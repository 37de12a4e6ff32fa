"""Markings of a net as fields in 64-bit words, and the net as arrays for the compiled search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from wfsim.verification.nets.arrays import Integers, Tables, Words

if TYPE_CHECKING:
    from wfsim.net.firing import FiringRule, Tokens
    from wfsim.net.petri import PetriNet

WORD = 64
ALL_BITS = 2**WORD - 1
KEYS_FROM = 200
"""Net transitions from which on those to try are chosen by the places that are marked."""

FIRST_FIT = 2_000
"""Places up to which each word is tried for each field."""


class CannotPack(Exception):
    """The markings hold so many tokens that their sum may need more than 63 bits; the text names the place."""


class Layout:
    """Where each place of a net lies: word, shift and width in bits, without the guard bit above.

    Attributes
    ----------
    widths
        Bits of each place. A place of width w holds up to `2**w - 1` tokens.
    """

    def __init__(self, net: PetriNet, widths: Sequence[int]) -> None:
        if sum(1 << width for width in widths) >= 2**63:
            place = max(range(len(widths)), key=widths.__getitem__)
            raise CannotPack(f"place {net.places[place]!r} may hold {2 ** (widths[place] - 1):,} tokens or more")
        self.net = net
        self.widths = tuple(widths)
        words, shifts = _placed(self.widths)
        self.n_words = max(words, default=0) + 1
        self._words, self._shifts = words, shifts
        self.word: Integers = np.array(words, np.int64)
        self.shift: Words = np.array(shifts, np.uint64)
        self.mask: Words = np.array([(1 << width) - 1 for width in self.widths], np.uint64)
        self.guard = self._fields((place, 1 << width) for place, width in enumerate(self.widths))
        self._tables: dict[int | None, Tables] = {}

    def _fields(self, values: Iterable[tuple[int, int]]) -> Words:
        """One row of words with the given values in the fields of places, modulo 2**64."""
        row = [0] * self.n_words
        for place, value in values:
            row[self._words[place]] += value << self._shifts[place]
        return np.array([word & ALL_BITS for word in row], np.uint64)

    def holds(self, tokens: Tokens) -> bool:
        """Whether each field is wide enough for its tokens."""
        return all(count >> width == 0 for count, width in zip(tokens, self.widths))

    def pack(self, tokens: Tokens) -> Words:
        """The words of a marking that fits."""
        return self._fields(enumerate(tokens))

    def pack_all(self, markings: Sequence[Tokens], words: Words) -> None:
        """Write the words of markings that fit into the first rows of `words`."""
        columns = np.array(markings, np.uint64).reshape(len(markings), len(self.widths))
        self._put((columns[:, place] for place in range(len(self.widths))), words[: len(markings)])

    def repack(self, old: Layout, rows: Words, words: Words) -> None:
        """Write markings packed by another layout into the first rows of `words`."""
        self._put((old.column(rows, place) for place in range(len(self.widths))), words[: len(rows)])

    def _put(self, columns: Iterable[Words], words: Words) -> None:
        words[:] = 0
        for place, column in enumerate(columns):
            words[:, self._words[place]] |= column << self.shift[place]

    def column(self, rows: Words, place: int) -> Words:
        """Tokens of one place in each row."""
        column: Words = (rows[:, self._words[place]] >> self.shift[place]) & self.mask[place]
        return column

    def unpack(self, rows: Words) -> list[Tokens]:
        """Markings as tuples."""
        if not self.widths:
            return [()] * len(rows)
        return [tuple(row) for row in ((rows[:, self.word] >> self.shift) & self.mask).tolist()]

    def limits(self, values: Mapping[int, int]) -> tuple[Words, Words]:
        """What to subtract to see which places hold at least so many tokens, and their guards.

        More than a field can hold clears its guard as it should: nothing reaches it.
        """
        least = self._fields((place, min(value, 1 << self.widths[place])) for place, value in values.items())
        guard = self._fields((place, 1 << self.widths[place]) for place in values)
        return least, guard

    def tables(self, above: int | None) -> Tables:
        """The net for the kernel; `above` is the number of tokens beyond which a place is watched."""
        if above not in self._tables:
            self._tables[above] = self._made_tables(above)
        return self._tables[above]

    def _made_tables(self, above: int | None) -> Tables:
        rules = self.net.rules
        need = _Entries(self, [self._needed(rule.needs) for rule in rules])
        forbid = _Entries(self, [self._needed(rule.forbids) for rule in rules])
        forbid_guard = _Entries(
            self, [[(place, 1 << self.widths[place]) for place, _ in rule.forbids] for rule in rules]
        )
        concerned = [sorted({p for p, _ in rule.changes} | set(rule.empties)) for rule in rules]
        change = _Entries(self, [_completed(rule, places) for rule, places in zip(rules, concerned)])
        cleared = _Entries(
            self,
            [
                [(p, (1 << self.widths[p]) - 1 if p in rule.empties else 0) for p in places]
                for rule, places in zip(rules, concerned)
            ],
        )
        watched = {} if above is None else dict.fromkeys(range(len(self.widths)), above + 1)
        at_least, watched_guard = self.limits(watched)
        return Tables(
            self.guard,
            need.start,
            need.word,
            need.value,
            forbid.start,
            forbid.word,
            forbid.value,
            forbid_guard.value,
            change.start,
            change.word,
            ~cleared.value,
            change.value,
            np.array([max(-(2**62), sum(difference for _, difference in rule.changes)) for rule in rules], np.int64),
            self.word,
            self.shift,
            self.mask,
            *self._places_of_words(),
            *_keys(self.net),
            at_least,
            watched_guard,
        )

    def _places_of_words(self) -> tuple[Integers, Integers]:
        """Start of each word's places, and the places by word."""
        counts = np.bincount(self.word, minlength=self.n_words)
        return np.concatenate(([0], np.cumsum(counts))), np.argsort(self.word, kind="stable")

    def _needed(self, weights: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(place, min(weight, 1 << self.widths[place])) for place, weight in weights]


class _Entries:
    """Values in fields, gathered by net transition and word."""

    def __init__(self, layout: Layout, values: Sequence[Sequence[tuple[int, int]]]) -> None:
        start: list[int] = [0]
        words: list[int] = []
        packed: list[int] = []
        for fields in values:
            by_word: dict[int, int] = {}
            for place, value in fields:
                word = layout._words[place]
                by_word[word] = by_word.get(word, 0) + (value << layout._shifts[place])
            words += by_word.keys()
            packed += [value & ALL_BITS for value in by_word.values()]
            start.append(len(words))
        self.start: Integers = np.array(start, np.int64)
        self.word: Integers = np.array(words, np.int64)
        self.value: Words = np.array(packed, np.uint64)


def _keys(net: PetriNet) -> tuple[Integers, Integers, Integers]:
    """For each place the net transitions of which it is the key: the place they need that fewest others need.

    Start of each place, net transitions by place, and those that need none. Empty for nets with few transitions.
    """
    if len(net.transitions) < KEYS_FROM:
        none = np.zeros(0, np.int64)
        return none, none, none
    wanted = [0] * len(net.places)
    for rule in net.rules:
        for place, _ in rule.needs:
            wanted[place] += 1
    of_place: list[list[int]] = [[] for _ in net.places]
    free = []
    for transition, rule in enumerate(net.rules):
        if rule.needs:
            of_place[min((place for place, _ in rule.needs), key=wanted.__getitem__)].append(transition)
        else:
            free.append(transition)
    start = np.cumsum([0, *map(len, of_place)], dtype=np.int64)
    flat = [transition for transitions in of_place for transition in transitions]
    return start, np.array(flat, np.int64), np.array(free, np.int64)


def _completed(rule: FiringRule, places: Iterable[int]) -> list[tuple[int, int]]:
    changes = dict(rule.changes)
    return [(place, changes.get(place, 0)) for place in places]


def _placed(widths: Sequence[int]) -> tuple[list[int], list[int]]:
    """Word and shift of each field, in order; into the first word with room unless there are very many."""
    words, shifts, used = [], [], [0]
    for width in widths:
        tried = range(len(used)) if len(widths) <= FIRST_FIT else range(len(used) - 1, len(used))
        word = next((w for w in tried if used[w] + width + 1 <= WORD), len(used))
        if word == len(used):
            used.append(0)
        words.append(word)
        shifts.append(used[word])
        used[word] += width + 1
    return words, shifts


def first_widths(net: PetriNet, bounds: Mapping[int, int]) -> list[int]:
    """Bits for each place: for the bound given; else just enough for the start and for what one firing adds.

    One firing can so never carry beyond the guard bit of a field.
    """
    least = list(net.initial_marking.tokens)
    for rule in net.rules:
        for place, difference in rule.changes:
            least[place] = max(least[place], difference)
    return [max(1, max(count, bounds.get(place, 0)).bit_length()) for place, count in enumerate(least)]
