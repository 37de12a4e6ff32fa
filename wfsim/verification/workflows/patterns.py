"""Properties of runs without temporal logic: patterns [1, 2], each a small automaton that reads a run's moments.

=============  ==================================================================================================
`never`        the claim is at no moment true
`always`       the claim is true at every moment
`absence`      after a moment with `after` (default: from the start), `of` is not true until `until` is
`exclusive`    no two of the states are active at one moment
`at_most`      at most `times` moments have the claim, or that start of an activity, event, or entry of a state
`precedes`     `then` is true only at or after a moment with `first`
`eventually`   every fair run has a moment with the claim
`leads_to`     every moment `from` is followed, at once or later, by a moment `to`, in every fair run
`responds`     the same, said the other way round: `with` comes whenever `to` has come
=============  ==================================================================================================

The first six are safety properties: a finite run refutes them. The last three are about runs as a whole, and need an
assumption that a run goes on at all, `fairness`:

- `progress` (default): clocks run out, work ends and children close, in whatever way: what runs without a break and
  is not set anew comes to its end. Events and an operator may never come, so a run may wait for them for ever; but an
  operator does not go on intervening for ever.
- `strong`: also, what is possible again and again happens again and again, be it an event or a result.
- `none`: a run may stop anywhere.

With `within` what is owed must come so soon. A search has no durations: it refutes what never comes, and leaves open
what does; who sees times (`Watch`) tells when it is due.

A run also ends when its instance closes; nothing follows then.

References
----------
.. [1] Dwyer, Avrunin, Corbett (1999), Patterns in property specifications for finite-state verification, ICSE.
.. [2] Pesic, Schonenberg, van der Aalst (2007), DECLARE: full support for loosely-structured processes, EDOC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from wfsim.errors import ExpressionError
from wfsim.model.duration import Duration
from wfsim.verification.workflows.claims import WORDS as ACTIVITY_WORDS
from wfsim.verification.workflows.claims import Active, Claim, Happened, parse_claim

Fairness = Literal["progress", "strong", "none"]
Within = Duration | None
BAD = -1
"""The state of an automaton that has seen a violation."""


@dataclass(frozen=True, slots=True)
class Automaton:
    """Reads what claims say at each moment.

    Attributes
    ----------
    claims
        What it reads, and in which order.
    step
        Its next state after a state and the truths of the claims; it begins in 0, and `BAD` is for ever.
    open
        For properties of whole runs: the states in which something is still owed. Empty for safety properties.
    within
        Of what is owed: microseconds from when it is owed on in which it must come.
    trigger
        Which claim must be true at some moment, lest the property says nothing; -1 where there is none such.
    """

    claims: tuple[Claim, ...]
    step: Callable[[int, tuple[bool, ...]], int]
    open: frozenset[int] = frozenset()
    fairness: Fairness = "progress"
    trigger: int = -1
    within: int | None = None


def _checked(value: Any) -> Any:
    if isinstance(value, str):
        try:
            parse_claim(value)
        except ExpressionError as error:
            raise ValueError(str(error)) from None
    return value


class Pattern(BaseModel):
    """Options of a pattern; `automaton` says what they mean."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def automaton(self) -> Automaton:
        """The automaton that watches for it."""
        raise NotImplementedError

    def told(self) -> str:
        """What a moment that refutes it looks like."""
        raise NotImplementedError


class _One(Pattern):
    """Patterns of one claim, which may be written without its key."""

    of: str

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"of": data} if isinstance(data, str) else data

    _of = field_validator("of", mode="after")(_checked)


class Never(_One):
    """At no moment."""

    def automaton(self) -> Automaton:
        return Automaton((parse_claim(self.of),), lambda _, truth: BAD if truth[0] else 0)

    def told(self) -> str:
        return f"`{self.of}` is true"


class Always(_One):
    """At every moment."""

    def automaton(self) -> Automaton:
        return Automaton((parse_claim(self.of),), lambda _, truth: 0 if truth[0] else BAD)

    def told(self) -> str:
        return f"`{self.of}` is false"


class Absence(_One):
    """Not between two claims: `of` may be true at the moment that opens or closes the stretch, not inside it."""

    after: str | None = None
    until: str | None = None
    _others = field_validator("after", "until", mode="after")(_checked)

    def automaton(self) -> Automaton:
        claims = [parse_claim(each) for each in (self.of, self.after, self.until) if each is not None]
        n_until = len(claims) - 1 if self.until is not None else -1
        n_after = 1 if self.after is not None else -1

        def step(inside: int, truth: tuple[bool, ...]) -> int:
            closes = n_until >= 0 and truth[n_until]
            opens = n_after >= 0 and truth[n_after]
            if inside and closes:
                inside = 0
            elif inside and truth[0]:
                return BAD
            return 1 if inside or (opens and not closes) else 0

        if self.after is None:
            # From the start on, until `until` is true for the first time: 0 is inside, 1 is over.
            def first(over: int, truth: tuple[bool, ...]) -> int:
                if over or (n_until >= 0 and truth[n_until]):
                    return 1
                return BAD if truth[0] else 0

            return Automaton(tuple(claims), first)
        return Automaton(tuple(claims), step, trigger=1)

    def told(self) -> str:
        after = f" after `{self.after}`" if self.after is not None else ""
        until = f", before `{self.until}`" if self.until is not None else ""
        return f"`{self.of}` is true{after}{until}"


