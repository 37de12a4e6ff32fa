from __future__ import annotations

import gc
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from wfsim.semantics import machine_code
from wfsim.semantics.machine_code import MachineCode

ROOT = Path(__file__).parents[3]


class Given(NamedTuple):
    table: Any
    weights: Any


def weighted(given: Any, by: float, most: int) -> float:
    if most < 1:
        raise ValueError("most is less than", 1)
    total = 0.0
    for row in range(given.table.shape[0]):
        for column in range(min(most, given.table.shape[1])):
            total += given.table[row, column] * given.weights[column] * by
    given.table[0, 0] = most
    return total


def arguments() -> tuple[Any, ...]:
    return Given(np.arange(6, dtype=np.int64).reshape(2, 3), np.array([1.0, 10.0, 100.0])), 0.5, 2


def made() -> MachineCode:
    import numba

    from wfsim.semantics.linking import compile_root

    return compile_root(weighted, tuple(map(numba.typeof, arguments())))


def test_code_that_was_kept_computes_what_the_function_computes_in_a_process_without_numba(tmp_path: Path) -> None:
    file = tmp_path / "not" / "yet" / "there"
    machine_code.write(file, made())
    expected, given = weighted(*arguments()), arguments()
    assert machine_code.load(made())(*given) == expected
    assert given[0].table[0, 0] == 2
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.unit.semantics.test_machine_code import arguments, machine_code\n"
        f"print(machine_code.load(machine_code.read(Path({str(file)!r})))(*arguments()))\n"
        "assert 'numba' not in sys.modules"
    )
    assert float(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)) == expected


def test_an_error_in_compiled_code_is_raised() -> None:
    function = machine_code.load(made())
    given, by, _ = arguments()
    with pytest.raises(ValueError, match="most is less than") as caught:
        function(given, by, 0)
    assert caught.value.args == ("most is less than", 1)
    assert function(given, by, 1) == 0.5 * (0.0 + 3.0)


def halves(n: int, x: float) -> float:
    return n // 2 + x / 2.0


def test_a_function_of_numbers_is_a_built_in_one_and_refuses_what_is_none() -> None:
    import numba

    from wfsim.semantics.linking import compile_root

    function = machine_code.load_numbers(compile_root(halves, (numba.int64, numba.float64)), (1, 1.0))
    gc.collect()
    assert isinstance(function, types.BuiltinFunctionType)
    assert function(7, 3) == function(2**64 + 7, 3.0) == halves(7, 3.0)
    assert function(-7, 0.0) == halves(-7, 0.0)
    for wrong in ((), (1,), (1, 2.0, 3.0), ("1", 2.0), (1.5, 2.0), (1, "2.0"), (1, None)):
        with pytest.raises(TypeError):
            function(*wrong)
    with pytest.raises(TypeError):
        function(n=1, x=2.0)
    before = sys.getrefcount(None)
    for _ in range(1_000):
        function(2**40, 0.1)
    assert abs(sys.getrefcount(None) - before) < 100


@pytest.mark.parametrize("harm", [lambda raw: raw[:-1], lambda raw: raw[:40] + b"\0" + raw[41:], lambda raw: b""])
def test_a_file_that_is_not_whole_is_as_none(harm: Any, tmp_path: Path) -> None:
    file, kept = tmp_path / "code", MachineCode("name", "int64", bytes(range(200)))
    assert machine_code.read(file) is None
    machine_code.write(file, kept)
    assert machine_code.read(file) == kept
    file.write_bytes(harm(file.read_bytes()))
    assert machine_code.read(file) is None


def test_what_cannot_be_kept_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    with pytest.raises(OSError, match="code"):
        machine_code.write(tmp_path / "code", MachineCode("name", "int64", b"code"))
    assert [each.name for each in tmp_path.iterdir()] == ["code"]


def test_arguments_for_which_other_code_is_made_have_other_forms() -> None:
    square = np.zeros((2, 2))
    frozen = np.zeros((2, 2))
    frozen.flags.writeable = False
    different = [
        (1,),
        (1.0,),
        (square,),
        (square[0],),
        (square.astype(np.int64),),
        (np.zeros((4, 4))[:, ::2],),
        (frozen,),
        (Given(square, square),),
        ((square, square),),
        (square, square),
        (np.zeros(1, [("a", "i8")]),),
        (np.zeros(1, [("b", "i8")]),),
    ]
    assert len({machine_code.forms(each) for each in different}) == len(different)
    assert machine_code.forms((Given(square, square),)) == machine_code.forms((Given(frozen.copy(), square),))
