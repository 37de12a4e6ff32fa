"""Defects between a workflow and those that it starts: children not there, inputs they refuse, lost results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import CatalogueError, did_you_mean, listed
from wfsim.model.catalogue import Catalogue
from wfsim.model.duration import Duration
from wfsim.model.evaluate import fit
from wfsim.model.expression_tree import Template, TemplateList, TemplateLiteral, TemplateObject, expression_parts
from wfsim.model.expressions import to_text
from wfsim.model.shapes import Shape, never_fits
from wfsim.model.static import static_shape
from wfsim.model.uses import declared_variables, fields_in, parts, transition_uses, variable_shapes
from wfsim.model.values import EvaluationFault, ValueType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.model.elements import State, Variable
    from wfsim.model.lint.report import Report
    from wfsim.model.operations import Inputs, Operation
    from wfsim.model.problems import Path
    from wfsim.model.uses import Part
    from wfsim.model.workflow import Workflow


def children(workflow: Workflow, others: Iterable[Workflow], report: Report) -> None:
    """`child-unknown`, `child-input`, `child-result`, `child-outlasts`; nothing without other workflows."""
    versions = list(others.all_versions() if isinstance(others, Catalogue) else others)
    if not versions:
        return
    known = Catalogue([workflow, *(one for one in versions if one.name != workflow.name)])
    for part in parts(workflow):
        for index, state in enumerate(part.region.states):
            work = state.work
            if work is None or work.invokes is None:
                continue
            path: Path = (*part.state_path(index), work.field)
            try:
                child = known.get(*work.invokes)
            except CatalogueError as error:
                report(
                    "child-unknown",
                    (*path, "workflow"),
                    f"state {state.name!r}",
                    f"what it runs is not among the workflows given: {error}",
                    "Correct the name or the version, or give the workflow too.",
                )
                continue
            _inputs(workflow, state, child, work.inputs, (*path, work.inputs_field), report)
            _result(workflow, state, child, work, (*path, "result_variable"), report)
            _reads(workflow, part, state, child, work, report)
            _time(workflow, state, child, path, report)


def _inputs(
    workflow: Workflow,
    state: State,
    child: Workflow,
    inputs: Inputs,
    path: Path,
    report: Report,
) -> None:
    accepted = {name: one for name, one in declared_variables(child).items() if one.input}
    told: list[str] = []
    for name, tree in inputs.items():
        if name not in accepted:
            told.append(f"{name!r} is no input there{did_you_mean(name, accepted) or ''}".rstrip("."))
            continue
        reason = _misfit(workflow, accepted[name], tree)
        if reason is not None:
            told.append(f"{name!r}: {reason}")
    told += [
        f"{name!r} ({one.shape}) is missing"
        for name, one in accepted.items()
        if name not in inputs and one.initial is None and not one.optional
    ]
    if told:
        report(
            "child-input",
            path,
            f"state {state.name!r}",
            f"{child.name} {child.version} refuses to start, each time (M7.2): {'; '.join(told)}. "
            f"Its inputs: {listed(accepted) or 'none'}.",
            f"Give what {child.name!r} needs and nothing else, or change its inputs.",
        )


def _misfit(workflow: Workflow, variable: Variable, tree: Template) -> str | None:
    """Why a value never fits an input; `None` if it may."""
    if isinstance(tree, TemplateLiteral):
        try:
            fit(variable, tree.value)
        except EvaluationFault as fault:
            return fault.message.rstrip(".")
        return None
    given = static_shape(tree, variable_shapes(workflow))
    if given is None or (reason := never_fits(variable.shape, given)) is None:
        return None
    shown = "it" if isinstance(tree, TemplateList | TemplateObject) else f"${{{to_text(tree)}}}"
    return f"{shown}: {reason}"


def _time(workflow: Workflow, state: State, child: Workflow, path: Path, report: Report) -> None:
    """A child that may take longer than the state, or the workflow, that waits for it."""
    longest = child.timeouts.workflow
    own = state.timeout if state.timeout is not None else workflow.timeouts.states.get(state.name)
    clocks = [
        (own, f"the timeout of the state, {own}"),
        (workflow.timeouts.workflow, "the timeout of this workflow, {}"),
    ]
    for clock, told in clocks:
        if longest is not None and isinstance(clock, Duration) and longest > clock:
            report(
                "child-outlasts",
                path,
                f"state {state.name!r}",
                f"{child.name} {child.version} may take {longest}, and {told.format(clock)}, ends it before.",
                "Lengthen the clock of the parent, or shorten timeouts.workflow of the child.",
            )
            return


def _reads(workflow: Workflow, part: Part, state: State, child: Workflow, work: Operation, report: Report) -> None:
    """What is asked of a result on `done` and can never work, by what the child gives."""
    known = fields_in(workflow, state, "done") or {}
    payload = {**known, "result": work.gives(Shape(ValueType.OBJECT, fields=_gives(child)))}
    fields = {name: shape for name, shape in payload.items() if shape is not None}
    for index, transition in enumerate(part.region.transitions):
        if transition.from_ != state.name or transition.event != "done":
            continue
        for use in transition_uses(part, index, transition):
            told: list[str] = []
            for expression in expression_parts(use.tree):
                static_shape(expression, variable_shapes(workflow), fields, told.append)
            if told:
                gives = listed(_gives(child)) or "nothing"
                report(
                    "child-result",
                    use.path,
                    part.transition_label(index),
                    f"{child.name} {child.version} gives {gives}: {'; '.join(told)} (M4.4).",
                    f"Read what it gives, or mark what is meant with output: true in {child.name!r}.",
                )


def _gives(child: Workflow) -> dict[str, Shape]:
    return {name: one.shape for name, one in declared_variables(child).items() if one.output}


def _result(workflow: Workflow, state: State, child: Workflow, work: Operation, path: Path, report: Report) -> None:
    written = work.written
    if written is None:
        return
    taker = written.variable
    shape = declared_variables(workflow)[taker].shape
    gives = _gives(child)
    given = work.gives(Shape(ValueType.OBJECT, fields=gives))
    if not gives and work.repeats:
        return
    if not gives:
        wrong = f"{child.name} {child.version} has no output variable, so {taker!r} becomes null"
        advice = f"Mark what it gives with output: true in {child.name!r}, or take no result."
    elif given is not None and (reason := never_fits(shape, given)) is not None:
        kind = "a list of what each item came to" if work.repeats else f"an object of {listed(gives)}"
        wrong = f"the result is {kind}, and {taker!r} never takes it ({reason}): `done` is an error"
        advice = f"Declare {taker!r} as {'list' if work.repeats else 'object'}, or with the fields that it gives."
    else:
        return
    report("child-result", path, f"state {state.name!r}", wrong + " (M4.4).", advice)
