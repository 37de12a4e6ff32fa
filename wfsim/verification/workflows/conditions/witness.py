"""Values that show what a condition does: a witness without a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from wfsim.errors import WfsimError
from wfsim.exploration.witness import Witness, WitnessStep
from wfsim.model.values import Value
from wfsim.model.workflow import Workflow
from wfsim.verification.workflows.conditions.choices import Choice, choices, outcome


@dataclass(frozen=True, repr=False)
class ValuesWitness(Witness):
    """Values at a choice, and what its conditions come to: one step for each transition, in file order.

    That some run leads to these values is not said: they are what the declarations admit.

    Attributes
    ----------
    place
        The choice, in words.
    values
        By name, `context.n` or `event.k`; names that no condition reads are left out.
    outcomes
        `true`, `false` or an error type, for each transition of the choice.
    """

    kind: ClassVar[str] = "values"

    workflow: Workflow = field(repr=False)
    place: str
    values: Mapping[str, Value]
    outcomes: tuple[str, ...]

    @classmethod
    def of(cls, workflow: Workflow, choice: Choice, values: Mapping[str, Value]) -> ValuesWitness:
        """Evaluate every condition of the choice on the values."""
        given = workflow.given
        outcomes = tuple(outcome(option.whole, values, choice.state, given) for option in choice.options)
        steps = tuple(
            WitnessStep(
                option.label,
                {"condition": option.condition, "values": dict(values)},
                {f"`{option.condition}`": outcome},
            )
            for option, outcome in zip(choice.options, outcomes)
        )
        return cls(steps, workflow, choice.place, dict(values), outcomes)

    def replay(self) -> list[str]:
        """Evaluate the conditions anew: what each comes to.

        Raises
        ------
        WfsimError
            If that differs from what the witness tells.
        """
        (choice,) = (each for each in choices(self.workflow) if each.place == self.place)
        given = self.workflow.given
        found = [outcome(option.whole, self.values, choice.state, given) for option in choice.options]
        if found != list(self.outcomes):
            raise WfsimError(f"the witness does not replay {self.place}: {found}, not {list(self.outcomes)}.")
        return found

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "workflow": self.workflow.name,
            "version": self.workflow.version,
            "place": self.place,
            "values": dict(self.values),
            "outcomes": list(self.outcomes),
            "steps": [step.to_dict() for step in self.steps],
        }
