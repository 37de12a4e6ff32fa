"""What parts of a definition are called in drawings and records, and where they stand in it.

`state:<path>`, `region:<path>` and `transition:<number>` as in `wfsim.model.picture`; `type:<name>`, `variable:<name>`,
`event:<name>`, `activity:<name>`, and `workflow` for what is outside of all these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.uses import parts

if TYPE_CHECKING:
    from wfsim.model.definition import Definition
    from wfsim.model.problems import Path

WHOLE = "workflow"
SECTIONS = {"type": "types", "variable": "variables", "event": "events", "activity": "activities"}


def element_paths(workflow: Definition) -> dict[str, Path]:
    """Where each element stands, outermost region first; linear in the size of the definition."""
    found: dict[str, Path] = {WHOLE: ()}
    number = 0
    for (names, region), part in zip(workflow.regions(), parts(workflow), strict=True):
        if names:
            found[f"region:{'/'.join(names)}"] = part.path
        for index, state in enumerate(region.states):
            found[f"state:{'/'.join((*names, state.name))}"] = part.state_path(index)
        for index in range(len(region.transitions)):
            number += 1
            found[f"transition:{number}"] = part.transition_path(index)
    for kind, section in SECTIONS.items():
        found |= {f"{kind}:{name}": (section, name) for name in getattr(workflow, section)}
    return found


def element_at(paths: dict[str, Path], path: Path) -> str:
    """The innermost element around a path; what belongs to none belongs to the whole."""
    known = {each: element for element, each in paths.items()}
    while path not in known:
        path = path[:-1]
    return known[path]
