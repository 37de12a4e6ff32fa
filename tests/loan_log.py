"""`python -m tests.loan_log` writes the log that ships, models/loan_application.log.xes.gz: what a bank's system told.

Made anew from published facts, not taken from anybody's cases: `FACTS` are counted in the log of the BPI Challenge 2012
(van Dongen, B.F., 4TU.ResearchData, doi:10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f): 262,200 events of 13,087
applications for a loan at a Dutch bank. Activities of that log are in brackets.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

import wfsim as wf
from wfsim.history.history import History

PAGE = Path(__file__).parents[1] / "models" / "loan_application.log.xes.gz"
CASES = 600
SEED = 2012
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""
DAYS = 84
FACTS = {
    "leads": 4755 / 13087,  # cases with W_Afhandelen leads
    "checks": 5898 / 4755,  # of W_Afhandelen leads, by case that has any; never more than two here
    "declined after a lead": 2240 / 4755,
    "declined without a lead": 3480 / 8332,
    "completions": 23967 / 7367,  # of W_Completeren aanvraag, by case that has any
    "offered": 5015 / 7367,  # O_SENT
    "cancelled before an offer": 1166 / 2352,
    "declined before an offer": 1114 / 2352,
    "offers": 7030 / 5015,
    "calls": 22976 / 5015,  # W_Nabellen offertes
    "returned": 3254 / 5015,  # O_SENT_BACK
    "cancelled offers": 1482 / 1761,
    "declined offers": 48 / 1761,
    "incomplete": 1647 / 3254,  # W_Nabellen incomplete dossiers
    "calls for documents": 11407 / 1647,
    "fraud": 108 / 3254,  # W_Beoordelen fraude
    "approved": 2246 / 3254,
    "declined at last": 754 / 3254,
    "cancelled at last": 158 / 3254,
    "not started": 1040 / 72_413,  # completions of W_… without a start
}
SERVICE = {  # minutes: median and 95 % quantile
    "check lead": (1.91, 16.95),
    "complete application": (2.67, 17.92),
    "call about offer": (1.69, 9.54),
    "validate": (12.04, 48.5),
    "call about documents": (2.11, 23.08),
    "assess fraud": (0.15, 3.04),
}
PAUSE = {  # hours until it is due, median of W_… (from its schedule or the step before to its start)
    "check lead": 0.53,
    "complete application": 3.12,
    "call about offer": 45.06,
    "validate": 4.48,
    "call about documents": 2.07,
    "assess fraud": 1.99,
}
# Not published: who may do what and when, the amounts, and what goes wrong.
SKIPPED, EARLY = 0.03, 0.02
"""Of the returned offers: approved without validation, validated before the offer is back."""


@dataclass
class Clerk:
    """Someone who works from one hour to another on some days of the week."""

    name: str
    can: tuple[str, ...]
    hours: tuple[int, int]
    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    busy: bool = False

    def works(self, at: datetime) -> bool:
        """Whether work may be begun."""
        return at.weekday() in self.days and self.hours[0] <= at.hour < self.hours[1]


_CALLS = ("check lead", "complete application", "call about offer", "call about documents")


def clerks() -> list[Clerk]:
    """Those of the bank; what has waited longest goes to one of those who are free."""
    return [
        Clerk("Anna", _CALLS, (8, 16)),
        Clerk("Bram", _CALLS, (8, 16)),
        Clerk("Carla", _CALLS, (13, 21)),
        Clerk("Daan", _CALLS, (9, 17), (1, 2, 3, 4, 5)),
        Clerk("Eva", ("validate", "call about documents"), (8, 16)),
        Clerk("Finn", ("validate", "assess fraud"), (9, 17), (0, 1, 2, 3)),
    ]


def application(draw: random.Random) -> Iterator[tuple[str, str]]:
    """What happens to a case: `note` of a moment, `pause` before what is to be done, `work` of a clerk."""

    def chance(fact: str) -> bool:
        return draw.random() < FACTS[fact]

    def times(fact: str) -> int:
        """At least one; geometric with the mean of the fact."""
        return 1 + int(math.log(1 - draw.random()) / math.log(1 - 1 / FACTS[fact]))

    def done(activity: str, n: int = 1) -> Iterator[tuple[str, str]]:
        for _ in range(n):
            yield "pause", activity
            yield "work", activity

    def one_of(*ends: str) -> Iterator[tuple[str, str]]:
        """An end by its share; without one the case stays open."""
        left = draw.random()
        for fact in ends:
            left -= FACTS[fact]
            if left < 0:
                yield "note", fact.split()[0]
                return

    yield "note", "submitted"
    lead = chance("leads")
    if lead:
        yield from done("check lead", 1 + (draw.random() < FACTS["checks"] - 1))
    if chance("declined after a lead" if lead else "declined without a lead"):
        yield "note", "declined"
        return
    yield from done("complete application", times("completions"))
    if not chance("offered"):
        yield from one_of("cancelled before an offer", "declined before an offer")
        return
    yield "note", "offer sent"
    calls = times("calls")
    for _ in range(times("offers") - 1):
        yield from done("call about offer")
        yield "note", "offer sent"
        calls -= 1
    yield from done("call about offer", max(calls, 1))
    if not chance("returned"):
        yield from one_of("cancelled offers", "declined offers")
        return
    odd = draw.random()
    if odd < EARLY:
        yield from done("validate")
    yield "note", "offer returned"
    if not EARLY <= odd < EARLY + SKIPPED:
        yield from done("validate")
        if chance("incomplete"):
            yield from done("call about documents", times("calls for documents"))
            yield from done("validate")
        if chance("fraud"):
            yield from done("assess fraud")
    elif chance("approved"):
        yield "note", "approved"
        return
    yield from one_of("approved", "declined at last", "cancelled at last")


@dataclass
class Bank:
    """Cases, clerks and a calendar: a case that goes on, work that ends, or (`None`) an hour that begins."""

    draw: random.Random
    events: list[tuple[str, str, datetime, str | None, str, int]] = field(default_factory=list)
    staff: list[Clerk] = field(default_factory=clerks)
    waiting: list[tuple[int, str]] = field(default_factory=list)
    calendar: list[tuple[datetime, int, int | tuple[Clerk, int, str] | None]] = field(default_factory=list)
    serial: int = 0

    def at(self, time: datetime, of: int | tuple[Clerk, int, str] | None) -> None:
        """Put something into the calendar."""
        self.serial += 1
        heapq.heappush(self.calendar, (time, self.serial, of))

    def run(self) -> None:
        """Everything, until no case goes on."""
        self.cases = [application(self.draw) for _ in range(CASES)]
        self.amounts = [round(self.draw.lognormvariate(math.log(10_000), 0.8), -2) for _ in range(CASES)]
        for case in range(CASES):
            day = FIRST + timedelta(days=self.draw.randrange(DAYS))
            self.at(day + timedelta(seconds=round(3600 * self.draw.triangular(6, 23, 13))), case)
        while self.calendar:
            now, _, of = heapq.heappop(self.calendar)
            if isinstance(of, int):
                self.go_on(now, of)
            elif of is not None:
                clerk, case, activity = of
                self.note(case, activity, now, clerk.name, "complete")
                clerk.busy = False
                self.go_on(now, case)
            self.begin(now)

    def note(self, case: int, activity: str, at: datetime, who: str | None, what: str) -> None:
        """An event of the log."""
        self.events.append((f"L{case + 1:03}", activity, at, who, what, int(self.amounts[case])))

    def go_on(self, now: datetime, case: int) -> None:
        """Let a case go on until it pauses or waits for a clerk."""
        for what, name in self.cases[case]:
            if what == "note":
                self.note(case, name, now, None, "complete")
            elif what == "pause":
                hours = self.draw.expovariate(math.log(2) / PAUSE[name])
                self.at(now + timedelta(seconds=round(3600 * hours)), case)
                return
            else:
                self.waiting.append((case, name))
                return

    def begin(self, now: datetime) -> None:
        """Give what waits to clerks who are there and free; look again at the next full hour if something is left."""
        for item in list(self.waiting):
            case, activity = item
            free = [each for each in self.staff if activity in each.can and not each.busy and each.works(now)]
            if not free:
                continue
            clerk = self.draw.choice(free)
            self.waiting.remove(item)
            clerk.busy = True
            median, most = SERVICE[activity]
            minutes = self.draw.lognormvariate(math.log(median), math.log(most / median) / 1.645)
            if self.draw.random() >= FACTS["not started"]:
                self.note(case, activity, now, clerk.name, "start")
            self.at(now + timedelta(seconds=max(1, round(60 * minutes))), (clerk, case, activity))
        if self.waiting:
            hour = now.replace(minute=0, second=0) + timedelta(hours=1)
            if not any(time == hour and of is None for time, _, of in self.calendar):
                self.at(hour, None)


def log() -> History:
    """The log as a history."""
    bank = Bank(random.Random(SEED))
    bank.run()
    names = ["case", "activity", "time", "resource", "lifecycle", "case:amount"]
    rows = sorted(bank.events, key=lambda each: each[0])
    table = pa.table(dict(zip(names, map(list, zip(*rows)))))
    return wf.read_log(table, final=("approved", "declined", "cancelled"))


if __name__ == "__main__":
    with log() as made:
        made.log().to_xes(PAGE)
    print(PAGE, f"{PAGE.stat().st_size:,} bytes")
