"""What carries activities out: Python functions that fit their inputs, or what their definitions say."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from wfsim.errors import StartRefused, did_you_mean, listed
from wfsim.model.catalogue import Catalogue
from wfsim.model.elements import Activity
from wfsim.model.uses import activity_uses, declared_activities, invoked
from wfsim.model.workflow import Workflow
from wfsim.plugins import ACTIVITIES, installed

from .carrying import function_of, refusal
from .permissions import Permissions

Function = Callable[..., Any]

_FILLABLE = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Implementation:
    """A function that carries out an activity.

    Attributes
    ----------
    takes_context
        Whether it gets the `ActivityContext` as first argument.
    is_async
        Whether it runs on the event loop instead of in a thread.
    """

    function: Function
    takes_context: bool
    is_async: bool


class Implementations:
    """What a process can carry out: by functions that it was given, and as definitions say (M5.7).

    Parameters
    ----------
    permissions
        What definitions may do outside.
    """

    def __init__(self, permissions: Permissions) -> None:
        self.permissions = permissions
        self._functions: dict[Use, Implementation] = {}

    def add(self, functions: Mapping[Use, Implementation]) -> None:
        """Further functions are known."""
        self._functions.update(functions)

    def of(self, use: Use, declared: Activity) -> Implementation | None:
        """What carries an activity out as an instance's own definition declares it; a function given comes first."""
        given = self._functions.get(use)
        if given is not None or declared.connector is None:
            return given
        if refusal(declared.connector, self.permissions) is not None:
            return None
        return Implementation(function_of(declared, self.permissions), takes_context=True, is_async=True)


class Use(NamedTuple):
    """An activity of a workflow, in the version that its definition says (M5.6)."""

    workflow: str
    activity: str
    version: int | None

    @property
    def keys(self) -> tuple[str, ...]:
        """What a function for it can be given as, what is closest first."""
        names = (f"{self.workflow}.{self.activity}", self.activity)
        return names if self.version is None else (*(f"{name}@{self.version}" for name in names), *names)


def use_of(workflow: Workflow, activity: str) -> Use:
    """The use of an activity by a workflow."""
    return Use(workflow.name, activity, declared_activities(workflow)[activity].version)


def implementations_for(
    workflows: Iterable[Workflow], functions: Mapping[str, Function] | None, permissions: Permissions
) -> dict[Use, Implementation]:
    """The function of each activity that the workflows use; functions for others are left aside.

    A function given as `<workflow>.<activity>` is for that workflow alone, and comes before one given as `<activity>`,
    which all share; one given with a version, `<activity>@2`, is for that version (M5.6), and comes before both. It is
    called with the activity's recorded input as keyword arguments, all of it. Its first parameter may be `context`, or
    be annotated with `ActivityContext`. Where none is given, an activity is carried out as its definition says (M5.7).

    Raises
    ------
    StartRefused
        Listing every activity without a function, and every function that does not fit its inputs.
    """
    family = list(workflows)
    found = implementations_given(family, functions)
    given: Mapping[str, Function] = {} if functions is None else functions
    used = _used(family)
    declared = {use: each.connector for use, each in _declared(family) if use not in found and each.connector}
    refused = [
        f"{use.activity!r} is declared as a command, and {told}"
        for use, connector in declared.items()
        if (told := refusal(connector, permissions)) is not None
    ]
    if refused:
        raise StartRefused(f"{_called(family)} cannot run: {' '.join(refused)}")
    missing = list(dict.fromkeys(use.activity for use in used if use not in found and use not in declared))
    if missing:
        taken = {*(key for use in used for key in use.keys), *(use.activity for use in used)}
        unused = [name for name in given if name not in taken]
        hints = "".join(
            f" {name!r} is given, but no activity has that name.{did_you_mean(name, missing)}" for name in unused
        )
        raise StartRefused(
            f"{_called(family)} cannot run: no function is given for {listed(map(repr, missing))}. "
            f"Pass activities={{{missing[0]!r}: function, …}}.{hints}"
        )
    return found


