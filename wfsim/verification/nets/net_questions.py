"""Questions with a name that every net can be asked, each by the cheapest method that decides it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wfsim.net.firing import Tokens
from wfsim.verification.nets.answer import SEARCH, advised, by_search, proved
from wfsim.verification.nets.findings import (
    NO_FAIRNESS,
    dead_finding,
    dead_list,
    growth_finding,
    markings,
    reached,
    sentence,
    shown,
    tokens,
)
from wfsim.verification.nets.formulas import Linear, Or
from wfsim.verification.nets.limits import Limits
from wfsim.verification.nets.looks import Most, Moved
from wfsim.verification.nets.net_search import UNITS_ASSUMED, WALK, Firing, NetSearch
from wfsim.verification.nets.place_bounds import proved_bounds
from wfsim.verification.nets.reachability import EQUATION, find, find_deadlock, of_reduced, search_reduced
from wfsim.verification.nets.reduced import told_method
from wfsim.verification.nets.sources import METHOD as NEEDS_NOTHING
from wfsim.verification.nets.sources import MOST_SHOWN, filled, free_transitions
from wfsim.verification.nets.state_space import StateSpace, Wake
from wfsim.verification.nets.structure.classes import classify
from wfsim.verification.nets.structure.coverability import coverability
from wfsim.verification.nets.structure.farkas import bounding_weights, greatest_sum, refuted
from wfsim.verification.nets.structure.siphons import liveness
from wfsim.verification.nets.unbounded import GrowthWatch, growth_is_provable
from wfsim.verification.nets.workflow_net import listed
from wfsim.verification.verdict import NetWitness, Status, Verdict

if TYPE_CHECKING:
    from wfsim.verification.nets.diagrams.answers import Answers
    from wfsim.verification.nets.diagrams.space import SymbolicSpace

INVARIANTS = "place invariants, with integers"
COMPONENTS = "explicit breadth-first search, then strongly connected components"
MAX_PROOFS = 200
"""Linear programmes solved for one question, before the net is searched instead."""
MAX_NEAREST = 64
"""Net transitions that stop firing for which the nearest marking is sought."""


def no_deadlock(search: NetSearch, name: str) -> Verdict:
    """Whether every reachable marking but the final one enables something."""
    net, final = search.net, search.net.final_marking
    excepted = "no final marking is known, so every deadlock counts"
    if final is not None:
        excepted = f"the final marking {final.to_dict()} may be a deadlock"
    free = free_transitions(net)
    if free:
        reason = f"{net.transitions[free[0]]!r} needs nothing, so it can always fire."
        return proved(Status.HOLDS, name, reason, NEEDS_NOTHING, assumed=(excepted,))
    answer = find_deadlock(search, final)
    reason = answer.reason
    if answer.witness is not None:
        reason = f"{reached(answer.witness)} nothing can fire, with {shown(answer.witness.marking)}."
    elif answer.found is False:
        reason = f"No deadlock can be reached. {reason}"
    return replace(answer.negated().verdict(name, reason), assumptions=(NO_FAIRNESS, excepted))


def bounded(search: NetSearch, name: str) -> Verdict:
    """Whether there is a number of tokens that no place ever exceeds.

    A firing sequence of which the last part (`witness.repeatable`) adds tokens each time it is repeated refutes it;
    that a net with inhibitor or reset arcs is unbounded is hardly ever proved.
    """
    net, limits = search.net, search.limits
    bounds = proved_bounds(net, limits=limits)
    if len(bounds) == len(net.places):
        return _bounded_by_weights(net.places, bounds, name)
    pumped = filled(net)
    if pumped:
        place, t = min(pumped.items())
        witness = NetWitness.of(net, [net.transitions[t]], [net.transitions[t]])
        reason = f"{net.transitions[t]!r} needs nothing, and each firing puts more tokens into {net.places[place]!r}."
        return proved(Status.VIOLATED, name, reason, NEEDS_NOTHING, witness=witness)
    weights = bounding_weights(net, limits)
    if weights is not None:
        total = sum(weight * net.initial_marking[place] for place, weight in weights.items())
        most = {place: total // weight for place, weight in weights.items()}
        reason = (
            f"No firing raises a weighted sum of all tokens, so no place holds more than {tokens(max(most.values()))}."
        )
        return proved(Status.HOLDS, name, reason, EQUATION, statistics={"weights": weights, "bounds": most})
    watch = GrowthWatch(net)

    def grown(limits: Limits) -> StateSpace:
        nonlocal watch
        watch = GrowthWatch(net, limits)
        return search.whole(watch, watch.wake, limits)

    both = search.settle(
        grown, lambda space: space.complete or space.interrupted or watch.found is not None, lambda answers: answers
    )
    space = both.found
    if watch.found is not None:
        _, reason, pump = growth_finding(watch.witness(space))
        return by_search(
            space, Status.VIOLATED, name, f"{sentence(reason)}.", pump, statistics={"bounds": space.bounds}
        )
    if both.answered is not None:
        return _of_diagrams(both.answered, name)
    more = both.told
    if not growth_is_provable(net):
        more += " With inhibitor or reset arcs growth on a path proves nothing."
    return _complete(name, _never_more(space), space, {"bounds": space.bounds}, more)


def bounded_by(search: NetSearch, name: str, k: int) -> Verdict:
    """Whether no place ever holds more than `k` tokens."""
    net, limits = search.net, search.limits
    bounds = proved_bounds(net, limits=limits)
    if len(bounds) == len(net.places) and max(bounds.values(), default=0) <= k:
        return _bounded_by_weights(net.places, bounds, name)
    number = search.small.first_above(k)
    if number is not None or search.exhausted:
        return _above(search.small, number, name)
    here = net.initial_marking.tokens
    pumped = [((k - here[p]) // dict(net.rules[t].changes)[p] + 1, p, t) for p, t in filled(net).items()]
    if pumped:
        times, place, t = min(pumped)
        reason = (
            f"{net.transitions[t]!r} needs nothing; after {times:,} firings {net.places[place]!r} holds more than {k}."
        )
        witness = NetWitness.of(net, [net.transitions[t]] * times) if times <= MOST_SHOWN else None
        return proved(Status.VIOLATED, name, reason, f"{NEEDS_NOTHING}; trace perhaps not shortest", witness=witness)
    if k >= 1 and search.assumed:
        reason = "Each place belongs to a unit, and these are trusted to be safe."
        return proved(Status.HOLDS, name, reason, "nested units", assumed=(UNITS_ASSUMED,))
    left = [place for p, place in enumerate(net.places) if bounds.get(p, k + 1) > k]
    if _all_refuted(search, [Linear(((place, -1),), -k - 1) for place in left]):
        reason = f"No place can hold more than {k}, as the marking equation shows for each of them."
        return proved(Status.HOLDS, name, reason, EQUATION)

    def exceeding(limits: Limits) -> StateSpace:
        nonlocal number
        since, number = 0, None

        def exceeds(space: StateSpace, source: int) -> str | None:
            nonlocal since, number
            number = space.first_above(k, since)
            since = space.n_markings
            return None if number is None else f"A place holds more than {k}."

        space = search.whole(exceeds, Wake(above=k), limits)
        number = space.first_above(k)
        return space

    def settled(space: StateSpace) -> bool:
        return space.complete or space.interrupted or number is not None

    if k == 0:
        return _above(exceeding(limits), number, name)
    both = search.settle(exceeding, settled, lambda answers: answers)
    if number is None and both.unsafe is not None and k == 1:
        witness = NetWitness.of(net, both.unsafe.firing_sequence)
        reason = f"{reached(witness)} the net holds {shown(witness.marking)}."
        method = f"decision diagrams; trace replayed in the net, {both.unsafe.length}"
        return proved(Status.VIOLATED, name, reason, method, witness=witness)
    return _above(both.found, number, name, both.told) if both.answered is None else _of_diagrams(both.answered, name)


def _bounded_by_weights(places: Sequence[str], bounds: dict[int, int], name: str) -> Verdict:
    named = {places[place]: bounds[place] for place in sorted(bounds)}
    reason = f"By place invariants no place holds more than {tokens(max(named.values(), default=0))}."
    return proved(Status.HOLDS, name, reason, INVARIANTS, statistics={"bounds": named})


def _above(space: StateSpace, number: int | None, name: str, more: str = "") -> Verdict:
    if number is None:
        return _complete(name, _never_more(space), space, {"bounds": space.bounds}, more)
    witness = NetWitness.of(space.net, space.path_to(number))
    reason = f"{reached(witness)} the net holds {shown(witness.marking)}."
    return by_search(space, Status.VIOLATED, name, reason, witness, statistics={"bounds": space.bounds})


def _of_diagrams(answers: Answers, name: str) -> Verdict:
    """That the net is 1-safe, and how far its places are filled."""
    statistics = {**answers.statistics, "bounds": answers.space.bounds}
    reason = _never_more(answers.space)
    return by_search(answers.space, Status.HOLDS, name, reason, method=answers.method, statistics=statistics)


def _never_more(space: StateSpace | SymbolicSpace) -> str:
    return f"In {markings(space)} no place holds more than {tokens(max(space.bounds.values(), default=0))}."


def _all_refuted(search: NetSearch, claims: list[Linear]) -> bool:
    return len(claims) <= MAX_PROOFS and all(
        refuted(search.net, [claim], search.limits) is not None for claim in claims
    )


def quasi_live(search: NetSearch, name: str) -> Verdict:
    """Whether each net transition can fire in some run; each counts for itself, whatever it stands for."""
    net = search.net
    space = search.small
    if space.never_fired and not search.exhausted:
        for transition in space.never_fired[:MAX_PROOFS]:
            proof = _never_enabled(search, transition)
            if proof is not None:
                entries = dead_list(net, [transition], None)
                reason = f"No run fires {transition!r}: {proof}."
                statistics = {"dead_transitions": entries}
                return proved(Status.VIOLATED, name, reason, EQUATION, statistics=statistics)
        space = search.whole(
            lambda space, number: None if space.never_fired else "Every net transition has fired.",
            Wake(first_firing=True),
        )
    if not space.never_fired:
        return by_search(space, Status.HOLDS, name, "Each net transition fires in some run.")
    if not space.complete:
        left = {net.transition_index(transition) for transition in space.never_fired}

        def all_fired(tokens: Tokens, firings: Sequence[Firing]) -> bool:
            left.difference_update(t for t, _ in firings)
            return not left

        if search.walk(all_fired) is not None:
            reason = "Each net transition fires in some run; the last of them were met on random walks."
            return by_search(space, Status.HOLDS, name, reason, method=f"{SEARCH}, then random walks")
        names = [net.transitions[t] for t in sorted(left)]
        return _unfinished(name, space, f" Not fired so far: {listed(names)}.")
    entries = dead_list(net, space.never_fired, space.bounds)
    reason = dead_finding(entries).reason
    return by_search(space, Status.VIOLATED, name, sentence(reason), statistics={"dead_transitions": entries})


def _never_enabled(search: NetSearch, transition: str) -> str | None:
    """Why the marking equation rules it out that a net transition ever fires."""
    rule = search.net.rules[search.net.transition_index(transition)]
    wants = [Linear(((search.net.places[p], -1),), -weight) for p, weight in rule.needs]
    wants += [Linear(((search.net.places[p], 1),), weight - 1) for p, weight in rule.forbids]
    proof = refuted(search.net, wants, search.limits)
    return None if proof is None else str(proof)


def _walked(search: NetSearch, ended: Callable[[Tokens, Sequence[Firing]], bool]) -> NetWitness | None:
    """A random way to a marking that ends it."""
    sequence = search.walk(ended)
    return None if sequence is None else NetWitness.of(search.net, sequence)


def live(search: NetSearch, name: str) -> Verdict:
    """Whether from every reachable marking every net transition can fire again some day."""
    net = search.net
    space = search.small
    if net.transitions and not space.deadlock_numbers() and not search.exhausted:
        search.limits.check("the nearest markings were looked at")
        if classify(net).extended_free_choice:
            verdict = liveness(net, limits=search.limits.fewer(10_000))
            if verdict.status is not Status.UNKNOWN:
                return replace(verdict, property=name)
        for transition in space.never_fired[:MAX_PROOFS]:
            proof = _never_enabled(search, transition)
            if proof is not None:
                reason = f"At the start already {transition!r} can never fire: {proof}."
                return proved(Status.VIOLATED, name, reason, EQUATION, witness=NetWitness.of(net, ()))
        space = search.whole(_until_deadlock, Wake(deadlock=True))
    stuck = space.deadlock_numbers()
    if stuck and net.transitions:
        witness = NetWitness.of(net, space.path_to(stuck[0]))
        return by_search(space, Status.VIOLATED, name, _stuck(witness), witness)
    if not space.complete:
        walked = _walked(search, lambda tokens, firings: not firings)
        if walked is not None:
            return by_search(space, Status.VIOLATED, name, _stuck(walked), walked, method=WALK)
        return _unfinished(name, space)
    lost = _lost_transitions(space)
    if not lost:
        holds = f"From each of {markings(space)} every net transition can fire again."
        return by_search(space, Status.HOLDS, name, holds, method=COMPONENTS)
    number, dead = _nearest_without(space, lost[:MAX_NEAREST], search.limits)
    witness = NetWitness.of(net, space.path_to(number))
    reason = f"{reached(witness)}, with {shown(witness.marking)}, {net.transitions[dead]!r} can never fire again."
    method = COMPONENTS + ("" if len(lost) <= MAX_NEAREST else "; perhaps not the nearest marking")
    statistics = {"not_live": [net.transitions[t] for t in lost]}
    return by_search(space, Status.VIOLATED, name, reason, witness, method=method, statistics=statistics)


def _stuck(witness: NetWitness) -> str:
    return f"{reached(witness)}, with {shown(witness.marking)}, nothing can fire any more."


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


def _nearest_without(space: StateSpace, transitions: list[int], limits: Limits) -> tuple[int, int]:
    """The nearest marking from which one of these can never fire again, and which; there is one for each."""
    import numpy as np

    from wfsim.verification.nets.ctl import Labelling

    labels, edges = Labelling(space, limits), space.edge_arrays()
    nearest = (space.n_markings, -1)
    for transition in transitions:
        limits.check("the nearest marking was sought from which a transition cannot fire again")
        enabled = np.zeros(space.n_markings, np.bool_)
        enabled[np.repeat(np.arange(space.n_markings), np.diff(edges.start))[edges.transition == transition]] = True
        nearest = min(nearest, (int(labels.leads_to(enabled).argmin()), transition))
    return nearest


def reversible(search: NetSearch, name: str) -> Verdict:
    """Whether the initial marking can be reached again from every reachable one."""
    net = search.net
    space = search.small
    if not search.exhausted and not space.deadlock_numbers():
        space = search.whole(_until_deadlock, Wake(deadlock=True))
    stuck = [number for number in space.deadlock_numbers() if number]
    if not stuck and not space.complete:
        walked = _walked(search, lambda tokens, firings: not firings and tokens != net.initial_marking.tokens)
        if walked is not None:
            return by_search(space, Status.VIOLATED, name, _stuck(walked), walked, method=WALK)
        return _unfinished(name, space)
    number = stuck[0] if stuck else space.able_to_reach([0]).find(0)
    if number < 0:
        return by_search(space, Status.HOLDS, name, f"From each of {markings(space)} the initial one can be reached.")
    witness = NetWitness.of(net, space.path_to(number))
    told = "nothing can fire any more" if stuck else "there is no way back to the initial marking"
    return by_search(
        space, Status.VIOLATED, name, f"{reached(witness)}, with {shown(witness.marking)}, {told}.", witness
    )


def stable(search: NetSearch, name: str) -> Verdict:
    """Whether some place holds the same number of tokens in every reachable marking."""
    net = search.net
    touched = {p for rule in net.rules for p in (*(place for place, _ in rule.changes), *rule.empties)}
    fixed = [place for p, place in enumerate(net.places) if p not in touched]
    if fixed:
        reason = f"No net transition changes the tokens of {listed(fixed)}."
        statistics = {"stable_places": fixed}
        return proved(Status.HOLDS, name, reason, "structure of the net", statistics=statistics)
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
                return proved(Status.HOLDS, name, reason, EQUATION, statistics=statistics)
        moved = Moved(net, moved.still)
        space = search.whole(moved)
        moved.look(space)
    method = SEARCH
    if moved.still and not space.complete:

        def all_moved(tokens: Tokens, firings: Sequence[Firing]) -> bool:
            moved.still = [p for p in moved.still if tokens[p] == net.initial_marking.tokens[p]]
            return not moved.still

        search.walk(all_moved)
        method = f"{SEARCH}, then random walks"
    still = [net.places[p] for p in moved.still]
    if not still:
        reason = "The tokens of every place change in some run. There is no one trace to show."
        return by_search(space, Status.VIOLATED, name, reason, method=method)
    verb = "holds" if len(still) == 1 else "hold"
    holds = f"In {markings(space)} {listed(still)} always {verb} the same number of tokens."
    return _complete(name, holds, space, statistics={"stable_places": still} if space.complete else {})


def unit_safe(search: NetSearch, name: str) -> Verdict:
    """Whether the nested units hold at most one token each, those inside them included, as NUPN means it."""
    net = search.net
    if net.units is None:
        reason = "The net has no nested units. They are read from PNML with a NUPN part."
        return Verdict(Status.ERROR, name, reason)
    claims = [Linear(tuple((place, -1) for place in places), -2) for places in net.units.exclusive()]
    if _all_refuted(search, claims):
        reason = f"By the marking equation none of {len(claims)} units can hold two tokens, with those around it."
        return proved(Status.HOLDS, name, reason, EQUATION)
    plainly = NetSearch(net, search.limits) if search.assumed else search
    answer = find(plainly, Or(tuple(claims)))
    reason = answer.reason
    if answer.witness is not None:
        here = answer.witness.marking
        held = next(places for places in net.units.exclusive() if sum(here[place] for place in places) > 1)
        marked = [place for place in held if here[place]]
        reason = f"{reached(answer.witness)} {listed(marked)} hold tokens in one unit, or one inside the other."
        if len(marked) == 1:
            reason = f"{reached(answer.witness)} {marked[0]!r} holds {here[marked[0]]} tokens."
    return answer.negated().verdict(name, reason)


def upper_bound(search: NetSearch, name: str, places: tuple[str, ...]) -> Verdict:
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
    near = Most(net, asked, None)
    near.look(search.small)
    space, witness, most = search.small, NetWitness.of(net, search.small.path_to(near.number)), near.most
    method = SEARCH
    assumptions: tuple[str, ...] = (NO_FAIRNESS,)
    limit: int | None = None
    if not space.complete:
        limit = greatest_sum(net, asked, limits=search.limits)
        trusted = greatest_sum(net, asked, search.assumed, search.limits) if search.assumed else None
        if trusted is not None and (limit is None or trusted < limit):
            limit, assumptions = trusted, (NO_FAIRNESS, UNITS_ASSUMED)
        if limit is None and growth_is_provable(net):
            pump = next((each for each in coverability(net, limits=search.limits).pumps if each.place in asked), None)
            if pump is not None:
                reason = f"{pump.place!r} grows without bound: {listed(pump.loop)} puts ever more tokens there."
                method = "coverability tree (Karp, Miller)"
                return Verdict(Status.VIOLATED, name, reason, pump.witness, {}, assumptions, method)
    if not space.complete and most != limit and not search.exhausted:
        reduced = search_reduced(search, asked, lambda small: Most(small, asked, limit), search.limits)
        if reduced is None:
            looking = Most(net, asked, limit)
            space = search.whole(looking)
            looking.look(space)
            witness = NetWitness.of(net, space.path_to(looking.number))
        else:
            reduction, space, looking = reduced
            attained = Linear(tuple((place, -1) for place in asked), -looking.most)
            witness = of_reduced(reduction, space, looking.number, attained)
            method = told_method(reduction, SEARCH, shortest=False)
        most = looking.most
    held = f"holds {tokens(most)}" if len(asked) == 1 else f"hold {tokens(most)} together"
    told = f"{reached(witness)} {listed(asked)} {held}"
    if space.complete:
        reason = f"{told}; none of {markings(space)} has more."
    elif most == limit:
        reason = f"{told}, and more is out of reach, as the marking equation shows."
        method = f"{EQUATION}; {method} for a marking that attains it"
    else:
        statistics = {"at_least": most, "at_most": limit}
        more = "nothing is known to limit it" if limit is None else f"no marking has more than {limit}"
        verdict = _unfinished(name, space, f" {told}; {more}.")
        return replace(verdict, witness=witness, assumptions=assumptions, statistics=statistics)
    return replace(
        by_search(space, Status.HOLDS, name, reason, witness, method=method, statistics={"upper_bound": most}),
        assumptions=assumptions,
    )


# --- verdicts -------------------------------------------------------------------------------------------------


def _complete(name: str, holds: str, space: StateSpace, statistics: dict[str, Any], more: str = "") -> Verdict:
    """`holds` if the space is complete, else unknown."""
    if space.complete:
        return by_search(space, Status.HOLDS, name, holds, statistics=statistics)
    return replace(_unfinished(name, space, more), statistics=statistics)


def _unfinished(name: str, space: StateSpace, more: str = "") -> Verdict:
    return by_search(space, Status.UNKNOWN, name, advised(space, more))


QUESTIONS: dict[str, tuple[str, Callable[[NetSearch, str], Verdict]]] = {
    "no_deadlock": ("{} is free of deadlocks", no_deadlock),
    "bounded": ("{} is bounded", bounded),
    "one_safe": ("{} is 1-bounded", lambda search, name: bounded_by(search, name, 1)),
    "quasi_live": ("each transition of {} can fire", quasi_live),
    "live": ("{} is live", live),
    "reversible": ("{} can always return to its initial marking", reversible),
    "stable": ("{} has a place whose tokens never change", stable),
    "unit_safe": ("{} is unit-safe", unit_safe),
}
"""What every net can be asked, by name: what the verdict says of the net, and who answers."""
