"""Snapshots as lines of words, in Python: the lines that `flat.pack` writes and `flat.rebuild` reads."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from wfsim.semantics.program import Program
from wfsim.semantics.snapshot import Snapshot
from wfsim.verification.workflows.flat import EACHES, ENDED, HEADER, HELD, QUEUED, REGION, RESULT_CELLS, WORK


def words_of(program: Program, snapshot: Snapshot) -> list[int]:
    """The line of a snapshot."""
    status, outcome, regions, works, eaches, held, (undoing_all, reason), timers, lists, entries, cells = snapshot
    words = [status, outcome, int(undoing_all), reason]
    words += [len(works) - program.head.n_works, len(eaches), len(held), len(entries), *map(len, lists)]
    for kept in held:
        words += [*kept[:HELD], *_cells_to_words(kept[HELD])]
    for kept in eaches:
        words += [*kept[: EACHES - 1], len(kept[-1])]
        for index, phase, found in kept[-1]:
            words += [index, phase, *_cells_to_words(found)]
    for kept in entries:
        words += [*map(int, kept[:QUEUED]), *_cells_to_words(kept[QUEUED])]
    for line in lists:
        words += line
    for kept in (*regions, *works):
        words += [0] if kept is None else map(int, kept)
    words += map(int, timers)
    words += _cells_to_words(cells)
    return words


def snapshot_of(program: Program, words: Iterable[int]) -> Snapshot:
    """The snapshot of a line."""
    head = program.head
    rest = iter(words)

    def take(n: int) -> tuple[int, ...]:
        return tuple(next(rest) for _ in range(n))

    status, outcome, undoing_all, reason, n_items, n_eaches, n_held, n_entries, *lengths = take(HEADER)
    held = tuple((*take(HELD), _cells(rest, head.n_fields)) for _ in range(n_held))
    eaches = []
    for _ in range(n_eaches):
        *kept, n_ended = take(EACHES)
        ended = tuple((*take(ENDED), _cells(rest, RESULT_CELLS)) for _ in range(n_ended))
        eaches.append((*kept, ended))
    entries = []
    for _ in range(n_entries):
        *kept, alive, origin = take(QUEUED)
        entries.append((*kept, bool(alive), origin, _cells(rest, head.n_fields)))
    lists = tuple(take(length) for length in lengths)
    regions = []
    for _ in range(head.n_regions):
        phase = next(rest)
        regions.append((phase, *take(REGION - 1)) if phase else None)
    works: list[tuple[int, ...] | None] = []
    for _ in range(head.n_works + n_items):
        phase = next(rest)
        if phase == 0:
            works.append(None)
            continue
        kept = [phase, *take(WORK - 1)]
        kept[6:8] = bool(kept[6]), bool(kept[7])
        works.append(tuple(kept))
    timers = tuple(bool(runs) for runs in take(head.first_clock - head.first_timer))
    cells = _cells(rest, head.inbox_cells)
    return (
        status,
        outcome,
        tuple(regions),
        tuple(works),
        tuple(eaches),
        held,
        (bool(undoing_all), reason),
        timers,
        lists,
        tuple(entries),
        cells,
    )


def _cells_to_words(cells: Iterable[tuple[int, int, float]]) -> list[int]:
    words = []
    for tag, whole, real in cells:
        bits = _bits(real)
        words.append(tag * 4 + (whole != 0) + 2 * (bits != 0))
        words += [word for word in (whole, bits) if word]
    return words


def _cells(words: Iterator[int], n: int) -> tuple[tuple[int, int, float], ...]:
    found = []
    for _ in range(n):
        what = next(words)
        whole = next(words) if what & 1 else 0
        real = _real(next(words)) if what & 2 else 0.0
        found.append((what >> 2, whole, real))
    return tuple(found)


def _bits(real: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", real))[0]) if real else 0


def _real(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])
