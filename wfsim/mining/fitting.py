"""`fit`: the scenario behind a history, and how well each part of it fits."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from wfsim.arguments import expect
from wfsim.errors import HistoryError, OptionError, did_you_mean, listed
from wfsim.model.catalogue import as_catalogue
from wfsim.model.state_names import state_names
from wfsim.model.uses import declared_activities
from wfsim.model.workflow import Workflow
from wfsim.simulation.check import check_scenario, family_of
from wfsim.simulation.default import default_scenario
from wfsim.simulation.scenario import Race, Scenario

from . import observed
from .competing import fit_competing
from .discovery import root_name
from .families import digits
from .fitted import Fit, Goodness
from .given import fit_values
from .rates import fit_arrivals
from .staffing import POOLS, WORKERS, crews_of, pool_by_activity, pools_of
from .walking import CASES, walk

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from wfsim.history.history import History
    from wfsim.model.catalogue import Catalogue

    from .families import Fitted, Numbers
    from .fitted import Place
    from .given import Given
    from .observed import Attempts, Waits
    from .staffing import Staffed


def fit(
    history: History,
    workflow: Workflow,
    *,
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    time_zone: str = "UTC",
) -> Fit:
    """Find the scenario that makes a workflow do what a history tells.

    Parameters
    ----------
    history
        A log with activities called like the states of the workflow (`discover` makes such a workflow), or cases of the
        workflow, real or simulated.
    workflow
        What is to be simulated.
    catalogue
        Where the workflows that it starts are found, as for `simulate`.
    time_zone
        By whose clock the working hours in a log, and its weeks, go.

    Returns
    -------
    Fit
        `.scenario` with arrivals, inputs, events with weights and delays, activities with durations and failures, and
        pools; `.df()` and `.to_yaml()` say of each how well it fits.

    Raises
    ------
    HistoryError
        If the history has no case of the workflow, or the workflow can follow none of a log; for a run that kept no
        times or no events (log levels other than `full`).
    OptionError
        If there is no such time zone.
    CatalogueError
        If a workflow that it starts is not in the catalogue.
    ScenarioError
        If what was seen cannot happen in this workflow, as its definition has changed.

    Notes
    -----
    docs/mining.md says how each part is found, with sources. Some tenths of a second for each distribution, and one
    pass over the records for each of six questions in SQL (`observed`, `staffing`, `walking`).

    Examples
    --------
    >>> import wfsim as wf
    >>> order = wf.new("order")
    >>> found = fit(wf.simulate(order, cases=500, seed=1), order)
    >>> found.goodness[0].family
    'poisson'
    """
    from wfsim.history.history import History

    expect(history, History, "fit takes a history", "wf.simulate(workflow) or wf.open_history(path) gives one.")
    expect(workflow, Workflow, "fit takes a Workflow", "wf.discover(history).workflow gives one.")
    _expect_zone(time_zone)
    if any(run.log != "full" for run in history.runs):
        raise HistoryError(
            f"{history.path}: events are in histories of log level 'full' only. Simulate with log='full'."
        )
    is_log = all(run.source == "log" for run in history.runs)
    known = as_catalogue(catalogue) if catalogue is not None else None
    fitting = _Fitting(history, workflow, known, time_zone)
    if is_log:
        fitting.of_log(root_name(history, None))
    else:
        fitting.of_cases()
    return fitting.found()


def _expect_zone(time_zone: object) -> None:
    try:
        ZoneInfo(str(time_zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise OptionError(
            f"time_zone={time_zone!r}: there is no such time zone. Write 'Europe/Berlin', or 'UTC'."
        ) from None


class _Fitting:
    """A scenario that is put together."""

    def __init__(self, history: History, workflow: Workflow, catalogue: Catalogue | None, time_zone: str) -> None:
        self._history, self._workflow, self._catalogue, self._zone = history, workflow, catalogue, time_zone
        self._family = family_of(workflow, catalogue)
        self._guess = default_scenario(workflow, catalogue)
        self._data: dict[str, Any] = {"workflow": workflow.name}
        self._goodness: list[Goodness] = []
        self._notes: list[str] = []
        self._query: dict[str, str] = {}

    # --- where it comes from ---------------------------------------------------------------------

    def of_log(self, name: str) -> None:
        """From a log, whose activities are states."""
        history, workflow = self._history, self._workflow
        names = state_names(
            sorted(
                activity
                for (activity,) in history.sql(
                    "SELECT DISTINCT state FROM stays WHERE workflow = ? AND region = ''", [name]
                ).fetchall()
            )
        )
        known = declared_activities(workflow)
        crews = [each for each in crews_of(history, name, names, self._zone) if {*each.activities} <= {*known}]
        asks = pool_by_activity(crews)
        walked = walk(history, workflow, name, asks)
        if not walked.n_followed:
            raise HistoryError(
                f"{history.path}: {workflow.name!r} can follow none of {walked.n_cases:,} closed cases. States must "
                f"be called like the activities: {listed(names.values(), 10)}. wf.discover(history) finds such a one."
            )
        if walked.n_followed < walked.n_cases:
            self._notes.append(
                f"Events are from {walked.n_followed:,} of {walked.n_cases:,} closed cases; "
                f"the others do what the workflow cannot. All cases count for arrivals and activities."
            )
        asked = {"arrivals": observed.ARRIVALS, "events": CASES, "activities": observed.ATTEMPTS, "pools": WORKERS}
        self._query = {part: observed.named(query, name) for part, query in asked.items()}
        self._arrivals(observed.arrivals_of(history, name), is_real=True)
        self._inputs({})
        attempts = {names.get(each, each): own for each, own in observed.attempts_of(history, name).items()}
        self._surroundings(
            (), workflow, walked.waits, attempts, {}, {}, {each: pool.name for each, pool in asks.items()}
        )
        self._pools(crews)

    def of_cases(self) -> None:
        """From cases of the workflow itself, and of those that it starts."""
        history, workflow = self._history, self._workflow
        rows = history.sql("SELECT DISTINCT workflow FROM workflow_names ORDER BY ALL").fetchall()
        names = [name for (name,) in rows]
        own = self._name_of(workflow, names)
        if own is None:
            raise HistoryError(
                f"{history.path}: has no cases of {workflow.name!r}.{did_you_mean(workflow.name, names)} "
                f"Workflows: {listed(names)}."
            )
        arrivals = observed.arrivals_of(history, own)
        if not arrivals:
            raise HistoryError(f"{history.path}: no case of {own!r} has started, so there is nothing to fit.")
        self._query = {
            "arrivals": observed.named(observed.ARRIVALS, own),
            "inputs": observed.named(observed.INPUTS, own),
            "pools": POOLS.strip(),
        }
        self._arrivals(arrivals, is_real=any(run.source != "simulation" for run in history.runs))
        self._inputs(observed.values_of(history, observed.INPUTS, own).get("", {}))
        for each in self._family:
            name = self._name_of(each, names)
            if name is not None:
                place: Place = () if each == workflow else ("workflows", each.name)
                for part, query in _ASKED.items():
                    self._query[".".join(map(str, (*place, part)))] = observed.named(query, name)
                self._surroundings(
                    place,
                    each,
                    observed.waits_of(history, name),
                    observed.attempts_of(history, name),
                    observed.values_of(history, observed.PAYLOADS, name),
                    observed.results_of(history, name),
                    {},
                )
        self._pools(pools_of(history))

    @staticmethod
    def _name_of(workflow: Workflow, names: Sequence[str]) -> str | None:
        """What the history calls it: with its version, where it has two of one name."""
        both = f"{workflow.name} {workflow.version}", workflow.name
        return next((each for each in both if each in names), None)

    # --- parts -----------------------------------------------------------------------------------

    def _tell(self, place: Place, value: Any, goodness: Goodness | None = None) -> None:
        """Write a value at its place."""
        at = self._data
        for key in place[:-1]:
            at = at.setdefault(str(key), {})
        at[str(place[-1])] = value
        if goodness is not None:
            self._goodness.append(goodness)

    def _arrivals(self, times: list[Numbers], *, is_real: bool) -> None:
        """When cases come; time 0 of a real history is put where its first week begins."""
        if is_real:
            first = min(float(each[0]) for each in times)
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=first)
            local = moment.astimezone(ZoneInfo(self._zone))
            monday = (local - timedelta(days=local.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
            begins = monday.timestamp() * 1e6
            times = [each - begins for each in times]
            found = fit_arrivals(times, [float(each[0]) for each in times])
        else:
            ((moment_us,),) = self._history.sql("SELECT min(begins) FROM run_begins").fetchall()
            monday = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment_us))
            found = fit_arrivals(times, [0.0] * len(times))
        self._tell(("begins",), monday.isoformat())
        told = Goodness(("arrivals",), found.family, found.n, 0, found.distance, math.nan, found.p, found.note)
        self._tell(("arrivals",), found.written, told)
        self._tell(("cases",), round(found.n / len(times)))

    def _inputs(self, seen: Mapping[str, Counter[str]]) -> None:
        found: dict[str, Any] = {}
        for name, values in seen.items():
            given = fit_values(values, unique=True)
            if given is not None:
                found[name] = given.written
                self._goodness.append(_values(("inputs", name), given))
        guessed = {name: value for name, value in self._guess.inputs.items() if name not in found}
        if guessed:
            self._notes.append(f"Guessed, as the history does not tell: inputs {listed(guessed)}.")
        if found or guessed:
            self._tell(("inputs",), found | guessed)

    def _surroundings(
        self,
        place: Place,
        workflow: Workflow,
        waits: Mapping[str, Waits],
        attempts: Mapping[str, Attempts],
        payloads: Mapping[str, Mapping[str, Counter[str]]],
        results: Mapping[str, Counter[str]],
        asks: Mapping[str, str],
    ) -> None:
        guess = self._guess.of(workflow, self._workflow)
        plans = (plan for way in guess.events.values() for plan in (way.race if isinstance(way, Race) else way))
        guessed = {plan.event: plan.payload for plan in plans}
        for state, own in waits.items():
            if own.events:
                self._events((*place, "events", state), own, payloads, guessed)
        for name in declared_activities(workflow):
            if name in attempts:
                planned = self._activity((*place, "activities", name), attempts[name])
                given = fit_values(results.get(name, Counter()))
                if given is not None:
                    planned["result"] = given.written
                elif name in guess.activities and guess.activities[name].result is not None:
                    planned["result"] = guess.activities[name].result
                if name in asks:
                    planned["pool"] = asks[name]
                self._tell((*place, "activities", name), planned)

    def _events(
        self,
        place: Place,
        waits: Waits,
        payloads: Mapping[str, Mapping[str, Counter[str]]],
        guessed: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Which events come in a state, by weight and after which time."""
        times = {name: np.array(own) for name, own in waits.events.items()}
        found = fit_competing(times, np.array(waits.cut))
        plans: list[dict[str, Any]] = []
        n = sum(map(len, times.values()))
        for name in sorted(times, key=lambda name: (-found.weights[name], name)):
            plan: dict[str, Any] = {"event": name}
            if len(times) > 1:
                plan["weight"] = digits(found.weights[name])
            plan["delay"] = found.times[name].written
            given = {key: one for key, seen in payloads.get(name, {}).items() if (one := fit_values(seen)) is not None}
            payload = {**guessed.get(name, {}), **{key: one.written for key, one in given.items()}}
            if payload:
                plan["payload"] = payload
            share = f"{len(times[name]):,} of {n:,} events" if len(times) > 1 else ""
            self._goodness.append(_times((*place, len(plans)), found.times[name], share))
            plans.append(plan)
        self._tell(place, plans)

    def _activity(self, place: Place, attempts: Attempts) -> dict[str, Any]:
        """How long attempts take, and how they fail."""
        planned: dict[str, Any] = {}
        never = 1.0
        n, n_failed = len(attempts.services), sum(attempts.errors.values())
        if attempts.services:
            times = {"": np.array(attempts.services)}
            found = fit_competing(times, np.array(attempts.cut), never=attempts.n_timed_out > 0)
            never, duration = found.never, found.times[""]
            planned["duration"] = duration.written
            failed = f"{n_failed:,} of {n:,} failed{_interval(n_failed, n)}" if n_failed else ""
            self._goodness.append(_times(place, duration, failed))
        else:
            self._goodness.append(Goodness(place, "never ends", 0, len(attempts.cut), note="none was seen to end"))
        failures = [
            {"error_type": name, "probability": digits(count / n * (1 - never))}
            for name, count in sorted(attempts.errors.items())
            if not name.startswith(OF_POOLS)
        ]
        if failures:
            planned["failures"] = failures
        if never:
            planned["never_ends"] = digits(never)
        return planned

    def _pools(self, pools: Sequence[Staffed]) -> None:
        for pool in pools:
            place: Place = ("pools", pool.name)
            kind = "shifts" if "shifts" in pool.written else "capacity"
            self._tell(place, pool.written, Goodness(place, kind, pool.n, note=pool.note))

    # --- the whole -------------------------------------------------------------------------------

    def found(self) -> Fit:
        """The scenario, checked against the workflow."""
        data = {key: self._data[key] for key in _ORDER if key in self._data}
        scenario = Scenario.model_validate(data)
        check_scenario(scenario, self._workflow, self._catalogue)
        return Fit(scenario, tuple(self._goodness), tuple(self._notes), data, self._query)


_ASKED = {
    "events": observed.EVENTS,
    "payloads": observed.PAYLOADS,
    "activities": observed.ATTEMPTS,
    "results": observed.RESULTS,
}
"""What is asked of each workflow."""
_ORDER = ("workflow", "begins", "arrivals", "cases", "inputs", "events", "activities", "pools", "workflows")
OF_POOLS = "Pool."
"""What begins the error types that pools raise themselves."""


def _times(place: Place, found: Fitted, share: str) -> Goodness:
    note = "; ".join(each for each in (share, found.note) if each)
    return Goodness(place, found.family, found.n, found.n_cut, found.distance, found.anderson, found.p, note)


def _values(place: Place, given: Given) -> Goodness:
    return Goodness(place, f"{given.different:,} values", given.n, note=given.note)


def _interval(hits: int, n: int) -> str:
    """Wilson's interval of 95 % of a share (Wilson 1927), in words."""
    z = 1.959964
    middle, spread = (hits + z * z / 2) / (n + z * z), z * math.sqrt(hits * (n - hits) / n + z * z / 4) / (n + z * z)
    return f" ({max(middle - spread, 0):.1%} to {min(middle + spread, 1):.1%})"
