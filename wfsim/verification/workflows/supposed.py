"""What verdicts suppose of functions in Python (M14.6)."""

from __future__ import annotations

from wfsim.model.workflow import Workflow


def assumed(workflow: Workflow, *, any_function: bool = False) -> tuple[str, ...]:
    """What a verdict supposes of the functions that it is about: that they are those given, or nothing."""
    if not workflow.functions:
        return ()
    calls = ", ".join(f"functions.{name}" for name in workflow.functions)
    if any_function or workflow.given.missing:
        return (f"{calls}: any function of the declared types, the same for the same arguments",)
    return (f"{calls}: as they were given",)
