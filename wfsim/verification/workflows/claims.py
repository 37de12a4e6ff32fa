"""Claims: conditions about a moment of a run, in the language of conditions and a few words more.

A run is a sequence of moments, one after each step: the start, an event, a timer, or something that an activity or
child reports. A claim is true or false at a moment. It may ask

- how things stand after the step: `context.x`; `state == "shipped"` (of the root region);
  `in("fulfilling/goods/packing")`, for a state of any region by its path; `status == "failed"`; `outcome`; `closed`;
- what has happened in the step: `event.pay` (received and acted on), `activity.charge_card.succeeded` (also
  `scheduled`, `started`, `failed` for each failed or timed-out attempt, `cancelled`), `entered("shipped")`, which is
  also true of a state that is passed within the step;
- what has been: `once(claim)` is true from the first moment on at which the claim is true.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal as OneOf
from typing import TypeAlias

from wfsim.errors import ExpressionError, did_you_mean, listed
from wfsim.model.expression_reader import Converter, check_words, refuse, tokens
from wfsim.model.expression_tree import (
    Compare,
    Expression,
    ListOf,
    Literal,
    Name,
    Whole,
    walk,
)
from wfsim.model.expressions import is_template, never_true
from wfsim.model.owned import variable_of
from wfsim.model.statuses import STATUSES
from wfsim.semantics.codes import (
    OUTCOMES,
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_EVENT_RECEIVED,
    R_STATE_ENTERED,
    R_TRANSITION,
)
from wfsim.semantics.program import Program

WORDS: dict[str, tuple[int, ...]] = {
    "scheduled": (R_ACTIVITY_SCHEDULED,),
    "started": (R_ACTIVITY_STARTED,),
    "succeeded": (R_ACTIVITY_SUCCEEDED,),
    "failed": (R_ACTIVITY_FAILED, R_ATTEMPT_TIMED_OUT),
    "cancelled": (R_ACTIVITY_CANCELLED,),
}
"""What an activity can do, and the records that tell it."""
_RECEIVED = (R_EVENT_RECEIVED,)
_ENTERED = (R_TRANSITION, R_STATE_ENTERED)
_PLAIN = ("status", "outcome", "closed")
_ALLOWED = (
    "Allowed are context.<variable>, state, in('<state>'), status, outcome, closed, event.<event>, "
    "activity.<activity>.<" + "|".join(WORDS) + ">, entered('<state>'), once(...), numbers, 'strings', true, false, "
    "null, [lists], + - * / // %, == != < <= > >=, in, not in, and, or, not, a if c else b, len, min, max."
)
# `in("...")` is no Python; while Python reads the text, the word stands under a name of the same length.
_IN = "_i"


@dataclass(frozen=True, slots=True)
class Happened:
    """Whether one of these records names this event, activity or state in the step."""

    what: OneOf["event", "activity", "state"]
    name: str
    records: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Active:
    """Whether a region lies in this state after the step."""

    state: str


@dataclass(frozen=True, slots=True)
class Once:
    """Whether the claim is or was true."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Standing:
    """Status, outcome, or whether the instance is closed."""

    word: str


Atom: TypeAlias = "Happened | Active | Once | Standing"


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as written, and its tree, in which `item.<k>` stands for the k-th atom."""

    text: str
    tree: Expression
    atoms: tuple[Atom, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables it reads, each once."""
        own = [node.field for node in walk(self.tree) if isinstance(node, Name) and node.scope == "context"]
        inner = [name for atom in self.atoms if isinstance(atom, Once) for name in atom.claim.variables]
        return tuple(dict.fromkeys([*own, *inner]))

    def trees(self) -> Iterator[Expression]:
        """Its tree and those of the claims inside it."""
        yield self.tree
        for atom in self.atoms:
            if isinstance(atom, Once):
                yield from atom.claim.trees()


def parse_claim(text: str) -> Claim:
    """Read a claim.

    Raises
    ------
    ExpressionError
        With the text, the column (from 1), what is not allowed there and what is.

    Examples
    --------
    >>> parse_claim("once(event.pay) and context.attempts < 3").variables
    ('attempts',)
    """
    if not isinstance(text, str):
        raise ExpressionError(f"a claim is text such as `state == 'shipped'`, not {text!r}.")
    if is_template(text.strip()):
        raise ExpressionError(f"a claim is written without ${{...}}: {text.strip()[2:-1].strip()[:200]}")
    source = check_words(_renamed(text))
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except SyntaxError as error:
        column = min(max(error.offset or 1, 1) + len(source) - len(source.lstrip()), len(text))
        raise refuse(text, column, "this is not a complete claim", advice=_ALLOWED) from None
    except (RecursionError, MemoryError, ValueError):
        raise refuse(text, 1, "it is nested too deeply", advice="Split it.") from None
    reader = _ClaimReader(text, source)
    converted = reader.convert(tree.body, 0)
    if never_true(converted):
        raise refuse(text, 1, "a claim must be true or false, and this is neither", advice="Compare it: … == 'x'.")
    return Claim(text, converted, tuple(reader.atoms))


def _renamed(text: str) -> str:
    """The text with the word `in` renamed where it is called and does not stand between two values."""
    found = tokens(text)
    renamed = list(text)
    for k, token in enumerate(found):
        if token.group() == _IN:
            raise refuse(text, token.start() + 1, f"{_IN!r} is not part of the language", advice=_ALLOWED)
        if token.group() != "in" or token.lastgroup != "name":
            continue
        before = k - 1
        while before >= 0 and found[before].group() == "not":
            before -= 1
        operand = before >= 0 and (
            found[before].lastgroup in ("number", "string")
            or found[before].group() in (")", "]")
            or (found[before].lastgroup == "name" and found[before].group() not in ("and", "or", "if", "else"))
        )
        if not operand:
            renamed[token.start() : token.end()] = _IN
    return "".join(renamed)


