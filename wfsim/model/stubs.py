"""A workflow as types of Python: names of events, states and activities, payloads, and what may be sent where.

The module that is written imports nothing of wfsim, so that a type checker reads it at once. It refuses
`run.send("order_shiped")`, a payload without its fields, and, once asked in which state the run is, an event that this
state does not take.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, TypeAlias

from wfsim.model.statuses import STATUSES
from wfsim.model.uses import declared_activities, declared_events, declared_variables, is_reserved
from wfsim.model.values import ValueType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from wfsim.model.definition import Definition
    from wfsim.model.elements import Event, Region, State, Variable
    from wfsim.model.shapes import Shape
    from wfsim.model.workflow import Workflow

    _Names: TypeAlias = Mapping[tuple[str, str], str]

_PYTHON = {
    ValueType.STRING: "str",
    ValueType.INTEGER: "int",
    ValueType.NUMBER: "float",
    ValueType.BOOLEAN: "bool",
    ValueType.LIST: "list[Any]",
    ValueType.OBJECT: "dict[str, Any]",
    ValueType.TIMESTAMP: "int | str",
}
_STATUSES = (*STATUSES[1:], "stopped")
"""Of a run, which is told of once it has been created, and may have stopped by itself."""
_HEAD = '''\
"""Names of the workflow {name} {version} as types; `wfsim stubs` wrote it, so change the workflow instead.

    run = typed(wf.start(workflow, input=inputs({{...}}), activities=activities({{...}})))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, NotRequired, Protocol, Self, TypeAlias, TypedDict, cast, overload

'''
_COMMON = '''\
class Answer(str):
    """What has become of an event; `fate` tells it of the first one with the id of a duplicate."""

    fate: str
    state: str | None
    version: int | None


class _Run(Protocol):
    """What every run has, wherever it is."""

    id: str

    @property
    def workflow(self) -> Any: ...
    @property
    def state(self) -> State: ...
    @property
    def status(self) -> Status: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def outcome(self) -> str | None: ...
    @property
    def variables(self) -> Variables: ...
    @property
    def configuration(self) -> dict[str, str]: ...
    @property
    def output(self) -> dict[str, Any] | None: ...
    @property
    def activities(self) -> list[Any]: ...
    @property
    def children(self) -> dict[str, Any]: ...
    @property
    def parent(self) -> Any: ...
    @property
    def timers(self) -> list[Any]: ...
    @property
    def waiting(self) -> list[str]: ...
    @property
    def version(self) -> int: ...
    @property
    def records(self) -> list[Any]: ...
    @property
    def history(self) -> Any: ...
    @property
    def view(self) -> Any: ...
    @property
    def moves(self) -> list[Any]: ...
    def shown(self) -> Any: ...
    @property
    def is_idle(self) -> bool: ...
    def watch(self, after: int = 0, timeout: Any = None) -> Any: ...
    def why_not(self, name: Event | State, payload: Mapping[str, Any] | None = None, /, **fields: Any) -> object: ...
    def wait(
        self, until: State | Status | Literal["idle"] | Callable[[Any], bool] | None = None, timeout: Any = None
    ) -> State: ...
    async def wait_async(
        self, until: State | Status | Literal["idle"] | Callable[[Any], bool] | None = None, timeout: Any = None
    ) -> State: ...
    def control(self, command: str, reason: str | None = None, *, command_id: str | None = None) -> str: ...
    def pause(self, reason: str | None = None, *, command_id: str | None = None) -> str: ...
    def resume(self, *, command_id: str | None = None) -> str: ...
    def cancel(self, reason: str | None = None, *, command_id: str | None = None) -> str: ...
    def terminate(self, reason: str | None = None, *, command_id: str | None = None) -> str: ...
    def retry(self, *, command_id: str | None = None) -> str: ...
    def close(self, timeout: float = 10.0) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
'''
_DOORS = '''\
def typed(run: Any) -> Run:
    """A run of this workflow, with its names."""
    return cast(Run, run)


def inputs(given: Input) -> dict[str, Any]:
    """What `wf.start` takes as input."""
    return dict(given)


def activities(given: Activities) -> dict[str, Callable[..., Any]]:
    """What `wf.start` takes as activities."""
    return cast(dict[str, Callable[..., Any]], dict(given))
