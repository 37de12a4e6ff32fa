"""The records of an instance by the versions that it ran: most run one for all their life (M15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import ReplayError, WfsimError
from wfsim.history.replay_case import replayed, steps_of, stimulus_of
from wfsim.history.retelling import Otherwise, Retold, Segment, beginnings, retold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfsim.semantics.instance import Instance

    from .programs import Families, Family
    from .rows import InstanceRow, Rows


def segments_of(rows: Rows, row: InstanceRow, families: Families) -> list[Segment]:
    """What happened to an instance, by the versions that it ran.

    Raises
    ------
    ReplayError
        If a definition of it cannot be read any more.
    """
    records, moves = rows.records(row.id), rows.moves(row.id)
    ran = [(each.family, each.member, each.seq) for each in moves] + [(row.family, row.member, row.version)]
    renamed = [{}, *(each.renamed for each in moves)]
    found, first = [], 0
    for (family, member, last), names in zip(ran, renamed):
        program = family_of(family, rows, families).programs[member]
        found.append(Segment(program, records[first:last], names))
        first = last
    return found


def family_of(code: str, rows: Rows, families: Families) -> Family:
    """The family of a hash, of an instance whose records are to be told.

    Raises
    ------
    ReplayError
        If a definition of it cannot be read any more.
    """
    try:
        return families.get(code, rows.family)
    except (WfsimError, ValueError) as error:
        raise ReplayError(
            f"a definition that it ran cannot be read any more: {error} Go on with the wfsim that published it."
        ) from error


def checked(segments: Sequence[Segment]) -> Instance:
    """The instance after all its records, each compared with what its version makes of it.

    Raises
    ------
    ReplayError
        At the first record that differs.
    """
    begun = _beginnings(segments)
    for instance, segment in zip(begun, segments, strict=True):
        for _ in replayed(instance, segment.records):
            pass
    return begun[-1]


def again(segments: Sequence[Segment]) -> Instance:
    """The instance after all its records, compared no further than its moves require.

    Raises
    ------
    ReplayError
        If it could not have moved as it did.
    """
    instance, last = _beginnings(segments)[-1], segments[-1]
    for step in steps_of(last.records):
        instance.apply(stimulus_of(last.program, step))
    instance.events_seen, instance.commands_seen = {}, set()
    return instance


def outputs_of(segments: Sequence[Segment]) -> Retold:
    """What the version that an instance runs now has put out for all its records, and the instance after them.

    Raises
    ------
    ReplayError
        At the first record that differs.
    """
    last = segments[-1]
    if len(segments) == 1:
        found = Retold(_beginnings(segments)[0], [])
    else:
        try:
            found = retold(segments[:-1], last.program, last.renamed)
        except Otherwise as difference:
            raise _unmoved(difference) from None
    found.outputs.extend(output for _, output in replayed(found.instance, last.records))
    return found


def _beginnings(segments: Sequence[Segment]) -> list[Instance]:
    try:
        return beginnings(segments)
    except Otherwise as difference:
        raise _unmoved(difference) from None


def _unmoved(difference: Otherwise) -> ReplayError:
    return ReplayError(
        f"it has moved to a version that would have gone another way at record {difference.seq}: {difference.reason}. "
        "The program has changed its meaning since.",
        seq=difference.seq,
    )
