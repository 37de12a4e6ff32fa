"""What `fit` finds: a scenario, and how well each part of it fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.arguments import as_path
from wfsim.errors import visible
from wfsim.markup import html_table
from wfsim.model.yaml_writer import write_data

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pandas as pd

    from wfsim.simulation.scenario import Scenario

Place: TypeAlias = "tuple[str | int, ...]"
"""Keys that lead to a part of a scenario."""


@dataclass(frozen=True)
class Goodness:
    """How well a part of a scenario fits.

    Attributes
    ----------
    place
        Keys that lead to it.
    family
        What was fitted.
    n, n_cut
        How many observations there were, and how many besides were cut off by something else.
    distance
        The largest difference of the distribution functions (Kolmogorov, Smirnov); NaN where nothing is compared.
    anderson
        Anderson's and Darling's A²; NaN likewise.
    p
        How often what was fitted gives something at least as far off; NaN where that was not tried.
    note
        What it must be read with.
    """

    place: Place
    family: str
    n: int
    n_cut: int = 0
    distance: float = math.nan
    anderson: float = math.nan
    p: float = math.nan
    note: str = ""

    @property
    def key(self) -> str:
        """The place, with dots."""
        return ".".join(map(str, self.place))

    def __str__(self) -> str:
        parts = [self.family, f"n = {self.n:,}"]
        if not math.isnan(self.distance):
            parts.append(f"D = {self.distance:.3f}")
        if not math.isnan(self.anderson):
            parts.append(f"A² = {self.anderson:.3g}")
        if not math.isnan(self.p):
            parts.append(f"p = {self.p:.2f}")
        return ", ".join(parts) + (f"; {self.note}" if self.note else "")


COLUMNS = ("key", "family", "n", "n_cut", "distance", "anderson", "p", "note")


@dataclass(frozen=True)
class Fit:
    """What `fit` has found; a notebook shows how good each part is.

    Attributes
    ----------
    scenario
        To simulate, to change, to save.
    goodness
        Of each part, in the order of the scenario.
    notes
        What was left out or guessed.
    data
        The scenario as it is written to a file.
    query
        The SQL of what each part is fitted to, by what the part's key begins with: `arrivals`, `events`, `activities`,
        `pools`, `workflows.shipping.events`.
    """

    scenario: Scenario
    goodness: tuple[Goodness, ...]
    notes: tuple[str, ...]
    data: Mapping[str, Any] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)

    def df(self) -> pd.DataFrame:
        """One row per part: `key`, `family`, `n`, `n_cut`, `distance`, `anderson`, `p`, `note`."""
        import pandas as pd

        return pd.DataFrame([[getattr(each, name) for name in COLUMNS] for each in self.goodness], columns=COLUMNS)

    def to_yaml(self) -> str:
        """The scenario as a file says it; a comment before each part tells how well it fits."""
        comments: dict[Place, str] = {each.place: str(each) for each in self.goodness}
        head = "".join(f"# {' '.join(note.split())}\n" for note in self.notes)
        return head + write_data(self.data, comments)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write `to_yaml` to a file, which `load_scenario` reads.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        file = as_path(path, "save")
        file.write_text(self.to_yaml(), encoding="utf-8")
        return file

    def __repr__(self) -> str:
        width = max((len(each.key) for each in self.goodness), default=0)
        lines = [f"  {each.key:<{width}}  {each}" for each in self.goodness]
        return visible("\n".join([f"<Fit of {self.scenario.workflow!r}>", *lines, *self.notes]))

    def _repr_html_(self) -> str:
        rows = [(each.key, str(each)) for each in self.goodness] + [("", note) for note in self.notes]
        return html_table(("part", "fit"), rows)