class _ClaimReader(Converter):
    """Collects the atoms of a claim, and puts `item.<k>` where they stand."""

    allowed = _ALLOWED

    def __init__(self, text: str, source: str) -> None:
        super().__init__(text, source)
        self.atoms: list[Atom] = []

    def more(self, node: ast.expr, depth: int) -> Expression | None:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="functions"), attr=name)):
                raise self.refuse(node, f"a claim calls no function in Python; let a variable hold what {name!r} gives")
            case ast.Name(id="now"):
                raise self.refuse(node, "a claim is about what happens and what holds, not about when")
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="activity"), attr=name), attr=word):
                if word not in WORDS:
                    raise self.refuse(
                        node,
                        f"an activity can be {', '.join(WORDS)}, not {word!r}.{did_you_mean(word, WORDS)}",
                    )
                return self.atom(Happened("activity", name, WORDS[word]))
            case ast.Attribute(value=ast.Name(id="activity"), attr=name):
                raise self.refuse(node, f"say what {name!r} does: activity.{name}.succeeded, or {', '.join(WORDS)}")
            case ast.Attribute(value=ast.Name(id="event"), attr=name):
                return self.atom(Happened("event", name, _RECEIVED))
            case (
                ast.Attribute(value=ast.Attribute(value=ast.Name(id="state"), attr=owner), attr=name)
                | ast.Attribute(
                    value=ast.Subscript(value=ast.Name(id="state"), slice=ast.Constant(str(owner))), attr=name
                )
            ):
                return Name("context", variable_of((owner,), name))
            case ast.Attribute(value=ast.Name(id="state"), attr=name):
                raise self.refuse(node, f"say whose {name!r}: state.<state>.{name}, or state['<path>'].{name}")
            case ast.Call(func=ast.Name(id=word), args=arguments) if word in (_IN, "entered"):
                shown = "in" if word == _IN else word
                if len(arguments) != 1 or not isinstance(arguments[0], ast.Constant):
                    raise self.refuse(node, f"{shown} takes one state by its path: {shown}('shipped')")
                path = arguments[0].value
                if not isinstance(path, str):
                    raise self.refuse(node, f"{shown} takes one state by its path: {shown}('shipped')")
                return self.atom(Active(path) if word == _IN else Happened("state", path, _ENTERED))
            case ast.Call(func=ast.Name(id="once"), args=arguments):
                if len(arguments) != 1:
                    raise self.refuse(node, f"once takes one claim, not {len(arguments)}")
                inner = _ClaimReader(self.text, self.source)
                tree = inner.convert(arguments[0], depth)
                text = ast.unparse(arguments[0]).replace(f"{_IN}(", "in(")
                return self.atom(Once(Claim(text, tree, tuple(inner.atoms))))
            case ast.Name(id=word) if word in _PLAIN:
                return self.atom(Standing(word))
            case ast.Name(id="event" | "context" as word):
                raise self.refuse(node, f"say which: {word}.<name>")
            case ast.Attribute(value=ast.Name(id="item")) if not self.inside:
                raise self.refuse(node, "a claim is about an instance, not about one item of a list")
        return None

    def atom(self, atom: Atom) -> Expression:
        """The name that stands for an atom."""
        if atom not in self.atoms:
            self.atoms.append(atom)
        return Name("item", str(self.atoms.index(atom)))


def unknown_names(claim: Claim, program: Program) -> list[str]:
    """What a claim names that the workflow does not have, each with what is meant perhaps."""
    known: dict[str, Collection[str]] = {
        "variable": program.variables,
        "event": program.events,
        "activity": program.activities,
        "state": program.state_rows,
    }
    asked = [
        ("variable", node.field) for node in walk(claim.tree) if isinstance(node, Name) and node.scope == "context"
    ]
    told: list[str] = []
    for atom in claim.atoms:
        if isinstance(atom, Happened):
            asked.append((atom.what, atom.name))
        elif isinstance(atom, Active):
            asked.append(("state", atom.state))
        elif isinstance(atom, Once):
            told += unknown_names(atom.claim, program)
    for what, name in dict.fromkeys(asked):
        if name not in known[what]:
            told.append(f"{what} {name!r} is not in the workflow.{_instead(what, name, known[what])}")
    roots = [name for name in program.state_rows if "/" not in name]
    for node in walk(claim.tree):
        if not isinstance(node, Compare):
            continue
        for side, other in ((node.left, node.right), (node.right, node.left)):
            for value in _texts(other):
                if isinstance(side, Whole) and value not in roots:
                    inner = [name for name in program.state_rows if name.rpartition("/")[2] == value]
                    meant = f" Write in({inner[0]!r})." if inner else _instead("state", value, roots)
                    told.append(f"`state` is the root region's state, and {value!r} is none.{meant}")
                standing = claim.atoms[int(side.field)] if isinstance(side, Name) and side.scope == "item" else None
                if isinstance(standing, Standing) and standing.word != "closed":
                    words = STATUSES if standing.word == "status" else OUTCOMES[1:]
                    if value not in words:
                        told.append(f"{value!r} is no {standing.word}. There are: {', '.join(words)}.")
    return told


def _instead(what: str, name: str, known: Collection[str]) -> str:
    if not known:
        return f" It has no {what}."
    return did_you_mean(name, known) or f" There are: {listed(sorted(known))}."


def _texts(node: Expression) -> list[str]:
    items = node.items if isinstance(node, ListOf) else (node,)
    return [item.value for item in items if isinstance(item, Literal) and isinstance(item.value, str)]
