"""Answers about runs: a property's automaton over the state space, and what was found, in words."""

from __future__ import annotations

from typing import Any

from .fairness import Unfair
from .patterns import PATTERNS, Pattern
from .property_files import Property
from .runs import Finding, Product
from .searched import ASSUMPTIONS, SAMPLED, Search
from .space import WorkflowSpace
from .told import witness_along
from .verdict import Status, Verdict

METHOD = "automaton of the property over the states of step with candidate values, breadth first"
WHOLE_METHOD = f"{METHOD}; fair circles in strongly connected components"
FAIRNESS = {
    "progress": "fairness `progress`: clocks run out, work ends and children close, in whatever way; "
    "events may never come, and an operator does not intervene for ever",
    "strong": "fairness `strong`: what is possible again and again happens again and again, events and results alike",
    "none": "fairness `none`: a run may stop anywhere",
}
_TIMER = "what would go on for ever is ended by the workflow timer"


def refuted(search: Search, asked: Property) -> Verdict:
    """The verdict on a property of runs: the automaton watches every run that the space holds."""
    pattern = PATTERNS[asked.name].model_validate(asked.options)
    automaton = pattern.automaton()
    space = search.watched
    product = Product(space, automaton)
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
            claim = automaton.claims[automaton.trigger].text
            reason = f"No run refutes it, but for want of a case: `{claim}` is true at no moment. Is it what you mean?"
            more["statistics"]["vacuous"] = True
        return search.holds(str(asked), reason, space, **more)
    shown = tuple(dict.fromkeys(name for claim in automaton.claims for name in claim.variables))
    more["witness"] = witness_along(
        space, finding.path, finding.number, loop=finding.loop, further=finding.further, shown=shown
    )
    if finding.kind == "fault":
        return search.verdict(
            str(asked),
            Status.ERROR,
            f"A claim has no value in state '{_state(space, finding)}': {finding.told} "
            "Say what is meant there: `context.x != null and …`.",
            space,
            **more,
        )
    reason = _told(space, pattern, finding)
    if automaton.fairness == "strong" and automaton.open and finding.kind in ("loop", "waits") and not space.exact:
        del more["witness"]
        reason = f"With the values tried: {reason} But {SAMPLED}"
        return search.verdict(str(asked), Status.UNKNOWN, reason, space, **more)
    return search.verdict(str(asked), Status.VIOLATED, reason, space, **more)


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
