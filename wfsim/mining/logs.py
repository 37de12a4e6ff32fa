"""What a miner reads: how often which sequence of activities was seen, and what follows from that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Trace: TypeAlias = tuple[str, ...]


@dataclass
class Log:
    """Traces, each with the number of cases that have it.

    Attributes
    ----------
    traces
        Numbers of cases, all above 0.
    starts, ends
        How many traces begin and end with an activity.
    follows
        How often one activity comes directly after another.
    """

    traces: Mapping[Trace, int]
    starts: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    follows: Counter[tuple[str, str]] = field(default_factory=Counter)
    activities: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for trace, n in self.traces.items():
            if trace:
                self.starts[trace[0]] += n
                self.ends[trace[-1]] += n
            for activity in trace:
                self.activities[activity] += n
            for pair in pairwise(trace):
                self.follows[pair] += n

    @property
    def n_cases(self) -> int:
        """Those without any activity included."""
        return sum(self.traces.values())

    @property
    def n_events(self) -> int:
        """How many activities were done."""
        return self.activities.total()

    def onto(self, kept: Iterable[str]) -> Log:
        """What is left if all other activities are left out."""
        names = set(kept)
        return gathered((tuple(each for each in trace if each in names), n) for trace, n in self.traces.items())


def gathered(traces: Iterable[tuple[Trace, int]]) -> Log:
    """The log of traces that may be equal."""
    found: Counter[Trace] = Counter()
    for trace, n in traces:
        found[trace] += n
    return Log(found)
