"""Nets of workflows for questions about them, with what the translation assumes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TypedDict

from wfsim.arguments import listed_in
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.uses import parts
from wfsim.model.workflow import Workflow
from wfsim.net.petri import PetriNet
from wfsim.net.translate import to_net
from wfsim.verification.nets.limits import UNLIMITED, Limits

DEFAULT_ITEMS = 2

NET_ASSUMPTIONS = (
    "conditions may come out either way, and clocks may expire at any moment or never",
    "an operator's cancel, and the workflow timer, only where a transition handles them",
)


class Translation(TypedDict, total=False):
    """The parameters of `to_net`, but for the workflow."""

    instances: int
    pools: Mapping[str, int] | None
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None
    items: int
    messages: int
    max_variants: int


def net_of(
    workflow: Workflow | Iterable[Workflow], limits: Limits = UNLIMITED, **translation: object
) -> tuple[PetriNet, tuple[str, ...]]:
    """The net of a workflow, or of several together, and what the translation assumes.

    Raises
    ------
    OutOfTime
        If the time is over before the net is there.
    """
    what = "soundness asks a PetriNet, a Workflow, or several Workflows"
    workflows = [workflow] if isinstance(workflow, Workflow) else listed_in(workflow, what, "Load one: wf.load(path).")
    options: Translation = {**translation}  # type: ignore[typeddict-item]
    catalogue = as_catalogue(options.get("catalogue"))
    options["catalogue"] = catalogue

    def between() -> None:
        limits.check("the workflow was translated to a net")

    net = to_net(workflows[0] if len(workflows) == 1 else workflows, between=between, **options)
    family = {each.name: each for each in workflows}
    for each in workflows:
        if len(catalogue):
            family.update({one.name: one for one in catalogue.family(each).all_versions()})
    states = [state for each in family.values() for part in parts(each) for state in part.region.states]
    assumed = list(NET_ASSUMPTIONS)
    items = options.get("items", DEFAULT_ITEMS)
    if any(state.for_each is not None and not isinstance(state.for_each.items, (list, tuple)) for state in states):
        assumed.append(f"lists that are not written out have at most {items} items")
    alone = any(state.invoke is not None for state in states) and not len(catalogue)
    if alone or any(state.for_each is not None and state.for_each.workflow is not None for state in states):
        assumed.append("an open child closes in every way it may, or never" if alone else CHILDREN_OF_ITEMS)
    if len(workflows) > 1:
        assumed.append(
            "one instance of each workflow; events that they send each other come from nobody else, and beyond "
            f"{options.get('messages', 1)} of a sort on their way they are lost"
        )
    return net, tuple(assumed)


CHILDREN_OF_ITEMS = "children that run for the items of a list close in every way they may, or never"
