"""Whether what was done is undone or used on every way to a failing end: nothing charged is never refunded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, RootModel

from wfsim.model.workflow import Workflow
from wfsim.verification.workflows.claims import parse_claim
from wfsim.verification.workflows.patterns import BAD, Automaton, Pattern

FAILED = 'closed and (status != "completed" or outcome == "failure")'
"""The end of a run that is no success."""


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Settling = Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)]


class SettledOptions(RootModel[Mapping[str, Settling]]):
    """Activities, each with those that undo or use what it does; without any, those that the workflow declares."""

    root: Mapping[str, Settling] = Field(default_factory=dict)


class Settled(Pattern):
    """One activity that is undone or used: after it, one of the others begins before the run ends with failure.

    Whether undoing succeeds is another question: what cannot be undone is left to people.
    """

    activity: str
    by: tuple[str, ...]
    attempted: bool = False
    """Whether a try is enough to have to be undone (M9.1)."""

    def automaton(self) -> Automaton:
        done = parse_claim(f"activity.{self.activity}.{'started' if self.attempted else 'succeeded'}")
        settled = parse_claim(" or ".join(f"activity.{name}.scheduled" for name in self.by))

        def step(held: int, truth: tuple[bool, ...]) -> int:
            after = (held or truth[0]) and not truth[1]
            return BAD if after and truth[2] else int(after)

        return Automaton((done, settled, parse_claim(FAILED)), step, trigger=0)

    def told(self) -> str:
        done = "may have been done" if self.attempted else "has been done"
        return f"{self.activity!r} {done}, and the run ends without {' or '.join(map(repr, self.by))} after it"


def settlements(workflow: Workflow, options: Any) -> list[Settled]:
    """What `settled` asks of a workflow: pairs that the question names, else what activities say (M9.1, M9.3)."""
    named = SettledOptions.model_validate(options).root
    if named:
        return [Settled(activity=name, by=by) for name, by in named.items()]
    return [
        Settled(activity=name, by=by, attempted=undo is not None and undo.when == "attempted")
        for name, activity in workflow.activities.items()
        for undo in (activity.compensate_with,)
        if (by := (*(() if undo is None else (undo.activity,)), *activity.settled_by))
    ]
