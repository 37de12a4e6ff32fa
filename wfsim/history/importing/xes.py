"""XES files, plain or packed by gzip, as batches of events: streamed, in bounded memory.

The format is that of IEEE 1849-2016 [1]_. A log may be of any size; a single event, and a value, has at most
`MAX_PIECE`
bytes, elements are nested at most `scan.MAX_DEPTH` deep, and there are at most `scan.MAX_NAMES` different keys.

References
----------
.. [1] IEEE Standard for eXtensible Event Stream (XES) for Achieving Interoperability in Event Logs and Event Streams.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, NoReturn
from xml.sax.saxutils import escape

from wfsim.errors import HistoryError
from wfsim.history import arrow
from wfsim.semantics.announcing import announce_compiling
from wfsim.semantics.codes import BOOLEAN, INTEGER, NUMBER, OBJECT, STRING

from . import scan
from .nested import nested_values
from .values import KEPT_TOO, MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

CHUNK = 4 * 2**20
MAX_PIECE = 64 * 2**20
_ROWS = 1 << 17
_GZIP = b"\x1f\x8b"
_TAGS = {
    scan.STRING_TAG: STRING,
    scan.DATE_TAG: STRING,
    scan.ID_TAG: STRING,
    scan.INT_TAG: INTEGER,
    scan.FLOAT_TAG: NUMBER,
    scan.BOOLEAN_TAG: BOOLEAN,
    scan.LIST_TAG: OBJECT,
    scan.CONTAINER_TAG: OBJECT,
}
_WRONG = {
    scan.NOT_XML: "here an XML document should begin with a tag",
    scan.CUT: "the file ends in the middle of {where}",
    scan.DOCTYPE: "a document type (DOCTYPE) is refused, since what it declares may be of any size or in other files",
    scan.TOO_DEEP: f"elements are nested deeper than {scan.MAX_DEPTH}",
    scan.TOO_MANY_NAMES: f"there are more than {scan.MAX_NAMES:,} different keys, or they are too long",
    scan.BAD_TAG: "this is no tag of XML",
    scan.BAD_ATTRIBUTE: 'this is no attribute of XML: give each as name="value"',
    scan.TWICE: "an attribute stands twice in one tag",
    scan.BAD_ENTITY: "only &amp;, &lt;, &gt;, &quot;, &apos; and numbered characters are read",
    scan.MISMATCH: "this end tag does not close the element that is open",
    scan.BAD_CHARACTER: "this control character may not stand in XML",
    scan.TRAILING: "something follows behind the end of the log",
}
_DECLARED = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass
class XesLog:
    """What an XES file says beside its events, filled as these are read.

    Attributes
    ----------
    keys
        Names of attributes, by the slots that values have.
    kinds
        Which types an attribute has: pairs of its slot and the number of the type's tag.
    traces
        Tables with the attributes of traces: `trace`, `place`, and the members of a value.
    n_traces, n_events
        How many there were.
    outside
        Events that stand in no trace.
    about
        Attributes of the log itself, as texts.
    """

    keys: list[str] = field(default_factory=list)
    kinds: set[tuple[int, int]] = field(default_factory=set)
    traces: list[pa.Table] = field(default_factory=list)
    n_traces: int = 0
    n_events: int = 0
    outside: int = 0
    about: dict[str, str] = field(default_factory=dict)

    def types(self) -> dict[str, str]:
        """Attributes that are always dates, or always ids; other types are told by the values."""
        kinds: dict[int, set[int]] = {}
        for slot, kind in self.kinds:
            kinds.setdefault(slot, set()).add(kind)
        return {
            self.keys[slot]: scan.KNOWN[kind]
            for slot, (kind, *more) in sorted((slot, sorted(all_of)) for slot, all_of in kinds.items())
            if not more and kind in (scan.DATE_TAG, scan.ID_TAG)
        }


def events_of(path: Path, lifted: Mapping[str, str], log: XesLog) -> Iterator[pa.Table]:
    """Tables of the events of a file, in its order.

    Parameters
    ----------
    lifted
        Keys of events that become columns of their own, with the names of these.
    log
        Takes up what else there is.

    Yields
    ------
    Table
        `trace` (from 1), `row` (of the event in the file, from 1), a column of texts for each lifted key, and
        `"values"`.

    Raises
    ------
    HistoryError
        With file and line: if this is no XML, or XML that is refused; if the packed data are broken; if a value is
        not of its type.
    """
    reader = _Reader(path, lifted, log)
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield from reader.read(unpacked)
        else:
            yield from reader.read(raw)


class _Reader:
    def __init__(self, path: Path, lifted: Mapping[str, str], log: XesLog) -> None:
        import numpy as np

        self._path = path
        self._lifted = lifted
        self._log = log
        self._data: NDArray[np.uint8] = np.zeros(2 * CHUNK, np.uint8)
        self._n = 0
        self._n_read = 0
        self._line = 1
        self._state = np.zeros(6, np.int64)
        self._stack = np.zeros((scan.MAX_DEPTH, 2), np.int64)
        self._rows = np.zeros((_ROWS, 6), np.int64)
        self._slots = np.zeros(scan.MAX_NAMES * 4, np.int64)
        self._ends = np.zeros(scan.MAX_NAMES + 3, np.int64)
        self._arena = np.zeros(scan.MAX_NAMES * 64, np.uint8)
        self._seen = np.zeros((32, 2), np.int64)
        for name in scan.KNOWN:
            self._number(name)
        self._columns = {column: self._number(key) for key, column in lifted.items()}
        self._raw_keys: list[str] = []
        self._slot_of: dict[int, int] = {}
        self._in_trace = 0

    def _number(self, name: str) -> int:
        """The number of a name, before the scanner meets it."""
        import numpy as np

        said = np.frombuffer(escape(name, {'"': "&quot;"}).encode(), np.uint8)
        given = (said, len(said), self._slots, self._ends, self._arena)
        return int(scan.ENTER(*given))

    # --- bytes -----------------------------------------------------------------------------------

    def read(self, file: IO[bytes] | gzip.GzipFile) -> Iterator[pa.Table]:
        decoder: Any = None
        while True:
            raw = self._next(file)
            if decoder is None:
                decoder, raw = self._decoder(raw)
            self._take(decoder(raw, not raw))
            yield from self._scanned(not raw)
            if not raw:
                return

    def _next(self, file: IO[bytes] | gzip.GzipFile) -> bytes:
        try:
            raw = file.read(CHUNK)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise HistoryError(
                f"{self._path}: the packed data are broken or cut off ({error}), after {self._n_read:,} bytes "
                f"of XML with "
                f"{self._log.n_events:,} whole events in {self._log.n_traces:,} traces. Nothing was imported: "
                "fetch the file again, or unpack what is left of it and close its tags."
            ) from None
        except OSError as error:
            raise HistoryError(f"{self._path}: cannot be read: {error.strerror or error}.") from None
        self._n_read += len(raw)
        return raw

    def _decoder(self, raw: bytes) -> tuple[Any, bytes]:
        """What makes UTF-8 of the file's bytes, and checks them; and the first bytes without their mark."""
        said = _DECLARED.match(raw[:200])
        encoding = said.group(1).decode("ascii") if said else "utf-8"
        for mark, name in _MARKS:
            if raw.startswith(mark):
                raw, encoding = raw[len(mark) :], name
                break
        try:
            decoder = codecs.getincrementaldecoder(encoding)()
        except LookupError:
            raise HistoryError(f"{self._path}: the encoding {encoding!r} is not known. Write it in UTF-8.") from None
        plain = codecs.lookup(encoding).name in ("utf-8", "ascii")

        def decode(part: bytes, last: bool) -> bytes:
            try:
                text = decoder.decode(part, last)
            except UnicodeDecodeError as error:
                raise HistoryError(
                    f"{self._path}: is not written in {encoding}, as byte "
                    f"{self._n_read - len(part) + error.start + 1:,} shows ({error.reason}). "
                    "Name the right encoding in its first line."
                ) from None
            return part if plain else text.encode()

        return decode, raw

    def _take(self, part: bytes) -> None:
        """Put bytes behind those that are not told of yet."""
        import numpy as np

        at, n = int(self._state[scan.AT]), self._n
        left = n - at
        if left > MAX_PIECE:
            raise HistoryError(
                f"{self._path}:{self._line}: what begins here goes on for more than {MAX_PIECE:,} bytes without "
                f"a whole "
                "event. No event may be that large."
            )
        self._line += int(np.count_nonzero(self._data[:at] == 10))
        room = self._data if left + len(part) <= len(self._data) else np.zeros(2 * (left + len(part)), np.uint8)
        room[:left] = self._data[at:n].copy()
        room[left : left + len(part)] = np.frombuffer(part, np.uint8)
        self._data, self._n = room, left + len(part)
        self._state[scan.AT] = 0

    # --- tags ------------------------------------------------------------------------------------

    def _scanned(self, last: bool) -> Iterator[pa.Table]:
        state = self._state
        while True:
            state[scan.FAULT] = scan.FINE
            given = (
                self._data,
                self._n,
                state,
                self._stack,
                self._rows,
                self._slots,
                self._ends,
                self._arena,
                self._seen,
            )
            found = scan.SCAN.ready(given, _announce)(*given)
            n_rows = int(state[scan.ROWS])
            if found not in (scan.FINE, scan.FULL):
                self._refuse(found, int(state[scan.FAULT_AT]))
            if found == scan.FULL and not n_rows:
                # One event has more tags than there are rows.
                import numpy as np

                if len(self._rows) > 2**24:
                    self._refuse(scan.CUT, int(state[scan.AT]))
                self._rows = np.zeros((2 * len(self._rows), 6), np.int64)
                continue
            if n_rows:
                table = self._batch(self._rows[:n_rows])
                if table is not None:
                    yield table
            if found != scan.FULL:
                break
        if last and (
            state[scan.DEEP] or not state[scan.STARTED] or bytes(self._data[int(state[scan.AT]) : self._n]).strip()
        ):
            self._refuse(scan.CUT if state[scan.STARTED] else scan.NOT_XML, self._n)

    def _refuse(self, what: int, at: int) -> NoReturn:
        import numpy as np

        line = self._line + int(np.count_nonzero(self._data[:at] == 10))
        begin = max(at, 0)
        near = bytes(self._data[begin : min(begin + 40, self._n)]).decode("utf-8", "replace").split("\n")[0]
        where = f"the log, after {self._log.n_events:,} whole events in {self._log.n_traces:,} traces"
        shown = f": {near!r}" if near else ""
        raise HistoryError(
            f"{self._path}:{line}: {_WRONG[what].format(where=where)}{shown}. Nothing was imported: mend the file, or "
            "write it again with the tool that made it."
        )

    def _key(self, number: int) -> str:
        while len(self._raw_keys) <= number:
            k = len(self._raw_keys)
            raw = bytes(self._arena[self._ends[k] : self._ends[k + 1]]).decode("utf-8")
            self._raw_keys.append(_unescaped(raw) if "&" in raw else raw)
        return self._raw_keys[number]

    # --- events ----------------------------------------------------------------------------------

    def _batch(self, rows: Numbers) -> pa.Table | None:
        import numpy as np

        log = self._log
        name, depth, key, flags = (rows[:, each] for each in (scan.NAME, scan.DEPTH, scan.KEY, scan.FLAGS))
        begins = flags & scan.END == 0
        is_trace = begins & (name == scan.TRACE) & (depth == 1)
        inside_trace = np.cumsum(is_trace) + log.n_traces
        # Behind a trace's end tag nothing belongs to it.
        ends_trace = ~begins & (name == scan.TRACE) & (depth == 1)
        is_event = begins & (name == scan.EVENT) & (depth == 2)
        log.outside += int(np.count_nonzero(begins & (name == scan.EVENT) & (depth == 1)))
        events = np.flatnonzero(is_event)
        of_event = np.cumsum(is_event) - 1
        ends_event = ~begins & (name == scan.EVENT) & (depth == 2)
        in_event = (np.cumsum(is_event & (flags & scan.CLOSED == 0)) - np.cumsum(ends_event)) > 0
        valued = begins & (name >= scan.STRING_TAG) & (name <= scan.CONTAINER_TAG)
        # Rows end where no event is open, but perhaps a trace.
        open_trace = self._in_trace + np.cumsum(is_trace & (flags & scan.CLOSED == 0)) - np.cumsum(ends_trace)
        in_trace = open_trace > 0
        self._in_trace = int(open_trace[-1])
        top = np.where(in_event, 3, 2)
        direct = np.flatnonzero(valued & in_trace & (depth == top) & ~is_event)
        self._expect_keys(rows, direct)
        nested = nested_values(self, rows, direct)
        of_log = np.flatnonzero(valued & (depth == 1))
        for at, value in zip(of_log.tolist(), self._texts(rows, of_log).to_pylist()):
            if rows[at, scan.KEY] >= 0:
                log.about[self._key(int(rows[at, scan.KEY]))] = value
        trace_rows = direct[~in_event[direct]]
        event_rows = direct[in_event[direct]]
        if len(trace_rows):
            log.traces.append(self._trace_values(rows, trace_rows, inside_trace[trace_rows], nested))
        first_row = log.n_events + 1
        log.n_traces += int(np.count_nonzero(is_trace))
        log.n_events += len(events)
        if not len(events):
            return None
        columns: dict[str, pa.Array] = {
            "trace": arrow.numbers(inside_trace[events].astype(np.int32)),
            "row": arrow.numbers(np.arange(first_row, first_row + len(events), dtype=np.int64)),
        }
        kept = np.ones(len(event_rows), np.bool_)
        for column, number in self._columns.items():
            mine = key[event_rows] == number
            if column not in KEPT_TOO:
                kept &= ~mine
            columns[column] = self._column(rows, event_rows[mine], of_event[event_rows[mine]], len(events))
        values = event_rows[kept]
        counts = np.bincount(of_event[values], minlength=len(events))
        bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        columns["values"] = arrow.lists(bounds, self._values(rows, values, nested), counts > 0)
        import pyarrow as pa

        return pa.table(columns)

    def _expect_keys(self, rows: Numbers, which: Numbers) -> None:
        lists = (rows[which, scan.NAME] == scan.LIST_TAG) | (rows[which, scan.NAME] == scan.CONTAINER_TAG)
        wrong = which[(rows[which, scan.KEY] < 0) | ((rows[which, scan.START] < 0) & ~lists)]
        if len(wrong):
            name = self._key(int(rows[wrong[0], scan.NAME]))
            at = int(rows[wrong[0], scan.START])
            raise HistoryError(
                f'{self._path}:{self._line_of(at)}: <{name}> needs a key and a value: <{name} key="…" value="…"/>.'
            )

    def _line_of(self, at: int) -> int:
        import numpy as np

        return self._line + int(np.count_nonzero(self._data[: max(at, 0)] == 10))

    def _texts(self, rows: Numbers, which: Numbers) -> pa.Array:
        """The values of some rows."""
        import numpy as np
        import pyarrow as pa

        which = np.ascontiguousarray(which, np.int64)
        offsets = np.zeros(len(which) + 1, np.int64)
        into = np.zeros(int(rows[which, scan.LENGTH].sum()) + 1, np.uint8)
        given = (self._data, self._rows, which, offsets, into)
        scan.GATHER(*given)
        buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(into)]
        return pa.Array.from_buffers(pa.string(), len(which), buffers)

    def _column(self, rows: Numbers, which: Numbers, of: Numbers, n: int) -> pa.Array:
        """A lifted attribute: one text for each event, null where it has none."""
        import numpy as np
        import pyarrow as pa

        if len(of) > 1 and (of[1:] == of[:-1]).any():
            twice = which[1:][of[1:] == of[:-1]][0]
            raise HistoryError(
                f"{self._path}:{self._line_of(int(rows[twice, scan.START]))}: an event has "
                f"{self._key(int(rows[twice, scan.KEY]))!r} twice. Which one counts? Remove the other."
            )
        found = self._texts(rows, which)
        if len(of) == n:
            return found
        places = np.zeros(n, np.int64)
        places[of] = np.arange(1, len(of) + 1)
        known = places > 0
        nulls = pa.py_buffer(np.packbits(known, bitorder="little"))
        lengths = np.zeros(n, np.int64)
        lengths[of] = np.diff(np.frombuffer(found.buffers()[1], np.int32)[: len(of) + 1])
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        return pa.Array.from_buffers(pa.string(), n, [nulls, pa.py_buffer(ends), found.buffers()[2]])

    def _trace_values(self, rows: Numbers, which: Numbers, traces: Numbers, nested: Mapping[int, str]) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        values = self._values(rows, which, nested)
        place = np.arange(len(which), dtype=np.int64)
        members = dict(zip((each.name for each in values.type), values.flatten()))
        return pa.table({"trace": arrow.numbers(traces.astype(np.int32)), "place": arrow.numbers(place), **members})

    def _values(self, rows: Numbers, which: Numbers, nested: Mapping[int, str]) -> pa.Array:
        """Values of attributes, as `records` holds them."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        n = len(which)
        kinds = rows[which, scan.NAME]
        texts = self._texts(rows, which)
        tags = np.array([_TAGS.get(k, STRING) for k in range(scan.VALUES_TAG + 1)], np.uint8)[kinds]
        whole, real = np.zeros(n, np.int64), np.zeros(n)
        for kind in (scan.INT_TAG, scan.BOOLEAN_TAG, scan.FLOAT_TAG):
            mine = np.flatnonzero(kinds == kind)
            if not len(mine):
                continue
            said = texts.take(arrow.numbers(mine))
            try:
                if kind == scan.FLOAT_TAG:
                    real[mine] = arrow.in_numpy(pc.cast(said, pa.float64()))
                elif kind == scan.INT_TAG:
                    whole[mine] = arrow.in_numpy(pc.cast(said, pa.int64()))
                else:
                    whole[mine] = arrow.in_numpy(pc.cast(said, pa.bool_()))
            except pa.ArrowInvalid:
                self._refuse_value(rows, which[mine], said.to_pylist(), kind)
        # What is no number in JSON stays the text it was.
        odd = np.flatnonzero((tags == NUMBER) & ~np.isfinite(real))
        tags[odd] = STRING
        told = [nested.get(at) for at in which.tolist()] if nested else []
        if any(each is not None for each in told):
            texts = arrow.texts([text if new is None else new for text, new in zip(texts.to_pylist(), told)])
            tags[[place for place, each in enumerate(told) if each is not None]] = OBJECT
        members = {
            "slot": arrow.numbers(self._slots_of(rows[which, scan.KEY], kinds)),
            "tag": arrow.numbers(tags),
            "whole": arrow.numbers(whole, (tags == INTEGER) | (tags == BOOLEAN)),
            "real": arrow.numbers(real, tags == NUMBER),
            "text": _only(texts, (tags == STRING) | (tags == OBJECT)),
        }
        kind = pa.struct([(name, members[name].type) for name in MEMBERS])
        return pa.Array.from_buffers(kind, n, [None], children=[members[name] for name in MEMBERS])

    def _slots_of(self, keys: Numbers, kinds: Numbers) -> NDArray[np.int32]:
        """The slots of attributes, by the numbers of their keys."""
        import numpy as np

        table = np.zeros(int(self._ends[-1]) + 1, np.int32)
        for number in np.unique(keys).tolist():
            if number not in self._slot_of:
                self._slot_of[number] = len(self._log.keys)
                self._log.keys.append(self._key(number))
            table[number] = self._slot_of[number]
        for pair in np.unique(keys * len(scan.KNOWN) + kinds).tolist():
            number, kind = divmod(pair, len(scan.KNOWN))
            self._log.kinds.add((self._slot_of[number], kind))
        return table[keys]

    def _refuse_value(self, rows: Numbers, which: Numbers, said: Sequence[str], kind: int) -> NoReturn:
        import pyarrow as pa
        import pyarrow.compute as pc

        types = {scan.INT_TAG: pa.int64(), scan.FLOAT_TAG: pa.float64(), scan.BOOLEAN_TAG: pa.bool_()}
        for at, text in zip(which.tolist(), said):
            try:
                pc.cast(arrow.texts([text]), types[kind])
            except pa.ArrowInvalid:
                key = self._key(int(rows[at, scan.KEY]))
                raise HistoryError(
                    f"{self._path}:{self._line_of(int(rows[at, scan.START]))}: {key!r} is of type "
                    f"{scan.KNOWN[kind]!r}, and {text!r} is none. Mend the value, or make it a string."
                ) from None
        raise AssertionError("one of them was refused")

    def text_at(self, at: int) -> str:
        """The value of one row."""
        import numpy as np

        return str(self._texts(self._rows, np.array([at]))[0].as_py())

    def key_at(self, at: int) -> str:
        """The key of one row."""
        return self._key(int(self._rows[at, scan.KEY]))


def _announce() -> None:
    announce_compiling("the reader of XES", "ten seconds")


def _only(texts: pa.Array, known: NDArray[np.bool_]) -> pa.Array:
    """Texts with nulls where they are not known."""
    import numpy as np
    import pyarrow as pa

    nulls = pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(texts), [nulls, *texts.buffers()[1:]])


def _unescaped(raw: str) -> str:
    from html import unescape

    return unescape(raw)
