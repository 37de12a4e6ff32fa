"""Cuts of a directly-follows graph: into groups of activities that are chosen from, follow, overlap or repeat.

Leemans, Fahland, van der Aalst (2013), Discovering block-structured process models from event logs, Petri Nets 2013,
LNCS 7927, 311–329. The sequence cut that keeps optional groups together is of Leemans (2017), Robust process mining
with guarantees, 6.2.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from .logs import Log, Trace, gathered
from .tree import Operator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Graph:
    """A directly-follows graph.

    Attributes
    ----------
    activities
        In the order of their names, so that equal logs give equal trees.
    edges
        Which follows which.
    starts, ends
        With what a trace begins and ends.
    """

    activities: tuple[str, ...]
    edges: frozenset[tuple[str, str]]
    starts: frozenset[str]
    ends: frozenset[str]


@dataclass(frozen=True)
class Cut:
    """Groups of activities, in order; of a loop the body first."""

    operator: Operator
    groups: tuple[frozenset[str], ...]


def graph_of(log: Log, noise: float = 0.0) -> Graph:
    """The graph of a log, without what is rare beside what else follows.

    An edge is left out that is seen less often than `noise` times the most frequent one from the same activity (the end
    of a trace is one of them), and so are beginnings and ends that are rare beside the most frequent ones [1]_.

    References
    ----------
    .. [1] Leemans, Fahland, van der Aalst (2014), Discovering block-structured process models from event logs
       containing infrequent behaviour, BPM 2013 Workshops, LNBIP 171, 66–78.
    """
    most: Counter[str] = Counter(log.ends)
    for (source, _), n in log.follows.items():
        most[source] = max(most[source], n)
    first, last = (max(each.values(), default=0) for each in (log.starts, log.ends))
    return Graph(
        tuple(sorted(log.activities)),
        frozenset(edge for edge, n in log.follows.items() if n >= noise * most[edge[0]]),
        frozenset(each for each, n in log.starts.items() if n >= noise * first),
        frozenset(each for each, n in log.ends.items() if n >= noise * last),
    )


def find_cut(log: Log, noise: float = 0.0) -> Cut | None:
    """The first cut there is, of choice, sequence, parallel and loop, in the whole graph, else without its rare edges.

    O(activities² + edges).
    """
    found = _cut_of(graph_of(log), log)
    return _cut_of(graph_of(log, noise), log) if found is None and noise else found


def _cut_of(graph: Graph, log: Log) -> Cut | None:
    for operator, find in _FINDERS:
        groups = find(graph, log)
        if len(groups) > 1:
            return Cut(operator, tuple(frozenset(each) for each in groups))
    return None


def _components(members: Iterable[str], joined: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Which members hang together, in the order of their first members."""
    names = list(members)
    root = {name: name for name in names}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for one, other in joined:
        root[find(one)] = find(other)
    found: dict[str, set[str]] = {}
    for name in names:
        found.setdefault(find(name), set()).add(name)
    return list(found.values())


def _choice(graph: Graph, log: Log) -> list[set[str]]:
    return _components(graph.activities, graph.edges)


def _sequence(graph: Graph, log: Log) -> list[set[str]]:
    reach = _reachable(graph)
    apart = (
        (one, other)
        for one, other in combinations(graph.activities, 2)
        if (other in reach[one]) == (one in reach[other])
    )
    groups = _components(graph.activities, apart)
    # Of two groups now all of one reach all of the other, or none does: so how many are reached is their order.
    groups.sort(key=lambda group: (-len(set().union(*(reach[each] for each in group)) - group), min(group)))
    return _with_optional(groups, graph)


def _reachable(graph: Graph) -> dict[str, set[str]]:
    import networkx as nx

    whole: nx.DiGraph[str] = nx.DiGraph()
    whole.add_nodes_from(graph.activities)
    whole.add_edges_from(graph.edges)
    return {each: set(nx.descendants(whole, each)) for each in graph.activities}


def _with_optional(groups: list[set[str]], graph: Graph) -> list[set[str]]:
    """Join each group that can be passed by with those before it or behind it that go with it only.

    Where a trace can get from before a group to behind it, the groups next to it that are only left for it, or only
    entered from it, are optional together with it: apart, each could be left out without the other.
    """
    place = {name: k for k, group in enumerate(groups) for name in group}
    n = len(groups)
    first, last = [n] * n, [-1] * n
    """From which group at the earliest one is entered, and to which at the latest it leads; -1 and n: outside."""
    for one in graph.starts:
        first[place[one]] = -1
    for one in graph.ends:
        last[place[one]] = n
    for one, other in graph.edges:
        if place[one] != place[other]:
            first[place[other]] = min(first[place[other]], place[one])
            last[place[one]] = max(last[place[one]], place[other])
    jumps = [(place[one], place[other]) for one, other in graph.edges]
    jumps += [(-1, place[one]) for one in graph.starts] + [(place[one], n) for one in graph.ends]
    merged = [set(group) for group in groups]
    for pivot in range(n):
        if not merged[pivot] or not any(one < pivot < other for one, other in jumps):
            continue
        before = pivot - 1
        while before >= 0 and last[before] <= pivot:
            merged[pivot] |= merged[before]
            merged[before] = set()
            before -= 1
        behind = pivot + 1
        while behind < n and first[behind] >= pivot:
            merged[pivot] |= merged[behind]
            merged[behind] = set()
            behind += 1
    return [group for group in merged if group]


