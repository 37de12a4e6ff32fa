"""Histories that older versions wrote, as they lay in the file, made anew in the format of today."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import wfsim as wf
from tests.sides import check_sides
from wfsim.errors import HistoryError
from wfsim.history import schema
from wfsim.history.converting import OLDEST
from wfsim.history.replay import replay_all
from wfsim.history.store import Store

FORMATS = Path(__file__).parent / "formats"
OLDER = range(OLDEST, schema.FORMAT)
VIEWS = ("stays", "dfg", "variants", "activity_stats", "retries", "bottlenecks", "timeouts", "occupancy(60000000)")


def old_file(folder: Path, kind: str, number: int) -> Path:
    path = folder / f"{kind}_{number}.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute((FORMATS / f"{kind}_{number}.sql").read_text())
    return path


def anew() -> wf.History:
    """What the run of the files comes to today."""
    with duckdb.connect() as con:
        con.execute((FORMATS / f"simulated_{schema.FORMAT - 1}.sql").read_text())
        definition, scenario, seed = con.execute(
            "SELECT definition, scenario, seed FROM workflows JOIN runs USING (run)"
        ).fetchall()[0]
    plan = wf.Scenario.model_validate_json(scenario)
    return wf.simulate(wf.loads(definition), plan, cases=3, seed=seed, progress=False)


# Before format 3 what is drawn went by the place of a key, not by its name: the run was another one.
@pytest.mark.parametrize("number", OLDER[1:])
def test_a_simulation_of_an_older_format_is_what_the_same_simulation_is_today(tmp_path: Path, number: int) -> None:
    old, into = old_file(tmp_path, "simulated", number), tmp_path / "new.duckdb"
    before = old.read_bytes()
    with wf.convert_history(old, into) as converted, anew() as today:
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
