"""What-if: the ways that were gone from one beginning, all of them kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.records import Record
    from wfsim.semantics.stimulus import Stimulus


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: the stimulus, its records (the cause first), and the instance after it."""

    title: str
    stimulus: Stimulus
    records: tuple[Record, ...]
    instance: Instance


class Happened(Protocol):
    """Something that happened, told apart from others by what caused it."""

    @property
    def title(self) -> str:
        """In words."""
        ...

    @property
    def stimulus(self) -> object:
        """What caused it."""
        ...


H = TypeVar("H", bound=Happened)


class Ways(Generic[H]):
    """Sequences of steps; going back and doing something else makes a new one beside the old.

    Attributes
    ----------
    all
        Every way, in the order in which they were begun.
    number
        Which of them is the current one.
    """

    def __init__(self, first: list[H]) -> None:
        self.all: list[list[H]] = [first]
        self.number = 0

    @property
    def current(self) -> list[H]:
        """The steps of the current way."""
        return self.all[self.number]

    def go(self, cursor: int, step: H) -> None:
        """Take a step after the first `cursor` ones: on the current way, or on the one that goes on like that."""
        done = self.current[:cursor]
        for number, way in sorted(enumerate(self.all), key=lambda each: each[0] != self.number):
            if len(way) > cursor and way[:cursor] == done and repr(way[cursor].stimulus) == repr(step.stimulus):
                self.number = number
                return
        if len(self.current) == cursor:
            self.current.append(step)
        else:
            self.all.append([*done, step])
            self.number = len(self.all) - 1

    def shared(self) -> int:
        """How many steps all ways have in common."""
        alike = 0
        for steps in zip(*self.all):
            if any(step is not steps[0] for step in steps):
                break
            alike += 1
        return alike
