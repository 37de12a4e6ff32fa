"""What the linter finds in a draft and whether it is proved, asked beside the editing on a thread of its own."""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from wfsim.errors import WfsimError
from wfsim.model.check import check
from wfsim.model.lint import lint
from wfsim.model.naming import element_at, element_paths
from wfsim.model.yaml_writer import write

from .asked import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.problems import Path

    from .versions import Version


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of the linter, or a violated property, at an element of the drawing."""

    element: str
    code: str
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How a built-in question was answered, and the elements that it is about."""

    name: str
    status: str
    reason: str
    elements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of one version."""

    findings: tuple[Found, ...] = ()
    answers: tuple[Answer, ...] = ()


_ASKED = Asked()


def judge(version: Version, outdated: Callable[[], bool], catalogue: Catalogue | None = None) -> Judged:
    """Lint a version and ask the built-in questions; nothing is known of one that is not valid.

    Parameters
    ----------
    outdated
        Whether nobody wants to know any more; looked at between questions.
    catalogue
        Other workflows that it may meet.

    Notes
    -----
    Up to `wfsim.widgets.asked.MOST_SECONDS` for each question.
    """
    # Told now, so that nobody waits for it when the file is saved.
    version.source  # noqa: B018
    if check(version.workflow):
        return Judged()
    workflow, paths = version.sourced(), element_paths(version.workflow)
    # What is drawn takes the place of what the catalogue has by its name.
    others = [] if catalogue is None else [each for each in catalogue.all_versions() if each.name != workflow.name]
    findings = tuple(
        Found(
            element_at(paths, each.path), each.code, each.severity.value, f"{each.place}: {each.message} {each.advice}"
        )
        for each in lint(workflow, catalogue=others)
    )
    beside = [write(each) for each in others]
    try:
        found = [_answer(each, paths) for each in _ASKED.ask(write(workflow), outdated, beside)]
    except WfsimError as error:
        found = [Answer("verification", "error", str(error))]
    return Judged(findings, tuple(found))


def _answer(said: Mapping[str, Any], known: Mapping[str, Path]) -> Answer:
    elements = tuple(f"state:{name}" for name in said["states"] if f"state:{name}" in known)
    return Answer(said["name"], said["status"], said["reason"], elements)


# A thread that still computes while Python goes down may take the whole process with it.
_AT_WORK: WeakSet[Judge] = WeakSet()


@atexit.register
def _end() -> None:
    judges = list(_AT_WORK)
    for judge in judges:
        judge.end()
    _ASKED.end()
    for judge in judges:
        judge.wait()


class Judge:
    """Judges the newest version that it was shown, and no other; never waited for by an edit.

    Attributes
    ----------
    last
        What is known, and of which version; of an older one until the newest is judged.
    """

    def __init__(self, judge: Callable[[Version, Callable[[], bool]], Judged] = judge) -> None:
        self._judge = judge
        self._ended = False
        self._lock = threading.Lock()
        self._wanted: Version | None = None
        self._thread: threading.Thread | None = None
        self._known: dict[int, Judged] = {}
        self.last: tuple[int, Judged] = (-1, Judged())

    def show(self, version: Version) -> None:
        """Ask for a judgement of this version."""
        with self._lock:
            if version.number in self._known:
                self.last, self._wanted = (version.number, self._known[version.number]), None
                return
            self._wanted = version
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="wfsim editor", daemon=True)
                _AT_WORK.add(self)
                self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a judgement is still to come."""
        return self._thread is not None

    def wait(self) -> None:
        """Come back when everything asked for is known."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def end(self) -> None:
        """Judge nothing any more after this."""
        self._ended = True

    def _outdated(self) -> bool:
        return self._ended or self._wanted is not None

    def _work(self) -> None:
        try:
            while (version := self._next()) is not None:
                judged = self._judge(version, self._outdated)
                with self._lock:
                    if not self._outdated():
                        self._known[version.number] = judged
                        self.last = version.number, judged
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _next(self) -> Version | None:
        with self._lock:
            version, self._wanted = self._wanted, None
            if self._ended:
                version = None
            if version is None:
                # Whoever asks from now on finds no thread, and starts one.
                self._thread = None
            return version
