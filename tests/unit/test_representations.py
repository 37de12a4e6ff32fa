"""What objects look like in a terminal and in a notebook: short, grouped, with times and numbers for people."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

import wfsim as wf
from wfsim.markup import html_table
from wfsim.model.duration import short_time
from wfsim.semantics.records import Record


@pytest.fixture(scope="module")
def report() -> wf.Report:
    workflow = wf.load("models/published/order_processing.yaml")
    return wf.verify(workflow, "verification/published/order_processing.yaml")


def cells(html: str) -> list[list[str]]:
    """Texts of all rows of all tables; the HTML is well-formed."""
    root = ElementTree.fromstring(f"<div>{html}</div>")
    return [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]


def test_a_scenario_is_one_line_and_in_a_notebook_what_its_file_says() -> None:
    scenario = wf.load_scenario("models/order_processing.scenario.yaml")
    assert repr(scenario) == str(scenario)
    assert repr(scenario) == (
        "<Scenario for order_processing: poisson: 240/h, 10,000 cases, seed 7; "
        "8 states with events, 8 activities, 1 pool>"
    )
    rows = cells(scenario._repr_html_())
    assert ["arrivals", "poisson: 240/h"] in rows
    assert ["created", "order_validated", "0.97", "exponential: {mean: 20s}", ""] in rows
    assert ["", "order_cancelled", "0.03", "exponential: {mean: 5m}", "reason: changed my mind"] in rows
    assert ["discipline", "priority"] in rows
    assert "None" not in scenario._repr_html_()


def test_everything_a_scenario_can_say_is_shown() -> None:
    scenario = wf.Scenario.model_validate(
        {
            "horizon": "2h",
            "inputs": {"n": {"integer": [1, 3]}},
            "events": {"a": {"race": [{"event": "x", "delay": "1s"}, {"event": "y<b>", "delay": "2s"}]}},
            "slas": [{"name": "fast", "within": "4h", "share": 0.95}],
            "workflows": {"child": {"activities": {"work": {"duration": "3s"}}}},
        }
    )
    assert repr(scenario).startswith("<Scenario: poisson: 60/h, until 2h, seed 1; ")
    rows = cells(scenario._repr_html_())
    for row in (["n", "integer: [1, 3]"], ["a", "x", "race", "1s", ""], ["", "y<b>", "race", "2s", ""]):
        assert row in rows
    assert ["fast", "within: 4h, share: 0.95"] in rows
    assert ["work", "3s", ""] in rows


def test_a_report_is_a_line_for_each_property(report: wf.Report) -> None:
    lines = repr(report).splitlines()
    assert lines[0] == "<Report on order_processing 1.0.0: 14 of 14 as expected"
    assert lines[1:3] == ["  ✓ holds    states_reachable", "  ✗ violated transitions_live  (as expected)"]
    assert len(lines) == 1 + len(report)


def test_a_report_tells_every_assumption_once(report: wf.Report) -> None:
    page = report._repr_html_()
    rows = cells(page)
    assumed = {assumption for verdict in report for assumption in verdict.assumptions}
    assert assumed
    for assumption in assumed:
        assert sum(row[-1] == assumption for row in rows) == 1
    shown, folded = page.split("<details>", 1)
    assert all(verdict.reason.split("\n")[0] in "\n".join(map("\n".join, cells(shown))) for verdict in report)
    assert "event order_validated" not in shown
    assert "event order_validated" in folded


def test_a_verdict_and_its_witness_are_a_line(report: wf.Report) -> None:
    verdict = report[1]
    assert repr(verdict).startswith("<✗ violated transitions_live: No run takes 3 transitions: ")
    assert len(repr(verdict)) < 240
    assert re.fullmatch(
        r"<WorkflowWitness of 9 steps: start\(\) → .* → … → .* → event retry_payment>", repr(verdict.witness)
    )
    assert verdict.witness is not None
    rows = cells(verdict.witness._repr_html_())
    assert rows[1] == ["1", "start()", "state: created"]
    assert len(rows) == 1 + 9


def test_findings_are_a_table_for_each_code_with_its_advice_once() -> None:
    findings = wf.lint(wf.load("models/published/order_processing.yaml"))
    page = findings._repr_html_()
    assert page.count("<table>") == len({finding.code for finding in findings})
    advice = "Make it an input (input: true), give it an initial value, or set it before it is read."
    assert page.count(advice) == 1
    for finding in findings:
        assert any(row[1:3] == [finding.place, finding.message] for row in cells(page))
    assert page.startswith("<p>13 errors, 20 warnings, 3 info</p>")


def test_a_case_is_told_in_times_that_people_read() -> None:
    workflow = wf.load("models/order_processing.yaml")
    case = wf.simulate(workflow, "models/order_processing.scenario.yaml", cases=3, progress=False).case(1)
    rows = cells(case._repr_html_())
    assert rows[0] == ["seq", "time", "after", "record", "what"]
    assert re.fullmatch(r"\d:\d\d:\d\d\.\d+", rows[1][1])
    assert rows[1][2] == "0 s"
    assert not any(re.search(r"\d{8,}", cell) for row in rows[1:] for cell in row[:4])


def test_times_in_a_record_are_told_as_people_write_them() -> None:
    record = Record("timer_fired", 3, 10, 2, state="paid", payload={"due": 86_399_898_399, "delay": 1_500_000})
    assert str(record) == "3 timer_fired(state=paid, due=23:59:59.898399, delay=1.5 s)"


def test_long_times_have_no_powers_of_ten() -> None:
    assert [short_time(days * 86_400e6) for days in (2.25, 999.4, 2020.0)] == ["2.25 d", "999 d", "2,020 d"]


def test_numbers_stand_to_the_right_and_text_to_the_left() -> None:
    page = html_table(("name", "n"), [("<a>", 1)], numbers={1})
    assert page.count("text-align:left") == 2
    assert page.count("text-align:right") == 2
    assert "&lt;a&gt;" in page
