"""Habits of the tests themselves: no clock decides, and random cases are drawn in one way."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
# They wait for another thread or process, and give up one day; what they assert is no time.
WAITING = {
    "browser/lab.py",
    "unit/runtime/conftest.py",
    "unit/runtime/test_waiting_for_runs.py",
}


def texts() -> dict[str, str]:
    """Every test module but the benchmarks, by its path below `tests/`."""
    files = {file.relative_to(TESTS).as_posix(): file for file in TESTS.rglob("*.py")}
    return {
        name: file.read_text(encoding="utf-8") for name, file in files.items() if not name.startswith("benchmarks/")
    }


def test_no_test_measures_time() -> None:
    clock = re.compile(r"\b(?:monotonic|perf_counter|process_time|thread_time|time\.time)(?:_ns)?\(\)")
    assert {name for name, text in texts().items() if clock.search(text)} - WAITING == set()


def test_random_cases_are_drawn_in_one_way() -> None:
    own = re.compile(r"from hypothesis import .*\bsettings\b|max_examples")
    allowed = {"random_cases.py", "unit/test_habits.py"}
    assert {name for name, text in texts().items() if own.search(text)} - allowed == set()
    without = [
        name
        for name, text in texts().items()
        if re.search(r"^@given", text, re.M) and "random_cases import" not in text
    ]
    assert without == []
