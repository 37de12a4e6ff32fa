"""A catalogue: many workflows, in several versions at once; who asks for a range gets the newest that fits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import semver

from wfsim.arguments import listed_in
from wfsim.errors import CatalogueError, did_you_mean, listed
from wfsim.model.fields import range_parts
from wfsim.model.functions import Python
from wfsim.model.problems import shown
from wfsim.model.shorthand import SHARED
from wfsim.model.supplying import for_all, supplied
from wfsim.model.uses import Invoked, addressed, invoked
from wfsim.model.values import brief
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import load

OTHERS = (".scenario.yaml", SHARED)


class Catalogue:
    """Workflows by name and version.

    Parameters
    ----------
    source
        A folder, whose `*.yaml` files are read, or workflows. Scenarios (`*.scenario.yaml`), what files share
        (`*.shared.yaml`) and inner folders are left out.
    functions
        Functions in Python, for every workflow that declares one of that name (M14).

    Raises
    ------
    DefinitionError
        If a file cannot be read as a workflow.
    CatalogueError
        If the folder is missing or empty, or one name and version stands for two different definitions.

    Notes
    -----
    Iteration gives the newest version of each workflow, in order of names.

    Examples
    --------
    >>> from wfsim.model.template import new
    >>> old, recent = new("minimal"), new("minimal").model_copy(update={"version": "1.2.0"})
    >>> catalogue = Catalogue([old, recent])
    >>> catalogue.get("minimal").version, catalogue.get("minimal", ">=1.0.0, <1.2.0").version
    ('1.2.0', '1.0.0')
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Iterable[Workflow] = (),
        *,
        functions: Mapping[str, Python] | None = None,
    ) -> None:
        given = for_all(functions)
        self._versions: dict[str, dict[semver.Version, Workflow]] = {}
        self._files: dict[tuple[str, str], str] = {}
        if isinstance(source, (str, os.PathLike)):
            folder = Path(source)
            files = sorted(one for one in folder.glob("*.yaml") if not one.name.endswith(OTHERS))
            if not files:
                what = "has no *.yaml file" if folder.is_dir() else "is not a folder"
                raise CatalogueError(f"{folder}: {what}. Give the folder of the workflows, such as 'models'.")
            for file in files:
                self._add(supplied(load(file), given), str(file))
        else:
            for workflow in listed_in(source, "a catalogue takes workflows, or their folder", "Give wf.load(path)."):
                self.add(workflow)

    def add(self, workflow: Workflow) -> None:
        """One more workflow, or another version of one that is there; adding the same again changes nothing.

        Raises
        ------
        CatalogueError
            If this name and version stands for another definition already.
        """
        if not isinstance(workflow, Workflow):
            raise CatalogueError(f"a catalogue holds workflows, not {shown(workflow)}.")
        self._add(workflow, "the one added")

    def _add(self, workflow: Workflow, file: str) -> None:
        versions = self._versions.setdefault(workflow.name, {})
        version = semver.Version.parse(workflow.version)
        known = versions.get(version)
        if known is not None and known != workflow:
            raise CatalogueError(
                f"workflow {workflow.name!r} {workflow.version} is there twice, with different definitions: "
                f"{self._files[workflow.name, workflow.version]} and {file}. Give the newer one a higher version."
            )
        versions.setdefault(version, workflow)
        self._files.setdefault((workflow.name, workflow.version), file)

    def __iter__(self) -> Iterator[Workflow]:
        return (self.get(name) for name in sorted(self._versions))

    def __len__(self) -> int:
        """Number of workflows, each counted once whatever its versions."""
        return len(self._versions)

    def __contains__(self, name: object) -> bool:
        return name in self._versions

    def __repr__(self) -> str:
        told = (f"{name} ({', '.join(self.versions(name))})" for name in sorted(self._versions))
        return f"<Catalogue: {listed(told) or 'empty'}>"

    def versions(self, name: str) -> tuple[str, ...]:
        """All versions of a workflow, oldest first (order of https://semver.org).

        Raises
        ------
        CatalogueError
            For an unknown name.
        """
        return tuple(str(version) for version in sorted(self._of(name)))

    def all_versions(self) -> Iterator[Workflow]:
        """Every version of every workflow, by name, oldest first."""
        for name in sorted(self._versions):
            versions = self._versions[name]
            yield from (versions[version] for version in sorted(versions))

    def get(self, name: str, version: str | None = None) -> Workflow:
        """The newest version of a workflow that fits.

        Parameters
        ----------
        version
            `None` or `latest`; one version, `1.2.0`; or a range of comparisons that must all hold,
            `>=1.2.0, <2.0.0`. Pre-releases (`2.0.0-rc.1`) count only where they are named, or nothing else is there.

        Raises
        ------
        CatalogueError
            If there is no such workflow, or no version of it fits; the text lists those there are.
        """
        versions = self._of(name)
        if version is not None and not isinstance(version, str):
            raise CatalogueError(f"a version is a text, '1.2.0' or '>=1.2, <2.0', not {brief(version)}.")
        try:
            wanted = range_parts("latest" if version is None else version)
        except ValueError as error:
            raise CatalogueError(f"workflow {name!r}: {error}") from None
        named = [part for part in wanted if "-" in part]
        fitting = [
            known
            for known in sorted(versions)
            if all(known.match(part) for part in wanted) and (known.prerelease is None or named)
        ]
        if not fitting and not wanted:
            fitting = sorted(versions)
        if not fitting:
            raise CatalogueError(
                f"no version of workflow {name!r} fits {version!r}. Versions: {', '.join(self.versions(name))}."
            )
        return versions[fitting[-1]]

    def family(self, workflow: Workflow) -> Catalogue:
        """What a run of the workflow needs: itself, all it invokes or writes to, and what those do in turn.

        Of a workflow that it only sends messages to, that is the newest version; it need not be here.

        Raises
        ------
        CatalogueError
            If something invoked is not here. Workflows that invoke themselves are not refused: their depth is a
            matter of their conditions.
        """
        found = Catalogue([workflow])
        left = [workflow]
        while left:
            parent = left.pop()
            for use in invoked(parent):
                child = self.child(parent, use)
                name = use.workflow
                if child.version not in (found.versions(name) if name in found else ()):
                    found.add(child)
                    left.append(child)
            for name in addressed(parent):
                if name not in found and name in self:
                    found.add(self.get(name))
                    left.append(self.get(name))
        return found

    def child(self, parent: Workflow, use: Invoked) -> Workflow:
        """The workflow that a state of `parent` runs, in the newest version that fits (M4.4).

        Raises
        ------
        CatalogueError
            If it is not here; the text names the state.
        """
        try:
            return self.get(use.workflow, use.version)
        except CatalogueError as error:
            raise CatalogueError(f"state {use.state!r} of {parent.name!r} runs {use.workflow!r}: {error}") from None

    def _of(self, name: str) -> dict[semver.Version, Workflow]:
        if name not in self._versions:
            raise CatalogueError(
                f"there is no workflow {name!r} in the catalogue. Workflows: "
                f"{listed(sorted(self._versions)) or 'none'}.{did_you_mean(name, self._versions)}"
            )
        return self._versions[name]


def as_catalogue(given: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None) -> Catalogue:
    """A catalogue as people may give one: itself, a folder, workflows, or nothing."""
    return given if isinstance(given, Catalogue) else Catalogue(() if given is None else given)
