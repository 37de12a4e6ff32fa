"""How the rules of the linter hand in what they found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wfsim.model.problems import Path


class Report(Protocol):
    """Takes one finding; severity, file and line follow from code and path.

    `way` are the transitions, of the region that the path lies in, on which it comes about; without it, those of a
    shortest way to the place.
    """

    def __call__(
        self,
        code: str,
        path: Path,
        place: str,
        message: str,
        advice: str,
        *,
        table: tuple[tuple[str, ...], ...] = (),
        way: list[int] | None = None,
    ) -> None: ...
