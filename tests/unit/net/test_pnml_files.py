"""PNML files: what is written, what is understood, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wfsim.errors import NetError
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.petri import PetriNet
from wfsim.net.pnml import from_pnml, read_pnml, to_pnml, write_pnml

if TYPE_CHECKING:
    from pathlib import Path

TWO_PAGES = """<?xml version="1.0" encoding="UTF-8"?>
<pnml xmlns="http://www.pnml.org/version-2009/grammar/pnml">
  <net id="n1" type="http://www.pnml.org/version-2009/grammar/ptnet">
    <name><text>orders</text></name>
    <page id="first">
      <place id="p1">
        <name><graphics><offset x="0" y="-10"/></graphics><text>received</text></name>
        <graphics><position x="1" y="2"/></graphics>
        <initialMarking><text> 2 </text></initialMarking>
      </place>
      <page id="inner">
        <transition id="t1"><name><text>check</text></name></transition>
        <referencePlace id="r1" ref="p2"/>
        <arc id="a1" source="p1" target="t1"/>
        <arc id="a2" source="t1" target="r1"><inscription><text>3</text></inscription></arc>
      </page>
    </page>
    <page id="second">
      <place id="p2"/>
      <referencePlace id="r2" ref="r1"/>
      <transition id="t2"/>
      <referenceTransition id="r3" ref="t2"/>
      <arc id="a3" source="r2" target="r3"/>
      <toolspecific tool="other" version="1"><place id="no"/></toolspecific>
    </page>
  </net>
