"""Values and expressions (M10): a stack machine over value cells, without exceptions.

A fault is a value: tag FAULT, its error type in `whole`. `wfsim.model.evaluate` is the readable twin.
"""

from __future__ import annotations

from .codes import (
    ABSENT,
    ANY,
    BOOLEAN,
    FAULT,
    INTEGER,
    NONE,
    NULL,
    NUMBER,
    OP_ADD,
    OP_AND,
    OP_ASK,
    OP_BOOLEAN,
    OP_CONSTANT,
    OP_DIVIDE,
    OP_END,
    OP_EQUAL,
    OP_FIELD,
    OP_FLOOR,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_IF,
    OP_JUMP,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_MAXIMUM,
    OP_MINIMUM,
    OP_MODULO,
    OP_MULTIPLY,
    OP_NEGATE,
    OP_NOT,
    OP_NOW,
    OP_OR,
    OP_SUBTRACT,
    OP_UNEQUAL,
    OP_VARIABLE,
    STRING,
    T_DIVISION,
    T_NULL,
    T_OVERFLOW,
    T_RANGE,
    T_TYPE,
)
from .kernel import Output, ask, ask_fit, ask_order, kernel
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
def read_literal(left: Cell, right: Cell, which: int) -> None:
    """An integer literal beside a number is a number literal; `which` is 1 for the left operand, 2 for the right."""
    literal = left if which == 1 else right
    other = right if which == 1 else left
    if other.tag == NUMBER and literal.tag == INTEGER and -EXACT <= literal.whole <= EXACT:
        set_real(literal, float(literal.whole))


@kernel
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
        return 0 if left.whole == right.whole else ask_order(o, left.whole, right.whole)
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
        set_whole(left, BOOLEAN, equal if op == OP_EQUAL else 1 - equal)
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


@kernel
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
def evaluate(p: Rows, m: Rows, v: Cells, o: Output, i: int, code: int, private: int, payload: int) -> int:
    """Evaluate the expression at program row `code`; returns the index of the cell that holds its value.

    `private` are the flight's own writes (M3.3), `payload` the event's fields; -1 for none.
    """
    base: int = m[i].cells + p[0].stack_cells
    top: int = base - 1
    at = code
    while p[at].op != OP_END:
        row = p[at]
        op = row.op
        at += 1
        if op == OP_CONSTANT:
            top += 1
            cell = v[top]
            cell.tag = row.tag
            cell.whole = row.whole
            cell.real = row.real
            continue
        if op == OP_VARIABLE:
            top += 1
            if private >= 0 and v[private + row.a].tag != ABSENT:
                copy_cell(v[private + row.a], v[top])
            else:
                copy_cell(v[m[i].cells + row.a], v[top])
            continue
        if op == OP_FIELD:
            top += 1
            if payload >= 0:
                copy_cell(v[payload + row.a], v[top])
            else:
                set_null(v[top])
            continue
        if op == OP_JUMP:
            at = row.a
            continue
        if op == OP_NOW:
            top += 1
            set_whole(v[top], INTEGER, m[i].time)
            continue
        if op == OP_ASK:
            top += 1
            ask(p, m, v, o, i, row.a, private, payload, top)
        elif op == OP_NOT:
            if need_boolean(v[top]):
                v[top].whole = 1 - v[top].whole
        elif op == OP_NEGATE:
            negate(v[top])
        elif op == OP_BOOLEAN:
            need_boolean(v[top])
        elif op == OP_AND or op == OP_OR:
            if need_boolean(v[top]):
                if (v[top].whole == 1) == (op == OP_OR):
                    at = row.a
                else:
                    top -= 1
                    continue
        elif op == OP_IF:
            if need_boolean(v[top]):
                if v[top].whole == 0:
                    at = row.a
                top -= 1
                continue
        else:
            top -= 1
            if row.a > 0:
                read_literal(v[top], v[top + 1], row.a)
            if op <= OP_MODULO:
                arithmetic(op, v[top], v[top + 1])
            elif op <= OP_GREATER_EQUAL:
                compare(op, o, v[top], v[top + 1])
            else:
                extreme(op, o, v[top], v[top + 1])
        if v[top].tag == FAULT:
            copy_cell(v[top], v[base])
            return base
    return top


@kernel
def is_true(v: Cells, at: int) -> int:
    """1 or 0 for a condition's value; -1 when it is not a boolean, and then the cell holds the fault (M10.1)."""
    if need_boolean(v[at]):
        return v[at].whole
    return -1


@kernel
def same(left: Cell, tag: int, whole: int, real: float) -> int:
    """1 if the cell holds exactly this value."""
    return 1 if left.tag == tag and left.whole == whole and left.real == real else 0


@kernel
def admit_parts(v: Cells, o: Output, row: int, at: int) -> int:
    """Let the surroundings fit what is in a value (M10.4): -1, or the error type, and then the value stays."""
    tag = v[at].tag
    whole = v[at].whole
    ask_fit(v, o, row, at)
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
    if row.type == NUMBER and cell.tag == INTEGER and lenient and -EXACT <= cell.whole <= EXACT:
        set_real(cell, float(cell.whole))
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
