"""From the XML tree of one PNML `<net>` to a Petri net; `wfsim.net.pnml` says what is understood."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from wfsim.errors import ColouredNet, NetError
from wfsim.net._checks import MAX_COUNT
from wfsim.net._xml import Element, name_from_id
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.marking import nearest
from wfsim.net.petri import PetriNet
from wfsim.net.units import NestedUnits, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

HIGH_LEVEL = ("symmetricnet", "highlevelnet", "hlpng", "pt-hlpng", "hlnet", "cpn")
KINDS = {
    "normal": ArcKind.NORMAL,
    "timed": ArcKind.NORMAL,
    "inhibitor": ArcKind.INHIBITOR,
    "tapnInhibitor": ArcKind.INHIBITOR,
    "read": ArcKind.READ,
    "test": ArcKind.READ,
    "reset": ArcKind.RESET,
}
# TAPAAL writes an age interval where others write a weight; this one says nothing.
ANY_AGE = "[0,inf)"


class NetReader:
    """Collects the nodes of one `<net>`, all pages together, then resolves what they refer to."""

    def __init__(self, file: str, element: Element) -> None:
        self.file = file
        self.element = element
        self.lines: dict[str, int] = {}
        self.places: dict[str, str] = {}
        self.transitions: dict[str, str] = {}
        self.references: dict[str, tuple[str, str]] = {}
        self.labels: dict[str, str] = {}
        self.sources: dict[str, str] = {}
        self.marking: dict[str, int] = {}
        self.place_names: frozenset[str] = frozenset()

    def result(self) -> PetriNet:
        """The net; `NetError` with `file:line` if anything is wrong."""
        line = self.element.line
        sort = self.element.attributes.get("type", "").rstrip("/").rpartition("/")[2].lower()
        if sort in HIGH_LEVEL:
            self.coloured(line, f"net type {sort!r} is coloured")
        elements = list(_flat(self.element))
        net_id = self.claim_id(self.element)
        for element in elements:
            if element.tag == "place":
                self.place(element)
            elif element.tag == "transition":
                self.node(element, self.transitions)
            elif element.tag in ("referencePlace", "referenceTransition"):
                self.references[self.claim_id(element)] = (element.tag, self.attribute(element, "ref"))
        self.place_names = frozenset(self.places.values())
        arcs = self.arcs([element for element in elements if element.tag == "arc"])
        final = self.final_marking()
        units = self.units([element for element in elements if element.attributes.get("tool") == "nupn"])
        name = self.text_of(self.element, "name") or name_from_id(net_id)
        places, transitions = self.places.values(), self.transitions.values()
        try:
            return PetriNet(name, places, transitions, arcs, self.marking, final, self.labels, self.sources, units)
        except NetError as error:
            self.fail(line, str(error))

    def fail(self, line: int, what: str) -> NoReturn:
        raise NetError(f"{self.file}:{line}: {what}")

    def coloured(self, line: int, what: str) -> NoReturn:
        raise ColouredNet(
            f"{self.file}:{line}: {what}. Only place/transition nets are read: have it unfolded to one "
            "(the Model Checking Contest gives most of its nets in both forms, COL and PT)."
        )

    # --- nodes --------------------------------------------------------------------------------------------

    def node(self, element: Element, kept: dict[str, str]) -> str:
        identifier = self.claim_id(element)
        name = kept[identifier] = name_from_id(identifier)
        label = self.text_of(element, "name")
        if label:
            self.labels[name] = label
        for child in element.children:
            if child.tag.startswith("hl"):
                self.coloured(child.line, f"<{child.tag}> is of a coloured net")
            source = child.first("source") if child.attributes.get("tool") == "wfsim" else None
            if source is not None:
                self.sources[name] = source.text
        return name

    def place(self, element: Element) -> None:
        name = self.node(element, self.places)
        capacity = element.first("capacity")
        if capacity is not None and self.number(capacity, 0):
            self.fail(
                capacity.line,
                f"place {name!r} has a capacity, which would change the firing rule and is not read. "
                "Add a complementary place instead.",
            )
        marking = element.first("initialMarking")
        if marking is not None:
            self.marking[name] = self.number(marking, 0)
        elif "initialMarking" in element.attributes:
            given = element.attributes["initialMarking"]
            self.marking[name] = self.parse_number(given, 0, element.line, "initialMarking")

    def claim_id(self, element: Element) -> str:
        identifier = self.attribute(element, "id")
        if identifier in self.lines:
            taken = self.lines[identifier]
            self.fail(element.line, f"id {identifier!r} is taken by line {taken}. Ids must differ.")
        self.lines[identifier] = element.line
        return identifier

    # --- arcs and what they refer to ----------------------------------------------------------------------

    def arcs(self, elements: list[Element]) -> list[Arc]:
        merged: dict[tuple[str, str, ArcKind], int] = {}
        place_names = self.place_names
        for element in elements:
            if "id" in element.attributes:
                self.claim_id(element)
            source = self.resolve(self.attribute(element, "source"), element.line, "source")
            target = self.resolve(self.attribute(element, "target"), element.line, "target")
            kind = self.kind(element)
            what = f"{kind} arc from {source!r} to {target!r}"
            if (source in place_names) == (target in place_names):
                sort = "places" if source in place_names else "transitions"
                self.fail(element.line, f"{what} joins two {sort}.")
            if kind is not ArcKind.NORMAL and source not in place_names:
                self.fail(element.line, f"{what}: such an arc leads from a place to a transition.")
            weight = 1 if kind is ArcKind.RESET else self.weight(element)
            key = (source, target, kind)
            if key in merged and kind is not ArcKind.NORMAL:
                self.fail(element.line, f"{what}: there are two. Keep one of them.")
            merged[key] = merged.get(key, 0) + weight
            if merged[key] > MAX_COUNT:
                self.fail(element.line, f"{what}: all of them together weigh more than 2**53.")
        return [Arc(source, target, weight, kind) for (source, target, kind), weight in merged.items()]

    def kind(self, element: Element) -> ArcKind:
        given, where = element.attributes.get("type", "normal"), element
        for child in element.children:
            if child.tag == "type" and "value" in child.attributes:
                given, where = child.attributes["value"], child
            elif child.tag in ("arctype", "type"):
                text = child.first("text")
                given, where = (child if text is None else text).text, child
        if given not in KINDS:
            self.fail(where.line, f"arcs of type {given!r} are not read.\n{nearest(given, KINDS, 'Types')}")
        return KINDS[given]

    def weight(self, element: Element) -> int:
        inscription = element.first("inscription")
        if inscription is not None:
            return self.number(inscription, 1)
        age = element.attributes.get("inscription", ANY_AGE)
        if "weight" not in element.attributes and age.isdigit():
            return self.parse_number(age, 1, element.line, "inscription")
        if age.replace(" ", "") != ANY_AGE:
            self.fail(element.line, f"the arc takes tokens of age {age} only; timed nets are not read.")
        return self.parse_number(element.attributes.get("weight", "1"), 1, element.line, "weight")

    def resolve(self, identifier: str, line: int, what: str) -> str:
        """The name of the place or transition that an id means, through references if need be."""
        seen: list[str] = []
        here = identifier
        while here in self.references:
            if here in seen:
                self.fail(line, f"the references {' -> '.join([*seen, here])} go round in a circle.")
            seen.append(here)
            tag, there = self.references[here]
            wanted = "place" if tag == "referencePlace" else "transition"
            if there in (self.transitions if wanted == "place" else self.places):
                self.fail(self.lines[here], f"<{tag}> {here!r} refers to {there!r}, which is no {wanted}.")
            here = there
        name = self.places.get(here) or self.transitions.get(here)
        if name is None:
            via = f" (through {identifier!r})" if here != identifier else ""
            known = [*self.places, *self.transitions, *self.references]
            self.fail(
                line,
                f"{what} {here!r}{via} is neither a place nor a transition.\n{nearest(here, known, 'Ids')}",
            )
        return name

    def final_marking(self) -> dict[str, int] | None:
        listed = self.element.first("finalmarkings")
        if listed is None:
            return None
        markings = listed.all("marking")
        if len(markings) != 1:
            self.fail(listed.line, f"{len(markings)} final markings. One is read; remove the others.")
        final: dict[str, int] = {}
        for place in markings[0].all("place"):
            name = self.resolve(self.attribute(place, "idref"), place.line, "idref")
            if name not in self.place_names:
                self.fail(place.line, f"the final marking names {name!r}, which is not a place.")
            final[name] = final.get(name, 0) + self.number(place, 0)
        return final

    # --- nested units ---------------------------------------------------------------------------------------

    def units(self, elements: list[Element]) -> NestedUnits | None:
        """What the part that NUPN adds to PNML says: `<structure units root safe>` with a `<unit>` for each."""
        structures = [(part, part.first("structure")) for part in elements]
        if not structures:
            return None
        part, structure = structures[0]
        if structure is None:
            self.fail(part.line, "the NUPN part has no <structure>. Remove it, or name its units there.")
        if len(structures) > 1:
            self.fail(structures[1][0].line, f"a second NUPN part; the first is in line {part.line}. Keep one of them.")
        listed = structure.all("unit")
        units = []
        for element in listed:
            places = tuple(self.place_of_unit(name, element) for name in self.names_in(element, "places"))
            subunits = tuple(map(name_from_id, self.names_in(element, "subunits")))
            units.append(Unit(name_from_id(self.attribute(element, "id")), places, subunits))
        given = self.parse_number(self.attribute(structure, "units"), 0, structure.line, "units")
        if given != len(units):
            self.fail(structure.line, f"units is {given}, but {len(units)} of them are listed.")
        safe = structure.attributes.get("safe", "false")
        if safe not in ("true", "false"):
            self.fail(structure.line, f"safe is {safe!r}, not 'true' or 'false'.")
        try:
            return NestedUnits(name_from_id(self.attribute(structure, "root")), tuple(units), safe == "true")
        except NetError as error:
            self.fail(structure.line, str(error))

    def names_in(self, unit: Element, tag: str) -> list[str]:
        return [name for child in unit.all(tag) for name in child.text.split()]

    def place_of_unit(self, identifier: str, unit: Element) -> str:
        name = self.resolve(identifier, unit.line, "the place of a unit")
        if name not in self.place_names:
            self.fail(unit.line, f"a unit holds {name!r}, which is a transition, not a place.")
        return name

    # --- texts and numbers --------------------------------------------------------------------------------

    def attribute(self, element: Element, name: str) -> str:
        value = element.attributes.get(name)
        if not value:
            self.fail(element.line, f"<{element.tag}> has no {name!r}.")
        return value

    def text_of(self, element: Element, tag: str) -> str:
        child = element.first(tag)
        return "" if child is None else _inner(child).text

    def number(self, element: Element, least: int) -> int:
        inner = _inner(element)
        # PIPE names the colour of its tokens, `Default` unless the user made others.
        return self.parse_number(inner.text.removeprefix("Default,"), least, inner.line, element.tag)

    def parse_number(self, given: str, least: int, line: int, what: str) -> int:
        digits = given.strip()
        shown = digits if len(digits) <= 40 else digits[:40] + "..."
        if not re.fullmatch(r"[0-9]+", digits):
            self.fail(line, f"{what} is {shown!r}, not a whole number of at least {least}.")
        # The length first: converting a million digits takes its time.
        significant = digits.lstrip("0") or "0"
        if len(significant) > 16 or not least <= int(significant) <= MAX_COUNT:
            self.fail(line, f"{what} is {shown}, which is not from {least} to 2**53.")
        return int(significant)


def _flat(element: Element) -> Iterator[Element]:
    """The parts of a net or page, those of inner pages included, in document order."""
    for child in element.children:
        if child.tag == "page":
            yield from _flat(child)
        else:
            yield child


def _inner(element: Element) -> Element:
    """Where the text of a PNML label stands: `<text>`, in older dialects `<value>`, or the element itself."""
    for tag in ("text", "value"):
        inner = element.first(tag)
        if inner is not None:
            return inner
    return element
