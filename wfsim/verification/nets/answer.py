"""Whether something can be reached in a net, however that was found, and the verdicts that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from wfsim.verification.nets.findings import NO_FAIRNESS
from wfsim.verification.nets.limits import WORK_IS_DONE, Ended, Limits, OutOfTime
from wfsim.verification.verdict import NetWitness, Status, Verdict

if TYPE_CHECKING:
    from wfsim.verification.nets.diagrams.answers import Answers
    from wfsim.verification.nets.diagrams.space import MarkingSet, SymbolicSpace
    from wfsim.verification.nets.state_space import StateSpace

SEARCH = "explicit breadth-first search"
BROAD, DEEP = f"{SEARCH} with stubborn sets", "explicit depth-first search with stubborn sets"


@dataclass(frozen=True)
class Answer:
    """Whether a marking can be reached of which something is true: yes, no, or not known.

    `reason` tells why not, or what stopped the search; `witness` leads to such a marking; `interrupted` says that the
    user has ended the search.
    """

    found: bool | None
    reason: str = ""
    witness: NetWitness | None = None
    bound: Mapping[str, Any] = field(default_factory=dict)
    method: str = SEARCH
    statistics: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[str, ...] = (NO_FAIRNESS,)
    interrupted: bool = False

    @classmethod
    def of_search(
        cls,
        space: StateSpace | SymbolicSpace,
        witness: NetWitness | None,
        method: str = SEARCH,
        statistics: Mapping[str, Any] | None = None,
        which: str = "",
    ) -> Answer:
        """What a search has come to; `which` tells of which markings it was one."""
        bound, more = bound_of(space, deep=DEEP in method), statistics or {}
        if witness is not None:
            return cls(True, "", witness, bound, method, more)
        if space.finished:
            count = f"{space.n_markings:,} marking{'' if space.n_markings == 1 else 's'}"
            return cls(False, f"None of {count}{which} is such.", None, bound, method, more)
        return cls(None, advised(space), None, bound, method, more, interrupted=space.interrupted)

    @classmethod
    def of_diagrams(cls, answers: Answers, markings: MarkingSet) -> Answer:
        """Whether any of these markings is there."""
        witness = answers.trace_to(markings) if markings else None
        return cls.of_search(answers.space, witness, answers.method, answers.statistics)

    @property
    def settled(self) -> bool:
        """Whether the question is answered, or the user has ended the search."""
        return self.found is not None or self.interrupted

    def after_walk(self, witness: NetWitness, method: str) -> Answer:
        """The same, but that a random walk has led there."""
        return replace(self, found=True, reason="", witness=witness, method=method)

    def negated(self) -> Answer:
        """The answer to the opposite question."""
        return self if self.found is None else replace(self, found=not self.found)

    def verdict(self, name: str, reason: str | None = None) -> Verdict:
        """The verdict on a property that holds if it is found."""
        status = {True: Status.HOLDS, False: Status.VIOLATED, None: Status.UNKNOWN}[self.found]
        told = self.reason if reason is None else reason
        return Verdict(status, name, told, self.witness, self.bound, self.assumptions, self.method, self.statistics)


def advised(space: StateSpace | SymbolicSpace, more: str = "") -> str:
    """Why a search of a net has ended, what more there is to tell, and what to do next."""
    advice = "" if space.ended is Ended.MEMORY else " Raise max_markings or max_seconds, or make the net smaller."
    return f"{space.reason}{more}{advice}"


def bound_of(space: StateSpace | SymbolicSpace, *, deep: bool = False) -> dict[str, Any]:
    """How far a search went; of one that went deep first, edges are not counted."""
    bound: dict[str, Any] = {"markings": space.n_markings}
    if not deep:
        bound["edges"] = space.n_edges
    bound["complete"] = space.finished
    return bound if space.finished else {**bound, "stopped": space.reason}


def by_search(
    space: StateSpace | SymbolicSpace,
    status: Status,
    name: str,
    reason: str,
    witness: NetWitness | None = None,
    *,
    method: str = SEARCH,
    statistics: Mapping[str, Any] | None = None,
) -> Verdict:
    """The verdict that a search has led to."""
    return Verdict(status, name, reason, witness, bound_of(space), (NO_FAIRNESS,), method, statistics or {})


def out_of_time(space: StateSpace, limits: Limits, name: str, over: OutOfTime) -> Verdict:
    """The verdict where the time was over before anything was known but the nearest markings."""
    reason = advised(space)
    if space.ended is not Ended.SECONDS:
        reason = f"Stopped after {limits.max_seconds} s, while {over}. Raise max_seconds, or make the net smaller."
    return by_search(space, Status.UNKNOWN, name, reason)


def unfinished(name: str, limits: Limits, over: OutOfTime) -> Verdict:
    """The verdict where the time was over, or the work that is done without one, before anything was searched."""
    if limits.max_seconds is None:
        reason, stopped = f"{WORK_IS_DONE.capitalize()}, while {over}. Give max_seconds.", WORK_IS_DONE
    else:
        reason = f"Stopped after {limits.max_seconds:g} s, while {over}. Raise max_seconds."
        stopped = f"max_seconds={limits.max_seconds:g} reached"
    return Verdict(Status.UNKNOWN, name, reason, bound={"complete": False, "stopped": stopped})


def proved(
    status: Status,
    name: str,
    reason: str,
    method: str,
    *,
    witness: NetWitness | None = None,
    statistics: Mapping[str, Any] | None = None,
    assumed: tuple[str, ...] = (),
) -> Verdict:
    """The verdict that needs no search."""
    return Verdict(status, name, reason, witness, {}, (NO_FAIRNESS, *assumed), method, statistics or {})
