"""A setting is tried: a quick look first, then the whole scenario, then enough replications for intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.errors import WfsimError
from wfsim.history.simulate import prepared, run_plan

from .figures import Figures, figures_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wfsim.simulation.scenario import Scenario

    from .settings import Settings

QUICK_CASES = 300
"""So many cases the quick look has, which is shown at once."""
REPLICATIONS = 5
"""So many replications the last answer has at least, so that intervals are over replications."""


@dataclass(frozen=True)
class Trial:
    """What a setting came to.

    Attributes
    ----------
    figures
        `None` where nothing could be simulated: `problem` says why.
    step, steps
        Which of the answers this is, from 1; each is better than the one before.
    """

    settings: Settings
    figures: Figures | None
    problem: str = ""
    step: int = 1
    steps: int = 1

    @property
    def said(self) -> str:
        """On how much the figures stand."""
        if self.figures is None:
            return self.problem
        cases, runs = self.figures.cases, self.figures.replications
        told = f"{cases:,} cases in {runs} replication{'' if runs == 1 else 's'}"
        if self.step == self.steps:
            return told
        return f"a first look: {told}" if self.step == 1 and self.steps > 2 else f"up to now: {told}"


class _Stopped(Exception):
    """Nobody wants to know any more."""


def stages(scenario: Scenario) -> list[Mapping[str, Any]]:
    """What of the scenario is changed for each answer, the last of which has all of its cases."""
    found: list[Mapping[str, Any]] = []
    if scenario.cases is None or scenario.cases > 2 * QUICK_CASES:
        found.append({"cases": QUICK_CASES, "replications": 1})
    found.append({"replications": 1})
    found.append({"replications": max(scenario.replications, REPLICATIONS)})
    return found


def tried(settings: Settings, outdated: Callable[[], bool]) -> Iterator[Trial]:
    """Better and better answers; the same settings give the same figures.

    All settings draw the same random numbers, since the seed is the scenario's, so that what changes is not chance.

    Parameters
    ----------
    outdated
        Whether nobody wants to know any more: it is looked at now and then, and nothing comes after that.
    """

    def look(done: float) -> None:
        if outdated():
            raise _Stopped

    try:
        bench = settings.bench
        every = stages(settings.scenario)
        for step, changes in enumerate(every, 1):
            look(0.0)
            program, plan, notes = prepared(settings.workflow, settings.scenario, bench.catalogue_of(settings), changes)
            history = run_plan(program, plan, notes, told=look)
            look(1.0)
            yield Trial(settings, figures_of(history), "", step, len(every))
    except WfsimError as error:
        yield Trial(settings, None, str(error))
    except _Stopped:
        return
