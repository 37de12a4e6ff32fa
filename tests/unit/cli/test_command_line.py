"""The command `wfsim`: exit codes, JSON, files, and errors in one clear text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.benchmarks.nets_bench import kanban
from wfsim import cli, demo
from wfsim.commands import terminal
from wfsim.commands.printing import show_findings
from wfsim.history.measures import interval
from wfsim.model.lint import Finding
from wfsim.model.stubs import stubs

ORDER, PUBLISHED = "models/order_processing.yaml", "models/published/order_processing.yaml"
CLAIMS, KNOWN = "verification/order_processing.yaml", "verification/published/order_processing.yaml"

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def wfsim(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `wfsim …` in this process: exit code, what it printed, and what it complained."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(terminal.out, "width", 200)
    monkeypatch.setattr(terminal.err, "width", 200)

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
# All is well, but for a number at which no one may pay.
DUE = """\
name: due
initial_state: due
unhandled: reject
variables: {n: {type: integer, input: true, minimum: 0, maximum: 9}}
events: {pay: {}, leave: {}}
states: [{name: due}, {name: gone, is_terminal: true}]
transitions:
  - {from: due, event: pay, to: gone, condition: context.n < 3}
  - {from: due, event: pay, to: due, condition: context.n > 3}
  - {from: due, event: leave, to: gone}
