"""What each key of the language means, in one line, and the rule of `docs/meaning.md` that says it exactly.

Types, defaults and allowed values stand in the classes of the elements; nothing of that is repeated here. A key that is
not listed has the rule of its element.
"""

from __future__ import annotations

from dataclasses import dataclass

from wfsim.model.elements import OF_VARIABLES


@dataclass(frozen=True, slots=True)
class Note:
    """One line on a key, and where it is meant exactly; either may be empty."""

    text: str = ""
    rule: str = ""


ELEMENTS: dict[str, tuple[str, str]] = {
    "Workflow": ("workflow", "M1"),
    "Variable": ("variables.<name>", "M10"),
    "Datum": ("states[].data.<name>", "M13.1"),
    "Event": ("events.<name>", "M7.1"),
    "FieldType": ("types.<name>", "M10.4"),
    "Activity": ("activities.<name>", "M5"),
    "Http": ("activities.<name>.http", "M5.7"),
    "Command": ("activities.<name>.command", "M5.7"),
    "Function": ("functions.<name>", "M14.1"),
    "RetryPolicy": ("retry_policy", "M5.1"),
    "Compensation": ("compensate_with", "M9.1"),
    "State": ("states[]", "M1.1"),
    "ActivityWork": ("states[].activity", "M4.1"),
    "Invoke": ("states[].invoke", "M4.4"),
    "ForEach": ("states[].for_each", "M4.5"),
    "Parallel": ("states[].parallel", "M4.3"),
    "Region": ("states[].parallel.regions[]", "M1.1"),
    "Transition": ("transitions[]", "M3.1"),
    "ActivityAction": ("action activity", "M3.1"),
    "SetVariableAction": ("action set_variable", "M3.3"),
    "Assignment": ("action set_variable.parameters", "M3.3"),
    "SendAction": ("action send", "M7.2"),
    "CompensateAction": ("action compensate", "M9.1"),
    "Timeouts": ("timeouts", "M1.5"),
    "Correlation": ("correlation", "M7.2"),
    "Schedule": ("schedules.<name>", ""),
}
"""Where each element stands in a file, in the order of a page about them, and its rule."""

_ANYWHERE = {
    "description": Note("What people should know of it."),
    "result_variable": Note("The variable that takes what it gives.", "M4.1"),
    "on_failure": Note("abort raises error, ignore records the failure and goes on.", "M3.4"),
    "action_type": Note("Which kind of action it is.", "M3.1"),
    "parameters": Note("What it is given, by name; ${…} is evaluated.", "M10.3"),
}

