"""A thread beside the page that works on the newest question only; answers to earlier ones nobody wants any more."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Newest(Generic[Question, Answer]):
    """Answers the newest question that it was shown, and no other; never waited for by whoever shows one.

    Parameters
    ----------
    name
        Of its threads.
    work
        Gives the answers to a question, each better than the one before. Its second argument tells whether nobody
        wants to know any more; it looks at it now and then, and what it gives after that is dropped.
    nothing
        The answer before there is any.
    keep
        The final answers to so many questions are known when they are shown again, of the latest.
    most
        So many threads there may be: with more than one, a question need not wait until work on the one before has
        noticed that it is not wanted any more.

    Attributes
    ----------
    last
        The best answer up to now, and the key of its question; of an older one until the newest has an answer.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Question, Callable[[], bool]], Iterator[Answer]],
        nothing: Answer,
        *,
        keep: int,
        most: int = 1,
    ) -> None:
        self._name, self._work, self._keep, self._most = name, work, keep, most
        self._ended = False
        self._lock = threading.Lock()
        self._shown = 0
        self._wanted: tuple[int, Hashable, Question] | None = None
        self._threads: set[threading.Thread] = set()
        self._known: dict[Hashable, Answer] = {}
        self.last: tuple[Hashable, Answer] = (None, nothing)

    def show(self, key: Hashable, question: Question) -> None:
        """Ask a question; equal keys have equal answers."""
        with self._lock:
            self._shown += 1
            if key in self._known:
                self._known[key] = self._known.pop(key)
                self.last, self._wanted = (key, self._known[key]), None
                return
            self._wanted = self._shown, key, question
            if len(self._threads) < self._most:
                # Python waits for it before it goes down: what still computes then may take the whole process with it.
                thread = threading.Thread(target=self._run, name=self._name, daemon=False)
                self._threads.add(thread)
                thread.start()

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._threads)

    def wait(self) -> None:
        """Come back when everything asked for is known."""
        for thread in list(self._threads):
            thread.join()

    def end(self) -> None:
        """Answer nothing any more after this."""
        self._ended = True

    @property
    def _is_over(self) -> bool:
        return self._ended or not threading.main_thread().is_alive()

    def _run(self) -> None:
        try:
            while (asked := self._next()) is not None:
                self._answer(*asked)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _answer(self, number: int, key: Hashable, question: Question) -> None:
        def outdated() -> bool:
            return self._is_over or self._shown != number

        for answer in self._work(question, outdated):
            with self._lock:
                if outdated():
                    return
                self.last = key, answer
        with self._lock:
            if not outdated() and self.last[0] == key:
                self._known[key] = self.last[1]
                if len(self._known) > self._keep:
                    del self._known[next(iter(self._known))]

    def _next(self) -> tuple[int, Hashable, Question] | None:
        with self._lock:
            asked, self._wanted = self._wanted, None
            if self._is_over:
                asked = None
            if asked is None:
                # Whoever asks from now on may find no thread, and starts one.
                self._threads.discard(threading.current_thread())
            return asked
