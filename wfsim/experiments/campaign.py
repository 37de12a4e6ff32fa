"""`explore_seeds`: many seeded runs of a scenario with faults, a property held against each after every step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING

from wfsim.arguments import as_path, expect_whole
from wfsim.errors import OptionError
from wfsim.history.progress import Progress
from wfsim.history.simulate import prepared
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.simulation.scenario import LARGEST_SEED, Scenario
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status, Verdict
from wfsim.verification.workflows.patterns import PATTERNS
from wfsim.verification.workflows.properties import claims_of, same_workflow
from wfsim.verification.workflows.property_files import load_properties
from wfsim.verification.workflows.watching import Asked

from .faults import FAULTS, checked_faults, with_failures
from .retelling import shortest
from .trying import Campaign, Found, Job, tried_in_processes

if TYPE_CHECKING:
    from wfsim.model.workflow import Workflow

METHOD = "seeded runs of the scenario, the automaton of the property over each"


def explore_seeds(
    workflow: Workflow,
    scenario: Scenario | str | PathLike[str] | None = None,
    *,
    never: str | None = None,
    properties: str | PathLike[str] | Sequence[Property] | None = None,
    seeds: int | Iterable[int] = 10_000,
    cases: int = 1,
    faults: Mapping[str, float] | None = None,
    catalogue: Catalogue | str | PathLike[str] | Iterable[Workflow] | None = None,
    workers: int = 1,
    progress: bool | None = None,
) -> Verdict:
    """Look for a seed whose run breaks a property, and for the shortest history that does.

    Parameters
    ----------
    workflow, scenario, catalogue, progress
        As for `simulate`.
    never
        A claim that must be true at no moment of any case, as `never` in a property file: `state == "shipped" and not
        once(event.paid)`.
    properties
        Or a property file, or a list of properties; those of runs are looked at, whose names are in docs/verdicts.md.
    seeds
        How many, from 1 on; or which.
    cases
        How many cases arrive in each run; more of them wait for each other.
    faults
        Shares of what goes wrong beyond the scenario, by name: of attempts `failures` (error type `Fault`) and
        `never_ends`; of events `duplicates` and `reordered`; of timers `late_timers`.
    workers
        How many processes try seeds: this one, unless told otherwise. More of them need the package loky
        (`pip install 'wfsim[loky]'`); the answer is the same.

    Returns
    -------
    Verdict
        `violated` by the first seed that breaks one: `.reason` has the call that shows it again, `.witness` the
        shortest history found, which replays and opens in the stepper. `unknown` if none does: so many seeds are no
        proof. `error` if a claim has no value somewhere.

    Raises
    ------
    OptionError
        If there is nothing to ask, an argument is out of range, or the package loky is missing.
    DefinitionError
        If a property cannot be read, or names what is not there.
    ScenarioError
        If the scenario does not fit.

    Notes
    -----
    Watched are instances of `workflow`, not of those that it starts. A property of whole runs (`eventually`,
    `leads_to`, `responds`) counts as broken where a case closes and it is still owed. Events that come twice or late,
    and timers noticed late, are told again to the case alone: what the surroundings would have answered is not
    simulated. The shortest history may leave out what was due: as in `verify`, clocks run out at any moment or never.
    Some 200 seeds a second and process for a case of two dozen steps.
    """
    share = checked_faults(faults)
    expect_whole("cases", cases)
    expect_whole("workers", workers)
    tried = _seeds(seeds)
    program, plan, notes = prepared(workflow, scenario, as_catalogue(catalogue), {"cases": cases, "replications": 1})
    asked, left_out = _asked(workflow, never, properties)
    plan = with_failures(plan, workflow, share)
    campaign = Campaign(program, plan, asked, share)
    more = [f"{FAULTS[name]}: {value:.3g} of them" for name, value in share.items()]
    assumed = (f"what the scenario says, {cases} case{'s' if cases > 1 else ''} in each run", *more, *left_out, *notes)
    name = "; ".join(str(each.question) for each in asked)
    with Progress("seeds", max(len(tried), 1), "seeds", wanted=progress) as bar:
        n, found = _searched(campaign, tried, workers, bar)
    if found is not None:
        return _verdict(found, campaign, _call(found.seed, never, properties, cases, faults), n, assumed)
    ended = "It was interrupted" if n < len(tried) else "All were tried"
    reason = f"None of {n:,} seeds breaks it. {ended}; that is no proof: wf.verify looks at every run."
    statistics = {"steps": campaign.n_steps}
    return Verdict(Status.UNKNOWN, name, reason, None, {"seeds": n}, assumed, METHOD, statistics)


def _searched(campaign: Campaign, seeds: Sequence[int], workers: int, bar: Progress) -> tuple[int, Found | None]:
    """How many seeds were tried, and the first case that breaks a property; fewer than all if it was interrupted."""
    if workers == 1:
        for n, seed in enumerate(seeds):
            found = campaign.run(seed)
            if campaign.interrupted:
                return n, None
            bar.step()
            if found is not None:
                return n + 1, found
        return len(seeds), None
    n = 0
    try:
        for each in tried_in_processes(Job.of(campaign), seeds, workers):
            campaign.n_steps += each.n_steps
            n += each.n_seeds
            bar.to(n)
            if each.broken is not None:
                return n + 1, campaign.run(each.broken)
    except KeyboardInterrupt:
        pass
    return n, None


def _seeds(seeds: object) -> Sequence[int]:
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        expect_whole("seeds", seeds)
        return range(1, seeds + 1)
    if isinstance(seeds, str) or not isinstance(seeds, Iterable):
        raise OptionError(f"seeds={seeds!r:.80}: give how many, or a list of them.")
    found = list(seeds)
    for seed in found:
        expect_whole("each of seeds", seed, 0)
        if seed > LARGEST_SEED:
            raise OptionError(f"seeds: {seed} is more than {LARGEST_SEED}, the largest one.")
    if not found:
        raise OptionError("seeds=[]: give at least one.")
    return found


def _asked(
    workflow: Workflow, never: str | None, properties: str | PathLike[str] | Sequence[Property] | None
) -> tuple[list[Asked], list[str]]:
    """What is watched for, and which properties are not about runs."""
    if (never is None) == (properties is None):
        raise OptionError("give never, a claim that must not become true, or properties: a property file, or a list.")
    file = None
    if never is not None:
        every = [Property("never", never)]
    elif isinstance(properties, str | PathLike):
        file = str(as_path(properties, "explore_seeds"))
        named, every = load_properties(file)
        if named is not None:
            same_workflow(file, named, workflow)
    else:
        every = list(properties or ())
        for each in every:
            if not isinstance(each, Property):
                raise OptionError(
                    f"properties holds {each!r:.80}, not a wf.Property. wf.Property('never', '…') is one."
                )
    claims_of(workflow, every, file)
    fit = [each for each in every if each.name in PATTERNS and each.expect == "holds"]
    asked = [Asked.of(each) for each in fit]
    others = [str(each) for each in every if each not in fit]
    if not asked:
        raise OptionError(
            f"none of the properties is about runs and expected to hold. About runs: {', '.join(PATTERNS)}."
        )
    told = "not asked, as they are not about runs or not expected to hold"
    return asked, [f"{told}: {', '.join(others)}"] if others else []


def _verdict(found: Found, campaign: Campaign, call: str, n: int, assumed: tuple[str, ...]) -> Verdict:
    """The verdict on a case that breaks a property, with the shortest history found."""
    asked = campaign.asked[found.broken.which]
    tell = campaign.teller.tell
    retold = tell(found.happenings)
    witness = None
    statistics = {"seed": found.seed, "case": found.case, "steps": len(found.happenings)}
    how = f"Again: {call}"
    told = found.broken.told
    if retold.broken is not None and retold.broken.which == found.broken.which:
        best = shortest(found.happenings, tell, found.broken.which)
        last = tell(best.happenings, shown=asked.shown)
        witness = last.witness
        told = last.broken.told if last.broken is not None else told
        how = f"Shortened from {len(found.happenings)} steps to {len(last.happenings)}. {how}"
    else:
        how = f"Told again without its surroundings, the case does not break it, so there is no witness. {how}"
    reason = f"{told}\nSeed {found.seed}, case {found.case}. {how}"
    status = Status.ERROR if found.broken.fault else Status.VIOLATED
    return Verdict(status, str(asked.question), reason, witness, {"seeds": n}, assumed, METHOD, statistics)


def _call(seed: int, never: str | None, properties: object, cases: int, faults: Mapping[str, float] | None) -> str:
    """The line that shows a finding again."""
    given = [f"never={never!r}"] if never is not None else []
    if isinstance(properties, str | PathLike):
        given.append(f"properties={str(properties)!r}")
    elif properties is not None:
        given.append("properties=properties")
    given.append(f"seeds=[{seed}]")
    given += [f"cases={cases}"] if cases != 1 else []
    given += [f"faults={dict(faults)!r}"] if faults else []
    return f"wf.explore_seeds(workflow, scenario, {', '.join(given)})"
