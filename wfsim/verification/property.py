"""One question to a workflow or a net, with what is expected of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Property:
    """One question, what is expected of it, and why.

    Attributes
    ----------
    name, options
        As in a property file; the claim of a pattern that has but one may stand alone.
    allow_unknown
        Why it is accepted that the question may stay open.
    line, lines
        Where a file asks it, and where it writes each option.
    """

    name: str
    options: Mapping[str, Any] | str = field(default_factory=dict)
    expect: Literal["holds", "violated", "unknown"] = "holds"
    because: str | None = None
    line: int | None = None
    allow_unknown: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        if isinstance(self.options, str) or list(self.options) == ["of"]:
            return f"{self.name}({self.options if isinstance(self.options, str) else self.options['of']})"
        given = ", ".join(f"{key}: {value}" for key, value in self.options.items())
        return f"{self.name}({given})" if given else self.name
