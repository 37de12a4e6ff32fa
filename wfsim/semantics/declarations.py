"""What a workflow declares, as rows of its program: variables, activities, events."""

from __future__ import annotations

from collections.abc import Mapping

from wfsim.model.declared import FieldType
from wfsim.model.elements import Datum, Unhandled, Variable
from wfsim.model.expression_tree import Name, names
from wfsim.model.operations import Compensation
from wfsim.model.retrying import policies, policy_of
from wfsim.model.shapes import Shape, fitted
from wfsim.model.uses import RESERVED_PAYLOADS, declared_activities, declared_events, declared_variables, uses
from wfsim.model.values import ValueType, coerce
from wfsim.model.workflow import Workflow

from .codes import ANY, BOOLEAN, FAULT, INTEGER, LIST, NONE, NUMBER, OBJECT, STRING, WHEN_ATTEMPTED, WHEN_COMPLETED
from .exact import millionths, or_none, whole_and_real
from .layout import ActivityRow, Cell, ConstantRow, EventRow, RetryRow, VariableRow
from .sheet import Sheet

TYPES = {
    ValueType.STRING: STRING,
    ValueType.INTEGER: INTEGER,
    ValueType.TIMESTAMP: INTEGER,
    ValueType.NUMBER: NUMBER,
    ValueType.BOOLEAN: BOOLEAN,
    ValueType.LIST: LIST,
    ValueType.OBJECT: OBJECT,
    ValueType.ANY: ANY,
}

POLICIES = {Unhandled.REJECT: 0, Unhandled.DEFER: 1, Unhandled.DISCARD: 2}

# `after` and `automatic` have no payload; those of the others are in `RESERVED_PAYLOADS`.
BUILT_IN = ("done", "error", "timeout", "after", "automatic", "cancel_requested", "workflow_timeout")


