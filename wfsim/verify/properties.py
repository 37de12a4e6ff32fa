"""Questions that every workflow can be asked, without temporal logic, and files that list them.

A property file names a workflow (by file or name; checked) and what must hold of it, one mapping per question::

    workflow: ../models/order_processing.yaml
    properties:
      - sound: {instances: 2}
      - no_deadlock: {instances: 2, pools: {packers: 1}}
      - can_complete: {}
      - no_failure: {}
        expect: violated
        because: the condition of retry_payment reads a variable that nothing sets
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wfsim.errors import DefinitionError, did_you_mean
from wfsim.model import yaml_reader
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.problems import Problem, definition_error, from_validation
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import load, source_of
from wfsim.net.petri import PetriNet
from wfsim.semantics.codes import COMPLETED, FAILED, STATUSES, TIMED_OUT
from wfsim.semantics.stimulus import Stimulus

from .domains import MOST_ITEMS
from .soundness import deadlock_free, soundness
from .space import Edge, WorkflowSpace, explore_workflow
from .told import witness_to
from .translated import net_of
from .verdict import Status, Verdict

METHOD = "explicit breadth-first search over step with candidate values"
ASSUMPTIONS = (
    "open environment: every event that would be taken, every timer and every result may come at any moment or never",
    "activity results fit the variables they are written to",
    "an operator's cancel, and the workflow timer, only where a transition handles them",
)
SAMPLED = (
    "others might behave differently: values from outside are computed with, have no fixed type, or come in too "
    "many combinations."
)


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetOptions(_Options):
    """How many instances share how many workers, and how long a list may be that is not written out."""

    instances: int = Field(default=1, ge=1, le=1_000)
    pools: Mapping[str, int] = Field(default_factory=dict)
    items: int = Field(default=2, ge=0, le=100)


class SpaceOptions(_Options):
    """Questions about one instance have no options."""


@dataclass(frozen=True)
class Property:
    """One question, what is expected of it, and why."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    expect: Literal["holds", "violated", "unknown"] = "holds"
    because: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        given = ", ".join(f"{key}: {value}" for key, value in self.options.items())
        return f"{self.name}({given})" if given else self.name


class Report(list[Verdict]):
    """One verdict per property, in order."""

    def __init__(self, workflow: Workflow, properties: list[Property], verdicts: list[Verdict]) -> None:
        super().__init__(verdicts)
        self.workflow = workflow
        self.properties = properties

    @property
    def ok(self) -> bool:
        """Whether every verdict is the expected one."""
        return all(v.status.value == p.expect for p, v in zip(self.properties, self))

    @property
    def violated(self) -> list[Verdict]:
        """Verdicts that are `violated` though expected to hold, or the other way round."""
        return [
            v
            for p, v in zip(self.properties, self)
            if v.status in (Status.HOLDS, Status.VIOLATED) and v.status.value != p.expect
        ]

    @property
    def unanswered(self) -> list[Verdict]:
        """Verdicts that are `unknown` or `error` and were not expected to be."""
        return [
            v
            for p, v in zip(self.properties, self)
            if v.status in (Status.UNKNOWN, Status.ERROR) and v.status.value != p.expect
        ]

    def __str__(self) -> str:
        lines = []
        for asked, verdict in zip(self.properties, self):
            if asked.expect != "holds":
                same = verdict.status.value == asked.expect
                lines.append(f"as expected, {asked.because}:" if same else f"NOT as expected ({asked.expect}):")
            lines.append(str(verdict))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """All verdicts as JSON-able data."""
        return {
            "workflow": self.workflow.name,
            "version": self.workflow.version,
            "ok": self.ok,
            "verdicts": [
                {"expected": p.expect, "because": p.because, "asked": str(p)} | v.to_dict()
                for p, v in zip(self.properties, self)
            ],
        }

    def _repr_html_(self) -> str:
        return "".join(verdict._repr_html_() for verdict in self)


