"""The door to questions about nets, be they made from a workflow or not: `check`.

What can be asked, by name or as a mapping with one key; claims are those of `wfsim.verification.nets.net_claims`:

=======================  ==========================================================================
`no_deadlock`            every reachable marking but the final one enables something
`bounded {k}`            no place ever holds more than k tokens; without k: than some number
`one_safe`               no place ever holds two tokens
`quasi_live`             each net transition fires in some run
`live`                   from every reachable marking each net transition can fire again
`reversible`             from every reachable marking the initial one can be reached
`stable`                 some place never changes its tokens
`unit_safe`              the nested units are safe, as NUPN means it
`never`, `always`        the claim is true of no, of every reachable marking
`reachable`              the claim is true of some reachable marking
`eventually`             on every maximal firing sequence the claim becomes true
`leads_to {from, to}`    each marking `from` is followed, at once or later, by one `to`, on every such sequence
`responds {to, with}`    the same, said from the other end
`precedes {first, then}` `then` is true only at or after a marking with `first`
=======================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from wfsim.arguments import expect
from wfsim.errors import DefinitionError, ExpressionError, NotCovered, did_you_mean, listed
from wfsim.model.problems import Problem, definition_error, from_validation
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.answer import Answer, advised, bound_of, out_of_time
from wfsim.verification.nets.contest import ContestProperty, UpperBound
from wfsim.verification.nets.findings import reached, shown
from wfsim.verification.nets.formulas import (
    And,
    CanFire,
    Constant,
    Deadlock,
    Formula,
    Linear,
    Not,
    Or,
    Temporal,
    about_one_marking,
    check_names,
    plain,
)
from wfsim.verification.nets.limits import DEFAULT_MEMORY, UNLIMITED, Limits, OutOfTime
from wfsim.verification.nets.marking_tests import marking_test
from wfsim.verification.nets.net_claims import parse_net_claim
from wfsim.verification.nets.net_questions import QUESTIONS, bounded_by, upper_bound
from wfsim.verification.nets.net_search import NetSearch
from wfsim.verification.nets.reachability import find
from wfsim.verification.nets.simplify import Simplifier
from wfsim.verification.nets.state_space import StateSpace
from wfsim.verification.nets.workflow_net import listed as quoted
from wfsim.verification.property import Property
from wfsim.verification.verdict import NetWitness, Status, Verdict

if TYPE_CHECKING:
    from wfsim.verification.nets.ctl import Labelling

Asked: TypeAlias = "str | Mapping[str, Any] | Property | Formula | UpperBound | ContestProperty"
MAXIMAL = "a run goes on as long as a net transition is enabled; which one fires is left open (no fairness)"
EMPTY = "no place holds a token at the start, as the net is marked"
LABELLING = "explicit breadth-first search, then labelling of all markings (CTL)"
FORMULAS = (Constant, Linear, CanFire, Deadlock, Not, And, Or, Temporal)
HOW_TO_ASK = (
    """Ask by name ('live'), by a mapping ({'never': 'tokens("p") > 1'}), or with what wf.read_properties has read."""
)
SIMPLIFIED = "formula simplified by the marking equation"
LONGEST = 160
"""Signs of a formula that are shown in a reason."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def formula(self) -> Formula:
        """What is asked, as a formula of CTL."""
        raise NotImplementedError


def _checked(value: str) -> str:
    try:
        parse_net_claim(value)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return value


class _One(_Options):
    of: str

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"of": data} if isinstance(data, str) else data

    _of = field_validator("of", mode="after")(_checked)

    @property
    def claim(self) -> Formula:
        return parse_net_claim(self.of)


class Never(_One):
    """Of no reachable marking."""

    def formula(self) -> Formula:
        return Temporal("A", "G", (Not(self.claim),))


class Always(_One):
    """Of every reachable marking."""

    def formula(self) -> Formula:
        return Temporal("A", "G", (self.claim,))


class Reachable(_One):
    """Of some reachable marking."""

    def formula(self) -> Formula:
        return Temporal("E", "F", (self.claim,))


class Eventually(_One):
    """Sooner or later, on every way."""

    def formula(self) -> Formula:
        return Temporal("A", "F", (self.claim,))


class LeadsTo(_Options):
    """One after the other."""

    cause: str = Field(alias="from")
    to: str
    _claims = field_validator("cause", "to", mode="after")(_checked)

    def formula(self) -> Formula:
        return _response(self.cause, self.to)


