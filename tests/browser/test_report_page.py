"""The report of a history in a browser that can reach nothing: all figures are drawn, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import wfsim as wf
from tests.browser.harness import checked_page, violations
from tests.unit.analytics.test_figures import parcels

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.mark.parametrize("dark", [False, True])
def test_every_figure_of_a_report_is_drawn_without_a_network(browser: Browser, tmp_path: Path, dark: bool) -> None:
    with parcels() as history:
        file = wf.write_report(history, tmp_path / "report.html")
    with checked_page(browser, dark=dark, width=1000) as page:
        page.context.set_offline(True)
        page.goto(file.as_uri())
        figures = page.locator(".figure[data-of]")
        for k in range(figures.count()):
            figures.nth(k).scroll_into_view_if_needed()
            figures.nth(k).locator("svg.main-svg").first.wait_for()
        assert figures.count() == 11
        assert page.evaluate("document.documentElement.scrollWidth") <= 1000
        page.get_by_role("link", name="Occupancy").click()
        assert page.url.endswith("#occupancy")
        assert violations(page, "main") == []
