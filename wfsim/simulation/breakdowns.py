"""How workers break down and are repaired, as a scenario writes it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from wfsim.model.duration import Duration

from .distributions import Delay, Part

SHORTEST = 1_000
"""Microseconds that half of the spells must last: who breaks down more often could not be followed."""


class BreakdownPlan(Part):
    """Workers work for a time drawn from `every`, are broken for one drawn from `repair`, and so on.

    `while` says when the first one passes: always, or only while they are busy. What they work on `resumes` after the
    repair, or fails.
    """

    model_config = ConfigDict(populate_by_name=True)

    every: Delay
    repair: Delay
    while_: Literal["always", "busy"] = Field(default="always", alias="while")
    work: Literal["resumes", "fails"] = "resumes"

    @model_validator(mode="after")
    def _works_at_all(self) -> Self:
        if self.every.sampler().sample(0.5) < SHORTEST:
            raise ValueError(
                f"half of the times that every gives are shorter than {Duration(SHORTEST)}, so nothing would be done. "
                "Give longer ones."
            )
        return self
