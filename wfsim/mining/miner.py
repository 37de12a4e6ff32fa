"""The inductive miner: a process tree from traces, cut by cut."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .cuts import Cut, find_cut, split
from .logs import Log, gathered
from .tree import TAU, Operator, Tree, choice, leaf, loop, parallel, sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .logs import Trace


def mine(log: Log, noise: float = 0.0) -> Tree:
    """A process tree of a log [1]_; with noise one that leaves out what is rare [2]_.

    Parameters
    ----------
    log
        At least one trace.
    noise
        0: the language of the tree has every trace. Above, up to 1: what is seen less often than this part of what else
        happens at the same place may be left out of it.

    Returns
    -------
    Tree
        Each activity stands in it at most once.

    Notes
    -----
    On each level the first that is there: nothing or a single activity; a cut of the directly-follows graph; with noise
    a cut of the graph without rare edges; an activity that every trace has once, beside the rest; one without which
    there is a cut, beside the rest; a loop around pieces that begin behind an end; a loop around pieces that begin
    with a start; any order at all. Each of them leaves fewer activities or shorter traces, so it ends.

    References
    ----------
    .. [1] Leemans, Fahland, van der Aalst (2013), Discovering block-structured process models from event logs, Petri
       Nets 2013, LNCS 7927, 311–329.
    .. [2] Leemans, Fahland, van der Aalst (2014), Discovering block-structured process models from event logs
       containing infrequent behaviour, BPM 2013 Workshops, LNBIP 171, 66–78.
    """
    n_empty = log.traces.get((), 0)
    if n_empty:
        rest = Log({trace: n for trace, n in log.traces.items() if trace})
        if not rest.traces:
            return TAU
        found = mine(rest, noise)
        return choice([TAU, found]) if n_empty > noise * log.n_cases else found
    if len(log.activities) == 1 and _is_once(log, noise):
        return leaf(next(iter(log.activities)))
    cut = find_cut(log, noise)
    if cut is not None:
        return _of_cut(log, cut, noise)
    return next(tree for fall in _FALLS if (tree := fall(log, noise)) is not None)


def _is_once(log: Log, noise: float) -> bool:
    """Whether the one activity is done once a trace, but for repetitions as rare as an edge that would be left out."""
    repeated = log.n_events - log.n_cases
    return repeated == 0 or repeated < noise * log.n_cases


def _of_cut(log: Log, cut: Cut, noise: float) -> Tree:
    # What a rare edge alone led to may have got no trace.
    parts = [mine(each, noise) for each in split(log, cut) if each.traces]
    match cut.operator:
        case Operator.CHOICE:
            return choice(parts)
        case Operator.SEQUENCE:
            return sequence(parts)
        case Operator.PARALLEL:
            return parallel(parts)
        case Operator.LOOP:
            return loop(parts[0], choice(parts[1:])) if len(parts) > 1 else parts[0]


def _once_a_trace(log: Log, noise: float) -> Tree | None:
    for activity in sorted(log.activities):
        if len(log.activities) > 1 and all(trace.count(activity) == 1 for trace in log.traces):
            rest = log.onto({*log.activities} - {activity})
            return parallel([leaf(activity), mine(rest, noise)])
    return None


def _beside_a_cut(log: Log, noise: float) -> Tree | None:
    for activity in sorted(log.activities) if len(log.activities) > 2 else ():
        rest = log.onto({*log.activities} - {activity})
        cut = find_cut(rest, noise)
        if cut is not None:
            return parallel([mine(log.onto([activity]), noise), mine(rest, noise)])
    return None


def _repeated(begins: Callable[[Log, str, str], bool], log: Log, noise: float) -> Tree | None:
    """A loop around the pieces of traces that begin where two neighbours say so."""

    def pieces() -> Iterator[tuple[Trace, int]]:
        for trace, n in log.traces.items():
            begun = 0
            for k in range(1, len(trace)):
                if begins(log, trace[k - 1], trace[k]):
                    yield trace[begun:k], n
                    begun = k
            yield trace[begun:], n

    found = gathered(pieces())
    return loop(mine(found, noise), TAU) if found.n_cases > log.n_cases else None


def _any_order(log: Log, noise: float) -> Tree:
    return loop(TAU, choice([leaf(each) for each in sorted(log.activities)]))


_FALLS: tuple[Callable[[Log, float], Tree | None], ...] = (
    _once_a_trace,
    _beside_a_cut,
    partial(_repeated, lambda log, before, after: before in log.ends and after in log.starts),
    partial(_repeated, lambda log, before, after: after in log.starts),
    _any_order,
)
