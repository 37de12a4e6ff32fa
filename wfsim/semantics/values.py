"""Values (M10): operations on cells, and what a variable keeps, without exceptions.

A fault is a value: tag FAULT, its error type in `whole`. `wfsim.model.evaluate` is the readable twin.
"""

from __future__ import annotations

from .codes import (
    ANY,
    BOOLEAN,
    FAULT,
    INTEGER,
    LITERAL_LEFT,
    LITERAL_RIGHT,
    MAKE_FITTED,
    NONE,
    NULL,
    NUMBER,
    OP_ADD,
    OP_DIVIDE,
    OP_EQUAL,
    OP_FLOOR,
    OP_GREATER,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_MAXIMUM,
    OP_MINIMUM,
    OP_MULTIPLY,
    OP_SUBTRACT,
    OP_UNEQUAL,
    STRING,
    SUM_LEFT,
    SUM_RIGHT,
    T_DIVISION,
    T_NULL,
    T_OVERFLOW,
    T_RANGE,
    T_TYPE,
)
from .kernel import Output, apart, kernel, make, order_of
from .layout import Cell, Cells, Rows

SMALLEST = -(2**63)
LARGEST = 2**63 - 1
EXACT = 2**53
BEYOND = 9223372036854775808.0  # 2**63 as a double


@kernel
def copy_cell(source: Cell, target: Cell) -> None:
    """Give the target the source's value."""
    target.tag = source.tag
    target.whole = source.whole
    target.real = source.real


@kernel
def set_null(cell: Cell) -> None:
    """Make it null."""
    cell.tag = NULL
    cell.whole = 0
    cell.real = 0.0


@kernel
def set_whole(cell: Cell, tag: int, whole: int) -> None:
    """Make it a boolean, integer, text or fault."""
    cell.tag = tag
    cell.whole = whole
    cell.real = 0.0


@kernel
def set_real(cell: Cell, real: float) -> None:
    """Make it a number; not finite is an overflow (M10.2). Adding 0.0 turns -0.0 into 0.0."""
    if real - real != 0.0:
        set_whole(cell, FAULT, T_OVERFLOW)
    else:
        cell.tag = NUMBER
        cell.whole = 0
        cell.real = real + 0.0


@kernel
def sum_overflows(a: int, b: int) -> int:
    """1 if `a + b` does not fit 64 bits: compared before computing, since compiled integers wrap."""
    if (b > 0 and a > LARGEST - b) or (b < 0 and a < SMALLEST - b):
        return 1
    return 0


@kernel
def product_overflows(a: int, b: int) -> int:
    """1 if `a * b` does not fit 64 bits."""
    if a == 0 or b == 0:
        return 0
    if a == SMALLEST:
        return 0 if b == 1 else 1
    if b == SMALLEST:
        return 0 if a == 1 else 1
    size_a = a if a > 0 else -a
    size_b = b if b > 0 else -b
    if size_a <= LARGEST // size_b:
        return 0
    # The one product whose size is 2**63: it fits when negative.
    if (a < 0) != (b < 0) and size_a - 1 == LARGEST // size_b and size_a * (size_b - 1) == LARGEST - size_a + 1:
        return 0
    return 1


