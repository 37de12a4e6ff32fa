"""Activities that a definition itself says how to carry out: by a request over HTTP, or by a command (M5.7).

They stand in `activities.<name>.http` and `.command`. Here is what may be written and what is wrong with it before
anything runs; `runtime.http` and `runtime.command` carry it out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from wfsim.errors import ExpressionError
from wfsim.model.declared import FieldType
from wfsim.model.duration import Duration
from wfsim.model.expression_tree import (
    Expression,
    Template,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    expression_parts,
)
from wfsim.model.expressions import text_parts
from wfsim.model.fields import Count, Element, Json, Name
from wfsim.model.given import INPUT, RESPONSE, SECRETS, reads, secrets_in, template_of
from wfsim.model.problems import Path
from wfsim.model.shapes import ANYTHING, Shape, bare, never_fits, plain
from wfsim.model.static import static_shape
from wfsim.model.values import ValueType, brief

MOST_ARGUMENTS = 1_000
LONGEST_URL = 8_000
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_OF_THE_CONNECTION = {
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
    "proxy-connection",
    "accept-encoding",
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_LOADER = ("LD_", "DYLD_")
_STEERING = re.compile(r"[\x00-\x1f\x7f]")
_SCALAR = (ValueType.STRING, ValueType.INTEGER, ValueType.NUMBER, ValueType.BOOLEAN, ValueType.TIMESTAMP)


def _checked(scopes: tuple[str, ...]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        try:
            template_of(value, scopes)
        except ExpressionError as error:
            raise ValueError(str(error)) from None
        return value

    return check


def _header(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{brief(name)} is not the name of a header: letters, digits and -.")
    if name.lower() in _OF_THE_CONNECTION:
        raise ValueError(f"the header {name} belongs to the connection and follows from the request. Leave it out.")
    return name


def _header_value(value: Any) -> Any:
    if isinstance(value, str) and _STEERING.search(value):
        raise ValueError(f"{brief(value)} holds a control character, which no header may.")
    return value


def _url_parts(value: str) -> tuple[str | Expression, ...]:
    tree = template_of(value, (INPUT,))
    assert not isinstance(tree, TemplateList | TemplateObject)
    return (str(tree.value),) if isinstance(tree, TemplateLiteral) else text_parts(tree)


def _url(value: str) -> str:
    parts = _url_parts(value)
    if len(parts) == 1 and not isinstance(parts[0], str):
        return value
    first = parts[0] if isinstance(parts[0], str) else ""
    address = urlsplit(first)
    if address.scheme not in ("http", "https"):
        raise ValueError(f"{brief(value)} is no address. Write https://host/path; ${{…}} may stand after the host.")
    if len(parts) > 1 and not first.partition("://")[2].partition("/")[1] and "?" not in first:
        raise ValueError(
            f"{brief(value)}: an expression may follow the host after a / only, so that no value changes where the "
            "request goes. Write the host out, or make the whole address one expression."
        )
    if "@" in address.netloc:
        raise ValueError(f"{brief(value)}: no name and password in an address. Use a header and ${{secrets.<name>}}.")
    if address.fragment or any("#" in part for part in parts if isinstance(part, str)):
        raise ValueError(f"{brief(value)}: what follows # is never sent. Leave it out.")
    if not address.hostname or _STEERING.search(value) or " " in first or "\\" in first:
        raise ValueError(
            f"{brief(value)} is no address. Write https://host/path, without spaces and control characters."
        )
    return value


def _status(value: object) -> object:
    if type(value) is int and 100 <= value <= 599:
        return value
    if isinstance(value, str) and re.fullmatch(r"[1-5]xx", value):
        return value
    raise ValueError(f"{brief(value)} is no status. Write a number from 100 to 599, or a hundred of them such as 5xx.")


def _one_or_several(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"{brief(name)} is not the name of a variable of the environment: letters, digits and _.")
    if name.startswith(_LOADER):
        raise ValueError(f"{name} makes a program load other code. Leave it out.")
    return name


def _program(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    program = arguments[0]
    if not isinstance(program, str) or "${" in program:
        raise ValueError("a command begins with the name of its program, written out: no expression chooses what runs.")
    if not program or _STEERING.search(program) or ("/" in program and not program.startswith("/")):
        raise ValueError(f"{brief(program)} is no program. Write its name, or its path from / on.")
    return arguments


def _folder(text: str) -> str:
    if not text.startswith("/") or "${" in text or "\0" in text:
        raise ValueError(f"{brief(text)}: the directory is a path from / on, written out.")
    return text


def _run(value: object) -> object:
    return {"run": value} if isinstance(value, list | tuple) else value


_OfInput = Annotated[Json, AfterValidator(_checked((INPUT,)))]
_WithSecrets = Annotated[Json, AfterValidator(_checked((INPUT, SECRETS)))]
_OfResponse = Annotated[Json, AfterValidator(_checked((INPUT, RESPONSE)))]
_Url = Annotated[str, AfterValidator(_checked((INPUT,))), AfterValidator(_url)]
_HeaderName = Annotated[
    str, AfterValidator(_header), WithJsonSchema({"type": "string", "pattern": f"^{_TOKEN.pattern}$"})
]
_HeaderValue = Annotated[_WithSecrets, AfterValidator(_header_value)]
_Variable = Annotated[
    str, AfterValidator(_variable), WithJsonSchema({"type": "string", "pattern": f"^{_VARIABLE.pattern}$"})
]
_OneStatus = Annotated[int, Field(strict=True, ge=100, le=599)] | Annotated[str, Field(pattern="^[1-5]xx$")]
Statuses = Annotated[
    tuple[Annotated[int | str, BeforeValidator(_status, json_schema_input_type=_OneStatus)], ...],
    Field(min_length=1),
    BeforeValidator(_one_or_several, json_schema_input_type=_OneStatus | tuple[_OneStatus, ...]),
]
_OneExit = Annotated[int, Field(strict=True, ge=0, le=255)]
Exits = Annotated[
    tuple[_OneExit, ...],
    Field(min_length=1),
    BeforeValidator(_one_or_several, json_schema_input_type=_OneExit | tuple[_OneExit, ...]),
]


class Http(Element):
    """A request that carries an activity out (M5.7)."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: _Url
    query: Mapping[str, _WithSecrets] = Field(default_factory=dict)
    headers: Mapping[_HeaderName, _HeaderValue] = Field(default_factory=dict)
    body: _WithSecrets | None = None
    expect: Statuses = ("2xx",)
    result: _OfResponse = "${response.body}"
    errors: Mapping[Name, Statuses] = Field(default_factory=dict)
    timeout: Duration = Duration.of("30s")
    redirects: Count = Field(default=0, ge=0, le=10)
    max_bytes: Count = Field(default=1_000_000, ge=1, le=100_000_000)

    @cached_property
    def url_parts(self) -> tuple[str | Expression, ...]:
        """The words of the address and the expressions among them."""
        return _url_parts(self.url)

    @cached_property
    def query_trees(self) -> dict[str, Template]:
        """What the parts of the query come to."""
        return {name: template_of(value, (INPUT, SECRETS)) for name, value in self.query.items()}

    @cached_property
    def header_trees(self) -> dict[str, Template]:
        """What the headers come to."""
        return {name: template_of(value, (INPUT, SECRETS)) for name, value in self.headers.items()}

    @cached_property
    def body_tree(self) -> Template | None:
        """What is sent; `None` if nothing is."""
        return None if self.body is None else template_of(self.body, (INPUT, SECRETS))

    @cached_property
    def result_tree(self) -> Template:
        """What the activity gives."""
        return template_of(self.result, (INPUT, RESPONSE))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that it needs."""
        return _secrets(tree for _, tree in self.trees())

    def trees(self) -> Iterator[tuple[Path, Template]]:
        """Every expression with its path."""
        yield from ((("url",), part) for part in self.url_parts if not isinstance(part, str))
        yield from ((("query", name), tree) for name, tree in self.query_trees.items())
        yield from ((("headers", name), tree) for name, tree in self.header_trees.items())
        if self.body_tree is not None:
            yield ("body",), self.body_tree
        yield ("result",), self.result_tree

    def error_of(self, status: int) -> str | None:
        """The error type of a status; `None` if it is none. What names it alone comes before what names its hundred."""
        hundred = f"{status // 100}xx"
        for wanted in (status, hundred):
            for error_type, statuses in self.errors.items():
                if wanted in statuses:
                    return error_type
            if wanted in self.expect:
                return None
        return f"Http.{status}"

    @model_validator(mode="after")
    def _consistent(self) -> Http:
        if self.body is not None and self.method in ("GET", "HEAD"):
            raise ValueError(f"a {self.method} brings no body. Write method: POST, or put it into the query.")
        if self.timeout == 0:
            raise ValueError("timeout is 0s, so no request could ever be answered.")
        names = [name.lower() for name in self.headers]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"the header {twice} is there twice; capitals make no difference.")
        _refuse_twice(self.errors, self.expect)
        return self


class Command(Element):
    """A program that carries an activity out, without a shell (M5.7)."""

    run: Annotated[tuple[_OfInput, ...], Field(min_length=1, max_length=MOST_ARGUMENTS), AfterValidator(_program)]
    stdin: _OfInput | None = None
    directory: Annotated[str, AfterValidator(_folder)] | None = None
    environment: Mapping[_Variable, _WithSecrets] = Field(default_factory=dict)
    expect: Exits = (0,)
    errors: Mapping[Name, Exits] = Field(default_factory=dict)
    timeout: Duration = Duration.of("60s")
    max_bytes: Count = Field(default=1_000_000, ge=1, le=100_000_000)

    @property
    def program(self) -> str:
        """What runs."""
        return str(self.run[0])

    @cached_property
    def argument_trees(self) -> tuple[Template, ...]:
        """What the arguments after the program come to."""
        return tuple(template_of(value, (INPUT,)) for value in self.run[1:])

    @cached_property
    def stdin_tree(self) -> Template | None:
        """What it reads; `None` if nothing."""
        return None if self.stdin is None else template_of(self.stdin, (INPUT,))

    @cached_property
    def environment_trees(self) -> dict[str, Template]:
        """What the variables of its environment come to."""
        return {name: template_of(value, (INPUT, SECRETS)) for name, value in self.environment.items()}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that it needs."""
        return _secrets(tree for _, tree in self.trees())

    def trees(self) -> Iterator[tuple[Path, Template]]:
        """Every expression with its path."""
        yield from ((("run", n + 1), tree) for n, tree in enumerate(self.argument_trees))
        if self.stdin_tree is not None:
            yield ("stdin",), self.stdin_tree
        yield from ((("environment", name), tree) for name, tree in self.environment_trees.items())

    def error_of(self, status: int) -> str | None:
        """The error type of an exit status; `None` if it is none."""
        for error_type, statuses in self.errors.items():
            if status in statuses:
                return error_type
        return None if status in self.expect else f"Command.{status}"

    @model_validator(mode="after")
    def _consistent(self) -> Command:
        if self.timeout == 0:
            raise ValueError("timeout is 0s, so no command could ever finish.")
        _refuse_twice(self.errors, self.expect)
        return self


