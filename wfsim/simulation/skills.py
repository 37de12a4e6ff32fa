"""Workers of a pool who differ in what they can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from .distributions import Part, Whole

MOST_SKILLS = 62
"""Of one pool: compiled code keeps them as the bits of a number."""

Skill = Annotated[str, Field(min_length=1)]


class WorkerGroup(Part):
    """So many workers of a pool who have the same skills."""

    count: Annotated[Whole, Field(ge=1, le=1_000_000)] = 1
    skills: tuple[Skill, ...] = ()


def bits_of(groups: Sequence[WorkerGroup]) -> dict[str, int]:
    """The bit of each skill that somebody has."""
    return {skill: 1 << number for number, skill in enumerate(sorted({each for one in groups for each in one.skills}))}


def set_of(skills: Iterable[str], bits: Mapping[str, int]) -> int:
    """Skills as a set of bits."""
    found = 0
    for skill in skills:
        found |= bits[skill]
    return found


def in_order(groups: Sequence[WorkerGroup]) -> list[int]:
    """The skills of each worker, in the order in which they take work: fewest skills first, then as they are listed."""
    bits = bits_of(groups)
    ordered = sorted(groups, key=lambda group: len(set(group.skills)))
    return [set_of(group.skills, bits) for group in ordered for _ in range(group.count)]


def somebody_has(skills: Iterable[str], groups: Iterable[WorkerGroup]) -> bool:
    """Whether one worker has all of these skills."""
    return any(set(skills) <= set(group.skills) for group in groups)
