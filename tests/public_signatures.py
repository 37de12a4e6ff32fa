"""The names people type, with their signatures, as text: `python -m tests.public_signatures` writes it anew."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import wfsim as wf

# What the functions give back: people hold these without naming their classes.
GIVEN = """
analytics.comparison.Comparison
experiments.smallest.Smallest experiments.sweep_result.Sweep
analytics.hot_paths.HotPaths drawing.picture.Picture history.case.Case history.history.Result
history.measures.Measure history.summary.Summary simulation.statistics.Estimate
simulation.statistics.Paired
model.lint.findings.Finding model.lint.findings.Findings runtime.handle.Run runtime.names.RunActivity
service.client.RemoteEngine service.remote.RemoteRun
verification.nets.state_space.StateSpace verification.verdict.NetWitness verification.verdict.Verdict
verification.workflows.report.Report verification.workflows.space.WorkflowSpace
""".split()
PAGE = Path(__file__).parent / "unit" / "public_signatures.txt"


def text() -> str:
    """A line per function, class, method, property and constant that people can use, in order of names."""
    named = [(name, getattr(wf, name)) for name in wf.__all__]
    for home in GIVEN:
        module, _, name = home.rpartition(".")
        named.append((name, getattr(importlib.import_module(f"wfsim.{module}"), name)))
    return "\n".join(line for name, value in named for line in _lines(name, value)) + "\n"


def _lines(name: str, value: Any) -> list[str]:
    if inspect.ismodule(value) and name != "errors":
        return [f"{name}.{each}{_signature(getattr(value, each))}" for each in value.__all__]
    if inspect.ismodule(value):
        errors = [one for one in vars(value).values() if inspect.isclass(one) and issubclass(one, wf.WfsimError)]
        return sorted(f"{name}.{one.__name__}({one.__bases__[0].__name__})" for one in errors)
    if not inspect.isclass(value):
        return [f"{name}{_signature(value)}"]
    # What pydantic and the standard library give to their heirs is not wfsim's to promise.
    homes = [cls for cls in reversed(value.__mro__) if cls.__module__.startswith("wfsim")]
    own = {key: member for cls in homes for key, member in vars(cls).items()}
    told = {key: kind for cls in homes for key, kind in inspect.get_annotations(cls).items()}
    lines = [f"{name}.{key}: {kind}" for key, kind in told.items() if not key.startswith(("_", "model_"))]
    for key, member in sorted(own.items()):
        if not key.startswith(("_", "model_")) and key not in told:
            member = getattr(member, "__func__", member)
            lines.append(f"{name}.{key}{_signature(member) if inspect.isfunction(member) else ''}")
    return [f"class {name}{_signature(value) if '__init__' in own else ''}", *lines]


def _signature(value: Any) -> str:
    return str(inspect.signature(value))


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
