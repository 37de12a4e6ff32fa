"""What a workflow does: the actions of its transitions and the works of its states.

Each kind says what it reads, hands over, writes, runs, sends, undoes and can fail of. Whoever reads a definition asks
that, and not which kind it is; only what turns a kind into something else (rows, net, text) knows them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from wfsim.model.expression_tree import Name as NameTree
from wfsim.model.expression_tree import Template, TemplateLiteral, TemplateObject, names
from wfsim.model.expressions import parse_template
from wfsim.model.fields import Count, Element, Identifier, Name, Taker, TemplateValue, Tolerance, VersionRange
from wfsim.model.problems import Path
from wfsim.model.shapes import ANYTHING, Shape
from wfsim.model.values import ValueType

OnFailure: TypeAlias = Literal["abort", "ignore"]
Inputs: TypeAlias = Mapping[str, Template]


class Failure(StrEnum):
    """Of what an operation fails: a value that cannot be computed or does not fit (M10.3), what it runs or undoes."""

    VALUE = "value"
    WORK = "work"


@dataclass(frozen=True, slots=True)
class Read:
    """A template that an operation evaluates.

    Attributes
    ----------
    path
        Its place below the operation.
    what
        What it is, to be followed by whose: `the receiver in`, `the parameter 'x' of`.
    item
        The name of the item that it may read.
    """

    path: Path
    what: str
    tree: Template
    kind: Literal["value", "items"] = "value"
    item: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A variable that an operation writes when it succeeds, and where it says so.

    `tree` is what is assigned; `None` if it is the result of what ran.
    """

    path: Path
    variable: str
    tree: Template | None = None


class Operation(Element):
    """What every action and work says of itself; a kind overrides what it does."""

    names_activity: ClassVar[str] = "name"
    """The field that names the activity that it runs."""
    inputs_field: ClassVar[str] = "parameters"
    """The field that holds its inputs."""
    repeats: ClassVar[bool] = False
    """Whether it is done once for each item of a list."""

    @property
    def inputs(self) -> Inputs:
        """What it hands over, by name: inputs of an activity or a child, the payload of a message."""
        return {}

    @property
    def reads(self) -> tuple[Read, ...]:
        """All that it evaluates, in order."""
        return self._parameters()

    def _trees(self, values: Mapping[str, TemplateValue]) -> Inputs:
        return {name: self._located(parse_template(value)) for name, value in values.items()}

    def _result(self, variable: str | None) -> Written | None:
        return None if variable is None else Written(("result_variable",), self._taker(variable))

    def _parameters(self, item: str | None = None) -> tuple[Read, ...]:
        return tuple(
            Read((self.inputs_field, name), f"the parameter {name!r} of", tree, item=item)
            for name, tree in self.inputs.items()
        )

    @property
    def written(self) -> Written | None:
        """The variable that it writes."""
        return None

    @property
    def runs(self) -> str | None:
        """The activity that it runs."""
        return None

    def gives(self, one: Shape | None) -> Shape | None:
        """What comes of it, where what it runs gives such a value; `None` if nothing is known."""
        return one

    @property
    def invokes(self) -> tuple[str, str | None] | None:
        """The workflow that it runs, and which versions will do."""
        return None

    @property
    def told(self) -> str:
        """What it runs, in words."""
        return f"activity {self.runs!r}" if self.invokes is None else f"workflow {self.invokes[0]!r}"

    @property
    def sends(self) -> SendAction | None:
        """The message that it sends."""
        return None

    @property
    def undoes(self) -> CompensateAction | None:
        """What it undoes."""
        return None

    @property
    def undone_by(self) -> Compensation | None:
        """What undoes it, where the operation itself says so; else the activity that it runs does."""
        return None

    @property
    def waits(self) -> bool:
        """Whether it can take time, so that a transition is in flight meanwhile (M3.2)."""
        return any(each is not None for each in (self.runs, self.invokes, self.undoes))

    @property
    def fails_of(self) -> frozenset[Failure]:
        """What it can fail of."""
        return frozenset()

    @property
    def sources(self) -> tuple[str, ...]:
        """What its errors are called by (`error.<source>`), besides the active state."""
        return () if self.runs is None else (self.runs,)


_ANYTHING = frozenset(Failure)
_VALUE = frozenset({Failure.VALUE})


class Compensation(Element):
    """Which activity undoes this one, and from when on there is something to undo (M9.1)."""

    activity: Name
    when: Literal["completed", "attempted"] = "completed"


def _compensation(value: object) -> object:
    return {"activity": value} if isinstance(value, str) else value


