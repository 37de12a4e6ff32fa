"""What running the actions of a transition can come to when values are unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wfsim.model.elements import ActivityAction, ActivityWork, SetVariableAction
from wfsim.model.expressions import is_template, parse_template
from wfsim.model.values import ValueType
from wfsim.semantics.expression_code import can_raise

from .flat import FlatWorkflow, NumberedTransition
from .place_names import When, attempt_place


@dataclass(frozen=True)
class Outcome:
    """What running actions up to the next wait can come to: a wait in `place`, or an error of `source`."""

    kind: Literal["end", "wait", "error"]
    place: str = ""
    source: str = ""


def outcomes(flat: FlatWorkflow, transition: NumberedTransition, when: When, first: int = 0) -> list[Outcome]:
    """M3.1: what running the actions before or after the commit comes to, from the one at `first` on."""
    ends = transition.transition
    actions, state = (ends.pre_actions, ends.from_) if when == "pre" else (ends.post_actions, transition.target)
    found: list[Outcome] = []
    for k in range(first, len(actions)):
        action = actions[k]
        if isinstance(action, SetVariableAction):
            if assignment_fails(flat, action) and action.on_failure == "abort":
                found.append(Outcome("error", source=state))
            continue
        assert isinstance(action, ActivityAction)
        if inputs_raise(action):
            if action.on_failure == "abort":
                found.append(Outcome("error", source=action.name))
            else:
                found += outcomes(flat, transition, when, k + 1)
        found.append(Outcome("wait", place=attempt_place(transition.prefix(when, k), "scheduled", 1)))
        return list(dict.fromkeys(found))
    return list(dict.fromkeys([*found, Outcome("end")]))


def inputs_raise(work: ActivityAction | ActivityWork) -> bool:
    """Whether computing the inputs of an activity can raise."""
    return any(can_raise(parse_template(value)) for value in work.parameters.values())


def assignment_fails(flat: FlatWorkflow, action: SetVariableAction) -> bool:
    """Whether an assignment can fail: its expression raises, or what it gives may not fit the variable."""
    value = action.parameters.value
    if can_raise(parse_template(value)):
        return True
    variable = flat.variables[action.parameters.name]
    free = variable.type is ValueType.ANY and variable.values is None
    constant = not (isinstance(value, str) and is_template(value))
    return not (constant or (free and variable.optional))


def comes_back(flat: FlatWorkflow, transition: NumberedTransition) -> bool:
    """Whether a transition can leave its state active: it is internal, or may be aborted."""
    return transition.transition.to is None or any(
        isinstance(action, ActivityAction) or (isinstance(action, SetVariableAction) and assignment_fails(flat, action))
        for action in transition.transition.pre_actions
    )


def states_on_circles(flat: FlatWorkflow) -> set[str]:
    """States on a circle of automatic transitions and answers to `done` and `error` (M2.6).

    Such a transition may also end in an `error` of its own state, before its commit: that too leads back.
    """
    follows: dict[str, set[str]] = {name: set() for name in flat.states}
    for each in flat.transitions:
        if each.trigger in ("automatic", "done") or each.trigger.split(".")[0] == "error":
            name = each.transition.from_
            follows[name].add(each.target)
            if each.condition_raises or any(outcome.kind == "error" for outcome in outcomes(flat, each, "pre")):
                follows[name].add(name)
    reach = {name: set(targets) for name, targets in follows.items()}
    for _ in flat.states:
        for name in flat.states:
            reach[name] |= {far for near in reach[name] for far in reach[near]}
    return {name for name in flat.states if name in reach[name]}
