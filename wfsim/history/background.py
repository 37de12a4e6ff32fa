"""A thread beside the caller's, which carries out what it is given, one after another."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Task: TypeAlias = "Callable[[], None]"


class Background:
    """Carries out tasks in the order in which they came.

    The first error ends it: whatever comes after is dropped, and the error comes back to the caller at his next call.

    Parameters
    ----------
    most_waiting
        So many tasks may wait; who gives another one then waits, too.
    """

    def __init__(self, name: str, most_waiting: int) -> None:
        self._name = name
        self._tasks: queue.Queue[Task | None] = queue.Queue(most_waiting)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._is_stopped = False

    def do(self, task: Task) -> None:
        """Have a task carried out, soon."""
        self._check()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._tasks.put(task)

    def wait(self) -> None:
        """Return once every task is carried out."""
        self._tasks.join()
        self._check()

    def stop(self) -> None:
        """Finish the task in hand, drop all others, and end."""
        self._is_stopped = True
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join()
            self._thread = None

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if self._error is None and not self._is_stopped:
                try:
                    task()
                except BaseException as error:
                    self._error = error
            self._tasks.task_done()
