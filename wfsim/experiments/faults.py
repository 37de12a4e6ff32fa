"""Faults of a campaign: what goes wrong beyond what the scenario says, each by its name and with its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wfsim.errors import OptionError, did_you_mean
from wfsim.model.uses import declared_activities
from wfsim.semantics import draws
from wfsim.simulation.sampling import name_key
from wfsim.simulation.scenario import ActivityPlan, Scenario

from .retelling import Happening

if TYPE_CHECKING:
    from wfsim.model.workflow import Workflow

FAULTS: dict[str, str] = {
    "failures": "attempts fail, with error type `Fault`",
    "never_ends": "attempts report nothing",
    "duplicates": "events come twice, the second right behind or one stimulus later",
    "reordered": "events come one stimulus too late",
    "late_timers": "timers are noticed one stimulus too late",
}
"""Each is a share, of attempts, events or timers."""
ERROR_TYPE = "Fault"
_IN_SCENARIO = ("failures", "never_ends")


def checked_faults(faults: Mapping[str, float] | None) -> dict[str, float]:
    """Faults by name, those without a share left out.

    Raises
    ------
    OptionError
        If a name is unknown, or a share is none.
    """
    found = {}
    if faults is not None and not isinstance(faults, Mapping):
        raise OptionError(f"faults is a mapping from names to shares, not {faults!r:.80}. Names: {', '.join(FAULTS)}.")
    for name, share in (faults or {}).items():
        if name not in FAULTS:
            raise OptionError(f"there is no fault {name!r}.{did_you_mean(name, FAULTS)} Faults: {', '.join(FAULTS)}.")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise OptionError(f"faults[{name!r}]={share!r}: give the share, from 0 to 1.")
        if share:
            found[name] = float(share)
    return found


def with_failures(plan: Scenario, workflow: Workflow, faults: Mapping[str, float]) -> Scenario:
    """The scenario, with the faults of activities in it: shares of the attempts to which nothing else happens."""
    if not any(name in faults for name in _IN_SCENARIO):
        return plan
    activities: dict[str, Any] = {}
    for name in declared_activities(workflow):
        own = plan.activities.get(name, ActivityPlan())
        data = own.model_dump(mode="json", exclude_unset=True)
        rest = 1 - own.never_ends - sum(each.probability for each in own.failures)
        fails = max(rest, 0.0) * faults.get("failures", 0.0)
        never = max(rest - fails, 0.0) * faults.get("never_ends", 0.0)
        if fails:
            data["failures"] = [*data.get("failures", ()), {"error_type": ERROR_TYPE, "probability": fails}]
        if never:
            data["never_ends"] = min(own.never_ends + never, 1.0)
        activities[name] = data
    return plan.changed(activities=activities)


def disturbed(happenings: Sequence[Happening], key: int, faults: Mapping[str, float]) -> list[Happening]:
    """The stimuli of a case with faults on their way: what comes twice, or later than it was sent.

    Parameters
    ----------
    key
        Selects the random numbers, with the name of the fault and the place of the stimulus.
    """

    def struck(name: str, place: int) -> float:
        """How far below its share the draw of a fault lies, as a part of it: 0 if it does not strike."""
        share = faults.get(name, 0.0)
        u = draws.draw(key ^ name_key(f"faults.{name}"), draws.FAULT_TIME, place, 0) if share else 1.0
        return 1 - u / share if u < share else 0.0

    found: list[Happening] = []
    late: list[Happening] = []
    for place, each in enumerate(happenings):
        kind = each.stimulus.kind
        if (kind == "event" and struck("reordered", place)) or (kind == "timer" and struck("late_timers", place)):
            late.append(each)
            continue
        twice = struck("duplicates", place) if kind == "event" else 0.0
        found += [each, *([each] if twice > 0.5 else []), *late]
        late = [each] if 0.0 < twice <= 0.5 else []
    return [*found, *late]
