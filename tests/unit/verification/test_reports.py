"""Reports for machines: JUnit XML, JSON, and property files as tests of pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import wfsim as wf
from tests.unit.verification.test_properties import FAILING, GOOD, LONG, workflow
from wfsim.verification.property import Property
from wfsim.verification.workflows.properties import verify

ASKED = [
    Property("states_reachable", line=3),
    Property("no_failure", line=4),
    Property("never", "status == 'failed'", "violated", "f fails", line=5),
    Property("always", "context.n > 0", line=6),
]
NULL = {"variables": {"n": {"type": "integer", "optional": True}}}


def test_junit_tells_each_verdict_and_which_are_not_as_expected() -> None:
    flow = wf.Workflow.model_validate(FAILING.model_dump(by_alias=True, exclude_none=True) | NULL)
    root = xml.fromstring(verify(flow, ASKED).to_junit("claims.yaml"))
    assert root.attrib == {"tests": "4", "failures": "1", "errors": "1", "skipped": "0"}
    cases = list(root.iter("testcase"))
    assert [case.attrib["name"] for case in cases][:2] == ["states_reachable", "no_failure"]
    assert [(case.attrib["file"], case.attrib["line"]) for case in cases][1] == ("claims.yaml", "4")
    assert [[child.tag for child in case] for case in cases] == [["system-out"], ["failure"], ["system-out"], ["error"]]
    failure = cases[1].find("failure")
    assert failure is not None
    assert failure.attrib["message"].startswith("violated, expected holds: An instance fails")
    assert "f fails: Error" in (failure.text or "")


def test_an_unknown_that_is_allowed_is_skipped_with_its_reason() -> None:
    asked = [Property("can_complete", allow_unknown="too large for CI"), Property("can_complete")]
    report = verify(LONG, asked, max_states=2)
    assert len(report.unanswered) == 1
    assert "allowed to stay open, too large for CI:" in str(report)
    root = xml.fromstring(report.to_junit())
    assert (root.attrib["skipped"], root.attrib["errors"]) == ("1", "1")
    skipped = root.find(".//skipped")
    assert skipped is not None
    assert skipped.attrib == {"message": "too large for CI"}


def test_signs_that_xml_cannot_hold_are_written_as_escapes() -> None:
    flow = workflow([{"from": "a", "event": "go", "to": "c"}], events={"go": {"payload": {"k": "string"}}})
    report = verify(flow, [Property("never", "closed", allow_unknown="\x00\ud800")])
    assert xml.fromstring(report.to_junit()) is not None


def test_json_says_what_was_expected_and_whether_it_came() -> None:
    (found,) = json.loads(json.dumps(verify(GOOD, [Property("never", "closed", "violated", "it closes")]).to_dict()))[
        "verdicts"
    ]
    assert (found["asked"], found["expected"], found["as_expected"]) == ("never(closed)", "violated", True)
    assert found["witness"]["loop"] == 0


# --- pytest ------------------------------------------------------------------------------------------

CLAIMS = """\
workflow: ../w.yaml
properties:
  - states_reachable: {}
  - never: in("c")
  - never: in("c")
    expect: violated
    because: it is where it ends
  - leads_to: {from: context.k * context.k == 1681, to: closed}
  - leads_to: {from: context.k * context.k == 1681, to: closed}
    allow_unknown: squares cannot all be tried
  - never: context.k / 0 == 1
"""


def run_pytest(folder: Path, *arguments: str) -> tuple[int, str]:
    plugins = ["-p", "no:cacheprovider", "-p", "wfsim.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", *plugins, "-rs", *arguments]
    surroundings = os.environ | {"PYTHONPATH": os.getcwd(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def laid_out(folder: Path, claims: str = CLAIMS) -> Path:
    flow = workflow(
        [{"from": "a", "event": "go", "to": "c"}], variables={"k": {"type": "integer", "input": True, "minimum": 0}}
    )
    wf.save(flow, folder / "w.yaml")
    (folder / "verification").mkdir()
    (folder / "verification" / "w.yaml").write_text(claims, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return folder


def test_pytest_collects_property_files_where_that_is_asked_for(tmp_path: Path) -> None:
    code, out = run_pytest(laid_out(tmp_path), "--wfsim")
    assert code == 1
    assert "3 failed, 2 passed, 1 skipped" in out, out
    assert "unknown, allowed: squares cannot all be tried" in out
    # The verdict and its trace, and nothing of Python's.
    assert 'expected holds, found violated: never(in("c"))' in out
    assert "2. event go" in out
    assert "Traceback" not in out
    assert "expected holds, found unknown: leads_to" in out
    assert "expected holds, found error: never" in out
    assert run_pytest(tmp_path)[0] == 5
    (tmp_path / "verification" / "other.yaml").write_text("name: no properties here\n", encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nwfsim_properties = true\n", encoding="utf-8")
    assert "2 passed" in run_pytest(tmp_path, "-k", "states_reachable or it_ends or 3")[1]


def test_pytest_tells_what_is_wrong_with_a_property_file(tmp_path: Path) -> None:
    laid_out(tmp_path, CLAIMS + "  - never: in('d')\n")
    (tmp_path / "verification" / "nameless.yaml").write_text("properties:\n  - sound: {}\n", encoding="utf-8")
    code, out = run_pytest(tmp_path, "--wfsim")
    assert code == 2
    assert "w.yaml:12: `in('d')`: state 'd' is not in the workflow." in out
    assert "the key 'workflow' must give the path of a workflow" in out


CALLING = """
name: calling
initial_state: a
functions: {risk: {input: {n: integer}, result: {type: integer, minimum: 0, maximum: 9}}}
variables: {n: {type: integer, initial: 0}}
events: {go: {}}
states: [{name: a}, {name: b}, {name: c, is_terminal: true}]
transitions:
  - {from: a, event: go, to: b}
  - {from: b, event: go, to: c, condition: functions.risk(context.n) > 3}
"""


def test_pytest_gives_workflows_the_functions_that_they_call(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(CALLING, encoding="utf-8")
    (tmp_path / "verification").mkdir()
    claims = "workflow: ../w.yaml\nproperties:\n  - {never: in('c'), expect: violated}\n"
    (tmp_path / "verification" / "w.yaml").write_text(claims, encoding="utf-8")
    marked = "import wfsim as wf\n\n\n@wf.function\ndef risk(n: int) -> int:\n    return 5\n"
    (tmp_path / "risks_of_ours.py").write_text(marked, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nwfsim_functions = risks_of_ours\n", encoding="utf-8")
    code, out = run_pytest(tmp_path, "--wfsim")
    assert (code, "1 passed" in out) == (0, True), out
    (tmp_path / "pytest.ini").write_text("[pytest]\nwfsim_functions = risks_of_yours\n", encoding="utf-8")
    code, out = run_pytest(tmp_path, "--wfsim")
    assert code == 2
    assert "wfsim_functions risks_of_yours: cannot be imported" in out