CompensateWith = Annotated[Compensation, BeforeValidator(_compensation, json_schema_input_type=Name | Compensation)]


# Actions -------------------------------------------------------------------------------------------------


class ActivityAction(Operation):
    """Run an activity and wait for it (M3.1)."""

    name: Name
    action_type: Literal["activity"]
    description: str | None = None
    parameters: Mapping[Identifier, TemplateValue] = Field(default_factory=dict)
    result_variable: Taker | None = None
    on_failure: OnFailure = "abort"

    @cached_property
    def inputs(self) -> Inputs:
        return self._trees(self.parameters)

    @property
    def written(self) -> Written | None:
        return self._result(self.result_variable)

    @property
    def runs(self) -> str:
        return self.name

    @property
    def fails_of(self) -> frozenset[Failure]:
        return _ANYTHING


class Assignment(Element):
    """The parameters of `set_variable`."""

    name: Taker
    value: TemplateValue


class SetVariableAction(Operation):
    """Give a variable a value (M3.3)."""

    action_type: Literal["set_variable"]
    name: Name | None = None
    description: str | None = None
    parameters: Assignment
    on_failure: OnFailure = "abort"

    @cached_property
    def value_tree(self) -> Template:
        """What the variable is given."""
        return self._located(parse_template(self.parameters.value))

    @property
    def reads(self) -> tuple[Read, ...]:
        what = f"the value for {self.parameters.name!r} in"
        return (Read(("parameters", "value"), what, self.value_tree),)

    @property
    def written(self) -> Written:
        return Written(("parameters", "name"), self._taker(self.parameters.name), self.value_tree)

    @property
    def fails_of(self) -> frozenset[Failure]:
        return _VALUE if names(self.value_tree) else frozenset()


class SendAction(Operation):
    """Send a message to an instance (M7.2)."""

    inputs_field: ClassVar[str] = "payload"

    action_type: Literal["send"]
    name: Name | None = None
    description: str | None = None
    event: Name
    to: TemplateValue
    payload: Mapping[Identifier, TemplateValue] = Field(default_factory=dict)
    on_failure: OnFailure = "abort"

    @cached_property
    def to_tree(self) -> Template:
        """The receiver as written."""
        return self._located(parse_template(self.to))

    @property
    def receiver(self) -> Template:
        """Who gets it: a template for `self`, `parent` or an instance; with a `key`, for a workflow."""
        return self._part("workflow") if isinstance(self.to_tree, TemplateObject) else self.to_tree

    @property
    def key(self) -> Template | None:
        """The key of the instance that gets it; `None` if it goes to an instance itself."""
        return self._part("key") if isinstance(self.to_tree, TemplateObject) else None

    @property
    def addressed(self) -> str | None:
        """The workflow that it is addressed to by key, if that is named."""
        to = self.receiver if self.key is not None else None
        return to.value if isinstance(to, TemplateLiteral) and isinstance(to.value, str) else None

    def _part(self, name: str) -> Template:
        assert isinstance(self.to_tree, TemplateObject)
        return dict(self.to_tree.fields).get(name, TemplateLiteral(None))

    @cached_property
    def inputs(self) -> Inputs:
        return self._trees(self.payload)

    @property
    def reads(self) -> tuple[Read, ...]:
        return (Read(("to",), "the receiver in", self.to_tree), *self._parameters())

    @property
    def sends(self) -> SendAction:
        return self

    @property
    def fails_of(self) -> frozenset[Failure]:
        return _VALUE

    @property
    def sources(self) -> tuple[str, ...]:
        return ("send",)


class CompensateAction(Operation):
    """Undo what the compensation log holds (M9.1)."""

    action_type: Literal["compensate"]
    name: Name | None = None
    description: str | None = None
    scope: str | None = None
    on_failure: OnFailure = "abort"

    @property
    def undoes(self) -> CompensateAction:
        return self

    @property
    def fails_of(self) -> frozenset[Failure]:
        return frozenset({Failure.WORK})

    @property
    def sources(self) -> tuple[str, ...]:
        return ("compensate",)


Action = Annotated[
    ActivityAction | SetVariableAction | SendAction | CompensateAction, Field(discriminator="action_type")
]


PassingAction = Annotated[SetVariableAction | SendAction, Field(discriminator="action_type")]
"""What entering or leaving a state does: nothing that waits, so that every step knows where an instance is (M3.9)."""


# Works of states -----------------------------------------------------------------------------------------


