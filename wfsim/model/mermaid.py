"""A workflow as text of Mermaid, which draws it where Markdown is shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wfsim.model.picture import told_transition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.model.definition import Definition
    from wfsim.model.elements import Region

_UNSAFE = re.compile(r"[^A-Za-z0-9 _.,/()→-]")


def to_mermaid(workflow: Definition) -> str:
    """The states and transitions as a `stateDiagram-v2` [1]_.

    Names are written with all signs that mean something to Mermaid as `#<code>;`, so that no name can be read as
    anything but a name.

    References
    ----------
    .. [1] https://mermaid.js.org/syntax/stateDiagram.html

    Examples
    --------
    >>> import wfsim as wf
    >>> print(to_mermaid(wf.new("minimal")))
    stateDiagram-v2
        state "waiting" as s1
        state "finished" as s2
        [*] --> s1
        s1 --> s2: finish
        s2 --> [*]
    <BLANKLINE>
    """
    names: dict[tuple[str, ...], str] = {}
    for path, region in workflow.regions():
        for state in region.states:
            names[*path, state.name] = f"s{len(names) + 1}"
    return "\n".join(["stateDiagram-v2", *_region(workflow, (), names, 1), ""])


def _region(
    region: Definition | Region, path: tuple[str, ...], names: dict[tuple[str, ...], str], depth: int
) -> Iterator[str]:
    space = "    " * depth
    for state in region.states:
        own = names[*path, state.name]
        yield f'{space}state "{_escaped(state.name)}" as {own}'
        if state.parallel is not None:
            yield f"{space}state {own} {{"
            for number, inner in enumerate(state.parallel.regions):
                if number:
                    yield f"{space}    --"
                yield from _region(inner, (*path, state.name, inner.name), names, depth + 1)
            yield f"{space}}}"
    yield f"{space}[*] --> {names[*path, region.initial_state]}"
    for transition in region.transitions:
        source = names[*path, transition.from_]
        target = names[*path, transition.to if transition.to is not None else transition.from_]
        yield f"{space}{source} --> {target}: {_escaped(' '.join(told_transition(transition)))}"
    for state in region.states:
        if state.is_terminal:
            yield f"{space}{names[*path, state.name]} --> [*]"


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda sign: f"#{ord(sign.group())};", text)
