"""Where rows of the log go, against sorting them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.random_cases import cases, whole
from wfsim.history.logged import ByCase, _places
from wfsim.simulation.compiled import layout

NUMBERS = st.lists(whole(7, 15), max_size=12)


def rows_of(numbers: list[int]) -> np.ndarray:
    """Rows of these cases, numbered as they come."""
    rows = np.zeros(len(numbers), layout.LOG)
    rows["case"], rows["seq"] = numbers, np.arange(len(numbers))
    return rows


@cases(60)
@given(NUMBERS, whole(6, 16), whole(0, 10))
def test_rows_by_case_keep_their_order_and_know_where_each_case_begins(
    numbers: list[int], first: int, n_others: int
) -> None:
    part = ByCase.of(rows_of(numbers))
    assert part.rows["seq"].tolist() == np.argsort(numbers, kind="stable").tolist()
    assert part.cases.tolist() == sorted(set(numbers))
    assert np.diff(part.begins).tolist() == [numbers.count(case) for case in sorted(set(numbers))]
    some = part.between(first, first + n_others)
    kept = [case for case in sorted(numbers) if first <= case <= first + n_others]
    assert some.rows["case"].tolist() == kept
    assert np.repeat(some.cases, np.diff(some.begins)).tolist() == kept


@cases(60)
@given(st.lists(NUMBERS, max_size=4))
def test_rows_of_parts_go_where_sorting_puts_them(parts: list[list[int]]) -> None:
    by_case = [ByCase.of(rows_of(numbers)) for numbers in parts]
    together = np.concatenate([np.zeros(0, np.int32), *(part.rows["case"] for part in by_case)])
    order = np.argsort(together, kind="stable")
    assert _places(by_case)[order].tolist() == list(range(len(together)))
