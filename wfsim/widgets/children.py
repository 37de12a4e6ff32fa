"""The open children of an instance that is stepped, each to be stepped itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from wfsim.errors import WfsimError, listed
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.stimulus import Stimulus

from .child_actions import child_name, child_workflow
from .telling import started_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wfsim.history.case import Case
    from wfsim.model.catalogue import Catalogue
    from wfsim.semantics.pending import OpenChild

    from .ways import Step


class Stepped(Protocol):
    """What steps through an instance."""

    @property
    def instance(self) -> Instance:
        """Where it is."""
        ...

    def take(self, stimulus: Stimulus) -> object:
        """Let something happen."""
        ...


S = TypeVar("S", bound=Stepped)


class Children(Generic[S]):
    """Children by the activation that started each; asking again gives the same one.

    Parameters
    ----------
    begin
        Gives what steps through a case, or an instance.
    recorded
        Of a case of a history, the cases of its children, by the record that started each.
    catalogue
        Where definitions of children are found.
    """

    def __init__(
        self, begin: Callable[[Case | Instance], S], recorded: Mapping[str, Case], catalogue: Catalogue | None
    ) -> None:
        self._begin, self._recorded, self._catalogue = begin, recorded, catalogue
        # Those on different ways, after going back, may have one number; their records tell them apart.
        self._opened: dict[tuple[int, str], S] = {}

    def can_open(self, instance: Instance, child: OpenChild) -> bool:
        """Whether the definition of a child is known."""
        return child_workflow(instance, child) is not None or (
            self._catalogue is not None and child.workflow in self._catalogue
        )

    def open(self, instance: Instance, steps: Sequence[Step], activation: int) -> S:
        """The child that an activation started within these steps; see `Stepping.open_child`."""
        child = next((one for one in instance.children() if one.activation == activation), None)
        if child is None:
            shown = listed(f"{one.activation} ({child_name(one)})" for one in instance.children())
            raise WfsimError(f"no child {activation} is open now. Open: {shown or 'none'}.")
        record = started_by(steps, activation)
        key = (activation, str(record))
        if key in self._opened:
            return self._opened[key]
        if key[1] in self._recorded:
            found = self._begin(self._recorded[key[1]])
        else:
            workflow = child_workflow(instance, child)
            if workflow is None:
                if self._catalogue is None:
                    raise WfsimError(
                        f"the definition of {child.workflow!r} is not known here. Give the folder of the workflows: "
                        "catalogue='models'."
                    )
                workflow = self._catalogue.get(child.workflow, child.version)
            found = self._begin(Instance(compile_workflow(workflow, self._catalogue)))
            if record is not None:
                inputs, sender = record.payload.get("input", {}), instance.program.workflow.name
                found.take(Stimulus("start", record.time, payload=inputs, sender=sender))
        self._opened[key] = found
        return found

    def stepped(self, instance: Instance, steps: Sequence[Step]) -> dict[int, Instance]:
        """Where the open children are that have been opened, by activation."""
        numbers = [child.activation for child in instance.children()]
        keys = {number: (number, str(started_by(steps, number))) for number in numbers}
        return {number: self._opened[key].instance for number, key in keys.items() if key in self._opened}
