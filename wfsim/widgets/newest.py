"""A thread beside the page that works on the newest question only; answers to earlier ones nobody wants any more."""

from __future__ import annotations

import atexit
import threading
import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

Question = TypeVar("Question")
Answer = TypeVar("Answer")

# A thread that still computes while Python goes down may take the whole process with it.
_AT_WORK: weakref.WeakSet[Newest[Any, Any]] = weakref.WeakSet()


def end_all() -> None:
    """Let every thread end after what it has in hand."""
    for each in list(_AT_WORK):
        each.end()


# At exit finalizers close histories that a thread may still read. They do so after what is registered after the first
# of them.
weakref.finalize(_AT_WORK, end_all)


@atexit.register
def _end() -> None:
    end_all()
    for each in list(_AT_WORK):
        each.wait()


class Newest(Generic[Question, Answer]):
    """Answers the newest question that it was shown, and no other; never waited for by whoever shows one.

    Parameters
    ----------
    name
        Of its thread.
    work
        Gives the answers to a question, each better than the one before. Its second argument tells whether nobody
        wants to know any more; it looks at it now and then, and what it gives after that is dropped.
    nothing
        The answer before there is any.
    keep
        The final answers to so many questions are known when they are shown again, of the latest.

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
        keep: int,
    ) -> None:
        self._name, self._work, self._keep = name, work, keep
        self._ended = False
        self._lock = threading.Lock()
        self._newest: Hashable = None
        self._wanted: tuple[Hashable, Question] | None = None
        self._thread: threading.Thread | None = None
        self._known: dict[Hashable, Answer] = {}
        self.last: tuple[Hashable, Answer] = (None, nothing)

    def show(self, key: Hashable, question: Question) -> None:
        """Ask a question; equal keys have equal answers."""
        with self._lock:
            self._newest = key
            if key in self._known:
                self._known[key] = self._known.pop(key)
                self.last, self._wanted = (key, self._known[key]), None
                return
            self._wanted = key, question
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                _AT_WORK.add(self)
                self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._thread is not None

    def wait(self) -> None:
        """Come back when everything asked for is known."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def end(self) -> None:
        """Answer nothing any more after this."""
        self._ended = True

    def _run(self) -> None:
        try:
            while (asked := self._next()) is not None:
                self._answer(*asked)
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _answer(self, key: Hashable, question: Question) -> None:
        def outdated() -> bool:
            return self._ended or self._wanted is not None or self._newest != key

        for answer in self._work(question, outdated):
            with self._lock:
                if outdated():
                    return
                self.last = key, answer
        with self._lock:
            if not outdated():
                self._known[key] = self.last[1]
                if len(self._known) > self._keep:
                    del self._known[next(iter(self._known))]

    def _next(self) -> tuple[Hashable, Question] | None:
        with self._lock:
            asked, self._wanted = self._wanted, None
            if self._ended:
                asked = None
            if asked is None:
                # Whoever asks from now on finds no thread, and starts one.
                self._thread = None
            return asked
