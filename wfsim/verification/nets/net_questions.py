"""Questions with a name that every net can be asked, each by the cheapest method that decides it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wfsim.net.firing import Tokens
from wfsim.verification.nets.diagrams.answers import Answers
from wfsim.verification.nets.findings import NO_FAIRNESS, after, dead_finding, dead_list, shown
from wfsim.verification.nets.formulas import Linear, Or
from wfsim.verification.nets.net_search import SEARCH, UNITS_ASSUMED, WALK, Firing, Most, Moved, NetSearch, walk
from wfsim.verification.nets.place_bounds import proved_bounds
from wfsim.verification.nets.reachability import EQUATION, find, of_reduced, search_reduced
from wfsim.verification.nets.reduced import PLAIN, told_method
from wfsim.verification.nets.soundness import bounded, deadlock_free
from wfsim.verification.nets.state_space import StateSpace, Wake, advised
from wfsim.verification.nets.structure.classes import classify
from wfsim.verification.nets.structure.coverability import coverability
from wfsim.verification.nets.structure.farkas import bounding_weights, greatest_sum, refuted
from wfsim.verification.nets.structure.siphons import liveness
from wfsim.verification.nets.unbounded import growth_is_provable
from wfsim.verification.nets.workflow_net import listed
from wfsim.verification.verdict import NetWitness, Status, Verdict

if TYPE_CHECKING:
    from wfsim.verification.nets.diagrams.space import SymbolicSpace

INVARIANTS = "place invariants, with integers"
COMPONENTS = "explicit breadth-first search, then strongly connected components"
MAX_PROOFS = 200
"""Linear programmes solved for one question, before the net is searched instead."""
MAX_NEAREST = 64
"""Net transitions that stop firing for which the nearest marking is sought."""


def no_deadlock(search: NetSearch) -> Verdict:
    """Whether every reachable marking but the final one enables something."""
    net = search.net
    verdict = deadlock_free(net, **search.limits(search.deadline()))
    if verdict.status is Status.UNKNOWN:
        end = None if net.final_marking is None else net.final_marking.tokens
        witness = _walked(search, lambda tokens, firings: not firings and tokens != end)
        if witness is not None:
            reason = f"{_after(witness)} nothing can fire, with {shown(witness.marking)}."
            return replace(verdict, status=Status.VIOLATED, reason=reason, witness=witness, method=WALK)
    return verdict


def _walked(search: NetSearch, ended: Callable[[Tokens, Sequence[Firing]], bool]) -> NetWitness | None:
    """A random way to a marking that ends it."""
    sequence = walk(search, ended)
    return None if sequence is None else NetWitness.of(search.net, sequence)


def bounded_by(search: NetSearch, k: int | None) -> Verdict:
    """Whether no place ever holds more than `k` tokens, or without `k`, whether there is any such number."""
    net = search.net
    name = f"{net.name!r} is {'bounded' if k is None else f'{k}-bounded'}"
    proved = proved_bounds(net)
    if len(proved) == len(net.places) and (k is None or max(proved.values(), default=0) <= k):
        bounds = {net.places[place]: proved[place] for place in sorted(proved)}
        reason = f"By place invariants no place holds more than {_tokens(max(bounds.values(), default=0))}."
        return Verdict(Status.HOLDS, name, reason, None, {}, (NO_FAIRNESS,), INVARIANTS, {"bounds": bounds})
    if k is None:
        weights = bounding_weights(net)
        if weights is not None:
            total = sum(weight * net.initial_marking[place] for place, weight in weights.items())
            bounds = {place: total // weight for place, weight in weights.items()}
            reason = (
                "No firing raises a weighted sum of all tokens, so no place holds more than "
                f"{_tokens(max(bounds.values()))}."
            )
            statistics = {"weights": weights, "bounds": bounds}
            return Verdict(Status.HOLDS, name, reason, None, {}, (NO_FAIRNESS,), EQUATION, statistics)
        return bounded(net, **search.limits(search.deadline()))
    number = search.small.first_above(k)
    if number is None and not search.exhausted:
        left = [place for p, place in enumerate(net.places) if proved.get(p, k + 1) > k]
        if k >= 1 and search.assumed:
            reason = "Each place belongs to a unit, and these are trusted to be safe."
            return Verdict(Status.HOLDS, name, reason, None, {}, (NO_FAIRNESS, UNITS_ASSUMED), "nested units")
        if _all_refuted(search, [Linear(((place, -1),), -k - 1) for place in left]):
            reason = f"No place can hold more than {k}, as the marking equation shows for each of them."
            return Verdict(Status.HOLDS, name, reason, None, {}, (NO_FAIRNESS,), EQUATION)
        since = 0

        def exceeds(space: StateSpace, source: int) -> str | None:
            nonlocal since, number
            number = space.first_above(k, since)
            since = space.n_markings
            return None if number is None else f"A place holds more than {k}."

        space = search.whole(exceeds, Wake(above=k))
        number = space.first_above(k)
        if number is None and not space.complete and k >= 1:
            verdict = _bounded_by_diagrams(search, name, k)
            if verdict is not None:
                return verdict
    else:
        space = search.small
    if number is not None:
        witness = NetWitness.of(net, space.path_to(number))
        reason = f"{_after(witness)} the net holds {shown(witness.marking)}."
        return _verdict(Status.VIOLATED, name, reason, space, witness)
    holds = f"In {_count(space)} no place holds more than {_tokens(max(space.bounds.values(), default=0))}."
    return _complete(name, holds, space, statistics={"bounds": space.bounds})


def _bounded_by_diagrams(search: NetSearch, name: str, k: int) -> Verdict | None:
    """That the net is 1-safe, or by a trace that it is not; None if diagrams tell neither."""
    tried = search.symbolic
    if tried.unsafe is not None and k == 1:
        witness = NetWitness.of(search.net, tried.unsafe.firing_sequence)
        reason = f"{_after(witness)} the net holds {shown(witness.marking)}."
        method = f"decision diagrams; trace replayed in the net, {tried.unsafe.length}"
        return Verdict(Status.VIOLATED, name, reason, witness, {}, (NO_FAIRNESS,), method)
    if tried.space is None:
        return None
    answers = Answers(tried.space, None)
    bounds = tried.space.bounds
    reason = f"In {_count(tried.space)} no place holds more than {_tokens(max(bounds.values(), default=0))}."
    statistics = {**answers.statistics, "bounds": bounds}
    return _verdict(Status.HOLDS, name, reason, tried.space, method=answers.method, statistics=statistics)


def _all_refuted(search: NetSearch, claims: list[Linear]) -> bool:
    return len(claims) <= MAX_PROOFS and all(refuted(search.net, [claim]) is not None for claim in claims)


def quasi_live(search: NetSearch) -> Verdict:
    """Whether each net transition can fire in some run; each counts for itself, whatever it stands for."""
    net = search.net
    name = f"each transition of {net.name!r} can fire"
    space = search.small
    if space.never_fired and not search.exhausted:
        for transition in space.never_fired[:MAX_PROOFS]:
            proof = _never_enabled(search, transition)
            if proof is not None:
                entries = dead_list(net, [transition], None)
                reason = f"No run fires {transition!r}: {proof}."
                statistics = {"dead_transitions": entries}
                return Verdict(Status.VIOLATED, name, reason, None, {}, (NO_FAIRNESS,), EQUATION, statistics)
        space = search.whole(
            lambda space, number: None if space.never_fired else "Every net transition has fired.",
            Wake(first_firing=True),
        )
    if not space.never_fired:
        return _verdict(Status.HOLDS, name, "Each net transition fires in some run.", space)
    if not space.complete:
        left = {net.transition_index(transition) for transition in space.never_fired}

        def all_fired(tokens: Tokens, firings: Sequence[Firing]) -> bool:
            left.difference_update(t for t, _ in firings)
            return not left

        if walk(search, all_fired) is not None:
            reason = "Each net transition fires in some run; the last of them were met on random walks."
            return _verdict(Status.HOLDS, name, reason, space, method=f"{SEARCH}, then random walks")
        names = [net.transitions[t] for t in sorted(left)]
        return _unfinished(name, space, f" Not fired so far: {listed(names)}.")
    entries = dead_list(net, space.never_fired, space.bounds)
    reason = dead_finding(entries).reason
    return _verdict(
        Status.VIOLATED, name, reason[:1].upper() + reason[1:], space, statistics={"dead_transitions": entries}
    )


def _never_enabled(search: NetSearch, transition: str) -> str | None:
    """Why the marking equation rules it out that a net transition ever fires."""
    rule = search.net.rules[search.net.transition_index(transition)]
    wants = [Linear(((search.net.places[p], -1),), -weight) for p, weight in rule.needs]
    wants += [Linear(((search.net.places[p], 1),), weight - 1) for p, weight in rule.forbids]
    proof = refuted(search.net, wants)
    return None if proof is None else str(proof)


def live(search: NetSearch) -> Verdict:
    """Whether from every reachable marking every net transition can fire again some day."""
    net = search.net
    name = f"{net.name!r} is live"
    space = search.small
    if net.transitions and not space.deadlock_numbers() and not search.exhausted:
        if classify(net).extended_free_choice:
            verdict = liveness(net, max_memory=search.max_memory)
            if verdict.status is not Status.UNKNOWN:
                return replace(verdict, property=name)
        for transition in space.never_fired[:MAX_PROOFS]:
            proof = _never_enabled(search, transition)
            if proof is not None:
                reason = f"At the start already {transition!r} can never fire: {proof}."
                return Verdict(Status.VIOLATED, name, reason, NetWitness.of(net, ()), {}, (NO_FAIRNESS,), EQUATION)
        space = search.whole(_until_deadlock, Wake(deadlock=True))
    stuck = space.deadlock_numbers()
    if stuck and net.transitions:
        witness = NetWitness.of(net, space.path_to(stuck[0]))
        return _verdict(Status.VIOLATED, name, _stuck(witness), space, witness)
    if not space.complete:
        walked = _walked(search, lambda tokens, firings: not firings)
        if walked is not None:
            return _verdict(Status.VIOLATED, name, _stuck(walked), space, walked, method=WALK)
        return _unfinished(name, space)
    lost = _lost_transitions(space)
    if not lost:
        holds = f"From each of {_count(space)} every net transition can fire again."
        return _verdict(Status.HOLDS, name, holds, space, method=COMPONENTS)
    number, dead = _nearest_without(space, lost[:MAX_NEAREST])
    witness = NetWitness.of(net, space.path_to(number))
    reason = f"{_after(witness)}, with {shown(witness.marking)}, {net.transitions[dead]!r} can never fire again."
    method = COMPONENTS + ("" if len(lost) <= MAX_NEAREST else "; perhaps not the nearest marking")
    statistics = {"not_live": [net.transitions[t] for t in lost]}
    return _verdict(Status.VIOLATED, name, reason, space, witness, method=method, statistics=statistics)


def _stuck(witness: NetWitness) -> str:
    return f"{_after(witness)}, with {shown(witness.marking)}, nothing can fire any more."


def _until_deadlock(space: StateSpace, number: int) -> str | None:
    return "A deadlock was found." if space.is_deadlock(number) else None


def _lost_transitions(space: StateSpace) -> list[int]:
    """Net transitions that some strongly connected component which nothing leaves does not fire, by index."""
    import numpy as np
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    edges, n = space.edge_arrays(), space.n_markings
    graph = csr_matrix((np.ones(len(edges.target), np.int8), edges.target, edges.start), shape=(n, n))
    _, component = connected_components(graph, connection="strong")
    source = np.repeat(component, np.diff(edges.start))
    leaves = np.zeros(int(component.max()) + 1, np.bool_)
    leaves[source[source != component[edges.target]]] = True
    inside = ~leaves[source]
    n_transitions = len(space.net.transitions)
    fired = np.unique(source[inside].astype(np.int64) * n_transitions + edges.transition[inside])
    counts = np.bincount(fired % n_transitions, minlength=n_transitions) if n_transitions else np.zeros(0, int)
    return [int(t) for t in np.flatnonzero(counts < int((~leaves).sum()))]


def _nearest_without(space: StateSpace, transitions: list[int]) -> tuple[int, int]:
    """The nearest marking from which one of these can never fire again, and which; there is one for each."""
    import numpy as np

    from wfsim.verification.nets.ctl import Labelling

    labels, edges = Labelling(space), space.edge_arrays()
    nearest = (space.n_markings, -1)
    for transition in transitions:
        enabled = np.zeros(space.n_markings, np.bool_)
        enabled[np.repeat(np.arange(space.n_markings), np.diff(edges.start))[edges.transition == transition]] = True
        nearest = min(nearest, (int(labels.leads_to(enabled).argmin()), transition))
    return nearest


def reversible(search: NetSearch) -> Verdict:
    """Whether the initial marking can be reached again from every reachable one."""
    net = search.net
    name = f"{net.name!r} can always return to its initial marking"
    space = search.small
    if not search.exhausted and not space.deadlock_numbers():
        space = search.whole(_until_deadlock, Wake(deadlock=True))
    stuck = [number for number in space.deadlock_numbers() if number]
    if not stuck and not space.complete:
        walked = _walked(search, lambda tokens, firings: not firings and tokens != net.initial_marking.tokens)
        if walked is not None:
            return _verdict(Status.VIOLATED, name, _stuck(walked), space, walked, method=WALK)
        return _unfinished(name, space)
    number = stuck[0] if stuck else space.able_to_reach([0]).find(0)
    if number < 0:
        return _verdict(Status.HOLDS, name, f"From each of {_count(space)} the initial one can be reached.", space)
    witness = NetWitness.of(net, space.path_to(number))
    told = "nothing can fire any more" if stuck else "there is no way back to the initial marking"
    return _verdict(Status.VIOLATED, name, f"{_after(witness)}, with {shown(witness.marking)}, {told}.", space, witness)


def stable(search: NetSearch) -> Verdict:
    """Whether some place holds the same number of tokens in every reachable marking."""
    net = search.net
    name = f"{net.name!r} has a place whose tokens never change"
    touched = {p for rule in net.rules for p in (*(place for place, _ in rule.changes), *rule.empties)}
    fixed = [place for p, place in enumerate(net.places) if p not in touched]
    if fixed:
        reason = f"No net transition changes the tokens of {listed(fixed)}."
        statistics = {"stable_places": fixed}
        return Verdict(Status.HOLDS, name, reason, None, {}, (NO_FAIRNESS,), "structure of the net", statistics)
    moved = Moved(net, range(len(net.places)))
    moved.look(search.small)
    space = search.small
    if moved.still and not search.exhausted:
        for p in moved.still[:MAX_PROOFS]:
            place, held = net.places[p], net.initial_marking.tokens[p]
            below, above = Linear(((place, 1),), held - 1), Linear(((place, -1),), -held - 1)
            if _all_refuted(search, [below, above]):
                reason = f"{place!r} holds {held} in every reachable marking, as the marking equation shows."
                statistics = {"stable_places": [place]}
                return Verdict(Status.HOLDS, name, reason, None, {}, (NO_FAIRNESS,), EQUATION, statistics)
        moved = Moved(net, moved.still)
        space = search.whole(moved)
        moved.look(space)
    method = SEARCH
    if moved.still and not space.complete:

        def all_moved(tokens: Tokens, firings: Sequence[Firing]) -> bool:
            moved.still = [p for p in moved.still if tokens[p] == net.initial_marking.tokens[p]]
            return not moved.still

        walk(search, all_moved)
        method = f"{SEARCH}, then random walks"
    still = [net.places[p] for p in moved.still]
    if not still:
        reason = "The tokens of every place change in some run. There is no one trace to show."
        return _verdict(Status.VIOLATED, name, reason, space, method=method)
    verb = "holds" if len(still) == 1 else "hold"
    holds = f"In {_count(space)} {listed(still)} always {verb} the same number of tokens."
    return _complete(name, holds, space, statistics={"stable_places": still} if space.complete else {})


def unit_safe(search: NetSearch) -> Verdict:
    """Whether the nested units hold at most one token each, those inside them included, as NUPN means it."""
    net = search.net
    name = f"{net.name!r} is unit-safe"
    if net.units is None:
        reason = "The net has no nested units. They are read from PNML with a NUPN part."
        return Verdict(Status.ERROR, name, reason)
    claims = [Linear(tuple((place, -1) for place in places), -2) for places in net.units.exclusive()]
    if _all_refuted(search, claims):
        reason = f"By the marking equation none of {len(claims)} units can hold two tokens, with those around it."
        return Verdict(Status.HOLDS, name, reason, None, {}, (NO_FAIRNESS,), EQUATION)
    plainly = NetSearch(net, **search.limits(search.deadline())) if search.assumed else search
    answer = find(plainly, Or(tuple(claims)))
    reason = answer.reason
    if answer.witness is not None:
        here = answer.witness.marking
        held = next(places for places in net.units.exclusive() if sum(here[place] for place in places) > 1)
        marked = [place for place in held if here[place]]
        reason = f"{_after(answer.witness)} {listed(marked)} hold tokens in one unit, or one inside the other."
        if len(marked) == 1:
            reason = f"{_after(answer.witness)} {marked[0]!r} holds {here[marked[0]]} tokens."
    status = {True: Status.VIOLATED, False: Status.HOLDS, None: Status.UNKNOWN}[answer.found]
    return Verdict(
        status, name, reason, answer.witness, answer.bound, answer.assumptions, answer.method, answer.statistics
    )


def upper_bound(search: NetSearch, places: tuple[str, ...]) -> Verdict:
    """How many tokens these places hold together at most.

    Returns
    -------
    Verdict
        `holds` if the number is known, as `statistics["upper_bound"]`: it is attained, as the witness shows, and no
        marking has more, as place weights prove (`method` says so) or a complete search. `violated` if there is no such
        number. Else `unknown`, with what is known as `statistics["at_least"]` and `["at_most"]` (None for nothing).
    """
    net = search.net
    asked = tuple(dict.fromkeys(places))
    name = f"upper bound of the tokens in {listed(asked)} of {net.name!r}"
    near = Most(net, asked, None)
    near.look(search.small)
    space, witness, most = search.small, NetWitness.of(net, search.small.path_to(near.number)), near.most
    method = SEARCH
    assumptions: tuple[str, ...] = (NO_FAIRNESS,)
    limit: int | None = None
    if not space.complete:
        limit = greatest_sum(net, asked)
        trusted = greatest_sum(net, asked, search.assumed) if search.assumed else None
        if trusted is not None and (limit is None or trusted < limit):
            limit, assumptions = trusted, (NO_FAIRNESS, UNITS_ASSUMED)
        if limit is None and growth_is_provable(net):
            pump = next((each for each in coverability(net).pumps if each.place in asked), None)
            if pump is not None:
                reason = f"{pump.place!r} grows without bound: {listed(pump.loop)} puts ever more tokens there."
                method = "coverability tree (Karp, Miller)"
                return Verdict(Status.VIOLATED, name, reason, pump.witness, {}, assumptions, method)
    if not space.complete and most != limit and not search.exhausted:
        reduced = search_reduced(search, asked, lambda small: Most(small, asked, limit))
        if reduced is None:
            looking = Most(net, asked, limit)
            space = search.whole(looking)
            looking.look(space)
            witness = NetWitness.of(net, space.path_to(looking.number))
        else:
            reduction, space, looking = reduced
            attained = Linear(tuple((place, -1) for place in asked), -looking.most)
            witness = of_reduced(net, reduction, space, looking.number, attained)
            method = told_method(reduction, PLAIN, shortest=False)
        most = looking.most
    held = f"holds {_tokens(most)}" if len(asked) == 1 else f"hold {_tokens(most)} together"
    told = f"{_after(witness)} {listed(asked)} {held}"
    if space.complete:
        reason = f"{told}; none of {_count(space)} has more."
    elif most == limit:
        reason = f"{told}, and more is out of reach, as the marking equation shows."
        method = f"{EQUATION}; {method} for a marking that attains it"
    else:
        statistics = {"at_least": most, "at_most": limit}
        more = "nothing is known to limit it" if limit is None else f"no marking has more than {limit}"
        verdict = _unfinished(name, space, f" {told}; {more}.")
        return replace(verdict, witness=witness, assumptions=assumptions, statistics=statistics)
    return replace(
        _verdict(Status.HOLDS, name, reason, space, witness, method=method, statistics={"upper_bound": most}),
        assumptions=assumptions,
    )


# --- verdicts -------------------------------------------------------------------------------------------------


def _verdict(
    status: Status,
    name: str,
    reason: str,
    space: StateSpace | SymbolicSpace,
    witness: NetWitness | None = None,
    *,
    method: str = SEARCH,
    statistics: dict[str, Any] | None = None,
) -> Verdict:
    bound: dict[str, Any] = {"markings": space.n_markings, "edges": space.n_edges, "complete": space.complete}
    if not space.complete:
        bound["stopped"] = space.reason
    return Verdict(status, name, reason, witness, bound, (NO_FAIRNESS,), method, statistics or {})


def _complete(name: str, holds: str, space: StateSpace, statistics: dict[str, Any]) -> Verdict:
    """`holds` if the space is complete, else unknown."""
    if space.complete:
        return _verdict(Status.HOLDS, name, holds, space, statistics=statistics)
    return _unfinished(name, space)


def _unfinished(name: str, space: StateSpace, more: str = "") -> Verdict:
    reason = f"{advised(space.reason)}{more}"
    return _verdict(Status.UNKNOWN, name, reason, space)


def _tokens(n: int) -> str:
    return f"{n:,} token{'' if n == 1 else 's'}"


def _after(witness: NetWitness) -> str:
    told = after(witness)
    return told[:1].upper() + told[1:]


def _count(space: StateSpace | SymbolicSpace) -> str:
    return f"{space.n_markings:,} reachable marking{'' if space.n_markings == 1 else 's'}"


QUESTIONS: dict[str, Callable[[NetSearch], Verdict]] = {
    "no_deadlock": no_deadlock,
    "bounded": lambda search: bounded_by(search, None),
    "one_safe": lambda search: bounded_by(search, 1),
    "quasi_live": quasi_live,
    "live": live,
    "reversible": reversible,
    "stable": stable,
    "unit_safe": unit_safe,
}
"""What every net can be asked, by name."""
