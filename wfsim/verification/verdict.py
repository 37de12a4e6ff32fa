"""What a verification answers: a verdict, and for a violation a witness that replays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from wfsim.errors import VerdictUnknown, visible
from wfsim.exploration.witness import Witness, WitnessStep, facts, left_out
from wfsim.markup import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wfsim.net.marking import Marking
    from wfsim.net.petri import PetriNet


class Status(StrEnum):
    """How a question was answered."""

    HOLDS = "holds"
    """Proved under the assumptions named."""
    VIOLATED = "violated"
    """Refuted; a witness shows it wherever there can be one."""
    UNKNOWN = "unknown"
    """Neither: a limit was reached or the method does not cover this case."""
    ERROR = "error"
    """The question does not apply, say because the net is not a workflow net."""


@dataclass(frozen=True, repr=False)
class NetWitness(Witness):
    """A firing sequence from the initial marking of a net.

    `repeatable` names the last part of the sequence if that part can be fired again and again: it shows that
    a net is unbounded, or that a run goes on for ever without what it should come to.
    """

    kind: ClassVar[str] = "net"

    net: PetriNet = field(repr=False)
    firing_sequence: tuple[str, ...]
    marking: Marking
    repeatable: tuple[str, ...] = ()

    @classmethod
    def of(cls, net: PetriNet, firing_sequence: Sequence[str], repeatable: Sequence[str] = ()) -> NetWitness:
        """Fire the sequence and record what it passes; `NetError` if it cannot fire."""
        marked = {place: n for place, n in enumerate(net.initial_marking.tokens) if n}
        steps = []
        for transition, (rule, tokens) in zip(firing_sequence, net.walk(firing_sequence)):
            for place in (*rule.empties, *(place for place, _ in rule.changes)):
                marked[place] = tokens[place]
                if not marked[place]:
                    del marked[place]
            after = {net.places[place]: marked[place] for place in sorted(marked)}
            detail = {"transition": transition, "source": net.source(transition)}
            steps.append(WitnessStep(net.label(transition), detail, after))
        last = net.marking({net.places[place]: n for place, n in marked.items()})
        return cls(tuple(steps), net, tuple(firing_sequence), last, tuple(repeatable))

    def replay(self) -> list[Marking]:
        """Fire the sequence from the initial marking: the markings passed, the initial one included.

        Raises
        ------
        NetError
            If a transition is not enabled, or the last marking is not the one recorded.
        """
        from wfsim.errors import NetError

        markings = self.net.fire_sequence(self.firing_sequence)
        if markings[-1] != self.marking:
            raise NetError(f"the witness ends in {markings[-1]}, but recorded is {self.marking}.")
        return markings

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "net": self.net.name,
            "firing_sequence": list(self.firing_sequence),
            "repeatable": list(self.repeatable),
            "marking": self.marking.to_dict(),
            "steps": [step.to_dict() for step in self.steps],
        }


_REASON = 160
"""So much of a reason one line shows."""


@dataclass(frozen=True, repr=False)
class Verdict:
    """The answer to one question about a net or a workflow.

    As a truth value it is True if the property holds and False if it is violated; `unknown` and `error` raise
    `VerdictUnknown`, so that neither passes for an answer.

    Attributes
    ----------
    status
        `holds`, `violated`, `unknown` or `error`.
    property
        The question, as `"soundness of 'order'"`.
    reason
        One or more sentences: why, and what to do next.
    witness
        A replayable sequence of steps, where one exists.
    bound
        How far the search went: `markings`, `edges`, `complete`, and `stopped` with the reason if it was not.
    assumptions
        Under which the answer holds.
    method
        How it was found.
    statistics
        Further numbers and lists; JSON-able, and equal for equal input.
    further
        More violations of the same property, each with its own reason and witness.
    """

    status: Status
    property: str
    reason: str
    witness: Witness | None = None
    bound: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    method: str = ""
    statistics: Mapping[str, Any] = field(default_factory=dict)
    further: tuple[Verdict, ...] = ()

    def __post_init__(self) -> None:
        # A witness is opened on its own, and says there what it is a witness of.
        if self.witness is not None and self.witness.reason != self.reason:
            object.__setattr__(self, "witness", replace(self.witness, reason=self.reason))

    def __bool__(self) -> bool:
        if self.status is Status.HOLDS:
            return True
        if self.status is Status.VIOLATED:
            return False
        raise VerdictUnknown(
            f"{self.property}: the verdict is {self.status}, neither true nor false. {self.reason}\n"
            "Compare verdict.status if this is expected."
        )

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON-able data."""
        return {
            "status": str(self.status),
            "property": self.property,
            "reason": self.reason,
            "witness": None if self.witness is None else self.witness.to_dict(),
            "bound": dict(self.bound),
            "assumptions": list(self.assumptions),
            "method": self.method,
            "statistics": dict(self.statistics),
            "further": [each.to_dict() for each in self.further],
        }

    def __str__(self) -> str:
        lines = [f"{self.status}: {self.property}", f"  {self.reason}".replace("\n", "\n  ")]
        lines += self._trace()
        for each in self.further:
            lines += [f"  also: {each.reason}".replace("\n", "\n  "), *each._trace()]
        lines += [f"  {name}: {text}" for name, text in self._footer()]
        return "\n".join(lines)

    def _trace(self) -> list[str]:
        if self.witness is None:
            return []
        lines = [f"  trace of {len(self.witness)} step{'' if len(self.witness) == 1 else 's'}:"]
        first, n, last = self.witness.excerpt()
        width = max((len(step.action) for _, step in first + last), default=0)
        told = [f"    {number}. {step.action:<{width}}  {facts(step.after)}".rstrip() for number, step in first + last]
        if n:
            told.insert(len(first), f"    {left_out(n)}")
        return lines + told

    def _footer(self) -> list[tuple[str, str]]:
        entries = (
            ("bound", facts(self.bound)),
            ("method", self.method),
            ("assumes", "; ".join(self.assumptions)),
        )
        return [(name, text) for name, text in entries if text]

    def __repr__(self) -> str:
        reason = " ".join(self.reason.split())
        short = reason if len(reason) <= _REASON else reason[:_REASON].rsplit(" ", 1)[0] + " …"
        return visible(f"<{MARKS[self.status]} {self.status} {self.property}: {short}>")

    def _repr_html_(self) -> str:
        """For notebooks: the same as `str`, with every text escaped; what it rests on is folded."""
        return self.to_html(footer=True)

    def to_html(self, *, footer: bool) -> str:
        """As HTML that is shown without trust.

        Parameters
        ----------
        footer
            With bound, method and assumptions, folded.
        """
        parts = [
            f'<div class="wfsim-verdict" style="border-left:4px solid {_COLOURS[self.status]};padding-left:.8em">',
            f"<b>{MARKS[self.status]} {escaped(self.status)}</b>: {escaped(self.property)}",
            f"<p>{escaped(self.reason)}</p>",
        ]
        for each in (self, *self.further):
            if each is not self:
                parts.append(f"<p>Also: {escaped(each.reason)}</p>")
            if each.witness is not None:
                parts.append(each.witness._repr_html_())
        rows = "".join(f"<div>{escaped(name)}: {escaped(text)}</div>" for name, text in self._footer())
        if footer and rows:
            parts.append(f"<details><summary>bound, method, assumptions</summary><small>{rows}</small></details>")
        return "".join([*parts, "</div>"])


# Okabe and Ito's colours: told apart by colour-blind eyes, visible on white and on black. The mark says the
# same without colour.
_COLOURS = {
    Status.HOLDS: "#009E73",
    Status.VIOLATED: "#D55E00",
    Status.UNKNOWN: "#E69F00",
    Status.ERROR: "#CC79A7",
}
MARKS = {Status.HOLDS: "✓", Status.VIOLATED: "✗", Status.UNKNOWN: "?", Status.ERROR: "!"}
