"""A thread that answers the newest question only."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from wfsim.widgets.newest import Newest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Slow:
    """Answers a question with its letters, and waits before the last one until it is told to go on."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.asked: list[str] = []

    def work(self, question: str, outdated: Callable[[], bool]) -> Iterator[str]:
        self.asked.append(question)
        yield question[:1]
        self.begun.set()
        assert self.go.wait(60)
        yield question


def test_answers_come_one_after_another_and_the_last_is_known_when_it_is_asked_again() -> None:
    slow = Slow()
    newest = Newest("test", slow.work, "", keep=2)
    newest.show(1, "one")
    assert slow.begun.wait(60)
    assert newest.last == (1, "o")
    assert newest.busy
    slow.go.set()
    newest.wait()
    assert newest.last == (1, "one")
    for key, question in ((2, "two"), (1, "one"), (3, "three"), (2, "two"), (1, "one")):
        newest.show(key, question)
        newest.wait()
        assert newest.last == (key, question)
    # Of two that are kept the one that was shown longest ago goes.
    assert slow.asked == ["one", "two", "three", "two", "one"]


def test_an_answer_to_an_earlier_question_is_never_shown() -> None:
    slow = Slow()
    newest = Newest("test", slow.work, "", keep=9)
    newest.show(1, "one")
    assert slow.begun.wait(60)
    newest.show(2, "two")
    slow.go.set()
    newest.wait()
    assert newest.last == (2, "two")
    assert slow.asked == ["one", "two"]


def test_what_is_known_already_is_not_replaced_by_what_was_at_work_when_it_was_asked_again() -> None:
    slow = Slow()
    slow.go.set()
    newest = Newest("test", slow.work, "", keep=9)
    newest.show(1, "one")
    newest.wait()
    slow.begun.clear()
    slow.go.clear()
    newest.show(2, "two")
    assert slow.begun.wait(60)
    newest.show(1, "one")
    slow.go.set()
    newest.wait()
    assert newest.last == (1, "one")


def test_a_thread_that_was_ended_answers_nothing_more() -> None:
    slow = Slow()
    newest = Newest("test", slow.work, "", keep=9)
    newest.show(1, "one")
    assert slow.begun.wait(60)
    newest.end()
    slow.go.set()
    newest.wait()
    assert newest.last == (1, "o")


def test_with_two_threads_a_question_waits_for_none_that_is_not_wanted_any_more() -> None:
    slow, asked = Slow(), threading.Event()
    first = Slow.work

    def work(question: str, outdated: Callable[[], bool]) -> Iterator[str]:
        if question == "two":
            yield question
            asked.set()
        else:
            yield from first(slow, question, outdated)

    newest = Newest("test", work, "", keep=9, most=2)
    newest.show(1, "one")
    assert slow.begun.wait(60)
    newest.show(2, "two")
    assert asked.wait(60)
    assert newest.last == (2, "two")
    slow.go.set()
    newest.wait()
    assert newest.last == (2, "two")
    assert not newest.busy
