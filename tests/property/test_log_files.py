"""Event logs: out and in again they are the same, and what is no XML is refused wherever expat refuses it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

import wfsim as wf
from tests.random_cases import cases
from wfsim.errors import HistoryError
from wfsim.history.importing.xes import XesLog, events_of

_SIGNS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
NAMES = st.text(_SIGNS, min_size=1, max_size=6)
VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | NAMES
)
MICROSECONDS = st.integers(-(10**15), 4 * 10**15)


@st.composite
def logs(draw: st.DrawFn) -> pa.Table:
    """Rows of a log whose columns have one type each."""
    n = draw(st.integers(1, 12))
    rows: dict[str, Any] = {
        "case:concept:name": draw(st.lists(st.sampled_from(["x", "y", "ä&<\"'"]), min_size=n, max_size=n)),
        "concept:name": draw(st.lists(NAMES, min_size=n, max_size=n)),
        "time:timestamp": pa.array(draw(st.lists(MICROSECONDS, min_size=n, max_size=n)), pa.timestamp("us", tz="UTC")),
        "org:resource": pa.array(draw(st.lists(st.none() | NAMES, min_size=n, max_size=n)), pa.string()),
    }
    for name, kind, values in (
        ("whole", pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        ("real", pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
        ("yes", pa.bool_(), st.booleans()),
        ("text", pa.string(), NAMES),
        ("case:of", pa.string(), NAMES),
    ):
        rows[name] = pa.array(draw(st.lists(st.none() | values, min_size=n, max_size=n)), kind)
    lives = st.sampled_from(["start", "complete", "schedule", "suspend", "odd"])
    if draw(st.booleans()):
        rows["lifecycle:transition"] = draw(st.lists(lives, min_size=n, max_size=n))
    return pa.table(rows)


@cases(6)
@given(logs(), st.sampled_from(["xes", "xes.gz", "parquet"]))
def test_a_log_that_goes_out_and_comes_in_again_is_the_same(table: pa.Table, form: str) -> None:
    with tempfile.TemporaryDirectory() as folder, wf.read_log(table) as history:
        path = Path(folder) / f"log.{form}"
        log = history.log()
        (log.to_parquet if form == "parquet" else log.to_xes)(path)
        with wf.read_log(path, name="log") as again:
            assert again.digest == history.digest


@cases(6)
@given(logs())
def test_records_of_an_imported_log_follow_one_another(table: pa.Table) -> None:
    with wf.read_log(table) as history:
        assert history.sql('SELECT "case" FROM records GROUP BY "case" HAVING max(seq) <> count(*)').fetchall() == []
        times = history.sql('SELECT "case", time FROM records ORDER BY run, "case", seq').fetchall()
        assert times == sorted(times)
        lasts = history.sql("SELECT count(*) FILTER (is_last) FROM records").fetchall()
        assert lasts == history.sql("SELECT count(*) FROM cases").fetchall()
        # Stays and attempts are told by the records, and the steps are the log's.
        assert history.sql("SELECT min(dwell) >= 0 OR min(dwell) IS NULL FROM stays").fetchall() == [(True,)]
        assert len(history.log()) == len(table)


PIECES = st.sampled_from(
    """<a> </a> <event> </event> <trace> </trace> <a/> <a|b='1'> <!--|c|--> <!--|c|--|d|--> <?p|q?>
    <![CDATA[<a>]]> &no; &#65; &#x41; &#x0; & text | < > " ' = / <a|b=1> <a|b='<'> <a|b='&lt;'>
    <a|b="1"c="2"> <a|b='1'|b='2'> <a|b|=|'1'|> </a|> </|a> <|a> <a:b> </a:b> <é> </é> <-a> <a /> <! <? <!D
    --> <string|key="k"|value="v"/>""".replace("\n", " ").split()
).map(lambda piece: piece.replace("|", " "))


def refused_by_expat(data: bytes) -> bool:
    try:
        expat.ParserCreate().Parse(data, True)
    except expat.ExpatError:
        return True
    return False


@cases(400)
@given(st.lists(PIECES, max_size=9).map("".join), st.booleans())
@example("<a b='1' b='2'/>", False)
@example("&", True)
@example("</a></log><a>", True)
def test_what_expat_refuses_is_refused(text: str, within: bool) -> None:
    text = f"<log>{text}</log>" if within else text
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.xes"
        path.write_text(text, encoding="utf-8")
        try:
            list(events_of(path, {}, XesLog()))
        except HistoryError as error:
            refused = "needs a key and a value" not in str(error)
        else:
            refused = False
    # A text may hold what closes CDATA here, as it is passed over; nothing else may differ.
    assert refused == refused_by_expat(text.encode())
