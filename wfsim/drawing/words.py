"""A picture in words, for those who do not see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.drawing.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.drawing.graph import Graph, Role

MOST_NAMES = 20
_LONGEST = 80
_KINDS = {"place": "place", "transition": "net transition"}


def describe(graph: Graph, highlight: Mapping[str, Role]) -> str:
    """What there is of each kind, by name, how many arrows lead between, and what is lit."""
    kinds: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.shape != "dot":
            kinds.setdefault(_KINDS.get(node.role, "state"), []).append(node.label or node.id)
    for group in graph.groups:
        kinds.setdefault("frame", []).append(group.label or group.id)
    told = [f"{_counted(len(names), kind)}: {_named(names)}" for kind, names in kinds.items()]
    told.append(_counted(len(graph.edges), "arrow"))
    labels = {item.id: item.label or item.id for item in graph.items()}
    lit: dict[Role, list[str]] = {}
    for name, role in highlight.items():
        lit.setdefault(role, []).append(labels[name])
    told += [f"{role.replace('_', ' ')}: {_named(names)}" for role, names in sorted(lit.items())]
    return clean("; ".join(told))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(name[:_LONGEST] for name in names[:MOST_NAMES]) + more