@kernel
def arithmetic(op: int, left: Cell, right: Cell) -> None:
    """`left` becomes `left op right` (M10.1, M10.2)."""
    if left.tag == NULL or right.tag == NULL:
        set_whole(left, FAULT, T_NULL)
    elif left.tag == INTEGER and right.tag == INTEGER:
        a = left.whole
        b = right.whole
        if op == OP_ADD:
            if sum_overflows(a, b):
                set_whole(left, FAULT, T_OVERFLOW)
            else:
                left.whole = a + b
        elif op == OP_SUBTRACT:
            if (b < 0 and a > LARGEST + b) or (b > 0 and a < SMALLEST + b):
                set_whole(left, FAULT, T_OVERFLOW)
            else:
                left.whole = a - b
        elif op == OP_MULTIPLY:
            if product_overflows(a, b):
                set_whole(left, FAULT, T_OVERFLOW)
            else:
                left.whole = a * b
        elif op == OP_DIVIDE:
            set_whole(left, FAULT, T_TYPE)
        elif b == 0:
            set_whole(left, FAULT, T_DIVISION)
        elif op == OP_FLOOR:
            if a == SMALLEST and b == -1:
                set_whole(left, FAULT, T_OVERFLOW)
            else:
                left.whole = a // b
        elif b == -1:
            left.whole = 0
        else:
            left.whole = a % b
    elif left.tag == NUMBER and right.tag == NUMBER:
        if op == OP_ADD:
            set_real(left, left.real + right.real)
        elif op == OP_SUBTRACT:
            set_real(left, left.real - right.real)
        elif op == OP_MULTIPLY:
            set_real(left, left.real * right.real)
        elif op == OP_DIVIDE:
            if right.real == 0.0:
                set_whole(left, FAULT, T_DIVISION)
            else:
                set_real(left, left.real / right.real)
        else:
            set_whole(left, FAULT, T_TYPE)
    else:
        set_whole(left, FAULT, T_TYPE)


@kernel
def read_as_number(cell: Cell) -> None:
    """The integer becomes the number that it is, if there is one."""
    if -EXACT <= cell.whole <= EXACT:
        set_real(cell, float(cell.whole))


@apart
def read_literal(left: Cell, right: Cell, which: int) -> None:
    """An integer literal beside a number is a number literal, and so is the sum of nothing; `which` there are."""
    if left.tag == INTEGER and right.tag == NUMBER:
        if which & LITERAL_LEFT or (which & SUM_LEFT and left.whole == 0):
            read_as_number(left)
    elif left.tag == NUMBER and right.tag == INTEGER:
        if which & LITERAL_RIGHT or (which & SUM_RIGHT and right.whole == 0):
            read_as_number(right)


@apart
def order_mixed(whole: int, real: float) -> int:
    """-1, 0 or 1 as the integer is below, equal to or above the number, exactly."""
    if real >= BEYOND:
        return -1
    if real < -BEYOND:
        return 1
    floor = int(real)
    if floor > real:
        floor -= 1
    if whole < floor:
        return -1
    if whole > floor:
        return 1
    return -1 if real > floor else 0


@kernel
def order_cells(o: Output, left: Cell, right: Cell) -> int:
    """-1, 0 or 1 for two values of an ordered type; 2 when they have no common order."""
    if left.tag == INTEGER and right.tag == INTEGER:
        return -1 if left.whole < right.whole else (1 if left.whole > right.whole else 0)
    if left.tag == NUMBER and right.tag == NUMBER:
        return -1 if left.real < right.real else (1 if left.real > right.real else 0)
    if left.tag == INTEGER and right.tag == NUMBER:
        return order_mixed(left.whole, right.real)
    if left.tag == NUMBER and right.tag == INTEGER:
        return -order_mixed(right.whole, left.real)
    if left.tag == STRING and right.tag == STRING:
        return 0 if left.whole == right.whole else order_of(o, left.whole, right.whole)
    return 2


@kernel
def compare(op: int, o: Output, left: Cell, right: Cell) -> None:
    """`left` becomes the boolean `left op right`; null only with == and != (M10.1)."""
    if op == OP_EQUAL or op == OP_UNEQUAL:
        if left.tag == NULL or right.tag == NULL or (left.tag == right.tag and left.tag != NUMBER):
            equal = 1 if left.tag == right.tag and left.whole == right.whole else 0
        else:
            sign = order_cells(o, left, right)
            if sign == 2:
                set_whole(left, FAULT, T_TYPE)
                return
            equal = 1 if sign == 0 else 0
        left.tag = BOOLEAN
        left.whole = equal if op == OP_EQUAL else 1 - equal
        left.real = 0.0
        return
    if left.tag == NULL or right.tag == NULL:
        set_whole(left, FAULT, T_NULL)
        return
    sign = order_cells(o, left, right)
    if sign == 2:
        set_whole(left, FAULT, T_TYPE)
    elif op == OP_LESS:
        set_whole(left, BOOLEAN, 1 if sign < 0 else 0)
    elif op == OP_LESS_EQUAL:
        set_whole(left, BOOLEAN, 1 if sign <= 0 else 0)
    elif op == OP_GREATER:
        set_whole(left, BOOLEAN, 1 if sign > 0 else 0)
    else:
        set_whole(left, BOOLEAN, 1 if sign >= 0 else 0)