"""


# --- lint --------------------------------------------------------------------------------------------


def test_lint_of_a_clean_model_is_fine(wfsim: Command) -> None:
    assert wfsim("lint", ORDER)[:2] == (0, "Nothing found.\n")
    code, out, _ = wfsim("lint", ORDER, "--json")
    assert (code, json.loads(out)) == (0, [])


def test_the_schema_of_the_language_is_printed_or_written(wfsim: Command, tmp_path: Path) -> None:
    code, text, _ = wfsim("schema")
    assert (code, json.loads(text)) == (0, wf.json_schema())
    file = tmp_path / "wfsim.schema.json"
    assert wfsim("schema", "--to", file)[:2] == (0, f"Wrote {file}.\n")
    assert json.loads(file.read_text(encoding="utf-8")) == wf.json_schema()


def test_names_as_types_are_printed_or_written(wfsim: Command, tmp_path: Path) -> None:
    code, text, _ = wfsim("stubs", ORDER)
    assert (code, text) == (0, stubs(wf.load(ORDER)))
    file = tmp_path / "order_names.py"
    assert wfsim("stubs", ORDER, "--to", file)[:2] == (0, f"Wrote {file}.\n")
    assert file.read_text(encoding="utf-8") == text
    code, _, told = wfsim("stubs", ORDER, "--to", tmp_path / "order.txt")
    assert code == 2
    assert "ends in .py" in told


def test_lint_leaves_out_the_codes_it_is_told(wfsim: Command) -> None:
    codes = {finding.code for finding in wf.lint(wf.load(PUBLISHED))}
    flags = [flag for code in sorted(codes) for flag in ("--ignore", code)]
    assert wfsim("lint", PUBLISHED, *flags)[:2] == (0, "Nothing found.\n")
    code, _, told = wfsim("lint", PUBLISHED, "-i", "outcome-forgoten")
    assert code == 2
    assert "Did you mean 'outcome-forgotten'?" in told


def test_lint_of_the_published_model_names_its_defects(wfsim: Command) -> None:
    code, out, _ = wfsim("lint", PUBLISHED)
    assert code == 1
    assert "terminal-left" in out
    assert "Explained in docs/lint.md." in out
    code, out, _ = wfsim("lint", PUBLISHED, "--json")
    findings = json.loads(out)
    assert code == 1
    assert findings == [finding.to_dict() for finding in wf.lint(wf.load(PUBLISHED))]


def _way(finding: Finding) -> str:
    return f" Way: {'; '.join(finding.way)}." if finding.way else ""


@pytest.mark.parametrize("width", [80, 140])
def test_lint_is_readable_at_any_width(wfsim: Command, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr(terminal.out, "width", width)
    _, out, _ = wfsim("lint", PUBLISHED)
    findings = wf.lint(wf.load(PUBLISHED))
    heads = [line for line in out.splitlines()[:-1] if not line.startswith("    ")]
    assert heads == [f"{PUBLISHED}:{each.line}  {each.severity}  {each.code}" for each in findings]
    bodies = [line for line in out.splitlines() if line.startswith("    ")]
    assert max(map(len, bodies)) <= width
    assert not any(line != line.rstrip() for line in out.splitlines())
    # Whole words in file order: nothing is cut.
    words = " ".join(bodies).split()
    told = [f"{each.place}: {each.message} {each.advice}{_way(each)}" for each in findings]
    assert words == " ".join(told).split()
    assert any(map(_way, findings))


def test_lint_of_a_workflow_without_a_file_needs_no_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal.out, "width", 80)
    show_findings(terminal.out, wf.lint(wf.Workflow.model_validate(wf.loads(STUCK).model_dump(by_alias=True))))
    assert capsys.readouterr().out.startswith("warning  state-waits-forever\n    state 'a': it waits")


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


def test_verify_is_fine_when_all_is_as_expected(wfsim: Command, tmp_path: Path) -> None:
    claims = written(tmp_path, "properties: [no_failure: {}, can_complete: {}, never: context.n > 9]\n", "claims.yaml")
    code, out, _ = wfsim("verify", written(tmp_path, DUE), claims)
    assert code == 0
    assert "3 of 3 as expected." in out
    assert out.count("✓ holds") == 3


def test_verify_is_fine_with_violations_that_are_known(wfsim: Command) -> None:
    code, out, _ = wfsim("verify", PUBLISHED, KNOWN, "--no-traces")
    assert code == 0
    assert out.count("as expected") == 12
    assert "1." not in out


def test_verify_shows_a_shortest_trace_for_what_is_violated(wfsim: Command, tmp_path: Path) -> None:
    code, out, _ = wfsim("verify", written(tmp_path, STUCK))
    assert code == 1
    assert "✗ violated can_complete" in out
    assert "event stop" in out
    assert "state: b" in out


def test_verify_is_readable_at_80_columns(wfsim: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.out, "width", 80)
    _, out, _ = wfsim("verify", PUBLISHED)
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    verdicts = lines[: next(k for k, line in enumerate(lines) if "as expected" in line)]
    assert all(line.startswith("    ") for line in verdicts if line[0] not in "✓✗?!")
    # Long names are broken, never cut, and no value is broken.
    assert "…" not in out
    assert "payment_method='text')" in out
    report = wf.verify(wf.load(PUBLISHED))
    told = " ".join(out.split())
    assert all(" ".join(verdict.reason.split()) in told for verdict in report)


def test_verify_refuses_the_properties_of_another_workflow(wfsim: Command, tmp_path: Path) -> None:
    claims = written(tmp_path, "workflow: other\nproperties:\n  - can_complete: {}\n", "claims.yaml")
    code, out, err = wfsim("verify", ORDER, claims)
    assert (code, out) == (2, "")
    assert "claims.yaml:1: the properties are about workflow 'other'" in err
    code, out, err = wfsim("verify", ORDER, written(tmp_path, "properties: []\n", "claims.yaml"))
    assert (code, out) == (2, "")
    assert "the list of properties is empty" in err


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


def test_verify_writes_junit_beside_what_it_prints(wfsim: Command, tmp_path: Path) -> None:
    code, out, _ = wfsim("verify", PUBLISHED, KNOWN, "--no-traces", "--junit", tmp_path / "report.xml")
    assert code == 0
    assert "as expected" in out
    text = (tmp_path / "report.xml").read_text(encoding="utf-8")
    assert 'failures="0" errors="0" skipped="0"' in text
    assert 'name="no_failure"' in text


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


def test_a_simulation_from_the_command_line_loads_no_library_that_it_does_without() -> None:
    # Student's t comes from scipy.special; scipy.stats would load all the rest of it.
    unneeded = "{'numba', 'scipy.stats', 'pandas', 'plotly', 'networkx', 'z3'}"
    code = (
        "import sys\nfrom wfsim import cli\n"
        f"sys.argv = ['wfsim', 'simulate', {ORDER!r}, '--cases', '20']\n"
        f"try:\n    cli.main()\nfinally:\n    print(sorted({unneeded} & sys.modules.keys()))"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "hot paths" in told
    assert told.rstrip().endswith("[]")


def test_a_history_is_simulated_into_a_file_and_reported(wfsim: Command, tmp_path: Path) -> None:
    stored = tmp_path / "orders.duckdb"
    code, out, _ = wfsim("simulate", ORDER, "--cases", 30, "--seed", 7, "--into", stored)
    assert code == 0
    assert f"Next: wfsim report {stored}" in out
    for title in ("Outcomes", "95 % interval", "hot paths", "where time goes", "activities"):
        assert title in out
    code, out, _ = wfsim("report", stored, "--json")
    data = json.loads(out)
    assert code == 0
    with wf.open_history(stored) as history:
        assert data["digest"] == history.digest
        summary = history.summary()
    assert sum(row["cases"] for row in data["outcomes"]) == 30
    assert [row["key"] for row in data["summary"]] == list(summary)
    code, out, _ = wfsim("report", stored, "--limit", 1)
    assert code == 0
    assert f"digest {data['digest']}" in out


def test_a_history_goes_into_parquet_and_back(wfsim: Command, tmp_path: Path) -> None:
    stored, folder, back = (tmp_path / name for name in ("order.duckdb", "order", "back.duckdb"))
    wf.simulate(wf.load(ORDER), cases=3, progress=False, into=stored).close()
    code, out, _ = wfsim("convert", stored, folder, "--parquet")
    assert (code, out.startswith(f"{folder}: ")) == (0, True)
    assert wfsim("convert", folder, back)[0] == 0
    assert len({wf.open_history(each).digest for each in (stored, folder, back)}) == 1
    code, _, told = wfsim("convert", stored, folder, "--parquet")
    assert (code, "exists already" in told) == (2, True)


def test_a_report_is_written_as_a_page(wfsim: Command, tmp_path: Path) -> None:
    stored = tmp_path / "orders.duckdb"
    assert wfsim("simulate", ORDER, "--cases", 20, "--into", stored)[0] == 0
    code, out, _ = wfsim("report", stored, "-o", tmp_path / "orders.html")
    assert code == 0
    assert re.search(r"orders\.html: \d\.\d MB", out)
    assert "<h1>order_processing" in (tmp_path / "orders.html").read_text(encoding="utf-8")[:4000]
    code, _, err = wfsim("report", stored, "-o", stored)
    assert code == 2
    assert "would destroy it" in err


def test_a_report_has_intervals_and_no_mean_without_one(wfsim: Command, tmp_path: Path) -> None:
    stored = tmp_path / "orders.duckdb"
    assert wfsim("simulate", ORDER, "--cases", 30, "--seed", 7, "--into", stored)[0] == 0
    code, out, _ = wfsim("report", stored)
    assert code == 0
    with wf.open_history(stored) as history:
        mean = history.summary()["sojourn.mean"]
    assert interval(mean, "s") in out
    assert " mean " not in out.partition("where time goes")[2]


def test_a_sweep_is_a_table_and_goes_into_a_file(wfsim: Command, tmp_path: Path) -> None:
    stored = tmp_path / "sweep.duckdb"
    over = "pools.packers.capacity=1,2", "--over", "cases=3"
    code, out, _ = wfsim("sweep", ORDER, "--over", *over, "--replications", 2, "--into", stored, "--json")
    rows = json.loads(out)
    assert code == 0
    assert [(row["pools.packers.capacity"], row["cases"], row["replications"]) for row in rows] == [
        (1, 3, 2),
        (2, 3, 2),
    ]
    with wf.open_history(stored) as history:
        assert len(history.runs) == 4
    code, out, _ = wfsim("sweep", ORDER, "--over", "arrivals={poisson: 60/h}", "--over", "cases=3")
    assert code == 0
    assert "points: 1" in out
    code, _, err = wfsim("sweep", ORDER, "--over", "pools.packers.capacity=0")
    assert code == 2
    assert "point 0 (pools.packers.capacity = 0)" in err
    code, _, err = wfsim("sweep", ORDER, "--over", "cases")
    assert code == 2
    assert "'cases' has no values" in err


def test_an_interrupted_sweep_says_where_it_goes_on(wfsim: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*given: Any, **named: Any) -> Any:
        raise KeyboardInterrupt("the sweep was interrupted. 1 of 4 runs are finished and kept in x.parts.")

    monkeypatch.setattr(wf, "sweep", interrupted)
    code, _, err = wfsim("sweep", ORDER, "--over", "cases=3")
    assert (code, err) == (2, "the sweep was interrupted. 1 of 4 runs are finished and kept in x.parts.\n")


def test_seeds_that_break_a_claim_or_a_property_are_a_violation(wfsim: Command, tmp_path: Path) -> None:
    code, out, _ = wfsim("seeds", ORDER, "--never", 'state == "refunded"', "--n", 50)
    assert code == 1
    assert "seeds=[2]" in out
    assert "event payment_completed" in out
    code, out, _ = wfsim("seeds", ORDER, "--never", 'state == "refunded"', "--seed", 2, "--json")
    assert (code, json.loads(out)["statistics"]["seed"]) == (1, 2)
    code, out, _ = wfsim("seeds", ORDER, CLAIMS, "--n", 3, "--fault", "duplicates=0.5", "--fault", "failures=0.1")
    assert code == 0
    assert "None of 3 seeds breaks it" in out
    code, _, err = wfsim("seeds", ORDER, "--never", "closed", "--fault", "duplicate=0.5")
    assert code == 2
    assert "Did you mean 'duplicates'" in err


def test_the_seed_decides_the_digest(wfsim: Command) -> None:
    def digest(seed: int) -> str:
        _, out, _ = wfsim("simulate", ORDER, "--cases", 10, "--seed", seed, "--json")
        return str(json.loads(out)["digest"])

    first = digest(1)
    assert digest(1) == first
    assert digest(2) != first


def test_a_guessed_scenario_is_announced(wfsim: Command, tmp_path: Path) -> None:
    path = written(tmp_path, STUCK)
    code, out, _ = wfsim("simulate", path, "--cases", 5)
    assert code == 0
    assert "Note: No scenario was given. Default scenario, every rate and time a guess" in out
    code, out, err = wfsim("simulate", path, "--cases", 5, "--json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert set(data) >= {"digest", "notes", "outcomes", "hot paths"}
    assert "No scenario was given" in data["notes"][0]


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
    for command in ("new", "lint", "draw", "verify", "conditions", "simulate", "report", "demo"):
        assert command in out


def test_a_defect_of_wfsim_itself_is_seen_whole_and_is_no_violation(
    wfsim: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Any) -> Any:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(wf, "load", broken)
    code, _, err = wfsim("lint", ORDER)
    assert code == 2
    assert "Traceback (most recent call last)" in err
    assert "ZeroDivisionError: a defect" in err


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_a_reader_that_has_enough_is_no_violation(extra: list[str]) -> None:
    command = [sys.executable, "-m", "wfsim.cli", "lint", PUBLISHED, *extra]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        told = running.stderr.read()
    assert (running.returncode, told) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["verify", ORDER, "--max-states", 0], "--max-states"),
        (["verify", ORDER, "--max-states", -1], "--max-states"),
        (["verify", ORDER, "--max-seconds", -1], "-1.0 is not a number of seconds, 0 or more"),
        (["verify", ORDER, "--max-seconds", "nan"], "nan is not a number of seconds, 0 or more"),
        (["verify", ORDER, "--max-seconds", "inf"], "inf is not a number of seconds, 0 or more"),
        (["simulate", ORDER, "--cases", -5], "--cases"),
        (["simulate", ORDER, "--cases", 0], "--cases"),
        (["simulate", ORDER, "--seed", -1], "--seed"),
        (["demo", "--cases", 0], "--cases"),
    ],
)
def test_numbers_out_of_range_are_refused(wfsim: Command, arguments: list[object], told: str) -> None:
    code, out, err = wfsim(*arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err


def test_a_report_with_no_rows_is_refused_before_anything_is_printed(wfsim: Command, tmp_path: Path) -> None:
    stored = tmp_path / "h.duckdb"
    wfsim("simulate", ORDER, "--cases", 2, "--into", stored)
    for limit in (0, -1):
        code, out, err = wfsim("report", stored, "--limit", limit)
        assert (code, out) == (2, "")
        assert "--limit" in err


def test_what_cannot_be_written_is_told_with_its_path(wfsim: Command, tmp_path: Path) -> None:
    target = tmp_path / "none" / "a.svg"
    code, _, err = wfsim("draw", ORDER, "-o", target)
    assert (code, err) == (2, f"{target}: No such file or directory.\n")
    blocked = written(tmp_path, "", "file")
    code, _, err = wfsim("demo", "--folder", blocked / "results")
    assert code == 2
    assert f"{blocked / 'results'}: Not a directory." in err


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["draw", "{w}", "-o", "{w}"], "is what is read"),
        (["draw", "{w}", "-o", "{folder}/sub/../w.yaml"], "is what is read"),
        (["draw", "{w}", "-o", "{folder}/a.png"], "ends in .svg or .json"),
        (["draw", "{w}", "-o", "{folder}/a.yaml"], "ends in .svg or .json"),
        (["simulate", "{w}", "--into", "{w}"], "is what is read"),
        (["simulate", "{w}", "-s", "{folder}/s.yaml", "--into", "{folder}/s.yaml"], "is what is read"),
        (["simulate", "{w}", "--into", "{folder}/a.csv"], "ends in .duckdb or .db"),
        (["new", "{folder}/a.svg"], "ends in .yaml or .yml"),
    ],
)
def test_no_output_goes_where_it_does_not_belong(wfsim: Command, tmp_path: Path, command: list[str], told: str) -> None:
    path = written(tmp_path, STUCK)
    (tmp_path / "sub").mkdir()
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()}
    code, _, err = wfsim(*(part.format(w=path, folder=tmp_path) for part in command))
    assert code == 2
    assert told in err
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()} == before


def test_the_version_is_told(wfsim: Command) -> None:
    assert wfsim("--version")[:2] == (0, f"wfsim {wf.__version__}\n")


@pytest.mark.parametrize("command", "new lint draw verify check simulate sweep seeds report demo".split())
def test_help_is_short_for_every_command_and_shows_flags_as_flags(wfsim: Command, command: str) -> None:
    code, out, _ = wfsim(command, "-h")
    assert code == 0
    assert out == wfsim(command, "--help")[1]
    assert "<bool>" not in out
    assert "..." not in wfsim("-h")[1].split("Commands:")[1]


def test_an_interruption_ends_with_exit_code_2(wfsim: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(wf, "load", interrupted)
    assert wfsim("lint", ORDER)[0] == 2


def test_conditions_are_told_with_values_and_a_place(wfsim: Command) -> None:
    code, out, _ = wfsim("conditions", ORDER)
    assert code == 1
    assert "2 conditions in 2 choices; 1 gap" in out
    assert "\n  models/order_processing.yaml:46  gap\n" in out
    told = "in 'payment_failed' on retry_payment: with state.payment_failed.attempt_count = 3"
    assert told in " ".join(out.split())
    code, out, _ = wfsim("conditions", "models/shipping.yaml")
    assert (code, out) == (0, "Conditions of 'shipping': 0 conditions in 0 choices; nothing found.\n")
    code, out, _ = wfsim("conditions", ORDER, "--json")
    assert code == 1
    assert json.loads(out)["findings"][0]["values"] == {"state.payment_failed.attempt_count": 3}


def test_verify_of_a_workflow_alone_tells_of_its_conditions_and_does_not_count_them(
    wfsim: Command, tmp_path: Path
) -> None:
    due = written(tmp_path, DUE)
    code, out, _ = wfsim("verify", due)
    assert code == 0
    assert "7 of 7 as expected" in out
    assert "w.yaml:6  gap\n    in 'due' on pay: with context.n = 3" in out
    _, out, _ = wfsim("verify", due, "--json")
    assert json.loads(out)["conditions"]["findings"][0]["kind"] == "gap"
    _, out, _ = wfsim("verify", due, written(tmp_path, "properties: [no_failure: {}]\n", "claims.yaml"))
    assert "gap" not in out


def test_the_demo_says_where_the_command_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert demo._command() == ".venv/bin/wfsim"
    command = written(tmp_path, "", "wfsim")
    command.chmod(0o755)
    assert demo._command() == "wfsim"


@pytest.mark.long
def test_the_demo_runs_from_file_to_real_order(wfsim: Command, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    code, out, _ = wfsim("demo", "--folder", folder, "--cases", 40)
    assert code == 0
    assert "completed, success; attempts = 1" in out
    assert f"wfsim report {folder / 'orders.duckdb'}" in out
    assert "more than the 300 that can be read, and is not drawn" in " ".join(out.split())
    assert not (folder / "order_net.svg").exists()
    assert {path.name for path in folder.iterdir()} >= {
        "orders.duckdb",
        "runs.db",
        "order.svg",
        "published_order.svg",
        "approval_net.svg",
        "hot_paths.html",
        "counterexample.html",
    }
    assert "no terminal state can be reached" in (folder / "counterexample.html").read_text(encoding="utf-8")
    for svg in folder.glob("*.svg"):
        assert "<svg" in svg.read_text(encoding="utf-8"), svg.name


# --- families ----------------------------------------------------------------------------------------

PARENT = """\
name: parent
initial_state: ship
unhandled: reject
states:
  - {name: ship, timeout: 1h, invoke: {workflow: child, input: {n: 1}}}
  - {name: shipped, is_terminal: true}
