"""One verdict per property, and the forms in which others read them."""

from __future__ import annotations

import xml.etree.ElementTree as xml
from collections import Counter
from collections.abc import Iterable
from typing import Any

from wfsim.errors import visible
from wfsim.exploration.witness import facts
from wfsim.markup import escaped, html_table
from wfsim.model.workflow import Workflow
from wfsim.verification.property import Property
from wfsim.verification.verdict import MARKS, Status, Verdict


def as_expected(asked: Property, verdict: Verdict) -> bool:
    """Whether a verdict is the expected one, or `unknown` where that is allowed."""
    status = verdict.status
    return status.value == asked.expect or (status is Status.UNKNOWN and bool(asked.allow_unknown))


class Report(list[Verdict]):
    """One verdict per property, in order."""

    def __init__(self, workflow: Workflow, properties: list[Property], verdicts: list[Verdict]) -> None:
        super().__init__(verdicts)
        self.workflow = workflow
        self.properties = properties

    @property
    def ok(self) -> bool:
        """Whether every verdict is the expected one, or `unknown` where that is allowed with a reason."""
        return all(as_expected(p, v) for p, v in zip(self.properties, self))

    @property
    def violated(self) -> list[Verdict]:
        """Verdicts that are `violated` though expected to hold, or the other way round."""
        return [
            v
            for p, v in zip(self.properties, self)
            if v.status in (Status.HOLDS, Status.VIOLATED) and v.status.value != p.expect
        ]

    @property
    def unanswered(self) -> list[Verdict]:
        """Verdicts that are `unknown` or `error` and were not expected to be."""
        return [
            v
            for p, v in zip(self.properties, self)
            if v.status in (Status.UNKNOWN, Status.ERROR) and not as_expected(p, v)
        ]

    def __str__(self) -> str:
        lines = []
        for asked, verdict in zip(self.properties, self):
            if verdict.status is Status.UNKNOWN and asked.allow_unknown:
                lines.append(f"allowed to stay open, {asked.allow_unknown}:")
            elif asked.expect != "holds":
                same = verdict.status.value == asked.expect
                lines.append(f"as expected, {asked.because}:" if same else f"NOT as expected ({asked.expect}):")
            lines.append(str(verdict))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """All verdicts as JSON-able data."""
        return {
            "workflow": self.workflow.name,
            "version": self.workflow.version,
            "ok": self.ok,
            "verdicts": [
                {
                    "expected": p.expect,
                    "because": p.because,
                    "allow_unknown": p.allow_unknown,
                    "as_expected": as_expected(p, v),
                    "asked": str(p),
                    "line": p.line,
                }
                | v.to_dict()
                for p, v in zip(self.properties, self)
            ],
        }

    def to_junit(self, file: str | None = None) -> str:
        """The report as JUnit XML, one test case per property, in the form that CI servers read.

        A verdict that is not the expected one is a `failure` if it is `holds` or `violated`, and an `error` if it is
        `unknown` or `error`. An `unknown` that is allowed is `skipped`, with its reason.

        Parameters
        ----------
        file
            The property file, to be named as the place of each case.
        """
        return junit([(file, self)])

    def __repr__(self) -> str:
        told = f"{sum(map(as_expected, self.properties, self))} of {len(self)} as expected"
        lines = [f"<Report on {self.workflow.name} {self.workflow.version}: {told}"]
        lines += [f"  {MARKS[v.status]} {v.status:<8} {p}{_remark(p, v)}" for p, v in zip(self.properties, self)]
        return visible("\n".join(lines) + ">")

    def _repr_html_(self) -> str:
        """A row for each property, then what is violated with its traces, and once what all of it rests on."""
        rows = [
            (f"{MARKS[v.status]}\u00a0{v.status}", f"{p}{_remark(p, v)}", v.reason)
            for p, v in zip(self.properties, self)
        ]
        head = f"{self.workflow.name} {self.workflow.version}: "
        head += f"{sum(map(as_expected, self.properties, self))} of {len(self)} as expected"
        parts = [html_table(("", "property", "why"), rows, caption=head)]
        for verdict in self:
            if verdict.witness is not None or verdict.further:
                told = f"{MARKS[verdict.status]} {verdict.property}: traces"
                shown = verdict.to_html(footer=False)
                parts.append(f"<details><summary>{escaped(told)}</summary>{shown}</details>")
        parts.append(self._grounds())
        return "".join(parts)

    def _grounds(self) -> str:
        """How each verdict was found, and every assumption once with the numbers of those that make it."""
        assumed: dict[str, list[int]] = {}
        for number, verdict in enumerate(self, 1):
            for assumption in verdict.assumptions:
                assumed.setdefault(assumption, []).append(number)
        made = [(_all_or(numbers, len(self)), assumption) for assumption, numbers in assumed.items()]
        found = [(k, str(p), v.method, facts(v.bound)) for k, (p, v) in enumerate(zip(self.properties, self), 1)]
        tables = html_table(("", "property", "method", "bound"), found, numbers={0})
        if made:
            tables += html_table(("of", "assumed"), made)
        return f"<details><summary>methods, bounds, assumptions</summary>{tables}</details>"


