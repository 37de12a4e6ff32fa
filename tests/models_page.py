"""models/README.md: pictures and verdicts of the workflows that ship.

`python -m tests.models_page` draws the pictures anew and writes what is proved into the page.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import wfsim as wf
from wfsim.verification.workflows.properties import Report, load_properties, verify

PAGE = Path("models/README.md")
IMAGES = Path("models/images")
_PROVED = re.compile(r"<!-- proved (\w+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def models() -> list[str]:
    """Names of the workflows of the library, without the published one."""
    return sorted(workflow.name for workflow in wf.Catalogue("models"))


@cache
def report(path: Path) -> Report:
    """The verdicts of a property file on the workflow that it names."""
    named, _ = load_properties(path)
    assert named is not None
    return verify(wf.load(path.parent / named), path, catalogue="models")


def proved(name: str) -> str:
    """What the property file of a model asks, and what came out, as a list."""
    found = report(Path("verification") / f"{name}.yaml")
    lines = [f"- `{asked}` **{verdict.status}**: {verdict.reason}" for asked, verdict in zip(found.properties, found)]
    return "\n".join(lines) + "\n"


def told() -> dict[str, str]:
    """What the page says is proved of each model."""
    return {found[1]: found[2] for found in _PROVED.finditer(PAGE.read_text(encoding="utf-8"))}


def rewritten(text: str) -> str:
    """The page with what is proved now."""
    return _PROVED.sub(lambda found: f"<!-- proved {found[1]} -->\n{proved(found[1])}<!-- end -->\n", text)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for model in models():
        drawing = wf.picture(wf.load(Path("models") / f"{model}.yaml"))
        (IMAGES / f"{model}.svg").write_text(drawing.to_svg(), encoding="utf-8")
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
