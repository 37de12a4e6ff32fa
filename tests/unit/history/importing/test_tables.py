"""Logs as tables: which column is what, what is wrong with rows, and what they come to."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import wfsim as wf
from wfsim.errors import HistoryError, NothingToDraw, OptionError

ORDERS = """order_id,step,at,who,price,case:country
a,receive,2026-01-01T09:00:00Z,Ann,10,DE
b,receive,2026-01-01T09:30:00Z,Ann,7,FR
a,check,2026-01-01T10:00:00Z,Bob,,DE
a,ship,2026-01-01T12:00:00Z,,2.5,DE
b,refuse,2026-01-01T09:45:00Z,Bob,,FR
"""
COLUMNS: dict[str, Any] = {"case": "order_id", "activity": "step", "time": "at", "resource": "who"}


def log(folder: Path, text: str = ORDERS, **options: Any) -> wf.History:
    path = folder / "orders.csv"
    path.write_text(text)
    return wf.read_log(path, **{**COLUMNS, **options})


def edges(history: wf.History) -> list[tuple[Any, ...]]:
    return history.sql("SELECT from_state, to_state, n, total_dwell // 60_000_000 FROM dfg ORDER BY ALL").fetchall()


def counted(history: wf.History) -> dict[str, int]:
    assert history.imported is not None
    return {each.name: each.count for each in history.imported.repairs}


def test_a_csv_file_has_the_edges_and_paths_that_its_rows_tell(tmp_path: Path) -> None:
    history = log(tmp_path)
    assert edges(history) == [("check", "ship", 1, 120), ("receive", "check", 1, 60), ("receive", "refuse", 1, 15)]
    assert history.sql("SELECT states, cases FROM variants ORDER BY ALL").fetchall() == [
        (["receive", "check", "ship"], 1),
        (["receive", "refuse"], 1),
    ]
    assert history.counts == {"completed": 2}
    durations = history.sql('SELECT external_id, duration // 60_000_000, final_state FROM durations ORDER BY "case"')
    assert durations.fetchall() == [("a", 180, "ship"), ("b", 15, "refuse")]
    assert not counted(history)


def test_attributes_of_events_and_of_cases_can_be_asked(tmp_path: Path) -> None:
    history = log(tmp_path)
    events = history.sql("SELECT activity, resource, attributes->>'$.price' FROM log_events WHERE external_id = 'a'")
    assert events.fetchall() == [("receive", "Ann", "10.0"), ("check", "Bob", None), ("ship", None, "2.5")]
    cases = history.sql("SELECT payload->>'$.input.country' FROM history WHERE kind = 'started' ORDER BY \"case\"")
    assert cases.fetchall() == [("DE",), ("FR",)]


def test_every_view_and_the_summary_work_without_a_definition(tmp_path: Path) -> None:
    history = log(tmp_path)
    views = [name for (name,) in history.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
    for name in views:
        history.sql(f"FROM {name}").fetchall()
    assert history.sql("FROM occupancy(3_600_000_000)").fetchall()
    assert "2" in str(history.summary())
    assert len(history.between(None, "2026-01-01T09:40:00Z")) < len(history)
    assert history.digest


def test_what_needs_a_definition_says_that_there_is_none(tmp_path: Path) -> None:
    history = log(tmp_path)
    with pytest.raises(HistoryError, match="imported from a log, so there is no definition"):
        history.case("a").replay()
    with pytest.raises(NothingToDraw, match="imported from a log, so there is no definition"):
        wf.hot_paths(history).map()


def test_the_order_in_a_case_is_that_of_the_file_unless_time_is_asked_for(tmp_path: Path) -> None:
    text = "case,activity,time\nx,one,2026-01-01T10:00Z\nx,two,2026-01-01T09:00Z\n"
    path = tmp_path / "log.csv"
    path.write_text(text)
    history = wf.read_log(path)
    assert edges(history) == [("one", "two", 1, 0)]
    assert counted(history) == {"lift_time": 1}
    kept = history.sql("SELECT attributes->>'$.\"time:timestamp\"' FROM log_events WHERE activity = 'two'").fetchall()
    assert kept == [("2026-01-01T09:00:00.000000+00:00",)]
    assert edges(wf.read_log(path, order="time")) == [("two", "one", 1, 60)]
    with pytest.raises(HistoryError, match=r"(?s)1 events are earlier .*\(row 2\).*repair='lift_time'"):
        wf.read_log(path, repair="utc")


@pytest.mark.parametrize(
    ("row", "refused", "repairs"),
    [
        (",check,2026-01-01T10:00:00Z,Bob,1,DE", r"no activity, or no case \(row 6\)", {"drop_unnamed": 1}),
        ("a,,2026-01-01T10:00:00Z,Bob,1,DE", r"no activity, or no case \(row 6\)", {"drop_unnamed": 1}),
        ("a,check,,Bob,1,DE", r"1 events have no time \(row 6\)", {"drop_untimed": 1}),
        ("a,check,,Bob,1,DE", r"1 events have no time \(row 6\)", {"previous_time": 1}),
    ],
)
def test_what_is_missing_is_refused_with_its_row_or_mended_and_counted(
    tmp_path: Path, row: str, refused: str, repairs: dict[str, int]
) -> None:
    with pytest.raises(HistoryError, match=refused):
        log(tmp_path, ORDERS + row + "\n")
    history = log(tmp_path, ORDERS + row + "\n", repair=list(repairs))
    assert counted(history) == repairs
    assert history.notes
    assert len(history.log()) == 5 + ("previous_time" in repairs)


def test_a_first_event_without_a_time_has_none_to_take(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"nor has one before them in their case \(row 6\)"):
        log(tmp_path, ORDERS + "c,receive,,Bob,1,DE\n", repair="previous_time")


def test_times_that_cannot_be_read_are_told_with_their_text_and_row(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"(?s)1 times cannot be read, the first is 'soon' \(row 6\).*time_format="):
        log(tmp_path, ORDERS + "a,check,soon,Bob,1,DE\n")


def test_times_are_read_in_the_format_and_zone_that_are_told(tmp_path: Path) -> None:
    text = "case,activity,time\nx,a,01.07.2026 12:00\nx,b,01.12.2026 12:00\n"
    history = log(
        tmp_path, text, case=None, activity=None, time=None, resource=None, time_format="%d.%m.%Y %H:%M",
        time_zone="Europe/Berlin",
    )  # fmt: skip
    (first, last) = history.sql("SELECT time FROM log_events").fetchall()
    assert pd.Timestamp(first[0], unit="us").isoformat() == "2026-07-01T10:00:00"
    assert pd.Timestamp(last[0], unit="us").isoformat() == "2026-12-01T11:00:00"
    numbers = pa.table({"case": ["x", "x"], "activity": ["a", "b"], "time": [1, 3]})
    times = wf.read_log(numbers, time_format="s").sql("SELECT time FROM log_events").fetchall()
    assert times == [(1_000_000,), (3_000_000,)]
    with pytest.raises(HistoryError, match="type BIGINT, which says no time"):
        wf.read_log(numbers)


def test_times_without_a_zone_are_utc_and_counted_or_refused(tmp_path: Path) -> None:
    text = "case,activity,time\nx,a,2026-07-01 12:00:00\nx,b,2026-07-01T15:00:00+02:00\nx,c,2026-07-01T14:00:00Z\n"
    path = tmp_path / "log.csv"
    path.write_text(text)
    history = wf.read_log(path)
    assert edges(history) == [("a", "b", 1, 60), ("b", "c", 1, 60)]
    assert counted(history) == {"utc": 1, "zones": 1}
    assert edges(wf.read_log(path, time_zone="Europe/Berlin")) == [("a", "b", 1, 180), ("b", "c", 1, 60)]
    with pytest.raises(HistoryError, match=r"(?s)1 times have no zone \(row 1\).*time_zone='Europe/Berlin'"):
        wf.read_log(path, repair=())


def test_repeated_ids_are_refused_or_left_out_and_counted(tmp_path: Path) -> None:
    text = "case,activity,time,id\nx,a,2026-01-01Z,1\nx,b,2026-01-02Z,2\nx,b,2026-01-02Z,2\n"
    text = text.replace("Z", "T00:00Z")
    options: dict[str, Any] = dict.fromkeys(("case", "activity", "time", "resource"))
    with pytest.raises(HistoryError, match=r"1 events have an id that another one has \(row 3\)"):
        log(tmp_path, text, **options, event_id="id")
    history = log(tmp_path, text, **options, event_id="id", repair="drop_repeated")
    assert edges(history) == [("a", "b", 1, 1440)]
    assert counted(history) == {"drop_repeated": 1}
    assert history.sql("SELECT event_id FROM log_events").fetchall() == [("1",), ("2",)]


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"(?s)no column 'stepp' \(activity=\).*order_id, step.*Did you mean 'step'"):
        log(tmp_path, activity="stepp")
    with pytest.raises(HistoryError, match="which column is case and which is time"):
        wf.read_log(pa.table({"activity": ["a"]}))
    with pytest.raises(HistoryError, match="'step' cannot be two things at once"):
        log(tmp_path, resource="step")


def test_a_row_with_too_many_fields_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"(?s)orders\.csv: cannot be read as a table.*[Ll]ine: 7"):
        log(tmp_path, ORDERS + "a,check,2026-01-01T10:00:00Z,Bob,1,DE,more,and more\n")


def test_texts_that_look_like_numbers_and_are_none_stay_texts(tmp_path: Path) -> None:
    rows = ("x;a;2026-01-01T00:00Z;007;1e3;true;1;x;\n", 'x;b;2026-01-02T00:00Z;12;-2.5;False;2.0;"y;\nz";\n')
    path = tmp_path / "log.csv"
    path.write_text("case;activity;time;number;real;yes;mixed;text;none\n" + "".join(rows))
    history = wf.read_log(path)
    told = [json.loads(each) for (each,) in history.sql("SELECT attributes FROM log_events").fetchall()]
    assert told == [
        {"number": "007", "real": 1000.0, "yes": True, "mixed": 1.0, "text": "x"},
        {"number": "12", "real": -2.5, "yes": False, "mixed": 2.0, "text": "y;\nz"},
    ]


def test_the_same_rows_make_the_same_history_in_every_form(tmp_path: Path) -> None:
    history = log(tmp_path)
    frame = pd.read_csv(tmp_path / "orders.csv")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    frame.to_parquet(tmp_path / "orders.parquet")
    with gzip.open(tmp_path / "orders.csv.gz", "wt") as packed:
        packed.write(ORDERS)

    def by_rows() -> Iterator[pa.RecordBatch]:
        """A reader as docs/import.md has them: it yields Arrow tables, in the order of the log."""
        for k in range(len(table)):
            yield table.slice(k, 1)

    for source in (frame, table, by_rows(), tmp_path / "orders.parquet", tmp_path / "orders.csv.gz"):
        assert wf.read_log(source, **COLUMNS, name="orders").digest == history.digest


def test_the_reader_of_the_documentation_reads_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[4] / "docs/import.md").read_text(encoding="utf-8")
    (code,) = (each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def spans" in each)
    at = 1_767_254_400_000_000_000
    lines = [
        {
            "spans": [
                {"traceId": "t1", "name": "call", "startTimeUnixNano": str(at), "endTimeUnixNano": str(at + 7_000)}
            ]
        },
        {
            "spans": [
                {
                    "traceId": "t1",
                    "name": "store",
                    "startTimeUnixNano": str(at + 9_000),
                    "endTimeUnixNano": str(at + 10_000),
                }
            ]
        },
    ]
    (tmp_path / "spans.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"wf": wf}
    exec(code, names)
    rows = names["history"].sql("SELECT external_id, activity, wait, service FROM executions ORDER BY activity_id")
    assert rows.fetchall() == [("t1", "call", 0, 7), ("t1", "store", 2, 1)]


def test_a_reader_whose_tables_differ_is_refused() -> None:
    def tables() -> Iterator[pa.Table]:
        yield pa.table({"case": ["x"], "activity": ["a"], "time": ["2026-01-01T00:00Z"]})
        yield pa.table({"case": ["x"], "activity": ["a"]})

    with pytest.raises(HistoryError, match=r"all tables need the schema of the first one|cannot be read as a table"):
        wf.read_log(tables())
    with pytest.raises(TypeError, match="what yields Arrow tables or batches, not 1"):
        wf.read_log(iter([1]))


def test_what_differs_within_a_case_stays_with_its_event_and_is_counted(tmp_path: Path) -> None:
    history = log(tmp_path, ORDERS.replace("Bob,,DE", "Bob,,AT"))
    assert counted(history) == {"differing_attributes": 1}
    said = history.sql("SELECT attributes->>'$.country' FROM log_events WHERE external_id = 'a'").fetchall()
    assert said == [(None,), ("AT",), (None,)]


def test_cases_that_do_not_end_with_a_final_activity_are_open(tmp_path: Path) -> None:
    history = log(tmp_path, final=["ship"])
    assert history.counts == {"completed": 1, "open": 1}
    assert history.sql('SELECT "case", state FROM stays WHERE left_at IS NULL').fetchall() == [(2, "refuse")]
    active = history.sql("SELECT external_id FROM active_instances(1_900_000_000_000_000, 0, 0, 9)")
    assert active.fetchall() == [("b",)]
    with pytest.raises(HistoryError, match=r"no event is the activity 'shipp'.*Did you mean 'ship'"):
        log(tmp_path, final=["shipp"])


def test_a_log_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="there are no events in it"):
        log(tmp_path, ORDERS.splitlines()[0] + "\n")


def test_an_import_replaces_an_import_and_nothing_else(tmp_path: Path) -> None:
    into = tmp_path / "made.duckdb"
    first = log(tmp_path, into=into)
    first.close()
    log(tmp_path, into=into).close()
    with wf.open_history(into) as history:
        assert history.counts == {"completed": 2}
    with pytest.raises(HistoryError, match="imported from a log, so a simulation does not write there"):
        wf.simulate(wf.new("order"), cases=1, into=into)
    simulated = tmp_path / "simulated.duckdb"
    wf.simulate(wf.new("order"), cases=1, into=simulated).close()
    with pytest.raises(HistoryError, match="of a simulation, so an import does not write there"):
        log(tmp_path, into=simulated)


def test_a_failed_import_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(HistoryError):
        log(tmp_path, ORDERS + ",check,2026-01-01T10:00:00Z,Bob,1,DE\n", into=tmp_path / "made.duckdb")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["orders.csv"]


def test_names_of_any_characters_are_kept() -> None:
    names = ["it's", 'say "hi"', "<&>", "ø→✓", " ", "a'); DROP TABLE records; --"]
    table = pa.table({"case": ["x"] * 6, "activity": names, "time": [f"2026-01-0{k}T00:00Z" for k in range(1, 7)]})
    history = wf.read_log(table)
    assert history.sql("SELECT states FROM variants").fetchall() == [(names,)]


def test_options_that_there_are_not_are_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"repair='drop_unamed' is not known. Did you mean 'drop_unnamed'"):
        log(tmp_path, repair="drop_unamed")
    with pytest.raises(OptionError, match="time_zone='Mars' is not known"):
        log(tmp_path, time_zone="Mars")
    (tmp_path / "log.doc").touch()
    with pytest.raises(HistoryError, match="which kind of log is this"):
        wf.read_log(tmp_path / "log.doc")


def test_a_row_that_tells_its_start_too_differs_once(tmp_path: Path) -> None:
    text = (
        "case,activity,time,start_timestamp,case:of\n"
        "x,a,2026-01-01T10:00Z,2026-01-01T09:00Z,u\nx,b,2026-01-01T12:00Z,2026-01-01T11:00Z,v\n"
    )
    path = tmp_path / "log.csv"
    path.write_text(text)
    assert counted(wf.read_log(path)) == {"differing_attributes": 1}


def test_a_type_is_that_of_all_rows_not_of_the_first_ones(tmp_path: Path) -> None:
    said = [*["7"] * 1500, "seven"]
    later = [*[""] * 1500, "7"]
    rows = "".join(f"x,a,2026-01-01T10:00Z,{a},{b}\n" for a, b in zip(said, later))
    path = tmp_path / "log.csv"
    path.write_text("case,activity,time,said,later\n" + rows)
    last = wf.read_log(path).sql(
        "SELECT attributes->'$.said', attributes->'$.later' FROM log_events ORDER BY seq DESC LIMIT 1"
    )
    assert last.fetchall() == [('"seven"', "7")]
