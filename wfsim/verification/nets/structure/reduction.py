"""Smaller nets of which soundness, or freedom from deadlocks, can be asked instead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.nets.structure import rules
from wfsim.verification.nets.structure.draft import Draft, members, unrolled
from wfsim.verification.nets.structure.parts import replace_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wfsim.net.marking import Marking
    from wfsim.net.petri import PetriNet


class Keep(StrEnum):
    """The question whose answer a reduction keeps."""

    SOUNDNESS = "soundness"
    """Each clause of soundness, of which the dead transitions can be told from those of the reduced net."""
    DEADLOCK = "deadlock"
    """Whether a marking other than the final one enables nothing, and the length of a shortest way there."""
    REACHABILITY = "reachability"
    """Which numbers of tokens the places asked about can hold together, though perhaps on a longer way."""


@dataclass(frozen=True)
class Reduction:
    """A reduced net and the way back to the original one.

    Attributes
    ----------
    original, net
        The net asked about, and the smaller one.
    final
        The marking of the reduced net that stands for the final one; None if none was given.
    capped
        Places of the reduced net that must hold at most one token in every reachable marking, else nothing that is
        found in it counts.
    rules
        How often each rule was used, in the order of first use.
    lengths
        For each transition of the reduced net, how many original ones it stands for.
    """

    original: PetriNet
    net: PetriNet
    final: Marking | None
    capped: tuple[str, ...]
    rules: Mapping[str, int]
    lengths: Mapping[str, int]
    _draft: Draft
    _numbers: Mapping[str, int]

    def lift(self, firing_sequence: Iterable[str]) -> tuple[str, ...]:
        """The firing sequence of the original net that one of the reduced net stands for; O(its length)."""
        names = self.original.transitions
        steps = self._draft.steps
        return tuple(names[t] for name in firing_sequence for t in unrolled(steps[self._numbers[name]].sequence))

    def alive(self, fired: Iterable[str]) -> set[str]:
        """Original transitions that can fire, given all transitions of the reduced net that can."""
        steps = self._draft.steps
        return {self.original.transitions[t] for t in members([steps[self._numbers[name]].alive for name in fired])}

    @property
    def undecided(self) -> set[str]:
        """Original transitions of which nothing is known if they are not among `alive`."""
        return {self.original.transitions[t] for t in self._draft.undecided}

    def to_dict(self) -> dict[str, Any]:
        """Sizes and rules as JSON-able data."""
        return {
            "places": len(self.net.places),
            "transitions": len(self.net.transitions),
            "rules": dict(self.rules),
        }

    def __str__(self) -> str:
        used = ", ".join(f"{rule} ({count})" for rule, count in self.rules.items())
        return (
            f"reduced from {len(self.original.places)} places and {len(self.original.transitions)} transitions to "
            f"{len(self.net.places)} and {len(self.net.transitions)} [{used or 'no rule applied'}]"
        )


def unreduced(net: PetriNet, final: Marking | None) -> Reduction:
    """The net as it is, for what is asked of reduced nets."""
    draft = Draft.of(net, final)
    steps = {name: number for number, name in enumerate(net.transitions)}
    return Reduction(net, net, final, (), {}, dict.fromkeys(steps, 1), draft, steps)


def reduce(
    net: PetriNet,
    final: Marking | None = None,
    keep: Keep = Keep.SOUNDNESS,
    *,
    parts: bool = True,
    places: Iterable[str] = (),
    limits: Limits = UNLIMITED,
) -> Reduction:
    """Apply reduction rules until none applies, or the time is over: what they have done by then counts.

    Parameters
    ----------
    final
        The marking to end in. Soundness needs it; without, every deadlock counts.
    keep
        The question to be asked of the reduced net.
    parts
        Whether parts between a split and a join may be examined on their own, which needs `capped` to be checked;
        not for deadlocks.
    places
        For reachability, the places asked about, which stay.

    Raises
    ------
    ValueError
        Soundness without a final marking.

    Notes
    -----
    The rules are those of the modules `rules` and `parts` beside this one. Arcs of every kind
    may occur; read, inhibitor and reset arcs keep rules away from their surroundings. Cost: near linear in the
    arcs for each round, with a round for each level of nesting.
    """
    if keep is Keep.SOUNDNESS and final is None:
        raise ValueError(f"soundness of {net.name!r} cannot be kept without a final marking.")
    draft = Draft.of(net, final)
    draft.watched = {net.place_index(place) for place in places}
    tried: set[object] = set()
    if parts and keep is not Keep.DEADLOCK:
        _simplify(draft, keep, limits, keep_splits=True)
        while replace_parts(draft, tried, limits):
            _simplify(draft, keep, limits, keep_splits=True)
    _simplify(draft, keep, limits)
    small, end, numbers = draft.to_net()
    steps = dict(zip(small.transitions, numbers))
    return Reduction(
        net,
        small,
        None if final is None else end,
        tuple(draft.place_name(place) for place in sorted(draft.capped)),
        dict(draft.rules),
        {name: draft.steps[number].length for name, number in steps.items()},
        draft,
        steps,
    )


def _simplify(draft: Draft, keep: Keep, limits: Limits, *, keep_splits: bool = False) -> None:
    again = True
    while again and not limits.late:
        again = False
        todo = dict.fromkeys(sorted(draft.producers, reverse=True))
        while todo and not limits.late:
            place, _ = todo.popitem()
            if place not in draft.producers:
                continue
            touched = rules.agglomerate(draft, place, keep_tokens=keep is Keep.SOUNDNESS, keep_splits=keep_splits)
            if touched is not None:
                todo.update(dict.fromkeys(sorted(touched, reverse=True)))
                again = True
        again |= rules.merge_transitions(draft)
        again |= rules.merge_places(draft)
        again |= rules.drop_constant_places(draft)
        if keep is not Keep.DEADLOCK:
            again |= rules.drop_idle(draft, keep_alive=keep is Keep.SOUNDNESS)