def load_properties(path: str | Path) -> tuple[str | None, list[Property]]:
    """Read a property file: the path of its workflow (as written), and the properties.

    Raises
    ------
    DefinitionError
        With file, line and what is allowed.
    """
    file = Path(path)
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise DefinitionError(f"{path}: cannot be read: {error.strerror}.") from None
    document = yaml_reader.read(yaml_reader.decode(raw, str(path)), str(path))
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("properties"), list):
        raise DefinitionError(f"{path}:1: a property file has the keys 'workflow' and 'properties' (a list).")
    problems = [
        Problem((key,), f"unknown key {key!r}. Keys: workflow, properties.")
        for key in data
        if key not in ("workflow", "properties")
    ]
    named = data.get("workflow")
    if named is not None and not isinstance(named, str):
        problems.append(Problem(("workflow",), f"workflow is the path or name of a workflow, not {named!r}."))
    if not data["properties"]:
        problems.append(
            Problem(("properties",), "the list of properties is empty, so nothing would be asked. Add `- sound: {}`.")
        )
    properties: list[Property] = []
    for k, entry in enumerate(data["properties"]):
        where: tuple[str | int, ...] = ("properties", k)
        if not isinstance(entry, dict):
            problems.append(Problem(where, f"a property is a mapping such as `- sound: {{}}`, not {entry!r}."))
            continue
        rest = {key: value for key, value in entry.items() if key not in ("expect", "because")}
        expect = entry.get("expect", "holds")
        if len(rest) != 1 or next(iter(rest)) not in PROPERTIES:
            unknown = next((key for key in rest if key not in PROPERTIES), "")
            problems.append(
                Problem(
                    where,
                    f"a property has one of the keys {', '.join(PROPERTIES)}; found "
                    f"{', '.join(map(str, rest)) or 'none'}.{did_you_mean(str(unknown), PROPERTIES)}",
                )
            )
            continue
        if expect not in ("holds", "violated", "unknown"):
            problems.append(Problem((*where, "expect"), f"expect is holds, violated or unknown, not {expect!r}."))
            continue
        ((name, options),) = rest.items()
        options = options if options is not None else {}
        try:
            PROPERTIES[name][0].model_validate(options)
        except ValidationError as error:
            found = from_validation([dict(each) for each in error.errors()], options)
            problems += [Problem((*where, name, *each.path), each.message) for each in found]
            continue
        properties.append(Property(name, options, expect, entry.get("because"), document.line_of(where)))
    if problems:
        raise definition_error(problems, str(path), document.line_of)
    return data.get("workflow"), properties


def verify(
    workflow: Workflow,
    properties: str | Path | list[Property] | None = None,
    *,
    max_states: int = 100_000,
    max_seconds: float | None = None,
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
) -> Report:
    """Ask a workflow the questions of a property file, or the built-in ones.

    Parameters
    ----------
    properties
        A property file, or properties. By default every question that needs no options: all states reachable,
        all transitions live, completion possible, no failure, no unhandled timeout, soundness.
    max_states, max_seconds
        Limits of each search; running into one gives `unknown` unless a violation was found before.
    catalogue
        Where to find the workflows that states run, for the questions asked of the net. Without it, and in the
        questions asked of `step`, a child closes in every way it may.

    Returns
    -------
    Report
        One verdict per property; violated ones with a shortest witness wherever there can be one.

    Raises
    ------
    DefinitionError
        If the property file cannot be read, asks nothing, or is about another workflow.
    """
    if properties is None:
        asked = [Property(name) for name in PROPERTIES if name != "no_deadlock"]
    elif isinstance(properties, list):
        asked = properties
    else:
        named, asked = load_properties(properties)
        if named is not None:
            _same_workflow(properties, named, workflow)
    search = _Search(workflow, max_states, max_seconds, as_catalogue(catalogue))
    verdicts = [PROPERTIES[each.name][1](search, each) for each in asked]
    return Report(workflow, asked, verdicts)


def _same_workflow(path: str | Path, named: str, workflow: Workflow) -> None:
    """Refuse a property file about another workflow: it may name the file, or just the workflow.

    Raises
    ------
    DefinitionError
        Naming both workflows, or the file that is missing.
    """
    target = Path(path).parent / named
    source = source_of(workflow)
    if named == workflow.name or (source is not None and Path(source.file).resolve() == target.resolve()):
        return
    meant = repr(named)
    if target.suffix in (".yaml", ".yml"):
        about = load(target)
        if (about.name, about.version) == (workflow.name, workflow.version):
            return
        meant = f"{about.name!r} {about.version} ({target})"
    line = yaml_reader.read(yaml_reader.decode(Path(path).read_bytes(), str(path)), str(path)).line_of(("workflow",))
    raise DefinitionError(
        f"{path}:{line}: the properties are about workflow {meant}, not about {workflow.name!r} {workflow.version}. "
        "Verify that one, or leave the key 'workflow' out."
    )


