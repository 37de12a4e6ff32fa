"""A program and its scenario as tables for the compiled calendar; and what it does not cover."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from wfsim.errors import NotCovered
from wfsim.model.elements import FieldType
from wfsim.model.evaluate import fit
from wfsim.model.values import EvaluationFault, ValueType, coerce
from wfsim.semantics import speed
from wfsim.semantics.arrays import to_array
from wfsim.semantics.codes import FREE, INTEGER, KNOWN_TEXTS, NONE, NUMBER, STRING
from wfsim.semantics.instance import Instance
from wfsim.semantics.layout import Cell, Queued
from wfsim.semantics.rows import RESULT
from wfsim.semantics.snapshot import add_spare_rows
from wfsim.simulation import sampling
from wfsim.simulation.compiled import layout
from wfsim.simulation.compiled.draws import CHOICE, CONSTANT, REAL, UNIQUE_TEXT, UNIQUE_WHOLE, WHOLE
from wfsim.simulation.distributions import Draw, as_draw
from wfsim.simulation.mail import uses_mail
from wfsim.simulation.plans import Member, ValuePlan, choices
from wfsim.simulation.scenario import Scenario

REASONS = len(KNOWN_TEXTS)
"""Why events are rejected are texts that every table knows."""


class Tables:
    """Rows of `Known`, as they are collected.

    Attributes
    ----------
    uniques
        For each input that is a text of its own for every arrival, what it begins with.
    """

    def __init__(self, member: Member, scenario: Scenario, run_key: int, replication: int) -> None:
        self.member = member
        self.program = member.program
        self.scenario = scenario
        self.run_key = run_key
        self.replication = replication
        self.laws: list[tuple[Any, ...]] = []
        self.values: list[tuple[Any, ...]] = []
        self.cells: list[Cell] = []
        self.numbers: list[float] = []
        self.uniques: list[str] = []

    # --- laws and values -------------------------------------------------------------------------

    def law(self, law: sampling.Law) -> int:
        """The number of a law."""
        first = len(self.numbers)
        self.numbers += [*law.values, *law.edges]
        self.laws.append((int(law.family), first, len(law.values), law.a, law.b, law.c))
        return len(self.laws) - 1

    def _cell(self, value: Any) -> int:
        cell = Cell()
        self.member.texts.encode(value, cell)
        self.cells.append(cell)
        return len(self.cells) - 1

    def value(self, plan: ValuePlan, place: int, declared: ValueType, fitted: Any) -> None:
        """Add a value; `fitted` checks and fits one as the door of an instance does.

        Raises
        ------
        NotCovered
            If it takes Python to compute it.
        """
        draw = as_draw(plan.value) if not plan.unique else None
        kind, law, first, n, low, high, tag = CONSTANT, 0, 0, 0, 0, 0, INTEGER
        if plan.unique:
            base = plan.value
            if isinstance(base, str) and fitted(f"{base}-1") == f"{base}-1":
                kind, first, tag = UNIQUE_TEXT, len(self.uniques), STRING
                self.uniques.append(base)
            elif (
                isinstance(base, int) and not isinstance(base, bool) and declared in (ValueType.INTEGER, ValueType.ANY)
            ):
                kind, low = UNIQUE_WHOLE, base
            else:
                raise NotCovered(f"the value {plan.value!r}, which is another for each arrival")
        elif plan.template is not None:
            raise NotCovered(f"the expression {plan.value!r}")
        elif draw is None:
            first = self._cell(fitted(plan.value))
        else:
            kind, law, first, n, low, high, tag = self._drawn(draw, declared, fitted)
        self.values.append((plan.name_key, low, high, kind, place, law, first, n, tag))

    def _drawn(self, draw: Draw, declared: ValueType, fitted: Any) -> tuple[int, ...]:
        real = declared is ValueType.NUMBER
        if draw.choice is not None:
            values, edges = choices(draw.choice, draw.weights)
            law, first = len(self.numbers), len(self.cells)
            self.numbers += edges
            for value in values:
                self._cell(fitted(value))
            return CHOICE, law, first, len(values), 0, 0, INTEGER
        drawn = (
            sampling.lognormal(*draw.lognormal) if draw.lognormal else sampling.uniform(*(draw.number or (0.0, 1.0)))
        )
        # What lies between two ends that fit fits as well.
        for end in draw.integer or (drawn(0.0), drawn(1.0 - 2.0**-53)):
            if fitted(end) != end:
                raise NotCovered(f"the random value {draw!r}, which does not fit as it is")
        if draw.integer is not None:
            low, high = draw.integer
            return WHOLE, 0, 0, 0, low, high, NUMBER if real else INTEGER
        return REAL, self.law(drawn), 0, 0, 0, 0, NUMBER

    # --- plans -----------------------------------------------------------------------------------

    def inputs(self) -> tuple[int, int]:
        """The values that an instance starts with, and where they begin and end."""
        program, first = self.program, len(self.values)
        names = list(program.variables)
        for name, given in self.scenario.inputs.items():
            variable = program.variables.get(name)
            if variable is None or not variable.input:
                raise NotCovered(f"the input {name!r}, which the workflow does not have")
            plan = ValuePlan(given, name)
            draw = as_draw(given)
            bounded = variable.minimum is not None or variable.maximum is not None
            listed = draw is not None and draw.choice is None and variable.values is not None
            if listed or (plan.unique and bounded):
                raise NotCovered(f"the random input {name!r}, whose variable is limited")

            def fitted(value: Any, variable: Any = variable) -> Any:
                try:
                    return fit(variable, value)
                except EvaluationFault as fault:
                    raise NotCovered(f"an input that is refused: {fault}") from None

            self.value(plan, names.index(name), variable.type, fitted)
        for name, variable in program.variables.items():
            needed = variable.input and variable.initial is None and not variable.optional
            if needed and name not in self.scenario.inputs:
                raise NotCovered(f"a start without the input {name!r}")
        return first, len(self.values)

    def states(self) -> tuple[list[tuple[int, int]], list[tuple[Any, ...]]]:
        """By row the event plans of each state, and the plans."""
        program = self.program
        states, plans = [(0, 0)] * len(program.rows), list[tuple[Any, ...]]()
        for row, planned in self.member.events.items():
            states[row] = (len(plans), len(planned.plans))
            for which, plan in enumerate(planned.plans):
                event = program.events.get(plan.event)
                if event is None:
                    raise NotCovered(f"the event {plan.event!r}, which is not declared")
                places, first = program.event_fields[plan.event], len(self.values)
                given = planned.payloads[which]
                missing = [name for name, field in event.payload.items() if not field.optional and name not in given]
                unknown = [
                    name for name in given if name not in places or (event.payload and name not in event.payload)
                ]
                if missing or unknown:
                    raise NotCovered(f"a payload of {plan.event!r} that does not fit its declaration")
                for name, value in given.items():
                    field = event.payload.get(name, FieldType(optional=True))
                    self.value(value, places[name], field.type, _field(field))
                law = self.law(planned.delays[which])
                plans.append((program.event_rows[plan.event], law, first, len(self.values), planned.edges[which]))
        return states, plans

    def works(self, pools: list[str]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """By row the plan of each activity, and how attempts fail."""
        program, texts = self.program, self.member.texts
        works: list[tuple[Any, ...]] = [(0, 0, 0, NONE, 0, NONE, 0.0)] * len(program.rows)
        failures: list[tuple[Any, ...]] = []
        for row, work in self.member.works.items():
            first, result = len(failures), NONE
            policy = Instance(program)._policy(row)
            for failure, edge in zip(work.plan.failures, work.edges):
                permanent = int(policy.is_final(failure.error_type))
                failures.append((texts.handle(failure.error_type), permanent, edge))
            if work.result is not None:
                result = len(self.values)
                self.value(work.result, RESULT, ValueType.ANY, lambda value: value)
            name = work.plan.pool or program.activities[program.name(row) or ""].pool
            pool = pools.index(name) if name in pools else NONE
            law = self.law(work.duration)
            works[row] = (law, first, len(failures) - first, pool, work.plan.priority, result, work.edges[-1])
        return works, failures

    # --- all together ----------------------------------------------------------------------------

    def known(self, spare: int) -> layout.Known:
        """All that is given; instances have so many spare rows."""
        program, scenario = self.program, self.scenario
        head = program.head
        fresh = Instance(program, texts=self.member.texts)
        add_spare_rows(fresh, spare)
        pools = list(scenario.pools)
        first_input, end_input = self.inputs()
        states, plans = self.states()
        works, failures = self.works(pools)
        arrivals = scenario.arrivals
        if arrivals is None or arrivals.trace is not None or arrivals.schedules is not None:
            raise NotCovered("arrivals by a trace or by schedules")
        law = arrivals.interval()
        interval = NONE if law is None else self.law(law)
        times = sorted(int(time) for time in arrivals.at or ())
        rows: list[Any] = program.rows
        settings = np.zeros(1, layout.SETTINGS)
        for name, number in {
            "run_key": self.run_key,
            "seed": scenario.seed,
            "replication": self.replication,
            "horizon": NONE if scenario.horizon is None else int(scenario.horizon),
            "cases": NONE if scenario.cases is None else scenario.cases,
            "n_times": len(times),
            "rows": len(fresh.m),
            "cells": len(fresh.v),
            "n_regions": head.n_regions,
            "root": head.root,
            "patience": scenario.patience,
            "interval": interval,
            "first_input": first_input,
            "end_input": end_input,
            "n_uniques": len(self.uniques),
            "n_pools": len(pools),
            "n_reasons": REASONS,
        }.items():
            settings[name] = number
        assert fresh.m[FREE].length == spare
        return layout.with_table(
            layout.Known,
            {
                "p": to_array(rows, speed.PROGRAM),
                "m": to_array(fresh.m, speed.MEMORY),
                "v": to_array(fresh.v, speed.CELL),
                "box": to_array([Queued()], speed.MEMORY),
                "settings": settings,
                "states": _table(states, layout.STATE_PLAN),
                "plans": _table(plans, layout.EVENT_PLAN, "event law first_value end_value edge"),
                "works": _table(works, layout.WORK_PLAN, "law first_failure n_failures pool priority result ends_ever"),
                "failures": _table(failures, layout.FAILURE, "error_type permanent edge"),
                "pools": _table(
                    [(pool.capacity, int(pool.discipline == "priority")) for pool in scenario.pools.values()],
                    layout.POOL,
                ),
                "laws": _table(self.laws, layout.LAW, "family first n a b c"),
                "values": _table(self.values, layout.VALUE, "name_key low high kind place law first n tag"),
                "cells": to_array(self.cells or [Cell()], speed.CELL),
                "numbers": np.array([*self.numbers, 0.0]),
                "times": np.array([*times, 0], np.int64),
            },
        )


def covered(member: Member, members: list[Member]) -> None:
    """Check that nothing but this one workflow runs, and without messages.

    Raises
    ------
    NotCovered
        Naming what the compiled calendar leaves to the other one.
    """
    if member.children:
        raise NotCovered("workflows that run others")
    if uses_mail(member.program) or any(each.plan.arrivals is not None for each in members[1:]):
        raise NotCovered("messages between instances")


def _field(field: FieldType) -> Any:
    def fitted(value: Any) -> Any:
        if value is None:
            if not field.optional:
                raise NotCovered("a payload that lacks a field")
            return None
        try:
            return value if field.type is ValueType.ANY else coerce(field.type, value)
        except EvaluationFault as fault:
            raise NotCovered(f"a payload that is refused: {fault}") from None

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
