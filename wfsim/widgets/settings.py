"""A bench of knobs, and settings of them: each a scenario and a workflow of its own, the originals stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from wfsim.errors import WfsimError, did_you_mean
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.simulation.check import check_scenario, family_of

from .scenario_knobs import OUTAGE, outage_changes, scenario_knobs
from .versions import Version
from .workflow_knobs import changed_workflow, workflow_knobs

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from wfsim.model.workflow import Workflow
    from wfsim.simulation.scenario import Scenario

    from .knobs import Knob, Whose


class Difference(NamedTuple):
    """A knob that does not stand as in the file, and how it stood and stands."""

    knob: Knob
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.knob.where}: {self.before} → {self.after}"


class Bench:
    """A workflow, its scenario, and the knobs of both.

    Attributes
    ----------
    knobs
        By id, in the order in which they are shown.

    Raises
    ------
    ScenarioError, CatalogueError
        If the scenario does not fit the workflow, or a workflow that it starts is not known.
    """

    def __init__(
        self,
        workflow: Workflow,
        scenario: Scenario,
        catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    ) -> None:
        self.workflow, self.scenario = workflow, scenario
        family = family_of(workflow, as_catalogue(catalogue))
        check_scenario(scenario, workflow, Catalogue(family))
        self._others = family[1:]
        found = [*scenario_knobs(scenario, workflow), *workflow_knobs(workflow)]
        self.knobs: Mapping[str, Knob] = {knob.id: knob for knob in found}

    def knob(self, id: str) -> Knob:
        """The knob of that id, or place; `WfsimError` if there is none."""
        for known in (id, f"scenario:{id}", f"workflow:{id}"):
            if known in self.knobs:
                return self.knobs[known]
        raise WfsimError(
            f"there is no knob {id[:80]!r}.{did_you_mean(id, [each.where for each in self.knobs.values()])}"
        )

    def catalogue_of(self, settings: Settings) -> Catalogue:
        """The workflows of a run: the one that was turned, and all others as they are."""
        return Catalogue([settings.workflow, *self._others])

    def settings(self, values: Mapping[str, float]) -> Settings:
        """Knobs that stand otherwise, by id; those that stand as in the file are left out."""
        differ = {id: value for id, value in values.items() if value != self.knobs[id].original}
        return Settings(self, tuple((id, differ[id]) for id in self.knobs if id in differ))


@dataclass(frozen=True)
class Settings:
    """How the knobs of a bench stand; equal ones are equal.

    Attributes
    ----------
    turned
        Those that do not stand as in the file, with their values, in the order of the bench.
    """

    bench: Bench
    turned: tuple[tuple[str, float], ...] = ()

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario with all that was turned; the original one where nothing was.

        Raises
        ------
        ScenarioError
            If the values do not go together.
        """
        changes: dict[Any, Any] = {}
        for knob, value in self._of("scenario"):
            changes |= knob.changes(value)
        of, begin, length = (self.value(f"scenario:{where}") for where in OUTAGE)
        if length:
            target = self.bench.knobs[f"scenario:{OUTAGE[0]}"].unit.told(of)
            changes |= outage_changes(self.bench.scenario, self.bench.workflow, target, begin, length)
        return self.bench.scenario.changed(**changes) if changes else self.bench.scenario

    @cached_property
    def workflow(self) -> Workflow:
        """The workflow with all that was turned; the original one where nothing was.

        Raises
        ------
        DefinitionError
            If a value cannot be there.
        """
        changes: dict[Any, Any] = {}
        for knob, value in self._of("workflow"):
            changes |= knob.changes(value)
        return changed_workflow(self.bench.workflow, changes) if changes else self.bench.workflow

    @property
    def version(self) -> Version:
        """The workflow as a version of the original one, whose text with its comments is made when it is asked for."""
        before = Version(0, "", self.bench.workflow)
        return before if self.workflow is self.bench.workflow else Version(1, "", self.workflow, before=before)

    @property
    def of_workflow(self) -> tuple[tuple[str, float], ...]:
        """What of the definition was turned: what is proved depends on this only."""
        return tuple(each for each in self.turned if each[0].startswith("workflow:"))

    @property
    def differences(self) -> list[Difference]:
        """What does not stand as in the file."""
        found = []
        for id, value in self.turned:
            knob = self.bench.knobs[id]
            found.append(Difference(knob, knob.unit.told(knob.original), knob.unit.told(value)))
        return found

    def value(self, id: str) -> float:
        """How a knob stands; 0 where there is no such knob."""
        knob = self.bench.knobs.get(id)
        return dict(self.turned).get(id, 0.0 if knob is None else knob.original)

    def with_value(self, id: str, value: float) -> Settings:
        """The same with another value of one knob."""
        return self.bench.settings({**dict(self.turned), id: value})

    def without(self, id: str) -> Settings:
        """The same with one knob as in the file."""
        return self.bench.settings({each: value for each, value in self.turned if each != id})

    def __str__(self) -> str:
        return "; ".join(map(str, self.differences)) or "as in the file"

    def _of(self, whose: Whose) -> Iterable[tuple[Knob, float]]:
        for id, value in self.turned:
            if (knob := self.bench.knobs[id]).whose == whose:
                yield knob, value
