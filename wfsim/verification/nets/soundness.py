"""Soundness of workflow nets, and its parts as single questions, by plain search."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Unpack, get_args

from wfsim.net.petri import PetriNet
from wfsim.verification.nets.diagrams.answers import Answers
from wfsim.verification.nets.diagrams.turns import in_turn
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.findings import (
    COMPLETES,
    NO_DEAD,
    NO_FAIRNESS,
    PROPER,
    Finding,
    after,
    all_dead,
    dead_finding,
    dead_list,
    shown,
    stuck_with,
)
from wfsim.verification.nets.limits import DEFAULT_MEMORY, SearchLimits
from wfsim.verification.nets.reduced import Outcome, direct_markings, reduced_deadlock, reduced_soundness, told_bound
from wfsim.verification.nets.state_space import Wake, advised
from wfsim.verification.nets.translated import Translation, net_of
from wfsim.verification.nets.unbounded import GrowthWatch, growth_is_provable
from wfsim.verification.nets.workflow_net import NotAWorkflowNet, listed, workflow_task
from wfsim.verification.verdict import NetWitness, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from wfsim.model.workflow import Workflow
    from wfsim.net.marking import Marking
    from wfsim.verification.nets.diagrams.space import SymbolicSpace
    from wfsim.verification.nets.state_space import StateSpace

METHOD = "explicit breadth-first search"
Kind = Literal["classical", "weak", "relaxed"]


def soundness(
    net: PetriNet | Workflow | Iterable[Workflow],
    *,
    kind: Kind = "classical",
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    max_memory: int = DEFAULT_MEMORY,
    progress: bool = False,
    **translation: Unpack[Translation],
) -> Verdict:
    """Whether a workflow net is sound; or that of a workflow, or of several together.

    Classical soundness [1]_: from every reachable marking the final marking can be reached (option to complete);
    no reachable marking holds the final one and more (proper completion); every net transition can fire in some run.
    With K tokens in the source, K must arrive in the sink (K-soundness). The first clause that fails is named, in
    this order. Weak soundness [2]_ leaves the last clause out. Relaxed soundness [3]_ only asks that each net
    transition fires in some run that ends in the final marking.

    Parameters
    ----------
    net
        Any net with a `final_marking`, taken as it stands; without, a workflow net, which is assumed to end with its
        tokens in the sink. Or a workflow, or
        several that send each other messages: their net is asked.
    kind
        `classical`, `weak` or `relaxed`.
    max_markings, max_seconds, max_memory, progress
        As in `wfsim.verification.nets.explore.explore`.
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
    Beyond some hundred markings a net is reduced first (`nets.structure.reduction`), where rules apply;
    `method` names them, and traces are mapped back to the net as given. Where the search comes to no end, decision
    diagrams find all markings of a 1-safe net at once. Arcs of every kind are treated. Unbounded
    nets with normal and read arcs only are recognised during the search and are not sound; with inhibitor or reset
    arcs the search runs into a limit. Cost: as `explore`, and one backward pass over the edges.

    References
    ----------
    .. [1] van der Aalst (1998), Journal of Circuits, Systems and Computers 8(1), 21-66.
    .. [2] Martens (2005), Analyzing web service based business processes, LNCS 3442, 19-33.
    .. [3] Dehnert, Rittgen (2001), Relaxed soundness of business processes, LNCS 2068, 157-170.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"there is no soundness of kind {kind!r}. Kinds: {', '.join(get_args(Kind))}.")
    assumed: tuple[str, ...] = ()
    if not isinstance(net, PetriNet):
        net, assumed = net_of(net, **translation)
    elif translation:
        raise TypeError(f"{', '.join(translation)}: the net is there already. Give the workflow instead of its net.")
    name = f"{'' if kind == 'classical' else f'{kind} '}soundness of {net.name!r}"
    try:
        task = workflow_task(net)
    except NotAWorkflowNet as problem:
        return Verdict(Status.ERROR, name, str(problem), method="structure of the net")
    if task.cases > 1:
        name = f"{task.cases}-{name}"
    watch, first = GrowthWatch(task.net), direct_markings(task.net)
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    limits = SearchLimits(max_markings=max_markings, max_seconds=max_seconds, max_memory=max_memory, progress=progress)
    few: SearchLimits = {**limits, "max_markings": min(first, max_markings)}
    space = explore(task.net, **few, stop=watch, wake=watch.wake)
    assumptions = (NO_FAIRNESS, *task.assumptions, *assumed)
    told = ""
    if not space.complete and space.n_markings == first < max_markings and watch.found is None:

        def search(limits: SearchLimits) -> Outcome | tuple[StateSpace, GrowthWatch]:
            # The rules of reduction keep classical soundness; they say nothing of the others.
            outcome = reduced_soundness(task.net, task.final, **limits) if kind == "classical" else None
            if outcome is not None:
                return outcome
            watch = GrowthWatch(task.net)
            return explore(task.net, **limits, stop=watch, wake=watch.wake), watch

        def settled(found: Outcome | tuple[StateSpace, GrowthWatch]) -> bool:
            if isinstance(found, Outcome):
                return found.space.complete or bool(found.findings) or found.space.interrupted
            space, watch = found
            return space.complete or watch.found is not None or space.interrupted

        def answer(answers: Answers) -> Verdict:
            return _of_diagrams(answers, task.final, kind, name, assumptions)

        found, verdict, _, told = in_turn(task.net, search, settled, answer, limits, deadline)
        if verdict is not None:
            return verdict
        if isinstance(found, Outcome):
            return _of_reduced(found, name, assumptions, told)
        space, watch = found
    if kind == "relaxed":
        goal = space.number_of(task.final)
        able = space.able_to_reach([] if goal is None else [goal])
        numbers = range(space.n_expanded)
        useful = {edge for number in numbers for edge, target in space.edges_from(number) if able[target]}
        names = {space.net.transitions[edge] for edge in useful}
        return _relaxed(space, names, task.final, name, assumptions, METHOD, _statistics(space), told)
    clauses = (
        _completion(space, task.final),
        _proper_completion(space, task.final),
        _dead(space) if kind == "classical" else None,
        _growth(space, watch),
    )
    findings = [finding for finding in clauses if finding is not None]
    statistics = _statistics(space)
    dead = all_dead(space.net, space.never_fired)
    if any(finding.clause == NO_DEAD for finding in findings):
        statistics["dead_transitions"] = _dead_entries(space)
    holds = _holds(space, task.final, kind)
    verdict = _told(name, space, findings, bool(dead), holds, assumptions, METHOD, statistics, told)
    if kind == "weak":
        del verdict.statistics["clauses"][NO_DEAD]
    return verdict


