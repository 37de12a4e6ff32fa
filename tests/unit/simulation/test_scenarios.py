"""Scenario files: what is read, what is refused and how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

import wfsim as wf
from wfsim.errors import ScenarioError
from wfsim.model.workflow import Workflow
from wfsim.simulation.check import check_scenario
from wfsim.simulation.default import default_scenario


def write(folder: Path, text: str) -> Path:
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_scenario_fits_its_workflow() -> None:
    scenario = wf.load_scenario("models/order_processing.scenario.yaml")
    check_scenario(scenario, wf.load("models/order_processing.yaml"))
    assert scenario.cases == 10_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arivals: {every: 1s}", r"s.yaml:1: .*arivals.*arrivals"),
        ("arrivals: {poisson: often}", r"s.yaml:1: .*often.*120/h"),
        ("arrivals: {every: 1s, poisson: 1/s}", r"arrivals are one of"),
        ("arrivals: {every: 0s}", r"every: 0s would start everything at once"),
        ("seed: -1", r"s.yaml:1: .*seed"),
        ("cases: many", r"s.yaml:1: .*cases.*many"),
        ("activities:\n  f:\n    duration: {exponential: {mean: fast}}", r"s.yaml:3: .*fast"),
        ("activities:\n  f: {failures: [{error_type: E, probability: 0.9}], never_ends: 0.2}", r"add up to 1.1"),
        ("a: 1\na: 2", r"s.yaml:2: .*'a'"),
        ("inputs: {x: '${9**9}'}", r"s.yaml:1"),
    ],
)
def test_a_bad_scenario_is_refused_with_its_place_and_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(wf.errors.ScenarioError, match=said):
        wf.load_scenario(write(tmp_path, text))


def test_a_missing_file_is_told() -> None:
    with pytest.raises(wf.errors.ScenarioError, match=r"nowhere.yaml: cannot be read"):
        wf.load_scenario("nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("events: {creatd: [{event: order_validated}]}", r"state 'creatd' does not exist.*Did you mean 'created'"),
        ("events: {created: [{event: order_valid}]}", r"event 'order_valid' does not exist.*order_validated"),
        ("activities: {pack: {}}", r"activity 'pack' does not exist.*pack_order"),
        ("activities: {pack_order: {pool: crew}}", r"pool 'crew' does not exist"),
        ("inputs: {order: 1}", r"input 'order' does not exist.*order_id"),
        ("workflow: other", r"is for workflow 'other'"),
    ],
)
def test_names_the_workflow_does_not_have_are_refused(tmp_path: Path, text: str, said: str) -> None:
    scenario = wf.load_scenario(write(tmp_path, text))
    with pytest.raises(wf.errors.ScenarioError, match=said):
        wf.simulate(wf.load("models/order_processing.yaml"), scenario, cases=1)


def test_a_trace_starts_cases_at_its_times_with_its_inputs(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("time,order_id,total_amount\n0,A,10\n2.5,B,20.5\n", encoding="utf-8")
    path = write(
        tmp_path, "arrivals: {trace: trace.csv}\ncases: 9\ninputs: {currency: EUR, items: [x], total_amount: 1.0}"
    )
    history = wf.simulate(wf.load("models/order_processing.yaml"), wf.load_scenario(path))
    started = [history.case(k).records()[0] for k in (1, 2)]
    assert [record.time for record in started] == [0, 2_500_000]
    assert [record.payload["input"]["total_amount"] for record in started] == [10.0, 20.5]
    assert len(history.cases()) == 2


def test_a_trace_that_goes_back_in_time_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("time\n5\n1\n", encoding="utf-8")
    inputs = "{currency: EUR, items: [x], total_amount: 1.0, order_id: a}"
    path = write(tmp_path, f"arrivals: {{trace: trace.csv}}\ninputs: {inputs}")
    with pytest.raises(wf.errors.ScenarioError, match="must not go back"):
        wf.simulate(wf.load("models/order_processing.yaml"), wf.load_scenario(path))


def test_missing_inputs_are_named() -> None:
    with pytest.raises(wf.errors.ScenarioError, match="needs the input 'order_id'"):
        wf.simulate(wf.load("models/order_processing.yaml"), wf.Scenario())


@pytest.mark.parametrize("template", ["minimal", "approval", "order", "retry"])
def test_the_default_scenario_fits_every_template(template: str) -> None:
    workflow = wf.new(template)
    scenario = default_scenario(workflow)
    check_scenario(scenario, workflow)
    history = wf.simulate(workflow, cases=30)
    assert sum(history.counts.values()) == 30


# --- distributions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        ("{uniform: {low: 2m, high: 1m}}", "low 2m is above high 1m. Write low <= high"),
        ("{triangular: {low: 2m, mode: 1m, high: 3m}}", "low 2m is above mode 1m. Write low <= mode <= high"),
        ("{triangular: {low: 1m, mode: 4m, high: 3m}}", "mode 4m is above high 3m"),
        ("{exponential: {mean: -1s}}", "mean: '-1s' is not a duration"),
        ("{normal: {mean: 1s, deviation: -1s}}", "deviation: '-1s' is not a duration"),
        ("{lognormal: {median: 1s, sigma: -1}}", "sigma: expected 0.*found the number -1"),
        ("{weibull: {scale: 1s, shape: 0}}", "shape: expected 0.05 or more"),
        ("{empirical: {values: [1s, 2s], weights: [1]}}", "2 values have 1 weights"),
        ("{empirical: {values: [1s, 2s], weights: [0, 0]}}", "the values all have weight 0"),
        ("{empirical: {values: [1s, 2s], weights: [1, -1]}}", "expected 0.*found the number -1"),
        ("{empirical: {values: []}}", "at least 1 entry"),
    ],
)
def test_a_distribution_that_is_none_is_refused(tmp_path: Path, duration: str, said: str) -> None:
    with pytest.raises(wf.errors.ScenarioError, match=rf"s.yaml:3: .*{said}"):
        wf.load_scenario(write(tmp_path, f"activities:\n  f:\n    duration: {duration}"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{choice: {a: 0, b: 0}}", "the values of choice all have weight 0"),
        ("{choice: {a: 2, b: -1}}", "expected 0.*found the number -1"),
        ("{choice: []}", "at least one value"),
        ("{choice: [1, 2], weights: [1]}", "2 values have 1 weights"),
        ("{choice: {a: 1}, weights: [1]}", "weights belong to a list"),
        ("{choice: [1, 2], weights: [0, 0]}", "the values of choice all have weight 0"),
        ("{choice: ['${context.x}']}", "nothing is computed in"),
        ("{integer: [6, 1]}", r"the range \[6, 1\] is empty"),
        ("{integer: [6]}", "takes two numbers"),
        ("{number: [1, 0]}", "is empty"),
        ("{lognormal: [0, 1]}", "the median is above 0"),
        ("{lognormal: [1, -1]}", "sigma between 0 and 10"),
    ],
)
def test_a_random_value_that_is_none_is_refused(tmp_path: Path, value: str, said: str) -> None:
    with pytest.raises(wf.errors.ScenarioError, match=rf"s.yaml:2: .*{said}"):
        wf.load_scenario(write(tmp_path, f"inputs:\n  x: {value}"))


def test_events_of_which_none_can_come_are_refused(tmp_path: Path) -> None:
    text = "events:\n  a:\n    - {event: x, weight: 0}\n    - {event: y, weight: 0}"
    with pytest.raises(wf.errors.ScenarioError, match=r"s.yaml:2: .*the events all have weight 0"):
        wf.load_scenario(write(tmp_path, text))
    with pytest.raises(wf.errors.ScenarioError, match=r"s.yaml:3: .*weight: expected 0.*found the number -1"):
        wf.load_scenario(write(tmp_path, "events:\n  a:\n    - {event: x, weight: -1}"))


# --- what does not fit the workflow ----------------------------------------------------------------

CLAIM = wf.loads("""\
name: claim
initial_state: open
variables:
  amount: {type: number, input: true, minimum: 0}
  score: {type: integer, initial: 0}
  note: {type: string, optional: true}
