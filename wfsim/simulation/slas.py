"""Service level agreements: what cases are promised. They change nothing in a simulation, which is asked about them."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from wfsim.model.duration import Duration

from .distributions import Part, Share


class Sla(Part):
    """That cases get from one point to another within a time, and which share of them has to.

    `from` is the state first entered (without it, the start of the case); `until` the state first entered after that
    (without it, the closing).
    """

    model_config = ConfigDict(populate_by_name=True)

    name: Annotated[str, Field(min_length=1)]
    within: Annotated[Duration, Field(gt=0)]
    from_: str | None = Field(default=None, alias="from")
    until: str | None = None
    share: Share | None = None
