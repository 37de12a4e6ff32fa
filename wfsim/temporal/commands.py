"""What a step asks of Temporal, and which definitions can be run there. Knows no SDK: it decides for both who exports a
history and who carries one out, so that the two cannot differ."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from wfsim.errors import NotCovered
from wfsim.model.uses import invoked
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.model.values import Value
    from wfsim.semantics.program import Program
    from wfsim.semantics.records import Effect

CONTROL_SIGNAL = "wfsim.control"
"""A command of an operator (M8). No event can have this name, as names have no dots."""
STARTED_SIGNAL = "wfsim.started"
"""A worker has taken an attempt: Temporal does not tell a workflow so, and `start_to_close` begins then (M5.3)."""
SHORTEST_TIMER = 1_000
"""Microseconds: a timer of no time at all is refused by Temporal."""


@lru_cache(maxsize=64)
def program_of(definition: str) -> Program:
    """The program of a definition in canonical JSON.

    Raises
    ------
    NotCovered
        If it needs what is not carried out on Temporal.
    """
    workflow = Workflow.model_validate(json.loads(definition))
    refuse_uncovered(workflow)
    return compile_workflow(workflow)


def refuse_uncovered(workflow: Workflow) -> None:
    """Raise `NotCovered` where a definition needs other instances, or functions in Python."""
    child = next(iter(invoked(workflow)), None)
    if child is not None:
        raise NotCovered(
            f"{workflow.name} runs the workflow {child.workflow!r} as a child, and children are not carried out on "
            "Temporal yet. wf.open_engine(…) carries them out."
        )
    for action in workflow.operations():
        if action.sends is not None and action.sends.to != "self":
            raise NotCovered(
                f"{workflow.name} sends {action.sends.event!r} to another instance, and messages between instances are "
                "not carried out on Temporal yet. wf.open_engine(…) carries them out."
            )
    if workflow.functions:
        raise NotCovered(
            f"{workflow.name} calls functions in Python ({', '.join(workflow.functions)}), which are not handed to "
            "workers of Temporal yet. wf.open_engine(…) calls them."
        )


def commands_of(effects: Iterable[Effect]) -> list[Effect]:
    """The effects of a step that Temporal carries out, in the order in which its commands come.

    Nothing where the step closes the instance: timers and activities end with the workflow. What begins and ends
    within the step is left out. Activities are cancelled last, since the SDK asks for that in turns of its own.
    """
    kept: dict[tuple[str, int, int], Effect] = {}
    ended: list[Effect] = []
    for effect in effects:
        match effect.kind:
            case "closed":
                return []
            case "set_timer":
                kept["timer", effect.timer, effect.timer_id] = effect
            case "start_attempt":
                kept["attempt", effect.activity_id, effect.attempt] = effect
            case "drop_timer":
                if kept.pop(("timer", effect.timer, effect.timer_id), None) is None:
                    kept["dropped", effect.timer, effect.timer_id] = effect
            case "cancel_attempt":
                if kept.pop(("attempt", effect.activity_id, effect.attempt), None) is None:
                    ended.append(effect)
    return [*kept.values(), *ended]


def order_of(effect: Effect, instance: str) -> dict[str, Value]:
    """What an activity is given: its input, and which attempt it is, with the key that all attempts share (M5.5)."""
    serial = effect.activity_id if effect.compensates is None else f"undo:{effect.compensates}"
    return {
        "input": effect.input,
        "instance": instance,
        "activity_id": effect.activity_id,
        "attempt": effect.attempt,
        "idempotency_key": f"{instance}:{serial}",
    }


def attempt_name(activity_id: int, attempt: int) -> str:
    """The id of an attempt among the activities of its workflow."""
    return f"{activity_id}.{attempt}"
