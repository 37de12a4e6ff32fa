"""Functions in Python that are declared by their annotations (M14.1)."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_type_hints

from pydantic import PydanticUserError, TypeAdapter

from wfsim.errors import DefinitionError
from wfsim.model.functions import Function, Python
from wfsim.model.json_schema import types_of
from wfsim.model.values import brief

F = TypeVar("F", bound=Python)
_MARK = "__wfsim_function__"


def function(python: F) -> F:
    """Mark a Python function as one that workflows may call; its annotations are its declaration.

    It stays what it is. `wf.Builder(…).function(python)` declares and gives it, and `--functions MODULE` of the command
    line takes all that is marked in a module.

    Parameters
    ----------
    python
        Each argument and the result annotated: `int`, `float`, `str`, `bool`, `Literal`, `list[…]`, `X | None`, a
        pydantic model, or such with limits (`Annotated[int, Field(ge=0)]`); `Any` is any value. What arrives are the
        values of JSON: of a model a dict.

    Raises
    ------
    DefinitionError
        For an argument without annotation, or one that no type of the language can say.

    Examples
    --------
    >>> @function
    ... def risk(amount: float, country: str) -> float:
    ...     return amount / 1000 if country == "DE" else amount / 100
    >>> declaration(risk).input["amount"].type.value
    'number'
    """
    setattr(python, _MARK, declaration(python))
    return python


def declaration(python: Python) -> Function:
    """What the annotations of a Python function say of it, as `functions` of a definition does; see `function`."""
    if not callable(python) or isinstance(python, type):
        raise DefinitionError(
            f"a function of a workflow is a Python function, not {brief(python)}. Write def risk(…): …"
        )
    made = getattr(python, _MARK, None)
    if isinstance(made, Function):
        return made
    name = getattr(python, "__name__", type(python).__name__)
    try:
        hints = get_type_hints(python, include_extras=True)
    except NameError as error:
        raise DefinitionError(f"the function {name!r}: {error}. Import what its annotations name.") from None
    declared: dict[str, Any] = {}
    for argument in inspect.signature(python).parameters.values():
        if argument.kind not in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD):
            raise DefinitionError(
                f"the function {name!r} takes {argument}, and a call gives each argument by its place. "
                "Write each argument out."
            )
        declared[argument.name] = _annotated(name, argument.name, hints)
    result = _annotated(name, "return", hints)
    description = inspect.getdoc(python)
    summary = None if description is None else description.splitlines()[0]
    return Function(description=summary, input=declared, result=result)


def _annotated(function_name: str, argument: str, hints: Mapping[str, Any]) -> dict[str, Any]:
    what = "its result" if argument == "return" else f"its argument {argument!r}"
    if argument not in hints:
        raise DefinitionError(f"the function {function_name!r}: {what} has no annotation. Write its type.")
    try:
        schema = TypeAdapter(hints[argument]).json_schema()
    except PydanticUserError as error:
        reason = str(error).splitlines()[0]
        raise DefinitionError(f"the function {function_name!r}: {what} has no type of the language: {reason}") from None
    types = types_of(argument, schema)
    found: dict[str, Any] = _spelt_out(types.pop(argument), types)
    return found


def _spelt_out(declared: Any, types: Mapping[str, Any]) -> Any:
    """The declaration, with the types that it names written where they are used."""
    if not isinstance(declared, dict):
        return declared
    inner = {key: _spelt_out(each, types) for key, each in declared.items() if key not in ("fields", "type")}
    if "fields" in declared:
        inner["fields"] = {name: _spelt_out(each, types) for name, each in declared["fields"].items()}
    named = declared["type"]
    return {**_spelt_out(types[named], types), **inner} if named in types else {"type": named, **inner}


def marked(names: Iterable[tuple[str, object]]) -> dict[str, Python]:
    """Of the names of a module those functions that are marked, each by its own name."""
    found: dict[str, Python] = {}
    for _, value in names:
        if callable(value) and isinstance(getattr(value, _MARK, None), Function):
            found[getattr(value, "__name__", type(value).__name__)] = value
    return found
