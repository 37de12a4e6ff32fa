"""What a formula about places and inputs says of the places alone: that there are such inputs.

Parts that name no input stay. Of inputs that no place is beside the solver is asked whether there are any. For the rest
it is asked for some, again and again: with these values the formula is about places alone. Where a few do not exhaust
it, quantifiers are eliminated; if that takes too long, what was found is what is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import z3

from wfsim.verification.nets.limits import Limits
from wfsim.verification.workflows.conditions.truths import Truth, both, either
from wfsim.verification.workflows.symbolic.solving import solved

MILLISECONDS = 1_000
"""For one elimination; what is not eliminated is left out of the formula."""

ELIMINATING = 300_000
"""Units of work for one."""

MOST_INPUTS = 6
"""To be eliminated."""

FINDING = 1_000_000
"""Units of work for the question whether there are such inputs."""

EXAMPLES = 3
"""How often it is asked for others."""


@dataclass
class _Group:
    """Parts of a formula that are about the same inputs."""

    parts: list[Any]
    atoms: dict[str, Any]


def without_inputs(fact: Truth, known: Iterable[Truth], always: Truth, limits: Limits) -> Truth:
    """For which values of the places there are inputs that make it true, as far as the solver can say; else false.

    Parameters
    ----------
    known
        What is true of all inputs, and so part of what is eliminated.
    always
        What is true of the places wherever it is asked.
    """
    if isinstance(fact, bool):
        return fact
    left: list[Truth] = []
    groups: list[_Group] = []
    for part in _conjuncts(fact):
        atoms = named_atoms(part)
        if all(map(is_place, atoms)):
            left.append(part)
        else:
            _joined(groups, part, atoms)
    if not groups:
        return fact
    for part in (each for each in known if z3.is_expr(each)):
        atoms = named_atoms(part)
        inputs = {name for name in atoms if not is_place(name)}
        if any(not inputs.isdisjoint(group.atoms) for group in groups):
            _joined(groups, part, atoms)
    return both(*left, *(_eliminated(group, always, limits) for group in groups))


def _conjuncts(fact: Any) -> list[Any]:
    found: list[Any] = []
    todo = [fact]
    while todo:
        node = todo.pop()
        if z3.is_and(node):
            todo += node.children()
        else:
            found.append(node)
    return found


def _joined(groups: list[_Group], part: Any, atoms: dict[str, Any]) -> None:
    """Put a part where its inputs are; what it has in common with several makes them one."""
    inputs = {name for name in atoms if not is_place(name)}
    own = _Group([part], dict(atoms))
    for group in [each for each in groups if not inputs.isdisjoint(each.atoms)]:
        groups.remove(group)
        own.parts += group.parts
        own.atoms |= group.atoms
    groups.append(own)


def _eliminated(group: _Group, always: Truth, limits: Limits) -> Truth:
    inputs = [atom for name, atom in group.atoms.items() if not is_place(name)]
    fact = z3.And(*group.parts)
    solver = z3.Solver()
    solver.add(fact)
    if len(inputs) == len(group.atoms):
        return bool(solved(solver, limits, most=FINDING) == z3.sat)
    solver.add(always)
    found: list[Any] = []
    for _ in range(EXAMPLES):
        status = solved(solver, limits, most=FINDING)
        if status == z3.unsat:
            return either(*found)
        if status == z3.unknown:
            break
        model = solver.model()
        given = [(atom, model.eval(atom, model_completion=True)) for atom in inputs]
        found.append(z3.simplify(z3.substitute(fact, *given)))
        solver.add(z3.Not(found[-1]))
    exact = _by_quantifiers(fact, inputs, limits) if len(inputs) <= MOST_INPUTS else None
    return either(*found) if exact is None else exact


def _by_quantifiers(fact: Any, inputs: list[Any], limits: Limits) -> Truth | None:
    """That there are such inputs, without naming them; None if the solver does not get there."""
    limits.spend(ELIMINATING)
    tactic = z3.TryFor(z3.Then("simplify", "qe", "ctx-simplify"), MILLISECONDS)
    try:
        found = tactic(z3.Exists(inputs, fact)).as_expr()
    except z3.Z3Exception:
        return None
    if _has_quantifier(found) or not all(map(is_place, named_atoms(found))):
        return None
    if z3.is_true(found) or z3.is_false(found):
        return bool(z3.is_true(found))
    return found


def is_place(name: str) -> bool:
    """Whether an unknown of this name is of a place, and not of what comes from outside."""
    return "@" in name and "?" not in name


def named_atoms(fact: Any) -> dict[str, Any]:
    """The unknowns that a formula is about, by name."""
    return {str(atom): atom for atom in atoms_of(fact)}


def atoms_of(fact: Any) -> list[Any]:
    """The unknowns that a formula is about, each once."""
    found: dict[int, Any] = {}
    seen: set[int] = set()
    todo = [fact] if z3.is_expr(fact) else []
    while todo:
        node = todo.pop()
        if node.get_id() in seen:
            continue
        seen.add(node.get_id())
        if z3.is_const(node) and node.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found[node.get_id()] = node
        todo += [node.body()] if z3.is_quantifier(node) else node.children()
    return list(found.values())


def _has_quantifier(fact: Any) -> bool:
    seen: set[int] = set()
    todo = [fact]
    while todo:
        node = todo.pop()
        if z3.is_quantifier(node):
            return True
        if node.get_id() not in seen:
            seen.add(node.get_id())
            todo += node.children()
    return False
