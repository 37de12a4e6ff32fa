"""The searched state space of a workflow, and verdicts about it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from wfsim.exploration.domains import MOST_ITEMS, Domains
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.verification.nets.limits import Limits
from wfsim.verification.verdict import Status, Verdict
from wfsim.verification.workflows.claims import Claim
from wfsim.verification.workflows.space import WorkflowSpace
from wfsim.verification.workflows.supposed import assumed

if TYPE_CHECKING:
    from wfsim.verification.workflows.symbolic.reaching import Reaching
    from wfsim.verification.workflows.symbolic.space import SymbolicSpace

INDUCTION = (
    "bounded runs and k-induction (Sheeran, Singh, Stålmarck 2000) over step with values as terms, bounds of variables "
    "as lemmas; solver Z3"
)
METHOD = "explicit breadth-first search over step with candidate values"
ASSUMPTIONS = (
    "open environment: every event that would be taken, every timer and every result may come at any moment or never",
    "activity results fit the variables they are written to",
    "an operator's cancel, and the workflow timer, only where a transition handles them",
)
SAMPLED = (
    "others might behave differently: values from outside are computed with, have no fixed type, or come in too "
    "many combinations."
)


class Search:
    """The state space of a workflow, searched when the first question needs it.

    Claims about variables cut the values of these more finely. One space serves all questions, unless the claims ask
    for values that cannot all be tried: then the questions without claims keep a space of their own.

    Attributes
    ----------
    limits
        Of the question that is being answered; each has all the time for itself.
    """

    def __init__(
        self,
        workflow: Workflow,
        max_states: int,
        limits: Limits,
        catalogue: Catalogue,
        claims: tuple[Claim, ...] = (),
    ) -> None:
        self.workflow = workflow
        self.catalogue = catalogue
        self.max_states = max_states
        self.limits = limits
        self._more_follows = False
        self.trees = tuple(dict.fromkeys(tree for claim in claims if claim.variables for tree in claim.trees()))
        program = compile_workflow(workflow)
        self._one = not self.trees or Domains(program, self.trees).exact == Domains(program).exact
        self._spaces: dict[bool, WorkflowSpace] = {}

    def begin(self, more_follows: bool) -> None:
        """Begin with a question; a search leaves half of its time to what follows, if more than a look does."""
        self.limits = self.limits.begun_anew()
        self._more_follows = more_follows

    @property
    def space(self) -> WorkflowSpace:
        """The space for questions without claims."""
        if self._one and self.trees and not (self.watched.exact and self.watched.complete):
            # Values of claims must not take away an answer that there is without them.
            self._one = False
        return self._searched(self._one)

    @property
    def watched(self) -> WorkflowSpace:
        """The space for claims."""
        return self._searched(True)

    @property
    def startable(self) -> bool:
        """Whether a start was accepted, or none was tried for want of functions in Python."""
        return bool(self.workflow.given.missing) or self.space.n_states > 0

    @cached_property
    def symbolic(self) -> SymbolicSpace:
        """The control states with values as terms, for what the candidate values leave open.

        Raises
        ------
        NotCovered
            Naming the construct whose values are not followed.
        """
        from wfsim.verification.workflows.symbolic.induction import symbolic_space

        return symbolic_space(self.workflow, self.limits, self.trees)

    @cached_property
    def reaching(self) -> Reaching:
        """What runs can come to do, with values as terms.

        Raises
        ------
        NotCovered
            Naming the construct whose values are not followed, or the limit that was reached.
        OutOfTime
            If the time is over before all control states are known.
        """
        from wfsim.verification.workflows.symbolic.reaching import Reaching

        return Reaching(self.symbolic, self.max_states, self.limits)

    def _searched(self, watched: bool) -> WorkflowSpace:
        if watched not in self._spaces:
            space = WorkflowSpace(compile_workflow(self.workflow), self.trees if watched else (), "auto")
            space.search(self.max_states, self.limits.half() if self._more_follows else self.limits)
            self._spaces[watched] = space
        return self._spaces[watched]

    def verdict(
        self, name: str, status: Status, reason: str, space: WorkflowSpace | None = None, **more: Any
    ) -> Verdict:
        """A verdict that tells how far the space was searched; by default the one for questions without claims."""
        space = space or self.space
        bound: dict[str, Any] = {"states": space.n_states, "edges": space.n_edges, "complete": space.complete}
        if not space.complete:
            bound["stopped"] = space.reason
        if space.domains.bounded_lists:
            bound["items"] = MOST_ITEMS
        more = {"assumptions": ASSUMPTIONS, "method": METHOD, "bound": bound} | more
        more["assumptions"] = (*more["assumptions"], *assumed(self.workflow))
        return Verdict(status, name, reason, **more)

    def holds(self, name: str, reason: str, space: WorkflowSpace | None = None, **more: Any) -> Verdict:
        """`holds`, if the space is complete and the candidate values stand for all; else `unknown`."""
        space = space or self.space
        if not space.complete:
            reason = f"No violation among the states found, but {self.stopped(space)}"
            return self.verdict(name, Status.UNKNOWN, reason, space, **more)
        if not space.exact:
            reason = f"No violation with the values tried, but {SAMPLED}"
            return self.verdict(name, Status.UNKNOWN, reason, space, **more)
        return self.verdict(name, Status.HOLDS, reason, space, **more)

    def stopped(self, space: WorkflowSpace | None = None) -> str:
        """Why the search is incomplete, and what to do about it."""
        space = space or self.space
        if self.workflow.given.missing:
            return f"{space.reason}. Give what is missing: workflow.with_functions(…)."
        advice = "Raise max_states or max_seconds." if space.n_states else "Without a start nothing can be asked."
        return f"the search stopped: {space.reason.rstrip('.')}. {advice}"

    def unfound(self) -> str:
        """Why what was not found may exist all the same."""
        return self.stopped() if not self.space.complete else SAMPLED