class _Search:
    """The state space of a workflow, searched when the first question needs it."""

    def __init__(self, workflow: Workflow, max_states: int, max_seconds: float | None, catalogue: Catalogue) -> None:
        self.workflow = workflow
        self.catalogue = catalogue
        self.max_states = max_states
        self.max_seconds = max_seconds
        self._space: WorkflowSpace | None = None

    @property
    def space(self) -> WorkflowSpace:
        if self._space is None:
            self._space = explore_workflow(self.workflow, max_states=self.max_states, max_seconds=self.max_seconds)
        return self._space

    def verdict(self, name: str, status: Status, reason: str, **more: Any) -> Verdict:
        space = self.space
        bound: dict[str, Any] = {"states": space.n_states, "edges": space.n_edges, "complete": space.complete}
        if not space.complete:
            bound["stopped"] = space.reason
        if space.domains.bounded_lists:
            bound["items"] = MOST_ITEMS
        return Verdict(status, name, reason, bound=bound, assumptions=ASSUMPTIONS, method=METHOD, **more)

    def holds(self, name: str, reason: str) -> Verdict:
        """`holds`, if the space is complete and the candidate values stand for all; else `unknown`."""
        if not self.space.complete:
            return self.verdict(
                name,
                Status.UNKNOWN,
                f"No violation among the states found, but {self.stopped()}",
            )
        if not self.space.exact:
            return self.verdict(name, Status.UNKNOWN, f"No violation with the values tried, but {SAMPLED}")
        return self.verdict(name, Status.HOLDS, reason)

    def stopped(self) -> str:
        """Why the search is incomplete, and what to do about it."""
        advice = "Raise max_states or max_seconds." if self.space.n_states else "Without a start nothing can be asked."
        return f"the search stopped: {self.space.reason.rstrip('.')}. {advice}"

    def unfound(self) -> str:
        """Why what was not found may exist all the same."""
        return self.stopped() if not self.space.complete else SAMPLED


def _states_reachable(search: _Search, asked: Property) -> Verdict:
    space = search.space
    missing = [name for name, row in space.program.state_rows.items() if row not in space.reached]
    if missing and space.complete and space.exact:
        return search.verdict(
            asked.name,
            Status.VIOLATED,
            f"No run reaches {', '.join(missing)}. There is no trace to show, as nothing leads there.",
            statistics={"unreachable": missing},
        )
    if missing:
        return search.verdict(
            asked.name,
            Status.UNKNOWN,
            f"{', '.join(missing)} not reached with the values tried and the states searched, but {search.unfound()}",
            statistics={"unreached": missing},
        )
    return search.verdict(asked.name, Status.HOLDS, f"{_all(len(space.program.state_rows), 'state')} is reached.")


def _all(n: int, what: str) -> str:
    return f"The one {what}" if n == 1 else f"Each of {n} {what}s"


def _transitions_live(search: _Search, asked: Property) -> Verdict:
    space = search.space
    program = space.program
    dead = [row for row in program.transitions if row not in space.taken]
    if not dead:
        n = len(program.transitions)
        return search.verdict(asked.name, Status.HOLDS, f"{_all(n, 'transition')} is taken in some run.")
    texts = [f"transition {program.transition_numbers[row]} ({program.transitions[row]})" for row in dead]
    if not (space.complete and space.exact):
        return search.verdict(
            asked.name,
            Status.UNKNOWN,
            f"Not taken with the values tried and the states searched: {'; '.join(texts)}; but {search.unfound()}",
        )
    verdicts = [_dead(search, asked, row, text) for row, text in zip(dead, texts)]
    return replace(verdicts[0], further=tuple(verdicts[1:]), statistics={"dead": texts})


def _dead(search: _Search, asked: Property, row: int, text: str) -> Verdict:
    """Why one transition is never taken, with the way to where it could be tried."""
    space = search.space
    program = space.program
    source = program.rows[row].source
    at = next(
        (k for k, s in enumerate(space.snapshots) for region in s[2] if region is not None and region[1] == source),
        None,
    )
    if at is None and source in space.reached:
        before, edge = space.reached[source]
        return search.verdict(
            asked.name,
            Status.VIOLATED,
            f"No run takes {text}: '{program.name(source)}' is only passed within a step, and something else goes "
            "first there.",
            witness=witness_to(space, before, edge.stimulus),
        )
    if at is None:
        return search.verdict(
            asked.name,
            Status.VIOLATED,
            f"No run takes {text}: '{program.name(source)}' is never reached. There is no trace to show.",
        )
    if row in space.aborted:
        before, edge = space.aborted[row]
        return search.verdict(
            asked.name,
            Status.VIOLATED,
            f"No run takes {text}: it sets out there, but each time it is aborted before it commits (M3.4, M3.5).",
            witness=witness_to(space, before, edge.stimulus),
        )
    event = program.transitions[row].event
    tried: tuple[Stimulus, ...] = ()
    if event in program.events:
        tried = (Stimulus("event", event=event, payload=next(space.payloads(event), {})),)
    if program.rows[source].terminal:
        why = f"'{program.name(source)}' is terminal, the instance is over there (M3.7)"
    elif program.transitions[row].condition is None:
        why = "an earlier transition on the same event is always taken first (M2.3), or nothing sets it off"
    else:
        why = f"its condition `{program.transitions[row].condition}` never holds there, or something else goes first"
    return search.verdict(
        asked.name, Status.VIOLATED, f"No run takes {text}: {why}.", witness=witness_to(space, at, *tried)
    )