def _holds(space: StateSpace | SymbolicSpace, final: Marking, kind: Kind) -> str:
    """Why classical or weak soundness holds."""
    completes = f"From each of {_count(space)} the final marking {shown(final)} can be reached"
    if kind == "weak":
        return f"{completes}, and nothing is ever left over."
    return f"{completes}, nothing is ever left over, and every net transition can fire."


def _relaxed(
    space: StateSpace | SymbolicSpace,
    useful: Collection[str],
    final: Marking,
    name: str,
    assumptions: tuple[str, ...],
    method: str,
    statistics: dict[str, Any],
    told: str = "",
) -> Verdict:
    """Whether each net transition, or another copy of it, is `useful`: fires on some way to the final marking."""
    left = all_dead(space.net, (transition for transition in space.net.transitions if transition not in useful))
    statistics = {**statistics, "never_on_a_way_to_the_end": left}
    if not left:
        # Each was seen on a way to the end, so it does not matter what was not searched.
        status, reason = Status.HOLDS, f"Each net transition fires in some run that ends with {shown(final)}."
    elif space.complete:
        status = Status.VIOLATED
        reason = (
            f"No run that ends with {shown(final)} fires {listed(left)}. "
            "There is no trace to show: that would have to be a run."
        )
    else:
        status, reason = Status.UNKNOWN, _unfinished(space, told)
    return Verdict(status, name, reason, None, _bound(space), assumptions, method, statistics)


def _of_diagrams(answers: Answers, final: Marking, kind: Kind, name: str, assumptions: tuple[str, ...]) -> Verdict:
    """The verdict from all reachable markings as a decision diagram."""
    space, statistics = answers.space, answers.statistics
    if kind == "relaxed":
        useful = answers.useful(final)
        return _relaxed(space, useful, final, name, assumptions, answers.method, statistics)
    findings, entries = answers.clauses(final, dead=kind == "classical")
    if entries:
        statistics["dead_transitions"] = entries
    holds = _holds(space, final, kind)
    verdict = _told(name, space, findings, bool(entries), holds, assumptions, answers.method, statistics)
    if kind == "weak":
        del verdict.statistics["clauses"][NO_DEAD]
    return verdict


