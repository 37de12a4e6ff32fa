"""The knobs of a scenario: who comes, who works, how long it takes, how it fails, and an outage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.model.duration import UNITS, Duration
from wfsim.model.uses import declared_activities

from .knobs import (
    ROUND_TIMES,
    Place,
    choice_knob,
    count_knob,
    factor_knob,
    rate_knob,
    share_knob,
    span_knob,
    time_knob,
)
from .units import Count, Rate, Times, rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wfsim.model.workflow import Workflow
    from wfsim.simulation.arrivals import Arrivals
    from wfsim.simulation.scenario import ActivityPlan, Pool, Scenario

    from .knobs import Changes, Group, Knob

_WORKERS = Count("worker", "workers")
_MEMBERS = Count("member", "members")
_MOST_WORKERS = 1_000_000
_LENGTHS = {"constant", "mean", "low", "mode", "high", "deviation", "median", "scale"}
"""Keys of distributions that are durations; `means` and `values` are lists of them."""
OUTAGE = ("outage.of", "outage.from", "outage.for")
ERROR = "Outage"
"""The error type of attempts that begin in the outage."""
NOTHING = "nothing"
_POOL = "pool "


def scenario_knobs(scenario: Scenario, workflow: Workflow) -> Iterator[Knob]:
    """What is most asked about, in the order in which it is shown."""
    data = scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)
    yield from _arrivals("", "", scenario.arrivals, data)
    for key, part in scenario.workflows.items():
        if part.arrivals is not None:
            yield from _arrivals(f"workflows.{key}.", f"{key}: ", part.arrivals, data["workflows"][key])
    for name, pool in scenario.pools.items():
        yield from _pool(name, pool)
    for name in _of_root(scenario, workflow):
        plan = scenario.activities.get(name)
        yield from _activity(f"activities.{name}", name, plan, data.get("activities", {}).get(name, {}))
    for key, part in scenario.workflows.items():
        for name, plan in part.activities.items():
            given = data["workflows"][key]["activities"][name]
            yield from _activity(f"workflows.{key}.activities.{name}", f"{key}: {name}", plan, given)
    yield from _outage(scenario, workflow)


def outage_changes(scenario: Scenario, workflow: Workflow, of: str, begin: float, length: float) -> Changes:
    """What an outage comes to: a window before those that each activity has already; nothing without a length."""
    if of == NOTHING or not length:
        return {}
    window = {"from": Times().written(begin), "until": Times().written(begin + length), "error_type": ERROR}
    names = [of]
    if of.startswith(_POOL) and of.removeprefix(_POOL) in scenario.pools:
        names = _users(scenario, workflow, of.removeprefix(_POOL))
    data = scenario.model_dump(mode="json", by_alias=True, exclude_unset=True).get("activities", {})
    return {f"activities.{name}.outages": [window, *data.get(name, {}).get("outages", ())] for name in names}


def _of_root(scenario: Scenario, workflow: Workflow) -> list[str]:
    """Activities of the root. A name with dots is no dotted key unless the scenario has it already."""
    names = dict.fromkeys((*scenario.activities, *declared_activities(workflow)))
    return [name for name in names if name in scenario.activities or "." not in name]


def _users(scenario: Scenario, workflow: Workflow, pool: str) -> list[str]:
    """The activities of the root that ask for a pool: the scenario says so, else the definition."""
    declared = declared_activities(workflow)
    found = []
    for name in _of_root(scenario, workflow):
        plan, own = scenario.activities.get(name), declared.get(name)
        asked = plan.pool if plan is not None and plan.pool is not None else (own.pool if own is not None else None)
        if asked == pool:
            found.append(name)
    return found


def _place(where: str, group: Group, label: str, hint: str = "") -> Place:
    return Place("scenario", where, group, label, hint)


def _arrivals(way: str, prefix: str, arrivals: Arrivals, data: Mapping[str, Any]) -> Iterator[Knob]:
    at = f"{way}arrivals"
    if arrivals.poisson is not None:
        yield rate_knob(_place(f"{at}.poisson", "arrivals", f"{prefix}cases come, by chance"), arrivals.poisson)
    elif arrivals.every is not None:
        yield time_knob(_place(f"{at}.every", "arrivals", f"{prefix}a case comes every"), int(arrivals.every))
    elif arrivals.closed is not None:
        place = _place(f"{at}.closed.population", "arrivals", f"{prefix}population")
        yield count_knob(place, _MEMBERS, arrivals.closed.population, 100_000)
    elif arrivals.renewal is not None:
        key, given = f"{at}.renewal", data["arrivals"]["renewal"]
        place = _place(key, "arrivals", f"{prefix}time between cases", f"{_law(given)}, times this")
        yield factor_knob(place, lambda value: {key: scaled(given, value)})
    elif arrivals.rates is not None:
        key, pieces = f"{at}.rates", data["arrivals"]["rates"]
        place = _place(key, "arrivals", f"{prefix}cases come", "all rates times this")
        yield factor_knob(place, lambda value: {key: [{**one, "rate": _faster(one["rate"], value)} for one in pieces]})


def _pool(name: str, pool: Pool) -> Iterator[Knob]:
    at = f"pools.{name}"
    if pool.capacity is not None:
        yield count_knob(_place(f"{at}.capacity", "pools", name), _WORKERS, pool.capacity, _MOST_WORKERS)
    for number, group in enumerate(pool.workers or ()):
        told = f" with {', '.join(group.skills)}" if group.skills else ""
        place = _place(f"{at}.workers.{number}.count", "pools", f"{name}{told}")
        yield count_knob(place, _WORKERS, group.count, 10_000)
    for number, shift in enumerate(pool.shifts or ()):
        place = _place(f"{at}.shifts.{number}.capacity", "pools", f"{name}, shift {number + 1}")
        if shift.capacity:
            yield count_knob(place, _WORKERS, shift.capacity, _MOST_WORKERS)


def _activity(way: str, label: str, plan: ActivityPlan | None, data: Mapping[str, Any]) -> Iterator[Knob]:
    duration = data.get("duration")
    if duration is not None and duration != "0s":
        key = f"{way}.duration"
        place = _place(key, "times", f"{label} takes", f"{_law(duration)}, times this")
        yield factor_knob(place, lambda value: {key: scaled(duration, value)})
    failures = () if plan is None else plan.failures
    never_ends = 0.0 if plan is None else plan.never_ends
    others = never_ends + sum(each.probability for each in failures)
    for number, failure in enumerate(failures):
        place = _place(f"{way}.failures.{number}.probability", "failures", f"{label} fails with {failure.error_type}")
        yield share_knob(place, failure.probability, rounded(1.0 - others + failure.probability))
    if not failures:
        place = _place(f"{way}.failures", "failures", f"{label} fails")
        yield share_knob(place, 0.0, rounded(1.0 - others), _failing(f"{way}.failures"))
    if never_ends:
        place = _place(f"{way}.never_ends", "failures", f"{label} never reports")
        yield share_knob(place, never_ends, rounded(1.0 - others + never_ends))


def _failing(key: str) -> Callable[[float], Changes]:
    return lambda value: {key: [{"error_type": "Error", "probability": value}]}


def _outage(scenario: Scenario, workflow: Workflow) -> Iterator[Knob]:
    pools = [name for name in scenario.pools if _users(scenario, workflow, name)]
    options = (NOTHING, *(f"{_POOL}{name}" for name in pools), *_of_root(scenario, workflow))
    if len(options) == 1:
        return
    of, begin, length = OUTAGE
    hint = f"attempts that begin in the outage fail at once with error {ERROR}"
    yield choice_knob(_place(of, "outage", "out of service", hint), options)
    span = _span(scenario)
    near = tuple(each for each in ROUND_TIMES if span / 100 <= each <= span)
    for place in (
        _place(begin, "outage", "from", "counted from the beginning"),
        _place(length, "outage", "for", "how long"),
    ):
        yield span_knob(place, near)


def _span(scenario: Scenario) -> float:
    """About how long cases come, in microseconds; a week where that is not said."""
    if scenario.horizon:
        return int(scenario.horizon)
    law = scenario.arrivals.interval()
    if scenario.arrivals.rates is None and law is not None and scenario.cases and (one := law.sample(0.5)) > 0:
        return one * scenario.cases / 0.7
    return 7 * UNITS["d"]


def scaled(distribution: Any, factor: float) -> Any:
    """A distribution as files write it, of durations that are so many times as long."""
    if isinstance(distribution, str | int | float):
        return str(Duration(round(int(Duration.of(distribution)) * factor)))
    found = {}
    for key, value in distribution.items():
        if key in _LENGTHS or isinstance(value, dict):
            found[key] = scaled(value, factor)
        elif key in ("means", "values", "of"):
            found[key] = [scaled(each, factor) for each in value]
        else:
            found[key] = value
    return found


def _faster(rate: str, factor: float) -> str:
    number, per = rate.split("/")
    return Rate(per).told(float(number) * factor)


def _law(given: Any) -> str:
    """A distribution in a few words: `lognormal (median 300ms, sigma 0.6)`."""
    if not isinstance(given, dict):
        return str(given)
    family, said = next(each for each in given.items() if each[0] != "weight")
    if not isinstance(said, dict):
        return str(said)
    return f"{family} ({', '.join(f'{key} {value}' for key, value in said.items() if not isinstance(value, list))})"
