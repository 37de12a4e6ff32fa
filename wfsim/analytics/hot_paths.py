"""Hot paths: which ways through the workflow cases take most, and which take most of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from wfsim.arguments import expect
from wfsim.errors import HistoryError, did_you_mean
from wfsim.history.views import ranked_paths
from wfsim.markup import html_table
from wfsim.model.duration import short_time
from wfsim.model.workflow import Workflow

from .flows import flows
from .sankey import path_sankey
from .scope import states_of

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from wfsim.drawing import Picture
    from wfsim.history.history import History

    from .flows import Measure

OUTCOMES = ("success", "failure", "failed", "timed_out", "cancelled", "terminated", "completed")
"""How a case may close: completed with either outcome, with another status, or, of a log, completed and no more."""
OTHER = "other paths"


class HotPaths:
    """The most taken paths of a history: `.df()`, `.plot()` and `.map()`; shown in a notebook it is a table."""

    def __init__(
        self,
        history: History,
        table: pd.DataFrame,
        by: str,
        workflow: Workflow | str | None,
        run: int | None,
        rest: dict[str, int],
    ) -> None:
        self._history = history
        self._table = table
        self._by = by
        self._workflow = workflow
        self._run = run
        self._rest = rest
        """Closed cases of all other paths, by how they closed."""
        of = {
            name: None for one in history.runs for each in one.workflows for name in states_of(history, each.definition)
        }
        self._order = list(of)

    def __len__(self) -> int:
        return len(self._table)

    def df(self) -> pd.DataFrame:
        """One row per path.

        Returns
        -------
        pandas.DataFrame
            `path` (text), `cases` and their `share` of all closed cases, `total_time` and its `time_share`,
            `mean_time`, `p50_time`, `p95_time` (microseconds), the number of cases by how they closed
            (`success`, `failure`, `failed`, `timed_out`, `cancelled`, `terminated`; of a log `completed`), how long
            they waited for workers (`total_wait`, `mean_wait`), both ranks, `states` (list) and `path_hash`.
        """
        return self._table.copy()

    def plot(self) -> go.Figure:
        """A Sankey diagram of the paths: columns are steps, widths are cases, the end says how they closed.

        A state has the same colour in every diagram of its workflow; the cases of all other paths are one band.
        Nothing is shown or opened; return it from a cell, or call `.show()` or `.write_html()` on it.
        """
        columns = self._table[["states", *OUTCOMES]]
        rows = [
            (list(states), {name: int(count) for name, count in zip(OUTCOMES, counts)})
            for states, *counts in columns.itertuples(index=False, name=None)
        ]
        if any(self._rest.values()):
            rows.append(([OTHER], self._rest))
        ranked = "number of cases" if self._by == "cases" else "total time"
        whose = "" if self._workflow is None else f" of {_name(self._workflow)}"
        title = f"The {len(self._table)} hottest paths{whose} by {ranked}"
        return path_sankey(rows, title=title, order=self._order)

    def map(self, measure: Measure = "cases", *, share: float = 1.0) -> Picture:
        """The workflow as a process map: what flowed through it, on its picture.

        Parameters
        ----------
        measure
            `cases` (how often each transition was taken and each state entered), `time` (mean time), `waiting` (mean
            waiting for a worker), `retries` or `timeouts`: the widths of arrows, and colours and numbers of arrows and
            states.
        share
            Only the most frequent paths that together hold this share of the closed cases; 1 for all cases.

        Raises
        ------
        HistoryError
            For an unknown measure, a share that is none, runs of different workflows, and a log level that keeps no
            transitions.
        """
        return flows(self._history, run=self._run, workflow=self._workflow, share=share).picture(measure)

    def __repr__(self) -> str:
        shown = self._table[["path", "cases", "share"]].assign(
            time=[short_time(value) for value in self._table["total_time"]],
            p95=[short_time(value) for value in self._table["p95_time"]],
        )
        return shown.to_string(index=False) if len(shown) else "no closed cases"

    def _repr_html_(self) -> str:
        used = [name for name in OUTCOMES if self._table[name].any()]
        heads = ["path", "cases", "share", "total time", "median", "95 %", *(name.replace("_", " ") for name in used)]
        rows = [
            (
                row["path"],
                f"{row['cases']:,}",
                f"{row['share']:.1%}",
                *(short_time(row[time]) for time in ("total_time", "p50_time", "p95_time")),
                *(f"{row[name]:,}" for name in used),
            )
            for row in self._table.to_dict("records")
        ]
        return html_table(heads, rows, numbers=range(1, len(heads)), caption=f"Hot paths by {self._by}")


def hot_paths(
    history: History,
    *,
    limit: int = 20,
    by: Literal["cases", "time"] = "cases",
    run: int | None = None,
    workflow: Workflow | str | None = None,
) -> HotPaths:
    """The paths through a workflow's states that closed cases took most, or that took most time.

    Parameters
    ----------
    history
        A history at log level `full` or `transitions`.
    limit
        How many paths.
    by
        Rank by number of `cases`, or by their total `time` from start to closing.
    run
        Only this run; all runs together if not given.
    workflow
        Of which workflow: the one that was run, if not given, or one that it started, by name; or the workflow itself,
        of which a `map` is then drawn as a person has placed it.

    Raises
    ------
    HistoryError
        If `history` is none, for an unknown `by`, run or workflow, or a `limit` below 1.

    Notes
    -----
    Cases still open are left out (M12). One grouping over the cases; cost is linear in their number.
    """
    from wfsim.history.history import History

    if not isinstance(history, History):
        raise HistoryError(
            f"hot_paths takes a history, not {history!r}. "
            "wf.simulate(workflow) makes one, wf.open_history(path) opens one."
        )
    if by not in ("cases", "time"):
        raise HistoryError(f"by={by!r} is not a ranking. Give 'cases' or 'time'.{did_you_mean(by, ['cases', 'time'])}")
    expect(limit, int, "hot_paths takes as limit a whole number", "By default 20.")
    if limit < 1:
        raise HistoryError(f"limit={limit}: ask for at least one path.")
    known = [one.run for one in history.runs]
    if run is not None and run not in known:
        raise HistoryError(f"there is no run {run}. Runs: {', '.join(map(str, known))}.")
    workflows = [name for (name,) in history.sql("SELECT DISTINCT workflow FROM workflow_names ORDER BY 1").fetchall()]
    whose = None if workflow is None else _name(workflow)
    if whose is not None and whose not in workflows:
        raise HistoryError(
            f"there is no workflow {whose!r} in this history. Workflows: {', '.join(workflows)}."
            f"{did_you_mean(whose, workflows)}"
        )
    where, params = _whose(whose)
    query = ranked_paths(where if run is None else f"{where} AND run = $run", split=False)
    params |= {"limit": limit} | ({} if run is None else {"run": run})
    table = history.sql(f"FROM ({query}) ORDER BY rank_by_{by} LIMIT $limit", params).df()
    sums = ", ".join(f"coalesce(sum({name}), 0)::BIGINT" for name in OUTCOMES)
    others = history.sql(f"SELECT {sums} FROM ({query}) WHERE rank_by_{by} > $limit", params).fetchall()[0]
    return HotPaths(history, table, by, workflow, run, dict(zip(OUTCOMES, others)))


def _name(workflow: Workflow | str) -> str:
    return workflow.name if isinstance(workflow, Workflow) else str(workflow)


def _whose(workflow: str | None) -> tuple[str, dict[str, Any]]:
    """A condition on rows of `cases`: those of this workflow, or of the one that each run was about."""
    if workflow is None:
        return "workflow = 0", {}
    named = "SELECT (run, number) FROM workflow_names WHERE workflow = $workflow"
    return f"(run, workflow) IN ({named})", {"workflow": workflow}
