"""What an import did to a log, beside taking it in: named repairs, each counted, with the first rows it was done to."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

REPAIRS: dict[str, str] = {
    "drop_unnamed": "events without a case or an activity are left out",
    "drop_untimed": "events without a time are left out",
    "previous_time": "events without a time happen with the one before them",
    "drop_repeated": "events whose id has come before are left out",
    "lift_time": "events that are earlier than the one before them happen with it; their own time is in "
    "`time:timestamp`",
    "utc": "times without a zone are read as UTC",
}
"""What may be done to events that are not in order; `read_log(repair=…)` names those that are."""

REMARKS: dict[str, str] = {
    "zones": "events whose time is written with another offset than most; all times are kept in UTC",
    "outside_traces": "events that stand in no trace are left out",
    "empty_traces": "traces without events are left out",
    "unnamed_traces": "traces without a name are called by their place in the file",
    "repeated_names": "traces whose name has come before; they are cases of their own, called `name (2)` and so on",
    "differing_attributes": "values of an attribute of a case that differ from its first; they stay with the event",
    "not_started": "completions of activities that start elsewhere, without a start of their own",
    "not_completed": "starts that no completion follows",
    "no_steps": "events of other lifecycle transitions (suspend, resume, …): kept in `log_events`, but no steps",
}
"""What is found and done with any log."""


@dataclass(frozen=True)
class Repair:
    """One thing that was done to some of a log's events.

    Attributes
    ----------
    name
        As in `REPAIRS` or `REMARKS` of docs/import.md.
    count
        How many events, or cases, it was done to.
    first
        The rows of the first five of them, counted from 1.
    """

    name: str
    count: int
    first: tuple[int, ...] = ()

    @property
    def what(self) -> str:
        """What was done, in a sentence."""
        return {**REPAIRS, **REMARKS}[self.name]


@dataclass(frozen=True)
class Imported:
    """Where an imported history comes from, and what was done to it.

    Attributes
    ----------
    source
        File, or kind of object.
    form
        `xes` or `table`.
    events, cases
        How many are in the history.
    columns
        What was read as what: `case`, `activity`, `time` and the like, with the columns or keys.
    types
        Attributes that are more than their values tell: `date` and `id`, by name.
    about
        Attributes of the log itself.
    repairs
        What was done.
    """

    source: str
    form: str
    events: int
    cases: int
    columns: Mapping[str, str]
    types: Mapping[str, str]
    about: Mapping[str, str]
    repairs: tuple[Repair, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Imported:
        """What `to_dict` gave."""
        repairs = tuple(Repair(each["name"], each["count"], tuple(each["first"])) for each in told["repairs"])
        return cls(**{**told, "repairs": repairs})

    def df(self) -> pd.DataFrame:
        """One row for each repair: `name`, `count`, `what`, `first`."""
        import pandas as pd

        rows = [(each.name, each.count, each.what, list(each.first)) for each in self.repairs]
        return pd.DataFrame(rows, columns=["name", "count", "what", "first"])

    def __repr__(self) -> str:
        head = f"<Imported {self.source}: {self.events:,} events, {self.cases:,} cases"
        return head + "".join(f"; {each.name}: {each.count:,}" for each in self.repairs) + ">"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{each.name}</td><td>{each.count:,}</td><td>{html.escape(each.what)}</td></tr>"
            for each in self.repairs
        )
        head = f"<p>{html.escape(self.source)}: {self.events:,} events, {self.cases:,} cases</p>"
        return head + (f"<table><tr><th>repair</th><th>count</th><th>what</th></tr>{rows}</table>" if rows else "")
