"""The program: a workflow definition as integer rows, made once and read by every step.

Rows refer to each other by number (see `layout`). The program also keeps what rows cannot: names for
row numbers, the table of texts, and the expressions that the surroundings evaluate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from wfsim.model.elements import Activity, Event, RetryPolicy, Transition, Variable
from wfsim.model.expression_tree import Template
from wfsim.model.functions import Given
from wfsim.model.retrying import policies
from wfsim.model.shapes import Shape
from wfsim.model.workflow import Workflow

from .codes import ABSENT, NULL
from .layout import (
    Cell,
    Head,
    Rows,
)
from .texts import Texts


@dataclass(frozen=True)
class HostExpression:
    """An expression that the surroundings evaluate, with the payload fields it may read.

    `role` is `condition`, `value`, `duration`, `item` (its fields are that of an item), `items`, `receiver` or `key`;
    `raises` whether it can raise. Both serve the erased program, in which every condition, list of items and receiver
    is a question, and every other expression that can raise. `target` is the variable that the value is written to,
    for assignments.

    `variables` are those that it reads, with their places.
    """

    template: Template
    fields: Mapping[str, int]
    variables: Mapping[str, int]
    whole_event: bool = False
    role: str = "value"
    raises: bool = True
    target: str | None = None


@dataclass(frozen=True, eq=False)
class Program:
    """A workflow compiled to rows; shared by all its instances and never changed.

    Attributes
    ----------
    rows
        The program rows `p` of `layout`.
    names
        For each row the name people know it by (`None` where it has none); inner states and regions by path.
    texts
        The texts and constants of the definition; surroundings copy this table and let the copy grow.
    host
        Expressions that `OP_ASK` refers to.
    erased
        Whether conditions, assignments and inputs are questions to the surroundings (used by the explorer).
    symbolic
        Whether every expression that reads a name, and every assignment, is such a question, and variables and payloads
        take any value: what they come to and whether it fits is for the surroundings to say.
    """

    workflow: Workflow
    family: tuple[Workflow, ...]
    """The workflow, then every other one that its instances may start, directly or not, by name and version."""
    rows: Rows
    names: list[str | None]
    texts: Texts
    host: list[HostExpression]
    erased: bool
    symbolic: bool
    variables: dict[str, Variable]
    events: dict[str, Event]
    activities: dict[str, Activity]
    event_rows: dict[str, int]
    event_fields: dict[str, dict[str, int]]
    activity_rows: dict[str, int]
    state_rows: dict[str, int]
    region_rows: dict[str, int]
    transitions: dict[int, Transition]
    transition_numbers: dict[int, int]
    """Place of each transition row in the file, counted from 1 as in every text."""
    initial_cells: list[Cell]
    children: dict[int, Workflow | None]
    """The workflows that its states run, by row; `None` where the program was made without a catalogue."""
    shapes: dict[int, Shape]
    """What values are, by the row of a variable, payload field or result."""
    functions: Given
    key_code: int
    """Row of the expression for its correlation key (M7.2), or -1."""
    """The functions in Python that its expressions may call (M14)."""

    @cached_property
    def head(self) -> Head:
        """The head row: sizes and policies."""
        head: Head = self.rows[0]
        return head

    @cached_property
    def inputs(self) -> dict[str, Variable]:
        """The variables that a start gives values to."""
        return {name: variable for name, variable in self.variables.items() if variable.input}

    @cached_property
    def fresh_cells(self) -> list[tuple[int, int, float]]:
        """Tag, whole and real of each cell of an instance that has not started."""
        head = self.head
        variables = [(cell.tag, cell.whole, cell.real) for cell in self.initial_cells]
        hidden = [(ABSENT, 0, 0.0)] * (head.inbox_cells - head.n_variables)
        return variables + hidden + [(NULL, 0, 0.0)] * (head.n_cells - head.inbox_cells)

    @cached_property
    def variable_cells(self) -> dict[str, int]:
        """Which cell of an instance each variable lies in."""
        return {name: k for k, name in enumerate(self.variables)}

    def retry_policies(self, activity: int) -> tuple[RetryPolicy, ...]:
        """How the activity at a row is tried again."""
        return policies(self.workflow, self.name(activity) or "")

    def name(self, row: int) -> str | None:
        """The name of a row; `None` for -1 and for rows without a name."""
        return None if row < 0 else self.names[row]