'''


def stubs(workflow: Workflow) -> str:
    """The text of a Python module with the names of a workflow as types.

    It has `Event`, `State`, `Activity` and `Status` (literals), `Input`, `Variables`, a payload for each event and the
    data of each type of objects (typed dictionaries), `Functions` where some in Python are declared, `Run` and a
    protocol for each state that takes events, and the functions `typed`, `inputs`, `activities` and `in_<state>`.

    Examples
    --------
    >>> from wfsim.model.template import new
    >>> "'delivered'" in stubs(new("order"))
    True
    """
    events = declared_events(workflow)
    variables = declared_variables(workflow)
    types = {name: one.shape for name, one in workflow.types.items() if one.shape.fields is not None}
    names = _class_names(types, events, [state.name for state in workflow.states])
    given = {name: variable for name, variable in variables.items() if variable.input}
    parts = [
        _HEAD.format(name=_quiet(workflow.name), version=workflow.version),
        _literal("Event", events),
        _literal("State", [state.name for state in workflow.states]),
        _literal("Activity", declared_activities(workflow)),
        _literal("Status", _STATUSES),
        "\n",
        *(_typed_dict(names["type", name], _fields(shape, names)) for name, shape in types.items()),
        _typed_dict("Input", {name: _entry(_python(one.shape, names), _may_lack(one)) for name, one in given.items()}),
        _typed_dict("Variables", {name: _kept(one, names) for name, one in variables.items()}),
        _typed_dict("Activities", dict.fromkeys(declared_activities(workflow), "Callable[..., Any]")),
        *([_typed_dict("Functions", _callables(workflow, names))] if workflow.functions else []),
        *(_typed_dict(names["event", name], _payload(event, names)) for name, event in events.items() if event.payload),
        "\n\n",
        _COMMON,
        "\n\n",
        _protocol("Run", "Sends every event of the workflow.", list(_sends(events, names))),
    ]
    for state in workflow.states:
        taken = {name: events[name] for name in dict.fromkeys(_taken(workflow, state)) if name in events}
        if taken:
            own, told = names["state", state.name], f"Sends what is taken in {_quiet(state.name)}."
            parts += ["\n\n", _protocol(own, told, list(_sends(taken, names)))]
            parts += ["\n\n", _door(state.name, names["door", state.name], own)]
    return "".join([*parts, "\n\n", _DOORS])


def _class_names(types: Iterable[str], events: Iterable[str], states: Iterable[str]) -> _Names:
    """A class for each type and payload, a class and a function for each state, no two of the same name."""
    found: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for kind, pattern, names in (
        ("type", "{}Data", types),
        ("event", "{}Payload", events),
        ("state", "In{}", states),
        ("door", "in_{}", states),
    ):
        for name in names:
            words = re.split(r"[^A-Za-z0-9]+", name)
            camel = "".join(word[:1].upper() + word[1:] for word in words)
            bare = "_".join(words).lower() if kind == "door" else camel
            # No identifier begins with a digit.
            bare = f"_{bare}" if pattern.startswith("{}") and bare[:1].isdigit() else bare
            own, number = pattern.format(bare), 1
            while own in taken:
                number += 1
                own = pattern.format(f"{bare}{number}")
            taken.add(own)
            found[kind, name] = own
    return found


def _quiet(name: str) -> str:
    """A name as a docstring can hold it."""
    return name.replace("\\", "/").replace('"', "'")


def _literal(name: str, values: Iterable[str]) -> str:
    listed = [f"    {value!r}," for value in values]
    if not listed:
        return f"{name}: TypeAlias = None\n"
    return "\n".join([f"{name}: TypeAlias = Literal[", *listed, "]"]) + "\n"


def _typed_dict(name: str, fields: Mapping[str, str]) -> str:
    if not fields:
        return f'{name} = TypedDict("{name}", {{}})\n'
    return (
        "\n".join(
            [f"{name} = TypedDict(", f'    "{name}",', "    {"]
            + [f"        {field!r}: {kind!r}," for field, kind in fields.items()]
            + ["    },", ")"]
        )
        + "\n"
    )


def _python(shape: Shape, names: _Names) -> str:
    """The type of the values of a declared type."""
    if ("type", shape.name or "") in names:
        return names["type", shape.name or ""]
    if shape.values is not None and all(isinstance(value, str | int) for value in shape.values):
        return f"Literal[{', '.join(map(repr, shape.values))}]"
    if shape.items is not None:
        inner = _python(shape.items, names)
        return f"list[{_or_none(inner) if shape.items.optional else inner}]"
    return _PYTHON.get(shape.kind, "Any")


def _kept(variable: Variable, names: _Names) -> str:
    """The type of what a variable holds: times are numbers inside (M6.5)."""
    return _or_none("int" if variable.kind is ValueType.TIMESTAMP else _python(variable.shape, names))


def _fields(shape: Shape, names: _Names) -> dict[str, str]:
    return {name: _entry(_python(one, names), one.optional) for name, one in (shape.fields or {}).items()}


def _callables(workflow: Workflow, names: _Names) -> dict[str, str]:
    """The types of functions in Python; of times they get the numbers that these are inside (M6.5)."""
    found = {}
    for name, declared in workflow.functions.items():
        taken = [_inside(one.shape, names) for one in declared.input.values()]
        gives = _python(declared.result.shape, names)
        result = _or_none(gives) if declared.result.optional else gives
        found[name] = f"Callable[[{', '.join(taken)}], {result}]"
    return found


def _inside(shape: Shape, names: _Names) -> str:
    """The type of a value that is kept."""
    kind = "int" if shape.kind is ValueType.TIMESTAMP else _python(shape, names)
    return _or_none(kind) if shape.optional else kind


def _may_lack(variable: Variable) -> bool:
    return variable.optional or variable.initial is not None


def _entry(kind: str, optional: bool) -> str:
    return f"NotRequired[{_or_none(kind)}]" if optional else kind


def _or_none(kind: str) -> str:
    return kind if kind == "Any" else f"{kind} | None"


def _payload(event: Event, names: _Names) -> dict[str, str]:
    return {field: _entry(_python(one.shape, names), one.optional) for field, one in event.payload.items()}


def _taken(workflow: Definition, state: State) -> Iterator[str]:
    """Events from outside that a root state takes, itself or in its regions."""
    yield from (each for each in _heard(workflow, state.name) if not is_reserved(each))
    for path, region in workflow.regions():
        if path[:1] == (state.name,):
            yield from (each for each in _heard(region, None) if not is_reserved(each))


def _heard(region: Definition | Region, state: str | None) -> Iterator[str]:
    for way in region.transitions:
        if way.event is not None and state in (None, way.from_):
            yield way.event


def _sends(events: Mapping[str, Event], names: _Names) -> Iterator[str]:
    """The signatures of `send` and `send_async`, for each event as a mapping and as keywords."""
    for name, event in events.items():
        head = f"self, event: Literal[{name!r}]"
        last = "event_id: str | None = None"
        if not event.payload:
            yield f"{head}, payload: Mapping[str, Any] | None = None, /, *, {last}, **fields: Any"
            continue
        yield f"{head}, payload: {names['event', name]}, /, *, {last}"
        if all(
            field.isidentifier() and not keyword.iskeyword(field) and field != "event_id" for field in event.payload
        ):
            kinds = [
                f"{field}: {_python(one.shape, names)}" + (" | None = ..." if one.optional else "")
                for field, one in event.payload.items()
            ]
            yield f"{head}, /, *, {', '.join(kinds)}, {last}"


def _protocol(name: str, told: str, sends: list[str]) -> str:
    lines = [f"class {name}(_Run, Protocol):", f'    """{told}"""', ""]
    for called in ("def send", "async def send_async"):
        for arguments in sends:
            lines += ["    @overload"] if len(sends) > 1 else []
            lines.append(f"    {called}({arguments}) -> Answer: ...")
    return "\n".join(lines).rstrip("\n") + "\n"


def _door(state: str, door: str, name: str) -> str:
    """A question whose answer can send what is taken in a state, and nothing else."""
    return (
        f"def {door}(run: _Run) -> {name} | None:\n"
        f'    """The run, if it is in {_quiet(state)}: it sends what is taken there, and nothing else."""\n'
        f"    return cast({name}, run) if run.state == {state!r} else None\n"
    )
