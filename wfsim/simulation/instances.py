"""What the surroundings remember of each simulated instance, and of a whole run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from wfsim.model.duration import Duration

from .plans import Member

if TYPE_CHECKING:
    from collections.abc import Iterable

NOTABLE_REJECTIONS, NOTABLE_SHARE = 10, 0.01
"""From so many rejected events on, if they are more than this share of those sent, the notes tell."""


@dataclass
class RunSummary:
    """What became of a run.

    Attributes
    ----------
    n_started, n_closed, n_refused
        Counts of arrivals; children, and what messages start, are not among them. An arrival is refused whose
        correlation key an open instance has (M7.2).
    n_children
        How many instances were started by others.
    end_time
        Microseconds of the last thing that happened.
    complete
        Whether the run came to its end, not to a limit or an interruption.
    interrupted
        Whether somebody ended it with Ctrl-C.
    notes
        What a reader of the results must know, in sentences.
    """

    n_started: int = 0
    n_closed: int = 0
    n_refused: int = 0
    n_children: int = 0
    end_time: int = 0
    complete: bool = True
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)


class Case:
    """What others know of an instance: what it is called, whose it is, and whom it has started.

    Parameters
    ----------
    name
        The arrival's number; of a child `<parent>/<activation>`, of what a message starts the message's id.
    key
        Its random key, which its `started` record has.
    luck
        Selects what its surroundings draw for it. Of what comes from outside it is the key; of what others start it
        follows from theirs and from names (M11.3), where keys follow from numbers.
    origin
        The instance that started it.
    parent, activation
        Of a child: its parent's number, and which of its activations started it.
    """

    __slots__ = (
        "activation",
        "children",
        "depth",
        "is_open",
        "key",
        "luck",
        "member",
        "name",
        "parent",
        "relatives",
    )

    def __init__(
        self,
        member: Member,
        name: str,
        key: int,
        luck: int,
        origin: Case | None = None,
        parent: int = 0,
        activation: int = 0,
    ) -> None:
        self.member = member
        self.key = key
        self.luck = luck
        self.name = name
        self.is_open = True
        self.parent = parent
        self.activation = activation
        self.children: dict[int, int] = {}
        self.depth: int = 0 if origin is None else origin.depth + 1
        # How many instances the first of the family has set going, in one list that they all share.
        self.relatives: list[int] = [0] if origin is None else origin.relatives

    @property
    def parent_name(self) -> str | None:
        """What its parent is called, if it is a child."""
        return self.name.rpartition("/")[0] if self.parent else None


def rejections_told(rejected: dict[tuple[Member, int, int], int], sent: int, root: Member) -> list[str]:
    """Which events were often turned away: the scenario sends what the workflow does not want.

    `rejected` counts by workflow, row of the event and handle of the reason.
    """
    total = sum(rejected.values())
    if total < NOTABLE_REJECTIONS or total <= NOTABLE_SHARE * sent:
        return []
    often = sorted(
        (-n, member.program.name(event) or "", member.texts.text(reason) or "", _of(member, root))
        for (member, event, reason), n in rejected.items()
    )
    told = [f"{event!r}{of} ({reason}) {-n:,} times" for n, event, reason, of in often[:5]]
    more = f", and {len(often) - 5} more kinds" if len(often) > 5 else ""
    return [
        f"{total:,} of {sent:,} events sent ({total / sent:.1%}) were rejected: "
        f"{', '.join(told)}{more}. The surroundings then try the next one of their plan."
    ]


def open_told(cases: Iterable[tuple[str, Member]], root: Member) -> list[str]:
    """Where cases stand that nothing will ever move: a sign of a gap in scenario or workflow.

    `cases` are the open ones: state, and the workflow of which they are.
    """
    stuck = Counter(f"{state!r}{_of(member, root)}" for state, member in cases)
    if not stuck:
        return []
    told = ", ".join(f"{where} ({n})" for where, n in sorted(stuck.items()))
    return [
        f"{stuck.total():,} cases are open and nothing is due that could move them: {told}. "
        "The scenario plans no event there, its patience ran out, or the workflow cannot leave."
    ]


class Crowd(NamedTuple):
    """Those who ask for a pool: attempts under way and waiting, its workers (`None`: a rate), those whom cases keep."""

    pool: str
    workers: int | None
    busy: int
    waiting: int
    held: int


def crowded_told(now: int, what: str, n_open: int, crowds: Iterable[Crowd]) -> str:
    """Why a run was stopped whose instances become ever more, and which pool most of them wait for."""
    told = f"The run was stopped at {Duration(now).spelled()}: {what}, {n_open:,} cases open."
    most = max(crowds, key=lambda crowd: crowd.waiting, default=None)
    if most is not None:
        if most.workers is None:
            told += f" By {most.pool} attempts begin more slowly than they are asked for: "
        else:
            told += f" Pool {most.pool!r} has {most.busy:,} of {most.workers:,} workers busy and "
        told += f"{most.waiting:,} attempts waiting."
        if most.held:
            told += f" {most.held:,} of the workers are kept by cases that have no work for them."
    return f"{told} Give more workers, let less arrive, or set a horizon."


def kept_told(name: str, most: int, held: int, waiting: int, held_time: int, time: int, stuck: bool) -> list[str]:
    """How long the workers of a pool were kept without work, and whether those who wait for them wait for ever.

    Of `most` workers so many are kept without work at the end, which is after `time` microseconds.
    """
    told = []
    if held_time:
        told.append(
            f"Of {most:,} workers of pool {name!r}, {held_time / max(time, 1):.3g} on average were kept by cases that "
            "had no work for them. They serve nobody else meanwhile, and the utilisation does not count it."
        )
    if stuck and held and waiting:
        told.append(
            f"Pool {name!r}: {waiting:,} attempts wait for a worker, and {held:,} of {most:,} workers are kept by "
            "cases that cannot go on: cases keep the workers that others wait for. Give more workers, or keep them in "
            "fewer states."
        )
    return told


def _of(member: Member, root: Member) -> str:
    """` of <workflow>` where that is not the root's."""
    return "" if member is root else f" of {member.program.workflow.name!r}"