class Declarations:
    """Variables, activities and events of a workflow with those of its states, and the rows that say what they are.

    Attributes
    ----------
    variable_index
        Their numbers, by name.
    fields
        For each event its payload fields and the cells they lie in; cell 0 is for the rest of the payload.
    event_rows, activity_rows
        Numbers of rows, by name.
    initial_cells
        What variables hold in the beginning, in order.
    shapes
        Declared types, by the number of the row that says them too.
    """

    def __init__(self, sheet: Sheet, workflow: Workflow) -> None:
        self.sheet = sheet
        self.workflow = workflow
        self.variables = dict(declared_variables(workflow))
        self.events = dict(declared_events(workflow))
        self.activities = dict(declared_activities(workflow))
        self.variable_index = {name: k for k, name in enumerate(self.variables)}
        self.fields = self._payload_fields()
        self.event_rows: dict[str, int] = {}
        self.activity_rows: dict[str, int] = {}
        self.initial_cells: list[Cell] = []
        self.shapes: dict[int, Shape] = {}

    def variable_row(self, name: str) -> int:
        """The number of the row of a variable, once there is one."""
        return self.sheet.head.first_variable + self.variable_index[name]

    def _payload_fields(self) -> dict[str, dict[str, int]]:
        """For each event its payload fields and the cells they lie in; cell 0 is for the rest of the payload."""
        fields: dict[str, list[str]] = {name: list(event.payload) for name, event in self.events.items()}
        for name in BUILT_IN:
            fields[name] = list(RESERVED_PAYLOADS.get(name, ()))
        for use in uses(self.workflow):
            if use.event is not None:
                read = fields["error" if use.event.startswith("error.") else use.event]
                for used in names(use.tree):
                    if isinstance(used, Name) and used.scope == "event" and used.field not in read:
                        read.append(used.field)
        for message in (each.sends for each in self.workflow.operations()):
            if message is not None and message.event in self.events:
                own = fields[message.event]
                own.extend(name for name in message.inputs if name not in own)
        return {name: {used: k + 1 for k, used in enumerate(listed)} for name, listed in fields.items()}

    # --- variables ---------------------------------------------------------------------------------

    def add_variables(self) -> None:
        """A row for each variable; before them those of initial and of listed values."""
        rows = {name: self._typed(name, variable.shape) for name, variable in self.variables.items()}
        cells = {name: self._initial(variable) for name, variable in self.variables.items()}
        constants = {
            name: self.sheet.add(ConstantRow(cells[name].tag, cells[name].whole, cells[name].real))[0]
            for name, variable in self.variables.items()
            if variable.transient or isinstance(variable, Datum)
        }
        head = self.sheet.head
        head.first_variable, head.n_variables = len(self.sheet.rows), len(self.variables)
        for name, variable in self.variables.items():
            row = rows[name]
            row.optional = 1 if variable.optional else 0
            row.input = 1 if variable.input else 0
            row.output = 1 if variable.output else 0
            row.saturate = 1 if variable.overflow == "saturate" else 0
            if self.sheet.erased or self.sheet.symbolic:
                row = VariableRow(name=row.name, input=row.input, output=row.output)
            row.initial = constants.get(name, NONE)
            row.transient = 1 if variable.transient else 0
            head.transients += row.transient
            number, _ = self.sheet.add(row, name)
            self.shapes[number] = variable.shape
            self.initial_cells.append(cells[name])

    def _initial(self, variable: Variable) -> Cell:
        cell = Cell()
        self.sheet.texts.encode(None if variable.initial is None else fitted(variable.shape, variable.initial), cell)
        return cell

    def _typed(self, name: str, shape: Shape) -> VariableRow:
        """A row that says what values of a declared type are, with rows before it for those that are listed."""
        row = VariableRow(name=self.sheet.text(name), type=TYPES[shape.kind], optional=1 if shape.optional else 0)
        if shape.values is not None:
            row.first_allowed = len(self.sheet.rows)
            for value in shape.values:
                cell = Cell()
                self.sheet.texts.encode(coerce(shape.kind, value), cell)
                self.sheet.add(ConstantRow(cell.tag, cell.whole, cell.real))
            row.end_allowed = len(self.sheet.rows)
        low, high = shape.bounds
        if low is not None:
            row.bounded_below = 1
            row.lowest, row.lowest_real = whole_and_real(low, up=True)
        if high is not None:
            row.bounded_above = 1
            row.highest, row.highest_real = whole_and_real(high, up=False)
        row.deep = 1 if shape.deep else 0
        return row

    # --- activities --------------------------------------------------------------------------------

    def add_activities(self) -> None:
        """A row for each activity; before them those of their results."""
        results: dict[str, int] = {}
        for name, activity in self.activities.items():
            if (
                activity.result is not None
                and not self.sheet.erased
                and not (self.sheet.symbolic and self._is_taken_up(name))
            ):
                shape = activity.result.shape
                row = VariableRow(name=self.sheet.text(name)) if self.sheet.symbolic else self._typed(name, shape)
                results[name], _ = self.sheet.add(row, name)
                self.shapes[results[name]] = shape
        first = len(self.sheet.rows)
        places = {name: first + k for k, name in enumerate(self.activities)}
        for name, activity in self.activities.items():
            undo, undo_when = undo_of(places, activity.compensate_with)
            timeout = activity.timeout if activity.timeout is not None else self.workflow.timeouts.activity
            self.activity_rows[name], _ = self.sheet.add(
                ActivityRow(
                    name=self.sheet.text(name),
                    version=NONE if activity.version is None else self.sheet.text(str(activity.version)),
                    start_to_close=or_none(timeout),
                    schedule_to_start=or_none(activity.schedule_to_start),
                    schedule_to_close=or_none(activity.schedule_to_close),
                    heartbeat=or_none(activity.heartbeat),
                    timeout_policy=policy_of(policies(self.workflow, name), "Timeout.start_to_close"),
                    undo=undo,
                    undo_when=undo_when,
                    result=results.get(name, NONE),
                ),
                name,
            )

    def _is_taken_up(self, activity: str) -> bool:
        """Whether a variable takes up what an activity gives, and so says which values that may be."""
        operations = self.workflow.operations()
        return any(each.runs == activity and each.written is not None for each in operations)

    def add_policies(self) -> None:
        """Rows of the retry policies of each activity."""
        for name, number in self.activity_rows.items():
            row: ActivityRow = self.sheet.rows[number]
            row.first_policy = len(self.sheet.rows)
            for policy in policies(self.workflow, name):
                self.sheet.add(
                    RetryRow(
                        max_attempts=policy.max_attempts,
                        initial_interval=int(policy.initial_interval),
                        max_interval=int(policy.max_interval),
                        coefficient=millionths(policy.backoff_coefficient),
                        jitter=millionths(policy.jitter),
                    )
                )
            row.end_policy = len(self.sheet.rows)

    # --- events ------------------------------------------------------------------------------------

    def add_events(self) -> None:
        """A row for each event that can come to an instance; before them those of their fields."""
        first_fields: dict[str, int] = {}
        for name, fields in self.fields.items():
            declared = self.events[name].payload if name in self.events else {}
            rows = [self._field(used, declared.get(used), bool(declared)) for used in fields]
            first_fields[name] = len(self.sheet.rows)
            for used, row in zip(fields, rows, strict=True):
                number, _ = self.sheet.add(row)
                if used in declared:
                    self.shapes[number] = declared[used].shape
        head = self.sheet.head
        head.first_event = len(self.sheet.rows)
        for name, fields in self.fields.items():
            event = self.events.get(name)
            policy = (event.unhandled if event else None) or self.workflow.unhandled
            number, _ = self.sheet.add(
                EventRow(
                    name=self.sheet.text(name),
                    outside=1 if event else 0,
                    unhandled=POLICIES[policy],
                    first_field=first_fields[name],
                    n_fields=len(fields),
                ),
                name,
            )
            self.event_rows[name] = number
        head.n_events = len(self.fields)
        # Payload cells also hold an activity's result and inputs, for its later attempts and its compensator.
        most_inputs = max((len(each.inputs) for each in self.workflow.operations()), default=0)
        head.n_fields = 1 + max(most_inputs, *(len(fields) for fields in self.fields.values()))
        head.done, head.error, head.timeout_event, head.after_event, head.automatic = (
            self.event_rows[name] for name in BUILT_IN[:5]
        )
        head.cancel_requested = self.event_rows["cancel_requested"]
        head.workflow_timeout_event = self.event_rows["workflow_timeout"]

    def _field(self, name: str, declared: FieldType | None, closed: bool) -> VariableRow:
        """M7.1: an event with a declared payload has no other fields."""
        if self.sheet.symbolic:
            return VariableRow(name=self.sheet.text(name))
        if declared is None:
            return VariableRow(name=self.sheet.text(name), type=FAULT if closed else ANY)
        row = self._typed(name, declared.shape)
        row.optional = 1 if declared.optional else 0
        return row


def undo_of(activities: Mapping[str, int], compensation: Compensation | None) -> tuple[int, int]:
    """The row of a compensator, and from when on there is something to undo (M9.1)."""
    if compensation is None:
        return NONE, WHEN_COMPLETED
    return activities[compensation.activity], WHEN_ATTEMPTED if compensation.when == "attempted" else WHEN_COMPLETED
