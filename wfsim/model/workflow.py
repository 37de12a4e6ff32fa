"""The definition of a workflow: what people draw, write in YAML or build in Python.

It says what was written; meaning is given by `wfsim.semantics`. Its elements check what can be checked
locally, names that must exist elsewhere are checked by `Workflow` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import PrivateAttr, ValidationInfo, model_validator

from wfsim.errors import DrawingError
from wfsim.model.check import check
from wfsim.model.definition import Definition
from wfsim.model.functions import Given, Python
from wfsim.model.problems import definition_error

if TYPE_CHECKING:
    import networkx as nx

    from wfsim.model.placing import Pins


class Workflow(Definition):
    """A whole definition; also the root region (M1.1).

    Loading checks that every name used exists. `wfsim.lint` finds what is well formed yet wrong.
    """

    _source: Any = PrivateAttr(default=None)
    _given: Given | None = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        """Equal when the same was written; where it was loaded from does not matter."""
        return isinstance(other, Workflow) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        def counted(number: int, what: str) -> str:
            return f"{number} {what}{'' if number == 1 else 's'}"

        return (
            f"<Workflow {self.name!r} {self.version}: {counted(len(self.states), 'state')}, "
            f"{counted(len(self.transitions), 'transition')}>"
        )

    __str__ = __repr__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: one line of text, and the picture unless it would be too large to be read."""
        from wfsim.model.picture import shared_picture

        try:
            return {"text/plain": repr(self), "text/html": shared_picture(self).to_html()}
        except DrawingError as error:
            return {"text/plain": f"{self!r}\n{error}"}

    @property
    def given(self) -> Given:
        """The Python functions that it was given, of those that it declares (M14)."""
        before = {} if self._given is None else self._given.functions
        if self._given is None or self._given.signatures != {n: each.signature for n, each in self.functions.items()}:
            # A copy may declare others.
            self._given = Given(
                self.name, self.functions, {n: each for n, each in before.items() if n in self.functions}
            )
        return self._given

    def with_functions(self, **functions: Python) -> Self:
        """The same workflow with Python functions for those that it declares, besides those that it has (M14).

        They are no part of the definition: neither equality nor a saved file knows them. Copies keep them.

        Raises
        ------
        DefinitionError
            For a name that is not declared, what cannot be called, or one that takes another number of arguments.

        Examples
        --------
        >>> from wfsim import loads
        >>> order = loads('''
        ... name: order
        ... initial_state: new
        ... functions: {twice: {input: {n: integer}, result: integer}}
        ... states: [{name: new, is_terminal: true}]
        ... ''').with_functions(twice=lambda n: 2 * n)
        >>> order.given.call("twice", [4])
        8
        """
        copied = self.model_copy()
        copied._given = Given(self.name, self.functions, {**self.given.functions, **functions})
        return copied

    def placed(self) -> Pins:
        """Where a person has put states in the drawing: in the editor that it comes from, or in a file beside its own.

        Raises
        ------
        DrawingError
            If that file says something else.
        """
        return {} if self._source is None else dict(self._source.placed())

    def to_graph(self) -> dict[str, Any]:
        """States and transitions as plain values for JSON, without a layout; `wfsim.model.state_graph` says which."""
        from wfsim.model.state_graph import to_graph

        return to_graph(self)

    def to_networkx(self) -> nx.MultiDiGraph:
        """The state graph for networkx, with all of the definition; `wf.from_networkx` gives the workflow back.

        Nodes are states by path, edges transitions by number; their attributes are the fields of `to_graph`.
        """
        from wfsim.model.state_graph import to_networkx

        attributes = {"definition": self.model_dump_json(by_alias=True, exclude_unset=True)}
        if self._source is not None and not self._source.included:
            attributes["text"] = self._source.text
        return to_networkx(self, **attributes)

    def __hash__(self) -> int:
        return hash((self.name, self.version))

    @model_validator(mode="after")
    def _names_exist(self, info: ValidationInfo) -> Self:
        if not (info.context or {}).get("unchecked"):
            problems = check(self)
            if problems:
                raise definition_error(problems)
        return self