def _remark(asked: Property, verdict: Verdict) -> str:
    """Whether a verdict is the expected one, where that does not go without saying."""
    if verdict.status is Status.UNKNOWN and asked.expect != "unknown" and asked.allow_unknown:
        return "  (allowed to stay open)"
    if verdict.status.value == asked.expect:
        return "" if asked.expect == "holds" else "  (as expected)"
    return f"  (expected: {asked.expect})"


def _all_or(numbers: list[int], n: int) -> str:
    return "all" if len(numbers) == n else ", ".join(map(str, numbers))


def junit(reports: Iterable[tuple[str | None, Report]]) -> str:
    """Reports as one JUnit XML document, a suite for each; see `Report.to_junit`."""
    root = xml.Element("testsuites")
    counts: Counter[str] = Counter()
    for file, report in reports:
        suite = _suite(file, report)
        root.append(suite)
        counts.update({key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")})
    root.attrib.update({key: str(n) for key, n in counts.items()})
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def _suite(file: str | None, report: Report) -> xml.Element:
    pairs = list(zip(report.properties, report))
    allowed = [v.status is Status.UNKNOWN and p.expect != "unknown" and as_expected(p, v) for p, v in pairs]
    counts = {
        "tests": str(len(report)),
        "failures": str(len(report.violated)),
        "errors": str(len(report.unanswered)),
        "skipped": str(sum(allowed)),
    }
    suite = xml.Element("testsuite", {"name": f"{report.workflow.name} {report.workflow.version}"} | counts)
    for (asked, verdict), skipped in zip(pairs, allowed):
        place = {} if file is None else {"file": file} | ({} if asked.line is None else {"line": str(asked.line)})
        case = xml.SubElement(suite, "testcase", {"classname": report.workflow.name, "name": str(asked)} | place)
        if skipped:
            xml.SubElement(case, "skipped", {"message": _clean(asked.allow_unknown or "")})
        elif not as_expected(asked, verdict):
            kind = "failure" if verdict.status in (Status.HOLDS, Status.VIOLATED) else "error"
            message = f"{verdict.status}, expected {asked.expect}: {verdict.reason}"
            found = xml.SubElement(case, kind, {"message": _clean(message), "type": verdict.status.value})
            found.text = _clean(str(verdict))
        else:
            xml.SubElement(case, "system-out").text = _clean(str(verdict))
    return suite


def _clean(text: str) -> str:
    """The text without signs that XML cannot hold; each is written as an escape."""
    return "".join(
        sign
        if sign in "\t\n" or (sign >= " " and not "\ud800" <= sign <= "\udfff" and sign not in "\ufffe\uffff")
        else sign.encode("unicode_escape").decode()
        for sign in text
    )
