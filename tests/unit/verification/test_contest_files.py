"""Property files of the Model Checking Contest: what is read, and what is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

import wfsim as wf
from tests.nets import net_of
from wfsim.errors import NetError, UnknownNode
from wfsim.verification.nets.check import check, check_all
from wfsim.verification.nets.contest import ContestProperty, UpperBound, from_property_set
from wfsim.verification.nets.formulas import And, CanFire, Constant, Deadlock, Formula, Linear, Not, Or, Temporal
from wfsim.verification.verdict import NetWitness, Status

# Two processes share a lock; a process may also give up and stay away.
LOCK = net_of(
    "lock",
    "free>Take1>use1>Give1>free free>Take2>use2>Give2>free idle1>Take1 Give1>idle1 idle2>Take2 Give2>idle2 "
    "idle1>Quit1>gone",
    {"free": 1, "idle1": 1, "idle2": 1},
)


def one(formula: str) -> ContestProperty:
    return from_property_set(
        '<?xml version="1.0" encoding="UTF-16"?><property-set xmlns="http://mcc.lip6.fr/"><property><id> f </id>'
        f"<description>said</description><formula>{formula}</formula></property></property-set>"
    )[0]


def count(*places: str) -> str:
    return "<tokens-count>" + "".join(f"<place> {place} </place>" for place in places) + "</tokens-count>"


def at_least(n: int, *places: str) -> str:
    return f"<integer-le><integer-constant>{n}</integer-constant>{count(*places)}</integer-le>"


def fireable(*transitions: str) -> str:
    return "<is-fireable>" + "".join(f"<transition>{each}</transition>" for each in transitions) + "</is-fireable>"


def path(quantifier: str, operator: str, *inner: str) -> str:
    if operator == "until":
        body = f"<before>{inner[0]}</before><reach>{inner[1]}</reach>"
    else:
        (body,) = inner
    return f"<{quantifier}><{operator}>{body}</{operator}></{quantifier}>"


def every(operator: str, *inner: str) -> str:
    return path("all-paths", operator, *inner)


def some(operator: str, *inner: str) -> str:
    return path("exists-path", operator, *inner)


def no(inner: str) -> str:
    return f"<negation>{inner}</negation>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (some("finally", "<deadlock/>"), Temporal("E", "F", (Deadlock(),))),
        (every("globally", at_least(2, "p", "q")), Temporal("A", "G", (Linear((("p", -1), ("q", -1)), -2),))),
        (f"<integer-lt>{count('p')}{count('q', 'p')}</integer-lt>", Linear((("q", -1),), -1)),
        (f"<integer-ge>{count('p')}{count('q')}</integer-ge>", Linear((("p", -1), ("q", 1)), 0)),
        (f"<integer-gt>{count('p')}<integer-constant>-3</integer-constant></integer-gt>", Linear((("p", -1),), 2)),
        (f"<integer-le>{count('p')}{count('p')}</integer-le>", Constant(True)),
        (
            f"<integer-eq>{count('p')}<integer-constant>1</integer-constant></integer-eq>",
            And((Linear((("p", 1),), 1), Linear((("p", -1),), -1))),
        ),
        (
            f"<integer-ne><integer-sum>{count('p')}<integer-constant>2</integer-constant></integer-sum>"
            f"<integer-difference>{count('q')}{count('r')}</integer-difference></integer-ne>",
            Not(
                And(
                    (
                        Linear((("p", 1), ("q", -1), ("r", 1)), -2),
                        Linear((("p", -1), ("q", 1), ("r", -1)), 2),
                    )
                )
            ),
        ),
        (f"<conjunction>{fireable('t', 'u')}<true/></conjunction>", And((CanFire(("t", "u")), Constant(True)))),
        (f"<disjunction><false/>{no('<deadlock/>')}</disjunction>", Or((Constant(False), Not(Deadlock())))),
        (f"<implication>{fireable('t')}<deadlock/></implication>", Or((Not(CanFire(("t",))), Deadlock()))),
        (every("next", "<deadlock/>"), Temporal("A", "X", (Deadlock(),))),
        (some("until", "<true/>", fireable("t")), Temporal("E", "U", (Constant(True), CanFire(("t",))))),
        ("<place-bound><place>p</place><place>q</place></place-bound>", UpperBound(("p", "q"))),
    ],
)
def test_formulas_are_read(text: str, expected: Formula | UpperBound) -> None:
    assert one(text) == ContestProperty("f", "said", expected, "", 1)


def test_ids_are_those_of_the_net_file() -> None:
    assert one(fireable("_x0031_st")).question == CanFire(("1st",))
    assert one(fireable("_x31")).question == CanFire(("_x31",))


FREE_USE = at_least(1, "free")
ANSWERS: list[tuple[str, bool, tuple[str, ...] | None]] = [
    # Reachability: what is reached, and what never is.
    (some("finally", "<deadlock/>"), False, None),
    (some("finally", at_least(2, "use1", "use2")), False, None),
    (every("globally", at_least(1, "free", "use1", "use2")), True, None),
    (every("globally", no(at_least(1, "gone"))), False, ("Quit1",)),
    (some("finally", fireable("Give1")), True, ("Take1",)),
    (every("globally", fireable("Take1", "Give1")), False, ("Take2",)),
    # CTL: the process that gave up never takes the lock again.
    (every("globally", some("finally", fireable("Give1"))), False, ("Quit1",)),
    (every("globally", some("finally", fireable("Give2"))), True, None),
    (some("finally", every("globally", no(fireable("Give1")))), True, ("Quit1",)),
    (every("finally", fireable("Give1")), False, ("Take2", "Give2")),
    (some("globally", FREE_USE), False, None),
    (some("globally", no(at_least(1, "gone"))), True, ("Take1", "Give1")),
    (every("next", some("next", FREE_USE)), False, ("Quit1",)),
    (some("next", at_least(1, "use2")), True, ("Take2",)),
    (every("next", FREE_USE), False, ("Take1",)),
    (some("until", FREE_USE, at_least(1, "gone")), True, ("Quit1",)),
    (every("until", FREE_USE, at_least(1, "use1", "use2", "gone")), True, None),
    (every("until", FREE_USE, at_least(1, "use1", "gone")), False, ("Take2",)),
    (no(every("until", FREE_USE, at_least(1, "use1"))), True, ("Take2",)),
    (at_least(1, "free"), True, None),
    (f"<conjunction>{some('finally', fireable('Give2'))}{no(FREE_USE)}</conjunction>", False, None),
]


@pytest.mark.parametrize(("text", "expected", "trace"), ANSWERS)
def test_worked_out_answers(text: str, expected: bool, trace: tuple[str, ...] | None) -> None:
    asked = one(text)
    verdict = check(LOCK, asked)
    assert bool(verdict) is expected, str(verdict)
    assert verdict.property == "f"
    if trace is None:
        assert verdict.witness is None
    else:
        assert isinstance(verdict.witness, NetWitness)
        assert verdict.witness.firing_sequence == trace
        verdict.witness.replay()


def test_in_a_deadlock_paths_end() -> None:
    stop = net_of("stop", "p>T>q", {"p": 1})
    ended = at_least(1, "q")
    assert check(stop, one(every("finally", ended)))
    assert check(stop, one(every("next", every("next", "<false/>"))))
    assert not check(stop, one(some("next", some("next", "<true/>"))))
    assert check(stop, one(some("next", some("globally", ended))))
    assert check(stop, one(some("globally", at_least(1, "p", "q"))))


def test_global_properties() -> None:
    def answered(formula: str) -> bool:
        return bool(check(LOCK, one(formula)))

    assert answered("<quasi-liveness/>")
    assert not answered("<liveness/>")
    assert not answered("<stable-marking/>")
    assert answered("<k-safe><integer-constant>1</integer-constant></k-safe>")
    assert answered("<k-safe><integer-constant>2</integer-constant></k-safe>")
    assert not answered("<k-safe><integer-constant>0</integer-constant></k-safe>")


def test_upper_bounds_are_numbers_that_are_attained() -> None:
    for places, most in ((("free",), 1), (("use1", "use2"), 1), (("idle1", "idle2", "gone"), 2), (("gone", "free"), 2)):
        verdict = check(LOCK, UpperBound(places))
        assert verdict.status is Status.HOLDS
        assert verdict.statistics == {"upper_bound": most}
        assert isinstance(verdict.witness, NetWitness)
        assert sum(verdict.witness.replay()[-1][place] for place in places) == most
    with pytest.raises(UnknownNode, match="'fre' is not a place"):
        check(LOCK, UpperBound(("fre",)))


LTL = [
    every("finally", "<globally><deadlock/></globally>"),
    f"<all-paths><conjunction><finally>{FREE_USE}</finally><true/></conjunction></all-paths>",
    "<globally><deadlock/></globally>",
    f"<all-paths>{FREE_USE}</all-paths>",
]


@pytest.mark.parametrize("text", LTL)
def test_ltl_is_told_and_hinders_nothing_else(text: str, tmp_path: Path) -> None:
    file = tmp_path / "formulas.xml"
    parts = (f"<property><id>{k}</id><formula>{f}</formula></property>" for k, f in enumerate((text, ANSWERS[0][0])))
    file.write_text(f"<property-set>\n{''.join(parts)}</property-set>", encoding="utf-8")
    asked = wf.read_properties(file)
    assert asked[0].question is None
    assert "is a formula of LTL (or CTL*), which is not covered" in asked[0].problem
    assert asked[0].problem.startswith(f"{file}:2: ")
    first, second = check_all(LOCK, asked)
    assert (first.status, first.property, first.reason) == (Status.ERROR, "0", asked[0].problem)
    assert second.status is Status.VIOLATED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<integer-le><integer-constant>1</integer-constant></integer-le>", "holds 1 elements, where two are wanted"),
        (f"<integer-le><integer-constant>1.5</integer-constant>{count('p')}</integer-le>", "is '1.5', not a whole"),
        (f"<integer-le><place>p</place>{count('p')}</integer-le>", "<place> cannot stand where a number is wanted"),
        ("<negatoin><deadlock/></negatoin>", "<negatoin> cannot stand in <formula>.\nElements: 'all-paths'"),
        ("<conjunction><negatoin/></conjunction>", "Did you mean 'negation'?"),
        ("<conjunction/>", "<conjunction> is empty"),
        ("<is-fireable/>", "<is-fireable> is empty. It holds a <transition>"),
        ("<is-fireable><place>p</place></is-fireable>", "<place> cannot stand in <is-fireable>"),
        ("<is-fireable><transition> </transition></is-fireable>", "<transition> names nothing"),
        (every("until", "<true/>", "<true/>").replace("before", "after"), "holds <before> and <reach>, not <after>"),
        ("<all-paths><place>p</place></all-paths>", "<place> cannot stand in <all-paths>"),
        ("<k-safe><deadlock/></k-safe>", "<deadlock> cannot stand in <k-safe>"),
        ("", "<formula> holds 0 elements, where one is wanted"),
        ("<deadlock>", "not well-formed XML"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(NetError) as caught:
        one(text)
    assert str(caught.value).startswith("<property-set>:1: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><property-set/>', "DOCTYPE is refused"),
        ("<pnml/>", "the root element is <pnml>, not <property-set>"),
        ("<property-set/>", "holds no <property>"),
        ("<property-set><property><formula/></property></property-set>", "a <property> has no <id>"),
        ("<property-set><property><id>a</id></property></property-set>", "property 'a' has no <formula>"),
    ],
)
def test_what_is_no_property_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(NetError, match=message):
        from_property_set(text)


def test_names_that_the_net_does_not_have_are_refused_before_anything_is_searched() -> None:
    with pytest.raises(UnknownNode, match=r"'take1' is not a transition of net 'lock'.\n.*Did you mean 'Take1'"):
        check_all(LOCK, [one(ANSWERS[0][0]), one(some("finally", fireable("take1")))])
    with pytest.raises(UnknownNode, match="'Take1' is not a place of net 'lock', but a transition"):
        check(LOCK, one(at_least(1, "Take1")))
