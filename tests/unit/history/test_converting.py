"""Histories that older versions wrote, as they lay in the file, made anew in the format of today."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

import wfsim as wf
from tests.sides import check_sides
from wfsim.errors import HistoryError
from wfsim.history import schema
from wfsim.history.converting import OLDEST
from wfsim.history.replay import replay_all
from wfsim.history.replay_case import instance_of, programs_of
from wfsim.history.simulate import origin_of
from wfsim.history.store import Store
from wfsim.history.writer import HistoryWriter

FORMATS = Path(__file__).parent / "formats"
OLDER = range(OLDEST, schema.FORMAT)
VIEWS = ("stays", "dfg", "variants", "activity_stats", "retries", "bottlenecks", "timeouts", "occupancy(60000000)")


def old_file(folder: Path, kind: str, number: int) -> Path:
    path = folder / f"{kind}_{number}.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute((FORMATS / f"{kind}_{number}.sql").read_text())
    return path


def old_folder(folder: Path, kind: str, number: int) -> Path:
    """As `to_parquet` of that version left it: a file for each table and view, and what they are."""
    path = folder / f"{kind}_{number}"
    path.mkdir()
    with duckdb.connect(str(old_file(folder, kind, number)), read_only=True) as con:
        found = con.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'").fetchall()
        tables = {}
        for (name,) in found:
            columns = "* REPLACE (params::VARCHAR AS params)" if name == "runs" else "*"
            con.execute(f"COPY (SELECT {columns} FROM {name}) TO '{path / name}.parquet'")
            tables[name] = con.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]
    (path / "history.json").write_text(json.dumps({"format": number, "tables": tables}))
    return path


def anew(history: wf.History) -> wf.History:
    """What a simulation writes today of which all that came from outside is the same; other numbers are drawn today."""
    [run], rows = history.runs, history.sql('SELECT "case", seq = cause_seq FROM history').fetchall()
    plan, [program] = wf.Scenario.model_validate_json(run.scenario or ""), programs_of(run)
    texts, told = program.texts.copy(), {number: history.case(number) for number, _ in rows}
    instances = {number: instance_of(run, program, case.records(), texts) for number, case in told.items()}
    stimuli = {number: iter(case.stimuli()) for number, case in told.items()}
    with HistoryWriter(None, program, origin=origin_of(plan, 0, "compiled")) as writer:
        for number, is_cause in rows:
            if is_cause:
                writer.append(number, instances[number], instances[number].apply(next(stimuli[number])))
        return writer.finish()


# Format 2 did not tell how long an attempt that was cancelled had waited or run.
@pytest.mark.parametrize("number", OLDER[1:])
def test_a_simulation_of_an_older_format_is_what_the_same_simulation_is_today(tmp_path: Path, number: int) -> None:
    old, into = old_file(tmp_path, "simulated", number), tmp_path / "new.duckdb"
    before = old.read_bytes()
    with wf.convert_history(old, into) as converted, anew(converted) as today:
        assert converted.path == into
        assert converted.digest == today.digest
        check_sides(converted)
        for what in (*VIEWS, "(SELECT * EXCLUDE (payload), payload::VARCHAR FROM history)"):
            assert converted.sql(f"FROM {what}").fetchall() == today.sql(f"FROM {what}").fetchall(), what
    assert old.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


@pytest.mark.parametrize("number", OLDER)
def test_cases_of_an_older_format_are_replayed(tmp_path: Path, number: int) -> None:
    old = old_file(tmp_path, "simulated", number)
    with duckdb.connect(str(old), read_only=True) as con:
        records, cases = con.execute("SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM cases)").fetchall()[
            0
        ]
    with wf.convert_history(old, tmp_path / "new.duckdb") as converted:
        report = replay_all(converted)
        assert (report.n_records, report.n_cases, report.differences) == (records, cases, ())
        stays = converted.sql("SELECT count(*) FROM stays").fetchall()[0][0]
        assert stays == converted.sql("SELECT sum(n) + 3 FROM dfg").fetchall()[0][0]


@pytest.mark.parametrize("number", OLDER)
def test_a_real_run_of_an_older_format_goes_on_where_it_stood(tmp_path: Path, number: int) -> None:
    into = tmp_path / "new.duckdb"
    wf.convert_history(old_file(tmp_path, "real", number), into).close()
    with Store(into) as store:
        case = store.case("p-1")
        assert case.replay().status == "completed"
        history = store.history()
        check_sides(history)
        assert history.counts == {"completed/success": 1}
        assert [state for (state,) in history.sql("SELECT state FROM stays ORDER BY entered_seq").fetchall()] == [
            "packed",
            "on_the_way",
            "delivered",
        ]
        place = store.find("p-1")
        assert place is not None
        assert place.version == case.version == len(case.records())
        assert store.case("p-1").program.workflow.name == "parcel"


@pytest.mark.parametrize("number", OLDER)
def test_an_older_format_is_not_read_but_told_how_to_convert(tmp_path: Path, number: int) -> None:
    old = old_file(tmp_path, "simulated", number)
    with pytest.raises(HistoryError, match=f"format {number}, this version reads .* Convert it: wf.convert_history"):
        wf.open_history(old)


@pytest.mark.parametrize("kind", ["simulated", "real"])
@pytest.mark.parametrize("number", OLDER)
def test_a_folder_of_parquet_of_an_older_format_comes_to_what_the_file_does(
    tmp_path: Path, number: int, kind: str
) -> None:
    folder, new = old_folder(tmp_path, kind, number), tmp_path / "new.duckdb"
    with pytest.raises(HistoryError, match=f"format {number}, this version reads .* Convert it: wf.convert_history"):
        wf.open_history(folder)
    wf.convert_history(folder, new).close()
    wf.convert_history(tmp_path / f"{kind}_{number}.duckdb", tmp_path / "from_file.duckdb").close()
    with wf.open_history(new) as converted, wf.open_history(tmp_path / "from_file.duckdb") as expected:
        assert converted.digest == expected.digest
        check_sides(converted)
        for what in ("records", "cases", "stay_rows", "attempt_rows", "runs", "workflows", "snapshots", *VIEWS):
            assert converted.sql(f"FROM {what}").fetchall() == expected.sql(f"FROM {what}").fetchall(), what


def test_a_folder_of_an_older_format_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "simulated", OLDER[-1])
    (folder / "runs.parquet").unlink()
    with pytest.raises(HistoryError, match="files of these tables are missing: runs"):
        wf.convert_history(folder, tmp_path / "new.duckdb")
    told = json.loads((folder / "history.json").read_text())
    (folder / "history.json").write_text(json.dumps({**told, "tables": {**told["tables"], "../runs": 1}}))
    with pytest.raises(HistoryError, match="does not say which tables there are"):
        wf.convert_history(folder, tmp_path / "new.duckdb")
    (folder / "history.json").write_text(json.dumps({**told, "format": OLDEST - 1}))
    with pytest.raises(HistoryError, match=f"written in format {OLDEST - 1}. Formats {OLDEST} to"):
        wf.convert_history(folder, tmp_path / "new.duckdb")
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("new")] == []


def test_what_cannot_be_converted_is_left_alone(tmp_path: Path) -> None:
    old = old_file(tmp_path, "simulated", OLDEST)
    taken = tmp_path / "taken.duckdb"
    taken.write_text("mine")
    with pytest.raises(HistoryError, match="exists already"):
        wf.convert_history(old, taken)
    assert taken.read_text() == "mine"
    with pytest.raises(HistoryError, match="no such history"):
        wf.convert_history(tmp_path / "nobody.duckdb", tmp_path / "new.duckdb")
    with pytest.raises(HistoryError, match="cannot be opened"):
        wf.convert_history(taken, tmp_path / "new.duckdb")
    with (
        wf.convert_history(old, tmp_path / "new.duckdb") as made,
        pytest.raises(HistoryError, match="written in format"),
    ):
        wf.convert_history(made.path, tmp_path / "newer.duckdb")
    with duckdb.connect(str(old)) as con:
        con.execute("UPDATE kind_names SET name = 'sneezed' WHERE code = 3")
    with pytest.raises(HistoryError, match="words in kind_names that no version wrote: 'sneezed'"):
        wf.convert_history(old, tmp_path / "newer.duckdb")
    with duckdb.connect(str(tmp_path / "other.duckdb")) as con:
        con.execute("CREATE TABLE about (format INTEGER)")
    with pytest.raises(HistoryError, match="not a history"):
        wf.convert_history(tmp_path / "other.duckdb", tmp_path / "newer.duckdb")
    assert not (tmp_path / "newer.duckdb").exists()
