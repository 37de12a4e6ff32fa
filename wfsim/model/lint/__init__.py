"""The linter: what is well formed in a workflow, yet wrong or undecided.

Only the graph, the data flow and the clocks of the definition are looked at; nothing is searched or run.
Each code is explained in `docs/lint.md`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wfsim.arguments import expect, listed_in
from wfsim.errors import OptionError, did_you_mean, listed
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.lint import (
    added,
    children,
    clocks,
    counting,
    forgotten,
    handed,
    late,
    naming,
    overlooked,
    regions,
    structure,
    talking,
    undoing,
    variables,
    work,
)
from wfsim.model.lint.findings import SEVERITIES, Finding, Findings, Severity
from wfsim.model.lint.graph import region_graphs
from wfsim.model.lint.ways import Ways
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import source_of
from wfsim.plugins import CHECKS, installed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.model.problems import Path

__all__ = ["SEVERITIES", "Finding", "Findings", "Severity", "lint"]


def lint(
    workflow: Workflow,
    *,
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] = (),
    ignore: Iterable[str] = (),
) -> Findings:
    """Find what is well formed in a workflow, yet wrong or undecided.

    Parameters
    ----------
    catalogue
        Other workflows that this one may meet: those it invokes, those that invoke it, those it writes to; or their
        folder. Children that are not there or would refuse to start, recursion through others, and messages they would
        not take, are found only if they are given.
    ignore
        Codes of findings that are left out: what is meant as it is.

    Returns
    -------
    Findings
        A list in the order of the file, then of the codes; empty for a clean workflow. `.df()` gives a table.

    Raises
    ------
    OptionError
        If there is no finding of a code that is to be left out.
    PluginError
        If a check that another package adds fails; `ignore` leaves it out.

    Notes
    -----
    Time is about the number of states times the number of transitions per region.

    Examples
    --------
    >>> from wfsim.model.template import new
    >>> lint(new("order"))
    no findings
    """
    expect(workflow, Workflow, "lint takes a Workflow", "Load one: wf.load(path).")
    left_out = listed_in(ignore, "lint takes a list of codes", "Write ignore=['outcome-forgotten'].")
    known = [*SEVERITIES, *(name for name in installed(CHECKS) if name not in SEVERITIES)]
    for code in left_out:
        if code not in known:
            instead = did_you_mean(code, known) or f" There are: {listed(known, len(known))}."
            raise OptionError(f"ignore: no finding has the code {code!r}.{instead}")
    source = source_of(workflow)
    found: list[tuple[tuple[int, ...], Finding]] = []

    def report(
        code: str,
        path: Path,
        place: str,
        message: str,
        advice: str,
        *,
        table: tuple[tuple[str, ...], ...] = (),
        way: list[int] | None = None,
    ) -> None:
        if code in left_out:
            return
        file = source.file if source is not None else None
        line = source.line_of(path) if source is not None else None
        severity = SEVERITIES.get(code, Severity.WARNING)
        told = ways.to(path) if way is None else ways.along(path, way)
        finding = Finding(code, severity, place, message, advice, file, line, table, told, path)
        found.append(((line or 0, *_position(workflow, path)), finding))

    graphs = region_graphs(workflow)
    ways = Ways(workflow, graphs)
    for graph in graphs:
        structure.states(graph, report)
        structure.transitions(graph, report)
        clocks.timeouts(graphs, graph, report)
    structure.events(workflow, graphs, report)
    structure.compared_states(workflow, graphs, report)
    structure.activities(workflow, graphs, report)
    variables.variables(workflow, graphs, report)
    regions.joins(graphs, report)
    regions.races(workflow, graphs, report)
    work.work(graphs, report)
    work.clocks_of_activities(workflow, report)
    work.retries(workflow, report)
    undoing.undoing(workflow, graphs[0], report)
    forgotten.forgotten(workflow, graphs[0], report)
    late.late(workflow, graphs[0], report)
    naming.naming(workflow, graphs, report)
    counting.counting(graphs, report)
    overlooked.overlooked(workflow, graphs, report)
    handed.handed(workflow, report)
    # Read twice, so that a generator will do.
    others = as_catalogue(catalogue) if isinstance(catalogue, (str, os.PathLike)) else catalogue
    others = (
        others
        if isinstance(others, Catalogue)
        else listed_in(others, "lint takes a catalogue", "Give wf.Catalogue(folder).")
    )
    talking.talking(workflow, others, report)
    children.children(workflow, others, report)
    added.added(workflow, [name for name in installed(CHECKS) if name not in left_out], report)
    found.sort(key=lambda pair: (pair[0], pair[1].code, pair[1].place, pair[1].message))
    return Findings(finding for _, finding in found)


def _position(workflow: Workflow, path: Path) -> tuple[int, ...]:
    """Where a path stands in the canonical order of the definition."""
    if not path:
        return (-1,)
    sections = list(Workflow.model_fields)
    position = [sections.index(str(path[0]))]
    if len(path) > 1 and isinstance(path[1], str):
        section = getattr(workflow, str(path[0]))
        position.append(list(section).index(path[1]) if path[1] in section else 0)
    return (*position, *(part for part in path if isinstance(part, int)))
