"""What the linter finds in a draft and whether it is proved, asked beside the editing on a thread of its own."""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.errors import WfsimError
from wfsim.model.check import check
from wfsim.model.lint import lint
from wfsim.model.naming import element_at, element_paths
from wfsim.model.yaml_writer import write

from .asked import Asked
from .newest import Newest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
atexit.register(_ASKED.end)


def judge(version: Version, outdated: Callable[[], bool], catalogue: Catalogue | None = None) -> Iterator[Judged]:
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
        yield Judged()
        return
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
    yield Judged(findings, tuple(found))


def _answer(said: Mapping[str, Any], known: Mapping[str, Path]) -> Answer:
    elements = tuple(f"state:{name}" for name in said["states"] if f"state:{name}" in known)
    return Answer(said["name"], said["status"], said["reason"], elements)


_MOST_KNOWN = 1_000


class Judge(Newest["Version", Judged]):
    """Judges the newest version that it was shown; what is known of an earlier one is known still."""

    def __init__(self, judge: Callable[[Version, Callable[[], bool]], Iterator[Judged]] = judge) -> None:
        super().__init__("wfsim judge", judge, Judged(), keep=_MOST_KNOWN)
