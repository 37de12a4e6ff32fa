"""From a definition to a program: every kind of row, in order."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

from wfsim.model.catalogue import Catalogue
from wfsim.model.elements import Outcome, Region, State, Transition
from wfsim.model.expression_tree import NOW, names
from wfsim.model.operations import ForEach
from wfsim.model.owned import variable_of
from wfsim.model.uses import addressed, fields_in, invoked, uses
from wfsim.model.workflow import Workflow

from .action_code import Actions
from .codes import (
    ACTIVITY,
    CLOSE_ABANDON,
    CLOSE_CANCEL,
    CLOSE_TERMINATE,
    FAILURE,
    FOR_EACH,
    INVOKE,
    NONE,
    PARALLEL,
    SUCCESS,
)
from .declarations import Declarations, undo_of
from .layout import ChildRow, EventRow, ListenerRow, RegionRow, StateRow, TransitionRow
from .program import Program
from .rows import ITEM
from .sheet import Sheet
from .sizes import set_sizes
from .texts import Texts

CLOSINGS = {"cancel": CLOSE_CANCEL, "terminate": CLOSE_TERMINATE, "abandon": CLOSE_ABANDON}


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


_MOST_ITEMS = 2**31 - 1
"""No list has more; a field of a program that counts them takes four bytes."""
_Children: TypeAlias = tuple[tuple[tuple[str, str | None], _Same], ...]


@lru_cache(maxsize=256)
def _compiled(family: tuple[_Same, ...], children: _Children, erased: bool, symbolic: bool) -> Program:
    return _Compiler(family, children, erased, symbolic, Texts()).program()


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
    return _compiled(*_kin(workflow, catalogue), erased, symbolic)


@lru_cache(maxsize=64)
def compile_family(program: Program) -> tuple[Texts, tuple[Program, ...]]:
    """A table of texts, and the programs of a family whose handles it gives: first this one, then its others.

    So a value of an instance means the same in every other one of them.
    """
    texts, catalogue = program.texts.copy(), Catalogue(program.family)
    others = (
        _Compiler(*_kin(workflow, catalogue), program.erased, program.symbolic, texts).program()
        for workflow in program.family[1:]
    )
    return texts, (program, *others)


def _kin(workflow: Workflow, catalogue: Catalogue | None) -> tuple[tuple[_Same, ...], _Children]:
    """A workflow with all that its instances may start or write to, and those that it runs itself."""
    uses = [] if catalogue is None else list(invoked(workflow))
    children = {(use.workflow, use.version): catalogue.child(workflow, use) for use in uses if catalogue is not None}
    family = [workflow]
    if catalogue is not None and (children or addressed(workflow)):
        family += [one for one in catalogue.family(workflow).all_versions() if one != workflow]
    return tuple(map(_Same, family)), tuple((use, _Same(child)) for use, child in children.items())


class _Compiler:
    """Fills the rows of one program; each method adds one kind."""

    def __init__(
        self, family: tuple[_Same, ...], children: _Children, erased: bool, symbolic: bool, texts: Texts
    ) -> None:
        self.family = tuple(each.workflow for each in family)
        self.workflow = workflow = self.family[0]
        self.children = {use: each.workflow for use, each in children}
        self.sheet = Sheet(workflow, erased, symbolic, texts)
        self.declared = Declarations(self.sheet, workflow)
        self.regions = list(workflow.regions())
        self.state_rows: dict[str, int] = {}
        self.region_rows: dict[str, int] = {}
        self.actions = Actions(self.sheet, self.declared, ChainMap(self.state_rows, self.region_rows))
        self.transitions: dict[int, Transition] = {}
        self.transition_numbers: dict[int, int] = {}
        self.child_workflows: dict[int, Workflow | None] = {}

    def program(self) -> Program:
        """All rows, and the head that knows where they lie."""
        sheet, declared = self.sheet, self.declared
        declared.add_variables()
        declared.add_activities()
        declared.add_events()
        self._regions()
        declared.add_policies()
        open_ = not (sheet.erased or sheet.symbolic)
        key_code = NONE
        if self.workflow.correlation is not None and open_:
            key_code = self.actions.code(self.workflow.correlation.key_tree, {}, "key")
        # Where expressions are questions to the surroundings, no time answers them.
        sheet.head.reads_clock = 1 if open_ and any(NOW in names(use.tree) for use in uses(self.workflow)) else 0
        set_sizes(self.workflow, sheet.rows, sheet.deepest)
        return Program(
            workflow=self.workflow,
            family=self.family,
            rows=sheet.rows,
            names=sheet.names,
            texts=sheet.texts,
            host=sheet.host,
            erased=sheet.erased,
            symbolic=sheet.symbolic,
            variables=declared.variables,
            events=declared.events,
            activities=declared.activities,
            event_rows=declared.event_rows,
            event_fields=declared.fields,
            activity_rows=declared.activity_rows,
            state_rows=self.state_rows,
            region_rows=self.region_rows,
            transitions=self.transitions,
            transition_numbers=self.transition_numbers,
            initial_cells=declared.initial_cells,
            children=self.child_workflows,
            shapes=declared.shapes,
            functions=self.workflow.given,
            key_code=key_code,
        )

    def _regions(self) -> None:
        """Regions in preorder, their states, and transitions grouped by source state in file order."""
        head = self.sheet.head
        head.root = head.first_region = len(self.sheet.rows)
        head.n_regions = len(self.regions)
        by_path: dict[tuple[str, ...], int] = {}
        for path, _region in self.regions:
            by_path[path], _ = self.sheet.add(RegionRow(name=self.sheet.text("/".join(path))), "/".join(path))
            self.region_rows["/".join(path)] = by_path[path]
        for path, region in self.regions:
            row: RegionRow = self.sheet.rows[by_path[path]]
            row.first_state = len(self.sheet.rows)
            for state in region.states:
                number, _ = self.sheet.add(
                    StateRow(name=self.sheet.text(_path(path, state.name))), _path(path, state.name)
                )
                self.state_rows[_path(path, state.name)] = number
            row.end_state = len(self.sheet.rows)
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
            fields = self.declared.fields[event]
            if transition.event is not None:
                self.actions.taken = fields_in(self.workflow, states[transition.from_], transition.event)
            row = TransitionRow(
                number=first_number + k,
                region=number,
                source=self.state_rows[_path(path, transition.from_)],
                target=NONE if transition.to is None else self.state_rows[_path(path, transition.to)],
                event=self.declared.event_rows[event],
            )
            if transition.event is not None and transition.event.startswith("error."):
                row.error_source = self.sheet.text(transition.event.removeprefix("error."))
            row.after, row.after_code = self.actions.deadline(transition.after, transition.after_tree)
            if transition.at_tree is not None:
                row.at_code = self.actions.code(transition.at_tree, {}, "moment")
            if transition.condition_tree is not None:
                row.condition = self.actions.code(transition.condition_tree, fields, "condition")
            pre = self.actions.rows_of(transition.pre_actions, fields)
            post = self.actions.rows_of(transition.post_actions, fields)
            row.first_pre, row.end_pre = self.actions.block(pre)
            row.first_post, row.end_post = self.actions.block(post)
            self.actions.taken = None
            ready[k] = row
        leaving: dict[str, list[int]] = {state.name: [] for state in region.states}
        for k, transition in enumerate(region.transitions):
            leaving[transition.from_].append(k)
        for state in region.states:
            owner: StateRow = self.sheet.rows[self.state_rows[_path(path, state.name)]]
            owner.first_transition = len(self.sheet.rows)
            timers = 1
            for k in leaving[state.name]:
                transition = region.transitions[k]
                if transition.timed:
                    ready[k].timer = timers
                    timers += 1
                at, _ = self.sheet.add(ready[k], str(transition))
                self.transitions[at] = transition
                self.transition_numbers[at] = first_number + k + 1
            owner.end_transition = len(self.sheet.rows)
            owner.n_timers = timers
            automatic = self.declared.event_rows["automatic"]
            owner.automatic = int(any(ready[k].event == automatic for k in leaving[state.name]))

    def _state(self, path: tuple[str, ...], state: State, by_path: Mapping[tuple[str, ...], int]) -> None:
        row: StateRow = self.sheet.rows[self.state_rows[_path(path, state.name)]]
        row.region = by_path[path]
        row.terminal = 1 if state.is_terminal else 0
        row.outcome = FAILURE if state.outcome is Outcome.FAILURE else SUCCESS
        timeout = state.timeout
        if timeout is None and not path:
            timeout = self.workflow.timeouts.states.get(state.name)
        row.timeout, row.timeout_code = self.actions.deadline(timeout, state.timeout_tree)
        row.first_entry, row.end_entry = self.actions.block(self.actions.rows_of(state.entry_actions, {}))
        row.first_exit, row.end_exit = self.actions.block(self.actions.rows_of(state.exit_actions, {}))
        if state.data:
            row.first_datum = self.declared.variable_row(variable_of((*path, state.name), next(iter(state.data))))
            row.end_datum = row.first_datum + len(state.data)
        if state.activity is not None:
            row.work = ACTIVITY
            row.activity = self.declared.activity_rows[state.activity.name]
            row.first_input, row.end_input = self.actions.parameters(state.activity, {})
        elif state.invoke is not None:
            row.work = INVOKE
            row.parent_close = CLOSINGS[state.invoke.parent_close]
            row.first_input, row.end_input = self.actions.parameters(state.invoke, {})
            row.activity = self._child(state.invoke.workflow, state.invoke.version)
            child: ChildRow = self.sheet.rows[row.activity]
            child.undo, child.undo_when = undo_of(self.declared.activity_rows, state.invoke.compensate_with)
        elif state.for_each is not None:
            self._for_each(row, state.for_each)
        elif state.parallel is not None:
            row.work = PARALLEL
            row.n_regions = len(state.parallel.regions)
            row.first_region = by_path[(*path, state.name, state.parallel.regions[0].name)]
            wanted = state.parallel.join
            row.join = row.n_regions if wanted == "all" else 1 if wanted == "any" else int(wanted)
        if state.work is not None:
            row.result_variable = self.actions.taker(state.work)

    def _for_each(self, row: StateRow, work: ForEach) -> None:
        row.work = FOR_EACH
        row.items = self.actions.code(work.items_tree, {}, "items")
        row.max_parallel = min(work.max_parallel or 0, _MOST_ITEMS)
        row.collect = 1 if work.on_failure == "collect" else 0
        tolerated, row.tolerated_share = work.tolerated
        row.tolerated = min(tolerated, _MOST_ITEMS)
        if work.workflow is not None:
            row.runs_children = 1
            row.activity = self._child(work.workflow, work.version)
        else:
            row.activity = self.declared.activity_rows[work.activity or ""]
        row.first_input, row.end_input = self.actions.parameters(work, {work.as_: ITEM}, "item")

    def _child(self, name: str, version: str | None) -> int:
        """A row for a workflow that a state runs; its version is the one chosen from the catalogue, if there is one."""
        child = self.children.get((name, version))
        told = version if child is None else child.version
        number, _ = self.sheet.add(
            ChildRow(name=self.sheet.text(name), version=NONE if told is None else self.sheet.text(told)), name
        )
        self.child_workflows[number] = child
        return number

    def _listeners(self, by_path: Mapping[tuple[str, ...], int]) -> None:
        listening: dict[str, list[int]] = {name: [] for name in self.declared.fields}
        for path, region in self.regions:
            for transition in region.transitions:
                regions = listening[_event_name(transition)]
                if by_path[path] not in regions:
                    regions.append(by_path[path])
        for name, regions in listening.items():
            row: EventRow = self.sheet.rows[self.declared.event_rows[name]]
            row.first_listener = len(self.sheet.rows)
            for number in regions:
                self.sheet.add(ListenerRow(region=number))
            row.end_listener = len(self.sheet.rows)


def _event_name(transition: Transition) -> str:
    if transition.timed:
        return "after"
    if transition.event is None:
        return "automatic"
    return "error" if transition.event.startswith("error.") else transition.event


def _path(path: tuple[str, ...], name: str) -> str:
    return "/".join((*path, name))
