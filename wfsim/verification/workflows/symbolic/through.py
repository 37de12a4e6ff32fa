"""`for_each` where values are not known: a work that ends once, for a list of any length (M4.5).

Which items are open is nothing that anything else depends on. So in the symbolic program a `for_each` is one activity
that runs while the list is gone through; a variable that the definition does not have keeps the list. Formulas say how
it may end: with as many results as there are items, or with an error, if so many items can fail. An empty list ends
at once: nothing else happens before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import z3

from wfsim.errors import NotCovered
from wfsim.model.elements import State, Variable
from wfsim.model.expression_tree import Whole, names
from wfsim.model.operations import ActivityWork, Assignment, ForEach, SetVariableAction
from wfsim.model.uses import declared_variables, uses
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import IDLE
from wfsim.semantics.expression_code import can_raise
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import WorkCell
from wfsim.semantics.program import Program
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.workflows.conditions.terms import Term
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite
from wfsim.verification.workflows.symbolic.markers import Markers

LISTED = Variable(type=ValueType.LIST, optional=True)
"""Of variables that the definition does not have."""
LIST = Variable(type=ValueType.LIST)
"""What may be gone through."""


@dataclass(frozen=True)
class Through:
    """A `for_each`, the number of the variable that keeps its list, and the work that stands in its place."""

    work: ForEach
    kept: int
    instead: ActivityWork


@dataclass(frozen=True)
class Open:
    """A `for_each` that is under way.

    Attributes
    ----------
    place
        Of its work, among those of the instance.
    there, length
        Whether there is a list (what is none has raised), and how many items it has.
    """

    through: Through
    place: int
    work: WorkCell
    there: Truth
    length: Any

    @property
    def empty(self) -> Truth:
        """Whether the list has no items."""
        return both(self.there, self.length == 0)

    @property
    def fails(self) -> Truth:
        """Whether so many items may fail that it ends with an error."""
        tolerated, share = self.through.work.tolerated
        if share < 0:
            return both(self.there, self.length > tolerated)
        return both(self.there, self.length > 0) if share < 1_000_000 else False

    def succeeds(self, result: Term | None) -> Truth:
        """Whether it may end with this result."""
        if result is None:
            return self.there
        return both(
            self.there,
            either(*(both(c.guard, c.value == self.length) for c in result.cases if c.kind == "list")),
        )


def one_work_each(workflow: Workflow) -> tuple[Workflow, dict[str, Through]]:
    """The same workflow with an activity in place of each `for_each`; what they were, by the path of the state.

    Raises
    ------
    NotCovered
        Where something depends on more of the items than their number and whether too many fail.
    """
    variables = dict(declared_variables(workflow))
    found: dict[str, Through] = {}

    def hidden(what: str) -> str:
        name = f"{what}_{len(variables)}"
        while name in variables:
            name += "_"
        variables[name] = LISTED
        return name

    def of_state(path: tuple[str, ...], state: State) -> State:
        if state.parallel is not None:
            inner = tuple(
                each.model_copy(update={"states": of_states((*path, each.name), each.states)})
                for each in state.parallel.regions
            )
            return state.model_copy(update={"parallel": state.parallel.model_copy(update={"regions": inner})})
        if state.for_each is None:
            return state
        where = "/".join(path)
        _refuse(workflow, where, state.for_each)
        number = len(variables)
        kept = hidden("items")
        # What an item gives is not what the list gives: so that is a list, taken up by somebody.
        result = state.for_each.result_variable or hidden("results")
        activity = ActivityWork(name=state.for_each.activity or "", result_variable=result)
        found[where] = Through(state.for_each, number, activity)
        # Should it raise, what was kept before is no list of this one.
        reads = [_keep(kept, None), _keep(kept, state.for_each.items)]
        return state.model_copy(
            update={"for_each": None, "activity": activity, "entry_actions": (*state.entry_actions, *reads)}
        )

    def of_states(path: tuple[str, ...], states: tuple[State, ...]) -> tuple[State, ...]:
        return tuple(of_state((*path, state.name), state) for state in states)

    changed = workflow.model_copy(update={"states": of_states((), workflow.states)})
    return (changed.model_copy(update={"variables": variables}), found) if found else (workflow, found)


def _keep(kept: str, items: Any) -> SetVariableAction:
    return SetVariableAction(action_type="set_variable", parameters=Assignment(name=kept, value=items))


def _refuse(workflow: Workflow, where: str, work: ForEach) -> None:
    what = f"state {where!r} goes through a list"
    if work.activity is None:
        raise NotCovered(f"{what} with a workflow for each item, and children are not followed symbolically.")
    activity = workflow.activities.get(work.activity)
    if activity is not None and activity.compensate_with is not None:
        raise NotCovered(f"{what} of work that can be undone, and the log of its items is not followed symbolically.")
    raising = any(can_raise(tree) for tree in work.inputs.values())
    for use in uses(workflow):
        for name in names(use.tree):
            on_error = (use.event or "").split(".")[0] == "error"
            told = isinstance(name, Whole) or name.field == "index" or (raising and name.field == "type")
            if on_error and name.scope == "event" and told:
                raise NotCovered(f"{what}, and {use.what} reads which item has failed, or of what.")


def may_not_succeed(through: Mapping[str, Through]) -> str:
    """Where success is taken to be possible although the inputs of an item may always raise; empty if nowhere."""
    for where, each in through.items():
        if any(can_raise(tree) for tree in each.work.inputs.values()):
            return f"what items of state {where!r} are given may raise"
    return ""


class Watched:
    """The `for_each` under way in an instance, and for which values what happens to it may happen."""

    def __init__(self, program: Program, through: Mapping[str, Through], markers: Markers) -> None:
        self.program = program
        self.markers = markers
        self._rows = {program.state_rows[where]: each for where, each in through.items()}

    def begin(self, instance: Instance) -> list[Open]:
        """Those that are open before a step."""
        if not self._rows:
            return []
        head, found = self.program.head, []
        for number in range(head.n_regions):
            work = instance.works()[2 * number]
            cell = instance.m[self.program.rows[head.first_region + number].slot]
            through = self._rows.get(cell.state)
            if through is None or work.phase == IDLE:
                continue
            kept = instance.v[through.kept]
            term = self.markers.term_of(kept.tag, kept.whole, kept.real)
            lists = [case for case in term.cases if case.kind == "list"]
            there = lists[0].guard if lists else False
            # The step writes into its cells.
            own = replace(work)
            found.append(Open(through, 2 * number, own, there, lists[0].value if lists else z3.IntVal(0)))
        return found

    def guard(self, before: list[Open], stimulus: Stimulus, after: Instance) -> tuple[Truth, str]:
        """For which values a stimulus may come, and whether it is a `begun`, `failing`, `failed` or `done` of one."""
        said: list[Truth] = []
        empty: Truth = False
        what = ""
        for each in before:
            if not self.about(stimulus, each.work):
                continue
            if stimulus.kind == "activity_started":
                what, empty = "begun", each.empty
                said.append(each.there)
            elif stimulus.kind == "activity_succeeded":
                result = self.markers.of_text(stimulus.result) if isinstance(stimulus.result, str) else None
                what, empty = "done", each.empty
                said.append(each.succeeds(result))
            else:
                ended = all(work.serial != each.work.serial or work.phase == IDLE for work in after.works())
                what = "failed" if ended else "failing"
                said.append(each.fails if ended else both(each.there, opposite(each.empty)))
        others = [each.empty for each in before if not self.about(stimulus, each.work)]
        if others:
            said.append(either(empty, opposite(either(*others))))
        return both(*said), what

    def about(self, stimulus: Stimulus, work: WorkCell) -> bool:
        """Whether a stimulus is about a work: what its worker says, or one of its clocks."""
        if stimulus.kind == "timer":
            clock = stimulus.timer >= self.program.head.first_clock
            return clock and stimulus.timer_id in (work.due_id, work.deadline_id)
        return stimulus.kind.startswith("activity_") and stimulus.activity_id == work.serial