transitions:
  - {from: ship, event: done, to: shipped}
  - {from: ship, event: error, to: shipped}
  - {from: ship, event: timeout, to: shipped}
"""
CHILD = """\
name: child
initial_state: a
unhandled: reject
variables: {n: {type: integer, input: true}}
activities: {work: {timeout: 5m}}
states: [{name: a, activity: {name: work, parameters: {n: "${context.n}"}}}, {name: z, is_terminal: true}]
transitions: [{from: a, event: done, to: z}, {from: a, event: error, to: z}]
"""


def test_what_a_workflow_starts_is_found_beside_its_file_and_named(wfsim: Command, tmp_path: Path) -> None:
    path = written(tmp_path, PARENT)
    written(tmp_path, CHILD, "child.yaml")
    written(tmp_path, "name: [broken", "broken.yaml")
    written(tmp_path, STUCK, "stuck.yaml")
    code, out, told = wfsim("simulate", path, "--cases", 5)
    assert (code, told) == (0, "With child 1.0.0 (child.yaml).\n")
    assert re.search(r"child +completed +success +5", out)
    assert re.search(r"parent +completed +success +5", out)
    code, out, told = wfsim("lint", path)
    assert (code, told) == (0, "With child 1.0.0 (child.yaml).\n")


def test_a_catalogue_says_where_else_children_are(wfsim: Command, tmp_path: Path) -> None:
    path = written(tmp_path, PARENT)
    (tmp_path / "lib").mkdir()
    written(tmp_path / "lib", CHILD.replace("n: {type: integer", "m: {type: integer").replace("context.n", "context.m"))
    code, _, told = wfsim("simulate", path, "--cases", 5)
    assert code == 2
    assert "state 'ship' of 'parent' runs 'child'" in told
    code, out, _ = wfsim("lint", path, "--catalogue", tmp_path / "lib", "--json")
    assert code == 1
    assert [each["code"] for each in json.loads(out)] == ["child-input"]
    written(tmp_path / "lib", CHILD)
    code, out, told = wfsim("simulate", path, "--cases", 5, "--catalogue", tmp_path / "lib", "--json")
    assert (code, told) == (0, "")
    assert {each["workflow"] for each in json.loads(out)["hot paths"]} == {"parent", "child"}
    code, out, _ = wfsim("draw", path, "--net", "--catalogue", tmp_path / "lib")
    assert code == 0
    assert "work" in out
    code, _, told = wfsim("lint", path, "--catalogue", tmp_path / "nowhere")
    assert code == 2
    assert "is not a folder" in told


def test_a_child_that_is_not_beside_the_file_is_named_when_it_is_needed(wfsim: Command, tmp_path: Path) -> None:
    code, _, told = wfsim("simulate", written(tmp_path, PARENT))
    assert code == 2
    assert "there is no workflow 'child' in the catalogue" in told
    code, _, _ = wfsim("lint", tmp_path / "w.yaml")
    assert code == 0


# --- versions and schedules --------------------------------------------------------------------------

VERSIONED = """\
name: door
version: 1.0.0
initial_state: shut
events: {push: {}, lock: {}}
states: [{name: shut}, {name: locked}, {name: open, is_terminal: true}]
transitions:
  - {from: shut, event: push, to: open}
  - {from: shut, event: lock, to: locked}
  - {from: locked, event: push, to: open}
