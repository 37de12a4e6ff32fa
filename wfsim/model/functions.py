"""Functions in Python, where the expression language ends: declared in a definition, given beside it (M14).

A definition says what a function takes and gives; what computes it is no part of it. `Given` holds the Python functions
of one workflow, checks what goes in and comes out, and asks each list of arguments twice when it comes first.
"""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeAlias

from pydantic import Field

from wfsim.errors import DefinitionError, FunctionError, did_you_mean, listed
from wfsim.model.declared import Report, Typed, Types, check_declared, resolved
from wfsim.model.expression_tree import Apply
from wfsim.model.fields import Element, Identifier
from wfsim.model.shapes import Signature, fitted
from wfsim.model.values import FUNCTION, EvaluationFault, Value, brief

Python: TypeAlias = Callable[..., Any]


MOST_KEPT = 65_536
"""Answers that are kept of each function; with one more, all are forgotten."""


class Function(Element):
    """What a function in Python takes, in this order, and what it gives (M14.1)."""

    description: str | None = None
    input: Mapping[Identifier, Typed] = Field(default_factory=dict)
    result: Typed

    @property
    def signature(self) -> Signature:
        """The types of its arguments and of its result; those that the definition names are known once it is made."""
        return Signature({name: one.shape for name, one in self.input.items()}, self.result.shape)

    def knowing(self, types: Types) -> Function:
        """The same, knowing what the names of types in it mean."""
        known = {name: resolved(one, types) for name, one in self.input.items()}
        return self.model_copy(update={"input": known, "result": resolved(self.result, types)})


def check_functions(functions: Mapping[str, Function], types: Types, report: Report) -> None:
    """Types of arguments and results that there are, with limits and listed values that go with each other."""
    for name, declared in functions.items():
        for argument, one in declared.input.items():
            what = f"input {argument!r} of function {name!r}"
            check_declared(("functions", name, "input", argument), what, one, types, report)
        check_declared(
            ("functions", name, "result"), f"the result of function {name!r}", declared.result, types, report
        )


def wrong_call(call: Apply, functions: Mapping[str, Function]) -> str | None:
    """What is wrong with a call, whatever its arguments come to; `None` if nothing is."""
    name = call.function
    if name not in functions:
        near = did_you_mean(name, functions).replace("'", "").replace("mean ", "mean functions.")
        known = f"Functions: {listed(functions)}." if functions else "There is no `functions` section."
        return f"calls functions.{name}, which is not declared. {known}{near}"
    wanted = functions[name].input
    if len(call.arguments) != len(wanted):
        takes = f"takes {len(wanted)} ({', '.join(wanted)})" if wanted else "takes none"
        return f"gives functions.{name} {len(call.arguments)} arguments, and it {takes}."
    return None


