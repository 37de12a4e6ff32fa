"""Property files of the Model Checking Contest [1]_: `<property-set>` with a formula for each `<property>`.

Read are the categories ReachabilityDeadlock, ReachabilityCardinality, ReachabilityFireability, UpperBounds,
CTLCardinality, CTLFireability and the global properties QuasiLiveness, StableMarking, Liveness and OneSafe. LTL is not
covered; a formula in which each temporal operator has a path quantifier of its own counts as CTL, wherever it stands.

References
----------
.. [1] Kordon et al. (2024), Model Checking Contest, https://mcc.lip6.fr.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

from wfsim.arguments import as_path
from wfsim.errors import NetError
from wfsim.net._xml import Element, name_from_id, net_file, parse
from wfsim.net.marking import nearest
from wfsim.verification.nets.formulas import (
    And,
    CanFire,
    Constant,
    Deadlock,
    Formula,
    Not,
    Operator,
    Or,
    Temporal,
    linear,
)
from wfsim.verification.property import Property

_TEMPORAL: dict[str, Operator] = {"next": "X", "finally": "F", "globally": "G", "until": "U"}
_GLOBAL = {"quasi-liveness": "quasi_live", "stable-marking": "stable", "liveness": "live"}
_COMPARED = ("integer-le", "integer-lt", "integer-ge", "integer-gt", "integer-eq", "integer-ne")
_BOOLEAN = (
    *("all-paths", "exists-path", "negation", "conjunction", "disjunction", "implication"),
    *(*_COMPARED, "is-fireable", "deadlock", "true", "false"),
)
_INTEGER = ("integer-constant", "tokens-count", "integer-sum", "integer-difference")
_AT_TOP = (*_BOOLEAN, "place-bound", "k-safe", *_GLOBAL)


@dataclass(frozen=True, slots=True)
class UpperBound:
    """How many tokens these places hold together at most."""

    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"upper_bound({', '.join(self.places)})"


Question: TypeAlias = "Property | Formula | UpperBound"


@dataclass(frozen=True, slots=True)
class ContestProperty:
    """One property of a file: what is asked, or why it cannot be.

    Attributes
    ----------
    question
        None if the formula is of a sort that is not covered.
    problem
        Which sort that is; empty if it is covered.
    line
        Where the file has it.
    """

    id: str
    description: str
    question: Question | None
    problem: str = ""
    line: int | None = None

    def __str__(self) -> str:
        return self.id


class _NotCtl(Exception):
    """The formula has a temporal operator without a quantifier of its own."""


def read_properties(path: str | Path) -> list[ContestProperty]:
    """Read a property file of the Model Checking Contest; `wf.check` takes what it holds.

    Places and transitions are meant by their ids, which are the names that nodes of a net read from PNML have.

    Returns
    -------
    list of ContestProperty
        In the order of the file. A formula that is not covered, of LTL, is among them with its `problem`.

    Raises
    ------
    NetError
        If it cannot be read; with `file:line`: not well-formed, DOCTYPE, elements that are unknown or stand where they
        cannot.
    """
    return from_property_set(net_file(as_path(path, "read_properties")), file=str(path))


def from_property_set(text: str | bytes, *, file: str = "<property-set>") -> list[ContestProperty]:
    """Read properties from the text of a file; as `read_properties`, with `file` as the name used in messages."""
    if isinstance(text, str):
        # The text is decoded already, so an encoding that it declares no longer holds.
        text = re.sub(r"^\ufeff?<\?xml[^>]*\?>", "", text, count=1).encode("utf-8", "surrogatepass")
    return _Reader(file).properties(parse(text, file))


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file

    def fail(self, element: Element, what: str) -> NoReturn:
        raise NetError(f"{self.file}:{element.line}: {what}")

    def unknown(self, element: Element, known: tuple[str, ...], where: str) -> NetError:
        text = f"<{element.tag}> cannot stand {where}.\n{nearest(element.tag, known, 'Elements')}"
        return NetError(f"{self.file}:{element.line}: {text}")

    def properties(self, root: Element) -> list[ContestProperty]:
        if root.tag != "property-set":
            self.fail(root, f"the root element is <{root.tag}>, not <property-set>. Is this a property file?")
        found = [self.property(each) for each in root.all("property")]
        if not found:
            self.fail(root, "<property-set> holds no <property>, so nothing would be asked.")
        return found

    def property(self, element: Element) -> ContestProperty:
        named, described, formula = (element.first(tag) for tag in ("id", "description", "formula"))
        if named is None or not named.text:
            self.fail(element, "a <property> has no <id>.")
        if formula is None:
            self.fail(element, f"property {named.text!r} has no <formula>.")
        question, problem = None, ""
        try:
            question = self.question(self.only(formula))
        except _NotCtl as found:
            problem = str(found)
        text = "" if described is None else described.text
        return ContestProperty(named.text, text, question, problem, element.line)

    def question(self, element: Element) -> Question:
        match element.tag:
            case "place-bound":
                return UpperBound(self.names(element, "place"))
            case "k-safe":
                inner = self.only(element)
                if inner.tag != "integer-constant":
                    raise self.unknown(inner, ("integer-constant",), "in <k-safe>")
                k = self.number(inner)
                return Property("one_safe") if k == 1 else Property("bounded", {"k": k})
            case tag if tag in _GLOBAL:
                return Property(_GLOBAL[tag])
            case tag if tag not in (*_AT_TOP, *_TEMPORAL):
                raise self.unknown(element, _AT_TOP, "in <formula>")
        return self.formula(element)

    # --- formulas -------------------------------------------------------------------------------------------

    def formula(self, element: Element) -> Formula:
        match element.tag:
            case "all-paths" | "exists-path":
                return self.quantified(element)
            case "negation":
                return Not(self.formula(self.only(element)))
            case "conjunction" | "disjunction":
                if not element.children:
                    self.fail(element, f"<{element.tag}> is empty.")
                return (And if element.tag == "conjunction" else Or)(tuple(map(self.formula, element.children)))
            case "implication":
                first, second = self.two(element)
                return Or((Not(self.formula(first)), self.formula(second)))
            case tag if tag in _COMPARED:
                return self.compared(element)
            case "is-fireable":
                return CanFire(self.names(element, "transition"))
            case "deadlock":
                return Deadlock()
            case "true" | "false":
                return Constant(element.tag == "true")
            case tag if tag in _TEMPORAL:
                raise _NotCtl(self.not_ctl(element, "has no <all-paths> or <exists-path> directly around it"))
            case _:
                raise self.unknown(element, _BOOLEAN, "where a formula is wanted")

    def not_ctl(self, element: Element, why: str) -> str:
        return (
            f"{self.file}:{element.line}: <{element.tag}> {why}, so this is a formula of LTL (or CTL*), which is not "
            "covered. Reachability, CTL, bounds and the global properties are."
        )

    def quantified(self, element: Element) -> Formula:
        inner = self.only(element)
        if inner.tag not in _TEMPORAL:
            if inner.tag in _BOOLEAN:
                raise _NotCtl(self.not_ctl(element, f"holds <{inner.tag}>, no temporal operator"))
            raise self.unknown(inner, tuple(_TEMPORAL), f"in <{element.tag}>")
        operator = _TEMPORAL[inner.tag]
        operands: tuple[Formula, ...]
        if operator == "U":
            before, reach = self.two(inner)
            if (before.tag, reach.tag) != ("before", "reach"):
                self.fail(inner, f"<until> holds <before> and <reach>, not <{before.tag}> and <{reach.tag}>.")
            operands = (self.formula(self.only(before)), self.formula(self.only(reach)))
        else:
            operands = (self.formula(self.only(inner)),)
        return Temporal("A" if element.tag == "all-paths" else "E", operator, operands)

    def compared(self, element: Element) -> Formula:
        left, right = map(self.sum, self.two(element))
        difference = [*left[0], *((place, -weight) for place, weight in right[0])]
        turned = [(place, -weight) for place, weight in difference]
        bound = right[1] - left[1]
        at_most, at_least = linear(difference, bound), linear(turned, -bound)
        match element.tag:
            case "integer-le":
                return at_most
            case "integer-ge":
                return at_least
            case "integer-lt":
                return linear(difference, bound - 1)
            case "integer-gt":
                return linear(turned, -bound - 1)
            case "integer-eq":
                return And((at_most, at_least))
            case _:
                return Not(And((at_most, at_least)))

    def sum(self, element: Element) -> tuple[list[tuple[str, int]], int]:
        """Weights of places, and a number that is added."""
        match element.tag:
            case "integer-constant":
                return [], self.number(element)
            case "tokens-count":
                return [(place, 1) for place in self.names(element, "place")], 0
            case "integer-sum" | "integer-difference":
                if not element.children:
                    self.fail(element, f"<{element.tag}> is empty.")
                sign = 1 if element.tag == "integer-sum" else -1
                weights, number = self.sum(element.children[0])
                for child in element.children[1:]:
                    more, added = self.sum(child)
                    weights = [*weights, *((place, sign * weight) for place, weight in more)]
                    number += sign * added
                return weights, number
            case _:
                raise self.unknown(element, _INTEGER, "where a number is wanted")

    # --- parts ------------------------------------------------------------------------------------------------

    def only(self, element: Element) -> Element:
        if len(element.children) != 1:
            self.fail(element, f"<{element.tag}> holds {len(element.children)} elements, where one is wanted.")
        return element.children[0]

    def two(self, element: Element) -> tuple[Element, Element]:
        if len(element.children) != 2:
            self.fail(element, f"<{element.tag}> holds {len(element.children)} elements, where two are wanted.")
        return element.children[0], element.children[1]

    def number(self, element: Element) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", element.text):
            shown = element.text if len(element.text) <= 40 else element.text[:40] + "…"
            self.fail(element, f"<{element.tag}> is {shown!r}, not a whole number of at most 18 digits.")
        return int(element.text)

    def names(self, element: Element, tag: str) -> tuple[str, ...]:
        for child in element.children:
            if child.tag != tag:
                raise self.unknown(child, (tag,), f"in <{element.tag}>")
            if not child.text:
                self.fail(child, f"<{tag}> names nothing.")
        if not element.children:
            self.fail(element, f"<{element.tag}> is empty. It holds a <{tag}> for each {tag} that is meant.")
        return tuple(name_from_id(child.text) for child in element.children)
