"""The library of workflows that ships with wfsim: thirteen real processes with scenarios and what must hold of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wfsim.arguments import expect
from wfsim.errors import CatalogueError, did_you_mean, listed
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import load

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class ExampleFiles:
    """Where the files of an example lie: for `wf.load`, `wf.load_scenario` and `wf.verify`.

    `log` is what another system told of the same process, for `wf.read_log`. `scenario`, `properties` and `log` are
    `None` where there is none. The folder of `definition` is a catalogue: `wf.Catalogue(files.definition.parent)`.
    """

    definition: Path
    scenario: Path | None
    properties: Path | None
    log: Path | None


def examples() -> dict[str, ExampleFiles]:
    """The examples by name, in order of names; `models/README.md` says what each shows.

    Examples
    --------
    >>> sorted(examples())[:3]
    ['document_request', 'employee_onboarding', 'fenced_shard']
    >>> examples()["order_processing"].scenario.name
    'order_processing.scenario.yaml'
    """
    root = _root()
    models, properties = root / "models", root / "verification"
    found: dict[str, ExampleFiles] = {}
    for file in sorted(models.rglob("*.yaml")):
        if not file.name.endswith(".scenario.yaml"):
            name = file.relative_to(models).with_suffix("").as_posix()
            beside = (file.with_suffix(".scenario.yaml"), properties / f"{name}.yaml", file.with_suffix(".log.xes.gz"))
            found[name] = ExampleFiles(file, *(each if each.exists() else None for each in beside))
    return found


def example(name: str) -> Workflow:
    """One of the workflows that ship with wfsim.

    Parameters
    ----------
    name
        A name of `examples()`, such as `order_processing`, or `published/order_processing` for the same workflow as it
        was published, defects included.

    Raises
    ------
    CatalogueError
        If there is no such example.
    TypeError
        If `name` is no text.

    Examples
    --------
    >>> example("order_processing")
    <Workflow 'order_processing' 2.0.0: 13 states, 29 transitions>
    """
    known = examples()
    expect(name, str, "example takes the name of an example", f"Examples: {listed(known)}.")
    if name not in known:
        raise CatalogueError(
            f"{name!r} is not an example of wfsim. Examples: {listed(known)}.{did_you_mean(name, known)}"
        )
    return load(known[name].definition)


def _root() -> Path:
    """The folder with `models/` and `verification/`: inside an installed package, beside it in a checkout."""
    inside = _PACKAGE / "library"
    return inside if inside.is_dir() else _PACKAGE.parent