events:
  assess: {payload: {by: string, points: {type: integer, optional: true}}}
  close: {}
  reopen: {}
  later: {unhandled: defer}
activities:
  rate: {pool: assessors}
states:
  - name: open
    parallel:
      regions:
        - name: work
          initial_state: first
          states: [{name: first}, {name: second, is_terminal: true}]
          transitions: [{from: first, to: second, event: assess}]
  - {name: rating, activity: {name: rate, result_variable: score}}
  - {name: closed, is_terminal: true}
transitions:
  - {from: open, to: closed, event: close}
  - {from: open, event: reopen}
  - {from: open, to: rating, event: done}
  - {from: rating, to: closed, event: done}
  - {from: rating, to: closed, event: later}
""")


def fitting(**changes: str) -> str:
    """A scenario that fits, one key to a line, some of them changed."""
    keys = {
        "inputs": "{amount: 5}",
        "events": "{open/work/first: [{event: assess, payload: {by: me}}, {event: close}, {event: later}]}",
        "activities": "{rate: {result: 3}}",
        "pools": "{assessors: {capacity: 2}}",
    } | changes
    return "\n".join(f"{key}: {value}" for key, value in keys.items())


def test_events_of_the_state_of_a_state_around_it_and_deferred_ones_fit(tmp_path: Path) -> None:
    wf.simulate(CLAIM, wf.load_scenario(write(tmp_path, fitting())), cases=1)
    inner = "{open: [{event: reopen}], open/work/first: [{event: reopen}], rating: [{event: later}]}"
    check_scenario(wf.load_scenario(write(tmp_path, fitting(events=inner))), CLAIM)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "pools",
            "{assesors: {capacity: 2}}",
            r"s.yaml:4: no activity uses the pool 'assesors'.*Did you mean 'assessors'",
        ),
        (
            "activities",
            "{rate: {result: 3, pool: other}}",
            r"s.yaml:3: pool 'other' does not exist. There are: assessors",
        ),
        (
            "events",
            "{rating: [{event: assess, payload: {by: me}}]}",
            r"s.yaml:2: no transition leaves state 'rating' on event 'assess'. It listens to: later. "
            r"Event 'assess' is taken in: open/work/first",
        ),
        (
            "events",
            "{open: [{event: assess, payload: {by: me}}]}",
            r"no transition leaves state 'open' on event 'assess'",
        ),
        ("events", "{open: [{event: done}]}", r"event 'done' does not exist"),
        (
            "events",
            "{open/work/first: [{event: assess, payload: {by: me, point: 1}}]}",
            r"s.yaml:2: event 'assess' has no field 'point'. Fields: by, points. Did you mean 'points'",
        ),
        ("events", "{open/work/first: [{event: assess}]}", r"event 'assess' needs the field 'by' \(string\)"),
        ("events", "{open/work/first: [{event: assess, payload: {by: null}}]}", r"needs the field 'by'"),
        (
            "events",
            "{open/work/first: [{event: assess, payload: {by: 3}}]}",
            r"field 'by' of event 'assess': an integer \(3\) is",
        ),
        (
            "events",
            "{open/work/first: [{event: assess, payload: {by: {choice: [me, 3]}}}]}",
            r"an integer \(3\) is not a string",
        ),
        (
            "events",
            "{open/work/first: [{event: assess, payload: {by: me, points: {number: [0, 1]}}}]}",
            r"field 'points' of event 'assess': a number \(0.0\) is not an integer",
        ),
        (
            "events",
            "{open/work/first: [{event: assess, payload: {by: '${context.nte}'}}]}",
            r"there is no variable 'nte'. Variables: amount, score, note. Did you mean 'note'",
        ),
        (
            "events",
            "{open/work/first: [{event: assess, payload: {by: '${event.by}'}}]}",
            r"'event.by' cannot be read here. A scenario reads context.<variable>, state.<state>.<field>",
        ),
        (
            "events",
            "{open/work/first: [{event: assess, payload: {by: '${context.amount}'}}]}",
            r"the expression gives a number, not a string",
        ),
        (
            "activities",
            "{rate: {result: high}}",
            r"s.yaml:3: the result of activity 'rate', written to .*'score'.*not an integer",
        ),
        ("activities", "{rate: {}}", r"s.yaml:3: .*'score' \(integer\), is missing"),
        ("activities", "{rate: {result: '${context.x}'}}", r"there is no variable 'x'"),
        ("inputs", "{amount: much}", r"s.yaml:1: input 'amount': a string \('much'\) is not a number"),
        ("inputs", "{amount: {number: [-5, 5]}}", r"input 'amount': -5.0 is below 0"),
        ("inputs", "{amount: '${context.score}'}", r"reads the instance, which has no values before it starts"),
        ("inputs", "{score: 1}", r"input 'score' does not exist. There are: amount"),
    ],
)
def test_what_the_workflow_cannot_take_is_refused(tmp_path: Path, key: str, value: str, said: str) -> None:
    scenario = wf.load_scenario(write(tmp_path, fitting(**{key: value})))
    with pytest.raises(wf.errors.ScenarioError, match=said):
        check_scenario(scenario, CLAIM)
    # Changing the number of cases keeps the place in the file.
    with pytest.raises(wf.errors.ScenarioError, match=said):
        check_scenario(scenario.changed(cases=1), CLAIM)


def test_a_scenario_made_in_python_is_told_with_its_path() -> None:
    scenario = wf.Scenario.model_validate({"inputs": {"amount": 1.0, "sum": 3}, "activities": {"rate": {"result": 1}}})
    with pytest.raises(wf.errors.ScenarioError, match=r"\ninputs.sum: input 'sum' does not exist"):
        check_scenario(scenario, CLAIM)


@pytest.mark.parametrize(
    "part",
    [
        {"arrivals": {"rates": [{"until": "8h", "rate": "0/h"}, {"rate": "2/h"}], "batch": {"size": 3}}},
        {"arrivals": {"closed": {"population": 3, "think": {"gamma": {"shape": 0.5, "mean": "1h"}}}}},
        {"arrivals": {"renewal": {"mixture": {"of": [{"weight": 1, "lognormal": {"mean": "1m", "cv": 2.0}}]}}}},
        {"pools": {"desk": {"capacity": 1, "queue_limit": 0, "renege": "5m"}}},
        {"pools": {"desk": {"shifts": [{"from": "Mon 8:00", "until": "Mon 24:00", "capacity": 1}]}}},
    ],
    ids=str,
)
def test_a_scenario_is_the_same_after_it_was_kept_as_text(part: dict[str, Any]) -> None:
    scenario = wf.Scenario.model_validate(part)
    text = json.dumps(scenario.model_dump(mode="json", exclude_unset=True))
    assert wf.Scenario.model_validate(json.loads(text)) == scenario == scenario.changed(**part)


def test_where_a_scenario_was_read_from_does_not_matter(tmp_path: Path) -> None:
    one = wf.load_scenario(write(tmp_path, fitting()))
    assert one == wf.Scenario.model_validate(one.model_dump(exclude_unset=True))
    assert one != one.changed(cases=3)


# --- the default scenario --------------------------------------------------------------------------


def test_with_the_default_scenario_most_orders_are_delivered_and_the_notes_tell() -> None:
    history = wf.simulate(wf.load("models/order_processing.yaml"))
    assert history.counts["completed/success"] > 700
    assert sum(history.counts.values()) == 1_000
    assert len(history.notes) == 1
    assert history.notes[0].startswith("No scenario was given. Default scenario, every rate and time a guess")
    assert "events on the shortest way to 'delivered' 20 times as likely as others" in history.notes[0]


def test_a_scenario_that_was_given_is_not_called_a_guess() -> None:
    order = wf.load("models/order_processing.yaml")
    assert wf.simulate(order, "models/order_processing.scenario.yaml", cases=50).notes == []


def test_default_weights_follow_the_shortest_way_to_success() -> None:
    scenario = default_scenario(wf.load("models/order_processing.yaml"))
    weights = {state: {plan.event: plan.weight for plan in plans} for state, plans in scenario.events.items()}
    assert weights == {
        "created": {"order_validated": 20, "order_cancelled": 1},
        "validated": {"payment_initiated": 20, "order_cancelled": 1},
        "payment_pending": {"payment_completed": 20, "payment_failed": 1, "order_cancelled": 1},
        "payment_failed": {"retry_payment": 20, "order_cancelled": 1},
        "payment_completed": {"order_cancelled": 1},
        "inventory_allocated": {"order_shipped": 20, "order_cancelled": 1},
        "shipped": {"order_delivered": 20},
        "refund_review": {"refund_processed": 1},
    }
    # Its work leads on from there; 20 times ten minutes, so that the cancellation seldom overtakes it.
    (cancelled,) = scenario.events["payment_completed"]
    assert cancelled.delay.exponential is not None
    assert int(cancelled.delay.exponential.mean) == 200 * 60_000_000


def test_declared_success_goes_before_the_first_end() -> None:
    text = """\
