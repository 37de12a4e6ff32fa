from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from wfsim.history import arrow

ROOT = Path(__file__).parents[3]
MANY = [*range(20)]


@pytest.mark.parametrize("kind", ["u1", "i4", "i8", "u8", "f8", "?"])
def test_numbers_are_as_pyarrow_makes_them(kind: str) -> None:
    values = np.array([k % 3 for k in MANY], kind)
    known = np.array([k % 5 > 0 for k in MANY])
    for found, expected in (
        (arrow.numbers(values), pa.array(values)),
        (arrow.numbers(values[::2]), pa.array(values[::2])),
        (arrow.numbers(values, known), pa.array(values, mask=~known)),
        (arrow.numbers(values, known | True), pa.array(values)),
        (arrow.numbers(values[:0], known[:0]), pa.array(values[:0])),
    ):
        found.validate(full=True)
        assert found.equals(expected)


def test_lists_of_python_are_as_pyarrow_makes_them() -> None:
    texts = ["", "a", None, "äöü€", "b" * 300]
    whole = [1, None, -(2**31), 0]
    for found, expected in (
        (arrow.texts(texts), pa.array(texts, pa.string())),
        (arrow.texts([]), pa.array([], pa.string())),
        (arrow.whole(whole), pa.array(whole, pa.int32())),
        (arrow.column(["a", None]), pa.array(["a", None])),
        (arrow.column([None, 0.5]), pa.array([None, 0.5])),
        (arrow.column([3, 4]), pa.array([3, 4])),
    ):
        found.validate(full=True)
        assert found.equals(expected)


def test_lists_in_a_column_end_where_the_next_begins() -> None:
    ends = np.array([0, 2, 2, 3], np.int32)
    found = arrow.lists(ends, arrow.texts(["a", "b", "c"]), np.array([True, False, True]))
    found.validate(full=True)
    assert found.to_pylist() == [["a", "b"], None, ["c"]]
    assert arrow.lists(ends, arrow.texts(["a", "b", "c"])).to_pylist() == [["a", "b"], [], ["c"]]


def test_a_column_of_numbers_comes_back_whole_from_slices_and_chunks() -> None:
    one, other = pa.array(MANY, pa.int64())[3:7], pa.array(MANY, pa.int64())[:2]
    assert arrow.column_in_numpy(pa.chunked_array([one])).tolist() == [3, 4, 5, 6]
    assert arrow.column_in_numpy(pa.chunked_array([one, other])).tolist() == [3, 4, 5, 6, 0, 1]
    assert arrow.column_in_numpy(pa.chunked_array([], pa.int32())).dtype == np.int32


def test_truth_values_come_back_from_slices() -> None:
    flags = [k % 3 == 0 for k in MANY]
    assert arrow.in_numpy(pa.array(flags)).tolist() == flags
    assert arrow.in_numpy(pa.array(flags)[5:18]).tolist() == flags[5:18]
    assert arrow.in_numpy(pa.array([], pa.bool_())).tolist() == []


def test_none_of_it_loads_pandas() -> None:
    code = (
        "import sys, numpy as np\nfrom wfsim.history import arrow\n"
        "import pyarrow as pa\n"
        "known = np.arange(3) > 1\n"
        "arrow.column_in_numpy(pa.chunked_array([arrow.numbers(np.arange(3), known), arrow.column([1, None])]))\n"
        "arrow.lists(np.array([0, 1], np.int32), arrow.texts(['a']), np.array([True]))\n"
        "print('pandas' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "False"
