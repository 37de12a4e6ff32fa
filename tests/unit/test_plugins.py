"""What other packages add by entry points: activities, samplers, checks (`wfsim.plugins`)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import wfsim as wf
from tests.declared import one
from wfsim.cli import app
from wfsim.errors import PluginError, ScenarioError, StartRefused
from wfsim.plugins import KINDS, installed

Install = Callable[..., None]
_NUMBERS = itertools.count()

CODE = """
def charge(amount): return amount * 2
def in_context(context, amount): return [context.activity, amount]
def wrong(price): return price
def pareto(minimum, alpha, points=5):
    from wfsim import Duration
    low = int(Duration.of(minimum)) / 1e6
    return {"empirical": {"values": [round(low * (1 - (k + 0.5) / points) ** (-1 / alpha), 6) for k in range(points)]}}
def no_law(): return {"cauchy": 3}
def owned(workflow):
    if not workflow.description:
        yield (), "it has no description", "Say whose it is."
    for n, state in enumerate(workflow.states):
        if state.name == "bad":
            yield ("states", n), f"{state.name!r} is a bad name", "Rename it."
def breaks(workflow): return 1 / 0
def gives_texts(workflow): return ["text"]
value = 7
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution with these entry points, `kind={name: function}`, where Python finds it."""

    def put(code: str = CODE, name: str = "acme", **kinds: dict[str, str]) -> None:
        module = f"{name}_{next(_NUMBERS)}"
        folder = tmp_path / module
        info = folder / f"{name}-1.2.dist-info"
        info.mkdir(parents=True)
        (folder / f"{module}.py").write_text(code)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        points = [
            f"[wfsim.{kind}]\n" + "\n".join(f"{one} = {module}:{function}" for one, function in given.items())
            for kind, given in kinds.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(points) + "\n")
        monkeypatch.syspath_prepend(folder)

    return put


def ran(workflow: wf.Workflow, **given: Any) -> Any:
    with wf.start(workflow, **given) as run:
        run.wait(timeout=10)
        return run.output["result"]


def test_a_worker_carries_activities_out_with_functions_of_other_packages(install: Install) -> None:
    workflow = one({"amount": "integer"}, {"amount": 4})
    with pytest.raises(StartRefused, match="no function is given for 'f'"):
        wf.start(workflow)
    install(activities={"f": "charge", "other.f": "wrong", "f@3": "in_context"})
    assert ran(workflow) == 8
    assert ran(workflow, activities={"f": lambda amount: "mine"}) == "mine"
    assert ran(one({"amount": "integer"}, {"amount": 4}, version=3)) == ["f", 4]
    assert wf.try_activity(workflow, "f", input={"amount": 5}).result == 10


def test_what_a_definition_says_comes_before_a_plugin(install: Install) -> None:
    install(activities={"f": "charge"})
    came = wf.try_activity(one({"amount": "integer"}, http={"url": "http://127.0.0.1:9/"}), "f", input={"amount": 1})
    assert came.error_type == "Http.refused"


def test_a_function_of_another_package_has_to_fit_as_well(install: Install) -> None:
    install(activities={"f": "wrong"})
    with pytest.raises(StartRefused, match="needs 'price', which the workflow does not give"):
        wf.start(one({"amount": "integer"}))


def scenario(duration: Any) -> wf.Scenario:
    return wf.Scenario(activities={"f": {"duration": duration}})


def test_a_sampler_gives_a_distribution_in_terms_of_those_that_there_are(install: Install) -> None:
    install(samplers={"pareto": "pareto", "no_law": "no_law", "constant": "wrong"})
    found = scenario({"pareto": {"minimum": "20s", "alpha": 1.5}})
    plain = found.model_dump(exclude_unset=True)["activities"]["f"]["duration"]
    assert list(plain) == ["empirical"]
    assert len(plain["empirical"]["values"]) == 5
    # What is kept needs the package no more, and is the same at both speeds.
    assert wf.Scenario(**found.model_dump(exclude_unset=True)) == found
    with wf.simulate(one(), found, cases=9, engine="python") as history:
        (drawn,) = zip(*history.sql("SELECT DISTINCT service FROM history WHERE service > 0").fetchall())
        # Those that last longer end at the timeout of an attempt.
        assert 20_000_000 < min(drawn) < 60_000_000
        assert set(drawn) <= {60_000_000, *(int(wf.Duration.of(each)) for each in plain["empirical"]["values"])}
    parts = [{"weight": 1, "pareto": {"minimum": "1m", "alpha": 2}}, {"weight": 1, "constant": "1m"}]
    mixed = {"mixture": {"of": parts}}
    assert "empirical" in str(scenario(mixed).model_dump())
    assert scenario({"constant": "5m"}) == scenario("5m")


@pytest.mark.parametrize(
    ("duration", "told"),
    [
        ({"pareto": {"minimum": "2m"}}, "pareto does not take .*alpha"),
        ({"pareto": {"minimum": "soon", "alpha": 1}}, "soon"),
        ({"pareto": {"minimum": "1m", "alpha": 0}}, "pareto does not take .*division"),
        ({"pareto": "2m"}, "takes its parameters as a mapping"),
        ({"no_law": {}}, "which is no distribution"),
        ({"paretto": {"minimum": "2m"}}, "not a key of a distribution"),
    ],
)
def test_what_a_sampler_does_not_take_or_may_not_give_is_told(
    install: Install, duration: Any, told: str, tmp_path: Path
) -> None:
    install(samplers={"pareto": "pareto", "no_law": "no_law"})
    file = tmp_path / "order.scenario.yaml"
    file.write_text(json.dumps({"activities": {"f": {"duration": duration}}}))
    with pytest.raises(ScenarioError, match=told):
        wf.load_scenario(file)


def test_checks_are_findings_of_lint_that_can_be_left_out(install: Install) -> None:
    workflow = wf.loads(wf.dumps(one()))
    install(checks={"acme-owned": "owned"})
    found = [each for each in wf.lint(workflow) if each.code == "acme-owned"]
    assert [str(each.severity) for each in found] == ["warning", "warning"]
    assert "'bad' is a bad name" in found[1].message
    assert found[1].place == "states[2]"
    assert found[1].line is not None
    assert "acme-owned" not in {each.code for each in wf.lint(workflow, ignore=["acme-owned"])}
    with pytest.raises(wf.WfsimError, match=r"no finding has the code 'acme-owner'\. Did you mean 'acme-owned'\?"):
        wf.lint(workflow, ignore=["acme-owner"])


@pytest.mark.parametrize(
    ("name", "function", "told"),
    [
        ("acme-breaks", "breaks", r"'acme-breaks' of wfsim.checks \(.*:breaks, acme 1.2\) failed on one: ZeroDivision"),
        ("acme-texts", "gives_texts", "gave 'text', which is no finding"),
        ("acme-none", "not_there", "cannot be loaded: AttributeError"),
        ("acme-value", "value", "is int, not a function"),
        ("state-unreachable", "owned", "named like a finding of wfsim. Name it after its package"),
    ],
)
def test_a_check_that_fails_is_told_and_can_be_left_out(install: Install, name: str, function: str, told: str) -> None:
    install(checks={name: function})
    with pytest.raises(PluginError, match=told):
        wf.lint(one())
    wf.lint(one(), ignore=[name])


def test_what_two_packages_have_is_used_of_neither(install: Install) -> None:
    install(activities={"f": "charge"})
    install(name="rival", activities={"f": "charge"})
    with pytest.raises(PluginError, match=r"acme 1\.2 and rival 1\.2|rival 1\.2 and acme 1\.2"):
        wf.start(one({"amount": "integer"}, {"amount": 4}))


def test_the_command_line_lists_them_with_what_is_wrong(install: Install) -> None:
    runner = CliRunner()
    assert all(installed(kind) == {} for kind in KINDS)
    assert "None: no package" in runner.invoke(app, ["plugins"]).output
    install(activities={"f": "charge"}, samplers={"pareto": "pareto"})
    fine = runner.invoke(app, ["plugins"])
    assert fine.exit_code == 0
    assert "pareto" in fine.output
    install("import no_such_module", name="broken", checks={"broken-check": "check"})
    wrong = runner.invoke(app, ["plugins", "--json"])
    assert wrong.exit_code == 1
    rows = {row["name"]: row for row in json.loads(wrong.stdout)}
    assert rows["f"]["problem"] is None
    assert rows["f"]["packages"] == ["acme 1.2"]
    assert "No module named 'no_such_module'" in rows["broken-check"]["problem"]