class Exclusive(Pattern):
    """No two at once."""

    states: tuple[str, ...] = Field(min_length=2)

    @field_validator("states", mode="after")
    @classmethod
    def _different(cls, states: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in states if states.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(map(repr, twice))} is named twice; each state excludes the others.")
        return states

    def automaton(self) -> Automaton:
        claims = tuple(_atom(f"in({name!r})", Active(name)) for name in self.states)
        return Automaton(claims, lambda _, truth: BAD if sum(truth) > 1 else 0)

    def told(self) -> str:
        return f"two of the states {', '.join(self.states)} are active at once"


class AtMost(Pattern):
    """No more often; each moment with the claim counts once."""

    of: str | None = None
    activity: str | None = None
    event: str | None = None
    state: str | None = None
    times: int = Field(ge=0, le=1_000)
    _claim = field_validator("of", mode="after")(_checked)

    @model_validator(mode="after")
    def _one_of_them(self) -> AtMost:
        given = [name for name in ("of", "activity", "event", "state") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "at_most counts one of: of (a claim), activity (starts of its attempts), event, state (entries); "
                f"given are {', '.join(given) or 'none'}."
            )
        return self

    def _counted(self) -> Claim:
        if self.of is not None:
            return parse_claim(self.of)
        if self.activity is not None:
            text = f"activity.{self.activity}.started"
            return _atom(text, Happened("activity", self.activity, ACTIVITY_WORDS["started"]))
        if self.event is not None:
            return parse_claim(f"event.{self.event}")
        return parse_claim(f"entered({self.state!r})")

    def automaton(self) -> Automaton:
        def step(count: int, truth: tuple[bool, ...]) -> int:
            if not truth[0]:
                return count
            return BAD if count == self.times else count + 1

        return Automaton((self._counted(),), step)

    def told(self) -> str:
        return f"`{self._counted().text}` is true for the {self.times + 1}{_ORDINAL.get(self.times + 1, 'th')} time"


_ORDINAL = {1: "st", 2: "nd", 3: "rd"}


class Precedes(Pattern):
    """One before the other."""

    first: str
    then: str
    _claims = field_validator("first", "then", mode="after")(_checked)

    def automaton(self) -> Automaton:
        def step(seen: int, truth: tuple[bool, ...]) -> int:
            if seen or truth[0]:
                return 1
            return BAD if truth[1] else 0

        return Automaton((parse_claim(self.first), parse_claim(self.then)), step, trigger=1)

    def told(self) -> str:
        return f"`{self.then}` is true, and `{self.first}` was not before"


class Eventually(_One):
    """Sooner or later."""

    fairness: Fairness = "progress"
    within: Within = None

    def automaton(self) -> Automaton:
        return Automaton(
            (parse_claim(self.of),),
            lambda met, truth: 1 if met or truth[0] else 0,
            frozenset({0}),
            self.fairness,
            within=self.within,
        )

    def told(self) -> str:
        return f"`{self.of}` never becomes true"


class LeadsTo(Pattern):
    """One after the other."""

    cause: str = Field(alias="from")
    to: str
    fairness: Fairness = "progress"
    within: Within = None
    _claims = field_validator("cause", "to", mode="after")(_checked)

    def automaton(self) -> Automaton:
        return _response(self.cause, self.to, self.fairness, self.within)

    def told(self) -> str:
        return f"after `{self.cause}`, `{self.to}` never becomes true"


class Responds(Pattern):
    """One after the other, said from its end."""

    to: str
    answer: str = Field(alias="with")
    fairness: Fairness = "progress"
    within: Within = None
    _claims = field_validator("to", "answer", mode="after")(_checked)

    def automaton(self) -> Automaton:
        return _response(self.to, self.answer, self.fairness, self.within)

    def told(self) -> str:
        return f"after `{self.to}`, `{self.answer}` never becomes true"


def _response(cause: str, answer: str, fairness: Fairness, within: Duration | None) -> Automaton:
    def step(owed: int, truth: tuple[bool, ...]) -> int:
        return 0 if truth[1] else 1 if truth[0] else owed

    return Automaton((parse_claim(cause), parse_claim(answer)), step, frozenset({1}), fairness, 0, within)


def _atom(text: str, atom: Active | Happened) -> Claim:
    from wfsim.model.expression_tree import Name

    return Claim(text, Name("item", "0"), (atom,))


PATTERNS: dict[str, type[Pattern]] = {
    "never": Never,
    "always": Always,
    "absence": Absence,
    "exclusive": Exclusive,
    "at_most": AtMost,
    "precedes": Precedes,
    "eventually": Eventually,
    "leads_to": LeadsTo,
    "responds": Responds,
}
"""What can be asked of runs, by name."""
