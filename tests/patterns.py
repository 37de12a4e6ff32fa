"""What the definitions of notebooks/02_patterns.ipynb do: each is played, and the traces are kept beside this file.

`python -m tests.patterns` writes what `step` says into the traces.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import wfsim as wf
from tests.language import Example, played

NOTEBOOK = Path("notebooks/02_patterns.ipynb")
TRACES = Path(__file__).with_name("pattern_traces.txt")
_CELL = re.compile(r'^pattern_(\d+) = prove\("""\n(.*)"""\)$', re.DOTALL)
_HELPER = re.compile(r'wf\.loads\("""\n(.*?)"""\)', re.DOTALL)


def patterns() -> dict[int, wf.Workflow]:
    """The definitions of the notebook, by number of their pattern."""
    cells = ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]]
    return {int(found[1]): wf.loads(found[2]) for cell in cells if (found := _CELL.match(cell))}


def known() -> wf.Catalogue:
    """All definitions of the notebook, with the two that they run."""
    first = next(
        source
        for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
        if "follow_up = " in (source := "".join(cell["source"]))
    )
    return wf.Catalogue([*patterns().values(), *map(wf.loads, _HELPER.findall(first))])


def traces() -> dict[int, str]:
    """The traces by number of their pattern."""
    parts = re.split(r"^# (\d+).*\n", TRACES.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {int(number): body.strip("\n") + "\n" for number, body in zip(parts[1::2], parts[2::2])}


def replayed(number: int) -> str:
    """The trace of a pattern as `step` tells it now."""
    return played(Example(patterns()[number]), traces()[number], known())


if __name__ == "__main__":
    names = {number: workflow.name for number, workflow in patterns().items()}
    TRACES.write_text("\n".join(f"# {n} {names[n]}\n{replayed(n)}" for n in sorted(names)), encoding="utf-8")
