"""What `make test` leaves out is what `long.txt` names, and that is there."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import long_tests
from tests.durations import longest


def test_every_test_that_is_named_is_there() -> None:
    texts: dict[str, str] = {}
    for name in long_tests():
        module, _, test = name.partition("::")
        text = texts.setdefault(module, Path(module).read_text())
        assert f"def {test.partition('[')[0]}(" in text, name


def test_the_quickest_case_of_a_test_and_the_quickest_test_of_a_module_stay() -> None:
    report = """
9.00s call     tests/unit/test_a.py::test_x[1]
8.00s call     tests/unit/test_a.py::test_x[2]
0.10s call     tests/unit/test_a.py::test_y
7.00s call     tests/unit/test_a.py::test_z
6.00s setup    tests/unit/test_a.py::test_y
2.00s call     tests/unit/test_b.py::test_only
5.00s call     tests/unit/test_c.py::test_only_and_very_long
"""
    assert longest(report) == [
        "tests/unit/test_a.py::test_x[1]",
        "tests/unit/test_a.py::test_x[2]",
        "tests/unit/test_a.py::test_z",
        "tests/unit/test_c.py::test_only_and_very_long",
    ]
