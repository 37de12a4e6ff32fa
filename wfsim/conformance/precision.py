"""How much of what a model allows is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from wfsim.errors import NetError

if TYPE_CHECKING:
    from wfsim.net.firing import Tokens

    from .behaviour import Behaviour

    Markings = frozenset[Tokens]

MAX_SETS = 1_000_000


def precision_of(
    behaviour: Behaviour, runs: Iterable[tuple[Sequence[int], int]], max_markings: int = MAX_SETS
) -> float:
    """Of runs that the model allows, how much of what it allows on their way some run does (`Alignments.precision`).

    Parameters
    ----------
    behaviour
        The model.
    runs
        Activities of runs, by number, with how many cases have each.
    max_markings
        Where to stop.

    Raises
    ------
    NetError
        If silent transitions lead from one marking to more.
    """
    allowed = _Allowed(behaviour, max_markings)
    # Beginnings as a tree: where each can lead, what goes on from it, and how many cases do.
    sets: list[Markings] = [frozenset([behaviour.net.initial_marking.tokens])]
    children: list[dict[int, int]] = [{}]
    weights = [0]
    for run, cases in runs:
        node = 0
        for activity in run:
            weights[node] += cases
            if activity not in children[node]:
                children[node][activity] = len(sets)
                sets.append(allowed.after(sets[node])[activity])
                children.append({})
                weights.append(0)
            node = children[node][activity]
    most = sum(weight * len(allowed.after(each)) for weight, each in zip(weights, sets) if weight)
    return sum(weight * len(each) for weight, each in zip(weights, children)) / most if most else 1.0


class _Allowed:
    """The net made deterministic, as far as it is asked: markings that the same activities lead to are one set."""

    def __init__(self, behaviour: Behaviour, max_markings: int) -> None:
        self._behaviour, self._max_markings = behaviour, max_markings
        self._followers: dict[Tokens, list[tuple[int, Tokens]]] = {}
        self._steps: dict[Tokens, dict[int, Markings]] = {}
        self._sets: dict[Markings, dict[int, Markings]] = {}

    def after(self, markings: Markings) -> dict[int, Markings]:
        """Each activity that may come next, and the markings right after it."""
        if markings not in self._sets:
            found: dict[int, set[Tokens]] = {}
            for tokens in markings:
                for code, after in self._step(tokens).items():
                    found.setdefault(code, set()).update(after)
            self._sets[markings] = {code: frozenset(each) for code, each in found.items()}
        return self._sets[markings]

    def _step(self, tokens: Tokens) -> dict[int, Markings]:
        """The same of one marking, after any silent transitions."""
        if tokens in self._steps:
            return self._steps[tokens]
        seen, waiting = {tokens}, [tokens]
        found: dict[int, set[Tokens]] = {}
        while waiting:
            at = waiting.pop()
            if at not in self._followers:
                self._followers[at] = self._behaviour.followers(at)
            for transition, after in self._followers[at]:
                code = self._behaviour.codes[transition]
                if code >= 0:
                    found.setdefault(code, set()).add(after)
                elif after not in seen:
                    if len(seen) == self._max_markings:
                        raise NetError(
                            f"net {self._behaviour.net.name!r}: silent transitions lead from one marking to more than "
                            f"{self._max_markings:,} others, so its precision is not told. Give them labels, or take a "
                            "net with fewer in parallel."
                        )
                    seen.add(after)
                    waiting.append(after)
        self._steps[tokens] = {code: frozenset(each) for code, each in found.items()}
        return self._steps[tokens]