def _of_reduced(outcome: Outcome, name: str, assumptions: tuple[str, ...], told: str) -> Verdict:
    """The verdict on the original net, from what the search of the reduced one has found."""
    space, statistics = outcome.space, outcome.statistics
    if outcome.dead:
        statistics["dead_transitions"] = outcome.dead
    holds = (
        f"The net reduces to one with {_count(space)}, from each of which its final marking can be reached; nothing "
        "is ever left over, and every net transition can fire. So the net always completes with "
        f"{shown(outcome.final)}."
    )
    unfired = bool(all_dead(outcome.reduction.original, outcome.never_fired))
    return _told(name, space, outcome.findings, unfired, holds, assumptions, outcome.method, statistics, told)


def _told(
    name: str,
    space: StateSpace | SymbolicSpace,
    findings: list[Finding],
    unfired: bool,
    holds: str,
    assumptions: tuple[str, ...],
    method: str,
    statistics: dict[str, Any],
    told: str = "",
) -> Verdict:
    """The verdict on soundness; `unfired` if some net transition was not seen to fire, `told` what else was tried."""
    failed = [finding.clause for finding in findings]
    otherwise = Status.HOLDS if space.complete else Status.UNKNOWN
    clauses = {c: str(Status.VIOLATED if c in failed else otherwise) for c in (COMPLETES, PROPER, NO_DEAD)}
    if not unfired:
        clauses[NO_DEAD] = str(Status.HOLDS)
    if findings:
        clause, reason, witness = findings[0]
        more = f" Violated too: {', '.join(failed[1:])}." if len(failed) > 1 else ""
        status, reason = Status.VIOLATED, f"{_sentence(clause)} fails: {reason}{more}"
    elif space.complete:
        status, witness, reason = Status.HOLDS, None, holds
    else:
        status, witness, reason = Status.UNKNOWN, None, _unfinished(space, told)
    statistics = {**statistics, "clauses": clauses}
    return Verdict(status, name, reason, witness, _bound(space), assumptions, method, statistics)


