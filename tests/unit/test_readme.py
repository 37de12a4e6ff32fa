"""What the README shows runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wfsim as wf
from wfsim.runtime.handle import Run

README = Path("README.md").resolve()


def test_the_python_of_the_readme_runs_and_its_order_can_be_reopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    for folder in ("models", "verification"):
        (tmp_path / folder).symlink_to(README.parent / folder)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    # A person runs it more than once.
    for _ in range(2):
        exec(compile(code, "README.md", "exec"), names)
    assert "'order_shipped' cannot happen now" in capsys.readouterr().out
    report = names["report"]
    assert isinstance(report, list)
    assert [str(verdict.status) for verdict in report] == ["holds"] * 7
    run = names["run"]
    assert isinstance(run, Run)
    with wf.open_history("runs.duckdb") as history:
        assert history.case(run.id).replay().state == "validated"


def test_the_readme_says_where_the_command_is() -> None:
    assert ".venv/bin/wfsim" in README.read_text(encoding="utf-8")
