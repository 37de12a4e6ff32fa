"""What comes in from files: regular ones of bounded size, below their folder, told without steering a terminal."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import wfsim as wf
from wfsim.errors import WfsimError, visible
from wfsim.files import UnfitFile, is_below, read_file
from wfsim.verification.workflows.property_files import load_properties

READERS: dict[str, Callable[[Path], object]] = {
    "load": wf.load,
    "load_scenario": wf.load_scenario,
    "read_pnml": wf.read_pnml,
    "read_properties": wf.read_properties,
    "load_properties": load_properties,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=list(READERS))
def test_what_never_ends_or_waits_for_ever_is_refused(reader: Callable[[Path], object], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for path, told in ((Path("/dev/zero"), "device or a pipe"), (pipe, "device or a pipe"), (tmp_path, "a folder")):
        with pytest.raises(WfsimError, match=f"{path}.*{told}"):
            reader(path)


def test_no_more_is_read_than_the_limit_says_whatever_a_file_says_of_its_size(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"x" * 11)
    assert read_file(file, 11) == b"x" * 11
    with pytest.raises(UnfitFile, match="more than 10 bytes"):
        read_file(file, 10)
    # A file of /proc has the size 0.
    assert Path("/proc/self/status").stat().st_size == 0
    with pytest.raises(UnfitFile, match="more than 10 bytes"):
        read_file("/proc/self/status", 10)


def test_a_link_or_dots_that_lead_out_of_a_folder_are_found(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "a").write_text("a")
    (inside / "b").write_text("b")
    (inside / "link").symlink_to(outside / "a")
    (inside / "near").symlink_to(inside / "b")
    assert is_below(inside / "b", inside)
    assert is_below(inside / "near", inside)
    assert not is_below(inside / "link", inside)
    assert not is_below(inside / ".." / "out" / "a", inside)


def test_an_include_through_a_link_stays_in_the_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret.shared.yaml"
    secret.write_text("events: {e: {}}\n")
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "common.shared.yaml").symlink_to(secret)
    flow = folder / "flow.yaml"
    flow.write_text("name: f\ninclude: common.shared.yaml\ninitial_state: a\nstates: [{name: a, is_terminal: true}]\n")
    with pytest.raises(wf.DefinitionError, match=r"flow.yaml:2: .*link that leads out of this folder"):
        wf.load(flow)
    (folder / "common.shared.yaml").unlink()
    os.mkfifo(folder / "common.shared.yaml")
    with pytest.raises(wf.DefinitionError, match=r"'common.shared.yaml' cannot be read: it is a device or a pipe"):
        wf.load(flow)


@pytest.mark.parametrize("trace", ["../times.csv", "/dev/zero", "link.csv"])
def test_a_trace_stays_below_the_folder_of_its_scenario(trace: str, tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("time\n0\n")
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "link.csv").symlink_to(tmp_path / "times.csv")
    scenario = folder / "s.scenario.yaml"
    scenario.write_text(f"cases: 1\narrivals: {{trace: {trace}}}\n")
    with pytest.raises(wf.errors.ScenarioError, match=r"s.scenario.yaml:2: the trace .* lies outside the folder"):
        wf.load_scenario(scenario)


def test_a_trace_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "times.csv")
    scenario = tmp_path / "s.scenario.yaml"
    scenario.write_text("cases: 1\narrivals: {trace: times.csv}\ninputs: {order_id: O, address: A}\n")
    with pytest.raises(wf.errors.ScenarioError, match=r"times.csv: the trace cannot be read: it is a device or a pipe"):
        wf.simulate(wf.example("shipping"), scenario)


def test_no_name_steers_the_terminal_it_is_shown_in(tmp_path: Path) -> None:
    red = "\x1b[31mred"
    assert visible(f"{red}\n\tü→\u202e\r\x9b") == "\\x1b[31mred\n\tü→\\u202e\\r\\x9b"
    for path in (tmp_path / f"{red}.yaml", tmp_path / f"there {red}.yaml"):
        if "there" in path.name:
            path.write_text("name: x\n")
        with pytest.raises(wf.DefinitionError) as told:
            wf.load(path)
        assert "\x1b" not in str(told.value)
        assert "\\x1b[31mred" in str(told.value)
    good = tmp_path / f"good {red}.yaml"
    wf.save(wf.example("published/order_processing"), good)
    findings = wf.lint(wf.load(good))
    assert findings
    assert "\x1b" not in str(findings)
    assert "\\x1b[31mred" in str(findings)


def test_a_record_shows_signs_of_control_escaped(tmp_path: Path) -> None:
    history = wf.simulate(
        wf.example("shipping"),
        wf.Scenario.model_validate({"inputs": {"order_id": "\x1b[31m", "address": "\x07"}}),
        cases=1,
    )
    told = "\n".join(map(str, history.case(1).records()))
    assert "\x1b" not in told
    assert "\x07" not in told
    assert "\\x1b[31m" in told
