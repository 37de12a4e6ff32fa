"""What can be stepped through, a workflow, a witness, a case: as a first instance and what reaches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wfsim.errors import WfsimError
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.stimulus import Stimulus

from .actions import Actions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wfsim.history.case import Case
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.values import Value


@dataclass(frozen=True, slots=True)
class Opened:
    """A source, ready to be stepped through.

    Attributes
    ----------
    first, stimuli
        The instance before the first step, and what reaches it.
    drawn
        The same workflow as a person has placed it.
    catalogue
        Where the workflows that it runs are found.
    recorded
        Of a case, the cases of its children, by the record that started each.
    why, n_failing
        Of a witness, what it shows, and with how many of its last steps.
    from_start
        Whether it is shown from its beginning.
    """

    first: Instance
    drawn: Workflow
    stimuli: Sequence[Stimulus] = ()
    catalogue: Catalogue | None = None
    recorded: dict[str, Case] = field(default_factory=dict)
    why: str = ""
    n_failing: int = 0
    from_start: bool = False


def opened(source: object, input: Mapping[str, Value] | None, catalogue: Catalogue | None) -> Opened:
    """Open what `Stepping` is given.

    Raises
    ------
    WfsimError
        If there is no stepping through it.
    ReplayError
        If a case does not replay.
    """
    if input is not None and not isinstance(source, Workflow):
        raise WfsimError("input starts a new instance; give it together with a workflow.")
    if isinstance(source, Instance):
        return Opened(source.copy(), source.program.workflow, catalogue=catalogue)
    if isinstance(source, Workflow):
        first = Instance(compile_workflow(source, catalogue))
        needs = any(one.required for one in Actions(first.program).inputs())
        starts = input is not None or not needs
        return Opened(first, source, [Stimulus("start", payload=dict(input or {}))] if starts else [], catalogue)
    if isinstance(source, WorkflowWitness):
        source.replay()
        first = Instance(compile_workflow(source.workflow))
        n_failing = source.loop or min(1, len(source.stimuli))
        why = source.reason or "it is a witness: the run that shows the verdict."
        return Opened(first, source.workflow, source.stimuli, catalogue, why=why, n_failing=n_failing, from_start=True)
    return _case(source, catalogue)


def _case(source: object, catalogue: Catalogue | None) -> Opened:
    from wfsim.history.case import Case
    from wfsim.history.runs import catalogue_of

    if not isinstance(source, Case):
        raise WfsimError(f"there is no stepping through a {type(source).__name__}. {_advice(source)}")
    source.replay()
    children = {child.parent_activation: child for child in source.children}
    recorded = {
        str(record): children[record.payload["activation"]]
        for record in source.records()
        if record.kind == "child_started" and record.payload["activation"] in children
    }
    first = Instance(source.program, key=source.key)
    workflow = first.program.workflow
    # A history holds what was run, and not where it is drawn.
    placed = (each for each in catalogue.all_versions() if each == workflow) if catalogue is not None else iter(())
    return Opened(first, next(placed, workflow), source.stimuli(), catalogue_of(source.run), recorded)


def _advice(source: object) -> str:
    from wfsim.net.petri import PetriNet
    from wfsim.verification.verdict import NetWitness, Verdict
    from wfsim.verification.workflows.conditions.witness import ValuesWitness

    if isinstance(source, Verdict):
        return "Give it the verdict's witness: wf.Stepper(verdict.witness)."
    if isinstance(source, (NetWitness, PetriNet)):
        return "It is about the tokens of a net: wf.TokenGame walks through it."
    if isinstance(source, ValuesWitness):
        return "It shows values that conditions read, not a run that leads to them: see its `values` and `outcomes`."
    return "Give it a workflow, a witness of wf.verify, a case of a history, or an instance."
