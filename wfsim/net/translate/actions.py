"""What running the actions of a transition can come to when values are unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from wfsim.model.elements import State
from wfsim.model.expression_tree import TemplateLiteral, is_constant
from wfsim.model.misfits import may_not_fit
from wfsim.model.operations import CompensateAction, Operation, SendAction, SetVariableAction
from wfsim.model.uses import fields_in
from wfsim.semantics.expression_code import can_raise

from .log import Log
from .place_names import When, attempt_place, undoing_place
from .views import NumberedTransition, WorkflowView


@dataclass(frozen=True)
class Outcome:
    """What running actions up to the next wait can come to: a wait in `place`, or an error of `source`.

    `sent` are the messages sent on the way: event and workflow.
    """

    kind: Literal["end", "wait", "error"]
    place: str = ""
    source: str = ""
    sent: tuple[tuple[str, str], ...] = ()


def entering_fails(view: WorkflowView, state: State) -> list[str]:
    """M3.9: sources of the errors that what a state does on entry may raise."""
    found = []
    for action in state.entry_actions:
        if action.on_failure == "abort":
            if isinstance(action, SetVariableAction):
                found += [state.name] if assignment_fails(view, action) else []
            else:
                found += ["send"] if sending_fails(action) else []
    return list(dict.fromkeys(found))


def outcomes(view: WorkflowView, log: Log, transition: NumberedTransition, when: When, first: int = 0) -> list[Outcome]:
    """M3.1: what running the actions before or after the commit comes to, from the one at `first` on."""
    ends = transition.transition
    actions = ends.pre_actions if when == "pre" else ends.post_actions
    state = ends.from_ if when == "pre" else transition.target.state.name
    found: list[Outcome] = []
    sent: tuple[tuple[str, str], ...] = ()

    def done() -> list[Outcome]:
        return list(dict.fromkeys(found))

    for k in range(first, len(actions)):
        action = actions[k]
        stops = action.on_failure == "abort"
        if isinstance(action, SetVariableAction):
            if stops and assignment_fails(view, action, transition):
                found.append(Outcome("error", source=state, sent=sent))
        elif isinstance(action, SendAction):
            if sending_fails(action):
                if stops:
                    found.append(Outcome("error", source="send", sent=sent))
                else:
                    rest = outcomes(view, log, transition, when, k + 1)
                    found += [replace(each, sent=sent + each.sent) for each in rest]
            if (to := action.addressed) is not None:
                sent = (*sent, (action.event, to))
        elif isinstance(action, CompensateAction):
            if log.within(action.scope):
                place = undoing_place(transition.prefix(when, k))
                return [*done(), Outcome("wait", place=place, sent=sent)]
        else:
            if inputs_raise(action):
                if stops:
                    found.append(Outcome("error", source=action.name, sent=sent))
                else:
                    rest = outcomes(view, log, transition, when, k + 1)
                    found += [replace(each, sent=sent + each.sent) for each in rest]
            place = attempt_place(transition.prefix(when, k), "scheduled", 1)
            found.append(Outcome("wait", place=place, sent=sent))
            return done()
    found.append(Outcome("end", sent=sent))
    return done()


def inputs_raise(operation: Operation) -> bool:
    """Whether computing its inputs can raise."""
    return any(can_raise(tree) for tree in operation.inputs.values())


def sending_fails(action: SendAction) -> bool:
    """Whether a message may not even be sent: its receiver or payload raises, or is no text."""
    return not is_constant(action.to_tree) or inputs_raise(action)


def tells_itself(action: SendAction) -> bool:
    """Whether a message may come back to its own sender, within the same step."""
    to = action.receiver
    return action.key is None and (not isinstance(to, TemplateLiteral) or to.value == "self")


def assignment_fails(view: WorkflowView, action: SetVariableAction, taken: NumberedTransition | None = None) -> bool:
    """Whether an assignment can fail: its expression raises, or what it gives may not fit the variable.

    `taken` is the transition whose event it may read.
    """
    payload = None
    if taken is not None and taken.transition.event is not None:
        payload = fields_in(view.workflow, taken.origin.state, taken.transition.event)
    tree, variable = action.value_tree, view.variables[action.written.variable]
    return can_raise(tree) or may_not_fit(tree, variable, view.held, payload)
