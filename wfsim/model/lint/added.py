"""Findings of checks that other packages add (entry points of `wfsim.checks`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from wfsim.errors import PluginError, WfsimError
from wfsim.model.lint.findings import SEVERITIES
from wfsim.model.problems import path_text
from wfsim.plugins import CHECKS, installed

if TYPE_CHECKING:
    from wfsim.model.lint.report import Report
    from wfsim.model.workflow import Workflow


def added(workflow: Workflow, names: Iterable[str], report: Report) -> None:
    """What these checks find.

    Raises
    ------
    PluginError
        If one is named like a finding of wfsim, cannot be loaded, fails, or gives something else than findings.
    """
    for name in names:
        plugin = installed(CHECKS)[name]
        if name in SEVERITIES:
            raise PluginError(f"{plugin} is named like a finding of wfsim. Name it after its package: acme-{name}.")
        check = plugin.load()
        try:
            found = list(check(workflow))
        except WfsimError:
            raise
        except Exception as error:  # told, with whose it is
            raise PluginError(f"{plugin} failed on {workflow.name}: {type(error).__name__}: {error}.") from error
        for each in found:
            if not _is_finding(each, workflow):
                raise PluginError(
                    f"{plugin} gave {each!r:.200}, which is no finding: (path, message, advice), such as "
                    "(('states', 2, 'timeout'), 'too long', 'Write 5m.')."
                )
            path, message, advice = each
            report(name, tuple(path), path_text(tuple(path)) or workflow.name, message, advice)


def _is_finding(found: Any, workflow: Workflow) -> bool:
    if not isinstance(found, tuple) or len(found) != 3:
        return False
    path, *texts = found
    if not isinstance(path, tuple | list) or not all(isinstance(step, str | int) for step in path):
        return False
    known = not path or path[0] in type(workflow).model_fields
    return known and all(isinstance(text, str) and text for text in texts)