name: w
initial_state: a
states: [{name: a}, {name: b, is_terminal: true%s}, {name: c, is_terminal: true%s}]
transitions: [{from: a, to: b, event: x}, {from: a, to: c, event: y}, {from: a, to: b, event: timeout}]
"""
    for b, c, likely in (("", "", "x"), ("", ", outcome: success", "y"), (", outcome: failure", "", "y")):
        (plans,) = default_scenario(wf.loads(text % (b, c))).events.values()
        assert {plan.event: plan.weight for plan in plans} == {"x": 1, "y": 1} | {likely: 20}


def test_default_results_and_payloads_are_taken() -> None:
    workflow = wf.loads("""\
name: w
initial_state: a
variables: {n: {type: integer, initial: 3}, word: {type: string, input: true, values: [p, q]}}
events: {go: {payload: {what: any, n: integer}}}
activities: {f: {}}
states: [{name: a}, {name: b, activity: {name: f, result_variable: n}}, {name: c, is_terminal: true}]
transitions: [{from: a, to: b, event: go}, {from: b, to: c, event: done}]
""")
    history = wf.simulate(workflow, cases=20)
    assert history.counts == {"completed/success": 20}
    assert len(history.notes) == 1


def test_values_that_are_no_text_can_be_weighed() -> None:
    workflow = Workflow.model_validate(
        {
            "name": "weighed",
            "initial_state": "a",
            "variables": {"n": {"type": "integer", "input": True}},
            "states": [{"name": "a", "is_terminal": True}],
            "transitions": [],
        }
    )
    scenario = wf.Scenario.model_validate({"cases": 200, "inputs": {"n": {"choice": [7, 8], "weights": [0.9, 0.1]}}})
    history = wf.simulate(workflow, scenario)  # type: ignore[operator]
    values = [whole for (whole,) in history.sql("SELECT whole FROM record_values WHERE seq = 1").fetchall()]
    assert 160 <= values.count(7) <= 195
    assert values.count(7) + values.count(8) == 200


def test_a_scenario_is_changed_at_dotted_keys() -> None:
    plan = wf.Scenario.model_validate(
        {
            "pools": {"desk": {"capacity": 1, "renege": "5m"}},
            "activities": {"serve": {"outages": [{"from": "1h", "until": "2h", "hangs": True}]}},
        }
    )
    changed = plan.changed(**{"pools.desk.capacity": 3, "activities.serve.outages.0.until": "3h", "cases": 7})
    assert changed.pools["desk"].model_dump(exclude_unset=True) == plan.pools["desk"].model_dump(exclude_unset=True) | {
        "capacity": 3
    }
    assert str(changed.activities["serve"].outages[0].until) == "3h"
    assert changed.cases == 7
    assert plan.pools["desk"].capacity == 1


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("pools..capacity", "'pools..capacity' is no dotted key of a scenario"),
        ("cases.most", "'cases' has the value 5, so nothing lies below it"),
        ("pools.desk.capacty", "'capacty' is not a key of a pool.*Did you mean 'capacity'"),
    ],
)
def test_a_dotted_key_that_leads_nowhere_is_refused(key: str, told: str) -> None:
    plan = wf.Scenario.model_validate({"cases": 5, "pools": {"desk": {"capacity": 1}}})
    with pytest.raises(ScenarioError, match=told):
        plan.changed(**{key: 2})


def test_errors_tell_durations_as_people_write_them() -> None:
    rates = [{"until": "1170m", "rate": "1/h"}, {"until": "990m", "rate": "2/h"}]
    with pytest.raises(ValueError, match="holds until 16h30m, which is not after 19h30m"):
        wf.Scenario.model_validate({"arrivals": {"rates": rates}})


def test_written_out_whole_a_scenario_with_all_that_can_be_said_is_the_same() -> None:
    scenario = wf.Scenario.model_validate(
        {
            "arrivals": {"poisson": "1/m"},
            "events": {"a": {"race": [{"event": "x"}, {"event": "y", "delay": "1s"}]}},
            "activities": {
                "f": {
                    "twice": 0.5,
                    "outages": [{"from": "1h", "until": "2h", "hangs": True}],
                    "slow": [{"from": "1h", "until": "2h", "repeat": "1d", "factor": 2}],
                }
            },
            "pools": {
                "p": {"capacity": 2, "rate": "1/s", "breakdowns": {"every": "1h", "repair": "1m", "while": "busy"}},
                "q": {"capacity": 1},
            },
            "slas": [{"name": "fast", "within": "1h", "from": "a"}],
            "timer_poll": "30s",
        }
    )
    whole = wf.Scenario.model_validate(json.loads(json.dumps(scenario.model_dump(mode="json"))))
    assert whole.model_dump() == scenario.model_dump()


REFUSED = wf.loads("""\
name: refused
initial_state: asked
variables: {told: {type: string, optional: true}}
events: {refuse: {payload: {reason: string}}}
activities: {ask: {}, tell: {}}
states:
  - {name: asked}
  - {name: refused, data: {reason: string}, activity: {name: tell, result_variable: told}}
  - {name: done, is_terminal: true}
transitions:
  - from: asked
    event: refuse
    to: refused
    pre_actions: [{action_type: set_variable, parameters: {name: state.reason, value: "${event.reason}"}}]
  - {from: refused, event: done, to: done}
""")


@pytest.mark.parametrize("engine", ["python", "compiled"])
def test_a_value_reads_what_belongs_to_a_state(engine: Literal["python", "compiled"]) -> None:
    scenario = wf.Scenario.model_validate(
        {
            "events": {"asked": [{"event": "refuse", "payload": {"reason": "too late"}}]},
            "activities": {"tell": {"result": "${state.refused.reason}"}},
        }
    )
    history = wf.simulate(REFUSED, scenario, cases=2, seed=1, engine=engine)
    assert [history.case(n).replay().variables["told"] for n in (1, 2)] == ["too late"] * 2


def test_data_that_no_state_has_is_refused() -> None:
    for said in ("state.asked.reason", "state.refused.reasons"):
        scenario = wf.Scenario.model_validate({"activities": {"tell": {"result": f"${{{said}}}"}}})
        with pytest.raises(wf.errors.ScenarioError, match=f"there is no variable '{said.removeprefix('state.')}'"):
            check_scenario(scenario, REFUSED)
