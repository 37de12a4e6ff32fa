"""Findings of the linter: stable code, severity, place, message, advice."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from wfsim.errors import visible

if TYPE_CHECKING:
    import pandas as pd


class Severity(StrEnum):
    """`error`: certainly broken; `warning`: probably wrong; `info`: worth deciding."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


SEVERITIES: dict[str, Severity] = {
    "activity-unclocked": Severity.WARNING,
    "activity-unused": Severity.WARNING,
    "automatic-cycle": Severity.WARNING,
    "child-input": Severity.ERROR,
    "child-result": Severity.WARNING,
    "child-unknown": Severity.ERROR,
    "compensation-missing": Severity.WARNING,
    "done-unhandled": Severity.WARNING,
    "ending-can-fail": Severity.WARNING,
    "error-unhandled": Severity.WARNING,
    "event-undeclared": Severity.WARNING,
    "event-unused": Severity.WARNING,
    "event-without-policy": Severity.INFO,
    "for-each-unbounded": Severity.WARNING,
    "key-may-be-null": Severity.ERROR,
    "key-mismatch": Severity.ERROR,
    "message-unreceived": Severity.ERROR,
    "no-way-to-terminal": Severity.ERROR,
    "policy-unused": Severity.WARNING,
    "region-never-ends": Severity.ERROR,
    "state-unreachable": Severity.ERROR,
    "state-waits-forever": Severity.WARNING,
    "terminal-left": Severity.ERROR,
    "timeout-contradiction": Severity.WARNING,
    "timeout-restarts": Severity.WARNING,
    "timeout-unhandled": Severity.WARNING,
    "transition-shadowed": Severity.ERROR,
    "trigger-impossible": Severity.ERROR,
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
    Python); `table` holds details as rows of text, the first row being the head.
    """

    code: str
    severity: Severity
    place: str
    message: str
    advice: str
    file: str | None = None
    line: int | None = None
    table: tuple[tuple[str, ...], ...] = ()

    def __str__(self) -> str:
        where = f"{visible(self.file)}:{self.line}: " if self.file is not None else ""
        return f"{where}{self.severity.value} {self.code}: {self.place}: {self.message} {self.advice}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = asdict(self)
        data["severity"] = self.severity.value
        data["table"] = [list(row) for row in self.table]
        return data


class Findings(list[Finding]):
    """The findings of one workflow, in the order of its file; shows itself as a table in a notebook."""

    def __str__(self) -> str:
        return "\n".join(map(str, self)) if self else "no findings"

    def __repr__(self) -> str:
        return str(self)

    def df(self) -> pd.DataFrame:
        """One row per finding; columns as the attributes of `Finding`, without `table`."""
        import pandas as pd

        columns = ["code", "severity", "place", "message", "advice", "file", "line"]
        rows = [[finding.to_dict()[column] for column in columns] for finding in self]
        return pd.DataFrame(rows, columns=columns)

    def _repr_html_(self) -> str:
        if not self:
            return "<p>No findings.</p>"
        head = "".join(f"<th>{name}</th>" for name in ("severity", "code", "place", "message", "advice", "line"))
        rows = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align:left">{html.escape(str(cell), quote=True)}</td>'
                for cell in (
                    finding.severity.value,
                    finding.code,
                    finding.place,
                    finding.message,
                    finding.advice,
                    finding.line if finding.line is not None else "",
                )
            )
            + "</tr>"
            for finding in self
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