def implementations_given(
    workflows: Iterable[Workflow], functions: Mapping[str, Function] | None
) -> dict[Use, Implementation]:
    """The functions among those given that carry out activities of the workflows; others may be carried out elsewhere.

    Raises
    ------
    StartRefused
        Listing every function that does not fit its inputs.
    PluginError
        If a function that another package adds cannot be loaded.
    """
    family = list(workflows)
    given: Mapping[str, Function] = {} if functions is None else functions
    if not isinstance(given, Mapping):
        raise StartRefused(f"activities is a mapping from activity names to functions, not {type(given).__name__}.")
    chosen = {use: next((key for key in use.keys if key in given), None) for use in _used(family)}
    found = {use: _implementation(use.activity, given[key]) for use, key in chosen.items() if key is not None}
    for use, activity in _declared(family):
        key = next((key for key in use.keys if key in installed(ACTIVITIES)), None)
        if key is not None and use not in found and activity.connector is None:
            chosen[use], found[use] = key, _implementation(use.activity, installed(ACTIVITIES)[key].load())
    problems = list(
        dict.fromkeys(
            f"{chosen[use]!r}: {problem}"
            for each in family
            for name, inputs in _inputs(each)
            if (use := use_of(each, name)) in found and (problem := _mismatch(found[use], inputs)) is not None
        )
    )
    if problems:
        raise StartRefused(
            f"{_called(family)} cannot run, since functions do not fit the inputs of their activities. "
            f"{' '.join(problems)} An activity is called with its parameters as keyword arguments."
        )
    return found


def _declared(family: Iterable[Workflow]) -> Iterator[tuple[Use, Activity]]:
    """What is declared of each activity that is used."""
    for each in family:
        for _, _, name in activity_uses(each):
            yield use_of(each, name), declared_activities(each)[name]


def _used(family: Iterable[Workflow]) -> list[Use]:
    return list(dict.fromkeys(use for use, _ in _declared(family)))


def _called(family: Sequence[Workflow]) -> str:
    if not family:
        return "nothing"
    return family[0].name if len(family) == 1 else f"{family[0].name} with the workflows that it runs"


def driven_with(workflow: Workflow, catalogue: Catalogue) -> list[Workflow]:
    """A workflow, all that it runs, and what those run; those that it only writes to are driven by others."""
    found = [workflow]
    for parent in found:
        for use in invoked(parent):
            child = catalogue.child(parent, use)
            if child not in found:
                found.append(child)
    return found


def _implementation(name: str, function: Function) -> Implementation:
    if not callable(function):
        raise StartRefused(f"activity {name!r}: {function!r:.80} is not a function.")
    parameters = _parameters(function)
    first = next(iter(parameters.values()), None) if parameters is not None else None
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  (an object whose __call__ is async)
    )
    return Implementation(function, first is not None and _is_context(first), is_async)


def _parameters(function: Function) -> Mapping[str, inspect.Parameter] | None:
    """`None` for functions in C that do not tell."""
    try:
        return inspect.signature(function).parameters
    except ValueError:
        return None


def _is_context(parameter: inspect.Parameter) -> bool:
    if parameter.kind not in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
        return False
    annotation = parameter.annotation
    # Under `from __future__ import annotations` the annotation is a text.
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return parameter.name == "context" or text.rpartition(".")[2] == "ActivityContext"


def _inputs(workflow: Workflow) -> list[tuple[str, tuple[str, ...]]]:
    """Each use of an activity, with the names of its inputs there."""
    return [(each.runs, tuple(each.inputs)) for each in workflow.operations() if each.runs is not None]


def _mismatch(implementation: Implementation, inputs: tuple[str, ...]) -> str | None:
    """Why the function cannot be called with these keyword arguments."""
    parameters = _parameters(implementation.function)
    if parameters is None:
        return None
    given = list(parameters.values())[1 if implementation.takes_context else 0 :]
    fillable = [each.name for each in given if each.kind in _FILLABLE]
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in given)
    unfilled = [
        each.name
        for each in given
        if each.default is inspect.Parameter.empty
        and (each.kind is inspect.Parameter.POSITIONAL_ONLY or (each.kind in _FILLABLE and each.name not in inputs))
    ]
    shown = ", ".join(inputs) or "none"
    if unfilled:
        return (
            f"the function needs {listed(map(repr, unfilled))}, which the workflow does not give. "
            f"Parameters given: {shown}."
        )
    surplus = [] if takes_all else [name for name in inputs if name not in fillable]
    if surplus:
        return (
            f"the workflow gives {listed(map(repr, surplus))}, which the function does not take."
            f"{did_you_mean(surplus[0], fillable)} Parameters of the function: {', '.join(fillable) or 'none'}."
        )
    return None
