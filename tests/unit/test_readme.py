"""What the README shows runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import screenshots
from tests.stored import open_history
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
    with open_history(Path("runs.db")) as history:
        assert history.case(run.id).replay().state == "validated"


def test_the_readme_says_where_the_command_is() -> None:
    assert ".venv/bin/wfsim" in README.read_text(encoding="utf-8")


def test_every_picture_of_the_readme_is_there_and_screenshots_are_small_and_of_both_themes() -> None:
    named = set(re.findall(r'(?:srcset|src)="([^"]+)"|!\[[^]]*\]\(([^)]+)\)', README.read_text(encoding="utf-8")))
    files = {README.parent / (one or other) for one, other in named}
    assert not [file for file in files if not file.is_file()]
    taken = {
        README.parent / screenshots.FOLDER / f"{name}_{theme}.webp"
        for name in screenshots.SHOTS
        for theme in ("light", "dark")
    }
    assert taken <= files
    assert not [file for file in taken if file.stat().st_size >= screenshots.LARGEST]
