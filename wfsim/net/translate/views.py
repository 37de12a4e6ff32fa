"""A workflow as the translation reads it: what its transitions leave open when conditions are unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from wfsim.model.elements import Outcome, Region, RetryPolicy, State, Transition
from wfsim.model.misfits import held_shapes
from wfsim.model.retrying import policies
from wfsim.model.uses import declared_activities, declared_variables, is_reserved
from wfsim.model.workflow import Workflow
from wfsim.semantics.expression_code import condition_can_raise

from .place_names import When, action_prefix


@dataclass(frozen=True, eq=False)
class NumberedTransition:
    """A transition of the workflow with its number, from 0, and the region it belongs to."""

    number: int
    transition: Transition
    region: RegionView

    @property
    def label(self) -> str:
        """What net transitions of it are called."""
        return f"{self.region.workflow.prefix}t{self.number + 1}: {self.transition}"

    @property
    def source(self) -> str:
        """What they stand for."""
        return f"transition {self.number + 1}{self.region.workflow.whose}"

    @property
    def trigger(self) -> str:
        """What sets it off: an event's name, its own time, or `automatic`."""
        return self.transition.event if self.transition.event is not None else self.transition.trigger

    @property
    def origin(self) -> StateView:
        """The state that is active before its commit."""
        return self.region.states[self.transition.from_]

    @property
    def target(self) -> StateView:
        """The state that is active after its commit."""
        return self.region.states[self.transition.to or self.transition.from_]

    @property
    def condition_raises(self) -> bool:
        """Whether its condition can raise (M2.5)."""
        condition = self.transition.condition_tree
        return condition is not None and condition_can_raise(condition)

    def prefix(self, when: When, action: int) -> str:
        """What the places of its action's activity begin with."""
        return self.region.workflow.prefix + action_prefix(self.number, when, action)


class StateView:
    """A state in its region; `name` is that of its place."""

    def __init__(self, region: RegionView, state: State) -> None:
        self.region = region
        self.state = state
        self.name = f"{region.path}{state.name}"
        self.inner: list[RegionView] = []

    def __repr__(self) -> str:
        return f"<StateView {self.name}>"

    @property
    def source(self) -> str:
        """What its places stand for."""
        return f"state {self.name}"

    @property
    def above(self) -> StateView | None:
        """The state that encloses its region."""
        return self.region.parent

    @cached_property
    def leaving(self) -> list[NumberedTransition]:
        """Transitions from it, in file order."""
        return [each for each in self.region.transitions if each.transition.from_ == self.state.name]

    @cached_property
    def arriving(self) -> list[NumberedTransition]:
        """Transitions after whose commit it is active, in file order."""
        return [each for each in self.region.transitions if each.target is self]

    @property
    def timeout(self) -> object:
        """Its timeout, or `None`."""
        if self.state.timeout is not None or self.region.parent is not None:
            return self.state.timeout
        return self.region.workflow.workflow.timeouts.states.get(self.state.name)

    def candidates(self, triggers: set[str]) -> list[NumberedTransition]:
        """M2.3: transitions on one of the triggers, in file order, up to the first without a condition."""
        found: list[NumberedTransition] = []
        if self.state.is_terminal:
            return found
        for each in self.leaving:
            if each.trigger in triggers:
                found.append(each)
                # Each `after` has a timer of its own, which selects only its transition (M6.2).
                if each.transition.condition is None and not each.transition.timed:
                    break
        return found

    def is_timed(self, trigger: str) -> bool:
        """Whether it is a time of its own that sets a transition off."""
        return any(each.transition.timed and each.trigger == trigger for each in self.leaving)

    def always_taken(self, triggers: set[str]) -> bool:
        """Whether one of the triggers finds a transition whatever the values."""
        return any(each.transition.condition is None for each in self.candidates(triggers))

    def names_error(self, source: str) -> bool:
        """Whether a transition of this state, or of one around it, waits for errors of this source."""
        own = any(each.trigger == f"error.{source}" for each in self.leaving)
        return own or (self.above is not None and self.above.names_error(source))

    @property
    def wanted(self) -> int:
        """How many regions inside must end well (M4.3)."""
        join = self.state.parallel.join if self.state.parallel is not None else "all"
        return len(self.inner) if join == "all" else 1 if join == "any" else int(join)


class RegionView:
    """A region of a workflow, the root region included."""

    def __init__(
        self, workflow: WorkflowView, definition: Workflow | Region, parent: StateView | None, number: int
    ) -> None:
        self.workflow = workflow
        self.parent = parent
        self.path: str = workflow.prefix if parent is None else f"{parent.name}/{definition.name}/"
        self.states = {state.name: StateView(self, state) for state in definition.states}
        self.initial = self.states[definition.initial_state]
        self.transitions = [NumberedTransition(number + k, each, self) for k, each in enumerate(definition.transitions)]

    def __repr__(self) -> str:
        return f"<RegionView {self.path or 'root'}>"

    def ends(self, outcome: Outcome) -> list[StateView]:
        """Its terminal states with that outcome."""
        ends = [at for at in self.states.values() if at.state.is_terminal]
        return [at for at in ends if (at.state.outcome or Outcome.SUCCESS) is outcome]

    @cached_property
    def listened(self) -> frozenset[str]:
        """Events from outside that its own transitions wait for."""
        found = (each.transition.event for each in self.transitions)
        return frozenset(event for event in found if event is not None and not is_reserved(event))

    @cached_property
    def heard(self) -> frozenset[str]:
        """Events from outside that it or a region inside waits for."""
        inner = (region.heard for state in self.states.values() for region in state.inner)
        return self.listened.union(*inner)


class WorkflowView:
    """The elements of a workflow, by name; in one net several may stand, told apart by their prefixes."""

    def __init__(self, workflow: Workflow, prefix: str = "", whose: str = "") -> None:
        self.workflow = workflow
        self.prefix = prefix
        self.whose = whose
        self.activities = declared_activities(workflow)
        self.variables = declared_variables(workflow)
        self.held = held_shapes(self.variables)
        self.regions: list[RegionView] = []
        self._n_transitions = 0
        self.root = self._add(workflow, None)

    def _add(self, definition: Workflow | Region, parent: StateView | None) -> RegionView:
        """Regions in preorder, with transitions numbered as everywhere else."""
        region = RegionView(self, definition, parent, self._n_transitions)
        self._n_transitions += len(definition.transitions)
        self.regions.append(region)
        for state in region.states.values():
            for inner in state.state.parallel.regions if state.state.parallel else ():
                state.inner.append(self._add(inner, state))
        return region

    @property
    def states(self) -> Iterator[StateView]:
        """All states, outermost first."""
        for region in self.regions:
            yield from region.states.values()

    @property
    def transitions(self) -> Iterator[NumberedTransition]:
        """All transitions, in the order of their numbers."""
        for region in self.regions:
            yield from region.transitions

    def policies(self, activity: str) -> tuple[RetryPolicy, ...]:
        """How an activity is tried again."""
        return policies(self.workflow, activity)
