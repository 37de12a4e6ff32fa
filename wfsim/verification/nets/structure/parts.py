"""Parts of a net between a split and a join, examined on their own and replaced by one place.

A part touches the rest of the net at one transition that puts tokens into it (the split) and at one that takes
tokens out (the join), and nowhere else. If it is sound on its own, started by one firing of the split, it behaves
like a single place between the two, as long as the split does not fire again before the join: the composition of
sound workflow nets [1]_. That the place holds at most one token is left for the search to show (`Draft.capped`).

References
----------
.. [1] van der Aalst (2000), Workflow verification: finding control-flow errors using Petri-net-based
   techniques, LNCS 1806, 161-183.
"""

from __future__ import annotations

import heapq

from wfsim.net.arcs import ArcKind
from wfsim.net.firing import FiringRule, Tokens, compile_rules, successor
from wfsim.verification.nets.limits import Limits
from wfsim.verification.nets.structure.dominance import joins
from wfsim.verification.nets.structure.draft import Draft, Rope

PARTS = "sound parts"
MAX_NODES = 400
"""Places and transitions of the largest part that is examined on its own."""
MAX_MARKINGS = 2_000
"""Markings up to which it is."""
MAX_JOINS = 3
"""How many joins are tried for a split."""


def replace_parts(draft: Draft, tried: set[object], limits: Limits) -> bool:
    """Replace parts that are sound on their own; whether there were any. `tried` remembers those that are not."""
    found = False
    if limits.late:
        return found
    after = joins(draft)
    users: dict[int, set[int]] = {}
    for number, step in draft.steps.items():
        for place, _, _ in step.special:
            users.setdefault(place, set()).add(number)
    for split in sorted(after):
        if split not in draft.steps or len(draft.steps[split].produces) < 2:
            continue
        if limits.late:
            break
        for join in after[split][:MAX_JOINS]:
            if join == split or join not in draft.steps:
                continue
            for place in sorted(draft.steps[split].produces):
                if place not in draft.producers or place not in draft.steps[split].produces:
                    # It went with an earlier part.
                    continue
                part = _part(draft, split, join, place, users)
                if part is None or (split, join, *part[0]) in tried:
                    continue
                way = _way_through(draft, split, join, *part)
                if way is None:
                    tried.add((split, join, *part[0]))
                    continue
                _replace(draft, split, join, *part, *way)
                found = True
    return found


def _part(
    draft: Draft, split: int, join: int, place: int, users: dict[int, set[int]]
) -> tuple[list[int], list[int]] | None:
    """Places and transitions connected with `place` but for the split and the join; None if it is no part."""
    places, numbers = {place}, set[int]()
    todo = [place]
    consumes = draft.steps[split].consumes
    produces = draft.steps[join].produces
    while todo:
        at = todo.pop()
        if at in draft.start or at in draft.final or at in draft.watched or at in consumes or at in produces:
            return None
        around = draft.producers[at] | draft.consumers[at] | users.get(at, set())
        for number in around:
            if number in numbers or number in (split, join):
                continue
            numbers.add(number)
            step = draft.steps[number]
            if not step.consumes or len(places) + len(numbers) > MAX_NODES:
                return None
            for other in (*step.consumes, *step.produces, *(p for p, _, _ in step.special)):
                if other not in places:
                    places.add(other)
                    todo.append(other)
    looked_at = {p for number in (split, join) for p, _, _ in draft.steps[number].special}
    if not numbers or not looked_at.isdisjoint(places) or places.isdisjoint(draft.steps[join].consumes):
        return None
    return sorted(places), sorted(numbers)


def _way_through(
    draft: Draft, split: int, join: int, places: list[int], numbers: list[int]
) -> tuple[list[int], int] | None:
    """A shortest way through a part, and its length in original transitions; None if the part is not sound."""
    index = {place: i for i, place in enumerate(places)}
    start = tuple(draft.steps[split].produces.get(place, 0) for place in places)
    goal = tuple(draft.steps[join].consumes.get(place, 0) for place in places)
    capped = [index[place] for place in draft.capped if place in index]
    rules = _rules(draft, index, numbers)
    distance: dict[Tokens, int] = {start: 0}
    came: dict[Tokens, tuple[Tokens, int]] = {}
    sources: dict[Tokens, list[Tokens]] = {start: []}
    fired: set[int] = set()
    done: set[Tokens] = set()
    # The serial keeps markings from being compared, and ties in order of discovery.
    queue, serial = [(0, 0, start)], 0
    while queue:
        so_far, _, here = heapq.heappop(queue)
        if here in done:
            continue
        done.add(here)
        if here != goal and all(have >= want for have, want in zip(here, goal)):
            return None
        if any(here[i] > 1 for i in capped):
            return None
        for k, rule in enumerate(rules):
            there = successor(here, rule)
            if there is None:
                continue
            fired.add(k)
            sources.setdefault(there, []).append(here)
            length = so_far + draft.steps[numbers[k]].length
            if length < distance.get(there, length + 1):
                if there not in distance and len(distance) >= MAX_MARKINGS:
                    return None
                distance[there] = length
                came[there] = (here, numbers[k])
                serial += 1
                heapq.heappush(queue, (length, serial, there))
    if goal not in done or len(fired) < len(numbers) or not _all_lead_to(goal, sources):
        return None
    way = []
    at = goal
    while at != start:
        at, number = came[at]
        way.append(number)
    return way[::-1], distance[goal]


def _all_lead_to(goal: Tokens, sources: dict[Tokens, list[Tokens]]) -> bool:
    reached, todo = {goal}, [goal]
    while todo:
        for source in sources[todo.pop()]:
            if source not in reached:
                reached.add(source)
                todo.append(source)
    return len(reached) == len(sources)


def _rules(draft: Draft, index: dict[int, int], numbers: list[int]) -> tuple[FiringRule, ...]:
    steps = [draft.steps[number] for number in numbers]

    def special(kind: ArcKind) -> list[tuple[int, int, int]]:
        return [
            (k, index[p], w) for k, step in enumerate(steps) for p, w, other in sorted(step.special) if other is kind
        ]

    return compile_rules(
        len(steps),
        consumed=[(k, index[p], w) for k, step in enumerate(steps) for p, w in step.consumes.items()],
        produced=[(k, index[p], w) for k, step in enumerate(steps) for p, w in step.produces.items()],
        read=special(ArcKind.READ),
        inhibited=special(ArcKind.INHIBITOR),
        reset=special(ArcKind.RESET),
    )


def _replace(
    draft: Draft, split: int, join: int, places: list[int], numbers: list[int], way: list[int], length: int
) -> None:
    first, last = draft.steps[split], draft.steps[join]
    inside: tuple[Rope, ...] = tuple(draft.steps[number].sequence for number in way)
    first.sequence = (first.sequence, *inside)
    first.length += length
    first.alive = (first.alive, *(draft.steps[number].alive for number in numbers))
    for number in numbers:
        draft.remove(number)
    for place in places:
        draft.remove_place(place)
        draft.special.discard(place)
        draft.guarded.discard(place)
    instead = draft.add_place()
    first.produces[instead] = 1
    last.consumes[instead] = 1
    draft.producers[instead].add(split)
    draft.consumers[instead].add(join)
    draft.capped.add(instead)
    draft.rules[PARTS] += 1
