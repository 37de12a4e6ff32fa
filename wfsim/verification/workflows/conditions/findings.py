"""What is found about the conditions of a workflow, and the report that lists it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from wfsim.model.values import Value
from wfsim.model.workflow import Workflow
from wfsim.verification.verdict import Status
from wfsim.verification.workflows.conditions.witness import ValuesWitness

if TYPE_CHECKING:
    import pandas as pd


class Kind(StrEnum):
    """What may be the matter with conditions."""

    UNSATISFIABLE = "unsatisfiable"
    """No values make it true."""
    IMPLIED = "implied"
    """All values make it true, or a part of it changes nothing: so much can be left out."""
    SHADOWED = "shadowed"
    """Whatever makes it true makes an earlier one true, which is taken instead (M2.3)."""
    OVERLAP = "overlap"
    """Two are true at once, and the order of the file decides."""
    GAP = "gap"
    """None is true, so that nothing is taken."""
    FAULT = "fault"
    """It is neither true nor false but raises an error (M2.5)."""


@dataclass(frozen=True)
class Finding:
    """One thing found about a condition, or one that could not be decided.

    Attributes
    ----------
    kind
        What is the matter.
    status
        `violated` if it is so, `unknown` if that could not be decided. What is not so is not listed.
    place
        The transition in words of the workflow, or for gaps the state and the event.
    told
        Why, and what to do next.
    values
        An example by name, which the evaluator has tried; empty where it is about all values.
    witness
        The same, able to replay.
    file, line
        Where in the file (None if built in Python).
    """

    kind: Kind
    status: Status
    place: str
    told: str
    values: Mapping[str, Value] = field(default_factory=dict)
    witness: ValuesWitness | None = field(default=None, repr=False)
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file is not None else ""
        doubt = "" if self.status is Status.VIOLATED else f"{self.status}, "
        return f"{where}{doubt}{self.kind}: {self.place}: {self.told}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "kind": str(self.kind),
            "status": str(self.status),
            "place": self.place,
            "told": self.told,
            "values": {_written(name): value for name, value in self.values.items()},
            "file": self.file,
            "line": self.line,
        }


@dataclass(frozen=True)
class Conditions:
    """What was found about the conditions of a workflow, in the order of its file.

    Attributes
    ----------
    findings
        What is so, and what could not be decided.
    n_conditions, n_choices
        How many there are; a choice is a state with transitions on one event, at one time, or without either.
    n_questions
        How many questions the solver was asked.
    """

    workflow: Workflow = field(repr=False)
    findings: tuple[Finding, ...]
    n_conditions: int
    n_choices: int
    n_questions: int

    def of(self, *kinds: Kind | str) -> tuple[Finding, ...]:
        """The findings of these kinds."""
        wanted = {Kind(kind) for kind in kinds}
        return tuple(each for each in self.findings if each.kind in wanted)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        return "\n".join([self.head(), *(f"  {each}" for each in self.findings)])

    def __repr__(self) -> str:
        return str(self)

    def head(self) -> str:
        """How many conditions in how many choices, and what was found, in one line."""
        conditions = f"{self.n_conditions} condition{'' if self.n_conditions == 1 else 's'}"
        chosen = f"{self.n_choices} choice{'' if self.n_choices == 1 else 's'}"
        counts = [
            f"{n} {kind}" if status is Status.VIOLATED else f"{n} {kind} unknown"
            for status in (Status.VIOLATED, Status.UNKNOWN)
            for kind in Kind
            if (n := sum(each.kind is kind and each.status is status for each in self.findings))
        ]
        return f"{self.workflow.name!r}: {conditions} in {chosen}; {', '.join(counts) or 'nothing found'}"

    def to_frame(self) -> pd.DataFrame:
        """One row per finding; columns as the attributes of `Finding`, without `witness`."""
        import pandas as pd

        columns = ["kind", "status", "place", "told", "values", "file", "line"]
        return pd.DataFrame([[each.to_dict()[name] for name in columns] for each in self.findings], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-able data."""
        return {
            "workflow": self.workflow.name,
            "version": self.workflow.version,
            "conditions": self.n_conditions,
            "choices": self.n_choices,
            "questions": self.n_questions,
            "findings": [each.to_dict() for each in self.findings],
        }

    def _repr_html_(self) -> str:
        if not self.findings:
            return f"<p>{html.escape(self.head())}.</p>"
        head = "".join(f"<th>{name}</th>" for name in ("kind", "status", "place", "told", "values", "line"))
        rows = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align:left">{html.escape(str(cell), quote=True)}</td>'
                for cell in (
                    each.kind,
                    each.status,
                    each.place,
                    each.told,
                    told_values(each.values),
                    "" if each.line is None else each.line,
                )
            )
            + "</tr>"
            for each in self.findings
        )
        return f"<p>{html.escape(self.head())}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def told_values(values: Mapping[str, Value]) -> str:
    """Values as people read them: `context.n = 3, event.k = null`."""
    return ", ".join(f"{_written(name)} = {_told(value)}" for name, value in values.items())


def _written(name: str) -> str:
    """A name as claims write it: data of states are variables called by state and field (M13.1)."""
    scope, _, rest = name.partition(".")
    return f"state.{rest}" if scope == "context" and "." in rest else name


def _told(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}…"