schedules:
  noon: {cron: 0 12 * * 1, time_zone: Europe/Berlin}
"""


def test_migrate_tells_what_would_be_lost(wfsim: Command, tmp_path: Path) -> None:
    old = written(tmp_path, VERSIONED, "old.yaml")
    same = written(tmp_path, VERSIONED.replace("1.0.0", "1.0.1"), "same.yaml")
    assert wfsim("migrate", old, same)[:2] == (0, "door 1.0.0 → 1.0.1: 0 changes that matter\n")
    less = "\n".join(line for line in VERSIONED.splitlines() if "locked" not in line)
    less = less.replace("transitions:", "states: [{name: shut}, {name: open, is_terminal: true}]\ntransitions:")
    new = written(tmp_path, less.replace("1.0.0", "2.0.0"), "new.yaml")
    code, out, _ = wfsim("migrate", old, new)
    assert code == 1
    assert "error state-gone: state 'locked'" in out
    history = tmp_path / "doors.duckdb"
    wf.simulate(wf.load(old), cases=30, seed=1, into=history).close()  # type: ignore[operator]
    code, out, _ = wfsim("migrate", old, new, "--history", history, "--json")
    data = json.loads(out)
    assert (code, data["ok"], len(data["cases"])) == (1, False, 30)
    assert {case["replays"] for case in data["cases"]} == {True, False}


def test_times_prints_the_next_starts_in_their_time_zone(wfsim: Command, tmp_path: Path) -> None:
    file = written(tmp_path, VERSIONED)
    code, out, _ = wfsim("times", file, "-n", 2, "--after", "2026-03-23T12:00:00+00:00")
    assert code == 0
    assert "Mon 2026-03-30 12:00:00 CEST" in out
    assert "Mon 2026-04-06 12:00:00 CEST" in out
    code, out, _ = wfsim("times", file, "-n", 1, "--after", "2026-03-23T12:00:00+00:00", "--json")
    assert json.loads(out) == {"noon": ["2026-03-30T12:00:00+02:00"]}


def test_times_refuses_what_is_no_moment_and_a_workflow_without_schedules(wfsim: Command, tmp_path: Path) -> None:
    file = written(tmp_path, VERSIONED)
    code, _, complaint = wfsim("times", file, "--after", "2026-03-23")
    assert code == 2
    assert "is not a moment" in complaint
    code, _, complaint = wfsim("times", ORDER)
    assert code == 2
    assert "has no schedules" in complaint


# --- several property files at once ------------------------------------------------------------------


def two_asked(folder: Path) -> list[Path]:
    """Two property files, whose workflows lie in another folder."""
    (folder / "models").mkdir()
    (folder / "asked").mkdir()
    files = []
    for name in ("one", "two"):
        good = STUCK.replace("name: stuck", f"name: {name}").replace("to: b", "to: c").replace("{name: b}, ", "")
        written(folder / "models", good, f"{name}.yaml")
        claims = f"workflow: ../models/{name}.yaml\nproperties:\n  - can_complete: {{}}\n"
        files.append(written(folder / "asked", claims, f"{name}.yaml"))
    return files


def test_verify_takes_a_folder_of_property_files(wfsim: Command, tmp_path: Path) -> None:
    two_asked(tmp_path)
    (tmp_path / "asked" / "notes.yaml").write_text("about: nothing\n")
    report = tmp_path / "report.xml"
    code, out, _ = wfsim("verify", tmp_path / "asked", "--junit", report)
    assert code == 0
    assert out.count("1 of 1 as expected.") == 2
    assert str(tmp_path / "asked" / "two.yaml") in out
    suites = ET.parse(report).getroot()
    assert [suite.get("name") for suite in suites] == ["one 1.0.0", "two 1.0.0"]
    assert suites.get("tests") == "2"
    (tmp_path / "asked" / "two.yaml").write_text(
        "workflow: ../models/two.yaml\nproperties:\n  - eventually: state == 'nowhere'\n"
    )
    code, _, err = wfsim("verify", tmp_path / "asked" / "one.yaml", tmp_path / "asked" / "two.yaml", "--json")
    assert code == 2
    assert "nowhere" in err


def test_verify_in_json_of_several_files_is_a_list(wfsim: Command, tmp_path: Path) -> None:
    one, two = two_asked(tmp_path)
    _, out, _ = wfsim("verify", one, two, "--json")
    assert [report["workflow"] for report in json.loads(out)] == ["one", "two"]
    _, out, _ = wfsim("verify", one, "--json")
    assert json.loads(out)["workflow"] == "one"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["models/shipping.yaml", "models/subscription.yaml", "models/release.yaml"], "this is no property file"),
        (["wfsim"], "there is no property file in this folder"),
        (["verification/nothing.yaml", "verification/shipping.yaml"], "nothing.yaml"),
    ],
)
def test_verify_refuses_files_that_do_not_go_together(wfsim: Command, files: list[str], told: str) -> None:
    code, _, err = wfsim("verify", *files)
    assert code == 2
    assert told in err


def test_verify_puts_children_inside_where_their_files_lie_beside(wfsim: Command, tmp_path: Path) -> None:
    (tmp_path / "parent.yaml").write_text(
        "name: parent\ninitial_state: a\nstates:\n  - {name: a, invoke: {workflow: child}}\n"
        "  - {name: c, is_terminal: true}\ntransitions:\n  - {from: a, event: done, to: c}\n"
        "  - {from: a, event: error, to: c}\n"
    )
    (tmp_path / "child.yaml").write_text(
        "name: child\ninitial_state: x\nstates: [{name: x}, {name: y}, {name: z, is_terminal: true}]\n"
        "events: {go: {}}\ntransitions:\n  - {from: x, event: go, to: y}\n"
    )
    asked = tmp_path / "asked.yaml"
    asked.write_text("properties:\n  - no_deadlock: {}\n")
    code, out, _ = wfsim("verify", tmp_path / "parent.yaml", asked)
    assert code == 1
    assert "nothing can fire" in out
    (tmp_path / "empty").mkdir()
    code, _, err = wfsim("verify", tmp_path / "parent.yaml", asked, "--catalogue", tmp_path / "empty")
    assert code == 2
    assert "empty" in err


# --- check -------------------------------------------------------------------------------------------


def written_net(folder: Path) -> Path:
    arcs = [("p", "go"), ("go", "q"), ("q", "back"), ("back", "p"), ("q", "end"), ("end", "r")]
    net = wf.PetriNet("ring", ["p", "q", "r"], ["go", "back", "end"], arcs, {"p": 1})
    path = folder / "net.pnml"
    wf.write_pnml(net, path)
    return path


FORMULAS = """<property-set xmlns="http://mcc.lip6.fr/">
<property><id>safe</id><formula><k-safe><integer-constant>1</integer-constant></k-safe></formula></property>
<property><id>most</id><formula><place-bound><place>q</place><place>r</place></place-bound></formula></property>
</property-set>"""


def test_check_asks_a_net_every_question_that_has_a_name(wfsim: Command, tmp_path: Path) -> None:
    net = written_net(tmp_path)
    code, out, _ = wfsim("check", net)
    assert code == 1
    assert "violated 'ring' is free of deadlocks" in out
    assert "2.  end" in out
    assert out.endswith("3 of 7 hold.\n")
    assert "2.  end" not in wfsim("check", net, "--no-traces")[1]


def test_check_answers_a_file_and_questions_in_text(wfsim: Command, tmp_path: Path) -> None:
    net, formulas = written_net(tmp_path), written(tmp_path, FORMULAS, "formulas.xml")
    asked = ["--ask", "bounded: 1", "--ask", 'never: tokens("q") + tokens("r") > 1']
    code, out, _ = wfsim("check", net, formulas, *asked, "--json")
    verdicts = json.loads(out)
    assert code == 0
    assert [verdict["status"] for verdict in verdicts] == ["holds"] * 4
    assert [verdict["property"] for verdict in verdicts[:3]] == ["safe", "most", "'ring' is 1-bounded"]
    assert verdicts[1]["statistics"] == {"upper_bound": 1}
    assert wfsim("check", net, formulas, "--ask", "live")[0] == 1


def test_check_is_told_its_memory_in_mebibytes(wfsim: Command, tmp_path: Path) -> None:
    path = tmp_path / "kanban.pnml"
    wf.write_pnml(kanban(3), path)
    code, out, _ = wfsim("check", path, "--ask", "reversible", "--max-memory", 1)
    assert code == 2
    out = " ".join(out.split())
    assert "more memory than the limit of 1 MiB" in out
    assert "Raise max_memory" in out
    assert wfsim("check", path, "--ask", "reversible", "--max-memory", 64)[0] == 0
    # Bytes instead.
    assert wfsim("check", path, "--ask", "reversible", "--max-memory", 2**31)[0] == 2


def test_check_tells_open_questions_and_bad_ones_apart_from_violations(wfsim: Command, tmp_path: Path) -> None:
    net = written_net(tmp_path)
    code, out, _ = wfsim("check", net, "--ask", 'eventually: tokens("r") > 1', "--max-markings", 1)
    assert code == 2
    assert "unknown" in out
    assert "Raise max_markings" in out
    for asked, message in (
        ("lvie", "Did you mean 'live'?"),
        ('never: tokens("s") > 0', "'s' is not a place of net 'ring'"),
        ("leads_to: true", "'leads_to' takes several claims (from, to): ask it from Python"),
    ):
        code, out, err = wfsim("check", net, "--ask", asked)
        assert (code, out) == (2, "")
        assert message in err
    ltl = FORMULAS.replace("<k-safe><integer-constant>1</integer-constant></k-safe>", "<globally><true/></globally>")
    code, out, _ = wfsim("check", net, written(tmp_path, ltl, "ltl.xml"), "--json")
    first, second = json.loads(out)
    assert code == 2
    assert (first["status"], second["status"]) == ("error", "holds")
    assert "not covered" in first["reason"]


CALLING = """\
name: calling
initial_state: a
functions: {risk: {input: {n: integer}, result: integer}}
variables: {n: {type: integer, input: true, minimum: 0, maximum: 3}}
events: {go: {}}
states: [{name: a, timeout: 1h}, {name: b, is_terminal: true}, {name: c, is_terminal: true}]
transitions:
  - {from: a, event: go, to: b, condition: functions.risk(context.n) > 3}
  - {from: a, event: [go, timeout], to: c}
