"""What a move of the symbolic program is in `step`: one stimulus, or one for each item of a `for_each`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from wfsim.exploration.shaped import examples
from wfsim.model.shapes import Shape
from wfsim.model.values import Value
from wfsim.semantics.codes import BACKOFF, IDLE, RETRY, RUNNING, SCHEDULE_TO_CLOSE, SCHEDULED, START_TO_CLOSE
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import StateRow, WorkCell
from wfsim.semantics.program import Program
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.workflows.conditions.terms import is_counted
from wfsim.verification.workflows.space import WorkflowSpace
from wfsim.verification.workflows.symbolic.space import Move, SymbolicSpace

MOST_STIMULI = 1_000
"""For one move; longer lists are not gone through again."""


def stimuli(space: SymbolicSpace, number: int, move: Move, given: Stimulus, line: WorkflowSpace) -> Iterator[Stimulus]:
    """The stimuli of a move out of a state, one after another: each is put through `step` before the next is asked for.

    Parameters
    ----------
    given
        That of the move, with values instead of markers.
    line
        The run up to there; its last state is where it stands.
    """
    if not space.through or given.kind in ("start", "event", "control"):
        yield given
        return
    before = space.instance(number)
    place = next((k for k, work in enumerate(before.works()) if space.watched.about(given, work)), None)
    first = line.program.head.first_clock
    clock = given.timer - space.program.head.first_clock
    if place is None:
        # The timer of a state.
        at = given.timer - space.program.head.first_timer + line.program.head.first_timer
        yield replace(given, timer=at, timer_id=_now(line).m[at].id)
    elif not move.through:
        work = _now(line).works()[place]
        if given.kind == "timer":
            yield replace(given, timer=first + clock, timer_id=_timer_id(work, clock))
        else:
            yield replace(given, activity_id=work.serial)
    elif move.through in ("done", "failed"):
        told = move.stimulus.result
        term = space.markers.of_text(told) if isinstance(told, str) else None
        counted = term is not None and is_counted(term)
        for _ in range(MOST_STIMULI):
            item = _first_item(line.program, _now(line), place // 2)
            if item is None:
                return
            common: dict[str, Any] = {"activity_id": item.serial, "attempt": item.attempt}
            due = RETRY if item.phase == BACKOFF else clock if given.kind == "timer" else None
            if due is not None and (due != START_TO_CLOSE or item.phase == RUNNING):
                yield Stimulus("timer", timer=first + due, timer_id=_timer_id(item, due))
            elif item.phase == SCHEDULED:
                yield Stimulus("activity_started", **common)
            elif move.through == "failed":
                yield Stimulus("activity_failed", error_type=given.error_type, message=given.message, **common)
            else:
                items = given.result if counted and isinstance(given.result, list) else None
                result = _result(line.program, _now(line), place // 2) if items is None else items[item.index]
                yield Stimulus("activity_succeeded", result=result, **common)


def _now(line: WorkflowSpace) -> Instance:
    return line.instance(line.n_states - 1)


def _timer_id(work: WorkCell, clock: int) -> int:
    return work.deadline_id if clock == SCHEDULE_TO_CLOSE else work.due_id


def _first_item(program: Program, instance: Instance, region: int) -> WorkCell | None:
    """The open item of a region that comes first in its list."""
    row = program.head.first_region + region
    items = [work for work in instance.works()[program.head.n_works :] if work.region == row and work.phase != IDLE]
    return min(items, key=lambda work: work.index, default=None)


def _result(program: Program, instance: Instance, region: int) -> Value:
    """Something that an item may give: as its activity declares, or the list that takes it up."""
    state = instance.m[program.rows[program.head.first_region + region].slot].state
    row: StateRow = program.rows[state]
    activity = program.activities.get(program.name(row.activity) or "")
    shape = None
    if activity is not None and activity.result is not None:
        shape = activity.result.shape
    elif row.result_variable >= 0 and not row.collect:
        shape = program.shapes[row.result_variable].items
    return plainest(shape)


def plainest(shape: Shape | None) -> Value:
    """A value of a declared type; null if none is known."""
    return next(iter(examples(shape)), None) if shape is not None else None
