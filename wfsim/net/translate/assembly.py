"""The net of a workflow, or of several that send each other messages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from wfsim.arguments import expect, listed_in
from wfsim.errors import NetError, did_you_mean
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.uses import declared_activities
from wfsim.model.workflow import Workflow

from ..petri import PetriNet
from .changes import Move, read, take
from .draft import NetDraft, nothing
from .messages import PostOffice, post_office
from .one_instance import InstanceNet, Surroundings
from .place_names import START, Tokens, pool_place
from .tokens import Knowledge

MOST_VARIANTS = 256
"""Variants of a net transition up to which what it ends needs no reset arcs."""


@dataclass(frozen=True)
class _Plan:
    """What a net is to hold: workflows, each with the prefix of its names and how many instances start."""

    name: str
    members: Sequence[tuple[Workflow, str, int]]
    pools: Mapping[str, int]
    catalogue: Catalogue
    office: PostOffice
    limit: int
    bound: int
    between: Callable[[], None]


def to_net(
    workflow: Workflow | Iterable[Workflow],
    *,
    instances: int = 1,
    pools: Mapping[str, int] | None = None,
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    items: int = 2,
    messages: int = 1,
    max_variants: int = MOST_VARIANTS,
    between: Callable[[], None] | None = None,
) -> PetriNet:
    """The workflow net of a workflow; or one net of several workflows that send each other messages.

    Parameters
    ----------
    workflow
        One, or several: an instance of each.
    instances
        How many instances of a single workflow start: tokens in `start`. They are alike, so they are not told apart.
    pools
        Workers of each pool that activities name, those of children included; an activity whose pool is left out
        never waits for a worker.
    catalogue
        Where to find the workflows that states run (M4.4): their nets then stand inside. Without it an open child is
        one place, left in every way that a child may close.
    items
        Most items of a list whose length the definition leaves open: every length up to this is tried.
    messages
        How many messages of one event and receiver may be on their way; beyond, they are lost.
    max_variants
        Ending what is inside a state takes one net transition for each configuration it may be in; where there are
        more than this, reset arcs instead.
    between
        Called before each net transition that is added; it may raise, to give the net up.

    Returns
    -------
    PetriNet
        Initial marking: `instances` tokens in `start`, and the workers in their pools. Final marking: all
        instances in `final`, all workers back. Node sources name states and transitions of the workflow.

    Raises
    ------
    NotCovered
        For workflows that run each other without end.
    CatalogueError
        For a child that is not in the catalogue.
    NetError
        For an unknown pool, or numbers below 1.

    Notes
    -----
    The operator's `pause`, `terminate` and `retry` are left out. So are `cancel` and the workflow timer in
    states without a transition on them: they close any instance, and would hide every dead end. `docs/nets.md` says
    which constructs are exact, and where the net allows more.
    """
    numbers = {"instances": instances, "messages": messages, "items": items, "max_variants": max_variants}
    for name, number in numbers.items():
        expect(number, int, f"to_net takes as {name} a whole number", "See its documentation.")
    for name, number in (("instances", instances), ("messages", messages)):
        if number < 1:
            raise NetError(f"{name}={number} is not a number of {name}. Give 1 or more.")
    if items < 0 or max_variants < 1:
        raise NetError(f"items={items}, max_variants={max_variants}: give 0 or more items, 1 or more variants.")
    known = as_catalogue(catalogue)
    what, advice = "to_net takes a Workflow, or several", "Load one: wf.load(path)."
    workflows = [workflow] if isinstance(workflow, Workflow) else listed_in(workflow, what, advice)
    for each in workflows:
        expect(each, Workflow, what, advice)
    expect(pools or {}, Mapping, "to_net takes pools as a mapping", "Such as {'packers': 2}.")
    check_pools(workflows, known, dict(pools or {}))
    if len(workflows) == 1:
        members = [(workflows[0], "", instances)]
    else:
        _check_several(workflows, instances)
        members = [(each, f"{each.name}/", 1) for each in workflows]
    name = " and ".join(each.name for each in workflows)
    office = post_office(workflows, messages) if len(workflows) > 1 else PostOffice()
    plan = _Plan(name, members, dict(pools or {}), known, office, max_variants, items, between or nothing)
    draft, net = _built(plan)
    if instances > 1 and draft.has_resets:
        # A reset arc would end what is inside all of them.
        alone = [(workflows[0], f"{k + 1}/", 1) for k in range(instances)]
        _, net = _built(_Plan(name, alone, plan.pools, known, office, max_variants, items, between or nothing))
    return net


def check_pools(workflows: Sequence[Workflow], catalogue: Catalogue, pools: Mapping[str, int]) -> None:
    """Refuse pools that no activity of the workflows or their children names, and pools without workers.

    Raises
    ------
    NetError
        Naming the pool and those that there are.
    """
    family = {workflow.name: workflow for workflow in workflows}
    if len(catalogue):
        for workflow in workflows:
            family.update({each.name: each for each in catalogue.family(workflow).all_versions()})
    known = [
        activity.pool for each in family.values() for activity in declared_activities(each).values() if activity.pool
    ]
    for name, capacity in pools.items():
        if name not in known:
            listed = ", ".join(dict.fromkeys(known)) or "none; give activities the key 'pool'"
            whom = " or ".join(repr(workflow.name) for workflow in workflows)
            raise NetError(
                f"no activity of {whom} names the pool {name!r}. Pools: {listed}.{did_you_mean(name, known)}"
            )
        if capacity < 1:
            raise NetError(f"pool {name!r} has {capacity} workers. Give 1 or more.")


def _check_several(workflows: Sequence[Workflow], instances: int) -> None:
    if not workflows:
        raise NetError("there is no workflow to translate. Give one or more.")
    names = [workflow.name for workflow in workflows]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise NetError(f"several workflows are called {twice[0]!r}. Messages could not tell them apart: rename one.")
    if instances > 1:
        raise NetError(f"instances={instances} with several workflows: a net holds one instance of each. Leave it out.")


def _built(plan: _Plan) -> tuple[NetDraft, PetriNet]:
    """A first draft shows which places can be marked at all, a second one is made of those."""
    first, nets = _draft(plan, None)
    _, marked = first.fed(_initial(plan, nets))
    pending = {}
    for net in _with_children(nets):
        for at in net.view.states:
            waiting = [error for error in net.tokens.pending.get(at.name, []) if f"{at.name}^{error.key(at)}" in marked]
            if waiting:
                pending[at.name] = waiting
                marked |= {net.tokens.no_pending(f"{at.name}^{error.key(at)}") for error in waiting}
    draft, nets = _draft(plan, Knowledge(frozenset(marked), pending))
    initial = _initial(plan, nets)
    draft.prune(initial)
    final = {net.final: number for net, (_, _, number) in zip(nets, plan.members)} | _staying(plan)
    ever = [place for net in nets for place in (net.start, net.final)]
    return draft, draft.finished(plan.name, initial, final, ever)


def _draft(plan: _Plan, known: Knowledge | None) -> tuple[NetDraft, list[InstanceNet]]:
    draft = NetDraft(between=plan.between)
    shared = Surroundings(draft, plan.pools, plan.catalogue, known, plan.limit, plan.bound, plan.office)
    nets = [InstanceNet(workflow, shared, prefix) for workflow, prefix, _ in plan.members]
    for net in nets:
        net.add_places()
    for place in _staying(plan):
        draft.place(place, place)
    for events in plan.office.places.values():
        for message, _ in events.values():
            draft.place(message, message)
    for net in nets:
        net.add()
    for net in nets:
        if plan.office.starting(net.view):
            others = [other.final for other in nets if other is not net]
            unused = take(net.start).giving({net.final: 1}) & read(*others)
            draft.make(Move(unused, f"{net.view.workflow.name} is never started", START))
    return draft, nets


def _with_children(nets: Iterable[InstanceNet]) -> Iterable[InstanceNet]:
    for net in nets:
        yield net
        yield from _with_children(net.children)


def _staying(plan: _Plan) -> Tokens:
    """Tokens that are there at the beginning and at the end: workers, and room for messages."""
    return {pool_place(pool): capacity for pool, capacity in plan.pools.items()} | plan.office.rooms


def _initial(plan: _Plan, nets: Sequence[InstanceNet]) -> Tokens:
    return {net.start: number for net, (_, _, number) in zip(nets, plan.members)} | _staying(plan)