class Responds(_Options):
    """One after the other, said from its end."""

    to: str
    answer: str = Field(alias="with")
    _claims = field_validator("to", "answer", mode="after")(_checked)

    def formula(self) -> Formula:
        return _response(self.to, self.answer)


class Precedes(_Options):
    """One before the other."""

    first: str
    then: str
    _claims = field_validator("first", "then", mode="after")(_checked)

    def formula(self) -> Formula:
        first, then = parse_net_claim(self.first), parse_net_claim(self.then)
        return Not(Temporal("E", "U", (Not(first), And((then, Not(first))))))


def _response(cause: str, answer: str) -> Formula:
    met = Temporal("A", "F", (parse_net_claim(answer),))
    return Temporal("A", "G", (Or((Not(parse_net_claim(cause)), met)),))


class Bounded(BaseModel):
    """By a number, or by any."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    k: int | None = Field(default=None, ge=0, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"k": data} if isinstance(data, int) and not isinstance(data, bool) else data


class NoOptions(BaseModel):
    """Questions without options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


CLAIMS: dict[str, type[_Options]] = {
    "never": Never,
    "always": Always,
    "reachable": Reachable,
    "eventually": Eventually,
    "leads_to": LeadsTo,
    "responds": Responds,
    "precedes": Precedes,
}
"""What can be asked of the markings of a net, and the options of each."""
KINDS: dict[str, type[BaseModel]] = {**dict.fromkeys(QUESTIONS, NoOptions), "bounded": Bounded, **CLAIMS}
"""What can be asked of a net, by name."""

OF_WORKFLOWS = ("absence", "exclusive", "at_most")
"""Patterns that speak of events, activities or states of a workflow."""


def check(
    net: PetriNet,
    property: Asked,
    *,
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    max_memory: int = DEFAULT_MEMORY,
    trust_units: bool = False,
    progress: bool = False,
) -> Verdict:
    """Ask a net whether a property holds.

    Parameters
    ----------
    net
        Any Petri net, whether or not it was made from a workflow: from `wf.read_pnml`, say.
    property
        A name such as `"live"`; a mapping such as `{"never": 'tokens("p") > 1'}`, or a `Property`; a formula
        (`wfsim.verification.nets.formulas`); or what `wf.read_properties` has read. The module lists what there is.
    max_markings, max_memory
        Limits of each search, as of `wf.explore`; running into one gives `unknown` unless it is decided already.
    max_seconds
        For the answer, whatever is tried.
    trust_units
        Take it as given that the net is unit-safe where its file says so (NUPN). Verdicts that need it name it among
        their assumptions; that the nearest markings contradict it is an error.
    progress
        Show a progress bar.

    Returns
    -------
    Verdict
        With a firing sequence wherever one shows it: to a marking that refutes the property or, where it asks for one,
        that confirms it. For an `UpperBound`, `statistics["upper_bound"]` is the number.

    Raises
    ------
    DefinitionError
        If there is no such property, its options are wrong, or a claim in it cannot be read (`ExpressionError`).
    UnknownNode
        If it names a place or transition that the net does not have.
    NetError
        If units are to be trusted that are seen to be unsafe.
    NotCovered
        For properties of runs that workflows can be asked, but nets cannot.

    Notes
    -----
    Structure first, then reduction, then search; `method` tells what has decided. Formulas whose operators are nested,
    `eventually`, `leads_to` and the like are answered by labelling, on maximal firing sequences; of an incomplete space
    only what is sure whatever lies beyond it.

    Examples
    --------
    >>> from wfsim.net.petri import PetriNet
    >>> arcs = [("free", "take"), ("take", "used"), ("used", "give"), ("give", "free")]
    >>> tool = PetriNet("tool", ["free", "used"], ["take", "give"], arcs, {"free": 1})
    >>> check(tool, "live").status, check(tool, {"never": 'tokens("used") > 1'}).status
    (<Status.HOLDS: 'holds'>, <Status.HOLDS: 'holds'>)
    """
    limits = Limits(max_markings, max_seconds, max_memory, progress)
    return check_all(net, [property], limits, trust_units=trust_units)[0]


def check_all(
    net: PetriNet, properties: Iterable[Asked], limits: Limits = UNLIMITED, *, trust_units: bool = False
) -> list[Verdict]:
    """Ask a net several questions, as `check` does, each within the limits; what is found for one serves the others.

    All are read and checked before the first is answered.
    """
    expect(net, PetriNet, "check asks a PetriNet", "Make one: wf.to_net(workflow).")
    search = NetSearch(net, limits, trust_units=trust_units)
    search.check_assumed()
    checker = _Checker(search)
    return [answer() for answer in [checker.prepared(each) for each in properties]]


