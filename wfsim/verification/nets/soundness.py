"""Soundness of workflow nets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args

from wfsim.errors import OptionError
from wfsim.model.workflow import Workflow
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.answer import SEARCH, advised, bound_of, out_of_time, unfinished
from wfsim.verification.nets.clauses import Outcome, plain_soundness, reduced_soundness
from wfsim.verification.nets.findings import (
    COMPLETES,
    NO_DEAD,
    NO_FAIRNESS,
    PROPER,
    Finding,
    all_dead,
    markings,
    sentence,
    shown,
)
from wfsim.verification.nets.limits import DEFAULT_MEMORY, Ended, Limits, OutOfTime
from wfsim.verification.nets.net_search import NetSearch
from wfsim.verification.nets.reduced import direct_markings
from wfsim.verification.nets.state_space import StateSpace
from wfsim.verification.nets.translated import Translation, net_of
from wfsim.verification.nets.workflow_net import NotAWorkflowNet, Task, listed, workflow_task
from wfsim.verification.verdict import NetWitness, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

    from wfsim.verification.nets.diagrams.answers import Answers
    from wfsim.verification.nets.diagrams.space import SymbolicSpace

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
    max_markings, max_memory, progress
        Of each search, as in `wf.explore`.
    max_seconds
        For everything together, the translation of a workflow included.
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
        raise OptionError(f"there is no soundness of kind {kind!r}. Kinds: {', '.join(get_args(Kind))}.")
    limits = Limits(max_markings, max_seconds, max_memory, progress)
    return soundness_within(net, kind, limits, **translation)


def soundness_within(
    net: PetriNet | Workflow | Iterable[Workflow],
    kind: Kind,
    limits: Limits,
    **translation: Unpack[Translation],
) -> Verdict:
    """The same, with the time that the limits leave."""
    assumed: tuple[str, ...] = ()
    if not isinstance(net, PetriNet):
        try:
            net, assumed = net_of(net, limits, **translation)
        except OutOfTime as over:
            return unfinished("soundness", limits, over)
    elif translation:
        raise TypeError(f"{', '.join(translation)}: the net is there already. Give the workflow instead of its net.")
    name = f"{'' if kind == 'classical' else f'{kind} '}soundness of {net.name!r}"
    try:
        task = workflow_task(net)
    except NotAWorkflowNet as problem:
        return Verdict(Status.ERROR, name, str(problem), method="structure of the net")
    if task.cases > 1:
        name = f"{task.cases}-{name}"
    return _Soundness(task, kind, name, (NO_FAIRNESS, *task.assumptions, *assumed)).asked(limits)


class _Soundness:
    """One question, and how its answer is told."""

    def __init__(self, task: Task, kind: Kind, name: str, assumptions: tuple[str, ...]) -> None:
        self.net, self.final = task.net, task.final
        self.kind, self.name, self.assumptions = kind, name, assumptions

    def asked(self, limits: Limits) -> Verdict:
        """The verdict within the limits."""
        first = limits.fewer(direct_markings(self.net))
        outcome = plain_soundness(self.net, self.final, first)
        if outcome.space.ended is not Ended.MARKINGS or first.max_markings == limits.max_markings:
            return self._listed(outcome)
        try:
            both = NetSearch(self.net, limits).settle(self._search, lambda outcome: outcome.settled, self._counted)
        except OutOfTime as over:
            return out_of_time(outcome.space, limits, self.name, over)
        # A verdict that is violated is false.
        return self._listed(both.found, both.told) if both.answered is None else both.answered

    def _search(self, limits: Limits) -> Outcome:
        # The rules of reduction keep classical soundness; they say nothing of the others.
        reduced = reduced_soundness(self.net, self.final, limits) if self.kind == "classical" else None
        return reduced or plain_soundness(self.net, self.final, limits)

    def _listed(self, outcome: Outcome, more: str = "") -> Verdict:
        """The verdict by a search that has listed markings; `more` is what else was tried."""
        space, statistics = outcome.space, outcome.statistics
        if self.kind == "relaxed":
            useful = _useful(space, space.number_of(self.final))
            return self._relaxed(space, useful, SEARCH, statistics, more)
        findings, dead = outcome.findings, outcome.dead
        if self.kind == "weak":
            findings, dead = [each for each in findings if each.clause != NO_DEAD], []
        if dead:
            statistics["dead_transitions"] = dead
        unfired = bool(all_dead(self.net, outcome.never_fired))
        return self._told(space, findings, unfired, outcome.method, statistics, more)

    def _counted(self, answers: Answers) -> Verdict:
        """The verdict from all reachable markings as a decision diagram."""
        space, statistics = answers.space, answers.statistics
        if self.kind == "relaxed":
            return self._relaxed(space, answers.useful(self.final), answers.method, statistics)
        findings, entries = answers.clauses(self.final, dead=self.kind == "classical")
        if entries:
            statistics["dead_transitions"] = entries
        return self._told(space, findings, bool(entries), answers.method, statistics)

    def _told(
        self,
        space: StateSpace | SymbolicSpace,
        findings: list[Finding],
        unfired: bool,
        method: str,
        statistics: dict[str, Any],
        more: str = "",
    ) -> Verdict:
        """The verdict on classical or weak soundness; `unfired` if some net transition was not seen to fire."""
        failed = [finding.clause for finding in findings]
        otherwise = Status.HOLDS if space.complete else Status.UNKNOWN
        clauses = {c: str(Status.VIOLATED if c in failed else otherwise) for c in (COMPLETES, PROPER, NO_DEAD)}
        if not unfired:
            clauses[NO_DEAD] = str(Status.HOLDS)
        if self.kind == "weak":
            del clauses[NO_DEAD]
        witness = None
        if findings:
            clause, reason, witness = findings[0]
            too = f" Violated too: {', '.join(failed[1:])}." if len(failed) > 1 else ""
            status, reason = Status.VIOLATED, f"{sentence(clause)} fails: {reason}{too}"
        elif space.complete:
            status, reason = Status.HOLDS, self._holds(space, statistics)
        else:
            status, reason = Status.UNKNOWN, advised(space, more)
        return self._verdict(space, status, reason, method, {**statistics, "clauses": clauses}, witness)

    def _holds(self, space: StateSpace | SymbolicSpace, statistics: dict[str, Any]) -> str:
        which = " of the net it reduces to" if "reduced" in statistics else ""
        completes = f"From each of {markings(space)}{which} the final marking {shown(self.final)} can be reached"
        if self.kind == "weak":
            return f"{completes}, and nothing is ever left over."
        return f"{completes}, nothing is ever left over, and every net transition can fire."

    def _relaxed(
        self,
        space: StateSpace | SymbolicSpace,
        useful: Collection[str],
        method: str,
        statistics: dict[str, Any],
        more: str = "",
    ) -> Verdict:
        """Whether each net transition, or another copy of it, is `useful`: fires on some way to the final marking."""
        left = all_dead(self.net, (transition for transition in self.net.transitions if transition not in useful))
        if not left:
            # Each was seen on a way to the end, so it does not matter what was not searched.
            status, reason = Status.HOLDS, f"Each net transition fires in some run that ends with {shown(self.final)}."
        elif space.complete:
            status = Status.VIOLATED
            reason = (
                f"No run that ends with {shown(self.final)} fires {listed(left)}. "
                "There is no trace to show: that would have to be a run."
            )
        else:
            status, reason = Status.UNKNOWN, advised(space, more)
        return self._verdict(space, status, reason, method, {**statistics, "never_on_a_way_to_the_end": left})

    def _verdict(
        self,
        space: StateSpace | SymbolicSpace,
        status: Status,
        reason: str,
        method: str,
        statistics: dict[str, Any],
        witness: NetWitness | None = None,
    ) -> Verdict:
        return Verdict(status, self.name, reason, witness, bound_of(space), self.assumptions, method, statistics)


def _useful(space: StateSpace, goal: int | None) -> set[str]:
    """Net transitions with a known edge to a marking from which another one can be reached."""
    able = space.able_to_reach([] if goal is None else [goal])
    numbers = range(space.n_expanded)
    edges = {edge for number in numbers for edge, target in space.edges_from(number) if able[target]}
    return {space.net.transitions[edge] for edge in edges}
