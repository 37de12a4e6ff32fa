"""Pools in whole runs: who is turned away, who gives up, who is served first; at both speeds."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import ScenarioError
from wfsim.history.history import History
from wfsim.history.replay import replay_all
from wfsim.simulation.shifts import DAYS, WEEK, Shift, capacities

MINUTE = 60_000_000
DESK = """\
name: desk
version: 1.0.0
initial_state: served
activities: {serve: {pool: desk, RETRY}}
variables: {told: {type: string, initial: none}}
states: [{name: served, activity: serve}, {name: end, is_terminal: true}, {name: left, is_terminal: true}]
transitions:
  - {from: served, event: done, to: end}
  - from: served
    event: error
    to: left
    pre_actions: [{action_type: set_variable, parameters: {name: told, value: "${event.type}"}}]
"""
ONCE, TWICE = "retry_policy: {max_attempts: 1}", "retry_policy: {max_attempts: 2, initial_interval: 30s, jitter: 0}"


@pytest.fixture(params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def served(engine: Any, pool: dict[str, Any], at: list[str], retry: str = ONCE, duration: Any = "10m") -> History:
    """Everybody who comes at these times is served for ten minutes."""
    scenario = {"arrivals": {"at": at}, "activities": {"serve": {"duration": duration}}, "pools": {"desk": pool}}
    workflow = wf.loads(DESK.replace("RETRY", retry))
    history = wf.simulate(workflow, wf.Scenario.model_validate(scenario), engine=engine)  # type: ignore[arg-type]
    assert replay_all(history)
    return history


def ends(history: History) -> list[tuple[Any, ...]]:
    """Of each case the state and the minute in which it ended."""
    rows = history.sql('SELECT final_state, closed FROM durations ORDER BY "case"').fetchall()
    return [(state, closed / MINUTE) for state, closed in rows]


def test_who_finds_the_queue_full_fails_at_once(engine: Any) -> None:
    history = served(engine, {"capacity": 1, "queue_limit": 1}, ["0s", "1m", "2m", "3m", "11m"])
    assert ends(history) == [("end", 10), ("end", 20), ("left", 2), ("left", 3), ("end", 30)]
    assert history.case(3).variables["told"] == "Pool.full"


def test_without_places_to_wait_nobody_waits(engine: Any) -> None:
    history = served(engine, {"capacity": 2, "queue_limit": 0}, ["0s", "0s", "0s", "10m"])
    assert ends(history) == [("end", 10), ("end", 10), ("left", 0), ("end", 20)]


def test_who_is_turned_away_asks_again_as_the_retry_policy_says(engine: Any) -> None:
    history = served(engine, {"capacity": 1, "queue_limit": 0}, ["0s", "9m45s", "9m"], TWICE)
    # The retry of the second comes at 9:30, too early, that of the third at 10:15.
    assert ends(history) == [("end", 10), ("left", 9.5), ("end", 20.25)]


def test_who_waits_for_too_long_gives_up(engine: Any) -> None:
    pool = {"capacity": 1, "renege": "5m"}
    history = served(engine, pool, ["0s", "1m", "5m", "6m"])
    assert ends(history) == [("end", 10), ("left", 6), ("end", 20), ("left", 11)]
    assert history.case(2).variables["told"] == "Pool.reneged"


def test_whose_worker_comes_in_the_moment_of_giving_up_is_served(engine: Any) -> None:
    assert ends(served(engine, {"capacity": 1, "renege": "9m"}, ["0s", "1m"])) == [("end", 10), ("end", 20)]


def test_the_earliest_deadline_is_served_first(engine: Any) -> None:
    w = wf.Builder("late").variable("kind", "string", input=True)
    for name, limits in (
        ("relaxed", {}),
        ("in_an_hour", {"schedule_to_start": "1h"}),
        ("in_half_an_hour", {"schedule_to_close": "30m"}),
    ):
        w.activity(name, pool="desk", **limits).state(f"at_{name}", activity=name)
        w.transition(f"at_{name}", "end", on="done").transition(
            "begin", f"at_{name}", condition=f"context.kind == '{name}'"
        )
    w.state("begin", initial=True).state("end", terminal=True)
    plan = {
        "arrivals": {"every": "1m"},
        "cases": 40,
        "inputs": {"kind": {"choice": ["relaxed", "in_an_hour", "in_half_an_hour"]}},
        "activities": {name: {"duration": "2m"} for name in ("relaxed", "in_an_hour", "in_half_an_hour")},
        "pools": {"desk": {"capacity": 1, "discipline": "deadline"}},
    }
    history = wf.simulate(w.build(), wf.Scenario.model_validate(plan), engine=engine)
    rows = history.sql("SELECT activity, time - wait, time FROM history WHERE kind = 'activity_started'").fetchall()
    due = {"relaxed": 10**9 * MINUTE, "in_an_hour": 60 * MINUTE, "in_half_an_hour": 30 * MINUTE}
    waited = 0
    for activity, asked, started in rows:
        for other, asked_too, later in rows:
            if asked_too < started < later:
                waited += 1
                assert (due[activity] + asked, asked) <= (due[other] + asked_too, asked_too)
    assert waited > 100


def turns(folder: Path, engine: Any, coming: list[tuple[int, str]], **weights: float) -> str:
    """Activities in the order in which those begin who come at these seconds and are served in a minute each."""
    w = wf.Builder("turns").variable("kind", "string", input=True)
    w.state("begin", initial=True).state("end", terminal=True)
    kinds = sorted({kind for _, kind in coming})
    for kind in kinds:
        w.activity(kind, pool="desk").state(f"at_{kind}", activity=kind).transition(f"at_{kind}", "end", on="done")
        w.transition("begin", f"at_{kind}", condition=f"context.kind == '{kind}'")
    trace = folder / "trace.csv"
    trace.write_text("\n".join(["time,kind", *(f"{time},{kind}" for time, kind in coming)]), encoding="utf-8")
    plan = {
        "arrivals": {"trace": str(trace)},
        "activities": {kind: {"duration": "1m", "weight": weights.get(kind, 1.0)} for kind in kinds},
        "pools": {"desk": {"capacity": 1, "discipline": "fair"}},
    }
    history = wf.simulate(w.build(), wf.Scenario.model_validate(plan), engine=engine)
    begun = history.sql("SELECT activity FROM history WHERE kind = 'activity_started' ORDER BY time").fetchall()
    return "".join(activity for (activity,) in begun)


def test_in_a_fair_pool_activities_take_turns_whoever_came_first(tmp_path: Path, engine: Any) -> None:
    assert turns(tmp_path, engine, list(enumerate("aaaaaabbb"))) == "abababaaa"


def test_an_activity_of_twice_the_weight_has_twice_the_turns(tmp_path: Path, engine: Any) -> None:
    assert turns(tmp_path, engine, list(enumerate("aaaaaabbbb")), a=2.0) == "abaabaabab"


def test_who_did_not_ask_for_long_has_saved_no_turns(tmp_path: Path, engine: Any) -> None:
    alone = [(60 * number, "a") for number in range(5)]
    assert turns(tmp_path, engine, [*alone, *((300, kind) for kind in "aaaabbbb")]) == "aaaaa" + "abababab"


def test_once_nobody_works_or_waits_nobody_is_ahead_of_others(tmp_path: Path, engine: Any) -> None:
    # Served three times while nobody was there, an activity owes nothing to the one that comes later.
    alone = [(100 * number, "a") for number in range(3)]
    assert turns(tmp_path, engine, [*alone, *((300, kind) for kind in "aabb")]) == "aaa" + "abab"


def customers(
    folder: Path, engine: Any, coming: list[tuple[int, str]], kind: str = "string", by: str = "context.who"
) -> list[str]:
    """Customers in the order in which those begin who come at these seconds and are served in a minute each."""
    w = wf.Builder("customers").variable("who", kind, input=True, optional=True).activity("serve", pool="desk")
    w.state("served", initial=True, activity="serve").state("end", terminal=True).transition("served", "end", on="done")
    trace = folder / "trace.csv"
    trace.write_text("\n".join(["time,who", *(f"{time},{who}" for time, who in coming)]), encoding="utf-8")
    plan = {
        "arrivals": {"trace": str(trace)},
        "cases": len(coming),
        "activities": {"serve": {"duration": "1m"}},
        "pools": {"desk": {"capacity": 1, "discipline": "fair", "by": by}},
    }
    history = wf.simulate(w.build(), wf.Scenario.model_validate(plan), engine=engine)
    assert replay_all(history)
    rows = history.sql("SELECT \"case\" FROM history WHERE kind = 'activity_started' ORDER BY time").fetchall()
    return [coming[case - 1][1] for (case,) in rows]


def test_in_a_fair_pool_customers_take_turns_if_it_says_so(tmp_path: Path, engine: Any) -> None:
    coming = list(enumerate(["ann", "ann", "ann", "ann", "bob", "bob", "eve"]))
    expected = ["ann", "bob", "eve", "ann", "bob", "ann", "ann"]
    assert customers(tmp_path, engine, coming) == expected
    assert customers(tmp_path, engine, coming, by="${context.who}") == expected


def test_customers_may_be_numbers_and_one_that_is_not_known_is_one_too(tmp_path: Path, engine: Any) -> None:
    coming = list(enumerate(["7", "7", "7", "-7", "-7", "", "", "0"]))
    assert customers(tmp_path, engine, coming, "integer") == ["7", "-7", "", "0", "7", "-7", "", "7"]


def test_of_many_customers_those_are_forgotten_who_have_saved_nothing(tmp_path: Path, engine: Any) -> None:
    coming = [(61 * number, f"c{number}") for number in range(1_000)]
    crowd = [(61_000 + number // 300, f"c{number % 300}") for number in range(900)]
    order = customers(tmp_path, engine, coming + crowd)
    assert order[:1_000] == [who for _, who in coming]
    # Each of the 300 has a turn before anybody has two.
    assert order[1_000:1_300] == [f"c{number}" for number in range(300)]
    assert sorted(order[1_300:1_600]) == sorted(f"c{number}" for number in range(300))


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        ({"by": "context.who"}, "by goes with discipline fair, not with fifo"),
        ({"discipline": "fair", "by": "who"}, r"the text 'who' names no variable\. Write context\.<variable>"),
        ({"discipline": "fair", "by": "context.whom"}, r"its variable 'whom' does not exist\. There are: who, told"),
        ({"discipline": "fair", "by": "context.who"}, "'who' is of type any. Turns are between values of type string"),
    ],
)
def test_whose_turns_cannot_be_told_is_refused(pool: dict[str, Any], told: str) -> None:
    workflow = wf.loads(
        DESK.replace("RETRY", ONCE).replace("variables: {", "variables: {who: {type: any, optional: true}, ")
    )
    with pytest.raises((ScenarioError, ValueError), match=told):
        wf.simulate(workflow, wf.Scenario.model_validate({"pools": {"desk": {"capacity": 1, **pool}}}))


def test_both_engines_tell_the_same_of_those_who_were_not_served() -> None:
    pool = {"capacity": 1, "discipline": "lifo", "queue_limit": 3, "renege": {"exponential": {"mean": "8m"}}}
    at = [f"{minute}m" for minute in range(0, 200, 3)]
    one, other = (served(engine, pool, at, TWICE) for engine in ("python", "compiled"))
    assert one.digest == other.digest
    told = {history.case(k).variables["told"] for history in (one,) for k in range(1, len(at) + 1)}
    assert told == {"none", "Pool.full", "Pool.reneged"}
    for view in ("activity_stats", "bottlenecks", "durations"):
        assert one.sql(f"FROM {view} ORDER BY ALL").fetchall() == other.sql(f"FROM {view} ORDER BY ALL").fetchall()


@pytest.mark.parametrize("weight", ["0", "-1", "2000"])
def test_a_weight_that_makes_no_sense_is_refused_where_it_stands(tmp_path: Path, weight: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\nactivities:\n  serve: {{weight: {weight}}}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"s\.yaml:3: weight: expected .* or (more|less)"):
        wf.load_scenario(file)


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        ("{capacity: 0}", r"capacity: expected 1 or more, found the number 0"),
        ("{capacity: 1, queue_limit: -1}", r"queue_limit: expected 0 or more, found the number -1"),
        ("{capacity: 1, queue_limit: 1.5}", r"expected a whole number, found the number 1.5"),
        (
            "{capacity: 1, discipline: random}",
            r"expected fifo or lifo or priority or deadline or fair, found the text 'random'",
        ),
        ("{capacity: 1, renege: {exponential: {mean: -1m}}}", r"'-1m' is not a duration"),
        ("{capacity: 1, reneg: 1m}", r"'reneg' is not a key of a pool.*Did you mean 'renege'"),
    ],
)
def test_a_pool_that_makes_no_sense_is_refused_where_it_stands(tmp_path: Path, pool: str, told: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\npools:\n  desk: {pool}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"s\.yaml:3: .*{told}"):
        wf.load_scenario(file)


# --- shifts -------------------------------------------------------------------------------------------


def by_day(*days: str, begin: str = "08:00", end: str = "16:00", capacity: int = 1) -> list[dict[str, Any]]:
    return [{"from": f"{day} {begin}", "until": f"{day} {end}", "capacity": capacity} for day in days]


def hours(history: History) -> list[float]:
    """Of each case the hour in which it ended."""
    return [minute / 60 for _, minute in ends(history)]


def test_outside_of_shifts_everybody_waits(engine: Any) -> None:
    # Time 0 is midnight before Thursday, in UTC.
    pool = {"shifts": by_day("Thu", "Fri")}
    history = served(engine, pool, ["0s", "15h30m", "16h30m", "40h"], duration="1h")
    # The second is at work when the shift ends, and finishes. The fourth comes after the week's last shift.
    assert hours(history) == [9, 16.5, 33, 7 * 24 + 9]


def test_those_of_shifts_at_the_same_time_add_up_and_all_who_wait_are_served_when_one_opens(engine: Any) -> None:
    pool = {"shifts": [*by_day("Thu", capacity=2), *by_day("Thu", begin="09:00", capacity=3)]}
    history = served(engine, pool, ["0s"] * 6, duration="10h")
    assert hours(history) == [18, 18, 19, 19, 19, 7 * 24 + 18]


def test_a_shift_may_last_over_midnight_and_over_the_week(engine: Any) -> None:
    pool = {"shifts": [{"from": "Sun 22:00", "until": "Mon 06:00", "capacity": 1}]}
    history = served(engine, pool, ["0s", "101h", "105h"], duration="1h")
    assert hours(history) == [3 * 24 + 23, 102, 10 * 24 + 23]


def test_shifts_go_by_the_clock_of_their_time_zone(engine: Any) -> None:
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    scenario = {
        "begins": "2026-03-27T00:00:00Z",
        "arrivals": {"at": ["0s", "24h", "48h", "72h"]},
        "activities": {"serve": {"duration": "1h"}},
        "pools": {"desk": {"shifts": by_day(*days), "time_zone": "Europe/Berlin"}},
    }
    workflow = wf.loads(DESK.replace("RETRY", ONCE))
    history = wf.simulate(workflow, wf.Scenario.model_validate(scenario), engine=engine)  # type: ignore[arg-type]
    # Summer begins on the 29th.
    assert hours(history) == [8, 32, 55, 79]


def test_on_holidays_nobody_is_there(engine: Any) -> None:
    pool = {"shifts": by_day("Thu", "Fri"), "holidays": ["2026-01-01", "2026-01-09"]}
    at = ["0s", "40h", f"{8 * 24}h"]
    assert hours(served(engine, pool, at, duration="1h")) == [24 + 9, 7 * 24 + 9, 14 * 24 + 9]


def test_of_a_shift_over_midnight_a_holiday_takes_its_own_part(engine: Any) -> None:
    pool = {"shifts": [{"from": "Thu 22:00", "until": "Fri 06:00", "capacity": 1}], "holidays": ["2026-01-02"]}
    history = served(engine, pool, ["0s", "23h30m", "24h15m"], duration="1h")
    # Who is at work at midnight finishes.
    assert hours(history) == [23, 24.5, 7 * 24 + 23]


def test_however_long_a_pool_is_closed_it_opens_again(engine: Any) -> None:
    thursdays = [(date(2026, 1, 1) + timedelta(weeks=k)).isoformat() for k in range(70)]
    pool = {"shifts": by_day("Thu"), "holidays": thursdays}
    assert hours(served(engine, pool, ["0s", "8000h"], duration="1h")) == [70 * 7 * 24 + 9, 70 * 7 * 24 + 10]


def test_how_many_there_are_is_what_shifts_and_holidays_say_minute_by_minute() -> None:
    rng = random.Random(5)
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(20):
        spans = [(begin := rng.randrange(WEEK), begin + rng.randrange(1, WEEK)) for _ in range(4)]
        shifts = [
            Shift.model_validate({"from": clock(begin), "until": clock(end), "capacity": 2**k})
            for k, (begin, end) in enumerate(spans)
        ]
        holidays = [(begins + timedelta(days=rng.randrange(21))).date() for _ in range(6)]
        changes = capacities(shifts, "UTC", holidays, begins, 0)
        time, capacity = next(changes)
        later = next(changes)
        for minute in range(21 * 24 * 60):
            moment = begins + timedelta(minutes=minute)
            of_week = moment.weekday() * 24 * 60 + moment.hour * 60 + moment.minute
            expected = sum(2**k for k, (begin, end) in enumerate(spans) if (of_week - begin) % WEEK < end - begin)
            while later[0] <= minute * 60_000_000:
                (time, capacity), later = later, next(changes)
            assert capacity == (0 if moment.date() in holidays else expected), moment
        assert time > 0


def clock(minute: int) -> str:
    """A minute of the week, as shifts say it."""
    day, rest = divmod(minute % WEEK, 24 * 60)
    return f"{DAYS[day]} {rest // 60:02}:{rest % 60:02}"


def test_with_one_worker_less_an_earlier_opening_is_in_time(engine: Any) -> None:
    # Three are at work when only one shift of one opens, at 9; two of them go before that.
    pool = {
        "shifts": [
            *by_day("Thu", begin="00:00", end="01:00", capacity=3),
            *by_day("Thu", begin="09:00"),
            *by_day("Thu", begin="12:00", capacity=3),
        ]
    }
    at, duration = ["0s", "0s", "0s", "2h"], {"empirical": {"values": ["4h"]}}
    assert hours(served(engine, pool, at, duration=duration)) == [4, 4, 4, 13]


def test_whose_worker_never_comes_back_is_not_waited_for_without_end(engine: Any) -> None:
    scenario = {
        "arrivals": {"at": ["0s", "9h"]},
        "activities": {"serve": {"never_ends": 1.0}},
        "pools": {"desk": {"shifts": by_day("Thu")}},
    }
    workflow = wf.loads(DESK.replace("RETRY", ONCE))
    history = wf.simulate(workflow, wf.Scenario.model_validate(scenario), engine=engine)  # type: ignore[arg-type]
    assert history.sql("SELECT status FROM durations").fetchall() == [("open",), ("open",)]
    assert any("2 of 2" in note or "2 cases" in note for note in history.notes), history.notes


def test_shifts_are_known_for_as_long_as_a_run_takes(engine: Any) -> None:
    pool = {"shifts": by_day("Thu")}
    at = [f"{400 * 24 * year}h" for year in range(6)]
    assert all((hour - 9) % (7 * 24) == 0 for hour in hours(served(engine, pool, at, duration="1h")))


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        ("{discipline: fifo}", "a pool has either capacity"),
        ("{capacity: 1, shifts: [{from: Mon 08:00, until: Mon 09:00, capacity: 1}]}", "a pool has either capacity"),
        ("{capacity: 1, time_zone: Europe/Berlin}", "time_zone goes with shifts"),
        ("{capacity: 1, holidays: ['2026-12-25']}", "holidays go with shifts"),
        (
            "{holidays: ['2026-13-25'], shifts: [{from: Mon 08:00, until: Mon 09:00, capacity: 1}]}",
            "'2026-13-25' is not a day. Write year, month and day: 2026-12-25",
        ),
        ("{shifts: []}", "expected at least 1 entry"),
        ("{shifts: [{from: Mon 08:00, until: Mon 08:00, capacity: 1}]}", "from Mon 08:00 until Mon 08:00 never opens"),
        ("{shifts: [{from: Mo 08:00, until: Mon 08:00, capacity: 1}]}", "'Mo 08:00' is not a time of the week"),
        ("{shifts: [{from: Mon 24:30, until: Mon 08:00, capacity: 1}]}", "'Mon 24:30' is not a time of the week"),
        ("{shifts: [{from: Mon 08:00, until: Mon 09:00, capacity: 0}]}", "capacity: expected 1 or more"),
        ("{time_zone: Berlin, shifts: [{from: Mon 08:00, until: Mon 09:00, capacity: 1}]}", "Berlin"),
    ],
)
def test_shifts_that_make_no_sense_are_refused_where_they_stand(tmp_path: Path, pool: str, told: str) -> None:
    test_a_pool_that_makes_no_sense_is_refused_where_it_stands(tmp_path, pool, told)