def _can_complete(search: _Search, asked: Property) -> Verdict:
    space = search.space
    completed = [k for k, s in enumerate(space.snapshots) if s[0] == COMPLETED]
    able = space.can_reach(completed)
    lost = [k for k, s in enumerate(space.snapshots) if s[0] < COMPLETED and k not in able]
    if lost and space.complete and not space.exact:
        states = sorted({space.instance(k).state for k in lost})
        return search.verdict(
            asked.name,
            Status.UNKNOWN,
            f"With the values tried no terminal state can be reached any more from {', '.join(states)}, but {SAMPLED}",
            statistics={"states": states},
        )
    if lost and space.complete:
        instance = space.instance(lost[0])
        only = sorted({instance_status(space, k) for k in _closings(space, lost[0])})
        then = f"from there it can only close as {' or '.join(only)}" if only else "from there nothing ends it"
        return search.verdict(
            asked.name,
            Status.VIOLATED,
            f"In state '{instance.state}' no terminal state can be reached any more: {then}.",
            witness=witness_to(space, lost[0]),
            statistics={"states": sorted({space.instance(k).state for k in lost})},
        )
    return search.holds(asked.name, "From every open state a terminal state can be reached.")


def _closings(space: WorkflowSpace, start: int) -> Iterator[int]:
    """Closed states that can be reached from a state."""
    seen, todo = {start}, [start]
    while todo:
        at = todo.pop()
        if space.snapshots[at][0] >= COMPLETED:
            yield at
        for edge in space.edges[at]:
            if edge.target not in seen:
                seen.add(edge.target)
                todo.append(edge.target)


def instance_status(space: WorkflowSpace, number: int) -> str:
    """Status of a state of the space, by name."""
    return STATUSES[space.snapshots[number][0]]


def _no_closing(status: int, what: str) -> Callable[[_Search, Property], Verdict]:
    def answer(search: _Search, asked: Property) -> Verdict:
        space = search.space
        closed = {k for k, s in enumerate(space.snapshots) if s[0] == status}
        if not closed:
            return search.holds(asked.name, f"No run closes as {STATUSES[status]}.")
        endings: dict[tuple[str, bool], tuple[str, int, Edge]] = {}
        for (k, error), (at, edge) in space.failures.items():
            if k in closed:
                # One trace for all errors of activities in a state, one for its own expressions.
                endings.setdefault((space.instance(k).state, error.startswith("Expression.")), (error, at, edge))
        verdicts = [
            search.verdict(
                asked.name,
                Status.VIOLATED,
                f"{what} in state '{state}': {error}.",
                witness=witness_to(space, at, edge.stimulus),
            )
            for (state, _), (error, at, edge) in endings.items()
        ]
        return replace(
            verdicts[0],
            further=tuple(verdicts[1:]),
            statistics={"endings": [f"{state}: {error}" for (state, _), (error, _, _) in endings.items()]},
        )

    return answer


def _sound(search: _Search, asked: Property) -> Verdict:
    net, assumed = _net(search, asked)
    verdict = soundness(net, max_markings=search.max_states * 10, max_seconds=search.max_seconds)
    return replace(verdict, assumptions=(*verdict.assumptions, *assumed))


def _net(search: _Search, asked: Property) -> tuple[PetriNet, tuple[str, ...]]:
    options = NetOptions.model_validate(asked.options)
    return net_of(
        search.workflow,
        instances=options.instances,
        pools=options.pools,
        items=options.items,
        catalogue=search.catalogue,
    )


def _no_deadlock(search: _Search, asked: Property) -> Verdict:
    net, assumed = _net(search, asked)
    verdict = deadlock_free(net, max_markings=search.max_states * 10, max_seconds=search.max_seconds)
    return replace(verdict, assumptions=(*verdict.assumptions, *assumed))


PROPERTIES: dict[str, tuple[type[_Options], Callable[[_Search, Property], Verdict]]] = {
    "states_reachable": (SpaceOptions, _states_reachable),
    "transitions_live": (SpaceOptions, _transitions_live),
    "can_complete": (SpaceOptions, _can_complete),
    "no_failure": (SpaceOptions, _no_closing(FAILED, "An instance fails")),
    "no_unhandled_timeout": (
        SpaceOptions,
        _no_closing(TIMED_OUT, "A timeout that nothing handles ends an instance"),
    ),
    "sound": (NetOptions, _sound),
    "no_deadlock": (NetOptions, _no_deadlock),
}
"""What can be asked, by name."""