def _completion(space: StateSpace, final: Marking) -> Finding | None:
    """A marking from which the final one is out of reach: the nearest deadlock, else the nearest at all."""
    goal = space.number_of(final)
    for number in space.deadlock_numbers():
        if number != goal:
            witness = NetWitness.of(space.net, space.path_to(number))
            reason = f"{after(witness)} {stuck_with(space.net, witness.marking, final)}."
            return Finding(COMPLETES, reason, witness)
    if not space.complete:
        return None
    able = space.able_to_reach([] if goal is None else [goal])
    number = able.find(0)
    if number < 0:
        return None
    witness = NetWitness.of(space.net, space.path_to(number))
    loop = listed(_fired_after(space, number))
    return Finding(
        COMPLETES,
        f"{after(witness)}, with {shown(space.marking(number))}, the net goes on for ever (livelock) and "
        f"can never reach {shown(final)}; all that can still fire is {loop}.",
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


def _proper_completion(space: StateSpace, final: Marking) -> Finding | None:
    number = space.first_covering(final.tokens)
    if number is None:
        return None
    witness = NetWitness.of(space.net, space.path_to(number))
    left = [p for p, have, want in zip(space.net.places, space.tokens[number], final.tokens) if have > want]
    reason = f"{after(witness)} the net has completed, but tokens are left over in {listed(left)}."
    return Finding(PROPER, reason, witness)


def _dead(space: StateSpace) -> Finding | None:
    if not space.complete or not all_dead(space.net, space.never_fired):
        return None
    return dead_finding(_dead_entries(space))


def _dead_entries(space: StateSpace) -> list[dict[str, Any]]:
    return dead_list(space.net, all_dead(space.net, space.never_fired), space.bounds)


def _growth(space: StateSpace, watch: GrowthWatch) -> Finding | None:
    if watch.found is None:
        return None
    witness = watch.witness(space)
    return Finding(
        "boundedness",
        f"repeating {listed(witness.repeatable)} puts ever more tokens into {listed(watch.growing(space))}. "
        "A sound net is bounded: if it could complete from the smaller marking, then from the larger one "
        "too, with tokens left over.",
        witness,
    )


class _Looked(NamedTuple):
    """What one way to look for deadlocks has found."""

    space: StateSpace | SymbolicSpace
    witness: NetWitness | None
    method: str
    statistics: dict[str, Any]
    bound: dict[str, Any]
    searched: str

    @property
    def settled(self) -> bool:
        """Whether the question is answered, or the user has ended the search."""
        return self.witness is not None or self.space.finished or self.space.interrupted


def deadlock_free(
    net: PetriNet,
    *,
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    max_memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> Verdict:
    """Whether every reachable marking but the final one enables a net transition.

    The final marking is the net's; without one no deadlock is excepted, whatever the shape of the net. The search
    ends with the first deadlock, whose firing sequence is shortest. A net with more than some hundred markings is
    reduced first, where rules apply, and searched with stubborn sets (`wfsim.verification.nets.stubborn`): nearest
    markings first, and where that would take long, deep first; then the firing sequence is perhaps not shortest,
    and `method` says so. Where that is not enough, decision diagrams find all markings of a 1-safe net at once.
    Limits as in `wfsim.verification.nets.explore.explore`.
    """
    final = net.final_marking
    goal = None if final is None else final.tokens

    def plain(limits: SearchLimits) -> _Looked:
        found: list[int] = []

        def stop(space: StateSpace, number: int) -> str | None:
            if space.is_deadlock(number) and space.tokens[number] != goal:
                found.append(number)
                return "A deadlock was found."
            return None

        space = explore(net, **limits, stop=stop, wake=Wake(deadlock=True))
        witness = NetWitness.of(net, space.path_to(found[0])) if found else None
        return _Looked(space, witness, METHOD, _statistics(space), _bound(space), _count(space))

    def reduced(limits: SearchLimits) -> _Looked:
        one = reduced_deadlock(net, final, **limits)
        return _Looked(one.space, one.witness, one.method, one.statistics, one.bound, one.searched)

    first = direct_markings(net)
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    limits = SearchLimits(max_markings=max_markings, max_seconds=max_seconds, max_memory=max_memory, progress=progress)
    looked, told = plain({**limits, "max_markings": min(first, max_markings)}), ""
    if not looked.settled and looked.space.n_markings == first < max_markings:

        def answer(answers: Answers) -> _Looked:
            stuck = answers.stuck(final)
            witness = answers.trace_to(stuck) if stuck else None
            space = answers.space
            return _Looked(space, witness, answers.method, answers.statistics, _bound(space), _count(space))

        turns = in_turn(net, reduced, lambda one: one.settled, answer, limits, deadline)
        looked, told = turns.answered or turns.found, turns.told
    space, witness = looked.space, looked.witness
    excepted = "no final marking is known, so every deadlock counts"
    if final is not None:
        excepted = f"the final marking {final.to_dict()} may be a deadlock"
    if witness is not None:
        status = Status.VIOLATED
        reason = f"{after(witness)} nothing can fire, with {shown(witness.marking)}."
    elif space.finished:
        status, reason = Status.HOLDS, f"Of {looked.searched}, each enables a net transition or is final."
    else:
        status, reason = Status.UNKNOWN, _unfinished(space, told)
    return Verdict(
        status,
        f"{net.name!r} is free of deadlocks",
        _sentence(reason),
        witness,
        looked.bound,
        (*_assumed(net), excepted),
        looked.method,
        looked.statistics,
    )


def dead_transitions(
    net: PetriNet,
    *,
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    max_memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> Verdict:
    """Whether every net transition can fire in some run; `violated` lists those that cannot, and why.

    The list is `statistics["dead_transitions"]`. There is no witness: nothing leads to a dead transition. The
    search ends as soon as every one has fired. Limits as in `wfsim.verification.nets.explore.explore`.
    """

    def stop(space: StateSpace, number: int) -> str | None:
        return None if space.never_fired else "Every net transition has fired."

    limits = SearchLimits(max_markings=max_markings, max_seconds=max_seconds, max_memory=max_memory, progress=progress)
    space = explore(net, **limits, stop=stop, wake=Wake(first_firing=True))
    statistics = _statistics(space)
    dead = _dead(space)
    if not all_dead(space.net, space.never_fired):
        status, reason = Status.HOLDS, "Each net transition fires in some run."
    elif dead is not None:
        status, reason = Status.VIOLATED, _sentence(dead.reason)
        statistics["dead_transitions"] = _dead_entries(space)
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
    max_memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> Verdict:
    """Whether no place ever holds more than `k` tokens; without `k`, whether there is any such number.

    `violated` carries a shortest firing sequence to a marking beyond `k`, or one whose last part
    (`witness.repeatable`) can be repeated for ever with more tokens each time. That a net with inhibitor or
    reset arcs is unbounded is never proved here; such a search ends `unknown`. That a large net is 1-safe decision
    diagrams may prove; their firing sequence to a second token is told if not shortest. `statistics["bounds"]` holds
    the most tokens seen in each place. Limits as in `wfsim.verification.nets.explore.explore`.
    """
    if k is not None and k < 0:
        raise ValueError(f"k must be at least 0, not {k}.")
    watch, beyond = GrowthWatch(net), list[int]()

    def search(limits: SearchLimits) -> StateSpace:
        nonlocal watch, beyond
        watch, beyond, checked = GrowthWatch(net), [], 0

        def exceeds(space: StateSpace, number: int) -> str | None:
            nonlocal checked
            found = space.first_above(k or 0, checked)
            checked = space.n_markings
            if found is None:
                return None
            beyond.append(found)
            return f"A place holds more than {k}."

        if k is None:
            return explore(net, **limits, stop=watch, wake=watch.wake)
        return explore(net, **limits, stop=exceeds, wake=Wake(above=k))

    def settled(space: StateSpace) -> bool:
        return space.complete or space.interrupted or bool(beyond) or watch.found is not None

    answers, unsafe, told, method = None, None, "", METHOD
    limits = SearchLimits(max_markings=max_markings, max_seconds=max_seconds, max_memory=max_memory, progress=progress)
    if k == 0 or max_markings <= direct_markings(net):
        space = search(limits)
    else:
        deadline = None if max_seconds is None else time.monotonic() + max_seconds
        space, answers, unsafe, told = in_turn(net, search, settled, lambda answers: answers, limits, deadline)
    growth = _growth(space, watch)
    statistics = {**_statistics(space), "bounds": space.bounds}
    bound, witness = _bound(space), None
    if beyond:
        witness = NetWitness.of(net, space.path_to(beyond[0]))
    elif unsafe is not None and k == 1:
        witness = NetWitness.of(net, unsafe.firing_sequence)
        method = f"decision diagrams; trace replayed in the net, {unsafe.length}"
    if witness is not None:
        status, reason = Status.VIOLATED, f"{after(witness)} the net holds {shown(witness.marking)}."
    elif growth is not None:
        witness = growth.witness
        places = listed(watch.growing(space))
        repeated = listed(watch.witness(space).repeatable)
        status, reason = Status.VIOLATED, f"Repeating {repeated} puts ever more tokens into {places}."
    elif answers is not None or space.complete:
        if answers is not None:
            bound, method = _bound(answers.space), answers.method
            statistics = {**answers.statistics, "bounds": answers.space.bounds}
        count, most = _count(answers.space if answers else space), max(statistics["bounds"].values(), default=0)
        status, reason = Status.HOLDS, f"In {count} no place holds more than {most}."
    else:
        status, reason = Status.UNKNOWN, _unfinished(space, told)
        if not growth_is_provable(net):
            reason += " With inhibitor or reset arcs growth on a path proves nothing."
    return Verdict(
        status,
        f"{net.name!r} is {'bounded' if k is None else f'{k}-bounded'}",
        _sentence(reason),
        witness,
        bound,
        _assumed(net),
        method,
        statistics,
    )


def _assumed(net: PetriNet) -> tuple[str, ...]:
    empty = () if net.initial_marking.total else ("no place holds a token at the start, as the net is marked",)
    return (NO_FAIRNESS, *empty)


def _bound(space: StateSpace | SymbolicSpace) -> dict[str, Any]:
    return told_bound(space, METHOD)


def _statistics(space: StateSpace) -> dict[str, Any]:
    return {
        "places": len(space.net.places),
        "transitions": len(space.net.transitions),
        "expanded": space.n_expanded,
        "deadlocks": len(space.deadlock_numbers()),
    }


def _unfinished(space: StateSpace | SymbolicSpace, told: str = "") -> str:
    return advised(space.reason, told)


def _count(space: StateSpace | SymbolicSpace) -> str:
    return f"{space.n_markings:,} reachable marking{'' if space.n_markings == 1 else 's'}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
