"""A log of events as an XES file, streamed."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from wfsim.errors import HistoryError
from wfsim.semantics.codes import BOOLEAN, INTEGER, NUMBER, OBJECT

from .importing.values import ORIGINAL_TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849-2016" xes.features="nested-attributes" xmlns="http://www.xes-standard.org/">
\t<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
\t<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
\t<extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
\t<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
\t<classifier name="Activity" keys="concept:name"/>
"""
_START = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = {INTEGER: "int", NUMBER: "float", BOOLEAN: "boolean"}
_FORBIDDEN = {code: None for code in range(32) if code not in (9, 10, 13)}


def write_xes(
    path: Path,
    cases: pa.Table,
    events: Iterable[pa.RecordBatch],
    names: Sequence[str],
    types: Mapping[str, str],
    about: Mapping[str, str],
) -> None:
    """Write a log; nothing is at `path` before all of it is.

    Parameters
    ----------
    cases
        `run`, `"case"`, `name`, `of_case` (values), in the order of the events.
    events
        Batches of `run`, `"case"`, `time`, `activity`, `lifecycle`, `resource`, `event_id`, `"values"`.
    names
        Of slots.
    types
        Attributes that are `date` or `id`.
    about
        Attributes of the log.

    Raises
    ------
    HistoryError
        If it cannot be written, or a text holds a character that XML has not.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as raw:
            if path.name.endswith(".gz"):
                with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed:
                    _Writer(packed, path, names, types).write(cases, events, about)
            else:
                _Writer(raw, path, names, types).write(cases, events, about)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise HistoryError(
            f"{path}: cannot be written: {error.strerror or error}. Is there room, and a folder?"
        ) from None
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


class _Writer:
    def __init__(
        self, file: IO[bytes] | gzip.GzipFile, path: Path, names: Sequence[str], types: Mapping[str, str]
    ) -> None:
        self._file = file
        self._path = path
        self._names = names
        self._types = types

    def write(self, cases: pa.Table, events: Iterable[pa.RecordBatch], about: Mapping[str, str]) -> None:
        lines = [_HEAD]
        lines += [self._attribute("\t", "string", key, value) for key, value in about.items()]
        told = zip(*(cases[name].to_pylist() for name in ("run", "case", "name", "of_case")))
        current: tuple[int, int] | None = None
        for event in _rows(events):
            place = (event["run"], event["case"])
            while place != current:
                if current is not None:
                    lines.append("\t</trace>\n")
                run, case, name, values = next(told)
                current = (run, case)
                lines.append("\t<trace>\n" + self._attribute("\t\t", "string", "concept:name", name))
                lines += self._values("\t\t", values or ())
            lines.append(self._event(event))
            if len(lines) > 10_000:
                self._put(lines)
        if current is not None:
            lines.append("\t</trace>\n")
        for _, _, name, values in told:
            lines.append("\t<trace>\n" + self._attribute("\t\t", "string", "concept:name", name))
            lines += [*self._values("\t\t", values or ()), "\t</trace>\n"]
        lines.append("</log>\n")
        self._put(lines)

    def _put(self, lines: list[str]) -> None:
        text = "".join(lines)
        if text.translate(_FORBIDDEN) != text:
            raise HistoryError(
                f"{self._path}: a name or an attribute holds a control character, which XML has not. Write CSV "
                f"or Parquet."
            )
        self._file.write(text.encode("utf-8", "replace"))
        lines.clear()

    def _event(self, event: Mapping[str, Any]) -> str:
        own = [
            "\t\t<event>\n",
            self._attribute("\t\t\t", "string", "concept:name", event["activity"]),
            self._attribute("\t\t\t", "date", "time:timestamp", _iso(event["time"])),
        ]
        values = event["values"] or ()
        if event["lifecycle"] is not None and all(self._names[v["slot"]] != "lifecycle:transition" for v in values):
            own.append(self._attribute("\t\t\t", "string", "lifecycle:transition", event["lifecycle"]))
        if event["resource"] is not None:
            own.append(self._attribute("\t\t\t", "string", "org:resource", event["resource"]))
        if event["event_id"] is not None:
            own.append(self._attribute("\t\t\t", "id", "identity:id", event["event_id"]))
        return "".join((*own, *self._values("\t\t\t", values), "\t\t</event>\n"))

    def _values(self, indent: str, values: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        for value in values:
            name = self._names[value["slot"]]
            if name == ORIGINAL_TIME:
                continue
            tag = value["tag"]
            if tag == OBJECT:
                yield self._nested(indent, json.loads(value["text"]))
            elif tag == NUMBER:
                yield self._attribute(indent, "float", name, repr(value["real"]))
            elif tag == BOOLEAN:
                yield self._attribute(indent, "boolean", name, "true" if value["whole"] else "false")
            elif tag == INTEGER:
                yield self._attribute(indent, "int", name, str(value["whole"]))
            else:
                yield self._attribute(indent, self._types.get(name, "string"), name, value["text"] or "")

    def _nested(self, indent: str, said: Mapping[str, Any]) -> str:
        kind = said.get("type", "string")
        head = f"{indent}<{kind}"
        if "key" in said:
            head += f" key={_quoted(said['key'])}"
        if "value" in said:
            head += f" value={_quoted(said['value'])}"
        if "children" not in said:
            return head + "/>\n"
        within = "".join(self._nested(indent + "\t", child) for child in said["children"])
        return f"{head}>\n{within}{indent}</{kind}>\n"

    def _attribute(self, indent: str, kind: str, key: str, value: str) -> str:
        return f"{indent}<{kind} key={_quoted(key)} value={_quoted(value)}/>\n"


def _quoted(text: str) -> str:
    # Line ends and tabs would be spaces when they are read again.
    return quoteattr(text)


def _iso(time: int) -> str:
    return (_START + timedelta(microseconds=time)).isoformat(timespec="microseconds")


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()
