"""The command `wfsim`: exit codes, JSON, files, and errors in one clear text."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim import cli

ORDER, PUBLISHED = "models/order_processing.yaml", "models/published/order_processing.yaml"
CLAIMS, KNOWN = "verification/order_processing.yaml", "verification/published/order_processing.yaml"

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def wfsim(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `wfsim …` in this process: exit code, what it printed, and what it complained."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(cli, "out", cli.Console(width=200))
    monkeypatch.setattr(cli, "err", cli.Console(width=200, stderr=True))

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["wfsim", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


def written(folder: Path, text: str, name: str = "w.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


STUCK = """\
name: stuck
initial_state: a
unhandled: reject
events: {go: {}, stop: {}}
states: [{name: a}, {name: b}, {name: c, is_terminal: true}]
transitions:
  - {from: a, event: go, to: c}
  - {from: a, event: stop, to: b}
"""


# --- lint --------------------------------------------------------------------------------------------


def test_lint_of_a_clean_model_is_fine(wfsim: Command) -> None:
    assert wfsim("lint", ORDER)[:2] == (0, "Nothing found.\n")
    code, out, _ = wfsim("lint", ORDER, "--json")
    assert (code, json.loads(out)) == (0, [])


def test_lint_of_the_published_model_names_its_defects(wfsim: Command) -> None:
    code, out, _ = wfsim("lint", PUBLISHED)
    assert code == 1
    assert "terminal-left" in out
    assert "Explained in docs/lint.md." in out
    code, out, _ = wfsim("lint", PUBLISHED, "--json")
    findings = json.loads(out)
    assert code == 1
    assert findings == [finding.to_dict() for finding in wf.lint(wf.load(PUBLISHED))]


def test_lint_of_a_bad_file_cannot_answer(wfsim: Command, tmp_path: Path) -> None:
    path = written(tmp_path, "name: w\ninitial_stat: a\nstates: []\n")
    code, out, err = wfsim("lint", path)
    assert (code, out) == (2, "")
    assert f"{path.name}:2" in err.replace("\n", "")
    assert "Did you mean 'initial_state'?" in err
    assert "Traceback" not in err


def test_a_missing_file_cannot_be_answered(wfsim: Command, tmp_path: Path) -> None:
    code, _, err = wfsim("lint", tmp_path / "none.yaml")
    assert code == 2
    assert "none.yaml" in err.replace("\n", "")


# --- verify ------------------------------------------------------------------------------------------


def test_verify_is_fine_when_all_is_as_expected(wfsim: Command) -> None:
    code, out, _ = wfsim("verify", ORDER, CLAIMS)
    assert code == 0
    assert "7 of 7 as expected." in out
    assert out.count("✓ holds") == 7


def test_verify_is_fine_with_violations_that_are_known(wfsim: Command) -> None:
    code, out, _ = wfsim("verify", PUBLISHED, KNOWN, "--no-traces")
    assert code == 0
    assert out.count("as expected") == 6
    assert "1." not in out


def test_verify_shows_a_shortest_trace_for_what_is_violated(wfsim: Command, tmp_path: Path) -> None:
    code, out, _ = wfsim("verify", written(tmp_path, STUCK))
    assert code == 1
    assert "✗ violated can_complete" in out
    assert "event stop" in out
    assert "state: b" in out


def test_verify_says_when_it_could_not_answer(wfsim: Command, tmp_path: Path) -> None:
    claims = written(tmp_path, "properties:\n  - can_complete: {}\n", "claims.yaml")
    code, out, _ = wfsim("verify", ORDER, claims, "--max-states", 5)
    assert code == 2
    assert "? unknown" in out
    assert wfsim("verify", ORDER, claims, "--max-seconds", 0)[0] == 2


def test_verify_in_json_holds_what_the_text_shows(wfsim: Command) -> None:
    code, out, _ = wfsim("verify", PUBLISHED, "--json")
    data = json.loads(out)
    assert code == 1
    assert data["ok"] is False
    by_name = {verdict["asked"]: verdict for verdict in data["verdicts"]}
    assert by_name["can_complete"]["status"] == "violated"
    assert by_name["can_complete"]["witness"]["steps"][-1]["after"] == {"state": "payment_failed"}
    _, shown, _ = wfsim("verify", PUBLISHED)
    for verdict in by_name.values():
        assert verdict["asked"] in shown


def test_verify_with_a_bad_property_file_cannot_answer(wfsim: Command, tmp_path: Path) -> None:
    claims = written(tmp_path, "properties:\n  - sund: {}\n", "claims.yaml")
    code, _, err = wfsim("verify", ORDER, claims)
    assert code == 2
    assert "Did you mean 'sound'?" in err


# --- new ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["minimal", "approval", "order", "retry"])
def test_new_writes_a_file_without_findings(wfsim: Command, tmp_path: Path, template: str) -> None:
    path = tmp_path / "mine.yaml"
    code, out, _ = wfsim("new", path, "--template", template)
    assert code == 0
    assert "Next: wfsim lint" in out
    assert wfsim("lint", path)[:2] == (0, "Nothing found.\n")
    assert wf.load(path) == wf.new(template)


def test_new_knows_its_templates(wfsim: Command, tmp_path: Path) -> None:
    code, _, err = wfsim("new", tmp_path / "mine.yaml", "--template", "ordr")
    assert code == 2
    assert "Did you mean 'order'?" in err
    assert not (tmp_path / "mine.yaml").exists()


def test_new_leaves_an_existing_file_alone(wfsim: Command, tmp_path: Path) -> None:
    path = written(tmp_path, STUCK)
    code, _, err = wfsim("new", path)
    assert code == 2
    assert "--force" in err
    assert path.read_text() == STUCK
    assert wfsim("new", path, "--force")[0] == 0
    assert wf.load(path) == wf.new()


# --- draw --------------------------------------------------------------------------------------------


def test_draw_prints_text(wfsim: Command) -> None:
    code, out, _ = wfsim("draw", ORDER)
    assert code == 0
    for state in wf.load(ORDER).states:
        assert state.name in out


def test_draw_writes_svg_and_json(wfsim: Command, tmp_path: Path) -> None:
    assert wfsim("draw", ORDER, "--to", tmp_path / "order.svg")[0] == 0
    svg = (tmp_path / "order.svg").read_text(encoding="utf-8")
    assert "<svg" in svg
    assert "payment_pending" in svg
    assert wfsim("draw", ORDER, "--to", tmp_path / "order.json")[0] == 0
    picture = json.loads((tmp_path / "order.json").read_text(encoding="utf-8"))
    assert picture == json.loads(json.dumps(wf.picture(wf.load(ORDER)).to_dict()))


def test_draw_can_show_the_net(wfsim: Command, tmp_path: Path) -> None:
    path = written(tmp_path, STUCK)
    assert wfsim("draw", path, "--net", "--to", tmp_path / "net.json")[0] == 0
    text = (tmp_path / "net.json").read_text(encoding="utf-8")
    assert "start" in text
    assert text != json.dumps(wf.picture(wf.load(path)).to_dict(), indent=2)


# --- simulate and report -----------------------------------------------------------------------------


def test_a_history_is_simulated_into_a_file_and_reported(wfsim: Command, tmp_path: Path) -> None:
    stored = tmp_path / "orders.duckdb"
    code, out, _ = wfsim("simulate", ORDER, "--cases", 30, "--seed", 7, "--into", stored)
    assert code == 0
    assert f"Next: wfsim report {stored}" in out
    for title in ("outcomes", "hot paths", "where time goes", "activities"):
        assert title in out
    code, out, _ = wfsim("report", stored, "--json")
    data = json.loads(out)
    assert code == 0
    with wf.open_history(stored) as history:
        assert data["digest"] == history.digest
    assert sum(row["cases"] for row in data["outcomes"]) == 30
    code, out, _ = wfsim("report", stored, "--limit", 1)
    assert code == 0
    assert f"digest {data['digest']}" in out


def test_the_seed_decides_the_digest(wfsim: Command) -> None:
    def digest(seed: int) -> str:
        _, out, _ = wfsim("simulate", ORDER, "--cases", 10, "--seed", seed, "--json")
        return str(json.loads(out)["digest"])

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_a_guessed_scenario_is_announced_but_not_in_json(wfsim: Command, tmp_path: Path) -> None:
    path = written(tmp_path, STUCK)
    code, _, err = wfsim("simulate", path, "--cases", 5)
    assert code == 0
    assert "rates and times are guesses" in err
    code, out, err = wfsim("simulate", path, "--cases", 5, "--json")
    assert (code, err) == (0, "")
    assert set(json.loads(out)) >= {"digest", "notes", "outcomes", "hot paths"}


def test_a_scenario_of_another_workflow_is_refused(wfsim: Command, tmp_path: Path) -> None:
    path = written(tmp_path, STUCK)
    code, _, err = wfsim("simulate", path, "--scenario", "models/order_processing.scenario.yaml")
    assert code == 2
    assert "'order_processing'" in err


def test_a_report_of_something_else_is_refused(wfsim: Command, tmp_path: Path) -> None:
    code, _, err = wfsim("report", written(tmp_path, "no history", "x.duckdb"))
    assert code == 2
    assert err
    assert "Traceback" not in err
    assert wfsim("report", tmp_path / "none.duckdb")[0] == 2
    assert not (tmp_path / "none.duckdb").exists()


# --- the command itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["lnt", ORDER], ["lint"], ["lint", ORDER, "--jsn"]])
def test_wrong_usage_is_told_and_has_exit_code_2(wfsim: Command, arguments: list[str]) -> None:
    code, _, err = wfsim(*arguments)
    assert code == 2
    assert "Usage" in err


def test_help_lists_the_commands(wfsim: Command) -> None:
    code, out, _ = wfsim("--help")
    assert code == 0
    for command in ("new", "lint", "draw", "verify", "simulate", "report", "demo"):
        assert command in out


def test_a_defect_of_wfsim_itself_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Any) -> Any:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(wf, "load", broken)
    monkeypatch.setattr(sys, "argv", ["wfsim", "lint", ORDER])
    with pytest.raises(ZeroDivisionError, match="a defect"):
        cli.main()


def test_an_interruption_ends_with_exit_code_2(wfsim: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(wf, "load", interrupted)
    assert wfsim("lint", ORDER)[0] == 2


def test_a_demo_without_models_says_what_to_do(wfsim: Command, tmp_path: Path) -> None:
    code, _, err = wfsim("demo", "--models", tmp_path, "--folder", tmp_path / "results")
    assert code == 2
    assert "Run the demo in a checkout" in err


def test_the_demo_runs_from_file_to_real_order(wfsim: Command, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    code, out, _ = wfsim("demo", "--folder", folder, "--cases", 40)
    assert code == 0
    assert "completed, success; attempts = 1" in out
    assert "more than the 300 that can be read, and is not drawn" in " ".join(out.split())
    assert not (folder / "order_net.svg").exists()
    assert {path.name for path in folder.iterdir()} >= {
        "orders.duckdb",
        "runs.duckdb",
        "order.svg",
        "published_order.svg",
        "approval_net.svg",
        "hot_paths.html",
    }
    for svg in folder.glob("*.svg"):
        assert "<svg" in svg.read_text(encoding="utf-8"), svg.name
