"""How an instance comes to what a finding is about: transition by transition, as the workflow is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.lint.graph import LONGEST
from wfsim.model.uses import activity_uses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.model.lint.graph import RegionGraph
    from wfsim.model.problems import Path
    from wfsim.model.workflow import Workflow


class Ways:
    """The shortest ways from the start; whether conditions let them be gone is not asked."""

    def __init__(self, workflow: Workflow, graphs: Iterable[RegionGraph]) -> None:
        self._graphs = {graph.part.path: graph for graph in graphs}
        self._uses: dict[str, Path] = {}
        for path, _, name in activity_uses(workflow):
            if path[0] != "activities":
                self._uses.setdefault(name, path)

    def to(self, path: Path) -> tuple[str, ...]:
        """To what lies at a path: a state, a transition, the first use of an activity; empty for all else."""
        if path[:1] == ("activities",) and len(path) > 1:
            path = self._uses.get(str(path[1]), ())
        if path[:2] == ("timeouts", "states") and len(path) > 2:
            graph = self._graphs[()]
            path = graph.part.state_path(graph.state_index.get(str(path[2]), -1))
        graph = self._innermost(path)
        match path[len(graph.part.path) :]:
            case ("states", int(number), *_) if 0 <= number < len(graph.region.states):
                return self._told(graph, graph.way_to(graph.region.states[number].name))
            case ("transitions", int(number), *_) if 0 <= number < len(graph.region.transitions):
                before = graph.way_to(graph.region.transitions[number].from_)
                taken = [number] if graph.usable(number) else []
                return self._told(graph, None if before is None else [*before, *taken])
        return ()

    def along(self, path: Path, indices: list[int]) -> tuple[str, ...]:
        """By these transitions of the region that a path lies in."""
        return self._told(self._innermost(path), indices)

    def _told(self, graph: RegionGraph, indices: list[int] | None) -> tuple[str, ...]:
        """Transitions of a region in words, after those that lead into the region; empty if nothing leads there."""
        if indices is None:
            return ()
        told = [str(graph.region.transitions[index]) for index in indices[-LONGEST:]]
        for outer, around in graph.around:
            before = outer.way_to(around.name)
            if before is None:
                return ()
            told = [*(str(outer.region.transitions[index]) for index in before), *told]
        return tuple(told[-LONGEST:])

    def _innermost(self, path: Path) -> RegionGraph:
        inner = (path[:n] for n in range(len(path), 0, -1) if path[:n] in self._graphs)
        return self._graphs[next(inner, ())]
