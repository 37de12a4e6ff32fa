"""Which questions a choice is asked, and how the answers are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wfsim.model.expression_tree import Bool, Expression, IfElse, Not
from wfsim.model.expressions import to_text
from wfsim.model.problems import Path
from wfsim.model.values import Value
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import source_of
from wfsim.verification.nets.limits import Limits
from wfsim.verification.verdict import Status
from wfsim.verification.workflows.conditions.choices import Choice, Option
from wfsim.verification.workflows.conditions.findings import Finding, Kind, told_values
from wfsim.verification.workflows.conditions.questions import Answer, Questions
from wfsim.verification.workflows.conditions.wishes import ERROR, FALSE, TRUE, Comes, Differ
from wfsim.verification.workflows.conditions.witness import ValuesWitness


@dataclass(frozen=True)
class Asked:
    """What was found at one choice, and after how many questions."""

    findings: tuple[Finding, ...]
    n_questions: int


def ask_choice(workflow: Workflow, choice: Choice, kinds: Iterable[Kind], limits: Limits) -> Asked:
    """Ask a choice for what is wanted."""
    asking = _Asking(workflow, choice, frozenset(kinds), limits)
    found = tuple(asking.findings())
    return Asked(found, asking.questions.n_asked)


class _Asking:
    def __init__(self, workflow: Workflow, choice: Choice, kinds: frozenset[Kind], limits: Limits) -> None:
        self.workflow = workflow
        self.choice = choice
        self.kinds = kinds
        self.questions = Questions(workflow, choice, limits)
        self.source = source_of(workflow)

    def findings(self) -> Iterator[Finding]:
        for k, option in enumerate(self.choice.options):
            yield from self._of_one(k, option)
        if Kind.GAP in self.kinds and self.choice.left is not None:
            yield from self._gap(self.choice.left)

    def _of_one(self, k: int, option: Option) -> Iterator[Finding]:
        """All that is asked about one transition; what follows from one answer is not told again."""
        if self.kinds & {Kind.UNSATISFIABLE, Kind.IMPLIED, Kind.SHADOWED, Kind.OVERLAP}:
            possible = self.questions.ask(Comes(option.whole, (TRUE,)))
            if possible.refuted:
                if Kind.UNSATISFIABLE in self.kinds:
                    yield self._found(Kind.UNSATISFIABLE, option, _UNSATISFIABLE.format(option.condition))
                return
            if possible.unknown and Kind.UNSATISFIABLE in self.kinds:
                yield self._open(Kind.UNSATISFIABLE, option, possible)
            hidden = False
            for finding in self._against_earlier(k, option, possible):
                hidden |= finding.kind is Kind.SHADOWED and finding.status is Status.VIOLATED
                yield finding
            if hidden:
                return
        if option.written is not None and Kind.IMPLIED in self.kinds:
            yield from self._implied(option, option.written)
        if option.written is not None and Kind.FAULT in self.kinds:
            yield from self._fault(k, option)

    def _reached(self, k: int) -> list[Comes]:
        """That the condition of a transition is evaluated at all: those before it are false."""
        return [Comes(earlier.whole, (FALSE,)) for earlier in self.choice.options[:k]]

    def _against_earlier(self, k: int, option: Option, possible: Answer) -> Iterator[Finding]:
        if Kind.SHADOWED in self.kinds and k and self.choice.at_once:
            taken = self.questions.ask(*self._reached(k), Comes(option.whole, (TRUE,)))
            if taken.refuted:
                yield self._shadowed(k, option, possible.values)
                return
            if taken.unknown and not possible.unknown:
                yield self._open(Kind.SHADOWED, option, taken)
        if Kind.OVERLAP in self.kinds and option.written is not None:
            for j, earlier in enumerate(self.choice.options[:k]):
                if earlier.written is not None:
                    yield from self._overlap(j, k)

    def _shadowed(self, k: int, option: Option, values: Mapping[str, Value] | None) -> Finding:
        alone = (
            earlier
            for earlier in self.choice.options[:k]
            if self.questions.ask(Comes(option.whole, (TRUE,)), Comes(earlier.whole, (FALSE, ERROR))).refuted
        )
        hiding = next(alone, None)
        whenever = "always," if option.written is None else f"whenever `{option.condition}` is true,"
        if hiding is None:
            first = "one of those before it is true or raises an error"
        elif hiding.written is None:
            first = f"{hiding.label} comes first and has no condition"
        else:
            first = f"`{hiding.condition}` of {hiding.label}, which comes first, is true"
        return self._found(
            Kind.SHADOWED,
            option,
            f"{whenever} {first}, so this one is never taken (M2.3). Put it before, or narrow what comes first.",
            values,
        )

    def _overlap(self, j: int, k: int) -> Iterator[Finding]:
        option, earlier = self.choice.options[k], self.choice.options[j]
        both = (Comes(earlier.whole, (TRUE,)), Comes(option.whole, (TRUE,)))
        answer = self.questions.ask(*self._reached(j), *both)
        if answer.unknown:
            yield self._open(Kind.OVERLAP, option, answer, f" with {earlier.label}")
        elif answer.values is not None:
            yield self._found(
                Kind.OVERLAP,
                option,
                f"{_with(answer.values)}both `{earlier.condition}` and `{option.condition}` are true; "
                f"{earlier.label} comes first in the file and is taken (M2.3).",
                answer.values,
            )

    def _implied(self, option: Option, written: Expression) -> Iterator[Finding]:
        answer = self.questions.ask(Comes(written, (FALSE, ERROR)))
        if answer.refuted:
            yield self._found(Kind.IMPLIED, option, _ALWAYS.format(option.condition))
            return
        if answer.unknown:
            yield self._open(Kind.IMPLIED, option, answer)
            return
        for part, rest in left_out(written):
            if self.questions.ask(Differ(written, rest)).refuted:
                yield self._found(Kind.IMPLIED, option, _NOTHING.format(option.condition, to_text(part)))
                return

    def _fault(self, k: int, option: Option) -> Iterator[Finding]:
        answer = self.questions.ask(*self._reached(k), Comes(option.whole, (ERROR,)), self.questions.written)
        if answer.unknown:
            yield self._open(Kind.FAULT, option, answer)
        elif answer.values is not None:
            kind = self.questions.outcomes(answer.values)[k]
            yield self._found(
                Kind.FAULT,
                option,
                f"{_with(answer.values)}`{option.condition}` raises {kind}: nothing is taken, and the "
                "state gets the event `error` (M2.5). Ask for null or for zero first, or bound the values.",
                answer.values,
            )

    def _gap(self, left: str) -> Iterator[Finding]:
        none = [Comes(option.whole, (FALSE,)) for option in self.choice.options]
        among = [] if self.choice.among is None else [Comes(self.choice.among, (TRUE,))]
        answer = self.questions.ask(*none, *among, self.questions.written)
        if answer.unknown:
            told = f"whether values are left over is not known: {answer.unknown}"
            yield self._finding(Kind.GAP, Status.UNKNOWN, self.choice.place, self.choice.path, told)
        elif answer.values is not None:
            all_of_them = " and ".join(f"`{option.condition}`" for option in self.choice.options)
            are = "is" if len(self.choice.options) == 1 else "are"
            told = f"{_with(answer.values)}{all_of_them} {are} false, so nothing is taken: {left}."
            yield self._finding(Kind.GAP, Status.VIOLATED, self.choice.place, self.choice.path, told, answer.values)

    def _open(self, kind: Kind, option: Option, answer: Answer, about: str = "") -> Finding:
        told = f"`{option.condition}`{about}: whether it is so is not known: {answer.unknown}"
        return self._finding(kind, Status.UNKNOWN, option.label, option.path, told)

    def _found(self, kind: Kind, option: Option, told: str, values: Mapping[str, Value] | None = None) -> Finding:
        return self._finding(kind, Status.VIOLATED, option.label, option.path, told, values)

    def _finding(
        self, kind: Kind, status: Status, place: str, path: Path, told: str, values: Mapping[str, Value] | None = None
    ) -> Finding:
        witness = None if values is None else ValuesWitness.of(self.workflow, self.choice, values)
        file = self.source.file if self.source is not None else None
        line = self.source.line_of(path) if self.source is not None else None
        return Finding(kind, status, place, told, values or {}, witness, file, line)


_UNSATISFIABLE = (
    "no values that the declarations admit make `{}` true, so it is never taken. Correct the condition, or remove the "
    "transition."
)
_ALWAYS = "all values that the declarations admit make `{}` true, so it says nothing. Leave it out, or correct it."
_NOTHING = "in `{}` the part `{}` changes nothing, whatever the values. Leave it out, or correct it."


def _with(values: Mapping[str, Value]) -> str:
    return f"with {told_values(values)} " if values else ""


def left_out(tree: Expression) -> Iterator[tuple[Expression, Expression]]:
    """Each operand of an `and` or `or` within logic, and the condition without it."""
    match tree:
        case Bool(word, operands):
            for k, operand in enumerate(operands):
                rest = operands[:k] + operands[k + 1 :]
                yield operand, rest[0] if len(rest) == 1 else Bool(word, rest)
                for part, inner in left_out(operand):
                    yield part, Bool(word, (*operands[:k], inner, *operands[k + 1 :]))
        case Not(operand):
            for part, inner in left_out(operand):
                yield part, Not(inner)
        case IfElse(test, then, otherwise):
            for part, inner in left_out(test):
                yield part, IfElse(inner, then, otherwise)
            for part, inner in left_out(then):
                yield part, IfElse(test, inner, otherwise)
            for part, inner in left_out(otherwise):
                yield part, IfElse(test, then, inner)
