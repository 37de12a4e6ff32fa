"""The page that a history is reported on: whole in itself, the same each time, texts of others are texts in it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

import wfsim as wf
from tests.unit.analytics.test_figures import LOAD, PARCELS, parcels
from wfsim.errors import HistoryError

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = (
    "Summary, Process map: how often, Process map: mean time, Hot paths, Variants, Throughput times, "
    "Waiting and service, Utilisation of pools, Occupancy, Arrivals and completions, Dotted chart, "
    "Performance spectrum, The slowest case, The case with most retries"
).split(", ")


def without_plotly(page: str) -> str:
    """The page but for the library, which is the longest script."""
    library = max(re.findall(r"<script>.*?</script>", page, re.DOTALL), key=len)
    return page.replace(library, "")


def test_a_report_has_every_section_with_figure_numbers_and_sql(tmp_path: Path) -> None:
    with parcels() as history:
        page = without_plotly(wf.write_report(history, tmp_path / "r.html").read_text(encoding="utf-8"))
        slowest = history.sql('SELECT "case" FROM durations ORDER BY duration DESC LIMIT 1').fetchall()[0][0]
    for title in SECTIONS:
        assert f">{title}</a></li>" in page
        assert f">{title}</h2>" in page
    figures = re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', page, re.DOTALL)
    assert {name for name, _ in figures} == set(re.findall(r'data-of="([\w-]+)"', page))
    assert len(figures) == len(SECTIONS) - 3
    assert all(json.loads(figure)["data"] for _, figure in figures)
    assert page.count("<summary>SQL</summary>") == 10
    assert f"Case {slowest} of parcels" in page


def test_a_report_fetches_nothing_and_shows_texts_as_texts(tmp_path: Path) -> None:
    with parcels() as history:
        page = without_plotly(wf.write_report(history, tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "default-src 'none'" in page
    assert not re.findall(r"<(?:link|iframe|object|embed)\b|\b(?:src|href)=\"(?!#)", page)
    assert "<sort>" not in page


def test_the_same_history_gives_the_same_page(tmp_path: Path) -> None:
    with parcels(cases=20) as history:
        one, other = (wf.write_report(history, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert one == other
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_what_a_log_level_does_not_keep_is_told_in_its_section(tmp_path: Path) -> None:
    workflow, scenario = wf.Workflow.model_validate(PARCELS), wf.Scenario(**LOAD)
    with wf.simulate(workflow, scenario, cases=5, log="aggregates", progress=False) as history:
        page = without_plotly(wf.write_report(history, tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "keeps no transitions" in page
    assert 'id="data-throughput-times"' in page
    assert 'id="data-dotted-chart"' not in page


def test_an_imported_log_has_a_report_without_a_map(tmp_path: Path) -> None:
    with wf.read_log(wf.examples()["loan_application"].log) as log:
        page = without_plotly(wf.write_report(log, tmp_path / "r.html").read_text(encoding="utf-8"))
    for title in SECTIONS:
        assert f">{title}</h2>" in page
    assert page.count("imported from a log, so there is no definition to draw") == 2
    figures = re.findall(r'<script type="application/json" id="data-([\w-]+)">', page)
    assert len(figures) == len(SECTIONS) - 5
    assert "utilisation-of-pools" not in figures
    assert "\\u25cf completed" in page


def test_a_report_of_a_part_is_about_that_part(tmp_path: Path) -> None:
    with parcels() as history:
        part = history.between("30m", "1h")
        page = without_plotly(wf.write_report(part, tmp_path / "r.html").read_text(encoding="utf-8"))
        closed = part.sql("SELECT count(*) FROM durations WHERE status <> 'open'").fetchall()[0][0]
    assert f"{closed:,} closed cases" in page


def test_what_is_no_history_and_no_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="write_report takes a history, not 7"):
        wf.write_report(7, tmp_path / "r.html")  # type: ignore[arg-type]
    with parcels(cases=1) as history, pytest.raises(HistoryError, match=r"r\.pdf: the page to write ends in \.html"):
        wf.write_report(history, tmp_path / "r.pdf")
    assert list(tmp_path.iterdir()) == []