@apart
def extreme(op: int, o: Output, left: Cell, right: Cell) -> None:
    """`left` becomes the smaller or larger of two values of one type."""
    if left.tag == NULL or right.tag == NULL:
        set_whole(left, FAULT, T_NULL)
    elif left.tag != right.tag:
        set_whole(left, FAULT, T_TYPE)
    else:
        sign = order_cells(o, left, right)
        if sign == 2:
            set_whole(left, FAULT, T_TYPE)
        elif (op == OP_MINIMUM and sign > 0) or (op == OP_MAXIMUM and sign < 0):
            copy_cell(right, left)


@kernel
def negate(cell: Cell) -> None:
    """The cell becomes its negative."""
    if cell.tag == INTEGER:
        if cell.whole == SMALLEST:
            set_whole(cell, FAULT, T_OVERFLOW)
        else:
            cell.whole = -cell.whole
    elif cell.tag == NUMBER:
        set_real(cell, -cell.real)
    else:
        set_whole(cell, FAULT, T_NULL if cell.tag == NULL else T_TYPE)


@kernel
def need_boolean(cell: Cell) -> int:
    """1 if the cell is a boolean; otherwise it becomes the fault, and 0 (M10.1)."""
    if cell.tag == BOOLEAN:
        return 1
    if cell.tag != FAULT:
        set_whole(cell, FAULT, T_NULL if cell.tag == NULL else T_TYPE)
    return 0


@kernel
def is_true(v: Cells, at: int) -> int:
    """1 or 0 for a condition's value; -1 when it is not a boolean, and then the cell holds the fault (M10.1)."""
    cell = v[at]
    if cell.tag == BOOLEAN:
        return cell.whole
    need_boolean(cell)
    return -1


@kernel
def same(left: Cell, tag: int, whole: int, real: float) -> int:
    """1 if the cell holds exactly this value."""
    return 1 if left.tag == tag and left.whole == whole and left.real == real else 0


@apart
def admit_parts(v: Cells, o: Output, row: int, at: int) -> int:
    """Let the surroundings fit what is in a value (M10.4): -1, or the error type, and then the value stays."""
    tag = v[at].tag
    whole = v[at].whole
    make(v, o, MAKE_FITTED, row, at, 1, at)
    if v[at].tag != FAULT:
        return NONE
    fault = v[at].whole
    set_whole(v[at], tag, whole)
    return fault


@kernel
def admit(p: Rows, v: Cells, o: Output, variable: int, at: int, lenient: int) -> int:
    """Fit the value in cell `at` to a variable in place (M10.2, M10.4): -1 if it fits, else the error type.

    `lenient` reads an integer as a number where the variable is one: values from outside carry JSON's types.
    """
    row = p[variable]
    cell = v[at]
    if cell.tag == NULL:
        return -1 if row.optional or row.type == ANY else T_NULL
    if row.type == NUMBER and cell.tag == INTEGER and lenient:
        read_as_number(cell)
    if row.type != ANY and cell.tag != row.type:
        return T_TYPE
    if cell.tag == INTEGER:
        if row.bounded_below and cell.whole < row.lowest:
            if row.saturate == 0:
                return T_RANGE
            cell.whole = row.lowest
        if row.bounded_above and cell.whole > row.highest:
            if row.saturate == 0:
                return T_RANGE
            cell.whole = row.highest
    if cell.tag == NUMBER:
        if row.bounded_below and cell.real < row.lowest_real:
            if row.saturate == 0:
                return T_RANGE
            cell.real = row.lowest_real
        if row.bounded_above and cell.real > row.highest_real:
            if row.saturate == 0:
                return T_RANGE
            cell.real = row.highest_real
    if row.first_allowed >= 0:
        for k in range(row.first_allowed, row.end_allowed):
            if same(cell, p[k].tag, p[k].whole, p[k].real):
                return NONE
        return T_RANGE
    return admit_parts(v, o, variable, at) if row.deep else NONE
