"""Questions that every workflow can be asked, and the door to all questions: `verify`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wfsim.arguments import expect, expect_seconds, expect_whole
from wfsim.errors import DefinitionError, did_you_mean, listed
from wfsim.files import read_file
from wfsim.model import yaml_reader
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.problems import Problem, definition_error, from_validation
from wfsim.model.uses import invoked
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import load, source_of
from wfsim.net.petri import PetriNet
from wfsim.semantics.codes import FAILED, TIMED_OUT
from wfsim.semantics.compile import compile_workflow
from wfsim.verification.nets.answer import unfinished
from wfsim.verification.nets.check import check_all
from wfsim.verification.nets.limits import Limits, OutOfTime
from wfsim.verification.nets.soundness import soundness_within
from wfsim.verification.nets.translated import net_of
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status, Verdict
from wfsim.verification.workflows.claims import Claim, unknown_names
from wfsim.verification.workflows.conditions.verdicts import verdict_on
from wfsim.verification.workflows.over_step import (
    can_complete,
    likewise,
    no_closing,
    shared_by,
    states_reachable,
    transitions_live,
)
from wfsim.verification.workflows.patterns import PATTERNS, Pattern
from wfsim.verification.workflows.property_files import KINDS, NetOptions, SoundOptions, load_properties
from wfsim.verification.workflows.report import Report
from wfsim.verification.workflows.searched import Search
from wfsim.verification.workflows.settled import settlements
from wfsim.verification.workflows.told import NotReplayed, witness_along
from wfsim.verification.workflows.watched import refuted

HOW_TO_ASK = "Make each with wf.Property(name, options)."


def verify(
    workflow: Workflow,
    properties: str | Path | list[Property] | None = None,
    *,
    max_states: int = 100_000,
    max_seconds: float | None = None,
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
) -> Report:
    """Ask a workflow the questions of a property file, or the built-in ones.

    Parameters
    ----------
    properties
        A property file, or properties. By default those of `built_in`: all states reachable, all transitions live,
        completion possible, no failure, no unhandled timeout, soundness, no useless condition; and, where an activity
        has `compensate_with` or `settled_by`, that it is undone or used on every way to a failing end.
    max_states
        Limit of each search; running into it gives `unknown` unless a violation was found before, or a proof for all
        values, which has so many control states at most.
    max_seconds
        For each property, whatever is tried for it. What one has searched serves the others, as far as it went.
        Without it, the search ends with `max_states`, and each question about all values after a fixed amount of work,
        some seconds, which is the same on every machine; the verdict says so.
    catalogue
        Where to find the workflows that states run, for the questions asked of the net. Without it, and in the
        questions asked of `step`, a child closes in every way it may.

    Returns
    -------
    Report
        One verdict per property; violated ones with a shortest witness wherever there can be one.

    Raises
    ------
    DefinitionError
        If the property file cannot be read, asks nothing, or is about another workflow.
    """
    expect(workflow, Workflow, "verify asks one Workflow", "Of several that send each other messages: wf.soundness.")
    expect_whole("max_states", max_states)
    expect_seconds("max_seconds", max_seconds)
    expect(properties, (str, os.PathLike, list, type(None)), "verify takes a property file, or a list", HOW_TO_ASK)
    if properties is None:
        asked = built_in(workflow)
    elif isinstance(properties, list):
        asked = properties
        for each in asked:
            expect(each, Property, "verify takes a list of properties", HOW_TO_ASK)
    else:
        named, asked = load_properties(properties)
        if named is not None:
            same_workflow(properties, named, workflow)
    file = None if properties is None or isinstance(properties, list) else properties
    answer = answers(
        workflow, asked, file=file, max_states=max_states, max_seconds=max_seconds, catalogue=as_catalogue(catalogue)
    )
    return Report(workflow, asked, [answer(each) for each in asked])


def built_in(workflow: Workflow) -> list[Property]:
    """What a workflow is asked unless told otherwise: `BUILT_IN`, and `settled` where something says what undoes it."""
    return [Property(name) for name in (*BUILT_IN, *(["settled"] if settlements(workflow, {}) else []))]


def answers(
    workflow: Workflow,
    asked: list[Property],
    *,
    file: str | Path | None = None,
    max_states: int = 100_000,
    max_seconds: float | None = None,
    catalogue: Catalogue,
) -> Callable[[Property], Verdict]:
    """Check what is asked, and return what answers each of these properties; all share one search.

    Raises
    ------
    DefinitionError
        If a property or a name in it is unknown; see `verify`.
    """
    claims = claims_of(workflow, asked, None if file is None else str(file))
    limits = Limits(max_markings=max_states * 10, max_seconds=max_seconds)
    search = Search(workflow, max_states, limits, catalogue, claims)

    def answer(each: Property) -> Verdict:
        patterns = patterns_of(workflow, each)
        search.begin(more_follows=bool(patterns) or each.name == "no_deadlock" or each.name in OF_ALL_VALUES)
        try:
            if patterns:
                return _first_broken(each, [refuted(search, each, pattern) for pattern in patterns])
            return PROPERTIES[each.name][1](search, each)
        except NotReplayed as problem:
            return search.verdict(str(each), Status.UNKNOWN, str(problem))
        except OutOfTime as over:
            return unfinished(str(each), limits, over)

    return answer


def claims_of(workflow: Workflow, asked: list[Property], file: str | None) -> tuple[Claim, ...]:
    """The claims of all properties.

    Raises
    ------
    DefinitionError
        Naming every property and every name in a claim that is not known, with file and line where there are such.
    """
    program = compile_workflow(workflow)
    claims: list[Claim] = []
    problems: list[Problem] = []
    for k, each in enumerate(asked):
        if each.name not in KINDS:
            instead = did_you_mean(each.name, KINDS) or f" There are: {listed(KINDS)}."
            raise DefinitionError(f"unknown property {each.name!r}.{instead}")
        try:
            patterns = patterns_of(workflow, each)
        except ValidationError as error:
            found = from_validation([dict(wrong) for wrong in error.errors()], each.options)
            raise definition_error([Problem((each.name, *wrong.path), wrong.message) for wrong in found]) from None
        own = [claim for pattern in patterns for claim in pattern.automaton().claims]
        claims += own
        for claim in own:
            wrong = [f"`{claim.text}`: {told}" for told in dict.fromkeys(unknown_names(claim, program))]
            place = next((key for key, text in _written(each) if text == claim.text), each.name)
            problems += [Problem((k, place), told) for told in wrong]
    if problems:
        lines = {(k, key): line for k, each in enumerate(asked) for key, line in each.lines.items()}
        plain = {k: each.line for k, each in enumerate(asked)}
        if file is None:
            raise definition_error([Problem((str(asked[int(each.path[0])]),), each.message) for each in problems])
        raise definition_error(
            problems, file, lambda path: lines.get((int(path[0]), str(path[1])), plain[int(path[0])])
        )
    return tuple(claims)


def patterns_of(workflow: Workflow, asked: Property) -> list[Pattern]:
    """The automata that a property about runs asks of a workflow; none for other properties.

    Raises
    ------
    ValidationError
        If its options are not those of the property.
    """
    if asked.name in PATTERNS:
        return [PATTERNS[asked.name].model_validate(asked.options)]
    return [*settlements(workflow, asked.options)] if asked.name == "settled" else []


def _first_broken(asked: Property, verdicts: list[Verdict]) -> Verdict:
    """One verdict on several patterns: the violated ones if there are any, else what is open, else that all hold."""
    for status in (Status.ERROR, Status.VIOLATED, Status.UNKNOWN):
        told = [verdict for verdict in verdicts if verdict.status is status]
        if told:
            return replace(told[0], further=tuple(told[1:]))
    return replace(verdicts[0], reason=" ".join(dict.fromkeys(verdict.reason for verdict in verdicts)))


def _written(asked: Property) -> list[tuple[str, Any]]:
    return [("of", asked.options)] if isinstance(asked.options, str) else list(asked.options.items())


def same_workflow(path: str | Path, named: str, workflow: Workflow) -> None:
    """Refuse a property file about another workflow: it may name the file, or just the workflow.

    Raises
    ------
    DefinitionError
        Naming both workflows, or the file that is missing.
    """
    target = Path(path).parent / named
    source = source_of(workflow)
    if named == workflow.name or (source is not None and Path(source.file).resolve() == target.resolve()):
        return
    meant = repr(named)
    if target.suffix in (".yaml", ".yml"):
        about = load(target)
        if (about.name, about.version) == (workflow.name, workflow.version):
            return
        meant = f"{about.name!r} {about.version} ({target})"
    text = yaml_reader.decode(read_file(path, yaml_reader.LARGEST_FILE), str(path))
    line = yaml_reader.read(text, str(path)).line_of(("workflow",))
    raise DefinitionError(
        f"{path}:{line}: the properties are about workflow {meant}, not about {workflow.name!r} {workflow.version}. "
        "Verify that one, or leave the key 'workflow' out."
    )


def _sound(search: Search, asked: Property) -> Verdict:
    net, assumed = _net(search, asked)
    kind = SoundOptions.model_validate(asked.options).kind
    verdict = soundness_within(net, kind, search.limits)
    return replace(verdict, assumptions=(*verdict.assumptions, *assumed))


def _net(search: Search, asked: Property) -> tuple[PetriNet, tuple[str, ...]]:
    options = KINDS[asked.name].model_validate(asked.options)
    assert isinstance(options, NetOptions)
    return net_of(
        search.workflow,
        instances=options.instances,
        pools=options.pools,
        items=options.items,
        catalogue=search.catalogue,
        limits=search.limits,
    )


def _no_deadlock(search: Search, asked: Property) -> Verdict:
    """Over `step`, if that is decided; else, and where children are to stand inside, of the net."""
    space = search.space
    inside = any(each.workflow in search.catalogue for each in invoked(search.workflow))
    if space.exact and not inside:
        shared, told = shared_by(search, asked)
        stuck = shared.stuck
        if stuck:
            at, states = space.instance(stuck[0]), sorted({space.instance(k).state for k in stuck})
            return search.verdict(
                str(asked),
                Status.VIOLATED,
                f"In state '{at.state}' nothing can happen any more, and the instance is not closed."
                + likewise(states, at.state),
                witness=witness_along(space, shared.path_to(stuck[0])),
                statistics={"states": states},
            )
        if space.complete:
            n = len(shared.states)
            return search.verdict(
                str(asked),
                Status.HOLDS,
                f"In each of {n:,} states an instance is closed or something can happen to it.{told}",
            )
    net, assumed = _net(search, asked)
    (verdict,) = check_all(net, ["no_deadlock"], search.limits)
    return replace(verdict, assumptions=(*verdict.assumptions, *assumed))


def _nothing_to_settle(search: Search, asked: Property) -> Verdict:
    return Verdict(
        Status.HOLDS,
        str(asked),
        "No activity says what undoes it. Write compensate_with or settled_by, or name pairs: {charge: [refund]}.",
        bound={"complete": True},
        assumptions=("an activity without compensate_with and settled_by leaves nothing to undo",),
        method="the definition alone",
    )


def _of_conditions(search: Search, asked: Property) -> Verdict:
    return verdict_on(search.workflow, asked.name, search.limits)


_ANSWERS: dict[str, Callable[[Search, Property], Verdict]] = {
    "states_reachable": states_reachable,
    "transitions_live": transitions_live,
    "can_complete": can_complete,
    "no_failure": no_closing(FAILED, "An instance fails"),
    "no_unhandled_timeout": no_closing(TIMED_OUT, "A timeout that nothing handles ends an instance"),
    "sound": _sound,
    "no_deadlock": _no_deadlock,
    "conditions_useful": _of_conditions,
    "conditions_complete": _of_conditions,
    "conditions_disjoint": _of_conditions,
    "settled": _nothing_to_settle,
}
PROPERTIES = {name: (KINDS[name], answer) for name, answer in _ANSWERS.items()}
"""What can be asked of every workflow, by name: options and answer."""

OF_ALL_VALUES = ("states_reachable", "transitions_live", "can_complete", "no_failure", "no_unhandled_timeout")
"""What is asked of all values at once where the candidate values leave it open."""

BUILT_IN = tuple(
    name for name in PROPERTIES if name not in ("no_deadlock", "conditions_complete", "conditions_disjoint", "settled")
)
"""What every workflow is asked unless told otherwise. Markings that enable nothing, conditions that leave events over,
and conditions that the order of the file decides between may all be meant."""
