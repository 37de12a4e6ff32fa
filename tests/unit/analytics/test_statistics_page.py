"""The worked example of docs/statistics.md prints what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path("docs/statistics.md")


def test_the_worked_example_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.S)
    exec(code, {})
    assert capsys.readouterr().out == shown