class _Checker:
    """Answers questions about one net."""

    def __init__(self, search: NetSearch) -> None:
        self.search = search
        self.net = search.net
        self._labelling: Labelling | None = None
        self._simplified: dict[Formula, Formula] = {}

    def prepared(self, asked: Asked) -> Callable[[], Verdict]:
        """What answers a question; refused at once if it makes no sense for this net."""
        if isinstance(asked, ContestProperty):
            if asked.question is None:
                verdict = Verdict(Status.ERROR, asked.id, asked.problem)
                return lambda: verdict
            answer, name = self.prepared(asked.question), asked.id
            return lambda: replace(answer(), property=name)
        if isinstance(asked, UpperBound):
            for place in asked.places:
                self.net.place_index(place)
            places = asked.places
            name = f"upper bound of the tokens in {quoted(dict.fromkeys(places))} of {self.net.name!r}"
            return lambda: self._asked(name, lambda: upper_bound(self.search, name, places))
        if isinstance(asked, str):
            asked = Property(asked)
        if isinstance(asked, Mapping):
            if len(asked) != 1:
                raise DefinitionError(f"a property is a mapping with one key such as {{'live': {{}}}}, not {asked!r}.")
            ((key, options),) = asked.items()
            asked = Property(key, {} if options is None else options)
        expect(asked, (Property, *FORMULAS), "check asks a property", HOW_TO_ASK)
        if isinstance(asked, Property):
            return self._named(asked)
        check_names(asked, self.net)
        formula = asked
        return lambda: self._formula(formula, str(formula))

    def _named(self, asked: Property) -> Callable[[], Verdict]:
        name = asked.name
        if name in OF_WORKFLOWS:
            raise NotCovered(
                f"{name!r} can be asked of a workflow, but not of a net, which has no events and activities. "
                f"Of a net: {', '.join(KINDS)}."
            )
        if name not in KINDS:
            instead = did_you_mean(str(name), KINDS) or f" There are: {listed(KINDS)}."
            raise DefinitionError(f"unknown property {name!r}.{instead}")
        try:
            options = KINDS[name].model_validate(asked.options)
        except ValidationError as error:
            found = from_validation([dict(wrong) for wrong in error.errors()], asked.options)
            raise definition_error([Problem((name, *wrong.path), wrong.message) for wrong in found]) from None
        if isinstance(options, Bounded):
            k = options.k
            if k is not None:
                bounded = f"{self.net.name!r} is {k}-bounded"
                return lambda: self._asked(bounded, lambda: bounded_by(self.search, bounded, k))
        if isinstance(options, _Options):
            formula = options.formula()
            check_names(formula, self.net)
            return lambda: self._formula(formula, str(asked))
        title, question = QUESTIONS[name]
        text = title.format(repr(self.net.name))
        return lambda: self._asked(text, lambda: question(self.search, text))

    def _asked(self, name: str, answer: Callable[[], Verdict]) -> Verdict:
        """The answer to one question, with all the time that there is for one."""
        self.search.begin()
        try:
            verdict = answer()
        except OutOfTime as over:
            verdict = out_of_time(self.search.small, self.search.limits, name, over)
        if self.net.initial_marking.total or not verdict.assumptions:
            return verdict
        return replace(verdict, assumptions=(*verdict.assumptions, EMPTY))

    # --- formulas -------------------------------------------------------------------------------------------

    def _formula(self, formula: Formula, text: str) -> Verdict:
        name = f"{_short(text)} in {self.net.name!r}"
        return self._asked(name, lambda: self.truth(formula).verdict(name))

    def truth(self, formula: Formula) -> Answer:
        """Whether a formula is true of the initial marking."""
        match formula:
            case _ if about_one_marking(formula):
                value = marking_test(plain(formula, self.net), self.net)(self.net.initial_marking.tokens)
                reason = f"At the start `{_short(str(formula))}` is {'true' if value else 'false'}."
                return Answer(value, reason, method="the initial marking alone", assumptions=())
            case Not(f) if _effort(f) < 2:
                return self.truth(f).negated()
            case And(operands) | Or(operands):
                return self._several(operands, isinstance(formula, Or))
            case Temporal("E", "F", (f,)) if about_one_marking(f):
                return self._reached(f, f, "true")
            case Temporal("A", "G", (f,)) if about_one_marking(f):
                return self._reached(Not(f), f, "false").negated()
        return self._labelled(formula)

    def _several(self, operands: tuple[Formula, ...], decides: bool) -> Answer:
        """`or` (`decides` is true) or `and`, the cheapest part first; one part may decide it."""
        answers = []
        for each in sorted(operands, key=_effort):
            answer = self.truth(each)
            if answer.found is decides:
                return answer
            answers.append(answer)
        unknown = [answer for answer in answers if answer.found is None]
        return unknown[0] if unknown else answers[-1]

    def _reached(self, wanted: Formula, claim: Formula, value: str) -> Answer:
        """Whether a marking can be reached at which the claim has this value."""
        answer = find(self.search, wanted)
        text = _short(str(claim))
        if answer.witness is not None:
            reason = f"{reached(answer.witness)}, with {shown(answer.witness.marking)}, `{text}` is {value}."
        elif answer.found is False:
            reason = f"`{text}` is never {value}. {answer.reason}"
        else:
            reason = answer.reason
        return replace(answer, reason=reason)

    def _labelled(self, formula: Formula) -> Answer:
        """By the nearest markings if they suffice, else by all that can be searched."""
        answer = self._labels(formula, self.search.small)
        if answer.found is not None or self.search.exhausted:
            return answer
        simpler = self._simplified.get(formula)
        if simpler is None:
            simpler = self._simplified[formula] = Simplifier(self.search)(formula)
            # What is left of it comes back as it is.
            self._simplified[simpler] = simpler
        if isinstance(simpler, Constant):
            told = "true" if simpler.value else "false"
            reason = f"It is {told} of every reachable marking, by what the marking equation says of its parts."
            return Answer(simpler.value, reason, method=SIMPLIFIED, assumptions=(MAXIMAL,))
        if simpler != formula:
            answer = self.truth(simpler)
            return replace(answer, method=f"{SIMPLIFIED}, then {answer.method}")
        return self._labels(formula, self.search.whole())

    def _labels(self, formula: Formula, space: StateSpace) -> Answer:
        from wfsim.verification.nets.ctl import Labelling

        if self._labelling is None or self._labelling.space is not space:
            self._labelling = Labelling(space, self.search.limits)
        labels = self._labelling
        labels.limits = self.search.limits
        bound = bound_of(space)
        true, false = labels.sure(formula, True), labels.sure(formula, False)
        if not true[0] and not false[0]:
            reason = advised(space, " What lies beyond may decide it.")
            return Answer(None, reason, None, bound, LABELLING, {}, (MAXIMAL,))
        value = bool(true[0])
        text, verb = _short(str(formula)), "true" if value else "false"
        reason, statistics = f"`{text}` is {verb} of the initial marking, whatever lies beyond what was searched.", {}
        if space.complete:
            statistics = {"true_of": int(true.sum())}
            reason = f"`{text}` is {verb} of the initial marking, and true of {statistics['true_of']:,} of all "
            reason += f"{space.n_markings:,} reachable markings."
        steps = labels.shown(formula, value)
        witness = None
        if steps is not None:
            sequence = [self.net.transitions[step] for step in steps[0]]
            witness = NetWitness.of(self.net, sequence, sequence[len(sequence) - steps[1] :])
            reason += " " + _way_told(self.net, witness)
        return Answer(value, reason, witness, bound, LABELLING, statistics, (MAXIMAL,))


def _way_told(net: PetriNet, witness: NetWitness) -> str:
    n = len(witness.repeatable)
    if n:
        assert witness.replay()[-1 - n] == witness.marking
        return f"The trace shows it: its last {'step' if n == 1 else f'{n} steps'} can be repeated for ever."
    end = " and ends where nothing can fire" if not net.enabled(witness.marking) else ""
    return f"The trace shows it{end}."


def _effort(formula: Formula) -> int:
    """About how dear an answer is: 0 at a look, 1 by a search, 2 for which every marking is needed."""
    while isinstance(formula, Not):
        formula = formula.operand
    if about_one_marking(formula):
        return 0
    if isinstance(formula, And | Or):
        return max(map(_effort, formula.operands))
    assert isinstance(formula, Temporal)
    reachability = (formula.quantifier, formula.operator) in (("E", "F"), ("A", "G"))
    return 1 if reachability and about_one_marking(formula.operands[0]) else 2


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
