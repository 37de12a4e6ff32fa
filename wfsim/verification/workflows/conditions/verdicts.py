"""What is found about conditions as answers to properties."""

from __future__ import annotations

from dataclasses import replace

from wfsim.model.workflow import Workflow
from wfsim.verification.nets.limits import Limits
from wfsim.verification.verdict import Status, Verdict
from wfsim.verification.workflows.conditions.findings import Finding, Kind
from wfsim.verification.workflows.conditions.report import conditions_within
from wfsim.verification.workflows.supposed import assumed

METHOD = "each condition as a formula, given to the solver Z3; examples tried by the evaluator"
ASSUMPTIONS = (
    "variables and payload fields may have every value that their declarations admit; whether a run leads to them is "
    "not asked",
)
KINDS_OF = {
    "conditions_useful": (Kind.UNSATISFIABLE, Kind.SHADOWED, Kind.IMPLIED),
    "conditions_complete": (Kind.GAP,),
    "conditions_disjoint": (Kind.OVERLAP,),
}
"""The properties of conditions, and what violates each."""
_HOLDS = {
    "conditions_useful": "Each of {} can be true where it is asked, can come out otherwise, and has no idle part.",
    "conditions_complete": "With {}, no values are left over for which nothing is taken.",
    "conditions_disjoint": "Of {}, no two that are asked together are true together.",
}


def verdict_on(workflow: Workflow, name: str, limits: Limits) -> Verdict:
    """The verdict on a property of conditions; the first finding is its reason, `further` has the rest."""
    report = conditions_within(workflow, KINDS_OF[name], limits)
    found = [each for each in report if each.status is Status.VIOLATED]
    unsure = [each for each in report if each.status is Status.UNKNOWN]
    bound: dict[str, object] = {"questions": report.n_questions, "complete": not unsure}
    if unsure:
        bound["stopped"] = f"{len(unsure)} not decided"
    if found or unsure:
        verdicts = [_verdict(workflow, name, each, bound) for each in found or unsure]
        counts = {str(kind): n for kind in KINDS_OF[name] if (n := sum(each.kind is kind for each in found))}
        statistics = {"found": counts, "unknown": [f"{each.place}: {each.told}" for each in unsure]}
        return replace(verdicts[0], further=tuple(verdicts[1:]), statistics=statistics)
    n = report.n_conditions
    reason = _HOLDS[name].format(f"{n} condition{'' if n == 1 else 's'}") if n else "There is no condition."
    counted = {"conditions": n, "choices": report.n_choices}
    return Verdict(Status.HOLDS, name, reason, None, bound, _assumed(workflow), METHOD, counted)


def _verdict(workflow: Workflow, name: str, finding: Finding, bound: dict[str, object]) -> Verdict:
    reason = f"{finding.place}: {finding.told}"
    reason = reason[0].upper() + reason[1:]
    return Verdict(finding.status, name, reason, finding.witness, bound, _assumed(workflow), METHOD)


def _assumed(workflow: Workflow) -> tuple[str, ...]:
    return (*ASSUMPTIONS, *assumed(workflow))
