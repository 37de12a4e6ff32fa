"""Threads beside the caller's, which carry out what they are given, one after another."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Task: TypeAlias = "Callable[[], None]"
Begun: TypeAlias = "Callable[[], Task]"
"""Begins with something, and returns how that is brought to its end."""


class Background:
    """Carries out tasks in the order in which they came; what is begun goes on beside those before.

    The first error ends it: whatever comes after is dropped, and the error comes back to the caller at his next call.
    It is the first in the order of the tasks, so all before it are carried out.

    Parameters
    ----------
    most_waiting
        So many tasks may wait; who gives another one then waits, too.
    n_threads
        How many tasks are begun at a time.
    """

    def __init__(self, name: str, most_waiting: int, n_threads: int = 1) -> None:
        self._name = name
        self._tasks: queue.Queue[Begun | None] = queue.Queue()
        self._room = threading.Semaphore(most_waiting + n_threads)
        self._n_threads = n_threads
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None
        self._is_stopped = False
        self._taking = threading.Lock()
        self._n_taken = self._n_ended = 0
        self._turns = threading.Condition()

    def do(self, task: Task) -> None:
        """Have a task carried out, soon."""
        self.begin(lambda: task)

    def begin(self, task: Begun) -> None:
        """Have a task begun, soon, and brought to its end when all before it are at theirs."""
        self._check()
        if not self._threads:
            names = [self._name, *(f"{self._name} {k}" for k in range(2, self._n_threads + 1))]
            self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for name in names]
            for thread in self._threads:
                thread.start()
        self._room.acquire()
        self._tasks.put(task)

    def wait(self) -> None:
        """Return once every task is carried out."""
        self._tasks.join()
        self._check()

    def stop(self) -> None:
        """Finish the tasks in hand that may be, drop all others, and end."""
        self._is_stopped = True
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    @property
    def _is_over(self) -> bool:
        return self._error is not None or self._is_stopped

    def _work(self) -> None:
        while True:
            with self._taking:
                task, turn = self._tasks.get(), self._n_taken
                self._n_taken += task is not None
                # Looked at in their order: what is begun comes behind others that are, too.
                is_begun = not self._is_over
            if task is None:
                return
            self._carry_out(task if is_begun else None, turn)
            # Until another task is begun, this one is not to hold what it has.
            task = None
            self._room.release()
            self._tasks.task_done()

    def _carry_out(self, task: Begun | None, turn: int) -> None:
        end: Task | None = None
        error: BaseException | None = None
        if task is not None:
            try:
                end = task()
            except BaseException as caught:
                error = caught
        with self._turns:
            self._turns.wait_for(lambda: self._n_ended == turn)
        if not self._is_over:
            try:
                if error is not None:
                    raise error
                if end is not None:
                    end()
            except BaseException as caught:
                self._error = caught
        with self._turns:
            self._n_ended += 1
            self._turns.notify_all()
