"""What is to be said of a definition before it is published, and what is not published because of that."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import DefinitionError, ServiceError
from wfsim.model.lint import Severity, lint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.lint import Finding, Findings
    from wfsim.model.workflow import Workflow
    from wfsim.verification.workflows.report import Report

_verifier = threading.Semaphore(1)

WORST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Judged:
    """What lint found, and what was proved; `None` if that was not asked."""

    findings: Findings
    report: Report | None

    @property
    def violated(self) -> list[tuple[str, str]]:
        """The properties that do not hold, each with the reason."""
        if self.report is None:
            return []
        asked = zip(self.report.properties, self.report, strict=True)
        return [(str(one), verdict.reason) for one, verdict in asked if verdict.status == "violated"]

    def found(self, least: Severity) -> list[Finding]:
        """What lint found of a severity, or a worse one."""
        counted = WORST[: WORST.index(least) + 1]
        return [each for each in self.findings if each.severity in counted]


def judge(workflow: Workflow, known: Catalogue, *, max_seconds: float | None) -> Judged:
    """Look at a definition; verify its built-in properties for so many seconds each, unless that is `None`.

    Raises
    ------
    ServiceError
        `too_many_requests`, if another definition is being verified in this process.
    """
    findings = lint(workflow, catalogue=known)
    return Judged(findings, None if max_seconds is None else _verified(workflow, max_seconds))


def refuse(workflow: Workflow, judged: Judged, least: Severity | None) -> None:
    """Raise `DefinitionError` for findings of that severity or a worse one, and for properties that are violated."""
    problems: list[tuple[str | None, int | None, str]] = []
    codes = []
    for each in [] if least is None else judged.found(least):
        problems.append((None, each.line, f"{each.place}: {each.message} {each.advice}"))
        codes.append(each.code)
    for name, reason in judged.violated:
        problems.append((None, None, f"{name} is violated: {reason}"))
        codes.append(name)
    if problems:
        raise DefinitionError(_told(workflow, [text for _, _, text in problems]), problems, codes)


def _told(workflow: Workflow, texts: Sequence[str]) -> str:
    more = f" And {len(texts) - 1} more." if len(texts) > 1 else ""
    return f"{workflow.name} {workflow.version} is not published, as it was asked to be judged before: {texts[0]}{more}"


def _verified(workflow: Workflow, max_seconds: float) -> Report:
    from wfsim.verification.workflows.properties import verify

    if not _verifier.acquire(blocking=False):
        raise ServiceError(
            "another definition is being verified.", status=429, code="too_many_requests", retry_after=max_seconds
        )
    try:
        return verify(workflow, max_seconds=max_seconds)
    finally:
        _verifier.release()
