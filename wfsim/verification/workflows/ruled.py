"""What came of one question about several things, for all values."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Ruled:
    """What came of the same question about several things.

    Attributes
    ----------
    never
        Those that no run does.
    open
        Those of which that is not known, each with the reason.
    depth
        The longest run looked at, in steps.
    """

    never: list[int] = field(default_factory=list)
    open: dict[int, str] = field(default_factory=dict)
    depth: int = 0
