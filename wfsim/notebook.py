"""Questions to a history as cells of a notebook: `%load_ext wfsim`, then `%%wfsql`. docs/history.md describes it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand

from wfsim.errors import HistoryError, did_you_mean, listed
from wfsim.history.history import History

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell


_FORMS = ("df", "arrow", "pl")
_LIMITS = {"rows": "max_rows", "seconds": "max_seconds"}
_OPTION = re.compile(r"--(\w+)")
_NUMBER = re.compile(r"[ \t=]+(\d[\d_]*)\b")
_INTO = re.compile(r"([^\W\d]\w*)\s*<<")
_WORD = re.compile(r"[^\W\d]\w*")
# What is no place for a parameter: texts, quoted names, comments; then what is one, in any of three spellings.
_PLACES = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$
    | \{\{(?P<braces>.*?)\}\} | \$(?P<dollar>[^\W\d]\w*) | (?P<bracket>[\[\]{}])
    | :: | (?<![\w"')]):(?P<colon>[^\W\d]\w*)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class _Cell:
    """A question as it stands in a notebook.

    Attributes
    ----------
    history
        The variable that holds the history, empty if none is named.
    into
        The variable that takes the answer, empty if it is shown.
    form
        A method of the answer, empty for the answer itself.
    """

    text: str
    history: str = ""
    into: str = ""
    form: str = ""
    limits: Mapping[str, int] = field(default_factory=dict)


@magics_class
class Questions(Magics):
    """The magic `wfsql`; it remembers which history was asked last by name."""

    _history = ""

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def wfsql(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Ask a history: `%wfsql FROM dfg`, or `%%wfsql [history] [name <<] [--df | --arrow | --pl]` and SQL below it.

        The history is a variable that holds one (or a run); once named it is asked by the next questions too, and where
        there is only one it need not be named. `name <<` puts the answer into a variable in place of showing it.
        `:limit`, `{{limit}}` and `$limit` are the values of variables: they are bound, never pasted into the text. In
        brackets, where a colon is SQL's own, write one of the others. `--rows` and `--seconds` are the limits of
        `History.sql`.

        Raises
        ------
        UsageError
            With one line or two, whatever is wrong.
        """
        assert self.shell is not None
        names = {**self.shell.user_ns, **(local_ns or {})}
        asked = _read(line, cell, names)
        self._history = asked.history or self._history
        history = _history(names, self._history)
        if not asked.text:
            if not asked.history:
                raise UsageError("There is no question. Write SQL: %wfsql FROM dfg LIMIT 5")
            return None
        try:
            answer = _answer(history, asked, names)
        except HistoryError as error:
            # A cell that names its history need not be told the file.
            raise UsageError(str(error).removeprefix(f"{history.path}: ")) from None
        if not asked.into:
            return answer
        self.shell.user_ns[asked.into] = answer
        return None


def load(shell: InteractiveShell) -> None:
    """Let a shell know `%wfsql` and `%%wfsql`."""
    shell.register_magics(Questions)


def _read(line: str, cell: str | None, names: Mapping[str, Any]) -> _Cell:
    """What stands before the SQL, and the SQL."""
    rest, below = line.strip(), (cell or "").strip()
    history = into = form = ""
    limits: dict[str, int] = {}
    while rest:
        if found := _OPTION.match(rest):
            word = found[1]
            if word in _LIMITS and (number := _NUMBER.match(rest, found.end())):
                limits[_LIMITS[word]] = int(number[1])
                found = number
            elif word in _FORMS and not form:
                form = word
            else:
                raise _no_option(word, form)
        elif found := _INTO.match(rest):
            into = found[1]
        elif not history and (found := _WORD.match(rest)) and _is_history(names.get(found[0])):
            history = found[0]
        else:
            break
        rest = rest[found.end() :].strip()
    if below and _WORD.fullmatch(rest):
        raise UsageError(f"{rest!r} is no history.{_told(names, rest)}")
    # As in JupySQL, the name may also stand above the question.
    if not rest and not into and (found := _INTO.match(below)):
        into, below = found[1], below[found.end() :].strip()
    return _Cell(f"{rest}\n{below}".strip(), history, into, form, limits)


def _no_option(word: str, form: str) -> UsageError:
    known = [*_FORMS, *_LIMITS]
    if word in _LIMITS:
        return UsageError(f"--{word} needs a whole number: --{word} 1000")
    if word in _FORMS:
        return UsageError(f"An answer has one form; --{form} and --{word} are two.")
    options = ", ".join(f"--{each}" for each in known)
    return UsageError(f"There is no option --{word}. Options: {options}.{did_you_mean(word, known)}")


def _is_history(value: object) -> bool:
    # Who holds a run has imported it.
    runs = sys.modules.get("wfsim.runtime.handle")
    return isinstance(value, History) or (runs is not None and isinstance(value, runs.Run))


def _history(names: Mapping[str, Any], name: str) -> History:
    known = _histories(names)
    if not name and len(known) == 1:
        name = known[0]
    value = names.get(name)
    if value is None or not _is_history(value):
        which = f"{name!r}, which was asked last, is no history any more" if name else "Say which history is asked"
        raise UsageError(f"{which}: %wfsql <its name>.{_told(names, name)}")
    found: History = value if isinstance(value, History) else value.history
    return found


def _histories(names: Mapping[str, Any]) -> list[str]:
    return [name for name, value in names.items() if not name.startswith("_") and _is_history(value)]


def _told(names: Mapping[str, Any], name: str) -> str:
    known = _histories(names)
    if not known:
        return " There is none yet: history = wf.open_history(path)."
    return f" Histories: {listed(known)}.{did_you_mean(name, known)}"


def _answer(history: History, asked: _Cell, names: Mapping[str, Any]) -> Any:
    text, used = _bound(asked.text)
    for name in used:
        if name not in names:
            raise UsageError(
                f"There is no variable {name!r} to take the parameter from.{did_you_mean(name, list(names))}"
            )
    answer = history.sql(text, {name: names[name] for name in used} or None, **asked.limits)
    return getattr(answer, asked.form)() if asked.form else answer


def _bound(text: str) -> tuple[str, list[str]]:
    """The text with every parameter as DuckDB writes it, and their names."""
    used: dict[str, None] = {}
    depth = 0

    def bind(place: re.Match[str]) -> str:
        nonlocal depth
        if place["bracket"]:
            depth += 1 if place["bracket"] in "[{" else -1
            return place[0]
        name = place["braces"].strip() if place["braces"] is not None else place["dollar"]
        if place["colon"] and not depth:
            name = place["colon"]
        if name is None:
            return place[0]
        if not _WORD.fullmatch(name):
            raise UsageError(f"{{{{{name}}}}} is no variable. Compute it in Python before, and write its name here.")
        used[name] = None
        return f"${name}"

    return _PLACES.sub(bind, text), list(used)
