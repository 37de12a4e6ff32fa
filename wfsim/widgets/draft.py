"""A workflow that is being changed: plain data by element, and the workflow that it says afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from wfsim.errors import DefinitionError, WfsimError, did_you_mean, listed
from wfsim.model.naming import element_at, element_paths
from wfsim.model.problems import Problem, definition_error, from_validation
from wfsim.model.renaming import rename, value_at
from wfsim.model.supplying import like
from wfsim.model.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.model.problems import Path

Data = dict[str, Any]


class Draft:
    """Plain data of a workflow, to be changed by element; names are those of `wfsim.model.naming`.

    Attributes
    ----------
    workflow
        What it says before the change.
    data
        What it says now, all keys spelt out, defaults that nobody wrote left out.
    """

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.paths = element_paths(workflow)
        self.data: Data = plain(workflow.model_dump(by_alias=True, exclude_unset=True))

    def path(self, element: str, *kinds: str) -> Path:
        """Where an element stands; `WfsimError` if there is none such, or of another kind."""
        kind, _, name = element.partition(":")
        if kinds and kind not in kinds:
            raise WfsimError(f"{element[:80]!r} is no {' or '.join(kinds)}.")
        if element not in self.paths:
            known = [each for each in self.paths if each.startswith(f"{kind}:")]
            names = listed([each.partition(":")[2] for each in known], 8) or "none"
            raise WfsimError(
                f"there is no {kind[:40]} {name[:80]!r}. There are: {names}.{did_you_mean(element, known)}"
            )
        return self.paths[element]

    def at(self, path: Path) -> Any:
        """What stands at a path."""
        return value_at(self.data, path)

    def regions(self) -> Iterator[tuple[Path, Data]]:
        """Every region as it is now, with its path."""

        def walk(path: Path, region: Data) -> Iterator[tuple[Path, Data]]:
            yield path, region
            for index, state in enumerate(region["states"]):
                for number, inner in enumerate(state.get("parallel", {}).get("regions", ())):
                    yield from walk((*path, "states", index, "parallel", "regions", number), inner)

        return walk((), self.data)

    def region_of(self, path: Path) -> Data:
        """The region that a state or transition stands in."""
        region: Data = self.at(path[:-2])
        return region

    def section(self, kind: str) -> Data:
        """`types`, `variables`, `events` or `activities`, to add to or take from."""
        found: Data = self.data.setdefault(kind, {})
        return found

    def rename(self, path: Path, new: str) -> None:
        """Call an element otherwise, wherever it is meant."""
        rename(self.workflow, self.data, path, new)

    def result(self) -> Workflow:
        """What it says now; a draft, in which names may be missing that a condition or an action uses.

        Raises
        ------
        DefinitionError
            If something cannot be, or could not be drawn: two states of one name, a transition to nowhere.
        """
        for name in [name for name, value in self.data.items() if value == {} and name != "unhandled"]:
            del self.data[name]
        try:
            workflow = Workflow.model_validate(self.data, context={"unchecked": True})
        except ValidationError as error:
            problems = from_validation([dict(each) for each in error.errors()], self.data)
            raise definition_error([Problem((), each.message) for each in problems]) from None
        for names, region in workflow.regions():
            where = f" in region {'/'.join(names)!r}" if names else ""
            known = [state.name for state in region.states]
            for name in known:
                if known.count(name) > 1:
                    raise DefinitionError(f"there would be two states {name!r}{where}. Choose another name.")
            used = [region.initial_state, *(each.from_ for each in region.transitions)]
            used += [each.to for each in region.transitions if each.to is not None]
            for name in used:
                if name not in known:
                    raise DefinitionError(
                        f"there is no state {name!r}{where}. States: {listed(known, 8)}.{did_you_mean(name, known)}"
                    )
            for state in region.states:
                inner = [each.name for each in state.parallel.regions] if state.parallel is not None else []
                for name in inner:
                    if inner.count(name) > 1:
                        raise DefinitionError(f"there would be two regions {name!r} in state {state.name!r}.")
        return like(workflow, self.workflow)

    def id_at(self, path: Path) -> str:
        """What the element at a path was called before the change."""
        return element_at(self.paths, path)


def plain(value: Any) -> Any:
    """Mappings and lists that can be changed."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value
