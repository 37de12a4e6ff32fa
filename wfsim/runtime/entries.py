"""What stands in a dispatcher's queue, and in which order it is taken (M6.3)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wfsim.semantics.instance import Instance

    from .member import Answer, Apply, Member

# M6.3. Before all of them come questions, which change nothing, and the starts of children, which what is sent to
# them must find.
QUESTIONS, STARTS, CONTROLS, RESULTS, EVENTS, TIMERS, WORKFLOW_TIMER = range(7)


@dataclass(order=True, slots=True)
class Entry:
    """Something in the queue: a stimulus for a member (`apply`, then `answer`), or a question (`ask`)."""

    time: int
    order: int
    serial: int
    member: Member = field(compare=False)
    apply: Apply | None = field(default=None, compare=False)
    answer: Answer | None = field(default=None, compare=False)
    ask: Callable[[Instance], object] | None = field(default=None, compare=False)
    future: Future[Any] = field(default_factory=Future, compare=False)