Connector: TypeAlias = Http | Command
DeclaredCommand = Annotated[Command, BeforeValidator(_run, json_schema_input_type=Command | tuple[Any, ...])]


def _secrets(trees: Iterator[Template]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for tree in trees for name in secrets_in(tree)))


def _refuse_twice(errors: Mapping[str, tuple[Any, ...]], expect: tuple[Any, ...]) -> None:
    seen: dict[Any, str] = dict.fromkeys(expect, "what is expected")
    for error_type, statuses in errors.items():
        for status in statuses:
            if status in seen and seen[status] != error_type:
                raise ValueError(f"status {status} is {seen[status]} and {error_type} as well. Keep one.")
            seen[status] = error_type


# Checks --------------------------------------------------------------------------------------------------

Report: TypeAlias = Callable[[Path, str], None]


def check_connector(
    path: Path,
    what: str,
    connector: Connector,
    inputs: Mapping[str, FieldType] | None,
    result: FieldType | None,
    report: Report,
) -> None:
    """Names that are read and not given, operations that can never work, and results that never fit."""
    shapes = {
        INPUT: Shape(ValueType.OBJECT, fields={name: one.shape for name, one in (inputs or {}).items()}),
        RESPONSE: _RESPONSE,
        SECRETS: ANYTHING,
    }
    for inner, tree in connector.trees():
        place = (*path, *inner)
        whose = f"{what}, {'.'.join(map(str, inner))}"
        if inputs is None and reads(tree, INPUT):
            report(place, f"{whose}: it reads its input, which is not declared. Add input: {{<name>: <type>, …}}.")
            continue
        for expression in expression_parts(tree):

            def complain(message: str, place: Path = place, whose: str = whose) -> None:
                report(place, f"{whose}: {message}.")

            shape = static_shape(expression, shapes, report=complain)
            if expression is not tree:
                continue
            if inner[0] in ("url", "headers", "run") and shape is not None and shape.kind not in _SCALAR:
                complain(f"a text, a number or a boolean stands here, and this is a {shape.kind.value}")
            if inner == ("result",) and result is not None and shape is not None:
                reason = never_fits(bare(result.shape), bare(shape))
                if reason is not None:
                    complain(reason)


_RESPONSE = Shape(
    ValueType.OBJECT,
    fields={
        "status": Shape(ValueType.INTEGER),
        "headers": Shape(ValueType.OBJECT),
        "body": plain(ValueType.ANY),
    },
)
"""What a result may read of an answer; a header is called by its name with _ in place of -, in small letters."""
