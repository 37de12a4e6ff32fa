"""What `make test` leaves out is what `long.txt` and `ci.txt` name, and that is there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import LISTS, listed
from tests.durations import longest

REPORT = """
9.00s call     tests/unit/test_a.py::test_x[1]
8.00s call     tests/unit/test_a.py::test_x[2]
0.30s call     tests/unit/test_a.py::test_w
0.10s call     tests/unit/test_a.py::test_y
7.00s call     tests/unit/test_a.py::test_z
6.00s setup    tests/unit/test_a.py::test_y
2.00s call     tests/unit/test_b.py::test_only
5.00s call     tests/unit/test_c.py::test_only_and_very_long
2.50s call     tests/browser/test_d.py::test_page
0.50s call     tests/browser/test_d.py::test_other_page
"""
LONG = [
    "tests/unit/test_a.py::test_x[1]",
    "tests/unit/test_a.py::test_x[2]",
    "tests/unit/test_a.py::test_z",
    "tests/unit/test_c.py::test_only_and_very_long",
]


@pytest.mark.parametrize("mark", LISTS)
def test_every_test_that_is_named_is_there(mark: str) -> None:
    texts: dict[str, str] = {}
    for name in listed(mark):
        module, _, test = name.partition("::")
        text = texts.setdefault(module, Path(module).read_text())
        assert f"def {test.partition('[')[0]}(" in text, name


def test_no_test_is_named_twice() -> None:
    named = Counter(name for mark in LISTS for name in listed(mark))
    assert [name for name, times in named.items() if times > 1] == []


def test_the_quickest_case_of_a_test_and_the_quickest_test_of_a_module_stay() -> None:
    assert longest(REPORT, "long") == LONG


def test_continuous_integration_has_what_takes_less_long() -> None:
    assert longest(REPORT, "ci") == sorted(
        [*LONG, "tests/unit/test_a.py::test_w", "tests/browser/test_d.py::test_page"]
    )
