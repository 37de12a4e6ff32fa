"""Defects between an activity's declared types and those who run it: wrong inputs, results that nobody can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import did_you_mean, listed
from wfsim.model.given import GIVEN_INPUT, fields_in, reads_whole
from wfsim.model.shapes import Shape, never_fits, otherwise_named
from wfsim.model.static import static_shape
from wfsim.model.uses import declared_variables, fields_at, items_of, located, transition_at, variable_shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.model.elements import Activity
    from wfsim.model.expression_tree import Template
    from wfsim.model.lint.report import Report
    from wfsim.model.operations import Operation
    from wfsim.model.problems import Path
    from wfsim.model.workflow import Workflow

Given = dict[str, Shape | None]
"""What is known of each value that an activity is handed."""


def handed(workflow: Workflow, report: Report) -> None:
    """`activity-input`, `activity-result`, `compensator-input`, `input-unread`, `type-mixed`."""
    for declared, one in workflow.activities.items():
        _unread(declared, one, report)
    for path, label, operation in located(workflow):
        name = operation.runs
        activity = workflow.activities.get(name) if name is not None else None
        if activity is None or name is None:
            continue
        given = _given(workflow, path, operation)
        if activity.input is not None:
            _inputs((*path, operation.inputs_field), label, name, activity, given, report)
        if activity.result is not None:
            _result(workflow, path, label, operation, activity, report)
        undo = operation.undone_by or activity.compensate_with
        if undo is not None:
            there = (*path, "compensate_with") if operation.undone_by is not None else ("activities", name)
            _compensator(workflow, there, name, undo.activity, activity, given, report)


def _unread(name: str, activity: Activity, report: Report) -> None:
    """Inputs that what carries the activity out does not read, where the definition says what that is (M5.7)."""
    if activity.connector is None:
        return
    trees = [tree for _, tree in activity.connector.trees()]
    read = {field for tree in trees for field in fields_in(tree, GIVEN_INPUT)}
    if any(reads_whole(tree, GIVEN_INPUT) for tree in trees):
        return
    key = "http" if activity.http is not None else "command"
    for field in activity.input or {}:
        if field not in read:
            report(
                "input-unread",
                ("activities", name, "input", field),
                f"activity {name!r}",
                f"its input {field!r} is handed over, and its {key} does not read it.",
                f"Read it: ${{input.{field}}}, or remove it.",
            )


def _given(workflow: Workflow, path: Path, operation: Operation) -> Given:
    """The types of the inputs, as far as they are known."""
    found = transition_at(workflow, path)
    event = None if found is None else found[1].event
    payload = None if event is None else fields_at(workflow, path, event)
    variables = variable_shapes(workflow)
    items = items_of(operation, variables)

    def known(tree: Template) -> Shape | None:
        return static_shape(tree, variables, payload, items=items)

    return {name: known(tree) for name, tree in operation.inputs.items()}


def _wrong(declared: Mapping[str, Shape], given: Given) -> list[str]:
    """What is wrong with values for declared names, in words."""
    unknown = [name for name in given if name not in declared]
    told = [f"{name!r} is no input of it{did_you_mean(name, declared)}".rstrip(".") for name in unknown]
    told += [f"{name!r} ({one}) is missing" for name, one in declared.items() if name not in given and not one.optional]
    for name, shape in given.items():
        if name in declared and shape is not None and (reason := never_fits(declared[name], shape)) is not None:
            told.append(f"{name!r}: {reason}")
    return told


def _inputs(path: Path, label: str, name: str, activity: Activity, given: Given, report: Report) -> None:
    declared = {each: one.shape for each, one in (activity.input or {}).items()}
    told = _wrong(declared, given)
    if told:
        report(
            "activity-input",
            path,
            label,
            f"activity {name!r} is handed what it does not take: {'; '.join(told)}.",
            f"Its inputs: {listed(declared) or 'none'}. Hand over these and nothing else, or change what it declares.",
        )
    for each, shape in given.items():
        if shape is not None and each in declared and otherwise_named(declared[each], shape):
            report(
                "type-mixed",
                (*path, each),
                label,
                f"it hands a {shape} to activity {name!r} as {each!r}, which is a {declared[each]}.",
                "Hand over the value that is meant, or give both the same type.",
            )


def _result(
    workflow: Workflow, path: Path, label: str, operation: Operation, activity: Activity, report: Report
) -> None:
    assert activity.result is not None
    written, shape = operation.written, operation.gives(activity.result.shape)
    if written is None or shape is None:
        return
    reason = never_fits(declared_variables(workflow)[written.variable].shape, shape)
    if reason is not None:
        report(
            "activity-result",
            (*path, *written.path),
            label,
            f"the result of activity {operation.runs!r} never fits {written.variable!r}: {reason}. "
            "Each success becomes an error (M4.1).",
            f"Declare {written.variable!r} with the type of the result, or take the part that is meant on `done`.",
        )


def _compensator(
    workflow: Workflow, path: Path, name: str, undo: str, activity: Activity, given: Given, report: Report
) -> None:
    """M9.1: a compensator gets the inputs of what it undoes and its result, and more than it declares is no harm."""
    declared = workflow.activities[undo].input if undo in workflow.activities else None
    if declared is None:
        return
    known: Given = {"result": None if activity.result is None else activity.result.shape, **given}
    told = _wrong(
        {each: one.shape for each, one in declared.items()},
        {each: shape for each, shape in known.items() if each in declared},
    )
    if told:
        report(
            "compensator-input",
            path,
            f"activity {name!r}",
            f"{undo!r} is to undo it, but gets its inputs and its result (M9.1): {'; '.join(told)}.",
            f"Name the activity that undoes {name!r}, or hand {name!r} what its compensator needs as well.",
        )
