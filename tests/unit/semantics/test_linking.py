"""Many functions in one compiled module: what lies in it is its own affair."""

from __future__ import annotations

import subprocess
import sys

from wfsim.semantics import dtypes

# A function too long to be inlined, of whose arguments one is not used. In a process of its own, as it may crash.
PROGRAM = """
from numba import int64, njit
from wfsim.semantics.linking import collecting

lines = "".join(f"    n = (n * {k} + 1) ^ (n >> {k % 7})\\n" for k in range(3, 103))
exec("def helper(unused, n):\\n" + lines + "    return n\\n")
helper = njit(int64(int64, int64), error_model="numpy")(helper)

@njit
def part(n):
    return helper(n, n)

@njit
def root(n):
    return part(n) + helper(n, n + 1) + helper(n, n + 2)

@njit
def other(n):
    return helper(n, n) + helper(n + 1, n + 1)

with collecting():
    part.compile((int64,))
alone = [helper(0, n) for n in (10, 11, 12)]
print(root(10) == sum(alone), other(10) == alone[0] + alone[1])
"""


def test_what_is_inside_one_module_is_not_called_from_another() -> None:
    """LLVM drops the argument inside the root; who calls the function from elsewhere still passes it."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True True\n"), done.stderr


APART = """
from numba import int64, njit
from wfsim.semantics.linking import collecting, keep_apart

def often(n):
    return 3 * n + 1

@keep_apart
def rarely(n):
    return 5 * n + 1

with collecting():
    often, rarely = (njit([int64(int64)])(each) for each in (often, rarely))

@njit
def root(n):
    return often(n) if n > 0 else rarely(n)

print(root(2), root(-2))
print(*(name in next(iter(root.inspect_llvm().values())) for name in ("5oftenB", "6rarelyB")))
"""


def test_what_is_kept_apart_is_no_part_of_its_callers() -> None:
    done = subprocess.run([sys.executable, "-c", APART], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "7 -9\nFalse True\n"), done.stderr


def test_where_a_row_of_a_program_lies_is_a_shift_of_its_number() -> None:
    assert dtypes.PROGRAM.itemsize.bit_count() == 1