def _parallel(graph: Graph, log: Log) -> list[set[str]]:
    edges = graph.edges
    apart = (
        (one, other)
        for one, other in combinations(graph.activities, 2)
        if (one, other) not in edges or (other, one) not in edges
    )
    groups = _components(graph.activities, apart)
    # Each must be able to begin and to end; one that cannot belongs to another.
    whole = [each for each in groups if each & graph.starts and each & graph.ends]
    for group in groups:
        if group not in whole:
            if not whole:
                return []
            joined = min(whole, key=lambda other: _n_outside(group, other, graph, log))
            joined |= group
    return whole


def _n_outside(group: set[str], other: set[str], graph: Graph, log: Log) -> int:
    """In how many cases a group that cannot begin, or end, does so before, or after, everything of another one."""
    found = 0
    for trace, n in log.traces.items():
        both = [each in group for each in trace if each in group or each in other]
        if both:
            found += n * ((both[0] and not group & graph.starts) + (both[-1] and not group & graph.ends))
    return found


def _loop(graph: Graph, log: Log) -> list[set[str]]:
    body = set(graph.starts | graph.ends)
    rest = [each for each in graph.activities if each not in body]
    groups = _components(rest, ((a, b) for a, b in graph.edges if a not in body and b not in body))
    kept = []
    for group in groups:
        into = {one for one, other in graph.edges if one in body and other in group}
        out = {other for one, other in graph.edges if one in group and other in body}
        entered = {other for one, other in graph.edges if one in body and other in group}
        left = {one for one, other in graph.edges if one in group and other in body}
        # What leads back is entered from every end, and from ends only, and leads to every start, and to starts only.
        leads_back = (
            into <= graph.ends
            and out <= graph.starts
            and all((end, each) in graph.edges for end in graph.ends for each in entered)
            and all((each, start) in graph.edges for start in graph.starts for each in left)
        )
        if leads_back:
            kept.append(group)
        else:
            body |= group
    return [body, *kept] if kept and body else []


_FINDERS = (
    (Operator.CHOICE, _choice),
    (Operator.SEQUENCE, _sequence),
    (Operator.PARALLEL, _parallel),
    (Operator.LOOP, _loop),
)


def split(log: Log, cut: Cut) -> list[Log]:
    """The log of each group; what does not fit the cut is left out."""
    match cut.operator:
        case Operator.CHOICE:
            return _split_choice(log, cut.groups)
        case Operator.SEQUENCE:
            return _split_sequence(log, cut.groups)
        case Operator.PARALLEL:
            return [log.onto(group) for group in cut.groups]
        case Operator.LOOP:
            return _split_loop(log, cut.groups)


def _split_choice(log: Log, groups: Sequence[frozenset[str]]) -> list[Log]:
    """Each trace belongs to the group from which most of its activities are."""
    found: list[list[tuple[Trace, int]]] = [[] for _ in groups]
    for trace, n in log.traces.items():
        own = max(range(len(groups)), key=lambda k: sum(each in groups[k] for each in trace))
        found[own].append((tuple(each for each in trace if each in groups[own]), n))
    return [gathered(traces) for traces in found]


def _split_sequence(log: Log, groups: Sequence[frozenset[str]]) -> list[Log]:
    """Each trace is cut into a piece for each group, with as few activities as can be in the piece of another."""
    place = {name: k for k, group in enumerate(groups) for name in group}
    found: list[list[tuple[Trace, int]]] = [[] for _ in groups]
    for trace, n in log.traces.items():
        pieces: list[list[str]] = [[] for _ in groups]
        for activity, own in zip(trace, _pieces([place[each] for each in trace], len(groups))):
            if place[activity] == own:
                pieces[own].append(activity)
        for k, piece in enumerate(pieces):
            found[k].append((tuple(piece), n))
    return [gathered(traces) for traces in found]


def _pieces(places: list[int], n: int) -> list[int]:
    """Numbers that do not fall, and agree with `places` as often as can be; O(length · n)."""
    if all(one <= other for one, other in pairwise(places)):
        return places
    best = [0] * n
    chosen: list[list[int]] = []
    for own in places:
        upto, came = -1, 0
        row = []
        for k in range(n):
            if best[k] > upto:
                upto, came = best[k], k
            row.append(came)
            best[k] = upto + (own == k)
        chosen.append(row)
    k = max(range(n), key=lambda each: (best[each], -each))
    found = []
    for row in reversed(chosen):
        found.append(k)
        k = row[k]
    return found[::-1]


def _split_loop(log: Log, groups: Sequence[frozenset[str]]) -> list[Log]:
    """Each trace is cut wherever it comes from one group to another; between two that lead back the body is empty."""
    place = {name: k for k, group in enumerate(groups) for name in group}
    found: list[list[tuple[Trace, int]]] = [[] for _ in groups]
    for trace, n in log.traces.items():
        own, piece = 0, list[str]()
        for activity in trace:
            if place[activity] != own:
                found[own].append((tuple(piece), n))
                if own and place[activity]:
                    found[0].append(((), n))
                own, piece = place[activity], []
            piece.append(activity)
        found[own].append((tuple(piece), n))
        if own:
            found[0].append(((), n))
    return [gathered(traces) for traces in found]
