"""The door: `conditions` of a workflow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wfsim.arguments import expect, listed_in
from wfsim.errors import OptionError
from wfsim.model.workflow import Workflow
from wfsim.verification.nets.limits import Limits, OutOfTime
from wfsim.verification.verdict import Status
from wfsim.verification.workflows.conditions.choices import Choice, choices
from wfsim.verification.workflows.conditions.findings import Conditions, Finding, Kind

if TYPE_CHECKING:
    from wfsim.verification.workflows.conditions.asking import Asked


def conditions(
    workflow: Workflow, *, kinds: Iterable[Kind | str] = tuple(Kind), max_seconds: float | None = None
) -> Conditions:
    """Ask what the conditions of a workflow do, for all values that its declarations admit.

    Wherever an instance chooses among transitions (one state, one event or time, or neither; in file order), each
    condition is asked whether any values make it true, whether all do, whether a part of it changes nothing, whether an
    earlier one is always taken instead, whether it is true together with an earlier one, and for which values it raises
    an error; and all together, for which values none is true.

    Parameters
    ----------
    kinds
        What to ask for: `unsatisfiable`, `implied`, `shadowed`, `overlap`, `gap`, `fault`; all by default.
    max_seconds
        For all questions together; what is not answered by then is `unknown`. With 0 only plain values are tried. By
        default 2 for each question.

    Returns
    -------
    Conditions
        What is so, each with an example where it is about some values, and what could not be decided. `.to_frame()`
        gives a table.

    Raises
    ------
    OptionError
        If a kind is unknown, or the limit is negative.

    Notes
    -----
    Conditions are translated for the solver Z3 [1]_ as they are evaluated (M10): null and errors are outcomes of their
    own, integers have 64 bits, numbers are IEEE doubles. Variables may have every value that their type, range and list
    of values admit, and null where they are optional or not yet written; payload fields likewise. So `unsatisfiable`,
    `implied` and `shadowed` are true of every run; whether a run leads to the values of an overlap, a gap or an error
    is not asked. Plain values are tried first, and decide where they are all there are. Each example is evaluated by
    `wfsim.model.evaluate` before it is told; where that disagrees with the solver, the answer is `unknown`. What is in
    a list or an object is not known to the solver. Some milliseconds for each condition; arithmetic on numbers may take
    longer.

    References
    ----------
    .. [1] de Moura, Bjørner (2008), Z3: an efficient SMT solver, TACAS, LNCS 4963, 337-340.
    """
    expect(workflow, Workflow, "conditions asks a Workflow", "Load one: wf.load(path).")
    named = listed_in(kinds, "conditions takes a list of kinds", f"There are: {', '.join(Kind)}.")
    unknown = next((kind for kind in named if kind not in list(Kind)), None)
    if unknown is not None:
        raise OptionError(f"there is no kind {unknown!r} of finding. Kinds: {', '.join(Kind)}.")
    return conditions_within(workflow, map(Kind, named), Limits(max_seconds=max_seconds))


def conditions_within(workflow: Workflow, kinds: Iterable[Kind], limits: Limits) -> Conditions:
    """The same, with the time that the limits leave."""
    wanted = frozenset(kinds)
    found: list[Finding] = []
    all_choices = list(choices(workflow))
    n_questions = 0
    for k, choice in enumerate(all_choices):
        over = bool(limits.late and limits.max_seconds and wanted)
        asked = None if over else _asked(workflow, choice, wanted, limits)
        if asked is None:
            rest = len(all_choices) - k
            told = (
                f"max_seconds={limits.max_seconds:g} was over before this was asked about"
                + (f", and about {rest - 1:,} choices after it" if rest > 1 else "")
                + ". Raise it."
            )
            found.append(Finding(min(wanted, key=list(Kind).index), Status.UNKNOWN, choice.place, told))
            break
        found += asked.findings
        n_questions += asked.n_questions
    n_conditions = sum(option.written is not None for choice in all_choices for option in choice.options)
    return Conditions(workflow, tuple(found), n_conditions, len(all_choices), n_questions)


def _asked(workflow: Workflow, choice: Choice, kinds: frozenset[Kind], limits: Limits) -> Asked | None:
    """What is found at a choice; `None` if another thread had the solver until the time was over."""
    from wfsim.verification.workflows.alone import alone
    from wfsim.verification.workflows.conditions.asking import ask_choice

    try:
        with alone(limits):
            return ask_choice(workflow, choice, kinds, limits)
    except OutOfTime:
        return None
