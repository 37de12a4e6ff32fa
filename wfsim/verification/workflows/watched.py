"""Answers about runs: a property's automaton over the state space, and what was found, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wfsim.errors import NotCovered
from wfsim.model.duration import Duration
from wfsim.model.expression_tree import Arithmetic, walk
from wfsim.model.uses import declared_variables, writes
from wfsim.model.workflow import Workflow
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status, Verdict
from wfsim.verification.workflows.fairness import Unfair
from wfsim.verification.workflows.patterns import Automaton, Pattern
from wfsim.verification.workflows.runs import Finding, Product
from wfsim.verification.workflows.searched import ASSUMPTIONS, INDUCTION, SAMPLED, Search
from wfsim.verification.workflows.space import WorkflowSpace
from wfsim.verification.workflows.supposed import assumed
from wfsim.verification.workflows.told import NotReplayed, witness_along

METHOD = "automaton of the property over the states of step with candidate values, breadth first"
WHOLE_METHOD = f"{METHOD}; fair circles in strongly connected components"
FAIRNESS = {
    "progress": "fairness `progress`: clocks run out, work ends and children close, in whatever way; "
    "events may never come, and an operator does not intervene for ever",
    "strong": "fairness `strong`: what is possible again and again happens again and again, events and results alike",
    "none": "fairness `none`: a run may stop anywhere",
}
_TIMER = "what would go on for ever is ended by the workflow timer"


def refuted(search: Search, asked: Property, pattern: Pattern) -> Verdict:
    """The verdict on a property of runs, asked as a pattern.

    The automaton watches every run that the space holds. Where that leaves a property open that a finite run would
    refute, it is asked of all values at once, and before the search where this would not come to an end.
    """
    automaton = pattern.automaton()
    first = not automaton.open and grows(search.workflow)
    of_all_values = _of_all_values(search, asked, pattern, automaton) if first else None
    if of_all_values is not None and of_all_values.status is not Status.UNKNOWN:
        return of_all_values
    try:
        searched = _searched(search, asked, pattern, automaton)
    except NotReplayed as problem:
        searched = search.verdict(str(asked), Status.UNKNOWN, str(problem), search.watched)
    if automaton.within is not None and searched.status is Status.HOLDS:
        reason = (
            f"It comes in every fair run, but how soon a search cannot say, as it has no durations: whether within "
            f"{Duration(automaton.within).spelled()} is seen by wf.monitor and wf.explore_seeds. "
            "Accept that with allow_unknown."
        )
        return replace(searched, status=Status.UNKNOWN, reason=reason)
    if searched.status is not Status.UNKNOWN or automaton.open or not search.startable:
        return searched
    if of_all_values is None:
        of_all_values = _of_all_values(search, asked, pattern, automaton)
    if of_all_values.status is not Status.UNKNOWN:
        return of_all_values
    return replace(
        searched,
        reason=f"{searched.reason}\nNor is it known for all values: {of_all_values.reason}",
        bound=dict(searched.bound) | dict(of_all_values.bound),
        method=f"{searched.method}; {of_all_values.method}",
    )


def grows(workflow: Workflow) -> bool:
    """Whether a number is computed that has no lowest or no highest value, so that states may have no end."""
    variables = declared_variables(workflow)
    for write in writes(workflow):
        if write.value is None or not any(isinstance(node, Arithmetic) for node in walk(write.value)):
            continue
        if variables[write.variable].minimum is None or variables[write.variable].maximum is None:
            return True
    return False


def _of_all_values(search: Search, asked: Property, pattern: Pattern, automaton: Automaton) -> Verdict:
    """The verdict by bounded runs and induction, with values as terms."""
    from wfsim.verification.workflows.alone import alone
    from wfsim.verification.workflows.symbolic.induction import decide

    anything = (*ASSUMPTIONS, *assumed(search.workflow, any_function=True))
    more: dict[str, Any] = {"assumptions": anything, "method": INDUCTION}
    try:
        with alone(search.limits):
            found = decide(search.symbolic, automaton, search.trees, search.limits)
    except NotCovered as limit:
        return Verdict(Status.UNKNOWN, str(asked), str(limit), None, {}, **more)
    bound = {"depth": found.depth, "locations": found.locations}
    if found.finding is not None and found.line is not None:
        more |= {"assumptions": ASSUMPTIONS, "bound": bound}
        return _violated(search, asked, pattern, automaton, found.line, found.finding, more)
    if found.status == "holds":
        bound["complete"] = True
        reason = found.reason
        if found.vacuous:
            reason = _for_want_of_a_case(automaton)
            more["statistics"] = {"vacuous": True}
        return Verdict(Status.HOLDS, str(asked), reason, None, bound, **more)
    return Verdict(Status.UNKNOWN, str(asked), found.reason, None, bound, **more)


def _for_want_of_a_case(automaton: Automaton) -> str:
    claim = automaton.claims[automaton.trigger].text
    return f"No run refutes it, but for want of a case: `{claim}` is true at no moment. Is it what you mean?"


def _searched(search: Search, asked: Property, pattern: Pattern, automaton: Automaton) -> Verdict:
    """The verdict on the runs that the space holds."""
    space = search.watched
    product = Product(space, automaton, search.limits)
    finding = product.finding
    if finding is None and automaton.open:
        finding = Unfair(product).find()
    more: dict[str, Any] = {
        "method": METHOD,
        "statistics": {"product_states": len(product.states)},
    }
    if automaton.open:
        more["method"] = WHOLE_METHOD
        ends = (_TIMER,) if space.program.workflow.timeouts.workflow is not None else ()
        opened = "open environment: every event that would be taken, timer and result may come at any moment"
        more["assumptions"] = (opened, *ASSUMPTIONS[1:], FAIRNESS[automaton.fairness], *ends)
    if finding is None:
        reason = "No run refutes it."
        if automaton.trigger >= 0 and automaton.trigger not in product.moments.true and space.complete:
            reason = _for_want_of_a_case(automaton)
            more["statistics"]["vacuous"] = True
        return search.holds(str(asked), reason, space, **more)
    if automaton.fairness == "strong" and automaton.open and finding.kind in ("loop", "waits") and not space.exact:
        reason = f"With the values tried: {_told(space, pattern, finding)} But {SAMPLED}"
        return search.verdict(str(asked), Status.UNKNOWN, reason, space, **more)
    return _violated(search, asked, pattern, automaton, space, finding, more)


def _violated(
    search: Search,
    asked: Property,
    pattern: Pattern,
    automaton: Automaton,
    space: WorkflowSpace,
    finding: Finding,
    more: dict[str, Any],
) -> Verdict:
    """The verdict on a run that refutes a property, or on which a claim has no value."""
    shown = tuple(dict.fromkeys(name for claim in automaton.claims for name in claim.variables))
    witness = witness_along(space, finding.path, loop=finding.loop, further=finding.further, shown=shown)
    if finding.kind == "fault":
        reason = (
            f"A claim has no value in state '{_state(space, finding)}': {finding.told} "
            "Say what is meant there: `context.x != null and …`."
        )
        return search.verdict(str(asked), Status.ERROR, reason, space, witness=witness, **more)
    reason = _told(space, pattern, finding)
    return search.verdict(str(asked), Status.VIOLATED, reason, space, witness=witness, **more)


def _state(space: WorkflowSpace, finding: Finding) -> str:
    return space.instance(finding.number).state


def _told(space: WorkflowSpace, pattern: Pattern, finding: Finding) -> str:
    """Why a run refutes a property."""
    told = pattern.told()
    told = told[0].upper() + told[1:]
    where = f"'{_state(space, finding)}'"
    if finding.kind == "moment":
        return f"{told}, in state {where}."
    if finding.kind == "closed":
        return f"{told}: the run ends in state {where} ({space.instance(finding.number).status})."
    if finding.kind == "stops":
        return f"{told}: the run may stop in state {where}."
    if finding.kind == "timed_out":
        return f"{told}: what goes on for ever, as in state {where}, is ended by the workflow timer."
    if finding.kind == "loop":
        n = len(finding.loop)
        steps = "the last step" if n == 1 else f"the last {n} steps"
        return f"{told}: from state {where}, {steps} can be repeated for ever."
    if finding.number >= space.n_expanded:
        return f"{told}: the run may wait in state {where} for ever; no clock and no work runs there."
    events = sorted({edge.stimulus.event or "an operator" for edge in space.edges[finding.number]})
    on = f"only {' or '.join(events)} would lead on" if events else "nothing leads on"
    return f"{told}: the run may wait in state {where} for ever; no clock and no work runs there, {on}."