"""


def test_functions_come_from_a_module(wfsim: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, CALLING)
    code = "import wfsim as wf\n\n@wf.function\ndef risk(n: int) -> int:\n    return 2 * n\n"
    written(tmp_path, code, "risks_of_mine.py")
    written(tmp_path, "x = 1\n", "nothing_of_mine.py")
    monkeypatch.chdir(tmp_path)
    code, _, told = wfsim("simulate", file, "--cases", "10")
    assert (code, "cannot be stepped without functions.risk" in told) == (2, True)
    code, shown, told = wfsim("simulate", file, "--cases", "10", "--functions", "risks_of_mine")
    assert (code, told) == (0, ""), told
    code, shown, _ = wfsim("verify", file, "--functions", "risks_of_mine", "--no-traces")
    assert "Each of 3 transitions is taken in some run." in shown
    assert "Each of 3 transitions" not in wfsim("verify", file, "--no-traces")[1]
    code, _, told = wfsim("simulate", file, "--functions", "not_there_of_mine")
    assert (code, "cannot be imported" in told) == (2, True)
    code, _, told = wfsim("simulate", file, "--functions", "nothing_of_mine")
    assert (code, "no function in it is marked" in told) == (2, True)
    assert wfsim("lint", file)[0] == 0
    assert wfsim("draw", file)[0] == 0