class Given:
    """The Python functions of a workflow, by the names that it declares.

    Parameters
    ----------
    workflow
        Its name, for messages.
    declared
        All that it declares.
    functions
        Those that are there; any may be missing as long as it is not called.

    Raises
    ------
    DefinitionError
        For a name that is not declared, what cannot be called, or a function that takes another number of arguments.
    """

    def __init__(self, workflow: str, declared: Mapping[str, Function], functions: Mapping[str, Python]) -> None:
        self.workflow = workflow
        self.signatures = {name: one.signature for name, one in declared.items()}
        self.functions = dict(functions)
        self._answers: dict[str, dict[str, Value | EvaluationFault]] = {name: {} for name in functions}
        for name, function in functions.items():
            if name not in declared:
                raise DefinitionError(
                    f"{workflow!r} declares no function {name!r}. Functions: {listed(declared) or 'none'}."
                    f"{did_you_mean(name, declared)}"
                )
            _check_callable(name, function, list(declared[name].input))

    def __getstate__(self) -> dict[str, Any]:
        """Without the answers: another process asks anew."""
        return {**self.__dict__, "_answers": {name: {} for name in self.functions}}

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that are declared and were not given."""
        return tuple(name for name in self.signatures if name not in self.functions)

    def require(self) -> None:
        """Raise `FunctionError` if one is missing."""
        if self.missing:
            self._refuse_missing(self.missing)

    def call(self, name: str, values: list[Value]) -> Value:
        """What a function gives for these arguments (M14.2).

        Raises
        ------
        EvaluationFault
            `Expression.null`, `.type` or `.range` for an argument that does not fit; `Expression.function` where the
            function raises, or its result does not fit.
        FunctionError
            If it was not given; if it was asked twice and did not give the same answer twice; if it cannot go on for
            lack of memory or depth, which says nothing about the arguments.

        Notes
        -----
        Arguments and results are copies. An answer is kept, so a function runs twice for each different list of
        arguments, but for what was forgotten (`MOST_KEPT`).
        """
        signature = self.signatures.get(name)
        if signature is None or name not in self.functions:
            self._refuse_missing((name,))
        taken: list[Value] = []
        for (argument, shape), value in zip(signature.inputs.items(), values, strict=True):
            try:
                taken.append(fitted(shape, value))
            except EvaluationFault as fault:
                raise EvaluationFault(
                    fault.kind, f"argument {argument!r} of functions.{name}: {fault.message}"
                ) from None
        key = json.dumps(taken, ensure_ascii=False, sort_keys=True)
        kept = self._answers[name]
        if key not in kept:
            answer = self._asked_twice(name, signature, key)
            if len(kept) >= MOST_KEPT:
                kept.clear()
            kept[key] = answer
        answer = kept[key]
        if isinstance(answer, EvaluationFault):
            raise EvaluationFault(answer.kind, answer.message) from answer.__cause__
        return copy.deepcopy(answer)

    def _asked_twice(self, name: str, signature: Signature, taken: str) -> Value | EvaluationFault:
        first, second = (self._answer(name, signature, taken) for _ in range(2))
        faults = [isinstance(each, EvaluationFault) for each in (first, second)]
        # Messages of errors may tell where an object lies; that there is one is what an instance sees.
        if faults[0] != faults[1] or (not faults[0] and json.dumps(first) != json.dumps(second)):
            raise FunctionError(
                f"functions.{name} of {self.workflow!r} is not a function of its arguments: for {_told(taken)} it gave "
                f"{_answered(first)}, and then {_answered(second)}. It may read no clock, no random numbers, nothing "
                "that changes (M14.3). Let it follow from its arguments alone, or make it an activity."
            )
        return first

    def _answer(self, name: str, signature: Signature, taken: str) -> Value | EvaluationFault:
        """What it gives as its declared type keeps it, or the fault that an instance sees."""
        try:
            found = self.functions[name](*json.loads(taken))
        except (MemoryError, RecursionError) as error:
            raise FunctionError(
                f"functions.{name} of {self.workflow!r} could not go on with {_told(taken)}: {type(error).__name__}. "
                "Whether it has an answer is not known. Let it need less."
            ) from error
        except Exception as error:
            # The border to other people's code: what goes wrong behind it is an error of the instance (M14.4).
            told = f"functions.{name} raised {type(error).__name__} for {_told(taken)}: {brief(str(error), 200)}."
            return _fault(told, error)
        try:
            # Numbers and texts of other libraries become those of JSON.
            return json.loads(json.dumps(fitted(signature.result, found), allow_nan=False))
        except EvaluationFault as fault:
            return _fault(f"what functions.{name} gave for {_told(taken)} does not fit: {fault.message}", fault)

    def _refuse_missing(self, names: tuple[str, ...]) -> NoReturn:
        calls = " and ".join(f"functions.{name}" for name in names)
        raise FunctionError(
            f"{self.workflow!r} cannot be stepped without {calls}, which it declares and nobody gave. Give it: "
            f"wf.load(path, functions={{{names[0]!r}: …}}), workflow.with_functions({names[0]}=…), or "
            "--functions MODULE on the command line."
        )


def told_calls(names: Iterable[str]) -> str:
    """`functions.risk and functions.rate were`, for a message."""
    calls = [f"functions.{name}" for name in names]
    return f"{' and '.join(calls)} {'was' if len(calls) == 1 else 'were'}"


def _fault(message: str, cause: BaseException) -> EvaluationFault:
    fault = EvaluationFault(FUNCTION, message)
    fault.__cause__ = cause
    return fault


def _told(taken: str) -> str:
    """The arguments, as JSON, for a message."""
    return f"({_short(taken[1:-1])})"


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"


def _answered(answer: Value | EvaluationFault) -> str:
    if isinstance(answer, EvaluationFault):
        return f"none ({answer.message.rstrip('.')})"
    return _short(json.dumps(answer, ensure_ascii=False))


def _check_callable(name: str, function: object, arguments: list[str]) -> None:
    if not callable(function):
        raise DefinitionError(f"function {name!r}: {brief(function)} cannot be called. Give a Python function.")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise DefinitionError(
            f"function {name!r} waits or yields, and a function of a workflow gives its answer at once. "
            "Make it an activity."
        )
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        takes = str(inspect.signature(function))
        raise DefinitionError(
            f"function {name!r} is declared with {len(arguments)} inputs ({', '.join(arguments) or 'none'}), "
            f"and the Python function takes {takes}. Make them agree."
        ) from None
    except ValueError:
        # Some that are written in C do not tell what they take.
        return
