"""`wfsim import` and `wfsim export`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import wfsim as wf
from wfsim.cli import app
from wfsim.errors import OptionError

ROWS = "id,activity,time\nx,a,2026-01-01T00:00:00\nx,,2026-01-01T01:00:00\nx,b,2026-01-01T02:00:00\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(ROWS)
    return path


def test_a_log_is_imported_with_columns_and_repairs_and_exported_again(log: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.duckdb"
    told = CliRunner().invoke(app, ["import", str(log), str(made), "--case", "id", "--repair", "drop_unnamed"])
    assert told.exit_code == 0, told.output
    assert "2 events, 1 cases" in told.output
    assert "drop_unnamed: 1" in told.output
    assert "utc: 2" in told.output
    for name in ("out.xes", "out.xes.gz", "out.csv", "out.csv.gz", "out.parquet"):
        told = CliRunner().invoke(app, ["export", str(made), str(tmp_path / name)])
        assert told.exit_code == 0, told.output
        with wf.read_log(tmp_path / name) as again:
            assert again.sql("SELECT states FROM variants").fetchall() == [(["a", "b"],)]


def test_a_form_that_is_not_known_is_refused(log: Path, tmp_path: Path) -> None:
    wf.read_log(log, case="id", repair=["drop_unnamed", "utc"], into=tmp_path / "made.duckdb").close()
    told = CliRunner().invoke(app, ["export", str(tmp_path / "made.duckdb"), str(tmp_path / "out.pdf")])
    assert isinstance(told.exception, OptionError)
    assert "should end with .xes, .csv or .parquet" in str(told.exception)
