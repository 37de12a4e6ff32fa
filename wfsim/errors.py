"""The errors of wfsim: each says what is wrong, where, with which values, and what to do next."""

from __future__ import annotations

import difflib
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def did_you_mean(name: object, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """`" Did you mean 'paid'?"` if one of the known names is near (0: any, 1: the same), else the empty string."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=cutoff)
    return f" Did you mean {near[0]!r}?" if near else ""


def visible(text: str) -> str:
    """The text with every control character but line feed and tab escaped: no name may steer a terminal.

    >>> visible("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign in "\n\t" or unicodedata.category(sign) not in _STEERING else repr(sign)[1:-1] for sign in text
    )


# Control characters, surrogates, and those that turn the direction of a line.
_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")


def listed(known: Iterable[str], longest: int = 20) -> str:
    """The known names in their order, for an error text; a long list is cut."""
    names = list(known)
    return ", ".join(names[:longest]) + (f", … ({len(names)} in all)" if len(names) > longest else "")


class WfsimError(Exception):
    """Base of every error that wfsim raises on purpose."""

    def __str__(self) -> str:
        return visible(super().__str__())


class DefinitionError(WfsimError):
    """A workflow definition cannot be read; the text names file, line, value and the allowed ones.

    `problems` lists every defect found as `(file, line, message)`; either may be `None`. `codes` says of each which key
    it is about, as `docs/keys.md` has it: `transitions[].to`; else `workflow` (all of it), `file`, or `expression`.
    """

    def __init__(
        self, message: str, problems: Sequence[tuple[str | None, int | None, str]] = (), codes: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.codes: list[str] = list(codes) or ["file"] * max(len(problems), 1)
        self.problems: list[tuple[str | None, int | None, str]] = list(problems) or [(None, None, message)]


class ExpressionError(DefinitionError):
    """An expression in a definition is not in the allowed language, or refers to something unknown.

    `text` is the expression, `column` (from 1) the place in it.
    """

    def __init__(self, message: str, *, text: str | None = None, column: int | None = None) -> None:
        super().__init__(message, codes=["expression"])
        self.text = text
        self.column = column


class FunctionError(WfsimError):
    """A function in Python that a workflow calls was not given, or does not give one answer for the same arguments."""


class CatalogueError(WfsimError):
    """A catalogue lacks a workflow or a version that is asked for, or holds two under one name and version."""


class ScenarioError(WfsimError):
    """A scenario cannot be read, or does not fit the workflow it is meant for."""


class SimulationError(WfsimError):
    """A run of a simulation cannot be kept, or gone on with."""


class NotCovered(WfsimError):
    """The construct is part of the language, but this tool cannot treat it yet; the text says which."""


class NetError(WfsimError):
    """A Petri net is built, read, written or fired wrongly; the text names the nodes concerned."""


class ColouredNet(NetError, NotCovered):
    """A net with coloured tokens, of which only the form with plain ones can be read."""


class UnknownNode(NetError, KeyError):
    """A name is neither a place nor a net transition of the net; the text offers the nearest ones."""

    def __str__(self) -> str:
        # KeyError would show the repr of its argument.
        return visible(str(self.args[0])) if self.args else ""


class OptionError(WfsimError, ValueError):
    """An option has a value that it cannot have; the text says which there are."""


class VerdictUnknown(WfsimError):
    """A verdict that is `unknown` or `error` was used as a truth value."""


class SearchIncomplete(WfsimError):
    """A question needs every reachable marking, but the search stopped before it had them all."""


class DrawingError(WfsimError):
    """A picture cannot be drawn: it contradicts itself, or is too large to be read."""


class StartRefused(WfsimError):
    """An instance cannot be started: bad input, or its key is taken (M7.2)."""


class InstanceExists(StartRefused):
    """An instance cannot be started under an id that another one has."""


class CorrelationTaken(StartRefused):
    """An instance cannot be started: an open one of its workflow has its correlation key (M7.2)."""


class HistoryError(WfsimError):
    """A history cannot be written, opened or questioned; the text names the file, run or query."""


class NothingToDraw(HistoryError):
    """Of what a figure shows, a history has nothing: no such rows, or a log level that keeps none."""


class ConflictError(HistoryError):
    """An append expected another version than the store holds (M11.1); nothing was written.

    `expected` and `stored` are the two versions: `seq` of the last record each side knows.
    """

    def __init__(self, message: str, *, expected: int, stored: int) -> None:
        super().__init__(message)
        self.expected = expected
        self.stored = stored


class ReplayError(HistoryError):
    """Replaying a case gave other records than its history holds, or its history is not full (M11.2).

    `seq` is the first record that differs; `expected` is what the history holds, `got` what `step` gave.
    """

    def __init__(self, message: str, *, seq: int | None = None, expected: object = None, got: object = None) -> None:
        super().__init__(message)
        self.seq = seq
        self.expected = expected
        self.got = got


class EventRejected(WfsimError):
    """Nobody took an event, or it was turned away at the door; its sender is told so (M7.1).

    `reason` is `no_transition`, `condition`, `max_deferred`, `undeclared`, `payload`, `closed`, or `duplicate` if that
    happened to the first event with this id.
    """

    def __init__(self, message: str, *, event: str, reason: str) -> None:
        super().__init__(message)
        self.event = event
        self.reason = reason


class ActivityError(WfsimError):
    """Raised by an activity to fail with an error type of its own choice (M5.2).

    Retry policies and transitions on `error` see `error_type`; dots make families: `Card.Declined`. `retry_after` is
    the wait before the next attempt, if there is one, in seconds, in place of what the policy says (M5.1).
    """

    def __init__(self, error_type: str, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message or error_type)
        if retry_after is not None and not 0 <= retry_after <= 3_200_000_000:
            raise ValueError(f"retry_after is {retry_after!r}. Give seconds from 0 to 3,200,000,000, a hundred years.")
        self.error_type = error_type
        self.retry_after = None if retry_after is None else round(retry_after * 1_000_000)


class EngineError(WfsimError):
    """An engine cannot do what it was asked: its database, an instance or a definition is not as it must be."""


class PluginError(WfsimError):
    """What another package adds cannot be loaded, is no function, or fails; the text names both."""


class UnknownInstance(EngineError):
    """There is no instance of the id that was asked for."""


class UnknownExecution(EngineError):
    """There is no attempt of the correlation id that was asked for."""


class UnknownWorkflow(EngineError):
    """No workflow is published under the name, or in the version, that was asked for."""


class UnknownWebhook(EngineError):
    """There is no webhook of the id that was asked for."""


class WebhookRefused(WfsimError):
    """What came is not a webhook that an engine has just sent.

    `reason` is `headers` (they are not there), `signature` (forged, or changed on its way), `time` (recorded and sent
    again, or a clock is wrong), `seen` (worked off before) or `body`.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class DefinitionTaken(EngineError):
    """A name and version is published with another definition."""


class ServiceError(WfsimError):
    """A service does not do what it was asked: by whom, how often or in which form, says `code`.

    `status` is that of HTTP, `code` one of `unauthenticated`, `forbidden`, `not_found`, `method_not_allowed`,
    `bad_request`, `invalid`, `too_large`, `too_slow`, `too_many_requests`, `quota`, `key_reused`, `catching_up`,
    `internal`, `unreachable`.
    """

    def __init__(self, message: str, *, status: int, code: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class RunStopped(WfsimError):
    """This object no longer drives its instance: it was closed, or it could not write to its store."""


class WaitTimeout(WfsimError, TimeoutError):
    """What was waited for did not happen in time, or cannot happen any more; the text says where it stands."""
