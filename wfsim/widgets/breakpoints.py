"""Where playing stops: when a state is entered, or a condition comes true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import WfsimError, did_you_mean, listed
from wfsim.model.evaluate import evaluate
from wfsim.model.expression_tree import Name, called, names
from wfsim.model.expressions import parse_condition
from wfsim.model.functions import wrong_call
from wfsim.model.owned import placed
from wfsim.model.values import EvaluationFault

if TYPE_CHECKING:
    from wfsim.model.expression_tree import Expression
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.program import Program


class Breakpoints:
    """Breakpoints of one program, by what they were written as: the path of a state, or a condition on `context`."""

    def __init__(self, program: Program) -> None:
        workflow = program.workflow
        self._states = ["/".join([*path, state.name]) for path, region in workflow.regions() for state in region.states]
        self._variables = list(program.variables)
        self._functions = workflow.functions
        self._set: dict[str, Expression | None] = {}

    @property
    def all(self) -> list[str]:
        """What they were written as, in the order in which they were set."""
        return list(self._set)

    @property
    def states(self) -> list[str]:
        """Those of them that are states, by path."""
        return [at for at, condition in self._set.items() if condition is None]

    def toggle(self, at: str) -> None:
        """Set a breakpoint, or take it away.

        Raises
        ------
        WfsimError
            If it is neither a state nor a condition that can be evaluated.
        """
        if at in self._set:
            del self._set[at]
        elif at in self._states:
            self._set[at] = None
        elif at.isidentifier():
            raise WfsimError(
                f"no state is called {at!r}.{did_you_mean(at, self._states)} States: {listed(self._states)}. "
                "Or write a condition: context.attempts > 2."
            )
        else:
            condition = placed(parse_condition(at))
            for name in names(condition):
                if name.scope != "context" or not isinstance(name, Name) or name.field not in self._variables:
                    known = listed(map(_shown, self._variables)) or "none here"
                    raise WfsimError(f"a breakpoint reads variables ({known}), not what {at!r} reads.")
            for call in called(condition):
                wrong = wrong_call(call, self._functions)
                if wrong is not None:
                    raise WfsimError(f"the breakpoint {at!r} {wrong}")
            self._set[at] = condition

    def hit(self, before: Instance, now: Instance) -> str | None:
        """The first breakpoint that this step has met: a state entered, a condition that has come true."""
        for at, condition in self._set.items():
            if condition is None:
                if at in now.configuration.values() and at not in before.configuration.values():
                    return at
            elif _holds(condition, now) and not _holds(condition, before):
                return at
        return None


def _shown(variable: str) -> str:
    """A variable as a breakpoint names it: one that belongs to a state by the path of that state."""
    owner, _, field = variable.rpartition(".")
    if not owner:
        return f"context.{variable}"
    return f"state.{owner}.{field}" if owner.isidentifier() else f"state[{owner!r}].{field}"


def _holds(condition: Expression, instance: Instance) -> bool:
    try:
        found = evaluate(
            condition, instance.variables, None, instance.state, now=instance.time, functions=instance.functions
        )
        return found is True
    except EvaluationFault:
        # What cannot be evaluated yet is no reason to stop.
        return False
