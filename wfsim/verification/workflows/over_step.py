"""Answers of the built-in questions over `step`: with candidate values, and where these leave them open for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from wfsim.errors import NotCovered, listed
from wfsim.model.statuses import STATUSES
from wfsim.net.translate import check_pools
from wfsim.semantics.codes import COMPLETED, TIMED_OUT
from wfsim.semantics.program import Program
from wfsim.semantics.snapshot import region_states
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.nets.limits import WORK_IS_DONE, OutOfTime
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status, Verdict
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.property_files import KINDS, SharedOptions
from wfsim.verification.workflows.ruled import Ruled
from wfsim.verification.workflows.searched import INDUCTION, METHOD, SAMPLED, Search
from wfsim.verification.workflows.space import WorkflowSpace
from wfsim.verification.workflows.together import Shared
from wfsim.verification.workflows.told import NotReplayed, done_in_time, replays, witness_along, witness_to

if TYPE_CHECKING:
    from wfsim.verification.workflows.symbolic.reaching import Reaching

Answer = TypeVar("Answer")

TRIES = 20
"""States that are lost, until one is found where the way replays."""
EARLY = "by a way on which a timer runs out before it is due, or a condition on `now` would come out otherwise then."
"""What may lead nowhere: the search lets timers run out at any time."""


def states_reachable(search: Search, asked: Property) -> Verdict:
    """Whether each state is entered by some run."""
    space = search.space
    rows = space.program.state_rows
    missing = [name for name, row in rows.items() if row not in space.reached]
    if missing and space.complete and space.exact:
        return unreachable(search, asked, missing)
    early = [name for name, row in rows.items() if row in space.reached and not _in_time(space, row, space.reached)]
    more: dict[str, Any] = {}
    if missing or early:
        open_ = [name for name in rows if name in missing or name in early]
        ruled = _of_all_values(search, lambda reaching: reaching.entered([rows[name] for name in open_], search.limits))
        if isinstance(ruled, Ruled):
            more = _grounds(search, ruled.depth, complete=not ruled.open)
        if isinstance(ruled, Ruled) and ruled.never:
            return unreachable(search, asked, [name for name in open_ if rows[name] in ruled.never], **more)
        if isinstance(ruled, str) or ruled.open:
            left = open_ if isinstance(ruled, str) else [name for name in open_ if rows[name] in ruled.open]
            missing, early = ([name for name in each if name in left] for each in (missing, early))
            told = []
            if missing:
                told = [
                    f"{', '.join(missing)} not reached with the values tried and the states searched, but "
                    f"{search.unfound()}"
                ]
            if early:
                told.append(f"{', '.join(early)} reached {EARLY}")
            return search.verdict(
                asked.name,
                Status.UNKNOWN,
                f"{' '.join(told)}{_nor(ruled)}",
                statistics={"unreached": left},
                **more,
            )
    return search.verdict(asked.name, Status.HOLDS, f"{_all(len(rows), 'state')} is reached.", **more)


def _in_time(space: WorkflowSpace, row: int, first: dict[int, tuple[int, Edge]]) -> bool:
    """Whether the way that was found to a state or transition can be gone when its timers are due."""
    number, edge = first[row]
    clocked = space.program.head.reads_clock
    if not clocked or all(each.stimulus.kind != "timer" for each in (*space.path_to(number), edge)):
        return True
    return row in done_in_time(space, number, edge)


def _of_all_values(search: Search, ask: Callable[[Reaching], Answer]) -> Answer | str:
    """The answer for all values at once, or why there is none."""
    from wfsim.verification.workflows.alone import alone

    if not search.startable:
        return "no start was accepted."
    try:
        with alone(search.limits):
            return ask(search.reaching)
    except NotCovered as limit:
        return str(limit)
    except OutOfTime as over:
        end = "time was up" if search.limits.max_seconds is not None else WORK_IS_DONE
        return f"{end} while {over}."


def _grounds(search: Search, depth: int, *, complete: bool) -> dict[str, Any]:
    """How far all values were looked at, and by which method, beside the values tried."""
    space = search.space
    bound = {"states": space.n_states, "edges": space.n_edges, "depth": depth}
    bound |= {"locations": search.reaching.n_locations, "complete": complete}
    return {"bound": bound, "method": f"{METHOD}; {INDUCTION}"}


def _nor(ruled: Ruled | str) -> str:
    """Why it is not known for all values either."""
    return f"\nNor is it known for all values: {ruled if isinstance(ruled, str) else next(iter(ruled.open.values()))}"


def unreachable(search: Search, asked: Property, missing: list[str], **more: Any) -> Verdict:
    """`violated`: no run reaches these states."""
    return search.verdict(
        asked.name,
        Status.VIOLATED,
        f"No run reaches {', '.join(missing)}. There is no trace to show, as nothing leads there.",
        statistics={"unreachable": missing},
        **more,
    )


def _all(n: int, what: str) -> str:
    return f"The one {what}" if n == 1 else f"Each of {n} {what}s"


def transitions_live(search: Search, asked: Property) -> Verdict:
    """Whether each transition is taken by some run, up to its commit."""
    space = search.space
    program = space.program
    dead = [row for row in program.transitions if row not in space.taken]
    early: list[int] = []
    if not (dead and space.complete and space.exact):
        early = [row for row in space.taken if not _in_time(space, row, space.taken)]
    more: dict[str, Any] = {}
    if early or (dead and not (space.complete and space.exact)):
        ruled = _of_all_values(search, lambda reaching: reaching.taken([*dead, *early], search.limits))
        if isinstance(ruled, Ruled):
            more = _grounds(search, ruled.depth, complete=not ruled.open)
        if isinstance(ruled, str) or (ruled.open and not ruled.never):
            left = [*dead, *early] if isinstance(ruled, str) else [*ruled.open]
            told = []
            if missing := [row for row in dead if row in left]:
                told = [
                    f"Not taken with the values tried and the states searched: {'; '.join(_texts(program, missing))}; "
                    f"but {search.unfound()}"
                ]
            if early := [row for row in early if row in left]:
                told.append(f"{'; '.join(_texts(program, early))} taken {EARLY}")
            return search.verdict(asked.name, Status.UNKNOWN, f"{' '.join(told)}{_nor(ruled)}", **more)
        dead = sorted(ruled.never)
    if not dead:
        n = len(program.transitions)
        return search.verdict(asked.name, Status.HOLDS, f"{_all(n, 'transition')} is taken in some run.", **more)
    texts = _texts(program, dead)
    verdicts = [replace(_dead(search, asked, row, text), **more) for row, text in zip(dead, texts)]
    head = "" if len(dead) == 1 else f"No run takes {len(dead)} transitions: {'; '.join(texts)}. The first: "
    return _together(verdicts, head, {"dead": texts})


def _texts(program: Program, rows: list[int]) -> list[str]:
    return [f"transition {program.transition_numbers[row]} ({program.transitions[row]})" for row in rows]


def _together(verdicts: list[Verdict], head: str, statistics: dict[str, Any]) -> Verdict:
    """One verdict for several places: its reason names all of them, each of the others keeps its own trace."""
    first = verdicts[0]
    return replace(first, reason=head + first.reason, further=tuple(verdicts[1:]), statistics=statistics)


def likewise(states: list[str], first: str) -> str:
    others = [repr(state) for state in states if state != first]
    return f" So it is in {listed(others)} as well." if others else ""


def _dead(search: Search, asked: Property, row: int, text: str) -> Verdict:
    """That one transition is never taken, and why."""
    try:
        return _tried_in_vain(search, asked, row, text)
    except NotReplayed:
        return search.verdict(
            asked.name,
            Status.VIOLATED,
            f"No run takes {text}. There is no trace to show: the way there that was found does not replay in time.",
        )


def _tried_in_vain(search: Search, asked: Property, row: int, text: str) -> Verdict:
    """Why a transition is never taken, with the way to where it could be tried."""
    space = search.space
    program = space.program
    source = program.rows[row].source
    at = next((k for k, each in enumerate(space.snapshots) if source in region_states(program, each)), None)
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
        never = "is never reached" if space.complete and space.exact else "is not reached with the values tried"
        return search.verdict(
            asked.name,
            Status.VIOLATED,
            f"No run takes {text}: '{program.name(source)}' {never}. There is no trace to show.",
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
        tried = (Stimulus("event", event=event, payload=next(space.candidates.payloads(event), {})),)
    if program.rows[source].terminal:
        why = f"'{program.name(source)}' is terminal, the instance is over there (M3.7)"
    elif program.transitions[row].condition is None:
        why = "an earlier transition on the same event is always taken first (M2.3), or nothing sets it off"
    else:
        why = f"its condition `{program.transitions[row].condition}` never holds there, or something else goes first"
    return search.verdict(
        asked.name, Status.VIOLATED, f"No run takes {text}: {why}.", witness=witness_to(space, at, *tried)
    )


def can_complete(search: Search, asked: Property) -> Verdict:
    """Whether a terminal state can be reached from every open state."""
    space = search.space
    shared, told = shared_by(search, asked)
    lost = shared.lost if space.complete else []
    if space.exact:
        for k in lost[:TRIES]:
            if replays(space, shared.path_to(k)):
                return _lost(search, asked, space, shared.path_to(k), [k, *lost])
    reason = f"From every open state a terminal state can be reached.{told}"
    left_open = _maybe_lost(search, asked, lost) if lost else search.holds(str(asked), reason)
    if (space.complete and space.exact and not lost) or shared.pools:
        return left_open
    candidates = [(space, k) for k in lost]
    decided = _of_all_values(search, lambda reaching: reaching.completes(candidates, search.limits))
    if isinstance(decided, str) or decided.status == "unknown":
        why = decided if isinstance(decided, str) else decided.reason
        return replace(left_open, reason=f"{left_open.reason}\nNor is it known for all values: {why}")
    more = _grounds(search, decided.depth, complete=True)
    if decided.line is None or decided.finding is None:
        return search.verdict(str(asked), Status.HOLDS, reason, **more)
    finding = decided.finding
    return _lost(search, asked, decided.line, finding.path, [finding.number], **more)


def _maybe_lost(search: Search, asked: Property, lost: list[int]) -> Verdict:
    states = sorted({search.space.instance(k).state for k in lost})
    why = "no way there was found that replays in time." if search.space.exact else SAMPLED
    return search.verdict(
        asked.name,
        Status.UNKNOWN,
        f"With the values tried no terminal state can be reached any more from {', '.join(states)}, but {why}",
        statistics={"states": states},
    )


def _lost(
    search: Search, asked: Property, space: WorkflowSpace, path: list[Edge], lost: list[int], **more: Any
) -> Verdict:
    """`violated`: from the first of these states, where the path leads, no terminal state can be reached."""
    number = lost[0]
    instance = space.instance(number)
    states = sorted({space.instance(k).state for k in lost})
    late = "once enough time has passed, " if space.program.head.reads_clock else ""
    then = "whatever values come"
    if space.complete and space.exact:
        only = sorted({instance_status(space, k) for k in _closings(space, number)})
        then = f"from there it can only close as {' or '.join(only)}" if only else "from there nothing ends it"
    return search.verdict(
        str(asked),
        Status.VIOLATED,
        f"In state '{instance.state}' no terminal state can be reached any more: {late}{then}."
        + likewise(states, instance.state),
        witness=witness_along(space, path),
        statistics={"states": states},
        **more,
    )


def shared_by(search: Search, asked: Property) -> tuple[Shared, str]:
    """What one instance reaches with the workers of the pools, and what that says of several."""
    options = KINDS[asked.name].model_validate(asked.options)
    assert isinstance(options, SharedOptions)
    check_pools([search.workflow], search.catalogue, options.pools)
    several = ""
    if options.instances > 1 or options.pools:
        several = (
            " So it is for any number of instances: a worker is held only while an attempt runs, which may end at any "
            "moment, so nobody waits for ever for somebody who waits."
        )
    return Shared(search.space, options.pools, search.limits), several


def _closings(space: WorkflowSpace, start: int) -> Iterator[int]:
    """Closed states that can be reached from a state."""
    seen, todo = {start}, [start]
    while todo:
        at = todo.pop()
        if space.status(at) >= COMPLETED:
            yield at
        for target in space.late_targets(at):
            if target not in seen:
                seen.add(target)
                todo.append(target)


def instance_status(space: WorkflowSpace, number: int) -> str:
    """Status of a state of the space, by name."""
    return STATUSES[space.status(number)]


def no_closing(status: int, what: str) -> Callable[[Search, Property], Verdict]:
    def answer(search: Search, asked: Property) -> Verdict:
        space = search.space
        never = all(space.status(k) != status for k in range(space.n_states))
        backstop = _backstop(space) if status == TIMED_OUT else ""
        more: dict[str, Any] = {}
        endings = _endings(space, status, lambda at, edge: replays(space, [*space.path_to(at), edge]))
        if not endings:
            held = "No timeout of a state ends a run." if backstop else f"No run closes as {STATUSES[status]}."
            if never and space.complete and space.exact:
                return search.holds(asked.name, held + backstop)
            decided = _of_all_values(search, lambda reaching: reaching.closed(status, search.limits))
            if isinstance(decided, str) or decided.status == "unknown":
                open_ = search.verdict(asked.name, Status.UNKNOWN, f"{what}, but {EARLY}")
                open_ = search.holds(asked.name, held + backstop) if never else open_
                why = decided if isinstance(decided, str) else decided.reason
                return replace(open_, reason=f"{open_.reason}\nNor is it known for all values: {why}")
            more = _grounds(search, decided.depth, complete=True)
            if decided.line is None:
                return search.verdict(asked.name, Status.HOLDS, held + backstop, **more)
            space = decided.line
            endings = _endings(space, status, lambda at, edge: True)
        verdicts = [
            search.verdict(
                asked.name,
                Status.VIOLATED,
                f"{what} in state '{state}': {error}.",
                witness=witness_to(space, at, edge.stimulus),
                **more,
            )
            for (state, _), (error, at, edge) in endings.items()
        ]
        told = [f"{state}: {error}" for (state, _), (error, _, _) in endings.items()]
        head = "" if len(told) == 1 else f"{what} in {len(told)} places: {'; '.join(told)}. The first: "
        verdict = _together(verdicts, head, {"endings": told})
        return replace(verdict, reason=verdict.reason + backstop)

    return answer


def _endings(
    space: WorkflowSpace, status: int, can_be: Callable[[int, Edge], bool]
) -> dict[tuple[str, bool], tuple[str, int, Edge]]:
    """Errors that close a run, with a first state and edge: one for those of activities in a state, one for its own."""
    found: dict[tuple[str, bool], tuple[str, int, Edge]] = {}
    for (k, error), (at, edge) in space.failures.items():
        key = (space.instance(k).state, error.startswith("Expression."))
        if space.status(k) == status and key not in found and can_be(at, edge):
            found[key] = error, at, edge
    return found


def _backstop(space: WorkflowSpace) -> str:
    """That the workflow's own timeout, which the search leaves out where nothing handles it, ends an instance too."""
    workflow = space.program.workflow
    handled = {one.from_ for one in workflow.transitions if one.event == "workflow_timeout"}
    rows = space.program.state_rows
    open_to = [
        state.name
        for state in workflow.states
        if not state.is_terminal and state.name not in handled and rows[state.name] in space.reached
    ]
    if workflow.timeouts.workflow is None or not open_to:
        return ""
    return (
        f" The workflow's own timeout, {workflow.timeouts.workflow}, is not looked at here: where nothing handles it "
        f"({listed(open_to)}) it ends an instance as timed_out."
    )
