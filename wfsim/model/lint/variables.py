"""Defects of data: variables read before they are set, set and never read, or set by nothing.

A forward data-flow analysis over the states of each region computes, for the moment a state is entered and
for the moment its entry has settled, which variables are set on every path (*must*) and on some path (*may*).
Conditions add what they prove: after `context.x != null` holds, `x` is set. See Nielson, Nielson and Hankin,
Principles of Program Analysis (1999), chapter 2: definite assignment is an intersection over paths, possible
assignment a union.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wfsim.model.expression_tree import (
    Apply,
    Arithmetic,
    Bool,
    Call,
    Compare,
    Expression,
    Field,
    Gather,
    IfElse,
    Index,
    Literal,
    Name,
    Negate,
    Not,
    Template,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    Whole,
    children,
    names,
)
from wfsim.model.expressions import to_text
from wfsim.model.operations import Action, PassingAction
from wfsim.model.uses import (
    data_paths,
    declared_variables,
    operation_uses,
    region_around,
    state_uses,
    transition_actions,
    transition_uses,
    uses,
    writes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wfsim.model.elements import Transition, Variable
    from wfsim.model.lint.graph import RegionGraph
    from wfsim.model.lint.report import Report
    from wfsim.model.problems import Path
    from wfsim.model.shapes import Signature
    from wfsim.model.uses import Use
    from wfsim.model.workflow import Workflow


def variables(workflow: Workflow, graphs: list[RegionGraph], report: Report) -> None:
    """All findings about variables."""
    declared = declared_variables(workflow)
    silent = _by_use(workflow, declared, report)
    _Flow(workflow, graphs, declared, silent, report).run()


# What is used at all ---------------------------------------------------------------------------------------


def _by_use(workflow: Workflow, declared: Mapping[str, Variable], report: Report) -> set[str]:
    """`variable-unprovided`, `variable-never-read`, `variable-unused`; returns the unprovided ones."""
    first_read: dict[str, Use] = {}
    reads_all = False
    for use in uses(workflow):
        for read_name in names(use.tree):
            if isinstance(read_name, Name) and read_name.scope == "context":
                first_read.setdefault(read_name.field, use)
            reads_all = reads_all or (isinstance(read_name, Whole) and read_name.scope == "context")
    implicit = not workflow.variables
    missing = unprovided(workflow)
    silent: set[str] = set()
    belonging = data_paths(workflow)
    for name, variable in declared.items():
        path = belonging.get(name, ("variables", name))
        place = f"variable {name!r}"
        provided = name not in missing
        # What a state holds is also there for people to see in which variant of it an instance is.
        is_shown = variable.output or variable.searchable or (provided and name in belonging)
        read = name in first_read or reads_all or is_shown
        if not provided and (name in first_read or variable.output):
            silent.add(name)
            where = f"{first_read[name].what} reads it" if name in first_read else "it is an output"
            report(
                "variable-unprovided",
                first_read[name].path if implicit and name not in belonging else path,
                place,
                f"{where}, but nothing ever sets it: it is no input, has no initial value, and no action or "
                "result writes it.",
                "Make it an input (input: true), give it an initial value, or set it before it is read.",
            )
        elif not provided and not read:
            report("variable-unused", path, place, "it is declared, but neither set nor read.", "Remove it.")
        elif provided and not read and not implicit:
            report(
                "variable-never-read",
                path,
                place,
                "it gets a value, but nothing reads it.",
                "Mark it output: true if it is a result, or remove it.",
            )
    return silent


def unprovided(workflow: Workflow) -> set[str]:
    """Variables that are always null: no input, without initial value, written by no action or result."""
    written = {write.variable for write in writes(workflow)}
    return {
        name
        for name, variable in declared_variables(workflow).items()
        if not variable.input and variable.initial is None and name not in written
    }


# The order of things ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Facts:
    """Variables set on every path, on some path, and on some path set in an earlier step that they did not outlive."""

    must: frozenset[str]
    may: frozenset[str]
    late: frozenset[str] = frozenset()

    def join(self, other: _Facts | None) -> _Facts:
        if other is None:
            return self
        return _Facts(self.must & other.must, self.may | other.may, self.late | other.late)

    def after(self, name: str, *, certain: bool = True) -> _Facts:
        if certain:
            return self.proved(frozenset({name}))
        return replace(self, may=self.may | {name})

    def proved(self, names_: frozenset[str]) -> _Facts:
        return _Facts(self.must | names_, self.may | names_, self.late - names_)

    def waited(self, lost: frozenset[str], initial: frozenset[str]) -> _Facts:
        """After a wait, which `lost` do not outlive; some of them have an initial value."""
        return _Facts(self.must - (lost - initial), self.may - lost, self.late | (self.may & lost))


def _passed(facts: _Facts, actions: Sequence[PassingAction]) -> _Facts:
    """Facts after what entering or leaving a state does: one that fails keeps nobody from going on (M3.9)."""
    for action in actions:
        if action.written is not None:
            facts = facts.after(action.written.variable, certain=not action.fails_of)
    return facts


# These can come before the actions after a commit are done: an error of one, or a control (M3.4, M8.3).
_EARLY_EVENTS = ("error", "cancel_requested", "workflow_timeout")


class _Flow:
    def __init__(
        self,
        workflow: Workflow,
        graphs: list[RegionGraph],
        declared: Mapping[str, Variable],
        silent: set[str],
        report: Report,
    ) -> None:
        self.workflow = workflow
        self.graphs = graphs
        self.declared = declared
        self.silent = silent
        self.report = report
        self.transient = frozenset(name for name, variable in declared.items() if variable.transient)
        self.initial = frozenset(name for name, variable in declared.items() if variable.initial is not None)
        self.told: set[tuple[Path, str]] = set()
        self.entered: dict[tuple[Path, str], _Facts] = {}
        self.settled: dict[tuple[Path, str], _Facts] = {}

    def run(self) -> None:
        given = {name: variable for name, variable in self.declared.items() if variable.input}
        start = self.initial | {name for name, variable in given.items() if not variable.optional}
        may = (start | set(given)) - self.transient
        for graph in self.graphs:
            if not graph.around:
                self.solve(graph, _Facts(start, may))
                continue
            outer, state = graph.around[0]
            facts = self.entered.get((outer.part.path, state.name))
            if facts is not None:
                facts = _passed(facts, state.entry_actions)
                # What others write at any moment is left to them: only this region's own order is judged.
                written = frozenset(
                    write.variable
                    for write in writes(self.workflow)
                    if write.path[: len(graph.part.path)] != graph.part.path
                )
                self.solve(graph, facts.proved(written - (self.transient - self.beside(graph))))
        for graph in self.graphs:
            self.judge(graph)

    def solve(self, graph: RegionGraph, start: _Facts) -> None:
        """Iterate to the fixed point; facts only shrink (must) or grow (may), so it ends."""
        region = graph.part.path
        self.entered[(region, graph.region.initial_state)] = start
        begun = _passed(start, graph.states[graph.region.initial_state].entry_actions)
        self.settled[(region, graph.region.initial_state)] = self.inside(graph, graph.region.initial_state, begun)
        waiting = [graph.region.initial_state]
        while waiting:
            name = waiting.pop(0)
            for index, transition in graph.usable_from(name):
                target = transition.to if transition.to is not None else name
                committed, done = self.across(graph, index, transition)
                key = (region, target)
                if transition.to is None:
                    # Nothing is entered; what was written stays (M3.6).
                    committed = committed.join(self.entered.get(key))
                    done = done.join(self.settled.get(key))
                entered = committed.join(self.entered.get(key))
                settled = self.inside(graph, target, done).join(self.settled.get(key))
                if (entered, settled) != (self.entered.get(key), self.settled.get(key)):
                    self.entered[key], self.settled[key] = entered, settled
                    if target not in waiting:
                        waiting.append(target)

    def beside(self, graph: RegionGraph) -> frozenset[str]:
        """Variables that regions write which run beside this one, in an order that is not judged."""
        own = graph.part.path
        return frozenset(
            write.variable
            for write in writes(self.workflow)
            if (other := region_around(write.path)) != own[: len(other)] and own != other[: len(own)]
        )

    def waited(self, graph: RegionGraph, facts: _Facts) -> _Facts:
        """Facts in a later step."""
        return facts.waited(self.transient - self.beside(graph), self.initial) if self.transient else facts

    def done(self, graph: RegionGraph, facts: _Facts, action: Action) -> _Facts:
        """Facts after an action of a transition that went on."""
        if action.waits:
            facts = self.waited(graph, facts)
        written = action.written
        return facts if written is None else facts.after(written.variable, certain=action.on_failure == "abort")

    def inside(self, graph: RegionGraph, name: str, facts: _Facts) -> _Facts:
        """What the work of a state may have written while the state is active."""
        work = graph.states[name].work
        if work is not None and work.written is not None:
            facts = facts.after(work.written.variable, certain=False)
        return replace(facts, may=facts.may | self.written_inside(graph, name))

    def written_inside(self, graph: RegionGraph, name: str) -> frozenset[str]:
        """Variables that the regions of a state write."""
        path = graph.part.state_path(graph.state_index[name])
        if graph.states[name].parallel is None:
            return frozenset()
        return frozenset(write.variable for write in writes(self.workflow) if write.path[: len(path)] == path)

    def before(self, graph: RegionGraph, transition: Transition) -> _Facts:
        """Facts when the event of a transition is offered."""
        key = (graph.part.path, transition.from_)
        event = transition.event or ""
        if event.split(".")[0] in _EARLY_EVENTS:
            begun = _passed(self.entered[key], graph.states[transition.from_].entry_actions)
            facts = replace(self.settled[key], must=begun.must & self.settled[key].must)
            return facts.join(self.waited(graph, facts))
        facts = self.settled[key]
        if event or transition.timed:
            facts = self.waited(graph, facts)
        elif self.stays(graph, transition.from_):
            facts = facts.join(self.waited(graph, facts))
        state = graph.states[transition.from_]
        if event == "done":
            if state.work is not None and state.work.written is not None:
                facts = facts.after(state.work.written.variable)
            # Which regions must have ended depends on the join; none is blamed for what another left out.
            facts = facts.proved(self.written_inside(graph, transition.from_))
        return facts

    def stays(self, graph: RegionGraph, name: str) -> bool:
        """Whether an instance may wait in a state; in one with conditions alone it is taken to go on at once."""
        ways = (graph.region.transitions[k] for k in graph.leaving[name])
        return graph.states[name].work is not None or any(way.event is not None or way.timed for way in ways)

    def across(self, graph: RegionGraph, index: int, transition: Transition) -> tuple[_Facts, _Facts]:
        """Facts when a transition enters its target, before anything is done there, and after its last action."""
        facts = self.guarded(graph, index, self.before(graph, transition))
        if transition.condition_tree is not None:
            facts = facts.proved(proved(transition.condition_tree, True))
        for action in transition.pre_actions:
            facts = self.done(graph, facts, action)
        if transition.to is not None:
            # What is left writes as it goes; of the regions inside nobody knows which states those are.
            facts = _passed(facts, graph.states[transition.from_].exit_actions)
        committed = facts
        if transition.to is not None:
            facts = _passed(facts, graph.states[transition.to].entry_actions)
        for action in transition.post_actions:
            facts = self.done(graph, facts, action)
        return committed, facts

    def guarded(self, graph: RegionGraph, index: int, facts: _Facts) -> _Facts:
        """Earlier transitions on the same event were not chosen, so their conditions were false (M2.3)."""
        transition = graph.region.transitions[index]
        for earlier in graph.leaving[transition.from_]:
            if earlier >= index:
                break
            other = graph.region.transitions[earlier]
            if other.event == transition.event and other.condition_tree and not (other.timed or transition.timed):
                facts = facts.proved(proved(other.condition_tree, False))
        return facts

    def judge(self, graph: RegionGraph) -> None:
        """Check every expression of the region against the facts where it is evaluated."""
        region = graph.part.path
        for index, state in enumerate(graph.region.states):
            facts = self.entered.get((region, state.name))
            if facts is None:
                continue
            entered, passing = _passed(facts, state.entry_actions), len(graph.part.state_path(index))
            left = replace(entered, may=entered.may | self.settled[region, state.name].may)
            left = left.join(self.waited(graph, left)) if self.stays(graph, state.name) else left
            for use in state_uses(graph.part, index, state):
                on = use.path[passing]
                known = facts if on == "entry_actions" else left if on == "exit_actions" else entered
                self.check(use, use.tree, known, strict=use.kind in ("deadline", "moment", "items"))
            for number, transition in graph.usable_from(state.name):
                self.judge_transition(graph, number, transition, entered)

    def judge_transition(self, graph: RegionGraph, index: int, transition: Transition, entered: _Facts) -> None:
        facts = self.guarded(graph, index, self.before(graph, transition))
        for use in transition_uses(graph.part, index, transition):
            if use.kind in ("deadline", "moment"):
                self.check(use, use.tree, entered, strict=True)
            elif use.kind == "condition":
                self.check(use, use.tree, facts, strict=True)
                assert transition.condition_tree is not None
                facts = facts.proved(proved(transition.condition_tree, True))
        label = graph.part.transition_label(index)
        for path, action in transition_actions(graph.part, index, transition):
            for use in operation_uses(path, label, action, transition.event):
                self.check(use, use.tree, facts, strict=False)
            facts = self.done(graph, facts, action)

    def check(self, use: Use, tree: Template, facts: _Facts, *, strict: bool) -> None:
        for name, fatal, known in _reads(tree, strict, frozenset()):
            variable = self.declared.get(name)
            if name in facts.late and (use.path, name) not in self.told:
                self.told.add((use.path, name))
                self.report(
                    "transient-read-late",
                    use.path,
                    f"variable {name!r}",
                    f"{use.what} reads it, but it is transient, and on some path a wait lies between setting and "
                    "reading it: by then it is what it was at first (M13.4).",
                    "Read it in the step that sets it, or remove transient: true.",
                )
            if variable is None or name in self.silent or name in facts.must or name in known:
                continue
            if variable.optional and not fatal:
                # An optional variable may be null, and here null is passed on or compared with.
                continue
            if (use.path, name) in self.told:
                continue
            self.told.add((use.path, name))
            if name in facts.may:
                self.report(
                    "variable-may-be-unset",
                    use.path,
                    f"variable {name!r}",
                    f"{use.what} reads it, but on some path nothing has set it by then.",
                    "Set it on every path, give it an initial value, or ask "
                    f"`{to_text(Name('context', name))} != null` first.",
                )
            else:
                self.report(
                    "variable-unset",
                    use.path,
                    f"variable {name!r}",
                    f"{use.what} reads it, but on no path has anything set it by then.",
                    "Set it earlier, make it an input, or give it an initial value.",
                )


# What expressions read and prove -------------------------------------------------------------------------


def _reads(tree: Template, strict: bool, known: frozenset[str]) -> Iterator[tuple[str, bool, frozenset[str]]]:
    """Variables read, whether null would be a fault there, and what is proved to be set by then.

    A variable that is only asked whether it is null is not read.
    """
    match tree:
        case Name("context", field):
            yield field, strict, known
        case TemplateLiteral() | TemplateList() | TemplateObject():
            for part in children(tree):
                yield from _reads(part, False, known)
        case Compare("==" | "!=", left, right):
            if Literal(None) not in (left, right):
                yield from _reads(left, False, known)
                yield from _reads(right, False, known)
        case Compare("in" | "not in", left, right):
            yield from _reads(left, False, known)
            yield from _reads(right, True, known)
        case Bool(word, operands):
            for operand in operands:
                yield from _reads(operand, True, known)
                known = known | proved(operand, word == "and")
        case IfElse(test, then, otherwise):
            yield from _reads(test, True, known)
            yield from _reads(then, strict, known | proved(test, True))
            yield from _reads(otherwise, strict, known | proved(test, False))
        case Call("coalesce", arguments):
            for argument in arguments:
                yield from _reads(argument, strict and argument is arguments[-1], known)
        case Apply(_, arguments, declared):
            for argument, null in zip(arguments, _takes_null(declared)):
                yield from _reads(argument, not null, known)
        case Gather(_, over, body):
            yield from _reads(over, True, known)
            yield from _reads(body, False, known)
        case Negate() | Not() | Arithmetic() | Compare() | Call() | Index() | Field():
            for part in children(tree):
                yield from _reads(part, True, known)
        case _:
            for part in children(tree):
                yield from _reads(part, False, known)


def _takes_null(declared: Signature | None) -> Iterator[bool]:
    """Of each argument of a function in Python whether it may be null; of one that is not declared nothing is known."""
    return itertools.repeat(True) if declared is None else (shape.optional for shape in declared.inputs.values())


def null_reads(tree: Template) -> Iterator[str]:
    """Variables whose null would make an expression null, or raise."""
    return (name for name, fatal, known in _reads(tree, True, frozenset()) if fatal and name not in known)


def proved(condition: Expression, outcome: bool) -> frozenset[str]:
    """Variables that cannot be null once the condition has this outcome.

    Besides the question `!= null` itself, an operation that refuses null proves its operands: had one been
    null, there would be no outcome but an error (M10.1).
    """
    match condition:
        case Name("context", field):
            return frozenset({field})
        case Compare("==", left, right) if Literal(None) in (left, right):
            return frozenset() if outcome else _variable(left) | _variable(right)
        case Compare("!=", left, right) if Literal(None) in (left, right):
            return _variable(left) | _variable(right) if outcome else frozenset()
        case Compare("==" | "!=" as sign, left, right):
            same = outcome is (sign == "==")
            constants = [side for side in (left, right) if isinstance(side, Literal)]
            if same and constants:
                return _variable(left) | _variable(right)
            return frozenset().union(*(_needed(side) for side in (left, right)))
        case Compare("in" | "not in", left, right):
            return _needed(left) | _variable(right) | _needed(right)
        case Not(operand):
            return proved(operand, not outcome)
        case Bool(word, operands):
            if outcome is (word == "and"):
                return frozenset().union(*(proved(operand, outcome) for operand in operands))
            # Some operand decided; the first was evaluated in any case.
            decided: frozenset[str] | None = None
            passed: frozenset[str] = frozenset()
            for operand in operands:
                here = passed | proved(operand, outcome)
                decided = here if decided is None else decided & here
                passed = passed | proved(operand, not outcome)
            return decided or frozenset()
        case IfElse(test, then, otherwise):
            yes = proved(test, True) | proved(then, outcome)
            no = proved(test, False) | proved(otherwise, outcome)
            return yes & no
        case _:
            return _needed(condition)


def _needed(expression: Expression) -> frozenset[str]:
    """Variables that are not null if the expression has a value at all."""
    match expression:
        case Call("coalesce", _):
            return frozenset()
        case Apply(_, arguments, declared):
            found = frozenset[str]()
            for argument, null in zip(arguments, _takes_null(declared)):
                found |= _needed(argument) if null else _needed(argument) | _variable(argument)
            return found
        case Gather(_, over, _):
            return _variable(over) | _needed(over)
        case Negate() | Arithmetic() | Call() | Index() | Field() | Compare("<" | "<=" | ">" | ">=", _, _):
            parts: frozenset[str] = frozenset()
            for child in children(expression):
                parts |= _variable(child) | _needed(child)  # type: ignore[arg-type]
            return parts
        case Not() | Bool() | Compare():
            return proved(expression, True) & proved(expression, False)
        case _:
            return frozenset()


def _variable(expression: Expression) -> frozenset[str]:
    match expression:
        case Name("context", field):
            return frozenset({field})
        case _:
            return frozenset()
