"""The log that ships is what its command makes, and is as the published facts say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import wfsim as wf
from tests import loan_log
from wfsim.history.history import History


@pytest.fixture(scope="module")
def shipped() -> Iterator[History]:
    with wf.read_log(loan_log.PAGE, final=["approved", "declined", "cancelled"]) as history:
        yield history


def test_the_log_is_what_its_command_makes(shipped: History) -> None:
    """If not, and it is meant: `python -m tests.loan_log` writes it anew."""
    with loan_log.log() as made:
        assert shipped.log().df().equals(made.log().df())
    assert wf.examples()["loan_application"].log.samefile(loan_log.PAGE)  # type: ignore[union-attr]
    assert loan_log.PAGE.stat().st_size < 300_000


@pytest.mark.parametrize(
    ("of", "among", "fact"),
    [
        ("check lead", "submitted", "leads"),
        ("offer sent", "complete application", "offered"),
        ("offer returned", "offer sent", "returned"),
        ("call about documents", "offer returned", "incomplete"),
    ],
)
def test_shares_of_cases_are_those_published(shipped: History, of: str, among: str, fact: str) -> None:
    counted = """SELECT count(DISTINCT "case") FROM log_events WHERE activity = ?"""
    n = {name: shipped.sql(counted, [name]).fetchall()[0][0] for name in (of, among)}
    expected = loan_log.FACTS[fact]
    # Three standard errors: of four such shares one in a hundred seeds would miss.
    assert abs(n[of] / n[among] - expected) < 3 * (expected * (1 - expected) / n[among]) ** 0.5


def test_median_times_are_those_published(shipped: History) -> None:
    rows = shipped.sql("SELECT activity, p50_service / 60e6, started FROM activity_stats").fetchall()
    assert {activity for activity, _, _ in rows} == set(loan_log.SERVICE)
    for activity, median, n in rows:
        expected, most = loan_log.SERVICE[activity]
        # Times are lognormal; the standard error of a median's logarithm is 1.25 of a mean's.
        spread = (most / expected) ** (3 * 1.25 / 1.645 / n**0.5)
        assert expected / spread < median < expected * spread


def test_clerks_begin_within_their_hours(shipped: History) -> None:
    begun = shipped.sql(
        "SELECT resource, make_timestamp(time) FROM log_events WHERE lifecycle = 'start'", max_rows=None
    ).fetchall()
    clerks = {each.name: each for each in loan_log.clerks()}
    assert {name for name, _ in begun} == set(clerks)
    assert [(name, at) for name, at in begun if not clerks[name].works(at)] == []
