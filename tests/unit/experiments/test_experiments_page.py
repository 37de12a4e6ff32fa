"""docs/experiments.md: its example prints what the page shows, and its tables hold what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wfsim as wf
from wfsim.errors import OptionError
from wfsim.experiments.backends import BACKENDS
from wfsim.experiments.faults import FAULTS
from wfsim.experiments.requirement import parse_requirement
from wfsim.semantics.compile import compile_workflow

PAGE = Path("docs/experiments.md")


@pytest.mark.long
def test_the_worked_example_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.S)
    exec(code, {})
    assert capsys.readouterr().out == shown


def test_the_tables_hold_every_backend_fault_and_measure(desk: wf.Workflow, plan: wf.Scenario) -> None:
    page = PAGE.read_text(encoding="utf-8")

    def first_cells(title: str) -> list[str]:
        (table,) = re.findall(rf"^\| {title} \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.M)
        return re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in table.splitlines()))

    assert first_cells("`backend`") == list(BACKENDS)
    assert first_cells("fault") == list(FAULTS)
    with pytest.raises(OptionError) as error:
        parse_requirement("odd(sojourn) < 1h", compile_workflow(desk), plan)
    (told,) = re.findall(r"Measures: (.*)\.", str(error.value))
    assert first_cells("measure") == told.split(", ")
