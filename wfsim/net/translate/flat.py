"""A workflow of one region as the translation reads it: what its transitions leave open when conditions are unknown."""

from __future__ import annotations

from dataclasses import dataclass

from wfsim.errors import NotCovered
from wfsim.model.elements import ActivityAction, RetryPolicy, SetVariableAction, State, Transition
from wfsim.model.expressions import parse_condition
from wfsim.model.uses import declared_activities, declared_variables
from wfsim.model.workflow import Workflow
from wfsim.semantics.expression_code import condition_can_raise

from .place_names import When, action_prefix


@dataclass(frozen=True)
class NumberedTransition:
    """A transition of the workflow with its number in the file, from 0."""

    number: int
    transition: Transition

    @property
    def label(self) -> str:
        """What net transitions of it are called."""
        return f"t{self.number + 1}: {self.transition}"

    @property
    def source(self) -> str:
        """What they stand for."""
        return f"transition {self.number + 1}"

    @property
    def trigger(self) -> str:
        """What sets it off: an event's name, `after <n>` by its own time, or `automatic`."""
        if self.transition.event is not None:
            return self.transition.event
        return f"after {self.transition.after}" if self.transition.after is not None else "automatic"

    @property
    def target(self) -> str:
        """The state that is active after its commit."""
        return self.transition.to or self.transition.from_

    @property
    def condition_raises(self) -> bool:
        """Whether its condition can raise (M2.5)."""
        condition = self.transition.condition
        return condition is not None and condition_can_raise(parse_condition(condition))

    def prefix(self, when: When, action: int) -> str:
        """What the places of its action's activity begin with."""
        return action_prefix(self.number, when, action)


class FlatWorkflow:
    """The elements of a workflow without inner regions, by name.

    Raises
    ------
    NotCovered
        For constructs that have no translation yet.
    """

    def __init__(self, workflow: Workflow) -> None:
        _refuse_what_is_not_covered(workflow)
        self.workflow = workflow
        self.activities = declared_activities(workflow)
        self.variables = declared_variables(workflow)
        self.states = {state.name: state for state in workflow.states}
        self.transitions = [NumberedTransition(k, transition) for k, transition in enumerate(workflow.transitions)]
        self.leaving: dict[str, list[NumberedTransition]] = {name: [] for name in self.states}
        for each in self.transitions:
            self.leaving[each.transition.from_].append(each)

    def policy(self, activity: str) -> RetryPolicy:
        """How an activity is tried again."""
        own = self.activities[activity].retry_policy
        return own or self.workflow.retry_policy or RetryPolicy(max_attempts=1)

    def timeout_of(self, state: State) -> object:
        """The timeout of a state, or `None`."""
        return state.timeout if state.timeout is not None else self.workflow.timeouts.states.get(state.name)

    def candidates(self, state: State, triggers: set[str]) -> list[NumberedTransition]:
        """M2.3: transitions on one of the triggers, in file order, up to the first without a condition."""
        found = []
        for each in self.leaving[state.name]:
            if each.trigger in triggers:
                found.append(each)
                # Each `after` has a timer of its own, which selects only its transition (M6.2).
                if each.transition.condition is None and each.transition.after is None:
                    break
        return found

    def always_taken(self, state: State, triggers: set[str]) -> bool:
        """Whether one of the triggers finds a transition whatever the values."""
        return any(each.transition.condition is None for each in self.candidates(state, triggers))


def _refuse_what_is_not_covered(workflow: Workflow) -> None:
    for state in workflow.states:
        for key in ("parallel", "invoke", "for_each"):
            if getattr(state, key) is not None:
                raise NotCovered(f"state {state.name!r} uses {key}, which has no translation to a net yet.")
    for transition in workflow.transitions:
        for action in (*transition.pre_actions, *transition.post_actions):
            if not isinstance(action, (ActivityAction, SetVariableAction)):
                raise NotCovered(
                    f"transition '{transition}' has an action of type {action.action_type}, "
                    "which has no translation to a net yet."
                )
