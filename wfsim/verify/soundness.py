"""Soundness of workflow nets, and its parts as single questions, by plain search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from wfsim.net.petri import PetriNet
from wfsim.net.translate import BOTH
from wfsim.verify.explore import explore
from wfsim.verify.state_space import Wake
from wfsim.verify.translated import Translation, net_of
from wfsim.verify.unbounded import GrowthWatch, growth_is_provable
from wfsim.verify.verdict import NetWitness, Status, Verdict
from wfsim.verify.workflow_net import NotAWorkflowNet, final_marking_of, listed, workflow_task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.model.workflow import Workflow
    from wfsim.net.marking import Marking
    from wfsim.verify.state_space import StateSpace

METHOD = "explicit breadth-first search"
NO_FAIRNESS = "every enabled net transition may fire at any moment or never (no fairness)"
COMPLETES, PROPER, NO_DEAD = "option to complete", "proper completion", "no dead transitions"


def soundness(
    net: PetriNet | Workflow | Iterable[Workflow],
    *,
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    progress: bool = False,
    **translation: Unpack[Translation],
) -> Verdict:
    """Whether a workflow net is sound, in the classical sense [1]_; or that of a workflow, or of several together.

    From every reachable marking the final marking can be reached (option to complete); no reachable marking
    holds the final one and more (proper completion); every net transition can fire in some run. With K tokens
    in the source, K must arrive in the sink (K-soundness). The first clause that fails is named, in this
    order.

    Parameters
    ----------
    net
        A workflow net; or any net with a `final_marking`, which is then taken as it stands. Or a workflow, or
        several that send each other messages: their net is asked.
    max_markings, max_seconds, progress
        As in `wfsim.verify.explore.explore`.
    translation
        For workflows, the parameters of `to_net`: `catalogue` for what they run as children, `instances`, `pools`,
        `items`, `messages`, `max_variants`.

    Returns
    -------
    Verdict
        `violated` with a shortest firing sequence to an offending marking (a deadlock if there is one; a dead
        transition has no trace, since nothing leads to it); `error` if the net is not a workflow net;
        `unknown` if a limit was reached before anything was proved. `statistics["clauses"]` tells about each
        clause.

    Notes
    -----
    Arcs of every kind are treated. Unbounded nets with normal and read arcs only are recognised during the
    search and are not sound; with inhibitor or reset arcs the search runs into a limit. Cost: as `explore`,
    and one backward pass over the edges.

    References
    ----------
    .. [1] van der Aalst (1998), Journal of Circuits, Systems and Computers 8(1), 21-66.
    """
    assumed: tuple[str, ...] = ()
    if not isinstance(net, PetriNet):
        net, assumed = net_of(net, **translation)
    elif translation:
        raise TypeError(f"{', '.join(translation)}: the net is there already. Give the workflow instead of its net.")
    name = f"soundness of {net.name!r}"
    try:
        task = workflow_task(net)
    except NotAWorkflowNet as problem:
        return Verdict(Status.ERROR, name, str(problem), method="structure of the net")
    if task.cases > 1:
        name = f"{task.cases}-{name}"
    watch = GrowthWatch(task.net)
    space = explore(
        task.net,
        max_markings=max_markings,
        max_seconds=max_seconds,
        progress=progress,
        stop=watch,
        wake=watch.wake,
    )
    findings = [
        finding
        for finding in (
            _completion(space, task.final),
            _proper_completion(space, task.final),
            _dead(space),
            _growth(space, watch),
        )
        if finding is not None
    ]
    failed = [finding.clause for finding in findings]
    otherwise = Status.HOLDS if space.complete else Status.UNKNOWN
    clauses = {c: str(Status.VIOLATED if c in failed else otherwise) for c in (COMPLETES, PROPER, NO_DEAD)}
    if not _all_dead(space):
        clauses[NO_DEAD] = str(Status.HOLDS)
    statistics = {**_statistics(space), "clauses": clauses}
    if NO_DEAD in failed:
        statistics["dead_transitions"] = _dead_list(space)
    assumptions = (NO_FAIRNESS, *task.assumptions, *assumed)
    if findings:
        clause, reason, witness = findings[0]
        more = f" Violated too: {', '.join(failed[1:])}." if len(failed) > 1 else ""
        status, reason = Status.VIOLATED, f"{_sentence(clause)} fails: {reason}{more}"
    elif space.complete:
        status, witness = Status.HOLDS, None
        reason = (
            f"From each of {_count(space)} the final marking {_shown(task.final)} can be reached, nothing is "
            "ever left over, and every net transition can fire."
        )
    else:
        status, witness, reason = Status.UNKNOWN, None, _unfinished(space)
    return Verdict(status, name, reason, witness, _bound(space), assumptions, METHOD, statistics)


class _Finding(NamedTuple):
    """One clause that fails, why, and the firing sequence that shows it."""

    clause: str
    reason: str
    witness: NetWitness | None


def _completion(space: StateSpace, final: Marking) -> _Finding | None:
    """A marking from which the final one is out of reach: the nearest deadlock, else the nearest at all."""
    goal = space.number_of(final)
    for number in space.deadlock_numbers():
        if number != goal:
            stuck = space.marking(number)
            witness = NetWitness.of(space.net, space.path_to(number))
            reason = f"{_after(witness)} the net is stuck with {_shown(stuck)}"
            if stuck.strictly_covers(final):
                left = [p for p in space.net.places if stuck[p] > final[p]]
                reason += f"; the final marking is there, but tokens are left in {listed(left)}"
            return _Finding(COMPLETES, reason + ".", witness)
    if not space.complete:
        return None
    able = space.able_to_reach([] if goal is None else [goal])
    number = able.find(0)
    if number < 0:
        return None
    witness = NetWitness.of(space.net, space.path_to(number))
    loop = listed(_fired_after(space, number))
    return _Finding(
        COMPLETES,
        f"{_after(witness)}, with {_shown(space.marking(number))}, the net goes on for ever (livelock) and "
        f"can never reach {_shown(final)}; all that can still fire is {loop}.",
        witness,
    )


def _fired_after(space: StateSpace, number: int) -> list[str]:
    reached, todo, fired = {number}, [number], set()
    while todo:
        for transition, target in space.edges_from(todo.pop()):
            fired.add(transition)
            if target not in reached:
                reached.add(target)
                todo.append(target)
    return [space.net.transitions[transition] for transition in sorted(fired)]


def _proper_completion(space: StateSpace, final: Marking) -> _Finding | None:
    number = space.first_covering(final.tokens)
    if number is None:
        return None
    witness = NetWitness.of(space.net, space.path_to(number))
    left = [p for p, have, want in zip(space.net.places, space.tokens[number], final.tokens) if have > want]
    reason = f"{_after(witness)} the net has completed, but tokens are left over in {listed(left)}."
    return _Finding(PROPER, reason, witness)


def _dead(space: StateSpace) -> _Finding | None:
    if not space.complete or not _all_dead(space):
        return None
    # Of several net transitions that stand for one of the model, the first tells enough.
    entries = {entry["source"] or entry["transition"]: entry for entry in reversed(_dead_list(space))}
    told = [_dead_told(entry) for entry in reversed(entries.values())]
    rest = f"; and {len(told) - 5} more" if len(told) > 5 else ""
    reason = f"no run fires {'; '.join(told[:5])}{rest}. There is no trace to show, as nothing leads there."
    return _Finding(NO_DEAD, reason, None)


def _dead_told(entry: dict[str, Any]) -> str:
    where = f" of {entry['source']}" if entry["source"] is not None else ""
    return f"{entry['transition']!r}{where} ({entry['cause']})"


def _all_dead(space: StateSpace) -> list[str]:
    """Net transitions that never fired, nor did another one made from the same source.

    A translation makes several net transitions from one transition of its model, one for each way to leave a
    state, say. The model's transition is dead when all of them are.
    """
    never = set(space.never_fired)
    alive = {part for name in space.net.transitions if name not in never for part in _parts(space.net, name)}
    dead = [(name, _parts(space.net, name)) for name in space.never_fired]
    return [name for name, parts in dead if not parts or not alive.issuperset(parts)]


def _parts(net: PetriNet, transition: str) -> list[str]:
    """What it stands for: several transitions of the model, where they are taken together."""
    source = net.source(transition)
    return [] if source is None else source.split(BOTH)


def _dead_list(space: StateSpace) -> list[dict[str, Any]]:
    """For each dead transition its name, label, source, and what keeps it from firing."""
    net, bounds = space.net, list(space.bounds.values())
    entries = []
    for transition in _all_dead(space):
        rule = net.rules[net.transition_index(transition)]
        short = [
            f"{net.places[place]!r} never holds {'a token' if weight == 1 else f'{weight} tokens'}"
            for place, weight in rule.needs
            if bounds[place] < weight
        ]
        cause = ", ".join(short) or "its places are never marked as it wants at the same time"
        entries.append(
            {
                "transition": transition,
                "label": net.label(transition),
                "source": net.source(transition),
                "cause": cause,
            }
        )
    return entries


def _growth(space: StateSpace, watch: GrowthWatch) -> _Finding | None:
    if watch.found is None:
        return None
    witness = watch.witness(space)
    return _Finding(
        "boundedness",
        f"repeating {listed(witness.repeatable)} puts ever more tokens into {listed(watch.growing(space))}. "
        "A sound net is bounded: if it could complete from the smaller marking, then from the larger one "
        "too, with tokens left over.",
        witness,
    )


def deadlock_free(
    net: PetriNet,
    *,
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    progress: bool = False,
) -> Verdict:
    """Whether every reachable marking but the final one enables a net transition.

    The final marking is the net's; of a workflow net without one, the tokens of the source moved to the sink;
    of other nets there is none, and no deadlock is excepted. The search ends with the first deadlock, whose
    firing sequence is shortest.
    """
    final = final_marking_of(net)
    goal = None if final is None else final.tokens
    found: list[int] = []

    def stop(space: StateSpace, number: int) -> str | None:
        if space.is_deadlock(number) and space.tokens[number] != goal:
            found.append(number)
            return "A deadlock was found."
        return None

    space = explore(
        net,
        max_markings=max_markings,
        max_seconds=max_seconds,
        progress=progress,
        stop=stop,
        wake=Wake(deadlock=True),
    )
    excepted = "no final marking is known, so every deadlock counts"
    if final is not None:
        excepted = f"the final marking {final.to_dict()} may be a deadlock"
    witness = None
    if found:
        witness = NetWitness.of(net, space.path_to(found[0]))
        status = Status.VIOLATED
        reason = f"{_after(witness)} nothing can fire, with {_shown(witness.marking)}."
    elif space.complete:
        status, reason = Status.HOLDS, f"Of {_count(space)}, each enables a net transition or is final."
    else:
        status, reason = Status.UNKNOWN, _unfinished(space)
    return Verdict(
        status,
        f"{net.name!r} is free of deadlocks",
        _sentence(reason),
        witness,
        _bound(space),
        (*_assumed(net), excepted),
        METHOD,
        _statistics(space),
    )


def dead_transitions(
    net: PetriNet,
    *,
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    progress: bool = False,
) -> Verdict:
    """Whether every net transition can fire in some run; `violated` lists those that cannot, and why.

    The list is `statistics["dead_transitions"]`. There is no witness: nothing leads to a dead transition. The
    search ends as soon as every one has fired.
    """

    def stop(space: StateSpace, number: int) -> str | None:
        return None if space.never_fired else "Every net transition has fired."

    space = explore(
        net,
        max_markings=max_markings,
        max_seconds=max_seconds,
        progress=progress,
        stop=stop,
        wake=Wake(first_firing=True),
    )
    statistics = _statistics(space)
    dead = _dead(space)
    if not _all_dead(space):
        status, reason = Status.HOLDS, "Each net transition fires in some run."
    elif dead is not None:
        status, reason = Status.VIOLATED, _sentence(dead.reason)
        statistics["dead_transitions"] = _dead_list(space)
    else:
        status = Status.UNKNOWN
        reason = f"{_unfinished(space)} Not fired so far: {listed(space.never_fired)}."
    return Verdict(
        status,
        f"{net.name!r} has no dead transitions",
        reason,
        None,
        _bound(space),
        _assumed(net),
        METHOD,
        statistics,
    )


def bounded(
    net: PetriNet,
    k: int | None = None,
    *,
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    progress: bool = False,
) -> Verdict:
    """Whether no place ever holds more than `k` tokens; without `k`, whether there is any such number.

    `violated` carries a shortest firing sequence to a marking beyond `k`, or one whose last part
    (`witness.repeatable`) can be repeated for ever with more tokens each time. That a net with inhibitor or
    reset arcs is unbounded is never proved here; such a search ends `unknown`. `statistics["bounds"]` holds
    the most tokens seen in each place.
    """
    if k is not None and k < 0:
        raise ValueError(f"k must be at least 0, not {k}.")
    watch = GrowthWatch(net)
    beyond: list[int] = []
    checked = 0

    def exceeds(space: StateSpace, number: int) -> str | None:
        nonlocal checked
        found = space.first_above(k or 0, checked)
        checked = space.n_markings
        if found is None:
            return None
        beyond.append(found)
        return f"A place holds more than {k}."

    space = explore(
        net,
        max_markings=max_markings,
        max_seconds=max_seconds,
        progress=progress,
        stop=watch if k is None else exceeds,
        wake=watch.wake if k is None else Wake(above=k),
    )
    growth = _growth(space, watch)
    witness = None
    if beyond:
        witness = NetWitness.of(net, space.path_to(beyond[0]))
        status, reason = Status.VIOLATED, f"{_after(witness)} the net holds {_shown(witness.marking)}."
    elif growth is not None:
        witness = growth.witness
        places = listed(watch.growing(space))
        repeated = listed(watch.witness(space).repeatable)
        status, reason = Status.VIOLATED, f"Repeating {repeated} puts ever more tokens into {places}."
    elif space.complete:
        most = max(space.bounds.values(), default=0)
        status, reason = Status.HOLDS, f"In {_count(space)} no place holds more than {most}."
    else:
        status, reason = Status.UNKNOWN, _unfinished(space)
        if not growth_is_provable(net):
            reason += " With inhibitor or reset arcs growth on a path proves nothing."
    return Verdict(
        status,
        f"{net.name!r} is {'bounded' if k is None else f'{k}-bounded'}",
        _sentence(reason),
        witness,
        _bound(space),
        _assumed(net),
        METHOD,
        {**_statistics(space), "bounds": space.bounds},
    )


def _assumed(net: PetriNet) -> tuple[str, ...]:
    empty = () if net.initial_marking.total else ("no place holds a token at the start, as the net is marked",)
    return (NO_FAIRNESS, *empty)


def _bound(space: StateSpace) -> dict[str, Any]:
    bound: dict[str, Any] = {
        "markings": space.n_markings,
        "edges": space.n_edges,
        "complete": space.complete,
    }
    return bound if space.complete else {**bound, "stopped": space.reason}


def _statistics(space: StateSpace) -> dict[str, Any]:
    return {
        "places": len(space.net.places),
        "transitions": len(space.net.transitions),
        "expanded": space.n_expanded,
        "deadlocks": len(space.deadlock_numbers()),
    }


def _unfinished(space: StateSpace) -> str:
    return f"{space.reason} Raise max_markings or max_seconds, or make the net smaller."


def _count(space: StateSpace) -> str:
    return f"{space.n_markings:,} reachable marking{'' if space.n_markings == 1 else 's'}"


def _after(witness: NetWitness) -> str:
    n = len(witness)
    return "at the start" if n == 0 else f"after {n} firing{'' if n == 1 else 's'}"


def _shown(marking: Marking) -> str:
    tokens = marking.to_dict()
    return ", ".join(f"{p}: {n}" for p, n in tokens.items()).join("{}") if tokens else "no token at all"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
