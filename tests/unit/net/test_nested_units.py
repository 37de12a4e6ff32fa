"""Nested units (NUPN): read, checked, kept and written."""

from __future__ import annotations

import json
import pickle

import pytest

from wfsim.errors import ColouredNet, NetError, NotCovered
from wfsim.net.petri import PetriNet
from wfsim.net.pnml import from_pnml, to_pnml
from wfsim.net.units import NestedUnits, Unit

UNITS = NestedUnits(
    "u0",
    (Unit("u0", ("idle",), ("u1", "u2")), Unit("u1", ("a", "b")), Unit("u2", ("c",), ("u3",)), Unit("u3", ("d",))),
    safe=True,
)
ARCS = [("idle", "go"), ("go", "a"), ("go", "c"), ("a", "step"), ("step", "b"), ("c", "down"), ("down", "d")]


def net(units: NestedUnits | None = UNITS) -> PetriNet:
    return PetriNet("n", ["idle", "a", "b", "c", "d"], ["go", "step", "down"], ARCS, {"idle": 1}, units=units)


def file(structure: str, outside: str = "") -> str:
    return (
        '<pnml xmlns="http://www.pnml.org/version-2009/grammar/pnml">\n'
        '<net id="n" type="http://www.pnml.org/version-2009/grammar/ptnet"><page id="g">\n'
        '<place id="p"><initialMarking><text>\n 1\n </text></initialMarking></place><place id="q"/>\n'
        '<transition id="t"/><arc id="a1" source="p" target="t"/><arc id="a2" source="t" target="q"/>\n'
        f'<toolspecific tool="other" version="3"><structure units="x"/></toolspecific>\n'
        f'<toolspecific tool="nupn" version="1.1"><size places="2" transitions="1" arcs="2"/>\n'
        f"{structure}</toolspecific>{outside}</page></net></pnml>"
    )


GOOD = (
    '<structure units="2" root="u0" safe="true">\n'
    '<unit id="u0"><places/>\n<subunits>\n u1 </subunits></unit>\n'
    '<unit id="u1"><places>p\n  q</places><subunits/></unit></structure>'
)


def test_units_are_read_whatever_white_space_and_other_tools_do() -> None:
    read = from_pnml(file(GOOD))
    assert read.units == NestedUnits("u0", (Unit("u0", (), ("u1",)), Unit("u1", ("p", "q"))), safe=True)
    assert read.initial_marking == {"p": 1}


@pytest.mark.parametrize("extended", [False, True])
def test_written_units_are_read_back(extended: bool) -> None:
    odd = NestedUnits("the root", (Unit("the root", ("in it", "p<q"), ()),))
    for one in (net(), net(None), PetriNet("odd", ["in it", "p<q"], [], [], {}, units=odd)):
        back = from_pnml(to_pnml(one, extended=extended))
        assert back.units == one.units
        assert to_pnml(back, extended=extended) == to_pnml(one, extended=extended)


def test_units_are_kept_by_every_form_of_a_net() -> None:
    for again in (PetriNet.from_dict(json.loads(json.dumps(net().to_dict()))), pickle.loads(pickle.dumps(net()))):
        assert again == net()
    assert net() != net(None)
    assert hash(net()) == hash(net())


def test_safety_is_claimed_of_the_marking_it_was_claimed_of() -> None:
    same, other = net().with_marking({"idle": 1}), net().with_marking({"idle": 2})
    assert same.units == UNITS
    assert other.units is not None
    assert (other.units.safe, other.units.units) == (False, UNITS.units)


def test_exclusive_sets_are_the_ways_down_the_tree() -> None:
    assert list(UNITS.exclusive()) == [("idle", "a", "b"), ("idle", "c", "d")]


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("<places>p\n  q</places>", "<places>p r</places>", 13, "the place of a unit 'r' is neither a place nor"),
        ("<places>p\n  q</places>", "<places>p t</places>", 13, "holds 't', which is a transition"),
        ("<places>p\n  q</places>", "<places>p</places>", 2, "place 'q' belongs to no unit"),
        ("<places>p\n  q</places>", "<places>p q p</places>", 9, "place 'p' belongs to 2 units"),
        ("\n u1 ", "u2", 9, "unit 'u0' holds 'u2', which is not a unit.\nUnits: 'u0', 'u1'"),
        ("\n u1 ", "u0", 9, "holds 'u0', but it is the root"),
        ("\n u1 ", "u1 u1", 9, "holds 'u1', but unit 'u0' too"),
        ("<subunits>\n u1 </subunits>", "", 9, "unit 'u1' does not lie in the root"),
        ('root="u0"', 'root="u9"', 9, "the root unit 'u9' is not a unit"),
        ('units="2"', 'units="3"', 9, "units is 3, but 2 of them are listed"),
        ('units="2"', 'units="many"', 9, "units is 'many', not a whole number"),
        ('safe="true"', 'safe="yes"', 9, "safe is 'yes', not 'true' or 'false'"),
        ('<unit id="u1">', "<unit>", 13, "<unit> has no 'id'"),
        ('<unit id="u1">', '<unit id="u0">', 9, "two units are called 'u0'"),
    ],
)
def test_what_is_wrong_in_the_units_is_told_with_its_line(before: str, after: str, line: int, message: str) -> None:
    assert before in GOOD
    with pytest.raises(NetError) as caught:
        from_pnml(file(GOOD.replace(before, after, 1)), file="x.pnml")
    assert str(caught.value).startswith(f"x.pnml:{line}: ")
    assert message in str(caught.value)


def test_a_part_without_structure_and_a_second_part_are_refused() -> None:
    with pytest.raises(NetError, match="no <structure>"):
        from_pnml(file(""))
    with pytest.raises(NetError, match="a second NUPN part; the first is in line 8"):
        from_pnml(file(GOOD, f'<toolspecific tool="nupn" version="1.1">{GOOD}</toolspecific>'))


def test_described_units_of_another_form_are_refused() -> None:
    with pytest.raises(NetError, match="units are described as"):
        PetriNet.from_dict({**net().to_dict(), "units": {"root": "u0"}})
    with pytest.raises(NetError, match="a unit holds 'zz', which is not a place"):
        net(NestedUnits("u", (Unit("u", ("idle", "a", "b", "c", "d", "zz")),)))


def test_a_coloured_net_is_not_covered() -> None:
    text = file(GOOD).replace("grammar/ptnet", "grammar/symmetricnet")
    with pytest.raises(NotCovered, match=r"net type 'symmetricnet' is coloured.*unfolded"):
        from_pnml(text)
    with pytest.raises(ColouredNet, match="<hlinitialMarking> is of a coloured net"):
        from_pnml(file(GOOD).replace("<initialMarking>", "<hlinitialMarking/><initialMarking>"))
