"""How far two histories are apart: worked out by hand, near chance where they are alike, and above it where not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import wfsim as wf
from tests.unit.analytics.test_compare import as_real, queue
from wfsim.history.history import History

MONDAY = pd.Timestamp("2026-03-02T00:00Z")


def log_of(*words: str, minutes: int = 1, hour: int = 8) -> History:
    """Each word is a case of its own day, with its letters as activities."""
    rows = [
        (f"{case}", letter, MONDAY + pd.Timedelta(days=case, hours=hour, minutes=minutes * k))
        for case, word in enumerate(words)
        for k, letter in enumerate(word)
    ]
    return wf.read_log(pd.DataFrame(rows, columns=["case", "activity", "time"]))


def test_edges_are_apart_by_the_total_variation_of_their_shares() -> None:
    """Of `abc` ten have 40 edges, of `acb` as many; five of each share only the beginning."""
    one, other = log_of(*["abc"] * 10), log_of(*["abc"] * 5, *["acb"] * 5)
    found = wf.compare(one, other)
    # Of edges ·a, ab, bc, c· a quarter each; in the other ·a a quarter, the six of ab, bc, c·, ac, cb, b· an eighth.
    assert found["distances.edges"].difference.value == pytest.approx(3 / 8)
    assert "distances.waiting" not in found


def test_times_are_apart_by_how_much_each_is_to_be_changed() -> None:
    found = wf.compare(log_of(*["abc"] * 12), log_of(*["abc"] * 12, minutes=3))["distances.sojourn"].difference
    assert (found.value, found.low, found.high) == (240.0, 240.0, 240.0)
    assert found.note.startswith("chance gives up to ")


def test_arrivals_are_apart_by_the_hours_of_the_day() -> None:
    found = wf.compare(log_of(*["ab"] * 12), log_of(*["ab"] * 12, hour=9))
    assert found["distances.hours"].difference.value == 1.0
    assert found["distances.edges"].difference.value == 0.0


def test_of_few_cases_no_distance_is_told() -> None:
    assert not any(key.startswith("distances") for key in wf.compare(log_of(*["ab"] * 9), log_of(*["ab"] * 12)))


def test_what_is_made_by_one_scenario_is_no_further_apart_than_chance_gives(tmp_path: Path) -> None:
    """Of twenty such numbers one is expected above it; these four, with these seeds, are not."""
    with as_real(tmp_path, cases=400, seed=21) as real:
        found = wf.compare(real, queue(cases=400, seed=22))
    for key in ("edges", "sojourn", "waiting", "hours"):
        one = found[f"distances.{key}"].difference
        assert one.low <= one.value * 1.001, key
        share = key in ("edges", "hours")
        assert number_of(one.note, share=share) >= one.value, key


def test_another_staffing_is_further_apart_than_chance_gives(tmp_path: Path) -> None:
    with as_real(tmp_path, cases=400, seed=21) as real:
        found = wf.compare(real, queue(cases=400, seed=22, pools={"clerks": {"capacity": 5}}))
    one = found["distances.waiting"].difference
    assert one.low > number_of(one.note, share=False)


def number_of(note: str, *, share: bool) -> float:
    """What chance gives, of a note."""
    value, *unit = note.removeprefix("chance gives up to ").split()
    return float(value.rstrip("%")) / 100 if share else float(value) * {"s": 1, "min": 60, "h": 3_600}[unit[0]]


def test_wasserstein_is_that_of_scipy(tmp_path: Path) -> None:
    with as_real(tmp_path, cases=60, seed=21) as real:
        simulated = queue(cases=60, seed=22)
        found = wf.compare(real, simulated)["distances.sojourn"].difference.value
        sides = [
            np.array(each.sql("SELECT duration / 1e6 FROM durations WHERE duration IS NOT NULL").fetchall())[:, 0]
            for each in (real, simulated)
        ]
    assert found == pytest.approx(stats.wasserstein_distance(*sides))


def test_waiting_is_time_in_which_nobody_works_and_work_at_the_same_time_counts_once() -> None:
    def log(second: int) -> History:
        rows = [
            (str(case), activity, 1_000 * case + begun, 1_000 * case + done)
            for case in range(12)
            for activity, begun, done in (("a", 0, 60), ("b", 30, 90), ("c", second, second + 10))
        ]
        frame = pd.DataFrame(rows, columns=["case", "activity", "begun", "time"])
        return wf.read_log(frame, start="begun", time_format="s")

    assert wf.compare(log(90), log(150))["distances.waiting"].difference.value == 60.0


def test_what_a_log_has_no_word_for_is_passed_over() -> None:
    """The workflow found begins, chooses and ends in states of its own."""
    real = log_of(*["abd", "acd", "ad", "c"] * 25)
    model = wf.discover(real, noise=0).workflow
    simulated = wf.simulate(model, wf.fit(real, model).scenario, cases=400, engine="python")
    one = wf.compare(real, simulated)["distances.edges"].difference
    assert one.value <= number_of(one.note, share=True)
    assert {"start", "end"} < {state.name for state in model.states}
