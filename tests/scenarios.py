"""Random scenarios: a default one, with other arrivals, workers, times, failures and values."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.strategies import families, families_with_letters, families_without_letters, workflows
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.simulation.default import default_scenario
from wfsim.simulation.scenario import Scenario

SECONDS = st.integers(0, 400).map(lambda number: f"{number}s")
LONG = st.integers(1, 400).map(lambda number: f"{number}s")
ARRIVALS = st.one_of(
    st.sampled_from(["1/s", "3/m", "7/h"]).map(lambda rate: {"poisson": rate}),
    LONG.map(lambda time: {"every": time}),
    st.lists(SECONDS, min_size=1, max_size=6).map(lambda times: {"at": times}),
    st.builds(
        lambda n, think: {"closed": {"population": n, "think": {"uniform": {"low": think, "high": "400s"}}}},
        st.integers(1, 4),
        LONG,
    ),
    st.builds(
        lambda way, sizes: way | {"batch": {"size": sizes}} if sizes else way,
        st.one_of(
            LONG.map(lambda mean: {"renewal": {"gamma": {"shape": 0.7, "mean": mean}}}),
            LONG.map(lambda time: {"every": time}),
            st.sampled_from(
                [
                    {"rates": [{"until": "1m", "rate": "0/s"}, {"until": "2m", "rate": "3/m"}, {"rate": "2/h"}]},
                    {"rates": [{"until": "9s", "rate": "1/s"}], "repeat": "100s"},
                    {"rates": [{"until": "1m", "rate": "2/m"}]},
                ]
            ),
        ),
        st.sampled_from([None, 2, {"choice": [1, 3], "weights": [2, 1]}]),
    ),
)
DELAYS = st.one_of(
    SECONDS.map(lambda time: {"constant": time}),
    LONG.map(lambda time: {"exponential": {"mean": time}}),
    st.builds(
        lambda median, sigma: {"lognormal": {"median": median, "sigma": sigma}}, LONG, st.sampled_from([0.0, 0.5, 2.0])
    ),
    st.lists(SECONDS, min_size=1, max_size=3).map(lambda values: {"empirical": {"values": values}}),
    st.builds(lambda shape, mean: {"gamma": {"shape": shape, "mean": mean}}, st.sampled_from([0.3, 1.0, 7.5]), SECONDS),
    st.builds(
        lambda one, other: {
            "mixture": {
                "of": [
                    {"weight": 3, "erlang": {"shape": 2, "mean": one}},
                    {"weight": 0, "constant": one},
                    {"weight": 1, "hyperexponential": {"means": [one, other], "weights": [1, 2]}},
                ]
            }
        },
        LONG,
        LONG,
    ),
)
WEAR = {"shape": 0.7, "mean": "30s"}
POOLS: dict[str, dict[str, Any]] = {
    "one": {"capacity": 1},
    "two": {"capacity": 2, "discipline": "priority"},
    "last": {"capacity": 1, "discipline": "lifo", "queue_limit": 2},
    "shift": {
        "shifts": [
            {"from": "Thu 00:05", "until": "Thu 00:30", "capacity": 1},
            {"from": "Thu 00:10", "until": "Thu 00:11", "capacity": 2},
            {"from": "Thu 00:50", "until": "Wed 12:00", "capacity": 1},
        ],
    },
    "broken": {"capacity": 2, "breakdowns": {"every": {"exponential": {"mean": "40s"}}, "repair": {"gamma": WEAR}}},
    "worn": {
        "capacity": 1,
        "renege": "5m",
        "breakdowns": {"every": {"gamma": WEAR}, "repair": "9s", "while": "busy", "work": "fails"},
    },
    "night": {
        "shifts": [{"from": "Thu 00:02", "until": "Thu 00:20", "capacity": 2}],
        "breakdowns": {"every": "70s", "repair": {"exponential": {"mean": "1m"}}, "while": "busy"},
    },
    "fair": {"capacity": 1, "discipline": "fair", "renege": {"exponential": {"mean": "3m"}}},
    "shared": {"capacity": 1, "discipline": "fair", "renege": "5m"},
    "paced": {"capacity": 3, "rate": "7/m", "burst": 2, "discipline": "lifo"},
    "tired": {
        "shifts": [{"from": "Thu 00:01", "until": "Thu 00:40", "capacity": 2}],
        "rate": "0.7/m",
        "breakdowns": {"every": {"exponential": {"mean": "2m"}}, "repair": "20s"},
    },
    "skilled": {
        "workers": [{"skills": ["x", "y"]}, {"count": 2, "skills": ["x"]}, {}],
        "discipline": "lifo",
        "renege": {"exponential": {"mean": "4m"}},
    },
    "failing": {
        "workers": [{"skills": ["x"]}, {"skills": ["y"]}],
        "discipline": "fair",
        "rate": "9/m",
        "queue_limit": 3,
        "breakdowns": {"every": {"exponential": {"mean": "3m"}}, "repair": {"exponential": {"mean": "1m"}}},
    },
    "stays": {"capacity": 2, "kept": "case", "queue_limit": 3},
    "known": {
        "workers": [{"skills": ["x"]}, {"count": 2, "skills": ["y"]}],
        "discipline": "fair",
        "renege": "2m",
    },
    "due": {"capacity": 1, "discipline": "deadline", "renege": {"exponential": {"mean": "90s"}}},
}
SKILLS: dict[str, list[list[str]]] = {
    "known": [[], ["x"], ["y"]],
    "skilled": [[], ["x"], ["y"], ["y", "x"]],
    "failing": [[], ["x"], ["y"]],
}
OUTAGES = st.lists(
    st.sampled_from(
        [
            {"from": "30s", "until": "2m", "error_type": "Error.down", "fails_after": {"exponential": {"mean": "5s"}}},
            {"from": "1m", "until": "5m", "hangs": True},
            {"from": "0s", "until": "20s", "repeat": "90s", "error_type": "Other"},
        ]
    ),
    max_size=2,
)
SLOW = st.lists(
    st.sampled_from(
        [{"from": "0s", "until": "9m", "factor": 2.5}, {"from": "5s", "until": "1m", "repeat": "1m", "factor": 0.1}]
    ),
    max_size=2,
)
VALUES = st.sampled_from(
    ["text", 1, 2.5, True, None, [1], {"a": 1}, {"integer": [0, 3]}, {"choice": ["x", 1]}, "${state}", "${1 + 1}"]
)


@st.composite
def scenarios(draw: st.DrawFn, base: Scenario, most_cases: int = 5) -> Scenario:
    """The scenario with some of all that can be different."""
    data = base.model_dump(mode="json", exclude_unset=True)
    data |= {"seed": draw(st.integers(0, 2**32)), "cases": draw(st.integers(1, most_cases)), "horizon": "1h"}
    data["patience"] = draw(st.sampled_from([1, 2, 5]))
    if "schedules" not in data["arrivals"]:
        data["arrivals"] = draw(ARRIVALS)
    data["timer_poll"] = draw(st.sampled_from([None, "7s", "1m"]))
    states = [state for part in [data, *data.get("workflows", {}).values()] for state in part.get("events", {})]
    kept = draw(st.lists(st.sampled_from(states), min_size=1)) if states else ["nowhere"]
    by = draw(st.sampled_from(["context.n", "context.flag", "context.word", "context.maybe"]))
    data["pools"] = POOLS | {
        "known": POOLS["known"] | {"kept": {"while": kept}},
        "shared": POOLS["shared"] | {"by": by},
    }
    for part in [data, *data.get("workflows", {}).values()]:
        part["activities"] = {name: _activity(draw, plan) for name, plan in part.get("activities", {}).items()}
        for plans in part.get("events", {}).values():
            for plan in plans:
                plan["delay"] = draw(DELAYS)
                plan["payload"] = {
                    name: draw(VALUES) if draw(st.booleans()) else value
                    for name, value in plan.get("payload", {}).items()
                }
        for state, plans in part.get("events", {}).items():
            if plans and draw(st.booleans()):
                part["events"][state] = {"race": _racing(plans)}
    if draw(st.integers(0, 3)) == 0:
        for part in data.get("workflows", {}).values():
            part["arrivals"], part["cases"] = draw(ARRIVALS), draw(st.integers(0, 2))
    return Scenario.model_validate(data)


def _activity(draw: st.DrawFn, plan: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {"duration": draw(DELAYS), "priority": draw(st.integers(0, 2))}
    changed["weight"] = draw(st.sampled_from([1.0, 0.3, 2.0]))
    pool = draw(st.sampled_from([None, *POOLS]))
    if pool is not None:
        changed["pool"] = pool
        changed["skills"] = draw(st.sampled_from(SKILLS.get(pool, [[]])))
    elif draw(st.booleans()):
        changed["rate"], changed["burst"] = draw(st.sampled_from(["1/s", "2.5/m"])), draw(st.sampled_from([None, 3]))
    if draw(st.booleans()):
        changed["result"] = draw(VALUES)
    if draw(st.booleans()):
        changed["failures"] = [{"error_type": "Error", "probability": 0.3}, {"error_type": "Other", "probability": 0.1}]
        changed["never_ends"] = draw(st.sampled_from([0.0, 0.1]))
    if draw(st.booleans()):
        changed["twice"] = 0.5
    if draw(st.booleans()):
        changed["outages"], changed["slow"] = draw(OUTAGES), draw(SLOW)
    return plan | changed


def _racing(plans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each event once, and without its weight."""
    of = {plan["event"]: plan for plan in plans}
    return [{key: value for key, value in plan.items() if key != "weight"} for plan in of.values()]


@st.composite
def random_families(draw: st.DrawFn) -> tuple[Workflow, Scenario, Catalogue | None]:
    """Workflows that run each other and do not write, with a scenario in which keys are taken."""
    known = draw(families_without_letters())
    workflow = known.get("random")
    scenario = draw(scenarios(default_scenario(workflow, known), 9))
    if workflow.correlation is not None:
        inputs = scenario.inputs | {"n": draw(st.sampled_from([1, {"integer": [0, 3]}, {"unique": 5}]))}
        scenario = scenario.changed(inputs=inputs)
    return workflow, scenario, known


@st.composite
def random_workflows(draw: st.DrawFn) -> tuple[Workflow, Scenario, Catalogue | None]:
    """A workflow with its scenario, alone or with others that it runs and writes to."""
    if draw(st.booleans()):
        workflow = draw(workflows(undo=True, regions=True, children=False))
        return workflow, draw(scenarios(default_scenario(workflow))), None
    known = draw(st.one_of(families(), families_with_letters()))
    workflow = known.get("random")
    return workflow, draw(scenarios(default_scenario(workflow, known))), known
