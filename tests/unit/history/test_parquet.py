"""Histories as folders of Parquet files: all that can be asked is the same, and what is no such folder is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import wfsim as wf
from wfsim.errors import HistoryError
from wfsim.history import schema

PARENT = """\
name: parent
version: 1.0.0
initial_state: works
variables: {n: {type: integer, initial: 3}}
states:
  - {name: works, invoke: {workflow: child, input: {n: "${context.n}"}}}
  - {name: end, is_terminal: true}
transitions: [{from: works, to: end, event: done}]
"""
CHILD = """\
name: child
version: 1.0.0
initial_state: waits
variables: {n: {type: integer, input: true}}
activities: {act: {retry_policy: {max_attempts: 3, initial_interval: 1s}}}
states:
  - {name: waits, timeout: 1h, activity: {name: act, parameters: {n: "${context.n}"}}}
  - {name: end, is_terminal: true}
  - {name: late, is_terminal: true, outcome: failure}
transitions:
  - {from: waits, to: end, event: done}
  - {from: waits, to: late, event: timeout}
  - {from: waits, to: late, event: error}
"""
SCENARIO = {
    "cases": 40,
    "replications": 2,
    "pools": {"desk": {"shifts": [{"from": "Thu 00:00", "until": "Fri 20:00", "capacity": 2}], "time_zone": "UTC"}},
    "slas": [{"name": "soon", "within": "2h"}],
    "workflows": {
        "child": {
            "activities": {
                "act": {
                    "pool": "desk",
                    "duration": {"exponential": {"mean": "20m"}},
                    "failures": [{"error_type": "Net", "probability": 0.3}],
                }
            }
        }
    },
}


def answers(history: wf.History) -> dict[str, Any]:
    """Everything there is to be asked, but for the order of rows that have none."""
    views = history.sql(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = 'views'"
    ).fetchall()
    found: dict[str, Any] = {
        name: sorted(history.sql(f"FROM {name}").fetchall(), key=str) for (name,) in views if name != "horizons"
    }
    found["history"] = history.sql("FROM history").fetchall()
    # In a file that grows edges are no numbers, but mean the same.
    found["stay_rows"] = history.sql("SELECT * EXCLUDE (edge) FROM stay_rows").fetchall()
    (last,) = history.sql("SELECT max(horizon) FROM horizons").fetchall()[0]
    for macro in (
        "occupancy(3600000000)",
        "trend(3600000000)",
        "trend('day', 'Asia/Kolkata')",
        f"active_at({last // 2})",
    ):
        found[macro] = history.sql(f"FROM {macro}").fetchall()
    for macro in (f"state_distribution({last // 2})", f"active_instances({last // 2}, 0, 0, 7)"):
        found[macro] = history.sql(f"FROM {macro}").fetchall()
    return found | {
        "digest": history.digest,
        "summary": str(history.summary()),
        "notes": history.notes,
        "runs": history.runs,
        "counts": history.counts,
        "part": history.between("1h", "5h").sql("FROM dfg").fetchall(),
    }


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "h.duckdb"
    scenario = wf.Scenario.model_validate(SCENARIO)
    wf.simulate(wf.loads(PARENT), scenario, catalogue=[wf.loads(CHILD)], seed=1, progress=False, into=path).close()
    return path


@pytest.fixture
def folder(simulated: Path, tmp_path: Path) -> Path:
    with wf.open_history(simulated) as history:
        return history.to_parquet(tmp_path / "h")


def test_a_simulated_history_is_the_same_in_parquet_and_back_in_a_file(
    simulated: Path, folder: Path, tmp_path: Path
) -> None:
    with wf.open_history(simulated) as history, wf.open_history(folder) as other:
        expected = answers(history)
        assert answers(other) == expected
        assert all(expected[view] for view in ("executions", "sla_cases", "pool_utilisation", "retries", "variants"))
        assert other.case(3, run=2).replay().version == history.case(3, run=2).version
        assert other.case(3, run=1).children[0].records() == history.case(3, run=1).children[0].records()
    with wf.convert_history(folder, tmp_path / "back.duckdb") as back:
        assert answers(back) == expected


def test_a_store_is_written_while_it_runs_and_goes_on_from_there(tmp_path: Path) -> None:
    workflow, functions = wf.loads(CHILD), {"act": lambda n: n}
    with wf.open_engine(activities={}) as store:
        for name in ("one", "two"):
            with wf.start(workflow, input={"n": 1}, activities=functions, store=store, id=name) as run:
                run.wait()
        history = store.history
        folder = history.to_parquet(tmp_path / "h")
        expected = answers(history)
        with wf.start(workflow, input={"n": 1}, activities=functions, store=store, id="three") as run:
            run.wait()
    with wf.open_history(folder) as other:
        assert answers(other) == expected
        assert other.case("one").replay().version == other.case("one").version
    with wf.convert_history(folder, tmp_path / "back.duckdb") as back:
        assert back.counts == {"completed/success": 2}
        assert back.sql("SELECT count(*) FROM executions").fetchall() == [(2,)]


def test_other_programs_read_the_files(folder: Path) -> None:
    records = pq.read_table(folder / "records.parquet")
    told = json.loads((folder / "history.json").read_text())
    assert told["tables"]["records"] == len(records)
    keys = records.select(["run", "case", "seq"]).to_pandas()
    assert keys.equals(keys.sort_values(["run", "case", "seq"], ignore_index=True))
    names = pq.read_table(folder / "kind_names.parquet").to_pylist()
    assert "transition" in {row["name"] for row in names}


def test_a_query_reaches_no_other_file(folder: Path) -> None:
    shutil.copy(folder / "runs.parquet", folder / "other.parquet")
    with wf.open_history(folder) as history:
        for name in ("other", "runs"):
            with pytest.raises(HistoryError, match="file system operations are disabled"):
                history.sql(f"FROM read_parquet('{folder / name}.parquet')").fetchall()


def test_nothing_is_overwritten(folder: Path, tmp_path: Path) -> None:
    with wf.open_history(folder) as history:
        with pytest.raises(HistoryError, match="exists already"):
            history.to_parquet(folder)
        (tmp_path / "file").touch()
        with pytest.raises(HistoryError, match="exists already"):
            history.to_parquet(tmp_path / "file")
        with pytest.raises(HistoryError, match="only a part"):
            history.between("1h", None).to_parquet(tmp_path / "part")
        with pytest.raises(HistoryError, match="cannot be written to its end"):
            history.to_parquet(tmp_path / "file" / "below")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "h"]


def _without_contents(folder: Path) -> None:
    (folder / "history.json").unlink()


def _no_json(folder: Path) -> None:
    (folder / "history.json").write_text("{")


def _other_json(folder: Path) -> None:
    (folder / "history.json").write_text(f'{{"format": {schema.FORMAT}, "tables": ["records"]}}')


def _newer(folder: Path) -> None:
    file = folder / "history.json"
    file.write_text(file.read_text().replace(f'"format": {schema.FORMAT}', '"format": 99'))


def _missing(folder: Path) -> None:
    (folder / "stay_rows.parquet").unlink()


def _cut(folder: Path) -> None:
    file = folder / "records.parquet"
    file.write_bytes(file.read_bytes()[:-100])


def _no_parquet(folder: Path) -> None:
    (folder / "cases.parquet").write_text("run,case\n1,1\n")


def _other_columns(folder: Path) -> None:
    table = pq.read_table(folder / "records.parquet")
    pq.write_table(table.drop_columns(["dwell"]), folder / "records.parquet")


def _fewer_rows(folder: Path) -> None:
    table = pq.read_table(folder / "records.parquet")
    pq.write_table(table.slice(1), folder / "records.parquet")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_without_contents, "this folder is no history: there is no history.json in it"),
        (_no_json, "history.json: cannot be read"),
        (_other_json, "does not say which tables there are"),
        (_newer, "written in format 99, this version reads"),
        (_missing, "the files of these tables are missing: stay_rows"),
        (_cut, "cannot be opened as a history: .*records.parquet"),
        (_no_parquet, "cannot be opened as a history: .*cases.parquet"),
        (_other_columns, "records.parquet: has not the columns of that table"),
        (_fewer_rows, r"records.parquet: has [\d,]+ rows, and history.json says"),
    ],
)
def test_a_folder_that_is_none_or_damaged_is_told(folder: Path, tmp_path: Path, spoil: Any, said: str) -> None:
    spoil(folder)
    with pytest.raises(HistoryError, match=said):
        wf.open_history(folder)
    with pytest.raises(HistoryError, match=said):
        wf.convert_history(folder, tmp_path / "new.duckdb")
    assert not (tmp_path / "new.duckdb").exists()


def test_one_file_of_a_folder_is_no_history(folder: Path) -> None:
    with pytest.raises(HistoryError, match=r"one Parquet file is no history\. Give the folder"):
        wf.open_history(folder / "records.parquet")
