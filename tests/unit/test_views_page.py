"""docs/views.md says what the views say; `python -m tests.views_page` writes it anew."""

from __future__ import annotations

import re

from tests import views_page
from wfsim.history.views import VIEWS

# They stand before tables, or within other views.
WITHIN = {
    "records",
    "stay_rows",
    "attempt_rows",
    "cases",
    "range_since",
    "range_until",
    "in_range",
    "bucket_width",
    "clock_at",
}
SCALARS = {"local_time"}


def test_the_page_of_views_is_up_to_date() -> None:
    assert views_page.PAGE.read_text(encoding="utf-8") == views_page.text()


def test_every_view_and_macro_has_a_section() -> None:
    made = {found[1] for text in VIEWS if (found := re.match(r"\s*CREATE (?:VIEW|MACRO) (\w+)\b(?!\.)", text))}
    assert {section.name for section in views_page.SECTIONS} == made - WITHIN - SCALARS | {"history"}


def test_every_example_has_rows() -> None:
    for section in views_page.SECTIONS:
        assert views_page.example(section.of).sql(f"FROM {section.asked} LIMIT 1").fetchall(), section.asked


def test_every_column_has_a_meaning_and_every_time_its_unit() -> None:
    for section in views_page.SECTIONS:
        for name, kind, *_ in views_page.example(section.of).sql(f"DESCRIBE FROM {section.asked}").fetchall():
            said = views_page.meaning(section.name, name)
            if name in ("time", "started", "closed", "duration", "wait", "service") and kind == "BIGINT":
                assert "µs" in said or said.startswith("how many"), (section.name, name)
