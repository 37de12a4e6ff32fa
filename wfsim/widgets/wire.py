"""One widget's talk with its pages: requests are checked, answers say what has changed since the last one.

A page asks `hello` and gets the whole `scene`, a dict of JSON values. Each further request has a type, a number `seq`
and fields; its answer is a `patch` with the parts of the scene that differ, a `problem`, or a `file`. Every scene has
a version, and a request tells which one its page shows, so that a click on something old does nothing. No browser is
needed to test a widget: `Wire.answer` is all that a page talks to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.errors import WfsimError, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Scene: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]

LONGEST_TEXT = 100_000
MOST_TEXTS = 1_000
"""Limits of what a page may send: the length of a text, and how many texts by name."""


@dataclass(frozen=True, slots=True)
class File:
    """An answer for the page to save."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a page may ask.

    Attributes
    ----------
    do
        Is given the fields by name. Returns why it could not be done, or nothing; or a file.
    fields
        The type of each field: `str`, `int`, `bool`, or `dict` for texts by name.
    on_latest
        Whether it means something on the page, so that the page must show the latest scene.
    """

    do: Callable[..., str | File]
    fields: Mapping[str, type]
    on_latest: bool = False


class Wire:
    """Answers the pages of one widget.

    Parameters
    ----------
    scene
        Gives what is to be seen now, whole. A part that is a dict is compared entry by entry; none of its entries
        may be None.
    requests
        What a page may ask, by type.

    Attributes
    ----------
    problem
        Why the last request could not be met; empty if it could.
    version
        The number of the last scene.
    """

    def __init__(self, scene: Callable[[], Scene], requests: Mapping[str, Request]) -> None:
        self.scene = scene
        self._requests = requests
        self._sent: Scene = {}
        self.problem = ""
        self.version = 0

    def answer(self, message: object) -> Message:
        """The answer to a message of a page, which may be anything; a scene, patch, file or problem."""
        if not isinstance(message, dict) or type(message.get("seq")) is not int:
            return {"type": "problem", "seq": -1, "text": "a message is an object with a type and a number seq."}
        seq = message["seq"]
        if message.get("type") == "hello":
            return self._whole() | {"seq": seq}
        try:
            request, fields = self._checked(message)
            if request.on_latest and message.get("version") != self.version:
                raise WfsimError("the page showed an older step; look again.")
            done = request.do(**fields)
        except WfsimError as error:
            self.problem = str(error)
            return {"type": "problem", "seq": seq, "text": self.problem}
        if isinstance(done, File):
            return {"type": "file", "seq": seq, "name": done.name, "text": done.text}
        self.problem = done
        return self.changed() | {"seq": seq}

    def changed(self, problem: str | None = None) -> Message:
        """The patch that brings pages up to date, after a change that no page asked for, too."""
        if problem is not None:
            self.problem = problem
        scene = self.scene()
        changes = difference(self._sent, scene)
        base, self._sent, self.version = self.version, scene, self.version + 1
        return {
            "type": "patch",
            "base": base,
            "version": self.version,
            "changes": changes,
            "problem": self.problem,
        }

    def _whole(self) -> Message:
        self._sent = self.scene()
        self.version += 1
        return {"type": "scene", "version": self.version, "scene": self._sent, "problem": self.problem}

    def _checked(self, message: Message) -> tuple[Request, dict[str, Any]]:
        kind = message.get("type")
        request = self._requests.get(kind) if isinstance(kind, str) else None
        if request is None:
            raise WfsimError(f"{str(kind)[:40]!r} is nothing to ask. Known: hello, {listed(self._requests)}.")
        for name, wanted in request.fields.items():
            if not _fits(message.get(name), wanted):
                raise WfsimError(f"{kind}: the field {name!r} is missing or no {wanted.__name__}.")
        return request, {name: message[name] for name in request.fields}


def difference(old: Scene, new: Scene) -> Scene:
    """The parts of `new` that `old` has not; of a dict, its entries, None for one that is gone."""
    found: Scene = {}
    for name, value in new.items():
        before = old.get(name)
        if value is before or value == before:
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            gone = dict.fromkeys(before.keys() - value.keys())
            found[name] = {key: each for key, each in value.items() if key not in before or before[key] != each} | gone
        else:
            found[name] = value
    return found


def _fits(value: object, wanted: type) -> bool:
    if type(value) is not wanted:
        return False
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT
    if isinstance(value, dict):
        return len(value) <= MOST_TEXTS and all(_fits(each, str) for pair in value.items() for each in pair)
    return True
