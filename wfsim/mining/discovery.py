"""`discover`: the model behind a history, as a process tree, a sound net and a workflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from wfsim.arguments import expect
from wfsim.errors import HistoryError, OptionError, did_you_mean, listed
from wfsim.markup import escaped

from .logs import Log
from .miner import mine
from .nets import net_of
from .observed import named
from .states import workflow_of
from .tree import TAU

if TYPE_CHECKING:
    from wfsim.history.history import History
    from wfsim.model.workflow import Workflow
    from wfsim.net.petri import PetriNet

    from .tree import Tree

VARIANTS = """
SELECT states, sum(cases)::BIGINT AS cases FROM variants WHERE workflow = ? GROUP BY states ORDER BY cases DESC, states
"""
"""Sequences of root states with the numbers of closed cases that went them."""

TIMED = """
SELECT activity FROM executions WHERE workflow = ? AND service IS NOT NULL
GROUP BY activity HAVING sum(service) > 0 ORDER BY activity
"""
"""Activities of a log of which it tells when they were begun and when completed."""


@dataclass(frozen=True)
class Discovery:
    """What `discover` has found; a notebook shows its drawing.

    Attributes
    ----------
    name
        Of the workflow.
    tree
        The process tree.
    noise
        What was taken for noise.
    log
        The traces it was found in, with the numbers of cases.
    n_open
        Cases that had not ended, which were left out.
    timed
        Activities that take time.
    """

    name: str
    tree: Tree
    noise: float
    log: Log = field(repr=False)
    n_open: int
    timed: tuple[str, ...] = ()

    @property
    def query(self) -> str:
        """The question in SQL whose rows are the traces."""
        return named(VARIANTS, self.name)

    @cached_property
    def net(self) -> PetriNet:
        """A workflow net with the language of the tree, sound by construction."""
        return net_of(self.tree, self.name)

    @cached_property
    def workflow(self) -> Workflow:
        """A workflow whose cases do what the tree says; what is parallel has regions."""
        told = f"Found in {self.log.n_cases:,} cases; {self.fitting:.1%} of them do just what it says."
        return workflow_of(self.tree, self.name, timed=self.timed, description=told)

    @cached_property
    def fitting(self) -> float:
        """The share of cases whose whole sequence of activities is in the language; 1 at noise 0."""
        return sum(n for trace, n in self.log.traces.items() if self.tree.accepts(trace)) / self.log.n_cases

    def deviating(self) -> list[tuple[tuple[str, ...], int]]:
        """The sequences of activities that are not in the language, with their numbers of cases, most cases first."""
        found = [(trace, n) for trace, n in self.log.traces.items() if not self.tree.accepts(trace)]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def __repr__(self) -> str:
        cases = f"{self.fitting:.1%} of {self.log.n_cases:,} cases fit" + (
            f", {self.n_open:,} open cases left out" if self.n_open else ""
        )
        return f"<Discovery of {self.name!r}, noise {self.noise:g}: {cases}>\n{self.tree}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """One line of text, and the workflow drawn."""
        shown = self.workflow._repr_mimebundle_()
        text = repr(self)
        if "text/html" in shown:
            return {"text/plain": text, "text/html": f"<p>{escaped(text.splitlines()[0])}</p>{shown['text/html']}"}
        return {"text/plain": text}


def discover(history: History, noise: float = 0.2, *, workflow: str | None = None) -> Discovery:
    """Find the model that the cases of a history follow, by the inductive miner.

    Parameters
    ----------
    history
        An imported log, whose activities count; or any other history, whose root states count.
    noise
        What is rarer than this part of what else happens at the same place may be left out, from 0 to 1. At 0 every
        case fits, however much the model then allows.
    workflow
        Name of the workflow of a run whose cases count; default: the root workflow.

    Returns
    -------
    Discovery
        `.tree`; `.net`, a workflow net, sound by construction; `.workflow`, a definition to change, verify and
        simulate; `.fitting` and `.deviating()` tell which cases it describes.

    Raises
    ------
    HistoryError
        If no case of that workflow has closed, or the runs are of several workflows and none is named.
    OptionError
        If noise is not between 0 and 1.

    Notes
    -----
    What is counted are different sequences, not cases: one question in SQL (`discovery.VARIANTS`), then some
    milliseconds for each activity and thousand of different sequences. Sources of the algorithm: `miner.mine`.

    Examples
    --------
    >>> import wfsim as wf
    >>> order = wf.new("order")
    >>> found = discover(wf.simulate(order, cases=200, seed=1), noise=0)
    >>> found.fitting
    1.0
    >>> bool(wf.soundness(found.net))
    True
    """
    from wfsim.history.history import History

    expect(history, History, "discover takes a history", "wf.simulate(workflow) or wf.open_history(path) gives one.")
    if isinstance(noise, bool) or not isinstance(noise, (int, float)) or not 0.0 <= noise <= 1.0:
        raise OptionError(f"noise={noise!r}: give a number from 0, all fits, to 1.")
    name = root_name(history, workflow)
    rows = history.sql(VARIANTS, [name], max_rows=None).fetchall()
    if not rows:
        raise HistoryError(f"{history.path}: no case of {name!r} has closed, so nothing tells what a whole case does.")
    log = Log({tuple(states): int(cases) for states, cases in rows})
    ((n_open,),) = history.sql(
        "SELECT count(*) FROM durations WHERE workflow = ? AND closed IS NULL", [name]
    ).fetchall()
    is_log = all(run.source == "log" for run in history.runs)
    timed = tuple(activity for (activity,) in history.sql(TIMED, [name]).fetchall()) if is_log else ()
    tree = mine(log, float(noise))
    if tree == TAU:
        raise HistoryError(f"{history.path}: with noise={noise:g} nothing is left of the cases of {name!r}. Give less.")
    return Discovery(name, tree, float(noise), log, n_open, timed)


def root_name(history: History, workflow: object) -> str:
    """The workflow that is asked about: the one named, else the root workflow of all runs.

    Raises
    ------
    HistoryError
        If there is no such workflow, or several roots.
    """
    known = [name for (name,) in history.sql("SELECT DISTINCT workflow FROM workflow_names ORDER BY ALL").fetchall()]
    if workflow is not None:
        expect(workflow, str, "workflow is a name", f"Workflows: {listed(known)}.")
        if workflow not in known:
            raise HistoryError(
                f"{history.path}: has no workflow {workflow!r}.{did_you_mean(str(workflow), known)} "
                f"Workflows: {listed(known)}."
            )
        return str(workflow)
    roots = history.sql("SELECT DISTINCT workflow FROM workflow_names WHERE number = 0 ORDER BY ALL").fetchall()
    if len(roots) != 1:
        raise HistoryError(
            f"{history.path}: has runs of several workflows: {listed(name for (name,) in roots)}. Say which: workflow=…"
        )
    return str(roots[0][0])