_NOTES: dict[str, dict[str, Note]] = {
    "Workflow": {
        "name": Note("By this name others start it and write to it."),
        "version": Note("Three numbers; every instance keeps to its own.", "M1.3"),
        "initial_state": Note("Where every instance begins."),
        "types": Note("Types by name: objects by their fields, texts and numbers of which more is said.", "M10.4"),
        "functions": Note("Functions in Python that expressions may call: functions.<name>(…).", "M14"),
        "variables": Note("What an instance knows, by name.", "M10"),
        "events": Note("What others may send, by name.", "M7.1"),
        "activities": Note("Work done by the surroundings, by name.", "M5"),
        "states": Note("Where an instance can be."),
        "transitions": Note("Ways from state to state, in the order in which they are tried.", "M2.3"),
        "timeouts": Note("The time of the whole workflow, and defaults.", "M1.5"),
        "retry_policy": Note("How activities without a policy of their own are retried, or the name of one.", "M1.5"),
        "unhandled": Note("What becomes of an event that no transition takes.", "M7.1"),
        "correlation": Note(
            "How senders of messages name an open instance, by key: an expression of variables.", "M7.2"
        ),
        "schedules": Note("When instances start by the clock, by name: every: 1d, or cron."),
        "pause_timers": Note("Whether timers run on while an instance is paused.", "M8"),
        "max_automatic": Note("So many automatic transitions one step may take.", "M2.6"),
        "max_deferred": Note("So many deferred events may wait.", "M7.1"),
    },
    "Variable": {
        "type": Note("The type of its values: of the language, or a name of types.", "M10.1"),
        "input": Note("Whether it is given at the start.", "M10.2"),
        "output": Note("Whether it is part of the result.", "M12"),
        "searchable": Note("Whether an engine finds instances by its value.", "M12"),
        "optional": Note("Whether it may be null.", "M10.1"),
        "initial": Note("Its value before anything sets it."),
        "values": Note("The only values that it may have.", "M10.2"),
        "minimum": Note("The least value that it may have.", "M10.2"),
        "maximum": Note("The greatest value that it may have.", "M10.2"),
        "items": Note("The type of the items of a list.", "M10.4"),
        "fields": Note("The fields of an object, with a type each.", "M10.4"),
        "pattern": Note(
            "What a text is like as a whole: characters, [a-z], each with ?, *, +, {n} (as [0-9]{4}).", "M10.4"
        ),
        "overflow": Note("What lies outside the bounds is an error, or becomes the bound.", "M10.2"),
        "transient": Note("Whether it lives for one step only.", "M13.4"),
    },
    "Event": {
        "payload": Note("What it brings, a type for each field: {amount: number}.", "M7.1"),
        "unhandled": Note("What becomes of it where no transition takes it.", "M7.1"),
        "starts": Note("Whether a message with it starts an instance that is not there yet.", "M7.2"),
        "time_to_live": Note("How long a message with it waits for its receiver.", "M7.2"),
    },
    "FieldType": {
        "type": Note("The type of the values: of the language, or a name of types.", "M10.4"),
        "optional": Note("Whether it may be left out.", "M10.4"),
        "values": Note("The only values that there are.", "M10.4"),
        "minimum": Note("The least value that there is.", "M10.4"),
        "maximum": Note("The greatest value that there is.", "M10.4"),
        "items": Note("The type of the items of a list.", "M10.4"),
        "fields": Note("The fields of an object, with a type each.", "M10.4"),
        "pattern": Note(
            "What a text is like as a whole: characters, [a-z], each with ?, *, +, {n} (as [0-9]{4}).", "M10.4"
        ),
    },
    "Activity": {
        "version": Note("Its version: each instance keeps to those of its start.", "M5.6"),
        "timeout": Note("How long one attempt may take (start to close).", "M5.3"),
        "schedule_to_start": Note("How long an attempt may wait for a worker.", "M5.3"),
        "schedule_to_close": Note("How long all attempts and waits may take together.", "M5.3"),
        "heartbeat": Note("How often a worker must show that it is alive.", "M5.3"),
        "retry_policy": Note(
            "How it is tried again: max_attempts, initial_interval, …; or the name of a policy.", "M5.1"
        ),
        "input": Note("What it takes, with a type each: {phone: string}; its parameters are held against it.", "M10.4"),
        "result": Note("What it gives, as a type; a result that does not fit fails it.", "M4.1"),
        "compensate_with": Note("The activity that undoes it.", "M9.1"),
        "settled_by": Note(
            "Activities each of which undoes, or uses up, what it did; asked by lint and settled.", "M9.3"
        ),
        "pool": Note("The pool of workers that serves it.", "M5.1"),
        "http": Note("The request that carries it out.", "M5.7"),
        "command": Note("The command that carries it out: its arguments as a list, or `run` and more.", "M5.7"),
    },
    "Http": {
        "method": Note("The method of the request."),
        "url": Note("Where it goes; ${input.…} after the host is percent-encoded, or the whole is one ${…}."),
        "query": Note("What follows ? in the address, by name; null is left out, a list is repeated."),
        "headers": Note("Headers by name; ${secrets.<name>} may stand here, in query and in body."),
        "body": Note("What is sent: as JSON, as a form, or a text as it is, as Content-Type says."),
        "expect": Note("Statuses that are no error: numbers, and hundreds such as 2xx."),
        "result": Note("What the activity gives, of response.status, response.headers and response.body."),
        "errors": Note("The error types of statuses: {Card.Declined: 402, Bank: 5xx}; Http.<status>, if left out."),
        "timeout": Note("How long it may take until the whole answer is there; then Http.timeout."),
        "redirects": Note("How many redirects are followed."),
        "max_bytes": Note("How long an answer may be; a longer one is Http.size."),
    },
    "Command": {
        "run": Note("The program, written out, and its arguments; there is no shell."),
        "stdin": Note("What it reads: a text as it is, anything else as JSON."),
        "directory": Note("Where it runs: a path from / on; an empty one of its own, if it is left out."),
        "environment": Note("The variables of its environment, by name; nothing else is in it but PATH and a key."),
        "expect": Note("Exit statuses that are no error."),
        "errors": Note("The error types of exit statuses: {Tar.Broken: 2}; Command.<status>, if left out."),
        "timeout": Note("How long it may run; then it is killed, and Command.timeout."),
        "max_bytes": Note("How much it may write; beyond that it is killed, and Command.size."),
    },
    "Function": {
        "input": Note("What it takes, with a type each, in the order of its arguments: {amount: number}.", "M14.2"),
        "result": Note("What it gives, as a type; anything else is Expression.function.", "M14.4"),
    },
    "RetryPolicy": {
        "errors": Note("Types of errors that it is for, or their prefixes; all, if it is left out.", "M5.2"),
        "max_attempts": Note("How often it is tried in all; the first counts.", "M5.1"),
        "initial_interval": Note("The first wait.", "M5.1"),
        "max_interval": Note("The longest wait; 1m, or initial_interval where that is longer, if left out.", "M5.1"),
        "backoff_coefficient": Note("By how much each wait is longer than the one before.", "M5.1"),
        "jitter": Note("Up to which part of it a wait is shortened by chance.", "M5.1"),
        "non_retryable_errors": Note("Types of errors after which it is not tried again, or their prefixes.", "M5.2"),
    },
    "Compensation": {
        "activity": Note("The activity that undoes it.", "M9.1"),
        "when": Note("Whether there is something to undo once it is completed, or once it was tried.", "M9.1"),
    },
    "State": {
        "name": Note("Its name, once in its region."),
        "is_terminal": Note("Whether its region ends here.", "M3.7"),
        "outcome": Note("Whether ending here is a success; success unless told otherwise.", "M1.4"),
        "data": Note("What it knows while it is active, by name: {reason: string}; read as state.reason.", "M13.1"),
        "timeout": Note("How long it may be active: 5m, 2d, or ${expression}; then comes the event timeout.", "M6.2"),
        "activity": Note("The activity that it runs: a name, or name, parameters, result_variable.", "M4.1"),
        "invoke": Note("The workflow that it runs: workflow, version, input, result_variable.", "M4.4"),
        "for_each": Note("What it runs for each item of a list: items, as, activity or workflow.", "M4.5"),
        "parallel": Note("Regions that run side by side in it: join (all, any, or a number), regions.", "M4.3"),
        "entry_actions": Note("What is done whenever it is entered: a list of set_variable, send.", "M3.9"),
        "exit_actions": Note("What is done whenever it is left: a list of set_variable, send.", "M3.9"),
        "metadata": Note("Anything that others keep here; it means nothing."),
    },
    "ActivityWork": {"name": Note("Which activity it runs.", "M4.1")},
    "Invoke": {
        "workflow": Note("Which workflow it runs.", "M4.4"),
        "version": Note("Which versions will do; the newest of them is taken.", "M4.4"),
        "input": Note("Its input variables.", "M10.3"),
        "compensate_with": Note("The activity that undoes what the child has done.", "M9.1"),
        "parent_close": Note("What becomes of the child when nobody waits for it any more.", "M4.4"),
    },
    "ForEach": {
        "items": Note("The list that is gone through.", "M4.5"),
        "as": Note("Under which name parameters read the item: ${item.<name>}.", "M4.5"),
        "activity": Note("The activity that runs for each item.", "M4.5"),
        "workflow": Note("The workflow that runs for each item.", "M4.5"),
        "version": Note("Which versions of the workflow will do.", "M4.4"),
        "max_parallel": Note("How many items run at once; all, if it is left out.", "M4.5"),
        "tolerated_failures": Note("How many items may fail: a number, or a share such as 5%.", "M4.5"),
        "on_failure": Note("The first failure ends the others, or all results are collected.", "M4.5"),
    },
    "Parallel": {
        "join": Note("How many regions must end with success.", "M4.3"),
        "regions": Note("What runs side by side.", "M4.3"),
    },
    "Region": {
        "name": Note("Its name, once in its state."),
        "initial_state": Note("Where it begins.", "M4.3"),
        "states": Note("Its states."),
        "transitions": Note("Its transitions; none crosses its border.", "M1.1"),
    },
    "Transition": {
        "from": Note("The state that it leaves, or several: one transition from each, in this order.", "M1.1"),
        "to": Note("The state that it enters; without it nothing is left.", "M3.6"),
        "event": Note("The event that it takes: one of yours, or done, error, error.<source>, timeout.", "M2.3"),
        "after": Note("How long after its state was entered it is taken: 2h, or ${expression}.", "M6.2"),
        "at": Note("A point in time at which it is taken: 2026-11-30T09:00:00Z, or ${expression}.", "M6.5"),
        "condition": Note(
            "What must be true: context.n < 3 and event.ok; alone, it is taken as soon as that is.", "M2.6"
        ),
        "pre_actions": Note(
            "What is done before the state is left: a list of activity, set_variable, send, compensate.", "M3.1"
        ),
        "post_actions": Note("What is done after the next one was entered.", "M3.1"),
    },
    "ActivityAction": {"name": Note("Which activity it runs.", "M3.1")},
    "SetVariableAction": {
        "name": Note("What it is called in records."),
        "parameters": Note("Which variable, and its value.", "M3.3"),
    },
    "Assignment": {
        "name": Note("The variable.", "M3.3"),
        "value": Note("Its value; ${…} is evaluated.", "M3.3"),
    },
    "SendAction": {
        "name": Note("What it is called in records."),
        "event": Note("The event that is sent.", "M7.2"),
        "to": Note("self, parent, the id of an instance, or {workflow: …, key: …}.", "M7.2"),
        "payload": Note("What it brings, by field; ${…} is evaluated.", "M7.2"),
    },
    "CompensateAction": {
        "name": Note("What it is called in records."),
        "scope": Note("The state or region whose work is undone; all, if it is left out.", "M9.1"),
    },
    "Timeouts": {
        "workflow": Note("How long an instance may take, from its start.", "M6.4"),
        "activity": Note("The timeout of activities without one.", "M1.5"),
        "states": Note("Timeouts of states, by name.", "M1.5"),
    },
    "Correlation": {"key": Note("The expression that identifies an open instance.", "M7.2")},
    "Schedule": {
        "every": Note("How often it starts, counted from 1970."),
        "offset": Note("By how much every is shifted."),
        "cron": Note("Minute, hour, day of the month, month, day of the week."),
        "time_zone": Note("In which time zone cron is meant."),
        "overlap": Note("What happens while the last start is still open."),
        "missed": Note("What becomes of times at which nothing ran."),
        "input": Note("The input of what is started."),
    },
}

# A field of a state is a variable, without what is for the whole instance.
_NOTES["Datum"] = {key: told for key, told in _NOTES["Variable"].items() if key not in OF_VARIABLES}


def note(element: str, key: str) -> Note:
    """What is known of a key of an element, by the name of its class; the rule of the element where it has none."""
    found = _NOTES.get(element, {}).get(key) or _ANYWHERE.get(key) or Note()
    return Note(found.text, found.rule or ELEMENTS.get(element, ("", ""))[1])


def noted() -> set[tuple[str, str]]:
    """The keys that have a line of their own."""
    return {(element, key) for element, keys in _NOTES.items() for key in keys}
