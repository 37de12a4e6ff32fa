"""Figures: what they draw is what the views count, what they leave out is told, texts of a definition stay texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import wfsim as wf
from wfsim.analytics.figures.scene import MOST_BUCKETS
from wfsim.analytics.look import STATE_COLOURS, step_of
from wfsim.errors import HistoryError, NothingToDraw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import plotly.graph_objects as go

SECOND, HOUR = 1_000_000, 3_600_000_000
# <sort> sends a third of the parcels round again; two workers, who fail now and then, are not enough.
PARCELS: dict[str, Any] = {
    "name": "parcels",
    "initial_state": "<sort>",
    "activities": {"weigh": {"pool": "staff", "retry_policy": {"max_attempts": 3, "initial_interval": "5s"}}},
    "states": [
        {"name": "<sort>", "activity": "weigh"},
        {"name": "shelf", "timeout": "10m"},
        {"name": "sent", "is_terminal": True},
        {"name": "lost", "is_terminal": True, "outcome": "failure"},
    ],
    "events": {"take": {}, "back": {}},
    "transitions": [
        {"from": "<sort>", "event": "done", "to": "shelf"},
        {"from": "<sort>", "event": "error", "to": "lost"},
        {"from": "shelf", "event": "take", "to": "sent"},
        {"from": "shelf", "event": "back", "to": "<sort>"},
        {"from": "shelf", "event": "timeout", "to": "lost"},
    ],
}
LOAD: dict[str, Any] = {
    "workflow": "parcels",
    "begins": "2026-03-02T08:00:00Z",
    "arrivals": {"poisson": "60/h"},
    "cases": 120,
    "seed": 3,
    "pools": {"staff": {"capacity": 2}},
    "activities": {
        "weigh": {
            "duration": {"exponential": {"mean": "80s"}},
            "failures": [{"error_type": "Scale.stuck", "probability": 0.15}],
        }
    },
    "events": {
        "shelf": [
            {"event": "take", "delay": {"exponential": {"mean": "4m"}}, "weight": 0.7},
            {"event": "back", "delay": "2m", "weight": 0.3},
        ]
    },
}
EVERY = (
    wf.figures.arrivals_and_completions,
    wf.figures.dotted_chart,
    wf.figures.occupancy,
    wf.figures.performance_spectrum,
    wf.figures.pool_utilisation,
    wf.figures.throughput_times,
    wf.figures.variants,
    wf.figures.waiting_and_service,
)


def parcels(**changes: Any) -> wf.History:
    return wf.simulate(wf.Workflow.model_validate(PARCELS), wf.Scenario(**(LOAD | changes)), progress=False)


@pytest.fixture(scope="module", name="history")
def a_history() -> Iterator[wf.History]:
    with parcels() as history:
        yield history


@pytest.fixture(scope="module", name="unfinished")
def one_with_open_cases() -> Iterator[wf.History]:
    with parcels(cases=None, horizon="1h") as history:
        assert history.counts["open"] > 5
        yield history


def title(figure: go.Figure) -> str:
    return str(figure.layout.title.text)


def one(history: wf.History, query: str) -> Any:
    return history.sql(query).fetchall()[0][0]


@pytest.mark.parametrize("draw", EVERY, ids=lambda each: each.__name__)
def test_each_figure_says_what_it_shows_with_the_sql_of_its_rows(
    history: wf.History, unfinished: wf.History, draw: Callable[..., go.Figure]
) -> None:
    for asked in (history, unfinished, history.between("30m", "1h")):
        figure = draw(asked)
        assert len(figure.layout.meta["says"]) > 60
        assert title(figure) == figure.layout.meta["title"]
        assert asked.sql(figure.layout.meta["query"]).fetchall()
        # Names of states are texts, not HTML.
        assert "<sort>" not in figure.to_json().replace("\\u003c", "<").replace("\\u003e", ">").replace(
            figure.layout.meta["query"].replace('"', '\\"'), ""
        )


def test_no_figure_is_shown_by_itself(history: wf.History, monkeypatch: pytest.MonkeyPatch) -> None:
    import webbrowser

    import plotly.basedatatypes
    import plotly.io

    def shown(*_: Any, **__: Any) -> None:
        raise AssertionError("a figure was shown")

    monkeypatch.setattr(plotly.basedatatypes.BaseFigure, "show", shown)
    monkeypatch.setattr(plotly.io, "show", shown)
    monkeypatch.setattr(webbrowser, "open", shown)
    made = [draw(history) for draw in EVERY]
    made += [wf.figures.case_gantt(history, 1), wf.hot_paths(history).plot()]
    assert all(isinstance(each, plotly.basedatatypes.BaseFigure) for each in made)


def test_the_dots_are_the_states_entered_and_the_closings(history: wf.History) -> None:
    figure = wf.figures.dotted_chart(history)
    dots = {trace.name: len(trace.x) for trace in figure.data}
    for state, name in (("<sort>", "&lt;sort&gt;"), ("shelf", "shelf"), ("sent", "sent"), ("lost", "lost")):
        assert dots[name] == one(history, f"SELECT count(*) FROM stays WHERE state = '{state}'")
    assert dots["✓ completed: success"] == history.counts["completed/success"]
    assert "120 cases" in title(figure)
    first = one(history, "SELECT make_timestamp(begins + min(started)) FROM run_begins, cases GROUP BY begins")
    assert min(figure.data[0].x) == first.isoformat()


def test_of_many_cases_a_sample_is_drawn_and_the_title_says_so(history: wf.History) -> None:
    figure = wf.figures.dotted_chart(history, cases=30, since="start", order="duration")
    assert "30 of 120 cases (one in 4)" in title(figure)
    places = {place for trace in figure.data for place in trace.y}
    assert places == set(range(1, 121, 4))
    (sort,) = (trace for trace in figure.data if trace.name == "&lt;sort&gt;")
    assert sum(x == 0 for x in sort.x) == 30
    assert "a sample" in title(wf.figures.performance_spectrum(history, cases=10))


def test_a_passage_is_a_line_and_its_colour_its_quarter(history: wf.History) -> None:
    figure = wf.figures.performance_spectrum(history, segments=1, cases=1000)
    n = one(history, "SELECT max(n) FROM (SELECT sum(n) AS n FROM dfg GROUP BY from_state, to_state)")
    lines = [len(trace.x) // 3 for trace in figure.data]
    assert sum(lines) == n
    assert all(abs(each - n / 4) <= 1 for each in lines)
    (shown,) = figure.layout.yaxis.ticktext
    assert shown.startswith("<b>&lt;sort&gt; → shelf</b>")


def test_bars_of_throughput_times_hold_every_closed_case(history: wf.History, unfinished: wf.History) -> None:
    for asked in (history, unfinished):
        figure = wf.figures.throughput_times(asked, percentiles=(50, 99))
        closed = one(asked, "SELECT count(*) FROM durations WHERE status <> 'open'")
        assert sum(sum(trace.y) for trace in figure.data) == closed
        assert [each.text.split(":")[0] for each in figure.layout.annotations] == ["50 %", "99 %"]
    with parcels(
        activities={"weigh": {"duration": "80s"}},
        arrivals={"every": "5m"},
        events={"shelf": [{"event": "take", "delay": "1s"}]},
    ) as same:
        (trace,) = wf.figures.throughput_times(same).data
        assert list(trace.y) == [120]


def test_waiting_and_service_are_those_of_the_view(history: wf.History) -> None:
    waiting, service = wf.figures.waiting_and_service(history).data
    ((wait, work),) = history.sql("SELECT mean_wait, mean_service FROM activity_stats").fetchall()
    assert (list(waiting.x), list(service.x)) == ([wait], [work])
    assert wait > 10 * SECOND


def test_business_hours_count_in_durations(history: wf.History) -> None:
    shut = history.business_hours([{"from": "Sun 01:00", "until": "Sun 02:00"}], time_zone="UTC")
    waiting, service = wf.figures.waiting_and_service(shut).data
    assert (list(waiting.x), list(service.x)) == ([0], [0])


def test_occupancy_adds_up_to_the_time_in_states(history: wf.History, unfinished: wf.History) -> None:
    for asked in (history, unfinished):
        figure = wf.figures.occupancy(asked, bucket="5m")
        hours = sum(sum(trace.y) for trace in figure.data) * 300 * SECOND
        inside = one(asked, "SELECT sum(least(coalesce(left_at, horizon), horizon) - entered) FROM stays, horizons")
        assert hours == pytest.approx(inside)
        assert "mean of each 5 min" in title(figure)


def test_what_starts_less_what_closes_is_open_at_the_end(unfinished: wf.History) -> None:
    started, *closed, still = wf.figures.arrivals_and_completions(unfinished).data
    assert sum(started.y) + sum(sum(each.y) for each in closed) == still.y[-1] == unfinished.counts["open"]


def test_busy_time_over_buckets_adds_up_to_the_utilisation(history: wf.History, unfinished: wf.History) -> None:
    for asked in (history, unfinished, history.between("20m", "70m")):
        busy, waiting, there = wf.figures.pool_utilisation(asked, bucket="1m").data
        ((work, queue, span),) = asked.sql("SELECT busy_time, mean_queue, span FROM pool_utilisation").fetchall()
        assert sum(busy.y) * 60 * SECOND == pytest.approx(work)
        assert sum(waiting.y) * 60 * SECOND == pytest.approx(queue * span)
        assert set(there.y) == {2}


def test_a_pool_by_shifts_has_as_many_workers_as_are_on_shift() -> None:
    week = [{"from": f"{day} 09:00", "until": f"{day} 11:00", "capacity": 2} for day in ("Mon", "Tue")]
    with parcels(pools={"staff": {"shifts": week}}) as history:
        *_, there = wf.figures.pool_utilisation(history).data
        assert set(there.y) == {0, 2}
        assert "2026-03-02T09:00:00" in there.x


def test_variants_are_drawn_state_by_state(history: wf.History) -> None:
    figure = wf.figures.variants(history, limit=3)
    ranked = history.sql(
        "SELECT states, cases FROM variants ORDER BY cases DESC, total_duration DESC LIMIT 3"
    ).fetchall()
    assert sum(len(trace.y) for trace in figure.data) == sum(len(states) for states, _ in ranked)
    assert [label.split(" ")[0] for label in figure.layout.yaxis.ticktext] == [str(cases) for _, cases in ranked]
    assert figure.data[0].marker.color == STATE_COLOURS[0]


def test_a_case_shows_every_attempt_and_its_retries(history: wf.History) -> None:
    number = one(history, 'SELECT "case" FROM executions GROUP BY "case" ORDER BY max(attempt) DESC, "case"')
    attempts, waited, retried, stays = history.sql(
        f"SELECT count(*), count(*) FILTER (wait > 0), count(*) FILTER (attempt > 1), "
        f'(SELECT count(*) FROM stays WHERE "case" = {number}) FROM executions WHERE "case" = {number}'
    ).fetchall()[0]
    assert retried
    for scale in (None, "time", "steps"):
        figure = wf.figures.case_gantt(history, number, scale=scale)
        bars = [trace for trace in figure.data if trace.type == "bar"]
        assert len(bars) == stays + attempts + waited
        assert sum(trace.name == "until tried again" for trace in figure.data) == retried
        assert ("not to scale" in figure.layout.xaxis.title.text) is (scale == "steps")


def test_an_open_case_lasts_until_its_last_record(unfinished: wf.History) -> None:
    number = one(unfinished, 'SELECT "case" FROM executions WHERE ended IS NULL AND started IS NOT NULL')
    figure = wf.figures.case_gantt(unfinished, number, scale="time")
    assert any(trace.name == "… still runs" for trace in figure.data)
    assert f"Case {number} of parcels: running" in title(figure)


def test_an_imported_log_is_drawn_as_well() -> None:
    """Its activities are its states, and its cases are completed, nobody says how well."""
    with wf.read_log(wf.examples()["loan_application"].log, final=["approved", "declined", "cancelled"]) as log:
        n = log.counts["completed"]
        for draw in (each for each in EVERY if each is not wf.figures.pool_utilisation):
            figure = draw(log)
            assert figure.data
            assert "of loan_application" in title(figure)
        with pytest.raises(NothingToDraw, match="no activity asked for a worker of a pool"):
            wf.figures.pool_utilisation(log)
        (bars,) = wf.figures.throughput_times(log).data
        assert (bars.name, sum(bars.y)) == ("● completed", n)
        ends = {trace.name: len(trace.x) for trace in wf.figures.dotted_chart(log, cases=10_000).data}
        assert ends["● completed"] == n
        assert ends["validate"] == one(log, "SELECT count(*) FROM stays WHERE state = 'validate'")
        came, went = wf.figures.arrivals_and_completions(log).data[:2]
        assert (sum(came.y), -sum(went.y), went.name) == (sum(log.counts.values()), n, "● completed")
        number = one(log, 'SELECT "case" FROM executions GROUP BY "case" ORDER BY count(*) DESC, "case"')
        assert title(wf.figures.case_gantt(log, number)).startswith(f"Case {number} (")
        (sankey,) = wf.hot_paths(log).plot().data
        last = [k for k, label in enumerate(sankey.node.label) if label.startswith("● completed")]
        assert sum(value for target, value in zip(sankey.link.target, sankey.link.value) if target in last) == n


def test_of_several_runs_moments_are_those_of_the_first_and_durations_of_all() -> None:
    with parcels(replications=3, cases=20) as history:
        assert "run 1 of 3" in title(wf.figures.occupancy(history))
        assert "run 2 of 3" in title(wf.figures.occupancy(history, run=2))
        assert "3 runs together: 60 closed cases" in title(wf.figures.throughput_times(history))
        assert "20 cases" in title(wf.figures.dotted_chart(history))
        with pytest.raises(HistoryError, match="there is no run 4"):
            wf.figures.occupancy(history, run=4)


def test_inner_states_have_colours_of_their_own_and_children_figures_of_their_own() -> None:
    with wf.simulate(wf.example("order_fulfilment"), cases=5, catalogue="models", progress=False) as history:
        assert "of shipping" in title(wf.figures.dotted_chart(history, workflow="shipping"))
        packing = next(trace for trace in wf.figures.occupancy(history, region="fulfilling/goods").data)
        assert packing.marker.color in STATE_COLOURS


def test_a_figure_that_cannot_be_drawn_says_why(history: wf.History) -> None:
    with pytest.raises(HistoryError, match=r"dotted_chart takes a history, not 7. wf.simulate"):
        wf.figures.dotted_chart(7)  # type: ignore[arg-type]
    with pytest.raises(HistoryError, match=r"order='begin' is none of start, duration"):
        wf.figures.dotted_chart(history, order="begin")
    with pytest.raises(HistoryError, match=r"bucket='1us': .* more than 5,000 of them. Give at least \d+s"):
        wf.figures.occupancy(history, bucket="1us")
    with pytest.raises(HistoryError, match=r"bucket='soon': 'soon' is not a duration"):
        wf.figures.occupancy(history, bucket="soon")
    with pytest.raises(HistoryError, match=r"there is no workflow 'parcel' .* Did you mean 'parcels'"):
        wf.figures.variants(history, workflow="parcel")
    with pytest.raises(HistoryError, match=r"percentiles=\(50, 101\): give numbers from 0 to 100"):
        wf.figures.throughput_times(history, percentiles=(50, 101))
    with pytest.raises(HistoryError, match=r"region 'x'"):
        wf.figures.occupancy(history, region="x")
    with pytest.raises(HistoryError, match="nothing to draw of parcels: no case has closed"):
        wf.figures.throughput_times(history.between(None, 1))
    assert step_of(HOUR, MOST_BUCKETS) == SECOND


def test_log_levels_that_keep_too_little_are_told() -> None:
    workflow, scenario = wf.Workflow.model_validate(PARCELS), wf.Scenario(**LOAD)
    with wf.simulate(workflow, scenario, cases=5, log="aggregates", progress=False) as sums:
        assert "5 closed cases" in title(wf.figures.throughput_times(sums))
        with pytest.raises(HistoryError, match="'aggregates' keeps no transitions"):
            wf.figures.dotted_chart(sums)
        with pytest.raises(HistoryError, match="log level keeps no attempts"):
            wf.figures.pool_utilisation(sums)