class ActivityWork(Operation):
    """The activity that a state runs while it is active (M4.1)."""

    field: ClassVar[str] = "activity"

    name: Name
    parameters: Mapping[Identifier, TemplateValue] = Field(default_factory=dict)
    result_variable: Taker | None = None

    @cached_property
    def inputs(self) -> Inputs:
        return self._trees(self.parameters)

    @property
    def written(self) -> Written | None:
        return self._result(self.result_variable)

    @property
    def runs(self) -> str:
        return self.name

    @property
    def fails_of(self) -> frozenset[Failure]:
        return _ANYTHING


class Invoke(Operation):
    """The child workflow that a state runs (M4.4), and the activity that undoes what it has done (M9.1)."""

    field: ClassVar[str] = "invoke"
    inputs_field: ClassVar[str] = "input"

    workflow: Name
    version: VersionRange | None = None
    input: Mapping[Identifier, TemplateValue] = Field(default_factory=dict)
    result_variable: Taker | None = None
    compensate_with: CompensateWith | None = None
    parent_close: Literal["cancel", "terminate", "abandon"] = "cancel"

    @cached_property
    def inputs(self) -> Inputs:
        return self._trees(self.input)

    @property
    def written(self) -> Written | None:
        return self._result(self.result_variable)

    @property
    def invokes(self) -> tuple[str, str | None]:
        return self.workflow, self.version

    @property
    def undone_by(self) -> Compensation | None:
        return self.compensate_with

    @property
    def fails_of(self) -> frozenset[Failure]:
        return _ANYTHING


def _collected(one: Shape | None) -> Shape:
    """What is kept of an item under `collect` (M4.5)."""
    error = {"type": Shape(ValueType.STRING), "message": Shape(ValueType.STRING, optional=True)}
    fields = {
        "ok": Shape(ValueType.BOOLEAN),
        "value": ANYTHING if one is None else replace(one, optional=True),
        "error": Shape(ValueType.OBJECT, optional=True, fields=error),
    }
    return Shape(ValueType.OBJECT, fields=fields)


class ForEach(Operation):
    """One activity or child workflow for each item of a list (M4.5)."""

    field: ClassVar[str] = "for_each"
    names_activity: ClassVar[str] = "activity"
    repeats: ClassVar[bool] = True

    items: TemplateValue
    as_: Identifier = Field(alias="as")
    activity: Name | None = None
    workflow: Name | None = None
    version: VersionRange | None = None
    parameters: Mapping[Identifier, TemplateValue] = Field(default_factory=dict)
    max_parallel: Count | None = Field(default=None, ge=1)
    result_variable: Taker | None = None
    on_failure: Literal["fail_fast", "collect"] = "fail_fast"
    tolerated_failures: Tolerance | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.tolerated_failures is not None and self.on_failure != "collect":
            raise ValueError(
                "tolerated_failures goes with on_failure: collect; fail_fast, which is the default, tolerates none."
            )
        return self

    @property
    def tolerated(self) -> tuple[int, int]:
        """How many items may fail, or else which share of them, in millionths; -1 for none such."""
        most = self.tolerated_failures
        if most is None:
            return 0, (1_000_000 if self.on_failure == "collect" else -1)
        return (most, -1) if isinstance(most, int) else (0, int(Decimal(most.removesuffix("%")) * 10_000))

    @cached_property
    def items_tree(self) -> Template:
        """The list that is gone through."""
        return self._located(parse_template(self.items))

    @cached_property
    def inputs(self) -> Inputs:
        """What each item's activity or workflow is given: the parameters, else the item under its own name."""
        return self._trees(self.parameters) or {self.as_: NameTree("item", self.as_)}

    @property
    def reads(self) -> tuple[Read, ...]:
        parameters = self._parameters(self.as_) if self.parameters else ()
        return (Read(("items",), "the items of", self.items_tree, "items"), *parameters)

    @property
    def written(self) -> Written | None:
        return self._result(self.result_variable)

    @property
    def runs(self) -> str | None:
        return self.activity

    @property
    def invokes(self) -> tuple[str, str | None] | None:
        return None if self.workflow is None else (self.workflow, self.version)

    def gives(self, one: Shape | None) -> Shape | None:
        return Shape(ValueType.LIST, items=_collected(one) if self.on_failure == "collect" else one)

    @property
    def told(self) -> str:
        return f"{super().told} for each item"

    @property
    def fails_of(self) -> frozenset[Failure]:
        bounded = self.on_failure == "fail_fast" or self.tolerated_failures is not None
        return _ANYTHING if bounded else _VALUE
