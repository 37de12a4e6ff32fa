"""From a definition to a program: every kind of row, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias, TypeVar

from wfsim.model.catalogue import Catalogue
from wfsim.model.declared import FieldType
from wfsim.model.duration import Duration
from wfsim.model.elements import Datum, Outcome, Region, State, Transition, Unhandled, Variable
from wfsim.model.expression_tree import (
    NOW,
    Expression,
    Literal,
    Name,
    Template,
    TemplateLiteral,
    is_constant,
    names,
)
from wfsim.model.misfits import held_shapes, may_not_fit
from wfsim.model.operations import (
    Action,
    CompensateAction,
    Compensation,
    ForEach,
    Operation,
    SendAction,
    SetVariableAction,
)
from wfsim.model.owned import variable_of
from wfsim.model.retrying import policies, policy_of
from wfsim.model.shapes import Shape, fitted, plain
from wfsim.model.static import static_type
from wfsim.model.uses import (
    RESERVED_PAYLOADS,
    addressed,
    declared_activities,
    declared_events,
    declared_variables,
    fields_in,
    invoked,
    scoped,
    uses,
)
from wfsim.model.values import ValueType, coerce
from wfsim.model.workflow import Workflow

from .codes import (
    ACTIVITY,
    ANY,
    BOOLEAN,
    CLOSE_ABANDON,
    CLOSE_CANCEL,
    CLOSE_TERMINATE,
    COMPENSATE,
    FAILURE,
    FAULT,
    FOR_EACH,
    INTEGER,
    INVOKE,
    LIST,
    NONE,
    NUMBER,
    OBJECT,
    OP_END,
    PARALLEL,
    RUN_ACTIVITY,
    SEND,
    SET_VARIABLE,
    STRING,
    SUCCESS,
    WHEN_ATTEMPTED,
    WHEN_COMPLETED,
)
from .exact import millionths, or_none, whole_and_real
from .expression_code import JUMPS, ExpressionCode, Place, can_raise
from .layout import (
    ActionRow,
    ActivityRow,
    Cell,
    ChildRow,
    ConstantRow,
    EventRow,
    FieldRow,
    Head,
    ListenerRow,
    OpRow,
    ParameterRow,
    RegionRow,
    RetryRow,
    Rows,
    StateRow,
    TransitionRow,
    VariableRow,
)
from .program import HostExpression, Program
from .rows import ITEM
from .sizes import set_sizes
from .texts import Texts

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


CLOSINGS = {"cancel": CLOSE_CANCEL, "terminate": CLOSE_TERMINATE, "abandon": CLOSE_ABANDON}
POLICIES = {Unhandled.REJECT: 0, Unhandled.DEFER: 1, Unhandled.DISCARD: 2}


# `after` and `automatic` have no payload; those of the others are in `RESERVED_PAYLOADS`.
BUILT_IN = ("done", "error", "timeout", "after", "automatic", "cancel_requested", "workflow_timeout")


R = TypeVar("R")
_Fields: TypeAlias = Mapping[str, int]
_Children: TypeAlias = Mapping[tuple[str, str | None], Workflow]


class _Same:
    """A definition as a key: equal to itself alone, and kept alive by whoever keeps the key.

    By its values it would not do: equal definitions may differ in the order of their variables, or hold 1 and 1.0.
    """

    __slots__ = ("workflow",)

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.workflow is self.workflow

    def __hash__(self) -> int:
        return id(self.workflow)


@lru_cache(maxsize=256)
def _compiled(
    family: tuple[_Same, ...], children: tuple[tuple[tuple[str, str | None], _Same], ...], erased: bool, symbolic: bool
) -> Program:
    workflows = tuple(each.workflow for each in family)
    return _Compiler(workflows, {use: each.workflow for use, each in children}, erased, symbolic).program()


def compile_workflow(
    workflow: Workflow, catalogue: Catalogue | None = None, *, erased: bool = False, symbolic: bool = False
) -> Program:
    """Compile a workflow to rows; the same objects give the same program.

    Parameters
    ----------
    catalogue
        Where the workflows that it runs are found; their versions are chosen now, and every instance of the program
        keeps to them (M4.4). Without one, children remain unknown: only their closing can be told to an instance.
    erased, symbolic
        Which expressions become questions to the surroundings; see `Program`.

    Raises
    ------
    CatalogueError
        If a workflow that it runs, directly or not, is not in the catalogue.

    Notes
    -----
    Linear in the size of the definition.
    """
    uses = [] if catalogue is None else list(invoked(workflow))
    children = {(use.workflow, use.version): catalogue.child(workflow, use) for use in uses if catalogue is not None}
    family = [workflow]
    if catalogue is not None and (children or addressed(workflow)):
        family += [one for one in catalogue.family(workflow).all_versions() if one != workflow]
    chosen = tuple((use, _Same(child)) for use, child in children.items())
    return _compiled(tuple(map(_Same, family)), chosen, erased, symbolic)


class _Compiler:
    """Fills the rows of one program; each method adds one kind."""

    def __init__(self, family: tuple[Workflow, ...], children: _Children, erased: bool, symbolic: bool) -> None:
        self.family = family
        self.workflow = workflow = family[0]
        self.children = children
        self.erased = erased
        self.symbolic = symbolic
        self.rows: Rows = [Head()]
        self.names: list[str | None] = [workflow.name]
        self.texts = Texts()
        self.host: list[HostExpression] = []
        self.deepest = 1
        self.variables = dict(declared_variables(workflow))
        self.events = dict(declared_events(workflow))
        self.activities = dict(declared_activities(workflow))
        self.variable_index = {name: k for k, name in enumerate(self.variables)}
        self.variable_shapes = {name: variable.shape for name, variable in self.variables.items()}
        self.field_shapes: dict[str, Shape] = {}
        for event in self.events.values():
            for name, field in event.payload.items():
                alike = self.field_shapes.get(name, field.shape).kind is field.kind
                self.field_shapes[name] = plain(field.kind if alike else ValueType.ANY)
        self.regions = list(workflow.regions())
        self.fields = self._payload_fields()
        self.event_rows: dict[str, int] = {}
        self.activity_rows: dict[str, int] = {}
        self.state_rows: dict[str, int] = {}
        self.region_rows: dict[str, int] = {}
        self.transitions: dict[int, Transition] = {}
        self.transition_numbers: dict[int, int] = {}
        self.initial_cells: list[Cell] = []
        self.child_workflows: dict[int, Workflow | None] = {}
        self.shapes: dict[int, Shape] = {}
        # The fields of the event that the transition which is being compiled may read.
        self.taken: Mapping[str, Shape] | None = None

    def program(self) -> Program:
        """All rows, and the head that knows where they lie."""
        head: Head = self.rows[0]
        head.first_variable, head.n_variables = self._variables()
        self._activities()
        self._events()
        self._regions()
        self._policies()
        # Where expressions are questions to the surroundings, no time answers them.
        open_ = not (self.erased or self.symbolic)
        head.reads_clock = 1 if open_ and any(NOW in names(use.tree) for use in uses(self.workflow)) else 0
        set_sizes(self.workflow, self.rows, self.deepest)
        return Program(
            workflow=self.workflow,
            family=self.family,
            rows=self.rows,
            names=self.names,
            texts=self.texts,
            host=self.host,
            erased=self.erased,
            symbolic=self.symbolic,
            variables=self.variables,
            events=self.events,
            activities=self.activities,
            event_rows=self.event_rows,
            event_fields=self.fields,
            activity_rows=self.activity_rows,
            state_rows=self.state_rows,
            region_rows=self.region_rows,
            transitions=self.transitions,
            transition_numbers=self.transition_numbers,
            initial_cells=self.initial_cells,
            children=self.child_workflows,
            shapes=self.shapes,
            functions=self.workflow.given,
        )

    # --- helpers ---------------------------------------------------------------------------------

    def add(self, row: R, name: str | None = None) -> tuple[int, R]:
        """Append a row; returns its number and itself."""
        self.rows.append(row)
        self.names.append(name)
        return len(self.rows) - 1, row

    def text(self, text: str) -> int:
        return self.texts.handle(text)

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

    # --- tables ----------------------------------------------------------------------------------

    def _variables(self) -> tuple[int, int]:
        rows = {name: self._typed(name, variable.shape) for name, variable in self.variables.items()}
        cells = {name: self._initial(variable) for name, variable in self.variables.items()}
        constants = {
            name: self.add(ConstantRow(cells[name].tag, cells[name].whole, cells[name].real))[0]
            for name, variable in self.variables.items()
            if variable.transient or isinstance(variable, Datum)
        }
        head: Head = self.rows[0]
        first_variable = len(self.rows)
        for name, variable in self.variables.items():
            row = rows[name]
            row.optional = 1 if variable.optional else 0
            row.input = 1 if variable.input else 0
            row.output = 1 if variable.output else 0
            row.saturate = 1 if variable.overflow == "saturate" else 0
            if self.erased or self.symbolic:
                row = VariableRow(name=row.name, input=row.input, output=row.output)
            row.initial = constants.get(name, NONE)
            row.transient = 1 if variable.transient else 0
            head.transients += row.transient
            number, _ = self.add(row, name)
            self.shapes[number] = variable.shape
            self.initial_cells.append(cells[name])
        return first_variable, len(self.variables)

    def _initial(self, variable: Variable) -> Cell:
        cell = Cell()
        self.texts.encode(None if variable.initial is None else fitted(variable.shape, variable.initial), cell)
        return cell

    def _typed(self, name: str, shape: Shape) -> VariableRow:
        """A row that says what values of a declared type are, with rows before it for those that are listed."""
        row = VariableRow(name=self.text(name), type=TYPES[shape.kind], optional=1 if shape.optional else 0)
        if shape.values is not None:
            row.first_allowed = len(self.rows)
            for value in shape.values:
                cell = Cell()
                self.texts.encode(coerce(shape.kind, value), cell)
                self.add(ConstantRow(cell.tag, cell.whole, cell.real))
            row.end_allowed = len(self.rows)
        low, high = shape.bounds
        if low is not None:
            row.bounded_below = 1
            row.lowest, row.lowest_real = whole_and_real(low, up=True)
        if high is not None:
            row.bounded_above = 1
            row.highest, row.highest_real = whole_and_real(high, up=False)
        row.deep = 1 if shape.deep else 0
        return row

    def _activities(self) -> None:
        results: dict[str, int] = {}
        for name, activity in self.activities.items():
            if activity.result is not None and not self.erased and not (self.symbolic and self._is_taken_up(name)):
                shape = activity.result.shape
                row = VariableRow(name=self.text(name)) if self.symbolic else self._typed(name, shape)
                results[name], _ = self.add(row, name)
                self.shapes[results[name]] = shape
        first = len(self.rows)
        places = {name: first + k for k, name in enumerate(self.activities)}
        for name, activity in self.activities.items():
            undo, undo_when = _undo(places, activity.compensate_with)
            timeout = activity.timeout if activity.timeout is not None else self.workflow.timeouts.activity
            self.activity_rows[name], _ = self.add(
                ActivityRow(
                    name=self.text(name),
                    version=NONE if activity.version is None else self.text(str(activity.version)),
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

    def _policies(self) -> None:
        for name, number in self.activity_rows.items():
            row: ActivityRow = self.rows[number]
            row.first_policy = len(self.rows)
            for policy in policies(self.workflow, name):
                self.add(
                    RetryRow(
                        max_attempts=policy.max_attempts,
                        initial_interval=int(policy.initial_interval),
                        max_interval=int(policy.max_interval),
                        coefficient=millionths(policy.backoff_coefficient),
                        jitter=millionths(policy.jitter),
                    )
                )
            row.end_policy = len(self.rows)

    def _events(self) -> None:
        first_fields: dict[str, int] = {}
        for name, fields in self.fields.items():
            declared = self.events[name].payload if name in self.events else {}
            rows = [self._field(used, declared.get(used), bool(declared)) for used in fields]
            first_fields[name] = len(self.rows)
            for used, row in zip(fields, rows, strict=True):
                number, _ = self.add(row)
                if used in declared:
                    self.shapes[number] = declared[used].shape
        head: Head = self.rows[0]
        head.first_event = len(self.rows)
        for name, fields in self.fields.items():
            event = self.events.get(name)
            policy = (event.unhandled if event else None) or self.workflow.unhandled
            number, _ = self.add(
                EventRow(
                    name=self.text(name),
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
        head.done, head.error, head.timeout, head.after, head.automatic = (
            self.event_rows[name] for name in BUILT_IN[:5]
        )
        head.cancel_requested = self.event_rows["cancel_requested"]
        head.workflow_timeout_event = self.event_rows["workflow_timeout"]

    def _field(self, name: str, declared: FieldType | None, closed: bool) -> VariableRow:
        """M7.1: an event with a declared payload has no other fields."""
        if self.symbolic:
            return VariableRow(name=self.text(name))
        if declared is None:
            return VariableRow(name=self.text(name), type=FAULT if closed else ANY)
        row = self._typed(name, declared.shape)
        row.optional = 1 if declared.optional else 0
        return row

    def _regions(self) -> None:
        """Regions in preorder, their states, and transitions grouped by source state in file order."""
        head: Head = self.rows[0]
        head.root = head.first_region = len(self.rows)
        head.n_regions = len(self.regions)
        by_path: dict[tuple[str, ...], int] = {}
        for path, _region in self.regions:
            by_path[path], _ = self.add(RegionRow(name=self.text("/".join(path))), "/".join(path))
            self.region_rows["/".join(path)] = by_path[path]
        for path, region in self.regions:
            row: RegionRow = self.rows[by_path[path]]
            row.first_state = len(self.rows)
            for state in region.states:
                number, _ = self.add(StateRow(name=self.text(_path(path, state.name))), _path(path, state.name))
                self.state_rows[_path(path, state.name)] = number
            row.end_state = len(self.rows)
            row.initial = self.state_rows[_path(path, region.initial_state)]
            inside = [other for other in by_path if other[: len(path)] == path]
            row.end_region = by_path[path] + len(inside)
            if path:
                row.parent = by_path[path[:-2]]
                row.parent_state = self.state_rows[_path(path[:-2], path[-2])]
        for path, region in self.regions:
            self._transitions(path, region, by_path[path])
        for path, region in self.regions:
            for state in region.states:
                self._state(path, state, by_path)
        self._listeners(by_path)

    def _transitions(self, path: tuple[str, ...], region: Workflow | Region, number: int) -> None:
        first_number = len(self.transition_numbers)
        ready: dict[int, TransitionRow] = {}
        states = {state.name: state for state in region.states}
        for k, transition in enumerate(region.transitions):
            event = _event_name(transition)
            fields = self.fields[event]
            if transition.event is not None:
                self.taken = fields_in(self.workflow, states[transition.from_], transition.event)
            row = TransitionRow(
                number=first_number + k,
                region=number,
                source=self.state_rows[_path(path, transition.from_)],
                target=NONE if transition.to is None else self.state_rows[_path(path, transition.to)],
                event=self.event_rows[event],
            )
            if transition.event is not None and transition.event.startswith("error."):
                row.error_source = self.text(transition.event.removeprefix("error."))
            row.after, row.after_code = self._deadline(transition.after, transition.after_tree)
            if transition.at_tree is not None:
                row.at_code = self._code(transition.at_tree, {}, "moment")
            if transition.condition_tree is not None:
                row.condition = self._code(transition.condition_tree, fields, "condition")
            pre = self._actions(transition.pre_actions, fields)
            post = self._actions(transition.post_actions, fields)
            row.first_pre, row.end_pre = self._block(pre)
            row.first_post, row.end_post = self._block(post)
            self.taken = None
            ready[k] = row
        leaving: dict[str, list[int]] = {state.name: [] for state in region.states}
        for k, transition in enumerate(region.transitions):
            leaving[transition.from_].append(k)
        for state in region.states:
            owner: StateRow = self.rows[self.state_rows[_path(path, state.name)]]
            owner.first_transition = len(self.rows)
            timers = 1
            for k in leaving[state.name]:
                transition = region.transitions[k]
                if transition.timed:
                    ready[k].timer = timers
                    timers += 1
                at, _ = self.add(ready[k], str(transition))
                self.transitions[at] = transition
                self.transition_numbers[at] = first_number + k + 1
            owner.end_transition = len(self.rows)
            owner.n_timers = timers

    def _state(self, path: tuple[str, ...], state: State, by_path: Mapping[tuple[str, ...], int]) -> None:
        row: StateRow = self.rows[self.state_rows[_path(path, state.name)]]
        row.region = by_path[path]
        row.terminal = 1 if state.is_terminal else 0
        row.outcome = FAILURE if state.outcome is Outcome.FAILURE else SUCCESS
        timeout = state.timeout
        if timeout is None and not path:
            timeout = self.workflow.timeouts.states.get(state.name)
        row.timeout, row.timeout_code = self._deadline(timeout, state.timeout_tree)
        row.first_entry, row.end_entry = self._block(self._actions(state.entry_actions, {}))
        row.first_exit, row.end_exit = self._block(self._actions(state.exit_actions, {}))
        if state.data:
            row.first_datum = self._variable_row(variable_of((*path, state.name), next(iter(state.data))))
            row.end_datum = row.first_datum + len(state.data)
        if state.activity is not None:
            row.work = ACTIVITY
            row.activity = self.activity_rows[state.activity.name]
            row.first_input, row.end_input = self._parameters(state.activity, {})
        elif state.invoke is not None:
            row.work = INVOKE
            row.parent_close = CLOSINGS[state.invoke.parent_close]
            row.first_input, row.end_input = self._parameters(state.invoke, {})
            row.activity = self._child(state.invoke.workflow, state.invoke.version)
            child: ChildRow = self.rows[row.activity]
            child.undo, child.undo_when = _undo(self.activity_rows, state.invoke.compensate_with)
        elif state.for_each is not None:
            self._for_each(row, state.for_each)
        elif state.parallel is not None:
            row.work = PARALLEL
            row.n_regions = len(state.parallel.regions)
            row.first_region = by_path[(*path, state.name, state.parallel.regions[0].name)]
            wanted = state.parallel.join
            row.join = row.n_regions if wanted == "all" else 1 if wanted == "any" else int(wanted)
        if state.work is not None:
            row.result_variable = self._taker(state.work)

    def _for_each(self, row: StateRow, work: ForEach) -> None:
        row.work = FOR_EACH
        row.items = self._code(work.items_tree, {}, "items")
        row.max_parallel = work.max_parallel or 0
        row.collect = 1 if work.on_failure == "collect" else 0
        row.tolerated, row.tolerated_share = work.tolerated
        if work.workflow is not None:
            row.runs_children = 1
            row.activity = self._child(work.workflow, work.version)
        else:
            row.activity = self.activity_rows[work.activity or ""]
        row.first_input, row.end_input = self._parameters(work, {work.as_: ITEM}, "item")

    def _child(self, name: str, version: str | None) -> int:
        """A row for a workflow that a state runs; its version is the one chosen from the catalogue, if there is one."""
        child = self.children.get((name, version))
        told = version if child is None else child.version
        number, _ = self.add(ChildRow(name=self.text(name), version=NONE if told is None else self.text(told)), name)
        self.child_workflows[number] = child
        return number

    def _listeners(self, by_path: Mapping[tuple[str, ...], int]) -> None:
        listening: dict[str, list[int]] = {name: [] for name in self.fields}
        for path, region in self.regions:
            for transition in region.transitions:
                regions = listening[_event_name(transition)]
                if by_path[path] not in regions:
                    regions.append(by_path[path])
        for name, regions in listening.items():
            row: EventRow = self.rows[self.event_rows[name]]
            row.first_listener = len(self.rows)
            for number in regions:
                self.add(ListenerRow(region=number))
            row.end_listener = len(self.rows)

    # --- actions and expressions -----------------------------------------------------------------

    def _variable_row(self, name: str) -> int:
        head: Head = self.rows[0]
        return head.first_variable + self.variable_index[name]

    def _taker(self, operation: Operation) -> int:
        """The row of the variable that takes its result."""
        written = operation.written
        return NONE if written is None else self._variable_row(written.variable)

    def _actions(self, actions: Iterable[Action], fields: _Fields) -> list[ActionRow]:
        """Rows of actions that follow one another.

        Without conditions, of assignments in a row only the first that may fail is asked whether it does: to fail at
        another one comes to the same, and a handler that fails itself, time and again, would be tried in all ways.
        """
        found, stands = list[ActionRow](), False
        for action in actions:
            row = self._action(action, fields)
            if not isinstance(action, SetVariableAction):
                stands = False
            elif self.erased and action.on_failure == "abort" and self._may_fail(action):
                if stands:
                    row.code = self._code(TemplateLiteral(None), fields)
                stands = True
            found.append(row)
        return found

    def _may_fail(self, action: SetVariableAction) -> bool:
        tree, variable = action.value_tree, self.variables[action.written.variable]
        return can_raise(tree) or may_not_fit(tree, variable, held_shapes(self.variables), self.taken)

    def _action(self, action: Action, fields: _Fields) -> ActionRow:
        ignore = 1 if action.on_failure == "ignore" else 0
        if isinstance(action, SetVariableAction):
            name, template = action.written.variable, action.value_tree
            if isinstance(template, (TemplateLiteral, Literal)) and template.value is not None:
                template = type(template)(coerce(self.variables[name].kind, template.value))
            return ActionRow(
                action=SET_VARIABLE,
                variable=self._variable_row(name),
                code=self._code(template, fields, target=name),
                ignore=ignore,
            )
        if isinstance(action, CompensateAction):
            scope = NONE
            if action.scope is not None:
                (path,) = scoped(self.workflow, action.scope)
                scope = {**self.region_rows, **self.state_rows}[path]
            return ActionRow(action=COMPENSATE, scope=scope, ignore=ignore)
        if isinstance(action, SendAction):
            return self._send(action, fields)
        first, end = self._parameters(action, fields)
        return ActionRow(
            action=RUN_ACTIVITY,
            name=self.text(action.name),
            activity=self.activity_rows[action.name],
            first_input=first,
            end_input=end,
            variable=self._taker(action),
            ignore=ignore,
        )

    def _send(self, action: SendAction, fields: Mapping[str, int]) -> ActionRow:
        named, _ = self.add(FieldRow(self.text(action.event)), action.event)
        first, end = self._parameters(action, fields)
        places = self.fields.get(action.event, {}) if action.event in self.events else {}
        for k, name in enumerate(action.inputs):
            self.rows[first + k].cell = places.get(name, k + 1)
        return ActionRow(
            action=SEND,
            event=named,
            own_event=self.event_rows[action.event] if action.event in self.events else NONE,
            code=self._code(action.receiver, fields, "receiver"),
            key=NONE if action.key is None else self._code(action.key, fields, "key"),
            first_input=first,
            end_input=end,
            ignore=1 if action.on_failure == "ignore" else 0,
        )

    def _block(self, rows: Iterable[ActionRow]) -> tuple[int, int]:
        first = len(self.rows)
        for row in rows:
            self.add(row)
        return first, len(self.rows)

    def _parameters(self, operation: Operation, fields: _Fields, role: str = "value") -> tuple[int, int]:
        coded = [(name, self._code(tree, fields, role)) for name, tree in operation.inputs.items()]
        first = len(self.rows)
        for name, code in coded:
            self.add(ParameterRow(name=self.text(name), code=code))
        return first, len(self.rows)

    def _deadline(self, value: Duration | str | None, tree: Template | None) -> tuple[int, int]:
        if tree is not None:
            return NONE, self._code(tree, {}, "duration")
        return NONE if value is None else int(Duration.of(value)), NONE

    def _kind_of(self, expression: Expression) -> ValueType | None:
        """The kind of a value, where it is the same for whatever event it may read."""
        return static_type(expression, self.variable_shapes, self.field_shapes)

    def _code(self, template: Template, fields: _Fields, role: str = "value", target: str | None = None) -> int:
        """Compile an expression; returns the row of its first operation."""
        is_number = target is not None and self.variables[target].kind is ValueType.NUMBER
        place = Place(fields, role, target, is_number, reads_parts=not (self.erased or self.symbolic))
        code = ExpressionCode(
            self.texts,
            self.host,
            self.variable_index,
            place,
            kind_of=self._kind_of,
            functions=list(self.workflow.functions),
        )
        plain = is_constant(template)
        chosen = role in ("items", "receiver", "key")
        misfit = (
            self.erased
            and target is not None
            and may_not_fit(template, self.variables[target], held_shapes(self.variables), self.taken)
        )
        asked = self.erased and (role == "condition" or chosen or can_raise(template)) and not (plain and chosen)
        if misfit:
            depth = code.ask(template)
            self.host[-1] = replace(self.host[-1], raises=True)
        elif asked or (self.symbolic and (target is not None or not plain)):
            depth = code.ask(template)
        elif self.erased and not (plain and chosen):
            depth = code.constant(0 if role in ("duration", "moment") else None)
        else:
            depth = code.compile(template)
        self.deepest = max(self.deepest, depth)
        first = len(self.rows)
        for op in [*code.ops, OpRow(OP_END)]:
            if op.op in JUMPS:
                op.a += first
            self.add(op)
        return first


def _undo(activities: Mapping[str, int], compensation: Compensation | None) -> tuple[int, int]:
    """The row of a compensator, and from when on there is something to undo (M9.1)."""
    if compensation is None:
        return NONE, WHEN_COMPLETED
    return activities[compensation.activity], WHEN_ATTEMPTED if compensation.when == "attempted" else WHEN_COMPLETED


def _event_name(transition: Transition) -> str:
    if transition.timed:
        return "after"
    if transition.event is None:
        return "automatic"
    return "error" if transition.event.startswith("error.") else transition.event


def _path(path: tuple[str, ...], name: str) -> str:
    return "/".join((*path, name))
