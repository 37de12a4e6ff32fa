"""Activities declared as `command`: a program without a shell, what it writes as a result (M5.7)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from wfsim.errors import ActivityError
from wfsim.model.duration import UNITS
from wfsim.model.evaluate import evaluate_template
from wfsim.model.expression_tree import TemplateList, TemplateLiteral, TemplateObject
from wfsim.model.expressions import text_parts
from wfsim.model.given import INPUT, SECRETS
from wfsim.model.parts import as_text
from wfsim.model.values import ValueType, brief

if TYPE_CHECKING:
    from collections.abc import Callable

    from wfsim.model.connectors import Command
    from wfsim.model.expression_tree import Template
    from wfsim.model.values import Value

    from .secrecy import Secrets

KEY = "WFSIM_IDEMPOTENCY_KEY"
"""The variable of the environment that has the idempotency key."""
EXCERPT = 1_000
"""So many characters of the end of what a failed program said are told."""
SAID = 65_536
"""So many bytes of the end of what it says of errors are kept."""


async def perform(
    command: Command,
    inputs: Mapping[str, Value],
    environment: Mapping[str, str],
    program: str,
    kind: ValueType,
    secrets: Secrets,
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
    secrets
        Kept out of what is told of an error.
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
        heard = _Heard(command.max_bytes, beat)
        try:
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: heard,
                program,
                *arguments,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                cwd=directory,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise ActivityError("Command.start", f"{program} cannot be started: {error.strerror}.") from None
        try:
            async with asyncio.timeout(command.timeout / UNITS["s"]):
                if stdin is not None:
                    _feed(transport, stdin)
                await heard.all
        except TimeoutError:
            raise ActivityError("Command.timeout", f"{command.program} ran longer than {command.timeout}.") from None
        finally:
            heard.kill()
            _drop_unread(transport)
            transport.close()
            await heard.exited
    status = transport.get_returncode() or 0
    text = heard.said.decode("utf-8", "replace").strip()
    end = secrets.masked(text, cut_before=len(heard.said) == SAID)[-EXCERPT:]
    told = f" It says: {end}" if end else ""
    if status < 0:
        raise ActivityError("Command.signal", f"{command.program} was ended by {_signal(-status)}.{told}")
    error_type = command.error_of(status)
    if error_type is not None:
        raise ActivityError(error_type, f"{command.program} ended with status {status}.{told}")
    return _read(command.program, heard.output, kind)


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


class _Heard(asyncio.SubprocessProtocol):
    """What a program writes, until it and all that holds its pipes has ended."""

    def __init__(self, most: int, beat: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.output = bytearray()
        self.said = b""
        self.exited: asyncio.Future[None] = loop.create_future()
        self.all: asyncio.Future[None] = loop.create_future()
        self._most = most
        self._beat = beat
        self._group = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._group = transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._beat()
        if fd == 2:
            self.said = (self.said + data)[-SAID:]
        elif len(self.output) + len(data) > self._most:
            if not self.all.done():
                told = f"it writes more than {self._most:,} bytes (max_bytes)."
                self.all.set_exception(ActivityError("Command.size", told))
        else:
            self.output += data

    def process_exited(self) -> None:
        # What it has left behind would keep the pipes open.
        self.kill()
        if not self.exited.done():
            self.exited.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.all.done():
            self.all.set_result(None)

    def kill(self) -> None:
        """End it and all that it has started, unless that has left its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, signal.SIGKILL)


def _feed(transport: asyncio.SubprocessTransport, data: bytes) -> None:
    """Send what it reads, and nothing more; whether it reads all is its own affair."""
    pipe = transport.get_pipe_transport(0)
    assert isinstance(pipe, asyncio.WriteTransport)
    pipe.write(data)
    pipe.close()


def _drop_unread(transport: asyncio.SubprocessTransport) -> None:
    """What nobody has read would keep the pipe open."""
    pipe = transport.get_pipe_transport(0)
    if isinstance(pipe, asyncio.WriteTransport) and pipe.get_write_buffer_size():
        pipe.abort()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _read(program: str, output: bytearray, kind: ValueType) -> Value:
    try:
        text = output.decode()
        if kind is ValueType.STRING:
            return text.removesuffix("\n")
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError) as error:
        raise ActivityError("Command.output", f"what {program} writes cannot be read: {error}.") from None
