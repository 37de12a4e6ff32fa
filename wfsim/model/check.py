"""What must hold before a definition means anything: every name used exists, types and limits fit together.

`check` runs whenever a workflow is loaded or built. What is well formed yet wrong is left to `wfsim.lint`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from wfsim.errors import did_you_mean, listed
from wfsim.model.connectors import check_connector
from wfsim.model.declared import check_declared, check_types
from wfsim.model.definition import Definition
from wfsim.model.elements import Activity, Retries, RetryPolicy, State, Variable
from wfsim.model.evaluate import evaluate_template, fit
from wfsim.model.expression_tree import (
    Name,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    Whole,
    called,
    expression_parts,
    names,
)
from wfsim.model.expressions import has_expression
from wfsim.model.fields import OF_STATE
from wfsim.model.functions import check_functions, wrong_call
from wfsim.model.operations import SendAction
from wfsim.model.owned import unset
from wfsim.model.problems import Path, Problem
from wfsim.model.retrying import listed_policies
from wfsim.model.shapes import Shape, bare, misfit, never_fits
from wfsim.model.static import gives_duration, static_shape
from wfsim.model.uses import (
    Part,
    Use,
    Write,
    activity_uses,
    declared_activities,
    declared_events,
    declared_variables,
    fields_at,
    is_reserved,
    items_at,
    parts,
    payload_fields,
    scoped,
    seen_at,
    settling,
    transition_actions,
    uses,
    writes,
)
from wfsim.model.values import EvaluationFault, ValueType, brief

__all__ = ["check", "declared_activities", "declared_events", "declared_variables"]

Report: TypeAlias = Callable[[Path, str], None]


def check(workflow: Definition) -> list[Problem]:
    """Every problem that keeps the definition from having a meaning; empty if there is none.

    Notes
    -----
    Linear in the size of the definition, apart from looking up near names for advice.
    """
    problems: list[Problem] = []

    def report(path: Path, message: str) -> None:
        problems.append(Problem(path, message))

    check_types(workflow.types, report)
    for name, variable in workflow.variables.items():
        _variable(workflow, ("variables", name), f"variable {name!r}", variable, report)
    _data(workflow, report)
    _events(workflow, report)
    _activities(workflow, report)
    check_functions(workflow.functions, workflow.types, report)
    _timeouts(workflow, report)
    _schedules(workflow, report)
    _states_and_transitions(workflow, report)
    _error_sources(workflow, report)
    variables, found, written = declared_variables(workflow), list(uses(workflow)), list(writes(workflow))
    _names_in_expressions(workflow, variables, found, report)
    _written_variables(workflow, variables, written, report)
    _types(workflow, variables, found, written, report)
    return problems


# Sections ------------------------------------------------------------------------------------------------


def _variable(workflow: Definition, path: Path, what: str, variable: Variable, report: Report) -> None:
    sound = check_declared(path, what, variable, workflow.types, report)
    if variable.overflow == "saturate" and variable.shape.minimum is None and variable.shape.maximum is None:
        report((*path, "overflow"), f"{what} saturates, but has neither minimum nor maximum to stay within.")
    if sound:
        _initial(path, what, variable, report)


def _initial(path: Path, what: str, variable: Variable, report: Report) -> None:
    if isinstance(variable.initial, str) and has_expression(variable.initial):
        report(
            (*path, "initial"),
            f"{what}: the initial value is a plain value, not an expression. Set it in the first transition.",
        )
    elif variable.initial is not None:
        reason = misfit(variable.shape, variable.initial)
        if reason is not None:
            report((*path, "initial"), f"{what} cannot start as {brief(variable.initial)}: {reason}.")


def _data(workflow: Definition, report: Report) -> None:
    """Fields of states, and that whoever enters a state sets those that have to be (M13.2)."""
    for part in parts(workflow):
        own = {state.name: state for state in part.region.states}
        for index, state in enumerate(part.region.states):
            for field, datum in state.data.items():
                path: Path = (*part.state_path(index), "data", field)
                _variable(workflow, path, f"field {field!r} of state {state.name!r}", datum, report)
        if (first := own.get(part.region.initial_state)) is not None:
            for field in unset(first, None):
                report(
                    (*part.state_path(part.region.states.index(first)), "data", field),
                    f"{part.label} begins in {first.name!r}, where nothing sets its field {field!r} (M13.2). "
                    "Give it an initial value, set it in entry_actions, or make it optional.",
                )
        for index, transition in enumerate(part.region.transitions):
            target = own.get(transition.to or "")
            for field in unset(target, transition) if target is not None else ():
                report(
                    (*part.transition_path(index), "to"),
                    f"{part.transition_label(index)} enters {transition.to!r} without setting its field {field!r} "
                    f"(M13.2). Set state.{field} in its pre_actions, give the field an initial value, or make it "
                    "optional.",
                )


def _misfit(variable: Variable, value: object) -> str | None:
    try:
        fit(variable, value)
    except EvaluationFault as fault:
        return fault.message
    return None


def _events(workflow: Definition, report: Report) -> None:
    for name, event in workflow.events.items():
        for field, declared in event.payload.items():
            what = f"field {field!r} of event {name!r}"
            check_declared(("events", name, "payload", field), what, declared, workflow.types, report)
        if is_reserved(name):
            report(
                ("events", name),
                f"the event {name!r} is raised by the engine and cannot be declared. Choose another name.",
            )


def _activities(workflow: Definition, report: Report) -> None:
    known = declared_activities(workflow)
    for path, what, name in (*activity_uses(workflow), *settling(workflow)):
        if name not in known:
            report(
                path,
                f"{what} {name!r}, which is not an activity. Activities: {listed(known)}.{did_you_mean(name, known)}",
            )
    for name, activity in workflow.activities.items():
        _clocks(("activities", name), name, activity, report)
        for field, declared in (activity.input or {}).items():
            what = f"input {field!r} of activity {name!r}"
            check_declared(("activities", name, "input", field), what, declared, workflow.types, report)
        if activity.result is not None:
            what = f"the result of activity {name!r}"
            check_declared(("activities", name, "result"), what, activity.result, workflow.types, report)
        for key, connector in (("http", activity.http), ("command", activity.command)):
            if connector is not None:
                place: Path = ("activities", name, key)
                check_connector(place, f"activity {name!r}", connector, activity.input, activity.result, report)
                stated = "timeout" in connector.model_fields_set
                if stated and activity.timeout is not None and connector.timeout > activity.timeout:
                    report(
                        (*place, "timeout"),
                        f"activity {name!r}: the timeout of its {key}, {connector.timeout}, can never expire, because "
                        f"timeout {activity.timeout} ends the attempt first.",
                    )
        if activity.retry_policy is not None:
            _retry(("activities", name, "retry_policy"), f"activity {name!r}", activity.retry_policy, report)
    if workflow.retry_policy is not None:
        _retry(("retry_policy",), "the workflow", workflow.retry_policy, report)


def _clocks(path: Path, name: str, activity: Activity, report: Report) -> None:
    for key in ("timeout", "schedule_to_start", "schedule_to_close", "heartbeat"):
        if getattr(activity, key) == 0:
            report((*path, key), f"activity {name!r}: {key} is 0s, so no attempt could ever finish.")
    total = activity.schedule_to_close
    for key in ("timeout", "schedule_to_start"):
        clock = getattr(activity, key)
        if total is not None and clock is not None and clock > total:
            report(
                (*path, key),
                f"activity {name!r}: {key} {clock} can never expire, because schedule_to_close {total} ends "
                "the activity first.",
            )
    if activity.heartbeat and activity.timeout and activity.heartbeat > activity.timeout:
        report(
            (*path, "heartbeat"),
            f"activity {name!r}: heartbeat {activity.heartbeat} can never expire, because timeout "
            f"{activity.timeout} ends the attempt first.",
        )


def _retry(path: Path, owner: str, retries: Retries, report: Report) -> None:
    policies = listed_policies(retries)
    for place, policy in enumerate(policies):
        _policy((*path, place) if isinstance(retries, tuple) else path, owner, policy, report)
        taken = next((k + 1 for k in range(place) if _takes_all(policies[k], policy)), None)
        if taken is not None:
            what = "all errors" if not policies[taken - 1].errors else ", ".join(policy.errors)
            report(
                (*path, place),
                f"retry policy {place + 1} of {owner} never decides: policy {taken} before it is for {what} (M5.2). "
                "Put it first, or remove it.",
            )


def _takes_all(first: RetryPolicy, second: RetryPolicy) -> bool:
    """Whether a policy is for every error that a later one is for."""
    return not first.errors or (bool(second.errors) and all(map(first.is_for, second.errors)))


def _policy(path: Path, owner: str, policy: RetryPolicy, report: Report) -> None:
    if policy.max_interval < policy.initial_interval:
        report(
            (*path, "max_interval"),
            f"the retry policy of {owner}: max_interval {policy.max_interval} is below initial_interval "
            f"{policy.initial_interval}.",
        )


def _timeouts(workflow: Definition, report: Report) -> None:
    states = {state.name: state for part in parts(workflow) for state in part.region.states}
    for name, timeout in workflow.timeouts.states.items():
        path: Path = ("timeouts", "states", name)
        state = states.get(name)
        if state is None:
            report(
                path,
                f"a timeout is given for {name!r}, which is not a state. "
                f"States: {listed(states)}.{did_you_mean(name, states)}",
            )
        elif state.timeout is not None and state.timeout != timeout:
            report(path, f"state {name!r} has a timeout of its own, {state.timeout}, and {timeout} here.")
    if workflow.timeouts.activity == 0:
        report(("timeouts", "activity"), "the timeout of activities is 0s, so no attempt could ever finish.")


def _schedules(workflow: Definition, report: Report) -> None:
    """A start by the clock has nobody to ask: its inputs must be complete and fit."""
    variables = declared_variables(workflow)
    inputs = {name: variable for name, variable in variables.items() if variable.input}
    for name, schedule in workflow.schedules.items():
        path: Path = ("schedules", name, "input")
        for key, value in schedule.input.items():
            if key not in inputs:
                report(
                    (*path, key),
                    f"schedule {name!r} gives {key!r}, which is not an input. "
                    f"Inputs: {listed(inputs) or 'none'}.{did_you_mean(key, inputs)}",
                )
            elif (reason := _misfit(inputs[key], value)) is not None:
                report((*path, key), f"schedule {name!r} cannot give {brief(value)} for {key!r}: {reason}")
        for key, variable in inputs.items():
            if schedule.input.get(key) is None and variable.initial is None and not variable.optional:
                report(path, f"schedule {name!r} does not give the input {key!r} ({variable.shape}).")


# States and transitions ----------------------------------------------------------------------------------


def _states_and_transitions(workflow: Definition, report: Report) -> None:
    everywhere: dict[str, str] = {}
    for part in parts(workflow):
        for state in part.region.states:
            everywhere.setdefault(state.name, part.label)
    for part in parts(workflow):
        own: dict[str, State] = {}
        for index, state in enumerate(part.region.states):
            if state.name in own:
                report((*part.state_path(index), "name"), f"the state {state.name!r} is there twice.")
            own.setdefault(state.name, state)
            _work(part.state_path(index), state, report)
        if part.region.initial_state not in own:
            report(
                (*part.path, "initial_state"),
                f"{part.label} starts in {_no_state(part.region.initial_state, own, everywhere)}",
            )
        for index, transition in enumerate(part.region.transitions):
            for key, name in (("from", transition.from_), ("to", transition.to)):
                if name is not None and name not in own:
                    does = "leaves" if key == "from" else "leads to"
                    report(
                        (*part.transition_path(index), key),
                        f"{part.transition_label(index)} {does} {_no_state(name, own, everywhere)}",
                    )
            if transition.event is not None and transition.event in ("error.", "."):
                report(
                    (*part.transition_path(index), "event"),
                    f"{part.transition_label(index)}: write error.<source>.",
                )
            for path, action in transition_actions(part, index, transition):
                if action.sends is not None:
                    _message(workflow, path, action.sends, part.transition_label(index), report)
                if action.undoes is not None:
                    _scope(workflow, (*path, "scope"), action.undoes.scope, report)


def _no_state(name: str, own: Mapping[str, State], everywhere: Mapping[str, str]) -> str:
    if name in everywhere:
        return (
            f"{name!r}, a state of {everywhere[name]}. No arrow crosses the border of a region (M1.1). "
            f"States here: {listed(own)}."
        )
    return f"{name!r}, which is not a state. States: {listed(own)}.{did_you_mean(name, own)}"


def _message(workflow: Definition, path: Path, action: SendAction, label: str, report: Report) -> None:
    """A message has a receiver; what an instance tells itself must fit its own event."""
    if is_reserved(action.event):
        report((*path, "event"), f"{label} sends {action.event!r}, an event of the engine.")
    to = action.to_tree
    if isinstance(to, TemplateObject):
        keys = [key for key, _ in to.fields]
        if sorted(keys) != ["key", "workflow"]:
            report(
                (*path, "to"),
                f"{label} sends to {{{', '.join(keys)}}}. Name one instance by workflow and key: "
                '{workflow: shipping, key: "${context.order_id}"}.',
            )
    elif isinstance(to, TemplateList) or (isinstance(to, TemplateLiteral) and not isinstance(to.value, str)):
        report(
            (*path, "to"),
            f"{label} sends to no instance. Write self, parent, an instance's id, or {{workflow: ..., key: ...}}.",
        )
    elif to == TemplateLiteral("self"):
        events = declared_events(workflow)
        # An event that nobody takes is well formed, and a finding of lint.
        fields = events[action.event].payload if action.event in events else {}
        for name in action.payload:
            if fields and name not in fields:
                report(
                    (*path, "payload", name),
                    f"{label} sends {name!r} with {action.event!r}, which has no such field. "
                    f"Fields: {listed(fields)}.{did_you_mean(name, fields)}",
                )
        for name, kind in fields.items():
            if not kind.optional and name not in action.payload:
                report(
                    (*path, "payload"),
                    f"{label} sends {action.event!r} to its own instance without the field {name!r} ({kind.shape}).",
                )


def _scope(workflow: Definition, path: Path, scope: str | None, report: Report) -> None:
    if scope is None:
        return
    found = scoped(workflow, scope)
    if len(found) > 1:
        paths = [joined if "/" in joined else f"/{joined}" for joined in found]
        report(
            path,
            f"compensation is limited to {brief(scope)}, but {len(found)} states and regions are called so. "
            f"Give the path of one: {listed(paths)}.",
        )
    if found:
        return
    known = [state.name for part in parts(workflow) for state in part.region.states]
    known += [part.region.name for part in parts(workflow) if part.path]
    report(
        path,
        f"compensation is limited to {brief(scope)}, which is neither a state nor a region. "
        f"Known: {listed(known)}.{did_you_mean(scope, known)}",
    )


def _work(path: Path, state: State, report: Report) -> None:
    if state.parallel is not None:
        count = len(state.parallel.regions)
        if isinstance(state.parallel.join, int) and state.parallel.join > count:
            report(
                (*path, "parallel", "join"),
                f"state {state.name!r} joins {state.parallel.join} regions but has {count}.",
            )
        seen: set[str] = set()
        for number, region in enumerate(state.parallel.regions):
            if region.name in seen:
                report(
                    (*path, "parallel", "regions", number, "name"),
                    f"state {state.name!r} has two regions named {region.name!r}.",
                )
            seen.add(region.name)
    if state.for_each is not None and (state.for_each.activity is None) == (state.for_each.workflow is None):
        report(
            (*path, "for_each"),
            f"for_each of state {state.name!r} needs either an activity or a workflow.",
        )


def _error_sources(workflow: Definition, report: Report) -> None:
    for part in parts(workflow):
        for index, transition in enumerate(part.region.transitions):
            if transition.event is None or not transition.event.startswith("error."):
                continue
            source = transition.event.removeprefix("error.")
            known = list(dict.fromkeys(_sources(part, transition.from_)))
            if source and source not in known:
                report(
                    (*part.transition_path(index), "event"),
                    f"{part.transition_label(index)} waits for an error of {source!r}, but nothing so named "
                    f"can fail in state {transition.from_!r}. "
                    f"Sources there: {listed(known)}.{did_you_mean(source, known)}",
                )


def _sources(part: Part, state_name: str) -> Iterator[str]:
    """What can raise an error while a state is active: itself, its work, actions around it, all inside it."""
    for index, transition in enumerate(part.region.transitions):
        before = transition.from_ == state_name
        after = state_name == (transition.to or transition.from_)
        for path, action in transition_actions(part, index, transition):
            if before if path[-2] == "pre_actions" else after:
                yield from action.sources
    for index, state in enumerate(part.region.states):
        if state.name != state_name:
            continue
        for entering in state.entry_actions:
            yield from entering.sources
        if state.work is not None:
            yield from state.work.sources
        for number, region in enumerate(state.parallel.regions if state.parallel else ()):
            inner = Part((*part.state_path(index), "parallel", "regions", number), region, region.name)
            for name in dict.fromkeys(one.name for one in region.states):
                yield from _sources(inner, name)
        yield state.name


# Expressions ---------------------------------------------------------------------------------------------


def _names_in_expressions(
    workflow: Definition, variables: Mapping[str, Variable], found: list[Use], report: Report
) -> None:
    for use in found:
        fields = payload_fields(workflow, use.event) if use.event is not None else None
        for name in names(use.tree):
            message = _unknown_name(name, use, variables, fields)
            if message is None and isinstance(name, Name) and name.scope == "state":
                message = _not_here(workflow, use.path, name.field)
            if message is not None:
                report(use.path, f"{use.what} {message}")
        for call in called(use.tree):
            message = wrong_call(call, workflow.functions)
            if message is not None:
                report(use.path, f"{use.what} {message}")


def _unknown_name(
    name: Name | Whole, use: Use, variables: Mapping[str, Variable], fields: Mapping[str, Shape] | None
) -> str | None:
    match name:
        case Name("context", field) if field not in variables:
            near = did_you_mean(field, variables).replace("'", "")
            advice = near.replace("mean ", "mean context.") if near else ""
            return f"reads context.{field}, which is not a variable. Variables: {listed(variables)}.{advice}"
        case Name("clock") if use.kind == "key":
            return "reads now, but the key is computed at the start, from variables only."
        case Name("event", field) if use.event is None:
            return f"reads event.{field}, but there is no event here."
        case Whole("event") if use.event is None:
            return "reads the event, but there is no event here."
        case Name("event", field) if fields is not None and field not in fields:
            known = f"Its fields: {listed(fields)}." if fields else "It has no fields."
            return (
                f"reads event.{field}, but the event {use.event!r} brings no such field. "
                f"{known}{did_you_mean(field, fields)}"
            )
        case Name("item", field) if use.item is None:
            return (
                f"reads item.{field}, but only the parameters of for_each have an item, and what sum, count, any and "
                f"all ask of each one; min and max take a list of values: max(context.lines.{field})."
            )
        case Name("item", field) if field != use.item:
            return f"reads item.{field}, but the item is called {use.item!r}: write item.{use.item}."
        case Whole() if use.kind == "key" and name.scope != "context":
            return f"reads `{name.scope}`, but the key is computed at the start, from variables only."
    return None


def _not_here(workflow: Definition, path: Path, field: str) -> str:
    """What is wrong with `state.<field>` where no state that is active has such a field (M13.1)."""
    here, _ = seen_at(workflow, path)
    told = f"reads state.{field}, which no state that is active here has."
    owners = [state.name for part in parts(workflow) for state in part.region.states if field in state.data]
    if owners:
        told += f" It belongs to {listed(map(repr, owners))}, and ends with that: keep what others need in a variable."
    return f"{told} Data here: {listed(here) or 'none'}.{did_you_mean(field, here)}"


def _written_variables(
    workflow: Definition, variables: Mapping[str, Variable], written: list[Write], report: Report
) -> None:
    for write in written:
        if write.variable.startswith(OF_STATE):
            field = write.variable.removeprefix(OF_STATE)
            _, here = seen_at(workflow, write.path)
            report(
                write.path,
                f"{write.what} writes {write.variable!r}, but neither the state that is active then nor one around it "
                f"has such a field (M13.1). Data there: {listed(here) or 'none'}.{did_you_mean(field, here)}",
            )
        elif write.variable not in variables:
            report(
                write.path,
                f"{write.what} writes {write.variable!r}, which is not a variable. "
                f"Variables: {listed(variables)}.{did_you_mean(write.variable, variables)}",
            )


def _types(
    workflow: Definition, variables: Mapping[str, Variable], found: list[Use], written: list[Write], report: Report
) -> None:
    """Operations and assignments that can never work because the declared types differ."""
    types = {name: variable.shape for name, variable in variables.items()}
    targets = {
        (*write.path[:-1], "value"): variables[write.variable]
        for write in written
        if write.value is not None and write.variable in variables
    }
    for use in found:
        payload = fields_at(workflow, use.path, use.event) if use.event is not None else None
        items = items_at(workflow, use.path) if use.item is not None else None
        for expression in expression_parts(use.tree):

            def complain(message: str, use: Use = use) -> None:
                report(use.path, f"{use.what}: {message}.")

            shape = static_shape(expression, types, payload, complain, items=items)
            kind = None if shape is None else shape.kind
            outermost = expression is use.tree
            if use.kind == "condition" and kind not in (None, ValueType.BOOLEAN):
                complain(f"a condition is true or false, and this is {_article(kind)}")
            elif use.kind == "deadline" and kind not in (None, ValueType.INTEGER, ValueType.NUMBER):
                complain(f"a duration is a number of seconds, and this is {_article(kind)}")
            elif use.kind == "deadline" and gives_duration(expression, types):
                complain('a duration is a number of seconds here, and this is in microseconds: `// duration("1s")`')
            elif use.kind == "moment" and kind not in (None, ValueType.TIMESTAMP):
                complain(f"this is due at a timestamp, and here is {_article(kind)}")
            elif use.kind == "items" and outermost and kind not in (None, ValueType.LIST):
                complain(f"the items are a list, and this is {_article(kind)}")
            target = targets.get(use.path)
            if target is not None and outermost and shape is not None:
                _assigned(target, shape, complain)
        _literal_value(use, targets.get(use.path), report)


def _literal_value(use: Use, target: Variable | None, report: Report) -> None:
    if any(True for _ in expression_parts(use.tree)):
        return
    if use.kind == "items":
        if _misfit(Variable(type=ValueType.LIST), evaluate_template(use.tree, {}, None, "")) is not None:
            report(use.path, f"{use.what}: the items are a list, or ${{an expression}} that gives one.")
    elif target is not None:
        reason = _misfit(target, evaluate_template(use.tree, {}, None, ""))
        if reason is not None:
            report(use.path, f"{use.what}: {reason}")


def _assigned(target: Variable, given: Shape, complain: Callable[[str], None]) -> None:
    if target.kind not in (ValueType.ANY, given.kind) and (target.kind, given.kind) != (
        ValueType.NUMBER,
        ValueType.INTEGER,
    ):
        complain(f"the variable is {_article(target.kind)}, and this is {_article(given.kind)}")
    elif (reason := never_fits(bare(target.shape), bare(given))) is not None:
        # A value outside a range is an error of the running instance (M10.2).
        complain(reason)


def _article(kind: ValueType | None) -> str:
    text = kind.value if kind is not None else "null"
    return f"{'an' if text[0] in 'aeio' else 'a'} {text}"
