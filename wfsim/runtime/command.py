"""Activities declared as `command`: a program without a shell, what it writes as a result (M5.7)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wfsim.errors import ActivityError
from wfsim.model.duration import UNITS
from wfsim.model.evaluate import evaluate_template
from wfsim.model.expression_tree import TemplateList, TemplateLiteral, TemplateObject
from wfsim.model.expressions import text_parts
from wfsim.model.given import INPUT, SECRETS
from wfsim.model.parts import as_text
from wfsim.model.values import ValueType, brief

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from asyncio.subprocess import Process
    from collections.abc import Callable

    from wfsim.model.connectors import Command
    from wfsim.model.expression_tree import Template
    from wfsim.model.values import Value

KEY = "WFSIM_IDEMPOTENCY_KEY"
"""The variable of the environment that has the idempotency key."""
EXCERPT = 1_000
"""So many bytes of the end of what a failed program said are told."""
PART = 65_536
"""So many bytes are read at a time."""


async def perform(
    command: Command,
    inputs: Mapping[str, Value],
    environment: Mapping[str, str],
    program: str,
    kind: ValueType,
    beat: Callable[[], None],
) -> Value:
    """Run the program and give what it writes.

    Parameters
    ----------
    environment
        All of it (`environment_of`).
    program
        The path of what runs.
    kind
        What is made of its output: a text for `string`, else JSON.
    beat
        Called whenever it writes something.

    Raises
    ------
    ActivityError
        `Command.<status>`, or the type that the definition has for it; `Command.timeout`, `Command.size` (it writes too
        much), `Command.output` (neither text nor JSON), `Command.signal`, `Command.start`, `Command.argument`.
    EvaluationFault
        Of an expression.
    """
    arguments = arguments_of(command, inputs)
    tree = command.stdin_tree
    stdin = None if tree is None else _stdin(evaluate_template(tree, _given(inputs), None, ""))
    with _directory(command.directory) as directory:
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=directory,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise ActivityError("Command.start", f"{program} cannot be started: {error.strerror}.") from None
        try:
            async with asyncio.timeout(command.timeout / UNITS["s"]):
                output, said = await _heard(process, stdin, command.max_bytes, beat)
        except TimeoutError:
            raise ActivityError("Command.timeout", f"{command.program} ran longer than {command.timeout}.") from None
        finally:
            _kill(process)
            await process.wait()
    status = process.returncode or 0
    told = f" It says: {said.decode('utf-8', 'replace').strip()}" if said.strip() else ""
    if status < 0:
        raise ActivityError("Command.signal", f"{command.program} was ended by {_signal(-status)}.{told}")
    error_type = command.error_of(status)
    if error_type is not None:
        raise ActivityError(error_type, f"{command.program} ended with status {status}.{told}")
    return _read(command.program, output, kind)


def arguments_of(command: Command, inputs: Mapping[str, Value]) -> list[str]:
    """The arguments after the program; a list gives several.

    Raises
    ------
    ActivityError
        `Command.argument`, for one that cannot be passed on, or that an expression makes an option.
    """
    found: list[str] = []
    for tree in command.argument_trees:
        value = evaluate_template(tree, _given(inputs), None, "")
        for each in value if isinstance(value, list) else [value]:
            text = as_text(each)
            if "\0" in text:
                raise ActivityError("Command.argument", f"an argument of {command.program} holds a NUL.")
            if text.startswith("-") and isinstance(each, str) and not _is_written(tree) and "--" not in found:
                raise ActivityError(
                    "Command.argument",
                    f"{brief(text)} would be an option of {command.program}, chosen by a value. Write '--' before it.",
                )
            found.append(text)
    return found


def _is_written(tree: Template) -> bool:
    """Whether the beginning of a text stands in the definition."""
    if isinstance(tree, TemplateLiteral | TemplateList | TemplateObject):
        return isinstance(tree, TemplateLiteral)
    return isinstance(text_parts(tree)[0], str)


def environment_of(
    command: Command, inputs: Mapping[str, Value], secrets: Mapping[str, str], key: str
) -> dict[str, str]:
    """All of the environment: what the definition says, the key, and a `PATH`; nothing of the worker's own."""
    found = {"PATH": os.defpath, KEY: key}
    for name, tree in command.environment_trees.items():
        value = evaluate_template(tree, {**_given(inputs), SECRETS: dict(secrets)}, None, "")
        if value is None:
            continue
        text = as_text(value)
        if "\0" in text:
            raise ActivityError("Command.argument", f"the variable {name} would hold a NUL.")
        found[name] = text
    return found


def _given(inputs: Mapping[str, Value]) -> dict[str, Value]:
    return {INPUT: dict(inputs)}


def _stdin(value: Value) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.encode()


@contextlib.contextmanager
def _directory(stated: str | None) -> Iterator[str]:
    if stated is not None:
        if not os.path.isdir(stated):
            raise ActivityError("Command.start", f"there is no directory {stated!r} on this worker.")
        yield stated
        return
    with tempfile.TemporaryDirectory(prefix="wfsim-", ignore_cleanup_errors=True) as directory:
        yield directory


async def _heard(process: Process, stdin: bytes | None, most: int, beat: Callable[[], None]) -> tuple[bytes, bytes]:
    """What it writes, and the end of what it says of errors, once it has ended."""
    assert process.stdout is not None
    assert process.stderr is not None
    exchange = asyncio.gather(
        _output(process.stdout, most, beat), _end(process.stderr, beat), _feed(process.stdin, stdin or b"")
    )
    ending = asyncio.ensure_future(process.wait())
    try:
        both: list[asyncio.Future[Any]] = [exchange, ending]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if exchange.done():
            # It may have failed; else the end is near.
            exchange.result()
        await ending
        # What it has left behind would keep the pipes open.
        _kill(process)
        output, said, _ = await exchange
        return output, said
    finally:
        exchange.cancel()
        ending.cancel()
        await asyncio.gather(exchange, ending, return_exceptions=True)


async def _output(stream: StreamReader, most: int, beat: Callable[[], None]) -> bytes:
    found = b""
    while part := await stream.read(PART):
        beat()
        found += part
        if len(found) > most:
            raise ActivityError("Command.size", f"it writes more than {most:,} bytes (max_bytes).")
    return found


async def _end(stream: StreamReader, beat: Callable[[], None]) -> bytes:
    found = b""
    while part := await stream.read(PART):
        beat()
        found = (found + part)[-EXCERPT:]
    return found


async def _feed(stream: StreamWriter | None, data: bytes) -> None:
    if stream is None:
        return
    # Whether it reads all is its own affair.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
        stream.close()
        await stream.wait_closed()


def _kill(process: Process) -> None:
    """End it and all that it has started, unless that has left its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _read(program: str, output: bytes, kind: ValueType) -> Value:
    try:
        text = output.decode()
        if kind is ValueType.STRING:
            return text.removesuffix("\n")
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError) as error:
        raise ActivityError("Command.output", f"what {program} writes cannot be read: {error}.") from None
