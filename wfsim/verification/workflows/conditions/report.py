"""The door: `conditions` of a workflow."""

from __future__ import annotations

from collections.abc import Iterable

from wfsim.arguments import expect, expect_seconds, listed_in
from wfsim.errors import OptionError
from wfsim.model.workflow import Workflow
from wfsim.verification.workflows.conditions.choices import choices
from wfsim.verification.workflows.conditions.findings import Conditions, Finding, Kind

SECONDS = 2.0
"""For each question, unless told otherwise."""


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
        Limit of each question (2 by default); beyond it the answer is `unknown`. With 0 only plain values are
        tried.

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
    expect_seconds("max_seconds", max_seconds)
    wanted = frozenset(map(Kind, named))
    limit = SECONDS if max_seconds is None else max_seconds
    found: list[Finding] = []
    all_choices = list(choices(workflow))
    n_questions = 0
    if all_choices:
        from wfsim.verification.workflows.conditions.asking import ask_choice

        for choice in all_choices:
            asked = ask_choice(workflow, choice, wanted, limit)
            found += asked.findings
            n_questions += asked.n_questions
    n_conditions = sum(option.written is not None for choice in all_choices for option in choice.options)
    return Conditions(workflow, tuple(found), n_conditions, len(all_choices), n_questions)