</pnml>
"""


def simple(body: str = "", *, place: str = "", arc: str = "", net: str = "") -> str:
    return (
        '<pnml xmlns="http://www.pnml.org/version-2009/grammar/pnml">\n'
        f'<net id="n" type="http://www.pnml.org/version-2009/grammar/ptnet"><page id="g">\n'
        f'<place id="p">{place}</place>\n'
        f'<transition id="t"/>\n'
        f'<arc id="a" source="p" target="t">{arc}</arc>\n'
        f"{body}</page>{net}</net></pnml>"
    )


def special_net() -> PetriNet:
    return PetriNet(
        "shop & co",
        ["in basket", "open", "out", "1st", "_x0041_", "größe"],
        ["pay <now>", "arc1", "net"],
        [
            ("in basket", "pay <now>", 2),
            ("open", "pay <now>", 1, "read"),
            ("out", "pay <now>", 4, "inhibitor"),
            ("1st", "pay <now>", 1, "reset"),
            ("pay <now>", "out"),
            ("_x0041_", "arc1"),
            ("net", "größe"),
        ],
        {"in basket": 2, "open": 1},
        {"out": 1},
        labels={"out": "Paid & gone\r\n(twice)"},
        sources={"pay <now>": "transition 3", "open": "state <open>"},
    )


def test_nested_pages_and_references_are_resolved() -> None:
    net = from_pnml(TWO_PAGES)
    assert net.name == "orders"
    assert net.places == ("p1", "p2")
    assert net.transitions == ("t1", "t2")
    assert net.arcs == (Arc("p1", "t1"), Arc("t1", "p2", 3), Arc("p2", "t2"))
    assert net.initial_marking == {"p1": 2}
    assert dict(net.labels) == {"p1": "received", "t1": "check"}


def test_an_extended_file_gives_an_equal_net_back(tmp_path: Path) -> None:
    path = tmp_path / "shop.pnml"
    write_pnml(special_net(), path, extended=True)
    assert read_pnml(path) == special_net()


def test_a_plain_file_holds_nothing_that_other_tools_would_not_know() -> None:
    net = PetriNet("n", ["p", "q"], ["t"], [("p", "t"), ("t", "q", 2)], {"p": 1}, {"q": 2}, sources={"p": "state p"})
    text = to_pnml(net)
    for extra in ("toolspecific", "finalmarkings", "arctype"):
        assert extra not in text
    back = from_pnml(text)
    assert (back.places, back.transitions, back.arcs) == (net.places, net.transitions, net.arcs)
    assert back.initial_marking == net.initial_marking
    assert back.final_marking is None


def test_plain_pnml_refuses_arcs_it_cannot_express() -> None:
    with pytest.raises(NetError, match=r"no read arcs \('open' -> 'pay <now>'\)"):
        to_pnml(special_net())


def test_ids_are_valid_xml_ids_and_differ_from_each_other() -> None:
    import re

    ids = re.findall(r'<\w+ id="([^"]*)"', to_pnml(special_net(), extended=True))
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[^\W\d][\w.\-]*", identifier) for identifier in ids)


def test_a_control_character_lives_in_the_id_but_not_in_a_label() -> None:
    net = PetriNet("n", ["p\x01", " q "], [], [], {})
    assert from_pnml(to_pnml(net)) == net
    labelled = PetriNet("n", ["p"], [], [], {}, labels={"p": "a\x01b"})
    with pytest.raises(NetError, match=r"'\\x01', which XML cannot"):
        to_pnml(labelled)


@pytest.mark.parametrize(
    ("arc", "kind", "weight"),
    [
        ('<type value="inhibitor"/>', ArcKind.INHIBITOR, 1),
        ('<type value="inhibitor"/><inscription><text>3</text></inscription>', ArcKind.INHIBITOR, 3),
        ('<type value="test"/>', ArcKind.READ, 1),
        ('<type value="normal"/><inscription><value>Default,2</value></inscription>', ArcKind.NORMAL, 2),
        ("<arctype><text>inhibitor</text></arctype>", ArcKind.INHIBITOR, 1),
        ("<arctype><text>reset</text></arctype>", ArcKind.RESET, 1),
        ("<arctype><text>reset</text></arctype><inscription><text>7</text></inscription>", ArcKind.RESET, 1),
    ],
)
def test_arc_kinds_of_other_tools_are_understood(arc: str, kind: ArcKind, weight: int) -> None:
    assert from_pnml(simple(arc=arc)).arcs == (Arc("p", "t", weight, kind),)


def test_numbers_written_as_attributes_are_understood() -> None:
    text = """<pnml><net id="n" type="P/T net">
      <place id="p" name="p" initialMarking="4" invariant="&lt; inf"/><transition id="t"/>
      <arc id="a" source="p" target="t" inscription="[0,inf)" type="timed" weight="2"/>
      <arc id="b" source="p" target="t" inscription="1" type="tapnInhibitor" weight="5"/></net></pnml>"""
    with pytest.raises(NetError, match=r":4: the arc takes tokens of age 1 only"):
        from_pnml(text)
    net = from_pnml(text.replace('inscription="1"', 'inscription="[0, inf)"'))
    assert net.initial_marking == {"p": 4}
    assert net.arcs == (Arc("p", "t", 2), Arc("p", "t", 5, ArcKind.INHIBITOR))


def test_parallel_normal_arcs_add_up() -> None:
    two = simple('<arc id="b" source="p" target="t"><inscription><text>4</text></inscription></arc>')
    assert from_pnml(two).arcs == (Arc("p", "t", 5),)


def test_a_final_marking_is_read() -> None:
    final = '<finalmarkings><marking><place idref="p"><text>3</text></place></marking></finalmarkings>'
    assert from_pnml(simple(net=final)).final_marking == {"p": 3}


def test_one_of_several_nets_is_chosen_by_its_id() -> None:
    two = simple().replace("</net>", '</net><net id="m" type="ptnet"><place id="only"/></net>')
    with pytest.raises(NetError, match="2 nets: 'n', 'm'"):
        from_pnml(two)
    assert from_pnml(two, net="m").places == ("only",)
    with pytest.raises(NetError, match="no net with id 'k'"):
        from_pnml(two, net="k")


def test_a_declared_encoding_counts_for_bytes_and_not_for_text() -> None:
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>' + simple(place="<name><text>größe</text></name>")
    assert from_pnml(text).label("p") == "größe"
    assert from_pnml(text.encode("iso-8859-1")).label("p") == "größe"
    with pytest.raises(NetError, match=r"encoding|well-formed"):
        from_pnml(b'<?xml version="1.0" encoding="klingon"?><pnml/>')


BOMB = """<?xml version="1.0"?>
<!DOCTYPE pnml [
  <!ENTITY a "aaaaaaaaaa"> <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"> ]>
<pnml>&b;</pnml>"""


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (BOMB, 2, "DOCTYPE is refused"),
        ('<!DOCTYPE pnml SYSTEM "file:///etc/passwd"><pnml/>', 1, "DOCTYPE is refused"),
        (simple(place="&evil;"), 3, "undefined entity"),
        ("<pnml>", 1, "no element found"),
        ("", 1, "no element found"),
        ("<pnml>\n<net id='n'></pnml>", 2, "mismatched tag"),
        ("<x>" * 100, 1, "nested deeper than 64"),
        ("<net/>", 1, "the root element is <net>, not <pnml>"),
        ("<pnml/>", 1, "holds no <net>"),
        ("<pnml><net/></pnml>", 1, "<net> has no 'id'"),
        (simple('<place id="t"/>'), 6, "id 't' is taken by line 4"),
        (simple('<place id="a"/>'), 5, "id 'a' is taken by line 6"),
        (simple('<place name="x"/>'), 6, "<place> has no 'id'"),
        (simple('<arc id="b" source="p"/>'), 6, "<arc> has no 'target'"),
        (simple('<arc id="b" source="p" target="tt"/>'), 6, "target 'tt' is neither"),
        (simple('<arc id="b" source="p" target="tt"/>'), 6, "Did you mean 't'?"),
        (simple('<arc id="b" source="p" target="p"/>'), 6, "joins two places"),
        (simple('<arc id="b" source="t" target="p"><type value="test"/></arc>'), 6, "from a place to a"),
        (simple(arc='<type value="inhibitr"/>'), 5, "Did you mean 'inhibitor'?"),
        (simple(arc='<type value="transport"/>'), 5, "arcs of type 'transport' are not read"),
        (simple(arc="<inscription><text>0</text></inscription>"), 5, "inscription is 0, which is not from 1"),
        (simple(arc="<inscription><text>x</text></inscription>"), 5, "inscription is 'x'"),
        (simple(place="<initialMarking>\n<text>-1</text></initialMarking>"), 4, "initialMarking is '-1'"),
        (
            simple(place=f"<initialMarking><text>{'9' * 500}</text></initialMarking>"),
            3,
            "not from 0 to 2**53",
        ),
        (
            simple(place=f"<initialMarking><text>{2**53 + 1}</text></initialMarking>"),
            3,
            "not from 0 to 2**53",
        ),
        (simple(place="<initialMarking><text>٣</text></initialMarking>"), 3, "not a whole number"),
        (simple(place="<capacity><value>3</value></capacity>"), 3, "has a capacity"),
        (simple(place="<hlinitialMarking/>"), 3, "coloured net"),
        (simple().replace("grammar/ptnet", "grammar/symmetricnet"), 2, "'symmetricnet' is coloured"),
        (simple('<referencePlace id="r" ref="t"/><arc id="b" source="r" target="t"/>'), 6, "is no place"),
        (simple('<referencePlace id="r" ref="z"/><arc id="b" source="r" target="t"/>'), 6, "through 'r'"),
        (
            simple(
                '<referencePlace id="r" ref="s"/>\n<referencePlace id="s" ref="r"/>\n'
                '<arc id="b" source="r" target="t"/>'
            ),
            8,
            "r -> s -> r go round in a circle",
        ),
        (simple(net="<finalmarkings/>"), 6, "0 final markings"),
        (
            simple(net='<finalmarkings><marking><place idref="t">1</place></marking></finalmarkings>'),
            6,
            "names 't', which is not a place",
        ),
        (
            simple('<arc id="b" source="p" target="t"><type value="test"/></arc>' * 2).replace('id="b"', 'id="c"', 1),
            6,
            "there are two. Keep one",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(NetError) as caught:
        from_pnml(text, file="bad.pnml")
    message = str(caught.value)
    assert message.startswith(f"bad.pnml:{line}: ")
    assert words in message


def test_a_capacity_of_nought_means_none() -> None:
    assert from_pnml(simple(place="<capacity><value>0</value></capacity>")).places == ("p",)


def test_a_million_digits_are_refused_quickly() -> None:
    text = simple(place=f"<initialMarking><text>{'7' * 1_000_000}</text></initialMarking>")
    with pytest.raises(NetError) as caught:
        from_pnml(text)
    assert len(str(caught.value)) < 200


def test_ids_that_only_look_escaped_stay_as_they_are() -> None:
    text = simple('<place id="_x0041_"/><place id="A"/>')
    assert from_pnml(text).places == ("p", "_x0041_", "A")
