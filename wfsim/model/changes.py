"""What another definition of the same workflow takes from instances that run under this one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import listed
from wfsim.model.declared import FieldType
from wfsim.model.elements import Datum, State, Transition, Variable
from wfsim.model.lint.findings import Severity
from wfsim.model.shapes import never_fits
from wfsim.model.uses import declared_activities, declared_events, declared_variables
from wfsim.model.values import ValueType

if TYPE_CHECKING:
    from wfsim.model.workflow import Workflow

CODES: dict[str, Severity] = {
    "activity-gone": Severity.ERROR,
    "activity-version": Severity.WARNING,
    "compensation-changed": Severity.ERROR,
    "correlation-changed": Severity.WARNING,
    "event-gone": Severity.ERROR,
    "event-payload": Severity.ERROR,
    "flight-changed": Severity.ERROR,
    "region-gone": Severity.ERROR,
    "region-new": Severity.ERROR,
    "state-gone": Severity.ERROR,
    "state-terminal": Severity.ERROR,
    "timer-changed": Severity.WARNING,
    "variable-gone": Severity.WARNING,
    "variable-narrower": Severity.ERROR,
    "variable-type": Severity.ERROR,
    "variable-unset": Severity.ERROR,
    "work-changed": Severity.ERROR,
}
"""Every kind of change: an `error` leaves something that may be running without a counterpart."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a running instance may hold and the new definition does not know as it was.

    `place` is a state or region by path (`fulfilling/goods/packing`), or a variable, event, activity or transition.
    """

    code: str
    place: str
    message: str

    @property
    def severity(self) -> Severity:
        """`error`: no counterpart; `warning`: a counterpart that behaves differently."""
        return CODES[self.code]

    def __str__(self) -> str:
        return f"{self.severity.value} {self.code}: {self.place}: {self.message}"


def changes(old: Workflow, new: Workflow) -> list[Change]:
    """What instances of `old` may hold that has no counterpart in `new`: states first, then what they work on.

    What `new` adds without touching running instances is no change here.
    """
    found = [*_states(old, new), *_flights(old, new), *_variables(old, new), *_events(old, new)]
    found += _activities(old, new)
    if old.correlation != new.correlation:
        key = None if new.correlation is None else new.correlation.key
        found.append(
            Change(
                "correlation-changed", "correlation", f"instances keep the key they started with; now it is {key!r}."
            )
        )
    return found


def _by_path(workflow: Workflow) -> Iterator[tuple[tuple[str, ...], State]]:
    for path, region in workflow.regions():
        for state in region.states:
            yield (*path, state.name), state


def _states(old: Workflow, new: Workflow) -> Iterator[Change]:
    now = dict(_by_path(new))
    regions = {path for path, _ in new.regions()}
    gone: set[tuple[str, ...]] = set()
    for path, state in _by_path(old):
        if path[:-1] in gone:
            continue
        where = f"state {'/'.join(path)!r}"
        there = now.get(path)
        if there is None:
            gone |= {(*path, inner.name) for inner in (state.parallel.regions if state.parallel else ())}
            yield Change("state-gone", where, "an instance in it would have nowhere to be.")
            continue
        if there.is_terminal != state.is_terminal:
            what = (
                "is terminal now, so nothing would ever leave it" if there.is_terminal else "is not terminal any more"
            )
            yield Change("state-terminal", where, f"it {what}.")
        was, is_now = (None if each.work is None else each.work.told for each in (state, there))
        if was != is_now:
            yield Change("work-changed", where, f"it ran {was or 'nothing'} and now runs {is_now or 'nothing'}.")
        elif state.invoke is not None and there.invoke is not None:
            if state.invoke.compensate_with != there.invoke.compensate_with:
                yield Change("compensation-changed", where, _UNDONE_OTHERWISE)
        elif state.parallel is not None and there.parallel is not None:
            here = {inner.name for inner in state.parallel.regions}
            for inner in state.parallel.regions:
                if (*path, inner.name) not in regions:
                    gone.add((*path, inner.name))
                    yield Change("region-gone", where, f"region {inner.name!r} is gone, with whatever is active in it.")
            for inner in there.parallel.regions:
                if inner.name not in here:
                    yield Change(
                        "region-new", where, f"region {inner.name!r} was never entered by instances that are in it."
                    )
        yield from _timers(where, _clocks(old, path, state), _clocks(new, path, there))


_UNDONE_OTHERWISE = "what is in the log would be undone by another compensator, or not at all."


def _clocks(workflow: Workflow, path: tuple[str, ...], state: State) -> list[str]:
    timeout = state.timeout if state.timeout is not None else workflow.timeouts.states.get(state.name)
    region = next(region for known, region in workflow.regions() if known == path[:-1])
    waits = [each for each in region.transitions if each.from_ == state.name and each.timed]
    return [*([f"timeout {timeout}"] if timeout is not None else []), *(each.trigger for each in waits)]


def _timers(where: str, was: list[str], now: list[str]) -> Iterator[Change]:
    if was != now:
        yield Change(
            "timer-changed",
            where,
            f"instances in it have {listed(was) or 'no timer'}, those that enter it now {listed(now) or 'none'}.",
        )


def _flights(old: Workflow, new: Workflow) -> Iterator[Change]:
    """An instance between two actions of a transition goes on only if the actions are what they were."""
    now = dict(_transitions(new))
    known = {path for path, _ in new.regions()}
    for key, transition in _transitions(old):
        if not _waits(transition) or key[0] not in known:
            continue
        there = now.get(key)
        where = f"transition {'/'.join((*key[0], str(transition)))!r}"
        if there is None:
            yield Change("flight-changed", where, "it is gone; an instance that waits for one of its actions is lost.")
        elif _actions(transition) != _actions(there):
            yield Change(
                "flight-changed", where, "its actions are others; an instance between two of them has no place in it."
            )


def _transitions(workflow: Workflow) -> Iterator[tuple[tuple[tuple[str, ...], str, int], Transition]]:
    """Each transition under its region, what it says, and its number among equals."""
    seen: dict[tuple[tuple[str, ...], str], int] = {}
    for path, region in workflow.regions():
        for transition in region.transitions:
            key = (path, str(transition))
            seen[key] = seen.get(key, 0) + 1
            yield (*key, seen[key]), transition


def _waits(transition: Transition) -> bool:
    return any(action.waits for action in transition.actions)


def _actions(transition: Transition) -> tuple[object, ...]:
    """What decides where in a transition an instance can be."""
    return tuple(
        tuple((each.action_type, each.runs) for each in actions)
        for actions in (transition.pre_actions, transition.post_actions)
    )


def _variables(old: Workflow, new: Workflow) -> Iterator[Change]:
    was, now = declared_variables(old), declared_variables(new)
    before, after = ({"/".join(path) for path, _ in _by_path(each)} for each in (old, new))
    for name, variable in was.items():
        where = f"variable {name!r}"
        there = now.get(name)
        if variable.transient or (there is None and _is_of_no_state(variable, name, after)):
            continue
        if there is None or there.transient:
            yield Change("variable-gone", where, "its value would be lost.")
        elif there.kind not in (variable.kind, ValueType.ANY):
            yield Change("variable-type", where, f"it held {variable.shape} and is now {there.shape}.")
        elif (narrower := _narrower(variable, there)) is not None:
            yield Change("variable-narrower", where, narrower)
        elif (reason := never_fits(there.shape, variable.shape)) is not None:
            yield Change("variable-type", where, f"what it held does not fit any more: {reason}.")
    for name, variable in now.items():
        if variable.transient or _is_of_no_state(variable, name, before):
            continue
        if name not in was and not variable.optional and variable.initial is None:
            yield Change(
                "variable-unset", f"variable {name!r}", "it is new and has no initial value: it would be unset."
            )


def _is_of_no_state(variable: Variable, name: str, states: set[str]) -> bool:
    """Whether it belongs to a state that is not among these: no instance is there with it (M13.3)."""
    return isinstance(variable, Datum) and name.rpartition(".")[0] not in states


def _narrower(was: FieldType, now: FieldType) -> str | None:
    if was.optional and not now.optional:
        return "it could be unset and may not be any more."
    before, after = was.shape.values, now.shape.values
    if after is not None and (before is None or not set(map(repr, before)) <= set(map(repr, after))):
        return f"it may only be one of {listed(map(repr, after))} now."
    for bound, is_less in (("minimum", False), ("maximum", True)):
        before, after = getattr(was.shape, bound), getattr(now.shape, bound)
        if after is not None and (before is None or (after < before if is_less else after > before)):
            return f"its {bound} was {'open' if before is None else before} and is now {after}."
    return None


def _events(old: Workflow, new: Workflow) -> Iterator[Change]:
    now = declared_events(new)
    for name, event in declared_events(old).items():
        where = f"event {name!r}"
        there = now.get(name)
        if there is None:
            yield Change("event-gone", where, "whoever sends it is turned away, and what waits or is deferred is lost.")
            continue
        reasons = []
        for field, kind in there.payload.items():
            before = event.payload.get(field)
            if before is None:
                reasons += [] if kind.optional else [f"field {field!r} is required now"]
            elif kind.kind not in (before.kind, ValueType.ANY):
                reasons.append(f"field {field!r} was {before.kind} and is {kind.kind}")
            elif before.optional and not kind.optional:
                reasons.append(f"field {field!r} is not optional any more")
            elif (reason := never_fits(kind.shape, before.shape)) is not None:
                reasons.append(f"field {field!r}: {reason}")
            elif (narrower := _narrower(before, kind)) is not None:
                reasons.append(f"field {field!r}: {narrower.rstrip('.')}")
        if there.payload:
            reasons += [f"field {field!r} is gone" for field in event.payload if field not in there.payload]
        if reasons:
            yield Change("event-payload", where, f"what is sent as before is turned away: {', '.join(reasons)}.")


def _activities(old: Workflow, new: Workflow) -> Iterator[Change]:
    now = declared_activities(new)
    for name, activity in declared_activities(old).items():
        if name not in now:
            yield Change(
                "activity-gone",
                f"activity {name!r}",
                "attempts that run or wait for a retry, and its entries in the log, are lost.",
            )
        elif activity.compensate_with != declared_activities(new)[name].compensate_with:
            yield Change(
                "compensation-changed",
                f"activity {name!r}",
                _UNDONE_OTHERWISE,
            )
        if name in now and activity.version != declared_activities(new)[name].version:
            was, then = (f"version {each}" if each else "no version" for each in (activity.version, now[name].version))
            told = f"attempts so far were of {was}, those to come are of {then}: one activity may be done by both."
            yield Change("activity-version", f"activity {name!r}", told)
