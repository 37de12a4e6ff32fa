"""PNML, the exchange format of Petri nets (ISO/IEC 15909-2), for place/transition nets.

Written plain by default: places, transitions, arcs, initial marking, names, nested units; other tools choke on more. A
node's id is its name, with signs that an XML id cannot hold as `_xHHHH_`; a label stands in `<name>`. With
`extended=True` a file also carries, and `read_pnml` understands,

- `<arctype><text>read|inhibitor|reset</text></arctype>` on arcs (PM4Py's form);
- `<finalmarkings><marking><place idref=...><text>n</text></place></marking></finalmarkings>` (PM4Py's);
- `<toolspecific tool="wfsim" version="1"><source>...</source></toolspecific>` on nodes.

Nested units are the `<toolspecific tool="nupn" version="1.1">` of the Model Checking Contest [1]_, read and written.

Read further: `<type value="inhibitor"/>` and its like on arcs (PIPE, TINA, GreatSPN), `type`, `weight` and
`initialMarking` as attributes (TAPAAL), PIPE's `Default,1` for numbers, nested pages, reference places and
transitions. Several normal arcs between the same nodes add up. Ignored, as the untimed net is what is read:
graphics, other tool-specific parts, rates, delays, priorities. Refused: coloured nets, capacities, arcs bound to
the age of tokens, DOCTYPE, numbers beyond 2**53.

References
----------
.. [1] Garavel (2019), Nested-unit Petri nets, Journal of Logical and Algebraic Methods in Programming 104, 60-85.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from wfsim.arguments import as_path, expect
from wfsim.errors import NetError
from wfsim.net._pnml_reader import NetReader
from wfsim.net._xml import id_from_name, net_file, parse, unwritable
from wfsim.net.arcs import ArcKind
from wfsim.net.marking import nearest
from wfsim.net.petri import PetriNet

NAMESPACE = "http://www.pnml.org/version-2009/grammar/pnml"
PT_NET = "http://www.pnml.org/version-2009/grammar/ptnet"


def read_pnml(path: str | Path, *, net: str | None = None) -> PetriNet:
    """Read a place/transition net from a PNML file.

    Parameters
    ----------
    net
        Id of the net wanted; needed only when the file holds several.

    Raises
    ------
    NetError
        With `file:line`: not well-formed, DOCTYPE, duplicate or dangling ids, numbers that are none or too
        large, nets of a sort that is not read. Without a line: the file cannot be read.
    """
    return from_pnml(net_file(as_path(path, "read_pnml")), net=net, file=str(path))


def from_pnml(text: str | bytes, *, net: str | None = None, file: str = "<pnml>") -> PetriNet:
    """Read a net from the text of a PNML file; as `read_pnml`, with `file` as the name used in messages."""
    if isinstance(text, str):
        # The text is decoded already, so an encoding that it declares no longer holds.
        text = re.sub(r"^\ufeff?<\?xml[^>]*\?>", "", text, count=1).encode("utf-8", "surrogatepass")
    root = parse(text, file)
    if root.tag != "pnml":
        raise NetError(f"{file}:{root.line}: the root element is <{root.tag}>, not <pnml>. Is this PNML?")
    nets = root.all("net")
    ids = [element.attributes.get("id", "") for element in nets]
    if net is not None and net not in ids:
        raise NetError(f"{file}: there is no net with id {net!r}.\n{nearest(net, ids, 'Nets')}")
    if not nets:
        raise NetError(f"{file}:{root.line}: <pnml> holds no <net>.")
    if net is None and len(nets) > 1:
        raise NetError(f"{file}: {len(nets)} nets: {', '.join(map(repr, ids))}. Say net=<id>.")
    return NetReader(file, nets[0 if net is None else ids.index(net)]).result()


def write_pnml(net: PetriNet, path: str | Path, *, extended: bool = False) -> None:
    """Write a net as a PNML file; `to_pnml` says what it holds."""
    expect(net, PetriNet, "write_pnml takes a PetriNet", "Make one: wf.to_net(workflow).")
    as_path(path, "write_pnml").write_text(to_pnml(net, extended=extended), encoding="utf-8", newline="\n")


def to_pnml(net: PetriNet, *, extended: bool = False) -> str:
    """The net as the text of a PNML file; the same net always gives the same text.

    Parameters
    ----------
    extended
        Also write arc kinds, the final marking and sources, in the forms listed at the top of this module;
        reading gives an equal net then. Without it the final marking and the sources stay behind.

    Raises
    ------
    NetError
        For read, inhibitor and reset arcs without `extended`, and for texts with signs that XML cannot hold.
    """
    taken = {id_from_name(node) for node in net}
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<pnml xmlns="{NAMESPACE}">',
        f'  <net id="{_free("net", taken)}" type="{PT_NET}">',
        f"    <name><text>{_text(net.name, 'the net')}</text></name>",
        f'    <page id="{_free("page", taken)}">',
    ]
    for node in net:
        lines += _node(net, node, extended)
    lines += _arcs(net, taken, extended)
    lines += _units(net)
    lines.append("    </page>")
    if extended and net.final_marking is not None:
        lines += ["    <finalmarkings>", "      <marking>"]
        for place, tokens in net.final_marking.to_dict().items():
            lines.append(f"        <place idref={_id(place)}><text>{tokens}</text></place>")
        lines += ["      </marking>", "    </finalmarkings>"]
    return "\n".join([*lines, "  </net>", "</pnml>", ""])


def _node(net: PetriNet, name: str, extended: bool) -> list[str]:
    tag = "place" if net.is_place(name) else "transition"
    lines = [f"      <{tag} id={_id(name)}>"]
    # A name that a reader would see altered stays in the id alone.
    if name in net.labels or (name == name.strip() and not unwritable(name)):
        lines.append(f"        <name><text>{_text(net.label(name), repr(name))}</text></name>")
    if tag == "place" and net.initial_marking[name]:
        tokens = net.initial_marking[name]
        lines.append(f"        <initialMarking><text>{tokens}</text></initialMarking>")
    source = net.source(name)
    if extended and source is not None:
        text = _text(source, repr(name))
        lines.append(f'        <toolspecific tool="wfsim" version="1"><source>{text}</source></toolspecific>')
    return [*lines, f"      </{tag}>"]


def _arcs(net: PetriNet, taken: set[str], extended: bool) -> list[str]:
    lines = []
    for number, arc in enumerate(net.arcs, start=1):
        if arc.kind is not ArcKind.NORMAL and not extended:
            raise NetError(
                f"net {net.name!r}: plain PNML has no {arc.kind} arcs ({arc.source!r} -> {arc.target!r}). "
                "Write with extended=True; only some tools will read it."
            )
        identifier = _free(f"arc{number}", taken)
        lines.append(f'      <arc id="{identifier}" source={_id(arc.source)} target={_id(arc.target)}>')
        lines.append(f"        <inscription><text>{arc.weight}</text></inscription>")
        if arc.kind is not ArcKind.NORMAL:
            lines.append(f"        <arctype><text>{arc.kind}</text></arctype>")
        lines.append("      </arc>")
    return lines


def _units(net: PetriNet) -> list[str]:
    if net.units is None:
        return []
    size = f'places="{len(net.places)}" transitions="{len(net.transitions)}" arcs="{len(net.arcs)}"'
    safe = "true" if net.units.safe else "false"
    lines = [
        '      <toolspecific tool="nupn" version="1.1">',
        f"        <size {size}/>",
        f'        <structure units="{len(net.units.units)}" root={_id(net.units.root)} safe="{safe}">',
    ]
    for unit in net.units.units:
        lines.append(f"          <unit id={_id(unit.name)}>")
        for tag, names in (("places", unit.places), ("subunits", unit.subunits)):
            text = escape(" ".join(map(id_from_name, names)))
            lines.append(f"            <{tag}>{text}</{tag}>" if text else f"            <{tag}/>")
        lines.append("          </unit>")
    return [*lines, "        </structure>", "      </toolspecific>"]


def _free(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "_"
    return wanted


def _id(name: str) -> str:
    return quoteattr(id_from_name(name))


def _text(value: str, where: str) -> str:
    odd = unwritable(value)
    if odd is not None:
        raise NetError(f"the text {value!r} of {where} holds {odd!r}, which XML cannot. Give another label.")
    return escape(value, {"\r": "&#13;"})
