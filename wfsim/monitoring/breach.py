"""What a monitor tells: a case that breaks a property."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Breach:
    """A property that a case has broken, in the words of a verdict.

    Attributes
    ----------
    property
        As the property file asks it.
    status
        `violated`, or `error`: a claim had no value.
    reason
        In words, what refutes it and where.
    run, case, external_id, workflow, version
        Whose: `history.case(breach.case, run=breach.run)` opens it, also in `wf.Stepper`.
    seq
        The last record of the case when it was seen.
    time
        When it was broken, in microseconds of the run: that of the step, or when what did not come was due.
    at
        The same as a moment, in UTC.
    due
        When it was due, in microseconds; `None` for what is no matter of time.
    because
        Why the property must hold, as its file says.
    """

    property: str
    status: str
    reason: str
    run: int
    case: int
    external_id: str | None
    workflow: str
    version: str
    seq: int
    time: int
    at: str
    due: int | None = None
    because: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able data."""
        return asdict(self)

    def __str__(self) -> str:
        name = f"{self.case}" if self.external_id is None else f"{self.case} ({self.external_id})"
        return f"{self.status}: {self.property}: case {name} of {self.workflow}, {self.at}: {self.reason}"


def moment(microseconds: int) -> str:
    """A moment since 1970 as ISO 8601."""
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat()
