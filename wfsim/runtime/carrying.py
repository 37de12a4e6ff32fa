"""Functions of activities that need no code: made of what the definition says of them (M5.7)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from wfsim.errors import ActivityError
from wfsim.model.connectors import Http
from wfsim.model.shapes import fitted
from wfsim.model.values import EvaluationFault, ValueType, coerce

from . import command
from .secrecy import Secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.model.connectors import Connector
    from wfsim.model.elements import Activity
    from wfsim.model.values import Value

    from .permissions import Permissions

BEATS = 0.2
"""Seconds between two signs of life that are passed on."""


class Carried(Protocol):
    """What a connector asks of the context of its attempt."""

    @property
    def idempotency_key(self) -> str:
        """What the outside may know a repetition by."""
        ...

    def heartbeat(self) -> None:
        """The work goes on."""
        ...


def refusal(connector: Connector, permissions: Permissions) -> str | None:
    """Why a connector cannot be carried out here at all; `None` if it can."""
    if isinstance(connector, Http) or permissions.admits_command(connector.program):
        return None
    return permissions.told_commands(connector.program)


def function_of(activity: Activity, permissions: Permissions) -> Callable[..., Any]:
    """The function that carries an activity out as its definition says; it has a connector.

    What it raises is an `ActivityError`; neither that nor what it returns has a secret in it.
    """
    connector = activity.connector
    assert connector is not None

    async def carry_out(context: Carried, /, **given: Value) -> Value:
        secrets = Secrets({name: permissions.secret(name) for name in connector.secrets})
        key, beat = context.idempotency_key, _beating(context)
        try:
            inputs = _inputs(activity, given)
            if isinstance(connector, Http):
                # Loaded when the first request goes out, as that takes a tenth of a second.
                from . import http

                result = await http.perform(connector, inputs, secrets, key, permissions, beat)
            else:
                environment = command.environment_of(connector, inputs, secrets.values, key)
                program = permissions.program(connector.program)
                # Without a declared result, what it writes is a text.
                kind = ValueType.STRING if activity.result is None else activity.result.kind
                result = await command.perform(connector, inputs, environment, program, kind, secrets, beat)
            return secrets.masked_value(coerce(ValueType.ANY, result))
        except EvaluationFault as fault:
            # Without the cause: that holds what was not masked.
            raise ActivityError(fault.kind, secrets.masked(fault.message)) from None
        except ActivityError as error:
            wait = None if error.retry_after is None else error.retry_after / 1_000_000
            raise ActivityError(error.error_type, secrets.masked(str(error)), retry_after=wait) from None
        except Exception as error:  # as any failure of a function, but its text may have a secret in it
            raise ActivityError(type(error).__name__, secrets.masked(str(error))) from None

    return carry_out


def _inputs(activity: Activity, given: Mapping[str, Value]) -> dict[str, Value]:
    """What is given, as it is declared; what is declared and not given is null."""
    found = {}
    for name, declared in (activity.input or {}).items():
        try:
            found[name] = fitted(declared.shape, given.get(name))
        except EvaluationFault as fault:
            raise EvaluationFault(fault.kind, f"input {name!r}: {fault.message}") from None
    return found


def _beating(context: Carried) -> Callable[[], None]:
    last = 0.0

    def beat() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= BEATS:
            last = now
            context.heartbeat()

    return beat
