"""Whether what an expression gives may not fit the variable that it is assigned to (M10.4).

Nets and the explorer without conditions both ask this, so that they have the same failures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wfsim.model.elements import Variable
from wfsim.model.evaluate import beside_a_number, evaluate_template, fit
from wfsim.model.expression_tree import Template, is_constant
from wfsim.model.shapes import ANYTHING, Shape, always_fits
from wfsim.model.static import static_shape
from wfsim.model.values import EvaluationFault, ValueType


def may_not_fit(
    tree: Template, variable: Variable, variables: Mapping[str, Shape], payload: Mapping[str, Shape] | None
) -> bool:
    """Whether the value of an expression that raises nothing may not fit.

    `variables` are what others may hold, `payload` the fields of the event that it may read, `None` for any.
    """
    if is_constant(tree):
        return not _fits(variable, tree)
    shape = static_shape(tree, variables, payload)
    target = variable.shape
    if variable.overflow == "saturate":
        target = replace(target, minimum=None, maximum=None)
    return not always_fits(target, ANYTHING if shape is None else shape)


def held_shapes(variables: Mapping[str, Variable]) -> dict[str, Shape]:
    """What each variable may hold, null included where nothing gives it a value at the start."""
    return {
        name: each.shape if each.initial is not None or each.input else replace(each.shape, optional=True)
        for name, each in variables.items()
    }


def _fits(variable: Variable, tree: Template) -> bool:
    """Whether a value that is written out fits."""
    value = evaluate_template(tree, {}, None, "")
    try:
        fit(variable, beside_a_number(tree, value) if variable.kind is ValueType.NUMBER else value)
    except EvaluationFault:
        return False
    return True
