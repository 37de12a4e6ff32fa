"""Actions, what they hand over, and the expressions in them, as rows of a program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from wfsim.model.duration import Duration
from wfsim.model.expression_tree import Expression, Literal, Template, TemplateLiteral, is_constant
from wfsim.model.misfits import held_shapes, may_not_fit
from wfsim.model.operations import Action, CompensateAction, Operation, SendAction, SetVariableAction
from wfsim.model.shapes import Shape, plain
from wfsim.model.static import static_type
from wfsim.model.uses import scoped
from wfsim.model.values import ValueType, coerce

from .codes import COMPENSATE, NONE, OP_END, RUN_ACTIVITY, SEND, SET_VARIABLE
from .declarations import Declarations
from .expression_code import JUMPS, ExpressionCode, Place, can_raise
from .layout import ActionRow, FieldRow, OpRow, ParameterRow
from .sheet import Sheet

Fields: TypeAlias = Mapping[str, int]
"""The cells of a payload, by name."""


class Actions:
    """Writes rows of actions, parameters and operations of expressions.

    Parameters
    ----------
    scopes
        Rows of regions and states by path, what `compensate` may name; filled before actions are.

    Attributes
    ----------
    taken
        The fields of the event that the transition which is being compiled may read.
    """

    def __init__(self, sheet: Sheet, declared: Declarations, scopes: Mapping[str, int]) -> None:
        self.sheet = sheet
        self.declared = declared
        self.scopes = scopes
        self.taken: Mapping[str, Shape] | None = None
        self.variable_shapes = {name: variable.shape for name, variable in declared.variables.items()}
        self.field_shapes: dict[str, Shape] = {}
        for event in declared.events.values():
            for name, field in event.payload.items():
                alike = self.field_shapes.get(name, field.shape).kind is field.kind
                self.field_shapes[name] = plain(field.kind if alike else ValueType.ANY)

    def taker(self, operation: Operation) -> int:
        """The row of the variable that takes its result."""
        written = operation.written
        return NONE if written is None else self.declared.variable_row(written.variable)

    def rows_of(self, actions: Iterable[Action], fields: Fields) -> list[ActionRow]:
        """Rows of actions that follow one another.

        Without conditions, of assignments in a row only the first that may fail is asked whether it does: to fail at
        another one comes to the same, and a handler that fails itself, time and again, would be tried in all ways.
        """
        found, stands = list[ActionRow](), False
        for action in actions:
            row = self._action(action, fields)
            if not isinstance(action, SetVariableAction):
                stands = False
            elif self.sheet.erased and action.on_failure == "abort" and self._may_fail(action):
                if stands:
                    row.code = self.code(TemplateLiteral(None), fields)
                stands = True
            found.append(row)
        return found

    def _may_fail(self, action: SetVariableAction) -> bool:
        tree, variable = action.value_tree, self.declared.variables[action.written.variable]
        return can_raise(tree) or may_not_fit(tree, variable, held_shapes(self.declared.variables), self.taken)

    def _action(self, action: Action, fields: Fields) -> ActionRow:
        ignore = 1 if action.on_failure == "ignore" else 0
        if isinstance(action, SetVariableAction):
            name, template = action.written.variable, action.value_tree
            if isinstance(template, (TemplateLiteral, Literal)) and template.value is not None:
                template = type(template)(coerce(self.declared.variables[name].kind, template.value))
            return ActionRow(
                action=SET_VARIABLE,
                variable=self.declared.variable_row(name),
                code=self.code(template, fields, target=name),
                ignore=ignore,
            )
        if isinstance(action, CompensateAction):
            scope = NONE
            if action.scope is not None:
                (path,) = scoped(self.declared.workflow, action.scope)
                scope = self.scopes[path]
            return ActionRow(action=COMPENSATE, scope=scope, ignore=ignore)
        if isinstance(action, SendAction):
            return self._send(action, fields)
        first, end = self.parameters(action, fields)
        return ActionRow(
            action=RUN_ACTIVITY,
            name=self.sheet.text(action.name),
            activity=self.declared.activity_rows[action.name],
            first_input=first,
            end_input=end,
            variable=self.taker(action),
            ignore=ignore,
        )

    def _send(self, action: SendAction, fields: Mapping[str, int]) -> ActionRow:
        named, _ = self.sheet.add(FieldRow(self.sheet.text(action.event)), action.event)
        first, end = self.parameters(action, fields)
        places = self.declared.fields.get(action.event, {}) if action.event in self.declared.events else {}
        for k, name in enumerate(action.inputs):
            self.sheet.rows[first + k].cell = places.get(name, k + 1)
        return ActionRow(
            action=SEND,
            event=named,
            own_event=self.declared.event_rows[action.event] if action.event in self.declared.events else NONE,
            code=self.code(action.receiver, fields, "receiver"),
            key=NONE if action.key is None else self.code(action.key, fields, "key"),
            first_input=first,
            end_input=end,
            ignore=1 if action.on_failure == "ignore" else 0,
        )

    def block(self, rows: Iterable[ActionRow]) -> tuple[int, int]:
        """Append rows of actions; returns where they begin and end."""
        first = len(self.sheet.rows)
        for row in rows:
            self.sheet.add(row)
        return first, len(self.sheet.rows)

    def parameters(self, operation: Operation, fields: Fields, role: str = "value") -> tuple[int, int]:
        """Rows of what an operation hands over; returns where they begin and end."""
        coded = [(name, self.code(tree, fields, role)) for name, tree in operation.inputs.items()]
        first = len(self.sheet.rows)
        for name, code in coded:
            self.sheet.add(ParameterRow(name=self.sheet.text(name), code=code))
        return first, len(self.sheet.rows)

    def deadline(self, value: Duration | str | None, tree: Template | None) -> tuple[int, int]:
        """A duration that is known, or the code that tells it; the other is `NONE`."""
        if tree is not None:
            return NONE, self.code(tree, {}, "duration")
        return NONE if value is None else int(Duration.of(value)), NONE

    def kind_of(self, expression: Expression) -> ValueType | None:
        """The kind of a value, where it is the same for whatever event it may read."""
        return static_type(expression, self.variable_shapes, self.field_shapes)

    def code(self, template: Template, fields: Fields, role: str = "value", target: str | None = None) -> int:
        """Compile an expression; returns the row of its first operation."""
        is_number = target is not None and self.declared.variables[target].kind is ValueType.NUMBER
        place = Place(fields, role, target, is_number, reads_parts=not (self.sheet.erased or self.sheet.symbolic))
        code = ExpressionCode(
            self.sheet.texts,
            self.sheet.host,
            self.declared.variable_index,
            place,
            kind_of=self.kind_of,
            functions=list(self.declared.workflow.functions),
        )
        plain = is_constant(template)
        chosen = role in ("items", "receiver", "key")
        misfit = (
            self.sheet.erased
            and target is not None
            and may_not_fit(template, self.declared.variables[target], held_shapes(self.declared.variables), self.taken)
        )
        asked = self.sheet.erased and (role == "condition" or chosen or can_raise(template)) and not (plain and chosen)
        if misfit:
            depth = code.ask(template)
            self.sheet.host[-1] = replace(self.sheet.host[-1], raises=True)
        elif asked or (self.sheet.symbolic and (target is not None or not plain)):
            depth = code.ask(template)
        elif self.sheet.erased and not (plain and chosen):
            depth = code.constant(0 if role in ("duration", "moment") else None)
        else:
            depth = code.compile(template)
        self.sheet.deepest = max(self.sheet.deepest, depth)
        first = len(self.sheet.rows)
        for op in [*code.ops, OpRow(OP_END)]:
            if op.op in JUMPS:
                op.a += first
            self.sheet.add(op)
        return first
