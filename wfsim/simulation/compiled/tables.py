"""The programs of a run and their scenario as tables for the compiled calendar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate, chain, repeat
from typing import Any

import numpy as np

from wfsim.errors import WfsimError
from wfsim.model.declared import FieldType
from wfsim.model.evaluate import fit
from wfsim.model.retrying import policy_of
from wfsim.model.shapes import Shape
from wfsim.model.shapes import fitted as fit_shape
from wfsim.model.statuses import STATUSES
from wfsim.model.values import EvaluationFault, ValueType
from wfsim.semantics import dtypes
from wfsim.semantics.arrays import to_array
from wfsim.semantics.codes import ABSENT, FIRST_REGION, INTEGER, KNOWN_TEXTS, LIST, NONE, NULL, NUMBER, STRING
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import Cell, Queued
from wfsim.semantics.rows import RESULT
from wfsim.semantics.stimulus import child_error
from wfsim.simulation import sampling
from wfsim.simulation.arriving import ArrivalStream
from wfsim.simulation.compiled import layout
from wfsim.simulation.compiled.areas import ME, REGION, TIMER
from wfsim.simulation.compiled.arrivals import SUPPLIED
from wfsim.simulation.compiled.draws import CHOICE, CONSTANT, REAL, UNIQUE, UNIQUE_WHOLE, WHOLE
from wfsim.simulation.distributions import Draw, all_unique, as_draw, made_unique
from wfsim.simulation.mail import writes, writes_by_id
from wfsim.simulation.plans import EventDraws, Member, ValuePlan, Work, choices, kept_in
from wfsim.simulation.relations import ENDLESS_FAMILY, FIRST_CHILD
from wfsim.simulation.scenario import Scenario

REASONS = len(KNOWN_TEXTS)
"""Why events are rejected are texts that every table knows."""


class _AsksPython(WfsimError):
    """A value that takes Python to make: an expression, or one that does not fit as it is."""


class Tables:
    """Rows of `Known`, as they are collected.

    Attributes
    ----------
    uniques
        For each text or list that every arrival has of its own, what makes those of their numbers.
    writes
        Whether any instance writes to others.
    """

    def __init__(self, members: list[Member], scenario: Scenario, replication: int) -> None:
        self.members = members
        self.scenario = scenario
        self.replication = replication
        self.laws: list[tuple[Any, ...]] = []
        self.values: list[tuple[Any, ...]] = []
        self.cells: list[Cell] = []
        self.numbers: list[float] = []
        self.uniques: list[Callable[[Sequence[int]], list[Any]]] = []
        self.windows: list[tuple[Any, ...]] = []
        self.pools = scenario.workers(replication)
        self.lines: dict[tuple[str, int], int] = {}
        self.skills: list[int] = []
        self.calls: list[int] = []
        self.times: list[int] = []
        self.schedules: list[tuple[int, int, int]] = []
        self.places: list[int] = []
        # By member, its first name.
        self.first_names = list(accumulate((len(member.names.keys) for member in members), initial=0))
        programs = [member.program for member in members]
        self.writes, self.by_id = any(map(writes, programs)), any(map(writes_by_id, programs))

    # --- laws and values -------------------------------------------------------------------------

    def law(self, law: sampling.Law) -> int:
        """The number of a law."""
        values = [float(self.law(part)) for part in law.parts] or law.values
        first = len(self.numbers)
        self.numbers += [*values, *law.edges]
        self.laws.append((int(law.family), first, len(values), law.a, law.b, law.c))
        return len(self.laws) - 1

    def _together(self, add: Callable[[], None]) -> tuple[int, int, int]:
        """Where values that belong together begin and end, and whether Python has to make them instead."""
        first, uniques = len(self.values), len(self.uniques)
        try:
            add()
        except _AsksPython:
            del self.values[first:], self.uniques[uniques:]
            return first, first, 1
        return first, len(self.values), 0

    def _cell(self, member: Member, value: Any) -> int:
        cell = Cell()
        member.texts.encode(value, cell)
        self.cells.append(cell)
        return len(self.cells) - 1

    def value(
        self, member: Member, plan: ValuePlan, place: int, declared: ValueType, fitted: Any, is_checked: bool = False
    ) -> None:
        """Add a value; `fitted` checks and fits one as the door of an instance does.

        A number that is drawn need not fit where it is checked once it is drawn.
        """
        draw = as_draw(plan.value) if not plan.unique else None
        kind, law, first, n, low, high, tag, checked = CONSTANT, 0, 0, 0, 0, 0, INTEGER, 0
        if plan.unique:
            base = plan.value
            if isinstance(base, (str, list, tuple)) and fitted(made_unique(base, 1)) == made_unique(base, 1):
                kind, first, tag = UNIQUE, len(self.uniques), STRING if isinstance(base, str) else LIST
                self.uniques.append(partial(all_unique, base))
            elif (
                isinstance(base, int) and not isinstance(base, bool) and declared in (ValueType.INTEGER, ValueType.ANY)
            ):
                kind, low = UNIQUE_WHOLE, base
            else:
                raise _AsksPython
        elif plan.template is not None:
            raise _AsksPython
        elif draw is None:
            first = self._cell(member, fitted(plan.value))
        else:
            kind, law, first, n, low, high, tag, checked = self._drawn(member, draw, declared, fitted)
            if checked and not is_checked:
                raise _AsksPython
        self.values.append((plan.name_key, low, high, kind, place, law, first, n, tag, checked))

    def _drawn(self, member: Member, draw: Draw, declared: ValueType, fitted: Any) -> tuple[int, ...]:
        real = declared is ValueType.NUMBER
        if draw.choice is not None:
            values, edges = choices(draw.choice, draw.weights)
            law, first = len(self.numbers), len(self.cells)
            self.numbers += edges
            for value in values:
                self._cell(member, fitted(value))
            return CHOICE, law, first, len(values), 0, 0, INTEGER, 0
        drawn = (
            sampling.lognormal(*draw.lognormal) if draw.lognormal else sampling.uniform(*(draw.number or (0.0, 1.0)))
        )
        # What lies between two ends that fit fits as well.
        checked = int(
            not all(_stays(end, fitted) for end in draw.integer or (drawn.sample(0.0), drawn.sample(1.0 - 2.0**-53)))
        )
        if draw.integer is not None:
            low, high = draw.integer
            return WHOLE, 0, 0, 0, low, high, NUMBER if real else INTEGER, checked
        return REAL, self.law(drawn), 0, 0, 0, 0, NUMBER, checked

    # --- plans -----------------------------------------------------------------------------------

    def _inputs(self, member: Member, stream: ArrivalStream) -> None:
        """The values that an instance starts with, but for those that a trace or a schedule gives."""
        program, given, uniques = member.program, stream.inputs, len(self.uniques)
        names = list(program.variables)
        for name, plan in given.items():
            variable = program.variables.get(name)
            if variable is None or not variable.input:
                raise _AsksPython
            _all_fit(plan, variable.shape)

            def fitted(value: Any, variable: Any = variable) -> Any:
                try:
                    return fit(variable, value)
                except EvaluationFault:
                    raise _AsksPython from None

            self.value(member, plan, names.index(name), variable.kind, fitted, is_checked=True)
        for name, variable in program.variables.items():
            needed = variable.input and variable.initial is None and not variable.optional
            if needed and name not in given and not is_supplied(stream):
                raise _AsksPython
        if len(self.uniques) > uniques and not is_orderly(stream):
            raise _AsksPython

    def _payload(self, member: Member, planned: EventDraws, which: int) -> None:
        """The values of an event."""
        program, name, given = member.program, planned.plans[which].event, planned.payloads[which]
        event = program.events.get(name)
        if event is None:
            raise _AsksPython
        places = program.event_fields[name]
        missing = [name for name, field in event.payload.items() if not field.optional and name not in given]
        unknown = [name for name in given if name not in places or (event.payload and name not in event.payload)]
        if missing or unknown:
            raise _AsksPython
        for field_name, value in given.items():
            field = event.payload.get(field_name, FieldType(optional=True))
            _all_fit(value, field.shape)
            self.value(member, value, places[field_name], field.kind, _field(field), is_checked=True)

    def states(self) -> tuple[list[tuple[int, ...]], list[tuple[Any, ...]]]:
        """By row the event plans of each state and its name, and the plans."""
        states, plans = list[tuple[int, ...]](), list[tuple[Any, ...]]()
        for member, first_name in zip(self.members, self.first_names):
            program, first_row = member.program, len(states)
            states += [(0, 0, 0, first_name)] * len(program.rows)
            for row, name in member.names.states.items():
                states[first_row + row] = (0, 0, 0, first_name + name)
            for row, planned in member.events.items():
                is_race = bool(planned.name_keys)
                states[first_row + row] = (len(plans), len(planned.plans), int(is_race), states[first_row + row][-1])
                for which, plan in enumerate(planned.plans):
                    values = self._together(partial(self._payload, member, planned, which))
                    law = self.law(planned.delays[which])
                    name_key = planned.name_keys[which] if is_race else 0
                    event = program.event_rows.get(plan.event, NONE)
                    checked = any(value[-1] for value in self.values[values[0] : values[1]])
                    plans.append((event, law, *values, int(checked), planned.edges[which], name_key))
        return states, plans

    def works(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """By row the plan of each activity, and how attempts fail."""
        works, failures = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
        for member, first_name in zip(self.members, self.first_names):
            first_row = len(works)
            works += [(NONE, 0, 0, NONE, 0, 0, 0, NONE, 0, NONE, 0, 0, 0, 0, 0.0, 0.0, 0)] * len(member.program.rows)
            for row, work in member.works.items():
                works[first_row + row] = (*self._work(member, row, work, failures), len(self.calls))
                self.calls += [
                    first_name + member.names.calls.get((region, row, undoes), 0)
                    for region in member.program.region_rows.values()
                    for undoes in (False, True)
                ]
        return works, failures

    def _names(self) -> list[tuple[int, int]]:
        """Under what is drawn: keys, and the rows of what is run."""
        names, first_row = list[tuple[int, int]](), 0
        for member in self.members:
            runs = (NONE if row < 0 else first_row + row for row in member.names.runs)
            names += zip(member.names.keys, runs)
            first_row += len(member.program.rows)
        return names

    def _work(self, member: Member, row: int, work: Work, failures: list[tuple[Any, ...]]) -> tuple[Any, ...]:
        first, result, asks = len(failures), NONE, 0
        tried = member.program.retry_policies(row)
        edges, waits = chain(work.edges[:-1], repeat(work.edges[-1])), chain(work.retry_after, repeat(None))
        for error_type, edge, wait in zip(work.error_types, edges, waits):
            after = NONE if wait is None else wait
            failures.append((member.texts.handle(error_type), policy_of(tried, error_type), after, edge))
        windows = self._windows(work)
        plan = work.result
        if plan is not None:
            add = partial(self.value, member, plan, RESULT, ValueType.ANY, lambda value: value)
            result, _, asks = self._together(add)
            result = NONE if asks else result
        name, pool, line, by = work.pool_name, NONE, NONE, NONE
        if name in self.pools:
            shared_by = self.pools[name].by
            by = NONE if shared_by is None else list(member.program.variables).index(shared_by)
            pool = list(self.pools).index(name)
            line = self.lines[name, self.pools[name].needs(work.plan.skills)]
        law = self.law(work.duration)
        n_failures, limit = len(work.plan.failures), NONE if work.limit is None else work.limit
        shares = work.edges[-1], work.plan.twice
        asked = pool, work.plan.priority
        return limit, work.step, line, by, law, first, n_failures, *asked, result, asks, *windows, *shares

    def _keeps(self) -> list[tuple[int, ...]]:
        """In which states of which workflow workers of which pool stay with a case."""
        rows, first_row = list[tuple[int, ...]](), 0
        for member in self.members:
            for number, pool in enumerate(self.pools.values()):
                rows += [(number, first_row, *each) for each in kept_in(member.program, pool)]
            first_row += len(member.program.rows)
        return rows

    def _needed(self) -> list[list[int]]:
        """By pool: the skills that attempts ask for, each a line of its own, which it is given."""
        needed: dict[str, list[int]] = {name: [] for name in self.pools}
        for member in self.members:
            for work in member.works.values():
                if work.pool_name in self.pools:
                    needs = self.pools[work.pool_name].needs(work.plan.skills)
                    if needs not in needed[work.pool_name]:
                        needed[work.pool_name].append(needs)
        for name, each in needed.items():
            for needs in each:
                self.lines[name, needs] = len(self.lines)
        return list(needed.values())

    def _windows(self, work: Work) -> tuple[int, int, int]:
        """Where the windows of an activity begin, how many are outages, and how many slow times."""
        first, plan = len(self.windows), work.plan
        for which, outage in enumerate(plan.outages):
            law = NONE if outage.hangs else self.law(work.fails_after[which])
            self.windows.append((*outage.span, law, work.first_outage + which, 1.0))
        self.windows += [(*slow.span, NONE, NONE, slow.factor) for slow in plan.slow]
        return first, len(plan.outages), len(plan.slow)

    def _pools(self) -> list[tuple[int, ...]]:
        """The plan of each pool; lines and workers are those before it."""
        rows, end_line = list[tuple[int, ...]](), 0
        for pool, needed in zip(self.pools.values(), self._needed()):
            patience = NONE if pool.patience is None else self.law(pool.patience)
            limit = NONE if pool.queue_limit is None else pool.queue_limit
            first_line, end_line = end_line, end_line + len(needed)
            key, first_worker, breaks = 0, NONE, (NONE, NONE, 0, 0)
            if pool.crew is not None:
                first_worker = len(self.skills)
                self.skills += pool.crew.skills
                known = pool.crew.breakdowns
                if known is not None:
                    key = known.key
                    breaks = self.law(known.every), self.law(known.repair), int(known.always), int(known.fails)
            bucket = pool.bucket
            flow = (0, 0, 0) if bucket is None else (bucket.number, bucket.unit, bucket.ahead)
            people = first_line, end_line, first_worker
            kept = layout.KEEPS_NOBODY if pool.kept is None else layout.KEEPS_ALWAYS
            kept = layout.KEEPS_IN_STATES if pool.kept else kept
            rows.append((key, *flow, pool.most, int(pool.discipline), limit, patience, *people, *breaks, kept))
        return rows

    # --- all together ----------------------------------------------------------------------------

    def _streams(self, streams: list[ArrivalStream]) -> list[tuple[Any, ...]]:
        """The arrivals from outside; what schedules and times say of them goes where these are."""
        rows, n_coming, n_given = list[tuple[Any, ...]](), 0, 0
        numbers = {id(member): number for number, member in enumerate(self.members)}
        named = self.writes or any(member.children for member in self.members)
        for stream in streams:
            arrivals, member, supplied = stream.arrivals, stream.member, is_supplied(stream)
            drawn, sizes, pace = arrivals.interval(), arrivals.sizes(), arrivals.pace()
            first_unique, first_time, first_schedule = len(self.uniques), len(self.times), len(self.schedules)
            values = self._together(partial(self._inputs, member, stream))
            names = len(self.uniques) if named and is_orderly(stream) else NONE
            if names >= 0:
                self.uniques.append(partial(_names_of, stream))
            self.times += sorted(map(int, arrivals.at or ()))
            changes = (0, 0, 0.0, 0.0)
            if pace is not None:
                changes = len(self.numbers), len(pace.begins), pace.total, pace.period
                self.numbers += [*pace.begins, *pace.sums, *pace.rates]
            for name in arrivals.schedules or ():
                schedule = member.program.workflow.schedules[name]
                cells, bad = given_cells(stream, schedule.input)
                self.schedules.append((_OVERLAPS.get(schedule.overlap, layout.STARTS_ALL), len(self.cells), int(bad)))
                self.cells += cells
            first_place = len(self.places)
            self.places += input_places(member)
            n_places = len(self.places) - first_place
            limit = NONE if stream.limit is None else stream.limit
            law = NONE if drawn is None else self.law(drawn)
            batch = NONE if sizes is None else self.law(sizes)
            think = self.law(stream.think) if stream.population else NONE
            rows.append(
                (
                    *(stream.key, limit, len(self.times) - first_time, first_time),
                    *(numbers[id(member)], law, batch, *changes[:2], *values, stream.population, think, names),
                    *(len(self.uniques) - first_unique, first_unique, int(supplied), n_coming, n_given),
                    *(first_place, n_places, first_schedule, len(self.schedules), *changes[2:]),
                )
            )
            if supplied:
                n_coming += 2 * SUPPLIED
                n_given += 2 * SUPPLIED * n_places
        return rows

    def _children(self) -> list[int]:
        """By row of a workflow that is run: the number of its member."""
        children, numbers = list[int](), {id(member): number for number, member in enumerate(self.members)}
        for member in self.members:
            first_row = len(children)
            children += [NONE] * len(member.program.rows)
            for row, child in member.children.items():
                children[first_row + row] = numbers[id(child)]
        return children

    def _sends(self) -> list[int]:
        """By row of an event that is written to a key, the name of what it may start."""
        sends = list[int]()
        for member, first_name in zip(self.members, self.first_names):
            first_row = len(sends)
            sends += [NONE] * len(member.program.rows)
            for row, name in member.names.sends.items():
                sends[first_row + row] = first_name + name
        return sends

    def _events(self) -> list[tuple[int, int, int]]:
        """What each workflow declares of its events, in the order of their rows."""
        rows = list[tuple[int, int, int]]()
        for member in self.members:
            for name in member.program.event_rows:
                event = member.program.events.get(name)
                rows.append((int(event.time_to_live), event.starts, bool(event.payload)) if event else (0, 0, 0))
        return rows

    def known(self, streams: list[ArrivalStream], most_steps: int, most: tuple[int, int, int]) -> layout.Known:
        """All that is given; `most` is how deep instances start each other, how many, and how many come at once."""
        scenario, handle = self.scenario, self.members[0].texts.handle
        arriving = self._streams(streams)
        states, plans = self.states()
        pools, keeps = self._pools(), self._keeps()
        works, failures = self.works()
        members: list[tuple[Any, ...]] = []
        programs, rows, cells, n_events = list[Any](), list[Any](), list[Cell](), 0
        for member, first_name in zip(self.members, self.first_names):
            head, fresh = member.program.head, Instance(member.program, texts=member.texts)
            base = 1 + head.first_queued - FIRST_REGION
            front = head.inbox_cells + head.n_fields
            words = ME + REGION * head.n_regions + TIMER * head.n_timers
            # Whole lines of the cache.
            words = -(-(words + 2 * (head.n_variables + (head.key_cell >= 0))) // 8) * 8
            sizes = base, head.inbox_cells, words, head.n_fields, front, head.n_regions, head.n_timers
            plan = (head.root, member.plan.patience, len(rows), len(cells))
            outputs = [name for name, variable in member.program.variables.items() if variable.output]
            called = handle(member.program.workflow.name)
            told = called, handle(outputs) if outputs else NONE, member.program.key_code
            members.append((len(programs), *sizes, *plan, *told, first_name, len(member.names.keys), n_events))
            n_events += len(member.program.event_rows)
            programs += member.program.rows
            rows += fresh.m
            cells += fresh.v
        settings = np.zeros(1, layout.SETTINGS)
        for name, number in {
            "seed": scenario.seed,
            "replication": self.replication,
            "horizon": NONE if scenario.horizon is None else int(scenario.horizon),
            "most_steps": most_steps,
            "timer_poll": int(scenario.timer_poll or 0),
            "n_streams": len(streams),
            "n_pools": len(self.pools),
            "n_lines": len(self.lines),
            "n_keeping": sum(pool.kept is not None for pool in self.pools.values()),
            "n_keeps": len(keeps),
            "n_shared": sum(pool.by is not None for pool in self.pools.values()),
            "n_reasons": REASONS,
            "first_child": FIRST_CHILD,
            "writes": int(self.writes),
            "most_depth": most[0],
            "most_relatives": most[1],
            "most_at_once": most[2],
            "parent": handle("parent"),
            "n_members": len(self.members),
            "by_id": int(self.by_id),
            "no_parent": handle("it has no parent"),
            "no_instance": handle("no_instance"),
            "expired": handle("expired"),
            "no_more": handle(ENDLESS_FAMILY),
        }.items():
            settings[name] = number
        return layout.with_table(
            layout.Known,
            {
                "p": to_array(programs, dtypes.PROGRAM),
                "m": to_array(rows, dtypes.MEMORY),
                "v": to_array(cells or [Cell()], dtypes.CELL),
                "box": to_array([Queued()], dtypes.MEMORY),
                "settings": settings,
                "members": _table(members, layout.MEMBER),
                "states": _table(states, layout.STATE_PLAN),
                "names": _table(self._names(), layout.NAME),
                "calls": np.array(self.calls or [0], np.int32),
                "plans": _table(plans, layout.EVENT_PLAN, "event law first_value end_value asks checked edge name_key"),
                "works": _table(
                    works,
                    layout.WORK_PLAN,
                    "limit step line by law first_failure n_failures pool priority result asks first_window n_outages "
                    "n_slow ends_ever twice calls",
                ),
                "windows": _table(self.windows, layout.WINDOW, "begin end period law failure factor"),
                "events": _table(self._events(), layout.EVENT),
                "sends": np.array(self._sends(), np.int32),
                "failures": _table(failures, layout.FAILURE, "error_type policy retry_after edge"),
                "pools": _table(pools, layout.POOL),
                "lines": _table(((needs,) for _, needs in self.lines), layout.LINE),
                "keeps": _table(keeps, layout.KEEP),
                "skills": np.array(self.skills or [0], np.int64),
                "laws": _table(self.laws, layout.LAW, "family first n a b c"),
                "values": _table(self.values, layout.VALUE, "name_key low high kind place law first n tag checked"),
                "cells": to_array(self.cells or [Cell()], dtypes.CELL),
                "numbers": np.array([*self.numbers, 0.0]),
                "times": np.array([*self.times, 0], np.int64),
                "streams": _table(
                    arriving,
                    layout.STREAM,
                    "key limit n_times first_time member interval batch first_piece n_pieces first_input end_input "
                    "asks population think names n_uniques first_unique supplied first_coming first_given first_place "
                    "n_places first_schedule end_schedule total period",
                ),
                "schedules": _table(self.schedules, layout.SCHEDULE),
                "places": np.array(self.places or [0], np.int32),
                "children": np.array(self._children(), np.int64),
                "endings": np.array([handle(child_error(status)) for status in STATUSES], np.int64),
            },
        )


def is_supplied(stream: ArrivalStream) -> bool:
    """Whether Python supplies when instances come."""
    return stream.arrivals.trace is not None or stream.arrivals.schedules is not None


def is_orderly(stream: ArrivalStream) -> bool:
    """Whether instances come in the order of their numbers."""
    return not stream.population and stream.arrivals.schedules is None


def input_places(member: Member) -> list[int]:
    """Which variables are inputs."""
    return [place for place, variable in enumerate(member.program.variables.values()) if variable.input]


def given_cells(stream: ArrivalStream, inputs: Mapping[str, Any]) -> tuple[list[Cell], bool]:
    """What comes with an arrival: a cell for each input, absent where it is not given; and whether it is refused.

    So it is where a value does not fit, belongs to no input, or lacks, here and in what the scenario gives.
    """
    member, cells, bad = stream.member, list[Cell](), False
    accepted = member.program.inputs
    for name, variable in accepted.items():
        cell = Cell(tag=ABSENT)
        if name in inputs:
            try:
                member.texts.encode(fit(variable, inputs[name]), cell)
            except EvaluationFault:
                bad = True
        needed = variable.initial is None and not variable.optional
        bad = bad or (needed and cell.tag in (ABSENT, NULL) and (name in inputs or name not in stream.inputs))
        cells.append(cell)
    return cells, bad or not inputs.keys() <= accepted.keys()


def _names_of(stream: ArrivalStream, numbers: Sequence[int]) -> list[str]:
    return list(map(stream.name, numbers))


_OVERLAPS = {"skip": layout.SKIPS, "queue": layout.QUEUES}


def _all_fit(plan: ValuePlan, shape: Shape) -> None:
    """That each value of a plan fits if the ends fit, which is all that is looked at; else Python is asked."""
    draw = None if plan.unique else as_draw(plan.value)
    bounded = shape.minimum is not None or shape.maximum is not None or shape.values is not None or shape.deep
    if (draw is not None and draw.choice is None and shape.values is not None) or (plan.unique and bounded):
        raise _AsksPython


def _stays(value: Any, fitted: Callable[[Any], Any]) -> bool:
    """Whether a value fits as it is."""
    try:
        return bool(fitted(value) == value)
    except _AsksPython:
        return False


def _field(field: FieldType) -> Callable[[Any], Any]:
    def fitted(value: Any) -> Any:
        if value is None:
            if not field.optional:
                raise _AsksPython
            return None
        try:
            return value if field.kind is ValueType.ANY else fit_shape(field.shape, value)
        except EvaluationFault:
            raise _AsksPython from None

    return fitted


def _table(rows: Iterable[tuple[Any, ...]], dtype: np.dtype[Any], names: str = "") -> np.ndarray[Any, Any]:
    """Rows as an array of at least one; their fields in the order of the names, or of the type."""
    listed = list(rows)
    order = names.split() or list(dtype.names or ())
    table = np.zeros(max(1, len(listed)), dtype)
    for k, name in enumerate(order):
        if listed:
            table[name] = [row[k] for row in listed]
    return table
