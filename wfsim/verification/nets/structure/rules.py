"""Reduction rules on drafts; each leaves the answer to the question as it is.

`agglomerate` is the post-agglomeration of Berthelot [1]_, which contains Murata's fusion of series places and
of series transitions [2]_; the others are Murata's fusion of parallel places and transitions and the elimination
of self-loops. All of them keep deadlocks, but for `drop_idle`. All keep which numbers of tokens watched places
can hold together.

References
----------
.. [1] Berthelot (1987), Transformations and decompositions of nets, LNCS 254, 359-376.
.. [2] Murata (1989), Petri nets: properties, analysis and applications, Proceedings of the IEEE 77(4), 541-580.
"""

from __future__ import annotations

from wfsim.verification.nets.structure.draft import Draft, Step, members

SERIES = "series"
PARALLEL_PLACES = "parallel places"
PARALLEL_TRANSITIONS = "parallel transitions"
CONSTANT_PLACES = "constant places"
IDLE = "idle loops"


def agglomerate(draft: Draft, place: int, *, keep_tokens: bool, keep_splits: bool) -> set[int] | None:
    """Let whatever puts a token into `place` be followed at once by one of those that take it out.

    It applies to a place empty at both ends, if those that take a token out of it want nothing else: from the
    moment the token lies there, each of them can fire, and nobody can take the token from them. Then every run to
    a marking with the place empty can be reordered so that each token goes on at once, with the same transitions
    fired equally often; so shortest ways to deadlocks keep their length. More tokens must not disable anything, so
    what they produce must not be looked at by inhibitor or reset arcs.

    With `keep_tokens`, as soundness needs, those that take the token out have to produce something: a token that
    vanishes could hide that it was left over. With `keep_splits` nothing with several outputs is copied, so that the
    parts between a split and its join can still be told.

    Returns
    -------
    set of int or None
        The places whose surroundings changed; None where the rule does not apply.
    """
    if not draft.inner(place):
        return None
    before, after = draft.producers[place], draft.consumers[place]
    if not before or not after or before & after:
        return None
    # Never more transitions than there were.
    if len(before) * len(after) > len(before) + len(after):
        return None
    if keep_splits and (_copies_a_split(draft, before, after) or _copies_a_split(draft, after, before)):
        return None
    for number in before:
        if draft.steps[number].produces[place] != 1:
            return None
    for number in after:
        step = draft.steps[number]
        if len(step.consumes) != 1 or step.consumes[place] != 1 or step.special:
            return None
        if (keep_tokens and not step.produces) or not draft.guarded.isdisjoint(step.produces):
            return None
        # A marking between the two would hold what no marking of the reduced net does.
        if not draft.watched.isdisjoint(step.produces):
            return None
    first = [draft.remove(number) for number in sorted(before)]
    second = [draft.remove(number) for number in sorted(after)]
    touched: set[int] = set()
    for one in first:
        touched.update(one.consumes)
        touched.update(one.produces)
        for two in second:
            produces = {p: n for p, n in one.produces.items() if p != place}
            for p, n in two.produces.items():
                produces[p] = produces.get(p, 0) + n
            touched.update(produces)
            draft.add(
                Step(
                    dict(one.consumes),
                    produces,
                    one.special,
                    (one.sequence, two.sequence),
                    one.length + two.length,
                    (one.alive, two.alive),
                )
            )
    draft.remove_place(place)
    touched.discard(place)
    draft.rules[SERIES] += 1
    return touched


def _copies_a_split(draft: Draft, these: set[int], for_each_of: set[int]) -> bool:
    return len(for_each_of) > 1 and any(len(draft.steps[number].produces) > 1 for number in these)


def merge_places(draft: Draft) -> bool:
    """Of places with the same arcs and the same tokens at both ends, keep one: they always hold as many."""
    kept: dict[object, int] = {}
    found = False
    for place in sorted(draft.producers):
        if place in draft.special or place in draft.watched:
            continue
        key = (
            draft.start.get(place, 0),
            draft.final.get(place, 0),
            frozenset((t, draft.steps[t].produces[place]) for t in draft.producers[place]),
            frozenset((t, draft.steps[t].consumes[place]) for t in draft.consumers[place]),
        )
        same = kept.setdefault(key, place)
        if same != place:
            if place in draft.capped:
                draft.capped.add(same)
            draft.remove_place(place)
            draft.rules[PARALLEL_PLACES] += 1
            found = True
    return found


def merge_transitions(draft: Draft) -> bool:
    """Of transitions with the same arcs keep the one with the shortest sequence; one can fire if the other can."""
    kept: dict[object, int] = {}
    found = False
    for number in sorted(draft.steps):
        step = draft.steps[number]
        key = (frozenset(step.consumes.items()), frozenset(step.produces.items()), step.special)
        same = kept.setdefault(key, number)
        if same != number:
            other = draft.steps[same]
            if step.length < other.length:
                other.sequence, other.length = step.sequence, step.length
            other.alive = (other.alive, step.alive)
            draft.remove(number)
            draft.rules[PARALLEL_TRANSITIONS] += 1
            found = True
    return found


def drop_constant_places(draft: Draft) -> bool:
    """Drop places that no transition changes and that always hold enough."""
    found = False
    for place in sorted(draft.producers):
        users = draft.consumers[place]
        if place in draft.special or place in draft.watched or draft.producers[place] != users or not users:
            continue
        held = draft.start.get(place, 0)
        steps = [draft.steps[number] for number in users]
        kept = not draft.ends or held == draft.final.get(place, 0)
        if kept and all(s.consumes[place] == s.produces[place] <= held for s in steps):
            draft.remove_place(place)
            draft.rules[CONSTANT_PLACES] += 1
            found = True
    return found


def drop_idle(draft: Draft, *, keep_alive: bool) -> bool:
    """Drop transitions that change nothing; with `keep_alive`, only if another one wants at least as much.

    Reachability does not mind, nor does soundness: where the other one can fire, so could this one. A deadlock would.
    """
    found = False
    for number in sorted(draft.steps):
        step = draft.steps[number]
        if step.consumes != step.produces or step.special or not step.consumes:
            continue
        if not keep_alive:
            draft.remove(number)
            draft.rules[IDLE] += 1
            found = True
            continue
        rivals = set.intersection(*(draft.consumers[place] for place in step.consumes)) - {number}
        able = [
            other
            for other in sorted(rivals)
            if all(draft.steps[other].consumes[place] >= count for place, count in step.consumes.items())
        ]
        if not able:
            continue
        exact = [o for o in able if draft.steps[o].consumes == step.consumes and not draft.steps[o].special]
        other = draft.steps[(exact or able)[0]]
        if not exact:
            draft.undecided |= members([step.alive])
        other.alive = (other.alive, step.alive)
        draft.remove(number)
        draft.rules[IDLE] += 1
        found = True
    return found
