"""From workflow to Petri net, by the table "Constructs elsewhere" of MEANING.

One token per instance walks through the root region. Its place says in which state it is and, while a
transition is in flight, for which action it waits; a second token per instance follows the state's activity.
Conditions, the order of file, event supply and clocks are ignored, so the net can do all that `step` can and
perhaps more: it never misses a reachable control state.

Places of a state `s`: `s` itself; `s!source`, where an error of that source is about to be offered; and for its
activity `s.scheduled.1`, `s.running.1`, `s.backoff.2`, …, `s.succeeded`, `s.failed`, `s.ended`. A transition that
waits has the like under `t3.pre1.` (third in the file, first pre-action). `pool p` holds free workers. All
endings lead into `final`. Should a state be called `start` or `final`, that place is `the start` or `the end`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from wfsim.errors import NetError, NotCovered, did_you_mean
from wfsim.model.elements import ActivityAction, ActivityWork, RetryPolicy, SetVariableAction, State, Transition
from wfsim.model.expressions import is_template, parse_condition, parse_template
from wfsim.model.uses import declared_activities, declared_events, declared_variables
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import BACKOFF, BEFORE_COMMIT, COMPLETED, GROUNDED, IDLE, INTERNAL, INTERNAL_DONE, RUNNING
from wfsim.semantics.expression_code import can_raise, condition_can_raise
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import RegionCell, WorkCell

from .petri import PetriNet

MOST_ATTEMPTS = 8
"""Attempts told apart; later ones share the places of the last (the net then allows any number)."""

START, FINAL = "start", "final"
FAILED, TIMED_OUT, CANCELLED = "closed as failed", "closed as timed_out", "closed as cancelled"
CLOSINGS = (FAILED, TIMED_OUT, CANCELLED)
CONTROLS = {"cancel_requested": CANCELLED, "workflow_timeout": TIMED_OUT}

Tokens = dict[str, int]


def to_net(workflow: Workflow, *, instances: int = 1, pools: Mapping[str, int] | None = None) -> PetriNet:
    """The workflow net of a workflow.

    Parameters
    ----------
    instances
        How many instances start: tokens in `start`. They are alike, so they are not told apart.
    pools
        Workers of each pool that activities name; an activity whose pool is left out never waits for a worker.

    Returns
    -------
    PetriNet
        Initial marking: `instances` tokens in `start`, and the workers in their pools. Final marking: all
        instances in `final`, all workers back. Node sources name states and transitions of the workflow.

    Raises
    ------
    NotCovered
        For constructs that have no translation yet.
    NetError
        For an unknown pool, or a number of instances below 1.

    Notes
    -----
    The operator's `pause`, `terminate` and `retry` are left out. So are `cancel` and the workflow timer in
    states without a transition on them: they close any instance, and would hide every dead end.
    """
    if instances < 1:
        raise NetError(f"instances={instances} is not a number of instances. Give 1 or more.")
    known = [activity.pool for activity in declared_activities(workflow).values() if activity.pool]
    for name, capacity in (pools or {}).items():
        if name not in known:
            listed = ", ".join(dict.fromkeys(known)) or "none; give activities the key 'pool'"
            raise NetError(
                f"no activity of {workflow.name!r} names the pool {name!r}. Pools: {listed}.{did_you_mean(name, known)}"
            )
        if capacity < 1:
            raise NetError(f"pool {name!r} has {capacity} workers. Give 1 or more.")
    return _Translation(workflow, dict(pools or {})).net(instances)


def control_places(instance: Instance) -> frozenset[str]:
    """The places that hold the tokens of an instance between two steps, with the pools left out.

    The bridge between `step` and the net: what the explorer reaches, the net reaches at these places.
    """
    program, m, head = instance.program, instance.m, instance.program.head
    if instance.me.status >= COMPLETED:
        return frozenset([instance.state if instance.me.status == COMPLETED else f"closed as {instance.status}"])
    region = program.rows[head.root]
    cell: RegionCell = m[region.slot]
    state = program.name(cell.state) or ""
    found = set()
    if cell.flight_phase == GROUNDED:
        found.add(state)
    else:
        t = program.rows[cell.flight]
        before = cell.flight_phase == BEFORE_COMMIT
        number = cell.action - (t.first_pre if before else t.first_post) + 1
        prefix = f"t{t.number + 1}.{'pre' if before else 'post'}{number}"
        found.add(_phase_place(prefix, m[region.flight_work]))
    if program.rows[cell.state].activity >= 0:
        work: WorkCell = m[region.work]
        if work.phase != IDLE:
            found.add(_phase_place(state, work))
        else:
            found.add(f"{state}.{_pending(instance, cell)}")
    return frozenset(found)


def _phase_place(prefix: str, work: WorkCell) -> str:
    phase = "running" if work.phase == RUNNING else "backoff" if work.phase == BACKOFF else "scheduled"
    return f"{prefix}.{phase}.{min(work.attempt, MOST_ATTEMPTS)}"


def _pending(instance: Instance, cell: RegionCell) -> str:
    """Whether the state's activity has ended with a `done` or `error` of its own that still waits."""
    k = instance.m[INTERNAL].first
    while k >= 0:
        row = instance.m[k]
        if row.activation == cell.activation:
            if row.kind == INTERNAL_DONE:
                return "succeeded"
            if row.own:
                return "failed"
        k = row.next
    return "ended"


