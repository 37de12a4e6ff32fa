"""docs/check.md: its examples run, and its table holds every question."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wfsim.verification.nets.check import KINDS
from wfsim.verification.verdict import Status

PAGE = Path("docs/check.md")


def test_the_examples_run_and_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    statuses = []
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("wf.check("):
                statuses.append(eval(line, names).status)
            else:
                exec(line, names)
    assert statuses == [Status.HOLDS] * 4


def test_the_table_holds_every_question() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {word for row in rows for word in re.findall(r"`(\w+)", row)}
    assert told == {*KINDS, "tokens", "can_fire", "deadlock"}
