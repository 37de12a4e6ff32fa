"""Findings of the linter: stable code, severity, place, message, advice."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from wfsim.errors import visible
from wfsim.markup import escaped, html_table

if TYPE_CHECKING:
    import pandas as pd

    from wfsim.model.problems import Path


class Severity(StrEnum):
    """`error`: certainly broken; `warning`: probably wrong; `info`: worth deciding."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


SEVERITIES: dict[str, Severity] = {
    "activity-input": Severity.ERROR,
    "activity-result": Severity.ERROR,
    "activity-unclocked": Severity.WARNING,
    "activity-unused": Severity.WARNING,
    "automatic-cycle": Severity.WARNING,
    "child-input": Severity.ERROR,
    "child-outlasts": Severity.WARNING,
    "child-result": Severity.WARNING,
    "child-unknown": Severity.ERROR,
    "compensation-missing": Severity.WARNING,
    "compensator-input": Severity.ERROR,
    "compensator-unretried": Severity.WARNING,
    "compensators-crossed": Severity.INFO,
    "consent-counted-twice": Severity.INFO,
    "counter-not-reset": Severity.INFO,
    "done-error-crossed": Severity.INFO,
    "done-unhandled": Severity.WARNING,
    "ending-can-fail": Severity.WARNING,
    "error-unhandled": Severity.WARNING,
    "event-left-out": Severity.INFO,
    "event-too-late": Severity.INFO,
    "event-undeclared": Severity.WARNING,
    "event-unused": Severity.WARNING,
    "event-without-policy": Severity.INFO,
    "for-each-unbounded": Severity.WARNING,
    "function-unused": Severity.WARNING,
    "guard-overlooks-result": Severity.INFO,
    "input-unread": Severity.WARNING,
    "key-may-be-null": Severity.ERROR,
    "key-mismatch": Severity.ERROR,
    "message-unreceived": Severity.ERROR,
    "no-way-to-terminal": Severity.ERROR,
    "outcome-forgotten": Severity.INFO,
    "parameter-crossed": Severity.INFO,
    "policy-unused": Severity.WARNING,
    "region-never-ends": Severity.ERROR,
    "retries-endless": Severity.WARNING,
    "state-unknown": Severity.ERROR,
    "state-unreachable": Severity.ERROR,
    "state-waits-forever": Severity.WARNING,
    "terminal-left": Severity.ERROR,
    "timeout-contradiction": Severity.WARNING,
    "timeout-restarts": Severity.WARNING,
    "timeout-unhandled": Severity.WARNING,
    "transient-read-late": Severity.ERROR,
    "transition-shadowed": Severity.ERROR,
    "trigger-impossible": Severity.ERROR,
    "type-mixed": Severity.WARNING,
    "undo-forgotten": Severity.INFO,
    "variable-may-be-unset": Severity.WARNING,
    "variable-never-read": Severity.WARNING,
    "variable-unprovided": Severity.ERROR,
    "variable-unset": Severity.ERROR,
    "variable-unused": Severity.WARNING,
    "workflow-recursion": Severity.WARNING,
    "write-race": Severity.WARNING,
}
"""Every code with its severity; `docs/lint.md` explains each."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect of a definition.

    `place` says where in words of the workflow, `file` and `line` where in the file (`None` if built in
    Python), `path` where in the definition; `table` holds details as rows of text, the first row being the head.
    `way` is how an instance comes there from the start: its transitions, as they are drawn, whatever conditions say.
    """

    code: str
    severity: Severity
    place: str
    message: str
    advice: str
    file: str | None = None
    line: int | None = None
    table: tuple[tuple[str, ...], ...] = ()
    way: tuple[str, ...] = ()
    path: Path = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        where = f"{visible(self.file)}:{self.line}: " if self.file is not None else ""
        return f"{where}{self.severity.value} {self.code}: {self.place}: {self.message} {self.advice}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = asdict(self)
        del data["path"]
        data["severity"] = self.severity.value
        data["table"] = [list(row) for row in self.table]
        data["way"] = list(self.way)
        return data


class Findings(list[Finding]):
    """The findings of one workflow, in the order of its file; shows itself as a table in a notebook."""

    def __str__(self) -> str:
        return "\n".join(map(str, self)) if self else "no findings"

    def __repr__(self) -> str:
        return str(self)

    def df(self) -> pd.DataFrame:
        """One row per finding; columns as the attributes of `Finding`, without `table` and `way`."""
        import pandas as pd

        columns = ["code", "severity", "place", "message", "advice", "file", "line"]
        rows = [[finding.to_dict()[column] for column in columns] for finding in self]
        return pd.DataFrame(rows, columns=columns)

    def _repr_html_(self) -> str:
        """A table for each code, in the order in which they first come, with its advice once."""
        if not self:
            return "<p>No findings.</p>"
        groups: dict[str, list[Finding]] = {}
        for finding in self:
            groups.setdefault(finding.code, []).append(finding)
        counts = Counter(finding.severity.value for finding in self)
        told = ", ".join(
            f"{n} {severity}{'s' if n > 1 and severity != 'info' else ''}"
            for severity in ("error", "warning", "info")
            if (n := counts[severity])
        )
        return f"<p>{told}</p>" + "".join(map(_group, groups.values()))


def _group(findings: list[Finding]) -> str:
    """The findings of one code."""
    first = findings[0]
    same = len({finding.advice for finding in findings}) == 1
    heads = ["line", "place", "message", *([] if same else ["advice"])]
    rows = [
        ["" if each.line is None else each.line, each.place, each.message, *([] if same else [each.advice])]
        for each in findings
    ]
    caption = f"{first.severity.value} {first.code}" + (f": {len(findings)}" if len(findings) > 1 else "")
    table = html_table(heads, rows, numbers={0}, caption=caption)
    gone = [f"{each.place}: {'; '.join(each.way)}" for each in findings if each.way]
    ways = "".join(f"<li>{escaped(way)}</li>" for way in gone)
    told = f"<details><summary>the ways there</summary><ul>{ways}</ul></details>" if ways else ""
    return table + (f"<p>{escaped(first.advice)}</p>" if same else "") + told