@dataclass(frozen=True)
class _Outcome:
    """What running actions up to the next wait can come to."""

    kind: str  # "end", "wait", "error"
    place: str = ""
    source: str = ""


@dataclass
class _Translation:
    workflow: Workflow
    pools: dict[str, int]
    places: dict[str, str] = field(default_factory=dict)
    transitions: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    arcs: list[tuple[str, str, int]] = field(default_factory=list)
    erring: dict[str, str] = field(default_factory=dict)
    start: str = START
    final: str = FINAL

    def __post_init__(self) -> None:
        for state in self.workflow.states:
            for key in ("parallel", "invoke", "for_each"):
                if getattr(state, key) is not None:
                    raise NotCovered(f"state {state.name!r} uses {key}, which has no translation to a net yet.")
        for transition in self.workflow.transitions:
            for action in (*transition.pre_actions, *transition.post_actions):
                if not isinstance(action, (ActivityAction, SetVariableAction)):
                    raise NotCovered(
                        f"transition '{transition}' has an action of type {action.action_type}, "
                        "which has no translation to a net yet."
                    )
        self.activities = declared_activities(self.workflow)
        self.variables = declared_variables(self.workflow)
        self.events = declared_events(self.workflow)
        self.states = {state.name: state for state in self.workflow.states}
        self.leaving: dict[str, list[tuple[int, Transition]]] = {name: [] for name in self.states}
        for number, transition in enumerate(self.workflow.transitions):
            self.leaving[transition.from_].append((number, transition))

    def net(self, instances: int) -> PetriNet:
        self.start = START if START not in self.states else "the start"
        self.final = FINAL if FINAL not in self.states else "the end"
        self.place(self.start, START)
        for name in self.states:
            self.place(name, f"state {name}")
        for pool in self.pools:
            self.place(f"pool {pool}", f"pool {pool}")
        for closing in CLOSINGS:
            self.place(closing, closing)
        self.place(self.final, FINAL)
        first = self.workflow.initial_state
        for outputs in self.arrivals(first):
            self.fire("start", START, {self.start: 1}, outputs)
        for state in self.workflow.states:
            self.work(state)
        for state in self.workflow.states:
            self.state(state)
        # Errors last, over all states: what raises one may stand in another state, and handling one may raise the next.
        offered: set[str] = set()
        while waiting := [place for place in self.erring if place not in offered]:
            for place in waiting:
                offered.add(place)
                self.errors(self.states[self.erring[place]], place)
        self.dead()
        for closing in CLOSINGS:
            self.fire(f"over: {closing}", closing, {closing: 1}, {self.final: 1})
        self.prune()
        workers = {f"pool {pool}": capacity for pool, capacity in self.pools.items()}
        used = {self.start, self.final} | {name for source, target, _ in self.arcs for name in (source, target)}
        places = [name for name in self.places if name in used]
        return PetriNet(
            self.workflow.name,
            places,
            list(self.transitions),
            self.arcs,
            {self.start: instances} | {k: v for k, v in workers.items() if k in used},
            {self.final: instances} | {k: v for k, v in workers.items() if k in used},
            labels={name: label for name, label in self.labels.items() if name in self.transitions},
            sources={name: source for name, source in (self.places | self.transitions).items() if name in used},
        )

    def dead(self) -> None:
        """Show workflow transitions that nothing can set off as dead net transitions, fed by a place without tokens.

        They leave a terminal state (M3.7), stand behind one that is always taken first (M2.3), or wait for
        something that never happens in their state.
        """
        shown = set(self.transitions.values())
        for number, transition in enumerate(self.workflow.transitions):
            source = f"transition {number + 1}"
            if source not in shown:
                never = self.place(f"never in {transition.from_}", source)
                inputs = {transition.from_: 1, never: 1}
                self.fire(f"t{number + 1}: {transition}", source, inputs, {transition.to or transition.from_: 1})

    def prune(self) -> None:
        """Drop net transitions that no token can ever feed, but keep one where a workflow transition has no other.

        Leaving a state has a copy for each place of its activity's token; some of those places stay empty
        for plain structural reasons. A workflow transition all of whose copies are unfed stays and is dead.
        """
        inputs: dict[str, list[str]] = {name: [] for name in self.transitions}
        outputs: dict[str, list[str]] = {name: [] for name in self.transitions}
        for source, target, _ in self.arcs:
            if source in self.transitions:
                outputs[source].append(target)
            else:
                inputs[target].append(source)
        marked = {self.start, *(f"pool {pool}" for pool in self.pools)}
        fed: set[str] = set()
        while new := [name for name in self.transitions if name not in fed and marked.issuperset(inputs[name])]:
            fed.update(new)
            marked.update(place for name in new for place in outputs[name])
        alive = {self.transitions[name] for name in fed}
        kept: dict[str, str] = {}
        for name, source in self.transitions.items():
            if name in fed:
                kept[name] = source
            elif source.startswith("transition ") and source not in alive:
                alive.add(source)
                kept[name] = source
        self.transitions = kept
        self.arcs = [arc for arc in self.arcs if arc[0] in kept or arc[1] in kept]

    # --- building --------------------------------------------------------------------------------

    def place(self, name: str, source: str) -> str:
        self.places.setdefault(name, source)
        return name

    def fire(self, label: str, source: str, inputs: Tokens, outputs: Tokens) -> None:
        """Add a net transition; equal labels are numbered."""
        name, n = label, 1
        while name in self.transitions or name in self.places:
            n += 1
            name = f"{label} #{n}"
        self.transitions[name] = source
        self.labels[name] = label
        for place, weight in inputs.items():
            self.arcs.append((place, name, weight))
        for place, weight in outputs.items():
            self.arcs.append((name, place, weight))

    def work_places(self, state: State) -> list[str]:
        """Places of the token that follows the state's activity; empty if it has none."""
        if state.activity is None:
            return []
        phases = [f"{state.name}.{phase}" for phase in ("succeeded", "failed", "ended")]
        return [*self.phases(state.name, state.activity.name), *phases]

    def phases(self, prefix: str, activity: str) -> list[str]:
        attempts = min(self.policy(activity).max_attempts, MOST_ATTEMPTS)
        found = []
        for k in range(1, attempts + 1):
            if k > 1:
                found.append(f"{prefix}.backoff.{k}")
            found += [f"{prefix}.scheduled.{k}", f"{prefix}.running.{k}"]
        if self.policy(activity).max_attempts > MOST_ATTEMPTS and attempts == 1:
            found.append(f"{prefix}.backoff.1")
        return found

    def policy(self, activity: str) -> RetryPolicy:
        own = self.activities[activity].retry_policy
        return own or self.workflow.retry_policy or RetryPolicy(max_attempts=1)

    def worker(self, place: str, activity: str) -> Tokens:
        """The worker that an attempt in this place holds."""
        pool = self.activities[activity].pool
        return {f"pool {pool}": 1} if pool in self.pools and ".running." in place else {}

    def leave(self, state: State, control: str) -> Iterator[tuple[Tokens, Tokens]]:
        """Ways to take an instance's tokens out of a state: one for each place of its activity's token."""
        places = self.work_places(state)
        if not places:
            yield {control: 1}, {}
        for place in places:
            assert state.activity is not None
            yield {control: 1, place: 1}, self.worker(place, state.activity.name)

    def arrivals(self, name: str) -> list[Tokens]:
        """Ways to enter a state: its durations or its activity's input may raise (M10.3)."""
        return [{control: 1} | work for control, work in self._arrivals(name)]

    def _arrivals(self, name: str) -> Iterator[tuple[str, Tokens]]:
        state = self.states[name]
        controls = [name]
        deadlines = [state.timeout, *(t.after for _, t in self.leaving[name])]
        if any(isinstance(d, str) and is_template(d) and can_raise(parse_template(d)) for d in deadlines):
            controls.append(self.error_place(state, name))
        works: list[Tokens] = [{}]
        if state.activity is not None:
            works = [{f"{name}.scheduled.1": 1}]
            if self._inputs_raise(state.activity):
                works.append({f"{name}.failed": 1})
        for control in controls:
            for work in works:
                yield control, work

    def error_place(self, state: State, source: str) -> str:
        """Where an error of this source waits to be offered; sources that no transition names share a place."""
        named = {t.event for _, t in self.leaving[state.name] if t.event is not None}
        which = source if f"error.{source}" in named or source == "timeout" else "error"
        place = self.place(f"{state.name}!{which}", f"state {state.name}")
        self.erring[place] = state.name
        return place

    def _inputs_raise(self, work: ActivityAction | ActivityWork) -> bool:
        return any(can_raise(parse_template(value)) for value in work.parameters.values())

    def _assignment_fails(self, action: SetVariableAction) -> bool:
        """Whether an assignment can fail: its expression raises, or what it gives may not fit the variable."""
        template = parse_template(action.parameters.value)
        if can_raise(template):
            return True
        variable = self.variables[action.parameters.name]
        free = variable.type is ValueType.ANY and variable.values is None
        constant = not _mentions_names(action.parameters.value)
        return not (constant or (free and variable.optional))

    # --- activities ------------------------------------------------------------------------------

    def activity(self, prefix: str, activity: str, source: str) -> None:
        """M5: scheduled, running, backoff, …, succeeded or failed; clocks may expire at any time."""
        policy, definition = self.policy(activity), self.activities[activity]
        attempts = min(policy.max_attempts, MOST_ATTEMPTS)
        endless = policy.max_attempts > MOST_ATTEMPTS
        start_to_close = definition.timeout or self.workflow.timeouts.activity
        fatal = any(
            each.partition(".")[0] not in ("Timeout", "Expression") for each in policy.non_retryable_errors
        ) or (start_to_close is not None and policy.is_final("Timeout.start_to_close"))
        for name in (*self.phases(prefix, activity), f"{prefix}.succeeded", f"{prefix}.failed"):
            self.place(name, source)
        for k in range(1, attempts + 1):
            scheduled, running = f"{prefix}.scheduled.{k}", f"{prefix}.running.{k}"
            worker = self.worker(running, activity)
            self.fire(f"{activity} starts", source, {scheduled: 1} | worker, {running: 1})
            self.fire(f"{activity} succeeds", source, {running: 1}, {f"{prefix}.succeeded": 1} | worker)
            last = k == attempts and not endless
            if not last:
                following = f"{prefix}.backoff.{min(k + 1, attempts)}"
                self.place(following, source)
                self.fire(f"{activity} fails, will be retried", source, {running: 1}, {following: 1} | worker)
            if last or fatal or (endless and k == attempts):
                self.fire(f"{activity} fails", source, {running: 1}, {f"{prefix}.failed": 1} | worker)
            if k > 1 or endless:
                backoff = f"{prefix}.backoff.{k}"
                if backoff in self.places:
                    self.fire(f"{activity} is tried again", source, {backoff: 1}, {scheduled: 1})
            if definition.schedule_to_start is not None:
                label = f"{activity} waits too long to start"
                self.fire(label, source, {scheduled: 1}, {f"{prefix}.failed": 1})
        if definition.schedule_to_close is not None:
            for place in self.phases(prefix, activity):
                outputs = {f"{prefix}.failed": 1} | self.worker(place, activity)
                self.fire(f"{activity} takes too long", source, {place: 1}, outputs)

    def work(self, state: State) -> None:
        if state.activity is not None:
            self.activity(state.name, state.activity.name, f"state {state.name}")
            self.place(f"{state.name}.ended", f"state {state.name}")

    # --- states ----------------------------------------------------------------------------------

    def state(self, state: State) -> None:
        """Everything that can happen in a state."""
        name = state.name
        source = f"state {name}"
        if state.is_terminal:
            self.fire(f"complete in {name}", source, {name: 1}, {self.final: 1})
        else:
            for trigger in dict.fromkeys(_trigger(t) for _, t in self.leaving[name]):
                if self.can_occur(state, trigger):
                    self.external(state, trigger)
            self.timeout(state)
            self.endless(state)
            if state.activity is not None:
                self.done(state)
                self.work_error(state)
        for number, transition in self.leaving[name]:
            if not state.is_terminal:
                self.flights(state, number, transition)

    def in_flight(self, state: State) -> Iterator[tuple[str, Tokens]]:
        """Places of instances in this state that wait in a transition, with the workers they hold."""
        for number, transition in self.leaving[state.name]:
            yield from self.flight_places(number, "pre", transition.pre_actions)
        for number, transition in enumerate(self.workflow.transitions):
            if (transition.to or transition.from_) == state.name:
                yield from self.flight_places(number, "post", transition.post_actions)

    def control(self, state: State, trigger: str) -> None:
        """M8.3: a control that finds no transition closes; a condition that raises gives an error after the flight."""
        places = [(state.name, dict[str, int]()), *self.in_flight(state)]
        if not self.always_taken(state, {trigger}):
            for place, back in places:
                for inputs, workers in self.leave(state, place):
                    label = f"{trigger} finds nothing in {state.name}"
                    outputs = _sum({CONTROLS[trigger]: 1}, back, workers)
                    self.fire(label, f"state {state.name}", inputs, outputs)
        for place, back in places[1:]:
            self.condition_raises(state, {trigger}, {place: 1}, back)

    def can_occur(self, state: State, trigger: str) -> bool:
        """Whether something outside, or the passing of time, can set off transitions on this trigger here."""
        if trigger in ("done", "error") or trigger.startswith("error."):
            return False
        if trigger == "timeout":
            return self.timeout_of(state) is not None
        return trigger != "workflow_timeout" or self.workflow.timeouts.workflow is not None

    def timeout_of(self, state: State) -> object:
        return state.timeout if state.timeout is not None else self.workflow.timeouts.states.get(state.name)

    def endless(self, state: State) -> None:
        """M2.6: where transitions that need nothing from outside form a circle, the chain may get too long."""
        name = state.name
        if name in self.circle():
            for inputs, back in self.leave(state, name):
                self.fire(f"the chain from {name} is too long", f"state {name}", inputs, {FAILED: 1} | back)

    def circle(self) -> set[str]:
        """States on a circle of automatic transitions and answers to `done` and `error`.

        Such a transition may also end in an `error` of its own state, before its commit: that too leads back.
        """
        follows: dict[str, set[str]] = {name: set() for name in self.states}
        for name, leaving in self.leaving.items():
            for number, transition in leaving:
                if _trigger(transition) in ("automatic", "done") or _trigger(transition).split(".")[0] == "error":
                    follows[name].add(transition.to or name)
                    condition = transition.condition
                    pre = self.outcomes(self.states[name], number, transition.pre_actions, 0, "pre")
                    if any(outcome.kind == "error" for outcome in pre) or (
                        condition is not None and condition_can_raise(parse_condition(condition))
                    ):
                        follows[name].add(name)
        reach = {name: set(targets) for name, targets in follows.items()}
        for _ in self.states:
            for name in self.states:
                reach[name] |= {far for near in reach[name] for far in reach[near]}
        return {name for name in self.states if name in reach[name]}

    def external(self, state: State, trigger: str) -> None:
        """Events, `after`, automatic transitions; M8.3: handled controls also take an instance out of a flight."""
        name = state.name
        for number, transition in self.candidates(state, {trigger}):
            self.take(state, number, transition, {name: 1}, {})
            if trigger in CONTROLS:
                for place, back in self.in_flight(state):
                    self.take(state, number, transition, {place: 1}, back)
        if trigger in CONTROLS:
            self.control(state, trigger)
        self.condition_raises(state, {trigger}, {name: 1}, {})

    def timeout(self, state: State) -> None:
        """M6.2: a timeout that no transition takes becomes an error."""
        if self.timeout_of(state) is not None and not self.always_taken(state, {"timeout"}):
            place = self.error_place(state, "timeout")
            self.fire(f"timeout in {state.name}", f"state {state.name}", {state.name: 1}, {place: 1})

    def done(self, state: State) -> None:
        """M4.1: `done` is taken, or discarded and the state stays."""
        name = state.name
        inputs = {name: 1, f"{name}.succeeded": 1}
        for number, transition in self.candidates(state, {"done"}):
            self.take(state, number, transition, inputs, {}, ended=True)
        self.condition_raises(state, {"done"}, inputs, {f"{name}.ended": 1})
        if not self.always_taken(state, {"done"}):
            self.fire(f"done is discarded in {name}", f"state {name}", inputs, {name: 1, f"{name}.ended": 1})

    def work_error(self, state: State) -> None:
        """M4.2: the activity's error is handled, or the instance fails."""
        assert state.activity is not None
        name, activity = state.name, state.activity.name
        inputs = {name: 1, f"{name}.failed": 1}
        triggers = {"error", f"error.{activity}"}
        for number, transition in self.candidates(state, triggers):
            self.take(state, number, transition, inputs, {}, ended=True)
        self.condition_raises(state, triggers, inputs, {f"{name}.ended": 1})
        if not self.always_taken(state, triggers):
            self.fire(f"{activity} fails {name}", f"state {name}", inputs, {FAILED: 1})

    def errors(self, state: State, place: str) -> None:
        """M4.2: an error that waits in the state is handled, or the instance fails."""
        name = state.name
        source = place.removeprefix(f"{name}!")
        handled = False
        if not state.is_terminal:
            names = {"error", f"error.{name if source == 'timeout' else source}"}
            for number, transition in (*self.candidates(state, names), *self.candidates(state, {"automatic"})):
                self.take(state, number, transition, {place: 1}, {})
            self.condition_raises(state, names, {place: 1}, {})
            handled = self.always_taken(state, names)
            self.work_ends_first(state, place)
        if not handled:
            closing = TIMED_OUT if source == "timeout" else FAILED
            for inputs, back in self.leave(state, place):
                self.fire(f"{name} is {closing}", f"state {name}", inputs, {closing: 1} | back)

    def work_ends_first(self, state: State, place: str) -> None:
        """M2.1: a `done` or `error` of the state's activity may have been raised before the error in `place`.

        Its transition then goes first, while the other waits: forgotten where the state is left, and offered
        after all where the transition comes back to it.
        """
        if state.activity is None:
            return
        name = state.name
        for end, triggers in (("succeeded", {"done"}), ("failed", {"error", f"error.{state.activity.name}"})):
            inputs = {place: 1, f"{name}.{end}": 1}
            first = self.candidates(state, triggers)
            for number, transition in first:
                self.take(state, number, transition, inputs, {}, ended=True)
            discarded = end == "succeeded" and not self.always_taken(state, triggers)
            if discarded or any(self.comes_back(transition) for _, transition in first):
                kept = {place: 1, f"{name}.ended": 1}
                self.fire(f"{name} {end} before an error", f"state {name}", inputs, kept)

    def comes_back(self, transition: Transition) -> bool:
        """Whether a transition can leave its state active: it is internal, or may be aborted."""
        return transition.to is None or any(
            isinstance(action, ActivityAction) or self._assignment_fails(action)
            for action in transition.pre_actions
            if isinstance(action, (ActivityAction, SetVariableAction))
        )

    def candidates(self, state: State, triggers: set[str]) -> list[tuple[int, Transition]]:
        """M2.3: transitions on one of the triggers, in file order, up to the first without a condition."""
        found = []
        for number, transition in self.leaving[state.name]:
            if _trigger(transition) in triggers:
                found.append((number, transition))
                # Each `after` has a timer of its own, which selects only its transition (M6.2).
                if transition.condition is None and transition.after is None:
                    break
        return found

    def always_taken(self, state: State, triggers: set[str]) -> bool:
        return any(transition.condition is None for _, transition in self.candidates(state, triggers))

    def condition_raises(self, state: State, triggers: set[str], inputs: Tokens, extra: Tokens) -> None:
        """M2.5: a condition that raises gives its state an error."""
        if any(
            transition.condition is not None and condition_can_raise(parse_condition(transition.condition))
            for _, transition in self.candidates(state, triggers)
        ):
            place = self.error_place(state, state.name)
            label = f"a condition on {' or '.join(sorted(triggers))} raises in {state.name}"
            self.fire(label, f"state {state.name}", inputs, {place: 1} | extra)

    # --- transitions -----------------------------------------------------------------------------

    def outcomes(self, state: State, number: int, actions: tuple[object, ...], first: int, when: str) -> list[_Outcome]:
        """M3.1: what running actions from `first` on comes to: the end, a wait, or an error."""
        found: list[_Outcome] = []
        for k in range(first, len(actions)):
            action = actions[k]
            if isinstance(action, SetVariableAction):
                if self._assignment_fails(action) and action.on_failure == "abort":
                    found.append(_Outcome("error", source=state.name))
                continue
            assert isinstance(action, ActivityAction)
            if self._inputs_raise(action):
                if action.on_failure == "abort":
                    found.append(_Outcome("error", source=action.name))
                else:
                    found += self.outcomes(state, number, actions, k + 1, when)
            found.append(_Outcome("wait", place=f"t{number + 1}.{when}{k + 1}.scheduled.1"))
            return list(dict.fromkeys(found))
        return list(dict.fromkeys([*found, _Outcome("end")]))

    def take(
        self,
        state: State,
        number: int,
        transition: Transition,
        inputs: Tokens,
        back: Tokens,
        *,
        ended: bool = False,
    ) -> None:
        """Set out on a transition: `inputs` hold the control token, and with `ended` the activity's token too."""
        self.go_on(state, number, transition, inputs, back, 0, ended=ended)

    def go_on(
        self,
        state: State,
        number: int,
        transition: Transition,
        inputs: Tokens,
        back: Tokens,
        first: int,
        *,
        ended: bool = False,
    ) -> None:
        """Run pre-actions from `first` on, up to a wait, an error, or the commit."""
        label, source = f"t{number + 1}: {transition}", f"transition {number + 1}"
        kept = {f"{state.name}.ended": 1} if ended else {}
        for outcome in self.outcomes(state, number, transition.pre_actions, first, "pre"):
            if outcome.kind == "wait":
                self.fire(f"{label} begins", source, inputs, {outcome.place: 1} | kept | back)
            elif outcome.kind == "error":
                place = self.error_place(state, outcome.source)
                self.fire(f"{label} is aborted", source, inputs, {place: 1} | kept | back)
            else:
                self.commit(state, number, transition, inputs, back, ended=ended)

    def commit(
        self, state: State, number: int, transition: Transition, inputs: Tokens, back: Tokens, *, ended: bool
    ) -> None:
        """M3.8: leave, enter, and post-actions up to a wait, an error or the end."""
        label, source = f"t{number + 1}: {transition}", f"transition {number + 1}"
        if transition.to is None:
            kept = {f"{state.name}.ended": 1} if ended else {}
            for control in self.after_commit(state, number, transition, state.name):
                self.fire(label, source, inputs, {control: 1} | kept | back)
            return
        target = self.states[transition.to]
        (control_in,) = [place for place in inputs if not place.startswith(f"{state.name}.")] or [state.name]
        ways = [(inputs, dict[str, int]())] if ended else list(self.leave(state, control_in))
        for consumed, workers in ways:
            for arrived, work in self._arrivals(transition.to):
                for control in self.after_commit(target, number, transition, arrived):
                    self.fire(label, source, consumed, _sum({control: 1}, work, workers, back))

    def after_commit(self, state: State, number: int, transition: Transition, arrived: str) -> list[str]:
        """Where the control token comes to lie after the commit."""
        found = []
        for outcome in self.outcomes(state, number, transition.post_actions, 0, "post"):
            if outcome.kind == "wait":
                found.append(outcome.place)
            elif outcome.kind == "error":
                found.append(self.error_place(state, outcome.source))
            else:
                found.append(arrived)
        return list(dict.fromkeys(found))

    def flight_places(self, number: int, when: str, actions: tuple[object, ...]) -> Iterator[tuple[str, Tokens]]:
        """Places of instances that wait in these actions of a transition, with the workers they hold."""
        for k, action in enumerate(actions):
            if isinstance(action, ActivityAction):
                for place in self.phases(f"t{number + 1}.{when}{k + 1}", action.name):
                    yield place, self.worker(place, action.name)

    def flights(self, state: State, number: int, transition: Transition) -> None:
        """M3.2: the waits of a transition, before the commit in the source and after it in the target."""
        source = f"transition {number + 1}"
        for k, action in enumerate(transition.pre_actions):
            if not isinstance(action, ActivityAction):
                continue
            prefix = f"t{number + 1}.pre{k + 1}"
            self.activity(prefix, action.name, source)
            self.go_on(state, number, transition, {f"{prefix}.succeeded": 1}, {}, k + 1)
            if action.on_failure == "ignore":
                self.go_on(state, number, transition, {f"{prefix}.failed": 1}, {}, k + 1)
            else:
                place = self.error_place(state, action.name)
                self.fire(f"t{number + 1}: {transition} is aborted", source, {f"{prefix}.failed": 1}, {place: 1})
        target = state if transition.to is None else self.states[transition.to]
        for k, action in enumerate(transition.post_actions):
            if not isinstance(action, ActivityAction):
                continue
            prefix = f"t{number + 1}.post{k + 1}"
            self.activity(prefix, action.name, source)
            ends = [f"{prefix}.succeeded"]
            if action.on_failure == "ignore":
                ends.append(f"{prefix}.failed")
            else:
                place = self.error_place(target, action.name)
                self.fire(f"{action.name} fails after {transition}", source, {f"{prefix}.failed": 1}, {place: 1})
            for end in ends:
                for outcome in self.outcomes(target, number, transition.post_actions, k + 1, "post"):
                    if outcome.kind == "wait":
                        control = outcome.place
                    elif outcome.kind == "error":
                        control = self.error_place(target, outcome.source)
                    else:
                        control = target.name
                    self.fire(f"{action.name} is over, {transition} goes on", source, {end: 1}, {control: 1})


def _sum(*tokens: Tokens) -> Tokens:
    total: Tokens = {}
    for each in tokens:
        for place, weight in each.items():
            total[place] = total.get(place, 0) + weight
    return total


def _trigger(transition: Transition) -> str:
    """What sets a transition off: an event's name, `after <n>` by its own time, or `automatic`."""
    if transition.event is not None:
        return transition.event
    return f"after {transition.after}" if transition.after is not None else "automatic"


def _mentions_names(value: object) -> bool:
    return isinstance(value, str) and is_template(value)
