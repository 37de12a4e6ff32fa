"""Catalogues: latest, exact, ranges; several versions at once; what a run needs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pydantic import ValidationError

import wfsim as wf
from wfsim.errors import CatalogueError
from wfsim.model.fields import range_parts
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance


def named(name: str, version: str = "1.0.0", *, runs: str | None = None, wants: str | None = None) -> Workflow:
    work = {} if runs is None else {"invoke": {"workflow": runs, **({} if wants is None else {"version": wants})}}
    return Workflow.model_validate(
        {
            "name": name,
            "version": version,
            "initial_state": "a",
            "states": [{"name": "a", **work}, {"name": "b", "is_terminal": True}],
            "transitions": [{"from": "a", "to": "b", "event": "done" if runs else "go"}],
        }
    )


VERSIONS = ("1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "2.0.0", "3.0.0-beta")


@pytest.fixture
def catalogue() -> wf.Catalogue:
    return wf.Catalogue(named("ship", version) for version in VERSIONS)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, "2.0.0"),
        ("latest", "2.0.0"),
        ("1.2.0", "1.2.0"),
        ("==1.2.0", "1.2.0"),
        (">=1.0.0, <2.0.0", "1.10.0"),
        ("<1.10.0", "1.2.0"),
        ("> 1.0.0,<1.10.0", "1.2.0"),
        ("!=2.0.0", "1.10.0"),
        ("^1.1.0", "1.10.0"),
        ("~1.2.0", "1.2.0"),
        ("1.x", "1.10.0"),
        ("1.2.x", "1.2.0"),
        ("2.0.0-rc.1", "2.0.0-rc.1"),
        (">=2.0.0-rc.1", "3.0.0-beta"),
    ],
)
def test_the_newest_version_that_fits_is_found(catalogue: wf.Catalogue, wanted: str | None, found: str) -> None:
    assert catalogue.get("ship", wanted).version == found


def test_where_only_pre_releases_are_they_are_the_latest() -> None:
    assert wf.Catalogue([named("ship", "0.1.0-a"), named("ship", "0.1.0-b")]).get("ship").version == "0.1.0-b"


def test_versions_are_in_their_order_and_iteration_gives_the_newest(catalogue: wf.Catalogue) -> None:
    assert catalogue.versions("ship") == VERSIONS
    assert [one.version for one in catalogue] == ["2.0.0"]
    assert [one.version for one in catalogue.all_versions()] == list(VERSIONS)
    assert len(catalogue) == 1
    assert "ship" in catalogue
    assert "1.10.0" in repr(catalogue)


def test_what_is_not_there_is_told_with_what_there_is(catalogue: wf.Catalogue) -> None:
    with pytest.raises(CatalogueError, match=r"no workflow 'shipp'.*Workflows: ship\. Did you mean 'ship'\?"):
        catalogue.get("shipp")
    with pytest.raises(CatalogueError, match=r"fits '>=4\.0\.0'. Versions: 1\.0\.0, 1\.2\.0, 1\.10\.0"):
        catalogue.get("ship", ">=4.0.0")


def test_a_range_that_is_none_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValidationError, match=r"'\^1\.2' is not a range of versions\. Write latest, one version"):
        named("order", runs="ship", wants="^1.2")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("^0.2.3", [">=0.2.3", "<0.3.0"]),
        ("^0.0.3", [">=0.0.3", "<0.0.4"]),
        ("^1.2.3-rc.1", [">=1.2.3-rc.1", "<2.0.0"]),
        ("0.x", [">=0.0.0", "<1.0.0"]),
        ("~0.2.3", [">=0.2.3", "<0.3.0"]),
        ("1.0.0", ["==1.0.0"]),
        ("latest", []),
    ],
)
def test_short_forms_stand_for_comparisons(text: str, parts: list[str]) -> None:
    assert range_parts(text) == parts


def test_one_name_and_version_is_one_definition(catalogue: wf.Catalogue) -> None:
    catalogue.add(named("ship", "1.0.0"))
    with pytest.raises(CatalogueError, match=r"'ship' 1\.0\.0 is there twice, with different definitions"):
        catalogue.add(named("ship", "1.0.0", runs="pack"))
    assert catalogue.get("ship", "1.0.0") == named("ship", "1.0.0")


def test_a_folder_is_read_without_its_scenarios(tmp_path: Path) -> None:
    wf.save(named("ship"), tmp_path / "a.yaml")
    wf.save(named("ship", "1.1.0"), tmp_path / "b.yaml")
    (tmp_path / "a.scenario.yaml").write_text("cases: 3\n")
    assert wf.Catalogue(tmp_path).versions("ship") == ("1.0.0", "1.1.0")
    (tmp_path / "c.yaml").write_text("name: c\n")
    with pytest.raises(wf.DefinitionError, match=r"c\.yaml"):
        wf.Catalogue(tmp_path)


def test_two_files_with_one_version_are_both_named(tmp_path: Path) -> None:
    wf.save(named("ship"), tmp_path / "a.yaml")
    wf.save(named("ship", runs="pack"), tmp_path / "b.yaml")
    with pytest.raises(CatalogueError, match=r"a\.yaml and .*b\.yaml"):
        wf.Catalogue(tmp_path)


@pytest.mark.parametrize(("folder", "what"), [("none", "is not a folder"), ("", "has no *.yaml file")])
def test_a_folder_without_workflows_is_refused(tmp_path: Path, folder: str, what: str) -> None:
    with pytest.raises(CatalogueError, match=what.replace("*", r"\*")):
        wf.Catalogue(tmp_path / folder)


def test_what_a_run_needs_are_the_workflows_it_can_reach() -> None:
    catalogue = wf.Catalogue(
        [
            named("order", runs="ship", wants="<2.0.0"),
            named("ship", "1.0.0", runs="pack"),
            named("ship", "2.0.0"),
            named("pack"),
            named("other"),
        ]
    )
    family = catalogue.family(catalogue.get("order"))
    assert [(one.name, one.version) for one in family.all_versions()] == [
        ("order", "1.0.0"),
        ("pack", "1.0.0"),
        ("ship", "1.0.0"),
    ]
    with pytest.raises(CatalogueError, match=r"state 'a' of 'ship' runs 'pack': there is no workflow 'pack'"):
        wf.Catalogue([named("order", runs="ship"), named("ship", runs="pack")]).family(named("order", runs="ship"))


def test_a_workflow_that_runs_itself_has_a_finite_family() -> None:
    loop = named("loop", runs="loop")
    assert [one.name for one in wf.Catalogue([loop]).family(loop)] == ["loop"]


def test_a_program_keeps_to_the_versions_chosen_when_it_was_made() -> None:
    order = named("order", runs="ship", wants="<2.0.0")
    catalogue = wf.Catalogue([named("ship", "1.0.0"), named("ship", "2.0.0")])
    program = compile_workflow(order, catalogue)
    assert program is compile_workflow(order, catalogue)
    (row,) = program.children
    assert program.children[row] is catalogue.get("ship", "1.0.0")
    assert program.texts.text(program.rows[row].version) == "1.0.0"
    catalogue.add(named("ship", "1.5.0"))
    later = compile_workflow(order, catalogue)
    assert later.texts.text(later.rows[row].version) == "1.5.0"
    assert program.texts.text(program.rows[row].version) == "1.0.0"
    assert compile_workflow(order).children[row] is None


def test_equal_definitions_keep_programs_of_their_own() -> None:
    def counting(initial: object) -> wf.Workflow:
        data = {"name": "w", "initial_state": "a", "states": [{"name": "a"}], "variables": {"n": {"initial": initial}}}
        return wf.Workflow.model_validate(data)

    whole, real = counting(1), counting(1.0)
    assert whole == real
    assert compile_workflow(whole) is compile_workflow(whole)
    assert [type(Instance(compile_workflow(one)).variables["n"]) for one in (whole, real)] == [int, float]


def test_a_program_is_never_changed_not_even_by_compiling_with_another_catalogue() -> None:
    order = named("order", runs="ship")
    ship, bill = named("ship"), named("bill")
    first = compile_workflow(order, wf.Catalogue([ship]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.family = ()  # type: ignore[misc]
    second = compile_workflow(order, wf.Catalogue([ship, bill]))
    assert [one.name for one in first.family] == ["order", "ship"]
    assert second.family[:2] == first.family


def test_programs_of_definitions_that_are_gone_are_not_mistaken_for_others() -> None:
    # Their identities are given out again; what a cache keeps by them must keep them.
    for k in range(600):
        one = named(f"w{k}")
        assert compile_workflow(one).workflow is one
        del one
