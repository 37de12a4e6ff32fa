"""XES: what is read as what, XML that is hostile or broken, and back again."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import HistoryError
from wfsim.history.importing import xes

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<log xmlns="http://www.xes-standard.org/">\n'


def event(activity: str, minute: int, *more: str) -> str:
    time = f"2026-01-01T09:{minute:02}:00.000+01:00"
    own = f'<string key="concept:name" value="{activity}"/><date key="time:timestamp" value="{time}"/>'
    return f"<event>{own}{''.join(more)}</event>\n"


def said(key: str, value: str, kind: str = "string") -> str:
    return f'<{kind} key="{key}" value="{value}"/>'


def life(transition: str) -> str:
    return said("lifecycle:transition", transition)


def trace(name: str, *events: str) -> str:
    return f"<trace>{said('concept:name', name)}\n{''.join(events)}</trace>\n"


def log(folder: Path, *traces: str, head: str = HEAD, **options: Any) -> wf.History:
    path = folder / "log.xes"
    path.write_text(f"{head}{''.join(traces)}</log>", encoding="utf-8")
    return wf.read_log(path, **options)


def counted(history: wf.History) -> dict[str, int]:
    assert history.imported is not None
    return {each.name: each.count for each in history.imported.repairs}


def test_traces_are_cases_and_their_events_states(tmp_path: Path) -> None:
    history = log(tmp_path, trace("x", event("a", 0), event("b", 3)), trace("y", event("a", 1)))
    assert history.sql("SELECT external_id, duration // 60_000_000 FROM durations").fetchall() == [("x", 3), ("y", 0)]
    assert history.sql("SELECT from_state, to_state, n FROM dfg").fetchall() == [("a", "b", 1)]
    (first,) = history.sql("SELECT min(time) FROM log_events").fetchall()
    assert first == (1_767_254_400_000_000,)


def test_a_start_and_its_completion_are_one_execution_that_waits_and_serves(tmp_path: Path) -> None:
    events = (
        event("a", 0, life("start"), said("org:resource", "Ann")),
        event("a", 5, life("complete")),
        event("b", 9, life("start"), said("org:resource", "Bob")),
        event("b", 20, life("complete")),
    )
    history = log(tmp_path, trace("x", *events))
    assert history.sql("SELECT states FROM variants").fetchall() == [(["a", "b"],)]
    stats = history.sql(
        "SELECT activity, attempts, started, successes, total_wait // 60_000_000, total_service // 60_000_000 "
        "FROM activity_stats"
    )
    assert stats.fetchall() == [("a", 1, 1, 1, 0, 5), ("b", 1, 1, 1, 4, 11)]
    stays = history.sql("SELECT state, dwell // 60_000_000 FROM stays").fetchall()
    assert stays == [("a", 9), ("b", 11)]
    assert history.sql("SELECT worker FROM attempt_rows ORDER BY activity_id").fetchall() == [("Ann",), ("Bob",)]
    times = history.sql('SELECT time FROM history ORDER BY "case", seq').fetchall()
    assert times == sorted(times)


def test_each_event_is_a_step_where_starts_are_not_paired(tmp_path: Path) -> None:
    history = log(tmp_path, trace("x", event("a", 0, life("start")), event("a", 5, life("complete"))), pair=False)
    assert history.sql("SELECT states FROM variants").fetchall() == [(["a", "a"],)]
    assert not history.sql("FROM activity_stats").fetchall()


def test_overlapping_executions_are_paired_first_in_first_out_or_by_their_instance(tmp_path: Path) -> None:
    def both(*instances: str) -> list[tuple[int, int]]:
        own = [said("concept:instance", each) for each in instances] or [""] * 4
        lives = ("start", "start", "complete", "complete")
        events = [event("a", minute, life(what), mine) for minute, what, mine in zip((0, 1, 5, 9), lives, own)]
        history = log(tmp_path, trace("x", *events))
        rows = history.sql(
            "SELECT (scheduled + wait - 1767254400000000) // 60_000_000, (ended - scheduled - wait) // 60_000_000 "
            "FROM attempt_rows ORDER BY activity_id"
        )
        return [(begun, served) for begun, served in rows.fetchall()]

    assert both() == [(0, 5), (1, 8)]
    assert both("1", "2", "2", "1") == [(0, 9), (1, 4)]


def test_completions_without_starts_and_starts_without_completions_are_counted(tmp_path: Path) -> None:
    events = (event("a", 0, life("complete")), event("a", 1, life("start")), event("b", 2, life("complete")))
    history = log(tmp_path, trace("x", *events))
    assert counted(history) == {"not_started": 1, "not_completed": 1}
    assert history.sql("SELECT states FROM variants").fetchall() == [(["a", "a", "b"],)]
    stats = history.sql("SELECT activity, attempts, started, successes FROM activity_stats").fetchall()
    assert stats == [("a", 2, 1, 1)]


def test_a_schedule_says_since_when_an_execution_waits(tmp_path: Path) -> None:
    events = (
        event("a", 0),
        event("b", 1, life("SCHEDULE")),
        event("b", 7, life("START")),
        event("b", 8, life("suspend")),
        event("b", 9, life("COMPLETE")),
        event("c", 9, life("schedule")),
    )
    history = log(tmp_path, trace("x", *events))
    stats = history.sql("SELECT activity, attempts, started, total_wait // 60_000_000 FROM activity_stats").fetchall()
    assert stats == [("b", 1, 1, 6), ("c", 1, 0, None)]
    assert counted(history) == {"no_steps": 1}
    assert history.sql("SELECT states FROM variants").fetchall() == [(["a", "b"],)]
    lives = history.sql("SELECT lifecycle FROM log_events ORDER BY seq").fetchall()
    assert [each for (each,) in lives] == ["complete", "SCHEDULE", "START", "suspend", "COMPLETE", "schedule"]


def test_a_key_of_events_may_say_when_they_started(tmp_path: Path) -> None:
    def begun(minute: int) -> str:
        return said("start_timestamp", f"2026-01-01T09:{minute:02}:00.000+01:00", "date")

    history = log(tmp_path, trace("x", event("a", 5, begun(0)), event("b", 9, begun(3))), start="start_timestamp")
    stats = history.sql("SELECT activity, total_service // 60_000_000 FROM activity_stats").fetchall()
    assert stats == [("a", 5), ("b", 6)]
    assert history.sql("SELECT states FROM variants").fetchall() == [(["a", "b"],)]
    with pytest.raises(HistoryError, match=r"1 events start after they are completed \(event 1\)"):
        log(tmp_path, trace("x", event("a", 5, begun(6))), start="start_timestamp")


def test_values_keep_their_types_and_signs(tmp_path: Path) -> None:
    more = (
        said("n", "7", "int"),
        said("x", "2.5", "float"),
        said("odd", "NaN", "float"),
        said("yes", "true", "boolean"),
        said("due", "2026-02-01T00:00:00+01:00", "date"),
        said("key &amp; &#x2713;", "&lt;a&gt; &quot;b&quot; &apos;c&apos; &#10;d\te", "string"),
        "<string key='quoted' value='say \"hi\"'/>",
        "<list key='all'><values><int key='one' value='1'/></values></list>",
        "<string key='deep' value='top'><int key='low' value='1'/></string>",
    )
    history = log(tmp_path, trace("x", event("a", 0, *more)))
    ((told,),) = history.sql("SELECT attributes FROM log_events").fetchall()
    import json

    assert json.loads(told) == {
        "n": 7,
        "x": 2.5,
        "odd": "NaN",
        "yes": True,
        "due": "2026-02-01T00:00:00+01:00",
        "key & ✓": "<a> \"b\" 'c' \nd e",
        "quoted": 'say "hi"',
        "all": {
            "children": [{"children": [{"key": "one", "type": "int", "value": "1"}], "type": "values"}],
            "key": "all",
            "type": "list",
        },
        "deep": {
            "children": [{"key": "low", "type": "int", "value": "1"}],
            "key": "deep",
            "type": "string",
            "value": "top",
        },
    }
    assert history.imported is not None
    assert history.imported.types == {"due": "date"}
    out = history.log().to_xes(tmp_path / "out.xes")
    again = wf.read_log(out, name="log")
    assert again.digest == history.digest
    assert again.imported is not None
    assert again.imported.types == {"due": "date"}


def test_traces_without_names_or_events_and_events_outside_are_counted(tmp_path: Path) -> None:
    nameless = f"<trace>{event('a', 0)}</trace>"
    history = log(tmp_path, event("a", 0), trace("x"), nameless, trace("y", event("a", 0)), trace("y", event("b", 0)))
    assert counted(history) == {"outside_traces": 1, "empty_traces": 1, "unnamed_traces": 1, "repeated_names": 1}
    assert history.sql("SELECT external_id FROM durations").fetchall() == [("trace 2",), ("y",), ("y (2)",)]


BOMB = '<!DOCTYPE log [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n<log>'
OUTSIDE = '<!DOCTYPE log SYSTEM "file:///etc/passwd">\n<log>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB + "</log>", r"log\.xes:1: a document type \(DOCTYPE\) is refused"),
        (OUTSIDE + "</log>", r"log\.xes:1: a document type \(DOCTYPE\) is refused"),
        ("<log>\n<trace>&undeclared;</trace></log>", r"log\.xes:2: only &amp;"),
        ('<log>\n<string key="k" value="&#0;"/></log>', r"log\.xes:2: only &amp;"),
        ("<log>\n\n<trace></log>", r"log\.xes:3: this end tag does not close the element that is open: '</log>"),
        ("<log><trace>\n", "the file ends in the middle of the log, after 0 whole events in 1 traces"),
        ("<log>" + "<list>" * 70, "elements are nested deeper than 64"),
        ("<log></log>\n<log></log>", r"log\.xes:2: something follows behind the end of the log"),
        ("<log><trace a=1></trace></log>", "this is no attribute of XML"),
        ("<log><trace a='1' a='2'></trace></log>", "an attribute stands twice"),
        ("<log><trace a='<'></trace></log>", "this is no attribute of XML"),
        ("<log><trace a='\x01'></trace></log>", "this control character may not stand in XML"),
        ("<log><1trace></1trace></log>", "this is no tag of XML"),
        ("no xml", "here an XML document should begin"),
        ("", "here an XML document should begin"),
        ("<log><trace><event><int key='n' value='x'/></event></trace></log>", "'n' is of type 'int', and 'x' is none"),
        ("<log><trace><event><int key='n'/></event></trace></log>", "<int> needs a key and a value"),
        ("<log/>", "there are no events in it"),
    ],
)
def test_hostile_and_broken_xml_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "log.xes"
    path.write_text(text)
    with pytest.raises(HistoryError, match=message):
        wf.read_log(path, into=tmp_path / "made.duckdb")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["log.xes"]


def test_a_key_twice_in_an_event_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"log\.xes:4: an event has 'concept:name' twice"):
        log(tmp_path, trace("x", event("a", 0, said("concept:name", "b"))), head=HEAD)


def packed(folder: Path) -> Path:
    path = folder / "log.xes.gz"
    text = HEAD + "".join(trace(str(k), event("a", 0), event("b", k % 60)) for k in range(3000)) + "</log>"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_packed_files_are_read_and_those_cut_off_say_how_far(tmp_path: Path) -> None:
    path = packed(tmp_path)
    with wf.read_log(path) as history:
        assert history.counts == {"completed": 3000}
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HistoryError, match=r"packed data are broken or cut off .*after [\d,]+ bytes of XML"):
        wf.read_log(path)
    path.write_bytes(whole[:2000] + b"\x00" * 50 + whole[2050:])
    with pytest.raises(HistoryError, match=r"packed data are broken or cut off"):
        wf.read_log(path)


def test_what_is_read_does_not_depend_on_where_the_pieces_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [event(f"é&amp;{j}", j, said("n", str(j), "int")) for j in range(8)]
    traces = [trace(f"ø{k}", *events[:k]) for k in range(1, 9)]
    comments = "<!-- <event> ]]> -->", "<?pi <event> ?>"
    digests = set()
    for chunk in (7, 64, 1000, 2**20):
        monkeypatch.setattr(xes, "CHUNK", chunk)
        monkeypatch.setattr(xes, "_ROWS", 16 if chunk < 1000 else 1 << 10)
        digests.add(log(tmp_path, *comments, *traces, *comments).digest)
    assert len(digests) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1", "utf-16"])
def test_encodings_are_those_that_the_file_says(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "log.xes"
    declared = encoding if encoding == "iso-8859-1" else "utf-8"
    head = "" if encoding == "utf-16" else f'<?xml version="1.0" encoding="{declared}"?>'
    path.write_bytes(f"{head}<log>{trace('x', event('prüfen', 0))}</log>".encode(encoding))
    assert wf.read_log(path).sql("SELECT states FROM variants").fetchall() == [(["prüfen"],)]


def test_bytes_that_are_not_in_the_encoding_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    path.write_bytes(f"<log>{trace('x', event('prüfen', 0))}</log>".encode("iso-8859-1"))
    with pytest.raises(HistoryError, match=r"is not written in utf-8, as byte \d+ shows"):
        wf.read_log(path)


def test_an_event_larger_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xes, "CHUNK", 1000)
    monkeypatch.setattr(xes, "MAX_PIECE", 5000)
    with pytest.raises(HistoryError, match="goes on for more than 5,000 bytes without a whole event"):
        log(tmp_path, trace("x", event("a", 0, said("long", "x" * 9000))))


def test_many_keys_are_told_not_followed_for_ever(tmp_path: Path) -> None:
    keys = "".join(said(f"key{k}", "1") for k in range(70_000))
    with pytest.raises(HistoryError, match="more than 65,536 different keys"):
        log(tmp_path, trace("x", event("a", 0, keys)))
