from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from wfsim.semantics.later import njit

ROOT = Path(__file__).parents[3]
_njit = njit(nogil=True)


@_njit
def weighed(number: Any, pair: Any, by: Any) -> Any:
    """Part of a compiled function."""
    return (number + pair[0] * pair[1]) * by


def sums(narrow: Any, wide: Any) -> Any:
    one, other = narrow[0], wide[0]
    n = weighed(one, (one, one), by=other) + weighed(other, (one, other), by=one) + weighed(3, (other, 2), by=2)
    return n + weighed(wide.shape[0] > 1, (1, one), by=1)


def test_a_function_is_compiled_once_for_integers_of_all_sizes() -> None:
    import numba

    from wfsim.semantics import machine_code
    from wfsim.semantics.linking import compile_root

    # So that it must not be computed in 32 bits.
    arrays = np.array([2**20], np.int32), np.array([2**21], np.int64)
    made = machine_code.load(compile_root(sums, tuple(map(numba.typeof, arrays))))
    kinds = {tuple(map(str, signature)) for signature in weighed.made.signatures}
    assert kinds == {("int64", "UniTuple(int64 x 2)", "int64"), ("bool", "UniTuple(int64 x 2)", "int64")}
    one, other = 2**20, 2**21
    expected = (one + one * one) * other + (other + one * other) * one + (3 + other * 2) * 2 + one
    assert made(*arrays) == (expected + 2**63) % 2**64 - 2**63


def test_numba_is_not_loaded_to_mark_a_function() -> None:
    code = (
        "import sys\nfrom wfsim.semantics.later import njit\n"
        "same = lambda value: value\n"
        "later = njit(nogil=True, inline='always')(same)\n"
        "assert later.py_func is same\n"
        "print('numba' in sys.modules)\n"
        "assert later.targetoptions['inline'] == 'always'"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "False"
